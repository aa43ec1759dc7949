/* subscription_store.c - the database itself, and the subscriptions; subscription_store_events.c has their events. */
#include "subscription_store_internal.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <json-c/json_object.h>

#include "subscription_notice.h"

enum { SCHEMA_VERSION = 1, BUSY_MS = 5000 };

static const char schema[] = "CREATE TABLE subscription ("
                             "  key INTEGER PRIMARY KEY AUTOINCREMENT,"
                             "  id TEXT NOT NULL UNIQUE,"
                             "  actor TEXT NOT NULL,"
                             "  inbox TEXT NOT NULL UNIQUE,"
                             "  status INTEGER NOT NULL,"
                             "  inbox_is INTEGER NOT NULL,"
                             "  shaken INTEGER NOT NULL,"
                             "  deleted INTEGER NOT NULL,"
                             "  events INTEGER NOT NULL,"
                             "  version INTEGER NOT NULL,"
                             "  updated_ms INTEGER NOT NULL,"
                             "  error TEXT NOT NULL,"
                             "  resource BLOB NOT NULL);" /* sealed, as event.event and event.document */
                             "CREATE TABLE event ("
                             "  subscription INTEGER NOT NULL REFERENCES subscription (key) ON DELETE CASCADE,"
                             "  number INTEGER NOT NULL,"
                             "  id BLOB NOT NULL,"
                             "  lane INTEGER NOT NULL,"
                             "  delivery INTEGER NOT NULL,"
                             "  delivered INTEGER NOT NULL DEFAULT 0,"
                             "  made_ms INTEGER NOT NULL,"
                             "  type TEXT NOT NULL,"
                             "  event BLOB,"
                             "  document BLOB,"
                             "  UNIQUE (subscription, number),"
                             "  UNIQUE (subscription, id));"
                             "CREATE INDEX event_delivery ON event (subscription, lane, delivery);"
                             "CREATE INDEX event_made ON event (made_ms);"
                             "PRAGMA user_version = 1;";

#define EVENT_COLUMNS "number, id, lane, delivery, made_ms, type, event, document"

static const char *const sql[STORE_STATEMENTS] = {
    [STORE_SQL_BEGIN] = "BEGIN IMMEDIATE",
    [STORE_SQL_COMMIT] = "COMMIT",
    [STORE_SQL_ROLLBACK] = "ROLLBACK",
    [STORE_SQL_ADD] = "INSERT INTO subscription (id, actor, inbox, status, inbox_is, shaken, deleted, events, version,"
                      " updated_ms, error, resource) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8, ?9, ?10, ?11)",
    [STORE_SQL_UPDATE] = "UPDATE subscription SET status = ?4, inbox_is = ?5, shaken = ?6, deleted = ?7, version = ?8,"
                         " updated_ms = ?9, error = ?10, resource = ?11 WHERE id = ?1 AND actor = ?2 AND inbox = ?3",
    [STORE_SQL_REMOVE] = "DELETE FROM subscription WHERE key = ?1",
    [STORE_SQL_NEXT] = "SELECT key, id, actor, inbox, status, inbox_is, shaken, deleted, events, version, updated_ms,"
                       " error, resource FROM subscription WHERE key > ?1 ORDER BY key LIMIT 1",
    [STORE_SQL_NUMBER] = "UPDATE subscription SET events = events + 1 WHERE key = ?1 RETURNING events",
    [STORE_SQL_PUT] = "INSERT INTO event (subscription, " EVENT_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    /* One that was told without content, because it had been withdrawn, waits again when it comes again. */
    [STORE_SQL_PUT_AGAIN] =
        "UPDATE event SET lane = ?4, delivery = ?5, type = ?7, event = ?8, document = ?9,"
        " delivered = 0 WHERE subscription = ?1 AND id = ?3 AND (delivered = 0 OR document IS NULL)",
    [STORE_SQL_DELIVERED] = "UPDATE event SET delivered = 1 WHERE subscription = ?1 AND number = ?2",
    [STORE_SQL_WITHDRAW] = "UPDATE event SET event = NULL, document = NULL WHERE subscription = ?1 AND lane = ?2"
                           " AND delivery BETWEEN ?3 AND ?4 AND delivered = 0",
    [STORE_SQL_EVENT_FROM] = "SELECT " EVENT_COLUMNS " FROM event WHERE subscription = ?1 AND number >= ?2"
                             " ORDER BY number LIMIT 1",
    [STORE_SQL_EVENT_OF_ID] = "SELECT " EVENT_COLUMNS " FROM event WHERE subscription = ?1 AND id = ?2",
    [STORE_SQL_PRUNE_OLD] = "DELETE FROM event WHERE made_ms < ?1",
    [STORE_SQL_PRUNE_MANY] = "DELETE FROM event WHERE delivered = 1 AND number <="
                             " (SELECT events FROM subscription WHERE key = event.subscription) - ?1",
    [STORE_SQL_PERSON] = "SELECT subscription, number, id, event, document FROM event",
    [STORE_SQL_PERSON_BLANK] = "UPDATE event SET event = NULL, document = NULL WHERE subscription = ?1 AND number = ?2",
};

/* ---- Opening ---------------------------------------------------------------------------------------------------- */

bool store_failed(struct subscription_store *self, const char *what)
{
    snprintf(self->error, sizeof self->error, "the store of subscriptions cannot %s: %s", what,
             self->db ? sqlite3_errmsg(self->db) : "out of memory");
    return false;
}

static bool execute(struct subscription_store *self, const char *text)
{
    return sqlite3_exec(self->db, text, NULL, NULL, NULL) == SQLITE_OK || store_failed(self, "be set up");
}

static bool prepare_schema(struct subscription_store *self)
{
    sqlite3_stmt *statement;
    int version = -1;
    if (sqlite3_prepare_v2(self->db, "PRAGMA user_version", -1, &statement, NULL) != SQLITE_OK)
        return store_failed(self, "be read");
    if (sqlite3_step(statement) == SQLITE_ROW)
        version = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    if (version == SCHEMA_VERSION)
        return true;
    if (version == 0)
        return execute(self, "BEGIN IMMEDIATE") && execute(self, schema) && execute(self, "COMMIT");
    snprintf(self->error, sizeof self->error,
             "the store of subscriptions is of version %d; this program knows version %d", version, SCHEMA_VERSION);
    return false;
}

static bool open_database(struct subscription_store *self, const char *dir)
{
    char path[PATH_MAX] = ":memory:", key[PATH_MAX];
    snprintf(key, sizeof key, "%s/subscriptions.key", dir ? dir : "");
    if (dir)
        snprintf(path, sizeof path, "%s/subscriptions.db", dir);
    if (dir && mkdir(dir, 0700) != 0 && errno != EEXIST) {
        snprintf(self->error, sizeof self->error, "cannot make the state directory %s: %s", dir, strerror(errno));
        return false;
    }
    self->seal = seal_new(dir ? key : NULL, dir && access(path, F_OK) != 0, self->error, sizeof self->error);
    if (!self->seal)
        return false;
    if (sqlite3_open_v2(path, &self->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) != SQLITE_OK)
        return store_failed(self, "be opened");
    sqlite3_busy_timeout(self->db, BUSY_MS);
    /* FULL: what is committed survives a power cut. secure_delete: what is forgotten is gone from the file too. */
    if (!execute(self, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;"
                       "PRAGMA foreign_keys = ON;") ||
        !prepare_schema(self))
        return false;
    if (dir && chmod(path, 0600) != 0)
        return store_failed(self, "be made private");
    for (int i = 0; i < STORE_STATEMENTS; i++)
        if (sqlite3_prepare_v3(self->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &self->statements[i], NULL) !=
            SQLITE_OK)
            return store_failed(self, "be used");
    return true;
}

struct subscription_store *store_open(const char *dir, char error[STORE_ERROR_BYTES])
{
    struct subscription_store *self = calloc(1, sizeof *self);
    snprintf(error, STORE_ERROR_BYTES, "out of memory");
    if (!self || open_database(self, dir))
        return self;
    snprintf(error, STORE_ERROR_BYTES, "%s", self->error);
    store_close(&self);
    return NULL;
}

void store_close(struct subscription_store **self)
{
    struct subscription_store *store = *self;
    if (!store)
        return;
    for (int i = 0; i < STORE_STATEMENTS; i++)
        sqlite3_finalize(store->statements[i]);
    sqlite3_close(store->db);
    seal_destroy(&store->seal);
    free(store);
    *self = NULL;
}

const char *store_error(const struct subscription_store *self)
{
    return self->error;
}

/* ---- Statements ------------------------------------------------------------------------------------------------- */

sqlite3_stmt *store_sql(struct subscription_store *self, enum store_statement which)
{
    sqlite3_reset(self->statements[which]);
    sqlite3_clear_bindings(self->statements[which]);
    return self->statements[which];
}

bool store_run(struct subscription_store *self, sqlite3_stmt *s, const char *what)
{
    bool done = sqlite3_step(s) == SQLITE_DONE;
    if (!done)
        store_failed(self, what);
    sqlite3_reset(s);
    return done;
}

bool store_bind_sealed(struct subscription_store *self, sqlite3_stmt *s, int at, const char *what,
                       const uint8_t name[SEAL_NAME_BYTES], const void *bytes, size_t len)
{
    uint8_t *sealed = bytes ? malloc(len + SEAL_OVERHEAD_BYTES) : NULL;
    if (!bytes)
        return sqlite3_bind_null(s, at) == SQLITE_OK;
    if (!sealed)
        return false;
    seal_put(self->seal, what, name, bytes, len, sealed);
    return sqlite3_bind_blob(s, at, sealed, (int)(len + SEAL_OVERHEAD_BYTES), free) == SQLITE_OK;
}

void *store_unsealed(struct subscription_store *self, sqlite3_stmt *s, int column, const char *what,
                     const uint8_t name[SEAL_NAME_BYTES], size_t *len, bool *damaged)
{
    if (sqlite3_column_type(s, column) == SQLITE_NULL)
        return NULL;
    size_t size = (size_t)sqlite3_column_bytes(s, column);
    uint8_t *plain = size >= SEAL_OVERHEAD_BYTES ? malloc(size) : NULL;
    if (plain && seal_get(self->seal, what, name, sqlite3_column_blob(s, column), size, plain)) {
        *len = size - SEAL_OVERHEAD_BYTES;
        plain[*len] = '\0'; /* there is room: the seal was longer */
        return plain;
    }
    free(plain);
    *damaged = true;
    snprintf(self->error, sizeof self->error,
             "an entry of the store of subscriptions is damaged, or the key beside it"
             " is another one; restore both together");
    return NULL;
}

bool store_begin(struct subscription_store *self)
{
    return store_run(self, store_sql(self, STORE_SQL_BEGIN), "be written to");
}

bool store_commit(struct subscription_store *self)
{
    if (store_run(self, store_sql(self, STORE_SQL_COMMIT), "be written to"))
        return true;
    store_rollback(self);
    return false;
}

void store_rollback(struct subscription_store *self)
{
    if (!sqlite3_get_autocommit(self->db))
        store_run(self, store_sql(self, STORE_SQL_ROLLBACK), "be rolled back");
}

/* ---- Subscriptions ---------------------------------------------------------------------------------------------- */

static void name_of(const char *id, uint8_t name[SEAL_NAME_BYTES])
{
    memset(name, 0, SEAL_NAME_BYTES);
    memcpy(name, id, SEAL_NAME_BYTES); /* the first 32 of 36 characters */
}

static bool bind_record(struct subscription_store *self, sqlite3_stmt *s, const struct store_record *record)
{
    const struct subscription_state state = {record->id, SUBSCRIPTION_REQUESTED, "", record->version,
                                             record->updated_ms};
    uint8_t name[SEAL_NAME_BYTES];
    size_t len = 0;
    struct json_object *tree = subscription_write(record->resource, &state);
    char *text = tree ? notice_text(tree, &len) : NULL;
    name_of(record->id, name);
    sqlite3_bind_text(s, 1, record->id, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 2, record->actor, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 3, record->inbox, -1, SQLITE_STATIC);
    sqlite3_bind_int(s, 4, (int)record->status);
    sqlite3_bind_int(s, 5, (int)record->inbox_is);
    sqlite3_bind_int(s, 6, record->shaken);
    sqlite3_bind_int(s, 7, record->deleted);
    sqlite3_bind_int64(s, 8, record->version);
    sqlite3_bind_int64(s, 9, record->updated_ms);
    sqlite3_bind_text(s, 10, record->error, -1, SQLITE_STATIC);
    bool ok = text && store_bind_sealed(self, s, 11, "subscription", name, text, len);
    free(text);
    return ok || store_failed(self, "be written to");
}

bool store_add(struct subscription_store *self, struct store_record *record)
{
    sqlite3_stmt *s = store_sql(self, STORE_SQL_ADD);
    if (!bind_record(self, s, record) || !store_run(self, s, "be written to"))
        return false;
    record->key = sqlite3_last_insert_rowid(self->db);
    return true;
}

bool store_update(struct subscription_store *self, const struct store_record *record)
{
    sqlite3_stmt *s = store_sql(self, STORE_SQL_UPDATE);
    return bind_record(self, s, record) && store_run(self, s, "be written to");
}

bool store_remove(struct subscription_store *self, int64_t key)
{
    sqlite3_stmt *s = store_sql(self, STORE_SQL_REMOVE);
    sqlite3_bind_int64(s, 1, key);
    return store_run(self, s, "be written to");
}

static void column_text(sqlite3_stmt *s, int column, char *out, size_t size)
{
    const char *text = (const char *)sqlite3_column_text(s, column);
    snprintf(out, size, "%s", text ? text : "");
}

static bool read_record(struct subscription_store *self, sqlite3_stmt *s, struct store_record *record, bool *damaged)
{
    struct problems problems = {0};
    uint8_t name[SEAL_NAME_BYTES];
    size_t len = 0;
    *record = (struct store_record){
        .key = sqlite3_column_int64(s, 0),
        .status = (enum subscription_status)sqlite3_column_int(s, 4),
        .inbox_is = (enum store_inbox)sqlite3_column_int(s, 5),
        .shaken = sqlite3_column_int(s, 6) != 0,
        .deleted = sqlite3_column_int(s, 7) != 0,
        .events = (uint64_t)sqlite3_column_int64(s, 8),
        .version = sqlite3_column_int64(s, 9),
        .updated_ms = sqlite3_column_int64(s, 10),
    };
    column_text(s, 1, record->id, sizeof record->id);
    column_text(s, 2, record->actor, sizeof record->actor);
    column_text(s, 3, record->inbox, sizeof record->inbox);
    column_text(s, 11, record->error, sizeof record->error);
    name_of(record->id, name);
    char *text = store_unsealed(self, s, 12, "subscription", name, &len, damaged);
    record->resource = text ? subscription_read(text, len, &problems) : NULL;
    free(text);
    *damaged = *damaged || !record->resource || record->status > SUBSCRIPTION_OFF;
    return !*damaged;
}

bool store_next(struct subscription_store *self, int64_t after, struct store_record *record, bool *damaged)
{
    sqlite3_stmt *s = store_sql(self, STORE_SQL_NEXT);
    sqlite3_bind_int64(s, 1, after);
    int step = sqlite3_step(s);
    *damaged = false;
    bool found = step == SQLITE_ROW && read_record(self, s, record, damaged);
    if (step != SQLITE_ROW && step != SQLITE_DONE)
        *damaged = !store_failed(self, "be read");
    if (*damaged && self->error[0] == '\0')
        snprintf(self->error, sizeof self->error, "a subscription in the store is not one that this program takes");
    sqlite3_reset(s);
    return found;
}
