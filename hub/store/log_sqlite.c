/* The embedded log: entries in the store's own file, durable when SQLite's COMMIT (WAL, synchronous=FULL) returns.
 *
 * A row's body is salt, content and entry, sealed with the log's key, or with that of the actor whom the entry names
 * (table `named`); its payload is the payload's salt and the payload, sealed with the subject's. A body that is a seal
 * of nothing: the entry has been erased. No payload: there never was one (content is all zero), or it is no longer
 * kept. */
#include "log_sqlite.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

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

void log_sqlite_salt(struct log_sqlite *self, struct log_record *record)
{
    vault_random(self->vault, record->salt, SALT_BYTES);
    memcpy(record->content, NO_CONTENT, CONTENT_BYTES);
    if (record->payload_size > 0) {
        vault_random(self->vault, record->payload_salt, SALT_BYTES);
        vault_content(self->vault, record->payload_salt, record->payload, record->payload_size, record->content);
    }
    vault_leaf(self->vault, record->salt, record->entry, record->entry_size, record->content, record->leaf);
}

/* Seals a part of an entry and binds it. */
static void bind_part(struct log_sqlite *self, const struct log_record *record, char part, const uint8_t *key,
                      const uint8_t *plain, size_t size, sqlite3_stmt *statement, int index)
{
    uint8_t *sealed = arena_alloc(&self->seal, size + VAULT_OVERHEAD_BYTES);
    struct entry_ad ad = entry_ad(part, record);
    vault_seal(self->vault, key, &ad, sizeof ad, plain, size, sealed);
    sqlite3_bind_blob64(statement, index, sealed, size + VAULT_OVERHEAD_BYTES, SQLITE_STATIC);
}

void log_sqlite_bind(struct log_sqlite *self, const struct log_record *record,
                     const uint8_t subject_key[VAULT_KEY_BYTES], sqlite3_stmt *statement, int first)
{
    size_t body_size = BODY_HEAD_BYTES + record->entry_size, payload_size = SALT_BYTES + record->payload_size;
    uint8_t *body = arena_alloc(&self->seal, body_size);
    memcpy(body, record->salt, SALT_BYTES);
    memcpy(body + SALT_BYTES, record->content, CONTENT_BYTES);
    memcpy(body + BODY_HEAD_BYTES, record->entry, record->entry_size);
    sqlite3_bind_blob(statement, first, record->leaf, LEAF_BYTES, SQLITE_STATIC);
    bind_part(self, record, 'e', record->names ? subject_key : vault_key(self->vault, VAULT_LOG), body, body_size,
              statement, first + 1);
    sqlite3_bind_null(statement, first + 2);
    if (record->payload_size > 0) {
        uint8_t *payload = arena_alloc(&self->seal, payload_size);
        memcpy(payload, record->payload_salt, SALT_BYTES);
        memcpy(payload + SALT_BYTES, record->payload, record->payload_size);
        bind_part(self, record, 'p', subject_key, payload, payload_size, statement, first + 2);
    }
}

static void append(struct log *log, struct log_record *record, const uint8_t subject_key[VAULT_KEY_BYTES])
{
    struct log_sqlite *self = (struct log_sqlite *)log;
    sqlite3_stmt *statement = store_entry_statement(self->store, STORE_ENTRY_PUT);
    sqlite3_bind_int64(statement, 1, (int64_t)record->place);
    sqlite3_bind_int64(statement, 2, record->at_ms);
    log_sqlite_salt(self, record);
    log_sqlite_bind(self, record, subject_key, statement, 3);
    store_run(self->store, statement);
    if (record->names)
        store_named_put(self->store, record->place, record->names);
    arena_reset(&self->seal);
}

/* Opens a body that the log's key does not open: with the key of the actor whom it names. */
static enum store_result open_named(struct log_sqlite *self, struct log_record *record, const uint8_t *body,
                                    size_t size, uint8_t *plain)
{
    uint8_t key[VAULT_KEY_BYTES];
    struct entry_ad ad = entry_ad('e', record);
    if (store_named_find(self->store, record->place, &record->names) != STORE_OK)
        return STORE_DAMAGED;
    enum store_result result = store_subject_key(self->store, record->names, key);
    if (result == STORE_OK && !vault_open(key, &ad, sizeof ad, body, size, plain))
        result = STORE_DAMAGED;
    sodium_memzero(key, sizeof key);
    return result == STORE_NONE ? STORE_DAMAGED : result;
}

static enum store_result open_body(struct log_sqlite *self, struct log_record *record, const uint8_t *body, size_t size,
                                   uint8_t *plain)
{
    const uint8_t *log_key = vault_key(self->vault, VAULT_LOG);
    struct entry_ad ad = entry_ad('e', record);
    if (size == VAULT_OVERHEAD_BYTES) {
        ad = entry_ad('x', record);
        return vault_open(log_key, &ad, sizeof ad, body, size, plain) ? STORE_ERASED : STORE_DAMAGED;
    }
    if (size < VAULT_OVERHEAD_BYTES + BODY_HEAD_BYTES)
        return STORE_DAMAGED;
    return vault_open(log_key, &ad, sizeof ad, body, size, plain) ? STORE_OK
                                                                  : open_named(self, record, body, size, plain);
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
    uint8_t *plain = arena_alloc(arena, size + 1), leaf[LEAF_BYTES];
    enum store_result opened = open_body(self, record, sqlite3_column_blob(statement, 2), size, plain);
    if (opened != STORE_OK)
        return opened;
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

static uint64_t next(struct log *log, uint64_t place)
{
    struct log_sqlite *self = (struct log_sqlite *)log;
    sqlite3_stmt *statement = store_entry_statement(self->store, STORE_ENTRY_LEAVES);
    sqlite3_bind_int64(statement, 1, (int64_t)place);
    sqlite3_bind_int64(statement, 2, 1);
    uint64_t found = sqlite3_step(statement) == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(statement, 0) : 0;
    sqlite3_reset(statement);
    return found;
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
    store_named_remove(((struct log_sqlite *)log)->store, place);
}

/* False: there is no such entry. */
static bool record_at(struct log_sqlite *self, uint64_t place, struct log_record *record)
{
    sqlite3_stmt *statement = store_entry_statement(self->store, STORE_ENTRY_GET);
    *record = (struct log_record){.place = place};
    sqlite3_bind_int64(statement, 1, (int64_t)place);
    bool found = sqlite3_step(statement) == SQLITE_ROW && sqlite3_column_bytes(statement, 1) == LEAF_BYTES;
    if (found) {
        record->at_ms = sqlite3_column_int64(statement, 0);
        memcpy(record->leaf, sqlite3_column_blob(statement, 1), LEAF_BYTES);
    }
    sqlite3_reset(statement);
    return found;
}

static void erase(struct log *log, uint64_t place)
{
    struct log_sqlite *self = (struct log_sqlite *)log;
    struct log_record record;
    if (!record_at(self, place, &record))
        return;
    sqlite3_stmt *statement = store_entry_statement(self->store, STORE_ENTRY_ERASE);
    sqlite3_bind_int64(statement, 1, (int64_t)place);
    bind_part(self, &record, 'x', vault_key(self->vault, VAULT_LOG), NULL, 0, statement, 2);
    store_run(self->store, statement);
    store_named_remove(self->store, place);
    arena_reset(&self->seal);
}

static void name(struct log *log, uint64_t place, uint64_t names, const uint8_t subject_key[VAULT_KEY_BYTES],
                 const uint8_t hub_key[VAULT_KEY_BYTES])
{
    struct log_sqlite *self = (struct log_sqlite *)log;
    struct log_record record;
    if (read_entry(log, place, &self->seal, &record) != STORE_OK || record.names ||
        payload(log, hub_key, &self->seal, &record) == STORE_DAMAGED) {
        arena_reset(&self->seal);
        return;
    }
    record.names = names;
    sqlite3_stmt *statement = store_entry_statement(self->store, STORE_ENTRY_CONVERT);
    sqlite3_bind_int64(statement, 1, (int64_t)place);
    log_sqlite_bind(self, &record, subject_key, statement, 2);
    store_run(self->store, statement);
    store_named_put(self->store, place, names);
    arena_reset(&self->seal);
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
    static const struct log_functions functions = {.begin = begin,
                                                   .append = append,
                                                   .commit = commit,
                                                   .read = read_entry,
                                                   .payload = payload,
                                                   .last = last,
                                                   .leaves = leaves,
                                                   .next = next,
                                                   .drop_payload = drop_payload,
                                                   .prune = prune,
                                                   .erase = erase,
                                                   .name = name,
                                                   .close = close_log};
    struct log_sqlite *self = xcalloc(1, sizeof *self);
    self->log.functions = &functions;
    self->store = store;
    self->vault = store_vault(store);
    arena_init(&self->seal);
    arena_init(&self->sealed_payload);
    log_convert(self);
    return &self->log;
}
