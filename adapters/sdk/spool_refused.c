/* spool_refused.c - events that the hub refused for good, kept with its reason. */
#include "spool_internal.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { REASON_MAX_BYTES = 4096 };

/* Plaintext of a record: size of the serialised Error (4 bytes), the Error, the event. */
static size_t put_reason(uint8_t *out, const Carehub__V1__Error *error)
{
    Carehub__V1__Error brief = CAREHUB__V1__ERROR__INIT;
    if (error)
        brief.code = error->code;
    if (!error || protobuf_c_message_get_packed_size(&error->base) > REASON_MAX_BYTES)
        error = &brief;
    size_t size = protobuf_c_message_pack(&error->base, out + 4);
    uint32_t size_le = htole32((uint32_t)size);
    memcpy(out, &size_le, sizeof size_le);
    return 4 + size;
}

static bool make_refused_file(struct spool *s)
{
    if (s->refused_fd >= 0)
        return true;
    s->refused_fd = spool_make_file(s, "refused", REFUSED_MAGIC, 1, 0);
    s->refused_bytes = SPOOL_HEADER_BYTES;
    s->refused_next = 1;
    return s->refused_fd >= 0;
}

bool spool_refuse(struct spool *s, const Carehub__V1__Error *error, const uint8_t *event, size_t size)
{
    uint8_t *plain = malloc(4 + REASON_MAX_BYTES + size);
    uint8_t *sealed = malloc(4 + REASON_MAX_BYTES + size + RECORD_OVERHEAD_BYTES);
    bool ok = plain && sealed && make_refused_file(s);
    if (ok) {
        size_t n = put_reason(plain, error);
        memcpy(plain + n, event, size);
        n += size;
        record_seal(sealed, s->key, s->refused_next, plain, n);
        n += RECORD_OVERHEAD_BYTES;
        ok = write_all(s->refused_fd, sealed, n, s->refused_bytes) && fdatasync(s->refused_fd) == 0;
        pthread_mutex_lock(&s->lock);
        s->refused++;
        s->refused_bytes += ok ? n : 0;
        s->refused_next += ok;
        pthread_mutex_unlock(&s->lock);
    }
    if (!ok)
        error_set(CAREHUB_IO, "the spool's refused file: %s", strerror(errno));
    free(plain);
    free(sealed);
    return ok;
}

static bool check_file(int fd, const uint8_t *key, struct stat *st)
{
    uint8_t header[SPOOL_HEADER_BYTES];
    uint64_t first;
    return fstat(fd, st) == 0 && pread(fd, header, sizeof header, 0) == sizeof header &&
           header_check(header, REFUSED_MAGIC, key, &first) == 0;
}

int refused_open(struct spool *s)
{
    struct stat st;
    s->refused_fd = openat(s->dir_fd, "refused", O_RDWR | O_CLOEXEC);
    if (s->refused_fd < 0)
        return errno == ENOENT ? CAREHUB_OK : error_set(CAREHUB_IO, "the spool's refused file: %s", strerror(errno));
    if (!check_file(s->refused_fd, s->key, &st))
        return error_set(CAREHUB_CONFIG, "the spool's refused file was written with another key, or is damaged: move "
                                         "it out of the spool's folder");
    reader_start(&s->reader, s->refused_fd, (uint64_t)st.st_size);
    while (reader_next(&s->reader) == RECORD_OK)
        s->refused++;
    s->refused_bytes = s->reader.offset;
    s->refused_next = s->reader.number + 1;
    if (s->refused_bytes < (uint64_t)st.st_size && ftruncate(s->refused_fd, (off_t)s->refused_bytes) != 0)
        return error_set(CAREHUB_IO, "the spool's refused file: %s", strerror(errno));
    return CAREHUB_OK;
}

/* ---- For people ------------------------------------------------------------------------------------------------- */

/* False: the reader of the refused ones has had enough, or the record makes no sense. */
static bool tell_refused(const struct record_reader *reader, carehub_refused_fn *fn, void *arg)
{
    uint32_t size;
    if (reader->size < sizeof size)
        return false;
    memcpy(&size, reader->plain, sizeof size);
    size = le32toh(size);
    if (size > reader->size - sizeof size)
        return false;
    Carehub__V1__Error *error = carehub__v1__error__unpack(NULL, size, reader->plain + sizeof size);
    if (!error)
        return false;
    bool more = fn(arg, error, reader->plain + sizeof size + size, reader->size - sizeof size - size);
    carehub__v1__error__free_unpacked(error, NULL);
    return more;
}

int carehub_spool_refused(const char *spool_dir, const char *key_file, carehub_refused_fn *fn, void *arg)
{
    struct spool *s;
    struct stat st;
    if (!spool_dir || !fn)
        return error_set(CAREHUB_INVALID_ARGUMENT, "carehub_spool_refused: spool_dir and fn are needed");
    if (stat(spool_dir, &st) != 0)
        return error_set(CAREHUB_IO, "spool %s: %s", spool_dir, strerror(errno));
    struct spool_config config = {.dir = spool_dir, .key_file = key_file, .max_bytes = SEGMENT_MOST_BYTES};
    int result = spool_open(&s, &config);
    if (result != CAREHUB_OK)
        return result;
    if (s->refused_fd >= 0 && fstat(s->refused_fd, &st) == 0) {
        reader_start(&s->reader, s->refused_fd, (uint64_t)st.st_size);
        while (reader_next(&s->reader) == RECORD_OK && tell_refused(&s->reader, fn, arg))
            ;
    }
    spool_close(&s);
    return CAREHUB_OK;
}
