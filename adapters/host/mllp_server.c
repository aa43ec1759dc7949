#include "mllp_server.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log_line.h"
#include "mllp.h"

enum { BACKLOG = 64, TICK_MS = 250, HEX_BYTES = 3 * MLLP_FAULT_BYTES_MAX + 1 };

struct request {
    struct mllp_request head; /* first: what others see of it */
    struct request *next;     /* of the same connection, later */
    struct connection *from;  /* NULL: it has gone */
    uint8_t *answer;          /* frames */
    size_t answer_len;
    size_t cost; /* bytes that it counts for in the window */
    bool answered;
};

struct connection {
    uv_tcp_t tcp; /* first */
    struct mllp_server *server;
    struct connection *next, **link;
    uint64_t number;
    char peer[MLLP_PEER_BYTES];
    struct mllp_decoder *decoder;
    uint8_t input[MLLP_READ_BYTES];
    size_t input_at, input_len;
    struct request *first, **end; /* unanswered, in the order in which they came */
    unsigned unanswered;
    size_t unanswered_bytes;
    uint64_t heard_ms;
    bool reading, ended, closing; /* ended: nothing more will come; what was asked is still answered */
};

struct mllp_server {
    uv_tcp_t tcp; /* first */
    uv_timer_t tick;
    struct mllp_server_options options;
    struct connection *connections;
    unsigned count;
    uint64_t last_number;
    int handles; /* not yet closed */
    bool quiet, closing;
};

/* One write. */
struct write {
    uv_write_t request; /* first */
    uint8_t *bytes;
};

static void free_request(struct request *r)
{
    free(r->head.bytes);
    free(r->answer);
    free(r);
}

/* ---- Closing ---------------------------------------------------------------------------------------------------- */

static void server_closed(uv_handle_t *handle)
{
    struct mllp_server *server = handle->data;
    if (--server->handles == 0 && server->count == 0)
        free(server);
}

static void connection_closed(uv_handle_t *handle)
{
    struct connection *c = (struct connection *)handle;
    struct mllp_server *server = c->server;
    for (struct request *r = c->first, *next; r; r = next) {
        next = r->next;
        r->from = NULL;
        if (r->answered) /* behind one that was not */
            free_request(r);
    }
    *c->link = c->next;
    if (c->next)
        c->next->link = c->link;
    mllp_decoder_destroy(&c->decoder);
    free(c);
    server->count--;
    if (server->closing && server->handles == 0 && server->count == 0)
        free(server);
}

static void close_connection(struct connection *c)
{
    if (c->closing)
        return;
    c->closing = true;
    uv_close((uv_handle_t *)&c->tcp, connection_closed);
}

/* After the last answer. */
static void close_if_done(struct connection *c)
{
    if (c->ended && c->unanswered == 0 && uv_stream_get_write_queue_size((uv_stream_t *)&c->tcp) == 0)
        close_connection(c);
}

/* ---- Writing ---------------------------------------------------------------------------------------------------- */

static void go_on(struct connection *c);

static void on_written(uv_write_t *request, int status)
{
    struct write *w = (struct write *)request;
    struct connection *c = (struct connection *)request->handle;
    free(w->bytes);
    free(w);
    if (status < 0)
        close_connection(c);
    else
        go_on(c);
}

/* Takes over bytes. */
static void send_bytes(struct connection *c, uint8_t *bytes, size_t len)
{
    struct write *w = len > 0 && !c->closing ? calloc(1, sizeof *w) : NULL;
    if (!w) {
        free(bytes);
        return;
    }
    w->bytes = bytes;
    uv_buf_t buffer = uv_buf_init((char *)bytes, (unsigned)len);
    if (uv_write(&w->request, (uv_stream_t *)&c->tcp, &buffer, 1, on_written) != 0) {
        free(w->bytes);
        free(w);
        close_connection(c);
    }
}

/* ---- Reading ---------------------------------------------------------------------------------------------------- */

static bool is_full(const struct connection *c)
{
    return c->unanswered >= MLLP_WINDOW_MESSAGES || c->unanswered_bytes >= MLLP_WINDOW_BYTES ||
           uv_stream_get_write_queue_size((const uv_stream_t *)&c->tcp) >= MLLP_UNSENT_MAX_BYTES;
}

static void take_message(struct connection *c, const struct mllp_event *event)
{
    struct request *r = calloc(1, sizeof *r);
    uint8_t *bytes = malloc(event->len + 1);
    if (!r || !bytes) {
        free(r);
        free(bytes);
        LOG_LINE(LOG_LEVEL_ERROR, "connection %llu: out of memory; closed, so that the sender sends again",
                 (unsigned long long)c->number);
        close_connection(c);
        return;
    }
    memcpy(bytes, event->data, event->len);
    r->head = (struct mllp_request){.connection = c->number, .bytes = bytes, .len = event->len};
    r->from = c;
    r->cost = event->len;
    *c->end = r;
    c->end = &r->next;
    c->unanswered++;
    c->unanswered_bytes += r->cost;
    c->server->options.take(c->server->options.arg, &r->head);
}

/* Only bytes that frame a message are shown; any other could be part of one. */
static void framing_hex(const struct mllp_event *event, char hex[HEX_BYTES])
{
    hex[0] = '\0';
    for (size_t i = 0; i < event->fault_bytes_len; i++) {
        uint8_t byte = event->fault_bytes[i];
        if (byte < 0x20)
            snprintf(hex + 3 * i, 4, "%02x ", byte);
        else
            snprintf(hex + 3 * i, 4, "__ ");
    }
}

static void break_off(struct connection *c, const struct mllp_event *event)
{
    char hex[HEX_BYTES];
    framing_hex(event, hex);
    LOG_LINE(
        LOG_LEVEL_WARNING,
        "connection %llu from %s: %s, at byte %llu of the connection (bytes: %s; __ is text); frame began at %llu; "
        "closed",
        (unsigned long long)c->number, c->peer, mllp_fault_text(event->fault),
        (unsigned long long)event->fault_position, hex, (unsigned long long)event->frame_position);
    c->server->options.notice(c->server->options.arg, true);
    /* What came before was in order and is answered; then the connection ends. */
    c->input_at = c->input_len = 0;
    c->ended = true;
    if (c->reading)
        uv_read_stop((uv_stream_t *)&c->tcp);
    c->reading = false;
    close_if_done(c);
}

/* Takes messages off the input as long as there is room for them. */
static void consume(struct connection *c)
{
    while (c->input_at < c->input_len && !is_full(c) && !c->closing && !c->server->quiet) {
        struct mllp_event event;
        size_t used = 0;
        enum mllp_result result =
            mllp_decode(c->decoder, c->input + c->input_at, c->input_len - c->input_at, &used, &event);
        c->input_at += used;
        if (result == MLLP_MESSAGE)
            take_message(c, &event);
        else if (result == MLLP_BROKEN)
            break_off(c, &event);
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct connection *c = (struct connection *)handle;
    (void)suggested;
    *buffer = uv_buf_init((char *)c->input, sizeof c->input);
}

static void on_end(struct connection *c, ssize_t reason)
{
    if (mllp_pending_bytes(c->decoder) > 0)
        LOG_LINE(LOG_LEVEL_WARNING, "connection %llu from %s: ended inside a message, %zu bytes of it had come",
                 (unsigned long long)c->number, c->peer, mllp_pending_bytes(c->decoder));
    c->ended = true;
    uv_read_stop((uv_stream_t *)&c->tcp);
    c->reading = false;
    if (reason == UV_EOF)
        close_if_done(c); /* it may still want the answers */
    else
        close_connection(c);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer);

/* Reads again, or not, as there is room. */
static void update_reading(struct connection *c)
{
    bool wanted = c->input_at == c->input_len && !is_full(c) && !c->ended && !c->closing && !c->server->quiet;
    if (wanted && !c->reading)
        c->reading = uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) == 0;
    else if (!wanted && c->reading) {
        uv_read_stop((uv_stream_t *)&c->tcp);
        c->reading = false;
    }
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
    struct connection *c = (struct connection *)stream;
    (void)buffer;
    if (size < 0) {
        on_end(c, size);
        return;
    }
    c->heard_ms = uv_now(stream->loop);
    c->input_at = 0;
    c->input_len = (size_t)size;
    consume(c);
    update_reading(c);
}

/* There may be room again. */
static void go_on(struct connection *c)
{
    consume(c);
    update_reading(c);
    close_if_done(c);
}

/* ---- Answering -------------------------------------------------------------------------------------------------- */

void mllp_reply(struct mllp_request *request, const void *bytes, size_t len)
{
    struct request *r = (struct request *)request;
    size_t frame = len + MLLP_OVERHEAD_BYTES;
    uint8_t *grown = realloc(r->answer, r->answer_len + frame);
    if (!grown)
        return; /* the sender misses an answer, and sends again */
    r->answer = grown;
    if (mllp_encode(bytes, len, r->answer + r->answer_len, frame) == frame)
        r->answer_len += frame;
}

/* Sends what is complete from the oldest on. */
static void flush(struct connection *c)
{
    while (c->first && c->first->answered) {
        struct request *r = c->first;
        if (!(c->first = r->next))
            c->end = &c->first;
        c->unanswered--;
        c->unanswered_bytes -= r->cost;
        send_bytes(c, r->answer, r->answer_len);
        r->answer = NULL;
        free_request(r);
    }
}

void mllp_answered(struct mllp_request **request)
{
    struct request *r = (struct request *)*request;
    struct connection *c = r->from;
    *request = NULL;
    r->answered = true;
    if (!c) {
        free_request(r);
        return;
    }
    c->heard_ms = uv_now(c->tcp.loop); /* it was not idle, we were */
    flush(c);
    go_on(c);
}

/* ---- Connections ------------------------------------------------------------------------------------------------ */

static void describe(const struct sockaddr_storage *address, char *out, size_t size)
{
    char host[INET6_ADDRSTRLEN] = "?";
    bool six = address->ss_family == AF_INET6;
    uint16_t port =
        six ? ((const struct sockaddr_in6 *)address)->sin6_port : ((const struct sockaddr_in *)address)->sin_port;
    if (six)
        uv_ip6_name((const struct sockaddr_in6 *)address, host, sizeof host);
    else
        uv_ip4_name((const struct sockaddr_in *)address, host, sizeof host);
    snprintf(out, size, six ? "[%s]:%u" : "%s:%u", host, ntohs(port));
}

static void add_connection(struct mllp_server *server, struct connection *c)
{
    struct sockaddr_storage peer;
    int size = sizeof peer;
    c->number = ++server->last_number;
    c->end = &c->first;
    c->heard_ms = uv_now(c->tcp.loop);
    c->next = server->connections;
    c->link = &server->connections;
    if (c->next)
        c->next->link = &c->next;
    server->connections = c;
    server->count++;
    if (uv_accept((uv_stream_t *)&server->tcp, (uv_stream_t *)&c->tcp) != 0 || !c->decoder) {
        close_connection(c);
        return;
    }
    if (uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&peer, &size) == 0)
        describe(&peer, c->peer, sizeof c->peer);
    if (server->count > server->options.connections_max) {
        LOG_LINE(LOG_LEVEL_WARNING,
                 "refused a connection from %s: %u are open, which is all that connections-max allows", c->peer,
                 server->options.connections_max);
        close_connection(c);
        return;
    }
    LOG_LINE(LOG_LEVEL_INFO, "connection %llu from %s", (unsigned long long)c->number, c->peer);
    uv_tcp_nodelay(&c->tcp, 1);
    uv_tcp_keepalive(&c->tcp, 1, 60);
    server->options.notice(server->options.arg, false);
    update_reading(c);
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct mllp_server *server = (struct mllp_server *)stream;
    const struct mllp_options framing = {.frame_max_bytes = server->options.message_max_bytes,
                                         .tolerate_line_ends = true};
    struct connection *c = status == 0 ? calloc(1, sizeof *c) : NULL;
    if (!c)
        return;
    c->server = server;
    if (uv_tcp_init(stream->loop, &c->tcp) != 0) {
        free(c);
        return;
    }
    c->decoder = mllp_decoder_new(&framing);
    add_connection(server, c);
}

/* Connections that are silent for too long. */
static void on_tick(uv_timer_t *timer)
{
    struct mllp_server *server = timer->data;
    uint64_t now_ms = uv_now(timer->loop);
    for (struct connection *c = server->connections; c; c = c->next) {
        uint64_t silent_ms = now_ms - c->heard_ms;
        bool inside = mllp_pending_bytes(c->decoder) > 0;
        if (c->closing || c->unanswered > 0 || !c->reading)
            continue;
        if (inside && silent_ms >= server->options.frame_ms)
            LOG_LINE(LOG_LEVEL_WARNING, "connection %llu from %s: nothing more of a message came for %llu ms; closed",
                     (unsigned long long)c->number, c->peer, (unsigned long long)silent_ms);
        else if (inside || server->options.idle_ms == 0 || silent_ms < server->options.idle_ms)
            continue;
        else
            LOG_LINE(LOG_LEVEL_INFO, "connection %llu from %s: closed, it was idle", (unsigned long long)c->number,
                     c->peer);
        close_connection(c);
    }
}

/* ---- The server ------------------------------------------------------------------------------------------------- */

struct mllp_server *mllp_server_new(uv_loop_t *loop, const struct mllp_server_options *options,
                                    char error[MLLP_SERVER_ERROR_BYTES])
{
    struct mllp_server *self = calloc(1, sizeof *self);
    char endpoint[MLLP_PEER_BYTES];
    describe(&options->address, endpoint, sizeof endpoint);
    if (!self) {
        snprintf(error, MLLP_SERVER_ERROR_BYTES, "out of memory");
        return NULL;
    }
    self->options = *options;
    uv_tcp_init(loop, &self->tcp);
    uv_timer_init(loop, &self->tick);
    self->tcp.data = self->tick.data = self;
    self->handles = 2;
    int failure = uv_tcp_bind(&self->tcp, (const struct sockaddr *)&options->address, 0);
    if (failure == 0)
        failure = uv_listen((uv_stream_t *)&self->tcp, BACKLOG, on_connection);
    if (failure != 0) {
        snprintf(error, MLLP_SERVER_ERROR_BYTES, "cannot listen on %s: %s", endpoint, uv_strerror(failure));
        mllp_server_close(&self);
        return NULL;
    }
    uv_timer_start(&self->tick, on_tick, TICK_MS, TICK_MS);
    return self;
}

void mllp_server_endpoint(const struct mllp_server *self, char *out, size_t size)
{
    struct sockaddr_storage address;
    int length = sizeof address;
    uv_tcp_getsockname(&self->tcp, (struct sockaddr *)&address, &length);
    describe(&address, out, size);
}

void mllp_server_quiesce(struct mllp_server *self)
{
    self->quiet = true;
    for (struct connection *c = self->connections; c; c = c->next)
        update_reading(c);
}

void mllp_server_close(struct mllp_server **self)
{
    struct mllp_server *server = *self;
    *self = NULL;
    if (!server)
        return;
    server->closing = true;
    for (struct connection *c = server->connections; c; c = c->next)
        close_connection(c);
    uv_close((uv_handle_t *)&server->tcp, server_closed);
    uv_close((uv_handle_t *)&server->tick, server_closed);
}
