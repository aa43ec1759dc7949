/* Who is entitled to what: worked out from the confirmed facts alone, each time anew, as the rules are written in the
 * event catalogue and the default policy. Slow and simple on purpose. */
#include "sim.h"

/* The cells of the default policy that the simulation uses: role by type. 0 none, 1 administrative, 2 care, 3 clinical.
 */
static const int cells[ROLES_SIM][TYPES_SIM] = {
    [ROLE_GP] = {3, 3, 3, 3},        [ROLE_PHARMACIST] = {2, 3, 3, 3}, [ROLE_COORDINATOR] = {3, 2, 2, 2},
    [ROLE_HOME_CARE] = {1, 2, 2, 2}, [ROLE_INSURER] = {1, 0, 0, 0},
};

static bool restricted_too(int role, enum type_sim type)
{
    return (role == ROLE_GP && type != INCLUSION) || (role == ROLE_PHARMACIST && type == MEDICATION);
}

void model_add(struct sim *sim, const struct fact_sim *fact)
{
    size_t at = sim->n_facts;
    if (sim->n_facts == FACTS_MAX)
        sim_fail(sim, "too many facts for the model");
    for (; at > 0 && sim->facts[at - 1].place > fact->place; at--)
        sim->facts[at] = sim->facts[at - 1];
    sim->facts[at] = *fact;
    sim->n_facts++;
}

struct relation {
    bool there;
    int64_t until_ms;
};

struct state {
    int consent; /* level that it covers; 0: none */
    int64_t consent_until_ms[64];
    int consent_classes[64];
    size_t n_consents;
    struct relation members[ROLES_SIM], grants[ROLES_SIM];
    bool excluded, deceased;
    int standing; /* 1 active, 2 suspended, 3 ended */
};

static void end_relations(struct relation *relations, int role)
{
    for (int i = 0; i < ROLES_SIM; i++)
        if (role == ROLE_ANY || role == i)
            relations[i].there = false;
}

static void apply(struct state *state, const struct fact_sim *fact, int patient, int actor)
{
    if (fact->kind == STANDING_F) {
        if (fact->actor == actor)
            state->standing = fact->value;
        return;
    }
    if (fact->patient != patient ||
        (fact->kind >= MEMBER_ADDED_F && fact->kind <= EXCLUSION_LIFTED_F && fact->actor != actor))
        return;
    switch (fact->kind) {
    case CONSENT_GIVEN_F:
        state->consent_until_ms[state->n_consents] = fact->until_ms;
        state->consent_classes[state->n_consents++ % 64] = fact->value;
        break;
    case CONSENT_WITHDRAWN_F:
        state->n_consents = 0;
        break;
    case MEMBER_ADDED_F:
        state->members[fact->role] = (struct relation){true, fact->until_ms};
        break;
    case GRANT_GIVEN_F:
        state->grants[fact->role] = (struct relation){true, fact->until_ms};
        break;
    case MEMBER_ENDED_F:
        end_relations(state->members, fact->role);
        break;
    case GRANT_ENDED_F:
        end_relations(state->grants, fact->role);
        break;
    case EXCLUDED_F:
    case EXCLUSION_LIFTED_F:
        state->excluded = fact->kind == EXCLUDED_F;
        break;
    case DECEASED_F:
        state->deceased = !fact->value;
        break;
    default:
        break;
    }
}

static bool over(int64_t until_ms, int64_t now_ms)
{
    return until_ms && until_ms <= now_ms;
}

/* The last given of those in force counts. */
static int consent_at(const struct state *state, int64_t now_ms)
{
    for (size_t i = state->n_consents; i-- > 0;)
        if (!over(state->consent_until_ms[i], now_ms))
            return state->consent_classes[i] ? state->consent_classes[i] : 3;
    return 0;
}

/* The level to which a relation in a role entitles; 0: not at all. */
static int level_in(const struct state *state, const struct event_sim *event, int role, bool grant, int64_t now_ms)
{
    const struct relation *relation = grant ? &state->grants[role] : &state->members[role];
    int level = cells[role][event->type], consent = consent_at(state, now_ms);
    if (!relation->there || over(relation->until_ms, now_ms))
        return 0;
    if (event->addressed != ROLE_ANY && event->addressed != role)
        return 0;
    if (event->restricted && !restricted_too(role, event->type))
        return 0;
    if (grant && level > 1)
        level = 1; /* the grants of the simulation are an insurer's */
    if (role == ROLE_GP && event->type == INCLUSION && !grant)
        return level; /* by relation */
    return consent < level ? consent : level;
}

static int best_level(const struct state *state, const struct event_sim *event, int64_t now_ms)
{
    int best = 0;
    for (int role = 0; role < ROLES_SIM; role++) {
        int member = level_in(state, event, role, false, now_ms), grant = level_in(state, event, role, true, now_ms);
        best = member > best ? member : best;
        best = grant > best ? grant : best;
    }
    return best;
}

unsigned model_inbox_types(const struct sim *sim, int inbox, uint64_t through)
{
    unsigned types = ~0U;
    for (size_t i = 0; i < sim->n_facts && sim->facts[i].place <= through; i++)
        if (sim->facts[i].kind == INBOX_TYPES_F && sim->facts[i].inbox == inbox)
            types = (unsigned)sim->facts[i].value;
    return types;
}

bool model_closed(const struct sim *sim, int inbox, uint64_t through)
{
    for (size_t i = 0; i < sim->n_facts && sim->facts[i].place <= through; i++)
        if (sim->facts[i].kind == INBOX_CLOSED_F && sim->facts[i].inbox == inbox)
            return true;
    return false;
}

static struct state state_at(const struct sim *sim, int patient, int actor, uint64_t through)
{
    struct state state = {.standing = 1};
    for (size_t i = 0; i < sim->n_facts && sim->facts[i].place <= through; i++)
        apply(&state, &sim->facts[i], patient, actor);
    return state;
}

struct right model_right(const struct sim *sim, const struct event_sim *event, enum party actor, uint64_t through,
                         int64_t now_ms)
{
    struct right right = {RIGHT_NONE, 0, false};
    struct state state = state_at(sim, event->patient, (int)actor, through);
    if (state.standing == 3 || state.excluded || state.deceased || actor == event->publisher)
        return right;
    int level = best_level(&state, event, now_ms);
    if (level == 0)
        return right;
    if (state.standing == 2) {
        right.is = RIGHT_HOLD;
        return right;
    }
    right.level = level;
    for (int inbox = 0; inbox < INBOXES; inbox++) {
        if (inbox_actors[inbox] != actor || model_closed(sim, inbox, through) ||
            !(model_inbox_types(sim, inbox, through) >> event->type & 1))
            continue;
        right.is = RIGHT_DELIVER;
        right.full_matters |= actor == NURSES;
    }
    return right;
}

bool model_ground_held(const struct sim *sim, const struct event_sim *event, enum party actor, uint64_t from,
                       uint64_t through, int64_t now_ms)
{
    struct state state = state_at(sim, event->patient, (int)actor, from);
    for (size_t i = 0; i < sim->n_facts && sim->facts[i].place <= through; i++) {
        const struct fact_sim *fact = &sim->facts[i];
        if (fact->place <= from)
            continue;
        if (state.excluded || best_level(&state, event, fact->at_ms) == 0)
            return false;
        apply(&state, fact, event->patient, (int)actor);
    }
    return !state.excluded && best_level(&state, event, now_ms) > 0;
}
