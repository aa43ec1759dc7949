// Care events as FHIR R4 message Bundles, in the manner of MedCom's HospitalNotification and Da Vinci's notifications:
// a MessageHeader with the event's code, its focus, Patient, Organization, and a Provenance that says what the message
// corrects. A pure mapping.
//
//     HospitalAdmission, CareTransition, HospitalDischarge   Encounter; notification-admit, -transfer, -discharge
//     EmergencyVisit                                          Encounter of class EMER; -admit, or -discharge when left
//     FallReported, ConditionChanged, AssessmentCompleted,
//     CarerStrain, PatientReported                            Observation; the event's own type name as code
//     TeamMessage                                             Communication; the same
//     TaskAssigned                                            Task
//     ReferralMade, CrisisReferral                            ServiceRequest
//     VaccinationStatus                                       Immunization
//     all others                                              Communication: each field as a line of text, under the
//                                                             event's type as category; see fhir_write_general.c
//
// The header's id is the event's id, but for an event that was verified (fhir_message_id); the focus of a stay has the
// same id in all messages about the stay, and that of anything else in all messages about the same event. An amendment
// is the whole resource again; a retraction says what is so now: an Encounter whose admission never was is
// entered-in-error, one whose discharge or transfer never was is in-progress. Provenance.activity is CREATE, UPDATE or
// NULLIFY (v3-DataOperation), and its entity is the header of the message that is corrected. What the person or an
// informal carer entered, and nobody has verified yet, is preliminary where the resource can say so
// (Observation.status); who verified it is an agent of the Provenance, of type verifier.
//
// Receivers see what their view holds; what it lacks is left out, as far as FHIR allows: a missing class is IMP for a
// stay, a missing code the most general one. Such a message is right, and says less.
//
// Sources: FHIR R4 2.4 (messaging), 8.11 (Encounter), 6.3 (Provenance); for its agents' types the code system
// provenance-participant-type; for "preliminary" R4 10.1 (Observation).
//
// Threads: any; a call touches its arguments only.
#ifndef CAREHUB_FHIR_WRITE_H
#define CAREHUB_FHIR_WRITE_H

#include <stdbool.h>
#include <stdint.h>

#include "carehub/v1/event.pb-c.h"
#include "problems.h"

struct json_object;

// Between whom the messages go. NULL strings count as "".
struct fhir_route {
    const char *endpoint; // ours, a URL; must be there
    const char *name;     // ours
    const char *receiver_endpoint;
    const char *receiver_name;
    int64_t now_ms;          // when the message is made, since 1970
    const char *verified_by; // who stands for what the author entered unverified
};

// The id of an event's message: the event's own. One that was verified since has another, its last bit: receivers who
// have the first would take it for the same. Event ids have 16 bytes.
void fhir_message_id(const Carehub__V1__Event *event, const char *verified_by, uint8_t id[16]);

// Whether there is a message for events of this type.
bool fhir_writes(Carehub__V1__EventType type);

// The message of an event, or of the notice that a correction is when the receiver may no longer see its content.
// `original` is what a retraction takes back, as the receiver got it, if the caller still has it, else NULL: then the
// message names the resource and says little else. The caller owns the tree (json_object_put). NULL, with a problem,
// if the type has no message, the event no id, or there is no memory.
struct json_object *fhir_message(const Carehub__V1__Event *event, const Carehub__V1__Event *original,
                                 const struct fhir_route *route, struct problems *problems);

#endif
