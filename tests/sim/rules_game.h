/* rules_game.h - a scenario that is being played: what has been said to the hub, what it has confirmed, logged and
 * delivered, and the versions of the model's world. Inside rules_*.c only; one at a time, in a process of its own. */
#ifndef CAREHUB_RULES_GAME_H
#define CAREHUB_RULES_GAME_H

#include "rules.h"

#include "core_fixture.h"

#define STATUS(name) CAREHUB__V1__CONFIRMATION__STATUS__##name

typedef Carehub__V1__Entry Entry;
typedef Carehub__V1__Decision Decision;

enum {
    FIRST_NUMBER = 2, /* of our persons: the fixture has one of its own */
    NUMBERS = 8192,   /* of a lane */
    PENDING = 256,
    OWN_EVENTS = 1024, /* that the hub makes itself */
    TAKEN_MAX = 4096,  /* entries of one commit */
};
#define WINDOW_MS (90LL * 24 * 3600000) /* of rule 7; a delivery lives as long */

struct slot {
    uint64_t place, decided; /* of the event, and of the entry that decided: its own, a release, or a later one */
    int64_t decided_at;
    bool acked; /* said, whatever became of it */
    bool ended;
    bool later;
};

struct lane {
    struct slot slots[NUMBERS];
    uint64_t last, cursor;
};

struct receiver {
    bool attached;
    uint32_t handle;
    uint64_t epoch;
    struct lane lanes[LANES_OF];
    long long waiting; /* of both lanes: neither ended nor acknowledged */
};

struct submitted {
    struct op op;
    uint64_t ref;
    int64_t at;
    const Carehub__V1__Confirmation *answer;
};

/* Of what must be read by a time. */
struct watch {
    uint64_t place; /* of the entry that decided */
    size_t event;   /* index */
    int actor;
    enum lane_is { ORDINARY_LANE, IMMEDIATE_LANE } lane;
    uint64_t number;
    int64_t due;
    bool read, told, nobody; /* it has gone on to somebody; nobody was left */
};

struct version {
    uint64_t place;
    int64_t at;
    struct op op; /* that led to it; kind OP_KINDS: an expiry */
    struct world *world;
};

struct game {
    struct hub *hub;
    size_t step;
    struct event events[OPS + 1 + OWN_EVENTS]; /* by id; then those of the hub's own making */
    size_t n_own;
    struct version *versions;
    size_t n_versions;
    struct submitted pending[PENDING];
    size_t n_pending;
    const Entry *entries[TAKEN_MAX];
    size_t n_entries, at_entry;
    uint64_t followed, promised; /* places: of the log, and confirmed to somebody */
    struct receiver receivers[ACTORS + 1];
    struct {
        int actor;
        uint64_t place;
        bool release;
    } settled; /* by an operator, just now */
    struct {
        uint64_t place, event_place;
        bool to[ACTORS + 1]; /* whom it has still to be told */
        bool open;
    } verified; /* just now, for the first time */
    struct watch *watches;
    size_t n_watches;
    struct counts *counts;
};
extern struct game game;

/* ---- rules_past.c ----------------------------------------------------------------------------------------------- */

/* Says at which step the hub broke which rule, and ends the process. */
_Noreturn void broken(const char *format, ...) __attribute__((format(printf, 1, 2)));

const struct world *latest(void);
size_t version_at(uint64_t place);
/* A new version of the world, to be changed in place. */
struct world *change(const struct op *op, uint64_t place, int64_t at);
struct event *event_at(uint64_t place);
const struct event *original_of(const struct event *event);
/* What is delivered after its own decision is decided as an ordinary event, but for a retraction: that goes to those
 * alone who had what it takes back. */
const struct event *original_for(const struct event *event, bool later);
bool ground_held(const struct event *event, int actor, uint64_t from, uint64_t through, int64_t now);
bool ground_changed(const struct event *event, int actor, const struct slot *slot);

/* ---- rules_say.c ------------------------------------------------------------------------------------------------ */

session_id session_of(int actor);
void id_bytes(long long id, int64_t ms, uint8_t bytes[16]);
void publish_event(const struct op *op, const struct event *event);
void publish_fact(const struct op *op);

/* ---- rules_decided.c -------------------------------------------------------------------------------------------- */

/* What the rules say of an event: is anything of it kept? */
enum fate { FATE_KEPT, FATE_NOT_KEPT, FATE_REFUSED, FATE_ANY };

enum fate fate_of(const struct event *event, struct verdict verdicts[ACTORS + 1], int64_t now);
void check_decision(const struct event *event, int actor, const Decision *decision, const struct verdict *verdict,
                    int64_t now);
/* Notes it: what was received stays received. `entry` is the one that holds it. */
void follow_decision(struct event *event, int actor, const Decision *decision, const Entry *entry, bool later);
/* May the event be verified by this actor, and what follows from it? */
bool verify_good(const struct op *op, int64_t now);
void follow_verified(const struct op *op, uint64_t place);
/* Compares an event's entry with the verdicts, if they are sure, and notes it. */
void follow_event(struct event *event, const Entry *entry, const struct verdict verdicts[ACTORS + 1], bool sure);

/* ---- rules_log.c ------------------------------------------------------------------------------------------------ */

void follow_entry(const Entry *entry);
/* Up to `place`, which is not taken but returned. */
const Entry *follow_until(uint64_t place);

/* ---- rules_answers.c -------------------------------------------------------------------------------------------- */

void event_answered(const struct submitted *s);
void fact_answered(const struct submitted *s);

/* ---- rules_unread.c --------------------------------------------------------------------------------------------- */

/* What was put into a slot by the entry at a place may have to be read. */
void watch_add(const struct event *event, int actor, const Decision *decision, uint64_t place, int64_t at);
void watch_read(int actor, int lane, uint64_t number);
/* Checks an escalation. */
void watch_escalated(const Entry *entry);
/* Nothing that was due before `at` was left unsaid. */
void watches_kept(int64_t at);

/* ---- rules_heard.c ---------------------------------------------------------------------------------------------- */

/* Takes what a session was sent. */
void hear(session_id to, const Carehub__V1__ToClient *message);

#endif
