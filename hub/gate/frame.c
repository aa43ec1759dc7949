#include "gate/frame.h"

#include <stdalign.h>
#include <stdio.h>

#include "gate/memory.h"
#include "hub_limits.h"
#include "pbcheck.h"

/* The largest lists of the protocol are the actors of a client; all fields and elements of a frame together
 * are bounded so that a frame of 1 MiB cannot unfold into hundreds. */
static const struct pbcheck_limits frame_limits = {
    .bytes_max = FRAME_MAX_BYTES,
    .depth_max = PBCHECK_DEPTH_MAX,
    .repeat_max = CLIENT_ACTORS_MAX,
    .elements_max = 4 * CLIENT_ACTORS_MAX,
};

/* ---- The memory of a frame: taken piece by piece, given back at once -------------------------------------------- */

enum { PIECE_ALIGNMENT = alignof(max_align_t) };

struct frame_chunk {
    struct frame_chunk *next;
    alignas(max_align_t) uint8_t data[];
};

struct arena {
    struct frame *frame;
    uint8_t *at;
    size_t left;
    size_t chunk_bytes;
};

static void *arena_get(void *data, size_t size)
{
    struct arena *arena = data;

    size = (size + PIECE_ALIGNMENT - 1) & ~(size_t)(PIECE_ALIGNMENT - 1);
    if (size > arena->left) {
        size_t room = size > arena->chunk_bytes ? size : arena->chunk_bytes;
        struct frame_chunk *chunk = memory_get(sizeof *chunk + room);
        chunk->next = arena->frame->chunks;
        arena->frame->chunks = chunk;
        arena->frame->memory_bytes += sizeof *chunk + room;
        arena->at = chunk->data;
        arena->left = room;
    }
    void *piece = arena->at;
    arena->at += size;
    arena->left -= size;
    return piece;
}

static void arena_leave(void *data, void *piece)
{
    (void)data, (void)piece; /* goes with the frame */
}

/* A frame and `room` bytes for what it will hold, in one allocation. */
static struct frame *frame_new(size_t room, struct arena *arena)
{
    size_t head = (sizeof(struct frame) + PIECE_ALIGNMENT - 1) & ~(size_t)(PIECE_ALIGNMENT - 1);
    struct frame *frame = memory_get(head + room);

    *frame = (struct frame){.memory_bytes = head + room};
    *arena = (struct arena){frame, (uint8_t *)frame + head, room, room};
    return frame;
}

/* ---- Parsing ---------------------------------------------------------------------------------------------------- */

static void count_items(struct frame *frame)
{
    if (frame->message->message_case != CAREHUB__V1__TO_HUB__MESSAGE_PUBLISH)
        return;
    const Carehub__V1__Publish *publish = frame->message->publish;
    frame->publications = (uint32_t)publish->n_publications;
    for (size_t i = 0; i < publish->n_publications; i++)
        frame->items += (uint32_t)publish->publications[i]->n_items;
}

/* protobuf-c keeps unknown fields and would write them out again. They are rare (a client newer than the
 * hub), so the bytes are unpacked, cleaned and written once more, and what is then read holds only what the
 * schema has. */
static uint8_t *without_unknown(const uint8_t *data, size_t *size)
{
    Carehub__V1__ToHub *message = carehub__v1__to_hub__unpack(NULL, *size, data);
    uint8_t *clean = NULL;

    if (message && pb_drop_unknown(&message->base)) {
        *size = carehub__v1__to_hub__get_packed_size(message);
        clean = memory_get(*size + 1);
        carehub__v1__to_hub__pack(message, clean);
    }
    carehub__v1__to_hub__free_unpacked(message, NULL);
    return clean;
}

static struct frame *unpack(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct frame *frame = frame_new(size + size / 2 + 1024, &arena); /* what a frame of events needs */
    ProtobufCAllocator allocator = {arena_get, arena_leave, &arena};

    frame->message = carehub__v1__to_hub__unpack(&allocator, size, data);
    if (frame->message)
        return frame;
    frame_free(frame);
    return NULL;
}

struct frame *frame_parse(const uint8_t *data, size_t size, char error[FRAME_ERROR_CHARS])
{
    struct pbcheck_result result;
    struct frame *frame = NULL;
    uint8_t *clean = NULL;
    size_t clean_size = size;

    if (pbcheck(&carehub__v1__to_hub__descriptor, data, size, &frame_limits, &result) != PBCHECK_OK) {
        pbcheck_format(&result, error, FRAME_ERROR_CHARS);
        return NULL;
    }
    if (result.unknown_fields > 0)
        clean = without_unknown(data, &clean_size);
    if (result.unknown_fields == 0 || clean)
        frame = unpack(clean ? clean : data, clean_size);
    free(clean);
    if (!frame) {
        snprintf(error, FRAME_ERROR_CHARS, "the frame cannot be unpacked as a ToHub");
        return NULL;
    }
    if (frame->message->message_case == CAREHUB__V1__TO_HUB__MESSAGE__NOT_SET) {
        snprintf(error, FRAME_ERROR_CHARS, "the frame holds none of the messages that this hub knows");
        frame_free(frame);
        return NULL;
    }
    frame->bytes = size;
    count_items(frame);
    return frame;
}

struct frame *frame_gone(session_id session)
{
    struct frame *frame = memory_get(sizeof *frame);

    *frame = (struct frame){.session = session, .memory_bytes = sizeof *frame};
    return frame;
}

void frame_free(struct frame *frame)
{
    if (!frame)
        return;
    while (frame->chunks) {
        struct frame_chunk *next = frame->chunks->next;
        free(frame->chunks);
        frame->chunks = next;
    }
    free(frame);
}
