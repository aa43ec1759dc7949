/* Between the files of the journal; no part of its interface. */
#ifndef CAREHUB_JOURNAL_INTERNAL_H
#define CAREHUB_JOURNAL_INTERNAL_H

#include <sqlite3.h>

#include "journal.h"
#include "seal.h"

enum statement {
    BEGIN,
    COMMIT,
    ROLLBACK,
    RECALL,
    PAST,
    ADD,
    FORGET,
    PRUNE,
    HOLD,
    HELD_NEXT,
    HELD_DUE,
    HELD_WAITS,
    HELD_DONE,
    HELD_RETRY,
    HELD_COUNT,
    STATEMENTS
};

struct journal {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    struct seal *seal;
    int lock_fd; /* -1: none */
    char error[JOURNAL_ERROR_BYTES];
};

/* Notes what SQLite says; returns false. `what`: the journal cannot "be read". */
bool journal_failed(struct journal *self, const char *what);

/* A prepared statement, reset, with nothing bound. */
sqlite3_stmt *journal_statement(struct journal *self, enum statement which);
void journal_put_blob(sqlite3_stmt *s, int at, const void *bytes, size_t size);
/* Runs one that gives no rows. */
bool journal_run(struct journal *self, sqlite3_stmt *s, const char *what);

#endif
