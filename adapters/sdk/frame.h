/* frame.h - reading frames: checked before they are unpacked, into memory that is given back all at once. */
#ifndef SDK_FRAME_H
#define SDK_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <protobuf-c/protobuf-c.h>

/* Memory that only grows until it is reset: a message of thirty parts costs no thirty mallocs. One thread. */
struct arena {
    ProtobufCAllocator allocator; /* for protobuf_c_message_unpack; its free does nothing */
    struct arena_chunk *chunks;   /* newest first; the oldest stays after a reset */
    size_t total_bytes;
};

void arena_init(struct arena *arena);
void arena_reset(struct arena *arena);
void arena_fini(struct arena *arena);

/* Checks bytes (bounded size, depth and counts; well-formed; unknown fields and enum values of a newer hub are fine)
 * and unpacks them into the arena. NULL if they are not such a message, or memory runs out. */
void *frame_unpack(struct arena *arena, const ProtobufCMessageDescriptor *type, const uint8_t *data, size_t size);

/* True if the bytes are such a message. */
bool frame_check(const ProtobufCMessageDescriptor *type, const uint8_t *data, size_t size);

/* A copy that is freed with protobuf_c_message_free_unpacked; NULL if memory runs out. */
void *message_copy(const ProtobufCMessage *message);

#endif
