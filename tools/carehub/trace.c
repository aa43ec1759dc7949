/* carehub trace: the whole way of one event. */
#include "event_query.h"
#include "facts.h"
#include "nouns.h"
#include "story.h"

static int run_trace(const struct args *args)
{
    struct event_input event;
    struct session session = {0};
    Carehub__V1__Answer *answer = NULL;
    int code = input_event(args_value(args, 0), &event);
    if (code == EXIT_OK)
        code = session_open(&session, args);
    if (code == EXIT_OK)
        code = ask_trace(&session, &event, &answer);
    if (code == EXIT_OK && session.json)
        print_json(&answer->trace->base);
    else if (code == EXIT_OK)
        story_trace(answer->trace, stdout, session.style);
    if (code == EXIT_OK && answer->trace->n_lines == 0)
        code = EXIT_NO;
    answer_free(&answer);
    session_close(&session);
    return code;
}

const struct command trace_commands[] = {
    {
        .summary = "show the whole way of one event",
        .arguments = {{"EVENT", "its id (a UUID), or its place in the log: 123"}},
        .options = {LANG_OPTION},
        .detail = "Received, confirmed, decided for each candidate, sent, acknowledged; with times. Stored "
                  "means that "
                  "the receiver's software has it, read that a human saw it.",
        .example = "carehub trace 1042",
        .run = run_trace,
    },
    {0},
};
