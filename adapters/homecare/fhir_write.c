// The message around its focus: header, patient, organisation, provenance.
#include "fhir_write.h"

#include <stdio.h>
#include <string.h>

#include <json-c/json_object.h>

#include "catalogue.h"
#include "fhir_job.h"
#include "fhir_time.h"
#include "fhir_write_internal.h"

#define SYSTEM_NOTIFICATION "http://hl7.org/fhir/us/davinci-alerts/CodeSystem/notification-event"
#define SYSTEM_OPERATION "http://terminology.hl7.org/CodeSystem/v3-DataOperation"
#define SYSTEM_PARTICIPANT "http://terminology.hl7.org/CodeSystem/provenance-participant-type"

bool fhir_writes(Carehub__V1__EventType type)
{
    return write_kind_of(type) != NULL;
}

void fhir_message_id(const Carehub__V1__Event *event, const char *verified_by, uint8_t id[16])
{
    memcpy(id, event->id.data, EVENTID_BYTES);
    if (verified_by != NULL && verified_by[0] != '\0')
        id[EVENTID_BYTES - 1] ^= 1;
}

bool write_is_verified(const struct writer *w)
{
    return w->route->verified_by != NULL && w->route->verified_by[0] != '\0';
}

bool write_is_unverified(const struct writer *w)
{
    return w->event->author != NULL && w->event->author->unverified && !write_is_verified(w);
}

static void id_urn(const uint8_t id[EVENTID_BYTES], char urn[FHIR_URN_CHARS])
{
    memcpy(urn, "urn:uuid:", 9);
    eventid_format(id, urn + 9);
}

static void event_urn(const ProtobufCBinaryData *id, char urn[FHIR_URN_CHARS])
{
    id_urn(id->data, urn);
}

// What stays the same in all messages about the same thing: of a stay its episode, else the event that was first.
static void name_focus(struct writer *w, const struct write_kind *kind)
{
    char first[FHIR_URN_CHARS];
    const Carehub__V1__Event *event = w->event;
    const char *stay = event->correlation_id[0] != '\0' ? event->correlation_id : write_encounter_id(w->content);
    event_urn(event->amends.len == EVENTID_BYTES     ? &event->amends
              : event->retracts.len == EVENTID_BYTES ? &event->retracts
                                                     : &event->id,
              first);
    write_urn(kind->resource, strcmp(kind->resource, "Encounter") == 0 && stay[0] != '\0' ? stay : first, w->focus);
}

// ---- Those whom it is about

static void name_patient(struct writer *w)
{
    const Carehub__V1__Patient *patient = w->event->patient;
    char basis[512];
    if (patient == NULL || patient->n_identifiers == 0)
        return;
    snprintf(basis, sizeof basis, "%s|%s", patient->identifiers[0]->system, patient->identifiers[0]->value);
    write_urn("Patient", basis, w->patient);
}

static void put_patient(struct writer *w)
{
    if (w->patient[0] == '\0')
        return;
    struct json_object *patient = write_entry(w, "Patient", w->patient);
    write_identifiers(w, patient, w->event->patient->n_identifiers, w->event->patient->identifiers);
}

static const Carehub__V1__Party *organisation_of(const struct writer *w, const struct write_kind *kind)
{
    const Carehub__V1__Party *party = kind->organisation != NULL ? kind->organisation(w->content) : NULL;
    if (party == NULL && w->event->author != NULL)
        party = w->event->author->organisation;
    return party != NULL && (party->name[0] != '\0' || party->n_identifiers > 0) ? party : NULL;
}

static void name_organisation(struct writer *w, const struct write_kind *kind)
{
    const Carehub__V1__Party *party = organisation_of(w, kind);
    char basis[512];
    if (party == NULL)
        return;
    snprintf(basis, sizeof basis, "%s|%s", party->n_identifiers > 0 ? party->identifiers[0]->system : "name",
             party->n_identifiers > 0 ? party->identifiers[0]->value : party->name);
    write_urn("Organization", basis, w->organisation);
}

static void put_organisation(struct writer *w, const struct write_kind *kind)
{
    if (w->organisation[0] == '\0')
        return;
    const Carehub__V1__Party *party = organisation_of(w, kind);
    struct json_object *organisation = write_entry(w, "Organization", w->organisation);
    write_identifiers(w, organisation, party->n_identifiers, party->identifiers);
    make_text(&w->m, organisation, "name", party->name);
}

// ---- The header

static void put_header(struct writer *w, const struct write_kind *kind, const char *urn)
{
    const struct fhir_route *route = w->route;
    struct json_object *header = write_entry(w, "MessageHeader", urn), *source = make_object(&w->m),
                       *focus = make_object(&w->m);
    const char *code = kind->code != NULL ? kind->code(w->content) : NULL;
    make_put(&w->m, header, "eventCoding",
             code != NULL ? write_coding(w, SYSTEM_NOTIFICATION, code, "")
                          : write_coding(w, SYSTEM_EVENT_TYPE, event_type_name(w->event->type), ""));
    if (route->receiver_endpoint != NULL && route->receiver_endpoint[0] != '\0') {
        struct json_object *destination = make_object(&w->m);
        make_text(&w->m, destination, "name", route->receiver_name);
        write_uri(w, destination, "endpoint", route->receiver_endpoint);
        write_put_one(w, header, "destination", destination);
    }
    write_reference(w, header, "sender", w->organisation);
    make_text(&w->m, source, "name", route->name);
    write_uri(w, source, "endpoint", route->endpoint);
    make_put(&w->m, header, "source", source);
    make_text(&w->m, focus, "reference", w->focus);
    write_put_one(w, header, "focus", focus);
}

// ---- What it corrects, and who says so

static void put_entity(struct writer *w, struct json_object *provenance)
{
    char original[FHIR_URN_CHARS];
    bool removal = w->correction == CORRECTION_RETRACTS;
    struct json_object *entity = make_object(&w->m);
    event_urn(removal ? &w->event->retracts : &w->event->amends, original);
    make_text(&w->m, entity, "role", removal ? "removal" : "revision");
    write_reference(w, entity, "what", original);
    write_put_one(w, provenance, "entity", entity);
}

static void put_who(struct writer *w, struct json_object *agent, const char *name)
{
    struct json_object *who = make_object(&w->m);
    make_text(&w->m, who, "display", name);
    make_put(&w->m, agent, "who", who);
}

static struct json_object *author_agent(struct writer *w)
{
    struct json_object *agent = make_object(&w->m);
    const Carehub__V1__Author *author = w->event->author;
    if (write_is_verified(w))
        make_put(&w->m, agent, "type", write_fixed(w, SYSTEM_PARTICIPANT, "author", "Author"));
    if (w->organisation[0] != '\0')
        write_reference(w, agent, "who", w->organisation);
    else
        put_who(w, agent, author != NULL && author->actor[0] != '\0' ? author->actor : "not disclosed");
    return agent;
}

static struct json_object *verifier_agent(struct writer *w)
{
    struct json_object *agent = make_object(&w->m);
    make_put(&w->m, agent, "type", write_fixed(w, SYSTEM_PARTICIPANT, "verifier", "Verifier"));
    put_who(w, agent, w->route->verified_by);
    return agent;
}

static void put_agents(struct writer *w, struct json_object *provenance)
{
    struct json_object *agents = make_array(&w->m);
    make_push(&w->m, agents, author_agent(w));
    if (write_is_verified(w))
        make_push(&w->m, agents, verifier_agent(w));
    make_put(&w->m, provenance, "agent", agents);
}

static void put_provenance(struct writer *w, const char *header_urn)
{
    static const struct {
        const char *code, *display;
    } activities[] = {[CORRECTION_NONE] = {"CREATE", "create"},
                      [CORRECTION_AMENDS] = {"UPDATE", "revise"},
                      [CORRECTION_RETRACTS] = {"NULLIFY", "nullify"}};
    char urn[FHIR_URN_CHARS], instant[FHIR_TIME_CHARS];
    const Carehub__V1__Time *recorded = w->event->recorded_at;
    write_urn("Provenance", header_urn, urn);
    struct json_object *provenance = write_entry(w, "Provenance", urn), *target = make_object(&w->m);
    make_text(&w->m, target, "reference", header_urn);
    write_put_one(w, provenance, "target", target);
    write_time(w, provenance, "occurredDateTime", w->event->occurred_at);
    fhir_instant_format(recorded != NULL ? recorded->unix_ms : w->route->now_ms, instant);
    make_text(&w->m, provenance, "recorded", instant);
    make_put(&w->m, provenance, "activity",
             write_fixed(w, SYSTEM_OPERATION, activities[w->correction].code, activities[w->correction].display));
    put_agents(w, provenance);
    if (w->correction != CORRECTION_NONE)
        put_entity(w, provenance);
}

// ---- The Bundle

static struct json_object *put_bundle(struct writer *w, const char *urn)
{
    char instant[FHIR_TIME_CHARS];
    struct json_object *bundle = make_object(&w->m), *identifier = make_object(&w->m);
    make_text(&w->m, bundle, "resourceType", "Bundle");
    make_text(&w->m, bundle, "id", urn + 9);
    make_text(&w->m, identifier, "system", "urn:ietf:rfc:3986");
    make_text(&w->m, identifier, "value", urn);
    make_put(&w->m, bundle, "identifier", identifier);
    make_text(&w->m, bundle, "type", "message");
    fhir_instant_format(w->route->now_ms, instant);
    make_text(&w->m, bundle, "timestamp", instant);
    w->entries = make_array(&w->m);
    make_put(&w->m, bundle, "entry", w->entries);
    return bundle;
}

struct json_object *fhir_message(const Carehub__V1__Event *event, const Carehub__V1__Event *original,
                                 const struct fhir_route *route, struct problems *problems)
{
    return write_message_of(event, original, route, write_kind_of(event->type), problems);
}

struct json_object *write_message_of(const Carehub__V1__Event *event, const Carehub__V1__Event *original,
                                     const struct fhir_route *route, const struct write_kind *kind,
                                     struct problems *problems)
{
    struct writer w = {.event = event, .content = event, .route = route};
    char urn[FHIR_URN_CHARS];
    uint8_t id[EVENTID_BYTES];
    if (kind == NULL || event->id.len != EVENTID_BYTES) {
        problems_add(problems, PROBLEM_ERROR, kind == NULL ? PROBLEM_NOT_SUPPORTED : PROBLEM_REQUIRED, "",
                     kind == NULL ? "there is no FHIR message for events of this type" : "the event has no id");
        return NULL;
    }
    if (event->amends.len == EVENTID_BYTES || event->retracts.len == EVENTID_BYTES)
        w.correction = event->retracts.len == EVENTID_BYTES ? CORRECTION_RETRACTS : CORRECTION_AMENDS;
    if (w.correction == CORRECTION_RETRACTS && original != NULL && original->type == event->type)
        w.content = original;
    fhir_message_id(event, route->verified_by, id);
    id_urn(id, urn);
    struct json_object *bundle = put_bundle(&w, urn);
    name_focus(&w, kind);
    name_patient(&w);
    name_organisation(&w, kind);
    put_header(&w, kind, urn);
    struct json_object *focus = write_entry(&w, kind->resource, w.focus);
    kind->write(&w, focus);
    put_patient(&w);
    put_organisation(&w, kind);
    put_provenance(&w, urn);
    bundle = make_done(&w.m, bundle);
    if (bundle == NULL)
        problems_add(problems, PROBLEM_ERROR, PROBLEM_NO_STORE, "", "no memory");
    return bundle;
}
