/* Damaged files of the audit log, any of them: where the database has what was signed, they are written anew. */
#include "tlog_fixture.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "audit/note.h"

/* Two full bundles, and a bit. */
enum { ENTRIES = 600 };

static void enter(struct hub *hub, int entries)
{
    for (int i = 0; i < entries; i++) { /* each leaves one */
        hub_ask(hub, "{\"patient\": {\"patient\": {\"number\": 1}}}");
        hub_clear(hub);
    }
}

static int setup(void **state)
{
    int failed = hub_setup(state);
    struct hub *hub = *state;
    snprintf(hub->tlog, sizeof hub->tlog, "%s/log", hub->directory);
    hub_crash(hub);
    hub_region(hub);
    enter(hub, ENTRIES);
    tlog_pass(hub, 3000);
    return failed;
}

static const char *in(const struct hub *hub, const char *name)
{
    static char path[200];
    snprintf(path, sizeof path, "%s/%s", hub->tlog, name);
    return path;
}

static void flip(const char *path)
{
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    fseek(file, 20, SEEK_SET);
    int byte = fgetc(file);
    fseek(file, 20, SEEK_SET);
    fputc(byte ^ 1, file);
    fclose(file);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status, (void)type, (void)walk;
    return remove(path);
}

static void assert_whole(struct hub *hub)
{
    assert_string_equal(tlog_status(hub)->not_signing, "");
    tlog_assert_sound(hub->tlog);
    tlog_assert_leaves(hub, hub->tlog);
    const Carehub__V1__VerifyAnswer *said = tlog_verified(hub);
    assert_true(said->agrees && said->wrong == 0 && said->wrong_files == 0);
}

static void what_a_verification_finds_damaged_is_written_anew(void **state)
{
    static const char *const names[] = {"tile/0/000", "tile/0/001", "tile/entries/000", "tile/entries/001"};
    struct hub *hub = *state;
    uint64_t mended = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (int removed = 0; removed < 2; removed++) {
            if (removed)
                assert_int_equal(unlink(in(hub, names[i])), 0);
            else
                flip(in(hub, names[i]));
            assert_int_equal(tlog_verified(hub)->wrong_files, 1);
            tlog_pass(hub, 3000);
            assert_int_equal(tlog_status(hub)->mended_files, ++mended);
            assert_whole(hub);
        }
    struct checkpoint before, after;
    assert_true(tlog_checkpoint(hub->tlog, &before));
    hub_ask(hub, "{\"patient\": {\"patient\": {\"number\": 1}}}");
    tlog_pass(hub, 3000);
    assert_true(tlog_checkpoint(hub->tlog, &after));
    assert_true(after.size > before.size); /* and it goes on growing */
    assert_whole(hub);
}

static void all_tiles_are_written_anew_at_the_start_if_only_the_checkpoint_is_left(void **state)
{
    struct hub *hub = *state;
    core_close(&hub->core);
    assert_int_equal(nftw(in(hub, "tile"), remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
    tlog_start(hub);
    tlog_pass(hub, 3000);
    assert_true(tlog_status(hub)->mended_files > 5);
    assert_whole(hub);
}

/* A bundle that the database has not noted yet is compared with it: either of the two may be what is damaged. */
static void an_entry_and_a_file_that_differ_are_told_apart_by_the_root(void **state)
{
    struct hub *hub = *state;
    sqlite3 *database;
    enter(hub, 500); /* the last 1,000 are looked at when the hub starts */
    tlog_pass(hub, 3000);
    for (int file_is_wrong = 1; file_is_wrong >= 0; file_is_wrong--) {
        core_close(&hub->core);
        assert_int_equal(sqlite3_open(hub->database, &database), SQLITE_OK);
        assert_int_equal(
            sqlite3_exec(database, "UPDATE number SET number = 0 WHERE name = 'tlog-size'", NULL, NULL, NULL),
            SQLITE_OK);
        if (!file_is_wrong)
            assert_int_equal(
                sqlite3_exec(database, "UPDATE entry SET leaf = zeroblob(32) WHERE place = 10", NULL, NULL, NULL),
                SQLITE_OK);
        sqlite3_close(database);
        if (file_is_wrong)
            flip(in(hub, "tile/entries/000"));
        hub->damaged = !file_is_wrong;
        tlog_start(hub);
        tlog_pass(hub, 3000);
        if (file_is_wrong)
            assert_whole(hub);
        else
            assert_non_null(strstr(tlog_status(hub)->not_signing, "is not the one that was published"));
    }
}

static void what_is_not_known_to_be_its_own_is_not_given_out(void **state)
{
    struct hub *hub = *state;
    core_close(&hub->core);
    assert_int_equal(nftw(in(hub, "tile"), remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
    tlog_start(hub);
    assert_string_equal(hub_ask(hub, "{\"checkpoint\": {}}")->checkpoint->checkpoint, "");
    hub_clear(hub);
    tlog_pass(hub, 3000);
    assert_string_not_equal(hub_ask(hub, "{\"checkpoint\": {}}")->checkpoint->checkpoint, "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, hub_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_a_verification_finds_damaged_is_written_anew),
        TEST(all_tiles_are_written_anew_at_the_start_if_only_the_checkpoint_is_left),
        TEST(an_entry_and_a_file_that_differ_are_told_apart_by_the_root),
        TEST(what_is_not_known_to_be_its_own_is_not_given_out),
    };
    return cmocka_run_group_tests_name("tlog_mend", tests, NULL, NULL);
}
