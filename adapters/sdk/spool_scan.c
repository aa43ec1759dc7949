/* spool_scan.c - at the start: which segments there are, what waits in them, and what is broken. */
#include "spool_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool segment_add(struct spool *s, const struct segment *segment)
{
    if (s->n_segments == s->segments_room) {
        size_t room = s->segments_room ? 2 * s->segments_room : 64;
        struct segment *segments = realloc(s->segments, room * sizeof *segments);
        if (!segments)
            return false;
        s->segments = segments;
        s->segments_room = room;
    }
    s->segments[s->n_segments++] = *segment;
    return true;
}

static bool parse_name(const char *name, uint64_t *first)
{
    int used = 0;
    return sscanf(name, "segment-%16" SCNx64 "%n", first, &used) == 1 && used == 24 && name[used] == '\0';
}

static DIR *open_folder(struct spool *s)
{
    int fd = openat(s->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    if (!folder && fd >= 0)
        close(fd);
    return folder;
}

bool spool_holds_data(struct spool *s)
{
    DIR *folder = open_folder(s);
    bool found = false;
    uint64_t first;
    for (struct dirent *entry; folder && !found && (entry = readdir(folder));)
        found = parse_name(entry->d_name, &first) || strcmp(entry->d_name, "refused") == 0;
    if (folder)
        closedir(folder);
    return found;
}

static int by_first(const void *a, const void *b)
{
    const struct segment *x = a, *y = b;
    return x->first < y->first ? -1 : x->first > y->first;
}

static int list(struct spool *s)
{
    DIR *folder = open_folder(s);
    bool ok = folder != NULL;
    uint64_t first;
    for (struct dirent *entry; ok && (entry = readdir(folder));)
        if (parse_name(entry->d_name, &first))
            ok = segment_add(s, &(struct segment){.first = first});
    if (folder)
        closedir(folder);
    if (!ok)
        return error_set(CAREHUB_IO, "the spool's folder cannot be read: %s", strerror(errno));
    if (s->n_segments > 0)
        qsort(s->segments, s->n_segments, sizeof *s->segments, by_first);
    return CAREHUB_OK;
}

/* Reads all records of a segment: counts what waits, and finds its end. */
static enum record_result read_through(struct spool *s, struct segment *segment)
{
    struct record_reader *r = &s->reader;
    enum record_result result;
    uint64_t before = r->offset;
    segment->last = segment->first - 1;
    while ((result = reader_next(r)) == RECORD_OK) {
        segment->last = r->number;
        if (r->number > s->settled_through) {
            segment->unread++;
            segment->unread_bytes += r->size + RECORD_OVERHEAD_BYTES;
        }
        before = r->offset;
    }
    segment->end = before;
    return result;
}

/* Of the newest segment what follows its last whole record was being written when the process ended: nobody was told
 * that it is safe, and it is cut off. In an older one that is damage. */
static int judge_end(struct spool *s, int fd, struct segment *segment, enum record_result result, bool newest)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return error_set(CAREHUB_IO, "the spool cannot be read: %s", strerror(errno));
    uint64_t behind = (uint64_t)st.st_size - segment->end;
    if (newest) {
        if (result == RECORD_BAD)
            spool_note(s,
                       "spool: the last write was interrupted; %" PRIu64 " bytes that nobody was told of were cut off",
                       behind);
        if (behind > 0 && (ftruncate(fd, (off_t)segment->end) != 0 || fdatasync(fd) != 0))
            return error_set(CAREHUB_IO, "the spool cannot be cut to its last whole record: %s", strerror(errno));
    } else if (result == RECORD_BAD) {
        segment->damaged = true;
        spool_note(s,
                   "spool: segment %016" PRIx64 " is damaged at byte %" PRIu64 "; up to %" PRIu64
                   " bytes of events cannot be read and the file is kept. Check the disk",
                   segment->first, segment->end, behind);
    }
    if (s->reader.damaged > 0) {
        segment->damaged = true;
        spool_note(s,
                   "spool: %u damaged records in segment %016" PRIx64 " cannot be read and the file is kept. Check "
                   "the disk",
                   s->reader.damaged, segment->first);
    }
    return CAREHUB_OK;
}

static int scan_open(struct spool *s, int fd, struct segment *segment, bool newest)
{
    uint8_t header[SPOOL_HEADER_BYTES];
    struct stat st;
    uint64_t first = 0;
    if (fstat(fd, &st) != 0 || pread(fd, header, sizeof header, 0) != sizeof header ||
        header_check(header, SEGMENT_MAGIC, s->key, &first) == 1)
        return error_set(CAREHUB_IO,
                         "segment-%016" PRIx64 " is not a spool segment, or its head is damaged: move it "
                         "out of the spool's folder to go on without it",
                         segment->first);
    if (header_check(header, SEGMENT_MAGIC, s->key, &first) == 2)
        return error_set(CAREHUB_CONFIG,
                         "segment-%016" PRIx64 " was written with another spool key: put that key back, "
                         "or move the folder away to start anew without what waits in it",
                         segment->first);
    reader_start(&s->reader, fd, (uint64_t)st.st_size);
    enum record_result result = read_through(s, segment);
    return judge_end(s, fd, segment, result, newest);
}

static int scan_segment(struct spool *s, struct segment *segment, bool newest)
{
    char name[SEGMENT_NAME_CHARS];
    segment_name(name, "segment", segment->first);
    int fd = openat(s->dir_fd, name, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return error_set(CAREHUB_IO, "%s cannot be opened: %s", name, strerror(errno));
    int result = scan_open(s, fd, segment, newest);
    close(fd);
    return result;
}

int spool_scan(struct spool *s)
{
    int result = list(s);
    s->last = s->settled_through;
    for (size_t i = 0; result == CAREHUB_OK && i < s->n_segments; i++) {
        struct segment *segment = &s->segments[i];
        result = scan_segment(s, segment, i + 1 == s->n_segments);
        if (segment->last > s->last)
            s->last = segment->last;
        s->waiting += segment->unread;
        s->waiting_bytes += segment->unread_bytes;
    }
    s->durable = s->last;
    s->read_through = s->settled_through;
    return result;
}
