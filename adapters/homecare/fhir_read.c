// Documents: a text with one resource or a Bundle, what in it may become events, and all of it together.
#include "fhir_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json_object.h>
#include <sodium.h>

#include "fhir_job.h"
#include "pbjson.h"

#define TYPE_MAX_BYTES 40u
#define TAKEN "taken are Observation, AdverseEvent, Communication, Encounter and Flag"

static const char *const observation_times[] = {"issued", "effectiveDateTime", "effectiveInstant", NULL};
static const char *const adverse_event_times[] = {"recordedDate", "detected", "date", NULL};
static const char *const communication_times[] = {"sent", "received", NULL};
static const char *const no_times[] = {NULL};

static const struct fhir_kind kinds[] = {
    {"Observation", observation_times, fhir_observation},
    {"AdverseEvent", adverse_event_times, fhir_adverse_event},
    {"Communication", communication_times, fhir_communication},
    {"Encounter", no_times, fhir_encounter},
    {"Flag", no_times, fhir_flag},
};

// What others refer to. In a Bundle they are looked into; on their own they are nothing to the hub.
static const char *const supporting[] = {
    "Patient",  "Practitioner",      "PractitionerRole", "Organization", "Location",   "RelatedPerson",
    "CareTeam", "HealthcareService", "EpisodeOfCare",    "Condition",    "Provenance", "MessageHeader",
    "Device",   "Coverage",
};

static const struct fhir_kind *kind_of(const char *type)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].type, type) == 0)
            return &kinds[i];
    return NULL;
}

static bool is_supporting(const char *type)
{
    for (size_t i = 0; i < sizeof supporting / sizeof supporting[0]; i++)
        if (strcmp(supporting[i], type) == 0)
            return true;
    return false;
}

// ---- References

// Members that are looked at before anything else are read without complaint: whoever uses them complains.
static const char *quiet_text(const struct fhir_node *from, const char *name)
{
    struct fhir_node node = fhir_get(from, name);
    return json_object_is_type(node.json, json_type_string) ? json_object_get_string(node.json) : "";
}

const char *fhir_type_of(const struct fhir_node *resource)
{
    return quiet_text(resource, "resourceType");
}

static struct fhir_node resolve_contained(const struct fhir_node *resource, const char *id)
{
    struct fhir_node contained = fhir_get(resource, "contained");
    size_t count = json_object_is_type(contained.json, json_type_array) ? json_object_array_length(contained.json) : 0;
    for (size_t i = 0; i < count && i < FHIR_ENTRIES_MAX; i++) {
        struct fhir_node one = fhir_at(&contained, i);
        if (strcmp(quiet_text(&one, "id"), id) == 0)
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
    const char *text = quiet_text(reference, "reference");
    if (text[0] == '#')
        return resolve_contained(job->resource, text + 1);
    return resolve_text(job->document, text);
}

// ---- What a document holds

static bool add_wanted(struct fhir_document *d, size_t entry)
{
    for (size_t i = 0; i < d->n_wanted; i++)
        if (d->wanted[i].entry == entry)
            return false;
    struct fhir_wanted *wanted = &d->wanted[d->n_wanted++];
    wanted->entry = entry;
    wanted->kind = kind_of(d->entries[entry].type);
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
        entry->full_url = quiet_text(&entry->node, "fullUrl");
        entry->type = fhir_type_of(&entry->resource);
        entry->id = quiet_text(&entry->resource, "id");
    }
}

// ---- Messages: the header, and what it is about

static void want_focus(struct fhir_document *d, const struct fhir_node *reference, struct problems *problems)
{
    struct fhir_node found = resolve_text(d, quiet_text(reference, "reference"));
    for (size_t i = 0; i < d->n_entries; i++) {
        if (found.json == NULL || d->entries[i].resource.json != found.json)
            continue;
        if (kind_of(d->entries[i].type) == NULL)
            FHIR_PROBLEM(problems, PROBLEM_ERROR, PROBLEM_NOT_SUPPORTED, reference,
                         "a message about this type of resource is not taken; " TAKEN);
        else
            add_wanted(d, i);
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

// ---- Transactions and batches

static bool method_ok(const struct fhir_entry *entry, struct problems *problems)
{
    struct fhir_node request = fhir_get(&entry->node, "request"), method = fhir_get(&request, "method");
    const char *is = quiet_text(&request, "method");
    if (strcmp(is, "POST") == 0 || strcmp(is, "PUT") == 0)
        return true;
    FHIR_PROBLEM(problems, PROBLEM_ERROR, is[0] == '\0' ? PROBLEM_REQUIRED : PROBLEM_NOT_SUPPORTED, &method,
                 "only POST and PUT are taken; to take something back, send it with its status entered-in-error");
    return false;
}

static void want_entries(struct fhir_document *d, struct problems *problems)
{
    for (size_t i = 0; i < d->n_entries; i++) {
        const struct fhir_entry *entry = &d->entries[i];
        bool ok = method_ok(entry, problems);
        if (ok && is_supporting(entry->type))
            continue;
        if (ok && kind_of(entry->type) == NULL)
            FHIR_PROBLEM(problems, PROBLEM_ERROR, entry->type[0] == '\0' ? PROBLEM_REQUIRED : PROBLEM_NOT_SUPPORTED,
                         &entry->resource, "resources of this type are not taken; " TAKEN);
        add_wanted(d, i);
        if (!ok)
            d->wanted[d->n_wanted - 1].kind = NULL;
    }
    if (d->n_wanted == 0)
        FHIR_PROBLEM(problems, PROBLEM_ERROR, PROBLEM_REQUIRED, &d->root,
                     "there is nothing in the Bundle that the hub takes");
}

static void want_bundle(struct fhir_document *d, struct problems *problems)
{
    static const struct {
        const char *type;
        enum fhir_bundle is;
    } types[] = {{"message", FHIR_MESSAGE}, {"transaction", FHIR_TRANSACTION}, {"batch", FHIR_BATCH}};
    struct fhir_node node = fhir_get(&d->root, "type");
    const char *type = quiet_text(&d->root, "type");
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(types[i].type, type) == 0)
            d->bundle = types[i].is;
    if (d->bundle == FHIR_NO_BUNDLE) {
        FHIR_PROBLEM(problems, PROBLEM_ERROR, type[0] == '\0' ? PROBLEM_REQUIRED : PROBLEM_NOT_SUPPORTED, &node,
                     "a Bundle must be of type message, transaction or batch");
        return;
    }
    snprintf(d->kind, sizeof d->kind, "Bundle/%s", type);
    index_entries(d, problems);
    if (d->bundle == FHIR_MESSAGE)
        want_message(d, problems);
    else
        want_entries(d, problems);
}

static void want_resource(struct fhir_document *d, struct problems *problems)
{
    const char *type = d->root.name;
    const struct fhir_kind *kind = kind_of(type);
    if (kind == NULL) {
        problems_add(problems, PROBLEM_ERROR, type[0] == '\0' ? PROBLEM_REQUIRED : PROBLEM_NOT_SUPPORTED, type,
                     type[0] == '\0' ? "not a FHIR resource: it has no resourceType"
                                     : "resources of this type are not taken; " TAKEN);
        return;
    }
    snprintf(d->kind, sizeof d->kind, "%s", type);
    d->n_entries = 1;
    d->entries[0] =
        (struct fhir_entry){.resource = d->root, .full_url = "", .type = type, .id = quiet_text(&d->root, "id")};
    add_wanted(d, 0);
}

// ---- The document

static bool parse(struct fhir_document *d, const char *text, size_t len, struct problems *problems)
{
    struct pbjson_error error;
    char where[PBJSON_ERROR_TEXT_CHARS];
    if (len > FHIR_BODY_MAX_BYTES) {
        problems_add(problems, PROBLEM_FATAL, PROBLEM_TOO_LONG, "", "larger than %u bytes", FHIR_BODY_MAX_BYTES);
        return false;
    }
    d->tree = pbjson_tree(text, len, &error);
    if (error.status == PBJSON_OK && json_object_is_type(d->tree, json_type_object))
        return true;
    pbjson_error_format(&error, where, sizeof where);
    problems_add(problems, PROBLEM_FATAL, error.status == PBJSON_NO_MEMORY ? PROBLEM_NO_STORE : PROBLEM_STRUCTURE, "",
                 "%s", error.status != PBJSON_OK ? where : "this must be a JSON object");
    return false;
}

// The resource type, which begins every path; "" if it is nothing that could be one.
static const char *type_of_tree(struct json_object *tree)
{
    struct fhir_node root = fhir_root(tree, "");
    const char *type = fhir_type_of(&root);
    size_t len = strspn(type, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
    return len <= TYPE_MAX_BYTES && type[len] == '\0' ? type : "";
}

struct fhir_document *fhir_document_new(const char *text, size_t len, const struct fhir_intake *intake,
                                        struct problems *problems)
{
    size_t errors = problems->errors;
    struct fhir_document *d = calloc(1, sizeof *d);
    if (d == NULL) {
        problems_add(problems, PROBLEM_FATAL, PROBLEM_NO_STORE, "", "no memory; send it again later");
        return NULL;
    }
    d->in = intake;
    crypto_hash_sha256(d->digest, (const uint8_t *)text, len);
    if (parse(d, text, len, problems)) {
        d->root = fhir_root(d->tree, type_of_tree(d->tree));
        if (strcmp(d->root.name, "Bundle") == 0)
            want_bundle(d, problems);
        else
            want_resource(d, problems);
    }
    if (d->n_wanted == 0 || (d->bundle != FHIR_BATCH && problems->errors > errors))
        fhir_document_destroy(&d);
    return d;
}

void fhir_document_destroy(struct fhir_document **self)
{
    if (*self == NULL)
        return;
    json_object_put((*self)->tree);
    free(*self);
    *self = NULL;
}

const char *fhir_document_kind(const struct fhir_document *self)
{
    return self->kind;
}

void fhir_document_digest(const struct fhir_document *self, uint8_t digest[FHIR_KEY_BYTES])
{
    memcpy(digest, self->digest, FHIR_KEY_BYTES);
}

// Each part with its terminating NUL, so that no two different requests give the same bytes.
void fhir_document_key(const struct fhir_document *self, uint8_t key[FHIR_KEY_BYTES])
{
    const char *parts[] = {"fhir", self->in->sender, self->in->idempotency_key};
    bool by_key = parts[2] != NULL && parts[2][0] != '\0';
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        const char *part = parts[i] != NULL ? parts[i] : "";
        crypto_hash_sha256_update(&state, (const uint8_t *)part, strlen(part) + 1);
    }
    if (!by_key)
        crypto_hash_sha256_update(&state, self->digest, sizeof self->digest);
    crypto_hash_sha256_final(&state, key);
}

size_t fhir_document_items(const struct fhir_document *self)
{
    return self->n_wanted;
}

const char *fhir_document_episode(const struct fhir_document *self, size_t item)
{
    return self->wanted[item].episode;
}

// ---- Translating

static void drop_events(struct fhir_result *result, size_t from)
{
    while (result->n_events > from) {
        result->n_events--;
        if (result->events[result->n_events] != NULL)
            carehub__v1__event__free_unpacked(result->events[result->n_events], NULL);
        result->events[result->n_events] = NULL;
    }
}

static bool translate_item(struct fhir_job *job, struct fhir_item *item)
{
    size_t errors = job->problems->errors;
    const char *why = job->wanted->kind != NULL ? job->wanted->kind->translate(job) : NULL;
    if (job->no_memory)
        FHIR_PROBLEM(job->problems, PROBLEM_ERROR, PROBLEM_NO_STORE, job->resource, "no memory; send it again later");
    item->n_events = job->result->n_events - item->first_event;
    item->why = why;
    item->outcome = item->n_events > 0 ? FHIR_EVENTS : why != NULL ? FHIR_NOTHING : FHIR_REFUSED;
    if (job->problems->errors == errors)
        return item->outcome != FHIR_REFUSED;
    drop_events(job->result, item->first_event);
    item->n_events = 0;
    item->outcome = FHIR_REFUSED;
    return false;
}

bool fhir_translate(const struct fhir_document *self, fhir_past_fn *past, void *arg, struct fhir_result *result,
                    struct problems *problems)
{
    bool all = true;
    *result = (struct fhir_result){.n_items = self->n_wanted};
    for (size_t i = 0; i < self->n_wanted; i++) {
        const struct fhir_wanted *wanted = &self->wanted[i];
        struct fhir_job job = {.document = self,
                               .wanted = wanted,
                               .resource = &self->entries[wanted->entry].resource,
                               .result = result,
                               .problems = problems};
        if (past != NULL)
            job.past_count = past(arg, wanted->episode, &job.past);
        result->items[i] = (struct fhir_item){.entry = wanted->entry, .first_event = result->n_events};
        all = translate_item(&job, &result->items[i]) && all;
    }
    if (all || self->bundle == FHIR_BATCH)
        return true;
    drop_events(result, 0);
    for (size_t i = 0; i < result->n_items; i++) {
        result->items[i].outcome = FHIR_REFUSED;
        result->items[i].n_events = result->items[i].first_event = 0;
    }
    return false;
}

void fhir_result_clear(struct fhir_result *result)
{
    drop_events(result, 0);
    *result = (struct fhir_result){0};
}
