#include "folder_in_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    NAME_BYTES = 256,       /* of a file system, with its zero */
    NAME_STEM_BYTES = 200,  /* what is taken of a name to make another of it */
    SAME_NAMES_MAX = 10000, /* files of one name in done/ */
};

/* ---- Sharing --------------------------------------------------------------------------------------------------- */

void folder_share(int folder, int fd, mode_t own)
{
    struct stat status;
    if (fstat(folder, &status) != 0)
        return;
    mode_t group = status.st_mode & (own >> 3), inherit = own & S_IXUSR ? status.st_mode & S_ISGID : 0;
    if (group != 0 && fchmod(fd, own | group | inherit) != 0)
        return; /* it stays the owner's alone */
}

/* ---- Opening ---------------------------------------------------------------------------------------------------- */

static int open_folder(int at, const char *name)
{
    return openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int make_folder(int at, const char *name)
{
    bool is_new = mkdirat(at, name, 0700) == 0;
    if (!is_new && errno != EEXIST)
        return -1;
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && is_new)
        folder_share(at, fd, 0700);
    return fd;
}

bool folder_files_open(struct folder_files *self, const char *path, bool keep, const char **what)
{
    *self = (struct folder_files){.done = -1, .failed = -1};
    *what = "the folder";
    self->folder = open_folder(AT_FDCWD, path);
    if (self->folder < 0)
        return false;
    *what = "'failed' in it";
    self->failed = make_folder(self->folder, "failed");
    if (self->failed < 0)
        return false;
    *what = "'done' in it";
    if (keep)
        self->done = make_folder(self->folder, "done");
    return (!keep || self->done >= 0) && fsync(self->folder) == 0;
}

static void forget_names(struct folder_files *self)
{
    while (self->count > 0)
        free(self->names[--self->count]);
    free(self->names);
    self->names = NULL;
}

void folder_files_close(struct folder_files *self)
{
    int *const all[] = {&self->folder, &self->done, &self->failed};
    int saved = errno;
    forget_names(self);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (*all[i] >= 0)
            close(*all[i]);
        *all[i] = -1;
    }
    errno = saved;
}

/* ---- Listing ---------------------------------------------------------------------------------------------------- */

static bool ends_in(const char *name, const char *end)
{
    size_t len = strlen(name), end_len = strlen(end);
    return len >= end_len && strcmp(name + len - end_len, end) == 0;
}

/* By the conventions of those who write into drop folders. */
static bool is_in_the_making(const char *name)
{
    return name[0] == '.' || ends_in(name, ".tmp") || ends_in(name, ".part");
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool add_name(struct folder_files *self, const char *name)
{
    if ((self->count & (self->count + 1)) == 0) { /* room for 1, 3, 7, … */
        char **grown = realloc(self->names, (2 * self->count + 1) * sizeof *grown);
        if (!grown)
            return false;
        self->names = grown;
    }
    self->names[self->count] = strdup(name);
    return self->names[self->count] && ++self->count > 0;
}

bool folder_files_list(struct folder_files *self)
{
    int fd = open_folder(self->folder, ".");
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    bool ok = folder != NULL;
    forget_names(self);
    if (!folder && fd >= 0)
        close(fd);
    for (const struct dirent *entry; ok && self->count < FOLDER_NAMES_MAX && (errno = 0, entry = readdir(folder));)
        if ((entry->d_type == DT_REG || entry->d_type == DT_UNKNOWN) && !is_in_the_making(entry->d_name))
            ok = add_name(self, entry->d_name);
    if (folder) {
        ok = ok && (errno == 0 || self->count == FOLDER_NAMES_MAX);
        closedir(folder);
    }
    if (self->count > 0)
        qsort(self->names, self->count, sizeof *self->names, by_bytes);
    return ok;
}

/* ---- Looking and reading ---------------------------------------------------------------------------------------- */

static void describe(const struct stat *status, struct folder_file *file)
{
    *file = (struct folder_file){.device = status->st_dev,
                                 .inode = status->st_ino,
                                 .size = status->st_size,
                                 .modified = status->st_mtim,
                                 .changed = status->st_ctim};
}

static bool is_same(const struct folder_file *a, const struct folder_file *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->modified.tv_sec == b->modified.tv_sec && a->modified.tv_nsec == b->modified.tv_nsec &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

enum folder_look folder_files_look(const struct folder_files *self, const char *name, struct folder_file *file)
{
    struct stat status;
    if (fstatat(self->folder, name, &status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(status.st_mode))
        return FOLDER_NOTHING;
    describe(&status, file);
    return FOLDER_FILE;
}

int64_t folder_file_age_ms(const struct folder_file *file)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)(now.tv_sec - file->modified.tv_sec) * 1000 + (now.tv_nsec - file->modified.tv_nsec) / 1000000;
}

static bool read_all(int fd, uint8_t *bytes, size_t size)
{
    for (size_t at = 0; at < size;) {
        ssize_t part = read(fd, bytes + at, size - at);
        if (part < 0 && errno == EINTR)
            continue;
        if (part <= 0) {
            errno = part == 0 ? EAGAIN : errno;
            return false;
        }
        at += (size_t)part;
    }
    return true;
}

static bool is_still(int fd, const struct folder_file *file)
{
    struct stat status;
    struct folder_file now;
    if (fstat(fd, &status) != 0)
        return false;
    describe(&status, &now);
    errno = EAGAIN;
    return S_ISREG(status.st_mode) && is_same(&now, file);
}

uint8_t *folder_files_read(const struct folder_files *self, const char *name, const struct folder_file *file)
{
    int fd = openat(self->folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    uint8_t *bytes = is_still(fd, file) ? malloc((size_t)file->size + 1) : NULL;
    if (bytes && !(read_all(fd, bytes, (size_t)file->size) && is_still(fd, file))) {
        free(bytes);
        bytes = NULL;
    }
    int saved = errno;
    close(fd);
    errno = saved;
    return bytes;
}

/* ---- Putting away ----------------------------------------------------------------------------------------------- */

/* True if the name stands for another file now, or for none: then there is nothing to put away. */
static bool is_replaced(const struct folder_files *self, const char *name, const struct folder_file *file)
{
    struct folder_file now;
    return folder_files_look(self, name, &now) != FOLDER_FILE || !is_same(&now, file);
}

/* A name that nothing has in `folder` yet: the file's, or NAME.2, NAME.3… Nobody else puts files there. */
static bool free_name(int folder, const char *name, char out[NAME_BYTES])
{
    snprintf(out, NAME_BYTES, "%s", name);
    for (int i = 2; faccessat(folder, out, F_OK, AT_SYMLINK_NOFOLLOW) == 0; i++) {
        if (i > SAME_NAMES_MAX) {
            errno = EEXIST;
            return false;
        }
        snprintf(out, NAME_BYTES, "%.*s.%d", NAME_STEM_BYTES, name, i);
    }
    return errno == ENOENT;
}

static bool move(const struct folder_files *self, const char *name, int to, const char *new_name)
{
    return renameat2(self->folder, name, to, new_name, RENAME_NOREPLACE) == 0 && fsync(to) == 0 &&
           fsync(self->folder) == 0;
}

bool folder_files_finish(const struct folder_files *self, const char *name, const struct folder_file *file)
{
    char moved[NAME_BYTES];
    if (is_replaced(self, name, file))
        return true;
    if (self->done >= 0)
        return free_name(self->done, name, moved) && move(self, name, self->done, moved);
    return unlinkat(self->folder, name, 0) == 0 && fsync(self->folder) == 0;
}

static bool write_text(int folder, const char *name, const char *text)
{
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    folder_share(folder, fd, 0600);
    bool ok = write(fd, text, strlen(text)) == (ssize_t)strlen(text) && fsync(fd) == 0;
    int saved = errno;
    close(fd);
    errno = saved;
    return ok;
}

bool folder_files_fail(const struct folder_files *self, const char *name, const struct folder_file *file,
                       const char *text)
{
    char moved[NAME_BYTES], report[NAME_BYTES];
    if (is_replaced(self, name, file))
        return true;
    if (!free_name(self->failed, name, moved))
        return false;
    snprintf(report, sizeof report, "%.*s.problems.txt", NAME_STEM_BYTES, moved);
    /* The text first: there is never a file in failed/ that does not say why. */
    return write_text(self->failed, report, text) && move(self, name, self->failed, moved);
}

/* ---- What was put away long ago --------------------------------------------------------------------------------- */

/* Being moved changes a file's status; its content may be much older. */
static int expire(int folder, int64_t before_ms)
{
    struct stat status;
    int removed = 0, fd = folder >= 0 && before_ms != INT64_MIN ? open_folder(folder, ".") : -1;
    DIR *entries = fd >= 0 ? fdopendir(fd) : NULL;
    if (!entries) {
        if (fd >= 0)
            close(fd);
        return folder < 0 || before_ms == INT64_MIN ? 0 : -1;
    }
    for (const struct dirent *entry; removed < FOLDER_EXPIRE_MAX && (entry = readdir(entries));) {
        bool is_old = fstatat(folder, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode) &&
                      (int64_t)status.st_ctim.tv_sec * 1000 < before_ms;
        removed += is_old && unlinkat(folder, entry->d_name, 0) == 0;
    }
    closedir(entries);
    return removed > 0 && fsync(folder) != 0 ? -1 : removed;
}

int folder_files_expire(struct folder_files *self, int64_t done_before_ms, int64_t failed_before_ms)
{
    int done = expire(self->done, done_before_ms), failed = expire(self->failed, failed_before_ms);
    return done < 0 || failed < 0 ? -1 : done + failed;
}
