// What a resource is at its sender, so that it is known when it comes again.
#include <stdio.h>
#include <string.h>

#include <json-c/json_object.h>
#include <sodium.h>

#include "fhir_job.h"

void fhir_hex(const uint8_t *bytes, size_t len, char *out)
{
    sodium_bin2hex(out, 2 * len + 1, bytes, len);
}

// Writes "Type|a|b". A name that is longer than an episode may be is replaced by its digest.
static void name_it(char out[FHIR_EPISODE_CHARS], const char *type, const char *a, const char *b)
{
    crypto_hash_sha256_state state;
    uint8_t digest[crypto_hash_sha256_BYTES];
    char hex[2 * sizeof digest + 1];
    // Room is left for the sender's name before it.
    if (snprintf(out, FHIR_EPISODE_CHARS, "%.64s|%s|%s", type, a, b) < (int)FHIR_EPISODE_CHARS - 80)
        return;
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, (const uint8_t *)a, strlen(a) + 1);
    crypto_hash_sha256_update(&state, (const uint8_t *)b, strlen(b));
    crypto_hash_sha256_final(&state, digest);
    fhir_hex(digest, sizeof digest, hex);
    snprintf(out, FHIR_EPISODE_CHARS, "%.64s|sha256|%s", type, hex);
}

static bool by_identifier(char out[FHIR_EPISODE_CHARS], const char *type, const struct fhir_node *identifier)
{
    struct problems unused = {0}; // who reads the element complains
    const char *value = fhir_text(&unused, identifier, "value");
    if (value[0] == '\0')
        return false;
    if (strncmp(value, "urn:uuid:", 9) == 0) // some write a UUID so in one message, and bare in the next
        value += 9;
    name_it(out, type, fhir_text(&unused, identifier, "system"), value);
    return true;
}

// Observation, Flag and Encounter have a list of identifiers, AdverseEvent and Bundle have one.
static bool by_own_identifier(char out[FHIR_EPISODE_CHARS], const char *type, const struct fhir_node *resource)
{
    struct fhir_node identifier = fhir_get(resource, "identifier");
    if (json_object_is_type(identifier.json, json_type_array))
        identifier = fhir_at(&identifier, 0);
    return by_identifier(out, type, &identifier);
}

// Some senders number the stay, not each of the Encounters in which they tell of it.
static bool by_episode_of_care(char out[FHIR_EPISODE_CHARS], const char *type, const struct fhir_node *resource)
{
    struct fhir_node episodes = fhir_get(resource, "episodeOfCare");
    if (strcmp(type, "Encounter") != 0 || !json_object_is_type(episodes.json, json_type_array))
        return false;
    struct fhir_node first = fhir_at(&episodes, 0), identifier = fhir_get(&first, "identifier");
    return by_identifier(out, type, &identifier);
}

static bool id_is_the_senders(const struct fhir_document *d, const struct fhir_entry *entry)
{
    struct problems unused = {0};
    struct fhir_node request = fhir_get(&entry->node, "request");
    const char *status = fhir_text(&unused, &entry->resource, "status");
    return d->bundle == FHIR_MESSAGE || d->bundle == FHIR_COLLECTION ||
           (d->bundle == FHIR_NO_BUNDLE && d->in->update) ||
           strcmp(fhir_text(&unused, &request, "method"), "PUT") == 0 || strcmp(status, "entered-in-error") == 0 ||
           strcmp(status, "amended") == 0 || strcmp(status, "corrected") == 0;
}

// Names the document, for what in it has no name of its own.
static bool by_document(const struct fhir_document *d, char out[FHIR_EPISODE_CHARS], const char *type, size_t entry)
{
    char bundle[FHIR_EPISODE_CHARS], place[24];
    const char *key = d->in->idempotency_key;
    snprintf(place, sizeof place, "%zu", entry);
    if (key != NULL && key[0] != '\0') {
        name_it(out, type, key, place);
        return true;
    }
    if (d->bundle == FHIR_NO_BUNDLE || !by_own_identifier(bundle, "Bundle", &d->root))
        return false;
    name_it(out, type, bundle, place);
    return true;
}

static void by_content(char out[FHIR_EPISODE_CHARS], const char *type, const struct fhir_node *resource)
{
    uint8_t digest[crypto_hash_sha256_BYTES];
    char hex[2 * sizeof digest + 1];
    const char *text =
        resource->json != NULL ? json_object_to_json_string_ext(resource->json, JSON_C_TO_STRING_PLAIN) : NULL;
    crypto_hash_sha256(digest, (const uint8_t *)(text != NULL ? text : ""), text != NULL ? strlen(text) : 0);
    fhir_hex(digest, sizeof digest, hex);
    name_it(out, type, "sha256", hex);
}

void fhir_identify(const struct fhir_document *d, struct fhir_wanted *wanted)
{
    const struct fhir_entry *entry = &d->entries[wanted->entry];
    char *out = wanted->identity;
    const char *type = entry->type;
    wanted->named = by_own_identifier(out, type, &entry->resource) || by_episode_of_care(out, type, &entry->resource);
    if (!wanted->named) {
        if (entry->id[0] != '\0' && id_is_the_senders(d, entry))
            name_it(out, type, "id", entry->id);
        else if (strncmp(entry->full_url, "urn:uuid:", 9) == 0)
            name_it(out, type, "id", entry->full_url);
        else if (!by_document(d, out, type, wanted->entry))
            by_content(out, type, &entry->resource);
    }
    snprintf(wanted->episode, sizeof wanted->episode, "%.64s:%.250s", d->in->sender != NULL ? d->in->sender : "", out);
}
