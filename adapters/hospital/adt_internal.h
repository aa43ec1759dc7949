// Between the files of the ADT mapping; no part of its interface.
#ifndef CAREHUB_ADT_INTERNAL_H
#define CAREHUB_ADT_INTERNAL_H

#include "adt.h"
#include "hl7v2_time.h"

#define ADT_REMARKS_MAX 16u
#define ADT_TEXT_MAX_BYTES 1024u // of any one text taken over; longer ones are cut
#define ADT_CODE_MAX_BYTES 128u
#define ADT_IDENTIFIERS_MAX 15u // the hub takes 16
#define ADT_DIAGNOSES_MAX 64u
#define ADT_NATIVE_SENDER_BYTES 512u
#define ADT_ID_PART_BYTES 32u // what tells several ids of one message apart, with its terminating zero

// One message on its way to an event.
struct adt_job {
    const struct adt_input *in;
    const struct hl7v2_message *message;
    const char *remarks[ADT_REMARKS_MAX]; // static texts
    size_t remark_count;
    bool amending;  // the body holds the event as it was: what the message leaves empty stays
    bool no_memory; // sticky
};

// Says in source.remarks what had to be assumed; each remark once.
void adt_remark(struct adt_job *job, const char *remark);

// ---- Values (adt_value.c). "Take" follows 2.5.3: a value replaces, "" clears, empty leaves as it is.

// The first occurrence of a segment; a component of 0 is the whole field (of its first repetition).
struct hl7v2_value adt_get(const struct adt_job *job, const char *segment, unsigned field, unsigned component);

// The same of the segment with this index; a negative one has nothing.
struct hl7v2_value adt_at(const struct adt_job *job, ptrdiff_t segment, unsigned field, unsigned component);

// Unescaped, without blanks around it; "" when there is no value.
void adt_copy(const struct adt_job *job, struct hl7v2_value value, char *out, size_t size);

void adt_set_text(struct adt_job *job, char **text, const char *value);
void adt_take_text(struct adt_job *job, char **text, struct hl7v2_value value);
void adt_take_coded(struct adt_job *job, Carehub__V1__Coded **coded, const char *segment, unsigned field,
                    const char *system);
Carehub__V1__Coded *adt_coded(struct adt_job *job, const char *system, const char *code, const char *display);
void adt_take_location(struct adt_job *job, Carehub__V1__Location **location, unsigned pv1_field);
void adt_take_doctor(struct adt_job *job, Carehub__V1__Party **party, unsigned pv1_field);
Carehub__V1__Party *adt_doctor(struct adt_job *job, ptrdiff_t segment, unsigned field); // NULL when it says nobody
Carehub__V1__Party *adt_hospital(struct adt_job *job);
Carehub__V1__Identifier *adt_identifier(struct adt_job *job, const char *system, const char *value);
void adt_take_diagnoses(struct adt_job *job, Carehub__V1__Coded ***diagnoses, size_t *count);

// Memory for a message, initialised; NULL (and no_memory) without.
void *adt_message_new(struct adt_job *job, const ProtobufCMessageDescriptor *descriptor);

// A deep copy; NULL of NULL, and (with no_memory) without memory.
void *adt_message_copy(struct adt_job *job, const ProtobufCMessage *message);

// Whether two messages say the same; either may be NULL.
bool adt_message_same(const ProtobufCMessage *a, const ProtobufCMessage *b);

// ---- Times (adt_times.c)

// Reads a time. False when there is none, or it cannot be read.
bool adt_read_time(const struct adt_job *job, struct hl7v2_value value, struct hl7v2_time *time);
bool adt_looks_like_time(const struct adt_job *job, struct hl7v2_value value);

// Replaces *time when the value is one.
bool adt_take_time(struct adt_job *job, Carehub__V1__Time **time, struct hl7v2_value value);

// The time of what happened: the field that the standard assigns to it (0: none does), else EVN-6, EVN-2, MSH-7, or
// when the message came in; with where it came from. An amendment takes the assigned field only.
void adt_take_event_time(struct adt_job *job, unsigned pv1_field, Carehub__V1__Time **time,
                         Carehub__V1__TimeOrigin *origin);
Carehub__V1__Time *adt_time_copy(struct adt_job *job, const Carehub__V1__Time *time);
Carehub__V1__Time *adt_recorded_time(struct adt_job *job);
Carehub__V1__Time *adt_received_time(struct adt_job *job); // of a message that says no time: leaves a remark

// ---- Envelope (adt_envelope.c)

// Who numbered the message: MSH-3 and MSH-4, whole, so that a universal id counts as well.
void adt_native_sender(const struct adt_job *job, char out[ADT_NATIVE_SENDER_BYTES]);

// The id that follows from the message; part tells several ids of one message apart, "" for its event's. place gets
// memory of its own, as in adt_set_bytes.
void adt_derive_id(struct adt_job *job, const char *part, ProtobufCBinaryData *place);
void adt_set_bytes(struct adt_job *job, ProtobufCBinaryData *place, const uint8_t *bytes, size_t len);

// Fills in all but type, patient, body, corrections and when it occurred; last, because it takes the remarks along.
void adt_set_envelope(struct adt_job *job, Carehub__V1__Event *event);

// Names the professional that an event, of which the envelope is set, is by; NULL: nobody. The event owns it.
void adt_set_professional(Carehub__V1__Event *event, Carehub__V1__Party *professional);

// Moves the patient, and with body all else that an amendment starts from, out of a copy of the original.
void adt_start_from(struct adt_job *job, Carehub__V1__Event *event, const Carehub__V1__Event *original, bool body);

// Whether two events say the same about the patient and the encounter.
bool adt_same_content(const Carehub__V1__Event *a, const Carehub__V1__Event *b);

// The patient as the message names them; if it names nobody usable, event->patient stays. False if there is none then.
bool adt_set_patient(struct adt_job *job, Carehub__V1__Event *event);

// Ends a mapping: the result of an outcome, with the event if that is ADT_EVENT; else event is freed. NULL is fine.
struct adt_result adt_result_of(const struct adt_job *job, enum adt_outcome outcome, Carehub__V1__Event *event);

// ---- Patient (adt_patient.c)

// The patient of one PID segment; NULL when no identifier may be used.
Carehub__V1__Patient *adt_patient_of(struct adt_job *job, ptrdiff_t pid);

// Who an MRG segment says they were before; NULL likewise.
Carehub__V1__Patient *adt_prior_patient_of(struct adt_job *job, ptrdiff_t mrg);

// The same of the first PID.
Carehub__V1__Patient *adt_patient(struct adt_job *job);

// ---- Bodies (adt_body.c)

// Fills in the body of event, of event->type, and when it occurred.
void adt_fill_body(struct adt_job *job, Carehub__V1__Event *event);

// Whether events of this type are made here.
bool adt_has_body(Carehub__V1__EventType type);

// A body that names the encounter only: of a retraction.
void adt_fill_bare_body(struct adt_job *job, Carehub__V1__Event *event);

// A class of 0004 other than those known is OTHER_CLASS.
Carehub__V1__PatientClass adt_patient_class(const struct adt_job *job);

// Whether an event says that somebody left: a discharge, or an emergency visit with its end.
bool adt_is_leaving(const Carehub__V1__Event *event);

#endif
