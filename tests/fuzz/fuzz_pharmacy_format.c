// Any bytes as messages to the pharmacy plug-in, one after another where a zero byte divides them; the first byte
// chooses the sender and the transport. What comes of them is an event that goes out in both forms, and is read back.
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fhir_medication.h"
#include "kmehr.h"
#include "pharmacy_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern const struct carehub_format carehub_format;

static const char *const settings[][2] = {{"default-sender", "plain"},
                                          {"senders", NULL},
                                          {"plain", NULL},
                                          {NULL},
                                          {"tell", NULL},
                                          {"first", "tell"},
                                          {NULL},
                                          {"strict", NULL},
                                          {"strict", "yes"},
                                          {NULL},
                                          {NULL},
                                          {NULL}};

static void read_back(const struct carehub_parcel *parcel, bool kmehr)
{
    struct medication_error error;
    Carehub__Pharmacy__V1__Scheme *scheme = kmehr
                                                ? kmehr_read(parcel->bytes, parcel->len, NULL, &error, NULL)
                                                : fhir_medication_read(parcel->bytes, parcel->len, NULL, &error, NULL);
    if (scheme == NULL)
        fprintf(stderr, "%s at %s: %s\n%.*s\n", error.rule, error.path, error.text, (int)parcel->len,
                (char *)parcel->bytes);
    assert(scheme != NULL);
    carehub__pharmacy__v1__scheme__free_unpacked(scheme, NULL);
}

static void send_out(void *format, Carehub__V1__Event *event)
{
    static const struct carehub_setting form = {.name = "form", .value = "kmehr"},
                                        receiver = {.name = "receiver", .value = "", .first = &form};
    uint8_t id[16] = {7};
    event->id = (ProtobufCBinaryData){sizeof id, id};
    for (int kmehr = 0; kmehr < 2; kmehr++) {
        const struct carehub_departure departure = {.event = event, .receiver = kmehr ? &receiver : NULL, .now_ms = 1};
        struct carehub_parcel parcel = {0};
        assert(carehub_format.write(format, &departure, &parcel) == CAREHUB_WRITTEN);
        read_back(&parcel, kmehr);
        free(parcel.bytes);
    }
    event->id = (ProtobufCBinaryData){0};
}

static void ignore(void *arg, const struct carehub_reply *reply)
{
    (void)arg;
    assert(reply->len > 0);
}

static void take(struct fixture *fixture, const uint8_t *bytes, size_t len)
{
    const struct carehub_outcome outcome = {.text = ""};
    fixture_send(fixture, bytes, len);
    const struct carehub_message *message = &fixture->message;
    assert(message->verdict < CAREHUB_MESSAGE_ERROR || message->problem.what[0] != '\0');
    assert((message->verdict == CAREHUB_MESSAGE_EVENTS) == (fixture->n_events == 1));
    for (size_t i = 0; i < fixture->n_events; i++)
        send_out(fixture->format, fixture->events[i]);
    carehub_format.slim(&fixture->message);
    carehub_format.reply(fixture->format, message, &outcome, ignore, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const peers[] = {"", "tell", "strict", "unknown"};
    static struct fixture fixture;
    char error[CAREHUB_ERROR_BYTES];
    if (fixture.format == NULL)
        fixture.format = fixture_configure(settings, error);
    assert(fixture.format != NULL);
    uint8_t choice = size > 0 ? data[0] : 0;
    fixture.native.peer = peers[choice & 3];
    fixture.native.transport = choice & 4 ? "http" : "folder";
    fixture.native.name = choice & 8 ? "fhir/MedicationStatement/1" : "fhir";
    for (size_t from = 1; from < size;) {
        const uint8_t *end = memchr(data + from, 0, size - from);
        size_t len = end != NULL ? (size_t)(end - data) - from : size - from;
        take(&fixture, data + from, len);
        from += len + 1;
    }
    fixture_forget(&fixture);
    return 0;
}
