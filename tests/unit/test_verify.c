/* What the person or an informal carer enters is unverified, until a professional who received it stands for it; and
 * they enter something of their own people only, within the scope of their relation. */
#include "core_fixture.h"

#include <stdio.h>
#include <string.h>

#define P1 "\"patient\":{\"number\":\"1\"}"
#define SSIN "\"patient\":{\"identifiers\":[{\"system\":\"ssin\",\"value\":\"38041299949\"}]}"
#define AT "\"occurredAt\":{\"unixMs\":\"1795300000000\"}"
#define STATUS(name) CAREHUB__V1__CONFIRMATION__STATUS__##name
#define CAUSE(name) CAREHUB__V1__CAUSE__##name
#define STEP(name) CAREHUB__V1__TRACE_LINE__STEP__##name

enum { CARER = NURSE };

static const char FALL[] = "{\"type\":\"FALL_REPORTED\"," SSIN "," AT ",\"fallReported\":{\"witnessed\":true}}";

/* The region, with a daughter who cares for the patient, in place of the nurse. */
static struct hub *region(void **state)
{
    struct hub *hub = *state;
    hub_region(hub);
    hub_fact_good(hub, "{\"memberEnded\":{" P1 ",\"actor\":\"nurse\"}}");
    hub_fact_good(hub, "{\"actorSet\":{\"name\":\"nurse\",\"kind\":\"INFORMAL_CARER\",\"display\":\"daughter\"}}");
    hub_fact_good(hub, "{\"memberAdded\":{" P1 ",\"actor\":\"nurse\",\"role\":\"informal-carer\"}}");
    return hub;
}

static void uuid_text(const struct hub *hub, uint8_t id, char text[40])
{
    uint8_t b[16];
    event_id(hub, id, b);
    snprintf(text, 40, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2], b[3],
             b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

static const Carehub__V1__Confirmation *verify_as(struct hub *hub, session_id session, uint8_t id, const char *actor)
{
    char json[200], text[40];
    uuid_text(hub, id, text);
    snprintf(json, sizeof json, "{\"eventVerified\":{\"eventId\":\"%s\",\"actorName\":\"%s\"}}", text, actor);
    return hub_fact_as(hub, session, json);
}

static uint64_t verified(struct hub *hub, session_id session, uint8_t id, const char *actor)
{
    const Carehub__V1__Confirmation *confirmation = verify_as(hub, session, id, actor);
    if (confirmation->status != STATUS(CONFIRMED))
        fail_msg("%s: %s", actor, confirmation->error->text);
    return confirmation->place;
}

static void refused(struct hub *hub, session_id session, uint8_t id, const char *actor, Carehub__V1__ErrorCode code)
{
    uint64_t before = hub_ask(hub, "{\"status\":{}}")->status->last_place;
    const Carehub__V1__Confirmation *confirmation = verify_as(hub, session, id, actor);
    assert_int_equal(confirmation->status, STATUS(REJECTED));
    assert_int_equal(confirmation->error->code, code);
    assert_int_equal(hub_ask(hub, "{\"status\":{}}")->status->last_place, before);
}

#define NOT_ALLOWED CAREHUB__V1__ERROR_CODE__NOT_ALLOWED
#define UNKNOWN_NAME CAREHUB__V1__ERROR_CODE__UNKNOWN_NAME
#define INVALID CAREHUB__V1__ERROR_CODE__INVALID

static uint64_t publish(struct hub *hub, session_id session, uint8_t id, const char *json)
{
    const Carehub__V1__Confirmation *confirmation = hub_publish(hub, session, id, json);
    if (confirmation->status != STATUS(CONFIRMED))
        fail_msg("%s", confirmation->error ? confirmation->error->text : "not confirmed");
    return confirmation->place;
}

/* What is at the end of the log: an event, or the trace that is left of one that was not kept. */
static Carehub__V1__Entry__WhatCase last_entry(struct hub *hub)
{
    char json[80];
    uint64_t last = hub_ask(hub, "{\"status\":{}}")->status->last_place;
    snprintf(json, sizeof json, "{\"exportLog\":{\"fromPlace\":\"%llu\",\"max\":1}}", (unsigned long long)last);
    return hub_ask(hub, json)->export_log->entries[0]->what_case;
}

/* ---- Verification ----------------------------------------------------------------------------------------------- */

static void who_received_it_is_sent_it_again_with_who_verified_it(void **state)
{
    struct hub *hub = region(state);
    hub_attach(hub, GP, "gp", 0);
    hub_attach(hub, PHARMACY, "apo", 0);
    uint64_t place = publish(hub, CARER, 1, FALL);
    assert_string_equal(hub_delivery(hub, GP, 0)->verified_by, "");
    hub_clear(hub);
    verified(hub, GP, 1, "gp");
    const session_id both[] = {GP, PHARMACY};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(hub_deliveries(hub, both[i]), 1);
        assert_int_equal(hub_delivery(hub, both[i], 0)->place, place);
        assert_int_equal(hub_delivery(hub, both[i], 0)->cause, CAUSE(VERIFIED));
        assert_string_equal(hub_delivery(hub, both[i], 0)->verified_by, "gp");
    }
}

static void what_is_delivered_later_names_the_verifier_too(void **state)
{
    struct hub *hub = region(state);
    publish(hub, CARER, 1, FALL);
    verified(hub, GP, 1, "gp");
    hub_fact_good(hub, "{\"replayed\":{" P1 ",\"reason\":\"test\"}}");
    for (int i = 0; i < 5; i++) {
        hub->now_ms += 1000;
        hub_commit(hub);
    }
    hub_clear(hub);
    hub_attach(hub, PHARMACY, "apo", 0);
    assert_int_equal(hub_deliveries(hub, PHARMACY), 3); /* its own, the verified one, the replay */
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(hub_delivery(hub, PHARMACY, i)->verified_by, "gp");
}

static void a_second_verification_is_recorded_and_changes_nothing(void **state)
{
    struct hub *hub = region(state);
    publish(hub, CARER, 1, FALL);
    verified(hub, GP, 1, "gp");
    verified(hub, PHARMACY, 1, "apo");
    hub_clear(hub);
    hub_attach(hub, GP, "gp", 0);
    assert_int_equal(hub_deliveries(hub, GP), 2);
    assert_string_equal(hub_delivery(hub, GP, 1)->verified_by, "gp");
    refused(hub, GP, 1, "gp", INVALID);
}

static void only_who_received_it_and_is_entitled_now_verifies(void **state)
{
    struct hub *hub = region(state);
    publish(hub, CARER, 1, FALL);
    refused(hub, HOSPITAL, 1, "az", UNKNOWN_NAME); /* never received it */
    refused(hub, HOSPITAL, 9, "az", UNKNOWN_NAME); /* and cannot tell from this whether there is such an event */
    refused(hub, CARER, 1, "nurse", INVALID);
    hub_fact_good(hub, "{\"memberEnded\":{" P1 ",\"actor\":\"gp\"}}");
    refused(hub, GP, 1, "gp", UNKNOWN_NAME);
    hub_fact_good(hub, "{\"actorStanding\":{\"name\":\"apo\",\"standing\":\"SUSPENDED\"}}");
    refused(hub, PHARMACY, 1, "apo", INVALID);
}

static void a_client_verifies_for_those_it_speaks_for(void **state)
{
    struct hub *hub = region(state);
    publish(hub, CARER, 1, FALL);
    refused(hub, PHARMACY, 1, "gp", NOT_ALLOWED);
    hub_fact_good(hub, "{\"clientSet\":{\"name\":\"apo\",\"actors\":[\"apo\"],\"facts\":[\"event_verified\"]}}");
    verified(hub, PHARMACY, 1, "gp");
}

static void what_a_professional_entered_needs_no_verification(void **state)
{
    struct hub *hub = region(state);
    publish(hub, HOSPITAL, 1, DISCHARGE);
    refused(hub, GP, 1, "gp", INVALID);
}

static void what_was_corrected_since_is_not_verified(void **state)
{
    struct hub *hub = region(state);
    char json[400], text[40];
    publish(hub, CARER, 1, FALL);
    uuid_text(hub, 1, text);
    snprintf(json, sizeof json,
             "{\"type\":\"FALL_REPORTED\",\"amends\":\"%s\"," SSIN "," AT ",\"fallReported\":{\"helpNeeded\":true}}",
             text);
    publish(hub, CARER, 2, json);
    refused(hub, GP, 1, "gp", INVALID);
    verified(hub, GP, 2, "gp");
}

static void trace_and_explanation_say_who_verified_it(void **state)
{
    struct hub *hub = region(state);
    char json[120];
    uint64_t place = publish(hub, CARER, 1, FALL);
    verified(hub, GP, 1, "gp");
    snprintf(json, sizeof json, "{\"trace\":{\"place\":\"%llu\"}}", (unsigned long long)place);
    const Carehub__V1__TraceAnswer *trace = hub_ask(hub, json)->trace;
    assert_true(trace->lines[0]->unverified);
    size_t seen = 0;
    for (size_t i = 0; i < trace->n_lines; i++)
        if (trace->lines[i]->step == STEP(VERIFIED_STEP)) {
            assert_string_equal(trace->lines[i]->actor, "gp");
            seen++;
        }
    assert_int_equal(seen, 1);
    snprintf(json, sizeof json, "{\"explain\":{\"place\":\"%llu\",\"actor\":\"apo\"}}", (unsigned long long)place);
    const Carehub__V1__ExplainAnswer *explained = hub_ask(hub, json)->explain;
    assert_true(explained->unverified);
    assert_string_equal(explained->verified_by, "gp");
    assert_int_equal(explained->verified_ms, hub->now_ms);
}

static void a_verification_survives_a_crash_and_is_about_the_person(void **state)
{
    struct hub *hub = region(state);
    char json[80];
    publish(hub, CARER, 1, FALL);
    uint64_t place = verified(hub, GP, 1, "gp");
    hub_crash(hub);
    hub_hello(hub, OPERATOR);
    hub_hello(hub, PHARMACY);
    snprintf(json, sizeof json, "{\"exportLog\":{\"fromPlace\":\"%llu\",\"max\":1}}", (unsigned long long)place);
    assert_int_equal(hub_ask(hub, json)->export_log->entries[0]->patient, 1);
    hub_clear(hub);
    hub_attach(hub, PHARMACY, "apo", 0);
    assert_int_equal(hub_deliveries(hub, PHARMACY), 2);
    assert_string_equal(hub_delivery(hub, PHARMACY, 0)->verified_by, "gp");
}

static void the_answer_does_not_say_which_pseudonym_the_person_has(void **state)
{
    struct hub *hub = region(state);
    publish(hub, CARER, 1, FALL);
    assert_int_equal(verify_as(hub, GP, 1, "gp")->number, 0);
}

/* ---- Of whom, and what ------------------------------------------------------------------------------------------ */

static void a_carer_enters_nothing_of_somebody_else_and_is_not_told_so(void **state)
{
    struct hub *hub = region(state);
    hub_fact_good(hub, "{\"memberEnded\":{" P1 ",\"actor\":\"nurse\"}}");
    publish(hub, CARER, 1, FALL);
    assert_int_equal(last_entry(hub), CAREHUB__V1__ENTRY__WHAT_NOT_KEPT);
    hub_fact_good(hub, "{\"memberAdded\":{" P1 ",\"actor\":\"nurse\",\"role\":\"informal-carer\"}}");
    assert_int_equal(hub_publish(hub, CARER, 1, FALL)->status, STATUS(REPEATED)); /* that does not revive it */
    publish(hub, CARER, 2, FALL);
    assert_int_equal(last_entry(hub), CAREHUB__V1__ENTRY__WHAT_EVENT);
}

static void a_carer_takes_back_what_it_entered_whatever_became_of_its_relation(void **state)
{
    struct hub *hub = region(state);
    static const char *const how[] = {"amends", "retracts"};
    char json[400], text[40];
    publish(hub, CARER, 1, FALL);
    hub_fact_good(hub, "{\"memberEnded\":{" P1 ",\"actor\":\"nurse\"}}");
    uuid_text(hub, 1, text);
    for (uint8_t i = 0; i < 2; i++) {
        snprintf(json, sizeof json, "{\"type\":\"FALL_REPORTED\",\"%s\":\"%s\"," SSIN "," AT ",\"fallReported\":{}}",
                 how[i], text);
        publish(hub, CARER, (uint8_t)(2 + i), json);
        assert_int_equal(last_entry(hub), i == 0 ? CAREHUB__V1__ENTRY__WHAT_NOT_KEPT : CAREHUB__V1__ENTRY__WHAT_EVENT);
    }
}

static void a_carer_who_corrects_what_it_never_entered_cannot_tell_who_is_known(void **state)
{
    struct hub *hub = region(state);
    char json[400], text[40];
    uuid_text(hub, 77, text);
    snprintf(json, sizeof json, "{\"type\":\"FALL_REPORTED\",\"amends\":\"%s\"," SSIN "," AT ",\"fallReported\":{}}",
             text);
    hub_fact_good(hub, "{\"memberEnded\":{" P1 ",\"actor\":\"nurse\"}}");
    publish(hub, CARER, 1, json);
    assert_int_equal(last_entry(hub), CAREHUB__V1__ENTRY__WHAT_NOT_KEPT);
}

static void an_exclusion_does_not_silence_a_carer(void **state)
{
    struct hub *hub = region(state);
    hub_fact_good(hub, "{\"exclusionSet\":{" P1 ",\"actor\":\"nurse\"}}");
    publish(hub, CARER, 1, FALL);
    assert_int_equal(last_entry(hub), CAREHUB__V1__ENTRY__WHAT_EVENT);
}

static void a_proxy_is_told_and_enters_what_its_scope_says(void **state)
{
    struct hub *hub = region(state);
    hub_fact_good(hub, "{\"memberAdded\":{" P1 ",\"actor\":\"nurse\",\"role\":\"informal-carer\","
                       "\"maxLevel\":\"LEVEL_ADMINISTRATIVE\",\"types\":[\"HospitalDischarge\"]}}");
    publish(hub, CARER, 1, FALL);
    assert_int_equal(last_entry(hub), CAREHUB__V1__ENTRY__WHAT_NOT_KEPT);
    publish(hub, HOSPITAL, 2, DISCHARGE);
    uint64_t fall = publish(hub, GP, 3, FALL);
    hub_clear(hub);
    hub_attach(hub, CARER, "nurse", 0);
    assert_int_equal(hub_deliveries(hub, CARER), 1);
    assert_int_equal(hub_delivery(hub, CARER, 0)->level, CAREHUB__V1__LEVEL__LEVEL_ADMINISTRATIVE);
    char json[120];
    snprintf(json, sizeof json, "{\"explain\":{\"place\":\"%llu\",\"actor\":\"nurse\"}}", (unsigned long long)fall);
    const Carehub__V1__ExplainAnswer *explained = hub_ask(hub, json)->explain;
    assert_int_equal(explained->recorded->reason, CAREHUB__V1__REASON__OUTSIDE_SCOPE);
    assert_int_equal(explained->rules[explained->n_rules - 1]->found, CAREHUB__V1__FINDING__FOUND_OUTSIDE_SCOPE);
}

static void what_is_queued_goes_by_the_scope_of_when_it_is_sent(void **state)
{
    struct hub *hub = region(state);
    publish(hub, GP, 1, FALL);
    hub_fact_good(hub, "{\"memberAdded\":{" P1 ",\"actor\":\"nurse\",\"role\":\"informal-carer\","
                       "\"types\":[\"HospitalDischarge\"]}}");
    hub_clear(hub);
    hub_attach(hub, CARER, "nurse", 0);
    assert_int_equal(hub_deliveries(hub, CARER), 0);
}

static void a_scope_names_types_that_there_are(void **state)
{
    struct hub *hub = region(state);
    const Carehub__V1__Confirmation *confirmation = hub_fact(
        hub, "{\"memberAdded\":{" P1 ",\"actor\":\"nurse\",\"role\":\"informal-carer\",\"types\":[\"Falling\"]}}");
    assert_int_equal(confirmation->error->code, INVALID);
    assert_string_equal(confirmation->error->field, "types");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, hub_setup, hub_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_received_it_is_sent_it_again_with_who_verified_it),
        TEST(what_is_delivered_later_names_the_verifier_too),
        TEST(a_second_verification_is_recorded_and_changes_nothing),
        TEST(only_who_received_it_and_is_entitled_now_verifies),
        TEST(a_client_verifies_for_those_it_speaks_for),
        TEST(what_a_professional_entered_needs_no_verification),
        TEST(what_was_corrected_since_is_not_verified),
        TEST(trace_and_explanation_say_who_verified_it),
        TEST(a_verification_survives_a_crash_and_is_about_the_person),
        TEST(the_answer_does_not_say_which_pseudonym_the_person_has),
        TEST(a_carer_enters_nothing_of_somebody_else_and_is_not_told_so),
        TEST(a_carer_takes_back_what_it_entered_whatever_became_of_its_relation),
        TEST(a_carer_who_corrects_what_it_never_entered_cannot_tell_who_is_known),
        TEST(an_exclusion_does_not_silence_a_carer),
        TEST(a_proxy_is_told_and_enters_what_its_scope_says),
        TEST(what_is_queued_goes_by_the_scope_of_when_it_is_sent),
        TEST(a_scope_names_types_that_there_are),
    };
    return cmocka_run_group_tests_name("verify", tests, NULL, NULL);
}
