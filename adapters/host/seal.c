#include "seal.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEY_BYTES = 32, WHAT_BYTES = 16, AD_BYTES = WHAT_BYTES + SEAL_NAME_BYTES };

_Static_assert(SEAL_OVERHEAD_BYTES ==
                   crypto_aead_xchacha20poly1305_ietf_NPUBBYTES + crypto_aead_xchacha20poly1305_ietf_ABYTES,
               "nonce and tag");

struct seal {
    uint8_t sealing[KEY_BYTES], naming[KEY_BYTES]; /* derived from the key in the file */
};

/* ---- The key file: 64 hexadecimal digits, 0600 ------------------------------------------------------------------ */

static bool write_all(int fd, const char *text, size_t len)
{
    return write(fd, text, len) == (ssize_t)len && fsync(fd) == 0;
}

static void sync_directory(const char *path)
{
    char dir[4096];
    snprintf(dir, sizeof dir, "%s", path);
    char *slash = strrchr(dir, '/');
    if (slash)
        slash[1] = '\0';
    int fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
}

/* Whole or not at all: a key that was lost half-way would make a journal that nobody can read. */
static bool make_key(const char *path, uint8_t key[KEY_BYTES], char *error, size_t error_size)
{
    char text[2 * KEY_BYTES + 2], temporary[4096];
    randombytes_buf(key, KEY_BYTES);
    sodium_bin2hex(text, sizeof text, key, KEY_BYTES);
    text[2 * KEY_BYTES] = '\n';
    snprintf(temporary, sizeof temporary, "%s.new", path);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool ok = fd >= 0 && write_all(fd, text, 2 * KEY_BYTES + 1);
    if (fd >= 0)
        close(fd);
    ok = ok && rename(temporary, path) == 0;
    if (ok)
        sync_directory(path);
    else
        snprintf(error, error_size, "cannot make %s: %s", path, strerror(errno));
    sodium_memzero(text, sizeof text);
    return ok;
}

static bool read_key(int fd, const char *path, uint8_t key[KEY_BYTES], char *error, size_t error_size)
{
    char text[2 * KEY_BYTES + 2];
    struct stat info;
    size_t len = 0;
    ssize_t size = read(fd, text, sizeof text);
    bool is_private = fstat(fd, &info) == 0 && (info.st_mode & 077) == 0;
    bool ok = size >= 2 * KEY_BYTES && sodium_hex2bin(key, KEY_BYTES, text, 2 * KEY_BYTES, NULL, &len, NULL) == 0 &&
              len == KEY_BYTES;
    sodium_memzero(text, sizeof text);
    if (!is_private)
        snprintf(error, error_size, "%s can be read by others; chmod 600 it, and think of what they may have read",
                 path);
    else if (!ok)
        snprintf(error, error_size, "%s is not a key of 64 hexadecimal digits", path);
    return is_private && ok;
}

static bool load_key(const char *path, bool make, uint8_t key[KEY_BYTES], char *error, size_t error_size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT && make)
        return make_key(path, key, error, error_size);
    if (fd < 0) {
        snprintf(error, error_size, "cannot open %s: %s%s", path, strerror(errno),
                 errno == ENOENT
                     ? "; without it the journal beside it cannot be read: restore it, or move the journal away"
                     : "");
        return false;
    }
    bool ok = read_key(fd, path, key, error, error_size);
    close(fd);
    return ok;
}

struct seal *seal_new(const char *path, bool make, char *error, size_t error_size)
{
    uint8_t key[KEY_BYTES];
    struct seal *self = sodium_init() >= 0 ? sodium_malloc(sizeof *self) : NULL;
    bool ok = self != NULL;
    if (!ok)
        snprintf(error, error_size, "out of memory, or no random source");
    if (!path)
        randombytes_buf(key, sizeof key);
    else
        ok = ok && load_key(path, make, key, error, error_size);
    if (ok) {
        crypto_kdf_derive_from_key(self->sealing, KEY_BYTES, 1, "journal ", key);
        crypto_kdf_derive_from_key(self->naming, KEY_BYTES, 2, "journal ", key);
    } else {
        seal_destroy(&self);
    }
    sodium_memzero(key, sizeof key);
    return self;
}

void seal_destroy(struct seal **self)
{
    sodium_free(*self);
    *self = NULL;
}

/* ---- Sealing ---------------------------------------------------------------------------------------------------- */

static void bind(uint8_t ad[AD_BYTES], const char *what, const uint8_t name[SEAL_NAME_BYTES])
{
    memset(ad, 0, AD_BYTES);
    memcpy(ad, what, strnlen(what, WHAT_BYTES));
    memcpy(ad + WHAT_BYTES, name, SEAL_NAME_BYTES);
}

void seal_put(const struct seal *self, const char *what, const uint8_t name[SEAL_NAME_BYTES], const void *plain,
              size_t size, uint8_t *out)
{
    uint8_t ad[AD_BYTES];
    bind(ad, what, name);
    randombytes_buf(out, crypto_aead_xchacha20poly1305_ietf_NPUBBYTES);
    crypto_aead_xchacha20poly1305_ietf_encrypt(out + crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, NULL, plain, size,
                                               ad, sizeof ad, NULL, out, self->sealing);
}

bool seal_get(const struct seal *self, const char *what, const uint8_t name[SEAL_NAME_BYTES], const uint8_t *sealed,
              size_t size, uint8_t *out)
{
    const size_t nonce = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
    uint8_t ad[AD_BYTES];
    bind(ad, what, name);
    return size >= SEAL_OVERHEAD_BYTES &&
           crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, sealed + nonce, size - nonce, ad, sizeof ad,
                                                      sealed, self->sealing) == 0;
}

void seal_name(const struct seal *self, const void *bytes, size_t size, uint8_t name[SEAL_NAME_BYTES])
{
    crypto_generichash(name, SEAL_NAME_BYTES, bytes, size, self->naming, KEY_BYTES);
}
