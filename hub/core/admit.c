/* Admission: is the event well-formed, authentic, and is this client allowed to publish it? */
#include "core_private.h"

#include <stdio.h>

#include "eventid.h"
#include "identifier.h"
#include "pbcheck.h"

static const struct pbcheck_limits event_limits = {
    .bytes_max = EVENT_MAX_BYTES, .depth_max = 8, .repeat_max = 512, .elements_max = 8192};

/* Unpacks into the scratch arena. Fields that this hub does not know are dropped, not passed on. */
static Carehub__V1__Event *unpack(struct core *core, const ProtobufCBinaryData *bytes, Error **error)
{
    struct pbcheck_result checked;
    if (pbcheck(&carehub__v1__event__descriptor, bytes->data, bytes->len, &event_limits, &checked) != PBCHECK_OK) {
        char text[PBCHECK_TEXT_CHARS];
        pbcheck_format(&checked, text, sizeof text);
        refuse(core, error, checked.status == PBCHECK_TOO_LARGE ? ERROR_CODE(TOO_LARGE) : ERROR_CODE(MALFORMED),
               "event", "the event is not a well-formed carehub.v1.Event of at most %d bytes: %s", EVENT_MAX_BYTES,
               text);
        return NULL;
    }
    if (checked.unknown_fields == 0)
        return carehub__v1__event__unpack(&core->scratch.protobuf, bytes->len, bytes->data);

    Carehub__V1__Event *whole = carehub__v1__event__unpack(NULL, bytes->len, bytes->data);
    if (!whole || !pb_drop_unknown(&whole->base))
        abort(); /* what pbcheck accepts does unpack; no memory is no reason to go on */
    size_t size = carehub__v1__event__get_packed_size(whole);
    uint8_t *known = arena_alloc(&core->scratch, size);
    carehub__v1__event__pack(whole, known);
    carehub__v1__event__free_unpacked(whole, NULL);
    return carehub__v1__event__unpack(&core->scratch.protobuf, size, known);
}

static bool check_id(struct core *core, const Carehub__V1__Event *event, Error **error)
{
    if (event->id.len != EVENTID_BYTES || !eventid_valid(event->id.data))
        return refuse(core, error, ERROR_CODE(INVALID), "id",
                      "an event's id is 16 bytes: UUIDv7, or UUIDv8 as PROTOCOL.md says");
    int64_t at_ms = (int64_t)eventid_time_ms(event->id.data);
    if (at_ms > core->now_ms + ID_AHEAD_MAX_MS)
        return refuse(core, error, ERROR_CODE(INVALID), "id",
                      "the id's time is %lld s ahead of the hub's clock; set the sender's clock",
                      (long long)(at_ms - core->now_ms) / 1000);
    const ProtobufCBinaryData *others[] = {&event->amends, &event->retracts};
    for (int i = 0; i < 2; i++)
        if (others[i]->len != 0 && others[i]->len != EVENTID_BYTES)
            return refuse(core, error, ERROR_CODE(INVALID), i ? "retracts" : "amends",
                          "it names an event by its id, which is 16 bytes");
    if (event->amends.len && event->retracts.len)
        return refuse(core, error, ERROR_CODE(INVALID), "retracts", "an event amends or retracts, not both");
    return true;
}

static bool check_type(struct core *core, const Carehub__V1__Event *event, Error **error)
{
    if (!event_type_name(event->type))
        return refuse(core, error, ERROR_CODE(INVALID), "type", "there is no event type %d", (int)event->type);
    if (event->type == CAREHUB__V1__EVENT_TYPE__EMERGENCY_ACCESS_USED)
        return refuse(core, error, ERROR_CODE(NOT_ALLOWED), "type", "only the hub itself publishes %s",
                      event_type_name(event->type));
    if ((int)event->body_case != EVENT_BODY_FIELD_BASE + (int)event->type)
        return refuse(core, error, ERROR_CODE(INVALID), "type", "the type is %s, but the body is not",
                      event_type_name(event->type));
    if (!event->occurred_at)
        return refuse(core, error, ERROR_CODE(INVALID), "occurredAt", "the event does not say when it occurred");
    if (event->n_addressees > ADDRESSEES_MAX)
        return refuse(core, error, ERROR_CODE(TOO_MANY), "addressees", "at most %d addressees", ADDRESSEES_MAX);
    for (size_t i = 0; i < event->n_addressees; i++)
        if (event->addressees[i]->to_case == CAREHUB__V1__ADDRESSEE__TO__NOT_SET)
            return refuse(core, error, ERROR_CODE(INVALID), "addressees",
                          "addressee %zu names neither an actor nor a role", i);
    return true;
}

/* Brings identifiers to their normal form, and finds whom they name. All that are known must name the same person. */
static bool check_patient(struct core *core, Carehub__V1__Event *event, uint64_t *patient, Error **error)
{
    size_t n = event->patient ? event->patient->n_identifiers : 0;
    if (n == 0 || n > IDENTIFIERS_MAX)
        return refuse(core, error, ERROR_CODE(INVALID), "patient.identifiers",
                      "a patient has 1 to %d identifiers, this one %zu", IDENTIFIERS_MAX, n);
    *patient = 0;
    for (size_t i = 0; i < n; i++) {
        Carehub__V1__Identifier *identifier = event->patient->identifiers[i];
        struct identifier checked;
        char system[IDENTIFIER_SYSTEM_CHARS];
        enum identifier_status status = identifier_check(identifier->system, identifier->value, &checked);
        if (!identifier_usable(status)) {
            char *field = arena_printf(&core->scratch, "patient.identifiers[%zu]", i);
            return refuse(core, error, ERROR_CODE(INVALID), field, "not a usable identifier: %s",
                          identifier_status_text(status));
        }
        if (!identifier_system_normalise(identifier->system, system))
            return refuse(core, error, ERROR_CODE(INVALID), "patient.identifiers",
                          "identifier %zu has no usable system", i);
        identifier->system = arena_strdup(&core->scratch, system);
        identifier->value = arena_strdup(&core->scratch, checked.value);
        bool damaged;
        uint64_t number = persons_find(&core->persons, identifier, &damaged);
        if (damaged) /* not kept would be silent */
            return refuse(core, error, ERROR_CODE(INTERNAL), "patient.identifiers",
                          "the hub's record of whose identifier %zu is, is damaged or was altered; tell the operator",
                          i);
        if (number)
            number = persons_survivor(&core->persons, number, core->now_ms);
        if (number && *patient && number != *patient)
            return refuse(core, error, ERROR_CODE(INVALID), "patient.identifiers",
                          "these identifiers belong to different persons; correct them at the source");
        if (number)
            *patient = number;
    }
    return true;
}

/* The actor that answers for the event must be one that the client speaks for. */
static bool check_author(struct core *core, const struct client *client, Carehub__V1__Event *event,
                         struct actor **author, Error **error)
{
    if (!event->author) {
        event->author = arena_alloc(&core->scratch, sizeof *event->author);
        carehub__v1__author__init(event->author);
    }
    if (event->author->actor[0] == '\0') {
        if (client->card->n_actors != 1)
            return refuse(core, error, ERROR_CODE(INVALID), "author.actor",
                          "client %s speaks for %zu actors: say which one answers for the event", client->card->name,
                          client->card->n_actors);
        *author = registry_actor(&core->registry, client->card->actors[0]);
        event->author->actor = (*author)->card->name;
    } else {
        *author = registry_actor_named(&core->registry, event->author->actor);
        if (!*author || !client_speaks_for(client, (*author)->number))
            return refuse(core, error, ERROR_CODE(NOT_ALLOWED), "author.actor",
                          "client %s does not speak for this actor", client->card->name);
    }
    if (actor_enters_unverified(*author))
        event->author->unverified = true; /* whatever their software says: until a professional stands for it */
    if ((*author)->card->standing != CAREHUB__V1__STANDING__ACTIVE)
        return refuse(core, error, ERROR_CODE(NOT_ALLOWED), "author.actor", "actor %s is suspended or has ended",
                      (*author)->card->name);
    if (!(client->types & 1) && !(client->types >> event->type & 1))
        return refuse(core, error, ERROR_CODE(NOT_ALLOWED), "type", "client %s may not publish %s: ask the registrar",
                      client->card->name, event_type_name(event->type));
    return true;
}

bool admit_event(struct core *core, const struct client *client, const ProtobufCBinaryData *bytes,
                 struct admitted *admitted, Error **error)
{
    Carehub__V1__Event *event = admitted->event = unpack(core, bytes, error);
    if (!event)
        return false;
    if (!check_id(core, event, error) || !check_type(core, event, error) ||
        !check_author(core, client, event, &admitted->author, error) ||
        !check_patient(core, event, &admitted->patient, error))
        return false;
    admitted->size = carehub__v1__event__get_packed_size(event);
    admitted->bytes = arena_alloc(&core->scratch, admitted->size);
    carehub__v1__event__pack(event, admitted->bytes);
    vault_digest(core->vault, admitted->bytes, admitted->size, admitted->digest);
    return true;
}
