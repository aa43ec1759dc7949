// Which mapping a message goes to, and what the mapping's result means to its sender.
#include <string.h>

#include "hospital_in.h"
#include "mdm.h"
#include "merge.h"
#include "rx.h"

#ifndef CAREHUB_VERSION
#define CAREHUB_VERSION "0.1.0"
#endif

static void nothing(struct carehub_message *message, const char *why, bool notable)
{
    message->verdict = CAREHUB_MESSAGE_NOTHING;
    message->why = why;
    message->notable = notable;
}

static void unidentified(struct carehub_message *message)
{
    const struct hospital_message *own = message->own;
    nothing(message, adt_outcome_name(ADT_UNIDENTIFIED), true);
    if (own->sender->unidentified == UNIDENTIFIED_HOLD)
        message->verdict = CAREHUB_MESSAGE_HOLD;
    if (own->sender->unidentified == UNIDENTIFIED_REFUSE)
        hospital_fail(message, CAREHUB_MESSAGE_ERROR, HL7V2_CONDITION_UNKNOWN_KEY, hospital_at("PID", 3),
                      "the patient has no identifier that may be used: no valid national number, and none of the "
                      "hospital's own as configured");
}

// Hospitals send receivers everything they have, and many stop their feed at the first AR. So what is no event of ours
// is accepted by default; a sender that wants to hear it gets what the standard has for it (table 0357, 200 and 201).
static void unsupported(struct carehub_message *message)
{
    static const char *const known[] = {"ADT", "MDM", "RDE", "RDS", "OMP", "ORM"};
    const struct hospital_message *own = message->own;
    enum hl7v2_condition condition = HL7V2_CONDITION_MESSAGE_TYPE;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strncmp(message->kind, known[i], 3) == 0)
            condition = HL7V2_CONDITION_EVENT_CODE;
    nothing(message, adt_outcome_name(ADT_UNSUPPORTED), false);
    if (own->sender->reject_unsupported)
        hospital_fail(message, CAREHUB_MESSAGE_REJECTED, condition, hospital_at("MSH", 9),
                      "no event is made of this message type and trigger event; send ADT A01, A02, A03, A04, A08, A11, "
                      "A12, A13 or A40, RDE O11, RDS O13, OMP O09, ORM O01 with a medicine, or MDM");
}

// What a mapping came to, where it made nothing.
static void conclude(struct carehub_message *message, const struct adt_result *result)
{
    switch (result->outcome) {
    case ADT_UNIDENTIFIED:
        unidentified(message);
        break;
    case ADT_UNSUPPORTED:
        unsupported(message);
        break;
    case ADT_NO_MEMORY:
        hospital_fail(message, CAREHUB_MESSAGE_REJECTED, HL7V2_CONDITION_INTERNAL, hospital_at("", 0),
                      "the adapter is out of memory; send it again");
        break;
    default:
        nothing(message, result->why, result->notable);
        break;
    }
}

static void finish(struct carehub_message *message, struct carehub_memory *memory, const struct adt_result *result,
                   const char *episode)
{
    if (result->outcome != ADT_EVENT) {
        conclude(message, result);
        return;
    }
    memory->emit(memory, result->event, episode); // what it cannot take the host says itself
    carehub__v1__event__free_unpacked(result->event, NULL);
}

// ---- The mappings

static void recall(struct adt_input *input, struct carehub_memory *memory, const char *episode)
{
    Carehub__V1__Event *const *past = NULL;
    if (episode[0] != '\0')
        input->past_count = memory->past(memory, episode, &past);
    input->past = (const Carehub__V1__Event *const *)past;
}

static void map_adt(struct carehub_message *message, struct adt_input *input, struct carehub_memory *memory)
{
    char episode[ADT_EPISODE_CHARS];
    adt_episode(input->message, input->sender, episode);
    recall(input, memory, episode);
    struct adt_result result = adt_map(input);
    finish(message, memory, &result, episode);
}

static void map_document(struct carehub_message *message, struct adt_input *input, struct carehub_memory *memory)
{
    char episode[ADT_EPISODE_CHARS];
    adt_episode(input->message, input->sender, episode);
    recall(input, memory, episode);
    struct adt_result result = mdm_map(input);
    finish(message, memory, &result, episode);
}

static void map_medication(struct carehub_message *message, struct adt_input *input, struct carehub_memory *memory)
{
    struct adt_result result = rx_map(input, memory);
    finish(message, memory, &result, NULL);
}

static void map_merge(struct carehub_message *message, struct adt_input *input, struct carehub_memory *memory)
{
    const struct hospital_message *own = message->own;
    struct merge_facts facts = {0};
    if (own->sender->skip_merges) {
        nothing(message, "merges-skipped", false);
        return;
    }
    struct adt_result result = merge_map(input, &facts);
    for (size_t i = 0; i < facts.count && result.outcome == ADT_EVENT; i++)
        if (!memory->emit_fact(memory, facts.facts[i]))
            break;
    if (result.outcome != ADT_EVENT)
        conclude(message, &result);
    merge_facts_clear(&facts);
}

void hospital_translate(const void *self, struct carehub_message *message, struct carehub_memory *memory)
{
    static const struct {
        bool (*takes)(const struct hl7v2_message *message);
        void (*map)(struct carehub_message *message, struct adt_input *input, struct carehub_memory *memory);
    } routes[] = {{merge_takes, map_merge}, {mdm_takes, map_document}, {rx_takes, map_medication}};
    const struct hospital_message *own = message->own;
    struct adt_input input = {
        .message = own->message,
        .sender = own->sender->adt,
        .adapter_version = CAREHUB_VERSION,
        .received_ms = message->native->received_ms,
        .control_id_reused = message->key_reused,
    };
    (void)self;
    memcpy(input.sha256, own->sha256, sizeof input.sha256);
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
        if (routes[i].takes(own->message)) {
            routes[i].map(message, &input, memory);
            return;
        }
    map_adt(message, &input, memory);
}
