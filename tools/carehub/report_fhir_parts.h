/* report_fhir_parts.h - what AuditEvents are made of. For report_fhir.c only. */
#ifndef CAREHUB_CLI_REPORT_FHIR_PARTS_H
#define CAREHUB_CLI_REPORT_FHIR_PARTS_H

#include <json-c/json.h>

#include "eventid.h"
#include "hub_limits.h"
#include "report.h"

#define KIND(name) CAREHUB__V1__REPORT_KIND__REPORT_##name
#define DCM "http://dicom.nema.org/resources/ontology/DCM"
#define TERMINOLOGY "http://terminology.hl7.org/CodeSystem/"
#define RESTFUL "http://hl7.org/fhir/restful-interaction"

enum { URI_CHARS = 2 * NAME_MAX_BYTES + 64 };

typedef struct json_object Json;
typedef Carehub__V1__ReportAccess Access;
typedef Carehub__V1__ReportItem Item;

struct writer {
    const struct report *report;
    const char *hub;
    FILE *out;
    struct style style;
};

/* ---- Pieces of JSON: each is added to `to` or made in `in`; what is empty is left out --------------------------- */

void fhir_text(Json *to, const char *name, const char *value);
Json *fhir_object(Json *in, const char *name);
Json *fhir_array(Json *in, const char *name);
/* One more object of an array. */
Json *fhir_element(Json *in, const char *name);
void fhir_coding(Json *to, const char *system, const char *code, const char *display);
void fhir_instant(Json *to, const char *name, int64_t unix_ms);
void fhir_identifier(Json *to, const char *system, const char *value);
/* "urn:carehub:entry:42", a place of this hub's log; and "urn:carehub:client:NAME". They return `uri`. */
const char *fhir_entry_uri(uint64_t place, char uri[URI_CHARS]);
const char *fhir_client_uri(const char *client, char uri[URI_CHARS]);

/* ---- Agents and entities ---------------------------------------------------------------------------------------- */

Json *fhir_agent(Json *event, const char *system, const char *code, const char *display, bool requestor);
/* The profiles ask for an address: the hub knows a URI. */
void fhir_network(Json *to, const char *uri);
void fhir_who_hub(const struct writer *writer, Json *to, const char *name);
void fhir_who_client(Json *to, const char *client);
/* By the first identifier that it is registered with, or its name in the hub; without either only as a text. */
void fhir_who_actor(const struct writer *writer, Json *to, const char *name, const char *otherwise);
void fhir_hub_agent(const struct writer *writer, Json *event, const char *code, const char *display);
void fhir_patient_reference(Json *to, uint64_t number);
void fhir_patient_entity(Json *event, uint64_t number);
void fhir_detail(Json *entity, const char *type, const char *value);
void fhir_detail_time(Json *entity, const char *type, int64_t unix_ms);
/* The care event that it is about. */
Json *fhir_data_entity(Json *event, const Item *item);

/* ---- What rows share --------------------------------------------------------------------------------------------- */

/* The same row of the same hub has the same id in every report. */
void fhir_uuid_of(const struct writer *writer, const struct report_row *row, char out[EVENTID_TEXT_CHARS]);
/* Its profile of BALP (NULL: none), its type and its action. */
void fhir_kind_of_event(Json *event, const char *profile, const char *system, const char *code, const char *display,
                        const char *action);
void fhir_subtype(Json *event, const char *system, const char *code, const char *display);
/* A purpose by its code in v3-ActReason (NULL: by words alone). */
void fhir_purpose(Json *event, const char *code, const char *display, const char *words);

#endif
