// One Dosage on its way. Between fhir_dosage.c and fhir_timing.c.
#ifndef CAREHUB_FHIR_DOSAGE_H
#define CAREHUB_FHIR_DOSAGE_H

#include "fhir_internal.h"

enum { DOSAGE_TIMES_MAX = 64 }; // moments, days or dates of one timing

struct dosage {
    struct fhir_reader *r;
    Carehub__Pharmacy__V1__Line *line;
    struct json_object *json, *timing, *repeat;
    bool only;                             // the only one of its line
    uint32_t day_number;                   // of a treatment cycle; 0: none
    const char *dayperiod;                 // of KMEHR, where FHIR has no moment; NULL: none
    const char *moments[DOSAGE_TIMES_MAX]; // "when", then "timeOfDay"
    size_t n_when, n_moments, n_days, n_dates;
    const char *days[DOSAGE_TIMES_MAX], *dates[DOSAGE_TIMES_MAX];
};

// Reads and checks moments, days, dates and the day of a cycle.
bool dosage_read_timing(struct dosage *d);

// NULL in *made when the timing has none. The caller's.
bool dosage_read_frequency(struct dosage *d, Carehub__V1__Coded **made);
bool dosage_same_frequency(const Carehub__V1__Coded *a, const Carehub__V1__Coded *b); // either may be NULL

// Begin and end of the line, where they are not known yet and this is its only dosage.
bool dosage_read_bounds(struct dosage *d);

#endif
