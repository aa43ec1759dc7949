/* The reference model: the rules as they are written in the event catalogue and in the registry's facts, for the cells
 * of the default policy that the scenarios use. Nothing is kept ready: each question is worked out from lists. */
#include "rules.h"

#include <string.h>

#include "carehub/v1/log.pb-c.h"

enum { ADMINISTRATIVE = 1, CARE, CLINICAL };
enum { BY_RELATION = 8, RESTRICTED_TOO = 16, PERSONAL = 32, LEVEL_BITS = 7 };

static const int cells[TYPES][ROLES] = {
    [INCLUSION_T] = {[GP_R] = CLINICAL | BY_RELATION | PERSONAL,
                     [PHARMACIST_R] = CARE,
                     [NURSE_R] = CLINICAL,
                     [HOME_CARE_R] = ADMINISTRATIVE,
                     [COORDINATOR_R] = CLINICAL,
                     [CASE_MANAGER_R] = CARE,
                     [INSURER_R] = ADMINISTRATIVE,
                     [CARER_R] = CARE},
    [DISCHARGE_T] = {[GP_R] = CLINICAL | RESTRICTED_TOO,
                     [PHARMACIST_R] = CLINICAL,
                     [NURSE_R] = CLINICAL,
                     [HOME_CARE_R] = CARE,
                     [COORDINATOR_R] = CARE,
                     [CASE_MANAGER_R] = CARE,
                     [CARER_R] = CARE},
    [MEDICATION_T] = {[GP_R] = CLINICAL | RESTRICTED_TOO,
                      [PHARMACIST_R] = CLINICAL | RESTRICTED_TOO,
                      [NURSE_R] = CLINICAL,
                      [HOME_CARE_R] = CARE,
                      [COORDINATOR_R] = CARE,
                      [EMERGENCY_R] = CLINICAL,
                      [CARER_R] = CARE},
    [FALL_T] = {[GP_R] = CLINICAL | RESTRICTED_TOO,
                [PHARMACIST_R] = CLINICAL,
                [NURSE_R] = CLINICAL,
                [HOME_CARE_R] = CARE,
                [COORDINATOR_R] = CARE,
                [CASE_MANAGER_R] = CARE,
                [CARER_R] = CARE},
    [DECEASED_T] = {[GP_R] = CLINICAL,
                    [PHARMACIST_R] = ADMINISTRATIVE,
                    [NURSE_R] = CARE,
                    [HOME_CARE_R] = ADMINISTRATIVE,
                    [COORDINATOR_R] = CARE,
                    [CASE_MANAGER_R] = ADMINISTRATIVE,
                    [REFERRAL_R] = ADMINISTRATIVE,
                    [CARER_R] = CARE},
    [EMERGENCY_T] = {[GP_R] = CLINICAL | RESTRICTED_TOO,
                     [PHARMACIST_R] = ADMINISTRATIVE,
                     [NURSE_R] = ADMINISTRATIVE,
                     [HOME_CARE_R] = ADMINISTRATIVE,
                     [COORDINATOR_R] = CLINICAL,
                     [CARER_R] = ADMINISTRATIVE},
};

bool type_by_relation(int type)
{
    return type == INCLUSION_T;
}

/* What a gp has to read in time, if it is delivered at once. */
int64_t unread_ms(int role, int type)
{
    bool watched = type == DISCHARGE_T || type == FALL_T || type == DECEASED_T;
    return role == GP_R && watched ? 24LL * 3600 * 1000 : 0;
}

/* As the scenario's clients are registered. */
bool may_publish(int actor, int type)
{
    return actor == AZ_A || actor == GP_A || actor == CARER_A || (actor == APO_A && type == MEDICATION_T) ||
           (actor == NURSE_A && type == FALL_T);
}

void world_begin(struct world *world)
{
    memset(world, 0, sizeof *world);
    for (int i = 0; i < PERSONS; i++)
        world->persons[i].into = -1;
}

int root_of(const struct world *world, int person)
{
    while (person < PERSONS && world->persons[person].into >= 0)
        person = world->persons[person].into;
    return person;
}

static bool in_force(int64_t from, int64_t until, int64_t now)
{
    return from <= now && !over(until, now);
}

static int lesser(int a, int b)
{
    return a < b ? a : b;
}

static bool excluded(const struct record *record, int actor)
{
    unsigned all = record->excluded;
    for (int i = 0; i < PERSONS; i++)
        all |= record->inherited[i];
    return all >> actor & 1;
}

static bool in_scope(const struct relation *relation, int type)
{
    return !relation->scope || relation->scope >> type & 1;
}

bool may_enter(const struct world *world, int person, int actor, int type, int64_t now)
{
    const struct record *record = &world->persons[person];
    for (size_t i = 0; i < record->n_relations; i++) {
        const struct relation *one = &record->relations[i];
        if (one->actor == actor && in_force(one->from, one->until, now) && in_scope(one, type))
            return true;
    }
    return actor != CARER_A;
}

/* ---- One relation ----------------------------------------------------------------------------------------------- */

/* Of several in force the one given last counts. */
uint64_t consent_of(const struct world *world, int person, int purposes, int64_t now, int *level)
{
    const struct consent *last = NULL;
    *level = 0;
    for (size_t i = 0; person < PERSONS && i < world->persons[person].n_consents; i++) {
        const struct consent *one = &world->persons[person].consents[i];
        if ((one->purposes & purposes) && in_force(one->from, one->until, now))
            last = one;
    }
    if (last)
        *level = last->level ? last->level : CLINICAL;
    return last ? last->place : 0;
}

/* May this actor have this event now? And what is found on the way. */
struct question {
    const struct world *world;
    const struct event *event;
    int person, actor;
    int64_t now;
    bool whatever_policy;  /* a role that it does not know is no reason */
    uint64_t reasons;      /* true ones for withholding */
    bool personal, unsure; /* must be told; some relation has a role that nobody knows */
};

static bool applies(const struct setting *setting, const struct relation *to, int type, int64_t now)
{
    return (!setting->actor || setting->actor == to->actor) && (!setting->role || setting->role == to->role) &&
           (!setting->type || setting->type == type) && in_force(setting->from, setting->until, now);
}

static bool coordinates(const struct record *record, int actor, int64_t now)
{
    for (size_t i = 0; i < record->n_relations; i++) {
        const struct relation *one = &record->relations[i];
        if (one->actor == actor && one->grant == MEMBERSHIP && one->role == COORDINATOR_R &&
            in_force(one->from, one->until, now))
            return true;
    }
    return false;
}

/* The matrix, lifted by relaxations; then what the relation allows; then the person's restrictions. */
static int level_by_settings(const struct question *q, const struct relation *relation, uint64_t *why)
{
    const struct record *record = &q->world->persons[q->person];
    int type = (int)q->event->op.v[TYPE], level = cells[type][relation->role] & LEVEL_BITS;
    for (size_t i = 0; i < record->n_settings; i++)
        if (record->settings[i].relaxes && applies(&record->settings[i], relation, type, q->now) &&
            record->settings[i].level > level)
            level = record->settings[i].level;
    if (relation->level)
        level = lesser(level, relation->level);
    if (relation->grant == INSURANCE)
        level = lesser(level, ADMINISTRATIVE);
    if (!level)
        *why |= WHY(CELL_NONE);
    for (size_t i = 0; i < record->n_settings; i++)
        if (!record->settings[i].relaxes && applies(&record->settings[i], relation, type, q->now)) {
            level = lesser(level, record->settings[i].level);
            if (!level)
                *why |= WHY(RESTRICTED_BY_PERSON);
        }
    return level;
}

/* Secondary use has a consent of its own, and nothing replaces that. */
static int level_by_consent(const struct question *q, const struct relation *relation, int level, uint64_t *why)
{
    int covered;
    bool secondary = relation->grant == SECONDARY_USE;
    bool by_relation = !secondary && (cells[q->event->op.v[TYPE]][relation->role] & BY_RELATION);
    consent_of(q->world, q->person, secondary ? relation->purpose : CARE_P, q->now, &covered);
    if (!by_relation || covered >= level)
        level = lesser(level, covered);
    if (!level)
        *why |= secondary ? WHY(NO_CONSENT_FOR_PURPOSE) : WHY(NO_CONSENT);
    return level;
}

static int level_in(struct question *q, const struct relation *relation)
{
    const struct record *record = &q->world->persons[q->person];
    const struct op *op = &q->event->op;
    uint64_t why = 0;
    if (!in_force(relation->from, relation->until, q->now))
        why |= relation->from > q->now ? WHY(RELATION_NOT_STARTED) : WHY(RELATION_ENDED);
    if (relation->grant == CASE_MANAGEMENT && coordinates(record, relation->actor, q->now))
        why |= WHY(DECISION_FAILED);
    if ((op->v[TO_ROLE] || op->v[TO_ACTOR]) && op->v[TO_ROLE] != relation->role && op->v[TO_ACTOR] != relation->actor)
        why |= WHY(NOT_ADDRESSED);
    if (!why && relation->role == HOME_CARE_R && q->world->without_role && !q->whatever_policy) {
        q->unsure = true;
        return 0;
    }
    if (!in_scope(relation, (int)op->v[TYPE]))
        why |= WHY(OUTSIDE_SCOPE);
    if (op->v[CONFIDENTIAL] && !(cells[op->v[TYPE]][relation->role] & RESTRICTED_TOO))
        why |= WHY(RESTRICTED_EVENT);
    int level = level_by_consent(q, relation, level_by_settings(q, relation, &why), &why);
    q->reasons |= why;
    return why ? 0 : level;
}

/* ---- Entitled to what ------------------------------------------------------------------------------------------- */

static int best_level(struct question *q)
{
    const struct record *record = &q->world->persons[q->person];
    int best = 0;
    bool any = false;
    for (size_t i = 0; i < record->n_relations; i++) {
        const struct relation *relation = &record->relations[i];
        if (relation->actor != q->actor)
            continue;
        any = true;
        int level = level_in(q, relation);
        if (level && (cells[q->event->op.v[TYPE]][relation->role] & PERSONAL))
            q->personal = true;
        best = level > best ? level : best;
    }
    q->reasons |= any ? 0 : WHY(NO_RELATION);
    return best;
}

int ground_of(const struct world *world, const struct event *event, int actor, int64_t now)
{
    int person = root_of(world, event->person);
    struct question q = {
        .world = world, .event = event, .person = person, .actor = actor, .now = now, .whatever_policy = true};
    return excluded(&world->persons[person], actor) ? 0 : best_level(&q);
}

const struct relation *relation_at(const struct world *world, int person, int actor, uint64_t place, int64_t now)
{
    const struct record *record = &world->persons[person];
    for (size_t i = 0; i < record->n_relations; i++) {
        const struct relation *one = &record->relations[i];
        if (one->place == place && one->actor == actor && in_force(one->from, one->until, now))
            return one;
    }
    return NULL;
}

bool is_candidate(const struct world *world, int person, int actor, int64_t now)
{
    const struct record *record = &world->persons[person];
    for (size_t i = 0; i < record->n_relations; i++)
        if (record->relations[i].actor == actor && !over(record->relations[i].until, now))
            return true;
    return false;
}

struct world without_limits(const struct world *world)
{
    struct world copy = *world;
    memset(copy.room, 0, sizeof copy.room);
    return copy;
}

static bool hears(const struct world *world, const struct event *event, int actor)
{
    return !world->closed[actor] && (!world->deaf[actor] || event->op.v[TYPE] == DECEASED_T);
}

static bool full(const struct world *world, int actor)
{
    return world->room[actor] && world->waiting[actor] >= world->room[actor];
}

static struct verdict withhold(uint64_t reasons)
{
    return (struct verdict){.is = WITHHELD, .reasons = reasons};
}

/* `notice`: it is held as one. */
static struct verdict hold(uint64_t reasons, bool notice)
{
    return (struct verdict){.is = HELD, .reasons = reasons, .notice = notice};
}

/* Entitled to a level above none, what may hold it back is the actor's inbox alone. */
static struct verdict into_inbox(const struct question *q, int level)
{
    bool heard = hears(q->world, q->event, q->actor);
    struct verdict verdict = {.is = DELIVERED, .level = level};
    if (q->world->suspended[q->actor])
        verdict = hold(WHY(ACTOR_SUSPENDED), false);
    else if (heard && full(q->world, q->actor))
        verdict = hold(WHY(INBOX_FULL), false);
    else if (!heard && q->personal)
        verdict = hold(WHY(PERSONAL_WITHOUT_INBOX), false);
    else if (!heard)
        verdict = q->unsure ? hold(0, false) : withhold(q->reasons | WHY(NOT_SUBSCRIBED));
    verdict.reasons |= q->unsure ? WHY(ROLE_UNKNOWN) : 0;
    verdict.entitled = true;
    return verdict;
}

static struct verdict judge_ordinary(const struct world *world, const struct event *event, int actor, int64_t now)
{
    int person = root_of(world, event->person);
    const struct record *record = &world->persons[person];
    struct question q = {.world = world, .event = event, .person = person, .actor = actor, .now = now};
    int level = best_level(&q);
    bool stopped = record->deceased && event->op.v[TYPE] != DECEASED_T, own = event->op.v[ACTOR] == actor;
    if (excluded(record, actor) || world->ended[actor])
        return withhold((excluded(record, actor) ? WHY(EXCLUDED_BY_PERSON) : 0) |
                        (world->ended[actor] ? WHY(ACTOR_ENDED) : 0));
    if (level && !stopped && !own)
        return into_inbox(&q, level);
    q.reasons |= (stopped ? WHY(PERSON_DECEASED) : 0) | (own ? WHY(OWN_EVENT) : 0);
    return q.unsure ? hold(WHY(ROLE_UNKNOWN), false) : withhold(q.reasons);
}

/* Rule 8: to those who received the original, in the lesser of then's and now's view, or as a notice. */
static struct verdict judge_correction(const struct world *world, const struct event *event,
                                       const struct event *original, int actor, struct verdict verdict)
{
    if (verdict.is == HELD || actor == event->op.v[ACTOR] || (verdict.reasons & WHY(NOT_SUBSCRIBED)))
        return verdict;
    if (verdict.is == DELIVERED && original->got[actor] == GOT_CONTENT)
        return (struct verdict){.is = DELIVERED, .level = lesser(verdict.level, original->got_level[actor])};
    if (world->suspended[actor])
        return hold(WHY(ACTOR_SUSPENDED), true);
    if (!hears(world, event, actor))
        return withhold(verdict.reasons | WHY(NOT_SUBSCRIBED));
    return full(world, actor) ? hold(WHY(INBOX_FULL), true) : (struct verdict){.is = NOTICE, .notice = true};
}

struct verdict judge(const struct world *world, const struct event *event, const struct event *original, int actor,
                     int64_t now)
{
    enum got got = original ? original->got[actor] : GOT_NOTHING;
    if (original && event->op.v[RETRACTS] && got == GOT_NOTHING)
        return withhold(WHY(NOTHING_TO_RETRACT));
    struct verdict verdict = judge_ordinary(world, event, actor, now);
    if (got != GOT_NOTHING)
        verdict = judge_correction(world, event, original, actor, verdict);
    if (verdict.is == DELIVERED && event->cut)
        verdict = (struct verdict){.is = NOTICE, .notice = true}; /* nothing else of it is there */
    return verdict;
}

int next_in_line(const struct world *world, int person, int actor, int64_t now)
{
    static const int line[IN_LINE] = {COORDINATOR_R, NURSE_R};
    const struct record *record = &world->persons[person];
    for (int at = 0; at < IN_LINE; at++)
        for (size_t i = 0; i < record->n_relations; i++) {
            const struct relation *one = &record->relations[i];
            if (one->actor == actor && one->grant == MEMBERSHIP && one->role == line[at] &&
                in_force(one->from, one->until, now))
                return at + 1;
        }
    return 0;
}
