// Reads medication in FHIR R4 JSON: MedicationStatement (BeMedicationLine among them), MedicationRequest and
// MedicationDispense, each by itself or in a Bundle. Numbers keep their digits. Source: FHIR R4, the Belgian medication
// profiles.
//
// A Bundle of statements (collection, document, searchset without a next page) is a complete scheme; anything else are
// single lines. Does no I/O, follows no reference outside what it is given. Safe from any thread.
#ifndef CAREHUB_FHIR_MEDICATION_H
#define CAREHUB_FHIR_MEDICATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "medication_error.h"
#include "scheme.pb-c.h"

enum {
    FHIR_MEDICATION_MAX_BYTES = 4 << 20,
    FHIR_MEDICATION_ENTRIES_MAX = 2048, // of a Bundle
    FHIR_MEDICATION_DEPTH_MAX = 32,     // objects and arrays within each other
};

struct fhir_medication_options {
    bool strict;     // what would be remarked upon is refused
    int64_t seen_ms; // when the message came in
};

// Reads a scheme, which is the caller's, to be freed with carehub__pharmacy__v1__scheme__free_unpacked. NULL with
// *error, whose path is that of FHIRPath: "Bundle.entry[3].resource.dosage[0].text". remarks may be NULL.
//
// Where FHIR has no place for what KMEHR says, common practice is followed: the day of a treatment cycle is read from
// the extension timing-daysOfCycle and from an additional instruction "Day 3 of treatment cycle"; suspensions from
// extensions of statusReason whose url ends in MedicationSuspension; KMEHR's moments without a code in FHIR from an
// additional instruction of CD-DAYPERIOD.
Carehub__Pharmacy__V1__Scheme *fhir_medication_read(const void *bytes, size_t len,
                                                    const struct fhir_medication_options *options,
                                                    struct medication_error *error, struct medication_remarks *remarks);

#endif
