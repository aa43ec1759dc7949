/* outlet.h - the way out: takes what comes into one inbox, has the format write it, sends it over one transport, and
 * acknowledges to the hub what the receiver has taken. One for each section "out".
 *
 *     delivery (inbox) → write (format) → send (transport) → judge (format) → remember (journal) → acknowledge
 *
 * One delivery at a time, in the order of their lane; those of the immediate lane go first. What became of it:
 *
 *     taken, or nothing to write     acknowledged as stored
 *     not this one now               refused; the hub sends it again, later; the next one goes
 *     receiver down                  tried again in place after 1, 2, 4, 8, 16 and 30 s; then refused, so that the hub
 *                                    sends it again, and nothing goes for 1 minute, 2, 4, and then 5 each time
 *     never, or cannot be written    refused for good: a dead letter
 *
 * When OUTLET_REFUSED_MAX in a row are not taken the fault is hardly theirs: then too there is a pause after each.
 *
 * The receiver gets a delivery at least once. It gets it again after a crash or a lost connection in between, then
 * under the same native id. Loop thread only. */
#ifndef CAREHUB_OUTLET_H
#define CAREHUB_OUTLET_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "carehub.h"
#include "carehub_adapter.h"

struct counters;
struct journal;

enum {
    OUTLET_CREDIT = 16, /* deliveries that it has at a time */
    OUTLET_BACK_OFF_MS = 1000,
    OUTLET_REFUSED_MAX = 32,
    OUTLET_STOP_MS = 1000, /* what is being sent may take this long yet */
    OUTLET_CODE_BYTES = 64,
    OUTLET_ENDPOINT_BYTES = 512,
};

struct outlet;

/* All outlive the outlet. */
struct outlet_options {
    carehub_client *client;
    struct journal *journal;
    const struct carehub_format *format;
    const void *format_self;
    const struct carehub_setting *section; /* "out": transport, inbox, receiver, and what is the transport's own */
    const char *folder;                    /* that relative paths start at */
    struct counters *counters;             /* marked as changed when the status has; may be NULL */
    uint32_t back_off_ms; /* the first; 0: OUTLET_BACK_OFF_MS. Tests shrink it, and all others with it */
};

/* What a status file says of it. */
struct outlet_status {
    const char *inbox;
    const char *transport;
    char endpoint[OUTLET_ENDPOINT_BYTES];
    bool attached;
    uint64_t sent, nothing;             /* since the start */
    uint64_t again;                     /* times that one was given back to the hub, to come again */
    uint64_t failed;                    /* dead letters */
    uint32_t waiting;                   /* that it has at the moment */
    char last_error[OUTLET_CODE_BYTES]; /* code; "" for none since the start */
    int64_t last_error_ms;
    int64_t down_since_ms; /* 0: not down. Since 1970, as the other times */
};

/* Reads and checks a section "out" alone; opens nothing. */
bool outlet_check(const struct carehub_format *format, const struct carehub_setting *section, const char *folder,
                  char error[CAREHUB_ERROR_BYTES]);

/* Subscribes and starts. NULL with `error` set. */
struct outlet *outlet_new(uv_loop_t *loop, const struct outlet_options *options, char error[CAREHUB_ERROR_BYTES]);

/* Has its transport read certificates anew. False when it cannot: that is logged, and nothing has changed. */
bool outlet_renew(struct outlet *self);
/* Takes nothing new. What is being sent may be finished; what is not is left for the next start. */
void outlet_quiesce(struct outlet *self);
/* Nothing is being sent. So at the latest OUTLET_STOP_MS after outlet_quiesce. */
bool outlet_is_idle(const struct outlet *self);
/* Ends the subscription, and frees itself in the loop's next turns. Before the client is closed. */
void outlet_close(struct outlet **self);

void outlet_status(const struct outlet *self, struct outlet_status *status);

#endif
