/* memory_emit.c - takes events and facts from a format. They come from a plug-in, whose idea of the schema may be older
 * or newer than ours: they are serialised by its descriptors, checked as the hub would check them, and read by ours. */
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalogue.h"
#include "hub_limits.h"
#include "identifier.h"
#include "memory_internal.h"
#include "pbcheck.h"

static const struct pbcheck_limits limits = {
    .bytes_max = EVENT_MAX_BYTES, .depth_max = 8, .repeat_max = 512, .elements_max = 8192};

static const char out_of_memory[] = "the adapter is out of memory";

/* An event's id says when it was; the hub recognises repeats for 90 days, so older ones get the time they came in. */
#define ID_OLDEST_MS (80 * DAY_MS)

/* ---- Into our own hands ----------------------------------------------------------------------------------------- */

/* Where in the message's items, for problems: "event 2", with a field "event 2, patient". */
static const char *where(const struct memory *self, const char *what, const char *field, char out[CAREHUB_WHERE_BYTES])
{
    snprintf(out, CAREHUB_WHERE_BYTES, "%s %zu of the message%s%s", what, self->items->count + 1,
             field[0] != '\0' ? ", " : "", field);
    return out;
}

/* malloc'd. NULL: refused or failed. */
static uint8_t *pack(struct memory *self, const ProtobufCMessage *message, const char *what, size_t *len)
{
    char at[CAREHUB_WHERE_BYTES];
    *len = protobuf_c_message_get_packed_size(message);
    if (*len > EVENT_MAX_BYTES) {
        memory_refuse(self, where(self, what, "", at), "carehub.v1",
                      "it would have %zu bytes; the hub takes at most %d: send less in one message", *len,
                      EVENT_MAX_BYTES);
        return NULL;
    }
    uint8_t *bytes = malloc(*len + 1);
    if (!bytes)
        memory_fail(self, out_of_memory);
    else
        protobuf_c_message_pack(message, bytes);
    return bytes;
}

/* As a message of ours. NULL: refused or failed. */
static ProtobufCMessage *adopt(struct memory *self, const ProtobufCMessage *message,
                               const ProtobufCMessageDescriptor *ours, const char *what)
{
    char at[CAREHUB_WHERE_BYTES], text[PBCHECK_TEXT_CHARS];
    struct pbcheck_result checked;
    size_t len;
    if (self->refused || self->failure)
        return NULL; /* it went on after emit had said no */
    if (self->items->count == CAREHUB_ITEMS_MAX) {
        memory_refuse(self, "", "carehub.v1",
                      "more than %d events and facts come of it: split it into several messages", CAREHUB_ITEMS_MAX);
        return NULL;
    }
    uint8_t *bytes = pack(self, message, what, &len);
    if (!bytes)
        return NULL;
    ProtobufCMessage *own = NULL;
    if (pbcheck(ours, bytes, len, &limits, &checked) == PBCHECK_OK) {
        own = protobuf_c_message_unpack(ours, NULL, len, bytes);
        if (!own)
            memory_fail(self, out_of_memory);
    } else {
        pbcheck_format(&checked, text, sizeof text);
        memory_refuse(self, where(self, what, "", at), "carehub.v1", "the hub would not take it: %s", text);
    }
    free(bytes);
    return own;
}

/* ---- Filling in ------------------------------------------------------------------------------------------------- */

static bool fill_text(struct memory *self, char **text, const char *value)
{
    if ((*text)[0] != '\0' || value[0] == '\0')
        return true;
    char *copy = strdup(value); /* an empty text is protobuf-c's own and not freed */
    if (!copy)
        return memory_fail(self, out_of_memory);
    *text = copy;
    return true;
}

static bool fill_bytes(struct memory *self, ProtobufCBinaryData *bytes, const uint8_t *value, size_t len)
{
    if (bytes->len != 0)
        return true;
    bytes->data = malloc(len);
    if (!bytes->data)
        return memory_fail(self, out_of_memory);
    memcpy(bytes->data, value, len);
    bytes->len = len;
    return true;
}

/* From what names the native message, and the item's place in it: so a resent message gives the same ids. */
static bool fill_id(struct memory *self, ProtobufCBinaryData *place, int64_t time_ms)
{
    const struct carehub_message *m = self->message;
    char key[4 * CAREHUB_DIGEST_BYTES + 2], index[16];
    uint8_t id[EVENTID_BYTES];
    int64_t received_ms = m->native->received_ms;
    if (place->len != 0)
        return true;
    sodium_bin2hex(key, sizeof key, m->key, sizeof m->key);
    if (m->key_reused)
        sodium_bin2hex(key + 2 * sizeof m->key, 2 * sizeof m->digest + 1, m->digest, sizeof m->digest);
    snprintf(index, sizeof index, "%zu", self->items->count);
    if (time_ms > received_ms || time_ms < received_ms - ID_OLDEST_MS || time_ms < 0)
        time_ms = received_ms > 0 ? received_ms : 0;
    const struct eventid_native native = {.sender = m->sender, .id = key, .time = index};
    if (eventid_derive(id, (uint64_t)time_ms, &native) != EVENTID_OK)
        return memory_fail(self, "the adapter cannot make ids");
    return fill_bytes(self, place, id, sizeof id);
}

static bool fill_source(struct memory *self, Carehub__V1__Event *event)
{
    if (!event->source) {
        event->source = malloc(sizeof *event->source);
        if (!event->source)
            return memory_fail(self, out_of_memory);
        carehub__v1__source__init(event->source);
    }
    Carehub__V1__Source *source = event->source;
    return fill_text(self, &source->system, self->message->sender) &&
           fill_text(self, &source->native_id, self->message->native_id) &&
           fill_text(self, &source->native_format, self->format->name) &&
           fill_text(self, &source->adapter_version, self->format->version ? self->format->version : "") &&
           fill_bytes(self, &source->native_sha256, self->sha256, CAREHUB_DIGEST_BYTES);
}

static bool fill_event(struct memory *self, Carehub__V1__Event *event)
{
    if (event->type == 0 && (int)event->body_case > EVENT_BODY_FIELD_BASE)
        event->type = (Carehub__V1__EventType)((int)event->body_case - EVENT_BODY_FIELD_BASE);
    if (!event->recorded_at) {
        event->recorded_at = malloc(sizeof *event->recorded_at);
        if (!event->recorded_at)
            return memory_fail(self, out_of_memory);
        carehub__v1__time__init(event->recorded_at);
        event->recorded_at->unix_ms = self->message->native->received_ms;
        event->recorded_at->precision = CAREHUB__V1__PRECISION__PRECISION_SECOND;
    }
    return fill_id(self, &event->id, event->occurred_at ? event->occurred_at->unix_ms : -1) && fill_source(self, event);
}

/* ---- Checking: what the hub would refuse is found out here, where the message is still at hand ------------------- */

static bool check_ids(struct memory *self, const Carehub__V1__Event *event)
{
    char at[CAREHUB_WHERE_BYTES];
    if (event->id.len != 0 && (event->id.len != EVENTID_BYTES || !eventid_valid(event->id.data)))
        return memory_refuse(self, where(self, "event", "id", at), "carehub.v1.Event.id",
                             "an id has 16 bytes, UUID version 7 or 8; leave it out to have one made");
    if ((event->amends.len != 0 && event->amends.len != EVENTID_BYTES) ||
        (event->retracts.len != 0 && event->retracts.len != EVENTID_BYTES))
        return memory_refuse(self, where(self, "event", "amends, retracts", at), "carehub.v1.Event.amends",
                             "it names an event by its id, which has 16 bytes");
    return (event->amends.len == 0 || event->retracts.len == 0) ||
           memory_refuse(self, where(self, "event", "amends, retracts", at), "carehub.v1.Event.retracts",
                         "it amends or retracts, not both");
}

static bool check_patient(struct memory *self, const Carehub__V1__Event *event)
{
    char at[CAREHUB_WHERE_BYTES], field[64];
    size_t n = event->patient ? event->patient->n_identifiers : 0;
    if (n == 0 || n > IDENTIFIERS_MAX)
        return memory_refuse(self, where(self, "event", "patient", at), "carehub.v1.Patient.identifiers",
                             "it needs a patient with 1 to %d identifiers, and has %zu", IDENTIFIERS_MAX, n);
    for (size_t i = 0; i < n; i++) {
        const Carehub__V1__Identifier *identifier = event->patient->identifiers[i];
        struct identifier checked;
        enum identifier_status status = identifier_check(identifier->system, identifier->value, &checked);
        snprintf(field, sizeof field, "patient.identifiers[%zu]", i);
        if (!identifier_usable(status))
            return memory_refuse(self, where(self, "event", field, at), "carehub.v1.Identifier",
                                 "not a usable identifier: %s", identifier_status_text(status));
    }
    return true;
}

static bool check_event(struct memory *self, const Carehub__V1__Event *event)
{
    char at[CAREHUB_WHERE_BYTES];
    if (!event_type_name(event->type) || (int)event->body_case != EVENT_BODY_FIELD_BASE + (int)event->type)
        return memory_refuse(self, where(self, "event", "type", at), "carehub.v1.Event.type",
                             "it needs a body, and a type that is the body's");
    if (!event->occurred_at)
        return memory_refuse(self, where(self, "event", "occurredAt", at), "carehub.v1.Event.occurred_at",
                             "it does not say when it occurred");
    return check_patient(self, event);
}

/* ---- Emitting --------------------------------------------------------------------------------------------------- */

static bool add(struct memory *self, const ProtobufCMessage *message, bool is_fact, const ProtobufCBinaryData *id,
                const ProtobufCBinaryData *original, const char *episode)
{
    size_t len;
    uint8_t *bytes = pack(self, message, is_fact ? "fact" : "event", &len);
    return bytes && (items_add(self->items, is_fact, id->data, original->data, bytes, len, episode) ||
                     memory_fail(self, out_of_memory));
}

bool memory_emit(struct carehub_memory *base, const Carehub__V1__Event *event, const char *episode)
{
    struct memory *self = (struct memory *)base;
    Carehub__V1__Event *own = (Carehub__V1__Event *)adopt(self, &event->base, &carehub__v1__event__descriptor, "event");
    if (!own)
        return false;
    const ProtobufCBinaryData *original = own->amends.len     ? &own->amends
                                          : own->retracts.len ? &own->retracts
                                                              : &own->id;
    bool ok = check_ids(self, own) && fill_event(self, own) && check_event(self, own) &&
              add(self, &own->base, false, &own->id, original, episode);
    carehub__v1__event__free_unpacked(own, NULL);
    return ok;
}

bool memory_emit_fact(struct carehub_memory *base, const Carehub__V1__Fact *fact)
{
    struct memory *self = (struct memory *)base;
    char at[CAREHUB_WHERE_BYTES];
    if (self->message->confirm_by_spool)
        return memory_refuse(self, where(self, "fact", "", at), "carehub-formats(7)",
                             "registry facts are never spooled: set confirm = hub for this sender");
    Carehub__V1__Fact *own = (Carehub__V1__Fact *)adopt(self, &fact->base, &carehub__v1__fact__descriptor, "fact");
    if (!own)
        return false;
    bool ok = true;
    if (own->fact_case == CAREHUB__V1__FACT__FACT__NOT_SET)
        ok = memory_refuse(self, where(self, "fact", "", at), "carehub.v1.Fact", "it states nothing");
    else if (own->id.len != 0 && (own->id.len != EVENTID_BYTES || !eventid_valid(own->id.data)))
        ok = memory_refuse(self, where(self, "fact", "id", at), "carehub.v1.Fact.id",
                           "an id has 16 bytes, UUID version 7 or 8; leave it out to have one made");
    ok = ok && fill_id(self, &own->id, self->message->native->received_ms) &&
         add(self, &own->base, true, &own->id, &own->id, NULL);
    carehub__v1__fact__free_unpacked(own, NULL);
    return ok;
}
