/* What has left a lane's order: acknowledged ahead of others, refused and to come again, dead. In the order of lanes
 * and numbers. */
#include "inbox_private.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

size_t exception_at(const struct inbox *inbox, int lane, uint64_t number)
{
    size_t low = 0, high = inbox->n_exceptions;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct exception *exception = &inbox->exceptions[middle];
        if (exception->lane < lane || (exception->lane == lane && exception->number < number))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct exception *inbox_exception(struct inbox *inbox, int lane, uint64_t number)
{
    size_t at = exception_at(inbox, lane, number);
    struct exception *found = at < inbox->n_exceptions ? &inbox->exceptions[at] : NULL;
    return found && found->lane == lane && found->number == number ? found : NULL;
}

static void count(struct inbox *inbox, const struct exception *exception, int by)
{
    if (exception->state == CAREHUB__V1__EXCEPTION_CARD__STATE__RETRY)
        inbox->n_retry += (size_t)by;
    if (exception->state == CAREHUB__V1__EXCEPTION_CARD__STATE__DEAD)
        inbox->n_dead += (size_t)by;
}

struct exception *exception_insert(struct inbox *inbox, const struct exception *exception)
{
    struct exception *old = inbox_exception(inbox, exception->lane, exception->number);
    if (old) {
        count(inbox, old, -1);
        count(inbox, exception, 1);
        *old = *exception;
        return old;
    }
    if (inbox->n_exceptions == inbox->exceptions_capacity) {
        inbox->exceptions_capacity = inbox->exceptions_capacity ? inbox->exceptions_capacity * 2 : 8;
        inbox->exceptions = xreallocarray(inbox->exceptions, inbox->exceptions_capacity, sizeof *inbox->exceptions);
    }
    size_t at = exception_at(inbox, exception->lane, exception->number);
    memmove(inbox->exceptions + at + 1, inbox->exceptions + at, (inbox->n_exceptions - at) * sizeof *inbox->exceptions);
    inbox->exceptions[at] = *exception;
    inbox->n_exceptions++;
    count(inbox, exception, 1);
    return &inbox->exceptions[at];
}

void exception_store(struct inbox *inbox, struct store *store, const struct exception *exception)
{
    Carehub__V1__ExceptionCard card = CAREHUB__V1__EXCEPTION_CARD__INIT;
    card.state = exception->state;
    card.place = exception->item.place;
    card.level = (Carehub__V1__Level)exception->item.level;
    card.notice = exception->item.notice;
    card.attempts = exception->attempts;
    card.retry_at_ms = exception->retry_at_ms;
    card.reason = exception->reason;
    card.code = (char *)exception->code;
    card.decided = exception->item.decided;
    card.cause = (Carehub__V1__Cause)exception->item.cause;
    uint8_t body[256];
    size_t size = carehub__v1__exception_card__get_packed_size(&card);
    assert(size <= sizeof body);
    carehub__v1__exception_card__pack(&card, body);
    store_exception_put(store, inbox->number, exception->lane, exception->number, body, size);
}

/* Takes the acknowledgements out of the exceptions of a lane from `from` to `to`, in one sweep: there can be thousands.
 */
void exceptions_drop_acked(struct inbox *inbox, struct store *store, int which, uint64_t from, uint64_t to)
{
    size_t first = exception_at(inbox, which, from), end = exception_at(inbox, which, to + 1), kept = first;
    for (size_t i = first; i < end; i++) {
        if (inbox->exceptions[i].state == CAREHUB__V1__EXCEPTION_CARD__STATE__ACKED)
            store_exception_remove(store, inbox->number, which, inbox->exceptions[i].number);
        else
            inbox->exceptions[kept++] = inbox->exceptions[i];
    }
    if (kept == end)
        return;
    memmove(inbox->exceptions + kept, inbox->exceptions + end, (inbox->n_exceptions - end) * sizeof *inbox->exceptions);
    inbox->n_exceptions -= end - kept;
}

bool inbox_may_except(const struct inbox *inbox, uint64_t n)
{
    return inbox->n_exceptions + n <= EXCEPTIONS_MAX;
}

void inbox_exception_remove(struct inbox *inbox, struct store *store, struct exception *exception)
{
    store_exception_remove(store, inbox->number, exception->lane, exception->number);
    count(inbox, exception, -1);
    size_t at = (size_t)(exception - inbox->exceptions);
    memmove(exception, exception + 1, (inbox->n_exceptions - at - 1) * sizeof *exception);
    inbox->n_exceptions--;
}

uint64_t inbox_run(const struct inbox *inbox, int lane, uint64_t from, uint64_t to)
{
    size_t at = exception_at(inbox, lane, from);
    const struct exception *next = at < inbox->n_exceptions ? &inbox->exceptions[at] : NULL;
    return next && next->lane == lane && next->number <= to ? next->number - 1 : to;
}

void exception_load(void *ctx, int lane, const struct card *row)
{
    struct inbox *inbox = ctx;
    Carehub__V1__ExceptionCard *card = carehub__v1__exception_card__unpack(NULL, row->size, row->body);
    if (!card)
        return; /* it opened, so it is as it was written */
    struct exception exception = {.lane = lane,
                                  .number = row->number,
                                  .item = {.place = card->place,
                                           .decided = card->decided,
                                           .cause = (uint8_t)card->cause,
                                           .level = (uint8_t)card->level,
                                           .notice = card->notice,
                                           .resent = true},
                                  .state = card->state,
                                  .attempts = card->attempts,
                                  .retry_at_ms = card->retry_at_ms,
                                  .reason = card->reason};
    strncpy(exception.code, card->code, sizeof exception.code - 1);
    exception_insert(inbox, &exception);
    if (card->state == CAREHUB__V1__EXCEPTION_CARD__STATE__RETRY && card->retry_at_ms < inbox->next_retry_ms)
        inbox->next_retry_ms = card->retry_at_ms;
    carehub__v1__exception_card__free_unpacked(card, NULL);
}
