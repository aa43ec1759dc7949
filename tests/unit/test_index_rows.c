/* Rows that are not sealed: nobody who can write to the file, but has no key, leads anybody to another person, hides an
 * access or puts one into another's report; and the check of all that is stored notices. */
#include "core_fixture.h"

#include <stdio.h>
#include <string.h>

#include <sqlite3.h>

#include "core/core_private.h"

#define SSIN "38041299949"
#define OTHER_SSIN "38041200375"
#define REPORT(number)                                                                                                 \
    "{\"accessReport\":{\"patient\":{\"number\":\"" number "\"},\"purpose\":\"test\",\"allNames\":true}}"

static const char OTHER_DISCHARGE[] =
    "{\"type\":\"HOSPITAL_DISCHARGE\",\"patient\":{\"identifiers\":[{\"system\":\"ssin\",\"value\":\"" OTHER_SSIN
    "\"}]},\"occurredAt\":{\"unixMs\":\"1795300000000\"},\"hospitalDischarge\":{\"encounterId\":\"E9\"}}";

static void settle(struct hub *hub)
{
    for (int i = 0; i < 60; i++) {
        hub->now_ms += 1000;
        hub_commit(hub);
    }
    hub_clear(hub);
}

/* Two persons with a discharge each; of the first's, one is acknowledged, one refused, one held and released, one
 * corrected. */
static struct hub *history(void **state)
{
    struct hub *hub = *state;
    hub_region(hub);
    hub_fact_good(hub,
                  "{\"patientRegistered\":{\"identifiers\":[{\"system\":\"ssin\",\"value\":\"" OTHER_SSIN "\"}]}}");
    hub_fact_good(hub, "{\"consentGiven\":{\"patient\":{\"number\":\"2\"},\"purposes\":[\"continuity-of-care\"]}}");
    hub_fact_good(hub, "{\"memberAdded\":{\"patient\":{\"number\":\"2\"},\"actor\":\"nurse\",\"role\":\"home-care\"}}");
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    hub_publish(hub, HOSPITAL, 2, DISCHARGE);
    assert_int_equal(hub_publish(hub, HOSPITAL, 3, OTHER_DISCHARGE)->status,
                     CAREHUB__V1__CONFIRMATION__STATUS__CONFIRMED);
    hub_fact_good(hub, "{\"memberAdded\":{\"patient\":{\"number\":\"2\"},\"actor\":\"kas\",\"role\":\"home-care\","
                       "\"untilMs\":\"4000000000000\"}}");
    uint64_t epoch = hub_attach(hub, GP, "gp", 0);
    hub_ack(hub, GP, epoch, CAREHUB__V1__LANE__LANE_IMMEDIATE, 1, 1);
    hub_nack(hub, GP, epoch, CAREHUB__V1__LANE__LANE_IMMEDIATE, 2, true);
    hub_fact_good(hub, "{\"actorStanding\":{\"name\":\"apo\",\"standing\":\"SUSPENDED\"}}");
    hub_publish(hub, HOSPITAL, 4, DISCHARGE);
    hub_fact_good(hub, "{\"actorStanding\":{\"name\":\"apo\",\"standing\":\"ACTIVE\"}}");
    settle(hub);
    return hub;
}

/* While the hub is down. */
static void tamper(struct hub *hub, const char *sql)
{
    sqlite3 *db;
    char *error = NULL;
    core_close(&hub->core);
    hub->damaged = true;
    assert_int_equal(sqlite3_open(hub->database, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
        fail_msg("%s", error);
    if (sqlite3_changes(db) != 1)
        fail_msg("%d rows changed by %s", sqlite3_changes(db), sql);
    sqlite3_close(db);
    hub_open(hub);
    for (session_id session = OPERATOR; session < SESSIONS; session++)
        hub_hello(hub, session);
}

/* While it runs: what is in the last thousand entries is looked at before it starts. */
static void tamper_at_once(struct hub *hub, const char *sql)
{
    sqlite3 *db = store_database(hub->core->store);
    char *error = NULL;
    hub->damaged = true;
    if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
        fail_msg("%s", error);
    if (sqlite3_changes(db) != 1)
        fail_msg("%d rows changed by %s", sqlite3_changes(db), sql);
}

/* After a pass over all that is stored. */
static uint64_t damaged(struct hub *hub)
{
    hub->core->next_scrub_ms = 0; /* not in a week: by then what is to be read has been told of */
    settle(hub);
    const Carehub__V1__StatusAnswer *status = hub_ask(hub, "{\"status\":{}}")->status;
    assert_false(status->checking);
    return status->damaged;
}

/* ---- Identifiers ------------------------------------------------------------------------------------------------- */

/* Each leads the first person's number to the second, or nowhere. */
static void identifier_leads_to_no_other_person(void **state)
{
    static const char *const ways[] = {
        "UPDATE identifier SET subject = 2 WHERE subject = 1",
        "UPDATE identifier SET (subject, mac) = (SELECT subject, mac FROM identifier WHERE subject = 2) "
        "WHERE subject = 1",
        "UPDATE identifier SET mac = x'' WHERE subject = 1",
        "UPDATE identifier SET mac = zeroblob(16) WHERE subject = 1",
    };
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        void *fresh = *state;
        if (i > 0)
            assert_int_equal(hub_setup(&fresh), 0);
        struct hub *hub = history(&fresh);
        tamper(hub, ways[i]);
        const Carehub__V1__Confirmation *published = hub_publish(hub, HOSPITAL, 9, DISCHARGE);
        assert_int_equal(published->status, CAREHUB__V1__CONFIRMATION__STATUS__REJECTED);
        assert_int_equal(published->error->code, CAREHUB__V1__ERROR_CODE__INTERNAL);
        hub_clear(hub);
        hub_attach(hub, NURSE, "nurse", 0);
        size_t before = hub_deliveries(hub, NURSE);
        assert_int_equal(before, 4); /* what was published before */
        assert_int_equal(
            hub_ask(hub, "{\"patient\":{\"patient\":{\"identifier\":{\"system\":\"ssin\",\"value\":\"" SSIN "\"}}}}")
                ->error->code,
            CAREHUB__V1__ERROR_CODE__UNKNOWN_NAME);
        assert_int_equal(
            hub_fact(hub, "{\"patientRegistered\":{\"identifiers\":[{\"system\":\"ssin\",\"value\":\"" SSIN "\"}]}}")
                ->error->code,
            CAREHUB__V1__ERROR_CODE__INTERNAL);
        assert_int_equal(hub_fact(hub, "{\"patientsMerged\":{\"patient\":{\"number\":\"2\"},\"merged\":{\"identifier\":"
                                       "{\"system\":\"ssin\",\"value\":\"" SSIN "\"}}}}")
                             ->error->code,
                         CAREHUB__V1__ERROR_CODE__INTERNAL);
        assert_int_equal(damaged(hub), 1);
        if (i > 0)
            hub_teardown(&fresh);
    }
}

/* ---- What was taken away ----------------------------------------------------------------------------------------- */

static void what_was_taken_away_or_rolled_back_is_noticed(void **state)
{
    static const char *const ways[] = {
        "DELETE FROM of_person WHERE (person, place) = (SELECT person, max(place) FROM of_person WHERE person = 1)",
        "UPDATE of_person SET person = 2 WHERE (person, place) = (SELECT person, max(place) FROM of_person WHERE "
        "person = 1)",
        "DELETE FROM id WHERE id = (SELECT min(id) FROM id)",
        "UPDATE id SET place = place + 1 WHERE id = (SELECT min(id) FROM id)",
        "DELETE FROM acked",
        "UPDATE acked SET last_number = 7",
        "DELETE FROM step WHERE (inbox, lane, number, place) = (SELECT inbox, lane, number, place FROM step WHERE "
        "inbox > "
        "0 LIMIT 1)",
        "DELETE FROM step WHERE (inbox, lane, number, place) = (SELECT inbox, lane, number, place FROM step WHERE "
        "inbox = "
        "0 AND lane = 0 LIMIT 1)",
        "DELETE FROM due",
        "UPDATE due SET at_ms = at_ms + 1000",
        "DELETE FROM unread WHERE (told_nobody, due_ms, place, actor) = (SELECT told_nobody, due_ms, place, actor FROM "
        "unread ORDER BY due_ms DESC LIMIT 1)",
        "DELETE FROM entry WHERE place = (SELECT max(place) - 5 FROM entry)",
        "UPDATE entry SET body = x'', payload = NULL WHERE place = 5",
        "UPDATE entry SET body = zeroblob(40), payload = NULL WHERE place = 5",
        "DELETE FROM card WHERE (kind, number, from_place) = (SELECT kind, number, max(from_place) FROM card WHERE "
        "kind = "
        "2 AND number = 3)",
        "DELETE FROM card WHERE (kind, number, from_place) = (SELECT kind, number, max(from_place) FROM card WHERE "
        "kind = "
        "1 AND number = 3)",
        "UPDATE subject SET (from_place, card) = (SELECT from_place, body FROM card WHERE kind = 4 AND number = 1 "
        "ORDER "
        "BY from_place LIMIT 1) WHERE subject = 1",
    };
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        void *fresh = *state;
        if (i > 0)
            assert_int_equal(hub_setup(&fresh), 0);
        struct hub *hub = history(&fresh);
        if (i == 0)
            assert_int_equal(damaged(hub), 0);
        tamper_at_once(hub, ways[i]);
        uint64_t found = damaged(hub);
        if (found == 0 || found > 4)
            fail_msg("%llu damaged after %s", (unsigned long long)found, ways[i]);
        if (i > 0)
            hub_teardown(&fresh);
    }
}

/* A key that is gone is not a person who was erased: neither of the versions of the card nor of what was submitted. */
static void who_has_lost_the_key_has_not_been_erased(void **state)
{
    struct hub *hub = history(state);
    sqlite3_stmt *versions;
    assert_int_equal(sqlite3_prepare_v2(store_database(hub->core->store),
                                        "SELECT count(*) FROM card WHERE kind = 4 AND number = 2", -1, &versions, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(versions), SQLITE_ROW);
    uint64_t cards = (uint64_t)sqlite3_column_int64(versions, 0);
    sqlite3_finalize(versions);
    tamper(hub, "DELETE FROM subject WHERE subject = 2");
    assert_true(damaged(hub) > cards);
}

/* ---- What was invented ------------------------------------------------------------------------------------------- */

static size_t accesses_in_report(struct hub *hub)
{
    const Carehub__V1__Answer *answer = hub_ask(hub, REPORT("2"));
    size_t n = 0;
    if (answer->answer_case != CAREHUB__V1__ANSWER__ANSWER_ACCESS_REPORT)
        fail_msg("%s", answer->error ? answer->error->text : "?");
    for (size_t i = 0; i < answer->access_report->n_items; i++)
        n += answer->access_report->items[i]->n_accesses;
    return n;
}

static void another_persons_accesses_are_in_no_report(void **state)
{
    struct hub *hub = history(state);
    hub_fact_good(hub, "{\"clientSet\":{\"name\":\"first-operator\",\"roles\":[\"VIEWER\",\"OPERATOR\",\"AUDITOR\","
                       "\"REGISTRAR\"]}}");
    size_t before = accesses_in_report(hub);
    assert_true(before > 0);
    tamper(hub, "INSERT INTO of_person SELECT 2, max(place) FROM of_person WHERE person = 1 AND place IN "
                "(SELECT place FROM id)"); /* the last event of the first */
    assert_int_equal(accesses_in_report(hub), before);
    assert_int_equal(damaged(hub), 1);
}

static void what_was_invented_is_noticed(void **state)
{
    static const char *const ways[] = {
        "INSERT INTO of_person VALUES (7, 20)",      "INSERT INTO id VALUES (x'0190aaaaaaaa7000800000000000abcd', 20)",
        "INSERT INTO step VALUES (1, 1, 1, 20)",     "INSERT INTO step VALUES (0, 1, 20, 21)",
        "INSERT INTO acked VALUES (1, 1, 1, 1, 20)", "INSERT INTO acked VALUES (1, 1, 1, 1, 100000)",
    };
    struct hub *hub = history(state);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        tamper(hub, ways[i]);
        assert_int_equal(damaged(hub), i + 1);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, hub_setup, hub_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(identifier_leads_to_no_other_person),
        TEST(what_was_taken_away_or_rolled_back_is_noticed),
        TEST(who_has_lost_the_key_has_not_been_erased),
        TEST(another_persons_accesses_are_in_no_report),
        TEST(what_was_invented_is_noticed),
    };
    return cmocka_run_group_tests_name("index_rows", tests, NULL, NULL);
}
