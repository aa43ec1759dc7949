/* An event that is in the log is delivered to an actor after its own decision, for a cause: a replay (replay.c),
 * somebody else who has not read it (unread.c), a new member of the team (joiner.c). One mechanism for all: it is
 * decided as any event is, as things stand; the decision is an entry; and the delivery carries the place of that entry,
 * so that only what is withdrawn after it holds it back. */
#include "core/core_private.h"
#include "keeping/index.h"
#include "keeping/keeping.h"
#include "later.h"
#include "query/query.h"

enum { CORRECTIONS_MAX = 256 };

/* ---- What has become of an event -------------------------------------------------------------------------------- */

uint64_t event_corrected_by(struct core *core, uint64_t place)
{
    uint64_t at = 0, last = 0;
    while (store_steps_of(core->store, 0, STEP_LANE_CORRECTED, place, at, &at, 1) == 1) {
        const Entry *entry = entry_read(core, at, &core->scratch);
        if (entry && entry->what_case == CAREHUB__V1__ENTRY__WHAT_EVENT &&
            (entry->event->amends == place || entry->event->retracts == place))
            last = at;
    }
    return last;
}

uint64_t event_current(struct core *core, uint64_t place)
{
    for (int i = 0; i < CORRECTIONS_MAX; i++) {
        uint64_t by = event_corrected_by(core, place);
        if (by == 0)
            return place;
        const Entry *entry = entry_read(core, by, &core->scratch);
        if (!entry || entry->what_case != CAREHUB__V1__ENTRY__WHAT_EVENT || entry->event->retracts)
            return 0;
        place = by;
    }
    return 0; /* nobody corrects that often: nothing is delivered of it */
}

/* Received twice: the wider view of both, in the inboxes of both. */
static Decision *received_both(struct core *core, const Decision *a, const Decision *b)
{
    Decision *both = arena_copy(&core->scratch, b, sizeof *b);
    both->level = a->level > b->level ? a->level : b->level;
    both->notice = a->notice && b->notice;
    both->n_slots = a->n_slots + b->n_slots;
    both->slots = arena_alloc(&core->scratch, (both->n_slots + 1) * sizeof *both->slots);
    for (size_t i = 0; i < a->n_slots; i++)
        both->slots[i] = a->slots[i];
    for (size_t i = 0; i < b->n_slots; i++)
        both->slots[a->n_slots + i] = b->slots[i];
    return both;
}

/* What was delivered stays delivered, whatever is decided later. */
static void decision_fold(struct core *core, Carehub__V1__EventEntry *event, Decision *later)
{
    for (size_t i = 0; i < event->n_decisions; i++) {
        Decision *before = event->decisions[i];
        if (before->actor != later->actor)
            continue;
        if (before->outcome != OUTCOME(DELIVER))
            event->decisions[i] = later;
        else if (later->outcome == OUTCOME(DELIVER))
            event->decisions[i] = received_both(core, before, later);
        return;
    }
    Decision **decisions = arena_alloc(&core->scratch, (event->n_decisions + 1) * sizeof *decisions);
    for (size_t i = 0; i < event->n_decisions; i++)
        decisions[i] = event->decisions[i];
    decisions[event->n_decisions++] = later;
    event->decisions = decisions;
}

const Entry *later_next(struct core *core, uint64_t event_place, uint64_t *place, struct arena *arena)
{
    while (store_steps_of(core->store, 0, STEP_LANE_LATER, event_place, *place, place, 1) == 1) {
        const Entry *entry = entry_read(core, *place, arena);
        if (entry && entry->what_case == CAREHUB__V1__ENTRY__WHAT_LATER && entry->later->event_place == event_place)
            return entry;
    }
    return NULL;
}

void decisions_since(struct core *core, Entry *event)
{
    uint64_t place = 0;
    while (store_steps_of(core->store, 0, STEP_LANE_HELD, event->place, place, &place, 1) == 1) {
        const Entry *entry = entry_read(core, place, &core->scratch);
        if (entry && entry->what_case == CAREHUB__V1__ENTRY__WHAT_HELD && entry->held->event_place == event->place)
            decision_fold(core, event->event, entry->held->decision);
    }
    const Entry *entry;
    for (place = 0; (entry = later_next(core, event->place, &place, &core->scratch));)
        if (entry->later->decision->actor)
            decision_fold(core, event->event, entry->later->decision);
}

bool has_received(const Entry *event, uint32_t actor)
{
    for (size_t i = 0; i < event->event->n_decisions; i++) {
        const Decision *decision = event->event->decisions[i];
        if (decision->actor == actor)
            return decision->outcome == OUTCOME(HOLD) || (decision->outcome == OUTCOME(DELIVER) && !decision->notice);
    }
    return false;
}

const char *later_instead_of(struct core *core, uint64_t place)
{
    const Entry *entry = entry_read(core, place, &core->scratch);
    const struct actor *actor = entry && entry->what_case == CAREHUB__V1__ENTRY__WHAT_LATER
                                    ? registry_actor(&core->registry, entry->later->instead_of)
                                    : NULL;
    return actor ? actor->card->name : "";
}

const Entry *event_verified(struct core *core, uint64_t event_place, uint64_t through)
{
    uint64_t place = 0;
    if (store_steps_of(core->store, 0, STEP_LANE_VERIFIED, event_place, 0, &place, 1) != 1 || place > through)
        return NULL;
    const Entry *entry = entry_read(core, place, &core->scratch),
                *event = entry_read(core, event_place, &core->scratch);
    return entry && event && entry->what_case == CAREHUB__V1__ENTRY__WHAT_FACT &&
                   entry->fact->fact->fact_case == CAREHUB__V1__FACT__FACT_EVENT_VERIFIED &&
                   entry_has_id(event, &entry->fact->fact->event_verified->event_id)
               ? entry
               : NULL;
}

/* ---- Deciding --------------------------------------------------------------------------------------------------- */

bool event_whole(struct core *core, const Entry *event)
{
    const uint8_t *bytes;
    size_t size;
    if (!event->event->amends && !event->event->retracts)
        return true;
    for (size_t i = 0; i < event->event->n_decisions; i++)
        if (event->event->decisions[i]->outcome != OUTCOME(WITHHOLD) && !event->event->decisions[i]->notice)
            return true;
    if (!entry_read_payload(core, event->place, &core->scratch, &bytes, &size))
        return false;
    const Carehub__V1__Event *content = carehub__v1__event__unpack(&core->scratch.protobuf, size, bytes);
    return content && content->patient;
}

bool later_decide(struct core *core, const Entry *event, uint32_t actor, struct route_decision *decided)
{
    struct route_input input;
    struct route_original original;
    struct card held;
    const struct person *person = person_deciding(core, event->patient);
    if (!person || !event_kept(core, event->place) || !event_whole(core, event) ||
        store_held_get(core->store, event->place, actor, &core->scratch, &held) != STORE_NONE)
        return false;
    route_input_of(core, event, &input, &original);
    route_input_later(&input);
    input.patient = person->card;
    route_one(&input, actor, decided);
    return true;
}

/* ---- Delivering ------------------------------------------------------------------------------------------------- */

static uint64_t log_later(struct core *core, const Entry *event, const struct later *later, Decision *decision)
{
    Carehub__V1__LaterEntry what = CAREHUB__V1__LATER_ENTRY__INIT;
    Entry entry = CAREHUB__V1__ENTRY__INIT;
    what.event_place = event->place;
    what.cause = later->cause;
    what.decision = decision;
    what.because = later->because;
    what.instead_of = later->instead_of;
    entry.actor = later->actor;
    entry.patient = event->patient;
    entry.what_case = CAREHUB__V1__ENTRY__WHAT_LATER;
    entry.later = &what;
    uint64_t place = batch_append(core, &entry, NULL, NULL, 0);
    store_step_put(core->store, 0, STEP_LANE_LATER, event->place, place);
    if (core->n_tails > 0) {
        Entry now = *event;
        now.at_ms = entry.at_ms;
        tail_decision(core, &now, decision);
    }
    return place;
}

void later_deliver(struct core *core, const Entry *event, const struct later *later,
                   const struct route_decision *decided)
{
    const struct later_mark mark = {core->last_place + 1, later->cause};
    Decision *decision = decision_entry(core, decided, event->place, lane_of(event->event->urgency), &mark);
    log_later(core, event, later, decision);
    if (decision->outcome == OUTCOME(HOLD))
        held_add(core, event->place, decision, &mark);
}

void later_nobody(struct core *core, const Entry *event, const struct later *later)
{
    Decision decision = CAREHUB__V1__DECISION__INIT;
    decision.outcome = OUTCOME(WITHHOLD);
    decision.reason = REASON(NOBODY_IN_LINE);
    log_later(core, event, later, &decision);
}

void later_verified(struct core *core, const Entry *event, uint64_t because)
{
    struct later later = {.cause = CAREHUB__V1__CAUSE__VERIFIED, .because = because};
    struct route_decision decided;
    for (size_t i = 0; i < event->event->n_decisions; i++) {
        const Decision *decision = event->event->decisions[i];
        later.actor = decision->actor;
        if (decision->outcome == OUTCOME(DELIVER) && !decision->notice &&
            later_decide(core, event, later.actor, &decided))
            later_deliver(core, event, &later, &decided);
    }
}
