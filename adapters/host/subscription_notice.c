#include "subscription_notice.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json_object.h>
#include <json-c/json_tokener.h>

#include "eventid.h"
#include "fhir_time.h"
#include "json_make.h"

#define ERROR_SYSTEM "http://terminology.hl7.org/CodeSystem/subscription-error"

enum { URL_BYTES = HTTP_URL_MAX_BYTES + 128 };

static const char *const types[] = {
    [NOTICE_HANDSHAKE] = "handshake",       [NOTICE_HEARTBEAT] = "heartbeat",     [NOTICE_EVENT] = "event-notification",
    [NOTICE_QUERY_STATUS] = "query-status", [NOTICE_QUERY_EVENT] = "query-event",
};

/* ---- Parameters ------------------------------------------------------------------------------------------------- */

static void push_parameter(struct maker *m, struct json_object *parameters, const char *name, const char *value_name,
                           struct json_object *value)
{
    struct json_object *parameter = make_object(m);
    make_text(m, parameter, "name", name);
    make_put(m, parameter, value_name, value);
    make_push(m, parameters, parameter);
}

static struct json_object *reference_to(struct maker *m, const char *base, const char *path)
{
    char url[URL_BYTES];
    struct json_object *reference = make_object(m);
    snprintf(url, sizeof url, "%s/%s", base, path);
    make_text(m, reference, "reference", url);
    return reference;
}

static struct json_object *number_text(struct maker *m, uint64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, number);
    return make_string(m, text);
}

static void push_event(struct maker *m, struct json_object *parameters, const struct notice_about *about,
                       enum subscription_content content, const struct notice_event *event)
{
    struct json_object *parameter = make_object(m), *parts = make_array(m);
    char at[FHIR_TIME_CHARS];
    fhir_instant_format(event->at_ms, at);
    make_text(m, parameter, "name", "notification-event");
    push_parameter(m, parts, "event-number", "valueString", number_text(m, event->number));
    push_parameter(m, parts, "timestamp", "valueInstant", make_string(m, at));
    if (content != CONTENT_EMPTY && event->focus[0] != '\0')
        push_parameter(m, parts, "focus", "valueReference", reference_to(m, about->base, event->focus));
    make_put(m, parameter, "part", parts);
    make_push(m, parameters, parameter);
}

static struct json_object *error_concept(struct maker *m, const char *text)
{
    struct json_object *concept = make_object(m), *codings = make_array(m), *coding = make_object(m);
    make_text(m, coding, "system", ERROR_SYSTEM);
    make_text(m, coding, "code", "no-response");
    make_push(m, codings, coding);
    make_put(m, concept, "coding", codings);
    make_text(m, concept, "text", text);
    return concept;
}

/* Resources need an id of their own in a Bundle: a fresh one, for a status is of its moment. */
static void put_new_id(struct maker *m, struct json_object *resource, char text[EVENTID_TEXT_CHARS])
{
    uint8_t id[EVENTID_BYTES];
    if (eventid_new(id) != EVENTID_OK)
        m->no_memory = true;
    else
        eventid_format(id, text);
    make_text(m, resource, "id", text);
}

static struct json_object *status_of(struct maker *m, const struct notice_about *about, enum notice_type type,
                                     enum subscription_content content, const struct notice_event *events, size_t n,
                                     char id[EVENTID_TEXT_CHARS])
{
    struct json_object *status = make_object(m), *meta = make_object(m), *profiles = make_array(m),
                       *parameters = make_array(m);
    char path[64];
    snprintf(path, sizeof path, "Subscription/%s", about->id);
    make_text(m, status, "resourceType", "Parameters");
    put_new_id(m, status, id);
    make_push(m, profiles, make_string(m, BACKPORT_DEFINITION "backport-subscription-status-r4"));
    make_put(m, meta, "profile", profiles);
    make_put(m, status, "meta", meta);
    push_parameter(m, parameters, "subscription", "valueReference", reference_to(m, about->base, path));
    if (content != CONTENT_EMPTY)
        push_parameter(m, parameters, "topic", "valueCanonical", make_string(m, about->topic));
    push_parameter(m, parameters, "status", "valueCode", make_string(m, subscription_status_name(about->status)));
    push_parameter(m, parameters, "type", "valueCode", make_string(m, types[type]));
    push_parameter(m, parameters, "events-since-subscription-start", "valueString", number_text(m, about->events));
    for (size_t i = 0; i < n; i++)
        push_event(m, parameters, about, content, &events[i]);
    if (about->error[0] != '\0')
        push_parameter(m, parameters, "error", "valueCodeableConcept", error_concept(m, about->error));
    make_put(m, status, "parameter", parameters);
    return status;
}

struct json_object *notice_status(const struct notice_about *about, enum notice_type type,
                                  enum subscription_content content, const struct notice_event *events, size_t n)
{
    struct maker m = {0};
    char id[EVENTID_TEXT_CHARS] = "";
    return make_done(&m, status_of(&m, about, type, content, events, n, id));
}

/* ---- Bundles ---------------------------------------------------------------------------------------------------- */

static struct json_object *new_bundle(struct maker *m, const char *type)
{
    struct json_object *bundle = make_object(m);
    char id[EVENTID_TEXT_CHARS] = "";
    make_text(m, bundle, "resourceType", "Bundle");
    put_new_id(m, bundle, id);
    make_text(m, bundle, "type", type);
    return bundle;
}

/* An entry of a history, which takes over the resource. */
static void push_history(struct maker *m, struct json_object *entries, const char *full_url,
                         struct json_object *resource, const char *method, const char *url, const char *status)
{
    struct json_object *entry = make_object(m), *request = make_object(m), *response = make_object(m);
    make_text(m, entry, "fullUrl", full_url);
    make_put(m, entry, "resource", resource);
    make_text(m, request, "method", method);
    make_text(m, request, "url", url);
    make_put(m, entry, "request", request);
    make_text(m, response, "status", status);
    make_put(m, entry, "response", response);
    make_push(m, entries, entry);
}

/* Two events of one subscription are never about the same focus: its id is the event's. */
static void push_resource(struct maker *m, struct json_object *entries, const struct notice_about *about,
                          const struct notice_event *event)
{
    char url[URL_BYTES], type[64];
    snprintf(url, sizeof url, "%s/%s", about->base, event->focus);
    snprintf(type, sizeof type, "%.*s", (int)strcspn(event->focus, "/"), event->focus);
    push_history(m, entries, url, json_object_get(event->resource), "POST", type, "201");
}

struct json_object *notice_bundle(const struct notice_about *about, enum notice_type type,
                                  enum subscription_content content, const struct notice_event *events, size_t n,
                                  int64_t now_ms)
{
    struct maker m = {0};
    struct json_object *bundle = new_bundle(&m, "history"), *meta = make_object(&m), *profiles = make_array(&m),
                       *entries = make_array(&m);
    char now[FHIR_TIME_CHARS], id[EVENTID_TEXT_CHARS] = "", urn[EVENTID_TEXT_CHARS + 9], url[URL_BYTES];
    fhir_instant_format(now_ms, now);
    make_push(&m, profiles, make_string(&m, BACKPORT_DEFINITION "backport-subscription-notification-r4"));
    make_put(&m, meta, "profile", profiles);
    make_put(&m, bundle, "meta", meta);
    make_text(&m, bundle, "timestamp", now);
    struct json_object *status = status_of(&m, about, type, content, events, n, id);
    snprintf(urn, sizeof urn, "urn:uuid:%s", id);
    snprintf(url, sizeof url, "%s/Subscription/%s/$status", about->base, about->id);
    push_history(&m, entries, urn, status, "GET", url, "200");
    for (size_t i = 0; i < n && content == CONTENT_FULL_RESOURCE; i++)
        if (events[i].resource)
            push_resource(&m, entries, about, &events[i]);
    make_put(&m, bundle, "entry", entries);
    return make_done(&m, bundle);
}

struct json_object *notice_searchset(void)
{
    struct maker m = {0};
    struct json_object *bundle = new_bundle(&m, "searchset");
    make_put(&m, bundle, "total", json_object_new_int(0));
    return make_done(&m, bundle);
}

bool notice_add_match(struct json_object *searchset, const char *full_url, struct json_object *resource)
{
    struct maker m = {0};
    struct json_object *entries, *entry = make_object(&m), *search = make_object(&m);
    make_text(&m, entry, "fullUrl", full_url);
    make_put(&m, entry, "resource", resource);
    make_text(&m, search, "mode", "match");
    make_put(&m, entry, "search", search);
    /* FHIR has no empty arrays: it is made with the first. */
    if (!json_object_object_get_ex(searchset, "entry", &entries)) {
        entries = make_array(&m);
        make_put(&m, searchset, "entry", entries);
    }
    make_push(&m, entries, entry);
    make_put(&m, searchset, "total", json_object_new_int64((int64_t)json_object_array_length(entries)));
    return !m.no_memory;
}

/* ---- The CapabilityStatement ------------------------------------------------------------------------------------ */

static void push_coded(struct maker *m, struct json_object *array, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct json_object *one = make_object(m);
        make_text(m, one, "code", names[i]);
        make_push(m, array, one);
    }
}

static void push_named(struct maker *m, struct json_object *array, const char *name, const char *definition,
                       const char *type)
{
    struct json_object *one = make_object(m);
    make_text(m, one, "name", name);
    make_text(m, one, "definition", definition);
    make_text(m, one, "type", type);
    make_push(m, array, one);
}

static struct json_object *topics(struct maker *m)
{
    struct json_object *extensions = make_array(m);
    for (size_t i = 0; i < TOPICS; i++) {
        char canonical[TOPIC_BYTES];
        struct json_object *extension = make_object(m);
        topic_canonical(i, canonical);
        make_text(m, extension, "url", BACKPORT_DEFINITION "capabilitystatement-subscriptiontopic-canonical");
        make_text(m, extension, "valueCanonical", canonical);
        make_push(m, extensions, extension);
    }
    return extensions;
}

struct json_object *notice_capability(void)
{
    static const char *const interactions[] = {"read", "create", "update", "delete", "search-type"};
    struct maker m = {0};
    struct json_object *resource = make_object(&m), *profiles = make_array(&m), *codes = make_array(&m),
                       *parameters = make_array(&m), *operations = make_array(&m);
    make_put(&m, resource, "extension", topics(&m));
    make_text(&m, resource, "type", "Subscription");
    make_push(&m, profiles, make_string(&m, BACKPORT_DEFINITION "backport-subscription"));
    make_put(&m, resource, "supportedProfile", profiles);
    push_coded(&m, codes, interactions, sizeof interactions / sizeof interactions[0]);
    make_put(&m, resource, "interaction", codes);
    push_named(&m, parameters, "_id", "http://hl7.org/fhir/SearchParameter/Resource-id", "token");
    push_named(&m, parameters, "status", "http://hl7.org/fhir/SearchParameter/Subscription-status", "token");
    push_named(&m, parameters, "url", "http://hl7.org/fhir/SearchParameter/Subscription-url", "uri");
    make_put(&m, resource, "searchParam", parameters);
    push_named(&m, operations, "status", BACKPORT "OperationDefinition/backport-subscription-status", NULL);
    push_named(&m, operations, "events", BACKPORT "OperationDefinition/backport-subscription-events", NULL);
    make_put(&m, resource, "operation", operations);
    return make_done(&m, resource);
}

char *notice_text(struct json_object *tree, size_t *len)
{
    const char *text =
        json_object_to_json_string_length(tree, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, len);
    char *made = text ? malloc(*len + 1) : NULL;
    if (made)
        memcpy(made, text, *len + 1);
    json_object_put(tree);
    return made;
}
