/* route.c - who is a candidate, and which of an actor's relations serves it best. */
#include "route_rules.h"

#include <string.h>

/* ---- One actor -------------------------------------------------------------------------------------------------- */

static Carehub__V1__Reason granted(const struct look *look)
{
    if (look->grant)
        return look->by_relation ? REASON(GRANT_BY_RELATION) : REASON(GRANT_WITH_CONSENT);
    return look->by_relation ? REASON(MEMBER_BY_RELATION) : REASON(MEMBER_WITH_CONSENT);
}

/* The decision that a look came to. Sets each field by itself: it runs for every relation of every event, and
 * unused inboxes need no clearing. */
static void conclude(const struct look *look, Carehub__V1__Reason denial, struct route_decision *out)
{
    bool passed = denial == PASSED;
    out->actor = look->number;
    out->reason = passed ? granted(look) : denial;
    out->outcome = reason_outcome(out->reason);
    out->level = passed ? look->level : LEVEL(LEVEL_NONE);
    out->role = look->relation ? look->relation->role : NULL;
    out->ground = look->relation ? look->relation->since : 0;
    out->consent = passed && !look->by_relation ? look->consent->since : 0;
    out->notice = false;
    out->n_inboxes = passed ? look->n_inboxes : 0;
    for (size_t i = 0; i < out->n_inboxes; i++)
        out->inboxes[i] = look->inboxes[i];
}

static int outcome_rank(Carehub__V1__Outcome outcome)
{
    return outcome == OUTCOME(DELIVER) ? 2 : outcome == OUTCOME(HOLD) ? 1 : 0;
}

/* Deliver before hold before withhold; then the higher level; then the one that got further in the rules. */
static bool better(const struct route_decision *a, size_t a_passed, const struct route_decision *b, size_t b_passed)
{
    if (a->outcome != b->outcome)
        return outcome_rank(a->outcome) > outcome_rank(b->outcome);
    return a->level != b->level ? a->level > b->level : a_passed > b_passed;
}

void decide_ordinary(struct look *look, struct route_decision *out, int *best)
{
    const struct question *question = look->question;
    size_t passed = 0, best_passed = 0;
    *best = -1;
    Carehub__V1__Reason denial = rules_run(actor_rules, ACTOR_RULES, look, &passed, NULL, NULL);
    if (denial != PASSED) {
        conclude(look, denial, out);
        return;
    }
    for (size_t i = 0; i < question->n_relations; i++) {
        if (question->actors[i] != look->number)
            continue;
        struct route_decision another;
        bool first = *best < 0;
        look_at_relation(look, (int)i);
        denial = rules_run(relation_rules, RELATION_RULES, look, &passed, NULL, NULL);
        conclude(look, denial, first ? out : &another);
        if (!first && !better(&another, passed, out, best_passed))
            continue;
        if (!first)
            *out = another;
        *best = (int)i;
        best_passed = passed;
    }
    if (*best < 0)
        conclude(look, rules_run(relation_rules, RELATION_RULES, look, &passed, NULL, NULL), out);
}

/* No content, to the same inboxes: all that someone who is no longer entitled is told. Held, it is a notice already: no
 * more than that need be kept. */
static void make_notice(struct look *look, struct route_decision *decision)
{
    look_at_relation(look, -1);
    Carehub__V1__Reason denial = check_suspended(look);
    if (denial == PASSED)
        denial = check_inbox(look);
    *decision = (struct route_decision){
        .actor = look->number,
        .reason = denial == PASSED ? REASON(CORRECTION_NOTICE) : denial,
        .role = decision->role,
        .n_inboxes = look->n_inboxes,
    };
    memcpy(decision->inboxes, look->inboxes, look->n_inboxes * sizeof *decision->inboxes);
    decision->outcome = reason_outcome(decision->reason);
    decision->notice = decision->outcome != OUTCOME(WITHHOLD);
}

/* A hold stays one: it is decided again when it is released. The publisher knows what it corrected. */
bool decide_correction(struct look *look, struct route_decision *decision)
{
    if (!look->received || !look->known || decision->outcome == OUTCOME(HOLD) ||
        decision->reason == REASON(NOT_SUBSCRIBED) || look->number == look->question->in->publisher)
        return false;
    Carehub__V1__Level then = look->received->notice ? LEVEL(LEVEL_NONE) : look->received->level;
    if (decision->outcome != OUTCOME(DELIVER) || then == LEVEL(LEVEL_NONE)) {
        make_notice(look, decision);
        return true;
    }
    decision->reason = REASON(CORRECTION_OF_RECEIVED);
    if (then < decision->level)
        decision->level = then;
    return true;
}

static void decide(const struct question *question, uint32_t actor, struct route_decision *out)
{
    struct look look;
    int relation;
    look_at_actor(&look, question, actor);
    decide_ordinary(&look, out, &relation);
    decide_correction(&look, out);
}

void route_one(const struct route_input *in, uint32_t actor, struct route_decision *out)
{
    struct question question;
    if (question_open(&question, in))
        decide(&question, actor, out);
    else
        *out = (struct route_decision){.actor = actor, .outcome = OUTCOME(WITHHOLD), .reason = REASON(DECISION_FAILED)};
}

/* ---- All candidates --------------------------------------------------------------------------------------------- */

struct candidates {
    struct question question;
    struct route_decision *out;
    size_t n;
    size_t max;
};

/* Decides for a candidate, once. False if there is no room. */
static bool candidate(struct candidates *all, uint32_t actor)
{
    for (size_t i = 0; i < all->n; i++)
        if (all->out[i].actor == actor)
            return true;
    if (all->n == all->max)
        return false;
    decide(&all->question, actor, &all->out[all->n++]);
    return true;
}

int route_event(const struct route_input *in, struct route_decision *out, size_t max)
{
    struct candidates all;
    all.out = out;
    all.n = 0;
    all.max = max;
    if (!question_open(&all.question, in))
        return -1;
    for (size_t i = 0; i < all.question.n_relations; i++)
        if (!candidate(&all, all.question.actors[i]))
            return -1;
    for (size_t i = 0; in->original && i < in->original->n_decisions; i++) {
        const Carehub__V1__Decision *decision = in->original->decisions[i];
        if (decision->outcome == OUTCOME(DELIVER) && !candidate(&all, decision->actor))
            return -1;
    }
    return (int)all.n;
}
