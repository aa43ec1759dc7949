/* What cannot be decided yet: kept with its reason and a deadline until that is solved, an operator decides, or the
 * deadline has come. */
#include "core_private.h"

#include "later/later.h"

enum { DUE_AT_ONCE = 256 };

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

/* ---- By itself ---------------------------------------------------------------------------------------------------- */

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

void held_take_due(struct core *core)
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
