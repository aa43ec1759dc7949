// ADT messages to care events. Messages are written with | ^ ~ \ & and "\r"; persons and numbers are invented.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adt.h"

#define PAST_MAX 8
#define RECEIVED_MS INT64_C(1772400000000)
#define MSH(trigger, id) "MSH|^~\\&|HIS|AZ-TEST|HUB|REGION|20260301120500||ADT^" trigger "|" id "|P|2.5.1\r"
#define SSIN "38041200177" // 12 April 1938, a man
#define SSIN_2 "41092300238"
#define PID "PID|1||4711^^^AZT^PI~" SSIN "^^^NISS_BE^NN||Voorbeeld^Jan\r"

// What came before, as the host would hand it in.
static Carehub__V1__Event *past[PAST_MAX];
static size_t past_count;
static struct adt_sender *sender;

static int make_sender(void **state)
{
    (void)state;
    sender = adt_sender_new("az-test");
    sender->actor = strdup("az-test");
    sender->hospital = strdup("AZ Test");
    sender->zone = hl7v2_zone_load("Europe/Brussels");
    sender->rules[0].system = strdup("urn:az-test:patient");
    adt_list_add(&sender->rules[0].authorities, "AZT");
    sender->rule_count = 1;
    sender->dispositions[0] = (struct adt_code){strdup("01"), strdup("home"), strdup("Home")};
    sender->disposition_count = 1;
    return sender->zone == NULL;
}

static int free_sender(void **state)
{
    (void)state;
    adt_sender_destroy(&sender);
    return 0;
}

static int forget(void **state)
{
    (void)state;
    while (past_count > 0)
        carehub__v1__event__free_unpacked(past[--past_count], NULL);
    return 0;
}

static struct adt_result map_as(const char *text, bool reused)
{
    struct hl7v2_message *message = hl7v2_parse(text, strlen(text), NULL, NULL);
    assert_non_null(message);
    struct adt_input input = {.message = message,
                              .sender = sender,
                              .adapter_version = "test",
                              .received_ms = RECEIVED_MS,
                              .control_id_reused = reused,
                              .past = (const Carehub__V1__Event *const *)past,
                              .past_count = past_count};
    memset(input.sha256, 7, sizeof input.sha256);
    struct adt_result result = adt_map(&input);
    hl7v2_message_destroy(&message);
    assert_int_equal(result.outcome == ADT_EVENT, result.event != NULL);
    return result;
}

static enum adt_outcome outcome_of(const char *text)
{
    struct adt_result result = map_as(text, false);
    if (result.event != NULL)
        carehub__v1__event__free_unpacked(result.event, NULL);
    return result.outcome;
}

// The event of a message, in packed form and back, as the hub would get it. The caller frees it.
static Carehub__V1__Event *event_of(const char *text)
{
    struct adt_result result = map_as(text, false);
    if (result.event == NULL)
        fail_msg("no event: %s", adt_outcome_name(result.outcome));
    return result.event;
}

static Carehub__V1__Event *remember(const char *text)
{
    past[past_count] = event_of(text);
    return past[past_count++];
}

static void drop(Carehub__V1__Event *event)
{
    carehub__v1__event__free_unpacked(event, NULL);
}

static bool has_identifier(const Carehub__V1__Event *event, const char *system, const char *value)
{
    for (size_t i = 0; i < event->patient->n_identifiers; i++)
        if (strcmp(event->patient->identifiers[i]->system, system) == 0 &&
            strcmp(event->patient->identifiers[i]->value, value) == 0)
            return true;
    return false;
}

static bool has_remark(const Carehub__V1__Event *event, const char *remark)
{
    for (size_t i = 0; i < event->source->n_remarks; i++)
        if (strcmp(event->source->remarks[i], remark) == 0)
            return true;
    return false;
}

// PV1 with class, visit number and what follows PV1-19.
static const char *pv1(const char *class, const char *visit, unsigned n, const char *const fields[][2])
{
    static char text[2048];
    size_t used = (size_t)snprintf(text, sizeof text, "PV1|1|%s", class);
    for (unsigned field = 3; field <= 45; field++) {
        const char *value = field == 19 ? visit : "";
        char number[8];
        snprintf(number, sizeof number, "%u", field);
        for (unsigned i = 0; i < n; i++)
            if (strcmp(fields[i][0], number) == 0)
                value = fields[i][1];
        used += (size_t)snprintf(text + used, sizeof text - used, "|%s", value);
    }
    snprintf(text + used, sizeof text - used, "\r");
    return text;
}

static const char *message(const char *head, const char *middle, const char *tail)
{
    static char text[4][4096];
    static unsigned turn;
    char joined[4096];
    snprintf(joined, sizeof joined, "%s%s%s", head, middle, tail); /* the parts may be texts of earlier turns */
    return strcpy(text[turn++ % 4], joined);
}

#define FIELDS(...)                                                                                                    \
    sizeof((const char *const[][2]){__VA_ARGS__}) / (2 * sizeof(char *)), (const char *const[][2])                     \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }
#define NO_FIELDS 0, NULL

// ---- Which trigger makes what

static void the_trigger_event_decides_what_happened(void **state)
{
    static const struct {
        const char *trigger, *class;
        enum adt_outcome outcome;
        Carehub__V1__EventType type;
    } cases[] = {
        {"A01", "I", ADT_EVENT, CAREHUB__V1__EVENT_TYPE__HOSPITAL_ADMISSION},
        {"A01", "O", ADT_EVENT, CAREHUB__V1__EVENT_TYPE__HOSPITAL_ADMISSION},
        {"A01", "E", ADT_EVENT, CAREHUB__V1__EVENT_TYPE__EMERGENCY_VISIT},
        {"A02", "I", ADT_EVENT, CAREHUB__V1__EVENT_TYPE__CARE_TRANSITION},
        {"A03", "I", ADT_EVENT, CAREHUB__V1__EVENT_TYPE__HOSPITAL_DISCHARGE},
        {"A03", "", ADT_EVENT, CAREHUB__V1__EVENT_TYPE__HOSPITAL_DISCHARGE},
        {"A03", "E", ADT_EVENT, CAREHUB__V1__EVENT_TYPE__EMERGENCY_VISIT},
        {"A04", "E", ADT_EVENT, CAREHUB__V1__EVENT_TYPE__EMERGENCY_VISIT},
        {"A04", "O", ADT_NOT_AN_EVENT, 0},
        {"A04", "", ADT_NOT_AN_EVENT, 0},
        {"A05", "I", ADT_UNSUPPORTED, 0},
        {"A40", "I", ADT_UNSUPPORTED, 0},
        {"A08", "I", ADT_NOTHING_TO_CORRECT, 0},
        {"A11", "I", ADT_NOTHING_TO_CORRECT, 0},
        {"A12", "I", ADT_NOTHING_TO_CORRECT, 0},
        {"A13", "I", ADT_NOTHING_TO_CORRECT, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char head[256];
        snprintf(head, sizeof head, "MSH|^~\\&|HIS|AZ-TEST|||20260301120500||ADT^%s|T%zu|P|2.5.1\r" PID,
                 cases[i].trigger, i);
        // PV1-45 is there each time: it decides nothing.
        struct adt_result result =
            map_as(message(head, "", pv1(cases[i].class, "V1", FIELDS({"45", "202603011145"}))), false);
        if (result.outcome != cases[i].outcome || (result.event != NULL && result.event->type != cases[i].type))
            fail_msg("%s of class %s: %s", cases[i].trigger, cases[i].class, adt_outcome_name(result.outcome));
        if (result.event != NULL)
            drop(result.event);
    }
    assert_int_equal(outcome_of("MSH|^~\\&|HIS|AZ-TEST|||20260301120500||ORU^R01|T|P|2.5.1\r" PID), ADT_UNSUPPORTED);
}

static void the_trigger_may_be_in_evn(void **state)
{
    (void)state;
    Carehub__V1__Event *event = event_of(message(
        "MSH|^~\\&|HIS|AZ-TEST|||20260301120500||ADT|1|P|2.2\rEVN|A03|20260301\r", PID, pv1("I", "V1", NO_FIELDS)));
    assert_int_equal(event->type, CAREHUB__V1__EVENT_TYPE__HOSPITAL_DISCHARGE);
    drop(event);
}

// ---- Times

static void the_discharge_time_says_where_it_came_from(void **state)
{
    static const struct {
        const char *stated, *evn;
        Carehub__V1__TimeOrigin origin;
        Carehub__V1__Precision precision;
        int64_t unix_ms;
    } cases[] = {
        {"202603011145", "EVN|A03|20260301120400||||20260301115000\r", CAREHUB__V1__TIME_ORIGIN__STATED,
         CAREHUB__V1__PRECISION__PRECISION_MINUTE, INT64_C(1772361900000)},
        {"20260301", "", CAREHUB__V1__TIME_ORIGIN__STATED, CAREHUB__V1__PRECISION__PRECISION_DAY,
         INT64_C(1772319600000)},
        {"20260301114500+0200", "", CAREHUB__V1__TIME_ORIGIN__STATED, CAREHUB__V1__PRECISION__PRECISION_SECOND,
         INT64_C(1772358300000)},
        {"", "EVN|A03|20260301120400||||20260301115000\r", CAREHUB__V1__TIME_ORIGIN__EVENT_OCCURRED,
         CAREHUB__V1__PRECISION__PRECISION_SECOND, INT64_C(1772362200000)},
        {"home", "EVN|A03|20260301120400||||20260301115000\r", CAREHUB__V1__TIME_ORIGIN__EVENT_OCCURRED,
         CAREHUB__V1__PRECISION__PRECISION_SECOND, INT64_C(1772362200000)},
        {"\"\"", "EVN|A03|202603011204\r", CAREHUB__V1__TIME_ORIGIN__EVENT_RECORDED,
         CAREHUB__V1__PRECISION__PRECISION_MINUTE, INT64_C(1772363040000)},
        {"", "", CAREHUB__V1__TIME_ORIGIN__MESSAGE_CREATED, CAREHUB__V1__PRECISION__PRECISION_SECOND,
         INT64_C(1772363100000)},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Carehub__V1__Event *event =
            event_of(message(message(MSH("A03", "1"), cases[i].evn, PID), "",
                             pv1("I", "V1", FIELDS({"44", "202602201030"}, {"45", cases[i].stated}))));
        const Carehub__V1__HospitalDischarge *discharge = event->hospital_discharge;
        assert_int_equal(discharge->discharged_at_origin, cases[i].origin);
        assert_int_equal(discharge->discharged_at->precision, cases[i].precision);
        assert_int_equal(discharge->discharged_at->unix_ms, cases[i].unix_ms);
        assert_int_equal(event->occurred_at->unix_ms, cases[i].unix_ms);
        assert_int_equal(discharge->admitted_at_origin, CAREHUB__V1__TIME_ORIGIN__STATED);
        assert_true(has_remark(event, "time-unreadable") == (strcmp(cases[i].stated, "home") == 0));
        drop(event);
    }
}

static void a_message_without_any_time_is_marked(void **state)
{
    (void)state;
    Carehub__V1__Event *event =
        event_of(message("MSH|^~\\&|HIS|AZ-TEST|||||ADT^A03|1|P|2.5.1\r", PID, pv1("I", "V1", NO_FIELDS)));
    assert_int_equal(event->occurred_at->unix_ms, RECEIVED_MS);
    assert_int_equal(event->hospital_discharge->discharged_at_origin,
                     CAREHUB__V1__TIME_ORIGIN__TIME_ORIGIN_UNSPECIFIED);
    assert_true(has_remark(event, "no-time-in-message") && has_remark(event, "message-without-time"));
    drop(event);
}

static void a_time_in_pv1_36_is_never_a_disposition(void **state)
{
    (void)state;
    Carehub__V1__Event *event =
        event_of(message(MSH("A03", "1"), PID, pv1("I", "V1", FIELDS({"36", "202603011130"}, {"37", "HOME"}))));
    assert_null(event->hospital_discharge->disposition);
    assert_null(event->hospital_discharge->destination);
    assert_int_equal(event->hospital_discharge->discharged_at_origin, CAREHUB__V1__TIME_ORIGIN__MESSAGE_CREATED);
    assert_true(has_remark(event, "disposition-is-a-time"));
    drop(event);
}

static void dispositions_are_mapped_as_configured(void **state)
{
    static const struct {
        const char *sent, *system, *code;
    } cases[] = {
        {"01", "http://terminology.hl7.org/CodeSystem/discharge-disposition", "home"},
        {"77^Andere", "http://terminology.hl7.org/CodeSystem/v2-0112", "77"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Carehub__V1__Event *event = event_of(
            message(MSH("A03", "1"), PID, pv1("I", "V1", FIELDS({"36", cases[i].sent}, {"37", "RVT^Rusthuis"}))));
        assert_string_equal(event->hospital_discharge->disposition->system, cases[i].system);
        assert_string_equal(event->hospital_discharge->disposition->code, cases[i].code);
        assert_string_equal(event->hospital_discharge->destination->code, "RVT");
        drop(event);
    }
}

// ---- Who

static void identifiers_follow_authority_type_and_check_digits(void **state)
{
    static const struct {
        const char *pid;
        const char *ssin, *local; // expected; NULL: none
    } cases[] = {
        {"PID|1||" SSIN "^^^NISS_BE^NNNLD\r", SSIN, NULL},
        {"PID|1||38.04.12-001.77^^^INSZ^NN\r", SSIN, NULL},
        {"PID|1||" SSIN "^^^X&2.16.840.1.113883.3.6777.5.1&ISO\r", SSIN, NULL},
        {"PID|1||" SSIN "^^^^NNBEL\r", SSIN, NULL},
        {"PID|1|" SSIN "^^^RRN\r", SSIN, NULL},
        {"PID|1||4711^^^AZT^PI|" SSIN "^^^^NN\r", SSIN, "4711"},
        {"PID|1||4711^^^AZT||||||||||||||||" SSIN "\r", SSIN, "4711"},
        {"PID|1||38041200178^^^NISS^NN~4711^^^AZT^PI\r", NULL, "4711"}, // wrong check digits
        {"PID|1||38041200178^^^NISS^NN\r", NULL, NULL},
        {"PID|1||87990949113^^^NISS^NN\r", NULL, NULL}, // the check digits fit, the month does not
        {"PID|1||4711^^^AZT^AN\r", NULL, NULL},         // an account, not a patient
        {"PID|1||4711^^^OTHER^PI\r", NULL, NULL},       // somebody else's number
        {"PID|1||" SSIN "^^^OTHER^PI\r", NULL, NULL},   // by shape only: not allowed to this sender
        {"PID|1||4711^^^AZT^PI||||||||||||||||123-45-6789\r", NULL, "4711"},
        {"PID|1||" SSIN "^^^NISS~" SSIN_2 "^^^NISS~4711^^^AZT^PI\r", NULL, "4711"}, // two: neither
        {"PID|1||\"\"\r", NULL, NULL},
        {"", NULL, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct adt_result result = map_as(message(MSH("A03", "1"), cases[i].pid, pv1("I", "V1", NO_FIELDS)), false);
        bool any = cases[i].ssin != NULL || cases[i].local != NULL;
        if ((result.outcome == ADT_EVENT) != any)
            fail_msg("case %zu: %s", i, adt_outcome_name(result.outcome));
        if (!any) {
            assert_int_equal(result.outcome, ADT_UNIDENTIFIED);
            continue;
        }
        assert_int_equal(result.event->patient->n_identifiers, (cases[i].ssin != NULL) + (cases[i].local != NULL));
        assert_true(cases[i].ssin == NULL || has_identifier(result.event, "ssin", cases[i].ssin));
        assert_true(cases[i].local == NULL || has_identifier(result.event, "urn:az-test:patient", cases[i].local));
        drop(result.event);
    }
}

static void a_number_is_taken_by_shape_only_if_allowed(void **state)
{
    (void)state;
    sender->ssin_by_shape = true;
    Carehub__V1__Event *event =
        event_of(message(MSH("A03", "1"), "PID|1||" SSIN "^^^OTHER^PI\r", pv1("I", "V1", NO_FIELDS)));
    sender->ssin_by_shape = false;
    assert_true(has_identifier(event, "ssin", SSIN));
    drop(event);
}

static void the_attending_doctor_keeps_a_valid_number_only(void **state)
{
    static const struct {
        const char *pv1_7, *name;
        size_t numbers;
    } cases[] = {
        {"10000196^Maes^Ilse^^^Dr.^^RIZIV", "Dr. Ilse Maes", 1},
        {"10000196001^Maes^Ilse^^^^^^INAMI", "Ilse Maes", 1},
        {"4^Maes^Ilse^^^^^^RIZIV", "Ilse Maes", 0},
        {"4^Maes^Ilse^^^^^^AZT", "Ilse Maes", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Carehub__V1__Event *event =
            event_of(message(MSH("A03", "1"), PID, pv1("I", "V1", FIELDS({"7", cases[i].pv1_7}))));
        assert_string_equal(event->hospital_discharge->attending->name, cases[i].name);
        assert_int_equal(event->hospital_discharge->attending->n_identifiers, cases[i].numbers);
        drop(event);
    }
}

// ---- The rest of the event

static void fields_go_where_they_belong(void **state)
{
    (void)state;
    Carehub__V1__Event *event =
        event_of(message(message(MSH("A03", "M1"), PID,
                                 pv1("I", "V1^^^AZT", FIELDS({"3", "GER^201^1^CAMPUS"}, {"10", "GER^Geriatrie"}))),
                         "DG1|1||S72.0^Breuk van de femurhals^I10\r", "DG1|2||^Delier\\F\\acuut\r"));
    const Carehub__V1__HospitalDischarge *b = event->hospital_discharge;
    assert_string_equal(b->encounter_id, "V1");
    assert_string_equal(event->correlation_id, "az-test:V1");
    assert_string_equal(event->author->actor, "az-test");
    assert_string_equal(b->hospital->name, "AZ Test");
    assert_string_equal(b->location->ward, "GER");
    assert_string_equal(b->location->room, "201");
    assert_string_equal(b->location->bed, "1");
    assert_string_equal(b->location->facility, "CAMPUS");
    assert_string_equal(b->service->display, "Geriatrie");
    assert_int_equal(b->patient_class, CAREHUB__V1__PATIENT_CLASS__INPATIENT);
    assert_int_equal(b->n_diagnoses, 2);
    assert_string_equal(b->diagnoses[0]->system, "http://hl7.org/fhir/sid/icd-10");
    assert_string_equal(b->diagnoses[1]->display, "Delier|acuut");
    assert_string_equal(event->source->system, "HIS/AZ-TEST");
    assert_string_equal(event->source->native_id, "M1");
    assert_string_equal(event->source->native_version, "2.5.1");
    assert_int_equal(event->source->native_sha256.len, 32);
    assert_int_equal(event->n_addressees, 0);
    drop(event);
}

static void an_emergency_visit_ends_with_the_time_of_leaving(void **state)
{
    (void)state;
    const Carehub__V1__Event *arrival =
        remember(message(MSH("A04", "1"), PID, pv1("E", "V1", FIELDS({"44", "202603010900"}))));
    assert_null(arrival->emergency_visit->left_at);
    Carehub__V1__Event *leaving =
        event_of(message(MSH("A03", "2"), PID, pv1("E", "V1", FIELDS({"45", "202603011145"}))));
    assert_int_equal(leaving->emergency_visit->left_at->unix_ms, INT64_C(1772361900000));
    assert_int_equal(leaving->emergency_visit->arrived_at->unix_ms, arrival->emergency_visit->arrived_at->unix_ms);
    assert_int_equal(leaving->occurred_at->unix_ms, INT64_C(1772361900000));
    drop(leaving);
}

static void a_transfer_tells_from_and_to(void **state)
{
    (void)state;
    Carehub__V1__Event *event = event_of(message(
        MSH("A02", "1"), PID, pv1("I", "V1", FIELDS({"3", "REVA^4"}, {"6", "GER^201"}, {"45", "202603011145"}))));
    assert_string_equal(event->care_transition->from_location->ward, "GER");
    assert_string_equal(event->care_transition->to_location->ward, "REVA");
    assert_int_equal(event->care_transition->at_origin, CAREHUB__V1__TIME_ORIGIN__MESSAGE_CREATED);
    drop(event);
}

// ---- Ids

static void the_same_message_gives_the_same_id(void **state)
{
    (void)state;
    const char *text = message(MSH("A03", "1"), PID, pv1("I", "V1", NO_FIELDS));
    Carehub__V1__Event *first = event_of(text), *again = event_of(text);
    Carehub__V1__Event *other = event_of(message(MSH("A03", "2"), PID, pv1("I", "V1", NO_FIELDS)));
    struct adt_result reused = map_as(text, true);
    assert_int_equal(first->id.len, EVENTID_BYTES);
    assert_true(eventid_valid(first->id.data));
    assert_int_equal(eventid_time_ms(first->id.data), INT64_C(1772363100000)); // MSH-7
    assert_memory_equal(first->id.data, again->id.data, EVENTID_BYTES);
    assert_memory_not_equal(first->id.data, other->id.data, EVENTID_BYTES);
    assert_memory_not_equal(first->id.data, reused.event->id.data, EVENTID_BYTES);
    assert_true(has_remark(reused.event, "control-id-reused"));
    drop(first);
    drop(again);
    drop(other);
    drop(reused.event);
}

static void an_episode_is_known_by_visit_number_or_by_patient_and_admission(void **state)
{
    static const struct {
        const char *a_visit, *a_admitted, *b_visit, *b_admitted;
        bool same, empty;
    } cases[] = {
        {"V1", "", "V1", "20260301", true, false},
        {"V1", "", "V2", "", false, false},
        {"", "20260301", "", "20260301", true, false},
        {"", "20260301", "", "20260302", false, false},
        {"", "", "", "", true, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char a[ADT_EPISODE_CHARS], b[ADT_EPISODE_CHARS];
        const char *texts[] = {
            message(MSH("A01", "1"), PID, pv1("I", cases[i].a_visit, FIELDS({"44", cases[i].a_admitted}))),
            message(MSH("A03", "2"), PID, pv1("I", cases[i].b_visit, FIELDS({"44", cases[i].b_admitted}))),
        };
        for (size_t k = 0; k < 2; k++) {
            struct hl7v2_message *m = hl7v2_parse(texts[k], strlen(texts[k]), NULL, NULL);
            adt_episode(m, sender, k == 0 ? a : b);
            hl7v2_message_destroy(&m);
        }
        assert_int_equal(strcmp(a, b) == 0, cases[i].same);
        assert_int_equal(a[0] == '\0', cases[i].empty);
        assert_null(strstr(a, SSIN));
    }
}

// ---- Corrections

static const char *discharge_1145(void)
{
    return message(
        message(MSH("A03", "3"), PID, pv1("I", "V1", FIELDS({"3", "GER^201"}, {"36", "01"}, {"45", "202603011145"}))),
        "DG1|1||S72.0^^I10\r", "");
}

static void an_update_amends_the_last_event_and_leaves_what_it_leaves_empty(void **state)
{
    (void)state;
    remember(message(MSH("A01", "1"), PID, pv1("I", "V1", FIELDS({"44", "202602201030"}))));
    const Carehub__V1__Event *discharge = remember(discharge_1145());
    assert_int_equal(discharge->hospital_discharge->admitted_at->unix_ms,
                     past[0]->hospital_admission->admitted_at->unix_ms);

    Carehub__V1__Event *event = event_of(message(MSH("A08", "4"), PID, pv1("", "V1", FIELDS({"45", "202603011130"}))));
    const Carehub__V1__HospitalDischarge *b = event->hospital_discharge;
    assert_int_equal(event->type, CAREHUB__V1__EVENT_TYPE__HOSPITAL_DISCHARGE);
    assert_memory_equal(event->amends.data, discharge->id.data, EVENTID_BYTES);
    assert_memory_not_equal(event->id.data, discharge->id.data, EVENTID_BYTES);
    assert_int_equal(b->discharged_at->unix_ms, INT64_C(1772361000000));
    assert_int_equal(event->occurred_at->unix_ms, INT64_C(1772361000000));
    assert_string_equal(b->location->ward, "GER");
    assert_string_equal(b->disposition->code, "home");
    assert_int_equal(b->n_diagnoses, 1);
    assert_int_equal(b->patient_class, CAREHUB__V1__PATIENT_CLASS__INPATIENT);
    drop(event);
}

static void null_deletes_and_empty_does_not(void **state)
{
    (void)state;
    remember(discharge_1145());
    Carehub__V1__Event *event =
        event_of(message(MSH("A08", "4"), PID, pv1("", "V1", FIELDS({"3", "\"\""}, {"36", "\"\""}, {"45", "\"\""}))));
    assert_null(event->hospital_discharge->location);
    assert_null(event->hospital_discharge->disposition);
    assert_int_equal(event->hospital_discharge->discharged_at->unix_ms,
                     INT64_C(1772361900000)); // that it happened stands
    assert_int_equal(event->hospital_discharge->n_diagnoses, 1);
    drop(event);
}

static void an_update_that_changes_nothing_is_no_event(void **state)
{
    (void)state;
    remember(discharge_1145());
    assert_int_equal(outcome_of(message(MSH("A08", "4"), "PID|1||4711^^^AZT^PI~" SSIN "^^^NISS_BE^NN||Nieuwe^Naam\r",
                                        pv1("I", "V1", FIELDS({"3", "GER^201"})))),
                     ADT_UNCHANGED);
}

static void a_discharge_time_in_an_update_discharges_nobody(void **state)
{
    (void)state;
    remember(message(MSH("A01", "1"), PID, pv1("E", "V1", FIELDS({"44", "202603010900"}))));
    assert_int_equal(outcome_of(message(MSH("A08", "2"), PID, pv1("E", "V1", FIELDS({"45", "202603011145"})))),
                     ADT_UNCHANGED);
}

static void cancellations_retract_what_they_cancel(void **state)
{
    static const struct {
        const char *trigger;
        size_t original; // of past
    } cases[] = {{"A11", 1}, {"A12", 2}, {"A13", 3}};
    (void)state;
    remember(message(MSH("A04", "1"), PID, pv1("E", "V1", NO_FIELDS)));
    remember(message(MSH("A01", "2"), PID, pv1("I", "V1", NO_FIELDS)));
    remember(message(MSH("A02", "3"), PID, pv1("I", "V1", NO_FIELDS)));
    remember(message(MSH("A03", "4"), PID, pv1("I", "V1", NO_FIELDS)));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char head[256];
        snprintf(head, sizeof head, "MSH|^~\\&|HIS|AZ-TEST|||20260301130000||ADT^%s|C%zu|P|2.5.1\r", cases[i].trigger,
                 i);
        Carehub__V1__Event *event = event_of(message(head, PID, pv1("I", "V1", NO_FIELDS)));
        assert_int_equal(event->type, past[cases[i].original]->type);
        assert_int_equal((int)event->body_case, (int)past[cases[i].original]->body_case);
        assert_memory_equal(event->retracts.data, past[cases[i].original]->id.data, EVENTID_BYTES);
        assert_int_equal(event->amends.len, 0);
        drop(event);
    }
}

static void a_correction_without_identifiers_is_about_the_original_s_patient(void **state)
{
    (void)state;
    remember(discharge_1145());
    Carehub__V1__Event *event = event_of(message(MSH("A13", "4"), "PID|1\r", pv1("I", "V1", NO_FIELDS)));
    assert_true(has_identifier(event, "ssin", SSIN));
    drop(event);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_trigger_event_decides_what_happened, forget),
        cmocka_unit_test_teardown(the_trigger_may_be_in_evn, forget),
        cmocka_unit_test_teardown(the_discharge_time_says_where_it_came_from, forget),
        cmocka_unit_test_teardown(a_message_without_any_time_is_marked, forget),
        cmocka_unit_test_teardown(a_time_in_pv1_36_is_never_a_disposition, forget),
        cmocka_unit_test_teardown(dispositions_are_mapped_as_configured, forget),
        cmocka_unit_test_teardown(identifiers_follow_authority_type_and_check_digits, forget),
        cmocka_unit_test_teardown(a_number_is_taken_by_shape_only_if_allowed, forget),
        cmocka_unit_test_teardown(the_attending_doctor_keeps_a_valid_number_only, forget),
        cmocka_unit_test_teardown(fields_go_where_they_belong, forget),
        cmocka_unit_test_teardown(an_emergency_visit_ends_with_the_time_of_leaving, forget),
        cmocka_unit_test_teardown(a_transfer_tells_from_and_to, forget),
        cmocka_unit_test_teardown(the_same_message_gives_the_same_id, forget),
        cmocka_unit_test_teardown(an_episode_is_known_by_visit_number_or_by_patient_and_admission, forget),
        cmocka_unit_test_teardown(an_update_amends_the_last_event_and_leaves_what_it_leaves_empty, forget),
        cmocka_unit_test_teardown(null_deletes_and_empty_does_not, forget),
        cmocka_unit_test_teardown(an_update_that_changes_nothing_is_no_event, forget),
        cmocka_unit_test_teardown(a_discharge_time_in_an_update_discharges_nobody, forget),
        cmocka_unit_test_teardown(cancellations_retract_what_they_cancel, forget),
        cmocka_unit_test_teardown(a_correction_without_identifiers_is_about_the_original_s_patient, forget),
    };
    return cmocka_run_group_tests_name("adt", tests, make_sender, free_sender);
}
