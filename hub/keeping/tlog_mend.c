/* Files of the audit log that are damaged or missing, written anew from the database; see tlog.h.
 *
 * The database's leaves are gone through twice: first to see whether they give the root that was signed (if not, the
 * database is another one, or damaged too, and nothing is written), then each file is compared with them, and replaced
 * where it is not what they say. A slice at a time, behind the traffic. What retention has removed from the database is
 * taken from the files themselves: whether it is right, the root says. */
#include "tlog_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "audit/check_walk.h"

struct tlog_mend {
    struct check_walk *walk;
    struct tile_source files;
    bool writing;     /* in the second pass … */
    int directory;    /* … there … */
    int error;        /* … and this came of it: an errno */
    uint64_t next;    /* leaf */
    uint64_t bundles; /* written; in the end with the tiles of hashes */
    char why[TILES_ERROR_BYTES];
};

void tlog_mend_end(struct tlog *tlog)
{
    if (!tlog->mend)
        return;
    check_walk_destroy(&tlog->mend->walk);
    if (tlog->mend->directory >= 0)
        close(tlog->mend->directory);
    free(tlog->mend);
    tlog->mend = NULL;
}

/* A pass from the first leaf on. */
static bool begin_pass(struct tlog *tlog)
{
    struct tlog_mend *mend = tlog->mend;
    check_walk_destroy(&mend->walk);
    mend->next = tile_first_entry(tlog->minimum);
    mend->walk = check_walk_new(mend->files, &tlog->checkpoint, tlog->minimum);
    if (mend->walk && mend->writing)
        check_walk_mend(mend->walk, mend->directory, &mend->error);
    return mend->walk != NULL;
}

bool tlog_mend_begin(struct core *core, const char *why)
{
    struct tlog *tlog = core->tlog;
    if (tlog->mend_tried || tlog->checkpoint.size == 0)
        return false;
    struct tlog_mend *mend = tlog->mend = xcalloc(1, sizeof *mend);
    snprintf(mend->why, sizeof mend->why, "%s", why);
    mend->directory = -1;
    mend->files = tile_source_directory(tlog->path);
    tlog->mend_tried = true;
    tlog->mend_wanted = false;
    if (!begin_pass(tlog)) {
        tlog_mend_end(tlog);
        return false;
    }
    say(4, "%s: all files of the audit log are compared with the database", mend->why);
    tlog->state = TLOG_MENDING;
    return true;
}

/* Stops for the reason that it was begun for. */
static bool fails(struct core *core)
{
    struct tlog *tlog = core->tlog;
    char why[TILES_ERROR_BYTES];
    memcpy(why, tlog->mend->why, sizeof why);
    tlog_mend_end(tlog);
    tlog_stop(core, true, "%s", why);
    return false;
}

/* ---- A bundle after the other ----------------------------------------------------------------------------------- */

static size_t some_leaves(struct core *core, uint64_t index, size_t max, uint8_t (*leaves)[LEAF_BYTES])
{
    const struct tlog *tlog = core->tlog;
    size_t n = core->log->functions->leaves(core->log, index + 1, max, leaves);
    if (n > 0)
        return n;
    uint64_t kept = core->log->functions->next(core->log, index + 1);
    if (kept > 0 && kept - 1 - index < max)
        max = (size_t)(kept - 1 - index);
    n = tile_leaves(&tlog->mend->files, index, tlog->checkpoint.size, max, leaves);
    return n > 0 ? n : tlog_stored_leaves(core, index, max, leaves);
}

static void compare_bundle(struct tlog_mend *mend, const struct tile *tile, const uint8_t (*leaves)[LEAF_BYTES])
{
    uint8_t right[TILE_MAX_BYTES], file[TILE_MAX_BYTES];
    for (unsigned i = 0; i < tile->width; i++)
        bundle_put(right, i, leaves[i]);
    if (mend->files.read(mend->files.ctx, tile, file) && memcmp(file, right, tile_bytes(tile)) == 0)
        return;
    mend->bundles++;
    if (!tile_put(mend->directory, tile, right))
        mend->error = errno;
}

/* False: stopped. */
static bool take_bundle(struct core *core)
{
    struct tlog_mend *mend = core->tlog->mend;
    const struct tile tile = {TILE_ENTRIES, mend->next / TILE_WIDTH,
                              tile_width(TILE_ENTRIES, mend->next / TILE_WIDTH, core->tlog->checkpoint.size)};
    uint8_t leaves[TILE_WIDTH][LEAF_BYTES];
    for (size_t have = 0, n; have < tile.width; have += n) {
        n = some_leaves(core, mend->next + have, tile.width - have, leaves + have);
        if (n == 0)
            return fails(core);
    }
    for (size_t i = 0; i < tile.width; i++)
        check_walk_leaf(mend->walk, leaves[i]);
    mend->next += tile.width;
    if (mend->writing)
        compare_bundle(mend, &tile, (const uint8_t(*)[LEAF_BYTES])leaves);
    return true;
}

/* ---- From one pass to the next ---------------------------------------------------------------------------------- */

/* On the other thread. */
static bool make_durable(struct tlog_job *job)
{
    int fd = open(job->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = fd >= 0 && syncfs(fd) == 0;
    if (!good)
        snprintf(job->error, sizeof job->error, "cannot make %.300s durable: %s", job->path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return good;
}

/* What is open was read from the damaged files: it is opened once more. */
static void mended(struct core *core)
{
    struct tlog *tlog = core->tlog;
    say(tlog->mend->bundles > 0 ? 4 : 5,
        "%llu damaged or missing %s of the audit log in %s written anew from the database",
        (unsigned long long)tlog->mend->bundles, tlog->mend->bundles == 1 ? "file" : "files", tlog->path);
    tlog->n_mended += tlog->mend->bundles;
    tlog_mend_end(tlog);
    tlog->state = TLOG_CLOSED;
}

static void cannot_write(struct core *core, int error)
{
    tlog_mend_end(core->tlog);
    core->tlog->mend_tried = false;
    tlog_stop(core, false, "files of the audit log in %s are damaged, and cannot be written anew: %s", core->tlog->path,
              strerror(error));
}

static void end_pass(struct core *core)
{
    struct tlog *tlog = core->tlog;
    struct tlog_mend *mend = tlog->mend;
    struct tile first;
    bool agrees = check_walk_end(mend->walk);
    if (mend->error) {
        cannot_write(core, mend->error);
    } else if (!agrees) {
        fails(core);
    } else if (mend->writing) {
        mend->bundles += check_walk_wrong(mend->walk, &first);
        tlog->job.path = tlog->path;
        tlog_start_job(core, make_durable, mended);
    } else {
        mend->writing = true;
        mend->directory = open(tlog->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (mend->directory < 0)
            cannot_write(core, errno);
        else if (!begin_pass(tlog))
            fails(core);
    }
}

void tlog_mend_some(struct core *core, size_t max)
{
    struct tlog *tlog = core->tlog;
    for (size_t looked = 0; looked < max && tlog->mend->next < tlog->checkpoint.size; looked += TILE_WIDTH)
        if (!take_bundle(core))
            return;
    if (tlog->mend->next >= tlog->checkpoint.size)
        end_pass(core);
}
