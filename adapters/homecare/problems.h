// What is wrong with something that was sent, and where: a bounded list that a sender can act on, and its form as a
// FHIR OperationOutcome (R4, 2.37). Texts name elements and rules; they never quote what the sender wrote, for that may
// be about a patient.
//
// Threads: any; a call touches its arguments only.
#ifndef CAREHUB_PROBLEMS_H
#define CAREHUB_PROBLEMS_H

#include <stdbool.h>
#include <stddef.h>

struct json_object;

#define PROBLEMS_MAX 32u               // what comes after is counted, and not kept
#define PROBLEM_DIAGNOSTICS_CHARS 320u // with the terminating NUL, as the next one
#define PROBLEM_EXPRESSION_CHARS 160u

enum problem_severity {
    PROBLEM_FATAL, // nothing of it could be read
    PROBLEM_ERROR, // this part was not taken
    PROBLEM_WARNING,
    PROBLEM_INFORMATION,
};

// A subset of FHIR's issue types.
enum problem_code {
    PROBLEM_STRUCTURE,     // not JSON, or not of the right shape
    PROBLEM_REQUIRED,      // something that must be there is not
    PROBLEM_VALUE,         // a value is not one of its type
    PROBLEM_NOT_SUPPORTED, // right, but the hub does not take it
    PROBLEM_NOT_FOUND,     // a reference that leads nowhere
    PROBLEM_TOO_LONG,
    PROBLEM_TOO_COSTLY, // too many of something
    PROBLEM_BUSINESS_RULE,
    PROBLEM_DUPLICATE, // its name stands for something else already
    PROBLEM_FORBIDDEN, // the sender may not
    PROBLEM_TRANSIENT, // not now; sending it again helps
    PROBLEM_NO_STORE,  // no memory
    PROBLEM_NOTE,      // nothing is wrong
};

struct problem {
    enum problem_severity severity;
    enum problem_code code;
    char diagnostics[PROBLEM_DIAGNOSTICS_CHARS]; // what is wrong and what to do
    char expression[PROBLEM_EXPRESSION_CHARS];   // FHIRPath of the element, "Bundle.entry[2].resource.subject"; or ""
};

// All zero is the empty list. Holds no memory of its own.
struct problems {
    size_t count; // in list
    size_t left_out;
    size_t errors; // how many times a fatal one or an error was added, also one that is not listed (again)
    struct problem list[PROBLEMS_MAX];
};

// Adds a problem; diagnostics is a printf format. An expression that is too long is cut. The same problem at the same
// place, which an element that is looked at twice gives, is listed once.
void problems_add(struct problems *problems, enum problem_severity severity, enum problem_code code,
                  const char *expression, const char *format, ...) __attribute__((format(printf, 5, 6)));

// FHIR's names ("error", "not-supported"). Static storage.
const char *problem_severity_name(enum problem_severity severity);
const char *problem_code_name(enum problem_code code);

// The list as an OperationOutcome, which always has an issue: an empty list says that all is well. The caller owns it
// (json_object_put). NULL without memory.
struct json_object *problems_outcome(const struct problems *problems);

#endif
