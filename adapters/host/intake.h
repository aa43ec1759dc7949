/* intake.h - the way in: what transports bring, until it is answered.
 *
 *     arrival (transport) → its messages (format: split) → open (format) → seen before? (journal) → translate (format)
 *        → remember (journal, on disk) → publish (publisher) → confirmed → reply (format) → answer (transport)
 *
 * What is there at the same time shares one commit of the journal. An event is remembered before it is published, so
 * that after a crash at any point the sender's resend gives the same event. An arrival may hold several messages: their
 * replies are put into its answer in their order, and the worst that became of any of them is what became of the whole.
 * At most INTAKE_WINDOW messages of one arrival are under way at a time. Loop thread only. */
#ifndef CAREHUB_INTAKE_H
#define CAREHUB_INTAKE_H

#include <stdbool.h>
#include <uv.h>

#include "counters.h"
#include "journal.h"
#include "publisher.h"
#include "transport.h"

enum {
    INTAKE_WINDOW = 64,
    INTAKE_RETRY_MS = 10 * 1000, /* after a held message that could not be handled now */
};

struct intake;

/* All outlive the intake. */
struct intake_options {
    const struct carehub_format *format;
    const void *format_self;
    struct journal *journal;
    struct publisher *publisher;
    struct counters *counters;
    int64_t confirm_timeout_ms;
};

/* NULL without memory. */
struct intake *intake_new(uv_loop_t *loop, const struct intake_options *options);

/* For the options of transports; arg is the intake. */
void intake_take(void *arg, struct arrival *arrival);
void intake_notice(void *arg, bool broken);
bool intake_get(void *arg, const char *path, carehub_reply_fn *fn, void *reply_arg);

/* To be called often: gives up what was not confirmed in time; with_more takes up a held message that is to be tried
 * again, one at a time, in their order, and publishes again what was remembered and not confirmed (outbox.h). */
void intake_tick(struct intake *self, bool with_more);
/* Nothing waits for its answer. */
bool intake_is_idle(const struct intake *self);

/* After the publisher has closed. Answers what still waits; frees itself in the loop's next turns. */
void intake_close(struct intake **self);

#endif
