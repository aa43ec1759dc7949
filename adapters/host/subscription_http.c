/* subscription_http.c - whose request it is, and what it asks for. */
#include "subscription_http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json_object.h>

#include "log_line.h"
#include "pbjson.h"

#define ROOT "fhir"
#define FHIR_JSON "application/fhir+json"

enum { PARAMETERS_MAX = 64, URL_BYTES = HTTP_URL_MAX_BYTES + 64 };

/* ---- Answers ---------------------------------------------------------------------------------------------------- */

bool call_owns(const struct call *call, const struct feed *feed)
{
    const struct store_record *record = feed_record(feed);
    return !record->deleted && strcmp(record->actor, call->actor) == 0;
}

void call_url(const struct call *call, const struct feed *feed, char *out, size_t size)
{
    snprintf(out, size, "%s/Subscription/%s", call->owner->base, feed_record(feed)->id);
}

/* Lets go of the call; `text` may be NULL for an answer without content. */
static void answer(struct call *call, int status, const char *text, size_t len, const struct feed *feed)
{
    char location[URL_BYTES], tag[32];
    struct http_header headers[] = {{"ETag", tag}, {"Cache-Control", "no-store"}};
    struct carehub_reply reply = {.status = status, .content_type = FHIR_JSON, .bytes = text, .len = len};
    if (feed) {
        snprintf(tag, sizeof tag, "W/\"%lld\"", (long long)feed_record(feed)->version);
        call_url(call, feed, location, sizeof location);
        reply.location = status == 201 ? location : NULL;
    }
    http_answer(call->request, &reply, feed ? headers : headers + 1, feed ? 2 : 1);
    json_object_put(call->body);
    call->body = NULL;
}

void call_answer(struct call *call, int status, struct json_object *resource, const struct feed *feed)
{
    size_t len = 0;
    char *text = resource ? notice_text(resource, &len) : NULL;
    if (text)
        answer(call, status, text, len, feed);
    else
        answer(call, status == 204 ? 204 : 503, NULL, 0, NULL);
    free(text);
}

void call_refuse(struct call *call, int status, const struct problems *problems)
{
    size_t len = 0;
    struct json_object *outcome = problems_outcome(problems);
    char *text = outcome ? notice_text(outcome, &len) : NULL;
    answer(call, status, text, len, NULL);
    free(text);
}

void call_refuse_for(struct call *call, int status, enum problem_code code, const char *expression, const char *text)
{
    struct problems problems = {0};
    problems_add(&problems, PROBLEM_ERROR, code, expression, "%s", text);
    call_refuse(call, status, &problems);
}

void call_unavailable(struct call *call)
{
    LOG_LINE(LOG_LEVEL_ERROR, "a request about a subscription cannot be served: %s", store_error(call->owner->store));
    call_refuse_for(call, 503, PROBLEM_NO_STORE, "", "not now; send it again later");
}

/* ---- Parameters of operations ----------------------------------------------------------------------------------- */

static const char *parameter_in(struct json_object *body, const char *name)
{
    static const char *const values[] = {"valueString", "valueInteger", "valueCode", "valueId"};
    struct json_object *parameters = NULL, *one, *text;
    if (body)
        json_object_object_get_ex(body, "parameter", &parameters);
    size_t count = json_object_is_type(parameters, json_type_array) ? json_object_array_length(parameters) : 0;
    for (size_t i = 0; i < count && i < PARAMETERS_MAX; i++) {
        one = json_object_array_get_idx(parameters, i);
        if (!json_object_is_type(one, json_type_object) || !json_object_object_get_ex(one, "name", &text) ||
            !json_object_is_type(text, json_type_string) || strcmp(json_object_get_string(text), name) != 0)
            continue;
        for (size_t v = 0; v < sizeof values / sizeof values[0]; v++)
            if (json_object_object_get_ex(one, values[v], &text))
                return json_object_get_string(text);
    }
    return NULL;
}

const char *call_parameter(const struct call *call, const char *name)
{
    const char *text = http_request_query(call->request, name);
    return text ? text : parameter_in(call->body, name);
}

static bool is_json(const char *content_type)
{
    return strcmp(content_type, FHIR_JSON) == 0 || strcmp(content_type, "application/json") == 0;
}

/* Reads what is posted to an operation; nothing at all is fine too. False: it has been answered. */
static bool read_body(struct call *call)
{
    struct pbjson_error error = {0};
    if (call->request->body_len == 0)
        return true;
    if (!is_json(call->request->content_type)) {
        call_refuse_for(call, 415, PROBLEM_NOT_SUPPORTED, "", "send Parameters as application/fhir+json");
        return false;
    }
    if (call->request->body_len <= SUBSCRIPTION_MAX_BYTES)
        call->body = pbjson_tree(call->request->body, call->request->body_len, &error);
    if (json_object_is_type(call->body, json_type_object))
        return true;
    call_refuse_for(call, 400, PROBLEM_STRUCTURE, "", "the body is not a FHIR resource in JSON");
    return false;
}

/* ---- Which is asked --------------------------------------------------------------------------------------------- */

enum target { TARGET_TYPE, TARGET_ONE, TARGET_TYPE_STATUS, TARGET_STATUS, TARGET_EVENTS, TARGETS };
enum method { METHOD_GET, METHOD_POST, METHOD_PUT, METHOD_DELETE, METHODS };

static call_fn *const calls[TARGETS][METHODS] = {
    [TARGET_TYPE] = {[METHOD_GET] = rest_search, [METHOD_POST] = rest_create},
    [TARGET_ONE] = {[METHOD_GET] = rest_read, [METHOD_PUT] = rest_update, [METHOD_DELETE] = rest_delete},
    [TARGET_TYPE_STATUS] = {[METHOD_GET] = query_statuses, [METHOD_POST] = query_statuses},
    [TARGET_STATUS] = {[METHOD_GET] = query_status, [METHOD_POST] = query_status},
    [TARGET_EVENTS] = {[METHOD_GET] = query_events, [METHOD_POST] = query_events},
};

static enum method method_of(const char *name)
{
    static const char *const names[METHODS] = {"GET", "POST", "PUT", "DELETE"};
    if (strcmp(name, "HEAD") == 0)
        return METHOD_GET;
    for (int i = 0; i < METHODS; i++)
        if (strcmp(names[i], name) == 0)
            return (enum method)i;
    return METHODS;
}

static struct feed *feed_named(const struct call *call, const char *id, size_t len)
{
    struct feed *feed = call->owner->feeds;
    for (; feed; feed = feed_next(feed)) {
        const char *is = feed_record(feed)->id;
        if (call_owns(call, feed) && strlen(is) == len && memcmp(is, id, len) == 0)
            return feed;
    }
    return NULL;
}

/* Takes the path behind "fhir/Subscription" apart. TARGETS if there is nothing there. */
static enum target target_of(struct call *call, const char *rest)
{
    if (rest[0] == '\0' || strcmp(rest, "/") == 0)
        return TARGET_TYPE;
    if (strcmp(rest, "/$status") == 0)
        return TARGET_TYPE_STATUS;
    size_t len = strcspn(rest + 1, "/");
    const char *operation = rest + 1 + len;
    call->feed = feed_named(call, rest + 1, len);
    if (!call->feed)
        return TARGETS;
    return operation[0] == '\0'                 ? TARGET_ONE
           : strcmp(operation, "/$status") == 0 ? TARGET_STATUS
           : strcmp(operation, "/$events") == 0 ? TARGET_EVENTS
                                                : TARGETS;
}

static void serve(struct call *call, const char *rest)
{
    if (!call->actor) {
        call_refuse_for(call, 403, PROBLEM_FORBIDDEN, "",
                        "this client has no subscriptions here; the operator adds it to the subscribers of the "
                        "adapter's configuration");
        return;
    }
    enum target target = target_of(call, rest);
    enum method method = method_of(call->request->method);
    bool writes = method == METHOD_PUT || (method == METHOD_POST && target == TARGET_TYPE);
    if (target == TARGETS)
        call_refuse_for(call, 404, PROBLEM_NOT_FOUND, "", "there is no such subscription or operation");
    else if (method == METHODS || !calls[target][method])
        call_refuse_for(call, 405, PROBLEM_NOT_SUPPORTED, "", "this method is not supported here");
    else if (writes && !is_json(call->request->content_type))
        call_refuse_for(call, 415, PROBLEM_NOT_SUPPORTED, "", "send it as application/fhir+json");
    else if (writes || method != METHOD_POST || read_body(call))
        calls[target][method](call);
}

static bool route(void *arg, struct http_request *request)
{
    struct call call = {.owner = arg, .request = request};
    const char *path = request->path + strlen(ROOT), *id;
    static const char type[] = "/Subscription";
    size_t len = strlen(type);
    bool gets = method_of(request->method) == METHOD_GET;
    call.actor = subscription_settings_actor(&call.owner->settings, request->peer);
    if (strncmp(path, type, len) == 0 && (path[len] == '\0' || path[len] == '/')) {
        serve(&call, path + len);
        return true;
    }
    if (gets && strcmp(path, "/metadata") == 0) {
        query_metadata(&call);
        return true;
    }
    if (!gets || !call.actor || path[0] != '/' || !(id = strchr(path + 1, '/')))
        return false;
    char name[STORE_TYPE_BYTES];
    snprintf(name, sizeof name, "%.*s", (int)(id - path - 1), path + 1);
    return query_focus(&call, name, id + 1);
}

bool subscriptions_route(struct subscriptions *self, void *http)
{
    return http_server_route(http, ROOT, route, self);
}
