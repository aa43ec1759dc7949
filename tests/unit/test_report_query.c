/* The question for an access report: who may ask, and what is in it. */
#include "report_query_case.h"

#define HOUR_MS 3600000LL

static const char CRISIS[] = "{\"type\":\"CRISIS_REFERRAL\"," SSIN "," AT ",\"crisisReferral\":{}}";
static const char ADMISSION[] =
    "{\"type\":\"HOSPITAL_ADMISSION\"," SSIN "," AT ",\"hospitalAdmission\":{\"encounterId\":\"E2\"}}";

static void report_names(struct hub *hub, const char *names)
{
    static const char setting[] = "report-names = person";
    char *text = calloc(1, strlen(hub->policy) + 200), *json = calloc(1, 2 * strlen(hub->policy) + 400), *to;
    const char *at = strstr(hub->policy, setting);
    sprintf(text, "%.*sreport-names = %s%s", (int)(at - hub->policy), hub->policy, names, at + strlen(setting));
    to = json + sprintf(json, "{\"policyAdopted\":{\"text\":\"");
    for (const char *c = text; *c; c++) {
        if (*c == '\n') {
            *to++ = '\\';
            *to++ = 'n';
            continue;
        }
        if (*c == '"' || *c == '\\')
            *to++ = '\\';
        *to++ = *c;
    }
    strcpy(to, "\"}}");
    hub_fact_good(hub, json);
    free(text);
    free(json);
}

/* ---- What is in it ------------------------------------------------------------------------------------------------ */

static void a_report_says_who_was_told_what_when_and_on_which_ground(void **state)
{
    struct hub *hub = region(state);
    uint64_t place = hub_publish(hub, HOSPITAL, 1, DISCHARGE)->place, epoch = hub_attach(hub, GP, "gp", 0);
    int64_t told_ms = hub->now_ms;
    ack_read(hub, GP, epoch, CAREHUB__V1__LANE__LANE_IMMEDIATE, 1);
    settle(hub);
    struct whole *whole = whole_of(hub);
    const Item *event = item_of(whole, KIND(EVENT), 0);
    assert_int_equal(event->place, place);
    assert_int_equal(event->type, CAREHUB__V1__EVENT_TYPE__HOSPITAL_DISCHARGE);
    assert_int_equal(event->at_ms, told_ms);
    assert_string_equal(event->actor, "az");
    assert_string_equal(event->client, "az");
    const Access *gp = access_of(event, "gp");
    assert_string_equal(gp->role, "gp");
    assert_int_equal(gp->reason, REASON(MEMBER_WITH_CONSENT));
    assert_int_equal(gp->level, CAREHUB__V1__LEVEL__LEVEL_CLINICAL);
    assert_true(gp->read_ms >= told_ms);
    assert_string_equal(gp->client, "gp");
    assert_string_equal(ground_of(whole, gp->ground)->fact->member_added->actor, "gp");
    assert_int_equal(ground_of(whole, gp->consent)->fact->fact_case, CAREHUB__V1__FACT__FACT_CONSENT_GIVEN);
    assert_string_equal(whole->pages[0]->policies[0]->name, "default");
    assert_int_equal(gp->policy, whole->pages[0]->policies[0]->place);
    assert_false(access_of(event, "apo")->handed_over);
    assert_null(access_of(event, "az")); /* its own event */
    assert_string_equal(whole->pages[0]->hub, "test");
}

/* A professional's software works for the practice that it speaks for besides; an organisation's for itself. */
static void on_whose_behalf_a_professional_received_is_said_and_of_organisations_nothing(void **state)
{
    struct hub *hub = region(state);
    hub_fact_good(hub, "{\"actorSet\":{\"name\":\"gp\",\"kind\":\"PROFESSIONAL\"}}");
    hub_fact_good(hub, "{\"clientSet\":{\"name\":\"gp\",\"actors\":[\"gp\",\"apo\"]}}");
    hub_fact_good(hub, "{\"clientSet\":{\"name\":\"apo\",\"actors\":[\"apo\",\"nurse\"]}}");
    uint64_t gp = hub_attach(hub, GP, "gp", 0), apo = hub_attach(hub, PHARMACY, "apo", 0);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    ack_read(hub, GP, gp, CAREHUB__V1__LANE__LANE_IMMEDIATE, 1);
    ack_read(hub, PHARMACY, apo, CAREHUB__V1__LANE__LANE_IMMEDIATE, 1);
    settle(hub);
    const Item *event = item_of(whole_of(hub), KIND(EVENT), 0);
    assert_true(access_of(event, "gp")->read_ms && access_of(event, "apo")->read_ms);
    assert_string_equal(access_of(event, "gp")->organisation, "apo");
    assert_string_equal(access_of(event, "apo")->organisation, "");
}

static void who_was_not_told_is_there_on_request(void **state)
{
    struct hub *hub = region(state);
    hub_fact_good(hub, "{\"exclusionSet\":{" P1 ",\"actor\":\"nurse\"}}");
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    settle(hub);
    assert_null(access_of(item_of(whole_of(hub), KIND(EVENT), 0), "nurse"));
    Asked asked = asking();
    asked.denials = true;
    const Access *nurse = access_of(item_of(whole_as(hub, OPERATOR, asked), KIND(EVENT), 0), "nurse");
    assert_int_equal(nurse->reason, REASON(EXCLUDED_BY_PERSON));
    assert_int_equal(nurse->outcome, CAREHUB__V1__OUTCOME__WITHHOLD);
}

static void what_was_withdrawn_says_so_and_why(void **state)
{
    struct hub *hub = region(state);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    hub_fact_good(hub, "{\"memberEnded\":{" P1 ",\"actor\":\"gp\",\"reason\":\"moved\"}}");
    hub_attach(hub, GP, "gp", 0);
    settle(hub);
    struct whole *whole = whole_of(hub);
    const Access *gp = access_of(item_of(whole, KIND(EVENT), 0), "gp");
    assert_int_equal(gp->end, REASON(END_WITHDRAWN));
    assert_int_equal(gp->why, REASON(NO_RELATION));
    assert_false(gp->handed_over);
    assert_true(gp->ended_ms > 0);
}

static void changes_readings_and_later_deliveries_are_in_it(void **state)
{
    struct hub *hub = region(state);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    settle(hub);
    hub_fact_good(hub, "{\"replayed\":{" P1 ",\"actorName\":\"gp\",\"reason\":\"lost its disk\"}}");
    settle(hub);
    hub_ask(hub, "{\"patient\":{\"patient\":{\"number\":\"1\"}}}");
    uint8_t id[16];
    event_id(hub, 1, id);
    hub_ask(hub, "{\"open\":{\"eventId\":\"019fff16-3300-8000-8000-000000000000\",\"purpose\":\"none\"}}");
    settle(hub);
    struct whole *whole = whole_of(hub);
    const Item *later = item_of(whole, KIND(LATER), 0);
    assert_int_equal(later->cause, CAREHUB__V1__CAUSE__REPLAY);
    assert_int_equal(later->type, CAREHUB__V1__EVENT_TYPE__HOSPITAL_DISCHARGE);
    assert_non_null(access_of(later, "gp"));
    const Item *reading = item_of(whole, KIND(READING), 0);
    assert_string_equal(reading->question, "patient");
    assert_string_equal(reading->client, "first-operator");
    const Item *own = item_of(whole, KIND(READING), 1);
    assert_string_equal(own->question, "report: complaint 17");
    bool registered = false, consented = false, replayed = false;
    for (size_t i = 0; i < whole->n; i++) {
        const Carehub__V1__Fact *change = whole->items[i]->change;
        registered |= change && change->fact_case == CAREHUB__V1__FACT__FACT_PATIENT_REGISTERED;
        consented |= change && change->fact_case == CAREHUB__V1__FACT__FACT_CONSENT_GIVEN;
        replayed |= change && change->fact_case == CAREHUB__V1__FACT__FACT_REPLAYED;
        assert_true(i == 0 || whole->items[i]->place > whole->items[i - 1]->place);
    }
    assert_true(registered && consented && replayed);
    assert_int_equal(whole->items[whole->n - 1]->place, whole->pages[0]->reading);
}

static void emergency_access_and_its_end_by_date_are_in_it(void **state)
{
    struct hub *hub = region(state);
    char json[400];
    hub_fact_good(hub, "{\"actorSet\":{\"name\":\"mug\",\"kind\":\"ORGANISATION\"}}");
    hub_fact_good(hub, "{\"inboxSet\":{\"name\":\"mug\",\"actor\":\"mug\",\"types\":[\"*\"]}}");
    snprintf(json, sizeof json,
             "{\"grantGiven\":{" P1 ",\"actor\":\"mug\",\"role\":\"emergency-physician\",\"kind\":\"EMERGENCY_ACCESS\","
             "\"untilMs\":\"%lld\",\"purpose\":\"acute care\",\"justification\":\"unconscious\"}}",
             (long long)(hub->now_ms + HOUR_MS));
    hub_fact_good(hub, json);
    hub_publish(hub, HOSPITAL, 1, CRISIS);
    hub->now_ms += 2 * HOUR_MS;
    hub_publish(hub, HOSPITAL, 2, ADMISSION);
    settle(hub);
    struct whole *whole = whole_of(hub);
    const Access *mug = NULL;
    for (size_t n = 0; !mug && item_of(whole, KIND(EVENT), n); n++) /* the hub's own notice of it is another event */
        if (item_of(whole, KIND(EVENT), n)->type == CAREHUB__V1__EVENT_TYPE__CRISIS_REFERRAL)
            mug = access_of(item_of(whole, KIND(EVENT), n), "mug");
    assert_int_equal(ground_of(whole, mug->ground)->fact->grant_given->kind, CAREHUB__V1__GRANT_KIND__EMERGENCY_ACCESS);
    assert_string_equal(ground_of(whole, mug->ground)->fact->grant_given->purpose, "acute care");
    const Item *expiry = item_of(whole, KIND(EXPIRY), 0);
    assert_string_equal(expiry->ends[0]->actor, "mug");
    assert_int_equal(expiry->ends[0]->kind, CAREHUB__V1__EXPIRY_ENTRY__ENDED__KIND__GRANT);
}

static void records_that_were_merged_are_in_it(void **state)
{
    struct hub *hub = region(state);
    hub_fact_good(hub, "{\"patientRegistered\":{\"identifiers\":[{\"system\":\"urn:x\",\"value\":\"7\"}]}}");
    hub_fact_good(hub, "{\"consentGiven\":{\"patient\":{\"number\":\"2\"},\"purposes\":[\"continuity-of-care\"]}}");
    hub_fact_good(hub, "{\"patientsMerged\":{" P1 ",\"merged\":{\"number\":\"2\"}}}");
    settle(hub);
    for (uint64_t number = 1; number <= 2; number++) {
        first_person.number = number;
        struct whole *whole = whole_of(hub);
        first_person.number = 1;
        assert_int_equal(whole->pages[0]->person, 1);
        assert_int_equal(whole->pages[0]->n_records, 2);
        bool of_other = false;
        for (size_t i = 0; i < whole->n; i++)
            of_other |= whole->items[i]->record == 2 && whole->items[i]->change &&
                        whole->items[i]->change->fact_case == CAREHUB__V1__FACT__FACT_CONSENT_GIVEN;
        assert_true(of_other);
    }
}

static void a_type_and_a_period_leave_the_rest_out(void **state)
{
    struct hub *hub = region(state);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    hub->now_ms += HOUR_MS;
    int64_t between_ms = hub->now_ms;
    hub_publish(hub, HOSPITAL, 2, ADMISSION);
    settle(hub);
    Asked asked = asking();
    char *types[] = {(char *)"HospitalDischarge"};
    asked.types = types;
    asked.n_types = 1;
    struct whole *whole = whole_as(hub, OPERATOR, asked);
    assert_int_equal(whole->n, 1);
    assert_int_equal(whole->items[0]->type, CAREHUB__V1__EVENT_TYPE__HOSPITAL_DISCHARGE);
    asked = asking();
    asked.from_ms = between_ms;
    whole = whole_as(hub, OPERATOR, asked);
    assert_int_equal(whole->items[0]->type, CAREHUB__V1__EVENT_TYPE__HOSPITAL_ADMISSION);
    asked = asking();
    asked.to_ms = between_ms;
    whole = whole_as(hub, OPERATOR, asked);
    assert_int_equal(whole->items[whole->n - 1]->type, CAREHUB__V1__EVENT_TYPE__HOSPITAL_DISCHARGE);
}

/* ---- Who may ask -------------------------------------------------------------------------------------------------- */

static void of_one_event_there_is_who_learned_of_it_and_what_says_so(void **state)
{
    struct hub *hub = region(state);
    uint64_t epoch = hub_attach(hub, GP, "gp", 0);
    uint64_t place = hub_publish(hub, HOSPITAL, 1, DISCHARGE)->place;
    hub_publish(hub, HOSPITAL, 2, ADMISSION);
    hub_fact_good(hub, "{\"memberEnded\":{" P1 ",\"actor\":\"nurse\",\"reason\":\"moved\"}}");
    ack_read(hub, GP, epoch, CAREHUB__V1__LANE__LANE_IMMEDIATE, 1);
    hub_fact_good(hub, "{\"replayed\":{" P1 ",\"actorName\":\"gp\",\"reason\":\"lost it\"}}");
    settle(hub);
    Asked asked = asking();
    asked.patient = NULL; /* it is the event's */
    asked.event_place = place;
    struct whole *whole = whole_as(hub, OPERATOR, asked);
    assert_int_equal(whole->n, 2); /* and the replay of this one alone */
    assert_int_equal(whole->items[0]->place, place);
    assert_int_equal(whole->items[1]->event_place, place);
    const Access *gp = access_of(whole->items[0], "gp");
    assert_int_equal(gp->n_said_by, 1);
    assert_true(gp->said_by[0] > place && gp->read_ms > 0);
    asked.event_place = 999999;
    refused_as(hub, OPERATOR, asked, CAREHUB__V1__ERROR_CODE__UNKNOWN_NAME);
    asked.patient = &first_person;
    assert_int_equal(whole_as(hub, OPERATOR, asked)->n, 0);
}

static void an_auditor_names_a_purpose_and_leaves_an_entry(void **state)
{
    struct hub *hub = region(state);
    settle(hub);
    Asked asked = asking();
    asked.purpose = (char *)"";
    refused_as(hub, OPERATOR, asked, CAREHUB__V1__ERROR_CODE__INVALID);
    asked = asking();
    asked.to_ms = 1;
    asked.from_ms = 2;
    refused_as(hub, OPERATOR, asked, CAREHUB__V1__ERROR_CODE__INVALID);
    first_person.number = 99;
    asked = asking();
    refused_as(hub, OPERATOR, asked, CAREHUB__V1__ERROR_CODE__UNKNOWN_NAME);
    first_person.number = 1;
}

static void a_page_goes_on_only_with_a_report_that_was_begun(void **state)
{
    struct hub *hub = region(state);
    settle(hub);
    Asked asked = asking(), other;
    const Report *page = page_as(hub, OPERATOR, &asked);
    asked.from_place = 1;
    page_as(hub, OPERATOR, &asked);
    other = asked;
    other.purpose = (char *)"curiosity"; /* another purpose is another report */
    refused_as(hub, OPERATOR, other, CAREHUB__V1__ERROR_CODE__INVALID);
    other = asked;
    other.all_names = true;
    refused_as(hub, OPERATOR, other, CAREHUB__V1__ERROR_CODE__INVALID);
    other = asked;
    other.reading = page->reading - 1;
    refused_as(hub, OPERATOR, other, CAREHUB__V1__ERROR_CODE__INVALID);
    other.reading = 1000000;
    refused_as(hub, OPERATOR, other, CAREHUB__V1__ERROR_CODE__INVALID);
    hub->now_ms += 2 * HOUR_MS;
    refused_as(hub, OPERATOR, asked, CAREHUB__V1__ERROR_CODE__INVALID);
    other = asking(); /* without one, a report begins anew whatever place it names */
    other.from_place = page->reading;
    assert_true(page_as(hub, OPERATOR, &other)->reading > page->reading);
}

static void a_person_may_ask_for_the_own_report_and_nobody_elses(void **state)
{
    struct hub *hub = region(state);
    hub_fact_good(hub, "{\"actorSet\":{\"name\":\"one\",\"kind\":\"PERSON\"}}");
    hub_fact_good(hub, "{\"clientSet\":{\"name\":\"gp\",\"actors\":[\"gp\",\"one\"],\"publishes\":[\"*\"]}}");
    settle(hub);
    Asked asked = asking();
    asked.purpose = (char *)"";
    refused_as(hub, GP, asked, CAREHUB__V1__ERROR_CODE__NOT_ALLOWED); /* is in nobody's team yet */
    hub_fact_good(hub, "{\"memberAdded\":{" P1 ",\"actor\":\"one\",\"role\":\"person\"}}");
    settle(hub);
    struct whole *whole = whole_as(hub, GP, asked);
    assert_true(whole->n > 5);
    assert_string_equal(whole->items[whole->n - 1]->question, "report by the person");
    asked.all_names = true;
    refused_as(hub, GP, asked, CAREHUB__V1__ERROR_CODE__NOT_ALLOWED);
    refused_as(hub, PHARMACY, asking(), CAREHUB__V1__ERROR_CODE__NOT_ALLOWED);
    hub_fact_good(hub, "{\"patientRegistered\":{\"identifiers\":[{\"system\":\"urn:x\",\"value\":\"7\"}]}}");
    first_person.number = 2;
    refused_as(hub, GP, asking(), CAREHUB__V1__ERROR_CODE__NOT_ALLOWED); /* somebody else … */
    first_person.number = 99;
    refused_as(hub, GP, asking(), CAREHUB__V1__ERROR_CODE__NOT_ALLOWED); /* … and nobody look the same */
    first_person.number = 1;
}

static void the_policy_keeps_names_of_professionals_from_reports(void **state)
{
    struct hub *hub = region(state);
    hub_fact_good(hub, "{\"actorSet\":{\"name\":\"gp\",\"kind\":\"PROFESSIONAL\",\"display\":\"Dr. Janssens\"}}");
    report_names(hub, "role-and-organisation");
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    hub_attach(hub, GP, "gp", 0);
    settle(hub);
    Asked asked = asking();
    struct whole *whole = whole_of(hub);
    const Access *hidden = access_of(item_of(whole, KIND(EVENT), 0), "");
    assert_string_equal(hidden->role, "gp");
    assert_int_equal(hidden->kind, CAREHUB__V1__ACTOR_KIND__PROFESSIONAL);
    assert_string_equal(hidden->client, "");
    assert_non_null(access_of(item_of(whole, KIND(EVENT), 0), "apo")); /* an organisation */
    assert_true(whole->pages[0]->names_kept);
    for (size_t p = 0; p < whole->n_pages; p++) { /* in no fact or list either */
        size_t size = carehub__v1__access_report_answer__get_packed_size(whole->pages[p]);
        uint8_t *packed = malloc(size);
        carehub__v1__access_report_answer__pack(whole->pages[p], packed);
        assert_null(memmem(packed, size, "Janssens", 8));
        assert_null(memmem(packed, size, "\"gp\"", 4));
        free(packed);
    }
    asked.all_names = true;
    whole = whole_as(hub, OPERATOR, asked);
    assert_non_null(access_of(item_of(whole, KIND(EVENT), 0), "gp"));
    assert_false(whole->pages[0]->names_kept);
    report_names(hub, "organisation");
    hidden = access_of(item_of(whole_of(hub), KIND(EVENT), 0), "");
    assert_string_equal(hidden->role, "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, hub_setup, hub_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_report_says_who_was_told_what_when_and_on_which_ground),
        TEST(on_whose_behalf_a_professional_received_is_said_and_of_organisations_nothing),
        TEST(who_was_not_told_is_there_on_request),
        TEST(what_was_withdrawn_says_so_and_why),
        TEST(changes_readings_and_later_deliveries_are_in_it),
        TEST(emergency_access_and_its_end_by_date_are_in_it),
        TEST(records_that_were_merged_are_in_it),
        TEST(a_type_and_a_period_leave_the_rest_out),
        TEST(of_one_event_there_is_who_learned_of_it_and_what_says_so),
        TEST(an_auditor_names_a_purpose_and_leaves_an_entry),
        TEST(a_page_goes_on_only_with_a_report_that_was_begun),
        TEST(a_person_may_ask_for_the_own_report_and_nobody_elses),
        TEST(the_policy_keeps_names_of_professionals_from_reports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
