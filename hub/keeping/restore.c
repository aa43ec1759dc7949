#include "restore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>

#include "backup_file.h"
#include "restore_erased.h"
#include "erasure.h"
#include "store/directory.h"
#include "store/keyring.h"
#include "store/log.h"
#include "store/scrub.h"
#include "store/store.h"
#include "store/vault.h"

enum { CHECKED_AT_ONCE = 4096, SUFFIXES_MAX_BYTES = 64 };

static bool wrong(char error[CORE_ERROR_BYTES], const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool wrong(char error[CORE_ERROR_BYTES], const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error, CORE_ERROR_BYTES, format, args);
    va_end(args);
    return false;
}

static void tell(const struct restore *restore, const char *doing, uint64_t done, uint64_t total)
{
    if (restore->progress)
        restore->progress(restore->ctx, doing, done, total);
}

/* ---- Opening the backup into a file ------------------------------------------------------------------------------ */

struct opening {
    struct restore *restore;
    FILE *in, *out;
    uint64_t size; /* of the backup's file */
    struct backup_header header;
    struct backup_seal seal;
    uint8_t sealed[BACKUP_SEALED_CHUNK_BYTES], plain[BACKUP_CHUNK_BYTES];
};

static bool header_take(struct opening *opening, struct vault *vault, char error[CORE_ERROR_BYTES])
{
    char text[BACKUP_HEADER_MAX_BYTES];
    const char *path = opening->restore->backup_path;
    size_t n = fread(text, 1, sizeof text, opening->in);
    size_t size = backup_header_read(text, n, &opening->header);
    if (!size)
        return wrong(error, "%s is not a backup of a hub, or was made by a later version", path);
    const uint8_t *key = vault_epoch_key(vault, opening->header.epoch);
    if (!key)
        return wrong(
            error,
            "the key of epoch %u, with which %s is sealed, is not in the keyring: either it has been destroyed, "
            "and nobody can open the backup any more, or this is another hub's keyring",
            opening->header.epoch, path);
    backup_seal_init(&opening->seal, key, &opening->header);
    opening->restore->place = opening->header.place;
    opening->restore->taken_ms = opening->header.taken_ms;
    return fseeko(opening->in, (off_t)size, SEEK_SET) == 0 || wrong(error, "cannot read %s: %s", path, strerror(errno));
}

static bool chunks_take(struct opening *opening, char error[CORE_ERROR_BYTES])
{
    const char *path = opening->restore->backup_path;
    bool last = false;
    for (uint64_t index = 0; !last; index++) {
        size_t size = fread(opening->sealed, 1, sizeof opening->sealed, opening->in);
        uint64_t at = (uint64_t)ftello(opening->in);
        last = at >= opening->size;
        if (ferror(opening->in))
            return wrong(error, "cannot read %s: %s", path, strerror(errno));
        if (!backup_chunk_open(&opening->seal, index, last, opening->sealed, size, opening->plain))
            return wrong(error, "%s is damaged, was altered or cut short at byte %llu, or is another hub's", path,
                         (unsigned long long)(at - size));
        if (fwrite(opening->plain, 1, size - VAULT_OVERHEAD_BYTES, opening->out) != size - VAULT_OVERHEAD_BYTES)
            return wrong(error, "cannot write beside the database: %s", strerror(errno));
        tell(opening->restore, "opening", at, opening->size);
    }
    return true;
}

static bool backup_unseal(struct restore *restore, struct vault *vault, const char *to, char error[CORE_ERROR_BYTES])
{
    struct stat status = {0};
    struct opening *opening = xcalloc(1, sizeof *opening);
    opening->restore = restore;
    opening->in = fopen(restore->backup_path, "re");
    opening->out = opening->in ? fopen(to, "we") : NULL;
    bool good = opening->out && fstat(fileno(opening->in), &status) == 0;
    if (!good)
        wrong(error, "cannot open %s: %s", opening->in ? to : restore->backup_path, strerror(errno));
    opening->size = (uint64_t)status.st_size;
    good = good && header_take(opening, vault, error) && chunks_take(opening, error);
    if (good && (fflush(opening->out) != 0 || fsync(fileno(opening->out)) != 0))
        good = wrong(error, "cannot write %s: %s", to, strerror(errno));
    if (opening->out && fclose(opening->out) != 0 && good)
        good = wrong(error, "cannot write %s: %s", to, strerror(errno));
    if (opening->in)
        fclose(opening->in);
    sodium_memzero(opening, sizeof *opening);
    free(opening);
    return good;
}

/* ---- Checking what came out of it -------------------------------------------------------------------------------- */

/* What the hub says of its safety is to be true of what is there now: its next start looks at everything, and this is
 * the last backup. */
static void note_restored(const struct restore *restore, struct store *store)
{
    store_begin(store);
    store_number_put(store, "scrubbed-ms", 0);
    store_number_put(store, "backed-up-ms", restore->taken_ms);
    store_commit(store);
}

static bool rows_check(struct restore *restore, struct vault *vault, const char *path,
                       const struct restore_erasures *erasures, char error[CORE_ERROR_BYTES])
{
    struct scrub scrub = {0};
    int64_t at_ms;
    struct store *store = store_open(path, vault, NULL, error);
    if (!store)
        return false;
    struct log *log = log_sqlite_open(store);
    convert_stored(store, log);
    scrub.pruned = (uint64_t)store_number_get(store, "pruned-place", 0);
    uint64_t last = log->functions->last(log, &at_ms);
    while (scrub_some(&scrub, store, log, last, CHECKED_AT_ONCE)) {
        restore->rows = scrub.rows;
        tell(restore, "checking", scrub.place, last);
    }
    bool whole = !scrub.damaged && last == restore->place;
    if (whole) {
        restore_erasures_take(restore, erasures, store, log);
        note_restored(restore, store);
    }
    log->functions->close(&log);
    store_close(&store);
    if (scrub.damaged)
        return wrong(error, "%llu of the backup's rows are damaged: it is not used. Take an older one",
                     (unsigned long long)scrub.damaged);
    return whole || wrong(error, "the backup ends at entry %llu, and should at %llu: it is not used",
                          (unsigned long long)last, (unsigned long long)restore->place);
}

/* ---- Taking the database's place --------------------------------------------------------------------------------- */

static void beside(char path[RESTORE_PATH_BYTES], const char *database, const char *suffix)
{
    snprintf(path, RESTORE_PATH_BYTES, "%.*s%s", RESTORE_PATH_BYTES - SUFFIXES_MAX_BYTES, database, suffix);
}

static bool link_if_there(const char *from, const char *to)
{
    return link(from, to) == 0 || errno == ENOENT;
}

static bool unlink_if_there(const char *path)
{
    return unlink(path) == 0 || errno == ENOENT;
}

/* Moves what is in the write-ahead log into the file itself, so that this alone is whole. If the database is too
 * damaged for that, its log is kept with it. */
static void checkpoint(const char *database)
{
    sqlite3 *db = NULL;
    if (sqlite3_open_v2(database, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK)
        sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    sqlite3_close(db);
}

static bool keep_old(struct restore *restore, char error[CORE_ERROR_BYTES])
{
    const char *database = restore->database_path;
    char suffix[48], wal[RESTORE_PATH_BYTES], shm[RESTORE_PATH_BYTES], kept_wal[RESTORE_PATH_BYTES];
    struct tm now;
    time_t clock = time(NULL);
    if (access(database, F_OK) != 0)
        return true;
    checkpoint(database);
    strftime(suffix, sizeof suffix, ".replaced-%Y%m%dT%H%M%SZ", gmtime_r(&clock, &now));
    beside(restore->replaced, database, suffix);
    beside(kept_wal, restore->replaced, "-wal");
    beside(wal, database, "-wal");
    beside(shm, database, "-shm");
    return (link(database, restore->replaced) == 0 && link_if_there(wal, kept_wal) && directory_sync(database) &&
            unlink_if_there(wal) && unlink_if_there(shm)) ||
           wrong(error, "cannot keep the old database as %s: %s", restore->replaced, strerror(errno));
}

/* The old database gets a second name; then the new file takes its first one, in one step. */
static bool take_place(struct restore *restore, const char *new, char error[CORE_ERROR_BYTES])
{
    const char *database = restore->database_path;
    if (!keep_old(restore, error))
        return false;
    return (directory_sync(database) && rename(new, database) == 0 && directory_sync(database)) ||
           wrong(error, "cannot put the restored database in the place of %s: %s", database, strerror(errno));
}

/* What stands beside a database while it is being made. */
static void companions_remove(const char *path)
{
    static const char *const suffixes[] = {"-wal", "-shm", ".keyring"};
    char name[RESTORE_PATH_BYTES];
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        beside(name, path, suffixes[i]);
        unlink(name);
    }
}

/* Opens the keyring; the database that is being made is to find it under its own name, too. */
static bool keys_take(struct restore *restore, struct vault *vault, const char *new, char error[CORE_ERROR_BYTES])
{
    struct keyring keyring;
    char name[RESTORE_PATH_BYTES];
    if (strlen(restore->database_path) > RESTORE_PATH_BYTES - 2 * SUFFIXES_MAX_BYTES ||
        !keyring_init(&keyring, restore->database_path, NULL, vault))
        return wrong(error, "the name of the database is too long");
    switch (keyring_load(&keyring, error)) {
    case KEYRING_OK:
        /* Another file, not another name: whoever replaces a keyring overwrites the old one's bytes. */
        beside(name, new, ".keyring");
        unlink(name);
        snprintf(keyring.path, sizeof keyring.path, "%s", name);
        return keyring_write(&keyring, error);
    case KEYRING_MISSING:
        return wrong(error, "%s is missing: put the hub's keyring there first; without it nothing of a backup opens",
                     keyring.path);
    case KEYRING_BAD:
        break;
    }
    return false;
}

bool core_restore(struct restore *restore, char error[CORE_ERROR_BYTES])
{
    char new[RESTORE_PATH_BYTES];
    beside(new, restore->database_path, ".restoring");
    unlink(new);
    companions_remove(new);
    struct vault *vault = vault_new(restore->master_key);
    struct restore_erasures *erasures = xcalloc(1, sizeof *erasures);
    bool good = keys_take(restore, vault, new, error) && backup_unseal(restore, vault, new, error);
    if (good) {
        restore_erasures_read(restore, erasures);
        good = rows_check(restore, vault, new, erasures, error);
    }
    free(erasures);
    vault_destroy(&vault);
    companions_remove(new);
    good = good && take_place(restore, new, error);
    if (!good)
        unlink(new);
    return good;
}
