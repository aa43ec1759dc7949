// Filling in scheme messages, for the readers. All return false or NULL without memory, and leave what is there whole.
// Texts are trimmed, control characters become blanks, and what exceeds SCHEME_TEXT_MAX_BYTES is cut.
#ifndef CAREHUB_SCHEME_BUILD_H
#define CAREHUB_SCHEME_BUILD_H

#include "scheme.h"

// Replaces *field, a string of a message.
bool scheme_set(char **field, const char *text);

// Adds a line of text to *field, unless one of its lines is the same or text is empty.
bool scheme_add_text(char **field, const char *text);

// Adds item to a repeated field. *list is the address of the field. Takes the item only when it returns true.
bool scheme_append(void *list, size_t *count, void *item);

Carehub__V1__Coded *scheme_coded(const char *system, const char *code, const char *display);
Carehub__V1__Quantity *scheme_quantity(const char *value, const char *unit);

// A line with its medicine and posology, empty.
Carehub__Pharmacy__V1__Line *scheme_line(void);

bool scheme_add_code(Carehub__V1__Medicine *medicine, const char *system, const char *code, const char *display);
Carehub__V1__Intake *scheme_add_intake(Carehub__V1__Posology *posology);
Carehub__Pharmacy__V1__Suspension *scheme_add_suspension(Carehub__Pharmacy__V1__Line *line);

// Adds an identifier of the patient if it may be used to find somebody. *usable says whether it may.
bool scheme_add_patient(Carehub__Pharmacy__V1__Scheme *scheme, const char *system, const char *value, bool *usable);

// The time of day as a body has it: "08:00", with seconds only where they are not zero.
void scheme_time_of_day(const char *time, char out[16]);

// Whether text is a decimal number.
bool scheme_is_decimal(const char *text);

#endif
