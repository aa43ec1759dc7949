#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal_internal.h"

enum { BUSY_MS = 5000 };

/* ---- Opening ---------------------------------------------------------------------------------------------------- */

bool journal_failed(struct journal *self, const char *what)
{
    snprintf(self->error, sizeof self->error, "the journal cannot %s: %s", what, sqlite3_errmsg(self->db));
    return false;
}

static bool lock(struct journal *self, const char *dir)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/adapter.lock", dir);
    self->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (self->lock_fd >= 0 && flock(self->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return true;
    if (errno == EWOULDBLOCK)
        snprintf(self->error, sizeof self->error, "another adapter runs on %s; each needs a state-dir of its own", dir);
    else
        snprintf(self->error, sizeof self->error, "cannot lock %.400s: %s", path, strerror(errno));
    return false;
}

static bool execute(struct journal *self, const char *text)
{
    return sqlite3_exec(self->db, text, NULL, NULL, NULL) == SQLITE_OK || journal_failed(self, "be set up");
}

static int schema_version(struct journal *self)
{
    sqlite3_stmt *statement;
    int version = -1;
    if (sqlite3_prepare_v2(self->db, "PRAGMA user_version", -1, &statement, NULL) != SQLITE_OK)
        return -1;
    if (sqlite3_step(statement) == SQLITE_ROW)
        version = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return version;
}

/* Brings it up to date, step by step, in one transaction; another process that does so at the same time is waited for.
 */
static bool prepare_schema(struct journal *self)
{
    char set_version[64];
    if (schema_version(self) == JOURNAL_VERSION)
        return true;
    bool ok = execute(self, "BEGIN IMMEDIATE");
    int version = ok ? schema_version(self) : 0;
    if (version < 0)
        return journal_failed(self, "be read");
    if (version > JOURNAL_VERSION) {
        snprintf(self->error, sizeof self->error,
                 "the journal is of version %d; this program knows versions up to %d: run the newer program", version,
                 JOURNAL_VERSION);
        return false;
    }
    for (; ok && version < JOURNAL_VERSION; version++)
        ok = execute(self, journal_schema[version]);
    snprintf(set_version, sizeof set_version, "PRAGMA user_version = %d", JOURNAL_VERSION);
    return ok && execute(self, set_version) && execute(self, "COMMIT");
}

/* `make`: what is not there. Whoever only looks would make files that are not the adapter's user's. */
static bool open_database(struct journal *self, const char *dir, bool make)
{
    char path[PATH_MAX], key[PATH_MAX];
    snprintf(path, sizeof path, "%s/journal.db", dir ? dir : "");
    snprintf(key, sizeof key, "%s/journal.key", dir ? dir : "");
    bool is_new = dir && access(path, F_OK) != 0;
    if (is_new && !make) {
        snprintf(self->error, sizeof self->error, "%.400s: %s; no adapter has run on this state-dir yet", path,
                 strerror(errno));
        return false;
    }
    self->seal = seal_new(dir ? key : NULL, is_new, self->error, sizeof self->error);
    if (!self->seal)
        return false;
    if (sqlite3_open_v2(dir ? path : ":memory:", &self->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) !=
        SQLITE_OK)
        return journal_failed(self, "be opened");
    sqlite3_busy_timeout(self->db, BUSY_MS);
    /* FULL: what is committed survives a power cut. secure_delete: what is forgotten is gone from the file too. */
    if (!execute(self, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;") ||
        (dir && chmod(path, 0600) != 0) || !prepare_schema(self))
        return self->error[0] != '\0' ? false : journal_failed(self, "be made private");
    for (int i = 0; i < STATEMENTS; i++)
        if (sqlite3_prepare_v3(self->db, journal_sql[i], -1, SQLITE_PREPARE_PERSISTENT, &self->statements[i], NULL) !=
            SQLITE_OK)
            return journal_failed(self, "be used");
    return true;
}

/* Made, or there; a new one is still there after a power cut. False with errno. */
static bool make_directory(const char *dir)
{
    char parent[PATH_MAX];
    if (mkdir(dir, 0700) != 0)
        return errno == EEXIST;
    snprintf(parent, sizeof parent, "%s/..", dir);
    int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    int saved = errno;
    if (fd >= 0)
        close(fd);
    errno = saved;
    return ok;
}

struct journal *journal_open(const char *dir, bool exclusive, char error[JOURNAL_ERROR_BYTES])
{
    struct journal *self = calloc(1, sizeof *self);
    snprintf(error, JOURNAL_ERROR_BYTES, "out of memory");
    if (!self)
        return NULL;
    self->lock_fd = -1;
    bool ok = true;
    if (dir && exclusive && !make_directory(dir)) {
        snprintf(self->error, sizeof self->error, "cannot make the state directory %s: %s", dir, strerror(errno));
        ok = false;
    }
    if (ok && (!dir || !exclusive || lock(self, dir)) && open_database(self, dir, exclusive))
        return self;
    snprintf(error, JOURNAL_ERROR_BYTES, "%s", self->error);
    journal_close(&self);
    return NULL;
}

void journal_close(struct journal **self)
{
    struct journal *journal = *self;
    if (!journal)
        return;
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(journal->statements[i]);
    sqlite3_close(journal->db);
    seal_destroy(&journal->seal);
    if (journal->lock_fd >= 0)
        close(journal->lock_fd);
    free(journal);
    *self = NULL;
}

/* ---- Statements ------------------------------------------------------------------------------------------------- */

sqlite3_stmt *journal_statement(struct journal *self, enum statement which)
{
    sqlite3_reset(self->statements[which]);
    sqlite3_clear_bindings(self->statements[which]);
    return self->statements[which];
}

void journal_put_blob(sqlite3_stmt *s, int at, const void *bytes, size_t size)
{
    sqlite3_bind_blob(s, at, bytes, (int)size, SQLITE_TRANSIENT);
}

bool journal_run(struct journal *self, sqlite3_stmt *s, const char *what)
{
    bool done = sqlite3_step(s) == SQLITE_DONE;
    if (!done)
        journal_failed(self, what);
    sqlite3_reset(s);
    return done;
}

bool journal_begin(struct journal *self)
{
    return journal_run(self, journal_statement(self, BEGIN), "be written to");
}

bool journal_commit(struct journal *self)
{
    if (journal_run(self, journal_statement(self, COMMIT), "be written to"))
        return true;
    journal_rollback(self);
    return false;
}

void journal_rollback(struct journal *self)
{
    self->held_known = false;
    if (!sqlite3_get_autocommit(self->db))
        journal_run(self, journal_statement(self, ROLLBACK), "be rolled back");
}

bool journal_goes_on(const struct journal *self)
{
    return !sqlite3_get_autocommit(self->db);
}

const char *journal_error(const struct journal *self)
{
    return self->error;
}

/* ---- What is sealed --------------------------------------------------------------------------------------------- */

bool journal_damaged(struct journal *self)
{
    snprintf(self->error, sizeof self->error,
             "an entry of the journal is damaged, or the key beside it is another one; restore both together");
    return false;
}

bool journal_put_sealed(struct journal *self, sqlite3_stmt *s, int at, const char *what,
                        const uint8_t name[SEAL_NAME_BYTES], const void *plain, size_t len)
{
    uint8_t *sealed = malloc(len + SEAL_OVERHEAD_BYTES);
    if (!sealed) {
        snprintf(self->error, sizeof self->error, "out of memory");
        return false;
    }
    seal_put(self->seal, what, name, plain, len, sealed);
    journal_put_blob(s, at, sealed, len + SEAL_OVERHEAD_BYTES);
    free(sealed);
    return true;
}

uint8_t *journal_open_sealed(struct journal *self, sqlite3_stmt *s, int column, const char *what,
                             const uint8_t name[SEAL_NAME_BYTES], size_t *len)
{
    const uint8_t *sealed = sqlite3_column_blob(s, column);
    size_t size = (size_t)sqlite3_column_bytes(s, column);
    uint8_t *plain = size >= SEAL_OVERHEAD_BYTES ? malloc(size) : NULL;
    if (plain && seal_get(self->seal, what, name, sealed, size, plain)) {
        *len = size - SEAL_OVERHEAD_BYTES;
        plain[*len] = 0;
        return plain;
    }
    free(plain);
    journal_damaged(self);
    return NULL;
}

void journal_message_name(const struct journal *self, const struct carehub_message *message,
                          uint8_t name[SEAL_NAME_BYTES])
{
    seal_name(self->seal, message->key, sizeof message->key, name);
}
