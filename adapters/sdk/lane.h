/* lane.h - the deliveries of one lane that are on our side and not yet acknowledged: what they weigh in credit. */
#ifndef SDK_LANE_H
#define SDK_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lane {
    struct lane_item {
        uint64_t number;
        uint32_t bytes;
        bool settled;
    } * items; /* by number, from head to end */
    size_t head;
    size_t end;
    size_t room;
};

/* What was given back. */
struct lane_credit {
    uint32_t events;
    uint64_t bytes;
};

/* Notes a delivery. False: out of memory, or more than any credit allows. */
bool lane_add(struct lane *lane, uint64_t number, uint32_t bytes);
/* Settles numbers from..to (from 0: all up to `to`); adds what they weighed to `credit`. */
void lane_settle(struct lane *lane, uint64_t from, uint64_t to, struct lane_credit *credit);
/* Forgets all. */
void lane_clear(struct lane *lane);

#endif
