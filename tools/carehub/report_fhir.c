/* A report as a FHIR R4 Bundle of AuditEvents. Profiles of IHE ITI Basic Audit Log Patterns (BALP), by what a row is:
 *
 *     an event came in              PrivacyDisclosure.Recipient
 *     somebody was told of it       PrivacyDisclosure.Source
 *     an event's content was opened PatientRead
 *     another question was asked    PatientQuery
 *     anything else                 none of them fits: plain R4. Who was not told is a security alert with a code of
 *                                   BALP's for decisions on authorisation
 *
 * The hub knows its partners by their keys, not by their network addresses; where a profile asks for an address there
 * is the URI of the client. Persons are references by the hub's pseudonym. */
#include "report_fhir_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "route/route.h"
#include "story_parts.h"

/* ---- The rows ----------------------------------------------------------------------------------------------------- */

static void grant_purpose(const Carehub__V1__GrantGiven *grant, Json *event)
{
    const char *words = grant ? grant->purpose : NULL;
    if (grant && grant->kind == CAREHUB__V1__GRANT_KIND__EMERGENCY_ACCESS)
        fhir_purpose(event, "ETREAT", "Emergency Treatment", words);
    else if (grant && grant->kind == CAREHUB__V1__GRANT_KIND__CASE_MANAGEMENT)
        fhir_purpose(event, "CAREMGT", "care management", words);
    else if (grant && grant->kind == CAREHUB__V1__GRANT_KIND__INSURANCE)
        fhir_purpose(event, "HPAYMT", "healthcare payment", words);
    else if (!grant || grant->kind == CAREHUB__V1__GRANT_KIND__REFERRAL)
        fhir_purpose(event, "TREAT", "treatment", words);
    else
        fhir_purpose(event, NULL, NULL, *words ? words : "secondary use");
}

static void disclosure_purpose(const struct writer *writer, const Access *access, Json *event)
{
    grant_purpose(report_grant(writer->report, access), event);
}

static void policy_uri(Json *to, uint64_t place)
{
    char uri[URI_CHARS];
    if (place)
        json_object_array_add(fhir_array(to, "policy"), json_object_new_string(fhir_entry_uri(place, uri)));
}

/* Who is told or is not, with the grounds of the decision as policies. */
static Json *receiver_agent(const struct writer *writer, const Access *access, Json *event)
{
    char uri[URI_CHARS];
    Json *made = fhir_agent(event, DCM, "110152", "Destination Role ID", false);
    fhir_who_actor(writer, made, access->actor, *access->role ? access->role : "care provider");
    if (*access->role) {
        Json *role = fhir_element(made, "role");
        fhir_coding(fhir_element(role, "coding"), "urn:carehub:role", access->role, NULL);
        fhir_text(role, "text", story_role(access->role, writer->style));
    }
    policy_uri(made, access->policy);
    policy_uri(made, access->ground);
    fhir_network(made, fhir_client_uri(access->client, uri));
    if (*access->organisation) {
        Json *organisation = fhir_agent(event, TERMINOLOGY "v3-RoleClass", "PROV", "healthcare provider", false);
        fhir_who_actor(writer, organisation, access->organisation, "");
    }
    return made;
}

static void access_details(const struct writer *writer, const struct report_row *row, Json *entity)
{
    const Access *access = row->access;
    const Carehub__V1__ReportPolicy *policy = access->policy ? report_policy_of(writer->report, access->policy) : NULL;
    char uri[URI_CHARS];
    fhir_detail(entity, "policy", policy ? policy->name : NULL);
    fhir_detail(entity, "view", access->notice ? "notice" : level_text(access->level));
    fhir_detail(entity, "reason", reason_name(access->reason));
    if (row->item->cause) {
        const ProtobufCEnumValue *cause =
            protobuf_c_enum_descriptor_get_value(&carehub__v1__cause__descriptor, (int)row->item->cause);
        fhir_detail(entity, "cause", cause ? cause->name : NULL);
    }
    fhir_detail_time(entity, "sent", access->sent_ms);
    fhir_detail_time(entity, "stored", access->stored_ms);
    fhir_detail_time(entity, "read", access->read_ms);
    fhir_detail_time(entity, "ended", access->ended_ms);
    fhir_detail(entity, "end", access->end ? reason_name(access->end) : NULL);
    fhir_detail(entity, "why", access->why ? reason_name(access->why) : NULL);
    for (size_t i = 0; i < access->n_said_by; i++)
        fhir_detail(entity, "said-by", fhir_entry_uri(access->said_by[i], uri));
}

static void write_access(const struct writer *writer, const struct report_row *row, Json *event)
{
    const Access *access = row->access;
    char uri[URI_CHARS];
    bool told = access->outcome == CAREHUB__V1__OUTCOME__DELIVER, disclosed = told && report_handed_over(access);
    if (told) {
        fhir_kind_of_event(event, disclosed ? "PrivacyDisclosure.Source" : NULL, DCM, "110106", "Export", "R");
        fhir_subtype(event, TERMINOLOGY "iso-21089-lifecycle", "disclose", "Disclose Record Lifecycle Event");
        disclosure_purpose(writer, access, event);
    } else {
        fhir_kind_of_event(event, NULL, DCM, "110113", "Security Alert", "E");
        fhir_subtype(event, "https://profiles.ihe.net/ITI/BALP/CodeSystem/AuthZsubType",
                     access->reason == CAREHUB__V1__REASON__NO_CONSENT ? "AuthZ-Consent" : "AuthZ-Role", NULL);
    }
    fhir_text(event, "outcome", !told ? "8" : (access->ended_ms || access->why) && !disclosed ? "4" : "0");
    fhir_hub_agent(writer, event, "110153", "Source Role ID");
    receiver_agent(writer, access, event);
    if (access->consent) {
        Json *authorizer = fhir_agent(event, "http://snomed.info/sct", "429577009", "Patient Advocate", false);
        fhir_patient_reference(fhir_object(authorizer, "who"), row->item->record);
    }
    fhir_patient_entity(event, row->item->record);
    access_details(writer, row, fhir_data_entity(event, row->item));
    if (access->consent) {
        Json *consent = fhir_element(event, "entity");
        fhir_identifier(fhir_object(consent, "what"), "urn:ietf:rfc:3986", fhir_entry_uri(access->consent, uri));
        fhir_coding(fhir_object(consent, "type"), "http://hl7.org/fhir/resource-types", "Consent", "Consent");
    }
}

static void write_event(const struct writer *writer, const Item *item, Json *event)
{
    const Carehub__V1__ReportAuthor *author = item->author;
    char uri[URI_CHARS];
    fhir_kind_of_event(event, "PrivacyDisclosure.Recipient", DCM, "110107", "Import", "C");
    fhir_subtype(event, TERMINOLOGY "iso-21089-lifecycle", "disclose", "Disclose Record Lifecycle Event");
    fhir_text(event, "outcome", "0");
    if (*item->client) {
        Json *source = fhir_agent(event, DCM, "110153", "Source Role ID", true);
        fhir_who_actor(writer, source, item->actor, author && *author->organisation ? author->organisation : "unknown");
        fhir_network(source, fhir_client_uri(item->client, uri));
    } else { /* the hub's own word: of an emergency access */
        fhir_hub_agent(writer, event, "110153", "Source Role ID");
    }
    fhir_hub_agent(writer, event, "110152", "Destination Role ID");
    if (author && *author->professional) {
        Json *person = fhir_agent(event, TERMINOLOGY "v3-ParticipationType", "AUT", "author (originator)", false);
        fhir_text(fhir_object(person, "who"), "display", author->professional);
    }
    if (author && *author->on_behalf_of)
        fhir_text(fhir_object(fhir_agent(event, TERMINOLOGY "v3-RoleClass", "AGNT", "agent", false), "who"), "display",
                  author->on_behalf_of);
    fhir_patient_entity(event, item->record);
    Json *data = fhir_data_entity(event, item);
    fhir_detail(data, "unverified", author && author->unverified ? "true" : NULL);
}

static void write_reading(const struct writer *writer, const Item *item, Json *event)
{
    bool opened = item->event_place != 0;
    char uri[URI_CHARS];
    fhir_kind_of_event(event, opened ? "PatientRead" : "PatientQuery", TERMINOLOGY "audit-event-type", "rest",
                       "Restful Operation", opened ? "R" : "E");
    fhir_subtype(event, RESTFUL, opened ? "read" : "search", opened ? "read" : "search");
    fhir_text(event, "outcome", "0");
    fhir_purpose(event, NULL, NULL, item->question);
    Json *client = opened ? fhir_agent(event, DCM, "110152", "Destination Role ID", true)
                          : fhir_agent(event, DCM, "110153", "Source Role ID", true);
    fhir_who_client(client, item->client);
    fhir_network(client, fhir_client_uri(item->client, uri));
    fhir_hub_agent(writer, event, opened ? "110153" : "110152", opened ? "Source Role ID" : "Destination Role ID");
    if (*item->organisation)
        fhir_who_actor(writer, fhir_agent(event, TERMINOLOGY "v3-RoleClass", "PROV", "healthcare provider", false),
                       item->organisation, "");
    fhir_patient_entity(event, item->record);
    if (opened) {
        fhir_data_entity(event, item);
        return;
    }
    Json *query = fhir_element(event, "entity");
    size_t size = strlen(item->question);
    char *base64 = calloc(1, BASE64_ENCODED_CHARS(size) + 1);
    if (!base64)
        abort();
    base64_encode((const uint8_t *)item->question, size, base64);
    fhir_coding(fhir_object(query, "type"), TERMINOLOGY "audit-entity-type", "2", "System Object");
    fhir_coding(fhir_object(query, "role"), TERMINOLOGY "object-role", "24", "Query");
    fhir_text(query, "query", base64);
    free(base64);
}

/* A change of the person's own data, what ended by its date, and what was erased. */
static void write_record(const struct writer *writer, const struct report_row *row, Json *event)
{
    const Item *item = row->item;
    const ProtobufCFieldDescriptor *fact =
        item->change
            ? protobuf_c_message_descriptor_get_field(&carehub__v1__fact__descriptor, (unsigned)item->change->fact_case)
            : NULL;
    struct report_words words;
    char uri[URI_CHARS];
    fhir_kind_of_event(event, NULL, DCM, "110110", "Patient Record",
                       item->kind == KIND(ERASED)                                                              ? "D"
                       : item->change && item->change->fact_case == CAREHUB__V1__FACT__FACT_PATIENT_REGISTERED ? "C"
                                                                                                               : "U");
    if (report_is_emergency(writer->report, row))
        grant_purpose(item->change->grant_given, event);
    fhir_text(event, "outcome", "0");
    if (*item->client) {
        Json *client = fhir_agent(event, DCM, "110150", "Application", true);
        fhir_who_client(client, item->client);
        fhir_network(client, fhir_client_uri(item->client, uri));
    } else {
        fhir_hub_agent(writer, event, "110150", "Application");
    }
    fhir_patient_entity(event, item->record);
    Json *entity = fhir_element(event, "entity");
    fhir_identifier(fhir_object(entity, "what"), "urn:ietf:rfc:3986", fhir_entry_uri(item->place, uri));
    fhir_coding(fhir_object(entity, "type"), TERMINOLOGY "audit-entity-type", "2", "System Object");
    fhir_text(entity, "name", fact ? fact->name : item->kind == KIND(EXPIRY) ? "expiry" : "erasure");
    report_words(writer->report, row, writer->style, &words);
    fhir_text(entity, "description", words.happened);
    fhir_detail(entity, "requested-by", item->requested_by);
    fhir_detail_time(entity, "requested", item->requested_ms);
    fhir_detail(entity, "confirmed-by", item->confirmed_by);
}

/* ---- The bundle --------------------------------------------------------------------------------------------------- */

static void write_row(const struct writer *writer, const struct report_row *row)
{
    char id[EVENTID_TEXT_CHARS], url[EVENTID_TEXT_CHARS + 16];
    Json *entry = json_object_new_object();
    fhir_uuid_of(writer, row, id);
    snprintf(url, sizeof url, "urn:uuid:%s", id);
    fhir_text(entry, "fullUrl", url);
    Json *event = fhir_object(entry, "resource");
    fhir_text(event, "resourceType", "AuditEvent");
    fhir_text(event, "id", id);
    if (row->access)
        write_access(writer, row, event);
    else if (row->item->kind == KIND(EVENT))
        write_event(writer, row->item, event);
    else if (row->item->kind == KIND(READING))
        write_reading(writer, row->item, event);
    else
        write_record(writer, row, event);
    fhir_instant(event, "recorded", row->item->at_ms);
    Json *source = fhir_object(event, "source");
    fhir_text(source, "site", writer->hub);
    fhir_who_hub(writer, source, "observer");
    fhir_coding(fhir_element(source, "type"), TERMINOLOGY "security-source-type", "4", "Application Server");
    fputs(json_object_to_json_string_ext(entry, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE), writer->out);
    json_object_put(entry);
}

void report_fhir(const struct report *report, FILE *out, struct style style)
{
    const struct writer writer = {report, report_page(report, 0)->hub, out, style};
    Json *head = json_object_new_object();
    fhir_text(head, "resourceType", "Bundle");
    fhir_text(head, "type", "collection");
    fhir_instant(head, "timestamp", report->made_ms);
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
