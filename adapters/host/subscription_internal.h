/* Between the files of subscriptions; no part of their interface. */
#ifndef CAREHUB_SUBSCRIPTION_INTERNAL_H
#define CAREHUB_SUBSCRIPTION_INTERNAL_H

#include "http_server.h"
#include "subscription.h"
#include "subscription_hub.h"
#include "subscription_notice.h"
#include "subscription_settings.h"
#include "subscription_store.h"

struct feed;

struct subscriptions {
    uv_loop_t *loop;
    const struct carehub_format *format;
    const void *format_self;
    char base[HTTP_URL_MAX_BYTES]; /* "https://adapter.example/fhir" */
    struct subscription_settings settings;
    struct subscription_store *store;
    struct http_engine *engine;
    struct hub_link *link;
    struct feed *feeds;
    size_t n_feeds;
    uv_timer_t *prune;   /* its own allocation: it closes later than this */
    uint64_t departures; /* the last number that was given to one */
    bool in_batch;       /* the store is in a transaction, for what comes from the hub */
    bool batch_lost;     /* something in it could not be kept */
    uint64_t notified, unwritten, failures;
    int64_t (*time_ms)(void *time_arg); /* or NULL */
    void *time_arg;
};

/* ---- The life of one subscription (subscription_feed.c) --------------------------------------------------------- */

/* Takes over the record with its resource; adds itself to the list. NULL without memory (the record is the caller's
 * still). Call feed_step to get it going. */
struct feed *feed_new(struct subscriptions *owner, struct store_record *record);
/* Ends it in this process; nothing changes in the store. It frees itself in the loop's next turns. */
void feed_close(struct feed *self);
/* Does what is to be done next, if it can be done now. */
void feed_step(struct feed *self);

const struct store_record *feed_record(const struct feed *self);
struct feed *feed_next(const struct feed *self);
/* Other endpoint, topic, …: the resource is taken over. False when the store cannot keep it: nothing has changed, and
 * the resource is the caller's still. */
bool feed_change(struct feed *self, struct subscription_resource *resource);
/* Ends it: by `off`, its end, or its deletion. The feed may be gone when this returns. */
bool feed_end(struct feed *self, bool deleted);
/* Before the first and after the last of what the hub told at once. `kept`: it is on disk. */
void feed_batch_ends(struct feed *self, bool kept);

/* For notices. */
void feed_about(const struct feed *self, struct notice_about *about);
/* An event of the store, for a notice, of a content; resource is made (json_object_put). */
void feed_show(const struct store_event *event, enum subscription_content content, char focus[STORE_TYPE_BYTES + 40],
               struct notice_event *out);

/* ---- Between feed and format (subscription_render.c) ------------------------------------------------------------ */

/* Has the format write an event as FHIR; fills in type and document of `out`, whose id and event are set. */
enum carehub_written subscription_render(struct subscriptions *owner, int64_t key, const struct hub_delivery *delivery,
                                         struct store_event *out, struct carehub_problem *problem);

/* ---- HTTP (subscription_http.c) --------------------------------------------------------------------------------- */

/* Adds the routes. */
bool subscriptions_route(struct subscriptions *self, void *http);

#endif
