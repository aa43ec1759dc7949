// Between the files of the FHIR medication reader; no part of its interface.
#ifndef CAREHUB_FHIR_INTERNAL_H
#define CAREHUB_FHIR_INTERNAL_H

#include <json-c/json_object.h>

#include "fhir_medication.h"
#include "scheme_build.h"

struct fhir_reader {
    const struct fhir_medication_options *options;
    struct medication_error *error;
    struct medication_remarks *remarks; // may be NULL
    struct json_object *root;
    const char *type;                 // of the resource that is being read; NULL: of the Bundle around it
    char path[MEDICATION_PATH_BYTES]; // of what is being read
};

// ---- Members (fhir_json.c). A member that is absent is NULL or ""; one of the wrong type is an error.

// NULL with *error.
struct json_object *fhir_parse(const void *bytes, size_t len, struct medication_error *error);

// Goes into a member, or an element of it when index is not FHIR_WHOLE; the result is what fhir_leave takes.
#define FHIR_WHOLE ((size_t)-1)
size_t fhir_enter(struct fhir_reader *r, const char *name, size_t index);
void fhir_leave(struct fhir_reader *r, size_t before);

bool fhir_object(struct fhir_reader *r, struct json_object *within, const char *name, struct json_object **out);
bool fhir_array(struct fhir_reader *r, struct json_object *within, const char *name, struct json_object **out,
                size_t *n);
bool fhir_string(struct fhir_reader *r, struct json_object *within, const char *name, const char **out);
bool fhir_number(struct fhir_reader *r, struct json_object *within, const char *name, const char **out);

// The same without complaint: "" or NULL for any that is not as asked for.
const char *fhir_peek(struct json_object *within, const char *name);
struct json_object *fhir_look(struct json_object *within, const char *name);

// The extension whose url ends in `ending`, from *from on, which is moved behind it. NULL when there is none.
struct json_object *fhir_extension(struct json_object *within, const char *ending, size_t *from);

// Replaces a string of a message; false with the error when there is no memory.
bool fhir_set(struct fhir_reader *r, char **field, const char *text);

// ---- What is wrong (fhir_json.c)

// About a member of what is being read, or with name NULL about that itself. Always false.
bool fhir_fail(struct fhir_reader *r, const char *name, const char *rule, const char *text);
bool fhir_no_memory(struct fhir_reader *r);

// A remark; false when the reader is strict.
bool fhir_remark(struct fhir_reader *r, const char *name, const char *rule, const char *text);

// ---- Resources (fhir_line.c)

// A kind of resource that is read here; NULL when it is none.
struct fhir_kind;
const struct fhir_kind *fhir_find_kind(struct json_object *resource);
const char *fhir_kind_type(const struct fhir_kind *kind);

// The resource in an entry of a Bundle; some leave out the member "resource" and put it there itself.
struct json_object *fhir_entry_resource(struct json_object *entry);

// Adds the line that a resource of such a kind comes to, if it comes to one.
bool fhir_read_resource(struct fhir_reader *r, struct json_object *json, Carehub__Pharmacy__V1__Scheme *scheme);

// ---- Dosage (fhir_dosage.c)

// Reads the member `name` of a resource, an array of Dosage, into line: posology, and begin and end where the timing
// has bounds and they are not known yet.
bool fhir_read_dosage(struct fhir_reader *r, struct json_object *resource, const char *name,
                      Carehub__Pharmacy__V1__Line *line);

// The first coding of a CodeableConcept, or its text.
bool fhir_read_concept(struct fhir_reader *r, struct json_object *concept, Carehub__V1__Coded **coded);

// A resource on its way to a line.
struct fhir_resource {
    struct fhir_reader *r;
    struct json_object *json;
    const struct fhir_kind *kind;
    Carehub__Pharmacy__V1__Scheme *scheme;
    Carehub__Pharmacy__V1__Line *line;
};

// What a reference names among what is contained, and in the Bundle. NULL when it is elsewhere.
struct json_object *fhir_resolve(struct fhir_resource *self, const char *reference);

// Fills in the medicine of its line (fhir_medicine.c).
bool fhir_read_medicine(struct fhir_resource *self);

#endif
