/* Each delivery is looked at once more when its turn comes: is the actor still entitled, as things stand, and was
 * nothing taken away since the delivery was decided? */
#include "core_private.h"
#include "later/later.h"

typedef Carehub__V1__PatientCard__Setting Setting;
typedef Carehub__V1__PatientCard__Stop Stop;

/* What was taken away since a delivery was decided: then what came after it does not bring the delivery back. */
struct stopped {
    const struct item *item;
    uint32_t actor;
    Carehub__V1__EventType type;
    int64_t decided_ms; /* when it was decided */
    bool any;           /* relations and relaxations that are younger than that do not count */
    size_t n_settings;  /* restrictions that have been lifted: for this delivery they still hold */
    Setting *settings[SETTINGS_MAX + STOPS_MAX];
    size_t n_purposes; /* consents for these do not count */
    const char *purposes[STOPS_MAX];
};

static bool younger(const struct stopped *by, uint64_t since, int64_t from_ms)
{
    return since > item_decided(by->item) || from_ms > by->decided_ms;
}

static bool setting_concerns(const struct stopped *by, const Setting *setting)
{
    return (setting->actor == 0 || setting->actor == by->actor) &&
           (setting->type == 0 || (Carehub__V1__EventType)setting->type == by->type);
}

/* A membership that was said anew for fewer types goes on for those. */
static bool stop_concerns(const struct stopped *by, const Stop *stop)
{
    if (stop->place <= item_decided(by->item) || (stop->actor && stop->actor != by->actor) ||
        (stop->setting && !setting_concerns(by, stop->setting)))
        return false;
    for (size_t i = 0; i < stop->n_types; i++)
        if ((Carehub__V1__EventType)stop->types[i] == by->type)
            return false;
    return true;
}

/* Collects the stops of a card. False, and why: nothing can bring the delivery back. */
static bool collect_stops(struct stopped *by, const Carehub__V1__PatientCard *card, Carehub__V1__Reason *why)
{
    if (card->n_stops == STOPS_MAX && card->stops[0]->place > item_decided(by->item)) {
        *why = card->stops[0]->reason; /* there may have been more before it, which nobody knows of any more */
        return false;
    }
    for (size_t i = 0; i < card->n_stops; i++) {
        const Stop *stop = card->stops[i];
        if (!stop_concerns(by, stop))
            continue;
        by->any = true;
        *why = stop->reason;
        if (stop->setting && !stop->setting->relaxes)
            by->settings[by->n_settings++] = stop->setting;
        if (stop->setting)
            continue;
        if (stop->reason == REASON(EXCLUDED_BY_PERSON))
            return false;
        if (stop->actor == 0 || stop->purpose[0])
            by->purposes[by->n_purposes++] = stop->purpose;
    }
    return true;
}

/* A restriction that came into force since stops what is queued as much as one that has been lifted again. */
static void collect_restrictions(struct stopped *by, const Carehub__V1__PatientCard *card, int64_t now_ms)
{
    for (size_t i = 0; i < card->n_settings; i++) {
        const Setting *setting = card->settings[i];
        by->any |= !setting->relaxes && setting->from_ms <= now_ms && setting_concerns(by, setting) &&
                   younger(by, setting->since, setting->from_ms);
    }
}

static size_t older_relations(const struct stopped *by, Carehub__V1__PatientCard__Member **to, size_t n,
                              Carehub__V1__PatientCard__Member *const *members)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (!younger(by, members[i]->since, members[i]->from_ms))
            to[kept++] = members[i];
    return kept;
}

/* Is the actor entitled even without what is younger than the delivery's decision, if anything was taken away since?
 * The stops are those of `stopped`, which is the person, or was merged into it. False, and why: it is stopped. */
static bool survives_stops(struct core *core, const struct person *person, const struct person *stopped,
                           const struct item *item, struct route_input *input, struct route_decision *decision,
                           Carehub__V1__Reason *why)
{
    const Entry *decided = entry_read(core, item_decided(item), &core->scratch);
    struct stopped by = {
        .item = item, .actor = decision->actor, .type = input->type, .decided_ms = decided ? decided->at_ms : 0};
    Carehub__V1__PatientCard card = *person->card;
    Carehub__V1__PatientCard__Member *relations[2 * MEMBERS_MAX];
    if (!collect_stops(&by, stopped->card, why))
        return false;
    bool stop = by.any;
    collect_restrictions(&by, person->card, input->now_ms);
    if (!by.any)
        return true;
    card.members = relations;
    card.n_members = older_relations(&by, relations, card.n_members, person->card->members);
    card.grants = relations + card.n_members;
    card.n_grants = older_relations(&by, card.grants, card.n_grants, person->card->grants);
    for (size_t i = 0; i < card.n_settings; i++)
        if (!card.settings[i]->relaxes || !younger(&by, card.settings[i]->since, card.settings[i]->from_ms))
            by.settings[by.n_settings++] = card.settings[i];
    card.settings = by.settings;
    card.n_settings = by.n_settings;
    input->patient = &card;
    input->stopped = by.purposes;
    input->n_stopped = by.n_purposes;
    route_one(input, decision->actor, decision);
    input->patient = person->card;
    input->n_stopped = 0;
    if (!stop)
        *why = decision->reason;
    return decision->outcome == OUTCOME(DELIVER) && !decision->notice;
}

enum verdict reconsider(struct core *core, const struct inbox *inbox, struct event_memory *event, struct item *item,
                        Carehub__V1__Reason *why)
{
    if (event->patient == 0 && item->notice)
        return SEND; /* of an erasure: about nobody that is known, and says nothing that could be withdrawn */
    struct person *own = person_get(core, event->patient);
    struct person *person = own && own->card->merged_into ? person_deciding(core, event->patient) : own;
    if (!person) {
        *why = REASON(NO_RELATION);
        return END;
    }
    if (core->clock_suspect && person_has_dates(person))
        return WAIT;
    if (!item->decided && person->from_place < item->place && own->from_place < item->place &&
        core->registry.changed_place < item->place && person->stable_since_ms <= event->received_ms)
        return SEND; /* nothing has changed since it was decided */

    Entry entry = CAREHUB__V1__ENTRY__INIT;
    struct route_input input;
    struct route_original original;
    struct route_decision decision;
    entry.actor = event->publisher;
    entry.event = &event->facets;
    route_input_of(core, &entry, &input, &original);
    if (item->decided)
        route_input_later(&input);
    input.patient = person->card;
    input.actor = registry_route_queued;
    route_one(&input, inbox->card->actor, &decision);
    *why = decision.reason;
    bool corrects = decision.reason == REASON(CORRECTION_OF_RECEIVED);
    if (!item->notice && !decision.notice && decision.outcome == OUTCOME(DELIVER) &&
        (!survives_stops(core, person, person, item, &input, &decision, why) ||
         (own != person && !survives_stops(core, person, own, item, &input, &decision, why)))) {
        if (decision.outcome == OUTCOME(HOLD))
            return WAIT;          /* it cannot be decided for now without what is younger */
        item->notice |= corrects; /* its receiver has the original, and is told that much */
        return corrects ? SEND : END;
    }
    if (decision.outcome == OUTCOME(HOLD))
        return WAIT;
    if (decision.outcome == OUTCOME(WITHHOLD))
        return item->notice ? SEND : END; /* a notice says nothing that could be withdrawn */
    if (!item->notice && !(inbox->types & 1) && !(inbox->types >> event->facets.type & 1)) {
        *why = REASON(NOT_SUBSCRIBED);
        return END;
    }
    if (decision.outcome == OUTCOME(DELIVER)) {
        item->notice |= decision.notice;
        if (decision.level < item->level)
            item->level = (uint8_t)decision.level;
    }
    return SEND;
}

bool still_entitled(struct core *core, const struct inbox *inbox, const struct item *item, Carehub__V1__Reason *why)
{
    struct item copy = *item;
    struct event_memory *event = event_get(core, item->place);
    return !event || reconsider(core, inbox, event, &copy, why) != END;
}
