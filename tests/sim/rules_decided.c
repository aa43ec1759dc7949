/* What the hub decided about an event, against what the rules say. */
#include "rules_game.h"

static const Decision *decision_for(const Entry *entry, int actor)
{
    const Decision *found = NULL;
    for (size_t i = 0; i < entry->event->n_decisions; i++)
        if (entry->event->decisions[i]->actor == (uint32_t)actor) {
            if (found)
                broken("place %llu: decided twice for %s", (unsigned long long)entry->place, actor_names[actor]);
            found = entry->event->decisions[i];
        }
    return found;
}

static void check_ground(const struct event *event, int actor, const Decision *decision, int64_t now)
{
    int level, person = root_of(latest(), event->person);
    const struct relation *relation = relation_at(latest(), person, actor, decision->ground, now);
    int purpose = relation && relation->grant == SECONDARY_USE ? relation->purpose : CARE_P;
    uint64_t consent = consent_of(latest(), person, purpose, now, &level);
    if (!relation)
        broken("event %lld for %s: its ground, place %llu, is no relation in force", event->op.v[ID],
               actor_names[actor], (unsigned long long)decision->ground);
    bool needs = !type_by_relation((int)event->op.v[TYPE]) || purpose != CARE_P;
    if (decision->consent ? decision->consent != consent : needs)
        broken("event %lld for %s: its consent, place %llu, is not the one in force, %llu", event->op.v[ID],
               actor_names[actor], (unsigned long long)decision->consent, (unsigned long long)consent);
}

void check_decision(const struct event *event, int actor, const Decision *decision, const struct verdict *verdict,
                    int64_t now)
{
    static const char *const names[] = {"withhold", "hold", "a notice", "deliver"};
    int is = decision->outcome == CAREHUB__V1__OUTCOME__HOLD      ? HELD
             : decision->outcome != CAREHUB__V1__OUTCOME__DELIVER ? WITHHELD
             : decision->notice                                   ? NOTICE
                                                                  : DELIVERED;
    if (is != (int)verdict->is || (is == DELIVERED && (int)decision->level != verdict->level))
        broken("event %lld for %s: the hub says %s (reason %d, level %d), the rules say %s (level %d)", event->op.v[ID],
               actor_names[actor], names[is], (int)decision->reason, (int)decision->level, names[verdict->is],
               verdict->level);
    if (is <= HELD && !(verdict->reasons >> decision->reason & 1))
        broken("event %lld for %s: %s with reason %d, which is not true", event->op.v[ID], actor_names[actor],
               names[is], (int)decision->reason);
    if (decision->notice != verdict->notice)
        broken("event %lld for %s: %s, as %s", event->op.v[ID], actor_names[actor], names[is],
               decision->notice ? "a notice" : "content");
    if (decision->n_slots != (is >= NOTICE))
        broken("event %lld for %s: %s, in %zu inboxes", event->op.v[ID], actor_names[actor], names[is],
               decision->n_slots);
    if (is == DELIVERED)
        check_ground(event, actor, decision, now);
}

/* What was received stays received, in the wider view of several. */
void follow_decision(struct event *event, int actor, const Decision *decision, const Entry *entry, bool later)
{
    game.counts->decided[decision->reason]++;
    event->held[actor] = decision->outcome == CAREHUB__V1__OUTCOME__HOLD;
    event->held_until[actor] = decision->deadline_ms;
    game.counts->held += event->held[actor];
    if (decision->n_slots == 0)
        return;
    const Carehub__V1__Slot *slot = decision->slots[0];
    struct lane *lane = &game.receivers[actor].lanes[slot->lane];
    if (slot->inbox != (uint32_t)actor || slot->number != lane->last + 1 || slot->number >= NUMBERS ||
        (slot->lane == CAREHUB__V1__LANE__LANE_IMMEDIATE) != (event->op.v[URGENT] != 0))
        broken("event %lld for %s: inbox %u, lane %d, number %llu after %llu", event->op.v[ID], actor_names[actor],
               slot->inbox, (int)slot->lane, (unsigned long long)slot->number, (unsigned long long)lane->last);
    lane->slots[++lane->last] =
        (struct slot){.place = event->place, .decided = entry->place, .decided_at = entry->at_ms, .later = later};
    game.receivers[actor].waiting++;
    if (!later || entry->later->cause == CAREHUB__V1__CAUSE__ESCALATION)
        watch_add(event, actor, decision, entry->place, entry->at_ms);
    if (!decision->notice)
        event->got[actor] = GOT_CONTENT;
    else if (event->got[actor] == GOT_NOTHING)
        event->got[actor] = GOT_NOTICE;
    if ((int)decision->level > event->got_level[actor])
        event->got_level[actor] = (int)decision->level;
}

enum fate fate_of(const struct event *event, struct verdict verdicts[ACTORS + 1], int64_t now)
{
    const struct world *world = latest();
    const struct op *op = &event->op;
    int level;
    bool consent = consent_of(world, event->person, CARE_P, now, &level), any = false;
    bool some_consent = consent_of(world, event->person, ALL_P, now, &level);
    const struct event *original = op->v[ORIGINAL] ? &game.events[op->v[ORIGINAL]] : NULL;
    bool there = original && original->known && original->op.v[ACTOR] == op->v[ACTOR];
    if (event->person == PERSONS)
        return FATE_NOT_KEPT;
    if (there && now - original->at_ms >= WINDOW_MS)
        return FATE_ANY; /* it may have been forgotten */
    if (there && !original->kept)
        return FATE_NOT_KEPT;
    bool takes_back = there && op->v[RETRACTS] && root_of(world, original->person) == event->person;
    if (!takes_back && !may_enter(world, event->person, (int)op->v[ACTOR], (int)op->v[TYPE], now))
        return FATE_NOT_KEPT;
    if (original && (!there || root_of(world, original->person) != event->person))
        return consent ? FATE_REFUSED : FATE_NOT_KEPT;
    if (!some_consent && !original && !type_by_relation((int)op->v[TYPE]))
        return FATE_NOT_KEPT;
    for (int actor = 1; actor <= ACTORS; actor++) {
        bool candidate = is_candidate(world, event->person, actor, now) || (original && original->got[actor]);
        verdicts[actor] = judge(world, event, original, actor, now);
        bool unsure = verdicts[actor].is == HELD && verdicts[actor].reasons == WHY(ROLE_UNKNOWN);
        bool counts = !unsure || original || type_by_relation((int)op->v[TYPE]);
        any |= candidate && verdicts[actor].is != WITHHELD && counts;
    }
    return consent || any ? FATE_KEPT : FATE_NOT_KEPT;
}

void follow_event(struct event *event, const Entry *entry, const struct verdict verdicts[ACTORS + 1], bool sure)
{
    struct event *original = event->op.v[ORIGINAL] ? &game.events[event->op.v[ORIGINAL]] : NULL;
    bool content = false;
    int level;
    event->kept = true;
    event->unverified = event->op.v[ACTOR] == CARER_A;
    if (entry->event->unverified != event->unverified)
        broken("event %lld is%s said to be verified", event->op.v[ID], event->unverified ? "" : " not");
    if (entry->patient != (uint64_t)event->person + FIRST_NUMBER)
        broken("event %lld is filed under P%llu", event->op.v[ID], (unsigned long long)entry->patient);
    for (int actor = 1; actor <= ACTORS; actor++) {
        const Decision *decision = decision_for(entry, actor);
        bool candidate = is_candidate(latest(), event->person, actor, entry->at_ms) ||
                         (original && original->kept && original->got[actor]);
        if (sure && (decision != NULL) != candidate)
            broken("event %lld: %s is%s a candidate, and a decision was%s recorded", event->op.v[ID],
                   actor_names[actor], candidate ? "" : " not", decision ? "" : " not");
        if (!decision)
            continue;
        if (sure)
            check_decision(event, actor, decision, &verdicts[actor], entry->at_ms);
        follow_decision(event, actor, decision, entry, false);
        content |= decision->outcome != CAREHUB__V1__OUTCOME__WITHHOLD && !decision->notice;
    }
    event->cut = !content && !consent_of(latest(), event->person, CARE_P, entry->at_ms, &level);
    if (original)
        original->corrected = true;
    game.counts->events++;
}

/* A professional or organisation that has received what mia entered, and is entitled to it now: that its inbox takes
 * nothing for the moment does not matter. */
bool verify_good(const struct op *op, int64_t now)
{
    static const uint64_t INBOX_ALONE = WHY(NOT_SUBSCRIBED) | WHY(INBOX_FULL) | WHY(PERSONAL_WITHOUT_INBOX);
    const struct event *event = &game.events[op->v[ID]];
    int actor = (int)op->v[ACTOR];
    if (!event->kept || !event->unverified || event->op.v[RETRACTS] || event->corrected || actor == CARER_A ||
        latest()->suspended[actor] || latest()->ended[actor] || event->held[actor] ||
        event->got[actor] != GOT_CONTENT || event->verified_by >> actor & 1)
        return false;
    struct verdict verdict = judge(latest(), event, original_for(event, true), actor, now);
    return verdict.is == DELIVERED || (verdict.entitled && (verdict.reasons & INBOX_ALONE));
}

/* The first time, everybody who had it is sent it again, next in the log. */
void follow_verified(const struct op *op, uint64_t place)
{
    struct event *event = &game.events[op->v[ID]];
    bool first = !event->verifier;
    event->verified_by |= 1u << op->v[ACTOR];
    game.counts->verified++;
    if (!first)
        return;
    event->verifier = (int)op->v[ACTOR];
    event->verified_place = place;
    game.verified.place = place;
    game.verified.event_place = event->place;
    game.verified.open = true;
    for (int actor = 1; actor <= ACTORS; actor++)
        game.verified.to[actor] = event->got[actor] == GOT_CONTENT && !event->held[actor];
}
