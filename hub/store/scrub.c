#include "scrub.h"

#include <stdio.h>
#include <string.h>

#include <sodium.h>

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
    {'n', "named", "place", "0", "0"},
};

enum { TABLES = sizeof tables / sizeof *tables, SQL_BYTES = 256 };

void scrub_damaged(struct scrub *scrub, const char *what, int64_t a, int64_t b, int64_t c)
{
    scrub->damaged++;
    if (scrub->found)
        scrub->found(scrub->ctx, what, (const int64_t[]){a, b, c});
}

/* ---- Entries ---------------------------------------------------------------------------------------------------- */

/* The payload of the entry that was read last: sound, or gone; its key is there, or has been erased. */
static bool payload_is_sound(struct store *store, struct log *log, const Carehub__V1__Entry *entry,
                             struct log_record *record, struct arena *arena)
{
    uint8_t key[VAULT_KEY_BYTES];
    enum store_result result = store_subject_key(store, record->names ? record->names : entry->patient, key);
    if (result == STORE_OK)
        result = log->functions->payload(log, key, arena, record);
    else if (result == STORE_NONE && record->payload_kept)
        result = STORE_DAMAGED;
    sodium_memzero(key, sizeof key);
    return result != STORE_DAMAGED;
}

static bool entry_is_sound(struct scrub *scrub, struct store *store, struct log *log, struct arena *arena)
{
    struct log_record record;
    enum store_result result = log->functions->read(log, scrub->place, arena, &record);
    if (result != STORE_OK)
        return result == STORE_ERASED;
    const Carehub__V1__Entry *entry = carehub__v1__entry__unpack(&arena->protobuf, record.entry_size, record.entry);
    if (!entry || !payload_is_sound(store, log, entry, &record, arena))
        return false;
    if (scrub->follows && !scrub->follows(scrub->ctx, entry))
        scrub_damaged(scrub, "what follows from entry", (int64_t)scrub->place, 0, 0);
    return true;
}

/* Goes to the next entry that is there; false: there is none up to last_place. What was pruned is passed over in one
 * step; what is missing is damage. */
static bool next_entry(struct scrub *scrub, struct log *log, uint64_t last_place)
{
    uint64_t next = log->functions->next(log, scrub->place + 1);
    uint64_t missing = (scrub->place > scrub->pruned ? scrub->place : scrub->pruned) + 1;
    bool found = next != 0 && next <= last_place;
    uint64_t end = found ? next : last_place + 1;
    if (missing < end)
        scrub_damaged(scrub, "the stretch of the log", (int64_t)missing, (int64_t)end - 1, 0);
    scrub->place = found ? next : last_place;
    return found;
}

static size_t look_at_entries(struct scrub *scrub, struct store *store, struct log *log, uint64_t last_place,
                              size_t max)
{
    struct arena arena;
    size_t n = 0;
    arena_init(&arena);
    for (; n < max && scrub->place < last_place && next_entry(scrub, log, last_place); n++) {
        if (!entry_is_sound(scrub, store, log, &arena))
            scrub_damaged(scrub, "entry", (int64_t)scrub->place, 0, 0);
        arena_reset(&arena);
    }
    arena_fini(&arena);
    return n;
}

/* ---- Rows ------------------------------------------------------------------------------------------------------- */

/* The copy of the card in force, beside the key, is the latest version. */
static bool person_is_sound(struct scrub *scrub, struct store *store, sqlite3_stmt *statement, const int64_t key[3],
                            struct arena *arena)
{
    struct row row = {'c', CARD_PATIENT, key[0], key[1]};
    struct card card = {.number = (uint64_t)key[0]}, latest;
    if (open_sealed(store, statement, 3, &row, arena, &card) != STORE_OK ||
        store_card_get(store, CARD_PATIENT, card.number, PLACE_LATEST, arena, &latest) != STORE_OK ||
        latest.from_place != (uint64_t)key[1])
        return false;
    if (scrub->person && !scrub->person(scrub->ctx, &card))
        scrub_damaged(scrub, "what follows from the card of", key[0], 0, 0);
    return true;
}

static bool row_is_sound(struct scrub *scrub, struct store *store, const struct table *table, sqlite3_stmt *statement,
                         const int64_t key[3], struct arena *arena)
{
    struct row row = {table->letter, key[0], key[1], key[2]};
    struct card card;
    if (table->letter) {
        enum store_result opened = open_sealed(store, statement, 3, &row, arena, &card);
        return opened == STORE_OK || opened == STORE_ERASED;
    }
    uint8_t unwrapped[VAULT_KEY_BYTES];
    enum store_result found = store_subject_key(store, (uint64_t)key[0], unwrapped);
    sodium_memzero(unwrapped, sizeof unwrapped);
    if (found != STORE_OK || sqlite3_column_type(statement, 3) == SQLITE_NULL)
        return found == STORE_OK || found == STORE_ERASED;
    return person_is_sound(scrub, store, statement, key, arena);
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

static size_t look_at_identifiers(struct scrub *scrub, struct store *store, size_t max)
{
    static const char sql[] = "SELECT hash, subject, mac FROM identifier WHERE hash > ?1 ORDER BY hash LIMIT ?2";
    sqlite3_stmt *statement = NULL;
    size_t n = 0;
    int result = SQLITE_ERROR;
    if (sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL) == SQLITE_OK) {
        sqlite3_bind_blob(statement, 1, scrub->hash, (int)scrub->hash_bytes, SQLITE_TRANSIENT);
        sqlite3_bind_int64(statement, 2, (int64_t)max);
    }
    while (statement && (result = sqlite3_step(statement)) == SQLITE_ROW &&
           sqlite3_column_bytes(statement, 0) == DIGEST_BYTES) {
        uint64_t subject = (uint64_t)sqlite3_column_int64(statement, 1);
        memcpy(scrub->hash, sqlite3_column_blob(statement, 0), DIGEST_BYTES);
        scrub->hash_bytes = DIGEST_BYTES;
        if (!identifier_proved(store, scrub->hash, subject, sqlite3_column_blob(statement, 2),
                               sqlite3_column_bytes(statement, 2)))
            scrub_damaged(scrub, "identifier of", (int64_t)subject, 0, 0);
        n++;
    }
    sqlite3_finalize(statement);
    if (result != SQLITE_DONE)
        scrub_damaged(scrub, "identifier", 0, 0, 0);
    if (n < max || result != SQLITE_DONE)
        scrub->table++;
    return n;
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
        if (!row_is_sound(scrub, store, table, statement, scrub->after, &arena))
            scrub_damaged(scrub, table->name, scrub->after[0], scrub->after[1], scrub->after[2]);
        arena_reset(&arena);
        n++;
    }
    sqlite3_finalize(statement);
    arena_fini(&arena);
    if (result != SQLITE_DONE)
        scrub_damaged(scrub, table->name, scrub->after[0], scrub->after[1],
                      scrub->after[2]); /* a page that cannot be read; what is behind it cannot either */
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
        scrub->hash_bytes = 0;
        scrub->rows = 0;
        for (int i = 0; i < 3; i++)
            scrub->after[i] = INT64_MIN;
    }
    if (scrub->place < last_place)
        scrub->rows += look_at_entries(scrub, store, log, last_place, max);
    else if (scrub->table < TABLES)
        scrub->rows += look_at_rows(scrub, store, max);
    else if (scrub->table == TABLES)
        scrub->rows += look_at_identifiers(scrub, store, max);
    else if (!scrub->rest || !scrub->rest(scrub->ctx, max))
        scrub->place = 0;
    return scrub->place > 0;
}
