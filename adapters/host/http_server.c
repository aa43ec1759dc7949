#include "http_server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http_internal.h"
#include "log_line.h"
#include "settings.h"

enum {
    SWEEP_MS = 500,
    LAST_RUNS = 256, /* of the daemon before it stops, so that answers go out */
};

/* ---- The daemon and the loop ------------------------------------------------------------------------------------ */

static void on_due(uv_timer_t *timer);

/* The daemon wants to run at some time even if nothing comes: what is ready already, and connections that time out. */
static void set_due(struct http_server *server)
{
    MHD_UNSIGNED_LONG_LONG wait_ms = 0;
    if (server->again || MHD_get_timeout(server->daemon, &wait_ms) == MHD_YES)
        uv_timer_start(&server->due, on_due, wait_ms, 0);
    else
        uv_timer_stop(&server->due);
}

static void run(struct http_server *server)
{
    server->again = false;
    MHD_run(server->daemon);
    set_due(server);
}

void http_server_resume(struct http_server *server, struct MHD_Connection *mhd)
{
    MHD_resume_connection(mhd);
    server->again = true;
    uv_timer_start(&server->due, on_due, 0, 0);
}

static void on_due(uv_timer_t *timer)
{
    run(timer->data);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    (void)status, (void)events;
    run(poll->data);
}

/* ---- Connections ------------------------------------------------------------------------------------------------ */

static int socket_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info ? info->connect_fd : -1;
}

/* libmicrohttpd finds the end of the input, and closes. */
static void cut_off(struct http_connection *c)
{
    shutdown(socket_of(c->mhd), SHUT_RDWR);
}

static void connection_started(struct http_server *server, struct MHD_Connection *mhd, void **own)
{
    struct http_connection *c = calloc(1, sizeof *c);
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    *own = c;
    if (!c) {
        shutdown(socket_of(mhd), SHUT_RDWR);
        return;
    }
    c->server = server;
    c->mhd = mhd;
    c->number = ++server->last_number;
    c->since_ms = uv_now(server->due.loop);
    c->next = server->connections;
    c->link = &server->connections;
    if (c->next)
        c->next->link = &c->next;
    server->connections = c;
    if (info)
        listen_address_text((const struct sockaddr_storage *)(const void *)info->client_addr, c->address,
                            sizeof c->address);
    if (!http_peer_prepare(c))
        cut_off(c);
    LOG_LINE(LOG_LEVEL_DEBUG, "connection %llu from %s", (unsigned long long)c->number, c->address);
    server->notice(server->arg, false);
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **own, enum MHD_ConnectionNotificationCode what)
{
    struct http_connection *c = *own;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        connection_started(cls, mhd, own);
    } else if (c) {
        c->server->again = true; /* where all that may be were open, the daemon listens again from its next run on */
        *own = NULL;
        *c->link = c->next;
        if (c->next)
            c->next->link = c->link;
        http_tls_leave(&c->tls); /* its session has ended before */
        free(c);
    }
}

/* libmicrohttpd overlooks an end that came together with the last bytes: the system tells of both but once. */
static bool has_gone(const struct http_connection *c)
{
    char byte;
    return recv(socket_of(c->mhd), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* A request that does not come to its end; also one of whose first line only bits come. */
static void check_progress(struct http_connection *c, uint64_t now_ms)
{
    static const char timed_out[] = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    const struct listen_settings *s = &c->server->settings;
    uint64_t taken_ms = now_ms - c->since_ms;
    bool receiving = c->phase == HTTP_RECEIVING;
    if (c->phase == HTTP_HANDED_ON)
        return;
    bool gone = has_gone(c);
    if (!gone && taken_ms < (uint64_t)(receiving ? s->message_ms : s->message_ms + s->idle_ms))
        return;
    if (receiving && !gone) {
        LOG_LINE(LOG_LEVEL_WARNING, "connection %llu from %s: a request did not come to its end within %lld ms; closed",
                 (unsigned long long)c->number, c->address, (long long)s->message_ms);
        c->server->notice(c->server->arg, true);
        if (!c->server->pem.certificate) /* libmicrohttpd has said nothing yet, and cannot say this */
            send(socket_of(c->mhd), timed_out, sizeof timed_out - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    c->since_ms = now_ms; /* once is enough */
    cut_off(c);
}

static void on_sweep(uv_timer_t *timer)
{
    struct http_server *server = timer->data;
    for (struct http_connection *c = server->connections; c; c = c->next)
        check_progress(c, uv_now(timer->loop));
}

/* ---- Opening ---------------------------------------------------------------------------------------------------- */

static bool read_files(struct http_server *self, char error[CAREHUB_ERROR_BYTES])
{
    const struct listen_settings *s = &self->settings;
    char text[CAREHUB_ERROR_BYTES / 2];
    if (s->tls_certificate &&
        !http_tls_read(s->tls_certificate, s->tls_key, s->tls_client_ca, &self->pem, &self->tls, error))
        return false;
    if (s->credentials && !(self->credentials = credentials_new(s->credentials, text, sizeof text)))
        return settings_complain(error, "in/http", "%s", text);
    return true;
}

/* The listening socket, or -1. It is made here for the sake of a plain error. */
static int listen_socket(struct http_server *self, char error[CAREHUB_ERROR_BYTES])
{
    const struct sockaddr *address = (const struct sockaddr *)&self->settings.address;
    socklen_t size = address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    socklen_t room = sizeof self->address;
    int yes = 1, fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 && bind(fd, address, size) == 0 &&
        listen(fd, LISTEN_BACKLOG) == 0 && getsockname(fd, (struct sockaddr *)&self->address, &room) == 0)
        return fd;
    settings_complain(error, "in/http", "cannot listen on %s: %s", self->settings.endpoint, strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

static struct MHD_Daemon *start_daemon(struct http_server *self, int fd)
{
    const struct listen_settings *s = &self->settings;
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, self->pem.certificate},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, self->pem.key},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"},
        {self->pem.client_ca ? MHD_OPTION_HTTPS_MEM_TRUST : MHD_OPTION_END, 0, self->pem.client_ca},
        {MHD_OPTION_END, 0, NULL},
    };
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | (self->pem.certificate ? MHD_USE_TLS : 0);
    return MHD_start_daemon(flags, 0, NULL, NULL, http_exchange_step, self,                       //
                            MHD_OPTION_LISTEN_SOCKET, fd,                                         //
                            MHD_OPTION_CONNECTION_LIMIT, (unsigned)s->connections_max,            //
                            MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)((s->idle_ms + 999) / 1000), //
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_CONNECTION_BYTES,    //
                            MHD_OPTION_STRICT_FOR_CLIENT, 1,                                      //
                            MHD_OPTION_URI_LOG_CALLBACK, http_exchange_begin, self,               //
                            MHD_OPTION_NOTIFY_COMPLETED, http_exchange_end, self,                 //
                            MHD_OPTION_NOTIFY_CONNECTION, on_connection, self,                    //
                            MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,                                 //
                            MHD_OPTION_ARRAY, self->pem.certificate ? tls : none, MHD_OPTION_END);
}

static void free_server(struct http_server *self)
{
    credentials_destroy(&self->credentials);
    listen_settings_free(&self->settings);
    http_tls_leave(&self->tls);
    http_pem_clear(&self->pem);
    free(self);
}

static bool prepare(struct http_server *self, const struct transport_in_options *options,
                    char error[CAREHUB_ERROR_BYTES])
{
    self->take = options->take;
    self->notice = options->notice;
    self->get = options->get;
    self->arg = options->arg;
    if (!listen_settings_read(&self->settings, LISTEN_HTTP, options->section, options->folder, error) ||
        !read_files(self, error))
        return false;
    int fd = listen_socket(self, error);
    if (fd < 0)
        return false;
    self->daemon = start_daemon(self, fd);
    if (self->daemon)
        return true;
    close(fd);
    return settings_complain(error, "in/http", "the HTTP server cannot be started%s",
                             self->pem.certificate ? ": tls-certificate, tls-key or tls-client-ca cannot be used" : "");
}

static void *server_open(uv_loop_t *loop, const struct transport_in_options *options, char error[CAREHUB_ERROR_BYTES])
{
    struct http_server *self = calloc(1, sizeof *self);
    if (!self) {
        settings_complain(error, "in/http", "out of memory");
        return NULL;
    }
    if (!prepare(self, options, error)) {
        free_server(self);
        return NULL;
    }
    int failure =
        uv_poll_init(loop, &self->poll, MHD_get_daemon_info(self->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd);
    if (failure != 0) {
        settings_complain(error, "in/http", "the HTTP server cannot be started: %s", uv_strerror(failure));
        MHD_stop_daemon(self->daemon);
        free_server(self);
        return NULL;
    }
    uv_timer_init(loop, &self->due);
    uv_timer_init(loop, &self->sweep);
    self->poll.data = self->due.data = self->sweep.data = self;
    self->handles = 3;
    uv_poll_start(&self->poll, UV_READABLE, on_poll);
    uv_timer_start(&self->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
    uv_timer_start(&self->due, on_due, 0, 0); /* the daemon watches its socket from its first run on */
    return self;
}

static bool check(const struct transport_in_options *options, char error[CAREHUB_ERROR_BYTES])
{
    struct listen_settings settings;
    bool ok = listen_settings_read(&settings, LISTEN_HTTP, options->section, options->folder, error);
    listen_settings_free(&settings);
    return ok;
}

static void endpoint(const void *self, char *out, size_t size)
{
    const struct http_server *server = self;
    char address[LISTEN_TEXT_BYTES];
    listen_address_text(&server->address, address, sizeof address);
    snprintf(out, size, "%s://%s/", server->pem.certificate ? "https" : "http", address);
}

bool http_server_route(void *self, const char *prefix, http_route_fn *fn, void *arg)
{
    struct http_server *server = self;
    if (server->n_routes == HTTP_ROUTES_MAX || strlen(prefix) >= HTTP_PREFIX_BYTES)
        return false;
    struct http_route *route = &server->routes[server->n_routes++];
    snprintf(route->prefix, sizeof route->prefix, "%s", prefix);
    route->fn = fn;
    route->arg = arg;
    return true;
}

/* libmicrohttpd keeps what it was started with, and gives it to nobody. */
static bool renew(void *self, char error[CAREHUB_ERROR_BYTES])
{
    struct http_server *server = self;
    const struct listen_settings *s = &server->settings;
    struct http_tls *renewed;
    struct http_pem pem;
    if (!server->tls)
        return true;
    if (!http_tls_read(s->tls_certificate, s->tls_key, s->tls_client_ca, &pem, &renewed, error))
        return false;
    http_pem_clear(&pem);
    http_tls_leave(&server->tls); /* connections that use it keep it */
    server->tls = renewed;
    return true;
}

/* ---- Ending ----------------------------------------------------------------------------------------------------- */

static void quiesce(void *self)
{
    struct http_server *server = self;
    if (server->quiet)
        return;
    server->quiet = true;
    int fd = MHD_quiesce_daemon(server->daemon);
    if (fd >= 0)
        close(fd);
}

static void on_closed(uv_handle_t *handle)
{
    struct http_server *server = handle->data;
    if (--server->handles == 0)
        free_server(server);
}

static void server_close(void *self)
{
    struct http_server *server = self;
    MHD_UNSIGNED_LONG_LONG wait_ms = 0;
    quiesce(server);
    http_answer_all(server);
    for (int i = 0; i < LAST_RUNS && wait_ms == 0; i++) {
        MHD_run(server->daemon);
        if (MHD_get_timeout(server->daemon, &wait_ms) != MHD_YES)
            break;
    }
    uv_close((uv_handle_t *)&server->poll, on_closed);
    uv_close((uv_handle_t *)&server->due, on_closed);
    uv_close((uv_handle_t *)&server->sweep, on_closed);
    MHD_stop_daemon(server->daemon);
}

const struct transport_in transport_in_http = {
    .name = "http",
    .check = check,
    .open = server_open,
    .endpoint = endpoint,
    .reply = http_reply,
    .answered = http_answered,
    .quiesce = quiesce,
    .close = server_close,
    .renew = renew,
};
