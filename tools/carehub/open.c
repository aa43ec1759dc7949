/* carehub open: an event's content, for auditors. */
#include "event_query.h"
#include "facts.h"
#include "nouns.h"

/* The content is shown as JSON in any case: that is its form for people. */
static int show_event(const struct session *session, const ProtobufCBinaryData *bytes)
{
    Carehub__V1__Event *event = carehub__v1__event__unpack(NULL, bytes->len, bytes->data);
    if (!event)
        return fail(EXIT_NO, NULL, "the hub answered with an event that cannot be read");
    if (!session->json)
        fputs("Your name, the event and the purpose are now in the log.\n", stderr);
    print_json(&event->base);
    carehub__v1__event__free_unpacked(event, NULL);
    return EXIT_OK;
}

static int ask_open(struct session *session, struct event_input *event, const char *purpose)
{
    int code = resolve_event(session, event);
    if (code)
        return code;
    Carehub__V1__OpenQuery open = CAREHUB__V1__OPEN_QUERY__INIT;
    open.event_id = (ProtobufCBinaryData){INPUT_ID_BYTES, event->id};
    open.purpose = field(purpose);
    Carehub__V1__Query query = CAREHUB__V1__QUERY__INIT;
    query.query_case = CAREHUB__V1__QUERY__QUERY_OPEN;
    query.open = &open;
    Carehub__V1__Answer *answer;
    code = session_ask(session, &query, CAREHUB__V1__ANSWER__ANSWER_OPEN, &answer);
    if (code == EXIT_OK)
        code = show_event(session, &answer->open->event);
    answer_free(&answer);
    return code;
}

static int run_open(const struct args *args)
{
    struct event_input event;
    struct session session = {0};
    int code = input_event(args_value(args, 0), &event);
    if (code == EXIT_OK)
        code = session_open(&session, args);
    if (code == EXIT_OK)
        code = ask_open(&session, &event, args_option(args, "purpose"));
    session_close(&session);
    return code;
}

const struct command open_commands[] = {
    {
        .summary = "open an event's content",
        .arguments = {{"EVENT", "its id (a UUID), or its place in the log: 123"}},
        .options = {{"purpose", "TEXT", "why; it is kept in the log", .required = true}},
        .detail = "The content is that of the event as it was published, identifiers of the person included: it is "
                  "shown in the JSON form of the event.",
        .example = "carehub open 1042 --purpose 'complaint 2026-17'",
        .run = run_open,
    },
    {0},
};
