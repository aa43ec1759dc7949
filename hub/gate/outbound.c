#include "gate/outbound.h"

#include "gate/memory.h"
#include "hub_limits.h"

void outbound_init(struct outbound *outbound)
{
    *outbound = (struct outbound){0};
    queue_init(&outbound->queue, SIZE_MAX, SIZE_MAX); /* bounded by `room`, and by what comes in */
}

void outbound_fini(struct outbound *outbound)
{
    for (struct queue_node *node = queue_take(&outbound->queue), *next; node; node = next) {
        struct out *out = (struct out *)node;
        next = node->next;
        if (out->kind == OUT_STANDINGS)
            free(out->standings);
        out_free(out);
    }
    queue_fini(&outbound->queue);
}

static void put(struct outbound *outbound, struct out *out)
{
    if (queue_push(&outbound->queue, &out->node, sizeof *out + out->size, QUEUE_ALWAYS) == QUEUE_PUSHED_FIRST &&
        outbound->wake)
        outbound->wake(outbound->wake_arg);
}

static struct out *out_new(enum out_kind kind, session_id session, size_t size)
{
    struct out *out = memory_get(sizeof *out + size);

    *out = (struct out){.kind = kind, .session = session, .size = size};
    return out;
}

struct out *out_pack(struct outbound *outbound, session_id to, const Carehub__V1__ToClient *message)
{
    struct out *out = out_new(OUT_MESSAGE, to, carehub__v1__to_client__get_packed_size(message));

    out->held_by = outbound;
    out->delivery = message->message_case == CAREHUB__V1__TO_CLIENT__MESSAGE_DELIVER;
    carehub__v1__to_client__pack(message, out->data);
    atomic_fetch_add(&outbound->held_bytes, out->size);
    return out;
}

void out_free(struct out *out)
{
    if (out->kind == OUT_MESSAGE) {
        struct outbound *outbound = out->held_by;
        size_t held = atomic_fetch_sub(&outbound->held_bytes, out->size) - out->size;
        if (held + OUTBOUND_ROOM_LOW_BYTES <= OUTBOUND_MAX_BYTES && atomic_load(&outbound->starved) &&
            atomic_exchange(&outbound->starved, false) && outbound->room_again)
            outbound->room_again(outbound->room_again_arg);
    }
    free(out);
}

void outbound_send(void *ctx, session_id to, const Carehub__V1__ToClient *message)
{
    put(ctx, out_pack(ctx, to, message));
}

void outbound_session(void *ctx, session_id session, uint32_t client)
{
    struct out *out = out_new(OUT_SESSION, session, 0);

    out->client = client;
    put(ctx, out);
}

void outbound_settled(void *ctx, session_id session, uint32_t items, uint32_t bytes)
{
    struct out *out = out_new(OUT_SETTLED, session, 0);

    out->settled[0] = items;
    out->settled[1] = bytes;
    put(ctx, out);
}

void outbound_standings(void *ctx, struct standings *standings)
{
    struct out *out = out_new(OUT_STANDINGS, 0, 0);

    out->standings = standings;
    put(ctx, out);
}

static size_t room_now(struct outbound *outbound)
{
    size_t held = atomic_load(&outbound->held_bytes);

    return held < OUTBOUND_MAX_BYTES ? OUTBOUND_MAX_BYTES - held : 0;
}

size_t outbound_room(void *ctx)
{
    struct outbound *outbound = ctx;
    size_t room = room_now(outbound);

    if (room >= OUTBOUND_ROOM_LOW_BYTES)
        return room;
    atomic_store(&outbound->starved, true);
    return room_now(outbound); /* again: what was freed before the flag was set wakes nobody */
}
