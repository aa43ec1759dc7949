#include "stand_in_hub.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eventid.h"

struct stand_in stand_in;

struct carehub_subscription {
    struct carehub_subscribe_options options;
    char inbox[80];
};

static struct carehub_subscription *subscriptions[STAND_IN_NAMES];

// ---- What the test does

void stand_in_clear(void)
{
    for (size_t i = 0; i < stand_in.n_deliveries; i++)
        free(stand_in.deliveries[i].bytes);
    memset(&stand_in, 0, sizeof stand_in);
}

static struct carehub_subscription *attached(const char *inbox)
{
    for (size_t i = 0; i < STAND_IN_NAMES; i++)
        if (subscriptions[i] && strcmp(subscriptions[i]->inbox, inbox) == 0)
            return subscriptions[i];
    return NULL;
}

bool stand_in_attached(const char *inbox)
{
    return attached(inbox) != NULL;
}

static void deliver(struct stand_in_delivery *d)
{
    struct carehub_subscription *s = attached(d->inbox);
    if (!s)
        return;
    Carehub__V1__Event *event = carehub__v1__event__unpack(NULL, d->len, d->bytes);
    const struct carehub_delivery delivery = {
        .lane = CAREHUB__V1__LANE__LANE_ORDINARY,
        .number = d->number,
        .attempt = ++d->attempts,
        .notice = d->notice,
        .verified_by = d->verified ? "dr-janssens" : "",
        .received_ms = 1772400000000,
        .event = event,
        .bytes = d->bytes,
        .size = d->len,
    };
    s->options.on_delivery(s->options.arg, s, &delivery);
    carehub__v1__event__free_unpacked(event, NULL);
}

uint64_t stand_in_put(const char *inbox, Carehub__V1__EventType type, const uint8_t id[CAREHUB_ID_BYTES])
{
    struct stand_in_delivery *d = &stand_in.deliveries[stand_in.n_deliveries++];
    Carehub__V1__Event event = CAREHUB__V1__EVENT__INIT;
    uint64_t number = 1;
    for (size_t i = 0; i + 1 < stand_in.n_deliveries; i++)
        number += strcmp(stand_in.deliveries[i].inbox, inbox) == 0;
    event.type = type;
    event.id = (ProtobufCBinaryData){CAREHUB_ID_BYTES, (uint8_t *)id};
    *d = (struct stand_in_delivery){
        .number = number, .verified = stand_in.verified, .len = carehub__v1__event__get_packed_size(&event)};
    snprintf(d->inbox, sizeof d->inbox, "%s", inbox);
    d->bytes = malloc(d->len);
    carehub__v1__event__pack(&event, d->bytes);
    deliver(d);
    return number;
}

void stand_in_again(const char *inbox)
{
    for (size_t i = 0; i < stand_in.n_deliveries; i++) {
        struct stand_in_delivery *d = &stand_in.deliveries[i];
        if (strcmp(d->inbox, inbox) != 0 || (d->is != STAND_IN_WAITS && d->is != STAND_IN_NACKED))
            continue;
        d->is = STAND_IN_WAITS;
        deliver(d);
    }
}

void stand_in_skip(const char *inbox, uint64_t from, uint64_t to)
{
    struct carehub_subscription *s = attached(inbox);
    for (size_t i = 0; i < stand_in.n_deliveries; i++) {
        struct stand_in_delivery *d = &stand_in.deliveries[i];
        if (strcmp(d->inbox, inbox) == 0 && d->number >= from && d->number <= to)
            d->is = STAND_IN_SKIPPED;
    }
    if (s)
        s->options.on_skip(s->options.arg, s, CAREHUB__V1__LANE__LANE_ORDINARY, from, to);
}

void stand_in_reattach(const char *inbox)
{
    struct carehub_subscription *s = attached(inbox);
    s->options.on_attached(s->options.arg, s, CAREHUB_CONNECT, "the connection was lost");
    s->options.on_attached(s->options.arg, s, CAREHUB_OK, NULL);
    stand_in_again(inbox);
}

size_t stand_in_count(const char *inbox, int is)
{
    size_t count = 0;
    for (size_t i = 0; i < stand_in.n_deliveries; i++)
        count += strcmp(stand_in.deliveries[i].inbox, inbox) == 0 && (int)stand_in.deliveries[i].is == is;
    return count;
}

const char *stand_in_last_inbox(void)
{
    static char name[80];
    name[0] = '\0';
    for (size_t i = 0; i < stand_in.n_facts; i++)
        sscanf(stand_in.facts[i], "set %79s", name);
    return name;
}

// ---- What libcarehub is taken for

const char *carehub_error(void)
{
    return "the stand-in says no";
}

const char *carehub_strerror(int result)
{
    return result == CAREHUB_OK ? "ok" : "not ok";
}

void carehub_new_id(uint8_t id[CAREHUB_ID_BYTES])
{
    eventid_new(id);
}

static void note_fact(const Carehub__V1__Fact *fact)
{
    char *line = stand_in.facts[stand_in.n_facts++];
    if (fact->fact_case == CAREHUB__V1__FACT__FACT_INBOX_CLOSED) {
        snprintf(line, sizeof stand_in.facts[0], "close %s", fact->inbox_closed->name);
        return;
    }
    const Carehub__V1__InboxSet *set = fact->inbox_set;
    int used = snprintf(line, sizeof stand_in.facts[0], "set %s %s", set->name, set->actor);
    for (size_t i = 0; i < set->n_types; i++)
        used += snprintf(line + used, sizeof stand_in.facts[0] - (size_t)used, " %s", set->types[i]);
}

int carehub_publish_group(carehub_client *client, const Carehub__V1__Item *const *items, size_t n,
                          carehub_confirm_fn *fn, void *arg)
{
    Carehub__V1__Confirmation confirmation = CAREHUB__V1__CONFIRMATION__INIT;
    Carehub__V1__Error error = CAREHUB__V1__ERROR__INIT;
    (void)client;
    if (n != 1 || items[0]->fact->id.len != CAREHUB_ID_BYTES || stand_in.n_facts == STAND_IN_NAMES)
        return CAREHUB_INVALID_ARGUMENT;
    note_fact(items[0]->fact);
    if (stand_in.refuse_facts != 0) {
        error.code = (Carehub__V1__ErrorCode)stand_in.refuse_facts;
        error.text = (char *)"refused by the stand-in";
        confirmation.error = &error;
    }
    fn(arg, stand_in.refuse_facts != 0 ? CAREHUB_REFUSED : CAREHUB_OK, &confirmation);
    return CAREHUB_OK;
}

int carehub_subscribe(carehub_client *client, const struct carehub_subscribe_options *options,
                      carehub_subscription **subscription)
{
    (void)client;
    for (size_t i = 0; i < STAND_IN_NAMES; i++) {
        if (subscriptions[i])
            continue;
        struct carehub_subscription *s = subscriptions[i] = *subscription = calloc(1, sizeof *s);
        s->options = *options;
        snprintf(s->inbox, sizeof s->inbox, "%s", options->inbox);
        // Not from within: the library calls back in its own thread, later. Here the test says when: stand_in_again.
        return CAREHUB_OK;
    }
    return CAREHUB_OUT_OF_MEMORY;
}

void carehub_unsubscribe(carehub_subscription **subscription)
{
    for (size_t i = 0; i < STAND_IN_NAMES; i++)
        if (subscriptions[i] == *subscription)
            subscriptions[i] = NULL;
    free(*subscription);
    *subscription = NULL;
}

static struct stand_in_delivery *find(const carehub_subscription *s, uint64_t number)
{
    for (size_t i = 0; i < stand_in.n_deliveries; i++)
        if (strcmp(stand_in.deliveries[i].inbox, s->inbox) == 0 && stand_in.deliveries[i].number == number)
            return &stand_in.deliveries[i];
    return NULL;
}

int carehub_ack(carehub_subscription *s, Carehub__V1__Lane lane, uint64_t number, Carehub__V1__AckKind kind)
{
    struct stand_in_delivery *d = find(s, number);
    if (!d || lane != CAREHUB__V1__LANE__LANE_ORDINARY || kind != CAREHUB__V1__ACK_KIND__STORED)
        return CAREHUB_INVALID_ARGUMENT;
    d->is = STAND_IN_ACKED;
    return CAREHUB_OK;
}

int carehub_nack(carehub_subscription *s, Carehub__V1__Lane lane, uint64_t number, const char *code, bool final)
{
    struct stand_in_delivery *d = find(s, number);
    if (!d || lane != CAREHUB__V1__LANE__LANE_ORDINARY)
        return CAREHUB_INVALID_ARGUMENT;
    d->is = final ? STAND_IN_DEAD : STAND_IN_NACKED;
    snprintf(d->code, sizeof d->code, "%s", code);
    return CAREHUB_OK;
}
