/* Opening the audit log: what was published, and whether it and the database tell one story. See tlog.h. */
#include "tlog_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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
    tlog->prune = config->prune;
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
    free(tlog->minimum_note);
    free(tlog->pruning_note);
    tlog_published_end(&tlog->before);
    tlog_mend_end(tlog);
    tlog->writer = NULL;
    tlog->path = tlog->note = tlog->witnessed_note = tlog->signing_note = tlog->cosigned_note = NULL;
    tlog->minimum_note = tlog->pruning_note = NULL;
    tlog->checkpoint = tlog->witnessed = (struct checkpoint){0};
    tlog->checkpoint_ms = tlog->witnessed_ms = 0;
    tlog->size = tlog->agreed = tlog->minimum = tlog->prunable = tlog->pruned = 0;
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

/* False: stopped. */
static bool read_published(struct core *core)
{
    struct tlog *tlog = core->tlog;
    struct tlog_published published;
    enum tlog_read read = tlog_published_read(tlog, tlog->generation, &published);
    int error = errno;
    tlog->path = published.path;
    tlog->note = published.note;
    tlog->checkpoint = published.checkpoint;
    tlog->witnessed_note = published.witnessed_note;
    tlog->witnessed = published.witnessed;
    tlog->witnessed_ms = tlog_cosigned_ms(tlog);
    tlog->minimum_note = published.minimum_note;
    tlog->minimum = published.minimum;
    if (read == TLOG_UNREADABLE)
        tlog_stop(core, false, "cannot read %s/" CHECKPOINT_FILE ": %s", tlog->path, strerror(error));
    else if (read == TLOG_FOREIGN)
        tlog_stop(core, true, "%s/" CHECKPOINT_FILE " is not a checkpoint that this hub has signed", tlog->path);
    else if (read == TLOG_RENAMED)
        tlog_stop(core, true,
                  "what is published in %.200s is the log %s, and by its configuration this hub's is %s: put back what "
                  "log-origin (or name, if that is not set) was in hub.conf, and start the hub again",
                  tlog->path, tlog->checkpoint.origin, tlog->origin);
    if (tlog->generation > 1)
        tlog_published_read(tlog, tlog->generation - 1, &tlog->before);
    return read == TLOG_READ;
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

/* The tree that a new log has to begin with, because the leaves before it are neither in the database nor in the tiles
 * of the log before: its number of leaves; 0: none. */
static uint64_t begun_with(const struct core *core, struct tile_nodes *nodes)
{
    const struct tlog_published *before = &core->tlog->before;
    uint64_t size = tile_first_entry(before->minimum);
    struct merkle_hash root;
    if (size == 0 || core->log->functions->next(core->log, 1) == 1 ||
        size > (uint64_t)store_number_get(core->store, "tlog-agreed", 0))
        return 0;
    tile_nodes_init(nodes, tile_source_directory(before->path), before->checkpoint.size);
    struct merkle_source source = tile_nodes_source(nodes);
    return merkle_root(&source, before->checkpoint.size, &root) && merkle_equal(&root, &before->checkpoint.root) ? size
                                                                                                                 : 0;
}

/* Its minimum index is published before anything else of it is. */
static bool begin_writer(struct core *core, uint64_t size, struct tile_nodes *before)
{
    struct tlog *tlog = core->tlog;
    if (!tile_writer_begin(tlog->writer, tlog->path, size, before))
        return false;
    free(tlog->minimum_note);
    tlog->minimum_note = tlog_minimum_note(core, size);
    tlog->minimum = size;
    if (tile_file_replace(tlog->path, MINIMUM_FILE, tlog->minimum_note, strlen(tlog->minimum_note)))
        return true;
    snprintf(tlog->writer->error, sizeof tlog->writer->error, "cannot write %.300s/" MINIMUM_FILE ": %s", tlog->path,
             strerror(errno));
    return false;
}

/* The last tiles are written again and again, the others never: what is wrong with them can be put right from the
 * database, if that gives the root that was signed. */
static bool mend_writer(struct core *core)
{
    struct tlog *tlog = core->tlog;
    uint8_t leaves[TILE_WIDTH][LEAF_BYTES];
    uint64_t size = tlog->checkpoint.size, first = size - size % TILE_WIDTH;
    struct tile_writer *damaged = tlog->writer;
    if (tlog_stored_leaves(core, first, size - first, leaves) != size - first)
        return false;
    tlog->writer = xcalloc(1, sizeof *tlog->writer);
    bool mended =
        tile_writer_mend(tlog->writer, tlog->path, size, &tlog->checkpoint.root, (const uint8_t(*)[LEAF_BYTES])leaves);
    tlog->n_mended += mended;
    if (mended)
        say(4, "%s. It has been written anew from the database", damaged->error);
    else
        memcpy(tlog->writer->error, damaged->error, sizeof damaged->error); /* what was wrong at first */
    tile_writer_close(damaged);
    free(damaged);
    return mended;
}

static bool open_writer(struct core *core)
{
    struct tlog *tlog = core->tlog;
    struct tile_nodes *nodes = xcalloc(1, sizeof *nodes);
    tlog->writer = xcalloc(1, sizeof *tlog->writer);
    uint64_t size = tlog->checkpoint.size == 0 ? begun_with(core, nodes) : 0;
    bool opened = size > 0 ? begin_writer(core, size, nodes)
                           : tile_writer_open(tlog->writer, tlog->path, tlog->checkpoint.size,
                                              tlog->checkpoint.size ? &tlog->checkpoint.root : NULL);
    free(nodes);
    return opened || (tlog->checkpoint.size > 0 && mend_writer(core));
}

void tlog_open(struct core *core)
{
    struct tlog *tlog = core->tlog;
    tlog_cosigned_fails(core, "the log is just being opened anew");
    close_files(tlog);
    tlog->generation = (uint64_t)store_number_get(core->store, "tlog-generation", 1);
    tlog->agreed = (uint64_t)store_number_get(core->store, "tlog-size", 0);
    if (!read_published(core) || !one_story(core))
        return;
    if (tlog->generation > 1 && mkdir(tlog->directory, 0755) != 0 && errno != EEXIST) {
        tlog_stop(core, false, "cannot make the directory %s: %s", tlog->directory, strerror(errno));
        return;
    }
    if (!open_writer(core)) {
        if (tlog_mend_begin(core, tlog->writer->error))
            return;
        tlog_stop(core, tlog->checkpoint.size > 0, "%s", tlog->writer->error);
        return;
    }
    tlog_prune_open(tlog);
    tlog->size = tlog->writer->size;
    if (tlog->agreed < tile_first_entry(tlog->minimum))
        tlog->agreed = tile_first_entry(tlog->minimum); /* what is before it came from the log before this one */
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

/* Which of the two is wrong shows when all of the database's leaves are gone through. */
static void differ(struct core *core)
{
    struct tlog *tlog = core->tlog;
    char why[TILES_ERROR_BYTES];
    snprintf(why, sizeof why, "entry #%llu of the database is not the one that was published in %.300s",
             (unsigned long long)tlog->agreed + 1, tlog->path);
    if (!tlog_mend_begin(core, why))
        tlog_stop(core, true, "%s", why);
}

void tlog_compare(struct core *core, size_t max)
{
    struct tlog *tlog = core->tlog;
    for (size_t looked = 0; looked < max && tlog->agreed < tlog->checkpoint.size;) {
        size_t same = same_leaves(core);
        tlog->agreed += same;
        looked += same;
        if (same == 0) {
            differ(core);
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
    tlog->mend_tried = false;
    tlog->why[0] = '\0';
}

/* ---- Leaves that are stored ------------------------------------------------------------------------------------- */

/* From the tiles of the log before this one, as far as they are known to be this database's. */
static size_t leaves_before(const struct core *core, uint64_t index, size_t max, uint8_t (*leaves)[LEAF_BYTES])
{
    const struct tlog_published *before = &core->tlog->before;
    uint64_t agreed = (uint64_t)store_number_get(core->store, "tlog-agreed", 0);
    uint64_t size = before->checkpoint.size > agreed ? before->checkpoint.size : agreed;
    if (!before->path || index >= agreed)
        return 0;
    struct tile_source files = tile_source_directory(before->path);
    return tile_leaves(&files, index, size, agreed - index < max ? (size_t)(agreed - index) : max, leaves);
}

/* Of entries that are no longer kept, and whose leaf is in no file: zeros, which commit to nothing. Up to the end of a
 * bundle: the next one may be there. */
static size_t leaves_unknown(const struct core *core, uint64_t index, size_t max, uint8_t (*leaves)[LEAF_BYTES])
{
    uint64_t kept = core->log->functions->next(core->log, index + 1);
    uint64_t end = (index / TILE_WIDTH + 1) * TILE_WIDTH;
    end = kept > 0 && kept - 1 < end ? kept - 1 : end;
    end = core->pruned_place < end ? core->pruned_place : end;
    size_t n = end <= index ? 0 : end - index < max ? (size_t)(end - index) : max;
    memset(leaves, 0, n * LEAF_BYTES);
    return n;
}

size_t tlog_stored_leaves(struct core *core, uint64_t index, size_t max, uint8_t (*leaves)[LEAF_BYTES])
{
    uint64_t left = core->committed_place - index;
    max = left < max ? (size_t)left : max;
    size_t n = max > 0 ? core->log->functions->leaves(core->log, index + 1, max, leaves) : 0;
    if (n == 0 && max > 0)
        n = leaves_before(core, index, max, leaves);
    if (n == 0 && max > 0)
        n = leaves_unknown(core, index, max, leaves);
    return n;
}
