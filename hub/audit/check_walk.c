#include "check_walk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What has been taken so far: the hashes of the tile of each level that is not full yet, and the tree. */
struct check_walk {
    struct tile_source source;
    struct checkpoint checkpoint;
    struct {
        struct merkle_hash hashes[TILE_WIDTH];
        unsigned width;
        uint64_t index;
    } levels[TILE_LEVELS];
    struct merkle_frontier tree;
    uint64_t n_wrong;
    struct tile wrong;
    int *mend_error; /* NULL: nothing is written … */
    int mend_below;
    struct tile tile; /* that was read last; width 0: none */
    struct merkle_hash file[TILE_WIDTH];
};

static bool read_tile(struct check_walk *walk, struct tile tile)
{
    if (walk->tile.width == tile.width && walk->tile.level == tile.level && walk->tile.index == tile.index)
        return true;
    bool read = walk->source.read(walk->source.ctx, &tile, walk->file[0].bytes);
    walk->tile = read ? tile : (struct tile){0};
    return read;
}

/* Compares the hashes that were computed for the tile of a level with its file. */
static void compare_tile(struct check_walk *walk, int level)
{
    struct tile tile = {level, walk->levels[level].index, walk->levels[level].width};
    if (read_tile(walk, tile) && memcmp(walk->file, walk->levels[level].hashes, tile_bytes(&tile)) == 0)
        return;
    if (walk->n_wrong++ == 0)
        walk->wrong = tile;
    if (walk->mend_error && !tile_put(walk->mend_below, &tile, walk->levels[level].hashes))
        *walk->mend_error = errno;
}

/* Adds a hash; a tile that it fills is compared, and its root goes to the level above. */
static void add(struct check_walk *walk, struct merkle_hash hash)
{
    for (int level = 0; level < TILE_LEVELS; level++) {
        walk->levels[level].hashes[walk->levels[level].width++] = hash;
        if (walk->levels[level].width < TILE_WIDTH)
            break;
        compare_tile(walk, level);
        merkle_fold(walk->levels[level].hashes, TILE_WIDTH, &hash);
        walk->levels[level].width = 0;
        walk->levels[level].index++;
    }
}

/* Of what was pruned there are only the hashes that are in the first tile of each level, and that tree. */
static bool begin(struct check_walk *walk, uint64_t first, struct tile_nodes *nodes)
{
    struct merkle_source source = tile_nodes_source(nodes);
    bool there = first <= nodes->size && merkle_frontier_read(&walk->tree, &source, first);
    for (int level = 0; there && level < TILE_LEVELS; level++) {
        uint64_t index = tile_first(level, first), width = (first >> (TILE_HEIGHT * level)) % TILE_WIDTH;
        const struct merkle_hash *hashes = width > 0 ? tile_hashes(nodes, level, index) : NULL;
        walk->levels[level].index = index;
        walk->levels[level].width = (unsigned)width;
        there = width == 0 || hashes;
        if (hashes)
            memcpy(walk->levels[level].hashes, hashes, width * sizeof *hashes);
    }
    return there;
}

struct check_walk *check_walk_new(struct tile_source source, const struct checkpoint *checkpoint, uint64_t minimum)
{
    struct check_walk *walk = calloc(1, sizeof *walk);
    struct tile_nodes *nodes = malloc(sizeof *nodes);
    if (!walk || !nodes)
        abort();
    walk->source = source;
    walk->checkpoint = *checkpoint;
    tile_nodes_init(nodes, source, checkpoint->size);
    if (!begin(walk, tile_first_entry(minimum), nodes))
        check_walk_destroy(&walk);
    free(nodes);
    return walk;
}

void check_walk_destroy(struct check_walk **walk)
{
    free(*walk);
    *walk = NULL;
}

void check_walk_mend(struct check_walk *walk, int directory, int *error)
{
    walk->mend_below = directory;
    walk->mend_error = error;
}

const struct merkle_hash *check_walk_next(struct check_walk *walk)
{
    uint64_t next = walk->tree.size, index = next / TILE_WIDTH;
    struct tile tile = {0, index, tile_width(0, index, walk->checkpoint.size)};
    return tile.width > 0 && read_tile(walk, tile) ? &walk->file[next % TILE_WIDTH] : NULL;
}

void check_walk_leaf(struct check_walk *walk, const uint8_t leaf[LEAF_DATA_BYTES])
{
    struct merkle_hash hash;
    merkle_leaf(leaf, LEAF_DATA_BYTES, &hash);
    add(walk, hash);
    merkle_append(&walk->tree, &hash);
}

bool check_walk_end(struct check_walk *walk)
{
    struct merkle_hash root;
    for (int level = 0; level < TILE_LEVELS; level++)
        if (walk->levels[level].width > 0)
            compare_tile(walk, level);
    merkle_frontier_root(&walk->tree, &root);
    return walk->tree.size == walk->checkpoint.size && merkle_equal(&root, &walk->checkpoint.root);
}

uint64_t check_walk_wrong(const struct check_walk *walk, struct tile *first)
{
    *first = walk->wrong;
    return walk->n_wrong;
}
