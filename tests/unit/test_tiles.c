/* A log as files: names, growing, going on after a crash, pruning. That no damage goes unnoticed is test_check.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tiles_fixture.h"

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
        struct tile parsed;
        char path[TILE_PATH_BYTES];
        assert_string_equal(tile_path(&cases[i].tile, path), cases[i].path);
        assert_true(tile_parse(path, &parsed));
        assert_true(parsed.level == cases[i].tile.level && parsed.index == cases[i].tile.index &&
                    parsed.width == cases[i].tile.width);
    }
}

static void other_names_are_no_tiles(void **state)
{
    static const char *const names[] = {"",
                                        "tile/",
                                        "tile/0/",
                                        "tile/0/00",
                                        "tile/0/0000",
                                        "tile/0/000/",
                                        "tile/0/000.p",
                                        "tile/0/000.p/",
                                        "tile/0/000.p/0",
                                        "tile/0/000.p/256",
                                        "tile/0/000.p/01",
                                        "tile/0/000.new",
                                        "tile/0/x000/000",
                                        "tile/0/001/000",
                                        "tile/0/x001",
                                        "tile/01/000",
                                        "tile/8/000",
                                        "tile/data/000",
                                        "tile/entries/x018/x014/x398/x509/x481/x984/000",
                                        "tile/0/x999/x999/x999/x999/x999/x999/999",
                                        "entries/000"};
    struct tile tile;
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_false(tile_parse(names[i], &tile));
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

/* ---- Pruning ---------------------------------------------------------------------------------------------------- */

static void prune(const char *directory, uint64_t from, uint64_t minimum)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY);
    for (uint64_t bundle = tile_first(TILE_ENTRIES, from); bundle < tile_first(TILE_ENTRIES, minimum); bundle++)
        assert_true(tile_remove_pruned(fd, bundle));
    close(fd);
}

static enum check_verdict check_pruned(const char *directory, uint64_t size, uint64_t minimum)
{
    struct check checked = {.source = tile_source_directory(directory),
                            .checkpoint = {.size = size, .root = roots[size]},
                            .minimum = minimum};
    return check_tiles(&checked);
}

/* What tlog-tiles promises to a client of a pruned log. */
static void assert_proved_from(const char *directory, uint64_t minimum, uint64_t size)
{
    struct tile_nodes *nodes = malloc(sizeof *nodes);
    tile_nodes_init(nodes, tile_source_directory(directory), size);
    struct merkle_source source = tile_nodes_source(nodes);
    for (uint64_t index = minimum; index < size; index += 1 + (index - minimum) / 3) {
        struct merkle_proof proof;
        struct merkle_hash leaf, root;
        uint8_t data[1][LEAF_DATA_BYTES];
        assert_int_equal(tile_leaves(&nodes->source, index, size, 1, data), 1);
        merkle_leaf(data, LEAF_DATA_BYTES, &leaf);
        assert_true(merkle_prove_inclusion(&source, index, size, &proof));
        assert_true(merkle_inclusion_holds(index, size, &leaf, &proof, &roots[size]));
        assert_true(merkle_prove_consistency(&source, index, size, &proof));
        assert_true(merkle_consistency_holds(index, &roots[index], size, &roots[size], &proof));
        assert_true(merkle_root(&source, index, &root) && merkle_equal(&root, &roots[index]));
    }
    free(nodes);
}

static void what_is_not_pruned_is_proved_as_before(void **state)
{
    static const uint64_t minima[] = {0, 1, 255, 256, 257, 300, 25600, 65535, 65536, 65537, 65792, 69888, 69950};
    grow(*state, 0, 69950);
    for (size_t i = 0; i < sizeof minima / sizeof *minima; i++) {
        prune(*state, i > 0 ? minima[i - 1] : 0, minima[i]);
        assert_int_equal(check_pruned(*state, 69950, minima[i]), CHECK_SOUND);
        assert_proved_from(*state, minima[i], 69950);
        if (minima[i] >= 256)
            assert_int_equal(check_pruned(*state, 69950, minima[i] - 256), CHECK_MISSING); /* more is gone than that */
    }
    grow(*state, 69950, 70000);
    assert_int_equal(check_pruned(*state, 70000, 69888), CHECK_SOUND);
}

static void nothing_is_left_of_what_is_pruned(void **state)
{
    const char *directory = *state;
    grow(directory, 0, 66000);
    assert_true(there(directory, "tile/0/255") && there(directory, "tile/entries/255") &&
                there(directory, "tile/1/000"));
    prune(directory, 0, 65536);
    for (unsigned i = 0; i < 256; i++) {
        char name[64];
        snprintf(name, sizeof name, "tile/0/%03u", i);
        assert_false(there(directory, name));
        snprintf(name, sizeof name, "tile/entries/%03u", i);
        assert_false(there(directory, name));
    }
    assert_false(there(directory, "tile/1/000"));
    assert_true(there(directory, "tile/0/256") && there(directory, "tile/entries/256"));
    assert_true(there(directory, "tile/1/001.p/1") && there(directory, "tile/2/000.p/1"));
    prune(directory, 0, 65536); /* once more, as after a crash */
    assert_int_equal(check_pruned(directory, 66000, 65536), CHECK_SOUND);
}

static void empty_directories_go_with_what_is_pruned(void **state)
{
    int fd = open(*state, O_RDONLY | O_DIRECTORY);
    uint8_t bytes[TILE_MAX_BYTES] = {0};
    for (uint64_t bundle = 998; bundle < 2001; bundle++)
        assert_true(tile_put(fd, &(struct tile){TILE_ENTRIES, bundle, TILE_WIDTH}, bytes));
    for (uint64_t bundle = 998; bundle < 2000; bundle++)
        assert_true(tile_remove_pruned(fd, bundle));
    close(fd);
    assert_false(there(*state, "tile/entries/x001"));
    assert_true(there(*state, "tile/entries/x002/000"));
}

static void damage_behind_the_minimum_is_found(void **state)
{
    static const char *const kept[] = {"tile/entries/001", "tile/entries/002.p/188", "tile/0/001", "tile/0/002.p/188",
                                       "tile/1/000.p/2"};
    static uint8_t bytes[TILE_MAX_BYTES];
    grow(*state, 0, 700);
    prune(*state, 0, 300);
    for (size_t f = 0; f < sizeof kept / sizeof *kept; f++) {
        char *path = strdup(in(*state, kept[f]));
        size_t size = read_whole(path, bytes);
        int fd = open(path, O_WRONLY);
        for (size_t i = 0; i<size; i += size> 1024 ? 5 : 1) {
            uint8_t flipped = bytes[i] ^ (uint8_t)(1u << (i % 8));
            assert_int_equal(pwrite(fd, &flipped, 1, (off_t)i), 1);
            assert_int_not_equal(check_pruned(*state, 700, 300), CHECK_SOUND);
            assert_int_equal(pwrite(fd, &bytes[i], 1, (off_t)i), 1);
        }
        close(fd);
        unlink(path);
        assert_int_equal(check_pruned(*state, 700, 300), CHECK_MISSING);
        write_whole(path, bytes, size);
        free(path);
    }
    assert_int_equal(check_pruned(*state, 700, 300), CHECK_SOUND);
    assert_int_equal(check_pruned(*state, 700, 701 + TILE_WIDTH), CHECK_MISSING); /* no such minimum */
}

static void older_checkpoints_are_compared_as_far_as_that_can_be_said(void **state)
{
    struct checkpoint since = {0};
    struct check checked = {.checkpoint = {.size = 700, .root = roots[700]}, .minimum = 300, .since = &since};
    grow(*state, 0, 700);
    prune(*state, 0, 300);
    checked.source = tile_source_directory(*state);
    for (since.size = 250; since.size <= 700; since.size += 3) {
        since.root = roots[since.size];
        assert_int_equal(check_tiles(&checked), since.size < 256 ? CHECK_PRUNED : CHECK_SOUND);
        since.root.bytes[7] ^= 1;
        assert_int_equal(check_tiles(&checked), since.size < 256 ? CHECK_PRUNED : CHECK_SINCE);
    }
}

/* A log that is begun anew where nothing but the tree is left of the first entries. */
static void a_writer_begins_with_the_tree_of_another_log(void **state)
{
    static const uint64_t minima[] = {256, 25600, 65536, 66048};
    char *old = strdup(in(*state, "old"));
    grow(old, 0, 69000);
    for (size_t i = 0; i < sizeof minima / sizeof *minima; i++) {
        struct tile_writer *writer = malloc(sizeof *writer);
        struct tile_nodes *nodes = malloc(sizeof *nodes);
        struct merkle_hash root;
        char name[32];
        snprintf(name, sizeof name, "new-%llu", (unsigned long long)minima[i]);
        char *path = strdup(in(*state, name));
        prune(old, i > 0 ? minima[i - 1] : 0, minima[i]);
        tile_nodes_init(nodes, tile_source_directory(old), 69000);
        assert_true(tile_writer_begin(writer, path, minima[i], nodes));
        assert_true(
            tile_writer_append(writer, (const uint8_t(*)[LEAF_DATA_BYTES]) & leaves[minima[i]], 69999 - minima[i]));
        assert_true(tile_writer_sync(writer, &root));
        assert_memory_equal(&root, &roots[69999], sizeof root);
        tile_writer_close(writer);
        grow(path, 69999, 70000);
        assert_int_equal(check_pruned(path, 70000, minima[i]), CHECK_SOUND);
        assert_proved_from(path, minima[i], 70000);
        free(writer);
        free(nodes);
        free(path);
    }
    free(old);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_those_of_the_specification),
        cmocka_unit_test(other_names_are_no_tiles),
        cmocka_unit_test_setup_teardown(seventy_thousand_entries_are_the_files_of_the_specification, setup_directory,
                                        teardown_directory),
        cmocka_unit_test_setup_teardown(any_way_to_grow_gives_the_same_tree, setup_directory, teardown_directory),
        cmocka_unit_test_setup_teardown(partial_tiles_go_when_the_full_one_is_there, setup_directory,
                                        teardown_directory),
        cmocka_unit_test_setup_teardown(a_crash_before_the_sync_changes_nothing, setup_directory, teardown_directory),
        cmocka_unit_test_setup_teardown(a_writer_refuses_tiles_of_another_root, setup_directory, teardown_directory),
        cmocka_unit_test_setup_teardown(proofs_are_read_from_the_files, setup_directory, teardown_directory),
        cmocka_unit_test_setup_teardown(what_is_not_pruned_is_proved_as_before, setup_directory, teardown_directory),
        cmocka_unit_test_setup_teardown(nothing_is_left_of_what_is_pruned, setup_directory, teardown_directory),
        cmocka_unit_test_setup_teardown(empty_directories_go_with_what_is_pruned, setup_directory, teardown_directory),
        cmocka_unit_test_setup_teardown(damage_behind_the_minimum_is_found, setup_directory, teardown_directory),
        cmocka_unit_test_setup_teardown(older_checkpoints_are_compared_as_far_as_that_can_be_said, setup_directory,
                                        teardown_directory),
        cmocka_unit_test_setup_teardown(a_writer_begins_with_the_tree_of_another_log, setup_directory,
                                        teardown_directory),
    };
    return cmocka_run_group_tests(tests, setup_leaves, NULL);
}
