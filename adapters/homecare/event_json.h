// The plain JSON form of an event, as software sends it that speaks no FHIR: carehub.v1.Event in the JSON mapping of
// proto/pbjson.h, ids as UUID text. What the sender may leave out is filled in: the id where the request has an
// Idempotency-Key, the type where the body tells it, the author's actor and role. What is wrong is said as for FHIR,
// with the path of the field ("patient.identifiers[0].value") as expression.
//
// Threads: any; a call touches its arguments only.
#ifndef CAREHUB_EVENT_JSON_H
#define CAREHUB_EVENT_JSON_H

#include "fhir_read.h"

#define EVENT_JSON_MAX_BYTES (256u << 10)

// The event of a text, which has been checked as far as one can without a hub: id, type and body, patient, times,
// sizes. The caller frees it (carehub__v1__event__free_unpacked). NULL, with problems, if it cannot be taken.
Carehub__V1__Event *event_json_read(const char *text, size_t len, const struct fhir_intake *intake,
                                    struct problems *problems);

// The text of an event, malloc'd; indented if pretty. NULL without memory.
char *event_json_write(const Carehub__V1__Event *event, bool pretty);

#endif
