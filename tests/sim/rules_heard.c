/* What a receiver hears: each delivery is one of its lane, in order, and one that it is entitled to at that moment. */
#include "rules_game.h"

#include <string.h>

static int actor_of(session_id session)
{
    return (int)session - HOSPITAL + 1;
}

/* The highest class of what is there of the body; -1: no body. */
static int classes_in(const Carehub__V1__Event *event)
{
    switch (event->body_case) {
    case CAREHUB__V1__EVENT__BODY_INCLUSION_FLAGGED:
        return event->inclusion_flagged->note[0] ? 3 : event->inclusion_flagged->target_group ? 2 : 1;
    case CAREHUB__V1__EVENT__BODY_HOSPITAL_DISCHARGE:
        return event->hospital_discharge->note[0] ? 3 : event->hospital_discharge->location ? 2 : 1;
    case CAREHUB__V1__EVENT__BODY_MEDICATION_CHANGED:
        return event->medication_changed->note[0] ? 3 : event->medication_changed->scheme ? 2 : 1;
    case CAREHUB__V1__EVENT__BODY_FALL_REPORTED:
        return event->fall_reported->note[0] ? 3 : event->fall_reported->witnessed ? 2 : 1;
    case CAREHUB__V1__EVENT__BODY_PATIENT_DECEASED:
        return event->patient_deceased->place ? 2 : 1;
    case CAREHUB__V1__EVENT__BODY_EMERGENCY_ACCESS_USED:
        return event->emergency_access_used->justification[0] ? 3 : 1;
    default:
        return -1;
    }
}

static void check_content(const struct event *event, int actor, const Carehub__V1__Delivery *delivery)
{
    Carehub__V1__Event *content = carehub__v1__event__unpack(NULL, delivery->event.len, delivery->event.data);
    uint8_t id[16];
    id_bytes(event->op.v[ID], event->id_ms, id);
    if (!content || content->id.len != 16 || (event->id_ms && memcmp(content->id.data, id, 16) != 0))
        broken("%s gets another event than that of its place", actor_names[actor]);
    int most = event->op.v[TYPE] == DECEASED_T ? 2 : 3, level = (int)delivery->level, there = classes_in(content);
    if (event->op.v[TYPE] == EMERGENCY_T && level == 2)
        level = 1; /* it has nothing of the class between */
    if (delivery->notice ? there != -1 || content->patient : there != (level < most ? level : most))
        broken("event %lld for %s at level %d: the content goes up to class %d", event->op.v[ID], actor_names[actor],
               level, there);
    carehub__v1__event__free_unpacked(content, NULL);
}

static void check_entitled(const struct event *event, int actor, const struct slot *slot,
                           const Carehub__V1__Delivery *delivery)
{
    uint64_t through = delivery->decided_through;
    const struct event *original = original_for(event, slot->later);
    int64_t now = game.hub->now_ms;
    if (through < game.promised)
        broken("event %lld for %s: decided through %llu, when %llu was confirmed already", event->op.v[ID],
               actor_names[actor], (unsigned long long)through, (unsigned long long)game.promised);
    const char *verified = event->verifier && event->verified_place <= through ? actor_names[event->verifier] : "";
    if (strcmp(delivery->verified_by, verified) != 0)
        broken("event %lld for %s: verified by “%s”, and it was “%s”", event->op.v[ID], actor_names[actor],
               delivery->verified_by, verified);
    if (delivery->notice) {
        game.counts->notices++;
        if (!original || !original->got[actor])
            broken("event %lld for %s: a notice of no correction", event->op.v[ID], actor_names[actor]);
        return;
    }
    struct world world = without_limits(game.versions[version_at(through)].world);
    struct verdict verdict = judge(&world, event, original, actor, now);
    if (verdict.is != DELIVERED || (int)delivery->level > verdict.level)
        broken("event %lld went to %s at level %d, decided through %llu; the rules say %d (level %d)", event->op.v[ID],
               actor_names[actor], (int)delivery->level, (unsigned long long)through, (int)verdict.is, verdict.level);
    if (!ground_held(event, actor, slot->decided, through, now))
        broken("event %lld went to %s although what it rested on was gone in between", event->op.v[ID],
               actor_names[actor]);
}

static void delivered(session_id session, const Carehub__V1__Deliver *deliver)
{
    int actor = actor_of(session);
    struct receiver *receiver = &game.receivers[actor];
    for (size_t i = 0; i < deliver->n_deliveries; i++) {
        const Carehub__V1__Delivery *delivery = deliver->deliveries[i];
        struct lane *lane = &receiver->lanes[delivery->lane];
        const struct event *event = event_at(delivery->place);
        if (!event || !receiver->attached || delivery->number != lane->cursor + 1 || delivery->number > lane->last ||
            lane->slots[delivery->number].place != delivery->place)
            broken("%s gets number %llu of lane %d after %llu", actor_names[actor],
                   (unsigned long long)delivery->number, (int)delivery->lane, (unsigned long long)lane->cursor);
        const struct slot *slot = &lane->slots[++lane->cursor];
        if (slot->ended)
            broken("event %lld comes to %s after its end", event->op.v[ID], actor_names[actor]);
        check_entitled(event, actor, slot, delivery);
        check_content(event, actor, delivery);
        game.counts->deliveries++;
    }
}

static void skipped(session_id session, const Carehub__V1__Skip *skip)
{
    int actor = actor_of(session);
    struct lane *lane = &game.receivers[actor].lanes[skip->lane];
    if (!game.receivers[actor].attached || skip->from > lane->cursor + 1 || skip->to > lane->last || skip->from < 1 ||
        skip->to < skip->from)
        broken("%s is told to skip %llu to %llu of lane %d after %llu", actor_names[actor],
               (unsigned long long)skip->from, (unsigned long long)skip->to, (int)skip->lane,
               (unsigned long long)lane->cursor);
    for (uint64_t number = skip->from; number <= skip->to; number++)
        if (!lane->slots[number].ended)
            broken("%s is told to skip %llu of lane %d, which has not ended", actor_names[actor],
                   (unsigned long long)number, (int)skip->lane);
    game.counts->skips++;
    lane->cursor = skip->to > lane->cursor ? skip->to : lane->cursor;
}

static void attached(session_id session, const Carehub__V1__Attached *message)
{
    struct receiver *receiver = &game.receivers[actor_of(session)];
    receiver->attached = true;
    receiver->handle = message->handle;
    receiver->epoch = message->epoch;
    for (int lane = 0; lane < LANES_OF; lane++)
        receiver->lanes[message->lanes[lane]->lane].cursor = message->lanes[lane]->settled;
}

void hear(session_id to, const Carehub__V1__ToClient *message)
{
    switch (message->message_case) {
    case CAREHUB__V1__TO_CLIENT__MESSAGE_CONFIRM:
        for (size_t i = 0; i < message->confirm->n_confirmations; i++)
            if (message->confirm->confirmations[i]->place > game.promised)
                game.promised = message->confirm->confirmations[i]->place;
        break;
    case CAREHUB__V1__TO_CLIENT__MESSAGE_ATTACHED:
        attached(to, message->attached);
        break;
    case CAREHUB__V1__TO_CLIENT__MESSAGE_DELIVER:
        delivered(to, message->deliver);
        break;
    case CAREHUB__V1__TO_CLIENT__MESSAGE_SKIP:
        skipped(to, message->skip);
        break;
    default:
        break;
    }
}
