/* check.h - whether the files of a log are what its checkpoint says: every entry, every hash of every tile, and the
 * root. Nothing is trusted but the checkpoint that is handed in. Any thread. */
#ifndef CAREHUB_CHECK_H
#define CAREHUB_CHECK_H

#include "note.h"
#include "tiles.h"

enum check_verdict {
    CHECK_SOUND,
    CHECK_MISSING,  /* `wrong` is not there, or is not of its size */
    CHECK_NO_ENTRY, /* entry `index` in `wrong` is none of this log's: not of 32 bytes */
    CHECK_HASH,     /* hash `index` (counted through its level) in `wrong` is not that of what is below it */
    CHECK_ROOT,     /* everything fits together, but is not what was signed */
    CHECK_SINCE,    /* it does not begin with what the older checkpoint covers */
};

struct check {
    struct tile_source source;
    struct checkpoint checkpoint;
    const struct checkpoint *since;                /* an older one of the same log, or NULL */
    void (*progress)(void *ctx, uint64_t entries); /* is told now and then; or NULL */
    void *ctx;
    struct tile wrong;
    uint64_t index;
};

enum check_verdict check_tiles(struct check *check);

#endif
