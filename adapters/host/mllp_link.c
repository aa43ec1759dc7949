#include "mllp_link.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mllp.h"
#include "outlet_settings.h"

enum { INPUT_BYTES = 16 << 10, KEEPALIVE_S = 60, TEXT_BYTES = 512 };

/* A socket to one of the addresses. It outlives its link by the turns that closing takes. */
struct socket {
    uv_tcp_t tcp; /* first */
    uv_connect_t connect;
    struct mllp_link *link; /* NULL: given up */
};

struct mllp_link {
    uv_timer_t timer; /* first; for connecting */
    uv_getaddrinfo_t resolve;
    struct mllp_link_options options;
    char host[OUTLET_HOST_BYTES], port[OUTLET_PORT_BYTES];
    struct addrinfo *addresses, *next_address;
    struct socket *socket;
    struct tls_stream *tls;
    struct mllp_decoder *decoder;
    uint8_t input[INPUT_BYTES], plain[INPUT_BYTES];
    char text[TEXT_BYTES];
    int last_failure; /* of connecting to an address */
    bool ready, ended, closed, resolving, timer_gone;
};

/* A write, with what it writes. */
struct write {
    uv_write_t request; /* first */
    uint8_t bytes[];
};

/* ---- Ending ----------------------------------------------------------------------------------------------------- */

static void free_if_gone(struct mllp_link *self)
{
    if (self->resolving || !self->timer_gone)
        return;
    uv_freeaddrinfo(self->addresses);
    tls_stream_destroy(&self->tls);
    tls_context_destroy(&self->options.tls);
    mllp_decoder_destroy(&self->decoder);
    free(self);
}

static void on_socket_closed(uv_handle_t *handle)
{
    free(handle);
}

static void drop_socket(struct mllp_link *self)
{
    struct socket *socket = self->socket;
    self->socket = NULL;
    if (!socket)
        return;
    socket->link = NULL;
    uv_close((uv_handle_t *)&socket->tcp, on_socket_closed);
}

static void end(struct mllp_link *self, const char *code, const char *text)
{
    if (self->ended || self->closed)
        return;
    self->ended = true;
    self->ready = false;
    uv_timer_stop(&self->timer);
    drop_socket(self);
    self->options.ended(self->options.arg, code, text);
}

static void end_by(struct mllp_link *self, const char *code, const char *what, int failure)
{
    snprintf(self->text, sizeof self->text, "%s: %s", what, uv_strerror(failure));
    end(self, code, self->text);
}

/* ---- Writing ---------------------------------------------------------------------------------------------------- */

static void on_written(uv_write_t *request, int status)
{
    struct socket *socket = (struct socket *)request->handle;
    free(request);
    if (status < 0 && socket->link)
        end_by(socket->link, "connection-lost", "sending failed", status);
}

static bool put(struct mllp_link *self, struct write *write, size_t len)
{
    uv_buf_t buffer = uv_buf_init((char *)write->bytes, (unsigned)len);
    if (uv_write(&write->request, (uv_stream_t *)&self->socket->tcp, &buffer, 1, on_written) == 0)
        return true;
    free(write);
    return false;
}

/* Puts on the socket what TLS has for it. */
static bool put_ciphertext(struct mllp_link *self)
{
    size_t len;
    void *bytes = tls_stream_output(self->tls, &len);
    struct write *write = len > 0 ? malloc(sizeof *write + len) : NULL;
    if (write)
        memcpy(write->bytes, bytes, len);
    free(bytes);
    return len == 0 || (write && put(self, write, len));
}

bool mllp_link_send(struct mllp_link *self, const void *message, size_t len)
{
    size_t size = mllp_encode(message, len, NULL, 0);
    struct write *write = self->ready && size > 0 ? malloc(sizeof *write + size) : NULL;
    if (!write)
        return false;
    mllp_encode(message, len, write->bytes, size);
    if (!self->tls)
        return put(self, write, size);
    bool ok = tls_stream_write(self->tls, write->bytes, size) && put_ciphertext(self);
    free(write);
    return ok;
}

/* ---- Reading ---------------------------------------------------------------------------------------------------- */

static void decode(struct mllp_link *self, const uint8_t *bytes, size_t len)
{
    while (len > 0 && !self->ended && !self->closed) {
        struct mllp_event event;
        size_t used = 0;
        enum mllp_result result = mllp_decode(self->decoder, bytes, len, &used, &event);
        bytes += used;
        len -= used;
        if (result == MLLP_MESSAGE)
            self->options.frame(self->options.arg, event.data, event.len);
        else if (result == MLLP_BROKEN)
            end(self, "broken-answer", mllp_fault_text(event.fault));
    }
}

static void become_ready(struct mllp_link *self)
{
    self->ready = true;
    uv_timer_stop(&self->timer);
    self->options.ready(self->options.arg);
}

static void decrypt(struct mllp_link *self, const uint8_t *bytes, size_t len)
{
    ssize_t n = 0;
    bool whole = tls_stream_feed(self->tls, bytes, len);
    bool sent = put_ciphertext(self); /* an alert too */
    if (whole && sent && !self->ready && tls_stream_is_ready(self->tls))
        become_ready(self);
    while (whole && !self->ended && !self->closed &&
           (n = tls_stream_read(self->tls, self->plain, sizeof self->plain)) > 0)
        decode(self, self->plain, (size_t)n);
    if (self->ended || self->closed)
        return;
    if (!whole || n < 0)
        end(self, self->ready ? "connection-lost" : "tls", tls_stream_error(self->tls));
    else if (!sent || !put_ciphertext(self))
        end(self, "connection-lost", "out of memory, or the connection has gone");
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct mllp_link *self = ((struct socket *)handle)->link;
    (void)suggested;
    *buffer = uv_buf_init((char *)self->input, sizeof self->input);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
    struct mllp_link *self = ((struct socket *)stream)->link;
    (void)buffer;
    if (!self || size == 0)
        return;
    if (size < 0)
        end_by(self, "connection-lost",
               mllp_pending_bytes(self->decoder) > 0 ? "the connection ended inside an answer" : "the connection ended",
               (int)size);
    else if (self->tls)
        decrypt(self, self->input, (size_t)size);
    else
        decode(self, self->input, (size_t)size);
}

/* ---- Connecting ------------------------------------------------------------------------------------------------- */

static void try_next(struct mllp_link *self);

static bool start(struct mllp_link *self)
{
    uv_tcp_nodelay(&self->socket->tcp, 1);
    uv_tcp_keepalive(&self->socket->tcp, 1, KEEPALIVE_S);
    if (self->options.tls && !(self->tls = tls_stream_new(self->options.tls, self->host)))
        return false;
    return uv_read_start((uv_stream_t *)&self->socket->tcp, on_alloc, on_read) == 0 &&
           (!self->tls || put_ciphertext(self));
}

static void on_connected(uv_connect_t *request, int status)
{
    struct mllp_link *self = ((struct socket *)request->handle)->link;
    if (!self)
        return;
    if (status < 0) {
        self->last_failure = status;
        drop_socket(self);
        try_next(self);
        return;
    }
    if (!start(self))
        end(self, "unreachable", "out of memory");
    else if (!self->tls)
        become_ready(self);
}

static int connect_to(struct mllp_link *self, const struct addrinfo *address)
{
    struct socket *socket = calloc(1, sizeof *socket);
    if (!socket)
        return UV_ENOMEM;
    int failure = uv_tcp_init(self->timer.loop, &socket->tcp);
    if (failure != 0) {
        free(socket);
        return failure;
    }
    socket->link = self;
    self->socket = socket;
    failure = uv_tcp_connect(&socket->connect, &socket->tcp, address->ai_addr, on_connected);
    if (failure != 0)
        drop_socket(self);
    return failure;
}

static void try_next(struct mllp_link *self)
{
    while (self->next_address) {
        const struct addrinfo *address = self->next_address;
        self->next_address = address->ai_next;
        int failure = connect_to(self, address);
        if (failure == 0)
            return;
        self->last_failure = failure;
    }
    end_by(self, "unreachable", "cannot connect", self->last_failure);
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *addresses)
{
    struct mllp_link *self = request->data;
    self->resolving = false;
    self->addresses = self->next_address = addresses;
    if (self->closed)
        free_if_gone(self);
    else if (self->ended)
        return;
    else if (status < 0)
        end_by(self, "unreachable", "its name cannot be resolved", status);
    else
        try_next(self);
}

static void on_connect_timeout(uv_timer_t *timer)
{
    end((struct mllp_link *)timer, "timeout", "it does not accept the connection in time (connect-timeout-ms)");
}

/* ---- Opening and closing ---------------------------------------------------------------------------------------- */

struct mllp_link *mllp_link_new(uv_loop_t *loop, const struct mllp_link_options *options)
{
    static const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    const struct mllp_options framing = {.frame_max_bytes = MLLP_LINK_ANSWER_MAX_BYTES, .tolerate_line_ends = true};
    struct mllp_link *self = calloc(1, sizeof *self);
    struct mllp_decoder *decoder = mllp_decoder_new(&framing);
    struct tls_context *tls = options->tls ? tls_context_share(options->tls) : NULL;
    if (!self || !decoder || (options->tls && !tls)) {
        free(self);
        mllp_decoder_destroy(&decoder);
        tls_context_destroy(&tls);
        return NULL;
    }
    self->options = *options;
    self->options.tls = tls;
    self->decoder = decoder;
    self->resolve.data = self;
    snprintf(self->host, sizeof self->host, "%s", options->host);
    snprintf(self->port, sizeof self->port, "%s", options->port);
    uv_timer_init(loop, &self->timer);
    if (uv_getaddrinfo(loop, &self->resolve, on_resolved, self->host, self->port, &hints) != 0) {
        mllp_link_close(&self);
        return NULL;
    }
    self->resolving = true;
    uv_timer_start(&self->timer, on_connect_timeout, options->connect_ms, 0);
    return self;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct mllp_link *self = (struct mllp_link *)handle;
    self->timer_gone = true;
    free_if_gone(self);
}

/* Over TLS it says that it goes, as far as the socket takes that at once. */
static void say_farewell(struct mllp_link *self)
{
    size_t len = 0;
    if (!self->ready || !self->tls || !self->socket)
        return;
    tls_stream_finish(self->tls);
    void *bytes = tls_stream_output(self->tls, &len);
    uv_buf_t buffer = uv_buf_init(bytes, (unsigned)len);
    if (len > 0)
        uv_try_write((uv_stream_t *)&self->socket->tcp, &buffer, 1);
    free(bytes);
}

void mllp_link_close(struct mllp_link **closing)
{
    struct mllp_link *self = *closing;
    *closing = NULL;
    if (!self)
        return;
    say_farewell(self);
    self->closed = true;
    self->ready = false;
    drop_socket(self);
    if (self->resolving)
        uv_cancel((uv_req_t *)&self->resolve);
    uv_close((uv_handle_t *)&self->timer, on_timer_closed);
}
