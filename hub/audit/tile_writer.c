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
    char path[TILE_PATH_BYTES];
    for (unsigned width = 1; width < TILE_WIDTH; width++) {
        tile_path(&(struct tile){level, index, width}, path);
        unlinkat(directory, path, 0);
    }
    *strrchr(path, '/') = '\0';
    unlinkat(directory, path, AT_REMOVEDIR); /* what stays is no harm: the full tile counts */
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

bool tile_writer_open(struct tile_writer *writer, const char *path, uint64_t size, const struct merkle_hash *root)
{
    *writer = (struct tile_writer){.directory = -1, .path = strdup(path), .size = size};
    if (!writer->path)
        abort();
    if (mkdir(path, 0755) != 0 && errno != EEXIST)
        return failed(writer, "cannot make the directory %s: %s", path, strerror(errno));
    writer->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (writer->directory < 0)
        return failed(writer, "cannot open the directory %s: %s", path, strerror(errno));
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
    return good;
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

bool tile_writer_append(struct tile_writer *writer, const uint8_t (*leaves)[LEAF_DATA_BYTES], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned at = (unsigned)(writer->size % TILE_WIDTH);
        uint8_t *entry = writer->bundle + (size_t)at * BUNDLE_ENTRY_BYTES;
        struct merkle_hash hash;
        memcpy(entry, bundle_length, sizeof bundle_length);
        memcpy(entry + sizeof bundle_length, leaves[i], LEAF_DATA_BYTES);
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
