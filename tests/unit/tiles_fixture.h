/* tiles_fixture.h - a log of made-up leaves in a directory of its own, and its roots as the tree has them. */
#ifndef CAREHUB_TILES_FIXTURE_H
#define CAREHUB_TILES_FIXTURE_H

#include "audit/check.h"

enum { LEAVES = 70000, SMALL = 260 };

extern uint8_t leaves[LEAVES][LEAF_DATA_BYTES];
extern struct merkle_hash roots[LEAVES + 1]; /* by size */

/* For cmocka: of the group, and of each test, whose state is the directory's path. */
int setup_leaves(void **state);
int setup_directory(void **state);
int teardown_directory(void **state);

/* The path of a file below it; in one static buffer. */
char *in(const char *directory, const char *name);
bool there(const char *directory, const char *name);
/* `bytes` has room for TILE_MAX_BYTES. Returns the size. */
size_t read_whole(const char *path, uint8_t *bytes);
void write_whole(const char *path, const uint8_t *bytes, size_t size);

/* Grows a log from one size to another, with a sync there. */
void grow(const char *directory, uint64_t from, uint64_t to);

/* check_tiles with the checkpoint of that size. */
enum check_verdict check(const char *directory, uint64_t size);

#endif
