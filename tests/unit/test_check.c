/* The check of a log's files: nothing that is wrong goes unnoticed, and what is wrong is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/check_files.h"
#include "tiles_fixture.h"

/* ---- Damage ----------------------------------------------------------------------------------------------------- */

static const char *const files[] = {"tile/entries/000", "tile/entries/001.p/4", "tile/0/000", "tile/0/001.p/4",
                                    "tile/1/000.p/1"};
enum { FILES = sizeof files / sizeof *files };

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
        assert_int_equal(check(directory, SIZE), cases[c].n < SIZE ? CHECK_MISSING : CHECK_ROOT);
        struct check forged = {.source = tile_source_directory(directory),
                               .checkpoint = {.size = cases[c].n, .root = root},
                               .since = &(struct checkpoint){.size = SMALL / 2, .root = roots[SMALL / 2]}};
        assert_int_equal(check_tiles(&forged), CHECK_SINCE); /* even when it is signed: an older checkpoint shows it */
        free(directory);
    }
}

/* ---- What is said of it ------------------------------------------------------------------------------------------ */

struct told {
    char text[1024]; /* "KIND PATH FIRST-LAST COUNT\n" each */
};

static void tell(void *ctx, const struct check_fault *fault)
{
    static const char *const kinds[] = {
        [CHECK_MISSING] = "missing", [CHECK_NO_ENTRY] = "no-entry", [CHECK_HASH] = "hash",
        [CHECK_ROOT] = "root",       [CHECK_NEWER] = "newer",       [CHECK_SINCE] = "since",
        [CHECK_STRAY] = "stray",     [CHECK_ALTERED] = "altered",   [CHECK_BEYOND] = "beyond"};
    struct told *told = ctx;
    char path[TILE_PATH_BYTES];
    size_t used = strlen(told->text);
    snprintf(told->text + used, sizeof told->text - used, "%s %s %llu-%llu %llu\n", kinds[fault->kind],
             fault->name         ? fault->name
             : fault->tile.width ? tile_path(&fault->tile, path)
                                 : "",
             (unsigned long long)fault->first, (unsigned long long)fault->last, (unsigned long long)fault->count);
}

/* Everything that is said of a directory. */
static const char *told_of(const char *directory, uint64_t size, const struct checkpoint *since)
{
    static struct told told;
    struct check_files also;
    struct check checked = {.source = tile_source_directory(directory),
                            .checkpoint = {.size = size, .root = roots[size]},
                            .since = since,
                            .fault = tell,
                            .ctx = &told};
    told.text[0] = '\0';
    check_directory(&checked, directory, &also);
    return told.text;
}

static void flip(const char *directory, const char *name, off_t at)
{
    uint8_t byte;
    int fd = open(in(directory, name), O_RDWR);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

static void the_file_that_was_altered_is_named_with_its_entries(void **state)
{
    static const struct {
        const char *name;
        off_t at;
        const char *told;
    } cases[] = {
        {"tile/entries/000", 40 * 34 + 9, "hash tile/entries/000 41-41 1\n"},
        {"tile/entries/001.p/244", 9, "hash tile/entries/001.p/244 257-257 1\n"},
        {"tile/entries/000", 40 * 34, "no-entry tile/entries/000 41-41 1\n"},
        {"tile/0/000", 40 * 32, "hash tile/0/000 41-41 1\nhash tile/0/000 1-256 1\n"},
        {"tile/0/001.p/244", 32, "hash tile/0/001.p/244 258-258 1\n"},
        {"tile/1/000.p/1", 0, "hash tile/1/000.p/1 1-256 1\n"},
    };
    grow(*state, 0, 500);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        flip(*state, cases[i].name, cases[i].at);
        assert_string_equal(told_of(*state, 500, NULL), cases[i].told);
        flip(*state, cases[i].name, cases[i].at);
    }
    assert_string_equal(told_of(*state, 500, NULL), "");
}

static void all_that_is_wrong_is_told_not_only_the_first(void **state)
{
    grow(*state, 0, 1000);
    flip(*state, "tile/entries/000", 9);
    flip(*state, "tile/entries/000", 5 * 34 + 9);
    flip(*state, "tile/0/003.p/232", 8);
    unlink(in(*state, "tile/entries/002"));
    assert_string_equal(told_of(*state, 1000, NULL), "hash tile/entries/000 1-6 2\n"
                                                     "missing tile/entries/002 513-768 256\n"
                                                     "hash tile/0/003.p/232 769-769 1\n");
}

static void every_flipped_byte_of_an_older_partial_tile_is_found(void **state)
{
    static const char *const older[] = {"tile/entries/000.p/57", "tile/0/000.p/57", "tile/0/000.p/60"};
    grow(*state, 0, 57);
    grow(*state, 57, 60);
    grow(*state, 60, 64);
    for (size_t f = 0; f < sizeof older / sizeof *older; f++) {
        off_t size = (off_t)(f == 0 ? 57 * 34 : f == 1 ? 57 * 32 : 60 * 32);
        for (off_t at = 0; at < size; at++) {
            flip(*state, older[f], at);
            assert_non_null(strstr(told_of(*state, 64, NULL), "altered"));
            assert_non_null(strstr(told_of(*state, 64, NULL), older[f]));
            flip(*state, older[f], at);
        }
        assert_int_equal(truncate(in(*state, older[f]), size - 1), 0);
        assert_non_null(strstr(told_of(*state, 64, NULL), older[f]));
        unlink(in(*state, older[f]));
    }
    assert_string_equal(told_of(*state, 64, NULL), "");
}

static void files_that_the_log_has_no_place_for_are_found(void **state)
{
    static const uint8_t junk[TILE_MAX_BYTES] = {1};
    static const struct {
        const char *directory, *name;
        size_t size;
        const char *told;
    } cases[] = {
        {"tile/5", "tile/5/000.p", 32, "stray tile/5/000.p 0-0 0\n"},
        {"tile/01", "tile/01/000", 8192, "stray tile/01/000 0-0 0\n"},
        {"tile/0/x000", "tile/0/x000/000", 8192, "stray tile/0/x000/000 0-0 0\n"},
        {"tile/0", "tile/0/index.html", 9, "stray tile/0/index.html 0-0 0\n"},
        {"tile/3", "tile/3/000", 8192, "beyond tile/3/000 0-0 1\n"},
        {"tile/entries", "tile/entries/777", 10, "beyond tile/entries/777 0-199168 1\n"},
        {"tile/0", "tile/0/000.new", 10, ""}, /* what a crash has left */
    };
    grow(*state, 0, 64);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mkdir(in(*state, cases[i].directory), 0755);
        write_whole(in(*state, cases[i].name), junk, cases[i].size);
        assert_string_equal(told_of(*state, 64, NULL), cases[i].told);
        unlink(in(*state, cases[i].name));
    }
}

/* A full tile is read where a partial one has gone; what is behind the checkpoint's part of it counts too. */
static void an_older_checkpoint_beside_a_larger_tree_is_found(void **state)
{
    grow(*state, 0, 69);
    grow(*state, 69, 99);
    assert_string_equal(told_of(*state, 69, NULL), "beyond tile/0/000.p/99 0-99 2\n");
    unlink(in(*state, "tile/0/000.p/69"));
    unlink(in(*state, "tile/entries/000.p/69"));
    assert_string_equal(told_of(*state, 69, NULL), "beyond tile/0/000.p/99 0-99 2\n");
    grow(*state, 99, 700);
    assert_string_equal(told_of(*state, 69, NULL), "beyond tile/0/000 0-700 7\n");
}

static void damage_is_told_before_anything_about_an_older_checkpoint(void **state)
{
    struct checkpoint since = {.size = 57, .root = roots[57]}, newer = {.size = 70, .root = roots[70]};
    grow(*state, 0, 64);
    assert_string_equal(told_of(*state, 64, &since), "");
    assert_string_equal(told_of(*state, 64, &newer), "newer  0-0 0\n");
    since.root.bytes[0] ^= 1;
    assert_string_equal(told_of(*state, 64, &since), "since  0-0 0\n");
    flip(*state, "tile/entries/000.p/64", 8);
    assert_string_equal(told_of(*state, 64, &since), "hash tile/entries/000.p/64 1-1 1\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_flipped_byte_is_found, setup_directory, teardown_directory),
        cmocka_unit_test_setup_teardown(every_file_cut_or_missing_is_found, setup_directory, teardown_directory),
        cmocka_unit_test_setup_teardown(entries_removed_inserted_or_in_another_order_give_another_root, setup_directory,
                                        teardown_directory),
        cmocka_unit_test_setup_teardown(the_file_that_was_altered_is_named_with_its_entries, setup_directory,
                                        teardown_directory),
        cmocka_unit_test_setup_teardown(all_that_is_wrong_is_told_not_only_the_first, setup_directory,
                                        teardown_directory),
        cmocka_unit_test_setup_teardown(every_flipped_byte_of_an_older_partial_tile_is_found, setup_directory,
                                        teardown_directory),
        cmocka_unit_test_setup_teardown(files_that_the_log_has_no_place_for_are_found, setup_directory,
                                        teardown_directory),
        cmocka_unit_test_setup_teardown(an_older_checkpoint_beside_a_larger_tree_is_found, setup_directory,
                                        teardown_directory),
        cmocka_unit_test_setup_teardown(damage_is_told_before_anything_about_an_older_checkpoint, setup_directory,
                                        teardown_directory),
    };
    return cmocka_run_group_tests(tests, setup_leaves, NULL);
}
