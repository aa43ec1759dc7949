// What an adapter keeps of a person can be found by their numbers, and taken away for good; and their numbers are shown
// to nobody.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "forget.h"
#include "journal_internal.h"
#include "shown_id.h"
#include "subscription_store_internal.h"

#define NOW_MS INT64_C(1772400000000)
#define LOCAL "urn:e2e:hospital"

enum { PERSONS = 12, HISTORY = 1500, PIECE_BYTES = 12, PIECE_AT = 30, BLOBS_MAX = 8 * HISTORY };

static char dir[64];
static unsigned seed;

static unsigned chance(unsigned n)
{
    seed = seed * 1103515245u + 12345u;
    return (seed >> 16) % n;
}

static int make_dir(void **state)
{
    (void)state;
    seed = 7;
    snprintf(dir, sizeof dir, "/tmp/test_forget.XXXXXX");
    return mkdtemp(dir) == NULL;
}

static int remove_dir(void **state)
{
    char path[512];
    (void)state;
    DIR *entries = opendir(dir);
    for (const struct dirent *entry; entries && (entry = readdir(entries));) {
        snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        unlink(path);
    }
    closedir(entries);
    return rmdir(dir);
}

static struct person person_of(const char *text)
{
    struct person person;
    assert_null(person_parse(text, &person));
    return person;
}

/* ---- Finding ---------------------------------------------------------------------------------------------------- */

static void an_identifier_is_found_however_it_is_written(void **state)
{
    static const struct {
        const char *who, *bytes;
        size_t len; /* 0: of a text */
        bool found;
    } cases[] = {
        {"ssin:38041200177", "38041200177", 0, true},
        {"ssin:38.04.12-001.77", "PID|||38041200177^^^NISS", 0, true},
        {"ssin:38041200177", "INSZ 38.04.12-001.77, Gent", 0, true},
        {"ssin:38041200177", "380412 001 77", 0, true},
        {"ssin:38041200177", "380412/001-77", 0, true},
        {"ssin:38041200177", "/subject/38041200177/medication-scheme/1/1", 0, true},
        {"ssin:38041200177", "3838041200177", 0, true},
        {"ssin:38041200177", "3\0008\0000\0004\0001\0002\0000\0000\0001\0007\0007\000", 22, true},
        {"ssin:38041200177", "\0003\0008\0000\0004\0001\0002\0000\0000\0001\0007\0007", 22, true},
        {"ssin:38041200177", "38041200276", 0, false},
        {"ssin:38041200177", "3804120017", 0, false},
        {"ssin:38041200177", "380412 and much later 00177", 0, false},
        {LOCAL "|4711", "PID|||4711^^^AZT", 0, true},
        {LOCAL "|4711", "47110", 0, false},
        {LOCAL "|4711", "A4711", 0, false},
        {LOCAL "|4711",
         "\x12\x04"
         "4711J",
         7, true}, /* a field of a protobuf message, with its length before it */
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct person person = person_of(cases[i].who);
        size_t len = cases[i].len ? cases[i].len : strlen(cases[i].bytes);
        if (person_in_bytes(&person, false, cases[i].bytes, len) != cases[i].found)
            fail_msg("%zu: %s in %s", i, cases[i].who, cases[i].bytes);
    }
}

static void who_cannot_be_meant_is_refused_without_a_word_of_the_number(void **state)
{
    static const char *const wrong[] = {"ssin:38041200178", "38041200177", "ssin:", "|4711", "a|", "P42"};
    struct person person;
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        const char *why = person_parse(wrong[i], &person);
        assert_non_null(why);
        assert_null(strstr(why, "38041200178"));
    }
}

static void a_number_is_blotted_out_of_ids_that_are_shown(void **state)
{
    static const struct {
        const char *id, *shown;
    } cases[] = {
        {"38041200177.4", "***********.4"},
        {"/subject/38041200177/medication-scheme/1/1", "/subject/***********/medication-scheme/1/1"},
        {"x38.04.12-001.77y38041200177", "x**.**.**-***.**y***********"},
        {"MSG-20260301-0001", "MSG-20260301-0001"},
        {"38041200178", "38041200178"}, /* check digits: nobody's */
        {"", ""},
    };
    char shown[CAREHUB_NATIVE_ID_BYTES];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        shown_id(cases[i].id, shown);
        assert_string_equal(shown, cases[i].shown);
    }
}

/* ---- What is kept ----------------------------------------------------------------------------------------------- */

static void make_ssin(int i, char ssin[12])
{
    long base = 380412000L + i * 7 + 1;
    char text[48];
    snprintf(text, sizeof text, "%09ld%02ld", base, 97 - base % 97);
    memcpy(ssin, text, 11);
    ssin[11] = '\0';
}

static void random_bytes(uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)chance(256);
}

/* An event about a person: by both numbers, or (`local`) by the hospital's own alone. Packed, malloc'd. */
static uint8_t *make_event(int person, bool local, uint8_t id[EVENTID_BYTES], size_t *len)
{
    static char note[4000];
    char ssin[12], number[16];
    Carehub__V1__Identifier two[] = {CAREHUB__V1__IDENTIFIER__INIT, CAREHUB__V1__IDENTIFIER__INIT};
    Carehub__V1__Identifier *list[] = {&two[0], &two[1]};
    Carehub__V1__Patient patient = CAREHUB__V1__PATIENT__INIT;
    Carehub__V1__Event event = CAREHUB__V1__EVENT__INIT;
    make_ssin(person, ssin);
    snprintf(number, sizeof number, "%d", 4000 + person);
    random_bytes(id, EVENTID_BYTES);
    memset(note, 'n', sizeof note);
    note[chance(sizeof note)] = '\0';
    two[0].system = (char *)LOCAL;
    two[0].value = number;
    two[1].system = (char *)"ssin";
    two[1].value = ssin;
    patient.identifiers = list;
    patient.n_identifiers = local ? 1 : 2;
    event.patient = &patient;
    event.correlation_id = note;
    event.id = (ProtobufCBinaryData){EVENTID_BYTES, id};
    *len = carehub__v1__event__get_packed_size(&event);
    uint8_t *bytes = malloc(*len);
    carehub__v1__event__pack(&event, bytes);
    return bytes;
}

/* One thing about a person: what was made of a message, a state, something that was sent, or a held message. */
static void keep_one(struct journal *journal, int person, bool local)
{
    struct carehub_native native = {.transport = "http",
                                    .peer = "",
                                    .name = "",
                                    .method = "POST",
                                    .content_type = "",
                                    .idempotency_key = "",
                                    .received_ms = NOW_MS};
    struct carehub_message message = {.native = &native, .sender = "his", .native_id = "M", .why = "unidentified"};
    uint8_t id[EVENTID_BYTES];
    char name[64];
    size_t len;
    uint8_t *event = make_event(person, local, id, &len);
    random_bytes(message.key, sizeof message.key);
    native.bytes = event;
    native.len = len;
    snprintf(name, sizeof name, "state/%d/%u", person, chance(20));
    struct items items = {0};
    switch (local ? chance(2) : chance(4)) {
    case 0:
        assert_true(items_add(&items, false, id, id, event, len, ""));
        assert_true(journal_add(journal, &message, &items, NOW_MS));
        items_clear(&items);
        return;
    case 1:
        assert_true(journal_sent_put(journal, "out", id, event, len, NOW_MS));
        break;
    case 2:
        assert_true(journal_state_store(journal, &message, name, event, len, NOW_MS));
        break;
    default:
        assert_true(journal_hold(journal, &message, &native));
    }
    free(event);
}

/* ---- What is on disk -------------------------------------------------------------------------------------------- */

struct blobs {
    size_t count;
    uint8_t pieces[BLOBS_MAX][PIECE_BYTES]; /* of the ciphertext of each sealed column */
};

static void read_blobs(sqlite3 *db, const char *sql, struct blobs *blobs)
{
    sqlite3_stmt *s;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    while (sqlite3_step(s) == SQLITE_ROW)
        for (int i = 0; i < sqlite3_column_count(s); i++)
            if (sqlite3_column_bytes(s, i) >= PIECE_AT + PIECE_BYTES) {
                assert_true(blobs->count < BLOBS_MAX);
                memcpy(blobs->pieces[blobs->count++], (const uint8_t *)sqlite3_column_blob(s, i) + PIECE_AT,
                       PIECE_BYTES);
            }
    sqlite3_finalize(s);
}

static struct blobs *all_blobs(sqlite3 *db)
{
    struct blobs *blobs = calloc(1, sizeof *blobs);
    read_blobs(db, "SELECT sealed FROM event", blobs);
    read_blobs(db, "SELECT sealed, before FROM state", blobs);
    read_blobs(db, "SELECT sealed FROM sent", blobs);
    read_blobs(db, "SELECT sealed, native FROM held", blobs);
    return blobs;
}

static int by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, PIECE_BYTES);
}

static bool is_in(const struct blobs *sorted, const uint8_t *piece)
{
    return bsearch(piece, sorted->pieces, sorted->count, PIECE_BYTES, by_bytes) != NULL;
}

/* How many of the sorted pieces can be read from a file of the directory. A place is looked at more than once only if
 * it is there more than once. */
static size_t count_readable(const struct blobs *sorted, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "rb");
    size_t found = 0;
    if (!file)
        return 0;
    fseek(file, 0, SEEK_END);
    size_t len = (size_t)ftell(file);
    uint8_t *bytes = malloc(len + 1);
    rewind(file);
    assert_int_equal(fread(bytes, 1, len, file), len);
    fclose(file);
    for (size_t i = 0; i + PIECE_BYTES <= len; i++)
        found += is_in(sorted, bytes + i);
    free(bytes);
    return found;
}

static struct blobs *gone_of(const struct blobs *before, struct blobs *left)
{
    struct blobs *gone = calloc(1, sizeof *gone);
    qsort(left->pieces, left->count, PIECE_BYTES, by_bytes);
    for (size_t i = 0; i < before->count; i++)
        if (!is_in(left, before->pieces[i]))
            memcpy(gone->pieces[gone->count++], before->pieces[i], PIECE_BYTES);
    qsort(gone->pieces, gone->count, PIECE_BYTES, by_bytes);
    return gone;
}

static struct journal *fill_journal(void)
{
    char error[JOURNAL_ERROR_BYTES];
    struct journal *journal = journal_open(dir, true, error);
    assert_non_null(journal);
    for (int i = 0; i < HISTORY; i++) {
        assert_true(i % 50 != 0 || journal_begin(journal));
        keep_one(journal, (int)chance(PERSONS), chance(5) == 0);
        assert_true(i % 50 != 49 || journal_commit(journal));
    }
    return journal;
}

static uint64_t all_of(const struct journal_person_count *count)
{
    return count->items + count->states + count->sent + count->held;
}

static void nothing_of_the_forgotten_is_left_in_the_journals_bytes_and_all_of_the_others(void **state)
{
    char ssin[32] = "ssin:";
    struct journal_person_count counted = {0}, gone_count = {0}, again = {0};
    (void)state;
    struct journal *journal = fill_journal();
    struct blobs *before = all_blobs(journal->db);
    make_ssin(3, ssin + 5);
    struct person person = person_of(ssin);
    assert_true(journal_person_learn(journal, &person));
    assert_int_equal(person.count, 2); /* the hospital's own number too */
    assert_true(journal_person_forget(journal, &person, true, &counted));
    struct blobs *still = all_blobs(journal->db);
    assert_int_equal(still->count, before->count);
    assert_true(counted.items > 0 && counted.states > 0 && counted.sent > 0 && counted.held > 0);
    assert_true(journal_person_forget(journal, &person, false, &gone_count));
    assert_memory_equal(&counted, &gone_count, sizeof counted);
    assert_true(journal_person_forget(journal, &person, true, &again));
    assert_int_equal(all_of(&again), 0);

    struct blobs *left = all_blobs(journal->db), *gone = gone_of(before, left);
    assert_true(gone->count >= all_of(&counted));
    assert_true(left->count > gone->count); /* of the others */
    assert_int_equal(count_readable(gone, "journal.db") + count_readable(gone, "journal.db-wal"), 0);
    /* So the search does find; but for pieces that go on in another page. */
    assert_true(count_readable(left, "journal.db") >= left->count - left->count / 10);
    for (int i = 0; i < PERSONS; i++) {
        struct journal_person_count others = {0};
        make_ssin(i, ssin + 5);
        person = person_of(ssin);
        assert_true(journal_person_forget(journal, &person, true, &others));
        assert_int_equal(all_of(&others) > 0, i != 3);
    }
    journal_close(&journal);
    assert_int_equal(count_readable(gone, "journal.db"), 0);
    free(before);
    free(still);
    free(left);
    free(gone);
}

/* ---- Subscriptions ---------------------------------------------------------------------------------------------- */

static struct subscription_store *fill_store(struct store_record *record)
{
    char error[STORE_ERROR_BYTES];
    struct subscription_store *store = store_open(dir, error);
    assert_non_null(store);
    record->resource = calloc(1, sizeof *record->resource);
    assert_true(store_add(store, record));
    assert_true(store_begin(store));
    for (int i = 0; i < 300; i++) {
        struct store_event event = {.lane = 1, .delivery = (uint64_t)i, .made_ms = NOW_MS, .type = "Bundle"};
        int person = (int)chance(PERSONS);
        event.event = make_event(person, false, event.id, &event.event_len);
        event.document = strdup("{\"resourceType\":\"Bundle\", \"id\":\"something of some length\"}");
        event.document_len = strlen(event.document);
        assert_int_equal(store_put_event(store, record, &event), STORE_NEW);
        store_event_clear(&event);
    }
    assert_true(store_commit(store));
    return store;
}

static void events_of_subscriptions_lose_their_content_and_keep_their_numbers(void **state)
{
    struct store_record record = {.id = "s1", .actor = "gp", .inbox = "gp.fhir-1"};
    struct blobs *before = calloc(1, sizeof *before), *left = calloc(1, sizeof *left);
    char ssin[32] = "ssin:";
    uint64_t counted, done;
    (void)state;
    struct subscription_store *store = fill_store(&record);
    read_blobs(store->db, "SELECT event, document FROM event", before);
    make_ssin(5, ssin + 5);
    const struct person person = person_of(ssin);
    assert_true(store_person_forget(store, &person, true, &counted));
    assert_true(counted > 0 && counted < 300);
    assert_true(store_person_forget(store, &person, false, &done));
    assert_int_equal(done, counted);
    read_blobs(store->db, "SELECT event, document FROM event", left);
    struct blobs *gone = gone_of(before, left);
    assert_int_equal(gone->count, 2 * done);
    assert_int_equal(count_readable(gone, "subscriptions.db") + count_readable(gone, "subscriptions.db-wal"), 0);
    for (uint64_t number = 1; number <= 300; number++) {
        struct store_event event;
        assert_true(store_event_from(store, record.key, number, &event));
        assert_int_equal(event.number, number);
        store_event_clear(&event);
    }
    store_close(&store);
    free(record.resource);
    free(before);
    free(left);
    free(gone);
}

/* ---- Files that were put away ------------------------------------------------------------------------------------ */

static void put_file(const char *folder, const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, folder);
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/%s/%s", dir, folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static bool has_file(const char *folder, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s/%s", dir, folder, name);
    return access(path, F_OK) == 0;
}

static void files_that_were_taken_go_and_refused_ones_are_counted(void **state)
{
    const struct person person = person_of("ssin:38041200177");
    struct forgotten forgotten = {0};
    char error[CAREHUB_ERROR_BYTES];
    (void)state;
    put_file("done", "1.hl7", "PID|||38.04.12-001.77");
    put_file("done", "38041200177.xml", "");
    put_file("done", "2.hl7", "PID|||38041200276");
    put_file("failed", "3.hl7", "PID|||38041200177");
    assert_true(forget_in_folder(dir, &person, true, &forgotten, error));
    assert_int_equal(forgotten.done_files, 2);
    assert_int_equal(forgotten.failed_files, 1);
    assert_true(has_file("done", "1.hl7"));
    assert_true(forget_in_folder(dir, &person, false, &forgotten, error));
    assert_false(has_file("done", "1.hl7") || has_file("done", "38041200177.xml"));
    assert_true(has_file("done", "2.hl7") && has_file("failed", "3.hl7"));
    assert_true(forget_in_folder("/nonexistent/folder", &person, false, &forgotten, error));
}

static int remove_folders(void **state)
{
    static const char *const files[] = {"done/2.hl7", "failed/3.hl7", "done", "failed"};
    char path[256];
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, files[i]);
        if (unlink(path) != 0)
            rmdir(path);
    }
    return remove_dir(state);
}

int main(void)
{
    umask(077);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_identifier_is_found_however_it_is_written),
        cmocka_unit_test(who_cannot_be_meant_is_refused_without_a_word_of_the_number),
        cmocka_unit_test(a_number_is_blotted_out_of_ids_that_are_shown),
        cmocka_unit_test_setup_teardown(nothing_of_the_forgotten_is_left_in_the_journals_bytes_and_all_of_the_others,
                                        make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(events_of_subscriptions_lose_their_content_and_keep_their_numbers, make_dir,
                                        remove_dir),
        cmocka_unit_test_setup_teardown(files_that_were_taken_go_and_refused_ones_are_counted, make_dir,
                                        remove_folders),
    };
    return cmocka_run_group_tests_name("forget", tests, NULL, NULL);
}
