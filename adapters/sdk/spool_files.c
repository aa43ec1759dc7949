/* spool_files.c - the spool's folder, lock, key, and small files. */
#include "spool_internal.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keyfile.h"

void spool_note(struct spool *s, const char *format, ...)
{
    va_list args;
    if (s->n_remarks - s->remarks_told >= REMARKS_MAX)
        return;
    va_start(args, format);
    vsnprintf(s->remarks[s->n_remarks++ % REMARKS_MAX], ERROR_TEXT_BYTES, format, args);
    va_end(args);
}

const char *spool_remark(struct spool *s)
{
    return s->remarks_told == s->n_remarks ? NULL : s->remarks[s->remarks_told++ % REMARKS_MAX];
}

void segment_name(char name[SEGMENT_NAME_CHARS], const char *kind, uint64_t first)
{
    snprintf(name, SEGMENT_NAME_CHARS, "%s-%016" PRIx64, kind, first);
}

int spool_take_folder(struct spool *s, const char *dir)
{
    if (mkdir(dir, 0700) == 0) {
        if (!folder_sync(dir))
            return error_set(CAREHUB_IO, "spool %s: %s", dir, strerror(errno));
    } else if (errno != EEXIST)
        return error_set(CAREHUB_IO, "spool %s: cannot be made: %s", dir, strerror(errno));
    s->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->dir_fd < 0)
        return error_set(CAREHUB_IO, "spool %s: cannot be opened: %s", dir, strerror(errno));
    s->lock_fd = openat(s->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock_fd < 0)
        return error_set(CAREHUB_IO, "spool %s: cannot be written: %s", dir, strerror(errno));
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0)
        return error_set(CAREHUB_IO, "spool %s: another client has it open; give each its own spool", dir);
    return CAREHUB_OK;
}

int spool_load_key(struct spool *s, const struct spool_config *config, bool in_use)
{
    char path[PATH_MAX], hex[KEY_HEX_CHARS + 2];
    uint8_t text[KEY_HEX_CHARS + 1];
    size_t size = 0;
    if (config->key_file)
        snprintf(path, sizeof path, "%s", config->key_file);
    else if ((size_t)snprintf(path, sizeof path, "%s/key", config->dir) >= sizeof path)
        return error_set(CAREHUB_CONFIG, "spool %s: the path is too long", config->dir);

    if (access(path, F_OK) == 0) {
        int result = private_file_read(path, text, sizeof text, &size);
        if (result != CAREHUB_OK)
            return result;
        if (size < KEY_HEX_CHARS || !key_from_hex((const char *)text, s->key))
            return error_set(CAREHUB_CONFIG, "%s: is not a spool key (64 hexadecimal digits)", path);
        sodium_memzero(text, sizeof text);
        return CAREHUB_OK;
    }
    if (in_use)
        return error_set(CAREHUB_CONFIG,
                         "%s: the spool's key is gone, and events wait in %s that only it can read: put it back, or "
                         "move the folder away to start anew without them",
                         path, config->dir);
    randombytes_buf(s->key, sizeof s->key);
    key_to_hex(s->key, hex);
    strcat(hex, "\n");
    int result = private_file_write(path, hex, sizeof hex - 1);
    sodium_memzero(hex, sizeof hex);
    return result;
}

bool write_all(int fd, const uint8_t *data, size_t size, uint64_t offset)
{
    while (size > 0) {
        ssize_t n = pwrite(fd, data, size, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        data += n;
        size -= (size_t)n;
        offset += (uint64_t)n;
    }
    return true;
}

int spool_make_file(struct spool *s, const char *name, const char *magic, uint64_t first, uint64_t room_bytes)
{
    uint8_t header[SPOOL_HEADER_BYTES];
    header_write(header, magic, s->key, first);
    int fd = openat(s->dir_fd, "new", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    /* Space now, rather than an error in the middle of a record; not every file system can. */
    bool room = room_bytes == 0 || fallocate(fd, 0, 0, (off_t)room_bytes) == 0 || errno == EOPNOTSUPP;
    if (room && write_all(fd, header, sizeof header, 0) && fsync(fd) == 0 &&
        renameat(s->dir_fd, "new", s->dir_fd, name) == 0 && fsync(s->dir_fd) == 0)
        return fd;
    int saved = errno;
    close(fd);
    unlinkat(s->dir_fd, "new", 0);
    errno = saved;
    return -1;
}

/* ---- How far everything is settled ------------------------------------------------------------------------------ */

struct progress {
    uint64_t number; /* little-endian */
    uint8_t mac[16];
};

static void progress_mac(struct progress *p, const uint8_t *key)
{
    crypto_generichash(p->mac, sizeof p->mac, (const uint8_t *)&p->number, sizeof p->number, key, SPOOL_KEY_BYTES);
}

/* A mark that is missing or not whole counts as none: then everything found goes out again. */
void progress_load(struct spool *s)
{
    struct progress found, expected;
    if (pread(s->progress_fd, &found, sizeof found, 0) != sizeof found)
        return;
    expected.number = found.number;
    progress_mac(&expected, s->key);
    if (sodium_memcmp(expected.mac, found.mac, sizeof found.mac) == 0)
        s->settled_through = le64toh(found.number);
}

void progress_save(struct spool *s)
{
    struct progress p = {.number = htole64(s->settled_through)};
    progress_mac(&p, s->key);
    if (!write_all(s->progress_fd, (const uint8_t *)&p, sizeof p, 0))
        spool_note(s, "the spool's progress cannot be noted (%s): after a restart some events go out again",
                   strerror(errno));
    s->unsaved = 0;
}
