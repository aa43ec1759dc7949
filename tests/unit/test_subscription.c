// The parts of FHIR subscriptions that touch neither network nor disk: topics, the resource, where notifications may
// go, and what is said of a subscription.
//
// test_subscription --samples DIR writes what is made into a directory, for another program to judge.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <json-c/json_object.h>
#include <json-c/json_tokener.h>
#include <json-c/json_util.h>

#include "subscription_internal.h"

#define NOW_MS INT64_C(1772400000000) // 1 March 2026, 21:20 UTC
#define URL_BEGIN "{\"url\":\"" BACKPORT_DEFINITION
#define CONTENT(code)                                                                                                  \
    "\"_payload\":{\"extension\":[" URL_BEGIN "backport-payload-content\",\"valueCode\":\"" code "\"}]}"
#define CHANNEL_BEGIN "\"channel\":{\"type\":\"rest-hook\",\"endpoint\":\"https://ehr.example/hook\","
#define PAYLOAD "\"payload\":\"application/fhir+json\","
#define CHANNEL CHANNEL_BEGIN PAYLOAD CONTENT("id-only") "}"
#define BEGIN "{\"resourceType\":\"Subscription\","
#define REASON "\"reason\":\"test\","
#define STATUS "\"status\":\"requested\","
#define TOPIC "\"criteria\":\"urn:carehub:topic:HospitalDischarge\","
#define ALL_TOPICS "\"criteria\":\"urn:carehub:topic:all\","
#define FILTER(text)                                                                                                   \
    "\"_criteria\":{\"extension\":[" URL_BEGIN "backport-filter-criteria\",\"valueString\":\"" text "\"}]},"

static const char plain[] = BEGIN STATUS REASON TOPIC CHANNEL "}";
static const char rich[] = BEGIN STATUS REASON ALL_TOPICS FILTER(
    "event-type=HospitalDischarge,FallReported") "\"end\":\"2099-01-01T00:00:00Z\"," CHANNEL_BEGIN PAYLOAD
    CONTENT("full-resource") ",\"header\":[\"Authorization: Bearer abc\",\"X-Tenant: noord\"],\"extension\":[" URL_BEGIN
                             "backport-heartbeat-period\",\"valueUnsignedInt\":60}," URL_BEGIN
                             "backport-timeout\",\"valueUnsignedInt\":500}," URL_BEGIN
                             "backport-max-count\",\"valuePositiveInt\":10},"
                             "{\"url\":\"http://example.org/unknown\",\"valueString\":\"x\"}]}}";

static struct subscription_resource *must_read(const char *text)
{
    struct problems problems = {0};
    struct subscription_resource *resource = subscription_read(text, strlen(text), &problems);
    if (!resource)
        fail_msg("%s: %s", problems.list[0].expression, problems.list[0].diagnostics);
    return resource;
}

// ---- Topics

static void topics_name_event_types(void **state)
{
    char canonical[TOPIC_BYTES];
    const char *names[EVENT_TYPE_MAX];
    (void)state;
    for (size_t i = 0; i < TOPICS; i++) {
        topic_canonical(i, canonical);
        topic_types types = topic_types_of(canonical);
        assert_int_equal(topic_type_names(types, names), 1);
        assert_string_equal(names[0], i == 0 ? "*" : event_type_name((Carehub__V1__EventType)i));
    }
    static const char *const none[] = {"",
                                       "urn:carehub:topic:",
                                       "urn:carehub:topic:hospitaldischarge",
                                       "urn:carehub:topic:HOSPITAL_DISCHARGE",
                                       "urn:carehub:topic:all|1",
                                       "Encounter?status=finished",
                                       "urn:carehub:topic:All"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_int_equal(topic_types_of(none[i]), 0);
}

static void filters_narrow_a_topic(void **state)
{
    static const struct {
        const char *topic, *filter;
        size_t left; // 0: it is refused
    } cases[] = {
        {"urn:carehub:topic:all", "event-type=HospitalDischarge", 1},
        {"urn:carehub:topic:all", "event-type=HospitalDischarge,FallReported", 2},
        {"urn:carehub:topic:FallReported", "event-type=HospitalDischarge,FallReported", 1},
        {"urn:carehub:topic:FallReported", "event-type=HospitalDischarge", 0},
        {"urn:carehub:topic:all", "event-type=", 0},
        {"urn:carehub:topic:all", "event-type=HospitalDischarge,", 0},
        {"urn:carehub:topic:all", "event-type=Nothing", 0},
        {"urn:carehub:topic:all", "patient=Patient/1", 0},
        {"urn:carehub:topic:all", "", 0},
    };
    const char *names[EVENT_TYPE_MAX], *why;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        topic_types types = topic_types_of(cases[i].topic);
        bool ok = topic_filter(cases[i].filter, &types, &why);
        assert_int_equal(ok, cases[i].left > 0);
        if (ok)
            assert_int_equal(topic_type_names(types, names), cases[i].left);
    }
}

// ---- The resource

static void what_can_be_taken_is_read(void **state)
{
    struct subscription_resource *r = must_read(rich);
    (void)state;
    assert_string_equal(r->topic, "urn:carehub:topic:all");
    assert_int_equal(r->n_filters, 1);
    assert_int_equal(__builtin_popcount(r->types), 2);
    assert_true(r->has_end);
    assert_string_equal(r->endpoint, "https://ehr.example/hook");
    assert_int_equal(r->content, CONTENT_FULL_RESOURCE);
    assert_int_equal(r->n_headers, 2);
    assert_string_equal(r->headers[1], "X-Tenant: noord");
    assert_null(r->headers[2]);
    assert_int_equal(r->heartbeat_s, 60);
    assert_int_equal(r->timeout_s, SUBSCRIPTION_TIMEOUT_MAX_S); // more than is done is cut
    assert_int_equal(r->max_count, 10);
    subscription_destroy(&r);
}

static void what_is_written_reads_the_same(void **state)
{
    static const char *const texts[] = {plain, rich};
    const struct subscription_state known = {"0190d000-0000-7000-8000-000000000001", SUBSCRIPTION_ACTIVE, "", 3,
                                             NOW_MS};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct subscription_resource *first = must_read(texts[i]);
        struct json_object *once = subscription_write(first, &known);
        struct subscription_resource *second = must_read(json_object_to_json_string(once));
        struct json_object *twice = subscription_write(second, &known);
        assert_true(json_object_equal(once, twice));
        assert_string_equal(second->id, known.id);
        assert_int_equal(second->asked, SUBSCRIPTION_ACTIVE);
        json_object_put(once);
        json_object_put(twice);
        subscription_destroy(&first);
        subscription_destroy(&second);
    }
}

static void what_is_wrong_is_said_where_it_is(void **state)
{
    static const struct {
        const char *text, *where;
    } cases[] = {
        {"", ""},
        {"[]", ""},
        {"null", ""},
        {"{\"resourceType\":\"Subscription\"", ""},
        {"{}", "Subscription.resourceType"},
        {"{\"resourceType\":\"Patient\"}", "Subscription.resourceType"},
        {BEGIN REASON TOPIC CHANNEL "}", "Subscription.status"},
        {BEGIN "\"status\":\"error\"," REASON TOPIC CHANNEL "}", "Subscription.status"},
        {BEGIN "\"status\":\"on\"," REASON TOPIC CHANNEL "}", "Subscription.status"},
        {BEGIN "\"status\":7," REASON TOPIC CHANNEL "}", "Subscription.status"},
        {BEGIN STATUS TOPIC CHANNEL "}", "Subscription.reason"},
        {BEGIN STATUS REASON CHANNEL "}", "Subscription.criteria"},
        {BEGIN STATUS REASON "\"criteria\":\"Encounter?status=finished\"," CHANNEL "}", "Subscription.criteria"},
        {BEGIN STATUS REASON TOPIC FILTER("patient=Patient/1") CHANNEL "}",
         "Subscription._criteria.extension[0].valueString"},
        {BEGIN STATUS REASON TOPIC "\"end\":\"tomorrow\"," CHANNEL "}", "Subscription.end"},
        {BEGIN STATUS REASON TOPIC "\"end\":\"2099-01-01\"," CHANNEL "}", "Subscription.end"},
        {BEGIN STATUS REASON TOPIC "\"modifierExtension\":[{\"url\":\"x\"}]," CHANNEL "}",
         "Subscription.modifierExtension"},
        {BEGIN STATUS REASON "\"criteria\":\"urn:carehub:topic:all\"}", "Subscription.channel"},
        {BEGIN STATUS REASON TOPIC "\"channel\":[]}", "Subscription.channel"},
        {BEGIN STATUS REASON TOPIC
         "\"channel\":{\"type\":\"email\",\"endpoint\":\"mailto:a@b.example\"," PAYLOAD CONTENT("empty") "}}",
         "Subscription.channel.type"},
        {BEGIN STATUS REASON TOPIC
         "\"channel\":{\"type\":\"rest-hook\",\"_type\":{\"extension\":[" URL_BEGIN
         "backport-channel-type\"}]},\"endpoint\":\"https://ehr.example/\"," PAYLOAD CONTENT("empty") "}}",
         "Subscription.channel._type.extension[0]"},
        {BEGIN STATUS REASON TOPIC "\"channel\":{\"type\":\"rest-hook\"," PAYLOAD CONTENT("empty") "}}",
         "Subscription.channel.endpoint"},
        {BEGIN STATUS REASON TOPIC CHANNEL_BEGIN CONTENT("empty") "}}", "Subscription.channel.payload"},
        {BEGIN STATUS REASON TOPIC CHANNEL_BEGIN "\"payload\":\"application/fhir+xml\"," CONTENT("empty") "}}",
         "Subscription.channel.payload"},
        {BEGIN STATUS REASON TOPIC CHANNEL_BEGIN "\"payload\":\"application/fhir+json\"}}",
         "Subscription.channel._payload"},
        {BEGIN STATUS REASON TOPIC CHANNEL_BEGIN PAYLOAD CONTENT("most") "}}",
         "Subscription.channel._payload.extension[0].valueCode"},
        {BEGIN STATUS REASON TOPIC CHANNEL_BEGIN PAYLOAD "\"header\":[\"Host: other.example\"]," CONTENT("empty") "}}",
         "Subscription.channel.header[0]"},
        {BEGIN STATUS REASON TOPIC CHANNEL_BEGIN PAYLOAD "\"header\":[\"A: b\\r\\nC: d\"]," CONTENT("empty") "}}",
         "Subscription.channel.header[0]"},
        {BEGIN STATUS REASON TOPIC CHANNEL_BEGIN PAYLOAD "\"header\":[\"no colon\"]," CONTENT("empty") "}}",
         "Subscription.channel.header[0]"},
        {BEGIN STATUS REASON TOPIC CHANNEL_BEGIN PAYLOAD "\"header\":[7]," CONTENT("empty") "}}",
         "Subscription.channel.header[0]"},
        {BEGIN STATUS REASON TOPIC CHANNEL_BEGIN PAYLOAD
         "\"extension\":[" URL_BEGIN "backport-max-count\",\"valuePositiveInt\":0}]," CONTENT("empty") "}}",
         "Subscription.channel.extension[0].valuePositiveInt"},
        {BEGIN STATUS REASON TOPIC CHANNEL_BEGIN PAYLOAD
         "\"extension\":[" URL_BEGIN "backport-heartbeat-period\",\"valueString\":\"60\"}]," CONTENT("empty") "}}",
         "Subscription.channel.extension[0].valueUnsignedInt"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct problems problems = {0};
        struct subscription_resource *r = subscription_read(cases[i].text, strlen(cases[i].text), &problems);
        if (r || problems.count != 1 || strcmp(problems.list[0].expression, cases[i].where) != 0)
            fail_msg("case %zu: %zu problems, the first at '%s': %s", i, problems.count, problems.list[0].expression,
                     problems.list[0].diagnostics);
    }
}

// ---- Where to

#define ID_A "0190d000-0000-7000-8000-00000000000a"
#define ID_B "0190d000-0000-7000-8000-00000000000b"

static const char config[] = "subscriptions\n"
                             "    endpoint = https://ehr.example/hooks/\n"
                             "    endpoint = https://lab.example:8443\n"
                             "    endpoint = http://127.0.0.1:9000/\n"
                             "    base-url = https://adapter.example/fhir/\n"
                             "    subscribers\n"
                             "        ehr-noord = thuiszorg-noord\n"
                             "        lab = lab-zuid\n";

static struct carehub_setting *load(const char *text)
{
    char path[] = "/tmp/test_subscription.XXXXXX", error[CAREHUB_ERROR_BYTES];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    struct carehub_setting *tree = settings_tree_load(path, error);
    unlink(path);
    if (!tree)
        fail_msg("%s", error);
    return tree;
}

static bool read_config(const char *text, struct subscription_settings *settings, struct carehub_setting **tree,
                        char error[CAREHUB_ERROR_BYTES])
{
    *tree = load(text);
    return subscription_settings_read(settings, setting_named(*tree, "subscriptions"), "", error);
}

static void notifications_go_only_where_the_operator_says(void **state)
{
    static const struct {
        const char *url;
        bool allowed;
    } cases[] = {
        {"https://ehr.example/hooks/", true},
        {"https://ehr.example/hooks", true},
        {"https://ehr.example/hooks/a?b=c", true},
        {"https://EHR.example:443/hooks/a", true},
        {"https://lab.example:8443/any/where", true},
        {"http://127.0.0.1:9000/x", true},
        {"https://ehr.example/", false},
        {"https://ehr.example/hooksx", false},
        {"https://ehr.example/hooks/../admin", false},
        {"https://ehr.example/hooks/%2e%2e/admin", false},
        {"https://ehr.example/hooks/..%2fadmin", false},
        {"https://ehr.example/hooks/..\\admin", false},
        {"https://ehr.example:444/hooks/", false},
        {"http://ehr.example/hooks/", false},
        {"https://ehr.example@evil.example/hooks/", false},
        {"https://evil.example/hooks/", false},
        {"https://evil.example/?https://ehr.example/hooks/", false},
        {"https://ehr.example.evil.example/hooks/", false},
        {"http://127.0.0.1:9001/x", false},
        {"http://localhost:9000/x", false},
        {"http://169.254.169.254/latest/", false},
        {"file:///etc/passwd", false},
        {"ftp://ehr.example/hooks/", false},
        {"/hooks/", false},
        {"", false},
    };
    struct subscription_settings settings;
    struct carehub_setting *tree;
    char error[CAREHUB_ERROR_BYTES];
    (void)state;
    assert_true(read_config(config, &settings, &tree, error));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (subscription_settings_allow(&settings, cases[i].url, error) != cases[i].allowed)
            fail_msg("%s", cases[i].url);
    assert_string_equal(settings.base_url, "https://adapter.example/fhir");
    assert_string_equal(subscription_settings_actor(&settings, "lab"), "lab-zuid");
    assert_null(subscription_settings_actor(&settings, "other"));
    assert_null(subscription_settings_actor(&settings, ""));
    subscription_settings_clear(&settings);
    settings_tree_free(&tree);
}

static void a_section_that_cannot_be_meant_is_refused(void **state)
{
    static const struct {
        const char *text, *names;
    } cases[] = {
        {"subscriptions\n    endpoint = https://a.example/\n", "subscribers"},
        {"subscriptions\n    subscribers\n        a = b\n", "endpoint"},
        {"subscriptions\n    endpoint = http://a.example/\n    subscribers\n        a = b\n", "beyond-loopback"},
        {"subscriptions\n    endpoint = a.example\n    subscribers\n        a = b\n", "a.example"},
        {"subscriptions\n    endpoint = https://a.example/\n    subscribers\n        a = Big\n", "actor"},
        {"subscriptions\n    endpoint = https://a.example/\n    keep-days = 1\n    subscribers\n        a = b\n",
         "keep-days"},
        {"subscriptions\n    endpoint = https://a.example/\n    tls-key = k\n    subscribers\n        a = b\n",
         "tls-certificate"},
        {"subscriptions\n    endpoint = https://a.example/\n    nonsense = 1\n    subscribers\n        a = b\n",
         "nonsense"},
    };
    struct subscription_settings settings;
    struct carehub_setting *tree;
    char error[CAREHUB_ERROR_BYTES];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_false(read_config(cases[i].text, &settings, &tree, error));
        if (!strstr(error, cases[i].names))
            fail_msg("case %zu: %s", i, error);
        subscription_settings_clear(&settings);
        settings_tree_free(&tree);
    }
}

// ---- Notices

static const struct notice_about about = {
    "https://adapter.example/fhir", ID_A, "urn:carehub:topic:all", SUBSCRIPTION_ACTIVE, "", 12};

static const char *parameter(struct json_object *status, const char *name)
{
    struct json_object *parameters, *text, *value;
    assert_true(json_object_object_get_ex(status, "parameter", &parameters));
    for (size_t i = 0; i < json_object_array_length(parameters); i++) {
        struct json_object *one = json_object_array_get_idx(parameters, i);
        json_object_object_get_ex(one, "name", &text);
        if (strcmp(json_object_get_string(text), name) != 0)
            continue;
        static const char *const values[] = {"valueString", "valueCode", "valueCanonical", "valueReference", "part"};
        for (size_t v = 0; v < sizeof values / sizeof values[0]; v++)
            if (json_object_object_get_ex(one, values[v], &value))
                return json_object_to_json_string_ext(value, JSON_C_TO_STRING_NOSLASHESCAPE | JSON_C_TO_STRING_PLAIN);
    }
    return NULL;
}

static void a_status_is_what_the_guide_says(void **state)
{
    struct json_object *status = notice_status(&about, NOTICE_HANDSHAKE, CONTENT_ID_ONLY, NULL, 0);
    (void)state;
    assert_string_equal(parameter(status, "subscription"),
                        "{\"reference\":\"https://adapter.example/fhir/Subscription/" ID_A "\"}");
    assert_string_equal(parameter(status, "topic"), "\"urn:carehub:topic:all\"");
    assert_string_equal(parameter(status, "status"), "\"active\"");
    assert_string_equal(parameter(status, "type"), "\"handshake\"");
    assert_string_equal(parameter(status, "events-since-subscription-start"), "\"12\"");
    assert_null(parameter(status, "error"));
    json_object_put(status);
}

static void contents_say_no_more_than_was_asked(void **state)
{
    struct json_object *document = json_tokener_parse("{\"resourceType\":\"Bundle\",\"id\":\"" ID_B "\"}");
    const struct notice_event event = {12, NOW_MS, "Bundle/" ID_B, document};
    (void)state;
    for (int content = CONTENT_EMPTY; content <= CONTENT_FULL_RESOURCE; content++) {
        struct json_object *bundle = notice_bundle(&about, NOTICE_EVENT, (enum subscription_content)content, &event, 1,
                                                   NOW_MS),
                           *entries;
        const char *text = json_object_to_json_string_ext(bundle, JSON_C_TO_STRING_NOSLASHESCAPE);
        assert_true(json_object_object_get_ex(bundle, "entry", &entries));
        assert_int_equal(json_object_array_length(entries), content == CONTENT_FULL_RESOURCE ? 2 : 1);
        assert_int_equal(strstr(text, ID_B) != NULL, content != CONTENT_EMPTY);
        assert_int_equal(strstr(text, "valueCanonical") != NULL, content != CONTENT_EMPTY);
        assert_non_null(strstr(text, "event-number"));
        json_object_put(bundle);
    }
    json_object_put(document);
}

// ---- Samples for a validator

static void write_sample(const char *folder, const char *name, struct json_object *tree)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s.json", folder, name);
    assert_int_equal(json_object_to_file_ext(path, tree, JSON_C_TO_STRING_PRETTY), 0);
    json_object_put(tree);
}

static int write_samples(const char *folder)
{
    static const char *const types[] = {"handshake", "heartbeat", "event", "query-status", "query-event"};
    const struct subscription_state known = {ID_A, SUBSCRIPTION_ERROR, "no answer", 2, NOW_MS};
    struct json_object *document =
        json_tokener_parse("{\"resourceType\":\"Bundle\",\"id\":\"" ID_B "\",\"type\":\"collection\"}");
    const struct notice_event events[] = {{11, NOW_MS, "", NULL}, {12, NOW_MS, "Bundle/" ID_B, document}};
    struct notice_about failing = about;
    char name[64];
    failing.error = "http-503";
    for (int type = NOTICE_HANDSHAKE; type <= NOTICE_QUERY_EVENT; type++)
        for (int content = CONTENT_EMPTY; content <= CONTENT_FULL_RESOURCE; content++) {
            snprintf(name, sizeof name, "notice-%s-%d", types[type], content);
            write_sample(folder, name,
                         notice_bundle(type == NOTICE_QUERY_STATUS ? &failing : &about, (enum notice_type)type,
                                       (enum subscription_content)content, events,
                                       type == NOTICE_EVENT || type == NOTICE_QUERY_EVENT ? 2 : 0, NOW_MS));
        }
    struct subscription_resource *resources[] = {must_read(plain), must_read(rich)};
    for (size_t i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "subscription-%zu", i);
        write_sample(folder, name, subscription_write(resources[i], &known));
    }
    struct json_object *found = notice_searchset();
    write_sample(folder, "found-none", notice_searchset());
    notice_add_match(found, "https://adapter.example/fhir/Subscription/" ID_A,
                     subscription_write(resources[0], &known));
    notice_add_match(found, "https://adapter.example/fhir/Subscription/" ID_A "/$status",
                     notice_status(&failing, NOTICE_QUERY_STATUS, CONTENT_ID_ONLY, NULL, 0));
    write_sample(folder, "found", found);
    struct problems problems = {0};
    subscription_read("{\"resourceType\":\"Subscription\"}", 31, &problems);
    problems_add(&problems, PROBLEM_ERROR, PROBLEM_FORBIDDEN, "", "not yours");
    write_sample(folder, "outcome", problems_outcome(&problems));
    json_object_put(document);
    for (size_t i = 0; i < 2; i++)
        subscription_destroy(&resources[i]);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(topics_name_event_types),
        cmocka_unit_test(filters_narrow_a_topic),
        cmocka_unit_test(what_can_be_taken_is_read),
        cmocka_unit_test(what_is_written_reads_the_same),
        cmocka_unit_test(what_is_wrong_is_said_where_it_is),
        cmocka_unit_test(notifications_go_only_where_the_operator_says),
        cmocka_unit_test(a_section_that_cannot_be_meant_is_refused),
        cmocka_unit_test(a_status_is_what_the_guide_says),
        cmocka_unit_test(contents_say_no_more_than_was_asked),
    };
    if (argc == 3 && strcmp(argv[1], "--samples") == 0)
        return write_samples(argv[2]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
