#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http_internal.h"
#include "log_line.h"

enum { BODY_FIRST_BYTES = 16 << 10 };

struct http_connection *http_connection_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

const char *http_header_of(struct MHD_Connection *mhd, const char *name)
{
    return MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, name);
}

static void enter_phase(struct http_connection *c, enum http_phase phase)
{
    c->phase = phase;
    c->since_ms = uv_now(c->server->due.loop);
}

/* ---- What is taken ---------------------------------------------------------------------------------------------- */

static void refuse_later(struct http_exchange *x, int status, const char *text)
{
    struct http_server *server = x->connection->server;
    if (x->refusal != 0)
        return;
    x->refusal = status;
    x->refusal_text = text;
    server->body_bytes -= x->body_size;
    free(x->body);
    x->body = NULL;
    x->body_len = x->body_size = 0;
}

static bool is_known(const char *method)
{
    static const char *const known[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(method, known[i]) == 0)
            return true;
    return false;
}

static bool is_plain_path(const char *path)
{
    for (const char *at = path; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            return false;
    return strlen(path) < HTTP_PATH_BYTES;
}

/* The body's length as announced; -1 if it is not, or not as a number. */
static int64_t announced_length(struct MHD_Connection *mhd)
{
    const char *text = http_header_of(mhd, MHD_HTTP_HEADER_CONTENT_LENGTH);
    char *end;
    long long length = text ? strtoll(text, &end, 10) : -1;
    return text && *end == '\0' && length >= 0 ? length : -1;
}

static bool is_compressed(struct MHD_Connection *mhd)
{
    const char *encoding = http_header_of(mhd, MHD_HTTP_HEADER_CONTENT_ENCODING);
    return encoding && encoding[0] && strcasecmp(encoding, "identity") != 0;
}

static void read_content_type(struct http_exchange *x)
{
    const char *text = http_header_of(x->connection->mhd, MHD_HTTP_HEADER_CONTENT_TYPE);
    size_t len = text ? strcspn(text, ";, \t") : 0;
    if (len >= sizeof x->content_type)
        refuse_later(x, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "the content type is too long");
    for (size_t i = 0; i < len && len < sizeof x->content_type; i++)
        x->content_type[i] = (char)tolower((unsigned char)text[i]);
}

/* Everything that can be said by the headers. */
static void look_at(struct http_exchange *x)
{
    struct http_connection *c = x->connection;
    struct http_server *server = c->server;
    if (server->quiet) {
        refuse_later(x, MHD_HTTP_SERVICE_UNAVAILABLE, "the adapter is being stopped; send it again");
    } else if (!http_peer_check(c, x->peer)) {
        LOG_LINE(LOG_LEVEL_WARNING, "connection %llu from %s: a request without valid credentials",
                 (unsigned long long)c->number, c->address);
        refuse_later(x, MHD_HTTP_UNAUTHORIZED,
                     http_header_of(c->mhd, MHD_HTTP_HEADER_AUTHORIZATION)
                         ? "these credentials are not known here; the adapter's operator can make new ones"
                         : "credentials are needed: 'Authorization: Bearer TOKEN', or Basic with name and token");
    } else if (!is_known(x->method)) {
        refuse_later(x, MHD_HTTP_METHOD_NOT_ALLOWED, "there is no such method here");
    } else if (!is_plain_path(x->path)) {
        refuse_later(x, MHD_HTTP_BAD_REQUEST, "the path is too long, or not plain text");
    } else if (announced_length(c->mhd) > server->settings.message_max_bytes) {
        refuse_later(x, MHD_HTTP_CONTENT_TOO_LARGE, "the message is larger than message-max-bytes allows");
    } else if (is_compressed(c->mhd)) {
        refuse_later(x, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "compressed messages are not taken; send it as it is");
    }
    read_content_type(x);
}

/* ---- The body --------------------------------------------------------------------------------------------------- */

/* Makes room; the budget of all requests together is kept. */
static bool grow(struct http_exchange *x, size_t wanted)
{
    struct http_server *server = x->connection->server;
    size_t max = (size_t)server->settings.message_max_bytes;
    size_t size = x->body_size > 0 ? x->body_size : BODY_FIRST_BYTES;
    while (size < wanted)
        size *= 2;
    if (size > max)
        size = max;
    if (server->body_bytes + (size - x->body_size) > HTTP_BODIES_MAX_BYTES)
        return false;
    uint8_t *grown = realloc(x->body, size);
    if (!grown)
        return false;
    server->body_bytes += size - x->body_size;
    x->body = grown;
    x->body_size = size;
    return true;
}

/* False: more than anybody needs to send to hear that it is refused. */
static bool take_part(struct http_exchange *x, const char *bytes, size_t len)
{
    size_t wanted = x->body_len + len;
    if (x->refusal == 0 && wanted > (size_t)x->connection->server->settings.message_max_bytes)
        refuse_later(x, MHD_HTTP_CONTENT_TOO_LARGE, "the message is larger than message-max-bytes allows");
    else if (x->refusal == 0 && wanted > x->body_size && !grow(x, wanted))
        refuse_later(x, MHD_HTTP_SERVICE_UNAVAILABLE, "there is no room for the message now; send it again later");
    if (x->refusal != 0) {
        x->unwanted += len;
        return x->unwanted <= HTTP_UNWANTED_MAX_BYTES;
    }
    memcpy(x->body + x->body_len, bytes, len);
    x->body_len = wanted;
    return true;
}

/* ---- Who gets it ------------------------------------------------------------------------------------------------ */

static bool is_below(const char *path, const char *prefix)
{
    size_t len = strlen(prefix);
    return strncmp(path, prefix, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

static bool offer_to_routes(struct http_exchange *x)
{
    struct http_server *server = x->connection->server;
    x->request = (struct http_request){.method = x->method,
                                       .path = x->path,
                                       .content_type = x->content_type,
                                       .peer = x->peer,
                                       .body = x->body ? x->body : (const uint8_t *)"",
                                       .body_len = x->body_len};
    for (size_t i = 0; i < server->n_routes; i++)
        if (is_below(x->path, server->routes[i].prefix) && server->routes[i].fn(server->routes[i].arg, &x->request))
            return true;
    return false;
}

static void hand_to_format(struct http_exchange *x)
{
    struct http_server *server = x->connection->server;
    const char *key = http_header_of(x->connection->mhd, "Idempotency-Key");
    if (!x->body && !(x->body = malloc(1))) {
        http_refuse(x, MHD_HTTP_SERVICE_UNAVAILABLE, "the adapter is out of memory; send it again later");
        return;
    }
    x->arrival =
        (struct arrival){.transport = &transport_in_http, .bytes = x->body, .connection = x->connection->number};
    x->arrival.native = (struct carehub_native){.bytes = x->body,
                                                .len = x->body_len,
                                                .received_ms = wall_clock_ms(),
                                                .transport = "http",
                                                .peer = x->peer,
                                                .name = x->path,
                                                .method = x->method,
                                                .content_type = x->content_type,
                                                .idempotency_key = key ? key : ""};
    x->body = NULL; /* the arrival's now */
    server->take(server->arg, &x->arrival);
}

static void answer_options(struct http_exchange *x)
{
    struct carehub_reply none = {.status = MHD_HTTP_NO_CONTENT};
    const struct http_header allow = {"Allow", "GET, HEAD, POST, PUT, OPTIONS"};
    http_answer(&x->request, &none, &allow, 1);
}

static void get_document(struct http_exchange *x)
{
    struct http_server *server = x->connection->server;
    if (!server->get || !server->get(server->arg, x->path, http_take_reply, x) || !x->response) {
        http_refuse(x, MHD_HTTP_NOT_FOUND, "there is no such document here");
        return;
    }
    http_complete(x, MHD_HTTP_OK);
}

/* It is complete. */
static void dispatch(struct http_exchange *x)
{
    struct http_server *server = x->connection->server;
    x->asked = true;
    x->next = server->waiting;
    x->link = &server->waiting;
    if (x->next)
        x->next->link = &x->next;
    server->waiting = x;
    if (offer_to_routes(x))
        return;
    if (strcmp(x->method, "POST") == 0 || strcmp(x->method, "PUT") == 0)
        hand_to_format(x);
    else if (strcmp(x->method, "GET") == 0 || strcmp(x->method, "HEAD") == 0)
        get_document(x);
    else if (strcmp(x->method, "OPTIONS") == 0)
        answer_options(x);
    else
        http_refuse(x, MHD_HTTP_METHOD_NOT_ALLOWED, "this method cannot be used on this path");
}

/* ---- Callbacks of libmicrohttpd --------------------------------------------------------------------------------- */

void *http_exchange_begin(void *cls, const char *uri, struct MHD_Connection *mhd)
{
    (void)cls, (void)uri;
    struct http_connection *c = http_connection_of(mhd);
    if (c)
        enter_phase(c, HTTP_RECEIVING);
    return NULL;
}

static struct http_exchange *exchange_new(struct http_connection *c, const char *url, const char *method)
{
    struct http_exchange *x = calloc(1, sizeof *x);
    if (!x)
        return NULL;
    x->connection = c;
    x->method = method;
    x->path = url[0] == '/' ? url + 1 : url;
    look_at(x);
    return x;
}

/* Whether a refusal goes out before the body has come: the client waits for leave to send it, or it is endless. */
static bool can_refuse_at_once(const struct http_exchange *x)
{
    struct MHD_Connection *mhd = x->connection->mhd;
    const char *expect = http_header_of(mhd, MHD_HTTP_HEADER_EXPECT);
    return x->refusal != 0 && (expect || announced_length(mhd) > HTTP_UNWANTED_MAX_BYTES);
}

static enum MHD_Result send_answer(struct http_exchange *x)
{
    enter_phase(x->connection, HTTP_HANDED_ON);
    return x->response ? MHD_queue_response(x->connection->mhd, (unsigned)x->status, x->response) : MHD_NO;
}

static enum MHD_Result send_refusal(struct http_exchange *x)
{
    struct http_server *server = x->connection->server;
    server->notice(server->arg, true);
    http_refuse(x, x->refusal, x->refusal_text);
    return send_answer(x);
}

enum MHD_Result http_exchange_step(void *cls, struct MHD_Connection *mhd, const char *url, const char *method,
                                   const char *version, const char *upload, size_t *upload_size, void **own)
{
    struct http_exchange *x = *own;
    (void)cls, (void)version;
    if (!x) {
        struct http_connection *c = http_connection_of(mhd);
        *own = x = c ? exchange_new(c, url, method) : NULL;
        if (!x)
            return MHD_NO;
        return can_refuse_at_once(x) ? send_refusal(x) : MHD_YES;
    }
    if (*upload_size > 0) {
        bool ok = take_part(x, upload, *upload_size);
        *upload_size = 0;
        return ok ? MHD_YES : MHD_NO;
    }
    if (x->refusal != 0 && !x->answered)
        return send_refusal(x);
    if (!x->asked) {
        enter_phase(x->connection, HTTP_HANDED_ON);
        dispatch(x);
    }
    if (x->answered)
        return send_answer(x);
    x->suspended = true;
    MHD_suspend_connection(mhd);
    return MHD_YES;
}

void http_exchange_end(void *cls, struct MHD_Connection *mhd, void **own, enum MHD_RequestTerminationCode why)
{
    struct http_exchange *x = *own;
    struct http_connection *c = http_connection_of(mhd);
    (void)cls, (void)why;
    *own = NULL;
    if (c)
        enter_phase(c, HTTP_BETWEEN);
    if (!x)
        return;
    x->connection->server->body_bytes -= x->body_size;
    if (x->response)
        MHD_destroy_response(x->response);
    free(x->arrival.bytes);
    free(x->body);
    free(x);
}

/* ---- What a route asks ------------------------------------------------------------------------------------------ */

static const struct http_exchange *exchange_of(const struct http_request *request)
{
    return (const struct http_exchange *)((const char *)request - offsetof(struct http_exchange, request));
}

const char *http_request_header(const struct http_request *request, const char *name)
{
    return http_header_of(exchange_of(request)->connection->mhd, name);
}

const char *http_request_query(const struct http_request *request, const char *name)
{
    const char *value = NULL;
    struct MHD_Connection *mhd = exchange_of(request)->connection->mhd;
    if (MHD_lookup_connection_value_n(mhd, MHD_GET_ARGUMENT_KIND, name, strlen(name), &value, NULL) != MHD_YES)
        return NULL;
    return value ? value : "";
}

/* A host and perhaps a port, of the characters that these can have. */
static bool is_host(const char *text)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]";
    return text && text[0] && text[strspn(text, allowed)] == '\0';
}

bool http_request_base(const struct http_request *request, char *out, size_t size)
{
    const struct http_server *server = exchange_of(request)->connection->server;
    const char *host = http_request_header(request, MHD_HTTP_HEADER_HOST);
    char own[LISTEN_TEXT_BYTES];
    listen_address_text(&server->address, own, sizeof own);
    int len = snprintf(out, size, "%s://%s/", server->tls ? "https" : "http", is_host(host) ? host : own);
    return len > 0 && (size_t)len < size;
}
