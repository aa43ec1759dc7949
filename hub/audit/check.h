/* check.h - whether the files of a log are what its checkpoint says: every entry, every hash of every tile, and the
 * root. Nothing is trusted but the checkpoint that is handed in; and, for a log that was pruned, its minimum index.
 * What is before that is checked by the hashes that are left of it, which lead to the same root.
 *
 * Each hash is compared with what the file below it holds, and the tiles' root with the checkpoint's. If all of that
 * agrees, every file is the one that the root stands for. If two files do not agree, the upper one is believed as far
 * as what is above it agrees with it. Any thread. */
#ifndef CAREHUB_CHECK_H
#define CAREHUB_CHECK_H

#include "note.h"
#include "tiles.h"

enum check_verdict {
    CHECK_SOUND,
    CHECK_MISSING,  /* a file is not there, or is not of its size */
    CHECK_NO_ENTRY, /* a bundle holds something that is none of this log's entries: not of 32 bytes */
    CHECK_HASH,     /* what a file holds does not agree with the one above or below it */
    CHECK_ROOT,     /* everything fits together, but is not what was signed */
    CHECK_NEWER,    /* the "older" checkpoint covers more than this one: nothing can be said */
    CHECK_SINCE,    /* all is sound, but does not begin with what the older checkpoint covers */
    CHECK_PRUNED,   /* what the older checkpoint covers has been pruned: that cannot be said */
    CHECK_STRAY,    /* a file that a log has no place for (check_files) */
    CHECK_ALTERED,  /* a file that is not the beginning of the one that took its place (check_files) */
    CHECK_BEYOND,   /* a file that holds more than the checkpoint covers (check_files) */
};

/* One thing that is wrong. Entries are named by their places, from 1. */
struct check_fault {
    enum check_verdict kind;
    struct tile tile, other; /* the file that is wrong; and the one that it does not agree with, if it is about two */
    uint64_t first, last;    /* places of the entries that it is about; 0: of none */
    uint64_t count;          /* how many hashes or entries, or (CHECK_BEYOND) files it is about */
    const char *name;        /* CHECK_STRAY: the file's path in the directory; else NULL */
};

struct check {
    struct tile_source source;
    struct checkpoint checkpoint;
    uint64_t minimum;                                          /* index up to which it was pruned; 0: it was not */
    const struct checkpoint *since;                            /* an older one of the same log, or NULL */
    void (*progress)(void *ctx, uint64_t entries);             /* is told now and then; or NULL */
    void (*fault)(void *ctx, const struct check_fault *fault); /* each one, in the order of the log; or NULL */
    void *ctx;
    uint64_t faults;          /* how many there were */
    struct check_fault first; /* of them; without its name */
};

/* Returns the kind of the first fault. The older checkpoint is compared only with files that are sound. */
enum check_verdict check_tiles(struct check *check);

/* Tells of one; for check_files. */
void check_found(struct check *check, const struct check_fault *fault);

#endif
