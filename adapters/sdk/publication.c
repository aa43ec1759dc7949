/* publication.c - see publication.h. */
#include "publication.h"

#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "frame.h"
#include "sdk_limits.h"

enum { FRAMING_MAX_BYTES = 32 }; /* ref, and the heads of Publication and Item */

struct publication *publication_of_event(const uint8_t *event, size_t size)
{
    struct publication *p = malloc(sizeof *p + size);
    if (!p)
        return NULL;
    *p = (struct publication){.n_items = 1, .wire_bytes = (uint32_t)size + FRAMING_MAX_BYTES, .size = size};
    memcpy(p->event, event, size);
    return p;
}

struct publication *publication_of_items(const Carehub__V1__Item *const *items, size_t n)
{
    Carehub__V1__Publication group = CAREHUB__V1__PUBLICATION__INIT;
    group.n_items = n;
    group.items = (Carehub__V1__Item **)items;
    size_t size = protobuf_c_message_get_packed_size(&group.base);
    if (size > FRAME_MAX_BYTES - 2 * FRAMING_MAX_BYTES) {
        error_set(CAREHUB_INVALID_ARGUMENT, "the group has %zu bytes; a frame holds at most %d", size, FRAME_MAX_BYTES);
        return NULL;
    }
    struct publication *p = malloc(sizeof *p);
    Carehub__V1__Publication *copy = message_copy(&group.base);
    if (!p || !copy) {
        free(p);
        if (copy)
            carehub__v1__publication__free_unpacked(copy, NULL);
        error_set(CAREHUB_OUT_OF_MEMORY, "out of memory");
        return NULL;
    }
    *p = (struct publication){.n_items = (uint32_t)n, .wire_bytes = (uint32_t)size + FRAMING_MAX_BYTES, .group = copy};
    return p;
}

void publication_free(struct publication *p)
{
    if (p && p->group)
        carehub__v1__publication__free_unpacked(p->group, NULL);
    free(p);
}

static bool read_varint(const uint8_t **at, const uint8_t *end, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 64 && *at < end; shift += 7) {
        uint8_t byte = *(*at)++;
        *value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

/* Steps over a field's value; false if it does not fit. */
static bool step_over(const uint8_t **at, const uint8_t *end, unsigned wire_type)
{
    uint64_t n;
    switch (wire_type) {
    case 0:
        return read_varint(at, end, &n);
    case 1:
        n = 8;
        break;
    case 2:
        if (!read_varint(at, end, &n))
            return false;
        break;
    case 5:
        n = 4;
        break;
    default:
        return false;
    }
    if (n > (size_t)(end - *at))
        return false;
    *at += n;
    return true;
}

bool event_find_id(const uint8_t *event, size_t size, uint8_t id[CAREHUB_ID_BYTES])
{
    enum { ID_KEY = 1 << 3 | 2 };
    const uint8_t *at = event, *end = event + size;
    uint64_t key;
    while (at < end && read_varint(&at, end, &key)) {
        if (key == ID_KEY) {
            if ((size_t)(end - at) < 1 + CAREHUB_ID_BYTES || at[0] != CAREHUB_ID_BYTES)
                return false;
            memcpy(id, at + 1, CAREHUB_ID_BYTES);
            return true;
        }
        if (!step_over(&at, end, key & 7))
            return false;
    }
    return false;
}
