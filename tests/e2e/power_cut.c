/* power_cut.c - preloaded into a program, keeps an undo log of all that it changes under a folder, so that power_cut.py
 * can put the folder back to what a power cut would have left of it: only what was synced.
 *
 * POWER_CUT_ROOT is the folder, POWER_CUT_LOG the undo log. Files that are unlinked or overwritten by a rename are kept
 * by a second link in POWER_CUT_LOG.d. With POWER_CUT_LIES, syncs of files whose path contains that text succeed and do
 * nothing: the control, which shows that losses are found.
 *
 * Followed: write, pwrite, ftruncate, fallocate, rename, unlink and their kin. Not followed: that a file is made (it
 * stays, empty), and writes through mmap. A record is in the log before its change is made, and whoever is killed in
 * between has changed nothing: undoing that is harmless. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHANGED = 1, RENAMED = 2, UNLINKED = 3, SYNCED = 4 };

/* Followed by `text_len` bytes of text (paths, each with its zero) and `len` bytes as they were. */
struct record {
    uint32_t kind, text_len;
    uint64_t number;  /* of changes, from 1; of a sync: of the last change before it */
    uint64_t inode;   /* of the file that is changed; of a rename or unlink: of the folder that is to be synced */
    uint64_t at, len; /* what was there */
    uint64_t size;    /* of the file, before */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t last, graves;
static int log_fd = -1;
static const char *root, *lies;
static char graveyard[PATH_MAX];

static void *real(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (!found)
        abort();
    return found;
}

#define REAL(name) ((__typeof__(&name))real(#name))

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("POWER_CUT_LOG");
    root = getenv("POWER_CUT_ROOT");
    lies = getenv("POWER_CUT_LIES");
    if (!path || !root)
        return;
    snprintf(graveyard, sizeof graveyard, "%s.d", path);
    mkdir(graveyard, 0700);
    log_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log_fd < 0)
        abort();
}

static bool path_of(int fd, char path[PATH_MAX])
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = fd == AT_FDCWD ? -1 : readlink(link, path, PATH_MAX - 1);
    path[len < 0 ? 0 : len] = '\0';
    return len > 0;
}

static bool is_under_root(const char *path)
{
    return log_fd >= 0 && strncmp(path, root, strlen(root)) == 0 && path[strlen(root)] == '/';
}

/* The path of a name in a folder. */
static bool resolve(int folder, const char *name, char path[PATH_MAX])
{
    char base[PATH_MAX];
    if (name[0] == '/' || !path_of(folder, base))
        return (size_t)snprintf(path, PATH_MAX, "%s", name) < PATH_MAX;
    return (size_t)snprintf(path, PATH_MAX, "%s/%s", base, name) < PATH_MAX;
}

static void put(struct record *record, const char *text, size_t text_len, const void *bytes)
{
    char *whole = malloc(sizeof *record + text_len + record->len);
    if (!whole)
        abort();
    record->text_len = (uint32_t)text_len;
    memcpy(whole, record, sizeof *record);
    if (text_len > 0)
        memcpy(whole + sizeof *record, text, text_len);
    if (record->len > 0)
        memcpy(whole + sizeof *record + text_len, bytes, record->len);
    size_t size = sizeof *record + text_len + record->len;
    if (REAL(write)(log_fd, whole, size) != (ssize_t)size)
        abort();
    free(whole);
}

/* Notes what is at a place of a file before it is changed. Takes the lock if it returns true; then call done(). */
static bool before_change(int fd, uint64_t at, uint64_t len)
{
    char path[PATH_MAX];
    struct stat file;
    if (log_fd < 0 || fd == log_fd || fstat(fd, &file) != 0 || !S_ISREG(file.st_mode) || !path_of(fd, path) ||
        !is_under_root(path))
        return false;
    uint64_t size = (uint64_t)file.st_size, there = at >= size ? 0 : size - at < len ? size - at : len;
    uint8_t *bytes = malloc(there + 1);
    pthread_mutex_lock(&lock);
    int reader = open(path, O_RDONLY | O_CLOEXEC); /* fd may be for writing only */
    if (!bytes || (there > 0 && pread(reader, bytes, there, (off_t)at) != (ssize_t)there))
        abort();
    close(reader);
    struct record record = {
        .kind = CHANGED, .number = ++last, .inode = file.st_ino, .at = at, .len = there, .size = size};
    put(&record, NULL, 0, bytes);
    free(bytes);
    return true;
}

static void done(void)
{
    int saved = errno;
    pthread_mutex_unlock(&lock);
    errno = saved;
}

/* ---- Changes of files ------------------------------------------------------------------------------------------- */

ssize_t write(int fd, const void *bytes, size_t len)
{
    struct stat file;
    bool appends = log_fd >= 0 && (fcntl(fd, F_GETFL) & O_APPEND) != 0 && fstat(fd, &file) == 0;
    off_t at = log_fd < 0 ? -1 : appends ? file.st_size : lseek(fd, 0, SEEK_CUR);
    bool noted = at >= 0 && before_change(fd, (uint64_t)at, len);
    ssize_t result = REAL(write)(fd, bytes, len);
    if (noted)
        done();
    return result;
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at)
{
    bool noted = before_change(fd, (uint64_t)at, len);
    ssize_t result = REAL(pwrite)(fd, bytes, len, at);
    if (noted)
        done();
    return result;
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t at)
{
    return pwrite(fd, bytes, len, at);
}

int ftruncate(int fd, off_t size)
{
    bool noted = before_change(fd, (uint64_t)size, UINT64_MAX - (uint64_t)size);
    int result = REAL(ftruncate)(fd, size);
    if (noted)
        done();
    return result;
}

int ftruncate64(int fd, off64_t size)
{
    return ftruncate(fd, size);
}

int fallocate(int fd, int mode, off_t at, off_t len)
{
    bool noted = before_change(fd, (uint64_t)at, 0);
    int result = REAL(fallocate)(fd, mode, at, len);
    if (noted)
        done();
    return result;
}

int fallocate64(int fd, int mode, off64_t at, off64_t len)
{
    return fallocate(fd, mode, at, len);
}

/* ---- Changes of folders ----------------------------------------------------------------------------------------- */

static uint64_t folder_inode(const char *path)
{
    char folder[PATH_MAX];
    struct stat found;
    snprintf(folder, sizeof folder, "%s", path);
    *strrchr(folder, '/') = '\0';
    return stat(folder, &found) == 0 ? found.st_ino : 0;
}

/* Three texts: from, to, and what was there before; "" where there is none. Takes the lock if it returns true. */
static bool before_move(uint32_t kind, const char *from, const char *to)
{
    const char *lost = kind == UNLINKED ? from : to;
    char text[3 * PATH_MAX], grave[PATH_MAX];
    if (!is_under_root(from) || strstr(from, "-shm"))
        return false;
    pthread_mutex_lock(&lock);
    int len = snprintf(grave, sizeof grave, "%s/%d-%llu", graveyard, (int)getpid(), (unsigned long long)++graves);
    if (len >= (int)sizeof grave || link(lost, grave) != 0)
        grave[0] = '\0';
    len = snprintf(text, sizeof text, "%s%c%s%c%s%c", from, 0, to, 0, grave, 0);
    struct record record = {.kind = kind, .number = ++last, .inode = folder_inode(lost)};
    put(&record, text, (size_t)len, NULL);
    return true;
}

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags)
{
    char from_path[PATH_MAX], to_path[PATH_MAX];
    bool noted = resolve(from_folder, from, from_path) && resolve(to_folder, to, to_path) &&
                 before_move(RENAMED, from_path, to_path);
    int result = REAL(renameat2)(from_folder, from, to_folder, to, flags);
    if (noted)
        done();
    return result;
}

int renameat(int from_folder, const char *from, int to_folder, const char *to)
{
    return renameat2(from_folder, from, to_folder, to, 0);
}

int rename(const char *from, const char *to)
{
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int unlinkat(int folder, const char *name, int flags)
{
    char path[PATH_MAX];
    bool noted = resolve(folder, name, path) && before_move(UNLINKED, path, "");
    int result = REAL(unlinkat)(folder, name, flags);
    if (noted)
        done();
    return result;
}

int unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}

/* ---- Syncs ------------------------------------------------------------------------------------------------------ */

static int sync_file(int fd, int (*how)(int fd))
{
    char path[PATH_MAX];
    struct stat file;
    if (log_fd < 0 || !path_of(fd, path) || !(is_under_root(path) || strcmp(path, root) == 0) || fstat(fd, &file) != 0)
        return how(fd);
    if (lies && strstr(path, lies))
        return 0;
    pthread_mutex_lock(&lock);
    uint64_t before = last;
    pthread_mutex_unlock(&lock);
    int result = how(fd);
    if (result != 0)
        return result;
    pthread_mutex_lock(&lock);
    struct record record = {.kind = SYNCED, .number = before, .inode = file.st_ino};
    put(&record, NULL, 0, NULL);
    done();
    return 0;
}

int fsync(int fd)
{
    return sync_file(fd, REAL(fsync));
}

int fdatasync(int fd)
{
    return sync_file(fd, REAL(fdatasync));
}
