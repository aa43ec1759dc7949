/* worker.h - one thread for what would keep the core waiting for the disk: the files of the audit log. */
#ifndef CAREHUB_WORKER_H
#define CAREHUB_WORKER_H

#include <stdbool.h>

struct worker;

/* NULL: the thread cannot be started; errno says why. */
struct worker *worker_start(void);

/* Has job(arg) run on the worker's thread. One at a time: the one before must be over. `worker` is a struct worker. */
void worker_run(void *worker, void (*job)(void *arg), void *arg);

/* Ends the thread after the job that is under way. Sets *worker to NULL; a NULL is ignored. */
void worker_stop(struct worker **worker);

#endif
