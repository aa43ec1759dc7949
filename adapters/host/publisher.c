#include "publisher.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "publisher_internal.h"

/* ---- Tickets ---------------------------------------------------------------------------------------------------- */

static struct ticket **bucket(struct publisher *self, const uint8_t id[EVENTID_BYTES])
{
    return &self->buckets[(id[14] << 8 | id[15]) % PUBLISHER_BUCKETS];
}

struct ticket *ticket_find(struct publisher *self, const uint8_t id[EVENTID_BYTES])
{
    struct ticket *t = *bucket(self, id);
    while (t && memcmp(t->parts[0].id, id, EVENTID_BYTES) != 0)
        t = t->next;
    return t;
}

static void free_bytes(struct ticket *t)
{
    for (size_t i = 0; i < t->n_parts; i++) {
        free(t->parts[i].bytes);
        t->parts[i].bytes = NULL;
    }
}

void ticket_drop(struct ticket *t)
{
    struct ticket **at = bucket(t->publisher, t->parts[0].id);
    while (*at && *at != t)
        at = &(*at)->next;
    if (*at)
        *at = t->next;
    free_bytes(t);
    free(t);
}

/* NULL without memory. */
static struct ticket *ticket_new(struct publisher *self, struct item *const *items, size_t n, bool group)
{
    struct ticket *t = calloc(1, sizeof *t + n * sizeof t->parts[0]);
    bool ok = t != NULL;
    if (ok)
        t->n_parts = n;
    for (size_t i = 0; ok && i < n; i++) {
        struct part *part = &t->parts[i];
        memcpy(part->id, items[i]->id, EVENTID_BYTES);
        part->is_fact = items[i]->is_fact;
        part->len = items[i]->len;
        part->bytes = malloc(part->len + 1);
        ok = part->bytes != NULL;
        if (ok)
            memcpy(part->bytes, items[i]->bytes, part->len);
    }
    if (!ok) {
        if (t)
            free_bytes(t);
        free(t);
        return NULL;
    }
    t->publisher = self;
    t->group = group;
    t->next = *bucket(self, t->parts[0].id);
    *bucket(self, t->parts[0].id) = t;
    return t;
}

void ticket_tell(struct ticket *t, bool only_for_spool, enum carehub_fault fault, const char *text)
{
    struct publisher_wait *left = NULL;
    for (struct publisher_wait *wait = t->waits, *next; wait; wait = next) {
        next = wait->next;
        if (only_for_spool && !wait->for_spool) {
            wait->next = left;
            left = wait;
            continue;
        }
        wait->ticket = NULL;
        t->waits = next;
        wait->done(wait, fault, text);
    }
    t->waits = left;
}

void ticket_refused(struct ticket *t, const char *code, const char *text)
{
    for (size_t i = 0; i < t->n_parts; i++)
        t->publisher->refused(t->publisher->arg, t->parts[i].id, code, text);
}

/* ---- Handing over (a worker, or the loop) ----------------------------------------------------------------------- */

static int hand_over_group(struct ticket *t)
{
    Carehub__V1__Item items[CAREHUB_ITEMS_MAX];
    const Carehub__V1__Item *list[CAREHUB_ITEMS_MAX];
    int result = CAREHUB_OK;
    for (size_t i = 0; i < t->n_parts; i++) {
        const struct part *part = &t->parts[i];
        carehub__v1__item__init(&items[i]);
        list[i] = &items[i];
        if (part->is_fact) {
            items[i].item_case = CAREHUB__V1__ITEM__ITEM_FACT;
            items[i].fact = carehub__v1__fact__unpack(NULL, part->len, part->bytes);
            result = items[i].fact ? result : CAREHUB_OUT_OF_MEMORY;
        } else {
            items[i].item_case = CAREHUB__V1__ITEM__ITEM_EVENT;
            items[i].event = (ProtobufCBinaryData){part->len, part->bytes};
        }
    }
    if (result == CAREHUB_OK)
        result = carehub_publish_group(t->publisher->client, list, t->n_parts, publisher_on_confirm, t);
    for (size_t i = 0; i < t->n_parts; i++)
        if (t->parts[i].is_fact && items[i].fact)
            carehub__v1__fact__free_unpacked(items[i].fact, NULL);
    return result;
}

static void hand_over(struct ticket *t)
{
    struct publisher *self = t->publisher;
    const struct part *event = &t->parts[0];
    if (t->group)
        t->result = hand_over_group(t);
    else
        t->result = carehub_publish_bytes(self->client, event->bytes, event->len,
                                          self->spool ? NULL : publisher_on_confirm, self->spool ? NULL : t);
    if (t->result != CAREHUB_OK)
        snprintf(t->text, sizeof t->text, "%s: %s", carehub_strerror(t->result), carehub_error());
    free_bytes(t);
}

/* ---- Publishing (the loop) -------------------------------------------------------------------------------------- */

/* Handed over, or not taken. */
static void handed_over(struct ticket *t)
{
    bool lasting = t->result == CAREHUB_INVALID_ARGUMENT;
    bool spooled = t->publisher->spool && !t->group;
    t->in_lane = false;
    if (lasting)
        ticket_refused(t, "INVALID", t->text);
    if (t->result != CAREHUB_OK)
        ticket_tell(t, false, lasting ? CAREHUB_FAULT_CONTENT : CAREHUB_FAULT_UNAVAILABLE, t->text);
    else if (spooled)
        ticket_tell(t, true, CAREHUB_FAULT_NONE, "");
    /* Who only wanted it in the spool is content; the hub's word, should it refuse, comes by the event's id. */
    if (t->result != CAREHUB_OK || t->settled || (spooled && !t->waits))
        ticket_drop(t);
}

static void lane_work(uv_work_t *work)
{
    struct lane *lane = (struct lane *)work;
    for (struct ticket *t = lane->working; t; t = t->next_lane)
        hand_over(t);
}

static void lane_start(struct lane *lane);

static void lane_done(uv_work_t *work, int status)
{
    struct lane *lane = (struct lane *)work;
    struct ticket *t = lane->working;
    (void)status;
    lane->working = NULL;
    lane->busy = false;
    for (struct ticket *next; t; t = next) {
        next = t->next_lane;
        handed_over(t);
    }
    lane_start(lane);
}

static void lane_start(struct lane *lane)
{
    if (lane->busy || !lane->waiting)
        return;
    lane->working = lane->waiting;
    lane->waiting = NULL;
    lane->end = &lane->waiting;
    lane->busy = uv_queue_work(lane->publisher->async.loop, &lane->work, lane_work, lane_done) == 0;
}

static void publish(struct publisher *self, struct item *const *items, size_t n, bool group, uint64_t lane_number,
                    struct publisher_wait *wait)
{
    struct ticket *t = ticket_find(self, items[0]->id);
    bool is_new = !t;
    if (is_new)
        t = ticket_new(self, items, n, group);
    if (!t) {
        wait->done(wait, CAREHUB_FAULT_UNAVAILABLE, "the adapter is out of memory; send it again");
        return;
    }
    if (!is_new && wait->for_spool && self->spool && !t->group && !t->in_lane) {
        wait->done(wait, CAREHUB_FAULT_NONE, ""); /* it is in the spool since */
        return;
    }
    wait->ticket = t;
    wait->next = t->waits;
    t->waits = wait;
    if (!is_new)
        return;
    if (!self->spool) {
        hand_over(t);
        handed_over(t);
        return;
    }
    struct lane *lane = &self->lanes[lane_number % PUBLISHER_LANES];
    t->in_lane = true;
    *lane->end = t;
    lane->end = &t->next_lane;
    lane_start(lane);
}

void publisher_publish(struct publisher *self, const struct item *event, uint64_t lane, struct publisher_wait *wait)
{
    struct item *const one[] = {(struct item *)event};
    publish(self, one, 1, false, lane, wait);
}

void publisher_publish_group(struct publisher *self, const struct items *items, uint64_t lane,
                             struct publisher_wait *wait)
{
    publish(self, items->list, items->count, true, lane, wait);
}

void publisher_leave(struct publisher_wait *wait)
{
    if (!wait->ticket)
        return;
    struct publisher_wait **at = &wait->ticket->waits;
    while (*at != wait)
        at = &(*at)->next;
    *at = wait->next;
    wait->ticket = NULL;
}

/* ---- Opening and closing ---------------------------------------------------------------------------------------- */

carehub_client *publisher_client(struct publisher *self)
{
    return self->client;
}

bool publisher_has_spool(const struct publisher *self)
{
    return self->spool;
}

bool publisher_connected(const struct publisher *self)
{
    return atomic_load(&self->state) == CAREHUB_CONNECTED;
}

static void on_async_closed(uv_handle_t *handle)
{
    struct publisher *self = (struct publisher *)handle;
    pthread_mutex_destroy(&self->lock);
    free(self);
}

struct publisher *publisher_new(uv_loop_t *loop, const struct carehub_options *given, publisher_refused_fn *refused,
                                void *arg)
{
    struct publisher *self = calloc(1, sizeof *self);
    struct carehub_options options = *given;
    if (!self || uv_async_init(loop, &self->async, publisher_on_async) != 0) {
        free(self);
        return NULL;
    }
    self->spool = options.spool_dir != NULL;
    self->refused = refused;
    self->arg = arg;
    self->news_end = &self->news;
    pthread_mutex_init(&self->lock, NULL);
    for (int i = 0; i < PUBLISHER_LANES; i++) {
        self->lanes[i].publisher = self;
        self->lanes[i].end = &self->lanes[i].waiting;
    }
    options.on_state = publisher_on_state;
    options.on_warning = publisher_on_warning;
    options.arg = self;
    if (carehub_open(&self->client, &options) != CAREHUB_OK) {
        uv_close((uv_handle_t *)&self->async, on_async_closed);
        return NULL;
    }
    if (self->spool)
        carehub_spool_on_settled(self->client, publisher_on_settled, self);
    return self;
}

static bool any_busy(const struct publisher *self)
{
    for (int i = 0; i < PUBLISHER_LANES; i++)
        if (self->lanes[i].busy)
            return true;
    return false;
}

void publisher_close(struct publisher **closing)
{
    struct publisher *self = *closing;
    *closing = NULL;
    if (!self)
        return;
    while (any_busy(self)) /* workers use the client; they wait for the disk only */
        uv_run(self->async.loop, UV_RUN_ONCE);
    carehub_close(&self->client);
    publisher_on_async(&self->async);
    for (size_t i = 0; i < PUBLISHER_BUCKETS; i++)
        while (self->buckets[i]) {
            ticket_tell(self->buckets[i], false, CAREHUB_FAULT_UNAVAILABLE,
                        "the adapter is being stopped; send it again");
            ticket_drop(self->buckets[i]);
        }
    uv_close((uv_handle_t *)&self->async, on_async_closed);
}
