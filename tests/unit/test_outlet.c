/* The outlet and its inbox, with hub, journal, format and transport played by the test, in shrunken time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "counters.h"
#include "journal.h"
#include "outlet.h"
#include "outlet_inbox.h"
#include "outlet_peer.h"
#include "transport.h"

enum { UNIT_MS = 2, SENT_MAX = 200, LOG_BYTES = 8192, ORDINARY = 0, IMMEDIATE = 1 };

/* ---- The hub: libcarehub as the outlet sees it ------------------------------------------------------------------ */

static struct hub {
    struct carehub_subscribe_options options;
    int subscribed, unsubscribed;
    bool attached;
    char log[LOG_BYTES]; /* "ack 0:1; nack 0:2 http-400; " */
} hub;

static carehub_subscription *const the_subscription = (carehub_subscription *)&hub;

static void __attribute__((format(printf, 1, 2))) note(const char *format, ...)
{
    size_t used = strlen(hub.log);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(hub.log + used, sizeof hub.log - used, format, arguments);
    va_end(arguments);
}

int carehub_subscribe(carehub_client *client, const struct carehub_subscribe_options *options,
                      carehub_subscription **subscription)
{
    (void)client;
    hub.options = *options;
    hub.subscribed++;
    *subscription = the_subscription;
    return CAREHUB_OK;
}

void carehub_unsubscribe(carehub_subscription **subscription)
{
    if (*subscription)
        hub.unsubscribed++;
    *subscription = NULL;
}

int carehub_ack(carehub_subscription *subscription, Carehub__V1__Lane lane, uint64_t number, Carehub__V1__AckKind kind)
{
    assert_ptr_equal(subscription, the_subscription);
    assert_int_equal(kind, CAREHUB__V1__ACK_KIND__STORED);
    note("%sack %d:%d; ", hub.attached ? "" : "late ", (int)lane, (int)number);
    return hub.attached ? CAREHUB_OK : CAREHUB_STALE;
}

int carehub_nack(carehub_subscription *subscription, Carehub__V1__Lane lane, uint64_t number, const char *code,
                 bool final)
{
    assert_ptr_equal(subscription, the_subscription);
    note("%snack %d:%d %s%s; ", hub.attached ? "" : "late ", (int)lane, (int)number, code, final ? " for good" : "");
    return hub.attached ? CAREHUB_OK : CAREHUB_STALE;
}

const char *carehub_error(void)
{
    return "";
}

static void attach(void)
{
    hub.attached = true;
    hub.options.on_attached(hub.options.arg, the_subscription, CAREHUB_OK, NULL);
}

static void detach(int status)
{
    hub.attached = false;
    hub.options.on_attached(hub.options.arg, the_subscription, status, "because of the test");
}

/* The event's id is the number, too; in the immediate lane plus 100. */
static void deliver_event(int lane, int number, uint32_t attempt, int amends)
{
    uint8_t id[CAREHUB_ID_BYTES] = {[15] = (uint8_t)(number + 100 * lane)}, original[CAREHUB_ID_BYTES] = {0};
    Carehub__V1__Event event = CAREHUB__V1__EVENT__INIT;
    uint8_t packed[256];
    event.id = (ProtobufCBinaryData){.data = id, .len = sizeof id};
    if (amends) {
        original[15] = (uint8_t)amends;
        event.amends = (ProtobufCBinaryData){.data = original, .len = sizeof original};
    }
    const struct carehub_delivery delivery = {.lane = (Carehub__V1__Lane)lane,
                                              .number = (uint64_t)number,
                                              .attempt = attempt,
                                              .event = &event,
                                              .bytes = packed,
                                              .size = carehub__v1__event__pack(&event, packed)};
    hub.options.on_delivery(hub.options.arg, the_subscription, &delivery);
}

static void deliver(int lane, int number)
{
    deliver_event(lane, number, 1, 0);
}

/* ---- The journal ------------------------------------------------------------------------------------------------ */

static struct {
    char log[LOG_BYTES]; /* "put 1; " */
    uint64_t number;
    uint8_t kept[256][256];
    size_t kept_len[256];
} the_journal;

bool journal_sent_put(struct journal *self, const char *outlet, const uint8_t id[EVENTID_BYTES], const void *packed,
                      size_t len, int64_t now_ms)
{
    (void)self;
    assert_string_equal(outlet, "north");
    assert_true(now_ms > 0 && len <= 256);
    memcpy(the_journal.kept[id[15]], packed, len);
    the_journal.kept_len[id[15]] = len;
    return true;
}

bool journal_sent_get(struct journal *self, const char *outlet, const uint8_t id[EVENTID_BYTES], void **packed,
                      size_t *len)
{
    (void)self;
    assert_string_equal(outlet, "north");
    *len = the_journal.kept_len[id[15]];
    *packed = *len ? malloc(*len) : NULL;
    if (*packed)
        memcpy(*packed, the_journal.kept[id[15]], *len);
    return true;
}

uint64_t journal_number(struct journal *self, int64_t now_ms)
{
    (void)self;
    (void)now_ms;
    return ++the_journal.number;
}

const char *journal_error(const struct journal *self)
{
    (void)self;
    return "";
}

/* ---- The transport ---------------------------------------------------------------------------------------------- */

/* Each letter is what becomes of the next parcel: Taken, Again, Down, Refused, or Waits until the test tells; the last
 * one is for all further. */
static struct wire {
    uv_timer_t timer;
    const char *results;
    char log[LOG_BYTES]; /* "1 2 101 " */
    uint64_t at_ms[SENT_MAX];
    int sent;
    uint64_t asked_wait_ms;
    bool open, waits;
    sending_judge_fn *judge;
    sending_done_fn *done;
    void *arg;
} wire;

static void tell_result(char letter)
{
    static const struct {
        char letter;
        enum sending_result result;
        const char *code;
    } results[] = {{'T', SENDING_TAKEN, "taken"},
                   {'A', SENDING_AGAIN, "http-400"},
                   {'D', SENDING_DOWN, "timeout"},
                   {'R', SENDING_REFUSED, "refused"}};
    size_t i = 0;
    while (results[i].letter != letter)
        i++;
    wire.waits = false;
    wire.done(wire.arg, results[i].result, results[i].code, "so the test has it");
}

static void on_wire(uv_timer_t *timer)
{
    char letter = wire.results[0];
    (void)timer;
    if (wire.results[1] != '\0')
        wire.results++;
    if (letter != 'W')
        tell_result(letter);
}

static void wire_send(void *self, const struct carehub_parcel *parcel, sending_judge_fn *judge, sending_done_fn *done,
                      void *arg)
{
    assert_ptr_equal(self, &wire);
    assert_true(wire.open && !wire.waits); /* one at a time */
    wire.waits = true;
    wire.judge = judge;
    wire.done = done;
    wire.arg = arg;
    size_t used = strlen(wire.log);
    snprintf(wire.log + used, sizeof wire.log - used, "%s ", parcel->native_id);
    assert_true(wire.sent < SENT_MAX);
    wire.at_ms[wire.sent++] = uv_hrtime() / 1000000;
    uv_timer_start(&wire.timer, on_wire, 0, 0);
}

static bool wire_check(const struct carehub_setting *section, const char *folder, char error[CAREHUB_ERROR_BYTES])
{
    (void)section;
    (void)folder;
    (void)error;
    return true;
}

static void *wire_open(uv_loop_t *loop, const struct carehub_setting *section, const char *folder,
                       char error[CAREHUB_ERROR_BYTES])
{
    (void)section;
    (void)folder;
    (void)error;
    uv_timer_init(loop, &wire.timer);
    wire.open = true;
    return &wire;
}

static void wire_endpoint(const void *self, char *out, size_t size)
{
    (void)self;
    snprintf(out, size, "the wire");
}

static void wire_close(void *self)
{
    (void)self;
    assert_true(wire.open);
    wire.open = false;
    uv_close((uv_handle_t *)&wire.timer, NULL);
}

static uint64_t wire_asked_wait_ms(const void *self)
{
    assert_ptr_equal(self, &wire);
    return wire.asked_wait_ms;
}

static const struct transport_out the_wire = {.name = "wire",
                                              .check = wire_check,
                                              .open = wire_open,
                                              .endpoint = wire_endpoint,
                                              .send = wire_send,
                                              .close = wire_close,
                                              .asked_wait_ms = wire_asked_wait_ms};

const struct transport_out *transport_out_named(const char *name)
{
    return strcmp(name, "wire") == 0 ? &the_wire : NULL;
}

/* ---- The format ------------------------------------------------------------------------------------------------- */

static struct {
    int written, original; /* the id of the original that was shown last; 0: none */
    uint64_t number;
    uint32_t attempt;
} seen;

/* 50 to 59 mean nothing to it, 60 to 69 cannot be written. */
static enum carehub_written format_write(const void *self, const struct carehub_departure *departure,
                                         struct carehub_parcel *parcel)
{
    int id = departure->event->id.data[15];
    (void)self;
    assert_true(departure->number > seen.number);
    assert_string_equal(departure->receiver->name, "receiver");
    seen.written++;
    seen.number = departure->number;
    seen.attempt = departure->attempt;
    seen.original = departure->original ? departure->original->id.data[15] : 0;
    if (id / 10 == 5)
        return CAREHUB_WRITTEN_NOTHING;
    snprintf(parcel->problem.what, sizeof parcel->problem.what, "it cannot be said");
    if (id / 10 == 6)
        return CAREHUB_WRITTEN_ERROR;
    parcel->bytes = strdup("message");
    parcel->len = strlen("message");
    snprintf(parcel->native_id, sizeof parcel->native_id, "%d", id);
    return CAREHUB_WRITTEN;
}

static enum carehub_judgement format_judge(const void *self, const struct carehub_parcel *parcel, const void *answer,
                                           size_t len, struct carehub_problem *problem)
{
    (void)self;
    (void)problem;
    return len == strlen(parcel->native_id) && memcmp(parcel->native_id, answer, len) == 0 ? CAREHUB_JUDGED_TAKEN
                                                                                           : CAREHUB_JUDGED_OTHER;
}

static bool format_check_receiver(const struct carehub_setting *receiver, char error[CAREHUB_ERROR_BYTES])
{
    if (!receiver)
        snprintf(error, CAREHUB_ERROR_BYTES, "receiver: needs more");
    return receiver != NULL;
}

static const struct carehub_format the_format = {.abi = CAREHUB_FORMAT_ABI,
                                                 .name = "test",
                                                 .write = format_write,
                                                 .judge = format_judge,
                                                 .check_receiver = format_check_receiver};

/* ---- The outlet ------------------------------------------------------------------------------------------------- */

static uv_loop_t loop;
static struct counters counters;
static struct outlet *outlet;

static void start(const char *results)
{
    char error[CAREHUB_ERROR_BYTES] = "";
    memset(&hub, 0, sizeof hub);
    memset(&wire, 0, sizeof wire);
    memset(&the_journal, 0, sizeof the_journal);
    memset(&seen, 0, sizeof seen);
    wire.results = results;
    uv_loop_init(&loop);
    const struct outlet_options options = {
        .format = &the_format,
        .section = make_section((const char *[]){"transport", "wire", "inbox", "north", "receiver", "", NULL}),
        .folder = "",
        .counters = &counters,
        .back_off_ms = UNIT_MS};
    outlet = outlet_new(&loop, &options, error);
    assert_string_equal(error, "");
    attach();
}

static void finish(void)
{
    outlet_close(&outlet);
    run_out(&loop);
    assert_int_equal(hub.subscribed, hub.unsubscribed);
    assert_false(wire.open);
}

/* Runs the loop until the hub has heard that; five seconds at most. */
static void expect_hub(const char *log)
{
    for (int i = 0; i < 500 && strcmp(hub.log, log) != 0; i++)
        run_for(&loop, 10);
    assert_string_equal(hub.log, log);
}

static struct outlet_status status(void)
{
    struct outlet_status now;
    outlet_status(outlet, &now);
    return now;
}

/* ---- What becomes of a delivery --------------------------------------------------------------------------------- */

static void what_is_taken_is_remembered_and_acknowledged(void **state)
{
    (void)state;
    start("T");
    counters.changed = false;
    deliver(ORDINARY, 1);
    deliver(ORDINARY, 2);
    expect_hub("ack 0:1; ack 0:2; ");
    assert_string_equal(wire.log, "1 2 ");
    assert_true(the_journal.kept_len[1] > 0 && the_journal.kept_len[2] > 0);
    assert_int_equal(status().sent, 2);
    assert_true(status().attached && counters.changed);
    assert_string_equal(status().endpoint, "the wire");
    finish();
}

static void what_means_nothing_to_the_format_is_acknowledged(void **state)
{
    (void)state;
    start("T");
    deliver(ORDINARY, 50);
    deliver(ORDINARY, 1);
    expect_hub("ack 0:50; ack 0:1; ");
    assert_string_equal(wire.log, "1 ");
    assert_int_equal(status().nothing, 1);
    assert_int_equal(the_journal.kept_len[50], 0);
    finish();
}

static void what_cannot_be_written_is_a_dead_letter(void **state)
{
    (void)state;
    start("T");
    deliver(ORDINARY, 60);
    deliver(ORDINARY, 1);
    expect_hub("nack 0:60 cannot-be-written for good; ack 0:1; ");
    assert_int_equal(status().failed, 1);
    assert_string_equal(status().last_error, "cannot-be-written");
    finish();
}

static void one_that_is_not_taken_now_does_not_hold_up_the_next(void **state)
{
    (void)state;
    start("AT");
    deliver(ORDINARY, 1);
    deliver(ORDINARY, 2);
    expect_hub("nack 0:1 http-400; ack 0:2; ");
    deliver_event(ORDINARY, 1, 2, 0); /* the hub sends it again */
    expect_hub("nack 0:1 http-400; ack 0:2; ack 0:1; ");
    assert_int_equal(seen.attempt, 2);
    assert_int_equal(status().again, 1);
    assert_string_equal(status().last_error, "http-400");
    assert_int_equal(status().down_since_ms, 0);
    finish();
}

static void one_that_is_refused_is_a_dead_letter(void **state)
{
    (void)state;
    start("RT");
    deliver(ORDINARY, 1);
    deliver(ORDINARY, 2);
    expect_hub("nack 0:1 refused for good; ack 0:2; ");
    assert_int_equal(status().failed, 1);
    assert_int_equal(the_journal.kept_len[1], 0);
    finish();
}

static void the_format_judges_its_own_parcel(void **state)
{
    struct carehub_problem problem;
    (void)state;
    start("W");
    deliver(ORDINARY, 1);
    run_for(&loop, 20);
    assert_int_equal(wire.judge(wire.arg, "1", 1, &problem), CAREHUB_JUDGED_TAKEN);
    assert_int_equal(wire.judge(wire.arg, "2", 1, &problem), CAREHUB_JUDGED_OTHER);
    tell_result('T');
    expect_hub("ack 0:1; ");
    finish();
}

static void a_correction_is_written_with_what_was_sent_before(void **state)
{
    (void)state;
    start("T");
    deliver(ORDINARY, 1);
    deliver_event(ORDINARY, 2, 1, 1);
    expect_hub("ack 0:1; ack 0:2; ");
    assert_int_equal(seen.original, 1);
    deliver_event(ORDINARY, 3, 1, 99);
    expect_hub("ack 0:1; ack 0:2; ack 0:3; ");
    assert_int_equal(seen.original, 0);
    finish();
}

/* ---- A receiver that is down ------------------------------------------------------------------------------------ */

static void a_receiver_that_is_down_is_tried_again_in_place_then_slowly(void **state)
{
    static const uint64_t units[] = {1, 2, 4, 8, 16, 30, 60, 120};
    (void)state;
    start("DDDDDDDDT");
    deliver(ORDINARY, 1);
    deliver(ORDINARY, 2);
    deliver(ORDINARY, 3);
    expect_hub("nack 0:1 timeout; nack 0:2 timeout; ack 0:3; ");
    assert_string_equal(wire.log, "1 1 1 1 1 1 1 2 3 ");
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        assert_true(wire.at_ms[i + 1] - wire.at_ms[i] + 1 >= units[i] * UNIT_MS); /* 1: the clocks' rounding */
    assert_int_equal(seen.written, 3);                                            /* each once, whatever the tries */
    assert_int_equal(status().again, 2);
    assert_int_equal(status().down_since_ms, 0);
    finish();
}

static void a_receiver_is_left_alone_for_as_long_as_it_asks(void **state)
{
    (void)state;
    start("DDT");
    wire.asked_wait_ms = 60 * UNIT_MS; /* its own first pauses are 1 and 2 units */
    deliver(ORDINARY, 1);
    expect_hub("ack 0:1; ");
    assert_true(wire.at_ms[1] - wire.at_ms[0] >= 60 * UNIT_MS - 1);
    assert_true(wire.at_ms[2] - wire.at_ms[1] >= 60 * UNIT_MS - 1);
    finish();
}

static void success_begins_the_back_off_anew(void **state)
{
    (void)state;
    start("DDDDTDT");
    deliver(ORDINARY, 1);
    deliver(ORDINARY, 2);
    expect_hub("ack 0:1; ack 0:2; ");
    assert_string_equal(wire.log, "1 1 1 1 1 2 2 ");
    assert_true(wire.at_ms[6] - wire.at_ms[5] < 8 * UNIT_MS + 10); /* 1 unit, not 16 */
    finish();
}

static void the_status_says_since_when_it_is_down(void **state)
{
    (void)state;
    start("D");
    deliver(ORDINARY, 1);
    deliver(ORDINARY, 2);
    run_for(&loop, 10);
    assert_true(status().down_since_ms > 0);
    assert_string_equal(status().last_error, "timeout");
    assert_int_equal(status().waiting, 2);
    finish();
}

static void many_that_are_not_taken_in_a_row_slow_it_down(void **state)
{
    (void)state;
    start("R");
    for (int i = 1; i <= OUTLET_REFUSED_MAX + 2; i++)
        if (i / 10 != 5 && i / 10 != 6)
            deliver(ORDINARY, i);
    run_for(&loop, 60);
    assert_int_equal(wire.sent, OUTLET_REFUSED_MAX);
    wire.results = "T";
    run_for(&loop, 60 * UNIT_MS + 40);
    assert_int_equal(wire.sent, OUTLET_REFUSED_MAX + 2); /* once one is taken it goes on */
    assert_int_equal(status().failed, OUTLET_REFUSED_MAX);
    assert_int_equal(status().sent, 2);
    finish();
}

/* ---- Order ------------------------------------------------------------------------------------------------------ */

static void the_immediate_lane_goes_first_each_in_its_order(void **state)
{
    (void)state;
    start("WT");
    deliver(ORDINARY, 1);
    run_for(&loop, 10);
    deliver(ORDINARY, 2);
    deliver(IMMEDIATE, 1);
    deliver(ORDINARY, 3);
    deliver(IMMEDIATE, 2);
    run_for(&loop, 10);
    tell_result('T');
    expect_hub("ack 0:1; ack 1:1; ack 1:2; ack 0:2; ack 0:3; ");
    finish();
}

static void also_before_one_that_is_tried_again(void **state)
{
    (void)state;
    start("DDDDT");
    deliver(ORDINARY, 1);
    deliver(ORDINARY, 2);
    run_for(&loop, 5);
    deliver(IMMEDIATE, 1);
    expect_hub("ack 1:1; ack 0:1; ack 0:2; ");
    finish();
}

/* ---- Attachments ------------------------------------------------------------------------------------------------ */

static void what_waits_is_forgotten_with_its_attachment_and_comes_again(void **state)
{
    (void)state;
    start("WT");
    deliver(ORDINARY, 1);
    deliver(ORDINARY, 2);
    run_for(&loop, 10);
    detach(CAREHUB_CONNECT);
    run_for(&loop, 10);
    assert_false(status().attached);
    assert_int_equal(status().waiting, 1); /* the one that is being sent */
    tell_result('T');
    expect_hub("late ack 0:1; ");
    attach();
    deliver_event(ORDINARY, 1, 2, 0);
    deliver_event(ORDINARY, 2, 2, 0);
    expect_hub("late ack 0:1; ack 0:1; ack 0:2; ");
    assert_string_equal(wire.log, "1 2 "); /* and is not sent a second time */
    finish();
}

static void one_that_comes_again_while_it_is_sent_is_the_same(void **state)
{
    (void)state;
    start("WT");
    deliver(ORDINARY, 1);
    run_for(&loop, 10);
    detach(CAREHUB_CONNECT);
    attach();
    deliver_event(ORDINARY, 1, 2, 0);
    deliver_event(ORDINARY, 2, 1, 0);
    run_for(&loop, 10);
    tell_result('T');
    expect_hub("ack 0:1; ack 0:2; ");
    assert_string_equal(wire.log, "1 2 ");
    finish();
}

static void one_that_failed_after_its_attachment_ended_is_left_to_come_again(void **state)
{
    (void)state;
    start("WT");
    deliver(ORDINARY, 1);
    run_for(&loop, 10);
    detach(CAREHUB_CONNECT);
    run_for(&loop, 10);
    tell_result('D');
    run_for(&loop, 10 * UNIT_MS);
    assert_string_equal(wire.log, "1 ");
    assert_int_equal(status().waiting, 0);
    attach();
    deliver_event(ORDINARY, 1, 2, 0);
    expect_hub("ack 0:1; ");
    finish();
}

static void what_the_hub_takes_back_is_not_sent(void **state)
{
    (void)state;
    start("DT");
    deliver(ORDINARY, 1);
    deliver(ORDINARY, 2);
    deliver(ORDINARY, 3);
    hub.options.on_skip(hub.options.arg, the_subscription, CAREHUB__V1__LANE__LANE_ORDINARY, 2, 2);
    expect_hub("ack 0:1; ack 0:3; ");
    assert_string_equal(wire.log, "1 1 3 ");
    finish();
}

static void one_taken_back_while_it_is_tried_is_not_tried_again(void **state)
{
    (void)state;
    start("WT");
    deliver(ORDINARY, 1);
    run_for(&loop, 10);
    hub.options.on_skip(hub.options.arg, the_subscription, CAREHUB__V1__LANE__LANE_ORDINARY, 1, 1);
    run_for(&loop, 10);
    tell_result('D');
    run_for(&loop, 10 * UNIT_MS);
    assert_string_equal(wire.log, "1 ");
    assert_string_equal(hub.log, "");
    finish();
}

static void on_changed(void *arg)
{
    (void)arg;
}

static void an_inbox_that_another_has_taken_is_asked_for_again(void **state)
{
    char error[CAREHUB_ERROR_BYTES];
    (void)state;
    memset(&hub, 0, sizeof hub);
    uv_loop_init(&loop);
    const struct outlet_inbox_options options = {.inbox = "north", .credit = 1, .retake_ms = 20, .changed = on_changed};
    struct outlet_inbox *inbox = inbox_new(&loop, &options, error);
    attach();
    detach(CAREHUB_STALE);
    run_for(&loop, 5);
    assert_int_equal(hub.subscribed, 1);
    run_for(&loop, 60);
    assert_int_equal(hub.subscribed, 2);
    assert_int_equal(hub.unsubscribed, 1);
    inbox_close(&inbox);
    run_out(&loop);
}

/* ---- Stopping --------------------------------------------------------------------------------------------------- */

static void a_stop_lets_what_is_being_sent_finish_and_begins_no_more(void **state)
{
    (void)state;
    start("WT");
    deliver(ORDINARY, 1);
    deliver(ORDINARY, 2);
    run_for(&loop, 10);
    outlet_quiesce(outlet);
    run_for(&loop, 10);
    assert_false(outlet_is_idle(outlet));
    tell_result('T');
    assert_true(outlet_is_idle(outlet));
    run_for(&loop, 20);
    assert_string_equal(hub.log, "ack 0:1; ");
    assert_string_equal(wire.log, "1 ");
    finish();
}

static void what_does_not_finish_in_time_is_left_unacknowledged(void **state)
{
    (void)state;
    start("W");
    deliver(ORDINARY, 1);
    run_for(&loop, 10);
    outlet_quiesce(outlet);
    run_for(&loop, OUTLET_STOP_MS + 50);
    assert_true(outlet_is_idle(outlet));
    assert_false(wire.open);
    assert_string_equal(hub.log, "");
    finish();
}

static void closing_at_any_moment_is_safe(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        start(i % 2 ? "W" : "D");
        deliver(ORDINARY, 1);
        deliver(IMMEDIATE, 2);
        if (i >= 2)
            run_for(&loop, 5);
        finish();
        assert_string_equal(hub.log, "");
    }
}

/* ---- Threads ---------------------------------------------------------------------------------------------------- */

static void *deliver_many(void *arg)
{
    (void)arg;
    for (int i = 1; i < 50; i++)
        deliver(ORDINARY, i);
    for (int i = 1; i < 50; i++)
        deliver(IMMEDIATE, i);
    return NULL;
}

static void deliveries_come_from_the_library_s_thread(void **state)
{
    pthread_t thread;
    (void)state;
    start("T");
    assert_int_equal(pthread_create(&thread, NULL, deliver_many, NULL), 0);
    for (int i = 0; i < 500 && status().sent < 98; i++)
        run_for(&loop, 5);
    pthread_join(thread, NULL);
    assert_int_equal(status().sent, 98);
    finish();
}

/* ---- Settings --------------------------------------------------------------------------------------------------- */

static void a_section_is_checked(void **state)
{
    static const struct carehub_format mute = {.abi = CAREHUB_FORMAT_ABI, .name = "mute"};
    static const struct {
        const char *pairs[8];
        const char *error; /* NULL: fine */
    } cases[] = {
        {{"transport", "wire", "inbox", "north", "receiver", ""}, NULL},
        {{"transport", "wire", "inbox", "north"}, "needs more"},
        {{"transport", "pigeon", "inbox", "north"}, "mllp, http or folder"},
        {{"inbox", "north"}, "mllp, http or folder"},
        {{"transport", "wire"}, "needs 'inbox'"},
    };
    char error[CAREHUB_ERROR_BYTES];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool ok = outlet_check(&the_format, make_section(cases[i].pairs), "", error);
        if (ok != !cases[i].error || (cases[i].error && !strstr(error, cases[i].error)))
            fail_msg("case %zu: %s", i, error);
    }
    assert_false(outlet_check(&mute, make_section(cases[0].pairs), "", error));
    assert_non_null(strstr(error, "format mute sends nothing out"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_taken_is_remembered_and_acknowledged),
        cmocka_unit_test(what_means_nothing_to_the_format_is_acknowledged),
        cmocka_unit_test(what_cannot_be_written_is_a_dead_letter),
        cmocka_unit_test(one_that_is_not_taken_now_does_not_hold_up_the_next),
        cmocka_unit_test(one_that_is_refused_is_a_dead_letter),
        cmocka_unit_test(the_format_judges_its_own_parcel),
        cmocka_unit_test(a_correction_is_written_with_what_was_sent_before),
        cmocka_unit_test(a_receiver_that_is_down_is_tried_again_in_place_then_slowly),
        cmocka_unit_test(a_receiver_is_left_alone_for_as_long_as_it_asks),
        cmocka_unit_test(success_begins_the_back_off_anew),
        cmocka_unit_test(the_status_says_since_when_it_is_down),
        cmocka_unit_test(many_that_are_not_taken_in_a_row_slow_it_down),
        cmocka_unit_test(the_immediate_lane_goes_first_each_in_its_order),
        cmocka_unit_test(also_before_one_that_is_tried_again),
        cmocka_unit_test(what_waits_is_forgotten_with_its_attachment_and_comes_again),
        cmocka_unit_test(one_that_comes_again_while_it_is_sent_is_the_same),
        cmocka_unit_test(one_that_failed_after_its_attachment_ended_is_left_to_come_again),
        cmocka_unit_test(what_the_hub_takes_back_is_not_sent),
        cmocka_unit_test(one_taken_back_while_it_is_tried_is_not_tried_again),
        cmocka_unit_test(an_inbox_that_another_has_taken_is_asked_for_again),
        cmocka_unit_test(a_stop_lets_what_is_being_sent_finish_and_begins_no_more),
        cmocka_unit_test(what_does_not_finish_in_time_is_left_unacknowledged),
        cmocka_unit_test(closing_at_any_moment_is_safe),
        cmocka_unit_test(deliveries_come_from_the_library_s_thread),
        cmocka_unit_test(a_section_is_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
