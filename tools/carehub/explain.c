/* carehub explain: why an actor was told of an event, or was not. */
#include "event_query.h"
#include "facts.h"
#include "nouns.h"
#include "story.h"

static int ask_explain(struct session *session, struct event_input *event, const char *actor, uint64_t at_place,
                       int64_t at_ms, Carehub__V1__Answer **answer)
{
    int code = resolve_event(session, event);
    if (code)
        return code;
    Carehub__V1__ExplainQuery explain = CAREHUB__V1__EXPLAIN_QUERY__INIT;
    explain.event_id = (ProtobufCBinaryData){INPUT_ID_BYTES, event->id};
    explain.actor = field(actor);
    explain.at_place = at_place;
    explain.at_ms = at_ms;
    Carehub__V1__Query query = CAREHUB__V1__QUERY__INIT;
    query.query_case = CAREHUB__V1__QUERY__QUERY_EXPLAIN;
    query.explain = &explain;
    return session_ask(session, &query, CAREHUB__V1__ANSWER__ANSWER_EXPLAIN, answer);
}

static int run_explain(const struct args *args)
{
    struct event_input event;
    struct session session = {0};
    Carehub__V1__Answer *answer = NULL;
    uint64_t at_place = 0;
    int64_t at_ms = 0;
    int code = input_event(args_value(args, 0), &event);
    if (code == EXIT_OK)
        code = input_as_of(args_option(args, "at"), &at_place, &at_ms);
    if (code == EXIT_OK)
        code = session_open(&session, args);
    if (code == EXIT_OK)
        code = ask_explain(&session, &event, args_value(args, 1), at_place, at_ms, &answer);
    if (code == EXIT_OK && session.json)
        print_json(&answer->explain->base);
    else if (code == EXIT_OK)
        story_explain(answer->explain, stdout, session.style);
    answer_free(&answer);
    session_close(&session);
    return code;
}

const struct command explain_commands[] = {
    {
        .summary = "say why an actor was told of an event, or was not",
        .arguments = {{"EVENT", "its id (a UUID), or its place in the log: 123"}, ACTOR_ARGUMENT},
        .options = {{"at", "WHEN", "as it would be decided at that place in the log, or at that time"}, LANG_OPTION},
        .detail = "Shows every rule that was looked at and marks the one that decided. Works for any actor, also for "
                  "one that was never a candidate. Written to be read by the patient, too.\nA decision goes by what "
                  "was known at its place: a membership that was recorded later does not change it, whenever it began; "
                  "both dates are shown.",
        .example = "carehub explain 1042 apotheek-peeters --lang nl",
        .run = run_explain,
    },
    {0},
};
