/* Corners of the hub's promises, on the core alone: limits, restarts, what operators do in the midst of things. */
#include "core_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eventid.h"
#include "hub_limits.h"
#include "pbjson.h"

#define CONFIRMED CAREHUB__V1__CONFIRMATION__STATUS__CONFIRMED
#define REJECTED CAREHUB__V1__CONFIRMATION__STATUS__REJECTED
#define IMMEDIATE CAREHUB__V1__LANE__LANE_IMMEDIATE
#define P1 "\"patient\":{\"number\":\"1\"}"

static struct hub *region(void **state)
{
    struct hub *hub = *state;
    hub_region(hub);
    return hub;
}

static const Carehub__V1__StatusAnswer *status(struct hub *hub)
{
    return hub_ask(hub, "{\"status\":{}}")->status;
}

static const Carehub__V1__ListedInbox *inbox(struct hub *hub, const char *name)
{
    char json[100];
    snprintf(json, sizeof json, "{\"list\":{\"kind\":\"LIST_INBOXES\",\"name\":\"%s\"}}", name);
    return hub_ask(hub, json)->list->inboxes[0];
}

/* Publishes facts as one publication, without committing; ids are counted from `id`. */
static void submit(struct hub *hub, uint8_t id, size_t n, const char *const json[])
{
    Carehub__V1__Publication publication = CAREHUB__V1__PUBLICATION__INIT, *publications[] = {&publication};
    Carehub__V1__Publish publish = CAREHUB__V1__PUBLISH__INIT;
    Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
    Carehub__V1__Item items[4], *pointers[4];
    struct pbjson_error error;
    for (size_t i = 0; i < n; i++) {
        carehub__v1__item__init(&items[i]);
        Carehub__V1__Fact *fact =
            (void *)pbjson_parse(&carehub__v1__fact__descriptor, json[i], strlen(json[i]), PBJSON_UUID, &error);
        assert_non_null(fact);
        fact->id = (ProtobufCBinaryData){16, malloc(16)};
        event_id(hub, (uint8_t)(id + i), fact->id.data);
        items[i].item_case = CAREHUB__V1__ITEM__ITEM_FACT;
        items[i].fact = fact;
        pointers[i] = &items[i];
    }
    publication.ref = 9000;
    publication.n_items = n;
    publication.items = pointers;
    publish.n_publications = 1;
    publish.publications = publications;
    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_PUBLISH;
    message.publish = &publish;
    hub_handle(hub, OPERATOR, &message);
    for (size_t i = 0; i < n; i++)
        carehub__v1__fact__free_unpacked(items[i].fact, NULL);
}

static const Carehub__V1__Confirmation *answer_to_submit(const struct hub *hub)
{
    for (size_t i = hub->n_sent; i-- > 0;) {
        const Carehub__V1__ToClient *sent = hub->sent[i].message;
        for (size_t c = 0;
             sent->message_case == CAREHUB__V1__TO_CLIENT__MESSAGE_CONFIRM && c < sent->confirm->n_confirmations; c++)
            if (sent->confirm->confirmations[c]->ref == 9000)
                return sent->confirm->confirmations[c];
    }
    fail_msg("no confirmation");
    return NULL;
}

/* ---- Entitlement ------------------------------------------------------------------------------------------------- */

static void narrowed_consent_narrows_what_waits_in_a_full_inbox(void **state)
{
    struct hub *hub = region(state);
    hub_fact_good(hub, "{\"inboxSet\":{\"name\":\"gp\",\"actor\":\"gp\",\"types\":[\"*\"],\"maxUndelivered\":\"1\"}}");
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    hub_fact_good(hub, "{\"consentGiven\":{" P1 ",\"purposes\":[\"continuity-of-care\"],\"classes\":\"LEVEL_CARE\"}}");
    hub_clear(hub);
    hub_attach(hub, GP, "gp", 0);
    assert_int_equal(hub_deliveries(hub, GP), 1);
    assert_int_equal(hub_delivery(hub, GP, 0)->level, CAREHUB__V1__LEVEL__LEVEL_CARE);
}

static void actor_that_ended_gets_nothing_after_a_restart_either(void **state)
{
    struct hub *hub = region(state);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    hub_fact_good(hub, "{\"actorStanding\":{\"name\":\"gp\",\"standing\":\"ENDED\"}}");
    hub_crash(hub);
    hub_clear(hub);
    hub_attach(hub, GP, "gp", 0);
    assert_int_equal(hub_deliveries(hub, GP), 0);
}

static void client_receives_no_more_for_an_actor_taken_from_it(void **state)
{
    struct hub *hub = region(state);
    hub_attach(hub, GP, "gp", 0);
    hub_fact_good(hub, "{\"clientSet\":{\"name\":\"gp\",\"actors\":[\"az\"],\"publishes\":[\"*\"]}}");
    assert_int_equal(hub_error(hub, GP)->code, CAREHUB__V1__ERROR_CODE__NOT_ALLOWED);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    assert_int_equal(hub_deliveries(hub, GP), 0);
}

static void excluded_then_ended_in_another_role_stays_stopped(void **state)
{
    struct hub *hub = region(state);
    hub_fact_good(hub, "{\"memberAdded\":{" P1 ",\"actor\":\"gp\",\"role\":\"coordinator\"}}");
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    hub_fact_good(hub, "{\"exclusionSet\":{" P1 ",\"actor\":\"gp\"}}");
    hub_fact_good(hub, "{\"exclusionLifted\":{" P1 ",\"actor\":\"gp\"}}");
    hub_fact_good(hub, "{\"memberEnded\":{" P1 ",\"actor\":\"gp\",\"role\":\"coordinator\"}}");
    hub_attach(hub, GP, "gp", 0);
    assert_int_equal(hub_deliveries(hub, GP), 0);
}

static void emergency_access_ends_within_a_day_whatever_the_numbers(void **state)
{
    struct hub *hub = region(state);
    const Carehub__V1__Confirmation *confirmation = hub_fact(
        hub, "{\"grantGiven\":{" P1 ",\"actor\":\"az\",\"role\":\"emergency-physician\",\"kind\":\"EMERGENCY_ACCESS\","
             "\"purpose\":\"p\",\"justification\":\"j\",\"fromMs\":\"-9223372036854775808\","
             "\"untilMs\":\"9223372036854775807\"}}");
    assert_int_equal(confirmation->status, REJECTED);
    confirmation = hub_fact(hub, "{\"inboxSet\":{\"name\":\"gp\",\"actor\":\"gp\",\"types\":[\"*\"],"
                                 "\"timeToLiveMs\":\"18446744073709551615\"}}");
    assert_int_equal(confirmation->status, REJECTED);
}

static void expired_tokens_do_not_keep_new_ones_away(void **state)
{
    struct hub *hub = region(state);
    char json[200];
    for (int i = 0; i < CLIENT_OFFERS_MAX; i++) {
        snprintf(
            json, sizeof json,
            "{\"enrolmentOffered\":{\"client\":\"gp\",\"tokenHash\":\"AAAA%dAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\","
            "\"expiresMs\":\"%lld\"}}",
            i, (long long)hub->now_ms + 1000);
        hub_fact_good(hub, json);
    }
    assert_int_equal(hub_fact(hub, json)->status, REJECTED);
    hub->now_ms += 2000;
    snprintf(strstr(json, "expiresMs"), 60, "expiresMs\":\"%lld\"}}", (long long)hub->now_ms + 1000);
    hub_fact_good(hub, json);
}

static void fact_that_is_older_than_the_ids_kept_is_refused(void **state)
{
    struct hub *hub = region(state);
    const char *consent[] = {"{\"consentGiven\":{" P1 ",\"purposes\":[\"continuity-of-care\"]}}"};
    submit(hub, 200, 1, consent);
    hub_commit(hub);
    assert_int_equal(answer_to_submit(hub)->status, CONFIRMED);
    hub_fact_good(hub, "{\"consentWithdrawn\":{" P1 "}}");
    hub->now_ms += IDS_KEPT_MS + DAY_MS;
    hub_crash(hub);
    hub->now_ms += 61000;
    hub_commit(hub);
    hub_clear(hub);
    submit(hub, 200, 1, consent); /* or it would revive the consent */
    hub_commit(hub);
    assert_int_equal(answer_to_submit(hub)->status, REJECTED);
    assert_int_equal(answer_to_submit(hub)->error->code, CAREHUB__V1__ERROR_CODE__TOO_OLD);
}

/* ---- Groups ------------------------------------------------------------------------------------------------------- */

static void refused_group_leaves_queues_alone(void **state)
{
    struct hub *hub = region(state);
    static const char *const firsts[] = {"{\"inboxClosed\":{\"name\":\"gp\"}}",
                                         "{\"deadRetried\":{\"inbox\":\"gp\",\"reason\":\"r\"}}"};
    uint64_t epoch = hub_attach(hub, GP, "gp", 0);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    hub_publish(hub, HOSPITAL, 2, DISCHARGE);
    hub_nack(hub, GP, epoch, IMMEDIATE, 1, true);
    for (int i = 0; i < 2; i++) {
        const char *facts[] = {firsts[i], "{\"memberEnded\":{" P1 ",\"actor\":\"az\"}}"};
        submit(hub, (uint8_t)(210 + 2 * i), 2, facts);
        hub_commit(hub);
        assert_int_equal(answer_to_submit(hub)->status, REJECTED);
        assert_int_equal(inbox(hub, "gp")->undelivered, 1);
        assert_int_equal(inbox(hub, "gp")->dead, 1);
    }
}

/* ---- Ends ---------------------------------------------------------------------------------------------------------- */

static void refused_delivery_expires_while_its_receiver_is_away(void **state)
{
    struct hub *hub = region(state);
    hub_fact_good(hub,
                  "{\"inboxSet\":{\"name\":\"gp\",\"actor\":\"gp\",\"types\":[\"*\"],\"timeToLiveMs\":\"60000\"}}");
    uint64_t epoch = hub_attach(hub, GP, "gp", 0);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    hub_nack(hub, GP, epoch, IMMEDIATE, 1, false);
    hub_crash(hub);
    assert_int_equal(inbox(hub, "gp")->undelivered, 1);
    hub->now_ms += 61000;
    hub_commit(hub);
    assert_int_equal(inbox(hub, "gp")->undelivered, 0);
    hub_attach(hub, GP, "gp", 0);
    assert_int_equal(hub_deliveries(hub, GP), 0);
}

static void closing_an_inbox_ends_what_was_refused_too(void **state)
{
    struct hub *hub = region(state);
    uint64_t epoch = hub_attach(hub, GP, "gp", 0);
    uint64_t place = hub_publish(hub, HOSPITAL, 1, DISCHARGE)->place;
    hub_nack(hub, GP, epoch, IMMEDIATE, 1, false);
    hub_fact_good(hub, "{\"inboxClosed\":{\"name\":\"gp\"}}");
    char json[80];
    snprintf(json, sizeof json, "{\"trace\":{\"place\":\"%llu\"}}", (unsigned long long)place);
    const Carehub__V1__TraceAnswer *trace = hub_ask(hub, json)->trace;
    bool closed = false;
    for (size_t i = 0; i < trace->n_lines; i++)
        closed |= trace->lines[i]->reason == CAREHUB__V1__REASON__END_INBOX_CLOSED;
    assert_true(closed);
}

static void range_acknowledges_nothing_that_was_refused(void **state)
{
    struct hub *hub = region(state);
    uint64_t epoch = hub_attach(hub, GP, "gp", 0);
    for (uint8_t id = 1; id <= 5; id++)
        hub_publish(hub, HOSPITAL, id, DISCHARGE);
    hub_nack(hub, GP, epoch, IMMEDIATE, 3, false);
    hub_nack(hub, GP, epoch, IMMEDIATE, 4, true);
    hub_ack(hub, GP, epoch, IMMEDIATE, 2, 5);
    assert_int_equal(inbox(hub, "gp")->undelivered, 2); /* 1, in flight, and 3, which comes again */
    assert_int_equal(inbox(hub, "gp")->dead, 1);
    assert_int_equal(status(hub)->acks, 2);
    hub_clear(hub);
    hub->now_ms += 6000;
    hub_commit(hub);
    assert_int_equal(hub_delivery(hub, GP, 0)->number, 3);
}

static void what_is_put_back_next_to_newer_events_survives_a_restart(void **state)
{
    struct hub *hub = region(state);
    const char *retry[] = {"{\"deadRetried\":{\"inbox\":\"gp\",\"reason\":\"mended\"}}"};
    uint64_t epoch = hub_attach(hub, GP, "gp", 0), places[3];
    for (uint8_t id = 1; id <= 2; id++)
        places[id - 1] = hub_publish(hub, HOSPITAL, id, DISCHARGE)->place;
    hub_nack(hub, GP, epoch, IMMEDIATE, 2, true);
    hub_fact_good(hub, "{\"memberEnded\":{" P1 ",\"actor\":\"nurse\"}}");
    submit(hub, 220, 1, retry);                                  /* in the batch of … */
    places[2] = hub_publish(hub, HOSPITAL, 3, DISCHARGE)->place; /* … a younger event */
    hub_crash(hub);
    hub_clear(hub);
    hub_attach(hub, GP, "gp", 0);
    assert_int_equal(hub_deliveries(hub, GP), 3);
    assert_int_equal(hub_delivery(hub, GP, 0)->place, places[0]);
    assert_int_equal(hub_delivery(hub, GP, 1)->place, places[1]);
    assert_int_equal(hub_delivery(hub, GP, 1)->number, 3);
    assert_int_equal(hub_delivery(hub, GP, 2)->place, places[2]);
    assert_int_equal(hub_skip(hub, GP, 0)->from, 2); /* its old number is over */
}

static void what_is_held_stays_held_for_another_reason(void **state)
{
    struct hub *hub = region(state);
    hub_fact_good(hub, "{\"inboxSet\":{\"name\":\"gp\",\"actor\":\"gp\",\"types\":[\"*\"],\"maxUndelivered\":\"1\"}}");
    uint64_t epoch = hub_attach(hub, GP, "gp", 0);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    hub_publish(hub, HOSPITAL, 2, DISCHARGE); /* the inbox is full */
    assert_int_equal(status(hub)->held, 1);
    hub_fact_good(hub, "{\"actorStanding\":{\"name\":\"gp\",\"standing\":\"SUSPENDED\"}}");
    hub_ack(hub, GP, epoch, IMMEDIATE, 0, 1); /* there is room again, but … */
    hub->now_ms += 2000;
    hub_commit(hub);
    const Carehub__V1__Answer *held = hub_ask(hub, "{\"inboxItems\":{\"which\":\"HELD_ITEMS\"}}");
    assert_int_equal(held->inbox_items->n_lines, 1);
    assert_int_equal(held->inbox_items->lines[0]->reason, CAREHUB__V1__REASON__ACTOR_SUSPENDED);
    hub->now_ms += 15 * DAY_MS;
    hub_commit(hub);
    assert_int_equal(status(hub)->held, 0); /* its deadline was not put off */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, hub_setup, hub_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(narrowed_consent_narrows_what_waits_in_a_full_inbox),
        TEST(actor_that_ended_gets_nothing_after_a_restart_either),
        TEST(client_receives_no_more_for_an_actor_taken_from_it),
        TEST(excluded_then_ended_in_another_role_stays_stopped),
        TEST(emergency_access_ends_within_a_day_whatever_the_numbers),
        TEST(expired_tokens_do_not_keep_new_ones_away),
        TEST(fact_that_is_older_than_the_ids_kept_is_refused),
        TEST(refused_group_leaves_queues_alone),
        TEST(refused_delivery_expires_while_its_receiver_is_away),
        TEST(closing_an_inbox_ends_what_was_refused_too),
        TEST(range_acknowledges_nothing_that_was_refused),
        TEST(what_is_put_back_next_to_newer_events_survives_a_restart),
        TEST(what_is_held_stays_held_for_another_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
