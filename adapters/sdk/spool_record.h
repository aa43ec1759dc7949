/* spool_record.h - the form of the spool's files: a header, then sealed records. Little-endian.
 *
 *     header  16 bytes  magic
 *              8        number of the first record
 *             16        BLAKE2b of a fixed text, keyed with the spool's key: is it the right key?
 *     record   4        size of the plaintext, never 0 (preallocated space reads as 0: the end)
 *              8        number, increasing within the spool
 *             24        nonce, random
 *              size+16  XChaCha20-Poly1305; additional data: the 12 bytes of size and number */
#ifndef SDK_SPOOL_RECORD_H
#define SDK_SPOOL_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SPOOL_KEY_BYTES = 32,
    SPOOL_HEADER_BYTES = 40,
    RECORD_HEAD_BYTES = 4 + 8 + 24,
    RECORD_OVERHEAD_BYTES = RECORD_HEAD_BYTES + 16,
    RECORD_PLAIN_MAX_BYTES = (64 << 10) + (8 << 10), /* an event; in the refused file with the hub's reason */
    READER_BUFFER_BYTES = 256 << 10,
};

#define SEGMENT_MAGIC "carehub-spool-1\n"
#define REFUSED_MAGIC "carehub-refuse1\n"

void header_write(uint8_t out[SPOOL_HEADER_BYTES], const char *magic, const uint8_t *key, uint64_t first);
/* 0: right; 1: not such a file; 2: another key. */
int header_check(const uint8_t in[SPOOL_HEADER_BYTES], const char *magic, const uint8_t *key, uint64_t *first);

/* Seals size bytes to out, which has room for size + RECORD_OVERHEAD_BYTES. */
void record_seal(uint8_t *out, const uint8_t *key, uint64_t number, const uint8_t *plain, size_t size);

/* Reads the records of an open file in order. */
struct record_reader {
    int fd;          /* borrowed; -1: none */
    uint64_t offset; /* of the next record */
    uint64_t end;    /* nothing is read from here on */
    const uint8_t *key;
    uint64_t number;  /* of the last record */
    uint32_t damaged; /* records that were skipped */
    uint8_t *buffer;  /* READER_BUFFER_BYTES, owned */
    uint64_t buffer_offset;
    size_t buffered;
    uint8_t *plain; /* RECORD_PLAIN_MAX_BYTES, owned */
    size_t size;
};

enum record_result {
    RECORD_OK, /* plain, size and number are set */
    RECORD_END,
    RECORD_BAD, /* what is at offset is no record, nor is anything that can be found behind it */
};

bool reader_init(struct record_reader *reader, const uint8_t *key);
void reader_fini(struct record_reader *reader);
/* Starts with another file, behind its header. */
void reader_start(struct record_reader *reader, int fd, uint64_t end);
/* A damaged record is skipped (and counted) if the one behind it is whole. */
enum record_result reader_next(struct record_reader *reader);

#endif
