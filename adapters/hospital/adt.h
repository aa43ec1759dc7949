// ADT messages to care events: a pure mapping, without I/O, clock or state of its own.
//
//     A01 admit            HospitalAdmission; class E: EmergencyVisit
//     A02 transfer         CareTransition
//     A03 discharge        HospitalDischarge; class E: EmergencyVisit with the time of leaving
//     A04 register         class E: EmergencyVisit; any other class is not an event
//     A08 update           amends the encounter's last event, if it changes anything that the event says
//     A11 cancel admit     retracts the last admission or emergency visit of the encounter
//     A12 cancel transfer  retracts its last transfer
//     A13 cancel discharge retracts its last discharge
//
// The trigger event decides what happened, never a field: a transfer with a discharge time is a transfer. What came
// before in the encounter is handed in by the caller. A correction of what the caller does not know yields nothing:
// making an event of it would tell people that something happened now which happened another time, or not at all.
//
// A discharge takes along the references of letters that came before it (mdm.h).
//
// Sources: HL7 v2.5.1 chapter 3 (3.3 trigger events, 3.4.2 PID, 3.4.3 PV1, 3.4.4 PV2), chapter 6 (6.5.2 DG1); 2.5.3 for
// empty ("no change") and null ("delete").
//
// Threads: any; a call touches its arguments only.
#ifndef CAREHUB_ADT_H
#define CAREHUB_ADT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "adt_sender.h"
#include "carehub/v1/event.pb-c.h"
#include "eventid.h"
#include "hl7v2.h"

#define ADT_EPISODE_CHARS 320u // an episode's name with its terminating zero
#define ADT_SHA256_BYTES 32u

enum adt_outcome {
    ADT_EVENT,
    ADT_NOT_AN_EVENT,       // A04 of a class other than E
    ADT_UNSUPPORTED,        // a message type or trigger event that is not in the table above
    ADT_NOTHING_TO_CORRECT, // A08, A11, A12 or A13 of an encounter of which no such event is known
    ADT_UNCHANGED,          // A08 that changes nothing in the event
    ADT_UNIDENTIFIED,       // the patient has no identifier that may be used
    ADT_NOTHING,            // taken, and nothing comes of it for another reason: adt_result.why
    ADT_NO_MEMORY,
};

struct adt_input {
    const struct hl7v2_message *message; // with MSH-9.1 and MSH-10: hl7v2_check_header
    const struct adt_sender *sender;
    uint8_t sha256[ADT_SHA256_BYTES]; // of the message as it came in
    const char *adapter_version;
    int64_t received_ms;    // since 1970: the time of a message that has none
    bool control_id_reused; // the sender used this MSH-10 and MSH-7 before, for something else: ids take sha256 in too
    // The events in force of the encounter (adt_episode), in the order in which they were made: each as last amended,
    // with the id of the original; none that was retracted.
    const Carehub__V1__Event *const *past;
    size_t past_count;
};

struct adt_result {
    enum adt_outcome outcome;
    const char *why;           // a stable short name of the outcome, or of what is behind ADT_NOTHING; static
    bool notable;              // nothing comes of it, and an operator should have a look at it
    Carehub__V1__Event *event; // with ADT_EVENT; the caller frees it: carehub__v1__event__free_unpacked
};

// The name of the encounter that a message is about, unique among the senders of an adapter: the actor and PV1-19, or,
// without one, a digest of a patient identifier and PV1-44. Empty when the message has neither: then nothing can be
// corrected later. It is the event's correlation id too.
void adt_episode(const struct hl7v2_message *message, const struct adt_sender *sender, char out[ADT_EPISODE_CHARS]);

// The trigger event of a message (MSH-9.2, or EVN-1 where MSH-9 has none), "" if there is none; cut when too long.
void adt_trigger(const struct hl7v2_message *message, char *out, size_t size);

// The event of a message.
struct adt_result adt_map(const struct adt_input *input);

// A stable short name ("nothing-to-correct").
const char *adt_outcome_name(enum adt_outcome outcome);

#endif
