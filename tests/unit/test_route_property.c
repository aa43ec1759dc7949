/* What must hold of routing whatever the input: checked on many random worlds. The seed is printed and fixed;
 * give another one as the first argument to look further. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "route_case.h"

enum { WORLDS = 20000 };

static uint64_t seed = 20260301;
static uint64_t random_state;

/* splitmix64. */
static uint32_t below(uint32_t n)
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ z >> 31) % n);
}

static bool chance(uint32_t percent)
{
    return below(100) < percent;
}

/* ---- Random worlds ---------------------------------------------------------------------------------------------- */

static char *const roles[] = {"gp",           "pharmacist", "home-nurse", "home-care", "coordinator",
                              "case-manager", "insurer",    "person",     "neighbour"};

static const char *random_rows(char rows[4096])
{
    static const char *const levels[] = {"none", "administrative", "care", "clinical", "clinical"};
    static const int types[] = {TYPE(HOSPITAL_DISCHARGE), TYPE(INCLUSION_FLAGGED), TYPE(PATIENT_DECEASED)};
    size_t n = 0;
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        n += (size_t)snprintf(rows + n, 4096 - n, "    %s\n", event_type_name((Carehub__V1__EventType)types[t]));
        for (size_t r = 0; r + 1 < sizeof roles / sizeof *roles; r++) {
            uint32_t level = below(5);
            n += (size_t)snprintf(rows + n, 4096 - n, "        %s = %s%s%s%s\n", roles[r], levels[level],
                                  level && chance(25) ? ", by relation" : "", level && chance(30) ? ", restricted" : "",
                                  level && chance(20) ? ", personal" : "");
        }
    }
    return rows;
}

static void random_time(int64_t *from_ms, int64_t *until_ms)
{
    *from_ms = chance(80) ? 0 : NOW_MS - 1 + (int64_t)below(3);
    *until_ms = chance(70) ? 0 : NOW_MS - 1 + (int64_t)below(3);
}

static void random_actors(struct route_case *c)
{
    for (uint32_t i = 1; i <= CASE_ACTORS; i++) {
        c->actors[i].standing = chance(85) ? CAREHUB__V1__STANDING__ACTIVE : (Carehub__V1__Standing)below(4);
        c->actors[i].n_inboxes = below(CASE_INBOXES + 1);
        for (uint32_t b = 0; b < CASE_INBOXES; b++)
            c->actors[i].inboxes[b] = (struct route_inbox){
                .inbox = 10 * i + b, .full = chance(15), .types = chance(50) ? 1 : below(1u << 26) & ~1u};
    }
}

static void random_card(struct route_case *c)
{
    for (uint32_t n = below(8); n > 0; n--) {
        relation_t *member = case_member(c, 1 + below(CASE_ACTORS + 1), roles[below(9)]);
        random_time(&member->from_ms, &member->until_ms);
    }
    for (uint32_t n = below(4); n > 0; n--) {
        relation_t *grant = case_grant(c, 1 + below(CASE_ACTORS), roles[below(9)], (Carehub__V1__GrantKind)below(5));
        random_time(&grant->from_ms, &grant->until_ms);
        grant->max_level = (Carehub__V1__Level)below(4);
    }
    for (uint32_t n = below(3); n > 0; n--) {
        consent_t *consent = case_consent(c, (Carehub__V1__Level)below(4));
        random_time(&consent->from_ms, &consent->until_ms);
        consent->n_purposes = chance(85) ? 2 : 1; /* the second one is continuity of care */
    }
    if (chance(20))
        case_exclude(c, 1 + below(CASE_ACTORS));
    c->card.deceased = chance(10);
}

static void random_event(struct route_case *c)
{
    static const int types[] = {TYPE(HOSPITAL_DISCHARGE), TYPE(HOSPITAL_DISCHARGE), TYPE(INCLUSION_FLAGGED),
                                TYPE(PATIENT_DECEASED), TYPE(FALL_REPORTED)};
    c->in.type = (Carehub__V1__EventType)types[below(5)];
    c->in.publisher = 1 + below(CASE_ACTORS);
    c->in.confidentiality =
        chance(80) ? CAREHUB__V1__CONFIDENTIALITY__NORMAL : CAREHUB__V1__CONFIDENTIALITY__RESTRICTED;
    if (chance(20))
        case_addressee(c, NULL, roles[below(9)]);
    if (chance(20))
        case_addressee(c, c->actors[1 + below(CASE_ACTORS)].name, NULL);
    if (chance(30)) {
        c->in.original = &c->original;
        c->in.retracts = chance(40);
        for (uint32_t actor = 1; actor < CASE_ACTORS; actor += 1 + below(5)) {
            Carehub__V1__Outcome outcome = (Carehub__V1__Outcome)(1 + below(3));
            Carehub__V1__Level level =
                outcome == OUTCOME(DELIVER) ? (Carehub__V1__Level)(1 + below(3)) : LEVEL(LEVEL_NONE);
            case_original(c, actor, outcome, level);
        }
    }
}

static struct policy *policy;

static void random_world(struct route_case *c, uint32_t number)
{
    char rows[4096];
    random_state = seed * 1000003u + number;
    if (number % 50 == 0) {
        if (policy)
            policy_destroy(&policy);
        policy = case_policy(random_rows(rows));
    }
    case_empty(c, policy);
    random_actors(c);
    random_card(c);
    random_event(c);
}

/* ---- Checking --------------------------------------------------------------------------------------------------- */

typedef void property_fn(struct route_case *c, uint32_t number);

static void for_all_worlds(property_fn *property)
{
    static struct route_case c;
    for (uint32_t number = 0; number < WORLDS; number++) {
        random_world(&c, number);
        property(&c, number);
    }
    policy_destroy(&policy);
}

#define MUST(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            fail_msg("seed %llu, world %u, actor %u: not so: %s", (unsigned long long)seed, number, actor,             \
                     #condition);                                                                                      \
    } while (0)

/* The level of content that an actor gets; none if nothing or only a notice. */
static Carehub__V1__Level content(const struct route_case *c, uint32_t actor)
{
    struct route_decision decision;
    route_one(&c->in, actor, &decision);
    return decision.outcome == OUTCOME(DELIVER) && !decision.notice ? decision.level : LEVEL(LEVEL_NONE);
}

static void agree(struct route_case *c, uint32_t number)
{
    struct route_decision all[ROUTE_DECISIONS_MAX], one, explained;
    static struct route_rule rules[ROUTE_RULES_MAX];
    int n = route_event(&c->in, all, ROUTE_DECISIONS_MAX);
    for (uint32_t actor = 1; actor <= CASE_ACTORS + 1; actor++) {
        int found = 0;
        route_one(&c->in, actor, &one);
        for (int i = 0; i < n; i++)
            if (all[i].actor == actor) {
                found++;
                MUST(case_same(&all[i], &one));
            }
        MUST(found <= 1);
        MUST(found == 1 || one.outcome == OUTCOME(WITHHOLD) || one.outcome == OUTCOME(HOLD));
        int n_rules = route_explain(&c->in, actor, &explained, rules, ROUTE_RULES_MAX);
        MUST(n_rules > 0 && n_rules <= ROUTE_RULES_MAX);
        MUST(case_same(&explained, &one));
        for (int i = 0; i < n_rules; i++)
            MUST(rules[i].decided == (i == n_rules - 1) && rules[i].finding[0] && rules[i].found);
        MUST(rules[n_rules - 1].code == one.reason);
        MUST(rules[n_rules - 1].passed == (one.outcome == OUTCOME(DELIVER)));
    }
}

static void explaining_one_and_deciding_all_agree(void **state)
{
    (void)state;
    for_all_worlds(agree);
}

/* Says again, apart from the code under test and without its order, what rule 1 wants of a delivery with
 * content. */
static bool entitled(const struct route_case *c, const relation_t *relation, bool grant, Carehub__V1__Level level)
{
    int role = policy_role(c->in.policy, relation->role);
    const struct policy_cell *cell = policy_cell(c->in.policy, role, c->in.type);
    bool in_force = relation->from_ms <= NOW_MS && (!relation->until_ms || relation->until_ms > NOW_MS);
    bool consent = false;
    for (size_t i = 0; i < c->card.n_consents; i++) {
        const consent_t *given = c->card.consents[i];
        consent |= given->n_purposes == 2 && given->from_ms <= NOW_MS &&
                   (!given->until_ms || given->until_ms > NOW_MS) &&
                   (given->classes == LEVEL(LEVEL_NONE) || given->classes >= level);
    }
    bool capped = grant && ((relation->max_level && level > relation->max_level) ||
                            (relation->grant == CAREHUB__V1__GRANT_KIND__INSURANCE && level > 1));
    bool open = c->in.confidentiality == CAREHUB__V1__CONFIDENTIALITY__NORMAL || cell->restricted;
    return in_force && role >= 0 && level > 0 && level <= (int)cell->level && !capped && open &&
           (consent || cell->by_relation);
}

static void justified(struct route_case *c, uint32_t number)
{
    for (uint32_t actor = 1; actor <= CASE_ACTORS + 1; actor++) {
        Carehub__V1__Level level = content(c, actor);
        if (level == LEVEL(LEVEL_NONE))
            continue;
        bool allowed = false;
        for (size_t i = 0; i < c->card.n_members; i++)
            allowed |= c->members[i].actor == actor && entitled(c, &c->members[i], false, level);
        for (size_t i = 0; i < c->card.n_grants; i++)
            allowed |= c->grants[i].actor == actor && entitled(c, &c->grants[i], true, level);
        MUST(allowed);
        MUST(actor <= CASE_ACTORS && c->actors[actor].standing == CAREHUB__V1__STANDING__ACTIVE);
        MUST(actor != c->in.publisher);
        MUST(!c->card.deceased || policy_after_death(c->in.policy, c->in.type));
    }
}

static void content_goes_only_to_relation_consent_and_cell_and_never_above_them(void **state)
{
    (void)state;
    for_all_worlds(justified);
}

static void well_formed(struct route_case *c, uint32_t number)
{
    for (uint32_t actor = 1; actor <= CASE_ACTORS + 1; actor++) {
        struct route_decision decision;
        route_one(&c->in, actor, &decision);
        bool deliver = decision.outcome == OUTCOME(DELIVER);
        MUST(deliver == (decision.n_inboxes > 0));
        MUST(deliver == ((int)decision.reason >= 1 && (int)decision.reason < 20));
        MUST((decision.level > 0) == (deliver && !decision.notice));
        MUST(!decision.notice || decision.reason == REASON(CORRECTION_NOTICE) || decision.outcome == OUTCOME(HOLD));
        for (uint32_t i = 0; i < decision.n_inboxes; i++) {
            const struct route_inbox *inbox = &c->actors[actor].inboxes[decision.inboxes[i] % 10];
            MUST(decision.inboxes[i] / 10 == actor && decision.inboxes[i] % 10 < c->actors[actor].n_inboxes);
            MUST(!inbox->full && ((inbox->types & 1) || inbox->types >> c->in.type & 1));
        }
    }
}

static void a_decision_is_complete_and_goes_to_open_subscribed_inboxes_only(void **state)
{
    (void)state;
    for_all_worlds(well_formed);
}

struct contents {
    Carehub__V1__Level of[CASE_ACTORS + 1];
};

static struct contents contents(const struct route_case *c)
{
    struct contents all = {{0}};
    for (uint32_t actor = 1; actor <= CASE_ACTORS; actor++)
        all.of[actor] = content(c, actor);
    return all;
}

static void exclusion(struct route_case *c, uint32_t number)
{
    uint32_t excluded = 1 + below(CASE_ACTORS);
    struct contents before = contents(c);
    case_exclude(c, excluded);
    for (uint32_t actor = 1; actor <= CASE_ACTORS; actor++)
        MUST(content(c, actor) == (actor == excluded ? LEVEL(LEVEL_NONE) : before.of[actor]));
}

static void an_exclusion_takes_all_content_from_that_actor_alone(void **state)
{
    (void)state;
    for_all_worlds(exclusion);
}

static void withdrawal(struct route_case *c, uint32_t number)
{
    struct contents before = contents(c);
    while (c->card.n_consents > 0) {
        c->card.n_consents--;
        for (uint32_t actor = 1; actor <= CASE_ACTORS; actor++)
            MUST(content(c, actor) == LEVEL(LEVEL_NONE) || before.of[actor] > LEVEL(LEVEL_NONE));
    }
    for (uint32_t actor = 1; actor <= CASE_ACTORS; actor++)
        MUST(content(c, actor) <= before.of[actor]);
}

static void withdrawing_consent_never_adds_a_delivery(void **state)
{
    (void)state;
    for_all_worlds(withdrawal);
}

static bool may_become_case_manager(const struct route_case *c, uint32_t actor)
{
    for (size_t i = 0; i < c->card.n_grants; i++)
        if (c->grants[i].actor == actor && c->grants[i].grant == CAREHUB__V1__GRANT_KIND__CASE_MANAGEMENT)
            return true;
    return false;
}

static void ending(struct route_case *c, uint32_t number)
{
    while (c->card.n_members > 0) {
        struct contents before = contents(c);
        c->card.n_members--;
        for (uint32_t actor = 1; actor <= CASE_ACTORS; actor++)
            MUST(content(c, actor) <= before.of[actor] || may_become_case_manager(c, actor));
    }
    while (c->card.n_grants > 0) {
        struct contents before = contents(c);
        c->card.n_grants--;
        for (uint32_t actor = 1; actor <= CASE_ACTORS; actor++)
            MUST(content(c, actor) <= before.of[actor]);
    }
    for (uint32_t actor = 1; actor <= CASE_ACTORS; actor++)
        MUST(content(c, actor) == LEVEL(LEVEL_NONE));
}

/* But for a coordinator who no longer is one: only then may the same actor be case manager. */
static void ending_a_relation_never_adds_a_delivery_and_without_any_there_is_none(void **state)
{
    (void)state;
    for_all_worlds(ending);
}

static void corrections(struct route_case *c, uint32_t number)
{
    for (uint32_t actor = 1; c->in.original && actor <= CASE_ACTORS; actor++) {
        const Carehub__V1__Decision *received = NULL;
        struct route_decision decision;
        for (size_t i = 0; i < c->original.n_decisions; i++)
            if (c->decisions[i].actor == actor && c->decisions[i].outcome == OUTCOME(DELIVER))
                received = &c->decisions[i];
        route_one(&c->in, actor, &decision);
        if (!received) {
            MUST(!c->in.retracts || decision.outcome == OUTCOME(WITHHOLD));
            MUST(!decision.notice);
            continue;
        }
        const struct route_inbox *inbox = &c->actors[actor].inboxes[0]; /* the original went there */
        bool reachable =
            c->actors[actor].n_inboxes > 0 && !inbox->full && ((inbox->types & 1) || inbox->types >> c->in.type & 1);
        MUST(decision.level <= received->level);
        MUST(actor == c->in.publisher || decision.outcome == OUTCOME(HOLD) ||
             reachable == (decision.outcome == OUTCOME(DELIVER)));
        MUST(decision.outcome != OUTCOME(DELIVER) || (decision.n_inboxes == 1 && decision.inboxes[0] == 10 * actor));
    }
}

static void a_correction_reaches_exactly_those_who_received_the_original(void **state)
{
    (void)state;
    for_all_worlds(corrections);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        seed = strtoull(argv[1], NULL, 10);
    printf("seed %llu, %d worlds each\n", (unsigned long long)seed, WORLDS);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(explaining_one_and_deciding_all_agree),
        cmocka_unit_test(content_goes_only_to_relation_consent_and_cell_and_never_above_them),
        cmocka_unit_test(a_decision_is_complete_and_goes_to_open_subscribed_inboxes_only),
        cmocka_unit_test(an_exclusion_takes_all_content_from_that_actor_alone),
        cmocka_unit_test(withdrawing_consent_never_adds_a_delivery),
        cmocka_unit_test(ending_a_relation_never_adds_a_delivery_and_without_any_there_is_none),
        cmocka_unit_test(a_correction_reaches_exactly_those_who_received_the_original),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
