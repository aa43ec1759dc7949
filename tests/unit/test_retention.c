/* What is not kept for ever: payloads go some time after their last delivery ended, entries when they are old; nothing
 * goes that somebody still waits for; and the file of a hub under a steady load does not grow for ever.
 *
 *     test_retention                     all of it, in seconds
 *     test_retention DAYS EVENTS         the steady load alone: so many simulated days, so many events a day */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "core_fixture.h"
#include "pbjson.h"

enum { HOUR = 3600 * 1000 };
#define DAY (24LL * HOUR)

static int load_days = 200, load_events = 20;

static struct hub *region(void **state)
{
    struct hub *hub = *state;
    hub->payload_kept_ms = 90 * DAY;
    hub->entry_kept_ms = 400 * DAY;
    core_close(&hub->core);
    hub_open(hub);
    hub_region(hub);
    return hub;
}

/* So many days, in steps in which what is behind the hot path comes to its turn. */
static void pass_days(struct hub *hub, int days)
{
    for (int64_t until_ms = hub->now_ms + days * DAY; hub->now_ms < until_ms;) {
        hub->now_ms += 4 * HOUR;
        hub_commit(hub);
        for (int i = 0; i < 3; i++) {
            hub->now_ms += 50;
            hub_commit(hub);
        }
        hub_clear(hub);
    }
}

/* Is the payload of the entry at a place still stored? Looked at in a copy of the files. */
static bool kept(struct hub *hub, uint64_t place)
{
    char command[400], path[100];
    sqlite3 *db;
    sqlite3_stmt *statement;
    snprintf(command, sizeof command, "mkdir -p %s/copy && cp %s/hub.db %s/hub.db-wal %s/copy", hub->directory,
             hub->directory, hub->directory, hub->directory);
    assert_int_equal(system(command), 0);
    snprintf(path, sizeof path, "%s/copy/hub.db", hub->directory);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(db, "SELECT 1 FROM entry WHERE place = ?1 AND payload IS NOT NULL", -1, &statement, NULL),
        SQLITE_OK);
    sqlite3_bind_int64(statement, 1, (int64_t)place);
    bool there = sqlite3_step(statement) == SQLITE_ROW;
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return there;
}

static void publish_day(struct hub *hub, int events, uint32_t *serial)
{
    for (int i = 0; i < events; i++) {
        struct pbjson_error error;
        Carehub__V1__Event *event =
            (void *)pbjson_parse(&carehub__v1__event__descriptor, DISCHARGE, strlen(DISCHARGE), PBJSON_UUID, &error);
        Carehub__V1__Publication publication = CAREHUB__V1__PUBLICATION__INIT, *publications[] = {&publication};
        Carehub__V1__Publish all = CAREHUB__V1__PUBLISH__INIT;
        Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
        Carehub__V1__Item item = CAREHUB__V1__ITEM__INIT, *items[] = {&item};
        uint8_t id[16] = {0};
        hub->now_ms += DAY / 2 / events;
        for (int b = 0; b < 6; b++)
            id[b] = (uint8_t)(hub->now_ms >> (40 - 8 * b));
        id[6] = 0x70;
        id[8] = 0x80;
        ++*serial;
        memcpy(id + 12, serial, 4);
        event->id = (ProtobufCBinaryData){16, id};
        item.item_case = CAREHUB__V1__ITEM__ITEM_EVENT;
        item.event.len = carehub__v1__event__get_packed_size(event);
        item.event.data = malloc(item.event.len);
        carehub__v1__event__pack(event, item.event.data);
        event->id = (ProtobufCBinaryData){0, NULL};
        carehub__v1__event__free_unpacked(event, NULL);
        publication.ref = ++hub->ref;
        publication.n_items = 1;
        publication.items = items;
        all.n_publications = 1;
        all.publications = publications;
        message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_PUBLISH;
        message.publish = &all;
        hub_handle(hub, HOSPITAL, &message);
        free(item.event.data);
        hub_commit(hub);
    }
    for (size_t i = 0; i < hub->n_sent; i++) {
        const Carehub__V1__ToClient *sent = hub->sent[i].message;
        if (sent->message_case == CAREHUB__V1__TO_CLIENT__MESSAGE_CONFIRM && sent->confirm->confirmations[0]->error)
            fail_msg("%s", sent->confirm->confirmations[0]->error->text);
    }
    hub_clear(hub);
}

static void take_all(struct hub *hub, session_id session, const char *inbox)
{
    uint64_t epoch = hub_attach(hub, session, inbox, 0), last[2] = {0, 0};
    const Carehub__V1__Delivery *delivery;
    for (size_t i = 0; (delivery = hub_delivery(hub, session, i)); i++)
        last[delivery->lane] = delivery->number;
    for (int lane = 0; lane < 2; lane++)
        if (last[lane])
            hub_ack(hub, session, epoch, (Carehub__V1__Lane)lane, 1, last[lane]);
    hub_clear(hub);
}

static void all_take(struct hub *hub)
{
    take_all(hub, GP, "gp");
    take_all(hub, PHARMACY, "apo");
    take_all(hub, NURSE, "nurse");
}

/* ---- Payloads ------------------------------------------------------------------------------------------------------ */

static void payload_goes_after_its_last_delivery_has_ended(void **state)
{
    struct hub *hub = region(state);
    uint64_t place = hub_publish(hub, HOSPITAL, 1, DISCHARGE)->place;
    take_all(hub, GP, "gp");
    take_all(hub, PHARMACY, "apo");
    pass_days(hub, 60);
    take_all(hub, NURSE, "nurse");
    pass_days(hub, 60); /* 120 days after it came, 60 after it ended */
    assert_true(kept(hub, place));
    pass_days(hub, 35);
    assert_false(kept(hub, place));
    char json[100];
    snprintf(json, sizeof json, "{\"trace\":{\"place\":\"%llu\"}}", (unsigned long long)place);
    assert_true(hub_ask(hub, json)->trace->n_lines > 3); /* the entry is there, and all that became of it */
    hub_clear(hub);
    hub_crash(hub);
    assert_int_equal(hub_ask(hub, "{\"status\":{}}")->status->damaged, 0);
}

static void what_waits_keeps_its_payload(void **state)
{
    struct hub *hub = region(state);
    hub_fact_good(hub, "{\"inboxSet\":{\"name\":\"apo\",\"actor\":\"apo\",\"types\":[\"*\"],\"timeToLiveMs\":"
                       "\"31536000000\"}}");
    uint64_t place = hub_publish(hub, HOSPITAL, 1, DISCHARGE)->place;
    take_all(hub, GP, "gp");
    take_all(hub, NURSE, "nurse");
    pass_days(hub, 200);
    assert_true(kept(hub, place));
    hub_attach(hub, PHARMACY, "apo", 0);
    assert_int_equal(hub_deliveries(hub, PHARMACY), 1);
}

static void what_is_dead_keeps_its_payload(void **state)
{
    struct hub *hub = region(state);
    uint64_t place = hub_publish(hub, HOSPITAL, 1, DISCHARGE)->place;
    take_all(hub, GP, "gp");
    take_all(hub, NURSE, "nurse");
    uint64_t epoch = hub_attach(hub, PHARMACY, "apo", 0);
    hub_nack(hub, PHARMACY, epoch, hub_delivery(hub, PHARMACY, 0)->lane, 1, true);
    pass_days(hub, 500);
    assert_true(kept(hub, place));
    hub_clear(hub);
    hub_fact_good(hub, "{\"deadRetried\":{\"inbox\":\"apo\",\"reason\":\"mended\"}}");
    assert_int_equal(hub_deliveries(hub, PHARMACY), 1);
}

static void what_has_gone_is_not_delivered_again_and_blocks_nothing(void **state)
{
    struct hub *hub = region(state);
    uint32_t serial = 0;
    uint64_t place = hub_publish(hub, HOSPITAL, 1, DISCHARGE)->place;
    all_take(hub);
    pass_days(hub, 3);
    all_take(hub); /* what came to others because it was not read */
    pass_days(hub, 100);
    assert_false(kept(hub, place));
    hub_attach(hub, GP, "gp", 0);
    hub_fact_good(hub, "{\"replayed\":{\"patient\":{\"number\":\"1\"},\"actorName\":\"gp\",\"reason\":\"test\"}}");
    pass_days(hub, 1);
    publish_day(hub, 1, &serial);
    hub_attach(hub, GP, "gp", 0);
    assert_int_equal(hub_deliveries(hub, GP), 1);
}

/* ---- Entries ------------------------------------------------------------------------------------------------------- */

/* A day: events come in, are taken, and the night passes. */
static uint64_t one_day(struct hub *hub, int events, uint32_t *serial)
{
    publish_day(hub, events, serial);
    all_take(hub);
    pass_days(hub, 0);
    for (int i = 0; i < 12; i++) {
        hub->now_ms += DAY / 24;
        hub_commit(hub);
        for (int turn = 0; turn < 1 + events / 256; turn++) {
            hub->now_ms += 50;
            hub_commit(hub);
        }
    }
    hub_clear(hub);
    uint64_t bytes = hub_ask(hub, "{\"status\":{}}")->status->database_bytes;
    hub_clear(hub);
    return bytes;
}

static void file_stays_bounded_under_a_steady_load(void **state)
{
    struct hub *hub = *state;
    uint32_t serial = 0;
    uint64_t settled = 0, bytes = 0;
    int settles = 160; /* ids are kept for 90 days, so it cannot be earlier */
    hub->payload_kept_ms = 20 * DAY;
    hub->entry_kept_ms = 60 * DAY;
    core_close(&hub->core);
    hub_open(hub);
    hub_region(hub);
    for (int day = 1; day <= load_days; day++) {
        bytes = one_day(hub, load_events, &serial);
        if (day == settles)
            settled = bytes;
        if (day % 30 == 0)
            fprintf(stderr, "day %4d: %8u events, database %6.1f MB\n", day, serial, (double)bytes / 1e6);
    }
    assert_true(bytes < settled + settled / 5);
    assert_int_equal(hub_ask(hub, "{\"status\":{}}")->status->undelivered, 0);
}

static void old_entries_go_and_the_rest_is_found(void **state)
{
    struct hub *hub = region(state);
    uint32_t serial = 0;
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    all_take(hub);
    for (int i = 0; i < 30; i++)
        publish_day(hub, 80, &serial); /* the end of the log always stays: there has to be one */
    all_take(hub);
    pass_days(hub, 500);
    const Carehub__V1__ExportAnswer *log = hub_ask(hub, "{\"exportLog\":{\"fromPlace\":\"1\"}}")->export_log;
    assert_true(log->n_entries > 0);
    assert_true(log->entries[0]->place > 1000);
    hub_clear(hub);
    hub_crash(hub);
    assert_int_equal(hub_ask(hub, "{\"patient\":{\"patient\":{\"number\":\"1\"}}}")->patient->n_members, 3);
    assert_int_equal(hub_publish(hub, HOSPITAL, 9, DISCHARGE)->status,
                     CAREHUB__V1__CONFIRMATION__STATUS__REJECTED); /* an id of long ago */
    hub_clear(hub);
    publish_day(hub, 1, &serial);
    hub_attach(hub, GP, "gp", 0);
    assert_int_equal(hub_deliveries(hub, GP), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, hub_setup, hub_teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest load[] = {TEST(file_stays_bounded_under_a_steady_load)};
    const struct CMUnitTest tests[] = {
        TEST(payload_goes_after_its_last_delivery_has_ended),
        TEST(what_waits_keeps_its_payload),
        TEST(what_is_dead_keeps_its_payload),
        TEST(what_has_gone_is_not_delivered_again_and_blocks_nothing),
        TEST(old_entries_go_and_the_rest_is_found),
        TEST(file_stays_bounded_under_a_steady_load),
    };
    if (argc == 3) {
        load_days = atoi(argv[1]);
        load_events = atoi(argv[2]);
        return cmocka_run_group_tests_name("retention", load, NULL, NULL);
    }
    return cmocka_run_group_tests_name("retention", tests, NULL, NULL);
}
