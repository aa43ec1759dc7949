// A resource by itself, or the Bundle around several.
#include "fhir_medication.h"

#include <stdlib.h>
#include <string.h>

#include "fhir_internal.h"

typedef Carehub__Pharmacy__V1__Scheme Scheme;

static bool has_next_page(struct json_object *bundle)
{
    struct json_object *links = fhir_look(bundle, "link");
    size_t n = json_object_is_type(links, json_type_array) ? json_object_array_length(links) : 0;
    for (size_t i = 0; i < n; i++)
        if (strcmp(fhir_peek(json_object_array_get_idx(links, i), "relation"), "next") == 0)
            return true;
    return false;
}

static bool has_type(struct json_object *bundle)
{
    static const char *const types[] = {"collection", "document", "searchset"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(fhir_peek(bundle, "type"), types[i]) == 0)
            return true;
    return false;
}

static bool is_complete(struct json_object *bundle, struct json_object *entries, size_t n)
{
    bool statements = false, others = false;
    for (size_t i = 0; i < n; i++) {
        const struct fhir_kind *kind = fhir_find_kind(fhir_entry_resource(json_object_array_get_idx(entries, i)));
        bool statement = kind != NULL && strcmp(fhir_kind_type(kind), "MedicationStatement") == 0;
        statements = statements || statement;
        others = others || (kind != NULL && !statement);
    }
    return statements && !others && has_type(bundle) && !has_next_page(bundle);
}

// What names the scheme in all its versions. A document's own identifier is new each time: its Composition's stays.
static const char *scheme_name(struct json_object *bundle, struct json_object *entries)
{
    bool document = strcmp(fhir_peek(bundle, "type"), "document") == 0;
    struct json_object *first = document ? fhir_entry_resource(json_object_array_get_idx(entries, 0)) : NULL;
    return fhir_peek(fhir_look(document ? first : bundle, "identifier"), "value");
}

static bool read_bundle_head(struct fhir_reader *r, struct json_object *entries, Scheme *scheme)
{
    const char *recorded = fhir_peek(r->root, "timestamp");
    int64_t day;
    if (recorded[0] == '\0')
        recorded = fhir_peek(fhir_look(r->root, "meta"), "lastUpdated");
    return fhir_set(r, &scheme->id, entries != NULL ? scheme_name(r->root, entries) : "") &&
           fhir_set(r, &scheme->version, fhir_peek(fhir_look(r->root, "meta"), "versionId")) &&
           (!scheme_day(recorded, &day) || fhir_set(r, &scheme->recorded, recorded));
}

static bool read_bundle(struct fhir_reader *r, Scheme *scheme)
{
    struct json_object *entries;
    size_t n, read = 0;
    if (!fhir_array(r, r->root, "entry", &entries, &n))
        return false;
    if (n > FHIR_MEDICATION_ENTRIES_MAX)
        return fhir_fail(r, "entry", "bundle-size", "a Bundle has at most 2048 entries");
    scheme->complete = is_complete(r->root, entries, n);
    if (!read_bundle_head(r, entries, scheme))
        return false;
    for (size_t i = 0; i < n; i++) {
        struct json_object *entry = json_object_array_get_idx(entries, i), *resource = fhir_entry_resource(entry);
        size_t before = fhir_enter(r, "entry", i);
        if (fhir_look(entry, "resource") != NULL)
            fhir_enter(r, "resource", FHIR_WHOLE);
        if (fhir_find_kind(resource) != NULL) {
            read++;
            if (!fhir_read_resource(r, resource, scheme))
                return false;
        }
        fhir_leave(r, before);
    }
    if (read > 0)
        return true;
    fhir_fail(r, "entry", "medication",
              "there is no MedicationStatement, MedicationRequest or MedicationDispense in it");
    r->error->fault = MEDICATION_FAULT_KIND;
    return false;
}

static void note_head(struct fhir_reader *r, const char *kind)
{
    struct json_object *identifier = fhir_look(r->root, "identifier"); // a Bundle has one, other resources a list
    const char *id = fhir_peek(r->root, "id");
    if (json_object_is_type(identifier, json_type_array))
        identifier = json_object_array_get_idx(identifier, 0);
    if (r->remarks == NULL)
        return;
    r->remarks->kind = kind;
    medication_name(r->remarks, id[0] != '\0' ? id : fhir_peek(identifier, "value"));
}

static bool read_root(struct fhir_reader *r, Scheme *scheme)
{
    const struct fhir_kind *kind = fhir_find_kind(r->root);
    bool bundle = strcmp(fhir_peek(r->root, "resourceType"), "Bundle") == 0;
    note_head(r, bundle ? "Bundle" : kind != NULL ? fhir_kind_type(kind) : "");
    scheme->seen_ms = r->options->seen_ms;
    if (kind == NULL && !bundle) {
        fhir_fail(r, "resourceType", "resource-type",
                  "only MedicationStatement, MedicationRequest, MedicationDispense and Bundles of them are read here");
        r->error->fault = MEDICATION_FAULT_KIND;
        return false;
    }
    fhir_enter(r, bundle ? "Bundle" : fhir_kind_type(kind), FHIR_WHOLE);
    return bundle ? read_bundle(r, scheme) : fhir_read_resource(r, r->root, scheme);
}

Scheme *fhir_medication_read(const void *bytes, size_t len, const struct fhir_medication_options *options,
                             struct medication_error *error, struct medication_remarks *remarks)
{
    static const struct fhir_medication_options usual;
    struct fhir_reader r = {.options = options != NULL ? options : &usual, .error = error, .remarks = remarks};
    *error = (struct medication_error){.rule = ""};
    if (remarks != NULL)
        *remarks = (struct medication_remarks){.kind = ""};
    r.root = fhir_parse(bytes, len, error);
    if (r.root == NULL)
        return NULL;
    Scheme *scheme = malloc(sizeof *scheme);
    if (scheme != NULL)
        carehub__pharmacy__v1__scheme__init(scheme);
    bool done = scheme != NULL ? read_root(&r, scheme) : fhir_no_memory(&r);
    json_object_put(r.root);
    if (!done && scheme != NULL) {
        carehub__pharmacy__v1__scheme__free_unpacked(scheme, NULL);
        scheme = NULL;
    }
    return scheme;
}
