/* mllp_server.h - the MLLP transport: listens, takes messages off the connections and puts answers on them. Knows bytes
 * and frames, nothing of what is in them.
 *
 * A sender may send on without waiting for answers; they go out in the order of its messages. A connection with
 * MLLP_WINDOW_MESSAGES or MLLP_WINDOW_BYTES unanswered is not read any further until some are answered, so what a
 * sender can make us hold is bounded. Loop thread only. */
#ifndef CAREHUB_MLLP_SERVER_H
#define CAREHUB_MLLP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

enum {
    MLLP_READ_BYTES = 64 << 10,
    MLLP_WINDOW_MESSAGES = 32,
    MLLP_WINDOW_BYTES = 8 << 20,
    MLLP_UNSENT_MAX_BYTES = 1 << 20, /* answers that the sender does not read */
    MLLP_SERVER_ERROR_BYTES = 512,
    MLLP_PEER_BYTES = 80,
};

/* A message that waits for its answer. Whoever was given it answers it once; the server keeps it till then, also when
 * its connection has gone. */
struct mllp_request {
    uint64_t connection; /* its number, for log lines */
    uint8_t *bytes;      /* free() and set to NULL when no longer needed */
    size_t len;
    void *arg; /* the owner's */
};

typedef void mllp_take_fn(void *arg, struct mllp_request *request);
/* For counting. */
typedef void mllp_notice_fn(void *arg, bool broken_frame);

struct mllp_server_options {
    struct sockaddr_storage address;
    unsigned connections_max;
    size_t message_max_bytes;
    uint64_t idle_ms;  /* a connection on which nothing came for this long, nothing waits, is closed; 0: never */
    uint64_t frame_ms; /* the longest pause inside a frame */
    mllp_take_fn *take;
    mllp_notice_fn *notice; /* a new connection, or a broken frame */
    void *arg;
};

struct mllp_server;

/* Listens. NULL with `error` set. */
struct mllp_server *mllp_server_new(uv_loop_t *loop, const struct mllp_server_options *options,
                                    char error[MLLP_SERVER_ERROR_BYTES]);

/* Where it listens: "127.0.0.1:2575". */
void mllp_server_endpoint(const struct mllp_server *self, char *out, size_t size);

/* Adds one message to the answer of a request. */
void mllp_reply(struct mllp_request *request, const void *bytes, size_t len);
/* The answer is complete (it may be empty). Frees the request. */
void mllp_answered(struct mllp_request **request);

/* Takes no more connections and messages. */
void mllp_server_quiesce(struct mllp_server *self);
/* Closes everything, in the course of the loop's next turns; answers already given are sent if the peer takes them at
 * once. Then frees itself. All requests have been answered before. */
void mllp_server_close(struct mllp_server **self);

#endif
