/* A report as a FHIR R4 Bundle of AuditEvents. Profiles of IHE ITI Basic Audit Log Patterns (BALP), by what a row is:
 *
 *     an event came in              PrivacyDisclosure.Recipient
 *     somebody was told of it       PrivacyDisclosure.Source
 *     an event's content was opened PatientRead
 *     another question was asked    PatientQuery
 *     anything else                 none of them fits: plain R4. Who was not told is a security alert with a code of
 *                                   BALP's for decisions on authorisation
 *
 * The hub knows its partners by their keys, not by their network addresses; where a profile asks for an address there is
 * the URI of the client. Persons are references by the hub's pseudonym. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <json-c/json.h>
#include <sodium.h>

#include "base64.h"
#include "catalogue.h"
#include "core/route.h"
#include "eventid.h"
#include "report.h"
#include "story_parts.h"

#define KIND(name) CAREHUB__V1__REPORT_KIND__REPORT_##name
#define BALP "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."
#define DCM "http://dicom.nema.org/resources/ontology/DCM"
#define TERMINOLOGY "http://terminology.hl7.org/CodeSystem/"
#define RESTFUL "http://hl7.org/fhir/restful-interaction"

enum { INSTANT_CHARS = 40, URI_CHARS = 2 * NAME_MAX_BYTES + 64 };

typedef struct json_object Json;
typedef Carehub__V1__ReportAccess Access;
typedef Carehub__V1__ReportItem Item;

struct writer {
    const struct report *report;
    const char *hub;
    FILE *out;
    struct style style;
};

/* ---- Pieces of JSON ----------------------------------------------------------------------------------------------- */

static void text(Json *to, const char *name, const char *value)
{
    if (value && *value)
        json_object_object_add(to, name, json_object_new_string(value));
}

static Json *object(Json *in, const char *name)
{
    Json *made = json_object_new_object();
    json_object_object_add(in, name, made);
    return made;
}

static Json *array(Json *in, const char *name)
{
    Json *made;
    if (!json_object_object_get_ex(in, name, &made)) {
        made = json_object_new_array();
        json_object_object_add(in, name, made);
    }
    return made;
}

/* One more object of an array. */
static Json *element(Json *in, const char *name)
{
    Json *made = json_object_new_object();
    json_object_array_add(array(in, name), made);
    return made;
}

static void coding(Json *to, const char *system, const char *code, const char *display)
{
    text(to, "system", system);
    text(to, "code", code);
    text(to, "display", display);
}

static void instant(Json *to, const char *name, int64_t unix_ms)
{
    char value[INSTANT_CHARS];
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm utc;
    if (unix_ms <= 0 || !gmtime_r(&seconds, &utc))
        return;
    size_t n = strftime(value, sizeof value, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(value + n, sizeof value - n, ".%03dZ", (int)(unix_ms % 1000));
    text(to, name, value);
}

static void identifier(Json *to, const char *system, const char *value)
{
    Json *made = object(to, "identifier");
    text(made, "system", system);
    text(made, "value", value);
}

/* "urn:carehub:entry:42": a place of this hub's log. */
static const char *entry_uri(uint64_t place, char uri[URI_CHARS])
{
    snprintf(uri, URI_CHARS, "urn:carehub:entry:%llu", (unsigned long long)place);
    return uri;
}

static const char *client_uri(const char *client, char uri[URI_CHARS])
{
    snprintf(uri, URI_CHARS, "urn:carehub:client:%s", *client ? client : "unknown");
    return uri;
}

/* ---- Agents and entities ------------------------------------------------------------------------------------------ */

static Json *agent(Json *event, const char *system, const char *code, const char *display, bool requestor)
{
    Json *made = element(event, "agent");
    coding(element(object(made, "type"), "coding"), system, code, display);
    json_object_object_add(made, "requestor", json_object_new_boolean(requestor));
    return made;
}

static void network(Json *to, const char *uri)
{
    Json *made = object(to, "network");
    text(made, "address", uri);
    text(made, "type", "5"); /* a URI */
}

static void who_hub(const struct writer *writer, Json *to, const char *name)
{
    Json *who = object(to, name);
    identifier(who, "urn:carehub:hub", writer->hub);
    text(who, "display", writer->hub);
}

static void who_client(Json *to, const char *client)
{
    Json *who = object(to, "who");
    if (*client)
        identifier(who, "urn:carehub:client", client);
    text(who, "display", *client ? client : "unknown");
}

/* By the first identifier that it is registered with, or the name it has in the hub; only as a text without one. */
static void who_actor(const struct writer *writer, Json *to, const char *name, const char *otherwise)
{
    const Carehub__V1__ReportActor *actor = *name ? report_actor_of(writer->report, name) : NULL;
    Json *who = object(to, "who");
    if (actor && actor->n_identifiers && *actor->identifiers[0]->system && *actor->identifiers[0]->value) {
        const char *system = actor->identifiers[0]->system;
        bool uri = strchr(system, ':') != NULL;
        char own[URI_CHARS];
        snprintf(own, sizeof own, "urn:carehub:identifier:%s", system);
        identifier(who, uri ? system : own, actor->identifiers[0]->value);
    } else if (*name) {
        identifier(who, "urn:carehub:actor", name);
    }
    text(who, "display", actor && *actor->display ? actor->display : *name ? name : otherwise);
}

static void hub_agent(const struct writer *writer, Json *event, const char *code, const char *display)
{
    char uri[URI_CHARS];
    Json *made = agent(event, DCM, code, display, false);
    who_hub(writer, made, "who");
    snprintf(uri, sizeof uri, "urn:carehub:hub:%s", writer->hub);
    network(made, uri);
}

static void patient_reference(Json *to, uint64_t number)
{
    char pseudonym[32];
    snprintf(pseudonym, sizeof pseudonym, "P%llu", (unsigned long long)number);
    text(to, "type", "Patient");
    identifier(to, "urn:carehub:patient", pseudonym);
}

static void patient_entity(Json *event, uint64_t number)
{
    Json *made = element(event, "entity");
    patient_reference(object(made, "what"), number);
    coding(object(made, "type"), TERMINOLOGY "audit-entity-type", "1", "Person");
    coding(object(made, "role"), TERMINOLOGY "object-role", "1", "Patient");
}

static void detail(Json *entity, const char *type, const char *value)
{
    if (!value || !*value)
        return;
    Json *made = element(entity, "detail");
    text(made, "type", type);
    text(made, "valueString", value);
}

static void detail_time(Json *entity, const char *type, int64_t unix_ms)
{
    Json *scratch = json_object_new_object();
    Json *value;
    instant(scratch, "value", unix_ms);
    if (json_object_object_get_ex(scratch, "value", &value))
        detail(entity, type, json_object_get_string(value));
    json_object_put(scratch);
}

/* The care event that it is about. */
static Json *data_entity(Json *event, const Item *item)
{
    char id[EVENTID_TEXT_CHARS], urn[EVENTID_TEXT_CHARS + 16], uri[URI_CHARS];
    Json *made = element(event, "entity"), *what = object(made, "what");
    if (item->event_id.len == EVENTID_BYTES) {
        snprintf(urn, sizeof urn, "urn:uuid:%s", (eventid_format(item->event_id.data, id), id));
        identifier(what, "urn:ietf:rfc:3986", urn);
    } else {
        identifier(what, "urn:ietf:rfc:3986", entry_uri(item->event_place ? item->event_place : item->place, uri));
    }
    coding(object(made, "type"), TERMINOLOGY "audit-entity-type", "2", "System Object");
    coding(object(made, "role"), TERMINOLOGY "object-role", "3", "Report");
    if (item->confidentiality == CAREHUB__V1__CONFIDENTIALITY__RESTRICTED)
        coding(element(made, "securityLabel"), TERMINOLOGY "v3-Confidentiality", "R", "restricted");
    text(made, "name", item->type ? event_type_name(item->type) : NULL);
    return made;
}

/* ---- What rows share ---------------------------------------------------------------------------------------------- */

/* The same row of the same hub has the same id in every report. */
static void uuid_of(const struct writer *writer, const struct report_row *row, char out[EVENTID_TEXT_CHARS])
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

static void kind_of_event(Json *event, const char *profile, const char *system, const char *code, const char *display,
                          const char *action)
{
    char canonical[URI_CHARS];
    if (profile) {
        snprintf(canonical, sizeof canonical, BALP "%s", profile);
        json_object_array_add(array(object(event, "meta"), "profile"), json_object_new_string(canonical));
    }
    coding(object(event, "type"), system, code, display);
    text(event, "action", action);
}

static void subtype(Json *event, const char *system, const char *code, const char *display)
{
    coding(element(event, "subtype"), system, code, display);
}

static void purpose(Json *event, const char *code, const char *display, const char *words)
{
    Json *made = element(event, "purposeOfEvent");
    if (code)
        coding(element(made, "coding"), TERMINOLOGY "v3-ActReason", code, display);
    text(made, "text", words);
}

/* ---- The rows ----------------------------------------------------------------------------------------------------- */

static void disclosure_purpose(const struct writer *writer, const Access *access, Json *event)
{
    const Carehub__V1__GrantGiven *grant = report_grant(writer->report, access);
    const char *words = grant ? grant->purpose : NULL;
    if (grant && grant->kind == CAREHUB__V1__GRANT_KIND__EMERGENCY_ACCESS)
        purpose(event, "ETREAT", "Emergency Treatment", words);
    else if (grant && grant->kind == CAREHUB__V1__GRANT_KIND__CASE_MANAGEMENT)
        purpose(event, "CAREMGT", "care management", words);
    else if (grant && grant->kind == CAREHUB__V1__GRANT_KIND__INSURANCE)
        purpose(event, "HPAYMT", "healthcare payment", words);
    else if (!grant || grant->kind == CAREHUB__V1__GRANT_KIND__REFERRAL)
        purpose(event, "TREAT", "treatment", words);
    else
        purpose(event, NULL, NULL, *words ? words : "secondary use");
}

static void policy_uri(Json *to, uint64_t place)
{
    char uri[URI_CHARS];
    if (place)
        json_object_array_add(array(to, "policy"), json_object_new_string(entry_uri(place, uri)));
}

/* Who is told or is not, with the grounds of the decision as policies. */
static Json *receiver_agent(const struct writer *writer, const Access *access, Json *event)
{
    char uri[URI_CHARS];
    Json *made = agent(event, DCM, "110152", "Destination Role ID", false);
    who_actor(writer, made, access->actor, *access->role ? access->role : "care provider");
    if (*access->role) {
        Json *role = element(made, "role");
        coding(element(role, "coding"), "urn:carehub:role", access->role, NULL);
        text(role, "text", story_role(access->role, writer->style));
    }
    policy_uri(made, access->policy);
    policy_uri(made, access->ground);
    network(made, client_uri(access->client, uri));
    if (*access->organisation) {
        Json *organisation = agent(event, TERMINOLOGY "v3-RoleClass", "PROV", "healthcare provider", false);
        who_actor(writer, organisation, access->organisation, "");
    }
    return made;
}

static void access_details(const struct report_row *row, Json *entity)
{
    const Access *access = row->access;
    detail(entity, "view", access->notice ? "notice" : level_text(access->level));
    detail(entity, "reason", reason_name(access->reason));
    if (row->item->cause) {
        const ProtobufCEnumValue *cause =
            protobuf_c_enum_descriptor_get_value(&carehub__v1__cause__descriptor, (int)row->item->cause);
        detail(entity, "cause", cause ? cause->name : NULL);
    }
    detail_time(entity, "sent", access->sent_ms);
    detail_time(entity, "stored", access->stored_ms);
    detail_time(entity, "read", access->read_ms);
    detail_time(entity, "ended", access->ended_ms);
    detail(entity, "end", access->end ? reason_name(access->end) : NULL);
    detail(entity, "why", access->why ? reason_name(access->why) : NULL);
}

static void write_access(const struct writer *writer, const struct report_row *row, Json *event)
{
    const Access *access = row->access;
    char uri[URI_CHARS];
    bool told = access->outcome == CAREHUB__V1__OUTCOME__DELIVER, disclosed = told && report_handed_over(access);
    if (told) {
        kind_of_event(event, disclosed ? "PrivacyDisclosure.Source" : NULL, DCM, "110106", "Export", "R");
        subtype(event, TERMINOLOGY "iso-21089-lifecycle", "disclose", "Disclose Record Lifecycle Event");
        disclosure_purpose(writer, access, event);
    } else {
        kind_of_event(event, NULL, DCM, "110113", "Security Alert", "E");
        subtype(event, "https://profiles.ihe.net/ITI/BALP/CodeSystem/AuthZsubType",
                access->reason == CAREHUB__V1__REASON__NO_CONSENT ? "AuthZ-Consent" : "AuthZ-Role", NULL);
    }
    text(event, "outcome", !told ? "8" : (access->ended_ms || access->why) && !disclosed ? "4" : "0");
    hub_agent(writer, event, "110153", "Source Role ID");
    receiver_agent(writer, access, event);
    if (access->consent) {
        Json *authorizer = agent(event, "http://snomed.info/sct", "429577009", "Patient Advocate", false);
        patient_reference(object(authorizer, "who"), row->item->record);
    }
    patient_entity(event, row->item->record);
    access_details(row, data_entity(event, row->item));
    if (access->consent) {
        Json *consent = element(event, "entity");
        identifier(object(consent, "what"), "urn:ietf:rfc:3986", entry_uri(access->consent, uri));
        coding(object(consent, "type"), "http://hl7.org/fhir/resource-types", "Consent", "Consent");
    }
}

static void write_event(const struct writer *writer, const Item *item, Json *event)
{
    const Carehub__V1__ReportAuthor *author = item->author;
    char uri[URI_CHARS];
    kind_of_event(event, "PrivacyDisclosure.Recipient", DCM, "110107", "Import", "C");
    subtype(event, TERMINOLOGY "iso-21089-lifecycle", "disclose", "Disclose Record Lifecycle Event");
    text(event, "outcome", "0");
    Json *source = agent(event, DCM, "110153", "Source Role ID", true);
    who_actor(writer, source, item->actor, author && *author->organisation ? author->organisation : "unknown");
    network(source, client_uri(item->client, uri));
    hub_agent(writer, event, "110152", "Destination Role ID");
    if (author && *author->professional) {
        Json *person = agent(event, TERMINOLOGY "v3-ParticipationType", "AUT", "author (originator)", false);
        text(object(person, "who"), "display", author->professional);
    }
    if (author && *author->on_behalf_of)
        text(object(agent(event, TERMINOLOGY "v3-RoleClass", "AGNT", "agent", false), "who"), "display",
             author->on_behalf_of);
    patient_entity(event, item->record);
    Json *data = data_entity(event, item);
    detail(data, "unverified", author && author->unverified ? "true" : NULL);
}

static void write_reading(const struct writer *writer, const Item *item, Json *event)
{
    bool opened = item->event_place != 0;
    char uri[URI_CHARS];
    kind_of_event(event, opened ? "PatientRead" : "PatientQuery", TERMINOLOGY "audit-event-type", "rest",
                  "Restful Operation", opened ? "R" : "E");
    subtype(event, RESTFUL, opened ? "read" : "search", opened ? "read" : "search");
    text(event, "outcome", "0");
    purpose(event, NULL, NULL, item->question);
    Json *client = opened ? agent(event, DCM, "110152", "Destination Role ID", true)
                          : agent(event, DCM, "110153", "Source Role ID", true);
    who_client(client, item->client);
    network(client, client_uri(item->client, uri));
    hub_agent(writer, event, opened ? "110153" : "110152", opened ? "Source Role ID" : "Destination Role ID");
    if (*item->organisation)
        who_actor(writer, agent(event, TERMINOLOGY "v3-RoleClass", "PROV", "healthcare provider", false),
                  item->organisation, "");
    patient_entity(event, item->record);
    if (opened) {
        data_entity(event, item);
        return;
    }
    Json *query = element(event, "entity");
    size_t size = strlen(item->question);
    char *base64 = calloc(1, BASE64_ENCODED_CHARS(size) + 1);
    if (!base64)
        abort();
    base64_encode((const uint8_t *)item->question, size, base64);
    coding(object(query, "type"), TERMINOLOGY "audit-entity-type", "2", "System Object");
    coding(object(query, "role"), TERMINOLOGY "object-role", "24", "Query");
    text(query, "query", base64);
    free(base64);
}

/* A change of the person's own data, what ended by its date, and what was erased. */
static void write_record(const struct writer *writer, const struct report_row *row, Json *event)
{
    const Item *item = row->item;
    const ProtobufCFieldDescriptor *fact =
        item->change ? protobuf_c_message_descriptor_get_field(&carehub__v1__fact__descriptor,
                                                               (unsigned)item->change->fact_case)
                     : NULL;
    struct report_words words;
    char uri[URI_CHARS];
    kind_of_event(event, NULL, DCM, "110110", "Patient Record",
                  item->kind == KIND(ERASED) ? "D"
                  : item->change && item->change->fact_case == CAREHUB__V1__FACT__FACT_PATIENT_REGISTERED ? "C"
                                                                                                           : "U");
    text(event, "outcome", "0");
    if (*item->client) {
        Json *client = agent(event, DCM, "110150", "Application", true);
        who_client(client, item->client);
        network(client, client_uri(item->client, uri));
    } else {
        hub_agent(writer, event, "110150", "Application");
    }
    patient_entity(event, item->record);
    Json *entity = element(event, "entity");
    identifier(object(entity, "what"), "urn:ietf:rfc:3986", entry_uri(item->place, uri));
    coding(object(entity, "type"), TERMINOLOGY "audit-entity-type", "2", "System Object");
    text(entity, "name", fact ? fact->name : item->kind == KIND(EXPIRY) ? "expiry" : "erasure");
    report_words(writer->report, row, writer->style, &words);
    text(entity, "description", words.happened);
}

/* ---- The bundle --------------------------------------------------------------------------------------------------- */

static void write_row(const struct writer *writer, const struct report_row *row)
{
    char id[EVENTID_TEXT_CHARS], url[EVENTID_TEXT_CHARS + 16];
    Json *entry = json_object_new_object();
    uuid_of(writer, row, id);
    snprintf(url, sizeof url, "urn:uuid:%s", id);
    text(entry, "fullUrl", url);
    Json *event = object(entry, "resource");
    text(event, "resourceType", "AuditEvent");
    text(event, "id", id);
    if (row->access)
        write_access(writer, row, event);
    else if (row->item->kind == KIND(EVENT))
        write_event(writer, row->item, event);
    else if (row->item->kind == KIND(READING))
        write_reading(writer, row->item, event);
    else
        write_record(writer, row, event);
    instant(event, "recorded", row->item->at_ms);
    Json *source = object(event, "source");
    text(source, "site", writer->hub);
    who_hub(writer, source, "observer");
    coding(element(source, "type"), TERMINOLOGY "security-source-type", "4", "Application Server");
    fputs(json_object_to_json_string_ext(entry, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE), writer->out);
    json_object_put(entry);
}

void report_fhir(const struct report *report, FILE *out, struct style style)
{
    const struct writer writer = {report, report_page(report, 0)->hub, out, style};
    Json *head = json_object_new_object();
    text(head, "resourceType", "Bundle");
    text(head, "type", "collection");
    instant(head, "timestamp", report->made_ms);
    const char *begin = json_object_to_json_string_ext(head, JSON_C_TO_STRING_PLAIN);
    fprintf(out, "%.*s", (int)strlen(begin) - 1, begin); /* without its closing brace */
    json_object_put(head);
    bool any = false; /* in FHIR an array is never empty */
    for (struct report_row row = {0}; report_next(report, &row); any = true) {
        fputs(any ? ",\n" : ",\"entry\":[\n", out);
        write_row(&writer, &row);
    }
    fputs(any ? "\n]}\n" : "}\n", out);
}
