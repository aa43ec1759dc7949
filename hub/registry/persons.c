#include "persons.h"

#include <stdalign.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

/* A look-up of somebody who is not cached is what a decision costs where there are more persons than that: one for the
 * identifier, one for the person. A memo takes a cache line for two; a cached person a kilobyte or two. */
enum { CACHED_MAX = 65536, MEMOS = 131072, MEMOS_IN_ROW = 2 };

struct person_memo {
    uint8_t hash[DIGEST_BYTES];
    uint64_t number; /* 0: nothing here */
};

void persons_open(struct persons *persons, struct store *store)
{
    *persons = (struct persons){.store = store, .last_number = store_subject_last(store)};
    arena_init(&persons->arena);
}

/* ---- Cards in memory --------------------------------------------------------------------------------------------- */

/* A card is some dozens of small pieces. They are read together, at each decision, and go together: so they are laid
 * side by side. */
struct person_memory {
    struct person_memory *older;
    size_t size, used;
    max_align_t bytes[];
};

enum { MEMORY_FIRST_BYTES = 384, MEMORY_PER_PACKED_BYTE = 4, MEMORY_MORE_BYTES = 1024 };

static struct person_memory *memory_add(struct person_memory *older, size_t size)
{
    struct person_memory *memory = xreallocarray(NULL, 1, sizeof *memory + size);
    *memory = (struct person_memory){.older = older, .size = size};
    return memory;
}

static void *memory_alloc(void *ctx, size_t size)
{
    struct person *person = ctx;
    size_t rounded = (size + alignof(void *) - 1) / alignof(void *) * alignof(void *);
    if (person->memory->size - person->memory->used < rounded)
        person->memory = memory_add(person->memory, rounded + MEMORY_MORE_BYTES);
    void *got = (char *)person->memory->bytes + person->memory->used;
    person->memory->used += rounded;
    return got;
}

static void memory_free(void *ctx, void *bytes)
{
    (void)ctx;
    (void)bytes;
}

static void memory_drop(struct person *person)
{
    for (struct person_memory *memory = person->memory, *older; memory; memory = older) {
        older = memory->older;
        free(memory);
    }
    person->memory = NULL;
}

/* The old card is gone. False: it cannot be unpacked, and there is none. */
static bool card_unpack(struct person *person, const uint8_t *packed, size_t size)
{
    memory_drop(person);
    person->memory = memory_add(NULL, MEMORY_FIRST_BYTES + size * MEMORY_PER_PACKED_BYTE);
    ProtobufCAllocator allocator = {memory_alloc, memory_free, person};
    person->card = carehub__v1__patient_card__unpack(&allocator, size, packed);
    return person->card;
}

static void person_free(struct person *person)
{
    memory_drop(person);
    sodium_memzero(person->key, sizeof person->key);
    free(person);
}

void persons_forget(struct persons *persons)
{
    for (struct person *person = persons->newest, *older; person; person = older) {
        older = person->older;
        person_free(person);
    }
    persons->newest = persons->oldest = NULL;
    u64map_fini(&persons->cached);
    free(persons->memos);
    persons->memos = NULL;
    persons->last_number = store_subject_last(persons->store);
}

void persons_close(struct persons *persons)
{
    if (!persons->store)
        return;
    persons_forget(persons);
    arena_fini(&persons->arena);
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

void person_find_dates(struct person *person, int64_t now_ms)
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
    struct card card;
    enum store_result found = store_person_get(persons->store, number, person->key, &persons->arena, &card);
    if (found == STORE_OK && card_unpack(person, card.body, card.size)) {
        person->number = number;
        person->from_place = card.from_place;
    } else {
        *damaged = found != STORE_NONE && found != STORE_ERASED;
        person_free(person);
        person = NULL;
    }
    arena_reset(&persons->arena);
    return person;
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
        person_find_dates(person, now_ms);
        cache(persons, person);
    }
    if (now_ms >= person->stable_until_ms)
        person_find_dates(person, now_ms);
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

/* The row of memos where a hash may stand, the one seen last first. */
static struct person_memo *memo_row(struct persons *persons, const uint8_t hash[DIGEST_BYTES])
{
    uint64_t part;
    memcpy(&part, hash, sizeof part);
    if (!persons->memos)
        persons->memos = xcalloc(MEMOS, sizeof *persons->memos);
    return &persons->memos[part % (MEMOS / MEMOS_IN_ROW) * MEMOS_IN_ROW];
}

static struct person_memo *memo_find(struct person_memo *row, const uint8_t hash[DIGEST_BYTES])
{
    for (int i = 0; i < MEMOS_IN_ROW; i++)
        if (row[i].number && memcmp(row[i].hash, hash, DIGEST_BYTES) == 0)
            return &row[i];
    return NULL;
}

/* At the front of its row; what is last there goes, or the older memo of the same hash. */
static void remember(struct person_memo *row, const uint8_t hash[DIGEST_BYTES], uint64_t number)
{
    struct person_memo *from = memo_find(row, hash);
    if (!from)
        from = &row[MEMOS_IN_ROW - 1];
    memmove(row + 1, row, (size_t)(from - row) * sizeof *row);
    memcpy(row->hash, hash, DIGEST_BYTES);
    row->number = number;
}

uint64_t persons_find(struct persons *persons, const Carehub__V1__Identifier *identifier, bool *damaged)
{
    uint8_t hash[DIGEST_BYTES];
    vault_identifier_hash(store_vault(persons->store), identifier->system, identifier->value, hash);
    struct person_memo *row = memo_row(persons, hash), *memo = memo_find(row, hash);
    uint64_t number = memo ? memo->number : 0;
    *damaged = !memo && store_identifier_find(persons->store, hash, &number) == STORE_DAMAGED;
    if (number && memo != row)
        remember(row, hash, number);
    return number;
}

void persons_identify(struct persons *persons, const Carehub__V1__Identifier *identifier, uint64_t number)
{
    uint8_t hash[DIGEST_BYTES];
    vault_identifier_hash(store_vault(persons->store), identifier->system, identifier->value, hash);
    store_identifier_put(persons->store, hash, number);
    remember(memo_row(persons, hash), hash, number);
}

void persons_unidentify(struct persons *persons, const Carehub__V1__Identifier *identifier)
{
    uint8_t hash[DIGEST_BYTES];
    vault_identifier_hash(store_vault(persons->store), identifier->system, identifier->value, hash);
    store_identifier_remove(persons->store, hash);
    struct person_memo *memo = memo_find(memo_row(persons, hash), hash);
    if (memo)
        memo->number = 0;
}

struct person *persons_create(struct persons *persons)
{
    struct person *person = xcalloc(1, sizeof *person);
    person->number = ++persons->last_number;
    if (!card_unpack(person, NULL, 0)) /* an empty card */
        abort();
    person->stable_until_ms = INT64_MAX;
    store_subject_create(persons->store, person->number, person->key);
    cache(persons, person);
    return person;
}

void persons_put(struct persons *persons, struct person *person, const Carehub__V1__PatientCard *changed,
                 uint64_t place, int64_t now_ms)
{
    size_t size = carehub__v1__patient_card__get_packed_size(changed);
    uint8_t *packed = arena_alloc(&persons->arena, size);
    carehub__v1__patient_card__pack(changed, packed);
    if (!card_unpack(person, packed, size))
        abort(); /* what was packed does unpack; no memory is no reason to go on */
    store_person_put(persons->store, person->number, person->key, place, packed, size);
    arena_reset(&persons->arena);
    person->from_place = place;
    person_find_dates(person, now_ms);
    if (person->stable_until_ms != INT64_MAX)
        store_due_put(persons->store, person->number, person->stable_until_ms);
}
