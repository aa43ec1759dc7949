/* clock.h - the time that timers use, and waiting on a condition until it. */
#ifndef SDK_CLOCK_H
#define SDK_CLOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* CLOCK_MONOTONIC, in ms. */
int64_t clock_ms(void);

/* A condition that waits by this clock. */
int cond_init(pthread_cond_t *cond);

/* Waits; false once deadline_ms has come. */
bool cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t deadline_ms);

/* The delay before try number `tries` (from 0): first_ms doubled each time up to longest_ms, give or take a quarter, so
 * that many clients of one hub don't all come back at the same moment. */
int64_t backoff_ms(unsigned tries, int64_t first_ms, int64_t longest_ms);

#endif
