// The home-care plug-in as a host drives it: any bytes as a request or a file. The first byte chooses the way in, and
// whether the request is a repeat or a key used twice. What comes of it, a host could take: a verdict with its reason,
// events with ids, one answer that is JSON.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json_object.h>

#include "carehub_adapter.h"
#include "pbjson.h"

extern const struct carehub_format carehub_format;
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)

enum { REPEAT = 0x10, REUSED = 0x20, KEYED = 0x40, LATE = 0x80 };

static const struct way {
    const char *transport, *method, *path;
} ways[] = {{"folder", "", ""},
            {"http", "POST", "fhir"},
            {"http", "POST", "fhir/Observation"},
            {"http", "PUT", "fhir/Observation/1"},
            {"http", "POST", "fhir/$process-message"},
            {"http", "POST", "events"},
            {"http", "POST", "fhir/QuestionnaireResponse"},
            {"http", "POST", "fhir/Communication"}};

static Carehub__V1__Event *kept[CAREHUB_ITEMS_MAX]; // in force, and the ids of the answer
static uint8_t ids[CAREHUB_ITEMS_MAX][16];
static size_t n_kept;

static size_t past(struct carehub_memory *memory, const char *episode, Carehub__V1__Event *const **events)
{
    (void)memory;
    MUST(episode[0] != '\0');
    *events = kept;
    return n_kept;
}

static bool emit(struct carehub_memory *memory, const Carehub__V1__Event *event, const char *episode)
{
    size_t size = carehub__v1__event__get_packed_size(event);
    uint8_t *bytes = malloc(size);
    (void)memory;
    MUST(event->id.len == 16 && event->patient != NULL && event->patient->n_identifiers > 0 && bytes != NULL);
    MUST(episode == NULL || strlen(episode) < CAREHUB_EPISODE_BYTES);
    carehub__v1__event__pack(event, bytes);
    if (n_kept < CAREHUB_ITEMS_MAX) {
        memcpy(ids[n_kept], event->id.data, 16);
        kept[n_kept++] = carehub__v1__event__unpack(NULL, size, bytes);
    }
    free(bytes);
    return true;
}

static struct carehub_memory memory = {.past = past, .emit = emit};

static void on_reply(void *arg, const struct carehub_reply *reply)
{
    struct pbjson_error error;
    unsigned *count = arg;
    struct json_object *tree = pbjson_tree(reply->bytes, reply->len, &error);
    MUST(tree != NULL && reply->status >= 200 && reply->status <= 503);
    json_object_put(tree);
    ++*count;
}

static void write_kept(const void *self)
{
    for (size_t i = 0; i < n_kept; i++) {
        struct carehub_parcel parcel = {0};
        struct carehub_problem problem = {0};
        const struct carehub_departure departure = {.event = kept[i], .now_ms = 1, .original = kept[0]};
        MUST(carehub_format.write(self, &departure, &parcel) != CAREHUB_WRITTEN_ERROR);
        carehub_format.judge(self, &parcel, parcel.bytes, parcel.len, &problem);
        free(parcel.bytes);
    }
}

static void send(const void *self, const struct carehub_native *native, uint8_t how)
{
    struct carehub_message m = {.native = native};
    struct carehub_outcome outcome = {.text = "text", .spooled = how & LATE, .ids = (const uint8_t(*)[16])ids};
    unsigned replies = 0;
    MUST(carehub_format.open(self, &m));
    bool opened = m.verdict == CAREHUB_MESSAGE_OPENED;
    m.key_reused = how & REUSED;
    if (opened && (how & REPEAT) != 0) {
        m.verdict = CAREHUB_MESSAGE_EVENTS;
        outcome.repeat = true;
        outcome.n_ids = 1;
    } else if (opened) {
        carehub_format.translate(self, &m, &memory);
        outcome.n_ids = m.verdict == CAREHUB_MESSAGE_EVENTS ? n_kept : 0;
    }
    bool bad = m.verdict == CAREHUB_MESSAGE_ERROR || m.verdict == CAREHUB_MESSAGE_REJECTED;
    MUST(m.verdict != CAREHUB_MESSAGE_OPENED);
    MUST(!bad || (m.problem.what[0] != '\0' && m.problem.rule[0] != '\0'));
    MUST(m.verdict != CAREHUB_MESSAGE_NOTHING || m.why != NULL);
    outcome.fault = bad ? CAREHUB_FAULT_NATIVE : CAREHUB_FAULT_NONE;
    if (m.verdict == CAREHUB_MESSAGE_EVENTS)
        carehub_format.slim(&m);
    carehub_format.reply(self, &m, &outcome, on_reply, &replies);
    MUST(replies == (strcmp(native->transport, "http") == 0 ? 1 : 0));
    carehub_format.close(&m);
}

static void *configured(void)
{
    static void *self;
    static const struct carehub_setting role = {"role", "home-nurse", NULL, NULL}, sender = {"fuzz", "", &role, NULL},
                                        senders = {"senders", "", &sender, NULL},
                                        fallback = {"default-sender", "fuzz", NULL, &senders},
                                        format = {"format", "", &fallback, NULL};
    char error[CAREHUB_ERROR_BYTES];
    if (self == NULL)
        self = carehub_format.configure(&format, "", error);
    MUST(self != NULL);
    return self;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    void *self = configured();
    const void *message;
    size_t position = 0, len, pieces = 0;
    if (size == 0)
        return 0;
    const struct way *way = &ways[data[0] % (sizeof ways / sizeof ways[0])];
    char *text = malloc(size - 1 > 0 ? size - 1 : 1); // exactly as long as it is: reading on is found
    MUST(text != NULL);
    memcpy(text, data + 1, size - 1);
    struct carehub_native native = {.bytes = text,
                                    .len = size - 1,
                                    .received_ms = INT64_C(1772400000000),
                                    .transport = way->transport,
                                    .peer = "",
                                    .name = way->path,
                                    .method = way->method,
                                    .content_type = "",
                                    .idempotency_key = data[0] & KEYED ? "key" : ""};
    for (int turn = 0; turn < 2; turn++) // the second time with what came of the first in force
        send(self, &native, data[0]);
    write_kept(self);
    while (carehub_format.split(self, text, size - 1, &position, &message, &len))
        MUST(++pieces <= size && position <= size - 1 && len > 0);
    while (n_kept > 0)
        carehub__v1__event__free_unpacked(kept[--n_kept], NULL);
    free(text);
    return 0;
}
