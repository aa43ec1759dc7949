/* gate.h - the hub's door to its clients: a ROUTER socket with CURVE on a libuv loop, and the sessions behind
 * it.
 *
 * It authenticates, checks and unpacks what comes in and queues it for the core (`inbound`, of struct frame);
 * it takes what the core wants said (`outbound`) and hands it to the sockets. It knows nothing of care.
 *
 * Limits are those of hub_limits.h. All functions are called on the loop's thread, except gate_wake. */
#ifndef CAREHUB_GATE_H
#define CAREHUB_GATE_H

#include <uv.h>

#include "gate/outbound.h"
#include "gate/queue.h"

enum { GATE_ERROR_BYTES = 256 };

struct gate;

struct gate_options {
    const uint8_t *public_key; /* KEY_BYTES, as the next: the hub's CURVE pair; libzmq keeps a copy */
    const uint8_t *secret_key;
    int io_threads;                /* of libzmq, which encrypt; 0: 1 */
    bool ipv6;                     /* some endpoint is an IPv6 one */
    int64_t session_silent_max_ms; /* 0: SESSION_SILENT_MAX_MS; tests don't wait that long */
    struct queue *inbound;         /* borrowed, as the next, for as long as the gate lives */
    struct outbound *outbound;
};

/* Makes the socket and binds the ZAP handler; nobody can connect yet. NULL with the reason in `error`. */
struct gate *gate_new(uv_loop_t *loop, const struct gate_options *options, char error[GATE_ERROR_BYTES]);

/* Listens on an endpoint such as "tcp://127.0.0.1:7460" or "tcp://[::1]:*". `bound` is what it has become,
 * with the real port; valid as long as the gate. NULL with the reason in `error`. */
const char *gate_listen(struct gate *gate, const char *endpoint, char error[GATE_ERROR_BYTES]);

/* Makes the loop look at both queues again. Any thread. */
void gate_wake(void *gate);

/* From now on nothing is read from clients any more. */
void gate_stop_reading(struct gate *gate);

/* Hands over what the core has said last, and a Bye to every session. gate_free then waits up to a second for
 * it to be sent. */
void gate_farewell(struct gate *gate, const char *reason);

/* Closes everything, running the loop until its handles are closed. Not from a callback of the loop. Sets
 * *gate to NULL; a NULL is ignored. */
void gate_free(struct gate **gate);

#endif
