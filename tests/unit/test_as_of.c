/* The state as of any moment: what was known then, and what was decided on it. */
#include "core_fixture.h"

#include <stdio.h>
#include <string.h>

enum { DAY_OF_MS = 86400000 };

static const Carehub__V1__Answer *ask(struct hub *hub, const char *format, ...) __attribute__((format(printf, 2, 3)));
static const Carehub__V1__Answer *ask(struct hub *hub, const char *format, ...)
{
    char json[400];
    va_list args;
    va_start(args, format);
    vsnprintf(json, sizeof json, format, args);
    va_end(args);
    return hub_ask(hub, json);
}

static uint64_t discharged(struct hub *hub, uint8_t id)
{
    return hub_publish(hub, HOSPITAL, id, DISCHARGE)->place;
}

static const Carehub__V1__Rule *found(const Carehub__V1__ExplainAnswer *e, Carehub__V1__Finding finding)
{
    for (size_t i = 0; i < e->n_rules; i++)
        if (e->rules[i]->found == finding)
            return e->rules[i];
    fail_msg("finding %d is not among them", (int)finding);
    return NULL;
}

static void register_second_gp(struct hub *hub)
{
    hub_region(hub);
    hub_fact_good(hub, "{\"actorSet\":{\"name\":\"gp-2\",\"kind\":\"PROFESSIONAL\",\"display\":\"Dr Twee\"}}");
    hub_fact_good(hub, "{\"inboxSet\":{\"name\":\"gp-2\",\"actor\":\"gp-2\",\"types\":[\"*\"]}}");
}

/* A day later: "gp-2" is a member of P1's team since a week ago by its date, and it is recorded now. */
static uint64_t member_since_last_week(struct hub *hub)
{
    char json[300];
    hub->now_ms += DAY_OF_MS;
    snprintf(
        json, sizeof json,
        "{\"memberAdded\":{\"patient\":{\"number\":\"1\"},\"actor\":\"gp-2\",\"role\":\"gp\",\"fromMs\":\"%lld\"}}",
        (long long)hub->now_ms - 7LL * DAY_OF_MS);
    return hub_fact(hub, json)->place;
}

static void a_membership_recorded_later_does_not_rewrite_what_was_decided(void **state)
{
    struct hub *hub = *state;
    register_second_gp(hub);
    uint64_t before = discharged(hub, 1);
    uint64_t recorded = member_since_last_week(hub);

    const Carehub__V1__ExplainAnswer *then =
        ask(hub, "{\"explain\":{\"place\":\"%llu\",\"actor\":\"gp-2\"}}", (unsigned long long)before)->explain;
    assert_int_equal(then->recomputed->reason, CAREHUB__V1__REASON__NO_RELATION);
    assert_int_equal(then->at_place, 0);
    found(then, CAREHUB__V1__FINDING__FOUND_NO_RELATION);
    assert_string_equal(then->display, "Dr Twee");

    const Carehub__V1__ExplainAnswer *now =
        ask(hub, "{\"explain\":{\"place\":\"%llu\",\"actor\":\"gp-2\",\"atPlace\":\"%llu\"}}",
            (unsigned long long)before, (unsigned long long)recorded)
            ->explain;
    assert_int_equal(now->recomputed->outcome, CAREHUB__V1__OUTCOME__DELIVER);
    assert_int_equal(now->at_place, recorded);
    const Carehub__V1__FindingParts *parts = found(now, CAREHUB__V1__FINDING__FOUND_MEMBER)->parts;
    assert_int_equal(parts->from_ms, hub->now_ms - 7LL * DAY_OF_MS);
    assert_int_equal(parts->recorded_ms, hub->now_ms);
    assert_int_equal(parts->place, recorded);
    assert_string_equal(parts->role, "gp");
}

static void a_question_may_name_a_moment_instead_of_a_place(void **state)
{
    struct hub *hub = *state;
    register_second_gp(hub);
    uint64_t before = discharged(hub, 1);
    int64_t moment = hub->now_ms;
    uint64_t recorded = member_since_last_week(hub);
    static const char question[] = "{\"explain\":{\"place\":\"%llu\",\"actor\":\"gp-2\",\"atMs\":\"%lld\"}}";
    const Carehub__V1__ExplainAnswer *then = ask(hub, question, (unsigned long long)before, (long long)moment)->explain;
    assert_int_equal(then->recomputed->outcome, CAREHUB__V1__OUTCOME__WITHHOLD);
    assert_int_equal(then->at_place, before);
    const Carehub__V1__ExplainAnswer *now =
        ask(hub, question, (unsigned long long)before, (long long)hub->now_ms)->explain;
    assert_int_equal(now->recomputed->outcome, CAREHUB__V1__OUTCOME__DELIVER);
    assert_true(now->at_place >= recorded);
}

static void a_team_is_shown_as_it_was_known_with_both_dates(void **state)
{
    struct hub *hub = *state;
    register_second_gp(hub);
    uint64_t before = discharged(hub, 1);
    int64_t moment = hub->now_ms;
    uint64_t recorded = member_since_last_week(hub);
    static const char by_place[] = "{\"patient\":{\"patient\":{\"number\":\"1\"},\"atPlace\":\"%llu\"}}";
    assert_int_equal(ask(hub, by_place, (unsigned long long)before)->patient->n_members, 3);
    assert_int_equal(ask(hub, "{\"patient\":{\"patient\":{\"number\":\"1\"},\"atMs\":\"%lld\"}}", (long long)moment)
                         ->patient->n_members,
                     3);
    const Carehub__V1__PatientAnswer *now = ask(hub, by_place, (unsigned long long)recorded)->patient;
    assert_int_equal(now->n_members, 4);
    assert_int_equal(now->at_ms, hub->now_ms);
    assert_int_equal(now->members[3]->recorded_ms, hub->now_ms);
    assert_int_equal(now->members[3]->member->from_ms, hub->now_ms - 7LL * DAY_OF_MS);
    assert_int_equal(now->n_consents_recorded_ms, now->n_consents);
    assert_int_equal(now->consents_recorded_ms[0], moment);
}

static void a_consent_is_shown_as_it_was_before_it_was_withdrawn(void **state)
{
    struct hub *hub = *state;
    hub_region(hub);
    uint64_t before = discharged(hub, 1);
    hub_fact_good(hub, "{\"consentWithdrawn\":{\"patient\":{\"number\":\"1\"}}}");
    assert_int_equal(ask(hub, "{\"patient\":{\"patient\":{\"number\":\"1\"}}}")->patient->n_consents, 0);
    const Carehub__V1__Answer *then =
        ask(hub, "{\"patient\":{\"patient\":{\"number\":\"1\"},\"atPlace\":\"%llu\"}}", (unsigned long long)before);
    assert_int_equal(then->patient->n_consents, 1);
}

/* By identifier it leads to the survivor now, and to its own record then. */
static void a_person_merged_later_was_its_own_before(void **state)
{
    struct hub *hub = *state;
    hub_region(hub);
    hub_fact_good(hub, "{\"patientRegistered\":{\"identifiers\":[{\"system\":\"urn:t\",\"value\":\"other\"}]}}");
    uint64_t before = discharged(hub, 1);
    hub_fact_good(hub, "{\"patientsMerged\":{\"patient\":{\"number\":\"1\"},\"merged\":{\"number\":\"2\"}}}");
    static const char other[] = "{\"patient\":{\"patient\":{\"identifier\":{\"system\":\"urn:t\",\"value\":\"other\"}},"
                                "\"atPlace\":\"%llu\"}}";
    assert_int_equal(ask(hub, other, 0ull)->patient->number, 1);
    assert_int_equal(ask(hub, other, (unsigned long long)before)->patient->number, 2);
    assert_int_equal(ask(hub, other, (unsigned long long)before)->patient->n_members, 0);
    assert_int_equal(ask(hub, other, (unsigned long long)before + 1)->patient->number, 1);
}

static void what_lies_beyond_the_log_is_refused(void **state)
{
    struct hub *hub = *state;
    hub_region(hub);
    uint64_t place = discharged(hub, 1);
    static const char *const beyond[] = {"\"atPlace\":\"9999\"", "\"atMs\":\"9999999999999\"", "\"atMs\":\"1000\""};
    for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++) {
        const Carehub__V1__Answer *answer =
            ask(hub, "{\"explain\":{\"place\":\"%llu\",\"actor\":\"gp\",%s}}", (unsigned long long)place, beyond[i]);
        assert_int_equal(answer->error->code, CAREHUB__V1__ERROR_CODE__INVALID);
        answer = ask(hub, "{\"patient\":{\"patient\":{\"number\":\"1\"},%s}}", beyond[i]);
        assert_int_equal(answer->error->code, CAREHUB__V1__ERROR_CODE__INVALID);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, hub_setup, hub_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_membership_recorded_later_does_not_rewrite_what_was_decided),
        TEST(a_question_may_name_a_moment_instead_of_a_place),
        TEST(a_team_is_shown_as_it_was_known_with_both_dates),
        TEST(a_consent_is_shown_as_it_was_before_it_was_withdrawn),
        TEST(a_person_merged_later_was_its_own_before),
        TEST(what_lies_beyond_the_log_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
