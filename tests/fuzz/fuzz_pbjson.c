// Any text is either refused with an error, or read as a message whose JSON reads as the same message again.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "pbjson.h"
#include "sample.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)

static void must_be_same_json(const ProtobufCMessage *a, const ProtobufCMessage *b, unsigned flags)
{
    char *text_a = pbjson_from(a, flags);
    char *text_b = pbjson_from(b, flags);

    MUST(text_a && text_b && strcmp(text_a, text_b) == 0);
    free(text_a);
    free(text_b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    unsigned flags = data[0] & (PBJSON_UUID | PBJSON_DEFAULTS | PBJSON_PRETTY);
    struct pbjson_error err;
    char text[PBJSON_ERROR_TEXT_CHARS];

    ProtobufCMessage *m = pbjson_parse(&sample__all__descriptor, (const char *)data + 1, size - 1, flags, &err);
    if (!m) {
        MUST(err.status != PBJSON_OK && err.expected[0] != '\0');
        pbjson_error_format(&err, text, sizeof text);
        return 0;
    }
    MUST(err.status == PBJSON_OK);
    char *json = pbjson_from(m, flags);
    MUST(json);
    ProtobufCMessage *again = pbjson_parse(&sample__all__descriptor, json, strlen(json), flags, &err);
    MUST(again);
    must_be_same_json(m, again, flags);
    free(json);
    protobuf_c_message_free_unpacked(again, NULL);
    protobuf_c_message_free_unpacked(m, NULL);
    return 0;
}
