/* The rows of the inboxes: lanes, their deliveries in segments, the exceptions, what is held; and where to look for
 * what became of a delivery. */
#include "store_private.h"

/* ---- Inboxes ---------------------------------------------------------------------------------------------------- */

void store_lane_put(struct store *store, uint32_t inbox, int lane, const void *body, size_t size)
{
    struct row row = {'l', inbox, lane, 0};
    run_sealed(store, bind_numbers(store, LANE_PUT, NUMBERS(inbox, lane)), 3, &row, body, size);
}

enum store_result store_lane_get(struct store *store, uint32_t inbox, int lane, struct arena *arena, struct card *card)
{
    sqlite3_stmt *statement = bind_numbers(store, LANE_GET, NUMBERS(inbox, lane));
    if (!next_row(store, statement))
        return STORE_NONE;
    struct row row = {'l', inbox, lane, 0};
    enum store_result result = open_sealed(store, statement, 0, &row, arena, card);
    sqlite3_reset(statement);
    return result;
}

void store_segment_put(struct store *store, uint32_t inbox, int lane, uint64_t last_number, const void *body,
                       size_t size)
{
    struct row row = {'s', inbox, lane, (int64_t)last_number};
    run_sealed(store, bind_numbers(store, SEGMENT_PUT, NUMBERS(inbox, lane, (int64_t)last_number)), 4, &row, body,
               size);
}

enum store_result store_segment_get(struct store *store, uint32_t inbox, int lane, uint64_t number, struct arena *arena,
                                    struct card *card)
{
    sqlite3_stmt *statement = bind_numbers(store, SEGMENT_GET, NUMBERS(inbox, lane, (int64_t)number));
    if (!next_row(store, statement))
        return STORE_NONE;
    card->number = (uint64_t)sqlite3_column_int64(statement, 0);
    struct row row = {'s', inbox, lane, (int64_t)card->number};
    enum store_result result = open_sealed(store, statement, 1, &row, arena, card);
    sqlite3_reset(statement);
    return result;
}

void store_segments_drop(struct store *store, uint32_t inbox, int lane, uint64_t through_number)
{
    store_run(store, bind_numbers(store, SEGMENT_DROP, NUMBERS(inbox, lane, (int64_t)through_number)));
}

void store_exception_put(struct store *store, uint32_t inbox, int lane, uint64_t number, const void *body, size_t size)
{
    struct row row = {'x', inbox, lane, (int64_t)number};
    run_sealed(store, bind_numbers(store, EXCEPTION_PUT, NUMBERS(inbox, lane, (int64_t)number)), 4, &row, body, size);
}

void store_exception_remove(struct store *store, uint32_t inbox, int lane, uint64_t number)
{
    store_run(store, bind_numbers(store, EXCEPTION_REMOVE, NUMBERS(inbox, lane, (int64_t)number)));
}

enum store_result store_exception_each(struct store *store, uint32_t inbox, struct arena *arena,
                                       void (*each)(void *ctx, int lane, const struct card *card), void *ctx)
{
    sqlite3_stmt *statement = bind_numbers(store, EXCEPTION_EACH, NUMBERS(inbox));
    while (next_row(store, statement)) {
        int lane = sqlite3_column_int(statement, 0);
        struct card card = {.number = (uint64_t)sqlite3_column_int64(statement, 1)};
        struct row row = {'x', inbox, lane, (int64_t)card.number};
        if (open_sealed(store, statement, 2, &row, arena, &card) != STORE_OK) {
            sqlite3_reset(statement);
            return STORE_DAMAGED;
        }
        each(ctx, lane, &card);
    }
    return STORE_OK;
}

void store_held_put(struct store *store, uint64_t place, uint32_t actor, const void *body, size_t size)
{
    struct row row = {'h', (int64_t)place, actor, 0};
    run_sealed(store, bind_numbers(store, HELD_PUT, NUMBERS((int64_t)place, actor)), 3, &row, body, size);
}

bool store_held_any(struct store *store, uint64_t place)
{
    return number_of(store, bind_numbers(store, HELD_ANY, NUMBERS((int64_t)place)), 0) != 0;
}

int store_held_remove_all(struct store *store, uint64_t place)
{
    store_run(store, bind_numbers(store, HELD_REMOVE_ALL, NUMBERS((int64_t)place)));
    return sqlite3_changes(store->db);
}

void store_held_remove(struct store *store, uint64_t place, uint32_t actor)
{
    store_run(store, bind_numbers(store, HELD_REMOVE, NUMBERS((int64_t)place, actor)));
}

enum store_result store_held_get(struct store *store, uint64_t place, uint32_t actor, struct arena *arena,
                                 struct card *card)
{
    sqlite3_stmt *statement = bind_numbers(store, HELD_GET, NUMBERS((int64_t)place, actor));
    if (!next_row(store, statement))
        return STORE_NONE;
    struct row row = {'h', (int64_t)place, actor, 0};
    enum store_result result = open_sealed(store, statement, 0, &row, arena, card);
    sqlite3_reset(statement);
    return result;
}

enum store_result store_held_each(struct store *store, struct arena *arena,
                                  bool (*each)(void *ctx, uint32_t actor, const struct card *card), void *ctx)
{
    sqlite3_stmt *statement = store->statements[HELD_EACH];
    enum store_result result = STORE_OK;
    while (result == STORE_OK && next_row(store, statement)) {
        struct card card = {.number = (uint64_t)sqlite3_column_int64(statement, 0)};
        uint32_t actor = (uint32_t)sqlite3_column_int64(statement, 1);
        struct row row = {'h', (int64_t)card.number, actor, 0};
        result = open_sealed(store, statement, 2, &row, arena, &card);
        if (result == STORE_OK && !each(ctx, actor, &card))
            break;
    }
    sqlite3_reset(statement);
    return result;
}

/* ---- Places to look at ------------------------------------------------------------------------------------------ */

void store_acked_put(struct store *store, uint32_t inbox, int lane, int kind, uint64_t to, uint64_t place)
{
    store_run(store, bind_numbers(store, ACKED_PUT, NUMBERS(inbox, lane, kind, (int64_t)to, (int64_t)place)));
}

uint64_t store_acked_find(struct store *store, uint32_t inbox, int lane, int kind, uint64_t number, uint64_t after)
{
    return (uint64_t)number_of(
        store, bind_numbers(store, ACKED_FIND, NUMBERS(inbox, lane, kind, (int64_t)number, (int64_t)after)), 0);
}

uint64_t store_acked_first(struct store *store, uint32_t inbox, int lane, int kind)
{
    return (uint64_t)number_of(store, bind_numbers(store, ACKED_FIRST, NUMBERS(inbox, lane, kind)), -1);
}

int store_acked_places(struct store *store, uint32_t inbox, int lane, int kind, uint64_t number, uint64_t after,
                       uint64_t *places, int max)
{
    return numbers_of(
        store, bind_numbers(store, ACKED_PLACES, NUMBERS(inbox, lane, kind, (int64_t)number, (int64_t)after, max)),
        places, max);
}

void store_step_put(struct store *store, uint32_t inbox, int lane, uint64_t number, uint64_t place)
{
    store_run(store, bind_numbers(store, STEP_PUT, NUMBERS(inbox, lane, (int64_t)number, (int64_t)place)));
}

int store_steps_find(struct store *store, uint32_t inbox, int lane, uint64_t number, uint64_t *places, int max)
{
    sqlite3_stmt *statement = bind_numbers(store, STEP_FIND, NUMBERS(inbox, lane, (int64_t)number, max));
    return numbers_of(store, statement, places, max);
}

void store_steps_remove(struct store *store, uint32_t inbox, int lane, uint64_t number)
{
    store_run(store, bind_numbers(store, STEPS_REMOVE, NUMBERS(inbox, lane, (int64_t)number)));
}

int store_steps_of(struct store *store, uint32_t inbox, int lane, uint64_t number, uint64_t after, uint64_t *places,
                   int max)
{
    return numbers_of(store, bind_numbers(store, STEP_OF, NUMBERS(inbox, lane, (int64_t)number, (int64_t)after, max)),
                      places, max);
}

void store_number_forget(struct store *store, uint32_t inbox, int lane, uint64_t number)
{
    store_steps_remove(store, inbox, lane, number);
    for (int kind = 0; kind <= 1; kind++)
        store_run(store, bind_numbers(store, ACKED_FORGET, NUMBERS(inbox, lane, kind, (int64_t)number)));
}
