/* Between the files of the store; no part of its interface. */
#ifndef CAREHUB_SUBSCRIPTION_STORE_INTERNAL_H
#define CAREHUB_SUBSCRIPTION_STORE_INTERNAL_H

#include <sqlite3.h>

#include "seal.h"
#include "subscription_store.h"

enum store_statement {
    STORE_SQL_BEGIN,
    STORE_SQL_COMMIT,
    STORE_SQL_ROLLBACK,
    STORE_SQL_ADD,
    STORE_SQL_UPDATE,
    STORE_SQL_REMOVE,
    STORE_SQL_NEXT,
    STORE_SQL_NUMBER,
    STORE_SQL_PUT,
    STORE_SQL_PUT_AGAIN,
    STORE_SQL_DELIVERED,
    STORE_SQL_WITHDRAW,
    STORE_SQL_EVENT_FROM,
    STORE_SQL_EVENT_OF_ID,
    STORE_SQL_PRUNE_OLD,
    STORE_SQL_PRUNE_MANY,
    STORE_SQL_PERSON,
    STORE_SQL_PERSON_BLANK,
    STORE_STATEMENTS
};

struct subscription_store {
    sqlite3 *db;
    sqlite3_stmt *statements[STORE_STATEMENTS];
    struct seal *seal;
    char error[STORE_ERROR_BYTES];
};

/* What seals an event is bound to: its subscription, and its own id. */
void store_event_name(int64_t key, const uint8_t id[EVENTID_BYTES], uint8_t name[SEAL_NAME_BYTES]);

/* Notes what SQLite says; returns false. `what`: the store cannot "be read". */
bool store_failed(struct subscription_store *self, const char *what);
/* A prepared statement, reset, with nothing bound. */
sqlite3_stmt *store_sql(struct subscription_store *self, enum store_statement which);
/* Runs one that gives no rows. */
bool store_run(struct subscription_store *self, sqlite3_stmt *s, const char *what);
/* Binds bytes sealed; NULL: an SQL NULL. False without memory. */
bool store_bind_sealed(struct subscription_store *self, sqlite3_stmt *s, int at, const char *what,
                       const uint8_t name[SEAL_NAME_BYTES], const void *bytes, size_t len);
/* Opens a column: malloc'd, with a zero after its end. NULL with *damaged set when it does not open; NULL when it is
 * an SQL NULL. */
void *store_unsealed(struct subscription_store *self, sqlite3_stmt *s, int column, const char *what,
                     const uint8_t name[SEAL_NAME_BYTES], size_t *len, bool *damaged);

#endif
