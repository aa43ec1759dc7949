/* The log, entry by entry: what becomes of deliveries, and what the hub does of its own accord. */
#include "rules_game.h"

static struct slot *slot_of(int actor, int lane, uint64_t number)
{
    if (actor < 1 || actor > ACTORS || number < 1 || number > game.receivers[actor].lanes[lane].last)
        broken("the log speaks of a delivery that never was: %d/%d/%llu", actor, lane, (unsigned long long)number);
    return &game.receivers[actor].lanes[lane].slots[number];
}

static void end_slot(int actor, int lane, uint64_t number)
{
    struct slot *slot = slot_of(actor, lane, number);
    if (slot->ended)
        broken("%s lane %d: %llu ends twice", actor_names[actor], lane, (unsigned long long)number);
    slot->ended = true;
    game.receivers[actor].waiting -= !slot->acked;
}

/* What was held and released is looked at from its event's place on: that, too, errs on the safe side. */
static void check_withdrawn(const Entry *entry, int actor, const struct slot *slot)
{
    const struct event *event = event_at(slot->place);
    struct world world = without_limits(latest());
    struct verdict verdict = judge(&world, event, original_for(event, slot->later), actor, entry->at_ms);
    game.counts->withdrawn++;
    game.counts->why[entry->end->why]++;
    const struct event *original = original_for(event, slot->later);
    if (verdict.is == NOTICE || (verdict.is == DELIVERED && original && original->got[actor]))
        broken("event %lld was withdrawn from %s (reason %d), who has what it corrects, without a notice",
               event->op.v[ID], actor_names[actor], (int)entry->end->why);
    if (verdict.is == DELIVERED && !ground_changed(event, actor, slot) &&
        ground_held(event, actor, slot->place, entry->place - 1, entry->at_ms))
        broken("event %lld was withdrawn from %s (reason %d), who has had every right to it", event->op.v[ID],
               actor_names[actor], (int)entry->end->why);
}

static void follow_end(const Entry *entry)
{
    const Carehub__V1__EndEntry *end = entry->end;
    for (uint64_t number = end->from; number <= end->to; number++) {
        struct slot *slot = slot_of((int)end->inbox, (int)end->lane, number);
        end_slot((int)end->inbox, (int)end->lane, number);
        game.counts->ended[end->end]++;
        if (end->end == CAREHUB__V1__REASON__END_INBOX_CLOSED && latest()->closed[end->inbox])
            continue;
        if (end->end == CAREHUB__V1__REASON__END_WITHDRAWN)
            check_withdrawn(entry, (int)end->inbox, slot);
        else if (end->end != CAREHUB__V1__REASON__END_EXPIRED ||
                 entry->at_ms - event_at(slot->place)->at_ms < WINDOW_MS)
            broken("%s lane %d: %llu ends with %d", actor_names[end->inbox], (int)end->lane, (unsigned long long)number,
                   (int)end->end);
    }
}

static void follow_ack(const Entry *entry)
{
    int actor = (int)entry->ack->inbox;
    for (size_t i = 0; i < entry->ack->n_ranges; i++) {
        const Carehub__V1__AckedRange *range = entry->ack->ranges[i];
        bool read = range->kind == CAREHUB__V1__ACK_KIND__READ;
        for (uint64_t number = range->from; number <= range->to; number++) {
            bool again = read && slot_of(actor, (int)range->lane, number)->ended; /* it was stored before */
            if (!again)
                end_slot(actor, (int)range->lane, number);
            game.counts->ended[CAREHUB__V1__REASON__END_ACKNOWLEDGED] += !again;
            if (read)
                watch_read(actor, (int)range->lane, number);
        }
    }
}

static void follow_held(const Entry *entry)
{
    struct event *event = event_at(entry->held->event_place);
    const Decision *decision = entry->held->decision;
    int actor = (int)decision->actor;
    if (!event || actor < 1 || actor > ACTORS || !event->held[actor])
        broken("place %llu settles what is not held", (unsigned long long)entry->place);
    bool settled = game.settled.place == event->place && game.settled.actor == actor;
    bool released = settled && game.settled.release;
    bool ended = decision->reason == CAREHUB__V1__REASON__END_REFUSED_BY_OPERATOR ? settled && !released
                 : decision->reason == CAREHUB__V1__REASON__END_DEAD_HELD ? entry->at_ms >= event->held_until[actor]
                                                                          : event->corrected;
    struct verdict verdict = judge(latest(), event, original_for(event, event->held_later[actor]), actor, entry->at_ms);
    if (decision->n_slots && !released && entry->at_ms >= event->held_until[actor])
        broken("event %lld is released to %s after its deadline", event->op.v[ID], actor_names[actor]);
    if (decision->reason < CAREHUB__V1__REASON__END_ACKNOWLEDGED && !ended)
        check_decision(event, actor, decision, &verdict, entry->at_ms);
    else if (!ended || decision->outcome != CAREHUB__V1__OUTCOME__WITHHOLD)
        broken("event %lld, held for %s, ends with %d", event->op.v[ID], actor_names[actor], (int)decision->reason);
    game.settled.place = 0;
    if (decision->reason >= CAREHUB__V1__REASON__END_ACKNOWLEDGED)
        game.counts->ended[decision->reason]++;
    follow_decision(event, actor, decision, entry, false);
    if (decision->n_slots) /* as what it was held as */
        game.receivers[actor].lanes[decision->slots[0]->lane].slots[decision->slots[0]->number].later =
            event->held_later[actor];
}

/* It has been verified, and is sent again to one of those who had it. */
static void follow_told(const Entry *entry, int actor)
{
    if (!game.verified.open || !game.verified.to[actor] || entry->later->because != game.verified.place ||
        entry->later->event_place != game.verified.event_place)
        broken("place %llu tells %s of a verification that was not, or once more", (unsigned long long)entry->place,
               actor_names[actor]);
    game.verified.to[actor] = false;
}

/* Nothing comes between a verification and those whom it is told. */
static void check_all_told(const Entry *entry)
{
    if (!game.verified.open ||
        (entry->what_case == CAREHUB__V1__ENTRY__WHAT_LATER && entry->later->cause == CAREHUB__V1__CAUSE__VERIFIED))
        return;
    game.verified.open = false;
    for (int actor = 1; actor <= ACTORS; actor++)
        if (game.verified.to[actor])
            broken("place %llu comes before %s is told that what it has was verified", (unsigned long long)entry->place,
                   actor_names[actor]);
}

/* Delivered after its own decision: replayed, not read by another, or to a new member. As things stand then; nothing
 * that was corrected, and nothing that is held. */
static void follow_later(const Entry *entry)
{
    const Decision *decision = entry->later->decision;
    struct event *event = event_at(entry->later->event_place);
    int actor = (int)decision->actor, person;
    game.counts->causes[entry->later->cause]++;
    if (entry->later->cause == CAREHUB__V1__CAUSE__ESCALATION)
        watch_escalated(entry);
    if (actor == 0) {
        game.counts->decided[decision->reason]++;
        return;
    }
    if (!event || actor > ACTORS || event->corrected || event->held[actor] || event->cut)
        broken("place %llu delivers later what is unknown, corrected or held", (unsigned long long)entry->place);
    struct verdict verdict = judge(latest(), event, original_for(event, true), actor, entry->at_ms);
    person = root_of(latest(), event->person);
    check_decision(event, actor, decision, &verdict, entry->at_ms);
    if (entry->later->cause == CAREHUB__V1__CAUSE__VERIFIED)
        follow_told(entry, actor);
    if (entry->later->cause == CAREHUB__V1__CAUSE__LATE_JOINER &&
        (event->got[actor] == GOT_CONTENT ||
         !relation_at(latest(), person, actor, entry->later->because, entry->at_ms)))
        broken("event %lld is given to %s, who is no new member, or has it", event->op.v[ID], actor_names[actor]);
    follow_decision(event, actor, decision, entry, true);
    event->held_later[actor] = event->held[actor];
    game.counts->later++;
}

/* The hub itself tells the team of an emergency access. */
static void follow_own(const Entry *entry)
{
    if (entry->event->type != CAREHUB__V1__EVENT_TYPE__EMERGENCY_ACCESS_USED || entry->client ||
        game.n_own == OWN_EVENTS)
        broken("place %llu holds an event that nobody was confirmed", (unsigned long long)entry->place);
    struct verdict verdicts[ACTORS + 1] = {{0}};
    struct event *event = &game.events[OPS + ++game.n_own];
    event->op.v[ID] = OPS + (long long)game.n_own;
    event->op.v[TYPE] = EMERGENCY_T;
    event->op.v[URGENT] = entry->event->urgency == CAREHUB__V1__URGENCY__IMMEDIATE;
    event->op.v[CONFIDENTIAL] = entry->event->confidentiality == CAREHUB__V1__CONFIDENTIALITY__RESTRICTED;
    event->person = (int)entry->patient - FIRST_NUMBER;
    event->place = entry->place;
    event->at_ms = entry->at_ms;
    event->known = true;
    for (int actor = 1; actor <= ACTORS; actor++)
        verdicts[actor] = judge(latest(), event, NULL, actor, entry->at_ms);
    follow_event(event, entry, verdicts, true);
}

static void follow_expiry(const Entry *entry)
{
    struct world *world = change(&(struct op){.kind = OP_KINDS}, entry->place, entry->at_ms);
    int person = (int)entry->patient - FIRST_NUMBER;
    for (size_t i = 0; i < entry->expiry->n_ended; i++, game.counts->expired++)
        if (person < 0 || person >= PERSONS ||
            !expire(&world->persons[person], entry->expiry->ended[i]->since, entry->at_ms))
            broken("place %llu: an end by date, of P%llu, of what has not ended", (unsigned long long)entry->place,
                   (unsigned long long)entry->patient);
}

/* What ends by its date is first in its batch: nothing else comes after the date and before it. */
static void check_first(const Entry *entry)
{
    if (entry->what_case != CAREHUB__V1__ENTRY__WHAT_EXPIRY && overdue(latest(), entry->at_ms))
        broken("place %llu (a %d) came before what ended by its date is in the log", (unsigned long long)entry->place,
               (int)entry->what_case);
}

void follow_entry(const Entry *entry)
{
    if (entry->place != game.followed + 1)
        broken("place %llu after %llu", (unsigned long long)entry->place, (unsigned long long)game.followed);
    game.followed = entry->place;
    game.counts->entries[entry->what_case]++;
    check_first(entry);
    check_all_told(entry);
    switch (entry->what_case) {
    case CAREHUB__V1__ENTRY__WHAT_END:
        follow_end(entry);
        break;
    case CAREHUB__V1__ENTRY__WHAT_ACK:
        follow_ack(entry);
        break;
    case CAREHUB__V1__ENTRY__WHAT_HELD:
        follow_held(entry);
        break;
    case CAREHUB__V1__ENTRY__WHAT_EXPIRY:
        follow_expiry(entry);
        break;
    case CAREHUB__V1__ENTRY__WHAT_LATER:
        follow_later(entry);
        break;
    case CAREHUB__V1__ENTRY__WHAT_EVENT:
        follow_own(entry);
        break;
    case CAREHUB__V1__ENTRY__WHAT_NOT_KEPT:
        broken("place %llu holds an event that nobody was confirmed", (unsigned long long)entry->place);
    default:
        break;
    }
}

/* Up to `place`, which is not taken but returned. */
const Entry *follow_until(uint64_t place)
{
    while (game.at_entry < game.n_entries && game.entries[game.at_entry]->place < place)
        follow_entry(game.entries[game.at_entry++]);
    if (game.at_entry == game.n_entries || game.entries[game.at_entry]->place != place)
        broken("place %llu was confirmed, and is not in the log", (unsigned long long)place);
    game.followed = place;
    game.counts->entries[game.entries[game.at_entry]->what_case]++;
    check_first(game.entries[game.at_entry]);
    check_all_told(game.entries[game.at_entry]);
    return game.entries[game.at_entry++];
}
