/* Secondary use: a grant with a purpose of its own, which needs the consent for that purpose and no other. */
#include "core_fixture.h"

#include <stdio.h>

#define P1 "\"patient\":{\"number\":\"1\"}"
#define REASON(name) CAREHUB__V1__REASON__##name
#define DAY_LATER "1995300000000"

enum { RESEARCHER = INSURER };

/* The region, in which the health fund does research instead. */
static struct hub *region(void **state)
{
    struct hub *hub = *state;
    hub_region(hub);
    hub_fact_good(hub, "{\"grantEnded\":{" P1 ",\"actor\":\"kas\"}}");
    hub_fact_good(hub, "{\"grantGiven\":{" P1 ",\"actor\":\"kas\",\"role\":\"gp\",\"kind\":\"SECONDARY_USE\","
                       "\"purpose\":\"research\",\"maxLevel\":\"LEVEL_CARE\",\"untilMs\":\"" DAY_LATER "\"}}");
    return hub;
}

static void consent(struct hub *hub, const char *purpose)
{
    char json[200];
    snprintf(json, sizeof json, "{\"consentGiven\":{" P1 ",\"purposes\":[\"%s\"]}}", purpose);
    hub_fact_good(hub, json);
}

static void withdraw(struct hub *hub, const char *purpose)
{
    char json[200];
    snprintf(json, sizeof json, "{\"consentWithdrawn\":{" P1 ",\"purposes\":[\"%s\"]}}", purpose);
    hub_fact_good(hub, json);
}

static const Carehub__V1__ExplainAnswer *explain(struct hub *hub, uint64_t place, const char *actor)
{
    char json[120];
    snprintf(json, sizeof json, "{\"explain\":{\"place\":\"%llu\",\"actor\":\"%s\"}}", (unsigned long long)place,
             actor);
    return hub_ask(hub, json)->explain;
}

static size_t received(struct hub *hub, session_id session, const char *inbox)
{
    hub_clear(hub);
    hub_attach(hub, session, inbox, 0);
    return hub_deliveries(hub, session);
}

static void it_needs_the_consent_for_its_purpose(void **state)
{
    struct hub *hub = region(state);
    uint64_t place = hub_publish(hub, HOSPITAL, 1, DISCHARGE)->place;
    const Carehub__V1__ExplainAnswer *explained = explain(hub, place, "kas");
    assert_int_equal(explained->recorded->reason, REASON(NO_CONSENT_FOR_PURPOSE));
    const Carehub__V1__Rule *last = explained->rules[explained->n_rules - 1];
    assert_int_equal(last->found, CAREHUB__V1__FINDING__FOUND_NO_CONSENT_FOR_PURPOSE);
    assert_string_equal(last->parts->purpose, "research");
    consent(hub, "research");
    place = hub_publish(hub, HOSPITAL, 2, DISCHARGE)->place;
    assert_int_equal(received(hub, RESEARCHER, "kas"), 1);
    assert_int_equal(hub_delivery(hub, RESEARCHER, 0)->place, place);
    assert_int_equal(hub_delivery(hub, RESEARCHER, 0)->level, CAREHUB__V1__LEVEL__LEVEL_CARE);
}

static void no_care_relation_replaces_that_consent(void **state)
{
    struct hub *hub = region(state);
    uint64_t place =
        hub_publish(hub, HOSPITAL, 1,
                    "{\"type\":\"INCLUSION_FLAGGED\",\"patient\":{\"identifiers\":[{\"system\":\"ssin\",\"value\":"
                    "\"38041299949\"}]},\"occurredAt\":{\"unixMs\":\"1795300000000\"},\"inclusionFlagged\":{}}")
            ->place;
    assert_int_equal(explain(hub, place, "kas")->recorded->reason, REASON(NO_CONSENT_FOR_PURPOSE));
}

static void it_needs_no_consent_for_care_and_that_one_alone_keeps_the_event(void **state)
{
    struct hub *hub = region(state);
    consent(hub, "research");
    withdraw(hub, "continuity-of-care");
    uint64_t place = hub_publish(hub, HOSPITAL, 1, DISCHARGE)->place;
    assert_int_equal(explain(hub, place, "gp")->recorded->reason, REASON(NO_CONSENT));
    assert_int_equal(received(hub, RESEARCHER, "kas"), 1);
    hub_fact_good(hub, "{\"grantEnded\":{" P1 ",\"actor\":\"kas\"}}");
    place = hub_publish(hub, HOSPITAL, 2, DISCHARGE)->place;
    assert_true(explain(hub, place, "gp")->not_kept); /* nobody is served by a consent for research */
}

static void a_withdrawal_stops_what_is_queued_for_that_purpose_alone(void **state)
{
    struct hub *hub = region(state);
    consent(hub, "research");
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    withdraw(hub, "research");
    consent(hub, "research"); /* does not bring it back */
    assert_int_equal(received(hub, RESEARCHER, "kas"), 0);
    assert_int_equal(received(hub, GP, "gp"), 1);
}

static void withdrawing_care_does_not_stop_research(void **state)
{
    struct hub *hub = region(state);
    consent(hub, "research");
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    withdraw(hub, "continuity-of-care");
    consent(hub, "continuity-of-care");
    assert_int_equal(received(hub, RESEARCHER, "kas"), 1);
    assert_int_equal(received(hub, GP, "gp"), 0);
}

static void a_consent_that_ends_by_its_date_stops_what_is_queued(void **state)
{
    struct hub *hub = region(state);
    char json[200];
    snprintf(json, sizeof json, "{\"consentGiven\":{" P1 ",\"purposes\":[\"research\"],\"untilMs\":\"%lld\"}}",
             (long long)hub->now_ms + 1000);
    hub_fact_good(hub, json);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    hub->now_ms += 2000;
    consent(hub, "research");
    assert_int_equal(received(hub, RESEARCHER, "kas"), 0);
}

static void a_grant_for_another_purpose_ends_the_one_before(void **state)
{
    struct hub *hub = region(state);
    consent(hub, "research");
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    consent(hub, "quality");
    hub_fact_good(hub, "{\"grantGiven\":{" P1 ",\"actor\":\"kas\",\"role\":\"gp\",\"kind\":\"SECONDARY_USE\","
                       "\"purpose\":\"quality\",\"maxLevel\":\"LEVEL_CARE\",\"untilMs\":\"" DAY_LATER "\"}}");
    assert_int_equal(received(hub, RESEARCHER, "kas"), 0);
}

static void its_purpose_its_end_and_its_level_are_obligatory(void **state)
{
    struct hub *hub = region(state);
    static const struct {
        const char *purpose, *level, *until, *field;
    } cases[] = {
        {"", "LEVEL_CARE", DAY_LATER, "purpose"},         {"continuity-of-care", "LEVEL_CARE", DAY_LATER, "purpose"},
        {"What I like", "LEVEL_CARE", DAY_LATER, "name"}, {"quality", "LEVEL_NONE", DAY_LATER, "maxLevel"},
        {"quality", "LEVEL_CARE", "0", "untilMs"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char json[300];
        snprintf(json, sizeof json,
                 "{\"grantGiven\":{" P1
                 ",\"actor\":\"az\",\"role\":\"gp\",\"kind\":\"SECONDARY_USE\",\"purpose\":\"%s\","
                 "\"maxLevel\":\"%s\",\"untilMs\":\"%s\"}}",
                 cases[i].purpose, cases[i].level, cases[i].until);
        const Carehub__V1__Confirmation *confirmation = hub_fact(hub, json);
        assert_int_equal(confirmation->error->code, CAREHUB__V1__ERROR_CODE__INVALID);
        assert_string_equal(confirmation->error->field, cases[i].field);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, hub_setup, hub_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_needs_the_consent_for_its_purpose),
        TEST(no_care_relation_replaces_that_consent),
        TEST(it_needs_no_consent_for_care_and_that_one_alone_keeps_the_event),
        TEST(a_withdrawal_stops_what_is_queued_for_that_purpose_alone),
        TEST(withdrawing_care_does_not_stop_research),
        TEST(a_consent_that_ends_by_its_date_stops_what_is_queued),
        TEST(a_grant_for_another_purpose_ends_the_one_before),
        TEST(its_purpose_its_end_and_its_level_are_obligatory),
    };
    return cmocka_run_group_tests_name("purposes", tests, NULL, NULL);
}
