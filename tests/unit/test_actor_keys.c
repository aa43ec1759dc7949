/* What names an actor who is a natural person, and what is known of a person in care, is sealed with that one's own
 * key: erasing the subject erases it from copies of the database too, once the epoch of their time is destroyed. */
#include "core_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>
#include <sqlite3.h>

#include "core/core_private.h"
#include "keeping/erasure.h"
#include "store/log_sqlite.h"
#include "store/store_private.h"

enum { AUDITOR = SESSIONS, FILE_MAX = 8 << 20 };

#define MARKER "Vandermarkeling"
#define NUMBER "10000345001"
#define CARER(name, kind, display)                                                                                     \
    "{\"actorSet\":{\"name\":\"" name "\",\"kind\":\"" kind "\",\"display\":\"" display "\",\"identifiers\":"          \
    "[{\"system\":\"nihdi\",\"value\":\"" NUMBER "\"}]}}"

static struct hub *region(void **state)
{
    struct hub *hub = *state;
    hub_region(hub);
    hub_fact_good(hub, "{\"clientSet\":{\"name\":\"auditor\",\"roles\":[\"AUDITOR\",\"REGISTRAR\",\"OPERATOR\"]}}");
    hub_fact_good(hub, "{\"clientKeyAdded\":{\"client\":\"auditor\",\"publicKey\":"
                       "\"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\"}}");
    hub_hello(hub, AUDITOR);
    hub_fact_good(hub, CARER("dr-1", "PROFESSIONAL", "Dr " MARKER));
    hub_fact_good(hub, CARER("dr-1", "PROFESSIONAL", "Prof " MARKER));
    hub_fact_good(hub, "{\"actorStanding\":{\"name\":\"dr-1\",\"standing\":\"SUSPENDED\"}}");
    hub_clear(hub);
    return hub;
}

static void settle(struct hub *hub)
{
    for (int i = 0; i < 30; i++) {
        hub->now_ms += 1000;
        hub_commit(hub);
    }
    hub_clear(hub);
}

static uint32_t number_of_dr_1(struct hub *hub)
{
    return registry_actor_named(&hub->core->registry, "dr-1")->number;
}

static void erase_dr_1(struct hub *hub)
{
    char json[100];
    const Carehub__V1__Confirmation *asked =
        hub_fact(hub, "{\"erasureRequested\":{\"actorName\":\"dr-1\",\"reason\":\"retired\"}}");
    snprintf(json, sizeof json, "{\"erasureConfirmed\":{\"request\":\"%llu\"}}", (unsigned long long)asked->place);
    assert_int_equal(hub_fact_as(hub, AUDITOR, json)->status, CAREHUB__V1__CONFIRMATION__STATUS__CONFIRMED);
}

/* ---- Files ------------------------------------------------------------------------------------------------------- */

static void copy_file(struct hub *hub, const char *suffix, const char *to)
{
    char command[400];
    snprintf(command, sizeof command, "cp %s%s %s/%s%s 2>/dev/null || true", hub->database, suffix, hub->directory, to,
             suffix);
    assert_int_equal(system(command), 0);
}

static void copy_all(struct hub *hub, const char *to)
{
    copy_file(hub, "", to);
    copy_file(hub, "-wal", to);
    copy_file(hub, ".keyring", to);
}

static bool file_holds(const char *path, const char *text)
{
    FILE *file = fopen(path, "r");
    char *bytes = malloc(FILE_MAX);
    size_t size = file ? fread(bytes, 1, FILE_MAX, file) : 0;
    bool found = size > 0 && memmem(bytes, size, text, strlen(text));
    assert_true(size < FILE_MAX);
    if (file)
        fclose(file);
    free(bytes);
    return found;
}

static void assert_nowhere_in_clear(struct hub *hub)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", ".keyring"};
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        char path[200];
        snprintf(path, sizeof path, "%s%s", hub->database, suffixes[i]);
        assert_false(file_holds(path, MARKER));
        assert_false(file_holds(path, NUMBER));
    }
}

/* ---- What a copy shows to who has these keys --------------------------------------------------------------------- */

struct opener {
    uint8_t keys[64][VAULT_KEY_BYTES];
    size_t n;
};

static void opener_add(struct opener *opener, const uint8_t key[VAULT_KEY_BYTES])
{
    assert_true(opener->n < 64);
    memcpy(opener->keys[opener->n++], key, VAULT_KEY_BYTES);
}

/* All keys of a keyring, and all subjects' keys of a database that it opens. */
static void opener_take(struct opener *opener, const uint8_t master_key[32], const char *keyring_of, sqlite3 *db)
{
    struct vault *vault = vault_new(master_key);
    struct keyring keyring;
    char error[KEYRING_ERROR_BYTES];
    sqlite3_stmt *subjects;
    uint8_t key[VAULT_KEY_BYTES];
    assert_true(keyring_init(&keyring, keyring_of, NULL, vault));
    assert_int_equal(keyring_load(&keyring, error), KEYRING_OK);
    for (enum vault_key which = VAULT_LOG; which < VAULT_KEYS; which++)
        opener_add(opener, vault_key(vault, which));
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT subject, epoch, wrapped FROM subject", -1, &subjects, NULL), 0);
    while (sqlite3_step(subjects) == SQLITE_ROW)
        if (sqlite3_column_bytes(subjects, 2) == VAULT_WRAPPED_BYTES &&
            vault_subject_load(vault, (uint64_t)sqlite3_column_int64(subjects, 0),
                               (uint32_t)sqlite3_column_int64(subjects, 1), sqlite3_column_blob(subjects, 2), key))
            opener_add(opener, key);
    sqlite3_finalize(subjects);
    vault_destroy(&vault);
}

/* Does any of the keys open this, and is the carer named in it? */
static bool names(const struct opener *opener, const void *ad, size_t ad_size, const void *sealed, size_t size)
{
    uint8_t *plain = malloc(size + 1);
    bool found = false;
    for (size_t i = 0; i < opener->n && !found; i++)
        found = vault_open(opener->keys[i], ad, ad_size, sealed, size, plain) &&
                memmem(plain, size - VAULT_OVERHEAD_BYTES, MARKER, strlen(MARKER));
    free(plain);
    return found;
}

static int entries_naming(const struct opener *opener, sqlite3 *db)
{
    sqlite3_stmt *rows;
    int n = 0;
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT place, at_ms, leaf, body, payload FROM entry", -1, &rows, NULL), 0);
    while (sqlite3_step(rows) == SQLITE_ROW) {
        struct log_record record = {.place = (uint64_t)sqlite3_column_int64(rows, 0),
                                    .at_ms = sqlite3_column_int64(rows, 1)};
        memcpy(record.leaf, sqlite3_column_blob(rows, 2), LEAF_BYTES);
        struct entry_ad body = entry_ad('e', &record), payload = entry_ad('p', &record);
        n += names(opener, &body, sizeof body, sqlite3_column_blob(rows, 3), (size_t)sqlite3_column_bytes(rows, 3));
        n += names(opener, &payload, sizeof payload, sqlite3_column_blob(rows, 4),
                   (size_t)sqlite3_column_bytes(rows, 4));
    }
    sqlite3_finalize(rows);
    return n;
}

static int cards_naming(const struct opener *opener, sqlite3 *db)
{
    sqlite3_stmt *rows;
    int n = 0;
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT kind, number, from_place, body FROM card", -1, &rows, NULL), 0);
    while (sqlite3_step(rows) == SQLITE_ROW) {
        struct row row = {'c', sqlite3_column_int64(rows, 0), sqlite3_column_int64(rows, 1),
                          sqlite3_column_int64(rows, 2)};
        n += names(opener, &row, sizeof row, sqlite3_column_blob(rows, 3), (size_t)sqlite3_column_bytes(rows, 3));
    }
    sqlite3_finalize(rows);
    return n;
}

/* In how many rows of the copy the carer is named, for who has the keyring and the keys of the subjects beside it. */
static int copy_names(struct hub *hub, const char *copy, const char *keys)
{
    struct opener opener = {.n = 0};
    char path[300], keyring_of[300];
    sqlite3 *db, *db_of_keys;
    snprintf(path, sizeof path, "%s/%s", hub->directory, copy);
    snprintf(keyring_of, sizeof keyring_of, "%s/%s", hub->directory, keys);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_open(keyring_of, &db_of_keys), SQLITE_OK);
    opener_take(&opener, hub->master_key, keyring_of, db);
    opener_take(&opener, hub->master_key, keyring_of, db_of_keys);
    int n = entries_naming(&opener, db) + cards_naming(&opener, db);
    sqlite3_close(db);
    sqlite3_close(db_of_keys);
    return n;
}

static void carer_is_nowhere_in_clear(void **state)
{
    struct hub *hub = region(state);
    assert_nowhere_in_clear(hub);
    erase_dr_1(hub);
    settle(hub);
    assert_nowhere_in_clear(hub);
    core_close(&hub->core);
    assert_nowhere_in_clear(hub);
}

/* What was stored of the carer, sealed as it is: pieces of it, of the keys, cards and entries. */
struct pieces {
    uint8_t bytes[32][24];
    size_t n;
};

static void take_pieces(struct hub *hub, struct pieces *pieces)
{
    sqlite3_stmt *rows;
    const int64_t number = number_of_dr_1(hub);
    assert_int_equal(sqlite3_prepare_v2(store_database(hub->core->store),
                                        "SELECT wrapped FROM subject WHERE subject = (1 << 62) + ?1 UNION ALL "
                                        "SELECT body FROM card WHERE kind = 1 AND number = ?1 UNION ALL "
                                        "SELECT body FROM entry WHERE place IN (SELECT place FROM named) UNION ALL "
                                        "SELECT payload FROM entry WHERE place IN (SELECT place FROM named)",
                                        -1, &rows, NULL),
                     SQLITE_OK);
    sqlite3_bind_int64(rows, 1, number);
    for (; sqlite3_step(rows) == SQLITE_ROW; pieces->n++) {
        size_t size = (size_t)sqlite3_column_bytes(rows, 0);
        memcpy(pieces->bytes[pieces->n], (const uint8_t *)sqlite3_column_blob(rows, 0) + size / 2, 24);
    }
    sqlite3_finalize(rows);
}

static size_t pieces_in(const char *path, const struct pieces *pieces)
{
    FILE *file = fopen(path, "r");
    uint8_t *bytes = malloc(FILE_MAX);
    size_t size = file ? fread(bytes, 1, FILE_MAX, file) : 0, found = 0;
    for (size_t i = 0; i < pieces->n; i++)
        found += size > 0 && memmem(bytes, size, pieces->bytes[i], sizeof pieces->bytes[i]);
    if (file)
        fclose(file);
    free(bytes);
    return found;
}

static void nothing_sealed_of_the_carer_is_left_either(void **state)
{
    struct hub *hub = region(state);
    struct pieces pieces = {.n = 0};
    char wal[120];
    snprintf(wal, sizeof wal, "%s-wal", hub->database);
    take_pieces(hub, &pieces);
    assert_int_equal(pieces.n, 1 + 3 + 2 + 2);
    assert_true(pieces_in(hub->database, &pieces) + pieces_in(wal, &pieces) >= pieces.n);
    erase_dr_1(hub);
    settle(hub);
    assert_int_equal(pieces_in(hub->database, &pieces), 0);
    assert_int_equal(pieces_in(wal, &pieces), 0);
}

static void copy_of_before_the_erasure_does_not_name_the_carer_once_its_epoch_is_destroyed(void **state)
{
    struct hub *hub = region(state);
    copy_all(hub, "before");
    erase_dr_1(hub);
    settle(hub);
    hub_fact_good(hub, "{\"keysRotated\":{\"what\":\"EPOCH\",\"reason\":\"test\"}}");
    settle(hub);
    hub_fact_good(hub, "{\"keysRotated\":{\"what\":\"DESTROY_EPOCH\",\"epoch\":1,\"reason\":\"test\"}}");
    settle(hub);
    copy_all(hub, "after");
    assert_int_equal(copy_names(hub, "before", "before"), 7); /* bodies and payloads of two entries, three cards */
    assert_int_equal(copy_names(hub, "after", "before"), 0);
    assert_int_equal(copy_names(hub, "before", "after"), 0);
}

/* How many versions of person 1's card anybody reads who has all these keys, beside that person's key too. */
static int cards_of_person_1(struct hub *hub, const char *copy, const char *keys)
{
    struct opener opener = {.n = 0};
    char path[300], keyring_of[300];
    uint8_t plain[FILE_MAX / 1024];
    sqlite3_stmt *rows;
    sqlite3 *db;
    int n = 0;
    snprintf(path, sizeof path, "%s/%s", hub->directory, copy);
    snprintf(keyring_of, sizeof keyring_of, "%s/%s", hub->directory, keys);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    opener_take(&opener, hub->master_key, keyring_of, db);
    assert_int_equal(sqlite3_prepare_v2(db,
                                        "SELECT from_place, body FROM card WHERE kind = 4 AND number = 1 UNION ALL "
                                        "SELECT from_place, card FROM subject WHERE subject = 1",
                                        -1, &rows, NULL),
                     SQLITE_OK);
    while (sqlite3_step(rows) == SQLITE_ROW) {
        struct row row = {'c', CARD_PATIENT, 1, sqlite3_column_int64(rows, 0)};
        size_t size = (size_t)sqlite3_column_bytes(rows, 1);
        assert_true(size < sizeof plain);
        for (size_t i = 0; i < opener.n; i++)
            n += vault_open(opener.keys[i], &row, sizeof row, sqlite3_column_blob(rows, 1), size, plain);
    }
    sqlite3_finalize(rows);
    sqlite3_close(db);
    return n;
}

static void copy_of_before_the_erasure_shows_no_team_once_its_epoch_is_destroyed(void **state)
{
    struct hub *hub = region(state);
    char json[100];
    copy_all(hub, "before");
    const Carehub__V1__Confirmation *asked =
        hub_fact(hub, "{\"erasureRequested\":{\"patient\":{\"number\":\"1\"},\"reason\":\"asked\"}}");
    snprintf(json, sizeof json, "{\"erasureConfirmed\":{\"request\":\"%llu\"}}", (unsigned long long)asked->place);
    hub_fact_as(hub, AUDITOR, json);
    settle(hub);
    hub_fact_good(hub, "{\"keysRotated\":{\"what\":\"EPOCH\",\"reason\":\"test\"}}");
    settle(hub);
    hub_fact_good(hub, "{\"keysRotated\":{\"what\":\"DESTROY_EPOCH\",\"epoch\":1,\"reason\":\"test\"}}");
    settle(hub);
    copy_all(hub, "after");
    assert_true(cards_of_person_1(hub, "before", "before") > 3);
    assert_int_equal(cards_of_person_1(hub, "before", "after"), 0);
    assert_int_equal(cards_of_person_1(hub, "after", "before"), 0);
}

static void carers_key_is_wrapped_by_the_epoch_in_use_like_any(void **state)
{
    struct hub *hub = region(state);
    hub_fact_good(hub, "{\"keysRotated\":{\"what\":\"EPOCH\",\"reason\":\"test\"}}");
    settle(hub);
    hub_fact_good(hub, "{\"keysRotated\":{\"what\":\"DESTROY_EPOCH\",\"epoch\":1,\"reason\":\"test\"}}");
    settle(hub);
    hub_crash(hub);
    assert_string_equal(registry_actor_named(&hub->core->registry, "dr-1")->card->display, "Prof " MARKER);
    const Carehub__V1__ExportAnswer *log = hub_ask(hub, "{\"exportLog\":{\"fromPlace\":\"1\"}}")->export_log;
    int named = 0;
    for (size_t i = 0; i < log->n_entries; i++)
        named += actor_named(log->entries[i]) == STORE_ACTOR_SUBJECTS + number_of_dr_1(hub);
    assert_int_equal(named, 2);
}

static void erased_carer_does_not_come_back(void **state)
{
    struct hub *hub = region(state);
    erase_dr_1(hub);
    const Carehub__V1__Confirmation *again = hub_fact(hub, CARER("dr-1", "PROFESSIONAL", "Dr " MARKER));
    assert_int_equal(again->error->code, CAREHUB__V1__ERROR_CODE__INVALID);
    assert_non_null(strstr(again->error->text, "has been erased"));
    settle(hub);
    assert_int_equal(hub_fact(hub, CARER("dr-1", "PERSON", "Dr " MARKER))->error->code,
                     CAREHUB__V1__ERROR_CODE__INVALID);
    assert_nowhere_in_clear(hub);
}

/* At once: before what is left of the carer has gone. */
static void erased_carers_entries_are_gone_at_once_and_nothing_is_damaged(void **state)
{
    struct hub *hub = region(state);
    const Carehub__V1__ExportAnswer *log = hub_ask(hub, "{\"exportLog\":{\"fromPlace\":\"1\"}}")->export_log;
    uint64_t named[2] = {0};
    size_t n = 0;
    for (size_t i = 0; i < log->n_entries; i++)
        if (actor_named(log->entries[i]))
            named[n++] = log->entries[i]->place;
    assert_int_equal(n, 2);
    erase_dr_1(hub);
    hub_crash(hub);
    for (size_t i = 0; i < n; i++)
        assert_null(entry_read(hub->core, named[i], &hub->core->scratch));
    settle(hub);
    hub_crash(hub);
    hub->now_ms += 8LL * 24 * 3600 * 1000;
    settle(hub);
    const Carehub__V1__StatusAnswer *status = hub_ask(hub, "{\"status\":{}}")->status;
    assert_true(status->checked_ms > 0);
    assert_int_equal(status->damaged, 0);
    log = hub_ask(hub, "{\"exportLog\":{\"fromPlace\":\"1\"}}")->export_log;
    for (size_t i = 0; i < n; i++)
        assert_int_equal(log->entries[named[i] - 1]->what_case, CAREHUB__V1__ENTRY__WHAT__NOT_SET);
}

/* ---- A database of the version before ---------------------------------------------------------------------------- */

static void run_sql(struct hub *hub, const char *sql)
{
    char *error = NULL;
    if (sqlite3_exec(store_database(hub->core->store), sql, NULL, NULL, &error) != SQLITE_OK)
        fail_msg("%s", error);
}

/* As schema 5 had it: sealed with the hub's own keys. */
static void entry_unname(struct core *core, uint64_t place)
{
    struct log_sqlite *log = (struct log_sqlite *)core->log;
    struct log_record record;
    Entry *entry;
    if (entry_open(core, place, &core->scratch, &record, &entry) != STORE_OK || !record.names)
        return;
    record.names = 0;
    sqlite3_stmt *update = store_entry_statement(core->store, STORE_ENTRY_CONVERT);
    sqlite3_bind_int64(update, 1, (int64_t)place);
    log_sqlite_bind(log, &record, core->hub_key, update, 2);
    store_run(core->store, update);
    store_named_remove(core->store, place);
}

static void make_old(struct hub *hub)
{
    struct core *core = hub->core;
    uint32_t number = number_of_dr_1(hub);
    struct card cards[8];
    size_t n = 0;
    store_begin(core->store);
    for (uint64_t place = 1; place <= core->last_place; place++)
        entry_unname(core, place);
    for (uint64_t at = PLACE_LATEST;
         store_card_get(core->store, CARD_ACTOR, number, at, &core->scratch, &cards[n]) == STORE_OK; n++)
        at = cards[n].from_place - 1;
    run_sql(hub, "DELETE FROM subject WHERE subject > 1 << 62");
    for (size_t i = 0; i < n; i++)
        store_card_put(core->store, CARD_ACTOR, number, cards[i].from_place, cards[i].body, cards[i].size);
    assert_int_equal(n, 3);
    run_sql(hub, "UPDATE entry SET body = x'' WHERE length(body) = 40");
    run_sql(hub, "DROP TABLE named; ALTER TABLE identifier DROP COLUMN mac; PRAGMA user_version = 5");
    store_commit(core->store);
    hub_crash(hub);
}

static void database_of_schema_5_is_converted(void **state)
{
    struct hub *hub = region(state);
    hub_fact_good(hub, "{\"patientRegistered\":{\"identifiers\":[{\"system\":\"urn:x\",\"value\":\"7\"}]}}");
    const Carehub__V1__Confirmation *asked = hub_fact(hub, "{\"erasureRequested\":{\"patient\":{\"identifier\":{"
                                                           "\"system\":\"urn:x\",\"value\":\"7\"}},\"reason\":\"x\"}}");
    char json[100];
    snprintf(json, sizeof json, "{\"erasureConfirmed\":{\"request\":\"%llu\"}}", (unsigned long long)asked->place);
    assert_int_equal(hub_fact_as(hub, AUDITOR, json)->status, CAREHUB__V1__CONFIRMATION__STATUS__CONFIRMED);
    settle(hub);
    copy_all(hub, "new");
    make_old(hub);
    hub_hello(hub, OPERATOR);
    hub_hello(hub, AUDITOR);
    assert_string_equal(registry_actor_named(&hub->core->registry, "dr-1")->card->display, "Prof " MARKER);
    assert_int_equal(hub_ask(hub, "{\"patient\":{\"patient\":{\"identifier\":{\"system\":\"ssin\",\"value\":"
                                  "\"38041299949\"}}}}")
                         ->patient->number,
                     1);
    hub->now_ms += 8LL * 24 * 3600 * 1000;
    settle(hub);
    assert_int_equal(hub_ask(hub, "{\"status\":{}}")->status->damaged, 0);
    copy_all(hub, "before");
    erase_dr_1(hub);
    hub_fact_good(hub, "{\"keysRotated\":{\"what\":\"EPOCH\",\"reason\":\"test\"}}");
    settle(hub);
    hub_fact_good(hub, "{\"keysRotated\":{\"what\":\"DESTROY_EPOCH\",\"epoch\":1,\"reason\":\"test\"}}");
    settle(hub);
    copy_all(hub, "after");
    assert_int_equal(copy_names(hub, "before", "before"), 7);
    assert_int_equal(copy_names(hub, "before", "after"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, hub_setup, hub_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(carer_is_nowhere_in_clear),
        TEST(nothing_sealed_of_the_carer_is_left_either),
        TEST(copy_of_before_the_erasure_does_not_name_the_carer_once_its_epoch_is_destroyed),
        TEST(copy_of_before_the_erasure_shows_no_team_once_its_epoch_is_destroyed),
        TEST(carers_key_is_wrapped_by_the_epoch_in_use_like_any),
        TEST(erased_carer_does_not_come_back),
        TEST(erased_carers_entries_are_gone_at_once_and_nothing_is_damaged),
        TEST(database_of_schema_5_is_converted),
    };
    return cmocka_run_group_tests_name("actor_keys", tests, NULL, NULL);
}
