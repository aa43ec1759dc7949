#include "adt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "adt_internal.h"
#include "hl7v2_time.h"

#define TRIGGER_BYTES 16
#define SENDER_BYTES 512
#define EPISODE_DIGEST_BYTES 16

static const char author_role[] = "hospital";

void adt_trigger(const struct hl7v2_message *message, char *out, size_t size)
{
    hl7v2_text(message, "MSH-9.2", out, size, NULL);
    if (out[0] == '\0')
        hl7v2_text(message, "EVN-1", out, size, NULL);
}

const char *adt_outcome_name(enum adt_outcome outcome)
{
    static const char *const names[] = {
        [ADT_EVENT] = "event",
        [ADT_NOT_AN_EVENT] = "not-an-event",
        [ADT_UNSUPPORTED] = "unsupported",
        [ADT_NOTHING_TO_CORRECT] = "nothing-to-correct",
        [ADT_UNCHANGED] = "unchanged",
        [ADT_UNIDENTIFIED] = "unidentified",
        [ADT_NO_MEMORY] = "no-memory",
    };
    return names[outcome];
}

// ---- The episode

// Which encounter, for a sender that does not number them: the patient and when the stay began.
static void episode_by_patient(struct adt_job *job, char *out, size_t size)
{
    char admitted[64], text[1024];
    uint8_t digest[crypto_hash_sha256_BYTES];
    adt_copy(job, adt_get(job, "PV1", 44, 1), admitted, sizeof admitted);
    Carehub__V1__Patient *patient = admitted[0] != '\0' ? adt_patient(job) : NULL;
    if (patient == NULL)
        return;
    const Carehub__V1__Identifier *first = patient->identifiers[0];
    int len = snprintf(text, sizeof text, "%s|%s|%s", first->system, first->value, admitted);
    carehub__v1__patient__free_unpacked(patient, NULL);
    crypto_hash_sha256(digest, (const uint8_t *)text, (size_t)len);
    for (size_t i = 0; i < EPISODE_DIGEST_BYTES && 2 * i + 2 < size; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

void adt_episode(const struct hl7v2_message *message, const struct adt_sender *sender, char out[ADT_EPISODE_CHARS])
{
    const struct adt_input input = {.message = message, .sender = sender};
    struct adt_job job = {.in = &input, .message = message};
    char encounter[ADT_EPISODE_CHARS / 2] = "";
    adt_copy(&job, adt_get(&job, "PV1", 19, 1), encounter, sizeof encounter);
    if (encounter[0] == '\0')
        episode_by_patient(&job, encounter, sizeof encounter);
    out[0] = '\0';
    if (encounter[0] != '\0')
        snprintf(out, ADT_EPISODE_CHARS, "%.150s:%s", sender->actor != NULL ? sender->actor : sender->name, encounter);
}

// ---- The envelope

// Who numbered the message: MSH-3 and MSH-4, whole, so that a universal id counts as well.
static void native_sender(const struct adt_job *job, char out[SENDER_BYTES])
{
    char application[SENDER_BYTES / 2 - 1], facility[SENDER_BYTES / 2 - 1];
    adt_copy(job, adt_get(job, "MSH", 3, 0), application, sizeof application);
    adt_copy(job, adt_get(job, "MSH", 4, 0), facility, sizeof facility);
    snprintf(out, SENDER_BYTES, "%s|%s", application, facility);
}

// The id's time is MSH-7's, so that a resent message gets the same id wherever and whenever it is read again. Only a
// message without one gets the time at which it came in; a clock that runs ahead is no reason to make up another.
static uint64_t id_time_ms(struct adt_job *job)
{
    struct hl7v2_time time;
    if (adt_read_time(job, adt_get(job, "MSH", 7, 1), &time) && time.utc_ms >= 0)
        return (uint64_t)time.utc_ms;
    adt_remark(job, "message-without-time");
    return job->in->received_ms > 0 ? (uint64_t)job->in->received_ms : 0;
}

static void set_id(struct adt_job *job, Carehub__V1__Event *event)
{
    char sender[SENDER_BYTES], control_id[HL7V2_CONTROL_ID_MAX_BYTES + 1], made[64];
    char id[HL7V2_CONTROL_ID_MAX_BYTES + 2 * ADT_SHA256_BYTES + 2];
    native_sender(job, sender);
    adt_copy(job, adt_get(job, "MSH", 10, 1), control_id, sizeof control_id);
    adt_copy(job, adt_get(job, "MSH", 7, 1), made, sizeof made);
    int len = snprintf(id, sizeof id, "%s", control_id);
    if (job->in->control_id_reused) {
        id[len++] = '|';
        for (size_t i = 0; i < ADT_SHA256_BYTES; i++, len += 2)
            snprintf(id + len, 3, "%02x", job->in->sha256[i]);
        adt_remark(job, "control-id-reused");
    }
    const struct eventid_native native = {.sender = sender, .id = id, .time = made};
    event->id.data = malloc(EVENTID_BYTES);
    event->id.len = EVENTID_BYTES;
    if (event->id.data == NULL || eventid_derive(event->id.data, id_time_ms(job), &native) != EVENTID_OK)
        job->no_memory = true;
}

static void set_bytes(struct adt_job *job, ProtobufCBinaryData *place, const uint8_t *bytes, size_t len)
{
    place->data = malloc(len);
    place->len = place->data != NULL ? len : 0;
    if (place->data != NULL)
        memcpy(place->data, bytes, len);
    else
        job->no_memory = true;
}

static void note_remarks(struct adt_job *job)
{
    static const struct {
        unsigned note;
        const char *remark;
    } notes[] = {
        {HL7V2_NOTE_UTF8_UNDECLARED, "charset-overruled"},
        {HL7V2_NOTE_CHARSET_ASSUMED, "charset-assumed"},
        {HL7V2_NOTE_CHARSET_UNKNOWN, "charset-unknown"},
        {HL7V2_NOTE_BYTES_REPLACED, "bytes-replaced"},
    };
    for (size_t i = 0; i < sizeof notes / sizeof notes[0]; i++)
        if ((hl7v2_notes(job->message) & notes[i].note) != 0)
            adt_remark(job, notes[i].remark);
}

static void set_source(struct adt_job *job, Carehub__V1__Event *event)
{
    char system[SENDER_BYTES];
    Carehub__V1__Source *source = event->source = malloc(sizeof *source);
    if (source == NULL) {
        job->no_memory = true;
        return;
    }
    carehub__v1__source__init(source);
    native_sender(job, system);
    *strchr(system, '|') = '/';
    adt_set_text(job, &source->system, system);
    adt_take_text(job, &source->native_id, adt_get(job, "MSH", 10, 1));
    adt_set_text(job, &source->native_format, "hl7v2");
    adt_take_text(job, &source->native_version, adt_get(job, "MSH", 12, 1));
    set_bytes(job, &source->native_sha256, job->in->sha256, ADT_SHA256_BYTES);
    adt_set_text(job, &source->adapter_version, job->in->adapter_version);
    note_remarks(job);
    source->remarks = calloc(ADT_REMARKS_MAX, sizeof *source->remarks);
    for (size_t i = 0; source->remarks != NULL && i < job->remark_count; i++) {
        source->remarks[i] = strdup(job->remarks[i]);
        if (source->remarks[i] == NULL)
            break;
        source->n_remarks++;
    }
    job->no_memory = job->no_memory || source->n_remarks != job->remark_count;
}

static void set_author(struct adt_job *job, Carehub__V1__Event *event)
{
    Carehub__V1__Author *author = event->author = malloc(sizeof *author);
    if (author == NULL) {
        job->no_memory = true;
        return;
    }
    carehub__v1__author__init(author);
    if (job->in->sender->actor != NULL)
        adt_set_text(job, &author->actor, job->in->sender->actor);
    adt_set_text(job, &author->role, author_role);
    author->organisation = adt_hospital(job);
}

// ---- What happened

static const Carehub__V1__Event *last_past(const struct adt_job *job, bool (*is_it)(const Carehub__V1__Event *event))
{
    for (size_t i = job->in->past_count; i-- > 0;)
        if (is_it(job->in->past[i]))
            return job->in->past[i];
    return NULL;
}

static bool is_any(const Carehub__V1__Event *event)
{
    return event->body_case != CAREHUB__V1__EVENT__BODY__NOT_SET;
}

static bool is_arrival(const Carehub__V1__Event *event)
{
    return event->body_case == CAREHUB__V1__EVENT__BODY_HOSPITAL_ADMISSION ||
           (event->body_case == CAREHUB__V1__EVENT__BODY_EMERGENCY_VISIT && !adt_is_leaving(event));
}

static bool is_transfer(const Carehub__V1__Event *event)
{
    return event->body_case == CAREHUB__V1__EVENT__BODY_CARE_TRANSITION;
}

enum correction { CORRECTS_NOTHING, AMENDS, RETRACTS };

static const struct trigger {
    const char *name;
    Carehub__V1__EventType type;      // of any class but E; 0: none
    Carehub__V1__EventType emergency; // of class E
    enum correction correction;
    bool (*original)(const Carehub__V1__Event *event); // which of the past events is corrected
} triggers[] = {
    {"A01", CAREHUB__V1__EVENT_TYPE__HOSPITAL_ADMISSION, CAREHUB__V1__EVENT_TYPE__EMERGENCY_VISIT, CORRECTS_NOTHING,
     NULL},
    {"A02", CAREHUB__V1__EVENT_TYPE__CARE_TRANSITION, CAREHUB__V1__EVENT_TYPE__CARE_TRANSITION, CORRECTS_NOTHING, NULL},
    {"A03", CAREHUB__V1__EVENT_TYPE__HOSPITAL_DISCHARGE, CAREHUB__V1__EVENT_TYPE__EMERGENCY_VISIT, CORRECTS_NOTHING,
     NULL},
    {"A04", 0, CAREHUB__V1__EVENT_TYPE__EMERGENCY_VISIT, CORRECTS_NOTHING, NULL},
    {"A08", 0, 0, AMENDS, is_any},
    {"A11", 0, 0, RETRACTS, is_arrival},
    {"A12", 0, 0, RETRACTS, is_transfer},
    {"A13", 0, 0, RETRACTS, adt_is_leaving},
};

static const struct trigger *find_trigger(const struct hl7v2_message *message)
{
    char type[TRIGGER_BYTES], name[TRIGGER_BYTES];
    hl7v2_text(message, "MSH-9.1", type, sizeof type, NULL);
    adt_trigger(message, name, sizeof name);
    for (size_t i = 0; i < sizeof triggers / sizeof triggers[0]; i++)
        if (strcmp(type, "ADT") == 0 && strcmp(triggers[i].name, name) == 0)
            return &triggers[i];
    return NULL;
}

// A deep copy, by way of its bytes.
static Carehub__V1__Event *copy_event(const Carehub__V1__Event *event)
{
    size_t size = carehub__v1__event__get_packed_size(event);
    uint8_t *bytes = malloc(size);
    if (bytes == NULL)
        return NULL;
    carehub__v1__event__pack(event, bytes);
    Carehub__V1__Event *copy = carehub__v1__event__unpack(NULL, size, bytes);
    free(bytes);
    return copy;
}

// Moves the patient and the body, all that an amendment starts from, out of a copy of the original.
static void start_from(struct adt_job *job, Carehub__V1__Event *event, const Carehub__V1__Event *original, bool body)
{
    Carehub__V1__Event *copy = copy_event(original);
    if (copy == NULL) {
        job->no_memory = true;
        return;
    }
    event->patient = copy->patient;
    copy->patient = NULL;
    if (body) {
        event->body_case = copy->body_case;
        event->hospital_discharge = copy->hospital_discharge; // whichever it is: one union
        copy->body_case = CAREHUB__V1__EVENT__BODY__NOT_SET;
        event->occurred_at = copy->occurred_at;
        copy->occurred_at = NULL;
    }
    carehub__v1__event__free_unpacked(copy, NULL);
}

// Whether an amendment says anything else about the patient or the encounter than what is known.
static bool is_same(const Carehub__V1__Event *event, const Carehub__V1__Event *original)
{
    const Carehub__V1__Event *pair[] = {event, original};
    uint8_t *bytes[2] = {NULL, NULL};
    size_t sizes[2];
    for (size_t i = 0; i < 2; i++) {
        Carehub__V1__Event bare = CAREHUB__V1__EVENT__INIT;
        bare.patient = pair[i]->patient;
        bare.occurred_at = pair[i]->occurred_at;
        bare.body_case = pair[i]->body_case;
        bare.hospital_discharge = pair[i]->hospital_discharge;
        sizes[i] = carehub__v1__event__get_packed_size(&bare);
        bytes[i] = malloc(sizes[i]);
        if (bytes[i] != NULL)
            carehub__v1__event__pack(&bare, bytes[i]);
    }
    bool same =
        bytes[0] != NULL && bytes[1] != NULL && sizes[0] == sizes[1] && memcmp(bytes[0], bytes[1], sizes[0]) == 0;
    free(bytes[0]);
    free(bytes[1]);
    return same;
}

// The patient as the message names them; of a correction that names nobody usable, as the original did.
static bool set_patient(struct adt_job *job, Carehub__V1__Event *event)
{
    Carehub__V1__Patient *patient = adt_patient(job);
    if (patient != NULL && event->patient != NULL)
        carehub__v1__patient__free_unpacked(event->patient, NULL);
    if (patient != NULL)
        event->patient = patient;
    return event->patient != NULL;
}

static enum adt_outcome make(struct adt_job *job, Carehub__V1__Event *event, const struct trigger *trigger)
{
    const Carehub__V1__Event *original = trigger->original != NULL ? last_past(job, trigger->original) : NULL;
    bool emergency = adt_patient_class(job) == CAREHUB__V1__PATIENT_CLASS__EMERGENCY;
    event->type = original != NULL ? original->type : emergency ? trigger->emergency : trigger->type;
    if (trigger->correction == CORRECTS_NOTHING && event->type == 0)
        return ADT_NOT_AN_EVENT;
    if (original != NULL)
        start_from(job, event, original, trigger->correction == AMENDS);
    if (!set_patient(job, event))
        return ADT_UNIDENTIFIED;
    if (trigger->correction != CORRECTS_NOTHING && original == NULL)
        return ADT_NOTHING_TO_CORRECT;
    job->amending = trigger->correction == AMENDS;
    if (trigger->correction == RETRACTS)
        adt_fill_bare_body(job, event);
    else
        adt_fill_body(job, event);
    if (job->amending && is_same(event, original))
        return ADT_UNCHANGED;
    if (original != NULL)
        set_bytes(job, job->amending ? &event->amends : &event->retracts, original->id.data, original->id.len);
    return ADT_EVENT;
}

static void set_envelope(struct adt_job *job, Carehub__V1__Event *event)
{
    char episode[ADT_EPISODE_CHARS];
    adt_episode(job->message, job->in->sender, episode);
    adt_set_text(job, &event->correlation_id, episode);
    event->recorded_at = adt_recorded_time(job);
    set_id(job, event);
    set_author(job, event);
    set_source(job, event); // last: it takes the remarks along
}

struct adt_result adt_map(const struct adt_input *input)
{
    struct adt_job job = {.in = input, .message = input->message};
    const struct trigger *trigger = find_trigger(input->message);
    struct adt_result result = {.outcome = ADT_UNSUPPORTED};
    Carehub__V1__Event *event = trigger != NULL ? malloc(sizeof *event) : NULL;
    if (trigger == NULL)
        return result;
    if (event != NULL) {
        carehub__v1__event__init(event);
        result.outcome = make(&job, event, trigger);
        if (result.outcome == ADT_EVENT)
            set_envelope(&job, event);
    }
    if (event == NULL || job.no_memory)
        result.outcome = ADT_NO_MEMORY;
    if (result.outcome == ADT_EVENT)
        result.event = event;
    else if (event != NULL)
        carehub__v1__event__free_unpacked(event, NULL);
    return result;
}
