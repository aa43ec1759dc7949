// Section "receiver" of an outgoing transport: whom messages are for, and how that system wants them.
#ifndef CAREHUB_HOSPITAL_OUT_RECEIVER_H
#define CAREHUB_HOSPITAL_OUT_RECEIVER_H

#include <stdbool.h>
#include <stddef.h>

#include "carehub_adapter.h"

#define OUT_SYSTEMS_MAX 32u
#define OUT_CODES_MAX 64u

// How the receiver knows a system of identifiers: its assigning authority and type (CX-4 and -5).
struct out_system {
    char *system;       // the hub's name of it: "ssin", or a URI
    char *authority;    // namespace, or NULL
    char *universal_id; // an OID, or NULL
    char *type;         // table 0203, or NULL: PI
};

// A code of FHIR's discharge-disposition in the receiver's table 0112.
struct out_code {
    char *from, *to;
};

struct out_receiver {
    char *application, *facility;                 // MSH-5, MSH-6, or NULL
    char *sending_application, *sending_facility; // MSH-3, MSH-4, or NULL
    int processing;                               // index in P, T, D
    int version;                                  // index in 2.5.1, 2.5, 2.6
    int latin1;                                   // 8859/1 instead of UTF-8
    int organisation;                             // types that are about the care's organisation are written too
    struct out_system systems[OUT_SYSTEMS_MAX];
    size_t system_count;
    struct out_code dispositions[OUT_CODES_MAX];
    size_t disposition_count;
};

// Reads it; NULL is a section without settings. False with the reason. Ended by out_receiver_clear in both cases.
bool out_receiver_read(struct out_receiver *self, const struct carehub_setting *section,
                       char error[CAREHUB_ERROR_BYTES]);
void out_receiver_clear(struct out_receiver *self);

const char *out_receiver_processing(const struct out_receiver *self); // MSH-11
const char *out_receiver_version(const struct out_receiver *self);    // MSH-12

// The receiver's name of a system, or what is known of it anyway, or NULL.
const struct out_system *out_receiver_system(const struct out_receiver *self, const char *system);

// The receiver's code for a disposition; the code itself where there is none.
const char *out_receiver_disposition(const struct out_receiver *self, const char *code);

#endif
