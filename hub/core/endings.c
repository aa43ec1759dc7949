/* How deliveries end otherwise than by acknowledgement: withdrawn, expired, dead, refused by an operator; and what is
 * held until somebody decides. Each end is an entry of the log. */
#include "core_private.h"

#include <stdlib.h>

enum { FORGET_EVERY_MS = 60000, FORGET_AT_ONCE = 5000, DUE_AT_ONCE = 256 };

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
static void expire_lane(struct core *core, struct inbox *inbox, int which)
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
static void expire_retries(struct core *core, struct inbox *inbox)
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

/* What is held and comes to its end by itself: past its deadline, or because what it was held for has been solved.
 * Looked at in order, so many at a time; each once. */
struct due {
    struct core *core;
    uint64_t after_place;
    uint32_t after_actor;
    size_t n;
    struct {
        uint64_t place;
        uint32_t actor;
        bool release;
        bool for_room; /* it waits for room, which those before it may have taken */
    } found[DUE_AT_ONCE];
};

static bool has_room(struct core *core, uint32_t number)
{
    const struct actor *actor = registry_actor(&core->registry, number);
    for (size_t i = 0; i < actor->n_inboxes; i++)
        if (inbox_full(registry_inbox(&core->registry, actor->inboxes[i].inbox)))
            return false;
    return true;
}

/* Can it be decided now? What an operator has to change is looked at when something was changed. */
static bool solved(struct core *core, uint32_t number, const Carehub__V1__HeldCard *card)
{
    const struct actor *actor = registry_actor(&core->registry, number);
    bool changed = core->registry.changed_place > core->held_looked_place;
    switch (card->reason) {
    case REASON(INBOX_FULL):
        return has_room(core, number);
    case REASON(ACTOR_SUSPENDED):
        return changed && actor->card->standing != CAREHUB__V1__STANDING__SUSPENDED;
    case REASON(ROLE_UNKNOWN):
        return changed && policy_role(core->registry.policy, card->role) != POLICY_ROLE_UNKNOWN;
    case REASON(PERSONAL_WITHOUT_INBOX):
        return changed && actor->n_inboxes > 0;
    default:
        return false;
    }
}

static bool find_due(void *ctx, uint32_t actor, const struct card *row)
{
    struct due *due = ctx;
    if (row->number < due->after_place || (row->number == due->after_place && actor <= due->after_actor))
        return true;
    Carehub__V1__HeldCard *card = carehub__v1__held_card__unpack(NULL, row->size, row->body);
    bool over = card && card->deadline_ms <= due->core->now_ms; /* whatever has been solved since: ends come first */
    bool release = card && !over && solved(due->core, actor, card);
    if (release || over) {
        due->found[due->n].place = row->number;
        due->found[due->n].actor = actor;
        due->found[due->n].for_room = card->reason == REASON(INBOX_FULL);
        due->found[due->n++].release = release;
    }
    carehub__v1__held_card__free_unpacked(card, NULL);
    return due->n < DUE_AT_ONCE;
}

static void settle_due(struct core *core)
{
    struct due due = {.core = core};
    do {
        due.n = 0;
        if (core->n_held == 0 || store_held_each(core->store, &core->scratch, find_due, &due) != STORE_OK)
            break;
        for (size_t i = 0; i < due.n; i++) {
            due.after_place = due.found[i].place;
            due.after_actor = due.found[i].actor;
            if (!due.found[i].release || !due.found[i].for_room || has_room(core, due.after_actor))
                held_settle(core, due.after_place, due.after_actor, due.found[i].release, REASON(END_DEAD_HELD));
            arena_reset(&core->scratch);
        }
    } while (due.n == DUE_AT_ONCE);
    core->held_looked_place = core->registry.changed_place;
}

static bool entry_before(struct core *core, uint64_t place, int64_t at_ms)
{
    struct log_record record;
    enum store_result read = core->log->functions->read(core->log, place, &core->scratch, &record);
    arena_reset(&core->scratch);
    return read == STORE_NONE ? place <= core->pruned_place /* no longer kept */
                              : read != STORE_DAMAGED && record.at_ms < at_ms;
}

uint64_t place_from(struct core *core, int64_t at_ms)
{
    uint64_t low = 1, high = core->last_place + 1;
    while (low < high) {
        uint64_t middle = (low + high) / 2;
        if (entry_before(core, middle, at_ms))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Forgets ids of entries that are older than the window in which a repeat is recognised. From then on an event with an
 * id of that time is refused as too old, since it could be a repeat. Ids of younger entries are kept, however old the
 * ids themselves are. */
static void ids_forget(struct core *core)
{
    int64_t known_from_ms = core->now_ms - IDS_KEPT_MS;
    uint64_t young = place_from(core, known_from_ms);
    if (young == 1)
        return;
    batch_open(core);
    if (store_ids_forget(core->store, known_from_ms, young, FORGET_AT_ONCE) == 0)
        return;
    core->ids_known_from_ms = known_from_ms;
    store_number_put(core->store, "ids-known-from-ms", known_from_ms);
}

/* Events stop first; acknowledgements, withdrawals and revocations go on from what is left. */
static void look_at_disk(struct core *core)
{
    bool low = store_free_bytes(core->store) < core->disk_reserve_bytes;
    if (low != core->disk_low)
        say(low ? 2 : 5,
            low ? "less than %llu MB are free on the database's disk: no more events are taken. Make room"
                : "there is room again on the database's disk (over %llu MB): events are taken",
            (unsigned long long)(core->disk_reserve_bytes >> 20));
    core->disk_low = low;
}

void sweep(struct core *core)
{
    look_at_disk(core);
    if (core->clock_suspect)
        return;
    expire_due(core);
    for (size_t i = 0; i < core->registry.n_inboxes; i++) {
        for (int lane = 0; lane < LANES; lane++)
            expire_lane(core, core->registry.inboxes[i], lane);
        expire_retries(core, core->registry.inboxes[i]);
    }
    settle_due(core);
    if (core->now_ms >= core->next_forget_ms) {
        core->next_forget_ms = core->now_ms + FORGET_EVERY_MS;
        ids_forget(core);
    }
    arena_reset(&core->scratch);
}

/* ---- Held ------------------------------------------------------------------------------------------------------- */

static void held_put(struct core *core, uint64_t place, const Decision *decision, const struct later_mark *mark)
{
    Carehub__V1__HeldCard card = CAREHUB__V1__HELD_CARD__INIT;
    card.reason = decision->reason;
    card.deadline_ms = decision->deadline_ms;
    card.role = decision->role;
    card.decided = mark->place;
    card.cause = mark->cause;
    size_t size = carehub__v1__held_card__get_packed_size(&card);
    uint8_t *body = arena_alloc(&core->scratch, size);
    carehub__v1__held_card__pack(&card, body);
    store_held_put(core->store, place, decision->actor, body, size);
}

void held_add(struct core *core, uint64_t place, const Decision *decision, const struct later_mark *mark)
{
    held_put(core, place, decision, mark);
    core->n_held++;
}

static void only_notice(struct route_decision *decided)
{
    decided->reason = REASON(CORRECTION_NOTICE);
    decided->level = CAREHUB__V1__LEVEL__LEVEL_NONE;
    decided->ground = decided->consent = 0;
    decided->notice = true;
}

/* What is decided of something held: as it stands now, or that it is over. NULL: there is no such thing. */
static Entry *held_decide(struct core *core, uint64_t place, uint32_t actor, bool release, Carehub__V1__Reason end,
                          struct route_decision *decided, const Carehub__V1__HeldCard **held)
{
    struct card row;
    Entry *event = entry_read(core, place, &core->scratch);
    struct person *person = event ? person_deciding(core, event->patient) : NULL;
    if (!person || store_held_get(core->store, place, actor, &core->scratch, &row) != STORE_OK)
        return NULL;
    const Carehub__V1__HeldCard *card = carehub__v1__held_card__unpack(&core->scratch.protobuf, row.size, row.body);
    if (!card)
        return NULL;
    *held = card;
    *decided = (struct route_decision){.actor = actor, .outcome = OUTCOME(WITHHOLD), .reason = end};
    if (release && event_current(core, place) != place) {
        decided->reason = REASON(END_SUPERSEDED); /* what took its place went to the actor on its own account */
    } else if (release) {
        struct route_input input;
        struct route_original original;
        route_input_of(core, event, &input, &original);
        if (card->decided)
            route_input_later(&input);
        input.patient = person->card;
        route_one(&input, actor, decided);
        if (decided->outcome == OUTCOME(DELIVER) && !event_whole(core, event))
            only_notice(decided); /* it was held as one, and whatever it was entitled to since, that is all there is */
    }
    return event;
}

bool held_may_settle(struct core *core, uint64_t place, uint32_t actor, bool release, Error **error)
{
    struct route_decision decided;
    const Carehub__V1__HeldCard *held;
    if (!held_decide(core, place, actor, release, REASON(END_REFUSED_BY_OPERATOR), &decided, &held))
        return refuse(core, error, ERROR_CODE(UNKNOWN_NAME), "place", "nothing of this event is held for this actor");
    if (decided.outcome == OUTCOME(HOLD))
        return refuse(core, error, ERROR_CODE(INVALID), "actor", "it still cannot be decided: %s",
                      reason_text(decided.reason));
    return true;
}

bool held_settle(struct core *core, uint64_t place, uint32_t actor, bool release, Carehub__V1__Reason end)
{
    struct route_decision decided;
    const Carehub__V1__HeldCard *held;
    batch_open(core);
    Entry *event = held_decide(core, place, actor, release, end, &decided, &held);
    if (!event)
        return false;
    const struct later_mark mark = {held->decided, held->cause};
    bool still = decided.outcome == OUTCOME(HOLD) && held->deadline_ms > core->now_ms;
    if (decided.outcome == OUTCOME(HOLD) && !still)
        decided = (struct route_decision){.actor = actor, .outcome = OUTCOME(WITHHOLD), .reason = end};
    Carehub__V1__HeldEntry what = CAREHUB__V1__HELD_ENTRY__INIT;
    Entry entry = CAREHUB__V1__ENTRY__INIT;
    what.event_place = place;
    what.decision = decision_entry(core, &decided, place, lane_of(event->event->urgency), &mark);
    if (still)
        what.decision->deadline_ms = held->deadline_ms;
    entry.actor = actor;
    entry.patient = event->patient;
    entry.what_case = CAREHUB__V1__ENTRY__WHAT_HELD;
    entry.held = &what;
    uint64_t at = batch_append(core, &entry, NULL, NULL, 0);
    store_step_put(core->store, 0, STEP_LANE_HELD, place, at);
    if (still) { /* for another reason now */
        held_put(core, place, what.decision, &mark);
        return true;
    }
    store_held_remove(core->store, place, actor);
    core->n_held--;
    return true;
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
