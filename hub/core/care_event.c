/* A care event, once admitted: a repeat? kept at all? Then routed, logged with its decisions, put into the inboxes. */
#include "core_private.h"

#include <stdlib.h>

#include "eventid.h"
#include "keeping/index.h"
#include "later/later.h"
#include "query/query.h"

Carehub__V1__Lane lane_of(Carehub__V1__Urgency urgency)
{
    return urgency == CAREHUB__V1__URGENCY__IMMEDIATE ? CAREHUB__V1__LANE__LANE_IMMEDIATE
                                                      : CAREHUB__V1__LANE__LANE_ORDINARY;
}

/* ---- Repeats ---------------------------------------------------------------------------------------------------- */

static bool digest_is(const ProtobufCBinaryData *stored, const uint8_t digest[DIGEST_BYTES])
{
    return stored->len == DIGEST_BYTES && memcmp(stored->data, digest, DIGEST_BYTES) == 0;
}

bool take_repeat(struct core *core, const ProtobufCBinaryData *id, const uint8_t digest[DIGEST_BYTES], bool *found,
                 struct taken *taken, Error **error)
{
    uint64_t place = store_id_find(core->store, id->data);
    *found = place != 0;
    if (!*found)
        return true;
    const Entry *entry = entry_read(core, place, &core->scratch);
    if (!entry || !entry_has_id(entry, id))
        return refuse(core, error, ERROR_CODE(INTERNAL), "id",
                      "the entry with this id cannot be read; tell the operator");
    bool same =
        (entry->what_case == CAREHUB__V1__ENTRY__WHAT_EVENT && digest_is(&entry->event->digest, digest)) ||
        (entry->what_case == CAREHUB__V1__ENTRY__WHAT_NOT_KEPT && digest_is(&entry->not_kept->digest, digest)) ||
        (entry->what_case == CAREHUB__V1__ENTRY__WHAT_FACT && digest_is(&entry->fact->digest, digest));
    if (!same)
        return refuse(core, error, ERROR_CODE(ID_CONFLICT), "id",
                      "this id was used before, for something else; a new event needs a new id");
    taken->status = CAREHUB__V1__CONFIRMATION__STATUS__REPEATED;
    taken->place = place;
    taken->number = entry->patient;
    core->counters.repeats++;
    return true;
}

/* ---- Corrections ------------------------------------------------------------------------------------------------ */

static bool original_load(struct core *core, uint64_t place, struct route_original *original)
{
    Entry *entry = entry_read(core, place, &core->scratch);
    if (!entry || entry->what_case != CAREHUB__V1__ENTRY__WHAT_EVENT)
        return false;
    decisions_since(core, entry);
    *original = (struct route_original){entry->event->n_decisions, entry->event->decisions};
    return true;
}

enum original_is { ORIGINAL_NONE, ORIGINAL_THERE, ORIGINAL_NOT_KEPT };

/* The original of a correction: only its own publisher corrects, and only for the same person. */
static enum original_is original_find(struct core *core, const struct admitted *admitted, uint64_t *place)
{
    const ProtobufCBinaryData *id = admitted->event->amends.len ? &admitted->event->amends : &admitted->event->retracts;
    *place = store_id_find(core->store, id->data);
    const Entry *entry = *place ? entry_read(core, *place, &core->scratch) : NULL;
    if (!entry || !entry_has_id(entry, id) || entry->actor != admitted->author->number)
        return ORIGINAL_NONE;
    if (entry->what_case == CAREHUB__V1__ENTRY__WHAT_NOT_KEPT)
        return ORIGINAL_NOT_KEPT;
    return entry->what_case == CAREHUB__V1__ENTRY__WHAT_EVENT &&
                   persons_survivor(&core->persons, entry->patient, core->now_ms) == admitted->patient
               ? ORIGINAL_THERE
               : ORIGINAL_NONE;
}

/* ---- Entries ---------------------------------------------------------------------------------------------------- */

Decision *decision_entry(struct core *core, const struct route_decision *from, uint64_t place, Carehub__V1__Lane lane,
                         const struct later_mark *mark)
{
    Decision *decision = arena_alloc(&core->scratch, sizeof *decision);
    carehub__v1__decision__init(decision);
    decision->actor = from->actor;
    decision->outcome = from->outcome;
    decision->reason = from->reason;
    decision->level = from->level;
    decision->role = (char *)(from->role ? from->role : "");
    decision->ground = from->ground;
    decision->consent = from->consent;
    decision->notice = from->notice;
    if (from->outcome == OUTCOME(HOLD))
        decision->deadline_ms = core->now_ms + policy_hold_ms(core->registry.policy);
    if (from->outcome != OUTCOME(DELIVER))
        return decision;
    decision->n_slots = from->n_inboxes;
    decision->slots = arena_alloc(&core->scratch, from->n_inboxes * sizeof *decision->slots);
    for (size_t i = 0; i < from->n_inboxes; i++) {
        struct inbox *inbox = registry_inbox(&core->registry, from->inboxes[i]);
        Carehub__V1__Slot *slot = decision->slots[i] = arena_alloc(&core->scratch, sizeof *slot);
        carehub__v1__slot__init(slot);
        slot->inbox = inbox->number;
        slot->lane = lane;
        slot->number = inbox_add(inbox, (int)lane,
                                 (struct item){.place = place,
                                               .decided = mark->place,
                                               .cause = (uint8_t)mark->cause,
                                               .level = (uint8_t)from->level,
                                               .notice = from->notice});
        mark_touched(core, inbox);
        mark_ready(core, inbox);
        if (core->remember_added) {
            GROW(core->added, core->n_added, core->added_capacity);
            core->added[core->n_added].inbox = inbox;
            core->added[core->n_added].lane = (int)lane;
            core->added[core->n_added++].number = slot->number;
        }
    }
    return decision;
}

void route_input_of(struct core *core, const Entry *entry, struct route_input *input, struct route_original *original)
{
    const Carehub__V1__EventEntry *event = entry->event;
    *input = (struct route_input){.type = event->type,
                                  .urgency = event->urgency,
                                  .confidentiality = event->confidentiality,
                                  .publisher = entry->actor,
                                  .n_addressees = event->n_addressees,
                                  .addressees = event->addressees,
                                  .retracts = event->retracts != 0,
                                  .now_ms = core->now_ms,
                                  .policy = core->registry.policy,
                                  .actor = registry_route_actor,
                                  .ctx = &core->registry};
    uint64_t corrected = event->amends ? event->amends : event->retracts;
    if (corrected && original_load(core, corrected, original))
        input->original = original;
}

static bool take_not_kept(struct core *core, const struct client *client, const struct admitted *admitted,
                          struct taken *taken)
{
    Carehub__V1__NotKeptEntry not_kept = CAREHUB__V1__NOT_KEPT_ENTRY__INIT;
    not_kept.id = admitted->event->id;
    not_kept.digest = (ProtobufCBinaryData){DIGEST_BYTES, (uint8_t *)admitted->digest};
    Entry entry = CAREHUB__V1__ENTRY__INIT;
    entry.client = client->number;
    entry.actor = admitted->author->number;
    entry.what_case = CAREHUB__V1__ENTRY__WHAT_NOT_KEPT;
    entry.not_kept = &not_kept;
    taken->place = batch_append(core, &entry, NULL, NULL, 0);
    store_id_put(core->store, admitted->event->id.data, taken->place);
    if (core->n_tails > 0)
        tail_not_kept(core, &entry, admitted->event->type);
    taken->status = client->card->told_not_kept ? CAREHUB__V1__CONFIRMATION__STATUS__NOT_KEPT
                                                : CAREHUB__V1__CONFIRMATION__STATUS__CONFIRMED;
    core->counters.not_kept++;
    return true;
}

/* Is anything of the event to be delivered or held, apart from notices? *any: or a notice; what is held for its unknown
 * role, of which nobody knows whether it needs a consent, counts for that only if it may well need none. */
static bool any_content(const struct route_decision *decisions, int n, bool unknown_may, bool *any)
{
    bool content = false;
    *any = false;
    for (int i = 0; i < n; i++) {
        bool goes = decisions[i].outcome != OUTCOME(WITHHOLD);
        *any |= goes && (unknown_may || decisions[i].reason != REASON(ROLE_UNKNOWN));
        content |= goes && !decisions[i].notice;
    }
    return content;
}

/* `client` and the author are NULL for the hub's own. */
static uint64_t log_event(struct core *core, const struct client *client, struct admitted *admitted,
                          struct person *person, uint64_t original, const struct route_decision *decided, int n)
{
    const Carehub__V1__Event *event = admitted->event;
    Carehub__V1__EventEntry what = CAREHUB__V1__EVENT_ENTRY__INIT;
    what.id = event->id;
    what.type = event->type;
    what.digest = (ProtobufCBinaryData){DIGEST_BYTES, admitted->digest};
    what.urgency = event_urgency(event);
    what.confidentiality = event->confidentiality;
    what.n_addressees = event->n_addressees;
    what.addressees = event->addressees;
    *(event->amends.len ? &what.amends : &what.retracts) = original;
    what.policy = core->registry.policy_place;
    what.size_bytes = (uint32_t)admitted->size;
    what.received_ms = core->now_ms;
    what.unverified = event->author && event->author->unverified;
    what.n_decisions = (size_t)n;
    what.decisions = arena_alloc(&core->scratch, (size_t)n * sizeof *what.decisions);
    uint64_t place = core->last_place + 1;
    for (int i = 0; i < n; i++)
        what.decisions[i] = decision_entry(core, &decided[i], place, lane_of(what.urgency), &NOT_LATER);

    Entry entry = CAREHUB__V1__ENTRY__INIT;
    entry.client = client ? client->number : 0;
    entry.actor = admitted->author ? admitted->author->number : 0;
    entry.patient = person->number;
    entry.what_case = CAREHUB__V1__ENTRY__WHAT_EVENT;
    entry.event = &what;
    batch_append(core, &entry, person, admitted->bytes, admitted->size);
    store_id_put(core->store, event->id.data, place);
    if (original)
        store_step_put(core->store, 0, STEP_LANE_CORRECTED, original, place);
    event_remember(core, &entry, admitted->bytes, admitted->size);
    for (int i = 0; i < n; i++) {
        if (what.decisions[i]->outcome == OUTCOME(HOLD))
            held_add(core, place, what.decisions[i], &NOT_LATER);
        if (core->n_tails > 0)
            tail_decision(core, &entry, what.decisions[i]);
    }
    core->counters.events++;
    return place;
}

/* What may not enter is not kept, without a word, or the answer would tell who cares for whom. What they themselves
 * entered the person and an informal carer may take back at any time. */
static bool may_enter(const struct core *core, const struct admitted *admitted, const struct person *person,
                      enum original_is original)
{
    if (!actor_enters_unverified(admitted->author))
        return true;
    if (admitted->event->retracts.len && original == ORIGINAL_THERE)
        return true;
    return route_may_enter(person->card, admitted->author->number, admitted->event->type, core->now_ms);
}

/* Is it clear before anything is decided that nothing of it will be kept? Without consent for continuity of care only
 * what somebody is to be told of all the same is kept: by the care relation alone, or by consent for something else. */
static bool is_kept_by_nobody(const struct core *core, const struct admitted *admitted, const struct person *person,
                              bool correction)
{
    return !correction && !route_consent_for(person->card, NULL, core->now_ms) &&
           !policy_any_by_relation(core->registry.policy, admitted->event->type);
}

bool take_event(struct core *core, const struct client *client, const ProtobufCBinaryData *bytes, struct taken *taken,
                Error **error)
{
    struct admitted admitted;
    bool found;
    if (core->disk_low)
        return refuse(core, error, ERROR_CODE(DISK_FULL), "",
                      "the hub's disk is nearly full; keep the event and send it again later");
    if (!admit_event(core, client, bytes, &admitted, error) ||
        !take_repeat(core, &admitted.event->id, admitted.digest, &found, taken, error))
        return false;
    if (found)
        return true;
    if ((int64_t)eventid_time_ms(admitted.event->id.data) < core->ids_known_from_ms)
        return refuse(core, error, ERROR_CODE(TOO_OLD), "id",
                      "the hub no longer knows ids this old, and could not tell a repeat; publish it as a new event");

    struct person *person = person_get(core, admitted.patient);
    bool correction = admitted.event->amends.len || admitted.event->retracts.len;
    uint64_t original_place = 0;
    enum original_is is = correction ? original_find(core, &admitted, &original_place) : ORIGINAL_NONE;
    uint64_t consent = person ? route_consent(person->card, core->now_ms) : 0;
    if (!person || is == ORIGINAL_NOT_KEPT || !may_enter(core, &admitted, person, is) ||
        (!consent && is_kept_by_nobody(core, &admitted, person, correction)))
        return take_not_kept(core, client, &admitted, taken);
    if (correction && is == ORIGINAL_NONE && consent)
        return refuse(core, error, ERROR_CODE(CORRECTION_UNKNOWN), admitted.event->amends.len ? "amends" : "retracts",
                      "there is no such event of this publisher about this person");
    if (correction && is == ORIGINAL_NONE)
        return take_not_kept(core, client, &admitted, taken); /* or it would tell who has consented */

    struct route_original original;
    struct route_input input = {.type = admitted.event->type,
                                .urgency = event_urgency(admitted.event),
                                .confidentiality = admitted.event->confidentiality,
                                .publisher = admitted.author->number,
                                .n_addressees = admitted.event->n_addressees,
                                .addressees = admitted.event->addressees,
                                .retracts = admitted.event->retracts.len != 0,
                                .now_ms = core->now_ms,
                                .patient = person->card,
                                .policy = core->registry.policy,
                                .actor = registry_route_actor,
                                .ctx = &core->registry};
    if (correction && original_load(core, original_place, &original))
        input.original = &original;
    struct route_decision *decided = arena_alloc(&core->scratch, ROUTE_DECISIONS_MAX * sizeof *decided);
    int n = route_event(&input, decided, ROUTE_DECISIONS_MAX);
    if (n < 0)
        return refuse(core, error, ERROR_CODE(TOO_MANY), "patient",
                      "more than %d candidates; end memberships that are over", ROUTE_DECISIONS_MAX);
    bool by_relation = policy_any_by_relation(core->registry.policy, input.type);
    bool any, content = any_content(decided, n, correction || by_relation, &any);
    if (!consent && !any)
        return take_not_kept(core, client, &admitted, taken);
    if (!consent && !content) /* nothing is kept of the person but the notices' own content */
        admitted.size = event_notice(admitted.event, admitted.bytes, admitted.size);
    taken->place = log_event(core, client, &admitted, person, original_place, decided, n);
    taken->status = CAREHUB__V1__CONFIRMATION__STATUS__CONFIRMED;
    return true;
}

/* Its publisher is nobody's actor, so nobody can correct it, and nobody is left out as its publisher. */
void take_own_event(struct core *core, Carehub__V1__Event *event, struct person *person)
{
    struct admitted admitted = {.event = event, .size = carehub__v1__event__get_packed_size(event)};
    admitted.bytes = arena_alloc(&core->scratch, admitted.size);
    carehub__v1__event__pack(event, admitted.bytes);
    vault_digest(core->vault, admitted.bytes, admitted.size, admitted.digest);
    person = person_deciding(core, person->number);
    struct route_input input = {.type = event->type,
                                .urgency = event_urgency(event),
                                .confidentiality = event->confidentiality,
                                .now_ms = core->now_ms,
                                .patient = person->card,
                                .policy = core->registry.policy,
                                .actor = registry_route_actor,
                                .ctx = &core->registry};
    struct route_decision *decided = arena_alloc(&core->scratch, ROUTE_DECISIONS_MAX * sizeof *decided);
    int n = route_event(&input, decided, ROUTE_DECISIONS_MAX);
    bool any;
    if (n > 0 && (any_content(decided, n, true, &any) || route_consent(person->card, core->now_ms)))
        log_event(core, NULL, &admitted, person, 0, decided, n);
}
