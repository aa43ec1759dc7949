/* tlog_private.h - what the parts of the audit log share:
 *
 *     tlog.c             how it grows: leaves, tiles, checkpoints
 *     tlog_open.c        how it is opened, and compared with the database
 *     tlog_published.c   what was published, of this generation or an older one
 *     tlog_prune.c       how files that hold only what is no longer kept go
 *     tlog_mend.c        how damaged files are written anew from the database
 *     tlog_witness.c     what witnesses say of it */
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
    PRUNE_BUNDLES_MAX = 256, /* whose files are removed by one job */
    PRUNE_EVERY_MS = 60000,
    TLOG_ORIGIN_MAX = 200, /* of the first generation: there is room for a number behind it */
};

#define CHECKPOINT_FILE "checkpoint"
#define WITNESSED_FILE "checkpoint.witnessed"

enum tlog_state {
    TLOG_CLOSED,    /* to be opened */
    TLOG_COMPARING, /* the files with the database */
    TLOG_MENDING,   /* them, from the database */
    TLOG_GROWING,
    TLOG_STOPPED, /* `why` says it; tried again at again_ms */
};

/* Work for the other thread, one piece at a time. While it runs, it alone touches what it points to. */
struct tlog_job {
    bool running;
    sem_t done;
    bool (*run)(struct tlog_job *job);
    void (*finish)(struct core *core); /* on the core's thread, afterwards, if it went well; else nothing is signed */
    /* leaves into the tree, then all of it durable if `sync` … */
    struct tile_writer *writer;
    uint8_t (*leaves)[LEAF_BYTES]; /* JOB_LEAVES_MAX of them; n are to be added */
    size_t n;
    bool sync;
    struct merkle_hash root; /* … and its root */
    /* or files with a note */
    const char *path, *note;
    const char *files[NOTE_FILES_MAX];
    size_t n_files;
    /* or bundles whose files go, from `bundle` on */
    uint64_t bundle, end;
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
    int64_t checkpoint_ms, witnessed_ms;
    struct tlog_bringer bringer; /* of cosigned_note */
    unsigned cosigned_by;        /* so many witnesses */

    struct tlog_mend *mend; /* while it goes on */
    bool mend_wanted;       /* files were found damaged, and the database sound */
    bool mend_tried;        /* since it last went on growing */
    uint64_t n_mended;      /* files */

    struct tlog_published before; /* what the generation before this one has left; zero: there is none */

    bool prune;                        /* as configured */
    uint64_t minimum, prunable;        /* index: published; and as it was found at the last look */
    uint64_t pruned;                   /* bundles whose files have gone */
    char *minimum_note, *pruning_note; /* published; being published */
    int64_t next_prune_ms, next_removal_ms;

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

/* Writes a note into one file or two of the log's directory, and waits until it is durable; a job. */
void tlog_write_note(struct core *core, const char *note, const char *file, const char *other,
                     void (*finish)(struct core *core));
void tlog_start_job(struct core *core, bool (*run)(struct tlog_job *job), void (*finish)(struct core *core));
/* Signs a note's text; the caller frees it. */
char *tlog_sign(struct core *core, const char *text);

/* ---- Witnesses -------------------------------------------------------------------------------------------------- */

/* Begins to publish a cosigned checkpoint if there is one. */
bool tlog_publish_cosigned(struct core *core);
/* Nothing comes of the one that waits: whoever brought it is told. */
void tlog_cosigned_fails(struct core *core, const char *why);
/* When the last configured witness cosigned the witnessed checkpoint. */
int64_t tlog_cosigned_ms(const struct tlog *tlog);
void tlog_refusals_forget(struct tlog *tlog);

/* ---- Mending ---------------------------------------------------------------------------------------------------- */

/* Begins to write damaged files anew; `why` says how it was found out. False: that has been tried, or cannot be. */
bool tlog_mend_begin(struct core *core, const char *why);
/* Goes on with it, for about `max` leaves; at the end the log is opened once more. */
void tlog_mend_some(struct core *core, size_t max);
void tlog_mend_end(struct tlog *tlog);

/* ---- Pruning ---------------------------------------------------------------------------------------------------- */

/* Finds out how far the files have gone already. */
void tlog_prune_open(struct tlog *tlog);
/* Begins a job if there is something to prune. */
bool tlog_prune(struct core *core);
/* The signed note of a minimum index; the caller frees it. */
char *tlog_minimum_note(struct core *core, uint64_t minimum);

/* Leaves from an index on, up to `max`, as far as they are committed; from the database, or where they are too old to
 * be there from the tiles of the log before this one. Returns their number; 0: they are nowhere. */
size_t tlog_stored_leaves(struct core *core, uint64_t index, size_t max, uint8_t (*leaves)[LEAF_BYTES]);

#endif
