// Which medicine a resource speaks of: by its codes, its name, or what it is made of.
#include "fhir_internal.h"

#include <stdio.h>
#include <string.h>

#include "medication_codes.h"
#include "scheme.h"

enum { NAME_BYTES = SCHEME_TEXT_MAX_BYTES, STRENGTH_BYTES = 48 };

static bool read_codings(struct fhir_resource *self, struct json_object *concept)
{
    Carehub__V1__Medicine *medicine = self->line->medicine;
    struct json_object *codings;
    const char *text, *name = "";
    size_t n;
    if (!fhir_array(self->r, concept, "coding", &codings, &n) || !fhir_string(self->r, concept, "text", &text))
        return false;
    if (n > SCHEME_CODES_MAX)
        return fhir_fail(self->r, "coding", "product-code", "a product has at most 16 codes");
    for (size_t i = 0; i < n; i++) {
        struct json_object *coding = json_object_array_get_idx(codings, i);
        const char *system, *code, *display, *kept_system;
        char kept[MEDICATION_CODE_BYTES];
        size_t before = fhir_enter(self->r, "coding", i);
        if (!fhir_string(self->r, coding, "system", &system) || !fhir_string(self->r, coding, "code", &code) ||
            !fhir_string(self->r, coding, "display", &display))
            return false;
        if (strlen(code) >= sizeof kept)
            return fhir_fail(self->r, "code", "product-code", "a product code is at most 63 bytes long");
        if (!medication_product_code(system, code, &kept_system, kept) &&
            !fhir_remark(self->r, "code", "cnk",
                         "this is not a CNK by its check digit; it is kept as the source's own code"))
            return false;
        if (code[0] != '\0' && !scheme_add_code(medicine, kept_system, kept, display))
            return fhir_no_memory(self->r);
        name = display[0] != '\0' ? display : name;
        fhir_leave(self->r, before);
    }
    return fhir_set(self->r, &medicine->name, text[0] != '\0' ? text : name);
}

// "100 ml"; "" when it is not said.
static void strength_text(struct json_object *ingredient, char out[STRENGTH_BYTES])
{
    struct json_object *numerator = fhir_look(fhir_look(ingredient, "strength"), "numerator");
    struct json_object *value = fhir_look(numerator, "value");
    out[0] = '\0';
    if (value != NULL)
        snprintf(out, STRENGTH_BYTES, " %.20s %.20s", json_object_get_string(value), fhir_peek(numerator, "unit"));
}

// A preparation of the pharmacist's own has no code and no name: it is known by what is in it, as people would say it.
static bool read_ingredients(struct fhir_resource *self, struct json_object *product)
{
    struct json_object *list = fhir_look(product, "ingredient");
    size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0, used = 0;
    char name[NAME_BYTES] = "", strength[STRENGTH_BYTES];
    for (size_t i = 0; i < n && used < sizeof name; i++) {
        struct json_object *ingredient = json_object_array_get_idx(list, i);
        struct json_object *concept = fhir_look(ingredient, "itemCodeableConcept");
        struct json_object *codings = fhir_look(concept, "coding");
        const char *text = fhir_peek(concept, "text");
        if (text[0] == '\0' && json_object_is_type(codings, json_type_array) && json_object_array_length(codings) > 0)
            text = fhir_peek(json_object_array_get_idx(codings, 0), "display");
        if (text[0] == '\0')
            continue;
        strength_text(ingredient, strength);
        used += (size_t)snprintf(name + used, sizeof name - used, "%s%s%s", used > 0 ? " + " : "", text, strength);
    }
    if (name[0] == '\0')
        return true;
    return fhir_set(self->r, &self->line->medicine->name, name) &&
           (scheme_add_code(self->line->medicine, MEDICATION_SYSTEM_TYPE, MEDICATION_TYPE_MAGISTRAL, "") ||
            fhir_no_memory(self->r));
}

static bool read_reference(struct fhir_resource *self, struct json_object *reference)
{
    Carehub__V1__Medicine *medicine = self->line->medicine;
    struct json_object *product = fhir_resolve(self, fhir_peek(reference, "reference"));
    struct json_object *code = fhir_look(product, "code");
    struct json_object *identifier = fhir_look(reference, "identifier");
    const char *display = fhir_peek(reference, "display"), *value = fhir_peek(identifier, "value"), *system;
    char kept[MEDICATION_CODE_BYTES];
    if (code != NULL && !read_codings(self, code))
        return false;
    if (medicine->n_codes == 0 && value[0] != '\0' && strlen(value) < sizeof kept) {
        medication_product_code(fhir_peek(identifier, "system"), value, &system, kept);
        if (!scheme_add_code(medicine, system, kept, display))
            return fhir_no_memory(self->r);
    }
    if (medicine->name[0] == '\0' && !fhir_set(self->r, &medicine->name, display))
        return false;
    return medicine->n_codes > 0 || medicine->name[0] != '\0' || read_ingredients(self, product);
}

bool fhir_read_medicine(struct fhir_resource *self)
{
    Carehub__V1__Medicine *medicine = self->line->medicine;
    struct json_object *concept, *reference;
    if (!fhir_object(self->r, self->json, "medicationCodeableConcept", &concept) ||
        !fhir_object(self->r, self->json, "medicationReference", &reference))
        return false;
    size_t before =
        fhir_enter(self->r, concept != NULL ? "medicationCodeableConcept" : "medicationReference", FHIR_WHOLE);
    if ((concept != NULL && !read_codings(self, concept)) || (reference != NULL && !read_reference(self, reference)))
        return false;
    fhir_leave(self->r, before);
    if (medicine->n_codes > 0 || medicine->name[0] != '\0')
        return true;
    return fhir_fail(self->r, "medication[x]", "medication",
                     reference != NULL
                         ? "the medicine that it refers to is not in the message, or has neither code, name nor "
                           "ingredients"
                         : "it does not say which medicine");
}
