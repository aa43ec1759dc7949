/* Files of the audit log that go with the entries that are no longer kept; and a log that is begun anew when entries,
 * or the files with their leaves, have gone. */
#include "tlog_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "audit/check.h"
#include "audit/minimum.h"
#include "audit/proof.h"

enum { HOUR = 3600 * 1000, ENTRIES = 3300, END_KEPT = 2000 };
#define DAY (24LL * HOUR)

/* ---- A hub with old entries ------------------------------------------------------------------------------------- */

static void enter(struct hub *hub, int n)
{
    for (int i = 0; i < n; i++) { /* each leaves an entry */
        hub_ask(hub, "{\"patient\": {\"patient\": {\"number\": 1}}}");
        hub_clear(hub);
    }
    tlog_pass(hub, 3000);
}

static void pass_days(struct hub *hub, int days)
{
    for (int64_t until_ms = hub->now_ms + days * DAY; hub->now_ms < until_ms;) {
        hub->now_ms += 4 * HOUR;
        for (int i = 0; i < 6; i++) {
            hub->now_ms += 100;
            hub_commit(hub);
        }
        hub_clear(hub);
    }
    tlog_pass(hub, 3000);
}

/* The region, and more entries than the end of the log that always stays. */
static struct hub *aged(void **state, bool prune)
{
    struct hub *hub = *state;
    snprintf(hub->tlog, sizeof hub->tlog, "%s/log", hub->directory);
    hub->prune_tiles = prune;
    hub->payload_kept_ms = DAY;
    hub->entry_kept_ms = 60 * DAY;
    hub_crash(hub);
    hub_region(hub);
    enter(hub, ENTRIES);
    return hub;
}

static const char *in(const char *directory, const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

static bool there(const struct hub *hub, const char *name)
{
    return access(in(hub->tlog, name), F_OK) == 0;
}

static uint64_t first_kept(struct hub *hub)
{
    uint64_t place = hub_ask(hub, "{\"exportLog\": {\"fromPlace\": 1, \"max\": 1}}")->export_log->entries[0]->place;
    hub_clear(hub);
    return place;
}

static const Carehub__V1__Answer *prove(struct hub *hub, uint64_t place)
{
    char question[64];
    snprintf(question, sizeof question, "{\"prove\": {\"place\": %llu}}", (unsigned long long)place);
    return hub_ask(hub, question);
}

static void assert_receipt(struct hub *hub, uint64_t place)
{
    const Carehub__V1__ProveAnswer *proved = prove(hub, place)->prove;
    struct vkey key;
    struct checkpoint checkpoint;
    assert_non_null(proved);
    struct receipt receipt = {.entry_salt = proved->salt.data,
                              .entry = proved->entry.data,
                              .entry_size = proved->entry.len,
                              .content = proved->content.data};
    assert_true(vkey_parse(proved->key, &key));
    assert_true(tlog_proof_parse(proved->proof, strlen(proved->proof), &receipt.proof));
    assert_int_equal(receipt_check(&receipt, &key, &checkpoint), RECEIPT_GOOD);
    hub_clear(hub);
}

/* The log is signed, sound, and holds what the hub has; and so it is after a crash, and when it has grown. */
static void assert_goes_on(struct hub *hub, const char *directory)
{
    for (int round = 0; round < 2; round++) {
        struct checkpoint checkpoint;
        enter(hub, 300);
        assert_string_equal(tlog_status(hub)->not_signing, "");
        tlog_assert_sound(directory);
        tlog_assert_leaves(hub, directory);
        assert_true(tlog_checkpoint(directory, &checkpoint) && checkpoint.size + 1 >= tlog_status(hub)->last_place);
        const Carehub__V1__VerifyAnswer *said = tlog_verified(hub);
        assert_true(said->agrees);
        assert_int_equal(said->wrong, 0);
        assert_int_equal(said->checked, said->total);
        assert_int_equal(said->minimum, tile_first_entry(tlog_minimum(directory)));
        uint64_t pruned = said->pruned;
        assert_true(pruned >= first_kept(hub) - 1);
        assert_receipt(hub, first_kept(hub));
        hub_crash(hub);
        tlog_pass(hub, 3000);
    }
}

/* ---- Pruning ---------------------------------------------------------------------------------------------------- */

static void files_go_with_their_entries(void **state)
{
    struct hub *hub = aged(state, true);
    assert_true(there(hub, "tile/0/000") && there(hub, "tile/entries/000"));
    pass_days(hub, 90);
    uint64_t minimum = tlog_minimum(hub->tlog);
    assert_in_range(first_kept(hub), ENTRIES - END_KEPT - 100, ENTRIES - END_KEPT + 100);
    assert_int_equal(minimum, tile_first_entry(first_kept(hub) - 1));
    assert_false(there(hub, "tile/0/000") || there(hub, "tile/entries/000") || there(hub, "tile/entries/004"));
    assert_true(there(hub, "tile/0/005") && there(hub, "tile/entries/005"));
    assert_goes_on(hub, hub->tlog);
    assert_non_null(strstr(prove(hub, 17)->error->text, "was pruned"));
    assert_non_null(strstr(prove(hub, minimum + 1)->error->text, "too old to be kept: "));
}

static void files_stay_unless_told_otherwise(void **state)
{
    struct hub *hub = aged(state, false);
    pass_days(hub, 90);
    assert_true(first_kept(hub) > 1000);
    assert_true(there(hub, "tile/0/000") && there(hub, "tile/entries/000"));
    assert_false(there(hub, MINIMUM_FILE));
    assert_goes_on(hub, hub->tlog);
}

static void files_of_what_somebody_waits_for_stay(void **state)
{
    struct hub *hub = *state;
    snprintf(hub->tlog, sizeof hub->tlog, "%s/log", hub->directory);
    hub->prune_tiles = true;
    hub->payload_kept_ms = DAY;
    hub->entry_kept_ms = 60 * DAY;
    hub_crash(hub);
    hub_region(hub);
    enter(hub, 600);
    hub_fact_good(hub, "{\"inboxSet\":{\"name\":\"apo\",\"actor\":\"apo\",\"types\":[\"*\"],\"timeToLiveMs\":"
                       "\"31536000000\"}}");
    uint64_t place = hub_publish(hub, HOSPITAL, 1, DISCHARGE)->place;
    enter(hub, ENTRIES - 600);
    pass_days(hub, 90);
    assert_int_equal(first_kept(hub), place);
    assert_int_equal(tlog_minimum(hub->tlog), tile_first_entry(place - 1));
    assert_receipt(hub, place);
    assert_goes_on(hub, hub->tlog);
}

static void a_witness_that_is_behind_is_waited_for(void **state)
{
    struct hub *hub = *state;
    hub->witness =
        (struct core_witness){"w.example+e4044fdc+BAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g", "http://w.example"};
    aged(state, true);
    pass_days(hub, 90);
    assert_true(first_kept(hub) > 1000);
    assert_int_equal(tlog_minimum(hub->tlog), 0);
    assert_true(there(hub, "tile/0/000"));
    tlog_assert_sound(hub->tlog);
}

static void what_a_crash_left_of_pruned_files_goes(void **state)
{
    struct hub *hub = aged(state, true);
    pass_days(hub, 90);
    tlog_copy_file(in(hub->tlog, "tile/entries/006"), "/dev/null");
    for (int i = 0; i < 3; i++) {
        char name[64], path[256];
        snprintf(name, sizeof name, "tile/entries/%03d", 2 * i);
        snprintf(path, sizeof path, "%s", in(hub->tlog, name));
        tlog_copy_file(in(hub->tlog, "tile/entries/006"), path);
    }
    hub_crash(hub);
    tlog_pass(hub, 3000);
    assert_false(there(hub, "tile/entries/000") || there(hub, "tile/entries/002") || there(hub, "tile/entries/004"));
    assert_goes_on(hub, hub->tlog);
}

/* The leaves of what retention has removed are in the bundles alone; in a pruned log there are not even these. */
static void what_is_damaged_is_written_anew_where_entries_are_no_longer_kept(void **state)
{
    for (int prune = 0; prune < 2; prune++) {
        char name[TILE_PATH_BYTES];
        struct hub *hub = aged(state, prune);
        pass_days(hub, 90);
        uint64_t index = prune ? tlog_minimum(hub->tlog) / TILE_WIDTH : 0;
        tile_path(&(struct tile){0, index, TILE_WIDTH}, name);
        assert_int_equal(unlink(in(hub->tlog, name)), 0);
        assert_int_equal(tlog_verified(hub)->wrong_files, 1);
        tlog_pass(hub, 3000);
        assert_int_equal(tlog_status(hub)->mended_files, 1);
        assert_goes_on(hub, hub->tlog);
        hub_teardown(state);
        hub_setup(state);
    }
}

/* Who takes files away is not the hub, and cannot call it pruning. */
static void a_minimum_index_that_others_signed_is_none(void **state)
{
    struct hub *hub = aged(state, true);
    pass_days(hub, 90);
    uint64_t minimum = tlog_minimum(hub->tlog);
    char note[600], text[4096] = "";
    snprintf(note, sizeof note, "%s", in(hub->tlog, MINIMUM_FILE));
    FILE *file = fopen(note, "r+");
    assert_true(fread(text, 1, sizeof text - 1, file) > 0);
    char *digit = strchr(strchr(text, '\n') + 1, '\n') + 1;
    *digit = *digit == '9' ? '1' : (char)(*digit + 1); /* 1,300 is 2,300 now */
    rewind(file);
    fputs(text, file);
    fclose(file);
    hub_crash(hub);
    tlog_pass(hub, 2000);
    assert_int_equal(hub_ask(hub, "{\"checkpoint\": {}}")->checkpoint->minimum[0], '\0');
    hub_clear(hub);
    pass_days(hub, 1); /* the hub says it again as it is */
    assert_int_equal(tlog_minimum(hub->tlog), minimum);
    assert_goes_on(hub, hub->tlog);
}

/* ---- A new log -------------------------------------------------------------------------------------------------- */

static const char *generation(const struct hub *hub, int number)
{
    static char path[2][160];
    snprintf(path[number % 2], sizeof path[0], "%s/%d", hub->tlog, number);
    return path[number % 2];
}

/* An older database is put back, and the hub is told why. */
static void lose_and_resume(struct hub *hub)
{
    tlog_keep_database(hub, false);
    tlog_start(hub);
    enter(hub, 10);
    tlog_keep_database(hub, true);
    tlog_start(hub);
    tlog_pass(hub, 3000);
    assert_string_not_equal(tlog_status(hub)->not_signing, "");
    hub_fact_good(hub, "{\"logResumed\": {\"reason\": \"backup put back\"}}");
    tlog_pass(hub, 3000);
}

static void a_new_log_has_the_leaves_of_entries_that_are_no_longer_kept(void **state)
{
    struct hub *hub = aged(state, false);
    uint8_t first[2][TILE_WIDTH][LEAF_DATA_BYTES];
    pass_days(hub, 90);
    for (int number = 2; number < 4; number++) {
        lose_and_resume(hub);
        assert_goes_on(hub, generation(hub, number));
        struct tile_source old = tile_source_directory(hub->tlog), new = tile_source_directory(generation(hub, number));
        assert_int_equal(tile_leaves(&old, 0, ENTRIES, TILE_WIDTH, first[0]), TILE_WIDTH);
        assert_int_equal(tile_leaves(&new, 0, ENTRIES, TILE_WIDTH, first[1]), TILE_WIDTH);
        assert_memory_equal(first[0], first[1], sizeof first[0]);
    }
}

static void a_new_log_begins_with_the_tree_of_the_pruned_one(void **state)
{
    struct hub *hub = aged(state, true);
    struct checkpoint old, new;
    pass_days(hub, 90);
    for (int number = 2; number < 4; number++) {
        assert_true(tlog_checkpoint(number == 2 ? hub->tlog : generation(hub, number - 1), &old));
        uint64_t minimum = tlog_minimum(number == 2 ? hub->tlog : generation(hub, number - 1));
        lose_and_resume(hub);
        assert_int_equal(tlog_minimum(generation(hub, number)), minimum);
        assert_goes_on(hub, generation(hub, number));
        /* Up to where the two are one, their trees are the same. */
        struct tile_nodes *nodes = malloc(sizeof *nodes);
        struct merkle_hash root;
        assert_true(tlog_checkpoint(generation(hub, number), &new));
        tile_nodes_init(nodes, tile_source_directory(generation(hub, number)), new.size);
        struct merkle_source source = tile_nodes_source(nodes);
        assert_true(merkle_root(&source, old.size, &root));
        assert_memory_equal(&root, &old.root, sizeof root);
        free(nodes);
    }
    enter(hub, 1000);
    pass_days(hub, 90); /* and it is pruned in its turn */
    assert_int_equal(tlog_minimum(generation(hub, 3)), tile_first_entry(first_kept(hub) - 1));
    assert_goes_on(hub, generation(hub, 3));
}

/* With the directory, the leaves of what is no longer kept are lost as well: zeros stand for them. */
static void a_new_log_goes_on_when_the_old_one_is_lost(void **state)
{
    static const uint8_t zeros[LEAF_DATA_BYTES];
    struct hub *hub = aged(state, true);
    uint8_t leaf[1][LEAF_DATA_BYTES];
    char aside[160];
    pass_days(hub, 90);
    core_close(&hub->core);
    snprintf(aside, sizeof aside, "%s/lost", hub->directory);
    assert_int_equal(rename(hub->tlog, aside), 0);
    tlog_start(hub);
    tlog_pass(hub, 3000);
    assert_non_null(strstr(tlog_status(hub)->not_signing, "noted a checkpoint"));
    hub_fact_good(hub, "{\"logResumed\": {\"reason\": \"the disk with the audit log is lost\"}}");
    tlog_pass(hub, 3000);
    struct tile_source source = tile_source_directory(generation(hub, 2));
    assert_int_equal(tile_leaves(&source, 0, ENTRIES, 1, leaf), 1);
    assert_memory_equal(leaf[0], zeros, sizeof zeros);
    enter(hub, 1); /* and so that it is not taken for one that is lost again */
    assert_string_equal(tlog_status(hub)->not_signing, "");
    tlog_assert_sound(generation(hub, 2));
    tlog_assert_leaves(hub, generation(hub, 2));
    pass_days(hub, 1);
    assert_goes_on(hub, generation(hub, 2));
}

/* Zeros stand for what retention has removed, and for nothing else. */
static void an_entry_that_is_missing_is_not_taken_for_pruned(void **state)
{
    struct hub *hub = aged(state, true);
    char command[400];
    sqlite3 *database;
    pass_days(hub, 90);
    uint64_t kept = first_kept(hub);
    core_close(&hub->core);
    snprintf(command, sizeof command, "DELETE FROM entry WHERE place = %llu", (unsigned long long)kept + 20);
    assert_int_equal(sqlite3_open(hub->database, &database), SQLITE_OK);
    assert_int_equal(sqlite3_exec(database, command, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(database);
    snprintf(command, sizeof command, "%s/lost", hub->directory);
    assert_int_equal(rename(hub->tlog, command), 0);
    hub->damaged = true;
    tlog_start(hub);
    tlog_pass(hub, 3000);
    hub_fact_good(hub, "{\"logResumed\": {\"reason\": \"the disk with the audit log is lost\"}}");
    tlog_pass(hub, 3000);
    snprintf(command, sizeof command, "entry #%llu is in neither", (unsigned long long)kept + 20);
    assert_non_null(strstr(tlog_status(hub)->not_signing, command));
}

/* ---- Over the wire ---------------------------------------------------------------------------------------------- */

static void an_older_log_is_read_over_the_wire(void **state)
{
    struct hub *hub = aged(state, true);
    struct checkpoint old, said;
    struct note note;
    pass_days(hub, 90);
    lose_and_resume(hub);
    assert_true(tlog_checkpoint(hub->tlog, &old));
    const Carehub__V1__CheckpointAnswer *answer = hub_ask(hub, "{\"checkpoint\": {\"generation\": 1}}")->checkpoint;
    assert_true(checkpoint_note_parse(answer->checkpoint, strlen(answer->checkpoint), &note, &said));
    assert_memory_equal(&said, &old, sizeof old);
    assert_int_equal(answer->generation, 1);
    assert_string_not_equal(answer->minimum, "");
    const Carehub__V1__TilesAnswer *tiles =
        hub_ask(hub, "{\"tiles\": {\"generation\": 1, \"tiles\": [{\"level\": -1, \"index\": 7, \"width\": 256},"
                     "{\"level\": -1, \"index\": 1, \"width\": 256}]}}")
            ->tiles;
    assert_int_equal(tiles->tiles[0].len, TILE_MAX_BYTES);
    assert_int_equal(tiles->tiles[1].len, 0); /* pruned */
    assert_int_equal(hub_ask(hub, "{\"checkpoint\": {}}")->checkpoint->generation, 2);
    assert_non_null(hub_ask(hub, "{\"checkpoint\": {\"generation\": 3}}")->error);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, hub_setup, hub_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(files_go_with_their_entries),
        TEST(files_stay_unless_told_otherwise),
        TEST(files_of_what_somebody_waits_for_stay),
        TEST(a_witness_that_is_behind_is_waited_for),
        TEST(what_a_crash_left_of_pruned_files_goes),
        TEST(what_is_damaged_is_written_anew_where_entries_are_no_longer_kept),
        TEST(a_minimum_index_that_others_signed_is_none),
        TEST(a_new_log_has_the_leaves_of_entries_that_are_no_longer_kept),
        TEST(a_new_log_begins_with_the_tree_of_the_pruned_one),
        TEST(a_new_log_goes_on_when_the_old_one_is_lost),
        TEST(an_entry_that_is_missing_is_not_taken_for_pruned),
        TEST(an_older_log_is_read_over_the_wire),
    };
    return cmocka_run_group_tests_name("tlog_prune", tests, NULL, NULL);
}
