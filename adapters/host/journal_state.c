/* journal_state.c - what formats store, what outlets have sent, and numbers that are never used twice. */
#include <stdlib.h>
#include <string.h>

#include "journal_internal.h"

enum {
    NUMBERS_RESERVED = 1 << 16, /* at a time, so that not each one waits for the disk */
    NUMBERS_A_MS_BITS = 16,
};

/* The sealed column 0 of the row of that name; *bytes NULL when there is none. */
static bool load(struct journal *self, enum statement which, const char *what, const uint8_t name[SEAL_NAME_BYTES],
                 void **bytes, size_t *len)
{
    sqlite3_stmt *s = journal_statement(self, which);
    journal_put_blob(s, 1, name, SEAL_NAME_BYTES);
    int step = sqlite3_step(s);
    *bytes = NULL;
    *len = 0;
    bool ok = step == SQLITE_DONE;
    if (step == SQLITE_ROW)
        ok = (*bytes = journal_open_sealed(self, s, 0, what, name, len)) != NULL;
    else if (!ok)
        journal_failed(self, "be read");
    sqlite3_reset(s);
    return ok;
}

/* ---- States ----------------------------------------------------------------------------------------------------- */

bool journal_state_load(struct journal *self, const char *name, void **bytes, size_t *len)
{
    uint8_t hidden[SEAL_NAME_BYTES];
    seal_name(self->seal, name, strlen(name), hidden);
    return load(self, STATE_LOAD, "state", hidden, bytes, len);
}

bool journal_state_seen(struct journal *self, const char *name, int64_t now_ms)
{
    uint8_t hidden[SEAL_NAME_BYTES];
    sqlite3_stmt *s = journal_statement(self, STATE_SEEN);
    seal_name(self->seal, name, strlen(name), hidden);
    journal_put_blob(s, 1, hidden, sizeof hidden);
    sqlite3_bind_int64(s, 2, now_ms);
    return journal_run(self, s, "be written to");
}

bool journal_state_store(struct journal *self, const struct carehub_message *message, const char *name,
                         const void *bytes, size_t len, int64_t now_ms)
{
    uint8_t hidden[SEAL_NAME_BYTES], by[SEAL_NAME_BYTES];
    sqlite3_stmt *s = journal_statement(self, STATE_STORE);
    seal_name(self->seal, name, strlen(name), hidden);
    journal_message_name(self, message, by);
    journal_put_blob(s, 1, hidden, sizeof hidden);
    journal_put_blob(s, 2, by, sizeof by);
    sqlite3_bind_int64(s, 3, now_ms);
    return journal_put_sealed(self, s, 4, "state", hidden, bytes, len) && journal_run(self, s, "be written to");
}

/* ---- What was sent ---------------------------------------------------------------------------------------------- */

static void sent_name(const struct journal *self, const char *outlet, const uint8_t id[EVENTID_BYTES],
                      uint8_t name[SEAL_NAME_BYTES])
{
    uint8_t both[EVENTID_BYTES + SEAL_NAME_BYTES];
    memcpy(both, id, EVENTID_BYTES);
    seal_name(self->seal, outlet, strlen(outlet), both + EVENTID_BYTES);
    seal_name(self->seal, both, sizeof both, name);
}

bool journal_sent_put(struct journal *self, const char *outlet, const uint8_t id[EVENTID_BYTES], const void *packed,
                      size_t len, int64_t now_ms)
{
    uint8_t name[SEAL_NAME_BYTES];
    sqlite3_stmt *s = journal_statement(self, SENT_PUT);
    sent_name(self, outlet, id, name);
    journal_put_blob(s, 1, name, sizeof name);
    sqlite3_bind_int64(s, 2, now_ms);
    return journal_put_sealed(self, s, 3, "sent", name, packed, len) && journal_run(self, s, "be written to");
}

bool journal_sent_get(struct journal *self, const char *outlet, const uint8_t id[EVENTID_BYTES], void **packed,
                      size_t *len)
{
    uint8_t name[SEAL_NAME_BYTES];
    sent_name(self, outlet, id, name);
    return load(self, SENT_GET, "sent", name, packed, len);
}

/* ---- Numbers ---------------------------------------------------------------------------------------------------- */

/* From the clock, and above all that were reserved before: so neither a clock that was set back nor a journal that was
 * lost brings one again. When the journal cannot be written they go on all the same; the clock then is what keeps them
 * apart after a restart. */
static void reserve_numbers(struct journal *self, int64_t now_ms)
{
    sqlite3_stmt *s = journal_statement(self, NUMBER_GET);
    uint64_t stored = sqlite3_step(s) == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(s, 0) : 0;
    sqlite3_reset(s);
    if (self->next_number == 0) {
        uint64_t clock = (uint64_t)now_ms << NUMBERS_A_MS_BITS;
        self->next_number = stored >= clock ? stored + 1 : clock;
    }
    self->last_number = self->next_number + NUMBERS_RESERVED - 1;
    s = journal_statement(self, NUMBER_PUT);
    sqlite3_bind_int64(s, 1, (int64_t)self->last_number);
    journal_run(self, s, "be written to");
}

uint64_t journal_number(struct journal *self, int64_t now_ms)
{
    if (self->next_number == 0 || self->next_number > self->last_number)
        reserve_numbers(self, now_ms);
    return self->next_number++;
}
