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

#include "eventid.h"
#include "journal.h"

#define NOW_MS INT64_C(1772400000000)
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

static ProtobufCBinaryData bytes16(uint8_t id)
{
    ProtobufCBinaryData data = {EVENTID_BYTES, calloc(1, EVENTID_BYTES)};
    data.data[0] = id;
    return data;
}

// A message of key and digest with one event; 0 is none.
static struct format_message make(uint8_t key, uint8_t digest, uint8_t id, uint8_t amends, uint8_t retracts)
{
    struct format_message m = {.sender = "az-test", .why = "unidentified", .episode = "az-test:V1", .n_events = 1};
    Carehub__V1__Event *event = m.events[0] = malloc(sizeof *event);
    snprintf(m.native_id, sizeof m.native_id, "M%u", key);
    m.key[0] = key;
    m.digest[0] = digest;
    carehub__v1__event__init(event);
    event->id = bytes16(id);
    if (amends != 0)
        event->amends = bytes16(amends);
    if (retracts != 0)
        event->retracts = bytes16(retracts);
    event->correlation_id = strdup(SECRET);
    return m;
}

static void clear(struct format_message *m)
{
    while (m->n_events > 0)
        carehub__v1__event__free_unpacked(m->events[--m->n_events], NULL);
}

static void add(struct journal *journal, uint8_t key, uint8_t id, uint8_t amends, uint8_t retracts)
{
    struct format_message m = make(key, 1, id, amends, retracts);
    assert_true(journal_begin(journal) && journal_add(journal, &m, NOW_MS) && journal_commit(journal));
    clear(&m);
}

static enum journal_found recall(struct journal *journal, uint8_t key, uint8_t digest, size_t *events)
{
    struct format_message m = {.sender = ""};
    m.key[0] = key;
    m.digest[0] = digest;
    enum journal_found found = journal_recall(journal, &m);
    *events = m.n_events;
    clear(&m);
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
    struct format_past past;
    char found[FORMAT_PAST_MAX + 1] = "";
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
    assert_true(journal_forget(journal, refused, sizeof refused));
    expect_past(journal, "ade");
    journal_close(&journal);
}

static void what_was_rolled_back_or_is_too_old_is_forgotten(void **state)
{
    (void)state;
    size_t events;
    struct journal *journal = open_journal(true);
    struct format_message m = make(9, 1, 99, 0, 0);
    assert_true(journal_begin(journal) && journal_add(journal, &m, NOW_MS));
    journal_rollback(journal);
    clear(&m);
    assert_int_equal(recall(journal, 9, 1, &events), JOURNAL_NEW);
    add(journal, 8, 88, 0, 0);
    assert_int_equal(journal_prune(journal, NOW_MS), 0);
    assert_int_equal(journal_prune(journal, NOW_MS + 1), 1);
    assert_int_equal(recall(journal, 8, 1, &events), JOURNAL_NEW);
    journal_close(&journal);
}

static void held_messages_wait_until_they_are_to_be_tried_again(void **state)
{
    (void)state;
    struct journal *journal = open_journal(true);
    struct format_message m = make(1, 1, 1, 0, 0);
    struct journal_held held = {0};
    assert_true(journal_hold(journal, &m, SECRET, strlen(SECRET), NOW_MS));
    assert_true(journal_hold(journal, &m, SECRET, strlen(SECRET), NOW_MS)); // again: held once
    clear(&m);
    assert_int_equal(journal_held_count(journal), 1);
    assert_true(journal_held_next(journal, 0, &held));
    assert_string_equal(held.native_id, "M1");
    assert_false(journal_held_due(journal, &held));
    assert_int_equal(journal_retry_held(journal), 1);
    assert_true(journal_held_due(journal, &held));
    assert_int_equal(held.len, strlen(SECRET));
    assert_memory_equal(held.bytes, SECRET, held.len);
    free(held.bytes);
    assert_true(journal_held_waits(journal, held.number));
    assert_false(journal_held_due(journal, &held));
    assert_true(journal_held_done(journal, held.number));
    assert_int_equal(journal_held_count(journal), 0);
    journal_close(&journal);
}

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
    struct format_message m = make(1, 1, 1, 0, 0);
    add(journal, 2, 2, 0, 0);
    assert_true(journal_hold(journal, &m, SECRET, strlen(SECRET), NOW_MS));
    clear(&m);
    assert_false(file_contains("journal.db", SECRET) || file_contains("journal.db-wal", SECRET));
    assert_false(file_contains("journal.db", "az-test:V1") || file_contains("journal.db-wal", "az-test:V1"));
    assert_true(file_contains("journal.db-wal", "az-test")); // the search works: the sender's name is in clear
    journal_close(&journal);
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
        cmocka_unit_test_setup_teardown(nothing_of_a_person_can_be_read_from_the_files, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(another_key_or_another_process_is_refused, make_dir, remove_dir),
    };
    return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
