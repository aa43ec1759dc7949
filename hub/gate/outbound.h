/* outbound.h - what goes from the core to the gate: messages for sessions, and what the core has decided
 * about them, in one order.
 *
 * A message is packed on the core's thread into one allocation, which libzmq later sends from without a copy
 * and frees on its I/O thread. It counts as held from the packing to that end, so `room` knows of every byte
 * that waits for a socket, wherever it is. */
#ifndef CAREHUB_OUTBOUND_H
#define CAREHUB_OUTBOUND_H

#include <stdatomic.h>

#include "core/core.h"
#include "gate/queue.h"
#include "hub_limits.h"

/* With less room than this the core waits; it is woken when there is as much again. */
enum { OUTBOUND_ROOM_LOW_BYTES = OUTBOUND_MAX_BYTES / 8 };

enum out_kind { OUT_MESSAGE, OUT_SESSION, OUT_SETTLED, OUT_STANDINGS };

struct out {
    struct queue_node node; /* first: the queue hands out nodes */
    enum out_kind kind;
    session_id session;
    union {
        uint32_t client;             /* OUT_SESSION */
        uint32_t settled[2];         /* OUT_SETTLED: items, bytes */
        struct standings *standings; /* OUT_STANDINGS; whoever takes it out frees it with free() */
        struct outbound *held_by;    /* OUT_MESSAGE */
    };
    bool delivery; /* bounded by credit and room; other messages are answers to the session */
    size_t size;
    uint8_t data[];
};

struct outbound {
    struct queue queue;
    atomic_size_t held_bytes;
    atomic_bool starved;  /* the core was told that there is no room */
    void (*wake)(void *); /* wakes the gate; any thread */
    void *wake_arg;
    void (*room_again)(void *); /* wakes the core when there is room again; any thread */
    void *room_again_arg;
};

void outbound_init(struct outbound *outbound);

/* Frees what is still queued. All messages that were taken must have been freed. */
void outbound_fini(struct outbound *outbound);

/* The functions of struct core_output, with the outbound as ctx. On the core's thread. */
void outbound_send(void *ctx, session_id to, const Carehub__V1__ToClient *message);
void outbound_session(void *ctx, session_id session, uint32_t client);
void outbound_settled(void *ctx, session_id session, uint32_t items, uint32_t bytes);
void outbound_standings(void *ctx, struct standings *standings);
size_t outbound_room(void *ctx);

/* Packs one message; not queued. Any thread. */
struct out *out_pack(struct outbound *outbound, session_id to, const Carehub__V1__ToClient *message);

/* Frees an out of any kind; not its standings. Any thread. */
void out_free(struct out *out);

#endif
