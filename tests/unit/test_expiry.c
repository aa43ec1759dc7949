/* What ends by its date: an entry of its own, first in its batch; and nothing that was queued comes back. */
#include "core_fixture.h"

#include <stdio.h>

#define P1 "\"patient\":{\"number\":\"1\"}"
#define ENDED(name) CAREHUB__V1__EXPIRY_ENTRY__ENDED__KIND__##name

static struct hub *region(void **state)
{
    struct hub *hub = *state;
    hub_region(hub);
    return hub;
}

static const Carehub__V1__PatientAnswer *patient(struct hub *hub)
{
    return hub_ask(hub, "{\"patient\":{" P1 "}}")->patient;
}

static const Carehub__V1__ExportAnswer *export_from(struct hub *hub, uint64_t place)
{
    char json[80];
    snprintf(json, sizeof json, "{\"exportLog\":{\"fromPlace\":\"%llu\",\"max\":256}}", (unsigned long long)place);
    return hub_ask(hub, json)->export_log;
}

/* Makes the nurse a member (in another role) for a second, with one discharge queued for it. */
static void member_for_a_second(struct hub *hub)
{
    char json[200];
    hub_fact_good(hub, "{\"memberEnded\":{" P1 ",\"actor\":\"nurse\"}}");
    snprintf(json, sizeof json,
             "{\"memberAdded\":{" P1 ",\"actor\":\"nurse\",\"role\":\"home-nurse\",\"untilMs\":\"%lld\"}}",
             (long long)hub->now_ms + 1000);
    hub_fact_good(hub, json);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
}

static void expiry_is_an_entry_and_the_first_of_its_batch(void **state)
{
    struct hub *hub = region(state);
    member_for_a_second(hub);
    size_t members = patient(hub)->n_members;
    hub->now_ms += 2000;
    uint64_t place = hub_publish(hub, HOSPITAL, 2, DISCHARGE)->place;
    const Carehub__V1__ExportAnswer *log = export_from(hub, place - 1);
    assert_int_equal(log->entries[0]->what_case, CAREHUB__V1__ENTRY__WHAT_EXPIRY);
    assert_int_equal(log->entries[0]->patient, 1);
    const Carehub__V1__ExpiryEntry *expiry = log->entries[0]->expiry;
    assert_int_equal(expiry->n_ended, 1);
    assert_int_equal(expiry->ended[0]->kind, ENDED(MEMBERSHIP));
    assert_string_equal(expiry->ended[0]->role, "home-nurse");
    assert_int_equal(patient(hub)->n_members, members - 1);
}

static void expiry_comes_without_any_traffic(void **state)
{
    struct hub *hub = region(state);
    member_for_a_second(hub);
    size_t members = patient(hub)->n_members;
    hub->now_ms += 60000;
    hub_commit(hub);
    assert_int_equal(patient(hub)->n_members, members - 1);
}

static void after_a_restart_expiries_come_first(void **state)
{
    struct hub *hub = region(state);
    member_for_a_second(hub);
    hub->now_ms += 86400000;
    hub_crash(hub);
    hub_hello(hub, OPERATOR);
    hub_hello(hub, NURSE);
    hub_attach(hub, NURSE, "nurse", 10);
    assert_int_equal(hub_deliveries(hub, NURSE), 0);
    bool found = false;
    const Carehub__V1__ExportAnswer *log = export_from(hub, 1);
    for (size_t i = 0; i < log->n_entries; i++)
        found |= log->entries[i]->what_case == CAREHUB__V1__ENTRY__WHAT_EXPIRY;
    assert_true(found);
}

static void membership_that_ended_and_begins_again_brings_nothing_back(void **state)
{
    struct hub *hub = region(state);
    member_for_a_second(hub);
    hub->now_ms += 2000;
    hub_fact_good(hub, "{\"memberAdded\":{" P1 ",\"actor\":\"nurse\",\"role\":\"home-nurse\"}}");
    hub_clear(hub);
    hub_attach(hub, NURSE, "nurse", 10);
    assert_int_equal(hub_deliveries(hub, NURSE), 0);
}

static void therapeutic_relation_lasts_as_long_as_its_proof_does(void **state)
{
    struct hub *hub = region(state);
    hub_fact_good(hub, "{\"memberAdded\":{" P1 ",\"actor\":\"nurse\",\"role\":\"home-nurse\",\"basis\":"
                       "\"THERAPEUTIC_RELATION\",\"proof\":\"referral\"}}");
    const Carehub__V1__PatientAnswer *answer = patient(hub);
    const Carehub__V1__PatientCard__Member *member = answer->members[answer->n_members - 1]->member;
    assert_string_equal(member->role, "home-nurse");
    int64_t days = (member->until_ms - hub->now_ms) / 86400000;
    assert_in_range(days, 88, 93); /* three months */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, hub_setup, hub_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(expiry_is_an_entry_and_the_first_of_its_batch),
        TEST(expiry_comes_without_any_traffic),
        TEST(after_a_restart_expiries_come_first),
        TEST(membership_that_ended_and_begins_again_brings_nothing_back),
        TEST(therapeutic_relation_lasts_as_long_as_its_proof_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
