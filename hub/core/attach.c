/* Who receives an inbox, and what it says of what it got: acknowledgements, refusals, credit. */
#include "core_private.h"

#include <stdlib.h>

/* ---- Attaching ------------------------------------------------------------------------------------------------------ */

static void send_detached(struct core *core, session_id to, uint32_t handle, const char *inbox, const Error *error)
{
    Carehub__V1__Detached *detached = arena_alloc(&core->batch, sizeof *detached);
    Carehub__V1__ToClient *message = arena_alloc(&core->batch, sizeof *message);
    carehub__v1__detached__init(detached);
    carehub__v1__to_client__init(message);
    detached->handle = handle;
    detached->inbox = arena_strdup(&core->batch, inbox);
    detached->error = (Error *)error;
    message->message_case = CAREHUB__V1__TO_CLIENT__MESSAGE_DETACHED;
    message->detached = detached;
    send_later(core, to, message);
}

void attachment_end(struct core *core, struct inbox *inbox, const Error *error)
{
    struct session *session = u64map_get(&core->sessions, inbox->session);
    if (session && session->attachments[inbox->handle - 1] == inbox) {
        session->attachments[inbox->handle - 1] = NULL;
        if (error)
            send_detached(core, session->id, inbox->handle, inbox->card->name, error);
    }
    inbox->session = 0;
    inbox->handle = 0;
    inbox_rewind(inbox);
    core->n_attachments--;
}

void session_detach_all(struct core *core, struct session *session, const Error *error)
{
    for (int i = 0; i < ATTACHMENTS_MAX; i++)
        if (session->attachments[i])
            attachment_end(core, session->attachments[i], error);
}

static uint32_t free_handle(const struct session *session)
{
    for (uint32_t i = 0; i < ATTACHMENTS_MAX; i++)
        if (!session->attachments[i])
            return i + 1;
    return 0;
}

/* Everything unsettled is sent again from here on, under a new epoch; the epoch is an entry, so that it is never given
 * twice. */
static void begin_attachment(struct core *core, struct session *session, struct inbox *inbox,
                             const Carehub__V1__Attach *message)
{
    batch_open(core);
    Carehub__V1__AttachEntry what = CAREHUB__V1__ATTACH_ENTRY__INIT;
    Entry entry = CAREHUB__V1__ENTRY__INIT;
    what.inbox = inbox->number;
    what.epoch = inbox->card->epoch + 1;
    entry.client = session->client;
    entry.actor = inbox->card->actor;
    entry.what_case = CAREHUB__V1__ENTRY__WHAT_ATTACH;
    entry.attach = &what;
    uint64_t place = batch_append(core, &entry, NULL, NULL, 0);
    Carehub__V1__InboxCard *card = message_copy(inbox->card);
    card->epoch = what.epoch;
    registry_put_inbox(&core->registry, inbox->number, card, place);

    inbox_rewind(inbox);
    inbox->session = session->id;
    inbox->handle = free_handle(session);
    inbox->unheard_bytes = 0;
    inbox->credit_events = message->credit_events < CREDIT_EVENTS_MAX ? message->credit_events : CREDIT_EVENTS_MAX;
    inbox->credit_bytes = message->credit_bytes < CREDIT_BYTES_MAX ? message->credit_bytes : CREDIT_BYTES_MAX;
    session->attachments[inbox->handle - 1] = inbox;
    core->n_attachments++;
    mark_ready(core, inbox);
}

static void send_attached(struct core *core, const struct session *session, const struct inbox *inbox)
{
    struct arena *arena = &core->batch;
    Carehub__V1__Attached *attached = arena_alloc(arena, sizeof *attached);
    Carehub__V1__ToClient *message = arena_alloc(arena, sizeof *message);
    carehub__v1__attached__init(attached);
    carehub__v1__to_client__init(message);
    attached->inbox = arena_strdup(arena, inbox->card->name);
    attached->handle = inbox->handle;
    attached->epoch = inbox->card->epoch;
    attached->n_lanes = LANES;
    attached->lanes = arena_alloc(arena, LANES * sizeof *attached->lanes);
    for (int lane = 0; lane < LANES; lane++) {
        Carehub__V1__LanePosition *position = attached->lanes[lane] = arena_alloc(arena, sizeof *position);
        carehub__v1__lane_position__init(position);
        position->lane = (Carehub__V1__Lane)lane;
        position->settled = inbox->lanes[lane].settled;
        position->next = inbox->lanes[lane].next;
    }
    message->message_case = CAREHUB__V1__TO_CLIENT__MESSAGE_ATTACHED;
    message->attached = attached;
    send_later(core, session->id, message);
}

void attach(struct core *core, struct session *session, const Carehub__V1__Attach *message)
{
    Error *error;
    struct inbox *inbox = registry_inbox_named(&core->registry, message->inbox);
    const struct client *client = registry_client(&core->registry, session->client);
    if (!inbox || inbox->card->closed || !client_speaks_for(client, inbox->card->actor)) {
        refuse(core, &error, ERROR_CODE(UNKNOWN_NAME), "inbox",
               "client %s speaks for no actor with an open inbox “%.*s”", client->card->name, NAME_MAX_BYTES,
               message->inbox);
        send_detached(core, session->id, 0, message->inbox, error);
        return;
    }
    if (free_handle(session) == 0 && inbox->session != session->id) {
        refuse(core, &error, ERROR_CODE(TOO_MANY), "inbox", "a session attaches at most %d inboxes", ATTACHMENTS_MAX);
        send_detached(core, session->id, 0, message->inbox, error);
        return;
    }
    if (inbox->session) {
        refuse(core, &error, ERROR_CODE(STALE_EPOCH), "", "client %s has attached to inbox %s", client->card->name,
               inbox->card->name);
        attachment_end(core, inbox, inbox->session == session->id ? NULL : error);
    }
    begin_attachment(core, session, inbox, message);
    send_attached(core, session, inbox);
}

/* The inbox that a session means by a handle, if the attachment is still the one of that epoch. Otherwise the session
 * is told, and what it said is not acted upon: a displaced receiver does no harm. */
static struct inbox *attached_inbox(struct core *core, struct session *session, uint32_t handle, uint64_t epoch)
{
    struct inbox *inbox = handle >= 1 && handle <= ATTACHMENTS_MAX ? session->attachments[handle - 1] : NULL;
    if (inbox && inbox->card->epoch == epoch)
        return inbox;
    Error *error;
    refuse(core, &error, inbox ? ERROR_CODE(STALE_EPOCH) : ERROR_CODE(NOT_ATTACHED), "handle",
           "this attachment is over; attach again to go on");
    send_detached(core, session->id, handle, "", error);
    return NULL;
}

void detach(struct core *core, struct session *session, const Carehub__V1__Detach *message)
{
    struct inbox *inbox = attached_inbox(core, session, message->handle, message->epoch);
    if (!inbox)
        return;
    attachment_end(core, inbox, NULL);
    send_detached(core, session->id, message->handle, inbox->card->name, NULL);
}

void add_credit(struct core *core, struct session *session, const Carehub__V1__Credit *message)
{
    struct inbox *inbox = attached_inbox(core, session, message->handle, message->epoch);
    if (!inbox)
        return;
    inbox->unheard_bytes = 0;
    inbox->credit_events += message->events;
    inbox->credit_bytes += message->bytes;
    if (inbox->credit_events > CREDIT_EVENTS_MAX)
        inbox->credit_events = CREDIT_EVENTS_MAX;
    if (inbox->credit_bytes > CREDIT_BYTES_MAX)
        inbox->credit_bytes = CREDIT_BYTES_MAX;
    mark_ready(core, inbox);
}

/* ---- Acknowledging -------------------------------------------------------------------------------------------------- */

enum { ACKED_RANGES_MAX = 1024 }; /* of one entry */

/* The entry of what the attached client has acknowledged in this batch. */
static void ack_flush(struct core *core, struct inbox *inbox)
{
    Carehub__V1__AckEntry what = CAREHUB__V1__ACK_ENTRY__INIT;
    Entry entry = CAREHUB__V1__ENTRY__INIT;
    what.inbox = inbox->number;
    what.n_ranges = inbox->n_acked;
    what.ranges = arena_alloc(&core->scratch, inbox->n_acked * sizeof *what.ranges);
    for (size_t r = 0; r < inbox->n_acked; r++)
        what.ranges[r] = &inbox->acked[r];
    entry.client = inbox->acked_by;
    entry.actor = inbox->card->actor;
    entry.what_case = CAREHUB__V1__ENTRY__WHAT_ACK;
    entry.ack = &what;
    uint64_t place = batch_append(core, &entry, NULL, NULL, 0);
    for (size_t r = 0; r < inbox->n_acked; r++)
        store_acked_put(core->store, inbox->number, (int)inbox->acked[r].lane, (int)inbox->acked[r].kind,
                        inbox->acked[r].to, place);
    inbox->n_acked = 0;
}

/* When the ends of a range were sent. */
static void sent_times(struct core *core, struct inbox *inbox, Carehub__V1__AckedRange *range)
{
    const struct lane *lane = &inbox->lanes[range->lane];
    uint64_t ends[] = {range->from, range->to};
    int64_t *times[] = {&range->first_sent_ms, &range->last_sent_ms};
    bool full;
    for (int i = 0; i < 2; i++) {
        const struct exception *exception = inbox_exception(inbox, (int)range->lane, ends[i]);
        const struct item *item = exception ? &exception->item
                                  : ends[i] > lane->settled
                                      ? inbox_item(inbox, core->store, (int)range->lane, ends[i], &full)
                                      : NULL;
        *times[i] = item ? item->sent_ms : 0;
    }
}

static void note(struct core *core, struct inbox *inbox, const Carehub__V1__AckRange *ack, uint64_t from, uint64_t to)
{
    Carehub__V1__AckedRange range = CAREHUB__V1__ACKED_RANGE__INIT;
    range.lane = ack->lane;
    range.kind = ack->kind;
    range.from = from;
    range.to = to;
    sent_times(core, inbox, &range);
    if (inbox->n_acked >= ACKED_RANGES_MAX)
        ack_flush(core, inbox);
    inbox_note_ack(inbox, &range);
    mark_touched(core, inbox);
    mark_ready(core, inbox); /* the window has moved */
}

/* One that was sent again, out of the order of the lane. */
static void acknowledge_retried(struct core *core, struct inbox *inbox, const Carehub__V1__AckRange *ack,
                                struct exception *retried)
{
    struct exception acked = {
        .lane = retried->lane, .number = retried->number, .state = CAREHUB__V1__EXCEPTION_CARD__STATE__ACKED};
    note(core, inbox, ack, acked.number, acked.number);
    core->counters.acks++;
    if (acked.number <= inbox->lanes[ack->lane].settled)
        inbox_exception_remove(inbox, core->store, retried);
    else
        inbox_except(inbox, core->store, &acked);
}

/* Of what was sent again those that the range means: all of them if it says where it begins. “Everything up to” may
 * well be said by a receiver that refused one and has not seen it again, so that leaves out what was refused. */
static void acknowledge_again(struct core *core, struct inbox *inbox, const Carehub__V1__AckRange *ack)
{
    for (size_t i = 0; i < inbox->n_exceptions && inbox->n_retry > 0;) {
        struct exception *exception = &inbox->exceptions[i];
        if (exception->in_flight && exception->lane == (int)ack->lane && exception->number >= ack->from &&
            exception->number <= ack->to && (ack->from || exception->attempts == 0))
            acknowledge_retried(core, inbox, ack, exception); /* it is gone from here, or no longer in flight */
        else
            i++;
    }
}

/* Only what was sent can be acknowledged. What left the order of the lane and waits, or is over, is left out. What is
 * settled can be acknowledged once more, as read. */
static void acknowledge_range(struct core *core, struct inbox *inbox, const Carehub__V1__AckRange *ack)
{
    const struct lane *lane = &inbox->lanes[ack->lane];
    uint64_t from = ack->from ? ack->from : lane->settled + 1;
    acknowledge_again(core, inbox, ack);
    if (ack->to > lane->sent || from > ack->to)
        return;
    if (from <= lane->settled && ack->kind == CAREHUB__V1__ACK_KIND__READ)
        note(core, inbox, ack, from, ack->to < lane->settled ? ack->to : lane->settled);
    while (from <= ack->to) {
        if (from <= lane->settled) {
            from = lane->settled + 1;
            continue;
        }
        uint64_t to = inbox_run(inbox, (int)ack->lane, from, ack->to);
        if (to >= from) {
            bool ahead = from > lane->settled + 1;
            if (ahead && !inbox_may_except(inbox, to - from + 1))
                return; /* too many out of order: they come again */
            note(core, inbox, ack, from, to);
            core->counters.acks += to - from + 1;
            inbox_settle(inbox, core->store, (int)ack->lane, from, to);
        }
        from = to + 2; /* behind the one that has an exception */
    }
}

void acknowledge(struct core *core, struct session *session, const Carehub__V1__Ack *message)
{
    struct inbox *inbox = attached_inbox(core, session, message->handle, message->epoch);
    if (!inbox)
        return;
    batch_open(core);
    if (inbox->n_acked > 0 && inbox->acked_by != session->client)
        ack_flush(core, inbox); /* what another client acknowledged before it was displaced is its own */
    inbox->acked_by = session->client;
    inbox->unheard_bytes = 0;
    mark_ready(core, inbox);
    for (size_t i = 0; i < message->n_ranges; i++)
        acknowledge_range(core, inbox, message->ranges[i]);
}

void acks_flush(struct core *core)
{
    for (size_t i = 0; i < core->n_touched; i++) {
        if (core->touched[i]->n_acked > 0)
            ack_flush(core, core->touched[i]);
        arena_reset(&core->scratch);
    }
}

/* ---- Refusing ------------------------------------------------------------------------------------------------------- */

static int64_t backoff_ms(uint32_t attempts)
{
    int64_t wait = RETRY_FIRST_MS;
    while (--attempts > 0 && wait < RETRY_LONGEST_MS)
        wait *= 2;
    return wait < RETRY_LONGEST_MS ? wait : RETRY_LONGEST_MS;
}

/* The code is the receiver's own: short, printable, and so never a payload. */
static void copy_code(char *to, const char *code)
{
    size_t n = 0;
    for (; n < NACK_CODE_MAX_BYTES && code[n]; n++)
        to[n] = code[n] > ' ' && code[n] <= '~' ? code[n] : '_';
    to[n] = '\0';
}

static void log_nack(struct core *core, const struct session *session, const struct inbox *inbox,
                     const struct exception *exception)
{
    Carehub__V1__Slot slot = CAREHUB__V1__SLOT__INIT;
    Carehub__V1__NackEntry what = CAREHUB__V1__NACK_ENTRY__INIT;
    Entry entry = CAREHUB__V1__ENTRY__INIT;
    slot.inbox = inbox->number;
    slot.lane = (Carehub__V1__Lane)exception->lane;
    slot.number = exception->number;
    what.slot = &slot;
    what.code = (char *)exception->code;
    what.attempts = exception->attempts;
    what.retry_at_ms = exception->state == CAREHUB__V1__EXCEPTION_CARD__STATE__RETRY ? exception->retry_at_ms : 0;
    what.event_place = exception->item.place;
    entry.client = session->client;
    entry.actor = inbox->card->actor;
    entry.what_case = CAREHUB__V1__ENTRY__WHAT_NACK;
    entry.nack = &what;
    uint64_t place = batch_append(core, &entry, NULL, NULL, 0);
    store_step_put(core->store, inbox->number, exception->lane, exception->number, place);
}

void refuse_delivery(struct core *core, struct session *session, const Carehub__V1__Nack *message)
{
    struct inbox *inbox = attached_inbox(core, session, message->handle, message->epoch);
    if (!inbox)
        return;
    const struct lane *lane = &inbox->lanes[message->lane];
    const struct exception *old = inbox_exception(inbox, (int)message->lane, message->number);
    bool full, again = old && old->state == CAREHUB__V1__EXCEPTION_CARD__STATE__RETRY && old->in_flight;
    if (!again && (old || message->number <= lane->settled || message->number > lane->sent))
        return; /* settled, or never sent */
    const struct item *item =
        again ? &old->item : inbox_item(inbox, core->store, (int)message->lane, message->number, &full);
    if (!item)
        return;
    struct exception refused = {.lane = (int)message->lane,
                                .number = message->number,
                                .item = *item,
                                .attempts = (again ? old->attempts : 0) + 1};
    refused.item.resent = true;
    bool dead = message->final || refused.attempts >= RETRY_ATTEMPTS_MAX;
    refused.state = dead ? CAREHUB__V1__EXCEPTION_CARD__STATE__DEAD : CAREHUB__V1__EXCEPTION_CARD__STATE__RETRY;
    refused.reason = message->final ? REASON(END_DEAD_REFUSED) : dead ? REASON(END_DEAD_RETRIES) : 0;
    refused.retry_at_ms = dead ? 0 : core->now_ms + backoff_ms(refused.attempts);
    copy_code(refused.code, message->code);
    if (!again && !inbox_may_except(inbox, 1))
        return; /* too many refused: it stays in flight, and comes again after a reconnect */
    batch_open(core);
    inbox_except(inbox, core->store, &refused);
    if (!dead && refused.retry_at_ms < core->next_retry_ms)
        core->next_retry_ms = refused.retry_at_ms;
    log_nack(core, session, inbox, &refused);
    mark_touched(core, inbox);
    mark_ready(core, inbox);
}
