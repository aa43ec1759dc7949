#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "eventid.h"
#include "journal_internal.h"

enum { SCHEMA_VERSION = 1, BUSY_MS = 5000, EVENT_MAX = 1 << 20 };

static const char schema[] = "CREATE TABLE event ("
                             "  seq INTEGER PRIMARY KEY,"
                             "  id BLOB NOT NULL UNIQUE,"
                             "  message BLOB NOT NULL,"  /* keyed hash of what names the native message */
                             "  digest BLOB NOT NULL,"   /* keyed hash of its content */
                             "  episode BLOB,"           /* keyed hash */
                             "  original BLOB NOT NULL," /* the id of what it corrects, or its own */
                             "  made_ms INTEGER NOT NULL,"
                             "  sealed BLOB NOT NULL);"
                             "CREATE INDEX event_message ON event (message);"
                             "CREATE INDEX event_episode ON event (episode, original, seq);"
                             "CREATE INDEX event_made ON event (made_ms);"
                             "CREATE TABLE held ("
                             "  number INTEGER PRIMARY KEY,"
                             "  message BLOB NOT NULL UNIQUE,"
                             "  sender TEXT NOT NULL,"
                             "  native_id TEXT NOT NULL,"
                             "  why TEXT NOT NULL,"
                             "  received_ms INTEGER NOT NULL,"
                             "  due INTEGER NOT NULL DEFAULT 0,"
                             "  sealed BLOB NOT NULL);"
                             "PRAGMA user_version = 1;";

static const char *const sql[STATEMENTS] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
    [RECALL] = "SELECT id, digest, sealed FROM event WHERE message = ?1 ORDER BY seq",
    /* Of each original the last word, in the order of the originals. */
    [PAST] = "SELECT id, original, sealed,"
             "  (SELECT min(o.seq) FROM event o WHERE o.episode = e.episode AND o.original = e.original) AS first"
             " FROM event e WHERE episode = ?1 AND NOT EXISTS"
             "  (SELECT 1 FROM event n WHERE n.episode = e.episode AND n.original = e.original AND n.seq > e.seq)"
             " ORDER BY first DESC",
    [ADD] = "INSERT INTO event (id, message, digest, episode, original, made_ms, sealed)"
            " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [FORGET] = "DELETE FROM event WHERE id = ?1",
    [PRUNE] = "DELETE FROM event WHERE made_ms < ?1",
    [HOLD] = "INSERT OR IGNORE INTO held (message, sender, native_id, why, received_ms, sealed)"
             " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [HELD_NEXT] =
        "SELECT number, received_ms, sender, native_id, why FROM held WHERE number > ?1 ORDER BY number LIMIT 1",
    [HELD_DUE] = "SELECT number, received_ms, sender, native_id, why, message, sealed FROM held WHERE due = 1"
                 " ORDER BY number LIMIT 1",
    [HELD_WAITS] = "UPDATE held SET due = 0 WHERE number = ?1",
    [HELD_DONE] = "DELETE FROM held WHERE number = ?1",
    [HELD_RETRY] = "UPDATE held SET due = 1",
    [HELD_COUNT] = "SELECT count(*) FROM held",
};

/* ---- Opening ---------------------------------------------------------------------------------------------------- */

bool journal_failed(struct journal *self, const char *what)
{
    snprintf(self->error, sizeof self->error, "the journal cannot %s: %s", what, sqlite3_errmsg(self->db));
    return false;
}

static bool lock(struct journal *self, const char *dir)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/adapter.lock", dir);
    self->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (self->lock_fd >= 0 && flock(self->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return true;
    snprintf(self->error, sizeof self->error,
             errno == EWOULDBLOCK ? "another adapter runs on %s; each needs a state-dir of its own" : "cannot lock %s",
             dir);
    return false;
}

static bool execute(struct journal *self, const char *text)
{
    return sqlite3_exec(self->db, text, NULL, NULL, NULL) == SQLITE_OK || journal_failed(self, "be set up");
}

static bool prepare_schema(struct journal *self)
{
    sqlite3_stmt *statement;
    int version = -1;
    if (sqlite3_prepare_v2(self->db, "PRAGMA user_version", -1, &statement, NULL) != SQLITE_OK)
        return journal_failed(self, "be read");
    if (sqlite3_step(statement) == SQLITE_ROW)
        version = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    if (version == SCHEMA_VERSION)
        return true;
    if (version != 0) {
        snprintf(self->error, sizeof self->error, "the journal is of version %d; this program knows version %d",
                 version, SCHEMA_VERSION);
        return false;
    }
    return execute(self, "BEGIN IMMEDIATE") && execute(self, schema) && execute(self, "COMMIT");
}

static bool open_database(struct journal *self, const char *dir)
{
    char path[PATH_MAX], key[PATH_MAX];
    snprintf(path, sizeof path, "%s/journal.db", dir ? dir : "");
    snprintf(key, sizeof key, "%s/journal.key", dir ? dir : "");
    bool is_new = dir && access(path, F_OK) != 0;
    self->seal = seal_new(dir ? key : NULL, is_new, self->error, sizeof self->error);
    if (!self->seal)
        return false;
    if (sqlite3_open_v2(dir ? path : ":memory:", &self->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) !=
        SQLITE_OK)
        return journal_failed(self, "be opened");
    sqlite3_busy_timeout(self->db, BUSY_MS);
    /* FULL: what is committed survives a power cut. secure_delete: what is forgotten is gone from the file too. */
    if (!execute(self, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;") ||
        (dir && chmod(path, 0600) != 0) || !prepare_schema(self))
        return self->error[0] != '\0' ? false : journal_failed(self, "be made private");
    for (int i = 0; i < STATEMENTS; i++)
        if (sqlite3_prepare_v3(self->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &self->statements[i], NULL) !=
            SQLITE_OK)
            return journal_failed(self, "be used");
    return true;
}

struct journal *journal_open(const char *dir, bool exclusive, char error[JOURNAL_ERROR_BYTES])
{
    struct journal *self = calloc(1, sizeof *self);
    snprintf(error, JOURNAL_ERROR_BYTES, "out of memory");
    if (!self)
        return NULL;
    self->lock_fd = -1;
    bool ok = true;
    if (dir && mkdir(dir, 0700) != 0 && errno != EEXIST) {
        snprintf(self->error, sizeof self->error, "cannot make the state directory %s: %s", dir, strerror(errno));
        ok = false;
    }
    if (ok && (!dir || !exclusive || lock(self, dir)) && open_database(self, dir))
        return self;
    snprintf(error, JOURNAL_ERROR_BYTES, "%s", self->error);
    journal_close(&self);
    return NULL;
}

void journal_close(struct journal **self)
{
    struct journal *journal = *self;
    if (!journal)
        return;
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(journal->statements[i]);
    sqlite3_close(journal->db);
    seal_destroy(&journal->seal);
    if (journal->lock_fd >= 0)
        close(journal->lock_fd);
    free(journal);
    *self = NULL;
}

/* ---- Statements ------------------------------------------------------------------------------------------------- */

sqlite3_stmt *journal_statement(struct journal *self, enum statement which)
{
    sqlite3_reset(self->statements[which]);
    sqlite3_clear_bindings(self->statements[which]);
    return self->statements[which];
}

void journal_put_blob(sqlite3_stmt *s, int at, const void *bytes, size_t size)
{
    sqlite3_bind_blob(s, at, bytes, (int)size, SQLITE_TRANSIENT);
}

bool journal_run(struct journal *self, sqlite3_stmt *s, const char *what)
{
    bool done = sqlite3_step(s) == SQLITE_DONE;
    if (!done)
        journal_failed(self, what);
    sqlite3_reset(s);
    return done;
}

bool journal_begin(struct journal *self)
{
    return journal_run(self, journal_statement(self, BEGIN), "be written to");
}

bool journal_commit(struct journal *self)
{
    if (journal_run(self, journal_statement(self, COMMIT), "be written to"))
        return true;
    journal_rollback(self);
    return false;
}

void journal_rollback(struct journal *self)
{
    if (!sqlite3_get_autocommit(self->db))
        journal_run(self, journal_statement(self, ROLLBACK), "be rolled back");
}

const char *journal_error(const struct journal *self)
{
    return self->error;
}

/* ---- Events ----------------------------------------------------------------------------------------------------- */

static void event_name(const uint8_t *id, uint8_t name[SEAL_NAME_BYTES])
{
    memset(name, 0, SEAL_NAME_BYTES);
    memcpy(name, id, EVENTID_BYTES);
}

/* The event in a row: id in column 0, sealed in `column`. NULL when it does not open. */
static Carehub__V1__Event *read_event(struct journal *self, sqlite3_stmt *s, int column)
{
    uint8_t name[SEAL_NAME_BYTES];
    size_t size = (size_t)sqlite3_column_bytes(s, column);
    const uint8_t *sealed = sqlite3_column_blob(s, column);
    uint8_t *plain = size >= SEAL_OVERHEAD_BYTES ? malloc(size) : NULL;
    Carehub__V1__Event *event = NULL;
    if (plain && sqlite3_column_bytes(s, 0) == EVENTID_BYTES) {
        event_name(sqlite3_column_blob(s, 0), name);
        if (seal_get(self->seal, "event", name, sealed, size, plain))
            event = carehub__v1__event__unpack(NULL, size - SEAL_OVERHEAD_BYTES, plain);
    }
    free(plain);
    if (!event)
        snprintf(self->error, sizeof self->error,
                 "an entry of the journal is damaged, or the key beside it is another one; restore both together");
    return event;
}

enum journal_found journal_recall(struct journal *self, struct format_message *message)
{
    uint8_t name[SEAL_NAME_BYTES], digest[SEAL_NAME_BYTES];
    enum journal_found found = JOURNAL_NEW;
    int step;
    seal_name(self->seal, message->key, sizeof message->key, name);
    seal_name(self->seal, message->digest, sizeof message->digest, digest);
    sqlite3_stmt *s = journal_statement(self, RECALL);
    journal_put_blob(s, 1, name, sizeof name);
    while ((step = sqlite3_step(s)) == SQLITE_ROW && message->n_events < FORMAT_EVENTS_MAX) {
        bool same = sqlite3_column_bytes(s, 1) == SEAL_NAME_BYTES &&
                    memcmp(sqlite3_column_blob(s, 1), digest, SEAL_NAME_BYTES) == 0;
        if (found == JOURNAL_NEW)
            found = JOURNAL_REUSED;
        if (!same)
            continue;
        found = JOURNAL_REPEAT;
        message->events[message->n_events] = read_event(self, s, 2);
        if (!message->events[message->n_events]) {
            found = JOURNAL_FAILED;
            break;
        }
        message->n_events++;
    }
    if (step != SQLITE_DONE && step != SQLITE_ROW) {
        journal_failed(self, "be read");
        found = JOURNAL_FAILED;
    }
    sqlite3_reset(s);
    return found;
}

/* As formats are shown it: under the original's id, and no amendment itself. */
static bool show_as_original(Carehub__V1__Event *event, const void *original, int size)
{
    uint8_t *id = malloc(EVENTID_BYTES);
    if (!id || size != EVENTID_BYTES) {
        free(id);
        return false;
    }
    memcpy(id, original, EVENTID_BYTES);
    free(event->id.data);
    event->id.data = id;
    free(event->amends.data);
    event->amends = (ProtobufCBinaryData){0};
    return true;
}

bool journal_past(struct journal *self, const char *episode, struct format_past *past)
{
    uint8_t name[SEAL_NAME_BYTES];
    bool ok = true;
    past->count = 0;
    if (episode[0] == '\0')
        return true;
    seal_name(self->seal, episode, strlen(episode), name);
    sqlite3_stmt *s = journal_statement(self, PAST);
    journal_put_blob(s, 1, name, sizeof name);
    while (ok && past->count < FORMAT_PAST_MAX && sqlite3_step(s) == SQLITE_ROW) {
        Carehub__V1__Event *event = read_event(self, s, 2);
        ok = event != NULL;
        if (ok && event->retracts.len > 0)
            carehub__v1__event__free_unpacked(event, NULL);
        else if (ok) {
            past->events[past->count++] = event;
            ok = show_as_original(event, sqlite3_column_blob(s, 1), sqlite3_column_bytes(s, 1));
        }
    }
    sqlite3_reset(s);
    for (size_t i = 0; i < past->count / 2; i++) { /* read newest first */
        Carehub__V1__Event *event = past->events[i];
        past->events[i] = past->events[past->count - 1 - i];
        past->events[past->count - 1 - i] = event;
    }
    if (!ok)
        journal_past_clear(past);
    return ok;
}

void journal_past_clear(struct format_past *past)
{
    for (size_t i = 0; i < past->count; i++)
        carehub__v1__event__free_unpacked(past->events[i], NULL);
    past->count = 0;
}

static bool add_event(struct journal *self, const struct format_message *message, const Carehub__V1__Event *event,
                      int64_t now_ms)
{
    uint8_t name[SEAL_NAME_BYTES];
    size_t size = carehub__v1__event__get_packed_size(event);
    uint8_t *plain =
        size <= EVENT_MAX && event->id.len == EVENTID_BYTES ? malloc(2 * size + SEAL_OVERHEAD_BYTES) : NULL;
    if (!plain) {
        snprintf(self->error, sizeof self->error, "an event of %zu bytes cannot be kept", size);
        return false;
    }
    sqlite3_stmt *s = journal_statement(self, ADD);
    const ProtobufCBinaryData *original = event->amends.len     ? &event->amends
                                          : event->retracts.len ? &event->retracts
                                                                : &event->id;
    carehub__v1__event__pack(event, plain);
    journal_put_blob(s, 1, event->id.data, event->id.len);
    seal_name(self->seal, message->key, sizeof message->key, name);
    journal_put_blob(s, 2, name, sizeof name);
    seal_name(self->seal, message->digest, sizeof message->digest, name);
    journal_put_blob(s, 3, name, sizeof name);
    if (message->episode[0] != '\0') {
        seal_name(self->seal, message->episode, strlen(message->episode), name);
        journal_put_blob(s, 4, name, sizeof name);
    }
    journal_put_blob(s, 5, original->data, original->len);
    sqlite3_bind_int64(s, 6, now_ms);
    event_name(event->id.data, name);
    seal_put(self->seal, "event", name, plain, size, plain + size);
    journal_put_blob(s, 7, plain + size, size + SEAL_OVERHEAD_BYTES);
    bool ok = journal_run(self, s, "be written to");
    free(plain);
    return ok;
}

bool journal_add(struct journal *self, const struct format_message *message, int64_t now_ms)
{
    for (size_t i = 0; i < message->n_events; i++)
        if (!add_event(self, message, message->events[i], now_ms))
            return false;
    return true;
}

bool journal_forget(struct journal *self, const uint8_t *id, size_t len)
{
    sqlite3_stmt *s = journal_statement(self, FORGET);
    journal_put_blob(s, 1, id, len);
    return journal_run(self, s, "be written to");
}

int journal_prune(struct journal *self, int64_t before_ms)
{
    sqlite3_stmt *s = journal_statement(self, PRUNE);
    sqlite3_bind_int64(s, 1, before_ms);
    return journal_run(self, s, "be pruned") ? sqlite3_changes(self->db) : -1;
}
