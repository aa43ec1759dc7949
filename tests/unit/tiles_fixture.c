/* See tiles_fixture.h. */
#include "tiles_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

uint8_t leaves[LEAVES][LEAF_DATA_BYTES];
struct merkle_hash roots[LEAVES + 1];

int setup_leaves(void **state)
{
    struct merkle_frontier tree = {0};
    (void)state;
    merkle_frontier_root(&tree, &roots[0]);
    for (uint32_t i = 0; i < LEAVES; i++) {
        struct merkle_hash hash;
        audit_sha256(&i, sizeof i, NULL, 0, NULL, 0, leaves[i]);
        merkle_leaf(leaves[i], LEAF_DATA_BYTES, &hash);
        merkle_append(&tree, &hash);
        merkle_frontier_root(&tree, &roots[i + 1]);
    }
    return 0;
}

/* ---- A directory for each test ---------------------------------------------------------------------------------- */

int setup_directory(void **state)
{
    /* In memory if there is such a place: what a sync costs is not what these tests are about. */
    *state = strdup(access("/dev/shm", W_OK) == 0 ? "/dev/shm/carehub-tiles-XXXXXX" : "/tmp/carehub-tiles-XXXXXX");
    return mkdtemp(*state) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *at)
{
    (void)info, (void)type, (void)at;
    return remove(path);
}

int teardown_directory(void **state)
{
    nftw(*state, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(*state);
    return 0;
}

char *in(const char *directory, const char *name)
{
    static char path[4096];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

bool there(const char *directory, const char *name)
{
    return access(in(directory, name), F_OK) == 0;
}

/* Grows a log from one size to another, with a sync there. */
void grow(const char *directory, uint64_t from, uint64_t to)
{
    struct tile_writer *writer = malloc(sizeof *writer);
    struct merkle_hash root;
    assert_true(tile_writer_open(writer, directory, from, from ? &roots[from] : NULL));
    assert_true(tile_writer_append(writer, (const uint8_t(*)[LEAF_DATA_BYTES]) & leaves[from], to - from));
    assert_true(tile_writer_sync(writer, &root));
    assert_memory_equal(&root, &roots[to], sizeof root);
    tile_writer_close(writer);
    free(writer);
}

enum check_verdict check(const char *directory, uint64_t size)
{
    struct check checked = {.source = tile_source_directory(directory),
                            .checkpoint = {.size = size, .root = roots[size]}};
    return check_tiles(&checked);
}

size_t read_whole(const char *path, uint8_t *bytes)
{
    int fd = open(path, O_RDONLY);
    ssize_t n = read(fd, bytes, TILE_MAX_BYTES);
    close(fd);
    return (size_t)n;
}

void write_whole(const char *path, const uint8_t *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_TRUNC | O_CREAT, 0644);
    assert_int_equal(write(fd, bytes, size), (ssize_t)size);
    close(fd);
}
