/* subscription_query.c - the operations $status and $events, what notifications refer to, and the CapabilityStatement.
 */
#include "subscription_http.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json_object.h>
#include <json-c/json_tokener.h>

#include "eventid.h"
#include "fhir_time.h"
#include "json_make.h"
#include "log_line.h"

enum {
    EVENTS_MAX = 100,           /* of one answer; who needs more asks on */
    EVENTS_MAX_BYTES = 4 << 20, /* of their documents, beyond the first */
    URL_BYTES = HTTP_URL_MAX_BYTES + 64,
    FOCUS_BYTES = STORE_TYPE_BYTES + 40,
};

/* ---- $status ---------------------------------------------------------------------------------------------------- */

static bool add_status(struct json_object *found, const struct call *call, const struct feed *feed)
{
    struct notice_about about;
    char url[URL_BYTES];
    feed_about(feed, &about);
    snprintf(url, sizeof url, "%s/Subscription/%s/$status", call->owner->base, about.id);
    return notice_add_match(found, url, notice_status(&about, NOTICE_QUERY_STATUS, CONTENT_ID_ONLY, NULL, 0));
}

void query_status(struct call *call)
{
    struct json_object *found = notice_searchset();
    if (found)
        add_status(found, call, call->feed);
    call_answer(call, 200, found, NULL);
}

/* Whether a text is one of a list "a,b"; no list means any. */
static bool is_listed(const char *list, const char *text)
{
    size_t len = strlen(text);
    for (const char *at = list; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (strcspn(at, ",") == len && strncmp(at, text, len) == 0)
            return true;
    }
    return list == NULL;
}

void query_statuses(struct call *call)
{
    struct json_object *found = notice_searchset();
    const char *ids = call_parameter(call, "id"), *statuses = call_parameter(call, "status");
    bool ok = found != NULL;
    for (const struct feed *feed = call->owner->feeds; feed && ok; feed = feed_next(feed))
        if (call_owns(call, feed) && is_listed(ids, feed_record(feed)->id) &&
            is_listed(statuses, subscription_status_name(feed_record(feed)->status)))
            ok = add_status(found, call, feed);
    call_answer(call, 200, found, NULL);
}

/* ---- $events ---------------------------------------------------------------------------------------------------- */

struct range {
    uint64_t since, until;
    enum subscription_content content;
};

static bool read_number(const char *text, uint64_t *number)
{
    char *end;
    if (!text)
        return true;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0)
        return false;
    *number = value;
    return true;
}

static const char *read_range(const struct call *call, struct range *range)
{
    const char *content = call_parameter(call, "content");
    *range = (struct range){0, UINT64_MAX, feed_record(call->feed)->resource->content};
    if (!read_number(call_parameter(call, "eventsSinceNumber"), &range->since) ||
        !read_number(call_parameter(call, "eventsUntilNumber"), &range->until))
        return "eventsSinceNumber and eventsUntilNumber are numbers of events, from 1";
    if (content && !subscription_content_named(content, &range->content))
        return "content is empty, id-only or full-resource";
    return NULL;
}

void query_events(struct call *call)
{
    static struct notice_event shown[EVENTS_MAX]; /* loop thread only */
    static char focus[EVENTS_MAX][FOCUS_BYTES];
    const struct store_record *record = feed_record(call->feed);
    struct notice_about about;
    struct store_event event;
    struct range range;
    size_t n = 0, bytes = 0;
    const char *fault = read_range(call, &range);
    if (fault) {
        call_refuse_for(call, 400, PROBLEM_VALUE, "", fault);
        return;
    }
    while (n < EVENTS_MAX && bytes < EVENTS_MAX_BYTES && range.since <= range.until &&
           store_event_from(call->owner->store, record->key, range.since, &event)) {
        bool within = event.number <= range.until;
        if (within)
            feed_show(&event, range.content, focus[n], &shown[n]);
        n += within;
        bytes += event.document_len;
        range.since = within ? event.number + 1 : UINT64_MAX;
        store_event_clear(&event);
        if (!within)
            break;
    }
    feed_about(call->feed, &about);
    struct json_object *bundle = notice_bundle(&about, NOTICE_QUERY_EVENT, range.content, shown, n, wall_clock_ms());
    for (size_t i = 0; i < n; i++)
        json_object_put(shown[i].resource);
    call_answer(call, 200, bundle, NULL);
}

/* ---- What notifications refer to -------------------------------------------------------------------------------- */

bool query_focus(struct call *call, const char *type, const char *id)
{
    uint8_t bytes[EVENTID_BYTES];
    struct store_event event;
    if (!eventid_parse(id, strlen(id), bytes))
        return false;
    for (const struct feed *feed = call->owner->feeds; feed; feed = feed_next(feed)) {
        if (!call_owns(call, feed) || !store_event_of_id(call->owner->store, feed_record(feed)->key, bytes, &event))
            continue;
        struct json_object *resource =
            event.document && strcmp(event.type, type) == 0 ? json_tokener_parse(event.document) : NULL;
        store_event_clear(&event);
        if (!resource)
            continue;
        call_answer(call, 200, resource, NULL);
        return true;
    }
    return false;
}

/* ---- The CapabilityStatement ------------------------------------------------------------------------------------ */

static void on_document(void *arg, const struct carehub_reply *reply)
{
    struct json_object **document = arg;
    char *text = malloc(reply->len + 1);
    if (text) {
        memcpy(text, reply->bytes, reply->len);
        text[reply->len] = '\0';
        json_object_put(*document);
        *document = json_tokener_parse(text);
    }
    free(text);
}

/* The format's own; of a format that has none, one that says as much as is known here. */
static struct json_object *own_statement(struct maker *m, const struct subscriptions *owner)
{
    struct json_object *statement = NULL, *formats, *software;
    if (owner->format->get)
        owner->format->get(owner->format_self, "fhir/metadata", on_document, &statement);
    if (json_object_is_type(statement, json_type_object))
        return statement;
    json_object_put(statement);
    char now[FHIR_TIME_CHARS];
    fhir_instant_format(wall_clock_ms(), now);
    statement = make_object(m);
    formats = make_array(m);
    software = make_object(m);
    make_text(m, statement, "resourceType", "CapabilityStatement");
    make_text(m, statement, "status", "active");
    make_text(m, statement, "date", now);
    make_text(m, statement, "kind", "instance");
    make_text(m, software, "name", "carehub-adapter");
    make_put(m, statement, "software", software);
    struct json_object *implementation = make_object(m);
    make_text(m, implementation, "description", "FHIR subscriptions to care events");
    make_text(m, implementation, "url", owner->base);
    make_put(m, statement, "implementation", implementation);
    make_text(m, statement, "fhirVersion", "4.0.1");
    make_push(m, formats, make_string(m, "json"));
    make_put(m, statement, "format", formats);
    return statement;
}

/* The array of that name, made if it is not there. */
static struct json_object *array_in(struct maker *m, struct json_object *object, const char *name)
{
    struct json_object *array;
    if (json_object_object_get_ex(object, name, &array) && json_object_is_type(array, json_type_array))
        return array;
    array = make_array(m);
    make_put(m, object, name, array);
    return array;
}

void query_metadata(struct call *call)
{
    struct maker m = {0};
    struct json_object *statement = own_statement(&m, call->owner), *rests = array_in(&m, statement, "rest"), *rest;
    if (json_object_array_length(rests) == 0) {
        rest = make_object(&m);
        make_text(&m, rest, "mode", "server");
        make_push(&m, rests, rest);
    }
    rest = json_object_array_get_idx(rests, 0);
    make_push(&m, array_in(&m, rest, "resource"), notice_capability());
    make_push(&m, array_in(&m, statement, "instantiates"),
              make_string(&m, BACKPORT "CapabilityStatement/backport-subscription-server-r4"));
    call_answer(call, 200, make_done(&m, statement), NULL);
}
