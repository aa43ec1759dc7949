/* The index: the rows that are not sealed, by which entries of the log are found. */
#include "store_private.h"

#include <stdio.h>
#include <string.h>

enum { SQL_BYTES = 256, COLUMNS_MAX = 5, ID_BYTES = 16 };

/* The last column is the place. */
static const struct table {
    const char *name, *columns, *parameters;
    int n;
} tables[INDEX_TABLES] = {
    [INDEX_OF_PERSON] = {"of_person", "person, place", "?1, ?2", 2},
    [INDEX_ID] = {"id", "id", "?1", 1},
    [INDEX_STEP] = {"step", "inbox, lane, number, place", "?1, ?2, ?3, ?4", 4},
    [INDEX_ACKED] = {"acked", "inbox, lane, kind, last_number, place", "?1, ?2, ?3, ?4, ?5", 5},
};

bool store_index_has(struct store *store, const struct index_row *row)
{
    const int64_t *key = row->key;
    uint64_t place = 0;
    switch (row->table) {
    case INDEX_OF_PERSON:
        return store_of_person_next(store, (uint64_t)key[0], row->place) == row->place;
    case INDEX_ID:
        return store_id_find(store, row->id) == row->place;
    case INDEX_STEP:
        return store_steps_of(store, (uint32_t)key[0], (int)key[1], (uint64_t)key[2], row->place - 1, &place, 1) == 1 &&
               place == row->place;
    case INDEX_ACKED:
        return store_acked_find(store, (uint32_t)key[0], (int)key[1], (int)key[2], (uint64_t)key[3], row->place - 1) ==
               row->place;
    default:
        return false;
    }
}

/* ---- Walking ----------------------------------------------------------------------------------------------------- */

static void begin_table(struct index_walk *walk, int table)
{
    walk->table = table;
    for (int i = 0; i < COLUMNS_MAX; i++)
        walk->after[i] = INT64_MIN;
    memset(walk->after_id, 0, ID_BYTES);
}

static sqlite3_stmt *rows_behind(struct store *store, const struct index_walk *walk, size_t max)
{
    const struct table *table = &tables[walk->table];
    char sql[SQL_BYTES];
    sqlite3_stmt *statement = NULL;
    snprintf(sql, sizeof sql, "SELECT %s%s FROM %s WHERE (%s) > (%s) ORDER BY %s LIMIT %zu", table->columns,
             walk->table == INDEX_ID ? ", place" : "", table->name, table->columns, table->parameters, table->columns,
             max);
    if (sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL) != SQLITE_OK)
        return NULL;
    for (int i = 0; i < table->n; i++)
        sqlite3_bind_int64(statement, i + 1, walk->after[i]);
    if (walk->table == INDEX_ID)
        sqlite3_bind_blob(statement, 1, walk->after_id, ID_BYTES, SQLITE_STATIC);
    return statement;
}

/* False: what stands there is no id. */
static bool take_row(struct index_walk *walk, sqlite3_stmt *statement, struct index_row *row)
{
    int last = tables[walk->table].n - 1;
    *row = (struct index_row){.table = (enum index_table)walk->table};
    if (walk->table == INDEX_ID) {
        if (sqlite3_column_bytes(statement, 0) != ID_BYTES)
            return false;
        memcpy(row->id, sqlite3_column_blob(statement, 0), ID_BYTES);
        row->place = (uint64_t)sqlite3_column_int64(statement, 1);
        return true;
    }
    for (int i = 0; i < last; i++)
        row->key[i] = sqlite3_column_int64(statement, i);
    row->place = (uint64_t)sqlite3_column_int64(statement, last);
    return true;
}

static void stand_at(struct index_walk *walk, const struct index_row *row)
{
    int last = tables[walk->table].n - 1;
    memcpy(walk->after_id, row->id, ID_BYTES);
    for (int i = 0; i < last; i++)
        walk->after[i] = row->key[i];
    walk->after[last] = (int64_t)row->place;
}

size_t store_index_walk(struct store *store, struct index_walk *walk, size_t max, store_index_each *each, void *ctx)
{
    size_t n = 0;
    if (!walk->begun)
        begin_table(walk, 0);
    walk->begun = true;
    while (n < max && walk->table < INDEX_TABLES) {
        sqlite3_stmt *statement = rows_behind(store, walk, max - n);
        struct index_row row;
        int result = SQLITE_ERROR;
        bool good = true;
        while (good && statement && (result = sqlite3_step(statement)) == SQLITE_ROW) {
            good = take_row(walk, statement, &row);
            if (good)
                stand_at(walk, &row);
            each(ctx, good ? &row : NULL);
            n++;
        }
        sqlite3_finalize(statement);
        if (good && result != SQLITE_DONE)
            each(ctx, NULL); /* a page that cannot be read; what is behind it cannot either */
        if (n < max || result != SQLITE_DONE)
            begin_table(walk, walk->table + 1);
    }
    walk->begun = walk->table < INDEX_TABLES;
    return n;
}
