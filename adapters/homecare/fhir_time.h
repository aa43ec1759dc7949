// Dates and times of FHIR R4 (2.24.0.1: date, dateTime, instant) as times of an event and back. Pure.
#ifndef CAREHUB_FHIR_TIME_H
#define CAREHUB_FHIR_TIME_H

#include <stdbool.h>
#include <stdint.h>

#include "carehub/v1/common.pb-c.h"

#define FHIR_TIME_CHARS 36u // any text of this file with its terminating NUL

struct fhir_time {
    int64_t unix_ms;
    int32_t offset_minutes; // 0 for a date, which has none
    Carehub__V1__Precision precision;
};

// Reads YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss[.fraction](Z|+hh:mm|-hh:mm), of the years 1800 to 9999. Digits
// of a second after the third are cut. False if it is anything else, or no moment that exists.
bool fhir_time_parse(const char *text, struct fhir_time *time);

// Writes a dateTime as precise as the time is known, at its own offset. A time known to the minute has seconds of 00,
// as FHIR demands. "" if it is out of range.
void fhir_time_format(const Carehub__V1__Time *time, char text[FHIR_TIME_CHARS]);

// Writes an instant, in UTC. "" if it is out of range.
void fhir_instant_format(int64_t unix_ms, char text[FHIR_TIME_CHARS]);

#endif
