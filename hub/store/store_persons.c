/* The rows of the data subjects, persons in care and actors who are natural persons: their keys, a person's card in
 * force, the identifiers that lead to a person, and the dates at which something of one begins or ends. */
#include "store_private.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

/* ---- Keys -------------------------------------------------------------------------------------------------------- */

void store_subject_create(struct store *store, uint64_t subject, uint8_t key[VAULT_KEY_BYTES])
{
    uint8_t wrapped[VAULT_WRAPPED_BYTES];
    vault_subject_create(store->vault, subject, key, wrapped);
    sqlite3_stmt *statement =
        bind_numbers(store, SUBJECT_PUT, NUMBERS((int64_t)subject, vault_epoch_current(store->vault)));
    sqlite3_bind_blob(statement, 3, wrapped, sizeof wrapped, SQLITE_STATIC);
    store_run(store, statement);
}

/* What stands in the place of the key of a subject that has been erased: sealed, so that nobody who has no key can make
 * it look as if somebody had been. */
enum { GRAVE_BYTES = VAULT_OVERHEAD_BYTES };

static bool is_grave(struct store *store, uint64_t subject, const uint8_t *wrapped)
{
    struct row row = {'z', (int64_t)subject, 0, 0};
    uint8_t nothing;
    return vault_open(vault_key(store->vault, VAULT_STATE), &row, sizeof row, wrapped, GRAVE_BYTES, &nothing);
}

/* The key of a row whose first columns are its epoch and the key, wrapped. */
static enum store_result subject_unwrap(struct store *store, sqlite3_stmt *statement, uint64_t subject,
                                        uint8_t key[VAULT_KEY_BYTES])
{
    const uint8_t *wrapped = sqlite3_column_blob(statement, 1);
    uint32_t epoch = (uint32_t)sqlite3_column_int64(statement, 0);
    switch (sqlite3_column_bytes(statement, 1)) {
    case VAULT_WRAPPED_BYTES:
        return vault_subject_load(store->vault, subject, epoch, wrapped, key) ? STORE_OK : STORE_DAMAGED;
    case GRAVE_BYTES:
        return is_grave(store, subject, wrapped) ? STORE_ERASED : STORE_DAMAGED;
    default:
        return STORE_DAMAGED;
    }
}

enum store_result store_subject_key(struct store *store, uint64_t subject, uint8_t key[VAULT_KEY_BYTES])
{
    sqlite3_stmt *statement = bind_numbers(store, SUBJECT_GET, NUMBERS((int64_t)subject));
    if (!next_row(store, statement))
        return STORE_NONE;
    enum store_result result = subject_unwrap(store, statement, subject, key);
    sqlite3_reset(statement);
    return result;
}

/* The numbers of those who were erased before anything stayed of them are not used again either. */
uint64_t store_subject_last(struct store *store)
{
    int64_t last = number_of(store, store->statements[SUBJECT_LAST], 0);
    int64_t erased = store_number_get(store, "erased-last", 0);
    return (uint64_t)(last > erased ? last : erased);
}

void store_subject_erase(struct store *store, uint64_t subject)
{
    struct row row = {'z', (int64_t)subject, 0, 0};
    uint8_t grave[GRAVE_BYTES];
    vault_seal(store->vault, vault_key(store->vault, VAULT_STATE), &row, sizeof row, "", 0, grave);
    sqlite3_stmt *statement = bind_numbers(store, SUBJECT_BURY, NUMBERS((int64_t)subject));
    sqlite3_bind_blob(statement, 2, grave, sizeof grave, SQLITE_STATIC);
    store_run(store, statement);
    store_run(store, bind_numbers(store, IDENTIFIERS_ERASE, NUMBERS((int64_t)subject)));
}

static void rewrap(struct store *store, uint64_t subject, uint32_t epoch, const uint8_t *wrapped)
{
    uint8_t key[VAULT_KEY_BYTES], anew[VAULT_WRAPPED_BYTES];
    if (vault_subject_load(store->vault, subject, epoch, wrapped, key)) {
        vault_subject_wrap(store->vault, subject, key, anew);
        sqlite3_stmt *statement =
            bind_numbers(store, SUBJECT_REWRAP, NUMBERS((int64_t)subject, vault_epoch_current(store->vault)));
        sqlite3_bind_blob(statement, 3, anew, sizeof anew, SQLITE_STATIC);
        store_run(store, statement);
    }
    sodium_memzero(key, sizeof key);
}

size_t store_subjects_rewrap(struct store *store, int64_t after, size_t max, int64_t *last)
{
    struct old {
        int64_t subject;
        uint32_t epoch;
        uint8_t wrapped[VAULT_WRAPPED_BYTES];
    } *old = arena_alloc(&store->seal, max * sizeof *old);
    size_t looked = 0, n = 0;
    sqlite3_stmt *statement = bind_numbers(store, SUBJECTS_BEHIND, NUMBERS(after, (int64_t)max));
    for (; next_row(store, statement); looked++) {
        *last = sqlite3_column_int64(statement, 0);
        uint32_t epoch = (uint32_t)sqlite3_column_int64(statement, 1);
        if (epoch == vault_epoch_current(store->vault) || sqlite3_column_bytes(statement, 2) != VAULT_WRAPPED_BYTES)
            continue;
        old[n].subject = *last;
        old[n].epoch = epoch;
        memcpy(old[n++].wrapped, sqlite3_column_blob(statement, 2), VAULT_WRAPPED_BYTES);
    }
    for (size_t i = 0; i < n; i++)
        rewrap(store, (uint64_t)old[i].subject, old[i].epoch, old[i].wrapped);
    arena_reset(&store->seal);
    return looked;
}

/* ---- Persons ----------------------------------------------------------------------------------------------------- */

enum store_result store_person_get(struct store *store, uint64_t number, uint8_t key[VAULT_KEY_BYTES],
                                   struct arena *arena, struct card *card)
{
    sqlite3_stmt *statement = bind_numbers(store, PERSON_GET, NUMBERS((int64_t)number));
    if (!next_row(store, statement))
        return STORE_NONE;
    enum store_result result = subject_unwrap(store, statement, number, key);
    if (result == STORE_OK && sqlite3_column_type(statement, 3) == SQLITE_NULL) {
        result = STORE_NONE;
    } else if (result == STORE_OK) {
        card->number = number;
        card->from_place = (uint64_t)sqlite3_column_int64(statement, 2);
        struct row row = {'c', CARD_PATIENT, (int64_t)number, (int64_t)card->from_place};
        result = open_sealed_with(store, key, statement, 3, &row, arena, card);
    }
    sqlite3_reset(statement);
    return result;
}

void store_person_put(struct store *store, uint64_t number, const uint8_t key[VAULT_KEY_BYTES], uint64_t from_place,
                      const void *body, size_t size)
{
    struct row row = {'c', CARD_PATIENT, (int64_t)number, (int64_t)from_place};
    size_t sealed_size = size + VAULT_OVERHEAD_BYTES;
    uint8_t *sealed = arena_alloc(&store->seal, sealed_size);
    vault_seal(store->vault, key, &row, sizeof row, body, size, sealed);
    sqlite3_stmt *version = bind_numbers(store, CARD_PUT, NUMBERS(CARD_PATIENT, (int64_t)number, (int64_t)from_place));
    sqlite3_stmt *current = bind_numbers(store, PERSON_PUT, NUMBERS((int64_t)number, (int64_t)from_place));
    sqlite3_bind_blob64(version, 4, sealed, sealed_size, SQLITE_STATIC);
    sqlite3_bind_blob64(current, 3, sealed, sealed_size, SQLITE_STATIC);
    store_run(store, version);
    store_run(store, current);
    sqlite3_bind_null(version, 4);
    sqlite3_bind_null(current, 3);
    arena_reset(&store->seal);
}

/* ---- Identifiers ------------------------------------------------------------------------------------------------- */

void store_identifier_put(struct store *store, const uint8_t hash[DIGEST_BYTES], uint64_t subject)
{
    sqlite3_stmt *statement = store->statements[IDENTIFIER_PUT];
    uint8_t mac[DIGEST_BYTES];
    vault_identifier_mac(store->vault, hash, subject, mac);
    sqlite3_bind_blob(statement, 1, hash, DIGEST_BYTES, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, (int64_t)subject);
    sqlite3_bind_blob(statement, 3, mac, sizeof mac, SQLITE_STATIC);
    store_run(store, statement);
}

void store_identifier_remove(struct store *store, const uint8_t hash[DIGEST_BYTES])
{
    sqlite3_stmt *statement = store->statements[IDENTIFIER_REMOVE];
    sqlite3_bind_blob(statement, 1, hash, DIGEST_BYTES, SQLITE_STATIC);
    store_run(store, statement);
}

bool identifier_proved(struct store *store, const uint8_t hash[DIGEST_BYTES], uint64_t subject, const uint8_t *mac,
                       int size)
{
    uint8_t right[DIGEST_BYTES];
    vault_identifier_mac(store->vault, hash, subject, right);
    return size == DIGEST_BYTES && sodium_memcmp(mac, right, DIGEST_BYTES) == 0;
}

enum store_result store_identifier_find(struct store *store, const uint8_t hash[DIGEST_BYTES], uint64_t *subject)
{
    sqlite3_stmt *statement = store->statements[IDENTIFIER_FIND];
    sqlite3_bind_blob(statement, 1, hash, DIGEST_BYTES, SQLITE_STATIC);
    *subject = 0;
    if (!next_row(store, statement))
        return STORE_NONE;
    uint64_t found = (uint64_t)sqlite3_column_int64(statement, 0);
    bool proved =
        identifier_proved(store, hash, found, sqlite3_column_blob(statement, 1), sqlite3_column_bytes(statement, 1));
    sqlite3_reset(statement);
    *subject = proved ? found : 0;
    return proved ? STORE_OK : STORE_DAMAGED;
}

size_t store_identifiers_of(struct store *store, uint64_t subject, uint8_t (*hashes)[DIGEST_BYTES], size_t max)
{
    sqlite3_stmt *statement = bind_numbers(store, IDENTIFIERS_OF, NUMBERS((int64_t)subject, (int64_t)max));
    size_t n = 0;
    while (next_row(store, statement))
        if (n < max && sqlite3_column_bytes(statement, 0) == DIGEST_BYTES)
            memcpy(hashes[n++], sqlite3_column_blob(statement, 0), DIGEST_BYTES);
    return n;
}

size_t store_identifiers_prove(struct store *store, uint8_t after[DIGEST_BYTES], size_t max)
{
    struct old {
        uint8_t hash[DIGEST_BYTES];
        uint64_t subject;
    } *old = xreallocarray(NULL, max, sizeof *old);
    sqlite3_stmt *statement = store->statements[IDENTIFIERS_BEHIND];
    size_t looked = 0, n = 0;
    sqlite3_bind_blob(statement, 1, after, DIGEST_BYTES, SQLITE_TRANSIENT);
    sqlite3_bind_int64(statement, 2, (int64_t)max);
    for (; next_row(store, statement); looked++) {
        if (sqlite3_column_bytes(statement, 0) != DIGEST_BYTES)
            continue;
        memcpy(after, sqlite3_column_blob(statement, 0), DIGEST_BYTES);
        if (sqlite3_column_bytes(statement, 2) > 0)
            continue;
        memcpy(old[n].hash, after, DIGEST_BYTES);
        old[n++].subject = (uint64_t)sqlite3_column_int64(statement, 1);
    }
    for (size_t i = 0; i < n; i++)
        store_identifier_put(store, old[i].hash, old[i].subject);
    free(old);
    return looked;
}

/* ---- Dates ------------------------------------------------------------------------------------------------------- */

static void due_run(struct store *store, enum statement which, uint64_t subject, int64_t at_ms)
{
    sqlite3_stmt *statement = store->statements[which];
    sqlite3_bind_int64(statement, 1, at_ms);
    sqlite3_bind_int64(statement, 2, (int64_t)subject);
    store_run(store, statement);
}

void store_due_put(struct store *store, uint64_t subject, int64_t at_ms)
{
    due_run(store, DUE_PUT, subject, at_ms);
}

void store_due_remove(struct store *store, uint64_t subject, int64_t at_ms)
{
    due_run(store, DUE_REMOVE, subject, at_ms);
}

bool store_due_has(struct store *store, uint64_t subject, int64_t at_ms)
{
    return number_of(store, bind_numbers(store, DUE_HAS, NUMBERS(at_ms, (int64_t)subject)), 0) != 0;
}

bool store_due_next(struct store *store, int64_t now_ms, uint64_t *subject, int64_t *at_ms)
{
    sqlite3_stmt *statement = store->statements[DUE_NEXT];
    sqlite3_bind_int64(statement, 1, now_ms);
    int result = sqlite3_step(statement);
    if (result != SQLITE_ROW && result != SQLITE_DONE)
        store_fail(store, "reading what is due");
    if (result == SQLITE_ROW) {
        *at_ms = sqlite3_column_int64(statement, 0);
        *subject = (uint64_t)sqlite3_column_int64(statement, 1);
    }
    sqlite3_reset(statement);
    return result == SQLITE_ROW;
}
