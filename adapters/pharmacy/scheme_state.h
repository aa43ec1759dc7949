// How a line stands on a day. Between the files of the scheme.
#ifndef CAREHUB_SCHEME_STATE_H
#define CAREHUB_SCHEME_STATE_H

#include "scheme.h"

struct scheme_state {
    Carehub__Pharmacy__V1__Line__State state;
    const char *since; // ISO 8601; "" when it is not known. With `after`, the last day before
    bool after;
    const char *until; // of a suspension
    const char *reason;
};

struct scheme_state scheme_state_on(const Carehub__Pharmacy__V1__Line *line, int64_t day);

// Whether a suspension begins after the day.
bool scheme_is_planned(const Carehub__Pharmacy__V1__Suspension *suspension, int64_t day);

// The day by which a version is judged: when it was recorded, or else when it came in (UTC).
int64_t scheme_day_of(const Carehub__Pharmacy__V1__Scheme *scheme);

bool scheme_same_suspension(const Carehub__Pharmacy__V1__Suspension *a, const Carehub__Pharmacy__V1__Suspension *b);

#endif
