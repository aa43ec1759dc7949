/* rules.h - the rules of the event catalogue, as a model that is much simpler than the hub, and random scenarios that
 * both are put through. Where they differ, the scenario is made as small as it gets and printed as text.
 *
 *     sim_rules.c       seeds, shrinking, replaying a text
 *     rules_scenario.c  what can happen: made at random, written as text, read from it
 *     rules_model.c     the reference: who is entitled to what, worked out anew for each question. Slow on purpose
 *     rules_hub.c       plays a scenario on the hub's core, and asks at each step whether it did what the model says
 *
 * How deliveries move through lanes, with credit, refusals and crashes in between, is sim_core's part. */
#ifndef CAREHUB_RULES_H
#define CAREHUB_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PERSONS = 4,     /* registered ones; PERSONS itself is a stranger to the hub */
    ACTORS = 5,      /* numbered from 1, as the hub does: az, gp, apo, nurse, kas */
    OPS = 8192,      /* of one scenario */
    RELATIONS = 128, /* of one person; so are these */
    CONSENTS = 32,   /* the hub's own limit */
    SETTINGS = 16,
    LANES_OF = 2
};

/* ---- Scenarios -------------------------------------------------------------------------------------------------- */

enum op_kind {
    EVENT,    /* publishes a new event */
    AGAIN,    /* the same once more */
    CONFLICT, /* other content under the same id */
    CONSENT,
    WITHDRAW,
    MEMBER,
    LEAVE,
    GRANT,
    REVOKE,
    EXCLUDE,
    READMIT,
    SETTING,
    LIFT,
    DEATH,
    MERGE,
    SEPARATE,
    STANDING,
    SUBSCRIBE,
    SETTLE,
    REPLAY,
    ATTACH,
    DETACH,
    ACK,
    WAIT_MS,
    COMMIT,
    CRASH,
    OP_KINDS
};

/* What an operation says. 0 is “not said” for each, and not written; so a scenario shrinks by setting fields to 0. */
enum field {
    ID,    /* of an event, from 1 */
    ACTOR, /* 0: any, where that makes sense */
    PERSON,
    OTHER,
    ROLE,
    TYPE,
    LEVEL,
    KIND,  /* of a grant */
    FROM,  /* ms from then on; 0: open */
    UNTIL, /* the same */
    ORIGINAL,
    PURPOSES, /* bits of enum purpose */
    NAME,     /* of a setting */
    TO_ROLE,
    TO_ACTOR,
    PROOF,
    URGENT,
    CONFIDENTIAL,
    RETRACTS,
    RELAXES,
    YES, /* mistaken; suspended; release */
    MS,
    FIELDS
};

enum role {
    NO_ROLE,
    GP_R,
    PHARMACIST_R,
    NURSE_R,
    HOME_CARE_R,
    COORDINATOR_R,
    CASE_MANAGER_R,
    INSURER_R,
    REFERRAL_R,
    EMERGENCY_R,
    ROLES
};
enum type { NO_TYPE, INCLUSION_T, DISCHARGE_T, MEDICATION_T, FALL_T, DECEASED_T, EMERGENCY_T, TYPES };
enum grant { MEMBERSHIP, CASE_MANAGEMENT, INSURANCE, REFERRAL, EMERGENCY, GRANTS };
enum purpose { CARE_P = 1, RESEARCH_P = 2 };
enum { AZ_A = 1, GP_A, APO_A, NURSE_A, KAS_A };

struct op {
    enum op_kind kind;
    long long v[FIELDS];
};

extern const char *const actor_names[ACTORS + 1], *const role_names[ROLES], *const type_names[TYPES];

size_t scenario_random(uint64_t seed, size_t n, struct op *ops);
/* One line, without its end. */
void op_write(const struct op *op, char *line, size_t size);
bool op_read(const char *line, struct op *op);

/* ---- The model -------------------------------------------------------------------------------------------------- */

struct relation {
    uint64_t place;
    int actor, role, grant, level;
    int64_t from, until;
};

struct consent {
    uint64_t place;
    int purposes, level;
    int64_t from, until;
};

struct setting {
    uint64_t place;
    int name, actor, role, type, level;
    bool relaxes;
    int64_t from, until;
};

struct record {
    struct relation relations[RELATIONS];
    struct consent consents[CONSENTS];
    struct setting settings[SETTINGS];
    size_t n_relations, n_consents, n_settings;
    unsigned excluded, inherited[PERSONS]; /* bits of actors: its own, and what came with a merged record */
    bool deceased;
    int into; /* merged into; -1: nobody */
};

struct world {
    struct record persons[PERSONS];
    bool suspended[ACTORS + 1];
    bool deaf[ACTORS + 1]; /* its inbox takes PatientDeceased alone */
};

enum got { GOT_NOTHING, GOT_NOTICE, GOT_CONTENT };

struct event {
    struct op op;
    bool known, kept; /* confirmed under this id; and there is an entry with decisions */
    int64_t id_ms, at_ms;
    uint64_t place;
    int person;     /* the record that it was filed under */
    bool corrected; /* by an amendment or retraction that was kept */
    enum got got[ACTORS + 1];
    int got_level[ACTORS + 1];
    bool held[ACTORS + 1], held_later[ACTORS + 1]; /* after its own decision: see take_later */
    int64_t held_until[ACTORS + 1];
};

struct verdict {
    enum { WITHHELD, HELD, NOTICE, DELIVERED } is;
    int level;
    uint64_t reasons; /* bit n: reason n is a true one for withholding or holding */
};

void world_begin(struct world *world);
int root_of(const struct world *world, int person);
/* Must the fact be taken? FROM and UNTIL are moments here. */
bool fact_good(const struct world *world, const struct op *op, int64_t now);
void fact_apply(struct world *world, const struct op *op, uint64_t place, int64_t now);
/* The place of the consent for continuity of care, or 0; and the level that it covers. */
uint64_t consent_of(const struct world *world, int person, int64_t now, int *level);
bool is_candidate(const struct world *world, int person, int actor, int64_t now);
/* `original`: of a correction, else NULL; of an amendment that is delivered later it is NULL, too. */
struct verdict judge(const struct world *world, const struct event *event, const struct event *original, int actor,
                     int64_t now);
/* The highest level that relations and consents entitle to, whatever happened to actor and person otherwise. */
int ground_of(const struct world *world, const struct event *event, int actor, int64_t now, uint64_t *reasons);
bool may_publish(int actor, int type);
bool type_by_relation(int type);
/* Takes what ended by its date off the lists, as an expiry entry says. False: there is no such thing, or it has not
 * ended. */
bool expire(struct record *record, uint64_t place, int64_t now);
/* Has something ended by its date, and is still there? */
bool overdue(const struct world *world, int64_t now);
/* Is there such a relation in force? */
bool relation_at(const struct world *world, int person, int actor, uint64_t place, int64_t now);

/* Is the actor a member in a role to which what is not read goes on? */
bool next_in_line(const struct world *world, int person, int actor, int64_t now);

/* ---- Playing ---------------------------------------------------------------------------------------------------- */

struct counts {
    unsigned long long events, not_kept, refused, facts, deliveries, notices, withdrawn, held, later, expired, crashes;
};

/* Plays the scenario on a hub of its own. Never returns if the hub breaks a rule: says so on stderr, and exits with
 * status 1. */
void play(const struct op *ops, size_t n, struct counts *counts);

#endif
