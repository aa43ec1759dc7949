/* How deliveries end otherwise than by acknowledgement: withdrawn, expired, dead, with their inbox. Each end is an
 * entry of the log. */
#include "core_private.h"

/* ---- Ends ------------------------------------------------------------------------------------------------------- */

static void log_end(struct core *core, const struct inbox *inbox, int lane, uint64_t from, uint64_t to,
                    const struct ending *ending)
{
    Carehub__V1__EndEntry what = CAREHUB__V1__END_ENTRY__INIT;
    Entry entry = CAREHUB__V1__ENTRY__INIT;
    what.inbox = inbox->number;
    what.lane = (Carehub__V1__Lane)lane;
    what.from = from;
    what.to = to;
    what.end = ending->end;
    what.why = ending->why;
    what.event_place = ending->place;
    what.was_sent = ending->was_sent;
    entry.actor = inbox->card->actor;
    entry.patient = ending->patient;
    entry.what_case = CAREHUB__V1__ENTRY__WHAT_END;
    entry.end = &what;
    uint64_t place = batch_append(core, &entry, NULL, NULL, 0);
    store_step_put(core->store, inbox->number, lane, to, place);
}

void end_later(struct core *core, const struct ending *ending)
{
    GROW(core->endings, core->n_endings, core->endings_capacity);
    core->endings[core->n_endings++] = *ending;
}

static void skip_later(struct core *core, const struct inbox *inbox, int lane, uint64_t from, uint64_t to)
{
    Carehub__V1__Skip *skip = arena_alloc(&core->batch, sizeof *skip);
    Carehub__V1__ToClient *message = arena_alloc(&core->batch, sizeof *message);
    carehub__v1__skip__init(skip);
    carehub__v1__to_client__init(message);
    skip->handle = inbox->handle;
    skip->epoch = inbox->card->epoch;
    skip->lane = (Carehub__V1__Lane)lane;
    skip->from = from;
    skip->to = to;
    message->message_case = CAREHUB__V1__TO_CLIENT__MESSAGE_SKIP;
    message->skip = skip;
    send_later(core, inbox->session, message);
}

/* Ends one; the receiver is told by a Skip when its turn in the lane comes. */
static void end_one(struct core *core, const struct ending *ending)
{
    struct inbox *inbox = ending->inbox;
    struct exception *exception = inbox_exception(inbox, ending->lane, ending->number);
    bool was_sent = ending->number <= inbox->lanes[ending->lane].sent; /* others are announced in their turn */
    inbox->lanes[ending->lane].ending = false;
    if (inbox->card->closed)
        return; /* everything in it has ended already */
    log_end(core, inbox, ending->lane, ending->number, ending->number, ending);
    if (exception && ending->number <= inbox->lanes[ending->lane].settled) {
        inbox_exception_remove(inbox, core->store, exception);
    } else {
        struct exception over = {
            .lane = ending->lane, .number = ending->number, .state = CAREHUB__V1__EXCEPTION_CARD__STATE__ACKED};
        inbox_except(inbox, core->store, &over);
    }
    if (inbox->session && was_sent)
        skip_later(core, inbox, ending->lane, ending->number, ending->number);
    mark_touched(core, inbox);
    mark_ready(core, inbox);
}

void endings_take(struct core *core)
{
    for (size_t i = 0; i < core->n_endings; i++)
        end_one(core, &core->endings[i]);
    core->n_endings = 0;
    arena_reset(&core->scratch);
}

/* Logs the end of everything that waits in a lane. What has an exception is over, unless it waits to be sent again. */
static void end_lane(struct core *core, const struct inbox *inbox, int which, struct ending *ending)
{
    uint64_t from = inbox->lanes[which].settled + 1, last = inbox->lanes[which].next - 1;
    while (from <= last) {
        uint64_t to = inbox_run(inbox, which, from, last);
        if (to >= from)
            log_end(core, inbox, which, from, to, ending);
        from = to + 2; /* behind the one that has an exception */
    }
    for (size_t i = 0; i < inbox->n_exceptions; i++) {
        const struct exception *exception = &inbox->exceptions[i];
        if (exception->lane == which && exception->state == CAREHUB__V1__EXCEPTION_CARD__STATE__RETRY)
            log_end(core, inbox, which, exception->number, exception->number, ending);
    }
}

void inbox_close(struct core *core, struct inbox *inbox)
{
    if (inbox->session) {
        Error *error;
        refuse(core, &error, ERROR_CODE(UNKNOWN_NAME), "inbox", "inbox %s has been closed", inbox->card->name);
        attachment_end(core, inbox, error);
    }
    struct ending closed = {.end = REASON(END_INBOX_CLOSED)};
    for (int lane = 0; lane < LANES; lane++) {
        uint64_t from = inbox->lanes[lane].settled + 1, to = inbox->lanes[lane].next - 1;
        end_lane(core, inbox, lane, &closed);
        if (from <= to)
            inbox_settle(inbox, core->store, lane, from, to);
    }
    while (inbox->n_exceptions > 0)
        inbox_exception_remove(inbox, core->store, &inbox->exceptions[inbox->n_exceptions - 1]);
    mark_touched(core, inbox);
}

uint32_t in_flight_of(struct core *core, uint64_t patient)
{
    uint32_t n = 0;
    bool full;
    for (size_t i = 0; i < core->registry.n_inboxes; i++) {
        struct inbox *inbox = core->registry.inboxes[i];
        for (int lane = 0; inbox->session && lane < LANES; lane++) {
            for (uint64_t number = inbox->lanes[lane].settled + 1; number <= inbox->lanes[lane].sent; number++) {
                const struct item *item =
                    inbox_exception(inbox, lane, number) ? NULL : inbox_item(inbox, core->store, lane, number, &full);
                const struct event_memory *event = item ? event_get(core, item->place) : NULL;
                n += event && persons_survivor(&core->persons, event->patient, core->now_ms) == patient;
            }
        }
        for (size_t e = 0; e < inbox->n_exceptions && inbox->n_retry > 0; e++) {
            const struct event_memory *event =
                inbox->exceptions[e].in_flight ? event_get(core, inbox->exceptions[e].item.place) : NULL;
            n += event && persons_survivor(&core->persons, event->patient, core->now_ms) == patient;
        }
        events_trim(core);
    }
    return n;
}

/* ---- Expiry ----------------------------------------------------------------------------------------------------- */

static int64_t time_to_live_ms(const struct inbox *inbox)
{
    return inbox->card->time_to_live_ms ? (int64_t)inbox->card->time_to_live_ms : DELIVERY_TIME_TO_LIVE_MS;
}

/* When it was decided that there is such a delivery; 0: that entry cannot be read. */
static int64_t received_ms(struct core *core, const struct item *item)
{
    struct log_record record;
    enum store_result read = core->log->functions->read(core->log, item_decided(item), &core->scratch, &record);
    arena_reset(&core->scratch);
    return read == STORE_OK || read == STORE_ERASED ? record.at_ms : 0;
}

/* The places of the decisions only grow in a lane, and so do their times: what has expired is at its head. */
void expire_lane(struct core *core, struct inbox *inbox, int which)
{
    struct lane *lane = &inbox->lanes[which];
    uint64_t first = lane->settled + 1, last = lane->settled, end = lane->next - lane->n_fresh;
    bool full;
    if (first >= end || (lane->head == first && core->now_ms < lane->head_expires_ms))
        return;
    while (last + 1 < end && !inbox_exception(inbox, which, last + 1)) {
        const struct item *item = inbox_item(inbox, core->store, which, last + 1, &full);
        lane->head = last + 1;
        lane->head_expires_ms = item ? received_ms(core, item) + time_to_live_ms(inbox) : INT64_MAX;
        if (lane->head_expires_ms > core->now_ms)
            break;
        last++;
    }
    if (last < first)
        return;
    batch_open(core);
    struct ending ending = {.end = REASON(END_EXPIRED), .was_sent = lane->sent >= first};
    log_end(core, inbox, which, first, last, &ending);
    if (inbox->session && first <= lane->sent) /* the rest is announced in its turn */
        skip_later(core, inbox, which, first, last < lane->sent ? last : lane->sent);
    inbox_settle(inbox, core->store, which, first, last);
    mark_touched(core, inbox);
    mark_ready(core, inbox);
}

/* What was refused and waits to be sent again expires too, however long its receiver stays away. */
void expire_retries(struct core *core, struct inbox *inbox)
{
    for (size_t i = 0; i < inbox->n_exceptions && inbox->n_retry > 0; i++) {
        struct exception *exception = &inbox->exceptions[i];
        if (exception->state != CAREHUB__V1__EXCEPTION_CARD__STATE__RETRY)
            continue;
        if (!exception->received_ms)
            exception->received_ms = received_ms(core, &exception->item);
        struct ending ending = {.inbox = inbox,
                                .lane = exception->lane,
                                .number = exception->number,
                                .place = exception->item.place,
                                .end = REASON(END_EXPIRED),
                                .was_sent = true};
        if (exception->received_ms + time_to_live_ms(inbox) <= core->now_ms)
            end_later(core, &ending);
    }
    if (core->n_endings > 0) {
        batch_open(core);
        endings_take(core);
    }
}

/* ---- Dead letters ----------------------------------------------------------------------------------------------- */

static bool wanted(const Carehub__V1__DeadRetried *fact, uint64_t place)
{
    for (size_t i = 0; i < fact->n_places; i++)
        if (fact->places[i] == place)
            return true;
    return fact->n_places == 0;
}

/* A dead delivery gets a new number at the end of its lane; the old one is over for good. */
static void retry_one(struct core *core, struct inbox *inbox, struct exception *dead)
{
    Carehub__V1__Slot before = CAREHUB__V1__SLOT__INIT, after = CAREHUB__V1__SLOT__INIT;
    Carehub__V1__RetryEntry what = CAREHUB__V1__RETRY_ENTRY__INIT;
    Entry entry = CAREHUB__V1__ENTRY__INIT;
    struct item item = dead->item;
    item.resent = false;
    item.sent_ms = 0;
    before.inbox = after.inbox = inbox->number;
    before.lane = after.lane = (Carehub__V1__Lane)dead->lane;
    before.number = dead->number;
    after.number = inbox_add(inbox, dead->lane, item);
    what.inbox = inbox->number;
    what.old_slot = &before;
    what.new_slot = &after;
    what.event_place = item.place;
    what.level = (Carehub__V1__Level)item.level;
    entry.actor = inbox->card->actor;
    entry.what_case = CAREHUB__V1__ENTRY__WHAT_RETRY;
    entry.retry = &what;
    uint64_t place = batch_append(core, &entry, NULL, NULL, 0);
    store_step_put(core->store, inbox->number, dead->lane, dead->number, place);
    struct exception over = {
        .lane = dead->lane, .number = dead->number, .state = CAREHUB__V1__EXCEPTION_CARD__STATE__ACKED};
    if (dead->number <= inbox->lanes[dead->lane].settled)
        inbox_exception_remove(inbox, core->store, dead);
    else /* or it would be in the lane's order again */
        inbox_except(inbox, core->store, &over);
}

void dead_retry(struct core *core, const Carehub__V1__DeadRetried *fact)
{
    struct inbox *inbox = registry_inbox_named(&core->registry, fact->inbox);
    for (size_t i = 0; i < inbox->n_exceptions;) {
        struct exception *exception = &inbox->exceptions[i];
        if (exception->state == CAREHUB__V1__EXCEPTION_CARD__STATE__DEAD && wanted(fact, exception->item.place))
            retry_one(core, inbox, exception);
        else
            i++;
    }
    mark_touched(core, inbox);
    mark_ready(core, inbox);
}
