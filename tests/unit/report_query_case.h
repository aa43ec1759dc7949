/* Asking the core for access reports, page by page. */
#ifndef CAREHUB_TEST_REPORT_QUERY_CASE_H
#define CAREHUB_TEST_REPORT_QUERY_CASE_H

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

typedef Carehub__V1__AccessReportQuery Asked;
typedef Carehub__V1__AccessReportAnswer Report;
typedef Carehub__V1__ReportItem Item;
typedef Carehub__V1__ReportAccess Access;

/* ---- Asking ------------------------------------------------------------------------------------------------------- */

static Carehub__V1__PatientRef first_person = {.base = PROTOBUF_C_MESSAGE_INIT(&carehub__v1__patient_ref__descriptor),
                                               .number = 1};

static inline Asked asking(void)
{
    Asked asked = CAREHUB__V1__ACCESS_REPORT_QUERY__INIT;
    asked.patient = &first_person;
    asked.purpose = (char *)"complaint 17";
    return asked;
}

static inline const Carehub__V1__Answer *ask_as(struct hub *hub, session_id session, Asked *asked)
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

static inline const Report *page_as(struct hub *hub, session_id session, Asked *asked)
{
    const Carehub__V1__Answer *answer = ask_as(hub, session, asked);
    if (answer->error)
        fail_msg("%s", answer->error->text);
    asked->reading = answer->access_report->reading;
    asked->from_place = answer->access_report->next_place;
    asked->from_access = answer->access_report->next_access;
    return answer->access_report;
}

static inline void refused_as(struct hub *hub, session_id session, Asked asked, Carehub__V1__ErrorCode code)
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

static inline struct whole *whole_as(struct hub *hub, session_id session, Asked asked)
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

static inline struct whole *whole_of(struct hub *hub)
{
    return whole_as(hub, OPERATOR, asking());
}

static inline const Item *item_of(const struct whole *whole, Carehub__V1__ReportKind kind, size_t n)
{
    for (size_t i = 0; i < whole->n; i++)
        if (whole->items[i]->kind == kind && n-- == 0)
            return whole->items[i];
    return NULL;
}

static inline const Access *access_of(const Item *item, const char *actor)
{
    for (size_t i = 0; item && i < item->n_accesses; i++)
        if (strcmp(item->accesses[i]->actor, actor) == 0)
            return item->accesses[i];
    return NULL;
}

static inline const Carehub__V1__ReportGround *ground_of(const struct whole *whole, uint64_t place)
{
    for (size_t p = 0; p < whole->n_pages; p++)
        for (size_t i = 0; i < whole->pages[p]->n_grounds; i++)
            if (whole->pages[p]->grounds[i]->place == place)
                return whole->pages[p]->grounds[i];
    return NULL;
}

/* ---- What the tests play with ------------------------------------------------------------------------------------- */

static inline struct hub *region(void **state)
{
    hub_region(*state);
    return *state;
}

static inline void settle(struct hub *hub)
{
    for (int i = 0; i < 5; i++) {
        hub->now_ms += 1000;
        hub_commit(hub);
    }
}

static inline void ack_read(struct hub *hub, session_id session, uint64_t epoch, Carehub__V1__Lane lane,
                            uint64_t number)
{
    hub->now_ms += 10;
    hub_ack_as(hub, session, epoch, lane, number, number, CAREHUB__V1__ACK_KIND__READ);
}

#endif
