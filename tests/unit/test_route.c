/* The rules of routing one by one. What must hold for any input is in test_route_property.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "route_case.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static struct policy *policy;
static struct route_case c;

static const char rows[] = "    HospitalDischarge\n"
                           "        gp = clinical, restricted\n"
                           "        pharmacist = clinical\n"
                           "        home-nurse = clinical\n"
                           "        home-care = care\n"
                           "        coordinator = care\n"
                           "        case-manager = clinical\n"
                           "        insurer = clinical\n"
                           "    InclusionFlagged\n"
                           "        gp = clinical, by relation, personal\n"
                           "        pharmacist = care, by relation\n"
                           "        home-nurse = care\n"
                           "    PatientDeceased\n"
                           "        gp = care\n";

/* A GP in the team, with consent: the discharge is delivered. */
static int fresh(void **state)
{
    (void)state;
    case_empty(&c, policy);
    case_member(&c, GP, "gp");
    case_consent(&c, LEVEL(LEVEL_NONE));
    return 0;
}

/* What is decided for an actor; all three ways of asking must agree. */
static struct route_decision decided(uint32_t actor)
{
    static struct route_rule found[ROUTE_RULES_MAX];
    struct route_decision one, explained, all[ROUTE_DECISIONS_MAX];
    route_one(&c.in, actor, &one);
    int n = route_explain(&c.in, actor, &explained, found, COUNT(found));
    assert_true(n > 0 && found[n - 1].decided && found[n - 1].code == one.reason);
    assert_true(case_same(&one, &explained));
    n = route_event(&c.in, all, COUNT(all));
    assert_true(n >= 0);
    for (int i = 0; i < n; i++)
        if (all[i].actor == actor)
            assert_true(case_same(&one, &all[i]));
    return one;
}

static void expect(uint32_t actor, Carehub__V1__Outcome outcome, Carehub__V1__Reason reason)
{
    struct route_decision decision = decided(actor);
    if (decision.outcome != outcome || decision.reason != reason)
        fail_msg("actor %u: decided %d %s; expected %d %s", actor, (int)decision.outcome, reason_name(decision.reason),
                 (int)outcome, reason_name(reason));
}

static void delivered(uint32_t actor, Carehub__V1__Level level)
{
    struct route_decision decision = decided(actor);
    if (decision.outcome != OUTCOME(DELIVER) || decision.level != level)
        fail_msg("actor %u: %s at level %d; expected a delivery at level %d", actor, reason_name(decision.reason),
                 (int)decision.level, (int)level);
}

/* ---- Each rule, and the order of the rules ---------------------------------------------------------------------- */

static void deliver_names_its_grounds(void **state)
{
    (void)state;
    struct route_decision decision = decided(GP);
    assert_int_equal(decision.outcome, OUTCOME(DELIVER));
    assert_int_equal(decision.reason, REASON(MEMBER_WITH_CONSENT));
    assert_int_equal(decision.level, LEVEL(LEVEL_CLINICAL));
    assert_string_equal(decision.role, "gp");
    assert_int_equal(decision.ground, 100);
    assert_int_equal(decision.consent, 300);
    assert_false(decision.notice);
    assert_int_equal(decision.n_inboxes, 1);
    assert_int_equal(decision.inboxes[0], 10 * GP);
}

/* Each breaks one rule; applied from the last to the first, each one decides over all after it. */
static void break_known(void)
{
    c.in.actor = case_actor;
    c.actors[GP].standing = CAREHUB__V1__STANDING__STANDING_UNSPECIFIED;
}
static void break_retract(void)
{
    c.in.retracts = true;
    c.in.original = &c.original;
}
static void break_standing_ended(void)
{
    c.actors[GP].standing = CAREHUB__V1__STANDING__ENDED;
}
static void break_standing_suspended(void)
{
    c.actors[GP].standing = CAREHUB__V1__STANDING__SUSPENDED;
}
static void break_excluded(void)
{
    case_exclude(&c, GP);
}
static void break_ended(void)
{
    c.members[0].until_ms = NOW_MS;
}
static void break_started(void)
{
    c.members[0].from_ms = NOW_MS + 1;
}
static void break_addressed(void)
{
    case_addressee(&c, "actor-3", NULL);
}
static void break_role(void)
{
    c.members[0].role = "neighbour";
}
static void break_cell(void)
{
    c.members[0].role = "person";
}
static void break_restricted(void)
{
    c.in.confidentiality = CAREHUB__V1__CONFIDENTIALITY__RESTRICTED;
    if (strcmp(c.members[0].role, "gp") == 0)
        c.members[0].role = "pharmacist";
}
static void break_consent(void)
{
    c.card.n_consents = 0;
}
static void break_deceased(void)
{
    c.card.deceased = true;
}
static void break_own(void)
{
    c.in.publisher = GP;
}
static void break_inbox(void)
{
    c.actors[GP].n_inboxes = 0;
}

static const struct {
    void (*apply)(void);
    Carehub__V1__Outcome outcome;
    Carehub__V1__Reason reason;
    bool alone; /* contradicts one that stands later in the table */
} breakages[] = {
    {break_retract, OUTCOME(WITHHOLD), REASON(NOTHING_TO_RETRACT), false},
    {break_known, OUTCOME(WITHHOLD), REASON(DECISION_FAILED), true},
    {break_standing_ended, OUTCOME(WITHHOLD), REASON(ACTOR_ENDED), false},
    {break_excluded, OUTCOME(WITHHOLD), REASON(EXCLUDED_BY_PERSON), false},
    {break_ended, OUTCOME(WITHHOLD), REASON(RELATION_ENDED), false},
    {break_started, OUTCOME(WITHHOLD), REASON(RELATION_NOT_STARTED), true},
    {break_addressed, OUTCOME(WITHHOLD), REASON(NOT_ADDRESSED), false},
    {break_role, OUTCOME(HOLD), REASON(ROLE_UNKNOWN), false},
    {break_cell, OUTCOME(WITHHOLD), REASON(CELL_NONE), false},
    {break_restricted, OUTCOME(WITHHOLD), REASON(RESTRICTED_EVENT), false},
    {break_consent, OUTCOME(WITHHOLD), REASON(NO_CONSENT), false},
    {break_deceased, OUTCOME(WITHHOLD), REASON(PERSON_DECEASED), false},
    {break_own, OUTCOME(WITHHOLD), REASON(OWN_EVENT), false},
    {break_standing_suspended, OUTCOME(HOLD), REASON(ACTOR_SUSPENDED), false},
    {break_inbox, OUTCOME(WITHHOLD), REASON(NOT_SUBSCRIBED), false},
};

static void each_rule_denies_alone(void **state)
{
    for (size_t i = 0; i < COUNT(breakages); i++) {
        fresh(state);
        breakages[i].apply();
        expect(GP, breakages[i].outcome, breakages[i].reason);
    }
}

static void the_earlier_rule_decides(void **state)
{
    fresh(state);
    for (size_t i = COUNT(breakages); i-- > 0;)
        if (!breakages[i].alone) {
            breakages[i].apply();
            expect(GP, breakages[i].outcome, breakages[i].reason);
        }
}

static void an_unknown_actor_or_a_stranger_gets_nothing(void **state)
{
    (void)state;
    expect(NO_ACTOR, OUTCOME(WITHHOLD), REASON(UNKNOWN_ACTOR));
    expect(STRANGER, OUTCOME(WITHHOLD), REASON(NO_RELATION));
    case_member(&c, NO_ACTOR, "gp");
    expect(NO_ACTOR, OUTCOME(WITHHOLD), REASON(UNKNOWN_ACTOR));
}

static void an_unknown_person_has_no_candidates(void **state)
{
    (void)state;
    struct route_decision out[4];
    c.in.patient = NULL;
    assert_int_equal(route_event(&c.in, out, COUNT(out)), 0);
    expect(GP, OUTCOME(WITHHOLD), REASON(NO_RELATION));
    assert_int_equal(route_consent(NULL, NOW_MS), 0);
}

static void types_that_do_not_exist_are_denied(void **state)
{
    (void)state;
    const int types[] = {-1, 0, EVENT_TYPE_MAX + 1, 64 + 2};
    for (size_t i = 0; i < COUNT(types); i++) {
        c.in.type = (Carehub__V1__EventType)types[i];
        expect(GP, OUTCOME(WITHHOLD), REASON(CELL_NONE));
    }
}

/* ---- Relations -------------------------------------------------------------------------------------------------- */

static void a_relation_is_in_force_from_its_start_and_before_its_end(void **state)
{
    (void)state;
    c.members[0].from_ms = NOW_MS;
    c.members[0].until_ms = NOW_MS + 1;
    delivered(GP, LEVEL(LEVEL_CLINICAL));
}

static void a_grant_gives_its_own_reason_and_at_most_its_level(void **state)
{
    (void)state;
    relation_t *grant = case_grant(&c, STRANGER, "home-nurse", CAREHUB__V1__GRANT_KIND__REFERRAL);
    expect(STRANGER, OUTCOME(DELIVER), REASON(GRANT_WITH_CONSENT));
    assert_int_equal(decided(STRANGER).ground, 200);
    delivered(STRANGER, LEVEL(LEVEL_CLINICAL));
    grant->max_level = LEVEL(LEVEL_CARE);
    delivered(STRANGER, LEVEL(LEVEL_CARE));
    grant->max_level = (Carehub__V1__Level)-1;
    expect(STRANGER, OUTCOME(WITHHOLD), REASON(CELL_NONE));
}

static void an_insurers_grant_is_administrative_whatever_the_cell_says(void **state)
{
    (void)state;
    case_grant(&c, STRANGER, "insurer", CAREHUB__V1__GRANT_KIND__INSURANCE);
    delivered(STRANGER, LEVEL(LEVEL_ADMINISTRATIVE));
}

static void a_case_managers_grant_counts_only_with_an_end(void **state)
{
    (void)state;
    relation_t *grant = case_grant(&c, STRANGER, "case-manager", CAREHUB__V1__GRANT_KIND__CASE_MANAGEMENT);
    delivered(STRANGER, LEVEL(LEVEL_CLINICAL));
    grant->until_ms = 0;
    expect(STRANGER, OUTCOME(WITHHOLD), REASON(DECISION_FAILED));
    grant->until_ms = NOW_MS;
    expect(STRANGER, OUTCOME(WITHHOLD), REASON(RELATION_ENDED));
    grant->until_ms = 0;
    grant->grant = CAREHUB__V1__GRANT_KIND__EMERGENCY_ACCESS;
    expect(STRANGER, OUTCOME(WITHHOLD), REASON(DECISION_FAILED));
    grant->grant = CAREHUB__V1__GRANT_KIND__GRANT_KIND_UNSPECIFIED;
    expect(STRANGER, OUTCOME(WITHHOLD), REASON(DECISION_FAILED));
}

static void a_coordinator_is_never_the_case_manager_too(void **state)
{
    (void)state;
    case_grant(&c, STRANGER, "case-manager", CAREHUB__V1__GRANT_KIND__CASE_MANAGEMENT);
    relation_t *coordinator = case_member(&c, STRANGER, "coordinator");
    struct route_decision decision = decided(STRANGER);
    assert_string_equal(decision.role, "coordinator");
    assert_int_equal(decision.level, LEVEL(LEVEL_CARE));
    coordinator->until_ms = NOW_MS; /* no longer coordinator */
    delivered(STRANGER, LEVEL(LEVEL_CLINICAL));
}

static void of_several_relations_the_best_counts_in_any_order(void **state)
{
    (void)state;
    static const struct {
        char *a, *b;
        Carehub__V1__Reason reason;
        char *role;
    } cases[] = {
        {"home-care", "home-nurse", REASON(MEMBER_WITH_CONSENT), "home-nurse"}, /* the higher level */
        {"neighbour", "home-care", REASON(MEMBER_WITH_CONSENT), "home-care"},   /* deliver over hold */
        {"neighbour", "person", REASON(ROLE_UNKNOWN), "neighbour"},             /* hold over withhold */
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        for (int swap = 0; swap < 2; swap++) {
            fresh(state);
            case_member(&c, NURSE, swap ? cases[i].b : cases[i].a);
            case_member(&c, NURSE, swap ? cases[i].a : cases[i].b);
            struct route_decision decision = decided(NURSE);
            assert_int_equal(decision.reason, cases[i].reason);
            assert_string_equal(decision.role, cases[i].role);
        }
    fresh(state); /* of two denials the one that got further */
    case_member(&c, NURSE, "gp")->until_ms = NOW_MS;
    case_member(&c, NURSE, "person");
    expect(NURSE, OUTCOME(WITHHOLD), REASON(CELL_NONE));
}

static void an_actor_in_two_roles_gets_one_decision(void **state)
{
    (void)state;
    struct route_decision out[ROUTE_DECISIONS_MAX];
    case_member(&c, GP, "home-care");
    case_grant(&c, GP, "case-manager", CAREHUB__V1__GRANT_KIND__CASE_MANAGEMENT);
    assert_int_equal(route_event(&c.in, out, COUNT(out)), 1);
}

static void too_many_candidates_are_refused_not_cut_off(void **state)
{
    (void)state;
    struct route_decision out[2];
    case_member(&c, NURSE, "home-nurse");
    assert_int_equal(route_event(&c.in, out, 2), 2);
    case_member(&c, PHARMACY, "pharmacist");
    assert_int_equal(route_event(&c.in, out, 2), -1);
}

static void addressees_restrict_by_actor_or_role_and_never_widen(void **state)
{
    (void)state;
    case_member(&c, PHARMACY, "pharmacist");
    case_addressee(&c, NULL, "pharmacist");
    case_addressee(&c, "actor-9", NULL);
    delivered(PHARMACY, LEVEL(LEVEL_CLINICAL));
    expect(GP, OUTCOME(WITHHOLD), REASON(NOT_ADDRESSED));
    expect(STRANGER, OUTCOME(WITHHOLD), REASON(NO_RELATION));
    c.addressees[1].actor = "actor-2";
    delivered(GP, LEVEL(LEVEL_CLINICAL));
    c.addressees[1].to_case = CAREHUB__V1__ADDRESSEE__TO__NOT_SET; /* addressed to what we do not know */
    expect(GP, OUTCOME(WITHHOLD), REASON(NOT_ADDRESSED));
}

/* ---- Consent, confidentiality, death ---------------------------------------------------------------------------- */

static void consent_counts_for_its_purpose_and_time(void **state)
{
    (void)state;
    static char *research[] = {"research"};
    c.consents[0].from_ms = NOW_MS + 1;
    expect(GP, OUTCOME(WITHHOLD), REASON(NO_CONSENT));
    c.consents[0].from_ms = NOW_MS;
    delivered(GP, LEVEL(LEVEL_CLINICAL));
    c.consents[0].until_ms = NOW_MS;
    expect(GP, OUTCOME(WITHHOLD), REASON(NO_CONSENT));
    c.consents[0].until_ms = NOW_MS + 1;
    assert_int_equal(route_consent(&c.card, NOW_MS), 300);
    c.consents[0].purposes = research;
    c.consents[0].n_purposes = 1;
    expect(GP, OUTCOME(WITHHOLD), REASON(NO_CONSENT));
    assert_int_equal(route_consent(&c.card, NOW_MS), 0);
}

static void consent_caps_the_level_and_the_last_one_given_counts(void **state)
{
    (void)state;
    consent_t *later = case_consent(&c, LEVEL(LEVEL_CARE));
    delivered(GP, LEVEL(LEVEL_CARE));
    assert_int_equal(decided(GP).consent, 301);
    later->since = 10; /* now it is the earlier one */
    delivered(GP, LEVEL(LEVEL_CLINICAL));
    c.card.n_consents = 1;
    c.consents[0].classes = (Carehub__V1__Level)-1;
    expect(GP, OUTCOME(WITHHOLD), REASON(NO_CONSENT));
}

static void by_relation_needs_no_consent_and_is_not_lowered_by_a_narrow_one(void **state)
{
    (void)state;
    c.in.type = TYPE(INCLUSION_FLAGGED);
    case_member(&c, NURSE, "home-nurse");
    case_grant(&c, PHARMACY, "pharmacist", CAREHUB__V1__GRANT_KIND__REFERRAL);
    expect(GP, OUTCOME(DELIVER), REASON(MEMBER_WITH_CONSENT));
    c.consents[0].classes = LEVEL(LEVEL_ADMINISTRATIVE);
    expect(GP, OUTCOME(DELIVER), REASON(MEMBER_BY_RELATION));
    delivered(GP, LEVEL(LEVEL_CLINICAL));
    c.card.n_consents = 0;
    delivered(GP, LEVEL(LEVEL_CLINICAL));
    assert_int_equal(decided(GP).consent, 0);
    expect(PHARMACY, OUTCOME(DELIVER), REASON(GRANT_BY_RELATION));
    expect(NURSE, OUTCOME(WITHHOLD), REASON(NO_CONSENT));
}

static void a_confidential_event_needs_an_explicit_cell(void **state)
{
    (void)state;
    case_member(&c, PHARMACY, "pharmacist");
    const int values[] = {CAREHUB__V1__CONFIDENTIALITY__RESTRICTED, 3, -1}; /* the last two: a newer publisher's */
    for (size_t i = 0; i < COUNT(values); i++) {
        c.in.confidentiality = (Carehub__V1__Confidentiality)values[i];
        delivered(GP, LEVEL(LEVEL_CLINICAL));
        expect(PHARMACY, OUTCOME(WITHHOLD), REASON(RESTRICTED_EVENT));
    }
    c.in.confidentiality = CAREHUB__V1__CONFIDENTIALITY__CONFIDENTIALITY_UNSPECIFIED;
    delivered(PHARMACY, LEVEL(LEVEL_CLINICAL));
}

static void after_death_only_what_the_policy_lists_goes_out(void **state)
{
    (void)state;
    c.card.deceased = true;
    expect(GP, OUTCOME(WITHHOLD), REASON(PERSON_DECEASED));
    c.in.type = TYPE(PATIENT_DECEASED);
    delivered(GP, LEVEL(LEVEL_CARE));
}

/* ---- Inboxes ---------------------------------------------------------------------------------------------------- */

static void inboxes_are_chosen_by_type_and_room(void **state)
{
    (void)state;
    c.actors[GP].n_inboxes = 3;
    c.actors[GP].inboxes[0] = (struct route_inbox){.inbox = 20, .types = 1u << TYPE(FALL_REPORTED)};
    c.actors[GP].inboxes[1] = (struct route_inbox){.inbox = 21, .types = 1u << TYPE(HOSPITAL_DISCHARGE), .full = true};
    c.actors[GP].inboxes[2] = (struct route_inbox){.inbox = 22, .types = 1};
    struct route_decision decision = decided(GP);
    assert_int_equal(decision.n_inboxes, 1);
    assert_int_equal(decision.inboxes[0], 22);
    c.actors[GP].inboxes[2].full = true;
    expect(GP, OUTCOME(HOLD), REASON(INBOX_FULL));
    c.actors[GP].n_inboxes = 1;
    expect(GP, OUTCOME(WITHHOLD), REASON(NOT_SUBSCRIBED));
}

static void what_must_be_told_personally_is_held_without_an_inbox(void **state)
{
    (void)state;
    c.in.type = TYPE(INCLUSION_FLAGGED);
    c.actors[GP].n_inboxes = 0;
    expect(GP, OUTCOME(HOLD), REASON(PERSONAL_WITHOUT_INBOX));
}

/* ---- Corrections ------------------------------------------------------------------------------------------------ */

static void a_correction_has_the_lesser_of_both_levels_and_goes_to_the_same_inboxes(void **state)
{
    (void)state;
    c.actors[GP].n_inboxes = 2;
    c.actors[GP].inboxes[1] = (struct route_inbox){.inbox = 77, .types = 1};
    Carehub__V1__Decision *original = case_original(&c, GP, OUTCOME(DELIVER), LEVEL(LEVEL_CARE));
    struct route_decision decision = decided(GP);
    assert_int_equal(decision.reason, REASON(CORRECTION_OF_RECEIVED));
    assert_int_equal(decision.level, LEVEL(LEVEL_CARE));
    assert_int_equal(decision.n_inboxes, 1);
    assert_int_equal(decision.inboxes[0], 10 * GP);
    assert_false(decision.notice);
    original->level = LEVEL(LEVEL_CLINICAL);
    c.consents[0].classes = LEVEL(LEVEL_ADMINISTRATIVE);
    delivered(GP, LEVEL(LEVEL_ADMINISTRATIVE));
    c.slots[0].inbox = 5; /* the inbox that had it is closed */
    expect(GP, OUTCOME(WITHHOLD), REASON(NOT_SUBSCRIBED));
}

static void whoever_lost_the_entitlement_gets_a_notice_without_content(void **state)
{
    static void (*const losses[])(void) = {break_excluded, break_standing_ended, break_ended,   break_addressed,
                                           break_cell,     break_restricted,     break_consent, break_deceased};
    for (size_t i = 0; i < COUNT(losses); i++)
        for (int retracts = 0; retracts < 2; retracts++) {
            fresh(state);
            case_original(&c, GP, OUTCOME(DELIVER), LEVEL(LEVEL_CLINICAL));
            c.in.retracts = retracts;
            losses[i]();
            struct route_decision decision = decided(GP);
            assert_int_equal(decision.outcome, OUTCOME(DELIVER));
            assert_int_equal(decision.reason, REASON(CORRECTION_NOTICE));
            assert_true(decision.notice);
            assert_int_equal(decision.level, LEVEL(LEVEL_NONE));
            assert_int_equal(decision.n_inboxes, 1);
            c.actors[GP].inboxes[0].types = 1u << TYPE(FALL_REPORTED);
            expect(GP, OUTCOME(WITHHOLD), REASON(NOT_SUBSCRIBED));
            c.actors[GP].n_inboxes = 0;
            expect(GP, OUTCOME(WITHHOLD), REASON(NOT_SUBSCRIBED));
        }
}

static void someone_who_left_the_team_is_still_a_candidate_of_the_correction(void **state)
{
    (void)state;
    struct route_decision out[4];
    case_original(&c, NURSE, OUTCOME(DELIVER), LEVEL(LEVEL_CLINICAL));
    case_original(&c, STRANGER, OUTCOME(WITHHOLD), LEVEL(LEVEL_NONE));
    assert_int_equal(route_event(&c.in, out, COUNT(out)), 2); /* GP and nurse */
    expect(NURSE, OUTCOME(DELIVER), REASON(CORRECTION_NOTICE));
    c.in.patient = NULL;
    expect(NURSE, OUTCOME(DELIVER), REASON(CORRECTION_NOTICE));
}

static void the_newly_entitled_get_an_amendment_and_never_a_retraction(void **state)
{
    (void)state;
    static const Carehub__V1__Outcome outcomes[] = {OUTCOME(WITHHOLD), OUTCOME(HOLD)};
    for (size_t i = 0; i < COUNT(outcomes); i++) {
        fresh(state);
        case_original(&c, GP, outcomes[i], LEVEL(LEVEL_NONE));
        expect(GP, OUTCOME(DELIVER), REASON(MEMBER_WITH_CONSENT));
        delivered(GP, LEVEL(LEVEL_CLINICAL));
        c.in.retracts = true;
        expect(GP, OUTCOME(WITHHOLD), REASON(NOTHING_TO_RETRACT));
    }
}

static void who_had_only_a_notice_gets_only_a_notice(void **state)
{
    (void)state;
    case_original(&c, GP, OUTCOME(DELIVER), LEVEL(LEVEL_NONE))->notice = true;
    expect(GP, OUTCOME(DELIVER), REASON(CORRECTION_NOTICE));
    assert_true(decided(GP).notice);
}

static void a_suspended_receiver_of_the_original_is_held(void **state)
{
    (void)state;
    case_original(&c, GP, OUTCOME(DELIVER), LEVEL(LEVEL_CLINICAL));
    c.actors[GP].standing = CAREHUB__V1__STANDING__SUSPENDED;
    expect(GP, OUTCOME(HOLD), REASON(ACTOR_SUSPENDED));
}

static void a_notice_for_a_suspended_actor_is_held_as_one(void **state)
{
    (void)state;
    case_original(&c, GP, OUTCOME(DELIVER), LEVEL(LEVEL_CLINICAL));
    c.actors[GP].standing = CAREHUB__V1__STANDING__SUSPENDED;
    c.card.n_consents = 0;
    expect(GP, OUTCOME(HOLD), REASON(ACTOR_SUSPENDED));
    assert_true(decided(GP).notice);
}

static void the_publisher_of_a_correction_is_not_told_of_it(void **state)
{
    (void)state;
    case_original(&c, GP, OUTCOME(DELIVER), LEVEL(LEVEL_CLINICAL));
    c.in.publisher = GP;
    expect(GP, OUTCOME(WITHHOLD), REASON(OWN_EVENT));
    c.card.n_consents = 0;
    expect(GP, OUTCOME(WITHHOLD), REASON(NO_CONSENT));
}

static void a_notice_waits_for_a_full_inbox(void **state)
{
    (void)state;
    case_original(&c, GP, OUTCOME(DELIVER), LEVEL(LEVEL_CLINICAL));
    case_exclude(&c, GP);
    c.actors[GP].inboxes[0].full = true;
    expect(GP, OUTCOME(HOLD), REASON(INBOX_FULL));
}

/* ---- Explaining ------------------------------------------------------------------------------------------------- */

static void an_explanation_lists_the_rules_in_order_and_the_one_that_decided(void **state)
{
    (void)state;
    struct route_rule found[ROUTE_RULES_MAX];
    struct route_decision decision;
    c.card.n_consents = 0;
    int n = route_explain(&c.in, GP, &decision, found, COUNT(found));
    assert_int_equal(n, 4 + 7); /* the actor's rules, and those of the relation up to consent */
    for (int i = 0; i < n; i++) {
        assert_int_equal(found[i].passed, i < n - 1);
        assert_int_equal(found[i].decided, i == n - 1);
        assert_string_equal(found[i].role, i < 4 ? "" : "gp");
        assert_true(strlen(found[i].finding) > 0);
    }
    assert_int_equal(found[n - 1].code, REASON(NO_CONSENT));
    assert_string_equal(found[n - 1].finding, "no consent for continuity of care in force");
}

static void an_explanation_of_many_roles_stays_within_its_room_and_keeps_the_best(void **state)
{
    (void)state;
    for (int i = 0; i < 9; i++)
        case_member(&c, NURSE, i == 1 ? "home-nurse" : "home-care");
    for (size_t max = ROUTE_RULES_MIN; max <= ROUTE_RULES_MAX; max++) {
        struct route_rule found[ROUTE_RULES_MAX + 1];
        struct route_decision decision;
        int n = route_explain(&c.in, NURSE, &decision, found, max);
        assert_true(n > 0 && (size_t)n <= max);
        assert_true(found[n - 1].decided);
        assert_string_equal(found[n - 1].role, "home-nurse");
        assert_int_equal(found[n - 1].code, decision.reason);
    }
    assert_int_equal(route_explain(&c.in, NURSE, &(struct route_decision){0}, NULL, ROUTE_RULES_MIN - 1), -1);
}

static void every_reason_has_a_name_and_a_text_of_its_own(void **state)
{
    (void)state;
    const ProtobufCEnumDescriptor *reasons = &carehub__v1__reason__descriptor;
    for (unsigned i = 0; i < reasons->n_values; i++) {
        Carehub__V1__Reason reason = (Carehub__V1__Reason)reasons->values[i].value;
        assert_string_equal(reason_name(reason), reasons->values[i].name);
        assert_string_not_equal(reason_text(reason), reason_text((Carehub__V1__Reason)-1));
        for (unsigned j = 0; j < i; j++)
            assert_string_not_equal(reason_text(reason), reason_text((Carehub__V1__Reason)reasons->values[j].value));
    }
    assert_string_equal(reason_name((Carehub__V1__Reason)-1), "UNKNOWN_REASON");
}

static int read_policy(void **state)
{
    (void)state;
    policy = case_policy(rows);
    return 0;
}

static int drop_policy(void **state)
{
    (void)state;
    policy_destroy(&policy);
    return 0;
}

#define ROUTE_TEST(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROUTE_TEST(deliver_names_its_grounds),
        ROUTE_TEST(each_rule_denies_alone),
        ROUTE_TEST(the_earlier_rule_decides),
        ROUTE_TEST(an_unknown_actor_or_a_stranger_gets_nothing),
        ROUTE_TEST(an_unknown_person_has_no_candidates),
        ROUTE_TEST(types_that_do_not_exist_are_denied),
        ROUTE_TEST(a_relation_is_in_force_from_its_start_and_before_its_end),
        ROUTE_TEST(a_grant_gives_its_own_reason_and_at_most_its_level),
        ROUTE_TEST(an_insurers_grant_is_administrative_whatever_the_cell_says),
        ROUTE_TEST(a_case_managers_grant_counts_only_with_an_end),
        ROUTE_TEST(a_coordinator_is_never_the_case_manager_too),
        ROUTE_TEST(of_several_relations_the_best_counts_in_any_order),
        ROUTE_TEST(an_actor_in_two_roles_gets_one_decision),
        ROUTE_TEST(too_many_candidates_are_refused_not_cut_off),
        ROUTE_TEST(addressees_restrict_by_actor_or_role_and_never_widen),
        ROUTE_TEST(consent_counts_for_its_purpose_and_time),
        ROUTE_TEST(consent_caps_the_level_and_the_last_one_given_counts),
        ROUTE_TEST(by_relation_needs_no_consent_and_is_not_lowered_by_a_narrow_one),
        ROUTE_TEST(a_confidential_event_needs_an_explicit_cell),
        ROUTE_TEST(after_death_only_what_the_policy_lists_goes_out),
        ROUTE_TEST(inboxes_are_chosen_by_type_and_room),
        ROUTE_TEST(what_must_be_told_personally_is_held_without_an_inbox),
        ROUTE_TEST(a_correction_has_the_lesser_of_both_levels_and_goes_to_the_same_inboxes),
        ROUTE_TEST(whoever_lost_the_entitlement_gets_a_notice_without_content),
        ROUTE_TEST(someone_who_left_the_team_is_still_a_candidate_of_the_correction),
        ROUTE_TEST(the_newly_entitled_get_an_amendment_and_never_a_retraction),
        ROUTE_TEST(who_had_only_a_notice_gets_only_a_notice),
        ROUTE_TEST(a_suspended_receiver_of_the_original_is_held),
        ROUTE_TEST(a_notice_for_a_suspended_actor_is_held_as_one),
        ROUTE_TEST(the_publisher_of_a_correction_is_not_told_of_it),
        ROUTE_TEST(a_notice_waits_for_a_full_inbox),
        ROUTE_TEST(an_explanation_lists_the_rules_in_order_and_the_one_that_decided),
        ROUTE_TEST(an_explanation_of_many_roles_stays_within_its_room_and_keeps_the_best),
        ROUTE_TEST(every_reason_has_a_name_and_a_text_of_its_own),
    };
    return cmocka_run_group_tests(tests, read_policy, drop_policy);
}
