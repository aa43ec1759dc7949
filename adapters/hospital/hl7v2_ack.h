// Acknowledgements: whether to send one, with which code, and its text.
//
// Source: HL7 v2.5.1 chapter 2, sections 2.9.2 (original mode), 2.9.3 (enhanced mode), 2.15.5 (ERR),
// 2.15.8 (MSA), tables 0008, 0155 and 0357; for older senders v2.3 2.24 and v2.4 2.16.
#ifndef CAREHUB_HL7V2_ACK_H
#define CAREHUB_HL7V2_ACK_H

#include "hl7v2.h"

// Enough for any acknowledgement built here: echoed fields and texts are cut to the limits below.
#define HL7V2_ACK_MAX_BYTES 32768u
#define HL7V2_ACK_ERRORS_MAX 10u              // errors beyond these are left out
#define HL7V2_ACK_DIAGNOSTIC_MAX_BYTES 1024u  // ERR-7, escaped
#define HL7V2_ACK_USER_MESSAGE_MAX_BYTES 250u // ERR-8, escaped
#define HL7V2_ACK_MSA_TEXT_MAX_BYTES 80u      // MSA-3, escaped; its length in v2.3 to v2.6
#define HL7V2_ACK_ECHO_MAX_BYTES 512u         // each field taken over from the message; longer ones are left out

// Table 0008.
enum hl7v2_ack_code {
    HL7V2_ACK_NONE, // send nothing
    HL7V2_ACK_AA,
    HL7V2_ACK_AE,
    HL7V2_ACK_AR,
    HL7V2_ACK_CA,
    HL7V2_ACK_CE,
    HL7V2_ACK_CR
};

// How the handling of a message ended.
enum hl7v2_outcome {
    HL7V2_OUTCOME_ACCEPTED,
    HL7V2_OUTCOME_ERROR,   // something in the message: AE or CE
    HL7V2_OUTCOME_REJECTED // MSH-9, -11 or -12 not accepted, or a fault of ours, to be sent again: AR or CR
};

// The two moments at which a reply may be due.
enum hl7v2_ack_stage {
    HL7V2_ACK_STAGE_COMMIT,     // the message is safely stored, or refused
    HL7V2_ACK_STAGE_APPLICATION // it has been processed
};

// True when MSH-15 or MSH-16 is valued: enhanced mode.
bool hl7v2_ack_is_enhanced(const struct hl7v2_message *message);

// The code to reply with at a stage, or HL7V2_ACK_NONE when the sender wants none then. Original mode
// replies at the application stage only. In enhanced mode MSH-15 governs the commit stage and MSH-16 the
// application stage, and a condition left empty while the other is valued is NE. A value that is not in
// table 0155 counts as AL: a reply too many is dropped, a reply too few stops the feed.
// After CE or CR no application reply follows; when the commit stage replied nothing, an error goes into
// the application reply.
enum hl7v2_ack_code hl7v2_ack_decide(const struct hl7v2_message *message, enum hl7v2_ack_stage stage,
                                     enum hl7v2_outcome outcome);

const char *hl7v2_ack_code_text(enum hl7v2_ack_code code); // "AA"; "" for HL7V2_ACK_NONE

// One ERR. Texts are UTF-8, unescaped, and may be NULL.
struct hl7v2_ack_error {
    struct hl7v2_location location;
    enum hl7v2_condition condition;
    char severity;            // E, W or I; 0 is E
    const char *diagnostic;   // ERR-7, for whoever looks after the interface
    const char *user_message; // ERR-8, for whoever typed it
};

// An ERR that says what hl7v2_parse or hl7v2_check_header found; borrows error's text.
struct hl7v2_ack_error hl7v2_ack_error_from(const struct hl7v2_error *error);

struct hl7v2_ack {
    const struct hl7v2_message *message; // the one to answer, or hl7v2_salvage_header of it
    enum hl7v2_ack_code code;            // not HL7V2_ACK_NONE
    const char *control_id;              // new MSH-10: unique among all that this receiver sends
    int64_t now_ms;                      // MSH-7, since 1970 UTC
    int offset_minutes;                  // of MSH-7 from UTC
    const struct hl7v2_ack_error *errors;
    size_t error_count;
};

// Writes the acknowledgement, segments ended by CR, zero-terminated, in the delimiters, version and
// processing id of the message, sender and receiver swapped. Text above ASCII makes it UTF-8, declared
// in MSH-18. Errors are laid out as the sender's version knows them: ERR-2 to -8 and one ERR for each
// error from v2.5 on or when the version is unknown, else ERR-1 and MSA-6; MSA-3 before v2.7.
// Returns its length in bytes; 0 when size (HL7V2_ACK_MAX_BYTES is enough) does not suffice.
size_t hl7v2_ack_build(const struct hl7v2_ack *ack, char *out, size_t size);

#endif
