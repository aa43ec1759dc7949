/* The tables, their versions, and where the keys of a database come from. */
#include "store_private.h"

#include <assert.h>

enum { SCHEMA_WITH_KEYRING = 4 };

/* Bodies are sealed. No index is in random order over the history: ids are time-ordered, everything else is by number,
 * and the one random index (identifier) grows with the persons, not with the events; of_person is made behind. */
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
    /* version 2 */
    "CREATE TABLE due (at_ms INTEGER NOT NULL, subject INTEGER NOT NULL, PRIMARY KEY (at_ms, subject)) STRICT,"
    "  WITHOUT ROWID;",
    /* version 3: of_person is in random order, and made behind the hot path. Nobody is told of what was not read before
       there was such a thing. */
    "CREATE TABLE of_person (person INTEGER NOT NULL, place INTEGER NOT NULL, PRIMARY KEY (person, place)) STRICT,"
    "  WITHOUT ROWID;"
    "CREATE TABLE work (kind INTEGER NOT NULL, at_ms INTEGER NOT NULL, place INTEGER NOT NULL, body BLOB NOT NULL,"
    "  PRIMARY KEY (kind, at_ms, place)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE unread (told_nobody INTEGER NOT NULL, due_ms INTEGER NOT NULL, place INTEGER NOT NULL,"
    "  actor INTEGER NOT NULL, PRIMARY KEY (told_nobody, due_ms, place, actor)) STRICT, WITHOUT ROWID;"
    "INSERT INTO number SELECT 'unread-from-place', coalesce(max(place), 0) FROM entry;",
    /* version 4: the hub's keys have moved to the keyring; subjects' keys say which epoch's key wraps them; a person's
       identifiers can be found (subjects are numbered in order: this index grows at its end). Entries are indexed by
       their person anew, since those that concern two are now found by either; and are converted to the form of this
       version (log_convert.c). */
    "DROP TABLE hub_key;"
    "ALTER TABLE subject ADD COLUMN epoch INTEGER NOT NULL DEFAULT 1;"
    "CREATE INDEX identifier_subject ON identifier (subject);"
    "INSERT OR REPLACE INTO number SELECT 'unread-from-place', max(number) FROM number"
    "  WHERE name IN ('unread-from-place', 'indexed-place');"
    "DELETE FROM number WHERE name = 'indexed-place';"
    "INSERT INTO number SELECT 'entries-to-convert', coalesce(max(place), 0) FROM entry;",
    /* version 5: a person's card in force stands beside the key too, sealed as it is among the versions. Table card
       holds whole rows in its inner pages, and is many pages deep where there are many persons; subject holds numbers
       there. */
    "ALTER TABLE subject ADD COLUMN from_place INTEGER;"
    "ALTER TABLE subject ADD COLUMN card BLOB;"
    "UPDATE subject SET (from_place, card) = (SELECT from_place, body FROM card WHERE kind = 4 AND number = subject"
    "  ORDER BY from_place DESC LIMIT 1);",
    /* version 6: an entry that names an actor who is a natural person is sealed with that actor's key, and `named` says
       so; the actor's cards are sealed with it too, and a person's cards with that person's. An identifier's row proves
       that it leads to the person for whom it was written. What is there already is brought into this form at the first
       start (convert.c). No column is added to the large tables: SQLite would read all of each, and say nothing
       meanwhile. */
    "CREATE TABLE named (place INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;"
    "ALTER TABLE identifier ADD COLUMN mac BLOB NOT NULL DEFAULT x'';"
    "INSERT OR REPLACE INTO number VALUES ('names-to-convert', 1), ('cards-to-convert', 1),"
    "  ('identifiers-to-convert', 1),"
    "  ('erased-to-convert', (SELECT coalesce(max(place), 0) FROM entry));",
};
static_assert(sizeof schema / sizeof *schema == STORE_SCHEMA_VERSION, "one step for each version");

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

bool store_is_current(const char *path)
{
    sqlite3 *db = NULL;
    bool current = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK &&
                   schema_version(db) == STORE_SCHEMA_VERSION;
    sqlite3_close(db);
    return current;
}

/* Each version's step in a transaction of its own, so that a crash leaves a whole version. */
bool store_migrate(struct store *store, char *error)
{
    int version = schema_version(store->db);
    if (version < 0)
        return store_say(error, "%s is not a database of the hub: %s", store->path, sqlite3_errmsg(store->db));
    if (version > STORE_SCHEMA_VERSION)
        return store_say(
            error,
            "%s has schema version %d; this carehubd knows up to %d. It was written by a newer carehubd: install "
            "that one",
            store->path, version, STORE_SCHEMA_VERSION);
    /* What was deleted before pages were written clean. */
    if (version > 0 && version < SCHEMA_WITH_KEYRING &&
        sqlite3_exec(store->db, "VACUUM", NULL, NULL, NULL) != SQLITE_OK)
        return store_say(error, "cannot rewrite %s, which needs as much room again as it takes: %s", store->path,
                         sqlite3_errmsg(store->db));
    for (; version < STORE_SCHEMA_VERSION; version++) {
        char *step = sqlite3_mprintf("BEGIN; %s PRAGMA user_version=%d; COMMIT;", schema[version], version + 1);
        int result = step ? sqlite3_exec(store->db, step, NULL, NULL, NULL) : SQLITE_NOMEM;
        sqlite3_free(step);
        if (result != SQLITE_OK)
            return store_say(error, "cannot bring %s to schema version %d: %s", store->path, version + 1,
                             sqlite3_errmsg(store->db));
    }
    return true;
}

/* The keys that a database of schema 3 or older holds itself: the hub's own, and that of its one epoch. */
static bool keys_adopt(struct store *store, char *error)
{
    sqlite3_stmt *statement = NULL;
    int n = 0;
    bool good = sqlite3_prepare_v2(store->db, "SELECT which, wrapped FROM hub_key WHERE which BETWEEN 1 AND ?1", -1,
                                   &statement, NULL) == SQLITE_OK;
    vault_make(store->vault); /* with a signing key, which such a database has not */
    if (good)
        sqlite3_bind_int(statement, 1, VAULT_KEYS);
    while (good && sqlite3_step(statement) == SQLITE_ROW) {
        good = sqlite3_column_bytes(statement, 1) == VAULT_WRAPPED_BYTES &&
               vault_adopt(store->vault, sqlite3_column_int(statement, 0), sqlite3_column_blob(statement, 1));
        n += good;
    }
    sqlite3_finalize(statement);
    return good && n == VAULT_KEYS
               ? true
               : store_say(error,
                           "the master key does not open %s. Start with the master key that the database was made with",
                           store->path);
}

/* The keyring is on disk before anything is sealed with what it holds, and before its keys go from an old database. */
bool store_keys_open(struct store *store, char *error)
{
    int version = schema_version(store->db);
    switch (keyring_load(&store->keyring, error)) {
    case KEYRING_OK:
        return true;
    case KEYRING_BAD:
        return false;
    case KEYRING_MISSING:
        break;
    }
    if (version >= SCHEMA_WITH_KEYRING)
        return store_say(error,
                         "%s is missing, and without it nothing in the database opens. Put back the copy that you keep "
                         "with the master key",
                         store->keyring.path);
    if (version > 0 && !keys_adopt(store, error))
        return false;
    if (version == 0)
        vault_make(store->vault);
    return keyring_write(&store->keyring, error);
}
