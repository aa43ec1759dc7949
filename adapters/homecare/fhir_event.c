// The envelope of an event, and whether it is new, a correction, or in force already.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "catalogue.h"
#include "eventid.h"
#include "fhir_job.h"
#include "hub_limits.h"

static const struct body {
    Carehub__V1__EventType type;
    Carehub__V1__Event__BodyCase is;
    const ProtobufCMessageDescriptor *descriptor;
} bodies[] = {
#define BODY(TYPE, name)                                                                                               \
    {                                                                                                                  \
        CAREHUB__V1__EVENT_TYPE__##TYPE, CAREHUB__V1__EVENT__BODY_##TYPE, &carehub__v1__##name##__descriptor           \
    }
    BODY(HOSPITAL_DISCHARGE, hospital_discharge),
    BODY(HOSPITAL_ADMISSION, hospital_admission),
    BODY(EMERGENCY_VISIT, emergency_visit),
    BODY(CARE_TRANSITION, care_transition),
    BODY(FALL_REPORTED, fall_reported),
    BODY(CONDITION_CHANGED, condition_changed),
    BODY(ASSESSMENT_COMPLETED, assessment_completed),
    BODY(CARER_STRAIN, carer_strain),
    BODY(PATIENT_REPORTED, patient_reported),
    BODY(TEAM_MESSAGE, team_message),
#undef BODY
};

void fhir_add_remark(struct fhir_job *job, const char *remark)
{
    for (size_t i = 0; i < job->remark_count; i++)
        if (strcmp(job->remarks[i], remark) == 0)
            return;
    if (job->remark_count < FHIR_REMARKS_MAX)
        job->remarks[job->remark_count++] = remark;
}

void fhir_event_discard(Carehub__V1__Event **event)
{
    if (*event != NULL)
        carehub__v1__event__free_unpacked(*event, NULL);
    *event = NULL;
}

// The members of the oneof are pointers in one union, so that any of them gives all.
static bool set_body(struct fhir_job *job, Carehub__V1__Event *event, Carehub__V1__EventType type,
                     ProtobufCMessage **body)
{
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        if (bodies[i].type != type)
            continue;
        *body = fhir_new(job, bodies[i].descriptor);
        if (*body == NULL)
            return false;
        event->type = type;
        event->body_case = bodies[i].is;
        event->hospital_discharge = (Carehub__V1__HospitalDischarge *)*body;
        return true;
    }
    FHIR_PROBLEM(job->problems, PROBLEM_ERROR, PROBLEM_NOT_SUPPORTED, job->resource,
                 "this adapter makes no events of the type that its rules say for this code; tell the operator");
    return false;
}

Carehub__V1__Event *fhir_event_new(struct fhir_job *job, Carehub__V1__EventType type, ProtobufCMessage **body)
{
    Carehub__V1__Event *event = fhir_new(job, &carehub__v1__event__descriptor);
    if (event == NULL)
        return NULL;
    event->patient = fhir_patient(job, NULL);
    if (event->patient == NULL || !set_body(job, event, type, body))
        fhir_event_discard(&event);
    return event;
}

// ---- When it was written

bool fhir_authored(struct fhir_job *job, struct fhir_time *time)
{
    const struct fhir_document *d = job->document;
    struct fhir_node bundle_time = fhir_get(&d->root, "timestamp"), meta = fhir_get(job->resource, "meta"),
                     updated = fhir_get(&meta, "lastUpdated");
    if (d->bundle == FHIR_MESSAGE && fhir_time(job->problems, &bundle_time, time))
        return true;
    if (fhir_time(job->problems, &updated, time))
        return true;
    for (const char *const *name = job->wanted->kind->authored; *name != NULL; name++) {
        struct fhir_node node = fhir_get(job->resource, *name);
        if (fhir_time(job->problems, &node, time))
            return true;
    }
    return false;
}

static bool in_range(const struct fhir_time *time)
{
    return time->unix_ms >= 0 && time->precision >= CAREHUB__V1__PRECISION__PRECISION_DAY;
}

// The time of the event's id: what the resource says of itself, else when it happened, else when it came in.
static bool id_time(struct fhir_job *job, const Carehub__V1__Event *event, uint64_t *ms)
{
    struct fhir_time time;
    if (fhir_authored(job, &time) && in_range(&time)) {
        *ms = (uint64_t)time.unix_ms;
    } else if (event->occurred_at != NULL && event->occurred_at->unix_ms >= 0 &&
               event->occurred_at->precision >= CAREHUB__V1__PRECISION__PRECISION_DAY) {
        *ms = (uint64_t)event->occurred_at->unix_ms;
    } else {
        *ms = job->document->in->received_ms > 0 ? (uint64_t)job->document->in->received_ms : 0;
        fhir_add_remark(job, "resource-without-time");
    }
    if ((int64_t)*ms <= job->document->in->received_ms + ID_AHEAD_MAX_MS)
        return true;
    FHIR_PROBLEM(job->problems, PROBLEM_ERROR, PROBLEM_BUSINESS_RULE, job->resource,
                 "its time lies in the future; set the clock of the sending system");
    return false;
}

// ---- What it says

// The content as bytes: who, when, what. The caller frees. NULL without memory.
static uint8_t *content_of(struct fhir_job *job, const Carehub__V1__Event *event, size_t *size)
{
    Carehub__V1__Event bare = CAREHUB__V1__EVENT__INIT;
    bare.patient = event->patient;
    bare.occurred_at = event->occurred_at;
    bare.urgency = event->urgency;
    bare.n_addressees = event->n_addressees;
    bare.addressees = event->addressees;
    bare.body_case = event->body_case;
    bare.hospital_discharge = event->hospital_discharge;
    *size = carehub__v1__event__get_packed_size(&bare);
    uint8_t *bytes = malloc(*size > 0 ? *size : 1);
    if (bytes != NULL)
        carehub__v1__event__pack(&bare, bytes);
    else
        job->no_memory = true;
    return bytes;
}

static bool is_same(struct fhir_job *job, const Carehub__V1__Event *a, const Carehub__V1__Event *b)
{
    size_t sizes[2];
    uint8_t *bytes[2] = {content_of(job, a, &sizes[0]), content_of(job, b, &sizes[1])};
    bool same =
        bytes[0] != NULL && bytes[1] != NULL && sizes[0] == sizes[1] && memcmp(bytes[0], bytes[1], sizes[0]) == 0;
    free(bytes[0]);
    free(bytes[1]);
    return same;
}

// ---- The id

// A first report is named by its resource alone, so that it stays the same event however it is written down again. A
// correction, or one of the many things that an Encounter tells over time, is named by what it says and corrects too.
static void set_id(struct fhir_job *job, Carehub__V1__Event *event)
{
    const struct fhir_intake *in = job->document->in;
    uint8_t digest[crypto_hash_sha256_BYTES];
    char content[2 * sizeof digest + 1] = "", original[2 * EVENTID_BYTES + 1] = "", name[EVENTID_PART_MAX_BYTES];
    const ProtobufCBinaryData *corrects = event->amends.len > 0 ? &event->amends : &event->retracts;
    uint64_t ms;
    if (corrects->len == EVENTID_BYTES)
        fhir_hex(corrects->data, EVENTID_BYTES, original);
    if (event->amends.len > 0 || (corrects->len == 0 && job->wanted->kind->translate == fhir_encounter)) {
        size_t size;
        uint8_t *bytes = content_of(job, event, &size);
        if (bytes == NULL)
            return;
        crypto_hash_sha256(digest, bytes, size);
        free(bytes);
        fhir_hex(digest, sizeof digest, content);
    }
    snprintf(name, sizeof name, "%s|%s|%s|%s", job->wanted->identity, event_type_name(event->type), original, content);
    // A correction that goes back to what was said before is a new one when its request is.
    const struct eventid_native native = {
        .sender = in->sender, .id = name, .time = job->wanted->named && corrects->len == 0 ? "" : in->idempotency_key};
    uint8_t id[EVENTID_BYTES];
    if (!id_time(job, event, &ms))
        return;
    enum eventid_status status = eventid_derive(id, ms, &native);
    if (status == EVENTID_OK)
        fhir_set_bytes(job, &event->id, id, sizeof id);
    else
        FHIR_PROBLEM(job->problems, PROBLEM_ERROR, PROBLEM_BUSINESS_RULE, job->resource, "no event id: %s",
                     eventid_status_text(status));
}

static void set_source(struct fhir_job *job, Carehub__V1__Event *event)
{
    const struct fhir_intake *in = job->document->in;
    Carehub__V1__Source *source = event->source = fhir_new(job, &carehub__v1__source__descriptor);
    if (source == NULL)
        return;
    fhir_set_text(job, &source->system, in->sender != NULL ? in->sender : "");
    fhir_set_text(job, &source->native_id, job->wanted->identity);
    fhir_set_text(job, &source->native_format, "fhir-r4");
    fhir_set_text(job, &source->native_version, "4.0.1");
    fhir_set_bytes(job, &source->native_sha256, job->document->digest, FHIR_KEY_BYTES);
    fhir_set_text(job, &source->adapter_version, in->adapter_version != NULL ? in->adapter_version : "");
    for (size_t i = 0; i < job->remark_count; i++)
        fhir_append(job, &source->remarks, &source->n_remarks, strdup(job->remarks[i]));
}

static void set_author(struct fhir_job *job, Carehub__V1__Event *event)
{
    const struct fhir_intake *in = job->document->in;
    event->author = fhir_new(job, &carehub__v1__author__descriptor);
    if (event->author == NULL)
        return;
    fhir_set_text(job, &event->author->actor, in->actor != NULL ? in->actor : "");
    fhir_set_text(job, &event->author->role, in->role != NULL ? in->role : "");
    fhir_author(job, event->author);
}

void fhir_publish(struct fhir_job *job, Carehub__V1__Event *event)
{
    struct fhir_time time;
    if (fhir_authored(job, &time))
        fhir_set_time(job, &event->recorded_at, &time);
    if (event->occurred_at == NULL) { // the hub wants one; what else is known of when it happened is in the body
        if (event->recorded_at == NULL)
            time = (struct fhir_time){job->document->in->received_ms, 0, CAREHUB__V1__PRECISION__PRECISION_SECOND};
        fhir_set_time(job, &event->occurred_at, &time);
        fhir_add_remark(job, "occurred-assumed");
    }
    fhir_set_text(job, &event->correlation_id, job->wanted->episode);
    set_author(job, event);
    set_id(job, event);
    set_source(job, event); // last: it takes the remarks along
    if (carehub__v1__event__get_packed_size(event) > EVENT_MAX_BYTES)
        FHIR_PROBLEM(job->problems, PROBLEM_ERROR, PROBLEM_TOO_LONG, job->resource,
                     "too much content for one event, which has at most %d bytes; refer to documents instead",
                     EVENT_MAX_BYTES);
    if (job->result->n_events == FHIR_EVENTS_MAX) {
        problems_add(job->problems, PROBLEM_ERROR, PROBLEM_TOO_COSTLY, job->document->root.name,
                     "more than %u events come of it; send it in parts", FHIR_EVENTS_MAX);
        fhir_event_discard(&event);
        return;
    }
    job->result->events[job->result->n_events++] = event;
}

// ---- New, correction, or known

const char *fhir_amend(struct fhir_job *job, Carehub__V1__Event *event, const Carehub__V1__Event *original)
{
    if (is_same(job, event, original) || job->no_memory) {
        fhir_event_discard(&event);
        return "unchanged";
    }
    fhir_set_bytes(job, &event->amends, original->id.data, original->id.len);
    fhir_publish(job, event);
    return NULL;
}

// encounter_id is the first field of all four bodies that have one.
static bool has_encounter(Carehub__V1__EventType type)
{
    return type == CAREHUB__V1__EVENT_TYPE__HOSPITAL_ADMISSION || type == CAREHUB__V1__EVENT_TYPE__HOSPITAL_DISCHARGE ||
           type == CAREHUB__V1__EVENT_TYPE__EMERGENCY_VISIT || type == CAREHUB__V1__EVENT_TYPE__CARE_TRANSITION;
}

// It is the same person by definition, also where what takes it back no longer says who.
static Carehub__V1__Patient *copy_patient(struct fhir_job *job, const Carehub__V1__Patient *from)
{
    Carehub__V1__Patient *patient = fhir_new(job, &carehub__v1__patient__descriptor);
    for (size_t i = 0; patient != NULL && from != NULL && i < from->n_identifiers; i++) {
        Carehub__V1__Identifier *identifier = fhir_new(job, &carehub__v1__identifier__descriptor);
        if (identifier == NULL)
            break;
        fhir_set_text(job, &identifier->system, from->identifiers[i]->system);
        fhir_set_text(job, &identifier->value, from->identifiers[i]->value);
        fhir_append(job, &patient->identifiers, &patient->n_identifiers, identifier);
    }
    return patient;
}

void fhir_retract(struct fhir_job *job, const Carehub__V1__Event *original)
{
    ProtobufCMessage *body;
    Carehub__V1__Event *event = fhir_new(job, &carehub__v1__event__descriptor);
    if (event == NULL)
        return;
    event->patient = copy_patient(job, original->patient);
    if (event->patient == NULL || !set_body(job, event, original->type, &body)) {
        fhir_event_discard(&event);
        return;
    }
    if (has_encounter(original->type) && original->body_case == event->body_case)
        fhir_set_text(job, &event->hospital_discharge->encounter_id, original->hospital_discharge->encounter_id);
    if (original->occurred_at != NULL)
        fhir_set_time(job, &event->occurred_at,
                      &(struct fhir_time){original->occurred_at->unix_ms, original->occurred_at->offset_minutes,
                                          original->occurred_at->precision});
    fhir_set_bytes(job, &event->retracts, original->id.data, original->id.len);
    fhir_publish(job, event);
}

bool fhir_outdated(struct fhir_job *job)
{
    struct fhir_time time;
    bool known = job->past_count > 0 && fhir_authored(job, &time);
    for (size_t i = 0; known && i < job->past_count; i++)
        if (job->past[i]->recorded_at != NULL && job->past[i]->recorded_at->unix_ms > time.unix_ms)
            return true;
    return false;
}

const char *fhir_withdraw(struct fhir_job *job)
{
    if (job->past_count == 0)
        return "nothing-to-correct";
    fhir_retract(job, job->past[job->past_count - 1]);
    return NULL;
}

const char *fhir_settle(struct fhir_job *job, Carehub__V1__Event *event, bool correction)
{
    const Carehub__V1__Event *original = job->past_count > 0 ? job->past[job->past_count - 1] : NULL;
    if (original != NULL && fhir_outdated(job)) {
        fhir_event_discard(&event);
        return "outdated";
    }
    if (original != NULL && original->type == event->type)
        return fhir_amend(job, event, original);
    if (original != NULL) // it has become something else: that is new
        fhir_retract(job, original);
    else if (correction)
        fhir_add_remark(job, "original-unknown");
    fhir_publish(job, event);
    return NULL;
}

const struct fhir_status *fhir_status_of(struct fhir_job *job, const struct fhir_status *table)
{
    struct fhir_node node = fhir_get(job->resource, "status");
    const char *status = fhir_text(job->problems, job->resource, "status");
    for (; table->status != NULL; table++)
        if (strcmp(table->status, status) == 0)
            return table;
    FHIR_PROBLEM(job->problems, PROBLEM_ERROR, status[0] == '\0' ? PROBLEM_REQUIRED : PROBLEM_VALUE, &node,
                 status[0] == '\0' ? "the status must be there: it tells reports from corrections"
                                   : "not a status that this resource has");
    return NULL;
}
