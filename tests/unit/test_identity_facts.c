/* Who is who: records that are merged and separated again, and who may open inboxes. */
#include "core_fixture.h"

#include <stdio.h>

#define CONFIRMED CAREHUB__V1__CONFIRMATION__STATUS__CONFIRMED
#define REJECTED CAREHUB__V1__CONFIRMATION__STATUS__REJECTED

static struct hub *region(void **state)
{
    struct hub *hub = *state;
    hub_region(hub);
    return hub;
}

#define OF(who) "{\"identifier\":{\"system\":\"ssin\",\"value\":\"" who "\"}}"
#define FALL(who)                                                                                                      \
    "{\"type\":\"FALL_REPORTED\",\"patient\":{\"identifiers\":[{\"system\":\"ssin\",\"value\":\"" who                  \
    "\"}]},\"occurredAt\":{\"unixMs\":1753000000000},\"fallReported\":{}}"
#define FIRST "38041299949"
#define SECOND "38041200177"
#define UNKNOWN "85073003328"

/* A second person, whose team is the nurse alone. */
static void second_person(struct hub *hub)
{
    hub_fact_good(hub, "{\"patientRegistered\":{\"identifiers\":[{\"system\":\"ssin\",\"value\":\"" SECOND "\"}]}}");
    hub_fact_good(hub, "{\"memberAdded\":{\"patient\":{\"number\":2},\"actor\":\"nurse\",\"role\":\"home-nurse\"}}");
    hub_fact_good(hub, "{\"consentGiven\":{\"patient\":{\"number\":2},\"purposes\":[\"continuity-of-care\"]}}");
}

static uint64_t waiting(struct hub *hub, const char *name)
{
    char json[100];
    snprintf(json, sizeof json, "{\"list\":{\"kind\":\"LIST_INBOXES\",\"name\":\"%s\"}}", name);
    return hub_ask(hub, json)->list->inboxes[0]->undelivered;
}

static void merged_person_is_decided_for_by_the_survivors_team_and_consent(void **state)
{
    struct hub *hub = region(state);
    second_person(hub);
    hub_fact_good(hub, "{\"patientsMerged\":{\"patient\":" OF(FIRST) ",\"merged\":" OF(SECOND) "}}");
    assert_int_equal(hub_publish(hub, HOSPITAL, 1, FALL(SECOND))->status, CONFIRMED);
    assert_int_equal(waiting(hub, "gp"), 1);
    hub_fact_good(hub, "{\"patientsSeparated\":{\"patient\":" OF(FIRST) ",\"merged\":" OF(SECOND) "}}");
    hub_publish(hub, HOSPITAL, 2, FALL(SECOND));
    assert_int_equal(waiting(hub, "gp"), 1);
    assert_int_equal(waiting(hub, "nurse"), 2);
}

static void merging_stops_what_is_queued_for_who_is_only_in_the_other_team(void **state)
{
    struct hub *hub = region(state);
    second_person(hub);
    hub_fact_good(hub, "{\"memberEnded\":{\"patient\":" OF(FIRST) ",\"actor\":\"nurse\"}}");
    hub_publish(hub, HOSPITAL, 1, FALL(SECOND));
    hub_fact_good(hub, "{\"patientsMerged\":{\"patient\":" OF(FIRST) ",\"merged\":" OF(SECOND) "}}");
    hub_clear(hub);
    hub_attach(hub, NURSE, "nurse", 100);
    assert_int_equal(hub_deliveries(hub, NURSE), 0);
}

static void exclusions_of_both_hold_and_separate_again(void **state)
{
    struct hub *hub = region(state);
    second_person(hub);
    hub_fact_good(hub, "{\"exclusionSet\":{\"patient\":" OF(SECOND) ",\"actor\":\"gp\"}}");
    hub_fact_good(hub, "{\"patientsMerged\":{\"patient\":" OF(FIRST) ",\"merged\":" OF(SECOND) "}}");
    hub_publish(hub, HOSPITAL, 1, FALL(FIRST));
    assert_int_equal(waiting(hub, "gp"), 0);
    hub_fact_good(hub, "{\"patientsSeparated\":{\"patient\":" OF(FIRST) ",\"merged\":{\"number\":2}}}");
    hub_publish(hub, HOSPITAL, 2, FALL(FIRST));
    assert_int_equal(waiting(hub, "gp"), 1);
}

static void merging_with_a_number_that_is_new_gives_the_known_person_that_number(void **state)
{
    struct hub *hub = region(state);
    hub_fact_good(hub, "{\"patientsMerged\":{\"patient\":" OF(UNKNOWN) ",\"merged\":" OF(FIRST) "}}");
    hub_publish(hub, HOSPITAL, 1, FALL(UNKNOWN));
    assert_int_equal(waiting(hub, "gp"), 1);
}

static void merging_of_nobody_known_is_confirmed_and_changes_nothing(void **state)
{
    struct hub *hub = region(state);
    hub_fact_good(hub, "{\"patientsMerged\":{\"patient\":" OF(UNKNOWN) ",\"merged\":" OF(SECOND) "}}");
    assert_int_equal(hub_ask(hub, "{\"status\":{}}")->status->patients, 1);
}

/* It would have no effect, and whoever withdraws a consent must not believe that it had. */
static void what_is_said_of_a_merged_record_by_its_number_is_refused(void **state)
{
    struct hub *hub = region(state);
    second_person(hub);
    hub_fact_good(hub, "{\"patientsMerged\":{\"patient\":" OF(FIRST) ",\"merged\":" OF(SECOND) "}}");
    static const char withdrawn[] = "{\"consentWithdrawn\":{\"patient\":{\"number\":\"2\"}}}";
    static const char excluded[] = "{\"exclusionSet\":{\"patient\":{\"number\":\"2\"},\"actor\":\"gp\"}}";
    assert_int_equal(hub_fact(hub, withdrawn)->status, REJECTED);
    assert_int_equal(hub_fact(hub, excluded)->status, REJECTED);
    hub_fact_good(hub, "{\"exclusionSet\":{\"patient\":" OF(SECOND) ",\"actor\":\"gp\"}}"); /* finds the first */
    hub_fact_good(hub, "{\"patientsSeparated\":{\"patient\":{\"number\":\"1\"},\"merged\":{\"number\":\"2\"}}}");
    assert_int_equal(hub_fact(hub, excluded)->status, CONFIRMED);
}

static void client_opens_inboxes_for_its_own_actors_only(void **state)
{
    struct hub *hub = region(state);
    hub_fact_good(hub,
                  "{\"clientSet\":{\"name\":\"apo\",\"actors\":[\"apo\"],\"facts\":[\"inbox_set\",\"inbox_closed\"]}}");
    static const char own[] = "{\"inboxSet\":{\"name\":\"apo.fhir-1\",\"actor\":\"apo\",\"types\":[\"*\"]}}";
    static const char foreign[] = "{\"inboxSet\":{\"name\":\"gp.fhir-1\",\"actor\":\"gp\",\"types\":[\"*\"]}}";
    assert_int_equal(hub_fact_as(hub, PHARMACY, own)->status, CONFIRMED);
    assert_int_equal(hub_fact_as(hub, PHARMACY, foreign)->status, REJECTED);
    assert_int_equal(hub_fact_as(hub, PHARMACY, "{\"inboxClosed\":{\"name\":\"gp\"}}")->status, REJECTED);
    assert_int_equal(hub_fact_as(hub, PHARMACY, "{\"inboxClosed\":{\"name\":\"apo.fhir-1\"}}")->status, CONFIRMED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, hub_setup, hub_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(merged_person_is_decided_for_by_the_survivors_team_and_consent),
        TEST(merging_stops_what_is_queued_for_who_is_only_in_the_other_team),
        TEST(exclusions_of_both_hold_and_separate_again),
        TEST(merging_with_a_number_that_is_new_gives_the_known_person_that_number),
        TEST(merging_of_nobody_known_is_confirmed_and_changes_nothing),
        TEST(what_is_said_of_a_merged_record_by_its_number_is_refused),
        TEST(client_opens_inboxes_for_its_own_actors_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
