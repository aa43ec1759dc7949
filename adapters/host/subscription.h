/* subscription.h - FHIR Subscriptions, for software that knows only FHIR: it registers a rest-hook subscription over
 * HTTP, and gets notifications of the events that are in its actor's care teams.
 *
 *     POST   fhir/Subscription                  registers one; answered 201 before the handshake
 *     GET    fhir/Subscription                  the caller's own; ?status= ?url= ?_id=
 *     GET    fhir/Subscription/ID               PUT changes it, DELETE ends it
 *     GET    fhir/Subscription/ID/$status       and POST; also of the type, for all of the caller's own
 *     GET    fhir/Subscription/ID/$events       and POST; eventsSinceNumber, eventsUntilNumber, content
 *     GET    fhir/TYPE/EVENT-ID                 what an id-only notification refers to
 *     GET    fhir/metadata                      the format's CapabilityStatement, with Subscription added to it
 *
 * Each subscription has an inbox of its own at the hub, "ACTOR.fhir-0a1b2c3d", which this adapter's client sets and
 * closes (its rights need the facts inbox_set and inbox_closed). A delivery gets the next event number of its
 * subscription and is on disk here, sealed, before anything is sent; it is acknowledged to the hub when the receiver
 * has answered 2xx. What comes again keeps its number. What the hub withdraws keeps its number too, without content.
 *
 * Sources: FHIR R4 Subscription (2.46), Subscriptions R5 Backport STU 1.1 (profiles backport-subscription,
 * backport-subscription-notification-r4, backport-subscription-status-r4). All on the loop thread. */
#ifndef CAREHUB_SUBSCRIPTION_H
#define CAREHUB_SUBSCRIPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "carehub.h"
#include "carehub_adapter.h"

struct json_object;
struct subscriptions;

struct subscriptions_options {
    const struct carehub_setting *section; /* "subscriptions" */
    const char *folder;                    /* that relative paths start at */
    const char *state_dir;                 /* subscriptions.db and subscriptions.key are made there */
    carehub_client *client;                /* outlives this */
    const struct carehub_format *format;   /* must have `write`; its parcels must be FHIR in JSON */
    const void *format_self;
    void *http;           /* what transport_in_http.open gave; outlives this */
    const char *endpoint; /* of that transport: "http://127.0.0.1:8080/", for links when base-url is not set */
    int64_t (*time_ms)(void *time_arg); /* what time it is, for judging what is old; NULL: the wall clock's */
    void *time_arg;
};

/* Reads and checks the section alone. */
bool subscriptions_check(const struct carehub_setting *section, const char *folder, const struct carehub_format *format,
                         char error[CAREHUB_ERROR_BYTES]);

/* Registers its routes at the HTTP transport and takes up the subscriptions that are there. NULL with `error` set.
 * All texts in options are copied; the section's tree is read here and not kept. */
struct subscriptions *subscriptions_new(uv_loop_t *loop, const struct subscriptions_options *options,
                                        char error[CAREHUB_ERROR_BYTES]);

/* Answers nothing and sends nothing any more; what was not acknowledged comes again at the next start. Its handles
 * close in the loop's next turns. Close it when the HTTP transport has been quiesced, and before it and the client are
 * closed. */
void subscriptions_close(struct subscriptions **self);

/* For the status file: {"subscriptions": 3, "active": 2, …, "list": [{"id": …, "inbox": …, "status": …}]}, without
 * endpoints' paths or headers. The caller's; NULL without memory. */
struct json_object *subscriptions_status(const struct subscriptions *self);

#endif
