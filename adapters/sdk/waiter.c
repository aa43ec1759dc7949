/* waiter.c - see waiter.h. */
#include "waiter.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "carehub.h"
#include "clock.h"
#include "error.h"
#include "frame.h"

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t answered;
    unsigned references;
    bool done;
    int status;
    ProtobufCMessage *message;
    char error[ERROR_TEXT_BYTES];
};

struct waiter *waiter_new(void)
{
    struct waiter *w = calloc(1, sizeof *w);
    if (!w) {
        error_set(CAREHUB_OUT_OF_MEMORY, "out of memory");
        return NULL;
    }
    pthread_mutex_init(&w->lock, NULL);
    cond_init(&w->answered);
    w->references = 2;
    return w;
}

/* Called with the lock held; releases it. */
static void leave(struct waiter *w)
{
    bool last = --w->references == 0;
    pthread_mutex_unlock(&w->lock);
    if (!last)
        return;
    if (w->message)
        protobuf_c_message_free_unpacked(w->message, NULL);
    pthread_cond_destroy(&w->answered);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

void waiter_drop(struct waiter *w)
{
    pthread_mutex_lock(&w->lock);
    leave(w);
}

void waiter_answer(struct waiter *w, int status, const ProtobufCMessage *message)
{
    ProtobufCMessage *copy = message ? message_copy(message) : NULL;
    pthread_mutex_lock(&w->lock);
    w->done = true;
    w->status = message && !copy ? CAREHUB_OUT_OF_MEMORY : status;
    w->message = copy;
    if (status != CAREHUB_OK)
        snprintf(w->error, sizeof w->error, "%s", carehub_error());
    pthread_cond_signal(&w->answered);
    leave(w);
}

int waiter_wait(struct waiter *w, int timeout_ms, ProtobufCMessage **message)
{
    int64_t deadline_ms = clock_ms() + timeout_ms;
    pthread_mutex_lock(&w->lock);
    while (!w->done && cond_wait_until(&w->answered, &w->lock, deadline_ms))
        ;
    int status = w->done ? w->status : CAREHUB_TIMEOUT;
    if (status == CAREHUB_TIMEOUT)
        error_set(status, "no answer from the hub within %d ms; the outcome is unknown", timeout_ms);
    else if (status != CAREHUB_OK)
        error_set(status, "%s", w->error);
    if (message) {
        *message = w->message;
        w->message = NULL;
    }
    leave(w);
    return status;
}
