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
 * nothing of this; whoever holds a later checkpoint sees it, which is what witnesses are for. */
#ifndef CAREHUB_TLOG_H
#define CAREHUB_TLOG_H

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
    const struct vkey *key;
    const struct tlog_witness *witnesses;
    size_t n_witnesses;
};

struct tlog_witness {
    struct vkey key;
    char *url;
};

void tlog_view(const struct tlog *tlog, struct tlog_view *view);

/* Takes a checkpoint of this log with witnesses' cosignatures, to be published with the next job. Returns how many
 * configured witnesses' are sound; 0: none, or it is no checkpoint of this log that was published. */
unsigned tlog_cosigned(struct tlog *tlog, const char *note, size_t size);

/* The number that a new log would have. */
uint64_t tlog_next_generation(const struct tlog *tlog);
/* Begins it; in the open batch. */
void tlog_resume(struct core *core, uint64_t generation);

#endif
