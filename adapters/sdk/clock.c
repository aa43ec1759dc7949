/* clock.c - time and back-off. */
#include "clock.h"

#include <sodium.h>
#include <time.h>

int64_t clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    int rc = pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
    return rc;
}

bool cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t deadline_ms)
{
    struct timespec at = {.tv_sec = deadline_ms / 1000, .tv_nsec = deadline_ms % 1000 * 1000000};
    return pthread_cond_timedwait(cond, lock, &at) == 0;
}

int64_t backoff_ms(unsigned tries, int64_t first_ms, int64_t longest_ms)
{
    int64_t delay_ms = tries < 20 ? first_ms << tries : longest_ms;
    if (delay_ms > longest_ms)
        delay_ms = longest_ms;
    return delay_ms - delay_ms / 4 + randombytes_uniform((uint32_t)(delay_ms / 2 + 1));
}
