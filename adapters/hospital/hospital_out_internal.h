// Between the files of the way out; no part of its interface.
#ifndef CAREHUB_HOSPITAL_OUT_INTERNAL_H
#define CAREHUB_HOSPITAL_OUT_INTERNAL_H

#include "carehub_adapter.h"
#include "hl7v2_write.h"
#include "hospital_config.h"
#include "hospital_out_receiver.h"

#define OUT_ID_CHARS 21u   // MSH-10 with its terminating zero
#define OUT_TIME_CHARS 20u // a time with its terminating zero
#define OUT_LOCAL_CODES "99CAREHUB"

enum out_correction { OUT_IS_NEW, OUT_AMENDS, OUT_RETRACTS };

// One event on its way to a message.
struct out_job {
    struct hl7v2_writer *writer;
    const struct hospital *settings;
    const struct out_receiver *receiver;
    const struct carehub_departure *departure;
    const Carehub__V1__Event *event;
    const Carehub__V1__Event *original; // NULL: not known
    enum out_correction correction;
    bool observations_only;     // OBX are an ORU's: with status, producer and observer
    unsigned observations;      // OBX written so far
    char id[OUT_ID_CHARS];      // MSH-10
    const char *type, *trigger; // MSH-9.1 and -9.2, once there is a header
    struct carehub_problem *problem;
};

// ---- Values (hospital_out_values.c). NULL and empty ones write nothing.

void out_text(struct out_job *job, unsigned field, unsigned component, const char *text);
void out_time(struct out_job *job, unsigned field, const Carehub__V1__Time *time);
void out_format_time(const struct out_job *job, const Carehub__V1__Time *time, char out[OUT_TIME_CHARS]);
void out_coded(struct out_job *job, unsigned field, const Carehub__V1__Coded *coded);     // CE
void out_code_only(struct out_job *job, unsigned field, const Carehub__V1__Coded *coded); // IS
void out_medicine(struct out_job *job, unsigned field, const Carehub__V1__Medicine *medicine);
void out_person(struct out_job *job, unsigned field, const Carehub__V1__Party *party);         // XCN
void out_organisation(struct out_job *job, unsigned field, const Carehub__V1__Party *party);   // XON
void out_location(struct out_job *job, unsigned field, const Carehub__V1__Location *location); // PL
void out_identifier(struct out_job *job, unsigned field, unsigned repetition,
                    const Carehub__V1__Identifier *identifier);

// A code system as table 0396 names it; its own URI where it has no name there. Static or the argument.
const char *out_code_system(const char *system);

// ---- Segments

// MSH, with MSH-9 as given; kind becomes "ADT^A01".
void out_header(struct out_job *job, const char *type, const char *trigger, const char *structure);
// PID-1 to -5; what follows is the caller's.
void out_patient(struct out_job *job);
void out_note(struct out_job *job, unsigned number, const char *text); // NTE

// ---- Observations (hospital_out_obx.c)

// One OBX for each value of a message, but for the fields named in `placed` (NULL at the end, or NULL).
void out_observe(struct out_job *job, const ProtobufCMessage *body, const char *const *placed);
// The same for one field of it.
void out_observe_field(struct out_job *job, const ProtobufCMessage *body, const char *field);
// The documents that the event refers to.
void out_observe_references(struct out_job *job);

// ---- Messages. False with the problem's where and what.

bool out_adt(struct out_job *job);
bool out_rde(struct out_job *job);
bool out_oru(struct out_job *job);
// Entered by the person or a carer, and nobody stands for it; or who does, NULL if nobody needs to.
bool out_is_unverified(const struct out_job *job);
const char *out_verified_by(const struct out_job *job);

// When an event was recorded: by the source, or as its id says.
Carehub__V1__Time out_recorded_at(const Carehub__V1__Event *event);

// The body of an event, whichever it is, or NULL.
const ProtobufCMessage *out_body(const Carehub__V1__Event *event);

#endif
