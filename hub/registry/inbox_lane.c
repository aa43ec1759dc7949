/* The deliveries that wait in a lane: a window of them in memory, the rest packed in segments on disk. */
#include "inbox_private.h"

#include <assert.h>
#include <stdlib.h>

/* ---- The window ---------------------------------------------------------------------------------------------------- */

struct item *window_at(struct lane *lane, size_t index)
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

void window_drop(struct lane *lane, size_t n)
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
