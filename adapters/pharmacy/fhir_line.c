// One resource to a line: whose it is, what is taken, whether it still is.
#include "fhir_internal.h"

#include <stdio.h>
#include <string.h>

#include "medication_codes.h"

typedef Carehub__Pharmacy__V1__Scheme Scheme;
typedef Carehub__Pharmacy__V1__Line Line;

enum { REFERENCE_BYTES = 512 };

static const Carehub__Pharmacy__V1__Line__State active = CAREHUB__PHARMACY__V1__LINE__STATE__ACTIVE;
static const Carehub__Pharmacy__V1__Line__State stopped = CAREHUB__PHARMACY__V1__LINE__STATE__STOPPED;
static const Carehub__Pharmacy__V1__Line__State suspended = CAREHUB__PHARMACY__V1__LINE__STATE__SUSPENDED;

// What a kind of resource calls its parts.
struct fhir_kind {
    const char *type, *dosage;
    const char *recorded;    // when it was made
    const char *statuses[3]; // of active, stopped and suspended lines; " a b "
    const char *unused;      // statuses under which nothing is taken, or not yet
};

static const struct fhir_kind kinds[] = {
    {"MedicationStatement",
     "dosage",
     "dateAsserted",
     {" active intended unknown ", " stopped completed not-taken entered-in-error ", " on-hold "},
     ""},
    {"MedicationRequest",
     "dosageInstruction",
     "authoredOn",
     {" active unknown ", " stopped completed cancelled entered-in-error ", " on-hold "},
     " draft "},
    {"MedicationDispense",
     "dosageInstruction",
     "whenHandedOver",
     {" completed in-progress unknown ", " ", " "},
     " preparation on-hold cancelled declined stopped entered-in-error "},
};

const struct fhir_kind *fhir_find_kind(struct json_object *resource)
{
    const char *type = fhir_peek(resource, "resourceType");
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].type, type) == 0)
            return &kinds[i];
    return NULL;
}

// ---- References

struct json_object *fhir_entry_resource(struct json_object *entry)
{
    struct json_object *resource = fhir_look(entry, "resource");
    return resource == NULL && fhir_look(entry, "resourceType") != NULL ? entry : resource;
}

static bool is_named(struct json_object *entry, const char *reference)
{
    struct json_object *resource = fhir_entry_resource(entry);
    char name[REFERENCE_BYTES];
    snprintf(name, sizeof name, "%s/%s", fhir_peek(resource, "resourceType"), fhir_peek(resource, "id"));
    return strcmp(fhir_peek(entry, "fullUrl"), reference) == 0 || strcmp(name, reference) == 0;
}

struct json_object *fhir_resolve(struct fhir_resource *self, const char *reference)
{
    bool contained = reference[0] == '#';
    struct json_object *list = contained ? fhir_look(self->json, "contained") : fhir_look(self->r->root, "entry");
    size_t n = json_object_is_type(list, json_type_array) && reference[0] != '\0' ? json_object_array_length(list) : 0;
    for (size_t i = 0; i < n; i++) {
        struct json_object *item = json_object_array_get_idx(list, i);
        if (contained && strcmp(fhir_peek(item, "id"), reference + 1) == 0)
            return item;
        if (!contained && is_named(item, reference))
            return fhir_entry_resource(item);
    }
    return NULL;
}

// ---- Patient

static bool ends_with(const char *text, const char *ending)
{
    size_t len = strlen(text), end = strlen(ending);
    return len >= end && strcmp(text + len - end, ending) == 0;
}

// Two numbers of one system cannot both be a patient's.
static bool is_other(const Scheme *scheme)
{
    for (size_t i = 0; i + 1 < scheme->n_patient; i++)
        if (strcmp(scheme->patient[i]->system, scheme->patient[scheme->n_patient - 1]->system) == 0)
            return true;
    return false;
}

static bool add_identifier(struct fhir_resource *self, struct json_object *identifier)
{
    const char *system = fhir_peek(identifier, "system"), *value = fhir_peek(identifier, "value");
    size_t before = self->scheme->n_patient;
    bool usable;
    if (ends_with(system, "/NamingSystem/ssin"))
        system = "ssin";
    if (value[0] == '\0')
        return true;
    if (!scheme_add_patient(self->scheme, system, value, &usable))
        return fhir_no_memory(self->r);
    if (!usable &&
        !fhir_remark(self->r, "subject", "patient-id", "an identifier of it cannot be used to find a patient"))
        return false;
    if (self->scheme->n_patient > before && is_other(self->scheme))
        return fhir_fail(self->r, "subject", "one-patient",
                         "this is not the patient of the others; send each by itself");
    return true;
}

static bool read_subject(struct fhir_resource *self)
{
    struct json_object *subject, *identifier, *patient, *identifiers;
    const char *reference;
    if (!fhir_object(self->r, self->json, "subject", &subject))
        return false;
    if (subject == NULL)
        return fhir_fail(self->r, "subject", "subject", "it does not say whose it is");
    if (!fhir_string(self->r, subject, "reference", &reference) ||
        !fhir_object(self->r, subject, "identifier", &identifier))
        return false;
    if (identifier != NULL && !add_identifier(self, identifier))
        return false;
    patient = fhir_resolve(self, reference);
    identifiers = fhir_look(patient, "identifier");
    size_t n = json_object_is_type(identifiers, json_type_array) ? json_object_array_length(identifiers) : 0;
    for (size_t i = 0; i < n && i < 32; i++)
        if (!add_identifier(self, json_object_array_get_idx(identifiers, i)))
            return false;
    return true;
}

// ---- Identity

static const char *first_identifier(struct json_object *within, const char *name, const char *preferred)
{
    struct json_object *list = fhir_look(within, name);
    size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    const char *found = "";
    for (size_t i = 0; i < n; i++) {
        struct json_object *identifier = json_object_array_get_idx(list, i);
        const char *value = fhir_peek(identifier, "value");
        if (value[0] != '\0' && ends_with(fhir_peek(identifier, "system"), preferred))
            return value;
        if (found[0] == '\0')
            found = value;
    }
    return found;
}

// A dispense stands for the prescription that it fills, so that the next one for the same is not a new medicine.
static const char *line_id(struct fhir_resource *self)
{
    struct json_object *prescriptions = fhir_look(self->json, "authorizingPrescription"), *prescription;
    const char *id = "";
    if (json_object_is_type(prescriptions, json_type_array) && json_object_array_length(prescriptions) > 0) {
        prescription = json_object_array_get_idx(prescriptions, 0);
        id = fhir_peek(fhir_look(prescription, "identifier"), "value");
        if (id[0] == '\0')
            id = fhir_peek(prescription, "reference");
    }
    if (id[0] == '\0')
        id = first_identifier(self->json, "identifier", "medicationline");
    return id[0] != '\0' ? id : fhir_peek(self->json, "id");
}

static bool read_identity(struct fhir_resource *self)
{
    size_t from = 0;
    const char *version = fhir_peek(fhir_extension(self->json, "/artifact-version", &from), "valueString");
    if (version[0] == '\0')
        version = fhir_peek(fhir_look(self->json, "meta"), "versionId");
    return fhir_set(self->r, &self->line->id, line_id(self)) && fhir_set(self->r, &self->line->version, version);
}

// ---- Period

static bool check_date(struct fhir_resource *self, const char *name, const char *text)
{
    int64_t day;
    return text[0] == '\0' || scheme_day(text, &day) ||
           fhir_fail(self->r, name, "date", "this is not a date or time as FHIR writes it");
}

// When it was last changed, where it says so. A scheme is as old as it says itself, not as old as one of its lines.
static bool set_recorded(struct fhir_resource *self, const char *made)
{
    const char *changed = fhir_peek(fhir_look(self->json, "meta"), "lastUpdated");
    size_t from = 0;
    int64_t day;
    if (changed[0] == '\0')
        changed = fhir_peek(fhir_extension(self->json, "RecordedDate", &from), "valueDateTime");
    const char *recorded = scheme_day(changed, &day) ? changed : made;
    return fhir_set(self->r, &self->line->recorded, recorded) &&
           (self->scheme->complete || self->scheme->recorded[0] != '\0' ||
            fhir_set(self->r, &self->scheme->recorded, recorded));
}

static bool read_period(struct fhir_resource *self)
{
    struct json_object *period;
    const char *begin = "", *end = "", *at = "", *recorded = "";
    if (!fhir_object(self->r, self->json, "effectivePeriod", &period) ||
        !fhir_string(self->r, period, "start", &begin) || !fhir_string(self->r, period, "end", &end) ||
        !fhir_string(self->r, self->json, "effectiveDateTime", &at) ||
        !fhir_string(self->r, self->json, self->kind->recorded, &recorded) ||
        !check_date(self, "effectivePeriod.start", begin) || !check_date(self, "effectivePeriod.end", end) ||
        !check_date(self, "effectiveDateTime", at) || !check_date(self, self->kind->recorded, recorded))
        return false;
    return fhir_set(self->r, &self->line->begin, begin[0] != '\0' ? begin : at) &&
           fhir_set(self->r, &self->line->end, end) && set_recorded(self, recorded);
}

// ---- State

static bool is_among(const char *status, const char *list)
{
    char word[40];
    snprintf(word, sizeof word, " %.32s ", status);
    return status[0] != '\0' && strchr(status, ' ') == NULL && strstr(list, word) != NULL;
}

static bool read_suspension(struct fhir_resource *self, struct json_object *extension, const char *text)
{
    size_t from = 0;
    struct json_object *period = fhir_look(extension, "valuePeriod");
    const char *begin = fhir_peek(period, "start"), *end = fhir_peek(period, "end");
    const char *reason = fhir_peek(fhir_extension(extension, "MedicationSuspensionReason", &from), "valueString");
    if (!check_date(self, "statusReason", begin) || !check_date(self, "statusReason", end))
        return false;
    if (self->line->n_suspensions == SCHEME_SUSPENSIONS_MAX)
        return fhir_fail(self->r, "statusReason", "suspension-size", "a line has at most 64 suspensions");
    Carehub__Pharmacy__V1__Suspension *suspension = scheme_add_suspension(self->line);
    if (suspension == NULL)
        return fhir_no_memory(self->r);
    if (reason[0] == '\0' && strncmp(text, "Definitive", 10) != 0 && strncmp(text, "Temporary", 9) != 0)
        reason = text;
    suspension->definitive =
        strncmp(text, "Definitive", 10) == 0 || (text[0] == '\0' && end[0] == '\0' && self->line->state == stopped);
    return fhir_set(self->r, &suspension->begin, begin) && fhir_set(self->r, &suspension->end, end) &&
           fhir_set(self->r, &suspension->reason, reason);
}

static bool read_status_reason(struct fhir_resource *self, struct json_object *concept)
{
    struct json_object *codings = fhir_look(concept, "coding"), *extension;
    const char *text = fhir_peek(concept, "text");
    size_t from = 0, before = self->line->n_suspensions;
    while ((extension = fhir_extension(concept, "MedicationSuspension", &from)) != NULL)
        if (!read_suspension(self, extension, text))
            return false;
    if (self->line->n_suspensions > before)
        return true;
    if (text[0] == '\0' && json_object_is_type(codings, json_type_array) && json_object_array_length(codings) > 0)
        text = fhir_peek(json_object_array_get_idx(codings, 0), "display");
    return scheme_add_text(&self->line->reason, text) || fhir_no_memory(self->r);
}

static bool read_status_reasons(struct fhir_resource *self)
{
    struct json_object *reason = fhir_look(self->json, "statusReason");
    size_t n = json_object_is_type(reason, json_type_array) ? json_object_array_length(reason) : 0;
    if (json_object_is_type(reason, json_type_object) && !read_status_reason(self, reason))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!read_status_reason(self, json_object_array_get_idx(reason, i)))
            return false;
    return true;
}

// *used: whether something is, was or will be taken.
static bool read_status(struct fhir_resource *self, bool *used)
{
    const char *status;
    if (!fhir_string(self->r, self->json, "status", &status))
        return false;
    *used =
        !is_among(status, self->kind->unused) && !(self->scheme->complete && strcmp(status, "entered-in-error") == 0);
    if (is_among(status, self->kind->statuses[1]))
        self->line->state = stopped;
    else if (is_among(status, self->kind->statuses[2]))
        self->line->state = suspended;
    else if (!is_among(status, self->kind->statuses[0]) && !is_among(status, self->kind->unused))
        return fhir_fail(self->r, "status", "status", "this is not a status that FHIR R4 has for this resource");
    if (!read_status_reasons(self))
        return false;
    if (self->line->n_suspensions > 0) // they say since when
        self->line->state = active;
    return true;
}

// ---- A resource

static bool read_line(struct fhir_resource *self, bool *used)
{
    if (!read_identity(self) || !read_status(self, used) || !read_subject(self) || !fhir_read_medicine(self) ||
        !read_period(self) || !fhir_read_dosage(self->r, self->json, self->kind->dosage, self->line))
        return false;
    const char *recorded = fhir_peek(self->json, self->kind->recorded);
    return self->line->begin[0] != '\0' || strcmp(self->kind->recorded, "dateAsserted") == 0 ||
           fhir_set(self->r, &self->line->begin, recorded);
}

bool fhir_read_resource(struct fhir_reader *r, struct json_object *json, Scheme *scheme)
{
    struct fhir_resource self = {
        .r = r, .json = json, .kind = fhir_find_kind(json), .scheme = scheme, .line = scheme_line()};
    bool used = false;
    if (self.line == NULL)
        return fhir_no_memory(r);
    if (scheme->n_lines == SCHEME_LINES_MAX) {
        carehub__pharmacy__v1__line__free_unpacked(self.line, NULL);
        return fhir_fail(r, NULL, "scheme-size", "a scheme has at most 512 lines");
    }
    r->type = self.kind->type;
    bool done = read_line(&self, &used);
    bool kept = done && used;
    if (kept && !scheme_append(&scheme->lines, &scheme->n_lines, self.line)) {
        kept = false;
        done = fhir_no_memory(r);
    }
    if (!kept)
        carehub__pharmacy__v1__line__free_unpacked(self.line, NULL);
    if (done && !used)
        done = fhir_remark(r, "status", "status-unused", "nothing is taken because of it; it is left out");
    r->type = NULL;
    return done;
}

const char *fhir_kind_type(const struct fhir_kind *kind)
{
    return kind->type;
}
