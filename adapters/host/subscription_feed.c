/* subscription_feed.c - the life of one subscription: its inbox is set at the hub, the receiver answers a handshake,
 * and then what comes into the inbox is numbered, kept, and sent, one notification at a time.
 *
 *     REQUESTED ── inbox there, handshake answered ──▶ ACTIVE ◀── a notification taken ── ERROR
 *         │                                              │ nothing taken for patience-ms    ▲
 *         └── handshake not answered ──▶ ERROR           └────────────────────────────────┘
 *     any ── off, its end, deletion ──▶ OFF, the inbox is closed
 *
 * A failing notification is tried again here, after 1, 2, 4 … s, and blocks those behind it, so that the order is kept.
 * After patience-ms it goes back to the hub, which sends it again for days; and if nothing at all gets through, so does
 * everything else that is in hand. From then on each attempt is one, until one succeeds. */
#include "subscription_feed.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log_line.h"

enum {
    FACT_AGAIN_MS = 30 * 1000,       /* the hub was not reached, or busy */
    FACT_REFUSED_MS = 5 * 60 * 1000, /* it refused the inbox: somebody may change its rights */
    INBOX_RETAKE_MS = 5 * 60 * 1000, /* another client has taken it */
    SLEEP_MAX_MS = 60 * 60 * 1000,
};

static void save(struct feed *self)
{
    if (!store_update(self->owner->store, &self->record))
        LOG_LINE(LOG_LEVEL_ERROR, "subscription %s: %s", self->record.id, store_error(self->owner->store));
}

void feed_set_status(struct feed *self, enum subscription_status status, const char *error)
{
    bool same = self->record.status == status && strncmp(self->record.error, error, sizeof self->record.error - 1) == 0;
    if (same)
        return;
    if (self->record.status != status)
        LOG_LINE(status == SUBSCRIPTION_ERROR ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, "subscription %s is %s%s%s",
                 self->record.id, subscription_status_name(status), error[0] ? ": " : "", error);
    self->record.status = status;
    snprintf(self->record.error, sizeof self->record.error, "%s", error);
    save(self);
}

/* ---- The inbox at the hub --------------------------------------------------------------------------------------- */

static void on_inbox_set(void *arg, enum hub_fact_result result, const char *text)
{
    struct feed *self = arg;
    char error[SUBSCRIPTION_ERROR_BYTES];
    if (result == HUB_FACT_TAKEN) {
        self->record.inbox_is = STORE_INBOX_THERE;
        save(self);
    } else if (result == HUB_FACT_AGAIN) {
        self->fact_at = uv_now(self->owner->loop) + FACT_AGAIN_MS;
    } else {
        self->fact_at = uv_now(self->owner->loop) + FACT_REFUSED_MS;
        snprintf(error, sizeof error, "the hub does not open an inbox for it: %s", text);
        feed_set_status(self, SUBSCRIPTION_ERROR, error);
    }
    feed_step(self);
}

static void on_inbox_closed(void *arg, enum hub_fact_result result, const char *text)
{
    struct feed *self = arg;
    if (result == HUB_FACT_TAKEN || result == HUB_FACT_UNKNOWN) {
        self->record.inbox_is = STORE_INBOX_GONE;
        save(self);
    } else {
        self->fact_at = uv_now(self->owner->loop) + (result == HUB_FACT_AGAIN ? FACT_AGAIN_MS : FACT_REFUSED_MS);
        LOG_LINE(LOG_LEVEL_WARNING, "inbox %s is not closed yet: %s", self->record.inbox, text);
    }
    feed_step(self);
}

static void ask_hub(struct feed *self, bool set)
{
    const struct store_record *record = &self->record;
    if (self->fact.ask || uv_now(self->owner->loop) < self->fact_at)
        return;
    self->fact.done = set ? on_inbox_set : on_inbox_closed;
    self->fact.arg = self;
    bool sent =
        set ? hub_set_inbox(self->owner->link, &self->fact, record->inbox, record->actor, record->resource->types)
            : hub_close_inbox(self->owner->link, &self->fact, record->inbox);
    if (!sent)
        self->fact_at = uv_now(self->owner->loop) + FACT_AGAIN_MS;
}

static void attach(struct feed *self)
{
    if (self->inbox || uv_now(self->owner->loop) < self->attach_at)
        return;
    self->inbox = hub_inbox_open(self->owner->link, self->record.inbox, &feed_inbox_events, self);
    if (!self->inbox) {
        LOG_LINE(LOG_LEVEL_WARNING, "cannot subscribe to inbox %s: %s", self->record.inbox, carehub_error());
        self->attach_at = uv_now(self->owner->loop) + FACT_AGAIN_MS;
    }
}

void feed_lost_inbox(struct feed *self)
{
    self->attach_at = uv_now(self->owner->loop) + INBOX_RETAKE_MS;
    hub_inbox_close(&self->inbox);
}

/* ---- What comes next -------------------------------------------------------------------------------------------- */

static bool heartbeat_due(const struct feed *self)
{
    return self->record.resource->heartbeat_s > 0 && uv_now(self->owner->loop) >= self->heartbeat_at;
}

static bool has_ended(const struct feed *self)
{
    return self->record.resource->has_end && self->record.resource->end_ms <= wall_clock_ms();
}

static void earlier(uint64_t *at, uint64_t other)
{
    if (other < *at)
        *at = other;
}

static void on_timer(uv_timer_t *timer)
{
    feed_step(timer->data);
}

/* Sleeps until something is due. What is asked or posted wakes it by its answer. */
static void sleep_until_due(struct feed *self)
{
    uint64_t now = uv_now(self->owner->loop), at = now + SLEEP_MAX_MS;
    const struct subscription_resource *resource = self->record.resource;
    if (self->fact_at > now)
        earlier(&at, self->fact_at);
    if (self->attach_at > now)
        earlier(&at, self->attach_at);
    if (self->retry_at > now)
        earlier(&at, self->retry_at);
    if (resource->heartbeat_s > 0 && self->heartbeat_at > now)
        earlier(&at, self->heartbeat_at);
    if (resource->has_end && self->record.status != SUBSCRIPTION_OFF) {
        int64_t left = resource->end_ms - wall_clock_ms();
        earlier(&at, now + (left > 0 ? (uint64_t)left + 1 : 1));
    }
    uv_timer_start(&self->timer, on_timer, at - now, 0);
}

static void next_post(struct feed *self)
{
    /* What is not on disk yet is not sent: the end of the batch comes here again. */
    if (self->posting != POST_NOTHING || self->any_fresh || uv_now(self->owner->loop) < self->retry_at)
        return;
    if (!self->record.shaken)
        feed_post(self, POST_HANDSHAKE);
    else if (self->n_hand > 0)
        feed_post(self, POST_EVENTS);
    else if (heartbeat_due(self))
        feed_post(self, POST_HEARTBEAT);
}

void feed_step(struct feed *self)
{
    if (self->record.status != SUBSCRIPTION_OFF && has_ended(self)) {
        feed_end(self, false);
        return;
    }
    if (self->record.deleted && self->record.inbox_is == STORE_INBOX_GONE) {
        if (store_remove(self->owner->store, self->record.key)) {
            feed_close(self);
            return;
        }
        LOG_LINE(LOG_LEVEL_ERROR, "subscription %s: %s", self->record.id, store_error(self->owner->store));
    }
    switch (self->record.inbox_is) {
    case STORE_INBOX_WANTED:
        ask_hub(self, true);
        break;
    case STORE_INBOX_THERE:
        if (self->record.shaken)
            attach(self);
        next_post(self);
        break;
    case STORE_INBOX_CLOSING:
        ask_hub(self, false);
        break;
    case STORE_INBOX_GONE:
        break;
    }
    sleep_until_due(self);
}

/* ---- Changes ---------------------------------------------------------------------------------------------------- */

bool feed_change(struct feed *self, struct subscription_resource *resource)
{
    struct store_record before = self->record;
    self->record.resource = resource;
    self->record.status = SUBSCRIPTION_REQUESTED;
    self->record.shaken = false;
    self->record.error[0] = '\0';
    self->record.version++;
    self->record.updated_ms = wall_clock_ms();
    if (resource->types != before.resource->types)
        self->record.inbox_is = STORE_INBOX_WANTED;
    if (!store_update(self->owner->store, &self->record)) {
        self->record = before;
        return false;
    }
    subscription_destroy(&before.resource);
    feed_stop_posting(self);
    self->fact_at = 0;
    /* An answer that comes to what was asked before would say nothing about the types of now. */
    if (self->record.inbox_is == STORE_INBOX_WANTED)
        hub_fact_leave(self->owner->link, &self->fact);
    feed_step(self);
    return true;
}

bool feed_end(struct feed *self, bool deleted)
{
    struct store_record before = self->record;
    self->record.status = SUBSCRIPTION_OFF;
    self->record.deleted = self->record.deleted || deleted;
    self->record.version++;
    self->record.updated_ms = wall_clock_ms();
    if (self->record.inbox_is != STORE_INBOX_GONE)
        self->record.inbox_is = STORE_INBOX_CLOSING;
    if (!store_update(self->owner->store, &self->record)) {
        self->record = before;
        return false;
    }
    LOG_LINE(LOG_LEVEL_INFO, "subscription %s has ended", self->record.id);
    feed_stop_posting(self);
    hub_fact_leave(self->owner->link, &self->fact);
    hub_inbox_close(&self->inbox);
    self->n_hand = 0;
    self->fact_at = 0;
    feed_step(self);
    return true;
}

/* ---- Beginning and end ------------------------------------------------------------------------------------------ */

struct feed *feed_new(struct subscriptions *owner, struct store_record *record)
{
    struct feed *self = calloc(1, sizeof *self), **end = &owner->feeds;
    if (!self || uv_timer_init(owner->loop, &self->timer) != 0) {
        free(self);
        return NULL;
    }
    self->owner = owner;
    self->record = *record;
    self->timer.data = self;
    self->heartbeat_at = uv_now(owner->loop) + (uint64_t)record->resource->heartbeat_s * 1000;
    while (*end)
        end = &(*end)->next;
    *end = self;
    owner->n_feeds++;
    return self;
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void feed_close(struct feed *self)
{
    struct feed **at = &self->owner->feeds;
    while (*at != self)
        at = &(*at)->next;
    *at = self->next;
    self->owner->n_feeds--;
    feed_stop_posting(self);
    hub_fact_leave(self->owner->link, &self->fact);
    hub_inbox_close(&self->inbox);
    subscription_destroy(&self->record.resource);
    uv_close((uv_handle_t *)&self->timer, on_timer_closed);
}

const struct store_record *feed_record(const struct feed *self)
{
    return &self->record;
}

struct feed *feed_next(const struct feed *self)
{
    return self->next;
}

void feed_about(const struct feed *self, struct notice_about *about)
{
    *about = (struct notice_about){
        .base = self->owner->base,
        .id = self->record.id,
        .topic = self->record.resource->topic,
        .status = self->record.status,
        .error = self->record.error,
        .events = self->record.events,
    };
}
