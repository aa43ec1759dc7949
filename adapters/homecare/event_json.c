#include "event_json.h"

#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "catalogue.h"
#include "eventid.h"
#include "hub_limits.h"
#include "identifier.h"
#include "pbjson.h"

// A step of the reading: what it works on. Each step says what is wrong, and goes on.
struct reading {
    const struct fhir_intake *in;
    struct problems *problems;
    Carehub__V1__Event *event;
    const char *text;
    size_t len;
};

static void wrong(struct reading *r, enum problem_code code, const char *path, const char *what)
{
    problems_add(r->problems, PROBLEM_ERROR, code, path, "%s", what);
}

static bool set(char **text, const char *value)
{
    char *copy = strdup(value);
    if (copy == NULL)
        return false;
    if (*text != protobuf_c_empty_string)
        free(*text);
    *text = copy;
    return true;
}

static bool set_bytes(ProtobufCBinaryData *place, const void *bytes, size_t len)
{
    place->data = malloc(len);
    place->len = place->data != NULL ? len : 0;
    if (place->data != NULL)
        memcpy(place->data, bytes, len);
    return place->data != NULL;
}

// ---- Type and body

// A body's number is EVENT_BODY_FIELD_BASE + its type.
static void check_type(struct reading *r)
{
    Carehub__V1__Event *event = r->event;
    int of_body =
        event->body_case != CAREHUB__V1__EVENT__BODY__NOT_SET ? (int)event->body_case - EVENT_BODY_FIELD_BASE : 0;
    if (of_body == 0)
        wrong(r, PROBLEM_REQUIRED, "type",
              "the event has no body: add the member that is named as the type, for "
              "FALL_REPORTED fallReported, be it empty");
    else if (event->type == CAREHUB__V1__EVENT_TYPE__EVENT_TYPE_UNSPECIFIED)
        event->type = (Carehub__V1__EventType)of_body;
    else if ((int)event->type != of_body)
        wrong(r, PROBLEM_BUSINESS_RULE, "type", "the body is one of another type");
}

// ---- Patient

static void check_identifier(struct reading *r, Carehub__V1__Identifier *identifier, size_t index)
{
    char path[PROBLEM_EXPRESSION_CHARS], system[IDENTIFIER_SYSTEM_CHARS];
    struct identifier checked;
    enum identifier_status status = identifier_check(identifier->system, identifier->value, &checked);
    bool of_system = status == IDENTIFIER_NO_SYSTEM || !identifier_system_normalise(identifier->system, system);
    snprintf(path, sizeof path, "patient.identifiers[%zu].%s", index, of_system ? "system" : "value");
    if (of_system || !identifier_usable(status))
        wrong(r, PROBLEM_VALUE, path, identifier_status_text(of_system ? IDENTIFIER_NO_SYSTEM : status));
    else if (!set(&identifier->system, system) || !set(&identifier->value, checked.value))
        wrong(r, PROBLEM_NO_STORE, path, "no memory; send it again later");
}

static void check_patient(struct reading *r)
{
    Carehub__V1__Patient *patient = r->event->patient;
    if (patient == NULL || patient->n_identifiers == 0) {
        wrong(r, PROBLEM_REQUIRED, "patient.identifiers", "the patient must be named, by the SSIN for instance");
        return;
    }
    if (patient->n_identifiers > IDENTIFIERS_MAX) {
        problems_add(r->problems, PROBLEM_ERROR, PROBLEM_TOO_COSTLY, "patient.identifiers", "at most %d are taken",
                     IDENTIFIERS_MAX);
        return;
    }
    for (size_t i = 0; i < patient->n_identifiers; i++)
        check_identifier(r, patient->identifiers[i], i);
}

// ---- Id

static void derive_id(struct reading *r)
{
    const Carehub__V1__Event *event = r->event;
    const Carehub__V1__Time *time = event->recorded_at != NULL ? event->recorded_at : event->occurred_at;
    const char *key = r->in->idempotency_key;
    uint8_t id[EVENTID_BYTES];
    if (key == NULL || key[0] == '\0') {
        wrong(
            r, PROBLEM_REQUIRED, "id",
            "give the event an id (UUIDv7), or the request an Idempotency-Key, so that sending it again does no harm");
        return;
    }
    if (time == NULL || time->unix_ms < 0)
        return; // that is said by check_times
    const struct eventid_native native = {.sender = r->in->sender, .id = key, .time = "json"};
    enum eventid_status status = eventid_derive(id, (uint64_t)time->unix_ms, &native);
    if (status != EVENTID_OK)
        wrong(r, PROBLEM_VALUE, "id", eventid_status_text(status));
    else if (!set_bytes(&r->event->id, id, sizeof id))
        wrong(r, PROBLEM_NO_STORE, "id", "no memory; send it again later");
}

static void check_other_id(struct reading *r, const ProtobufCBinaryData *id, const char *path)
{
    if (id->len != 0 && (id->len != EVENTID_BYTES || !eventid_valid(id->data)))
        wrong(r, PROBLEM_VALUE, path, "it names an event by its id, which is a UUIDv7 or UUIDv8");
}

static void check_ids(struct reading *r)
{
    Carehub__V1__Event *event = r->event;
    if (event->id.len == 0)
        derive_id(r);
    else if (event->id.len != EVENTID_BYTES || !eventid_valid(event->id.data))
        wrong(r, PROBLEM_VALUE, "id", "an event's id is a UUIDv7 or UUIDv8");
    if (event->id.len == EVENTID_BYTES && eventid_valid(event->id.data) &&
        (int64_t)eventid_time_ms(event->id.data) > r->in->received_ms + ID_AHEAD_MAX_MS)
        wrong(r, PROBLEM_BUSINESS_RULE, "id", "its time lies in the future; set the clock of the sending system");
    check_other_id(r, &event->amends, "amends");
    check_other_id(r, &event->retracts, "retracts");
    if (event->amends.len > 0 && event->retracts.len > 0)
        wrong(r, PROBLEM_BUSINESS_RULE, "retracts", "an event amends or retracts, not both");
}

// ---- The rest of the envelope

static void check_times(struct reading *r)
{
    const Carehub__V1__Time *at = r->event->occurred_at;
    if (at == NULL)
        wrong(r, PROBLEM_REQUIRED, "occurredAt", "it must say when it happened");
    else if (at->unix_ms < 0 && r->event->id.len == 0)
        wrong(r, PROBLEM_VALUE, "occurredAt.unixMs", "an event of before 1970 needs an id of its own");
}

static bool add_author(Carehub__V1__Event *event)
{
    if (event->author == NULL && (event->author = malloc(sizeof *event->author)) != NULL)
        carehub__v1__author__init(event->author);
    return event->author != NULL;
}

// What the sender says of itself stands: the hub checks the actor, and the adapter's operator sets the role's default.
static void complete(struct reading *r)
{
    Carehub__V1__Event *event = r->event;
    const char *actor = r->in->actor, *role = r->in->role;
    uint8_t digest[FHIR_KEY_BYTES];
    bool ok = add_author(event);
    if (ok && event->author->actor[0] == '\0' && actor != NULL && actor[0] != '\0')
        ok = set(&event->author->actor, actor);
    if (ok && event->author->role[0] == '\0' && role != NULL && role[0] != '\0')
        ok = set(&event->author->role, role);
    if (ok && event->source == NULL) {
        event->source = malloc(sizeof *event->source);
        ok = event->source != NULL;
        if (ok) {
            carehub__v1__source__init(event->source);
            crypto_hash_sha256(digest, (const uint8_t *)r->text, r->len);
            ok = set(&event->source->native_format, "carehub-json") &&
                 set(&event->source->system, r->in->sender != NULL ? r->in->sender : "") &&
                 set(&event->source->adapter_version, r->in->adapter_version != NULL ? r->in->adapter_version : "") &&
                 set_bytes(&event->source->native_sha256, digest, sizeof digest);
        }
    }
    if (!ok)
        wrong(r, PROBLEM_NO_STORE, "", "no memory; send it again later");
}

static Carehub__V1__Event *parse(const char *text, size_t len, struct problems *problems)
{
    struct pbjson_error error;
    char place[64];
    if (len > EVENT_JSON_MAX_BYTES) {
        problems_add(problems, PROBLEM_FATAL, PROBLEM_TOO_LONG, "", "larger than %u bytes", EVENT_JSON_MAX_BYTES);
        return NULL;
    }
    ProtobufCMessage *m = pbjson_parse(&carehub__v1__event__descriptor, text, len, PBJSON_UUID, &error);
    if (m != NULL)
        return (Carehub__V1__Event *)m;
    snprintf(place, sizeof place, "line %u, column %u: ", error.line, error.column);
    problems_add(problems, PROBLEM_FATAL,
                 error.status == PBJSON_NO_MEMORY  ? PROBLEM_NO_STORE
                 : error.status == PBJSON_LIMIT    ? PROBLEM_TOO_COSTLY
                 : error.status == PBJSON_MISMATCH ? PROBLEM_VALUE
                                                   : PROBLEM_STRUCTURE,
                 error.path, "%sexpected %s", error.line > 0 ? place : "", error.expected);
    return NULL;
}

Carehub__V1__Event *event_json_read(const char *text, size_t len, const struct fhir_intake *intake,
                                    struct problems *problems)
{
    size_t errors = problems->errors;
    struct reading r = {.in = intake, .problems = problems, .text = text, .len = len};
    r.event = parse(text, len, problems);
    if (r.event == NULL)
        return NULL;
    check_type(&r);
    check_patient(&r);
    check_times(&r);
    check_ids(&r);
    complete(&r);
    if (carehub__v1__event__get_packed_size(r.event) > EVENT_MAX_BYTES)
        problems_add(problems, PROBLEM_ERROR, PROBLEM_TOO_LONG, "", "an event has at most %d bytes", EVENT_MAX_BYTES);
    if (problems->errors == errors)
        return r.event;
    carehub__v1__event__free_unpacked(r.event, NULL);
    return NULL;
}

char *event_json_write(const Carehub__V1__Event *event, bool pretty)
{
    return pbjson_from(&event->base, PBJSON_UUID | (pretty ? PBJSON_PRETTY : 0));
}
