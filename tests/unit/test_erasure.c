/* A person who is erased: it takes two, it is at once, and nothing of it stays. */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <sqlite3.h>

#include "core_fixture.h"

enum { AUDITOR = SESSIONS };

#define SSIN "38041299949"
#define PERSON "{\"patient\":{\"identifier\":{\"system\":\"ssin\",\"value\":\"" SSIN "\"}}"
#define REASON(name) CAREHUB__V1__REASON__##name

static const char AUDITORS_KEY[] = "{\"clientKeyAdded\":{\"client\":\"auditor\",\"publicKey\":"
                                   "\"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\"}}";

static struct hub *region(void **state)
{
    struct hub *hub = *state;
    hub_region(hub);
    hub_fact_good(hub, "{\"clientSet\":{\"name\":\"auditor\",\"roles\":[\"AUDITOR\"]}}");
    hub_fact_good(hub, AUDITORS_KEY);
    hub_hello(hub, AUDITOR);
    hub_clear(hub);
    return hub;
}

static void settle(struct hub *hub)
{
    for (int i = 0; i < 20; i++) {
        hub->now_ms += 1000;
        hub_commit(hub);
    }
}

/* Asks for it; returns the request's place. */
static uint64_t ask(struct hub *hub)
{
    const Carehub__V1__Confirmation *asked =
        hub_fact(hub, "{\"erasureRequested\":" PERSON ",\"reason\":\"asked for it\"}}");
    assert_int_equal(asked->status, CAREHUB__V1__CONFIRMATION__STATUS__CONFIRMED);
    return asked->place;
}

static const Carehub__V1__Confirmation *confirm(struct hub *hub, session_id session, uint64_t request)
{
    char json[100];
    snprintf(json, sizeof json, "{\"erasureConfirmed\":{\"request\":\"%llu\"}}", (unsigned long long)request);
    return hub_fact_as(hub, session, json);
}

static void erase(struct hub *hub)
{
    const Carehub__V1__Confirmation *confirmed = confirm(hub, AUDITOR, ask(hub));
    if (confirmed->status != CAREHUB__V1__CONFIRMATION__STATUS__CONFIRMED)
        fail_msg("%s", confirmed->error ? confirmed->error->text : "?");
}

static const Carehub__V1__Entry *last_erased(struct hub *hub)
{
    const Carehub__V1__ExportAnswer *log = hub_ask(hub, "{\"exportLog\":{\"fromPlace\":\"1\"}}")->export_log;
    for (size_t i = log->n_entries; i-- > 0;)
        if (log->entries[i]->what_case == CAREHUB__V1__ENTRY__WHAT_ERASED)
            return log->entries[i];
    return NULL;
}

/* ---- Who may, and when -------------------------------------------------------------------------------------------- */

static void it_takes_two(void **state)
{
    struct hub *hub = region(state);
    uint64_t request = ask(hub);
    assert_int_equal(confirm(hub, OPERATOR, request)->error->code, CAREHUB__V1__ERROR_CODE__NOT_ALLOWED);
    assert_int_equal(confirm(hub, GP, request)->error->code, CAREHUB__V1__ERROR_CODE__NOT_ALLOWED);
    assert_int_equal(confirm(hub, AUDITOR, request + 1)->error->code, CAREHUB__V1__ERROR_CODE__UNKNOWN_NAME);
    assert_int_equal(hub_ask(hub, "{\"patient\":" PERSON "}}")->patient->number, 1);
    assert_int_equal(confirm(hub, AUDITOR, request)->status, CAREHUB__V1__CONFIRMATION__STATUS__CONFIRMED);
    assert_int_equal(confirm(hub, AUDITOR, request)->error->code, CAREHUB__V1__ERROR_CODE__UNKNOWN_NAME);
}

static void what_is_not_confirmed_lapses(void **state)
{
    struct hub *hub = region(state);
    uint64_t request = ask(hub);
    hub->now_ms += 31LL * 24 * 3600 * 1000;
    hub_commit(hub);
    assert_int_equal(confirm(hub, AUDITOR, request)->error->code, CAREHUB__V1__ERROR_CODE__UNKNOWN_NAME);
    assert_int_equal(hub_ask(hub, "{\"status\":{}}")->status->erasures_asked, 0);
}

static void person_is_unknown_at_once_and_may_come_again(void **state)
{
    struct hub *hub = region(state);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    erase(hub);
    assert_int_equal(hub_ask(hub, "{\"patient\":" PERSON "}}")->error->code, CAREHUB__V1__ERROR_CODE__UNKNOWN_NAME);
    settle(hub);
    hub_crash(hub);
    assert_int_equal(
        hub_fact(hub, "{\"patientRegistered\":{\"identifiers\":[{\"system\":\"ssin\",\"value\":\"" SSIN "\"}]}}")
            ->number,
        2);
}

/* ---- What becomes of its deliveries -------------------------------------------------------------------------------- */

static void what_waits_is_skipped_and_what_is_behind_it_goes_on(void **state)
{
    struct hub *hub = region(state);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    erase(hub);
    settle(hub);
    hub_clear(hub);
    hub_attach(hub, GP, "gp", 0);
    assert_int_equal(hub_deliveries(hub, GP), 0);
    hub_commit(hub);
    assert_non_null(hub_skip(hub, GP, 0));
    assert_int_equal(hub_skip(hub, GP, 0)->to, 1);
    assert_int_equal(hub_ask(hub, "{\"status\":{}}")->status->undelivered, 2); /* apo and nurse have not asked yet */
}

static void what_was_refused_or_held_goes_with_its_person(void **state)
{
    struct hub *hub = region(state);
    hub_fact_good(hub, "{\"actorStanding\":{\"name\":\"apo\",\"standing\":\"SUSPENDED\"}}");
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    uint64_t epoch = hub_attach(hub, GP, "gp", 0);
    hub_nack(hub, GP, epoch, hub_delivery(hub, GP, 0)->lane, 1, true);
    const Carehub__V1__StatusAnswer *status = hub_ask(hub, "{\"status\":{}}")->status;
    assert_int_equal(status->dead, 1);
    assert_int_equal(status->held, 1);
    erase(hub);
    settle(hub);
    status = hub_ask(hub, "{\"status\":{}}")->status;
    assert_int_equal(status->dead, 0);
    assert_int_equal(status->held, 0);
    assert_int_equal(status->erasures, 0);
}

static void use_policy(struct hub *hub, const char *more)
{
    char *json, *policy = calloc(1, strlen(hub->policy) * 2 + strlen(more) + 100), *at = policy;
    for (const char *part = hub->policy; part; part = part == more ? NULL : more)
        for (const char *c = part; *c; c++) {
            if (*c == '\n' || *c == '"' || *c == '\\')
                *at++ = '\\';
            *at++ = *c == '\n' ? 'n' : *c;
        }
    assert_true(asprintf(&json, "{\"policyAdopted\":{\"text\":\"%s\"}}", policy) > 0);
    hub_fact_good(hub, json);
    free(json);
    free(policy);
}

static void receivers_are_told_where_the_policy_says_so(void **state)
{
    struct hub *hub = region(state);
    use_policy(hub, "\nerasure\n    HospitalDischarge\n");
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    uint64_t epoch = hub_attach(hub, GP, "gp", 0);
    const Carehub__V1__Delivery *got = hub_delivery(hub, GP, 0);
    Carehub__V1__Lane lane = got->lane;
    hub_ack(hub, GP, epoch, lane, 1, 1);
    hub_clear(hub);
    erase(hub);
    settle(hub);
    assert_int_equal(hub_deliveries(hub, GP), 1);
    got = hub_delivery(hub, GP, 0);
    assert_true(got->notice);
    Carehub__V1__Event *event = carehub__v1__event__unpack(NULL, got->event.len, got->event.data);
    uint8_t id[16];
    event_id(hub, 1, id);
    assert_int_equal(event->retracts.len, 16);
    assert_memory_equal(event->retracts.data, id, 16);
    assert_null(event->patient);
    assert_int_equal(event->body_case, CAREHUB__V1__EVENT__BODY__NOT_SET);
    carehub__v1__event__free_unpacked(event, NULL);
    hub_clear(hub);
    hub_attach(hub, NURSE, "nurse", 0); /* never got it: skipped, not told */
    hub_commit(hub);
    assert_int_equal(hub_deliveries(hub, NURSE), 0);
    assert_int_equal(last_erased(hub)->erased->told, 1);
}

static void it_says_what_was_erased_and_by_whom(void **state)
{
    struct hub *hub = region(state);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    uint64_t request = ask(hub), confirmed = confirm(hub, AUDITOR, request)->place;
    settle(hub);
    const Carehub__V1__Entry *entry = last_erased(hub);
    assert_non_null(entry);
    assert_int_equal(entry->patient, 1);
    assert_int_equal(entry->erased->requested, request);
    assert_int_equal(entry->erased->confirmed, confirmed);
    assert_true(entry->erased->entries >= 8);
    assert_int_not_equal(entry->erased->requested_by, entry->erased->confirmed_by);
}

static void all_that_is_left_is_sound(void **state)
{
    struct hub *hub = region(state);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    erase(hub);
    settle(hub);
    hub_crash(hub); /* the tail is verified */
    hub->now_ms += 8LL * 24 * 3600 * 1000;
    for (int i = 0; i < 20; i++) {
        hub->now_ms += 1000;
        hub_commit(hub);
    }
    assert_int_equal(hub_ask(hub, "{\"status\":{}}")->status->damaged, 0);
}

/* ---- Actors -------------------------------------------------------------------------------------------------------- */

static void actor_says_erased(void **state)
{
    struct hub *hub = region(state);
    hub_fact_good(hub, "{\"actorSet\":{\"name\":\"dr-1\",\"kind\":\"PROFESSIONAL\",\"display\":\"Doctor MARKERNAME\","
                       "\"identifiers\":[{\"system\":\"nihdi\",\"value\":\"10000345001\"}]}}");
    const Carehub__V1__Confirmation *asked =
        hub_fact(hub, "{\"erasureRequested\":{\"actorName\":\"dr-1\",\"reason\":\"retired\"}}");
    assert_int_equal(asked->status, CAREHUB__V1__CONFIRMATION__STATUS__CONFIRMED);
    assert_int_equal(confirm(hub, AUDITOR, asked->place)->status, CAREHUB__V1__CONFIRMATION__STATUS__CONFIRMED);
    settle(hub);
    hub_crash(hub);
    const Carehub__V1__ListAnswer *list = hub_ask(hub, "{\"list\":{\"kind\":\"LIST_ACTORS\",\"name\":\"dr-1\"}}")->list;
    assert_string_equal(list->actors[0]->actor->display, "erased");
    assert_int_equal(list->actors[0]->actor->n_identifiers, 0);
    assert_int_equal(list->actors[0]->actor->standing, CAREHUB__V1__STANDING__ENDED);
    assert_int_equal(hub_fact(hub, "{\"erasureRequested\":{\"actorName\":\"gp\",\"reason\":\"x\"}}")->error->code,
                     CAREHUB__V1__ERROR_CODE__INVALID); /* an organisation */
}

/* ---- Keys ---------------------------------------------------------------------------------------------------------- */

/* Who gets the confirmation may copy the keyring at once. */
static void a_change_of_keys_is_confirmed_when_it_is_made(void **state)
{
    struct hub *hub = region(state);
    hub_fact_good(hub, "{\"keysRotated\":{\"what\":\"EPOCH\",\"reason\":\"test\"}}");
    hub_crash(hub); /* the keyring is on the disk */
    assert_int_equal(hub_ask(hub, "{\"keys\":{}}")->keys->n_epochs, 2);
    settle(hub);
    assert_int_equal(hub_ask(hub, "{\"keys\":{}}")->keys->n_epochs, 2); /* made once */
    hub_fact_good(hub, "{\"keysRotated\":{\"what\":\"DESTROY_EPOCH\",\"epoch\":1,\"reason\":\"test\"}}");
    hub_clear(hub);
    const Carehub__V1__KeysAnswer *keys = hub_ask(hub, "{\"keys\":{}}")->keys;
    assert_int_equal(keys->n_epochs, 1);
    assert_int_equal(keys->epochs[0]->number, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, hub_setup, hub_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_takes_two),
        TEST(what_is_not_confirmed_lapses),
        TEST(person_is_unknown_at_once_and_may_come_again),
        TEST(what_waits_is_skipped_and_what_is_behind_it_goes_on),
        TEST(what_was_refused_or_held_goes_with_its_person),
        TEST(receivers_are_told_where_the_policy_says_so),
        TEST(it_says_what_was_erased_and_by_whom),
        TEST(all_that_is_left_is_sound),
        TEST(actor_says_erased),
        TEST(a_change_of_keys_is_confirmed_when_it_is_made),
    };
    return cmocka_run_group_tests_name("erasure", tests, NULL, NULL);
}
