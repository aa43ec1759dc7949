// Where a request goes. HTTP says it with its path; of anything else the content tells.
//
//     POST fhir                    a Bundle: transaction, batch, message, collection, searchset
//     POST fhir/$process-message   a Bundle: message
//     POST fhir/TYPE               a resource
//     PUT  fhir/TYPE/ID            the same, under the sender's id
//     POST events                  an event in plain JSON
#include <string.h>

#include "homecare_exchange.h"

static bool refuse(struct exchange *x, int status, enum problem_code code, const char *where, const char *what)
{
    x->refused = status;
    problems_add(&x->problems, PROBLEM_ERROR, code, where, "%s", what);
    return false;
}

static bool method_is(const struct carehub_native *native, const char *method, struct exchange *x)
{
    if (strcmp(native->method, method) == 0)
        return true;
    return refuse(x, 405, PROBLEM_NOT_SUPPORTED, "method",
                  strcmp(method, "PUT") == 0
                      ? "a resource under its id is updated with PUT; to take it back, PUT it with "
                        "its status entered-in-error"
                      : "this path takes POST only");
}

// JSON by any of its names, or no word of it.
static bool is_json(const char *type)
{
    static const char *const types[] = {"", "application/fhir+json", "application/json", "application/json+fhir",
                                        "text/json"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(types[i], type) == 0)
            return true;
    return false;
}

static bool route_resource(const struct carehub_native *native, const char *path, struct homecare_target *target,
                           struct exchange *x)
{
    const char *slash = strchr(path, '/');
    target->type = path;
    target->type_len = slash != NULL ? (size_t)(slash - path) : strlen(path);
    if (slash == NULL)
        return method_is(native, "POST", x);
    if (strchr(slash + 1, '/') != NULL)
        return refuse(x, 404, PROBLEM_NOT_FOUND, "path", "there is nothing below a resource's id here");
    target->id = slash + 1;
    target->update = true;
    return method_is(native, "PUT", x);
}

static bool route_http(const struct carehub_native *native, struct homecare_target *target, struct exchange *x)
{
    const char *path = native->name;
    if (!is_json(native->content_type))
        return refuse(x, 415, PROBLEM_NOT_SUPPORTED, "content-type",
                      "only JSON is taken: application/fhir+json, or application/json for events");
    if (strcmp(path, "events") == 0) {
        target->plain = true;
        return method_is(native, "POST", x);
    }
    if (strcmp(path, "fhir") == 0 || strcmp(path, "fhir/") == 0 || strcmp(path, "fhir/$process-message") == 0) {
        target->type = "Bundle";
        target->type_len = strlen(target->type);
        return method_is(native, "POST", x);
    }
    if (strncmp(path, "fhir/", 5) == 0 && path[5] != '$' && path[5] != '/')
        return route_resource(native, path + 5, target, x);
    return refuse(
        x, 404, PROBLEM_NOT_FOUND, "path",
        "there is nothing at this path: POST to fhir, fhir/TYPE or fhir/$process-message, PUT to fhir/TYPE/ID, "
        "or POST plain JSON to events");
}

bool homecare_route(const struct carehub_native *native, struct homecare_target *target, struct exchange *x)
{
    *target = (struct homecare_target){0};
    if (strcmp(native->transport, "http") == 0)
        return route_http(native, target, x);
    target->by_content = true;
    return true;
}
