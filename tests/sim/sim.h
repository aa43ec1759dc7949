/* sim.h - a simulation of the core: random operations of several sessions, crashes, and a model that is much simpler
 * than the core and says what is promised.
 *
 *     sim_core.c    seeds, operations, the run
 *     sim_send.c    messages to the core, and what is asked of its answers
 *     sim_client.c  what a receiver was sent: order, numbers, skips, repeats
 *     sim_model.c   who is entitled to what, worked out anew from the list of confirmed facts
 *     sim_log.c     the exported log: nothing confirmed is missing, every delivery has one end, counters agree */
#ifndef CAREHUB_SIM_H
#define CAREHUB_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core_fixture.h"

enum {
    PATIENTS = 3,
    PARTIES = 5, /* actors with a client each: az, gp, apo, nurse, kas */
    INBOXES = 6, /* one each, and a second; the nurses' is small */
    LIVES = 12,  /* sessions at a time */
    LANES_SIM = 2,
    EVENTS_MAX = 4096,
    FACTS_MAX = 4096,
    PENDING_MAX = 256,
    NUMBERS_MAX = 2048,
    GROUP_SIM = 3
};

enum party { AZ, GPS, APO, NURSES, KAS };
enum role_sim { ROLE_GP, ROLE_PHARMACIST, ROLE_COORDINATOR, ROLE_HOME_CARE, ROLE_INSURER, ROLES_SIM, ROLE_ANY = -1 };
enum type_sim { INCLUSION, DISCHARGE_T, MEDICATION, FALL, TYPES_SIM };

extern const char *const party_names[PARTIES], *const inbox_names[INBOXES], *const role_names[ROLES_SIM];
extern const enum party inbox_actors[INBOXES];

/* ---- What is promised ----------------------------------------------------------------------------------------------- */

struct event_sim {
    uint8_t id[16];
    enum party publisher;
    int patient;
    enum type_sim type;
    bool immediate, restricted, retracts;
    int addressed;  /* role, or ROLE_ANY */
    int corrects;   /* index of the original + 1; 0: none */
    int variant;    /* of its content */
    uint64_t place; /* 0: never confirmed so far */
    bool kept;      /* the log holds it */
};

enum fact_sim_kind {
    CONSENT_GIVEN_F,
    CONSENT_WITHDRAWN_F,
    MEMBER_ADDED_F,
    MEMBER_ENDED_F,
    GRANT_GIVEN_F,
    GRANT_ENDED_F,
    EXCLUDED_F,
    EXCLUSION_LIFTED_F,
    DECEASED_F,
    STANDING_F,
    INBOX_TYPES_F,
    INBOX_CLOSED_F,
    CLIENT_STANDING_F,
    DEAD_RETRIED_F,
    HELD_SETTLED_F,
    REPLAYED_F,
    FACT_KINDS
};

struct fact_sim {
    enum fact_sim_kind kind;
    int patient, actor, role, inbox;
    int64_t until_ms;
    int value; /* standing, classes, types (bits), mistaken, release */
    uint64_t held_place;
    uint8_t id[16];
    uint64_t place;
    int64_t at_ms;
};

/* One actor's rights to an event at a place of the log. */
struct right {
    enum { RIGHT_NONE, RIGHT_HOLD, RIGHT_DELIVER } is;
    int level;
    bool full_matters; /* it has an inbox with a small limit: may be held instead */
};

struct pending {
    uint64_t ref;
    uint64_t session;
    size_t n;
    struct {
        int event; /* index, or -1 */
        struct fact_sim fact;
    } items[GROUP_SIM];
    enum { EXPECT_ANY, EXPECT_REPEAT, EXPECT_CONFLICT, EXPECT_REFUSED } expect;
};

/* ---- A receiver --------------------------------------------------------------------------------------------------------- */

struct number_sim {
    uint64_t place;
    bool acked;     /* acknowledged, and that is committed */
    bool acking;    /* in the open batch */
    bool nacked;    /* was refused at some time */
    bool in_flight; /* on this attachment, and not refused since */
    bool again;     /* in flight after a refusal: only an acknowledgement of its own counts */
    bool gone;      /* skipped on this attachment */
};

/* What the log says of a delivery's slot. */
struct slot_sim {
    uint64_t place, decided; /* of the event, and of the entry that decided it: its own, or a release */
    bool ended, dead;
};

struct inbox_sim {
    uint64_t session; /* attached; 0: not */
    uint32_t handle;
    uint64_t epoch;
    int64_t credit;             /* events that the hub may still send */
    uint64_t cursor[LANES_SIM]; /* delivered or skipped on this attachment up to here */
    struct number_sim numbers[LANES_SIM][NUMBERS_MAX];
    struct slot_sim slots[LANES_SIM][NUMBERS_MAX];
    uint64_t last[LANES_SIM]; /* number given */
};

struct sim {
    struct hub *hub;
    uint64_t seed, random, op;
    const char *doing;
    uint64_t next_session, next_ref, counter;
    struct {
        uint64_t id;
        enum party party;
    } live[LIVES];
    struct event_sim events[EVENTS_MAX];
    size_t n_events;
    struct fact_sim facts[FACTS_MAX]; /* confirmed, by place */
    size_t n_facts;
    struct pending pending[PENDING_MAX];
    size_t n_pending;
    struct inbox_sim inboxes[INBOXES];
    uint64_t followed; /* the log has been looked at up to this place */
    struct {
        uint64_t place;
        int actor;
    } held[EVENTS_MAX];
    size_t n_held;
    struct {
        uint64_t events, facts, not_kept, acks, deliveries, repeats, rejects;
    } since_open;
    uint64_t n_crashes, n_delivered, n_ended[2]; /* acknowledged, otherwise */
    uint64_t n_later[4];                         /* by cause */
    uint64_t n_replays;                          /* not done yet */
};

_Noreturn void sim_fail(const struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
uint64_t sim_random(struct sim *sim, uint64_t below);

/* sim_send.c */
void sim_handle(struct sim *sim, uint64_t session, int key, Carehub__V1__ToHub *message);
/* Commits, and checks all that the core said since the last time. */
void sim_commit(struct sim *sim);
void sim_publish(struct sim *sim, uint64_t session, int key, struct pending *pending, bool conflict);
const Carehub__V1__Answer *sim_ask(struct sim *sim, const char *json);
void sim_open(struct sim *sim);
int sim_key(enum party party);

/* sim_client.c */
void client_attached(struct sim *sim, uint64_t session, const Carehub__V1__Attached *attached);
void client_detached(struct sim *sim, uint64_t session, const Carehub__V1__Detached *detached);
void client_deliver(struct sim *sim, uint64_t session, const Carehub__V1__Deliver *deliver);
void client_skip(struct sim *sim, uint64_t session, const Carehub__V1__Skip *skip);
void client_forget(struct inbox_sim *inbox);
/* Picks what a receiver could acknowledge; 0: nothing. */
uint64_t client_pick(struct sim *sim, struct inbox_sim *inbox, int lane);
void client_ack(struct sim *sim, int which, int lane, uint64_t from, uint64_t to, bool read);
void client_nack(struct sim *sim, int which, int lane, uint64_t number, bool final);
void client_committed(struct sim *sim, bool durable);

/* sim_model.c */
void model_add(struct sim *sim, const struct fact_sim *fact);
struct right model_right(const struct sim *sim, const struct event_sim *event, enum party actor, uint64_t through,
                         int64_t now_ms);
/* Was the ground (relation, consent, no exclusion) there all the time from a place to `through`? */
bool model_ground_held(const struct sim *sim, const struct event_sim *event, enum party actor, uint64_t from,
                       uint64_t through, int64_t now_ms);
unsigned model_inbox_types(const struct sim *sim, int inbox, uint64_t through);
bool model_closed(const struct sim *sim, int inbox, uint64_t through);

/* sim_log.c */
/* Takes in the entries that are new. */
void log_follow(struct sim *sim);
/* Compares the log with what the hub says of itself. Drained: nothing may wait any more. */
void log_check(struct sim *sim, bool drained);

#endif
