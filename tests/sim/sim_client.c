/* What a receiver was sent: in order, each number its own event for good, gaps only where a number goes its own way,
 * nothing again that was acknowledged, nothing to whom it is not due, no more than there was credit for. */
#include "sim.h"

#include <string.h>

static struct inbox_sim *inbox_of(struct sim *sim, uint64_t session, uint32_t handle, uint64_t epoch, int *which)
{
    for (*which = 0; *which < INBOXES; ++*which) {
        struct inbox_sim *inbox = &sim->inboxes[*which];
        if (inbox->session == session && inbox->handle == handle && inbox->epoch == epoch)
            return inbox;
    }
    return NULL;
}

void client_forget(struct inbox_sim *inbox)
{
    for (int lane = 0; lane < LANES_SIM; lane++) {
        for (size_t n = 0; n < NUMBERS_MAX; n++)
            inbox->numbers[lane][n].in_flight = inbox->numbers[lane][n].again = inbox->numbers[lane][n].gone = false;
        inbox->cursor[lane] = 0;
    }
    inbox->session = 0;
}

void client_attached(struct sim *sim, uint64_t session, const Carehub__V1__Attached *attached)
{
    int which = 0;
    while (which < INBOXES && strcmp(inbox_names[which], attached->inbox) != 0)
        which++;
    if (which == INBOXES)
        sim_fail(sim, "attached to an unknown inbox %s", attached->inbox);
    struct inbox_sim *inbox = &sim->inboxes[which];
    int64_t credit = inbox->credit;
    if (attached->epoch <= inbox->epoch)
        sim_fail(sim, "inbox %s: epoch %llu after %llu", attached->inbox, (unsigned long long)attached->epoch,
                 (unsigned long long)inbox->epoch);
    client_forget(inbox);
    inbox->session = session;
    inbox->handle = attached->handle;
    inbox->epoch = attached->epoch;
    inbox->credit = credit;
    for (int lane = 0; lane < LANES_SIM; lane++)
        inbox->cursor[attached->lanes[lane]->lane] = attached->lanes[lane]->settled;
}

void client_detached(struct sim *sim, uint64_t session, const Carehub__V1__Detached *detached)
{
    for (int which = 0; which < INBOXES; which++)
        if (sim->inboxes[which].session == session && strcmp(inbox_names[which], detached->inbox) == 0 &&
            sim->inboxes[which].handle == detached->handle)
            client_forget(&sim->inboxes[which]);
}

/* ---- Order -------------------------------------------------------------------------------------------------------------- */

static bool corrects_something(const struct sim *sim, uint64_t place)
{
    for (size_t i = 0; i < sim->n_events; i++)
        if (sim->events[i].place == place)
            return sim->events[i].corrects != 0;
    return false;
}

/* Numbers may be passed over only if they were refused, or are corrections that wait for what was refused. Whether they
 * come in the end is seen when the log is drained. */
static void check_order(struct sim *sim, int which, int lane, uint64_t number)
{
    struct inbox_sim *inbox = &sim->inboxes[which];
    for (uint64_t passed = inbox->cursor[lane] + 1; passed < number; passed++) {
        if (!inbox->numbers[lane][passed].nacked && !corrects_something(sim, inbox->slots[lane][passed].place))
            sim_fail(sim, "inbox %s lane %d: number %llu came, and %llu neither came nor was skipped",
                     inbox_names[which], lane, (unsigned long long)number, (unsigned long long)passed);
    }
    if (number > inbox->cursor[lane])
        inbox->cursor[lane] = number;
}

static const struct event_sim *event_at(struct sim *sim, uint64_t place)
{
    for (size_t i = 0; i < sim->n_events; i++)
        if (sim->events[i].place == place)
            return &sim->events[i];
    sim_fail(sim, "a delivery of place %llu, where no event is", (unsigned long long)place);
}

static void check_entitled(struct sim *sim, int which, const Carehub__V1__Delivery *delivery)
{
    const struct event_sim *event = event_at(sim, delivery->place);
    enum party actor = inbox_actors[which];
    Carehub__V1__Event *content = carehub__v1__event__unpack(NULL, delivery->event.len, delivery->event.data);
    if (!content || content->id.len != 16 || memcmp(content->id.data, event->id, 16) != 0)
        sim_fail(sim, "inbox %s: a delivery of another event than that of its place", inbox_names[which]);
    bool bare = content->body_case == CAREHUB__V1__EVENT__BODY__NOT_SET && !content->patient;
    carehub__v1__event__free_unpacked(content, NULL);
    if (delivery->notice) {
        if (!bare || !event->corrects)
            sim_fail(sim, "inbox %s: a notice with content, or of no correction", inbox_names[which]);
        return;
    }
    struct right right = model_right(sim, event, actor, delivery->decided_through, sim->hub->now_ms);
    if (right.is != RIGHT_DELIVER || (int)delivery->level > right.level)
        sim_fail(sim, "inbox %s got event %llu at level %d; it is entitled to %d at most through %llu (%d)",
                 inbox_names[which], (unsigned long long)delivery->place, (int)delivery->level, right.level,
                 (unsigned long long)delivery->decided_through, (int)right.is);
    if (!model_ground_held(sim, event, actor, sim->inboxes[which].slots[delivery->lane][delivery->number].decided,
                           delivery->decided_through, sim->hub->now_ms))
        sim_fail(
            sim,
            "inbox %s got event %llu (type %d, patient %d, addressed to %d) although its ground was gone in between",
            inbox_names[which], (unsigned long long)delivery->place, (int)event->type, event->patient,
            event->addressed);
    if (!(model_inbox_types(sim, which, delivery->decided_through) >> event->type & 1))
        sim_fail(sim, "inbox %s got a type that it does not take", inbox_names[which]);
}

static void take_one(struct sim *sim, int which, const Carehub__V1__Delivery *delivery)
{
    struct inbox_sim *inbox = &sim->inboxes[which];
    int lane = (int)delivery->lane;
    if (delivery->number == 0 || delivery->number >= NUMBERS_MAX)
        sim_fail(sim, "inbox %s: number %llu", inbox_names[which], (unsigned long long)delivery->number);
    struct number_sim *number = &inbox->numbers[lane][delivery->number];
    if (number->acked || number->acking)
        sim_fail(sim, "inbox %s lane %d: %llu was acknowledged, and comes again", inbox_names[which], lane,
                 (unsigned long long)delivery->number);
    if (number->gone || number->in_flight)
        sim_fail(sim, "inbox %s lane %d: %llu comes twice on one attachment, or after its skip", inbox_names[which],
                 lane, (unsigned long long)delivery->number);
    if (number->place && number->place != delivery->place)
        sim_fail(sim, "inbox %s lane %d: %llu was place %llu, is %llu", inbox_names[which], lane,
                 (unsigned long long)delivery->number, (unsigned long long)number->place,
                 (unsigned long long)delivery->place);
    if (inbox->credit-- <= 0)
        sim_fail(sim, "inbox %s: a delivery without credit", inbox_names[which]);
    if (inbox->slots[lane][delivery->number].place != delivery->place || inbox->slots[lane][delivery->number].ended)
        sim_fail(sim, "inbox %s lane %d: %llu of place %llu: the log has it at place %llu%s", inbox_names[which], lane,
                 (unsigned long long)delivery->number, (unsigned long long)delivery->place,
                 (unsigned long long)inbox->slots[lane][delivery->number].place,
                 inbox->slots[lane][delivery->number].ended ? ", and ended" : "");
    number->place = delivery->place;
    if (delivery->number <= inbox->cursor[lane] && !number->nacked && !corrects_something(sim, delivery->place))
        sim_fail(sim, "inbox %s lane %d: %llu comes after %llu", inbox_names[which], lane,
                 (unsigned long long)delivery->number, (unsigned long long)inbox->cursor[lane]);
    number->again = number->nacked;
    /* One that was refused, and a correction that waited for it, go their own way. */
    bool own_way = number->nacked || corrects_something(sim, delivery->place);
    if (!own_way || delivery->number == inbox->cursor[lane] + 1)
        check_order(sim, which, lane, delivery->number);
    number->in_flight = true;
    sim->since_open.deliveries++;
    sim->n_delivered++;
    check_entitled(sim, which, delivery);
}

void client_deliver(struct sim *sim, uint64_t session, const Carehub__V1__Deliver *deliver)
{
    int which;
    if (!inbox_of(sim, session, deliver->handle, deliver->epoch, &which))
        sim_fail(sim, "a delivery to session %llu, which has not attached", (unsigned long long)session);
    for (size_t i = 0; i < deliver->n_deliveries; i++)
        take_one(sim, which, deliver->deliveries[i]);
}

void client_skip(struct sim *sim, uint64_t session, const Carehub__V1__Skip *skip)
{
    int which, lane = (int)skip->lane;
    struct inbox_sim *inbox = inbox_of(sim, session, skip->handle, skip->epoch, &which);
    if (!inbox)
        return; /* it was displaced in the same commit: to be ignored, as PROTOCOL.md says */
    if (skip->from == 0 || skip->from > skip->to || skip->to >= NUMBERS_MAX)
        sim_fail(sim, "inbox %s: skip %llu to %llu", inbox_names[which], (unsigned long long)skip->from,
                 (unsigned long long)skip->to);
    for (uint64_t n = skip->from; n <= skip->to; n++) {
        struct number_sim *number = &inbox->numbers[lane][n];
        if (n <= inbox->cursor[lane] && number->gone)
            sim_fail(sim, "inbox %s lane %d: %llu is skipped twice", inbox_names[which], lane, (unsigned long long)n);
        if (n > inbox->cursor[lane])
            check_order(sim, which, lane, n);
        number->gone = true;
        number->in_flight = false;
    }
}

/* ---- What a receiver says -------------------------------------------------------------------------------------------------- */

uint64_t client_pick(struct sim *sim, struct inbox_sim *inbox, int lane)
{
    uint64_t found[64];
    size_t n = 0;
    for (uint64_t number = 1; number < NUMBERS_MAX && n < 64; number++)
        if (inbox->numbers[lane][number].in_flight && !inbox->numbers[lane][number].acking)
            found[n++] = number;
    return n ? found[sim_random(sim, n)] : 0;
}

void client_ack(struct sim *sim, int which, int lane, uint64_t from, uint64_t to, bool read)
{
    struct inbox_sim *inbox = &sim->inboxes[which];
    Carehub__V1__AckRange range = CAREHUB__V1__ACK_RANGE__INIT, *ranges[] = {&range};
    Carehub__V1__Ack ack = CAREHUB__V1__ACK__INIT;
    Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
    range.lane = (Carehub__V1__Lane)lane;
    range.from = from;
    range.to = to;
    range.kind = read ? CAREHUB__V1__ACK_KIND__READ : CAREHUB__V1__ACK_KIND__STORED;
    ack.handle = inbox->handle;
    ack.epoch = inbox->epoch;
    ack.n_ranges = 1;
    ack.ranges = ranges;
    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_ACK;
    message.ack = &ack;
    sim_handle(sim, inbox->session, sim_key(inbox_actors[which]), &message);
    for (uint64_t number = from ? from : 1; number <= to; number++) {
        struct number_sim *one = &inbox->numbers[lane][number];
        if (one->in_flight && (!one->again || from))
            one->acking = true;
    }
}

void client_nack(struct sim *sim, int which, int lane, uint64_t number, bool final)
{
    struct inbox_sim *inbox = &sim->inboxes[which];
    Carehub__V1__Nack nack = CAREHUB__V1__NACK__INIT;
    Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
    nack.handle = inbox->handle;
    nack.epoch = inbox->epoch;
    nack.lane = (Carehub__V1__Lane)lane;
    nack.number = number;
    nack.code = (char *)"sim";
    nack.final = final;
    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_NACK;
    message.nack = &nack;
    sim_handle(sim, inbox->session, sim_key(inbox_actors[which]), &message);
    inbox->numbers[lane][number].nacked = true;
    inbox->numbers[lane][number].in_flight = inbox->numbers[lane][number].again = false;
}

void client_committed(struct sim *sim, bool durable)
{
    for (int which = 0; which < INBOXES; which++)
        for (int lane = 0; lane < LANES_SIM; lane++)
            for (size_t n = 0; n < NUMBERS_MAX; n++) {
                struct number_sim *number = &sim->inboxes[which].numbers[lane][n];
                if (!number->acking)
                    continue;
                number->acking = false;
                number->acked |= durable;
                number->in_flight &= !durable;
            }
}
