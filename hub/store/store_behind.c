/* The rows of what is made behind the hot path, and of what is still to be delivered later: see store.h. */
#include "store_private.h"

/* ---- Entries by person ------------------------------------------------------------------------------------------ */

void store_of_person_put(struct store *store, uint64_t person, uint64_t place)
{
    store_run(store, bind_numbers(store, OF_PERSON_PUT, NUMBERS((int64_t)person, (int64_t)place)));
}

void store_of_person_remove(struct store *store, uint64_t person, uint64_t place)
{
    store_run(store, bind_numbers(store, OF_PERSON_REMOVE, NUMBERS((int64_t)person, (int64_t)place)));
}

uint64_t store_of_person_next(struct store *store, uint64_t person, uint64_t from_place)
{
    return (uint64_t)number_of(store,
                               bind_numbers(store, OF_PERSON_NEXT, NUMBERS((int64_t)person, (int64_t)from_place)), 0);
}

uint64_t store_of_person_last(struct store *store, uint64_t person, uint64_t before_place)
{
    return (uint64_t)number_of(store,
                               bind_numbers(store, OF_PERSON_LAST, NUMBERS((int64_t)person, (int64_t)before_place)), 0);
}

/* ---- Work ------------------------------------------------------------------------------------------------------- */

void store_work_put(struct store *store, enum work_kind kind, int64_t at_ms, uint64_t place, const void *body,
                    size_t size)
{
    struct row row = {'w', kind, at_ms, (int64_t)place};
    run_sealed(store, bind_numbers(store, WORK_PUT, NUMBERS(kind, at_ms, (int64_t)place)), 4, &row, body, size);
}

enum store_result store_work_next(struct store *store, enum work_kind kind, int64_t now_ms, int64_t *after_ms,
                                  uint64_t *after_place, struct arena *arena, struct card *card)
{
    sqlite3_stmt *statement = bind_numbers(store, WORK_NEXT, NUMBERS(kind, now_ms, *after_ms, (int64_t)*after_place));
    if (!next_row(store, statement))
        return STORE_NONE;
    *after_ms = sqlite3_column_int64(statement, 0);
    *after_place = card->number = (uint64_t)sqlite3_column_int64(statement, 1);
    struct row row = {'w', kind, *after_ms, (int64_t)card->number};
    enum store_result result = open_sealed(store, statement, 2, &row, arena, card);
    sqlite3_reset(statement);
    return result;
}

void store_work_remove(struct store *store, enum work_kind kind, int64_t at_ms, uint64_t place)
{
    store_run(store, bind_numbers(store, WORK_REMOVE, NUMBERS(kind, at_ms, (int64_t)place)));
}

uint64_t store_work_count(struct store *store, enum work_kind kind)
{
    return (uint64_t)number_of(store, bind_numbers(store, WORK_COUNT, NUMBERS(kind)), 0);
}

/* ---- Unread ----------------------------------------------------------------------------------------------------- */

static void unread_run(struct store *store, enum statement which, const struct unread *unread)
{
    store_run(store, bind_numbers(store, which,
                                  NUMBERS(unread->told_nobody, unread->due_ms, (int64_t)unread->place, unread->actor)));
}

void store_unread_put(struct store *store, const struct unread *unread)
{
    unread_run(store, UNREAD_PUT, unread);
}

void store_unread_remove(struct store *store, const struct unread *unread)
{
    unread_run(store, UNREAD_REMOVE, unread);
}

bool store_unread_has(struct store *store, const struct unread *unread)
{
    sqlite3_stmt *statement = bind_numbers(
        store, UNREAD_HAS, NUMBERS(unread->told_nobody, unread->due_ms, (int64_t)unread->place, unread->actor));
    return number_of(store, statement, 0) != 0;
}

int store_unread_due(struct store *store, int64_t now_ms, struct unread *due, int max)
{
    int n = 0;
    for (int told_nobody = 0; told_nobody <= 1; told_nobody++) {
        sqlite3_stmt *statement = bind_numbers(store, UNREAD_DUE, NUMBERS(told_nobody, now_ms, max - n));
        while (next_row(store, statement))
            due[n++] = (struct unread){.told_nobody = sqlite3_column_int(statement, 0) != 0,
                                       .due_ms = sqlite3_column_int64(statement, 1),
                                       .place = (uint64_t)sqlite3_column_int64(statement, 2),
                                       .actor = (uint32_t)sqlite3_column_int64(statement, 3)};
    }
    return n;
}

uint64_t store_unread_count(struct store *store)
{
    return (uint64_t)number_of(store, store->statements[UNREAD_COUNT], 0);
}
