// FHIR R4 resources to care events: a pure mapping, without I/O, clock or state of its own.
//
//     Observation    a fall (SNOMED CT 1912002 and its kinds), an assessment (category survey, BelRAI and the known
//                    LOINC codes, with its components and members as scores), or anything else: ConditionChanged. A
//                    category of the system urn:carehub:event-type says outright which of these it is, or that it is
//                    CarerStrain or PatientReported
//     QuestionnaireResponse   AssessmentCompleted; of the patient's own hand, PatientReported
//     AdverseEvent   a fall that happened; other events: ConditionChanged
//     Flag           ConditionChanged
//     Communication  TeamMessage
//     Encounter      HospitalAdmission, EmergencyVisit, CareTransition, HospitalDischarge: see fhir_encounter.c
//     Bundle         message: what the MessageHeader's focus names; transaction, batch,
//                    collection, searchset (but for what a search included): each of the above in it
//
// A deployment adds codes of its own with rules. Resources that only
// support others (Patient, Practitioner, Organization, …) are looked into, and yield nothing themselves.
//
// Corrections. FHIR tells states, not events: the same resource comes again, changed or with a status that takes it
// back. Which of the events in force it is about, the caller knows by the resource's episode, which is its identity at
// the sender. So: open, look up what is in force of each item's episode, translate. Content that is already in force
// yields nothing ("unchanged"); other content amends; entered-in-error and cancelled retract.
//
// Identity is, in this order: the resource's first identifier; its id, where that is the sender's own (an update, a
// message, a correction) and not to be replaced by the receiver; a urn:uuid fullUrl; the Idempotency-Key or the
// Bundle's identifier, with the place in the Bundle; a digest of the content. The event's id is derived from the
// sender, the identity and the time that the resource itself states, so that the same resource sent again is the same
// event. Only a resource without any time of its own takes the time at which it came in; then remembering requests by
// their key (fhir_document_key) is what makes repeats harmless.
//
// Sources: FHIR R4 (4.0.1): http.html 3.1.0.11 for transactions, messaging.html 2.4 for messages, references.html 2.3
// for references and Bundle resolution; MedCom HospitalNotification; HL7 Da Vinci Unsolicited Notifications.
//
// Threads: any; a call touches its arguments only.
#ifndef CAREHUB_FHIR_READ_H
#define CAREHUB_FHIR_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "carehub/v1/event.pb-c.h"
#include "problems.h"

#define FHIR_BODY_MAX_BYTES (1u << 20) // of a text that is opened
#define FHIR_ENTRIES_MAX 128u          // of a Bundle
#define FHIR_EVENTS_MAX 16u            // of a document: as many as the hub takes as one group
#define FHIR_EPISODE_CHARS 320u        // with the terminating NUL
#define FHIR_KEY_BYTES 32u

// An event type for a code that the table of this mapping doesn't have, or has otherwise. Of Observation, AdverseEvent
// and Flag. Types: FALL_REPORTED, CONDITION_CHANGED, ASSESSMENT_COMPLETED, CARER_STRAIN, PATIENT_REPORTED.
struct fhir_rule {
    const char *system;
    const char *code;
    Carehub__V1__EventType type;
};

// Who sends, and how. Everything stays the caller's; NULL strings count as "".
struct fhir_intake {
    const char *sender; // short name of the client, which is part of every identity and id
    const char *actor;  // author.actor; may be ""
    const char *role;   // author.role: "home-nurse"
    const char *idempotency_key;
    bool update; // the request updates a resource under its id (PUT)
    const char *adapter_version;
    int64_t received_ms; // since 1970
    const struct fhir_rule *rules;
    size_t n_rules;
};

// What was sent, opened: parsed, and looked through for what may become events (its items).
struct fhir_document;

// Opens a text. NULL, with a problem, if it is nothing that can be taken. `intake` must outlive the document.
struct fhir_document *fhir_document_new(const char *text, size_t len, const struct fhir_intake *intake,
                                        struct problems *problems);
void fhir_document_destroy(struct fhir_document **self);

// "Observation", or for a Bundle "Bundle/message".
const char *fhir_document_kind(const struct fhir_document *self);

// Names the request: equal for one that is sent again. By its Idempotency-Key if it has one, else by its content.
void fhir_document_key(const struct fhir_document *self, uint8_t key[FHIR_KEY_BYTES]);

// SHA-256 of the text.
void fhir_document_digest(const struct fhir_document *self, uint8_t digest[FHIR_KEY_BYTES]);

// The id of the resource or Bundle itself, "" if it has none. Of the document.
const char *fhir_document_id(const struct fhir_document *self);

// How many entries the Bundle has, 1 without one.
size_t fhir_document_entries(const struct fhir_document *self);

size_t fhir_document_items(const struct fhir_document *self);

// The episode of an item: what earlier events about the same thing have as correlation id (for an Encounter) and are
// found by. Of the document.
const char *fhir_document_episode(const struct fhir_document *self, size_t item);

// What an item is at its sender: "Observation|urn:zorg:obs|17". Of the document.
const char *fhir_document_identity(const struct fhir_document *self, size_t item);

enum fhir_outcome {
    FHIR_EVENTS,  // n_events of them
    FHIR_NOTHING, // right, and nothing comes of it: `why`
    FHIR_REFUSED, // the problems say why
};

struct fhir_item {
    size_t entry;     // of the Bundle; else 0
    const char *type; // static: "Observation"; "" of what is not taken
    enum fhir_outcome outcome;
    const char *why; // static, stable, short: "unchanged"; with FHIR_NOTHING
    size_t first_event, n_events;
};

struct fhir_result {
    size_t n_items;
    struct fhir_item items[FHIR_ENTRIES_MAX];
    size_t n_events;
    Carehub__V1__Event *events[FHIR_EVENTS_MAX];
};

// The events in force of an episode, oldest first, each as last amended under its original's id; none that was
// retracted. They stay the caller's until fhir_translate returns.
typedef size_t fhir_past_fn(void *arg, const char *episode, const Carehub__V1__Event *const **events);

// Translates all items. A Bundle of type batch loses what is wrong in it, anything else is taken whole or not at all:
// then the result has no events and false is returned, as also without memory. `past` may be NULL: nothing is in force.
// The result is to be cleared by the caller in any case.
bool fhir_translate(const struct fhir_document *self, fhir_past_fn *past, void *arg, struct fhir_result *result,
                    struct problems *problems);

// Frees the events and empties the result. The caller may take events out before, leaving NULL.
void fhir_result_clear(struct fhir_result *result);

#endif
