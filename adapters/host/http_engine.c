/* http_engine.c - libcurl's multi interface on libuv: curl says which sockets and which timer it wants watched, and is
 * told what happened to them. */
#include "http_engine.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http_status.h"

enum { ANSWER_FIRST_BYTES = 1024, CONNECTIONS_MAX = 256, PER_HOST_MAX = 8 };

struct http_engine {
    uv_timer_t timer; /* first */
    CURLM *multi;     /* NULL: closing */
    struct http_post *posts;
    int handles; /* not yet closed */
};

struct http_post {
    struct http_engine *engine;
    struct http_post *next, **link;
    CURL *easy;
    struct curl_slist *headers;
    http_done_fn *done;
    void *arg;
    char *answer; /* zero-terminated */
    size_t len, room;
    bool head_ended, truncated, out_of_memory;
    char error[CURL_ERROR_SIZE];
};

/* A socket that curl wants watched. */
struct watch {
    uv_poll_t poll; /* first */
    struct http_engine *engine;
    curl_socket_t socket;
};

/* ---- Ends ------------------------------------------------------------------------------------------------------- */

/* Nobody can cancel it any more, and curl has forgotten it. */
static void take_out(struct http_post *post)
{
    *post->link = post->next;
    if (post->next)
        post->next->link = post->link;
    if (post->easy)
        curl_multi_remove_handle(post->engine->multi, post->easy);
}

static void free_post(struct http_post *post)
{
    curl_easy_cleanup(post->easy);
    curl_slist_free_all(post->headers);
    free(post->answer);
    free(post);
}

static uint64_t retry_after_of(CURL *easy)
{
    curl_off_t seconds = 0;
    if (curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &seconds) != CURLE_OK || seconds <= 0)
        return 0;
    return seconds < HTTP_RETRY_AFTER_MAX_MS / 1000 ? (uint64_t)seconds * 1000 : HTTP_RETRY_AFTER_MAX_MS;
}

/* The answer as curl left it. */
static void describe(struct http_post *post, CURLcode ended, struct http_response *response)
{
    long status = 0;
    curl_easy_getinfo(post->easy, CURLINFO_RESPONSE_CODE, &status);
    bool whole = post->head_ended && (ended == CURLE_OK || (ended == CURLE_WRITE_ERROR && post->truncated));
    *response = (struct http_response){.status = (int)status,
                                       .body = post->answer ? post->answer : "",
                                       .len = post->len,
                                       .truncated = post->truncated};
    if (whole) {
        response->result = http_result_of((int)status);
        response->code = http_code_of((int)status);
        response->text = http_text_of((int)status);
        response->retry_after_ms = response->result == SENDING_DOWN ? retry_after_of(post->easy) : 0;
    } else {
        response->result = SENDING_DOWN;
        response->code = http_failure_code(post->out_of_memory ? CURLE_OUT_OF_MEMORY : ended);
        response->text = ended == CURLE_OK        ? "the connection ended inside its answer"
                         : post->error[0] != '\0' ? post->error
                                                  : curl_easy_strerror(ended);
    }
}

static void complete(struct http_post *post, CURLcode ended)
{
    struct http_response response;
    describe(post, ended, &response);
    take_out(post); /* before done, which may close the engine */
    post->done(post->arg, &response);
    free_post(post);
}

/* The server closed a kept connection without saying so, while this was on its way there: once more, on a new one.
 * Whoever receives knows what comes twice. curl does this by itself only where nothing had been sent yet. */
static bool send_anew(struct http_post *post, CURLcode ended)
{
    long connected = 1;
    bool lost = ended == CURLE_SEND_ERROR || ended == CURLE_RECV_ERROR || ended == CURLE_GOT_NOTHING;
    curl_easy_getinfo(post->easy, CURLINFO_NUM_CONNECTS, &connected);
    if (!lost || connected > 0 || post->head_ended)
        return false;
    curl_multi_remove_handle(post->engine->multi, post->easy);
    return curl_easy_setopt(post->easy, CURLOPT_FRESH_CONNECT, 1L) == CURLE_OK &&
           curl_multi_add_handle(post->engine->multi, post->easy) == CURLM_OK;
}

static void complete_those_done(struct http_engine *self)
{
    int left;
    for (CURLMsg *message; self->multi && (message = curl_multi_info_read(self->multi, &left));) {
        struct http_post *post = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode ended = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&post);
        if (!send_anew(post, ended))
            complete(post, ended);
    }
}

/* ---- Sockets and the timer -------------------------------------------------------------------------------------- */

static void handle_gone(struct http_engine *self)
{
    if (--self->handles == 0) {
        free(self);
        curl_global_cleanup();
    }
}

static void on_watch_closed(uv_handle_t *handle)
{
    struct watch *watch = (struct watch *)handle;
    handle_gone(watch->engine);
    free(watch);
}

static void act(struct http_engine *self, curl_socket_t socket, int what)
{
    int running;
    curl_multi_socket_action(self->multi, socket, what, &running);
    complete_those_done(self);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    const struct watch *watch = (const struct watch *)poll;
    int what = status < 0 ? CURL_CSELECT_ERR : 0;
    if (events & UV_READABLE)
        what |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        what |= CURL_CSELECT_OUT;
    act(watch->engine, watch->socket, what);
}

static struct watch *watch_new(struct http_engine *self, curl_socket_t socket)
{
    struct watch *watch = calloc(1, sizeof *watch);
    if (!watch || uv_poll_init_socket(self->timer.loop, &watch->poll, socket) != 0) {
        free(watch);
        return NULL;
    }
    watch->engine = self;
    watch->socket = socket;
    self->handles++;
    curl_multi_assign(self->multi, socket, watch);
    return watch;
}

/* curl wants a socket watched in another way than before, or no more. */
static int on_socket(CURL *easy, curl_socket_t socket, int what, void *arg, void *known)
{
    struct http_engine *self = arg;
    struct watch *watch = known;
    int events = (what != CURL_POLL_OUT ? UV_READABLE : 0) | (what != CURL_POLL_IN ? UV_WRITABLE : 0);
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (watch)
            uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
        curl_multi_assign(self->multi, socket, NULL);
        return 0;
    }
    if (!watch && !(watch = watch_new(self, socket)))
        return -1;
    return uv_poll_start(&watch->poll, events, on_poll) == 0 ? 0 : -1;
}

static void on_time(uv_timer_t *timer)
{
    act((struct http_engine *)timer, CURL_SOCKET_TIMEOUT, 0);
}

static int on_timer_wanted(CURLM *multi, long delay_ms, void *arg)
{
    struct http_engine *self = arg;
    (void)multi;
    if (delay_ms < 0)
        return uv_timer_stop(&self->timer);
    return uv_timer_start(&self->timer, on_time, (uint64_t)delay_ms, 0);
}

/* ---- Posting ---------------------------------------------------------------------------------------------------- */

/* A head that is cut off is no error to curl. */
static size_t on_header(char *line, size_t one, size_t n, void *arg)
{
    struct http_post *post = arg;
    (void)one;
    if (n >= 5 && memcmp(line, "HTTP/", 5) == 0)
        post->head_ended = false; /* after one that was only preliminary */
    else if (n > 0 && (line[0] == '\r' || line[0] == '\n'))
        post->head_ended = true;
    return n;
}

/* Takes what has room and ends the transfer there. */
static size_t on_answer(char *bytes, size_t one, size_t n, void *arg)
{
    struct http_post *post = arg;
    size_t left = HTTP_ANSWER_MAX_BYTES - post->len, taken = n < left ? n : left;
    (void)one;
    if (post->len + taken + 1 > post->room) {
        size_t room = post->room ? post->room : ANSWER_FIRST_BYTES;
        while (room < post->len + taken + 1)
            room *= 2;
        char *grown = realloc(post->answer, room);
        if (!grown) {
            post->out_of_memory = true;
            return 0;
        }
        post->answer = grown;
        post->room = room;
    }
    memcpy(post->answer + post->len, bytes, taken);
    post->len += taken;
    post->answer[post->len] = '\0';
    post->truncated = taken < n;
    return taken;
}

static bool add_header(struct http_post *post, const char *line)
{
    struct curl_slist *list = curl_slist_append(post->headers, line);
    if (list)
        post->headers = list;
    return list != NULL;
}

static bool set_headers(struct http_post *post, const struct http_post_options *options)
{
    char type[256];
    snprintf(type, sizeof type, "Content-Type: %s",
             options->content_type ? options->content_type : "application/octet-stream");
    /* Without Expect curl does not wait for leave to send what is large. */
    bool ok = add_header(post, type) && add_header(post, "Expect:");
    for (const char *const *line = options->headers; ok && line && *line; line++)
        ok = add_header(post, *line);
    return ok && curl_easy_setopt(post->easy, CURLOPT_HTTPHEADER, post->headers) == CURLE_OK;
}

static bool set_tls(CURL *easy, const struct http_post_options *options)
{
    /* Files are read anew for each connection, so that a renewed one is used; else curl keeps authorities for a day. */
    bool ok = curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 0L) == CURLE_OK;
    if (ok && options->tls_ca)
        ok = curl_easy_setopt(easy, CURLOPT_CAINFO, options->tls_ca) == CURLE_OK &&
             curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) == CURLE_OK; /* those and no others */
    if (ok && options->tls_certificate)
        ok = curl_easy_setopt(easy, CURLOPT_SSLCERT, options->tls_certificate) == CURLE_OK &&
             curl_easy_setopt(easy, CURLOPT_SSLKEY, options->tls_key) == CURLE_OK;
    return ok;
}

static bool set_up(struct http_post *post, const struct http_post_options *options)
{
    CURL *easy = post->easy;
    long timeout_ms = options->timeout_ms ? (long)options->timeout_ms : HTTP_TIMEOUT_MS;
    long connect_ms = options->connect_timeout_ms ? (long)options->connect_timeout_ms : HTTP_CONNECT_TIMEOUT_MS;
    return curl_easy_setopt(easy, CURLOPT_URL, options->url) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_USERAGENT, "carehub-adapter/" CAREHUB_VERSION) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, connect_ms) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_POST, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_POSTFIELDS, options->len ? options->body : "") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)options->len) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HEADERDATA, post) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_answer) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEDATA, post) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, post->error) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PRIVATE, post) == CURLE_OK && set_tls(easy, options) &&
           set_headers(post, options);
}

struct http_post *http_post(struct http_engine *self, const struct http_post_options *options, http_done_fn *done,
                            void *arg)
{
    char error[CAREHUB_ERROR_BYTES];
    struct http_post *post = http_url_check(options->url, true, error) ? calloc(1, sizeof *post) : NULL;
    if (!post)
        return NULL;
    post->engine = self;
    post->done = done;
    post->arg = arg;
    post->next = self->posts;
    post->link = &self->posts;
    if (post->next)
        post->next->link = &post->next;
    self->posts = post;
    post->easy = curl_easy_init();
    if (!post->easy || !set_up(post, options) || curl_multi_add_handle(self->multi, post->easy) != CURLM_OK) {
        take_out(post);
        free_post(post);
        return NULL;
    }
    return post;
}

void http_cancel(struct http_post **post)
{
    if (!*post)
        return;
    take_out(*post);
    free_post(*post);
    *post = NULL;
}

/* ---- The engine ------------------------------------------------------------------------------------------------- */

struct http_engine *http_engine_new(uv_loop_t *loop)
{
    struct http_engine *self = calloc(1, sizeof *self);
    if (!self || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(self);
        return NULL;
    }
    self->multi = curl_multi_init();
    if (!self->multi || uv_timer_init(loop, &self->timer) != 0) {
        curl_multi_cleanup(self->multi);
        curl_global_cleanup();
        free(self);
        return NULL;
    }
    self->handles = 1;
    curl_multi_setopt(self->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(self->multi, CURLMOPT_SOCKETDATA, self);
    curl_multi_setopt(self->multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted);
    curl_multi_setopt(self->multi, CURLMOPT_TIMERDATA, self);
    curl_multi_setopt(self->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)CONNECTIONS_MAX);
    curl_multi_setopt(self->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)PER_HOST_MAX);
    return self;
}

static void on_timer_closed(uv_handle_t *handle)
{
    handle_gone((struct http_engine *)handle);
}

void http_engine_close(struct http_engine **closing)
{
    struct http_engine *self = *closing;
    *closing = NULL;
    if (!self)
        return;
    for (struct http_post *post; (post = self->posts);)
        http_cancel(&post);
    curl_multi_cleanup(self->multi); /* ends the connections that were kept; it may still speak to on_socket */
    self->multi = NULL;
    uv_close((uv_handle_t *)&self->timer, on_timer_closed);
}
