/* The embedded log: entries in the store's own file, durable when SQLite's COMMIT (WAL, synchronous=FULL) returns. */
#include "log.h"

#include <stdlib.h>
#include <string.h>

struct log_sqlite {
    struct log log;
    struct store *store;
    struct vault *vault;
    struct arena seal;
    struct arena sealed_payload; /* of the entry that was read last */
    size_t sealed_size;
    uint8_t *sealed;
};

/* What the seals of an entry are bound to: the payload's to its place, the body's to its leaf too. */
struct entry_ad {
    char part;
    uint64_t place;
    int64_t at_ms;
    uint8_t leaf[LEAF_BYTES];
};

static struct entry_ad entry_ad(char part, const struct log_record *record)
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

static void append(struct log *log, struct log_record *record, const uint8_t subject_key[VAULT_KEY_BYTES])
{
    struct log_sqlite *self = (struct log_sqlite *)log;
    size_t plain_size = SALT_BYTES + record->payload_size;
    uint8_t *plain = arena_alloc(&self->seal, plain_size);
    vault_random(self->vault, plain, SALT_BYTES);
    if (record->payload_size > 0)
        memcpy(plain + SALT_BYTES, record->payload, record->payload_size);
    vault_leaf(self->vault, plain, record->entry, record->entry_size, record->payload, record->payload_size,
               record->leaf);

    uint8_t *body = arena_alloc(&self->seal, record->entry_size + VAULT_OVERHEAD_BYTES);
    uint8_t *payload = arena_alloc(&self->seal, plain_size + VAULT_OVERHEAD_BYTES);
    struct entry_ad ad = entry_ad('e', record);
    vault_seal(self->vault, vault_key(self->vault, VAULT_LOG), &ad, sizeof ad, record->entry, record->entry_size, body);
    ad = entry_ad('p', record);
    vault_seal(self->vault, subject_key, &ad, sizeof ad, plain, plain_size, payload);

    sqlite3_stmt *statement = store_entry_statement(self->store, STORE_ENTRY_PUT);
    sqlite3_bind_int64(statement, 1, (int64_t)record->place);
    sqlite3_bind_int64(statement, 2, record->at_ms);
    sqlite3_bind_blob(statement, 3, record->leaf, LEAF_BYTES, SQLITE_STATIC);
    sqlite3_bind_blob64(statement, 4, body, record->entry_size + VAULT_OVERHEAD_BYTES, SQLITE_STATIC);
    sqlite3_bind_blob64(statement, 5, payload, plain_size + VAULT_OVERHEAD_BYTES, SQLITE_STATIC);
    store_run(self->store, statement);
    arena_reset(&self->seal);
}

/* Takes the row apart; the payload stays sealed until it is asked for. */
static enum store_result take_row(struct log_sqlite *self, sqlite3_stmt *statement, struct arena *arena,
                                  struct log_record *record)
{
    record->at_ms = sqlite3_column_int64(statement, 0);
    if (sqlite3_column_bytes(statement, 1) != LEAF_BYTES || sqlite3_column_bytes(statement, 2) < VAULT_OVERHEAD_BYTES)
        return STORE_DAMAGED;
    memcpy(record->leaf, sqlite3_column_blob(statement, 1), LEAF_BYTES);
    size_t size = (size_t)sqlite3_column_bytes(statement, 2);
    uint8_t *entry = arena_alloc(arena, size);
    struct entry_ad ad = entry_ad('e', record);
    if (!vault_open(vault_key(self->vault, VAULT_LOG), &ad, sizeof ad, sqlite3_column_blob(statement, 2), size, entry))
        return STORE_DAMAGED;
    record->entry = entry;
    record->entry_size = size - VAULT_OVERHEAD_BYTES;
    record->payload = NULL;
    record->payload_size = 0;
    arena_reset(&self->sealed_payload);
    self->sealed_size = (size_t)sqlite3_column_bytes(statement, 3);
    self->sealed = arena_copy(&self->sealed_payload, sqlite3_column_blob(statement, 3), self->sealed_size);
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
    record->payload = plain + SALT_BYTES;
    record->payload_size = self->sealed_size - VAULT_OVERHEAD_BYTES - SALT_BYTES;
    uint8_t leaf[LEAF_BYTES];
    vault_leaf(self->vault, plain, record->entry, record->entry_size, record->payload, record->payload_size, leaf);
    return memcmp(leaf, record->leaf, LEAF_BYTES) == 0 ? STORE_OK : STORE_DAMAGED;
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
    static const struct log_functions functions = {begin, append, commit, read_entry, payload, last, close_log};
    struct log_sqlite *self = xcalloc(1, sizeof *self);
    self->log.functions = &functions;
    self->store = store;
    self->vault = store_vault(store);
    arena_init(&self->seal);
    arena_init(&self->sealed_payload);
    return &self->log;
}
