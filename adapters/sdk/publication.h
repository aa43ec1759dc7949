/* publication.h - one publication in memory. */
#ifndef SDK_PUBLICATION_H
#define SDK_PUBLICATION_H

#include "carehub.h"
#include "spool.h"

struct publication {
    struct publication *next;
    carehub_confirm_fn *fn;
    void *arg;
    uint64_t ticket; /* of its spool record; 0: it is in memory only */
    uint64_t after;  /* in memory only: the last spool record that was taken before it */
    bool rejected;   /* answered "later" */
    uint32_t n_items;
    uint32_t wire_bytes;             /* at most this on the wire */
    Carehub__V1__Publication *group; /* owned; NULL: the one event below */
    size_t size;
    uint8_t event[];
};

/* Of one event, copied. NULL: out of memory. */
struct publication *publication_of_event(const uint8_t *event, size_t size);
/* Of several items, copied. NULL with the error set. */
struct publication *publication_of_items(const Carehub__V1__Item *const *items, size_t n);
void publication_free(struct publication *p);

/* Finds the 16-byte id in a serialised event; false if there is none. */
bool event_find_id(const uint8_t *event, size_t size, uint8_t id[CAREHUB_ID_BYTES]);

#endif
