/* A database that the version before the keyring wrote (schema 3, as SQL in schema3.sql; its master key is the
 * fixture's): one person with a team, four discharges, the first two acknowledged by gp, the last held for apo. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "core/core_private.h"
#include "core_fixture.h"
#include "store/store_private.h"

static void run_sql(const char *database, const char *sql)
{
    sqlite3 *db;
    char *error = NULL;
    assert_int_equal(sqlite3_open(database, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
        fail_msg("%s", error);
    sqlite3_close(db);
}

static struct hub *old_database(void **state)
{
    struct hub *hub = *state;
    char *sql = calloc(1, 1 << 20), path[120];
    FILE *file = fopen(CAREHUB_SCHEMA3, "r");
    assert_non_null(file);
    assert_true(fread(sql, 1, (1 << 20) - 1, file) > 0);
    fclose(file);
    core_close(&hub->core);
    remove(hub->database);
    snprintf(path, sizeof path, "%s.keyring", hub->database);
    assert_int_equal(remove(path), 0);
    run_sql(hub->database, sql);
    run_sql(hub->database, "PRAGMA user_version=3");
    free(sql);
    hub->now_ms += 10000;
    return hub;
}

static void open_again(struct hub *hub)
{
    hub_open(hub);
    for (session_id session = OPERATOR; session < SESSIONS; session++)
        hub_hello(hub, session);
    hub_clear(hub);
}

/* The hub's own key, which sealed them, opens none any more. */
static void assert_cards_are_sealed_with_the_persons_keys(struct hub *hub)
{
    uint8_t plain[4096];
    sqlite3_stmt *rows;
    int n = 0;
    assert_int_equal(sqlite3_prepare_v2(store_database(hub->core->store),
                                        "SELECT number, from_place, body FROM card WHERE kind = 4 UNION ALL "
                                        "SELECT subject, from_place, card FROM subject WHERE card IS NOT NULL",
                                        -1, &rows, NULL),
                     SQLITE_OK);
    for (; sqlite3_step(rows) == SQLITE_ROW; n++) {
        struct row row = {'c', CARD_PATIENT, sqlite3_column_int64(rows, 0), sqlite3_column_int64(rows, 1)};
        size_t size = (size_t)sqlite3_column_bytes(rows, 2);
        assert_true(size < sizeof plain);
        assert_false(vault_open(vault_key(hub->core->vault, VAULT_STATE), &row, sizeof row,
                                sqlite3_column_blob(rows, 2), size, plain));
    }
    sqlite3_finalize(rows);
    assert_true(n > 1);
}

static void check(struct hub *hub)
{
    assert_cards_are_sealed_with_the_persons_keys(hub);
    assert_int_equal(hub_ask(hub, "{\"patient\":{\"patient\":{\"number\":\"1\"}}}")->patient->n_members, 3);
    const Carehub__V1__Answer *found =
        hub_ask(hub, "{\"patient\":{\"patient\":{\"identifier\":{\"system\":\"ssin\",\"value\":\"38041299949\"}}}}");
    assert_int_equal(found->patient->number, 1);
    for (int i = 0; i < 40; i++) {
        hub->now_ms += 1000;
        hub_commit(hub);
    }
    const Carehub__V1__StatusAnswer *status = hub_ask(hub, "{\"status\":{}}")->status;
    assert_int_equal(status->held, 1);
    assert_int_equal(status->damaged, 0);
    assert_true(status->checked_ms > 0);
    assert_int_equal(status->indexed_place, status->last_place);
    const Carehub__V1__ExportAnswer *log = hub_ask(hub, "{\"exportLog\":{\"fromPlace\":\"1\"}}")->export_log;
    assert_true(log->n_entries > 30);
    hub_clear(hub);
}

static void database_of_schema_3_goes_on(void **state)
{
    struct hub *hub = old_database(state);
    open_again(hub);
    check(hub);
    hub_fact_good(hub, "{\"actorStanding\":{\"name\":\"apo\",\"standing\":\"ACTIVE\"}}");
    hub_publish(hub, HOSPITAL, 9, DISCHARGE);
    hub_clear(hub);
    hub_attach(hub, NURSE, "nurse", 0);
    assert_true(hub_deliveries(hub, NURSE) >= 1);
    hub_crash(hub);
    assert_int_equal(hub_ask(hub, "{\"status\":{}}")->status->damaged, 0);
}

/* The keyring is written first: a crash right behind that leaves both, and the keys in the database go then. */
static void crash_between_keyring_and_database_is_made_good(void **state)
{
    struct hub *hub = old_database(state);
    char keep[300], bring[300];
    snprintf(keep, sizeof keep, "cp %s %s.old", hub->database, hub->database);
    snprintf(bring, sizeof bring, "cp %s.old %s", hub->database, hub->database);
    assert_int_equal(system(keep), 0);
    open_again(hub);
    core_close(&hub->core);
    assert_int_equal(system(bring), 0);
    open_again(hub);
    check(hub);
}

static void without_its_keyring_nothing_opens(void **state)
{
    struct hub *hub = old_database(state);
    char path[120], error[CORE_ERROR_BYTES];
    open_again(hub);
    core_close(&hub->core);
    snprintf(path, sizeof path, "%s.keyring", hub->database);
    assert_int_equal(remove(path), 0);
    struct core_config config = {
        .hub_name = "test", .database_path = hub->database, .master_key = hub->master_key, .policy_text = hub->policy};
    struct core_output output = {0};
    assert_null(core_open(&config, &output, (struct core_time){hub->now_ms, 1}, error));
    assert_non_null(strstr(error, "keyring is missing"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, hub_setup, hub_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(database_of_schema_3_goes_on),
        TEST(crash_between_keyring_and_database_is_made_good),
        TEST(without_its_keyring_nothing_opens),
    };
    return cmocka_run_group_tests_name("migrate", tests, NULL, NULL);
}
