/* tlog_private.h - what tlog.c and tlog_open.c share. */
#ifndef CAREHUB_TLOG_PRIVATE_H
#define CAREHUB_TLOG_PRIVATE_H

#include "tlog.h"

#include <semaphore.h>

enum {
    RECENT_MAX = 64 << 10, /* leaves kept in memory until they are in the tree: 2 MiB */
    JOB_LEAVES_MAX = 16 << 10,
    JOB_LEAVES_MIN = 2048, /* unless a checkpoint is due */
    ROWS_FACTOR = 8,       /* leaves that are read from the database where one entry could be looked at */
    AGAIN_MS = 60000,      /* what failed is tried again */
    NOTE_FILES_MAX = 2,
    TLOG_ORIGIN_MAX = 200, /* of the first generation: there is room for a number behind it */
};

#define CHECKPOINT_FILE "checkpoint"
#define WITNESSED_FILE "checkpoint.witnessed"

enum tlog_state {
    TLOG_CLOSED,    /* to be opened */
    TLOG_COMPARING, /* the files with the database */
    TLOG_GROWING,
    TLOG_STOPPED, /* `why` says it; tried again at again_ms */
};

/* Work for the other thread, one piece at a time. While it runs, it alone touches what it points to. */
struct tlog_job {
    bool running;
    sem_t done;
    void (*finish)(struct core *core); /* on the core's thread, afterwards */
    /* leaves into the tree, then all of it durable if `sync` … */
    struct tile_writer *writer;
    uint8_t (*leaves)[LEAF_BYTES]; /* JOB_LEAVES_MAX of them; n are to be added */
    size_t n;
    bool sync;
    struct merkle_hash root; /* … and its root */
    /* or a checkpoint's files */
    const char *path, *note;
    const char *files[NOTE_FILES_MAX];
    size_t n_files;
    bool good;
    char error[TILES_ERROR_BYTES]; /* if it is not */
};

struct tlog {
    char *directory;
    char origin[NOTE_NAME_BYTES]; /* of the first generation; also the key's name */
    int64_t every_ms;
    uint64_t every_entries;
    struct vkey key;
    struct tlog_witness *witnesses;
    size_t n_witnesses;

    enum tlog_state state;
    char why[TILES_ERROR_BYTES + 256];
    bool lost;
    int64_t again_ms;

    uint64_t generation;
    char *path;
    struct tile_writer *writer; /* NULL: not open */
    uint64_t size, agreed;      /* leaves in the tree; of the checkpoint's, those known to be the database's */
    struct checkpoint checkpoint, witnessed, signing;
    char *note, *witnessed_note, *signing_note, *cosigned_note;
    int64_t checkpoint_ms;

    struct { /* the leaves of the places from `first` on */
        uint64_t first;
        size_t n;
        uint8_t (*leaves)[LEAF_BYTES];
    } recent;
    struct tlog_job job;
};

/* Says why nothing is signed any more, in the daemon's log and in answers. */
void tlog_stop(struct core *core, bool lost, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Reads what was published, and opens the tiles behind it. */
void tlog_open(struct core *core);
/* Compares the entries that the checkpoint covers and the database has not noted; at most `max` of them. */
void tlog_compare(struct core *core, size_t max);
/* The directory and origin of a generation. */
char *tlog_generation_path(const struct tlog *tlog, uint64_t generation);
void tlog_generation_origin(const struct tlog *tlog, uint64_t generation, char origin[NOTE_NAME_BYTES]);

char *tlog_copy(const char *text);

/* Leaves from an index on, up to `max`, as far as they are committed; from the database, or where they are too old to
 * be there from the tiles of the log before this one. Returns their number; 0: they are nowhere. */
size_t tlog_stored_leaves(struct core *core, uint64_t index, size_t max, uint8_t (*leaves)[LEAF_BYTES]);

#endif
