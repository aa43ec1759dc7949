/* What an entry is about: for whoever has found it by a row that is not sealed, and for making those rows. */
#include "index.h"

#include "eventid.h"

static size_t add_person(uint64_t numbers[PERSON_NUMBERS_MAX], size_t n, uint64_t number)
{
    for (size_t i = 0; i < n; i++)
        if (numbers[i] == number)
            return n;
    if (number && n < PERSON_NUMBERS_MAX)
        numbers[n++] = number;
    return n;
}

size_t entry_persons(const Entry *entry, uint64_t numbers[PERSON_NUMBERS_MAX])
{
    const Fact *fact = entry->what_case == CAREHUB__V1__ENTRY__WHAT_FACT ? entry->fact->fact : NULL;
    const Carehub__V1__PatientRef *other = NULL;
    size_t n = add_person(numbers, 0, entry->patient);
    if (fact && fact->fact_case == CAREHUB__V1__FACT__FACT_PATIENTS_MERGED)
        other = fact->patients_merged->merged;
    if (fact && fact->fact_case == CAREHUB__V1__FACT__FACT_PATIENTS_SEPARATED)
        other = fact->patients_separated->merged;
    if (other)
        n = add_person(numbers, n, other->number);
    for (size_t i = 0; entry->what_case == CAREHUB__V1__ENTRY__WHAT_ERASED && i < entry->erased->n_numbers; i++)
        n = add_person(numbers, n, entry->erased->numbers[i]);
    return n;
}

bool entry_concerns(const Entry *entry, const uint64_t *numbers, size_t n)
{
    uint64_t own[PERSON_NUMBERS_MAX];
    size_t n_own = entry_persons(entry, own);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n_own; j++)
            if (numbers[i] == own[j])
                return true;
    return false;
}

const ProtobufCBinaryData *entry_id(const Entry *entry)
{
    switch (entry->what_case) {
    case CAREHUB__V1__ENTRY__WHAT_EVENT:
        return &entry->event->id;
    case CAREHUB__V1__ENTRY__WHAT_NOT_KEPT:
        return &entry->not_kept->id;
    case CAREHUB__V1__ENTRY__WHAT_FACT:
        return &entry->fact->fact->id;
    default:
        return NULL;
    }
}

bool entry_has_id(const Entry *entry, const ProtobufCBinaryData *id)
{
    const ProtobufCBinaryData *own = entry_id(entry);
    return own && own->len == EVENTID_BYTES && id->len == EVENTID_BYTES &&
           memcmp(own->data, id->data, EVENTID_BYTES) == 0;
}

static bool same_slot(const Carehub__V1__Slot *a, const Carehub__V1__Slot *b)
{
    return a->inbox == b->inbox && a->lane == b->lane && a->number == b->number;
}

bool entry_of_slot(const Entry *entry, const Carehub__V1__Slot *slot)
{
    switch (entry->what_case) {
    case CAREHUB__V1__ENTRY__WHAT_NACK:
        return same_slot(entry->nack->slot, slot);
    case CAREHUB__V1__ENTRY__WHAT_RETRY:
        return same_slot(entry->retry->old_slot, slot);
    case CAREHUB__V1__ENTRY__WHAT_END:
        return entry->end->inbox == slot->inbox && entry->end->lane == slot->lane && entry->end->from <= slot->number &&
               slot->number <= entry->end->to;
    default:
        return false;
    }
}

const Carehub__V1__AckedRange *entry_acks(const Entry *entry, const Carehub__V1__Slot *slot, int kind)
{
    if (entry->what_case != CAREHUB__V1__ENTRY__WHAT_ACK || entry->ack->inbox != slot->inbox)
        return NULL;
    for (size_t i = 0; i < entry->ack->n_ranges; i++) {
        const Carehub__V1__AckedRange *range = entry->ack->ranges[i];
        if (range->lane == slot->lane && (kind < 0 || (int)range->kind == kind) && range->from <= slot->number &&
            slot->number <= range->to)
            return range;
    }
    return NULL;
}
