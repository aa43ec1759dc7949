// A place in a JSON tree that knows its way from the root, so that whatever is wrong there can be said with its
// FHIRPath. Nodes are small values on the stack; each points at the one it was reached from, which must outlive it.
#ifndef CAREHUB_FHIR_NODE_H
#define CAREHUB_FHIR_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fhir_time.h"
#include "problems.h"

struct json_object;

#define FHIR_TEXT_MAX_BYTES 4096u // of a string, unless said otherwise; so that an event stays within its bounds
#define FHIR_CODE_MAX_BYTES 255u

struct fhir_node {
    struct json_object *json; // NULL: there is nothing here (JSON's null counts as nothing)
    const struct fhir_node *from;
    const char *name; // static, or of the tree: "valueQuantity"
    size_t name_len;  // of it, what FHIRPath calls it: "value"
    ptrdiff_t index;  // of an element of an array; else -1
};

// A root, or the resource of a Bundle's entry.
struct fhir_node fhir_root(struct json_object *json, const char *name);

// The member of that name. A member that is there but not an object, array, … as asked for below is a problem.
struct fhir_node fhir_get(const struct fhir_node *from, const char *name);

// A member of a choice type: fhir_choice(&node, "value", "Quantity").
struct fhir_node fhir_choice(const struct fhir_node *from, const char *choice, const char *name);

// How many elements an array has; 0 if it isn't there, or isn't one (a problem). Elements after `max` are a problem
// too, and are not counted.
size_t fhir_count(struct problems *problems, const struct fhir_node *array, size_t max);
struct fhir_node fhir_at(const struct fhir_node *array, size_t index);

// Whether it is there as an object. Anything else but nothing is a problem.
bool fhir_is_object(struct problems *problems, const struct fhir_node *node);

// The string of a member, which stays the tree's; "" if there is none, or if it isn't one or is longer than max_bytes
// (a problem). The second has FHIR_TEXT_MAX_BYTES.
const char *fhir_text_max(struct problems *problems, const struct fhir_node *from, const char *name, size_t max_bytes);
const char *fhir_text(struct problems *problems, const struct fhir_node *from, const char *name);

// The time of a member. False if there is none, or if it isn't one (a problem).
bool fhir_time(struct problems *problems, const struct fhir_node *node, struct fhir_time *time);

// The FHIRPath of a node: "Bundle.entry[2].resource.code.coding[0]". Cut when too long.
void fhir_path(const struct fhir_node *node, char path[PROBLEM_EXPRESSION_CHARS]);

// A problem at a node.
#define FHIR_PROBLEM(problems, severity, code, node, ...)                                                              \
    do {                                                                                                               \
        char path_[PROBLEM_EXPRESSION_CHARS];                                                                          \
        fhir_path(node, path_);                                                                                        \
        problems_add(problems, severity, code, path_, __VA_ARGS__);                                                    \
    } while (0)

#endif
