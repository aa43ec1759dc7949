// Events as FHIR messages, and what a receiver answers to one.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <json-c/json_object.h>

#include "catalogue.h"
#include "eventid.h"
#include "fhir_node.h"
#include "fhir_write.h"
#include "homecare_exchange.h"
#include "json_make.h"
#include "pbjson.h"

static const char *value_of(const struct carehub_setting *section, const char *name)
{
    const struct carehub_setting *found = setting_named(section, name);
    return found != NULL ? found->value : "";
}

static enum carehub_written fail(struct carehub_parcel *parcel, const struct problems *problems)
{
    const struct problem *first = problems->count > 0 ? &problems->list[0] : NULL;
    snprintf(parcel->problem.where, sizeof parcel->problem.where, "%s", first != NULL ? first->expression : "");
    snprintf(parcel->problem.what, sizeof parcel->problem.what, "%s", first != NULL ? first->diagnostics : "no memory");
    return CAREHUB_WRITTEN_ERROR;
}

enum carehub_written homecare_write(const void *self, const struct carehub_departure *departure,
                                    struct carehub_parcel *parcel)
{
    const struct homecare *config = self;
    const Carehub__V1__Event *event = departure->event;
    const struct fhir_route route = {.endpoint = config->endpoint,
                                     .name = config->name,
                                     .receiver_endpoint = value_of(departure->receiver, "endpoint"),
                                     .receiver_name = value_of(departure->receiver, "name"),
                                     .now_ms = departure->now_ms,
                                     .verified_by = departure->notice ? "" : departure->verified_by};
    struct problems problems = {0};
    char id[EVENTID_TEXT_CHARS];
    uint8_t message_id[EVENTID_BYTES];
    size_t len = 0;
    if (!fhir_writes(event->type))
        return CAREHUB_WRITTEN_NOTHING;
    struct json_object *message = fhir_message(event, departure->original, &route, &problems);
    const char *text = message != NULL ? json_object_to_json_string_length(message, JSON_TEXT, &len) : NULL;
    parcel->bytes = text != NULL ? malloc(len) : NULL;
    if (parcel->bytes == NULL) {
        json_object_put(message);
        return fail(parcel, &problems);
    }
    memcpy(parcel->bytes, text, len);
    json_object_put(message);
    parcel->len = len;
    parcel->content_type = "application/fhir+json";
    fhir_message_id(event, route.verified_by, message_id);
    eventid_format(message_id, id);
    snprintf(parcel->native_id, sizeof parcel->native_id, "%s", id);
    snprintf(parcel->kind, sizeof parcel->kind, "%s", event_type_name(event->type));
    snprintf(parcel->file_name, sizeof parcel->file_name, "%s-%s.json", id, parcel->kind);
    return CAREHUB_WRITTEN;
}

// ---- Receivers

// The values are read where they are used: value_of.
bool homecare_check_receiver(const struct carehub_setting *receiver, char error[CAREHUB_ERROR_BYTES])
{
    static const struct setting_rule rules[] = {
        {.name = "endpoint", .kind = SETTING_TEXT, .offset = 0},
        {.name = "name", .kind = SETTING_TEXT, .offset = sizeof(char *)},
    };
    char *texts[2] = {NULL, NULL};
    bool ok = settings_read(receiver, "out/receiver", "", rules, sizeof rules / sizeof rules[0], texts, error);
    if (ok && texts[0] != NULL && (strchr(texts[0], ':') == NULL || strpbrk(texts[0], " \t") != NULL))
        ok = settings_complain(error, "out/receiver", "setting 'endpoint' has to be a URL, such as https://…/fhir");
    settings_clear(rules, sizeof rules / sizeof rules[0], texts);
    return ok;
}

// ---- Answers

static enum carehub_judgement complain(struct carehub_problem *problem, enum carehub_judgement judgement,
                                       const char *where, const char *what)
{
    snprintf(problem->where, sizeof problem->where, "%s", where);
    snprintf(problem->what, sizeof problem->what, "%s", what);
    snprintf(problem->rule, sizeof problem->rule, "FHIR R4, MessageHeader.response");
    return judgement;
}

static enum carehub_judgement judge_response(const struct fhir_node *response, const struct carehub_parcel *parcel,
                                             struct carehub_problem *problem)
{
    struct problems unused = {0};
    const char *answers = fhir_text(&unused, response, "identifier"), *code = fhir_text(&unused, response, "code");
    if (strncmp(answers, "urn:uuid:", 9) == 0)
        answers += 9;
    if (answers[0] != '\0' && strcasecmp(answers, parcel->native_id) != 0)
        return complain(problem, CAREHUB_JUDGED_OTHER, "MessageHeader.response.identifier",
                        "the answer is one to another message");
    if (strcmp(code, "transient-error") == 0)
        return complain(problem, CAREHUB_JUDGED_AGAIN, "MessageHeader.response.code", "transient-error: not now");
    if (strcmp(code, "fatal-error") == 0)
        return complain(problem, CAREHUB_JUDGED_REFUSED, "MessageHeader.response.code",
                        "fatal-error: the receiver cannot take it");
    return CAREHUB_JUDGED_TAKEN;
}

// A receiver may answer with a message of its own, which says more than its success. Anything else that the transport
// takes for success is one.
enum carehub_judgement homecare_judge(const void *self, const struct carehub_parcel *parcel, const void *answer,
                                      size_t len, struct carehub_problem *problem)
{
    struct pbjson_error error;
    struct problems unused = {0};
    struct json_object *tree = len > 0 && len <= FHIR_BODY_MAX_BYTES ? pbjson_tree(answer, len, &error) : NULL;
    struct fhir_node root = fhir_root(tree, "Bundle"), entries = fhir_get(&root, "entry");
    enum carehub_judgement judgement = CAREHUB_JUDGED_TAKEN;
    (void)self;
    if (strcmp(fhir_text(&unused, &root, "type"), "message") == 0 &&
        json_object_is_type(entries.json, json_type_array)) {
        struct fhir_node first = fhir_at(&entries, 0), header = fhir_get(&first, "resource"),
                         response = fhir_get(&header, "response");
        if (json_object_is_type(response.json, json_type_object))
            judgement = judge_response(&response, parcel, problem);
    }
    json_object_put(tree);
    return judgement;
}
