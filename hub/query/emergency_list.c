/* Emergency accesses, listed separately: they are rare, and each is to be looked at by somebody. Persons are pseudonyms
 * here; why it was needed is for auditors, since that may name somebody. */
#include "as_of.h"
#include "later/later.h"
#include "query.h"

enum { ACCESSES_MAX = 100, LOOKED_AT_MAX = 10000 };

typedef Carehub__V1__EmergencyAccess Access;

void emergency_given(struct core *core, uint64_t place)
{
    store_step_put(core->store, 0, STEP_LANE_EMERGENCY, 0, place);
}

void emergency_ended(struct core *core, const struct person *person, uint32_t actor, const char *role, uint64_t place)
{
    for (size_t i = 0; i < person->card->n_grants; i++) {
        const Carehub__V1__PatientCard__Member *grant = person->card->grants[i];
        if (grant->grant == CAREHUB__V1__GRANT_KIND__EMERGENCY_ACCESS && grant->actor == actor &&
            (role[0] == '\0' || strcmp(grant->role, role) == 0))
            store_step_put(core->store, 0, STEP_LANE_EMERGENCY_ENDED, grant->since, place);
    }
}

/* By its date, or when it was ended, whichever came first. */
static int64_t end_of(struct core *core, const Entry *given, int64_t until_ms)
{
    uint64_t by;
    if (store_steps_of(core->store, 0, STEP_LANE_EMERGENCY_ENDED, given->place, 0, &by, 1) != 1)
        return until_ms;
    const Entry *entry = entry_read(core, by, &core->batch);
    return entry && entry->patient == given->patient && entry->at_ms < until_ms ? entry->at_ms : until_ms;
}

static const char *justification_of(struct core *core, uint64_t place)
{
    const uint8_t *bytes;
    size_t size;
    const Entry *entry = entry_read_payload(core, place, &core->batch, &bytes, &size);
    const Fact *fact = entry ? carehub__v1__fact__unpack(&core->batch.protobuf, size, bytes) : NULL;
    return fact && fact->fact_case == CAREHUB__V1__FACT__FACT_GRANT_GIVEN ? fact->grant_given->justification : "";
}

static Access *access_of(struct core *core, const Entry *entry, bool auditor)
{
    const Carehub__V1__GrantGiven *given = entry->fact->fact->grant_given;
    const struct actor *actor = registry_actor_named(&core->registry, given->actor);
    const struct client *client = registry_client(&core->registry, entry->client);
    NEW(core, EmergencyAccess, access);
    access->place = entry->place;
    access->recorded_ms = entry->at_ms;
    access->patient = entry->patient;
    access->actor = given->actor;
    access->display = actor ? actor->card->display : access->display;
    access->role = given->role;
    access->from_ms = given->from_ms ? given->from_ms : entry->at_ms;
    access->until_ms = end_of(core, entry, given->until_ms);
    access->in_force = access->from_ms <= core->now_ms && core->now_ms < access->until_ms;
    access->over = access->until_ms <= core->now_ms;
    access->purpose = given->purpose;
    access->client = client ? client->card->name : access->client;
    if (auditor)
        access->justification = (char *)justification_of(core, entry->place);
    return access;
}

static bool is_of(uint64_t patient, size_t n, const uint64_t *numbers)
{
    for (size_t i = 0; i < n; i++)
        if (numbers[i] == patient)
            return true;
    return n == 0;
}

static void list(struct core *core, const Carehub__V1__EmergencyQuery *query, size_t n_numbers, const uint64_t *numbers,
                 bool auditor, Carehub__V1__EmergencyAnswer *answer)
{
    uint64_t place = query->after_place;
    if (query->since_ms) {
        uint64_t before = place_from(core, query->since_ms) - 1;
        place = before > place ? before : place;
    }
    answer->accesses = arena_alloc(&core->batch, ACCESSES_MAX * sizeof *answer->accesses);
    for (int looked = 0; store_steps_of(core->store, 0, STEP_LANE_EMERGENCY, 0, place, &place, 1) == 1; looked++) {
        if (answer->n_accesses == ACCESSES_MAX || looked == LOOKED_AT_MAX) {
            answer->next = place - 1;
            return;
        }
        const Entry *entry = entry_read(core, place, &core->batch);
        if (entry && entry->what_case == CAREHUB__V1__ENTRY__WHAT_FACT && is_of(entry->patient, n_numbers, numbers) &&
            entry->fact->fact->fact_case == CAREHUB__V1__FACT__FACT_GRANT_GIVEN)
            answer->accesses[answer->n_accesses++] = access_of(core, entry, auditor);
    }
}

void emergency_query(struct core *core, struct session *session, const Carehub__V1__Query *question,
                     Carehub__V1__Answer *answer)
{
    const Carehub__V1__EmergencyQuery *query = question->emergency;
    const struct client *client = registry_client(&core->registry, session->client);
    bool auditor = client_has_role(client, CAREHUB__V1__OPERATOR_ROLE__AUDITOR);
    uint64_t numbers[PERSON_NUMBERS_MAX], patient = 0;
    size_t n_numbers = 0;
    if (query->patient) {
        if (query->patient->identifier && !auditor && !client_has_role(client, CAREHUB__V1__OPERATOR_ROLE__REGISTRAR)) {
            refuse(core, &answer->error, ERROR_CODE(NOT_ALLOWED), "patient",
                   "asking by identifier needs the role registrar or auditor; ask by pseudonym (P42)");
            return;
        }
        patient = patient_resolve(core, query->patient);
        if (!person_get(core, patient)) {
            refuse(core, &answer->error, ERROR_CODE(UNKNOWN_NAME), "patient", "the hub does not know this person");
            return;
        }
        n_numbers = person_numbers(core, patient, numbers);
    }
    if (query->after_place == 0)
        log_reading(core, session, "emergency accesses", patient, 0, 0);
    NEW(core, EmergencyAnswer, emergency);
    list(core, query, n_numbers, numbers, auditor, emergency);
    answer->answer_case = CAREHUB__V1__ANSWER__ANSWER_EMERGENCY;
    answer->emergency = emergency;
}
