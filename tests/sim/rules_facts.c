/* The reference model, of registry facts: which must be taken, and what they change in the world. */
#include <string.h>
#include <time.h>

#include "rules.h"

static unsigned excluded_of(const struct record *record)
{
    unsigned all = record->excluded;
    for (int i = 0; i < PERSONS; i++)
        all |= record->inherited[i];
    return all;
}

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
    if (op->v[KIND] == SECONDARY_USE && (!op->v[UNTIL] || !op->v[LEVEL] || op->v[PURPOSES] == CARE_P))
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

/* Of the registry, not of a person. */
static bool registry_good(const struct world *world, const struct op *op)
{
    switch (op->kind) {
    case STANDING:
    case END_ACTOR:
        return !world->ended[op->v[ACTOR]];
    case SUBSCRIBE:
    case CLOSE:
        return !world->closed[op->v[ACTOR]];
    default:
        return true;
    }
}

bool fact_good(const struct world *world, const struct op *op, int64_t now)
{
    int person = root_of(world, (int)op->v[PERSON]), actor = (int)op->v[ACTOR];
    const struct record *record = person < PERSONS ? &world->persons[person] : NULL;
    bool role_known = op->v[ROLE] != HOME_CARE_R || !world->without_role;
    if (op->kind == STANDING || op->kind == END_ACTOR || op->kind == SUBSCRIBE || op->kind == CLOSE ||
        op->kind == POLICY)
        return registry_good(world, op);
    if (!record)
        return false; /* nobody that the hub knows */
    switch (op->kind) {
    case CONSENT:
        return op->v[PURPOSES] && period_good(op, now) && record->n_consents < CONSENTS;
    case WITHDRAW:
        return any_consent(record, now);
    case MEMBER:
        return role_known && period_good(op, now) && op->v[ROLE] != CASE_MANAGER_R && !over(until_of(op, now), now) &&
               !(op->v[ROLE] == COORDINATOR_R && manages_case(record, actor, now));
    case GRANT:
        return role_known && period_good(op, now) && grant_good(record, op, now);
    case LEAVE:
        return has(record, actor, (int)op->v[ROLE], false, now);
    case REVOKE:
        return has(record, actor, (int)op->v[ROLE], true, now);
    case EXCLUDE:
        return !(excluded_of(record) >> actor & 1);
    case READMIT:
        return excluded_of(record) >> actor & 1;
    case SETTING:
        return role_known && period_good(op, now) && !(op->v[RELAXES] && !op->v[LEVEL]);
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
                                                                 .level = (int)op->v[LEVEL],
                                                                 .scope = grant ? 0 : (unsigned)op->v[SCOPE],
                                                                 .purpose = (int)op->v[PURPOSES],
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

static void set(struct record *record, const struct op *op, uint64_t place)
{
    end_setting(record, (int)op->v[NAME]);
    record->settings[record->n_settings++] = (struct setting){.place = place,
                                                              .name = (int)op->v[NAME],
                                                              .actor = (int)op->v[ACTOR],
                                                              .role = (int)op->v[ROLE],
                                                              .type = (int)op->v[TYPE],
                                                              .level = (int)op->v[LEVEL],
                                                              .relaxes = op->v[RELAXES] != 0,
                                                              .from = op->v[FROM],
                                                              .until = op->v[UNTIL]};
}

static void registry_apply(struct world *world, const struct op *op)
{
    int actor = (int)op->v[ACTOR];
    switch (op->kind) {
    case STANDING:
        world->suspended[actor] = op->v[YES] != 0;
        break;
    case END_ACTOR:
        world->ended[actor] = true;
        world->suspended[actor] = false;
        break;
    case SUBSCRIBE:
        world->deaf[actor] = op->v[YES] != 0;
        world->room[actor] = op->v[ROOM];
        break;
    case CLOSE:
        world->closed[actor] = true;
        break;
    case POLICY:
        world->without_role = op->v[YES] != 0;
        break;
    default:
        break;
    }
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
        set(record, op, place);
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
    default:
        registry_apply(world, op);
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
