/* subscription.h - one subscription, and the acknowledgements that wait in it. */
#ifndef SDK_SUBSCRIPTION_H
#define SDK_SUBSCRIPTION_H

#include <stdatomic.h>

#include "client.h"
#include "lane.h"

enum subscription_phase {
    SUBSCRIPTION_DETACHED, /* attaches when the session is open and attach_ms has come */
    SUBSCRIPTION_ATTACHING,
    SUBSCRIPTION_ATTACHED,
    SUBSCRIPTION_STALE, /* displaced: stays so */
};

/* An acknowledgement of a range, or a refusal (then `code` is set). */
struct verdict {
    Carehub__V1__Lane lane;
    Carehub__V1__AckKind kind;
    uint64_t from; /* 0: all up to `to` */
    uint64_t to;
    char *code; /* owned; NULL: acknowledged */
    bool final;
};

struct verdicts {
    struct verdict *items;
    size_t n;
    size_t room;
};

struct carehub_subscription {
    carehub_subscription *next; /* the thread's; until it has taken it over, the client's lock's */
    carehub_client *client;
    struct carehub_subscribe_options options; /* with an inbox name of its own */
    atomic_bool ending;                       /* no callback any more */

    /* Under the client's lock. */
    struct verdicts waiting;
    uint64_t floor[LANES];   /* settled before this attachment began */
    uint64_t highest[LANES]; /* that came, or was skipped, in this attachment */
    uint64_t known[LANES];   /* the same of all attachments */
    bool attached;
    bool awaited; /* another thread waits in carehub_unsubscribe, and frees it */
    bool ended;

    /* The thread's. */
    enum subscription_phase phase;
    uint32_t handle;
    uint64_t epoch;
    int64_t attach_ms;
    uint64_t attach_order;   /* hubs answer Attach in order */
    unsigned refusals;       /* of attachments, in a row */
    struct verdicts telling; /* being told; swaps with `waiting` */
    struct lane lanes[LANES];
    int64_t left_events; /* credit that the hub still has; below 0 at most for a moment */
    int64_t left_bytes;
    struct lane_credit released; /* not yet given back */
};

/* Tells the hub what waits: acknowledgements in as few frames as go, refusals in between; then gives credit back. */
void verdicts_tell(carehub_subscription *sub);
/* Forgets all of them. */
void verdicts_clear(struct verdicts *verdicts);
void verdicts_free(struct verdicts *verdicts);
/* Adds one. Under the client's lock. Takes over `code` if it succeeds. CAREHUB_OK or CAREHUB_OUT_OF_MEMORY. */
int verdict_add(carehub_subscription *sub, const struct verdict *verdict);

void subscription_free(carehub_subscription *sub);

#endif
