/* Names of tiles, and the tree that they hold. What writes them is tile_writer.c. */
#include "tiles.h"

#include "note.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- Names ------------------------------------------------------------------------------------------------------ */

const char *tile_path(const struct tile *tile, char path[TILE_PATH_BYTES])
{
    unsigned groups[8]; /* 62 bits are 19 digits at most */
    size_t n = 0;
    uint64_t index = tile->index;
    do
        groups[n++] = (unsigned)(index % 1000);
    while (index /= 1000);
    int used = tile->level == TILE_ENTRIES ? snprintf(path, TILE_PATH_BYTES, "tile/entries")
                                           : snprintf(path, TILE_PATH_BYTES, "tile/%d", tile->level);
    while (n-- > 0)
        used += snprintf(path + used, TILE_PATH_BYTES - (size_t)used, n ? "/x%03u" : "/%03u", groups[n]);
    if (tile->width < TILE_WIDTH)
        snprintf(path + used, TILE_PATH_BYTES - (size_t)used, ".p/%u", tile->width);
    return path;
}

/* The digits of an index: groups of three, all but the last behind an 'x' and before a '/'. NULL: they are not. */
static const char *index_parse(const char *at, uint64_t *index)
{
    *index = 0;
    for (;;) {
        bool more = *at == 'x';
        at += more;
        for (int i = 0; i < 3; i++, at++)
            if (*at < '0' || *at > '9' || __builtin_mul_overflow(*index, 10, index) ||
                __builtin_add_overflow(*index, (uint64_t)(*at - '0'), index))
                return NULL;
        if (!more)
            return at;
        if (*at++ != '/')
            return NULL;
    }
}

bool tile_parse(const char *path, struct tile *tile)
{
    static const char entries[] = "tile/entries/";
    char again[TILE_PATH_BYTES];
    uint64_t width = TILE_WIDTH;
    bool bundle = strncmp(path, entries, sizeof entries - 1) == 0;
    if (!bundle && (strncmp(path, "tile/", 5) != 0 || path[5] < '0' || path[5] >= '0' + TILE_LEVELS || path[6] != '/'))
        return false;
    tile->level = bundle ? TILE_ENTRIES : path[5] - '0';
    const char *at = index_parse(path + (bundle ? sizeof entries - 1 : 7), &tile->index);
    if (!at || tile->index > MERKLE_SIZE_MAX / TILE_WIDTH)
        return false;
    if (strncmp(at, ".p/", 3) == 0 &&
        (!decimal_read(at + 3, strlen(at + 3), &width) || width == 0 || width >= TILE_WIDTH))
        return false;
    tile->width = (unsigned)width;
    return strcmp(tile_path(tile, again), path) == 0; /* the one way to write it */
}

size_t tile_bytes(const struct tile *tile)
{
    return tile->width * (tile->level == TILE_ENTRIES ? (size_t)BUNDLE_ENTRY_BYTES : (size_t)MERKLE_HASH_BYTES);
}

unsigned tile_width(int level, uint64_t index, uint64_t size)
{
    uint64_t nodes = level == TILE_ENTRIES ? size : size >> (TILE_HEIGHT * level);
    uint64_t first = index * TILE_WIDTH;
    if (index > nodes / TILE_WIDTH || first >= nodes)
        return 0;
    return nodes - first < TILE_WIDTH ? (unsigned)(nodes - first) : TILE_WIDTH;
}

uint64_t tile_first(int level, uint64_t minimum)
{
    return (minimum >> (level == TILE_ENTRIES ? 0 : TILE_HEIGHT * level)) / TILE_WIDTH;
}

uint64_t tile_first_entry(uint64_t minimum)
{
    return tile_first(TILE_ENTRIES, minimum) * TILE_WIDTH;
}

/* ---- A directory ------------------------------------------------------------------------------------------------ */

/* Reads the first `size` bytes of a file that must be of `file_size`. */
static bool read_file(const char *directory, const struct tile *tile, uint8_t *bytes, size_t size)
{
    char name[TILE_PATH_BYTES], path[4096];
    if (snprintf(path, sizeof path, "%s/%s", directory, tile_path(tile, name)) >= (int)sizeof path)
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool good = lseek(fd, 0, SEEK_END) == (off_t)tile_bytes(tile);
    for (size_t done = 0; good && done < size;) {
        ssize_t n = pread(fd, bytes + done, size - done, (off_t)done);
        good = n > 0 || (n < 0 && errno == EINTR);
        done += n > 0 ? (size_t)n : 0;
    }
    close(fd);
    return good;
}

static bool directory_read(void *ctx, const struct tile *tile, uint8_t *bytes)
{
    struct tile wider = *tile;
    bool read = read_file(ctx, tile, bytes, tile_bytes(tile));
    for (wider.width = TILE_WIDTH; !read && wider.width > tile->width; wider.width--)
        read = read_file(ctx, &wider, bytes, tile_bytes(tile));
    return read;
}

struct tile_source tile_source_directory(const char *path)
{
    return (struct tile_source){directory_read, (void *)path};
}

/* ---- The tree --------------------------------------------------------------------------------------------------- */

void tile_nodes_init(struct tile_nodes *nodes, struct tile_source source, uint64_t size)
{
    nodes->source = source;
    nodes->size = size;
    nodes->missing = (struct tile){0};
    for (int level = 0; level < TILE_LEVELS; level++)
        nodes->read[level].tile = (struct tile){0};
}

const struct merkle_hash *tile_hashes(struct tile_nodes *nodes, int level, uint64_t index)
{
    struct tile tile = {level, index, tile_width(level, index, nodes->size)};
    struct tile *held = &nodes->read[level].tile;
    if (held->width > 0 && held->index == index)
        return nodes->read[level].hashes;
    held->width = 0;
    if (tile.width == 0 || !nodes->source.read(nodes->source.ctx, &tile, nodes->read[level].hashes[0].bytes)) {
        nodes->missing = tile;
        return NULL;
    }
    *held = tile;
    return nodes->read[level].hashes;
}

static bool node(void *ctx, unsigned level, uint64_t index, struct merkle_hash *hash)
{
    struct tile_nodes *nodes = ctx;
    unsigned above = level % TILE_HEIGHT; /* the hashes of a tile */
    uint64_t first = index << above;
    const struct merkle_hash *hashes = tile_hashes(nodes, (int)(level / TILE_HEIGHT), first / TILE_WIDTH);
    struct merkle_hash folded[TILE_WIDTH / 2];
    size_t n = (size_t)1 << above;
    if (!hashes || first % TILE_WIDTH + n > nodes->read[level / TILE_HEIGHT].tile.width)
        return false;
    memcpy(folded, hashes + first % TILE_WIDTH, n * sizeof *folded);
    merkle_fold(folded, n, hash);
    return true;
}

struct merkle_source tile_nodes_source(struct tile_nodes *nodes)
{
    return (struct merkle_source){node, nodes};
}

/* ---- Bundles ---------------------------------------------------------------------------------------------------- */

const uint8_t *bundle_leaf(const uint8_t *bundle, unsigned at)
{
    const uint8_t *entry = bundle + (size_t)at * BUNDLE_ENTRY_BYTES;
    return entry[0] == 0 && entry[1] == LEAF_DATA_BYTES ? entry + 2 : NULL;
}

size_t tile_leaves(const struct tile_source *source, uint64_t index, uint64_t size, size_t max,
                   uint8_t (*leaves)[LEAF_DATA_BYTES])
{
    uint8_t bundle[TILE_MAX_BYTES];
    struct tile tile = {TILE_ENTRIES, index / TILE_WIDTH, tile_width(TILE_ENTRIES, index / TILE_WIDTH, size)};
    const uint8_t *leaf;
    size_t n = 0;
    if (tile.width == 0 || !source->read(source->ctx, &tile, bundle))
        return 0;
    for (unsigned at = (unsigned)(index % TILE_WIDTH); n < max && at < tile.width; at++) {
        if (!(leaf = bundle_leaf(bundle, at)))
            break;
        memcpy(leaves[n++], leaf, LEAF_DATA_BYTES);
    }
    return n;
}
