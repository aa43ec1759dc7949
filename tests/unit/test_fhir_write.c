// Care events as FHIR messages. The events are written as JSON, and what is made of them is read again by our own
// reader; with --samples DIRECTORY everything that is made here is written to files instead, for another validator.
#include "fhir_case.h"

#include <stdio.h>

#include <json-c/json_object.h>
#include <json-c/json_util.h>

#include "catalogue.h"
#include "fhir_write.h"
#include "pbjson.h"

#define ENVELOPE                                                                                                       \
    "\"id\":\"019ca9b0-0000-7000-8000-000000000001\",\"patient\":{\"identifiers\":[{\"system\":\"ssin\",\"value\":"    \
    "\"" SSIN "\"},{\"system\":\"urn:az-test:patient\",\"value\":\"100001\"}]},\"author\":{\"actor\":\"az-test\","     \
    "\"role\":\"hospital\",\"professional\":{\"name\":\"An Claes\",\"identifiers\":[{\"system\":\"nihdi\",\"value\":"  \
    "\"10999995\"}]},\"organisation\":{\"name\":\"AZ Test\",\"identifiers\":[{\"system\":\"cbe\",\"value\":"           \
    "\"0566988259\"}]}},\"occurredAt\":{\"unixMs\":\"1772353800000\",\"offsetMinutes\":60,\"precision\":"              \
    "\"PRECISION_MINUTE\"},\"recordedAt\":{\"unixMs\":\"1772353860000\"},\"correlationId\":\"az-test:V9\","
#define AT(name) "\"" name "\":{\"unixMs\":\"1772353800000\",\"offsetMinutes\":60,\"precision\":\"PRECISION_SECOND\"}"
#define DAY(name) "\"" name "\":{\"unixMs\":\"1771891200000\",\"precision\":\"PRECISION_DAY\"}"
#define WARD "{\"facility\":\"Campus Noord\",\"ward\":\"Geriatrie\",\"room\":\"12\",\"bed\":\"A\"}"
#define CODED(name) "\"" name "\":{\"system\":\"http://snomed.info/sct\",\"code\":\"1234\",\"display\":\"" name "\"}"
#define HOSPITAL "{\"name\":\"AZ Test\",\"identifiers\":[{\"system\":\"cbe\",\"value\":\"0566988259\"}]}"

static const struct sample {
    const char *name, *resource, *code, *json;
} samples[] = {
    {"admission", "Encounter", "notification-admit",
     "{" ENVELOPE "\"type\":\"HOSPITAL_ADMISSION\",\"hospitalAdmission\":{\"encounterId\":\"V9\",\"hospital\":" HOSPITAL
     "," AT("admittedAt") ",\"patientClass\":\"INPATIENT\",\"planned\":true," DAY(
         "expectedDischargeAt") ",\"location\":" WARD
                                "," CODED("service") "," CODED(
                                    "admitSource") ",\"attending\":{\"name\":\"dr. B\"},"
                                                   "\"diagnoses\":[{\"code\":\"S72.0\"},{\"display\":\"vrije "
                                                   "tekst\"}],\"reason\":\"gevallen\"}}"},
    {"discharge", "Encounter", "notification-discharge",
     "{" ENVELOPE "\"type\":\"HOSPITAL_DISCHARGE\",\"hospitalDischarge\":{\"encounterId\":\"V9\",\"hospital\":" HOSPITAL
     "," DAY("admittedAt") "," AT(
         "dischargedAt") ",\"patientClass\":\"DAY_CARE\",\"location\":" WARD
                         "," CODED("service") "," CODED("disposition") "," CODED(
                             "destination") ",\"secondLineContact\":{\"party\":{\"name\":"
                                            "\"dr. C\"},\"phone\":\"02\"},\"followUp\":[{" AT(
                                                "at") ",\"discipline\":\"kine\",\"with\":{\"name\":\"K\"}}],"
                                                      "\"attending\":{\"name\":\"dr. "
                                                      "B\"},\"letter\":{\"id\":\"https://az.test/l/"
                                                      "1\",\"sizeBytes\":\"99\","
                                                      "\"mediaType\":\"application/"
                                                      "pdf\"},\"diagnoses\":[{\"code\":\"S72.0\",\"system\":\"http://"
                                                      "hl7.org/fhir/sid/icd-10\"}]"
                                                      ",\"educationGiven\":[\"spuiten\"],\"medicationSummary\":{\"id\":"
                                                      "\"geen url\"},\"note\":\"rustig aan\"}}"},
    {"emergency", "Encounter", "notification-admit",
     "{" ENVELOPE "\"type\":\"EMERGENCY_VISIT\",\"emergencyVisit\":{\"encounterId\":\"V9\",\"hospital\":" HOSPITAL
     "," AT("arrivedAt") "," CODED("arrivalMode") "," CODED("frailProfile") ",\"reason\":\"val\"}}"},
    {"emergency-left", "Encounter", "notification-discharge",
     "{" ENVELOPE "\"type\":\"EMERGENCY_VISIT\",\"emergencyVisit\":{\"encounterId\":\"V9\",\"hospital\":" HOSPITAL
     "," AT("arrivedAt") "," AT("leftAt") "," CODED("outcome") "}}"},
    {"transfer", "Encounter", "notification-transfer",
     "{" ENVELOPE "\"type\":\"CARE_TRANSITION\",\"careTransition\":{\"encounterId\":\"V9\",\"organisation\":" HOSPITAL
     "," AT("at") ",\"from\":\"HOSPITAL_WARD\",\"to\":\"HOSPITAL_WARD\",\"fromLocation\":{\"ward\":\"W1\"},"
                  "\"toLocation\":" WARD "," CODED("service") ",\"reason\":\"isolatie\"}}"},
    {"leave", "Encounter", "notification-transfer",
     "{" ENVELOPE "\"type\":\"CARE_TRANSITION\",\"careTransition\":{\"encounterId\":\"V9\"," AT(
         "at") ",\"from\":\"HOSPITAL_WARD\",\"to\":\"HOME\"}}"},
    {"fall", "Observation", "FallReported",
     "{" ENVELOPE "\"type\":\"FALL_REPORTED\",\"fallReported\":{" AT("fellAt") "," CODED(
         "place") ",\"witnessed\":true,\"injury\":\"MAJOR_INJURY\",\"fallsPastYear\":2,\"helpNeeded\":true,"
                  "\"personIsNow\":"
                  "{\"display\":\"in "
                  "bed\"},\"injuryDetail\":\"heup\",\"measurements\":[{\"what\":{\"display\":\"RR\"},\"value\":"
                  "{\"value\":\"1.50\",\"unit\":\"x\"}},{\"value\":{\"value\":\"ongeveer 3\"}}],\"kind\":{\"system\":"
                  "\"http://snomed.info/sct\",\"code\":\"217082002\"},\"note\":\"regel 1\\nregel 2\"}}"},
    {"condition", "Observation", "ConditionChanged",
     "{" ENVELOPE "\"type\":\"CONDITION_CHANGED\",\"conditionChanged\":{" AT("at") "," CODED("severity") "," CODED(
         "sign") ",\"observation\":\"suf\",\"pointOfCareTests\":[{\"what\":{\"system\":\"http://loinc.org\",\"code\":"
                 "\"8310-5\"},\"value\":{\"value\":\"38.90\",\"unit\":\"Cel\"}}]}}"},
    {"assessment", "Observation", "AssessmentCompleted",
     "{" ENVELOPE "\"type\":\"ASSESSMENT_COMPLETED\",\"assessmentCompleted\":{\"instrument\":{\"system\":"
     "\"urn:interrai\",\"code\":\"hc\"}," AT(
         "at") ",\"report\":{\"id\":\"urn:uuid:019ca9b0-0000-7000-8000-00000000000f\"}"
               ",\"scores\":[{\"item\":{\"system\":\"urn:interrai\",\"code\":\"hc\"},\"value\":\"12\"},{\"item\":{"
               "\"system\":"
               "\"urn:interrai\",\"code\":\"cps\"},\"value\":\"2\"},{\"value\":\"laag\"}]}}"},
    {"strain", "Observation", "CarerStrain",
     "{" ENVELOPE "\"type\":\"CARER_STRAIN\",\"carerStrain\":{" AT("at") ",\"instrument\":{\"display\":\"Zarit\"},"
                                                                         "\"score\":\"41\"," CODED(
                                                                             "respiteNeed") ",\"note\":\"moe\"}}"},
    {"reported", "Observation", "PatientReported",
     "{" ENVELOPE "\"type\":\"PATIENT_REPORTED\",\"patientReported\":{" AT("at") "," CODED(
         "instrument") ",\"scores\":[{\"item\":{\"display\":\"pijn KLINISCH\"},\"value\":\"7\"}],\"text\":\"KLINISCH "
                       "dagboek\"}}"},
    {"task", "Task", "TaskAssigned",
     "{" ENVELOPE
     "\"type\":\"TASK_ASSIGNED\",\"urgency\":\"SAME_DAY\",\"taskAssigned\":{\"taskId\":\"T9\",\"assignee\":" HOSPITAL
     "," DAY("dueAt") ",\"status\":{\"code\":\"accepted\"},\"task\":{\"display\":\"ZORG "
                      "wassen\"},\"goalId\":\"ZORG-3\",\"note\":"
                      "\"KLINISCH let op\"}}"},
    {"task-own-status", "Task", "TaskAssigned",
     "{" ENVELOPE "\"type\":\"TASK_ASSIGNED\",\"taskAssigned\":{\"status\":{\"code\":\"bezig\"}}}"},
    {"referral", "ServiceRequest", "ReferralMade",
     "{" ENVELOPE "\"type\":\"REFERRAL_MADE\",\"referralMade\":{\"referralId\":\"R1\",\"target\":" HOSPITAL
     ",\"status\":\"REFUSED\",\"discipline\":{\"display\":\"ZORG "
     "kine\"},\"reason\":{\"display\":\"KLINISCH\"},\"note\":\"KLINISCH\"}}"},
    {"crisis", "ServiceRequest", "CrisisReferral",
     "{" ENVELOPE "\"type\":\"CRISIS_REFERRAL\",\"crisisReferral\":{\"target\":" HOSPITAL
     "," AT("at") ",\"triage\":{\"display\":\"ZORG "
                  "rood\"},\"crisisType\":{\"display\":\"KLINISCH\"},\"note\":\"KLINISCH\"}}"},
    {"vaccination", "Immunization", "VaccinationStatus",
     "{" ENVELOPE "\"type\":\"VACCINATION_STATUS\",\"vaccinationStatus\":{" DAY(
         "at") ",\"vaccine\":{\"codes\":[{\"system\":\"cnk\",\"code\":\"3333333\"}],\"name\":\"KLINISCH\"},"
               "\"doseNumber\":2}}"},
    {"inclusion", "Communication", "InclusionFlagged",
     "{" ENVELOPE
     "\"type\":\"INCLUSION_FLAGGED\",\"inclusionFlagged\":{\"programme\":\"falls\",\"stage\":\"INCLUDED\"," DAY(
         "at") ",\"includer\":" HOSPITAL ",\"consentReference\":\"C-1\",\"targetGroup\":{\"display\":\"ZORG "
               "85+\"},\"reasons\":[{\"display\":\"KLINISCH een\"},"
               "{\"code\":\"KLINISCH\"}],\"instrument\":{\"display\":\"KLINISCH\"},\"score\":\"KLINISCH "
               "3\",\"note\":\"KLINISCH\"}}"},
    {"medication", "Communication", "MedicationChanged",
     "{" ENVELOPE "\"type\":\"MEDICATION_CHANGED\",\"medicationChanged\":{\"schemeVersion\":\"4\"," AT(
         "at") ",\"scheme\":{\"id\":\"https://ZORG.test/"
               "4\"},\"changes\":[{\"kind\":\"POSOLOGY_CHANGED\",\"medicine\":{\"name\":"
               "\"KLINISCH 500 "
               "mg\"},\"posology\":{\"regimen\":[{\"timeOfDay\":\"08:00\",\"quantity\":{\"value\":\"1.50\",\"unit\":"
               "\"tablet\"}}]}," AT(
                   "from") "},{\"kind\":\"STOPPED\",\"medicine\":{\"codes\":[{\"code\":\"KLINISCH\"}]}}]}}"},
    {"review", "Communication", "MedicationReviewed",
     "{" ENVELOPE "\"type\":\"MEDICATION_REVIEWED\",\"medicationReviewed\":{" AT(
         "at") ",\"priority\":{\"display\":\"hoog\"},\"proposals\":[\"KLINISCH een\",\"KLINISCH twee\"]}}"},
    {"adherence", "Communication", "AdherenceConcern",
     "{" ENVELOPE "\"type\":\"ADHERENCE_CONCERN\",\"adherenceConcern\":{" AT(
         "at") ",\"aidProposed\":{\"display\":\"ZORG pillendoos\"},\"observation\":\"KLINISCH\"}}"},
    {"advice", "Communication", "FallAdviceIssued",
     "{" ENVELOPE "\"type\":\"FALL_ADVICE_ISSUED\",\"fallAdviceIssued\":{" AT("at") ",\"followUp\":[{" AT(
         "at") ",\"discipline\":\"ZORG\",\"with\":" HOSPITAL "}],\"advice\":[\"KLINISCH\"]}}"},
    {"plan", "Communication", "CarePlanUpdated",
     "{" ENVELOPE
     "\"type\":\"CARE_PLAN_UPDATED\",\"carePlanUpdated\":{\"plan\":{\"id\":\"https://plan.test/1\",\"mediaType\":"
     "\"application/pdf\"},\"version\":\"2\",\"changed\":[{\"display\":\"ZORG\"}],\"summary\":\"KLINISCH\"}}"},
    {"goal", "Communication", "GoalUpdated",
     "{" ENVELOPE
     "\"type\":\"GOAL_UPDATED\",\"goalUpdated\":{\"goalId\":\"G1\",\"kind\":{\"display\":\"ZORG\"},\"importance\":9,"
     "\"confidence\":4,\"goal\":\"KLINISCH\"}}"},
    {"conference", "Communication", "CaseConference",
     "{" ENVELOPE "\"type\":\"CASE_CONFERENCE\",\"caseConference\":{" AT(
         "at") ",\"reported\":true,\"mode\":\"AD_HOC\",\"attendees\":[" HOSPITAL
               ",{\"identifiers\":[{\"system\":\"nihdi\",\"value\":\"10999995\"}]}],\"decisions\":[\"KLINISCH\"]}}"},
    {"coordination", "Communication", "CoordinationChanged",
     "{" ENVELOPE
     "\"type\":\"COORDINATION_CHANGED\",\"coordinationChanged\":{\"function\":\"CASE_MANAGER\",\"holder\":" HOSPITAL
     ",\"level\":2," DAY("from") ",\"endReason\":{\"display\":\"ZORG\"}}}"},
    {"advance", "Communication", "AdvanceCarePlanUpdated",
     "{" ENVELOPE "\"type\":\"ADVANCE_CARE_PLAN_UPDATED\",\"advanceCarePlanUpdated\":{\"documentVersion\":\"1\"," DAY(
         "at") ",\"document\":{\"id\":\"https://KLINISCH.test/1\"},\"summary\":\"KLINISCH\"}}"},
    {"deceased", "Communication", "PatientDeceased",
     "{" ENVELOPE
     "\"type\":\"PATIENT_DECEASED\",\"patientDeceased\":{" DAY("at") ",\"place\":{\"display\":\"ZORG thuis\"}}}"},
    {"emergency-access", "Communication", "EmergencyAccessUsed",
     "{" ENVELOPE "\"type\":\"EMERGENCY_ACCESS_USED\",\"emergencyAccessUsed\":{\"who\":{\"name\":\"Spoed\"},\"role\":"
     "\"emergency-physician\",\"purpose\":\"spoedzorg\",\"justification\":\"bewusteloos\"}}"},
    {"message", "Communication", "TeamMessage",
     "{" ENVELOPE "\"type\":\"TEAM_MESSAGE\",\"urgency\":\"SAME_DAY\",\"teamMessage\":{\"threadId\":\"T1\",\"kind\":"
     "\"QUESTION\",\"attachments\":[{\"id\":\"https://x.test/a\"}],\"subject\":\"Wonde\",\"text\":\"Wie komt er?\"}}"},
};
#define SAMPLES (sizeof samples / sizeof samples[0])

static const struct fhir_route route = {.endpoint = "https://hub.test/fhir",
                                        .name = "carehub",
                                        .receiver_endpoint = "https://thuiszorg.test/fhir",
                                        .receiver_name = "Thuiszorg",
                                        .now_ms = RECEIVED_MS};

enum turn { PLAIN, UNVERIFIED, VERIFIED, AMENDED, RETRACTED, RETRACTED_BLIND, TURNS };
static const char *const turn_names[TURNS] = {"new",     "unverified", "verified",
                                              "amended", "retracted",  "retracted-blind"};
static const struct {
    const char *name;
    Carehub__V1__Level level;
} views[] = {{"administrative", CAREHUB__V1__LEVEL__LEVEL_ADMINISTRATIVE},
             {"care", CAREHUB__V1__LEVEL__LEVEL_CARE},
             {"clinical", CAREHUB__V1__LEVEL__LEVEL_CLINICAL}};
#define VIEWS (sizeof views / sizeof views[0])

static Carehub__V1__Event *event_of(const struct sample *sample, Carehub__V1__Level level)
{
    struct pbjson_error error;
    ProtobufCMessage *m =
        pbjson_parse(&carehub__v1__event__descriptor, sample->json, strlen(sample->json), PBJSON_UUID, &error);
    if (m == NULL)
        fail_msg("%s: %s expected %s", sample->name, error.path, error.expected);
    size_t size = protobuf_c_message_get_packed_size(m);
    uint8_t *bytes = malloc(2 * size);
    protobuf_c_message_pack(m, bytes);
    protobuf_c_message_free_unpacked(m, NULL);
    ptrdiff_t cut = event_view(bytes, size, level, bytes + size);
    assert_true(cut > 0);
    Carehub__V1__Event *event = carehub__v1__event__unpack(NULL, (size_t)cut, bytes + size);
    free(bytes);
    assert_non_null(event);
    return event;
}

static void point_at(ProtobufCBinaryData *place, const Carehub__V1__Event *original)
{
    place->data = malloc(original->id.len);
    place->len = original->id.len;
    memcpy(place->data, original->id.data, original->id.len);
}

// What a hub would send of the sample in that turn. The caller owns it.
static struct json_object *message_of(const struct sample *sample, Carehub__V1__Level level, enum turn turn)
{
    Carehub__V1__Event *original = event_of(sample, level), *event = event_of(sample, level);
    struct fhir_route to = route;
    if (turn == VERIFIED)
        to.verified_by = "dr-janssens";
    if (event->author != NULL)
        event->author->unverified = turn == UNVERIFIED || turn == VERIFIED;
    if (turn >= AMENDED) {
        event->id.data[15] = 2;
        point_at(turn == AMENDED ? &event->amends : &event->retracts, original);
    }
    if (turn >= RETRACTED) { // has no content; and a notice has no body at all
        protobuf_c_message_free_unpacked((ProtobufCMessage *)event->hospital_discharge, NULL);
        event->hospital_discharge = NULL;
        event->body_case = CAREHUB__V1__EVENT__BODY__NOT_SET;
    }
    problems = (struct problems){0};
    struct json_object *message = fhir_message(event, turn == RETRACTED ? original : NULL, &to, &problems);
    assert_int_equal(problems.count, 0);
    assert_non_null(message);
    carehub__v1__event__free_unpacked(event, NULL);
    carehub__v1__event__free_unpacked(original, NULL);
    return message;
}

// A value by its path: "entry.0.resource.id". "" if there is none.
static const char *at(struct json_object *tree, const char *path)
{
    char step[64];
    while (tree != NULL && *path != '\0') {
        size_t len = strcspn(path, ".");
        snprintf(step, sizeof step, "%.*s", (int)len, path);
        path += len + (path[len] == '.');
        tree = json_object_is_type(tree, json_type_array) ? json_object_array_get_idx(tree, (size_t)atoi(step))
                                                          : json_object_object_get(tree, step);
    }
    return tree != NULL ? json_object_get_string(tree) : "";
}

static void a_message_has_its_header_first_and_its_focus_second(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        struct json_object *message = message_of(&samples[i], CAREHUB__V1__LEVEL__LEVEL_CLINICAL, PLAIN);
        assert_string_equal(at(message, "type"), "message");
        assert_string_equal(at(message, "identifier.value"), "urn:uuid:019ca9b0-0000-7000-8000-000000000001");
        assert_string_equal(at(message, "entry.0.resource.resourceType"), "MessageHeader");
        assert_string_equal(at(message, "entry.0.resource.eventCoding.code"), samples[i].code);
        assert_string_equal(at(message, "entry.1.resource.resourceType"), samples[i].resource);
        assert_string_equal(at(message, "entry.0.resource.focus.0.reference"), at(message, "entry.1.fullUrl"));
        assert_string_equal(at(message, "entry.0.resource.source.endpoint"), route.endpoint);
        json_object_put(message);
    }
}

static void corrections_name_what_they_correct_and_say_what_is_so_now(void **state)
{
    (void)state;
    static const struct {
        const char *name, *amended, *retracted;
    } cases[] = {{"admission", "in-progress", "entered-in-error"},
                 {"discharge", "finished", "in-progress"},
                 {"emergency", "in-progress", "entered-in-error"},
                 {"emergency-left", "finished", "in-progress"},
                 {"transfer", "in-progress", "in-progress"},
                 {"leave", "onleave", "in-progress"},
                 {"fall", "amended", "entered-in-error"},
                 {"message", "completed", "entered-in-error"},
                 {"inclusion", "completed", "entered-in-error"},
                 {"task", "accepted", "entered-in-error"},
                 {"task-own-status", "requested", "entered-in-error"},
                 {"referral", "revoked", "entered-in-error"},
                 {"crisis", "active", "entered-in-error"},
                 {"vaccination", "completed", "entered-in-error"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t s = 0;
        while (strcmp(samples[s].name, cases[i].name) != 0)
            s++;
        struct json_object *first = message_of(&samples[s], CAREHUB__V1__LEVEL__LEVEL_CLINICAL, PLAIN);
        for (enum turn turn = AMENDED; turn <= RETRACTED; turn++) {
            struct json_object *message = message_of(&samples[s], CAREHUB__V1__LEVEL__LEVEL_CLINICAL, turn);
            const char *text = json_object_to_json_string(message);
            assert_string_equal(at(message, "entry.1.resource.status"),
                                turn == AMENDED ? cases[i].amended : cases[i].retracted);
            assert_string_equal(at(message, "entry.1.fullUrl"), at(first, "entry.1.fullUrl"));
            assert_string_not_equal(at(message, "id"), at(first, "id"));
            assert_non_null(strstr(text, turn == AMENDED ? "\"role\": \"revision\"" : "\"role\": \"removal\""));
            assert_non_null(
                strstr(text, "\"what\": { \"reference\": \"urn:uuid:019ca9b0-0000-7000-8000-000000000001\""));
            json_object_put(message);
        }
        json_object_put(first);
    }
}

// What a view lacks is not in the message, by any way.
static void a_message_holds_no_more_than_the_view(void **state)
{
    (void)state;
    static const char *const care[] = {"ZORG", "Geriatrie", "Campus Noord", "in bed", "kine", "dr. C"};
    static const char *const clinical[] = {"KLINISCH", "S72.0", "vrije tekst", "gevallen",    "spuiten",
                                           "rustig",   "heup",  "regel",       "Wie komt er", "Wonde",
                                           "suf",      "cps",   "moe"};
    for (size_t i = 0; i < SAMPLES; i++)
        for (size_t v = 0; v < VIEWS; v++) {
            struct json_object *message = message_of(&samples[i], views[v].level, PLAIN);
            const char *text = json_object_to_json_string(message);
            for (size_t k = 0; k < sizeof care / sizeof care[0] && v < 1; k++)
                assert_null(strstr(text, care[k]));
            for (size_t k = 0; k < sizeof clinical / sizeof clinical[0] && v < 2; k++)
                assert_null(strstr(text, clinical[k]));
            json_object_put(message);
        }
}

static bool is_taken(const char *resource)
{
    static const char *const taken[] = {"Encounter", "Observation", "Communication"};
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++)
        if (strcmp(taken[i], resource) == 0)
            return true;
    return false;
}

static void what_we_write_we_read_as_the_same_event(void **state)
{
    (void)state;
    static const struct fhir_rule rules[] = {{"urn:interrai", "hc", CAREHUB__V1__EVENT_TYPE__ASSESSMENT_COMPLETED}};
    for (size_t i = 0; i < SAMPLES; i++) {
        bool general = strcmp(samples[i].resource, "Communication") == 0 && strcmp(samples[i].name, "message") != 0;
        if (general || strcmp(samples[i].name, "leave") == 0 || !is_taken(samples[i].resource))
            continue; // of leave the code says a transfer; what is general is for people
        struct json_object *message = message_of(&samples[i], CAREHUB__V1__LEVEL__LEVEL_CLINICAL, PLAIN);
        Carehub__V1__Event *event = event_of(&samples[i], CAREHUB__V1__LEVEL__LEVEL_CLINICAL);
        intake.rules = rules;
        intake.n_rules = 1;
        const Carehub__V1__Event *again = one(json_object_to_json_string(message));
        assert_int_equal(again->type, event->type);
        assert_int_equal(again->patient->n_identifiers, 2);
        assert_string_equal(again->patient->identifiers[0]->value, SSIN);
        if (again->type == CAREHUB__V1__EVENT_TYPE__FALL_REPORTED) {
            assert_int_equal(again->fall_reported->injury, event->fall_reported->injury);
            assert_int_equal(again->fall_reported->falls_past_year, 2);
            assert_string_equal(again->fall_reported->note, event->fall_reported->note);
            assert_string_equal(again->fall_reported->injury_detail, "heup");
            assert_string_equal(again->fall_reported->measurements[0]->value->value, "1.50");
        }
        if (again->type == CAREHUB__V1__EVENT_TYPE__HOSPITAL_DISCHARGE) {
            assert_string_equal(again->hospital_discharge->encounter_id, "V9");
            assert_string_equal(again->hospital_discharge->location->ward, "Geriatrie");
            assert_string_equal(again->hospital_discharge->diagnoses[0]->code, "S72.0");
            assert_int_equal(again->hospital_discharge->admitted_at->precision, CAREHUB__V1__PRECISION__PRECISION_DAY);
        }
        if (again->type == CAREHUB__V1__EVENT_TYPE__TEAM_MESSAGE) {
            assert_string_equal(again->team_message->thread_id, "T1");
            assert_string_equal(again->team_message->text, "Wie komt er?");
            assert_int_equal(again->team_message->kind, CAREHUB__V1__TEAM_MESSAGE__KIND__QUESTION);
        }
        carehub__v1__event__free_unpacked(event, NULL);
        json_object_put(message);
    }
}

static void every_type_has_a_message_and_what_is_no_type_has_none(void **state)
{
    (void)state;
    Carehub__V1__Event event = CAREHUB__V1__EVENT__INIT;
    for (int type = 1; type <= EVENT_TYPE_MAX; type++) {
        bool sampled = false;
        assert_true(fhir_writes((Carehub__V1__EventType)type));
        for (size_t i = 0; i < SAMPLES; i++) {
            Carehub__V1__Event *sample = event_of(&samples[i], CAREHUB__V1__LEVEL__LEVEL_CLINICAL);
            sampled = sampled || (int)sample->type == type;
            carehub__v1__event__free_unpacked(sample, NULL);
        }
        if (!sampled)
            fail_msg("no sample of %s", event_type_name((Carehub__V1__EventType)type));
    }
    event.type = (Carehub__V1__EventType)(EVENT_TYPE_MAX + 1);
    assert_false(fhir_writes(event.type));
    assert_null(fhir_message(&event, NULL, &route, &problems));
    assert_int_equal(problems.list[0].code, PROBLEM_NOT_SUPPORTED);
    event.type = CAREHUB__V1__EVENT_TYPE__FALL_REPORTED;
    assert_null(fhir_message(&event, NULL, &route, &problems));
    assert_int_equal(problems.list[1].code, PROBLEM_REQUIRED);
}

static struct json_object *provenance_of(struct json_object *message)
{
    struct json_object *entries = json_object_object_get(message, "entry");
    for (size_t i = 0; i < json_object_array_length(entries); i++) {
        struct json_object *resource = json_object_object_get(json_object_array_get_idx(entries, i), "resource");
        if (strcmp(at(resource, "resourceType"), "Provenance") == 0)
            return resource;
    }
    return NULL;
}

// What a carer entered is delivered again when somebody stands for it: as another message, about the same thing.
static void who_verified_it_is_an_agent_and_until_then_it_is_preliminary(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        struct json_object *first = message_of(&samples[i], CAREHUB__V1__LEVEL__LEVEL_CLINICAL, UNVERIFIED),
                           *then = message_of(&samples[i], CAREHUB__V1__LEVEL__LEVEL_CLINICAL, VERIFIED),
                           *never = message_of(&samples[i], CAREHUB__V1__LEVEL__LEVEL_CLINICAL, PLAIN);
        assert_string_equal(at(provenance_of(first), "agent.1.type.coding.0.code"), "");
        assert_string_equal(at(provenance_of(then), "agent.0.type.coding.0.code"), "author");
        assert_string_equal(at(provenance_of(then), "agent.1.type.coding.0.code"), "verifier");
        assert_string_equal(at(provenance_of(then), "agent.1.who.display"), "dr-janssens");
        assert_string_not_equal(at(first, "entry.0.resource.id"), at(then, "entry.0.resource.id"));
        assert_string_equal(at(first, "entry.0.resource.id"), at(never, "entry.0.resource.id"));
        assert_string_equal(at(first, "entry.1.resource.id"), at(then, "entry.1.resource.id"));
        if (strcmp(samples[i].resource, "Observation") == 0 &&
            strcmp(at(never, "entry.1.resource.status"), "final") == 0) {
            assert_string_equal(at(first, "entry.1.resource.status"), "preliminary");
            assert_string_equal(at(then, "entry.1.resource.status"), "final");
        }
        json_object_put(first);
        json_object_put(then);
        json_object_put(never);
    }
}

// The words of a general message: a line for each field.
static void what_has_no_resource_of_its_own_is_told_in_words(void **state)
{
    static const struct {
        const char *sample, *line;
    } lines[] = {
        {"inclusion", "Stage: included"},
        {"inclusion", "Includer: AZ Test"},
        {"inclusion", "At: 2026-02-24"},
        {"inclusion", "Reasons: KLINISCH een; KLINISCH"},
        {"medication", "Changes: kind: posology changed, medicine: KLINISCH 500 mg, posology: regimen: time of day: "
                       "08:00, quantity: 1.50 tablet, from: 2026-03-01T09:30:00+01:00; kind: stopped, medicine: "
                       "KLINISCH"},
        {"goal", "Importance: 9"},
        {"conference", "Reported: yes"},
        {"conference", "Mode: ad hoc"},
        {"conference", "Attendees: AZ Test; nihdi 10999995"},
        {"coordination", "Function: case manager"},
        {"deceased", "Place: ZORG thuis"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        size_t s = 0;
        char line[512];
        while (strcmp(samples[s].name, lines[i].sample) != 0)
            s++;
        struct json_object *message = message_of(&samples[s], CAREHUB__V1__LEVEL__LEVEL_CLINICAL, PLAIN);
        const char *text = json_object_to_json_string_ext(message, JSON_C_TO_STRING_NOSLASHESCAPE);
        snprintf(line, sizeof line, "\"%s\"", lines[i].line);
        if (strstr(text, line) == NULL)
            fail_msg("%s: %s", line, text);
        assert_non_null(strstr(text, "\"system\":\"urn:carehub:event-type\""));
        json_object_put(message);
    }
}

static void problems_are_an_outcome(void **state)
{
    (void)state;
    struct json_object *outcome = problems_outcome(&problems);
    assert_string_equal(at(outcome, "issue.0.code"), "informational");
    json_object_put(outcome);
    problems_add(&problems, PROBLEM_ERROR, PROBLEM_NOT_FOUND, "Observation.subject", "no such patient");
    outcome = problems_outcome(&problems);
    assert_string_equal(at(outcome, "resourceType"), "OperationOutcome");
    assert_string_equal(at(outcome, "issue.0.severity"), "error");
    assert_string_equal(at(outcome, "issue.0.code"), "not-found");
    assert_string_equal(at(outcome, "issue.0.expression.0"), "Observation.subject");
    assert_string_equal(at(outcome, "issue.0.diagnostics"), "no such patient");
    json_object_put(outcome);
}

// ---- Samples for another validator

static int write_file(const char *directory, const char *name, struct json_object *resource)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.json", directory, name);
    int status = json_object_to_file(path, resource);
    json_object_put(resource);
    return status;
}

static int write_outcomes(const char *directory)
{
    int failed = write_file(directory, "outcome-none", problems_outcome(&problems));
    for (int severity = PROBLEM_FATAL; severity <= PROBLEM_INFORMATION; severity++)
        for (int code = PROBLEM_STRUCTURE; code <= PROBLEM_NOTE; code++)
            problems_add(&problems, (enum problem_severity)severity, (enum problem_code)code,
                         code % 2 ? "Bundle.entry[0].resource" : "", "text");
    return failed | write_file(directory, "outcome-all", problems_outcome(&problems));
}

static int write_samples(const char *directory)
{
    int failed = write_outcomes(directory);
    for (size_t i = 0; i < SAMPLES; i++)
        for (size_t v = 0; v < VIEWS; v++)
            for (enum turn turn = PLAIN; turn < TURNS; turn++) {
                char name[128];
                snprintf(name, sizeof name, "%s-%s-%s", samples[i].name, views[v].name, turn_names[turn]);
                failed |= write_file(directory, name, message_of(&samples[i], views[v].level, turn));
            }
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, reset, forget)
    const struct CMUnitTest tests[] = {
        TEST(a_message_has_its_header_first_and_its_focus_second),
        TEST(corrections_name_what_they_correct_and_say_what_is_so_now),
        TEST(who_verified_it_is_an_agent_and_until_then_it_is_preliminary),
        TEST(a_message_holds_no_more_than_the_view),
        TEST(what_we_write_we_read_as_the_same_event),
        TEST(every_type_has_a_message_and_what_is_no_type_has_none),
        TEST(what_has_no_resource_of_its_own_is_told_in_words),
        TEST(problems_are_an_outcome),
    };
    if (argc == 3 && strcmp(argv[1], "--samples") == 0)
        return write_samples(argv[2]);
    return cmocka_run_group_tests_name("fhir_write", tests, NULL, NULL);
}
