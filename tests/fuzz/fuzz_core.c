/* Fuzzes the core as the gate feeds it: frames of several sessions, checked and unpacked by frame.c, with commits,
 * crashes and time passing in between. Every input starts from the same small region, with deliveries in flight; at its
 * end the database has to open again.
 *
 * An input is a sequence of steps: one byte that says what (session in the low 3 bits; then commit, crash, time), two
 * bytes of length (big-endian), and a frame. With CAREHUB_FUZZ_SEEDS=DIR it writes inputs to begin with into DIR. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../unit/core_fixture.h"
#include "gate/frame.h"
#include "pbjson.h"

enum { SESSION_BITS = 7, COMMIT_BIT = 8, CRASH_BIT = 16, TIME_BIT = 32, STEPS_MAX = 24, TEMPLATE_MAX = 4 << 20 };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct hub *hub;
static uint8_t *template_bytes;
static size_t template_size;

/* ---- Where every input starts ------------------------------------------------------------------------------------ */

static void start(void)
{
    char wal[128];
    snprintf(wal, sizeof wal, "%s-wal", hub->database);
    unlink(wal);
    FILE *file = fopen(hub->database, "w");
    if (!file || fwrite(template_bytes, 1, template_size, file) != template_size)
        abort();
    fclose(file);
    hub->now_ms = 1795300000000;
    hub_open(hub);
    for (session_id session = OPERATOR; session < SESSIONS; session++)
        hub_hello(hub, session);
    hub_attach(hub, GP, "gp", 4); /* handle 1, epoch 1; three in flight */
    hub_attach(hub, NURSE, "nurse", 1);
    hub_clear(hub);
}

/* ---- Inputs to begin with ---------------------------------------------------------------------------------------- */

static const struct {
    uint8_t session;
    const char *json;
} seeds[] = {
    {GP, "{\"ack\":{\"handle\":1,\"epoch\":\"1\",\"ranges\":[{\"lane\":\"LANE_IMMEDIATE\",\"to\":\"2\"},"
         "{\"lane\":\"LANE_IMMEDIATE\",\"from\":\"3\",\"to\":\"3\",\"kind\":\"READ\"}]}}"},
    {GP, "{\"nack\":{\"handle\":1,\"epoch\":\"1\",\"lane\":\"LANE_IMMEDIATE\",\"number\":\"2\",\"code\":\"later\"}}"},
    {GP, "{\"nack\":{\"handle\":1,\"epoch\":\"1\",\"lane\":\"LANE_IMMEDIATE\",\"number\":\"1\",\"code\":\"no\","
         "\"final\":true}}"},
    {GP, "{\"credit\":{\"handle\":1,\"epoch\":\"1\",\"events\":10,\"bytes\":100000}}"},
    {GP, "{\"attach\":{\"inbox\":\"gp\",\"creditEvents\":2,\"creditBytes\":1000}}"},
    {GP, "{\"detach\":{\"handle\":1,\"epoch\":\"1\"}}"},
    {GP, "{\"bye\":{\"reason\":\"over\"}}"},
    {7, "{\"hello\":{\"minVersion\":1,\"maxVersion\":1}}"},
    {7, "{\"enrol\":{\"token\":\"AAAA\"}}"},
    {OPERATOR, "{\"query\":{\"ref\":\"1\",\"status\":{}}}"},
    {OPERATOR, "{\"query\":{\"ref\":\"1\",\"tail\":{}}}"},
    {OPERATOR, "{\"query\":{\"ref\":\"1\",\"trace\":{\"place\":\"30\"}}}"},
    {OPERATOR, "{\"query\":{\"ref\":\"1\",\"explain\":{\"place\":\"30\",\"actor\":\"gp\"}}}"},
    {OPERATOR,
     "{\"query\":{\"ref\":\"1\",\"explain\":{\"place\":\"30\",\"actor\":\"gp\",\"atMs\":\"1795300000000\"}}}"},
    {OPERATOR, "{\"query\":{\"ref\":\"1\",\"policyDiff\":{\"text\":\"policy\\n    name = x\\n\",\"sinceMs\":\"1\"}}}"},
    {OPERATOR, "{\"query\":{\"ref\":\"1\",\"list\":{\"kind\":\"LIST_INBOXES\"}}}"},
    {OPERATOR, "{\"query\":{\"ref\":\"1\",\"patient\":{\"patient\":{\"number\":\"1\"}}}}"},
    {OPERATOR, "{\"query\":{\"ref\":\"1\",\"inboxItems\":{\"inbox\":\"gp\"}}}"},
    {OPERATOR, "{\"query\":{\"ref\":\"1\",\"exportLog\":{\"fromPlace\":\"1\"}}}"},
#define FACT(text)                                                                                                     \
    {                                                                                                                  \
        OPERATOR, "{\"publish\":{\"publications\":[{\"ref\":\"1\",\"items\":[{\"fact\":{"                              \
                  "\"id\":\"01a20037-b8c0-8000-8000-0000000000f1\"," text "}}]}]}}"                                    \
    }
#define P "\"patient\":{\"number\":\"1\"}"
    FACT("\"consentWithdrawn\":{" P "}"),
    FACT("\"consentGiven\":{" P ",\"purposes\":[\"continuity-of-care\"]}"),
    FACT("\"memberEnded\":{" P ",\"actor\":\"gp\"}"),
    FACT("\"memberAdded\":{" P ",\"actor\":\"gp\",\"role\":\"home-care\",\"untilMs\":\"1795300001000\"}"),
    FACT("\"exclusionSet\":{" P ",\"actor\":\"nurse\"}"),
    FACT("\"grantGiven\":{" P ",\"actor\":\"az\",\"role\":\"emergency-physician\",\"kind\":\"EMERGENCY_ACCESS\","
         "\"untilMs\":\"1795300009000\",\"purpose\":\"p\",\"justification\":\"j\"}"),
    FACT("\"actorStanding\":{\"name\":\"gp\",\"standing\":\"SUSPENDED\"}"),
    FACT("\"clientStanding\":{\"name\":\"gp\",\"standing\":\"SUSPENDED\"}"),
    FACT("\"inboxClosed\":{\"name\":\"gp\"}"),
    FACT("\"deadRetried\":{\"inbox\":\"gp\"}"),
    FACT("\"heldSettled\":{\"place\":\"30\",\"actor\":\"gp\",\"release\":true,\"reason\":\"r\"}"),
    FACT("\"enrolmentOffered\":{\"client\":\"gp\",\"tokenHash\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\","
         "\"expiresMs\":\"1795300009000\"}"),
    FACT("\"inboxSet\":{\"name\":\"gp\",\"actor\":\"gp\",\"types\":[\"FallReported\"],\"timeToLiveMs\":\"1000\"}"),
    FACT("\"clientSet\":{\"name\":\"gp\",\"actors\":[],\"publishes\":[]}"),
    FACT("\"identifierAdded\":{" P ",\"identifier\":{\"system\":\"urn:a\",\"value\":\"b\"}}"),
};

static void put_step(FILE *file, uint8_t head, const uint8_t *frame, size_t size)
{
    fputc(head, file);
    fputc((int)(size >> 8), file);
    fputc((int)(size & 255), file);
    fwrite(frame, 1, size, file);
}

static size_t pack_json(const char *json, uint8_t *out, size_t room)
{
    struct pbjson_error error;
    Carehub__V1__ToHub *message =
        (void *)pbjson_parse(&carehub__v1__to_hub__descriptor, json, strlen(json), PBJSON_UUID, &error);
    if (!message || carehub__v1__to_hub__get_packed_size(message) > room) {
        fprintf(stderr, "not a frame: %s\n", json);
        abort();
    }
    size_t size = carehub__v1__to_hub__pack(message, out);
    carehub__v1__to_hub__free_unpacked(message, NULL);
    return size;
}

static size_t pack_event(uint8_t *out)
{
    struct pbjson_error error;
    Carehub__V1__Event *event =
        (void *)pbjson_parse(&carehub__v1__event__descriptor, DISCHARGE, strlen(DISCHARGE), PBJSON_UUID, &error);
    Carehub__V1__Item item = CAREHUB__V1__ITEM__INIT, *items[] = {&item};
    Carehub__V1__Publication publication = CAREHUB__V1__PUBLICATION__INIT, *publications[] = {&publication};
    Carehub__V1__Publish publish = CAREHUB__V1__PUBLISH__INIT;
    Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
    uint8_t id[16], packed[1000];
    if (!event)
        abort();
    event_id(hub, 77, id);
    ProtobufCBinaryData own = event->id;
    event->id = (ProtobufCBinaryData){sizeof id, id};
    item.item_case = CAREHUB__V1__ITEM__ITEM_EVENT;
    item.event = (ProtobufCBinaryData){carehub__v1__event__pack(event, packed), packed};
    event->id = own;
    carehub__v1__event__free_unpacked(event, NULL);
    publication.n_items = publish.n_publications = 1;
    publication.items = items;
    publish.publications = publications;
    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_PUBLISH;
    message.publish = &publish;
    return carehub__v1__to_hub__pack(&message, out);
}

/* Each step alone, and before and after an event. */
static void write_seeds(const char *directory)
{
    static uint8_t frame[4096], event[4096];
    size_t event_size = pack_event(event);
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) {
        char path[512];
        size_t size = pack_json(seeds[i].json, frame, sizeof frame);
        snprintf(path, sizeof path, "%s/step-%zu", directory, i);
        FILE *file = fopen(path, "w");
        if (!file)
            abort();
        put_step(file, (uint8_t)(seeds[i].session | COMMIT_BIT), frame, size);
        put_step(file, HOSPITAL | COMMIT_BIT, event, event_size);
        put_step(file, (uint8_t)(seeds[i].session | TIME_BIT), frame, size);
        fclose(file);
    }
}

/* ---- The fuzzer --------------------------------------------------------------------------------------------------- */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    void *state;
    (void)argc, (void)argv;
    hub_setup(&state);
    hub = state;
    hub_region(hub);
    for (uint8_t id = 1; id <= 3; id++)
        hub_publish(hub, HOSPITAL, id, DISCHARGE);
    core_close(&hub->core);
    hub_clear(hub);
    template_bytes = malloc(TEMPLATE_MAX);
    FILE *file = fopen(hub->database, "r");
    if (!file || !template_bytes)
        abort();
    template_size = fread(template_bytes, 1, TEMPLATE_MAX, file);
    fclose(file);
    if (getenv("CAREHUB_FUZZ_SEEDS"))
        write_seeds(getenv("CAREHUB_FUZZ_SEEDS"));
    return 0;
}

static void handle(uint8_t session, const uint8_t *bytes, size_t size)
{
    char error[FRAME_ERROR_CHARS];
    struct frame *frame = frame_parse(bytes, size, error);
    if (!frame)
        return;
    hub_handle(hub, session ? session : OPERATOR, frame->message);
    frame_free(frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    start();
    for (int step = 0; size >= 3 && step < STEPS_MAX; step++) {
        uint8_t what = data[0];
        size_t length = (size_t)data[1] << 8 | data[2];
        data += 3;
        size -= 3;
        length = length < size ? length : size;
        handle(what & SESSION_BITS, data, length);
        data += length;
        size -= length;
        if (what & TIME_BIT) {
            hub_commit(hub);
            hub->now_ms += 7000;
        }
        if (what & COMMIT_BIT)
            hub_commit(hub);
        if (what & CRASH_BIT)
            hub_crash(hub);
        hub_clear(hub);
    }
    hub_commit(hub);
    core_close(&hub->core);
    hub_clear(hub);
    hub_open(hub); /* whatever happened, it opens again */
    core_close(&hub->core);
    hub_clear(hub);
    return 0;
}
