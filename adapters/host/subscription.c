/* subscription.c - subscriptions as a whole: put together, taken up at the start, pruned, closed. */
#include "subscription_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json_object.h>

#include "json_make.h"
#include "log_line.h"
#include "subscription_feed.h"

enum { PRUNE_MS = 60 * 60 * 1000 };
#define DAY_MS INT64_C(86400000)

/* ---- What the hub tells at once goes to disk at once ------------------------------------------------------------ */

static void on_batch(void *arg, bool begins)
{
    struct subscriptions *self = arg;
    if (begins) {
        self->batch_lost = !store_begin(self->store);
        return;
    }
    bool kept = !self->batch_lost && store_commit(self->store);
    if (!kept) {
        LOG_LINE(LOG_LEVEL_ERROR, "%s; what came is given back to the hub", store_error(self->store));
        store_rollback(self->store);
    }
    self->batch_lost = false;
    for (struct feed *feed = self->feeds, *next; feed; feed = next) {
        next = feed_next(feed);
        feed_batch_ends(feed, kept);
    }
}

/* ---- Pruning ---------------------------------------------------------------------------------------------------- */

static void prune(struct subscriptions *self)
{
    int64_t now_ms = self->time_ms ? self->time_ms(self->time_arg) : wall_clock_ms();
    int64_t before = now_ms - self->settings.keep_days * DAY_MS;
    if (store_prune(self->store, before, (uint64_t)self->settings.keep_events) < 0)
        LOG_LINE(LOG_LEVEL_ERROR, "%s", store_error(self->store));
    for (struct feed *feed = self->feeds, *next; feed; feed = next) {
        const struct store_record *record = feed_record(feed);
        next = feed_next(feed);
        if (record->status == SUBSCRIPTION_OFF && record->updated_ms < before && !record->deleted)
            feed_end(feed, true);
    }
}

static void on_prune(uv_timer_t *timer)
{
    prune(timer->data);
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

static bool start_pruning(struct subscriptions *self)
{
    self->prune = malloc(sizeof *self->prune);
    if (!self->prune)
        return false;
    if (uv_timer_init(self->loop, self->prune) != 0) {
        free(self->prune);
        self->prune = NULL;
        return false;
    }
    self->prune->data = self;
    uv_timer_start(self->prune, on_prune, PRUNE_MS, PRUNE_MS);
    return true;
}

/* ---- Starting --------------------------------------------------------------------------------------------------- */

static bool take_up(struct subscriptions *self, char error[CAREHUB_ERROR_BYTES])
{
    struct store_record record = {0};
    bool damaged = false;
    for (int64_t after = 0; store_next(self->store, after, &record, &damaged); after = record.key) {
        if (!feed_new(self, &record)) {
            subscription_destroy(&record.resource);
            return settings_complain(error, "subscriptions", "out of memory");
        }
    }
    return !damaged || settings_complain(error, "subscriptions", "%s", store_error(self->store));
}

static bool set_up(struct subscriptions *self, const struct subscriptions_options *options,
                   char error[CAREHUB_ERROR_BYTES])
{
    char store_said[STORE_ERROR_BYTES];
    if (!subscription_settings_read(&self->settings, options->section, options->folder, error))
        return false;
    if (self->settings.base_url)
        snprintf(self->base, sizeof self->base, "%s", self->settings.base_url);
    else
        snprintf(self->base, sizeof self->base, "%s%sfhir", options->endpoint,
                 options->endpoint[strlen(options->endpoint) - 1] == '/' ? "" : "/");
    self->store = store_open(options->state_dir, store_said);
    if (!self->store)
        return settings_complain(error, "subscriptions", "%s", store_said);
    self->engine = http_engine_new(self->loop);
    self->link = hub_link_new(self->loop, options->client, on_batch, self);
    if (!self->engine || !self->link || !start_pruning(self))
        return settings_complain(error, "subscriptions", "out of memory");
    if (!take_up(self, error))
        return false;
    return subscriptions_route(self, options->http) ||
           settings_complain(error, "subscriptions", "the HTTP transport has no room for another route");
}

static bool writes_fhir(const struct carehub_format *format, char error[CAREHUB_ERROR_BYTES])
{
    return format->write ||
           settings_complain(error, "subscriptions",
                             "the format %s writes nothing, so there is nothing to subscribe to", format->name);
}

bool subscriptions_check(const struct carehub_setting *section, const char *folder, const struct carehub_format *format,
                         char error[CAREHUB_ERROR_BYTES])
{
    struct subscription_settings settings;
    bool ok = subscription_settings_read(&settings, section, folder, error) && writes_fhir(format, error) &&
              (!format->check_receiver || format->check_receiver(settings.receiver, error));
    subscription_settings_clear(&settings);
    return ok;
}

struct subscriptions *subscriptions_new(uv_loop_t *loop, const struct subscriptions_options *options,
                                        char error[CAREHUB_ERROR_BYTES])
{
    struct subscriptions *self = calloc(1, sizeof *self);
    if (!self) {
        settings_complain(error, "subscriptions", "out of memory");
        return NULL;
    }
    self->loop = loop;
    self->format = options->format;
    self->format_self = options->format_self;
    self->time_ms = options->time_ms;
    self->time_arg = options->time_arg;
    self->departures = (uint64_t)wall_clock_ms() << 20; /* grows over restarts too */
    if (!writes_fhir(options->format, error) || !set_up(self, options, error)) {
        subscriptions_close(&self);
        return NULL;
    }
    for (struct feed *feed = self->feeds, *next; feed; feed = next) {
        next = feed_next(feed);
        feed_step(feed);
    }
    prune(self);
    return self;
}

/* ---- Closing ---------------------------------------------------------------------------------------------------- */

void subscriptions_close(struct subscriptions **self)
{
    struct subscriptions *s = *self;
    if (!s)
        return;
    while (s->feeds)
        feed_close(s->feeds);
    hub_link_close(&s->link);
    http_engine_close(&s->engine);
    if (s->prune)
        uv_close((uv_handle_t *)s->prune, free_handle);
    store_close(&s->store);
    subscription_settings_clear(&s->settings);
    free(s);
    *self = NULL;
}

/* ---- Status ----------------------------------------------------------------------------------------------------- */

static void put_number(struct maker *m, struct json_object *object, const char *name, uint64_t number)
{
    make_put(m, object, name, json_object_new_int64((int64_t)number));
}

struct json_object *subscriptions_status(const struct subscriptions *self)
{
    struct maker m = {0};
    struct json_object *status = make_object(&m), *list = make_array(&m);
    uint64_t by_status[SUBSCRIPTION_OFF + 1] = {0};
    for (const struct feed *feed = self->feeds; feed; feed = feed_next(feed)) {
        const struct store_record *record = feed_record(feed);
        struct json_object *one = make_object(&m);
        by_status[record->status]++;
        make_text(&m, one, "id", record->id);
        make_text(&m, one, "actor", record->actor);
        make_text(&m, one, "inbox", record->inbox);
        make_text(&m, one, "status", subscription_status_name(record->status));
        make_text(&m, one, "error", record->error);
        put_number(&m, one, "events", record->events);
        put_number(&m, one, "in-hand", feed->n_hand);
        make_push(&m, list, one);
    }
    for (int i = 0; i <= SUBSCRIPTION_OFF; i++)
        put_number(&m, status, subscription_status_name((enum subscription_status)i), by_status[i]);
    put_number(&m, status, "notified", self->notified);
    put_number(&m, status, "unwritten", self->unwritten);
    put_number(&m, status, "failed-attempts", self->failures);
    make_put(&m, status, "list", list);
    return make_done(&m, status);
}
