/* outbox.h - sees to it that what the journal remembers as told is told: the events of a message whose sender was
 * answered "not now", or was not answered because the adapter ended, are published again until the hub (or the spool)
 * has them or refuses them. For a sender need not send again what it sent in the same words; and when it does, a format
 * may find that it says nothing new.
 *
 * What a message gave is unsettled in the journal until outbox_settled. A note of that which a crash loses does no
 * harm: the hub knows its events by their ids. Loop thread only. */
#ifndef CAREHUB_OUTBOX_H
#define CAREHUB_OUTBOX_H

#include "journal.h"
#include "publisher.h"

enum {
    OUTBOX_SWEEP_MS = 30 * 1000, /* between two looks; what came since the last one is left alone */
    OUTBOX_AGAIN_MS = 10 * 1000, /* after one that was not taken now */
    OUTBOX_NOTES_MAX = 1024,     /* of what is settled, until the next tick */
};

struct outbox;

/* Both outlive it. NULL without memory. */
struct outbox *outbox_new(struct journal *journal, struct publisher *publisher);
/* Writes down what is settled, and waits no more. */
void outbox_close(struct outbox **self);

/* What this message gave needs no more looking after. */
void outbox_settled(struct outbox *self, const struct carehub_message *message);

/* Whether that is so: the hub has it, or the spool. */
bool outbox_is_settled(const struct outbox *self, const struct carehub_message *message);

/* To be called often, with the loop's clock. `sends`: what is unsettled may be published. */
void outbox_tick(struct outbox *self, uint64_t now_ms, bool sends);

#endif
