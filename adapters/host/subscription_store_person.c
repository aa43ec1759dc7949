/* subscription_store_person.c - forgetting a person: the content of events about them goes, their numbers stay, for
 * subscribers count by them. An event without content is told as one that was withdrawn. */
#include "subscription_store_internal.h"

#include <stdlib.h>
#include <string.h>

#include "person.h"

struct found {
    int64_t subscription, number;
};

struct found_list {
    struct found *list;
    size_t count, room;
};

static bool add(struct found_list *self, const struct found *found)
{
    if (self->count == self->room) {
        size_t room = self->room ? 2 * self->room : 64;
        struct found *list = realloc(self->list, room * sizeof *list);
        if (!list)
            return false;
        self->list = list;
        self->room = room;
    }
    self->list[self->count++] = *found;
    return true;
}

/* subscription, number, id, event, document. What does not open is nobody's any more. */
static bool is_about(struct subscription_store *self, sqlite3_stmt *s, const struct person *person)
{
    uint8_t name[SEAL_NAME_BYTES];
    size_t event_len = 0, document_len = 0;
    bool damaged = false;
    if (sqlite3_column_bytes(s, 2) != EVENTID_BYTES)
        return false;
    store_event_name(sqlite3_column_int64(s, 0), sqlite3_column_blob(s, 2), name);
    uint8_t *event = store_unsealed(self, s, 3, "event", name, &event_len, &damaged);
    uint8_t *document = store_unsealed(self, s, 4, "document", name, &document_len, &damaged);
    Carehub__V1__Event *read = event ? carehub__v1__event__unpack(NULL, event_len, event) : NULL;
    bool found = read ? person_in_message(person, &read->base) : person_in_bytes(person, true, event, event_len);
    found = found || person_in_bytes(person, false, document, document_len);
    if (read)
        carehub__v1__event__free_unpacked(read, NULL);
    free(event);
    free(document);
    return found;
}

static bool gather(struct subscription_store *self, const struct person *person, struct found_list *all)
{
    sqlite3_stmt *s = store_sql(self, STORE_SQL_PERSON);
    int step = SQLITE_DONE;
    bool ok = true;
    while (ok && (step = sqlite3_step(s)) == SQLITE_ROW) {
        const struct found found = {sqlite3_column_int64(s, 0), sqlite3_column_int64(s, 1)};
        if (is_about(self, s, person))
            ok = add(all, &found);
    }
    if (!ok || step != SQLITE_DONE)
        ok = store_failed(self, "be read");
    sqlite3_reset(s);
    return ok;
}

static bool blank(struct subscription_store *self, const struct found_list *all)
{
    bool ok = store_begin(self);
    for (size_t i = 0; ok && i < all->count; i++) {
        sqlite3_stmt *s = store_sql(self, STORE_SQL_PERSON_BLANK);
        sqlite3_bind_int64(s, 1, all->list[i].subscription);
        sqlite3_bind_int64(s, 2, all->list[i].number);
        ok = store_run(self, s, "be written to");
    }
    if (!ok) {
        store_rollback(self);
        return false;
    }
    /* Written anew, for what is in the unused parts of its pages. */
    return store_commit(self) &&
           (sqlite3_exec(self->db, "VACUUM; PRAGMA wal_checkpoint(TRUNCATE);", NULL, NULL, NULL) == SQLITE_OK ||
            store_failed(self, "be written anew without what is forgotten"));
}

bool store_person_forget(struct subscription_store *self, const struct person *person, bool only_count, uint64_t *count)
{
    struct found_list all = {0};
    bool ok = gather(self, person, &all);
    *count = all.count;
    ok = ok && (only_count || blank(self, &all));
    free(all.list);
    return ok;
}
