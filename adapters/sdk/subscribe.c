/* subscribe.c - attaching, delivering. The client's thread. */
#include "subscription.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"

#define NACK_CODE_UNREADABLE "unreadable-by-library"

void subscribe_init(struct carehub_client *c)
{
    arena_init(&c->subscriber.arena);
}

void subscription_free(carehub_subscription *sub)
{
    verdicts_free(&sub->waiting);
    verdicts_free(&sub->telling);
    for (int lane = 0; lane < LANES; lane++)
        lane_clear(&sub->lanes[lane]);
    free((char *)sub->options.inbox);
    free(sub);
}

static void tell_attached(carehub_subscription *sub, int status, const char *error)
{
    if (status != CAREHUB_OK)
        error_set(status, "%s", error);
    if (sub->options.on_attached && !sub->ending)
        sub->options.on_attached(sub->options.arg, sub, status, error);
}

/* ---- Attaching -------------------------------------------------------------------------------------------------- */

static void attach(struct carehub_client *c, carehub_subscription *sub)
{
    Carehub__V1__Attach attach = CAREHUB__V1__ATTACH__INIT;
    Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
    attach.inbox = (char *)sub->options.inbox;
    attach.credit_events = sub->options.credit_events;
    attach.credit_bytes = sub->options.credit_bytes;
    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_ATTACH;
    message.attach = &attach;
    if (!session_send(c, &message))
        return;
    sub->phase = SUBSCRIPTION_ATTACHING;
    sub->attach_order = ++c->subscriber.attach_order;
}

static void send_detach(struct carehub_client *c, uint32_t handle, uint64_t epoch)
{
    Carehub__V1__Detach detach = CAREHUB__V1__DETACH__INIT;
    Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
    detach.handle = handle;
    detach.epoch = epoch;
    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_DETACH;
    message.detach = &detach;
    session_send(c, &message);
}

/* The attachment under way to an inbox (NULL: to any): the one that was asked for first. */
static carehub_subscription *find_attaching(struct carehub_client *c, const char *inbox)
{
    carehub_subscription *first = NULL;
    for (carehub_subscription *sub = c->subscriber.all; sub; sub = sub->next)
        if (sub->phase == SUBSCRIPTION_ATTACHING && (!inbox || strcmp(sub->options.inbox, inbox) == 0) &&
            (!first || sub->attach_order < first->attach_order))
            first = sub;
    return first;
}

static carehub_subscription *find_attached(struct carehub_client *c, uint32_t handle)
{
    for (carehub_subscription *sub = c->subscriber.all; sub; sub = sub->next)
        if (sub->phase == SUBSCRIPTION_ATTACHED && sub->handle == handle)
            return sub;
    return NULL;
}

static void take_attached(struct carehub_client *c, const Carehub__V1__Attached *m)
{
    carehub_subscription *sub = find_attaching(c, m->inbox);
    if (!sub) {
        send_detach(c, m->handle, m->epoch);
        return;
    }
    sub->phase = SUBSCRIPTION_ATTACHED;
    sub->handle = m->handle;
    sub->epoch = m->epoch;
    sub->refusals = 0;
    sub->left_events = sub->options.credit_events;
    sub->left_bytes = sub->options.credit_bytes;
    sub->released = (struct lane_credit){0};
    for (int lane = 0; lane < LANES; lane++)
        lane_clear(&sub->lanes[lane]);
    pthread_mutex_lock(&c->lock);
    sub->attached = true;
    for (size_t i = 0; i < m->n_lanes; i++) {
        unsigned lane = (unsigned)m->lanes[i]->lane;
        if (lane < LANES)
            sub->floor[lane] = sub->highest[lane] = m->lanes[i]->settled;
    }
    pthread_mutex_unlock(&c->lock);
    tell_attached(sub, CAREHUB_OK, NULL);
}

/* No acknowledgement of this attachment counts any more: what is not settled comes again with the next one. */
static void leave(struct carehub_client *c, carehub_subscription *sub, enum subscription_phase phase)
{
    sub->phase = phase;
    pthread_mutex_lock(&c->lock);
    sub->attached = false;
    verdicts_clear(&sub->waiting);
    pthread_mutex_unlock(&c->lock);
}

static void refused(struct carehub_client *c, carehub_subscription *sub, const char *why)
{
    leave(c, sub, SUBSCRIPTION_DETACHED);
    sub->attach_ms = clock_ms() + backoff_ms(sub->refusals++, ATTACH_RETRY_FIRST_MS, ATTACH_RETRY_LONGEST_MS);
    tell_attached(sub, CAREHUB_REFUSED, why);
}

/* A Detached without the inbox's name only answers something that we said of an attachment that is over; its handle may
 * already be another's. */
static void take_detached(struct carehub_client *c, const Carehub__V1__Detached *m)
{
    carehub_subscription *sub = m->handle ? find_attached(c, m->handle) : find_attaching(c, m->inbox);
    if (!sub || strcmp(sub->options.inbox, m->inbox) != 0)
        return;
    const char *why = m->error && m->error->text[0] ? m->error->text : "the hub ended the attachment";
    if (m->error && m->error->code == CAREHUB__V1__ERROR_CODE__STALE_EPOCH) {
        leave(c, sub, SUBSCRIPTION_STALE);
        tell_attached(sub, CAREHUB_STALE, why);
        return;
    }
    refused(c, sub, why);
}

bool subscribe_refused(struct carehub_client *c, const Carehub__V1__Error *error)
{
    carehub_subscription *sub = strcmp(error->field, "inbox") == 0 ? find_attaching(c, NULL) : NULL;
    if (sub)
        refused(c, sub, error->text);
    return sub != NULL;
}

void subscribe_lost(struct carehub_client *c)
{
    for (carehub_subscription *sub = c->subscriber.all; sub; sub = sub->next) {
        bool was_attached = sub->phase == SUBSCRIPTION_ATTACHED;
        if (sub->phase == SUBSCRIPTION_STALE)
            continue;
        leave(c, sub, SUBSCRIPTION_DETACHED);
        sub->attach_ms = 0;
        if (was_attached)
            tell_attached(sub, CAREHUB_CONNECT, "the session with the hub was lost; attaching again by itself");
    }
}

/* ---- Delivering ------------------------------------------------------------------------------------------------- */

/* The attachment that a message belongs to; NULL if it is one that has ended. */
static carehub_subscription *current(struct carehub_client *c, uint32_t handle, uint64_t epoch)
{
    carehub_subscription *sub = find_attached(c, handle);
    return sub && sub->epoch == epoch ? sub : NULL;
}

static void raise_highest(carehub_subscription *sub, unsigned lane, uint64_t number)
{
    if (sub->highest[lane] < number)
        sub->highest[lane] = number;
    if (sub->known[lane] < number)
        sub->known[lane] = number;
}

static void refuse_unreadable(carehub_subscription *sub, const Carehub__V1__Delivery *d)
{
    client_warn(sub->client, "inbox %s: delivery %llu cannot be read by this version of the library and was refused",
                sub->options.inbox, (unsigned long long)d->number);
    carehub_nack(sub, d->lane, d->number, NACK_CODE_UNREADABLE, true);
}

static void deliver_one(carehub_subscription *sub, const Carehub__V1__Delivery *d)
{
    struct arena *arena = &sub->client->subscriber.arena;
    const Carehub__V1__Event *event = frame_unpack(arena, &carehub__v1__event__descriptor, d->event.data, d->event.len);
    if (!event) {
        refuse_unreadable(sub, d);
    } else {
        struct carehub_delivery delivery = {
            .lane = d->lane,
            .number = d->number,
            .place = d->place,
            .attempt = d->attempt,
            .level = d->level,
            .notice = d->notice,
            .received_ms = d->received_ms,
            .cause = d->cause,
            .instead_of = d->instead_of,
            .verified_by = d->verified_by,
            .epoch = sub->epoch,
            .event = event,
            .bytes = d->event.data,
            .size = d->event.len,
        };
        sub->options.on_delivery(sub->options.arg, sub, &delivery);
    }
    arena_reset(arena);
}

static void take_deliver(struct carehub_client *c, const Carehub__V1__Deliver *m)
{
    carehub_subscription *sub = current(c, m->handle, m->epoch);
    if (!sub)
        return;
    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < m->n_deliveries; i++)
        if ((unsigned)m->deliveries[i]->lane < LANES)
            raise_highest(sub, (unsigned)m->deliveries[i]->lane, m->deliveries[i]->number);
    pthread_mutex_unlock(&c->lock);
    for (size_t i = 0; i < m->n_deliveries && !sub->ending; i++) {
        const Carehub__V1__Delivery *d = m->deliveries[i];
        if ((unsigned)d->lane >= LANES)
            continue;
        sub->left_events--;
        sub->left_bytes -= (int64_t)d->event.len;
        if (lane_add(&sub->lanes[d->lane], d->number, (uint32_t)d->event.len))
            deliver_one(sub, d);
        else
            client_warn(c, "inbox %s: more deliveries than there was credit for; one was left in the inbox",
                        sub->options.inbox);
    }
}

/* A skip may also take back what was delivered and not yet acknowledged: that credit is free again. */
static void take_skip(struct carehub_client *c, const Carehub__V1__Skip *m)
{
    carehub_subscription *sub = current(c, m->handle, m->epoch);
    if (!sub || (unsigned)m->lane >= LANES || m->from == 0 || m->to < m->from)
        return;
    lane_settle(&sub->lanes[m->lane], m->from, m->to, &sub->released);
    pthread_mutex_lock(&c->lock);
    raise_highest(sub, (unsigned)m->lane, m->to);
    pthread_mutex_unlock(&c->lock);
    if (sub->options.on_skip && !sub->ending)
        sub->options.on_skip(sub->options.arg, sub, m->lane, m->from, m->to);
}

void subscribe_take(struct carehub_client *c, const Carehub__V1__ToClient *m)
{
    switch (m->message_case) {
    case CAREHUB__V1__TO_CLIENT__MESSAGE_ATTACHED:
        take_attached(c, m->attached);
        break;
    case CAREHUB__V1__TO_CLIENT__MESSAGE_DETACHED:
        take_detached(c, m->detached);
        break;
    case CAREHUB__V1__TO_CLIENT__MESSAGE_DELIVER:
        take_deliver(c, m->deliver);
        break;
    case CAREHUB__V1__TO_CLIENT__MESSAGE_SKIP:
        take_skip(c, m->skip);
        break;
    default:
        break;
    }
}

/* ---- Each round ------------------------------------------------------------------------------------------------- */

/* Takes an ended subscription out; whoever waits for that frees it. */
static void remove_ended(struct carehub_client *c, carehub_subscription *sub)
{
    pthread_mutex_lock(&c->lock);
    bool awaited = sub->awaited;
    sub->ended = true;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    if (!awaited)
        subscription_free(sub);
}

/* Ends those that are to end. One that is attaching must first have its answer, or that would be taken for the answer
 * to a later subscription's. True: some are left. */
static bool end_some(struct carehub_client *c)
{
    bool open = c->session.phase == SESSION_OPEN, left = false;
    for (carehub_subscription **at = &c->subscriber.all, *sub; (sub = *at);) {
        bool answer_due = open && sub->phase == SUBSCRIPTION_ATTACHING;
        if (!sub->ending || answer_due) {
            left |= sub->ending;
            at = &sub->next;
            continue;
        }
        if (open && sub->phase == SUBSCRIPTION_ATTACHED) {
            verdicts_tell(sub);
            send_detach(c, sub->handle, sub->epoch);
        }
        *at = sub->next;
        remove_ended(c, sub);
    }
    return left;
}

static void take_added(struct carehub_client *c, carehub_subscription *added)
{
    while (added) {
        carehub_subscription *sub = added;
        added = sub->next;
        sub->next = c->subscriber.all;
        c->subscriber.all = sub;
    }
}

void subscribe_step(struct carehub_client *c)
{
    struct subscribe_inbox *inbox = &c->subscribe_inbox;
    bool open = c->session.phase == SESSION_OPEN;
    pthread_mutex_lock(&c->lock);
    struct subscribe_inbox left = *inbox;
    inbox->added = NULL;
    inbox->acks = false;
    inbox->endings = false;
    pthread_mutex_unlock(&c->lock);

    take_added(c, left.added);
    if (left.endings && end_some(c)) {
        pthread_mutex_lock(&c->lock);
        inbox->endings = true;
        pthread_mutex_unlock(&c->lock);
    }
    int64_t now_ms = clock_ms();
    for (carehub_subscription *sub = c->subscriber.all; open && sub; sub = sub->next) {
        if (sub->phase == SUBSCRIPTION_DETACHED && now_ms >= sub->attach_ms && !sub->ending)
            attach(c, sub);
        else if (sub->phase == SUBSCRIPTION_ATTACHED && (left.acks || sub->released.events > 0))
            verdicts_tell(sub);
    }
}

int64_t subscribe_due_ms(const struct carehub_client *c)
{
    int64_t due_ms = INT64_MAX;
    if (c->session.phase != SESSION_OPEN)
        return due_ms;
    for (const carehub_subscription *sub = c->subscriber.all; sub; sub = sub->next)
        if (sub->phase == SUBSCRIPTION_DETACHED && sub->attach_ms < due_ms)
            due_ms = sub->attach_ms;
    return due_ms;
}

void subscribe_closed(struct carehub_client *c)
{
    pthread_mutex_lock(&c->lock);
    carehub_subscription *added = c->subscribe_inbox.added;
    c->subscribe_inbox.added = NULL;
    pthread_mutex_unlock(&c->lock);
    take_added(c, added);
    for (carehub_subscription *sub; (sub = c->subscriber.all);) {
        c->subscriber.all = sub->next;
        remove_ended(c, sub);
    }
    arena_fini(&c->subscriber.arena);
}
