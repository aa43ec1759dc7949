// Stays, visits to an emergency department and transitions as Encounters.
#include <stdio.h>
#include <string.h>

#include <json-c/json_object.h>

#include "fhir_job.h"
#include "fhir_write_internal.h"

#define SYSTEM_PARTICIPATION "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
#define SYSTEM_PHYSICAL_TYPE "http://terminology.hl7.org/CodeSystem/location-physical-type"
#define SYSTEM_SETTING "urn:carehub:setting"
#define PLANNED_END "http://hl7.org/fhir/5.0/StructureDefinition/extension-Encounter.plannedEndDate"

#define BODY(w, TYPE, name) ((w)->content->body_case == CAREHUB__V1__EVENT__BODY_##TYPE ? (w)->content->name : NULL)

// encounter_id and the organisation are the first fields of all four bodies.
static bool has_encounter(const Carehub__V1__Event *event)
{
    return event->body_case == CAREHUB__V1__EVENT__BODY_HOSPITAL_ADMISSION ||
           event->body_case == CAREHUB__V1__EVENT__BODY_HOSPITAL_DISCHARGE ||
           event->body_case == CAREHUB__V1__EVENT__BODY_EMERGENCY_VISIT ||
           event->body_case == CAREHUB__V1__EVENT__BODY_CARE_TRANSITION;
}

const Carehub__V1__Party *write_hospital(const Carehub__V1__Event *event)
{
    return has_encounter(event) ? event->hospital_discharge->hospital : NULL;
}

const char *write_encounter_id(const Carehub__V1__Event *event)
{
    return has_encounter(event) ? event->hospital_discharge->encounter_id : "";
}

// ---- Parts

static void put_class(struct writer *w, struct json_object *encounter, Carehub__V1__PatientClass class)
{
    static const struct {
        Carehub__V1__PatientClass is;
        const char *code, *display;
    } classes[] = {
        {CAREHUB__V1__PATIENT_CLASS__EMERGENCY, "EMER", "emergency"},
        {CAREHUB__V1__PATIENT_CLASS__OUTPATIENT, "AMB", "ambulatory"},
        {CAREHUB__V1__PATIENT_CLASS__RECURRING, "AMB", "ambulatory"},
        {CAREHUB__V1__PATIENT_CLASS__DAY_CARE, "SS", "short stay"},
        {CAREHUB__V1__PATIENT_CLASS__PREADMISSION, "PRENC", "pre-admission"},
    };
    const char *code = "IMP", *display = "inpatient encounter";
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        if (classes[i].is == class) {
            code = classes[i].code;
            display = classes[i].display;
        }
    make_put(&w->m, encounter, "class", write_coding(w, SYSTEM_ACT_CODE, code, display));
}

static void put_period(struct writer *w, struct json_object *encounter, const Carehub__V1__Time *start,
                       const Carehub__V1__Time *end)
{
    if (start != NULL && end != NULL && start->unix_ms > end->unix_ms)
        start = NULL; // a period that ends before it starts is no period; when it ended matters more
    if (start == NULL && end == NULL)
        return;
    struct json_object *period = make_object(&w->m);
    write_time(w, period, "start", start);
    write_time(w, period, "end", end);
    make_put(&w->m, encounter, "period", period);
}

static void put_places(struct writer *w, struct json_object *list, const Carehub__V1__Location *from,
                       const char *status)
{
    if (from == NULL)
        return;
    const struct {
        const char *name, *code, *display;
    } parts[] = {{from->facility, "si", "Site"},
                 {from->ward, "wa", "Ward"},
                 {from->room, "ro", "Room"},
                 {from->bed, "bd", "Bed"}};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (parts[i].name[0] == '\0')
            continue;
        struct json_object *element = make_object(&w->m), *location = make_object(&w->m);
        make_text(&w->m, location, "display", parts[i].name);
        make_put(&w->m, element, "location", location);
        make_text(&w->m, element, "status", status);
        make_put(&w->m, element, "physicalType", write_fixed(w, SYSTEM_PHYSICAL_TYPE, parts[i].code, parts[i].display));
        make_push(&w->m, list, element);
    }
}

static void put_locations(struct writer *w, struct json_object *encounter, const Carehub__V1__Location *before,
                          const Carehub__V1__Location *now)
{
    struct json_object *list = make_array(&w->m);
    put_places(w, list, before, "completed");
    put_places(w, list, now, "active");
    if (list != NULL && json_object_array_length(list) > 0)
        make_put(&w->m, encounter, "location", list);
    else
        json_object_put(list);
}

static void put_participant(struct writer *w, struct json_object *list, const char *code, const char *display,
                            const Carehub__V1__Party *party)
{
    struct json_object *individual = write_party(w, "Practitioner", party);
    if (individual == NULL)
        return;
    struct json_object *participant = make_object(&w->m);
    write_put_one(w, participant, "type", write_fixed(w, SYSTEM_PARTICIPATION, code, display));
    make_put(&w->m, participant, "individual", individual);
    make_push(&w->m, list, participant);
}

static void put_participants(struct writer *w, struct json_object *encounter, const Carehub__V1__Party *attending,
                             const Carehub__V1__Contact *contact)
{
    struct json_object *list = make_array(&w->m);
    put_participant(w, list, "ATND", "attender", attending);
    if (contact != NULL)
        put_participant(w, list, "CALLBCK", "callback contact", contact->party);
    if (list != NULL && json_object_array_length(list) > 0)
        make_put(&w->m, encounter, "participant", list);
    else
        json_object_put(list);
}

// Diagnoses are Conditions that live within the Encounter.
static void put_diagnoses(struct writer *w, struct json_object *encounter, size_t count, Carehub__V1__Coded **from)
{
    if (count == 0 || w->patient[0] == '\0')
        return;
    struct json_object *contained = make_array(&w->m), *list = make_array(&w->m);
    for (size_t i = 0; i < count; i++) {
        char id[40];
        struct json_object *condition = make_object(&w->m), *diagnosis = make_object(&w->m);
        snprintf(id, sizeof id, "#diagnosis-%zu", i + 1);
        make_text(&w->m, condition, "resourceType", "Condition");
        make_text(&w->m, condition, "id", id + 1);
        write_put_concept(w, condition, "code", from[i]);
        write_reference(w, condition, "subject", w->patient);
        make_push(&w->m, contained, condition);
        write_reference(w, diagnosis, "condition", id);
        make_push(&w->m, list, diagnosis);
    }
    make_put(&w->m, encounter, "contained", contained);
    make_put(&w->m, encounter, "diagnosis", list);
}

static void put_reason(struct writer *w, struct json_object *encounter, const char *text)
{
    if (text[0] == '\0')
        return;
    struct json_object *reason = make_object(&w->m);
    make_text(&w->m, reason, "text", text);
    write_put_one(w, encounter, "reasonCode", reason);
}

static void put_stay(struct writer *w, struct json_object *encounter, const Carehub__V1__Coded *source,
                     const Carehub__V1__Coded *disposition, const Carehub__V1__Coded *destination)
{
    struct json_object *stay = make_object(&w->m);
    write_put_concept(w, stay, "admitSource", source);
    write_put_concept(w, stay, "dischargeDisposition", disposition);
    if (destination != NULL && (destination->display[0] != '\0' || destination->code[0] != '\0')) {
        struct json_object *reference = make_object(&w->m);
        make_text(&w->m, reference, "display",
                  destination->display[0] != '\0' ? destination->display : destination->code);
        make_put(&w->m, stay, "destination", reference);
    }
    if (stay != NULL && json_object_object_length(stay) > 0)
        make_put(&w->m, encounter, "hospitalization", stay);
    else
        json_object_put(stay);
}

static void put_follow_up(struct writer *w, size_t index, const Carehub__V1__Appointment *from)
{
    char urn[FHIR_URN_CHARS], basis[96];
    if (w->patient[0] == '\0')
        return;
    snprintf(basis, sizeof basis, "%s|%zu", w->focus, index);
    write_urn("ServiceRequest", basis, urn);
    struct json_object *request = write_entry(w, "ServiceRequest", urn), *code = make_object(&w->m);
    make_text(&w->m, request, "status", "active");
    make_text(&w->m, request, "intent", "plan");
    make_text(&w->m, code, "text", from->discipline[0] != '\0' ? from->discipline : "follow-up");
    make_put(&w->m, request, "code", code);
    write_reference(w, request, "subject", w->patient);
    write_reference(w, request, "encounter", w->focus);
    write_time(w, request, "occurrenceDateTime", from->at);
    write_put_one(w, request, "performer", write_party(w, "Practitioner", from->with));
}

// What was taught, and anything else that was written: Encounter has no place for words.
static void put_words(struct writer *w, const Carehub__V1__HospitalDischarge *b)
{
    char urn[FHIR_URN_CHARS];
    struct json_object *list, *communication;
    if (b->n_education_given == 0 && b->note[0] == '\0')
        return;
    write_urn("Communication", w->focus, urn);
    communication = write_entry(w, "Communication", urn);
    list = make_array(&w->m);
    for (size_t i = 0; i <= b->n_education_given; i++) {
        const char *text = i < b->n_education_given ? b->education_given[i] : b->note;
        struct json_object *payload = text[0] != '\0' ? make_object(&w->m) : NULL;
        make_text(&w->m, payload, "contentString", text);
        if (payload != NULL)
            make_push(&w->m, list, payload);
    }
    make_text(&w->m, communication, "status", "completed");
    write_reference(w, communication, "subject", w->patient);
    write_reference(w, communication, "encounter", w->focus);
    if (list != NULL && json_object_array_length(list) > 0)
        make_put(&w->m, communication, "payload", list);
    else
        json_object_put(list);
}

// ---- Encounters

static void begin_encounter(struct writer *w, struct json_object *encounter, const char *status,
                            Carehub__V1__PatientClass class)
{
    const char *number = write_encounter_id(w->content);
    if (number[0] != '\0') {
        struct json_object *identifier = make_object(&w->m);
        make_text(&w->m, identifier, "value", number);
        write_put_one(w, encounter, "identifier", identifier);
    }
    make_text(&w->m, encounter, "status", status);
    put_class(w, encounter, class);
    write_reference(w, encounter, "subject", w->patient);
    write_reference(w, encounter, "serviceProvider", w->organisation);
}

void write_admission(struct writer *w, struct json_object *encounter)
{
    const Carehub__V1__HospitalAdmission *b = BODY(w, HOSPITAL_ADMISSION, hospital_admission);
    begin_encounter(w, encounter, w->correction == CORRECTION_RETRACTS ? "entered-in-error" : "in-progress",
                    b != NULL ? b->patient_class : CAREHUB__V1__PATIENT_CLASS__INPATIENT);
    if (b == NULL)
        return;
    put_period(w, encounter, b->admitted_at, NULL);
    if (b->planned)
        make_put(&w->m, encounter, "priority",
                 write_fixed(w, "http://terminology.hl7.org/CodeSystem/v3-ActPriority", "EL", "elective"));
    if (b->expected_discharge_at != NULL) {
        struct json_object *extension = make_object(&w->m);
        make_text(&w->m, extension, "url", PLANNED_END);
        write_time(w, extension, "valueDateTime", b->expected_discharge_at);
        write_put_one(w, encounter, "extension", extension);
    }
    put_locations(w, encounter, NULL, b->location);
    write_put_concept(w, encounter, "serviceType", b->service);
    put_stay(w, encounter, b->admit_source, NULL, NULL);
    put_participants(w, encounter, b->attending, NULL);
    put_diagnoses(w, encounter, b->n_diagnoses, b->diagnoses);
    put_reason(w, encounter, b->reason);
}

// The end of a stay that is not over after all is left out: the stay goes on.
void write_discharge(struct writer *w, struct json_object *encounter)
{
    const Carehub__V1__HospitalDischarge *b = BODY(w, HOSPITAL_DISCHARGE, hospital_discharge);
    bool retracted = w->correction == CORRECTION_RETRACTS;
    begin_encounter(w, encounter, retracted ? "in-progress" : "finished",
                    b != NULL ? b->patient_class : CAREHUB__V1__PATIENT_CLASS__INPATIENT);
    if (b == NULL)
        return;
    put_period(w, encounter, b->admitted_at, retracted ? NULL : b->discharged_at);
    put_locations(w, encounter, NULL, b->location);
    write_put_concept(w, encounter, "serviceType", b->service);
    put_participants(w, encounter, b->attending, b->second_line_contact);
    put_diagnoses(w, encounter, b->n_diagnoses, b->diagnoses);
    if (retracted)
        return;
    put_stay(w, encounter, NULL, b->disposition, b->destination);
    write_document(w, "Discharge letter", b->letter);
    write_document(w, "Medication summary", b->medication_summary);
    for (size_t i = 0; i < b->n_follow_up; i++)
        put_follow_up(w, i, b->follow_up[i]);
    put_words(w, b);
}

void write_emergency(struct writer *w, struct json_object *encounter)
{
    const Carehub__V1__EmergencyVisit *b = BODY(w, EMERGENCY_VISIT, emergency_visit);
    bool retracted = w->correction == CORRECTION_RETRACTS, left = b != NULL && b->left_at != NULL;
    const char *status = left ? "finished" : "in-progress";
    if (retracted)
        status = left ? "in-progress" : "entered-in-error";
    begin_encounter(w, encounter, status, CAREHUB__V1__PATIENT_CLASS__EMERGENCY);
    if (b == NULL)
        return;
    put_period(w, encounter, b->arrived_at, retracted ? NULL : b->left_at);
    put_locations(w, encounter, NULL, b->location);
    write_put_concept(w, encounter, "serviceType", b->service);
    write_put_concepts(w, encounter, "type", b->frail_profile);
    put_stay(w, encounter, b->arrival_mode, retracted ? NULL : b->outcome, NULL);
    put_diagnoses(w, encounter, b->n_diagnoses, b->diagnoses);
    put_reason(w, encounter, b->reason);
}

static void put_setting(struct writer *w, struct json_object *encounter, Carehub__V1__CareTransition__Setting to)
{
    const ProtobufCEnumValue *value =
        protobuf_c_enum_descriptor_get_value(&carehub__v1__care_transition__setting__descriptor, (int)to);
    if (value != NULL && to != CAREHUB__V1__CARE_TRANSITION__SETTING__SETTING_UNSPECIFIED)
        write_put_one(w, encounter, "type", write_fixed(w, SYSTEM_SETTING, value->name, ""));
}

void write_transition(struct writer *w, struct json_object *encounter)
{
    const Carehub__V1__CareTransition *b = BODY(w, CARE_TRANSITION, care_transition);
    bool retracted = w->correction == CORRECTION_RETRACTS;
    bool home = b != NULL && !retracted && b->to == CAREHUB__V1__CARE_TRANSITION__SETTING__HOME;
    begin_encounter(w, encounter, home ? "onleave" : "in-progress", CAREHUB__V1__PATIENT_CLASS__INPATIENT);
    if (b == NULL)
        return;
    if (retracted) { // where the patient still is
        put_locations(w, encounter, NULL, b->from_location);
        return;
    }
    put_setting(w, encounter, b->to);
    put_locations(w, encounter, b->from_location, b->to_location);
    write_put_concept(w, encounter, "serviceType", b->service);
    put_reason(w, encounter, b->reason);
}
