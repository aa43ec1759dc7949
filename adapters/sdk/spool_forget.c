/* spool_forget.c - takes events out of a spool that no client has open, for good: each file that has one is written
 * anew without it. Numbers stay as they are; there may be gaps between them anyway. */
#include "spool_internal.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct forgetting {
    struct spool *spool;
    carehub_choose_fn *fn;
    void *arg;
    bool only_count;
    uint64_t count;
    uint8_t *sealed; /* room for one record */
};

/* The event in a record's plaintext: in the refused file the hub's reason comes first. NULL: it makes no sense. */
static const uint8_t *event_of(const struct record_reader *r, bool refused, size_t *size)
{
    uint32_t reason = 0;
    size_t before = 0;
    if (refused) {
        if (r->size < sizeof reason)
            return NULL;
        memcpy(&reason, r->plain, sizeof reason);
        before = sizeof reason + le32toh(reason);
    }
    if (before > r->size)
        return NULL;
    *size = r->size - before;
    return r->plain + before;
}

static bool is_chosen(const struct forgetting *f, bool refused)
{
    size_t size;
    const uint8_t *event = event_of(&f->spool->reader, refused, &size);
    return event && f->fn(f->arg, event, size);
}

/* Copies what is not chosen behind the header of a new file. */
static bool copy_others(const struct forgetting *f, int fd, bool refused)
{
    struct record_reader *r = &f->spool->reader;
    uint64_t offset = SPOOL_HEADER_BYTES;
    while (reader_next(r) == RECORD_OK) {
        if (is_chosen(f, refused))
            continue;
        record_seal(f->sealed, f->spool->key, r->number, r->plain, r->size);
        if (!write_all(fd, f->sealed, r->size + RECORD_OVERHEAD_BYTES, offset))
            return false;
        offset += r->size + RECORD_OVERHEAD_BYTES;
    }
    return fsync(fd) == 0;
}

static bool write_anew(const struct forgetting *f, const char *name, const uint8_t header[SPOOL_HEADER_BYTES],
                       bool refused)
{
    int dir = f->spool->dir_fd, fd = openat(dir, "new", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && write_all(fd, header, SPOOL_HEADER_BYTES, 0) && copy_others(f, fd, refused) &&
              renameat(dir, "new", dir, name) == 0 && fsync(dir) == 0;
    int saved = errno;
    if (fd >= 0)
        close(fd);
    errno = saved;
    return ok;
}

static int handle_open(struct forgetting *f, const char *name, int fd, bool refused)
{
    struct record_reader *r = &f->spool->reader;
    uint8_t header[SPOOL_HEADER_BYTES];
    struct stat st;
    uint64_t first, before = f->count;
    if (fstat(fd, &st) != 0 || pread(fd, header, sizeof header, 0) != sizeof header ||
        header_check(header, refused ? REFUSED_MAGIC : SEGMENT_MAGIC, f->spool->key, &first) != 0)
        return error_set(CAREHUB_IO, "%s is not a file of this spool, or its head is damaged: move it away to go on",
                         name);
    reader_start(r, fd, (uint64_t)st.st_size);
    while (reader_next(r) == RECORD_OK)
        f->count += is_chosen(f, refused);
    if (f->only_count || f->count == before)
        return CAREHUB_OK;
    reader_start(r, fd, (uint64_t)st.st_size);
    return write_anew(f, name, header, refused)
               ? CAREHUB_OK
               : error_set(CAREHUB_IO, "%s cannot be written anew: %s", name, strerror(errno));
}

static int handle_file(struct forgetting *f, const char *name)
{
    bool refused = strcmp(name, "refused") == 0;
    if (!refused && strncmp(name, "segment-", 8) != 0 && strncmp(name, "damaged-", 8) != 0)
        return CAREHUB_OK;
    int fd = openat(f->spool->dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return error_set(CAREHUB_IO, "%s cannot be opened: %s", name, strerror(errno));
    int result = handle_open(f, name, fd, refused);
    close(fd);
    return result;
}

/* The names first: the folder changes under way. */
static int handle_files(struct forgetting *f)
{
    struct dirent **names;
    char path[64];
    int result = CAREHUB_OK;
    snprintf(path, sizeof path, "/proc/self/fd/%d", f->spool->dir_fd);
    if (!f->only_count && unlinkat(f->spool->dir_fd, "new", 0) != 0 && errno != ENOENT) /* of one that was killed */
        return error_set(CAREHUB_IO, "the spool's folder cannot be changed: %s", strerror(errno));
    int n = scandir(path, &names, NULL, NULL);
    if (n < 0)
        return error_set(CAREHUB_IO, "the spool's folder cannot be read: %s", strerror(errno));
    for (int i = 0; i < n; i++) {
        if (result == CAREHUB_OK)
            result = handle_file(f, names[i]->d_name);
        free(names[i]);
    }
    free(names);
    return result;
}

int carehub_spool_forget(const char *spool_dir, const char *key_file, carehub_choose_fn *fn, void *arg, bool only_count,
                         uint64_t *count)
{
    struct stat st;
    struct forgetting f = {.fn = fn, .arg = arg, .only_count = only_count};
    if (!spool_dir || !fn || !count)
        return error_set(CAREHUB_INVALID_ARGUMENT, "carehub_spool_forget: spool_dir, fn and count are needed");
    if (stat(spool_dir, &st) != 0)
        return error_set(CAREHUB_IO, "spool %s: %s", spool_dir, strerror(errno));
    struct spool_config config = {.dir = spool_dir, .key_file = key_file, .max_bytes = SEGMENT_MOST_BYTES};
    int result = spool_open(&f.spool, &config);
    if (result != CAREHUB_OK)
        return result;
    f.sealed = malloc(RECORD_PLAIN_MAX_BYTES + RECORD_OVERHEAD_BYTES);
    result = f.sealed ? handle_files(&f) : error_set(CAREHUB_OUT_OF_MEMORY, "out of memory");
    free(f.sealed);
    spool_close(&f.spool);
    *count = f.count;
    return result;
}
