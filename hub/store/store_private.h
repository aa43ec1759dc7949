/* store_private.h - what store.c (the database and its statements), store_schema.c (the tables and their versions) and
 * the files of the rows share: store_rows.c, store_persons.c, store_inboxes.c, store_behind.c, store_index.c. */
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
    ENTRY_LEAVES,
    ENTRY_ERASE,
    ENTRY_DROP_PAYLOAD,
    ENTRY_PRUNE,
    HELD_ANY,
    ACKED_FORGET,
    COMMIT_TIMES_FORGET,
    CARDS_FORGET,
    ENTRY_CONVERT,
    DUE_PUT,
    DUE_NEXT,
    DUE_REMOVE,
    DUE_HAS,
    ID_PUT,
    ID_FIND,
    ID_FORGET,
    CARD_PUT,
    CARD_GET,
    CARD_EACH,
    SUBJECT_PUT,
    SUBJECT_GET,
    SUBJECT_LAST,
    PERSON_PUT,
    PERSON_GET,
    IDENTIFIER_PUT,
    IDENTIFIER_REMOVE,
    IDENTIFIER_FIND,
    IDENTIFIERS_ERASE,
    SUBJECTS_BEHIND,
    SUBJECT_REWRAP,
    SUBJECT_BURY,
    IDENTIFIERS_BEHIND,
    IDENTIFIERS_OF,
    ENTRIES_EMPTY,
    NAMED_PUT,
    NAMED_FIND,
    NAMED_REMOVE,
    CARD_REMOVE,
    ID_REMOVE,
    HELD_REMOVE_ALL,
    STEPS_REMOVE,
    OF_PERSON_REMOVE,
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
    ACKED_FIRST,
    STEP_PUT,
    STEP_FIND,
    COMMIT_TIME_PUT,
    COMMIT_TIME_FIND,
    CARD_FIRST,
    STEP_OF,
    ACKED_PLACES,
    OF_PERSON_PUT,
    OF_PERSON_NEXT,
    OF_PERSON_LAST,
    WORK_PUT,
    WORK_NEXT,
    WORK_REMOVE,
    WORK_COUNT,
    UNREAD_PUT,
    UNREAD_REMOVE,
    UNREAD_HAS,
    UNREAD_DUE,
    UNREAD_COUNT,
    STATEMENTS
};

struct store {
    sqlite3 *db;
    struct vault *vault;
    struct keyring keyring;
    char *path;
    sqlite3_stmt *statements[STATEMENTS];
    int wal_pages;     /* since the last checkpoint */
    bool wal_truncate; /* after the next commit */
    struct clean *clean;
    struct arena seal; /* for what is about to be bound */
};

/* ---- store_schema.c ---------------------------------------------------------------------------------------------- */

/* Both before any statement is prepared. The keyring is on disk before anything is sealed with what it holds, and
 * before its keys go from an old database. */
bool store_keys_open(struct store *store, char *error);
bool store_migrate(struct store *store, char *error);

/* Always false. */
bool store_say(char error[STORE_ERROR_BYTES], const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- store_clean.c ----------------------------------------------------------------------------------------------- */

/* From here on pages are written clean; till store_clean_detach, before the database is closed. */
bool store_clean_attach(struct store *store);
void store_clean_detach(struct store *store);

/* ---- store_rows.c ------------------------------------------------------------------------------------------------ */

/* Where a row stands: what its seal is bound to. */
struct row {
    int64_t table, a, b, c;
};

/* A statement with its first numbers bound: bind_numbers(store, STATEMENT, NUMBERS(a, b)). */
sqlite3_stmt *bind_numbers(struct store *store, enum statement which, int n, const int64_t numbers[]);

#define NUMBERS(...)                                                                                                   \
    sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), (const int64_t[])                                              \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }

/* One row's first column, as a number. */
int64_t number_of(struct store *store, sqlite3_stmt *statement, int64_t otherwise);
/* All rows' first columns, at most max. Returns their count. */
int numbers_of(struct store *store, sqlite3_stmt *statement, uint64_t *numbers, int max);
/* Steps to the next row; false at the end. */
bool next_row(struct store *store, sqlite3_stmt *statement);
/* Binds the sealed body at `index`, runs, and gives the memory back. A card is sealed with the
 * key of the person or actor whose it is, if there is one; every other row with the hub's own. */
void run_sealed(struct store *store, sqlite3_stmt *statement, int index, const struct row *row, const void *body,
                size_t size);
/* Opens it with the key of the row's subject, if that has one, or with the hub's own, with which older versions sealed.
 * ERASED: it is a card, and whose it is has been erased. */
enum store_result open_sealed(struct store *store, sqlite3_stmt *statement, int column, const struct row *row,
                              struct arena *arena, struct card *card);
/* The same with the subject's key, which is there already; NULL: it has none. */
enum store_result open_sealed_with(struct store *store, const uint8_t *own, sqlite3_stmt *statement, int column,
                                   const struct row *row, struct arena *arena, struct card *card);

/* ---- store_persons.c -------------------------------------------------------------------------------------------- */

/* Does a row's proof (of `size` bytes) say that this identifier leads to this person? */
bool identifier_proved(struct store *store, const uint8_t hash[DIGEST_BYTES], uint64_t subject, const uint8_t *mac,
                       int size);

#endif
