/* receive.c - receivers: each a connection that is attached to its share of the inboxes, checks and
 * acknowledges. */
#include "bench.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ATTACH_STEP_MS = 10 };

/* The number of one of our events; UINT64_MAX if it is none. */
static uint64_t event_number(const struct run *run, const Carehub__V1__Event *event)
{
    uint64_t number = 0;
    if (!event || event->id.len != CAREHUB_ID_BYTES || memcmp(event->id.data + 9, run->nonce, sizeof run->nonce) != 0)
        return UINT64_MAX;
    for (int i = 0; i < 4; i++)
        number = number << 8 | event->id.data[12 + i];
    return number < run->capacity && atomic_load(&run->sent_ns[number]) > 0 ? number : UINT64_MAX;
}

/* Once to each member of the patient's team, and to nobody else. */
static void check_event(struct run *run, const struct receiving *r, uint64_t number)
{
    int position = team_position(run->options, patient_of_event(run->options, number), r->inbox);
    if (position < 0)
        atomic_fetch_add(&run->faults.misdelivered, 1);
    else if (atomic_fetch_or(&run->seen[number], 1u << position) & 1u << position)
        atomic_fetch_add(&run->faults.doubled, 1);
}

static void on_delivery(void *arg, carehub_subscription *subscription, const struct carehub_delivery *delivery)
{
    struct receiving *r = arg;
    struct run *run = r->receiver->run;
    uint64_t now = now_ns(), event = event_number(run, delivery->event);
    if (delivery->number != ++r->last[delivery->lane]) {
        atomic_fetch_add(&run->faults.gaps, 1);
        r->last[delivery->lane] = delivery->number;
    }
    if (event == UINT64_MAX) {
        atomic_fetch_add(&run->faults.unknown, 1);
    } else {
        uint64_t sent = atomic_load(&run->sent_ns[event]);
        histogram_add(&r->receiver->latency, now > sent ? now - sent : 0);
        check_event(run, r, event);
    }
    carehub_ack(subscription, delivery->lane, delivery->number, CAREHUB__V1__ACK_KIND__STORED);
    atomic_fetch_add(&r->receiver->received, 1);
}

static void on_skip(void *arg, carehub_subscription *subscription, Carehub__V1__Lane lane, uint64_t from, uint64_t to)
{
    struct receiving *r = arg;
    (void)subscription, (void)from;
    r->last[lane] = to;
    atomic_fetch_add(&r->receiver->run->faults.skips, 1);
}

static void on_attached(void *arg, carehub_subscription *subscription, int status, const char *error)
{
    struct receiving *r = arg;
    (void)subscription;
    if (status == CAREHUB_OK)
        atomic_fetch_add(&r->receiver->run->attached, 1);
    else
        fprintf(stderr, "carehub-bench: inbox %u: %s\n", r->inbox, error ? error : "detached");
}

static bool subscribe_one(struct receiver *receiver, struct receiving *r)
{
    char name[BENCH_NAME_BYTES];
    actor_name(r->inbox, name);
    struct carehub_subscribe_options options = {.inbox = name,
                                                .credit_events = receiver->run->options->credit,
                                                .on_delivery = on_delivery,
                                                .on_skip = on_skip,
                                                .on_attached = on_attached,
                                                .arg = r};
    return carehub_subscribe(receiver->client, &options, &r->subscription) == CAREHUB_OK ||
           complain("cannot subscribe");
}

static bool open_receiver(struct run *run, uint32_t index)
{
    const struct bench_options *o = run->options;
    struct receiver *receiver = &run->receivers[index];
    uint32_t from = (uint32_t)((uint64_t)o->inboxes * index / o->receivers);
    uint32_t to = (uint32_t)((uint64_t)o->inboxes * (index + 1) / o->receivers);
    char name[BENCH_NAME_BYTES];
    snprintf(name, sizeof name, "receiver-%02u", index);
    receiver->run = run;
    receiver->index = index;
    receiver->n_inboxes = to - from;
    receiver->inboxes = calloc(receiver->n_inboxes, sizeof *receiver->inboxes);
    if (!receiver->inboxes)
        abort();
    receiver->client = region_client(run, name, false, from, to);
    bool good = receiver->client != NULL;
    for (uint32_t i = 0; i < receiver->n_inboxes && good; i++) {
        receiver->inboxes[i] = (struct receiving){.receiver = receiver, .inbox = from + i};
        good = subscribe_one(receiver, &receiver->inboxes[i]);
    }
    return good;
}

bool receivers_open(struct run *run)
{
    for (uint32_t i = 0; i < run->options->receivers; i++)
        if (!open_receiver(run, i))
            return false;
    for (int waited = 0; waited < BENCH_TIMEOUT_MS; waited += ATTACH_STEP_MS) {
        if (atomic_load(&run->attached) == run->options->inboxes)
            return true;
        nanosleep(&(struct timespec){.tv_nsec = ATTACH_STEP_MS * 1000000L}, NULL);
    }
    fprintf(stderr, "carehub-bench: %u of %u inboxes were attached in time\n", atomic_load(&run->attached),
            run->options->inboxes);
    return false;
}

void receivers_close(struct run *run)
{
    for (uint32_t i = 0; i < run->options->receivers; i++) {
        carehub_close(&run->receivers[i].client);
        free(run->receivers[i].inboxes);
    }
}

uint64_t receivers_received(const struct run *run)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < run->options->receivers; i++)
        n += atomic_load(&run->receivers[i].received);
    return n;
}
