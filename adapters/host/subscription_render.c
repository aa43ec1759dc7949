/* subscription_render.c - an event as the FHIR that the format makes of it. */
#include "subscription_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json_object.h>
#include <json-c/json_tokener.h>

#include "eventid.h"
#include "fhir_write.h"
#include "pbjson.h"

static enum carehub_written complain(struct carehub_problem *problem, const char *what)
{
    *problem = (struct carehub_problem){0};
    snprintf(problem->what, sizeof problem->what, "%s", what);
    return CAREHUB_WRITTEN_ERROR;
}

/* Parses what the format wrote, and gives the resource the event's id: so it can be asked for, and the same event is
 * the same resource each time. */
static enum carehub_written take_document(const struct carehub_parcel *parcel, struct store_event *out,
                                          struct carehub_problem *problem)
{
    struct pbjson_error error;
    struct json_object *tree = pbjson_tree(parcel->bytes, parcel->len, &error), *type = NULL;
    char id[EVENTID_TEXT_CHARS];
    eventid_format(out->id, id);
    if (json_object_is_type(tree, json_type_object))
        json_object_object_get_ex(tree, "resourceType", &type);
    const char *name = json_object_is_type(type, json_type_string) ? json_object_get_string(type) : "";
    struct json_object *text = json_object_new_string(id);
    if (name[0] == '\0' || strlen(name) >= sizeof out->type || !text || json_object_object_add(tree, "id", text) != 0) {
        json_object_put(text);
        json_object_put(tree);
        return complain(problem, "the format of this adapter does not write FHIR in JSON");
    }
    snprintf(out->type, sizeof out->type, "%s", name);
    out->document = notice_text(tree, &out->document_len);
    return out->document ? CAREHUB_WRITTEN : complain(problem, "out of memory");
}

/* As it came first, or only when it had been verified: then it is kept under that message's id. */
static bool find_stored(struct subscriptions *owner, int64_t key, const ProtobufCBinaryData *id,
                        struct store_event *stored)
{
    Carehub__V1__Event named = CAREHUB__V1__EVENT__INIT;
    uint8_t verified[EVENTID_BYTES];
    if (id->len != EVENTID_BYTES)
        return false;
    named.id = *id;
    fhir_message_id(&named, "somebody", verified);
    return store_event_of_id(owner->store, key, id->data, stored) ||
           store_event_of_id(owner->store, key, verified, stored);
}

/* What it corrects, as this subscriber got it. */
static Carehub__V1__Event *original_of(struct subscriptions *owner, int64_t key, const Carehub__V1__Event *event)
{
    const ProtobufCBinaryData *id = event->retracts.len == EVENTID_BYTES ? &event->retracts : &event->amends;
    struct store_event stored;
    Carehub__V1__Event *original = NULL;
    if (!find_stored(owner, key, id, &stored))
        return NULL;
    if (stored.event)
        original = carehub__v1__event__unpack(NULL, stored.event_len, stored.event);
    store_event_clear(&stored);
    return original;
}

enum carehub_written subscription_render(struct subscriptions *owner, int64_t key, const struct hub_delivery *delivery,
                                         struct store_event *out, struct carehub_problem *problem)
{
    Carehub__V1__Event *original = original_of(owner, key, delivery->event);
    const struct carehub_departure departure = {
        .event = delivery->event,
        .notice = delivery->notice,
        .original = original,
        .receiver = owner->settings.receiver,
        .number = ++owner->departures,
        .attempt = delivery->attempt,
        .now_ms = wall_clock_ms(),
        .verified_by = delivery->verified_by,
    };
    struct carehub_parcel parcel = {0};
    enum carehub_written written = owner->format->write(owner->format_self, &departure, &parcel);
    if (written == CAREHUB_WRITTEN)
        written = take_document(&parcel, out, problem);
    else if (written == CAREHUB_WRITTEN_ERROR)
        *problem = parcel.problem;
    free(parcel.bytes);
    if (original)
        carehub__v1__event__free_unpacked(original, NULL);
    return written;
}
