/* restore_erased.h - who was erased since a backup was taken, and is back when it is put back. The database that is
 * about to be replaced knows it, if it can be read, and is a later state of the one that the backup is of. */
#ifndef CAREHUB_RESTORE_ERASED_H
#define CAREHUB_RESTORE_ERASED_H

#include "restore.h"
#include "store/log.h"
#include "store/store.h"

/* What the old database says of it. */
struct restore_erasures {
    bool known;
    uint8_t leaf[LEAF_BYTES]; /* its entry at the backup's last place: is it the same log? */
    bool more;                /* than fit in */
    size_t n;
    struct {
        uint64_t person; /* 0: an actor */
        uint32_t actor;
    } erased[RESTORE_ERASED_MAX];
};

/* Reads it, in a process of its own: a database that is damaged can end whoever opens it. No database is open yet. */
void restore_erasures_read(const struct restore *restore, struct restore_erasures *erasures);
/* Fills in restore->erased… with those who are in the restored database. */
void restore_erasures_take(struct restore *restore, const struct restore_erasures *erasures, struct store *store,
                           struct log *log);

#endif
