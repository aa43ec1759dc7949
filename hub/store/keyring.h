/* keyring.h - the file that holds the hub's keys: `<database>.keyring`, beside the database, never in it, so that a
 * copy of the database alone opens nothing.
 *
 *     bytes 0 to 7    "CHKEYS1\n"
 *     8 to 15         operations of argon2id, little-endian; 0: the master key is a key, not a passphrase
 *     16 to 23        memory of argon2id, in bytes
 *     24 to 39        salt of argon2id
 *     40 on           the keys (vault_pack), sealed with the master key; the 40 bytes are the associated data
 *
 * It is replaced whole: the new one is written beside it and synced, renamed over it, and the directory synced. Then
 * the bytes of the old one are overwritten, as far as the file system lets one do that. A crash leaves the old or the
 * new one. Mode 0600. Core thread only (keyring_kdf_read: before it runs). */
#ifndef CAREHUB_KEYRING_H
#define CAREHUB_KEYRING_H

#include <stdbool.h>
#include <stdint.h>

#include "vault.h"

enum { KEYRING_PATH_BYTES = 4096, KEYRING_ERROR_BYTES = 512, KEYRING_SALT_BYTES = 16 };

/* How a passphrase becomes the master key (argon2id 1.3, RFC 9106). operations 0: it does not. */
struct keyring_kdf {
    uint64_t operations, memory_bytes;
    uint8_t salt[KEYRING_SALT_BYTES];
};

struct keyring {
    char path[KEYRING_PATH_BYTES];
    struct vault *vault;
    struct keyring_kdf kdf;
};

enum keyring_result { KEYRING_OK, KEYRING_MISSING, KEYRING_BAD };

/* Chooses how a passphrase becomes a key from now on, with a fresh salt. */
void keyring_kdf_choose(struct keyring_kdf *kdf);
/* Reads how the passphrase of a database's keyring becomes its key; no keyring yet: chooses it (KEYRING_MISSING). */
enum keyring_result keyring_kdf_read(const char *database_path, struct keyring_kdf *kdf,
                                     char error[KEYRING_ERROR_BYTES]);
/* False: not enough memory. */
bool keyring_kdf_derive(const struct keyring_kdf *kdf, const char *passphrase, uint8_t key[VAULT_KEY_BYTES]);

/* The keyring of a database; nothing is read yet. kdf NULL: the master key is a key. False: the path is too long. */
bool keyring_init(struct keyring *keyring, const char *database_path, const struct keyring_kdf *kdf,
                  struct vault *vault);
/* Opens it with the vault's master key, into the vault. BAD: another master key, or damaged; says so. */
enum keyring_result keyring_load(struct keyring *keyring, char error[KEYRING_ERROR_BYTES]);
/* Replaces the file by what is in the vault. False with a reason: the old one still stands. */
bool keyring_write(const struct keyring *keyring, char error[KEYRING_ERROR_BYTES]);

/* These change the vault and the file, or neither. */
bool keyring_epoch_add(struct keyring *keyring, int64_t now_ms, char error[KEYRING_ERROR_BYTES]);
bool keyring_epoch_destroy(struct keyring *keyring, uint32_t number, char error[KEYRING_ERROR_BYTES]);
bool keyring_master_replace(struct keyring *keyring, const uint8_t master_key[VAULT_KEY_BYTES],
                            const struct keyring_kdf *kdf, char error[KEYRING_ERROR_BYTES]);

#endif
