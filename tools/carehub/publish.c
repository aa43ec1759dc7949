/* carehub publish: sends events. */
#include <stdlib.h>
#include <string.h>

#include "catalogue.h"
#include "eventid.h"
#include "nouns.h"
#include "pbjson.h"
#include "sender.h"

/* In the client library's thread: one line for each event. */
static void tell_outcome(struct sender *sender, const char *label, int status,
                         const Carehub__V1__Confirmation *confirmation)
{
    if (sender->session->json) {
        struct json_object *line = json_object_new_object();
        json_object_object_add(line, "eventId", json_object_new_string(label));
        if (confirmation)
            json_object_object_add(line, "confirmation",
                                   pbjson_object(&confirmation->base, PBJSON_UUID | PBJSON_DEFAULTS));
        else
            json_object_object_add(line, "error", json_object_new_string(carehub_strerror(status)));
        puts(json_object_to_json_string_ext(line, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
        json_object_put(line);
        return;
    }
    struct style style = sender->session->style;
    bool taken = status == CAREHUB_OK && confirmation;
    enum tone tone = taken ? TONE_GOOD : TONE_BAD;
    char text[ENUM_CHARS];
    printf("%s%s %s%s  %s", tone_on(style, tone), mark_text(style, taken ? MARK_YES : MARK_NO),
           confirmation ? enum_text(&carehub__v1__confirmation__status__descriptor, confirmation->status, text)
                        : "unknown",
           tone_off(style, tone), label);
    if (taken && confirmation->place)
        printf("  #%llu", (unsigned long long)confirmation->place);
    if (!taken) {
        fputs("  ", stdout);
        put_safe(stdout, confirmation && confirmation->error ? confirmation->error->text : carehub_strerror(status));
    }
    putchar('\n');
}

/* What a person who writes an event by hand may leave out: its id, and the type, which its body says. */
static void complete_event(Carehub__V1__Event *event, uint8_t id[CAREHUB_ID_BYTES])
{
    if (event->id.len == 0) {
        carehub_new_id(id);
        free(event->id.data);
        event->id = (ProtobufCBinaryData){CAREHUB_ID_BYTES, id};
    }
    if (event->type == CAREHUB__V1__EVENT_TYPE__EVENT_TYPE_UNSPECIFIED && event->body_case)
        event->type = (Carehub__V1__EventType)(event->body_case - EVENT_BODY_FIELD_BASE);
}

static int send_event(struct sender *sender, struct json_input *in, struct json_object *object)
{
    struct pbjson_error error;
    Carehub__V1__Event *event =
        (Carehub__V1__Event *)pbjson_parse_object(&carehub__v1__event__descriptor, object, PBJSON_UUID, &error);
    if (!event) {
        char text[PBJSON_ERROR_TEXT_CHARS];
        pbjson_error_format(&error, text, sizeof text);
        return fail(EXIT_NO, "The fields are those of proto/carehub/v1/event.proto.", "%s, line %llu: %s", in->name,
                    (unsigned long long)in->object_line, text);
    }
    uint8_t id[CAREHUB_ID_BYTES];
    complete_event(event, id);
    char label[EVENTID_TEXT_CHARS] = "(an id that is not 16 bytes)";
    if (event->id.len == EVENTID_BYTES)
        eventid_format(event->id.data, label);
    size_t size = carehub__v1__event__get_packed_size(event);
    uint8_t *bytes = malloc(size + 1);
    if (!bytes)
        abort();
    carehub__v1__event__pack(event, bytes);
    if (event->id.data == id)
        event->id = (ProtobufCBinaryData){0, NULL};
    carehub__v1__event__free_unpacked(event, NULL);
    Carehub__V1__Item item = CAREHUB__V1__ITEM__INIT;
    item.item_case = CAREHUB__V1__ITEM__ITEM_EVENT;
    item.event = (ProtobufCBinaryData){size, bytes};
    int code = sender_send(sender, &item, label);
    free(bytes);
    return code;
}

static int send_all(struct sender *sender, struct json_input *in)
{
    int code;
    do {
        struct json_object *object;
        code = json_input_next(in, &object);
        if (code || !object)
            break;
        code = send_event(sender, in, object);
        json_object_put(object);
    } while (code == EXIT_OK);
    int drained = code == EXIT_TIMED_OUT ? code : sender_drain(sender); /* said once that the hub is silent */
    code = code ? code : drained;
    if (code == EXIT_OK && sender->sent == 0)
        code = fail(EXIT_NO, NULL, "%s holds no event", in->name);
    if (code == EXIT_OK && sender->refused)
        code =
            fail(EXIT_REFUSED, "The lines above say which and why; the others are safe in the log.",
                 "the hub refused %llu of %llu", (unsigned long long)sender->refused, (unsigned long long)sender->sent);
    if (code == EXIT_OK && sender->lost)
        code = session_failed(sender->session, CAREHUB_CLOSED, "publishing");
    return code;
}

static int run_publish(const struct args *args)
{
    return sender_run(args, "publishing", tell_outcome, send_all);
}

const struct command publish_commands[] = {
    {
        .summary = "send events, and wait until they are safe in the log",
        .arguments = {{"FILE", "the events as JSON: one object, one on each line, or an array; '-' is standard input"}},
        .detail = "An id is made where there is none, and the type follows from the body. Sending a file again is "
                  "harmless as long as its events have ids: the hub recognises them.",
        .example = "carehub publish fall.json",
        .run = run_publish,
    },
    {0},
};
