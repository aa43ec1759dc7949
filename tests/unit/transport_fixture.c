#include "transport_fixture.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

/* ---- The host --------------------------------------------------------------------------------------------------- */

static void answer(struct stub *self, struct arrival *a, const char *text, size_t len)
{
    static const uint8_t ids[1][16] = {{1}};
    struct carehub_message message = {.native = &a->native, .verdict = CAREHUB_MESSAGE_EVENTS};
    struct carehub_outcome outcome = {.text = "", .n_ids = 1, .ids = ids};
    struct carehub_reply reply = {.bytes = text, .len = len};
    char what[STUB_TEXT_BYTES];
    snprintf(what, sizeof what, "%.*s", (int)len, text);
    if (strstr(what, "unavailable") && (self->unavailable < 0 || self->unavailable-- > 0)) {
        outcome.fault = CAREHUB_FAULT_UNAVAILABLE;
        outcome.text = "not now";
    } else if (strstr(what, "wrong") || strstr(what, "unreadable")) {
        a->unread = strstr(what, "unreadable") != NULL;
        outcome.fault = CAREHUB_FAULT_NATIVE;
        message.verdict = CAREHUB_MESSAGE_ERROR;
        message.problem = (struct carehub_problem){"PID-3", "it is missing", "a rule"};
    } else if (strstr(what, "duplicate")) {
        outcome.fault = CAREHUB_FAULT_DUPLICATE;
        outcome.text = "its id stands for something else";
    } else if (strstr(what, "forbidden")) {
        outcome.fault = CAREHUB_FAULT_NOT_ALLOWED;
        outcome.text = "not from here";
    } else if (strstr(what, "unknown")) {
        outcome.fault = CAREHUB_FAULT_IDENTITY;
        outcome.text = "no such patient";
    } else if (strstr(what, "nothing")) {
        message.verdict = CAREHUB_MESSAGE_NOTHING;
        message.why = "not-of-interest";
    } else if (strstr(what, "repeat")) {
        outcome.repeat = true;
    } else if (strstr(what, "spooled")) {
        outcome.spooled = true;
    }
    if (strstr(what, "reply")) {
        reply.status = 299;
        reply.content_type = "application/fhir+json";
        reply.location = "fhir/Observation/17";
    }
    if (strstr(what, "reply") || strcmp(a->native.transport, "mllp") == 0)
        a->transport->reply(a, &reply);
    a->transport->answered(a, &message, &outcome);
}

static void on_taken(void *arg, struct arrival *a)
{
    struct stub *self = arg;
    uv_mutex_lock(&self->lock);
    struct stub_taken *t = &self->taken[self->n_taken % STUB_TAKEN_MAX];
    snprintf(t->text, sizeof t->text, "%.*s", (int)a->native.len, (const char *)a->native.bytes);
    snprintf(t->name, sizeof t->name, "%s", a->native.name);
    snprintf(t->method, sizeof t->method, "%s", a->native.method);
    snprintf(t->content_type, sizeof t->content_type, "%s", a->native.content_type);
    snprintf(t->idempotency_key, sizeof t->idempotency_key, "%s", a->native.idempotency_key);
    snprintf(t->peer, sizeof t->peer, "%s", a->native.peer);
    t->len = a->native.len;
    t->connection = a->connection;
    self->n_taken++;
    bool at_once = strstr(t->text, "at once") != NULL;
    if (strstr(t->text, "hold") && !self->released_once)
        self->held[self->n_held++] = a;
    else if (!at_once)
        self->fresh[self->n_fresh++] = a;
    uv_mutex_unlock(&self->lock);
    if (at_once)
        answer(self, a, t->text, strlen(t->text));
    else
        uv_async_send(&self->wake);
}

static void answer_list(struct stub *self, struct arrival **list, size_t *count)
{
    while (true) {
        char text[STUB_TEXT_BYTES];
        uv_mutex_lock(&self->lock);
        struct arrival *a = *count > 0 ? list[0] : NULL;
        if (a)
            memmove(list, list + 1, --*count * sizeof *list);
        uv_mutex_unlock(&self->lock);
        if (!a)
            return;
        snprintf(text, sizeof text, "%.*s", (int)a->native.len, (const char *)a->native.bytes);
        free(a->bytes); /* as the host does when it needs them no longer */
        a->bytes = NULL;
        a->native.bytes = NULL;
        answer(self, a, text, strlen(text));
    }
}

static void on_notice(void *arg, bool broken)
{
    struct stub *self = arg;
    uv_mutex_lock(&self->lock);
    *(broken ? &self->n_broken : &self->n_connections) += 1;
    uv_mutex_unlock(&self->lock);
}

static bool on_get(void *arg, const char *path, carehub_reply_fn *fn, void *reply_arg)
{
    (void)arg;
    if (strcmp(path, "fhir/metadata") != 0)
        return false;
    fn(reply_arg, &(struct carehub_reply){.bytes = "{\"a\":1}", .len = 7});
    return true;
}

/* Echoes what it was asked; "later" when it is told to. */
static void answer_request(struct http_request *request)
{
    char text[512], base[128];
    const char *query = http_request_query(request, "n"), *header = http_request_header(request, "x-question");
    assert_true(http_request_base(request, base, sizeof base));
    int len =
        snprintf(text, sizeof text, "%s %s n=%s x=%s body=%.*s base=%s", request->method, request->path,
                 query ? query : "-", header ? header : "-", (int)request->body_len, (const char *)request->body, base);
    const struct http_header headers[] = {{"ETag", "W/\"1\""}};
    http_answer(request,
                &(struct carehub_reply){.status = 200, .content_type = "text/plain", .bytes = text, .len = (size_t)len},
                headers, 1);
}

static bool on_route(void *arg, struct http_request *request)
{
    struct stub *self = arg;
    if (strstr(request->path, "not-mine"))
        return false;
    if (!strstr(request->path, "later")) {
        answer_request(request);
        return true;
    }
    uv_mutex_lock(&self->lock);
    self->routed = request;
    uv_mutex_unlock(&self->lock);
    return true;
}

/* ---- Its thread ------------------------------------------------------------------------------------------------- */

static void on_wake(uv_async_t *wake)
{
    struct stub *self = wake->data;
    if (self->stopping)
        self->transport->quiesce(self->server);
    answer_list(self, self->fresh, &self->n_fresh);
    if (self->releasing || self->stopping)
        answer_list(self, self->held, &self->n_held);
    self->releasing = false;
    if (self->answer_routed && self->routed) {
        answer_request(self->routed);
        self->routed = NULL;
    }
    if (self->stopping) {
        self->transport->close(self->server);
        uv_close((uv_handle_t *)wake, NULL);
    }
}

static void run(void *arg)
{
    struct stub *self = arg;
    uv_run(&self->loop, UV_RUN_DEFAULT);
}

int64_t stub_time_ms;

static int64_t time_ms(void *arg)
{
    (void)arg;
    return stub_time_ms;
}

struct stub *stub_new(const struct transport_in *transport, const struct stub_setting *settings,
                      char error[CAREHUB_ERROR_BYTES])
{
    struct stub *self = calloc(1, sizeof *self);
    struct transport_in_options options = {
        .section = &self->settings[0], .folder = "", .take = on_taken, .notice = on_notice, .get = on_get, .arg = self};
    if (stub_time_ms != 0)
        options.time_ms = time_ms;
    signal(SIGPIPE, SIG_IGN); /* as the host does */
    self->transport = transport;
    self->unavailable = -1;
    self->settings[0] =
        (struct carehub_setting){.name = "in", .value = "", .first = settings[0].name ? &self->settings[1] : NULL};
    for (size_t i = 0; settings[i].name; i++)
        self->settings[i + 1] = (struct carehub_setting){.name = settings[i].name,
                                                         .value = settings[i].value,
                                                         .next = settings[i + 1].name ? &self->settings[i + 2] : NULL};
    uv_loop_init(&self->loop);
    uv_mutex_init(&self->lock);
    error[0] = '\0';
    bool ok = transport->check(&options, error);
    assert_true(ok || error[0]);
    self->server = transport->open(&self->loop, &options, error);
    if (!self->server) {
        uv_run(&self->loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&self->loop), 0);
        uv_mutex_destroy(&self->lock);
        free(self);
        return NULL;
    }
    assert_true(ok);
    transport->endpoint(self->server, self->endpoint, sizeof self->endpoint);
    if (transport == &transport_in_http)
        assert_true(http_server_route(self->server, "fhir/Subscription", on_route, self));
    uv_async_init(&self->loop, &self->wake, on_wake);
    self->wake.data = self;
    uv_thread_create(&self->thread, run, self);
    return self;
}

struct stub *stub_start(const struct transport_in *transport, const struct stub_setting *settings)
{
    char error[CAREHUB_ERROR_BYTES];
    struct stub *self = stub_new(transport, settings, error);
    if (!self)
        fail_msg("%s", error);
    return self;
}

void stub_stop(struct stub **self)
{
    (*self)->stopping = true;
    uv_async_send(&(*self)->wake);
    uv_thread_join(&(*self)->thread);
    assert_int_equal(uv_loop_close(&(*self)->loop), 0);
    uv_mutex_destroy(&(*self)->lock);
    free(*self);
    *self = NULL;
}

void stub_release(struct stub *self)
{
    self->released_once = self->releasing = true;
    uv_async_send(&self->wake);
}

void stub_answer_routed(struct stub *self)
{
    self->answer_routed = true;
    uv_async_send(&self->wake);
}

static size_t locked(struct stub *self, const size_t *value)
{
    uv_mutex_lock(&self->lock);
    size_t now = *value;
    uv_mutex_unlock(&self->lock);
    return now;
}

size_t stub_taken_count(struct stub *self)
{
    return locked(self, &self->n_taken);
}

size_t stub_held_count(struct stub *self)
{
    return locked(self, &self->n_held);
}

size_t stub_broken_count(struct stub *self)
{
    return locked(self, &self->n_broken);
}

bool stub_has_routed(struct stub *self)
{
    uv_mutex_lock(&self->lock);
    bool has = self->routed != NULL;
    uv_mutex_unlock(&self->lock);
    return has;
}

unsigned stub_port(const struct stub *self)
{
    return (unsigned)strtoul(strrchr(self->endpoint, ':') + 1, NULL, 10);
}

int stub_connect(const struct stub *self)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)stub_port(self)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval limit = {.tv_sec = 10};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}
