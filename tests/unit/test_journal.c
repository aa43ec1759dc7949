// What the adapter host remembers.
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

#include <sodium.h>

#include "eventid.h"
#include "journal_internal.h"

#define NOW_MS INT64_C(1772400000000)
#define DAY_MS INT64_C(86400000)
#define SECRET "Voorbeeld-71-GERIATRIE"

static char dir[64];

static int make_dir(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/test_journal.XXXXXX");
    return mkdtemp(dir) == NULL;
}

static int remove_dir(void **state)
{
    static const char *const names[] = {"journal.db", "journal.db-wal", "journal.db-shm", "journal.key",
                                        "adapter.lock"};
    char path[128];
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    return rmdir(dir);
}

static struct journal *open_journal(bool exclusive)
{
    char error[JOURNAL_ERROR_BYTES];
    struct journal *journal = journal_open(dir, exclusive, error);
    if (journal == NULL)
        fail_msg("%s", error);
    return journal;
}

// A message that came in, and one event that was made of it; ids are their first byte, 0 is none.
struct made {
    struct carehub_native native;
    struct carehub_message message;
    struct items items;
};

static ProtobufCBinaryData bytes16(uint8_t id, uint8_t room[EVENTID_BYTES])
{
    memset(room, 0, EVENTID_BYTES);
    room[0] = id;
    return (ProtobufCBinaryData){id != 0 ? EVENTID_BYTES : 0, room};
}

static void make(struct made *m, uint8_t key, uint8_t digest, uint8_t id, uint8_t amends, uint8_t retracts)
{
    uint8_t rooms[3][EVENTID_BYTES];
    Carehub__V1__Event event = CAREHUB__V1__EVENT__INIT;
    *m = (struct made){.native = {.bytes = SECRET,
                                  .len = strlen(SECRET),
                                  .received_ms = NOW_MS,
                                  .transport = "http",
                                  .peer = "tablet-7",
                                  .name = "fhir/Observation",
                                  .method = "POST",
                                  .content_type = "application/json",
                                  .idempotency_key = ""},
                       .message = {.sender = "az-test", .why = "unidentified"}};
    snprintf(m->message.native_id, sizeof m->message.native_id, "M%u", key);
    m->message.key[0] = key;
    m->message.digest[0] = digest;
    event.id = bytes16(id, rooms[0]);
    event.amends = bytes16(amends, rooms[1]);
    event.retracts = bytes16(retracts, rooms[2]);
    event.correlation_id = SECRET;
    size_t len = carehub__v1__event__get_packed_size(&event);
    uint8_t *bytes = malloc(len);
    carehub__v1__event__pack(&event, bytes);
    assert_true(items_add(&m->items, false, rooms[0],
                          amends     ? rooms[1]
                          : retracts ? rooms[2]
                                     : rooms[0],
                          bytes, len, "az-test:V1"));
}

static void add(struct journal *journal, uint8_t key, uint8_t id, uint8_t amends, uint8_t retracts)
{
    struct made m;
    make(&m, key, 1, id, amends, retracts);
    assert_true(journal_begin(journal) && journal_add(journal, &m.message, &m.items, NOW_MS) &&
                journal_commit(journal));
    items_clear(&m.items);
}

static enum journal_found recall(struct journal *journal, uint8_t key, uint8_t digest, size_t *events)
{
    struct carehub_message message = {.key = {key}, .digest = {digest}};
    struct items items = {0};
    enum journal_found found = journal_recall(journal, &message, &items);
    *events = items.count;
    items_clear(&items);
    return found;
}

static void a_message_is_recognised_after_a_restart(void **state)
{
    (void)state;
    size_t events;
    struct journal *journal = open_journal(true);
    assert_int_equal(recall(journal, 1, 1, &events), JOURNAL_NEW);
    add(journal, 1, 11, 0, 0);
    journal_close(&journal);
    journal = open_journal(true);
    assert_int_equal(recall(journal, 1, 1, &events), JOURNAL_REPEAT);
    assert_int_equal(events, 1);
    assert_int_equal(recall(journal, 1, 2, &events), JOURNAL_REUSED);
    assert_int_equal(events, 0);
    assert_int_equal(recall(journal, 2, 1, &events), JOURNAL_NEW);
    journal_close(&journal);
}

static void expect_past(struct journal *journal, const char *ids)
{
    struct journal_past past;
    char found[CAREHUB_PAST_MAX + 1] = "";
    assert_true(journal_past(journal, "az-test:V1", &past));
    for (size_t i = 0; i < past.count; i++) {
        found[i] = (char)past.events[i]->id.data[0];
        assert_int_equal(past.events[i]->amends.len, 0);
    }
    journal_past_clear(&past);
    assert_string_equal(found, ids);
}

static void the_past_of_an_episode_is_what_is_in_force(void **state)
{
    (void)state;
    struct journal *journal = open_journal(true);
    expect_past(journal, "");
    add(journal, 1, 'a', 0, 0); // admitted
    add(journal, 2, 'd', 0, 0); // discharged
    add(journal, 3, 'x', 'a', 0);
    add(journal, 4, 'y', 'a', 0); // the admission was amended, twice; it keeps its place
    expect_past(journal, "ad");
    add(journal, 5, 'r', 0, 'd'); // the discharge never was
    expect_past(journal, "a");
    add(journal, 6, 'e', 0, 0);
    expect_past(journal, "ae");
    uint8_t refused[EVENTID_BYTES] = {'r'}; // the hub did not take the retraction
    assert_true(journal_forget(journal, refused));
    expect_past(journal, "ade");
    journal_close(&journal);
}

static void what_was_rolled_back_or_is_too_old_is_forgotten(void **state)
{
    (void)state;
    size_t events;
    int held;
    struct journal *journal = open_journal(true);
    struct made m;
    make(&m, 9, 1, 99, 0, 0);
    assert_true(journal_begin(journal) && journal_add(journal, &m.message, &m.items, NOW_MS));
    journal_rollback(journal);
    items_clear(&m.items);
    assert_int_equal(recall(journal, 9, 1, &events), JOURNAL_NEW);
    add(journal, 8, 88, 0, 0);
    assert_int_equal(journal_prune(journal, NOW_MS, &held), 0);
    assert_int_equal(journal_prune(journal, NOW_MS + 1, &held), 1);
    assert_int_equal(recall(journal, 8, 1, &events), JOURNAL_NEW);
    journal_close(&journal);
}

static void held_messages_wait_until_they_are_to_be_tried_again(void **state)
{
    (void)state;
    struct journal *journal = open_journal(true);
    struct made m;
    struct journal_held held = {0};
    make(&m, 1, 1, 1, 0, 0);
    assert_true(journal_hold(journal, &m.message, &m.native));
    assert_true(journal_hold(journal, &m.message, &m.native)); // again: held once
    items_clear(&m.items);
    assert_int_equal(journal_held_count(journal), 1);
    assert_true(journal_held_next(journal, 0, &held));
    assert_string_equal(held.native_id, "M1");
    assert_false(journal_held_due(journal, &held));
    assert_int_equal(journal_retry_held(journal), 1);
    assert_true(journal_held_due(journal, &held)); // as it came, in all that a format is told
    assert_int_equal(held.native.len, strlen(SECRET));
    assert_memory_equal(held.native.bytes, SECRET, held.native.len);
    assert_string_equal(held.native.transport, "http");
    assert_string_equal(held.native.peer, "tablet-7");
    assert_string_equal(held.native.name, "fhir/Observation");
    assert_string_equal(held.native.content_type, "application/json");
    assert_string_equal(held.native.idempotency_key, "");
    free(held.own);
    assert_true(journal_held_waits(journal, held.number));
    assert_false(journal_held_due(journal, &held));
    assert_true(journal_held_done(journal, held.number));
    assert_int_equal(journal_held_count(journal), 0);
    journal_close(&journal);
}

// ---- States

static void expect_state(struct journal *journal, const char *expected)
{
    void *bytes;
    size_t len;
    assert_true(journal_state_load(journal, "scheme", &bytes, &len));
    assert_int_equal(bytes != NULL, expected != NULL);
    if (expected != NULL)
        assert_true(len == strlen(expected) && memcmp(bytes, expected, len) == 0);
    free(bytes);
}

// A message with one event, and a state that goes with it.
static void add_with_state(struct journal *journal, uint8_t key, uint8_t id, const char *text)
{
    struct made m;
    make(&m, key, 1, id, 0, 0);
    assert_true(journal_begin(journal) && journal_add(journal, &m.message, &m.items, NOW_MS) &&
                journal_state_store(journal, &m.message, "scheme", text, strlen(text), NOW_MS) &&
                journal_commit(journal));
    items_clear(&m.items);
}

static void a_state_is_kept_and_goes_back_when_its_events_are_refused(void **state)
{
    (void)state;
    const uint8_t first[EVENTID_BYTES] = {1}, second[EVENTID_BYTES] = {2}, third[EVENTID_BYTES] = {3};
    int held;
    struct journal *journal = open_journal(true);
    expect_state(journal, NULL);
    add_with_state(journal, 1, 1, SECRET);
    journal_close(&journal);
    journal = open_journal(true);
    expect_state(journal, SECRET);
    add_with_state(journal, 2, 2, "two");
    add_with_state(journal, 3, 3, "three");
    assert_true(journal_forget(journal, second)); // what came after it stays
    expect_state(journal, "three");
    assert_true(journal_forget(journal, third));
    expect_state(journal, "two");
    add_with_state(journal, 4, 4, "four");
    assert_true(journal_forget(journal, first));
    expect_state(journal, "four");
    assert_int_equal(journal_prune(journal, NOW_MS + 1, &held), 2);
    expect_state(journal, NULL);
    add_with_state(journal, 5, 3, "five");
    assert_true(journal_forget(journal, third)); // the only one there ever was
    expect_state(journal, NULL);
    journal_close(&journal);
}

// ---- What is old

static void a_state_that_is_looked_at_is_not_old(void **state)
{
    (void)state;
    int held;
    struct journal *journal = open_journal(true);
    add_with_state(journal, 1, 1, "one");
    assert_true(journal_state_seen(journal, "scheme", NOW_MS + 50 * DAY_MS));
    assert_true(journal_state_seen(journal, "other", NOW_MS + 50 * DAY_MS));  // there is none
    assert_int_equal(journal_prune(journal, NOW_MS + 40 * DAY_MS, &held), 1); // the event
    expect_state(journal, "one");
    assert_int_equal(journal_prune(journal, NOW_MS + 51 * DAY_MS, &held), 1);
    expect_state(journal, NULL);
    journal_close(&journal);
}

static void a_clock_that_jumps_ahead_makes_nothing_old(void **state)
{
    (void)state;
    enum { HOUR_MS = 3600 * 1000 };
    const int64_t year_ms = 365 * DAY_MS;
    struct journal *journal = open_journal(true);
    assert_int_equal(journal_time(journal, NOW_MS, 1), NOW_MS);
    assert_int_equal(journal_time(journal, NOW_MS + HOUR_MS, 1 + HOUR_MS), NOW_MS + HOUR_MS);
    // Ahead by ten years, for two hours: two days at most.
    assert_int_equal(journal_time(journal, NOW_MS + 10 * year_ms, 1 + 3 * HOUR_MS), NOW_MS + HOUR_MS + 2 * DAY_MS);
    for (int i = 0; i < 100; i++) { // nor by ever so many restarts
        journal_close(&journal);
        journal = open_journal(true);
        assert_int_equal(journal_time(journal, NOW_MS + 10 * year_ms, 5), NOW_MS + HOUR_MS + 2 * DAY_MS);
    }
    // It was put right; and set back.
    assert_int_equal(journal_time(journal, NOW_MS + 4 * HOUR_MS, 5 + HOUR_MS), NOW_MS + 4 * HOUR_MS);
    assert_int_equal(journal_time(journal, NOW_MS - year_ms, 5 + HOUR_MS), NOW_MS - year_ms);
    // An adapter that was off for long catches up, a day in an hour.
    assert_int_equal(journal_time(journal, NOW_MS, 5 + 2 * HOUR_MS), NOW_MS - year_ms + DAY_MS);
    journal_close(&journal);
}

static void without_a_time_of_its_own_a_journal_goes_by_its_newest_entry(void **state)
{
    (void)state;
    struct journal *journal = open_journal(true);
    add(journal, 1, 11, 0, 0); // of NOW_MS, as an earlier version has left it
    assert_int_equal(journal_time(journal, NOW_MS + 1000 * DAY_MS, 1), NOW_MS);
    journal_close(&journal);
    journal = open_journal(true);
    assert_int_equal(sqlite3_exec(journal->db, "UPDATE believed SET time_ms = 60000", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(journal_time(journal, NOW_MS, 1), NOW_MS); // a clock that had not been set
    journal_close(&journal);
}

static void held_messages_are_bounded_in_bytes_and_in_time(void **state)
{
    (void)state;
    struct journal *journal = open_journal(true);
    struct made first, second;
    int held;
    make(&first, 1, 1, 1, 0, 0);
    make(&second, 2, 1, 2, 0, 0);
    assert_true(journal_hold(journal, &first.message, &first.native));
    const int64_t each = journal->held_bytes;
    assert_true(each >= (int64_t)strlen(SECRET));
    journal->held_bytes = JOURNAL_HELD_MAX_BYTES - each + 1; // as if more were
    assert_false(journal_hold(journal, &second.message, &second.native));
    assert_non_null(strstr(journal_error(journal), "512 MiB"));
    assert_non_null(strstr(journal_error(journal), "--list-held"));
    journal_close(&journal);
    journal = open_journal(true); // it is counted
    assert_true(journal_hold(journal, &second.message, &second.native));
    assert_true(journal->held_count == 2 && journal->held_bytes >= 2 * each);
    assert_int_equal(journal_prune(journal, NOW_MS + 1, &held), 2);
    assert_int_equal(held, 2);
    assert_true(journal_hold(journal, &second.message, &second.native));
    assert_int_equal(journal->held_count, 1);
    items_clear(&first.items);
    items_clear(&second.items);
    journal_close(&journal);
}

// ---- Facts, what was sent, numbers

static void facts_are_recalled_with_the_events_that_they_came_with(void **state)
{
    (void)state;
    struct journal *journal = open_journal(true);
    const uint8_t id[EVENTID_BYTES] = {7};
    struct made m;
    struct items items = {0};
    make(&m, 1, 1, 1, 0, 0);
    assert_true(items_add(&m.items, true, id, id, (uint8_t *)strdup("fact"), 4, NULL));
    assert_true(journal_add(journal, &m.message, &m.items, NOW_MS));
    assert_int_equal(journal_recall(journal, &m.message, &items), JOURNAL_REPEAT);
    assert_int_equal(items.count, 2);
    assert_int_equal(items.n_facts, 1);
    assert_memory_equal(items.list[0]->bytes, m.items.list[0]->bytes, m.items.list[0]->len);
    assert_true(items.list[1]->is_fact && items.list[1]->len == 4);
    assert_memory_equal(items.list[1]->bytes, "fact", 4);
    items_clear(&items);
    items_clear(&m.items);
    journal_close(&journal);
}

static void what_was_sent_is_found_by_outlet_and_event(void **state)
{
    (void)state;
    const uint8_t id[EVENTID_BYTES] = {1}, other[EVENTID_BYTES] = {2};
    void *bytes;
    size_t len;
    int held;
    struct journal *journal = open_journal(true);
    assert_true(journal_sent_put(journal, "north", id, "one", 3, NOW_MS));
    assert_true(journal_sent_put(journal, "north", id, SECRET, strlen(SECRET), NOW_MS));
    assert_true(journal_sent_get(journal, "north", id, &bytes, &len));
    assert_int_equal(len, strlen(SECRET));
    assert_memory_equal(bytes, SECRET, len);
    free(bytes);
    assert_true(journal_sent_get(journal, "south", id, &bytes, &len) && bytes == NULL);
    assert_true(journal_sent_get(journal, "north", other, &bytes, &len) && bytes == NULL);
    assert_int_equal(journal_prune(journal, NOW_MS + 1, &held), 1);
    assert_true(journal_sent_get(journal, "north", id, &bytes, &len) && bytes == NULL);
    journal_close(&journal);
}

static void numbers_never_come_again(void **state)
{
    (void)state;
    uint64_t last = 0;
    for (int start = 0; start < 4; start++) {
        struct journal *journal = open_journal(true);
        for (int i = 0; i < 200000; i++) {
            uint64_t number = journal_number(journal, NOW_MS - start * 1000); // the clock goes back, too
            assert_true(number > last);
            last = number;
        }
        journal_close(&journal);
    }
}

// ---- What an earlier version wrote

static void execute(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s", sqlite3_errmsg(db));
}

static void what_version_1_kept_is_still_there(void **state)
{
    (void)state;
    char path[128], key[128], error[JOURNAL_ERROR_BYTES], sql[4096], hex[512];
    uint8_t name[SEAL_NAME_BYTES] = {5}, sealed[64];
    struct journal_held held = {0};
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/journal.db", dir);
    snprintf(key, sizeof key, "%s/journal.key", dir);
    struct seal *seal = seal_new(key, true, error, sizeof error);
    assert_non_null(seal);
    seal_put(seal, "held", name, "old", 3, sealed);
    seal_destroy(&seal);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    execute(db, journal_schema[0]);
    sodium_bin2hex(hex, sizeof hex, sealed, 3 + SEAL_OVERHEAD_BYTES);
    snprintf(sql, sizeof sql,
             "INSERT INTO held (message, sender, native_id, why, received_ms, due, sealed)"
             " VALUES (x'05%062d', 'az-test', 'M1', 'unidentified', 1, 1, x'%s'); PRAGMA user_version = 1;",
             0, hex);
    execute(db, sql);
    sqlite3_close(db);

    struct journal *journal = open_journal(true);
    assert_true(journal_held_due(journal, &held));
    assert_int_equal(held.native.len, 3);
    assert_memory_equal(held.native.bytes, "old", 3);
    assert_string_equal(held.native.transport, "");
    assert_string_equal(held.native.idempotency_key, "");
    free(held.own);
    add_with_state(journal, 1, 1, "new");
    expect_state(journal, "new");
    journal_close(&journal);

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    execute(db, "PRAGMA user_version = 5;");
    sqlite3_close(db);
    assert_null(journal_open(dir, true, error));
    assert_non_null(strstr(error, "version 5"));
}

// ---- Secrecy

static bool file_contains(const char *name, const char *text)
{
    static char bytes[1 << 20];
    char path[128];
    struct stat info;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    assert_int_equal(fstat(fileno(file), &info), 0);
    assert_int_equal(info.st_mode & 077, 0);
    size_t len = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    return memmem(bytes, len, text, strlen(text)) != NULL;
}

static void nothing_of_a_person_can_be_read_from_the_files(void **state)
{
    (void)state;
    struct journal *journal = open_journal(true);
    struct made m;
    make(&m, 1, 1, 1, 0, 0);
    add_with_state(journal, 2, 2, SECRET);
    assert_true(journal_hold(journal, &m.message, &m.native));
    assert_true(journal_sent_put(journal, "north", m.items.list[0]->id, SECRET, strlen(SECRET), NOW_MS));
    items_clear(&m.items);
    assert_false(file_contains("journal.db", SECRET) || file_contains("journal.db-wal", SECRET));
    assert_false(file_contains("journal.db", "az-test:V1") || file_contains("journal.db-wal", "az-test:V1"));
    assert_true(file_contains("journal.db-wal", "az-test")); // the search works: the sender's name is in clear
    journal_close(&journal);
}

static void who_only_looks_makes_nothing(void **state)
{
    (void)state;
    char error[JOURNAL_ERROR_BYTES];
    assert_null(journal_open(dir, false, error));
    assert_non_null(strstr(error, "no adapter has run"));
    assert_false(file_contains("journal.db", "") || file_contains("journal.key", ""));
}

static void another_key_or_another_process_is_refused(void **state)
{
    (void)state;
    char error[JOURNAL_ERROR_BYTES], path[128];
    struct journal *journal = open_journal(true);
    assert_null(journal_open(dir, true, error));
    assert_non_null(strstr(error, "another adapter"));
    struct journal *second = open_journal(false); // looking at what is held is allowed
    journal_close(&second);
    add(journal, 1, 1, 0, 0);
    journal_close(&journal);
    snprintf(path, sizeof path, "%s/journal.key", dir);
    assert_int_equal(unlink(path), 0);
    assert_null(journal_open(dir, true, error));
    assert_non_null(strstr(error, "journal.key"));
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(dprintf(fd, "%064d\n", 7), 65);
    close(fd);
    journal = open_journal(true);
    size_t events;
    assert_int_equal(recall(journal, 1, 1, &events), JOURNAL_NEW); // names cannot be found, so nothing is mistaken
    journal_close(&journal);
}

int main(void)
{
    umask(077);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_message_is_recognised_after_a_restart, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(the_past_of_an_episode_is_what_is_in_force, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(what_was_rolled_back_or_is_too_old_is_forgotten, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(held_messages_wait_until_they_are_to_be_tried_again, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(a_state_is_kept_and_goes_back_when_its_events_are_refused, make_dir,
                                        remove_dir),
        cmocka_unit_test_setup_teardown(a_state_that_is_looked_at_is_not_old, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(a_clock_that_jumps_ahead_makes_nothing_old, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(without_a_time_of_its_own_a_journal_goes_by_its_newest_entry, make_dir,
                                        remove_dir),
        cmocka_unit_test_setup_teardown(held_messages_are_bounded_in_bytes_and_in_time, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(facts_are_recalled_with_the_events_that_they_came_with, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(what_was_sent_is_found_by_outlet_and_event, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(numbers_never_come_again, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(what_version_1_kept_is_still_there, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(nothing_of_a_person_can_be_read_from_the_files, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(who_only_looks_makes_nothing, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(another_key_or_another_process_is_refused, make_dir, remove_dir),
    };
    return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
