/* backup_file.h - the form of a backup: a copy of the database, sealed.
 *
 *     carehub backup 1                  a header of lines that people can read, ended by an empty one
 *     hub my-region
 *     id 6f1c…                          16 random bytes of this backup, in hex
 *     epoch 3                           whose key seals it; when that key has been destroyed, nobody can open it any
 * more place 123456                      the last entry of the log that is in it taken 1795300000000 when, in ms since
 * 1970
 *
 *     chunk, chunk, …                   each the next BACKUP_CHUNK_BYTES of the database, sealed (vault.h); the last
 * one may be shorter
 *
 * A chunk is sealed with a key that is derived from the epoch's for this backup alone, and bound to the header, to its
 * place in the file, and to whether it is the last: a file that was cut short, put together from two, or altered in any
 * byte is refused. */
#ifndef CAREHUB_BACKUP_FILE_H
#define CAREHUB_BACKUP_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hub_limits.h"
#include "store/vault.h"

enum {
    BACKUP_CHUNK_BYTES = 256 << 10,
    BACKUP_SEALED_CHUNK_BYTES = BACKUP_CHUNK_BYTES + VAULT_OVERHEAD_BYTES,
    BACKUP_HEADER_MAX_BYTES = 512,
    BACKUP_ID_BYTES = 16,
};

struct backup_header {
    char hub[NAME_MAX_BYTES + 1];
    uint8_t id[BACKUP_ID_BYTES];
    uint32_t epoch;
    uint64_t place;
    int64_t taken_ms;
};

/* Returns its size. */
size_t backup_header_write(const struct backup_header *header, char text[BACKUP_HEADER_MAX_BYTES]);

/* Reads the header that `text` begins with, and returns its size; 0: it is none. */
size_t backup_header_read(const char *text, size_t size, struct backup_header *header);

/* What seals one backup's chunks. Holds a key: wipe it when it is done with. */
struct backup_seal {
    uint8_t key[VAULT_KEY_BYTES];
    uint8_t header_hash[32];
};

void backup_seal_init(struct backup_seal *seal, const uint8_t epoch_key[VAULT_KEY_BYTES],
                      const struct backup_header *header);

/* Seals the chunk with that index (from 0) into `out` (size + VAULT_OVERHEAD_BYTES). */
void backup_chunk_seal(const struct backup_seal *seal, struct vault *vault, uint64_t index, bool last,
                       const void *plain, size_t size, uint8_t *out);

/* Opens it into `out` (size - VAULT_OVERHEAD_BYTES). False: not this backup's, not in this place, cut short, altered.
 */
bool backup_chunk_open(const struct backup_seal *seal, uint64_t index, bool last, const uint8_t *sealed, size_t size,
                       uint8_t *out);

#endif
