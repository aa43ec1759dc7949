#include "wait.h"

#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "term.h"

void wait_start(struct wait *wait)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    wait->signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
    wait->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wait->signal_fd < 0 || wait->event_fd < 0)
        abort();
}

void wait_end(struct wait *wait)
{
    close(wait->signal_fd);
    close(wait->event_fd);
}

void wait_wake(struct wait *wait)
{
    uint64_t one = 1;
    ssize_t written = write(wait->event_fd, &one, sizeof one);
    (void)written; /* it fails only if a wake is pending already */
}

enum wait_result wait_for(struct wait *wait, int64_t until_ms)
{
    for (;;) {
        int64_t left = until_ms == INT64_MAX ? -1 : until_ms - monotonic_ms();
        if (until_ms != INT64_MAX && left < 0)
            left = 0;
        struct pollfd fds[] = {{.fd = wait->signal_fd, .events = POLLIN}, {.fd = wait->event_fd, .events = POLLIN}};
        int n = poll(fds, 2, left > INT_MAX ? INT_MAX : (int)left);
        if (n > 0 && fds[0].revents)
            return WAIT_INTERRUPTED;
        if (n > 0) {
            uint64_t wakes;
            ssize_t got = read(wait->event_fd, &wakes, sizeof wakes);
            (void)got;
            return WAIT_WOKEN;
        }
        if (n == 0 && left >= 0)
            return WAIT_TIMED_OUT;
    }
}
