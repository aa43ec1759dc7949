// The pharmacy plug-in: messages one after another, as the host hands them over, and what comes of each.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pharmacy_fixture.h"

extern const struct carehub_format carehub_format;

#define NOW_MS 1785800000000 // 2026-08-04

static const char *const usual[][2] = {{"plugin", "pharmacy"},
                                       {"default-sender", "apo"},
                                       {"senders", NULL},
                                       {"apo", NULL},
                                       {"actor", "apotheek-noord"},
                                       {NULL},
                                       {"teller", NULL},
                                       {"first", "tell"},
                                       {"role", "gp"},
                                       {NULL},
                                       {"strict", NULL},
                                       {"strict", "yes"},
                                       {"unidentified", "refuse"},
                                       {"confirm", "spool"},
                                       {NULL},
                                       {"holder", NULL},
                                       {"unidentified", "hold"},
                                       {NULL},
                                       {NULL},
                                       {NULL}};

static struct fixture *fixture;
static char *sent; // what was sent last

static int set_up(void **state)
{
    char error[CAREHUB_ERROR_BYTES];
    (void)state;
    fixture = calloc(1, sizeof *fixture);
    fixture->format = fixture_configure(usual, error);
    if (fixture->format == NULL)
        print_error("%s\n", error);
    fixture->native.received_ms = NOW_MS;
    fixture->native.transport = "folder";
    return fixture->format == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    fixture_finish(fixture);
    free(fixture);
    free(sent);
    sent = NULL;
    return 0;
}

// JSON is written with ' for ".
static void deliver(const char *text)
{
    fixture_close(fixture);
    free(sent);
    sent = strdup(text);
    for (char *at = sent; sent[0] == '{' && (at = strchr(at, '\'')) != NULL;)
        *at = '"';
    fixture->native.received_ms += 1000;
    fixture_send(fixture, sent, strlen(sent));
}

static void expect(enum carehub_verdict verdict, const char *why)
{
    const struct carehub_message *message = &fixture->message;
    if (message->verdict != verdict)
        fail_msg("verdict %d, not %d: %s %s: %s [%s]", message->verdict, verdict, message->why, message->problem.where,
                 message->problem.what, message->problem.rule);
    if (verdict == CAREHUB_MESSAGE_NOTHING || verdict == CAREHUB_MESSAGE_HOLD)
        assert_string_equal(message->why, why);
    assert_int_equal(fixture->n_events, verdict == CAREHUB_MESSAGE_EVENTS);
}

static const Carehub__V1__MedicationChanged *changed(void)
{
    expect(CAREHUB_MESSAGE_EVENTS, "");
    assert_int_equal(fixture->events[0]->body_case, CAREHUB__V1__EVENT__BODY_MEDICATION_CHANGED);
    return fixture->events[0]->medication_changed;
}

// "ADDED Pantomed, STOPPED Dafalgan": kinds and names, in their order.
static void expect_changes(const char *wanted)
{
    char told[1024] = "";
    const Carehub__V1__MedicationChanged *body = changed();
    for (size_t i = 0; i < body->n_changes; i++) {
        const Carehub__V1__MedicationChange *change = body->changes[i];
        const ProtobufCEnumValue *kind =
            protobuf_c_enum_descriptor_get_value(&carehub__v1__medication_change__kind__descriptor, (int)change->kind);
        size_t used = strlen(told);
        snprintf(told + used, sizeof told - used, "%s%s %s", i > 0 ? ", " : "", kind->name, change->medicine->name);
    }
    assert_string_equal(told, wanted);
}

// ---- KMEHR

#define KMEHR_HEAD                                                                                                     \
    "<kmehrmessage xmlns='http://www.ehealth.fgov.be/standards/kmehr/schema/v1'><header>"                              \
    "<id S='ID-KMEHR' SV='1.0'>1990001916.77</id></header><folder>"
#define PATIENT(number) "<patient><id S='ID-PATIENT' SV='1.0'>" number "</id></patient>"
#define KMEHR_TAIL "</folder></kmehrmessage>"
#define SCHEME(version)                                                                                                \
    "<transaction><cd S='CD-TRANSACTION'>medicationscheme</cd><date>2026-08-0" version                                 \
    "</date><time>10:00:00</time><version>" version "</version></transaction>"
#define LINE(id, name, posology)                                                                                       \
    "<transaction><id S='ID-KMEHR'>" id                                                                                \
    "</id><id S='LOCAL' SL='vitalinkuri'>/subject/00000000097/medication-scheme/" id                                   \
    "/1</id><cd S='CD-TRANSACTION'>medicationschemeelement</cd><date>2026-08-01</date><time>09:00:00</time><item>"     \
    "<cd S='CD-ITEM'>medication</cd><content><medicinalproduct><intendedcd S='CD-DRUG-CNK'>2732808</intendedcd>"       \
    "<intendedname>" name "</intendedname></medicinalproduct></content><beginmoment><date>2026-01-0" id                \
    "</date></beginmoment><posology><text L='nl'>" posology "</text></posology></item></transaction>"
#define KMEHR_OF(number, version, lines) KMEHR_HEAD PATIENT(number) SCHEME(version) lines KMEHR_TAIL
#define KMEHR(version, lines) KMEHR_OF("00000000097", version, lines)
#define ONE LINE("1", "Pantomed", "1 per day")
#define TWO LINE("2", "Dafalgan", "1 per day")
#define TWO_MORE LINE("2", "Dafalgan", "2 per day")

static void each_version_is_told_by_what_it_changes(void **state)
{
    static const struct {
        const char *xml, *changes, *why;
        enum carehub_verdict verdict;
        bool notable;
    } steps[] = {
        {KMEHR("2", ONE), NULL, "first-version", CAREHUB_MESSAGE_NOTHING, false},
        {KMEHR("2", ONE), NULL, "same-version", CAREHUB_MESSAGE_NOTHING, false},
        {KMEHR("3", ONE TWO), "ADDED Dafalgan", NULL, CAREHUB_MESSAGE_EVENTS, false},
        {KMEHR("4", TWO ONE), NULL, "unchanged", CAREHUB_MESSAGE_NOTHING, false},
        {KMEHR("4", ONE TWO_MORE), NULL, "same-version-other-content", CAREHUB_MESSAGE_NOTHING, true},
        {KMEHR("3", ONE TWO), NULL, NULL, CAREHUB_MESSAGE_ERROR, false},
        {KMEHR("5", TWO_MORE), "POSOLOGY_CHANGED Dafalgan, STOPPED Pantomed", NULL, CAREHUB_MESSAGE_EVENTS, false},
        {KMEHR("6", ""), "STOPPED Dafalgan", NULL, CAREHUB_MESSAGE_EVENTS, false},
        {KMEHR("6", ""), NULL, "same-version", CAREHUB_MESSAGE_NOTHING, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        fixture->native.peer = i % 2 ? "teller" : ""; // another sender, the same scheme
        deliver(steps[i].xml);
        if (steps[i].changes != NULL)
            expect_changes(steps[i].changes);
        else
            expect(steps[i].verdict, steps[i].why);
        assert_int_equal(fixture->message.notable, steps[i].notable);
    }
}

static void the_event_says_whose_it_is_and_where_it_comes_from(void **state)
{
    (void)state;
    deliver(KMEHR("1", ONE));
    deliver(KMEHR("2", ONE TWO));
    const Carehub__V1__MedicationChanged *body = changed();
    const Carehub__V1__Event *event = fixture->events[0];
    assert_int_equal(event->type, CAREHUB__V1__EVENT_TYPE__MEDICATION_CHANGED);
    assert_string_equal(event->author->actor, "apotheek-noord");
    assert_string_equal(event->author->role, "pharmacist");
    assert_int_equal(event->patient->n_identifiers, 1);
    assert_string_equal(event->patient->identifiers[0]->system, "ssin");
    assert_string_equal(event->patient->identifiers[0]->value, "00000000097");
    assert_string_equal(event->source->native_format, "KMEHR");
    assert_string_equal(event->source->system, "apo");
    assert_int_equal(event->urgency, CAREHUB__V1__URGENCY__URGENCY_UNSPECIFIED);
    assert_string_equal(body->scheme_version, "2");
    assert_string_equal(body->previous_version, "1");
    assert_string_equal(body->scheme_id, "medication-scheme");
    assert_string_equal(body->scheme->id, "1990001916.77");
    assert_int_equal(body->scheme->sha256.len, 32);
    assert_int_equal(event->occurred_at->offset_minutes, 120); // in Brussels in August
    assert_int_equal(event->occurred_at->unix_ms, 1785657600000);
    assert_string_equal(fixture->message.native_id, "1990001916.77");
    assert_string_equal(fixture->message.sender, "apo");
}

static void a_first_version_can_be_told_as_added(void **state)
{
    (void)state;
    fixture->native.peer = "teller";
    deliver(KMEHR("1", ONE TWO));
    expect_changes("ADDED Pantomed, ADDED Dafalgan");
    assert_string_equal(fixture->events[0]->author->role, "gp");
    assert_string_equal(changed()->previous_version, "");
    deliver(KMEHR("1", ONE TWO));
    expect(CAREHUB_MESSAGE_NOTHING, "same-version");
}

static void patients_are_kept_apart(void **state)
{
    (void)state;
    deliver(KMEHR("1", ONE));
    deliver(KMEHR_OF("79010112364", "9", TWO));
    expect(CAREHUB_MESSAGE_NOTHING, fixture->message.why);
    deliver(KMEHR("2", ONE TWO));
    expect_changes("ADDED Dafalgan");
}

static void what_is_refused_says_where_and_by_which_rule(void **state)
{
    static const struct {
        const char *text, *where, *rule;
        enum carehub_verdict verdict;
    } cases[] = {
        {"", "", "", CAREHUB_MESSAGE_REJECTED},
        {"MSH|^~\\&|", "", "", CAREHUB_MESSAGE_REJECTED},
        {"<a><b></a>", "line 1", "XML 1.0", CAREHUB_MESSAGE_ERROR},
        {"<!DOCTYPE a><a/>", "line 1", "limits of the adapter, no-dtd", CAREHUB_MESSAGE_ERROR},
        {"<a/>", "line 1, /a", "KMEHR 1.43, kmehrmessage", CAREHUB_MESSAGE_REJECTED},
        {KMEHR_HEAD PATIENT("00000000097") KMEHR_TAIL, "line 1, /kmehrmessage/folder",
         "Vitalink medication scheme, one-scheme", CAREHUB_MESSAGE_REJECTED},
        {KMEHR("x", ""), "line 1, /kmehrmessage/folder/transaction/version",
         "Vitalink medication scheme, scheme-version", CAREHUB_MESSAGE_ERROR},
        {"{'resourceType':'MedicationStatement'", "line 1", "RFC 8259 (JSON)", CAREHUB_MESSAGE_ERROR},
        {"{'resourceType':'Patient'}", "resourceType", "FHIR R4 resourceType", CAREHUB_MESSAGE_REJECTED},
        {"{'resourceType':'MedicationStatement','status':'active'}", "MedicationStatement.subject",
         "FHIR R4 MedicationStatement.subject", CAREHUB_MESSAGE_ERROR},
        {"{'resourceType':'Bundle','type':'collection','entry':[{'resource':{'resourceType':'MedicationRequest',"
         "'status':'active','subject':{},'medicationCodeableConcept':{'text':'x'},'dosageInstruction':[{'timing':"
         "{'repeat':{'timeOfDay':['7h']}}}]}}]}",
         "Bundle.entry[0].resource.dosageInstruction[0].timing.repeat.timeOfDay",
         "FHIR R4 MedicationRequest.dosageInstruction.timing.repeat.timeOfDay", CAREHUB_MESSAGE_ERROR},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        deliver(cases[i].text);
        expect(cases[i].verdict, NULL);
        assert_string_equal(fixture->message.problem.where, cases[i].where);
        assert_string_equal(fixture->message.problem.rule, cases[i].rule);
        assert_true(strlen(fixture->message.problem.what) > 20);
    }
}

static void an_older_version_is_an_error_with_its_rule(void **state)
{
    (void)state;
    deliver(KMEHR("5", ONE));
    deliver(KMEHR("4", TWO));
    expect(CAREHUB_MESSAGE_ERROR, NULL);
    assert_string_equal(fixture->message.problem.rule, "Vitalink medication scheme, version");
    deliver(KMEHR("6", ONE)); // what was refused has left no trace
    expect(CAREHUB_MESSAGE_NOTHING, "unchanged");
}

static void the_unidentified_are_handled_as_the_sender_has_it(void **state)
{
    static const struct {
        const char *peer;
        enum carehub_verdict verdict;
    } cases[] = {{"apo", CAREHUB_MESSAGE_NOTHING}, {"strict", CAREHUB_MESSAGE_ERROR}, {"holder", CAREHUB_MESSAGE_HOLD}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fixture->native.peer = cases[i].peer;
        deliver(KMEHR_HEAD "<patient/>" SCHEME("1") KMEHR_TAIL);
        expect(cases[i].verdict, "unidentified");
    }
}

static void the_sender_is_who_the_credentials_name(void **state)
{
    (void)state;
    fixture->native.peer = "nobody";
    deliver(KMEHR("1", ONE));
    expect(CAREHUB_MESSAGE_REJECTED, NULL);
    assert_string_equal(fixture->message.sender, "");
    fixture->native.peer = "strict";
    deliver(KMEHR_HEAD PATIENT("00000000097") SCHEME("1") LINE("1", "x", "y") KMEHR_TAIL);
    assert_string_equal(fixture->message.sender, "strict");
    assert_true(fixture->message.confirm_by_spool);
    assert_true(carehub_format.needs_spool(fixture->format));
}

static void latin_1_is_read_as_what_it_says(void **state)
{
    (void)state;
    deliver("<?xml version='1.0' encoding='ISO-8859-1'?>" KMEHR("1", LINE("1", "Caf\xE9", "1")));
    deliver(KMEHR("2", ""));
    expect_changes("STOPPED Caf\xC3\xA9");
}

static void without_disk_nothing_is_taken(void **state)
{
    (void)state;
    deliver(KMEHR("1", ONE));
    fixture->disk_full = true;
    deliver(KMEHR("2", ONE TWO));
    expect(CAREHUB_MESSAGE_ERROR, NULL);
    fixture->disk_full = false;
    deliver(KMEHR("2", ONE TWO));
    expect_changes("ADDED Dafalgan");
}

// ---- Single lines

#define SUBJECT                                                                                                        \
    "'subject':{'identifier':{'system':'https://www.ehealth.fgov.be/standards/fhir/core/NamingSystem/ssin',"           \
    "'value':'00000000097'}}"
#define STATEMENT(id, status, name, text)                                                                              \
    "{'resourceType':'MedicationStatement','id':'" id "','identifier':[{'value':'L" id "'}],'status':'" status         \
    "'," SUBJECT ",'medicationCodeableConcept':{'text':'" name "'},'dosage':[{'text':'" text "'}]}"
#define ENTRY(resource) "{'resource':" resource "}"
#define BUNDLE(type, entries) "{'resourceType':'Bundle','type':'" type "','entry':[" entries "]}"
#define REQUEST(version, recorded, status)                                                                             \
    "{'resourceType':'MedicationRequest','id':'7','meta':{'versionId':'" version "'},'authoredOn':'" recorded          \
    "','status':'" status "'," SUBJECT ",'medicationCodeableConcept':{'text':'Amoxicilline'}}"

static void each_line_is_compared_with_what_was_seen_of_it(void **state)
{
    static const struct {
        const char *json, *changes, *why;
    } steps[] = {
        {STATEMENT("1", "active", "Pantomed", "1"), "ADDED Pantomed", NULL},
        {STATEMENT("2", "active", "Dafalgan", "1"), "ADDED Dafalgan", NULL},
        {STATEMENT("1", "active", "Pantomed", "1"), NULL, "unchanged"},
        {STATEMENT("1", "active", "Pantomed", "2"), "POSOLOGY_CHANGED Pantomed", NULL},
        {STATEMENT("1", "on-hold", "Pantomed", "2"), "SUSPENDED Pantomed", NULL},
        {STATEMENT("1", "active", "Pantomed", "2"), "RESUMED Pantomed", NULL}, // the bytes of two steps before
        {STATEMENT("2", "stopped", "Dafalgan", "1"), "STOPPED Dafalgan", NULL},
        {STATEMENT("2", "stopped", "Dafalgan", "1"), NULL, "unchanged"},
        {STATEMENT("3", "stopped", "Xanax", "1"), "STOPPED Xanax", NULL},
        {BUNDLE("transaction", ENTRY(STATEMENT("1", "stopped", "Pantomed", "2")) "," ENTRY(
                                   STATEMENT("4", "active", "Omeprazol", "1"))),
         "STOPPED Pantomed, ADDED Omeprazol", NULL},
    };
    uint8_t keys[sizeof steps / sizeof steps[0]][CAREHUB_DIGEST_BYTES];
    (void)state;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        deliver(steps[i].json);
        if (steps[i].changes != NULL)
            expect_changes(steps[i].changes);
        else
            expect(CAREHUB_MESSAGE_NOTHING, steps[i].why);
        memcpy(keys[i], fixture->message.key, sizeof keys[i]);
        for (size_t j = 0; j < i; j++) // none is a repeat
            assert_memory_not_equal(keys[i], keys[j], sizeof keys[i]);
    }
}

static void a_line_has_its_own_versions(void **state)
{
    (void)state;
    deliver(REQUEST("3", "2026-08-01", "active"));
    expect_changes("ADDED Amoxicilline");
    assert_string_equal(changed()->scheme_version, "3");
    deliver(REQUEST("2", "2026-08-01", "active"));
    expect(CAREHUB_MESSAGE_ERROR, NULL);
    deliver(REQUEST("3", "2026-08-01", "stopped"));
    expect(CAREHUB_MESSAGE_NOTHING, "same-version-other-content");
    assert_true(fixture->message.notable);
    deliver(REQUEST("4", "2026-08-01", "stopped"));
    expect_changes("STOPPED Amoxicilline");
    assert_string_equal(changed()->previous_version, "3");
}

static void a_change_on_the_same_day_is_not_lost(void **state)
{
    (void)state;
    deliver(REQUEST("", "2026-08-01", "active"));
    deliver(REQUEST("", "2026-08-01", "stopped"));
    expect_changes("STOPPED Amoxicilline");
}

static void a_prescription_and_its_dispense_in_one_message_are_one_line(void **state)
{
    (void)state;
    deliver(
        BUNDLE("transaction",
               ENTRY("{'resourceType':'MedicationDispense','status':'completed','authorizingPrescription':"
                     "[{'reference':'L1'}],'whenHandedOver':'2026-08-02'," SUBJECT
                     ",'medicationCodeableConcept':{'text':'Pantomed'}}") "," ENTRY("{'resourceType':'"
                                                                                    "MedicationRequest','identifier':[{"
                                                                                    "'value':'L1'}],'status':'active',"
                                                                                    "'authoredOn':'2026-08-01'," SUBJECT
                                                                                    ",'medicationCodeableConcept':{'"
                                                                                    "text':'Pantomed'}}")));
    const Carehub__V1__MedicationChanged *body = changed();
    assert_int_equal(body->changes[0]->kind, CAREHUB__V1__MEDICATION_CHANGE__KIND__ADDED);
    assert_string_equal(body->changes[0]->line_id, "L1");
}

static void elements_without_their_scheme_are_single_lines(void **state)
{
    (void)state;
    deliver(KMEHR_HEAD PATIENT("00000000097") ONE KMEHR_TAIL);
    expect_changes("ADDED Pantomed");
    deliver(KMEHR_HEAD PATIENT("00000000097") TWO KMEHR_TAIL);
    expect_changes("ADDED Dafalgan"); // nothing is known of Pantomed
}

static void nothing_taken_is_nothing(void **state)
{
    (void)state;
    deliver("{'resourceType':'MedicationDispense','status':'cancelled'," SUBJECT
            ",'medicationCodeableConcept':{'text':'x'}}");
    expect(CAREHUB_MESSAGE_NOTHING, "nothing-taken");
}

static void a_list_without_a_name_is_its_senders_own(void **state)
{
    (void)state;
    deliver(BUNDLE("collection", ENTRY(STATEMENT("1", "active", "Pantomed", "1"))));
    expect(CAREHUB_MESSAGE_NOTHING, "first-version");
    fixture->native.peer = "holder";
    deliver(BUNDLE("collection", ENTRY(STATEMENT("2", "active", "Dafalgan", "1"))));
    expect(CAREHUB_MESSAGE_NOTHING, "first-version");
    fixture->native.peer = "apo";
    deliver(BUNDLE("collection", ENTRY(STATEMENT("2", "active", "Dafalgan", "1"))));
    expect_changes("ADDED Dafalgan, STOPPED Pantomed");
}

// ---- HTTP

static char reply_text[8192];
static int reply_status, replies;

static void note_reply(void *arg, const struct carehub_reply *reply)
{
    (void)arg;
    replies++;
    reply_status = reply->status;
    assert_true(reply->len < sizeof reply_text);
    memcpy(reply_text, reply->bytes, reply->len);
    reply_text[reply->len] = '\0';
    assert_string_equal(reply->content_type, "application/fhir+json");
}

static void answer(enum carehub_fault fault)
{
    const struct carehub_outcome outcome = {.fault = fault, .text = "the hub says no", .now_ms = NOW_MS};
    replies = 0;
    reply_text[0] = '\0';
    carehub_format.slim(&fixture->message);
    fixture->native.bytes = NULL;
    carehub_format.reply(fixture->format, &fixture->message, &outcome, note_reply, NULL);
}

static void what_is_posted_fits_where_it_is_posted(void **state)
{
    static const struct {
        const char *path, *json;
        enum carehub_verdict verdict;
        int status;
    } cases[] = {
        {"fhir", BUNDLE("transaction", ENTRY(STATEMENT("1", "active", "a", "1"))), CAREHUB_MESSAGE_EVENTS, 0},
        {"fhir/", STATEMENT("2", "active", "b", "1"), CAREHUB_MESSAGE_EVENTS, 0},
        {"fhir/MedicationStatement", STATEMENT("3", "active", "c", "1"), CAREHUB_MESSAGE_EVENTS, 0},
        {"fhir/MedicationStatement/4", STATEMENT("4", "active", "d", "1"), CAREHUB_MESSAGE_EVENTS, 0},
        {"fhir/MedicationStatement/5", STATEMENT("6", "active", "e", "1"), CAREHUB_MESSAGE_ERROR, 0},
        {"fhir/MedicationRequest", STATEMENT("7", "active", "f", "1"), CAREHUB_MESSAGE_ERROR, 0},
        {"fhir/Observation", STATEMENT("8", "active", "g", "1"), CAREHUB_MESSAGE_REJECTED, 404},
        {"fhir/MedicationStatement/9/x", STATEMENT("9", "active", "g", "1"), CAREHUB_MESSAGE_REJECTED, 404},
        {"kmehr", STATEMENT("10", "active", "g", "1"), CAREHUB_MESSAGE_REJECTED, 404},
        {"kmehr", KMEHR("1", ""), CAREHUB_MESSAGE_NOTHING, 0},
        {"anything", KMEHR("1", ""), CAREHUB_MESSAGE_NOTHING, 0},
        {"fhir", "neither", CAREHUB_MESSAGE_REJECTED, 415},
    };
    (void)state;
    fixture->native.transport = "http";
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fixture->native.name = cases[i].path;
        deliver(cases[i].json);
        expect(cases[i].verdict, fixture->message.why);
        bool refused = cases[i].verdict >= CAREHUB_MESSAGE_ERROR;
        answer(refused ? CAREHUB_FAULT_NATIVE : CAREHUB_FAULT_NONE);
        assert_int_equal(replies, cases[i].json[0] != '<'); // KMEHR: the host's own
        if (replies == 0)
            continue;
        assert_int_equal(reply_status, cases[i].status);
        assert_non_null(strstr(reply_text, "\"resourceType\":\"OperationOutcome\""));
        assert_int_equal(strstr(reply_text, "\"severity\":\"error\"") != NULL, refused);
    }
}

static void the_content_type_decides_before_the_content(void **state)
{
    (void)state;
    fixture->native.content_type = "application/fhir+json";
    deliver(KMEHR("1", ONE));
    expect(CAREHUB_MESSAGE_ERROR, NULL);
    assert_string_equal(fixture->message.problem.rule, "RFC 8259 (JSON)");
    fixture->native.content_type = "text/xml";
    deliver(STATEMENT("1", "active", "a", "1"));
    expect(CAREHUB_MESSAGE_ERROR, NULL);
    assert_string_equal(fixture->message.problem.rule, "XML 1.0");
}

static void an_outcome_says_what_the_hub_says(void **state)
{
    (void)state;
    fixture->native.transport = "http";
    fixture->native.name = "fhir/MedicationStatement";
    deliver(STATEMENT("1", "active", "a", "1"));
    answer(CAREHUB_FAULT_IDENTITY);
    assert_non_null(strstr(reply_text, "the hub says no"));
    answer(CAREHUB_FAULT_UNAVAILABLE);
    assert_non_null(strstr(reply_text, "\"code\":\"no-store\""));
}

static void an_idempotency_key_names_a_message(void **state)
{
    uint8_t key[CAREHUB_DIGEST_BYTES];
    (void)state;
    fixture->native.idempotency_key = "k1";
    deliver(STATEMENT("1", "active", "a", "1"));
    memcpy(key, fixture->message.key, sizeof key);
    deliver(STATEMENT("1", "active", "a", "2"));
    assert_memory_equal(key, fixture->message.key, sizeof key);
    fixture->native.peer = "holder";
    deliver(STATEMENT("1", "active", "a", "2"));
    assert_memory_not_equal(key, fixture->message.key, sizeof key);
}

static void the_capability_statement_lists_what_is_taken(void **state)
{
    static const char *const types[] = {"Bundle", "MedicationDispense", "MedicationRequest", "MedicationStatement"};
    (void)state;
    assert_false(carehub_format.get(fixture->format, "fhir/Patient", note_reply, NULL));
    assert_true(carehub_format.get(fixture->format, "fhir/metadata", note_reply, NULL));
    struct json_object *json = json_tokener_parse(reply_text);
    assert_non_null(json);
    json_object_put(json);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        char wanted[64];
        snprintf(wanted, sizeof wanted, "\"type\":\"%s\"", types[i]);
        assert_non_null(strstr(reply_text, wanted));
    }
}

// ---- Configuration

static void a_bad_configuration_is_refused_with_a_reason(void **state)
{
    static const struct {
        const char *const settings[8][2];
        const char *error;
    } cases[] = {
        {{{"default-sender", "x"}, {NULL}}, "there is no section 'x' in senders"},
        {{{"nihdi", "12"}, {NULL}}, "nihdi"},
        {{{"zone", "Mars/Base"}, {NULL}}, "there is no time zone 'Mars/Base'"},
        {{{"colour", "red"}, {NULL}}, "there is no setting 'colour'"},
        {{{"senders", NULL}, {"a", NULL}, {"strict", "maybe"}, {NULL}, {NULL}, {NULL}}, "no or yes"},
        {{{"senders", NULL}, {"a", NULL}, {"xsd", "/nonexistent.xsd"}, {NULL}, {NULL}, {NULL}}, "the XSD cannot be"},
        {{{"senders", NULL}, {"a", NULL}, {NULL}, {"a", NULL}, {NULL}, {NULL}, {NULL}}, "is there twice"},
    };
    char error[CAREHUB_ERROR_BYTES];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_null(fixture_configure(cases[i].settings, error));
        if (strstr(error, cases[i].error) == NULL)
            fail_msg("case %zu: %s", i, error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_version_is_told_by_what_it_changes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_event_says_whose_it_is_and_where_it_comes_from, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_first_version_can_be_told_as_added, set_up, tear_down),
        cmocka_unit_test_setup_teardown(patients_are_kept_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_refused_says_where_and_by_which_rule, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_older_version_is_an_error_with_its_rule, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_unidentified_are_handled_as_the_sender_has_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_sender_is_who_the_credentials_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(latin_1_is_read_as_what_it_says, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_disk_nothing_is_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_line_is_compared_with_what_was_seen_of_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_line_has_its_own_versions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_change_on_the_same_day_is_not_lost, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_prescription_and_its_dispense_in_one_message_are_one_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(elements_without_their_scheme_are_single_lines, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_taken_is_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_list_without_a_name_is_its_senders_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_posted_fits_where_it_is_posted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_content_type_decides_before_the_content, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_outcome_says_what_the_hub_says, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_idempotency_key_names_a_message, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_capability_statement_lists_what_is_taken, set_up, tear_down),
        cmocka_unit_test(a_bad_configuration_is_refused_with_a_reason),
    };
    return cmocka_run_group_tests_name("pharmacy_format", tests, NULL, NULL);
}
