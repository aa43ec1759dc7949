/* check_walk.h - whether the tiles of hashes are what a log's leaves and its checkpoint say, by one who has the leaves
 * (the hub, from its database). check.h is for those who have the files alone. Any thread. */
#ifndef CAREHUB_CHECK_WALK_H
#define CAREHUB_CHECK_WALK_H

#include "note.h"
#include "tiles.h"

struct check_walk;

/* Begins behind what was pruned up to a minimum index (0: nothing was). `source` is read on the way. NULL: what such a
 * log begins with cannot be read. */
struct check_walk *check_walk_new(struct tile_source source, const struct checkpoint *checkpoint, uint64_t minimum);
void check_walk_destroy(struct check_walk **walk);
/* From now on a tile that is wrong is written as the leaves say (tile_put), below that directory. *error becomes the
 * errno of the last one that could not be. */
void check_walk_mend(struct check_walk *walk, int directory, int *error);

/* The hash that the files have of the leaf that is next; NULL: they have none. Until the next call. */
const struct merkle_hash *check_walk_next(struct check_walk *walk);
/* Takes the next leaf, of those from tile_first_entry(minimum) to the checkpoint's size. A tile that it is the last one
 * of is compared. */
void check_walk_leaf(struct check_walk *walk, const uint8_t leaf[LEAF_DATA_BYTES]);
/* After the last one: compares what is left, and says whether the root is the checkpoint's. */
bool check_walk_end(struct check_walk *walk);
/* How many tiles are missing, not of their size, or not what is below them; *first is the first of them. */
uint64_t check_walk_wrong(const struct check_walk *walk, struct tile *first);

#endif
