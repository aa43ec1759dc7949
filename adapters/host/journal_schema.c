/* journal_schema.c - the journal's tables, and all that is asked of them. */
#include "journal_internal.h"

const char *const journal_schema[JOURNAL_VERSION] = {
    /* Of an event, or a fact. message: keyed hash of what names the native message; digest: keyed hash of its content;
     * episode: keyed hash; original: the id of what it corrects, or its own. */
    "CREATE TABLE event ("
    "  seq INTEGER PRIMARY KEY,"
    "  id BLOB NOT NULL UNIQUE,"
    "  message BLOB NOT NULL,"
    "  digest BLOB NOT NULL,"
    "  episode BLOB,"
    "  original BLOB NOT NULL,"
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
    "  sealed BLOB NOT NULL);",

    /* held.native: how it came, sealed. state: message is the one that stored it, before what it replaced. */
    "ALTER TABLE event ADD COLUMN fact INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE held ADD COLUMN native BLOB;"
    "CREATE TABLE state ("
    "  name BLOB PRIMARY KEY,"
    "  message BLOB NOT NULL,"
    "  made_ms INTEGER NOT NULL,"
    "  sealed BLOB NOT NULL,"
    "  before BLOB) WITHOUT ROWID;"
    "CREATE INDEX state_message ON state (message);"
    "CREATE INDEX state_made ON state (made_ms);"
    "CREATE TABLE sent ("
    "  name BLOB PRIMARY KEY," /* keyed hash of outlet and event id */
    "  made_ms INTEGER NOT NULL,"
    "  sealed BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX sent_made ON sent (made_ms);"
    "CREATE TABLE number (last INTEGER NOT NULL);",

    /* unsettled: neither hub nor spool is known to have it, or to have refused it. */
    "ALTER TABLE event ADD COLUMN unsettled INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX event_unsettled ON event (seq) WHERE unsettled = 1;",

    /* believed: what time it was, as far as that was believed. */
    "CREATE TABLE believed (time_ms INTEGER NOT NULL);",
};

#define NO_ITEM_LEFT " AND NOT EXISTS (SELECT 1 FROM event e WHERE e.message = ?1)"

const char *const journal_sql[STATEMENTS] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
    [RECALL] = "SELECT id, original, fact, digest, sealed FROM event WHERE message = ?1 ORDER BY seq",
    /* Of each original the last word, in the order of the originals. */
    [PAST] = "SELECT id, original, sealed,"
             "  (SELECT min(o.seq) FROM event o WHERE o.episode = e.episode AND o.original = e.original) AS first"
             " FROM event e WHERE episode = ?1 AND NOT EXISTS"
             "  (SELECT 1 FROM event n WHERE n.episode = e.episode AND n.original = e.original AND n.seq > e.seq)"
             " ORDER BY first DESC",
    [ADD] = "INSERT OR IGNORE INTO event (id, message, digest, episode, original, made_ms, fact, sealed, unsettled)"
            " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 1)",
    [MESSAGE_OF] = "SELECT message FROM event WHERE id = ?1",
    [SETTLE] = "UPDATE event SET unsettled = 0 WHERE message = ?1 AND digest = ?2 AND unsettled = 1",
    [IS_SETTLED] = "SELECT count(*) > 0 AND sum(unsettled) = 0 FROM event WHERE message = ?1 AND digest = ?2",
    [LAST] = "SELECT max(seq) FROM event",
    [UNSETTLED_NEXT] = "SELECT seq, message, digest FROM event WHERE unsettled = 1 AND seq > ?1 AND seq <= ?2"
                       " AND made_ms > ?3 ORDER BY seq LIMIT 1",
    [UNSETTLED_ITEMS] = "SELECT id, original, fact, digest, sealed FROM event WHERE message = ?1 AND digest = ?2"
                        " AND unsettled = 1 ORDER BY seq",
    [FORGET] = "DELETE FROM event WHERE id = ?1",
    [STATE_DROP_NEW] = "DELETE FROM state WHERE message = ?1 AND before IS NULL" NO_ITEM_LEFT,
    [STATE_UNDO] = "UPDATE state SET sealed = before, before = NULL, message = x'' WHERE message = ?1" NO_ITEM_LEFT,
    [PRUNE] = "DELETE FROM event WHERE made_ms < ?1",
    [STATE_PRUNE] = "DELETE FROM state WHERE made_ms < ?1",
    [SENT_PRUNE] = "DELETE FROM sent WHERE made_ms < ?1",
    [HELD_PRUNE] = "DELETE FROM held WHERE received_ms < ?1",
    [TIME_GET] = "SELECT coalesce((SELECT time_ms FROM believed), (SELECT max(made_ms) FROM event))",
    [TIME_PUT] = "INSERT OR REPLACE INTO believed (rowid, time_ms) VALUES (1, ?1)",
    [STATE_LOAD] = "SELECT sealed FROM state WHERE name = ?1",
    [STATE_STORE] = "INSERT INTO state (name, message, made_ms, sealed) VALUES (?1, ?2, ?3, ?4)"
                    " ON CONFLICT (name) DO UPDATE SET"
                    "  before = CASE WHEN message = excluded.message THEN before ELSE sealed END,"
                    "  message = excluded.message, made_ms = excluded.made_ms, sealed = excluded.sealed",
    [STATE_SEEN] = "UPDATE state SET made_ms = ?2 WHERE name = ?1 AND made_ms < ?2 - 24 * 3600 * 1000",
    [SENT_PUT] = "INSERT OR REPLACE INTO sent (name, made_ms, sealed) VALUES (?1, ?2, ?3)",
    [SENT_GET] = "SELECT sealed FROM sent WHERE name = ?1",
    [NUMBER_GET] = "SELECT last FROM number",
    [NUMBER_PUT] = "INSERT OR REPLACE INTO number (rowid, last) VALUES (1, ?1)",
    [HOLD] = "INSERT OR IGNORE INTO held (message, sender, native_id, why, received_ms, sealed, native)"
             " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [HELD_NEXT] =
        "SELECT number, received_ms, sender, native_id, why FROM held WHERE number > ?1 ORDER BY number LIMIT 1",
    [HELD_DUE] = "SELECT number, received_ms, sender, native_id, why, message, sealed, native FROM held WHERE due = 1"
                 " ORDER BY number LIMIT 1",
    [HELD_WAITS] = "UPDATE held SET due = 0 WHERE number = ?1",
    [HELD_DONE] = "DELETE FROM held WHERE number = ?1",
    [HELD_RETRY] = "UPDATE held SET due = 1",
    [HELD_COUNT] = "SELECT count(*) FROM held",
    [HELD_BYTES] = "SELECT count(*), sum(length(sealed) + coalesce(length(native), 0)) FROM held",
    [PERSON_ITEMS] = "SELECT id, fact, sealed FROM event ORDER BY seq",
    [PERSON_STATES] = "SELECT name, sealed, before FROM state",
    [PERSON_STATE_DROP] = "DELETE FROM state WHERE name = ?1",
    [PERSON_SENT] = "SELECT name, sealed FROM sent",
    [PERSON_SENT_DROP] = "DELETE FROM sent WHERE name = ?1",
    [PERSON_HELD] = "SELECT number, message, sealed, native, native_id FROM held",
};
