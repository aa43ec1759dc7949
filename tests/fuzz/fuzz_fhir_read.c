// Any text: opened, translated twice (the second time with what came of it the first time in force), and what comes of
// it is well-formed and within bounds; what is refused says why. The same text as plain JSON, too. Events that came of
// it are written as messages.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json_object.h>

#include "catalogue.h"
#include "event_json.h"
#include "eventid.h"
#include "fhir_read.h"
#include "fhir_write.h"
#include "hub_limits.h"
#include "pbcheck.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)

static const struct fhir_rule rules[] = {{"urn:x", "strain", CAREHUB__V1__EVENT_TYPE__CARER_STRAIN},
                                         {"urn:x", "reported", CAREHUB__V1__EVENT_TYPE__PATIENT_REPORTED}};
static const struct fhir_intake intake = {.sender = "fuzz",
                                          .actor = "actor",
                                          .role = "home-nurse",
                                          .idempotency_key = "key",
                                          .adapter_version = "1",
                                          .received_ms = INT64_C(1772400000000),
                                          .rules = rules,
                                          .n_rules = 2};
static const struct fhir_route route = {.endpoint = "https://a", .now_ms = INT64_C(1772400000000)};

static size_t find_past(void *arg, const char *episode, const Carehub__V1__Event *const **events)
{
    const struct fhir_result *before = arg;
    MUST(episode[0] != '\0');
    *events = (const Carehub__V1__Event *const *)before->events;
    return before->n_events;
}

static void look_at(const Carehub__V1__Event *event)
{
    struct pbcheck_result checked;
    struct problems problems = {0};
    size_t size = carehub__v1__event__get_packed_size(event);
    uint8_t *bytes = malloc(size);
    MUST(bytes != NULL && size <= EVENT_MAX_BYTES);
    carehub__v1__event__pack(event, bytes);
    MUST(pbcheck(&carehub__v1__event__descriptor, bytes, size, NULL, &checked) == PBCHECK_OK);
    MUST(event_type_name(event->type) != NULL && event->patient->n_identifiers > 0 && event->occurred_at != NULL);
    MUST(event->id.len == EVENTID_BYTES && eventid_valid(event->id.data));
    free(bytes);
    struct json_object *message = fhir_message(event, NULL, &route, &problems);
    MUST((message != NULL) == (problems.errors == 0));
    json_object_put(message);
}

static void read_fhir(const char *text, size_t len)
{
    static struct fhir_result first, second;
    static struct problems problems;
    problems = (struct problems){0};
    struct fhir_document *document = fhir_document_new(text, len, &intake, &problems);
    MUST(document != NULL || problems.errors > 0);
    if (document != NULL) {
        bool ok = fhir_translate(document, NULL, NULL, &first, &problems);
        MUST(ok || problems.errors > 0);
        MUST(ok || first.n_events == 0);
        fhir_translate(document, find_past, &first, &second, &problems);
        for (size_t i = 0; i < first.n_events; i++)
            look_at(first.events[i]);
        for (size_t i = 0; i < second.n_events; i++)
            look_at(second.events[i]);
        fhir_result_clear(&first);
        fhir_result_clear(&second);
        fhir_document_destroy(&document);
    }
    json_object_put(problems_outcome(&problems));
}

static void read_json(const char *text, size_t len)
{
    static struct problems problems;
    problems = (struct problems){0};
    Carehub__V1__Event *event = event_json_read(text, len, &intake, &problems);
    MUST((event != NULL) == (problems.errors == 0));
    if (event == NULL)
        return;
    char *again = event_json_write(event, false);
    MUST(again != NULL);
    free(again);
    if (fhir_writes(event->type))
        look_at(event);
    carehub__v1__event__free_unpacked(event, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1); // exactly as long as it is: reading on is found
    MUST(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    read_fhir(text, size);
    read_json(text, size);
    free(text);
    return 0;
}
