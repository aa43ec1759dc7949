#include "tlog_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../sim/vfs_powercut.h"

enum { NAMES_MAX = 4096, FILES_MAX = 8192, CHANGES_MAX = 16384, NAME_BYTES = 96, FILE_BYTES = 16384 };

/* A file's bytes, whatever its name is. */
struct file {
    uint8_t bytes[FILE_BYTES];
    size_t size;
    bool durable;
};

/* A name below the directory ("" is itself), and what it stands for; file NULL: a directory. */
struct name {
    char path[NAME_BYTES];
    bool there;
    struct file *file;
};

struct names {
    size_t n;
    struct name list[NAMES_MAX];
};

struct change {
    enum { MADE, RENAMED, REMOVED } kind;
    char path[NAME_BYTES], to[NAME_BYTES];
    struct file *file;
    bool forced; /* durable by its directory's fsync */
};

static struct disk_plan plan;
static struct names now, durable;
static struct change changes[CHANGES_MAX]; /* since the last syncfs */
static size_t n_changes;
static bool watching;

static uint64_t dice(uint64_t below)
{
    uint64_t x = plan.seed += 0x9e3779b97f4a7c15ULL; /* splitmix64 */
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
    return (x ^ x >> 31) % below;
}

/* ---- Names ------------------------------------------------------------------------------------------------------ */

static struct name *name_of(struct names *names, const char *path)
{
    for (size_t i = 0; i < names->n; i++)
        if (strcmp(names->list[i].path, path) == 0)
            return &names->list[i];
    if (names->n == NAMES_MAX || strlen(path) >= NAME_BYTES)
        abort();
    struct name *name = &names->list[names->n++];
    *name = (struct name){.there = false};
    strcpy(name->path, path);
    return name;
}

static struct file *file_new(void)
{
    static size_t n;
    struct file *file = calloc(1, sizeof *file);
    if (!file || ++n > FILES_MAX)
        abort();
    return file;
}

static void apply(struct names *names, const struct change *change)
{
    struct name *name = name_of(names, change->path);
    name->there = change->kind == MADE;
    name->file = change->file;
    if (change->kind == RENAMED) {
        name = name_of(names, change->to);
        name->there = true;
        name->file = change->file;
    }
}

static void changed(int kind, const char *path, const char *to, struct file *file)
{
    if (n_changes == CHANGES_MAX)
        abort();
    struct change *change = &changes[n_changes++];
    *change = (struct change){.kind = kind, .file = file};
    snprintf(change->path, sizeof change->path, "%s", path);
    snprintf(change->to, sizeof change->to, "%s", to);
    apply(&now, change);
}

/* The name of a path that is given relative to an open directory; false: it is not below the log's. */
static bool below(int fd, const char *path, char name[NAME_BYTES])
{
    char link[64], whole[2 * PATH_MAX], base[PATH_MAX] = "";
    if (!watching)
        return false;
    if (path[0] != '/' && fd != AT_FDCWD) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(link, base, sizeof base - 1);
        base[n > 0 ? n : 0] = '\0';
    }
    snprintf(whole, sizeof whole, "%s%s%s", base, base[0] && path[0] ? "/" : "", path);
    size_t length = strlen(plan.directory);
    if (strncmp(whole, plan.directory, length) != 0 || (whole[length] && whole[length] != '/') ||
        strlen(whole) - length >= NAME_BYTES)
        return false;
    strcpy(name, whole[length] ? whole + length + 1 : "");
    return true;
}

static int load(const char *path, const struct stat *info, int type, struct FTW *at)
{
    char name[NAME_BYTES];
    (void)info, (void)at;
    if (!below(AT_FDCWD, path, name))
        abort();
    struct name *loaded = name_of(&durable, name);
    loaded->there = true;
    if (type != FTW_F)
        return 0;
    loaded->file = file_new();
    loaded->file->durable = true;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, loaded->file->bytes, FILE_BYTES);
    close(fd);
    loaded->file->size = n > 0 ? (size_t)n : 0;
    return 0;
}

void disk_watch(const struct disk_plan *disk)
{
    plan = *disk;
    watching = true;
    if (access(plan.directory, F_OK) == 0)
        nftw(plan.directory, load, 16, FTW_PHYS);
    now = durable;
}

/* ---- The power fails -------------------------------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *at)
{
    (void)info, (void)type, (void)at;
    return remove(path);
}

static bool parent_there(const char *path)
{
    char parent[NAME_BYTES];
    snprintf(parent, sizeof parent, "%s", path);
    char *slash = strrchr(parent, '/');
    *(slash ? slash : parent) = '\0';
    return name_of(&durable, parent)->there;
}

static void write_file(const char *path, const struct file *file)
{
    static const uint8_t zeroes[FILE_BYTES];
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    uint64_t how = file->durable ? 3 : dice(4);
    size_t size = how == 0 ? 0 : how == 1 ? dice(file->size + 1) : file->size;
    const uint8_t *bytes = how == 2 ? zeroes : file->bytes;
    if (fd < 0)
        return; /* its directory is not there */
    for (size_t done = 0; done < size;) {
        ssize_t n = pwrite(fd, bytes + done, size - done, (off_t)done);
        if (n <= 0)
            abort();
        done += (size_t)n;
    }
    close(fd);
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct name *)a)->path, ((const struct name *)b)->path);
}

void disk_power_fails(void)
{
    watching = false;
    size_t first = n_changes ? dice(n_changes + 1) : 0;
    for (size_t i = 0; i < n_changes; i++) {
        bool kept = plan.loss == DISK_KEEPS_FIRST ? i < first : plan.loss == DISK_KEEPS_ANY ? dice(2) : false;
        if (kept || changes[i].forced)
            apply(&durable, &changes[i]);
    }
    nftw(plan.directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    qsort(durable.list, durable.n, sizeof *durable.list, by_path); /* directories before what is in them */
    for (size_t i = 0, n = durable.n; i < n; i++) {
        const struct name *name = &durable.list[i];
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/%s", plan.directory, name->path);
        if (name->there && !name->file && (name->path[0] == '\0' || parent_there(name->path)))
            mkdir(path, 0755);
        else if (name->there && name->file)
            write_file(path, name->file);
    }
}

/* ---- What the log calls ----------------------------------------------------------------------------------------- */

int __real_openat(int fd, const char *path, int flags, ...);
ssize_t __real_write(int fd, const void *bytes, size_t size);
int __real_mkdir(const char *path, mode_t mode);
int __real_mkdirat(int fd, const char *path, mode_t mode);
int __real_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __real_unlinkat(int fd, const char *path, int flags);
int __real_fsync(int fd);
int __real_syncfs(int fd);
int __wrap_openat(int fd, const char *path, int flags, mode_t mode);
ssize_t __wrap_write(int fd, const void *bytes, size_t size);
int __wrap_mkdir(const char *path, mode_t mode);
int __wrap_mkdirat(int fd, const char *path, mode_t mode);
int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __wrap_unlinkat(int fd, const char *path, int flags);
int __wrap_fsync(int fd);
int __wrap_syncfs(int fd);

int __wrap_openat(int fd, const char *path, int flags, mode_t mode)
{
    char name[NAME_BYTES];
    if (!(flags & O_CREAT) || !below(fd, path, name))
        return __real_openat(fd, path, flags, mode);
    powercut_count();
    int opened = __real_openat(fd, path, flags, mode);
    struct name *there = name_of(&now, name);
    if (opened >= 0 && !there->there)
        changed(MADE, name, "", file_new());
    else if (opened >= 0 && (flags & O_TRUNC)) {
        there->file->size = 0;
        there->file->durable = false;
    }
    return opened;
}

ssize_t __wrap_write(int fd, const void *bytes, size_t size)
{
    char name[NAME_BYTES];
    if (!below(fd, "", name) || name[0] == '\0')
        return __real_write(fd, bytes, size);
    powercut_count();
    struct file *file = name_of(&now, name)->file;
    if (file->size + size > FILE_BYTES)
        abort();
    memcpy(file->bytes + file->size, bytes, size);
    file->size += size;
    file->durable = false;
    return __real_write(fd, bytes, size);
}

static int made(int result, int fd, const char *path)
{
    char name[NAME_BYTES];
    int error = errno;
    if (result == 0 && below(fd, path, name))
        changed(MADE, name, "", NULL);
    errno = error;
    return result;
}

int __wrap_mkdir(const char *path, mode_t mode)
{
    char name[NAME_BYTES];
    if (below(AT_FDCWD, path, name))
        powercut_count();
    return made(__real_mkdir(path, mode), AT_FDCWD, path);
}

int __wrap_mkdirat(int fd, const char *path, mode_t mode)
{
    char name[NAME_BYTES];
    if (below(fd, path, name))
        powercut_count();
    return made(__real_mkdirat(fd, path, mode), fd, path);
}

int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    char name[NAME_BYTES], other[NAME_BYTES];
    if (!below(from_fd, from, name) || !below(to_fd, to, other))
        return __real_renameat(from_fd, from, to_fd, to);
    powercut_count();
    int result = __real_renameat(from_fd, from, to_fd, to);
    if (result == 0) {
        struct file *file = name_of(&now, name)->file;
        changed(RENAMED, name, other, file);
        plan.named(other, file->bytes, file->size);
    }
    return result;
}

int __wrap_unlinkat(int fd, const char *path, int flags)
{
    char name[NAME_BYTES];
    bool watched = below(fd, path, name) && name_of(&now, name)->there;
    if (watched)
        powercut_count();
    int result = __real_unlinkat(fd, path, flags);
    if (watched && result == 0)
        changed(REMOVED, name, "", NULL);
    return result;
}

static bool in_directory(const char *path, const char *directory)
{
    const char *slash = strrchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) : 0;
    return path[0] && strlen(directory) == length && strncmp(path, directory, length) == 0;
}

int __wrap_fsync(int fd)
{
    char name[NAME_BYTES];
    if (!below(fd, "", name))
        return __real_fsync(fd);
    powercut_count();
    struct name *synced = name_of(&now, name);
    if (synced->file)
        synced->file->durable = true;
    else
        for (size_t i = 0; i < n_changes; i++)
            changes[i].forced |= in_directory(changes[i].kind == RENAMED ? changes[i].to : changes[i].path, name);
    return 0; /* the files are where syncing is of no use */
}

int __wrap_syncfs(int fd)
{
    char name[NAME_BYTES];
    if (!below(fd, "", name))
        return __real_syncfs(fd);
    powercut_count();
    if (plan.deaf)
        return 0;
    durable = now;
    n_changes = 0;
    for (size_t i = 0; i < now.n; i++)
        if (now.list[i].there && now.list[i].file)
            now.list[i].file->durable = true;
    return 0;
}
