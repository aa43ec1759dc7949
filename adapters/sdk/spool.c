/* spool.c - opening, closing, and appending with group commit. */
#include "spool_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Opening and closing ---------------------------------------------------------------------------------------- */

static uint64_t segment_size(uint64_t max_bytes)
{
    uint64_t size = max_bytes / 16;
    if (size < SEGMENT_LEAST_BYTES)
        return SEGMENT_LEAST_BYTES;
    return size > SEGMENT_MOST_BYTES ? SEGMENT_MOST_BYTES : size;
}

static int open_all(struct spool *s, const struct spool_config *config)
{
    int result = spool_take_folder(s, config->dir);
    if (result == CAREHUB_OK)
        result = spool_load_key(s, config, spool_holds_data(s));
    if (result != CAREHUB_OK)
        return result;
    s->progress_fd = openat(s->dir_fd, "progress", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->progress_fd < 0)
        return error_set(CAREHUB_IO, "spool %s: progress: %s", config->dir, strerror(errno));
    progress_load(s);
    result = spool_scan(s);
    if (result != CAREHUB_OK)
        return result;
    spool_release(s);
    return refused_open(s);
}

int spool_open(struct spool **spool, const struct spool_config *config)
{
    struct spool *s = calloc(1, sizeof *s);
    if (!s)
        return error_set(CAREHUB_OUT_OF_MEMORY, "out of memory");
    s->max_bytes = config->max_bytes;
    s->segment_bytes = segment_size(config->max_bytes);
    s->dir_fd = s->lock_fd = s->write_fd = s->read_fd = s->progress_fd = s->refused_fd = -1;
    s->outstanding_head = s->outstanding_end = 1; /* tickets begin at 1 */
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->written, NULL);
    s->outstanding = calloc(OUTSTANDING_MAX, sizeof *s->outstanding);
    int result = CAREHUB_OUT_OF_MEMORY;
    if (reader_init(&s->reader, s->key) && s->outstanding)
        result = open_all(s, config);
    else
        error_set(result, "out of memory");
    *spool = s;
    if (result != CAREHUB_OK)
        spool_close(spool);
    return result;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* Gives the space back that the segment does not need after all. */
static void finish_segment(struct spool *s)
{
    if (s->write_fd >= 0 && ftruncate(s->write_fd, (off_t)s->write_offset) != 0)
        s->write_offset = 0; /* no harm: the rest reads as the end */
    close_fd(&s->write_fd);
}

void spool_close(struct spool **spool)
{
    struct spool *s = *spool;
    *spool = NULL;
    finish_segment(s);
    if (s->progress_fd >= 0 && s->outstanding_end > 1) {
        spool_release(s);
        progress_save(s);
    }
    close_fd(&s->read_fd);
    close_fd(&s->progress_fd);
    close_fd(&s->refused_fd);
    close_fd(&s->lock_fd);
    close_fd(&s->dir_fd);
    reader_fini(&s->reader);
    free(s->outstanding);
    free(s->segments);
    free(s->tags);
    pthread_cond_destroy(&s->written);
    pthread_mutex_destroy(&s->lock);
    sodium_memzero(s, sizeof *s);
    free(s);
}

/* ---- Appending -------------------------------------------------------------------------------------------------- */

/* The records of all who append while another batch is being written; they share its fdatasync. Under the lock. */
struct batch {
    uint8_t *data;
    size_t size;
    size_t room;
    uint64_t first;
    uint64_t last;
    uint64_t records;
    unsigned users; /* appenders that have not yet seen the outcome */
    bool done;
    int result;
    int error; /* errno */
};

static bool batch_reserve(struct batch *b, size_t more)
{
    if (b->size + more <= b->room)
        return true;
    size_t room = b->room ? 2 * b->room : 4096;
    while (room < b->size + more)
        room *= 2;
    uint8_t *data = realloc(b->data, room);
    if (!data)
        return false;
    b->data = data;
    b->room = room;
    return true;
}

static int outcome_of(int error)
{
    return error == ENOSPC || error == EDQUOT ? CAREHUB_SPOOL_FULL : CAREHUB_IO;
}

static int start_segment(struct spool *s, const struct batch *b)
{
    char name[SEGMENT_NAME_CHARS];
    uint64_t room = SPOOL_HEADER_BYTES + b->size;
    finish_segment(s);
    segment_name(name, "segment", b->first);
    s->write_fd = spool_make_file(s, name, SEGMENT_MAGIC, b->first, room > s->segment_bytes ? room : s->segment_bytes);
    s->write_first = b->first;
    s->write_offset = SPOOL_HEADER_BYTES;
    return s->write_fd >= 0 ? CAREHUB_OK : outcome_of(errno);
}

/* Writes a batch and has it on disk. Without the lock; `writing` is ours. */
static int put_batch(struct spool *s, const struct batch *b)
{
    if (s->write_fd < 0 || s->write_offset + b->size > s->segment_bytes) {
        int result = start_segment(s, b);
        if (result != CAREHUB_OK)
            return result;
    }
    if (!write_all(s->write_fd, b->data, b->size, s->write_offset)) {
        int saved = errno;
        if (outcome_of(saved) == CAREHUB_SPOOL_FULL && ftruncate(s->write_fd, (off_t)s->write_offset) == 0)
            return CAREHUB_SPOOL_FULL;
        errno = saved;
        return CAREHUB_IO;
    }
    /* An fdatasync that failed says nothing of what is on disk, and must not be tried again: even a full disk. */
    if (fdatasync(s->write_fd) != 0)
        return CAREHUB_IO;
    s->write_offset += b->size;
    return CAREHUB_OK;
}

/* The batch is on disk: now it can be read. Under the lock. */
static bool publish_batch(struct spool *s, const struct batch *b)
{
    struct segment *segment = s->n_segments ? &s->segments[s->n_segments - 1] : NULL;
    if (!segment || segment->first != s->write_first) {
        if (!segment_add(s, &(struct segment){.first = s->write_first}))
            return false;
        segment = &s->segments[s->n_segments - 1];
    }
    segment->last = b->last;
    segment->end = s->write_offset;
    segment->unread += b->records;
    segment->unread_bytes += b->size;
    s->durable = b->last;
    return true;
}

/* Takes the batch back: its callers are told that it failed. Under the lock. */
static void fail_batch(struct spool *s, const struct batch *b)
{
    s->waiting -= b->records;
    s->waiting_bytes -= b->size;
    tag_cancel(s, b->first, b->last);
}

/* One of the appenders writes the gathered batch for all of them. Under the lock, which it lets go meanwhile. */
static void write_gathered(struct spool *s)
{
    struct batch *b = s->gathering;
    s->gathering = NULL;
    s->writing = true;
    b->result = s->failed ? CAREHUB_IO : CAREHUB_OK;
    if (!s->failed) {
        pthread_mutex_unlock(&s->lock);
        int result = put_batch(s, b);
        int error = errno;
        pthread_mutex_lock(&s->lock);
        b->result = result;
        b->error = error;
    }
    if (b->result == CAREHUB_OK && !publish_batch(s, b))
        b->result = CAREHUB_IO; /* on disk, and found after a restart; but not in order with what follows */
    if (b->result != CAREHUB_OK)
        fail_batch(s, b);
    s->failed |= b->result == CAREHUB_IO;
    s->writing = false;
    b->done = true;
    pthread_cond_broadcast(&s->written);
}

static int add_to_batch(struct spool *s, const uint8_t *event, size_t size, carehub_confirm_fn *fn, void *arg,
                        struct batch **joined)
{
    size_t bytes = size + RECORD_OVERHEAD_BYTES;
    if (s->failed)
        return error_set(CAREHUB_IO, "the spool failed earlier; see to the disk, then open the client anew");
    if (s->waiting_bytes + s->refused_bytes + bytes > s->max_bytes)
        return error_set(CAREHUB_SPOOL_FULL,
                         "the spool is full: %" PRIu64 " events wait, %" PRIu64 " bytes (refused ones: %" PRIu64
                         " bytes); let it drain, raise spool-max-bytes, or see to the refused ones",
                         s->waiting, s->waiting_bytes, s->refused_bytes);
    if (!s->gathering)
        s->gathering = calloc(1, sizeof *s->gathering);
    struct batch *b = s->gathering;
    if (!b || !batch_reserve(b, bytes) || (fn && !tag_room(s))) {
        if (b && b->users == 0) {
            free(b->data);
            free(b);
            s->gathering = NULL;
        }
        return error_set(CAREHUB_OUT_OF_MEMORY, "out of memory");
    }
    uint64_t number = ++s->last;
    record_seal(b->data + b->size, s->key, number, event, size);
    b->size += bytes;
    b->first = b->records++ == 0 ? number : b->first;
    b->last = number;
    b->users++;
    if (fn)
        tag_add(s, number, fn, arg);
    s->waiting++;
    s->waiting_bytes += bytes;
    *joined = b;
    return CAREHUB_OK;
}

static int leave_batch(struct batch *b)
{
    int result = b->result, error = b->error;
    if (--b->users == 0) {
        free(b->data);
        free(b);
    }
    if (result == CAREHUB_SPOOL_FULL)
        return error_set(result, "the disk of the spool is full; make room on it");
    if (result == CAREHUB_IO)
        return error_set(result, "the spool cannot be written: %s", strerror(error));
    return result;
}

int spool_append(struct spool *s, const uint8_t *event, size_t size, carehub_confirm_fn *fn, void *arg)
{
    struct batch *b = NULL;
    if (size == 0 || size > EVENT_MAX_BYTES)
        return error_set(CAREHUB_INVALID_ARGUMENT, "an event has 1 to %d bytes", EVENT_MAX_BYTES);
    pthread_mutex_lock(&s->lock);
    int result = add_to_batch(s, event, size, fn, arg, &b);
    if (result == CAREHUB_OK) {
        while (!b->done) {
            if (s->writing)
                pthread_cond_wait(&s->written, &s->lock);
            else
                write_gathered(s);
        }
        result = leave_batch(b);
    }
    pthread_mutex_unlock(&s->lock);
    return result;
}

/* ---- What it says of itself ------------------------------------------------------------------------------------- */

uint64_t spool_last(struct spool *s)
{
    pthread_mutex_lock(&s->lock);
    uint64_t durable = s->durable;
    pthread_mutex_unlock(&s->lock);
    return durable;
}

void spool_status(struct spool *s, struct carehub_spool_status *status)
{
    pthread_mutex_lock(&s->lock);
    *status = (struct carehub_spool_status){
        .waiting = s->waiting,
        .waiting_bytes = s->waiting_bytes,
        .refused = s->refused,
    };
    pthread_mutex_unlock(&s->lock);
}
