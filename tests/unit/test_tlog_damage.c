/* Damage: of the audit log's files, and of the database beside them. What can be put right is; the rest is found, and
 * it is said which of the two it is. */
#include "tlog_fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "audit/note.h"

static int setup(void **state)
{
    int failed = hub_setup(state);
    struct hub *hub = *state;
    snprintf(hub->tlog, sizeof hub->tlog, "%s/log", hub->directory);
    hub_crash(hub);
    hub_region(hub);
    return failed;
}

static void enter(struct hub *hub, uint8_t id)
{
    assert_non_null(hub_publish(hub, HOSPITAL, id, DISCHARGE));
}

/* ---- Files ------------------------------------------------------------------------------------------------------ */

/* Alters, cuts or removes a file of the log. */
enum harm { FLIPPED, CUT, REMOVED, HARMS };

static void harm_file(const struct hub *hub, const char *name, enum harm how)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", hub->tlog, name);
    assert_int_equal(access(path, F_OK), 0);
    FILE *file = fopen(path, "r+");
    if (how == FLIPPED) {
        fseek(file, 100, SEEK_SET);
        int byte = fgetc(file);
        fseek(file, 100, SEEK_SET);
        fputc(byte ^ 4, file);
    }
    fclose(file);
    assert_int_equal(how == CUT ? truncate(path, 90) : how == REMOVED ? unlink(path) : 0, 0);
}

static size_t read_file(const struct hub *hub, const char *name, uint8_t bytes[TILE_MAX_BYTES])
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", hub->tlog, name);
    int fd = open(path, O_RDONLY);
    ssize_t n = read(fd, bytes, TILE_MAX_BYTES);
    close(fd);
    return n > 0 ? (size_t)n : 0;
}

/* The last tiles are still to be written again and again: damage there would go into each. */
static void damaged_last_files_are_written_anew_from_the_database(void **state)
{
    struct hub *hub = *state;
    static uint8_t before[TILE_MAX_BYTES], after[TILE_MAX_BYTES];
    for (uint8_t id = 1; id < 250; id++)
        enter(hub, id);
    for (int which = 0; which < 3 * HARMS; which++) {
        struct checkpoint checkpoint;
        char name[TILE_PATH_BYTES];
        enter(hub, (uint8_t)(250 + which % 5));
        tlog_pass(hub, 3000);
        assert_true(tlog_checkpoint(hub->tlog, &checkpoint));
        int level = which / HARMS - 1;
        uint64_t index = level == 1 ? 0 : checkpoint.size / TILE_WIDTH;
        tile_path(&(struct tile){level, index, tile_width(level, index, checkpoint.size)}, name);
        size_t size = read_file(hub, name, before);
        core_close(&hub->core);
        if (level < 1 || which % HARMS != FLIPPED) /* one hash of level 1 has no byte 100 */
            harm_file(hub, name, level == 1 ? REMOVED : (enum harm)(which % HARMS));
        tlog_start(hub);
        tlog_pass(hub, 3000);
        assert_string_equal(tlog_status(hub)->not_signing, "");
        assert_int_equal(read_file(hub, name, after), size);
        assert_memory_equal(before, after, size);
        tlog_assert_sound(hub->tlog);
        tlog_assert_leaves(hub, hub->tlog);
        assert_true(tlog_verified(hub)->agrees);
    }
}

/* And if it is not the database that the log is of, that is not taken for damage. */
static void damaged_files_of_another_database_are_not_written_anew(void **state)
{
    struct hub *hub = *state;
    struct checkpoint checkpoint;
    char name[TILE_PATH_BYTES];
    tlog_pass(hub, 2000);
    tlog_keep_database(hub, false);
    tlog_start(hub);
    enter(hub, 1);
    tlog_pass(hub, 3000);
    tlog_keep_database(hub, true);
    tlog_start(hub);
    for (uint8_t id = 50; id < 60; id++)
        enter(hub, id);
    core_close(&hub->core);
    assert_true(tlog_checkpoint(hub->tlog, &checkpoint));
    tile_path(&(struct tile){0, 0, (unsigned)checkpoint.size}, name);
    harm_file(hub, name, FLIPPED);
    tlog_start(hub);
    tlog_pass(hub, 3000);
    assert_non_null(strstr(tlog_status(hub)->not_signing, "another root"));
}

static void every_damaged_tile_is_found_and_told_from_a_damaged_entry(void **state)
{
    static const char *const names[] = {"tile/0/000", "tile/entries/000"};
    struct hub *hub = *state;
    static uint8_t whole[TILE_MAX_BYTES];
    for (uint8_t id = 1; id < 255; id++)
        enter(hub, id);
    tlog_pass(hub, 3000);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (int how = 0; how < HARMS; how++) {
            char path[200];
            size_t size = read_file(hub, names[i], whole);
            assert_int_equal(tlog_verified(hub)->wrong_files, 0);
            harm_file(hub, names[i], (enum harm)how);
            const Carehub__V1__VerifyAnswer *said = tlog_verified(hub);
            assert_int_equal(said->wrong, 0);
            assert_int_equal(said->wrong_files, 1);
            assert_string_equal(said->wrong_file, names[i]);
            snprintf(path, sizeof path, "%s/%s", hub->tlog, names[i]);
            FILE *file = fopen(path, "w");
            assert_int_equal(fwrite(whole, 1, size, file), size);
            fclose(file);
        }
}

/* What is written down as a proof, holds: the hub looks before it answers. */
static void nothing_is_proved_from_damaged_files_or_another_database(void **state)
{
    struct hub *hub = *state;
    struct checkpoint lost;
    for (uint8_t id = 1; id < 255; id++)
        enter(hub, id);
    tlog_pass(hub, 3000);
    assert_non_null(hub_ask(hub, "{\"prove\": {\"place\": 20}}")->prove);
    harm_file(hub, "tile/0/000", FLIPPED);
    assert_non_null(strstr(hub_ask(hub, "{\"prove\": {\"place\": 20}}")->error->text, "do not lead from entry #20"));
    harm_file(hub, "tile/0/000", FLIPPED); /* back again */
    hub_clear(hub);

    tlog_pass(hub, 3000);
    tlog_keep_database(hub, false);
    tlog_start(hub);
    for (int i = 0; i < 20; i++)
        hub_ask(hub, "{\"patient\": {\"patient\": {\"number\": 1}}}");
    tlog_pass(hub, 3000);
    assert_true(tlog_checkpoint(hub->tlog, &lost));
    tlog_keep_database(hub, true);
    tlog_start(hub);
    for (int i = 0; i < 20; i++)
        hub_ask(hub, "{\"patient\": {\"patient\": {\"number\": 1}}}");
    char question[64];
    snprintf(question, sizeof question, "{\"prove\": {\"place\": %llu}}", (unsigned long long)lost.size - 2);
    for (int64_t ms = 0; ms < 3000; ms += 600) { /* while it is noticed, and afterwards */
        assert_null(hub_ask(hub, question)->prove);
        tlog_pass(hub, 600);
    }
    assert_non_null(strstr(hub_ask(hub, question)->error->text, "is not the one that was published"));
    assert_non_null(hub_ask(hub, "{\"prove\": {\"place\": 20}}")->prove);
}

/* ---- The database ----------------------------------------------------------------------------------------------- */

static void a_database_that_was_altered_behind_the_hubs_back_is_found_out(void **state)
{
    struct hub *hub = *state;
    sqlite3 *database;
    hub->damaged = true;
    for (int i = 0; i < 1100; i++) { /* each leaves an entry; the last 1,000 are looked at when the hub starts */
        hub_ask(hub, "{\"patient\": {\"patient\": {\"number\": 1}}}");
        hub_clear(hub);
    }
    tlog_pass(hub, 3000);
    const Carehub__V1__VerifyAnswer *said = tlog_verified(hub);
    assert_true(said->agrees && said->wrong == 0 && said->checked == said->total && said->total > 1100);
    core_close(&hub->core);
    assert_int_equal(sqlite3_open(hub->database, &database), SQLITE_OK);
    assert_int_equal(sqlite3_exec(database,
                                  "DELETE FROM entry WHERE place = 20;"
                                  "UPDATE entry SET leaf = (SELECT leaf FROM entry WHERE place = 31)"
                                  " WHERE place = 30",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(database);
    tlog_start(hub);
    tlog_pass(hub, 2000);
    said = tlog_verified(hub);
    assert_int_equal(said->wrong, 1); /* what is missing may be too old to be kept: its leaf is in the tiles */
    assert_int_equal(said->first_wrong, 30);
    assert_int_equal(said->pruned, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, hub_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(damaged_last_files_are_written_anew_from_the_database),
        TEST(damaged_files_of_another_database_are_not_written_anew),
        TEST(every_damaged_tile_is_found_and_told_from_a_damaged_entry),
        TEST(nothing_is_proved_from_damaged_files_or_another_database),
        TEST(a_database_that_was_altered_behind_the_hubs_back_is_found_out),
    };
    return cmocka_run_group_tests_name("tlog_damage", tests, NULL, NULL);
}
