/* The question for an access report: who may ask, what is in it, page by page. */
#include "core_fixture.h"
#include "hub_limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define P1 "\"patient\":{\"number\":\"1\"}"
#define SSIN "\"patient\":{\"identifiers\":[{\"system\":\"ssin\",\"value\":\"38041299949\"}]}"
#define AT "\"occurredAt\":{\"unixMs\":\"1795300000000\"}"
#define KIND(name) CAREHUB__V1__REPORT_KIND__REPORT_##name
#define REASON(name) CAREHUB__V1__REASON__##name
#define HOUR_MS 3600000LL

typedef Carehub__V1__AccessReportQuery Asked;
typedef Carehub__V1__AccessReportAnswer Report;
typedef Carehub__V1__ReportItem Item;
typedef Carehub__V1__ReportAccess Access;

static const char CRISIS[] = "{\"type\":\"CRISIS_REFERRAL\"," SSIN "," AT ",\"crisisReferral\":{}}";
static const char ADMISSION[] =
    "{\"type\":\"HOSPITAL_ADMISSION\"," SSIN "," AT ",\"hospitalAdmission\":{\"encounterId\":\"E2\"}}";

/* ---- Asking ------------------------------------------------------------------------------------------------------- */

static Carehub__V1__PatientRef first_person = {.base = PROTOBUF_C_MESSAGE_INIT(&carehub__v1__patient_ref__descriptor),
                                               .number = 1};

static Asked asking(void)
{
    Asked asked = CAREHUB__V1__ACCESS_REPORT_QUERY__INIT;
    asked.patient = &first_person;
    asked.purpose = (char *)"complaint 17";
    return asked;
}

static const Carehub__V1__Answer *ask_as(struct hub *hub, session_id session, Asked *asked)
{
    Carehub__V1__Query query = CAREHUB__V1__QUERY__INIT;
    Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
    query.ref = ++hub->ref;
    query.query_case = CAREHUB__V1__QUERY__QUERY_ACCESS_REPORT;
    query.access_report = asked;
    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_QUERY;
    message.query = &query;
    hub_handle(hub, session, &message);
    hub_commit(hub);
    for (size_t i = hub->n_sent; i-- > 0;) {
        const Carehub__V1__ToClient *sent = hub->sent[i].message;
        if (sent->message_case == CAREHUB__V1__TO_CLIENT__MESSAGE_ANSWER && sent->answer->ref == hub->ref)
            return sent->answer;
    }
    fail_msg("no answer");
    return NULL;
}

static const Report *page_as(struct hub *hub, session_id session, Asked *asked)
{
    const Carehub__V1__Answer *answer = ask_as(hub, session, asked);
    if (answer->error)
        fail_msg("%s", answer->error->text);
    asked->reading = answer->access_report->reading;
    asked->from_place = answer->access_report->next_place;
    asked->from_access = answer->access_report->next_access;
    return answer->access_report;
}

static void refused_as(struct hub *hub, session_id session, Asked asked, Carehub__V1__ErrorCode code)
{
    const Carehub__V1__Answer *answer = ask_as(hub, session, &asked);
    assert_non_null(answer->error);
    assert_int_equal(answer->error->code, code);
}

/* All pages' items, in order; borrowed until hub_clear. */
struct whole {
    const Item *items[4096];
    const Report *pages[4096];
    size_t n, n_pages;
    bool waited;
};

static struct whole *whole_as(struct hub *hub, session_id session, Asked asked)
{
    static struct whole whole;
    memset(&whole, 0, sizeof whole);
    for (bool more = true; more;) {
        const Report *page = page_as(hub, session, &asked);
        for (size_t i = 0; i < page->n_items; i++)
            whole.items[whole.n++] = page->items[i];
        whole.pages[whole.n_pages++] = page;
        whole.waited |= page->waiting;
        more = page->next_place != 0;
        hub->now_ms += page->waiting ? 1000 : 0;
        assert_true(whole.n_pages < 4096);
    }
    return &whole;
}

static struct whole *whole_of(struct hub *hub)
{
    return whole_as(hub, OPERATOR, asking());
}

static const Item *item_of(const struct whole *whole, Carehub__V1__ReportKind kind, size_t n)
{
    for (size_t i = 0; i < whole->n; i++)
        if (whole->items[i]->kind == kind && n-- == 0)
            return whole->items[i];
    return NULL;
}

static const Access *access_of(const Item *item, const char *actor)
{
    for (size_t i = 0; item && i < item->n_accesses; i++)
        if (strcmp(item->accesses[i]->actor, actor) == 0)
            return item->accesses[i];
    return NULL;
}

static const Carehub__V1__ReportGround *ground_of(const struct whole *whole, uint64_t place)
{
    for (size_t p = 0; p < whole->n_pages; p++)
        for (size_t i = 0; i < whole->pages[p]->n_grounds; i++)
            if (whole->pages[p]->grounds[i]->place == place)
                return whole->pages[p]->grounds[i];
    return NULL;
}

/* ---- What the tests play with ------------------------------------------------------------------------------------- */

static struct hub *region(void **state)
{
    hub_region(*state);
    return *state;
}

static void settle(struct hub *hub)
{
    for (int i = 0; i < 5; i++) {
        hub->now_ms += 1000;
        hub_commit(hub);
    }
}

static void ack_read(struct hub *hub, session_id session, uint64_t epoch, Carehub__V1__Lane lane, uint64_t number)
{
    Carehub__V1__AckRange range = CAREHUB__V1__ACK_RANGE__INIT, *ranges[] = {&range};
    Carehub__V1__Ack ack = CAREHUB__V1__ACK__INIT;
    Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
    range.lane = lane;
    range.from = range.to = number;
    range.kind = CAREHUB__V1__ACK_KIND__READ;
    ack.handle = 1;
    ack.epoch = epoch;
    ack.n_ranges = 1;
    ack.ranges = ranges;
    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_ACK;
    message.ack = &ack;
    hub_handle(hub, session, &message);
    hub->now_ms += 10;
    hub_commit(hub);
}

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

/* ---- Pages -------------------------------------------------------------------------------------------------------- */

static void pages_are_small_and_hold_everything_once(void **state)
{
    struct hub *hub = region(state);
    enum { EVENTS = 250 };
    for (int i = 1; i <= EVENTS; i++)
        hub_publish(hub, HOSPITAL, (uint8_t)i, DISCHARGE);
    for (int i = 0; i < 20; i++)
        settle(hub);
    for (int denials = 0; denials <= 1; denials++) { /* pages end elsewhere */
        size_t accesses = 0, events = 0, of_one = 0;
        uint64_t last = 0;
        Asked asked = asking();
        asked.denials = denials;
        hub_clear(hub);
        struct whole *whole = whole_as(hub, OPERATOR, asked);
        for (size_t i = 0; i < whole->n; i++) {
            const Item *item = whole->items[i];
            assert_true(item->place > last || (item->continued && item->place == last));
            last = item->place;
            accesses += item->n_accesses;
            events += item->kind == KIND(EVENT) && !item->continued;
            of_one = item->n_accesses > of_one ? item->n_accesses : of_one;
        }
        assert_int_equal(events, EVENTS);
        assert_int_equal(accesses, EVENTS * of_one);
        assert_true(of_one >= 3 && whole->n_pages > 8);
        for (size_t p = 0; p < whole->n_pages; p++) {
            assert_true(whole->pages[p]->n_items <= 256);
            assert_true(carehub__v1__access_report_answer__get_packed_size(whole->pages[p]) < 128 << 10);
        }
    }
}

static void what_is_not_indexed_yet_is_waited_for_and_named(void **state)
{
    struct hub *hub = region(state);
    settle(hub);
    for (int i = 1; i <= 200; i++)
        hub_publish(hub, HOSPITAL, (uint8_t)i, DISCHARGE);
    Asked asked = asking();
    const Report *page = page_as(hub, OPERATOR, &asked);
    while (!page->waiting)
        page = page_as(hub, OPERATOR, &asked);
    assert_true(page->next_place > 0);
    assert_int_equal(page->complete_place, page->next_place - 1);
    assert_true(page->complete_place < page->reading);
    struct whole *whole = whole_of(hub);
    assert_false(whole->pages[whole->n_pages - 1]->waiting);
    assert_int_equal(whole->pages[whole->n_pages - 1]->complete_place, whole->pages[0]->reading);
}

/* ---- Several pages to a question ---------------------------------------------------------------------------------- */

/* The answers to the last question, in order: how many there are since hub_clear, and the last of them. */
static size_t answers_of(const struct hub *hub, uint64_t ref, const Carehub__V1__Answer **last)
{
    size_t n = 0;
    for (size_t i = 0; i < hub->n_sent; i++) {
        const Carehub__V1__ToClient *sent = hub->sent[i].message;
        if (sent->message_case != CAREHUB__V1__TO_CLIENT__MESSAGE_ANSWER || sent->answer->ref != ref)
            continue;
        assert_true(n == 0 || (*last)->more); /* after one without more nothing comes */
        *last = sent->answer;
        n++;
    }
    return n;
}

static void region_of_many_events(struct hub *hub)
{
    for (int i = 1; i <= 250; i++)
        hub_publish(hub, HOSPITAL, (uint8_t)i, DISCHARGE);
    for (int i = 0; i < 20; i++)
        settle(hub);
    hub_clear(hub);
}

static void several_pages_come_in_answer_to_one_question(void **state)
{
    struct hub *hub = region(state);
    enum { PAGES = 3 };
    region_of_many_events(hub);
    size_t one_by_one = whole_of(hub)->n_pages, n = 0, pages = 0;
    assert_true(one_by_one > 2 * PAGES);
    Asked asked = asking();
    asked.pages = PAGES;
    const Carehub__V1__Answer *last = NULL;
    uint64_t place = 0;
    do {
        hub_clear(hub);
        ask_as(hub, OPERATOR, &asked);
        for (int i = 0; i < 2 * PAGES; i++)
            hub_commit(hub);
        n = answers_of(hub, hub->ref, &last);
        assert_non_null(last->access_report);
        assert_false(last->more);
        assert_true(n == PAGES || (n < PAGES && last->access_report->next_place == 0));
        assert_true(last->access_report->complete_place > place);
        place = last->access_report->complete_place;
        asked.reading = last->access_report->reading;
        asked.from_place = last->access_report->next_place;
        asked.from_access = last->access_report->next_access;
        pages += n;
    } while (asked.from_place);
    assert_in_range(pages, one_by_one, one_by_one + 1); /* the second report has the first one's entry, too */
}

/* Asks, and commits once only: the run has not come to its end. */
static uint64_t ask_and_commit_once(struct hub *hub, session_id session, Asked *asked)
{
    Carehub__V1__Query query = CAREHUB__V1__QUERY__INIT;
    Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
    query.ref = ++hub->ref;
    query.query_case = CAREHUB__V1__QUERY__QUERY_ACCESS_REPORT;
    query.access_report = asked;
    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_QUERY;
    message.query = &query;
    hub_handle(hub, session, &message);
    core_commit(hub->core, (struct core_time){hub->now_ms, hub->now_ms - 1000000});
    return hub->ref;
}

/* One at a time; and what nobody waits for any more ends. */
static void who_asks_beside_another_goes_on_page_by_page(void **state)
{
    struct hub *hub = region(state);
    region_of_many_events(hub);
    hub_fact_good(hub, "{\"clientSet\":{\"name\":\"gp\",\"actors\":[\"gp\"],\"roles\":[\"AUDITOR\"]}}");
    Asked asked = asking();
    asked.pages = REPORT_PAGES_MAX;
    const Carehub__V1__Answer *first = NULL, *second = NULL;
    uint64_t ref = ask_and_commit_once(hub, GP, &asked);
    assert_in_range(answers_of(hub, ref, &first), 1, 2);
    assert_true(first->more);
    ref = ask_and_commit_once(hub, OPERATOR, &asked);
    assert_int_equal(answers_of(hub, ref, &second), 1);
    assert_false(second->more);
    assert_true(second->access_report->next_place > 0);
    core_session_gone(hub->core, GP, (struct core_time){hub->now_ms, hub->now_ms - 1000000});
    hub_commit(hub);
    ref = ask_and_commit_once(hub, OPERATOR, &asked);
    assert_true(answers_of(hub, ref, &second) > 0);
    assert_true(second->more);
    hub_crash(hub); /* in the middle of it */
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
        TEST(pages_are_small_and_hold_everything_once),
        TEST(what_is_not_indexed_yet_is_waited_for_and_named),
        TEST(several_pages_come_in_answer_to_one_question),
        TEST(who_asks_beside_another_goes_on_page_by_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
