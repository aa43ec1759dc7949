// What the readers of medication say about what they read: what is wrong, where, and which rule says so. Texts are fit
// for a log: they never quote the message.
#ifndef CAREHUB_MEDICATION_ERROR_H
#define CAREHUB_MEDICATION_ERROR_H

#include <stdbool.h>
#include <stddef.h>

enum {
    MEDICATION_PATH_BYTES = 256, // with the terminating zero, as the next one
    MEDICATION_TEXT_BYTES = 256,
    MEDICATION_ID_BYTES = 200,
    MEDICATION_REMARKS_MAX = 32,
};

enum medication_fault {
    MEDICATION_FAULT_NONE,
    MEDICATION_FAULT_SIZE,          // more bytes, levels or elements than are read
    MEDICATION_FAULT_SYNTAX,        // not well-formed XML or JSON
    MEDICATION_FAULT_FORBIDDEN,     // a DTD, an entity, a character set that is not taken
    MEDICATION_FAULT_SCHEMA,        // the deployment's XSD refuses it
    MEDICATION_FAULT_KIND,          // a message of another kind
    MEDICATION_FAULT_CONTENT,       // a rule on its content
    MEDICATION_FAULT_CONFIGURATION, // the XSD cannot be used
    MEDICATION_FAULT_MEMORY,
};

struct medication_error {
    enum medication_fault fault;
    const char *rule;                 // a stable short name in static storage: "scheme-version"
    const char *resource;             // of FHIR: the type of resource that it is in; NULL: none. Static storage
    size_t line;                      // in the text, from 1; 0 when it is not known
    char path[MEDICATION_PATH_BYTES]; // element or member; "" for the whole. Its beginning is cut when it is too long
    char text[MEDICATION_TEXT_BYTES]; // what is wrong and what to do
};

// What else there is to say of a message, also of one that is refused: what it is, and which rules were broken that
// leave no doubt about what is meant.
struct medication_remarks {
    char id[MEDICATION_ID_BYTES]; // as its maker names the message; cut if it is longer
    const char *kind;             // "medicationscheme", "Bundle", "MedicationStatement"; static storage; or ""
    size_t count;                 // of at[]
    size_t beyond;                // how many more there were
    struct medication_error at[MEDICATION_REMARKS_MAX];
};

// Notes the name of a message.
void medication_name(struct medication_remarks *remarks, const char *id);

// A stable short name ("syntax"). Static storage.
const char *medication_fault_name(enum medication_fault fault);

#endif
