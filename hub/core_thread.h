/* core_thread.h - the thread that the core runs on: takes what the gate has queued, hands it to the core,
 * commits.
 *
 * While one batch is being made durable the next one gathers in the queue, so the size of a commit follows
 * the load. */
#ifndef CAREHUB_CORE_THREAD_H
#define CAREHUB_CORE_THREAD_H

#include "core/core.h"
#include "gate/outbound.h"
#include "gate/queue.h"

struct core_thread;

struct core_thread_options {
    struct core_config core; /* borrowed until core_thread_start returns, except what core_open copies */
    struct queue *inbound;   /* of struct frame; borrowed, as the next */
    struct outbound *outbound;
    void (*room)(void *); /* called when the inbound queue has room after it was full: wakes the gate; any thread */
    void *room_arg;
};

/* Starts the thread and opens the core on it; returns when it is open. NULL with the reason in `error`. */
struct core_thread *core_thread_start(const struct core_thread_options *options, char error[CORE_ERROR_BYTES]);

/* Handles and commits everything that is queued, closes the core and ends the thread. Sets *thread to NULL; a
 * NULL is ignored. What it has said last is in `outbound`. */
void core_thread_stop(struct core_thread **thread);

#endif
