// Between the two files of the mapping of Encounters.
#ifndef CAREHUB_FHIR_ENCOUNTER_H
#define CAREHUB_FHIR_ENCOUNTER_H

#include "fhir_job.h"

enum encounter_trigger {
    TRIGGER_NONE,
    TRIGGER_ARRIVAL,
    TRIGGER_TRANSFER,
    TRIGGER_LEAVING,
    TRIGGER_NO_ARRIVAL,
    TRIGGER_NO_TRANSFER,
    TRIGGER_NO_LEAVING,
};

struct encounter {
    struct fhir_job *job;
    Carehub__V1__PatientClass class;
    bool emergency;
    bool leaving;                                  // an emergency visit is over
    Carehub__V1__CareTransition__Setting from, to; // of a transition
    const Carehub__V1__Location *was_at;           // before it, or NULL
};

// Fills a body, and when it occurred.
typedef void encounter_fill_fn(struct encounter *e, ProtobufCMessage *body, Carehub__V1__Time **occurred_at);
encounter_fill_fn encounter_fill_admission, encounter_fill_discharge, encounter_fill_emergency,
    encounter_fill_transition;

// Where the patient is: the active location, or the last one that is named. *since is when they came there.
Carehub__V1__Location *encounter_location(struct fhir_job *job, struct fhir_time *since);

// A class of v3-ActCode; a home visit or one by video is an OUTPATIENT, an unknown one is OTHER_CLASS.
Carehub__V1__PatientClass encounter_class(const char *code);

#endif
