/* http_server.h - requests of the HTTP transport (transport_in_http) for other parts of the host than its format: they
 * take them by path, before the format sees them. FHIR Subscriptions are served so.
 *
 * Whoever sent a request has been authenticated before it gets here, and its body is complete and within
 * message-max-bytes. All on the loop thread. */
#ifndef CAREHUB_HTTP_SERVER_H
#define CAREHUB_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "carehub_adapter.h"

enum {
    HTTP_ROUTES_MAX = 8,         /* of one server */
    HTTP_ANSWER_HEADERS_MAX = 8, /* of one answer, beside those of struct carehub_reply */
};

/* A request that waits for its answer. All texts are never NULL, and last until it is answered, also when the client
 * has gone. */
struct http_request {
    const char *method;       /* "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE" or "OPTIONS" */
    const char *path;         /* unescaped, without leading slash and query: "fhir/Subscription/17/$status" */
    const char *content_type; /* without parameters, in lower case; "" if there is none */
    const char *peer;         /* who sent it, as authenticated; "" when the endpoint authenticates nobody */
    const void *body;
    size_t body_len;
    void *arg; /* for the use of who answers */
};

struct http_header {
    const char *name, *value;
};

/* Takes a request: true, and http_answer is called once for it, within this call or later. False: it is not for this
 * route (and nothing was done), so the next one is asked, and then the format. */
typedef bool http_route_fn(void *arg, struct http_request *request);

/* Has `fn` asked for all requests whose path is `prefix` ("fhir/Subscription") or begins with it and a slash, of
 * whatever method. `server` is what transport_in_http.open gave; `prefix` is copied. False: too many routes. */
bool http_server_route(void *server, const char *prefix, http_route_fn *fn, void *arg);

/* A header, by its name in any case; NULL if it is absent. */
const char *http_request_header(const struct http_request *request, const char *name);

/* A parameter of the query, unescaped, the first of that name; NULL if it is absent, "" if it has no value. */
const char *http_request_query(const struct http_request *request, const char *name);

/* What the client calls this server, for absolute links: "https://adapter.example:8443/", of its Host header (of our
 * own address if that is missing or is not one). False if it does not fit. */
bool http_request_base(const struct http_request *request, char *out, size_t size);

/* Answers, and lets go of the request. A HEAD is answered as a GET would be; the body is left out here. reply->status
 * must be set; bytes and headers are copied. The host's closing answers for those that never did, with 503. */
void http_answer(struct http_request *request, const struct carehub_reply *reply, const struct http_header *headers,
                 size_t n_headers);

#endif
