// The way in of the hl7v2 format: whose message it is, what comes of it, and how it is answered. The functions are
// those of struct carehub_format; `self` is a struct hospital.
#ifndef CAREHUB_HOSPITAL_IN_H
#define CAREHUB_HOSPITAL_IN_H

#include "adt.h"
#include "carehub_adapter.h"
#include "hl7v2.h"
#include "hospital_config.h"

bool hospital_open(const void *self, struct carehub_message *message);
void hospital_translate(const void *self, struct carehub_message *message, struct carehub_memory *memory);
void hospital_slim(struct carehub_message *message);
void hospital_reply(const void *self, const struct carehub_message *message, const struct carehub_outcome *outcome,
                    carehub_reply_fn *fn, void *arg);
void hospital_close(struct carehub_message *message);

// ---- Between the files of the way in

// A message's `own`.
struct hospital_message {
    const struct hospital_sender *sender; // NULL: unknown
    struct hl7v2_message *message;        // whole; only its header once slimmed, or when it could not be read
    uint8_t sha256[ADT_SHA256_BYTES];     // of the bytes as they came in
    struct hl7v2_location location;       // of the problem
    enum hl7v2_condition condition;       // the same; ACCEPTED: the problem, if any, is not from here
};

// A place: a segment and, if not 0, its field.
struct hl7v2_location hospital_at(const char *segment, unsigned field);

// Sets the verdict and its problem: where, what, and by which rule of the standard.
void hospital_fail(struct carehub_message *message, enum carehub_verdict verdict, enum hl7v2_condition condition,
                   struct hl7v2_location location, const char *what);

#endif
