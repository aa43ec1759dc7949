// The vocabularies of KMEHR and FHIR, brought to one where they say exactly the same. Pure functions on static tables,
// safe from any thread.
#ifndef CAREHUB_MEDICATION_CODES_H
#define CAREHUB_MEDICATION_CODES_H

#include <stdbool.h>
#include <stddef.h>

#define MEDICATION_SYSTEM_MOMENT "http://hl7.org/fhir/event-timing"
#define MEDICATION_SYSTEM_WEEKDAY "http://hl7.org/fhir/days-of-week"
#define MEDICATION_SYSTEM_UCUM "http://unitsofmeasure.org"
#define MEDICATION_SYSTEM_SNOMED "http://snomed.info/sct"
#define MEDICATION_SYSTEM_ATC "http://www.whocc.no/atc"
#define MEDICATION_SYSTEM_TYPE "https://www.ehealth.fgov.be/standards/fhir/medication/CodeSystem/medication-type"
#define MEDICATION_TYPE_MAGISTRAL "magistral" // a preparation of the pharmacist's own

enum {
    MEDICATION_CODE_BYTES = 64, // with the terminating zero, as the next one
    MEDICATION_UNIT_BYTES = 128,
};

// The event-timing code for a CD-DAYPERIOD, or NULL when FHIR has none for exactly that.
const char *medication_moment(const char *dayperiod);

// The way back: the CD-DAYPERIOD, or NULL.
const char *medication_dayperiod(const char *moment);

// Whether it is a code of FHIR's event-timing.
bool medication_is_moment(const char *code);

// The days-of-week code for a CD-WEEKDAY or a FHIR code, in any case; NULL when it is neither.
const char *medication_weekday(const char *weekday);

// The way back: the CD-WEEKDAY, or NULL.
const char *medication_weekday_kmehr(const char *code);

// Writes a frequency as UCUM: "3/d", "1/(2.wk)". A period of a half is doubled. unit is h, d, wk, mo, a, min or s.
// False when it cannot be written so.
bool medication_frequency(const char *times, const char *period, const char *unit, char out[MEDICATION_CODE_BYTES]);

// The way back. False when it is no frequency as medication_frequency writes it.
bool medication_frequency_parts(const char *ucum, unsigned *times, unsigned *period, char unit[4]);

// The same for a CD-PERIODICITY, and the way back. False or NULL when the code is not known.
bool medication_periodicity(const char *code, char out[MEDICATION_CODE_BYTES]);
const char *medication_periodicity_kmehr(const char *ucum);

// Writes a unit of administration: UCUM where there is one (counted things as annotation: "{tablet}"), else
// "system|code". For CD-ADMINISTRATIONUNIT, then for a unit of FHIR: its system, code and text, each may be "".
void medication_unit_kmehr(const char *code, char out[MEDICATION_UNIT_BYTES]);
void medication_unit_fhir(const char *system, const char *code, const char *text, char out[MEDICATION_UNIT_BYTES]);

// The way back to a CD-ADMINISTRATIONUNIT that the XSD has, or NULL. And whether it is one of those units that are
// UCUM.
const char *medication_unit_to_kmehr(const char *unit);
bool medication_unit_is_ucum(const char *unit);

// Whether a FHIR code system stands for the CNK: there are four in use.
bool medication_is_cnk_system(const char *system);

// The system and code under which a product is kept: "cnk" for a CNK with a fitting check digit, of seven digits; else
// as they are. False when it says it is a CNK and is none.
bool medication_product_code(const char *system, const char *code, const char **out_system,
                             char out_code[MEDICATION_CODE_BYTES]);

#endif
