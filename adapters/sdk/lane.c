/* lane.c - see lane.h. Deliveries nearly always come and go in order: a sliding array serves. */
#include "lane.h"

#include <stdlib.h>
#include <string.h>

#include "sdk_limits.h"

enum { LANE_FIRST_ITEMS = 256, LANE_MAX_ITEMS = 2 * CREDIT_EVENTS_MAX };

static bool make_room(struct lane *lane)
{
    if (lane->end < lane->room)
        return true;
    size_t n = lane->end - lane->head;
    if (lane->head > 0 && lane->head >= lane->room / 2) {
        memmove(lane->items, lane->items + lane->head, n * sizeof *lane->items);
        lane->head = 0;
        lane->end = n;
        return true;
    }
    size_t room = lane->room ? 2 * lane->room : LANE_FIRST_ITEMS;
    if (room > 2 * LANE_MAX_ITEMS)
        return false;
    struct lane_item *items = realloc(lane->items, room * sizeof *items);
    if (!items)
        return false;
    lane->items = items;
    lane->room = room;
    return true;
}

/* The first position whose number is at least `number`. */
static size_t find(const struct lane *lane, uint64_t number)
{
    size_t low = lane->head, high = lane->end;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (lane->items[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool lane_add(struct lane *lane, uint64_t number, uint32_t bytes)
{
    if (lane->end - lane->head >= LANE_MAX_ITEMS || !make_room(lane))
        return false;
    size_t at = lane->end;
    if (at > lane->head && lane->items[at - 1].number >= number)
        at = find(lane, number); /* one that was refused comes again with its own, older number */
    memmove(lane->items + at + 1, lane->items + at, (lane->end - at) * sizeof *lane->items);
    lane->items[at] = (struct lane_item){.number = number, .bytes = bytes};
    lane->end++;
    return true;
}

void lane_settle(struct lane *lane, uint64_t from, uint64_t to, struct lane_credit *credit)
{
    size_t at = from == 0 ? lane->head : find(lane, from);
    for (; at < lane->end && lane->items[at].number <= to; at++) {
        struct lane_item *item = &lane->items[at];
        if (item->settled)
            continue;
        item->settled = true;
        credit->events++;
        credit->bytes += item->bytes;
    }
    while (lane->head < lane->end && lane->items[lane->head].settled)
        lane->head++;
    if (lane->head == lane->end)
        lane->head = lane->end = 0;
}

void lane_clear(struct lane *lane)
{
    free(lane->items);
    *lane = (struct lane){0};
}
