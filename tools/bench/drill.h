/* drill.h - the auditor's drill: a region whose hub has run for two years is made, by the hub's core in this process on
 * a clock of its own; then it is asked who learned of a person's discharge, and how long the answer takes. */
#ifndef CAREHUB_BENCH_DRILL_H
#define CAREHUB_BENCH_DRILL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "carehub/v1/wire.pb-c.h"
#include "core/core.h"

enum {
    DRILL_ACTORS = 300,     /* who receive; each is in one inbox */
    DRILL_HOSPITALS = 10,   /* who publish */
    DRILL_MEMBERS = 5,      /* of each team */
    DRILL_INBOXES_MAX = 60, /* of one receiving client */
    DRILL_RECEIVERS = (DRILL_ACTORS + DRILL_INBOXES_MAX - 1) / DRILL_INBOXES_MAX,
    DRILL_OPERATOR = 1, /* sessions */
    DRILL_PUBLISHER = 2,
    DRILL_FIRST_RECEIVER = 3,
};

struct drill_size {
    uint32_t patients, events, heavy, days; /* heavy: events more of the first patient, at the end */
    const char *dir, *policy;
};

struct drill_inbox {
    uint32_t handle;
    uint64_t epoch;
    uint64_t stored[2], last[2]; /* by lane: acknowledged, delivered */
};

struct drill {
    struct drill_size size;
    struct core *core;
    int64_t now_ms;
    uint64_t ref, random;
    uint32_t ids;
    struct drill_inbox inboxes[DRILL_ACTORS];
    uint32_t *discharges; /* by patient: deliveries of discharges that its team was sent */
    uint64_t rejected, delivered;
    Carehub__V1__Answer *answer; /* the last one */
};

/* Registers the region, and lets its years pass. False: it has said why. */
bool drill_make(struct drill *drill);
void drill_close(struct drill *drill);

/* One question of the operator. Owned by the drill, until the next one. */
const Carehub__V1__Answer *drill_ask(struct drill *drill, Carehub__V1__Query *query);
/* Lets the hub do what waits behind the hot path, until everything can be found by its person, and is under a signed
 * checkpoint. */
bool drill_settle(struct drill *drill);

/* Who learned of the event at a place, and a receipt of each entry that says so: the report and the proofs as
 * `carehub audit report --event --proof` asks for them. False: it has said why. */
struct drill_who {
    size_t lines, receipts;
};
bool drill_who(struct drill *drill, uint64_t event_place, struct drill_who *who);

#endif
