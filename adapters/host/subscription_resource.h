/* subscription_resource.h - the resource Subscription of FHIR R4 as the profile backport-subscription has it: read,
 * checked, and written. What is kept is what is understood; elements that mean nothing here (contact, text) are not
 * given back. Pure; any thread.
 *
 * Sources: FHIR R4 2.46 (Subscription); Subscriptions R5 Backport STU 1.1, profile backport-subscription and its
 * extensions. */
#ifndef CAREHUB_SUBSCRIPTION_RESOURCE_H
#define CAREHUB_SUBSCRIPTION_RESOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http_engine.h"
#include "problems.h"
#include "subscription_topic.h"

#define BACKPORT "http://hl7.org/fhir/uv/subscriptions-backport/"
#define BACKPORT_DEFINITION BACKPORT "StructureDefinition/"

struct json_object;

enum {
    SUBSCRIPTION_ID_BYTES = 37, /* a UUID, with its terminating zero */
    SUBSCRIPTION_MAX_BYTES = 64 << 10,
    SUBSCRIPTION_HEADERS_MAX = 16,
    SUBSCRIPTION_HEADER_BYTES = 2048,
    SUBSCRIPTION_FILTERS_MAX = 8,
    SUBSCRIPTION_FILTER_BYTES = 1024,
    SUBSCRIPTION_REASON_BYTES = 1024,
    SUBSCRIPTION_ERROR_BYTES = 256,
    SUBSCRIPTION_HEARTBEAT_MAX_S = 7 * 24 * 3600,
    SUBSCRIPTION_TIMEOUT_S = 30, /* what is not set */
    SUBSCRIPTION_TIMEOUT_MAX_S = 120,
    SUBSCRIPTION_COUNT_MAX = 64,
};

enum subscription_status { SUBSCRIPTION_REQUESTED, SUBSCRIPTION_ACTIVE, SUBSCRIPTION_ERROR, SUBSCRIPTION_OFF };
enum subscription_content { CONTENT_EMPTY, CONTENT_ID_ONLY, CONTENT_FULL_RESOURCE };

const char *subscription_status_name(enum subscription_status status);
const char *subscription_content_name(enum subscription_content content);
bool subscription_status_named(const char *name, enum subscription_status *status);
bool subscription_content_named(const char *name, enum subscription_content *content);

/* What a subscriber asked for. Texts are in its own memory. */
struct subscription_resource {
    char id[SUBSCRIPTION_ID_BYTES]; /* as it says; "" if it says none */
    enum subscription_status asked; /* what its status says */
    char reason[SUBSCRIPTION_REASON_BYTES];
    char topic[TOPIC_BYTES];
    size_t n_filters;
    char *filters[SUBSCRIPTION_FILTERS_MAX];
    topic_types types; /* of topic and filters together */
    bool has_end;
    int64_t end_ms;
    char endpoint[HTTP_URL_MAX_BYTES];
    const char *payload; /* static: "application/fhir+json" */
    enum subscription_content content;
    size_t n_headers;
    char *headers[SUBSCRIPTION_HEADERS_MAX + 1]; /* "Name: value", ended by NULL */
    uint32_t heartbeat_s;                        /* 0: none */
    uint32_t timeout_s;                          /* 0: not set */
    uint32_t max_count;                          /* events of one notification; 0: not set */
};

/* Reads a text. NULL, with problems that say where and why, if it cannot be taken. */
struct subscription_resource *subscription_read(const void *text, size_t len, struct problems *problems);
void subscription_destroy(struct subscription_resource **self);

/* What the server knows of it. */
struct subscription_state {
    const char *id;
    enum subscription_status status;
    const char *error;  /* "" for none */
    int64_t version;    /* from 1 */
    int64_t updated_ms; /* since 1970 */
};

/* The resource. The caller's (json_object_put); NULL without memory. */
struct json_object *subscription_write(const struct subscription_resource *self,
                                       const struct subscription_state *state);

#endif
