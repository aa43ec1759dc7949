// What there is to say of one line of a scheme. Between scheme_diff.c and scheme_change.c.
#ifndef CAREHUB_SCHEME_CHANGE_H
#define CAREHUB_SCHEME_CHANGE_H

#include "scheme.h"

// Two versions, and what is told of them so far.
struct scheme_comparison {
    const Carehub__Pharmacy__V1__Scheme *before, *now; // before may be NULL
    int64_t day_before, day_now;
    scheme_offset_fn *offset;
    const void *arg;
    Carehub__V1__MedicationChanged *body;
    bool no_memory; // sticky
};

// Each adds to the body what there is to tell: of a line that is in both, only in `now`, only in `before`.
void scheme_tell_line(struct scheme_comparison *d, const Carehub__Pharmacy__V1__Line *before,
                      const Carehub__Pharmacy__V1__Line *now);
void scheme_tell_new(struct scheme_comparison *d, const Carehub__Pharmacy__V1__Line *line);
void scheme_tell_absent(struct scheme_comparison *d, const Carehub__Pharmacy__V1__Line *line);

bool scheme_same_period(const Carehub__Pharmacy__V1__Line *a, const Carehub__Pharmacy__V1__Line *b);

// A text of the body; and a time of it, the caller's. NULL when iso is no time. With `after`, the day behind it.
void scheme_tell_set(struct scheme_comparison *d, char **field, const char *text);
Carehub__V1__Time *scheme_tell_time(struct scheme_comparison *d, const char *iso, bool after);

#endif
