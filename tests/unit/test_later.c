/* Deliveries after an event's own decision: replays, escalations of what was not read, late joiners, and the notice of
 * an emergency access. */
#include "core_fixture.h"

#include <stdio.h>
#include <string.h>

#include <sqlite3.h>

#define P1 "\"patient\":{\"number\":\"1\"}"
#define CAUSE(name) CAREHUB__V1__CAUSE__##name
#define SSIN "\"patient\":{\"identifiers\":[{\"system\":\"ssin\",\"value\":\"38041299949\"}]}"
#define AT "\"occurredAt\":{\"unixMs\":\"1795300000000\"}"
#define HOUR_MS 3600000LL
#define DAY (24 * HOUR_MS)

static const char ADMISSION[] =
    "{\"type\":\"HOSPITAL_ADMISSION\"," SSIN "," AT ",\"hospitalAdmission\":{\"encounterId\":\"E2\"}}";
static const char MEDICATION[] =
    "{\"type\":\"MEDICATION_CHANGED\"," SSIN "," AT ",\"medicationChanged\":{\"schemeVersion\":\"2\"}}";
static const char CRISIS[] = "{\"type\":\"CRISIS_REFERRAL\"," SSIN "," AT ",\"crisisReferral\":{}}";

static struct hub *region(void **state)
{
    struct hub *hub = *state;
    hub_region(hub);
    return hub;
}

/* Lets the hub do what it does behind the hot path. */
static void settle(struct hub *hub)
{
    for (int i = 0; i < 5; i++) {
        hub->now_ms += 1000;
        hub_commit(hub);
    }
}

static void pass(struct hub *hub, int64_t ms)
{
    hub->now_ms += ms;
    hub_commit(hub);
    settle(hub);
}

static uint64_t fact(struct hub *hub, const char *json)
{
    const Carehub__V1__Confirmation *confirmation = hub_fact(hub, json);
    if (confirmation->status != CAREHUB__V1__CONFIRMATION__STATUS__CONFIRMED)
        fail_msg("%s: %s", json, confirmation->error ? confirmation->error->text : "?");
    return confirmation->place;
}

static void refused(struct hub *hub, const char *json, Carehub__V1__ErrorCode code)
{
    const Carehub__V1__Confirmation *confirmation = hub_fact(hub, json);
    assert_int_equal(confirmation->status, CAREHUB__V1__CONFIRMATION__STATUS__REJECTED);
    assert_int_equal(confirmation->error->code, code);
}

/* The n-th LaterEntry of the log from the end (0: the last); NULL if there are not so many. Borrowed until hub_clear.
 */
static const Carehub__V1__Entry *later(struct hub *hub, size_t n)
{
    for (uint64_t last = hub_ask(hub, "{\"status\":{}}")->status->last_place; last > 0; last--) {
        char json[80];
        snprintf(json, sizeof json, "{\"exportLog\":{\"fromPlace\":\"%llu\",\"max\":1}}", (unsigned long long)last);
        const Carehub__V1__Entry *entry = hub_ask(hub, json)->export_log->entries[0];
        if (entry->what_case == CAREHUB__V1__ENTRY__WHAT_LATER && n-- == 0)
            return entry;
    }
    return NULL;
}

static void amend(struct hub *hub, uint8_t id, uint8_t original, bool retract, const char *encounter)
{
    char json[600], text[40];
    uint8_t bytes[16];
    event_id(hub, original, bytes);
    snprintf(text, sizeof text, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", bytes[0],
             bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7], bytes[8], bytes[9], bytes[10],
             bytes[11], bytes[12], bytes[13], bytes[14], bytes[15]);
    snprintf(json, sizeof json,
             "{\"type\":\"HOSPITAL_DISCHARGE\",\"%s\":\"%s\"," SSIN "," AT
             ",\"hospitalDischarge\":{\"encounterId\":\"%s\"}}",
             retract ? "retracts" : "amends", text, encounter);
    assert_int_equal(hub_publish(hub, HOSPITAL, id, json)->status, CAREHUB__V1__CONFIRMATION__STATUS__CONFIRMED);
}

static void take_all(struct hub *hub, session_id session, const char *inbox)
{
    uint64_t epoch = hub_attach(hub, session, inbox, 0);
    for (size_t i = 0; i < hub_deliveries(hub, session); i++) {
        const Carehub__V1__Delivery *delivery = hub_delivery(hub, session, i);
        hub_ack(hub, session, epoch, delivery->lane, delivery->number, delivery->number);
    }
    hub_clear(hub);
}

static void read_one(struct hub *hub, session_id session, uint64_t epoch, const Carehub__V1__Delivery *delivery)
{
    hub_ack_as(hub, session, epoch, delivery->lane, delivery->number, delivery->number, CAREHUB__V1__ACK_KIND__READ);
}

static const Carehub__V1__TraceAnswer *trace(struct hub *hub, uint64_t place)
{
    char json[80];
    snprintf(json, sizeof json, "{\"trace\":{\"place\":\"%llu\"}}", (unsigned long long)place);
    return hub_ask(hub, json)->trace;
}

static const Carehub__V1__ReplayAnswer *progress(struct hub *hub, uint64_t place)
{
    char json[80];
    snprintf(json, sizeof json, "{\"replay\":{\"place\":\"%llu\"}}", (unsigned long long)place);
    return hub_ask(hub, json)->replay;
}

/* ---- Replays ---------------------------------------------------------------------------------------------------- */

static void replay_delivers_again_and_says_so(void **state)
{
    struct hub *hub = region(state);
    uint64_t event = hub_publish(hub, HOSPITAL, 1, DISCHARGE)->place;
    take_all(hub, GP, "gp");
    uint64_t place = fact(hub, "{\"replayed\":{" P1 ",\"actorName\":\"gp\",\"reason\":\"lost its disk\"}}");
    settle(hub);
    assert_int_equal(hub_deliveries(hub, GP), 1);
    const Carehub__V1__Delivery *delivery = hub_delivery(hub, GP, 0);
    assert_int_equal(delivery->place, event);
    assert_int_equal(delivery->cause, CAUSE(REPLAY));
    assert_int_equal(delivery->number, 2);
    assert_int_equal(delivery->level, CAREHUB__V1__LEVEL__LEVEL_CLINICAL);
    const Carehub__V1__Entry *entry = later(hub, 0);
    assert_int_equal(entry->later->because, place);
    assert_int_equal(entry->later->event_place, event);
    assert_int_equal(entry->patient, 1);
    const Carehub__V1__ReplayAnswer *replay = progress(hub, place);
    assert_true(replay->done);
    assert_int_equal(replay->count->events, 1);
    assert_int_equal(replay->count->delivered, 1);
}

static void replay_is_authorised_as_of_now(void **state)
{
    struct hub *hub = region(state);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    take_all(hub, GP, "gp");
    take_all(hub, PHARMACY, "apo");
    fact(hub, "{\"exclusionSet\":{" P1 ",\"actor\":\"gp\"}}");
    uint64_t place = fact(hub, "{\"replayed\":{" P1 ",\"reason\":\"test\"}}");
    settle(hub);
    assert_int_equal(hub_deliveries(hub, GP), 0);
    assert_int_equal(hub_deliveries(hub, PHARMACY), 1);
    assert_int_equal(progress(hub, place)->count->withheld, 2); /* the gp, and the insurer who gets none of these */
}

static void replay_after_a_withdrawal_and_a_new_consent_goes_out(void **state)
{
    struct hub *hub = region(state);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    fact(hub, "{\"consentWithdrawn\":{" P1 "}}");
    fact(hub, "{\"consentGiven\":{" P1 ",\"purposes\":[\"continuity-of-care\"]}}");
    hub_clear(hub);
    hub_attach(hub, GP, "gp", 0);
    assert_int_equal(hub_deliveries(hub, GP), 0); /* what was queued stays withdrawn */
    fact(hub, "{\"replayed\":{" P1 ",\"actorName\":\"gp\",\"reason\":\"test\"}}");
    settle(hub);
    assert_int_equal(hub_deliveries(hub, GP), 1);
}

static void withdrawal_after_a_replay_stops_it(void **state)
{
    struct hub *hub = region(state);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    take_all(hub, PHARMACY, "apo");
    hub_crash(hub); /* nobody is attached */
    fact(hub, "{\"replayed\":{" P1 ",\"actorName\":\"apo\",\"reason\":\"test\"}}");
    settle(hub);
    fact(hub, "{\"consentWithdrawn\":{" P1 "}}");
    fact(hub, "{\"consentGiven\":{" P1 ",\"purposes\":[\"continuity-of-care\"]}}");
    hub_crash(hub);
    hub_attach(hub, PHARMACY, "apo", 0);
    settle(hub);
    assert_int_equal(hub_deliveries(hub, PHARMACY), 0);
}

static void replay_gives_what_took_the_place_of_a_corrected_event(void **state)
{
    struct hub *hub = region(state);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    hub->now_ms += HOUR_MS;
    int64_t before_ms = hub->now_ms - 1000;
    amend(hub, 2, 1, false, "E9");
    uint64_t amendment = hub_ask(hub, "{\"status\":{}}")->status->last_place;
    take_all(hub, GP, "gp");
    char json[200];
    snprintf(json, sizeof json,
             "{\"replayed\":{" P1 ",\"actorName\":\"gp\",\"beforeMs\":\"%lld\",\"reason\":\"test\"}}",
             (long long)before_ms);
    fact(hub, json); /* the amendment itself is not asked for */
    settle(hub);
    assert_int_equal(hub_deliveries(hub, GP), 1);
    assert_int_equal(hub_delivery(hub, GP, 0)->place, amendment);
    hub_clear(hub);
    fact(hub, "{\"replayed\":{" P1 ",\"actorName\":\"gp\",\"reason\":\"test\"}}");
    settle(hub);
    assert_int_equal(hub_deliveries(hub, GP), 1); /* once, in its own turn */
}

static void replay_gives_nothing_of_a_retracted_event(void **state)
{
    struct hub *hub = region(state);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    amend(hub, 2, 1, true, "E1");
    fact(hub, "{\"actorSet\":{\"name\":\"ot\",\"kind\":\"PROFESSIONAL\"}}");
    fact(hub, "{\"inboxSet\":{\"name\":\"ot\",\"actor\":\"ot\",\"types\":[\"*\"]}}");
    fact(hub, "{\"memberAdded\":{" P1 ",\"actor\":\"ot\",\"role\":\"specialist\"}}");
    uint64_t place = fact(hub, "{\"replayed\":{" P1 ",\"actorName\":\"ot\",\"reason\":\"test\"}}");
    settle(hub);
    assert_int_equal(progress(hub, place)->count->delivered, 0);
    assert_null(later(hub, 0));
}

static void replay_takes_types_and_a_period(void **state)
{
    struct hub *hub = region(state);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    pass(hub, DAY);
    int64_t since_ms = hub->now_ms;
    uint64_t wanted = hub_publish(hub, HOSPITAL, 2, ADMISSION)->place;
    hub_publish(hub, HOSPITAL, 3, MEDICATION);
    pass(hub, DAY);
    int64_t before_ms = hub->now_ms;
    hub_publish(hub, HOSPITAL, 4, ADMISSION);
    take_all(hub, GP, "gp");
    char json[300];
    snprintf(json, sizeof json,
             "{\"replayed\":{" P1 ",\"actorName\":\"gp\",\"types\":[\"HospitalAdmission\"],\"sinceMs\":\"%lld\","
             "\"beforeMs\":\"%lld\",\"reason\":\"test\"}}",
             (long long)since_ms, (long long)before_ms);
    fact(hub, json);
    settle(hub);
    assert_int_equal(hub_deliveries(hub, GP), 1);
    assert_int_equal(hub_delivery(hub, GP, 0)->place, wanted);
}

static void replay_to_an_actor_covers_all_its_persons(void **state)
{
    struct hub *hub = region(state);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    fact(hub, "{\"patientRegistered\":{\"identifiers\":[{\"system\":\"urn:x\",\"value\":\"2\"}]}}");
    fact(hub, "{\"consentGiven\":{\"patient\":{\"number\":\"2\"},\"purposes\":[\"continuity-of-care\"]}}");
    fact(hub, "{\"memberAdded\":{\"patient\":{\"number\":\"2\"},\"actor\":\"apo\",\"role\":\"pharmacist\"}}");
    fact(hub, "{\"patientRegistered\":{\"identifiers\":[{\"system\":\"urn:x\",\"value\":\"3\"}]}}");
    fact(hub, "{\"consentGiven\":{\"patient\":{\"number\":\"3\"},\"purposes\":[\"continuity-of-care\"]}}");
    for (uint8_t i = 2; i <= 3; i++) {
        char json[300];
        snprintf(json, sizeof json,
                 "{\"type\":\"HOSPITAL_DISCHARGE\",\"patient\":{\"identifiers\":[{\"system\":\"urn:x\",\"value\":"
                 "\"%u\"}]}," AT ",\"hospitalDischarge\":{}}",
                 i);
        hub_publish(hub, HOSPITAL, i, json);
    }
    take_all(hub, PHARMACY, "apo");
    uint64_t place = fact(hub, "{\"replayed\":{\"actorName\":\"apo\",\"reason\":\"test\"}}");
    settle(hub);
    assert_int_equal(hub_deliveries(hub, PHARMACY), 2);
    assert_int_equal(progress(hub, place)->count->withheld, 0); /* of whose team it is not, nothing is said */
}

static void replay_goes_on_after_a_crash(void **state)
{
    enum { EVENTS = 200 };
    struct hub *hub = region(state);
    for (int i = 1; i <= EVENTS; i++) {
        hub_publish(hub, HOSPITAL, (uint8_t)i, DISCHARGE);
        hub_clear(hub);
    }
    uint64_t epoch = hub_attach(hub, GP, "gp", 0);
    hub_ack(hub, GP, epoch, CAREHUB__V1__LANE__LANE_IMMEDIATE, 0, EVENTS);
    settle(hub); /* all can be found, so that the replay begins at once, with a part of it */
    uint64_t place = fact(hub, "{\"replayed\":{" P1 ",\"actorName\":\"gp\",\"reason\":\"test\"}}");
    uint64_t done = progress(hub, place)->count->delivered;
    assert_in_range(done, 1, EVENTS - 1);
    for (int i = 0; i < 30 && !progress(hub, place)->done; i++) {
        hub_crash(hub);
        hub->now_ms += 30;
        hub_commit(hub); /* a little more of it */
        const Carehub__V1__ReplayAnswer *replay = progress(hub, place);
        assert_true(!replay->count || replay->count->delivered >= done);
        done = replay->count ? replay->count->delivered : 0;
    }
    assert_true(progress(hub, place)->done);
    assert_int_equal(progress(hub, place)->count->delivered, EVENTS);
    hub_crash(hub);
    hub_attach(hub, GP, "gp", 0);
    assert_int_equal(hub_deliveries(hub, GP), EVENTS);
    for (int i = 0; i < EVENTS; i++) {
        assert_int_equal(hub_delivery(hub, GP, (size_t)i)->number, EVENTS + 1 + i);
        assert_int_equal(hub_delivery(hub, GP, (size_t)i)->cause, CAUSE(REPLAY));
    }
}

static void replayed_delivery_keeps_its_cause_when_it_is_refused_dead_and_back(void **state)
{
    struct hub *hub = region(state);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    take_all(hub, GP, "gp");
    fact(hub, "{\"replayed\":{" P1 ",\"actorName\":\"gp\",\"reason\":\"test\"}}");
    settle(hub);
    hub_crash(hub);
    uint64_t epoch = hub_attach(hub, GP, "gp", 0);
    hub_nack(hub, GP, epoch, CAREHUB__V1__LANE__LANE_IMMEDIATE, 2, true);
    hub_crash(hub);
    fact(hub, "{\"deadRetried\":{\"inbox\":\"gp\",\"reason\":\"test\"}}");
    hub_crash(hub);
    hub_attach(hub, GP, "gp", 0);
    assert_int_equal(hub_deliveries(hub, GP), 1);
    assert_int_equal(hub_delivery(hub, GP, 0)->number, 3);
    assert_int_equal(hub_delivery(hub, GP, 0)->cause, CAUSE(REPLAY));
}

static void replayed_delivery_lives_as_long_as_any_other(void **state)
{
    struct hub *hub = region(state);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    take_all(hub, GP, "gp");
    pass(hub, 200 * DAY); /* longer ago than a delivery lives */
    hub_crash(hub);
    fact(hub, "{\"replayed\":{" P1 ",\"actorName\":\"gp\",\"reason\":\"test\"}}");
    settle(hub);
    hub_clear(hub);
    hub_attach(hub, GP, "gp", 0);
    assert_int_equal(hub_deliveries(hub, GP), 1);
}

static void replay_that_is_held_is_released_as_a_replay(void **state)
{
    struct hub *hub = region(state);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    take_all(hub, GP, "gp");
    fact(hub, "{\"actorStanding\":{\"name\":\"gp\",\"standing\":\"SUSPENDED\"}}");
    for (int i = 0; i < 2; i++) { /* asked for twice, held once */
        fact(hub, "{\"replayed\":{" P1 ",\"actorName\":\"gp\",\"reason\":\"test\"}}");
        settle(hub);
    }
    assert_int_equal(hub_ask(hub, "{\"status\":{}}")->status->held, 1);
    hub_crash(hub);
    fact(hub, "{\"actorStanding\":{\"name\":\"gp\",\"standing\":\"ACTIVE\"}}");
    settle(hub);
    hub_attach(hub, GP, "gp", 0);
    assert_int_equal(hub_deliveries(hub, GP), 1);
    assert_int_equal(hub_delivery(hub, GP, 0)->cause, CAUSE(REPLAY));
    assert_int_equal(hub_ask(hub, "{\"status\":{}}")->status->held, 0);
}

static void replay_of_a_merged_person_covers_both_records(void **state)
{
    struct hub *hub = region(state);
    fact(hub, "{\"patientRegistered\":{\"identifiers\":[{\"system\":\"urn:x\",\"value\":\"2\"}]}}");
    fact(hub, "{\"consentGiven\":{\"patient\":{\"number\":\"2\"},\"purposes\":[\"continuity-of-care\"]}}");
    uint64_t theirs = hub_publish(hub, HOSPITAL, 1,
                                  "{\"type\":\"HOSPITAL_DISCHARGE\",\"patient\":{\"identifiers\":[{\"system\":"
                                  "\"urn:x\",\"value\":\"2\"}]}," AT ",\"hospitalDischarge\":{}}")
                          ->place;
    fact(hub, "{\"patientsMerged\":{" P1 ",\"merged\":{\"number\":\"2\"}}}");
    hub_publish(hub, HOSPITAL, 2, DISCHARGE);
    take_all(hub, GP, "gp");
    fact(hub, "{\"replayed\":{" P1 ",\"actorName\":\"gp\",\"reason\":\"test\"}}");
    settle(hub);
    assert_int_equal(hub_deliveries(hub, GP), 2); /* by the team of the one that both are now */
    assert_int_equal(hub_delivery(hub, GP, 0)->place, theirs);
}

static void replay_is_the_operators_and_says_why(void **state)
{
    struct hub *hub = region(state);
    refused(hub, "{\"replayed\":{" P1 "}}", CAREHUB__V1__ERROR_CODE__INVALID);
    refused(hub, "{\"replayed\":{\"reason\":\"test\"}}", CAREHUB__V1__ERROR_CODE__INVALID);
    refused(hub, "{\"replayed\":{\"actorName\":\"nobody\",\"reason\":\"test\"}}",
            CAREHUB__V1__ERROR_CODE__UNKNOWN_NAME);
    refused(hub, "{\"replayed\":{\"patient\":{\"number\":\"77\"},\"reason\":\"test\"}}",
            CAREHUB__V1__ERROR_CODE__UNKNOWN_NAME);
    refused(hub, "{\"replayed\":{" P1 ",\"types\":[\"Nothing\"],\"reason\":\"test\"}}",
            CAREHUB__V1__ERROR_CODE__INVALID);
    refused(hub, "{\"replayed\":{" P1 ",\"sinceMs\":\"5\",\"beforeMs\":\"5\",\"reason\":\"test\"}}",
            CAREHUB__V1__ERROR_CODE__INVALID);
    const Carehub__V1__Confirmation *confirmation = hub_fact_as(hub, GP, "{\"replayed\":{" P1 ",\"reason\":\"test\"}}");
    assert_int_equal(confirmation->error->code, CAREHUB__V1__ERROR_CODE__NOT_ALLOWED);
}

static void correction_reaches_who_had_the_original_by_a_replay_alone(void **state)
{
    struct hub *hub = region(state);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    fact(hub, "{\"memberAdded\":{" P1 ",\"actor\":\"kas\",\"role\":\"specialist\"}}");
    fact(hub, "{\"replayed\":{" P1 ",\"actorName\":\"kas\",\"types\":[\"HospitalDischarge\"],\"reason\":\"test\"}}");
    settle(hub);
    take_all(hub, INSURER, "kas");
    fact(hub, "{\"memberEnded\":{" P1 ",\"actor\":\"kas\"}}");
    amend(hub, 2, 1, true, "E1");
    assert_int_equal(hub_deliveries(hub, INSURER), 1);
    assert_true(hub_delivery(hub, INSURER, 0)->notice); /* no longer entitled, but told that it was taken back */
}

/* ---- Dry runs --------------------------------------------------------------------------------------------------- */

static void dry_run_delivers_nothing_and_is_recorded(void **state)
{
    struct hub *hub = region(state);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    take_all(hub, GP, "gp");
    fact(hub, "{\"exclusionSet\":{" P1 ",\"actor\":\"gp\"}}");
    uint64_t before = hub_ask(hub, "{\"status\":{}}")->status->last_place;
    const Carehub__V1__ReplayAnswer *now =
        hub_ask(hub, "{\"replay\":{\"replay\":{" P1 ",\"actorName\":\"gp\"}}}")->replay;
    assert_int_equal(now->count->withheld, 1);
    assert_int_equal(now->lines[0]->reason, CAREHUB__V1__REASON__EXCLUDED_BY_PERSON);
    const Carehub__V1__ReplayAnswer *then =
        hub_ask(hub, "{\"replay\":{\"asThen\":true,\"replay\":{" P1 ",\"actorName\":\"gp\"}}}")->replay;
    assert_int_equal(then->count->delivered, 1);
    assert_int_equal(then->lines[0]->level, CAREHUB__V1__LEVEL__LEVEL_CLINICAL);
    assert_string_equal(then->lines[0]->actor, "gp");
    settle(hub);
    assert_int_equal(hub_deliveries(hub, GP), 0);
    char json[80];
    snprintf(json, sizeof json, "{\"exportLog\":{\"fromPlace\":\"%llu\"}}", (unsigned long long)before + 1);
    const Carehub__V1__ExportAnswer *log = hub_ask(hub, json)->export_log;
    assert_int_equal(log->n_entries, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(log->entries[i]->what_case, CAREHUB__V1__ENTRY__WHAT_READING);
        assert_int_equal(log->entries[i]->patient, 1);
        assert_int_not_equal(log->entries[i]->reading->of_actor, 0);
    }
}

static void dry_run_comes_in_pages(void **state)
{
    struct hub *hub = region(state);
    for (int i = 1; i <= 250; i++) {
        hub_publish(hub, HOSPITAL, (uint8_t)i, DISCHARGE);
        hub_clear(hub);
    }
    size_t lines = 0, pages = 0;
    for (uint64_t next = 1; next; pages++) {
        char json[160];
        snprintf(json, sizeof json, "{\"replay\":{\"fromPlace\":\"%llu\",\"asThen\":true,\"replay\":{" P1 "}}}",
                 (unsigned long long)next);
        const Carehub__V1__ReplayAnswer *page = hub_ask(hub, json)->replay;
        lines += page->n_lines;
        next = page->next_place;
        hub_clear(hub);
    }
    assert_int_equal(lines, 1000); /* four candidates each */
    assert_true(pages >= 1);
}

/* ---- Unread ----------------------------------------------------------------------------------------------------- */

static void unread_goes_to_the_next_in_line_once(void **state)
{
    struct hub *hub = region(state);
    hub_attach(hub, GP, "gp", 0);
    hub_attach(hub, NURSE, "nurse", 0); /* the coordinator */
    uint64_t event = hub_publish(hub, HOSPITAL, 1, DISCHARGE)->place;
    pass(hub, 23 * HOUR_MS);
    assert_int_equal(hub_deliveries(hub, NURSE), 1);
    pass(hub, HOUR_MS);
    assert_int_equal(hub_deliveries(hub, NURSE), 2);
    const Carehub__V1__Delivery *escalated = hub_delivery(hub, NURSE, 1);
    assert_int_equal(escalated->place, event);
    assert_int_equal(escalated->cause, CAUSE(ESCALATION));
    assert_string_equal(escalated->instead_of, "gp");
    assert_int_equal(escalated->level, CAREHUB__V1__LEVEL__LEVEL_CARE); /* its own view, no more */
    pass(hub, 72 * HOUR_MS);
    assert_int_equal(hub_deliveries(hub, NURSE), 2);
    const Carehub__V1__TraceAnswer *story = trace(hub, event);
    size_t found = 0;
    for (size_t i = 0; i < story->n_lines; i++)
        if (story->lines[i]->cause == CAUSE(ESCALATION)) {
            assert_string_equal(story->lines[i]->actor, "nurse");
            assert_string_equal(story->lines[i]->instead_of, "gp");
            found++;
        }
    assert_int_equal(found, 1);
}

static void what_was_read_is_not_escalated(void **state)
{
    struct hub *hub = region(state);
    uint64_t epoch = hub_attach(hub, GP, "gp", 0);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    hub_ack(hub, GP, epoch, CAREHUB__V1__LANE__LANE_IMMEDIATE, 1, 1); /* stored, then read */
    pass(hub, HOUR_MS);
    read_one(hub, GP, epoch, hub_delivery(hub, GP, 0));
    hub_crash(hub);
    pass(hub, 48 * HOUR_MS);
    assert_null(later(hub, 0));
}

static void stored_is_not_read(void **state)
{
    struct hub *hub = region(state);
    uint64_t epoch = hub_attach(hub, GP, "gp", 0);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    hub_ack(hub, GP, epoch, CAREHUB__V1__LANE__LANE_IMMEDIATE, 1, 1);
    hub_crash(hub);
    pass(hub, 25 * HOUR_MS);
    assert_int_equal(later(hub, 0)->later->cause, CAUSE(ESCALATION));
}

static void ordinary_lane_is_not_watched(void **state)
{
    struct hub *hub = region(state);
    hub_publish(hub, HOSPITAL, 1,
                "{\"type\":\"HOSPITAL_DISCHARGE\",\"urgency\":\"ROUTINE\"," SSIN "," AT ",\"hospitalDischarge\":{}}");
    pass(hub, 48 * HOUR_MS);
    assert_null(later(hub, 0));
}

static void nobody_left_in_line_is_an_entry_and_stands_in_the_status(void **state)
{
    struct hub *hub = region(state);
    fact(hub, "{\"memberEnded\":{" P1 ",\"actor\":\"nurse\"}}");
    uint64_t event = hub_publish(hub, HOSPITAL, 1, DISCHARGE)->place;
    uint64_t epoch = hub_attach(hub, GP, "gp", 0);
    pass(hub, 25 * HOUR_MS);
    const Carehub__V1__Entry *entry = later(hub, 0);
    assert_int_equal(entry->later->decision->actor, 0);
    assert_int_equal(entry->later->decision->reason, CAREHUB__V1__REASON__NOBODY_IN_LINE);
    assert_int_equal(entry->later->because, event);
    assert_int_equal(hub_ask(hub, "{\"status\":{}}")->status->unread, 1);
    hub_crash(hub);
    assert_int_equal(hub_ask(hub, "{\"status\":{}}")->status->unread, 1);
    pass(hub, 25 * HOUR_MS); /* said once */
    assert_null(later(hub, 1));
    assert_int_equal(hub_ask(hub, "{\"status\":{}}")->status->unread, 1);
    epoch = hub_attach(hub, GP, "gp", 0);
    read_one(hub, GP, epoch, hub_delivery(hub, GP, 0));
    pass(hub, 25 * HOUR_MS);
    assert_int_equal(hub_ask(hub, "{\"status\":{}}")->status->unread, 0);
}

static void who_joins_the_line_later_is_told_then(void **state)
{
    struct hub *hub = region(state);
    fact(hub, "{\"memberEnded\":{" P1 ",\"actor\":\"nurse\"}}");
    hub_publish(hub, HOSPITAL, 1, CRISIS);
    pass(hub, 5 * HOUR_MS);
    assert_int_equal(hub_ask(hub, "{\"status\":{}}")->status->unread, 1);
    fact(hub, "{\"memberAdded\":{" P1 ",\"actor\":\"nurse\",\"role\":\"coordinator\"}}");
    pass(hub, 5 * HOUR_MS);
    assert_int_equal(later(hub, 0)->later->cause, CAUSE(ESCALATION));
    assert_int_not_equal(later(hub, 0)->later->decision->actor, 0);
    assert_int_equal(hub_ask(hub, "{\"status\":{}}")->status->unread, 0);
}

static void an_escalation_that_is_not_read_goes_on_down_the_line(void **state)
{
    static char json[1 << 19];
    struct hub *hub = region(state);
    char *unread = strstr(hub->policy, "    CrisisReferral\n        gp = 4 hours\n");
    assert_non_null(unread);
    memcpy(strstr(unread, "crisis-team"), "coordinator", 11); /* the coordinator has an hour */
    size_t n = (size_t)snprintf(json, sizeof json, "{\"policyAdopted\":{\"text\":\"");
    for (const char *c = hub->policy; *c; c++)
        n += (size_t)snprintf(json + n, sizeof json - n, *c == '\n' ? "\\n" : *c == '"' ? "\\\"" : "%c", *c);
    snprintf(json + n, sizeof json - n, "\"}}");
    fact(hub, json);
    fact(hub, "{\"memberAdded\":{" P1 ",\"actor\":\"apo\",\"role\":\"home-nurse\"}}");
    hub_publish(hub, HOSPITAL, 1, CRISIS);
    pass(hub, 90 * 60 * 1000); /* the coordinator has not read its own: the home nurse is next */
    assert_int_equal(later(hub, 0)->later->cause, CAUSE(ESCALATION));
    uint32_t apo = later(hub, 0)->later->decision->actor;
    assert_int_not_equal(apo, 0);
    assert_null(later(hub, 1));
    pass(hub, 3 * HOUR_MS); /* the gp has not read it either, and nobody is left who has not been in line */
    const Carehub__V1__Entry *entry = later(hub, 0);
    assert_int_equal(entry->later->decision->actor, 0);
    assert_int_not_equal(entry->later->instead_of, 0);
}

static void corrected_event_is_not_escalated(void **state)
{
    struct hub *hub = region(state);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    amend(hub, 2, 1, true, "E1");
    pass(hub, 20 * HOUR_MS);
    assert_null(later(hub, 0));
}

static void clock_in_doubt_escalates_nothing(void **state)
{
    struct hub *hub = region(state);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    settle(hub);
    core_commit(hub->core, (struct core_time){hub->now_ms + 30 * HOUR_MS, hub->now_ms - 1000000});
    assert_true(hub_ask(hub, "{\"status\":{}}")->status->clock_suspect);
    assert_null(later(hub, 0));
}

/* ---- Late joiners ----------------------------------------------------------------------------------------------- */

static void new_member(struct hub *hub, const char *role)
{
    char json[200];
    snprintf(json, sizeof json, "{\"memberAdded\":{" P1 ",\"actor\":\"kas\",\"role\":\"%s\"}}", role);
    fact(hub, json);
    settle(hub);
    hub_clear(hub);
    hub_attach(hub, INSURER, "kas", 0);
}

static void late_joiner_is_given_the_last_of_each_type(void **state)
{
    struct hub *hub = region(state);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    uint64_t last = hub_publish(hub, HOSPITAL, 2, DISCHARGE)->place;
    uint64_t medication = hub_publish(hub, HOSPITAL, 3, MEDICATION)->place;
    new_member(hub, "specialist");
    assert_int_equal(hub_deliveries(hub, INSURER), 2);
    for (size_t i = 0; i < 2; i++) {
        const Carehub__V1__Delivery *delivery = hub_delivery(hub, INSURER, i);
        assert_int_equal(delivery->cause, CAUSE(LATE_JOINER));
        assert_true(delivery->place == last || delivery->place == medication);
    }
}

static void late_joiner_is_given_nothing_old_retracted_or_beyond_its_role(void **state)
{
    struct hub *hub = region(state);
    hub_publish(hub, HOSPITAL, 1, MEDICATION); /* not for this role */
    hub_publish(hub, HOSPITAL, 2, DISCHARGE);
    pass(hub, 31 * DAY);
    hub_publish(hub, HOSPITAL, 3, DISCHARGE);
    amend(hub, 4, 3, true, "E1");
    new_member(hub, "physiotherapist");
    assert_int_equal(hub_deliveries(hub, INSURER), 0);
}

static void late_joiner_is_given_the_amendment(void **state)
{
    struct hub *hub = region(state);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    amend(hub, 2, 1, false, "E7");
    uint64_t amendment = hub_ask(hub, "{\"status\":{}}")->status->last_place;
    new_member(hub, "specialist");
    assert_int_equal(hub_deliveries(hub, INSURER), 1);
    assert_int_equal(hub_delivery(hub, INSURER, 0)->place, amendment);
    assert_false(hub_delivery(hub, INSURER, 0)->notice);
}

static void admission_supersedes_the_discharge_before_it(void **state)
{
    struct hub *hub = region(state);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    hub_publish(hub, HOSPITAL, 2, ADMISSION);
    new_member(hub, "specialist");
    assert_null(later(hub, 0));
}

static void who_had_it_already_is_not_given_it_again(void **state)
{
    struct hub *hub = region(state);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    fact(hub, "{\"memberAdded\":{" P1 ",\"actor\":\"gp\",\"role\":\"specialist\"}}");
    settle(hub);
    assert_null(later(hub, 0));
}

static void membership_of_a_later_date_is_given_it_then(void **state)
{
    struct hub *hub = region(state);
    hub_publish(hub, HOSPITAL, 1, MEDICATION);
    char json[200];
    snprintf(json, sizeof json,
             "{\"memberAdded\":{" P1 ",\"actor\":\"kas\",\"role\":\"specialist\",\"fromMs\":\"%lld\"}}",
             (long long)(hub->now_ms + 5 * DAY));
    fact(hub, json);
    settle(hub);
    assert_null(later(hub, 0));
    hub_crash(hub);
    pass(hub, 5 * DAY);
    assert_int_equal(later(hub, 0)->later->cause, CAUSE(LATE_JOINER));
    assert_int_equal(later(hub, 0)->later->decision->outcome, CAREHUB__V1__OUTCOME__DELIVER);
}

static void member_who_left_before_is_given_nothing(void **state)
{
    struct hub *hub = region(state);
    hub_publish(hub, HOSPITAL, 1, MEDICATION);
    char json[200];
    snprintf(json, sizeof json,
             "{\"memberAdded\":{" P1 ",\"actor\":\"kas\",\"role\":\"specialist\",\"fromMs\":\"%lld\"}}",
             (long long)(hub->now_ms + DAY));
    fact(hub, json);
    fact(hub, "{\"memberEnded\":{" P1 ",\"actor\":\"kas\"}}");
    pass(hub, 2 * DAY);
    assert_null(later(hub, 0));
}

/* ---- Emergency access ------------------------------------------------------------------------------------------- */

static void emergency(struct hub *hub, const char *who)
{
    char json[300];
    snprintf(json, sizeof json,
             "{\"grantGiven\":{" P1 ",\"actor\":\"kas\",\"role\":\"emergency-physician\",\"kind\":\"EMERGENCY_ACCESS\","
             "\"untilMs\":\"%lld\",\"purpose\":\"acute care\",\"justification\":\"%s\"}}",
             (long long)(hub->now_ms + HOUR_MS), who);
    fact(hub, json);
}

static void emergency_access_is_told_to_the_team_but_not_to_who_took_it(void **state)
{
    struct hub *hub = region(state);
    hub_attach(hub, GP, "gp", 0);
    hub_attach(hub, PHARMACY, "apo", 0);
    hub_attach(hub, INSURER, "kas", 0);
    emergency(hub, "FOUNDUNCONSCIOUS");
    assert_int_equal(hub_deliveries(hub, INSURER), 0);
    assert_int_equal(hub_deliveries(hub, PHARMACY), 1);
    assert_int_equal(hub_deliveries(hub, GP), 1);
    const Carehub__V1__Delivery *delivery = hub_delivery(hub, PHARMACY, 0);
    Carehub__V1__Event *event = carehub__v1__event__unpack(NULL, delivery->event.len, delivery->event.data);
    assert_int_equal(event->type, CAREHUB__V1__EVENT_TYPE__EMERGENCY_ACCESS_USED);
    assert_string_equal(event->patient->identifiers[0]->value, "38041299949");
    assert_string_equal(event->emergency_access_used->who->name, "kas");
    assert_string_equal(event->emergency_access_used->purpose, "acute care");
    assert_string_equal(event->emergency_access_used->justification, ""); /* for those who can judge it */
    carehub__v1__event__free_unpacked(event, NULL);
    delivery = hub_delivery(hub, GP, 0);
    event = carehub__v1__event__unpack(NULL, delivery->event.len, delivery->event.data);
    assert_string_equal(event->emergency_access_used->justification, "FOUNDUNCONSCIOUS");
    carehub__v1__event__free_unpacked(event, NULL);
}

static void nobody_else_publishes_an_emergency_access(void **state)
{
    struct hub *hub = region(state);
    const Carehub__V1__Confirmation *confirmation = hub_publish(
        hub, HOSPITAL, 1, "{\"type\":\"EMERGENCY_ACCESS_USED\"," SSIN "," AT ",\"emergencyAccessUsed\":{}}");
    assert_int_equal(confirmation->error->code, CAREHUB__V1__ERROR_CODE__NOT_ALLOWED);
}

static void without_consent_nothing_is_kept_of_an_emergency_access_but_the_grant(void **state)
{
    struct hub *hub = region(state);
    fact(hub, "{\"consentWithdrawn\":{" P1 "}}");
    uint64_t events = hub_ask(hub, "{\"status\":{}}")->status->events;
    emergency(hub, "test");
    assert_int_equal(hub_ask(hub, "{\"status\":{}}")->status->events, events);
}

/* ---- The store -------------------------------------------------------------------------------------------------- */

/* A database of the version before has neither the index nor the watches: the one is made behind, and nothing of before
 * is escalated. */
static void database_of_the_version_before_is_migrated(void **state)
{
    struct hub *hub = region(state);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    take_all(hub, GP, "gp");
    core_close(&hub->core);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(hub->database, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db,
                     "DROP TABLE of_person; DROP TABLE work; DROP TABLE unread; DROP TABLE named;"
                     "ALTER TABLE identifier DROP COLUMN mac;"
                     "DROP INDEX identifier_subject; ALTER TABLE subject DROP COLUMN epoch;"
                     "ALTER TABLE subject DROP COLUMN from_place; ALTER TABLE subject DROP COLUMN card;"
                     "CREATE TABLE hub_key (which INTEGER PRIMARY KEY, wrapped BLOB) STRICT;"
                     "DELETE FROM number WHERE name IN ('indexed-place', 'unread-from-place', 'entries-to-convert');"
                     "PRAGMA user_version=2;",
                     NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
    hub_open(hub);
    for (session_id session = OPERATOR; session < SESSIONS; session++)
        hub_hello(hub, session);
    hub_attach(hub, GP, "gp", 0);
    fact(hub, "{\"replayed\":{" P1 ",\"actorName\":\"gp\",\"reason\":\"test\"}}");
    settle(hub);
    assert_int_equal(hub_deliveries(hub, GP), 1);
    const Carehub__V1__StatusAnswer *status = hub_ask(hub, "{\"status\":{}}")->status;
    assert_int_equal(status->indexed_place, status->last_place);
    pass(hub, 48 * HOUR_MS);
    assert_int_equal(later(hub, 0)->later->cause, CAUSE(REPLAY));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, hub_setup, hub_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(replay_delivers_again_and_says_so),
        TEST(replay_is_authorised_as_of_now),
        TEST(replay_after_a_withdrawal_and_a_new_consent_goes_out),
        TEST(withdrawal_after_a_replay_stops_it),
        TEST(replay_gives_what_took_the_place_of_a_corrected_event),
        TEST(replay_gives_nothing_of_a_retracted_event),
        TEST(replay_takes_types_and_a_period),
        TEST(replay_to_an_actor_covers_all_its_persons),
        TEST(replay_goes_on_after_a_crash),
        TEST(replayed_delivery_keeps_its_cause_when_it_is_refused_dead_and_back),
        TEST(replayed_delivery_lives_as_long_as_any_other),
        TEST(replay_that_is_held_is_released_as_a_replay),
        TEST(replay_of_a_merged_person_covers_both_records),
        TEST(replay_is_the_operators_and_says_why),
        TEST(correction_reaches_who_had_the_original_by_a_replay_alone),
        TEST(dry_run_delivers_nothing_and_is_recorded),
        TEST(dry_run_comes_in_pages),
        TEST(unread_goes_to_the_next_in_line_once),
        TEST(what_was_read_is_not_escalated),
        TEST(stored_is_not_read),
        TEST(ordinary_lane_is_not_watched),
        TEST(nobody_left_in_line_is_an_entry_and_stands_in_the_status),
        TEST(who_joins_the_line_later_is_told_then),
        TEST(an_escalation_that_is_not_read_goes_on_down_the_line),
        TEST(corrected_event_is_not_escalated),
        TEST(clock_in_doubt_escalates_nothing),
        TEST(late_joiner_is_given_the_last_of_each_type),
        TEST(late_joiner_is_given_nothing_old_retracted_or_beyond_its_role),
        TEST(late_joiner_is_given_the_amendment),
        TEST(admission_supersedes_the_discharge_before_it),
        TEST(who_had_it_already_is_not_given_it_again),
        TEST(membership_of_a_later_date_is_given_it_then),
        TEST(member_who_left_before_is_given_nothing),
        TEST(emergency_access_is_told_to_the_team_but_not_to_who_took_it),
        TEST(nobody_else_publishes_an_emergency_access),
        TEST(without_consent_nothing_is_kept_of_an_emergency_access_but_the_grant),
        TEST(database_of_the_version_before_is_migrated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
