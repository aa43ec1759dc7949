#include "worker.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>

#include "gate/memory.h"

struct worker {
    pthread_t thread;
    sem_t given;
    void (*job)(void *arg); /* NULL when given: end */
    void *arg;
};

static void *run(void *worker_)
{
    struct worker *worker = worker_;

    pthread_setname_np(pthread_self(), "carehub-worker");
    for (;;) {
        while (sem_wait(&worker->given) != 0)
            ; /* interrupted */
        if (!worker->job)
            return NULL;
        worker->job(worker->arg);
    }
}

struct worker *worker_start(void)
{
    struct worker *worker = memory_get_zeroed(1, sizeof *worker);
    sigset_t all, before;

    sem_init(&worker->given, 0, 0);
    sigfillset(&all); /* signals are the loop's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    errno = pthread_create(&worker->thread, NULL, run, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (errno == 0)
        return worker;
    sem_destroy(&worker->given);
    free(worker);
    return NULL;
}

void worker_run(void *worker_, void (*job)(void *arg), void *arg)
{
    struct worker *worker = worker_;

    worker->job = job;
    worker->arg = arg;
    sem_post(&worker->given);
}

void worker_stop(struct worker **worker_)
{
    struct worker *worker = *worker_;

    if (!worker)
        return;
    *worker_ = NULL;
    worker_run(worker, NULL, NULL);
    pthread_join(worker->thread, NULL);
    sem_destroy(&worker->given);
    free(worker);
}
