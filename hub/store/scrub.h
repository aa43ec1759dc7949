/* scrub.h - reads all that is stored, row by row, and checks its seal: damage shows before somebody needs the row.
 *
 * One pass goes over the entries of the log (body, and payload where its key is still there, against the leaf; and that
 * none is missing), then over the subjects' keys, the sealed state rows and the identifiers. What is not sealed follows
 * from the entries: `follows` and `rest` look at that (keeping/index.h). It reads only, in slices, outside of any
 * transaction; where it has come to is kept in memory: after a restart a pass begins anew. What holds the pages
 * together is SQLite's: a page that it cannot read counts as one damaged row, and the pass goes on with the next table.
 * Core thread only. */
#ifndef CAREHUB_SCRUB_H
#define CAREHUB_SCRUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "carehub/v1/log.pb-c.h"
#include "log.h"
#include "store.h"

struct scrub {
    uint64_t pruned;            /* entries up to here need not be there any more */
    uint64_t place;             /* entries up to here have been looked at in this pass */
    int table;                  /* after the entries: of which table … */
    int64_t after[3];           /* … rows up to this key have been */
    uint8_t hash[DIGEST_BYTES]; /* then the identifiers up to this one … */
    size_t hash_bytes;          /* … if it has these bytes; 0: none yet */
    uint64_t rows;              /* looked at in this pass */
    uint64_t damaged;           /* found, over all passes */
    void (*found)(void *ctx, const char *what, const int64_t key[3]); /* is told of each; or NULL */
    bool (*follows)(void *ctx, const Carehub__V1__Entry *entry);      /* is there all that follows from it? Or NULL */
    bool (*person)(void *ctx, const struct card *card);               /* … from a person's card? Or NULL */
    bool (*rest)(void *ctx, size_t max); /* after the rows, till it returns false; or NULL */
    void *ctx;
};

/* Looks at the next rows, `max` at most. False: the pass is over, and the next call begins another. */
bool scrub_some(struct scrub *scrub, struct store *store, struct log *log, uint64_t last_place, size_t max);

/* Counts and tells what has been found. */
void scrub_damaged(struct scrub *scrub, const char *what, int64_t a, int64_t b, int64_t c);

#endif
