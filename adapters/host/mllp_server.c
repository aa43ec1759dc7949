#include "mllp_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "settings.h"

enum { TICK_MS = 250 };

/* ---- Messages -------------------------------------------------------------------------------------------------- */

struct mllp_arrival *mllp_arrival_new(struct mllp_connection *c, const void *data, size_t len)
{
    struct mllp_arrival *a = calloc(1, sizeof *a);
    uint8_t *bytes = malloc(len + 1);
    if (!a || !bytes) {
        free(a);
        free(bytes);
        return NULL;
    }
    memcpy(bytes, data, len);
    if (c->tls)
        snprintf(a->peer, sizeof a->peer, "%s", tls_stream_peer(c->tls));
    a->head = (struct arrival){.transport = &transport_in_mllp, .bytes = bytes, .connection = c->number};
    a->head.native = (struct carehub_native){.bytes = bytes,
                                             .len = len,
                                             .received_ms = wall_clock_ms(),
                                             .transport = "mllp",
                                             .peer = a->peer,
                                             .name = "",
                                             .method = "",
                                             .content_type = "",
                                             .idempotency_key = ""};
    a->from = c;
    a->cost = len;
    return a;
}

void mllp_arrival_free(struct mllp_arrival *arrival)
{
    free(arrival->head.bytes);
    free(arrival->answer);
    free(arrival);
}

static void reply(struct arrival *arrival, const struct carehub_reply *given)
{
    struct mllp_arrival *a = (struct mllp_arrival *)arrival;
    size_t frame = given->len + MLLP_OVERHEAD_BYTES;
    uint8_t *grown = realloc(a->answer, a->answer_len + frame);
    if (!grown)
        return; /* the sender misses an answer, and sends again */
    a->answer = grown;
    if (mllp_encode(given->bytes, given->len, a->answer + a->answer_len, frame) == frame)
        a->answer_len += frame;
}

static void answered(struct arrival *arrival, const struct carehub_message *message,
                     const struct carehub_outcome *outcome)
{
    struct mllp_arrival *a = (struct mllp_arrival *)arrival;
    struct mllp_connection *c = a->from;
    (void)message, (void)outcome; /* MLLP has no answers of its own */
    a->answered = true;
    if (!c) {
        mllp_arrival_free(a);
        return;
    }
    c->heard_ms = uv_now(c->tcp.loop); /* it was not idle, we were */
    mllp_connection_flush(c);
    mllp_connection_go_on(c);
}

/* ---- The server ------------------------------------------------------------------------------------------------- */

static void on_connection(uv_stream_t *stream, int status)
{
    if (status == 0)
        mllp_connection_accept((struct mllp_server *)stream);
}

static void on_tick(uv_timer_t *timer)
{
    struct mllp_server *server = timer->data;
    for (struct mllp_connection *c = server->connections; c; c = c->next)
        mllp_connection_check_silence(c, uv_now(timer->loop));
}

void mllp_server_free_if_gone(struct mllp_server *server)
{
    if (!server->closing || server->handles > 0 || server->count > 0)
        return;
    tls_context_destroy(&server->tls);
    listen_settings_free(&server->settings);
    free(server);
}

static void on_closed(uv_handle_t *handle)
{
    struct mllp_server *server = handle->data;
    server->handles--;
    mllp_server_free_if_gone(server);
}

static void server_close(void *self)
{
    struct mllp_server *server = self;
    server->closing = true;
    for (struct mllp_connection *c = server->connections; c; c = c->next)
        mllp_connection_close(c);
    uv_close((uv_handle_t *)&server->tcp, on_closed);
    uv_close((uv_handle_t *)&server->tick, on_closed);
}

static bool check(const struct transport_in_options *options, char error[CAREHUB_ERROR_BYTES])
{
    struct listen_settings settings;
    bool ok = listen_settings_read(&settings, LISTEN_MLLP, options->section, options->folder, error);
    listen_settings_free(&settings);
    return ok;
}

static bool prepare(struct mllp_server *self, const struct transport_in_options *options,
                    char error[CAREHUB_ERROR_BYTES])
{
    struct listen_settings *s = &self->settings;
    self->take = options->take;
    self->notice = options->notice;
    self->arg = options->arg;
    if (!listen_settings_read(s, LISTEN_MLLP, options->section, options->folder, error))
        return false;
    if (s->tls_certificate)
        self->tls = tls_context_new(true, s->tls_certificate, s->tls_key, s->tls_client_ca, error, CAREHUB_ERROR_BYTES);
    return self->tls || !s->tls_certificate;
}

static void *server_open(uv_loop_t *loop, const struct transport_in_options *options, char error[CAREHUB_ERROR_BYTES])
{
    struct mllp_server *self = calloc(1, sizeof *self);
    if (!self) {
        settings_complain(error, "in/mllp", "out of memory");
        return NULL;
    }
    if (!prepare(self, options, error)) {
        self->closing = true;
        mllp_server_free_if_gone(self);
        return NULL;
    }
    uv_tcp_init(loop, &self->tcp);
    uv_timer_init(loop, &self->tick);
    self->tcp.data = self->tick.data = self;
    self->handles = 2;
    int failure = uv_tcp_bind(&self->tcp, (const struct sockaddr *)&self->settings.address, 0);
    if (failure == 0)
        failure = uv_listen((uv_stream_t *)&self->tcp, LISTEN_BACKLOG, on_connection);
    if (failure != 0) {
        settings_complain(error, "in/mllp", "cannot listen on %s: %s", self->settings.endpoint, uv_strerror(failure));
        server_close(self);
        return NULL;
    }
    uv_timer_start(&self->tick, on_tick, TICK_MS, TICK_MS);
    return self;
}

static void endpoint(const void *self, char *out, size_t size)
{
    const struct mllp_server *server = self;
    struct sockaddr_storage address = {0};
    int length = sizeof address;
    uv_tcp_getsockname(&server->tcp, (struct sockaddr *)&address, &length);
    listen_address_text(&address, out, size);
}

static void quiesce(void *self)
{
    struct mllp_server *server = self;
    server->quiet = true;
    for (struct mllp_connection *c = server->connections; c; c = c->next)
        mllp_connection_update_reading(c);
}

static bool renew(void *self, char error[CAREHUB_ERROR_BYTES])
{
    struct mllp_server *server = self;
    const struct listen_settings *s = &server->settings;
    char why[CAREHUB_ERROR_BYTES / 2];
    return !server->tls ||
           tls_context_renew(&server->tls, s->tls_certificate, s->tls_key, s->tls_client_ca, why, sizeof why) ||
           settings_complain(error, "in/mllp", "%s", why);
}

const struct transport_in transport_in_mllp = {
    .name = "mllp",
    .check = check,
    .open = server_open,
    .endpoint = endpoint,
    .reply = reply,
    .answered = answered,
    .quiesce = quiesce,
    .close = server_close,
    .renew = renew,
};
