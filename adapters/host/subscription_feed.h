/* Between the files of a subscription's life: subscription_feed.c decides, subscription_take.c takes what the hub
 * delivers, subscription_post.c sends. */
#ifndef CAREHUB_SUBSCRIPTION_FEED_H
#define CAREHUB_SUBSCRIPTION_FEED_H

#include "subscription_internal.h"

enum { HAND_MAX = 4 * HUB_CREDIT_EVENTS };

enum feed_posting { POST_NOTHING, POST_HANDSHAKE, POST_HEARTBEAT, POST_EVENTS };

/* An event that is in hand: in the store under its number, and to be sent. */
struct hand {
    uint64_t number;
    Carehub__V1__Lane lane;
    uint64_t delivery;
    bool withdrawn; /* the hub has taken it back: only its number is told, and nobody waits for its acknowledgement */
    bool fresh;     /* put into the store by the transaction that is open */
};

/* Times are of uv_now. */
struct feed {
    struct subscriptions *owner;
    struct feed *next;
    struct store_record record;
    uv_timer_t timer;

    struct hub_fact fact;
    uint64_t fact_at; /* not before this */
    struct hub_inbox *inbox;
    uint64_t attach_at;

    struct hand hand[HAND_MAX]; /* by number */
    size_t n_hand;
    bool skipped;           /* the hub has withdrawn something in this batch */
    uint64_t events_before; /* record.events before the open transaction; with any_fresh */
    bool any_fresh;

    enum feed_posting posting;
    struct http_post *post;
    char *body; /* of the post */
    uint64_t batch[SUBSCRIPTION_COUNT_MAX];
    size_t n_batch;
    uint32_t failed;        /* posts in a row */
    uint64_t failing_since; /* with failed > 0 */
    uint64_t retry_at;
    uint64_t heartbeat_at;
};

void feed_set_status(struct feed *self, enum subscription_status status, const char *error);
void feed_lost_inbox(struct feed *self);

/* subscription_take.c */
extern const struct hub_inbox_events feed_inbox_events;
/* Takes one out of hand, if it is there, telling the hub that it is stored. */
void feed_taken(struct feed *self, uint64_t number);
/* Gives it back to the hub, to come again. */
void feed_give_back(struct feed *self, uint64_t number, const char *code);

/* subscription_post.c */
void feed_post(struct feed *self, enum feed_posting what);
/* Gives up what is being posted, and forgets failures: there is another endpoint, or none. */
void feed_stop_posting(struct feed *self);

#endif
