/* carehub registry: loads many facts. */
#include <stdlib.h>

#include "nouns.h"
#include "pbjson.h"
#include "sender.h"

static int send_fact(struct sender *sender, struct json_input *in, struct json_object *object)
{
    struct pbjson_error error;
    Carehub__V1__Fact *fact =
        (Carehub__V1__Fact *)pbjson_parse_object(&carehub__v1__fact__descriptor, object, PBJSON_UUID, &error);
    char label[SENDER_LABEL_BYTES];
    snprintf(label, sizeof label, "line %llu", (unsigned long long)in->object_line);
    if (!fact) {
        char text[PBJSON_ERROR_TEXT_CHARS];
        pbjson_error_format(&error, text, sizeof text);
        return fail(EXIT_NO, "The fields are those of Fact in proto/carehub/v1/registry.proto.", "%s, %s: %s", in->name,
                    label, text);
    }
    uint8_t id[CAREHUB_ID_BYTES];
    bool made = fact->id.len == 0;
    if (made) {
        carehub_new_id(id);
        fact->id = (ProtobufCBinaryData){sizeof id, id};
    }
    Carehub__V1__Item item = CAREHUB__V1__ITEM__INIT;
    item.item_case = CAREHUB__V1__ITEM__ITEM_FACT;
    item.fact = fact;
    int code = sender_send(sender, &item, label);
    if (made)
        fact->id = (ProtobufCBinaryData){0, NULL};
    carehub__v1__fact__free_unpacked(fact, NULL);
    return code;
}

static int conclude(struct sender *sender, const struct json_input *in)
{
    if (sender->refused)
        return fail(EXIT_REFUSED, "Correct that line and load the file again: facts with an id are not taken twice.",
                    "%s, %s: the hub refused: %s", in->name, sender->first_label, sender->first_error);
    if (sender->lost)
        return session_failed(sender->session, CAREHUB_CLOSED, "loading facts");
    if (sender->sent == 0)
        return fail(EXIT_NO, NULL, "%s holds no fact", in->name);
    char taken[COUNT_CHARS], known[COUNT_CHARS];
    if (sender->session->json)
        printf("{\"confirmed\":\"%llu\",\"repeated\":\"%llu\"}\n", (unsigned long long)sender->confirmed,
               (unsigned long long)sender->repeated);
    else if (sender->repeated)
        printf("%s facts loaded; %s were there already\n", count_text(sender->confirmed, taken),
               count_text(sender->repeated, known));
    else
        printf("%s facts loaded\n", count_text(sender->confirmed, taken));
    return EXIT_OK;
}

static int load(struct sender *sender, struct json_input *in)
{
    int code;
    do {
        struct json_object *object;
        code = json_input_next(in, &object);
        if (code || !object)
            break;
        code = send_fact(sender, in, object);
        json_object_put(object);
    } while (code == EXIT_OK && !sender_refused(sender)); /* what follows may depend on what was refused */
    int drained = code == EXIT_TIMED_OUT ? code : sender_drain(sender); /* said once that the hub is silent */
    code = code ? code : drained;
    return code ? code : conclude(sender, in);
}

static int run_load(const struct args *args)
{
    return sender_run(args, "loading facts", NULL, load);
}

const struct command registry_commands[] = {
    {
        .verb = "load",
        .summary = "submit facts from a file, in order",
        .arguments = {{"FILE", "facts as JSON, one on each line; '-' is standard input"}},
        .detail = "Stops at the first fact that the hub refuses; a few after it may be on their way already. "
                  "Facts that "
                  "have an id are recognised when they are loaded again.",
        .example = "carehub registry load region.jsonl",
        .run = run_load,
    },
    {0},
};
