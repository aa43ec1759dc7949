/* “Told personally” means read, not stored. What must be read by a time, and is not, goes to the next in line as well,
 * who is then told that the other has not read it. Whoever is next may have had the event already, in the ordinary way:
 * it is the escalation that is new. If nobody is left to be told, that is an entry too, and stays in the hub's status
 * until it is read, somebody joins the line, or nothing can be done about it any more. */
#include "core/core_private.h"
#include "keeping/index.h"
#include "later.h"

enum { READS_MAX = 64 };

typedef Carehub__V1__EventEntry Event;

/* ---- What must be read ------------------------------------------------------------------------------------------ */

static int64_t to_read_ms(const struct core *core, const Event *event, const char *role)
{
    const struct policy *policy = core->registry.policy;
    return policy_unread_ms(policy, policy_role(policy, role), event->type);
}

/* Is a decision's delivery to be read by a time? */
static bool watched(struct core *core, const Entry *entry, const Event *event, const Decision *decision,
                    struct unread *unread)
{
    if (decision->outcome != OUTCOME(DELIVER) || decision->notice ||
        lane_of(event->urgency) != CAREHUB__V1__LANE__LANE_IMMEDIATE)
        return false;
    int64_t unread_ms = to_read_ms(core, event, decision->role);
    *unread = (struct unread){.due_ms = entry->at_ms + unread_ms, .place = entry->place, .actor = decision->actor};
    return unread_ms > 0;
}

static void watch(struct core *core, const Entry *entry, const Event *event, const Decision *decision)
{
    struct unread unread;
    if (watched(core, entry, event, decision, &unread))
        store_unread_put(core->store, &unread);
}

/* Under the policy of then, which may have been replaced since. */
bool unread_is_noted(struct core *core, const Entry *entry)
{
    struct unread unread;
    if (entry->what_case != CAREHUB__V1__ENTRY__WHAT_EVENT || core->registry.policy_place > entry->place ||
        entry->place <= core->unread_from_place)
        return true;
    for (size_t i = 0; i < entry->event->n_decisions; i++)
        if (watched(core, entry, entry->event, entry->event->decisions[i], &unread) && unread.due_ms > core->now_ms &&
            !store_unread_has(core->store, &unread))
            return false;
    return true;
}

/* The decision of an actor in an entry, and the event it is about, with its entry; false: there is none. */
static bool decision_in(struct core *core, const Entry *entry, uint32_t actor, const Decision **decision, Entry **event)
{
    *decision = NULL;
    if (entry->what_case == CAREHUB__V1__ENTRY__WHAT_EVENT) {
        for (size_t i = 0; i < entry->event->n_decisions; i++)
            if (entry->event->decisions[i]->actor == actor)
                *decision = entry->event->decisions[i];
        *event = (Entry *)entry;
        return *decision != NULL;
    }
    bool held = entry->what_case == CAREHUB__V1__ENTRY__WHAT_HELD;
    if (!held && entry->what_case != CAREHUB__V1__ENTRY__WHAT_LATER)
        return false;
    *decision = held ? entry->held->decision : entry->later->decision;
    *event = entry_read(core, held ? entry->held->event_place : entry->later->event_place, &core->scratch);
    return *event && (*event)->what_case == CAREHUB__V1__ENTRY__WHAT_EVENT && (*decision)->actor == actor;
}

void unread_note(struct core *core, const Entry *entry)
{
    const Decision *decision;
    Entry *event;
    if (entry->what_case == CAREHUB__V1__ENTRY__WHAT_EVENT)
        for (size_t i = 0; i < entry->event->n_decisions; i++)
            watch(core, entry, entry->event, entry->event->decisions[i]);
    else if ((entry->what_case == CAREHUB__V1__ENTRY__WHAT_HELD ||
              (entry->what_case == CAREHUB__V1__ENTRY__WHAT_LATER &&
               entry->later->cause == CAREHUB__V1__CAUSE__ESCALATION)) &&
             decision_in(core, entry, entry->actor, &decision, &event))
        watch(core, entry, event->event, decision);
}

/* ---- Was it read? ----------------------------------------------------------------------------------------------- */

static bool slot_read(struct core *core, const Carehub__V1__Slot *slot)
{
    uint64_t places[READS_MAX];
    int n = store_acked_places(core->store, slot->inbox, (int)slot->lane, CAREHUB__V1__ACK_KIND__READ, slot->number, 0,
                               places, READS_MAX);
    for (int i = 0; i < n; i++) {
        const Entry *entry = entry_read(core, places[i], &core->scratch);
        if (entry && entry_acks(entry, slot, CAREHUB__V1__ACK_KIND__READ))
            return true;
    }
    return false;
}

/* Where a dead letter that was put back goes on. */
static const Carehub__V1__Slot *slot_again(struct core *core, const Carehub__V1__Slot *slot)
{
    uint64_t place = 0;
    while (store_steps_of(core->store, slot->inbox, (int)slot->lane, slot->number, place, &place, 1) == 1) {
        const Entry *entry = entry_read(core, place, &core->scratch);
        if (entry && entry->what_case == CAREHUB__V1__ENTRY__WHAT_RETRY && entry_of_slot(entry, slot))
            return entry->retry->new_slot;
    }
    return NULL;
}

static bool was_read(struct core *core, const Decision *decision)
{
    for (size_t i = 0; i < decision->n_slots; i++) {
        const Carehub__V1__Slot *slot = decision->slots[i];
        for (int again = 0; slot && again < RETRY_ATTEMPTS_MAX; again++, slot = slot_again(core, slot))
            if (slot_read(core, slot))
                return true;
    }
    return false;
}

/* ---- The next in line ------------------------------------------------------------------------------------------- */

/* Has the actor been told that another has not read it, or not read it itself? */
static bool in_line_before(struct core *core, uint64_t event_place, uint32_t actor)
{
    const Entry *entry;
    for (uint64_t place = 0; (entry = later_next(core, event_place, &place, &core->scratch));)
        if (entry->later->cause == CAREHUB__V1__CAUSE__ESCALATION &&
            (entry->later->instead_of == actor ||
             (entry->later->decision->actor == actor && entry->later->decision->outcome == OUTCOME(DELIVER))))
            return true;
    return false;
}

/* The first in line who is a member, entitled, not the one who has not read it, and has not been told yet; 0: nobody.
 */
static uint32_t next_in_line(struct core *core, const Entry *event, uint32_t unread, struct route_decision *decided)
{
    const struct policy *policy = core->registry.policy;
    const struct person *person = person_deciding(core, event->patient);
    int role;
    for (int i = 0; person && (role = policy_next_in_line(policy, i)) != POLICY_ROLE_UNKNOWN; i++)
        for (size_t m = 0; m < person->card->n_members; m++) {
            const Carehub__V1__PatientCard__Member *member = person->card->members[m];
            if (strcmp(member->role, policy_role_name(policy, role)) == 0 && member->actor != unread &&
                member->from_ms <= core->now_ms && !in_line_before(core, event->place, member->actor) &&
                later_decide(core, event, member->actor, decided) && decided->outcome == OUTCOME(DELIVER) &&
                !decided->notice)
                return member->actor;
        }
    return 0;
}

/* ---- When the time is over --------------------------------------------------------------------------------------- */

/* Nobody is left: said once; then it is looked at again from time to time, as long as anything may be held. */
static void nobody_left(struct core *core, const Entry *entry, const Entry *event, const Decision *decision,
                        const struct unread *due)
{
    struct later later = {.cause = CAREHUB__V1__CAUSE__ESCALATION, .because = due->place, .instead_of = due->actor};
    int64_t again_ms = to_read_ms(core, event->event, decision->role);
    if (!due->told_nobody)
        later_nobody(core, event, &later);
    struct unread again = {true, core->now_ms + (again_ms > 0 ? again_ms : DAY_MS), due->place, due->actor};
    if (core->now_ms - entry->at_ms < policy_hold_ms(core->registry.policy))
        store_unread_put(core->store, &again);
}

static void time_over(struct core *core, const struct unread *due)
{
    Entry *event, *entry = entry_read(core, due->place, &core->scratch);
    const Decision *decision;
    struct route_decision decided;
    if (!entry || !decision_in(core, entry, due->actor, &decision, &event) || was_read(core, decision) ||
        event_current(core, event->place) != event->place)
        return;
    struct later later = {.cause = CAREHUB__V1__CAUSE__ESCALATION, .because = due->place, .instead_of = due->actor};
    later.actor = next_in_line(core, event, due->actor, &decided);
    if (later.actor)
        later_deliver(core, event, &later, &decided);
    else
        nobody_left(core, entry, event, decision, due);
}

size_t unread_work(struct core *core, size_t max)
{
    struct unread due[UNREAD_AT_ONCE];
    int n = store_unread_due(core->store, core->now_ms, due, max < UNREAD_AT_ONCE ? (int)max : UNREAD_AT_ONCE);
    if (n == 0)
        return 0;
    batch_open(core);
    acks_flush(core); /* what was read in this batch was read */
    for (int i = 0; i < n; i++) {
        store_unread_remove(core->store, &due[i]);
        time_over(core, &due[i]);
        arena_reset(&core->scratch);
    }
    return n == UNREAD_AT_ONCE ? max : (size_t)n;
}
