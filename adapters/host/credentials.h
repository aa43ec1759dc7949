/* credentials.h - who may send over HTTP: names, and the SHA-256 of the token of each. A file of lines
 *
 *     home-care-tablet-7 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
 *
 * Empty lines and lines that begin with '#' are left out. A name may have several tokens, so that one can be replaced
 * without a gap. Tokens are 256 random bits, so a plain hash of them gives nothing away. One thread at a time. */
#ifndef CAREHUB_CREDENTIALS_H
#define CAREHUB_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CREDENTIALS_MAX = 4096,
    CREDENTIALS_FILE_MAX_BYTES = 1 << 20,
    CREDENTIALS_NAME_BYTES = 64,  /* with its zero; letters, digits, '.', '_' and '-' */
    CREDENTIALS_TOKEN_BYTES = 44, /* 43 letters, digits, '-' and '_', and a zero */
    CREDENTIALS_RECHECK_MS = 1000,
};

struct credentials;

/* Reads a file, which must not be open to others (mode 0600 or 0640). NULL with `error`, which names file and line. */
struct credentials *credentials_new(const char *path, char *error, size_t error_size);
void credentials_destroy(struct credentials **self);

/* Reads the file again if it has changed; looks at most once in CREDENTIALS_RECHECK_MS. now_ms is of any clock that
 * only goes forward. False with `error` for one that cannot be used: then what was read before stays in force. */
bool credentials_refresh(struct credentials *self, uint64_t now_ms, char *error, size_t error_size);

/* Whose an Authorization header is: "Bearer TOKEN", or "Basic" with name and token as user and password. False:
 * nobody's (or `header` is NULL). Takes the same time for any token. */
bool credentials_check(const struct credentials *self, const char *header, char name[CREDENTIALS_NAME_BYTES]);

/* Makes a token for a name and adds it to the file, which is made if it is not there. What is in the file stays. False
 * with `error`. */
bool credentials_add(const char *path, const char *name, char token[CREDENTIALS_TOKEN_BYTES], char *error,
                     size_t error_size);

#endif
