// Assessments, and what people and carers report of themselves: coded scores from Observations with components and
// members, and from QuestionnaireResponses.
#include "fhir_case.h"

#include <stdio.h>

#define INTERRAI "urn:interrai:hc"
#define SCORE(code, value)                                                                                             \
    "{\"code\":{\"coding\":[{\"system\":\"" INTERRAI "\",\"code\":\"" code "\"}]},\"valueInteger\":" value "}"
#define OBSERVATION(rest)                                                                                              \
    "{\"resourceType\":\"Observation\",\"status\":\"final\"," SUBJECT ",\"effectiveDateTime\":\"2026-03-01\"," rest "}"
#define CODED(code) "\"code\":{\"coding\":[{\"system\":\"" INTERRAI "\",\"code\":\"" code "\"}]}"
#define ENTRY(url, resource)                                                                                           \
    "{\"fullUrl\":\"urn:uuid:" url "\",\"resource\":" resource ",\"request\":{\"method\":\"POST\",\"url\":\"x\"}}"
#define A "11111111-1111-4111-8111-111111111111"
#define B "22222222-2222-4222-8222-222222222222"
#define C "33333333-3333-4333-8333-333333333333"
#define TRANSACTION(entries) "{\"resourceType\":\"Bundle\",\"type\":\"transaction\",\"entry\":[" entries "]}"
#define MEMBERS(list) "\"hasMember\":[" list "]"
#define REFERENCE(url) "{\"reference\":\"urn:uuid:" url "\"}"
#define RESPONSE(status, rest)                                                                                         \
    "{\"resourceType\":\"QuestionnaireResponse\",\"status\":\"" status "\"," SUBJECT                                   \
    ",\"authored\":\"2026-03-01T10:00:00Z\"," rest "}"
#define QUESTIONNAIRE "\"questionnaire\":\"https://zorg.test/Questionnaire/belrai-screener|2.1\""
#define ITEMS                                                                                                          \
    "\"item\":[{\"linkId\":\"g\",\"item\":[{\"linkId\":\"iadl\",\"text\":\"IADL\",\"answer\":[{\"valueInteger\":4}]}," \
    "{\"linkId\":\"adl\",\"answer\":[{\"valueDecimal\":2.50,\"item\":[{\"linkId\":\"why\",\"answer\":[{"               \
    "\"valueString\":\"moe\"}]}]}]},{\"linkId\":\"cps\",\"answer\":[{\"valueCoding\":{\"code\":\"c3\"}},"              \
    "{\"valueBoolean\":true},{\"valueDate\":\"2026-02-28\"}]}]}]"

static void assert_score(Carehub__V1__Score *const *scores, size_t at, const char *item, const char *value)
{
    assert_string_equal(scores[at]->item->code, item);
    assert_string_equal(scores[at]->value, value);
}

static void components_are_scores(void **state)
{
    (void)state;
    const Carehub__V1__Event *event =
        one(OBSERVATION(CODED("hc") ",\"component\":[" SCORE("adl", "3") "," SCORE("cps", "2") "]"));
    assert_int_equal(event->type, CAREHUB__V1__EVENT_TYPE__ASSESSMENT_COMPLETED);
    assert_string_equal(event->assessment_completed->instrument->code, "hc");
    assert_int_equal(event->assessment_completed->n_scores, 2);
    assert_score(event->assessment_completed->scores, 1, "cps", "2");
}

#define ADL OBSERVATION(CODED("adl") ",\"valueInteger\":3")
#define DEPRESSION OBSERVATION(CODED("dep") ",\"component\":[" SCORE("mood", "1") "," SCORE("fear", "0") "]")
#define PANEL OBSERVATION(CODED("hc") "," MEMBERS(REFERENCE(A) "," REFERENCE(C) ",{\"display\":\"elders\"}"))

// A panel whose members are in the same Bundle is one event, not one for each.
static void members_are_told_with_their_panel(void **state)
{
    (void)state;
    const Carehub__V1__Event *event = one(TRANSACTION(ENTRY(A, ADL) "," ENTRY(B, PANEL) "," ENTRY(C, DEPRESSION)));
    assert_int_equal(event->assessment_completed->n_scores, 3);
    assert_score(event->assessment_completed->scores, 0, "adl", "3");
    assert_score(event->assessment_completed->scores, 2, "fear", "0");
    assert_string_equal(event->source->remarks[0], "member-elsewhere");
}

static void members_that_were_withdrawn_are_left_out(void **state)
{
    static const char *const statuses[] = {"entered-in-error", "cancelled"};
    char text[4096];
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        snprintf(
            text, sizeof text,
            TRANSACTION(ENTRY(
                A, "{\"resourceType\":\"Observation\",\"status\":\"%s\"," CODED(
                       "adl") ",\"valueInteger\":3}") "," ENTRY(B,
                                                                OBSERVATION(CODED("hc") ","
                                                                                        "\"valueInteger\":9," MEMBERS(
                                                                                            REFERENCE(A))))),
            statuses[i]);
        assert_int_equal(one(text)->assessment_completed->n_scores, 1);
    }
}

// Each names the other as its member: none is lost, and nothing runs in circles.
static void panels_within_each_other_stand_on_their_own(void **state)
{
    (void)state;
    assert_true(send_text(TRANSACTION(
        ENTRY(A, OBSERVATION(CODED("a") ",\"valueInteger\":1," MEMBERS(REFERENCE(B) "," REFERENCE(A)))) "," ENTRY(
            B, OBSERVATION(CODED("b") ",\"valueInteger\":2," MEMBERS(REFERENCE(A)))))));
    assert_int_equal(result.n_events, 2);
}

static void measurements_of_a_panel_are_tests_of_a_condition(void **state)
{
    (void)state;
    const Carehub__V1__Event *event = one(TRANSACTION(ENTRY(
        A, OBSERVATION("\"code\":{\"text\":\"temp\"},\"valueQuantity\":{\"value\":38.90,\"unit\":"
                       "\"Cel\"}")) "," ENTRY(B,
                                              OBSERVATION("\"code\":{\"text\":\"vitals\"}," MEMBERS(REFERENCE(A))))));
    assert_int_equal(event->type, CAREHUB__V1__EVENT_TYPE__CONDITION_CHANGED);
    assert_string_equal(event->condition_changed->point_of_care_tests[0]->value->value, "38.90");
}

static void a_category_says_outright_what_it_is(void **state)
{
    static const struct {
        const char *name;
        Carehub__V1__EventType type;
    } types[] = {{"CarerStrain", CAREHUB__V1__EVENT_TYPE__CARER_STRAIN},
                 {"PatientReported", CAREHUB__V1__EVENT_TYPE__PATIENT_REPORTED},
                 {"FallReported", CAREHUB__V1__EVENT_TYPE__FALL_REPORTED},
                 {"ConditionChanged", CAREHUB__V1__EVENT_TYPE__CONDITION_CHANGED},
                 {"GoalUpdated", CAREHUB__V1__EVENT_TYPE__CONDITION_CHANGED}}; // none that comes of an Observation
    char text[1024];
    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        snprintf(text, sizeof text,
                 OBSERVATION("\"category\":[{\"coding\":[{\"system\":\"urn:carehub:event-type\",\"code\":\"%s\"}]}],"
                             "\"code\":{\"text\":\"zelf bedacht\"},\"valueInteger\":7"),
                 types[i].name);
        assert_int_equal(one(text)->type, types[i].type);
    }
}

static void answers_are_scores(void **state)
{
    (void)state;
    const Carehub__V1__Event *event = one(RESPONSE("completed", QUESTIONNAIRE "," ITEMS));
    assert_int_equal(event->type, CAREHUB__V1__EVENT_TYPE__ASSESSMENT_COMPLETED);
    assert_string_equal(event->assessment_completed->instrument->code,
                        "https://zorg.test/Questionnaire/belrai-screener");
    assert_string_equal(event->assessment_completed->instrument_version, "2.1");
    assert_int_equal(event->assessment_completed->n_scores, 6);
    assert_score(event->assessment_completed->scores, 0, "iadl", "4");
    assert_string_equal(event->assessment_completed->scores[0]->item->display, "IADL");
    assert_string_equal(event->assessment_completed->scores[0]->item->system,
                        "https://zorg.test/Questionnaire/belrai-screener");
    assert_score(event->assessment_completed->scores, 1, "adl", "2.50");
    assert_score(event->assessment_completed->scores, 2, "why", "moe");
    assert_score(event->assessment_completed->scores, 3, "cps", "c3");
    assert_score(event->assessment_completed->scores, 4, "cps", "true");
    assert_score(event->assessment_completed->scores, 5, "cps", "2026-02-28");
}

static void what_the_patient_filled_in_is_reported_by_the_patient(void **state)
{
    (void)state;
    const Carehub__V1__Event *event =
        one(RESPONSE("completed", QUESTIONNAIRE "," ITEMS ",\"source\":{\"reference\":\"Patient/1\"}"));
    assert_int_equal(event->type, CAREHUB__V1__EVENT_TYPE__PATIENT_REPORTED);
    assert_true(event->author->unverified);
    assert_int_equal(event->patient_reported->n_scores, 6);
}

static void a_response_is_corrected_and_taken_back(void **state)
{
#define NAMED "\"identifier\":{\"system\":\"urn:q\",\"value\":\"1\"}," QUESTIONNAIRE
    (void)state;
    one(RESPONSE("completed", NAMED "," ITEMS));
    confirm();
    const Carehub__V1__Event *event =
        one(RESPONSE("amended", NAMED ",\"item\":[{\"linkId\":\"iadl\",\"answer\":[{\"valueInteger\":5}]}]"));
    assert_int_equal(event->amends.len, 16);
    confirm();
    assert_int_equal(one(RESPONSE("entered-in-error", NAMED))->retracts.len, 16);
    assert_true(send_text(RESPONSE("in-progress", NAMED)));
    assert_string_equal(result.items[0].why, "not-completed");
}

static void a_response_that_says_nothing_is_refused(void **state)
{
    static const struct {
        const char *text, *where;
    } cases[] = {{RESPONSE("completed", ITEMS), "QuestionnaireResponse.questionnaire"},
                 {RESPONSE("completed", QUESTIONNAIRE), "QuestionnaireResponse.item"},
                 {RESPONSE("completed", QUESTIONNAIRE ",\"item\":{}"), "QuestionnaireResponse.item"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_false(send_text(cases[i].text));
        assert_string_equal(problems.list[0].expression, cases[i].where);
    }
}

static void questions_within_questions_have_a_bound(void **state)
{
    char text[4096];
    size_t used = (size_t)snprintf(text, sizeof text, "%s",
                                   "{\"resourceType\":\"QuestionnaireResponse\",\"status\":\"completed\"," SUBJECT
                                   "," QUESTIONNAIRE);
    (void)state;
    for (int i = 0; i < 12; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, ",\"item\":[{\"linkId\":\"x\"");
    for (int i = 0; i < 12; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "}]");
    snprintf(text + used, sizeof text - used, "}");
    assert_false(send_text(text));
    assert_int_equal(problems.list[0].code, PROBLEM_TOO_COSTLY);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, reset, forget)
    const struct CMUnitTest tests[] = {
        TEST(components_are_scores),
        TEST(members_are_told_with_their_panel),
        TEST(members_that_were_withdrawn_are_left_out),
        TEST(panels_within_each_other_stand_on_their_own),
        TEST(measurements_of_a_panel_are_tests_of_a_condition),
        TEST(a_category_says_outright_what_it_is),
        TEST(answers_are_scores),
        TEST(what_the_patient_filled_in_is_reported_by_the_patient),
        TEST(a_response_is_corrected_and_taken_back),
        TEST(a_response_that_says_nothing_is_refused),
        TEST(questions_within_questions_have_a_bound),
    };
    return cmocka_run_group_tests_name("fhir_assess", tests, NULL, NULL);
}
