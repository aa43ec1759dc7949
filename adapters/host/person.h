/* person.h - the person whom an operator wants to be forgotten, and whether something that is kept is about them: by
 * identifiers, the ones that the operator gave and those that stand beside them in events. Pure; any thread. */
#ifndef CAREHUB_PERSON_H
#define CAREHUB_PERSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <carehub/v1/event.pb-c.h>

#include "identifier.h"

enum { PERSON_IDENTIFIERS_MAX = 16 };

struct person {
    size_t n_given; /* the first of the list; what follows was learnt */
    size_t count;
    struct person_identifier {
        char system[IDENTIFIER_SYSTEM_CHARS];
        char value[IDENTIFIER_VALUE_CHARS]; /* in normal form */
    } list[PERSON_IDENTIFIERS_MAX];
};

/* Reads "ssin:85073003328" or "SYSTEM|VALUE". NULL when it is in order; else what is wrong, without the value. */
const char *person_parse(const char *text, struct person *person);

/* Adds the other identifiers of an event's patient, if a given one is among them: so what is known by a hospital's own
 * number only is found too. */
void person_learn(struct person *person, const Carehub__V1__Event *event);

/* Whether one of all these identifiers is anywhere in the message, or an SSIN in one of its texts. */
bool person_in_message(const struct person *person, const ProtobufCMessage *message);

/* The same in bytes of whatever format: an SSIN with or without punctuation, any other value as a word of its own.
 * `learnt`: also those that were learnt, which may be short, and stand for something else in what others wrote. */
bool person_in_bytes(const struct person *person, bool learnt, const void *bytes, size_t len);

#endif
