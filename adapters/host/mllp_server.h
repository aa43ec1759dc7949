/* mllp_server.h - the MLLP transport (transport_in_mllp), between its files: mllp_server.c listens and answers,
 * mllp_connection.c takes messages off a connection and puts answers on it. It knows bytes and frames, nothing of what
 * is in them.
 *
 * A sender may send on without waiting for answers; they go out in the order of its messages. A connection with
 * MLLP_WINDOW_MESSAGES or MLLP_WINDOW_BYTES unanswered is not read any further until some are answered, so what a
 * sender can make us hold is bounded. Loop thread only. */
#ifndef CAREHUB_MLLP_SERVER_H
#define CAREHUB_MLLP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "listen_address.h"
#include "mllp.h"
#include "tls_stream.h"
#include "transport.h"

enum {
    MLLP_READ_BYTES = 64 << 10,
    MLLP_WINDOW_MESSAGES = 32,
    MLLP_WINDOW_BYTES = 8 << 20,
    MLLP_UNSENT_MAX_BYTES = 1 << 20, /* answers that the sender does not read */
    MLLP_HANDSHAKE_MS = 10000,       /* of TLS */
};

struct mllp_connection;

struct mllp_arrival {
    struct arrival head;          /* first: what others see of it */
    struct mllp_arrival *next;    /* of the same connection, later */
    struct mllp_connection *from; /* NULL: it has gone */
    char peer[LISTEN_PEER_BYTES];
    uint8_t *answer; /* frames */
    size_t answer_len;
    size_t cost; /* bytes that it counts for in the window */
    bool answered;
};

struct mllp_server {
    uv_tcp_t tcp; /* first */
    uv_timer_t tick;
    struct listen_settings settings;
    struct tls_context *tls; /* or NULL */
    arrival_fn *take;
    transport_notice_fn *notice;
    void *arg;
    struct mllp_connection *connections;
    int64_t count;
    uint64_t last_number;
    int handles; /* not yet closed */
    bool quiet, closing;
};

struct mllp_connection {
    uv_tcp_t tcp; /* first */
    struct mllp_server *server;
    struct mllp_connection *next, **link;
    uint64_t number;
    char address[LISTEN_TEXT_BYTES];
    struct mllp_decoder *decoder;
    struct tls_stream *tls; /* or NULL */
    uint8_t socket_input[MLLP_READ_BYTES];
    uint8_t plain_input[MLLP_READ_BYTES]; /* with TLS only */
    const uint8_t *input;
    size_t input_at, input_len;
    struct mllp_arrival *first, **end; /* unanswered, in the order in which they came */
    unsigned unanswered;
    size_t unanswered_bytes;
    uint64_t opened_ms, heard_ms;
    bool reading, ended, closing; /* ended: nothing more will come; what was asked is still answered */
};

/* Accepts a connection that waits. It joins the server's list, and leaves it when it has closed. */
void mllp_connection_accept(struct mllp_server *server);
void mllp_connection_close(struct mllp_connection *self);
/* There may be room for more messages, or something to send. */
void mllp_connection_go_on(struct mllp_connection *self);
/* Reads, or not, as there is room. */
void mllp_connection_update_reading(struct mllp_connection *self);
/* Sends the answers that are complete, from the oldest on. */
void mllp_connection_flush(struct mllp_connection *self);
/* Closes it if it has been silent for too long. */
void mllp_connection_check_silence(struct mllp_connection *self, uint64_t now_ms);

/* A message that came on a connection, copied. NULL without memory. */
struct mllp_arrival *mllp_arrival_new(struct mllp_connection *from, const void *data, size_t len);
void mllp_arrival_free(struct mllp_arrival *arrival);
/* When the last handle or connection of a server that is closing has gone. */
void mllp_server_free_if_gone(struct mllp_server *server);

#endif
