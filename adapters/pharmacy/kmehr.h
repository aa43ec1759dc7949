// Reads medication schemes in KMEHR: the transactions medicationscheme, medicationschemeelement and treatmentsuspension
// of a kmehrmessage, which may be the document's root or lie within an envelope. Only the namespace counts, whatever
// its prefix. Elements without their scheme are read too, as single lines. Sources: KMEHR 1.43 (kmehr-1_43.xsd), the
// medication scheme's rules of Vitalink.
//
// Does no I/O, except for reading an XSD when a deployment has one. No DTD, no entity but the five of XML, no network.
// Safe from any thread once xmlInitParser() has been called; a schema may be shared between threads.
#ifndef CAREHUB_KMEHR_H
#define CAREHUB_KMEHR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "medication_error.h"
#include "scheme.pb-c.h"

#define KMEHR_NAMESPACE "http://www.ehealth.fgov.be/standards/kmehr/schema/v1"

enum {
    KMEHR_MESSAGE_MAX_BYTES = 4 << 20,
    KMEHR_ELEMENTS_MAX = 200000,
    KMEHR_DEPTH_MAX = 32, // elements within each other
};

struct kmehr_schema;

// Reads the XSD at path: the one that declares kmehrmessage (kmehr_elements-1_43.xsd), with what it includes and
// imports where it says. To be called while no other thread reads XML. NULL with *error.
struct kmehr_schema *kmehr_schema_new(const char *path, struct medication_error *error);
void kmehr_schema_destroy(struct kmehr_schema **self);

struct kmehr_options {
    const struct kmehr_schema *schema; // NULL: messages are not validated
    bool strict;                       // what would be remarked upon is refused
    int64_t seen_ms;                   // when the message came in
};

// Reads a scheme, which is the caller's, to be freed with carehub__pharmacy__v1__scheme__free_unpacked. NULL with
// *error. remarks may be NULL. What of an element no event speaks of is left out: use, type, origin, temporality,
// conditions.
Carehub__Pharmacy__V1__Scheme *kmehr_read(const void *bytes, size_t len, const struct kmehr_options *options,
                                          struct medication_error *error, struct medication_remarks *remarks);

#endif
