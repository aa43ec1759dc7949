/* http_engine.h - posts documents over HTTP and HTTPS on a libuv loop: many at a time, connections kept and shared
 * (libcurl). Used by the outgoing transport "http" and by FHIR subscriptions.
 *
 * Only http and https; redirects are not followed and proxies of the environment are not used: a document goes to the
 * host that its URL names, or nowhere. TLS 1.2 and later; the server is always verified. Loop thread only. */
#ifndef CAREHUB_HTTP_ENGINE_H
#define CAREHUB_HTTP_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "transport.h"

enum {
    HTTP_ANSWER_MAX_BYTES = 64 << 10, /* more of an answer is not read */
    HTTP_URL_MAX_BYTES = 2048,
    HTTP_TIMEOUT_MS = 30000,
    HTTP_CONNECT_TIMEOUT_MS = 10000,
    HTTP_RETRY_AFTER_MAX_MS = 3600 * 1000, /* asked for longer, it is asked again after this */
};

struct http_engine;
struct http_post;

struct http_post_options {
    const char *url;
    const char *content_type;
    const char *const *headers; /* "Name: value", ended by NULL; NULL: none. Copied */
    const void *body;           /* the caller's: lasts until done or cancelled */
    size_t len;
    uint32_t timeout_ms;         /* for all of it; 0: HTTP_TIMEOUT_MS */
    uint32_t connect_timeout_ms; /* name, TCP and TLS; 0: HTTP_CONNECT_TIMEOUT_MS */
    const char *tls_ca;          /* PEM files. NULL: the system's authorities */
    const char *tls_certificate; /* shown to the server; NULL: none */
    const char *tls_key;
};

/* What became of a post. Valid during done. */
struct http_response {
    enum sending_result result; /* by the status: http_result_of; DOWN when no whole answer came */
    const char *code;           /* short, static: "http-503", "timeout", "unreachable", "tls", "broken-answer" */
    const char *text;           /* for a log: what is wrong and what to do; never of the answer's body */
    int status;                 /* 0: no answer came */
    const void *body;           /* zero-terminated */
    size_t len;
    bool truncated; /* there was more than HTTP_ANSWER_MAX_BYTES */
    /* Of an answer that is DOWN: the server asks not to be asked sooner (Retry-After: RFC 9110, 10.2.3, as seconds or
     * as a date), at most HTTP_RETRY_AFTER_MAX_MS. 0: it does not say. */
    uint64_t retry_after_ms;
};

typedef void http_done_fn(void *arg, const struct http_response *response);

/* NULL without memory. */
struct http_engine *http_engine_new(uv_loop_t *loop);
/* Cancels what is on its way (done is not called), and frees itself in the loop's next turns. */
void http_engine_close(struct http_engine **self);

/* Starts a post. `done` is called once, never from within; with it the post is gone. NULL without memory, or for a URL
 * that http_url_check refuses. */
struct http_post *http_post(struct http_engine *self, const struct http_post_options *options, http_done_fn *done,
                            void *arg);
/* Gives one up; done is not called. NULL is fine. */
void http_cancel(struct http_post **post);

/* What a status means for whoever sent: 2xx: TAKEN. 410: REFUSED. DOWN is what is not about the one message: 3xx, 5xx,
 * and of 4xx 401, 403, 404, 405, 407, 408, 421, 425, 429. Any other: AGAIN. */
enum sending_result http_result_of(int status);
/* "http-503"; statuses without a name of their own are "http-4xx" and so on. Static. */
const char *http_code_of(int status);

/* Is it an absolute http or https URL without a user in it, that may be sent to: https, or http within loopback, or any
 * when clear_allowed? Else false, with what is wrong and what to do. */
bool http_url_check(const char *url, bool clear_allowed, char error[CAREHUB_ERROR_BYTES]);

#endif
