// The way in, from an arrival to its answer: with a transport, a format and a hub that are this file's own.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "intake.h"
#include "journal_internal.h"
#include "log_line.h"

enum { TIMEOUT_MS = 5000, PENDING_MAX = 256 };

// ---- The hub: it takes what is published, and confirms when the test says so

struct pending {
    struct publisher_wait *wait;
    size_t n_events, n_facts;
    bool group;
};
static struct pending pending[PENDING_MAX];
static size_t n_pending, most_pending;
static uint8_t last_id[EVENTID_BYTES];
static char last_event[4096];
static size_t last_size;

static void take(const struct item *item)
{
    memcpy(last_id, item->id, EVENTID_BYTES);
    assert_true(item->len <= sizeof last_event);
    memcpy(last_event, item->bytes, item->len);
    last_size = item->len;
}

static void await(struct publisher_wait *wait, size_t n_events, size_t n_facts, bool group)
{
    assert_true(n_pending < PENDING_MAX);
    pending[n_pending++] = (struct pending){wait, n_events, n_facts, group};
    most_pending = n_pending > most_pending ? n_pending : most_pending;
    wait->ticket = (struct ticket *)pending; // waits
}

void publisher_publish(struct publisher *self, const struct item *event, uint64_t lane, struct publisher_wait *wait)
{
    (void)self;
    (void)lane;
    take(event);
    await(wait, 1, 0, false);
}

void publisher_publish_group(struct publisher *self, const struct items *items, uint64_t lane,
                             struct publisher_wait *wait)
{
    (void)self;
    (void)lane;
    take(items->list[0]);
    await(wait, items->count - items->n_facts, items->n_facts, true);
}

bool publisher_has_spool(const struct publisher *self)
{
    (void)self;
    return false;
}

void publisher_leave(struct publisher_wait *wait)
{
    for (size_t i = 0; i < n_pending; i++)
        if (wait->ticket && pending[i].wait == wait)
            pending[i] = pending[--n_pending];
    wait->ticket = NULL;
}

// The i-th publication comes to its end.
static void confirm(size_t i, enum carehub_fault fault, const char *text)
{
    assert_true(i < n_pending);
    struct publisher_wait *wait = pending[i].wait;
    memmove(pending + i, pending + i + 1, (--n_pending - i) * sizeof pending[0]);
    wait->ticket = NULL;
    wait->done(wait, fault, text);
}

// ---- The format: a message is words, "ID WORD…"; several are lines

static bool has(const struct carehub_message *m, const char *word)
{
    return memmem(m->native->bytes, m->native->len, word, strlen(word)) != NULL;
}

static bool split(const void *self, const void *bytes, size_t len, size_t *position, const void **message,
                  size_t *message_len)
{
    (void)self;
    const char *start = (const char *)bytes + *position, *end = memchr(start, '\n', len - *position);
    if (len >= 5 && memcmp(bytes, "stuck", 5) == 0) { // a faulty one: it never comes on
        *message = bytes;
        *message_len = len;
        return true;
    }
    *message = start;
    *message_len = end ? (size_t)(end - start) : len - *position;
    *position += *message_len + (end != NULL);
    return *message_len > 0;
}

static bool open_message(const void *self, struct carehub_message *m)
{
    (void)self;
    snprintf(m->sender, sizeof m->sender, "sender");
    snprintf(m->kind, sizeof m->kind, "words");
    snprintf(m->native_id, sizeof m->native_id, "%.*s", (int)strcspn(m->native->bytes, " \n"),
             (const char *)m->native->bytes);
    m->confirm_by_spool = has(m, "spool");
    if (has(m, "unreadable")) {
        m->verdict = CAREHUB_MESSAGE_ERROR;
        strcpy(m->problem.what, "it cannot be read");
    }
    return true;
}

static bool emit(struct carehub_memory *memory, const struct carehub_message *m, const char *ssin, const char *note)
{
    Carehub__V1__Identifier identifier = CAREHUB__V1__IDENTIFIER__INIT, *identifiers[] = {&identifier};
    Carehub__V1__Patient patient = CAREHUB__V1__PATIENT__INIT;
    Carehub__V1__Time when = CAREHUB__V1__TIME__INIT;
    Carehub__V1__FallReported fall = CAREHUB__V1__FALL_REPORTED__INIT;
    Carehub__V1__Event event = CAREHUB__V1__EVENT__INIT;
    identifier.system = "ssin";
    identifier.value = (char *)ssin;
    patient.n_identifiers = 1;
    patient.identifiers = identifiers;
    when.unix_ms = 1772353800000;
    fall.note = (char *)note;
    event.patient = &patient;
    event.occurred_at = &when;
    event.body_case = CAREHUB__V1__EVENT__BODY_FALL_REPORTED;
    event.fall_reported = &fall;
    return memory->emit(memory, &event, m->native_id);
}

static bool emit_fact(struct carehub_memory *memory)
{
    Carehub__V1__DeathRecorded death = CAREHUB__V1__DEATH_RECORDED__INIT;
    Carehub__V1__Fact fact = CAREHUB__V1__FACT__INIT;
    fact.fact_case = CAREHUB__V1__FACT__FACT_DEATH_RECORDED;
    fact.death_recorded = &death;
    return memory->emit_fact(memory, &fact);
}

static char loaded[64]; // the state that the last translation found
static size_t past;     // events in force that it found
static bool released;   // an operator has solved what was held

static void translate(const void *self, struct carehub_message *m, struct carehub_memory *memory)
{
    static char large[80 << 10];
    Carehub__V1__Event *const *events;
    size_t len;
    (void)self;
    const char *state = memory->load(memory, "state", &len);
    snprintf(loaded, sizeof loaded, "%.*s", (int)len, state ? state : "");
    past = memory->past(memory, m->native_id, &events);
    memset(large, 'x', sizeof large - 1);
    if (has(m, "store"))
        memory->store(memory, "state", m->native_id, strlen(m->native_id));
    if (has(m, "nothing")) {
        m->verdict = CAREHUB_MESSAGE_NOTHING;
        m->why = "boring";
    } else if (has(m, "hold") && !released) {
        m->verdict = CAREHUB_MESSAGE_HOLD;
        m->why = "unsolved";
    } else if (has(m, "error")) {
        emit(memory, m, "79120100163", "");
        m->verdict = CAREHUB_MESSAGE_ERROR;
        strcpy(m->problem.what, "it is wrong");
    } else if (has(m, "large")) {
        emit(memory, m, "79120100163", large);
    } else if (has(m, "stranger")) {
        emit(memory, m, "", "");
    } else {
        emit(memory, m, "79120100163", "");
        for (size_t i = 0; i < (has(m, "many") ? CAREHUB_ITEMS_MAX : has(m, "two") ? 1 : 0); i++)
            if (!emit(memory, m, "79120100163", "again"))
                return;
        if (has(m, "fact"))
            emit_fact(memory);
    }
}

static int slimmed, closed;

static void slim(struct carehub_message *m)
{
    (void)m;
    slimmed++;
}

static void reply(const void *self, const struct carehub_message *m, const struct carehub_outcome *outcome,
                  carehub_reply_fn *fn, void *arg)
{
    char text[128];
    (void)self;
    const struct carehub_reply given = {
        .bytes = text, .len = (size_t)snprintf(text, sizeof text, "%s=%d ", m->native_id, (int)outcome->fault)};
    if (strcmp(m->native->transport, "http") != 0)
        fn(arg, &given);
}

static void close_message(struct carehub_message *m)
{
    (void)m;
    closed++;
}

static const struct carehub_format format = {.abi = CAREHUB_FORMAT_ABI,
                                             .name = "words",
                                             .split = split,
                                             .open = open_message,
                                             .translate = translate,
                                             .slim = slim,
                                             .reply = reply,
                                             .close = close_message};

// ---- The transport: notes what it is given

static char replies[8192];
static int answers;
static int64_t received_ms;
static enum carehub_fault fault;
static bool repeat, spooled, unread;
static char reason[2048];
static size_t n_ids;

static void on_reply(struct arrival *arrival, const struct carehub_reply *given)
{
    (void)arrival;
    assert_true(strlen(replies) + given->len < sizeof replies);
    strncat(replies, given->bytes, given->len);
}

static void on_answered(struct arrival *arrival, const struct carehub_message *message,
                        const struct carehub_outcome *outcome)
{
    answers++;
    fault = outcome->fault;
    repeat = outcome->repeat;
    spooled = outcome->spooled;
    unread = arrival->unread;
    n_ids = outcome->n_ids;
    snprintf(reason, sizeof reason, "%s %s %s", message->problem.where, message->problem.what, outcome->text);
    free(arrival->bytes);
    free(arrival);
}

static const struct transport_in folder = {.name = "folder", .reply = on_reply, .answered = on_answered};
static const struct transport_in http = {.name = "http", .reply = on_reply, .answered = on_answered};

// ---- The test's own loop

static uv_loop_t loop;
static struct journal *journal;
static struct intake *intake;
static struct counters counters;

static void open_intake(void)
{
    const struct intake_options options = {
        .format = &format, .journal = journal, .counters = &counters, .confirm_timeout_ms = TIMEOUT_MS};
    intake = intake_new(&loop, &options);
    assert_non_null(intake);
}

// With the journal as it is.
static void restart(void)
{
    intake_close(&intake);
    uv_run(&loop, UV_RUN_DEFAULT);
    open_intake();
}

static int start(void **state)
{
    char error[JOURNAL_ERROR_BYTES];
    (void)state;
    uv_loop_init(&loop);
    journal = journal_open(NULL, false, error);
    assert_non_null(journal);
    counters = (struct counters){0};
    n_pending = most_pending = 0;
    answers = slimmed = closed = 0;
    replies[0] = '\0';
    released = false;
    received_ms = 1772400000000;
    open_intake();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    intake_close(&intake);
    uv_run(&loop, UV_RUN_DEFAULT);
    journal_close(&journal);
    return uv_loop_close(&loop);
}

static void turn(void)
{
    for (int i = 0; i < 3; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
}

static void bring(const struct transport_in *transport, const char *text)
{
    struct arrival *arrival = calloc(1, sizeof *arrival);
    replies[0] = reason[0] = '\0';
    arrival->transport = transport;
    arrival->bytes = (uint8_t *)strdup(text);
    arrival->connection = 1;
    arrival->native = (struct carehub_native){.bytes = arrival->bytes,
                                              .len = strlen(text),
                                              .received_ms = received_ms,
                                              .transport = transport->name,
                                              .peer = "",
                                              .name = "",
                                              .method = "",
                                              .content_type = "",
                                              .idempotency_key = ""};
    intake_take(intake, arrival);
    turn();
}

// ---- Promises

static void a_message_is_answered_when_the_hub_has_its_event(void **state)
{
    (void)state;
    bring(&folder, "m1 event");
    assert_int_equal(answers, 0);
    assert_int_equal(n_pending, 1);
    assert_false(pending[0].group);
    assert_int_equal(slimmed, 1); // what is not needed goes before the wait
    confirm(0, CAREHUB_FAULT_NONE, "");
    assert_int_equal(answers, 1);
    assert_string_equal(replies, "m1=0 ");
    assert_int_equal(n_ids, 1);
    assert_false(repeat || spooled);
    assert_int_equal(counters.values[COUNT_EVENTS], 1);
    assert_true(intake_is_idle(intake));
    assert_int_equal(closed, 1);
}

static void what_is_left_empty_is_filled_in(void **state)
{
    (void)state;
    bring(&folder, "m1 event");
    Carehub__V1__Event *event = carehub__v1__event__unpack(NULL, last_size, (const uint8_t *)last_event);
    assert_non_null(event);
    assert_true(eventid_valid(event->id.data));
    assert_int_equal(event->id.data[6] >> 4, 8);
    assert_int_equal(eventid_time_ms(event->id.data), 1772353800000);
    assert_int_equal(event->type, CAREHUB__V1__EVENT_TYPE__FALL_REPORTED);
    assert_int_equal(event->recorded_at->unix_ms, 1772400000000);
    assert_string_equal(event->source->native_format, "words");
    assert_string_equal(event->source->native_id, "m1");
    assert_string_equal(event->source->system, "sender");
    assert_int_equal(event->source->native_sha256.len, 32);
    carehub__v1__event__free_unpacked(event, NULL);
    confirm(0, CAREHUB_FAULT_NONE, "");
}

static void a_name_that_is_cut_off_is_still_text(void **state)
{
    char text[CAREHUB_NATIVE_ID_BYTES + 64];
    (void)state;
    for (size_t i = 0; i < sizeof text - 8; i += 2)
        memcpy(text + i, "\xC3\xA9", 3); // what fits is an odd number of bytes
    strcat(text, " event");
    bring(&folder, text);
    Carehub__V1__Event *event = carehub__v1__event__unpack(NULL, last_size, (const uint8_t *)last_event);
    assert_non_null(event);
    assert_int_equal(strlen(event->source->native_id), CAREHUB_NATIVE_ID_BYTES - 2);
    carehub__v1__event__free_unpacked(event, NULL);
    confirm(0, CAREHUB_FAULT_NONE, "");
}

static void a_resent_message_gives_the_same_event(void **state)
{
    char event[sizeof last_event];
    uint8_t id[EVENTID_BYTES];
    (void)state;
    bring(&folder, "m1 event");
    size_t size = last_size;
    memcpy(event, last_event, size);
    memcpy(id, last_id, sizeof id);
    confirm(0, CAREHUB_FAULT_UNAVAILABLE, "the hub is away");
    assert_int_equal(fault, CAREHUB_FAULT_UNAVAILABLE);
    bring(&folder, "m1 event");
    assert_int_equal(last_size, size);
    assert_memory_equal(last_event, event, size);
    confirm(0, CAREHUB_FAULT_NONE, "");
    assert_true(repeat);
    bring(&folder, "m1 event, but another one"); // the sender uses a name twice: another event
    assert_memory_not_equal(last_id, id, sizeof id);
    assert_int_equal(past, 1);
    confirm(0, CAREHUB_FAULT_NONE, "");
    assert_false(repeat);
}

static void what_is_safe_in_the_spool_is_not_put_there_again_when_it_is_sent_again(void **state)
{
    (void)state;
    bring(&folder, "m1 event spool");
    confirm(0, CAREHUB_FAULT_UNAVAILABLE, "the disk is full");
    bring(&folder, "m1 event spool"); // that is another matter
    assert_int_equal(n_pending, 1);
    confirm(0, CAREHUB_FAULT_NONE, "");
    for (int i = 0; i < 2; i++) { // at once, and when it was written down and everything started again
        bring(&folder, "m1 event spool");
        assert_int_equal(n_pending, 0);
        assert_int_equal(answers, 3 + i);
        assert_true(repeat && spooled && n_ids == 1 && fault == CAREHUB_FAULT_NONE);
        restart();
    }
    bring(&folder, "m2 event"); // who wants the hub's word gets the hub's, each time
    confirm(0, CAREHUB_FAULT_NONE, "");
    bring(&folder, "m2 event");
    assert_int_equal(n_pending, 1);
    confirm(0, CAREHUB_FAULT_NONE, "");
}

static void several_items_are_one_group_unless_the_spool_confirms(void **state)
{
    (void)state;
    bring(&folder, "m1 two");
    assert_int_equal(n_pending, 1);
    assert_true(pending[0].group && pending[0].n_events == 2);
    confirm(0, CAREHUB_FAULT_NONE, "");
    assert_int_equal(counters.values[COUNT_EVENTS], 2);
    bring(&folder, "m2 event fact");
    assert_true(pending[0].group && pending[0].n_events == 1 && pending[0].n_facts == 1);
    confirm(0, CAREHUB_FAULT_NONE, "");
    assert_int_equal(n_ids, 1);
    assert_int_equal(counters.values[COUNT_FACTS], 1);
    bring(&folder, "m3 two spool");
    assert_int_equal(n_pending, 2);
    assert_true(!pending[0].group && pending[0].wait->for_spool);
    confirm(1, CAREHUB_FAULT_NONE, "");
    assert_int_equal(answers, 2);
    confirm(0, CAREHUB_FAULT_NONE, "");
    assert_int_equal(answers, 3);
    assert_true(spooled);
    bring(&folder, "m4 event fact spool");
    assert_int_equal(fault, CAREHUB_FAULT_NATIVE);
    assert_non_null(strstr(reason, "confirm = hub"));
}

static void an_arrivals_replies_are_in_order_and_the_worst_counts(void **state)
{
    (void)state;
    bring(&folder, "m1 event\nm2 error\nm3 event\nm4 nothing\n");
    assert_int_equal(n_pending, 2);
    confirm(1, CAREHUB_FAULT_UNAVAILABLE, "the hub is away");
    assert_int_equal(answers, 0);
    confirm(0, CAREHUB_FAULT_NONE, "");
    assert_int_equal(answers, 1);
    assert_string_equal(replies, "m1=0 m2=1 m3=7 m4=0 ");
    assert_int_equal(fault, CAREHUB_FAULT_UNAVAILABLE);
    assert_non_null(strstr(reason, "the hub is away"));
    bring(&folder, "m5 nothing\nm6 error\nm7 nothing\n");
    assert_int_equal(fault, CAREHUB_FAULT_NATIVE);
    assert_non_null(strstr(reason, "it is wrong"));
    assert_int_equal(closed, 7);
}

static void a_large_file_is_taken_a_few_messages_at_a_time(void **state)
{
    char text[20 * 1000] = "", line[32];
    int confirmed = 0;
    (void)state;
    for (int i = 0; i < 1000; i++) {
        snprintf(line, sizeof line, "m%d event\n", i);
        strcat(text, line);
    }
    bring(&folder, text);
    while (n_pending > 0) {
        confirm(0, CAREHUB_FAULT_NONE, "");
        confirmed++;
        if (confirmed % 7 == 0 || n_pending == 0)
            turn();
    }
    assert_int_equal(confirmed, 1000);
    assert_int_equal(answers, 1);
    assert_true(most_pending <= INTAKE_WINDOW);
    bring(&folder, text); // and again
    for (confirmed = 0; n_pending > 0; turn())
        for (; n_pending > 0; confirmed++)
            confirm(0, CAREHUB_FAULT_NONE, "");
    assert_int_equal(confirmed, 1000);
    assert_int_equal(counters.values[COUNT_REPEATS], 1000);
    assert_int_equal(answers, 2);
}

static void a_format_that_splits_wrongly_does_not_stop_the_host(void **state)
{
    (void)state;
    log_line_set_level((enum log_level) - 1); // it says so
    bring(&folder, "stuck nothing");
    log_line_set_level(LOG_LEVEL_ERROR);
    assert_int_equal(answers, 1);
    assert_string_equal(replies, "stuck=0 ");
}

static void what_cannot_be_an_event_is_refused_with_the_place(void **state)
{
    static const struct {
        const char *text, *complaint;
    } cases[] = {
        {"m1 stranger", "event 1 of the message, patient.identifiers[0]"},
        {"m2 large", "the hub takes at most 65536"},
        {"m3 many", "more than 16 events and facts"},
        {"m4 error", "it is wrong"},
        {"m5 unreadable", "it cannot be read"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bring(&folder, cases[i].text);
        assert_int_equal(fault, CAREHUB_FAULT_NATIVE);
        assert_int_equal(n_pending, 0);
        if (strstr(reason, cases[i].complaint) == NULL)
            fail_msg("%s: %s", cases[i].text, reason);
    }
    assert_int_equal(counters.values[COUNT_REFUSED], 5);
}

static void a_state_is_kept_with_what_was_made_or_not_at_all(void **state)
{
    (void)state;
    bring(&folder, "m1 store error");
    bring(&folder, "m2 store stranger");
    bring(&folder, "m3 nothing");
    assert_string_equal(loaded, "");
    bring(&folder, "m4 store event");
    confirm(0, CAREHUB_FAULT_NONE, "");
    bring(&folder, "m5 store nothing");
    assert_string_equal(loaded, "m4");
    bring(&folder, "m6 nothing");
    assert_string_equal(loaded, "m5");
    assert_int_equal(answers, 6);
}

static void a_state_that_messages_look_at_does_not_grow_old(void **state)
{
    const int64_t day_ms = INT64_C(86400000);
    int held;
    (void)state;
    bring(&folder, "m1 store event");
    confirm(0, CAREHUB_FAULT_NONE, "");
    received_ms += 50 * day_ms;
    bring(&folder, "m2 nothing"); // it looks at it
    assert_true(journal_prune(journal, received_ms - 10 * day_ms, &held) > 0);
    bring(&folder, "m3 nothing");
    assert_string_equal(loaded, "m1");
}

static void a_held_message_is_tried_again_when_it_is_to_be(void **state)
{
    (void)state;
    received_ms = wall_clock_ms();
    bring(&folder, "m1 hold");
    assert_int_equal(fault, CAREHUB_FAULT_NONE);
    assert_int_equal(journal_held_count(journal), 1);
    assert_int_equal(journal_retry_held(journal), 1);
    intake_tick(intake, true);
    turn();
    assert_int_equal(journal_held_count(journal), 1); // nothing was solved
    released = true;
    assert_int_equal(journal_retry_held(journal), 1);
    intake_tick(intake, true);
    intake_tick(intake, true); // under way: not twice
    turn();
    assert_int_equal(n_pending, 1);
    confirm(0, CAREHUB_FAULT_UNAVAILABLE, "the hub is away");
    intake_tick(intake, true); // later
    turn();
    assert_int_equal(n_pending, 0);
    restart();
    intake_tick(intake, true); // it is to be tried still; and what it gave was remembered
    turn();
    assert_int_equal(n_pending, 2);
    confirm(0, CAREHUB_FAULT_NONE, "");
    confirm(0, CAREHUB_FAULT_NONE, "");
    assert_int_equal(journal_held_count(journal), 0);
    assert_int_equal(answers, 1); // its sender had its answer long before
}

static void a_request_over_http_is_one_message_and_its_transport_answers_it(void **state)
{
    (void)state;
    bring(&http, "m1 event");
    confirm(0, CAREHUB_FAULT_NONE, "");
    assert_true(answers == 1 && fault == CAREHUB_FAULT_NONE && n_ids == 1 && !unread);
    bring(&http, "m3 unreadable");
    assert_true(fault == CAREHUB_FAULT_NATIVE && unread);
    bring(&http, "m4 error");
    assert_true(fault == CAREHUB_FAULT_NATIVE && !unread);
    bring(&http, "m6 nothing\nm7 event\n");
    assert_int_equal(answers, 4);
    assert_int_equal(n_pending, 0);
    assert_string_equal(replies, "");
}

static void what_was_not_confirmed_is_published_again_until_it_is(void **state)
{
    uint8_t id[EVENTID_BYTES];
    (void)state;
    received_ms = wall_clock_ms();
    bring(&folder, "m1 store event");
    memcpy(id, last_id, sizeof id);
    confirm(0, CAREHUB_FAULT_UNAVAILABLE, "the hub is away");
    bring(&folder, "m2 two");
    confirm(0, CAREHUB_FAULT_NONE, "");
    restart();
    for (int i = 0; i < 2; i++) { // and again, when it is away still
        intake_tick(intake, true);
        assert_int_equal(n_pending, 1);
        assert_memory_equal(last_id, id, sizeof id);
        confirm(0, CAREHUB_FAULT_UNAVAILABLE, "the hub is away");
        intake_tick(intake, true);
        assert_int_equal(n_pending, 0); // not at once
        restart();
    }
    intake_tick(intake, true);
    confirm(0, CAREHUB_FAULT_NONE, "");
    restart();
    intake_tick(intake, true);
    assert_int_equal(n_pending, 0);
    assert_int_equal(answers, 2);
}

static void what_a_full_disk_has_undone_is_not_taken_for_remembered(void **state)
{
    char text[200000];
    (void)state;
    bring(&folder, "m0 event");
    confirm(0, CAREHUB_FAULT_NONE, "");
    log_line_set_level((enum log_level) - 1);
    sqlite3_exec(journal->db, "PRAGMA max_page_count = 1", NULL, NULL, NULL); // no more than there are
    snprintf(text, sizeof text, "m1 hold %0150000d\nm2 two\nm2 two\n", 0); // the first does not fit, the others would
    bring(&folder, text);
    log_line_set_level(LOG_LEVEL_ERROR);
    assert_int_equal(n_pending, 0);
    assert_string_equal(replies, "m1=7 m2=7 m2=7 ");
    sqlite3_exec(journal->db, "PRAGMA max_page_count = 1000000", NULL, NULL, NULL);
    bring(&folder, "m2 two");
    assert_true(n_pending == 1 && pending[0].n_events == 2);
    confirm(0, CAREHUB_FAULT_NONE, "");
    assert_false(repeat);
}

static int refuse(void *arg)
{
    (void)arg;
    return 1;
}

static void nothing_is_taken_before_the_journals_commit(void **state)
{
    (void)state;
    log_line_set_level((enum log_level) - 1);
    sqlite3_commit_hook(journal->db, refuse, NULL);
    bring(&folder, "m1 event");
    sqlite3_commit_hook(journal->db, NULL, NULL);
    log_line_set_level(LOG_LEVEL_ERROR);
    assert_int_equal(n_pending, 0);
    assert_string_equal(replies, "m1=7 ");
    bring(&folder, "m1 event");
    assert_int_equal(n_pending, 1);
    confirm(0, CAREHUB_FAULT_NONE, "");
    assert_false(repeat);
}

static void what_still_waits_is_answered_at_the_end(void **state)
{
    (void)state;
    bring(&folder, "m1 event\nm2 event\n");
    confirm(0, CAREHUB_FAULT_NONE, "");
    confirm(0, CAREHUB_FAULT_UNAVAILABLE, "the adapter is being stopped"); // as the publisher does when it closes
    struct arrival *arrival = calloc(1, sizeof *arrival);
    arrival->transport = &folder;
    arrival->native = (struct carehub_native){.transport = "folder", .name = ""};
    intake_take(intake, arrival); // and one that nobody has looked at yet
    intake_close(&intake);
    assert_int_equal(answers, 2);
    assert_int_equal(fault, CAREHUB_FAULT_UNAVAILABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_message_is_answered_when_the_hub_has_its_event, start, stop),
        cmocka_unit_test_setup_teardown(what_is_left_empty_is_filled_in, start, stop),
        cmocka_unit_test_setup_teardown(a_name_that_is_cut_off_is_still_text, start, stop),
        cmocka_unit_test_setup_teardown(a_resent_message_gives_the_same_event, start, stop),
        cmocka_unit_test_setup_teardown(what_is_safe_in_the_spool_is_not_put_there_again_when_it_is_sent_again, start,
                                        stop),
        cmocka_unit_test_setup_teardown(several_items_are_one_group_unless_the_spool_confirms, start, stop),
        cmocka_unit_test_setup_teardown(an_arrivals_replies_are_in_order_and_the_worst_counts, start, stop),
        cmocka_unit_test_setup_teardown(a_large_file_is_taken_a_few_messages_at_a_time, start, stop),
        cmocka_unit_test_setup_teardown(a_format_that_splits_wrongly_does_not_stop_the_host, start, stop),
        cmocka_unit_test_setup_teardown(what_cannot_be_an_event_is_refused_with_the_place, start, stop),
        cmocka_unit_test_setup_teardown(a_state_is_kept_with_what_was_made_or_not_at_all, start, stop),
        cmocka_unit_test_setup_teardown(a_state_that_messages_look_at_does_not_grow_old, start, stop),
        cmocka_unit_test_setup_teardown(a_held_message_is_tried_again_when_it_is_to_be, start, stop),
        cmocka_unit_test_setup_teardown(a_request_over_http_is_one_message_and_its_transport_answers_it, start, stop),
        cmocka_unit_test_setup_teardown(what_was_not_confirmed_is_published_again_until_it_is, start, stop),
        cmocka_unit_test_setup_teardown(what_a_full_disk_has_undone_is_not_taken_for_remembered, start, stop),
        cmocka_unit_test_setup_teardown(nothing_is_taken_before_the_journals_commit, start, stop),
        cmocka_unit_test_setup_teardown(what_still_waits_is_answered_at_the_end, start, stop),
    };
    log_line_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests_name("intake", tests, NULL, NULL);
}
