/* frame.h - what goes from the gate to the core: one message of a session, or the news that a session has
 * gone. A frame is made on the gate's thread, queued, and freed by the core's thread. */
#ifndef CAREHUB_FRAME_H
#define CAREHUB_FRAME_H

#include "core/core.h"
#include "gate/queue.h"

enum { FRAME_ERROR_CHARS = 400 };

struct frame_chunk;

struct frame {
    struct queue_node node; /* first: the queue hands out nodes */
    session_id session;
    uint8_t key[KEY_BYTES];       /* that the connection was authenticated with */
    Carehub__V1__ToHub *message;  /* NULL: the session has gone */
    size_t bytes;                 /* on the wire */
    uint32_t publications, items; /* of a Publish, else 0 */
    size_t memory_bytes;          /* that the frame holds in all */
    struct frame_chunk *chunks;   /* what did not fit into the frame's own allocation */
};

/* Checks the bytes of a ToHub and unpacks them into memory that belongs to the frame; fields that the schema
 * doesn't have are dropped. NULL if it is not well-formed; then `error` says what is wrong, without any of
 * its content. */
struct frame *frame_parse(const uint8_t *data, size_t size, char error[FRAME_ERROR_CHARS]);

/* The news that a session has gone. */
struct frame *frame_gone(session_id session);

/* NULL is ignored. */
void frame_free(struct frame *frame);

#endif
