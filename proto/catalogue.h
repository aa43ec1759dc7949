/* catalogue.h - what the event catalogue says of each type, and of field numbers. Pure, thread-safe. */
#ifndef CAREHUB_CATALOGUE_H
#define CAREHUB_CATALOGUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "carehub/v1/event.pb-c.h"
#include "carehub/v1/registry.pb-c.h"

enum {
    EVENT_TYPE_MAX = 26,         /* types are 1 to this */
    EVENT_BODY_FIELD_BASE = 1000 /* a body's field number is this + its type */
};

/* The type's name as people write it ("HospitalDischarge"), or NULL if there is no such type. Static. */
const char *event_type_name(Carehub__V1__EventType type);

/* The type of that name ("HospitalDischarge" or "HOSPITAL_DISCHARGE"), or 0. */
Carehub__V1__EventType event_type_by_name(const char *name);

/* How urgent an event is: its own urgency, or the default of its type. */
Carehub__V1__Urgency event_urgency(const Carehub__V1__Event *event);

/* The sensitivity class of a top-level field of an envelope or body (not of a body's own number). */
Carehub__V1__Level field_class(uint32_t field_number);

/* Cuts a serialised Event to the fields of a class up to `level`, in the envelope and in its body. `out` must
 * have room for `size` bytes. Returns the bytes written, or -1 if the input is not well-formed. Unknown field
 * numbers are cut by the same rule, so a newer publisher's fields never leak. */
ptrdiff_t event_view(const uint8_t *event, size_t size, Carehub__V1__Level level, uint8_t *out);

#endif
