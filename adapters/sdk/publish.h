/* publish.h - publications on their way to the hub, in order, until each is confirmed or refused.
 *
 *     carehub_publish… ──> inbox (memory) ──┐
 *                     └──> spool ───────────┴──> window of unconfirmed ──> settled
 *                                                  └── answered "later", or the session was lost: again, in order
 */
#ifndef SDK_PUBLISH_H
#define SDK_PUBLISH_H

#include <stdatomic.h>

#include "carehub.h"
#include "sdk_limits.h"

struct publication;

struct publish_queue {
    struct publication *first;
    struct publication **end;
};

/* What API threads leave; under the client's lock, but for the counters. */
struct publish_inbox {
    struct publish_queue queue;
    atomic_uint items; /* in memory and not settled */
    atomic_size_t bytes;
    carehub_settled_fn *on_settled;
    void *on_settled_arg;
};

/* The thread's own. */
struct publisher {
    struct publish_queue ready;       /* from the inbox */
    struct publish_queue again;       /* were sent before: go first */
    struct publication *next;         /* taken from one of the sources and not yet sent */
    struct publication **unconfirmed; /* PUBLISH_SPAN, by ref; NULL: settled */
    uint64_t first_ref;               /* everything before is settled */
    uint64_t next_ref;
    uint32_t unanswered;   /* publications sent and not answered in any way */
    uint32_t window_items; /* used, by these */
    uint64_t window_bytes;
    bool holding;                /* some were answered "later": nothing is sent until the rest is answered and … */
    int64_t hold_until_ms;       /* … this time has come */
    unsigned holds;              /* in a row */
    struct publish_frame *frame; /* room to put one together */
};

int publish_init(struct carehub_client *c);
void publish_fini(struct carehub_client *c);

/* Sends what may be sent. */
void publish_step(struct carehub_client *c);
int64_t publish_due_ms(const struct carehub_client *c);
void publish_confirm(struct carehub_client *c, const Carehub__V1__Confirm *confirm);
/* The session is lost: what was unconfirmed goes again, first. */
void publish_lost(struct carehub_client *c);
/* Tells all that wait that the client was closed. */
void publish_closed(struct carehub_client *c);

/* Any thread: hands a publication over, which belongs to the queue from then on (also when it fails). */
int publish_enqueue(struct carehub_client *c, struct publication *p);

#endif
