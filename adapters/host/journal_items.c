/* journal_items.c - which events and facts were made of which messages. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal_internal.h"

static void item_name(const uint8_t *id, uint8_t name[SEAL_NAME_BYTES])
{
    memset(name, 0, SEAL_NAME_BYTES);
    memcpy(name, id, EVENTID_BYTES);
}

static const char *label(bool is_fact)
{
    return is_fact ? "fact" : "event";
}

/* ---- Messages that came before ---------------------------------------------------------------------------------- */

bool journal_read_item(struct journal *self, sqlite3_stmt *s, struct items *items)
{
    uint8_t name[SEAL_NAME_BYTES], id[EVENTID_BYTES], original[EVENTID_BYTES];
    bool is_fact = sqlite3_column_int(s, 2) != 0;
    size_t len;
    if (sqlite3_column_bytes(s, 0) != EVENTID_BYTES || sqlite3_column_bytes(s, 1) != EVENTID_BYTES)
        return journal_damaged(self);
    memcpy(id, sqlite3_column_blob(s, 0), EVENTID_BYTES);
    memcpy(original, sqlite3_column_blob(s, 1), EVENTID_BYTES);
    item_name(id, name);
    uint8_t *plain = journal_open_sealed(self, s, 4, label(is_fact), name, &len);
    if (!plain)
        return false;
    if (items_add(items, is_fact, id, original, plain, len, ""))
        return true;
    snprintf(self->error, sizeof self->error, "out of memory");
    return false;
}

enum journal_found journal_recall(struct journal *self, const struct carehub_message *message, struct items *items)
{
    uint8_t name[SEAL_NAME_BYTES], digest[SEAL_NAME_BYTES];
    enum journal_found found = JOURNAL_NEW;
    int step;
    journal_message_name(self, message, name);
    seal_name(self->seal, message->digest, sizeof message->digest, digest);
    sqlite3_stmt *s = journal_statement(self, RECALL);
    journal_put_blob(s, 1, name, sizeof name);
    while ((step = sqlite3_step(s)) == SQLITE_ROW && items->count < CAREHUB_ITEMS_MAX && found != JOURNAL_FAILED) {
        bool same = sqlite3_column_bytes(s, 3) == SEAL_NAME_BYTES &&
                    memcmp(sqlite3_column_blob(s, 3), digest, SEAL_NAME_BYTES) == 0;
        if (same)
            found = journal_read_item(self, s, items) ? JOURNAL_REPEAT : JOURNAL_FAILED;
        else if (found == JOURNAL_NEW)
            found = JOURNAL_REUSED;
    }
    if (step != SQLITE_DONE && step != SQLITE_ROW) {
        journal_failed(self, "be read");
        found = JOURNAL_FAILED;
    }
    sqlite3_reset(s);
    return found;
}

/* ---- The past of an episode ------------------------------------------------------------------------------------- */

/* As formats are shown it: under the original's id, and no amendment itself. */
static bool show_as_original(Carehub__V1__Event *event, const void *original, int size)
{
    uint8_t *id = size == EVENTID_BYTES ? malloc(EVENTID_BYTES) : NULL;
    if (!id)
        return false;
    memcpy(id, original, EVENTID_BYTES);
    free(event->id.data);
    event->id = (ProtobufCBinaryData){EVENTID_BYTES, id};
    free(event->amends.data);
    event->amends = (ProtobufCBinaryData){0};
    return true;
}

static Carehub__V1__Event *read_event(struct journal *self, sqlite3_stmt *s)
{
    uint8_t name[SEAL_NAME_BYTES];
    Carehub__V1__Event *event = NULL;
    size_t len;
    if (sqlite3_column_bytes(s, 0) == EVENTID_BYTES) {
        item_name(sqlite3_column_blob(s, 0), name);
        uint8_t *plain = journal_open_sealed(self, s, 2, label(false), name, &len);
        event = plain ? carehub__v1__event__unpack(NULL, len, plain) : NULL;
        free(plain);
    }
    if (!event)
        journal_damaged(self);
    return event;
}

bool journal_past(struct journal *self, const char *episode, struct journal_past *past)
{
    uint8_t name[SEAL_NAME_BYTES];
    bool ok = true;
    past->count = 0;
    if (episode[0] == '\0')
        return true;
    seal_name(self->seal, episode, strlen(episode), name);
    sqlite3_stmt *s = journal_statement(self, PAST);
    journal_put_blob(s, 1, name, sizeof name);
    while (ok && past->count < CAREHUB_PAST_MAX && sqlite3_step(s) == SQLITE_ROW) {
        Carehub__V1__Event *event = read_event(self, s);
        ok = event != NULL;
        if (ok && event->retracts.len > 0)
            carehub__v1__event__free_unpacked(event, NULL);
        else if (ok) {
            past->events[past->count++] = event;
            ok =
                show_as_original(event, sqlite3_column_blob(s, 1), sqlite3_column_bytes(s, 1)) || journal_damaged(self);
        }
    }
    sqlite3_reset(s);
    for (size_t i = 0; i < past->count / 2; i++) { /* read newest first */
        Carehub__V1__Event *event = past->events[i];
        past->events[i] = past->events[past->count - 1 - i];
        past->events[past->count - 1 - i] = event;
    }
    if (!ok)
        journal_past_clear(past);
    return ok;
}

void journal_past_clear(struct journal_past *past)
{
    for (size_t i = 0; i < past->count; i++)
        carehub__v1__event__free_unpacked(past->events[i], NULL);
    past->count = 0;
}

/* ---- Remembering and forgetting --------------------------------------------------------------------------------- */

static bool add_item(struct journal *self, const struct carehub_message *message, const struct item *item,
                     int64_t now_ms)
{
    uint8_t name[SEAL_NAME_BYTES];
    sqlite3_stmt *s = journal_statement(self, ADD);
    journal_put_blob(s, 1, item->id, EVENTID_BYTES);
    journal_message_name(self, message, name);
    journal_put_blob(s, 2, name, sizeof name);
    seal_name(self->seal, message->digest, sizeof message->digest, name);
    journal_put_blob(s, 3, name, sizeof name);
    if (item->episode[0] != '\0') {
        seal_name(self->seal, item->episode, strlen(item->episode), name);
        journal_put_blob(s, 4, name, sizeof name);
    }
    journal_put_blob(s, 5, item->original, EVENTID_BYTES);
    sqlite3_bind_int64(s, 6, now_ms);
    sqlite3_bind_int(s, 7, item->is_fact);
    item_name(item->id, name);
    return journal_put_sealed(self, s, 8, label(item->is_fact), name, item->bytes, item->len) &&
           journal_run(self, s, "be written to");
}

bool journal_add(struct journal *self, const struct carehub_message *message, const struct items *items, int64_t now_ms)
{
    for (size_t i = 0; i < items->count; i++)
        if (!add_item(self, message, items->list[i], now_ms))
            return false;
    return true;
}

static bool run_with(struct journal *self, enum statement which, const void *bytes, size_t len)
{
    sqlite3_stmt *s = journal_statement(self, which);
    journal_put_blob(s, 1, bytes, len);
    return journal_run(self, s, "be written to");
}

bool journal_forget(struct journal *self, const uint8_t id[EVENTID_BYTES])
{
    uint8_t message[SEAL_NAME_BYTES];
    sqlite3_stmt *s = journal_statement(self, MESSAGE_OF);
    journal_put_blob(s, 1, id, EVENTID_BYTES);
    bool known = sqlite3_step(s) == SQLITE_ROW && sqlite3_column_bytes(s, 0) == SEAL_NAME_BYTES;
    if (known)
        memcpy(message, sqlite3_column_blob(s, 0), sizeof message);
    sqlite3_reset(s);
    if (!known)
        return true;
    if (!journal_begin(self))
        return false;
    if (run_with(self, FORGET, id, EVENTID_BYTES) && run_with(self, STATE_DROP_NEW, message, sizeof message) &&
        run_with(self, STATE_UNDO, message, sizeof message))
        return journal_commit(self);
    journal_rollback(self);
    return false;
}
