/* The hub's promises, on the core alone: see promises.md's list in README and events' rules. Each test names its
 * promise. */
#include "core_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "route/route.h"

#define CONFIRMED CAREHUB__V1__CONFIRMATION__STATUS__CONFIRMED
#define REPEATED CAREHUB__V1__CONFIRMATION__STATUS__REPEATED
#define REJECTED CAREHUB__V1__CONFIRMATION__STATUS__REJECTED
#define IMMEDIATE CAREHUB__V1__LANE__LANE_IMMEDIATE
#define P1 "\"patient\":{\"number\":\"1\"}"

static struct hub *region(void **state)
{
    struct hub *hub = *state;
    hub_region(hub);
    return hub;
}

static bool contains(const Carehub__V1__Delivery *delivery, const char *text)
{
    return memmem(delivery->event.data, delivery->event.len, text, strlen(text)) != NULL;
}

static uint64_t last_place(struct hub *hub)
{
    return hub_ask(hub, "{\"status\":{}}")->status->last_place;
}

/* The reason with which the log says that the delivery to an actor ended, or was not made. */
static Carehub__V1__Reason end_of(struct hub *hub, uint64_t place, const char *actor, Carehub__V1__Reason *why)
{
    char json[80];
    snprintf(json, sizeof json, "{\"trace\":{\"place\":\"%llu\"}}", (unsigned long long)place);
    const Carehub__V1__Answer *answer = hub_ask(hub, json);
    Carehub__V1__Reason found = 0;
    assert_null(answer->error);
    for (size_t i = 0; i < answer->trace->n_lines; i++) {
        const Carehub__V1__TraceLine *line = answer->trace->lines[i];
        if (strcmp(line->actor, actor) != 0)
            continue;
        if (line->step == CAREHUB__V1__TRACE_LINE__STEP__END) {
            found = line->reason;
            *why = line->why;
        } else if (line->step == CAREHUB__V1__TRACE_LINE__STEP__ACKNOWLEDGED_STORED) {
            found = CAREHUB__V1__REASON__END_ACKNOWLEDGED;
        }
    }
    return found;
}

/* ---- Who is told, and what -------------------------------------------------------------------------------------- */

static void event_reaches_entitled_members_and_nobody_else(void **state)
{
    struct hub *hub = region(state);
    for (session_id session = HOSPITAL; session <= INSURER; session++) {
        static const char *const inboxes[] = {"az", "gp", "apo", "nurse", "kas"};
        hub_attach(hub, session, inboxes[session - HOSPITAL], 0);
    }
    const Carehub__V1__Confirmation *confirmation = hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    assert_int_equal(confirmation->status, CONFIRMED);
    assert_int_equal(confirmation->place, last_place(hub));
    assert_int_equal(hub_deliveries(hub, GP), 1);
    assert_int_equal(hub_deliveries(hub, PHARMACY), 1);
    assert_int_equal(hub_deliveries(hub, NURSE), 1);
    assert_int_equal(hub_deliveries(hub, INSURER), 0);
    assert_int_equal(hub_deliveries(hub, HOSPITAL), 0);
}

static void view_holds_nothing_above_the_cell(void **state)
{
    struct hub *hub = region(state);
    hub_attach(hub, GP, "gp", 0);
    hub_attach(hub, NURSE, "nurse", 0); /* a coordinator: care */
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    const Carehub__V1__Delivery *clinical = hub_delivery(hub, GP, 0), *care = hub_delivery(hub, NURSE, 0);
    assert_true(contains(clinical, "CLINICALNOTE") && contains(clinical, "PSY2"));
    assert_int_equal(care->level, CAREHUB__V1__LEVEL__LEVEL_CARE);
    assert_true(contains(care, "PSY2"));
    assert_false(contains(care, "CLINICALNOTE"));
}

static void nothing_is_kept_of_a_person_without_consent(void **state)
{
    struct hub *hub = region(state);
    hub_fact_good(hub, "{\"consentWithdrawn\":{" P1 "}}");
    const Carehub__V1__Confirmation *confirmation = hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    assert_int_equal(confirmation->status, CONFIRMED); /* the publisher is not told who takes part */
    uint64_t place = confirmation->place;
    hub_fact_good(hub, "{\"consentGiven\":{" P1 ",\"purposes\":[\"continuity-of-care\"]}}");
    hub_attach(hub, GP, "gp", 0);
    assert_int_equal(hub_publish(hub, HOSPITAL, 1, DISCHARGE)->status, REPEATED);
    assert_int_equal(hub_deliveries(hub, GP), 0); /* a later consent does not revive it */
    char json[80];
    snprintf(json, sizeof json, "{\"exportLog\":{\"fromPlace\":\"%llu\",\"max\":1}}", (unsigned long long)place);
    const Carehub__V1__Entry *entry = hub_ask(hub, json)->export_log->entries[0];
    assert_int_equal(entry->what_case, CAREHUB__V1__ENTRY__WHAT_NOT_KEPT);
    assert_int_equal(entry->patient, 0);
}

static void unknown_person_gets_the_ordinary_confirm(void **state)
{
    struct hub *hub = region(state);
    const Carehub__V1__Confirmation *confirmation =
        hub_publish(hub, HOSPITAL, 1,
                    "{\"type\":\"HOSPITAL_DISCHARGE\",\"patient\":{\"identifiers\":[{\"system\":\"ssin\",\"value\":"
                    "\"85073003328\"}]},"
                    "\"occurredAt\":{\"unixMs\":\"1795300000000\"},\"hospitalDischarge\":{}}");
    assert_int_equal(confirmation->status, CONFIRMED);
    assert_int_equal(confirmation->number, 0);
}

/* ---- Idempotency ------------------------------------------------------------------------------------------------ */

static void same_event_twice_gives_one_delivery_and_the_same_place(void **state)
{
    struct hub *hub = region(state);
    hub_attach(hub, GP, "gp", 0);
    uint64_t place = hub_publish(hub, HOSPITAL, 1, DISCHARGE)->place;
    hub_crash(hub);
    const Carehub__V1__Confirmation *again = hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    assert_int_equal(again->status, REPEATED);
    assert_int_equal(again->place, place);
    hub_clear(hub);
    hub_attach(hub, GP, "gp", 0);
    assert_int_equal(hub_deliveries(hub, GP), 1);
}

static void same_id_with_other_content_is_refused(void **state)
{
    struct hub *hub = region(state);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    char *other = strdup(DISCHARGE);
    memcpy(strstr(other, "PSY2"), "PSY3", 4);
    const Carehub__V1__Confirmation *confirmation = hub_publish(hub, HOSPITAL, 1, other);
    free(other);
    assert_int_equal(confirmation->status, REJECTED);
    assert_int_equal(confirmation->error->code, CAREHUB__V1__ERROR_CODE__ID_CONFLICT);
    assert_false(confirmation->error->retry);
}

static void what_was_not_committed_is_gone_and_safe_to_send_again(void **state)
{
    struct hub *hub = region(state);
    uint64_t place = hub_publish(hub, HOSPITAL, 1, DISCHARGE)->place;
    assert_int_equal(last_place(hub), place);
    hub_crash(hub);
    assert_int_equal(last_place(hub), place); /* what was confirmed is there */
    assert_int_equal(hub_publish(hub, HOSPITAL, 2, DISCHARGE)->status, CONFIRMED);
}

/* ---- Refusals --------------------------------------------------------------------------------------------------- */

static void inadmissible_events_are_refused_with_a_reason(void **state)
{
    struct hub *hub = region(state);
    static const struct {
        session_id session;
        Carehub__V1__ErrorCode code;
        const char *field, *json;
    } cases[] = {
        {HOSPITAL, CAREHUB__V1__ERROR_CODE__INVALID, "type",
         "{\"type\":\"FALL_REPORTED\",\"patient\":{\"identifiers\":[{\"system\":\"ssin\",\"value\":\"38041299949\"}]},"
         "\"occurredAt\":{\"unixMs\":\"1\"},\"hospitalDischarge\":{}}"},
        {HOSPITAL, CAREHUB__V1__ERROR_CODE__INVALID, "patient.identifiers",
         "{\"type\":\"HOSPITAL_DISCHARGE\",\"occurredAt\":{\"unixMs\":\"1\"},\"hospitalDischarge\":{}}"},
        {HOSPITAL, CAREHUB__V1__ERROR_CODE__INVALID, "patient.identifiers[0]",
         "{\"type\":\"HOSPITAL_DISCHARGE\",\"patient\":{\"identifiers\":[{\"system\":\"ssin\",\"value\":"
         "\"38041299948\"}]},"
         "\"occurredAt\":{\"unixMs\":\"1\"},\"hospitalDischarge\":{}}"},
        {HOSPITAL, CAREHUB__V1__ERROR_CODE__INVALID, "occurredAt",
         "{\"type\":\"HOSPITAL_DISCHARGE\",\"patient\":{\"identifiers\":[{\"system\":\"ssin\",\"value\":"
         "\"38041299949\"}]},"
         "\"hospitalDischarge\":{}}"},
        {PHARMACY, CAREHUB__V1__ERROR_CODE__NOT_ALLOWED, "type", DISCHARGE},
        {HOSPITAL, CAREHUB__V1__ERROR_CODE__NOT_ALLOWED, "author.actor",
         "{\"type\":\"HOSPITAL_DISCHARGE\",\"author\":{\"actor\":\"gp\"},\"patient\":{\"identifiers\":[{\"system\":"
         "\"ssin\","
         "\"value\":\"38041299949\"}]},\"occurredAt\":{\"unixMs\":\"1\"},\"hospitalDischarge\":{}}"},
        {HOSPITAL, CAREHUB__V1__ERROR_CODE__CORRECTION_UNKNOWN, "amends",
         "{\"type\":\"HOSPITAL_DISCHARGE\",\"amends\":\"01a20097-e57a-7332-8bb9-374dd82b3b02\",\"patient\":{"
         "\"identifiers\":[{"
         "\"system\":\"ssin\",\"value\":\"38041299949\"}]},\"occurredAt\":{\"unixMs\":\"1\"},\"hospitalDischarge\":{}"
         "}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t before = last_place(hub);
        const Carehub__V1__Confirmation *confirmation =
            hub_publish(hub, cases[i].session, (uint8_t)(i + 1), cases[i].json);
        assert_int_equal(confirmation->status, REJECTED);
        assert_int_equal(confirmation->error->code, cases[i].code);
        assert_string_equal(confirmation->error->field, cases[i].field);
        assert_int_equal(last_place(hub), before); /* and leaves nothing in the log */
    }
}

static void group_is_taken_whole_or_not_at_all(void **state)
{
    struct hub *hub = region(state);
    uint64_t before = last_place(hub);
    hub_attach(hub, GP, "gp", 0);
    before++; /* the attachment */
    Carehub__V1__ConsentWithdrawn withdrawn = CAREHUB__V1__CONSENT_WITHDRAWN__INIT;
    Carehub__V1__MemberEnded ended = CAREHUB__V1__MEMBER_ENDED__INIT;
    Carehub__V1__PatientRef patient = CAREHUB__V1__PATIENT_REF__INIT;
    Carehub__V1__Fact facts[2];
    Carehub__V1__Item parts[2], *items[] = {&parts[0], &parts[1]};
    Carehub__V1__Publication publication = CAREHUB__V1__PUBLICATION__INIT, *publications[] = {&publication};
    Carehub__V1__Publish publish = CAREHUB__V1__PUBLISH__INIT;
    Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
    uint8_t ids[2][16];
    patient.number = 1;
    withdrawn.patient = ended.patient = &patient;
    ended.actor = (char *)"az"; /* no member: refused */
    for (int i = 0; i < 2; i++) {
        carehub__v1__fact__init(&facts[i]);
        carehub__v1__item__init(&parts[i]);
        event_id(hub, (uint8_t)(100 + i), ids[i]);
        facts[i].id = (ProtobufCBinaryData){16, ids[i]};
        parts[i].item_case = CAREHUB__V1__ITEM__ITEM_FACT;
        parts[i].fact = &facts[i];
    }
    facts[0].fact_case = CAREHUB__V1__FACT__FACT_CONSENT_WITHDRAWN;
    facts[0].consent_withdrawn = &withdrawn;
    facts[1].fact_case = CAREHUB__V1__FACT__FACT_MEMBER_ENDED;
    facts[1].member_ended = &ended;
    publication.n_items = 2;
    publication.items = items;
    publish.n_publications = 1;
    publish.publications = publications;
    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_PUBLISH;
    message.publish = &publish;
    hub_clear(hub);
    hub_handle(hub, OPERATOR, &message);
    hub_commit(hub);
    assert_int_equal(hub->sent[0].message->confirm->confirmations[0]->status, REJECTED);
    assert_string_equal(hub->sent[0].message->confirm->confirmations[0]->error->field, "items[1].actor");
    assert_int_equal(last_place(hub), before);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE); /* the consent is still there */
    assert_int_equal(hub_deliveries(hub, GP), 1);
}

/* ---- Withdrawal, removal, revocation ---------------------------------------------------------------------------- */

static void withdrawn_consent_stops_queued_delivery(void **state)
{
    struct hub *hub = region(state);
    uint64_t place = hub_publish(hub, HOSPITAL, 1, DISCHARGE)->place;
    hub_fact_good(hub, "{\"consentWithdrawn\":{" P1 "}}");
    hub_clear(hub);
    hub_attach(hub, GP, "gp", 0);
    assert_int_equal(hub_deliveries(hub, GP), 0);
    const Carehub__V1__Skip *skip = hub_skip(hub, GP, 0);
    assert_non_null(skip);
    assert_int_equal(skip->from, 1);
    assert_int_equal(skip->to, 1);
    Carehub__V1__Reason why = 0;
    assert_int_equal(end_of(hub, place, "gp", &why), CAREHUB__V1__REASON__END_WITHDRAWN);
    assert_int_equal(why, CAREHUB__V1__REASON__NO_CONSENT);
}

/* A ground that comes back entitles to what comes from then on, not to what was stopped. */
static void what_was_stopped_stays_stopped_when_the_ground_comes_back(void **state)
{
    static const char *const changes[][2] = {
        {"{\"consentWithdrawn\":{" P1 "}}", "{\"consentGiven\":{" P1 ",\"purposes\":[\"continuity-of-care\"]}}"},
        {"{\"memberEnded\":{" P1 ",\"actor\":\"gp\"}}", "{\"memberAdded\":{" P1 ",\"actor\":\"gp\",\"role\":\"gp\"}}"},
        {"{\"exclusionSet\":{" P1 ",\"actor\":\"gp\"}}", "{\"exclusionLifted\":{" P1 ",\"actor\":\"gp\"}}"},
    };
    struct hub *hub = region(state);
    for (uint8_t i = 0; i < 3; i++) {
        hub_publish(hub, HOSPITAL, (uint8_t)(2 * i + 1), DISCHARGE);
        hub_fact_good(hub, changes[i][0]);
        hub_fact_good(hub, changes[i][1]);
        hub_publish(hub, HOSPITAL, (uint8_t)(2 * i + 2), DISCHARGE);
    }
    hub_clear(hub);
    hub_attach(hub, GP, "gp", 0);
    assert_int_equal(hub_deliveries(hub, GP), 1); /* the last one; each change stopped all before it */
    assert_int_equal(hub_delivery(hub, GP, 0)->number, 6);
    hub_attach(hub, NURSE, "nurse", 0);
    assert_int_equal(hub_deliveries(hub, NURSE), 5); /* only the withdrawal concerned the others */
}

static void removed_and_excluded_members_get_nothing_more(void **state)
{
    struct hub *hub = region(state);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    hub_fact_good(hub, "{\"memberEnded\":{" P1 ",\"actor\":\"gp\"}}");
    hub_fact_good(hub, "{\"exclusionSet\":{" P1 ",\"actor\":\"apo\"}}");
    hub_clear(hub);
    hub_attach(hub, GP, "gp", 0);
    hub_attach(hub, PHARMACY, "apo", 0);
    hub_attach(hub, NURSE, "nurse", 0);
    hub_publish(hub, HOSPITAL, 2, DISCHARGE);
    assert_int_equal(hub_deliveries(hub, GP), 0);
    assert_int_equal(hub_deliveries(hub, PHARMACY), 0);
    assert_int_equal(hub_deliveries(hub, NURSE), 2);
}

static void answer_to_a_withdrawal_says_what_is_in_flight(void **state)
{
    struct hub *hub = region(state);
    hub_attach(hub, GP, "gp", 0);
    hub_attach(hub, NURSE, "nurse", 0);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    assert_int_equal(hub_fact(hub, "{\"consentWithdrawn\":{" P1 "}}")->in_flight, 2);
}

static void revoked_key_gets_nothing_more(void **state)
{
    struct hub *hub = region(state);
    hub_attach(hub, GP, "gp", 0);
    hub_fact_good(hub, "{\"clientStanding\":{\"name\":\"gp\",\"standing\":\"ENDED\"}}");
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    assert_int_equal(hub_deliveries(hub, GP), 0);
    assert_int_equal(hub_ask(hub, "{\"status\":{}}")->status->undelivered, 3); /* kept for a new key */
}

static void membership_ends_at_its_date(void **state)
{
    struct hub *hub = region(state);
    char json[200];
    snprintf(json, sizeof json, "{\"memberAdded\":{" P1 ",\"actor\":\"gp\",\"role\":\"gp\",\"untilMs\":\"%lld\"}}",
             (long long)hub->now_ms + 1000);
    hub_fact_good(hub, json);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    hub->now_ms += 1000;
    hub_clear(hub);
    hub_attach(hub, GP, "gp", 0);
    assert_int_equal(hub_deliveries(hub, GP), 0); /* not even what was queued before */
}

static void suspended_actor_is_held_then_released(void **state)
{
    struct hub *hub = region(state);
    hub_fact_good(hub, "{\"actorStanding\":{\"name\":\"gp\",\"standing\":\"SUSPENDED\"}}");
    uint64_t place = hub_publish(hub, HOSPITAL, 1, DISCHARGE)->place;
    assert_int_equal(hub_ask(hub, "{\"status\":{}}")->status->held, 1);
    hub_fact_good(hub, "{\"actorStanding\":{\"name\":\"gp\",\"standing\":\"ACTIVE\"}}");
    char json[120];
    snprintf(json, sizeof json,
             "{\"heldSettled\":{\"place\":\"%llu\",\"actor\":\"gp\",\"release\":true,\"reason\":\"back\"}}",
             (unsigned long long)place);
    hub_fact_good(hub, json);
    hub_attach(hub, GP, "gp", 0);
    assert_int_equal(hub_deliveries(hub, GP), 1);
    assert_int_equal(hub_ask(hub, "{\"status\":{}}")->status->held, 0);
}

static void held_delivery_goes_out_when_its_cause_is_gone(void **state)
{
    struct hub *hub = region(state);
    hub_attach(hub, GP, "gp", 0);
    hub_fact_good(hub, "{\"actorStanding\":{\"name\":\"gp\",\"standing\":\"SUSPENDED\"}}");
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    hub->now_ms += 5000;
    hub_commit(hub);
    assert_int_equal(hub_deliveries(hub, GP), 0);
    hub_fact_good(hub, "{\"actorStanding\":{\"name\":\"gp\",\"standing\":\"ACTIVE\"}}");
    hub->now_ms += 5000;
    hub_commit(hub);
    assert_int_equal(hub_deliveries(hub, GP), 1);
}

static void held_past_its_deadline_is_dead(void **state)
{
    struct hub *hub = region(state);
    hub_fact_good(hub, "{\"actorStanding\":{\"name\":\"gp\",\"standing\":\"SUSPENDED\"}}");
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    hub->now_ms += 15LL * 24 * 3600 * 1000;
    hub_crash(hub); /* time passed while it was down */
    assert_int_equal(hub_ask(hub, "{\"status\":{}}")->status->held, 0);
}

/* ---- Inboxes ---------------------------------------------------------------------------------------------------- */

static void unacknowledged_delivery_comes_again_with_its_number(void **state)
{
    struct hub *hub = region(state);
    uint64_t epoch = hub_attach(hub, GP, "gp", 0);
    for (uint8_t id = 1; id <= 3; id++)
        hub_publish(hub, HOSPITAL, id, DISCHARGE);
    hub_ack(hub, GP, epoch, IMMEDIATE, 0, 1);
    hub_crash(hub);
    hub_attach(hub, GP, "gp", 0);
    assert_int_equal(hub_deliveries(hub, GP), 2);
    assert_int_equal(hub_delivery(hub, GP, 0)->number, 2);
    assert_int_equal(hub_delivery(hub, GP, 1)->number, 3);
}

static void acknowledged_ahead_of_others_does_not_come_again(void **state)
{
    struct hub *hub = region(state);
    uint64_t epoch = hub_attach(hub, GP, "gp", 0);
    for (uint8_t id = 1; id <= 3; id++)
        hub_publish(hub, HOSPITAL, id, DISCHARGE);
    hub_ack(hub, GP, epoch, IMMEDIATE, 2, 2);
    hub_crash(hub);
    epoch = hub_attach(hub, GP, "gp", 0);
    assert_int_equal(hub_deliveries(hub, GP), 2);
    assert_int_equal(hub_delivery(hub, GP, 1)->number, 3);
    assert_int_equal(hub_skip(hub, GP, 0)->from, 2);
    hub_ack(hub, GP, epoch, IMMEDIATE, 0, 3);
    assert_int_equal(
        hub_ask(hub, "{\"list\":{\"kind\":\"LIST_INBOXES\",\"name\":\"gp\"}}")->list->inboxes[0]->undelivered, 0);
}

static void displaced_attachment_does_no_harm(void **state)
{
    struct hub *hub = region(state);
    uint64_t old = hub_attach(hub, GP, "gp", 0);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    hub_clear(hub);
    hub_attach(hub, GP, "gp", 0); /* again, by the same session: a new epoch */
    hub_ack(hub, GP, old, IMMEDIATE, 0, 1);
    assert_int_equal(hub_error(hub, GP)->code, CAREHUB__V1__ERROR_CODE__STALE_EPOCH);
    assert_int_equal(
        hub_ask(hub, "{\"list\":{\"kind\":\"LIST_INBOXES\",\"name\":\"gp\"}}")->list->inboxes[0]->undelivered, 1);
}

static void credit_bounds_what_is_on_its_way(void **state)
{
    struct hub *hub = region(state);
    hub_attach(hub, GP, "gp", 2);
    for (uint8_t id = 1; id <= 5; id++)
        hub_publish(hub, HOSPITAL, id, DISCHARGE);
    assert_int_equal(hub_deliveries(hub, GP), 2);
}

static void refused_delivery_comes_again_after_a_while_and_holds_up_nobody(void **state)
{
    struct hub *hub = region(state);
    uint64_t epoch = hub_attach(hub, GP, "gp", 0);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    hub_nack(hub, GP, epoch, IMMEDIATE, 1, false);
    hub_clear(hub);
    hub_publish(hub, HOSPITAL, 2, DISCHARGE);
    assert_int_equal(hub_delivery(hub, GP, 0)->number, 2);
    assert_int_equal(hub_deliveries(hub, GP), 1);
    hub_ack(hub, GP, epoch, IMMEDIATE, 0, 2);
    hub_clear(hub);
    hub->now_ms += 6000;
    hub_commit(hub);
    assert_int_equal(hub_deliveries(hub, GP), 1);
    assert_int_equal(hub_delivery(hub, GP, 0)->number, 1);
    assert_int_equal(hub_delivery(hub, GP, 0)->attempt, 2);
    hub_ack(hub, GP, epoch, IMMEDIATE, 1, 1);
    assert_int_equal(
        hub_ask(hub, "{\"list\":{\"kind\":\"LIST_INBOXES\",\"name\":\"gp\"}}")->list->inboxes[0]->undelivered, 0);
}

static void finally_refused_is_dead_and_can_be_put_back(void **state)
{
    struct hub *hub = region(state);
    uint64_t epoch = hub_attach(hub, GP, "gp", 0);
    uint64_t place = hub_publish(hub, HOSPITAL, 1, DISCHARGE)->place;
    hub_nack(hub, GP, epoch, IMMEDIATE, 1, true);
    assert_int_equal(hub_ask(hub, "{\"status\":{}}")->status->dead, 1);
    hub_clear(hub);
    hub_fact_good(hub, "{\"deadRetried\":{\"inbox\":\"gp\",\"reason\":\"mended\"}}");
    assert_int_equal(hub_delivery(hub, GP, 0)->number, 2);
    assert_int_equal(hub_delivery(hub, GP, 0)->place, place);
    hub_ack(hub, GP, epoch, IMMEDIATE, 0, 2);
    Carehub__V1__Reason why;
    assert_int_equal(end_of(hub, place, "gp", &why), CAREHUB__V1__REASON__END_ACKNOWLEDGED);
    assert_int_equal(hub_ask(hub, "{\"status\":{}}")->status->dead, 0);
}

static void expired_delivery_is_announced_and_recorded(void **state)
{
    struct hub *hub = region(state);
    hub_fact_good(hub,
                  "{\"inboxSet\":{\"name\":\"gp\",\"actor\":\"gp\",\"types\":[\"*\"],\"timeToLiveMs\":\"60000\"}}");
    uint64_t place = hub_publish(hub, HOSPITAL, 1, DISCHARGE)->place;
    hub->now_ms += 61000;
    hub_crash(hub);
    hub_publish(hub, HOSPITAL, 2, DISCHARGE);
    hub_attach(hub, GP, "gp", 0);
    assert_int_equal(hub_deliveries(hub, GP), 1);
    assert_int_equal(hub_delivery(hub, GP, 0)->number, 2);
    Carehub__V1__Reason why;
    assert_int_equal(end_of(hub, place, "gp", &why), CAREHUB__V1__REASON__END_EXPIRED);
}

/* A backlog far beyond the window in memory, over a restart, comes whole and in order. */
static void long_backlog_comes_whole_and_in_order(void **state)
{
    struct hub *hub = region(state);
    enum { BACKLOG = 9000 };
    for (int i = 0; i < BACKLOG; i++) {
        Carehub__V1__Item item = CAREHUB__V1__ITEM__INIT, *items[] = {&item};
        Carehub__V1__Publication publication = CAREHUB__V1__PUBLICATION__INIT, *publications[] = {&publication};
        Carehub__V1__Publish publish = CAREHUB__V1__PUBLISH__INIT;
        Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
        Carehub__V1__Event event = CAREHUB__V1__EVENT__INIT;
        Carehub__V1__Patient patient = CAREHUB__V1__PATIENT__INIT;
        Carehub__V1__Identifier identifier = CAREHUB__V1__IDENTIFIER__INIT, *identifiers[] = {&identifier};
        Carehub__V1__Time time = CAREHUB__V1__TIME__INIT;
        Carehub__V1__HospitalDischarge body = CAREHUB__V1__HOSPITAL_DISCHARGE__INIT;
        uint8_t id[16], packed[512];
        event_id(hub, (uint8_t)(i & 255), id);
        id[14] = (uint8_t)(i >> 8);
        identifier.system = (char *)"ssin";
        identifier.value = (char *)"38041299949";
        patient.n_identifiers = 1;
        patient.identifiers = identifiers;
        event.id = (ProtobufCBinaryData){16, id};
        event.type = CAREHUB__V1__EVENT_TYPE__HOSPITAL_DISCHARGE;
        event.patient = &patient;
        event.occurred_at = &time;
        event.body_case = CAREHUB__V1__EVENT__BODY_HOSPITAL_DISCHARGE;
        event.hospital_discharge = &body;
        item.item_case = CAREHUB__V1__ITEM__ITEM_EVENT;
        item.event = (ProtobufCBinaryData){carehub__v1__event__pack(&event, packed), packed};
        publication.n_items = 1;
        publication.items = items;
        publish.n_publications = 1;
        publish.publications = publications;
        message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_PUBLISH;
        message.publish = &publish;
        hub_handle(hub, HOSPITAL, &message);
        if (i % 500 == 499)
            hub_commit(hub);
        if (i == BACKLOG / 2)
            hub_commit(hub), hub_crash(hub);
    }
    hub_commit(hub);
    hub_clear(hub);
    uint64_t epoch = hub_attach(hub, GP, "gp", 0), expected = 1;
    while (expected <= BACKLOG) {
        size_t n = hub_deliveries(hub, GP);
        assert_true(n > 0);
        for (size_t i = 0, seen = 0; i < hub->n_sent; i++) {
            const Carehub__V1__ToClient *sent = hub->sent[i].message;
            if (sent->message_case != CAREHUB__V1__TO_CLIENT__MESSAGE_DELIVER)
                continue;
            for (size_t d = 0; d < sent->deliver->n_deliveries; d++, seen++)
                assert_int_equal(sent->deliver->deliveries[d]->number, expected++);
        }
        hub_clear(hub);
        hub_ack(hub, GP, epoch, IMMEDIATE, 0, expected - 1);
    }
    assert_int_equal(expected, BACKLOG + 1);
}

/* ---- Corrections ------------------------------------------------------------------------------------------------ */

static char *correction(uint8_t of, const char *kind, struct hub *hub)
{
    uint8_t id[16];
    char text[64], *json = malloc(1000);
    event_id(hub, of, id);
    size_t n = 0;
    for (int i = 0; i < 16; i++)
        n += (size_t)sprintf(text + n, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", id[i]);
    snprintf(json, 1000, "{\"%s\":\"%s\",%s", kind, text, DISCHARGE + 1);
    return json;
}

static void correction_reaches_receivers_and_the_removed_get_a_notice(void **state)
{
    struct hub *hub = region(state);
    uint64_t epoch = hub_attach(hub, GP, "gp", 0);
    hub_attach(hub, PHARMACY, "apo", 0);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    hub_ack(hub, GP, epoch, IMMEDIATE, 0, 1);
    hub_fact_good(hub, "{\"memberEnded\":{" P1 ",\"actor\":\"gp\"}}");
    hub_clear(hub);
    char *json = correction(1, "amends", hub);
    assert_int_equal(hub_publish(hub, HOSPITAL, 2, json)->status, CONFIRMED);
    free(json);
    const Carehub__V1__Delivery *notice = hub_delivery(hub, GP, 0), *whole = hub_delivery(hub, PHARMACY, 0);
    assert_true(notice->notice);
    assert_false(contains(notice, "PSY2") || contains(notice, "38041299949"));
    assert_false(whole->notice);
    assert_true(contains(whole, "PSY2"));
}

static void only_the_publisher_corrects(void **state)
{
    struct hub *hub = region(state);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    char *json = correction(1, "retracts", hub);
    const Carehub__V1__Confirmation *confirmation = hub_publish(hub, GP, 2, json);
    free(json);
    assert_int_equal(confirmation->status, REJECTED);
    assert_int_equal(confirmation->error->code, CAREHUB__V1__ERROR_CODE__CORRECTION_UNKNOWN);
}

static void refused_delivery_holds_up_its_own_correction(void **state)
{
    struct hub *hub = region(state);
    uint64_t epoch = hub_attach(hub, GP, "gp", 0);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    hub_nack(hub, GP, epoch, IMMEDIATE, 1, false);
    hub_clear(hub);
    char *json = correction(1, "amends", hub);
    hub_publish(hub, HOSPITAL, 2, json);
    free(json);
    assert_int_equal(hub_deliveries(hub, GP), 0);
    hub->now_ms += 6000;
    hub_commit(hub);
    assert_int_equal(hub_delivery(hub, GP, 0)->number, 1);
    hub_ack(hub, GP, epoch, IMMEDIATE, 1, 1);
    hub->now_ms += 20000;
    hub_commit(hub);
    assert_int_equal(hub_delivery(hub, GP, 1)->number, 2);
}

/* ---- Storage ---------------------------------------------------------------------------------------------------- */

static void nothing_that_names_a_person_is_on_disk_in_clear(void **state)
{
    struct hub *hub = region(state);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    static const char *const suffixes[] = {"", "-wal"};
    for (int i = 0; i < 2; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s%s", hub->database, suffixes[i]);
        FILE *file = fopen(path, "r");
        assert_non_null(file);
        static char bytes[4 << 20];
        size_t n = fread(bytes, 1, sizeof bytes, file);
        fclose(file);
        assert_null(memmem(bytes, n, "38041299949", 11));
        assert_null(memmem(bytes, n, "CLINICALNOTE", 12));
        assert_null(memmem(bytes, n, "pharmacist", 10));
    }
}

static void other_master_key_does_not_open_the_database(void **state)
{
    struct hub *hub = *state;
    char error[CORE_ERROR_BYTES] = "";
    core_close(&hub->core);
    uint8_t other[32] = {1};
    struct core_config config = {.hub_name = "test", .database_path = hub->database, .master_key = other};
    struct core_output output = {0};
    struct core *core = core_open(&config, &output, (struct core_time){hub->now_ms, 0}, error);
    assert_null(core);
    assert_non_null(strstr(error, "master key"));
    hub_open(hub);
}

/* A flipped byte anywhere in the database is noticed at the latest when the row is read, and never passed on. */
static void flipped_byte_is_noticed(void **state)
{
    struct hub *hub = region(state);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    core_close(&hub->core); /* checkpoints: the WAL is gone */
    FILE *file = fopen(hub->database, "r+");
    assert_non_null(file);
    static uint8_t bytes[4 << 20];
    size_t n = fread(bytes, 1, sizeof bytes, file);
    /* Bodies are random bytes: in the middle of the file most are inside some sealed row. */
    for (size_t at = 100; at < n; at += 97)
        bytes[at] ^= 1;
    rewind(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    fclose(file);
    char error[CORE_ERROR_BYTES] = "";
    struct core_config config = {
        .hub_name = "test", .database_path = hub->database, .master_key = hub->master_key, .policy_text = hub->policy};
    struct core_output output = {0};
    struct core *core = core_open(&config, &output, (struct core_time){hub->now_ms, 0}, error);
    assert_null(core);
    assert_true(strlen(error) > 10);
    remove(hub->database);
    hub_open(hub);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, hub_setup, hub_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(event_reaches_entitled_members_and_nobody_else),
        TEST(view_holds_nothing_above_the_cell),
        TEST(nothing_is_kept_of_a_person_without_consent),
        TEST(unknown_person_gets_the_ordinary_confirm),
        TEST(same_event_twice_gives_one_delivery_and_the_same_place),
        TEST(same_id_with_other_content_is_refused),
        TEST(what_was_not_committed_is_gone_and_safe_to_send_again),
        TEST(inadmissible_events_are_refused_with_a_reason),
        TEST(group_is_taken_whole_or_not_at_all),
        TEST(withdrawn_consent_stops_queued_delivery),
        TEST(what_was_stopped_stays_stopped_when_the_ground_comes_back),
        TEST(removed_and_excluded_members_get_nothing_more),
        TEST(answer_to_a_withdrawal_says_what_is_in_flight),
        TEST(revoked_key_gets_nothing_more),
        TEST(membership_ends_at_its_date),
        TEST(suspended_actor_is_held_then_released),
        TEST(held_delivery_goes_out_when_its_cause_is_gone),
        TEST(held_past_its_deadline_is_dead),
        TEST(unacknowledged_delivery_comes_again_with_its_number),
        TEST(acknowledged_ahead_of_others_does_not_come_again),
        TEST(displaced_attachment_does_no_harm),
        TEST(credit_bounds_what_is_on_its_way),
        TEST(refused_delivery_comes_again_after_a_while_and_holds_up_nobody),
        TEST(finally_refused_is_dead_and_can_be_put_back),
        TEST(expired_delivery_is_announced_and_recorded),
        TEST(long_backlog_comes_whole_and_in_order),
        TEST(correction_reaches_receivers_and_the_removed_get_a_notice),
        TEST(only_the_publisher_corrects),
        TEST(refused_delivery_holds_up_its_own_correction),
        TEST(nothing_that_names_a_person_is_on_disk_in_clear),
        TEST(other_master_key_does_not_open_the_database),
        TEST(flipped_byte_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
