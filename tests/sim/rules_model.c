/* The reference model: the rules as they are written in the event catalogue and in the registry's facts, for the cells
 * of the default policy that the scenarios use. Nothing is kept ready: each question is worked out from lists. */
#include "rules.h"

#include <string.h>
#include <time.h>

#include "carehub/v1/log.pb-c.h"

#define WHY(name) (1ULL << CAREHUB__V1__REASON__##name)

enum { ADMINISTRATIVE = 1, CARE, CLINICAL };
enum { BY_RELATION = 8, RESTRICTED_TOO = 16, PERSONAL = 32, LEVEL_BITS = 7 };

static const int cells[TYPES][ROLES] = {
    [INCLUSION_T] = {[GP_R] = CLINICAL | BY_RELATION | PERSONAL,
                     [PHARMACIST_R] = CARE,
                     [NURSE_R] = CLINICAL,
                     [HOME_CARE_R] = ADMINISTRATIVE,
                     [COORDINATOR_R] = CLINICAL,
                     [CASE_MANAGER_R] = CARE,
                     [INSURER_R] = ADMINISTRATIVE},
    [DISCHARGE_T] = {[GP_R] = CLINICAL | RESTRICTED_TOO,
                     [PHARMACIST_R] = CLINICAL,
                     [NURSE_R] = CLINICAL,
                     [HOME_CARE_R] = CARE,
                     [COORDINATOR_R] = CARE,
                     [CASE_MANAGER_R] = CARE},
    [MEDICATION_T] = {[GP_R] = CLINICAL | RESTRICTED_TOO,
                      [PHARMACIST_R] = CLINICAL | RESTRICTED_TOO,
                      [NURSE_R] = CLINICAL,
                      [HOME_CARE_R] = CARE,
                      [COORDINATOR_R] = CARE,
                      [EMERGENCY_R] = CLINICAL},
    [FALL_T] = {[GP_R] = CLINICAL | RESTRICTED_TOO,
                [PHARMACIST_R] = CLINICAL,
                [NURSE_R] = CLINICAL,
                [HOME_CARE_R] = CARE,
                [COORDINATOR_R] = CARE,
                [CASE_MANAGER_R] = CARE},
    [DECEASED_T] = {[GP_R] = CLINICAL,
                    [PHARMACIST_R] = ADMINISTRATIVE,
                    [NURSE_R] = CARE,
                    [HOME_CARE_R] = ADMINISTRATIVE,
                    [COORDINATOR_R] = CARE,
                    [CASE_MANAGER_R] = ADMINISTRATIVE,
                    [REFERRAL_R] = ADMINISTRATIVE},
    [EMERGENCY_T] = {[GP_R] = CLINICAL | RESTRICTED_TOO,
                     [PHARMACIST_R] = ADMINISTRATIVE,
                     [NURSE_R] = ADMINISTRATIVE,
                     [HOME_CARE_R] = ADMINISTRATIVE,
                     [COORDINATOR_R] = CLINICAL},
};

bool type_by_relation(int type)
{
    return type == INCLUSION_T;
}

/* As the scenario's clients are registered. */
bool may_publish(int actor, int type)
{
    return actor == AZ_A || actor == GP_A || (actor == APO_A && type == MEDICATION_T) ||
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

static bool over(int64_t until, int64_t now)
{
    return until != 0 && until <= now;
}

static bool in_force(int64_t from, int64_t until, int64_t now)
{
    return from <= now && !over(until, now);
}

static int lesser(int a, int b)
{
    return a < b ? a : b;
}

static unsigned excluded_of(const struct record *record)
{
    unsigned all = record->excluded;
    for (int i = 0; i < PERSONS; i++)
        all |= record->inherited[i];
    return all;
}

/* ---- Entitled to what ------------------------------------------------------------------------------------------- */

/* Of several in force the one given last counts. */
uint64_t consent_of(const struct world *world, int person, int64_t now, int *level)
{
    const struct consent *last = NULL;
    *level = 0;
    for (size_t i = 0; person < PERSONS && i < world->persons[person].n_consents; i++) {
        const struct consent *one = &world->persons[person].consents[i];
        if ((one->purposes & CARE_P) && in_force(one->from, one->until, now))
            last = one;
    }
    if (last)
        *level = last->level ? last->level : CLINICAL;
    return last ? last->place : 0;
}

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

/* The matrix, lifted by relaxations; then what the grant allows; then the person's restrictions. */
static int level_by_settings(const struct record *record, const struct relation *relation, int type, int64_t now,
                             uint64_t *why)
{
    int level = cells[type][relation->role] & LEVEL_BITS;
    for (size_t i = 0; i < record->n_settings; i++)
        if (record->settings[i].relaxes && applies(&record->settings[i], relation, type, now) &&
            record->settings[i].level > level)
            level = record->settings[i].level;
    if (relation->level)
        level = lesser(level, relation->level);
    if (relation->grant == INSURANCE)
        level = lesser(level, ADMINISTRATIVE);
    if (!level)
        *why |= WHY(CELL_NONE);
    for (size_t i = 0; i < record->n_settings; i++)
        if (!record->settings[i].relaxes && applies(&record->settings[i], relation, type, now)) {
            level = lesser(level, record->settings[i].level);
            if (!level)
                *why |= WHY(RESTRICTED_BY_PERSON);
        }
    return level;
}

static int level_in(const struct world *world, const struct event *event, int person, const struct relation *relation,
                    int64_t now, uint64_t *reasons)
{
    const struct record *record = &world->persons[person];
    const struct op *op = &event->op;
    int type = (int)op->v[TYPE], cell = cells[type][relation->role], covered;
    uint64_t why = 0;
    if (!in_force(relation->from, relation->until, now))
        why |= relation->from > now ? WHY(RELATION_NOT_STARTED) : WHY(RELATION_ENDED);
    if (relation->grant == CASE_MANAGEMENT && coordinates(record, relation->actor, now))
        why |= WHY(DECISION_FAILED);
    if ((op->v[TO_ROLE] || op->v[TO_ACTOR]) && op->v[TO_ROLE] != relation->role && op->v[TO_ACTOR] != relation->actor)
        why |= WHY(NOT_ADDRESSED);
    if (op->v[CONFIDENTIAL] && !(cell & RESTRICTED_TOO))
        why |= WHY(RESTRICTED_EVENT);
    int level = level_by_settings(record, relation, type, now, &why);
    consent_of(world, person, now, &covered);
    if (!(cell & BY_RELATION) || covered >= level)
        level = lesser(level, covered);
    if (!level)
        why |= WHY(NO_CONSENT);
    *reasons |= why;
    return why ? 0 : level;
}

static int best_level(const struct world *world, const struct event *event, int actor, int64_t now, bool *personal,
                      uint64_t *reasons)
{
    int person = root_of(world, event->person), best = 0;
    const struct record *record = &world->persons[person];
    bool any = false;
    for (size_t i = 0; i < record->n_relations; i++) {
        const struct relation *relation = &record->relations[i];
        if (relation->actor != actor)
            continue;
        any = true;
        int level = level_in(world, event, person, relation, now, reasons);
        if (level && (cells[event->op.v[TYPE]][relation->role] & PERSONAL))
            *personal = true;
        best = level > best ? level : best;
    }
    *reasons |= any ? 0 : WHY(NO_RELATION);
    return best;
}

int ground_of(const struct world *world, const struct event *event, int actor, int64_t now, uint64_t *reasons)
{
    bool personal;
    if (excluded_of(&world->persons[root_of(world, event->person)]) >> actor & 1)
        return 0;
    return best_level(world, event, actor, now, &personal, reasons);
}

bool relation_at(const struct world *world, int person, int actor, uint64_t place, int64_t now)
{
    const struct record *record = &world->persons[person];
    for (size_t i = 0; i < record->n_relations; i++)
        if (record->relations[i].place == place && record->relations[i].actor == actor &&
            in_force(record->relations[i].from, record->relations[i].until, now))
            return true;
    return false;
}

bool is_candidate(const struct world *world, int person, int actor, int64_t now)
{
    const struct record *record = &world->persons[person];
    for (size_t i = 0; i < record->n_relations; i++)
        if (record->relations[i].actor == actor && !over(record->relations[i].until, now))
            return true;
    return false;
}

static struct verdict judge_ordinary(const struct world *world, const struct event *event, int actor, int64_t now)
{
    struct verdict verdict = {.is = WITHHELD};
    const struct record *record = &world->persons[root_of(world, event->person)];
    bool personal = false, hears = !world->deaf[actor] || event->op.v[TYPE] == DECEASED_T;
    if (world->suspended[actor])
        return (struct verdict){.is = HELD, .reasons = WHY(ACTOR_SUSPENDED)};
    int level = best_level(world, event, actor, now, &personal, &verdict.reasons);
    if (excluded_of(record) >> actor & 1)
        return (struct verdict){.is = WITHHELD, .reasons = WHY(EXCLUDED_BY_PERSON)};
    if (record->deceased && event->op.v[TYPE] != DECEASED_T)
        verdict.reasons |= WHY(PERSON_DECEASED);
    if (event->op.v[ACTOR] == actor)
        verdict.reasons |= WHY(OWN_EVENT);
    bool routine_stopped = verdict.reasons & (WHY(PERSON_DECEASED) | WHY(OWN_EVENT));
    if (level && !routine_stopped && !hears && personal)
        return (struct verdict){.is = HELD, .reasons = WHY(PERSONAL_WITHOUT_INBOX)};
    if (!hears)
        verdict.reasons |= WHY(NOT_SUBSCRIBED);
    if (level && !routine_stopped && hears)
        return (struct verdict){.is = DELIVERED, .level = level};
    return verdict;
}

/* Rule 8: to those who received the original, in the lesser of then's and now's view, or as a notice. */
struct verdict judge(const struct world *world, const struct event *event, const struct event *original, int actor,
                     int64_t now)
{
    bool hears = !world->deaf[actor] || event->op.v[TYPE] == DECEASED_T;
    enum got got = original ? original->got[actor] : GOT_NOTHING;
    if (original && event->op.v[RETRACTS] && got == GOT_NOTHING)
        return (struct verdict){.is = WITHHELD, .reasons = WHY(NOTHING_TO_RETRACT)};
    struct verdict verdict = judge_ordinary(world, event, actor, now);
    if (got == GOT_NOTHING || verdict.is == HELD || actor == event->op.v[ACTOR])
        return verdict;
    if (!hears)
        return (struct verdict){.is = WITHHELD, .reasons = verdict.reasons | WHY(NOT_SUBSCRIBED)};
    if (verdict.is == DELIVERED && got == GOT_CONTENT)
        return (struct verdict){.is = DELIVERED, .level = lesser(verdict.level, original->got_level[actor])};
    return (struct verdict){.is = NOTICE};
}

/* ---- Facts ------------------------------------------------------------------------------------------------------ */

static bool period_good(const struct op *op, int64_t now)
{
    return op->v[UNTIL] == 0 || op->v[UNTIL] > (op->v[FROM] ? op->v[FROM] : now);
}

/* A relation with a referral's proof holds for three months. */
static int64_t until_of(const struct op *op, int64_t now)
{
    int64_t from = op->v[FROM] ? op->v[FROM] : now;
    time_t from_s = (time_t)(from / 1000);
    struct tm day;
    if (op->v[UNTIL] || !op->v[PROOF])
        return op->v[UNTIL];
    gmtime_r(&from_s, &day);
    day.tm_mon += 3;
    return (int64_t)timegm(&day) * 1000 + from % 1000;
}

static bool has(const struct record *record, int actor, int role, bool grant, int64_t now)
{
    for (size_t i = 0; i < record->n_relations; i++) {
        const struct relation *one = &record->relations[i];
        if (one->actor == actor && (!role || one->role == role) && (one->grant != MEMBERSHIP) == grant &&
            !over(one->until, now))
            return true;
    }
    return false;
}

static bool any_consent(const struct record *record, int64_t now)
{
    for (size_t i = 0; i < record->n_consents; i++)
        if (!over(record->consents[i].until, now))
            return true;
    return false;
}

static bool has_setting(const struct record *record, int name, int64_t now)
{
    for (size_t i = 0; i < record->n_settings; i++)
        if (record->settings[i].name == name && !over(record->settings[i].until, now))
            return true;
    return false;
}

/* Coordinator and case manager of one person are never the same actor; a case manager's grant has an end. */
static bool grant_good(const struct record *record, const struct op *op, int64_t now)
{
    bool manages = op->v[KIND] == CASE_MANAGEMENT || op->v[ROLE] == CASE_MANAGER_R;
    if (manages && (!op->v[UNTIL] || has(record, (int)op->v[ACTOR], COORDINATOR_R, false, now)))
        return false;
    if (op->v[KIND] == EMERGENCY &&
        (!op->v[UNTIL] || op->v[UNTIL] - (op->v[FROM] ? op->v[FROM] : now) > 24 * 3600 * 1000LL))
        return false;
    return op->v[KIND] != MEMBERSHIP;
}

static bool manages_case(const struct record *record, int actor, int64_t now)
{
    for (size_t i = 0; i < record->n_relations; i++) {
        const struct relation *one = &record->relations[i];
        if (one->actor == actor && (one->grant == CASE_MANAGEMENT || (one->grant && one->role == CASE_MANAGER_R)) &&
            !over(one->until, now))
            return true;
    }
    return false;
}

bool fact_good(const struct world *world, const struct op *op, int64_t now)
{
    int person = root_of(world, (int)op->v[PERSON]), actor = (int)op->v[ACTOR];
    const struct record *record = person < PERSONS ? &world->persons[person] : NULL;
    if (op->kind == STANDING || op->kind == SUBSCRIBE)
        return true;
    if (!record)
        return false; /* nobody that the hub knows */
    switch (op->kind) {
    case CONSENT:
        return op->v[PURPOSES] && period_good(op, now) && record->n_consents < CONSENTS;
    case WITHDRAW:
        return any_consent(record, now);
    case MEMBER:
        return period_good(op, now) && op->v[ROLE] != CASE_MANAGER_R && !over(until_of(op, now), now) &&
               !(op->v[ROLE] == COORDINATOR_R && manages_case(record, actor, now));
    case GRANT:
        return period_good(op, now) && grant_good(record, op, now);
    case LEAVE:
        return has(record, actor, (int)op->v[ROLE], false, now);
    case REVOKE:
        return has(record, actor, (int)op->v[ROLE], true, now);
    case EXCLUDE:
        return !(excluded_of(record) >> actor & 1);
    case READMIT:
        return excluded_of(record) >> actor & 1;
    case SETTING:
        return period_good(op, now) && !(op->v[RELAXES] && !op->v[LEVEL]);
    case LIFT:
        return has_setting(record, (int)op->v[NAME], now);
    case MERGE:
        return op->v[OTHER] < PERSONS;
    case SEPARATE:
        return op->v[OTHER] < PERSONS && world->persons[op->v[OTHER]].into == person;
    default:
        return true;
    }
}

static void end_relations(struct record *record, int actor, int role, bool grant)
{
    size_t kept = 0;
    for (size_t i = 0; i < record->n_relations; i++) {
        const struct relation *one = &record->relations[i];
        if (one->actor != actor || (role && one->role != role) || (one->grant != MEMBERSHIP) != grant)
            record->relations[kept++] = *one;
    }
    record->n_relations = kept;
}

static void end_setting(struct record *record, int name)
{
    size_t kept = 0;
    for (size_t i = 0; i < record->n_settings; i++)
        if (record->settings[i].name != name)
            record->settings[kept++] = record->settings[i];
    record->n_settings = kept;
}

static void withdraw(struct record *record, int purposes)
{
    size_t kept = 0;
    for (size_t i = 0; i < record->n_consents; i++) {
        struct consent one = record->consents[i];
        one.purposes &= purposes ? ~purposes : 0;
        if (one.purposes)
            record->consents[kept++] = one;
    }
    record->n_consents = kept;
}

static void relate(struct record *record, const struct op *op, uint64_t place, int64_t now)
{
    bool grant = op->kind == GRANT;
    end_relations(record, (int)op->v[ACTOR], (int)op->v[ROLE], grant);
    record->relations[record->n_relations++] = (struct relation){.place = place,
                                                                 .actor = (int)op->v[ACTOR],
                                                                 .role = (int)op->v[ROLE],
                                                                 .grant = grant ? (int)op->v[KIND] : MEMBERSHIP,
                                                                 .level = grant ? (int)op->v[LEVEL] : 0,
                                                                 .from = op->v[FROM],
                                                                 .until = grant ? op->v[UNTIL] : until_of(op, now)};
}

/* One team and one consent decide from here on: the survivor's. The exclusions of both hold. */
static void merge(struct world *world, int person, int other)
{
    int merged = root_of(world, other);
    if (person == merged)
        return;
    world->persons[person].inherited[merged] =
        excluded_of(&world->persons[merged]) & ~excluded_of(&world->persons[person]);
    world->persons[merged].into = person;
}

void fact_apply(struct world *world, const struct op *op, uint64_t place, int64_t now)
{
    int person = root_of(world, (int)op->v[PERSON]), actor = (int)op->v[ACTOR];
    struct record *record = &world->persons[person < PERSONS ? person : 0];
    switch (op->kind) {
    case CONSENT:
        record->consents[record->n_consents++] =
            (struct consent){place, (int)op->v[PURPOSES], (int)op->v[LEVEL], op->v[FROM], op->v[UNTIL]};
        break;
    case WITHDRAW:
        withdraw(record, (int)op->v[PURPOSES]);
        break;
    case MEMBER:
    case GRANT:
        relate(record, op, place, now);
        break;
    case LEAVE:
    case REVOKE:
        end_relations(record, actor, (int)op->v[ROLE], op->kind == REVOKE);
        break;
    case EXCLUDE:
        record->excluded |= 1u << actor;
        break;
    case READMIT:
        record->excluded &= ~(1u << actor);
        for (int i = 0; i < PERSONS; i++)
            record->inherited[i] &= ~(1u << actor);
        break;
    case SETTING:
        end_setting(record, (int)op->v[NAME]);
        record->settings[record->n_settings++] = (struct setting){place,
                                                                  (int)op->v[NAME],
                                                                  actor,
                                                                  (int)op->v[ROLE],
                                                                  (int)op->v[TYPE],
                                                                  (int)op->v[LEVEL],
                                                                  op->v[RELAXES] != 0,
                                                                  op->v[FROM],
                                                                  op->v[UNTIL]};
        break;
    case LIFT:
        end_setting(record, (int)op->v[NAME]);
        break;
    case DEATH:
        record->deceased = !op->v[YES];
        break;
    case MERGE:
        merge(world, person, (int)op->v[OTHER]);
        break;
    case SEPARATE:
        record->inherited[op->v[OTHER]] = 0;
        world->persons[op->v[OTHER]].into = -1;
        break;
    case STANDING:
        world->suspended[actor] = op->v[YES] != 0;
        break;
    case SUBSCRIBE:
        world->deaf[actor] = op->v[YES] != 0;
        break;
    default:
        break;
    }
}

/* ---- Ends by date ----------------------------------------------------------------------------------------------- */

#define EXPIRE(list, n)                                                                                                \
    for (size_t i = 0; i < (n); i++)                                                                                   \
        if ((list)[i].place == place && over((list)[i].until, now)) {                                                  \
            memmove(&(list)[i], &(list)[i + 1], (--(n)-i) * sizeof *(list));                                           \
            return true;                                                                                               \
        }

bool expire(struct record *record, uint64_t place, int64_t now)
{
    EXPIRE(record->relations, record->n_relations)
    EXPIRE(record->consents, record->n_consents)
    EXPIRE(record->settings, record->n_settings)
    return false;
}

bool overdue(const struct world *world, int64_t now)
{
    bool found = false;
    for (int person = 0; person < PERSONS; person++) {
        const struct record *record = &world->persons[person];
        for (size_t i = 0; i < record->n_relations; i++)
            found |= over(record->relations[i].until, now);
        for (size_t i = 0; i < record->n_consents; i++)
            found |= over(record->consents[i].until, now);
        for (size_t i = 0; i < record->n_settings; i++)
            found |= over(record->settings[i].until, now);
    }
    return found;
}

bool next_in_line(const struct world *world, int person, int actor, int64_t now)
{
    const struct record *record = &world->persons[person];
    for (size_t i = 0; i < record->n_relations; i++) {
        const struct relation *one = &record->relations[i];
        if (one->actor == actor && one->grant == MEMBERSHIP && (one->role == COORDINATOR_R || one->role == NURSE_R) &&
            in_force(one->from, one->until, now))
            return true;
    }
    return false;
}
