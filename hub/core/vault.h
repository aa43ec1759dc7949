/* vault.h - the hub's keys, and sealing what is written to disk.
 *
 * Everything at rest is XChaCha20-Poly1305: its tag is the MAC that is checked on every read. The keys are random; the
 * store keeps them wrapped by the master key, so that the master key can be replaced without touching a row:
 *
 *     master key  wraps  log, state, index and digest keys, and the epoch key
 *     epoch key   wraps  one key for each data subject, which seals whatever names that person
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
    LEAF_BYTES = 32
};

/* The hub's own keys, in the order in which they are stored. */
enum vault_key {
    VAULT_LOG = 1,    /* entries */
    VAULT_STATE = 2,  /* state rows */
    VAULT_INDEX = 3,  /* keyed hash of persons' identifiers */
    VAULT_DIGEST = 4, /* keyed digest of events and facts, to recognise repeats */
    VAULT_EPOCH = 5,  /* wraps the subjects' keys */
    VAULT_KEYS
};

struct vault;

struct vault *vault_new(const uint8_t master_key[VAULT_KEY_BYTES]);
void vault_destroy(struct vault **vault);

/* Makes a fresh hub key and gives it wrapped; or takes a stored one. False: it does not open with this master key. */
void vault_create(struct vault *vault, enum vault_key which, uint8_t wrapped[VAULT_WRAPPED_BYTES]);
bool vault_load(struct vault *vault, enum vault_key which, const uint8_t wrapped[VAULT_WRAPPED_BYTES]);

/* A subject's key, likewise wrapped by the epoch key. */
void vault_subject_create(struct vault *vault, uint64_t subject, uint8_t key[VAULT_KEY_BYTES],
                          uint8_t wrapped[VAULT_WRAPPED_BYTES]);
bool vault_subject_load(struct vault *vault, uint64_t subject, const uint8_t wrapped[VAULT_WRAPPED_BYTES],
                        uint8_t key[VAULT_KEY_BYTES]);

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

/* The leaf of an entry: SHA-256 over salt, length of the entry (8 bytes, little-endian), entry, payload. It commits to
 * the plaintext, and says nothing without the salt, which is erased with the payload. The Merkle tree's leaf hash
 * (RFC 6962: SHA-256 over 0x00 and this) is derived from it. */
void vault_leaf(struct vault *vault, const uint8_t salt[SALT_BYTES], const void *entry, size_t entry_size,
                const void *payload, size_t payload_size, uint8_t leaf[LEAF_BYTES]);

#endif
