// Who it is about, and who says so.
#include <stdio.h>
#include <string.h>

#include <json-c/json_object.h>

#include "fhir_job.h"
#include "identifier.h"
#include "utf8.h"

#define NAME_CHARS 512

struct gathering {
    struct fhir_job *job;
    Carehub__V1__Identifier ***list;
    size_t *count;
    bool person; // the patient: what cannot be used is said, and two SSINs that differ are an error
    bool trouble;
};

static Carehub__V1__Identifier *find(const struct gathering *g, const char *system, const char *value)
{
    for (size_t i = 0; i < *g->count; i++)
        if (strcmp((*g->list)[i]->system, system) == 0 && (value == NULL || strcmp((*g->list)[i]->value, value) == 0))
            return (*g->list)[i];
    return NULL;
}

static void cannot_use(struct gathering *g, const struct fhir_node *node, enum identifier_status status)
{
    if (g->person)
        FHIR_PROBLEM(g->job->problems, PROBLEM_WARNING, PROBLEM_VALUE, node, "not used: %s",
                     identifier_status_text(status));
    else
        fhir_add_remark(g->job, "party-identifier-not-used");
}

static void keep(struct gathering *g, const struct fhir_node *node, const char *system, const struct identifier *id)
{
    if (find(g, system, id->value) != NULL)
        return;
    if (g->person && id->system == IDENTIFIER_SSIN && find(g, system, NULL) != NULL) {
        FHIR_PROBLEM(g->job->problems, PROBLEM_ERROR, PROBLEM_BUSINESS_RULE, node,
                     "the patient has two different SSINs; it is not for the hub to say which is right");
        g->trouble = true;
        return;
    }
    if (*g->count == FHIR_IDENTIFIERS_MAX) {
        fhir_add_remark(g->job, "identifiers-cut");
        return;
    }
    Carehub__V1__Identifier *made = fhir_new(g->job, &carehub__v1__identifier__descriptor);
    if (made == NULL)
        return;
    fhir_set_text(g->job, &made->system, system);
    fhir_set_text(g->job, &made->value, id->value);
    fhir_append(g->job, g->list, g->count, made);
}

static void take(struct gathering *g, const struct fhir_node *identifier)
{
    char normal[IDENTIFIER_SYSTEM_CHARS];
    struct identifier checked;
    if (!fhir_is_object(g->job->problems, identifier))
        return;
    const char *system = fhir_text(g->job->problems, identifier, "system"),
               *value = fhir_text(g->job->problems, identifier, "value");
    if (value[0] == '\0' || strcmp(fhir_text(g->job->problems, identifier, "use"), "old") == 0)
        return;
    enum identifier_status status = identifier_check(system, value, &checked);
    if (!identifier_usable(status) || !identifier_system_normalise(system, normal))
        cannot_use(g, identifier, status);
    else if (g->person || checked.system != IDENTIFIER_SSIN) // whoever reads this knows a professional by NIHDI
        keep(g, identifier, normal, &checked);
}

// Of a resource, which has a list of them, or of a Reference, which has one.
static void take_all(struct gathering *g, const struct fhir_node *from)
{
    struct fhir_node identifiers = fhir_get(from, "identifier");
    if (!json_object_is_type(identifiers.json, json_type_array)) {
        take(g, &identifiers);
        return;
    }
    size_t count = fhir_count(g->job->problems, &identifiers, FHIR_LIST_MAX);
    for (size_t i = 0; i < count; i++) {
        struct fhir_node one = fhir_at(&identifiers, i);
        take(g, &one);
    }
}

// ---- The patient

static void cannot_find(struct fhir_job *job, const struct fhir_node *reference, bool resolved)
{
    struct fhir_node text = fhir_get(reference, "reference");
    if (reference->json == NULL)
        FHIR_PROBLEM(job->problems, PROBLEM_ERROR, PROBLEM_REQUIRED, reference, "the patient must be named here");
    else if (resolved || text.json == NULL)
        FHIR_PROBLEM(job->problems, PROBLEM_ERROR, PROBLEM_BUSINESS_RULE, reference,
                     "the patient has no identifier that can be used: give the SSIN, or one of a system that the hub "
                     "knows the patient by");
    else
        FHIR_PROBLEM(job->problems, PROBLEM_ERROR, PROBLEM_NOT_FOUND, reference,
                     "the patient is not in what was sent, and the hub does not fetch: send the Patient along, or "
                     "give the SSIN as the reference's identifier");
}

Carehub__V1__Patient *fhir_patient(struct fhir_job *job, bool *deceased)
{
    struct fhir_node reference = fhir_get(job->resource, "subject"), resolved = {0};
    Carehub__V1__Patient *patient = fhir_new(job, &carehub__v1__patient__descriptor);
    if (patient == NULL)
        return NULL;
    struct gathering g = {.job = job, .list = &patient->identifiers, .count = &patient->n_identifiers, .person = true};
    if (fhir_is_object(job->problems, &reference)) {
        take_all(&g, &reference);
        resolved = fhir_resolve(job, &reference);
    }
    bool is_patient = resolved.json != NULL && strcmp(fhir_type_of(&resolved), "Patient") == 0;
    if (is_patient)
        take_all(&g, &resolved);
    else if (resolved.json != NULL)
        FHIR_PROBLEM(job->problems, PROBLEM_ERROR, PROBLEM_VALUE, &reference, "this must lead to a Patient");
    if (deceased != NULL) {
        struct fhir_node flag = fhir_choice(&resolved, "deceased", "deceasedBoolean"),
                         time = fhir_choice(&resolved, "deceased", "deceasedDateTime");
        *deceased = is_patient && (json_object_get_boolean(flag.json) || time.json != NULL);
    }
    if (patient->n_identifiers > 0 && !g.trouble)
        return patient;
    if (!g.trouble)
        cannot_find(job, &reference, is_patient);
    carehub__v1__patient__free_unpacked(patient, NULL);
    return NULL;
}

// ---- Parties

// A HumanName: its text, or given names and family name.
static void human_name(struct fhir_job *job, const struct fhir_node *names, char out[NAME_CHARS])
{
    out[0] = '\0';
    if (fhir_count(job->problems, names, FHIR_LIST_MAX) == 0)
        return;
    struct fhir_node name = fhir_at(names, 0), given = fhir_get(&name, "given");
    const char *text = fhir_text(job->problems, &name, "text"), *family = fhir_text(job->problems, &name, "family");
    size_t used = 0, count = fhir_count(job->problems, &given, 8);
    if (text[0] != '\0')
        used = (size_t)snprintf(out, NAME_CHARS, "%s", text);
    for (size_t i = 0; text[0] == '\0' && i < count && used < NAME_CHARS; i++) {
        struct fhir_node one = fhir_at(&given, i);
        if (json_object_is_type(one.json, json_type_string))
            used += (size_t)snprintf(out + used, NAME_CHARS - used, "%s%s", used > 0 ? " " : "",
                                     json_object_get_string(one.json));
    }
    if (text[0] == '\0' && used < NAME_CHARS)
        snprintf(out + used, NAME_CHARS - used, "%s%s", used > 0 && family[0] != '\0' ? " " : "", family);
    out[utf8_valid_prefix(out, strlen(out))] = '\0'; // cut to size, but not within a character
}

static void take_name(struct fhir_job *job, Carehub__V1__Party *party, const struct fhir_node *resource)
{
    char name[NAME_CHARS] = "";
    struct fhir_node named = fhir_get(resource, "name");
    if (party->name[0] != '\0')
        return;
    if (json_object_is_type(named.json, json_type_array))
        human_name(job, &named, name);
    fhir_set_text(job, &party->name,
                  name[0] != '\0' || named.json == NULL || json_object_is_type(named.json, json_type_array)
                      ? name
                      : fhir_text_max(job->problems, resource, "name", NAME_CHARS - 1));
}

Carehub__V1__Party *fhir_party(struct fhir_job *job, const struct fhir_node *reference)
{
    if (!fhir_is_object(job->problems, reference))
        return NULL;
    Carehub__V1__Party *party = fhir_new(job, &carehub__v1__party__descriptor);
    if (party == NULL)
        return NULL;
    struct gathering g = {.job = job, .list = &party->identifiers, .count = &party->n_identifiers};
    struct fhir_node resolved = fhir_resolve(job, reference);
    const char *type = fhir_type_of(&resolved);
    take_all(&g, reference);
    fhir_set_text(job, &party->name, fhir_text_max(job->problems, reference, "display", NAME_CHARS - 1));
    if (strcmp(type, "PractitionerRole") == 0) { // a person's part in an organisation: the person is meant
        struct fhir_node person = fhir_get(&resolved, "practitioner");
        take_all(&g, &person);
        if (party->name[0] == '\0')
            fhir_set_text(job, &party->name, fhir_text_max(job->problems, &person, "display", NAME_CHARS - 1));
        resolved = fhir_resolve(job, &person);
        type = fhir_type_of(&resolved);
    }
    if (strcmp(type, "Practitioner") == 0 || strcmp(type, "Organization") == 0 || strcmp(type, "RelatedPerson") == 0) {
        take_all(&g, &resolved);
        take_name(job, party, &resolved);
    }
    if (party->n_identifiers > 0 || party->name[0] != '\0')
        return party;
    carehub__v1__party__free_unpacked(party, NULL);
    return NULL;
}

// ---- The author

// The type of what a reference leads to, or is said to.
static const char *reference_type(struct fhir_job *job, const struct fhir_node *reference)
{
    static const char *const types[] = {"Patient",          "RelatedPerson", "Organization", "Practitioner",
                                        "PractitionerRole", "CareTeam",      "Device"};
    struct fhir_node resolved = fhir_resolve(job, reference);
    const char *said = fhir_text(job->problems, reference, "type"),
               *text = fhir_text(job->problems, reference, "reference"), *type = fhir_type_of(&resolved);
    if (type[0] != '\0' || said[0] != '\0')
        return type[0] != '\0' ? type : said;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        const char *at = strstr(text, types[i]);
        if (at != NULL && at[strlen(types[i])] == '/' && (at == text || at[-1] == '/'))
            return types[i];
    }
    return "";
}

static void take_author(struct fhir_job *job, Carehub__V1__Author *author, const struct fhir_node *reference)
{
    if (!fhir_is_object(job->problems, reference))
        return;
    const char *type = reference_type(job, reference);
    bool organisation = strcmp(type, "Organization") == 0 || strcmp(type, "CareTeam") == 0;
    bool lay = strcmp(type, "Patient") == 0 || strcmp(type, "RelatedPerson") == 0;
    struct fhir_node resolved = fhir_resolve(job, reference);
    author->unverified = author->unverified || lay;
    if (strcmp(type, "PractitionerRole") == 0 && author->organisation == NULL) {
        struct fhir_node employer = fhir_get(&resolved, "organization");
        author->organisation = fhir_party(job, &employer);
    }
    if (organisation && author->organisation == NULL)
        author->organisation = fhir_party(job, reference);
    else if (!organisation && !lay && author->professional == NULL)
        author->professional = fhir_party(job, reference);
}

void fhir_author(struct fhir_job *job, Carehub__V1__Author *author)
{
    static const char *const elements[] = {"performer", "recorder", "sender", "author", "source", "serviceProvider"};
    for (size_t i = 0; i < sizeof elements / sizeof elements[0]; i++) {
        struct fhir_node node = fhir_get(job->resource, elements[i]);
        if (!json_object_is_type(node.json, json_type_array)) {
            take_author(job, author, &node);
            continue;
        }
        size_t count = fhir_count(job->problems, &node, FHIR_LIST_MAX);
        for (size_t k = 0; k < count; k++) {
            struct fhir_node one = fhir_at(&node, k);
            take_author(job, author, &one);
        }
    }
}
