/* What became of an event: received, confirmed, decided for each candidate, delivered, acknowledged, with times. All of
 * it is read back from the log. */
#include "core/core_private.h"

#include "eventid.h"
#include "keeping/index.h"
#include "later/later.h"
#include "query.h"

enum { STEPS_MAX = 64, LINES_MAX = 4096 };

#define STEP(name) CAREHUB__V1__TRACE_LINE__STEP__##name

Carehub__V1__TraceLine *trace_line(struct core *core, const Entry *entry, Carehub__V1__TraceLine__Step step,
                                   int64_t at_ms)
{
    struct arena *arena = &core->batch;
    Carehub__V1__TraceLine *line = arena_alloc(arena, sizeof *line);
    carehub__v1__trace_line__init(line);
    const struct client *client = registry_client(&core->registry, entry->client);
    const struct actor *publisher = registry_actor(&core->registry, entry->actor);
    line->step = step;
    line->at_ms = at_ms;
    line->place = entry->place;
    line->patient = entry->patient;
    line->client = arena_strdup(arena, client ? client->card->name : "");
    line->publisher = arena_strdup(arena, publisher ? publisher->card->name : "");
    if (entry->what_case == CAREHUB__V1__ENTRY__WHAT_EVENT) {
        line->type = entry->event->type;
        line->unverified = step == STEP(RECEIVED) && entry->event->unverified;
        line->event_id =
            (ProtobufCBinaryData){entry->event->id.len, arena_copy(arena, entry->event->id.data, entry->event->id.len)};
    } else if (entry->what_case == CAREHUB__V1__ENTRY__WHAT_NOT_KEPT) {
        line->event_id = (ProtobufCBinaryData){entry->not_kept->id.len,
                                               arena_copy(arena, entry->not_kept->id.data, entry->not_kept->id.len)};
    }
    return line;
}

static Carehub__V1__TraceLine *add(Carehub__V1__TraceAnswer *answer, Carehub__V1__TraceLine *line)
{
    if (answer->n_lines < LINES_MAX)
        answer->lines[answer->n_lines++] = line;
    return line;
}

/* ---- One delivery ----------------------------------------------------------------------------------------------- */

struct delivery {
    struct core *core;
    const Entry *event;
    const Decision *decision;
    Carehub__V1__Slot slot;
    Carehub__V1__TraceAnswer *answer;
    bool ended;
};

static Carehub__V1__TraceLine *slot_line(struct delivery *delivery, Carehub__V1__TraceLine__Step step, int64_t at_ms)
{
    struct core *core = delivery->core;
    Carehub__V1__TraceLine *line = add(delivery->answer, trace_line(core, delivery->event, step, at_ms));
    const struct actor *actor = registry_actor(&core->registry, delivery->decision->actor);
    line->actor = arena_strdup(&core->batch, actor ? actor->card->name : "");
    line->role = arena_strdup(&core->batch, delivery->decision->role);
    line->level = delivery->decision->level;
    line->inbox = arena_strdup(&core->batch, registry_inbox(&core->registry, delivery->slot.inbox)->card->name);
    line->lane = delivery->slot.lane;
    line->number = delivery->slot.number;
    line->notice = delivery->decision->notice;
    return line;
}

static void acknowledged(struct delivery *delivery, Carehub__V1__AckKind kind, uint64_t after)
{
    struct core *core = delivery->core;
    const Carehub__V1__Slot *slot = &delivery->slot;
    uint64_t place = store_acked_find(core->store, slot->inbox, (int)slot->lane, (int)kind, slot->number, after);
    const Entry *entry = place ? entry_read(core, place, &core->batch) : NULL;
    const Carehub__V1__AckedRange *range = entry ? entry_acks(entry, slot, (int)kind) : NULL;
    if (!range)
        return;
    if (range->first_sent_ms) {
        Carehub__V1__TraceLine *sent = slot_line(delivery, STEP(SENT), range->first_sent_ms);
        sent->approximate = range->from != range->to && range->first_sent_ms != range->last_sent_ms;
    }
    slot_line(delivery, kind == CAREHUB__V1__ACK_KIND__READ ? STEP(ACKNOWLEDGED_READ) : STEP(ACKNOWLEDGED_STORED),
              entry->at_ms);
    delivery->ended = true;
}

/* Refusals, ends and new starts of a slot are entries that name it. */
static void steps(struct delivery *delivery)
{
    struct core *core = delivery->core;
    const Carehub__V1__Slot slot = delivery->slot;
    uint64_t places[STEPS_MAX];
    int n = store_steps_find(core->store, slot.inbox, (int)slot.lane, slot.number, places, STEPS_MAX);
    for (int i = 0; i < n; i++) {
        const Entry *entry = entry_read(core, places[i], &core->batch);
        if (!entry || !entry_of_slot(entry, &slot))
            continue;
        if (entry->what_case == CAREHUB__V1__ENTRY__WHAT_NACK) {
            Carehub__V1__TraceLine *line = slot_line(delivery, STEP(REFUSED), entry->at_ms);
            line->attempts = entry->nack->attempts;
            line->code = arena_strdup(&core->batch, entry->nack->code);
            line->deadline_ms = entry->nack->retry_at_ms;
            if (entry->nack->retry_at_ms == 0) {
                line->reason = REASON(END_DEAD_REFUSED);
                delivery->ended = true;
            }
        } else if (entry->what_case == CAREHUB__V1__ENTRY__WHAT_END) {
            Carehub__V1__TraceLine *line = slot_line(delivery, STEP(END), entry->at_ms);
            line->reason = entry->end->end;
            line->why = entry->end->why;
            delivery->ended = true;
        } else {
            delivery->slot = *entry->retry->new_slot; /* goes on there */
            delivery->ended = false;
        }
    }
}

/* What the inbox itself says of a slot that has not ended. */
static void standing(struct delivery *delivery)
{
    struct core *core = delivery->core;
    struct inbox *inbox = registry_inbox(&core->registry, delivery->slot.inbox);
    int which = (int)delivery->slot.lane;
    const struct exception *exception = inbox_exception(inbox, which, delivery->slot.number);
    bool full;
    if (exception && exception->state == CAREHUB__V1__EXCEPTION_CARD__STATE__RETRY) {
        Carehub__V1__TraceLine *line = slot_line(delivery, STEP(WAITING_RETRY), core->now_ms);
        line->attempts = exception->attempts;
        line->deadline_ms = exception->retry_at_ms;
    } else if (!exception && delivery->slot.number > inbox->lanes[which].settled &&
               delivery->slot.number < inbox->lanes[which].next) {
        const struct item *item = inbox_item(inbox, core->store, which, delivery->slot.number, &full);
        bool sent = item && item->sent_ms;
        Carehub__V1__TraceLine *line =
            slot_line(delivery, sent ? STEP(SENT) : STEP(QUEUED), sent ? item->sent_ms : core->now_ms);
        Carehub__V1__Reason why = 0;
        if (item && !sent && !still_entitled(core, inbox, item, &why))
            line->why = why; /* it will be withdrawn when its turn comes */
    }
}

static void follow_slot(struct core *core, const Entry *event, const Decision *decision, const Carehub__V1__Slot *slot,
                        Carehub__V1__TraceAnswer *answer)
{
    struct delivery delivery = {.core = core, .event = event, .decision = decision, .slot = *slot, .answer = answer};
    steps(&delivery);
    /* A delivery that was put back has a new slot, with steps of its own. */
    for (int i = 0; i < RETRY_ATTEMPTS_MAX && delivery.slot.number != slot->number; i++) {
        uint64_t before = delivery.slot.number;
        steps(&delivery);
        if (delivery.slot.number == before)
            break;
    }
    if (!delivery.ended) { /* what is read is said of ranges, which go over what was withdrawn or refused in them */
        acknowledged(&delivery, CAREHUB__V1__ACK_KIND__STORED, event->place);
        acknowledged(&delivery, CAREHUB__V1__ACK_KIND__READ, event->place);
    }
    if (!delivery.ended)
        standing(&delivery);
}

/* ---- One decision ----------------------------------------------------------------------------------------------- */

Carehub__V1__TraceLine *decision_line(struct core *core, const Entry *entry, const Decision *decision, int64_t at_ms)
{
    Carehub__V1__TraceLine *line = trace_line(core, entry, STEP(DECIDED), at_ms);
    const struct actor *actor = registry_actor(&core->registry, decision->actor);
    line->actor = arena_strdup(&core->batch, actor ? actor->card->name : "");
    line->role = arena_strdup(&core->batch, decision->role);
    line->outcome = decision->outcome;
    line->reason = decision->reason;
    line->level = decision->level;
    line->notice = decision->notice;
    line->deadline_ms = decision->deadline_ms;
    return line;
}

static void follow_slots(struct core *core, const Entry *event, const Decision *decision,
                         Carehub__V1__TraceAnswer *answer)
{
    for (size_t i = 0; i < decision->n_slots; i++)
        follow_slot(core, event, decision, decision->slots[i], answer);
}

/* Why an operator settled what was held: said in the fact right before it; "" if it came to its end by itself. */
static char *settled_for(struct core *core, const Entry *held)
{
    const Entry *entry = entry_read(core, held->place - 1, &core->batch);
    const Fact *fact = entry && entry->what_case == CAREHUB__V1__ENTRY__WHAT_FACT ? entry->fact->fact : NULL;
    return fact && fact->fact_case == CAREHUB__V1__FACT__FACT_HELD_SETTLED &&
                   fact->held_settled->place == held->held->event_place
               ? fact->held_settled->reason
               : (char *)"";
}

/* What was held at a place has, sooner or later, an entry that says what it became. */
static void follow_held(struct core *core, const Entry *event, const Decision *decision, uint64_t place,
                        Carehub__V1__TraceAnswer *answer)
{
    while (store_steps_of(core->store, 0, STEP_LANE_HELD, event->place, place, &place, 1) == 1) {
        const Entry *entry = entry_read(core, place, &core->batch);
        if (!entry || entry->what_case != CAREHUB__V1__ENTRY__WHAT_HELD || entry->held->event_place != event->place ||
            entry->held->decision->actor != decision->actor)
            continue;
        Carehub__V1__TraceLine *line = add(answer, decision_line(core, event, entry->held->decision, entry->at_ms));
        line->settled_for = settled_for(core, entry);
        follow_slots(core, event, entry->held->decision, answer);
        if (entry->held->decision->outcome != OUTCOME(HOLD))
            break;
    }
}

void trace_decision(struct core *core, const Entry *entry, const Decision *decision, Carehub__V1__TraceAnswer *answer)
{
    add(answer, decision_line(core, entry, decision, entry->at_ms));
    if (decision->outcome == OUTCOME(HOLD))
        follow_held(core, entry, decision, entry->place, answer);
    follow_slots(core, entry, decision, answer);
}

void trace_later(struct core *core, const Entry *event, uint32_t actor, Carehub__V1__TraceAnswer *answer)
{
    const Entry *entry;
    for (uint64_t place = 0; (entry = later_next(core, event->place, &place, &core->batch));) {
        const Carehub__V1__LaterEntry *later = entry->later;
        const struct actor *instead_of = registry_actor(&core->registry, later->instead_of);
        if (actor && actor != later->decision->actor)
            continue;
        Carehub__V1__TraceLine *line = add(answer, decision_line(core, event, later->decision, entry->at_ms));
        line->cause = later->cause;
        line->because = later->because;
        line->instead_of = arena_strdup(&core->batch, instead_of ? instead_of->card->name : "");
        if (later->decision->outcome == OUTCOME(HOLD))
            follow_held(core, event, later->decision, place, answer);
        follow_slots(core, event, later->decision, answer);
    }
}

/* Who stood for it; of several each has a line, and the first counts. */
static void trace_verified(struct core *core, const Entry *event, Carehub__V1__TraceAnswer *answer)
{
    uint64_t place = 0;
    while (store_steps_of(core->store, 0, STEP_LANE_VERIFIED, event->place, place, &place, 1) == 1) {
        const Entry *entry = entry_read(core, place, &core->batch);
        if (!entry || entry->what_case != CAREHUB__V1__ENTRY__WHAT_FACT ||
            entry->fact->fact->fact_case != CAREHUB__V1__FACT__FACT_EVENT_VERIFIED ||
            !entry_has_id(event, &entry->fact->fact->event_verified->event_id))
            continue;
        Carehub__V1__TraceLine *line = add(answer, trace_line(core, event, STEP(VERIFIED_STEP), entry->at_ms));
        const struct client *client = registry_client(&core->registry, entry->client);
        line->actor = entry->fact->fact->event_verified->actor_name;
        line->client = arena_strdup(&core->batch, client ? client->card->name : "");
        line->because = place;
    }
}

/* ---- The event -------------------------------------------------------------------------------------------------- */

void trace_query(struct core *core, struct session *session, const Carehub__V1__Query *asked,
                 Carehub__V1__Answer *answer)
{
    (void)session;
    const Carehub__V1__TraceQuery *query = asked->trace;
    uint64_t place = event_place_of(core, &query->event_id, query->place);
    const Entry *entry = place ? entry_read(core, place, &core->batch) : NULL;
    bool event = entry && entry->what_case == CAREHUB__V1__ENTRY__WHAT_EVENT;
    if (!event && !(entry && entry->what_case == CAREHUB__V1__ENTRY__WHAT_NOT_KEPT)) {
        refuse(core, &answer->error, ERROR_CODE(UNKNOWN_NAME), "eventId",
               "the hub has no such event; was it published, and with this id?");
        return;
    }
    Carehub__V1__TraceAnswer *trace = arena_alloc(&core->batch, sizeof *trace);
    carehub__v1__trace_answer__init(trace);
    trace->lines = arena_alloc(&core->batch, LINES_MAX * sizeof *trace->lines);
    add(trace, trace_line(core, entry, STEP(RECEIVED), event ? entry->event->received_ms : entry->at_ms));
    for (size_t i = 0; event && i < entry->event->n_decisions; i++)
        trace_decision(core, entry, entry->event->decisions[i], trace);
    if (event) {
        trace_verified(core, entry, trace);
        trace_later(core, entry, 0, trace);
    } else
        add(trace, trace_line(core, entry, STEP(NOT_KEPT_STEP), entry->at_ms));
    int64_t confirmed_ms = store_commit_time_find(core->store, place);
    if (!confirmed_ms && core->commit_time_place >= place)
        confirmed_ms = core->commit_time_ms;
    if (confirmed_ms)
        add(trace, trace_line(core, entry, STEP(CONFIRMED), confirmed_ms));
    answer->answer_case = CAREHUB__V1__ANSWER__ANSWER_TRACE;
    answer->trace = trace;
}
