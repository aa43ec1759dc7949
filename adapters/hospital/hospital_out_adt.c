// Stays, visits and deaths as ADT messages.
#include <stdio.h>
#include <string.h>

#include "hospital_out_internal.h"

// What PID, PV1 and PV2 say of a stay or visit; NULL and 0 where the event says nothing.
struct visit {
    const char *encounter, *reason;
    const Carehub__V1__Party *hospital, *attending;
    const Carehub__V1__Time *arrived, *left, *expected_to_leave;
    const Carehub__V1__Location *location, *prior;
    const Carehub__V1__Coded *service, *source, *disposition, *destination, *arrival_mode;
    const char *class;
    bool planned;
    Carehub__V1__Coded *const *diagnoses;
    size_t n_diagnoses;
    const char *diagnosis_type; // table 0052
};

// Table 0004. Day care is an outpatient's: the table has no word for it.
static const char *class_of(Carehub__V1__PatientClass class)
{
    static const char *const codes[] = {
        [CAREHUB__V1__PATIENT_CLASS__PATIENT_CLASS_UNSPECIFIED] = "I",
        [CAREHUB__V1__PATIENT_CLASS__INPATIENT] = "I",
        [CAREHUB__V1__PATIENT_CLASS__OUTPATIENT] = "O",
        [CAREHUB__V1__PATIENT_CLASS__EMERGENCY] = "E",
        [CAREHUB__V1__PATIENT_CLASS__DAY_CARE] = "O",
        [CAREHUB__V1__PATIENT_CLASS__PREADMISSION] = "P",
        [CAREHUB__V1__PATIENT_CLASS__RECURRING] = "R",
        [CAREHUB__V1__PATIENT_CLASS__OBSTETRICS] = "B",
        [CAREHUB__V1__PATIENT_CLASS__OTHER_CLASS] = "U",
    };
    return (size_t) class < sizeof codes / sizeof codes[0] ? codes[class] : "U";
}

// ---- One function for each type: what of its body goes where

static struct visit admission(const ProtobufCMessage *body)
{
    const Carehub__V1__HospitalAdmission *b = (const Carehub__V1__HospitalAdmission *)body;
    return (struct visit){.encounter = b->encounter_id,
                          .reason = b->reason,
                          .hospital = b->hospital,
                          .attending = b->attending,
                          .arrived = b->admitted_at,
                          .expected_to_leave = b->expected_discharge_at,
                          .location = b->location,
                          .service = b->service,
                          .source = b->admit_source,
                          .class = class_of(b->patient_class),
                          .planned = b->planned,
                          .diagnoses = b->diagnoses,
                          .n_diagnoses = b->n_diagnoses,
                          .diagnosis_type = "A"};
}

static struct visit transition(const ProtobufCMessage *body)
{
    const Carehub__V1__CareTransition *b = (const Carehub__V1__CareTransition *)body;
    return (struct visit){.encounter = b->encounter_id,
                          .reason = b->reason,
                          .hospital = b->organisation,
                          .location = b->to_location,
                          .prior = b->from_location,
                          .service = b->service,
                          .class = "I"};
}

static struct visit discharge(const ProtobufCMessage *body)
{
    const Carehub__V1__HospitalDischarge *b = (const Carehub__V1__HospitalDischarge *)body;
    return (struct visit){.encounter = b->encounter_id,
                          .hospital = b->hospital,
                          .attending = b->attending,
                          .arrived = b->admitted_at,
                          .left = b->discharged_at,
                          .location = b->location,
                          .service = b->service,
                          .disposition = b->disposition,
                          .destination = b->destination,
                          .class = class_of(b->patient_class),
                          .diagnoses = b->diagnoses,
                          .n_diagnoses = b->n_diagnoses,
                          .diagnosis_type = "F"};
}

static struct visit emergency(const ProtobufCMessage *body)
{
    const Carehub__V1__EmergencyVisit *b = (const Carehub__V1__EmergencyVisit *)body;
    return (struct visit){.encounter = b->encounter_id,
                          .reason = b->reason,
                          .hospital = b->hospital,
                          .arrived = b->arrived_at,
                          .left = b->left_at,
                          .location = b->location,
                          .service = b->service,
                          .disposition = b->outcome,
                          .arrival_mode = b->arrival_mode,
                          .class = "E",
                          .diagnoses = b->diagnoses,
                          .n_diagnoses = b->n_diagnoses,
                          .diagnosis_type = "W"};
}

struct trigger {
    const char *name, *structure; // MSH-9.2 and -9.3, table 0354
};

static const struct trigger a08 = {"A08", "ADT_A01"};

// Fields of the bodies that segments have a place for. *_origin tells how sure a time is, which HL7 cannot say.
static const char *const placed_admission[] = {
    "encounter_id",          "hospital",  "admitted_at", "admitted_at_origin",
    "patient_class",         "planned",   "location",    "service",
    "admit_source",          "attending", "diagnoses",   "reason",
    "expected_discharge_at", NULL};
static const char *const placed_transition[] = {"encounter_id", "organisation", "at",     "at_origin", "from_location",
                                                "to_location",  "service",      "reason", NULL};
static const char *const placed_discharge[] = {
    "encounter_id",  "hospital", "admitted_at", "discharged_at", "discharged_at_origin", "admitted_at_origin",
    "patient_class", "location", "service",     "disposition",   "destination",          "attending",
    "diagnoses",     NULL};
static const char *const placed_emergency[] = {"encounter_id", "hospital",     "arrived_at", "arrived_at_origin",
                                               "left_at",      "arrival_mode", "outcome",    "location",
                                               "service",      "diagnoses",    "reason",     NULL};

static const struct kind {
    Carehub__V1__EventType type;
    struct visit (*read)(const ProtobufCMessage *body);
    const char *const *placed;
    struct trigger happens, cancels;
} kinds[] = {
    {CAREHUB__V1__EVENT_TYPE__HOSPITAL_ADMISSION, admission, placed_admission, {"A01", "ADT_A01"}, {"A11", "ADT_A09"}},
    {CAREHUB__V1__EVENT_TYPE__CARE_TRANSITION, transition, placed_transition, {"A02", "ADT_A02"}, {"A12", "ADT_A12"}},
    {CAREHUB__V1__EVENT_TYPE__HOSPITAL_DISCHARGE, discharge, placed_discharge, {"A03", "ADT_A03"}, {"A13", "ADT_A01"}},
    {CAREHUB__V1__EVENT_TYPE__EMERGENCY_VISIT, emergency, placed_emergency, {"A04", "ADT_A01"}, {"A11", "ADT_A09"}},
};
static const struct trigger leaves = {"A03", "ADT_A03"}, leaves_not = {"A13", "ADT_A01"};

static const struct kind *kind_of(Carehub__V1__EventType type)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (kinds[i].type == type)
            return &kinds[i];
    return NULL;
}

// ---- Segments

static void put_evn(struct out_job *job, const char *trigger, const struct visit *visit)
{
    const Carehub__V1__Time recorded = out_recorded_at(job->event);
    hl7v2_write_segment(job->writer, "EVN");
    out_text(job, 1, 1, trigger);
    out_time(job, 2, &recorded);
    out_time(job, 6, job->event->occurred_at);
    if (visit->hospital != NULL)
        out_text(job, 7, 1, visit->hospital->name);
}

static void put_pv1(struct out_job *job, const struct visit *visit)
{
    hl7v2_write_segment(job->writer, "PV1");
    out_text(job, 1, 1, "1");
    out_text(job, 2, 1, visit->class);
    out_location(job, 3, visit->location);
    if (visit->planned)
        out_text(job, 4, 1, "C"); // elective, table 0007
    out_location(job, 6, visit->prior);
    out_person(job, 7, visit->attending);
    out_code_only(job, 10, visit->service);
    out_code_only(job, 14, visit->source);
    if (visit->encounter != NULL && visit->encounter[0] != '\0') {
        out_text(job, 19, 1, visit->encounter);
        if (visit->hospital != NULL)
            out_text(job, 19, 4, visit->hospital->name);
        out_text(job, 19, 5, "VN");
    }
    if (visit->disposition != NULL)
        out_text(job, 36, 1,
                 visit->disposition->code[0] != '\0' ? out_receiver_disposition(job->receiver, visit->disposition->code)
                                                     : visit->disposition->display);
    out_code_only(job, 37, visit->destination);
    out_time(job, 44, visit->arrived);
    out_time(job, 45, visit->left);
}

static void put_pv2(struct out_job *job, const struct visit *visit)
{
    bool reason = visit->reason != NULL && visit->reason[0] != '\0';
    if (!reason && visit->expected_to_leave == NULL && visit->arrival_mode == NULL)
        return;
    hl7v2_write_segment(job->writer, "PV2");
    out_text(job, 3, 2, visit->reason);
    out_time(job, 9, visit->expected_to_leave);
    out_coded(job, 38, visit->arrival_mode);
}

static void put_diagnoses(struct out_job *job, const struct visit *visit)
{
    for (size_t i = 0; i < visit->n_diagnoses; i++) {
        hl7v2_write_segment(job->writer, "DG1");
        hl7v2_write_number(job->writer, hl7v2_at(1, 1, 1, 1), i + 1);
        out_coded(job, 3, visit->diagnoses[i]);
        out_text(job, 6, 1, visit->diagnosis_type);
    }
}

static void put_observations(struct out_job *job, const struct kind *kind)
{
    out_observe(job, out_body(job->event), kind->placed);
    out_observe_references(job);
}

// ---- Messages

// What is taken back is named, not told again: the visit and its times, which everybody may see who saw the event, and
// none of the rest, which the receiver may no longer be entitled to.
static struct visit bare(const struct kind *kind, const Carehub__V1__Event *event, const Carehub__V1__Event *original)
{
    const ProtobufCMessage *body = out_body(original != NULL && original->type == event->type ? original : event);
    struct visit whole = body != NULL ? kind->read(body) : (struct visit){.class = "I"};
    return (struct visit){.encounter = whole.encounter,
                          .hospital = whole.hospital,
                          .arrived = whole.arrived,
                          .left = whole.left,
                          .class = whole.class};
}

static bool complain(struct out_job *job, const char *where, const char *what)
{
    snprintf(job->problem->where, sizeof job->problem->where, "%s", where);
    snprintf(job->problem->what, sizeof job->problem->what, "%s", what);
    return false;
}

// Leaving is another trigger event than arriving, and whether a visit that is taken back had ended only the original
// can tell.
static bool retraction_of(struct out_job *job, const struct kind *kind, struct trigger *trigger)
{
    *trigger = kind->cancels;
    if (kind->type != CAREHUB__V1__EVENT_TYPE__EMERGENCY_VISIT)
        return true;
    if (job->original == NULL || job->original->body_case != CAREHUB__V1__EVENT__BODY_EMERGENCY_VISIT)
        return complain(job, "Event.retracts",
                        "whether the arrival (A11) or the leaving (A13) of this emergency visit is taken back is not "
                        "known here any more; tell the receiver yourself");
    if (job->original->emergency_visit->left_at != NULL)
        *trigger = leaves_not;
    return true;
}

static bool visit_message(struct out_job *job, const struct kind *kind)
{
    bool told = job->correction != OUT_RETRACTS && !job->departure->notice && out_body(job->event) != NULL;
    struct visit visit = told ? kind->read(out_body(job->event)) : bare(kind, job->event, job->original);
    struct trigger trigger = job->correction == OUT_AMENDS ? a08 : kind->happens;
    if (job->correction == OUT_RETRACTS && !retraction_of(job, kind, &trigger))
        return false;
    if (job->correction == OUT_IS_NEW && kind->type == CAREHUB__V1__EVENT_TYPE__EMERGENCY_VISIT && visit.left != NULL)
        trigger = leaves;
    out_header(job, "ADT", trigger.name, trigger.structure);
    put_evn(job, trigger.name, &visit);
    out_patient(job);
    put_pv1(job, &visit);
    if (!told)
        return true;
    put_pv2(job, &visit);
    // ADT_A01 has observations before diagnoses, ADT_A03 behind them, ADT_A02 no diagnoses.
    bool diagnoses_first = strcmp(trigger.structure, "ADT_A03") == 0;
    if (diagnoses_first)
        put_diagnoses(job, &visit);
    put_observations(job, kind);
    if (!diagnoses_first)
        put_diagnoses(job, &visit);
    return true;
}

// A31 is about the person, whatever visit there may be; PV1-2 N says that there is none (3.3.31).
static bool death_message(struct out_job *job)
{
    const struct visit none = {.class = "N"};
    const Carehub__V1__PatientDeceased *body =
        job->event->body_case == CAREHUB__V1__EVENT__BODY_PATIENT_DECEASED ? job->event->patient_deceased : NULL;
    static const char *const placed[] = {"at", NULL};
    bool told = body != NULL && job->correction != OUT_RETRACTS && !job->departure->notice;
    out_header(job, "ADT", "A31", "ADT_A05");
    put_evn(job, "A31", &none);
    out_patient(job);
    if (job->correction == OUT_RETRACTS)
        hl7v2_write_null(job->writer, hl7v2_at(29, 1, 1, 1));
    else if (told)
        out_time(job, 29, body->at != NULL ? body->at : job->event->occurred_at);
    if (job->correction == OUT_RETRACTS || told)
        out_text(job, 30, 1, told ? "Y" : "N");
    put_pv1(job, &none);
    if (told)
        out_observe(job, &body->base, placed);
    return true;
}

bool out_adt(struct out_job *job)
{
    const struct kind *kind = kind_of(job->event->type);
    return kind != NULL ? visit_message(job, kind) : death_message(job);
}
