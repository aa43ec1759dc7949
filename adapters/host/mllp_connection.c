#include "mllp_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log_line.h"

enum { HEX_BYTES = 3 * MLLP_FAULT_BYTES_MAX + 1, KEEPALIVE_S = 60 };

/* One write. */
struct write {
    uv_write_t request; /* first */
    uint8_t *bytes;
};

/* ---- Closing ---------------------------------------------------------------------------------------------------- */

static void on_closed(uv_handle_t *handle)
{
    struct mllp_connection *c = (struct mllp_connection *)handle;
    struct mllp_server *server = c->server;
    for (struct mllp_arrival *a = c->first, *next; a; a = next) {
        next = a->next;
        a->from = NULL;
        if (a->answered) /* behind one that was not */
            mllp_arrival_free(a);
    }
    *c->link = c->next;
    if (c->next)
        c->next->link = c->link;
    mllp_decoder_destroy(&c->decoder);
    tls_stream_destroy(&c->tls);
    free(c);
    server->count--;
    mllp_server_free_if_gone(server);
}

void mllp_connection_close(struct mllp_connection *c)
{
    if (c->closing)
        return;
    c->closing = true;
    uv_close((uv_handle_t *)&c->tcp, on_closed);
}

static void stop_reading(struct mllp_connection *c)
{
    if (c->reading)
        uv_read_stop((uv_stream_t *)&c->tcp);
    c->reading = false;
}

/* ---- Writing ---------------------------------------------------------------------------------------------------- */

static void on_written(uv_write_t *request, int status)
{
    struct write *w = (struct write *)request;
    struct mllp_connection *c = (struct mllp_connection *)request->handle;
    free(w->bytes);
    free(w);
    c->heard_ms = uv_now(c->tcp.loop); /* it reads */
    if (status < 0)
        mllp_connection_close(c);
    else
        mllp_connection_go_on(c);
}

/* Puts bytes on the socket, and takes them over. */
static void send_raw(struct mllp_connection *c, uint8_t *bytes, size_t len)
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
        mllp_connection_close(c);
    }
}

/* Whatever TLS has to say. */
static void send_tls(struct mllp_connection *c)
{
    size_t len = 0;
    uint8_t *bytes = c->tls ? tls_stream_output(c->tls, &len) : NULL;
    send_raw(c, bytes, len);
}

/* Sends frames, and takes them over. */
static void send_frames(struct mllp_connection *c, uint8_t *bytes, size_t len)
{
    if (!c->tls) {
        send_raw(c, bytes, len);
        return;
    }
    bool ok = len == 0 || tls_stream_write(c->tls, bytes, len);
    free(bytes);
    send_tls(c);
    if (!ok)
        mllp_connection_close(c);
}

void mllp_connection_flush(struct mllp_connection *c)
{
    while (c->first && c->first->answered) {
        struct mllp_arrival *a = c->first;
        if (!(c->first = a->next))
            c->end = &c->first;
        c->unanswered--;
        c->unanswered_bytes -= a->cost;
        send_frames(c, a->answer, a->answer_len);
        a->answer = NULL;
        mllp_arrival_free(a);
    }
}

/* After the last answer. */
static void close_if_done(struct mllp_connection *c)
{
    if (!c->ended || c->closing || c->unanswered > 0 || uv_stream_get_write_queue_size((uv_stream_t *)&c->tcp) > 0)
        return;
    if (c->tls) {
        tls_stream_finish(c->tls);
        send_tls(c);
    }
    mllp_connection_close(c);
}

/* ---- Messages --------------------------------------------------------------------------------------------------- */

static bool is_full(const struct mllp_connection *c)
{
    return c->unanswered >= MLLP_WINDOW_MESSAGES || c->unanswered_bytes >= MLLP_WINDOW_BYTES ||
           uv_stream_get_write_queue_size((const uv_stream_t *)&c->tcp) >= MLLP_UNSENT_MAX_BYTES;
}

static void take_message(struct mllp_connection *c, const struct mllp_event *event)
{
    struct mllp_arrival *a = mllp_arrival_new(c, event->data, event->len);
    if (!a) {
        LOG_LINE(LOG_LEVEL_ERROR, "connection %llu: out of memory; closed, so that the sender sends again",
                 (unsigned long long)c->number);
        mllp_connection_close(c);
        return;
    }
    *c->end = a;
    c->end = &a->next;
    c->unanswered++;
    c->unanswered_bytes += a->cost;
    c->server->take(c->server->arg, &a->head);
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

/* Nothing more is taken. What came before was in order and is answered; then the connection ends. */
static void break_off(struct mllp_connection *c)
{
    c->server->notice(c->server->arg, true);
    c->input_at = c->input_len = 0;
    c->ended = true;
    stop_reading(c);
    close_if_done(c);
}

static void on_broken_frame(struct mllp_connection *c, const struct mllp_event *event)
{
    char hex[HEX_BYTES];
    framing_hex(event, hex);
    LOG_LINE(
        LOG_LEVEL_WARNING,
        "connection %llu from %s: %s, at byte %llu of the connection (bytes: %s; __ is text); frame began at %llu; "
        "closed",
        (unsigned long long)c->number, c->address, mllp_fault_text(event->fault),
        (unsigned long long)event->fault_position, hex, (unsigned long long)event->frame_position);
    break_off(c);
}

/* ---- Reading ---------------------------------------------------------------------------------------------------- */

/* Nothing more comes; the peer may still want the answers. */
static void on_end(struct mllp_connection *c)
{
    if (mllp_pending_bytes(c->decoder) > 0)
        LOG_LINE(LOG_LEVEL_WARNING, "connection %llu from %s: ended inside a message, %zu bytes of it had come",
                 (unsigned long long)c->number, c->address, mllp_pending_bytes(c->decoder));
    c->ended = true;
    stop_reading(c);
    close_if_done(c);
}

static void on_broken_tls(struct mllp_connection *c)
{
    LOG_LINE(LOG_LEVEL_WARNING, "connection %llu from %s: %s; closed", (unsigned long long)c->number, c->address,
             tls_stream_error(c->tls));
    c->server->notice(c->server->arg, true);
    mllp_connection_close(c);
}

/* More plain text, with TLS. */
static bool refill(struct mllp_connection *c)
{
    ssize_t size = c->tls ? tls_stream_read(c->tls, c->plain_input, sizeof c->plain_input) : 0;
    if (size < 0)
        on_end(c);
    if (size <= 0)
        return false;
    c->input = c->plain_input;
    c->input_at = 0;
    c->input_len = (size_t)size;
    return true;
}

/* Takes messages off the input as long as there is room for them. */
static void consume(struct mllp_connection *c)
{
    while (!is_full(c) && !c->ended && !c->closing && !c->server->quiet && (c->input_at < c->input_len || refill(c))) {
        struct mllp_event event;
        size_t used = 0;
        enum mllp_result result =
            mllp_decode(c->decoder, c->input + c->input_at, c->input_len - c->input_at, &used, &event);
        c->input_at += used;
        if (result == MLLP_MESSAGE)
            take_message(c, &event);
        else if (result == MLLP_BROKEN)
            on_broken_frame(c, &event);
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct mllp_connection *c = (struct mllp_connection *)handle;
    (void)suggested;
    *buffer = uv_buf_init((char *)c->socket_input, sizeof c->socket_input);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
    struct mllp_connection *c = (struct mllp_connection *)stream;
    (void)buffer;
    if (size < 0) {
        on_end(c);
        if (size != UV_EOF) /* nobody is there for the answers */
            mllp_connection_close(c);
        return;
    }
    c->heard_ms = uv_now(stream->loop);
    if (c->tls) {
        bool ok = tls_stream_feed(c->tls, c->socket_input, (size_t)size);
        send_tls(c);
        if (!ok) {
            on_broken_tls(c);
            return;
        }
    } else {
        c->input = c->socket_input;
        c->input_at = 0;
        c->input_len = (size_t)size;
    }
    consume(c);
    mllp_connection_update_reading(c);
}

void mllp_connection_update_reading(struct mllp_connection *c)
{
    bool wanted = c->input_at == c->input_len && !is_full(c) && !c->ended && !c->closing && !c->server->quiet;
    if (wanted && !c->reading)
        c->reading = uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) == 0;
    else if (!wanted)
        stop_reading(c);
}

void mllp_connection_go_on(struct mllp_connection *c)
{
    consume(c);
    mllp_connection_update_reading(c);
    close_if_done(c);
}

/* ---- Connections ------------------------------------------------------------------------------------------------ */

static void enter(struct mllp_server *server, struct mllp_connection *c)
{
    c->number = ++server->last_number;
    c->end = &c->first;
    c->opened_ms = c->heard_ms = uv_now(c->tcp.loop);
    c->next = server->connections;
    c->link = &server->connections;
    if (c->next)
        c->next->link = &c->next;
    server->connections = c;
    server->count++;
}

static bool make_parts(struct mllp_connection *c)
{
    const struct mllp_options framing = {.frame_max_bytes = (size_t)c->server->settings.message_max_bytes,
                                         .tolerate_line_ends = true};
    c->decoder = mllp_decoder_new(&framing);
    if (c->server->tls)
        c->tls = tls_stream_new(c->server->tls, NULL);
    return c->decoder && (c->tls || !c->server->tls);
}

void mllp_connection_accept(struct mllp_server *server)
{
    struct mllp_connection *c = calloc(1, sizeof *c);
    struct sockaddr_storage peer;
    int size = sizeof peer;
    if (!c)
        return;
    c->server = server;
    if (uv_tcp_init(server->tcp.loop, &c->tcp) != 0) {
        free(c);
        return;
    }
    enter(server, c);
    if (uv_accept((uv_stream_t *)&server->tcp, (uv_stream_t *)&c->tcp) != 0 || !make_parts(c)) {
        mllp_connection_close(c);
        return;
    }
    if (uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&peer, &size) == 0)
        listen_address_text(&peer, c->address, sizeof c->address);
    if (server->count > server->settings.connections_max) {
        LOG_LINE(LOG_LEVEL_WARNING,
                 "refused a connection from %s: %lld are open, which is all that connections-max allows", c->address,
                 (long long)server->settings.connections_max);
        mllp_connection_close(c);
        return;
    }
    LOG_LINE(LOG_LEVEL_INFO, "connection %llu from %s", (unsigned long long)c->number, c->address);
    uv_tcp_nodelay(&c->tcp, 1);
    uv_tcp_keepalive(&c->tcp, 1, KEEPALIVE_S);
    server->notice(server->arg, false);
    mllp_connection_update_reading(c);
}

void mllp_connection_check_silence(struct mllp_connection *c, uint64_t now_ms)
{
    const struct listen_settings *s = &c->server->settings;
    uint64_t silent_ms = now_ms - c->heard_ms;
    bool unread = uv_stream_get_write_queue_size((const uv_stream_t *)&c->tcp) > 0;
    if (c->closing || c->unanswered > 0 || (!c->reading && !unread))
        return;
    bool inside = mllp_pending_bytes(c->decoder) > 0;
    if (unread && silent_ms >= (uint64_t)s->message_ms)
        LOG_LINE(LOG_LEVEL_WARNING, "connection %llu from %s: it has read none of its answers for %llu ms; closed",
                 (unsigned long long)c->number, c->address, (unsigned long long)silent_ms);
    else if (c->tls && !tls_stream_is_ready(c->tls) && now_ms - c->opened_ms >= MLLP_HANDSHAKE_MS)
        LOG_LINE(LOG_LEVEL_WARNING, "connection %llu from %s: no TLS handshake within %d ms; closed",
                 (unsigned long long)c->number, c->address, MLLP_HANDSHAKE_MS);
    else if (inside && silent_ms >= (uint64_t)s->message_ms)
        LOG_LINE(LOG_LEVEL_WARNING, "connection %llu from %s: nothing more of a message came for %llu ms; closed",
                 (unsigned long long)c->number, c->address, (unsigned long long)silent_ms);
    else if (!inside && s->idle_ms > 0 && silent_ms >= (uint64_t)s->idle_ms)
        LOG_LINE(LOG_LEVEL_INFO, "connection %llu from %s: closed, it was idle", (unsigned long long)c->number,
                 c->address);
    else
        return;
    mllp_connection_close(c);
}
