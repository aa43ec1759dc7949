#include "keyring.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "directory.h"

static const char MAGIC[8] = "CHKEYS1\n";

enum {
    SALT_AT = sizeof MAGIC + 16,
    HEADER_BYTES = SALT_AT + KEYRING_SALT_BYTES,
    FILE_MAX_BYTES = HEADER_BYTES + VAULT_KEYRING_MAX_BYTES + VAULT_OVERHEAD_BYTES,
    OVERWRITE_BYTES = 4096
};

/* What a header may ask for: a forged one must not make the hub allocate all there is. */
#define KDF_MEMORY_MAX_BYTES (4ULL << 30)
#define KDF_OPERATIONS_MAX 64

static bool fail(char error[KEYRING_ERROR_BYTES], const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool fail(char error[KEYRING_ERROR_BYTES], const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error, KEYRING_ERROR_BYTES, format, args);
    va_end(args);
    return false;
}

/* ---- The header --------------------------------------------------------------------------------------------------- */

static void put_u64(uint8_t *at, uint64_t number)
{
    for (int i = 0; i < 8; i++)
        at[i] = (uint8_t)(number >> (8 * i));
}

static uint64_t take_u64(const uint8_t *at)
{
    uint64_t number = 0;
    for (int i = 0; i < 8; i++)
        number |= (uint64_t)at[i] << (8 * i);
    return number;
}

static void header_put(const struct keyring_kdf *kdf, uint8_t header[HEADER_BYTES])
{
    memcpy(header, MAGIC, sizeof MAGIC);
    put_u64(header + sizeof MAGIC, kdf->operations);
    put_u64(header + sizeof MAGIC + 8, kdf->memory_bytes);
    memcpy(header + SALT_AT, kdf->salt, KEYRING_SALT_BYTES);
}

static bool header_take(const uint8_t *header, size_t size, struct keyring_kdf *kdf)
{
    if (size < HEADER_BYTES || memcmp(header, MAGIC, sizeof MAGIC) != 0)
        return false;
    kdf->operations = take_u64(header + sizeof MAGIC);
    kdf->memory_bytes = take_u64(header + sizeof MAGIC + 8);
    memcpy(kdf->salt, header + SALT_AT, KEYRING_SALT_BYTES);
    return kdf->operations <= KDF_OPERATIONS_MAX && kdf->memory_bytes <= KDF_MEMORY_MAX_BYTES;
}

/* ---- The file ----------------------------------------------------------------------------------------------------- */

/* Reads all of it; -1 with errno. */
static ssize_t read_file(const char *path, uint8_t *bytes, size_t max)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    size_t size = 0;
    ssize_t n = fd < 0 ? -1 : 1;
    while (n > 0 && size < max) {
        n = read(fd, bytes + size, max - size);
        size += n > 0 ? (size_t)n : 0;
    }
    int why = errno;
    if (fd >= 0)
        close(fd);
    errno = why;
    return n < 0 ? -1 : (ssize_t)size;
}

static bool write_synced(const char *path, const uint8_t *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool good = fd >= 0;
    for (size_t at = 0; good && at < size;) {
        ssize_t n = write(fd, bytes + at, size - at);
        good = n > 0;
        at += good ? (size_t)n : 0;
    }
    good = good && fsync(fd) == 0;
    int why = errno;
    if (fd >= 0 && close(fd) != 0 && good) {
        why = errno;
        good = false;
    }
    errno = why;
    return good;
}

/* The file's own bytes; a file system or disk that writes elsewhere keeps the old ones for a while. */
static void overwrite(int fd)
{
    static const uint8_t zeros[OVERWRITE_BYTES];
    struct stat about;
    off_t left = fstat(fd, &about) == 0 ? about.st_size : 0;
    while (left > 0) {
        ssize_t n = write(fd, zeros, left < OVERWRITE_BYTES ? (size_t)left : OVERWRITE_BYTES);
        if (n <= 0)
            break;
        left -= n;
    }
    (void)fsync(fd);
}

static bool replace(const char *path, const uint8_t *bytes, size_t size, char *error)
{
    char beside[KEYRING_PATH_BYTES + 8];
    snprintf(beside, sizeof beside, "%s.new", path);
    if (!write_synced(beside, bytes, size)) {
        int why = errno;
        (void)unlink(beside);
        return fail(error, "cannot write %s: %s", beside, strerror(why));
    }
    int old = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    bool good = rename(beside, path) == 0 && directory_sync(path);
    int why = errno;
    if (old >= 0 && good)
        overwrite(old);
    if (old >= 0)
        close(old);
    return good ? true : fail(error, "cannot replace %s: %s", path, strerror(why));
}

/* ---- Passphrases -------------------------------------------------------------------------------------------------- */

static bool path_of(const char *database_path, char path[KEYRING_PATH_BYTES])
{
    return snprintf(path, KEYRING_PATH_BYTES, "%s.keyring", database_path) < KEYRING_PATH_BYTES;
}

void keyring_kdf_choose(struct keyring_kdf *kdf)
{
    kdf->operations = crypto_pwhash_OPSLIMIT_MODERATE;
    kdf->memory_bytes = crypto_pwhash_MEMLIMIT_MODERATE;
    randombytes_buf(kdf->salt, sizeof kdf->salt);
}

enum keyring_result keyring_kdf_read(const char *database_path, struct keyring_kdf *kdf,
                                     char error[KEYRING_ERROR_BYTES])
{
    char path[KEYRING_PATH_BYTES];
    uint8_t header[HEADER_BYTES];
    if (!path_of(database_path, path)) {
        fail(error, "the path of the database is too long");
        return KEYRING_BAD;
    }
    ssize_t size = read_file(path, header, sizeof header);
    if (size < 0 && errno == ENOENT) {
        keyring_kdf_choose(kdf);
        return KEYRING_MISSING;
    }
    if (size < 0 || !header_take(header, (size_t)size, kdf) || kdf->operations == 0) {
        fail(error, "%s %s", path,
             size < 0 ? strerror(errno) : "was not made with a passphrase, or is damaged: use the master key's file");
        return KEYRING_BAD;
    }
    return KEYRING_OK;
}

bool keyring_kdf_derive(const struct keyring_kdf *kdf, const char *passphrase, uint8_t key[VAULT_KEY_BYTES])
{
    static_assert(KEYRING_SALT_BYTES == crypto_pwhash_SALTBYTES, "argon2id's salt");
    return crypto_pwhash(key, VAULT_KEY_BYTES, passphrase, strlen(passphrase), kdf->salt, kdf->operations,
                         (size_t)kdf->memory_bytes, crypto_pwhash_ALG_ARGON2ID13) == 0;
}

/* ---- The keyring -------------------------------------------------------------------------------------------------- */

bool keyring_init(struct keyring *keyring, const char *database_path, const struct keyring_kdf *kdf,
                  struct vault *vault)
{
    *keyring = (struct keyring){.vault = vault};
    if (kdf)
        keyring->kdf = *kdf;
    return path_of(database_path, keyring->path);
}

enum keyring_result keyring_load(struct keyring *keyring, char error[KEYRING_ERROR_BYTES])
{
    uint8_t *bytes = sodium_malloc(FILE_MAX_BYTES), *plain = sodium_malloc(VAULT_KEYRING_MAX_BYTES);
    struct keyring_kdf kdf;
    enum keyring_result result = KEYRING_BAD;
    ssize_t size = bytes && plain ? read_file(keyring->path, bytes, FILE_MAX_BYTES) : -1;
    if (!bytes || !plain)
        fail(error, "no locked memory for the keys");
    else if (size < 0 && errno == ENOENT)
        result = KEYRING_MISSING;
    else if (size < 0)
        fail(error, "cannot read %s: %s", keyring->path, strerror(errno));
    else if (!header_take(bytes, (size_t)size, &kdf) || size < HEADER_BYTES + VAULT_OVERHEAD_BYTES)
        fail(error, "%s is not a keyring, or is damaged. Put back the copy that you keep with the master key",
             keyring->path);
    else if (!vault_open(vault_master(keyring->vault), bytes, HEADER_BYTES, bytes + HEADER_BYTES,
                         (size_t)size - HEADER_BYTES, plain) ||
             !vault_unpack(keyring->vault, plain, (size_t)size - HEADER_BYTES - VAULT_OVERHEAD_BYTES))
        fail(error,
             "the master key does not open %s. Start with the master key that it was made with, or the one "
             "that it was changed to",
             keyring->path);
    else
        result = KEYRING_OK;
    if (result == KEYRING_OK)
        keyring->kdf = kdf;
    sodium_free(bytes);
    sodium_free(plain);
    return result;
}

bool keyring_write(const struct keyring *keyring, char error[KEYRING_ERROR_BYTES])
{
    uint8_t *plain = sodium_malloc(VAULT_KEYRING_MAX_BYTES), *bytes = sodium_malloc(FILE_MAX_BYTES);
    bool good = plain && bytes;
    if (good) {
        size_t size = vault_pack(keyring->vault, plain);
        header_put(&keyring->kdf, bytes);
        vault_seal(keyring->vault, vault_master(keyring->vault), bytes, HEADER_BYTES, plain, size,
                   bytes + HEADER_BYTES);
        good = replace(keyring->path, bytes, HEADER_BYTES + size + VAULT_OVERHEAD_BYTES, error);
    } else {
        fail(error, "no locked memory for the keys");
    }
    sodium_free(plain);
    sodium_free(bytes);
    return good;
}

bool keyring_epoch_add(struct keyring *keyring, int64_t now_ms, char error[KEYRING_ERROR_BYTES])
{
    uint32_t number = vault_epoch_add(keyring->vault, now_ms);
    if (number == 0)
        return fail(error, "there are %d epochs; destroy old ones first", VAULT_EPOCHS_MAX);
    if (keyring_write(keyring, error))
        return true;
    vault_epoch_remove(keyring->vault, number);
    return false;
}

/* What cannot be written is not destroyed either: the old file still holds it, and after a start it would be back. */
bool keyring_epoch_destroy(struct keyring *keyring, uint32_t number, char error[KEYRING_ERROR_BYTES])
{
    uint8_t *before = sodium_malloc(VAULT_KEYRING_MAX_BYTES);
    if (!before)
        return fail(error, "no locked memory for the keys");
    size_t size = vault_pack(keyring->vault, before);
    vault_epoch_remove(keyring->vault, number);
    bool good = keyring_write(keyring, error);
    if (!good)
        vault_unpack(keyring->vault, before, size);
    sodium_free(before);
    return good;
}

bool keyring_master_replace(struct keyring *keyring, const uint8_t master_key[VAULT_KEY_BYTES],
                            const struct keyring_kdf *kdf, char error[KEYRING_ERROR_BYTES])
{
    uint8_t before[VAULT_KEY_BYTES];
    struct keyring_kdf kdf_before = keyring->kdf;
    memcpy(before, vault_master(keyring->vault), sizeof before);
    vault_master_replace(keyring->vault, master_key);
    keyring->kdf = *kdf;
    bool good = keyring_write(keyring, error);
    if (!good) {
        vault_master_replace(keyring->vault, before);
        keyring->kdf = kdf_before;
    }
    sodium_memzero(before, sizeof before);
    return good;
}
