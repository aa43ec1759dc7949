// Between the files that write FHIR; no part of its interface.
#ifndef CAREHUB_FHIR_WRITE_INTERNAL_H
#define CAREHUB_FHIR_WRITE_INTERNAL_H

#include "eventid.h"
#include "fhir_write.h"
#include "json_make.h"

struct json_object;

#define FHIR_URN_CHARS (9u + EVENTID_TEXT_CHARS) // "urn:uuid:" and a UUID

enum correction { CORRECTION_NONE, CORRECTION_AMENDS, CORRECTION_RETRACTS };

struct writer {
    struct maker m;
    const Carehub__V1__Event *event;
    const Carehub__V1__Event *content; // whose body is written: the event's, or of what it retracts
    const struct fhir_route *route;
    enum correction correction;
    struct json_object *entries;
    char patient[FHIR_URN_CHARS], organisation[FHIR_URN_CHARS]; // full URLs; "" if there is none
    char focus[FHIR_URN_CHARS];
};

// Somebody stands for it: verified; or nobody does, though somebody should: unverified.
bool write_is_verified(const struct writer *w);
bool write_is_unverified(const struct writer *w);

// ---- Entries

// A stable id for a resource of a kind.
void write_urn(const char *kind, const char *basis, char urn[FHIR_URN_CHARS]);

// A resource with its type and id, as an entry of the Bundle. Of the Bundle's tree.
struct json_object *write_entry(struct writer *w, const char *type, const char *urn);

// ---- Values. Each leaves out what is empty, for FHIR has no empty values, and what FHIR's types do not take.

void write_reference(struct writer *w, struct json_object *object, const char *name, const char *urn);
void write_time(struct writer *w, struct json_object *object, const char *name, const Carehub__V1__Time *time);
void write_code(struct writer *w, struct json_object *object, const char *name, const char *code);
void write_uri(struct writer *w, struct json_object *object, const char *name, const char *uri);
void write_identifiers(struct writer *w, struct json_object *object, size_t count, Carehub__V1__Identifier **from);
struct json_object *write_coding(struct writer *w, const char *system, const char *code, const char *display);
struct json_object *write_concept(struct writer *w, const Carehub__V1__Coded *coded); // NULL if it says nothing
void write_put_concept(struct writer *w, struct json_object *object, const char *name, const Carehub__V1__Coded *coded);
void write_put_concepts(struct writer *w, struct json_object *object, const char *name,
                        const Carehub__V1__Coded *coded); // as an array of one
struct json_object *write_fixed(struct writer *w, const char *system, const char *code, const char *display);
void write_quantity(struct writer *w, struct json_object *object, const char *name, const Carehub__V1__Quantity *from);
void write_value(struct writer *w, struct json_object *object, const char *value); // value[x]: a number, or text
void write_note(struct writer *w, struct json_object *object, const char *text);
bool write_is_number(const char *text);

// A Reference to someone who has no resource of their own in the Bundle. NULL if nothing is known of them.
struct json_object *write_party(struct writer *w, const char *type, const Carehub__V1__Party *party);
struct json_object *write_attachment(struct writer *w, const Carehub__V1__Reference *from);

// A document elsewhere, as an entry of its own; nothing if it is NULL.
void write_document(struct writer *w, const char *what, const Carehub__V1__Reference *from);

// The urgency as "priority", which Communication, Task and ServiceRequest have alike.
void write_priority(struct writer *w, struct json_object *object);

// The patient as a member that FHIR demands, also where nobody may be named.
void write_subject(struct writer *w, struct json_object *object, const char *name);

// An identifier as the only one of a list; nothing if the value is "".
void write_own_identifier(struct writer *w, struct json_object *object, const char *system, const char *value);

// A CodeableConcept of words alone.
struct json_object *write_words(struct writer *w, const char *words);

// Puts `value` as the only element of an array; nothing if it is NULL.
void write_put_one(struct writer *w, struct json_object *object, const char *name, struct json_object *value);

// ---- Bodies: the focus of the message (fhir_write_body.c, and where it is said)

// The body that is written, NULL if there is none: a notice has none.
#define BODY(w, TYPE, name) ((w)->content->body_case == CAREHUB__V1__EVENT__BODY_##TYPE ? (w)->content->name : NULL)

void write_begin_communication(struct writer *w, struct json_object *communication);

// fhir_write_encounter.c
void write_admission(struct writer *w, struct json_object *encounter);
void write_discharge(struct writer *w, struct json_object *encounter);
void write_emergency(struct writer *w, struct json_object *encounter);
void write_transition(struct writer *w, struct json_object *encounter);
// fhir_write_request.c
void write_task(struct writer *w, struct json_object *task);
void write_referral(struct writer *w, struct json_object *request);
void write_crisis(struct writer *w, struct json_object *request);
void write_vaccination(struct writer *w, struct json_object *immunization);

// fhir_write_general.c
void write_general(struct writer *w, struct json_object *communication);

const Carehub__V1__Party *write_hospital(const Carehub__V1__Event *event); // of the four that have one; else NULL

struct write_kind {
    Carehub__V1__EventType type;
    const char *resource;
    const char *(*code)(const Carehub__V1__Event *event); // of Da Vinci's system; NULL: the type's name
    void (*write)(struct writer *w, struct json_object *resource);
    const Carehub__V1__Party *(*organisation)(const Carehub__V1__Event *event);
};

// NULL if there is no message for the type.
const struct write_kind *write_kind_of(Carehub__V1__EventType type);

// fhir_message, with a focus of that kind: for a format that says more of a type than this one. kind may be NULL.
struct json_object *write_message_of(const Carehub__V1__Event *event, const Carehub__V1__Event *original,
                                     const struct fhir_route *route, const struct write_kind *kind,
                                     struct problems *problems);

// The encounter's number, "" if there is none: of the four bodies that have one.
const char *write_encounter_id(const Carehub__V1__Event *event);

#endif
