// Documents: a text with one resource or a Bundle, and all that comes of it together.
#include "fhir_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json_object.h>
#include <sodium.h>

#include "fhir_job.h"
#include "pbjson.h"

#define TYPE_MAX_BYTES 40u

static const char *const observation_times[] = {"issued", "effectiveDateTime", "effectiveInstant", NULL};
static const char *const adverse_event_times[] = {"recordedDate", "detected", "date", NULL};
static const char *const communication_times[] = {"sent", "received", NULL};
static const char *const questionnaire_times[] = {"authored", NULL};
static const char *const no_times[] = {NULL};

static const struct fhir_kind kinds[] = {
    {"Observation", observation_times, fhir_observation},
    {"AdverseEvent", adverse_event_times, fhir_adverse_event},
    {"Communication", communication_times, fhir_communication},
    {"Encounter", no_times, fhir_encounter},
    {"Flag", no_times, fhir_flag},
    {"QuestionnaireResponse", questionnaire_times, fhir_questionnaire_response},
};

const struct fhir_kind *fhir_kind_of(const char *type)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].type, type) == 0)
            return &kinds[i];
    return NULL;
}

// ---- A resource on its own

static void want_resource(struct fhir_document *d, struct problems *problems)
{
    const char *type = d->root.name;
    const struct fhir_kind *kind = fhir_kind_of(type);
    if (kind == NULL) {
        problems_add(problems, PROBLEM_ERROR, type[0] == '\0' ? PROBLEM_REQUIRED : PROBLEM_NOT_SUPPORTED, type,
                     type[0] == '\0' ? "not a FHIR resource: it has no resourceType"
                                     : "resources of this type are not taken; " FHIR_TAKEN);
        return;
    }
    snprintf(d->kind, sizeof d->kind, "%s", type);
    d->n_entries = 1;
    d->entries[0] =
        (struct fhir_entry){.resource = d->root, .full_url = "", .type = type, .id = fhir_quiet_text(&d->root, "id")};
    fhir_want(d, 0);
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
            fhir_want_bundle(d, problems);
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

const char *fhir_document_id(const struct fhir_document *self)
{
    return fhir_quiet_text(&self->root, "id");
}

size_t fhir_document_entries(const struct fhir_document *self)
{
    return self->n_entries;
}

size_t fhir_document_items(const struct fhir_document *self)
{
    return self->n_wanted;
}

const char *fhir_document_episode(const struct fhir_document *self, size_t item)
{
    return self->wanted[item].episode;
}

const char *fhir_document_identity(const struct fhir_document *self, size_t item)
{
    return self->wanted[item].identity;
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
        result->items[i] = (struct fhir_item){.entry = wanted->entry,
                                              .type = wanted->kind != NULL ? wanted->kind->type : "",
                                              .first_event = result->n_events};
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
