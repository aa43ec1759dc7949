// Posology in plain words, for where a format has no place for its parts, and for people.
#ifndef CAREHUB_MEDICATION_WORDS_H
#define CAREHUB_MEDICATION_WORDS_H

#include <stddef.h>

#include "carehub/v1/bodies.pb-c.h"

enum { MEDICATION_WORDS_BYTES = 4096 };

// "twice a day: 1 tablet before breakfast; 2 tablets at 22:00; with water". Cut, and ending in an ellipsis, when it is
// longer. posology may be NULL: "".
void medication_words(const Carehub__V1__Posology *posology, char out[MEDICATION_WORDS_BYTES]);

// "Posology changed. Before: …". What a change is, as a sentence or more.
void medication_change_words(const Carehub__V1__MedicationChange *change, char out[MEDICATION_WORDS_BYTES]);

// "Added", "Posology changed"; and as a code: "added", "posology-changed". Static storage.
const char *medication_kind_words(Carehub__V1__MedicationChange__Kind kind);
const char *medication_kind_code(Carehub__V1__MedicationChange__Kind kind);

#endif
