/* subscription_take.c - what the hub delivers into a subscription's inbox: rendered, numbered, kept, and taken in hand.
 */
#include "subscription_feed.h"

#include <stdlib.h>
#include <string.h>

#include "fhir_write.h"
#include "log_line.h"

/* ---- In hand ---------------------------------------------------------------------------------------------------- */

static struct hand *hand_of(struct feed *self, uint64_t number)
{
    for (size_t i = 0; i < self->n_hand; i++)
        if (self->hand[i].number == number)
            return &self->hand[i];
    return NULL;
}

static void drop(struct feed *self, struct hand *hand)
{
    size_t at = (size_t)(hand - self->hand);
    memmove(hand, hand + 1, (--self->n_hand - at) * sizeof *hand);
}

/* In the order of the numbers. False when there is no room. */
static bool put(struct feed *self, const struct hand *new)
{
    struct hand *old = hand_of(self, new->number);
    if (old) {
        *old = *new;
        return true;
    }
    if (self->n_hand == HAND_MAX)
        return false;
    size_t at = self->n_hand;
    while (at > 0 && self->hand[at - 1].number > new->number)
        at--;
    memmove(&self->hand[at + 1], &self->hand[at], (self->n_hand++ - at) * sizeof *new);
    self->hand[at] = *new;
    return true;
}

void feed_taken(struct feed *self, uint64_t number)
{
    struct hand *hand = hand_of(self, number);
    if (!hand)
        return;
    if (!hand->withdrawn && self->inbox)
        hub_inbox_stored(self->inbox, hand->lane, hand->delivery);
    drop(self, hand);
}

void feed_give_back(struct feed *self, uint64_t number, const char *code)
{
    struct hand *hand = hand_of(self, number);
    if (!hand)
        return;
    if (!hand->withdrawn && self->inbox)
        hub_inbox_refuse(self->inbox, hand->lane, hand->delivery, code, false);
    drop(self, hand);
}

/* ---- Deliveries ------------------------------------------------------------------------------------------------- */

static void keep(struct feed *self, const struct hub_delivery *delivery, struct store_event *event)
{
    struct hand hand = {.lane = delivery->lane, .delivery = delivery->number, .fresh = true};
    uint64_t before = self->record.events;
    switch (self->owner->batch_lost ? STORE_FAILED : store_put_event(self->owner->store, &self->record, event)) {
    case STORE_NEW:
    case STORE_AGAIN:
        if (!self->any_fresh)
            self->events_before = before;
        self->any_fresh = true;
        hand.number = event->number;
        if (!put(self, &hand))
            hub_inbox_refuse(self->inbox, delivery->lane, delivery->number, "busy", false);
        break;
    case STORE_DELIVERED:
        hub_inbox_stored(self->inbox, delivery->lane, delivery->number);
        break;
    case STORE_FAILED:
        self->owner->batch_lost = true;
        hub_inbox_refuse(self->inbox, delivery->lane, delivery->number, "store", false);
        break;
    }
}

static void on_delivered(void *arg, struct hub_delivery *delivery)
{
    struct feed *self = arg;
    struct store_event event = {.lane = (int)delivery->lane, .delivery = delivery->number, .made_ms = wall_clock_ms()};
    struct carehub_problem problem = {.what = "the event has no id"};
    enum carehub_written written = CAREHUB_WRITTEN_ERROR;
    if (delivery->event->id.len == EVENTID_BYTES) {
        /* When somebody has verified it, it comes a second time, and is something new. */
        fhir_message_id(delivery->event, delivery->notice ? "" : delivery->verified_by, event.id);
        written = subscription_render(self->owner, self->record.key, delivery, &event, &problem);
    }
    if (written == CAREHUB_WRITTEN) {
        event.event = delivery->bytes;
        event.event_len = delivery->len;
        delivery->bytes = NULL;
        keep(self, delivery, &event);
    } else if (written == CAREHUB_WRITTEN_NOTHING) {
        self->owner->unwritten++;
        hub_inbox_stored(self->inbox, delivery->lane, delivery->number);
    } else {
        LOG_LINE(LOG_LEVEL_WARNING, "subscription %s: an event cannot be written and becomes a dead letter: %s%s%s",
                 self->record.id, problem.where, problem.where[0] ? ": " : "", problem.what);
        hub_inbox_refuse(self->inbox, delivery->lane, delivery->number, "unwritable", true);
    }
    store_event_clear(&event);
}

/* Its number is told all the same, without content: else there would be a gap, and the subscriber would search. */
static void on_skipped(void *arg, Carehub__V1__Lane lane, uint64_t from, uint64_t to)
{
    struct feed *self = arg;
    self->skipped = true;
    for (size_t i = 0; i < self->n_hand; i++)
        if (self->hand[i].lane == lane && self->hand[i].delivery >= from && self->hand[i].delivery <= to)
            self->hand[i].withdrawn = true;
    if (!self->owner->batch_lost && !store_withdraw(self->owner->store, self->record.key, (int)lane, from, to)) {
        LOG_LINE(LOG_LEVEL_ERROR, "subscription %s: %s", self->record.id, store_error(self->owner->store));
        self->owner->batch_lost = true;
    }
}

/* What is in hand comes again with the next attachment, under its number. */
static void on_detached(void *arg, bool stale, const char *text)
{
    struct feed *self = arg;
    for (size_t i = self->n_hand; i-- > 0;)
        if (!self->hand[i].withdrawn)
            drop(self, &self->hand[i]);
    if (!stale)
        return;
    LOG_LINE(LOG_LEVEL_WARNING, "inbox %s: %s", self->record.inbox, text);
    feed_lost_inbox(self);
}

const struct hub_inbox_events feed_inbox_events = {on_delivered, on_skipped, on_detached};

/* ---- The end of a batch ----------------------------------------------------------------------------------------- */

void feed_batch_ends(struct feed *self, bool kept)
{
    bool step = self->any_fresh || self->skipped;
    for (size_t i = self->n_hand; i-- > 0;) {
        if (!self->hand[i].fresh)
            continue;
        self->hand[i].fresh = false;
        if (!kept)
            feed_give_back(self, self->hand[i].number, "store");
    }
    if (self->any_fresh && !kept)
        self->record.events = self->events_before;
    self->any_fresh = self->skipped = false;
    if (step)
        feed_step(self);
}
