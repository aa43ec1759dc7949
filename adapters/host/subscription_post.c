/* subscription_post.c - notifications on their way to the receiver. */
#include "subscription_feed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json_object.h>
#include <json-c/json_tokener.h>

#include "eventid.h"
#include "log_line.h"

enum {
    RETRY_LONGEST_MS = 60 * 1000,
    SHAKE_LONGEST_MS = 15 * 60 * 1000,
    BATCH_MAX_BYTES = 4 << 20, /* of documents in one notification, beyond the first */
};

static void on_posted(void *arg, const struct http_response *answer);

/* ---- The Bundle ------------------------------------------------------------------------------------------------- */

void feed_show(const struct store_event *event, enum subscription_content content, char focus[STORE_TYPE_BYTES + 40],
               struct notice_event *out)
{
    char id[EVENTID_TEXT_CHARS];
    focus[0] = '\0';
    eventid_format(event->id, id);
    if (event->document)
        snprintf(focus, STORE_TYPE_BYTES + 40, "%s/%s", event->type, id);
    *out = (struct notice_event){.number = event->number, .at_ms = event->made_ms, .focus = focus};
    if (event->document && content == CONTENT_FULL_RESOURCE)
        out->resource = json_tokener_parse(event->document);
}

/* Takes as many from the hand as one notification may have; after a failure only one, for others may be innocent. */
static struct json_object *bundle_of_hand(struct feed *self, const struct notice_about *about)
{
    struct notice_event shown[SUBSCRIPTION_COUNT_MAX];
    char focus[SUBSCRIPTION_COUNT_MAX][STORE_TYPE_BYTES + 40];
    enum subscription_content content = self->record.resource->content;
    size_t max = self->failed > 0 || self->record.resource->max_count == 0 ? 1 : self->record.resource->max_count,
           bytes = 0;
    self->n_batch = 0;
    for (size_t i = 0; i < self->n_hand && self->n_batch < max && bytes < BATCH_MAX_BYTES; i++) {
        struct store_event event;
        uint64_t number = self->hand[i].number;
        if (!store_event_from(self->owner->store, self->record.key, number, &event))
            break;
        bytes += event.document_len;
        if (event.number == number) {
            feed_show(&event, content, focus[self->n_batch], &shown[self->n_batch]);
            self->batch[self->n_batch++] = number;
        }
        store_event_clear(&event);
    }
    struct json_object *bundle =
        self->n_batch > 0 ? notice_bundle(about, NOTICE_EVENT, content, shown, self->n_batch, wall_clock_ms()) : NULL;
    for (size_t i = 0; i < self->n_batch; i++)
        json_object_put(shown[i].resource);
    return bundle;
}

static struct json_object *bundle_of(struct feed *self, enum feed_posting what)
{
    struct notice_about about;
    feed_about(self, &about);
    if (what == POST_EVENTS) {
        /* As it will be when this arrives. */
        if (about.status == SUBSCRIPTION_REQUESTED)
            about.status = SUBSCRIPTION_ACTIVE;
        return bundle_of_hand(self, &about);
    }
    return notice_bundle(&about, what == POST_HANDSHAKE ? NOTICE_HANDSHAKE : NOTICE_HEARTBEAT,
                         self->record.resource->content, NULL, 0, wall_clock_ms());
}

/* ---- Posting ---------------------------------------------------------------------------------------------------- */

static void try_later(struct feed *self)
{
    uint64_t longest = self->record.shaken ? RETRY_LONGEST_MS : SHAKE_LONGEST_MS,
             wait = (uint64_t)self->owner->settings.retry_ms;
    for (uint32_t i = 1; i < self->failed && wait < longest; i++)
        wait *= 2;
    self->retry_at = uv_now(self->owner->loop) + (wait < longest ? wait : longest);
}

static void failed_once(struct feed *self)
{
    if (self->failed++ == 0)
        self->failing_since = uv_now(self->owner->loop);
    self->owner->failures++;
    try_later(self);
}

void feed_post(struct feed *self, enum feed_posting what)
{
    const struct subscription_resource *resource = self->record.resource;
    const struct subscription_settings *settings = &self->owner->settings;
    char error[CAREHUB_ERROR_BYTES];
    struct json_object *bundle = bundle_of(self, what);
    size_t len = 0;
    self->body = bundle ? notice_text(bundle, &len) : NULL;
    const struct http_post_options options = {
        .url = resource->endpoint,
        .content_type = resource->payload,
        .headers = (const char *const *)resource->headers,
        .body = self->body,
        .len = len,
        .timeout_ms = (resource->timeout_s > 0 ? resource->timeout_s : SUBSCRIPTION_TIMEOUT_S) * 1000,
        .tls_ca = settings->tls_ca,
        .tls_certificate = settings->tls_certificate,
        .tls_key = settings->tls_key,
    };
    /* Asked again each time: the configuration may have changed since it was registered. */
    if (!subscription_settings_allow(settings, resource->endpoint, error)) {
        self->failed++;
        self->retry_at = uv_now(self->owner->loop) + SHAKE_LONGEST_MS;
        feed_set_status(self, SUBSCRIPTION_ERROR, error);
    } else if (self->body && (self->post = http_post(self->owner->engine, &options, on_posted, self)) != NULL) {
        self->posting = what;
        return;
    } else {
        LOG_LINE(LOG_LEVEL_ERROR, "subscription %s: a notification cannot be made; it is tried again", self->record.id);
        failed_once(self);
    }
    free(self->body);
    self->body = NULL;
}

void feed_stop_posting(struct feed *self)
{
    http_cancel(&self->post);
    free(self->body);
    self->body = NULL;
    self->posting = POST_NOTHING;
    self->failed = 0;
    self->retry_at = 0;
}

/* ---- What became of it ------------------------------------------------------------------------------------------ */

/* The store first: when the acknowledgement gets lost it comes again, and is not sent a second time. */
static void settle(struct feed *self)
{
    struct subscription_store *store = self->owner->store;
    bool ok = store_begin(store);
    for (size_t i = 0; i < self->n_batch && ok; i++)
        ok = store_delivered(store, self->record.key, self->batch[i]);
    ok = ok && store_commit(store);
    if (!ok) {
        store_rollback(store);
        LOG_LINE(LOG_LEVEL_ERROR, "subscription %s: %s", self->record.id, store_error(store));
    }
    for (size_t i = 0; i < self->n_batch; i++)
        feed_taken(self, self->batch[i]);
    self->owner->notified += self->n_batch;
}

static void succeed(struct feed *self, enum feed_posting what)
{
    self->failed = 0;
    self->retry_at = 0;
    if (what == POST_HANDSHAKE)
        self->record.shaken = true;
    if (what == POST_EVENTS)
        settle(self);
    feed_set_status(self, SUBSCRIPTION_ACTIVE, "");
}

static void fail(struct feed *self, enum feed_posting what, const struct http_response *answer)
{
    char error[SUBSCRIPTION_ERROR_BYTES];
    failed_once(self);
    uint64_t asked = uv_now(self->owner->loop) + answer->retry_after_ms;
    if (self->retry_at < asked)
        self->retry_at = asked;
    bool patient = uv_now(self->owner->loop) - self->failing_since < (uint64_t)self->owner->settings.patience_ms;
    LOG_LINE(LOG_LEVEL_DEBUG, "subscription %s: %s", self->record.id, answer->text);
    if (what != POST_HANDSHAKE && patient)
        return;
    snprintf(error, sizeof error, "the endpoint does not take notifications: %s", answer->code);
    feed_set_status(self, SUBSCRIPTION_ERROR, error);
    if (what != POST_EVENTS)
        return;
    if (answer->result == SENDING_DOWN)
        while (self->n_hand > 0)
            feed_give_back(self, self->hand[self->n_hand - 1].number, answer->code);
    else
        for (size_t i = 0; i < self->n_batch; i++)
            feed_give_back(self, self->batch[i], answer->code);
}

static void on_posted(void *arg, const struct http_response *answer)
{
    struct feed *self = arg;
    enum feed_posting what = self->posting;
    self->post = NULL;
    self->posting = POST_NOTHING;
    free(self->body);
    self->body = NULL;
    self->heartbeat_at = uv_now(self->owner->loop) + (uint64_t)self->record.resource->heartbeat_s * 1000;
    if (answer->result == SENDING_TAKEN)
        succeed(self, what);
    else
        fail(self, what, answer);
    feed_step(self);
}
