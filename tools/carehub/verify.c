/* carehub verify: a professional stands for what a patient or an informal carer entered. */
#include "event_query.h"
#include "facts.h"
#include "nouns.h"

static int submit(struct session *session, const struct event_input *event, const char *actor)
{
    Carehub__V1__EventVerified verified = CAREHUB__V1__EVENT_VERIFIED__INIT;
    verified.event_id = (ProtobufCBinaryData){INPUT_ID_BYTES, (uint8_t *)event->id};
    verified.actor_name = field(actor);
    Carehub__V1__Fact fact = FACT(EVENT_VERIFIED, event_verified, &verified);
    return session_fact(session, &fact, "%s has verified the event; whoever received it is sent it again", actor);
}

static int run_verify(const struct args *args)
{
    struct event_input event;
    struct session session = {0};
    int code = input_event(args_value(args, 0), &event);
    if (code == EXIT_OK)
        code = session_open(&session, args);
    if (code == EXIT_OK)
        code = resolve_event(&session, &event);
    if (code == EXIT_OK)
        code = submit(&session, &event, args_option(args, "actor"));
    session_close(&session);
    return code;
}

const struct command verify_commands[] = {
    {
        .summary = "say that a professional stands for what a patient or an informal carer entered",
        .arguments = {{"EVENT", "its id (a UUID), or its place in the log: 123"}},
        .options = {{"actor", "ACTOR", "the professional or organisation that verifies it", .required = true}},
        .detail =
            "The actor has received the event, and is entitled to it now. Everyone who received it is sent it "
            "again, marked as verified by that actor; so is every later delivery of it.\nA client that is no operator "
            "names the event by its id, which came with the delivery.",
        .example = "carehub verify 1042 --actor dr-janssens",
        .run = run_verify,
    },
    {0},
};
