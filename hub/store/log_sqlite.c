/* The embedded log: entries in the store's own file, durable when SQLite's COMMIT (WAL, synchronous=FULL) returns.
 *
 * A row's body is salt, content and entry, sealed with the log's key; its payload is the payload's salt and the
 * payload, sealed with the subject's. A body of no bytes: the entry has been erased. No payload: there never was one
 * (content is all zero), or it is no longer kept. */
#include "log_sqlite.h"

#include <stdlib.h>
#include <string.h>

enum { BODY_HEAD_BYTES = SALT_BYTES + CONTENT_BYTES };

static const uint8_t NO_CONTENT[CONTENT_BYTES];

struct entry_ad entry_ad(char part, const struct log_record *record)
{
    struct entry_ad ad;
    memset(&ad, 0, sizeof ad); /* padding is part of what is authenticated */
    ad.part = part;
    ad.place = record->place;
    ad.at_ms = record->at_ms;
    memcpy(ad.leaf, record->leaf, LEAF_BYTES);
    return ad;
}

static void begin(struct log *log)
{
    store_begin(((struct log_sqlite *)log)->store);
}

static void commit(struct log *log)
{
    store_commit(((struct log_sqlite *)log)->store);
}

void log_sqlite_bind(struct log_sqlite *self, struct log_record *record, const uint8_t subject_key[VAULT_KEY_BYTES],
                     sqlite3_stmt *statement, int first)
{
    size_t head_size = BODY_HEAD_BYTES + record->entry_size, payload_size = 0;
    uint8_t *payload = NULL, *plain = arena_alloc(&self->seal, head_size);
    vault_random(self->vault, record->salt, SALT_BYTES);
    memcpy(record->content, NO_CONTENT, CONTENT_BYTES);
    if (record->payload_size > 0) {
        payload_size = SALT_BYTES + record->payload_size;
        payload = arena_alloc(&self->seal, payload_size);
        vault_random(self->vault, record->payload_salt, SALT_BYTES);
        memcpy(payload, record->payload_salt, SALT_BYTES);
        memcpy(payload + SALT_BYTES, record->payload, record->payload_size);
        vault_content(self->vault, record->payload_salt, record->payload, record->payload_size, record->content);
    }
    vault_leaf(self->vault, record->salt, record->entry, record->entry_size, record->content, record->leaf);
    memcpy(plain, record->salt, SALT_BYTES);
    memcpy(plain + SALT_BYTES, record->content, CONTENT_BYTES);
    memcpy(plain + BODY_HEAD_BYTES, record->entry, record->entry_size);

    uint8_t *body = arena_alloc(&self->seal, head_size + VAULT_OVERHEAD_BYTES);
    struct entry_ad ad = entry_ad('e', record);
    vault_seal(self->vault, vault_key(self->vault, VAULT_LOG), &ad, sizeof ad, plain, head_size, body);
    sqlite3_bind_blob(statement, first, record->leaf, LEAF_BYTES, SQLITE_STATIC);
    sqlite3_bind_blob64(statement, first + 1, body, head_size + VAULT_OVERHEAD_BYTES, SQLITE_STATIC);
    if (payload) {
        uint8_t *sealed = arena_alloc(&self->seal, payload_size + VAULT_OVERHEAD_BYTES);
        ad = entry_ad('p', record);
        vault_seal(self->vault, subject_key, &ad, sizeof ad, payload, payload_size, sealed);
        sqlite3_bind_blob64(statement, first + 2, sealed, payload_size + VAULT_OVERHEAD_BYTES, SQLITE_STATIC);
    } else {
        sqlite3_bind_null(statement, first + 2);
    }
}

static void append(struct log *log, struct log_record *record, const uint8_t subject_key[VAULT_KEY_BYTES])
{
    struct log_sqlite *self = (struct log_sqlite *)log;
    sqlite3_stmt *statement = store_entry_statement(self->store, STORE_ENTRY_PUT);
    sqlite3_bind_int64(statement, 1, (int64_t)record->place);
    sqlite3_bind_int64(statement, 2, record->at_ms);
    log_sqlite_bind(self, record, subject_key, statement, 3);
    store_run(self->store, statement);
    arena_reset(&self->seal);
}

/* Takes the row apart; the payload stays sealed until it is asked for. */
static enum store_result take_row(struct log_sqlite *self, sqlite3_stmt *statement, struct arena *arena,
                                  struct log_record *record)
{
    record->at_ms = sqlite3_column_int64(statement, 0);
    record->payload = NULL;
    record->payload_size = 0;
    arena_reset(&self->sealed_payload);
    self->sealed_size = 0;
    if (sqlite3_column_bytes(statement, 1) != LEAF_BYTES)
        return STORE_DAMAGED;
    memcpy(record->leaf, sqlite3_column_blob(statement, 1), LEAF_BYTES);
    size_t size = (size_t)sqlite3_column_bytes(statement, 2);
    if (size == 0)
        return STORE_ERASED;
    if (size < VAULT_OVERHEAD_BYTES + BODY_HEAD_BYTES)
        return STORE_DAMAGED;
    uint8_t *plain = arena_alloc(arena, size), leaf[LEAF_BYTES];
    struct entry_ad ad = entry_ad('e', record);
    if (!vault_open(vault_key(self->vault, VAULT_LOG), &ad, sizeof ad, sqlite3_column_blob(statement, 2), size, plain))
        return STORE_DAMAGED;
    memcpy(record->salt, plain, SALT_BYTES);
    memcpy(record->content, plain + SALT_BYTES, CONTENT_BYTES);
    record->entry = plain + BODY_HEAD_BYTES;
    record->entry_size = size - VAULT_OVERHEAD_BYTES - BODY_HEAD_BYTES;
    vault_leaf(self->vault, record->salt, record->entry, record->entry_size, record->content, leaf);
    if (memcmp(leaf, record->leaf, LEAF_BYTES) != 0)
        return STORE_DAMAGED;
    self->sealed_size = (size_t)sqlite3_column_bytes(statement, 3);
    self->sealed = arena_copy(&self->sealed_payload, sqlite3_column_blob(statement, 3), self->sealed_size);
    record->payload_kept = self->sealed_size > 0;
    return STORE_OK;
}

static enum store_result read_entry(struct log *log, uint64_t place, struct arena *arena, struct log_record *record)
{
    struct log_sqlite *self = (struct log_sqlite *)log;
    sqlite3_stmt *statement = store_entry_statement(self->store, STORE_ENTRY_GET);
    sqlite3_bind_int64(statement, 1, (int64_t)place);
    *record = (struct log_record){.place = place};
    int found = sqlite3_step(statement);
    enum store_result result = found == SQLITE_ROW    ? take_row(self, statement, arena, record)
                               : found == SQLITE_DONE ? STORE_NONE
                                                      : STORE_DAMAGED;
    sqlite3_reset(statement);
    return result;
}

static enum store_result payload(struct log *log, const uint8_t subject_key[VAULT_KEY_BYTES], struct arena *arena,
                                 struct log_record *record)
{
    struct log_sqlite *self = (struct log_sqlite *)log;
    if (self->sealed_size == 0)
        return STORE_NONE;
    if (self->sealed_size < VAULT_OVERHEAD_BYTES + SALT_BYTES)
        return STORE_DAMAGED;
    uint8_t *plain = arena_alloc(arena, self->sealed_size);
    struct entry_ad ad = entry_ad('p', record);
    if (!vault_open(subject_key, &ad, sizeof ad, self->sealed, self->sealed_size, plain))
        return STORE_DAMAGED;
    memcpy(record->payload_salt, plain, SALT_BYTES);
    record->payload = plain + SALT_BYTES;
    record->payload_size = self->sealed_size - VAULT_OVERHEAD_BYTES - SALT_BYTES;
    uint8_t content[CONTENT_BYTES];
    vault_content(self->vault, record->payload_salt, record->payload, record->payload_size, content);
    return memcmp(content, record->content, CONTENT_BYTES) == 0 ? STORE_OK : STORE_DAMAGED;
}

static uint64_t last(struct log *log, int64_t *at_ms)
{
    struct log_sqlite *self = (struct log_sqlite *)log;
    sqlite3_stmt *statement = store_entry_statement(self->store, STORE_ENTRY_LAST);
    uint64_t place = 0;
    *at_ms = 0;
    int found = sqlite3_step(statement);
    if (found == SQLITE_ROW) {
        place = (uint64_t)sqlite3_column_int64(statement, 0);
        *at_ms = sqlite3_column_int64(statement, 1);
    } else if (found != SQLITE_DONE) {
        store_fail(self->store, "reading the end of the log");
    }
    sqlite3_reset(statement);
    return place;
}

static size_t leaves(struct log *log, uint64_t first_place, size_t max, uint8_t (*found)[LEAF_BYTES])
{
    struct log_sqlite *self = (struct log_sqlite *)log;
    sqlite3_stmt *statement = store_entry_statement(self->store, STORE_ENTRY_LEAVES);
    size_t n = 0;
    sqlite3_bind_int64(statement, 1, (int64_t)first_place);
    sqlite3_bind_int64(statement, 2, (int64_t)max);
    while (n < max && sqlite3_step(statement) == SQLITE_ROW &&
           sqlite3_column_int64(statement, 0) == (int64_t)(first_place + n) &&
           sqlite3_column_bytes(statement, 1) == LEAF_BYTES)
        memcpy(found[n++], sqlite3_column_blob(statement, 1), LEAF_BYTES);
    sqlite3_reset(statement);
    return n;
}

static void change(struct log *log, enum store_statement_entry which, uint64_t place)
{
    struct log_sqlite *self = (struct log_sqlite *)log;
    sqlite3_stmt *statement = store_entry_statement(self->store, which);
    sqlite3_bind_int64(statement, 1, (int64_t)place);
    store_run(self->store, statement);
}

static void drop_payload(struct log *log, uint64_t place)
{
    change(log, STORE_ENTRY_DROP_PAYLOAD, place);
}

static void prune(struct log *log, uint64_t place)
{
    change(log, STORE_ENTRY_PRUNE, place);
}

static void erase(struct log *log, uint64_t place)
{
    change(log, STORE_ENTRY_ERASE, place);
}

static void close_log(struct log **log)
{
    struct log_sqlite *self = (struct log_sqlite *)*log;
    arena_fini(&self->seal);
    arena_fini(&self->sealed_payload);
    free(self);
    *log = NULL;
}

struct log *log_sqlite_open(struct store *store)
{
    static const struct log_functions functions = {begin,  append,       commit, read_entry, payload,  last,
                                                   leaves, drop_payload, prune,  erase,      close_log};
    struct log_sqlite *self = xcalloc(1, sizeof *self);
    self->log.functions = &functions;
    self->store = store;
    self->vault = store_vault(store);
    arena_init(&self->seal);
    arena_init(&self->sealed_payload);
    log_convert(self);
    return &self->log;
}
