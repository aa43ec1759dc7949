/* The queue between gate and core. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "gate/queue.h"

struct item {
    struct queue_node node;
    unsigned producer, number;
};

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void what_is_taken_comes_in_order_and_at_once(void **state)
{
    (void)state;
    struct queue queue;
    struct item items[3] = {0};

    queue_init(&queue, 10, 1000);
    assert_int_equal(queue_push(&queue, &items[0].node, 1, QUEUE_ALL), QUEUE_PUSHED_FIRST);
    assert_int_equal(queue_push(&queue, &items[1].node, 1, QUEUE_ALL), QUEUE_PUSHED);
    assert_int_equal(queue_push(&queue, &items[2].node, 1, QUEUE_ALL), QUEUE_PUSHED);
    struct queue_node *node = queue_take(&queue);
    for (int i = 0; i < 3; i++, node = node->next)
        assert_ptr_equal(node, &items[i].node);
    assert_null(node);
    assert_null(queue_take(&queue));
    queue_release(&queue, 3, 3);
    queue_fini(&queue);
}

static void bounds_hold_until_what_was_taken_is_released(void **state)
{
    (void)state;
    static const struct {
        size_t items_max, bytes_max, bytes;
        enum queue_share share;
        unsigned fit;
    } cases[] = {
        {8, 1000, 1, QUEUE_ALL, 8},      {8, 1000, 1, QUEUE_MOST, 6},   {100, 1000, 100, QUEUE_ALL, 10},
        {100, 1000, 100, QUEUE_MOST, 7}, {8, 1000, 1001, QUEUE_ALL, 0}, {8, 1000, 5000, QUEUE_ALWAYS, 20},
        {8, 1000, 1000, QUEUE_ALL, 1},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct queue queue;
        struct item items[20];
        unsigned fit = 0;
        queue_init(&queue, cases[i].items_max, cases[i].bytes_max);
        while (fit < 20 && queue_push(&queue, &items[fit].node, cases[i].bytes, cases[i].share) != QUEUE_FULL)
            fit++;
        assert_int_equal(fit, cases[i].fit);
        queue_take(&queue);
        if (cases[i].share != QUEUE_ALWAYS)
            assert_int_equal(queue_push(&queue, &items[fit].node, cases[i].bytes, cases[i].share), QUEUE_FULL);
        queue_release(&queue, fit, fit * cases[i].bytes);
        assert_int_equal(queue.items, 0);
        assert_int_equal(queue.bytes, 0);
        queue_fini(&queue);
    }
}

static void a_release_says_once_that_somebody_was_refused(void **state)
{
    (void)state;
    struct queue queue;
    struct item items[3];

    queue_init(&queue, 2, 1000);
    queue_push(&queue, &items[0].node, 1, QUEUE_ALL);
    queue_push(&queue, &items[1].node, 1, QUEUE_ALL);
    queue_take(&queue);
    assert_int_equal(queue_push(&queue, &items[2].node, 1, QUEUE_ALL), QUEUE_FULL);
    assert_true(queue_release(&queue, 1, 1));
    assert_false(queue_release(&queue, 1, 1));
    queue_fini(&queue);
}

static void waiting_ends_with_the_time_or_a_poke(void **state)
{
    (void)state;
    struct queue queue;
    int64_t start = now_ms();

    queue_init(&queue, 2, 1000);
    assert_null(queue_wait(&queue, 50));
    assert_in_range(now_ms() - start, 49, 5000);
    queue_poke(&queue); /* before it waits: not lost */
    assert_null(queue_wait(&queue, QUEUE_FOREVER));
    queue_fini(&queue);
}

enum { PRODUCERS = 3, EACH = 20000 };

struct shared {
    struct queue queue;
    unsigned next_producer;
};

static void *produce(void *arg)
{
    struct shared *shared = arg;
    unsigned producer = __atomic_fetch_add(&shared->next_producer, 1, __ATOMIC_SEQ_CST);
    struct timespec pause = {0, 100000};

    for (unsigned i = 0; i < EACH; i++) {
        struct item *item = malloc(sizeof *item);
        item->producer = producer;
        item->number = i;
        while (queue_push(&shared->queue, &item->node, 10, QUEUE_ALL) == QUEUE_FULL)
            nanosleep(&pause, NULL);
    }
    return NULL;
}

static void nothing_is_lost_or_reordered_between_threads(void **state)
{
    (void)state;
    static struct shared shared;
    pthread_t threads[PRODUCERS];
    unsigned next[PRODUCERS] = {0}, got = 0;

    queue_init(&shared.queue, 500, 1 << 20);
    for (int i = 0; i < PRODUCERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, produce, &shared), 0);
    while (got < PRODUCERS * EACH) {
        struct queue_node *node = queue_wait(&shared.queue, 10000), *following;
        assert_non_null(node);
        size_t n = 0;
        for (; node; node = following, n++) {
            struct item *item = (struct item *)node;
            following = node->next;
            assert_int_equal(item->number, next[item->producer]++);
            free(item);
        }
        assert_in_range(n, 1, 500);
        got += (unsigned)n;
        queue_release(&shared.queue, n, n * 10);
    }
    for (int i = 0; i < PRODUCERS; i++)
        pthread_join(threads[i], NULL);
    queue_fini(&shared.queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_taken_comes_in_order_and_at_once),
        cmocka_unit_test(bounds_hold_until_what_was_taken_is_released),
        cmocka_unit_test(a_release_says_once_that_somebody_was_refused),
        cmocka_unit_test(waiting_ends_with_the_time_or_a_poke),
        cmocka_unit_test(nothing_is_lost_or_reordered_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
