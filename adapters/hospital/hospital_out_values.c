// Values of events as values of HL7 v2.
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "hl7v2_time.h"
#include "hospital_out_internal.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])
#define OID_PREFIX "urn:oid:"

void out_text(struct out_job *job, unsigned field, unsigned component, const char *text)
{
    if (text != NULL)
        hl7v2_write(job->writer, hl7v2_at(field, 1, component, 1), text);
}

// ---- Times

// Of a date, what is known of it, where it was so; anything more precise in the zone of the configuration, with its
// offset: many receivers do not look at offsets.
void out_format_time(const struct out_job *job, const Carehub__V1__Time *time, char out[OUT_TIME_CHARS])
{
    static const char *const dates[] = {[CAREHUB__V1__PRECISION__PRECISION_YEAR] = "%Y",
                                        [CAREHUB__V1__PRECISION__PRECISION_MONTH] = "%Y%m",
                                        [CAREHUB__V1__PRECISION__PRECISION_DAY] = "%Y%m%d"};
    char whole[HL7V2_TIME_TEXT_BYTES];
    int64_t seconds = time->unix_ms / 1000 - (time->unix_ms % 1000 < 0);
    struct tm tm;
    out[0] = '\0';
    if (time->precision >= CAREHUB__V1__PRECISION__PRECISION_YEAR &&
        time->precision <= CAREHUB__V1__PRECISION__PRECISION_DAY) {
        time_t local = (time_t)(seconds + (int64_t)time->offset_minutes * 60);
        if (gmtime_r(&local, &tm) == NULL || strftime(out, OUT_TIME_CHARS, dates[time->precision], &tm) == 0)
            out[0] = '\0';
        return;
    }
    hl7v2_time_format(time->unix_ms, hl7v2_zone_offset(job->settings->zone, seconds) / 60, whole);
    size_t seconds_at = strlen("YYYYMMDDHHMM");
    if (time->precision == CAREHUB__V1__PRECISION__PRECISION_MINUTE && strlen(whole) > seconds_at + 2)
        snprintf(out, OUT_TIME_CHARS, "%.*s%s", (int)seconds_at, whole, whole + seconds_at + 2);
    else
        snprintf(out, OUT_TIME_CHARS, "%s", whole);
}

void out_time(struct out_job *job, unsigned field, const Carehub__V1__Time *time)
{
    char text[OUT_TIME_CHARS];
    if (time == NULL)
        return;
    out_format_time(job, time, text);
    out_text(job, field, 1, text);
}

// ---- Codes

const char *out_code_system(const char *system)
{
    static const char table[] = "http://terminology.hl7.org/CodeSystem/v2-";
    static const char *const names[][2] = {
        {"http://snomed.info/sct", "SCT"},
        {"http://loinc.org", "LN"},
        {"http://hl7.org/fhir/sid/icd-10", "I10"},
        {"http://hl7.org/fhir/sid/icd-10-cm", "I10C"},
        {"http://hl7.org/fhir/sid/icd-9-cm", "I9C"},
        {"http://hl7.org/fhir/sid/icpc-2", "ICPC2"},
        {"http://unitsofmeasure.org", "UCUM"},
        {"http://www.whocc.no/atc", "WC"},
        {"atc", "WC"},
        {"cnk", "99CNK"},
    };
    // Tables that an adapter met, as HL7 names them: HL7nnnn.
    static const char *const tables[][2] = {{"0007", "HL70007"}, {"0023", "HL70023"}, {"0069", "HL70069"},
                                            {"0112", "HL70112"}, {"0113", "HL70113"}, {"0162", "HL70162"},
                                            {"0335", "HL70335"}, {"0430", "HL70430"}};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (strcmp(names[i][0], system) == 0)
            return names[i][1];
    if (strncmp(system, table, sizeof table - 1) == 0)
        for (size_t i = 0; i < COUNT_OF(tables); i++)
            if (strcmp(tables[i][0], system + sizeof table - 1) == 0)
                return tables[i][1];
    return system;
}

// CE: code, text, system; or the alternate of each from component 4 on.
static void put_coded(struct out_job *job, unsigned field, unsigned component, const Carehub__V1__Coded *coded,
                      const char *text)
{
    out_text(job, field, component, coded->code);
    out_text(job, field, component + 1, coded->display[0] != '\0' ? coded->display : text);
    if (coded->code[0] != '\0')
        out_text(job, field, component + 2, out_code_system(coded->system));
}

void out_coded(struct out_job *job, unsigned field, const Carehub__V1__Coded *coded)
{
    if (coded != NULL)
        put_coded(job, field, 1, coded, "");
}

void out_code_only(struct out_job *job, unsigned field, const Carehub__V1__Coded *coded)
{
    if (coded != NULL)
        out_text(job, field, 1, coded->code[0] != '\0' ? coded->code : coded->display);
}

// The first two codes; CE has room for no more.
void out_medicine(struct out_job *job, unsigned field, const Carehub__V1__Medicine *medicine)
{
    if (medicine == NULL)
        return;
    if (medicine->n_codes == 0)
        out_text(job, field, 2, medicine->name);
    for (unsigned i = 0; i < 2 && i < medicine->n_codes; i++)
        put_coded(job, field, 1 + 3 * i, medicine->codes[i], medicine->name);
}

// ---- Identifiers, people, places

// HD: namespace, universal id and its type, as subcomponents of a component.
static void put_authority(struct out_job *job, unsigned field, unsigned component, unsigned repetition,
                          const char *system)
{
    const struct out_system *known = out_receiver_system(job->receiver, system);
    bool is_oid = strncmp(system, OID_PREFIX, sizeof OID_PREFIX - 1) == 0;
    bool is_uri = strchr(system, ':') != NULL;
    const char *space = known != NULL ? known->authority : is_uri ? NULL : system;
    const char *universal = known != NULL ? known->universal_id
                            : is_oid      ? system + sizeof OID_PREFIX - 1
                            : is_uri      ? system
                                          : NULL;
    if (space != NULL)
        hl7v2_write(job->writer, hl7v2_at(field, repetition, component, 1), space);
    if (universal == NULL)
        return;
    hl7v2_write(job->writer, hl7v2_at(field, repetition, component, 2), universal);
    // Table 0301 has no type for a URI: L, agreed locally.
    hl7v2_write(job->writer, hl7v2_at(field, repetition, component, 3), known != NULL || is_oid ? "ISO" : "L");
}

void out_identifier(struct out_job *job, unsigned field, unsigned repetition, const Carehub__V1__Identifier *identifier)
{
    const struct out_system *known = out_receiver_system(job->receiver, identifier->system);
    if (identifier->value[0] == '\0')
        return;
    hl7v2_write(job->writer, hl7v2_at(field, repetition, 1, 1), identifier->value);
    put_authority(job, field, 4, repetition, identifier->system);
    hl7v2_write(job->writer, hl7v2_at(field, repetition, 5, 1),
                known != NULL && known->type != NULL ? known->type : "PI");
}

// XCN: the events know names as a whole only, which then stand where the family name does.
void out_person(struct out_job *job, unsigned field, const Carehub__V1__Party *party)
{
    const Carehub__V1__Identifier *number = party != NULL && party->n_identifiers > 0 ? party->identifiers[0] : NULL;
    if (party == NULL)
        return;
    if (number != NULL)
        out_text(job, field, 1, number->value);
    out_text(job, field, 2, party->name);
    if (number != NULL)
        put_authority(job, field, 9, 1, number->system);
}

void out_organisation(struct out_job *job, unsigned field, const Carehub__V1__Party *party)
{
    const Carehub__V1__Identifier *number = party != NULL && party->n_identifiers > 0 ? party->identifiers[0] : NULL;
    if (party == NULL)
        return;
    out_text(job, field, 1, party->name);
    if (number == NULL)
        return;
    put_authority(job, field, 6, 1, number->system);
    out_text(job, field, 10, number->value); // XON-3, its older place, holds numbers only
}

void out_location(struct out_job *job, unsigned field, const Carehub__V1__Location *location)
{
    if (location == NULL)
        return;
    out_text(job, field, 1, location->ward);
    out_text(job, field, 2, location->room);
    out_text(job, field, 3, location->bed);
    out_text(job, field, 4, location->facility);
}
