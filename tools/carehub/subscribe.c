/* carehub subscribe: receives what is in an inbox, as JSON lines. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "facts.h"
#include "nouns.h"
#include "pbjson.h"
#include "wait.h"

struct receiver {
    struct session *session;
    carehub_subscription *subscription;
    struct wait wait;
    int ack;           /* Carehub__V1__AckKind, or -1: none */
    uint64_t count;    /* to receive; 0: no end */
    uint64_t received; /* of the library's thread alone, */
    bool lost;         /* and so is this */
    atomic_int code;   /* -1 while it goes on */
};

static void stop(struct receiver *r, int code)
{
    int going = -1;
    atomic_compare_exchange_strong(&r->code, &going, code);
    wait_wake(&r->wait);
}

static void add_count(struct json_object *line, const char *key, uint64_t value)
{
    char text[24]; /* 64-bit integers are strings in the JSON of protobuf */
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    json_object_object_add(line, key, json_object_new_string(text));
}

static void add_enum(struct json_object *line, const char *key, const ProtobufCEnumDescriptor *type, int value)
{
    const ProtobufCEnumValue *found = protobuf_c_enum_descriptor_get_value(type, value);
    json_object_object_add(line, key, found ? json_object_new_string(found->name) : json_object_new_int(value));
}

/* Prints a delivery; returns whether it is with the reader, so that it may be acknowledged. */
static bool print_delivery(const struct carehub_delivery *d)
{
    struct json_object *line = json_object_new_object();
    if (!line)
        abort();
    add_enum(line, "lane", &carehub__v1__lane__descriptor, (int)d->lane);
    add_count(line, "number", d->number);
    add_count(line, "place", d->place);
    json_object_object_add(line, "attempt", json_object_new_int((int)d->attempt));
    add_enum(line, "level", &carehub__v1__level__descriptor, (int)d->level);
    json_object_object_add(line, "notice", json_object_new_boolean(d->notice));
    add_count(line, "receivedMs", (uint64_t)d->received_ms);
    if (d->cause)
        add_enum(line, "cause", &carehub__v1__cause__descriptor, (int)d->cause);
    if (d->instead_of && *d->instead_of)
        json_object_object_add(line, "insteadOf", json_object_new_string(d->instead_of));
    if (d->verified_by && *d->verified_by)
        json_object_object_add(line, "verifiedBy", json_object_new_string(d->verified_by));
    json_object_object_add(line, "event", d->event ? pbjson_object(&d->event->base, PBJSON_UUID) : NULL);
    puts(json_object_to_json_string_ext(line, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(line);
    return fflush(stdout) == 0;
}

/* The three callbacks are in the client library's thread. */
static void on_delivery(void *arg, carehub_subscription *subscription, const struct carehub_delivery *delivery)
{
    struct receiver *r = arg;
    if (atomic_load(&r->code) >= 0)
        return; /* enough: what still comes stays in the inbox */
    if (!print_delivery(delivery)) {
        stop(r, EXIT_OK);
        return;
    }
    if (r->ack >= 0)
        carehub_ack(subscription, delivery->lane, delivery->number, (Carehub__V1__AckKind)r->ack);
    if (++r->received == r->count)
        stop(r, EXIT_OK);
}

static void on_skip(void *arg, carehub_subscription *subscription, Carehub__V1__Lane lane, uint64_t from, uint64_t to)
{
    (void)arg, (void)subscription;
    struct json_object *line = json_object_new_object(), *skip = json_object_new_object();
    if (!line || !skip)
        abort();
    add_enum(skip, "lane", &carehub__v1__lane__descriptor, (int)lane);
    add_count(skip, "from", from);
    add_count(skip, "to", to);
    json_object_object_add(line, "skip", skip);
    puts(json_object_to_json_string_ext(line, JSON_C_TO_STRING_PLAIN));
    json_object_put(line);
    fflush(stdout);
}

static void on_attached(void *arg, carehub_subscription *subscription, int status, const char *error)
{
    (void)subscription;
    struct receiver *r = arg;
    if (status == CAREHUB_CONNECT) {
        r->lost = true;
        fprintf(stderr, "carehub: the connection was lost; trying again by itself\n");
    } else if (status == CAREHUB_OK && r->lost) {
        r->lost = false;
        fprintf(stderr, "carehub: attached again\n");
    } else if (status == CAREHUB_STALE)
        stop(r, fail(EXIT_REFUSED, "Only one client is attached to an inbox at a time: the newest.",
                     "another client has taken this inbox over"));
    else if (status == CAREHUB_REFUSED)
        stop(r, fail(EXIT_REFUSED, "`carehub inbox list` shows inboxes and whose they are.",
                     "the hub refused the inbox: %s", error ? error : "no reason given"));
}

static int receive(struct receiver *r, const struct args *args)
{
    struct carehub_subscribe_options options = {
        .inbox = args_option(args, "inbox"),
        .credit_events = r->count && r->count < 256 ? (uint32_t)r->count : 0,
        .on_delivery = on_delivery,
        .on_skip = r->session->json ? on_skip : NULL,
        .on_attached = on_attached,
        .arg = r,
    };
    int result = carehub_subscribe(r->session->client, &options, &r->subscription);
    if (result != CAREHUB_OK)
        return session_failed(r->session, result, "attaching to the inbox");
    bool bounded = args_option(args, "timeout") != NULL;
    int64_t until = bounded ? monotonic_ms() + args_timeout_ms(args) : INT64_MAX;
    enum wait_result why;
    do
        why = wait_for(&r->wait, until);
    while (why == WAIT_WOKEN && atomic_load(&r->code) < 0);
    stop(r, why == WAIT_TIMED_OUT && r->count ? EXIT_TIMED_OUT : EXIT_OK);
    carehub_unsubscribe(&r->subscription);
    int code = atomic_load(&r->code);
    if (code == EXIT_TIMED_OUT)
        fail(EXIT_TIMED_OUT, NULL, "%llu of %llu came in time", (unsigned long long)r->received,
             (unsigned long long)r->count);
    return code;
}

static int run_subscribe(const struct args *args)
{
    const char *ack = args_option(args, "ack");
    struct session session = {0};
    struct receiver receiver = {.session = &session, .code = -1};
    if (input_number(args_option(args, "count"), "--count", UINT32_MAX, &receiver.count) != EXIT_OK)
        return EXIT_USAGE;
    receiver.ack = !ack || strcmp(ack, "stored") == 0 ? (int)CAREHUB__V1__ACK_KIND__STORED
                   : strcmp(ack, "read") == 0         ? (int)CAREHUB__V1__ACK_KIND__READ
                                                      : -1;
    int code = session_open(&session, args);
    wait_start(&receiver.wait);
    if (code == EXIT_OK)
        code = receive(&receiver, args);
    session_close(&session);
    wait_end(&receiver.wait);
    return code;
}

const struct command subscribe_commands[] = {
    {
        .summary = "receive what is in an inbox, as JSON lines",
        .options = {{"inbox", "NAME", "the inbox; the client must speak for its actor", .required = true},
                    {"ack", "KIND", "what is acknowledged once a line is written: stored, read or none (stored)",
                     .words = "stored read none"},
                    {"count", "N", "end after so many (never)"},
                    {"timeout", "SECONDS",
                     "end after this time (never); exit code 5 if --count were not there by then"}},
        .detail = "Each line is one delivery: lane, number, place, attempt, level of the view, and the "
                  "event. Numbers "
                  "that will not come are announced with --json as {\"skip\": …}. It takes the inbox over "
                  "from whoever "
                  "is attached to it.",
        .example = "carehub subscribe --inbox apotheek-peeters --count 1 --timeout 30",
        .run = run_subscribe,
    },
    {0},
};
