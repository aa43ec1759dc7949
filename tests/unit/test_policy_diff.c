/* What another policy would have changed: computed by the hub, in slices, and told in ranges only. */
#include "core_fixture.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GETS(name) CAREHUB__V1__GETS__GETS_##name

static const char DISCHARGE_OF[] =
    "{\"type\":\"HOSPITAL_DISCHARGE\",\"patient\":{\"identifiers\":[{\"system\":\"urn:t\","
    "\"value\":\"p%d\"}]},\"author\":{\"actor\":\"az\"},\"occurredAt\":{\"unixMs\":"
    "\"1795300000000\"},\"hospitalDischarge\":{\"encounterId\":\"E\"}}";

static void fact(struct hub *hub, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void fact(struct hub *hub, const char *format, ...)
{
    char json[600];
    va_list args;
    va_start(args, format);
    vsnprintf(json, sizeof json, format, args);
    va_end(args);
    hub_fact_good(hub, json);
}

#define PATIENT "\"patient\":{\"identifier\":{\"system\":\"urn:t\",\"value\":\"p%d\"}}"

/* Patients p1 to p`n`, with consent, and `actor` in their care team. */
static void add_patients(struct hub *hub, int n, const char *actor, const char *role)
{
    for (int i = 1; i <= n; i++) {
        fact(hub, "{\"patientRegistered\":{\"identifiers\":[{\"system\":\"urn:t\",\"value\":\"p%d\"}]}}", i);
        fact(hub, "{\"consentGiven\":{" PATIENT ",\"purposes\":[\"continuity-of-care\"]}}", i);
        fact(hub, "{\"memberAdded\":{" PATIENT ",\"actor\":\"%s\",\"role\":\"%s\"}}", i, actor, role);
    }
}

static void add_member(struct hub *hub, int patient, const char *actor, const char *role)
{
    fact(hub, "{\"memberAdded\":{" PATIENT ",\"actor\":\"%s\",\"role\":\"%s\"}}", patient, actor, role);
}

static void discharge(struct hub *hub, uint8_t id, int patient)
{
    char json[400];
    snprintf(json, sizeof json, DISCHARGE_OF, patient);
    const Carehub__V1__Confirmation *confirmation = hub_publish(hub, HOSPITAL, id, json);
    if (confirmation->status != CAREHUB__V1__CONFIRMATION__STATUS__CONFIRMED)
        fail_msg("%s", confirmation->error ? confirmation->error->text : "?");
}

/* The policy of the hub with one text replaced, where it stands first behind `after`. The caller frees it. */
static char *changed(const struct hub *hub, const char *after, const char *old, const char *new)
{
    char *start = strstr(hub->policy, after), *at = start ? strstr(start, old) : NULL;
    assert_non_null(at);
    char *text = NULL;
    assert_true(asprintf(&text, "%.*s%s%s", (int)(at - hub->policy), hub->policy, new, at + strlen(old)) > 0);
    return text;
}

static void ask(struct hub *hub, session_id session, char *policy, int64_t since_ms)
{
    Carehub__V1__PolicyDiffQuery diff = CAREHUB__V1__POLICY_DIFF_QUERY__INIT;
    Carehub__V1__Query query = CAREHUB__V1__QUERY__INIT;
    Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
    diff.text = policy;
    diff.since_ms = since_ms;
    query.ref = ++hub->ref;
    query.query_case = CAREHUB__V1__QUERY__QUERY_POLICY_DIFF;
    query.policy_diff = &diff;
    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_QUERY;
    message.query = &query;
    hub_handle(hub, session, &message);
}

/* The last answer to a question; NULL: there is none yet. */
static const Carehub__V1__Answer *last_answer(const struct hub *hub, uint64_t ref)
{
    for (size_t i = hub->n_sent; i-- > 0;) {
        const Carehub__V1__ToClient *sent = hub->sent[i].message;
        if (sent->message_case == CAREHUB__V1__TO_CLIENT__MESSAGE_ANSWER && sent->answer->ref == ref &&
            !sent->answer->more)
            return sent->answer;
    }
    return NULL;
}

static const Carehub__V1__PolicyDiffAnswer *compared(struct hub *hub, char *policy, int64_t since_ms)
{
    ask(hub, OPERATOR, policy, since_ms);
    hub_commit(hub);
    const Carehub__V1__Answer *answer = last_answer(hub, hub->ref);
    assert_non_null(answer);
    if (answer->error)
        fail_msg("%s", answer->error->text);
    return answer->policy_diff;
}

static void assert_change(const Carehub__V1__PolicyChange *change, const char *actor, Carehub__V1__Gets before,
                          Carehub__V1__Gets after, uint64_t at_least, uint64_t at_most)
{
    assert_string_equal(change->actor, actor);
    assert_int_equal(change->type, CAREHUB__V1__EVENT_TYPE__HOSPITAL_DISCHARGE);
    assert_int_equal(change->before, before);
    assert_int_equal(change->after, after);
    assert_int_equal(change->patients->at_least, at_least);
    assert_int_equal(change->patients->at_most, at_most);
}

static void a_narrower_cell_shows_who_loses_what_and_of_how_many(void **state)
{
    struct hub *hub = *state;
    hub_region(hub);
    add_patients(hub, 6, "gp", "gp");
    for (int i = 1; i <= 6; i++)
        discharge(hub, (uint8_t)i, i);
    discharge(hub, 7, 1); /* a second event of a patient counts the same patient */
    char *policy = changed(hub, "HospitalDischarge\n        gp", "clinical", "care");
    const Carehub__V1__PolicyDiffAnswer *diff = compared(hub, policy, 0);
    assert_int_equal(diff->n_changes, 1);
    assert_change(diff->changes[0], "gp", GETS(CLINICAL), GETS(CARE), 5, 9);
    assert_null(diff->gaining);
    assert_int_equal(diff->losing->at_least, 5);
    assert_int_equal(diff->events, 7);
    assert_string_equal(diff->policy, "default");
    assert_int_equal(diff->n_sections, 0);
    free(policy);
}

static void patients_are_told_in_steps_of_five(void **state)
{
    struct hub *hub = *state;
    static const struct {
        int n;
        uint64_t at_least, at_most;
        bool total;
    } cases[] = {{1, 1, 4, false}, {4, 1, 4, false}, {5, 5, 9, true}, {9, 5, 9, true}, {10, 10, 14, true}};
    hub_region(hub);
    add_patients(hub, 10, "gp", "gp");
    char *policy = changed(hub, "HospitalDischarge\n        gp", "clinical, restricted", "none");
    int published = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (; published < cases[i].n; published++)
            discharge(hub, (uint8_t)(published + 1), published + 1);
        const Carehub__V1__PolicyDiffAnswer *diff = compared(hub, policy, 0);
        assert_int_equal(diff->n_changes, 1);
        assert_change(diff->changes[0], "gp", GETS(CLINICAL), GETS(NOTHING), cases[i].at_least, cases[i].at_most);
        assert_int_equal(diff->losing != NULL, cases[i].total);
    }
    free(policy);
}

/* Else the total less the one change that is shown would tell of the few. */
static void totals_leave_out_what_is_not_shown(void **state)
{
    struct hub *hub = *state;
    hub_region(hub);
    add_patients(hub, 9, "gp", "gp");
    fact(hub, "{\"patientRegistered\":{\"identifiers\":[{\"system\":\"urn:t\",\"value\":\"p10\"}]}}");
    fact(hub, "{\"consentGiven\":{" PATIENT ",\"purposes\":[\"continuity-of-care\"]}}", 10);
    add_member(hub, 10, "apo", "pharmacist");
    for (int i = 1; i <= 10; i++)
        discharge(hub, (uint8_t)i, i);
    char *gp = changed(hub, "HospitalDischarge\n        gp", "clinical, restricted", "none");
    char *before = hub->policy;
    hub->policy = gp;
    char *both = changed(hub, "HospitalDischarge\n        gp", "pharmacist             = clinical",
                         "pharmacist             = care");
    hub->policy = before;
    const Carehub__V1__PolicyDiffAnswer *diff = compared(hub, both, 0);
    assert_int_equal(diff->n_changes, 2);
    assert_change(diff->changes[1], "apo", GETS(CLINICAL), GETS(CARE), 1, 4);
    assert_int_equal(diff->losing->at_least, 5); /* of ten patients */
    assert_int_equal(diff->losing->at_most, 9);
    free(both);
    free(gp);
}

static void the_same_policy_changes_nothing(void **state)
{
    struct hub *hub = *state;
    hub_region(hub);
    add_patients(hub, 2, "gp", "gp");
    discharge(hub, 1, 1);
    const Carehub__V1__PolicyDiffAnswer *diff = compared(hub, hub->policy, 0);
    assert_int_equal(diff->n_changes + diff->n_sections, 0);
    assert_int_equal(diff->events, 1);
}

static void only_events_of_the_period_count_from_midnight_on(void **state)
{
    struct hub *hub = *state;
    hub_region(hub);
    add_patients(hub, 3, "gp", "gp");
    discharge(hub, 1, 1);
    hub->now_ms += 3LL * 86400000;
    discharge(hub, 2, 2);
    discharge(hub, 3, 3);
    char *policy = changed(hub, "HospitalDischarge\n        gp", "clinical", "care");
    const Carehub__V1__PolicyDiffAnswer *diff = compared(hub, policy, hub->now_ms);
    assert_int_equal(diff->events, 2);
    assert_int_equal(diff->since_ms, hub->now_ms - hub->now_ms % 86400000);
    assert_int_equal(compared(hub, policy, hub->now_ms + 5LL * 86400000)->events, 0);
    free(policy);
}

/* An actor that is one person tells of one patient. */
static void persons_and_informal_carers_are_counted_together(void **state)
{
    struct hub *hub = *state;
    hub_region(hub);
    add_patients(hub, 2, "gp", "gp");
    for (int i = 1; i <= 2; i++) {
        fact(hub, "{\"actorSet\":{\"name\":\"person-%d\",\"kind\":\"PERSON\"}}", i);
        fact(hub, "{\"inboxSet\":{\"name\":\"person-%d\",\"actor\":\"person-%d\",\"types\":[\"*\"]}}", i, i);
        char name[32];
        snprintf(name, sizeof name, "person-%d", i);
        add_member(hub, i, name, "person");
        discharge(hub, (uint8_t)i, i);
    }
    char *policy =
        changed(hub, "    HospitalDischarge", "person                 = clinical", "person                 = none");
    const Carehub__V1__PolicyDiffAnswer *diff = compared(hub, policy, 0);
    assert_int_equal(diff->n_changes, 1);
    assert_change(diff->changes[0], "", GETS(CLINICAL), GETS(NOTHING), 1, 4);
    assert_int_equal(diff->changes[0]->kind, CAREHUB__V1__ACTOR_KIND__PERSON);
    free(policy);
}

static void the_state_of_then_decides_not_that_of_now(void **state)
{
    struct hub *hub = *state;
    hub_region(hub);
    add_patients(hub, 2, "gp", "gp");
    discharge(hub, 1, 1);
    discharge(hub, 2, 2);
    fact(hub, "{\"memberEnded\":{" PATIENT ",\"actor\":\"gp\"}}", 1);
    fact(hub, "{\"consentWithdrawn\":{" PATIENT "}}", 2);
    add_member(hub, 2, "apo", "pharmacist");
    char *policy = changed(hub, "HospitalDischarge\n        gp", "clinical, restricted", "none");
    const Carehub__V1__PolicyDiffAnswer *diff = compared(hub, policy, 0);
    assert_int_equal(diff->n_changes, 1);
    assert_change(diff->changes[0], "gp", GETS(CLINICAL), GETS(NOTHING), 1, 4);
    free(policy);
}

static void records_of_one_person_count_once(void **state)
{
    struct hub *hub = *state;
    hub_region(hub);
    add_patients(hub, 5, "gp", "gp");
    for (int i = 1; i <= 5; i++)
        discharge(hub, (uint8_t)i, i);
    fact(hub, "{\"patientsMerged\":{" PATIENT ",\"merged\":{\"identifier\":{\"system\":\"urn:t\",\"value\":\"p2\"}}}}",
         1);
    char *policy = changed(hub, "HospitalDischarge\n        gp", "clinical", "care");
    const Carehub__V1__PolicyDiffAnswer *diff = compared(hub, policy, 0);
    assert_change(diff->changes[0], "gp", GETS(CLINICAL), GETS(CARE), 1, 4);
    free(policy);
}

static void what_would_be_held_is_told_as_such(void **state)
{
    struct hub *hub = *state;
    hub_region(hub);
    fact(hub, "{\"actorSet\":{\"name\":\"gp-2\",\"kind\":\"PROFESSIONAL\"}}");
    add_patients(hub, 1, "gp-2", "gp"); /* without an inbox */
    discharge(hub, 1, 1);
    char *policy = changed(hub, "HospitalDischarge\n        gp", "clinical", "clinical, personal");
    const Carehub__V1__PolicyDiffAnswer *diff = compared(hub, policy, 0);
    assert_int_equal(diff->n_changes, 1);
    assert_change(diff->changes[0], "gp-2", GETS(NOTHING), GETS(HELD), 1, 4);
    free(policy);
}

static void what_decides_no_event_is_named(void **state)
{
    struct hub *hub = *state;
    static const struct {
        const char *after, *old, *new, *section;
    } cases[] = {
        {"policy\n", "hold-days = 14", "hold-days = 7", "hold-days"},
        {"policy\n", "report-names = person", "report-names = organisation", "report-names"},
        {"relations\n", "eid-read = 15 months", "eid-read = 14 months", "relations"},
        {"relations\n", "gp-record = 1 year", "mutuality = 1 year", "relations"},
        {"unread\n", "gp = 24 hours", "gp = 12 hours", "unread"},
        {"unread\n", "gp = 24 hours", "home-nurse = 24 hours", "unread"},
        {"next-in-line\n", "    coordinator\n", "", "next-in-line"},
        {"late-joiner\n", "MedicationChanged = 30 days", "MedicationChanged = 20 days", "late-joiner"},
    };
    hub_region(hub);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *policy = changed(hub, cases[i].after, cases[i].old, cases[i].new);
        const Carehub__V1__PolicyDiffAnswer *diff = compared(hub, policy, 0);
        assert_int_equal(diff->n_changes, 0);
        assert_int_equal(diff->n_sections, 1);
        assert_string_equal(diff->sections[0], cases[i].section);
        free(policy);
    }
}

static void assert_refused(struct hub *hub, uint64_t ref, Carehub__V1__ErrorCode code)
{
    const Carehub__V1__Answer *answer = last_answer(hub, ref);
    assert_non_null(answer);
    assert_non_null(answer->error);
    assert_int_equal(answer->error->code, code);
}

static void it_takes_an_operator_or_registrar_and_a_sound_policy(void **state)
{
    struct hub *hub = *state;
    hub_region(hub);
    ask(hub, GP, hub->policy, 0);
    hub_commit(hub);
    assert_refused(hub, hub->ref, CAREHUB__V1__ERROR_CODE__NOT_ALLOWED);
    ask(hub, OPERATOR, (char *)"policy\n    name = half\n", 0);
    hub_commit(hub);
    assert_refused(hub, hub->ref, CAREHUB__V1__ERROR_CODE__INVALID);
    static const char *const roles[] = {"OPERATOR", "REGISTRAR", "VIEWER", "AUDITOR"};
    for (int i = 0; i < 4; i++) {
        fact(hub, "{\"clientSet\":{\"name\":\"gp\",\"actors\":[\"gp\"],\"roles\":[\"%s\"]}}", roles[i]);
        ask(hub, GP, hub->policy, 0);
        hub_commit(hub);
        assert_int_equal(last_answer(hub, hub->ref)->error == NULL, i < 2);
    }
}

static void one_comparison_at_a_time(void **state)
{
    struct hub *hub = *state;
    hub_region(hub);
    ask(hub, OPERATOR, hub->policy, 0);
    ask(hub, OPERATOR, hub->policy, 0);
    hub_commit(hub);
    assert_refused(hub, hub->ref, CAREHUB__V1__ERROR_CODE__BUSY);
    assert_null(last_answer(hub, hub->ref - 1)->error);
    assert_null(compared(hub, hub->policy, 0)->gaining); /* and then the next */
}

static void one_that_nobody_waits_for_ends(void **state)
{
    struct hub *hub = *state;
    hub_region(hub);
    ask(hub, OPERATOR, hub->policy, 0);
    core_session_gone(hub->core, OPERATOR,
                      (struct core_time){.real_ms = hub->now_ms, .boot_ms = hub->now_ms - 1000000});
    hub_commit(hub);
    assert_null(last_answer(hub, hub->ref));
    hub_hello(hub, OPERATOR);
    assert_int_equal(compared(hub, hub->policy, 0)->n_changes, 0);
}

/* The hub confirms and delivers while it compares. */
static void traffic_goes_on_between_the_slices(void **state)
{
    struct hub *hub = *state;
    hub_region(hub);
    add_patients(hub, 1, "gp", "gp");
    for (uint8_t id = 1; id <= 60; id++)
        discharge(hub, id, 1);
    hub_clear(hub);
    struct core_time now = {.real_ms = hub->now_ms, .boot_ms = hub->now_ms - 1000000};
    ask(hub, OPERATOR, hub->policy, 0);
    uint64_t ref = hub->ref;
    int turns = 0;
    for (; !last_answer(hub, ref); turns++) {
        assert_int_equal(core_next_due_ms(hub->core), 0);
        core_commit(hub->core, now);
        assert_true(turns < 1000);
    }
    assert_true(turns >= 60 / 4);
    assert_int_equal(last_answer(hub, ref)->policy_diff->events, 60);
    assert_int_not_equal(core_next_due_ms(hub->core), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, hub_setup, hub_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_narrower_cell_shows_who_loses_what_and_of_how_many),
        TEST(patients_are_told_in_steps_of_five),
        TEST(totals_leave_out_what_is_not_shown),
        TEST(the_same_policy_changes_nothing),
        TEST(only_events_of_the_period_count_from_midnight_on),
        TEST(persons_and_informal_carers_are_counted_together),
        TEST(the_state_of_then_decides_not_that_of_now),
        TEST(records_of_one_person_count_once),
        TEST(what_would_be_held_is_told_as_such),
        TEST(what_decides_no_event_is_named),
        TEST(it_takes_an_operator_or_registrar_and_a_sound_policy),
        TEST(one_comparison_at_a_time),
        TEST(one_that_nobody_waits_for_ends),
        TEST(traffic_goes_on_between_the_slices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
