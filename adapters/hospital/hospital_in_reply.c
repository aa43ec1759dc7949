// How messages are answered.
#include <stdio.h>
#include <string.h>

#include "hl7v2_ack.h"
#include "hospital_in.h"

#define REPLY_ID_BYTES 20
#define CONTENT_TYPE "application/hl7-v2; charset=utf-8" // over HTTP

static struct hl7v2_ack_error ack_error(const struct carehub_message *message, const struct carehub_outcome *outcome)
{
    static const struct {
        const char *segment;
        unsigned field;
        enum hl7v2_condition condition;
    } faults[] = {
        [CAREHUB_FAULT_NONE] = {"", 0, HL7V2_CONDITION_ACCEPTED},
        [CAREHUB_FAULT_NATIVE] = {"", 0, HL7V2_CONDITION_INTERNAL}, // found by the host in what was made of it
        [CAREHUB_FAULT_IDENTITY] = {"PID", 3, HL7V2_CONDITION_UNKNOWN_KEY},
        [CAREHUB_FAULT_ORIGINAL] = {"PV1", 19, HL7V2_CONDITION_UNKNOWN_KEY},
        [CAREHUB_FAULT_DUPLICATE] = {"MSH", 10, HL7V2_CONDITION_DUPLICATE_KEY},
        [CAREHUB_FAULT_CONTENT] = {"", 0, HL7V2_CONDITION_INTERNAL},
        [CAREHUB_FAULT_NOT_ALLOWED] = {"", 0, HL7V2_CONDITION_INTERNAL},
        [CAREHUB_FAULT_UNAVAILABLE] = {"", 0, HL7V2_CONDITION_INTERNAL},
    };
    const struct hospital_message *own = message->own;
    bool native = outcome->fault == CAREHUB_FAULT_NATIVE;
    const char *text = native ? message->problem.what : outcome->text;
    if (native && own->condition != HL7V2_CONDITION_ACCEPTED)
        return (struct hl7v2_ack_error){own->location, own->condition, 'E', text, NULL};
    return (struct hl7v2_ack_error){hospital_at(faults[outcome->fault].segment, faults[outcome->fault].field),
                                    faults[outcome->fault].condition, 'E', text, NULL};
}

static enum hl7v2_outcome ack_outcome(const struct carehub_message *message, const struct carehub_outcome *outcome)
{
    if (outcome->fault == CAREHUB_FAULT_NONE)
        return HL7V2_OUTCOME_ACCEPTED;
    bool rejected = outcome->fault == CAREHUB_FAULT_NATIVE ? message->verdict == CAREHUB_MESSAGE_REJECTED
                                                           : outcome->fault == CAREHUB_FAULT_NOT_ALLOWED;
    return rejected ? HL7V2_OUTCOME_REJECTED : HL7V2_OUTCOME_ERROR;
}

// Over HTTP there is one answer: the application's, if it is wanted.
static bool is_one_too_many(const struct carehub_message *message, enum hl7v2_ack_stage stage, enum hl7v2_outcome ended)
{
    const struct hospital_message *own = message->own;
    return strcmp(message->native->transport, "http") == 0 && stage == HL7V2_ACK_STAGE_COMMIT &&
           hl7v2_ack_decide(own->message, HL7V2_ACK_STAGE_APPLICATION, ended) != HL7V2_ACK_NONE;
}

// In enhanced mode a sender may want a commit and an application reply, each its own message; both are known at once.
// After a refusal at the commit stage no other follows.
void hospital_reply(const void *self, const struct carehub_message *message, const struct carehub_outcome *outcome,
                    carehub_reply_fn *fn, void *arg)
{
    static const char *const id_suffixes[] = {[HL7V2_ACK_STAGE_COMMIT] = "C", [HL7V2_ACK_STAGE_APPLICATION] = "A"};
    const struct hospital_message *own = message->own;
    enum hl7v2_outcome ended = ack_outcome(message, outcome);
    struct hl7v2_ack_error error = {0};
    const struct hl7v2_zone *zone = own->sender != NULL ? own->sender->adt->zone : NULL;
    int32_t offset = zone != NULL ? hl7v2_zone_offset(zone, outcome->now_ms / 1000) : 0;
    (void)self;
    if (ended != HL7V2_OUTCOME_ACCEPTED)
        error = ack_error(message, outcome);
    for (int stage = HL7V2_ACK_STAGE_COMMIT; stage <= HL7V2_ACK_STAGE_APPLICATION; stage++) {
        char text[HL7V2_ACK_MAX_BYTES], id[REPLY_ID_BYTES + 2];
        enum hl7v2_ack_code code = hl7v2_ack_decide(own->message, (enum hl7v2_ack_stage)stage, ended);
        if (code == HL7V2_ACK_NONE || is_one_too_many(message, (enum hl7v2_ack_stage)stage, ended))
            continue;
        snprintf(id, sizeof id, "%llX%s", (unsigned long long)outcome->number, id_suffixes[stage]);
        const struct hl7v2_ack ack = {.message = own->message,
                                      .code = code,
                                      .control_id = id,
                                      .now_ms = outcome->now_ms,
                                      .offset_minutes = offset / 60,
                                      .errors = &error,
                                      .error_count = ended != HL7V2_OUTCOME_ACCEPTED};
        const struct carehub_reply reply = {
            .content_type = CONTENT_TYPE, .bytes = text, .len = hl7v2_ack_build(&ack, text, sizeof text)};
        if (reply.len > 0)
            fn(arg, &reply);
        if (code == HL7V2_ACK_CE || code == HL7V2_ACK_CR)
            return;
    }
}
