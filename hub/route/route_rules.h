/* route_rules.h - the rules of routing, as one table that deciding and explaining both run: so an explanation
 * cannot differ from the decision. Inside route*.c only. Pure, thread-safe, no allocation. */
#ifndef CAREHUB_ROUTE_RULES_H
#define CAREHUB_ROUTE_RULES_H

#include "route.h"

enum { RELATIONS_MAX = 2 * MEMBERS_MAX };

/* What is the same for all candidates of one event. */
struct question {
    const struct route_input *in;
    const Carehub__V1__PatientCard *card;             /* never NULL: a person not known has an empty one */
    const Carehub__V1__PatientCard__Consent *consent; /* for continuity of care, in force; NULL: none */
    size_t n_relations;                               /* memberships, then grants, of the card */
    uint32_t actors[RELATIONS_MAX];                   /* of each; side by side, since they are searched often */
};

/* One actor, looked at by one of its relations to the person. The rules fill it in as they pass. */
struct look {
    const struct question *question;
    /* the actor */
    uint32_t number;
    bool known;
    struct route_actor actor;
    const Carehub__V1__Decision *received; /* the original's delivery to this actor, if this is a correction of it */
    /* one relation */
    const Carehub__V1__PatientCard__Member *relation; /* NULL: none */
    bool grant;                                       /* it is a grant, not a membership */
    const struct policy_cell *cell;
    Carehub__V1__Level level;                         /* of the view, so far */
    const Carehub__V1__PatientCard__Consent *consent; /* for what the relation is for, in force; NULL: none */
    bool by_relation;                                 /* granted without consent */
    uint8_t n_inboxes;
    uint32_t inboxes[ROUTE_SLOTS_MAX];
};

/* Says in `to` what a rule found: its code, parts and text. `denial` is what it returned. */
typedef void rule_finding_fn(const struct look *look, Carehub__V1__Reason denial, struct route_rule *to);

struct rule {
    Carehub__V1__Reason code;                        /* its usual denial */
    Carehub__V1__Reason (*check)(struct look *look); /* REASON_UNSPECIFIED: passed; otherwise why it denies */
    rule_finding_fn *finding;
};

/* First those on the actor alone, then those on each of its relations. Each may count on those before it. */
enum { ACTOR_RULES = 4, RELATION_RULES = 11 };
extern const struct rule actor_rules[ACTOR_RULES];
extern const struct rule relation_rules[RELATION_RULES];

/* Is told of each rule that was looked at. */
typedef void rule_seen_fn(void *ctx, const struct look *look, const struct rule *rule, Carehub__V1__Reason denial);

/* Runs rules in order, to the first that denies. Returns its reason, or REASON_UNSPECIFIED; *passed is the
 * number of rules that passed. `seen` may be NULL. */
Carehub__V1__Reason rules_run(const struct rule *rules, size_t n, struct look *look, size_t *passed, rule_seen_fn *seen,
                              void *ctx);

/* Begins. False if the card holds more relations than the registry may ever let in: then nothing is decided.
 */
bool question_open(struct question *question, const struct route_input *in);
void look_at_actor(struct look *look, const struct question *question, uint32_t actor);
void look_at_relation(struct look *look, int relation); /* its number; -1: none */

/* Decides for the actor as for any event, by its best relation. *relation is that one's number; -1: the
 * actor's own rules, or that there is no relation at all, decided. */
void decide_ordinary(struct look *look, struct route_decision *out, int *relation);

/* Then, for whoever received the original of a correction: changes the decision accordingly. True if it did.
 */
bool decide_correction(struct look *look, struct route_decision *decision);

/* Is the relation a grant for secondary use, which needs a consent of its own? */
bool is_secondary(const struct look *look);

/* Confidential is all that is not plainly normal: a value of a newer publisher, too. */
bool is_confidential(const struct route_input *in);

/* Those rules that are also asked for a notice. */
Carehub__V1__Reason check_suspended(struct look *look);
Carehub__V1__Reason check_inbox(struct look *look);

/* What a reason amounts to. */
Carehub__V1__Outcome reason_outcome(Carehub__V1__Reason reason);

/* What the rules found, for people (route_explain.c). */
rule_finding_fn find_known, find_received, find_standing, find_excluded, find_relation, find_addressed, find_role,
    find_cell, find_settings, find_restricted, find_consent, find_deceased, find_own, find_suspended, find_inbox;

/* Short names for what is used most. */
#define REASON(name) CAREHUB__V1__REASON__##name
#define FOUND(name) CAREHUB__V1__FINDING__FOUND_##name
#define LEVEL(name) CAREHUB__V1__LEVEL__##name
#define OUTCOME(name) CAREHUB__V1__OUTCOME__##name
#define PASSED REASON(REASON_UNSPECIFIED)

#endif
