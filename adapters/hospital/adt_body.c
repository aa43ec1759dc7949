// The bodies of the four events that a hospital's ADT feed yields. Each function fills an empty body, or brings one
// that is being amended up to date: see "take" in adt_internal.h.
#include "adt_internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

// Tables of HL7 as FHIR names them.
#define TABLE(number) "http://terminology.hl7.org/CodeSystem/v2-" number
#define DISCHARGE_DISPOSITION "http://terminology.hl7.org/CodeSystem/discharge-disposition"

Carehub__V1__PatientClass adt_patient_class(const struct adt_job *job)
{
    static const struct {
        const char *code;
        Carehub__V1__PatientClass is;
    } classes[] = {
        {"I", CAREHUB__V1__PATIENT_CLASS__INPATIENT},    {"O", CAREHUB__V1__PATIENT_CLASS__OUTPATIENT},
        {"E", CAREHUB__V1__PATIENT_CLASS__EMERGENCY},    {"D", CAREHUB__V1__PATIENT_CLASS__DAY_CARE},
        {"P", CAREHUB__V1__PATIENT_CLASS__PREADMISSION}, {"R", CAREHUB__V1__PATIENT_CLASS__RECURRING},
        {"B", CAREHUB__V1__PATIENT_CLASS__OBSTETRICS},
    };
    char code[ADT_CODE_MAX_BYTES + 1];
    adt_copy(job, adt_get(job, "PV1", 2, 1), code, sizeof code);
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        if (strcasecmp(classes[i].code, code) == 0)
            return classes[i].is;
    return code[0] != '\0' ? CAREHUB__V1__PATIENT_CLASS__OTHER_CLASS
                           : CAREHUB__V1__PATIENT_CLASS__PATIENT_CLASS_UNSPECIFIED;
}

static void take_class(struct adt_job *job, Carehub__V1__PatientClass *class)
{
    Carehub__V1__PatientClass found = adt_patient_class(job);
    if (found != CAREHUB__V1__PATIENT_CLASS__PATIENT_CLASS_UNSPECIFIED ||
        adt_get(job, "PV1", 2, 0).presence == HL7V2_NULL)
        *class = found;
}

static void take_encounter(struct adt_job *job, char **encounter, Carehub__V1__Party **hospital)
{
    adt_take_text(job, encounter, adt_get(job, "PV1", 19, 1));
    if (*hospital == NULL)
        *hospital = adt_hospital(job);
}

// A reason is a coded element: its text, or what there is.
static void take_reason(struct adt_job *job, char **reason)
{
    struct hl7v2_value text = adt_get(job, "PV2", 3, 2);
    adt_take_text(job, reason, text.presence == HL7V2_VALUED ? text : adt_get(job, "PV2", 3, 1));
}

// ---- Arriving

// Table 0007: elective and routine are planned. Others, and none, are not known to be.
static void take_planned(struct adt_job *job, protobuf_c_boolean *planned)
{
    char code[8];
    struct hl7v2_value value = adt_get(job, "PV1", 4, 1);
    adt_copy(job, value, code, sizeof code);
    if (code[0] != '\0' || value.presence == HL7V2_NULL)
        *planned = strcasecmp(code, "C") == 0 || strcasecmp(code, "R") == 0;
}

static const Carehub__V1__Time *fill_admission(struct adt_job *job, ProtobufCMessage *body)
{
    Carehub__V1__HospitalAdmission *b = (Carehub__V1__HospitalAdmission *)body;
    take_encounter(job, &b->encounter_id, &b->hospital);
    adt_take_event_time(job, 44, &b->admitted_at, &b->admitted_at_origin);
    take_class(job, &b->patient_class);
    take_planned(job, &b->planned);
    adt_take_time(job, &b->expected_discharge_at, adt_get(job, "PV2", 9, 1));
    adt_take_location(job, &b->location, 3);
    adt_take_coded(job, &b->service, "PV1", 10, TABLE("0069"));
    adt_take_coded(job, &b->admit_source, "PV1", 14, TABLE("0023"));
    adt_take_doctor(job, &b->attending, 7);
    adt_take_diagnoses(job, &b->diagnoses, &b->n_diagnoses);
    take_reason(job, &b->reason);
    return b->admitted_at;
}

// ---- Moving

static const Carehub__V1__Time *fill_transition(struct adt_job *job, ProtobufCMessage *body)
{
    Carehub__V1__CareTransition *b = (Carehub__V1__CareTransition *)body;
    take_encounter(job, &b->encounter_id, &b->organisation);
    adt_take_event_time(job, 0, &b->at, &b->at_origin);
    b->from = b->to = CAREHUB__V1__CARE_TRANSITION__SETTING__HOSPITAL_WARD;
    adt_take_location(job, &b->from_location, 6);
    adt_take_location(job, &b->to_location, 3);
    adt_take_coded(job, &b->service, "PV1", 10, TABLE("0069"));
    take_reason(job, &b->reason);
    return b->at;
}

// ---- Leaving

static void put_coded(Carehub__V1__Coded **place, Carehub__V1__Coded *coded)
{
    if (*place != NULL)
        carehub__v1__coded__free_unpacked(*place, NULL);
    *place = coded;
}

// PV1-36, table 0112, which each hospital fills in for itself: mapped where the configuration says how. Some systems
// put times into the fields from 36 on; then neither this nor PV1-37 means what the standard says.
static bool take_disposition(struct adt_job *job, Carehub__V1__Coded **disposition)
{
    char code[ADT_CODE_MAX_BYTES + 1];
    struct hl7v2_value value = adt_get(job, "PV1", 36, 1);
    if (adt_looks_like_time(job, value)) {
        adt_remark(job, "disposition-is-a-time");
        return false;
    }
    adt_copy(job, value, code, sizeof code);
    const struct adt_code *mapped = adt_sender_disposition(job->in->sender, code);
    if (mapped != NULL && code[0] != '\0')
        put_coded(disposition,
                  adt_coded(job, DISCHARGE_DISPOSITION, mapped->to, mapped->display != NULL ? mapped->display : ""));
    else
        adt_take_coded(job, disposition, "PV1", 36, TABLE("0112"));
    return true;
}

static void take_destination(struct adt_job *job, Carehub__V1__Coded **destination)
{
    if (adt_looks_like_time(job, adt_get(job, "PV1", 37, 1)))
        adt_remark(job, "destination-is-a-time");
    else
        adt_take_coded(job, destination, "PV1", 37, TABLE("0113"));
}

// What the discharge leaves out about the admission is known from the admission's own message.
static void recall_admission(struct adt_job *job, Carehub__V1__HospitalDischarge *b)
{
    for (size_t i = job->in->past_count; i-- > 0 && b->admitted_at == NULL;) {
        const Carehub__V1__Event *past = job->in->past[i];
        if (past->body_case != CAREHUB__V1__EVENT__BODY_HOSPITAL_ADMISSION)
            continue;
        b->admitted_at = adt_time_copy(job, past->hospital_admission->admitted_at);
        b->admitted_at_origin = past->hospital_admission->admitted_at_origin;
    }
}

// A letter that came before the discharge was told of by itself, and now gets its place. See mdm.h.
static void recall_letter(struct adt_job *job, Carehub__V1__HospitalDischarge *b)
{
    for (size_t i = job->in->past_count; i-- > 0 && b->letter == NULL;) {
        const Carehub__V1__Event *past = job->in->past[i];
        if (past->body_case == CAREHUB__V1__EVENT__BODY_TEAM_MESSAGE && past->team_message->n_attachments > 0 &&
            past->confidentiality != CAREHUB__V1__CONFIDENTIALITY__RESTRICTED)
            b->letter = adt_message_copy(job, &past->team_message->attachments[0]->base);
    }
}

static const Carehub__V1__Time *fill_discharge(struct adt_job *job, ProtobufCMessage *body)
{
    Carehub__V1__HospitalDischarge *b = (Carehub__V1__HospitalDischarge *)body;
    take_encounter(job, &b->encounter_id, &b->hospital);
    if (adt_take_time(job, &b->admitted_at, adt_get(job, "PV1", 44, 1)))
        b->admitted_at_origin = CAREHUB__V1__TIME_ORIGIN__STATED;
    else if (!job->amending)
        recall_admission(job, b);
    if (b->admitted_at == NULL)
        b->admitted_at_origin = CAREHUB__V1__TIME_ORIGIN__TIME_ORIGIN_UNSPECIFIED;
    adt_take_event_time(job, 45, &b->discharged_at, &b->discharged_at_origin);
    take_class(job, &b->patient_class);
    adt_take_location(job, &b->location, 3);
    adt_take_coded(job, &b->service, "PV1", 10, TABLE("0069"));
    if (take_disposition(job, &b->disposition))
        take_destination(job, &b->destination);
    adt_take_doctor(job, &b->attending, 7);
    adt_take_diagnoses(job, &b->diagnoses, &b->n_diagnoses);
    if (!job->amending)
        recall_letter(job, b);
    return b->discharged_at;
}

// ---- Emergency: arriving and leaving are one type; the latter has left_at

static bool is_leaving_now(const struct adt_job *job)
{
    char trigger[16];
    adt_trigger(job->message, trigger, sizeof trigger);
    return strcmp(trigger, "A03") == 0;
}

static void recall_arrival(struct adt_job *job, Carehub__V1__EmergencyVisit *b)
{
    for (size_t i = job->in->past_count; i-- > 0 && b->arrived_at == NULL;) {
        const Carehub__V1__Event *past = job->in->past[i];
        if (past->body_case != CAREHUB__V1__EVENT__BODY_EMERGENCY_VISIT)
            continue;
        b->arrived_at = adt_time_copy(job, past->emergency_visit->arrived_at);
        b->arrived_at_origin = past->emergency_visit->arrived_at_origin;
    }
}

static const Carehub__V1__Time *fill_emergency(struct adt_job *job, ProtobufCMessage *body)
{
    Carehub__V1__EmergencyVisit *b = (Carehub__V1__EmergencyVisit *)body;
    Carehub__V1__TimeOrigin left_origin;
    bool leaving = b->left_at != NULL || is_leaving_now(job);
    take_encounter(job, &b->encounter_id, &b->hospital);
    if (!leaving)
        adt_take_event_time(job, 44, &b->arrived_at, &b->arrived_at_origin);
    else if (adt_take_time(job, &b->arrived_at, adt_get(job, "PV1", 44, 1)))
        b->arrived_at_origin = CAREHUB__V1__TIME_ORIGIN__STATED;
    else if (!job->amending)
        recall_arrival(job, b);
    if (leaving) {
        adt_take_event_time(job, 45, &b->left_at, &left_origin);
        take_disposition(job, &b->outcome);
    }
    if (b->arrived_at == NULL)
        b->arrived_at_origin = CAREHUB__V1__TIME_ORIGIN__TIME_ORIGIN_UNSPECIFIED;
    adt_take_coded(job, &b->arrival_mode, "PV2", 38, TABLE("0430"));
    adt_take_location(job, &b->location, 3);
    adt_take_coded(job, &b->service, "PV1", 10, TABLE("0069"));
    adt_take_diagnoses(job, &b->diagnoses, &b->n_diagnoses);
    take_reason(job, &b->reason);
    return leaving ? b->left_at : b->arrived_at;
}

bool adt_is_leaving(const Carehub__V1__Event *event)
{
    return event->body_case == CAREHUB__V1__EVENT__BODY_HOSPITAL_DISCHARGE ||
           (event->body_case == CAREHUB__V1__EVENT__BODY_EMERGENCY_VISIT && event->emergency_visit->left_at != NULL);
}

// ---- The body of an event

static const struct body {
    Carehub__V1__EventType type;
    Carehub__V1__Event__BodyCase is;
    const ProtobufCMessageDescriptor *descriptor;
    const Carehub__V1__Time *(*fill)(struct adt_job *job, ProtobufCMessage *body); // gives when it occurred
} bodies[] = {
    {CAREHUB__V1__EVENT_TYPE__HOSPITAL_ADMISSION, CAREHUB__V1__EVENT__BODY_HOSPITAL_ADMISSION,
     &carehub__v1__hospital_admission__descriptor, fill_admission},
    {CAREHUB__V1__EVENT_TYPE__HOSPITAL_DISCHARGE, CAREHUB__V1__EVENT__BODY_HOSPITAL_DISCHARGE,
     &carehub__v1__hospital_discharge__descriptor, fill_discharge},
    {CAREHUB__V1__EVENT_TYPE__EMERGENCY_VISIT, CAREHUB__V1__EVENT__BODY_EMERGENCY_VISIT,
     &carehub__v1__emergency_visit__descriptor, fill_emergency},
    {CAREHUB__V1__EVENT_TYPE__CARE_TRANSITION, CAREHUB__V1__EVENT__BODY_CARE_TRANSITION,
     &carehub__v1__care_transition__descriptor, fill_transition},
};

static const struct body *body_of(Carehub__V1__EventType type)
{
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
        if (bodies[i].type == type)
            return &bodies[i];
    return NULL;
}

bool adt_has_body(Carehub__V1__EventType type)
{
    return body_of(type) != NULL;
}

// The members of the oneof are pointers in one union, so that any of them gives all. NULL without memory.
static ProtobufCMessage *body_get(struct adt_job *job, Carehub__V1__Event *event, const struct body *body)
{
    if (event->body_case != CAREHUB__V1__EVENT__BODY__NOT_SET)
        return (ProtobufCMessage *)event->hospital_discharge;
    ProtobufCMessage *made = adt_message_new(job, body->descriptor);
    if (made == NULL)
        return NULL;
    event->body_case = body->is;
    event->hospital_discharge = (Carehub__V1__HospitalDischarge *)made;
    return made;
}

void adt_fill_body(struct adt_job *job, Carehub__V1__Event *event)
{
    const struct body *body = body_of(event->type);
    ProtobufCMessage *message = body_get(job, event, body);
    const Carehub__V1__Time *occurred = message != NULL ? body->fill(job, message) : NULL;
    if (event->occurred_at != NULL)
        carehub__v1__time__free_unpacked(event->occurred_at, NULL);
    event->occurred_at = adt_time_copy(job, occurred);
}

void adt_fill_bare_body(struct adt_job *job, Carehub__V1__Event *event)
{
    Carehub__V1__TimeOrigin origin;
    ProtobufCMessage *message = body_get(job, event, body_of(event->type));
    if (message != NULL) // encounter_id is the first field of all four
        adt_take_text(job, &((Carehub__V1__HospitalDischarge *)message)->encounter_id, adt_get(job, "PV1", 19, 1));
    adt_take_event_time(job, 0, &event->occurred_at, &origin);
}
