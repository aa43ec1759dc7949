#include "folder_out.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "folder_in_files.h"
#include "outlet_settings.h"
#include "transport.h"

enum { PREFIX_BYTES = FOLDER_TIME_DIGITS + 1 + FOLDER_ID_DIGITS + 1, NAME_BYTES = 256 };

#define TEMPORARY ".tmp"

struct settings {
    struct outlet_common common;
    char *path;
};

struct folder {
    uv_work_t work; /* first */
    uv_loop_t *loop;
    struct settings settings;
    bool busy, closing;
    sending_done_fn *done;
    void *arg;
    /* For the worker: copies, for the parcel may go while it writes. */
    uint8_t *bytes;
    size_t len;
    char id[FOLDER_ID_DIGITS + 1];
    char proposal[CAREHUB_NATIVE_ID_BYTES];
    const char *code; /* its result; NULL: written */
    char text[CAREHUB_ERROR_BYTES];
};

/* ---- Names ------------------------------------------------------------------------------------------------------ */

/* Is it "1772000000000_0123456789abcdef_…"? */
static bool is_ours(const char *name)
{
    const char *id = name + FOLDER_TIME_DIGITS + 1;
    return strspn(name, "0123456789") == FOLDER_TIME_DIGITS && name[FOLDER_TIME_DIGITS] == '_' &&
           strspn(id, "0123456789abcdef") == FOLDER_ID_DIGITS && id[FOLDER_ID_DIGITS] == '_';
}

static bool is_temporary(const char *name)
{
    size_t len = strlen(name);
    return len > strlen(TEMPORARY) && strcmp(name + len - strlen(TEMPORARY), TEMPORARY) == 0;
}

static void id_of(const struct carehub_parcel *parcel, char id[FOLDER_ID_DIGITS + 1])
{
    uint8_t hash[crypto_generichash_BYTES_MIN];
    bool named = parcel->native_id[0] != '\0';
    crypto_generichash(hash, sizeof hash, named ? (const void *)parcel->native_id : parcel->bytes,
                       named ? strlen(parcel->native_id) : parcel->len, NULL, 0);
    sodium_bin2hex(id, FOLDER_ID_DIGITS + 1, hash, FOLDER_ID_DIGITS / 2);
}

static void clean(const char *proposal, char out[CAREHUB_NATIVE_ID_BYTES])
{
    snprintf(out, CAREHUB_NATIVE_ID_BYTES, "%s", proposal[0] != '\0' ? proposal : "message");
    for (char *c = out; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("-_.", *c))
            *c = '_';
    if (is_temporary(out))
        *strrchr(out, '.') = '_';
}

/* ---- Writing (a worker thread) ---------------------------------------------------------------------------------- */

static bool fail(struct folder *self, const char *what)
{
    bool full = errno == ENOSPC || errno == EDQUOT;
    self->code = full ? "disk-full" : "folder";
    return settings_complain(self->text, self->settings.path, "%s: %s", what, strerror(errno));
}

/* The name of the message's own file if that is there; else a new one, behind all that are. */
static bool choose_name(struct folder *self, int dir_fd, char name[NAME_BYTES])
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* closedir closes it */
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct timespec now;
    if (!dir) {
        if (fd >= 0)
            close(fd);
        return fail(self, "cannot be read");
    }
    clock_gettime(CLOCK_REALTIME, &now);
    long long last = (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000 - 1;
    bool known = false;
    for (const struct dirent *entry; !known && (entry = readdir(dir));) {
        if (!is_ours(entry->d_name) || is_temporary(entry->d_name))
            continue;
        known = strncmp(entry->d_name + FOLDER_TIME_DIGITS + 1, self->id, FOLDER_ID_DIGITS) == 0;
        if (known)
            snprintf(name, NAME_BYTES, "%s", entry->d_name);
        else if (atoll(entry->d_name) > last)
            last = atoll(entry->d_name);
    }
    closedir(dir);
    if (!known)
        snprintf(name, NAME_BYTES, "%0*lld_%s_%s", FOLDER_TIME_DIGITS, last + 1, self->id, self->proposal);
    return true;
}

static bool write_all(int fd, const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0 && errno != EINTR)
            return false;
        bytes += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

/* Whole or not at all, and on disk. */
static bool write_file(struct folder *self, int dir_fd, const char *name)
{
    char temporary[NAME_BYTES + sizeof TEMPORARY];
    snprintf(temporary, sizeof temporary, "%s" TEMPORARY, name);
    int fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail(self, "a file in it cannot be made");
    folder_share(dir_fd, fd, 0600);
    bool ok = (write_all(fd, self->bytes, self->len) && fsync(fd) == 0) || fail(self, "a file in it cannot be written");
    ok = (close(fd) == 0 || fail(self, "a file in it cannot be written")) && ok;
    if (ok && renameat(dir_fd, temporary, dir_fd, name) == 0)
        return fsync(dir_fd) == 0 || fail(self, "cannot be written to disk");
    if (ok)
        fail(self, "a file in it cannot be renamed");
    unlinkat(dir_fd, temporary, 0);
    return false;
}

static void work(uv_work_t *request)
{
    struct folder *self = (struct folder *)request;
    char name[NAME_BYTES];
    self->code = NULL;
    if (!self->bytes) {
        errno = ENOMEM;
        fail(self, "a message cannot be written");
        return;
    }
    int dir_fd = open(self->settings.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0) {
        fail(self, "cannot be opened");
        return;
    }
    if (choose_name(self, dir_fd, name))
        write_file(self, dir_fd, name);
    close(dir_fd);
}

/* ---- Settings --------------------------------------------------------------------------------------------------- */

static const struct setting_rule rules[] = {
    OUTLET_COMMON_RULES(struct settings),
    {.name = "path",
     .kind = SETTING_PATH,
     .offset = offsetof(struct settings, path),
     .required = true,
     .example = "path = /srv/exchange/out"},
};

enum { RULES = sizeof rules / sizeof rules[0] };

static bool read_settings(const struct carehub_setting *section, const char *folder, struct settings *settings,
                          char error[CAREHUB_ERROR_BYTES])
{
    struct stat st;
    *settings = (struct settings){0};
    if (settings_read(section, "out/folder", folder, rules, RULES, settings, error)) {
        if (stat(settings->path, &st) == 0 && S_ISDIR(st.st_mode) && access(settings->path, R_OK | W_OK | X_OK) == 0)
            return true;
        settings_complain(error, "out/folder", "%s has to be a folder that this program may read and write",
                          settings->path);
    }
    settings_clear(rules, RULES, settings);
    return false;
}

static bool folder_check(const struct carehub_setting *section, const char *folder, char error[CAREHUB_ERROR_BYTES])
{
    struct settings settings;
    if (!read_settings(section, folder, &settings, error))
        return false;
    settings_clear(rules, RULES, &settings);
    return true;
}

/* ---- The transport ---------------------------------------------------------------------------------------------- */

static void remove_leftovers(const char *path)
{
    DIR *dir = opendir(path);
    for (const struct dirent *entry; dir && (entry = readdir(dir));)
        if (is_ours(entry->d_name) && is_temporary(entry->d_name))
            unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
}

static void *folder_open(uv_loop_t *loop, const struct carehub_setting *section, const char *folder,
                         char error[CAREHUB_ERROR_BYTES])
{
    struct folder *self = sodium_init() >= 0 ? calloc(1, sizeof *self) : NULL;
    if (!self) {
        settings_complain(error, "out/folder", "out of memory");
        return NULL;
    }
    if (!read_settings(section, folder, &self->settings, error)) {
        free(self);
        return NULL;
    }
    self->loop = loop;
    remove_leftovers(self->settings.path);
    return self;
}

static void free_folder(struct folder *self)
{
    settings_clear(rules, RULES, &self->settings);
    free(self);
}

static void on_worked(uv_work_t *request, int status)
{
    struct folder *self = (struct folder *)request;
    (void)status;
    free(self->bytes);
    self->bytes = NULL;
    self->busy = false;
    if (self->closing)
        free_folder(self);
    else if (self->code)
        self->done(self->arg, SENDING_DOWN, self->code, self->text);
    else
        self->done(self->arg, SENDING_TAKEN, "taken", "");
}

/* Nobody answers here, so nothing is judged. */
static void folder_send(void *arg, const struct carehub_parcel *parcel, sending_judge_fn *judge, sending_done_fn *done,
                        void *done_arg)
{
    struct folder *self = arg;
    (void)judge;
    self->done = done;
    self->arg = done_arg;
    self->bytes = malloc(parcel->len + 1);
    self->len = parcel->len;
    if (self->bytes && parcel->len > 0)
        memcpy(self->bytes, parcel->bytes, parcel->len);
    id_of(parcel, self->id);
    clean(parcel->file_name, self->proposal);
    self->busy = true;
    uv_queue_work(self->loop, &self->work, work, on_worked);
}

static void folder_endpoint(const void *arg, char *out, size_t size)
{
    const struct folder *self = arg;
    snprintf(out, size, "%s", self->settings.path);
}

static void folder_close(void *arg)
{
    struct folder *self = arg;
    self->closing = true;
    if (!self->busy)
        free_folder(self);
}

const struct transport_out transport_out_folder = {
    .name = "folder",
    .check = folder_check,
    .open = folder_open,
    .endpoint = folder_endpoint,
    .send = folder_send,
    .close = folder_close,
};
