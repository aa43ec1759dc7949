/* vault.h - the hub's keys, and sealing what is written to disk.
 *
 * Everything at rest is XChaCha20-Poly1305: its tag is the MAC that is checked on every read. The keys are random, and
 * none of them is in the database: they are in the keyring (keyring.h), a small file that the master key seals, so that
 * the master key can be replaced without touching a row:
 *
 *     master key   seals  the keyring: log, state, index and digest keys, the signing key, and the epoch keys
 *     epoch keys   wrap   one key for each data subject, which seals whatever names that person
 *
 * A new epoch's key wraps all subjects' keys anew, a few at a time; once an epoch's key is destroyed, no copy of the
 * database from that time opens any more.
 *
 * A sealed row is nonce (24 bytes), ciphertext, tag (16). What a row is and where it stands goes in as associated data,
 * so that a row that was moved or swapped does not open. Core thread only. */
#ifndef CAREHUB_VAULT_H
#define CAREHUB_VAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    VAULT_KEY_BYTES = 32,
    VAULT_OVERHEAD_BYTES = 40,
    VAULT_WRAPPED_BYTES = VAULT_KEY_BYTES + VAULT_OVERHEAD_BYTES,
    DIGEST_BYTES = 16,
    SALT_BYTES = 32,
    CONTENT_BYTES = 32,
    LEAF_BYTES = 32
};

/* The hub's own keys, in the order in which they are stored. */
enum vault_key {
    VAULT_LOG = 1,    /* entries */
    VAULT_STATE = 2,  /* state rows */
    VAULT_INDEX = 3,  /* keyed hash of persons' identifiers */
    VAULT_DIGEST = 4, /* keyed digest of events and facts, to recognise repeats */
    VAULT_KEYS
};

enum {
    VAULT_EPOCHS_MAX = 256,
    VAULT_SIGNATURE_BYTES = 64, /* Ed25519 */
    VAULT_KEYRING_MAX_BYTES = 8 + VAULT_KEYS * VAULT_KEY_BYTES + VAULT_EPOCHS_MAX * (12 + VAULT_KEY_BYTES)
};

struct vault_epoch {
    uint32_t number;    /* from 1 on; never used again */
    int64_t created_ms; /* 0: with the hub */
    uint8_t key[VAULT_KEY_BYTES];
};

struct vault;

struct vault *vault_new(const uint8_t master_key[VAULT_KEY_BYTES]);
void vault_destroy(struct vault **vault);

/* Fresh keys, and the first epoch. */
void vault_make(struct vault *vault);
/* The keys (without the master key) as bytes in the clear, and back; for the keyring alone. `out` holds
 * VAULT_KEYRING_MAX_BYTES. False: this is no keyring's content. */
size_t vault_pack(const struct vault *vault, uint8_t *out);
bool vault_unpack(struct vault *vault, const uint8_t *packed, size_t size);
const uint8_t *vault_master(const struct vault *vault);
void vault_master_replace(struct vault *vault, const uint8_t master_key[VAULT_KEY_BYTES]);
/* Takes a key that a database of schema 3 or older held itself; which = VAULT_KEYS: that of the one epoch it had.
 * False: it does not open with this master key. */
bool vault_adopt(struct vault *vault, int which, const uint8_t wrapped[VAULT_WRAPPED_BYTES]);

/* Epochs, the oldest first; the last one is the current one. vault_epoch_key: NULL if it was destroyed, or never was.
 */
const struct vault_epoch *vault_epochs(const struct vault *vault, size_t *n);
uint32_t vault_epoch_current(const struct vault *vault);
const uint8_t *vault_epoch_key(const struct vault *vault, uint32_t number);
/* The new one's number; 0: there are VAULT_EPOCHS_MAX already. */
uint32_t vault_epoch_add(struct vault *vault, int64_t now_ms);
void vault_epoch_remove(struct vault *vault, uint32_t number);

/* A subject's key, wrapped by the key of the current epoch; opened with that of the epoch that it names. */
void vault_subject_create(struct vault *vault, uint64_t subject, uint8_t key[VAULT_KEY_BYTES],
                          uint8_t wrapped[VAULT_WRAPPED_BYTES]);
void vault_subject_wrap(struct vault *vault, uint64_t subject, const uint8_t key[VAULT_KEY_BYTES],
                        uint8_t wrapped[VAULT_WRAPPED_BYTES]);
bool vault_subject_load(const struct vault *vault, uint64_t subject, uint32_t epoch,
                        const uint8_t wrapped[VAULT_WRAPPED_BYTES], uint8_t key[VAULT_KEY_BYTES]);

/* Signs checkpoints of the log (Ed25519, RFC 8032). */
void vault_sign_public(const struct vault *vault, uint8_t public_key[VAULT_KEY_BYTES]);
void vault_sign(const struct vault *vault, const void *message, size_t size, uint8_t signature[VAULT_SIGNATURE_BYTES]);

const uint8_t *vault_key(const struct vault *vault, enum vault_key which);

/* Seals `size` bytes into `out` (size + VAULT_OVERHEAD_BYTES). */
void vault_seal(struct vault *vault, const uint8_t key[VAULT_KEY_BYTES], const void *ad, size_t ad_size,
                const void *plain, size_t size, uint8_t *out);
/* Opens into `out` (size - VAULT_OVERHEAD_BYTES). False: damaged, altered, or not where it belongs. */
bool vault_open(const uint8_t key[VAULT_KEY_BYTES], const void *ad, size_t ad_size, const uint8_t *sealed, size_t size,
                uint8_t *out);

void vault_random(struct vault *vault, void *bytes, size_t size);

/* Keyed 16-byte digests. */
void vault_digest(const struct vault *vault, const void *bytes, size_t size, uint8_t digest[DIGEST_BYTES]);
void vault_identifier_hash(const struct vault *vault, const char *system, const char *value,
                           uint8_t hash[DIGEST_BYTES]);
/* The proof that an identifier, by its hash, leads to this person. */
void vault_identifier_mac(const struct vault *vault, const uint8_t hash[DIGEST_BYTES], uint64_t subject,
                          uint8_t mac[DIGEST_BYTES]);

/* What the leaf of an entry commits to, in two steps, so that an entry can still be proved when its payload is gone:
 *
 *     content = SHA-256(payload salt || payload); 32 zero bytes if there never was a payload
 *     leaf    = SHA-256(salt || length of the entry (8 bytes, little-endian) || entry || content)
 *
 * Both salts are random, and neither says anything of the other. The leaf commits to the plaintext and says nothing
 * without the salt, which is erased with the entry. The Merkle tree's leaf hash (RFC 6962: SHA-256 over 0x00 and this)
 * is derived from it. */
void vault_content(struct vault *vault, const uint8_t salt[SALT_BYTES], const void *payload, size_t size,
                   uint8_t content[CONTENT_BYTES]);
void vault_leaf(struct vault *vault, const uint8_t salt[SALT_BYTES], const void *entry, size_t entry_size,
                const uint8_t content[CONTENT_BYTES], uint8_t leaf[LEAF_BYTES]);

#endif
