/* verdict.c - acknowledgements and refusals on their way to the hub, and the credit that they give back. */
#include "subscription.h"

#include <stdlib.h>
#include <string.h>

/* ---- Gathering (any thread, under the client's lock) ------------------------------------------------------------ */

/* True if the newer could be taken into the one before. */
static bool merge(struct verdict *last, const struct verdict *next)
{
    if (last->code || next->code || last->lane != next->lane || last->kind != next->kind)
        return false;
    if (last->from == 0 && next->to <= last->to)
        return true;
    bool both_through = last->from == 0 && next->from == 0;
    bool adjacent = next->from != 0 && next->from == last->to + 1;
    if (!both_through && !adjacent)
        return false;
    last->to = next->to;
    return true;
}

int verdict_add(carehub_subscription *sub, const struct verdict *verdict)
{
    struct verdicts *v = &sub->waiting;
    if (v->n > 0 && merge(&v->items[v->n - 1], verdict))
        return CAREHUB_OK;
    if (v->n == v->room) {
        size_t room = v->room ? 2 * v->room : 64;
        struct verdict *items = room > ACKS_WAITING_MAX ? NULL : realloc(v->items, room * sizeof *items);
        if (!items)
            return CAREHUB_OUT_OF_MEMORY;
        v->items = items;
        v->room = room;
    }
    v->items[v->n++] = *verdict;
    return CAREHUB_OK;
}

void verdicts_clear(struct verdicts *v)
{
    for (size_t i = 0; i < v->n; i++)
        free(v->items[i].code);
    v->n = 0;
}

void verdicts_free(struct verdicts *v)
{
    verdicts_clear(v);
    free(v->items);
    *v = (struct verdicts){0};
}

/* ---- Telling (the client's thread) ------------------------------------------------------------------------------ */

static void send_acks(carehub_subscription *sub)
{
    struct ack_frame *frame = &sub->client->subscriber.ack_frame;
    if (frame->n == 0)
        return;
    Carehub__V1__Ack ack = CAREHUB__V1__ACK__INIT;
    Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
    ack.handle = sub->handle;
    ack.epoch = sub->epoch;
    ack.n_ranges = frame->n;
    ack.ranges = frame->list;
    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_ACK;
    message.ack = &ack;
    session_send(sub->client, &message);
    frame->n = 0;
}

static void add_ack(carehub_subscription *sub, const struct verdict *v)
{
    struct ack_frame *frame = &sub->client->subscriber.ack_frame;
    if (frame->n == ACK_FRAME_RANGES)
        send_acks(sub);
    Carehub__V1__AckRange *range = &frame->ranges[frame->n];
    carehub__v1__ack_range__init(range);
    range->lane = v->lane;
    range->from = v->from;
    range->to = v->to;
    range->kind = v->kind;
    frame->list[frame->n++] = range;
}

static void send_nack(carehub_subscription *sub, const struct verdict *v)
{
    Carehub__V1__Nack nack = CAREHUB__V1__NACK__INIT;
    Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
    nack.handle = sub->handle;
    nack.epoch = sub->epoch;
    nack.lane = v->lane;
    nack.number = v->to;
    nack.code = v->code;
    nack.final = v->final;
    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_NACK;
    message.nack = &nack;
    session_send(sub->client, &message);
}

/* Credit goes back when there is at least as much to give as the hub has left: with prompt acknowledgements at half,
 * and with a program that acknowledges rarely before the hub runs dry. */
static void give_credit(carehub_subscription *sub)
{
    struct lane_credit *back = &sub->released;
    if (back->events == 0 || (back->events < sub->left_events && (int64_t)back->bytes < sub->left_bytes))
        return;
    Carehub__V1__Credit credit = CAREHUB__V1__CREDIT__INIT;
    Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
    credit.handle = sub->handle;
    credit.epoch = sub->epoch;
    credit.events = back->events;
    credit.bytes = (uint32_t)back->bytes;
    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_CREDIT;
    message.credit = &credit;
    if (!session_send(sub->client, &message))
        return;
    sub->left_events += back->events;
    sub->left_bytes += (int64_t)back->bytes;
    *back = (struct lane_credit){0};
}

void verdicts_tell(carehub_subscription *sub)
{
    pthread_mutex_lock(&sub->client->lock);
    struct verdicts told = sub->waiting;
    sub->waiting = sub->telling;
    sub->telling = told;
    pthread_mutex_unlock(&sub->client->lock);
    for (size_t i = 0; i < told.n; i++) {
        const struct verdict *v = &told.items[i];
        lane_settle(&sub->lanes[v->lane], v->from, v->to, &sub->released);
        if (v->code) {
            send_acks(sub);
            send_nack(sub, v);
        } else {
            add_ack(sub, v);
        }
    }
    send_acks(sub);
    verdicts_clear(&sub->telling);
    give_credit(sub);
}
