/* arena.h - memory that is given back all at once: what one publication, or one commit, needs.
 * Not thread-safe. Out of memory ends the process: a hub that cannot decide must not go on. */
#ifndef CAREHUB_ARENA_H
#define CAREHUB_ARENA_H

#include <stddef.h>

#include <protobuf-c/protobuf-c.h>

struct arena_chunk;

struct arena {
    struct arena_chunk *first, *current;
    size_t used;                 /* of the current chunk */
    ProtobufCAllocator protobuf; /* unpacks into the arena; its free does nothing */
};

void arena_init(struct arena *arena);
void arena_fini(struct arena *arena);

/* Never NULL; aligned for anything; not zeroed. */
void *arena_alloc(struct arena *arena, size_t size);
void *arena_zalloc(struct arena *arena, size_t size);
void *arena_copy(struct arena *arena, const void *bytes, size_t size);
char *arena_strdup(struct arena *arena, const char *text);
char *arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Everything in it is gone; its memory is kept for what comes next, up to a bound. */
void arena_reset(struct arena *arena);

/* calloc and realloc that never return NULL. */
void *xcalloc(size_t n, size_t size);
void *xreallocarray(void *old, size_t n, size_t size);

#endif
