/* A person who is erased may have been taken for another: its record was merged into that one's, and separated again.
 * What was published under its identifiers meanwhile stands among the entries of the other, who stays, and is sealed
 * with the other's key. Events go whole; of facts, on which decisions about the other rest, what was submitted goes. */
#include "erasure.h"
#include "index.h"

#include <stdlib.h>

enum { IDENTIFIERS_NOTED_MAX = 256 };

typedef Carehub__V1__ErasureCard Card;
typedef Carehub__V1__ErasureCard__Host Host;

void merged_note_identifiers(struct core *core, Card *card)
{
    uint8_t *hashes = arena_alloc(&core->scratch, IDENTIFIERS_NOTED_MAX * DIGEST_BYTES);
    size_t n = 0;
    for (size_t i = 0; i < card->n_numbers; i++)
        n += store_identifiers_of(core->store, card->numbers[i], (void *)(hashes + n * DIGEST_BYTES),
                                  IDENTIFIERS_NOTED_MAX - n);
    card->identifiers = arena_alloc(&core->scratch, (n + 1) * sizeof *card->identifiers);
    card->n_identifiers = n;
    for (size_t i = 0; i < n; i++)
        card->identifiers[i] = (ProtobufCBinaryData){DIGEST_BYTES, hashes + i * DIGEST_BYTES};
}

/* ---- Hosts ------------------------------------------------------------------------------------------------------- */

static bool is_listed(const Card *card, uint64_t number)
{
    for (size_t i = 0; i < card->n_numbers; i++)
        if (card->numbers[i] == number)
            return true;
    for (size_t i = 0; i < card->n_hosts; i++)
        if (card->hosts[i]->number == number)
            return true;
    return false;
}

void merged_note_host(Card *card, const Entry *entry)
{
    const Fact *fact = entry->what_case == CAREHUB__V1__ENTRY__WHAT_FACT ? entry->fact->fact : NULL;
    if (!fact || fact->fact_case != CAREHUB__V1__FACT__FACT_PATIENTS_MERGED || entry->patient == 0 ||
        card->n_hosts >= PERSON_NUMBERS_MAX || is_listed(card, entry->patient))
        return;
    Host *host = xcalloc(1, sizeof *host);
    carehub__v1__erasure_card__host__init(host);
    host->number = entry->patient;
    host->next = entry->place + 1;
    card->hosts = xreallocarray(card->hosts, card->n_hosts + 1, sizeof *card->hosts);
    card->hosts[card->n_hosts++] = host;
}

/* ---- What is the person's among them ----------------------------------------------------------------------------- */

static bool is_persons(struct core *core, const Card *card, const Carehub__V1__Identifier *identifier)
{
    uint8_t hash[DIGEST_BYTES];
    if (!identifier)
        return false;
    vault_identifier_hash(core->vault, identifier->system, identifier->value, hash);
    for (size_t i = 0; i < card->n_identifiers; i++)
        if (card->identifiers[i].len == DIGEST_BYTES && memcmp(card->identifiers[i].data, hash, DIGEST_BYTES) == 0)
            return true;
    return false;
}

static bool event_is_persons(struct core *core, const Card *card, const uint8_t *bytes, size_t size)
{
    const Carehub__V1__Event *event = carehub__v1__event__unpack(&core->scratch.protobuf, size, bytes);
    for (size_t i = 0; event && event->patient && i < event->patient->n_identifiers; i++)
        if (is_persons(core, card, event->patient->identifiers[i]))
            return true;
    return false;
}

/* The persons that a fact names are in fields of these names. */
static bool fact_names_person(struct core *core, const Card *card, const uint8_t *bytes, size_t size)
{
    static const char *const names[] = {"patient", "merged"};
    const Fact *fact = carehub__v1__fact__unpack(&core->scratch.protobuf, size, bytes);
    const ProtobufCFieldDescriptor *field =
        fact ? protobuf_c_message_descriptor_get_field(&carehub__v1__fact__descriptor, (unsigned)fact->fact_case)
             : NULL;
    if (!field)
        return false;
    const ProtobufCMessage *message = *(const ProtobufCMessage *const *)((const char *)fact + field->offset);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        field = protobuf_c_message_descriptor_get_field_by_name(message->descriptor, names[i]);
        const Carehub__V1__PatientRef *ref =
            field ? *(const Carehub__V1__PatientRef *const *)((const char *)message + field->offset) : NULL;
        if (ref && is_persons(core, card, ref->identifier))
            return true;
    }
    return false;
}

static void look_at(struct core *core, Card *card, Host *host, uint64_t place)
{
    const uint8_t *bytes;
    size_t size;
    const Entry *entry = entry_read_payload(core, place, &core->scratch, &bytes, &size);
    if (entry && entry->what_case == CAREHUB__V1__ENTRY__WHAT_EVENT && event_is_persons(core, card, bytes, size)) {
        erase_entry(core, card, place);
        store_of_person_remove(core->store, host->number, place);
    } else if (entry && entry->what_case == CAREHUB__V1__ENTRY__WHAT_FACT) {
        if (entry->patient != host->number)
            merged_note_host(card, entry); /* the host was itself merged into another for a time */
        if (fact_names_person(core, card, bytes, size))
            core->log->functions->drop_payload(core->log, place);
    }
    arena_reset(&core->scratch);
}

size_t merged_erase(struct core *core, Card *card, size_t max)
{
    size_t n = 0;
    for (size_t i = 0; i < card->n_hosts; i++) {
        Host *host = card->hosts[i];
        uint64_t place;
        while (n < max && (place = store_of_person_next(core->store, host->number, host->next)) != 0 &&
               place <= core->indexed_place) {
            look_at(core, card, host, place);
            host->next = place + 1;
            n++;
        }
    }
    return n;
}
