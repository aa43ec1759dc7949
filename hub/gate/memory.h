/* memory.h - the gate's allocator policy: a hub without memory stops, and restarts from its log. */
#ifndef CAREHUB_GATE_MEMORY_H
#define CAREHUB_GATE_MEMORY_H

#include <stdio.h>
#include <stdlib.h>

/* malloc that never returns NULL. Free with free(). */
static inline void *memory_get(size_t bytes)
{
    void *memory = malloc(bytes);

    if (!memory) {
        fprintf(stderr, "carehubd: out of memory (%zu bytes wanted); stopping, nothing confirmed is lost\n", bytes);
        abort();
    }
    return memory;
}

/* calloc that never returns NULL. */
static inline void *memory_get_zeroed(size_t n, size_t bytes)
{
    void *memory = calloc(n, bytes);

    if (!memory) {
        fprintf(stderr, "carehubd: out of memory (%zu times %zu bytes wanted); stopping, nothing confirmed is lost\n",
                n, bytes);
        abort();
    }
    return memory;
}

#endif
