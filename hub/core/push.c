/* Deliveries go out: in lane order, as far as credit reaches, each looked at once more before it leaves. */
#include "core_private.h"

#include <stdlib.h>

#include "keeping/keeping.h"
#include "later/later.h"
#include "pbcheck.h"

enum { EVENTS_MEMORY_BYTES = 96 << 20, FRAMES_PER_TURN = 8 };

/* ---- Recent events --------------------------------------------------------------------------------------------------- */

static void event_free(struct event_memory *event)
{
    for (size_t i = 0; i < event->facets.n_addressees; i++)
        carehub__v1__addressee__free_unpacked(event->facets.addressees[i], NULL);
    free(event->facets.addressees);
    for (int i = 0; i < 4; i++)
        free(event->views[i].bytes);
    free(event->bytes);
    free(event);
}

void events_forget(struct core *core)
{
    for (struct event_memory *event = core->oldest_event, *newer; event; event = newer) {
        newer = event->newer;
        event_free(event);
    }
    core->oldest_event = core->newest_event = NULL;
    core->events_bytes = 0;
    u64map_fini(&core->events);
}

void events_forget_after(struct core *core, uint64_t place)
{
    struct event_memory **link = &core->oldest_event, *event;
    core->newest_event = NULL;
    while ((event = *link)) {
        if (event->place <= place) {
            core->newest_event = event;
            link = &event->newer;
            continue;
        }
        *link = event->newer;
        u64map_remove(&core->events, event->place);
        core->events_bytes -= event->size + sizeof *event;
        event_free(event);
    }
}

/* First in, first out: receivers that keep up all want the same recent ones. Not while a frame that is being filled
 * borrows their bytes. */
void events_trim(struct core *core)
{
    while (core->events_bytes > EVENTS_MEMORY_BYTES && core->oldest_event != core->newest_event) {
        struct event_memory *oldest = core->oldest_event;
        core->oldest_event = oldest->newer;
        u64map_remove(&core->events, oldest->place);
        core->events_bytes -= oldest->size + sizeof *oldest;
        event_free(oldest);
    }
}

static struct event_memory *remember(struct core *core, const Entry *entry, const uint8_t *bytes, size_t size)
{
    struct event_memory *event = xcalloc(1, sizeof *event);
    event->place = entry->place;
    event->patient = entry->patient;
    event->publisher = entry->actor;
    event->received_ms = entry->event->received_ms;
    event->size = size;
    event->bytes = xcalloc(1, size);
    memcpy(event->bytes, bytes, size);
    event->facets = *entry->event;
    event->facets.id = event->facets.digest = (ProtobufCBinaryData){0, NULL};
    event->facets.n_decisions = 0;
    event->facets.decisions = NULL;
    event->facets.addressees = NULL;
    if (event->facets.n_addressees > 0)
        event->facets.addressees = xcalloc(event->facets.n_addressees, sizeof *event->facets.addressees);
    for (size_t i = 0; i < event->facets.n_addressees; i++)
        event->facets.addressees[i] = message_copy(entry->event->addressees[i]);
    u64map_set(&core->events, event->place, event);
    *(core->newest_event ? &core->newest_event->newer : &core->oldest_event) = event;
    core->newest_event = event;
    core->events_bytes += size + sizeof *event;
    return event;
}

void event_remember(struct core *core, const Entry *entry, const uint8_t *bytes, size_t size)
{
    remember(core, entry, bytes, size);
}

struct event_memory *event_get(struct core *core, uint64_t place)
{
    struct event_memory *event = u64map_get(&core->events, place);
    if (event)
        return event;
    const uint8_t *bytes;
    size_t size;
    Entry *entry = entry_read_payload(core, place, &core->scratch, &bytes, &size);
    if (!entry || entry->what_case != CAREHUB__V1__ENTRY__WHAT_EVENT)
        return NULL;
    return remember(core, entry, bytes, size);
}

size_t event_notice(const Carehub__V1__Event *event, uint8_t *out, size_t size)
{
    Carehub__V1__Event notice = CAREHUB__V1__EVENT__INIT;
    Carehub__V1__Author author = CAREHUB__V1__AUTHOR__INIT;
    author.actor = event->author ? event->author->actor : author.actor;
    notice.id = event->id;
    notice.type = event->type;
    notice.author = &author;
    notice.amends = event->amends;
    notice.retracts = event->retracts;
    if (carehub__v1__event__get_packed_size(&notice) > size)
        return 0;
    return carehub__v1__event__pack(&notice, out);
}

/* The bytes that a receiver gets of an event: the whole, a view of it, or a notice. */
static bool view(struct event_memory *event, const struct item *item, ProtobufCBinaryData *bytes)
{
    int level = item->notice ? 0 : item->level;
    if (level >= (int)CAREHUB__V1__LEVEL__LEVEL_CLINICAL) {
        *bytes = (ProtobufCBinaryData){event->size, event->bytes};
        return true;
    }
    if (!event->views[level].bytes) {
        uint8_t *cut = xcalloc(1, event->size + 1);
        ptrdiff_t size;
        if (level == 0) {
            Carehub__V1__Event *whole = carehub__v1__event__unpack(NULL, event->size, event->bytes);
            size = whole ? (ptrdiff_t)event_notice(whole, cut, event->size) : -1;
            carehub__v1__event__free_unpacked(whole, NULL);
        } else {
            size = event_view(event->bytes, event->size, (Carehub__V1__Level)level, cut);
        }
        if (size <= 0) {
            free(cut);
            return false;
        }
        event->views[level].bytes = cut;
        event->views[level].size = (size_t)size;
    }
    *bytes = (ProtobufCBinaryData){event->views[level].size, event->views[level].bytes};
    return true;
}

/* ---- Waiting for another ----------------------------------------------------------------------------------------- */

/* A correction of something that this inbox refused and will be sent again waits for it. */
static bool waits_for_original(const struct inbox *inbox, const struct event_memory *event, int64_t *until_ms)
{
    uint64_t original = event->facets.amends ? event->facets.amends : event->facets.retracts;
    for (size_t i = 0; original && i < inbox->n_exceptions; i++) {
        const struct exception *exception = &inbox->exceptions[i];
        if (exception->item.place == original && exception->state == CAREHUB__V1__EXCEPTION_CARD__STATE__RETRY) {
            *until_ms = exception->retry_at_ms;
            return true;
        }
    }
    return false;
}

/* ---- Frames ---------------------------------------------------------------------------------------------------------------- */

struct frame {
    struct core *core;
    struct inbox *inbox;
    size_t n, bytes;
    size_t unheard_max; /* a hung receiver must not fill the room that all share */
    int turns;
    Carehub__V1__Delivery deliveries[FRAME_MAX_DELIVERIES];
    Carehub__V1__Delivery *pointers[FRAME_MAX_DELIVERIES];
};

static void frame_send(struct frame *frame)
{
    if (frame->n == 0)
        return;
    Carehub__V1__Deliver deliver = CAREHUB__V1__DELIVER__INIT;
    Carehub__V1__ToClient message = CAREHUB__V1__TO_CLIENT__INIT;
    deliver.handle = frame->inbox->handle;
    deliver.epoch = frame->inbox->card->epoch;
    deliver.n_deliveries = frame->n;
    deliver.deliveries = frame->pointers;
    message.message_case = CAREHUB__V1__TO_CLIENT__MESSAGE_DELIVER;
    message.deliver = &deliver;
    frame->core->output.send(frame->core->output.ctx, frame->inbox->session, &message);
    frame->core->counters.deliveries += frame->n;
    frame->n = frame->bytes = 0;
    frame->turns++;
    events_trim(frame->core);
}

static void send_skip(struct core *core, const struct inbox *inbox, int lane, uint64_t from, uint64_t to)
{
    Carehub__V1__Skip skip = CAREHUB__V1__SKIP__INIT;
    Carehub__V1__ToClient message = CAREHUB__V1__TO_CLIENT__INIT;
    skip.handle = inbox->handle;
    skip.epoch = inbox->card->epoch;
    skip.lane = (Carehub__V1__Lane)lane;
    skip.from = from;
    skip.to = to;
    message.message_case = CAREHUB__V1__TO_CLIENT__MESSAGE_SKIP;
    message.skip = &skip;
    core->output.send(core->output.ctx, inbox->session, &message);
}

static bool frame_may_go_on(const struct frame *frame)
{
    return frame->inbox->credit_events > 0 && frame->inbox->credit_bytes > 0 && frame->turns < FRAMES_PER_TURN &&
           frame->inbox->unheard_bytes < frame->unheard_max;
}

static void frame_add(struct frame *frame, const struct event_memory *event, struct item *item, int lane,
                      uint64_t number, uint32_t attempts, const ProtobufCBinaryData *bytes)
{
    Carehub__V1__Delivery *delivery = &frame->deliveries[frame->n];
    carehub__v1__delivery__init(delivery);
    frame->pointers[frame->n++] = delivery;
    delivery->lane = (Carehub__V1__Lane)lane;
    delivery->number = number;
    delivery->place = item->place;
    delivery->decided_through = frame->core->committed_place;
    delivery->level = item->notice ? CAREHUB__V1__LEVEL__LEVEL_NONE : (Carehub__V1__Level)item->level;
    delivery->attempt = attempts + 1 + (attempts == 0 && item->resent);
    delivery->notice = item->notice;
    delivery->event = *bytes;
    delivery->received_ms = event->received_ms;
    delivery->cause = (Carehub__V1__Cause)item->cause;
    if (item->cause == CAREHUB__V1__CAUSE__ESCALATION)
        delivery->instead_of = (char *)later_instead_of(frame->core, item->decided);
    const Entry *verified =
        event->facets.unverified ? event_verified(frame->core, item->place, frame->core->committed_place) : NULL;
    if (verified)
        delivery->verified_by = verified->fact->fact->event_verified->actor_name;
    item->sent_ms = frame->core->now_ms;
    frame->bytes += bytes->len;
    frame->inbox->credit_events--;
    frame->inbox->credit_bytes -= (int64_t)bytes->len;
    frame->inbox->unheard_bytes += bytes->len;
    if (frame->n == FRAME_MAX_DELIVERIES || frame->bytes >= DELIVER_FRAME_MAX_BYTES)
        frame_send(frame);
}

/* ---- Lanes ------------------------------------------------------------------------------------------------------------------ */

enum step { STEP_ON, STEP_END, STEP_WAIT };

static void end_number(struct frame *frame, int lane, uint64_t number, const struct item *item, uint64_t patient,
                       Carehub__V1__Reason end, Carehub__V1__Reason why)
{
    struct ending ending = {.inbox = frame->inbox,
                            .lane = lane,
                            .number = number,
                            .place = item->place,
                            .patient = patient,
                            .end = end,
                            .why = why,
                            .was_sent = item->resent || item->sent_ms};
    end_later(frame->core, &ending);
}

/* Looks at one delivery and sends it, or leaves it to be ended, or to wait. */
static enum step push_item(struct frame *frame, int which, uint64_t number, struct item *item, uint32_t attempts)
{
    struct core *core = frame->core;
    struct lane *lane = &frame->inbox->lanes[which];
    struct event_memory *event = event_get(core, item->place);
    ProtobufCBinaryData bytes;
    Carehub__V1__Reason why = 0;
    Carehub__V1__Reason gone = event ? REASON(REASON_UNSPECIFIED) : event_gone(core, item->place);
    if (gone) {
        end_number(frame, which, number, item, 0, gone, REASON(REASON_UNSPECIFIED));
        lane->ending = true;
        return STEP_END;
    }
    enum verdict verdict = event ? reconsider(core, frame->inbox, event, item, &why) : WAIT;
    if (verdict == WAIT) {
        core->any_blocked = true;
        return STEP_WAIT;
    }
    if (verdict == END || !view(event, item, &bytes)) {
        end_number(frame, which, number, item, event->patient, REASON(END_WITHDRAWN),
                   verdict == END ? why : REASON(DECISION_FAILED));
        lane->ending = true;
        return STEP_END;
    }
    frame_add(frame, event, item, which, number, attempts, &bytes);
    return STEP_ON;
}

/* Steps aside for the original: the correction becomes one that is to be sent again. */
static bool put_aside(struct frame *frame, int which, uint64_t number, const struct item *item)
{
    struct event_memory *event = event_get(frame->core, item->place);
    struct exception aside = {
        .lane = which, .number = number, .item = *item, .state = CAREHUB__V1__EXCEPTION_CARD__STATE__RETRY};
    if (!event || !waits_for_original(frame->inbox, event, &aside.retry_at_ms) || !inbox_may_except(frame->inbox, 1))
        return false;
    batch_open(frame->core);
    mark_touched(frame->core, frame->inbox);
    inbox_except(frame->inbox, frame->core->store, &aside);
    if (aside.retry_at_ms < frame->core->next_retry_ms)
        frame->core->next_retry_ms = aside.retry_at_ms;
    return true;
}

/* The cursor went over these before their turn came: they ended, or were refused and go their own way. */
static void announce_ended(struct frame *frame, int which)
{
    struct lane *lane = &frame->inbox->lanes[which];
    while (lane->sent < lane->settled) {
        uint64_t from = lane->sent + 1, to = inbox_run(frame->inbox, which, from, lane->settled);
        const struct exception *apart = to < from ? inbox_exception(frame->inbox, which, from) : NULL;
        if (apart)
            to = from;
        if (!apart || apart->state != CAREHUB__V1__EXCEPTION_CARD__STATE__RETRY) {
            frame_send(frame);
            send_skip(frame->core, frame->inbox, which, from, to);
        }
        lane->sent = to;
    }
}

static void push_lane(struct frame *frame, int which)
{
    struct core *core = frame->core;
    struct inbox *inbox = frame->inbox;
    struct lane *lane = &inbox->lanes[which];
    if (lane->ending || (lane->blocked_on && lane->blocked_on >= core->last_place))
        return;
    lane->blocked_on = 0;
    announce_ended(frame, which);
    while (lane->sent + 1 < lane->next && lane->sent + 1 < lane->next - lane->n_fresh && frame_may_go_on(frame)) {
        uint64_t number = lane->sent + 1;
        const struct exception *exception = inbox_exception(inbox, which, number);
        if (exception) { /* over, or goes its own way: the receiver need not wait for it here */
            if (exception->state != CAREHUB__V1__EXCEPTION_CARD__STATE__RETRY) {
                frame_send(frame);
                send_skip(core, inbox, which, number, number);
            }
            lane->sent = number;
            continue;
        }
        bool full;
        struct item *item = inbox_item(inbox, core->store, which, number, &full);
        if (!item) {
            if (!full) {
                say(2, "inbox %s: what waits from number %llu of lane %d on is damaged; nothing more is sent of it",
                    inbox->card->name, (unsigned long long)number, which);
                lane->blocked_on = UINT64_MAX;
            }
            return;
        }
        if (inbox->n_retry > 0 && put_aside(frame, which, number, item)) {
            lane->sent = lane->sent > number ? lane->sent : number;
            announce_ended(frame, which); /* the cursor may have gone over it, and over others behind it */
            continue;
        }
        enum step step = push_item(frame, which, number, item, 0);
        if (step == STEP_WAIT)
            lane->blocked_on = core->last_place;
        if (step != STEP_ON)
            return;
        lane->sent = number;
    }
}

/* Sends one that is due again, or puts it off once more. False: it is left as it is. */
static bool retry_push(struct frame *frame, struct exception *exception)
{
    int64_t until_ms, now_ms = frame->core->now_ms;
    if (frame->inbox->lanes[exception->lane].ending || !frame_may_go_on(frame))
        return false;
    struct event_memory *event = event_get(frame->core, exception->item.place);
    if (event && waits_for_original(frame->inbox, event, &until_ms)) {
        exception->retry_at_ms = until_ms > now_ms ? until_ms : now_ms + RETRY_FIRST_MS;
        return true;
    }
    exception->in_flight =
        push_item(frame, exception->lane, exception->number, &exception->item, exception->attempts) == STEP_ON;
    return exception->in_flight;
}

/* What was refused, and is due again. */
static void push_retries(struct frame *frame)
{
    struct inbox *inbox = frame->inbox;
    int64_t now_ms = frame->core->now_ms, next_ms = INT64_MAX;
    bool left = false; /* something that is due has to wait for credit, or for a change: that makes the inbox ready */
    if (inbox->n_retry == 0 || inbox->next_retry_ms > now_ms)
        return;
    for (size_t i = 0; i < inbox->n_exceptions; i++) {
        struct exception *exception = &inbox->exceptions[i];
        if (exception->state != CAREHUB__V1__EXCEPTION_CARD__STATE__RETRY || exception->in_flight)
            continue;
        if (exception->retry_at_ms <= now_ms && !retry_push(frame, exception))
            left = true;
        if (exception->retry_at_ms > now_ms && exception->retry_at_ms < next_ms)
            next_ms = exception->retry_at_ms;
    }
    inbox->next_retry_ms = left ? 0 : next_ms;
    if (next_ms < frame->core->next_retry_ms)
        frame->core->next_retry_ms = next_ms;
}

static bool has_more(const struct frame *frame)
{
    if (frame->inbox->credit_events <= 0 || frame->inbox->credit_bytes <= 0)
        return false;
    return frame->turns >= FRAMES_PER_TURN; /* it stopped for the others' sake */
}

void push_all(struct core *core)
{
    struct frame frame = {.core = core};
    size_t n = core->n_ready, kept = 0;
    if (core->now_ms >= core->next_retry_ms) {
        core->next_retry_ms = INT64_MAX;
        for (size_t i = 0; i < core->registry.n_inboxes; i++)
            if (core->registry.inboxes[i]->n_retry > 0)
                mark_ready(core, core->registry.inboxes[i]);
        n = core->n_ready;
    }
    for (size_t i = 0; i < n; i++) {
        struct inbox *inbox = core->ready[i];
        inbox->ready = false;
        if (inbox->session == 0)
            continue;
        size_t room = core->output.room(core->output.ctx);
        if (room > DELIVER_FRAME_MAX_BYTES) {
            frame.inbox = inbox;
            frame.turns = 0;
            frame.unheard_max = room / UNHEARD_SHARE;
            push_retries(&frame);
            push_lane(&frame, CAREHUB__V1__LANE__LANE_IMMEDIATE);
            push_lane(&frame, CAREHUB__V1__LANE__LANE_ORDINARY);
            frame_send(&frame);
            if (!has_more(&frame))
                continue;
        }
        inbox->ready = true;
        core->ready[kept++] = inbox;
    }
    for (size_t i = n; i < core->n_ready; i++) /* became ready meanwhile */
        core->ready[kept++] = core->ready[i];
    core->n_ready = kept;
    events_trim(core);
    arena_reset(&core->scratch);
}
