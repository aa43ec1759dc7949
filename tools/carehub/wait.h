/* wait.h - waiting in the main thread for what the client library's thread does, or for Ctrl-C.
 From wait_start on, Ctrl-C no longer
 * ends the process: it ends the waiting. */
#ifndef CAREHUB_CLI_WAIT_H
#define CAREHUB_CLI_WAIT_H

#include <stdbool.h>
#include <stdint.h>

struct wait {
    int signal_fd;
    int event_fd;
};

enum wait_result { WAIT_WOKEN, WAIT_TIMED_OUT, WAIT_INTERRUPTED };

void wait_start(struct wait *wait);
void wait_end(struct wait *wait);

/* Wakes the waiting thread; from any thread. Wakes are not counted. */
void wait_wake(struct wait *wait);

/* Waits until woken, interrupted (SIGINT, SIGTERM, SIGHUP) or until_ms of the monotonic clock (INT64_MAX: for
 * ever). */
enum wait_result wait_for(struct wait *wait, int64_t until_ms);

#endif
