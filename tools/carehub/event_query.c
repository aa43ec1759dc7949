#include "event_query.h"

#include <string.h>

int ask_trace(struct session *session, const struct event_input *event, Carehub__V1__Answer **answer)
{
    Carehub__V1__TraceQuery trace = CAREHUB__V1__TRACE_QUERY__INIT;
    if (event->place)
        trace.place = event->place;
    else
        trace.event_id = (ProtobufCBinaryData){INPUT_ID_BYTES, (uint8_t *)event->id};
    Carehub__V1__Query query = CAREHUB__V1__QUERY__INIT;
    query.query_case = CAREHUB__V1__QUERY__QUERY_TRACE;
    query.trace = &trace;
    return session_ask(session, &query, CAREHUB__V1__ANSWER__ANSWER_TRACE, answer);
}

int resolve_event(struct session *session, struct event_input *event)
{
    if (!event->place)
        return EXIT_OK;
    Carehub__V1__Answer *answer;
    int code = ask_trace(session, event, &answer);
    if (code)
        return code;
    code = EXIT_NO;
    for (size_t i = 0; i < answer->trace->n_lines && code; i++) {
        const ProtobufCBinaryData *id = &answer->trace->lines[i]->event_id;
        if (id->len == INPUT_ID_BYTES) {
            memcpy(event->id, id->data, INPUT_ID_BYTES);
            code = EXIT_OK;
        }
    }
    answer_free(&answer);
    return code ? fail(code, "`carehub tail` and `carehub log export` show the places of events.",
                       "there is no event at #%llu", (unsigned long long)event->place)
                : EXIT_OK;
}
