/* seal.h - the journal's cryptography: one random key in a file, from it one for sealing and one for names. */
#ifndef CAREHUB_SEAL_H
#define CAREHUB_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SEAL_OVERHEAD_BYTES = 24 + 16, SEAL_NAME_BYTES = 32 };

struct seal;

/* Reads the key file; with `make` it is made when it is not there. `path` NULL: a key for this process only. NULL with
 * `error` set, which names the file. */
struct seal *seal_new(const char *path, bool make, char *error, size_t error_size);
void seal_destroy(struct seal **self);

/* Seals size bytes into out (size + SEAL_OVERHEAD_BYTES), bound to what and name. */
void seal_put(const struct seal *self, const char *what, const uint8_t name[SEAL_NAME_BYTES], const void *plain,
              size_t size, uint8_t *out);
/* Opens into out (size - SEAL_OVERHEAD_BYTES). False: damaged, altered, or not where it belongs. */
bool seal_get(const struct seal *self, const char *what, const uint8_t name[SEAL_NAME_BYTES], const uint8_t *sealed,
              size_t size, uint8_t *out);

/* A keyed hash, to find things by what must not be stored. */
void seal_name(const struct seal *self, const void *bytes, size_t size, uint8_t name[SEAL_NAME_BYTES]);

#endif
