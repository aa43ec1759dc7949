/* What AuditEvents are made of. */
#include "report_fhir_parts.h"

#include <string.h>
#include <time.h>

#include <sodium.h>

#include "catalogue.h"
#include "eventid.h"

#define BALP "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."

enum { INSTANT_CHARS = 40 };

/* ---- Pieces of JSON ----------------------------------------------------------------------------------------------- */

/* Names are literals, and each is there once: json-c need neither copy nor look for them. There are millions of them.
 */
static void member(Json *in, const char *name, Json *value)
{
    json_object_object_add_ex(in, name, value, JSON_C_OBJECT_ADD_KEY_IS_NEW | JSON_C_OBJECT_ADD_CONSTANT_KEY);
}

void fhir_text(Json *to, const char *name, const char *value)
{
    if (value && *value)
        member(to, name, json_object_new_string(value));
}

Json *fhir_object(Json *in, const char *name)
{
    Json *made = json_object_new_object();
    member(in, name, made);
    return made;
}

Json *fhir_array(Json *in, const char *name)
{
    Json *made;
    if (!json_object_object_get_ex(in, name, &made)) {
        made = json_object_new_array();
        member(in, name, made);
    }
    return made;
}

/* One more object of an array. */
Json *fhir_element(Json *in, const char *name)
{
    Json *made = json_object_new_object();
    json_object_array_add(fhir_array(in, name), made);
    return made;
}

void fhir_coding(Json *to, const char *system, const char *code, const char *display)
{
    fhir_text(to, "system", system);
    fhir_text(to, "code", code);
    fhir_text(to, "display", display);
}

void fhir_instant(Json *to, const char *name, int64_t unix_ms)
{
    char value[INSTANT_CHARS];
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm utc;
    if (unix_ms <= 0 || !gmtime_r(&seconds, &utc))
        return;
    size_t n = strftime(value, sizeof value, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(value + n, sizeof value - n, ".%03dZ", (int)(unix_ms % 1000));
    fhir_text(to, name, value);
}

void fhir_identifier(Json *to, const char *system, const char *value)
{
    Json *made = fhir_object(to, "identifier");
    fhir_text(made, "system", system);
    fhir_text(made, "value", value);
}

/* "urn:carehub:entry:42": a place of this hub's log. */
const char *fhir_entry_uri(uint64_t place, char uri[URI_CHARS])
{
    snprintf(uri, URI_CHARS, "urn:carehub:entry:%llu", (unsigned long long)place);
    return uri;
}

const char *fhir_client_uri(const char *client, char uri[URI_CHARS])
{
    snprintf(uri, URI_CHARS, "urn:carehub:client:%s", *client ? client : "unknown");
    return uri;
}

/* ---- Agents and entities ------------------------------------------------------------------------------------------ */

Json *fhir_agent(Json *event, const char *system, const char *code, const char *display, bool requestor)
{
    Json *made = fhir_element(event, "agent");
    fhir_coding(fhir_element(fhir_object(made, "type"), "coding"), system, code, display);
    member(made, "requestor", json_object_new_boolean(requestor));
    return made;
}

void fhir_network(Json *to, const char *uri)
{
    Json *made = fhir_object(to, "network");
    fhir_text(made, "address", uri);
    fhir_text(made, "type", "5"); /* a URI */
}

void fhir_who_hub(const struct writer *writer, Json *to, const char *name)
{
    Json *who = fhir_object(to, name);
    fhir_identifier(who, "urn:carehub:hub", writer->hub);
    fhir_text(who, "display", writer->hub);
}

void fhir_who_client(Json *to, const char *client)
{
    Json *who = fhir_object(to, "who");
    if (*client)
        fhir_identifier(who, "urn:carehub:client", client);
    fhir_text(who, "display", *client ? client : "unknown");
}

/* By the first identifier that it is registered with, or the name it has in the hub; only as a text without one. */
void fhir_who_actor(const struct writer *writer, Json *to, const char *name, const char *otherwise)
{
    const Carehub__V1__ReportActor *actor = *name ? report_actor_of(writer->report, name) : NULL;
    Json *who = fhir_object(to, "who");
    if (actor && actor->n_identifiers && *actor->identifiers[0]->system && *actor->identifiers[0]->value) {
        const char *system = actor->identifiers[0]->system;
        bool uri = strchr(system, ':') != NULL;
        char own[URI_CHARS];
        snprintf(own, sizeof own, "urn:carehub:identifier:%s", system);
        fhir_identifier(who, uri ? system : own, actor->identifiers[0]->value);
    } else if (*name) {
        fhir_identifier(who, "urn:carehub:actor", name);
    }
    fhir_text(who, "display", actor && *actor->display ? actor->display : *name ? name : otherwise);
}

void fhir_hub_agent(const struct writer *writer, Json *event, const char *code, const char *display)
{
    char uri[URI_CHARS];
    Json *made = fhir_agent(event, DCM, code, display, false);
    fhir_who_hub(writer, made, "who");
    snprintf(uri, sizeof uri, "urn:carehub:hub:%s", writer->hub);
    fhir_network(made, uri);
}

void fhir_patient_reference(Json *to, uint64_t number)
{
    char pseudonym[32];
    snprintf(pseudonym, sizeof pseudonym, "P%llu", (unsigned long long)number);
    fhir_text(to, "type", "Patient");
    fhir_identifier(to, "urn:carehub:patient", pseudonym);
}

void fhir_patient_entity(Json *event, uint64_t number)
{
    Json *made = fhir_element(event, "entity");
    fhir_patient_reference(fhir_object(made, "what"), number);
    fhir_coding(fhir_object(made, "type"), TERMINOLOGY "audit-entity-type", "1", "Person");
    fhir_coding(fhir_object(made, "role"), TERMINOLOGY "object-role", "1", "Patient");
}

void fhir_detail(Json *entity, const char *type, const char *value)
{
    if (!value || !*value)
        return;
    Json *made = fhir_element(entity, "detail");
    fhir_text(made, "type", type);
    fhir_text(made, "valueString", value);
}

void fhir_detail_time(Json *entity, const char *type, int64_t unix_ms)
{
    Json *scratch = json_object_new_object();
    Json *value;
    fhir_instant(scratch, "value", unix_ms);
    if (json_object_object_get_ex(scratch, "value", &value))
        fhir_detail(entity, type, json_object_get_string(value));
    json_object_put(scratch);
}

/* The care event that it is about. */
Json *fhir_data_entity(Json *event, const Item *item)
{
    char id[EVENTID_TEXT_CHARS], urn[EVENTID_TEXT_CHARS + 16], uri[URI_CHARS];
    Json *made = fhir_element(event, "entity"), *what = fhir_object(made, "what");
    if (item->event_id.len == EVENTID_BYTES) {
        snprintf(urn, sizeof urn, "urn:uuid:%s", (eventid_format(item->event_id.data, id), id));
        fhir_identifier(what, "urn:ietf:rfc:3986", urn);
    } else {
        fhir_identifier(what, "urn:ietf:rfc:3986",
                        fhir_entry_uri(item->event_place ? item->event_place : item->place, uri));
    }
    fhir_coding(fhir_object(made, "type"), TERMINOLOGY "audit-entity-type", "2", "System Object");
    fhir_coding(fhir_object(made, "role"), TERMINOLOGY "object-role", "3", "Report");
    if (item->confidentiality == CAREHUB__V1__CONFIDENTIALITY__RESTRICTED)
        fhir_coding(fhir_element(made, "securityLabel"), TERMINOLOGY "v3-Confidentiality", "R", "restricted");
    fhir_text(made, "name", item->type ? event_type_name(item->type) : NULL);
    return made;
}

/* ---- What rows share ---------------------------------------------------------------------------------------------- */

/* The same row of the same hub has the same id in every report. */
void fhir_uuid_of(const struct writer *writer, const struct report_row *row, char out[EVENTID_TEXT_CHARS])
{
    uint8_t hash[crypto_generichash_BYTES];
    crypto_generichash_state state;
    const char *actor = row->access ? row->access->actor : row->end ? row->end->actor : "";
    const uint64_t numbers[] = {row->item->place, row->part, row->access != NULL, row->item->continued};
    crypto_generichash_init(&state, NULL, 0, sizeof hash);
    crypto_generichash_update(&state, (const uint8_t *)writer->hub, strlen(writer->hub) + 1);
    crypto_generichash_update(&state, (const uint8_t *)numbers, sizeof numbers);
    crypto_generichash_update(&state, (const uint8_t *)actor, strlen(actor));
    crypto_generichash_final(&state, hash, sizeof hash);
    hash[6] = 0x80 | (hash[6] & 0x0F); /* RFC 9562: version 8 … */
    hash[8] = 0x80 | (hash[8] & 0x3F); /* … of the usual variant */
    eventid_format(hash, out);
}

void fhir_kind_of_event(Json *event, const char *profile, const char *system, const char *code, const char *display,
                        const char *action)
{
    char canonical[URI_CHARS];
    if (profile) {
        snprintf(canonical, sizeof canonical, BALP "%s", profile);
        json_object_array_add(fhir_array(fhir_object(event, "meta"), "profile"), json_object_new_string(canonical));
    }
    fhir_coding(fhir_object(event, "type"), system, code, display);
    fhir_text(event, "action", action);
}

void fhir_subtype(Json *event, const char *system, const char *code, const char *display)
{
    fhir_coding(fhir_element(event, "subtype"), system, code, display);
}

void fhir_purpose(Json *event, const char *code, const char *display, const char *words)
{
    Json *made = fhir_element(event, "purposeOfEvent");
    if (code)
        fhir_coding(fhir_element(made, "coding"), TERMINOLOGY "v3-ActReason", code, display);
    fhir_text(made, "text", words);
}
