/* subscription_hub.h - the inboxes of subscriptions at the hub. libcarehub calls back in its own thread; what it says
 * is copied, queued, and told on the loop here. How much can be queued is bounded by the credit that inboxes are given.
 * Loop thread only. */
#ifndef CAREHUB_SUBSCRIPTION_HUB_H
#define CAREHUB_SUBSCRIPTION_HUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "carehub.h"
#include "subscription_topic.h"

enum {
    HUB_CREDIT_EVENTS = 64, /* deliveries of one inbox that are not settled */
    HUB_CREDIT_BYTES = 1 << 20,
    HUB_TEXT_BYTES = 256,
};

struct hub_link;
struct hub_inbox;

/* A delivery; the event is the receiver's from here on. */
struct hub_delivery {
    Carehub__V1__Lane lane;
    uint64_t number;
    uint32_t attempt;
    bool notice;
    char *verified_by;         /* malloc'd; or NULL */
    Carehub__V1__Event *event; /* carehub__v1__event__free_unpacked */
    uint8_t *bytes;            /* the same, serialised; malloc'd */
    size_t len;
};

/* What an inbox tells. */
struct hub_inbox_events {
    /* Takes over what is in the delivery, which is itself only borrowed. */
    void (*delivered)(void *arg, struct hub_delivery *delivery);
    /* These will not come, or are not to be used if they have. */
    void (*skipped)(void *arg, Carehub__V1__Lane lane, uint64_t from, uint64_t to);
    /* Detached: what is not acknowledged comes again. `stale`: another client has taken the inbox. */
    void (*detached)(void *arg, bool stale, const char *text);
};

/* Told before the first and after the last of what came together, so that it can go to disk together. */
typedef void hub_batch_fn(void *arg, bool begins);

/* NULL without memory, or when the loop is out of handles. */
struct hub_link *hub_link_new(uv_loop_t *loop, carehub_client *client, hub_batch_fn *batch, void *arg);
/* All inboxes must be closed. Ends in the loop's next turns; answers to facts that come later are dropped. */
void hub_link_close(struct hub_link **self);

/* Attaches to an inbox. NULL with carehub_error. `events` must be static. */
struct hub_inbox *hub_inbox_open(struct hub_link *self, const char *name, const struct hub_inbox_events *events,
                                 void *arg);
/* Nothing is told of it any more. */
void hub_inbox_close(struct hub_inbox **self);

void hub_inbox_stored(struct hub_inbox *self, Carehub__V1__Lane lane, uint64_t number);
void hub_inbox_refuse(struct hub_inbox *self, Carehub__V1__Lane lane, uint64_t number, const char *code, bool final);

enum hub_fact_result {
    HUB_FACT_TAKEN,
    HUB_FACT_UNKNOWN, /* the hub knows no such open inbox */
    HUB_FACT_REFUSED, /* `text` says why */
    HUB_FACT_AGAIN,   /* not now */
};
typedef void hub_fact_fn(void *arg, enum hub_fact_result result, const char *text);

/* Somebody who waits for the answer to a fact. Zero it first. */
struct hub_fact {
    struct hub_ask *ask; /* NULL: waits for none */
    hub_fact_fn *done;   /* called once, on the loop, never from within */
    void *arg;
};

/* Sets an inbox, or changes its types. False when it cannot even be sent; done is not called. */
bool hub_set_inbox(struct hub_link *self, struct hub_fact *fact, const char *name, const char *actor,
                   topic_types types);
bool hub_close_inbox(struct hub_link *self, struct hub_fact *fact, const char *name);
/* No longer waits; the fact goes on its way all the same. */
void hub_fact_leave(struct hub_link *self, struct hub_fact *fact);

#endif
