// The home-care plug-in as a host meets it: requests and files in, their answers, documents, messages out. With
// --samples DIRECTORY its answers and documents are written to files instead, for another validator.
#include "homecare_case.h"

#include <json-c/json_object.h>
#include <json-c/json_tokener.h>

#include "catalogue.h"
#include "fhir_read.h"

#define FALL(id, note)                                                                                                 \
    "{\"resourceType\":\"Observation\",\"id\":\"" id "\",\"status\":\"final\",\"code\":{\"coding\":[{\"system\":"      \
    "\"http://snomed.info/sct\",\"code\":\"1912002\"}]}," SUBJECT                                                      \
    ",\"effectiveDateTime\":\"2026-03-01T12:05:00+01:00\","                                                            \
    "\"note\":[{\"text\":\"" note "\"}]}"
#define NO_SUBJECT                                                                                                     \
    "{\"resourceType\":\"Observation\",\"status\":\"final\",\"code\":{\"text\":\"x\"},"                                \
    "\"effectiveDateTime\":\"2026-03-01\"}"
#define NEAR_MISS "{\"resourceType\":\"AdverseEvent\",\"actuality\":\"potential\"," SUBJECT "}"
#define ENTRY(resource) "{\"resource\":" resource ",\"request\":{\"method\":\"POST\",\"url\":\"x\"}}"
#define BUNDLE(type, entries) "{\"resourceType\":\"Bundle\",\"type\":\"" type "\",\"entry\":[" entries "]}"
#define PATIENT "{\"resourceType\":\"Patient\"}"
#define EVENT_ID "019ca9b0-0000-7000-8000-000000000001"
#define EVENT(id, level)                                                                                               \
    "{" id "\"patient\":{\"identifiers\":[{\"system\":\"ssin\",\"value\":\"" SSIN "\"}]},\"occurredAt\":{\"unixMs\":"  \
    "\"1772353800000\"},\"carerStrain\":{\"score\":\"" level "\"}}"

static void *self;

static struct carehub_setting setting(const char *name, const char *value, const struct carehub_setting *first,
                                      const struct carehub_setting *next)
{
    return (struct carehub_setting){name, value, first, next};
}

static int configure(void **state)
{
    char error[CAREHUB_ERROR_BYTES];
    const struct carehub_setting event = setting("event", "CarerStrain", NULL, NULL),
                                 code = setting("code", "zbi", NULL, &event),
                                 system = setting("system", "urn:zorg:codes", NULL, &code),
                                 rule = setting("zarit", "", &system, NULL), rules = setting("rules", "", &rule, NULL),
                                 peer = setting("peer", "tablet-1", NULL, &rules),
                                 actor = setting("actor", "thuiszorg-noord", NULL, &peer),
                                 role = setting("role", "home-nurse", NULL, &actor),
                                 spool = setting("confirm", "spool", NULL, NULL),
                                 kine = setting("role", "physiotherapist", NULL, &spool),
                                 second = setting("kine", "", &kine, NULL),
                                 first = setting("noord", "", &role, &second),
                                 senders = setting("senders", "", &first, NULL),
                                 fallback = setting("default-sender", "noord", NULL, &senders),
                                 endpoint = setting("endpoint", "https://hub.test/fhir", NULL, &fallback),
                                 plugin = setting("plugin", "homecare", NULL, &endpoint),
                                 format = setting("format", "", &plugin, NULL);
    (void)state;
    self = carehub_format.configure(&format, "", error);
    if (self == NULL)
        fail_msg("%s", error);
    return 0;
}

static int done(void **state)
{
    forget_all(state);
    if (self != NULL)
        carehub_format.destroy(self);
    self = NULL;
    return 0;
}

// ---- Requests

static struct carehub_native request(const char *method, const char *path, const char *text)
{
    struct carehub_native native = native_of(text, strlen(text));
    native.transport = "http";
    native.peer = "tablet-1";
    native.method = method;
    native.name = path;
    native.content_type = strcmp(path, "events") == 0 ? "application/json" : "application/fhir+json";
    return native;
}

static int ask(const char *method, const char *path, const char *text)
{
    const struct carehub_native native = request(method, path, text);
    hand_over(self, &native, &no_fault);
    return last.status;
}

static int ask_keyed(const char *path, const char *text, const char *key)
{
    struct carehub_native native = request("POST", path, text);
    native.idempotency_key = key;
    hand_over(self, &native, &no_fault);
    return last.status;
}

// A value of the answer by its path: "issue.0.code". "" if there is none. Valid until the next call.
static const char *answered(const char *path)
{
    static char value[1024];
    struct json_object *tree = json_tokener_parse(last.text), *at = tree;
    char step[64];
    while (at != NULL && *path != '\0') {
        size_t len = strcspn(path, ".");
        snprintf(step, sizeof step, "%.*s", (int)len, path);
        path += len + (path[len] == '.');
        at = json_object_is_type(at, json_type_array) ? json_object_array_get_idx(at, (size_t)atoi(step))
                                                      : json_object_object_get(at, step);
    }
    snprintf(value, sizeof value, "%s", at != NULL ? json_object_get_string(at) : "");
    json_object_put(tree);
    return value;
}

static const struct asked {
    const char *name, *method, *path, *text;
    int status;
    const char *where, *code; // of the first issue
} asked[] = {
    {"created", "POST", "fhir/Observation", FALL("1", "gevallen"), 201, "", "informational"},
    {"updated", "PUT", "fhir/Observation/1", FALL("1", "gevallen"), 201, "", "informational"},
    {"nothing", "POST", "fhir/AdverseEvent", NEAR_MISS, 200, "", "informational"},
    {"not-json", "POST", "fhir/Observation", "{\"resourceType\":", 400, "", "structure"},
    {"not-an-object", "POST", "fhir/Observation", "[]", 400, "", "structure"},
    {"wrong-shape", "POST", "fhir/Observation",
     "{\"resourceType\":\"Observation\",\"status\":1,\"code\":{\"text\":\"x\"}," SUBJECT "}", 400, "Observation.status",
     "structure"},
    {"no-subject", "POST", "fhir/Observation", NO_SUBJECT, 422, "Observation.subject", "required"},
    {"other-type", "POST", "fhir/Flag", FALL("1", "x"), 400, "resourceType", "business-rule"},
    {"other-id", "PUT", "fhir/Observation/2", FALL("1", "x"), 400, "id", "business-rule"},
    {"bundle-wanted", "POST", "fhir", FALL("1", "x"), 400, "resourceType", "business-rule"},
    {"message-wanted", "POST", "fhir/$process-message", BUNDLE("batch", ENTRY(FALL("1", "x"))), 400, "Bundle.type",
     "business-rule"},
    {"not-taken", "POST", "fhir/Patient", PATIENT, 422, "Patient", "not-supported"},
    {"no-place", "POST", "elsewhere", "{}", 404, "path", "not-found"},
    {"no-operation", "POST", "fhir/$validate", "{}", 404, "path", "not-found"},
    {"below-an-id", "PUT", "fhir/Observation/1/_history", "{}", 404, "path", "not-found"},
    {"no-post", "POST", "fhir/Observation/1", FALL("1", "x"), 405, "method", "not-supported"},
    {"no-put", "PUT", "fhir/Observation", FALL("1", "x"), 405, "method", "not-supported"},
    {"transaction-fails", "POST", "fhir", BUNDLE("transaction", ENTRY(FALL("1", "x")) "," ENTRY(NO_SUBJECT)), 422,
     "Bundle.entry[1].resource.subject", "required"},
};

static void every_request_has_its_status_and_says_where_and_what(void **state)
{
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        forget_all(state);
        int status = ask(asked[i].method, asked[i].path, asked[i].text);
        if (status != asked[i].status || strcmp(answered("resourceType"), "OperationOutcome") != 0 ||
            strcmp(answered("issue.0.expression.0"), asked[i].where) != 0 ||
            strcmp(answered("issue.0.code"), asked[i].code) != 0)
            fail_msg("%s: %d %s", asked[i].name, status, last.text);
        assert_string_equal(last.content_type, "application/fhir+json");
        assert_true((last.n_events > 0) == (status == 201));
        assert_true((last.location[0] != '\0') == (status == 201));
        if (status >= 400) {
            assert_true(last.verdict == CAREHUB_MESSAGE_ERROR || last.verdict == CAREHUB_MESSAGE_REJECTED);
            assert_string_equal(last.problem.where, asked[i].where);
            assert_true(last.problem.what[0] != '\0' && last.problem.rule[0] != '\0');
        }
    }
}

static void what_is_too_large_is_refused_as_that(void **state)
{
    static char text[FHIR_BODY_MAX_BYTES + 2];
    (void)state;
    memset(text, ' ', sizeof text - 1);
    assert_int_equal(ask("POST", "fhir/Observation", text), 413);
    assert_int_equal(ask("POST", "events", text), 413);
}

static void only_json_is_taken(void **state)
{
    struct carehub_native native = request("POST", "fhir/Observation", FALL("1", "x"));
    (void)state;
    native.content_type = "application/fhir+xml";
    hand_over(self, &native, &no_fault);
    assert_int_equal(last.status, 415);
}

static void an_event_carries_its_sender_and_its_answer_says_where_it_is(void **state)
{
    char id[EVENTID_TEXT_CHARS], location[64];
    (void)state;
    assert_int_equal(ask("POST", "fhir/Observation", FALL("17", "gevallen")), 201);
    assert_string_equal(last.sender, "noord");
    assert_string_equal(last.native_id, "Observation/17");
    assert_string_equal(last.kind, "Observation");
    assert_string_equal(last.events[0]->author->actor, "thuiszorg-noord");
    assert_string_equal(last.events[0]->author->role, "home-nurse");
    assert_string_equal(last.episodes[0], last.events[0]->correlation_id);
    eventid_format(last.events[0]->id.data, id);
    snprintf(location, sizeof location, "fhir/Observation/%s", id);
    assert_string_equal(last.location, location);
}

// ---- Repeats

static void a_request_sent_again_is_answered_as_the_first_time(void **state)
{
    char location[256];
    (void)state;
    assert_int_equal(ask_keyed("fhir/Observation", FALL("1", "x"), "k1"), 201);
    snprintf(location, sizeof location, "%s", last.location);
    assert_int_equal(ask_keyed("fhir/Observation", FALL("1", "x"), "k1"), 201);
    assert_true(last.repeat);
    assert_int_equal(last.n_events, 0);
    assert_string_equal(last.location, location);
    assert_int_equal(ask("POST", "fhir/Observation", FALL("2", "y")), 201);
    assert_int_equal(ask("POST", "fhir/Observation", FALL("2", "y")), 201); // the same content is the same request
    assert_true(last.repeat);
}

static void an_idempotency_key_stands_for_one_content(void **state)
{
    (void)state;
    assert_int_equal(ask_keyed("fhir/Observation", FALL("1", "x"), "k1"), 201);
    assert_int_equal(ask_keyed("fhir/Observation", FALL("1", "y"), "k1"), 409);
    assert_string_equal(answered("issue.0.code"), "duplicate");
    assert_string_equal(answered("issue.0.expression.0"), "Idempotency-Key");
    assert_int_equal(last.n_events, 0);
    assert_int_equal(ask_keyed("events", EVENT("", "41"), "k2"), 201);
    assert_int_equal(ask_keyed("events", EVENT("", "42"), "k2"), 409);
}

// Another sender's key is another key.
static void senders_do_not_share_keys(void **state)
{
    struct carehub_native native = request("POST", "fhir/Observation", FALL("1", "y"));
    (void)state;
    assert_int_equal(ask_keyed("fhir/Observation", FALL("1", "x"), "k1"), 201);
    native.idempotency_key = "k1";
    native.peer = "kine";
    hand_over(self, &native, &no_fault);
    assert_int_equal(last.status, 201);
}

static void an_update_corrects_and_going_back_is_another_correction(void **state)
{
    uint8_t ids[3][EVENTID_BYTES];
    struct carehub_native native = request("PUT", "fhir/Observation/1", FALL("1", "a"));
    static const char *const texts[] = {FALL("1", "a"), FALL("1", "b"), FALL("1", "a"), FALL("1", "b")};
    static const char *const keys[] = {"1", "2", "3", "4"};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        native.bytes = texts[i];
        native.idempotency_key = keys[i];
        hand_over(self, &native, &no_fault);
        assert_int_equal(last.status, 201);
        assert_int_equal(last.n_events, 1);
        assert_int_equal(last.events[0]->amends.len, i == 0 ? 0 : EVENTID_BYTES);
        for (size_t k = 0; k < i && i < 3; k++)
            assert_memory_not_equal(ids[k], last.events[0]->id.data, EVENTID_BYTES);
        if (i == 3)
            assert_memory_not_equal(ids[1], last.events[0]->id.data, EVENTID_BYTES);
        else
            memcpy(ids[i], last.events[0]->id.data, EVENTID_BYTES);
    }
    native.idempotency_key = "5";
    hand_over(self, &native, &no_fault);
    assert_int_equal(last.status, 200);
    assert_string_equal(last.why, "unchanged");
}

// ---- What the hub says

static void the_hubs_word_is_the_answers_status(void **state)
{
    static const struct {
        enum carehub_fault fault;
        int status;
        const char *code;
    } faults[] = {{CAREHUB_FAULT_IDENTITY, 422, "business-rule"}, {CAREHUB_FAULT_ORIGINAL, 422, "not-found"},
                  {CAREHUB_FAULT_DUPLICATE, 409, "duplicate"},    {CAREHUB_FAULT_CONTENT, 422, "business-rule"},
                  {CAREHUB_FAULT_NOT_ALLOWED, 403, "forbidden"},  {CAREHUB_FAULT_UNAVAILABLE, 503, "transient"}};
    static const char *const bodies[][2] = {{"fhir/Observation", FALL("1", "x")},
                                            {"fhir", BUNDLE("batch", ENTRY(FALL("1", "x")))},
                                            {"events", EVENT("\"id\":\"" EVENT_ID "\",", "1")}};
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        for (size_t k = 0; k < 3; k++) {
            const struct carehub_native native = request("POST", bodies[k][0], bodies[k][1]);
            const struct carehub_outcome hub = {.fault = faults[i].fault, .text = "the hub's word"};
            forget_all(state);
            hand_over(self, &native, &hub);
            assert_int_equal(last.status, faults[i].status);
            assert_string_equal(answered(k == 2 ? "problems.0.what" : "issue.0.diagnostics"), "the hub's word");
            if (k < 2)
                assert_string_equal(answered("issue.0.code"), faults[i].code);
            assert_string_equal(last.location, "");
        }
}

static void what_only_the_spool_has_is_accepted(void **state)
{
    struct carehub_native native = request("POST", "fhir/Observation", FALL("1", "x"));
    const struct carehub_outcome spooled = {.text = "", .spooled = true};
    (void)state;
    native.peer = "kine";
    hand_over(self, &native, &spooled);
    assert_true(last.by_spool);
    assert_int_equal(last.status, 202);
    native.name = "events";
    native.bytes = EVENT("\"id\":\"" EVENT_ID "\",", "41");
    native.len = strlen(native.bytes);
    hand_over(self, &native, &spooled);
    assert_int_equal(last.status, 202);
    assert_string_equal(answered("outcome"), "stored");
    assert_true(carehub_format.needs_spool(self));
}

// ---- Bundles

static void a_batch_is_answered_entry_by_entry(void **state)
{
    static const char text[] =
        BUNDLE("batch", ENTRY(PATIENT) "," ENTRY(FALL("1", "x")) "," ENTRY(NO_SUBJECT) "," ENTRY(NEAR_MISS));
    (void)state;
    for (int turn = 0; turn < 2; turn++) {
        assert_int_equal(ask("POST", "fhir", text), 200);
        assert_int_equal(last.repeat, turn);
        assert_string_equal(answered("type"), "batch-response");
        assert_string_equal(answered("entry.0.response.status"), "200 OK");
        assert_string_equal(answered("entry.1.response.status"), "201 Created");
        assert_non_null(strstr(answered("entry.1.response.location"), "Observation/"));
        assert_string_equal(answered("entry.2.response.status"), "422 Unprocessable Entity");
        assert_string_equal(answered("entry.2.response.outcome.issue.0.expression.0"),
                            "Bundle.entry[2].resource.subject");
        assert_string_equal(answered("entry.3.response.status"), "200 OK");
        assert_string_equal(answered("entry.4"), "");
    }
    assert_int_equal(ask("POST", "fhir", BUNDLE("batch", ENTRY(NO_SUBJECT))), 200);
    assert_int_equal(last.verdict, CAREHUB_MESSAGE_ERROR);
    assert_string_equal(answered("entry.0.response.status"), "422 Unprocessable Entity");
}

static void a_transaction_is_answered_as_one(void **state)
{
    (void)state;
    assert_int_equal(ask("POST", "fhir", BUNDLE("transaction", ENTRY(PATIENT) "," ENTRY(FALL("1", "x")))), 200);
    assert_string_equal(answered("type"), "transaction-response");
    assert_string_equal(answered("entry.1.response.status"), "201 Created");
    assert_int_equal(last.n_events, 1);
}

// ---- Plain JSON

static void plain_events_are_answered_in_plain_json(void **state)
{
    (void)state;
    assert_int_equal(ask("POST", "events", EVENT("\"id\":\"" EVENT_ID "\",", "41")), 201);
    assert_string_equal(last.content_type, "application/json");
    assert_string_equal(answered("outcome"), "confirmed");
    assert_string_equal(answered("events.0"), EVENT_ID);
    assert_string_equal(last.location, "events/" EVENT_ID);
    assert_string_equal(last.native_id, EVENT_ID);
    assert_string_equal(last.events[0]->author->actor, "thuiszorg-noord");
    assert_int_equal(ask("POST", "events", EVENT("\"id\":\"" EVENT_ID "\",", "42")), 409);
    assert_string_equal(answered("outcome"), "refused");
    assert_string_equal(answered("problems.0.where"), "id");
    assert_int_equal(ask("POST", "events", "{\"patient\":"), 400);
    assert_int_equal(ask("POST", "events", "{\"carerStrain\":{}}"), 422);
    assert_string_equal(answered("problems.0.where"), "patient.identifiers");
    assert_int_equal(ask("PUT", "events", "{}"), 405);
}

// ---- Senders, files

static void a_sender_is_known_by_its_peer_and_nobody_else_is_taken(void **state)
{
    static const struct {
        const char *peer, *sender;
    } cases[] = {{"tablet-1", "noord"}, {"kine", "kine"}, {"", "noord"}, {"noord", NULL}, {"stranger", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct carehub_native native = request("POST", "fhir/Observation", FALL("1", "x"));
        native.peer = cases[i].peer;
        forget_all(state);
        hand_over(self, &native, &no_fault);
        assert_int_equal(last.status, cases[i].sender != NULL ? 201 : 403);
        assert_string_equal(last.sender, cases[i].sender != NULL ? cases[i].sender : "");
    }
}

static void a_file_holds_fhir_or_plain_json(void **state)
{
    static const struct {
        const char *text, *kind;
        enum carehub_verdict verdict;
    } files[] = {{FALL("1", "x"), "Observation", CAREHUB_MESSAGE_EVENTS},
                 {"\xEF\xBB\xBF" FALL("2", "x"), "Observation", CAREHUB_MESSAGE_EVENTS},
                 {EVENT("\"id\":\"" EVENT_ID "\",", "41"), "event", CAREHUB_MESSAGE_EVENTS},
                 {"{}", "event", CAREHUB_MESSAGE_ERROR},
                 {"not json", "FHIR", CAREHUB_MESSAGE_ERROR},
                 {"", "FHIR", CAREHUB_MESSAGE_ERROR}};
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        const struct carehub_native native = native_of(files[i].text, strlen(files[i].text));
        hand_over(self, &native, &no_fault);
        assert_string_equal(last.kind, files[i].kind);
        assert_int_equal(last.verdict, files[i].verdict);
        assert_int_equal(last.status, 0); // nobody waits for an answer
        assert_true((last.problem.what[0] != '\0') == (last.verdict == CAREHUB_MESSAGE_ERROR));
    }
}

static void a_file_is_one_document_or_has_one_on_each_line(void **state)
{
    static const struct {
        const char *text;
        size_t count;
        const char *last;
    } files[] = {{"{\"a\":1}", 1, "{\"a\":1}"},
                 {"{\"a\":1}\n{\"b\":2}\n", 2, "{\"b\":2}"},
                 {"\n {}\r\n\n{}\r\n", 2, "{}\r"},
                 {"{\n\"a\":1\n}\n", 1, "{\n\"a\":1\n}\n"},
                 {"{\"a\":\"}\"}\n{", 2, "{"},
                 {"{\"a\":\"\\\"{\"}\n{}", 2, "{}"},
                 {"", 0, ""},
                 {" \n\t", 0, ""},
                 {"{}\n{bad\n{}", 3, "{}"}};
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        const void *message = "";
        size_t position = 0, count = 0, len = 0, size = strlen(files[i].text);
        while (carehub_format.split(self, files[i].text, size, &position, &message, &len))
            count++;
        assert_int_equal(count, files[i].count);
        assert_int_equal(len, strlen(files[i].last));
        assert_memory_equal(message, files[i].last, len);
    }
}

// ---- Documents

static const char *const documents[] = {"fhir/metadata", "fhir/CodeSystem/carehub-event-type",
                                        "fhir/CodeSystem/carehub-fall", "fhir/CodeSystem/carehub-message",
                                        "fhir/CodeSystem/carehub-referral"};
#define DOCUMENTS (sizeof documents / sizeof documents[0])

static void the_endpoint_says_what_it_takes(void **state)
{
    (void)state;
    for (size_t i = 0; i < DOCUMENTS; i++) {
        forget_last();
        assert_true(carehub_format.get(self, documents[i], catch_reply, NULL));
        assert_int_equal(last.status, 200);
        assert_string_equal(answered("resourceType"), i == 0 ? "CapabilityStatement" : "CodeSystem");
        if (i == 1)
            assert_string_equal(answered("concept.3.code"), "FallReported");
    }
    assert_false(carehub_format.get(self, "fhir/CodeSystem/other", catch_reply, NULL));
    assert_false(carehub_format.get(self, "fhir/Observation/1", catch_reply, NULL));
    assert_false(carehub_format.get(self, "", catch_reply, NULL));
}

// ---- Out

static Carehub__V1__Event *some_event(void)
{
    assert_int_equal(ask("POST", "fhir/Observation", FALL("1", "x")), 201);
    return last.events[0];
}

static void an_event_goes_out_as_a_message_to_its_receiver(void **state)
{
    const struct carehub_setting name = setting("name", "Thuiszorg", NULL, NULL),
                                 endpoint = setting("endpoint", "https://zorg.test/fhir", NULL, &name),
                                 receiver = setting("receiver", "", &endpoint, NULL);
    struct carehub_parcel parcel = {0};
    char error[CAREHUB_ERROR_BYTES], id[EVENTID_TEXT_CHARS], file[128];
    const struct carehub_departure departure = {.event = some_event(), .receiver = &receiver, .now_ms = NOW_MS};
    (void)state;
    eventid_format(departure.event->id.data, id);
    snprintf(file, sizeof file, "%s-FallReported.json", id);
    assert_true(carehub_format.check_receiver(&receiver, error));
    assert_int_equal(carehub_format.write(self, &departure, &parcel), CAREHUB_WRITTEN);
    assert_string_equal(parcel.native_id, id);
    assert_string_equal(parcel.kind, "FallReported");
    assert_string_equal(parcel.file_name, file);
    assert_string_equal(parcel.content_type, "application/fhir+json");
    char *text = strndup(parcel.bytes, parcel.len);
    assert_non_null(strstr(text, "\"endpoint\":\"https://zorg.test/fhir\""));
    assert_non_null(strstr(text, "\"endpoint\":\"https://hub.test/fhir\""));
    free(text);
    free(parcel.bytes);
}

static void a_receiver_is_checked_beforehand(void **state)
{
    char error[CAREHUB_ERROR_BYTES];
    const struct carehub_setting typo = setting("endpiont", "x", NULL, NULL),
                                 bad = setting("endpoint", "zorg", NULL, NULL),
                                 first = setting("receiver", "", &typo, NULL),
                                 second = setting("receiver", "", &bad, NULL);
    (void)state;
    assert_true(carehub_format.check_receiver(NULL, error));
    assert_false(carehub_format.check_receiver(&first, error));
    assert_non_null(strstr(error, "endpiont"));
    assert_false(carehub_format.check_receiver(&second, error));
    assert_non_null(strstr(error, "URL"));
}

static void an_event_without_id_is_an_error_and_an_unknown_type_is_nothing(void **state)
{
    Carehub__V1__Event event = CAREHUB__V1__EVENT__INIT;
    struct carehub_parcel parcel = {0};
    const struct carehub_departure departure = {.event = &event, .now_ms = NOW_MS};
    (void)state;
    event.type = (Carehub__V1__EventType)(EVENT_TYPE_MAX + 1);
    assert_int_equal(carehub_format.write(self, &departure, &parcel), CAREHUB_WRITTEN_NOTHING);
    event.type = CAREHUB__V1__EVENT_TYPE__FALL_REPORTED;
    assert_int_equal(carehub_format.write(self, &departure, &parcel), CAREHUB_WRITTEN_ERROR);
    assert_true(parcel.problem.what[0] != '\0');
}

static void a_receivers_answer_is_judged_by_what_it_says(void **state)
{
#define ANSWER(id, code)                                                                                               \
    "{\"resourceType\":\"Bundle\",\"type\":\"message\",\"entry\":[{\"resource\":{\"resourceType\":\"MessageHeader\","  \
    "\"response\":{\"identifier\":\"" id "\",\"code\":\"" code "\"}}}]}"
    static const struct {
        const char *answer;
        enum carehub_judgement judgement;
    } answers[] = {{"", CAREHUB_JUDGED_TAKEN},
                   {"OK", CAREHUB_JUDGED_TAKEN},
                   {"{\"resourceType\":\"OperationOutcome\"}", CAREHUB_JUDGED_TAKEN},
                   {ANSWER(EVENT_ID, "ok"), CAREHUB_JUDGED_TAKEN},
                   {ANSWER("urn:uuid:019CA9B0-0000-7000-8000-000000000001", "ok"), CAREHUB_JUDGED_TAKEN},
                   {ANSWER(EVENT_ID, "transient-error"), CAREHUB_JUDGED_AGAIN},
                   {ANSWER(EVENT_ID, "fatal-error"), CAREHUB_JUDGED_REFUSED},
                   {ANSWER("another", "ok"), CAREHUB_JUDGED_OTHER}};
    const struct carehub_parcel parcel = {.native_id = EVENT_ID};
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        struct carehub_problem problem = {0};
        const char *answer = answers[i].answer;
        assert_int_equal(carehub_format.judge(self, &parcel, answer, strlen(answer), &problem), answers[i].judgement);
        assert_true((problem.rule[0] != '\0') == (answers[i].judgement != CAREHUB_JUDGED_TAKEN));
    }
}

// ---- Configuration

static void a_mistake_in_the_configuration_is_said(void **state)
{
    const struct carehub_setting role = setting("role", "home-nurse", NULL, NULL),
                                 peer = setting("peer", "a", NULL, &role), a = setting("a", "", &role, NULL),
                                 taken = setting("b", "", &peer, &a), bare = setting("a", "", NULL, NULL),
                                 code = setting("code", "x", NULL, NULL), system = setting("system", "x", NULL, &code),
                                 event = setting("event", "GoalUpdated", NULL, &system),
                                 rule = setting("r", "", &event, NULL), rules = setting("rules", "", &rule, &role),
                                 ruled = setting("a", "", &rules, NULL);
    const struct {
        const struct carehub_setting senders;
        const char *says;
    } cases[] = {{setting("sender", "x", NULL, NULL), "there is no setting 'sender'"},
                 {setting("default-sender", "x", NULL, NULL), "has to name one of the senders"},
                 {setting("senders", "", &bare, NULL), "format/senders/a: needs 'role'"},
                 {setting("senders", "", &taken, NULL), ""},
                 {setting("senders", "", &ruled, NULL), "format/senders/a/rules/r: setting 'event'"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char error[CAREHUB_ERROR_BYTES] = "";
        const struct carehub_setting format = setting("format", "", &cases[i].senders, NULL);
        void *made = carehub_format.configure(&format, "", error);
        assert_true((made != NULL) == (cases[i].says[0] == '\0'));
        if (strstr(error, cases[i].says) == NULL)
            fail_msg("%s", error);
        if (made != NULL)
            carehub_format.destroy(made);
    }
}

// ---- Samples for another validator

static int write_sample(const char *directory, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.json", directory, name);
    FILE *file = fopen(path, "we");
    if (file == NULL)
        return EXIT_FAILURE;
    fputs(last.text, file);
    return fclose(file) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int write_samples(const char *directory)
{
    static const char batch[] =
        BUNDLE("batch", ENTRY(PATIENT) "," ENTRY(FALL("1", "x")) "," ENTRY(NO_SUBJECT) "," ENTRY(NEAR_MISS));
    char name[32];
    int failed = configure(NULL);
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        forget_all(NULL);
        ask(asked[i].method, asked[i].path, asked[i].text);
        failed |= write_sample(directory, asked[i].name);
    }
    ask("POST", "fhir", batch);
    failed |= write_sample(directory, "batch-response");
    ask("POST", "fhir", BUNDLE("transaction", ENTRY(PATIENT) "," ENTRY(FALL("2", "x"))));
    failed |= write_sample(directory, "transaction-response");
    for (size_t i = 0; i < DOCUMENTS; i++) {
        forget_last();
        carehub_format.get(self, documents[i], catch_reply, NULL);
        snprintf(name, sizeof name, "document-%zu", i);
        failed |= write_sample(directory, name);
    }
    done(NULL);
    return failed;
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, configure, done)
    const struct CMUnitTest tests[] = {
        TEST(every_request_has_its_status_and_says_where_and_what),
        TEST(what_is_too_large_is_refused_as_that),
        TEST(only_json_is_taken),
        TEST(an_event_carries_its_sender_and_its_answer_says_where_it_is),
        TEST(a_request_sent_again_is_answered_as_the_first_time),
        TEST(an_idempotency_key_stands_for_one_content),
        TEST(senders_do_not_share_keys),
        TEST(an_update_corrects_and_going_back_is_another_correction),
        TEST(the_hubs_word_is_the_answers_status),
        TEST(what_only_the_spool_has_is_accepted),
        TEST(a_batch_is_answered_entry_by_entry),
        TEST(a_transaction_is_answered_as_one),
        TEST(plain_events_are_answered_in_plain_json),
        TEST(a_sender_is_known_by_its_peer_and_nobody_else_is_taken),
        TEST(a_file_holds_fhir_or_plain_json),
        TEST(a_file_is_one_document_or_has_one_on_each_line),
        TEST(the_endpoint_says_what_it_takes),
        TEST(an_event_goes_out_as_a_message_to_its_receiver),
        TEST(a_receiver_is_checked_beforehand),
        TEST(an_event_without_id_is_an_error_and_an_unknown_type_is_nothing),
        TEST(a_receivers_answer_is_judged_by_what_it_says),
        TEST(a_mistake_in_the_configuration_is_said),
    };
    if (argc == 3 && strcmp(argv[1], "--samples") == 0)
        return write_samples(argv[2]);
    return cmocka_run_group_tests_name("homecare_format", tests, NULL, NULL);
}
