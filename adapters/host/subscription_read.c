/* subscription_read.c - reads the resource, naming what is wrong in it by its FHIRPath. */
#include "subscription_resource.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <json-c/json_object.h>

#include "fhir_node.h"
#include "pbjson.h"

enum { EXTENSIONS_MAX = 32 };

#define ERROR(r, code, node, ...) FHIR_PROBLEM((r)->problems, PROBLEM_ERROR, code, node, __VA_ARGS__)

struct reader {
    struct problems *problems;
    struct subscription_resource *out;
};

/* Copies a member's text; one that is needed and missing is a problem. */
static bool read_text(struct reader *r, const struct fhir_node *from, const char *name, char *out, size_t size,
                      const char *needed)
{
    struct fhir_node node = fhir_get(from, name);
    size_t errors = r->problems->errors;
    snprintf(out, size, "%s", fhir_text_max(r->problems, from, name, size - 1));
    if (out[0] == '\0' && needed && r->problems->errors == errors)
        ERROR(r, PROBLEM_REQUIRED, &node, "%s", needed);
    return out[0] != '\0';
}

static char *copy(struct reader *r, const struct fhir_node *node, const char *text)
{
    char *made = strdup(text);
    if (!made)
        ERROR(r, PROBLEM_NO_STORE, node, "no memory; send it again later");
    return made;
}

/* ---- Extensions ------------------------------------------------------------------------------------------------- */

typedef void extension_fn(struct reader *r, const struct fhir_node *extension);

struct known_extension {
    const char *definition;
    extension_fn *read;
};

/* Looks through the extensions of an element (or of a primitive's companion). Unknown ones are passed over, as FHIR
 * demands; so are those of R5, which the guide does not use. */
static void read_extensions(struct reader *r, const struct fhir_node *element, const struct known_extension *known,
                            size_t n_known)
{
    if (!fhir_is_object(r->problems, element))
        return;
    struct fhir_node array = fhir_get(element, "extension");
    size_t count = fhir_count(r->problems, &array, EXTENSIONS_MAX);
    for (size_t i = 0; i < count; i++) {
        struct fhir_node one = fhir_at(&array, i);
        if (!fhir_is_object(r->problems, &one))
            continue;
        const char *url = fhir_text(r->problems, &one, "url");
        if (strncmp(url, BACKPORT_DEFINITION, strlen(BACKPORT_DEFINITION)) != 0)
            continue;
        for (size_t k = 0; k < n_known; k++)
            if (strcmp(url + strlen(BACKPORT_DEFINITION), known[k].definition) == 0)
                known[k].read(r, &one);
    }
}

/* A whole number above 0 and up to max; more is taken as max: the server may accept with changes. */
static uint32_t number_of(struct reader *r, const struct fhir_node *extension, const char *name, uint32_t min,
                          uint32_t max)
{
    struct fhir_node node = fhir_get(extension, name);
    int64_t number = json_object_is_type(node.json, json_type_int) ? json_object_get_int64(node.json) : -1;
    if (number < (int64_t)min) {
        ERROR(r, node.json ? PROBLEM_VALUE : PROBLEM_REQUIRED, &node, "this must be a whole number from %u to %u", min,
              max);
        return 0;
    }
    return number > (int64_t)max ? max : (uint32_t)number;
}

static void read_heartbeat(struct reader *r, const struct fhir_node *extension)
{
    r->out->heartbeat_s = number_of(r, extension, "valueUnsignedInt", 0, SUBSCRIPTION_HEARTBEAT_MAX_S);
}

static void read_timeout(struct reader *r, const struct fhir_node *extension)
{
    r->out->timeout_s = number_of(r, extension, "valueUnsignedInt", 0, SUBSCRIPTION_TIMEOUT_MAX_S);
}

static void read_max_count(struct reader *r, const struct fhir_node *extension)
{
    r->out->max_count = number_of(r, extension, "valuePositiveInt", 1, SUBSCRIPTION_COUNT_MAX);
}

static void read_filter(struct reader *r, const struct fhir_node *extension)
{
    struct fhir_node value = fhir_get(extension, "valueString");
    const char *text = fhir_text_max(r->problems, extension, "valueString", SUBSCRIPTION_FILTER_BYTES - 1), *why;
    if (r->out->types == 0)
        return; /* the topic is wrong: that has been said */
    if (r->out->n_filters == SUBSCRIPTION_FILTERS_MAX)
        ERROR(r, PROBLEM_TOO_COSTLY, extension, "at most %d filters are taken", SUBSCRIPTION_FILTERS_MAX);
    else if (!topic_filter(text, &r->out->types, &why))
        ERROR(r, PROBLEM_NOT_SUPPORTED, &value, "%s", why);
    else if ((r->out->filters[r->out->n_filters] = copy(r, &value, text)) != NULL)
        r->out->n_filters++;
}

static void read_channel_type(struct reader *r, const struct fhir_node *extension)
{
    ERROR(r, PROBLEM_NOT_SUPPORTED, extension, "channels of other kinds are not supported; use rest-hook without this");
}

static void read_content(struct reader *r, const struct fhir_node *extension)
{
    struct fhir_node value = fhir_get(extension, "valueCode");
    if (!subscription_content_named(fhir_text(r->problems, extension, "valueCode"), &r->out->content))
        ERROR(r, PROBLEM_VALUE, &value, "this must be empty, id-only or full-resource");
}

/* ---- Headers ---------------------------------------------------------------------------------------------------- */

/* What the sender sets itself, or what would change how the request is read. */
static bool is_reserved(const char *name, size_t len)
{
    static const char *const reserved[] = {
        "Connection", "Content-Encoding", "Content-Length", "Content-Type",      "Expect", "Host", "Keep-Alive",
        "TE",         "Trailer",          "Upgrade",        "Transfer-Encoding",
    };
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++)
        if (strlen(reserved[i]) == len && strncasecmp(reserved[i], name, len) == 0)
            return true;
    return len >= 6 && strncasecmp(name, "Proxy-", 6) == 0;
}

/* "Name: value", of the characters that RFC 9110 5.5 and 5.6.2 allow: no line breaks, so no second header. */
static const char *header_fault(const char *header)
{
    static const char token[] = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    size_t name = strspn(header, token);
    if (name == 0 || header[name] != ':')
        return "a header has the form \"Name: value\"";
    if (is_reserved(header, name))
        return "this header is set by the sender";
    const char *value = header + name + 1 + strspn(header + name + 1, " \t");
    if (*value == '\0')
        return "a header needs a value";
    for (; *value; value++)
        if (iscntrl((unsigned char)*value) && *value != '\t')
            return "there is a control character in this header";
    return NULL;
}

static void read_headers(struct reader *r, const struct fhir_node *channel)
{
    struct fhir_node array = fhir_get(channel, "header");
    size_t count = fhir_count(r->problems, &array, SUBSCRIPTION_HEADERS_MAX);
    for (size_t i = 0; i < count; i++) {
        struct fhir_node one = fhir_at(&array, i);
        bool is_text = json_object_is_type(one.json, json_type_string);
        const char *text = is_text ? json_object_get_string(one.json) : "";
        const char *fault = strlen(text) < SUBSCRIPTION_HEADER_BYTES ? header_fault(text) : "this header is too long";
        if (fault)
            ERROR(r, PROBLEM_VALUE, &one, "%s", fault);
        else if ((r->out->headers[r->out->n_headers] = copy(r, &one, text)) != NULL)
            r->out->n_headers++;
    }
}

/* ---- The parts -------------------------------------------------------------------------------------------------- */

static void read_payload(struct reader *r, const struct fhir_node *channel)
{
    static const char *const payloads[] = {"application/fhir+json", "application/json"};
    static const struct known_extension known[] = {{"backport-payload-content", read_content}};
    struct fhir_node node = fhir_get(channel, "payload"), companion = fhir_get(channel, "_payload");
    char payload[64];
    if (read_text(r, channel, "payload", payload, sizeof payload,
                  "name the kind of payload, application/fhir+json; with the extension backport-payload-content")) {
        for (size_t i = 0; i < sizeof payloads / sizeof payloads[0]; i++)
            if (strcmp(payloads[i], payload) == 0)
                r->out->payload = payloads[i];
        if (!r->out->payload)
            ERROR(r, PROBLEM_NOT_SUPPORTED, &node, "notifications are written as application/fhir+json only");
    }
    size_t errors = r->problems->errors;
    r->out->content = (enum subscription_content)(CONTENT_FULL_RESOURCE + 1);
    read_extensions(r, &companion, known, 1);
    if (r->out->content > CONTENT_FULL_RESOURCE && r->problems->errors == errors)
        ERROR(r, PROBLEM_REQUIRED, &companion,
              "say with the extension backport-payload-content whether notifications are empty, id-only or "
              "full-resource");
}

static void read_channel(struct reader *r, const struct fhir_node *root)
{
    static const struct known_extension on_channel[] = {{"backport-heartbeat-period", read_heartbeat},
                                                        {"backport-timeout", read_timeout},
                                                        {"backport-max-count", read_max_count}};
    static const struct known_extension on_type[] = {{"backport-channel-type", read_channel_type}};
    struct fhir_node channel = fhir_get(root, "channel");
    if (!fhir_is_object(r->problems, &channel)) {
        if (!channel.json)
            ERROR(r, PROBLEM_REQUIRED, &channel, "say where notifications are to go");
        return;
    }
    struct fhir_node type = fhir_get(&channel, "type"), companion = fhir_get(&channel, "_type");
    char text[64];
    if (read_text(r, &channel, "type", text, sizeof text, "say rest-hook here") && strcmp(text, "rest-hook") != 0)
        ERROR(r, PROBLEM_NOT_SUPPORTED, &type, "only channels of type rest-hook are supported");
    read_extensions(r, &companion, on_type, 1);
    read_extensions(r, &channel, on_channel, sizeof on_channel / sizeof on_channel[0]);
    read_text(r, &channel, "endpoint", r->out->endpoint, sizeof r->out->endpoint, "name the URL to notify");
    read_payload(r, &channel);
    read_headers(r, &channel);
}

static void read_criteria(struct reader *r, const struct fhir_node *root)
{
    static const struct known_extension known[] = {{"backport-filter-criteria", read_filter}};
    struct fhir_node node = fhir_get(root, "criteria"), companion = fhir_get(root, "_criteria");
    size_t errors = r->problems->errors;
    const char *text = fhir_text(r->problems, root, "criteria");
    r->out->types = strlen(text) < sizeof r->out->topic ? topic_types_of(text) : 0;
    if (r->out->types != 0)
        snprintf(r->out->topic, sizeof r->out->topic, "%s", text);
    else if (r->problems->errors == errors)
        ERROR(r, text[0] != '\0' ? PROBLEM_NOT_SUPPORTED : PROBLEM_REQUIRED, &node,
              "name the topic here, such as " TOPIC_PREFIX "all or " TOPIC_PREFIX
              "HospitalDischarge; fhir/metadata lists them");
    read_extensions(r, &companion, known, 1);
}

static void read_status(struct reader *r, const struct fhir_node *root)
{
    struct fhir_node node = fhir_get(root, "status");
    char text[32];
    if (!read_text(r, root, "status", text, sizeof text, "say requested here"))
        return;
    if (!subscription_status_named(text, &r->out->asked) || r->out->asked == SUBSCRIPTION_ERROR)
        ERROR(r, PROBLEM_VALUE, &node, "say requested here (or off, to end it)");
}

static void read_end(struct reader *r, const struct fhir_node *root)
{
    struct fhir_node node = fhir_get(root, "end");
    struct fhir_time time;
    if (!fhir_time(r->problems, &node, &time))
        return;
    r->out->has_end = time.precision >= CAREHUB__V1__PRECISION__PRECISION_SECOND;
    r->out->end_ms = time.unix_ms;
    if (!r->out->has_end)
        ERROR(r, PROBLEM_VALUE, &node, "this must be an instant, such as 2026-03-01T12:05:00+01:00");
}

static void read_resource(struct reader *r, struct json_object *tree)
{
    struct fhir_node root = fhir_root(tree, "Subscription"), type = fhir_get(&root, "resourceType"),
                     modifiers = fhir_get(&root, "modifierExtension");
    if (strcmp(fhir_text(r->problems, &root, "resourceType"), "Subscription") != 0) {
        ERROR(r, PROBLEM_STRUCTURE, &type, "this must be the resource Subscription");
        return;
    }
    if (fhir_count(r->problems, &modifiers, EXTENSIONS_MAX) > 0)
        ERROR(r, PROBLEM_NOT_SUPPORTED, &modifiers, "no modifier extension of this resource is understood");
    read_text(r, &root, "id", r->out->id, sizeof r->out->id, NULL);
    read_status(r, &root);
    read_text(r, &root, "reason", r->out->reason, sizeof r->out->reason, "say what this is for");
    read_criteria(r, &root);
    read_end(r, &root);
    read_channel(r, &root);
}

struct subscription_resource *subscription_read(const void *text, size_t len, struct problems *problems)
{
    struct pbjson_error error = {0};
    char what[PBJSON_ERROR_TEXT_CHARS];
    struct reader r = {.problems = problems, .out = calloc(1, sizeof *r.out)};
    size_t errors = problems->errors;
    struct json_object *tree = NULL;
    if (!r.out)
        problems_add(problems, PROBLEM_FATAL, PROBLEM_NO_STORE, "", "no memory; send it again later");
    else if (len > SUBSCRIPTION_MAX_BYTES)
        problems_add(problems, PROBLEM_FATAL, PROBLEM_TOO_LONG, "", "larger than %d bytes", SUBSCRIPTION_MAX_BYTES);
    else
        tree = pbjson_tree(text, len, &error);
    if (json_object_is_type(tree, json_type_object)) {
        read_resource(&r, tree);
    } else if (problems->errors == errors) {
        pbjson_error_format(&error, what, sizeof what);
        problems_add(problems, PROBLEM_FATAL, PROBLEM_STRUCTURE, "", "%s",
                     error.status != PBJSON_OK ? what : "this must be a JSON object");
    }
    json_object_put(tree);
    if (problems->errors > errors)
        subscription_destroy(&r.out);
    return r.out;
}
