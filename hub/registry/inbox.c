#include "inbox.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

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

static size_t exception_at(const struct inbox *inbox, int lane, uint64_t number)
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

/* ---- The window ---------------------------------------------------------------------------------------------------- */

static struct item *window_at(struct lane *lane, size_t index)
{
    return &lane->window[(lane->first + index) & (lane->capacity - 1)];
}

static bool window_push(struct lane *lane, const struct item *item)
{
    if (lane->loaded >= LANE_WINDOW)
        return false;
    if (lane->loaded == lane->capacity) {
        size_t capacity = lane->capacity ? lane->capacity * 2 : 16;
        struct item *window = xcalloc(capacity, sizeof *window);
        for (size_t i = 0; i < lane->loaded; i++)
            window[i] = *window_at(lane, i);
        free(lane->window);
        lane->window = window;
        lane->capacity = capacity;
        lane->first = 0;
    }
    lane->loaded++;
    *window_at(lane, lane->loaded - 1) = *item;
    return true;
}

static void window_drop(struct lane *lane, size_t n)
{
    n = n < lane->loaded ? n : lane->loaded;
    lane->first = lane->capacity ? (lane->first + n) & (lane->capacity - 1) : 0;
    lane->loaded -= n;
}

/* ---- Segments: place deltas and flags as varints --------------------------------------------------------------------- */

static size_t varint_put(uint8_t *to, uint64_t value)
{
    size_t n = 0;
    while (value >= 0x80) {
        to[n++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    to[n++] = (uint8_t)value;
    return n;
}

static bool varint_get(const uint8_t **at, const uint8_t *end, uint64_t *value)
{
    *value = 0;
    for (int shift = 0; *at < end && shift < 64; shift += 7) {
        uint8_t byte = *(*at)++;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

/* Places mostly grow, but what was held or dead and is put back is older than what stands before it: the step is
 * zigzag-coded (0, -1, 1, -2…). */
static uint64_t zigzag(uint64_t from, uint64_t to)
{
    return to >= from ? (to - from) << 1 : ((from - to) << 1) - 1;
}

static uint64_t zagzig(uint64_t from, uint64_t step)
{
    return step & 1 ? from - (step >> 1) - 1 : from + (step >> 1);
}

/* (step of the place, level in 2 bits, notice in 1), which are never all 0. Where these are, a later decision stands
 * before its delivery: (its place, cause in 3 bits, 0 in 3). */
enum { ITEM_BITS = 3, ITEM_MASK = 7, CAUSE_BITS = 3, CAUSE_MASK = 7, ITEM_PACKED_MAX = 20 };

static size_t segment_pack(const struct item *items, size_t n, uint8_t *out)
{
    uint64_t before = 0;
    size_t size = 0;
    for (size_t i = 0; i < n; i++) {
        assert(items[i].level || items[i].notice);
        if (items[i].decided)
            size += varint_put(out + size, (items[i].decided << CAUSE_BITS | items[i].cause) << ITEM_BITS);
        size += varint_put(out + size, zigzag(before, items[i].place) << 3 | (uint64_t)items[i].level << 1 |
                                           (uint64_t)items[i].notice);
        before = items[i].place;
    }
    return size;
}

/* Takes a segment's items from `number` on into the window, as far as it has room. */
static bool segment_load(struct lane *lane, const struct card *segment, uint64_t number)
{
    uint64_t n = 0, value, place = 0, later = 0;
    const uint8_t *at = segment->body, *end = segment->body + segment->size;
    while (at < end) { /* its length in items tells its first number */
        if (!varint_get(&at, end, &value))
            return false;
        n += (value & ITEM_MASK) != 0;
    }
    if (n > segment->number || segment->number - n >= number)
        return false; /* it does not hold the number */
    at = segment->body;
    for (uint64_t i = segment->number - n + 1; i <= segment->number && varint_get(&at, end, &value);) {
        if ((value & ITEM_MASK) == 0) {
            later = value >> ITEM_BITS;
            continue;
        }
        place = zagzig(place, value >> ITEM_BITS);
        struct item item = {.place = place,
                            .decided = later >> CAUSE_BITS,
                            .cause = later & CAUSE_MASK,
                            .level = value >> 1 & 3,
                            .notice = value & 1};
        later = 0;
        if (i++ >= number && !window_push(lane, &item))
            break;
    }
    return true;
}

static uint64_t window_end(const struct lane *lane)
{
    return lane->settled + lane->loaded;
}

struct item *inbox_item(struct inbox *inbox, struct store *store, int which, uint64_t number, bool *full)
{
    struct lane *lane = &inbox->lanes[which];
    *full = false;
    assert(number > lane->settled && number < lane->next);
    while (number > window_end(lane)) {
        uint64_t wanted = window_end(lane) + 1;
        if (lane->loaded >= LANE_WINDOW) {
            *full = true;
            return NULL;
        }
        uint64_t first_fresh = lane->next - lane->n_fresh;
        if (wanted >= first_fresh) {
            window_push(lane, &lane->fresh[wanted - first_fresh]);
            continue;
        }
        struct arena arena;
        struct card segment;
        arena_init(&arena);
        bool good = store_segment_get(store, inbox->number, which, wanted, &arena, &segment) == STORE_OK &&
                    segment_load(lane, &segment, wanted) && window_end(lane) >= wanted;
        arena_fini(&arena);
        if (!good)
            return NULL;
    }
    return window_at(lane, (size_t)(number - lane->settled - 1));
}

/* ---- Adding -------------------------------------------------------------------------------------------------------- */

uint64_t inbox_add(struct inbox *inbox, int which, struct item item)
{
    struct lane *lane = &inbox->lanes[which];
    if (lane->n_fresh == lane->fresh_capacity) {
        lane->fresh_capacity = lane->fresh_capacity ? lane->fresh_capacity * 2 : 16;
        lane->fresh = xreallocarray(lane->fresh, lane->fresh_capacity, sizeof *lane->fresh);
    }
    lane->fresh[lane->n_fresh++] = item;
    lane->dirty = true;
    return lane->next++;
}

void inbox_take_back(struct inbox *inbox, int which, uint64_t number)
{
    struct lane *lane = &inbox->lanes[which];
    assert(lane->next >= number && lane->next - number <= lane->n_fresh);
    lane->n_fresh -= (size_t)(lane->next - number);
    lane->next = number;
}

/* ---- Exceptions ---------------------------------------------------------------------------------------------------- */

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

static struct exception *insert(struct inbox *inbox, const struct exception *exception)
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

static void exception_store(struct inbox *inbox, struct store *store, const struct exception *exception)
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
static void drop_acked(struct inbox *inbox, struct store *store, int which, uint64_t from, uint64_t to)
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
    drop_acked(inbox, store, which, before + 1, settled);
    window_drop(lane, (size_t)(settled - before));
    lane->settled = settled;
    if (lane->sent < settled && inbox->session == 0)
        lane->sent = settled; /* whoever is attached has to be told of those that it will not get: see push.c */
    lane->dirty = true;
}

bool inbox_may_except(const struct inbox *inbox, uint64_t n)
{
    return inbox->n_exceptions + n <= EXCEPTIONS_MAX;
}

void inbox_except(struct inbox *inbox, struct store *store, const struct exception *exception)
{
    struct exception *kept = insert(inbox, exception);
    exception_store(inbox, store, kept);
    if (kept->state == CAREHUB__V1__EXCEPTION_CARD__STATE__RETRY && kept->retry_at_ms < inbox->next_retry_ms)
        inbox->next_retry_ms = kept->retry_at_ms;
    advance(inbox, store, exception->lane, inbox->lanes[exception->lane].settled);
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

/* ---- Storing ------------------------------------------------------------------------------------------------------- */

static void lane_flush(struct inbox *inbox, struct store *store, int which)
{
    struct lane *lane = &inbox->lanes[which];
    if (!lane->dirty)
        return;
    uint64_t first_fresh = lane->next - lane->n_fresh;
    if (lane->n_fresh > 0 && lane->next - 1 > lane->settled) {
        /* If the window ends where these begin, they need not be read back. */
        uint64_t end = window_end(lane);
        for (size_t i = 0; i < lane->n_fresh && end + 1 >= first_fresh; i++)
            if (first_fresh + i > end && !window_push(lane, &lane->fresh[i]))
                break;
        uint8_t *body = xcalloc(lane->n_fresh, ITEM_PACKED_MAX);
        size_t size = segment_pack(lane->fresh, lane->n_fresh, body);
        store_segment_put(store, inbox->number, which, lane->next - 1, body, size);
        free(body);
    }
    lane->n_fresh = 0;
    if (lane->settled > lane->dropped_to) {
        store_segments_drop(store, inbox->number, which, lane->settled);
        lane->dropped_to = lane->settled;
    }
    Carehub__V1__LaneCard card = CAREHUB__V1__LANE_CARD__INIT;
    card.next = lane->next;
    card.settled = lane->settled;
    uint8_t body[64];
    size_t size = carehub__v1__lane_card__pack(&card, body);
    store_lane_put(store, inbox->number, which, body, size);
    lane->dirty = false;
}

void inbox_flush(struct inbox *inbox, struct store *store)
{
    for (int lane = 0; lane < LANES; lane++)
        lane_flush(inbox, store, lane);
}

static void load_exception(void *ctx, int lane, const struct card *row)
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
    insert(inbox, &exception);
    if (card->state == CAREHUB__V1__EXCEPTION_CARD__STATE__RETRY && card->retry_at_ms < inbox->next_retry_ms)
        inbox->next_retry_ms = card->retry_at_ms;
    carehub__v1__exception_card__free_unpacked(card, NULL);
}

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
        result = store_exception_each(store, inbox->number, &arena, load_exception, inbox);
    arena_fini(&arena);
    return result;
}
