#include "scrub.h"

#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "carehub/v1/log.pb-c.h"
#include "store_private.h"

/* What is walked through after the entries: the subjects' keys, with a copy of the person's card beside them, and the
 * sealed state rows, each bound to its table's letter and its key (struct row). */
static const struct table {
    char letter; /* 0: subjects */
    const char *name, *a, *b, *c;
} tables[] = {
    {0, "subject", "subject", "coalesce(from_place, 0)", "0"},
    {'c', "card", "kind", "number", "from_place"},
    {'l', "lane", "inbox", "lane", "0"},
    {'s', "segment", "inbox", "lane", "last_number"},
    {'x', "exception", "inbox", "lane", "number"},
    {'h', "held", "place", "actor", "0"},
    {'w', "work", "kind", "at_ms", "place"},
};

enum { TABLES = sizeof tables / sizeof *tables, SQL_BYTES = 256 };

static void damaged(struct scrub *scrub, const char *what, const int64_t key[3])
{
    scrub->damaged++;
    if (scrub->found)
        scrub->found(scrub->ctx, what, key);
}

/* ---- Entries ---------------------------------------------------------------------------------------------------- */

/* The payload of the entry that was read last: sound, or gone with its key. */
static bool payload_is_sound(struct store *store, struct log *log, struct log_record *record, struct arena *arena)
{
    uint8_t key[VAULT_KEY_BYTES];
    const Carehub__V1__Entry *entry = carehub__v1__entry__unpack(&arena->protobuf, record->entry_size, record->entry);
    if (!entry)
        return false;
    enum store_result result = store_subject_key(store, entry->patient, key);
    if (result == STORE_OK)
        result = log->functions->payload(log, key, arena, record);
    sodium_memzero(key, sizeof key);
    return result != STORE_DAMAGED;
}

static size_t look_at_entries(struct scrub *scrub, struct store *store, struct log *log, uint64_t last_place,
                              size_t max)
{
    struct arena arena;
    size_t n = 0;
    arena_init(&arena);
    for (; n < max && scrub->place < last_place; n++) {
        struct log_record record;
        uint64_t place = ++scrub->place;
        enum store_result result = log->functions->read(log, place, &arena, &record);
        if (result == STORE_DAMAGED || (result == STORE_OK && !payload_is_sound(store, log, &record, &arena)))
            damaged(scrub, "entry", (const int64_t[]){(int64_t)place, 0, 0});
        arena_reset(&arena);
    }
    arena_fini(&arena);
    return n;
}

/* ---- Rows ------------------------------------------------------------------------------------------------------- */

static bool row_is_sound(struct store *store, const struct table *table, sqlite3_stmt *statement, const int64_t key[3],
                         struct arena *arena)
{
    struct row row = {table->letter, key[0], key[1], key[2]};
    struct card card;
    if (table->letter)
        return open_sealed(store, statement, 3, &row, arena, &card) == STORE_OK;
    uint8_t unwrapped[VAULT_KEY_BYTES];
    bool sound = store_subject_key(store, (uint64_t)key[0], unwrapped) == STORE_OK;
    sodium_memzero(unwrapped, sizeof unwrapped);
    row = (struct row){'c', CARD_PATIENT, key[0], key[1]};
    return sound && (sqlite3_column_type(statement, 3) == SQLITE_NULL ||
                     open_sealed(store, statement, 3, &row, arena, &card) == STORE_OK);
}

static sqlite3_stmt *rows_behind(const struct scrub *scrub, struct store *store, const struct table *table, size_t max)
{
    char sql[SQL_BYTES];
    sqlite3_stmt *statement = NULL;
    snprintf(sql, sizeof sql,
             "SELECT %s, %s, %s, %s FROM %s WHERE (%s, %s, %s) > (?1, ?2, ?3) ORDER BY 1, 2, 3 LIMIT ?4", table->a,
             table->b, table->c, table->letter ? "body" : "card", table->name, table->a, table->b, table->c);
    if (sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL) != SQLITE_OK)
        return NULL;
    for (int i = 0; i < 3; i++)
        sqlite3_bind_int64(statement, i + 1, scrub->after[i]);
    sqlite3_bind_int64(statement, 4, (int64_t)max);
    return statement;
}

/* Looks at the next rows of the table whose turn it is, and goes on to the next table at its end. */
static size_t look_at_rows(struct scrub *scrub, struct store *store, size_t max)
{
    const struct table *table = &tables[scrub->table];
    sqlite3_stmt *statement = rows_behind(scrub, store, table, max);
    struct arena arena;
    size_t n = 0;
    int result = SQLITE_ERROR;
    arena_init(&arena);
    while (statement && (result = sqlite3_step(statement)) == SQLITE_ROW) {
        for (int i = 0; i < 3; i++)
            scrub->after[i] = sqlite3_column_int64(statement, i);
        if (!row_is_sound(store, table, statement, scrub->after, &arena))
            damaged(scrub, table->name, scrub->after);
        arena_reset(&arena);
        n++;
    }
    sqlite3_finalize(statement);
    arena_fini(&arena);
    if (result != SQLITE_DONE)
        damaged(scrub, table->name, scrub->after); /* a page that cannot be read; what is behind it cannot either */
    if (n < max || result != SQLITE_DONE) {
        scrub->table++;
        for (int i = 0; i < 3; i++)
            scrub->after[i] = INT64_MIN;
    }
    return n;
}

bool scrub_some(struct scrub *scrub, struct store *store, struct log *log, uint64_t last_place, size_t max)
{
    if (scrub->place == 0) {
        scrub->table = 0;
        scrub->rows = 0;
        for (int i = 0; i < 3; i++)
            scrub->after[i] = INT64_MIN;
    }
    if (scrub->place < last_place)
        scrub->rows += look_at_entries(scrub, store, log, last_place, max);
    else if (scrub->table < TABLES)
        scrub->rows += look_at_rows(scrub, store, max);
    if (scrub->place < last_place || scrub->table < TABLES)
        return true;
    scrub->place = 0;
    return false;
}
