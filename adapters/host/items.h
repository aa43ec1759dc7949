/* items.h - what is made of one native message: events and registry facts, serialised, ready to be published. */
#ifndef CAREHUB_ITEMS_H
#define CAREHUB_ITEMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "carehub_adapter.h"
#include "eventid.h"

struct item {
    bool is_fact;
    uint8_t id[EVENTID_BYTES];
    uint8_t original[EVENTID_BYTES]; /* of an event: the one that it corrects, or its own id */
    uint8_t *bytes;                  /* a serialised Event or Fact; malloc'd */
    size_t len;
    char episode[CAREHUB_EPISODE_BYTES]; /* by which a later message finds it; may be "" */
};

/* Zero it first. */
struct items {
    size_t count, n_facts;
    struct item *list[CAREHUB_ITEMS_MAX];
};

/* Appends one and takes `bytes` over. False without memory or room: then `bytes` is freed. */
bool items_add(struct items *self, bool is_fact, const uint8_t id[EVENTID_BYTES], const uint8_t original[EVENTID_BYTES],
               uint8_t *bytes, size_t len, const char *episode);
void items_clear(struct items *self);

#endif
