/* journal_unsettled.c - what was made of messages, and is not settled yet. */
#include <string.h>

#include "hub_limits.h"
#include "journal_internal.h"

/* A repeat that is older the hub might take for something new. */
#define AGE_MAX_MS (IDS_KEPT_MS - 10 * DAY_MS)

_Static_assert(sizeof(struct journal_name) == 2 * SEAL_NAME_BYTES, "keyed hashes");

void journal_name_of(const struct journal *self, const struct carehub_message *message, struct journal_name *name)
{
    journal_message_name(self, message, name->message);
    seal_name(self->seal, message->digest, sizeof message->digest, name->digest);
}

static sqlite3_stmt *by_name(struct journal *self, enum statement which, const struct journal_name *name)
{
    sqlite3_stmt *s = journal_statement(self, which);
    journal_put_blob(s, 1, name->message, sizeof name->message);
    journal_put_blob(s, 2, name->digest, sizeof name->digest);
    return s;
}

bool journal_settle(struct journal *self, const struct journal_name *names, size_t n)
{
    bool ok = journal_begin(self);
    for (size_t i = 0; ok && i < n; i++)
        ok = journal_run(self, by_name(self, SETTLE, &names[i]), "be written to");
    if (ok)
        return journal_commit(self);
    journal_rollback(self);
    return false;
}

bool journal_is_settled(struct journal *self, const struct journal_name *name)
{
    sqlite3_stmt *s = by_name(self, IS_SETTLED, name);
    bool settled = sqlite3_step(s) == SQLITE_ROW && sqlite3_column_int(s, 0) != 0;
    sqlite3_reset(s);
    return settled;
}

int64_t journal_last(struct journal *self)
{
    sqlite3_stmt *s = journal_statement(self, LAST);
    int64_t last = sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
    sqlite3_reset(s);
    return last;
}

static void read_items(struct journal *self, const struct journal_name *name, struct items *items)
{
    sqlite3_stmt *s = by_name(self, UNSETTLED_ITEMS, name);
    bool ok = true;
    int step = SQLITE_DONE;
    while (ok && items->count < CAREHUB_ITEMS_MAX && (step = sqlite3_step(s)) == SQLITE_ROW)
        ok = journal_read_item(self, s, items);
    if (ok && step != SQLITE_ROW && step != SQLITE_DONE)
        ok = journal_failed(self, "be read");
    sqlite3_reset(s);
    if (!ok)
        items_clear(items);
}

bool journal_unsettled_next(struct journal *self, int64_t now_ms, int64_t *last, int64_t until,
                            struct journal_name *name, struct items *items)
{
    sqlite3_stmt *s = journal_statement(self, UNSETTLED_NEXT);
    sqlite3_bind_int64(s, 1, *last);
    sqlite3_bind_int64(s, 2, until);
    sqlite3_bind_int64(s, 3, now_ms - AGE_MAX_MS);
    bool found = sqlite3_step(s) == SQLITE_ROW;
    if (found) {
        *last = sqlite3_column_int64(s, 0);
        *name = (struct journal_name){0};
        if (sqlite3_column_bytes(s, 1) == SEAL_NAME_BYTES && sqlite3_column_bytes(s, 2) == SEAL_NAME_BYTES) {
            memcpy(name->message, sqlite3_column_blob(s, 1), SEAL_NAME_BYTES);
            memcpy(name->digest, sqlite3_column_blob(s, 2), SEAL_NAME_BYTES);
        }
    }
    sqlite3_reset(s);
    if (found)
        read_items(self, name, items);
    if (items->count > 0)
        *last += (int64_t)items->count - 1; /* those of one message stand together */
    return found;
}
