/* Opening the audit log: what was published, and whether it and the database tell one story. See tlog.h. */
#include "tlog_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

char *tlog_copy(const char *text)
{
    char *copy = strdup(text);
    if (!copy)
        abort();
    return copy;
}

/* ---- Names ------------------------------------------------------------------------------------------------------ */

char *tlog_generation_path(const struct tlog *tlog, uint64_t generation)
{
    char *path;
    int n = generation == 1 ? asprintf(&path, "%s", tlog->directory)
                            : asprintf(&path, "%s/%llu", tlog->directory, (unsigned long long)generation);
    if (n < 0)
        abort();
    return path;
}

void tlog_generation_origin(const struct tlog *tlog, uint64_t generation, char origin[NOTE_NAME_BYTES])
{
    if (generation == 1)
        snprintf(origin, NOTE_NAME_BYTES, "%s", tlog->origin);
    else
        snprintf(origin, NOTE_NAME_BYTES, "%.*s/%llu", TLOG_ORIGIN_MAX, tlog->origin, (unsigned long long)generation);
}

uint64_t tlog_next_generation(const struct tlog *tlog)
{
    uint64_t generation = tlog->generation;
    bool taken;
    do { /* a database that was put back twice does not know of the log that was begun in between */
        char *path = tlog_generation_path(tlog, ++generation);
        taken = access(path, F_OK) == 0;
        free(path);
    } while (taken);
    return generation;
}

/* ---- Making and ending ------------------------------------------------------------------------------------------ */

struct tlog *tlog_new(struct core *core, const struct core_tlog_config *config)
{
    uint8_t public_key[NOTE_PUBLIC_KEY_BYTES];
    if (!config->directory)
        return NULL;
    struct tlog *tlog = xcalloc(1, sizeof *tlog);
    vault_sign_public(core->vault, public_key);
    if (!vkey_make(&tlog->key, config->origin, NOTE_ED25519, public_key))
        abort(); /* the configuration was checked */
    tlog->directory = tlog_copy(config->directory);
    snprintf(tlog->origin, sizeof tlog->origin, "%s", config->origin);
    tlog->every_ms = (int64_t)config->every_s * 1000;
    tlog->every_entries = config->every_entries;
    tlog->n_witnesses = config->n_witnesses;
    tlog->witnesses = xcalloc(config->n_witnesses + 1, sizeof *tlog->witnesses);
    for (size_t i = 0; i < config->n_witnesses; i++) {
        if (!vkey_parse(config->witnesses[i].key, &tlog->witnesses[i].key))
            abort();
        tlog->witnesses[i].url = tlog_copy(config->witnesses[i].url);
    }
    tlog->recent.leaves = xcalloc(RECENT_MAX, LEAF_BYTES);
    tlog->job.leaves = xcalloc(JOB_LEAVES_MAX, LEAF_BYTES);
    tlog->generation = 1;
    sem_init(&tlog->job.done, 0, 0);
    return tlog;
}

static void close_files(struct tlog *tlog)
{
    if (tlog->writer)
        tile_writer_close(tlog->writer);
    free(tlog->writer);
    free(tlog->path);
    free(tlog->note);
    free(tlog->witnessed_note);
    free(tlog->signing_note);
    free(tlog->cosigned_note);
    tlog->writer = NULL;
    tlog->path = tlog->note = tlog->witnessed_note = tlog->signing_note = tlog->cosigned_note = NULL;
    tlog->checkpoint = tlog->witnessed = (struct checkpoint){0};
    tlog->checkpoint_ms = 0;
    tlog->size = tlog->agreed = 0;
}

void tlog_destroy(struct tlog **tlog_p)
{
    struct tlog *tlog = *tlog_p;
    if (!tlog)
        return;
    while (tlog->job.running && sem_wait(&tlog->job.done) != 0)
        ; /* interrupted */
    close_files(tlog);
    for (size_t i = 0; i < tlog->n_witnesses; i++)
        free(tlog->witnesses[i].url);
    free(tlog->witnesses);
    free(tlog->directory);
    free(tlog->recent.leaves);
    free(tlog->job.leaves);
    sem_destroy(&tlog->job.done);
    free(tlog);
    *tlog_p = NULL;
}

/* ---- What was published ----------------------------------------------------------------------------------------- */

/* Reads a file of at most NOTE_MAX_BYTES as text; NULL: errno says why not. */
static char *read_text(const char *directory, const char *name)
{
    char *path, *text = NULL;
    if (asprintf(&path, "%s/%s", directory, name) < 0)
        abort();
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    free(path);
    if (fd < 0)
        return NULL;
    text = xcalloc(1, NOTE_MAX_BYTES + 1);
    size_t used = 0;
    ssize_t n;
    while (used < NOTE_MAX_BYTES &&
           ((n = read(fd, text + used, NOTE_MAX_BYTES - used)) > 0 || (n < 0 && errno == EINTR)))
        used += n > 0 ? (size_t)n : 0;
    close(fd);
    return text;
}

/* Is it a checkpoint of this log, signed by this hub? */
static bool own_checkpoint(const struct tlog *tlog, const char *text, struct checkpoint *checkpoint)
{
    struct note note;
    char origin[NOTE_NAME_BYTES];
    tlog_generation_origin(tlog, tlog->generation, origin);
    return checkpoint_note_parse(text, strlen(text), &note, checkpoint) && strcmp(checkpoint->origin, origin) == 0 &&
           note_verify(&note, &tlog->key, NULL) == NOTE_GOOD;
}

/* False: stopped. */
static bool read_published(struct core *core)
{
    struct tlog *tlog = core->tlog;
    tlog->note = read_text(tlog->path, CHECKPOINT_FILE);
    if (!tlog->note && errno != ENOENT) {
        tlog_stop(core, false, "cannot read %s/" CHECKPOINT_FILE ": %s", tlog->path, strerror(errno));
        return false;
    }
    if (tlog->note && !own_checkpoint(tlog, tlog->note, &tlog->checkpoint)) {
        tlog_stop(core, true, "%s/" CHECKPOINT_FILE " is not a checkpoint that this hub has signed", tlog->path);
        return false;
    }
    tlog->witnessed_note = read_text(tlog->path, WITNESSED_FILE);
    if (tlog->witnessed_note && !own_checkpoint(tlog, tlog->witnessed_note, &tlog->witnessed)) {
        free(tlog->witnessed_note);
        tlog->witnessed_note = NULL;
        tlog->witnessed = (struct checkpoint){0};
    }
    return true;
}

/* False: stopped. A checkpoint is published before the database notes it: so it is never the smaller one. */
static bool one_story(struct core *core)
{
    struct tlog *tlog = core->tlog;
    unsigned long long size = tlog->checkpoint.size, noted = tlog->agreed;
    if (size < noted) {
        tlog_stop(core, true,
                  "the database has noted a checkpoint of %llu entries; what is in %s is one of %llu, or none", noted,
                  tlog->path, size);
        return false;
    }
    if (size > core->committed_place) {
        tlog_stop(core, true, "the database has only %llu entries, but a checkpoint of %llu was published in %s",
                  (unsigned long long)core->committed_place, size, tlog->path);
        return false;
    }
    return true;
}

void tlog_open(struct core *core)
{
    struct tlog *tlog = core->tlog;
    close_files(tlog);
    tlog->generation = (uint64_t)store_number_get(core->store, "tlog-generation", 1);
    tlog->agreed = (uint64_t)store_number_get(core->store, "tlog-size", 0);
    tlog->path = tlog_generation_path(tlog, tlog->generation);
    if (!read_published(core) || !one_story(core))
        return;
    if (tlog->generation > 1 && mkdir(tlog->directory, 0755) != 0 && errno != EEXIST) {
        tlog_stop(core, false, "cannot make the directory %s: %s", tlog->directory, strerror(errno));
        return;
    }
    tlog->writer = xcalloc(1, sizeof *tlog->writer);
    if (!tile_writer_open(tlog->writer, tlog->path, tlog->checkpoint.size,
                          tlog->checkpoint.size ? &tlog->checkpoint.root : NULL)) {
        tlog_stop(core, tlog->checkpoint.size > 0, "%s", tlog->writer->error);
        return;
    }
    tlog->size = tlog->checkpoint.size;
    tlog->state = TLOG_COMPARING;
}

/* ---- Comparing -------------------------------------------------------------------------------------------------- */

/* How many leaves from tlog->agreed on are the same, of at most a bundle. */
static size_t same_leaves(struct core *core)
{
    struct tlog *tlog = core->tlog;
    const struct tile_source files = tile_source_directory(tlog->path);
    uint8_t published[TILE_WIDTH][LEAF_BYTES], stored[TILE_WIDTH][LEAF_BYTES];
    size_t n = tile_leaves(&files, tlog->agreed, tlog->checkpoint.size, TILE_WIDTH, published), same = 0;
    n = tlog_stored_leaves(core, tlog->agreed, n, stored);
    while (same < n && memcmp(stored[same], published[same], LEAF_BYTES) == 0)
        same++;
    return same;
}

void tlog_compare(struct core *core, size_t max)
{
    struct tlog *tlog = core->tlog;
    for (size_t looked = 0; looked < max && tlog->agreed < tlog->checkpoint.size;) {
        size_t same = same_leaves(core);
        tlog->agreed += same;
        looked += same;
        if (same == 0) {
            tlog_stop(core, true, "entry #%llu of the database is not the one that was published in %s",
                      (unsigned long long)tlog->agreed + 1, tlog->path);
            return;
        }
    }
    if (tlog->agreed < tlog->checkpoint.size)
        return;
    if ((uint64_t)store_number_get(core->store, "tlog-size", 0) != tlog->agreed) {
        batch_open(core);
        store_number_put(core->store, "tlog-size", (int64_t)tlog->agreed);
    }
    tlog->state = TLOG_GROWING;
    tlog->why[0] = '\0';
}

/* ---- Leaves that are stored ------------------------------------------------------------------------------------- */

/* From the tiles of the log before this one, as far as they are known to be this database's. */
static size_t leaves_before(const struct core *core, uint64_t index, size_t max, uint8_t (*leaves)[LEAF_BYTES])
{
    uint64_t agreed = (uint64_t)store_number_get(core->store, "tlog-agreed", 0);
    char *path = tlog_generation_path(core->tlog, core->tlog->generation - 1);
    struct tile_source files = tile_source_directory(path);
    size_t n = tile_leaves(&files, index, agreed, max, leaves);
    free(path);
    return n;
}

size_t tlog_stored_leaves(struct core *core, uint64_t index, size_t max, uint8_t (*leaves)[LEAF_BYTES])
{
    uint64_t left = core->committed_place - index;
    max = left < max ? (size_t)left : max;
    size_t n = max > 0 ? core->log->functions->leaves(core->log, index + 1, max, leaves) : 0;
    if (n == 0 && max > 0 && core->tlog->generation > 1)
        n = leaves_before(core, index, max, leaves);
    return n;
}
