/* event_query.h - questions about one event. */
#ifndef CAREHUB_CLI_EVENT_QUERY_H
#define CAREHUB_CLI_EVENT_QUERY_H

#include "input.h"
#include "session.h"

/* Asks for the trace of an event, by its id or place. */
int ask_trace(struct session *session, const struct event_input *event, Carehub__V1__Answer **answer);

/* Makes sure that event->id is known: an event that was named by its place is looked up. */
int resolve_event(struct session *session, struct event_input *event);

#endif
