/* Between the files of the intake; no part of its interface. */
#ifndef CAREHUB_INTAKE_INTERNAL_H
#define CAREHUB_INTAKE_INTERNAL_H

#include "intake.h"
#include "outbox.h"
#include "translation.h"

/* One message on its way. */
struct exchange {
    struct exchange *next;       /* of the same arrival */
    struct exchange *next_fresh; /* of those that are handled in this turn */
    struct reception *reception;
    struct translation translation;
    bool stored;          /* nothing of it was lost with the journal's transaction */
    uint64_t deadline_ms; /* of the loop's clock */
    bool is_group;        /* its items are one publication */
    size_t waiting;       /* publications not yet confirmed */
    bool done;            /* it came to an end: */
    enum carehub_fault fault;
    char text[PUBLISHER_TEXT_BYTES];
    size_t n_waits, n_ids, n_facts;
    uint8_t ids[CAREHUB_ITEMS_MAX][EVENTID_BYTES]; /* of its events */
    struct publisher_wait waits[CAREHUB_ITEMS_MAX];
};

/* An arrival and its messages; or a held message that is tried again. */
struct reception {
    struct reception *next, **link; /* of all */
    struct reception *next_fresh;
    struct intake *intake;
    struct arrival *arrival;   /* NULL: held */
    struct journal_held *held; /* NULL: arrival */
    struct carehub_native native;
    bool is_fresh;    /* on the list of those that have messages to take out */
    bool split_done;  /* all messages were taken out */
    bool cut_short;   /* or the adapter had to stop before */
    bool needs_bytes; /* a message's format holds on to them until it is closed */
    size_t position, n_messages, n_open, n_refused;
    struct exchange *first, **end; /* on their way, in their order */
    struct exchange *worst;        /* of those that came to an end; owned */
};

struct intake {
    uv_check_t check;
    uv_async_t wake; /* so that what was taken outside of the poll phase does not wait for it */
    int handles;
    struct intake_options options;
    struct outbox *outbox;
    uint64_t retry_due_ms; /* held messages: not before this */
    struct reception *all;
    struct reception *fresh, **fresh_end;
};

/* Puts the replies of one message into its arrival's answer. */
void intake_reply(const struct exchange *x, const struct carehub_outcome *outcome);
/* What became of it; `ids` and texts are the exchange's. */
struct carehub_outcome intake_outcome(const struct exchange *x, uint64_t number);

/* Brings a message to its end, and its arrival if it was the last. Frees `x`, now or with its arrival. */
void exchange_finish(struct exchange *x, enum carehub_fault fault, const char *text);
/* After the journal's commit: goes on to the hub, or comes to its end. */
void exchange_proceed(struct exchange *x);

/* Ends what is at an end: replies in order; answers when it was all. May free the reception. */
void reception_settle(struct reception *r);
/* Puts it on the list of those with messages to take out. */
void reception_enqueue(struct reception *r);

#endif
