/* How rows are bound, sealed and read back; and those of the cards, ids and numbers. What each table is for is said in
 * store.h and store_schema.c. */
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

/* ---- Sealed rows ------------------------------------------------------------------------------------------------- */

/* Whose key seals a row, if that subject has one; 0: none but the hub's own. */
static uint64_t row_subject(const struct row *row)
{
    if (row->table != 'c')
        return 0;
    return row->a == CARD_ACTOR     ? STORE_ACTOR_SUBJECTS + (uint64_t)row->b
           : row->a == CARD_PATIENT ? (uint64_t)row->b
                                    : 0;
}

static enum store_result row_key(struct store *store, const struct row *row, uint8_t own[VAULT_KEY_BYTES])
{
    uint64_t subject = row_subject(row);
    return subject ? store_subject_key(store, subject, own) : STORE_NONE;
}

void run_sealed(struct store *store, sqlite3_stmt *statement, int index, const struct row *row, const void *body,
                size_t size)
{
    uint8_t *sealed = arena_alloc(&store->seal, size + VAULT_OVERHEAD_BYTES), own[VAULT_KEY_BYTES];
    enum store_result found = row_key(store, row, own);
    if (found == STORE_DAMAGED)
        store_fail(store, "reading a subject's key");
    vault_seal(store->vault, found == STORE_OK ? own : vault_key(store->vault, VAULT_STATE), row, sizeof *row, body,
               size, sealed);
    sodium_memzero(own, sizeof own);
    sqlite3_bind_blob64(statement, index, sealed, size + VAULT_OVERHEAD_BYTES, SQLITE_STATIC);
    store_run(store, statement);
    sqlite3_bind_null(statement, index);
    arena_reset(&store->seal);
}

enum store_result open_sealed_with(struct store *store, const uint8_t *own, sqlite3_stmt *statement, int column,
                                   const struct row *row, struct arena *arena, struct card *card)
{
    size_t size = (size_t)sqlite3_column_bytes(statement, column);
    const uint8_t *sealed = sqlite3_column_blob(statement, column);
    if (size < VAULT_OVERHEAD_BYTES)
        return STORE_DAMAGED;
    card->size = size - VAULT_OVERHEAD_BYTES;
    card->body = arena_alloc(arena, card->size + 1);
    bool opened = (own && vault_open(own, row, sizeof *row, sealed, size, card->body)) ||
                  vault_open(vault_key(store->vault, VAULT_STATE), row, sizeof *row, sealed, size, card->body);
    return opened ? STORE_OK : STORE_DAMAGED;
}

enum store_result open_sealed(struct store *store, sqlite3_stmt *statement, int column, const struct row *row,
                              struct arena *arena, struct card *card)
{
    uint8_t own[VAULT_KEY_BYTES];
    enum store_result found = row_key(store, row, own);
    enum store_result opened =
        open_sealed_with(store, found == STORE_OK ? own : NULL, statement, column, row, arena, card);
    sodium_memzero(own, sizeof own);
    return opened != STORE_OK && found == STORE_ERASED ? STORE_ERASED : opened;
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

/* ---- Cards ------------------------------------------------------------------------------------------------------- */

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

/* ---- Ids and numbers --------------------------------------------------------------------------------------------- */

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

/* ---- Entries that name an actor ---------------------------------------------------------------------------------- */

void store_named_put(struct store *store, uint64_t place, uint64_t subject)
{
    struct row row = {'n', (int64_t)place, 0, 0};
    run_sealed(store, bind_numbers(store, NAMED_PUT, NUMBERS((int64_t)place)), 2, &row, &subject, sizeof subject);
}

enum store_result store_named_find(struct store *store, uint64_t place, uint64_t *subject)
{
    struct row row = {'n', (int64_t)place, 0, 0};
    struct arena arena;
    struct card card = {0};
    sqlite3_stmt *statement = bind_numbers(store, NAMED_FIND, NUMBERS((int64_t)place));
    if (!next_row(store, statement))
        return STORE_NONE;
    arena_init(&arena);
    enum store_result result = open_sealed(store, statement, 0, &row, &arena, &card);
    sqlite3_reset(statement);
    if (result == STORE_OK && card.size == sizeof *subject)
        memcpy(subject, card.body, sizeof *subject);
    else
        result = STORE_DAMAGED;
    arena_fini(&arena);
    return result;
}

void store_named_remove(struct store *store, uint64_t place)
{
    store_run(store, bind_numbers(store, NAMED_REMOVE, NUMBERS((int64_t)place)));
}

int store_entries_empty(struct store *store, uint64_t after, uint64_t through, uint64_t *places, int max)
{
    sqlite3_stmt *statement = bind_numbers(store, ENTRIES_EMPTY, NUMBERS((int64_t)after, (int64_t)through, max));
    return numbers_of(store, statement, places, max);
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

/* ---- When commits were on disk ----------------------------------------------------------------------------------- */

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
