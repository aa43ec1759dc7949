#include "store.h"

#include <assert.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { WAL_CHECKPOINT_PAGES = 4000, CACHE_KIB = 64 << 10, WAL_MAX_BYTES = 64 << 20 };

/* Bodies are sealed. No index is in random order over the history: ids are time-ordered, everything else is by number,
 * and the one random index (identifier) grows with the persons, not with the events. */
static const char *const schema[] = {
    /* version 1 */
    "CREATE TABLE hub_key (which INTEGER PRIMARY KEY, wrapped BLOB NOT NULL) STRICT;"
    "CREATE TABLE number (name TEXT PRIMARY KEY, number INTEGER NOT NULL) STRICT;"
    "CREATE TABLE entry (place INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, leaf BLOB NOT NULL, body BLOB NOT NULL,"
    "  payload BLOB) STRICT;"
    "CREATE TABLE id (id BLOB PRIMARY KEY, place INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE card (kind INTEGER NOT NULL, number INTEGER NOT NULL, from_place INTEGER NOT NULL,"
    "  body BLOB NOT NULL, PRIMARY KEY (kind, number, from_place)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE subject (subject INTEGER PRIMARY KEY, wrapped BLOB NOT NULL) STRICT;"
    "CREATE TABLE identifier (hash BLOB PRIMARY KEY, subject INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE lane (inbox INTEGER NOT NULL, lane INTEGER NOT NULL, body BLOB NOT NULL,"
    "  PRIMARY KEY (inbox, lane)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE segment (inbox INTEGER NOT NULL, lane INTEGER NOT NULL, last_number INTEGER NOT NULL,"
    "  body BLOB NOT NULL, PRIMARY KEY (inbox, lane, last_number)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE exception (inbox INTEGER NOT NULL, lane INTEGER NOT NULL, number INTEGER NOT NULL,"
    "  body BLOB NOT NULL, PRIMARY KEY (inbox, lane, number)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE held (place INTEGER NOT NULL, actor INTEGER NOT NULL, body BLOB NOT NULL,"
    "  PRIMARY KEY (place, actor)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE acked (inbox INTEGER NOT NULL, lane INTEGER NOT NULL, kind INTEGER NOT NULL,"
    "  last_number INTEGER NOT NULL, place INTEGER NOT NULL,"
    "  PRIMARY KEY (inbox, lane, kind, last_number, place)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE step (inbox INTEGER NOT NULL, lane INTEGER NOT NULL, number INTEGER NOT NULL,"
    "  place INTEGER NOT NULL, PRIMARY KEY (inbox, lane, number, place)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE commit_time (last_place INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL) STRICT;",
};
static_assert(sizeof schema / sizeof *schema == STORE_SCHEMA_VERSION, "one step for each version");

enum statement {
    BEGIN,
    COMMIT,
    MARK,
    RELEASE,
    ROLLBACK_TO,
    NUMBER_PUT,
    NUMBER_GET,
    ENTRY_PUT,
    ENTRY_GET,
    ENTRY_LAST,
    ID_PUT,
    ID_FIND,
    ID_FORGET,
    CARD_PUT,
    CARD_GET,
    CARD_EACH,
    SUBJECT_PUT,
    SUBJECT_GET,
    SUBJECT_LAST,
    IDENTIFIER_PUT,
    IDENTIFIER_REMOVE,
    IDENTIFIER_FIND,
    LANE_PUT,
    LANE_GET,
    SEGMENT_PUT,
    SEGMENT_GET,
    SEGMENT_DROP,
    EXCEPTION_PUT,
    EXCEPTION_REMOVE,
    EXCEPTION_EACH,
    HELD_PUT,
    HELD_REMOVE,
    HELD_GET,
    HELD_EACH,
    ACKED_PUT,
    ACKED_FIND,
    STEP_PUT,
    STEP_FIND,
    COMMIT_TIME_PUT,
    COMMIT_TIME_FIND,
    STATEMENTS
};

static const char *const sql[STATEMENTS] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [MARK] = "SAVEPOINT mark",
    [RELEASE] = "RELEASE mark",
    [ROLLBACK_TO] = "ROLLBACK TO mark",
    [NUMBER_PUT] = "INSERT OR REPLACE INTO number VALUES (?1, ?2)",
    [NUMBER_GET] = "SELECT number FROM number WHERE name = ?1",
    [ENTRY_PUT] = "INSERT INTO entry VALUES (?1, ?2, ?3, ?4, ?5)",
    [ENTRY_GET] = "SELECT at_ms, leaf, body, payload FROM entry WHERE place = ?1",
    [ENTRY_LAST] = "SELECT place, at_ms FROM entry ORDER BY place DESC LIMIT 1",
    [ID_PUT] = "INSERT INTO id VALUES (?1, ?2)",
    [ID_FIND] = "SELECT place FROM id WHERE id = ?1",
    [ID_FORGET] = "DELETE FROM id WHERE id IN (SELECT id FROM id WHERE id < ?1 AND place < ?2 ORDER BY id LIMIT ?3)",
    [CARD_PUT] = "INSERT OR REPLACE INTO card VALUES (?1, ?2, ?3, ?4)",
    [CARD_GET] = "SELECT from_place, body FROM card WHERE kind = ?1 AND number = ?2 AND from_place <= ?3 "
                 "ORDER BY from_place DESC LIMIT 1",
    [CARD_EACH] = "SELECT number, max(from_place), body FROM card WHERE kind = ?1 GROUP BY number ORDER BY number",
    [SUBJECT_PUT] = "INSERT INTO subject VALUES (?1, ?2)",
    [SUBJECT_GET] = "SELECT wrapped FROM subject WHERE subject = ?1",
    [SUBJECT_LAST] = "SELECT max(subject) FROM subject",
    [IDENTIFIER_PUT] = "INSERT OR REPLACE INTO identifier VALUES (?1, ?2)",
    [IDENTIFIER_REMOVE] = "DELETE FROM identifier WHERE hash = ?1",
    [IDENTIFIER_FIND] = "SELECT subject FROM identifier WHERE hash = ?1",
    [LANE_PUT] = "INSERT OR REPLACE INTO lane VALUES (?1, ?2, ?3)",
    [LANE_GET] = "SELECT body FROM lane WHERE inbox = ?1 AND lane = ?2",
    [SEGMENT_PUT] = "INSERT INTO segment VALUES (?1, ?2, ?3, ?4)",
    [SEGMENT_GET] = "SELECT last_number, body FROM segment WHERE inbox = ?1 AND lane = ?2 AND last_number >= ?3 "
                    "ORDER BY last_number LIMIT 1",
    [SEGMENT_DROP] = "DELETE FROM segment WHERE inbox = ?1 AND lane = ?2 AND last_number <= ?3",
    [EXCEPTION_PUT] = "INSERT OR REPLACE INTO exception VALUES (?1, ?2, ?3, ?4)",
    [EXCEPTION_REMOVE] = "DELETE FROM exception WHERE inbox = ?1 AND lane = ?2 AND number = ?3",
    [EXCEPTION_EACH] = "SELECT lane, number, body FROM exception WHERE inbox = ?1 ORDER BY lane, number",
    [HELD_PUT] = "INSERT OR REPLACE INTO held VALUES (?1, ?2, ?3)",
    [HELD_REMOVE] = "DELETE FROM held WHERE place = ?1 AND actor = ?2",
    [HELD_GET] = "SELECT body FROM held WHERE place = ?1 AND actor = ?2",
    [HELD_EACH] = "SELECT place, actor, body FROM held ORDER BY place, actor",
    [ACKED_PUT] = "INSERT OR REPLACE INTO acked VALUES (?1, ?2, ?3, ?4, ?5)",
    [ACKED_FIND] = "SELECT place FROM acked WHERE inbox = ?1 AND lane = ?2 AND kind = ?3 AND last_number >= ?4 "
                   "AND place > ?5 ORDER BY last_number, place LIMIT 1",
    [STEP_PUT] = "INSERT OR REPLACE INTO step VALUES (?1, ?2, ?3, ?4)",
    [STEP_FIND] = "SELECT place FROM step WHERE inbox = ?1 AND lane = ?2 AND number >= ?3 ORDER BY number, place "
                  "LIMIT ?4",
    [COMMIT_TIME_PUT] = "INSERT OR REPLACE INTO commit_time VALUES (?1, ?2)",
    [COMMIT_TIME_FIND] = "SELECT at_ms FROM commit_time WHERE last_place >= ?1 ORDER BY last_place LIMIT 1",
};

struct store {
    sqlite3 *db;
    struct vault *vault;
    char *path;
    sqlite3_stmt *statements[STATEMENTS];
    int wal_pages; /* since the last checkpoint */
    struct arena seal; /* for what is about to be bound */
};

_Noreturn void store_fail(struct store *store, const char *what)
{
    fprintf(stderr,
            "<2>carehubd: %s failed: %s (%d, errno %d). Nothing more is confirmed; stopping at once. "
            "Free or mend the disk of %s, then start again: nothing that was confirmed is lost.\n",
            what, sqlite3_errmsg(store->db), sqlite3_extended_errcode(store->db), sqlite3_system_errno(store->db),
            store->path);
    _exit(74); /* EX_IOERR */
}

/* ---- Opening ---------------------------------------------------------------------------------------------------- */

static bool say(char error[STORE_ERROR_BYTES], const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool say(char error[STORE_ERROR_BYTES], const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error, STORE_ERROR_BYTES, format, args);
    va_end(args);
    return false;
}

/* Sets a pragma and reads it back: what SQLite does not know it ignores in silence. */
static bool pragma_set(sqlite3 *db, const char *name, const char *value, const char *expected, char *error)
{
    char text[128];
    sqlite3_stmt *statement = NULL;
    snprintf(text, sizeof text, "PRAGMA %s=%s", name, value);
    if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK)
        return say(error, "PRAGMA %s: %s", name, sqlite3_errmsg(db));
    snprintf(text, sizeof text, "PRAGMA %s", name);
    bool right = sqlite3_prepare_v2(db, text, -1, &statement, NULL) == SQLITE_OK &&
                 sqlite3_step(statement) == SQLITE_ROW &&
                 strcmp((const char *)sqlite3_column_text(statement, 0), expected) == 0;
    sqlite3_finalize(statement);
    return right ? true
                 : say(error, "SQLite did not take PRAGMA %s=%s, and the hub's promises rest on it", name, value);
}

static bool pragmas_set(sqlite3 *db, char *error)
{
    static const char *const pragmas[][3] = {
        {"locking_mode", "EXCLUSIVE", "exclusive"}, {"journal_mode", "WAL", "wal"}, {"synchronous", "FULL", "2"},
        {"foreign_keys", "ON", "1"},                {"cell_size_check", "ON", "1"},
    };
    int on = 0;
    for (size_t i = 0; i < sizeof pragmas / sizeof *pragmas; i++)
        if (!pragma_set(db, pragmas[i][0], pragmas[i][1], pragmas[i][2], error))
            return false;
    char text[128];
    snprintf(text, sizeof text, "PRAGMA mmap_size=0; PRAGMA cache_size=-%d; PRAGMA journal_size_limit=%d;", CACHE_KIB,
             WAL_MAX_BYTES);
    if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, &on) != SQLITE_OK || !on)
        return say(error, "cannot set up the database: %s", sqlite3_errmsg(db));
    return true;
}

/* SQLite's own checkpoints pass over errors, and sync once more later: after a failed sync that can succeed for pages
 * that never reached the disk. So checkpoints are ours (store_commit), and this is all that its hook does. */
static int count_wal_pages(void *ctx, sqlite3 *db, const char *name, int pages)
{
    (void)db, (void)name;
    ((struct store *)ctx)->wal_pages = pages;
    return SQLITE_OK;
}

static int schema_version(sqlite3 *db)
{
    sqlite3_stmt *statement = NULL;
    int version = -1;
    if (sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        version = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return version;
}

/* Each version's step in a transaction of its own, so that a crash leaves a whole version. */
static bool migrate(struct store *store, char *error)
{
    int version = schema_version(store->db);
    if (version < 0)
        return say(error, "%s is not a database of the hub: %s", store->path, sqlite3_errmsg(store->db));
    if (version > STORE_SCHEMA_VERSION)
        return say(error,
                   "%s has schema version %d; this carehubd knows up to %d. It was written by a newer carehubd: install "
                   "that one",
                   store->path, version, STORE_SCHEMA_VERSION);
    for (; version < STORE_SCHEMA_VERSION; version++) {
        char *step = sqlite3_mprintf("BEGIN; %s PRAGMA user_version=%d; COMMIT;", schema[version], version + 1);
        int result = step ? sqlite3_exec(store->db, step, NULL, NULL, NULL) : SQLITE_NOMEM;
        sqlite3_free(step);
        if (result != SQLITE_OK)
            return say(error, "cannot bring %s to schema version %d: %s", store->path, version + 1,
                       sqlite3_errmsg(store->db));
    }
    return true;
}

static bool key_load(struct store *store, enum vault_key which, bool *missing, char *error)
{
    sqlite3_stmt *statement = NULL;
    bool good = true;
    *missing = true;
    if (sqlite3_prepare_v2(store->db, "SELECT wrapped FROM hub_key WHERE which = ?1", -1, &statement, NULL) != SQLITE_OK)
        return say(error, "cannot read the hub's keys: %s", sqlite3_errmsg(store->db));
    sqlite3_bind_int(statement, 1, (int)which);
    if (sqlite3_step(statement) == SQLITE_ROW) {
        *missing = false;
        good = sqlite3_column_bytes(statement, 0) == VAULT_WRAPPED_BYTES &&
               vault_load(store->vault, which, sqlite3_column_blob(statement, 0));
    }
    sqlite3_finalize(statement);
    return good ? true
                : say(error,
                      "the master key does not open %s. Start with the master key that the database was made with",
                      store->path);
}

static bool key_create(struct store *store, enum vault_key which, char *error)
{
    uint8_t wrapped[VAULT_WRAPPED_BYTES];
    vault_create(store->vault, which, wrapped);
    sqlite3_stmt *statement = NULL;
    bool good = sqlite3_prepare_v2(store->db, "INSERT INTO hub_key VALUES (?1, ?2)", -1, &statement, NULL) == SQLITE_OK;
    if (good) {
        sqlite3_bind_int(statement, 1, (int)which);
        sqlite3_bind_blob(statement, 2, wrapped, sizeof wrapped, SQLITE_STATIC);
        good = sqlite3_step(statement) == SQLITE_DONE;
    }
    sqlite3_finalize(statement);
    return good ? true : say(error, "cannot store the hub's keys: %s", sqlite3_errmsg(store->db));
}

static bool keys_load(struct store *store, char *error)
{
    if (sqlite3_exec(store->db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK)
        return say(error, "cannot read the hub's keys: %s", sqlite3_errmsg(store->db));
    for (enum vault_key which = VAULT_LOG; which < VAULT_KEYS; which++) {
        bool missing;
        if (!key_load(store, which, &missing, error) || (missing && !key_create(store, which, error)))
            return false;
    }
    return sqlite3_exec(store->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK
               ? true
               : say(error, "cannot store the hub's keys: %s", sqlite3_errmsg(store->db));
}

/* A file that is not yet in its directory on disk can be gone after a power cut, whole. */
static bool directory_sync(const char *path, char *error)
{
    char *copy = strdup(path);
    int fd = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    bool good = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    free(copy);
    return good ? true : say(error, "cannot sync the directory of %s", path);
}

static bool open_all(struct store *store, char *error)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    mode_t mask = umask(077);
    int opened = sqlite3_open_v2(store->path, &store->db, flags, NULL);
    umask(mask);
    if (opened != SQLITE_OK)
        return say(error, "cannot open %s: %s", store->path, store->db ? sqlite3_errmsg(store->db) : "out of memory");
    sqlite3_wal_hook(store->db, count_wal_pages, store);
    if (!pragmas_set(store->db, error) || !migrate(store, error) || !keys_load(store, error) ||
        !directory_sync(store->path, error))
        return false;
    for (int i = 0; i < STATEMENTS; i++)
        if (sqlite3_prepare_v3(store->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &store->statements[i], NULL) !=
            SQLITE_OK)
            return say(error, "cannot prepare “%s”: %s", sql[i], sqlite3_errmsg(store->db));
    uint8_t key[VAULT_KEY_BYTES];
    enum store_result hub = store_subject_key(store, 0, key);
    if (hub == STORE_NONE)
        store_subject_create(store, 0, key);
    return hub == STORE_DAMAGED ? say(error, "the hub's own payload key in %s is damaged", store->path) : true;
}

struct store *store_open(const char *path, struct vault *vault, char error[STORE_ERROR_BYTES])
{
    struct store *store = xcalloc(1, sizeof *store);
    store->vault = vault;
    store->path = strdup(path);
    arena_init(&store->seal);
    if (!store->path || !open_all(store, error))
        store_close(&store);
    return store;
}

void store_close(struct store **store_p)
{
    struct store *store = *store_p;
    if (!store)
        return;
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(store->statements[i]);
    sqlite3_close(store->db);
    arena_fini(&store->seal);
    free(store->path);
    free(store);
    *store_p = NULL;
}

sqlite3 *store_database(struct store *store)
{
    return store->db;
}

struct vault *store_vault(struct store *store)
{
    return store->vault;
}

/* ---- Running statements ------------------------------------------------------------------------------------------ */

void store_run(struct store *store, sqlite3_stmt *statement)
{
    if (sqlite3_step(statement) != SQLITE_DONE)
        store_fail(store, sqlite3_sql(statement));
    sqlite3_reset(statement);
}

sqlite3_stmt *store_entry_statement(struct store *store, enum store_statement_entry which)
{
    static const enum statement of[] = {
        [STORE_ENTRY_PUT] = ENTRY_PUT, [STORE_ENTRY_GET] = ENTRY_GET, [STORE_ENTRY_LAST] = ENTRY_LAST};
    return store->statements[of[which]];
}

/* A statement with its first numbers bound. */
static sqlite3_stmt *bind(struct store *store, enum statement which, int n, const int64_t numbers[])
{
    sqlite3_stmt *statement = store->statements[which];
    for (int i = 0; i < n; i++)
        sqlite3_bind_int64(statement, i + 1, numbers[i]);
    return statement;
}

#define NUMBERS(...) sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), (const int64_t[]){__VA_ARGS__}

/* One row's first column, as a number. */
static int64_t number_of(struct store *store, sqlite3_stmt *statement, int64_t otherwise)
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

void store_begin(struct store *store)
{
    store_run(store, store->statements[BEGIN]);
}

void store_commit(struct store *store)
{
    store_run(store, store->statements[COMMIT]);
    if (store->wal_pages < WAL_CHECKPOINT_PAGES)
        return;
    if (sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL) != SQLITE_OK)
        store_fail(store, "checkpoint");
    store->wal_pages = 0;
}

void store_mark(struct store *store)
{
    store_run(store, store->statements[MARK]);
}

void store_release(struct store *store)
{
    store_run(store, store->statements[RELEASE]);
}

void store_rollback_to_mark(struct store *store)
{
    store_run(store, store->statements[ROLLBACK_TO]);
    store_run(store, store->statements[RELEASE]);
}

/* ---- Sealed rows -------------------------------------------------------------------------------------------------- */

/* Where a row stands: what its seal is bound to. */
struct row {
    int64_t table, a, b, c;
};

/* Binds the sealed body at `index`, runs, and gives the memory back. */
static void run_sealed(struct store *store, sqlite3_stmt *statement, int index, const struct row *row, const void *body,
                       size_t size)
{
    uint8_t *sealed = arena_alloc(&store->seal, size + VAULT_OVERHEAD_BYTES);
    vault_seal(store->vault, vault_key(store->vault, VAULT_STATE), row, sizeof *row, body, size, sealed);
    sqlite3_bind_blob64(statement, index, sealed, size + VAULT_OVERHEAD_BYTES, SQLITE_STATIC);
    store_run(store, statement);
    sqlite3_bind_null(statement, index);
    arena_reset(&store->seal);
}

static enum store_result open_sealed(struct store *store, sqlite3_stmt *statement, int column, const struct row *row,
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

/* Steps to the next row; false at the end. */
static bool next_row(struct store *store, sqlite3_stmt *statement)
{
    int result = sqlite3_step(statement);
    if (result == SQLITE_ROW)
        return true;
    if (result != SQLITE_DONE)
        store_fail(store, sqlite3_sql(statement));
    sqlite3_reset(statement);
    return false;
}

/* ---- Cards -------------------------------------------------------------------------------------------------------- */

void store_card_put(struct store *store, enum card_kind kind, uint64_t number, uint64_t from_place, const void *body,
                    size_t size)
{
    struct row row = {'c', kind, (int64_t)number, (int64_t)from_place};
    sqlite3_stmt *statement = bind(store, CARD_PUT, NUMBERS(kind, (int64_t)number, (int64_t)from_place));
    run_sealed(store, statement, 4, &row, body, size);
}

enum store_result store_card_get(struct store *store, enum card_kind kind, uint64_t number, uint64_t at_place,
                                 struct arena *arena, struct card *card)
{
    sqlite3_stmt *statement = bind(store, CARD_GET, NUMBERS(kind, (int64_t)number, (int64_t)at_place));
    if (!next_row(store, statement))
        return STORE_NONE;
    card->number = number;
    card->from_place = (uint64_t)sqlite3_column_int64(statement, 0);
    struct row row = {'c', kind, (int64_t)number, (int64_t)card->from_place};
    enum store_result result = open_sealed(store, statement, 1, &row, arena, card);
    sqlite3_reset(statement);
    return result;
}

enum store_result store_card_each(struct store *store, enum card_kind kind, struct arena *arena,
                                  void (*each)(void *ctx, const struct card *card), void *ctx)
{
    sqlite3_stmt *statement = bind(store, CARD_EACH, NUMBERS(kind));
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

/* ---- Persons ------------------------------------------------------------------------------------------------------ */

void store_subject_create(struct store *store, uint64_t subject, uint8_t key[VAULT_KEY_BYTES])
{
    uint8_t wrapped[VAULT_WRAPPED_BYTES];
    vault_subject_create(store->vault, subject, key, wrapped);
    sqlite3_stmt *statement = bind(store, SUBJECT_PUT, NUMBERS((int64_t)subject));
    sqlite3_bind_blob(statement, 2, wrapped, sizeof wrapped, SQLITE_STATIC);
    store_run(store, statement);
}

enum store_result store_subject_key(struct store *store, uint64_t subject, uint8_t key[VAULT_KEY_BYTES])
{
    sqlite3_stmt *statement = bind(store, SUBJECT_GET, NUMBERS((int64_t)subject));
    if (!next_row(store, statement))
        return STORE_NONE;
    bool good = sqlite3_column_bytes(statement, 0) == VAULT_WRAPPED_BYTES &&
                vault_subject_load(store->vault, subject, sqlite3_column_blob(statement, 0), key);
    sqlite3_reset(statement);
    return good ? STORE_OK : STORE_DAMAGED;
}

uint64_t store_subject_last(struct store *store)
{
    return (uint64_t)number_of(store, store->statements[SUBJECT_LAST], 0);
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

/* ---- Ids and numbers ---------------------------------------------------------------------------------------------- */

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

/* ---- Inboxes ------------------------------------------------------------------------------------------------------ */

void store_lane_put(struct store *store, uint32_t inbox, int lane, const void *body, size_t size)
{
    struct row row = {'l', inbox, lane, 0};
    run_sealed(store, bind(store, LANE_PUT, NUMBERS(inbox, lane)), 3, &row, body, size);
}

enum store_result store_lane_get(struct store *store, uint32_t inbox, int lane, struct arena *arena,
                                 struct card *card)
{
    sqlite3_stmt *statement = bind(store, LANE_GET, NUMBERS(inbox, lane));
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
    run_sealed(store, bind(store, SEGMENT_PUT, NUMBERS(inbox, lane, (int64_t)last_number)), 4, &row, body, size);
}

enum store_result store_segment_get(struct store *store, uint32_t inbox, int lane, uint64_t number,
                                    struct arena *arena, struct card *card)
{
    sqlite3_stmt *statement = bind(store, SEGMENT_GET, NUMBERS(inbox, lane, (int64_t)number));
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
    store_run(store, bind(store, SEGMENT_DROP, NUMBERS(inbox, lane, (int64_t)through_number)));
}

void store_exception_put(struct store *store, uint32_t inbox, int lane, uint64_t number, const void *body,
                         size_t size)
{
    struct row row = {'x', inbox, lane, (int64_t)number};
    run_sealed(store, bind(store, EXCEPTION_PUT, NUMBERS(inbox, lane, (int64_t)number)), 4, &row, body, size);
}

void store_exception_remove(struct store *store, uint32_t inbox, int lane, uint64_t number)
{
    store_run(store, bind(store, EXCEPTION_REMOVE, NUMBERS(inbox, lane, (int64_t)number)));
}

enum store_result store_exception_each(struct store *store, uint32_t inbox, struct arena *arena,
                                       void (*each)(void *ctx, int lane, const struct card *card), void *ctx)
{
    sqlite3_stmt *statement = bind(store, EXCEPTION_EACH, NUMBERS(inbox));
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
    run_sealed(store, bind(store, HELD_PUT, NUMBERS((int64_t)place, actor)), 3, &row, body, size);
}

void store_held_remove(struct store *store, uint64_t place, uint32_t actor)
{
    store_run(store, bind(store, HELD_REMOVE, NUMBERS((int64_t)place, actor)));
}

enum store_result store_held_get(struct store *store, uint64_t place, uint32_t actor, struct arena *arena,
                                 struct card *card)
{
    sqlite3_stmt *statement = bind(store, HELD_GET, NUMBERS((int64_t)place, actor));
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

/* ---- Places to look at -------------------------------------------------------------------------------------------- */

void store_acked_put(struct store *store, uint32_t inbox, int lane, int kind, uint64_t to, uint64_t place)
{
    store_run(store, bind(store, ACKED_PUT, NUMBERS(inbox, lane, kind, (int64_t)to, (int64_t)place)));
}

uint64_t store_acked_find(struct store *store, uint32_t inbox, int lane, int kind, uint64_t number, uint64_t after)
{
    return (uint64_t)number_of(store,
                               bind(store, ACKED_FIND, NUMBERS(inbox, lane, kind, (int64_t)number, (int64_t)after)), 0);
}

void store_step_put(struct store *store, uint32_t inbox, int lane, uint64_t number, uint64_t place)
{
    store_run(store, bind(store, STEP_PUT, NUMBERS(inbox, lane, (int64_t)number, (int64_t)place)));
}

int store_steps_find(struct store *store, uint32_t inbox, int lane, uint64_t number, uint64_t *places, int max)
{
    sqlite3_stmt *statement = bind(store, STEP_FIND, NUMBERS(inbox, lane, (int64_t)number, max));
    int n = 0;
    while (next_row(store, statement))
        places[n++] = (uint64_t)sqlite3_column_int64(statement, 0);
    return n;
}

void store_commit_time_put(struct store *store, uint64_t last_place, int64_t at_ms)
{
    store_run(store, bind(store, COMMIT_TIME_PUT, NUMBERS((int64_t)last_place, at_ms)));
}

int64_t store_commit_time_find(struct store *store, uint64_t place)
{
    return number_of(store, bind(store, COMMIT_TIME_FIND, NUMBERS((int64_t)place)), 0);
}

/* ---- Sizes -------------------------------------------------------------------------------------------------------- */

static uint64_t file_bytes(const char *path, const char *suffix)
{
    char name[4096];
    struct stat status;
    snprintf(name, sizeof name, "%s%s", path, suffix);
    return stat(name, &status) == 0 ? (uint64_t)status.st_size : 0;
}

uint64_t store_size_bytes(struct store *store)
{
    return file_bytes(store->path, "");
}

uint64_t store_wal_bytes(struct store *store)
{
    return file_bytes(store->path, "-wal");
}

uint64_t store_free_bytes(struct store *store)
{
    struct statvfs status;
    return statvfs(store->path, &status) == 0 ? (uint64_t)status.f_bavail * status.f_frsize : UINT64_MAX;
}
