#include "check.h"

#include <stdlib.h>
#include <string.h>

/* What has been read so far: the hashes of the tile of each level that is not full yet, and the tree. */
struct checking {
    struct check *check;
    struct {
        struct merkle_hash hashes[TILE_WIDTH];
        unsigned width;
        uint64_t index;
    } levels[TILE_LEVELS];
    struct merkle_frontier tree;
    uint8_t file[TILE_MAX_BYTES];
};

static enum check_verdict wrong(struct check *check, enum check_verdict verdict, struct tile tile, uint64_t index)
{
    check->wrong = tile;
    check->index = index;
    return verdict;
}

static bool read_tile(struct checking *checking, struct tile tile)
{
    const struct tile_source *source = &checking->check->source;
    return source->read(source->ctx, &tile, checking->file);
}

/* Compares the hashes that were computed for the tile of a level with its file. */
static enum check_verdict compare_tile(struct checking *checking, int level)
{
    struct tile tile = {level, checking->levels[level].index, checking->levels[level].width};
    if (!read_tile(checking, tile))
        return wrong(checking->check, CHECK_MISSING, tile, 0);
    for (unsigned i = 0; i < tile.width; i++)
        if (memcmp(checking->file + (size_t)i * MERKLE_HASH_BYTES, checking->levels[level].hashes[i].bytes,
                   MERKLE_HASH_BYTES) != 0)
            return wrong(checking->check, CHECK_HASH, tile, tile.index * TILE_WIDTH + i);
    return CHECK_SOUND;
}

/* Adds a hash; a tile that it fills is compared, and its root goes to the level above. */
static enum check_verdict add(struct checking *checking, struct merkle_hash hash)
{
    for (int level = 0; level < TILE_LEVELS; level++) {
        checking->levels[level].hashes[checking->levels[level].width++] = hash;
        if (checking->levels[level].width < TILE_WIDTH)
            break;
        enum check_verdict verdict = compare_tile(checking, level);
        if (verdict != CHECK_SOUND)
            return verdict;
        merkle_fold(checking->levels[level].hashes, TILE_WIDTH, &hash);
        checking->levels[level].width = 0;
        checking->levels[level].index++;
    }
    return CHECK_SOUND;
}

/* Is the tree so far the one that the older checkpoint covers, if it is of that size? */
static bool since_holds(const struct checking *checking)
{
    const struct checkpoint *since = checking->check->since;
    struct merkle_hash root;
    if (!since || since->size != checking->tree.size)
        return true;
    merkle_frontier_root(&checking->tree, &root);
    return merkle_equal(&root, &since->root);
}

static enum check_verdict check_bundle(struct checking *checking, uint64_t index)
{
    struct tile tile = {TILE_ENTRIES, index, tile_width(TILE_ENTRIES, index, checking->check->checkpoint.size)};
    uint8_t bundle[TILE_MAX_BYTES];
    if (!read_tile(checking, tile))
        return wrong(checking->check, CHECK_MISSING, tile, 0);
    memcpy(bundle, checking->file, tile_bytes(&tile));
    for (unsigned i = 0; i < tile.width; i++) {
        const uint8_t *leaf = bundle_leaf(bundle, i);
        struct merkle_hash hash;
        if (!leaf)
            return wrong(checking->check, CHECK_NO_ENTRY, tile, index * TILE_WIDTH + i);
        merkle_leaf(leaf, LEAF_DATA_BYTES, &hash);
        enum check_verdict verdict = add(checking, hash);
        if (verdict != CHECK_SOUND)
            return verdict;
        merkle_append(&checking->tree, &hash);
        if (!since_holds(checking))
            return CHECK_SINCE;
    }
    return CHECK_SOUND;
}

static enum check_verdict check_all(struct checking *checking)
{
    struct check *check = checking->check;
    struct merkle_hash root;
    enum check_verdict verdict = since_holds(checking) ? CHECK_SOUND : CHECK_SINCE;
    if (check->since && check->since->size > check->checkpoint.size)
        verdict = CHECK_SINCE;
    for (uint64_t bundle = 0; verdict == CHECK_SOUND && checking->tree.size < check->checkpoint.size; bundle++) {
        verdict = check_bundle(checking, bundle);
        if (check->progress)
            check->progress(check->ctx, checking->tree.size);
    }
    for (int level = 0; verdict == CHECK_SOUND && level < TILE_LEVELS; level++)
        if (checking->levels[level].width > 0)
            verdict = compare_tile(checking, level);
    merkle_frontier_root(&checking->tree, &root);
    return verdict == CHECK_SOUND && !merkle_equal(&root, &check->checkpoint.root) ? CHECK_ROOT : verdict;
}

enum check_verdict check_tiles(struct check *check)
{
    struct checking *checking = calloc(1, sizeof *checking);
    if (!checking)
        abort();
    checking->check = check;
    enum check_verdict verdict = check_all(checking);
    free(checking);
    return verdict;
}
