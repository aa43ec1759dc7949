// Documents about a stay (MDM) to care events: discharge letters. The document stays where it was made: what goes on is
// a reference to it, with the digest and size of its content where the message brings that along. The content never
// does.
//
//     T01 T02  new                  T05 T06  an addendum
//     T03 T04  its status changed   T07 T08  edited
//     T09 T10  replaces another     T11      cancelled; as is a document whose availability (TXA-19) is CA or OB
//
// Which types of documents (TXA-2) are letters is the sender's configuration; others come to nothing, as do letters
// that nobody has signed off yet (TXA-17 is DI, IP or IN).
//
// Where the encounter's discharge is in force, it is amended: the letter is the newest one; one that it does not
// replace (TXA-13, or the same number) goes on in the event's references, where addenda go too. So whoever was told of
// the discharge is told of its letter, and the next version of either.
//
// Where it is not, the letter is told of as a message to the team. Letters are often sent before the discharge: it then
// takes the letter along (adt.h). And there are letters without one, of day care and of outpatients; that there is such
// a letter, and where, is what a general practitioner looks for. A confidential letter (TXA-18 is R or V) is always a
// message of its own, restricted, so that the discharge stays with those who have it.
//
// Source: HL7 v2.5.1 chapter 9: 9.5 (TXA; tables 0270, 0271, 0272, 0273), 9.6 (trigger events); 2.A.24 (ED), 2.A.65
// (RP).
//
// Threads: any; a call touches its arguments only.
#ifndef CAREHUB_MDM_H
#define CAREHUB_MDM_H

#include "adt.h"

#define MDM_REFERENCES_MAX 32u // of one discharge; the oldest go

// Whether a message is MDM^T01 to T11.
bool mdm_takes(const struct hl7v2_message *message);

// The event of a message. Its past is that of the encounter (adt_episode), where the event belongs too. Of ADT_NOTHING
// why is
//     "document-without-number"  TXA-12 is empty: nobody could find the document
//     "document-type"            it is no letter
//     "document-unfinished"      it is not signed off yet
// ADT_NOTHING_TO_CORRECT is a cancellation of a document that was not told of.
struct adt_result mdm_map(const struct adt_input *input);

#endif
