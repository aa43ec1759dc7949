#include "vault.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <sodium.h>

static_assert(VAULT_OVERHEAD_BYTES ==
                  crypto_aead_xchacha20poly1305_ietf_NPUBBYTES + crypto_aead_xchacha20poly1305_ietf_ABYTES,
              "nonce and tag");

static_assert(VAULT_SIGNATURE_BYTES == crypto_sign_BYTES && VAULT_KEY_BYTES == crypto_sign_PUBLICKEYBYTES &&
                  VAULT_KEY_BYTES == crypto_sign_SEEDBYTES,
              "Ed25519");

enum { NONCE_BYTES = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, POOL_BYTES = 4096 };

/* In locked memory. */
struct secrets {
    uint8_t keys[VAULT_KEYS][VAULT_KEY_BYTES]; /* the master key at 0, then by enum vault_key */
    uint8_t seed[crypto_sign_SEEDBYTES];       /* of the signing key */
    uint8_t sign_public[crypto_sign_PUBLICKEYBYTES], sign_secret[crypto_sign_SECRETKEYBYTES];
    size_t n_epochs;
    struct vault_epoch epochs[VAULT_EPOCHS_MAX];
};

struct vault {
    struct secrets *secrets;
    uint8_t pool[POOL_BYTES]; /* random bytes, drawn ahead: a system call for each nonce would cost more
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
    vault->secrets = sodium_malloc(sizeof *vault->secrets);
    vault->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    vault->sha256_context = EVP_MD_CTX_new();
    if (!vault->secrets || !vault->sha256 || !vault->sha256_context)
        abort();
    sodium_memzero(vault->secrets, sizeof *vault->secrets);
    memcpy(vault->secrets->keys[0], master_key, VAULT_KEY_BYTES);
    return vault;
}

void vault_destroy(struct vault **vault)
{
    if (!*vault)
        return;
    sodium_free((*vault)->secrets);
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

void vault_subject_create(struct vault *vault, uint64_t subject, uint8_t key[VAULT_KEY_BYTES],
                          uint8_t wrapped[VAULT_WRAPPED_BYTES])
{
    randombytes_buf(key, VAULT_KEY_BYTES);
    vault_subject_wrap(vault, subject, key, wrapped);
}

void vault_subject_wrap(struct vault *vault, uint64_t subject, const uint8_t key[VAULT_KEY_BYTES],
                        uint8_t wrapped[VAULT_WRAPPED_BYTES])
{
    const struct secrets *secrets = vault->secrets;
    assert(secrets->n_epochs > 0);
    wrap(vault, secrets->epochs[secrets->n_epochs - 1].key, "subject", subject, key, wrapped);
}

bool vault_subject_load(const struct vault *vault, uint64_t subject, uint32_t epoch,
                        const uint8_t wrapped[VAULT_WRAPPED_BYTES], uint8_t key[VAULT_KEY_BYTES])
{
    const uint8_t *by = vault_epoch_key(vault, epoch);
    return by && unwrap(by, "subject", subject, wrapped, key);
}

/* ---- The keys themselves ---------------------------------------------------------------------------------------- */

static void derive_signing_key(struct secrets *secrets)
{
    crypto_sign_seed_keypair(secrets->sign_public, secrets->sign_secret, secrets->seed);
}

void vault_make(struct vault *vault)
{
    struct secrets *secrets = vault->secrets;
    randombytes_buf(secrets->keys[1], (VAULT_KEYS - 1) * VAULT_KEY_BYTES);
    randombytes_buf(secrets->seed, sizeof secrets->seed);
    derive_signing_key(secrets);
    secrets->n_epochs = 0;
    vault_epoch_add(vault, 0);
}

bool vault_adopt(struct vault *vault, int which, const uint8_t wrapped[VAULT_WRAPPED_BYTES])
{
    struct secrets *secrets = vault->secrets;
    uint8_t *key = which == VAULT_KEYS ? secrets->epochs[0].key : secrets->keys[which];
    return unwrap(secrets->keys[0], "hub-key", (uint64_t)which, wrapped, key);
}

const uint8_t *vault_master(const struct vault *vault)
{
    return vault->secrets->keys[0];
}

void vault_master_replace(struct vault *vault, const uint8_t master_key[VAULT_KEY_BYTES])
{
    memcpy(vault->secrets->keys[0], master_key, VAULT_KEY_BYTES);
}

static uint8_t *put_number(uint8_t *at, uint64_t number, int bytes)
{
    for (int i = 0; i < bytes; i++)
        at[i] = (uint8_t)(number >> (8 * i));
    return at + bytes;
}

static uint64_t take_number(const uint8_t **at, int bytes)
{
    uint64_t number = 0;
    for (int i = 0; i < bytes; i++)
        number |= (uint64_t)(*at)[i] << (8 * i);
    *at += bytes;
    return number;
}

/* The four hub keys, the seed, the number of epochs (4 bytes), then number (4), time (8) and key of each; numbers are
 * little-endian. */
enum { PACKED_HUB_BYTES = VAULT_KEYS * VAULT_KEY_BYTES + 4, PACKED_EPOCH_BYTES = 4 + 8 + VAULT_KEY_BYTES };

size_t vault_pack(const struct vault *vault, uint8_t *out)
{
    const struct secrets *secrets = vault->secrets;
    uint8_t *at = out;
    memcpy(at, secrets->keys[1], (VAULT_KEYS - 1) * VAULT_KEY_BYTES);
    at += (VAULT_KEYS - 1) * VAULT_KEY_BYTES;
    memcpy(at, secrets->seed, sizeof secrets->seed);
    at = put_number(at + sizeof secrets->seed, secrets->n_epochs, 4);
    for (size_t i = 0; i < secrets->n_epochs; i++) {
        at = put_number(at, secrets->epochs[i].number, 4);
        at = put_number(at, (uint64_t)secrets->epochs[i].created_ms, 8);
        memcpy(at, secrets->epochs[i].key, VAULT_KEY_BYTES);
        at += VAULT_KEY_BYTES;
    }
    return (size_t)(at - out);
}

bool vault_unpack(struct vault *vault, const uint8_t *packed, size_t size)
{
    struct secrets *secrets = vault->secrets;
    const uint8_t *at = packed + PACKED_HUB_BYTES - 4;
    if (size < PACKED_HUB_BYTES)
        return false;
    uint64_t n = take_number(&at, 4);
    if (n == 0 || n > VAULT_EPOCHS_MAX || size != PACKED_HUB_BYTES + n * PACKED_EPOCH_BYTES)
        return false;
    memcpy(secrets->keys[1], packed, (VAULT_KEYS - 1) * VAULT_KEY_BYTES);
    memcpy(secrets->seed, packed + (VAULT_KEYS - 1) * VAULT_KEY_BYTES, sizeof secrets->seed);
    derive_signing_key(secrets);
    secrets->n_epochs = n;
    for (size_t i = 0; i < n; i++) {
        secrets->epochs[i].number = (uint32_t)take_number(&at, 4);
        secrets->epochs[i].created_ms = (int64_t)take_number(&at, 8);
        memcpy(secrets->epochs[i].key, at, VAULT_KEY_BYTES);
        at += VAULT_KEY_BYTES;
    }
    return true;
}

/* ---- Epochs ------------------------------------------------------------------------------------------------------ */

const struct vault_epoch *vault_epochs(const struct vault *vault, size_t *n)
{
    *n = vault->secrets->n_epochs;
    return vault->secrets->epochs;
}

uint32_t vault_epoch_current(const struct vault *vault)
{
    const struct secrets *secrets = vault->secrets;
    return secrets->n_epochs > 0 ? secrets->epochs[secrets->n_epochs - 1].number : 0;
}

/* Nearly always it is one of the last two. */
const uint8_t *vault_epoch_key(const struct vault *vault, uint32_t number)
{
    const struct secrets *secrets = vault->secrets;
    for (size_t i = secrets->n_epochs; i-- > 0;)
        if (secrets->epochs[i].number == number)
            return secrets->epochs[i].key;
    return NULL;
}

uint32_t vault_epoch_add(struct vault *vault, int64_t now_ms)
{
    struct secrets *secrets = vault->secrets;
    if (secrets->n_epochs == VAULT_EPOCHS_MAX)
        return 0;
    struct vault_epoch *epoch = &secrets->epochs[secrets->n_epochs];
    epoch->number = vault_epoch_current(vault) + 1;
    epoch->created_ms = now_ms;
    randombytes_buf(epoch->key, sizeof epoch->key);
    secrets->n_epochs++;
    return epoch->number;
}

void vault_epoch_remove(struct vault *vault, uint32_t number)
{
    struct secrets *secrets = vault->secrets;
    size_t at = 0;
    while (at < secrets->n_epochs && secrets->epochs[at].number != number)
        at++;
    if (at == secrets->n_epochs)
        return;
    secrets->n_epochs--;
    memmove(&secrets->epochs[at], &secrets->epochs[at + 1], (secrets->n_epochs - at) * sizeof *secrets->epochs);
    sodium_memzero(&secrets->epochs[secrets->n_epochs], sizeof *secrets->epochs);
}

/* ---- Signing ------------------------------------------------------------------------------------------------------ */

void vault_sign_public(const struct vault *vault, uint8_t public_key[VAULT_KEY_BYTES])
{
    memcpy(public_key, vault->secrets->sign_public, VAULT_KEY_BYTES);
}

void vault_sign(const struct vault *vault, const void *message, size_t size, uint8_t signature[VAULT_SIGNATURE_BYTES])
{
    crypto_sign_detached(signature, NULL, message, size, vault->secrets->sign_secret);
}

const uint8_t *vault_key(const struct vault *vault, enum vault_key which)
{
    assert(which > 0 && which < VAULT_KEYS);
    return vault->secrets->keys[which];
}

/* ---- Digests ---------------------------------------------------------------------------------------------------- */

void vault_digest(const struct vault *vault, const void *bytes, size_t size, uint8_t digest[DIGEST_BYTES])
{
    crypto_generichash(digest, DIGEST_BYTES, bytes, size, vault->secrets->keys[VAULT_DIGEST], VAULT_KEY_BYTES);
}

void vault_identifier_hash(const struct vault *vault, const char *system, const char *value, uint8_t hash[DIGEST_BYTES])
{
    crypto_generichash_state state;
    crypto_generichash_init(&state, vault->secrets->keys[VAULT_INDEX], VAULT_KEY_BYTES, DIGEST_BYTES);
    /* With their final NULs, so that no two pairs give the same bytes. */
    crypto_generichash_update(&state, (const uint8_t *)system, strlen(system) + 1);
    crypto_generichash_update(&state, (const uint8_t *)value, strlen(value) + 1);
    crypto_generichash_final(&state, hash, DIGEST_BYTES);
}

void vault_identifier_mac(const struct vault *vault, const uint8_t hash[DIGEST_BYTES], uint64_t subject,
                          uint8_t mac[DIGEST_BYTES])
{
    static const uint8_t salt[crypto_generichash_blake2b_SALTBYTES],
        personal[crypto_generichash_blake2b_PERSONALBYTES] =
            "leads to person"; /* never equal to a hash of the same key */
    uint8_t bytes[DIGEST_BYTES + 8];
    memcpy(bytes, hash, DIGEST_BYTES);
    put_number(bytes + DIGEST_BYTES, subject, 8);
    crypto_generichash_blake2b_salt_personal(mac, DIGEST_BYTES, bytes, sizeof bytes, vault->secrets->keys[VAULT_INDEX],
                                             VAULT_KEY_BYTES, salt, personal);
}

void vault_content(struct vault *vault, const uint8_t salt[SALT_BYTES], const void *payload, size_t size,
                   uint8_t content[CONTENT_BYTES])
{
    EVP_MD_CTX *context = vault->sha256_context;
    if (EVP_DigestInit_ex(context, vault->sha256, NULL) != 1 || EVP_DigestUpdate(context, salt, SALT_BYTES) != 1 ||
        EVP_DigestUpdate(context, payload, size) != 1 || EVP_DigestFinal_ex(context, content, NULL) != 1)
        abort();
}

void vault_leaf(struct vault *vault, const uint8_t salt[SALT_BYTES], const void *entry, size_t entry_size,
                const uint8_t content[CONTENT_BYTES], uint8_t leaf[LEAF_BYTES])
{
    uint8_t length[8];
    put_number(length, entry_size, sizeof length);
    EVP_MD_CTX *context = vault->sha256_context;
    if (EVP_DigestInit_ex(context, vault->sha256, NULL) != 1 || EVP_DigestUpdate(context, salt, SALT_BYTES) != 1 ||
        EVP_DigestUpdate(context, length, sizeof length) != 1 || EVP_DigestUpdate(context, entry, entry_size) != 1 ||
        EVP_DigestUpdate(context, content, CONTENT_BYTES) != 1 || EVP_DigestFinal_ex(context, leaf, NULL) != 1)
        abort();
}
