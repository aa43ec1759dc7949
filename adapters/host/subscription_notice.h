/* subscription_notice.h - what the server says of a subscription: the status (Parameters, profile
 * backport-subscription-status-r4) and the Bundles that carry it. Pure; any thread.
 *
 *     notification, $events   Bundle of type history: the status first, then, of full-resource, what the events are
 * about $status                 Bundle of type searchset of statuses
 *
 * Every entry of a history has a request and a response (bdl-3, bdl-4): that of the status is the $status operation,
 * that of a resource the POST that would have made it. With content empty there are no references and no topic.
 *
 * Source: Subscriptions R5 Backport STU 1.1, pages Notifications and Payloads; FHIR R4 2.36 (Bundle). */
#ifndef CAREHUB_SUBSCRIPTION_NOTICE_H
#define CAREHUB_SUBSCRIPTION_NOTICE_H

#include <stdint.h>

#include "subscription_resource.h"

enum notice_type { NOTICE_HANDSHAKE, NOTICE_HEARTBEAT, NOTICE_EVENT, NOTICE_QUERY_STATUS, NOTICE_QUERY_EVENT };

/* A subscription, as a notice shows it. */
struct notice_about {
    const char *base; /* of the FHIR server, without slash at the end: "https://adapter.example/fhir" */
    const char *id;
    const char *topic;
    enum subscription_status status;
    const char *error; /* "" for none */
    uint64_t events;   /* since its start */
};

/* An event in a notice. */
struct notice_event {
    uint64_t number;
    int64_t at_ms;
    const char *focus;            /* "Bundle/UUID"; "" when its content is not to be had (any more) */
    struct json_object *resource; /* borrowed; NULL: none */
};

/* The status. The caller's, as all here; NULL without memory. */
struct json_object *notice_status(const struct notice_about *about, enum notice_type type,
                                  enum subscription_content content, const struct notice_event *events, size_t n);

/* The Bundle of type history: a notification, or the answer to $events. */
struct json_object *notice_bundle(const struct notice_about *about, enum notice_type type,
                                  enum subscription_content content, const struct notice_event *events, size_t n,
                                  int64_t now_ms);

/* A Bundle of type searchset, to be filled. */
struct json_object *notice_searchset(void);
/* Adds a match, which it takes over. False without memory. */
bool notice_add_match(struct json_object *searchset, const char *full_url, struct json_object *resource);

/* The resource Subscription of a CapabilityStatement: what is served, with the topics. */
struct json_object *notice_capability(void);

/* The text to send: malloc'd. NULL without memory; releases the tree in any case. */
char *notice_text(struct json_object *tree, size_t *len);

#endif
