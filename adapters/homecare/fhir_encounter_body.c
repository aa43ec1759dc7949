// The bodies of the events that an Encounter yields.
#include <string.h>

#include <json-c/json_object.h>

#include "fhir_encounter.h"

Carehub__V1__PatientClass encounter_class(const char *code)
{
    static const struct {
        const char *code;
        Carehub__V1__PatientClass is;
    } classes[] = {
        {"IMP", CAREHUB__V1__PATIENT_CLASS__INPATIENT},      {"ACUTE", CAREHUB__V1__PATIENT_CLASS__INPATIENT},
        {"NONAC", CAREHUB__V1__PATIENT_CLASS__INPATIENT},    {"OBSENC", CAREHUB__V1__PATIENT_CLASS__INPATIENT},
        {"SS", CAREHUB__V1__PATIENT_CLASS__DAY_CARE},        {"EMER", CAREHUB__V1__PATIENT_CLASS__EMERGENCY},
        {"PRENC", CAREHUB__V1__PATIENT_CLASS__PREADMISSION}, {"AMB", CAREHUB__V1__PATIENT_CLASS__OUTPATIENT},
        {"HH", CAREHUB__V1__PATIENT_CLASS__OUTPATIENT},      {"VR", CAREHUB__V1__PATIENT_CLASS__OUTPATIENT},
        {"FLD", CAREHUB__V1__PATIENT_CLASS__OUTPATIENT},
    };
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        if (strcmp(classes[i].code, code) == 0)
            return classes[i].is;
    return CAREHUB__V1__PATIENT_CLASS__OTHER_CLASS;
}

// ---- Parts

// A Location says of what kind it is (physicalType); one that does not is a ward.
static char **part_of(Carehub__V1__Location *location, const char *kind)
{
    if (strcmp(kind, "bd") == 0)
        return &location->bed;
    if (strcmp(kind, "ro") == 0)
        return &location->room;
    return strcmp(kind, "si") == 0 || strcmp(kind, "bu") == 0 ? &location->facility : &location->ward;
}

static bool take_place(struct fhir_job *job, const struct fhir_node *entry, Carehub__V1__Location *location)
{
    struct fhir_node reference = fhir_get(entry, "location"), resolved = fhir_resolve(job, &reference),
                     said = fhir_get(entry, "physicalType"), own = fhir_get(&resolved, "physicalType"),
                     *type = said.json != NULL ? &said : &own, codings = fhir_get(type, "coding");
    const char *name = fhir_text(job->problems, &reference, "display"), *kind = "";
    if (name[0] == '\0')
        name = fhir_text(job->problems, &resolved, "name");
    if (fhir_count(job->problems, &codings, FHIR_LIST_MAX) > 0) {
        struct fhir_node first = fhir_at(&codings, 0);
        kind = fhir_text(job->problems, &first, "code");
    }
    char **part = part_of(location, kind);
    if (name[0] == '\0')
        return false;
    fhir_set_text(job, part, name);
    return true;
}

// Ward, room and bed may each have an element of their own, all of them active; those that are over say where the
// patient was.
Carehub__V1__Location *encounter_location(struct fhir_job *job, struct fhir_time *since)
{
    struct fhir_node locations = fhir_get(job->resource, "location");
    size_t count = fhir_count(job->problems, &locations, FHIR_LIST_MAX);
    Carehub__V1__Location *location = count > 0 ? fhir_new(job, &carehub__v1__location__descriptor) : NULL;
    bool any = false;
    for (size_t i = 0; location != NULL && i < count; i++) {
        struct fhir_node one = fhir_at(&locations, i), period = fhir_get(&one, "period"),
                         start = fhir_get(&period, "start"), end = fhir_get(&period, "end");
        const char *status = fhir_text(job->problems, &one, "status");
        bool over = strcmp(status, "completed") == 0 || end.json != NULL;
        if ((over && i + 1 < count) || strcmp(status, "planned") == 0 || strcmp(status, "reserved") == 0)
            continue;
        if (!take_place(job, &one, location))
            continue;
        any = true;
        if (since != NULL)
            fhir_time(job->problems, &start, since);
    }
    if (any || location == NULL)
        return location;
    carehub__v1__location__free_unpacked(location, NULL);
    return NULL;
}

static void take_encounter_id(struct fhir_job *job, char **encounter_id)
{
    const char *bar = strrchr(job->wanted->identity, '|'); // "Encounter|system|value"
    fhir_set_text(job, encounter_id, bar != NULL ? bar + 1 : job->wanted->identity);
}

static Carehub__V1__Party *hospital(struct fhir_job *job)
{
    struct fhir_node provider = fhir_get(job->resource, "serviceProvider");
    return fhir_party(job, &provider);
}

// The participant who answers for the stay: attender, or else whoever is named first.
static Carehub__V1__Party *attending(struct fhir_job *job)
{
    struct fhir_node participants = fhir_get(job->resource, "participant"), chosen = {0};
    size_t count = fhir_count(job->problems, &participants, FHIR_LIST_MAX);
    for (size_t i = 0; i < count; i++) {
        struct fhir_node one = fhir_at(&participants, i), types = fhir_get(&one, "type"),
                         individual = fhir_get(&one, "individual");
        bool attends = false;
        if (fhir_count(job->problems, &types, FHIR_LIST_MAX) > 0) {
            struct fhir_node type = fhir_at(&types, 0);
            attends =
                fhir_concept_has(job, &type, "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "ATND");
        }
        if (individual.json != NULL && (chosen.json == NULL || attends))
            chosen = fhir_get(&one, "individual");
        if (attends)
            break;
    }
    // The node's way back leads through this function's own; it is not needed any more.
    chosen.from = job->resource;
    chosen.name = "participant";
    chosen.name_len = strlen(chosen.name);
    return fhir_party(job, &chosen);
}

static void take_diagnoses(struct fhir_job *job, Carehub__V1__Coded ***diagnoses, size_t *count)
{
    struct fhir_node list = fhir_get(job->resource, "diagnosis");
    size_t n = fhir_count(job->problems, &list, FHIR_LIST_MAX);
    for (size_t i = 0; i < n; i++) {
        struct fhir_node one = fhir_at(&list, i), reference = fhir_get(&one, "condition"),
                         resolved = fhir_resolve(job, &reference);
        Carehub__V1__Coded *coded = fhir_take_concept(job, &resolved, "code");
        if (coded == NULL)
            coded = fhir_coded_new(job, "", "", fhir_text(job->problems, &reference, "display"));
        fhir_append(job, diagnoses, count, coded);
    }
}

static void take_reason(struct fhir_job *job, char **reason)
{
    Carehub__V1__Coded *coded = fhir_first_concept(job, job->resource, "reasonCode");
    if (coded == NULL)
        return;
    fhir_set_text(job, reason, coded->display[0] != '\0' ? coded->display : coded->code);
    carehub__v1__coded__free_unpacked(coded, NULL);
}

static void copy_time(struct fhir_job *job, Carehub__V1__Time **to, const Carehub__V1__Time *from)
{
    if (from != NULL)
        fhir_set_time(job, to, &(struct fhir_time){from->unix_ms, from->offset_minutes, from->precision});
}

// ---- Times

// A time of the Encounter's period; else that of the message, and *origin says which. An event's time is one of them.
static void take_period(struct encounter *e, const char *name, Carehub__V1__Time **place,
                        Carehub__V1__TimeOrigin *origin, Carehub__V1__Time **occurred_at)
{
    struct fhir_node period = fhir_get(e->job->resource, "period");
    struct fhir_time time;
    if (fhir_take_time(e->job, place, &period, name))
        *origin = CAREHUB__V1__TIME_ORIGIN__STATED;
    else if (occurred_at != NULL && fhir_authored(e->job, &time)) {
        fhir_set_time(e->job, place, &time);
        *origin = CAREHUB__V1__TIME_ORIGIN__MESSAGE_CREATED;
    }
    if (occurred_at != NULL)
        copy_time(e->job, occurred_at, *place);
}

// MedCom tells when leave began and ended in an extension of the Encounter.
static bool take_leave(struct encounter *e, Carehub__V1__CareTransition *b)
{
    struct fhir_node extensions = fhir_get(e->job->resource, "extension");
    size_t count = fhir_count(e->job->problems, &extensions, FHIR_LIST_MAX);
    bool going = e->to == CAREHUB__V1__CARE_TRANSITION__SETTING__HOME;
    for (size_t i = 0; i < count; i++) {
        struct fhir_node one = fhir_at(&extensions, i), period = fhir_choice(&one, "value", "valuePeriod");
        if (strstr(fhir_text(e->job->problems, &one, "url"), "leave-period") == NULL)
            continue;
        if (going)
            fhir_take_time(e->job, &b->until, &period, "end");
        return fhir_take_time(e->job, &b->at, &period, going ? "start" : "end");
    }
    return false;
}

// ---- Bodies

void encounter_fill_admission(struct encounter *e, ProtobufCMessage *body, Carehub__V1__Time **occurred_at)
{
    Carehub__V1__HospitalAdmission *b = (Carehub__V1__HospitalAdmission *)body;
    struct fhir_node stay = fhir_get(e->job->resource, "hospitalization"),
                     priority = fhir_get(e->job->resource, "priority");
    take_encounter_id(e->job, &b->encounter_id);
    b->hospital = hospital(e->job);
    take_period(e, "start", &b->admitted_at, &b->admitted_at_origin, occurred_at);
    b->patient_class = e->class;
    b->planned = fhir_concept_has(e->job, &priority, "http://terminology.hl7.org/CodeSystem/v3-ActPriority", "EL") ||
                 fhir_concept_has(e->job, &priority, "http://terminology.hl7.org/CodeSystem/v3-ActPriority", "R");
    b->location = encounter_location(e->job, NULL);
    b->service = fhir_take_concept(e->job, e->job->resource, "serviceType");
    b->admit_source = fhir_take_concept(e->job, &stay, "admitSource");
    b->attending = attending(e->job);
    take_diagnoses(e->job, &b->diagnoses, &b->n_diagnoses);
    take_reason(e->job, &b->reason);
}

// Of someone who died in hospital the patient's record says so, if not the disposition.
static Carehub__V1__Coded *disposition(struct encounter *e)
{
    bool deceased = false;
    struct fhir_node stay = fhir_get(e->job->resource, "hospitalization");
    Carehub__V1__Coded *said = fhir_take_concept(e->job, &stay, "dischargeDisposition");
    if (said != NULL)
        return said;
    Carehub__V1__Patient *patient = fhir_patient(e->job, &deceased);
    if (patient != NULL)
        carehub__v1__patient__free_unpacked(patient, NULL);
    return deceased ? fhir_coded_new(e->job, SYSTEM_DISCHARGE, "exp", "Expired") : NULL;
}

void encounter_fill_discharge(struct encounter *e, ProtobufCMessage *body, Carehub__V1__Time **occurred_at)
{
    Carehub__V1__HospitalDischarge *b = (Carehub__V1__HospitalDischarge *)body;
    struct fhir_node stay = fhir_get(e->job->resource, "hospitalization"), to = fhir_get(&stay, "destination");
    take_encounter_id(e->job, &b->encounter_id);
    b->hospital = hospital(e->job);
    take_period(e, "start", &b->admitted_at, &b->admitted_at_origin, NULL);
    take_period(e, "end", &b->discharged_at, &b->discharged_at_origin, occurred_at);
    b->patient_class = e->class;
    b->location = encounter_location(e->job, NULL);
    b->service = fhir_take_concept(e->job, e->job->resource, "serviceType");
    b->disposition = disposition(e);
    b->destination = fhir_coded_new(e->job, "", "", fhir_text(e->job->problems, &to, "display"));
    b->attending = attending(e->job);
    take_diagnoses(e->job, &b->diagnoses, &b->n_diagnoses);
}

void encounter_fill_emergency(struct encounter *e, ProtobufCMessage *body, Carehub__V1__Time **occurred_at)
{
    Carehub__V1__EmergencyVisit *b = (Carehub__V1__EmergencyVisit *)body;
    Carehub__V1__TimeOrigin left_origin;
    struct fhir_node stay = fhir_get(e->job->resource, "hospitalization");
    take_encounter_id(e->job, &b->encounter_id);
    b->hospital = hospital(e->job);
    take_period(e, "start", &b->arrived_at, &b->arrived_at_origin, e->leaving ? NULL : occurred_at);
    if (e->leaving) {
        take_period(e, "end", &b->left_at, &left_origin, occurred_at);
        b->outcome = disposition(e);
    }
    b->arrival_mode = fhir_take_concept(e->job, &stay, "admitSource");
    b->location = encounter_location(e->job, NULL);
    b->service = fhir_take_concept(e->job, e->job->resource, "serviceType");
    take_diagnoses(e->job, &b->diagnoses, &b->n_diagnoses);
    take_reason(e->job, &b->reason);
}

void encounter_fill_transition(struct encounter *e, ProtobufCMessage *body, Carehub__V1__Time **occurred_at)
{
    Carehub__V1__CareTransition *b = (Carehub__V1__CareTransition *)body;
    bool home = e->to == CAREHUB__V1__CARE_TRANSITION__SETTING__HOME;
    struct fhir_time since = {0};
    take_encounter_id(e->job, &b->encounter_id);
    b->organisation = hospital(e->job);
    b->from = e->from;
    b->to = e->to;
    Carehub__V1__Location *now = encounter_location(e->job, &since);
    *(home ? &b->from_location : &b->to_location) = now;
    if (!home && e->was_at != NULL) {
        b->from_location = fhir_new(e->job, &carehub__v1__location__descriptor);
        if (b->from_location != NULL) {
            fhir_set_text(e->job, &b->from_location->facility, e->was_at->facility);
            fhir_set_text(e->job, &b->from_location->ward, e->was_at->ward);
            fhir_set_text(e->job, &b->from_location->room, e->was_at->room);
            fhir_set_text(e->job, &b->from_location->bed, e->was_at->bed);
        }
    }
    b->at_origin = CAREHUB__V1__TIME_ORIGIN__STATED;
    if (!take_leave(e, b) && since.precision != CAREHUB__V1__PRECISION__PRECISION_UNSPECIFIED && !home)
        fhir_set_time(e->job, &b->at, &since);
    if (b->at == NULL && fhir_authored(e->job, &since)) {
        fhir_set_time(e->job, &b->at, &since);
        b->at_origin = CAREHUB__V1__TIME_ORIGIN__MESSAGE_CREATED;
    }
    copy_time(e->job, occurred_at, b->at);
    b->service = fhir_take_concept(e->job, e->job->resource, "serviceType");
    take_reason(e->job, &b->reason);
}
