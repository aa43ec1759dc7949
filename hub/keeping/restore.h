/* restore.h - puts a backup (backup_file.h) back in the place of the database. Offline: no hub is running on it. */
#ifndef CAREHUB_RESTORE_H
#define CAREHUB_RESTORE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/core.h"
#include "hub_limits.h"

enum { RESTORE_PATH_BYTES = 4096, RESTORE_ERASED_MAX = 1000 };

/* Who was erased after the backup was taken. */
struct restore_erased {
    uint64_t person;               /* a number; 0: an actor */
    uint32_t actor;                /* … */
    char name[NAME_MAX_BYTES + 1]; /* … of this name */
};

struct restore {
    const char *backup_path, *database_path;
    const uint8_t *master_key; /* KEY_BYTES; opens the keyring beside the database */
    /* How far it is, from time to time: "opening", "checking". */
    void (*progress)(void *ctx, const char *doing, uint64_t done, uint64_t total);
    void *ctx;
    /* What came of it: */
    uint64_t place, rows; /* the last entry in it; how many rows were checked */
    int64_t taken_ms;
    char replaced[RESTORE_PATH_BYTES]; /* where the database that was there is now; "" if there was none */
    bool erased_known;                 /* that one told who has been erased since, and is in this one again: */
    size_t n_erased;
    bool erased_more; /* than these */
    struct restore_erased erased[RESTORE_ERASED_MAX];
};

/* Opens the backup beside the database, checks every row of it, and only then lets it take the database's place; what
 * was there is kept under another name. A crash or an error on the way leaves the database as it was. False: says why.
 */
bool core_restore(struct restore *restore, char error[CORE_ERROR_BYTES]);

#endif
