/* vfs_powercut.h - a SQLite VFS under which the power can fail. It passes everything on to the system's own, and keeps
 * of each file what a disk would hold if the power failed now: what was synced. At a chosen call it writes that to the
 * files, and ends the process.
 *
 * Install it in a process that may die (a fork), before the database is opened. One thread. */
#ifndef CAREHUB_VFS_POWERCUT_H
#define CAREHUB_VFS_POWERCUT_H

#include <stdbool.h>
#include <stdint.h>

enum { POWERCUT_EXIT = 86 }; /* exit status of a process whose power failed */

struct powercut {
    bool syncs_only;    /* calls are counted in syncs alone: there are few, and each matters */
    uint64_t cut_at;    /* the power fails at this write or sync, counted from 1; 0: never */
    bool torn;          /* of what was not synced, sectors at random are there */
    bool deaf_to_wal;   /* syncs of the WAL do nothing: as with PRAGMA synchronous=NORMAL */
    uint64_t error_at;  /* this write or sync fails with an I/O error, and does nothing; 0: never */
    uint64_t seed;      /* of what is torn */
    void (*also)(void); /* is called when the power fails: leaves of other files what a disk would have; or NULL */
};

/* Becomes the default VFS of this process. */
void powercut_install(const struct powercut *powercut);
/* A change or sync of a file that is not SQLite's is about to be made: counts it as a call, and may not return. */
void powercut_count(void);
/* Writes and syncs so far; syncs alone. */
uint64_t powercut_calls(void);
uint64_t powercut_syncs(void);
/* Has the error been returned? */
bool powercut_failed(void);

#endif
