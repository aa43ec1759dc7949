// Medication schemes: what a new version of one changes. The model is scheme.proto, and so is what an adapter keeps:
// carehub__pharmacy__v1__scheme__pack() and __unpack(). Pure functions, safe from any thread; nothing here has a clock.
#ifndef CAREHUB_SCHEME_H
#define CAREHUB_SCHEME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "carehub/v1/bodies.pb-c.h"
#include "scheme.pb-c.h"

enum {
    SCHEME_LINES_MAX = 512,
    SCHEME_SUSPENSIONS_MAX = 64,      // of one line
    SCHEME_INTAKES_MAX = 256,         // of one line
    SCHEME_CODES_MAX = 16,            // of one medicine
    SCHEME_TEXT_MAX_BYTES = 2048,     // of any one text; longer ones are cut, and end in an ellipsis
    SCHEME_BODY_MAX_BYTES = 48 << 10, // of a MedicationChanged, packed: an event has room for 64 KiB in all
};

// ---- Dates and times

// The offset from UTC, in minutes, that holds at an instant where the scheme was made. For dates without one of their
// own.
typedef int32_t scheme_offset_fn(const void *arg, int64_t unix_s);

// Reads "2024", "2024-02", "2024-02-29" and with a time of day behind it, with or without seconds, fraction and offset
// (ISO 8601 as XML Schema and FHIR use it). offset may be NULL: UTC. False when it is none; *time is then as it was.
bool scheme_time(const char *iso, scheme_offset_fn *offset, const void *arg, Carehub__V1__Time *time);

// The days from 1970-01-01 to the day that iso names (its first, when it names a month or year). False when it is none.
bool scheme_day(const char *iso, int64_t *day);

// Writes the last day of a duration that begins on the day of begin. unit is d, wk, mo or a. False when it does not
// come to whole days after 1 and before 3660000, or the date is none.
bool scheme_last_day(const char *begin, const char *duration, const char *unit, char out[11]);

// ---- Comparing

bool scheme_same_medicine(const Carehub__V1__Medicine *a, const Carehub__V1__Medicine *b);
bool scheme_same_posology(const Carehub__V1__Posology *a, const Carehub__V1__Posology *b);

// Whether two lines are the same element of the scheme: by id; if either has none, by product and day of begin.
bool scheme_same_key(const Carehub__Pharmacy__V1__Line *a, const Carehub__Pharmacy__V1__Line *b);

enum scheme_outcome {
    SCHEME_CHANGED,      // `body` says what
    SCHEME_UNCHANGED,    // a newer version in which nothing that matters is different
    SCHEME_FIRST,        // there is nothing to compare it with: it is where comparing begins
    SCHEME_SAME_VERSION, // this version has been seen
    SCHEME_OLDER,        // a newer version has been seen: refused
    SCHEME_OTHER,        // another scheme, or another patient's: refused
    SCHEME_NO_MEMORY,
};

struct scheme_result {
    enum scheme_outcome outcome;
    bool differs; // with SCHEME_SAME_VERSION: its content is not the one that was seen, which its maker should explain
    const char *why; // static text, for an operator
    Carehub__V1__MedicationChanged
        *body; // the caller's, to be freed with carehub__v1__medication_changed__free_unpacked
};

// What is new in `now` since `before` (NULL: nothing was seen). Neither is changed. The rules:
// - Elements are matched as scheme_same_key says. Their order, and who made them and when, do not matter.
// - Versions are compared as numbers; without numbers, by the time at which they were recorded, of which only an
// earlier
//   one says something.
// - An element is stopped when it is absent from a complete scheme, says so, its last day has passed, or a definitive
//   suspension has begun; suspended while a suspension holds; resumed when neither is so any more. That is judged on
//   the day at which each version was recorded. A suspension in the future is told when it is first seen, and by the
//   version that it holds in.
// - Another product is told by the codes, and by the name where there are no codes to compare. Another posology, by
// text,
//   regimen, frequency and route; a begin or end that moved counts as such.
// Single lines (complete is false) without a `before` are each told by what they say themselves: added, stopped or
// suspended. When the body would be larger than SCHEME_BODY_MAX_BYTES its regimens are left out, and its note says so.
struct scheme_result scheme_diff(const Carehub__Pharmacy__V1__Scheme *before, const Carehub__Pharmacy__V1__Scheme *now,
                                 scheme_offset_fn *offset, const void *arg);

// Leaves the regimens out of a body that is larger than SCHEME_BODY_MAX_BYTES. False without memory.
bool scheme_fit(Carehub__V1__MedicationChanged *body);

// A stable short name ("same-version"). Static storage.
const char *scheme_outcome_name(enum scheme_outcome outcome);

#endif
