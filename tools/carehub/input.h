/* input.h - what people type: patients, events, times, levels, keys. Each function returns an exit code and
 * has said what is wrong. None repeats a patient's identifier in a message. */
#ifndef CAREHUB_CLI_INPUT_H
#define CAREHUB_CLI_INPUT_H

#include <stddef.h>
#include <stdint.h>

#include "carehub/v1/registry.pb-c.h"
#include "identifier.h"

/* A patient, and the storage behind it. Not to be copied: ref points into it. */
struct patient_input {
    Carehub__V1__PatientRef ref;
    Carehub__V1__Identifier identifier;
    char system[IDENTIFIER_SYSTEM_CHARS];
    char value[IDENTIFIER_VALUE_CHARS];
};

/* "ssin:85073003328", "SYSTEM|VALUE" (for systems that hold colons), or the pseudonym "P42". */
int input_patient(const char *text, struct patient_input *out);

/* The same without the pseudonym: an identifier. `out->ref` is set as well. */
int input_identifier(const char *text, struct patient_input *out);

enum { INPUT_ID_BYTES = 16 };

/* An event: a UUID, or a place in the log ("#123" or "123"). Exactly one is set; place 0 is none. */
struct event_input {
    uint8_t id[INPUT_ID_BYTES];
    uint64_t place;
};
int input_event(const char *text, struct event_input *out);

/* A place in the log, "#123" or "123". */
int input_place(const char *text, uint64_t *place);

/* The state as of when: a place in the log, or a time as below. Exactly one is set; neither for NULL. */
int input_as_of(const char *text, uint64_t *place, int64_t *unix_ms);

/* "2026-12-31", "2026-12-31T18:00" (local time), or "+30d", "+12h", "+45m" from now; in ms since 1970. NULL
 * gives 0. */
int input_time(const char *text, int64_t *unix_ms);

/* "30d", "12h", "45m", "10s", in ms; not negative. NULL gives 0. */
int input_duration(const char *text, int64_t *ms);

/* A moment that has been: "7d" is so long ago; anything else as input_time has it. NULL gives 0. */
int input_moment(const char *text, int64_t *unix_ms);

/* A whole number of a type that has at most `max`. NULL gives 0. */
int input_number(const char *text, const char *what, uint64_t max, uint64_t *number);

/* 64 hexadecimal digits. */
int input_key(const char *text, uint8_t key[32]);

/* An enum's value by its name in any case, with '-', '_' or ' ' between words. NULL gives 0. The table of
 * commands has checked that it is one of the words; -1 if it is not. */
int input_enum(const ProtobufCEnumDescriptor *type, const char *prefix, const char *text);

#endif
