// FHIR resources to care events, but for Encounters: test_fhir_encounter.c.
#include "fhir_case.h"

#include <stdio.h>

#include "eventid.h"

#define SNOMED(code) "{\"coding\":[{\"system\":\"http://snomed.info/sct\",\"code\":\"" code "\"}]}"
#define DETAIL(code) "\"code\":{\"coding\":[{\"system\":\"urn:carehub:fall\",\"code\":\"" code "\"}]}"
#define IDENTIFIER "\"identifier\":[{\"system\":\"urn:zorg:melding\",\"value\":\"M-1\"}]"
#define OBSERVATION(status, code, more)                                                                                \
    "{\"resourceType\":\"Observation\"," IDENTIFIER ",\"status\":\"" status "\",\"code\":" code "," SUBJECT            \
    ",\"effectiveDateTime\":\"2026-03-01T09:30:00+01:00\"" more "}"
#define FALL_WITH(more) OBSERVATION("final", SNOMED("1912002"), more)
#define FALL FALL_WITH("")

// ---- What becomes of what

static void each_code_yields_its_type_of_event(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        Carehub__V1__EventType type;
    } cases[] = {
        {FALL, CAREHUB__V1__EVENT_TYPE__FALL_REPORTED},
        {OBSERVATION("final", SNOMED("217082002"), ""), CAREHUB__V1__EVENT_TYPE__FALL_REPORTED},
        {OBSERVATION("final", SNOMED("217156008"), ""), CAREHUB__V1__EVENT_TYPE__FALL_REPORTED},
        {OBSERVATION("final", "{\"text\":\"incident\"}", ",\"valueCodeableConcept\":" SNOMED("20902002")),
         CAREHUB__V1__EVENT_TYPE__FALL_REPORTED},
        {OBSERVATION("final", SNOMED("161898004"), ""), CAREHUB__V1__EVENT_TYPE__CONDITION_CHANGED},
        {OBSERVATION("final", SNOMED("129839007"), ""), CAREHUB__V1__EVENT_TYPE__CONDITION_CHANGED},
        {OBSERVATION("final", "{\"coding\":[{\"system\":\"http://loinc.org\",\"code\":\"75856-5\"}]}",
                     ",\"valueInteger\":2"),
         CAREHUB__V1__EVENT_TYPE__ASSESSMENT_COMPLETED},
        {OBSERVATION("final", "{\"coding\":[{\"system\":\"https://www.belrai.org/scale\",\"code\":\"adl-h\"}]}",
                     ",\"valueQuantity\":{\"value\":3}"),
         CAREHUB__V1__EVENT_TYPE__ASSESSMENT_COMPLETED},
        {OBSERVATION("final", "{\"text\":\"Katz\"}",
                     ",\"valueString\":\"B\",\"category\":[{\"coding\":[{\"system\":\"http://terminology.hl7.org/"
                     "CodeSystem/observation-category\",\"code\":\"survey\"}]}]"),
         CAREHUB__V1__EVENT_TYPE__ASSESSMENT_COMPLETED},
        {"{\"resourceType\":\"AdverseEvent\",\"actuality\":\"actual\",\"event\":" SNOMED("217083007") "," SUBJECT "}",
         CAREHUB__V1__EVENT_TYPE__FALL_REPORTED},
        {"{\"resourceType\":\"Flag\",\"status\":\"active\",\"code\":" SNOMED("1912002") "," SUBJECT "}",
         CAREHUB__V1__EVENT_TYPE__CONDITION_CHANGED},
        {"{\"resourceType\":\"Communication\",\"status\":\"completed\"," SUBJECT
         ",\"payload\":[{\"contentString\":\"x\"}]}",
         CAREHUB__V1__EVENT_TYPE__TEAM_MESSAGE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const Carehub__V1__Event *event = one(cases[i].text);
        if (event->type != cases[i].type)
            fail_msg("case %zu: type %d", i, (int)event->type);
        assert_int_equal((int)event->body_case, 1000 + (int)event->type);
        assert_true(eventid_valid(event->id.data));
        assert_non_null(event->occurred_at);
        assert_string_equal(event->patient->identifiers[0]->system, "ssin");
        assert_string_equal(event->patient->identifiers[0]->value, SSIN);
        assert_string_equal(event->author->actor, "thuiszorg");
        assert_string_equal(event->source->native_format, "fhir-r4");
    }
}

static void a_deployments_rule_goes_before_what_is_known(void **state)
{
    (void)state;
    static const struct fhir_rule rules[] = {
        {"urn:zorg:schaal", "zarit", CAREHUB__V1__EVENT_TYPE__CARER_STRAIN},
        {"http://snomed.info/sct", "1912002", CAREHUB__V1__EVENT_TYPE__CONDITION_CHANGED}};
    intake.rules = rules;
    intake.n_rules = 2;
    const Carehub__V1__Event *event = one(OBSERVATION(
        "final", "{\"coding\":[{\"system\":\"urn:zorg:schaal\",\"code\":\"zarit\"}]}", ",\"valueInteger\":41"));
    assert_int_equal(event->type, CAREHUB__V1__EVENT_TYPE__CARER_STRAIN);
    assert_string_equal(event->carer_strain->score, "41");
    assert_int_equal(one(FALL)->type, CAREHUB__V1__EVENT_TYPE__CONDITION_CHANGED);
}

static void a_fall_keeps_its_details(void **state)
{
    (void)state;
    const Carehub__V1__FallReported *fall =
        one(FALL_WITH(
                ",\"component\":["
                "{" DETAIL(
                    "injury") ",\"valueCodeableConcept\":{\"coding\":[{\"code\":\"minor\"}]}},"
                              "{" DETAIL("witnessed") ",\"valueBoolean\":true},{" DETAIL(
                                  "help-needed") ",\"valueBoolean\":true},"
                                                 "{" DETAIL(
                                                     "place") ",\"valueString\":\"keuken\"},"
                                                              "{" DETAIL(
                                                                  "person-is-now") ",\"valueCodeableConcept\":{"
                                                                                   "\"text\":\"in de zetel\"}},"
                                                                                   "{" DETAIL(
                                                                                       "falls-past-year") ",\"valueInte"
                                                                                                          "ger\":3},"
                                                                                                          "{\"code\":{"
                                                                                                          "\"text\":"
                                                                                                          "\"pols\"},"
                                                                                                          "\"valueQuant"
                                                                                                          "ity\":{"
                                                                                                          "\"value\":1."
                                                                                                          "50,\"unit\":"
                                                                                                          "\"x\"}}],"
                                                                                                          "\"note\":[{"
                                                                                                          "\"text\":"
                                                                                                          "\"een\"},{"
                                                                                                          "\"text\":"
                                                                                                          "\"twee\"}],"
                                                                                                          "\"valueStrin"
                                                                                                          "g\":"
                                                                                                          "\"schaafwond"
                                                                                                          "e\""))
            ->fall_reported;
    assert_int_equal(fall->injury, CAREHUB__V1__FALL_REPORTED__INJURY__MINOR_INJURY);
    assert_true(fall->witnessed && fall->help_needed);
    assert_string_equal(fall->place->display, "keuken");
    assert_string_equal(fall->person_is_now->display, "in de zetel");
    assert_int_equal(fall->falls_past_year, 3);
    assert_string_equal(fall->measurements[0]->value->value, "1.50");
    assert_string_equal(fall->note, "een\ntwee");
    assert_string_equal(fall->injury_detail, "schaafwonde");
    assert_string_equal(fall->kind->code, "1912002");
    assert_int_equal(fall->fell_at->unix_ms, INT64_C(1772353800000));
    assert_int_equal(fall->fell_at->offset_minutes, 60);
}

static void the_scores_of_an_assessment_are_coded(void **state)
{
    (void)state;
    const Carehub__V1__AssessmentCompleted *b =
        one(OBSERVATION("final", "{\"coding\":[{\"system\":\"urn:interRAI:instrument\",\"code\":\"hc\"}]}",
                        ",\"component\":[{\"code\":{\"coding\":[{\"system\":\"urn:interrai\",\"code\":\"cps\"}]},"
                        "\"valueInteger\":2},{\"code\":{\"text\":\"DRS\"},\"valueCodeableConcept\":{\"coding\":"
                        "[{\"code\":\"low\"}]}}]"))
            ->assessment_completed;
    assert_string_equal(b->instrument->code, "hc");
    assert_int_equal(b->n_scores, 2);
    assert_string_equal(b->scores[0]->item->code, "cps");
    assert_string_equal(b->scores[0]->value, "2");
    assert_string_equal(b->scores[1]->value, "low");
    assert_int_equal(b->at->unix_ms, INT64_C(1772353800000));
}

static void a_change_of_condition_keeps_sign_and_tests(void **state)
{
    (void)state;
    const Carehub__V1__ConditionChanged *b =
        one(OBSERVATION("final",
                        "{\"coding\":[{\"code\":\"a\"},{\"code\":\"b\",\"display\":\"B\","
                        "\"userSelected\":true}]}",
                        ",\"valueQuantity\":{\"value\":38.9,\"unit\":\"graden\",\"system\":"
                        "\"http://unitsofmeasure.org\",\"code\":\"Cel\"},\"interpretation\":[{\"text\":\"hoog\"}]"))
            ->condition_changed;
    assert_string_equal(b->sign->code, "b");
    assert_string_equal(b->severity->display, "hoog");
    assert_string_equal(b->point_of_care_tests[0]->value->value, "38.9");
    assert_string_equal(b->point_of_care_tests[0]->value->unit, "Cel");
}

#define MESSAGE(more)                                                                                                  \
    "{\"resourceType\":\"Communication\",\"status\":\"completed\"," SUBJECT                                            \
    ",\"sent\":\"2026-03-01T10:00:00Z\",\"payload\":[{\"contentString\":\"Eet slecht\"}]" more "}"

static void a_message_goes_to_whom_it_names_and_to_nobody_else(void **state)
{
    (void)state;
    const Carehub__V1__Event *event =
        one(MESSAGE(",\"recipient\":[{\"identifier\":{\"system\":\"urn:carehub:actor\",\"value\":\"dr-peeters\"}},"
                    "{\"identifier\":{\"system\":\"urn:carehub:role\",\"value\":\"pharmacist\"}}],"
                    "\"priority\":\"stat\",\"topic\":{\"text\":\"Voeding\"},\"inResponseTo\":[{\"reference\":"
                    "\"Communication/12\"}]"));
    assert_int_equal(event->n_addressees, 2);
    assert_string_equal(event->addressees[0]->actor, "dr-peeters");
    assert_int_equal(event->addressees[1]->to_case, CAREHUB__V1__ADDRESSEE__TO_ROLE);
    assert_string_equal(event->addressees[1]->role, "pharmacist");
    assert_int_equal(event->urgency, CAREHUB__V1__URGENCY__IMMEDIATE);
    assert_string_equal(event->team_message->thread_id, "Communication/12");
    assert_string_equal(event->team_message->subject, "Voeding");
    assert_string_equal(event->team_message->text, "Eet slecht");
    assert_int_equal(one(MESSAGE(",\"recipient\":[{\"reference\":\"CareTeam/1\"}]"))->n_addressees, 0);
    assert_false(send_text(MESSAGE(",\"recipient\":[{\"reference\":\"Practitioner/9\"}]")));
    assert_int_equal(result.n_events, 0);
    assert_string_equal(problems.list[0].expression, "Communication.recipient[0]");
}

static void the_author_is_who_performed_and_lay_people_are_unverified(void **state)
{
    (void)state;
    const Carehub__V1__Event *event =
        one(FALL_WITH(",\"contained\":[{\"resourceType\":\"Practitioner\",\"id\":\"p\",\"name\":[{\"given\":[\"An\"],"
                      "\"family\":\"Claes\"}],\"identifier\":[{\"system\":\"" SSIN_SYSTEM "\",\"value\":\"" SSIN
                      "\"}]}],\"performer\":[{\"reference\":\"#p\"},{\"reference\":\"Organization/7\","
                      "\"display\":\"Thuiszorg\"}]"));
    assert_string_equal(event->author->professional->name, "An Claes");
    assert_int_equal(event->author->professional->n_identifiers, 0); // a professional's own SSIN goes nowhere
    assert_string_equal(event->author->organisation->name, "Thuiszorg");
    assert_false(event->author->unverified);
    event = one(FALL_WITH(",\"performer\":[{\"reference\":\"RelatedPerson/3\"}]"));
    assert_true(event->author->unverified);
    assert_null(event->author->professional);
}

// ---- What yields nothing

static void what_did_not_happen_yields_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } cases[] = {
        {OBSERVATION("registered", SNOMED("1912002"), ""), "no-result-yet"},
        {OBSERVATION("entered-in-error", SNOMED("1912002"), ""), "nothing-to-correct"},
        {"{\"resourceType\":\"AdverseEvent\",\"actuality\":\"potential\",\"event\":" SNOMED("1912002") "," SUBJECT "}",
         "potential"},
        {"{\"resourceType\":\"Flag\",\"status\":\"inactive\",\"code\":" SNOMED("1912002") "," SUBJECT "}",
         "flag-is-over"},
        {"{\"resourceType\":\"Communication\",\"status\":\"preparation\"," SUBJECT "}", "not-sent"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_true(send_text(cases[i].text));
        assert_int_equal(result.n_events, 0);
        assert_int_equal(result.items[0].outcome, FHIR_NOTHING);
        assert_string_equal(result.items[0].why, cases[i].why);
    }
}

// ---- Identity

static void copy_id(const Carehub__V1__Event *event, uint8_t id[EVENTID_BYTES])
{
    assert_int_equal(event->id.len, EVENTID_BYTES);
    memcpy(id, event->id.data, EVENTID_BYTES);
}

static void the_same_resource_is_the_same_event_however_it_is_written(void **state)
{
    (void)state;
    uint8_t first[EVENTID_BYTES], second[EVENTID_BYTES];
    copy_id(one(FALL), first);
    intake.received_ms += 60000;
    intake.idempotency_key = "another-try";
    copy_id(one("{ \"code\": " SNOMED(
                "1912002") ", \"status\": \"final\"," SUBJECT ", \"effectiveDateTime\": "
                           "\"2026-03-01T09:30:00+01:00\", \"resourceType\": \"Observation\"," IDENTIFIER "}"),
            second);
    assert_memory_equal(first, second, sizeof first);
    assert_int_equal(eventid_time_ms(first), UINT64_C(1772353800000));
    intake.sender = "another";
    copy_id(one(FALL), second);
    assert_memory_not_equal(first, second, sizeof first);
}

static void without_an_identifier_the_idempotency_key_names_it(void **state)
{
    (void)state;
    const char *text = "{\"resourceType\":\"Observation\",\"id\":\"example\",\"status\":\"final\",\"code\":" SNOMED(
        "1912002") "," SUBJECT ",\"effectiveDateTime\":\"2026-03-01T09:30:00Z\"}";
    uint8_t ids[4][EVENTID_BYTES], keys[2][FHIR_KEY_BYTES];
    const char *idempotency[] = {"a", "b", "a", NULL};
    for (size_t i = 0; i < 4; i++) {
        intake.idempotency_key = idempotency[i];
        copy_id(one(text), ids[i]);
    }
    assert_memory_equal(ids[0], ids[2], EVENTID_BYTES);
    assert_memory_not_equal(ids[0], ids[1], EVENTID_BYTES);
    assert_memory_not_equal(ids[0], ids[3], EVENTID_BYTES);
    for (size_t i = 0; i < 2; i++) {
        intake.idempotency_key = idempotency[i];
        struct fhir_document *document = fhir_document_new(text, strlen(text), &intake, &problems);
        fhir_document_key(document, keys[i]);
        assert_string_equal(fhir_document_kind(document), "Observation");
        fhir_document_destroy(&document);
    }
    assert_memory_not_equal(keys[0], keys[1], FHIR_KEY_BYTES);
}

// A template's id must not make two falls one: it counts only where the sender keeps it.
static void an_id_counts_only_where_it_is_the_senders_own(void **state)
{
    (void)state;
    const char *text = "{\"resourceType\":\"Observation\",\"id\":\"x1\",\"status\":\"final\",\"code\":" SNOMED(
        "1912002") "," SUBJECT ",\"effectiveDateTime\":\"2026-03-01T09:30:00Z\"}";
    assert_null(strstr(one(text)->source->native_id, "x1"));
    intake.update = true;
    assert_string_equal(one(text)->source->native_id, "Observation|id|x1");
}

// ---- Corrections

static void another_content_amends_and_the_same_does_nothing(void **state)
{
    (void)state;
    one(FALL);
    confirm();
    assert_true(send_text(FALL));
    assert_string_equal(result.items[0].why, "unchanged");
    const Carehub__V1__Event *event = one(OBSERVATION("corrected", SNOMED("1912002"), ",\"valueString\":\"pols\""));
    assert_true(id_is(&event->amends, &past[0]->id));
    assert_false(id_is(&event->id, &past[0]->id));
    uint8_t id[EVENTID_BYTES];
    copy_id(event, id);
    copy_id(one(OBSERVATION("corrected", SNOMED("1912002"), ",\"valueString\":\"pols\"")), id);
    assert_memory_equal(result.events[0]->id.data, id, sizeof id);
    confirm();
    assert_int_equal(past_count, 1);
    assert_string_equal(past[0]->fall_reported->injury_detail, "pols");
}

static void entered_in_error_retracts_even_without_content(void **state)
{
    (void)state;
    one(FALL);
    confirm();
    const Carehub__V1__Event *event =
        one("{\"resourceType\":\"Observation\"," IDENTIFIER ",\"status\":\"entered-in-error\"}");
    assert_true(id_is(&event->retracts, &past[0]->id));
    assert_int_equal(event->type, CAREHUB__V1__EVENT_TYPE__FALL_REPORTED);
    assert_string_equal(event->patient->identifiers[0]->value, SSIN);
    assert_null(event->fall_reported->kind);
    confirm();
    assert_int_equal(past_count, 0);
}

static void what_has_become_something_else_is_retracted_and_reported_anew(void **state)
{
    (void)state;
    one(FALL);
    confirm();
    assert_true(send_text(OBSERVATION("amended", SNOMED("404640003"), "")));
    assert_int_equal(result.n_events, 2);
    assert_true(id_is(&result.events[0]->retracts, &past[0]->id));
    assert_int_equal(result.events[1]->type, CAREHUB__V1__EVENT_TYPE__CONDITION_CHANGED);
}

static void what_was_written_earlier_and_comes_late_changes_nothing(void **state)
{
    (void)state;
    one(FALL_WITH(",\"issued\":\"2026-03-01T12:00:00Z\",\"valueString\":\"nieuw\""));
    confirm();
    assert_true(send_text(FALL_WITH(",\"issued\":\"2026-03-01T11:00:00Z\",\"valueString\":\"oud\"")));
    assert_string_equal(result.items[0].why, "outdated");
}

static void a_correction_of_the_unknown_is_a_report_that_says_so(void **state)
{
    (void)state;
    const Carehub__V1__Event *event = one(OBSERVATION("amended", SNOMED("1912002"), ""));
    assert_int_equal(event->amends.len, 0);
    assert_string_equal(event->source->remarks[0], "original-unknown");
}

// ---- Bundles

#define ENTRY(method, resource) "{\"request\":{\"method\":\"" method "\"},\"resource\":" resource "}"
#define BUNDLE(type, entries) "{\"resourceType\":\"Bundle\",\"type\":\"" type "\",\"entry\":[" entries "]}"
#define PATIENT                                                                                                        \
    "{\"fullUrl\":\"urn:uuid:6f1d2a4e-0000-4000-8000-000000000001\",\"request\":{\"method\":\"PUT\"},\"resource\":{"   \
    "\"resourceType\":\"Patient\",\"identifier\":[{\"system\":\"" SSIN_SYSTEM "\",\"value\":\"" SSIN "\"}]}}"
#define OF_PATIENT "\"subject\":{\"reference\":\"urn:uuid:6f1d2a4e-0000-4000-8000-000000000001\"}"
#define IN_BUNDLE(number)                                                                                              \
    "{\"resourceType\":\"Observation\",\"identifier\":[{\"value\":\"" number "\"}],\"status\":\"final\","              \
    "\"code\":" SNOMED("1912002") "," OF_PATIENT ",\"effectiveDateTime\":\"2026-03-01\"}"
#define BAD "{\"resourceType\":\"Observation\",\"status\":\"final\",\"code\":" SNOMED("1912002") "}"

static void a_transaction_is_taken_whole_or_not_at_all(void **state)
{
    (void)state;
    assert_true(
        send_text(BUNDLE("transaction", PATIENT "," ENTRY("POST", IN_BUNDLE("1")) "," ENTRY("POST", IN_BUNDLE("2")))));
    assert_int_equal(result.n_events, 2);
    assert_int_equal(result.n_items, 2);
    assert_int_equal(result.items[1].entry, 2);
    assert_string_equal(result.events[0]->patient->identifiers[0]->value, SSIN);
    assert_int_equal(result.events[0]->occurred_at->precision, CAREHUB__V1__PRECISION__PRECISION_DAY);
    assert_false(send_text(BUNDLE("transaction", PATIENT "," ENTRY("POST", IN_BUNDLE("1")) "," ENTRY("POST", BAD))));
    assert_int_equal(result.n_events, 0);
    assert_string_equal(problems.list[0].expression, "Bundle.entry[2].resource.subject");
}

static void a_batch_loses_only_what_is_wrong_in_it(void **state)
{
    (void)state;
    assert_true(send_text(BUNDLE("batch", PATIENT "," ENTRY("POST", BAD) "," ENTRY("POST", IN_BUNDLE("2")) "," ENTRY(
                                              "DELETE", IN_BUNDLE("3")))));
    assert_int_equal(result.n_events, 1);
    assert_int_equal(result.items[0].outcome, FHIR_REFUSED);
    assert_int_equal(result.items[1].outcome, FHIR_EVENTS);
    assert_int_equal(result.items[2].outcome, FHIR_REFUSED);
}

#define FOUND(mode, resource) "{\"search\":{\"mode\":\"" mode "\"},\"resource\":" resource "}"

// What somebody's system has: without requests, which stand for doing something.
static void a_collection_and_what_a_search_found_are_taken_whole_or_not_at_all(void **state)
{
    (void)state;
    assert_true(send_text(
        BUNDLE("collection", PATIENT ",{\"resource\":" IN_BUNDLE("1") "},{\"resource\":" IN_BUNDLE("2") "}")));
    assert_int_equal(result.n_events, 2);
    assert_false(send_text(BUNDLE("collection", PATIENT ",{\"resource\":" IN_BUNDLE("1") "},{\"resource\":" BAD "}")));
    assert_int_equal(result.n_events, 0);
    assert_string_equal(problems.list[0].expression, "Bundle.entry[2].resource.subject");
    assert_true(
        send_text(BUNDLE("searchset", PATIENT "," FOUND("match", IN_BUNDLE("1")) "," FOUND(
                                          "include", IN_BUNDLE("2")) "," FOUND("outcome", "{\"resourceType\":"
                                                                                          "\"OperationOutcome\"}"))));
    assert_int_equal(result.n_events, 1);
    assert_string_equal(result.events[0]->source->native_id, "Observation||1");
}

// The id is that of the system that was asked, and so its own: the same in the next answer, though the place is
// another.
static void a_resource_of_a_collection_is_known_by_its_id(void **state)
{
#define BY_ID(id)                                                                                                      \
    "{\"resource\":{\"resourceType\":\"Observation\",\"id\":\"" id "\",\"status\":\"final\","                          \
    "\"code\":" SNOMED("1912002") "," OF_PATIENT ",\"effectiveDateTime\":\"2026-03-01\"}}"
    uint8_t id[16];
    (void)state;
    assert_true(send_text(BUNDLE("searchset", PATIENT "," BY_ID("77"))));
    memcpy(id, result.events[0]->id.data, sizeof id);
    assert_string_equal(result.events[0]->source->native_id, "Observation|id|77");
    assert_true(send_text(BUNDLE("collection", BY_ID("77") "," PATIENT)));
    assert_memory_equal(result.events[0]->id.data, id, sizeof id);
}

#define HEADER(focus)                                                                                                  \
    "{\"resource\":{\"resourceType\":\"MessageHeader\",\"id\":\"h\",\"eventCoding\":{\"code\":\"x\"},"                 \
    "\"focus\":[{\"reference\":\"" focus "\"}]}}"

static void a_message_is_about_its_focus_only(void **state)
{
    (void)state;
    const char *about = "{\"fullUrl\":\"http://x/Observation/1\",\"resource\":" IN_BUNDLE(
        "1") "},{\"fullUrl\":\"http://x/Observation/2\",\"resource\":" IN_BUNDLE("2") "}";
    char text[8192];
    snprintf(text, sizeof text, BUNDLE("message", "%s,%s,%s"), HEADER("http://x/Observation/2"), PATIENT, about);
    assert_string_equal(one(text)->source->native_id, "Observation||2");
    snprintf(text, sizeof text, BUNDLE("message", "%s,%s,%s"), HEADER("http://x/Observation/3"), PATIENT, about);
    assert_false(send_text(text));
    assert_string_equal(problems.list[0].expression, "Bundle.entry[0].resource.focus[0]");
    snprintf(text, sizeof text, BUNDLE("message", "%s,%s"), PATIENT, about);
    assert_false(send_text(text));
    assert_string_equal(problems.list[0].expression, "Bundle.entry");
}

static void more_events_than_fit_one_group_are_refused(void **state)
{
    (void)state;
    static char text[65536];
    size_t used = (size_t)sprintf(text, "{\"resourceType\":\"Bundle\",\"type\":\"transaction\",\"entry\":[" PATIENT);
    for (int i = 0; i <= (int)FHIR_EVENTS_MAX; i++)
        used += (size_t)sprintf(text + used, "," ENTRY("POST", IN_BUNDLE("%d")), i);
    strcpy(text + used, "]}");
    assert_false(send_text(text));
    assert_int_equal(problems.list[0].code, PROBLEM_TOO_COSTLY);
}

// ---- What is wrong is said where it is

static void what_is_wrong_is_said_where_it_is(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expression;
        enum problem_code code;
    } cases[] = {
        {"", "", PROBLEM_STRUCTURE},
        {"null", "", PROBLEM_STRUCTURE},
        {"[]", "", PROBLEM_STRUCTURE},
        {"{}", "", PROBLEM_REQUIRED},
        {"{\"resourceType\":\"Observation\",}", "", PROBLEM_STRUCTURE},
        {"{\"resourceType\":\"Medication\"}", "Medication", PROBLEM_NOT_SUPPORTED},
        {"{\"resourceType\":7}", "", PROBLEM_REQUIRED},
        {"{\"resourceType\":\"Observation\"," SUBJECT "}", "Observation.status", PROBLEM_REQUIRED},
        {OBSERVATION("finished", SNOMED("1912002"), ""), "Observation.status", PROBLEM_VALUE},
        {OBSERVATION("final", "\"fall\"", ""), "Observation.code", PROBLEM_STRUCTURE},
        {OBSERVATION("final", "{}", ""), "Observation.code", PROBLEM_REQUIRED},
        {OBSERVATION("final", "{\"coding\":[{\"code\":5}]}", ""), "Observation.code.coding[0].code", PROBLEM_STRUCTURE},
        {FALL_WITH(",\"issued\":\"gisteren\""), "Observation.issued", PROBLEM_VALUE},
        {FALL_WITH(",\"issued\":\"2026-03-01T10:00:00\""), "Observation.issued", PROBLEM_VALUE},
        {FALL_WITH(",\"issued\":\"2026-03-09T10:00:00Z\""), "Observation", PROBLEM_BUSINESS_RULE},
        {FALL_WITH(",\"component\":{}"), "Observation.component", PROBLEM_STRUCTURE},
        {FALL_WITH(",\"component\":[{" DETAIL("witnessed") ",\"valueString\":\"ja\"}]"),
         "Observation.component[0].value", PROBLEM_VALUE},
        {FALL_WITH(",\"component\":[{\"code\":{\"text\":\"x\"},\"valueQuantity\":{\"value\":\"3\"}}]"),
         "Observation.component[0].value.value", PROBLEM_VALUE},
        {"{\"resourceType\":\"Observation\",\"status\":\"final\",\"code\":{\"text\":\"x\"}}", "Observation.subject",
         PROBLEM_REQUIRED},
        {"{\"resourceType\":\"Observation\",\"status\":\"final\",\"code\":{\"text\":\"x\"},\"subject\":"
         "{\"reference\":\"Patient/4\"}}",
         "Observation.subject", PROBLEM_NOT_FOUND},
        {"{\"resourceType\":\"Observation\",\"status\":\"final\",\"code\":{\"text\":\"x\"},\"subject\":"
         "{\"identifier\":{\"system\":\"ssin\",\"value\":\"90010100101\"}}}",
         "Observation.subject.identifier", PROBLEM_VALUE},
        {"{\"resourceType\":\"AdverseEvent\",\"event\":{\"text\":\"x\"}," SUBJECT "}", "AdverseEvent.actuality",
         PROBLEM_REQUIRED},
        {"{\"resourceType\":\"Communication\",\"status\":\"completed\"," SUBJECT "}", "Communication.payload",
         PROBLEM_REQUIRED},
        {"{\"resourceType\":\"Communication\",\"status\":\"completed\"," SUBJECT
         ",\"payload\":[{\"contentAttachment\":{\"data\":\"AAAA\"}}]}",
         "Communication.payload[0].content", PROBLEM_NOT_SUPPORTED},
        {BUNDLE("history", ""), "Bundle.type", PROBLEM_NOT_SUPPORTED},
        {BUNDLE("searchset", ""), "Bundle", PROBLEM_REQUIRED},
        {BUNDLE("transaction", ""), "Bundle", PROBLEM_REQUIRED},
        {"{\"resourceType\":\"Bundle\"}", "Bundle.type", PROBLEM_REQUIRED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_false(send_text(cases[i].text));
        assert_int_equal(result.n_events, 0);
        assert_true(problems.errors > 0);
        if (strcmp(problems.list[0].expression, cases[i].expression) != 0 || problems.list[0].code != cases[i].code)
            fail_msg("case %zu: %s %s: %s", i, problem_code_name(problems.list[0].code), problems.list[0].expression,
                     problems.list[0].diagnostics);
    }
}

static void two_ssins_that_differ_are_nobodys(void **state)
{
    (void)state;
    assert_false(send_text(
        "{\"resourceType\":\"Observation\",\"status\":\"final\",\"code\":{\"text\":\"x\"},\"contained\":[{"
        "\"resourceType\":\"Patient\",\"id\":\"p\",\"identifier\":[{\"system\":\"ssin\",\"value\":\"41092300238\"}]}],"
        "\"subject\":{\"reference\":\"#p\",\"identifier\":{\"system\":\"ssin\",\"value\":\"" SSIN "\"}}}"));
    assert_int_equal(problems.list[0].code, PROBLEM_BUSINESS_RULE);
}

static void deep_and_large_texts_are_refused(void **state)
{
    (void)state;
    size_t size = FHIR_BODY_MAX_BYTES + 2;
    char *text = malloc(size);
    memset(text, ' ', size - 1);
    text[size - 1] = '\0';
    assert_false(send_text(text));
    assert_int_equal(problems.list[0].code, PROBLEM_TOO_LONG);
    memset(text, '[', 100000);
    text[100000] = '\0';
    assert_false(send_text(text));
    free(text);
}

// ---- Problems

static void a_list_of_problems_is_bounded_and_says_how_many_are_left_out(void **state)
{
    (void)state;
    static struct problems many;
    for (size_t i = 0; i < PROBLEMS_MAX + 5; i++)
        problems_add(&many, PROBLEM_ERROR, PROBLEM_VALUE, "Observation.code", "number %zu", i);
    assert_int_equal(many.count, PROBLEMS_MAX);
    assert_int_equal(many.left_out, 5);
    assert_int_equal(many.errors, PROBLEMS_MAX + 5);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, reset, forget)
    const struct CMUnitTest tests[] = {
        TEST(each_code_yields_its_type_of_event),
        TEST(a_deployments_rule_goes_before_what_is_known),
        TEST(a_fall_keeps_its_details),
        TEST(the_scores_of_an_assessment_are_coded),
        TEST(a_change_of_condition_keeps_sign_and_tests),
        TEST(a_message_goes_to_whom_it_names_and_to_nobody_else),
        TEST(the_author_is_who_performed_and_lay_people_are_unverified),
        TEST(what_did_not_happen_yields_nothing),
        TEST(the_same_resource_is_the_same_event_however_it_is_written),
        TEST(without_an_identifier_the_idempotency_key_names_it),
        TEST(an_id_counts_only_where_it_is_the_senders_own),
        TEST(another_content_amends_and_the_same_does_nothing),
        TEST(entered_in_error_retracts_even_without_content),
        TEST(what_has_become_something_else_is_retracted_and_reported_anew),
        TEST(what_was_written_earlier_and_comes_late_changes_nothing),
        TEST(a_correction_of_the_unknown_is_a_report_that_says_so),
        TEST(a_transaction_is_taken_whole_or_not_at_all),
        TEST(a_batch_loses_only_what_is_wrong_in_it),
        TEST(a_collection_and_what_a_search_found_are_taken_whole_or_not_at_all),
        TEST(a_resource_of_a_collection_is_known_by_its_id),
        TEST(a_message_is_about_its_focus_only),
        TEST(more_events_than_fit_one_group_are_refused),
        TEST(what_is_wrong_is_said_where_it_is),
        TEST(two_ssins_that_differ_are_nobodys),
        TEST(deep_and_large_texts_are_refused),
        TEST(a_list_of_problems_is_bounded_and_says_how_many_are_left_out),
    };
    return cmocka_run_group_tests_name("fhir_read", tests, NULL, NULL);
}
