/* What the hub knows of a person: team, consents, grants, settings; now, or as of any place. Patients are named by
 * their pseudonyms, but by registrars and auditors. */
#include "as_of.h"
#include "query.h"

static Carehub__V1__ListedMember **list_members(struct core *core, size_t n, Carehub__V1__PatientCard__Member **members)
{
    Carehub__V1__ListedMember **list = arena_alloc(&core->batch, n * sizeof *list + 1);
    for (size_t i = 0; i < n; i++) {
        const struct actor *actor = registry_actor(&core->registry, members[i]->actor);
        NEW(core, ListedMember, listed);
        listed->actor = actor->card->name;
        listed->display = actor->card->display;
        listed->member = members[i];
        listed->recorded_ms = as_of_written_ms(core, members[i]->since);
        list[i] = listed;
    }
    return list;
}

void log_reading(struct core *core, const struct session *session, const char *question, uint64_t patient,
                 uint64_t event_place, uint32_t of_actor)
{
    Carehub__V1__ReadingEntry what = CAREHUB__V1__READING_ENTRY__INIT;
    Entry entry = CAREHUB__V1__ENTRY__INIT;
    batch_open(core);
    what.question = (char *)question;
    what.event_place = event_place;
    what.of_actor = of_actor;
    entry.client = session->client;
    entry.patient = patient;
    entry.what_case = CAREHUB__V1__ENTRY__WHAT_READING;
    entry.reading = &what;
    batch_append(core, &entry, person_get(core, patient), NULL, 0);
}

static Carehub__V1__ListedSetting **list_settings(struct core *core, const Carehub__V1__PatientCard *card)
{
    Carehub__V1__ListedSetting **list = arena_alloc(&core->batch, (card->n_settings + 1) * sizeof *list);
    for (size_t i = 0; i < card->n_settings; i++) {
        list[i] = arena_alloc(&core->batch, sizeof *list[i]);
        carehub__v1__listed_setting__init(list[i]);
        list[i]->setting = card->settings[i];
        list[i]->recorded_ms = as_of_written_ms(core, card->settings[i]->since);
        if (card->settings[i]->actor)
            list[i]->actor = registry_actor(&core->registry, card->settings[i]->actor)->card->name;
    }
    return list;
}

/* Whose card is asked for: as of an earlier place, the person that was merged only later is still its own. */
static uint64_t patient_asked(struct core *core, const Carehub__V1__PatientRef *ref, uint64_t at_place)
{
    if (!at_place || !ref->identifier)
        return patient_resolve(core, ref);
    struct as_of at = {.core = core};
    as_of_go(&at, at_place, &core->batch);
    uint64_t number = patient_find(core, ref);
    for (int i = 0; i < MERGES_MAX && number; i++) {
        const Carehub__V1__PatientCard *card = as_of_patient(&at, number);
        if (!card || !card->merged_into)
            break;
        number = card->merged_into;
    }
    return number;
}

static void list_consents(struct core *core, const Carehub__V1__PatientCard *card, Carehub__V1__PatientAnswer *patient)
{
    patient->n_consents = patient->n_consents_recorded_ms = card->n_consents;
    patient->consents = card->consents;
    patient->consents_recorded_ms =
        arena_alloc(&core->batch, (card->n_consents + 1) * sizeof *patient->consents_recorded_ms);
    for (size_t i = 0; i < card->n_consents; i++)
        patient->consents_recorded_ms[i] = as_of_written_ms(core, card->consents[i]->since);
}

void patient_query(struct core *core, struct session *session, const Carehub__V1__Query *query,
                   Carehub__V1__Answer *answer)
{
    const Carehub__V1__PatientRef *ref = query->patient->patient;
    const struct client *client = registry_client(&core->registry, session->client);
    if (ref && ref->identifier && !client_has_role(client, CAREHUB__V1__OPERATOR_ROLE__REGISTRAR) &&
        !client_has_role(client, CAREHUB__V1__OPERATOR_ROLE__AUDITOR)) {
        refuse(core, &answer->error, ERROR_CODE(NOT_ALLOWED), "patient",
               "asking by identifier needs the role registrar or auditor; ask by pseudonym (P42)");
        return;
    }
    uint64_t at_place;
    if (!as_of_asked(core, query->patient->at_place, query->patient->at_ms, &at_place, &answer->error))
        return;
    uint64_t number = ref ? patient_asked(core, ref, at_place) : 0;
    struct card row;
    enum store_result found = number ? store_card_get(core->store, CARD_PATIENT, number,
                                                      at_place ? at_place : PLACE_LATEST, &core->batch, &row)
                                     : STORE_NONE;
    Carehub__V1__PatientCard *card =
        found == STORE_OK ? carehub__v1__patient_card__unpack(&core->batch.protobuf, row.size, row.body) : NULL;
    log_reading(core, session, "patient", number, 0, 0);
    if (!card) {
        refuse(core, &answer->error, found == STORE_DAMAGED ? ERROR_CODE(INTERNAL) : ERROR_CODE(UNKNOWN_NAME),
               "patient",
               found == STORE_DAMAGED ? "this person's card is damaged; see the hub's log"
                                      : "the hub does not know this person (at that place)");
        return;
    }
    NEW(core, PatientAnswer, patient);
    patient->number = number;
    patient->from_place = row.from_place;
    patient->at_place = at_place;
    patient->at_ms = as_of_written_ms(core, at_place);
    patient->deceased = card->deceased;
    patient->n_members = card->n_members;
    patient->members = list_members(core, card->n_members, card->members);
    patient->n_grants = card->n_grants;
    patient->grants = list_members(core, card->n_grants, card->grants);
    list_consents(core, card, patient);
    patient->n_excluded = card->n_excluded;
    patient->excluded = strings(&core->batch, card->n_excluded);
    for (size_t i = 0; i < card->n_excluded; i++)
        patient->excluded[i] = registry_actor(&core->registry, card->excluded[i])->card->name;
    patient->settings = list_settings(core, card);
    patient->n_settings = card->n_settings;
    patient->merged_into = card->merged_into;
    patient->n_merged = card->n_merges;
    patient->merged = arena_alloc(&core->batch, (card->n_merges + 1) * sizeof *patient->merged);
    for (size_t i = 0; i < card->n_merges; i++)
        patient->merged[i] = card->merges[i]->number;
    answer->answer_case = CAREHUB__V1__ANSWER__ANSWER_PATIENT;
    answer->patient = patient;
}
