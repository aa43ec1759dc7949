#include "gate/queue.h"

#include <assert.h>
#include <errno.h>
#include <time.h>

void queue_init(struct queue *queue, size_t items_max, size_t bytes_max)
{
    pthread_condattr_t attributes;

    *queue = (struct queue){.items_max = items_max, .bytes_max = bytes_max};
    pthread_mutex_init(&queue->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC); /* the wall clock may jump */
    pthread_cond_init(&queue->changed, &attributes);
    pthread_condattr_destroy(&attributes);
}

void queue_fini(struct queue *queue)
{
    assert(!queue->first);
    pthread_cond_destroy(&queue->changed);
    pthread_mutex_destroy(&queue->lock);
}

static bool has_room(const struct queue *queue, size_t bytes, enum queue_share share)
{
    size_t items_max = queue->items_max, bytes_max = queue->bytes_max;

    if (share == QUEUE_ALWAYS)
        return true;
    if (share == QUEUE_MOST) {
        items_max -= items_max / 4;
        bytes_max -= bytes_max / 4;
    }
    return queue->items < items_max && bytes <= bytes_max && queue->bytes <= bytes_max - bytes;
}

enum queue_pushed queue_push(struct queue *queue, struct queue_node *node, size_t bytes, enum queue_share share)
{
    enum queue_pushed result = QUEUE_FULL;
    bool wake = false;

    pthread_mutex_lock(&queue->lock);
    if (has_room(queue, bytes, share)) {
        result = queue->first ? QUEUE_PUSHED : QUEUE_PUSHED_FIRST;
        node->next = NULL;
        node->bytes = bytes;
        if (queue->first)
            queue->last->next = node;
        else
            queue->first = node;
        queue->last = node;
        queue->items++;
        queue->bytes += bytes;
        wake = queue->waiting;
        queue->waiting = false; /* one signal is enough */
    } else {
        queue->refused = true;
    }
    pthread_mutex_unlock(&queue->lock);
    if (wake)
        pthread_cond_signal(&queue->changed);
    return result;
}

static struct queue_node *take_locked(struct queue *queue)
{
    struct queue_node *all = queue->first;

    queue->first = queue->last = NULL;
    return all;
}

struct queue_node *queue_take(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    struct queue_node *all = take_locked(queue);
    pthread_mutex_unlock(&queue->lock);
    return all;
}

static struct timespec after(int64_t ms)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += ms / 1000;
    at.tv_nsec += (ms % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

struct queue_node *queue_wait(struct queue *queue, int64_t timeout_ms)
{
    struct timespec until = after(timeout_ms < 0 ? 0 : timeout_ms);
    int rc = 0;

    pthread_mutex_lock(&queue->lock);
    while (!queue->first && !queue->poked && rc != ETIMEDOUT) {
        queue->waiting = true;
        rc = timeout_ms < 0 ? pthread_cond_wait(&queue->changed, &queue->lock)
                            : pthread_cond_timedwait(&queue->changed, &queue->lock, &until);
    }
    queue->waiting = false;
    queue->poked = false;
    struct queue_node *all = take_locked(queue);
    pthread_mutex_unlock(&queue->lock);
    return all;
}

void queue_poke(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->poked = true;
    pthread_mutex_unlock(&queue->lock);
    pthread_cond_signal(&queue->changed);
}

bool queue_release(struct queue *queue, size_t items, size_t bytes)
{
    pthread_mutex_lock(&queue->lock);
    assert(items <= queue->items && bytes <= queue->bytes);
    queue->items -= items;
    queue->bytes -= bytes;
    bool refused = queue->refused;
    queue->refused = false;
    pthread_mutex_unlock(&queue->lock);
    return refused;
}
