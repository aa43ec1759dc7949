/* route_case.h - a small world for the tests of routing: a policy, a dozen actors, one person's card, an
 * event. Everything lies in one struct, so a test changes what it is about and asks again. */
#ifndef ROUTE_CASE_H
#define ROUTE_CASE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "route/route.h"

#define REASON(name) CAREHUB__V1__REASON__##name
#define LEVEL(name) CAREHUB__V1__LEVEL__##name
#define OUTCOME(name) CAREHUB__V1__OUTCOME__##name
#define TYPE(name) CAREHUB__V1__EVENT_TYPE__##name

typedef Carehub__V1__PatientCard__Member relation_t;
typedef Carehub__V1__PatientCard__Consent consent_t;

enum { CASE_ACTORS = 12, CASE_RELATIONS = 16, CASE_CONSENTS = 4, CASE_INBOXES = 3, NOW_MS = 1000000 };

/* Actors have the numbers 1 to CASE_ACTORS. These play a part by default. */
enum { HOSPITAL = 1, GP = 2, PHARMACY = 3, NURSE = 4, STRANGER = 9, NO_ACTOR = 99 };

struct route_case {
    struct {
        char name[16];
        Carehub__V1__Standing standing;
        size_t n_inboxes;
        struct route_inbox inboxes[CASE_INBOXES];
    } actors[CASE_ACTORS + 1];
    relation_t members[CASE_RELATIONS], grants[CASE_RELATIONS];
    relation_t *member_at[CASE_RELATIONS], *grant_at[CASE_RELATIONS];
    consent_t consents[CASE_CONSENTS];
    consent_t *consent_at[CASE_CONSENTS];
    uint32_t excluded[CASE_ACTORS];
    Carehub__V1__PatientCard card;
    Carehub__V1__Addressee addressees[2];
    Carehub__V1__Addressee *addressee_at[2];
    Carehub__V1__Decision decisions[CASE_ACTORS];
    Carehub__V1__Decision *decision_at[CASE_ACTORS];
    Carehub__V1__Slot slots[CASE_ACTORS];
    Carehub__V1__Slot *slot_at[CASE_ACTORS];
    struct route_original original;
    struct route_input in;
};

static inline bool case_actor(void *ctx, uint32_t actor, struct route_actor *found)
{
    const struct route_case *c = ctx;
    if (actor == 0 || actor > CASE_ACTORS)
        return false;
    found->name = c->actors[actor].name;
    found->standing = c->actors[actor].standing;
    found->n_inboxes = c->actors[actor].n_inboxes;
    found->inboxes = c->actors[actor].inboxes;
    return true;
}

/* A policy in which the rows that `rows` holds (as they stand in a file, "    Type\n        role = cell\n")
 * are set, and all others are empty. Exits if it is not a policy: then the test itself is wrong. */
static inline struct policy *case_policy(const char *rows)
{
    static const char head[] = "policy\n    name = test\nroles\n    gp\n    pharmacist\n    home-nurse\n    home-care\n"
                               "    coordinator\n    case-manager\n    insurer\n    person\n"
                               "after-death\n    PatientDeceased\nmatrix\n";
    char text[8192], error[POLICY_ERROR_BYTES];
    size_t n = (size_t)snprintf(text, sizeof text, "%s%s", head, rows);
    for (int type = 1; type <= EVENT_TYPE_MAX; type++) {
        char row[80];
        snprintf(row, sizeof row, "    %s\n", event_type_name((Carehub__V1__EventType)type));
        if (!strstr(rows, row))
            n += (size_t)snprintf(text + n, sizeof text - n, "%s", row);
    }
    struct policy *policy = policy_read(text, n, error);
    if (!policy) {
        fprintf(stderr, "test policy: %s\n", error);
        exit(2);
    }
    return policy;
}

static inline relation_t *case_member(struct route_case *c, uint32_t actor, char *role)
{
    size_t i = c->card.n_members++;
    c->members[i] = (relation_t)CAREHUB__V1__PATIENT_CARD__MEMBER__INIT;
    c->members[i].actor = actor;
    c->members[i].role = role;
    c->members[i].since = 100 + i;
    return c->member_at[i] = &c->members[i];
}

static inline relation_t *case_grant(struct route_case *c, uint32_t actor, char *role, Carehub__V1__GrantKind kind)
{
    size_t i = c->card.n_grants++;
    c->grants[i] = (relation_t)CAREHUB__V1__PATIENT_CARD__MEMBER__INIT;
    c->grants[i].actor = actor;
    c->grants[i].role = role;
    c->grants[i].since = 200 + i;
    c->grants[i].grant = kind;
    c->grants[i].until_ms = NOW_MS + 1000;
    return c->grant_at[i] = &c->grants[i];
}

static inline consent_t *case_consent(struct route_case *c, Carehub__V1__Level classes)
{
    static char *continuity[] = {"quality", "continuity-of-care"};
    size_t i = c->card.n_consents++;
    c->consents[i] = (consent_t)CAREHUB__V1__PATIENT_CARD__CONSENT__INIT;
    c->consents[i].since = 300 + i;
    c->consents[i].purposes = continuity;
    c->consents[i].n_purposes = 2;
    c->consents[i].classes = classes;
    return c->consent_at[i] = &c->consents[i];
}

static inline void case_exclude(struct route_case *c, uint32_t actor)
{
    c->excluded[c->card.n_excluded++] = actor;
}

/* The event is a correction of one that `actor` had a decision on; a DELIVER went to its first inbox. */
static inline Carehub__V1__Decision *case_original(struct route_case *c, uint32_t actor, Carehub__V1__Outcome outcome,
                                                   Carehub__V1__Level level)
{
    size_t i = c->original.n_decisions++;
    c->slots[i] = (Carehub__V1__Slot)CAREHUB__V1__SLOT__INIT;
    c->slots[i].inbox = 10 * actor;
    c->slot_at[i] = &c->slots[i];
    c->decisions[i] = (Carehub__V1__Decision)CAREHUB__V1__DECISION__INIT;
    c->decisions[i].actor = actor;
    c->decisions[i].outcome = outcome;
    c->decisions[i].level = level;
    c->decisions[i].n_slots = outcome == OUTCOME(DELIVER);
    c->decisions[i].slots = &c->slot_at[i];
    c->decision_at[i] = &c->decisions[i];
    c->in.original = &c->original;
    return &c->decisions[i];
}

static inline void case_addressee(struct route_case *c, char *actor, char *role)
{
    size_t i = c->in.n_addressees++;
    c->addressees[i] = (Carehub__V1__Addressee)CAREHUB__V1__ADDRESSEE__INIT;
    c->addressees[i].to_case = actor ? CAREHUB__V1__ADDRESSEE__TO_ACTOR : CAREHUB__V1__ADDRESSEE__TO_ROLE;
    if (actor)
        c->addressees[i].actor = actor;
    else
        c->addressees[i].role = role;
    c->addressee_at[i] = &c->addressees[i];
}

/* All actors active with one inbox (number 10 × actor) that takes everything; an empty card; a discharge that
 * the hospital publishes. Must not be moved afterwards. */
static inline void case_empty(struct route_case *c, const struct policy *policy)
{
    memset(c, 0, sizeof *c);
    for (uint32_t i = 1; i <= CASE_ACTORS; i++) {
        snprintf(c->actors[i].name, sizeof c->actors[i].name, "actor-%u", i);
        c->actors[i].standing = CAREHUB__V1__STANDING__ACTIVE;
        c->actors[i].n_inboxes = 1;
        c->actors[i].inboxes[0] = (struct route_inbox){.inbox = 10 * i, .types = 1};
    }
    c->card = (Carehub__V1__PatientCard)CAREHUB__V1__PATIENT_CARD__INIT;
    c->card.members = c->member_at;
    c->card.grants = c->grant_at;
    c->card.consents = c->consent_at;
    c->card.excluded = c->excluded;
    c->original.decisions = c->decision_at;
    c->in = (struct route_input){.type = TYPE(HOSPITAL_DISCHARGE),
                                 .confidentiality = CAREHUB__V1__CONFIDENTIALITY__NORMAL,
                                 .publisher = HOSPITAL,
                                 .addressees = c->addressee_at,
                                 .now_ms = NOW_MS,
                                 .patient = &c->card,
                                 .policy = policy,
                                 .actor = case_actor,
                                 .ctx = c};
}

static inline bool case_same(const struct route_decision *a, const struct route_decision *b)
{
    bool same_role = a->role && b->role ? strcmp(a->role, b->role) == 0 : a->role == b->role;
    return same_role && a->actor == b->actor && a->outcome == b->outcome && a->reason == b->reason &&
           a->level == b->level && a->ground == b->ground && a->consent == b->consent && a->notice == b->notice &&
           a->n_inboxes == b->n_inboxes && memcmp(a->inboxes, b->inboxes, a->n_inboxes * sizeof *a->inboxes) == 0;
}

#endif
