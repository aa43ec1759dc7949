#include "core_thread.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gate/frame.h"
#include "gate/memory.h"
#include "hub_limits.h"
#include "worker.h"

/* However far away the next due time is: it is in wall clock time, which may be set. */
enum { SLEEP_MAX_MS = 60000 };

struct core_thread {
    pthread_t thread;
    struct core_thread_options options;
    struct core *core;
    char *error; /* borrowed while it starts */
    sem_t opened;
    atomic_bool stopping;
    struct queue_node *first, *last; /* taken from the queue, not yet handled */
};

static int64_t clock_ms(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct core_time time_now(void)
{
    return (struct core_time){clock_ms(CLOCK_REALTIME), clock_ms(CLOCK_BOOTTIME)};
}

/* ---- The queue's other end -------------------------------------------------------------------------------------- */

static void append(struct core_thread *thread, struct queue_node *nodes)
{
    if (!nodes)
        return;
    if (thread->first)
        thread->last->next = nodes;
    else
        thread->first = nodes;
    while (nodes->next)
        nodes = nodes->next;
    thread->last = nodes;
}

static void handle(struct core_thread *thread, const struct frame *frame, struct core_time now)
{
    if (frame->message)
        core_handle(thread->core, frame->session, frame->key, frame->message, frame->bytes, now);
    else
        core_session_gone(thread->core, frame->session, now);
}

/* Handles what has been taken, up to COMMIT_MAX_ITEMS publications, and commits it. */
static void commit_batch(struct core_thread *thread)
{
    struct core_time now = time_now();
    size_t publications = 0, frames = 0, bytes = 0;

    while (thread->first && publications < COMMIT_MAX_ITEMS) {
        struct frame *frame = (struct frame *)thread->first;
        thread->first = frame->node.next;
        publications += frame->publications;
        frames++;
        bytes += frame->node.bytes;
        handle(thread, frame, now);
        frame_free(frame);
    }
    core_commit(thread->core, time_now());
    if (frames > 0 && queue_release(thread->options.inbound, frames, bytes) && thread->options.room)
        thread->options.room(thread->options.room_arg);
}

/* ---- Sleeping --------------------------------------------------------------------------------------------------- */

/* How long there is nothing to do unless something arrives; 0: go on at once. */
static int64_t idle_ms(struct core_thread *thread)
{
    int64_t due_ms = core_next_due_ms(thread->core);
    int64_t wait_ms;

    if (due_ms == 0)
        return 0; /* more to push, and room for it; without room the queue is poked when there is some again
                   */
    if (due_ms == INT64_MAX)
        return SLEEP_MAX_MS;
    wait_ms = due_ms - clock_ms(CLOCK_REALTIME);
    if (wait_ms < 1) /* due, and yet the core has just been called: not in a circle */
        wait_ms = 1;
    return wait_ms < SLEEP_MAX_MS ? wait_ms : SLEEP_MAX_MS;
}

static void gather(struct core_thread *thread)
{
    append(thread, queue_take(thread->options.inbound));
    if (thread->first)
        return;
    int64_t wait_ms = idle_ms(thread);
    if (wait_ms > 0)
        append(thread, queue_wait(thread->options.inbound, wait_ms));
}

static void poke(void *queue)
{
    queue_poke(queue);
}

/* ---- The thread ------------------------------------------------------------------------------------------------- */

static struct core_time clock_now(void *ctx)
{
    (void)ctx;
    return time_now();
}

static void *run(void *arg)
{
    struct core_thread *thread = arg;
    struct worker *worker = worker_start();
    const struct core_output output = {
        .send = outbound_send,
        .session = outbound_session,
        .settled = outbound_settled,
        .standings = outbound_standings,
        .room = outbound_room,
        .work = worker ? worker_run : NULL,
        .work_ctx = worker,
        .clock = clock_now,
        .ctx = thread->options.outbound,
    };

    pthread_setname_np(pthread_self(), "carehub-core");
    thread->core = core_open(&thread->options.core, &output, time_now(), thread->error);
    bool open = thread->core != NULL;
    sem_post(&thread->opened);
    if (!open) {
        worker_stop(&worker);
        return NULL;
    }
    while (!atomic_load(&thread->stopping)) {
        gather(thread);
        commit_batch(thread);
    }
    append(thread, queue_take(thread->options.inbound)); /* the gate has stopped reading: this is the rest */
    while (thread->first)
        commit_batch(thread);
    core_finish(thread->core, time_now());
    core_close(&thread->core);
    worker_stop(&worker);
    return NULL;
}

/* Signals are the loop's. */
static int start_without_signals(pthread_t *thread, void *(*function)(void *), void *arg)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(thread, NULL, function, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

struct core_thread *core_thread_start(const struct core_thread_options *options, char error[CORE_ERROR_BYTES])
{
    struct core_thread *thread = memory_get_zeroed(1, sizeof *thread);

    thread->options = *options;
    thread->error = error;
    sem_init(&thread->opened, 0, 0);
    options->outbound->room_again = poke;
    options->outbound->room_again_arg = options->inbound;
    int rc = start_without_signals(&thread->thread, run, thread);
    if (rc != 0) {
        snprintf(error, CORE_ERROR_BYTES, "the core's thread cannot be started: %s", strerror(rc));
    } else {
        while (sem_wait(&thread->opened) != 0)
            ; /* interrupted */
        if (thread->core)
            return thread;
        pthread_join(thread->thread, NULL);
    }
    options->outbound->room_again = NULL;
    sem_destroy(&thread->opened);
    free(thread);
    return NULL;
}

void core_thread_stop(struct core_thread **thread_)
{
    struct core_thread *thread = *thread_;

    if (!thread)
        return;
    *thread_ = NULL;
    atomic_store(&thread->stopping, true);
    queue_poke(thread->options.inbound);
    pthread_join(thread->thread, NULL);
    sem_destroy(&thread->opened);
    free(thread);
}
