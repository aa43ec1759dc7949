#include "vfs_powercut.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

enum { SECTOR_BYTES = 512, FILES_MAX = 8, PATH_BYTES = 512 };

/* A write (or, without bytes, a truncation) that has not been synced. */
struct change {
    struct change *next;
    uint64_t offset, size;
    uint8_t *bytes;
};

struct image {
    char path[PATH_BYTES];
    uint8_t *bytes; /* as synced */
    uint64_t size, capacity;
    struct change *first, **last;
};

struct file {
    sqlite3_file base;
    struct image *image;
    sqlite3_file *real; /* behind this struct */
};

static struct powercut plan;
static uint64_t calls, syncs;
static bool failed;
static sqlite3_vfs *system_vfs;
static struct image images[FILES_MAX];

/* ---- Images ------------------------------------------------------------------------------------------------------------ */

static void resize(struct image *image, uint64_t size)
{
    if (size > image->capacity) {
        image->capacity = size * 2;
        image->bytes = realloc(image->bytes, image->capacity);
        if (!image->bytes)
            abort();
    }
    if (size > image->size)
        memset(image->bytes + image->size, 0, size - image->size);
    image->size = size;
}

static void apply(struct image *image, const struct change *change)
{
    if (!change->bytes) {
        resize(image, change->offset);
        return;
    }
    if (change->offset + change->size > image->size)
        resize(image, change->offset + change->size);
    memcpy(image->bytes + change->offset, change->bytes, change->size);
}

static void forget(struct image *image)
{
    for (struct change *change = image->first, *next; change; change = next) {
        next = change->next;
        free(change->bytes);
        free(change);
    }
    image->first = NULL;
    image->last = &image->first;
}

static void remember(struct image *image, const void *bytes, uint64_t size, uint64_t offset)
{
    struct change *change = calloc(1, sizeof *change);
    if (!change)
        abort();
    change->offset = offset;
    change->size = size;
    if (bytes) {
        change->bytes = malloc(size ? size : 1);
        if (!change->bytes)
            abort();
        memcpy(change->bytes, bytes, size);
    }
    *image->last = change;
    image->last = &change->next;
}

static struct image *image_of(const char *path)
{
    for (int i = 0; i < FILES_MAX; i++)
        if (strcmp(images[i].path, path) == 0)
            return &images[i];
    struct image *image = images;
    while (image < images + FILES_MAX && image->path[0])
        image++;
    if (image == images + FILES_MAX || strlen(path) >= PATH_BYTES)
        abort();
    strcpy(image->path, path);
    image->last = &image->first;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (fd >= 0 && fstat(fd, &status) == 0 && status.st_size > 0) {
        resize(image, (uint64_t)status.st_size);
        if (read(fd, image->bytes, image->size) != (ssize_t)image->size)
            abort();
    }
    if (fd >= 0)
        close(fd);
    return image;
}

/* ---- The power fails ------------------------------------------------------------------------------------------------------ */

static uint64_t dice(void)
{
    uint64_t x = plan.seed += 0x9e3779b97f4a7c15ULL; /* splitmix64 */
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
    return x ^ x >> 31;
}

/* Half of the sectors of half of the changes had reached the disk. */
static void tear(struct image *image)
{
    for (const struct change *change = image->first; change; change = change->next) {
        if (dice() & 1)
            continue;
        if (!change->bytes) {
            apply(image, change);
            continue;
        }
        for (uint64_t at = 0; at < change->size; at += SECTOR_BYTES) {
            uint64_t left = change->size - at;
            struct change sector = {.offset = change->offset + at,
                                    .size = left < SECTOR_BYTES ? left : SECTOR_BYTES,
                                    .bytes = change->bytes + at};
            if (dice() & 1)
                apply(image, &sector);
        }
    }
}

static _Noreturn void power_fails(void)
{
    for (int i = 0; i < FILES_MAX; i++) {
        struct image *image = &images[i];
        if (!image->path[0] || access(image->path, F_OK) != 0)
            continue;
        if (plan.torn)
            tear(image);
        int fd = open(image->path, O_WRONLY | O_TRUNC | O_CLOEXEC);
        if (fd < 0 || (image->size && write(fd, image->bytes, image->size) != (ssize_t)image->size))
            abort();
        close(fd);
    }
    if (plan.also)
        plan.also();
    _exit(POWERCUT_EXIT);
}

void powercut_count(void)
{
    calls++;
    if (calls == plan.cut_at && !plan.syncs_only)
        power_fails();
}

/* Counts a write or sync. True: it is to fail. */
static bool counted(struct image *image, const void *bytes, uint64_t size, uint64_t offset)
{
    calls++;
    syncs += bytes == NULL;
    uint64_t at = !plan.syncs_only ? calls : bytes ? 0 : syncs;
    if (at && at == plan.cut_at) {
        if (bytes)
            remember(image, bytes, size, offset); /* it was under way */
        power_fails();
    }
    failed |= at && at == plan.error_at;
    return at && at == plan.error_at;
}

/* ---- Files ------------------------------------------------------------------------------------------------------------------ */

#define REAL(file) (((struct file *)(file))->real)

static int file_close(sqlite3_file *file)
{
    int result = REAL(file)->pMethods ? REAL(file)->pMethods->xClose(REAL(file)) : SQLITE_OK;
    return result;
}

static int file_read(sqlite3_file *file, void *bytes, int size, sqlite3_int64 offset)
{
    return REAL(file)->pMethods->xRead(REAL(file), bytes, size, offset);
}

static int file_write(sqlite3_file *file, const void *bytes, int size, sqlite3_int64 offset)
{
    struct image *image = ((struct file *)file)->image;
    if (counted(image, bytes, (uint64_t)size, (uint64_t)offset))
        return SQLITE_IOERR_WRITE;
    remember(image, bytes, (uint64_t)size, (uint64_t)offset);
    return REAL(file)->pMethods->xWrite(REAL(file), bytes, size, offset);
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    remember(((struct file *)file)->image, NULL, 0, (uint64_t)size);
    return REAL(file)->pMethods->xTruncate(REAL(file), size);
}

static int file_sync(sqlite3_file *file, int flags)
{
    struct image *image = ((struct file *)file)->image;
    (void)flags; /* the files are where syncing is of no use: the image is what counts */
    if (counted(image, NULL, 0, 0))
        return SQLITE_IOERR_FSYNC;
    size_t length = strlen(image->path);
    if (plan.deaf_to_wal && length > 4 && strcmp(image->path + length - 4, "-wal") == 0)
        return SQLITE_OK;
    for (const struct change *change = image->first; change; change = change->next)
        apply(image, change);
    forget(image);
    return SQLITE_OK;
}

static int file_size(sqlite3_file *file, sqlite3_int64 *size)
{
    return REAL(file)->pMethods->xFileSize(REAL(file), size);
}

static int file_lock(sqlite3_file *file, int lock)
{
    return REAL(file)->pMethods->xLock(REAL(file), lock);
}

static int file_unlock(sqlite3_file *file, int lock)
{
    return REAL(file)->pMethods->xUnlock(REAL(file), lock);
}

static int file_reserved(sqlite3_file *file, int *reserved)
{
    return REAL(file)->pMethods->xCheckReservedLock(REAL(file), reserved);
}

static int file_control(sqlite3_file *file, int op, void *arg)
{
    return REAL(file)->pMethods->xFileControl(REAL(file), op, arg);
}

static int file_sector(sqlite3_file *file)
{
    (void)file;
    return SECTOR_BYTES;
}

/* Nothing is promised of the disk: no atomic writes, and no power-safe overwrite. */
static int file_characteristics(sqlite3_file *file)
{
    (void)file;
    return 0;
}

static int file_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
    static const sqlite3_io_methods methods = {.iVersion = 1,
                                               .xClose = file_close,
                                               .xRead = file_read,
                                               .xWrite = file_write,
                                               .xTruncate = file_truncate,
                                               .xSync = file_sync,
                                               .xFileSize = file_size,
                                               .xLock = file_lock,
                                               .xUnlock = file_unlock,
                                               .xCheckReservedLock = file_reserved,
                                               .xFileControl = file_control,
                                               .xSectorSize = file_sector,
                                               .xDeviceCharacteristics = file_characteristics};
    struct file *self = (struct file *)file;
    (void)vfs;
    *self = (struct file){.real = (sqlite3_file *)(self + 1)};
    if (!name)
        abort(); /* temporary files are in memory here, or the test has to learn of them */
    self->image = image_of(name);
    int result = system_vfs->xOpen(system_vfs, name, self->real, flags, out_flags);
    if (result == SQLITE_OK)
        self->base.pMethods = &methods;
    return result;
}

static int file_delete(sqlite3_vfs *vfs, const char *name, int sync_directory)
{
    struct image *image = image_of(name);
    (void)vfs;
    forget(image);
    image->size = 0;
    return system_vfs->xDelete(system_vfs, name, sync_directory);
}

void powercut_install(const struct powercut *powercut)
{
    static sqlite3_vfs vfs;
    plan = *powercut;
    system_vfs = sqlite3_vfs_find(NULL);
    vfs = *system_vfs;
    vfs.pNext = NULL;
    vfs.zName = "powercut";
    vfs.szOsFile = (int)sizeof(struct file) + system_vfs->szOsFile;
    vfs.xOpen = file_open;
    vfs.xDelete = file_delete;
    sqlite3_vfs_register(&vfs, 1);
}

uint64_t powercut_calls(void)
{
    return calls;
}

uint64_t powercut_syncs(void)
{
    return syncs;
}

bool powercut_failed(void)
{
    return failed;
}
