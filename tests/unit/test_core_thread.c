/* The core's thread, with a core that only notes what it is asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core_thread.h"
#include "gate/frame.h"
#include "hub_limits.h"

struct core {
    struct core_output output;
};

static struct core the_core;
static atomic_uint handled, in_batch, largest_batch, commits, gone, closed, order_broken;
static atomic_uint commit_takes_ms;
static atomic_llong due_ms;
static atomic_bool opens;
static atomic_uint woken;
static struct queue inbound;
static struct outbound outbound;

struct core *core_open(const struct core_config *config, const struct core_output *output, struct core_time now,
                       char error[CORE_ERROR_BYTES])
{
    (void)config;
    assert_true(now.real_ms > 0 && now.boot_ms > 0);
    the_core.output = *output;
    strcpy(error, "the database is of a newer version");
    return atomic_load(&opens) ? &the_core : NULL;
}

void core_close(struct core **core)
{
    atomic_fetch_add(&closed, 1);
    *core = NULL;
}

void core_handle(struct core *core, session_id session, const uint8_t key[KEY_BYTES], const Carehub__V1__ToHub *message,
                 size_t bytes, struct core_time now)
{
    (void)core, (void)key, (void)now, (void)bytes;
    if (message->publish->publications[0]->ref != session)
        atomic_fetch_add(&order_broken, 1);
    if (session != atomic_fetch_add(&handled, 1) + 1)
        atomic_fetch_add(&order_broken, 1);
    atomic_fetch_add(&in_batch, (unsigned)message->publish->n_publications);
}

void core_session_gone(struct core *core, session_id session, struct core_time now)
{
    (void)core, (void)session, (void)now;
    atomic_fetch_add(&gone, 1);
}

void core_finish(struct core *core, struct core_time now)
{
    (void)core, (void)now;
}

void core_commit(struct core *core, struct core_time now)
{
    struct timespec pause = {0, (long)atomic_load(&commit_takes_ms) * 1000000};

    (void)core, (void)now;
    unsigned batch = atomic_exchange(&in_batch, 0);
    if (batch > atomic_load(&largest_batch))
        atomic_store(&largest_batch, batch);
    atomic_fetch_add(&commits, 1);
    nanosleep(&pause, NULL);
}

int64_t core_next_due_ms(const struct core *core)
{
    int64_t due = atomic_load(&due_ms);

    if (due == 0 && core->output.room(core->output.ctx) <= DELIVER_FRAME_MAX_BYTES)
        return INT64_MAX; /* as the real one: there is more to push, but nowhere to put it */
    return due;
}

/* ---- The test's side -------------------------------------------------------------------------------------------- */

static void wait_ms(long ms)
{
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000};

    nanosleep(&pause, NULL);
}

static bool becomes(atomic_uint *what, unsigned least)
{
    for (int i = 0; i < 5000 && atomic_load(what) < least; i++)
        wait_ms(1);
    return atomic_load(what) >= least;
}

static struct frame *publish(uint64_t number, size_t publications)
{
    Carehub__V1__Publish body = CAREHUB__V1__PUBLISH__INIT;
    Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
    Carehub__V1__Publication one = CAREHUB__V1__PUBLICATION__INIT, *list[BATCH_MAX_ITEMS];
    uint8_t bytes[8 * BATCH_MAX_ITEMS];
    char error[FRAME_ERROR_CHARS];

    one.ref = number;
    for (size_t i = 0; i < publications; i++)
        list[i] = &one;
    body.publications = list;
    body.n_publications = publications;
    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_PUBLISH;
    message.publish = &body;
    struct frame *frame = frame_parse(bytes, carehub__v1__to_hub__pack(&message, bytes), error);
    assert_non_null(frame);
    frame->session = number;
    return frame;
}

static void push(struct frame *frame)
{
    assert_int_not_equal(queue_push(&inbound, &frame->node, frame->memory_bytes, QUEUE_ALL), QUEUE_FULL);
}

static void note_room(void *arg)
{
    (void)arg;
    atomic_fetch_add(&woken, 1);
}

static struct core_thread *start(size_t items_max)
{
    char error[CORE_ERROR_BYTES];
    const struct core_thread_options options = {.inbound = &inbound, .outbound = &outbound, .room = note_room};

    queue_init(&inbound, items_max, SIZE_MAX);
    outbound_init(&outbound);
    handled = in_batch = largest_batch = commits = gone = closed = order_broken = commit_takes_ms = woken = 0;
    due_ms = INT64_MAX;
    opens = true;
    struct core_thread *thread = core_thread_start(&options, error);
    assert_non_null(thread);
    return thread;
}

static void stop(struct core_thread *thread)
{
    core_thread_stop(&thread);
    assert_int_equal(closed, 1);
    assert_int_equal(order_broken, 0);
    assert_int_equal(inbound.items, 0);
    assert_int_equal(inbound.bytes, 0);
    queue_fini(&inbound);
    outbound_fini(&outbound);
}

static void core_that_does_not_open_says_why(void **state)
{
    (void)state;
    char error[CORE_ERROR_BYTES];
    const struct core_thread_options options = {.inbound = &inbound, .outbound = &outbound};

    queue_init(&inbound, 10, 1000);
    outbound_init(&outbound);
    opens = false;
    assert_null(core_thread_start(&options, error));
    assert_string_equal(error, "the database is of a newer version");
    queue_fini(&inbound);
    outbound_fini(&outbound);
}

static void what_gathers_during_a_commit_is_the_next_batch(void **state)
{
    (void)state;
    enum { FRAMES = 40 };
    struct core_thread *thread = start(SIZE_MAX);

    commit_takes_ms = 100;
    push(publish(1, 1));
    assert_true(becomes(&handled, 1));
    unsigned before = commits;
    for (uint64_t i = 2; i <= FRAMES; i++)
        push(publish(i, 1));
    assert_true(becomes(&handled, FRAMES));
    wait_ms(10);
    assert_in_range(commits - before, 1, 3);
    stop(thread);
    assert_int_equal(largest_batch, FRAMES - 1);
}

static void a_batch_has_a_largest_size(void **state)
{
    (void)state;
    enum { FRAMES = 30 };
    struct core_thread *thread = start(SIZE_MAX);

    commit_takes_ms = 50;
    for (uint64_t i = 1; i <= FRAMES; i++)
        push(publish(i, BATCH_MAX_ITEMS));
    assert_true(becomes(&handled, FRAMES));
    stop(thread);
    assert_in_range(largest_batch, COMMIT_MAX_ITEMS / 2, COMMIT_MAX_ITEMS + BATCH_MAX_ITEMS - 1);
}

static void stopping_commits_what_is_queued(void **state)
{
    (void)state;
    enum { FRAMES = 500 };
    struct core_thread *thread = start(SIZE_MAX);

    commit_takes_ms = 20;
    for (uint64_t i = 1; i <= FRAMES; i++)
        push(publish(i, 1));
    push(frame_gone(7));
    stop(thread);
    assert_int_equal(handled, FRAMES);
    assert_int_equal(gone, 1);
    assert_int_equal(in_batch, 0);
}

static void gate_is_woken_when_a_full_queue_has_room(void **state)
{
    (void)state;
    struct core_thread *thread = start(2);
    struct frame *third = publish(3, 1);

    commit_takes_ms = 50;
    push(publish(1, 1));
    assert_true(becomes(&handled, 1));
    push(publish(2, 1));
    assert_int_equal(queue_push(&inbound, &third->node, third->memory_bytes, QUEUE_ALL), QUEUE_FULL);
    assert_true(becomes(&woken, 1));
    push(third);
    assert_true(becomes(&handled, 3));
    stop(thread);
    assert_int_equal(woken, 1);
}

static void due_times_are_kept_without_traffic(void **state)
{
    (void)state;
    struct core_thread *thread = start(SIZE_MAX);
    struct timespec now;

    assert_true(commits <= 2); /* idle: it sleeps */
    wait_ms(50);
    assert_true(commits <= 2);
    clock_gettime(CLOCK_REALTIME, &now);
    due_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 + 100;
    queue_poke(&inbound);
    assert_true(becomes(&commits, 3));
    stop(thread);
}

static void core_with_more_to_push_goes_on_unless_there_is_no_room(void **state)
{
    (void)state;
    struct core_thread *thread = start(SIZE_MAX);
    Carehub__V1__ToClient empty = CAREHUB__V1__TO_CLIENT__INIT;
    struct out *held = out_pack(&outbound, 1, &empty);

    due_ms = 0;
    queue_poke(&inbound);
    assert_true(becomes(&commits, 1000));
    held->size += OUTBOUND_MAX_BYTES; /* as if a socket held so much */
    atomic_fetch_add(&outbound.held_bytes, OUTBOUND_MAX_BYTES);
    wait_ms(50);
    unsigned before = commits;
    wait_ms(50);
    assert_in_range(commits - before, 0, 1); /* not in a circle */
    out_free(held);
    assert_true(becomes(&commits, before + 1000));
    stop(thread);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(core_that_does_not_open_says_why),
        cmocka_unit_test(what_gathers_during_a_commit_is_the_next_batch),
        cmocka_unit_test(a_batch_has_a_largest_size),
        cmocka_unit_test(stopping_commits_what_is_queued),
        cmocka_unit_test(gate_is_woken_when_a_full_queue_has_room),
        cmocka_unit_test(due_times_are_kept_without_traffic),
        cmocka_unit_test(core_with_more_to_push_goes_on_unless_there_is_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
