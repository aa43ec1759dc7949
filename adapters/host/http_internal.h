/* http_internal.h - the HTTP transport, between its files:
 *
 *     http_server.c    the daemon of libmicrohttpd, driven by the loop; struct transport_in_http
 *     http_exchange.c  one request: what it must be, its body, who gets it
 *     http_answer.c    answers: the format's, and those in plain JSON
 *     http_peer.c      who the client is
 *
 * libmicrohttpd calls from within MHD_run, which only the loop's callbacks call: all is on the loop thread. While a
 * request waits for its answer its connection is suspended, so its memory stays, also when the client has gone. */
#ifndef CAREHUB_HTTP_INTERNAL_H
#define CAREHUB_HTTP_INTERNAL_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "credentials.h"
#include "http_server.h"
#include "http_tls.h"
#include "listen_address.h"
#include "transport.h"

enum {
    HTTP_CONNECTION_BYTES = 64 << 10, /* of libmicrohttpd for each; a request's headers take half of it at most */
    HTTP_PATH_BYTES = 512,
    HTTP_CONTENT_TYPE_BYTES = 128,
    HTTP_PREFIX_BYTES = 128,
    HTTP_BODIES_MAX_BYTES = 128 << 20,  /* of all requests together; beyond that, 503 */
    HTTP_UNWANTED_MAX_BYTES = 16 << 20, /* of a body that is read only so that its sender hears the answer */
    HTTP_RETRY_AFTER_S = 10,
};

struct http_route {
    char prefix[HTTP_PREFIX_BYTES];
    http_route_fn *fn;
    void *arg;
};

struct http_server {
    uv_poll_t poll;   /* of the daemon's epoll descriptor */
    uv_timer_t due;   /* when the daemon wants to run anyway */
    uv_timer_t sweep; /* for what takes too long */
    int handles;      /* not yet closed */
    struct MHD_Daemon *daemon;
    struct listen_settings settings;
    struct sockaddr_storage address; /* that it listens on */
    struct credentials *credentials; /* or NULL */
    struct http_pem pem;             /* of the start: the daemon refers to them */
    struct http_tls *tls;            /* in force, or NULL */
    arrival_fn *take;
    transport_notice_fn *notice;
    transport_get_fn *get;
    void *arg;
    struct http_route routes[HTTP_ROUTES_MAX];
    size_t n_routes;
    struct http_connection *connections;
    struct http_exchange *waiting; /* for an answer */
    size_t body_bytes;             /* that exchanges hold */
    uint64_t last_number;
    bool quiet;
    bool again; /* the daemon has to run once more: it does not say so of connections that went on or ended */
};

enum http_phase {
    HTTP_BETWEEN,   /* requests, or before the first */
    HTTP_RECEIVING, /* a request, from its first line to the end of its body */
    HTTP_HANDED_ON, /* it waits for its answer, or is answered */
};

struct http_connection {
    struct http_server *server;
    struct MHD_Connection *mhd;
    struct http_connection *next, **link;
    uint64_t number;
    enum http_phase phase;
    uint64_t since_ms; /* of this phase */
    char address[LISTEN_TEXT_BYTES];
    char certificate[LISTEN_PEER_BYTES]; /* common name of the client's; "" */
    bool certificate_read;
    struct http_tls *tls; /* that it uses, or NULL */
};

struct http_exchange {
    struct arrival arrival;      /* first */
    struct http_request request; /* the same, for a route */
    struct http_connection *connection;
    struct http_exchange *next, **link; /* of those that wait */
    const char *method, *path;
    char content_type[HTTP_CONTENT_TYPE_BYTES];
    char peer[LISTEN_PEER_BYTES];
    uint8_t *body;
    size_t body_len, body_size;
    size_t unwanted; /* bytes of a body that was refused */
    int refusal;     /* status; 0: it is not refused */
    const char *refusal_text;
    int status; /* of the answer; 0: not known yet */
    struct MHD_Response *response;
    bool asked, suspended, answered; /* asked: somebody has it and will answer */
};

/* http_server.c. Has a suspended connection go on, in the loop's next turn. */
void http_server_resume(struct http_server *server, struct MHD_Connection *mhd);

/* http_exchange.c: libmicrohttpd's callbacks, with the server as cls. */
void *http_exchange_begin(void *cls, const char *uri, struct MHD_Connection *mhd);
enum MHD_Result http_exchange_step(void *cls, struct MHD_Connection *mhd, const char *url, const char *method,
                                   const char *version, const char *upload, size_t *upload_size, void **own);
void http_exchange_end(void *cls, struct MHD_Connection *mhd, void **own, enum MHD_RequestTerminationCode why);

struct http_connection *http_connection_of(struct MHD_Connection *mhd);
const char *http_header_of(struct MHD_Connection *mhd, const char *name);

/* http_answer.c. */
/* Takes a reply of the format (carehub_reply_fn; arg: the exchange); only the first counts. */
void http_take_reply(void *arg, const struct carehub_reply *reply);
/* The answer is there: it goes out when libmicrohttpd asks for it next. `status`: if the answer has none. */
void http_complete(struct http_exchange *exchange, int status);
/* An answer of this transport itself, in plain JSON. */
void http_refuse(struct http_exchange *exchange, int status, const char *text);
void http_reply(struct arrival *arrival, const struct carehub_reply *reply);
void http_answered(struct arrival *arrival, const struct carehub_message *message,
                   const struct carehub_outcome *outcome);
/* Answers with 503 what nobody has answered. */
void http_answer_all(struct http_server *server);

/* http_peer.c. */
/* Gives a new connection the certificate that is in force, and has it demand one of the client, if the settings say so.
 */
bool http_peer_prepare(struct http_connection *connection);
/* Who sends: writes the name, "" if nobody needs to be known. False: who sends has not shown that it may. */
bool http_peer_check(struct http_connection *connection, char name[LISTEN_PEER_BYTES]);

#endif
