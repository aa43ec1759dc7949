/* store_private.h - what store.c (the database and its statements) and store_rows.c (the rows) share. */
#ifndef CAREHUB_STORE_PRIVATE_H
#define CAREHUB_STORE_PRIVATE_H

#include "store.h"

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
    DUE_PUT,
    DUE_NEXT,
    DUE_REMOVE,
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

struct store {
    sqlite3 *db;
    struct vault *vault;
    char *path;
    sqlite3_stmt *statements[STATEMENTS];
    int wal_pages;     /* since the last checkpoint */
    struct arena seal; /* for what is about to be bound */
};

#endif
