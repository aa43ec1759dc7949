/* Between the files of the journal; no part of its interface. */
#ifndef CAREHUB_JOURNAL_INTERNAL_H
#define CAREHUB_JOURNAL_INTERNAL_H

#include <sqlite3.h>

#include "journal.h"
#include "seal.h"

enum { JOURNAL_VERSION = 4 };

enum statement {
    BEGIN,
    COMMIT,
    ROLLBACK,
    RECALL,
    PAST,
    ADD,
    MESSAGE_OF,
    SETTLE,
    IS_SETTLED,
    LAST,
    UNSETTLED_NEXT,
    UNSETTLED_ITEMS,
    FORGET,
    STATE_DROP_NEW,
    STATE_UNDO,
    PRUNE,
    STATE_PRUNE,
    SENT_PRUNE,
    HELD_PRUNE,
    TIME_GET,
    TIME_PUT,
    STATE_LOAD,
    STATE_STORE,
    STATE_SEEN,
    SENT_PUT,
    SENT_GET,
    NUMBER_GET,
    NUMBER_PUT,
    HOLD,
    HELD_NEXT,
    HELD_DUE,
    HELD_WAITS,
    HELD_DONE,
    HELD_RETRY,
    HELD_COUNT,
    HELD_BYTES,
    PERSON_ITEMS,
    PERSON_STATES,
    PERSON_STATE_DROP,
    PERSON_SENT,
    PERSON_SENT_DROP,
    PERSON_HELD,
    STATEMENTS
};

/* Makes the tables of version 1; then each brings them from the version of its index to the next. */
extern const char *const journal_schema[JOURNAL_VERSION];
extern const char *const journal_sql[STATEMENTS];

struct journal {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    struct seal *seal;
    int lock_fd;                       /* -1: none */
    uint64_t next_number, last_number; /* of those that are reserved; both 0: none */
    int64_t time_ms, time_seen_ms; /* what is believed (journal_time), and since when, of CLOCK_BOOTTIME; 0: nothing */
    bool held_known;               /* held_count and held_bytes are right */
    int64_t held_count, held_bytes;
    char error[JOURNAL_ERROR_BYTES];
};

/* Notes what SQLite says; returns false. `what`: the journal cannot "be read". */
bool journal_failed(struct journal *self, const char *what);
/* Notes that something in it does not open; returns false. */
bool journal_damaged(struct journal *self);

/* A prepared statement, reset, with nothing bound. */
sqlite3_stmt *journal_statement(struct journal *self, enum statement which);
void journal_put_blob(sqlite3_stmt *s, int at, const void *bytes, size_t size);
/* Runs one that gives no rows. */
bool journal_run(struct journal *self, sqlite3_stmt *s, const char *what);

/* Binds `plain` sealed under what and name. False without memory. */
bool journal_put_sealed(struct journal *self, sqlite3_stmt *s, int at, const char *what,
                        const uint8_t name[SEAL_NAME_BYTES], const void *plain, size_t len);
/* Opens the sealed column: malloc'd, with one zero byte behind it. NULL when it does not open. */
uint8_t *journal_open_sealed(struct journal *self, sqlite3_stmt *s, int column, const char *what,
                             const uint8_t name[SEAL_NAME_BYTES], size_t *len);

/* Adds the item of a row: id, original, fact, digest, sealed. */
bool journal_read_item(struct journal *self, sqlite3_stmt *s, struct items *items);

/* The keyed hash of a message's key. */
void journal_message_name(const struct journal *self, const struct carehub_message *message,
                          uint8_t name[SEAL_NAME_BYTES]);

#endif
