/* The audit log as it grows: leaves, tiles, checkpoints. See tlog.h; how it is opened is tlog_open.c. */
#include "tlog_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- Leaves ----------------------------------------------------------------------------------------------------- */

/* An entry that was rolled back is followed by another one at its place. When there is no more room, or places are
 * missing, the rest is read from the database later. */
void tlog_leaf(struct tlog *tlog, uint64_t place, const uint8_t leaf[LEAF_BYTES])
{
    if (!tlog)
        return;
    if (tlog->recent.n == 0 || place < tlog->recent.first) {
        tlog->recent.first = place;
        tlog->recent.n = 0;
    }
    uint64_t at = place - tlog->recent.first;
    if (at > tlog->recent.n || at >= RECENT_MAX)
        return;
    memcpy(tlog->recent.leaves[at], leaf, LEAF_BYTES);
    tlog->recent.n = (size_t)at + 1;
}

/* The leaves that follow in the tree, as far as they are committed and fit. Those from memory cost nothing; `rows` may
 * be read from the database. */
static size_t next_leaves(struct core *core, size_t rows, uint8_t (*leaves)[LEAF_BYTES])
{
    struct tlog *tlog = core->tlog;
    uint64_t left = core->committed_place - tlog->size, first = tlog->recent.first - 1;
    size_t max = left < JOB_LEAVES_MAX ? (size_t)left : JOB_LEAVES_MAX;
    bool in_memory = tlog->recent.n > 0 && tlog->size >= first && tlog->size - first < tlog->recent.n;
    if (!in_memory) {
        if (tlog->recent.n > 0 && first > tlog->size && first - tlog->size < max)
            max = (size_t)(first - tlog->size);
        return tlog_stored_leaves(core, tlog->size, max < rows ? max : rows, leaves);
    }
    size_t skip = (size_t)(tlog->size - first), n = tlog->recent.n - skip < max ? tlog->recent.n - skip : max;
    memcpy(leaves, tlog->recent.leaves + skip, n * LEAF_BYTES);
    tlog->recent.n -= skip + n;
    tlog->recent.first += skip + n;
    memmove(tlog->recent.leaves, tlog->recent.leaves + skip + n, tlog->recent.n * LEAF_BYTES);
    return n;
}

/* ---- Jobs ------------------------------------------------------------------------------------------------------- */

/* On the other thread, as all of these. */
static void run_job(void *arg)
{
    struct tlog_job *job = arg;
    job->good = job->run(job);
    sem_post(&job->done);
}

static bool grow_tiles(struct tlog_job *job)
{
    bool good = tile_writer_append(job->writer, (const uint8_t(*)[LEAF_BYTES])job->leaves, job->n) &&
                (!job->sync || tile_writer_sync(job->writer, &job->root));
    if (!good)
        snprintf(job->error, sizeof job->error, "%s", job->writer->error);
    return good;
}

static bool write_files(struct tlog_job *job)
{
    for (size_t i = 0; i < job->n_files; i++) {
        if (tile_file_replace(job->path, job->files[i], job->note, strlen(job->note)))
            continue;
        snprintf(job->error, sizeof job->error, "cannot write %s/%s: %s", job->path, job->files[i], strerror(errno));
        return false;
    }
    return true;
}

void tlog_start_job(struct core *core, bool (*run)(struct tlog_job *job), void (*finish)(struct core *core))
{
    struct tlog_job *job = &core->tlog->job;
    job->run = run;
    job->finish = finish;
    job->running = true;
    job->good = false;
    if (core->output.work)
        core->output.work(core->output.work_ctx, run_job, job);
    else
        run_job(job);
}

/* True: there is none under way (any more). */
static bool job_over(struct core *core)
{
    struct tlog_job *job = &core->tlog->job;
    if (!job->running)
        return true;
    if (sem_trywait(&job->done) != 0)
        return false;
    job->running = false;
    if (core->tlog->state == TLOG_CLOSED)
        return true; /* a new log begins: this was still for the old one */
    if (job->good)
        job->finish(core);
    else
        tlog_stop(core, false, "%s", job->error);
    return !job->running;
}

/* ---- Checkpoints ------------------------------------------------------------------------------------------------ */

static void take_note(char **held, char **taken)
{
    free(*held);
    *held = *taken;
    *taken = NULL;
}

void tlog_write_note(struct core *core, const char *note, const char *file, const char *other,
                     void (*finish)(struct core *core))
{
    struct tlog *tlog = core->tlog;
    tlog->job.path = tlog->path;
    tlog->job.note = note;
    tlog->job.files[0] = file;
    tlog->job.files[1] = other;
    tlog->job.n_files = other ? 2 : 1;
    tlog_start_job(core, write_files, finish);
}

char *tlog_sign(struct core *core, const char *text)
{
    char line[NOTE_LINE_BYTES], *note;
    uint8_t signature[NOTE_SIGNATURE_BYTES];
    vault_sign(core->vault, text, strlen(text), signature);
    note_signature_line(&core->tlog->key, signature, line);
    if (asprintf(&note, "%s\n%s", text, line) < 0)
        abort();
    return note;
}

static void published(struct core *core)
{
    struct tlog *tlog = core->tlog;
    tlog->checkpoint = tlog->signing;
    take_note(&tlog->note, &tlog->signing_note);
    tlog->checkpoint_ms = core->now_ms;
    batch_open(core);
    store_number_put(core->store, "tlog-size", (int64_t)tlog->checkpoint.size);
}

/* All leaves below it are on stable storage, and so are their entries: now it may be signed. */
static void sign_and_publish(struct core *core)
{
    struct tlog *tlog = core->tlog;
    char text[CHECKPOINT_BYTES];
    tlog->signing = (struct checkpoint){.size = tlog->size, .root = tlog->job.root};
    tlog_generation_origin(tlog, tlog->generation, tlog->signing.origin);
    checkpoint_text(&tlog->signing, text);
    free(tlog->signing_note);
    tlog->signing_note = tlog_sign(core, text);
    tlog_write_note(core, tlog->signing_note, CHECKPOINT_FILE, NULL, published);
}

static void grown(struct core *core)
{
    struct tlog *tlog = core->tlog;
    tlog->size += tlog->job.n;
    if (tlog->job.sync)
        sign_and_publish(core);
}

static bool checkpoint_due(const struct core *core)
{
    const struct tlog *tlog = core->tlog;
    uint64_t more = core->committed_place - tlog->checkpoint.size;
    return more >= tlog->every_entries ||
           (more > 0 && (core->now_ms >= tlog->checkpoint_ms + tlog->every_ms || tlog->checkpoint_ms == 0));
}

/* ---- Growing ---------------------------------------------------------------------------------------------------- */

static size_t grow(struct core *core, size_t max)
{
    struct tlog *tlog = core->tlog;
    uint64_t more = core->committed_place - tlog->size;
    bool due = checkpoint_due(core);
    if (tlog->mend_wanted && tlog_mend_begin(core, "files of the audit log were found damaged"))
        return max;
    if (tlog_publish_cosigned(core) || (!due && tlog_prune(core)))
        return max;
    if (!due && more < JOB_LEAVES_MIN)
        return 0;
    tlog->job.n = more > 0 ? next_leaves(core, max * ROWS_FACTOR, tlog->job.leaves) : 0;
    if (tlog->job.n == 0 && more > 0) {
        tlog_stop(core, true, "entry #%llu is in neither the database nor the tiles",
                  (unsigned long long)tlog->size + 1);
        return 0;
    }
    tlog->job.writer = tlog->writer;
    tlog->job.sync =
        due && (tlog->job.n == more || tlog->size + tlog->job.n >= tlog->checkpoint.size + tlog->every_entries);
    tlog_start_job(core, grow_tiles, grown);
    return max;
}

size_t tlog_work(struct core *core, size_t max)
{
    struct tlog *tlog = core->tlog;
    if (!tlog)
        return 0;
    if (!job_over(core))
        return max; /* it is looked after soon */
    if (tlog->state == TLOG_STOPPED && core->now_ms >= tlog->again_ms)
        tlog->state = TLOG_CLOSED;
    if (tlog->state == TLOG_CLOSED)
        tlog_open(core);
    else if (tlog->state == TLOG_COMPARING)
        tlog_compare(core, max * ROWS_FACTOR);
    else if (tlog->state == TLOG_MENDING)
        tlog_mend_some(core, max * ROWS_FACTOR);
    else if (tlog->state == TLOG_GROWING)
        return grow(core, max);
    return tlog->state == TLOG_STOPPED ? 0 : max;
}

void tlog_stop(struct core *core, bool lost, const char *format, ...)
{
    struct tlog *tlog = core->tlog;
    char why[sizeof tlog->why], detail[TILES_ERROR_BYTES];
    va_list list;
    va_start(list, format);
    vsnprintf(detail, sizeof detail, format, list);
    va_end(list);
    snprintf(
        why, sizeof why, "%s. %s", detail,
        lost
            ? "If an older copy was put back and the newer one is lost, say so with: carehub audit resume --reason TEXT"
            : "It is tried again every minute");
    if (strcmp(why, tlog->why) != 0)
        say(3, "no checkpoint of the audit log is signed: %s", why);
    memcpy(tlog->why, why, sizeof why);
    tlog->lost = lost;
    tlog->state = TLOG_STOPPED;
    tlog_cosigned_fails(core, why);
    tlog->again_ms = core->now_ms + AGAIN_MS;
}

/* ---- Questions and facts ---------------------------------------------------------------------------------------- */

/* A log that is about to be opened, anew perhaps, has published nothing yet; and as long as the files have not been
 * compared with the database, what they say is not this hub's word. */
void tlog_view(const struct tlog *tlog, struct tlog_view *view)
{
    *view = (struct tlog_view){.not_signing = "this hub keeps no audit log: its configuration names no directory"};
    if (!tlog)
        return;
    *view = (struct tlog_view){.not_signing = tlog->state == TLOG_STOPPED ? tlog->why : "",
                               .lost = tlog->state == TLOG_STOPPED && tlog->lost,
                               .generation = tlog->generation,
                               .key = &tlog->key,
                               .witnesses = tlog->witnesses,
                               .n_witnesses = tlog->n_witnesses,
                               .witnessed_ms = tlog->witnessed_ms,
                               .mended = tlog->n_mended};
    for (size_t i = 0; i < tlog->n_witnesses && !view->refuses; i++)
        if (tlog->witnesses[i].refuses)
            view->refuses = &tlog->witnesses[i];
    if (tlog->state == TLOG_CLOSED || tlog->state == TLOG_COMPARING || tlog->state == TLOG_MENDING)
        return;
    view->size = tlog->size;
    view->checkpoint = tlog->checkpoint;
    view->note = tlog->note;
    view->checkpoint_ms = tlog->checkpoint_ms;
    view->witnessed = tlog->witnessed;
    view->witnessed_note = tlog->witnessed_note;
    view->path = tlog->path;
    view->minimum = tlog->minimum;
    view->minimum_note = tlog->minimum_note;
}

void tlog_mend(struct core *core)
{
    core->tlog->mend_wanted = true;
}

void tlog_resume(struct core *core, uint64_t generation)
{
    struct tlog *tlog = core->tlog;
    store_number_put(core->store, "tlog-generation", (int64_t)generation);
    store_number_put(core->store, "tlog-agreed",
                     (int64_t)(tlog->state == TLOG_GROWING ? tlog->checkpoint.size : tlog->agreed));
    store_number_put(core->store, "tlog-size", 0);
    tlog->generation = generation;
    tlog->state = TLOG_CLOSED;
    tlog_refusals_forget(tlog);
}
