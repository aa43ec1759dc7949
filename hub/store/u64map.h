/* u64map.h - from a 64-bit number to a pointer; open addressing. Key 0 and NULL values are not allowed. */
#ifndef CAREHUB_U64MAP_H
#define CAREHUB_U64MAP_H

#include <stddef.h>
#include <stdint.h>

struct u64map {
    struct u64map_slot {
        uint64_t key;
        void *value;
    } * slots;
    size_t capacity; /* a power of two, or 0 */
    size_t count;
};

void u64map_fini(struct u64map *map); /* a zeroed map is an empty one */
void *u64map_get(const struct u64map *map, uint64_t key);
/* Sets, and returns what was there before or NULL. */
void *u64map_set(struct u64map *map, uint64_t key, void *value);
/* Removes, and returns what was there or NULL. */
void *u64map_remove(struct u64map *map, uint64_t key);

/* for (size_t at = 0; u64map_next(map, &at, &key, &value);) … nothing may be set or removed meanwhile. */
int u64map_next(const struct u64map *map, size_t *at, uint64_t *key, void **value);

#endif
