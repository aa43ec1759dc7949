// Identifiers of people, professionals, organisations and products: the Belgian ones are checked, any other
// passes through within bounds.
//
// Systems have short names ("ssin"), FHIR URLs and OIDs; all three are understood, the short name is what the
// hub keeps. Any other system (a hospital's own: "https://…", "urn:oid:…" or a short text) stands for itself.
//
// Sources: for SSIN and BIS the National Register's number rules; for NIHDI the circular 2012/26 of
// RIZIV/INAMI; for CNK the validator of Vitalink; for systems the NamingSystems of hl7-be/core. Pure
// functions, safe from any thread. Nothing is allocated.
#ifndef CAREHUB_IDENTIFIER_H
#define CAREHUB_IDENTIFIER_H

#include <stdbool.h>
#include <stddef.h>

#define IDENTIFIER_SYSTEM_CHARS 256 // a system with its terminating NUL, in UTF-8
#define IDENTIFIER_VALUE_CHARS 128  // a value with its terminating NUL, in UTF-8

enum identifier_system {
    IDENTIFIER_OTHER = 0, // not one of ours
    IDENTIFIER_SSIN,      // social security number of a person (INSZ, NISS), a BIS number included
    IDENTIFIER_NIHDI,     // care professional or institution (RIZIV, INAMI)
    IDENTIFIER_CBE,       // organisation (KBO, BCE)
    IDENTIFIER_CNK,       // pharmacy product
    IDENTIFIER_EHP,       // organisation known to the eHealth platform
    IDENTIFIER_SYSTEM_COUNT,
};

// What the check found. Up to IDENTIFIER_CHECK_DIGITS_WARNING the identifier may be used for matching.
enum identifier_status {
    IDENTIFIER_VALID = 0,
    IDENTIFIER_UNCHECKED,            // of a system whose values have no rule: within bounds, no more
    IDENTIFIER_CHECK_DIGITS_WARNING, // NIHDI: no known modulus fits, which alone proves nothing
    IDENTIFIER_NO_SYSTEM,            // the system is empty, too long, or not printable UTF-8
    IDENTIFIER_NO_VALUE,             // the value is empty
    IDENTIFIER_BAD_VALUE,            // the value is too long, or not printable UTF-8
    IDENTIFIER_NOT_DIGITS,           // something other than digits and the separators . - and space
    IDENTIFIER_LENGTH,               // the wrong number of digits
    IDENTIFIER_CHECK_DIGITS,         // the check digits do not fit
    IDENTIFIER_DATE,                 // SSIN: the birth date does not exist
};

enum identifier_sex {
    IDENTIFIER_SEX_UNKNOWN = 0,
    IDENTIFIER_SEX_MALE,
    IDENTIFIER_SEX_FEMALE,
};

// What a valid SSIN tells. The two formulas for the check digits lie 68 apart modulo 97, so they never both
// hold: the century is always known.
struct identifier_ssin {
    int birth_year;  // 1900 to 2099; of a person whose date is unknown it may not mean anything
    int birth_month; // 1 to 12, or 0 when unknown
    int birth_day;   // 1 to 31, or 0 when unknown or when the month is
    enum identifier_sex sex;
    bool bis; // a BIS number: for someone who is not in the National Register
};

struct identifier {
    enum identifier_system system;
    char value[IDENTIFIER_VALUE_CHARS]; // in normal form: digits only where there is a check; else as it was
    struct identifier_ssin ssin;        // all zero unless a valid SSIN
};

// The system that a short name (in any case), FHIR URL, OID or "urn:oid:" OID stands for, or
// IDENTIFIER_OTHER.
enum identifier_system identifier_system_find(const char *system);

// The short name, FHIR URL and OID of a system. NULL for IDENTIFIER_OTHER, and where there is no OID (CNK).
const char *identifier_system_name(enum identifier_system system);
const char *identifier_system_url(enum identifier_system system);
const char *identifier_system_oid(enum identifier_system system);

// Writes the form of system that the hub keeps: the short name of ours, any other as it is. False when it is
// empty, does not fit, or is not printable UTF-8.
bool identifier_system_normalise(const char *system, char out[IDENTIFIER_SYSTEM_CHARS]);

// Checks a value of a system (in any form), and writes the normal form to *out; if that is not possible,
// out->value is "". NIHDI: the first eight digits are the key of a professional, the last three of eleven the
// competence, which changes. CNK: padded with zeros to seven digits.
enum identifier_status identifier_check(const char *system, const char *value, struct identifier *out);

// The same for a value that is known to be an SSIN.
enum identifier_status identifier_check_ssin(const char *value, struct identifier *out);

// Whether an identifier with this status may be used to find a patient or an actor.
bool identifier_usable(enum identifier_status status);

// A stable short name ("check-digits"), and what an operator can act on. Static storage; never the value.
const char *identifier_status_name(enum identifier_status status);
const char *identifier_status_text(enum identifier_status status);

#endif
