/* Between the files that answer HTTP requests: subscription_http.c finds out what is asked by whom,
 * subscription_rest.c and subscription_query.c do it. */
#ifndef CAREHUB_SUBSCRIPTION_HTTP_H
#define CAREHUB_SUBSCRIPTION_HTTP_H

#include "subscription_internal.h"

/* A request of a subscriber. */
struct call {
    struct subscriptions *owner;
    struct http_request *request;
    const char *actor;        /* who asks */
    struct feed *feed;        /* the subscription that is asked about; NULL for the type */
    struct json_object *body; /* of an operation: its Parameters, or NULL */
};

typedef void call_fn(struct call *call);

/* Answers with a resource, which it takes over; NULL is answered with 503. `feed`, if there is one, gives ETag, and
 * with 201 the location. */
void call_answer(struct call *call, int status, struct json_object *resource, const struct feed *feed);
/* Answers with an OperationOutcome. */
void call_refuse(struct call *call, int status, const struct problems *problems);
void call_refuse_for(struct call *call, int status, enum problem_code code, const char *expression, const char *text);
/* 503: the store cannot keep or read something; the log says what. */
void call_unavailable(struct call *call);

/* An operation's parameter, of the query or the body; NULL if absent. Until the answer. */
const char *call_parameter(const struct call *call, const char *name);

/* Whether a subscription is the caller's, and there. */
bool call_owns(const struct call *call, const struct feed *feed);
/* "https://…/fhir/Subscription/ID" */
void call_url(const struct call *call, const struct feed *feed, char *out, size_t size);

/* subscription_rest.c */
void rest_create(struct call *call);
void rest_read(struct call *call);
void rest_update(struct call *call);
void rest_delete(struct call *call);
void rest_search(struct call *call);

/* subscription_query.c */
void query_status(struct call *call);   /* of one */
void query_statuses(struct call *call); /* of all the caller's */
void query_events(struct call *call);
/* What a notification refers to. False: there is none, or it is not the caller's. */
bool query_focus(struct call *call, const char *type, const char *id);
void query_metadata(struct call *call);

#endif
