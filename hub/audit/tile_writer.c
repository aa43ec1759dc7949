/* Writing tiles: see tiles.h. */
#include "tiles.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint8_t bundle_length[2] = {0, LEAF_DATA_BYTES};

__attribute__((format(printf, 2, 3))) static bool failed(struct tile_writer *writer, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(writer->error, sizeof writer->error, format, list);
    va_end(list);
    return false;
}

/* ---- Files ------------------------------------------------------------------------------------------------------ */

/* Makes the directories of a path below `directory`. */
static bool make_directories(int directory, const char *path)
{
    char parent[TILE_PATH_BYTES];
    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        snprintf(parent, sizeof parent, "%.*s", (int)(slash - path), path);
        if (mkdirat(directory, parent, 0755) != 0 && errno != EEXIST)
            return false;
    }
    return true;
}

static bool write_all(int fd, const uint8_t *bytes, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = write(fd, bytes + done, size - done);
        if (n < 0 && errno != EINTR)
            return false;
        done += n > 0 ? (size_t)n : 0;
    }
    return true;
}

/* Writes a file beside its place, and renames it there; no reader sees half of one. */
static bool put_file(int directory, const char *path, const void *bytes, size_t size, bool durable)
{
    char beside[TILE_PATH_BYTES + 8];
    snprintf(beside, sizeof beside, "%s.new", path);
    int fd = openat(directory, beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return false;
    bool good = write_all(fd, bytes, size) && (!durable || fsync(fd) == 0);
    good &= close(fd) == 0;
    return good && renameat(directory, beside, directory, path) == 0;
}

bool tile_file_replace(const char *directory, const char *name, const void *bytes, size_t size)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = fd >= 0 && put_file(fd, name, bytes, size, true) && fsync(fd) == 0;
    int error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
    return good;
}

bool tile_put(int directory, const struct tile *tile, const void *bytes)
{
    char path[TILE_PATH_BYTES];
    tile_path(tile, path);
    bool put = put_file(directory, path, bytes, tile_bytes(tile), false);
    if (!put && errno == ENOENT) /* the first of its directory */
        put = make_directories(directory, path) && put_file(directory, path, bytes, tile_bytes(tile), false);
    return put;
}

void tile_remove_partial(int directory, int level, uint64_t index)
{
    char path[TILE_PATH_BYTES], parent[TILE_PATH_BYTES];
    snprintf(parent, sizeof parent, "%s.p", tile_path(&(struct tile){level, index, TILE_WIDTH}, path));
    if (unlinkat(directory, parent, AT_REMOVEDIR) == 0 || errno == ENOENT)
        return; /* there are none */
    for (unsigned width = 1; width < TILE_WIDTH; width++)
        unlinkat(directory, tile_path(&(struct tile){level, index, width}, path), 0);
    unlinkat(directory, parent, AT_REMOVEDIR); /* what stays is no harm: the full tile counts */
}

/* Removes a tile's file, and the directories above it that are empty then. */
static bool remove_tile(int directory, int level, uint64_t index)
{
    char path[TILE_PATH_BYTES];
    tile_path(&(struct tile){level, index, TILE_WIDTH}, path);
    tile_remove_partial(directory, level, index);
    if (unlinkat(directory, path, 0) != 0 && errno != ENOENT)
        return false;
    do
        *strrchr(path, '/') = '\0';
    while (strchr(path, '/') != strrchr(path, '/') && unlinkat(directory, path, AT_REMOVEDIR) == 0);
    return true;
}

bool tile_remove_pruned(int directory, uint64_t bundle)
{
    uint64_t ends = bundle + 1; /* a tile of level n ends where 256^n of them do */
    bool removed = remove_tile(directory, TILE_ENTRIES, bundle);
    for (int level = 0; removed && level < TILE_LEVELS; level++, ends /= TILE_WIDTH) {
        removed = remove_tile(directory, level, ends - 1);
        if (ends % TILE_WIDTH != 0)
            break;
    }
    return removed;
}

static bool edge_node(void *ctx, unsigned level, uint64_t index, struct merkle_hash *hash)
{
    const struct tile_writer *writer = ctx;
    unsigned above = level % TILE_HEIGHT;
    size_t n = (size_t)1 << above, first = (size_t)((index << above) % TILE_WIDTH);
    struct merkle_hash folded[TILE_WIDTH / 2];
    memcpy(folded, writer->levels[level / TILE_HEIGHT].hashes + first, n * sizeof *folded);
    merkle_fold(folded, n, hash);
    return true;
}

/* ---- Opening ---------------------------------------------------------------------------------------------------- */

static bool read_edge(struct tile_writer *writer, uint64_t size, const struct tile_source *source)
{
    for (int level = 0; level < TILE_LEVELS; level++) {
        uint64_t nodes = size >> (TILE_HEIGHT * level);
        struct tile tile = {level, nodes / TILE_WIDTH, (unsigned)(nodes % TILE_WIDTH)};
        char path[TILE_PATH_BYTES];
        writer->levels[level].index = writer->levels[level].partial_index = tile.index;
        writer->levels[level].width = tile.width;
        writer->levels[level].has_partial = tile.width > 0;
        if (tile.width > 0 && !source->read(source->ctx, &tile, writer->levels[level].hashes[0].bytes))
            return failed(writer, "%s/%s is missing or not of its size", writer->path, tile_path(&tile, path));
        tile.level = TILE_ENTRIES;
        if (level == 0 && tile.width > 0 && !source->read(source->ctx, &tile, writer->bundle))
            return failed(writer, "%s/%s is missing or not of its size", writer->path, tile_path(&tile, path));
    }
    return true;
}

static bool open_directory(struct tile_writer *writer, const char *path, uint64_t size)
{
    *writer = (struct tile_writer){.directory = -1, .path = strdup(path), .size = size};
    if (!writer->path)
        abort();
    if (mkdir(path, 0755) != 0 && errno != EEXIST)
        return failed(writer, "cannot make the directory %s: %s", path, strerror(errno));
    writer->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return writer->directory >= 0 || failed(writer, "cannot open the directory %s: %s", path, strerror(errno));
}

bool tile_writer_begin(struct tile_writer *writer, const char *path, uint64_t size, struct tile_nodes *before)
{
    assert(size % TILE_WIDTH == 0);
    if (!open_directory(writer, path, size))
        return false;
    for (int level = 1; level < TILE_LEVELS; level++) { /* of level 0, and of the entries, nothing is left over */
        uint64_t nodes = size >> (TILE_HEIGHT * level);
        char name[TILE_PATH_BYTES];
        writer->levels[level - 1].index = writer->levels[level - 1].partial_index = nodes;
        writer->levels[level].width = (unsigned)(nodes % TILE_WIDTH);
        const struct merkle_hash *hashes =
            writer->levels[level].width > 0 ? tile_hashes(before, level, nodes / TILE_WIDTH) : NULL;
        if (hashes)
            memcpy(writer->levels[level].hashes, hashes, writer->levels[level].width * sizeof *hashes);
        else if (writer->levels[level].width > 0)
            return failed(writer, "%s of the log before is missing or not of its size",
                          tile_path(&before->missing, name));
    }
    return true;
}

/* The hashes of the last tile are known to be right; the entries beside them are what they are of. */
static bool bundle_is_sound(struct tile_writer *writer)
{
    struct tile tile = {TILE_ENTRIES, writer->levels[0].index, writer->levels[0].width};
    char path[TILE_PATH_BYTES];
    for (unsigned i = 0; i < tile.width; i++) {
        const uint8_t *leaf = bundle_leaf(writer->bundle, i);
        struct merkle_hash hash;
        if (leaf)
            merkle_leaf(leaf, LEAF_DATA_BYTES, &hash);
        if (!leaf || !merkle_equal(&hash, &writer->levels[0].hashes[i]))
            return failed(writer, "%s/%s is damaged: it has another entry %u than the tree", writer->path,
                          tile_path(&tile, path), i);
    }
    return true;
}

bool tile_writer_open(struct tile_writer *writer, const char *path, uint64_t size, const struct merkle_hash *root)
{
    if (!open_directory(writer, path, size))
        return false;
    struct tile_source source = tile_source_directory(path);
    struct merkle_hash found;
    struct tile_nodes *nodes = malloc(sizeof *nodes);
    if (!nodes)
        abort();
    tile_nodes_init(nodes, source, size);
    struct merkle_source tree = tile_nodes_source(nodes);
    bool good = read_edge(writer, size, &source);
    if (good && root && (!merkle_root(&tree, size, &found) || !merkle_equal(&found, root)))
        good = failed(writer, "the tiles in %s have another root than the checkpoint", path);
    free(nodes);
    return good && (!root || bundle_is_sound(writer));
}

void tile_writer_close(struct tile_writer *writer)
{
    if (writer->directory >= 0)
        close(writer->directory);
    free(writer->path);
    writer->path = NULL;
    writer->directory = -1;
}

/* ---- Growing ---------------------------------------------------------------------------------------------------- */

static bool put_tile(struct tile_writer *writer, const struct tile *tile, const void *bytes)
{
    char path[TILE_PATH_BYTES];
    return tile_put(writer->directory, tile, bytes) ||
           failed(writer, "cannot write %s/%s: %s", writer->path, tile_path(tile, path), strerror(errno));
}

/* Adds a hash to the last tile of a level. A tile that becomes full is written, and its root is the level above's. */
static bool add_hash(struct tile_writer *writer, struct merkle_hash hash)
{
    for (int level = 0; level < TILE_LEVELS; level++) {
        struct merkle_hash *hashes = writer->levels[level].hashes;
        hashes[writer->levels[level].width++] = hash;
        if (writer->levels[level].width < TILE_WIDTH)
            return true;
        if (!put_tile(writer, &(struct tile){level, writer->levels[level].index, TILE_WIDTH}, hashes))
            return false;
        merkle_fold(hashes, TILE_WIDTH, &hash);
        writer->levels[level].width = 0;
        writer->levels[level].index++;
    }
    return failed(writer, "the tree is full");
}

void bundle_put(uint8_t *bundle, unsigned at, const uint8_t leaf[LEAF_DATA_BYTES])
{
    uint8_t *entry = bundle + (size_t)at * BUNDLE_ENTRY_BYTES;
    memcpy(entry, bundle_length, sizeof bundle_length);
    memcpy(entry + sizeof bundle_length, leaf, LEAF_DATA_BYTES);
}

bool tile_writer_append(struct tile_writer *writer, const uint8_t (*leaves)[LEAF_DATA_BYTES], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned at = (unsigned)(writer->size % TILE_WIDTH);
        struct merkle_hash hash;
        bundle_put(writer->bundle, at, leaves[i]);
        merkle_leaf(leaves[i], LEAF_DATA_BYTES, &hash);
        if (at == TILE_WIDTH - 1 &&
            !put_tile(writer, &(struct tile){TILE_ENTRIES, writer->size / TILE_WIDTH, TILE_WIDTH}, writer->bundle))
            return false;
        if (!add_hash(writer, hash))
            return false;
        writer->size++;
    }
    return true;
}

static bool put_partial(struct tile_writer *writer)
{
    for (int level = 0; level < TILE_LEVELS; level++) {
        struct tile tile = {level, writer->levels[level].index, writer->levels[level].width};
        if (tile.width == 0)
            continue;
        if (!put_tile(writer, &tile, writer->levels[level].hashes))
            return false;
        tile.level = TILE_ENTRIES;
        if (level == 0 && !put_tile(writer, &tile, writer->bundle))
            return false;
    }
    return true;
}

/* Of the tiles of a level that are full, the last ones' roots are the hashes of the partial tile above. */
static bool fold_level(struct tile_writer *writer, int level, const struct tile_source *source)
{
    struct merkle_hash hashes[TILE_WIDTH];
    char path[TILE_PATH_BYTES];
    for (unsigned i = 0; i < writer->levels[level].width; i++) {
        struct tile below = {level - 1, writer->levels[level].index * TILE_WIDTH + i, TILE_WIDTH};
        if (!source->read(source->ctx, &below, hashes[0].bytes))
            return failed(writer, "%s/%s is missing or not of its size", writer->path, tile_path(&below, path));
        merkle_fold(hashes, TILE_WIDTH, &writer->levels[level].hashes[i]);
    }
    return true;
}

bool tile_writer_mend(struct tile_writer *writer, const char *path, uint64_t size, const struct merkle_hash *root,
                      const uint8_t (*leaves)[LEAF_DATA_BYTES])
{
    struct tile_source source = tile_source_directory(path);
    struct merkle_hash found;
    if (!open_directory(writer, path, size))
        return false;
    for (int level = 0; level < TILE_LEVELS; level++) {
        uint64_t nodes = size >> (TILE_HEIGHT * level);
        writer->levels[level].index = writer->levels[level].partial_index = nodes / TILE_WIDTH;
        writer->levels[level].width = (unsigned)(nodes % TILE_WIDTH);
        writer->levels[level].has_partial = writer->levels[level].width > 0;
        if (level > 0 && !fold_level(writer, level, &source))
            return false;
    }
    for (unsigned i = 0; i < writer->levels[0].width; i++) {
        bundle_put(writer->bundle, i, leaves[i]);
        merkle_leaf(leaves[i], LEAF_DATA_BYTES, &writer->levels[0].hashes[i]);
    }
    struct merkle_source edge = {edge_node, writer};
    if (!merkle_root(&edge, size, &found) || !merkle_equal(&found, root))
        return failed(writer, "the tiles in %s have another root than the checkpoint", path);
    return put_partial(writer);
}

/* Only now that the full tile is durable. A crash in between leaves them to the next sync: the last checkpoint, from
 * which the writer goes on, still names the partial ones. */
static void remove_full_partials(struct tile_writer *writer)
{
    for (int level = 0; level < TILE_LEVELS; level++) {
        uint64_t index = writer->levels[level].partial_index;
        if (writer->levels[level].has_partial && index < writer->levels[level].index) {
            tile_remove_partial(writer->directory, level, index);
            if (level == 0)
                tile_remove_partial(writer->directory, TILE_ENTRIES, index);
        }
        writer->levels[level].has_partial = writer->levels[level].width > 0;
        writer->levels[level].partial_index = writer->levels[level].index;
    }
}

bool tile_writer_sync(struct tile_writer *writer, struct merkle_hash *root)
{
    if (!put_partial(writer))
        return false;
    /* One call for all the files and directories since the last time; it says if any of them could not be written. */
    if (syncfs(writer->directory) != 0)
        return failed(writer, "cannot make %s durable: %s", writer->path, strerror(errno));
    remove_full_partials(writer);
    struct merkle_source edge = {edge_node, writer};
    return merkle_root(&edge, writer->size, root) || failed(writer, "the tree is full");
}
