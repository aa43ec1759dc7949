/* keyfile.c - key pairs and the files they are kept in. */
#include "keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "carehub.h"
#include "error.h"

enum { KEY_FILE_MAX_BYTES = 4096 };

bool key_from_hex(const char *hex, uint8_t key[32])
{
    size_t n;
    return strnlen(hex, KEY_HEX_CHARS) == KEY_HEX_CHARS &&
           sodium_hex2bin(key, 32, hex, KEY_HEX_CHARS, NULL, &n, NULL) == 0 && n == 32;
}

void key_to_hex(const uint8_t key[32], char hex[KEY_HEX_CHARS + 1])
{
    sodium_bin2hex(hex, KEY_HEX_CHARS + 1, key, 32);
}

bool folder_sync(const char *path)
{
    char copy[PATH_MAX];
    if (strlen(path) >= sizeof copy) {
        errno = ENAMETOOLONG;
        return false;
    }
    strcpy(copy, path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool ok = fsync(fd) == 0;
    int saved = errno;
    close(fd);
    errno = saved;
    return ok;
}

int private_file_write(const char *path, const void *data, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_set(CAREHUB_IO, "%s: cannot be created: %s", path, strerror(errno));
    bool ok = write(fd, data, size) == (ssize_t)size && fsync(fd) == 0;
    int saved = errno;
    close(fd);
    if (ok && folder_sync(path))
        return CAREHUB_OK;
    if (ok)
        saved = errno;
    unlink(path);
    return error_set(CAREHUB_IO, "%s: cannot be written: %s", path, strerror(saved));
}

static int check_private(int fd, const char *path, size_t room)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return error_set(CAREHUB_IO, "%s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode) || (size_t)st.st_size > room)
        return error_set(CAREHUB_CONFIG, "%s: is not a key file", path);
    if (st.st_mode & (S_IRWXG | S_IRWXO))
        return error_set(CAREHUB_CONFIG, "%s: others may read this key; run: chmod 600 %s", path, path);
    return CAREHUB_OK;
}

int private_file_read(const char *path, void *data, size_t room, size_t *size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        int saved = errno;
        error_set(CAREHUB_IO, "%s: cannot be opened: %s", path, strerror(saved));
        errno = saved;
        return CAREHUB_IO;
    }
    int result = check_private(fd, path, room);
    if (result == CAREHUB_OK) {
        ssize_t n = read(fd, data, room);
        if (n < 0)
            result = error_set(CAREHUB_IO, "%s: cannot be read: %s", path, strerror(errno));
        else
            *size = (size_t)n;
    }
    close(fd);
    return result;
}

int carehub_keygen(struct carehub_keypair *pair)
{
    if (!pair)
        return error_set(CAREHUB_INVALID_ARGUMENT, "carehub_keygen: pair is NULL");
    if (sodium_init() < 0)
        return error_set(CAREHUB_IO, "libsodium cannot be initialised: no random source");
    crypto_box_keypair(pair->public_key, pair->secret_key);
    return CAREHUB_OK;
}

int carehub_key_save(const struct carehub_keypair *pair, const char *path)
{
    if (!pair || !path)
        return error_set(CAREHUB_INVALID_ARGUMENT, "carehub_key_save: pair and path are needed");
    char public_hex[KEY_HEX_CHARS + 1], secret_hex[KEY_HEX_CHARS + 1], text[256];
    key_to_hex(pair->public_key, public_hex);
    key_to_hex(pair->secret_key, secret_hex);
    int n = snprintf(text, sizeof text, "public-key = %s\nsecret-key = %s\n", public_hex, secret_hex);
    int result = private_file_write(path, text, (size_t)n);
    sodium_memzero(secret_hex, sizeof secret_hex);
    sodium_memzero(text, sizeof text);
    return result;
}

/* The value of `name` in lines of "name = value", or NULL. */
static const char *find_value(const char *text, const char *name)
{
    size_t len = strlen(name);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        line += strspn(line, " \t");
        if (strncmp(line, name, len) != 0)
            continue;
        const char *rest = line + len + strspn(line + len, " \t");
        if (*rest == '=')
            return rest + 1 + strspn(rest + 1, " \t\"");
    }
    return NULL;
}

int carehub_key_load(struct carehub_keypair *pair, const char *path)
{
    if (!pair || !path)
        return error_set(CAREHUB_INVALID_ARGUMENT, "carehub_key_load: pair and path are needed");
    char text[KEY_FILE_MAX_BYTES + 1];
    size_t size = 0;
    int result = private_file_read(path, text, KEY_FILE_MAX_BYTES, &size);
    if (result != CAREHUB_OK)
        return result;
    text[size] = '\0';

    const char *public_hex = find_value(text, "public-key");
    const char *secret_hex = find_value(text, "secret-key");
    uint8_t computed[CAREHUB_KEY_BYTES];
    if (!public_hex || !secret_hex || !key_from_hex(public_hex, pair->public_key) ||
        !key_from_hex(secret_hex, pair->secret_key))
        result = error_set(CAREHUB_CONFIG, "%s: needs public-key and secret-key, 64 hexadecimal digits each", path);
    else if (crypto_scalarmult_base(computed, pair->secret_key) != 0 ||
             memcmp(computed, pair->public_key, sizeof computed) != 0)
        result = error_set(CAREHUB_CONFIG, "%s: public-key does not belong to secret-key", path);
    sodium_memzero(text, sizeof text);
    return result;
}
