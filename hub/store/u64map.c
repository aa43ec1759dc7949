#include "u64map.h"

#include <stdlib.h>

#include "arena.h"

/* Numbers here are mostly consecutive: spread them (the finaliser of a 64-bit mixer). */
static size_t slot_of(const struct u64map *map, uint64_t key)
{
    key ^= key >> 32;
    key *= 0x9e3779b97f4a7c15ULL;
    key ^= key >> 29;
    return (size_t)key & (map->capacity - 1);
}

void u64map_fini(struct u64map *map)
{
    free(map->slots);
    *map = (struct u64map){0};
}

void *u64map_get(const struct u64map *map, uint64_t key)
{
    if (map->capacity == 0)
        return NULL;
    for (size_t at = slot_of(map, key);; at = (at + 1) & (map->capacity - 1)) {
        if (map->slots[at].key == key)
            return map->slots[at].value;
        if (map->slots[at].key == 0)
            return NULL;
    }
}

static void grow(struct u64map *map)
{
    struct u64map old = *map;
    map->capacity = old.capacity ? old.capacity * 2 : 64;
    map->slots = xcalloc(map->capacity, sizeof *map->slots);
    map->count = 0;
    for (size_t i = 0; i < old.capacity; i++)
        if (old.slots[i].key != 0)
            u64map_set(map, old.slots[i].key, old.slots[i].value);
    free(old.slots);
}

void *u64map_set(struct u64map *map, uint64_t key, void *value)
{
    if (map->count * 3 >= map->capacity * 2)
        grow(map);
    for (size_t at = slot_of(map, key);; at = (at + 1) & (map->capacity - 1)) {
        struct u64map_slot *slot = &map->slots[at];
        if (slot->key == key || slot->key == 0) {
            void *old = slot->key == key ? slot->value : NULL;
            map->count += slot->key == 0;
            *slot = (struct u64map_slot){key, value};
            return old;
        }
    }
}

void *u64map_remove(struct u64map *map, uint64_t key)
{
    if (map->capacity == 0)
        return NULL;
    size_t mask = map->capacity - 1, at = slot_of(map, key);
    while (map->slots[at].key != key) {
        if (map->slots[at].key == 0)
            return NULL;
        at = (at + 1) & mask;
    }
    void *old = map->slots[at].value;
    map->count--;
    /* Move up those behind the hole that may stand in it. */
    for (size_t hole = at, next = (at + 1) & mask;; next = (next + 1) & mask) {
        if (map->slots[next].key == 0) {
            map->slots[hole] = (struct u64map_slot){0};
            return old;
        }
        size_t home = slot_of(map, map->slots[next].key);
        if (((next - home) & mask) >= ((next - hole) & mask)) {
            map->slots[hole] = map->slots[next];
            hole = next;
        }
    }
}

int u64map_next(const struct u64map *map, size_t *at, uint64_t *key, void **value)
{
    for (; *at < map->capacity; ++*at) {
        if (map->slots[*at].key != 0) {
            *key = map->slots[*at].key;
            *value = map->slots[*at].value;
            ++*at;
            return 1;
        }
    }
    return 0;
}
