/* spool_read.c - reading the spool in order, and letting go of what is settled. The sending thread only. */
#include "spool_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct segment *find_segment(struct spool *s, uint64_t first)
{
    for (size_t i = 0; i < s->n_segments; i++)
        if (s->segments[i].first == first)
            return &s->segments[i];
    return NULL;
}

/* ---- Taking ----------------------------------------------------------------------------------------------------- */

static void stop_reading(struct spool *s)
{
    close(s->read_fd);
    s->read_fd = -1;
}

/* Opens the first segment in which something is to be taken. False: there is none, or it cannot be opened. */
static bool start_reading(struct spool *s)
{
    char name[SEGMENT_NAME_CHARS];
    uint64_t end = 0;
    bool found = false;
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->n_segments && !found; i++) {
        found = s->segments[i].unread > 0;
        s->read_first = s->segments[i].first;
        end = s->segments[i].end;
    }
    pthread_mutex_unlock(&s->lock);
    s->drained = !found;
    if (!found)
        return false;
    segment_name(name, "segment", s->read_first);
    s->read_fd = openat(s->dir_fd, name, O_RDONLY | O_CLOEXEC);
    if (s->read_fd < 0) {
        spool_note(s, "spool: %s cannot be opened: %s", name, strerror(errno));
        return false;
    }
    reader_start(&s->reader, s->read_fd, end);
    return true;
}

/* What is left of the segment cannot be read, though it could when it was written. Under the lock. */
static void give_up(struct spool *s, struct segment *segment)
{
    spool_note(
        s, "spool: %" PRIu64 " events of segment %016" PRIx64 " cannot be read and the file is kept. Check the disk",
        segment->unread, segment->first);
    s->waiting -= segment->unread;
    s->waiting_bytes -= segment->unread_bytes;
    segment->unread = segment->unread_bytes = 0;
    segment->damaged = true;
    s->reader.offset = s->reader.end = segment->end;
}

/* At the end of what the reader knows of this segment. True: there may be more to read, here or in a later one. */
static bool go_on(struct spool *s)
{
    pthread_mutex_lock(&s->lock);
    struct segment *segment = find_segment(s, s->read_first);
    bool newest = segment == &s->segments[s->n_segments - 1];
    bool grown = segment->end > s->reader.end;
    if (grown) {
        s->reader.end = segment->end;
        s->reader.buffered = 0;
    } else if (segment->unread > 0) {
        give_up(s, segment);
    }
    pthread_mutex_unlock(&s->lock);
    if (grown)
        return true;
    s->drained = newest; /* then it is read on from here when it has grown */
    if (!newest)
        stop_reading(s);
    return !newest;
}

/* A damaged record in the middle: its number is unknown, but that it is one less to come is certain. */
static void count_damage(struct spool *s)
{
    if (s->reader.damaged == 0)
        return;
    pthread_mutex_lock(&s->lock);
    struct segment *segment = find_segment(s, s->read_first);
    bool known = segment->damaged; /* at the start: those were never counted as waiting */
    segment->damaged = true;
    if (!known && segment->unread > s->reader.damaged) {
        segment->unread -= s->reader.damaged;
        s->waiting -= s->reader.damaged;
    }
    pthread_mutex_unlock(&s->lock);
    if (!known)
        spool_note(s, "spool: a record of segment %016" PRIx64 " cannot be read. Check the disk", s->read_first);
    s->reader.damaged = 0;
}

bool spool_peek(struct spool *s, struct spool_record *record)
{
    s->drained = false;
    if (!s->peeked && s->outstanding_end - s->outstanding_head == OUTSTANDING_MAX)
        return false;
    while (!s->peeked) {
        if (s->read_fd < 0 && !start_reading(s))
            return false;
        enum record_result result = reader_next(&s->reader);
        count_damage(s);
        if (result == RECORD_OK)
            s->peeked = s->reader.number > s->read_through;
        else if (!go_on(s))
            return false;
    }
    *record = (struct spool_record){.event = s->reader.plain, .size = s->reader.size};
    return true;
}

void spool_take(struct spool *s, struct spool_record *record)
{
    uint32_t bytes = (uint32_t)(s->reader.size + RECORD_OVERHEAD_BYTES);
    record->ticket = s->outstanding_end++;
    s->outstanding[record->ticket & (OUTSTANDING_MAX - 1)] = (struct outstanding_record){
        .number = s->reader.number,
        .bytes = bytes,
    };
    s->read_through = s->reader.number;
    s->peeked = false;
    pthread_mutex_lock(&s->lock);
    struct segment *segment = find_segment(s, s->read_first);
    segment->unread--;
    segment->unread_bytes -= bytes;
    tag_take(s, s->reader.number, &record->fn, &record->arg);
    pthread_mutex_unlock(&s->lock);
}

uint64_t spool_read_through(const struct spool *s)
{
    return s->read_through;
}

bool spool_drained(const struct spool *s)
{
    return s->drained;
}

/* ---- Settling --------------------------------------------------------------------------------------------------- */

static void discard(struct spool *s, const struct segment *segment)
{
    char name[SEGMENT_NAME_CHARS], kept[SEGMENT_NAME_CHARS];
    segment_name(name, "segment", segment->first);
    segment_name(kept, "damaged", segment->first);
    if (segment->damaged)
        renameat(s->dir_fd, name, s->dir_fd, kept);
    else
        unlinkat(s->dir_fd, name, 0);
}

void spool_release(struct spool *s)
{
    for (;;) {
        pthread_mutex_lock(&s->lock);
        struct segment oldest = s->n_segments ? s->segments[0] : (struct segment){0};
        bool settled = s->n_segments && oldest.unread == 0 && oldest.last <= s->settled_through &&
                       (s->write_fd < 0 || oldest.first != s->write_first);
        if (settled)
            memmove(s->segments, s->segments + 1, --s->n_segments * sizeof *s->segments);
        pthread_mutex_unlock(&s->lock);
        if (!settled)
            return;
        if (s->read_fd >= 0 && s->read_first == oldest.first)
            stop_reading(s);
        discard(s, &oldest);
    }
}

void spool_settle(struct spool *s, uint64_t ticket)
{
    struct outstanding_record *record = &s->outstanding[ticket & (OUTSTANDING_MAX - 1)];
    record->settled = true;
    pthread_mutex_lock(&s->lock);
    s->waiting--;
    s->waiting_bytes -= record->bytes;
    pthread_mutex_unlock(&s->lock);
    s->unsaved++;
    while (s->outstanding_head < s->outstanding_end) {
        record = &s->outstanding[s->outstanding_head & (OUTSTANDING_MAX - 1)];
        if (!record->settled)
            break;
        s->settled_through = record->number;
        s->outstanding_head++;
    }
    if (s->unsaved < PROGRESS_EVERY && s->outstanding_head < s->outstanding_end)
        return;
    progress_save(s);
    spool_release(s);
}
