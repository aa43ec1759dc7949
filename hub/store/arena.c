#include "arena.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_BYTES = 256 << 10, CHUNKS_KEPT = 8 };

struct arena_chunk {
    struct arena_chunk *next;
    size_t size;
    max_align_t bytes[];
};

void *xcalloc(size_t n, size_t size)
{
    void *got = calloc(n ? n : 1, size ? size : 1);
    if (!got) {
        fputs("carehubd: out of memory\n", stderr);
        abort();
    }
    return got;
}

void *xreallocarray(void *old, size_t n, size_t size)
{
    void *got = reallocarray(old, n ? n : 1, size);
    if (!got) {
        fputs("carehubd: out of memory\n", stderr);
        abort();
    }
    return got;
}

static struct arena_chunk *chunk_new(size_t size)
{
    struct arena_chunk *chunk = malloc(sizeof *chunk + size);
    if (!chunk) {
        fputs("carehubd: out of memory\n", stderr);
        abort();
    }
    chunk->next = NULL;
    chunk->size = size;
    return chunk;
}

static void *protobuf_alloc(void *arena, size_t size)
{
    return arena_alloc(arena, size);
}

static void protobuf_free(void *arena, void *bytes)
{
    (void)arena;
    (void)bytes;
}

void arena_init(struct arena *arena)
{
    arena->first = arena->current = chunk_new(CHUNK_BYTES);
    arena->used = 0;
    arena->protobuf = (ProtobufCAllocator){protobuf_alloc, protobuf_free, arena};
}

void arena_fini(struct arena *arena)
{
    for (struct arena_chunk *chunk = arena->first, *next; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    arena->first = arena->current = NULL;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    size_t rounded = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    while (arena->used + rounded > arena->current->size) {
        struct arena_chunk *next = arena->current->next;
        if (!next || next->size < rounded) {
            struct arena_chunk *fresh = chunk_new(rounded > CHUNK_BYTES ? rounded : CHUNK_BYTES);
            fresh->next = next;
            arena->current->next = next = fresh;
        }
        arena->current = next;
        arena->used = 0;
    }
    void *got = (char *)arena->current->bytes + arena->used;
    arena->used += rounded;
    return got;
}

void *arena_zalloc(struct arena *arena, size_t size)
{
    return memset(arena_alloc(arena, size), 0, size);
}

void *arena_copy(struct arena *arena, const void *bytes, size_t size)
{
    void *copy = arena_alloc(arena, size);
    if (size > 0)
        memcpy(copy, bytes, size);
    return copy;
}

char *arena_strdup(struct arena *arena, const char *text)
{
    return arena_copy(arena, text, strlen(text) + 1);
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int size = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = arena_alloc(arena, (size_t)(size < 0 ? 0 : size) + 1);
    text[0] = '\0';
    if (size > 0)
        vsnprintf(text, (size_t)size + 1, format, again);
    va_end(again);
    return text;
}

void arena_reset(struct arena *arena)
{
    int kept = 0;
    for (struct arena_chunk *chunk = arena->first; chunk; chunk = chunk->next) {
        if (++kept < CHUNKS_KEPT && chunk->size == CHUNK_BYTES)
            continue;
        struct arena_chunk *rest = chunk->next;
        chunk->next = NULL;
        while (rest) {
            struct arena_chunk *next = rest->next;
            free(rest);
            rest = next;
        }
    }
    arena->current = arena->first;
    arena->used = 0;
}
