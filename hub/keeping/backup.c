/* An online backup: SQLite copies the database on the core's own connection, some pages after each commit, and brings
 * the copy up to date where the traffic meanwhile changes what it has copied. So what comes out is the state as of one
 * place of the log. The copy stands beside the database until it is whole; then it is only an open file without a name,
 * and is sealed and handed out piece by piece as the operator's client asks for it. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "backup_file.h"
#include "keeping.h"
#include "query/query.h"

enum {
    PAGES_PER_SLICE = 64, /* a fraction of a millisecond */
    SILENT_MAX_MS = 600000,
    PATH_BYTES = 4096,
};

struct backup {
    session_id session;
    struct backup_header header;
    char path[PATH_BYTES]; /* of the copy, while it is being made */
    sqlite3 *copy;
    sqlite3_backup *going; /* NULL: the copy is whole */
    int fd;                /* the whole copy; -1: not yet */
    uint64_t plain_size, size;
    struct backup_seal seal;
    int64_t asked_ms;
    bool failed;
};

static void copy_path(struct core *core, char path[PATH_BYTES])
{
    snprintf(path, PATH_BYTES, "%s.backup", store_path(core->store));
}

void backup_tidy(struct core *core)
{
    char path[PATH_BYTES];
    copy_path(core, path);
    unlink(path);
}

void backup_end(struct core *core)
{
    struct backup *backup = core->backup;
    if (!backup)
        return;
    if (backup->going)
        sqlite3_backup_finish(backup->going);
    sqlite3_close(backup->copy);
    if (backup->fd >= 0)
        close(backup->fd);
    else
        unlink(backup->path);
    sodium_memzero(backup, sizeof *backup);
    free(backup);
    core->backup = NULL;
}

/* ---- Copying ---------------------------------------------------------------------------------------------------- */

/* The copy needs no journal and no syncs: it is gone after a crash. */
static bool copy_open(struct core *core, struct backup *backup)
{
    copy_path(core, backup->path);
    unlink(backup->path);
    if (sqlite3_open_v2(backup->path, &backup->copy, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK ||
        sqlite3_exec(backup->copy, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;", NULL, NULL, NULL) != SQLITE_OK)
        return false;
    backup->going = sqlite3_backup_init(backup->copy, "main", store_database(core->store), "main");
    return backup->going != NULL;
}

/* The copy is whole: as of now. */
static bool copy_take(struct core *core, struct backup *backup)
{
    struct stat status;
    int result = sqlite3_backup_finish(backup->going);
    backup->going = NULL;
    if (result != SQLITE_OK || sqlite3_close(backup->copy) != SQLITE_OK)
        return false;
    backup->copy = NULL;
    backup->fd = open(backup->path, O_RDONLY | O_CLOEXEC);
    if (backup->fd < 0 || fstat(backup->fd, &status) != 0)
        return false;
    unlink(backup->path);
    char text[BACKUP_HEADER_MAX_BYTES];
    backup->header.place = core->committed_place;
    backup->header.taken_ms = core->now_ms;
    backup->header.epoch = vault_epoch_current(core->vault);
    backup_seal_init(&backup->seal, vault_epoch_key(core->vault, backup->header.epoch), &backup->header);
    backup->plain_size = (uint64_t)status.st_size;
    uint64_t chunks = (backup->plain_size + BACKUP_CHUNK_BYTES - 1) / BACKUP_CHUNK_BYTES;
    backup->size = backup_header_write(&backup->header, text) + backup->plain_size + chunks * VAULT_OVERHEAD_BYTES;
    return true;
}

bool backup_copies(const struct core *core)
{
    return core->backup && core->backup->going && !core->backup->failed;
}

void backup_step(struct core *core)
{
    struct backup *backup = core->backup;
    if (!backup || core->open) /* SQLite copies between transactions only */
        return;
    if (!u64map_get(&core->sessions, backup->session) || core->real_ms > backup->asked_ms + SILENT_MAX_MS) {
        backup_end(core);
        return;
    }
    if (!backup_copies(core))
        return;
    int result = sqlite3_backup_step(backup->going, PAGES_PER_SLICE);
    if (result == SQLITE_DONE)
        backup->failed = !copy_take(core, backup);
    else if (result != SQLITE_OK && result != SQLITE_BUSY && result != SQLITE_LOCKED)
        backup->failed = true;
    if (backup->failed)
        say(3, "the copy for a backup could not be made: %s",
            sqlite3_errstr(result == SQLITE_DONE ? SQLITE_IOERR : result));
}

/* ---- Handing it out --------------------------------------------------------------------------------------------- */

static bool read_all(int fd, uint64_t offset, uint8_t *bytes, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = pread(fd, bytes + done, size - done, (off_t)(offset + done));
        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    return true;
}

/* The piece at an offset: the header, or a sealed chunk. False: there is none there, or it cannot be read. */
static bool piece(struct core *core, struct backup *backup, uint64_t offset, ProtobufCBinaryData *to)
{
    char text[BACKUP_HEADER_MAX_BYTES];
    size_t header_size = backup_header_write(&backup->header, text);
    if (offset == 0) {
        *to = (ProtobufCBinaryData){header_size, arena_copy(&core->batch, text, header_size)};
        return true;
    }
    uint64_t index = (offset - header_size) / BACKUP_SEALED_CHUNK_BYTES, from = index * BACKUP_CHUNK_BYTES;
    if (offset < header_size || (offset - header_size) % BACKUP_SEALED_CHUNK_BYTES != 0 || from >= backup->plain_size)
        return false;
    uint64_t left = backup->plain_size - from;
    size_t size = left < BACKUP_CHUNK_BYTES ? (size_t)left : BACKUP_CHUNK_BYTES;
    uint8_t *plain = arena_alloc(&core->scratch, size);
    to->len = size + VAULT_OVERHEAD_BYTES;
    to->data = arena_alloc(&core->batch, to->len);
    if (!read_all(backup->fd, from, plain, size))
        return false;
    backup_chunk_seal(&backup->seal, core->vault, index, size == left, plain, size, to->data);
    return true;
}

static bool begin(struct core *core, struct session *session, Error **error)
{
    if (core->backup)
        return refuse(core, error, ERROR_CODE(BUSY), "backup",
                      "another backup is being made: try again when it is done");
    if (store_free_bytes(core->store) < store_size_bytes(core->store) + core->disk_reserve_bytes)
        return refuse(core, error, ERROR_CODE(DISK_FULL), "backup",
                      "the copy needs as much room beside the database as the database has; make room first");
    struct backup *backup = core->backup = xcalloc(1, sizeof *backup);
    backup->session = session->id;
    backup->fd = -1;
    vault_random(core->vault, backup->header.id, sizeof backup->header.id);
    snprintf(backup->header.hub, sizeof backup->header.hub, "%s", core->hub_name);
    if (!copy_open(core, backup)) {
        backup_end(core);
        return refuse(core, error, ERROR_CODE(INTERNAL), "backup",
                      "the copy beside the database cannot be made: see the rights and the room of its directory");
    }
    log_reading(core, session, "backup", 0, 0, 0);
    return true;
}

static bool is_its(const struct backup *backup, const struct session *session, const ProtobufCBinaryData *id)
{
    return backup && backup->session == session->id && id->len == BACKUP_ID_BYTES &&
           memcmp(id->data, backup->header.id, BACKUP_ID_BYTES) == 0;
}

/* Where it stands, or the piece that was asked for. */
static bool tell(struct core *core, struct backup *backup, const Carehub__V1__BackupQuery *asked,
                 Carehub__V1__BackupAnswer *to, Error **error)
{
    to->id = (ProtobufCBinaryData){BACKUP_ID_BYTES, backup->header.id};
    if (backup->failed)
        return refuse(core, error, ERROR_CODE(INTERNAL), "backup",
                      "the copy could not be made: the hub's own log says why; is its disk full?");
    if (backup->going) {
        to->pages = (uint64_t)sqlite3_backup_pagecount(backup->going);
        to->pages_copied = to->pages - (uint64_t)sqlite3_backup_remaining(backup->going);
        return true;
    }
    to->size = backup->size;
    to->place = backup->header.place;
    to->taken_ms = backup->header.taken_ms;
    to->epoch = backup->header.epoch;
    if (asked->id.len && !piece(core, backup, asked->offset, &to->piece))
        return refuse(core, error, ERROR_CODE(INVALID), "offset",
                      "there is no piece at that offset, or it cannot be read");
    to->next_offset = asked->offset + to->piece.len;
    return true;
}

void backup_query(struct core *core, struct session *session, const Carehub__V1__Query *query,
                  Carehub__V1__Answer *answer)
{
    const Carehub__V1__BackupQuery *asked = query->backup;
    NEW(core, BackupAnswer, backup);
    if (asked->id.len == 0 && !begin(core, session, &answer->error))
        return;
    if (asked->id.len && !is_its(core->backup, session, &asked->id)) {
        refuse(core, &answer->error, ERROR_CODE(UNKNOWN_NAME), "id", "there is no such backup any more: begin another");
        return;
    }
    core->backup->asked_ms = core->real_ms;
    if (!asked->end) {
        if (!tell(core, core->backup, asked, backup, &answer->error))
            return;
    } else {
        if (core->backup->size && asked->offset == core->backup->size) {
            batch_open(core);
            core->backed_up_ms = core->backup->header.taken_ms;
            store_number_put(core->store, "backed-up-ms", core->backed_up_ms);
        }
        backup_end(core);
    }
    answer->answer_case = CAREHUB__V1__ANSWER__ANSWER_BACKUP;
    answer->backup = backup;
}
