// Events as plain JSON.
#include "fhir_case.h"

#include <stdio.h>

#include "event_json.h"
#include "eventid.h"

#define ID "\"id\":\"019ca9b0-0000-7000-8000-000000000001\","
#define PATIENT "\"patient\":{\"identifiers\":[{\"system\":\"SSIN\",\"value\":\"38.04.12-001.77\"}]},"
#define AT "\"occurredAt\":{\"unixMs\":\"1772353800000\"},"
#define FALL "\"fallReported\":{\"injury\":\"MINOR_INJURY\"}"

static Carehub__V1__Event *event;

static int drop(void **state)
{
    if (event != NULL)
        carehub__v1__event__free_unpacked(event, NULL);
    event = NULL;
    return forget(state);
}

static bool reads(const char *text)
{
    drop(NULL);
    problems = (struct problems){0};
    event = event_json_read(text, strlen(text), &intake, &problems);
    assert_true((event != NULL) == (problems.errors == 0));
    return event != NULL;
}

static void what_may_be_left_out_is_filled_in(void **state)
{
    (void)state;
    assert_true(reads("{" ID PATIENT AT FALL "}"));
    assert_int_equal(event->type, CAREHUB__V1__EVENT_TYPE__FALL_REPORTED);
    assert_string_equal(event->patient->identifiers[0]->system, "ssin");
    assert_string_equal(event->patient->identifiers[0]->value, SSIN);
    assert_string_equal(event->author->actor, "thuiszorg");
    assert_string_equal(event->author->role, "home-nurse");
    assert_string_equal(event->source->native_format, "carehub-json");
    assert_true(reads("{" ID PATIENT AT FALL ",\"author\":{\"actor\":\"x\",\"role\":\"gp\"}}"));
    assert_string_equal(event->author->actor, "x");
    assert_string_equal(event->author->role, "gp");
}

static void the_idempotency_key_makes_the_id(void **state)
{
    (void)state;
    uint8_t first[EVENTID_BYTES];
    intake.idempotency_key = "k1";
    assert_true(reads("{" PATIENT AT FALL "}"));
    assert_true(eventid_valid(event->id.data));
    memcpy(first, event->id.data, sizeof first);
    intake.received_ms += 5000;
    assert_true(reads("{ " PATIENT AT FALL " }"));
    assert_memory_equal(event->id.data, first, sizeof first);
    intake.idempotency_key = "k2";
    assert_true(reads("{" PATIENT AT FALL "}"));
    assert_memory_not_equal(event->id.data, first, sizeof first);
    assert_true(reads("{" ID PATIENT AT FALL "}"));
    assert_int_equal(event->id.data[15], 1);
}

static void what_is_wrong_is_said_where_it_is(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expression, *says;
    } cases[] = {
        {"", "", "line 1, column 1"},
        {"[]", "", "expected"},
        {"{\n\"id\" 5}", "", "line 2"},
        {"{" ID PATIENT AT "\"fallen\":{}}", "fallen", "expected"},
        {"{" ID PATIENT AT "\"fallReported\":{\"injury\":\"BAD\"}}", "fallReported.injury", "expected"},
        {"{" ID PATIENT AT "\"type\":\"FALL_REPORTED\"}", "type", "no body"},
        {"{" ID PATIENT AT "\"type\":\"TEAM_MESSAGE\"," FALL "}", "type", "another type"},
        {"{" ID AT FALL "}", "patient.identifiers", "must be named"},
        {"{" ID AT "\"patient\":{\"identifiers\":[{\"system\":\"ssin\",\"value\":\"38041200178\"}]}," FALL "}",
         "patient.identifiers[0].value", "check digits"},
        {"{" ID AT "\"patient\":{\"identifiers\":[{\"value\":\"1\"}]}," FALL "}", "patient.identifiers[0].system",
         "system"},
        {"{" ID PATIENT FALL "}", "occurredAt", "when"},
        {"{" PATIENT AT FALL "}", "id", "Idempotency-Key"},
        {"{\"id\":\"019ca9b0-0000-4000-8000-000000000001\"," PATIENT AT FALL "}", "id", "UUIDv7"},
        {"{\"id\":\"01ffffff-0000-7000-8000-000000000001\"," PATIENT AT FALL "}", "id", "future"},
        {"{" ID PATIENT AT "\"amends\":\"AAAA\"," FALL "}", "amends", "UUIDv7"},
        {"{" ID PATIENT AT "\"amends\":\"019ca9b0-0000-7000-8000-000000000002\",\"retracts\":"
         "\"019ca9b0-0000-7000-8000-000000000002\"," FALL "}",
         "retracts", "not both"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_false(reads(cases[i].text));
        if (strcmp(problems.list[0].expression, cases[i].expression) != 0 ||
            strstr(problems.list[0].diagnostics, cases[i].says) == NULL)
            fail_msg("case %zu: %s: %s", i, problems.list[0].expression, problems.list[0].diagnostics);
    }
}

static void what_is_written_reads_as_the_same(void **state)
{
    (void)state;
    assert_true(reads("{" ID PATIENT AT FALL "}"));
    for (int pretty = 0; pretty < 2; pretty++) {
        char *text = event_json_write(event, pretty);
        Carehub__V1__Event *again = event_json_read(text, strlen(text), &intake, &problems);
        assert_non_null(again);
        char *twice = event_json_write(again, pretty);
        assert_string_equal(text, twice);
        free(text);
        free(twice);
        carehub__v1__event__free_unpacked(again, NULL);
    }
}

static void an_event_that_is_too_large_is_refused(void **state)
{
    (void)state;
    char *text = malloc(200000);
    int used = sprintf(text, "{" ID PATIENT AT "\"fallReported\":{\"note\":\"");
    memset(text + used, 'x', 100000);
    strcpy(text + used + 100000, "\"}}");
    assert_false(reads(text));
    assert_int_equal(problems.list[0].code, PROBLEM_TOO_LONG);
    free(text);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, reset, drop)
    const struct CMUnitTest tests[] = {
        TEST(what_may_be_left_out_is_filled_in),     TEST(the_idempotency_key_makes_the_id),
        TEST(what_is_wrong_is_said_where_it_is),     TEST(what_is_written_reads_as_the_same),
        TEST(an_event_that_is_too_large_is_refused),
    };
    return cmocka_run_group_tests_name("event_json", tests, NULL, NULL);
}
