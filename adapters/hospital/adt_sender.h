// What is agreed with one sending system: whose events these are, which identifiers may be trusted, what its codes
// mean. Filled in from the configuration, then read-only: any thread may read it.
#ifndef CAREHUB_ADT_SENDER_H
#define CAREHUB_ADT_SENDER_H

#include <stdbool.h>
#include <stddef.h>

#include "hl7v2_zone.h"

#define ADT_LIST_MAX 32u           // items of one list
#define ADT_RULES_MAX 32u          // identifier rules of one sender, the built-in ones not counted
#define ADT_CODES_MAX 256u         // codes of table 0112 of one sender
#define ADT_SYSTEMS_MAX 64u        // names of code systems of one sender
#define ADT_SETTING_MAX_BYTES 256u // of one text

// Texts that are compared without regard to case; one that ends in * stands for all that begin so.
struct adt_list {
    size_t count;
    char *items[ADT_LIST_MAX];
};

// Identifiers that belong to a system. An empty list of authorities matches any, an absent one too. An empty list of
// types matches those that number a patient within a hospital (none, PI, MR, MRN, PT), so that account or visit
// numbers never pass for the patient's.
struct adt_rule {
    char *system;
    struct adt_list authorities; // CX.4: namespace or universal id
    struct adt_list types;       // CX.5
};

struct adt_code {
    char *from;    // the sender's: of table 0112, or the name of a code system
    char *to;      // of FHIR's discharge-disposition; the system's URI, or "cnk"
    char *display; // or NULL
};

struct adt_sender {
    char *name;                  // in the configuration; for log lines and counters
    struct adt_list application; // MSH-3
    struct adt_list facility;    // MSH-4
    char *actor;                 // that answers for the events; NULL: the client's only one
    char *hospital;              // its name for people; NULL: MSH-4
    char *nihdi, *cbe;           // the hospital's own numbers, or NULL
    char *zone_name;
    struct hl7v2_zone *zone; // of times without an offset; NULL is UTC
    bool ssin_by_shape;      // take any PID-3, -2 or -4 that is a valid SSIN, whatever authority it names
    struct adt_rule rules[ADT_RULES_MAX];
    size_t rule_count;
    struct adt_code dispositions[ADT_CODES_MAX];
    size_t disposition_count;
    struct adt_code code_systems[ADT_SYSTEMS_MAX]; // what its names of code systems stand for (table 0396 and others)
    size_t code_system_count;
    struct adt_list letter_types; // TXA-2 of documents that are discharge letters; empty: DS
    char *document_system;      // where its documents are to be found, a URI; NULL: TXA-12's authority, or MSH-3/MSH-4
    bool skip_inpatient_orders; // medication given within the hospital is no change for those outside
};

struct adt_sender *adt_sender_new(const char *name); // NULL without memory
void adt_sender_destroy(struct adt_sender **self);

// Adds a copy. False when there is no room or no memory.
bool adt_list_add(struct adt_list *list, const char *text);

// Whether text is in the list. An empty list holds everything.
bool adt_list_has(const struct adt_list *list, const char *text);

// The first rule that an identifier with this authority (namespace and universal id) and type falls under, or NULL.
// Rules of the sender go before the built-in ones, which know how Belgian systems name the SSIN.
const struct adt_rule *adt_sender_rule(const struct adt_sender *self, const char *space, const char *universal,
                                       const char *type);

// Whether an assigning authority is that of the NIHDI numbers of professionals.
bool adt_is_nihdi(const char *authority);

const struct adt_code *adt_sender_disposition(const struct adt_sender *self, const char *code); // or NULL

// What a sender's name of a code system stands for: as configured, else if it is one that everybody knows under another
// name, else the name itself.
const char *adt_sender_code_system(const struct adt_sender *self, const char *name);

// Whether documents of this type (TXA-2) are discharge letters.
bool adt_sender_is_letter(const struct adt_sender *self, const char *type);

#endif
