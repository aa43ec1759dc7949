/* tiles.h - a log as files: C2SP tlog-tiles.
 *
 *     tile/<L>/<N>            256 hashes of 32 bytes: the complete subtrees of height 8 * L, from 256 * N on
 *     tile/entries/<N>        a bundle: the data of 256 leaves, each behind its length (2 bytes, big-endian)
 *     ….p/<W>                 the first W of it, as long as there are no more ("Partial Tiles")
 *     checkpoint              the signed size and root (note.h)
 *
 * <N> is written in groups of three digits, all but the last behind an 'x'. A file once named by a checkpoint never
 * changes; a partial one may go when the full one is there, and one that holds nothing at or behind the log's minimum
 * index may go for good (minimum.h). Every leaf of this log is 32 bytes (leaf.h). */
#ifndef CAREHUB_TILES_H
#define CAREHUB_TILES_H

#include "leaf.h"
#include "merkle.h"

enum {
    TILE_HEIGHT = 8,
    TILE_WIDTH = 1 << TILE_HEIGHT,
    TILE_LEVELS = (MERKLE_LEVELS + TILE_HEIGHT - 1) / TILE_HEIGHT,
    TILE_ENTRIES = -1, /* the level of a bundle */
    TILE_PATH_BYTES = 64,
    BUNDLE_ENTRY_BYTES = 2 + LEAF_DATA_BYTES,
    TILE_MAX_BYTES = TILE_WIDTH * BUNDLE_ENTRY_BYTES, /* a full bundle, the largest of them */
    TILES_ERROR_BYTES = 512,
};

/* The name of a file. */
struct tile {
    int level; /* 0 to TILE_LEVELS - 1, or TILE_ENTRIES */
    uint64_t index;
    unsigned width; /* 1 to TILE_WIDTH */
};

/* Its path in the log's directory, which is also that of its URL: "tile/0/x001/x234/067.p/8". Returns `path`. */
const char *tile_path(const struct tile *tile, char path[TILE_PATH_BYTES]);
/* Its inverse; false: no tile has that path. */
bool tile_parse(const char *path, struct tile *tile);
/* The size of the file. */
size_t tile_bytes(const struct tile *tile);
/* How wide the tile is in a tree of that size; 0: it is not there. */
unsigned tile_width(int level, uint64_t index, uint64_t size);

/* The first tile of a level that has to be there in a log that was pruned up to a minimum index: those before it end at
 * or before that. What is left proves every entry from the minimum on, and that trees of that size and larger go on
 * from one another (tlog-tiles, "Pruning"). */
uint64_t tile_first(int level, uint64_t minimum);
/* Entries before this one are in no bundle any more. */
uint64_t tile_first_entry(uint64_t minimum);

/* Where tiles are read from. `read` fills `bytes` (tile_bytes of them); false: it is not there, or not of that size. */
struct tile_source {
    bool (*read)(void *ctx, const struct tile *tile, uint8_t *bytes);
    void *ctx;
};

/* The files of a directory; ctx is its path, borrowed. A partial tile that has gone, or never was there, is read from
 * the full one, or a wider partial one. */
struct tile_source tile_source_directory(const char *path);

/* ---- The tree behind the tiles ---------------------------------------------------------------------------------- */

/* The complete subtrees of a tree of `size`, as a merkle_source; holds the tile of each level that was read last. */
struct tile_nodes {
    struct tile_source source;
    uint64_t size;
    struct {
        struct tile tile; /* width 0: none */
        struct merkle_hash hashes[TILE_WIDTH];
    } read[TILE_LEVELS];
    struct tile missing; /* what could not be read; width 0: none */
};

void tile_nodes_init(struct tile_nodes *nodes, struct tile_source source, uint64_t size);
struct merkle_source tile_nodes_source(struct tile_nodes *nodes);

/* The hashes of a tile, as many as the tree has of it, until the next one of its level is read; NULL: it is not there.
 */
const struct merkle_hash *tile_hashes(struct tile_nodes *nodes, int level, uint64_t index);

/* The data of leaves from an index on, at most `max` and up to the end of their bundle, of a log of that size. Returns
 * their number; 0: the bundle is not there. */
size_t tile_leaves(const struct tile_source *source, uint64_t index, uint64_t size, size_t max,
                   uint8_t (*leaves)[LEAF_DATA_BYTES]);
/* The data of the leaf at that place of a bundle; NULL: its length is not 32. */
const uint8_t *bundle_leaf(const uint8_t *bundle, unsigned at);
/* Puts one there. */
void bundle_put(uint8_t *bundle, unsigned at, const uint8_t leaf[LEAF_DATA_BYTES]);

/* ---- Writing ---------------------------------------------------------------------------------------------------- */

/* What grows: the last tile of each level. One thread at a time.
 *
 * Files of a size that no checkpoint names are worth nothing: after a crash they are written again. So a full tile is
 * renamed into place when it is complete, and tile_writer_sync makes all that the tree consists of durable at once,
 * before its root is given out to be signed. */
struct tile_writer {
    char *path;
    int directory;
    uint64_t size;
    uint8_t bundle[TILE_MAX_BYTES]; /* of the last leaves */
    struct {
        struct merkle_hash hashes[TILE_WIDTH];
        unsigned width;         /* less than TILE_WIDTH */
        uint64_t index;         /* of the tile that they are of */
        bool has_partial;       /* there are partial files … */
        uint64_t partial_index; /* … of this one */
    } levels[TILE_LEVELS];
    char error[TILES_ERROR_BYTES];
};

/* Opens a directory, made if it is not there, to go on behind the first `size` leaves; their last tiles are read, and
 * must have that root (NULL: whatever it is). False with `error` set; tile_writer_close is right in any case. */
bool tile_writer_open(struct tile_writer *writer, const char *path, uint64_t size, const struct merkle_hash *root);
void tile_writer_close(struct tile_writer *writer);

/* The same, where the files at the edge are damaged or missing: from the leaves of the last bundle (size % TILE_WIDTH
 * of them) and the full tiles. They are written anew if that gives the root. */
bool tile_writer_mend(struct tile_writer *writer, const char *path, uint64_t size, const struct merkle_hash *root,
                      const uint8_t (*leaves)[LEAF_DATA_BYTES]);
/* Opens a directory for a tree whose first `size` leaves, a multiple of TILE_WIDTH, are those of `before`; their own
 * tiles are not in it, as if it had been pruned up to there. Otherwise as tile_writer_open. */
bool tile_writer_begin(struct tile_writer *writer, const char *path, uint64_t size, struct tile_nodes *before);

/* Adds leaves. False with `error` set: the directory cannot be written; the writer must be closed. */
bool tile_writer_append(struct tile_writer *writer, const uint8_t (*leaves)[LEAF_DATA_BYTES], size_t n);
/* Writes the partial tiles, waits until everything is on stable storage, removes partial tiles that are full by now,
 * and gives the root of it all. False as above. */
bool tile_writer_sync(struct tile_writer *writer, struct merkle_hash *root);

/* Puts one file in its place below a log's directory (an open one), whole; not on stable storage yet. False with errno.
 */
bool tile_put(int directory, const struct tile *tile, const void *bytes);
/* Removes the partial files of a tile that is there as a whole, or is pruned. */
void tile_remove_partial(int directory, int level, uint64_t index);
/* Removes a bundle and the tiles that end with it, of a log whose minimum index is behind all of them; and directories
 * that are empty then. What is not there is no error. False with errno. */
bool tile_remove_pruned(int directory, uint64_t bundle);

/* Replaces a file of the log's directory at once: written beside it, on stable storage, renamed. False with errno. */
bool tile_file_replace(const char *directory, const char *name, const void *bytes, size_t size);

#endif
