#include "credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    HASH_BYTES = crypto_hash_sha256_BYTES,
    LINE_BYTES = CREDENTIALS_NAME_BYTES + 2 * HASH_BYTES + 2,
    HEADER_MAX_BYTES = 512,
};

struct entry {
    char name[CREDENTIALS_NAME_BYTES];
    uint8_t hash[HASH_BYTES];
};

struct credentials {
    char *path;
    struct stat seen; /* the file as it was looked at last */
    uint64_t looked_ms;
    struct entry *entries;
    size_t count;
};

static const char name_characters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

/* ---- The file --------------------------------------------------------------------------------------------------- */

static bool is_name(const char *text, size_t len)
{
    return len > 0 && len < CREDENTIALS_NAME_BYTES && strspn(text, name_characters) >= len;
}

static bool parse_line(const char *line, struct entry *entry)
{
    size_t name = strcspn(line, " \t"), hash_len;
    const char *hex = line + name + strspn(line + name, " \t"), *end;
    if (!is_name(line, name) ||
        sodium_hex2bin(entry->hash, sizeof entry->hash, hex, strlen(hex), NULL, &hash_len, &end) != 0 ||
        hash_len != HASH_BYTES || end[strspn(end, " \t\r")] != '\0')
        return false;
    memcpy(entry->name, line, name);
    entry->name[name] = '\0';
    return true;
}

static bool parse(struct credentials *self, char *text, char *error, size_t error_size)
{
    struct entry *entries = calloc(CREDENTIALS_MAX, sizeof *entries);
    size_t count = 0, number = 0;
    if (!entries) {
        snprintf(error, error_size, "out of memory");
        return false;
    }
    for (char *line; (line = strsep(&text, "\n"));) {
        number++;
        if (line[0] == '#' || line[strspn(line, " \t\r")] == '\0')
            continue;
        if (count == CREDENTIALS_MAX || !parse_line(line, &entries[count])) {
            snprintf(error, error_size,
                     count == CREDENTIALS_MAX
                         ? "credentials file %s, line %zu: there are more than %d"
                         : "credentials file %s, line %zu: has to be a name and 64 hexadecimal digits",
                     self->path, number, CREDENTIALS_MAX);
            free(entries);
            return false;
        }
        count++;
    }
    free(self->entries);
    self->entries = entries;
    self->count = count;
    return true;
}

static bool is_safe(const char *path, const struct stat *status, char *error, size_t error_size)
{
    if (!S_ISREG(status->st_mode))
        snprintf(error, error_size, "credentials file %s: is not a plain file", path);
    else if (status->st_mode & 037)
        snprintf(error, error_size,
                 "credentials file %s: is open to other users of this machine; chmod 600 it (or 640)", path);
    else if (status->st_size > CREDENTIALS_FILE_MAX_BYTES)
        snprintf(error, error_size, "credentials file %s: is larger than %d bytes", path, CREDENTIALS_FILE_MAX_BYTES);
    else
        return true;
    return false;
}

static bool load(struct credentials *self, char *error, size_t error_size)
{
    int fd = open(self->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char *text = NULL;
    bool ok = false;
    if (fd < 0 || fstat(fd, &self->seen) != 0) {
        snprintf(error, error_size, "credentials file %s: cannot be read: %s%s", self->path, strerror(errno),
                 errno == ENOENT ? "; carehub-adapter --new-credential NAME --credentials FILE makes it" : "");
    } else if (is_safe(self->path, &self->seen, error, error_size)) {
        size_t size = (size_t)self->seen.st_size;
        text = calloc(1, size + 1);
        ok = text && read(fd, text, size) == (ssize_t)size && strlen(text) == size;
        if (!ok)
            snprintf(error, error_size, "credentials file %s: cannot be read as text", self->path);
    }
    if (fd >= 0)
        close(fd);
    ok = ok && parse(self, text, error, error_size);
    free(text);
    return ok;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size && a->st_mode == b->st_mode &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

struct credentials *credentials_new(const char *path, char *error, size_t error_size)
{
    struct credentials *self = calloc(1, sizeof *self);
    if (!self || !(self->path = strdup(path)))
        snprintf(error, error_size, "out of memory");
    else if (load(self, error, error_size))
        return self;
    credentials_destroy(&self);
    return NULL;
}

void credentials_destroy(struct credentials **self)
{
    if (!*self)
        return;
    free((*self)->entries);
    free((*self)->path);
    free(*self);
    *self = NULL;
}

bool credentials_refresh(struct credentials *self, uint64_t now_ms, char *error, size_t error_size)
{
    struct stat status = {0};
    if (now_ms - self->looked_ms < CREDENTIALS_RECHECK_MS)
        return true;
    self->looked_ms = now_ms;
    if (stat(self->path, &status) != 0)
        status = (struct stat){0};
    if (is_same(&status, &self->seen))
        return true;
    self->seen = status; /* so that the same fault is not told every second */
    return load(self, error, error_size);
}

/* ---- Checking --------------------------------------------------------------------------------------------------- */

/* All entries are compared, whichever it is. `claimed` "": a name was not given. */
static bool find(const struct credentials *self, const char *claimed, const char *token, char *name)
{
    uint8_t hash[HASH_BYTES];
    bool found = false;
    crypto_hash_sha256(hash, (const uint8_t *)token, strlen(token));
    for (size_t i = 0; i < self->count; i++) {
        const struct entry *entry = &self->entries[i];
        if (sodium_memcmp(entry->hash, hash, sizeof hash) != 0 || (claimed[0] && strcmp(entry->name, claimed) != 0))
            continue;
        memcpy(name, entry->name, CREDENTIALS_NAME_BYTES);
        found = true;
    }
    return found;
}

static bool check_basic(const struct credentials *self, const char *encoded, char *name)
{
    char pair[HEADER_MAX_BYTES];
    size_t len;
    if (sodium_base642bin((uint8_t *)pair, sizeof pair - 1, encoded, strlen(encoded), NULL, &len, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0)
        return false;
    pair[len] = '\0';
    char *colon = strchr(pair, ':');
    if (!colon)
        return false;
    *colon = '\0';
    bool found = pair[0] != '\0' && find(self, pair, colon + 1, name);
    sodium_memzero(pair, sizeof pair);
    return found;
}

bool credentials_check(const struct credentials *self, const char *header, char name[CREDENTIALS_NAME_BYTES])
{
    static const char bearer[] = "Bearer ", basic[] = "Basic ";
    name[0] = '\0';
    if (!header || strlen(header) >= HEADER_MAX_BYTES)
        return false;
    if (strncasecmp(header, bearer, sizeof bearer - 1) == 0)
        return find(self, "", header + sizeof bearer - 1, name);
    return strncasecmp(header, basic, sizeof basic - 1) == 0 && check_basic(self, header + sizeof basic - 1, name);
}

/* ---- Adding ----------------------------------------------------------------------------------------------------- */

/* In one write, after what is there; the file keeps its owner and mode. */
static bool append(int fd, const char *line)
{
    char last, text[LINE_BYTES + 2];
    struct stat status;
    if (fstat(fd, &status) != 0)
        return false;
    bool cut_off = status.st_size > 0 && (pread(fd, &last, 1, status.st_size - 1) != 1 || last != '\n');
    int len = snprintf(text, sizeof text, "%s%s\n", cut_off ? "\n" : "", line);
    return write(fd, text, (size_t)len) == len && fsync(fd) == 0;
}

static void make_token(char token[CREDENTIALS_TOKEN_BYTES], char hex[2 * HASH_BYTES + 1])
{
    uint8_t random[32], hash[HASH_BYTES];
    randombytes_buf(random, sizeof random);
    sodium_bin2base64(token, CREDENTIALS_TOKEN_BYTES, random, sizeof random, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    crypto_hash_sha256(hash, (const uint8_t *)token, strlen(token));
    sodium_bin2hex(hex, 2 * HASH_BYTES + 1, hash, sizeof hash);
    sodium_memzero(random, sizeof random);
}

bool credentials_add(const char *path, const char *name, char token[CREDENTIALS_TOKEN_BYTES], char *error,
                     size_t error_size)
{
    char hex[2 * HASH_BYTES + 1], line[LINE_BYTES];
    struct stat status;
    if (!is_name(name, strlen(name))) {
        snprintf(error, error_size, "a name has 1 to %d letters, digits, '.', '_' and '-'", CREDENTIALS_NAME_BYTES - 1);
        return false;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (fd < 0 || fstat(fd, &status) != 0) {
        snprintf(error, error_size, "credentials file %s: cannot be written: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return false;
    }
    bool ok = is_safe(path, &status, error, error_size);
    if (ok) {
        make_token(token, hex);
        snprintf(line, sizeof line, "%s %s", name, hex);
        ok = append(fd, line);
        if (!ok)
            snprintf(error, error_size, "credentials file %s: cannot be written: %s", path, strerror(errno));
    }
    close(fd);
    return ok;
}
