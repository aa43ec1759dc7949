// FHIR subscriptions over HTTP, with libcurl as the client, a receiver on loopback, and a stand-in for the hub: what
// subscribers are promised.
//
//     test_subscription_life --samples DIR   writes what is answered and sent into a directory, for others to judge
//     test_subscription_life --serve DIR     is the adapter's side of the test that kills it
#include "subscription_case.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <json-c/json_tokener.h>

#include "eventid.h"

#define DISCHARGE CAREHUB__V1__EVENT_TYPE__HOSPITAL_DISCHARGE
#define ROOT "fhir/Subscription"
#define HEARTBEAT(s)                                                                                                   \
    ",\"extension\":[{\"url\":\"" BACKPORT_DEFINITION "backport-heartbeat-period\",\"valueUnsignedInt\":" #s "}]"
#define MAX_COUNT(n)                                                                                                   \
    ",\"extension\":[{\"url\":\"" BACKPORT_DEFINITION "backport-max-count\",\"valuePositiveInt\":" #n "}]"

enum { KILLED_EVENTS = 200, KILLS = 15 };

extern char **environ;

static char dir[64];
static struct receiver *receiver;
static struct adapter adapter;
static char id[64], path[128];

static int set_up(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/test_subscription_life.XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    stand_in_clear();
    receiver = receiver_new();
    adapter_prepare(dir, receiver_port(receiver), "    patience-ms = 300\n");
    adapter_start(&adapter, dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    adapter_stop(&adapter);
    receiver_destroy(&receiver);
    adapter_remove(dir);
    return 0;
}

static const struct asked *ask_as(const char *who, const char *method, const char *at, const char *body)
{
    return ask(&adapter, NULL, who, method, at, body);
}

static const char *status_now(void)
{
    static char text[32];
    struct json_object *tree = json_tokener_parse(ask_as("ehr", "GET", path, NULL)->body), *status;
    snprintf(text, sizeof text, "%s",
             json_object_object_get_ex(tree, "status", &status) ? json_object_get_string(status) : "");
    json_object_put(tree);
    return text;
}

// Registers one, without waiting for what comes of it.
static void register_one(const char *content, const char *more)
{
    const struct asked *asked =
        ask_as("ehr", "POST", ROOT, subscription_text(NULL, "requested", receiver_port(receiver), content, more));
    if (asked->status != 201)
        fail_msg("%ld %s", asked->status, asked->body);
    const char *last = strrchr(asked->location, '/');
    assert_non_null(last);
    snprintf(id, sizeof id, "%s", last + 1);
    snprintf(path, sizeof path, ROOT "/%s", id);
    assert_non_null(strstr(asked->body, "\"status\":\"requested\""));
}

static const char *inbox(void)
{
    return stand_in_last_inbox();
}

static void activate(const char *content, const char *more)
{
    register_one(content, more);
    RUN_UNTIL(&adapter, stand_in_attached(inbox()));
    assert_string_equal(status_now(), "active");
}

static size_t taken(void)
{
    size_t count;
    uint64_t highest;
    assert_true(receiver_numbers(receiver, &count, &highest));
    return count;
}

static void put(unsigned from, unsigned to)
{
    for (unsigned i = from; i <= to; i++)
        stand_in_put(inbox(), DISCHARGE, event_id(i));
}

// ---- Registering

static void a_subscription_is_shaken_hands_with_before_it_is_active(void **state)
{
    (void)state;
    activate("id-only", "");
    assert_int_equal(receiver_taken(receiver, "handshake"), 1);
    assert_int_equal(strncmp(stand_in.facts[0], "set thuiszorg-noord.fhir-", 25), 0);
    assert_non_null(strstr(stand_in.facts[0], " thuiszorg-noord *"));
    assert_non_null(strstr(receiver_last(receiver), "\"events-since-subscription-start\",\"valueString\":\"0\""));
    assert_non_null(strstr(receiver_last(receiver), "\"valueCode\":\"requested\""));
}

static void a_handshake_that_fails_is_an_error_until_it_succeeds(void **state)
{
    (void)state;
    receiver_answer(receiver, 500);
    register_one("id-only", "");
    RUN_UNTIL(&adapter, receiver_count(receiver) >= 2);
    assert_string_equal(status_now(), "error");
    assert_false(stand_in_attached(inbox()));
    receiver_answer(receiver, 202);
    RUN_UNTIL(&adapter, stand_in_attached(inbox()));
    assert_string_equal(status_now(), "active");
}

static void a_hub_that_refuses_the_inbox_makes_an_error(void **state)
{
    (void)state;
    stand_in.refuse_facts = CAREHUB__V1__ERROR_CODE__NOT_ALLOWED;
    register_one("id-only", "");
    run_for(&adapter, 50);
    assert_string_equal(status_now(), "error");
    assert_non_null(strstr(ask_as("ehr", "GET", path, NULL)->body, "refused by the stand-in"));
    assert_int_equal(receiver_count(receiver), 0);
}

static void only_subscribers_have_subscriptions_and_each_its_own(void **state)
{
    (void)state;
    activate("id-only", "");
    put(1, 1);
    RUN_UNTIL(&adapter, taken() == 1);
    const char *text = subscription_text(NULL, "requested", receiver_port(receiver), "empty", "");
    char events[160], status[160], focus[160], event[EVENTID_TEXT_CHARS];
    snprintf(events, sizeof events, "%s/$events", path);
    snprintf(status, sizeof status, "%s/$status", path);
    eventid_format(event_id(1), event);
    snprintf(focus, sizeof focus, "fhir/Bundle/%s", event);
    const struct {
        const char *who, *method, *at, *body;
        long status;
    } cases[] = {
        {"stranger", "POST", ROOT, text, 403},
        {"stranger", "GET", ROOT, NULL, 403},
        {"stranger", "GET", path, NULL, 403},
        {"stranger", "DELETE", path, NULL, 403},
        {"stranger", "GET", events, NULL, 403},
        {"stranger", "GET", status, NULL, 403},
        {"stranger", "GET", focus, NULL, 404},
        {NULL, "POST", ROOT, text, 401},
        {NULL, "GET", focus, NULL, 401},
        {"lab", "GET", path, NULL, 404},
        {"lab", "PUT", path, text, 404},
        {"lab", "DELETE", path, NULL, 404},
        {"lab", "GET", events, NULL, 404},
        {"lab", "GET", status, NULL, 404},
        {"lab", "GET", focus, NULL, 404},
        {"ehr", "GET", focus, NULL, 200},
        {"ehr", "GET", ROOT "/nothing", NULL, 404},
        {"ehr", "PATCH", path, text, 405},
        {"ehr", "PUT", ROOT, text, 405},
        {"ehr", "GET", "fhir/Bundle/nothing", NULL, 404},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct asked *asked = ask_as(cases[i].who, cases[i].method, cases[i].at, cases[i].body);
        if (asked->status != cases[i].status)
            fail_msg("case %zu: %ld %s", i, asked->status, asked->body);
    }
    assert_non_null(strstr(ask_as("lab", "GET", ROOT, NULL)->body, "\"total\":0"));
    assert_non_null(strstr(ask_as("ehr", "GET", ROOT, NULL)->body, id));
    assert_non_null(strstr(ask_as("ehr", "GET", ROOT "?status=off", NULL)->body, "\"total\":0"));
    assert_string_equal(status_now(), "active");
}

static void what_cannot_be_registered_is_refused_with_reasons(void **state)
{
    char wrong[8192];
    (void)state;
    const struct asked *asked = ask_as("ehr", "POST", ROOT, "{\"resourceType\":\"Subscription\"}");
    assert_int_equal(asked->status, 422);
    assert_non_null(strstr(asked->body, "OperationOutcome"));
    assert_non_null(strstr(asked->body, "Subscription.channel"));
    assert_int_equal(ask_as("ehr", "POST", ROOT, "{")->status, 400);
    snprintf(wrong, sizeof wrong, "%s", subscription_text(NULL, "requested", 1, "empty", "")); // another port
    asked = ask_as("ehr", "POST", ROOT, wrong);
    assert_int_equal(asked->status, 422);
    assert_non_null(strstr(asked->body, "Subscription.channel.endpoint"));
    assert_int_equal(stand_in.n_facts, 0);
    assert_int_equal(receiver_count(receiver), 0);
}

// ---- Events

static void events_are_numbered_without_gaps_and_acknowledged_when_taken(void **state)
{
    (void)state;
    activate("id-only", ",\"header\":[\"Authorization: Bearer their-token\"]");
    put(1, 40);
    RUN_UNTIL(&adapter, taken() == 40);
    RUN_UNTIL(&adapter, stand_in_count(inbox(), STAND_IN_ACKED) == 40);
    assert_true(receiver_in_order(receiver));
    assert_string_equal(receiver_authorization(receiver), "Bearer their-token");
    assert_null(strstr(receiver_last(receiver), "collection"));
}

static void what_comes_again_is_not_sent_again(void **state)
{
    (void)state;
    activate("id-only", "");
    put(1, 5);
    RUN_UNTIL(&adapter, stand_in_count(inbox(), STAND_IN_ACKED) == 5);
    for (size_t i = 0; i < stand_in.n_deliveries; i++)
        stand_in.deliveries[i].is = STAND_IN_WAITS; // the acknowledgements got lost
    size_t before = receiver_count(receiver);
    stand_in_reattach(inbox());
    RUN_UNTIL(&adapter, stand_in_count(inbox(), STAND_IN_ACKED) == 5);
    assert_int_equal(receiver_count(receiver), before);
}

static void what_was_verified_is_told_once_more_and_once_only(void **state)
{
    (void)state;
    activate("id-only", "");
    put(1, 2);
    RUN_UNTIL(&adapter, taken() == 2);
    stand_in.verified = true;
    put(1, 2); // the same events
    RUN_UNTIL(&adapter, taken() == 4);
    put(1, 2);
    RUN_UNTIL(&adapter, stand_in_count(inbox(), STAND_IN_ACKED) == 6);
    assert_int_equal(taken(), 4);
    assert_true(receiver_in_order(receiver));
}

static void several_go_together_where_that_was_asked(void **state)
{
    (void)state;
    receiver_answer(receiver, 200);
    activate("full-resource", MAX_COUNT(10));
    put(1, 30);
    RUN_UNTIL(&adapter, taken() == 30);
    assert_true(receiver_in_order(receiver));
    assert_true(receiver_taken(receiver, "event-notification") <= 6);
    assert_non_null(strstr(receiver_last(receiver), "collection"));
}

static void a_failing_endpoint_delays_and_loses_nothing(void **state)
{
    (void)state;
    activate("id-only", "");
    receiver_answer(receiver, 503);
    put(1, 3);
    RUN_UNTIL(&adapter, stand_in_count(inbox(), STAND_IN_NACKED) == 3); // after the patience, all
    assert_string_equal(stand_in.deliveries[0].code, "http-503");
    assert_string_equal(status_now(), "error");
    assert_int_equal(taken(), 0);
    receiver_answer(receiver, 200);
    stand_in_again(inbox());
    RUN_UNTIL(&adapter, stand_in_count(inbox(), STAND_IN_ACKED) == 3);
    assert_int_equal(taken(), 3);
    assert_true(receiver_in_order(receiver));
    assert_string_equal(status_now(), "active");
}

static void a_short_failure_is_ridden_out_in_order(void **state)
{
    (void)state;
    activate("id-only", "");
    receiver_answer(receiver, 429);
    put(1, 3);
    run_for(&adapter, 60);
    receiver_answer(receiver, 200);
    RUN_UNTIL(&adapter, stand_in_count(inbox(), STAND_IN_ACKED) == 3);
    assert_true(receiver_in_order(receiver));
    assert_int_equal(stand_in_count(inbox(), STAND_IN_NACKED), 0);
    assert_string_equal(status_now(), "active");
}

static void one_that_is_not_taken_does_not_stop_the_others_for_ever(void **state)
{
    (void)state;
    activate("id-only", "");
    receiver_answer(receiver, 422);
    put(1, 2);
    RUN_UNTIL(&adapter, stand_in_count(inbox(), STAND_IN_NACKED) == 1);
    receiver_answer(receiver, 200);
    RUN_UNTIL(&adapter, stand_in_count(inbox(), STAND_IN_ACKED) == 1);
    stand_in_again(inbox());
    RUN_UNTIL(&adapter, stand_in_count(inbox(), STAND_IN_ACKED) == 2);
    assert_int_equal(taken(), 2);
}

static void what_is_withdrawn_is_told_as_a_number_only(void **state)
{
    (void)state;
    activate("full-resource", "");
    receiver_answer(receiver, 503);
    put(1, 3);
    run_for(&adapter, 40);
    stand_in_skip(inbox(), 1, 2);
    run_for(&adapter, 10);
    receiver_answer(receiver, 200);
    RUN_UNTIL(&adapter, taken() == 3);
    assert_true(receiver_in_order(receiver));
    RUN_UNTIL(&adapter, stand_in_count(inbox(), STAND_IN_ACKED) == 1);
    char at[160];
    snprintf(at, sizeof at, "%s/$events?eventsUntilNumber=2", path);
    assert_null(strstr(ask_as("ehr", "GET", at, NULL)->body, "Bundle/"));
}

static void what_the_format_does_not_write_has_no_number(void **state)
{
    (void)state;
    activate("id-only", "");
    stand_in_put(inbox(), CAREHUB__V1__EVENT_TYPE__TEAM_MESSAGE, event_id(1));
    stand_in_put(inbox(), CAREHUB__V1__EVENT_TYPE__CARER_STRAIN, event_id(2));
    put(3, 3);
    RUN_UNTIL(&adapter, stand_in_count(inbox(), STAND_IN_ACKED) == 2);
    assert_int_equal(stand_in_count(inbox(), STAND_IN_DEAD), 1);
    assert_int_equal(taken(), 1);
}

static void heartbeats_come_when_nothing_else_does(void **state)
{
    (void)state;
    activate("empty", HEARTBEAT(1));
    RUN_UNTIL(&adapter, receiver_taken(receiver, "heartbeat") >= 2);
    assert_string_equal(status_now(), "active");
}

// ---- Catching up

static void events_can_be_asked_for(void **state)
{
    char at[256];
    (void)state;
    activate("id-only", "");
    put(1, 10);
    RUN_UNTIL(&adapter, taken() == 10);
    snprintf(at, sizeof at, "%s/$events?eventsSinceNumber=4&eventsUntilNumber=6&content=full-resource", path);
    const struct asked *asked = ask_as("ehr", "GET", at, NULL);
    assert_int_equal(asked->status, 200);
    assert_null(strstr(asked->body, "\"event-number\",\"valueString\":\"3\""));
    assert_non_null(strstr(asked->body, "\"event-number\",\"valueString\":\"4\""));
    assert_non_null(strstr(asked->body, "\"event-number\",\"valueString\":\"6\""));
    assert_null(strstr(asked->body, "\"event-number\",\"valueString\":\"7\""));
    assert_non_null(strstr(asked->body, "collection"));
    assert_non_null(strstr(asked->body, "\"valueCode\":\"query-event\""));
    snprintf(at, sizeof at, "%s/$events", path);
    asked = ask_as("ehr", "POST", at,
                   "{\"resourceType\":\"Parameters\",\"parameter\":[{\"name\":\"eventsSinceNumber\","
                   "\"valueString\":\"10\"},{\"name\":\"content\",\"valueCode\":\"empty\"}]}");
    assert_int_equal(asked->status, 200);
    assert_non_null(strstr(asked->body, "\"event-number\",\"valueString\":\"10\""));
    assert_null(strstr(asked->body, "\"event-number\",\"valueString\":\"9\""));
    assert_null(strstr(asked->body, "focus"));
    snprintf(at, sizeof at, "%s/$events?eventsSinceNumber=-1", path);
    assert_int_equal(ask_as("ehr", "GET", at, NULL)->status, 400);
    snprintf(at, sizeof at, "%s/$events?content=all", path);
    assert_int_equal(ask_as("ehr", "GET", at, NULL)->status, 400);
}

static void statuses_can_be_asked_for(void **state)
{
    char at[256];
    (void)state;
    activate("id-only", "");
    put(1, 2);
    RUN_UNTIL(&adapter, taken() == 2);
    snprintf(at, sizeof at, "%s/$status", path);
    const struct asked *asked = ask_as("ehr", "GET", at, NULL);
    assert_int_equal(asked->status, 200);
    assert_non_null(strstr(asked->body, "\"events-since-subscription-start\",\"valueString\":\"2\""));
    assert_non_null(strstr(asked->body, "\"type\":\"searchset\""));
    assert_int_equal(ask_as("ehr", "POST", at, NULL)->status, 200);
    assert_non_null(strstr(ask_as("ehr", "GET", ROOT "/$status?status=error,off", NULL)->body, "\"total\":0"));
    assert_non_null(strstr(ask_as("ehr", "GET", ROOT "/$status?status=error,active", NULL)->body, "\"total\":1"));
    assert_non_null(strstr(ask_as("lab", "GET", ROOT "/$status", NULL)->body, "\"total\":0"));
}

static void the_capabilities_name_the_topics(void **state)
{
    (void)state;
    const struct asked *asked = ask_as("stranger", "GET", "fhir/metadata", NULL);
    assert_int_equal(asked->status, 200);
    assert_non_null(strstr(asked->body, "urn:carehub:topic:HospitalDischarge"));
    assert_non_null(strstr(asked->body, "backport-subscription-server-r4"));
}

// ---- Changing and ending

static void a_change_is_shaken_hands_on_again(void **state)
{
    (void)state;
    activate("id-only", "");
    put(1, 1);
    RUN_UNTIL(&adapter, taken() == 1);
    const struct asked *asked =
        ask_as("ehr", "PUT", path, subscription_text(id, "requested", receiver_port(receiver), "full-resource", ""));
    assert_int_equal(asked->status, 200);
    assert_string_equal(asked->etag, "W/\"2\"");
    RUN_UNTIL(&adapter, receiver_taken(receiver, "handshake") == 2);
    put(2, 2);
    RUN_UNTIL(&adapter, taken() == 2); // the numbers go on
    assert_non_null(strstr(receiver_last(receiver), "collection"));
    assert_int_equal(
        ask_as("ehr", "PUT", path, subscription_text("other", "requested", receiver_port(receiver), "empty", ""))
            ->status,
        400);
}

static void off_ends_it_and_keeps_it_to_be_seen(void **state)
{
    (void)state;
    activate("id-only", "");
    assert_int_equal(
        ask_as("ehr", "PUT", path, subscription_text(id, "off", receiver_port(receiver), "id-only", ""))->status, 200);
    assert_string_equal(status_now(), "off");
    assert_false(stand_in_attached(inbox()));
    assert_int_equal(strncmp(stand_in.facts[stand_in.n_facts - 1], "close thuiszorg-noord.fhir-", 27), 0);
    assert_int_equal(
        ask_as("ehr", "PUT", path, subscription_text(id, "requested", receiver_port(receiver), "id-only", ""))->status,
        409);
}

static void its_end_ends_it(void **state)
{
    char text[8192], end[48];
    time_t soon = time(NULL) + 2;
    (void)state;
    strftime(end, sizeof end, "\"end\":\"%Y-%m-%dT%H:%M:%SZ\",", gmtime(&soon));
    const char *whole = subscription_text(NULL, "requested", receiver_port(receiver), "id-only", "");
    snprintf(text, sizeof text, "{%s%s", end, whole + 1);
    const struct asked *asked = ask_as("ehr", "POST", ROOT, text);
    assert_int_equal(asked->status, 201);
    snprintf(path, sizeof path, ROOT "%s", strrchr(asked->location, '/'));
    RUN_UNTIL(&adapter, stand_in_attached(inbox()));
    RUN_UNTIL(&adapter, !stand_in_attached(inbox()));
    assert_string_equal(status_now(), "off");
}

static void deletion_closes_the_inbox_and_forgets(void **state)
{
    (void)state;
    activate("id-only", "");
    put(1, 2);
    RUN_UNTIL(&adapter, taken() == 2);
    assert_int_equal(ask_as("ehr", "DELETE", path, NULL)->status, 204);
    assert_int_equal(ask_as("ehr", "GET", path, NULL)->status, 404);
    RUN_UNTIL(&adapter, adapter.subscriptions->n_feeds == 0);
    assert_int_equal(strncmp(stand_in.facts[stand_in.n_facts - 1], "close thuiszorg-noord.fhir-", 27), 0);
    assert_int_equal(ask_as("ehr", "DELETE", path, NULL)->status, 404);
}

// ---- Restarts

static void subscriptions_survive_a_restart(void **state)
{
    (void)state;
    activate("id-only", "");
    put(1, 3);
    RUN_UNTIL(&adapter, taken() == 3);
    receiver_answer(receiver, 500);
    put(4, 5);
    run_for(&adapter, 30);
    adapter_stop(&adapter);
    receiver_answer(receiver, 200);
    adapter_start(&adapter, dir);
    assert_true(stand_in_attached(inbox())); // without another handshake
    stand_in_again(inbox());
    RUN_UNTIL(&adapter, taken() == 5);
    assert_true(receiver_in_order(receiver));
    assert_int_equal(receiver_taken(receiver, "handshake"), 1);
    put(6, 6);
    RUN_UNTIL(&adapter, taken() == 6);
    assert_true(receiver_in_order(receiver));
}

// The adapter's side of the next test. The hub that it has forgets everything with it, so it sends all again.
static _Noreturn void serve(const char *where)
{
    char name[160], new_name[160];
    prctl(PR_SET_PDEATHSIG, SIGKILL); // also when the test fails
    adapter_start(&adapter, where);
    snprintf(name, sizeof name, "%s/endpoint", where);
    snprintf(new_name, sizeof new_name, "%s/endpoint.new", where);
    FILE *file = fopen(new_name, "w");
    fprintf(file, "%s", adapter.endpoint);
    fclose(file);
    rename(new_name, name);
    for (unsigned next = 1;;) {
        const char *known = adapter.subscriptions->feeds ? feed_record(adapter.subscriptions->feeds)->inbox : "";
        if (next <= KILLED_EVENTS && stand_in_attached(known))
            stand_in_put(known, DISCHARGE, event_id(next++));
        uv_run(&adapter.loop, UV_RUN_NOWAIT);
        if (next > KILLED_EVENTS)
            uv_sleep(1);
    }
}

static pid_t start_server(char endpoint[128])
{
    char *argv[] = {(char *)"test", (char *)"--serve", dir, NULL}, name[160];
    pid_t pid;
    snprintf(name, sizeof name, "%s/endpoint", dir);
    unlink(name);
    assert_int_equal(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ), 0);
    for (int i = 0; i < 1000; i++) {
        FILE *file = fopen(name, "r");
        if (file) {
            assert_non_null(fgets(endpoint, 128, file));
            fclose(file);
            return pid;
        }
        uv_sleep(10);
    }
    fail_msg("the server does not start");
    return -1;
}

static void stop_server(pid_t pid)
{
    int status;
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status)); // it has not ended by itself
}

static void numbers_survive_being_killed_at_any_moment(void **state)
{
    char endpoint[128];
    size_t count = 0;
    uint64_t highest = 0;
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/test_subscription_life.XXXXXX");
    assert_non_null(mkdtemp(dir));
    receiver = receiver_new();
    adapter_prepare(dir, receiver_port(receiver), "    base-url = https://adapter.example/fhir\n"); // ports change
    pid_t pid = start_server(endpoint);
    const struct asked *asked = ask(NULL, endpoint, "ehr", "POST", ROOT,
                                    subscription_text(NULL, "requested", receiver_port(receiver), "id-only", ""));
    assert_int_equal(asked->status, 201);
    for (int i = 0; i < KILLS; i++) {
        uv_sleep(5 + (unsigned)i * 37 % 90);
        stop_server(pid);
        pid = start_server(endpoint);
    }
    for (int i = 0; i < 2000 && count < KILLED_EVENTS; i++) {
        uv_sleep(5);
        assert_true(receiver_numbers(receiver, &count, &highest));
    }
    stop_server(pid);
    assert_int_equal(count, KILLED_EVENTS);
    assert_int_equal(highest, KILLED_EVENTS);
    assert_true(receiver_in_order(receiver));
    receiver_destroy(&receiver);
    adapter_remove(dir);
}

// ---- Samples for a validator

static void write_sample(const char *folder, const char *name, const char *text)
{
    char file_name[512];
    snprintf(file_name, sizeof file_name, "%s/%s.json", folder, name);
    FILE *file = fopen(file_name, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void write_samples(const char *folder)
{
    char at[256];
    set_up(NULL);
    activate("full-resource", HEARTBEAT(1));
    write_sample(folder, "handshake", receiver_last(receiver));
    put(1, 3);
    RUN_UNTIL(&adapter, taken() == 3);
    write_sample(folder, "notification", receiver_last(receiver));
    RUN_UNTIL(&adapter, receiver_taken(receiver, "heartbeat") > 0);
    write_sample(folder, "heartbeat", receiver_last(receiver));
    write_sample(folder, "read", ask_as("ehr", "GET", path, NULL)->body);
    write_sample(folder, "search", ask_as("ehr", "GET", ROOT, NULL)->body);
    write_sample(folder, "metadata", ask_as("ehr", "GET", "fhir/metadata", NULL)->body);
    write_sample(folder, "statuses", ask_as("ehr", "GET", ROOT "/$status", NULL)->body);
    write_sample(folder, "forbidden", ask_as("stranger", "GET", ROOT, NULL)->body);
    write_sample(folder, "refused", ask_as("ehr", "POST", ROOT, "{\"resourceType\":\"Subscription\"}")->body);
    snprintf(at, sizeof at, "%s/$events", path);
    write_sample(folder, "events", ask_as("ehr", "GET", at, NULL)->body);
    tear_down(NULL);
}

#define LIVE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        LIVE(a_subscription_is_shaken_hands_with_before_it_is_active),
        LIVE(a_handshake_that_fails_is_an_error_until_it_succeeds),
        LIVE(a_hub_that_refuses_the_inbox_makes_an_error),
        LIVE(only_subscribers_have_subscriptions_and_each_its_own),
        LIVE(what_cannot_be_registered_is_refused_with_reasons),
        LIVE(events_are_numbered_without_gaps_and_acknowledged_when_taken),
        LIVE(what_comes_again_is_not_sent_again),
        LIVE(what_was_verified_is_told_once_more_and_once_only),
        LIVE(several_go_together_where_that_was_asked),
        LIVE(a_failing_endpoint_delays_and_loses_nothing),
        LIVE(a_short_failure_is_ridden_out_in_order),
        LIVE(one_that_is_not_taken_does_not_stop_the_others_for_ever),
        LIVE(what_is_withdrawn_is_told_as_a_number_only),
        LIVE(what_the_format_does_not_write_has_no_number),
        LIVE(heartbeats_come_when_nothing_else_does),
        LIVE(events_can_be_asked_for),
        LIVE(statuses_can_be_asked_for),
        LIVE(the_capabilities_name_the_topics),
        LIVE(a_change_is_shaken_hands_on_again),
        LIVE(off_ends_it_and_keeps_it_to_be_seen),
        LIVE(its_end_ends_it),
        LIVE(deletion_closes_the_inbox_and_forgets),
        LIVE(subscriptions_survive_a_restart),
        cmocka_unit_test(numbers_survive_being_killed_at_any_moment),
    };
    signal(SIGPIPE, SIG_IGN);
    if (argc == 3 && strcmp(argv[1], "--serve") == 0)
        serve(argv[2]);
    if (argc == 3 && strcmp(argv[1], "--samples") == 0) {
        write_samples(argv[2]);
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
