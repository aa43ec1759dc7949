// Changes of medication as a KMEHR message (kmehr-1_43.xsd): a folder with one medicationschemeelement for each change,
// and a treatmentsuspension that is planned for it where it is stopped or suspended. What kind of change it is stands
// in the element's adaptationflag and, in words, in its text.
//
// There is no medicationscheme transaction in it: what would be absent from such a scheme would count as stopped. What
// has no form in KMEHR (a retraction, changes that the receiver may not see) is a transaction of kind note, for people.
//
// Events have no names of patients, which the XSD demands: firstname and familyname are there and empty, sex is
// unknown.
#ifndef CAREHUB_MEDICATION_KMEHR_H
#define CAREHUB_MEDICATION_KMEHR_H

#include <stddef.h>
#include <stdint.h>

#include "carehub/v1/event.pb-c.h"
#include "hl7v2_zone.h"

enum { MEDICATION_KMEHR_ID_BYTES = 128 };

// Between whom a message goes. NULL strings count as "".
struct kmehr_route {
    const char *name, *nihdi, *cbe;                             // ours
    const char *receiver_name, *receiver_nihdi, *receiver_kind; // its kind is a CD-HCPARTY, which must be there
    const struct hl7v2_zone *zone;                              // of the times in the header
    int64_t now_ms;
};

// A MedicationChanged, or the notice of one, as UTF-8, which the caller owns (free). id: that of the message, the same
// for the same event. `original` as for fhir_message. NULL without memory.
void *medication_kmehr_message(const Carehub__V1__Event *event, const Carehub__V1__Event *original,
                               const struct kmehr_route *route, size_t *len, char id[MEDICATION_KMEHR_ID_BYTES]);

#endif
