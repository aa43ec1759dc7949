/* queue.h - a bounded queue between two threads, any number of producers and one consumer.
 *
 * Elements are linked through a node of their own, so queueing allocates nothing, and the consumer takes
 * everything that has gathered in one swap. The bounds count what is queued and what was taken but not yet
 * released, so that they hold for the memory and not only for the list. Any thread may call any function. */
#ifndef CAREHUB_QUEUE_H
#define CAREHUB_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The first member of whatever is queued. */
struct queue_node {
    struct queue_node *next;
    size_t bytes; /* that it counts for */
};

/* How much of the bounds an element may use. */
enum queue_share {
    QUEUE_MOST,   /* three quarters: for what can be refused and sent again */
    QUEUE_ALL,    /* for what has to wait instead */
    QUEUE_ALWAYS, /* no bound: for what must not be lost and is bounded otherwise */
};

enum queue_pushed {
    QUEUE_FULL, /* nothing was queued; the element is still the caller's */
    QUEUE_PUSHED,
    QUEUE_PUSHED_FIRST, /* it was empty: a consumer that does not sleep in queue_wait has to be woken */
};

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct queue_node *first, *last;
    size_t items, bytes; /* queued, or taken and not yet released */
    size_t items_max, bytes_max;
    bool refused; /* a push has failed since the last release that reported it */
    bool poked;
    bool waiting; /* the consumer sleeps in queue_wait */
};

enum { QUEUE_FOREVER = -1 };

void queue_init(struct queue *queue, size_t items_max, size_t bytes_max);

/* The queue must be empty and no longer in use. */
void queue_fini(struct queue *queue);

/* Queues `node`, which counts for `bytes`. */
enum queue_pushed queue_push(struct queue *queue, struct queue_node *node, size_t bytes, enum queue_share share);

/* Everything that is queued, in order, or NULL. It keeps counting until queue_release. */
struct queue_node *queue_take(struct queue *queue);

/* The same; sleeps up to timeout_ms (QUEUE_FOREVER: without end) until there is something or queue_poke is
 * called. */
struct queue_node *queue_wait(struct queue *queue, int64_t timeout_ms);

/* Ends the present or the next queue_wait. */
void queue_poke(struct queue *queue);

/* What was taken is gone. True if a push had been refused since: the caller tells the producer to try again.
 */
bool queue_release(struct queue *queue, size_t items, size_t bytes);

#endif
