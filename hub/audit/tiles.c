/* Names of tiles, and the tree that they hold. What writes them is tile_writer.c. */
#include "tiles.h"

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
    const struct tile full = {tile->level, tile->index, TILE_WIDTH};
    size_t size = tile_bytes(tile);
    return read_file(ctx, tile, bytes, size) || (tile->width < TILE_WIDTH && read_file(ctx, &full, bytes, size));
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

/* The hashes of a tile, or NULL. */
static const struct merkle_hash *tile_read(struct tile_nodes *nodes, int level, uint64_t index)
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
    const struct merkle_hash *hashes = tile_read(nodes, (int)(level / TILE_HEIGHT), first / TILE_WIDTH);
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
