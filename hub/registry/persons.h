/* persons.h - the persons in care, as routing needs them: their card (team, consents, grants) and payload key, from the
 * store through a bounded cache. Core thread only.
 *
 * A person is a surrogate number here. An index of keyed hashes leads from identifiers to numbers; identifiers
 * themselves are nowhere in clear. */
#ifndef CAREHUB_PERSONS_H
#define CAREHUB_PERSONS_H

#include <stdbool.h>
#include <stdint.h>

#include "carehub/v1/common.pb-c.h"
#include "carehub/v1/log.pb-c.h"
#include "store/store.h"
#include "store/u64map.h"

struct person_memory;

struct person {
    uint64_t number;
    uint64_t from_place;            /* of this version of the card; 0: no fact yet */
    Carehub__V1__PatientCard *card; /* with all that hangs on it in … */
    struct person_memory *memory;   /* … these few pieces of memory, side by side */
    int64_t stable_since_ms; /* the last moment at which a membership, consent or grant began or ended by its date … */
    int64_t stable_until_ms; /* … and the next one; 0 and INT64_MAX: none */
    uint8_t key[VAULT_KEY_BYTES];
    struct person *newer, *older;
};

struct persons {
    struct store *store;
    struct u64map cached;
    struct person *newest, *oldest;
    struct person_memo *memos; /* what identifiers were found to lead to, by a part of their hash */
    struct arena arena;        /* for a card on its way */
    uint64_t last_number;
};

void persons_open(struct persons *persons, struct store *store);
void persons_close(struct persons *persons);
/* Forgets what is cached, after a rollback. */
void persons_forget(struct persons *persons);

/* The person of that number; NULL: none, erased, or damaged (then *damaged is set). Borrowed until some thousands of
 * others have been asked for. */
struct person *persons_get(struct persons *persons, uint64_t number, int64_t now_ms, bool *damaged);

/* The number whose team and consent decide for `number`: that of the person it was merged into, or itself. */
uint64_t persons_survivor(struct persons *persons, uint64_t number, int64_t now_ms);

/* The number that an identifier leads to, or 0; whatever that person was merged into. *damaged: there is a row, but it
 * does not prove that it leads to a person; then nobody can say who is meant. */
uint64_t persons_find(struct persons *persons, const Carehub__V1__Identifier *identifier, bool *damaged);

/* A new person, at the next number. */
struct person *persons_create(struct persons *persons);
void persons_identify(struct persons *persons, const Carehub__V1__Identifier *identifier, uint64_t number);
void persons_unidentify(struct persons *persons, const Carehub__V1__Identifier *identifier);

/* Takes over a copy of `changed`, which may borrow from person->card or be it, as the version of the card from `place`
 * on, and stores it. */
void persons_put(struct persons *persons, struct person *person, const Carehub__V1__PatientCard *changed,
                 uint64_t place, int64_t now_ms);

/* Finds the dates between which nothing on the card begins or ends: stable_since_ms and stable_until_ms. */
void person_find_dates(struct person *person, int64_t now_ms);
/* True if anything on the card depends on the date. */
bool person_has_dates(const struct person *person);

#endif
