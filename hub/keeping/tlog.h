/* tlog.h - the audit log: a Merkle tree over all entries, published as files with a signed checkpoint (hub/audit/), so
 * that nobody has to take the operator's word that an entry was there, and was not changed.
 *
 * Leaf i of the tree is the entry of place i + 1. Entries go into it behind the hot path, once they are committed:
 *
 *     committed entries -> tiles -> everything durable -> signed -> the checkpoint replaces the last one -> noted
 *
 * A crash anywhere leaves the last checkpoint in force, and what came after it is done again. The writing and the
 * waiting for the disk are jobs of another thread, if there is one (core_output.work); signing is this thread's.
 *
 * What is published and what is in the database must tell one story. At the start, and whenever it has failed, the
 * files are compared with the entries since the size that the database has noted; if the database is behind the
 * checkpoint, or has other entries (an old backup was put back), or the files are older than what was noted, nothing is
 * signed any more until an auditor has said why (LogResumed): then a new log begins in a directory of its own, "2",
 * "3"…, whose checkpoints bear that behind their origin. An older copy of the database *with* its directory shows
 * nothing of this; whoever holds a later checkpoint sees it, which is what witnesses are for: that one of them refuses
 * the log is shown, and lets it be begun anew in the same way.
 *
 * Files that are damaged or missing are no loss while the database has what was signed: they are written anew from it,
 * if its leaves give the checkpoint's root (tlog_mend.c).
 *
 * With prune-tiles, files that hold nothing but what retention has removed go too (audit/minimum.h): first the minimum
 * index is published, then they are removed. Without it, as it comes, they stay: they are small, and identify nobody. A
 * log that is begun anew when entries are no longer kept takes their leaves from the log before it; where that was
 * pruned, it begins with that one's tree. Where there is nothing at all of an entry, its leaf is 32 zero bytes. */
#ifndef CAREHUB_TLOG_H
#define CAREHUB_TLOG_H

#include "audit/minimum.h"
#include "audit/note.h"
#include "audit/tiles.h"
#include "core/core_private.h"

/* Makes the log that the configuration asks for; NULL: none. Nothing is opened yet. */
struct tlog *tlog_new(struct core *core, const struct core_tlog_config *config);
/* Waits for the job that is under way. */
void tlog_destroy(struct tlog **tlog);

/* The leaf of an entry that was just appended; it counts when its place is committed. */
void tlog_leaf(struct tlog *tlog, uint64_t place, const uint8_t leaf[LEAF_BYTES]);

/* A little of what is due. Returns `max` if there is more, as what behind() calls does. */
size_t tlog_work(struct core *core, size_t max);

/* ---- For questions and facts ------------------------------------------------------------------------------------ */

struct tlog_view {
    uint64_t size;                /* entries in the tree */
    struct checkpoint checkpoint; /* the published one; size 0: none */
    const char *note;             /* as it was signed; NULL: none */
    int64_t checkpoint_ms;
    struct checkpoint witnessed; /* the last one that was cosigned */
    const char *witnessed_note;
    const char *not_signing; /* "": they are signed */
    bool lost;               /* … because files and database do not tell one story */
    const char *path;        /* of the tiles; NULL before they are opened */
    uint64_t generation;     /* its number */
    uint64_t minimum;        /* index; 0: nothing was pruned */
    uint64_t mended;         /* files that were written anew from the database, since the start */
    const char *minimum_note;
    const struct vkey *key;
    const struct tlog_witness *witnesses;
    size_t n_witnesses;
    int64_t witnessed_ms;               /* when the last of them cosigned; 0: none did */
    const struct tlog_witness *refuses; /* one that refuses this log; NULL: none does */
};

struct tlog_witness {
    struct vkey key;
    char *url;
    bool refuses, forked;  /* it has seen more of this log than there is, or what is not the beginning of it … */
    uint64_t refused_size; /* … of so many entries; as whoever asked it says */
};

void tlog_view(const struct tlog *tlog, struct tlog_view *view);

/* What a log has published, this one or one before it, as its files say. */
struct tlog_published {
    char *path;
    char *note; /* NULL: there is no checkpoint */
    struct checkpoint checkpoint;
    char *witnessed_note; /* or NULL */
    struct checkpoint witnessed;
    char *minimum_note; /* NULL: nothing was pruned */
    uint64_t minimum;
};

enum tlog_read {
    TLOG_READ,
    TLOG_UNREADABLE, /* the checkpoint; errno says why */
    TLOG_FOREIGN,    /* what is there is not a checkpoint that this hub has signed … */
    TLOG_RENAMED,    /* … but it has, of a log of another name: published->checkpoint.origin */
};

/* tlog_published_end is right whatever it returns. */
enum tlog_read tlog_published_read(const struct tlog *tlog, uint64_t generation, struct tlog_published *published);
void tlog_published_end(struct tlog_published *published);

/* Who has brought cosignatures, and is told when they are published. */
struct tlog_bringer {
    session_id session;
    uint64_t ref; /* of the question */
};

enum tlog_cosigned {
    TLOG_COSIGNED_TAKEN,   /* it is published with the next job; tlog_cosigned_told follows */
    TLOG_COSIGNED_BUSY,    /* another one is being published, or nothing is */
    TLOG_COSIGNED_UNSOUND, /* no cosignature of a configured witness, or no checkpoint of this log that was published */
};

/* Takes a checkpoint of this log with witnesses' cosignatures. */
enum tlog_cosigned tlog_cosigned(struct core *core, const char *note, size_t size, struct tlog_bringer bringer);
/* In query/query_audit.c: it is published, with so many witnesses' cosignatures; 0: it could not be, `why` says why. */
void tlog_cosigned_told(struct core *core, struct tlog_bringer bringer, unsigned witnesses, const char *why);
/* A witness refuses the log: it has seen a checkpoint of that size, and `forked`: that is not the beginning of it.
 * Forgotten when it cosigns, and when a new log begins. */
void tlog_refused(struct core *core, const char *witness, uint64_t size, bool forked);

/* Files of the log were found damaged where the database is sound: they are written anew, soon. */
void tlog_mend(struct core *core);

/* The number that a new log would have. */
uint64_t tlog_next_generation(const struct tlog *tlog);
/* Begins it; in the open batch. */
void tlog_resume(struct core *core, uint64_t generation);

#endif
