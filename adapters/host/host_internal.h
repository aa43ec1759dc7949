/* Between the files of the host; no part of its interface. */
#ifndef CAREHUB_HOST_INTERNAL_H
#define CAREHUB_HOST_INTERNAL_H

#include "counters.h"
#include "host.h"
#include "intake.h"
#include "outlet.h"
#include "subscription.h"

struct host {
    uv_timer_t tick;
    const struct host_config *config;
    struct journal *journal;
    struct publisher *publisher;
    struct intake *intake;
    void *ins[HOST_IN_MAX]; /* the transports' */
    struct outlet *outlets[HOST_OUT_MAX];
    struct subscriptions *subscriptions;
    struct counters counters;
    uint64_t status_due_ms, prune_due_ms, stop_due_ms;
    void (*stopped)(void *arg);
    void *stopped_arg;
};

/* Rewrites the status file, if there is to be one. */
void host_save_status(struct host *host, bool connected);

#endif
