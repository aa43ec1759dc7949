/* An access report comes page by page: each small, one after another, whole. */
#include "report_query_case.h"

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
        TEST(pages_are_small_and_hold_everything_once),
        TEST(what_is_not_indexed_yet_is_waited_for_and_named),
        TEST(several_pages_come_in_answer_to_one_question),
        TEST(who_asks_beside_another_goes_on_page_by_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
