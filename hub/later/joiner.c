/* A new member of a care team is given the last event of each type for which the policy says so, if that is not too
 * old, still stands, and the new member is entitled to it. */
#include "core/core_private.h"
#include "keeping/index.h"
#include "later.h"

/* What ends a state that another type began: whoever joins later need not be told of that any more. */
static const struct {
    Carehub__V1__EventType type, superseded_by;
} superseded[] = {
    {CAREHUB__V1__EVENT_TYPE__HOSPITAL_DISCHARGE, CAREHUB__V1__EVENT_TYPE__HOSPITAL_ADMISSION},
};

/* The oldest that an event of some type may be, in ms; 0: nothing is given. */
static int64_t late_most_ms(const struct policy *policy)
{
    int64_t most_ms = 0;
    for (int type = 1; type <= EVENT_TYPE_MAX; type++) {
        int64_t late_ms = policy_late_ms(policy, (Carehub__V1__EventType)type);
        most_ms = late_ms > most_ms ? late_ms : most_ms;
    }
    return most_ms;
}

void joiner_add(struct core *core, uint64_t place, int64_t from_ms)
{
    if (late_most_ms(core->registry.policy) == 0)
        return;
    store_work_put(core->store, WORK_LATE_JOINER, from_ms > core->now_ms ? from_ms : core->now_ms, place, "", 0);
    core->next_behind_ms = 0;
}

static bool still_member(const struct person *person, uint64_t since)
{
    for (size_t i = 0; i < person->card->n_members; i++)
        if (person->card->members[i]->since == since)
            return true;
    return false;
}

static uint64_t last_before(struct core *core, size_t n, const uint64_t *numbers, uint64_t before)
{
    uint64_t last = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t place = store_of_person_last(core->store, numbers[i], before);
        last = place > last ? place : last;
    }
    return last;
}

static void give(struct core *core, Entry *event, uint32_t actor, uint64_t because)
{
    struct later later = {.actor = actor, .cause = CAREHUB__V1__CAUSE__LATE_JOINER, .because = because};
    struct route_decision decided;
    decisions_since(core, event);
    if (!has_received(event, actor) && later_decide(core, event, actor, &decided))
        later_deliver(core, event, &later, &decided);
}

/* Looks back from the membership; returns how many entries it looked at. */
static size_t join(struct core *core, uint64_t because)
{
    const Entry *fact = entry_read(core, because, &core->batch);
    const struct person *person = fact ? person_deciding(core, fact->patient) : NULL;
    if (!person || !still_member(person, because))
        return 1;
    const struct policy *policy = core->registry.policy;
    uint32_t actor = registry_actor_named(&core->registry, fact->fact->fact->member_added->actor)->number;
    int64_t oldest_ms = core->now_ms - late_most_ms(policy);
    uint64_t numbers[PERSON_NUMBERS_MAX], place = because;
    uint32_t done = 0; /* bit n: type n */
    size_t looked = 0, n_numbers = person_numbers(core, person->number, numbers);
    while ((place = last_before(core, n_numbers, numbers, place)) != 0 && looked++ < JOINER_LOOK_BACK_MAX) {
        Entry *event = entry_read(core, place, &core->scratch);
        if (event && event->at_ms < oldest_ms)
            break;
        if (!event || !entry_concerns(event, numbers, n_numbers) ||
            event->what_case != CAREHUB__V1__ENTRY__WHAT_EVENT || event->event->retracts ||
            event_current(core, place) != place)
            continue;
        Carehub__V1__EventType type = event->event->type;
        int64_t late_ms = policy_late_ms(policy, type);
        for (size_t i = 0; i < sizeof superseded / sizeof *superseded; i++)
            if (type == superseded[i].superseded_by)
                done |= 1U << superseded[i].type;
        if (late_ms > 0 && event->at_ms >= core->now_ms - late_ms && !(done >> type & 1))
            give(core, event, actor, because);
        done |= 1U << type;
    }
    return looked;
}

size_t joiners_work(struct core *core, size_t max)
{
    int64_t at_ms = INT64_MIN;
    uint64_t place = 0;
    struct card row;
    size_t looked = 0;
    while (looked < max && store_work_next(core->store, WORK_LATE_JOINER, core->now_ms, &at_ms, &place, &core->scratch,
                                           &row) != STORE_NONE) {
        if (core->indexed_place < place)
            break; /* its person's entries are not all found yet */
        batch_open(core);
        looked += join(core, place);
        store_work_remove(core->store, WORK_LATE_JOINER, at_ms, place);
        arena_reset(&core->scratch);
    }
    return looked;
}
