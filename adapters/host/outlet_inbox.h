/* outlet_inbox.h - the deliveries of one inbox that an outlet has: brought from the library's thread to the loop, in
 * the order of their lanes, the immediate lane first; and what is said of them to the hub.
 *
 * What comes in one attachment is forgotten when that ends, for the hub sends it again in the next; so is what the hub
 * takes back. One that was settled although its attachment was over is settled when it comes again, without anybody
 * seeing it a second time. Loop thread only, but for the library's callbacks. */
#ifndef CAREHUB_OUTLET_INBOX_H
#define CAREHUB_OUTLET_INBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "carehub.h"
#include "carehub_adapter.h"

enum {
    INBOX_SETTLED_MAX = 64,       /* of those that were settled too late, the last */
    INBOX_RETAKE_MS = 300 * 1000, /* after another client has taken the inbox, it is asked for again */
};

/* One delivery. The outlet's own fields are freed with it. */
struct outlet_delivery {
    struct outlet_delivery *next;
    uint64_t turn; /* the attachment that it came in */
    Carehub__V1__Lane lane;
    uint64_t number;
    uint32_t attempt;
    bool notice;
    char *verified_by; /* NULL: nobody */
    uint8_t *bytes;    /* the event, serialised */
    size_t size;
    Carehub__V1__Event *event; /* NULL until inbox_next */
    /* The outlet's. */
    bool written;
    struct carehub_parcel parcel;
};

struct outlet_inbox;

/* There may be something to do: inbox_next. On the loop. */
typedef void outlet_inbox_fn(void *arg);

struct outlet_inbox_options {
    carehub_client *client;
    const char *inbox; /* lasts */
    uint32_t credit;
    uint64_t retake_ms; /* 0: INBOX_RETAKE_MS */
    outlet_inbox_fn *changed;
    void *arg;
};

/* NULL with `error` set. */
struct outlet_inbox *inbox_new(uv_loop_t *loop, const struct outlet_inbox_options *options,
                               char error[CAREHUB_ERROR_BYTES]);
/* Ends the subscription and frees itself in the loop's next turns. Deliveries that inbox_next gave are to be given back
 * or settled before. */
void inbox_close(struct outlet_inbox **self);

/* Takes the next one off; NULL if there is none. It is the caller's until it is put back or settled. */
struct outlet_delivery *inbox_next(struct outlet_inbox *self);
/* Puts it in front of its lane again. One that the hub has meanwhile taken back, or will send again, is freed. */
void inbox_put_back(struct outlet_inbox *self, struct outlet_delivery *delivery);
/* These tell the hub, and free the delivery. */
void inbox_taken(struct outlet_inbox *self, struct outlet_delivery *delivery);
void inbox_refused(struct outlet_inbox *self, struct outlet_delivery *delivery, const char *code, bool final);

bool inbox_is_attached(const struct outlet_inbox *self);
uint32_t inbox_waiting(const struct outlet_inbox *self);

#endif
