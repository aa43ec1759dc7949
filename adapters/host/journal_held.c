/* journal_held.c - messages that are kept as they came, until an operator has solved what was wrong. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal_internal.h"
#include "shown_id.h"

static void held_name(const struct journal *self, const struct carehub_message *message, uint8_t name[SEAL_NAME_BYTES])
{
    uint8_t both[2 * CAREHUB_DIGEST_BYTES];
    memcpy(both, message->key, CAREHUB_DIGEST_BYTES);
    memcpy(both + CAREHUB_DIGEST_BYTES, message->digest, CAREHUB_DIGEST_BYTES);
    seal_name(self->seal, both, sizeof both, name);
}

/* ---- How it came: its texts, each with its zero ----------------------------------------------------------------- */

enum { TEXTS = 6 };

static void texts_of(struct carehub_native *native, const char **texts[TEXTS])
{
    texts[0] = &native->transport;
    texts[1] = &native->peer;
    texts[2] = &native->name;
    texts[3] = &native->method;
    texts[4] = &native->content_type;
    texts[5] = &native->idempotency_key;
}

/* malloc'd; NULL without memory. */
static char *join_texts(const struct carehub_native *native, size_t *len)
{
    struct carehub_native copy = *native;
    const char **texts[TEXTS];
    texts_of(&copy, texts);
    *len = 0;
    for (int i = 0; i < TEXTS; i++)
        *len += strlen(*texts[i]) + 1;
    char *all = malloc(*len), *at = all;
    for (int i = 0; all && i < TEXTS; i++)
        at = stpcpy(at, *texts[i]) + 1;
    return all;
}

/* Points into `all`; what is missing, as in what an earlier version held, is empty. */
static void split_texts(const char *all, size_t len, struct carehub_native *native)
{
    const char **texts[TEXTS], *at = all;
    texts_of(native, texts);
    for (int i = 0; i < TEXTS; i++) {
        size_t left = len - (size_t)(at - all);
        *texts[i] = left > 0 ? at : "";
        at += left > 0 ? strlen(at) + 1 : 0;
    }
}

/* ---- Holding ---------------------------------------------------------------------------------------------------- */

static bool put_native(struct journal *self, sqlite3_stmt *s, const uint8_t name[SEAL_NAME_BYTES],
                       const struct carehub_native *native)
{
    size_t len;
    char *texts = join_texts(native, &len);
    bool ok = texts && journal_put_sealed(self, s, 6, "held", name, native->bytes, native->len) &&
              journal_put_sealed(self, s, 7, "held-native", name, texts, len);
    free(texts);
    return ok;
}

/* Counted once, and then kept up; again when a transaction was rolled back or messages went. */
static void count_held(struct journal *self)
{
    if (self->held_known)
        return;
    sqlite3_stmt *s = journal_statement(self, HELD_BYTES);
    self->held_known = sqlite3_step(s) == SQLITE_ROW;
    self->held_count = self->held_known ? sqlite3_column_int64(s, 0) : 0;
    self->held_bytes = self->held_known ? sqlite3_column_int64(s, 1) : 0;
    sqlite3_reset(s);
}

static bool has_room(struct journal *self, size_t more_bytes)
{
    count_held(self);
    if (self->held_count < JOURNAL_HELD_MAX && self->held_bytes + (int64_t)more_bytes <= JOURNAL_HELD_MAX_BYTES)
        return true;
    snprintf(
        self->error, sizeof self->error,
        "%lld messages with %lld MiB are held already (%d, and %d MiB, are the most); see carehub-adapter --list-held",
        (long long)self->held_count, (long long)(self->held_bytes >> 20), JOURNAL_HELD_MAX,
        JOURNAL_HELD_MAX_BYTES >> 20);
    return false;
}

bool journal_hold(struct journal *self, const struct carehub_message *message, const struct carehub_native *native)
{
    uint8_t name[SEAL_NAME_BYTES];
    char id[CAREHUB_NATIVE_ID_BYTES];
    if (!has_room(self, native->len))
        return false;
    held_name(self, message, name);
    sqlite3_stmt *s = journal_statement(self, HOLD);
    journal_put_blob(s, 1, name, sizeof name);
    sqlite3_bind_text(s, 2, message->sender, -1, SQLITE_TRANSIENT);
    shown_id(message->native_id, id); /* it is there to be listed, and is not sealed */
    sqlite3_bind_text(s, 3, id, -1, SQLITE_TRANSIENT);
    sqlite3_bind_text(s, 4, message->why ? message->why : "", -1, SQLITE_TRANSIENT);
    sqlite3_bind_int64(s, 5, native->received_ms);
    if (!put_native(self, s, name, native)) {
        snprintf(self->error, sizeof self->error, "out of memory");
        return false;
    }
    if (!journal_run(self, s, "be written to"))
        return false;
    if (sqlite3_changes(self->db) > 0) {
        self->held_count++;
        self->held_bytes += (int64_t)native->len;
    }
    return true;
}

/* ---- Looking at them, and trying them again --------------------------------------------------------------------- */

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

/* Bytes and texts of a row of HELD_DUE, in one allocation. */
static void read_native(struct journal *self, sqlite3_stmt *s, struct journal_held *held)
{
    const uint8_t *name = sqlite3_column_blob(s, 5);
    size_t len = 0, texts_len = 0;
    bool has_name = sqlite3_column_bytes(s, 5) == SEAL_NAME_BYTES;
    bool has_texts = sqlite3_column_type(s, 7) != SQLITE_NULL; /* version 1 kept none */
    uint8_t *bytes = has_name ? journal_open_sealed(self, s, 6, "held", name, &len) : NULL;
    uint8_t *texts = bytes && has_texts ? journal_open_sealed(self, s, 7, "held-native", name, &texts_len) : NULL;
    uint8_t *own = bytes && (texts || !has_texts) ? malloc(len + 1 + texts_len + 1) : NULL;
    if (own) {
        memcpy(own, bytes, len + 1);
        if (texts)
            memcpy(own + len + 1, texts, texts_len + 1);
        held->own = own;
        held->native = (struct carehub_native){.bytes = own, .len = len, .received_ms = held->received_ms};
        split_texts((const char *)own + len + 1, texts_len, &held->native);
    }
    free(bytes);
    free(texts);
}

bool journal_held_due(struct journal *self, struct journal_held *held)
{
    sqlite3_stmt *s = journal_statement(self, HELD_DUE);
    bool found = sqlite3_step(s) == SQLITE_ROW;
    if (found) {
        read_held(s, held);
        read_native(self, s, held);
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
    self->held_known = false;
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
