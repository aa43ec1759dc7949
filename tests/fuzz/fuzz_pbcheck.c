// What pbcheck accepts, protobuf-c unpacks; without its unknown fields it is packed again, and that is
// accepted again with no unknown field in it.
#include <stdint.h>
#include <stdlib.h>
#include "pbcheck.h"
#include "sample.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)

static void check_again(const ProtobufCMessage *m)
{
    // Values are written in their own form, which can take more bytes: a negative int32 that came in five
    // takes ten. Counts can't grow.
    static const struct pbcheck_limits roomier = {
        .bytes_max = 4 * PBCHECK_BYTES_MAX,
        .depth_max = PBCHECK_DEPTH_MAX,
        .repeat_max = PBCHECK_REPEAT_MAX,
        .elements_max = PBCHECK_ELEMENTS_MAX,
    };
    struct pbcheck_result result;
    size_t len = protobuf_c_message_get_packed_size(m);
    uint8_t *packed = malloc(len ? len : 1);

    MUST(packed && protobuf_c_message_pack(m, packed) == len);
    MUST(pbcheck(m->descriptor, packed, len, &roomier, &result) == PBCHECK_OK);
    MUST(result.unknown_fields == 0);
    free(packed);
}

static void try_as(const ProtobufCMessageDescriptor *type, const uint8_t *data, size_t size)
{
    struct pbcheck_result result;
    char text[PBCHECK_TEXT_CHARS];

    if (pbcheck(type, data, size, NULL, &result) != PBCHECK_OK) {
        MUST(result.offset <= size && result.path_len <= PBCHECK_DEPTH_MAX);
        pbcheck_format(&result, text, sizeof text);
        return;
    }
    ProtobufCMessage *m = protobuf_c_message_unpack(type, NULL, size, data);
    MUST(m);
    MUST(pb_drop_unknown(m));
    check_again(m);
    protobuf_c_message_free_unpacked(m, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_as(&sample__all__descriptor, data, size);
    try_as(&sample__tree__descriptor, data, size);
    return 0;
}
