/* Emergency access from outside the team: the hub itself tells the team and the person of it, by an event like any
 * other, right behind the grant. */
#include "core/core_private.h"

#include <stdlib.h>

#include "eventid.h"
#include "identifier.h"
#include "later.h"

/* Adds an identifier in its normal form, if it still is this person's. */
static void add_identifier(struct core *core, const struct person *person, Carehub__V1__Patient *patient,
                           Carehub__V1__Identifier *identifier)
{
    struct identifier checked;
    char system[IDENTIFIER_SYSTEM_CHARS];
    const Carehub__V1__PatientRef ref = {.base = PROTOBUF_C_MESSAGE_INIT(&carehub__v1__patient_ref__descriptor),
                                         .identifier = identifier};
    if (patient_find(core, &ref) != person->number || patient->n_identifiers == IDENTIFIERS_MAX)
        return;
    identifier_check(identifier->system, identifier->value, &checked);
    identifier_system_normalise(identifier->system, system);
    Carehub__V1__Identifier *added = arena_alloc(&core->scratch, sizeof *added);
    carehub__v1__identifier__init(added);
    added->system = arena_strdup(&core->scratch, system);
    added->value = arena_strdup(&core->scratch, checked.value);
    patient->identifiers[patient->n_identifiers++] = added;
}

/* The hub keeps no identifiers but in sealed payloads: of this grant, and of the person's registration. */
static void identify(struct core *core, const struct person *person, const Carehub__V1__GrantGiven *given,
                     Carehub__V1__Patient *patient)
{
    const uint8_t *bytes;
    size_t size;
    uint64_t place = store_card_first(core->store, CARD_PATIENT, person->number);
    const Entry *entry = place ? entry_read_payload(core, place, &core->scratch, &bytes, &size) : NULL;
    const Fact *fact = entry && entry->what_case == CAREHUB__V1__ENTRY__WHAT_FACT
                           ? carehub__v1__fact__unpack(&core->scratch.protobuf, size, bytes)
                           : NULL;
    patient->identifiers = arena_alloc(&core->scratch, IDENTIFIERS_MAX * sizeof *patient->identifiers);
    if (fact && fact->fact_case == CAREHUB__V1__FACT__FACT_PATIENT_REGISTERED)
        for (size_t i = 0; i < fact->patient_registered->n_identifiers; i++)
            add_identifier(core, person, patient, fact->patient_registered->identifiers[i]);
    if (patient->n_identifiers == 0 && given->patient->identifier)
        add_identifier(core, person, patient, given->patient->identifier);
}

void emergency_tell(struct core *core, struct person *person, const struct actor *who,
                    const Carehub__V1__GrantGiven *given)
{
    Carehub__V1__Event event = CAREHUB__V1__EVENT__INIT;
    Carehub__V1__Patient patient = CAREHUB__V1__PATIENT__INIT;
    Carehub__V1__Author author = CAREHUB__V1__AUTHOR__INIT;
    Carehub__V1__EmergencyAccessUsed body = CAREHUB__V1__EMERGENCY_ACCESS_USED__INIT;
    Carehub__V1__Party hub = CAREHUB__V1__PARTY__INIT, party = CAREHUB__V1__PARTY__INIT;
    Carehub__V1__Time now = CAREHUB__V1__TIME__INIT, from = now, until = now;
    uint8_t id[EVENTID_BYTES];
    identify(core, person, given, &patient);
    if (patient.n_identifiers == 0) {
        say(4, "P%llu has no identifier by which its team could be told of an emergency access",
            (unsigned long long)person->number);
        return;
    }
    if (eventid_new_at(id, (uint64_t)core->now_ms) != EVENTID_OK)
        abort();
    hub.name = core->hub_name;
    author.organisation = &hub;
    now.unix_ms = core->now_ms;
    now.precision = CAREHUB__V1__PRECISION__PRECISION_SECOND;
    from = until = now;
    from.unix_ms = given->from_ms ? given->from_ms : core->now_ms;
    until.unix_ms = given->until_ms;
    party.name = who->card->display[0] ? who->card->display : who->card->name;
    if (who->card->kind != CAREHUB__V1__ACTOR_KIND__PERSON &&
        who->card->kind != CAREHUB__V1__ACTOR_KIND__INFORMAL_CARER) {
        party.n_identifiers = who->card->n_identifiers;
        party.identifiers = who->card->identifiers;
    }
    body.who = &party;
    body.role = given->role;
    body.from = &from;
    body.until = &until;
    body.purpose = given->purpose;
    body.justification = given->justification;
    event.id = (ProtobufCBinaryData){sizeof id, id};
    event.type = CAREHUB__V1__EVENT_TYPE__EMERGENCY_ACCESS_USED;
    event.patient = &patient;
    event.author = &author;
    event.occurred_at = event.recorded_at = &now;
    event.body_case = CAREHUB__V1__EVENT__BODY_EMERGENCY_ACCESS_USED;
    event.emergency_access_used = &body;
    take_own_event(core, &event, person);
}
