// Bundles: which of their resources may become events, and what their references lead to.
#include <stdio.h>
#include <string.h>

#include <json-c/json_object.h>

#include "fhir_job.h"

// What others refer to. In a Bundle they are looked into; on their own they are nothing to the hub.
static const char *const supporting[] = {
    "Patient",  "Practitioner",      "PractitionerRole",  "Organization",  "Location",   "RelatedPerson",
    "CareTeam", "HealthcareService", "EpisodeOfCare",     "Condition",     "Provenance", "MessageHeader",
    "Device",   "Coverage",          "DocumentReference", "Questionnaire",
};

static bool is_supporting(const char *type)
{
    for (size_t i = 0; i < sizeof supporting / sizeof supporting[0]; i++)
        if (strcmp(supporting[i], type) == 0)
            return true;
    return false;
}

// ---- References

// Members that are looked at before anything else are read without complaint: whoever uses them complains.
const char *fhir_quiet_text(const struct fhir_node *from, const char *name)
{
    struct fhir_node node = fhir_get(from, name);
    return json_object_is_type(node.json, json_type_string) ? json_object_get_string(node.json) : "";
}

const char *fhir_type_of(const struct fhir_node *resource)
{
    return fhir_quiet_text(resource, "resourceType");
}

static struct fhir_node resolve_contained(const struct fhir_node *resource, const char *id)
{
    struct fhir_node contained = fhir_get(resource, "contained");
    size_t count = json_object_is_type(contained.json, json_type_array) ? json_object_array_length(contained.json) : 0;
    for (size_t i = 0; i < count && i < FHIR_ENTRIES_MAX; i++) {
        struct fhir_node one = fhir_at(&contained, i);
        if (strcmp(fhir_quiet_text(&one, "id"), id) == 0)
            return one;
    }
    return (struct fhir_node){0};
}

// Whether text is "…/Type/id", or that alone. A version ("/_history/2") is no part of what is looked for.
static bool names(const char *text, const struct fhir_entry *entry)
{
    char tail[FHIR_EPISODE_CHARS];
    int len = snprintf(tail, sizeof tail, "%s/%s", entry->type, entry->id);
    const char *version = strstr(text, "/_history/");
    size_t text_len = version != NULL ? (size_t)(version - text) : strlen(text);
    if (entry->id[0] == '\0' || len >= (int)sizeof tail || text_len < (size_t)len)
        return false;
    const char *at = text + text_len - len;
    return memcmp(at, tail, (size_t)len) == 0 && (at == text || at[-1] == '/');
}

static struct fhir_node resolve_text(const struct fhir_document *document, const char *text)
{
    for (size_t i = 0; i < document->n_entries; i++)
        if (text[0] != '\0' && strcmp(document->entries[i].full_url, text) == 0)
            return document->entries[i].resource;
    for (size_t i = 0; i < document->n_entries; i++)
        if (names(text, &document->entries[i]))
            return document->entries[i].resource;
    return (struct fhir_node){0};
}

struct fhir_node fhir_resolve(const struct fhir_job *job, const struct fhir_node *reference)
{
    const char *text = fhir_quiet_text(reference, "reference");
    if (text[0] == '#')
        return resolve_contained(job->resource, text + 1);
    return resolve_text(job->document, text);
}

// ---- What a document holds

bool fhir_want(struct fhir_document *d, size_t entry)
{
    for (size_t i = 0; i < d->n_wanted; i++)
        if (d->wanted[i].entry == entry)
            return false;
    struct fhir_wanted *wanted = &d->wanted[d->n_wanted++];
    wanted->entry = entry;
    wanted->kind = fhir_kind_of(d->entries[entry].type);
    fhir_identify(d, wanted);
    return true;
}

static void index_entries(struct fhir_document *d, struct problems *problems)
{
    struct fhir_node array = fhir_get(&d->root, "entry");
    d->n_entries = fhir_count(problems, &array, FHIR_ENTRIES_MAX);
    for (size_t i = 0; i < d->n_entries; i++) {
        struct fhir_entry *entry = &d->entries[i];
        entry->node = fhir_at(&array, i);
        entry->node.from = &d->root;
        entry->resource = fhir_get(&entry->node, "resource");
        entry->full_url = fhir_quiet_text(&entry->node, "fullUrl");
        entry->type = fhir_type_of(&entry->resource);
        entry->id = fhir_quiet_text(&entry->resource, "id");
    }
}

// ---- Messages: the header, and what it is about

static void want_focus(struct fhir_document *d, const struct fhir_node *reference, struct problems *problems)
{
    struct fhir_node found = resolve_text(d, fhir_quiet_text(reference, "reference"));
    for (size_t i = 0; i < d->n_entries; i++) {
        if (found.json == NULL || d->entries[i].resource.json != found.json)
            continue;
        if (fhir_kind_of(d->entries[i].type) == NULL)
            FHIR_PROBLEM(problems, PROBLEM_ERROR, PROBLEM_NOT_SUPPORTED, reference,
                         "a message about this type of resource is not taken; " FHIR_TAKEN);
        else
            fhir_want(d, i);
        return;
    }
    FHIR_PROBLEM(problems, PROBLEM_ERROR, PROBLEM_NOT_FOUND, reference,
                 "the message's focus is not in its Bundle; put the resource there, under this fullUrl");
}

static void want_message(struct fhir_document *d, struct problems *problems)
{
    if (d->n_entries == 0 || strcmp(d->entries[0].type, "MessageHeader") != 0) {
        struct fhir_node entry = fhir_get(&d->root, "entry");
        FHIR_PROBLEM(problems, PROBLEM_ERROR, PROBLEM_STRUCTURE, &entry,
                     "the first entry of a message must be its MessageHeader");
        return;
    }
    const struct fhir_node *header = &d->entries[0].resource;
    struct fhir_node focus = fhir_get(header, "focus");
    size_t count = fhir_count(problems, &focus, FHIR_ENTRIES_MAX);
    for (size_t i = 0; i < count; i++) {
        struct fhir_node one = fhir_at(&focus, i);
        want_focus(d, &one, problems);
    }
    if (count == 0)
        FHIR_PROBLEM(problems, PROBLEM_ERROR, PROBLEM_REQUIRED, &focus,
                     "the message does not say what it is about: name the resource here");
}

// ---- Transactions and batches, collections and what a search found

static bool method_ok(const struct fhir_document *d, const struct fhir_entry *entry, struct problems *problems)
{
    if (d->bundle == FHIR_COLLECTION) // R4 bundle.html, bdl-3: it has none
        return true;
    struct fhir_node request = fhir_get(&entry->node, "request"), method = fhir_get(&request, "method");
    const char *is = fhir_quiet_text(&request, "method");
    if (strcmp(is, "POST") == 0 || strcmp(is, "PUT") == 0)
        return true;
    FHIR_PROBLEM(problems, PROBLEM_ERROR, is[0] == '\0' ? PROBLEM_REQUIRED : PROBLEM_NOT_SUPPORTED, &method,
                 "only POST and PUT are taken; to take something back, send it with its status entered-in-error");
    return false;
}

// What a search found besides, or says of itself: search.mode, R4 bundle.html 2.36.
static bool is_beside(const struct fhir_entry *entry)
{
    struct fhir_node search = fhir_get(&entry->node, "search");
    const char *mode = fhir_quiet_text(&search, "mode");
    return strcmp(mode, "include") == 0 || strcmp(mode, "outcome") == 0;
}

static bool has_members(const struct fhir_entry *entry)
{
    struct fhir_node members = fhir_get(&entry->resource, "hasMember");
    return json_object_is_type(members.json, json_type_array) && json_object_array_length(members.json) > 0;
}

// Marks the Observations that others in the Bundle have as members: they are told with these. One that has members
// itself stands on its own, so that none is lost where two name each other.
static void mark_members(const struct fhir_document *d, bool is_member[FHIR_ENTRIES_MAX])
{
    for (size_t i = 0; i < d->n_entries; i++) {
        struct fhir_node members = fhir_get(&d->entries[i].resource, "hasMember");
        size_t count = has_members(&d->entries[i]) ? json_object_array_length(members.json) : 0;
        for (size_t k = 0; k < count && k < FHIR_LIST_MAX; k++) {
            struct fhir_node one = fhir_at(&members, k), found = resolve_text(d, fhir_quiet_text(&one, "reference"));
            for (size_t j = 0; found.json != NULL && j < d->n_entries; j++)
                if (j != i && d->entries[j].resource.json == found.json && !has_members(&d->entries[j]))
                    is_member[j] = strcmp(d->entries[j].type, "Observation") == 0;
        }
    }
}

static void want_entries(struct fhir_document *d, struct problems *problems)
{
    bool is_member[FHIR_ENTRIES_MAX] = {false};
    mark_members(d, is_member);
    for (size_t i = 0; i < d->n_entries; i++) {
        const struct fhir_entry *entry = &d->entries[i];
        bool ok = method_ok(d, entry, problems);
        if (ok && (is_supporting(entry->type) || is_member[i] || is_beside(entry)))
            continue;
        if (ok && fhir_kind_of(entry->type) == NULL)
            FHIR_PROBLEM(problems, PROBLEM_ERROR, entry->type[0] == '\0' ? PROBLEM_REQUIRED : PROBLEM_NOT_SUPPORTED,
                         &entry->resource, "resources of this type are not taken; " FHIR_TAKEN);
        fhir_want(d, i);
        if (!ok)
            d->wanted[d->n_wanted - 1].kind = NULL;
    }
    if (d->n_wanted == 0)
        FHIR_PROBLEM(problems, PROBLEM_ERROR, PROBLEM_REQUIRED, &d->root,
                     "there is nothing in the Bundle that the hub takes");
}

void fhir_want_bundle(struct fhir_document *d, struct problems *problems)
{
    static const struct {
        const char *type;
        enum fhir_bundle is;
    } types[] = {{"message", FHIR_MESSAGE},
                 {"transaction", FHIR_TRANSACTION},
                 {"batch", FHIR_BATCH},
                 {"collection", FHIR_COLLECTION},
                 {"searchset", FHIR_COLLECTION}};
    struct fhir_node node = fhir_get(&d->root, "type");
    const char *type = fhir_quiet_text(&d->root, "type");
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(types[i].type, type) == 0)
            d->bundle = types[i].is;
    if (d->bundle == FHIR_NO_BUNDLE) {
        FHIR_PROBLEM(problems, PROBLEM_ERROR, type[0] == '\0' ? PROBLEM_REQUIRED : PROBLEM_NOT_SUPPORTED, &node,
                     "a Bundle must be of type message, transaction, batch, collection or searchset");
        return;
    }
    snprintf(d->kind, sizeof d->kind, "Bundle/%s", type);
    index_entries(d, problems);
    if (d->bundle == FHIR_MESSAGE)
        want_message(d, problems);
    else
        want_entries(d, problems);
}
