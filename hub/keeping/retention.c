/* What is not kept for ever. The hub is not a record store: the payload of an event goes some time after its last
 * delivery ended, and every entry, with what hangs on it, when it is old enough. Both go in the order of the log,
 * behind the hot path, a little at a time.
 *
 * Nothing goes that is queued, sent and not acknowledged, held, to be sent again or dead, nor what a replay that is not
 * done yet may want. Such an event is noted (WORK_RETAIN), and looked at again every day. The end of the log always
 * stays. */
#include "index.h"
#include "keeping.h"
#include "later/later.h"

enum { END_OF_LOG_KEPT = 2000, SLOTS_AGAIN_MAX = 64, EVERY_MS = 60000 };

static const char RETAINED[] = "retained-place", PRUNED[] = "pruned-place";

typedef Carehub__V1__Slot Slot;

/* ---- Is it over? -------------------------------------------------------------------------------------------------- */

/* Where a dead letter that was put back goes on, if it was; and the place of the last entry about the number. */
static const Slot *slot_again(struct core *core, const Slot *slot, uint64_t *last)
{
    const Slot *again = NULL;
    uint64_t place = 0;
    *last = 0;
    while (store_steps_of(core->store, slot->inbox, (int)slot->lane, slot->number, place, &place, 1) == 1) {
        const Entry *entry = entry_read(core, place, &core->scratch);
        *last = place;
        if (entry && entry->what_case == CAREHUB__V1__ENTRY__WHAT_RETRY && entry_of_slot(entry, slot))
            again = entry->retry->new_slot;
    }
    return again;
}

/* Has this delivery ended before the place `young`? */
static bool slot_over(struct core *core, const Slot *slot, uint64_t young)
{
    struct inbox *inbox = registry_inbox(&core->registry, slot->inbox);
    for (int i = 0; i < SLOTS_AGAIN_MAX && inbox && !inbox->card->closed; i++) {
        uint64_t last, number = slot->number;
        int lane = (int)slot->lane;
        const Slot *again = slot_again(core, slot, &last);
        if (!again) {
            if (number > inbox->lanes[lane].settled || inbox_exception(inbox, lane, number))
                return false;
            uint64_t stored =
                store_acked_find(core->store, inbox->number, lane, CAREHUB__V1__ACK_KIND__STORED, number, 0);
            if (!stored)
                stored = store_acked_find(core->store, inbox->number, lane, CAREHUB__V1__ACK_KIND__READ, number, 0);
            return last < young && stored < young;
        }
        slot = again;
    }
    return true;
}

static bool event_over(struct core *core, Entry *event, uint64_t young)
{
    if (store_held_any(core->store, event->place))
        return false;
    decisions_since(core, event);
    for (size_t i = 0; i < event->event->n_decisions; i++) {
        const Decision *decision = event->event->decisions[i];
        for (size_t s = 0; s < decision->n_slots; s++)
            if (!slot_over(core, decision->slots[s], young))
                return false;
    }
    return true;
}

/* ---- What hangs on an entry --------------------------------------------------------------------------------------- */

static void forget_slots(struct core *core, const Decision *decision)
{
    for (size_t i = 0; decision && i < decision->n_slots; i++)
        store_number_forget(core->store, decision->slots[i]->inbox, (int)decision->slots[i]->lane,
                            decision->slots[i]->number);
}

static void forget_event(struct core *core, const Entry *entry)
{
    for (size_t i = 0; i < entry->event->n_decisions; i++)
        forget_slots(core, entry->event->decisions[i]);
    for (int lane = 0; lane <= STEP_LANE_LAST; lane++)
        store_steps_remove(core->store, 0, lane, entry->place);
    store_id_remove(core->store, entry->event->id.data);
}

static void forget_fact(struct core *core, const Entry *entry)
{
    const Fact *fact = entry->fact->fact;
    store_id_remove(core->store, fact->id.data);
    for (enum card_kind kind = CARD_ACTOR; kind <= CARD_INBOX && entry->fact->number; kind++)
        store_cards_forget(core->store, kind, entry->fact->number, entry->place);
    store_cards_forget(core->store, CARD_POLICY, 1, entry->place);
}

static void forget_what_hangs_on(struct core *core, const Entry *entry)
{
    switch (entry->what_case) {
    case CAREHUB__V1__ENTRY__WHAT_EVENT:
        forget_event(core, entry);
        break;
    case CAREHUB__V1__ENTRY__WHAT_FACT:
        forget_fact(core, entry);
        break;
    case CAREHUB__V1__ENTRY__WHAT_HELD:
        forget_slots(core, entry->held->decision);
        break;
    case CAREHUB__V1__ENTRY__WHAT_LATER:
        forget_slots(core, entry->later->decision);
        break;
    case CAREHUB__V1__ENTRY__WHAT_END:
        store_number_forget(core->store, entry->end->inbox, (int)entry->end->lane, entry->end->to);
        break;
    case CAREHUB__V1__ENTRY__WHAT_NACK:
        store_steps_remove(core->store, entry->nack->slot->inbox, (int)entry->nack->slot->lane,
                           entry->nack->slot->number);
        break;
    case CAREHUB__V1__ENTRY__WHAT_RETRY:
        store_number_forget(core->store, entry->retry->inbox, (int)entry->retry->old_slot->lane,
                            entry->retry->old_slot->number);
        break;
    default:
        break;
    }
    uint64_t persons[PERSON_NUMBERS_MAX];
    size_t n_persons = entry_persons(entry, persons);
    for (size_t i = 0; i < n_persons; i++)
        store_of_person_remove(core->store, persons[i], entry->place);
    if (entry->patient)
        store_cards_forget(core->store, CARD_PATIENT, entry->patient, entry->place);
}

/* ---- One entry ---------------------------------------------------------------------------------------------------- */

static void prune(struct core *core, uint64_t place, const Entry *entry)
{
    if (entry)
        forget_what_hangs_on(core, entry);
    store_commit_times_forget(core->store, place);
    core->log->functions->prune(core->log, place);
}

static void look_again(struct core *core, uint64_t place)
{
    store_work_put(core->store, WORK_RETAIN, core->now_ms + DAY_MS, place, "", 0);
}

/* Drops an event's payload, or notes it to be looked at again. */
static void drop(struct core *core, uint64_t place, uint64_t young)
{
    Entry *entry = entry_read(core, place, &core->scratch);
    if (entry && entry->what_case == CAREHUB__V1__ENTRY__WHAT_EVENT) {
        if (!event_over(core, entry, young))
            look_again(core, place);
        else
            core->log->functions->drop_payload(core->log, place);
    }
    arena_reset(&core->scratch);
}

/* ---- Slices ------------------------------------------------------------------------------------------------------- */

/* A payload is kept at least as long as something of the policy may ask for it. */
static int64_t payload_kept_ms(const struct core *core)
{
    const struct policy *policy = core->registry.policy;
    int64_t kept_ms = core->payload_kept_ms, hold_ms = policy_hold_ms(policy);
    kept_ms = kept_ms > hold_ms ? kept_ms : hold_ms;
    for (int type = 1; type <= EVENT_TYPE_MAX; type++) {
        int64_t late_ms = policy_late_ms(policy, (Carehub__V1__EventType)type);
        kept_ms = kept_ms > late_ms ? kept_ms : late_ms;
    }
    return kept_ms;
}

static size_t drop_some(struct core *core, size_t max)
{
    uint64_t young = place_from(core, core->now_ms - payload_kept_ms(core));
    size_t n = 0;
    if (core->retained_place + 1 >= young || core->payload_kept_ms == 0)
        return 0;
    batch_open(core);
    for (; n < max && core->retained_place + 1 < young; n++)
        drop(core, ++core->retained_place, young);
    store_number_put(core->store, RETAINED, (int64_t)core->retained_place);
    return n;
}

/* What was still needed yesterday. */
static size_t drop_noted(struct core *core, size_t max)
{
    struct card row;
    int64_t at_ms = INT64_MIN;
    uint64_t place = 0, young = 0;
    size_t n = 0;
    for (; n < max &&
           store_work_next(core->store, WORK_RETAIN, core->now_ms, &at_ms, &place, &core->scratch, &row) == STORE_OK;
         n++) {
        batch_open(core);
        if (!young)
            young = place_from(core, core->now_ms - payload_kept_ms(core));
        store_work_remove(core->store, WORK_RETAIN, at_ms, place);
        Entry *entry = entry_read(core, place, &core->scratch);
        if (entry && !event_over(core, entry, young))
            look_again(core, place);
        else if (place <= core->pruned_place)
            prune(core, place, entry);
        else
            core->log->functions->drop_payload(core->log, place);
        arena_reset(&core->scratch);
    }
    return n;
}

/* How far entries may be pruned: none that the tree or an index has not got yet. */
static uint64_t prunable(const struct core *core)
{
    uint64_t last = core->last_place > END_OF_LOG_KEPT ? core->last_place - END_OF_LOG_KEPT : 0;
    uint64_t tree = core->tlog ? (uint64_t)store_number_get(core->store, "tlog-size", 0) : UINT64_MAX;
    last = last < core->indexed_place ? last : core->indexed_place;
    last = last < core->retained_place ? last : core->retained_place;
    return last < tree ? last : tree;
}

static size_t prune_some(struct core *core, size_t max)
{
    uint64_t last = prunable(core);
    size_t n = 0;
    if (core->entry_kept_ms == 0 || core->pruned_place >= last)
        return 0;
    uint64_t young = place_from(core, core->now_ms - core->entry_kept_ms);
    if (core->pruned_place + 1 >= young)
        return 0;
    batch_open(core);
    for (; n < max && core->pruned_place < last && core->pruned_place + 1 < young; n++) {
        struct log_record record;
        uint64_t place = ++core->pruned_place;
        enum store_result read = core->log->functions->read(core->log, place, &core->scratch, &record);
        const Entry *entry = read == STORE_OK
                                 ? carehub__v1__entry__unpack(&core->scratch.protobuf, record.entry_size, record.entry)
                                 : NULL;
        bool waits = entry && entry->what_case == CAREHUB__V1__ENTRY__WHAT_EVENT && record.payload_kept;
        if (!waits && read != STORE_NONE)
            prune(core, place, entry);
        arena_reset(&core->scratch);
    }
    store_number_put(core->store, PRUNED, (int64_t)core->pruned_place);
    return n;
}

void retention_open(struct core *core)
{
    core->retained_place = (uint64_t)store_number_get(core->store, RETAINED, 0);
    core->pruned_place = (uint64_t)store_number_get(core->store, PRUNED, 0);
}

size_t retention_work(struct core *core, size_t max)
{
    if (core->now_ms < core->next_retention_ms || store_work_count(core->store, WORK_REPLAY) > 0)
        return 0;
    size_t n = drop_some(core, max), noted = drop_noted(core, max), pruned = prune_some(core, max);
    n = n > noted ? n : noted;
    n = n > pruned ? n : pruned;
    if (n < max)
        core->next_retention_ms = core->now_ms + EVERY_MS;
    return n;
}
