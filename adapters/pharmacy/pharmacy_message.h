// One message on its way in. Between the files of the plug-in.
#ifndef CAREHUB_PHARMACY_MESSAGE_H
#define CAREHUB_PHARMACY_MESSAGE_H

#include "carehub_adapter.h"
#include "medication_error.h"
#include "pharmacy_config.h"
#include "scheme.h"

struct pharmacy_message {
    const struct pharmacy_sender *sender; // NULL: unknown
    bool fhir;                            // else KMEHR
    int status;                           // of HTTP, where it is not for the host to choose; else 0
    const char *media_type;
    Carehub__Pharmacy__V1__Scheme *scheme; // NULL once slimmed, or when it could not be read
    struct medication_error error;         // why not; fault is NONE for problems with something else than its content
    struct medication_remarks remarks;
};

// ---- Reading (pharmacy_read.c)

// Finds out what the message is and who sends it, reads it, and names it. False without memory.
bool pharmacy_open(const struct pharmacy *self, struct carehub_message *message);

// ---- What is wrong (pharmacy_problem.c)

void pharmacy_refuse(struct carehub_message *message, enum carehub_verdict verdict, const char *where, const char *rule,
                     const char *format, ...) __attribute__((format(printf, 5, 6)));

// As the readers say it, with the standard that has the rule.
void pharmacy_refuse_content(struct carehub_message *message, const struct medication_error *error);

// Names the rule as its standard does: "FHIR R4 MedicationStatement.subject".
void pharmacy_rule(bool fhir, const struct medication_error *error, char rule[CAREHUB_RULE_BYTES]);

// ---- Answers (pharmacy_reply.c)

void pharmacy_reply(const void *self, const struct carehub_message *message, const struct carehub_outcome *outcome,
                    carehub_reply_fn *fn, void *arg);
bool pharmacy_get(const void *self, const char *path, carehub_reply_fn *fn, void *arg);

// ---- The way out (pharmacy_write.c)

enum carehub_written pharmacy_write(const void *self, const struct carehub_departure *departure,
                                    struct carehub_parcel *parcel);
bool pharmacy_check_receiver(const struct carehub_setting *receiver, char error[CAREHUB_ERROR_BYTES]);

#endif
