#include "vault.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <sodium.h>

static_assert(VAULT_OVERHEAD_BYTES ==
                  crypto_aead_xchacha20poly1305_ietf_NPUBBYTES + crypto_aead_xchacha20poly1305_ietf_ABYTES,
              "nonce and tag");

enum { NONCE_BYTES = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, POOL_BYTES = 4096 };

struct vault {
    uint8_t (*keys)[VAULT_KEY_BYTES]; /* locked memory: the master key at 0, then by enum vault_key */
    uint8_t pool[POOL_BYTES];         /* random bytes, drawn ahead: a system call for each nonce would cost more
                                         than the sealing */
    size_t pool_left;
    EVP_MD *sha256;
    EVP_MD_CTX *sha256_context;
};

struct vault *vault_new(const uint8_t master_key[VAULT_KEY_BYTES])
{
    if (sodium_init() < 0)
        abort();
    struct vault *vault = calloc(1, sizeof *vault);
    if (!vault)
        abort();
    vault->keys = sodium_allocarray(VAULT_KEYS, VAULT_KEY_BYTES);
    vault->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    vault->sha256_context = EVP_MD_CTX_new();
    if (!vault->keys || !vault->sha256 || !vault->sha256_context)
        abort();
    memcpy(vault->keys[0], master_key, VAULT_KEY_BYTES);
    return vault;
}

void vault_destroy(struct vault **vault)
{
    if (!*vault)
        return;
    sodium_free((*vault)->keys);
    EVP_MD_CTX_free((*vault)->sha256_context);
    EVP_MD_free((*vault)->sha256);
    sodium_memzero(*vault, sizeof **vault);
    free(*vault);
    *vault = NULL;
}

void vault_random(struct vault *vault, void *bytes, size_t size)
{
    if (size > POOL_BYTES) {
        randombytes_buf(bytes, size);
        return;
    }
    if (vault->pool_left < size) {
        randombytes_buf(vault->pool, POOL_BYTES);
        vault->pool_left = POOL_BYTES;
    }
    vault->pool_left -= size;
    memcpy(bytes, vault->pool + vault->pool_left, size);
    sodium_memzero(vault->pool + vault->pool_left, size);
}

void vault_seal(struct vault *vault, const uint8_t key[VAULT_KEY_BYTES], const void *ad, size_t ad_size,
                const void *plain, size_t size, uint8_t *out)
{
    vault_random(vault, out, NONCE_BYTES);
    crypto_aead_xchacha20poly1305_ietf_encrypt(out + NONCE_BYTES, NULL, plain, size, ad, ad_size, NULL, out, key);
}

bool vault_open(const uint8_t key[VAULT_KEY_BYTES], const void *ad, size_t ad_size, const uint8_t *sealed, size_t size,
                uint8_t *out)
{
    if (size < VAULT_OVERHEAD_BYTES)
        return false;
    return crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, sealed + NONCE_BYTES, size - NONCE_BYTES, ad,
                                                      ad_size, sealed, key) == 0;
}

/* ---- Wrapping --------------------------------------------------------------------------------------------------- */

struct wrap_ad {
    char what[8];
    uint64_t number;
};

static void wrap(struct vault *vault, const uint8_t *by, const char what[8], uint64_t number, const uint8_t *key,
                 uint8_t *wrapped)
{
    struct wrap_ad ad = {.number = number};
    memcpy(ad.what, what, sizeof ad.what);
    vault_seal(vault, by, &ad, sizeof ad, key, VAULT_KEY_BYTES, wrapped);
}

static bool unwrap(const uint8_t *by, const char what[8], uint64_t number, const uint8_t *wrapped, uint8_t *key)
{
    struct wrap_ad ad = {.number = number};
    memcpy(ad.what, what, sizeof ad.what);
    return vault_open(by, &ad, sizeof ad, wrapped, VAULT_WRAPPED_BYTES, key);
}

void vault_create(struct vault *vault, enum vault_key which, uint8_t wrapped[VAULT_WRAPPED_BYTES])
{
    randombytes_buf(vault->keys[which], VAULT_KEY_BYTES);
    wrap(vault, vault->keys[0], "hub-key", which, vault->keys[which], wrapped);
}

bool vault_load(struct vault *vault, enum vault_key which, const uint8_t wrapped[VAULT_WRAPPED_BYTES])
{
    return unwrap(vault->keys[0], "hub-key", which, wrapped, vault->keys[which]);
}

void vault_subject_create(struct vault *vault, uint64_t subject, uint8_t key[VAULT_KEY_BYTES],
                          uint8_t wrapped[VAULT_WRAPPED_BYTES])
{
    randombytes_buf(key, VAULT_KEY_BYTES);
    wrap(vault, vault->keys[VAULT_EPOCH], "subject", subject, key, wrapped);
}

bool vault_subject_load(struct vault *vault, uint64_t subject, const uint8_t wrapped[VAULT_WRAPPED_BYTES],
                        uint8_t key[VAULT_KEY_BYTES])
{
    return unwrap(vault->keys[VAULT_EPOCH], "subject", subject, wrapped, key);
}

const uint8_t *vault_key(const struct vault *vault, enum vault_key which)
{
    assert(which > 0 && which < VAULT_KEYS);
    return vault->keys[which];
}

/* ---- Digests ---------------------------------------------------------------------------------------------------- */

void vault_digest(const struct vault *vault, const void *bytes, size_t size, uint8_t digest[DIGEST_BYTES])
{
    crypto_generichash(digest, DIGEST_BYTES, bytes, size, vault->keys[VAULT_DIGEST], VAULT_KEY_BYTES);
}

void vault_identifier_hash(const struct vault *vault, const char *system, const char *value, uint8_t hash[DIGEST_BYTES])
{
    crypto_generichash_state state;
    crypto_generichash_init(&state, vault->keys[VAULT_INDEX], VAULT_KEY_BYTES, DIGEST_BYTES);
    /* With their final NULs, so that no two pairs give the same bytes. */
    crypto_generichash_update(&state, (const uint8_t *)system, strlen(system) + 1);
    crypto_generichash_update(&state, (const uint8_t *)value, strlen(value) + 1);
    crypto_generichash_final(&state, hash, DIGEST_BYTES);
}

void vault_leaf(struct vault *vault, const uint8_t salt[SALT_BYTES], const void *entry, size_t entry_size,
                const void *payload, size_t payload_size, uint8_t leaf[LEAF_BYTES])
{
    uint8_t length[8];
    for (int i = 0; i < 8; i++)
        length[i] = (uint8_t)((uint64_t)entry_size >> (8 * i));
    EVP_MD_CTX *context = vault->sha256_context;
    if (EVP_DigestInit_ex(context, vault->sha256, NULL) != 1 || EVP_DigestUpdate(context, salt, SALT_BYTES) != 1 ||
        EVP_DigestUpdate(context, length, sizeof length) != 1 || EVP_DigestUpdate(context, entry, entry_size) != 1 ||
        EVP_DigestUpdate(context, payload, payload_size) != 1 || EVP_DigestFinal_ex(context, leaf, NULL) != 1)
        abort();
}
