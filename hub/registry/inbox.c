#include "inbox_private.h"

#include <assert.h>
#include <stdlib.h>

struct inbox *inbox_new(uint32_t number)
{
    struct inbox *inbox = xcalloc(1, sizeof *inbox);
    inbox->number = number;
    inbox->next_retry_ms = INT64_MAX;
    for (int lane = 0; lane < LANES; lane++)
        inbox->lanes[lane].next = 1;
    return inbox;
}

void inbox_free(struct inbox *inbox)
{
    for (int lane = 0; lane < LANES; lane++) {
        free(inbox->lanes[lane].window);
        free(inbox->lanes[lane].fresh);
    }
    free(inbox->exceptions);
    free(inbox->acked);
    if (inbox->card)
        carehub__v1__inbox_card__free_unpacked(inbox->card, NULL);
    free(inbox);
}

/* ---- Counting ------------------------------------------------------------------------------------------------------ */

/* Numbers behind `after` up to `to` that are in the lane's order: without an exception. */
static uint64_t in_order(const struct inbox *inbox, int lane, uint64_t after, uint64_t to)
{
    return to - after - (exception_at(inbox, lane, to + 1) - exception_at(inbox, lane, after + 1));
}

uint64_t inbox_undelivered(const struct inbox *inbox)
{
    uint64_t n = inbox->n_retry;
    for (int lane = 0; lane < LANES; lane++)
        n += in_order(inbox, lane, inbox->lanes[lane].settled, inbox->lanes[lane].next - 1);
    return n;
}

bool inbox_full(const struct inbox *inbox)
{
    uint64_t max = inbox->card->max_undelivered ? inbox->card->max_undelivered : INBOX_MAX_UNDELIVERED;
    return inbox_undelivered(inbox) >= max;
}

uint64_t inbox_in_flight(const struct inbox *inbox)
{
    uint64_t n = 0;
    if (inbox->session == 0)
        return 0;
    for (int lane = 0; lane < LANES; lane++)
        if (inbox->lanes[lane].sent > inbox->lanes[lane].settled)
            n += in_order(inbox, lane, inbox->lanes[lane].settled, inbox->lanes[lane].sent);
    for (size_t i = 0; i < inbox->n_exceptions && inbox->n_retry > 0; i++)
        n += inbox->exceptions[i].in_flight;
    return n;
}

/* ---- Settling ------------------------------------------------------------------------------------------------------ */

/* Moves the cursor up to `settled`, and over whatever has a row of its own behind that. */
static void advance(struct inbox *inbox, struct store *store, int which, uint64_t settled)
{
    struct lane *lane = &inbox->lanes[which];
    uint64_t before = lane->settled;
    for (size_t at = exception_at(inbox, which, settled + 1);
         at < inbox->n_exceptions && inbox->exceptions[at].lane == which && inbox->exceptions[at].number == settled + 1;
         at++)
        settled++;
    if (settled == before)
        return;
    exceptions_drop_acked(inbox, store, which, before + 1, settled);
    window_drop(lane, (size_t)(settled - before));
    lane->settled = settled;
    if (lane->sent < settled && inbox->session == 0)
        lane->sent = settled; /* whoever is attached has to be told of those that it will not get: see push.c */
    lane->dirty = true;
}

void inbox_except(struct inbox *inbox, struct store *store, const struct exception *exception)
{
    struct exception *kept = exception_insert(inbox, exception);
    exception_store(inbox, store, kept);
    if (kept->state == CAREHUB__V1__EXCEPTION_CARD__STATE__RETRY && kept->retry_at_ms < inbox->next_retry_ms)
        inbox->next_retry_ms = kept->retry_at_ms;
    advance(inbox, store, exception->lane, inbox->lanes[exception->lane].settled);
}

bool inbox_settle(struct inbox *inbox, struct store *store, int which, uint64_t from, uint64_t to)
{
    struct lane *lane = &inbox->lanes[which];
    assert(to < lane->next);
    if (from <= lane->settled + 1) {
        if (to > lane->settled)
            advance(inbox, store, which, to);
        return true;
    }
    if (!inbox_may_except(inbox, to - from + 1))
        return false;
    for (uint64_t number = from; number <= to; number++) {
        struct exception exception = {
            .lane = which, .number = number, .state = CAREHUB__V1__EXCEPTION_CARD__STATE__ACKED};
        if (!inbox_exception(inbox, which, number))
            inbox_except(inbox, store, &exception);
    }
    return true;
}

/* ---- Attaching, acknowledging -------------------------------------------------------------------------------------- */

void inbox_rewind(struct inbox *inbox)
{
    for (int which = 0; which < LANES; which++) {
        struct lane *lane = &inbox->lanes[which];
        for (size_t i = 0; i < lane->loaded && lane->settled + i < lane->sent; i++)
            window_at(lane, i)->resent = true;
        lane->sent = lane->settled;
        lane->blocked_on = 0;
    }
    for (size_t i = 0; i < inbox->n_exceptions; i++)
        inbox->exceptions[i].in_flight = false;
    inbox->next_retry_ms = inbox->n_retry > 0 ? 0 : INT64_MAX;
}

void inbox_note_ack(struct inbox *inbox, const Carehub__V1__AckedRange *range)
{
    for (size_t i = inbox->n_acked; i-- > 0;) {
        Carehub__V1__AckedRange *before = &inbox->acked[i];
        if (before->lane != range->lane || before->kind != range->kind)
            continue;
        if (before->to + 1 != range->from)
            break;
        before->to = range->to;
        before->last_sent_ms = range->last_sent_ms;
        return;
    }
    if (inbox->n_acked == inbox->acked_capacity) {
        inbox->acked_capacity = inbox->acked_capacity ? inbox->acked_capacity * 2 : 4;
        inbox->acked = xreallocarray(inbox->acked, inbox->acked_capacity, sizeof *inbox->acked);
    }
    inbox->acked[inbox->n_acked++] = *range;
}

/* ---- Loading -------------------------------------------------------------------------------------------------------- */

enum store_result inbox_load(struct inbox *inbox, struct store *store)
{
    struct arena arena;
    struct card row;
    enum store_result result = STORE_OK;
    arena_init(&arena);
    for (int which = 0; which < LANES && result != STORE_DAMAGED; which++) {
        struct lane *lane = &inbox->lanes[which];
        result = store_lane_get(store, inbox->number, which, &arena, &row);
        Carehub__V1__LaneCard *card =
            result == STORE_OK ? carehub__v1__lane_card__unpack(NULL, row.size, row.body) : NULL;
        if (card) {
            lane->next = card->next;
            lane->settled = lane->sent = lane->dropped_to = card->settled;
            carehub__v1__lane_card__free_unpacked(card, NULL);
        }
    }
    if (result != STORE_DAMAGED)
        result = store_exception_each(store, inbox->number, &arena, exception_load, inbox);
    arena_fini(&arena);
    return result;
}
