#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "eventid.h"
#include "http_internal.h"

/* What an outcome means in HTTP (RFC 9110, 15), and in one word. */
struct meaning {
    int status;
    const char *word;
};

static const struct meaning of_fault[] = {
    [CAREHUB_FAULT_NONE] = {201, "confirmed"},      [CAREHUB_FAULT_NATIVE] = {422, "refused"},
    [CAREHUB_FAULT_IDENTITY] = {422, "refused"},    [CAREHUB_FAULT_ORIGINAL] = {422, "refused"},
    [CAREHUB_FAULT_DUPLICATE] = {409, "refused"},   [CAREHUB_FAULT_CONTENT] = {422, "refused"},
    [CAREHUB_FAULT_NOT_ALLOWED] = {403, "refused"}, [CAREHUB_FAULT_UNAVAILABLE] = {503, "unavailable"},
};

static struct meaning meaning_of(const struct arrival *arrival, const struct carehub_message *message,
                                 const struct carehub_outcome *outcome)
{
    if (outcome->fault == CAREHUB_FAULT_NATIVE && arrival->unread)
        return (struct meaning){400, "refused"};
    if (outcome->fault != CAREHUB_FAULT_NONE)
        return of_fault[outcome->fault];
    if (message->verdict == CAREHUB_MESSAGE_NOTHING)
        return (struct meaning){200, "nothing"};
    if (message->verdict == CAREHUB_MESSAGE_HOLD)
        return (struct meaning){202, "held"};
    if (outcome->spooled)
        return (struct meaning){202, "stored"};
    return (struct meaning){outcome->repeat ? 200 : 201, "confirmed"};
}

/* ---- Responses -------------------------------------------------------------------------------------------------- */

static struct MHD_Response *response_new(const void *bytes, size_t len, const char *content_type)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(len, (void *)bytes, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return NULL;
    if (len > 0) {
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
        MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    return response;
}

/* Some headers go with a status. */
static void add_status_headers(const struct http_exchange *x)
{
    char seconds[16];
    if (x->status == MHD_HTTP_SERVICE_UNAVAILABLE) {
        snprintf(seconds, sizeof seconds, "%d", HTTP_RETRY_AFTER_S);
        MHD_add_response_header(x->response, MHD_HTTP_HEADER_RETRY_AFTER, seconds);
    } else if (x->status == MHD_HTTP_UNAUTHORIZED) {
        MHD_add_response_header(x->response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer realm=\"carehub\"");
        MHD_add_response_header(x->response, MHD_HTTP_HEADER_WWW_AUTHENTICATE,
                                "Basic realm=\"carehub\", charset=\"UTF-8\"");
    } else if (x->status == MHD_HTTP_METHOD_NOT_ALLOWED && !MHD_get_response_header(x->response, "Allow")) {
        MHD_add_response_header(x->response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD, POST, PUT, OPTIONS");
    }
    if (x->connection->server->quiet)
        MHD_add_response_header(x->response, MHD_HTTP_HEADER_CONNECTION, "close");
}

void http_complete(struct http_exchange *x, int status)
{
    if (x->status == 0)
        x->status = status;
    if (x->response)
        add_status_headers(x);
    x->answered = true;
    if (x->link) {
        *x->link = x->next;
        if (x->next)
            x->next->link = x->link;
        x->link = NULL;
    }
    if (x->suspended) {
        x->suspended = false;
        http_server_resume(x->connection->server, x->connection->mhd);
    }
}

/* ---- In plain JSON ---------------------------------------------------------------------------------------------- */

static void add_text(struct json_object *object, const char *name, const char *text)
{
    if (text && text[0])
        json_object_object_add(object, name, json_object_new_string(text));
}

static void add_problem(struct json_object *object, const char *where, const char *what, const char *rule)
{
    struct json_object *problems = json_object_new_array(), *problem = json_object_new_object();
    add_text(problem, "where", where);
    add_text(problem, "what", what);
    add_text(problem, "rule", rule);
    json_object_array_add(problems, problem);
    json_object_object_add(object, "problems", problems);
}

static void add_events(struct json_object *object, const struct carehub_outcome *outcome)
{
    struct json_object *events = json_object_new_array();
    char id[EVENTID_TEXT_CHARS];
    for (size_t i = 0; i < outcome->n_ids; i++) {
        eventid_format(outcome->ids[i], id);
        json_object_array_add(events, json_object_new_string(id));
    }
    json_object_object_add(object, "events", events);
}

static void respond_json(struct http_exchange *x, struct json_object *object)
{
    const char *text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
    if (text)
        x->response = response_new(text, strlen(text), "application/json");
    json_object_put(object);
}

/* {"outcome": "confirmed", "events": ["0192…"]}, {"outcome": "nothing", "why": …} or {"outcome": "refused", "problems":
 * [{"where": …, "what": …, "rule": …}]} */
static void respond_plain(struct http_exchange *x, const struct carehub_message *message,
                          const struct carehub_outcome *outcome, const char *word)
{
    struct json_object *object = json_object_new_object();
    const struct carehub_problem *problem = &message->problem;
    add_text(object, "outcome", word);
    if (outcome->fault == CAREHUB_FAULT_NATIVE)
        add_problem(object, problem->where, problem->what, problem->rule);
    else if (outcome->fault != CAREHUB_FAULT_NONE)
        add_problem(object, "", outcome->text, "");
    else if (message->verdict == CAREHUB_MESSAGE_NOTHING || message->verdict == CAREHUB_MESSAGE_HOLD)
        add_text(object, "why", message->why);
    else
        add_events(object, outcome);
    respond_json(x, object);
}

/* ---- Answers to arrivals ---------------------------------------------------------------------------------------- */

/* Formats write it below the endpoint, as the paths that they are given ("fhir/Observation/17"). */
static void add_location(struct MHD_Response *response, const char *location)
{
    char path[HTTP_PATH_BYTES + 1];
    if (location[0] == '/' || strstr(location, "://")) {
        MHD_add_response_header(response, MHD_HTTP_HEADER_LOCATION, location);
        return;
    }
    int len = snprintf(path, sizeof path, "/%s", location);
    if (len > 0 && (size_t)len < sizeof path)
        MHD_add_response_header(response, MHD_HTTP_HEADER_LOCATION, path);
}

void http_take_reply(void *arg, const struct carehub_reply *reply)
{
    struct http_exchange *x = arg;
    if (x->response || x->answered)
        return;
    x->response =
        response_new(reply->bytes, reply->len, reply->content_type ? reply->content_type : "application/json");
    x->status = reply->status;
    if (x->response && reply->location)
        add_location(x->response, reply->location);
}

void http_reply(struct arrival *arrival, const struct carehub_reply *reply)
{
    http_take_reply(arrival, reply);
}

void http_answered(struct arrival *arrival, const struct carehub_message *message,
                   const struct carehub_outcome *outcome)
{
    struct http_exchange *x = (struct http_exchange *)arrival;
    struct meaning meaning = meaning_of(arrival, message, outcome);
    if (!x->response)
        respond_plain(x, message, outcome, meaning.word);
    http_complete(x, meaning.status);
}

/* ---- Other answers ---------------------------------------------------------------------------------------------- */

void http_refuse(struct http_exchange *x, int status, const char *text)
{
    struct json_object *object = json_object_new_object();
    add_text(object, "outcome", status == MHD_HTTP_SERVICE_UNAVAILABLE ? "unavailable" : "refused");
    add_problem(object, "", text, "");
    respond_json(x, object);
    http_complete(x, status);
}

void http_answer(struct http_request *request, const struct carehub_reply *reply, const struct http_header *headers,
                 size_t n_headers)
{
    struct http_exchange *x = (struct http_exchange *)((char *)request - offsetof(struct http_exchange, request));
    http_take_reply(x, reply);
    for (size_t i = 0; x->response && i < n_headers && i < HTTP_ANSWER_HEADERS_MAX; i++)
        MHD_add_response_header(x->response, headers[i].name, headers[i].value);
    http_complete(x, MHD_HTTP_OK);
}

void http_answer_all(struct http_server *server)
{
    while (server->waiting)
        http_refuse(server->waiting, MHD_HTTP_SERVICE_UNAVAILABLE, "the adapter is being stopped; send it again");
}
