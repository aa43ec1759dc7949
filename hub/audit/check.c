#include "check.h"

#include <stdlib.h>
#include <string.h>

struct checking {
    struct check *check;
    struct tile_nodes nodes; /* the tile of each level that was read last */
    bool rooted;             /* the last tiles of all levels have the checkpoint's root */
    uint8_t bundle[TILE_MAX_BYTES];
};

void check_found(struct check *check, const struct check_fault *fault)
{
    if (check->faults++ == 0) {
        check->first = *fault;
        check->first.name = NULL;
    }
    if (check->fault)
        check->fault(check->ctx, fault);
}

/* The entries that a tile is about, as far as the log has them. */
static void set_places(const struct check *check, struct check_fault *fault, const struct tile *tile, unsigned from,
                       unsigned to)
{
    unsigned height = tile->level == TILE_ENTRIES ? 0 : TILE_HEIGHT * (unsigned)tile->level;
    fault->first = ((tile->index * TILE_WIDTH + from) << height) + 1;
    fault->last = (tile->index * TILE_WIDTH + to) << height;
    if (fault->last > check->checkpoint.size)
        fault->last = check->checkpoint.size;
}

static void missing(const struct checking *checking, const struct tile *tile)
{
    struct check_fault fault = {.kind = CHECK_MISSING, .tile = *tile, .count = tile->width};
    set_places(checking->check, &fault, tile, 0, tile->width);
    check_found(checking->check, &fault);
}

static struct tile tile_of(const struct checking *checking, int level, uint64_t index)
{
    return (struct tile){level, index, tile_width(level, index, checking->check->checkpoint.size)};
}

/* One more hash or entry of a file is wrong. */
static void add_wrong(const struct checking *checking, struct check_fault *fault, unsigned at)
{
    struct check_fault here;
    set_places(checking->check, &here, &fault->tile, at, at + 1);
    fault->first = fault->count == 0 ? here.first : fault->first;
    fault->last = here.last;
    fault->count++;
}

static void tell(const struct checking *checking, const struct check_fault *fault)
{
    if (fault->count > 0)
        check_found(checking->check, fault);
}

static bool fold(struct checking *checking, int level, uint64_t index, struct merkle_hash *root)
{
    struct merkle_hash folded[TILE_WIDTH];
    const struct merkle_hash *hashes = tile_hashes(&checking->nodes, level, index);
    if (!hashes)
        return false;
    memcpy(folded, hashes, sizeof folded);
    merkle_fold(folded, TILE_WIDTH, root);
    return true;
}

/* Does what is above a tile agree with it? */
static bool upheld(struct checking *checking, const struct tile *tile)
{
    struct merkle_hash root;
    if (tile->width < TILE_WIDTH)
        return checking->rooted;
    const struct merkle_hash *above = tile_hashes(&checking->nodes, tile->level + 1, tile->index / TILE_WIDTH);
    return above && fold(checking, tile->level, tile->index, &root) &&
           merkle_equal(&root, &above[tile->index % TILE_WIDTH]);
}

/* Hashes in a tile are not those of the file below it. */
static void tell_hash(struct checking *checking, struct check_fault *fault)
{
    if (fault->count > 0 && upheld(checking, &fault->tile)) {
        struct tile tile = fault->tile;
        fault->tile = fault->other;
        fault->other = tile;
    }
    tell(checking, fault);
}

/* Compares a bundle with the tile of its entries' hashes; of either, the other may be missing. */
static void check_bundle(struct checking *checking, uint64_t index)
{
    const struct tile_source *source = &checking->check->source;
    struct tile bundle = tile_of(checking, TILE_ENTRIES, index), tile = tile_of(checking, 0, index);
    struct check_fault foreign = {.kind = CHECK_NO_ENTRY, .tile = bundle};
    struct check_fault wrong = {.kind = CHECK_HASH, .tile = tile, .other = bundle};
    const struct merkle_hash *hashes = tile_hashes(&checking->nodes, 0, index);
    bool there = source->read(source->ctx, &bundle, checking->bundle);
    if (!there)
        missing(checking, &bundle);
    if (!hashes)
        missing(checking, &tile);
    for (unsigned i = 0; there && i < bundle.width; i++) {
        const uint8_t *leaf = bundle_leaf(checking->bundle, i);
        struct merkle_hash hash;
        if (!leaf) {
            add_wrong(checking, &foreign, i);
            continue;
        }
        merkle_leaf(leaf, LEAF_DATA_BYTES, &hash);
        if (hashes && !merkle_equal(&hash, &hashes[i]))
            add_wrong(checking, &wrong, i);
    }
    tell(checking, &foreign);
    tell_hash(checking, &wrong);
}

/* Compares the root of a full tile with its hash in the level above, and so on as long as that one ends with it. A tile
 * that is missing is told of with the last tile below it that it is about. */
static void climb(struct checking *checking, uint64_t index)
{
    uint64_t size = checking->check->checkpoint.size;
    for (int level = 0; tile_width(level, index, size) == TILE_WIDTH; level++, index /= TILE_WIDTH) {
        struct tile tile = tile_of(checking, level + 1, index / TILE_WIDTH);
        unsigned at = (unsigned)(index % TILE_WIDTH);
        struct check_fault wrong = {.kind = CHECK_HASH, .tile = tile, .other = {level, index, TILE_WIDTH}};
        struct merkle_hash root;
        bool there = fold(checking, level, index, &root);
        const struct merkle_hash *above = tile_hashes(&checking->nodes, level + 1, tile.index);
        if (!above && at == tile.width - 1)
            missing(checking, &tile);
        else if (above && there && !merkle_equal(&root, &above[at]))
            add_wrong(checking, &wrong, at);
        tell_hash(checking, &wrong);
        if (at < TILE_WIDTH - 1)
            break;
    }
}

static void read_root(struct checking *checking, struct tile *unread)
{
    const struct checkpoint *checkpoint = &checking->check->checkpoint;
    struct merkle_source source = tile_nodes_source(&checking->nodes);
    struct merkle_hash root;
    bool read = merkle_root(&source, checkpoint->size, &root);
    checking->rooted = read && merkle_equal(&root, &checkpoint->root);
    *unread = checking->nodes.missing; /* of width 0 if there is none */
}

/* The files are sound: so is every root that is computed from them. */
static enum check_verdict check_since(struct checking *checking)
{
    const struct check *check = checking->check;
    struct merkle_source source = tile_nodes_source(&checking->nodes);
    struct merkle_hash root;
    if (!check->since)
        return CHECK_SOUND;
    if (check->since->size > check->checkpoint.size)
        return CHECK_NEWER;
    if (!merkle_root(&source, check->since->size, &root))
        return CHECK_PRUNED;
    return merkle_equal(&root, &check->since->root) ? CHECK_SOUND : CHECK_SINCE;
}

static enum check_verdict check_all(struct checking *checking)
{
    struct check *check = checking->check;
    uint64_t first = tile_first_entry(check->minimum), size = check->checkpoint.size;
    if (first > size) {
        struct tile none = {TILE_ENTRIES, tile_first(TILE_ENTRIES, check->minimum), 1};
        check_found(check, &(struct check_fault){CHECK_MISSING, .tile = none});
        return CHECK_MISSING;
    }
    struct tile unread;
    read_root(checking, &unread);
    for (uint64_t bundle = first / TILE_WIDTH; tile_width(TILE_ENTRIES, bundle, size) > 0; bundle++) {
        check_bundle(checking, bundle);
        climb(checking, bundle);
        if (check->progress)
            check->progress(check->ctx, bundle * TILE_WIDTH + tile_width(TILE_ENTRIES, bundle, size));
    }
    if (check->faults == 0 && unread.width > 0)
        missing(checking, &unread); /* all that is below it was pruned */
    else if (check->faults == 0 && !checking->rooted)
        check_found(check, &(struct check_fault){CHECK_ROOT, .first = 1, .last = size});
    if (check->faults == 0) {
        enum check_verdict since = check_since(checking);
        if (since != CHECK_SOUND)
            check_found(check, &(struct check_fault){.kind = since});
    }
    return check->faults ? check->first.kind : CHECK_SOUND;
}

enum check_verdict check_tiles(struct check *check)
{
    struct checking *checking = calloc(1, sizeof *checking);
    if (!checking)
        abort();
    checking->check = check;
    check->faults = 0;
    tile_nodes_init(&checking->nodes, check->source, check->checkpoint.size);
    enum check_verdict verdict = check_all(checking);
    free(checking);
    return verdict;
}
