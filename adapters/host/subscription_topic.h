/* subscription_topic.h - what can be subscribed to. A topic is named by its canonical URL:
 *
 *     urn:carehub:topic:HospitalDischarge    events of one type, by the names of the event catalogue
 *     urn:carehub:topic:all                  events of all types
 *
 * and narrowed by filters of the form "event-type=HospitalDischarge,FallReported". Pure. */
#ifndef CAREHUB_SUBSCRIPTION_TOPIC_H
#define CAREHUB_SUBSCRIPTION_TOPIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "catalogue.h"

#define TOPIC_PREFIX "urn:carehub:topic:"

enum { TOPIC_BYTES = 64, TOPICS = EVENT_TYPE_MAX + 1 };

_Static_assert(EVENT_TYPE_MAX < 32, "types fit a mask");

/* A set of event types: bit t is type t. */
typedef uint32_t topic_types;

/* The types of a topic; 0 if there is no such topic. */
topic_types topic_types_of(const char *canonical);

/* Narrows *types by a filter. False if it is not one that is known; `why` says what would be. */
bool topic_filter(const char *filter, topic_types *types, const char **why);

/* The canonical of topic 0 (all) to TOPICS - 1. */
void topic_canonical(size_t index, char out[TOPIC_BYTES]);

/* The names of the types, for an InboxSet, in the order of their numbers; "*" for all. Static strings. */
size_t topic_type_names(topic_types types, const char *names[EVENT_TYPE_MAX]);

#endif
