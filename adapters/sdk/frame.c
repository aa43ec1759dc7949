/* frame.c - checked unpacking, and the arena behind it. */
#include "frame.h"

#include <stdlib.h>

#include "sdk_limits.h"
#include "pbcheck.h"

enum { ARENA_CHUNK_BYTES = 64 << 10, ARENA_MAX_BYTES = 64 << 20, ARENA_ALIGN_BYTES = 16 };

struct arena_chunk {
    struct arena_chunk *next;
    size_t used_bytes;
    size_t room_bytes;
    _Alignas(ARENA_ALIGN_BYTES) uint8_t data[];
};

static struct arena_chunk *chunk_new(struct arena *arena, size_t at_least)
{
    size_t room = at_least > ARENA_CHUNK_BYTES ? at_least : ARENA_CHUNK_BYTES;
    if (arena->total_bytes + room > ARENA_MAX_BYTES)
        return NULL;
    struct arena_chunk *chunk = malloc(sizeof *chunk + room);
    if (!chunk)
        return NULL;
    *chunk = (struct arena_chunk){.next = arena->chunks, .room_bytes = room};
    arena->chunks = chunk;
    arena->total_bytes += room;
    return chunk;
}

static void *arena_alloc(void *data, size_t size)
{
    struct arena *arena = data;
    struct arena_chunk *chunk = arena->chunks;
    if (size > ARENA_MAX_BYTES)
        return NULL;
    size = (size + ARENA_ALIGN_BYTES - 1) / ARENA_ALIGN_BYTES * ARENA_ALIGN_BYTES;
    if (!chunk || chunk->room_bytes - chunk->used_bytes < size)
        chunk = chunk_new(arena, size);
    if (!chunk)
        return NULL;
    void *place = chunk->data + chunk->used_bytes;
    chunk->used_bytes += size;
    return place;
}

static void arena_free(void *data, void *place)
{
    (void)data;
    (void)place;
}

void arena_init(struct arena *arena)
{
    *arena = (struct arena){
        .allocator = {.alloc = arena_alloc, .free = arena_free, .allocator_data = arena},
    };
}

void arena_reset(struct arena *arena)
{
    while (arena->chunks && arena->chunks->next) {
        struct arena_chunk *chunk = arena->chunks;
        arena->chunks = chunk->next;
        arena->total_bytes -= chunk->room_bytes;
        free(chunk);
    }
    if (arena->chunks)
        arena->chunks->used_bytes = 0;
}

void arena_fini(struct arena *arena)
{
    arena_reset(arena);
    free(arena->chunks);
    arena->chunks = NULL;
    arena->total_bytes = 0;
}

/* Large enough for all that fits in a frame; a newer hub may use enum values that this library does not know. */
static const struct pbcheck_limits frame_limits = {
    .bytes_max = FRAME_MAX_BYTES,
    .depth_max = PBCHECK_DEPTH_MAX,
    .repeat_max = 1 << 17,
    .elements_max = 1 << 19,
    .allow_unknown_enum = true,
};

bool frame_check(const ProtobufCMessageDescriptor *type, const uint8_t *data, size_t size)
{
    struct pbcheck_result result;
    return pbcheck(type, data, size, &frame_limits, &result) == PBCHECK_OK;
}

void *frame_unpack(struct arena *arena, const ProtobufCMessageDescriptor *type, const uint8_t *data, size_t size)
{
    if (!frame_check(type, data, size))
        return NULL;
    return protobuf_c_message_unpack(type, &arena->allocator, size, data);
}

void *message_copy(const ProtobufCMessage *message)
{
    uint8_t *bytes = malloc(protobuf_c_message_get_packed_size(message) + 1);
    if (!bytes)
        return NULL;
    size_t size = protobuf_c_message_pack(message, bytes);
    void *copy = protobuf_c_message_unpack(message->descriptor, NULL, size, bytes);
    free(bytes);
    return copy;
}
