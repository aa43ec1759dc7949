/* spool_record.c - sealing, opening and reading records. */
#include "spool_record.h"

#include <endian.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAGIC_BYTES = 16, CHECK_BYTES = 16, NUMBERED_BYTES = 12, NONCE_BYTES = 24, TAG_BYTES = 16 };

static void key_check(uint8_t out[CHECK_BYTES], const uint8_t *key)
{
    static const char text[] = "carehub spool key check";
    crypto_generichash(out, CHECK_BYTES, (const uint8_t *)text, sizeof text, key, SPOOL_KEY_BYTES);
}

void header_write(uint8_t out[SPOOL_HEADER_BYTES], const char *magic, const uint8_t *key, uint64_t first)
{
    uint64_t number = htole64(first);
    memcpy(out, magic, MAGIC_BYTES);
    memcpy(out + MAGIC_BYTES, &number, sizeof number);
    key_check(out + MAGIC_BYTES + sizeof number, key);
}

int header_check(const uint8_t in[SPOOL_HEADER_BYTES], const char *magic, const uint8_t *key, uint64_t *first)
{
    uint8_t check[CHECK_BYTES];
    uint64_t number;
    if (memcmp(in, magic, MAGIC_BYTES) != 0)
        return 1;
    memcpy(&number, in + MAGIC_BYTES, sizeof number);
    *first = le64toh(number);
    key_check(check, key);
    return sodium_memcmp(check, in + MAGIC_BYTES + sizeof number, sizeof check) == 0 ? 0 : 2;
}

void record_seal(uint8_t *out, const uint8_t *key, uint64_t number, const uint8_t *plain, size_t size)
{
    uint32_t size_le = htole32((uint32_t)size);
    uint64_t number_le = htole64(number);
    memcpy(out, &size_le, sizeof size_le);
    memcpy(out + sizeof size_le, &number_le, sizeof number_le);
    uint8_t *nonce = out + NUMBERED_BYTES;
    randombytes_buf(nonce, NONCE_BYTES);
    crypto_aead_xchacha20poly1305_ietf_encrypt(nonce + NONCE_BYTES, NULL, plain, size, out, NUMBERED_BYTES, NULL, nonce,
                                               key);
}

bool reader_init(struct record_reader *reader, const uint8_t *key)
{
    *reader = (struct record_reader){
        .fd = -1,
        .key = key,
        .buffer = malloc(READER_BUFFER_BYTES),
        .plain = malloc(RECORD_PLAIN_MAX_BYTES),
    };
    return reader->buffer && reader->plain;
}

void reader_fini(struct record_reader *reader)
{
    free(reader->buffer);
    free(reader->plain);
}

void reader_start(struct record_reader *reader, int fd, uint64_t end)
{
    reader->fd = fd;
    reader->offset = SPOOL_HEADER_BYTES;
    reader->end = end;
    reader->number = 0;
    reader->damaged = 0;
    reader->buffered = 0;
}

/* `size` bytes of the file at offset, or NULL if there are not so many. */
static const uint8_t *look(struct record_reader *r, uint64_t offset, size_t size)
{
    if (offset > r->end || size > r->end - offset)
        return NULL;
    if (r->buffered == 0 || offset < r->buffer_offset || offset + size > r->buffer_offset + r->buffered) {
        uint64_t left = r->end - offset;
        size_t want = left < READER_BUFFER_BYTES ? (size_t)left : READER_BUFFER_BYTES;
        ssize_t n;
        do
            n = pread(r->fd, r->buffer, want, (off_t)offset);
        while (n < 0 && errno == EINTR);
        r->buffer_offset = offset;
        r->buffered = n > 0 ? (size_t)n : 0;
        if (r->buffered < size)
            return NULL;
    }
    return r->buffer + (offset - r->buffer_offset);
}

/* Opens the record at offset; *length is what it takes in the file, 0 if that cannot be told. */
static enum record_result read_at(struct record_reader *r, uint64_t offset, size_t *length)
{
    uint32_t size;
    uint64_t number;
    *length = 0;
    const uint8_t *head = look(r, offset, sizeof size);
    if (!head)
        return offset == r->end ? RECORD_END : RECORD_BAD;
    memcpy(&size, head, sizeof size);
    size = le32toh(size);
    if (size == 0)
        return RECORD_END;
    if (size > RECORD_PLAIN_MAX_BYTES || !(head = look(r, offset, size + RECORD_OVERHEAD_BYTES)))
        return RECORD_BAD;
    *length = size + RECORD_OVERHEAD_BYTES;
    memcpy(&number, head + sizeof size, sizeof number);
    number = le64toh(number);
    const uint8_t *nonce = head + NUMBERED_BYTES;
    if (number <= r->number ||
        crypto_aead_xchacha20poly1305_ietf_decrypt(r->plain, NULL, NULL, nonce + NONCE_BYTES, size + TAG_BYTES, head,
                                                   NUMBERED_BYTES, nonce, r->key) != 0)
        return RECORD_BAD;
    r->number = number;
    r->size = size;
    return RECORD_OK;
}

enum record_result reader_next(struct record_reader *r)
{
    size_t length, behind;
    enum record_result result = read_at(r, r->offset, &length);
    if (result == RECORD_BAD && length > 0 && read_at(r, r->offset + length, &behind) == RECORD_OK) {
        r->damaged++;
        length += behind;
        result = RECORD_OK;
    }
    if (result == RECORD_OK)
        r->offset += length;
    return result;
}
