/* What the person's own settings do: restrictions, relaxations, and what becomes of what is queued. */
#include "core_fixture.h"

#include <stdio.h>

#define P1 "\"patient\":{\"number\":\"1\"}"
#define CLINICAL CAREHUB__V1__LEVEL__LEVEL_CLINICAL

static struct hub *region(void **state)
{
    struct hub *hub = *state;
    hub_region(hub);
    return hub;
}

/* What the session gets of one more discharge; -1: nothing. */
static int level_of_next(struct hub *hub, session_id session, const char *inbox)
{
    static uint8_t id = 100;
    hub_publish(hub, HOSPITAL, id++, DISCHARGE);
    hub_clear(hub);
    uint64_t epoch = hub_attach(hub, session, inbox, 100);
    size_t n = hub_deliveries(hub, session);
    const Carehub__V1__Delivery *delivery = n ? hub_delivery(hub, session, n - 1) : NULL;
    int level = delivery ? (int)delivery->level : -1;
    if (delivery)
        hub_ack(hub, session, epoch, delivery->lane, 1, delivery->number);
    hub_commit(hub);
    return level;
}

static void restriction_lowers_what_an_actor_gets_and_lifting_it_gives_it_back(void **state)
{
    struct hub *hub = region(state);
    assert_int_equal(level_of_next(hub, GP, "gp"), CLINICAL);
    hub_fact_good(hub,
                  "{\"accessSet\":{" P1 ",\"name\":\"less\",\"actorName\":\"gp\",\"level\":\"LEVEL_ADMINISTRATIVE\"}}");
    assert_int_equal(level_of_next(hub, GP, "gp"), CAREHUB__V1__LEVEL__LEVEL_ADMINISTRATIVE);
    assert_int_equal(level_of_next(hub, PHARMACY, "apo"), CLINICAL);
    hub_fact_good(hub, "{\"accessLifted\":{" P1 ",\"name\":\"less\"}}");
    assert_int_equal(level_of_next(hub, GP, "gp"), CLINICAL);
}

static void restriction_to_nothing_withholds_by_role_and_type(void **state)
{
    struct hub *hub = region(state);
    hub_fact_good(hub, "{\"accessSet\":{" P1 ",\"name\":\"none\",\"role\":\"pharmacist\",\"type\":\"FallReported\"}}");
    assert_int_equal(level_of_next(hub, PHARMACY, "apo"), CLINICAL);
    hub_fact_good(hub,
                  "{\"accessSet\":{" P1 ",\"name\":\"none\",\"role\":\"pharmacist\",\"type\":\"HospitalDischarge\"}}");
    assert_int_equal(level_of_next(hub, PHARMACY, "apo"), -1);
    assert_int_equal(level_of_next(hub, GP, "gp"), CLINICAL);
}

static void relaxation_lifts_but_not_over_a_restriction(void **state)
{
    struct hub *hub = region(state);
    int ordinary = level_of_next(hub, NURSE, "nurse"); /* a coordinator */
    assert_true(ordinary < CLINICAL);
    hub_fact_good(hub, "{\"accessSet\":{" P1
                       ",\"name\":\"more\",\"actorName\":\"nurse\",\"level\":\"LEVEL_CLINICAL\",\"relaxes\":true}}");
    assert_int_equal(level_of_next(hub, NURSE, "nurse"), CLINICAL);
    hub_fact_good(hub, "{\"accessSet\":{" P1 ",\"name\":\"less\",\"level\":\"LEVEL_ADMINISTRATIVE\"}}");
    assert_int_equal(level_of_next(hub, NURSE, "nurse"), CAREHUB__V1__LEVEL__LEVEL_ADMINISTRATIVE);
}

static void relaxation_never_gives_an_insurer_more_than_administrative(void **state)
{
    struct hub *hub = region(state);
    hub_fact_good(hub, "{\"accessSet\":{" P1
                       ",\"name\":\"more\",\"actorName\":\"kas\",\"level\":\"LEVEL_CLINICAL\",\"relaxes\":true}}");
    assert_int_equal(level_of_next(hub, INSURER, "kas"), CAREHUB__V1__LEVEL__LEVEL_ADMINISTRATIVE);
}

static void restriction_stops_what_is_queued_and_lifting_it_does_not_bring_it_back(void **state)
{
    struct hub *hub = region(state);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    hub_fact_good(hub, "{\"accessSet\":{" P1 ",\"name\":\"none\",\"role\":\"pharmacist\"}}");
    hub_fact_good(hub, "{\"accessLifted\":{" P1 ",\"name\":\"none\"}}");
    hub_clear(hub);
    hub_attach(hub, PHARMACY, "apo", 100);
    assert_int_equal(hub_deliveries(hub, PHARMACY), 0);
    hub_attach(hub, GP, "gp", 100);
    assert_int_equal(hub_deliveries(hub, GP), 1);
}

static void lifted_restrictions_of_several_types_are_all_remembered(void **state)
{
    struct hub *hub = region(state);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    hub_fact_good(hub, "{\"accessSet\":{" P1 ",\"name\":\"a\",\"type\":\"HospitalDischarge\"}}");
    hub_fact_good(hub, "{\"accessSet\":{" P1 ",\"name\":\"b\",\"type\":\"FallReported\"}}");
    hub_fact_good(hub, "{\"accessLifted\":{" P1 ",\"name\":\"a\"}}");
    hub_fact_good(hub, "{\"accessLifted\":{" P1 ",\"name\":\"b\"}}");
    hub_clear(hub);
    hub_attach(hub, GP, "gp", 100);
    assert_int_equal(hub_deliveries(hub, GP), 0);
}

static void setting_with_an_end_ends_by_itself(void **state)
{
    struct hub *hub = region(state);
    char json[200];
    snprintf(json, sizeof json, "{\"accessSet\":{" P1 ",\"name\":\"less\",\"actorName\":\"gp\",\"untilMs\":\"%lld\"}}",
             (long long)hub->now_ms + 1000);
    hub_fact_good(hub, json);
    assert_int_equal(level_of_next(hub, GP, "gp"), -1);
    hub->now_ms += 2000;
    assert_int_equal(level_of_next(hub, GP, "gp"), CLINICAL);
}

static void what_a_carer_enters_is_unverified_whatever_its_software_says(void **state)
{
    struct hub *hub = region(state);
    hub_fact_good(hub, "{\"actorSet\":{\"name\":\"az\",\"kind\":\"INFORMAL_CARER\"}}");
    hub_fact_good(hub, "{\"memberAdded\":{" P1 ",\"actor\":\"az\",\"role\":\"informal-carer\"}}");
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    hub_clear(hub);
    hub_attach(hub, GP, "gp", 10);
    const Carehub__V1__Delivery *delivery = hub_delivery(hub, GP, 0);
    assert_non_null(delivery);
    Carehub__V1__Event *event = carehub__v1__event__unpack(NULL, delivery->event.len, delivery->event.data);
    assert_true(event->author->unverified);
    carehub__v1__event__free_unpacked(event, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, hub_setup, hub_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(restriction_lowers_what_an_actor_gets_and_lifting_it_gives_it_back),
        TEST(restriction_to_nothing_withholds_by_role_and_type),
        TEST(relaxation_lifts_but_not_over_a_restriction),
        TEST(relaxation_never_gives_an_insurer_more_than_administrative),
        TEST(restriction_stops_what_is_queued_and_lifting_it_does_not_bring_it_back),
        TEST(lifted_restrictions_of_several_types_are_all_remembered),
        TEST(setting_with_an_end_ends_by_itself),
        TEST(what_a_carer_enters_is_unverified_whatever_its_software_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
