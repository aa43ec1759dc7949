/* Entries of schema 3: their one salt was in the payload's seal, so that an entry could not be proved without its
 * payload. They are given the form and the leaf of this version, from the last one back; no checkpoint had ever been
 * signed over the old leaves. A mark says how far it has come: after a crash it goes on from there. A row that does not
 * open is left as it is, and stays what it was: damaged. */
#include "log_sqlite.h"

#include <string.h>

#include <sodium.h>

#include "carehub/v1/log.pb-c.h"

enum { CONVERTED_AT_ONCE = 2000 };

static const char MARK[] = "entries-to-convert";

/* Opens a payload in its old form: one salt, then the payload, whoever's key sealed it. */
static bool old_payload(struct log_sqlite *self, uint64_t patient, const uint8_t *sealed, size_t size,
                        struct log_record *record, uint8_t key[VAULT_KEY_BYTES])
{
    const uint64_t subjects[] = {patient, 0};
    uint8_t *plain = arena_alloc(&self->seal, size);
    struct entry_ad ad = entry_ad('p', record);
    for (size_t i = 0; i < 2; i++)
        if (store_subject_key(self->store, subjects[i], key) == STORE_OK &&
            vault_open(key, &ad, sizeof ad, sealed, size, plain) && size >= VAULT_OVERHEAD_BYTES + SALT_BYTES) {
            record->payload = plain + SALT_BYTES;
            record->payload_size = size - VAULT_OVERHEAD_BYTES - SALT_BYTES;
            return true;
        }
    return false;
}

/* Takes the row's old form apart. False: it does not open. */
static bool old_record(struct log_sqlite *self, sqlite3_stmt *row, struct log_record *record,
                       uint8_t key[VAULT_KEY_BYTES])
{
    size_t size = (size_t)sqlite3_column_bytes(row, 2), payload_size = (size_t)sqlite3_column_bytes(row, 3);
    if (sqlite3_column_bytes(row, 1) != LEAF_BYTES || size < VAULT_OVERHEAD_BYTES)
        return false;
    record->at_ms = sqlite3_column_int64(row, 0);
    memcpy(record->leaf, sqlite3_column_blob(row, 1), LEAF_BYTES);
    uint8_t *entry = arena_alloc(&self->seal, size);
    struct entry_ad ad = entry_ad('e', record);
    if (!vault_open(vault_key(self->vault, VAULT_LOG), &ad, sizeof ad, sqlite3_column_blob(row, 2), size, entry))
        return false;
    record->entry = entry;
    record->entry_size = size - VAULT_OVERHEAD_BYTES;
    const Carehub__V1__Entry *what =
        carehub__v1__entry__unpack(&self->seal.protobuf, record->entry_size, record->entry);
    return what && what->place == record->place &&
           old_payload(self, what->patient, sqlite3_column_blob(row, 3), payload_size, record, key);
}

static void convert(struct log_sqlite *self, uint64_t place)
{
    sqlite3_stmt *row = store_entry_statement(self->store, STORE_ENTRY_GET);
    struct log_record record = {.place = place};
    uint8_t key[VAULT_KEY_BYTES];
    sqlite3_bind_int64(row, 1, (int64_t)place);
    bool good = sqlite3_step(row) == SQLITE_ROW && old_record(self, row, &record, key);
    sqlite3_reset(row);
    if (good) {
        sqlite3_stmt *update = store_entry_statement(self->store, STORE_ENTRY_CONVERT);
        sqlite3_bind_int64(update, 1, (int64_t)place);
        log_sqlite_salt(self, &record);
        log_sqlite_bind(self, &record, key, update, 2);
        store_run(self->store, update);
    }
    sodium_memzero(key, sizeof key);
    arena_reset(&self->seal);
}

void log_convert(struct log_sqlite *self)
{
    int64_t left = store_number_get(self->store, MARK, 0);
    while (left > 0) {
        store_begin(self->store);
        for (int n = 0; n < CONVERTED_AT_ONCE && left > 0; n++, left--)
            convert(self, (uint64_t)left);
        store_number_put(self->store, MARK, left);
        store_commit(self->store);
    }
}
