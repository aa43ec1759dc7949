/* A log as files: names, growing, going on after a crash, and that no damage goes unnoticed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/check.h"
#include "audit/tiles.h"

enum { LEAVES = 70000, SMALL = 260 };

static uint8_t leaves[LEAVES][LEAF_DATA_BYTES];
static struct merkle_hash roots[LEAVES + 1]; /* by size */

static int setup_leaves(void **state)
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

static int setup(void **state)
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

static int teardown(void **state)
{
    nftw(*state, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(*state);
    return 0;
}

static char *in(const char *directory, const char *name)
{
    static char path[4096];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

static bool there(const char *directory, const char *name)
{
    return access(in(directory, name), F_OK) == 0;
}

/* Grows a log from one size to another, with a sync there. */
static void grow(const char *directory, uint64_t from, uint64_t to)
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

static enum check_verdict check(const char *directory, uint64_t size)
{
    struct check checked = {.source = tile_source_directory(directory),
                            .checkpoint = {.size = size, .root = roots[size]}};
    return check_tiles(&checked);
}

/* ---- Names ------------------------------------------------------------------------------------------------------ */

static void names_are_those_of_the_specification(void **state)
{
    static const struct {
        struct tile tile;
        const char *path;
    } cases[] = {
        {{0, 0, 256}, "tile/0/000"},
        {{1, 999, 1}, "tile/1/999.p/1"},
        {{0, 1000, 256}, "tile/0/x001/000"},
        {{7, 1234067, 255}, "tile/7/x001/x234/067.p/255"},
        {{TILE_ENTRIES, 1234067, 256}, "tile/entries/x001/x234/067"},
        {{TILE_ENTRIES, MERKLE_SIZE_MAX / 256, 8}, "tile/entries/x018/x014/x398/x509/x481/983.p/8"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[TILE_PATH_BYTES];
        assert_string_equal(tile_path(&cases[i].tile, path), cases[i].path);
    }
}

/* The specification's own example ("Partial Tiles"): 70,000 entries. */
static void seventy_thousand_entries_are_the_files_of_the_specification(void **state)
{
    const char *directory = *state;
    uint64_t full = 0, partial = 0;
    grow(directory, 0, 70000);
    for (uint64_t i = 0; tile_width(0, i, 70000); i++)
        *(tile_width(0, i, 70000) == TILE_WIDTH ? &full : &partial) += 1;
    assert_int_equal(full, 273);
    assert_int_equal(partial, 1);
    assert_true(there(directory, "tile/0/272") && there(directory, "tile/entries/272"));
    assert_true(there(directory, "tile/0/273.p/112") && there(directory, "tile/entries/273.p/112"));
    assert_true(there(directory, "tile/1/000") && there(directory, "tile/1/001.p/17"));
    assert_true(there(directory, "tile/2/000.p/1"));
    assert_false(there(directory, "tile/3"));
    assert_int_equal(check(directory, 70000), CHECK_SOUND);
}

/* ---- Growing ---------------------------------------------------------------------------------------------------- */

static void any_way_to_grow_gives_the_same_tree(void **state)
{
    static const uint64_t stops[] = {1, 2, 3, 255, 256, 257, 511, 512, 513, 600, 1023, 1024, 1025, 65535, 65536, 65537};
    uint64_t size = 0;
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
        grow(*state, size, stops[i]);
        size = stops[i];
        assert_int_equal(check(*state, size), CHECK_SOUND);
    }
}

static void partial_tiles_go_when_the_full_one_is_there(void **state)
{
    const char *directory = *state;
    grow(directory, 0, 5);
    grow(directory, 5, 200);
    assert_true(there(directory, "tile/0/000.p/5") && there(directory, "tile/0/000.p/200"));
    grow(directory, 200, 256);
    assert_false(there(directory, "tile/0/000.p"));
    assert_false(there(directory, "tile/entries/000.p"));
    assert_true(there(directory, "tile/1/000.p/1"));
    assert_int_equal(check(directory, 200), CHECK_SOUND); /* an older checkpoint is served from the full tile */
}

/* What a writer wrote without coming to its sync is written again from the last checkpoint. */
static void a_crash_before_the_sync_changes_nothing(void **state)
{
    struct tile_writer *writer = malloc(sizeof *writer);
    grow(*state, 0, 300);
    assert_true(tile_writer_open(writer, *state, 300, &roots[300]));
    assert_true(tile_writer_append(writer, (const uint8_t(*)[LEAF_DATA_BYTES]) & leaves[300], 700));
    tile_writer_close(writer);
    free(writer);
    int fd = open(in(*state, "tile/0/002"), O_WRONLY | O_TRUNC); /* as a crash may leave a file without fsync */
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(check(*state, 300), CHECK_SOUND);
    grow(*state, 300, 900);
    assert_int_equal(check(*state, 900), CHECK_SOUND);
}

static void a_writer_refuses_tiles_of_another_root(void **state)
{
    struct tile_writer *writer = malloc(sizeof *writer);
    grow(*state, 0, 300);
    assert_false(tile_writer_open(writer, *state, 300, &roots[299]));
    assert_non_null(strstr(writer->error, "another root"));
    tile_writer_close(writer);
    assert_false(tile_writer_open(writer, *state, 301, &roots[301]));
    assert_non_null(strstr(writer->error, "missing"));
    tile_writer_close(writer);
    free(writer);
}

static void proofs_are_read_from_the_files(void **state)
{
    grow(*state, 0, 66000);
    struct tile_nodes *nodes = malloc(sizeof *nodes);
    tile_nodes_init(nodes, tile_source_directory(*state), 66000);
    struct merkle_source source = tile_nodes_source(nodes);
    for (uint64_t index = 0; index < 66000; index = index * 3 / 2 + 1) {
        struct merkle_proof proof;
        struct merkle_hash leaf;
        merkle_leaf(leaves[index], LEAF_DATA_BYTES, &leaf);
        assert_true(merkle_prove_inclusion(&source, index, 66000, &proof));
        assert_true(merkle_inclusion_holds(index, 66000, &leaf, &proof, &roots[66000]));
        assert_true(merkle_prove_consistency(&source, index, 66000, &proof));
        assert_true(merkle_consistency_holds(index, &roots[index], 66000, &roots[66000], &proof));
    }
    free(nodes);
}

/* ---- Damage ----------------------------------------------------------------------------------------------------- */

static const char *const files[] = {"tile/entries/000", "tile/entries/001.p/4", "tile/0/000", "tile/0/001.p/4",
                                    "tile/1/000.p/1"};
enum { FILES = sizeof files / sizeof *files };

static size_t read_whole(const char *path, uint8_t *bytes)
{
    int fd = open(path, O_RDONLY);
    ssize_t n = read(fd, bytes, TILE_MAX_BYTES);
    close(fd);
    return (size_t)n;
}

static void write_whole(const char *path, const uint8_t *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_TRUNC | O_CREAT, 0644);
    assert_int_equal(write(fd, bytes, size), (ssize_t)size);
    close(fd);
}

static void every_flipped_byte_is_found(void **state)
{
    static uint8_t bytes[TILE_MAX_BYTES];
    grow(*state, 0, SMALL);
    for (size_t f = 0; f < FILES; f++) {
        char *path = strdup(in(*state, files[f]));
        size_t size = read_whole(path, bytes);
        int fd = open(path, O_WRONLY);
        for (size_t i = 0; i < size; i++) {
            uint8_t flipped = bytes[i] ^ (uint8_t)(1u << (i % 8));
            assert_int_equal(pwrite(fd, &flipped, 1, (off_t)i), 1);
            assert_int_not_equal(check(*state, SMALL), CHECK_SOUND);
            assert_int_equal(pwrite(fd, &bytes[i], 1, (off_t)i), 1);
        }
        close(fd);
        free(path);
    }
    assert_int_equal(check(*state, SMALL), CHECK_SOUND);
}

static void every_file_cut_or_missing_is_found(void **state)
{
    static uint8_t bytes[TILE_MAX_BYTES + 64];
    grow(*state, 0, SMALL);
    for (size_t f = 0; f < FILES; f++) {
        char *path = strdup(in(*state, files[f]));
        size_t size = read_whole(path, bytes);
        for (size_t cut = 0; cut < size; cut += 1 + cut / 7) {
            write_whole(path, bytes, cut);
            assert_int_equal(check(*state, SMALL), CHECK_MISSING);
        }
        write_whole(path, bytes, size + 34);
        assert_int_equal(check(*state, SMALL), CHECK_MISSING);
        unlink(path);
        assert_int_equal(check(*state, SMALL), CHECK_MISSING);
        write_whole(path, bytes, size);
        free(path);
    }
    assert_int_equal(check(*state, SMALL), CHECK_SOUND);
}

/* Whoever rewrites entries, rewrites every tile so that all fits together: it is another root. */
static void entries_removed_inserted_or_in_another_order_give_another_root(void **state)
{
    enum { AT = 100, SIZE = 259 };
    static uint8_t other[SIZE + 1][LEAF_DATA_BYTES];
    static const struct {
        const char *what;
        size_t n;
    } cases[] = {{"removed", SIZE - 1}, {"inserted", SIZE + 1}, {"exchanged", SIZE}, {"altered", SIZE}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        char *directory = strdup(in(*state, cases[c].what));
        memcpy(other, leaves, sizeof other);
        if (c == 0)
            memmove(other[AT], other[AT + 1], (SIZE - AT) * sizeof *other);
        else if (c == 1)
            memmove(other[AT + 1], other[AT], (SIZE - AT) * sizeof *other);
        else if (c == 2)
            memcpy(other[AT], leaves[AT + 1], sizeof *other), memcpy(other[AT + 1], leaves[AT], sizeof *other);
        else
            other[AT][0] ^= 1;
        struct tile_writer *writer = malloc(sizeof *writer);
        struct merkle_hash root;
        assert_true(tile_writer_open(writer, directory, 0, NULL));
        assert_true(tile_writer_append(writer, (const uint8_t(*)[LEAF_DATA_BYTES])other, cases[c].n));
        assert_true(tile_writer_sync(writer, &root));
        tile_writer_close(writer);
        free(writer);
        assert_int_equal(check(directory, SIZE), cases[c].n == SIZE ? CHECK_ROOT : CHECK_MISSING);
        struct check forged = {.source = tile_source_directory(directory),
                               .checkpoint = {.size = cases[c].n, .root = root},
                               .since = &(struct checkpoint){.size = SMALL / 2, .root = roots[SMALL / 2]}};
        assert_int_equal(check_tiles(&forged), CHECK_SINCE); /* even when it is signed: an older checkpoint shows it */
        free(directory);
    }
}

static void what_is_wrong_is_named(void **state)
{
    grow(*state, 0, SMALL);
    int fd = open(in(*state, "tile/entries/001.p/4"), O_WRONLY);
    assert_int_equal(pwrite(fd, "x", 1, 2 * BUNDLE_ENTRY_BYTES + 10), 1);
    close(fd);
    struct check checked = {.source = tile_source_directory(*state),
                            .checkpoint = {.size = SMALL, .root = roots[SMALL]}};
    char path[TILE_PATH_BYTES];
    assert_int_equal(check_tiles(&checked), CHECK_HASH);
    assert_int_equal(checked.index, 258);
    assert_string_equal(tile_path(&checked.wrong, path), "tile/0/001.p/4");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_those_of_the_specification),
        cmocka_unit_test_setup_teardown(seventy_thousand_entries_are_the_files_of_the_specification, setup, teardown),
        cmocka_unit_test_setup_teardown(any_way_to_grow_gives_the_same_tree, setup, teardown),
        cmocka_unit_test_setup_teardown(partial_tiles_go_when_the_full_one_is_there, setup, teardown),
        cmocka_unit_test_setup_teardown(a_crash_before_the_sync_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_writer_refuses_tiles_of_another_root, setup, teardown),
        cmocka_unit_test_setup_teardown(proofs_are_read_from_the_files, setup, teardown),
        cmocka_unit_test_setup_teardown(every_flipped_byte_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(every_file_cut_or_missing_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(entries_removed_inserted_or_in_another_order_give_another_root, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_wrong_is_named, setup, teardown),
    };
    return cmocka_run_group_tests(tests, setup_leaves, NULL);
}
