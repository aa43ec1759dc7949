/* inbox.h - one actor's durable queue of deliveries, in two lanes.
 *
 * A delivery's number in its lane is assigned in the log, without gaps. What waits is not a row each: a lane is a
 * cursor (`settled`: everything up to here is over) and segments, each the deliveries that one commit added, packed.
 * Only what leaves that order has a row of its own, an exception: acknowledged ahead of others, refused and to come
 * again, dead.
 *
 *     settled        sent                 loaded                 next
 *        |  in flight  |  in the window     |  in segments only    |
 *
 * A window of what is in flight or about to be is in memory; the rest is on disk however long the backlog. Changes are
 * written to the store by inbox_flush, within the batch's transaction. Core thread only. */
#ifndef CAREHUB_INBOX_H
#define CAREHUB_INBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "carehub/v1/log.pb-c.h"
#include "core/core.h"
#include "store/store.h"
#include "hub_limits.h"

enum { LANES = 2 };

/* A delivery as it waits. */
struct item {
    uint64_t place;   /* of the event's entry */
    uint64_t decided; /* place of the later decision (LaterEntry); 0: the event's own, or a release of what that held */
    uint8_t cause;    /* Carehub__V1__Cause of the later decision */
    uint8_t level;    /* Carehub__V1__Level of the view */
    bool notice;
    bool resent;     /* it was sent before, on an earlier attachment */
    int64_t sent_ms; /* when it was last sent; 0: not in this process */
};

/* What was withdrawn before this place does not hold the delivery back. */
static inline uint64_t item_decided(const struct item *item)
{
    return item->decided ? item->decided : item->place;
}

struct lane {
    uint64_t next; /* the number that the next delivery gets; starts at 1 */
    uint64_t settled;
    uint64_t sent;       /* sent, or announced as skipped, on this attachment up to here */
    struct item *window; /* ring: numbers settled + 1 to settled + loaded */
    size_t capacity, first, loaded;
    struct item *fresh; /* added in the open batch: numbers next - n_fresh to next - 1 */
    size_t n_fresh, fresh_capacity;
    uint64_t dropped_to; /* segments up to here have been dropped */
    uint64_t
        blocked_on; /* nothing is sent from here until the place of the last change is beyond this; 0: not blocked */
    bool ending;    /* its next delivery is about to be ended: wait for that */
    uint64_t head;  /* the number whose expiry is known … */
    int64_t head_expires_ms;
    bool dirty;
};

/* An exception of a lane: see log.proto, ExceptionCard. */
struct exception {
    int lane;
    uint64_t number;
    struct item item;
    Carehub__V1__ExceptionCard__State state;
    uint32_t attempts;
    int64_t retry_at_ms;
    bool in_flight;      /* a retry that has been sent again */
    int64_t received_ms; /* of its event; 0: not looked up yet */
    Carehub__V1__Reason reason;
    char code[NACK_CODE_MAX_BYTES + 1];
};

struct inbox {
    uint32_t number;
    uint64_t from_place;
    Carehub__V1__InboxCard *card;
    uint32_t types;
    struct lane lanes[LANES];
    struct exception *exceptions; /* by lane, then number */
    size_t n_exceptions, exceptions_capacity, n_retry, n_dead;
    int64_t next_retry_ms;

    /* The attachment, if there is one. */
    session_id session;
    uint32_t handle;
    int64_t credit_events, credit_bytes;
    size_t unheard_bytes; /* sent since it last acknowledged anything or gave credit */

    /* This batch. */
    Carehub__V1__AckedRange *acked; /* merged; one entry for all of them */
    size_t n_acked, acked_capacity;
    uint32_t acked_by; /* client */
    bool ready;        /* is on the core's list of inboxes that may have something to send */
    bool touched;      /* is on the list of inboxes to flush */
};

struct inbox *inbox_new(uint32_t number);
void inbox_free(struct inbox *inbox);
/* Loads lanes and exceptions. */
enum store_result inbox_load(struct inbox *inbox, struct store *store);

/* What has not come to its end: queued, in flight, or waiting to be sent again. */
uint64_t inbox_undelivered(const struct inbox *inbox);
bool inbox_full(const struct inbox *inbox);
uint64_t inbox_in_flight(const struct inbox *inbox);

/* Adds a delivery; returns its number. */
uint64_t inbox_add(struct inbox *inbox, int lane, struct item item);
/* Takes back what was added from `number` on: its publication was rolled back. */
void inbox_take_back(struct inbox *inbox, int lane, uint64_t number);

/* The delivery with a number between settled and next, from the window (loading it if need be), or NULL: it is not
 * there (damaged, or the window has no room: *full). Borrowed until the next call. */
struct item *inbox_item(struct inbox *inbox, struct store *store, int lane, uint64_t number, bool *full);

/* The end of the run of numbers from `from` to at most `to` that have no exception; below `from` if that has one. */
uint64_t inbox_run(const struct inbox *inbox, int lane, uint64_t from, uint64_t to);

/* Settles `from` to `to`: acknowledged, ended. Those that have an exception already keep it, unless it is an
 * acknowledgement. Ahead of the cursor, they become exceptions until it comes by. Returns false if that would be more
 * exceptions than allowed. */
bool inbox_settle(struct inbox *inbox, struct store *store, int lane, uint64_t from, uint64_t to);

/* The exception of a number, or NULL. */
struct exception *inbox_exception(struct inbox *inbox, int lane, uint64_t number);
/* May a receiver have `n` more of them? The hub's own ends are not asked: a delivery must be able to end. */
bool inbox_may_except(const struct inbox *inbox, uint64_t n);
/* Adds or replaces one, stores it, and moves the cursor over it. */
void inbox_except(struct inbox *inbox, struct store *store, const struct exception *exception);
void inbox_exception_remove(struct inbox *inbox, struct store *store, struct exception *exception);

/* Everything that is not settled is to be sent again (a new attachment). */
void inbox_rewind(struct inbox *inbox);

/* Notes an acknowledged range for this batch's entry, merged with those that it continues. */
void inbox_note_ack(struct inbox *inbox, const Carehub__V1__AckedRange *range);

/* Writes what the batch changed. */
void inbox_flush(struct inbox *inbox, struct store *store);

#endif
