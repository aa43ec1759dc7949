/* journal_person.c - forgetting a person: by reading all that is kept. There is no index by person, for that would be
 * one thing more that says who was here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal_internal.h"
#include "person.h"

/* What is to go: the keys of rows, gathered first, for a table is not changed while it is read. */
struct doomed {
    struct key {
        uint8_t bytes[SEAL_NAME_BYTES];
        int64_t number;
    } * list;
    size_t count, room;
};

static bool doom(struct journal *self, struct doomed *doomed, const struct key *key)
{
    if (doomed->count == doomed->room) {
        size_t room = doomed->room ? 2 * doomed->room : 64;
        struct key *list = realloc(doomed->list, room * sizeof *list);
        if (!list) {
            snprintf(self->error, sizeof self->error, "out of memory");
            return false;
        }
        doomed->list = list;
        doomed->room = room;
    }
    doomed->list[doomed->count++] = *key;
    return true;
}

/* ---- What is about them ----------------------------------------------------------------------------------------- */

/* What one row holds, opened: at most two parts. */
struct opened {
    uint8_t *bytes;
    size_t len;
    ProtobufCMessage *message; /* NULL: of a format's own making, or it makes no sense */
};

static void opened_clear(struct opened *opened)
{
    if (opened->message)
        protobuf_c_message_free_unpacked(opened->message, NULL);
    free(opened->bytes);
    *opened = (struct opened){0};
}

static bool is_about(const struct person *person, const struct opened *opened)
{
    return opened->message ? person_in_message(person, opened->message)
                           : person_in_bytes(person, true, opened->bytes, opened->len);
}

/* A table, and how its rows are looked at. A row that does not open is nobody's any more: nothing can be said of it. */
struct table {
    enum statement all, drop;
    const ProtobufCMessageDescriptor *type; /* NULL: no protobuf message of ours */
    bool (*look)(struct journal *self, sqlite3_stmt *s, struct person *person, const struct table *table,
                 struct key *key);
};

static void get_name(sqlite3_stmt *s, int column, struct key *key)
{
    int size = sqlite3_column_bytes(s, column);
    memset(key->bytes, 0, sizeof key->bytes);
    if (size > 0 && size <= SEAL_NAME_BYTES)
        memcpy(key->bytes, sqlite3_column_blob(s, column), (size_t)size);
}

static struct opened open_column(struct journal *self, sqlite3_stmt *s, int column, const char *what,
                                 const struct key *key, const ProtobufCMessageDescriptor *type)
{
    struct opened opened = {0};
    if (sqlite3_column_type(s, column) == SQLITE_NULL)
        return opened;
    opened.bytes = journal_open_sealed(self, s, column, what, key->bytes, &opened.len);
    if (opened.bytes && type)
        opened.message = protobuf_c_message_unpack(type, NULL, opened.len, opened.bytes);
    return opened;
}

/* id, fact, sealed */
static bool look_at_item(struct journal *self, sqlite3_stmt *s, struct person *person, const struct table *table,
                         struct key *key)
{
    bool is_fact = sqlite3_column_int(s, 1) != 0;
    (void)table;
    get_name(s, 0, key);
    struct opened opened = open_column(self, s, 2, is_fact ? "fact" : "event", key,
                                       is_fact ? &carehub__v1__fact__descriptor : &carehub__v1__event__descriptor);
    bool found = is_about(person, &opened);
    if (found && !is_fact && opened.message)
        person_learn(person, (const Carehub__V1__Event *)opened.message);
    opened_clear(&opened);
    return found;
}

/* name, sealed, before */
static bool look_at_state(struct journal *self, sqlite3_stmt *s, struct person *person, const struct table *table,
                          struct key *key)
{
    get_name(s, 0, key);
    struct opened now = open_column(self, s, 1, "state", key, table->type);
    struct opened before = open_column(self, s, 2, "state", key, table->type);
    bool found = is_about(person, &now) || is_about(person, &before);
    opened_clear(&now);
    opened_clear(&before);
    return found;
}

/* name, sealed */
static bool look_at_sent(struct journal *self, sqlite3_stmt *s, struct person *person, const struct table *table,
                         struct key *key)
{
    get_name(s, 0, key);
    struct opened opened = open_column(self, s, 1, "sent", key, table->type);
    bool found = is_about(person, &opened);
    opened_clear(&opened);
    return found;
}

/* number, message, sealed, native, native_id; by what was given alone: a hospital's own number may be a room in it */
static bool look_at_held(struct journal *self, sqlite3_stmt *s, struct person *person, const struct table *table,
                         struct key *key)
{
    get_name(s, 1, key);
    key->number = sqlite3_column_int64(s, 0);
    struct opened bytes = open_column(self, s, 2, "held", key, table->type);
    struct opened texts = open_column(self, s, 3, "held-native", key, table->type);
    bool found = person_in_bytes(person, false, bytes.bytes, bytes.len) ||
                 person_in_bytes(person, false, texts.bytes, texts.len) ||
                 person_in_bytes(person, false, sqlite3_column_text(s, 4), (size_t)sqlite3_column_bytes(s, 4));
    opened_clear(&bytes);
    opened_clear(&texts);
    return found;
}

static const struct table items = {PERSON_ITEMS, FORGET, NULL, look_at_item};
static const struct table states = {PERSON_STATES, PERSON_STATE_DROP, NULL, look_at_state};
static const struct table sent = {PERSON_SENT, PERSON_SENT_DROP, &carehub__v1__event__descriptor, look_at_sent};
static const struct table held = {PERSON_HELD, HELD_DONE, NULL, look_at_held};

/* ---- Going through ---------------------------------------------------------------------------------------------- */

static bool gather(struct journal *self, const struct table *table, struct person *person, struct doomed *doomed)
{
    sqlite3_stmt *s = journal_statement(self, table->all);
    int step = SQLITE_DONE;
    bool ok = true;
    while (ok && (step = sqlite3_step(s)) == SQLITE_ROW) {
        struct key key = {.number = 0};
        if (table->look(self, s, person, table, &key))
            ok = doom(self, doomed, &key);
    }
    if (ok && step != SQLITE_DONE)
        ok = journal_failed(self, "be read");
    sqlite3_reset(s);
    return ok;
}

static bool drop(struct journal *self, const struct table *table, const struct doomed *doomed)
{
    bool ok = true;
    for (size_t i = 0; ok && i < doomed->count; i++) {
        const struct key *key = &doomed->list[i];
        sqlite3_stmt *s = journal_statement(self, table->drop);
        if (table == &held)
            sqlite3_bind_int64(s, 1, key->number);
        else
            journal_put_blob(s, 1, key->bytes, table == &items ? EVENTID_BYTES : SEAL_NAME_BYTES);
        ok = journal_run(self, s, "be written to");
    }
    return ok;
}

static bool handle(struct journal *self, const struct table *table, struct person *person, bool only_count,
                   uint64_t *count)
{
    struct doomed doomed = {0};
    bool ok = gather(self, table, person, &doomed) && (only_count || drop(self, table, &doomed));
    *count = doomed.count;
    free(doomed.list);
    return ok;
}

/* What a row was stays readable, for whoever has the key, in the unused parts of pages that it was moved from: the file
 * is written anew. */
static bool rewrite(struct journal *self)
{
    return sqlite3_exec(self->db, "VACUUM; PRAGMA wal_checkpoint(TRUNCATE);", NULL, NULL, NULL) == SQLITE_OK ||
           journal_failed(self, "be written anew without what is forgotten");
}

bool journal_person_learn(struct journal *self, struct person *person)
{
    struct doomed doomed = {0};
    bool ok = gather(self, &items, person, &doomed);
    free(doomed.list);
    return ok;
}

bool journal_person_forget(struct journal *self, struct person *person, bool only_count,
                           struct journal_person_count *count)
{
    bool ok = journal_begin(self) && handle(self, &items, person, only_count, &count->items) &&
              handle(self, &states, person, only_count, &count->states) &&
              handle(self, &sent, person, only_count, &count->sent) &&
              handle(self, &held, person, only_count, &count->held);
    if (!ok || only_count) {
        journal_rollback(self);
        return ok;
    }
    return journal_commit(self) && rewrite(self);
}
