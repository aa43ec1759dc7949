/* The log, as an operator exports it: each confirmed event at its place with the decisions that the model comes to; the
 * numbers of each lane from 1 without gaps; for each delivery one end. And the hub's counters, against it. */
#include "sim.h"

#include <stdio.h>
#include <string.h>

static struct slot_sim *slot_of(struct sim *sim, uint32_t inbox, Carehub__V1__Lane lane, uint64_t number)
{
    if (inbox == 0 || inbox > INBOXES || number == 0 || number > sim->inboxes[inbox - 1].last[lane])
        sim_fail(sim, "the log speaks of slot %u/%d/%llu, which was never given", inbox, (int)lane,
                 (unsigned long long)number);
    return &sim->inboxes[inbox - 1].slots[lane][number];
}

static void end_slot(struct sim *sim, uint32_t inbox, Carehub__V1__Lane lane, uint64_t number, bool dead, bool acked)
{
    struct slot_sim *slot = slot_of(sim, inbox, lane, number);
    if (slot->ended)
        sim_fail(sim, "inbox %s lane %d: %llu ends twice in the log", inbox_names[inbox - 1], (int)lane,
                 (unsigned long long)number);
    slot->ended = true;
    slot->dead = dead;
    sim->n_ended[!acked]++;
}

static void new_slot(struct sim *sim, const Carehub__V1__Slot *slot, uint64_t place, uint64_t decided)
{
    struct inbox_sim *inbox = &sim->inboxes[slot->inbox - 1];
    if (slot->number != inbox->last[slot->lane] + 1)
        sim_fail(sim, "inbox %s lane %d: number %llu is given after %llu", inbox_names[slot->inbox - 1],
                 (int)slot->lane, (unsigned long long)slot->number, (unsigned long long)inbox->last[slot->lane]);
    if (slot->number >= NUMBERS_MAX)
        sim_fail(sim, "too many numbers for the simulation");
    inbox->last[slot->lane] = slot->number;
    inbox->slots[slot->lane][slot->number] = (struct slot_sim){.place = place, .decided = decided};
}

/* ---- Decisions ---------------------------------------------------------------------------------------------------------- */

static void take_decision(struct sim *sim, const Carehub__V1__Decision *decision, uint64_t event_place)
{
    for (size_t i = 0; i < decision->n_slots; i++)
        new_slot(sim, decision->slots[i], event_place, sim->followed);
    if (decision->outcome == CAREHUB__V1__OUTCOME__HOLD) {
        sim->held[sim->n_held].place = event_place;
        sim->held[sim->n_held++].actor = (int)decision->actor - 1;
    }
}

static void check_decision(struct sim *sim, const Carehub__V1__Entry *entry, const struct event_sim *event,
                           const Carehub__V1__Decision *decision)
{
    enum party actor = (enum party)(decision->actor - 1);
    struct right right = model_right(sim, event, actor, entry->place - 1, entry->at_ms);
    bool deliver = decision->outcome == CAREHUB__V1__OUTCOME__DELIVER;
    bool hold = decision->outcome == CAREHUB__V1__OUTCOME__HOLD;
    bool right_way = right.is == RIGHT_DELIVER ? deliver || (hold && right.full_matters)
                     : right.is == RIGHT_HOLD
                         ? hold
                         : !deliver && (!hold || decision->reason == CAREHUB__V1__REASON__PERSONAL_WITHOUT_INBOX);
    if (!right_way || (deliver && (int)decision->level != right.level))
        sim_fail(sim, "event %llu for %s: the log says %d (reason %d, level %d), the model %d (level %d)",
                 (unsigned long long)entry->place, party_names[actor], (int)decision->outcome, (int)decision->reason,
                 (int)decision->level, (int)right.is, right.level);
}

static void take_event(struct sim *sim, const Carehub__V1__Entry *entry)
{
    struct event_sim *event = NULL;
    for (size_t i = 0; i < sim->n_events && !event; i++)
        if (sim->events[i].place == entry->place)
            event = &sim->events[i];
    if (!event || memcmp(event->id, entry->event->id.data, 16) != 0)
        sim_fail(sim, "entry %llu holds an event that was not confirmed there", (unsigned long long)entry->place);
    event->kept = true;
    sim->since_open.events++;
    for (size_t i = 0; i < entry->event->n_decisions; i++) {
        take_decision(sim, entry->event->decisions[i], entry->place);
        if (!event->corrects)
            check_decision(sim, entry, event, entry->event->decisions[i]);
    }
    for (int actor = 0; actor < PARTIES && !event->corrects; actor++) {
        bool found = false;
        for (size_t i = 0; i < entry->event->n_decisions; i++)
            found |= entry->event->decisions[i]->actor == (uint32_t)actor + 1;
        if (!found && model_right(sim, event, (enum party)actor, entry->place - 1, entry->at_ms).is == RIGHT_DELIVER)
            sim_fail(sim, "event %llu: nothing was decided for %s", (unsigned long long)entry->place,
                     party_names[actor]);
    }
}

static void take_held(struct sim *sim, const Carehub__V1__HeldEntry *held)
{
    size_t at = 0;
    while (at < sim->n_held &&
           (sim->held[at].place != held->event_place || sim->held[at].actor != (int)held->decision->actor - 1))
        at++;
    if (at == sim->n_held)
        sim_fail(sim, "what is settled of event %llu was not held", (unsigned long long)held->event_place);
    sim->held[at] = sim->held[--sim->n_held];
    take_decision(sim, held->decision, held->event_place);
}

/* After its own decision it is decided by what holds at the later place; and nothing goes that was corrected. */
static void take_later(struct sim *sim, const Carehub__V1__Entry *entry)
{
    const Carehub__V1__LaterEntry *later = entry->later;
    const struct event_sim *event = NULL;
    for (size_t i = 0; i < sim->n_events; i++)
        if (sim->events[i].place == later->event_place && sim->events[i].kept)
            event = &sim->events[i];
    if (!event)
        sim_fail(sim, "entry %llu is about event %llu, which is unknown", (unsigned long long)entry->place,
                 (unsigned long long)later->event_place);
    for (size_t i = 0; i < sim->n_events; i++)
        if (sim->events[i].kept && sim->events[i].place < entry->place && sim->events[i].corrects &&
            &sim->events[sim->events[i].corrects - 1] == event)
            sim_fail(sim, "entry %llu delivers event %llu later, which was corrected", (unsigned long long)entry->place,
                     (unsigned long long)later->event_place);
    if (later->decision->actor == 0)
        return; /* nobody was left in line */
    for (size_t i = 0; i < sim->n_held; i++)
        if (sim->held[i].place == later->event_place && sim->held[i].actor == (int)later->decision->actor - 1)
            sim_fail(sim, "entry %llu: what is held is delivered as well", (unsigned long long)entry->place);
    sim->n_later[later->cause]++;
    take_decision(sim, later->decision, later->event_place);
    if (!event->retracts)
        check_decision(sim, entry, event, later->decision);
}

/* ---- Ends ------------------------------------------------------------------------------------------------------------------ */

static void take_ack(struct sim *sim, const Carehub__V1__AckEntry *ack)
{
    for (size_t i = 0; i < ack->n_ranges; i++) {
        const Carehub__V1__AckedRange *range = ack->ranges[i];
        for (uint64_t number = range->from; number <= range->to; number++) {
            if (range->kind == CAREHUB__V1__ACK_KIND__READ && slot_of(sim, ack->inbox, range->lane, number)->ended)
                continue; /* read, after it was stored */
            end_slot(sim, ack->inbox, range->lane, number, false, true);
            sim->since_open.acks++;
        }
    }
}

/* After a withdrawal the hub counts neither consents nor relations that are younger than the event, even where one
 * ground took over from another without a gap: that errs on the safe side, and is let pass here. */
static bool ground_changed(const struct sim *sim, const struct event_sim *event, enum party actor, uint64_t through)
{
    for (size_t i = 0; i < sim->n_facts && sim->facts[i].place <= through; i++)
        if (sim->facts[i].place > event->place && sim->facts[i].patient == event->patient &&
            (sim->facts[i].kind == CONSENT_GIVEN_F || sim->facts[i].kind == CONSENT_WITHDRAWN_F ||
             (sim->facts[i].actor == (int)actor &&
              (sim->facts[i].kind == MEMBER_ADDED_F || sim->facts[i].kind == GRANT_GIVEN_F))))
            return true;
    return false;
}

/* A withdrawal has a reason that the model knows too. */
static void check_withdrawn(struct sim *sim, const Carehub__V1__Entry *entry)
{
    const struct event_sim *event = NULL;
    enum party actor = inbox_actors[entry->end->inbox - 1];
    for (size_t i = 0; i < sim->n_events; i++)
        if (sim->events[i].place == entry->end->event_place)
            event = &sim->events[i];
    if (!event)
        sim_fail(sim, "the end of a delivery of event %llu, which is unknown",
                 (unsigned long long)entry->end->event_place);
    struct right right = model_right(sim, event, actor, entry->place - 1, entry->at_ms);
    bool taken = model_inbox_types(sim, (int)entry->end->inbox - 1, entry->place - 1) >> event->type & 1;
    if (right.is == RIGHT_DELIVER && taken && !ground_changed(sim, event, actor, entry->place) &&
        model_ground_held(sim, event, actor, event->place, entry->place - 1, entry->at_ms))
        sim_fail(sim,
                 "entry %llu: event %llu (type %d, patient %d) was withdrawn from %s (%d), which had every right to it",
                 (unsigned long long)entry->place, (unsigned long long)event->place, (int)event->type, event->patient,
                 party_names[actor], (int)entry->end->why);
}

static void take_end(struct sim *sim, const Carehub__V1__Entry *entry)
{
    const Carehub__V1__EndEntry *end = entry->end;
    for (uint64_t number = end->from; number <= end->to; number++)
        end_slot(sim, end->inbox, end->lane, number, false, false);
    if (end->end == CAREHUB__V1__REASON__END_WITHDRAWN)
        check_withdrawn(sim, entry);
}

/* A closed inbox has no dead letters any more. */
static void take_fact(struct sim *sim, const Carehub__V1__Fact *fact)
{
    sim->since_open.facts++;
    sim->n_replays += fact->fact_case == CAREHUB__V1__FACT__FACT_REPLAYED;
    if (fact->fact_case != CAREHUB__V1__FACT__FACT_INBOX_CLOSED)
        return;
    for (int which = 0; which < INBOXES; which++)
        for (int lane = 0; lane < LANES_SIM && strcmp(inbox_names[which], fact->inbox_closed->name) == 0; lane++)
            for (uint64_t n = 1; n <= sim->inboxes[which].last[lane]; n++)
                sim->inboxes[which].slots[lane][n].dead = false;
}

static void take_entry(struct sim *sim, const Carehub__V1__Entry *entry)
{
    switch (entry->what_case) {
    case CAREHUB__V1__ENTRY__WHAT_EVENT:
        take_event(sim, entry);
        break;
    case CAREHUB__V1__ENTRY__WHAT_NOT_KEPT:
        sim->since_open.not_kept++;
        if (entry->patient)
            sim_fail(sim, "entry %llu keeps a number of a person of whom nothing is kept",
                     (unsigned long long)entry->place);
        break;
    case CAREHUB__V1__ENTRY__WHAT_FACT:
        take_fact(sim, entry->fact->fact);
        break;
    case CAREHUB__V1__ENTRY__WHAT_ACK:
        take_ack(sim, entry->ack);
        break;
    case CAREHUB__V1__ENTRY__WHAT_NACK:
        if (entry->nack->retry_at_ms == 0)
            end_slot(sim, entry->nack->slot->inbox, entry->nack->slot->lane, entry->nack->slot->number, true, false);
        break;
    case CAREHUB__V1__ENTRY__WHAT_END:
        take_end(sim, entry);
        break;
    case CAREHUB__V1__ENTRY__WHAT_HELD:
        take_held(sim, entry->held);
        break;
    case CAREHUB__V1__ENTRY__WHAT_LATER:
        take_later(sim, entry);
        break;
    case CAREHUB__V1__ENTRY__WHAT_REPLAY_END:
        sim->n_replays--;
        break;
    case CAREHUB__V1__ENTRY__WHAT_RETRY: {
        const Carehub__V1__Slot *old = entry->retry->old_slot;
        struct slot_sim *slot = slot_of(sim, old->inbox, old->lane, old->number);
        if (!slot->dead || slot->place != entry->retry->event_place)
            sim_fail(sim, "entry %llu puts back what is not dead", (unsigned long long)entry->place);
        slot->dead = false;
        new_slot(sim, entry->retry->new_slot, entry->retry->event_place, slot->decided);
        break;
    }
    default:
        break;
    }
}

void log_follow(struct sim *sim)
{
    for (uint64_t next = sim->followed + 1; next;) {
        char json[80];
        snprintf(json, sizeof json, "{\"exportLog\":{\"fromPlace\":\"%llu\"}}", (unsigned long long)next);
        const Carehub__V1__Answer *answer = hub_ask(sim->hub, json);
        if (answer->error)
            sim_fail(sim, "the log: %s", answer->error->text);
        for (size_t i = 0; i < answer->export_log->n_entries; i++) {
            const Carehub__V1__Entry *entry = answer->export_log->entries[i];
            if (entry->place != sim->followed + 1)
                sim_fail(sim, "place %llu after %llu", (unsigned long long)entry->place,
                         (unsigned long long)sim->followed);
            sim->followed = entry->place;
            take_entry(sim, entry);
        }
        next = answer->export_log->next_place;
    }
}

/* ---- What the hub says of itself -------------------------------------------------------------------------------------------- */

static void check_inbox(struct sim *sim, int which, const Carehub__V1__ListedInbox *listed, bool drained)
{
    const struct inbox_sim *inbox = &sim->inboxes[which];
    uint64_t waiting = 0, dead = 0;
    for (int lane = 0; lane < LANES_SIM; lane++) {
        for (uint64_t n = 1; n <= inbox->last[lane]; n++) {
            waiting += !inbox->slots[lane][n].ended;
            dead += inbox->slots[lane][n].dead;
            if (inbox->numbers[lane][n].acked && !inbox->slots[lane][n].ended)
                sim_fail(sim, "inbox %s lane %d: %llu was acknowledged, the log does not know it", inbox_names[which],
                         lane, (unsigned long long)n);
            if (drained && !inbox->slots[lane][n].ended)
                sim_fail(sim, "inbox %s lane %d: %llu (place %llu) never came to an end", inbox_names[which], lane,
                         (unsigned long long)n, (unsigned long long)inbox->slots[lane][n].place);
        }
        if (listed->lanes[lane]->next != inbox->last[listed->lanes[lane]->lane] + 1)
            sim_fail(sim, "inbox %s lane %d: next is %llu", inbox_names[which], lane,
                     (unsigned long long)listed->lanes[lane]->next);
    }
    if (listed->undelivered != waiting || listed->dead != dead)
        sim_fail(sim, "inbox %s says %llu undelivered, %llu dead; in the log it is %llu and %llu", inbox_names[which],
                 (unsigned long long)listed->undelivered, (unsigned long long)listed->dead, (unsigned long long)waiting,
                 (unsigned long long)dead);
}

static void check_count(const struct sim *sim, const char *what, uint64_t hub, uint64_t log)
{
    if (hub != log)
        sim_fail(sim, "the hub counts %llu %s, it was %llu", (unsigned long long)hub, what, (unsigned long long)log);
}

void log_check(struct sim *sim, bool drained)
{
    sim_commit(sim);
    sim_commit(sim); /* and what the questions brought */
    const Carehub__V1__Answer *answer = hub_ask(sim->hub, "{\"list\":{\"kind\":\"LIST_INBOXES\"}}");
    for (size_t i = 0; i < answer->list->n_inboxes; i++)
        check_inbox(sim, (int)i, answer->list->inboxes[i], drained);
    const Carehub__V1__StatusAnswer *status = hub_ask(sim->hub, "{\"status\":{}}")->status;
    check_count(sim, "places", status->last_place, sim->followed);
    check_count(sim, "events", status->events, sim->since_open.events);
    check_count(sim, "facts", status->facts, sim->since_open.facts);
    check_count(sim, "not kept", status->not_kept, sim->since_open.not_kept);
    check_count(sim, "acknowledgements", status->acks, sim->since_open.acks);
    check_count(sim, "deliveries", status->deliveries, sim->since_open.deliveries);
    check_count(sim, "repeats", status->repeats, sim->since_open.repeats);
    check_count(sim, "rejects", status->rejects, sim->since_open.rejects);
    check_count(sim, "held", status->held, sim->n_held);
    check_count(sim, "replays", status->replays, sim->n_replays);
    if (drained && sim->n_replays)
        sim_fail(sim, "%llu replays never came to their end", (unsigned long long)sim->n_replays);
    for (size_t i = 0; i < sim->n_events; i++)
        if (sim->events[i].place > sim->followed)
            sim_fail(sim, "event %llu was confirmed, and is gone", (unsigned long long)sim->events[i].place);
}
