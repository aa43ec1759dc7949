/* The check of all that is stored: what is damaged shows, wherever it is, and what is sound is not complained of. */
#include "core_fixture.h"

#include <stdio.h>
#include <string.h>

#include <sqlite3.h>

#include "core/core_private.h"

#define DAY (24 * 3600000LL)

/* The last byte of a blob changed. */
#define DAMAGED(column)                                                                                                \
    "CAST(substr(" column ", 1, length(" column ") - 1) || CASE substr(" column ", -1) WHEN x'5a' THEN x'a5'"          \
    " ELSE x'5a' END AS BLOB)"

/* Lets the pass under way, or that is due, come to its end. */
static const Carehub__V1__StatusAnswer *checked(struct hub *hub)
{
    const Carehub__V1__StatusAnswer *status = NULL;
    for (int i = 0; i < 50 && (!status || status->checking); i++) {
        hub->now_ms += 1000;
        hub_commit(hub);
        hub_clear(hub);
        status = hub_ask(hub, "{\"status\":{}}")->status;
    }
    assert_false(status->checking);
    return status;
}

static void history(struct hub *hub)
{
    hub_region(hub);
    for (uint8_t id = 1; id <= 5; id++)
        hub_publish(hub, HOSPITAL, id, DISCHARGE);
    uint64_t epoch = hub_attach(hub, GP, "gp", 2);
    hub_nack(hub, GP, epoch, CAREHUB__V1__LANE__LANE_IMMEDIATE, 2, false);
    hub_fact_good(hub, "{\"actorStanding\":{\"name\":\"apo\",\"standing\":\"SUSPENDED\"}}");
    hub_publish(hub, HOSPITAL, 6, DISCHARGE);
}

static void tamper(struct hub *hub, const char *sql)
{
    sqlite3 *db;
    core_close(&hub->core);
    hub->damaged = true;
    assert_int_equal(sqlite3_open(hub->database, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_changes(db), 1);
    sqlite3_close(db);
    hub_open(hub);
    hub_hello(hub, OPERATOR);
}

static void what_is_sound_is_not_complained_of(void **state)
{
    struct hub *hub = *state;
    history(hub);
    const Carehub__V1__StatusAnswer *status = checked(hub);
    assert_int_equal(status->damaged, 0);
    assert_true(status->checked_ms > 0);
}

/* The damage adds up: what was found once is found again in the next pass, which counts from the start of the process.
 */
static void damage_is_found_wherever_it_is(void **state)
{
    struct hub *hub = *state;
    static const char *const places[] = {
        "UPDATE entry SET payload = " DAMAGED("payload") " WHERE place = 3",
        "UPDATE entry SET payload = " DAMAGED("payload") " WHERE place ="
                                                         " (SELECT max(place) FROM entry WHERE payload IS NOT NULL)",
        "UPDATE card SET body = " DAMAGED("body") " WHERE kind = 4 AND number = 1 AND from_place ="
                                                  " (SELECT min(from_place) FROM card WHERE kind = 4)",
        "UPDATE subject SET card = " DAMAGED("card") " WHERE subject = 1",
        "UPDATE segment SET body = " DAMAGED(
            "body") " WHERE (inbox, lane, last_number) ="
                    " (SELECT inbox, lane, last_number FROM segment ORDER BY last_number DESC LIMIT 1)",
        "UPDATE segment SET last_number = last_number + 1000 WHERE (inbox, lane, last_number) ="
        " (SELECT inbox, lane, last_number FROM segment ORDER BY last_number, inbox LIMIT 1)",
    };
    history(hub);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        tamper(hub, places[i]);
        hub->now_ms += 8 * DAY;
        assert_int_equal(checked(hub)->damaged, i + 1);
    }
}

static void a_pass_begins_again_after_a_week(void **state)
{
    struct hub *hub = *state;
    history(hub);
    int64_t first_ms = checked(hub)->checked_ms;
    hub->now_ms += 6 * DAY;
    assert_int_equal(checked(hub)->checked_ms, first_ms);
    hub->now_ms += 2 * DAY;
    assert_true(checked(hub)->checked_ms > first_ms);
}

/* Retention has removed the first entries. */
static void what_was_pruned_is_passed_over_in_one_step(void **state)
{
    struct hub *hub = *state;
    history(hub);
    struct core *core = hub->core;
    struct scrub scrub = {.pruned = 20};
    assert_int_equal(sqlite3_exec(store_database(core->store), "DELETE FROM entry WHERE place <= 20", NULL, NULL, NULL),
                     SQLITE_OK);
    hub->damaged = true;
    assert_true(scrub_some(&scrub, core->store, core->log, core->committed_place, 1));
    assert_int_equal(scrub.place, 21);
    assert_int_equal(scrub.rows, 1);
    assert_int_equal(scrub.damaged, 0);
    scrub = (struct scrub){.pruned = 19}; /* one that is missing though it was not pruned */
    assert_true(scrub_some(&scrub, core->store, core->log, core->committed_place, 1));
    assert_int_equal(scrub.damaged, 1);
    scrub = (struct scrub){.pruned = core->committed_place};
    while (scrub_some(&scrub, core->store, core->log, 20, 100)) /* nothing is left of what was written by then */
        ;
    assert_int_equal(scrub.damaged, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, hub_setup, hub_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_sound_is_not_complained_of),
        TEST(damage_is_found_wherever_it_is),
        TEST(a_pass_begins_again_after_a_week),
        TEST(what_was_pruned_is_passed_over_in_one_step),
    };
    return cmocka_run_group_tests_name("scrub", tests, NULL, NULL);
}
