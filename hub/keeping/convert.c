/* What a database of schema 5 holds in its old form. Each step goes on from a mark, in slices that are transactions:
 * after a crash nothing is lost, and nothing is done twice in vain. Rows that do not open are left as they are:
 * damaged. */
#include "erasure.h"

#include <stdlib.h>

#include <sodium.h>

enum { ROWS_AT_ONCE = 10000, PLACES_AT_ONCE = 100000, ACTORS_AT_ONCE = 1000, SAID_EVERY = 100000 };

static const char NAMES[] = "names-to-convert", IDENTIFIERS[] = "identifiers-to-convert",
                  ERASED[] = "erased-to-convert", CARDS[] = "cards-to-convert";

struct converting {
    struct store *store;
    struct log *log;
    struct arena arena;
};

/* ---- Identifiers' rows prove whom they lead to ------------------------------------------------------------------- */

static void prove_identifiers(struct converting *c)
{
    uint8_t after[DIGEST_BYTES] = {0};
    uint64_t done = 0;
    size_t n = ROWS_AT_ONCE;
    while (n == ROWS_AT_ONCE && store_number_get(c->store, IDENTIFIERS, 0) > 0) {
        store_begin(c->store);
        n = store_identifiers_prove(c->store, after, ROWS_AT_ONCE);
        if (n < ROWS_AT_ONCE)
            store_number_put(c->store, IDENTIFIERS, 0);
        store_commit(c->store);
        done += n;
        if (done % SAID_EVERY == 0 && n > 0)
            say(5, "new version of the database: %llu identifiers done", (unsigned long long)done);
    }
}

/* ---- What was erased says so ------------------------------------------------------------------------------------- */

static void mark_erased(struct converting *c, uint64_t after, uint64_t through)
{
    uint64_t places[ACTORS_AT_ONCE];
    int n;
    while ((n = store_entries_empty(c->store, after, through, places, ACTORS_AT_ONCE)) > 0)
        for (int i = 0; i < n; i++)
            c->log->functions->erase(c->log, places[i]);
}

static void mark_all_erased(struct converting *c)
{
    int64_t left = store_number_get(c->store, ERASED, 0), all = left;
    while (left > 0) {
        int64_t after = left > PLACES_AT_ONCE ? left - PLACES_AT_ONCE : 0;
        store_begin(c->store);
        mark_erased(c, (uint64_t)after, (uint64_t)left);
        store_number_put(c->store, ERASED, after);
        store_commit(c->store);
        left = after;
        if (all > PLACES_AT_ONCE)
            say(5, "new version of the database: %lld of %lld entries done", (long long)(all - left), (long long)all);
    }
}

/* ---- What names actors is sealed with their own keys ------------------------------------------------------------- */

struct actors {
    struct {
        uint32_t number;
        bool erased; /* by an older version, of whom nothing is left to seal */
    } * list;
    size_t n, capacity;
};

static void take_actor(void *ctx, const struct card *row)
{
    struct actors *actors = ctx;
    Carehub__V1__ActorCard *card = carehub__v1__actor_card__unpack(NULL, row->size, row->body);
    if (card && actor_is_natural(card)) {
        GROW(actors->list, actors->n, actors->capacity);
        actors->list[actors->n].number = (uint32_t)row->number;
        actors->list[actors->n++].erased = card->standing == CAREHUB__V1__STANDING__ENDED && card->n_identifiers == 0 &&
                                           strcmp(card->display, "erased") == 0;
    }
    if (card)
        carehub__v1__actor_card__free_unpacked(card, NULL);
}

static const Entry *entry_at(struct converting *c, uint64_t place)
{
    struct log_record record;
    return c->log->functions->read(c->log, place, &c->arena, &record) == STORE_OK
               ? carehub__v1__entry__unpack(&c->arena.protobuf, record.entry_size, record.entry)
               : NULL;
}

/* Every version of the card, and the entry that made it. */
static void seal_actor(struct converting *c, uint32_t number, const uint8_t hub_key[VAULT_KEY_BYTES])
{
    uint64_t subject = STORE_ACTOR_SUBJECTS + number, at = PLACE_LATEST;
    uint8_t key[VAULT_KEY_BYTES];
    struct card row;
    actor_key(c->store, subject, key);
    for (; store_card_get(c->store, CARD_ACTOR, number, at, &c->arena, &row) == STORE_OK; at = row.from_place - 1) {
        store_card_put(c->store, CARD_ACTOR, number, row.from_place, row.body, row.size);
        const Entry *entry = entry_at(c, row.from_place);
        if (entry && actor_named(entry) == subject)
            c->log->functions->name(c->log, row.from_place, subject, key, hub_key);
        arena_reset(&c->arena);
    }
    sodium_memzero(key, sizeof key);
}

static void seal_actors(struct converting *c, const uint8_t hub_key[VAULT_KEY_BYTES])
{
    struct actors actors = {0};
    if (store_card_each(c->store, CARD_ACTOR, &c->arena, take_actor, &actors) != STORE_OK)
        actors.n = 0; /* damaged: said when they are loaded, which stops here */
    arena_reset(&c->arena);
    for (size_t i = (size_t)store_number_get(c->store, NAMES, 0) - 1; i < actors.n; i++) {
        if (i % ACTORS_AT_ONCE == 0)
            store_begin(c->store);
        if (actors.list[i].erased)
            store_subject_erase(c->store, STORE_ACTOR_SUBJECTS + actors.list[i].number);
        else
            seal_actor(c, actors.list[i].number, hub_key);
        if (i % ACTORS_AT_ONCE == ACTORS_AT_ONCE - 1 || i == actors.n - 1) {
            store_number_put(c->store, NAMES, (int64_t)i + 2);
            store_commit(c->store);
            say(5, "new version of the database: %zu of %zu actors done", i + 1, actors.n);
        }
    }
    free(actors.list);
    store_begin(c->store);
    store_number_put(c->store, NAMES, 0);
    store_truncate_wal(c->store);
    store_commit(c->store);
}

/* ---- Persons' cards are sealed with their own keys ---------------------------------------------------------------- */

/* Every version, the one in force beside the key too. */
static void seal_person(struct converting *c, uint64_t number)
{
    uint8_t key[VAULT_KEY_BYTES];
    struct card row;
    uint64_t at = PLACE_LATEST;
    if (store_person_get(c->store, number, key, &c->arena, &row) == STORE_OK) {
        store_person_put(c->store, number, key, row.from_place, row.body, row.size);
        at = row.from_place - 1;
    }
    sodium_memzero(key, sizeof key);
    for (; store_card_get(c->store, CARD_PATIENT, number, at, &c->arena, &row) == STORE_OK; at = row.from_place - 1)
        store_card_put(c->store, CARD_PATIENT, number, row.from_place, row.body, row.size);
    arena_reset(&c->arena);
}

static void seal_persons(struct converting *c)
{
    uint64_t next = (uint64_t)store_number_get(c->store, CARDS, 0), last = store_subject_last(c->store);
    while (next > 0 && next <= last) {
        uint64_t end = next + ROWS_AT_ONCE;
        store_begin(c->store);
        for (; next < end && next <= last; next++)
            seal_person(c, next);
        store_number_put(c->store, CARDS, (int64_t)next);
        store_commit(c->store);
        say(5, "new version of the database: %llu of %llu persons done", (unsigned long long)next - 1,
            (unsigned long long)last);
    }
    if (next == 0)
        return;
    store_begin(c->store);
    store_number_put(c->store, CARDS, 0);
    store_truncate_wal(c->store);
    store_commit(c->store);
}

void convert_stored(struct store *store, struct log *log)
{
    struct converting c = {.store = store, .log = log};
    uint8_t hub_key[VAULT_KEY_BYTES];
    arena_init(&c.arena);
    prove_identifiers(&c);
    mark_all_erased(&c);
    seal_persons(&c);
    if (store_number_get(store, NAMES, 0) > 0 && store_subject_key(store, 0, hub_key) == STORE_OK)
        seal_actors(&c, hub_key);
    sodium_memzero(hub_key, sizeof hub_key);
    arena_fini(&c.arena);
}
