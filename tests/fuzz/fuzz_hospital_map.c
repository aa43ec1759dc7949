// Bytes as a message, through every mapping of the hospital. The first byte chooses what was there before: letters,
// discharges and orders of earlier inputs make up the past, as the host would hand it in.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <carehub_adapter.h>

#include "adt.h"
#include "mdm.h"
#include "merge.h"
#include "rx.h"

#define PAST_MAX 4
#define STATES_MAX 8
#define EVENT_MAX_BYTES (4u << 20) // the hub's own limit is lower, and the host's to keep

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static Carehub__V1__Event *past[PAST_MAX];
static size_t past_next;
static struct {
    void *bytes;
    size_t len;
} states[STATES_MAX];

// Few places for all names, so that orders find others' states too: of other patients, or half overwritten.
static size_t place_of(const char *name)
{
    size_t sum = 0;
    while (*name != '\0')
        sum = 31 * sum + (unsigned char)*name++;
    return sum % STATES_MAX;
}

static const void *load(struct carehub_memory *memory, const char *name, size_t *len)
{
    (void)memory;
    *len = states[place_of(name)].len;
    return states[place_of(name)].bytes;
}

static bool store(struct carehub_memory *memory, const char *name, const void *bytes, size_t len)
{
    size_t i = place_of(name);
    (void)memory;
    free(states[i].bytes);
    states[i].bytes = malloc(len + 1);
    states[i].len = len;
    memcpy(states[i].bytes, bytes, len);
    return true;
}

static void check(struct adt_result *result)
{
    assert(result->why != NULL && (result->outcome == ADT_EVENT) == (result->event != NULL));
    if (result->event == NULL)
        return;
    Carehub__V1__Event *event = result->event;
    size_t len = carehub__v1__event__get_packed_size(event);
    assert(len < EVENT_MAX_BYTES && event->id.len == 16 && event->occurred_at != NULL);
    assert(event->patient != NULL && event->patient->n_identifiers > 0);
    assert((int)event->body_case == 1000 + (int)event->type);
    uint8_t *bytes = malloc(len);
    carehub__v1__event__pack(event, bytes);
    carehub__v1__event__free_unpacked(event, NULL);
    if (past[past_next] != NULL)
        carehub__v1__event__free_unpacked(past[past_next], NULL);
    past[past_next] = carehub__v1__event__unpack(NULL, len, bytes);
    assert(past[past_next] != NULL);
    past_next = (past_next + 1) % PAST_MAX;
    free(bytes);
}

static struct adt_sender *make_sender(void)
{
    struct adt_sender *sender = adt_sender_new("fuzz");
    sender->rules[0].system = strdup("urn:fuzz:patient");
    sender->rule_count = 1;
    sender->zone = hl7v2_zone_load("Europe/Brussels");
    return sender;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct adt_sender *sender;
    struct carehub_memory memory = {.load = load, .store = store};
    const Carehub__V1__Event *known[PAST_MAX];
    struct adt_input input = {.adapter_version = "fuzz", .received_ms = 1772400000000, .past = known};
    struct merge_facts facts;
    if (sender == NULL)
        sender = make_sender();
    if (size == 0)
        return 0;
    input.sender = sender;
    input.control_id_reused = (data[0] & 1) != 0;
    sender->skip_inpatient_orders = (data[0] & 2) != 0;
    hl7v2_batch_check(data + 1, size - 1, NULL);
    struct hl7v2_message *message = hl7v2_parse(data + 1, size - 1, NULL, NULL);
    if (message == NULL || !hl7v2_check_header(message, &(struct hl7v2_error){0})) {
        hl7v2_message_destroy(&message);
        return 0;
    }
    input.message = message;
    for (size_t i = 0; i < PAST_MAX; i++)
        if (past[i] != NULL && (data[0] & (4u << i)) != 0)
            known[input.past_count++] = past[i];
    struct adt_result results[] = {adt_map(&input), mdm_map(&input), rx_map(&input, &memory),
                                   merge_map(&input, &facts)};
    assert((results[3].outcome == ADT_EVENT) == (facts.count > 0));
    for (size_t i = 0; i < 3; i++)
        check(&results[i]);
    merge_facts_clear(&facts);
    hl7v2_message_destroy(&message);
    return 0;
}
