/* Erasing a person whose record was merged with another's: by whichever number it is asked for, while they are one, and
 * after they have been separated again. */
#include "core_fixture.h"

#include <stdio.h>
#include <string.h>

#include "core/core_private.h"

enum { AUDITOR = SESSIONS };

#define CONFIRMED CAREHUB__V1__CONFIRMATION__STATUS__CONFIRMED
#define OF(who) "{\"identifier\":{\"system\":\"ssin\",\"value\":\"" who "\"}}"
#define FALL(who)                                                                                                      \
    "{\"type\":\"FALL_REPORTED\",\"patient\":{\"identifiers\":[{\"system\":\"ssin\",\"value\":\"" who                  \
    "\"}]},\"occurredAt\":{\"unixMs\":1753000000000},\"fallReported\":{}}"
#define FIRST "38041299949"
#define SECOND "38041200177"
#define MERGE "{\"patientsMerged\":{\"patient\":" OF(FIRST) ",\"merged\":{\"number\":2}}}"
#define SEPARATE "{\"patientsSeparated\":{\"patient\":" OF(FIRST) ",\"merged\":{\"number\":2}}}"

static void settle(struct hub *hub)
{
    for (int i = 0; i < 20; i++) {
        hub->now_ms += 1000;
        hub_commit(hub);
    }
    hub_clear(hub);
}

/* Events 1 and 2 before the two are taken for one, 3 and 4 meanwhile; one of each by either's number. */
static struct hub *merged(void **state)
{
    struct hub *hub = *state;
    hub_region(hub);
    hub_fact_good(hub, "{\"clientSet\":{\"name\":\"auditor\",\"roles\":[\"AUDITOR\"]}}");
    hub_fact_good(hub, "{\"clientKeyAdded\":{\"client\":\"auditor\",\"publicKey\":"
                       "\"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\"}}");
    hub_hello(hub, AUDITOR);
    hub_fact_good(hub, "{\"patientRegistered\":{\"identifiers\":[{\"system\":\"ssin\",\"value\":\"" SECOND "\"}]}}");
    hub_fact_good(hub, "{\"memberAdded\":{\"patient\":{\"number\":2},\"actor\":\"nurse\",\"role\":\"home-nurse\"}}");
    hub_fact_good(hub, "{\"consentGiven\":{\"patient\":{\"number\":2},\"purposes\":[\"continuity-of-care\"]}}");
    assert_int_equal(hub_publish(hub, HOSPITAL, 1, FALL(FIRST))->status, CONFIRMED);
    assert_int_equal(hub_publish(hub, HOSPITAL, 2, FALL(SECOND))->status, CONFIRMED);
    hub_fact_good(hub, MERGE);
    assert_int_equal(hub_publish(hub, HOSPITAL, 3, FALL(FIRST))->status, CONFIRMED);
    assert_int_equal(hub_publish(hub, HOSPITAL, 4, FALL(SECOND))->status, CONFIRMED);
    hub_fact_good(hub, "{\"memberAdded\":{\"patient\":" OF(SECOND) ",\"actor\":\"kas\",\"role\":\"home-care\"}}");
    return hub;
}

/* Events 5 and 6 after it. */
static struct hub *separated(void **state)
{
    struct hub *hub = merged(state);
    hub_fact_good(hub, SEPARATE);
    assert_int_equal(hub_publish(hub, HOSPITAL, 5, FALL(FIRST))->status, CONFIRMED);
    assert_int_equal(hub_publish(hub, HOSPITAL, 6, FALL(SECOND))->status, CONFIRMED);
    return hub;
}

static uint64_t ask(struct hub *hub, const char *whom)
{
    char json[200];
    snprintf(json, sizeof json, "{\"erasureRequested\":{\"patient\":%s,\"reason\":\"asked for\"}}", whom);
    const Carehub__V1__Confirmation *asked = hub_fact(hub, json);
    if (asked->status != CONFIRMED)
        fail_msg("%s", asked->error->text);
    return asked->place;
}

static void confirm(struct hub *hub, uint64_t request)
{
    char json[100];
    snprintf(json, sizeof json, "{\"erasureConfirmed\":{\"request\":\"%llu\"}}", (unsigned long long)request);
    const Carehub__V1__Confirmation *confirmed = hub_fact_as(hub, AUDITOR, json);
    if (confirmed->status != CONFIRMED)
        fail_msg("%s", confirmed->error->text);
    settle(hub);
}

static bool known(struct hub *hub, const char *whom)
{
    char json[200];
    snprintf(json, sizeof json, "{\"patient\":{\"patient\":%s}}", whom);
    return hub_ask(hub, json)->answer_case == CAREHUB__V1__ANSWER__ANSWER_PATIENT;
}

/* Which events still open: a bit for each. */
static unsigned events_left(struct hub *hub)
{
    unsigned left = 0;
    for (uint64_t place = 1; place <= hub->core->last_place; place++) {
        const uint8_t *bytes;
        size_t size;
        const Entry *entry = entry_read_payload(hub->core, place, &hub->core->scratch, &bytes, &size);
        if (entry && entry->what_case == CAREHUB__V1__ENTRY__WHAT_EVENT)
            left |= 1u << entry->event->id.data[15];
    }
    return left;
}

/* Is this number anywhere in what can still be opened? */
static bool is_named(struct hub *hub, const char *ssin)
{
    for (uint64_t place = 1; place <= hub->core->last_place; place++) {
        const uint8_t *bytes;
        size_t size;
        if (entry_read_payload(hub->core, place, &hub->core->scratch, &bytes, &size) &&
            memmem(bytes, size, ssin, strlen(ssin)))
            return true;
    }
    return false;
}

static unsigned bits(const char *events)
{
    unsigned all = 0;
    for (; *events; events++)
        all |= 1u << (*events - '0');
    return all;
}

/* The report of whoever was erased says so, by each number. */
static bool report_says_erased(struct hub *hub, int number)
{
    char json[160];
    snprintf(json, sizeof json, "{\"accessReport\":{\"patient\":{\"number\":%d},\"purpose\":\"test\"}}", number);
    hub_fact_good(hub, "{\"clientSet\":{\"name\":\"first-operator\",\"roles\":[\"VIEWER\",\"OPERATOR\",\"AUDITOR\","
                       "\"REGISTRAR\"]}}");
    settle(hub);
    const Carehub__V1__Answer *answer = hub_ask(hub, json);
    bool says = false;
    for (size_t i = 0;
         answer->answer_case == CAREHUB__V1__ANSWER__ANSWER_ACCESS_REPORT && i < answer->access_report->n_items; i++)
        says |= answer->access_report->items[i]->kind == CAREHUB__V1__REPORT_KIND__REPORT_ERASED;
    return says;
}

static void both_records_go_by_whichever_number(struct hub *hub, const char *whom)
{
    assert_int_equal(events_left(hub), bits("1234"));
    confirm(hub, ask(hub, whom));
    assert_false(known(hub, OF(FIRST)));
    assert_false(known(hub, OF(SECOND)));
    assert_false(known(hub, "{\"number\":1}"));
    assert_false(known(hub, "{\"number\":2}"));
    assert_int_equal(events_left(hub), 0);
    assert_false(is_named(hub, FIRST));
    assert_false(is_named(hub, SECOND));
    assert_true(report_says_erased(hub, 1));
    assert_true(report_says_erased(hub, 2));
    hub_crash(hub);
    hub_fact_good(hub, "{\"patientRegistered\":{\"identifiers\":[{\"system\":\"ssin\",\"value\":\"" SECOND "\"}]}}");
    assert_true(known(hub, "{\"number\":3}"));
}

static void both_records_go_by_the_survivors_number(void **state)
{
    both_records_go_by_whichever_number(merged(state), "{\"number\":1}");
}

static void both_records_go_by_the_merged_ones_number(void **state)
{
    both_records_go_by_whichever_number(merged(state), "{\"number\":2}");
}

static void both_records_go_by_either_identifier(void **state)
{
    both_records_go_by_whichever_number(merged(state), OF(SECOND));
}

static void asked_before_the_merging_it_is_of_both(void **state)
{
    struct hub *hub = separated(state);
    uint64_t request = ask(hub, "{\"number\":2}");
    hub_fact_good(hub, MERGE);
    confirm(hub, request);
    assert_false(known(hub, OF(FIRST)));
    assert_false(known(hub, OF(SECOND)));
    assert_int_equal(events_left(hub), 0);
}

/* What was published under its number while it was taken for the other goes too. */
static void separated_again_the_merged_one_goes_alone_and_whole(void **state)
{
    struct hub *hub = separated(state);
    assert_int_equal(events_left(hub), bits("123456"));
    confirm(hub, ask(hub, OF(SECOND)));
    assert_true(known(hub, OF(FIRST)));
    assert_false(known(hub, OF(SECOND)));
    assert_false(known(hub, "{\"number\":2}"));
    assert_int_equal(events_left(hub), bits("135"));
    assert_false(is_named(hub, SECOND));
    assert_true(is_named(hub, FIRST));
    assert_true(report_says_erased(hub, 2));
    assert_int_equal(hub_publish(hub, HOSPITAL, 7, FALL(FIRST))->status, CONFIRMED);
    assert_int_equal(events_left(hub), bits("1357"));
}

static void separated_again_the_survivor_goes_alone(void **state)
{
    struct hub *hub = separated(state);
    confirm(hub, ask(hub, OF(FIRST)));
    assert_false(known(hub, OF(FIRST)));
    assert_true(known(hub, OF(SECOND)));
    assert_int_equal(events_left(hub), bits("26"));
    assert_false(is_named(hub, FIRST));
    assert_int_equal(hub_publish(hub, HOSPITAL, 7, FALL(SECOND))->status, CONFIRMED);
    assert_int_equal(events_left(hub), bits("267"));
}

static void asked_while_merged_and_confirmed_after_it_is_of_the_one_that_was_named(void **state)
{
    struct hub *hub = merged(state);
    uint64_t request = ask(hub, "{\"number\":2}");
    hub_fact_good(hub, SEPARATE);
    confirm(hub, request);
    assert_true(known(hub, OF(FIRST)));
    assert_false(known(hub, OF(SECOND)));
    assert_int_equal(events_left(hub), bits("13"));
}

/* The other was itself merged into a third for a time: then it stands there. */
static void what_went_to_a_third_goes_too(void **state)
{
    struct hub *hub = merged(state);
    hub_fact_good(hub, "{\"patientRegistered\":{\"identifiers\":[{\"system\":\"urn:x\",\"value\":\"3\"}]}}");
    hub_fact_good(hub, "{\"consentGiven\":{\"patient\":{\"number\":3},\"purposes\":[\"continuity-of-care\"]}}");
    hub_fact_good(hub, "{\"memberAdded\":{\"patient\":{\"number\":3},\"actor\":\"nurse\",\"role\":\"home-nurse\"}}");
    hub_fact_good(hub, "{\"patientsMerged\":{\"patient\":{\"number\":3},\"merged\":{\"number\":1}}}");
    assert_int_equal(hub_publish(hub, HOSPITAL, 5, FALL(SECOND))->status, CONFIRMED);
    hub_fact_good(hub, "{\"patientsSeparated\":{\"patient\":{\"number\":3},\"merged\":{\"number\":1}}}");
    hub_fact_good(hub, SEPARATE);
    assert_int_equal(events_left(hub), bits("12345"));
    confirm(hub, ask(hub, OF(SECOND)));
    assert_int_equal(events_left(hub), bits("13"));
    assert_false(is_named(hub, SECOND));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, hub_setup, hub_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(both_records_go_by_the_survivors_number),
        TEST(both_records_go_by_the_merged_ones_number),
        TEST(both_records_go_by_either_identifier),
        TEST(asked_before_the_merging_it_is_of_both),
        TEST(separated_again_the_merged_one_goes_alone_and_whole),
        TEST(separated_again_the_survivor_goes_alone),
        TEST(asked_while_merged_and_confirmed_after_it_is_of_the_one_that_was_named),
        TEST(what_went_to_a_third_goes_too),
    };
    return cmocka_run_group_tests_name("erasure_merged", tests, NULL, NULL);
}
