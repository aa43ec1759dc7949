/* The rows of the store's tables: bound, sealed, read back. What each table is for is said in store.h and store.c. */
#include "store_private.h"

#include <string.h>

#include <sodium.h>

sqlite3_stmt *bind_numbers(struct store *store, enum statement which, int n, const int64_t numbers[])
{
    sqlite3_stmt *statement = store->statements[which];
    for (int i = 0; i < n; i++)
        sqlite3_bind_int64(statement, i + 1, numbers[i]);
    return statement;
}

int64_t number_of(struct store *store, sqlite3_stmt *statement, int64_t otherwise)
{
    int result = sqlite3_step(statement);
    if (result != SQLITE_ROW && result != SQLITE_DONE)
        store_fail(store, sqlite3_sql(statement));
    int64_t number = result == SQLITE_ROW && sqlite3_column_type(statement, 0) != SQLITE_NULL
                         ? sqlite3_column_int64(statement, 0)
                         : otherwise;
    sqlite3_reset(statement);
    return number;
}

/* ---- Sealed rows ------------------------------------------------------------------------------------------------ */

void run_sealed(struct store *store, sqlite3_stmt *statement, int index, const struct row *row, const void *body,
                size_t size)
{
    uint8_t *sealed = arena_alloc(&store->seal, size + VAULT_OVERHEAD_BYTES);
    vault_seal(store->vault, vault_key(store->vault, VAULT_STATE), row, sizeof *row, body, size, sealed);
    sqlite3_bind_blob64(statement, index, sealed, size + VAULT_OVERHEAD_BYTES, SQLITE_STATIC);
    store_run(store, statement);
    sqlite3_bind_null(statement, index);
    arena_reset(&store->seal);
}

enum store_result open_sealed(struct store *store, sqlite3_stmt *statement, int column, const struct row *row,
                              struct arena *arena, struct card *card)
{
    size_t size = (size_t)sqlite3_column_bytes(statement, column);
    if (size < VAULT_OVERHEAD_BYTES)
        return STORE_DAMAGED;
    card->size = size - VAULT_OVERHEAD_BYTES;
    card->body = arena_alloc(arena, card->size + 1);
    return vault_open(vault_key(store->vault, VAULT_STATE), row, sizeof *row, sqlite3_column_blob(statement, column),
                      size, card->body)
               ? STORE_OK
               : STORE_DAMAGED;
}

bool next_row(struct store *store, sqlite3_stmt *statement)
{
    int result = sqlite3_step(statement);
    if (result == SQLITE_ROW)
        return true;
    if (result != SQLITE_DONE)
        store_fail(store, sqlite3_sql(statement));
    sqlite3_reset(statement);
    return false;
}

int numbers_of(struct store *store, sqlite3_stmt *statement, uint64_t *numbers, int max)
{
    int n = 0;
    while (next_row(store, statement))
        if (n < max)
            numbers[n++] = (uint64_t)sqlite3_column_int64(statement, 0);
    return n;
}

/* ---- Cards ------------------------------------------------------------------------------------------------------ */

void store_card_put(struct store *store, enum card_kind kind, uint64_t number, uint64_t from_place, const void *body,
                    size_t size)
{
    struct row row = {'c', kind, (int64_t)number, (int64_t)from_place};
    sqlite3_stmt *statement = bind_numbers(store, CARD_PUT, NUMBERS(kind, (int64_t)number, (int64_t)from_place));
    run_sealed(store, statement, 4, &row, body, size);
}

enum store_result store_card_get(struct store *store, enum card_kind kind, uint64_t number, uint64_t at_place,
                                 struct arena *arena, struct card *card)
{
    sqlite3_stmt *statement = bind_numbers(store, CARD_GET, NUMBERS(kind, (int64_t)number, (int64_t)at_place));
    if (!next_row(store, statement))
        return STORE_NONE;
    card->number = number;
    card->from_place = (uint64_t)sqlite3_column_int64(statement, 0);
    struct row row = {'c', kind, (int64_t)number, (int64_t)card->from_place};
    enum store_result result = open_sealed(store, statement, 1, &row, arena, card);
    sqlite3_reset(statement);
    return result;
}

void store_cards_forget(struct store *store, enum card_kind kind, uint64_t number, uint64_t at_place)
{
    store_run(store, bind_numbers(store, CARDS_FORGET, NUMBERS(kind, (int64_t)number, (int64_t)at_place)));
}

void store_card_remove(struct store *store, enum card_kind kind, uint64_t number, uint64_t from_place)
{
    store_run(store, bind_numbers(store, CARD_REMOVE, NUMBERS(kind, (int64_t)number, (int64_t)from_place)));
}

uint64_t store_card_first(struct store *store, enum card_kind kind, uint64_t number)
{
    return (uint64_t)number_of(store, bind_numbers(store, CARD_FIRST, NUMBERS(kind, (int64_t)number)), 0);
}

enum store_result store_card_each(struct store *store, enum card_kind kind, struct arena *arena,
                                  void (*each)(void *ctx, const struct card *card), void *ctx)
{
    sqlite3_stmt *statement = bind_numbers(store, CARD_EACH, NUMBERS(kind));
    while (next_row(store, statement)) {
        struct card card = {.number = (uint64_t)sqlite3_column_int64(statement, 0),
                            .from_place = (uint64_t)sqlite3_column_int64(statement, 1)};
        struct row row = {'c', kind, (int64_t)card.number, (int64_t)card.from_place};
        if (open_sealed(store, statement, 2, &row, arena, &card) != STORE_OK) {
            sqlite3_reset(statement);
            return STORE_DAMAGED;
        }
        each(ctx, &card);
    }
    return STORE_OK;
}

/* ---- Persons ---------------------------------------------------------------------------------------------------- */

void store_subject_create(struct store *store, uint64_t subject, uint8_t key[VAULT_KEY_BYTES])
{
    uint8_t wrapped[VAULT_WRAPPED_BYTES];
    vault_subject_create(store->vault, subject, key, wrapped);
    sqlite3_stmt *statement =
        bind_numbers(store, SUBJECT_PUT, NUMBERS((int64_t)subject, vault_epoch_current(store->vault)));
    sqlite3_bind_blob(statement, 3, wrapped, sizeof wrapped, SQLITE_STATIC);
    store_run(store, statement);
}

/* The key of a row whose first columns are its epoch and the key, wrapped. */
static bool subject_unwrap(struct store *store, sqlite3_stmt *statement, uint64_t subject, uint8_t key[VAULT_KEY_BYTES])
{
    return sqlite3_column_bytes(statement, 1) == VAULT_WRAPPED_BYTES &&
           vault_subject_load(store->vault, subject, (uint32_t)sqlite3_column_int64(statement, 0),
                              sqlite3_column_blob(statement, 1), key);
}

enum store_result store_subject_key(struct store *store, uint64_t subject, uint8_t key[VAULT_KEY_BYTES])
{
    sqlite3_stmt *statement = bind_numbers(store, SUBJECT_GET, NUMBERS((int64_t)subject));
    if (!next_row(store, statement))
        return STORE_NONE;
    bool good = subject_unwrap(store, statement, subject, key);
    sqlite3_reset(statement);
    return good ? STORE_OK : STORE_DAMAGED;
}

enum store_result store_person_get(struct store *store, uint64_t number, uint8_t key[VAULT_KEY_BYTES],
                                   struct arena *arena, struct card *card)
{
    sqlite3_stmt *statement = bind_numbers(store, PERSON_GET, NUMBERS((int64_t)number));
    if (!next_row(store, statement))
        return STORE_NONE;
    enum store_result result = STORE_NONE;
    if (sqlite3_column_type(statement, 3) != SQLITE_NULL) {
        card->number = number;
        card->from_place = (uint64_t)sqlite3_column_int64(statement, 2);
        struct row row = {'c', CARD_PATIENT, (int64_t)number, (int64_t)card->from_place};
        result = subject_unwrap(store, statement, number, key) ? open_sealed(store, statement, 3, &row, arena, card)
                                                               : STORE_DAMAGED;
    }
    sqlite3_reset(statement);
    return result;
}

void store_person_put(struct store *store, uint64_t number, uint64_t from_place, const void *body, size_t size)
{
    struct row row = {'c', CARD_PATIENT, (int64_t)number, (int64_t)from_place};
    size_t sealed_size = size + VAULT_OVERHEAD_BYTES;
    uint8_t *sealed = arena_alloc(&store->seal, sealed_size);
    vault_seal(store->vault, vault_key(store->vault, VAULT_STATE), &row, sizeof row, body, size, sealed);
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

/* The numbers of the erased are not used again. */
static const char ERASED_LAST[] = "erased-last";

uint64_t store_subject_last(struct store *store)
{
    int64_t last = number_of(store, store->statements[SUBJECT_LAST], 0);
    int64_t erased = store_number_get(store, ERASED_LAST, 0);
    return (uint64_t)(last > erased ? last : erased);
}

void store_subject_erase(struct store *store, uint64_t subject)
{
    if (subject < STORE_ACTOR_SUBJECTS && (int64_t)subject > store_number_get(store, ERASED_LAST, 0))
        store_number_put(store, ERASED_LAST, (int64_t)subject);
    store_run(store, bind_numbers(store, IDENTIFIERS_ERASE, NUMBERS((int64_t)subject)));
    store_run(store, bind_numbers(store, SUBJECT_ERASE, NUMBERS((int64_t)subject)));
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

void store_identifier_put(struct store *store, const uint8_t hash[DIGEST_BYTES], uint64_t subject)
{
    sqlite3_stmt *statement = store->statements[IDENTIFIER_PUT];
    sqlite3_bind_blob(statement, 1, hash, DIGEST_BYTES, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, (int64_t)subject);
    store_run(store, statement);
}

void store_identifier_remove(struct store *store, const uint8_t hash[DIGEST_BYTES])
{
    sqlite3_stmt *statement = store->statements[IDENTIFIER_REMOVE];
    sqlite3_bind_blob(statement, 1, hash, DIGEST_BYTES, SQLITE_STATIC);
    store_run(store, statement);
}

uint64_t store_identifier_find(struct store *store, const uint8_t hash[DIGEST_BYTES])
{
    sqlite3_stmt *statement = store->statements[IDENTIFIER_FIND];
    sqlite3_bind_blob(statement, 1, hash, DIGEST_BYTES, SQLITE_STATIC);
    return (uint64_t)number_of(store, statement, 0);
}

/* ---- Dates ------------------------------------------------------------------------------------------------------ */

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

/* ---- Ids and numbers -------------------------------------------------------------------------------------------- */

void store_id_put(struct store *store, const uint8_t id[16], uint64_t place)
{
    sqlite3_stmt *statement = store->statements[ID_PUT];
    sqlite3_bind_blob(statement, 1, id, 16, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, (int64_t)place);
    store_run(store, statement);
}

uint64_t store_id_find(struct store *store, const uint8_t id[16])
{
    sqlite3_stmt *statement = store->statements[ID_FIND];
    sqlite3_bind_blob(statement, 1, id, 16, SQLITE_STATIC);
    return (uint64_t)number_of(store, statement, 0);
}

void store_id_remove(struct store *store, const uint8_t id[16])
{
    sqlite3_stmt *statement = store->statements[ID_REMOVE];
    sqlite3_bind_blob(statement, 1, id, 16, SQLITE_STATIC);
    store_run(store, statement);
}

int store_ids_forget(struct store *store, int64_t before_ms, uint64_t before_place, int limit)
{
    uint8_t before[16] = {0}; /* an id starts with its time: 48 bits, big-endian ms */
    for (int i = 0; i < 6; i++)
        before[i] = (uint8_t)(before_ms >> (40 - 8 * i));
    sqlite3_stmt *statement = store->statements[ID_FORGET];
    sqlite3_bind_blob(statement, 1, before, sizeof before, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, (int64_t)before_place);
    sqlite3_bind_int(statement, 3, limit);
    store_run(store, statement);
    return sqlite3_changes(store->db);
}

void store_number_put(struct store *store, const char *name, int64_t number)
{
    sqlite3_stmt *statement = store->statements[NUMBER_PUT];
    sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, number);
    store_run(store, statement);
}

int64_t store_number_get(struct store *store, const char *name, int64_t otherwise)
{
    sqlite3_stmt *statement = store->statements[NUMBER_GET];
    sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
    return number_of(store, statement, otherwise);
}

/* ---- Inboxes ---------------------------------------------------------------------------------------------------- */

void store_lane_put(struct store *store, uint32_t inbox, int lane, const void *body, size_t size)
{
    struct row row = {'l', inbox, lane, 0};
    run_sealed(store, bind_numbers(store, LANE_PUT, NUMBERS(inbox, lane)), 3, &row, body, size);
}

enum store_result store_lane_get(struct store *store, uint32_t inbox, int lane, struct arena *arena, struct card *card)
{
    sqlite3_stmt *statement = bind_numbers(store, LANE_GET, NUMBERS(inbox, lane));
    if (!next_row(store, statement))
        return STORE_NONE;
    struct row row = {'l', inbox, lane, 0};
    enum store_result result = open_sealed(store, statement, 0, &row, arena, card);
    sqlite3_reset(statement);
    return result;
}

void store_segment_put(struct store *store, uint32_t inbox, int lane, uint64_t last_number, const void *body,
                       size_t size)
{
    struct row row = {'s', inbox, lane, (int64_t)last_number};
    run_sealed(store, bind_numbers(store, SEGMENT_PUT, NUMBERS(inbox, lane, (int64_t)last_number)), 4, &row, body,
               size);
}

enum store_result store_segment_get(struct store *store, uint32_t inbox, int lane, uint64_t number, struct arena *arena,
                                    struct card *card)
{
    sqlite3_stmt *statement = bind_numbers(store, SEGMENT_GET, NUMBERS(inbox, lane, (int64_t)number));
    if (!next_row(store, statement))
        return STORE_NONE;
    card->number = (uint64_t)sqlite3_column_int64(statement, 0);
    struct row row = {'s', inbox, lane, (int64_t)card->number};
    enum store_result result = open_sealed(store, statement, 1, &row, arena, card);
    sqlite3_reset(statement);
    return result;
}

void store_segments_drop(struct store *store, uint32_t inbox, int lane, uint64_t through_number)
{
    store_run(store, bind_numbers(store, SEGMENT_DROP, NUMBERS(inbox, lane, (int64_t)through_number)));
}

void store_exception_put(struct store *store, uint32_t inbox, int lane, uint64_t number, const void *body, size_t size)
{
    struct row row = {'x', inbox, lane, (int64_t)number};
    run_sealed(store, bind_numbers(store, EXCEPTION_PUT, NUMBERS(inbox, lane, (int64_t)number)), 4, &row, body, size);
}

void store_exception_remove(struct store *store, uint32_t inbox, int lane, uint64_t number)
{
    store_run(store, bind_numbers(store, EXCEPTION_REMOVE, NUMBERS(inbox, lane, (int64_t)number)));
}

enum store_result store_exception_each(struct store *store, uint32_t inbox, struct arena *arena,
                                       void (*each)(void *ctx, int lane, const struct card *card), void *ctx)
{
    sqlite3_stmt *statement = bind_numbers(store, EXCEPTION_EACH, NUMBERS(inbox));
    while (next_row(store, statement)) {
        int lane = sqlite3_column_int(statement, 0);
        struct card card = {.number = (uint64_t)sqlite3_column_int64(statement, 1)};
        struct row row = {'x', inbox, lane, (int64_t)card.number};
        if (open_sealed(store, statement, 2, &row, arena, &card) != STORE_OK) {
            sqlite3_reset(statement);
            return STORE_DAMAGED;
        }
        each(ctx, lane, &card);
    }
    return STORE_OK;
}

void store_held_put(struct store *store, uint64_t place, uint32_t actor, const void *body, size_t size)
{
    struct row row = {'h', (int64_t)place, actor, 0};
    run_sealed(store, bind_numbers(store, HELD_PUT, NUMBERS((int64_t)place, actor)), 3, &row, body, size);
}

bool store_held_any(struct store *store, uint64_t place)
{
    return number_of(store, bind_numbers(store, HELD_ANY, NUMBERS((int64_t)place)), 0) != 0;
}

int store_held_remove_all(struct store *store, uint64_t place)
{
    store_run(store, bind_numbers(store, HELD_REMOVE_ALL, NUMBERS((int64_t)place)));
    return sqlite3_changes(store->db);
}

void store_held_remove(struct store *store, uint64_t place, uint32_t actor)
{
    store_run(store, bind_numbers(store, HELD_REMOVE, NUMBERS((int64_t)place, actor)));
}

enum store_result store_held_get(struct store *store, uint64_t place, uint32_t actor, struct arena *arena,
                                 struct card *card)
{
    sqlite3_stmt *statement = bind_numbers(store, HELD_GET, NUMBERS((int64_t)place, actor));
    if (!next_row(store, statement))
        return STORE_NONE;
    struct row row = {'h', (int64_t)place, actor, 0};
    enum store_result result = open_sealed(store, statement, 0, &row, arena, card);
    sqlite3_reset(statement);
    return result;
}

enum store_result store_held_each(struct store *store, struct arena *arena,
                                  bool (*each)(void *ctx, uint32_t actor, const struct card *card), void *ctx)
{
    sqlite3_stmt *statement = store->statements[HELD_EACH];
    enum store_result result = STORE_OK;
    while (result == STORE_OK && next_row(store, statement)) {
        struct card card = {.number = (uint64_t)sqlite3_column_int64(statement, 0)};
        uint32_t actor = (uint32_t)sqlite3_column_int64(statement, 1);
        struct row row = {'h', (int64_t)card.number, actor, 0};
        result = open_sealed(store, statement, 2, &row, arena, &card);
        if (result == STORE_OK && !each(ctx, actor, &card))
            break;
    }
    sqlite3_reset(statement);
    return result;
}

/* ---- Places to look at ------------------------------------------------------------------------------------------ */

void store_acked_put(struct store *store, uint32_t inbox, int lane, int kind, uint64_t to, uint64_t place)
{
    store_run(store, bind_numbers(store, ACKED_PUT, NUMBERS(inbox, lane, kind, (int64_t)to, (int64_t)place)));
}

uint64_t store_acked_find(struct store *store, uint32_t inbox, int lane, int kind, uint64_t number, uint64_t after)
{
    return (uint64_t)number_of(
        store, bind_numbers(store, ACKED_FIND, NUMBERS(inbox, lane, kind, (int64_t)number, (int64_t)after)), 0);
}

int store_acked_places(struct store *store, uint32_t inbox, int lane, int kind, uint64_t number, uint64_t after,
                       uint64_t *places, int max)
{
    return numbers_of(
        store, bind_numbers(store, ACKED_PLACES, NUMBERS(inbox, lane, kind, (int64_t)number, (int64_t)after, max)),
        places, max);
}

void store_step_put(struct store *store, uint32_t inbox, int lane, uint64_t number, uint64_t place)
{
    store_run(store, bind_numbers(store, STEP_PUT, NUMBERS(inbox, lane, (int64_t)number, (int64_t)place)));
}

int store_steps_find(struct store *store, uint32_t inbox, int lane, uint64_t number, uint64_t *places, int max)
{
    sqlite3_stmt *statement = bind_numbers(store, STEP_FIND, NUMBERS(inbox, lane, (int64_t)number, max));
    return numbers_of(store, statement, places, max);
}

void store_steps_remove(struct store *store, uint32_t inbox, int lane, uint64_t number)
{
    store_run(store, bind_numbers(store, STEPS_REMOVE, NUMBERS(inbox, lane, (int64_t)number)));
}

int store_steps_of(struct store *store, uint32_t inbox, int lane, uint64_t number, uint64_t after, uint64_t *places,
                   int max)
{
    return numbers_of(store, bind_numbers(store, STEP_OF, NUMBERS(inbox, lane, (int64_t)number, (int64_t)after, max)),
                      places, max);
}

void store_number_forget(struct store *store, uint32_t inbox, int lane, uint64_t number)
{
    store_steps_remove(store, inbox, lane, number);
    for (int kind = 0; kind <= 1; kind++)
        store_run(store, bind_numbers(store, ACKED_FORGET, NUMBERS(inbox, lane, kind, (int64_t)number)));
}

void store_commit_times_forget(struct store *store, uint64_t through_place)
{
    store_run(store, bind_numbers(store, COMMIT_TIMES_FORGET, NUMBERS((int64_t)through_place)));
}

void store_commit_time_put(struct store *store, uint64_t last_place, int64_t at_ms)
{
    store_run(store, bind_numbers(store, COMMIT_TIME_PUT, NUMBERS((int64_t)last_place, at_ms)));
}

int64_t store_commit_time_find(struct store *store, uint64_t place)
{
    return number_of(store, bind_numbers(store, COMMIT_TIME_FIND, NUMBERS((int64_t)place)), 0);
}
