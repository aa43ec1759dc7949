#include "subscription_topic.h"

#include <stdio.h>
#include <string.h>

#define FILTER "event-type="
#define ALL "all"

static const topic_types every = (((topic_types)1 << EVENT_TYPE_MAX) - 1) << 1;

static topic_types type_named(const char *name, size_t len)
{
    char text[TOPIC_BYTES];
    if (len == 0 || len >= sizeof text)
        return 0;
    memcpy(text, name, len);
    text[len] = '\0';
    Carehub__V1__EventType type = event_type_by_name(text);
    /* One spelling only: the name is part of a canonical URL, which is compared as it is. */
    return type != 0 && strcmp(event_type_name(type), text) == 0 ? (topic_types)1 << type : 0;
}

topic_types topic_types_of(const char *canonical)
{
    size_t prefix = strlen(TOPIC_PREFIX);
    if (strncmp(canonical, TOPIC_PREFIX, prefix) != 0)
        return 0;
    const char *name = canonical + prefix;
    return strcmp(name, ALL) == 0 ? every : type_named(name, strlen(name));
}

bool topic_filter(const char *filter, topic_types *types, const char **why)
{
    topic_types wanted = 0;
    *why = "the only filter is event-type=NAME,NAME…, such as event-type=HospitalDischarge";
    if (strncmp(filter, FILTER, strlen(FILTER)) != 0)
        return false;
    for (const char *at = filter + strlen(FILTER);; at++) {
        size_t len = strcspn(at, ",");
        topic_types one = type_named(at, len);
        if (one == 0) {
            *why = "event-type names an event type that does not exist";
            return false;
        }
        wanted |= one;
        at += len;
        if (*at == '\0')
            break;
    }
    *types &= wanted;
    *why = "the topic and its filters together leave no event type";
    return *types != 0;
}

void topic_canonical(size_t index, char out[TOPIC_BYTES])
{
    snprintf(out, TOPIC_BYTES, TOPIC_PREFIX "%s", index == 0 ? ALL : event_type_name((Carehub__V1__EventType)index));
}

size_t topic_type_names(topic_types types, const char *names[EVENT_TYPE_MAX])
{
    size_t count = 0;
    if (types == every) {
        names[0] = "*";
        return 1;
    }
    for (int type = 1; type <= EVENT_TYPE_MAX; type++)
        if (types & ((topic_types)1 << type))
            names[count++] = event_type_name((Carehub__V1__EventType)type);
    return count;
}
