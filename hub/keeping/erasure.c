#include "erasure.h"

#include <stdlib.h>

#include <sodium.h>

#include "eventid.h"
#include "index.h"
#include "keeping.h"
#include "later/later.h"

enum { STEPS_AT_ONCE = 32 };

typedef Carehub__V1__ErasureCard Card;

/* ---- Erasures that are asked for, or under way -------------------------------------------------------------------- */

static void put_card(struct core *core, enum work_kind kind, int64_t at_ms, uint64_t place, const Card *card)
{
    size_t size = carehub__v1__erasure_card__get_packed_size(card);
    uint8_t *body = arena_alloc(&core->scratch, size);
    carehub__v1__erasure_card__pack(card, body);
    store_work_put(core->store, kind, at_ms, place, body, size);
}

void erasure_asked(struct core *core, const Card *card)
{
    put_card(core, WORK_ERASURE_ASKED, core->now_ms + ERASURE_LAPSES_DAYS * DAY_MS, card->requested, card);
}

Card *erasure_find(struct core *core, uint64_t request, int64_t *lapses_ms)
{
    struct card row;
    uint64_t place = 0;
    *lapses_ms = INT64_MIN;
    while (store_work_next(core->store, WORK_ERASURE_ASKED, INT64_MAX, lapses_ms, &place, &core->scratch, &row) ==
           STORE_OK)
        if (place == request)
            return carehub__v1__erasure_card__unpack(&core->scratch.protobuf, row.size, row.body);
    return NULL;
}

/* What was never confirmed. */
static void lapse(struct core *core)
{
    struct card row;
    int64_t at_ms = INT64_MIN;
    uint64_t place = 0;
    while (store_work_next(core->store, WORK_ERASURE_ASKED, core->now_ms, &at_ms, &place, &core->scratch, &row) !=
           STORE_NONE) {
        batch_open(core);
        store_work_remove(core->store, WORK_ERASURE_ASKED, at_ms, place);
    }
}

static void due_remove(struct core *core, uint64_t number, int64_t from_ms, int64_t until_ms)
{
    store_due_remove(core->store, number, from_ms);
    store_due_remove(core->store, number, until_ms);
}

static void due_remove_all(struct core *core, uint64_t number, const Carehub__V1__PatientCard *card)
{
    for (size_t i = 0; i < card->n_members; i++)
        due_remove(core, number, card->members[i]->from_ms, card->members[i]->until_ms);
    for (size_t i = 0; i < card->n_grants; i++)
        due_remove(core, number, card->grants[i]->from_ms, card->grants[i]->until_ms);
    for (size_t i = 0; i < card->n_settings; i++)
        due_remove(core, number, card->settings[i]->from_ms, card->settings[i]->until_ms);
    for (size_t i = 0; i < card->n_consents; i++)
        due_remove(core, number, card->consents[i]->from_ms, card->consents[i]->until_ms);
}

/* The dates of all versions of a person's card, while they can still be read. */
static void dates_remove(struct core *core, uint64_t number)
{
    struct card row;
    uint64_t at = PLACE_LATEST;
    for (; store_card_get(core->store, CARD_PATIENT, number, at, &core->scratch, &row) == STORE_OK;
         at = row.from_place - 1) {
        const Carehub__V1__PatientCard *card =
            carehub__v1__patient_card__unpack(&core->scratch.protobuf, row.size, row.body);
        if (card)
            due_remove_all(core, number, card);
    }
}

void erasure_begin(struct core *core, uint64_t request, uint64_t confirmed, uint32_t confirmed_by)
{
    int64_t lapses_ms;
    Card *card = erasure_find(core, request, &lapses_ms);
    uint64_t numbers[PERSON_NUMBERS_MAX];
    if (!card)
        return; /* damaged: said when it was read */
    store_work_remove(core->store, WORK_ERASURE_ASKED, lapses_ms, request);
    card->confirmed = confirmed;
    card->confirmed_by = confirmed_by;
    if (card->n_numbers > 0) {
        const struct person *person = person_deciding(core, card->numbers[0]);
        card->n_numbers = person_numbers(core, person->number, numbers);
        card->numbers = numbers;
    }
    merged_note_identifiers(core, card);
    for (size_t i = 0; i < card->n_numbers; i++) {
        dates_remove(core, numbers[i]);
        store_subject_erase(core->store, numbers[i]);
    }
    if (card->actor)
        actor_erase(core, card->actor, confirmed);
    persons_forget(&core->persons);
    events_forget(core);
    put_card(core, WORK_ERASURE, core->now_ms, confirmed, card);
    core->next_behind_ms = 0;
}

/* Of those who were erased by older versions nothing stayed at all. */
static bool is_there(enum store_result subject)
{
    return subject != STORE_ERASED && subject != STORE_NONE;
}

Carehub__V1__Reason event_gone(struct core *core, uint64_t place)
{
    struct log_record record;
    uint8_t key[VAULT_KEY_BYTES];
    enum store_result result = core->log->functions->read(core->log, place, &core->scratch, &record);
    const Entry *entry = result == STORE_OK
                             ? carehub__v1__entry__unpack(&core->scratch.protobuf, record.entry_size, record.entry)
                             : NULL;
    if (result == STORE_ERASED ||
        (entry && entry->patient && !is_there(store_subject_key(core->store, entry->patient, key))))
        return REASON(END_ERASED);
    sodium_memzero(key, sizeof key);
    return (entry && !record.payload_kept) || (result == STORE_NONE && place <= core->pruned_place)
               ? REASON(END_EXPIRED)
               : REASON(REASON_UNSPECIFIED);
}

bool event_kept(struct core *core, uint64_t place)
{
    struct log_record record;
    return core->log->functions->read(core->log, place, &core->scratch, &record) == STORE_OK && record.payload_kept;
}

/* ---- Telling those who received it -------------------------------------------------------------------------------- */

/* Has the receiver got it: is it on its way there, or acknowledged? */
static bool slot_received(struct core *core, const Carehub__V1__Slot *slot)
{
    const struct inbox *inbox = registry_inbox(&core->registry, slot->inbox);
    if (!inbox || inbox->card->closed)
        return false;
    const struct lane *lane = &inbox->lanes[slot->lane];
    if (slot->number > lane->settled)
        return slot->number <= lane->sent;
    for (int kind = 0; kind <= CAREHUB__V1__ACK_KIND__READ; kind++) {
        uint64_t places[STEPS_AT_ONCE];
        const Entry *entry;
        int n =
            store_acked_places(core->store, slot->inbox, (int)slot->lane, kind, slot->number, 0, places, STEPS_AT_ONCE);
        for (int i = 0; i < n; i++)
            if ((entry = entry_read(core, places[i], &core->scratch)) && entry_acks(entry, slot, -1))
                return true;
    }
    return false;
}

static bool listed(const struct route_decision *decision, uint32_t inbox)
{
    for (int i = 0; i < decision->n_inboxes; i++)
        if (decision->inboxes[i] == inbox)
            return true;
    return false;
}

/* Who received it, and where: decisions for a notice. Returns their count. */
static size_t receivers(struct core *core, const Entry *entry, struct route_decision *to)
{
    size_t n = 0;
    for (size_t i = 0; i < entry->event->n_decisions; i++) {
        const Decision *decision = entry->event->decisions[i];
        to[n] = (struct route_decision){
            .actor = decision->actor, .outcome = OUTCOME(DELIVER), .reason = REASON(CORRECTION_NOTICE), .notice = true};
        for (size_t s = 0; s < decision->n_slots && to[n].n_inboxes < ROUTE_SLOTS_MAX; s++)
            if (decision->outcome == OUTCOME(DELIVER) && !listed(&to[n], decision->slots[s]->inbox) &&
                slot_received(core, decision->slots[s]))
                to[n].inboxes[to[n].n_inboxes++] = decision->slots[s]->inbox;
        n += to[n].n_inboxes > 0;
    }
    return n;
}

/* A retraction without content, of an event whose person the hub no longer knows: an event of nobody. */
static bool tell_receivers(struct core *core, const Entry *original)
{
    struct route_decision *to = arena_alloc(&core->scratch, (original->event->n_decisions + 1) * sizeof *to);
    const struct actor *author = registry_actor(&core->registry, original->actor);
    Carehub__V1__Event notice = CAREHUB__V1__EVENT__INIT;
    Carehub__V1__Author by = CAREHUB__V1__AUTHOR__INIT;
    Carehub__V1__EventEntry what = CAREHUB__V1__EVENT_ENTRY__INIT;
    Entry entry = CAREHUB__V1__ENTRY__INIT;
    uint8_t id[EVENTID_BYTES], digest[DIGEST_BYTES];
    size_t n = receivers(core, original, to);
    if (n == 0)
        return false;
    if (eventid_new_at(id, (uint64_t)core->now_ms) != EVENTID_OK)
        abort();
    by.actor = author ? author->card->name : by.actor;
    notice.id = (ProtobufCBinaryData){sizeof id, id};
    notice.type = original->event->type;
    notice.author = &by;
    notice.retracts = original->event->id;
    size_t size = carehub__v1__event__get_packed_size(&notice);
    uint8_t *bytes = arena_alloc(&core->scratch, size);
    carehub__v1__event__pack(&notice, bytes);
    vault_digest(core->vault, bytes, size, digest);

    what.id = notice.id;
    what.type = notice.type;
    what.digest = (ProtobufCBinaryData){sizeof digest, digest};
    what.urgency = original->event->urgency;
    what.retracts = original->place;
    what.policy = core->registry.policy_place;
    what.size_bytes = (uint32_t)size;
    what.received_ms = core->now_ms;
    what.n_decisions = n;
    what.decisions = arena_alloc(&core->scratch, n * sizeof *what.decisions);
    for (size_t i = 0; i < n; i++)
        what.decisions[i] = decision_entry(core, &to[i], core->last_place + 1, lane_of(what.urgency), &NOT_LATER);
    entry.what_case = CAREHUB__V1__ENTRY__WHAT_EVENT;
    entry.event = &what;
    batch_append(core, &entry, NULL, bytes, size);
    event_remember(core, &entry, bytes, size);
    return true;
}

/* ---- One entry ---------------------------------------------------------------------------------------------------- */

/* What a receiver said of a delivery when it refused it. */
static void erase_refusals(struct core *core, uint64_t event_place, const Carehub__V1__Slot *slot)
{
    uint64_t place = 0;
    while (store_steps_of(core->store, slot->inbox, (int)slot->lane, slot->number, place, &place, 1) == 1) {
        const Entry *entry = entry_read(core, place, &core->scratch);
        if (entry && entry->what_case == CAREHUB__V1__ENTRY__WHAT_NACK && entry->nack->event_place == event_place)
            core->log->functions->erase(core->log, place);
    }
}

/* What was refused, and waits to be sent again or is dead. */
static void end_exceptions(struct core *core, uint64_t event_place, uint32_t number)
{
    struct inbox *inbox = registry_inbox(&core->registry, number);
    for (size_t i = 0; inbox && i < inbox->n_exceptions; i++) {
        const struct exception *exception = &inbox->exceptions[i];
        struct ending ending = {.inbox = inbox,
                                .lane = exception->lane,
                                .number = exception->number,
                                .place = event_place,
                                .end = REASON(END_ERASED),
                                .was_sent = true};
        if (exception->item.place == event_place && exception->state != CAREHUB__V1__EXCEPTION_CARD__STATE__ACKED)
            end_later(core, &ending);
    }
}

static void erase_event(struct core *core, Card *card, Entry *entry)
{
    decisions_since(core, entry);
    if (policy_retracts_erased(core->registry.policy, entry->event->type) && !entry->event->retracts)
        card->told += tell_receivers(core, entry);
    for (size_t i = 0; i < entry->event->n_decisions; i++) {
        const Decision *decision = entry->event->decisions[i];
        for (size_t s = 0; s < decision->n_slots; s++) {
            erase_refusals(core, entry->place, decision->slots[s]);
            end_exceptions(core, entry->place, decision->slots[s]->inbox);
        }
    }
    core->n_held -= (uint64_t)store_held_remove_all(core->store, entry->place);
    for (int lane = 0; lane <= STEP_LANE_LAST; lane++)
        store_steps_remove(core->store, 0, lane, entry->place);
    store_id_remove(core->store, entry->event->id.data);
}

void erase_entry(struct core *core, Card *card, uint64_t place)
{
    struct log_record record;
    enum store_result read = core->log->functions->read(core->log, place, &core->scratch, &record);
    Entry *entry =
        read == STORE_OK ? carehub__v1__entry__unpack(&core->scratch.protobuf, record.entry_size, record.entry) : NULL;
    if (read == STORE_ERASED) { /* with the other one of two whom it concerned */
        arena_reset(&core->scratch);
        return;
    }
    if (entry)
        merged_note_host(card, entry);
    if (entry && entry->what_case == CAREHUB__V1__ENTRY__WHAT_EVENT)
        erase_event(core, card, entry);
    else if (entry && entry->what_case == CAREHUB__V1__ENTRY__WHAT_FACT)
        store_id_remove(core->store, entry->fact->fact->id.data);
    core->log->functions->erase(core->log, place);
    card->entries++;
    endings_take(core); /* ends with an empty scratch arena */
}

/* ---- One person --------------------------------------------------------------------------------------------------- */

/* The last version of the card that is left. False: none is. */
static bool erase_version(struct core *core, uint64_t number)
{
    struct card row;
    if (store_card_get(core->store, CARD_PATIENT, number, PLACE_LATEST, &core->scratch, &row) == STORE_NONE)
        return false;
    store_card_remove(core->store, CARD_PATIENT, number, row.from_place);
    arena_reset(&core->scratch);
    return true;
}

/* Erases what is left of a person, at most `max` rows. Returns how many: less than `max` says that nothing is left. */
static size_t erase_person(struct core *core, Card *card, uint64_t number, size_t max)
{
    size_t n = 0;
    uint64_t place = 0;
    while (n < max && (place = store_of_person_next(core->store, number, place + 1)) != 0 &&
           place <= core->indexed_place) {
        const Entry *entry = entry_read(core, place, &core->scratch);
        bool survives = entry && entry->what_case == CAREHUB__V1__ENTRY__WHAT_ERASED; /* an earlier erasure */
        n++;
        if (survives)
            continue;
        erase_entry(core, card, place);
        store_of_person_remove(core->store, number, place);
    }
    while (n < max && erase_version(core, number))
        n++;
    return n;
}

/* ---- Behind the hot path ------------------------------------------------------------------------------------------ */

static void log_erased(struct core *core, const Card *card)
{
    Carehub__V1__ErasedEntry what = CAREHUB__V1__ERASED_ENTRY__INIT;
    Entry entry = CAREHUB__V1__ENTRY__INIT;
    what.n_numbers = card->n_numbers;
    what.numbers = card->numbers;
    what.of_actor = card->actor;
    what.entries = card->entries;
    what.requested = card->requested;
    what.confirmed = card->confirmed;
    what.requested_by = card->requested_by;
    what.confirmed_by = card->confirmed_by;
    what.requested_ms = card->requested_ms;
    what.told = card->told;
    entry.patient = card->n_numbers > 0 ? card->numbers[0] : 0;
    entry.what_case = CAREHUB__V1__ENTRY__WHAT_ERASED;
    entry.erased = &what;
    batch_append(core, &entry, NULL, NULL, 0);
}

/* A slice of one erasure. */
static size_t erase_some(struct core *core, int64_t at_ms, uint64_t place, const struct card *row, size_t max)
{
    Card *card = carehub__v1__erasure_card__unpack(NULL, row->size, row->body);
    size_t n = 0;
    if (!card)
        return max;
    for (size_t i = 0; i < card->n_numbers && n < max; i++)
        n += erase_person(core, card, card->numbers[i], max - n);
    if (n < max)
        n += merged_erase(core, card, max - n);
    if (card->actor && n < max)
        n += actor_erase_rest(core, card, max - n);
    if (n >= max) {
        put_card(core, WORK_ERASURE, at_ms, place, card);
    } else {
        store_work_remove(core->store, WORK_ERASURE, at_ms, place);
        log_erased(core, card);
        store_truncate_wal(core->store);
        say(5, "the erasure that was confirmed at #%llu is done: %llu entries", (unsigned long long)place,
            (unsigned long long)card->entries);
    }
    carehub__v1__erasure_card__free_unpacked(card, NULL);
    arena_reset(&core->scratch);
    return n;
}

size_t erasures_work(struct core *core, size_t max)
{
    struct card row;
    int64_t at_ms = INT64_MIN;
    uint64_t place = 0;
    size_t n = 0;
    lapse(core);
    while (n < max &&
           store_work_next(core->store, WORK_ERASURE, INT64_MAX, &at_ms, &place, &core->batch, &row) == STORE_OK) {
        if (core->indexed_place < place)
            return n; /* its entries are not all found yet */
        batch_open(core);
        n += erase_some(core, at_ms, place, &row, max - n);
    }
    return n;
}
