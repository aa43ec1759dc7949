// The way out of the hl7v2 format: care events as HL7 v2.5.1 messages for software that speaks nothing else. The
// functions are those of struct carehub_format; `self` is a struct hospital. One message for each event:
//
//     HospitalAdmission            ADT^A01
//     CareTransition               ADT^A02
//     HospitalDischarge            ADT^A03
//     EmergencyVisit               ADT^A04; with a time of leaving ADT^A03
//     PatientDeceased              ADT^A31 with PID-29 and -30: it is about the person, not about a visit (3.3.31)
//     MedicationChanged            RDE^O11, one order for each change; without its changes, or taken back, ORU^R01
//     what was observed, assessed  ORU^R01: OBR-4 is the event's type, one OBX for each value
//     or said about the patient
//     the care's organisation      none, or ORU^R01 for a receiver with care-organisation = yes:
//                                  InclusionFlagged, TaskAssigned, CaseConference, CoordinationChanged, ReferralMade.
//                                  As an order, an appointment or a referral they would start work that nobody asked
//                                  the receiver for
//
// Corrections: an amendment of a stay or visit is ADT^A08 with all that is known now; a retraction ADT^A11 (arrival),
// A12 (transfer) or A13 (leaving). A value that an amendment no longer has is left out, not deleted by "": a view may
// hold less than the last one did, which does not make the rest untrue. Of an ORU, both repeat OBR-3 of what they
// correct, and OBR-25 and OBX-11 say so. A correction's notice names no patient; it becomes a message only if the
// original is still known.
//
// MSH-10 is 20 characters made of the event's id, MSH-7 the time at which the event was recorded: a message that is
// sent again is the same, byte for byte. ORC-1: NW, DC, HD, RL, XO. What a receiver's view lacks is left out; of what
// the standard requires, PID-5 is then ~^^^^^^U (name unknown, 3.4.2.5) and RXE-3, RXE-5 and RXR-1 are "". What no
// field is meant for goes into OBX segments, local codes 99CAREHUB.
//
// Sources: HL7 v2.5.1 chapters 2 (2.15.9 MSH), 3 (3.3 trigger events, 3.4 segments), 4 (4.5.1 ORC, 4.5.4 TQ1, 4.14.4
// RXE), 7 (7.4 OBR and OBX); tables 0003, 0004, 0052, 0085, 0119, 0123, 0125, 0396.
#ifndef CAREHUB_HOSPITAL_OUT_H
#define CAREHUB_HOSPITAL_OUT_H

#include "carehub_adapter.h"

enum carehub_written hospital_write(const void *self, const struct carehub_departure *departure,
                                    struct carehub_parcel *parcel);

// Judges an acknowledgement, by MSA-1 and, for what is not a success, the condition that the first ERR-3 gives (before
// v2.5 ERR-1.4 or MSA-6):
//
//     MSA-2 is not the parcel's MSH-10               OTHER
//     AA, CA                                         TAKEN
//     AE, CE, AR, CR with 206 (record locked) or
//                    207 (internal error) alone      AGAIN
//     AE, CE, AR, CR with anything else, or nothing  REFUSED: 100 to 105 and 200 to 205 say that the message itself is
//                                                    at fault, and sending the same again cannot mend that
//     what is no acknowledgement                     OTHER
//
// Sources: HL7 v2.5.1, 2.9.2.2 (a rejection for reasons that have nothing to do with the content may be sent again),
// 2.9.3.2, 2.15.8 (MSA), tables 0008 and 0357. The receiver's own text is never taken over: it may quote the message.
enum carehub_judgement hospital_judge(const void *self, const struct carehub_parcel *parcel, const void *answer,
                                      size_t len, struct carehub_problem *problem);

bool hospital_check_receiver(const struct carehub_setting *receiver, char error[CAREHUB_ERROR_BYTES]);

#endif
