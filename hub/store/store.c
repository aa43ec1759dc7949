#include "store_private.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "directory.h"

enum { WAL_CHECKPOINT_PAGES = 4000, CACHE_KIB = 64 << 10, WAL_MAX_BYTES = 64 << 20 };

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
    [ENTRY_LEAVES] = "SELECT place, leaf FROM entry WHERE place >= ?1 ORDER BY place LIMIT ?2",
    [ENTRY_ERASE] = "UPDATE entry SET body = ?2, payload = NULL WHERE place = ?1",
    [ENTRY_DROP_PAYLOAD] = "UPDATE entry SET payload = NULL WHERE place = ?1 AND payload IS NOT NULL",
    [ENTRY_PRUNE] = "DELETE FROM entry WHERE place = ?1",
    [HELD_ANY] = "SELECT 1 FROM held WHERE place = ?1 LIMIT 1",
    [ACKED_FORGET] = "DELETE FROM acked WHERE inbox = ?1 AND lane = ?2 AND kind = ?3 AND last_number <= ?4",
    [COMMIT_TIMES_FORGET] = "DELETE FROM commit_time WHERE last_place <= ?1",
    [CARDS_FORGET] = "DELETE FROM card WHERE kind = ?1 AND number = ?2 AND from_place < (SELECT max(from_place) "
                     "FROM card WHERE kind = ?1 AND number = ?2 AND from_place <= ?3)",
    [ENTRY_CONVERT] = "UPDATE entry SET leaf = ?2, body = ?3, payload = ?4 WHERE place = ?1",
    [DUE_PUT] = "INSERT OR IGNORE INTO due VALUES (?1, ?2)",
    [DUE_NEXT] = "SELECT at_ms, subject FROM due WHERE at_ms <= ?1 ORDER BY at_ms, subject LIMIT 1",
    [DUE_REMOVE] = "DELETE FROM due WHERE at_ms = ?1 AND subject = ?2",
    [DUE_HAS] = "SELECT 1 FROM due WHERE at_ms = ?1 AND subject = ?2",
    [ID_PUT] = "INSERT INTO id VALUES (?1, ?2)",
    [ID_FIND] = "SELECT place FROM id WHERE id = ?1",
    [ID_FORGET] = "DELETE FROM id WHERE id IN (SELECT id FROM id WHERE id < ?1 AND place < ?2 ORDER BY id LIMIT ?3)",
    [CARD_PUT] = "INSERT OR REPLACE INTO card VALUES (?1, ?2, ?3, ?4)",
    [CARD_GET] = "SELECT from_place, body FROM card WHERE kind = ?1 AND number = ?2 AND from_place <= ?3 "
                 "ORDER BY from_place DESC LIMIT 1",
    [CARD_EACH] = "SELECT number, max(from_place), body FROM card WHERE kind = ?1 GROUP BY number ORDER BY number",
    [SUBJECT_PUT] = "INSERT INTO subject (subject, epoch, wrapped) VALUES (?1, ?2, ?3)",
    [SUBJECT_GET] = "SELECT epoch, wrapped FROM subject WHERE subject = ?1",
    [SUBJECT_LAST] = "SELECT max(subject) FROM subject WHERE subject < 1 << 62",
    [PERSON_PUT] = "UPDATE subject SET from_place = ?2, card = ?3 WHERE subject = ?1",
    [PERSON_GET] = "SELECT epoch, wrapped, from_place, card FROM subject WHERE subject = ?1",
    [IDENTIFIER_PUT] = "INSERT OR REPLACE INTO identifier VALUES (?1, ?2, ?3)",
    [IDENTIFIER_REMOVE] = "DELETE FROM identifier WHERE hash = ?1",
    [IDENTIFIER_FIND] = "SELECT subject, mac FROM identifier WHERE hash = ?1",
    [IDENTIFIERS_OF] = "SELECT hash FROM identifier WHERE subject = ?1 LIMIT ?2",
    [IDENTIFIERS_BEHIND] = "SELECT hash, subject, mac FROM identifier WHERE hash > ?1 ORDER BY hash LIMIT ?2",
    [IDENTIFIERS_ERASE] = "DELETE FROM identifier WHERE subject = ?1",
    [SUBJECT_BURY] = "INSERT OR REPLACE INTO subject (subject, epoch, wrapped) VALUES (?1, 0, ?2)",
    [SUBJECTS_BEHIND] = "SELECT subject, epoch, wrapped FROM subject WHERE subject > ?1 ORDER BY subject LIMIT ?2",
    [SUBJECT_REWRAP] = "UPDATE subject SET epoch = ?2, wrapped = ?3 WHERE subject = ?1",
    [ENTRIES_EMPTY] = "SELECT place FROM entry WHERE place > ?1 AND place <= ?2 AND body = x'' LIMIT ?3",
    [NAMED_PUT] = "INSERT INTO named VALUES (?1, ?2)",
    [NAMED_FIND] = "SELECT body FROM named WHERE place = ?1",
    [NAMED_REMOVE] = "DELETE FROM named WHERE place = ?1",
    [CARD_REMOVE] = "DELETE FROM card WHERE kind = ?1 AND number = ?2 AND from_place = ?3",
    [ID_REMOVE] = "DELETE FROM id WHERE id = ?1",
    [HELD_REMOVE_ALL] = "DELETE FROM held WHERE place = ?1",
    [STEPS_REMOVE] = "DELETE FROM step WHERE inbox = ?1 AND lane = ?2 AND number = ?3",
    [OF_PERSON_REMOVE] = "DELETE FROM of_person WHERE person = ?1 AND place = ?2",
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
    [ACKED_FIRST] = "SELECT min(last_number) FROM acked WHERE inbox = ?1 AND lane = ?2 AND kind = ?3",
    [STEP_PUT] = "INSERT OR REPLACE INTO step VALUES (?1, ?2, ?3, ?4)",
    [STEP_FIND] = "SELECT place FROM step WHERE inbox = ?1 AND lane = ?2 AND number >= ?3 ORDER BY number, place "
                  "LIMIT ?4",
    [CARD_FIRST] = "SELECT min(from_place) FROM card WHERE kind = ?1 AND number = ?2",
    [STEP_OF] = "SELECT place FROM step WHERE inbox = ?1 AND lane = ?2 AND number = ?3 AND place > ?4 ORDER BY place "
                "LIMIT ?5",
    [ACKED_PLACES] = "SELECT place FROM acked WHERE inbox = ?1 AND lane = ?2 AND kind = ?3 AND last_number >= ?4 "
                     "AND place > ?5 ORDER BY last_number, place LIMIT ?6",
    [OF_PERSON_PUT] = "INSERT OR IGNORE INTO of_person VALUES (?1, ?2)",
    [OF_PERSON_NEXT] = "SELECT place FROM of_person WHERE person = ?1 AND place >= ?2 ORDER BY place LIMIT 1",
    [OF_PERSON_LAST] = "SELECT place FROM of_person WHERE person = ?1 AND place < ?2 ORDER BY place DESC LIMIT 1",
    [WORK_PUT] = "INSERT OR REPLACE INTO work VALUES (?1, ?2, ?3, ?4)",
    [WORK_NEXT] = "SELECT at_ms, place, body FROM work WHERE kind = ?1 AND at_ms <= ?2 AND (at_ms, place) > (?3, ?4) "
                  "ORDER BY at_ms, place LIMIT 1",
    [WORK_REMOVE] = "DELETE FROM work WHERE kind = ?1 AND at_ms = ?2 AND place = ?3",
    [WORK_COUNT] = "SELECT count(*) FROM work WHERE kind = ?1",
    [UNREAD_PUT] = "INSERT OR IGNORE INTO unread VALUES (?1, ?2, ?3, ?4)",
    [UNREAD_REMOVE] = "DELETE FROM unread WHERE told_nobody = ?1 AND due_ms = ?2 AND place = ?3 AND actor = ?4",
    [UNREAD_HAS] = "SELECT 1 FROM unread WHERE told_nobody = ?1 AND due_ms = ?2 AND place = ?3 AND actor = ?4",
    [UNREAD_DUE] = "SELECT told_nobody, due_ms, place, actor FROM unread WHERE told_nobody = ?1 AND due_ms <= ?2 "
                   "ORDER BY due_ms, place, actor LIMIT ?3",
    [UNREAD_COUNT] = "SELECT count(*) FROM unread WHERE told_nobody = 1",
    [COMMIT_TIME_PUT] = "INSERT OR REPLACE INTO commit_time VALUES (?1, ?2)",
    [COMMIT_TIME_FIND] = "SELECT at_ms FROM commit_time WHERE last_place >= ?1 ORDER BY last_place LIMIT 1",
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

bool store_say(char error[STORE_ERROR_BYTES], const char *format, ...)
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
        return store_say(error,
                         "%s is not a sound database of a hub: %s. If it was one, restore it from its last backup",
                         sqlite3_db_filename(db, "main"), sqlite3_errmsg(db));
    snprintf(text, sizeof text, "PRAGMA %s", name);
    bool right = sqlite3_prepare_v2(db, text, -1, &statement, NULL) == SQLITE_OK &&
                 sqlite3_step(statement) == SQLITE_ROW &&
                 strcmp((const char *)sqlite3_column_text(statement, 0), expected) == 0;
    sqlite3_finalize(statement);
    return right ? true
                 : store_say(error, "SQLite did not take PRAGMA %s=%s, and the hub's promises rest on it", name, value);
}

static bool pragmas_set(sqlite3 *db, char *error)
{
    static const char *const pragmas[][3] = {
        {"locking_mode", "EXCLUSIVE", "exclusive"},
        {"journal_mode", "WAL", "wal"},
        {"synchronous", "FULL", "2"},
        {"foreign_keys", "ON", "1"},
        {"cell_size_check", "ON", "1"},
        {"secure_delete", "ON", "1"}, /* what is erased leaves nothing in a free page */
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
        return store_say(error, "cannot set up the database: %s", sqlite3_errmsg(db));
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

static bool wal_empty(struct store *store);

static bool open_all(struct store *store, char *error)
{
    /* A group's savepoint copies the pages that it changes, a few of them. Otherwise they go to a file in /var/tmp:
       after the first that spills, each of every group. Says nothing if SQLite has been started already; then it was
       here. */
    sqlite3_config(SQLITE_CONFIG_STMTJRNL_SPILL, -1);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    mode_t mask = umask(077);
    int opened = sqlite3_open_v2(store->path, &store->db, flags, NULL);
    umask(mask);
    if (opened != SQLITE_OK)
        return store_say(error, "cannot open %s: %s", store->path,
                         store->db ? sqlite3_errmsg(store->db) : "out of memory");
    sqlite3_wal_hook(store->db, count_wal_pages, store);
    if (!store_clean_attach(store))
        return store_say(error, "cannot open %s: SQLite does not show its file", store->path);
    if (!pragmas_set(store->db, error) || !store_keys_open(store, error) || !store_migrate(store, error))
        return false;
    if (!directory_sync(store->path))
        return store_say(error, "cannot sync the directory of %s: mend its disk, then start again", store->path);
    for (int i = 0; i < STATEMENTS; i++)
        if (sqlite3_prepare_v3(store->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &store->statements[i], NULL) !=
            SQLITE_OK)
            return store_say(error, "cannot prepare “%s”: %s", sql[i], sqlite3_errmsg(store->db));
    if (!wal_empty(store)) /* what a crash has left there may be of the erased */
        return store_say(error, "the write-ahead log of %s cannot be emptied: is another process reading it?",
                         store->path);
    uint8_t key[VAULT_KEY_BYTES];
    enum store_result hub = store_subject_key(store, 0, key);
    if (hub == STORE_NONE)
        store_subject_create(store, 0, key);
    return hub == STORE_DAMAGED
               ? store_say(error,
                           "%s is not the keyring of %s (or the hub's own payload key is damaged). Put back the one "
                           "that belongs to it",
                           store->keyring.path, store->path)
               : true;
}

struct store *store_open(const char *path, struct vault *vault, const struct keyring_kdf *kdf,
                         char error[STORE_ERROR_BYTES])
{
    struct store *store = xcalloc(1, sizeof *store);
    store->vault = vault;
    store->path = strdup(path);
    arena_init(&store->seal);
    if (!store->path)
        abort();
    if (!keyring_init(&store->keyring, path, kdf, vault))
        store_say(error, "the path of the database is too long: %.200s…", path);
    else if (open_all(store, error))
        return store;
    store_close(&store);
    return NULL;
}

void store_close(struct store **store_p)
{
    struct store *store = *store_p;
    if (!store)
        return;
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(store->statements[i]);
    if (store->db) /* what is in the write-ahead log goes into the file by way of store_clean.c */
        sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    store_clean_detach(store);
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

const char *store_path(const struct store *store)
{
    return store->path;
}

struct vault *store_vault(struct store *store)
{
    return store->vault;
}

struct keyring *store_keyring(struct store *store)
{
    return &store->keyring;
}

/* ---- Running statements ----------------------------------------------------------------------------------------- */

void store_run(struct store *store, sqlite3_stmt *statement)
{
    if (sqlite3_step(statement) != SQLITE_DONE)
        store_fail(store, sqlite3_sql(statement));
    sqlite3_reset(statement);
}

sqlite3_stmt *store_entry_statement(struct store *store, enum store_statement_entry which)
{
    static const enum statement of[] = {
        [STORE_ENTRY_PUT] = ENTRY_PUT,     [STORE_ENTRY_GET] = ENTRY_GET,
        [STORE_ENTRY_LAST] = ENTRY_LAST,   [STORE_ENTRY_LEAVES] = ENTRY_LEAVES,
        [STORE_ENTRY_ERASE] = ENTRY_ERASE, [STORE_ENTRY_DROP_PAYLOAD] = ENTRY_DROP_PAYLOAD,
        [STORE_ENTRY_PRUNE] = ENTRY_PRUNE, [STORE_ENTRY_CONVERT] = ENTRY_CONVERT};
    return store->statements[of[which]];
}

void store_begin(struct store *store)
{
    store_run(store, store->statements[BEGIN]);
}

/* False: something reads just now (a backup); later, then. */
static bool wal_empty(struct store *store)
{
    int result = sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) & 0xff;
    if (result != SQLITE_OK && result != SQLITE_BUSY && result != SQLITE_LOCKED)
        store_fail(store, "checkpoint");
    if (result == SQLITE_OK)
        store->wal_pages = 0;
    return result == SQLITE_OK;
}

void store_truncate_wal(struct store *store)
{
    store->wal_truncate = true;
}

void store_commit(struct store *store)
{
    store_run(store, store->statements[COMMIT]);
    if (store->wal_truncate && wal_empty(store)) {
        store->wal_truncate = false;
        sqlite3_db_release_memory(store->db); /* pages in memory may still hold what those in the file do not */
    }
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

/* ---- Sizes ------------------------------------------------------------------------------------------------------ */

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
