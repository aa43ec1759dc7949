/* rules.h - the rules of the event catalogue, as a model that is much simpler than the hub, and random scenarios that
 * both are put through. Where they differ, the scenario is made as small as it gets and printed as text.
 *
 *     sim_rules.c       seeds, shrinking, replaying a text
 *     rules_scenario.c  what can happen, at random; rules_text.c: written as text, read from it
 *     rules_model.c     the reference: who is entitled to what, worked out anew for each question. Slow on purpose
 *     rules_facts.c     the reference: which facts must be taken, and what they change
 *     rules_play.c      plays a scenario on the hub's core, and asks at each step whether it did what the model says;
 *                       see rules_game.h
 *     rules_counts.c    what has occurred, so that it shows what the scenarios do not reach
 *
 * How deliveries move through lanes, with credit, refusals and crashes in between, is sim_core's part. */
#ifndef CAREHUB_RULES_H
#define CAREHUB_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PERSONS = 4,     /* registered ones; PERSONS itself is a stranger to the hub */
    ACTORS = 6,      /* numbered from 1, as the hub does: az, gp, apo, nurse, kas, and mia, who is an informal carer */
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
    END_ACTOR, /* for good */
    SUBSCRIBE,
    CLOSE,  /* its inbox, for good */
    POLICY, /* another is adopted: without the role home-care, or the default again */
    VERIFY,
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
    ID,    /* of an event, from 1; 0: whichever there is to settle or verify */
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
    YES,   /* mistaken; suspended; release; deaf; read; without the role */
    SCOPE, /* of a membership: bits of types; 0: all */
    ROOM,  /* of an inbox: how much may wait in it; 0: the hub's own limit */
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
    CARER_R,
    ROLES
};
enum type { NO_TYPE, INCLUSION_T, DISCHARGE_T, MEDICATION_T, FALL_T, DECEASED_T, EMERGENCY_T, TYPES };
enum grant { MEMBERSHIP, CASE_MANAGEMENT, INSURANCE, REFERRAL, EMERGENCY, SECONDARY_USE, GRANTS };
enum purpose { CARE_P = 1, RESEARCH_P = 2, QUALITY_P = 4, ALL_P = 7 };
enum { AZ_A = 1, GP_A, APO_A, NURSE_A, KAS_A, CARER_A };

struct op {
    enum op_kind kind;
    long long v[FIELDS];
};

/* Has what has this end come to it? */
static inline bool over(int64_t until, int64_t now)
{
    return until != 0 && until <= now;
}

extern const char *const actor_names[ACTORS + 1], *const role_names[ROLES], *const type_names[TYPES];

size_t scenario_random(uint64_t seed, size_t n, struct op *ops);
/* One line, without its end. */
extern const char *const kind_names[OP_KINDS];
void op_write(const struct op *op, char *line, size_t size);
bool op_read(const char *line, struct op *op);

/* ---- The model -------------------------------------------------------------------------------------------------- */

struct relation {
    uint64_t place;
    int actor, role, grant, level;
    unsigned scope; /* bits of types; 0: all */
    int purpose;    /* of secondary use */
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
    bool suspended[ACTORS + 1], ended[ACTORS + 1];
    bool deaf[ACTORS + 1];         /* its inbox takes PatientDeceased alone */
    bool closed[ACTORS + 1];       /* its inbox */
    long long room[ACTORS + 1];    /* of its inbox; 0: more than enough */
    long long waiting[ACTORS + 1]; /* in its inbox: whoever plays keeps it */
    bool without_role;             /* the policy in force knows no home-care */
};

enum got { GOT_NOTHING, GOT_NOTICE, GOT_CONTENT };

struct event {
    struct op op;
    bool known, kept; /* confirmed under this id; and there is an entry with decisions */
    bool cut;         /* to what a notice says: there was no consent, and only such to be told */
    bool unverified;
    int verifier; /* the first; 0: none */
    uint64_t verified_place;
    unsigned verified_by; /* bits of actors */
    unsigned in_line;     /* the same: have been told that another has not read it, or not read it themselves */
    int64_t id_ms, at_ms;
    uint64_t place;
    int person;     /* the record that it was filed under */
    bool corrected; /* by an amendment or retraction that was kept */
    enum got got[ACTORS + 1];
    int got_level[ACTORS + 1];
    bool held[ACTORS + 1], held_later[ACTORS + 1]; /* after its own decision: see take_later */
    int64_t held_until[ACTORS + 1];
};

#define WHY(name) (1ULL << CAREHUB__V1__REASON__##name) /* needs log.pb-c.h */

struct verdict {
    enum { WITHHELD, HELD, NOTICE, DELIVERED } is;
    int level;
    uint64_t reasons; /* bit n: reason n is a true one for withholding or holding */
    bool notice;      /* of a notice, also if it is held */
    bool entitled;    /* of what is not delivered: it is the inbox alone that stands in the way */
};

void world_begin(struct world *world);
int root_of(const struct world *world, int person);
/* Must the fact be taken? FROM and UNTIL are moments here. */
bool fact_good(const struct world *world, const struct op *op, int64_t now);
void fact_apply(struct world *world, const struct op *op, uint64_t place, int64_t now);
/* The place of the consent for a purpose (one of several bits will do), or 0; and the level that it covers. */
uint64_t consent_of(const struct world *world, int person, int purposes, int64_t now, int *level);
bool is_candidate(const struct world *world, int person, int actor, int64_t now);
/* `original`: of a correction, else NULL; of an amendment that is delivered later it is NULL, too. */
struct verdict judge(const struct world *world, const struct event *event, const struct event *original, int actor,
                     int64_t now);
/* The highest level that relations and consents entitle to, whatever happened to actor and person otherwise. */
int ground_of(const struct world *world, const struct event *event, int actor, int64_t now);
bool may_publish(int actor, int type);
/* The person's own side: may an informal carer enter such a thing? Others may. */
bool may_enter(const struct world *world, int person, int actor, int type, int64_t now);
bool type_by_relation(int type);
/* Takes what ended by its date off the lists, as an expiry entry says. False: there is no such thing, or it has not
 * ended. */
bool expire(struct record *record, uint64_t place, int64_t now);
/* Has something ended by its date, and is still there? */
bool overdue(const struct world *world, int64_t now);
/* The relation in force that was recorded there, or NULL. */
const struct relation *relation_at(const struct world *world, int person, int actor, uint64_t place, int64_t now);

enum { IN_LINE = 2 };
/* Where the actor stands in the line of those to whom goes on what others have not read: 1 is the first; 0: nowhere. */
int next_in_line(const struct world *world, int person, int actor, int64_t now);
/* How long a role has to read what is delivered at once; 0: for ever. */
int64_t unread_ms(int role, int type);
/* As an actor's decided fate may not depend on how full its inbox is once something waits there. */
struct world without_limits(const struct world *world);

/* ---- Playing ---------------------------------------------------------------------------------------------------- */

enum { CODES = 128 };

struct counts {
    unsigned long long events, not_kept, refused, facts, deliveries, notices, withdrawn, held, later, expired, crashes;
    /* by their codes: of decisions, of ends and why something was withdrawn, of entries, of later entries' causes, of
     * facts that were taken or refused */
    unsigned long long decided[CODES], ended[CODES], why[CODES], entries[CODES], causes[CODES], taken[OP_KINDS],
        refusals[OP_KINDS], skips, verified;
};

void counts_add(struct counts *all, const struct counts *one);
void counts_say(const struct counts *counts);
/* A table of everything that can be counted, with how often it occurred. */
void counts_table(const struct counts *counts);

/* Plays the scenario on a hub of its own. Never returns if the hub breaks a rule: says so on stderr, and exits with
 * status 1. */
void play(const struct op *ops, size_t n, struct counts *counts);

#endif
