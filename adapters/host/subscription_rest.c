/* subscription_rest.c - subscriptions as resources: registered, read, changed, ended. */
#include "subscription_http.h"

#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "eventid.h"
#include "log_line.h"

enum {
    RECORDS_MAX = 256, /* with those that have ended, and are not forgotten yet */
    URL_BYTES = HTTP_URL_MAX_BYTES + 64,
};

static struct json_object *resource_of(const struct feed *feed)
{
    const struct store_record *record = feed_record(feed);
    const struct subscription_state state = {record->id, record->status, record->error, record->version,
                                             record->updated_ms};
    return subscription_write(record->resource, &state);
}

/* Reads what is in the body and may be done. NULL: it has been answered. */
static struct subscription_resource *read_resource(struct call *call)
{
    struct problems problems = {0};
    char error[CAREHUB_ERROR_BYTES];
    struct subscription_resource *resource = subscription_read(call->request->body, call->request->body_len, &problems);
    if (resource && !subscription_settings_allow(&call->owner->settings, resource->endpoint, error))
        problems_add(&problems, PROBLEM_ERROR, PROBLEM_BUSINESS_RULE, "Subscription.channel.endpoint", "%s", error);
    if (resource && resource->has_end && resource->end_ms <= wall_clock_ms())
        problems_add(&problems, PROBLEM_ERROR, PROBLEM_BUSINESS_RULE, "Subscription.end", "this is in the past");
    if (problems.errors == 0)
        return resource;
    call_refuse(call, resource || problems.list[0].severity != PROBLEM_FATAL ? 422 : 400, &problems);
    subscription_destroy(&resource);
    return NULL;
}

/* ---- Registering ------------------------------------------------------------------------------------------------ */

/* Why there can be no more; NULL if there can. */
static const char *too_many(const struct subscriptions *owner)
{
    int64_t live = 0;
    for (const struct feed *feed = owner->feeds; feed; feed = feed_next(feed))
        live += feed_record(feed)->status != SUBSCRIPTION_OFF;
    if (live >= owner->settings.subscriptions_max)
        return "this server has as many subscriptions as it can serve; end one first";
    return owner->n_feeds < RECORDS_MAX ? NULL : "there are many subscriptions that have ended; delete them first";
}

static bool new_record(struct call *call, struct subscription_resource *resource, struct store_record *record)
{
    uint8_t id[EVENTID_BYTES], random[4];
    if (eventid_new(id) != EVENTID_OK)
        return false;
    randombytes_buf(random, sizeof random);
    *record = (struct store_record){.version = 1, .updated_ms = wall_clock_ms(), .resource = resource};
    eventid_format(id, record->id);
    snprintf(record->actor, sizeof record->actor, "%s", call->actor);
    int len = snprintf(record->inbox, sizeof record->inbox, "%s.fhir-%02x%02x%02x%02x", call->actor, random[0],
                       random[1], random[2], random[3]);
    return len < (int)sizeof record->inbox && store_add(call->owner->store, record);
}

void rest_create(struct call *call)
{
    struct store_record record;
    const char *full = too_many(call->owner);
    struct subscription_resource *resource = read_resource(call);
    struct feed *feed;
    if (!resource)
        return;
    if (resource->asked == SUBSCRIPTION_OFF) {
        call_refuse_for(call, 422, PROBLEM_VALUE, "Subscription.status", "a new subscription is requested, not off");
    } else if (full) {
        call_refuse_for(call, 422, PROBLEM_TOO_COSTLY, "", full);
    } else if (!new_record(call, resource, &record)) {
        call_unavailable(call);
    } else if (!(feed = feed_new(call->owner, &record))) {
        store_remove(call->owner->store, record.key);
        call_unavailable(call);
    } else {
        LOG_LINE(LOG_LEVEL_INFO, "subscription %s of %s is registered, with inbox %s", record.id, record.actor,
                 record.inbox);
        call_answer(call, 201, resource_of(feed), feed);
        feed_step(feed);
        return;
    }
    subscription_destroy(&resource);
}

/* ---- Reading ---------------------------------------------------------------------------------------------------- */

void rest_read(struct call *call)
{
    call_answer(call, 200, resource_of(call->feed), call->feed);
}

static bool is_wanted(const struct call *call, const struct feed *feed)
{
    const struct store_record *record = feed_record(feed);
    const char *id = http_request_query(call->request, "_id"), *status = http_request_query(call->request, "status"),
               *url = http_request_query(call->request, "url");
    return call_owns(call, feed) && (!id || strcmp(id, record->id) == 0) &&
           (!status || strcmp(status, subscription_status_name(record->status)) == 0) &&
           (!url || strcmp(url, record->resource->endpoint) == 0);
}

void rest_search(struct call *call)
{
    struct json_object *found = notice_searchset();
    char url[URL_BYTES];
    bool ok = found != NULL;
    for (const struct feed *feed = call->owner->feeds; feed && ok; feed = feed_next(feed)) {
        if (!is_wanted(call, feed))
            continue;
        call_url(call, feed, url, sizeof url);
        ok = notice_add_match(found, url, resource_of(feed));
    }
    call_answer(call, 200, found, NULL);
}

/* ---- Changing and ending ---------------------------------------------------------------------------------------- */

void rest_update(struct call *call)
{
    struct subscription_resource *resource = read_resource(call);
    const struct store_record *record = feed_record(call->feed);
    if (!resource)
        return;
    if (strcmp(resource->id, record->id) != 0) {
        call_refuse_for(call, 400, PROBLEM_VALUE, "Subscription.id", "this must be the id in the URL");
    } else if (record->status == SUBSCRIPTION_OFF) {
        call_refuse_for(call, 409, PROBLEM_BUSINESS_RULE, "Subscription.status",
                        "this subscription has ended, and does not come back; register a new one");
    } else if (resource->asked == SUBSCRIPTION_OFF) {
        if (feed_end(call->feed, false))
            call_answer(call, 200, resource_of(call->feed), call->feed);
        else
            call_unavailable(call);
    } else if (feed_change(call->feed, resource)) {
        call_answer(call, 200, resource_of(call->feed), call->feed);
        return; /* the resource is the feed's */
    } else {
        call_unavailable(call);
    }
    subscription_destroy(&resource);
}

void rest_delete(struct call *call)
{
    if (!feed_end(call->feed, true)) {
        call_unavailable(call);
        return;
    }
    call->feed = NULL;
    call_answer(call, 204, NULL, NULL);
}
