/* Emergency accesses are listed separately: who had access to whose data, since when, until when, and what for. */
#include "core_fixture.h"

#include <stdio.h>

#define P1 "\"patient\":{\"number\":\"1\"}"
#define HOUR_MS 3600000LL

static struct hub *region(void **state)
{
    struct hub *hub = *state;
    hub_region(hub);
    hub_fact_good(hub, "{\"patientRegistered\":{\"identifiers\":[{\"system\":\"urn:x:test\",\"value\":\"2\"}]}}");
    return hub;
}

static uint64_t give(struct hub *hub, int patient, const char *actor, int64_t from_ms)
{
    char json[400];
    snprintf(json, sizeof json,
             "{\"grantGiven\":{\"patient\":{\"number\":\"%d\"},\"actor\":\"%s\",\"role\":\"emergency-physician\","
             "\"kind\":\"EMERGENCY_ACCESS\",\"fromMs\":\"%lld\",\"untilMs\":\"%lld\",\"purpose\":\"acute care\","
             "\"justification\":\"UNCONSCIOUS\"}}",
             patient, actor, (long long)from_ms, (long long)(hub->now_ms + 2 * HOUR_MS));
    const Carehub__V1__Confirmation *confirmation = hub_fact(hub, json);
    assert_int_equal(confirmation->status, CAREHUB__V1__CONFIRMATION__STATUS__CONFIRMED);
    return confirmation->place;
}

static const Carehub__V1__EmergencyAnswer *ask(struct hub *hub, const char *json)
{
    const Carehub__V1__Answer *answer = hub_ask(hub, json);
    assert_null(answer->error);
    return answer->emergency;
}

static void those_of_all_persons_are_listed_in_force_and_past(void **state)
{
    struct hub *hub = region(state);
    int64_t start_ms = hub->now_ms;
    uint64_t first = give(hub, 1, "az", 0);
    hub->now_ms += HOUR_MS;
    give(hub, 2, "kas", 0);
    hub->now_ms += HOUR_MS + 1;
    give(hub, 2, "gp", hub->now_ms + HOUR_MS);
    const Carehub__V1__EmergencyAnswer *all = ask(hub, "{\"emergency\":{}}");
    assert_int_equal(all->n_accesses, 3);
    assert_int_equal(all->next, 0);
    const Carehub__V1__EmergencyAccess *one = all->accesses[0];
    assert_int_equal(one->place, first);
    assert_int_equal(one->patient, 1);
    assert_string_equal(one->actor, "az");
    assert_string_equal(one->purpose, "acute care");
    assert_string_equal(one->justification, "UNCONSCIOUS");
    assert_int_equal(one->from_ms, start_ms);
    assert_int_equal(one->until_ms, start_ms + 2 * HOUR_MS);
    assert_true(one->over && !one->in_force);
    assert_true(all->accesses[1]->in_force);
    assert_false(all->accesses[2]->in_force || all->accesses[2]->over); /* begins later */
}

static void they_can_be_asked_for_by_person_and_since_when(void **state)
{
    struct hub *hub = region(state);
    char json[80];
    give(hub, 1, "az", 0);
    hub->now_ms += HOUR_MS;
    uint64_t second = give(hub, 2, "kas", 0);
    assert_int_equal(ask(hub, "{\"emergency\":{" P1 "}}")->n_accesses, 1);
    snprintf(json, sizeof json, "{\"emergency\":{\"sinceMs\":\"%lld\"}}", (long long)hub->now_ms);
    const Carehub__V1__EmergencyAnswer *since = ask(hub, json);
    assert_int_equal(since->n_accesses, 1);
    assert_int_equal(since->accesses[0]->place, second);
}

static void one_that_was_ended_sooner_says_when(void **state)
{
    struct hub *hub = region(state);
    give(hub, 1, "az", 0);
    hub->now_ms += 60000;
    hub_fact_good(hub, "{\"grantEnded\":{" P1 ",\"actor\":\"az\"}}");
    const Carehub__V1__EmergencyAccess *one = ask(hub, "{\"emergency\":{}}")->accesses[0];
    assert_true(one->over);
    assert_int_equal(one->until_ms, hub->now_ms);
}

static void one_that_was_given_anew_ends_the_one_before(void **state)
{
    struct hub *hub = region(state);
    give(hub, 1, "az", 0);
    hub->now_ms += 60000;
    give(hub, 1, "az", 0);
    const Carehub__V1__EmergencyAnswer *all = ask(hub, "{\"emergency\":{}}");
    assert_int_equal(all->n_accesses, 2);
    assert_true(all->accesses[0]->over && all->accesses[1]->in_force);
    assert_int_equal(all->accesses[0]->until_ms, hub->now_ms);
}

static void there_are_more_than_one_answer_holds(void **state)
{
    struct hub *hub = region(state);
    char json[80];
    for (int i = 0; i < 130; i++) {
        give(hub, 1, "az", 0);
        hub_clear(hub);
    }
    const Carehub__V1__EmergencyAnswer *page = ask(hub, "{\"emergency\":{}}");
    assert_int_equal(page->n_accesses, 100);
    assert_true(page->next > 0);
    uint64_t last = page->accesses[99]->place;
    snprintf(json, sizeof json, "{\"emergency\":{\"afterPlace\":\"%llu\"}}", (unsigned long long)page->next);
    page = ask(hub, json);
    assert_int_equal(page->n_accesses, 30);
    assert_true(page->accesses[0]->place > last);
    assert_int_equal(page->next, 0);
}

static void why_it_was_needed_is_for_auditors(void **state)
{
    struct hub *hub = region(state);
    give(hub, 1, "az", 0);
    hub_fact_good(hub, "{\"clientSet\":{\"name\":\"first-operator\",\"roles\":[\"VIEWER\",\"REGISTRAR\"]}}");
    assert_string_equal(ask(hub, "{\"emergency\":{}}")->accesses[0]->justification, "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, hub_setup, hub_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(those_of_all_persons_are_listed_in_force_and_past),
        TEST(they_can_be_asked_for_by_person_and_since_when),
        TEST(one_that_was_ended_sooner_says_when),
        TEST(one_that_was_given_anew_ends_the_one_before),
        TEST(there_are_more_than_one_answer_holds),
        TEST(why_it_was_needed_is_for_auditors),
    };
    return cmocka_run_group_tests_name("emergency_list", tests, NULL, NULL);
}
