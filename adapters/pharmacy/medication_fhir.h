// Changes of medication as a FHIR R4 message, in the manner of the home care format's: MessageHeader, Patient,
// Provenance. Its focus is a List of mode "changes", with one MedicationStatement for each change, which says what is
// so now; the List's entry says which change it is ("added", "stopped"), and the statement's note what was before.
//
// Receivers who may not see the changes get the List without entries, which says so (emptyReason "withheld"). A
// retraction is the List as entered-in-error, with its statements where what is retracted is known.
#ifndef CAREHUB_MEDICATION_FHIR_H
#define CAREHUB_MEDICATION_FHIR_H

#include "fhir_write.h"

#define MEDICATION_SYSTEM_CHANGE "urn:carehub:medication-change"

// As fhir_message, for a MedicationChanged.
struct json_object *medication_fhir_message(const Carehub__V1__Event *event, const Carehub__V1__Event *original,
                                            const struct fhir_route *route, struct problems *problems);

// An array of Dosage, which fhir_medication_read reads as the same posology; NULL if it says nothing. The caller owns
// it.
struct writer;
struct json_object *medication_fhir_dosage(struct writer *w, const Carehub__V1__Posology *posology);

#endif
