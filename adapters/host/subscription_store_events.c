/* subscription_store_events.c - the events of subscriptions, by number and by id. */
#include "subscription_store_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void store_event_name(int64_t key, const uint8_t id[EVENTID_BYTES], uint8_t name[SEAL_NAME_BYTES])
{
    memset(name, 0, SEAL_NAME_BYTES);
    memcpy(name, id, EVENTID_BYTES);
    memcpy(name + EVENTID_BYTES, &key, sizeof key);
}

void store_event_clear(struct store_event *event)
{
    free(event->event);
    free(event->document);
    *event = (struct store_event){0};
}

/* ---- Reading ---------------------------------------------------------------------------------------------------- */

static bool read_event(struct subscription_store *self, sqlite3_stmt *s, int64_t key, struct store_event *event)
{
    uint8_t name[SEAL_NAME_BYTES];
    const char *type = (const char *)sqlite3_column_text(s, 5);
    bool damaged = sqlite3_column_bytes(s, 1) != EVENTID_BYTES;
    *event = (struct store_event){
        .number = (uint64_t)sqlite3_column_int64(s, 0),
        .lane = sqlite3_column_int(s, 2),
        .delivery = (uint64_t)sqlite3_column_int64(s, 3),
        .made_ms = sqlite3_column_int64(s, 4),
    };
    if (!damaged) {
        memcpy(event->id, sqlite3_column_blob(s, 1), EVENTID_BYTES);
        snprintf(event->type, sizeof event->type, "%s", type ? type : "");
        store_event_name(key, event->id, name);
        event->event = store_unsealed(self, s, 6, "event", name, &event->event_len, &damaged);
        event->document = store_unsealed(self, s, 7, "document", name, &event->document_len, &damaged);
    }
    if (damaged)
        store_event_clear(event);
    return !damaged;
}

static bool find_event(struct subscription_store *self, sqlite3_stmt *s, int64_t key, struct store_event *event)
{
    int step = sqlite3_step(s);
    *event = (struct store_event){0};
    bool found = step == SQLITE_ROW && read_event(self, s, key, event);
    if (step != SQLITE_ROW && step != SQLITE_DONE)
        store_failed(self, "be read");
    sqlite3_reset(s);
    return found;
}

bool store_event_from(struct subscription_store *self, int64_t key, uint64_t from, struct store_event *event)
{
    sqlite3_stmt *s = store_sql(self, STORE_SQL_EVENT_FROM);
    sqlite3_bind_int64(s, 1, key);
    sqlite3_bind_int64(s, 2, from > INT64_MAX ? INT64_MAX : (int64_t)from);
    return find_event(self, s, key, event);
}

static sqlite3_stmt *by_id(struct subscription_store *self, int64_t key, const uint8_t *id)
{
    sqlite3_stmt *s = store_sql(self, STORE_SQL_EVENT_OF_ID);
    sqlite3_bind_int64(s, 1, key);
    sqlite3_bind_blob(s, 2, id, EVENTID_BYTES, SQLITE_TRANSIENT);
    return s;
}

bool store_event_of_id(struct subscription_store *self, int64_t key, const uint8_t id[EVENTID_BYTES],
                       struct store_event *event)
{
    return find_event(self, by_id(self, key, id), key, event);
}

/* ---- Writing ---------------------------------------------------------------------------------------------------- */

/* Its number if it is there; 0 if not, -1 when that cannot be known. */
static int64_t number_of(struct subscription_store *self, int64_t key, const uint8_t *id)
{
    sqlite3_stmt *s = by_id(self, key, id);
    int step = sqlite3_step(s);
    int64_t number = step == SQLITE_ROW ? sqlite3_column_int64(s, 0) : step == SQLITE_DONE ? 0 : -1;
    if (number < 0)
        store_failed(self, "be read");
    sqlite3_reset(s);
    return number;
}

static int64_t next_number(struct subscription_store *self, int64_t key)
{
    sqlite3_stmt *s = store_sql(self, STORE_SQL_NUMBER);
    sqlite3_bind_int64(s, 1, key);
    int64_t number = sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int64(s, 0) : -1;
    /* The change is made when the statement has come to its end. */
    if (number < 0 || sqlite3_step(s) != SQLITE_DONE)
        number = -1;
    if (number < 0)
        store_failed(self, "be written to");
    sqlite3_reset(s);
    return number;
}

static bool write_event(struct subscription_store *self, enum store_statement which, int64_t key,
                        const struct store_event *event)
{
    uint8_t name[SEAL_NAME_BYTES];
    sqlite3_stmt *s = store_sql(self, which);
    store_event_name(key, event->id, name);
    sqlite3_bind_int64(s, 1, key);
    sqlite3_bind_int64(s, 2, (int64_t)event->number);
    sqlite3_bind_blob(s, 3, event->id, EVENTID_BYTES, SQLITE_TRANSIENT);
    sqlite3_bind_int(s, 4, event->lane);
    sqlite3_bind_int64(s, 5, (int64_t)event->delivery);
    sqlite3_bind_int64(s, 6, event->made_ms);
    sqlite3_bind_text(s, 7, event->type, -1, SQLITE_TRANSIENT);
    if (!store_bind_sealed(self, s, 8, "event", name, event->event, event->event_len) ||
        !store_bind_sealed(self, s, 9, "document", name, event->document, event->document_len))
        return store_failed(self, "be written to");
    return store_run(self, s, "be written to");
}

enum store_put store_put_event(struct subscription_store *self, struct store_record *record, struct store_event *event)
{
    int64_t number = number_of(self, record->key, event->id);
    bool is_new = number == 0;
    if (is_new)
        number = next_number(self, record->key);
    if (number < 0)
        return STORE_FAILED;
    event->number = (uint64_t)number;
    if (!write_event(self, is_new ? STORE_SQL_PUT : STORE_SQL_PUT_AGAIN, record->key, event))
        return STORE_FAILED;
    if (is_new)
        record->events = event->number;
    return is_new ? STORE_NEW : sqlite3_changes(self->db) > 0 ? STORE_AGAIN : STORE_DELIVERED;
}

bool store_delivered(struct subscription_store *self, int64_t key, uint64_t number)
{
    sqlite3_stmt *s = store_sql(self, STORE_SQL_DELIVERED);
    sqlite3_bind_int64(s, 1, key);
    sqlite3_bind_int64(s, 2, (int64_t)number);
    return store_run(self, s, "be written to");
}

bool store_withdraw(struct subscription_store *self, int64_t key, int lane, uint64_t from, uint64_t to)
{
    sqlite3_stmt *s = store_sql(self, STORE_SQL_WITHDRAW);
    sqlite3_bind_int64(s, 1, key);
    sqlite3_bind_int(s, 2, lane);
    sqlite3_bind_int64(s, 3, (int64_t)from);
    sqlite3_bind_int64(s, 4, to > INT64_MAX ? INT64_MAX : (int64_t)to);
    return store_run(self, s, "be written to");
}

int store_prune(struct subscription_store *self, int64_t before_ms, uint64_t keep)
{
    sqlite3_stmt *s = store_sql(self, STORE_SQL_PRUNE_OLD);
    sqlite3_bind_int64(s, 1, before_ms);
    if (!store_run(self, s, "be pruned"))
        return -1;
    int pruned = sqlite3_changes(self->db);
    s = store_sql(self, STORE_SQL_PRUNE_MANY);
    sqlite3_bind_int64(s, 1, (int64_t)keep);
    return store_run(self, s, "be pruned") ? pruned + sqlite3_changes(self->db) : -1;
}
