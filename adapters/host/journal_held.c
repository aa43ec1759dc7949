/* journal_held.c - messages that are kept as they came, until an operator has solved what was wrong. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal_internal.h"

static void held_name(const struct journal *self, const struct format_message *message, uint8_t name[SEAL_NAME_BYTES])
{
    uint8_t both[2 * FORMAT_KEY_BYTES];
    memcpy(both, message->key, FORMAT_KEY_BYTES);
    memcpy(both + FORMAT_KEY_BYTES, message->digest, FORMAT_KEY_BYTES);
    seal_name(self->seal, both, sizeof both, name);
}

bool journal_hold(struct journal *self, const struct format_message *message, const void *bytes, size_t len,
                  int64_t now_ms)
{
    uint8_t name[SEAL_NAME_BYTES];
    if (journal_held_count(self) >= JOURNAL_HELD_MAX) {
        snprintf(self->error, sizeof self->error, "%d messages are held already; see carehub-adapter --list-held",
                 JOURNAL_HELD_MAX);
        return false;
    }
    uint8_t *sealed = malloc(len + SEAL_OVERHEAD_BYTES);
    if (!sealed) {
        snprintf(self->error, sizeof self->error, "out of memory");
        return false;
    }
    held_name(self, message, name);
    seal_put(self->seal, "held", name, bytes, len, sealed);
    sqlite3_stmt *s = journal_statement(self, HOLD);
    journal_put_blob(s, 1, name, sizeof name);
    sqlite3_bind_text(s, 2, message->sender, -1, SQLITE_TRANSIENT);
    sqlite3_bind_text(s, 3, message->native_id, -1, SQLITE_TRANSIENT);
    sqlite3_bind_text(s, 4, message->why ? message->why : "", -1, SQLITE_TRANSIENT);
    sqlite3_bind_int64(s, 5, now_ms);
    journal_put_blob(s, 6, sealed, len + SEAL_OVERHEAD_BYTES);
    bool ok = journal_run(self, s, "be written to");
    free(sealed);
    return ok;
}

static void read_held(sqlite3_stmt *s, struct journal_held *held)
{
    *held = (struct journal_held){.number = sqlite3_column_int64(s, 0), .received_ms = sqlite3_column_int64(s, 1)};
    snprintf(held->sender, sizeof held->sender, "%s", (const char *)sqlite3_column_text(s, 2));
    snprintf(held->native_id, sizeof held->native_id, "%s", (const char *)sqlite3_column_text(s, 3));
    snprintf(held->why, sizeof held->why, "%s", (const char *)sqlite3_column_text(s, 4));
}

bool journal_held_next(struct journal *self, int64_t after, struct journal_held *held)
{
    sqlite3_stmt *s = journal_statement(self, HELD_NEXT);
    sqlite3_bind_int64(s, 1, after);
    bool found = sqlite3_step(s) == SQLITE_ROW;
    if (found)
        read_held(s, held);
    sqlite3_reset(s);
    return found;
}

bool journal_held_due(struct journal *self, struct journal_held *held)
{
    sqlite3_stmt *s = journal_statement(self, HELD_DUE);
    bool found = sqlite3_step(s) == SQLITE_ROW;
    if (found) {
        size_t size = (size_t)sqlite3_column_bytes(s, 6);
        read_held(s, held);
        held->len = size >= SEAL_OVERHEAD_BYTES ? size - SEAL_OVERHEAD_BYTES : 0;
        held->bytes = malloc(held->len + 1);
        if (!held->bytes || sqlite3_column_bytes(s, 5) != SEAL_NAME_BYTES ||
            !seal_get(self->seal, "held", sqlite3_column_blob(s, 5), sqlite3_column_blob(s, 6), size, held->bytes)) {
            free(held->bytes);
            held->bytes = NULL; /* damaged: the caller sees to it that it does not come again */
        }
    }
    sqlite3_reset(s);
    return found;
}

static bool change_held(struct journal *self, enum statement which, int64_t number)
{
    sqlite3_stmt *s = journal_statement(self, which);
    sqlite3_bind_int64(s, 1, number);
    return journal_run(self, s, "be written to");
}

bool journal_held_waits(struct journal *self, int64_t number)
{
    return change_held(self, HELD_WAITS, number);
}

bool journal_held_done(struct journal *self, int64_t number)
{
    return change_held(self, HELD_DONE, number);
}

int journal_retry_held(struct journal *self)
{
    return journal_run(self, journal_statement(self, HELD_RETRY), "be written to") ? sqlite3_changes(self->db) : -1;
}

int64_t journal_held_count(struct journal *self)
{
    sqlite3_stmt *s = journal_statement(self, HELD_COUNT);
    int64_t count = sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
    sqlite3_reset(s);
    return count;
}
