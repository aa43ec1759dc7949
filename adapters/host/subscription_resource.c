/* subscription_resource.c - the names, and how the resource is written; subscription_read.c reads it. */
#include "subscription_resource.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json_object.h>

#include "fhir_time.h"
#include "json_make.h"

static const char *const statuses[] = {
    [SUBSCRIPTION_REQUESTED] = "requested",
    [SUBSCRIPTION_ACTIVE] = "active",
    [SUBSCRIPTION_ERROR] = "error",
    [SUBSCRIPTION_OFF] = "off",
};
static const char *const contents[] = {
    [CONTENT_EMPTY] = "empty",
    [CONTENT_ID_ONLY] = "id-only",
    [CONTENT_FULL_RESOURCE] = "full-resource",
};

const char *subscription_status_name(enum subscription_status status)
{
    return statuses[status];
}

const char *subscription_content_name(enum subscription_content content)
{
    return contents[content];
}

static bool named(const char *const *names, size_t count, const char *name, size_t *index)
{
    for (*index = 0; *index < count; ++*index)
        if (strcmp(names[*index], name) == 0)
            return true;
    return false;
}

bool subscription_status_named(const char *name, enum subscription_status *status)
{
    size_t index;
    bool found = named(statuses, sizeof statuses / sizeof statuses[0], name, &index);
    if (found)
        *status = (enum subscription_status)index;
    return found;
}

bool subscription_content_named(const char *name, enum subscription_content *content)
{
    size_t index;
    bool found = named(contents, sizeof contents / sizeof contents[0], name, &index);
    if (found)
        *content = (enum subscription_content)index;
    return found;
}

void subscription_destroy(struct subscription_resource **self)
{
    struct subscription_resource *resource = *self;
    if (!resource)
        return;
    for (size_t i = 0; i < resource->n_filters; i++)
        free(resource->filters[i]);
    for (size_t i = 0; i < resource->n_headers; i++)
        free(resource->headers[i]);
    free(resource);
    *self = NULL;
}

/* ---- Writing ---------------------------------------------------------------------------------------------------- */

/* {"url": …, NAME: value}, pushed. */
static void push_extension(struct maker *m, struct json_object *extensions, const char *definition, const char *name,
                           struct json_object *value)
{
    char url[sizeof BACKPORT_DEFINITION + 64];
    struct json_object *extension = make_object(m);
    snprintf(url, sizeof url, "%s%s", BACKPORT_DEFINITION, definition);
    make_text(m, extension, "url", url);
    make_put(m, extension, name, value);
    make_push(m, extensions, extension);
}

static void push_number(struct maker *m, struct json_object *extensions, const char *definition, const char *name,
                        uint32_t number)
{
    if (number > 0)
        push_extension(m, extensions, definition, name, json_object_new_int64(number));
}

/* Puts {"extension": […]} as the companion of a primitive, or the extensions themselves; nothing for none. */
static void put_extensions(struct maker *m, struct json_object *object, const char *companion,
                           struct json_object *extensions)
{
    struct json_object *at = object;
    if (!extensions || json_object_array_length(extensions) == 0) {
        json_object_put(extensions);
        return;
    }
    if (companion) {
        at = make_object(m);
        make_put(m, object, companion, at);
    }
    make_put(m, at, "extension", extensions);
}

static struct json_object *channel_of(struct maker *m, const struct subscription_resource *self)
{
    struct json_object *channel = make_object(m), *extensions = make_array(m), *content = make_array(m);
    push_number(m, extensions, "backport-heartbeat-period", "valueUnsignedInt", self->heartbeat_s);
    push_number(m, extensions, "backport-timeout", "valueUnsignedInt", self->timeout_s);
    push_number(m, extensions, "backport-max-count", "valuePositiveInt", self->max_count);
    put_extensions(m, channel, NULL, extensions);
    make_text(m, channel, "type", "rest-hook");
    make_text(m, channel, "endpoint", self->endpoint);
    make_text(m, channel, "payload", self->payload);
    push_extension(m, content, "backport-payload-content", "valueCode", make_string(m, contents[self->content]));
    put_extensions(m, channel, "_payload", content);
    if (self->n_headers > 0) {
        struct json_object *headers = make_array(m);
        for (size_t i = 0; i < self->n_headers; i++)
            make_push(m, headers, make_string(m, self->headers[i]));
        make_put(m, channel, "header", headers);
    }
    return channel;
}

static struct json_object *meta_of(struct maker *m, const struct subscription_state *state)
{
    struct json_object *meta = make_object(m), *profiles = make_array(m);
    char version[24], updated[FHIR_TIME_CHARS];
    snprintf(version, sizeof version, "%lld", (long long)state->version);
    fhir_instant_format(state->updated_ms, updated);
    make_text(m, meta, "versionId", version);
    make_text(m, meta, "lastUpdated", updated);
    make_push(m, profiles, make_string(m, BACKPORT_DEFINITION "backport-subscription"));
    make_put(m, meta, "profile", profiles);
    return meta;
}

struct json_object *subscription_write(const struct subscription_resource *self, const struct subscription_state *state)
{
    struct maker m = {0};
    struct json_object *tree = make_object(&m), *filters = make_array(&m);
    char end[FHIR_TIME_CHARS] = "";
    make_text(&m, tree, "resourceType", "Subscription");
    make_text(&m, tree, "id", state->id);
    make_put(&m, tree, "meta", meta_of(&m, state));
    make_text(&m, tree, "status", statuses[state->status]);
    if (self->has_end)
        fhir_instant_format(self->end_ms, end);
    make_text(&m, tree, "end", end);
    make_text(&m, tree, "reason", self->reason);
    make_text(&m, tree, "criteria", self->topic);
    for (size_t i = 0; i < self->n_filters; i++)
        push_extension(&m, filters, "backport-filter-criteria", "valueString", make_string(&m, self->filters[i]));
    put_extensions(&m, tree, "_criteria", filters);
    make_text(&m, tree, "error", state->error);
    make_put(&m, tree, "channel", channel_of(&m, self));
    return make_done(&m, tree);
}
