/* Files of the audit log that hold nothing but what retention has removed; see tlog.h and audit/minimum.h.
 *
 *     an entry is no longer kept -> committed -> the minimum index is published -> its files are removed
 *
 * A crash anywhere leaves files that may be removed, never a missing one that should be there. */
#include "tlog_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- What is published of it ------------------------------------------------------------------------------------ */

char *tlog_minimum_note(struct core *core, uint64_t index)
{
    struct minimum minimum = {.index = index};
    char text[MINIMUM_BYTES];
    tlog_generation_origin(core->tlog, core->tlog->generation, minimum.origin);
    minimum_text(&minimum, text);
    return tlog_sign(core, text);
}

static void minimum_published(struct core *core)
{
    struct tlog *tlog = core->tlog;
    struct note note;
    struct minimum minimum;
    minimum_note_parse(tlog->pruning_note, strlen(tlog->pruning_note), &note, &minimum);
    tlog->minimum = minimum.index;
    free(tlog->minimum_note);
    tlog->minimum_note = tlog->pruning_note;
    tlog->pruning_note = NULL;
    say(5, "entries before #%llu are no longer kept: what the audit log's files have of them alone is removed",
        (unsigned long long)tlog->minimum + 1);
}

/* Up to where no entry of a bundle is kept. A witness that has not seen as much yet could not be shown how the log goes
 * on. */
static uint64_t prunable(const struct core *core)
{
    const struct tlog *tlog = core->tlog;
    uint64_t kept = core->log->functions->next(core->log, 1), index = kept > 0 ? kept - 1 : 0;
    if (tlog->n_witnesses > 0 && tlog->witnessed.size < index)
        index = tlog->witnessed.size;
    return tile_first_entry(tlog->checkpoint.size < index ? tlog->checkpoint.size : index);
}

/* What was found a minute ago is committed by now, and cannot come back. */
static bool publish_minimum(struct core *core)
{
    struct tlog *tlog = core->tlog;
    uint64_t found = tlog->prunable;
    if (!tlog->prune || core->now_ms < tlog->next_prune_ms)
        return false;
    tlog->next_prune_ms = core->now_ms + PRUNE_EVERY_MS;
    tlog->prunable = prunable(core);
    if (found <= tlog->minimum)
        return false;
    free(tlog->pruning_note);
    tlog->pruning_note = tlog_minimum_note(core, found);
    tlog_write_note(core, tlog->pruning_note, MINIMUM_FILE, NULL, minimum_published);
    return true;
}

/* ---- What is removed -------------------------------------------------------------------------------------------- */

/* On the other thread. What cannot be removed is no reason to sign nothing. */
static bool remove_files(struct tlog_job *job)
{
    job->error[0] = '\0';
    for (; job->bundle < job->end; job->bundle++)
        if (!tile_remove_pruned(job->writer->directory, job->bundle)) {
            snprintf(job->error, sizeof job->error, "%s", strerror(errno));
            break;
        }
    return true;
}

static void removed(struct core *core)
{
    struct tlog *tlog = core->tlog;
    tlog->pruned = tlog->job.bundle;
    if (!tlog->job.error[0])
        return;
    tlog->next_removal_ms = core->now_ms + PRUNE_EVERY_MS;
    say(4, "old files of the audit log in %s cannot be removed: %s. It is tried again every minute", tlog->path,
        tlog->job.error);
}

bool tlog_prune(struct core *core)
{
    struct tlog *tlog = core->tlog;
    uint64_t end = tile_first(TILE_ENTRIES, tlog->minimum);
    if (core->verify)
        return false; /* it reads them */
    if (tlog->pruned >= end || core->now_ms < tlog->next_removal_ms)
        return publish_minimum(core);
    tlog->job.writer = tlog->writer;
    tlog->job.bundle = tlog->pruned;
    tlog->job.end = end - tlog->pruned < PRUNE_BUNDLES_MAX ? end : tlog->pruned + PRUNE_BUNDLES_MAX;
    tlog_start_job(core, remove_files, removed);
    return true;
}

/* They go in order. A crash may have left some that should have gone by then, so it begins a little earlier. */
void tlog_prune_open(struct tlog *tlog)
{
    uint64_t from = 0, to = tile_first(TILE_ENTRIES, tlog->minimum);
    while (from < to) {
        struct tile tile = {TILE_ENTRIES, from + (to - from) / 2, TILE_WIDTH};
        char path[TILE_PATH_BYTES];
        if (faccessat(tlog->writer->directory, tile_path(&tile, path), F_OK, 0) == 0)
            to = tile.index;
        else
            from = tile.index + 1;
    }
    tlog->pruned = from > PRUNE_BUNDLES_MAX ? from - PRUNE_BUNDLES_MAX : 0;
}
