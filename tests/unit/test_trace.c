/* What a trace says became of a delivery. */
#include "core_fixture.h"

#include <stdio.h>
#include <string.h>

#define STEP(name) CAREHUB__V1__TRACE_LINE__STEP__##name
#define IMMEDIATE CAREHUB__V1__LANE__LANE_IMMEDIATE
#define P1 "\"patient\":{\"number\":\"1\"}"

/* Has the trace of the event at a place a step of that kind, for that actor? */
static bool traced(struct hub *hub, uint64_t place, const char *actor, Carehub__V1__TraceLine__Step step)
{
    char json[64];
    snprintf(json, sizeof json, "{\"trace\":{\"place\":\"%llu\"}}", (unsigned long long)place);
    const Carehub__V1__TraceAnswer *trace = hub_ask(hub, json)->trace;
    for (size_t i = 0; i < trace->n_lines; i++)
        if (trace->lines[i]->step == step && strcmp(trace->lines[i]->actor, actor) == 0)
            return true;
    return false;
}

static void ack_read(struct hub *hub, session_id session, uint64_t epoch, uint64_t from, uint64_t to)
{
    hub->now_ms += 10;
    hub_ack_as(hub, session, epoch, IMMEDIATE, from, to, CAREHUB__V1__ACK_KIND__READ);
}

static struct hub *region(void **state)
{
    hub_region(*state);
    return *state;
}

/* One is withdrawn in the inbox, before it is sent; the receiver says of the whole range that it was read. */
static void a_range_that_was_read_does_not_read_what_was_withdrawn_within_it(void **state)
{
    struct hub *hub = region(state);
    uint64_t first = hub_publish(hub, HOSPITAL, 1, DISCHARGE)->place;
    hub_fact_good(hub, "{\"exclusionSet\":{" P1 ",\"actor\":\"gp\"}}");
    hub_fact_good(hub, "{\"exclusionLifted\":{" P1 ",\"actor\":\"gp\"}}");
    uint64_t second = hub_publish(hub, HOSPITAL, 2, DISCHARGE)->place;
    uint64_t epoch = hub_attach(hub, GP, "gp", 0);
    assert_int_equal(hub_deliveries(hub, GP), 1);
    assert_int_equal(hub_skip(hub, GP, 0)->from, 1);
    hub_ack(hub, GP, epoch, IMMEDIATE, 1, 2);
    ack_read(hub, GP, epoch, 1, 2);
    assert_true(traced(hub, first, "gp", STEP(END)));
    assert_false(traced(hub, first, "gp", STEP(SENT)));
    assert_false(traced(hub, first, "gp", STEP(ACKNOWLEDGED_STORED)));
    assert_false(traced(hub, first, "gp", STEP(ACKNOWLEDGED_READ)));
    assert_true(traced(hub, second, "gp", STEP(ACKNOWLEDGED_STORED)));
    assert_true(traced(hub, second, "gp", STEP(ACKNOWLEDGED_READ)));
}

static void a_range_that_was_read_does_not_read_what_was_refused_within_it(void **state)
{
    struct hub *hub = region(state);
    uint64_t epoch = hub_attach(hub, GP, "gp", 0);
    uint64_t refused = hub_publish(hub, HOSPITAL, 1, DISCHARGE)->place;
    uint64_t read = hub_publish(hub, HOSPITAL, 2, DISCHARGE)->place;
    hub_nack(hub, GP, epoch, IMMEDIATE, 1, true);
    hub_ack(hub, GP, epoch, IMMEDIATE, 1, 2);
    ack_read(hub, GP, epoch, 1, 2);
    assert_true(traced(hub, refused, "gp", STEP(REFUSED)));
    assert_false(traced(hub, refused, "gp", STEP(ACKNOWLEDGED_READ)));
    assert_true(traced(hub, read, "gp", STEP(ACKNOWLEDGED_READ)));
    hub_fact_good(hub,
                  "{\"deadRetried\":{\"inbox\":\"gp\",\"reason\":\"mended\"}}"); /* it goes on in a slot of its own */
    hub_ack(hub, GP, epoch, IMMEDIATE, 3, 3);
    assert_true(traced(hub, refused, "gp", STEP(ACKNOWLEDGED_STORED)));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, hub_setup, hub_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_range_that_was_read_does_not_read_what_was_withdrawn_within_it),
        TEST(a_range_that_was_read_does_not_read_what_was_refused_within_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
