// Making a json-c tree without a check at each step: a maker remembers that memory ran out, and the end asks it.
#ifndef CAREHUB_JSON_MAKE_H
#define CAREHUB_JSON_MAKE_H

#include <stdbool.h>

#define JSON_TEXT (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE) // how trees are written

struct json_object;

struct maker {
    bool no_memory; // sticky
};

// NULL without memory; every function takes NULL for an object and then does nothing.
struct json_object *make_object(struct maker *m);
struct json_object *make_array(struct maker *m);
struct json_object *make_string(struct maker *m, const char *text);

// Take over `value`, also where they fail.
void make_put(struct maker *m, struct json_object *object, const char *name, struct json_object *value);
void make_push(struct maker *m, struct json_object *array, struct json_object *value);

// A member that is a string; none if the text is NULL or "", which FHIR does not allow as a value.
void make_text(struct maker *m, struct json_object *object, const char *name, const char *text);

// The tree, or NULL (and the tree is gone) when memory ran out.
struct json_object *make_done(struct maker *m, struct json_object *tree);

#endif
