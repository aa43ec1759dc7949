#include "persons.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

enum { CACHED_MAX = 65536, HASHES_MAX = 131072 };

struct hash_memo {
    uint8_t hash[DIGEST_BYTES];
    uint64_t number;
};

void persons_open(struct persons *persons, struct store *store)
{
    *persons = (struct persons){.store = store, .last_number = store_subject_last(store)};
}

static void person_free(struct person *person)
{
    carehub__v1__patient_card__free_unpacked(person->card, NULL);
    sodium_memzero(person->key, sizeof person->key);
    free(person);
}

static void hashes_forget(struct persons *persons)
{
    uint64_t key;
    void *memo;
    for (size_t at = 0; u64map_next(&persons->hashes, &at, &key, &memo);)
        free(memo);
    u64map_fini(&persons->hashes);
}

void persons_forget(struct persons *persons)
{
    for (struct person *person = persons->newest, *older; person; person = older) {
        older = person->older;
        person_free(person);
    }
    persons->newest = persons->oldest = NULL;
    u64map_fini(&persons->cached);
    hashes_forget(persons);
    persons->last_number = store_subject_last(persons->store);
}

void persons_close(struct persons *persons)
{
    if (persons->store)
        persons_forget(persons);
}

/* ---- The cache: least recently used goes first ------------------------------------------------------------------ */

static void unlink_person(struct persons *persons, struct person *person)
{
    *(person->newer ? &person->newer->older : &persons->newest) = person->older;
    *(person->older ? &person->older->newer : &persons->oldest) = person->newer;
    person->newer = person->older = NULL;
}

static void link_newest(struct persons *persons, struct person *person)
{
    person->older = persons->newest;
    *(persons->newest ? &persons->newest->newer : &persons->oldest) = person;
    persons->newest = person;
}

static void cache(struct persons *persons, struct person *person)
{
    if (persons->cached.count >= CACHED_MAX) {
        struct person *oldest = persons->oldest;
        unlink_person(persons, oldest);
        u64map_remove(&persons->cached, oldest->number);
        person_free(oldest);
    }
    u64map_set(&persons->cached, person->number, person);
    link_newest(persons, person);
}

static void boundary(struct person *person, int64_t at_ms, int64_t now_ms)
{
    if (at_ms > now_ms && at_ms < person->stable_until_ms)
        person->stable_until_ms = at_ms;
    if (at_ms <= now_ms && at_ms > person->stable_since_ms)
        person->stable_since_ms = at_ms;
}

static void find_boundaries(struct person *person, int64_t now_ms)
{
    const Carehub__V1__PatientCard *card = person->card;
    person->stable_since_ms = 0;
    person->stable_until_ms = INT64_MAX;
    for (size_t i = 0; i < card->n_members; i++) {
        boundary(person, card->members[i]->from_ms, now_ms);
        boundary(person, card->members[i]->until_ms, now_ms);
    }
    for (size_t i = 0; i < card->n_grants; i++) {
        boundary(person, card->grants[i]->from_ms, now_ms);
        boundary(person, card->grants[i]->until_ms, now_ms);
    }
    for (size_t i = 0; i < card->n_settings; i++) {
        boundary(person, card->settings[i]->from_ms, now_ms);
        boundary(person, card->settings[i]->until_ms, now_ms);
    }
    for (size_t i = 0; i < card->n_consents; i++) {
        boundary(person, card->consents[i]->from_ms, now_ms);
        boundary(person, card->consents[i]->until_ms, now_ms);
    }
}

bool person_has_dates(const struct person *person)
{
    return person->stable_since_ms != 0 || person->stable_until_ms != INT64_MAX;
}

static struct person *load(struct persons *persons, uint64_t number, bool *damaged)
{
    struct person *person = xcalloc(1, sizeof *person);
    person->number = number;
    enum store_result key = store_subject_key(persons->store, number, person->key);
    struct arena arena;
    arena_init(&arena);
    struct card card;
    enum store_result found = store_card_get(persons->store, CARD_PATIENT, number, PLACE_LATEST, &arena, &card);
    if (key == STORE_OK && found == STORE_OK) {
        person->from_place = card.from_place;
        person->card = carehub__v1__patient_card__unpack(NULL, card.size, card.body);
    }
    *damaged = key == STORE_DAMAGED || found == STORE_DAMAGED || (key == STORE_OK && !person->card);
    arena_fini(&arena);
    if (person->card)
        return person;
    person_free(person);
    return NULL;
}

struct person *persons_get(struct persons *persons, uint64_t number, int64_t now_ms, bool *damaged)
{
    *damaged = false;
    if (number == 0)
        return NULL;
    struct person *person = u64map_get(&persons->cached, number);
    if (person) {
        if (person != persons->newest) {
            unlink_person(persons, person);
            link_newest(persons, person);
        }
    } else {
        person = load(persons, number, damaged);
        if (!person)
            return NULL;
        find_boundaries(person, now_ms);
        cache(persons, person);
    }
    if (now_ms >= person->stable_until_ms)
        find_boundaries(person, now_ms);
    return person;
}

/* Only who is merged into nobody can be merged, and only into such a one: so there are no circles. */
uint64_t persons_survivor(struct persons *persons, uint64_t number, int64_t now_ms)
{
    bool damaged;
    const struct person *person = persons_get(persons, number, now_ms, &damaged);
    while (person && person->card->merged_into) {
        number = person->card->merged_into;
        person = persons_get(persons, number, now_ms, &damaged);
    }
    return number;
}

/* ---- Identifiers ------------------------------------------------------------------------------------------------ */

static uint64_t hash_key(const uint8_t hash[DIGEST_BYTES])
{
    uint64_t key;
    memcpy(&key, hash, sizeof key);
    return key ? key : 1;
}

static void remember(struct persons *persons, const uint8_t hash[DIGEST_BYTES], uint64_t number)
{
    if (persons->hashes.count >= HASHES_MAX)
        hashes_forget(persons);
    struct hash_memo *memo = xcalloc(1, sizeof *memo);
    memcpy(memo->hash, hash, DIGEST_BYTES);
    memo->number = number;
    free(u64map_set(&persons->hashes, hash_key(hash), memo));
}

uint64_t persons_find(struct persons *persons, const Carehub__V1__Identifier *identifier)
{
    uint8_t hash[DIGEST_BYTES];
    vault_identifier_hash(store_vault(persons->store), identifier->system, identifier->value, hash);
    struct hash_memo *memo = u64map_get(&persons->hashes, hash_key(hash));
    if (memo && memcmp(memo->hash, hash, DIGEST_BYTES) == 0)
        return memo->number;
    uint64_t number = store_identifier_find(persons->store, hash);
    if (number)
        remember(persons, hash, number);
    return number;
}

void persons_identify(struct persons *persons, const Carehub__V1__Identifier *identifier, uint64_t number)
{
    uint8_t hash[DIGEST_BYTES];
    vault_identifier_hash(store_vault(persons->store), identifier->system, identifier->value, hash);
    store_identifier_put(persons->store, hash, number);
    remember(persons, hash, number);
}

void persons_unidentify(struct persons *persons, const Carehub__V1__Identifier *identifier)
{
    uint8_t hash[DIGEST_BYTES];
    vault_identifier_hash(store_vault(persons->store), identifier->system, identifier->value, hash);
    store_identifier_remove(persons->store, hash);
    free(u64map_remove(&persons->hashes, hash_key(hash)));
}

struct person *persons_create(struct persons *persons)
{
    struct person *person = xcalloc(1, sizeof *person);
    person->number = ++persons->last_number;
    person->card = xcalloc(1, sizeof *person->card);
    carehub__v1__patient_card__init(person->card);
    person->stable_until_ms = INT64_MAX;
    store_subject_create(persons->store, person->number, person->key);
    cache(persons, person);
    return person;
}

void persons_put(struct persons *persons, struct person *person, uint64_t place, int64_t now_ms)
{
    size_t size = carehub__v1__patient_card__get_packed_size(person->card);
    uint8_t *body = xcalloc(1, size);
    carehub__v1__patient_card__pack(person->card, body);
    store_card_put(persons->store, CARD_PATIENT, person->number, place, body, size);
    free(body);
    person->from_place = place;
    find_boundaries(person, now_ms);
    if (person->stable_until_ms != INT64_MAX)
        store_due_put(persons->store, person->number, person->stable_until_ms);
}
