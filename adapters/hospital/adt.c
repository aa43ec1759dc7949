#include "adt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "adt_internal.h"
#include "hl7v2_time.h"

#define TRIGGER_BYTES 16
#define EPISODE_DIGEST_BYTES 16

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
        [ADT_NOTHING] = "nothing",
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

// ---- What happened

static const Carehub__V1__Event *last_past(const struct adt_job *job, bool (*is_it)(const Carehub__V1__Event *event))
{
    for (size_t i = job->in->past_count; i-- > 0;)
        if (is_it(job->in->past[i]))
            return job->in->past[i];
    return NULL;
}

// Any of this mapping's own: others of the encounter, such as letters (mdm.h), are no ADT message's to correct.
static bool is_any(const Carehub__V1__Event *event)
{
    return adt_has_body(event->type);
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

void adt_start_from(struct adt_job *job, Carehub__V1__Event *event, const Carehub__V1__Event *original, bool body)
{
    Carehub__V1__Event *copy = adt_message_copy(job, &original->base);
    if (copy == NULL)
        return;
    event->patient = copy->patient;
    copy->patient = NULL;
    if (body) {
        event->body_case = copy->body_case;
        event->hospital_discharge = copy->hospital_discharge; // whichever it is: one union
        copy->body_case = CAREHUB__V1__EVENT__BODY__NOT_SET;
        event->occurred_at = copy->occurred_at;
        copy->occurred_at = NULL;
        event->references = copy->references;
        event->n_references = copy->n_references;
        copy->references = NULL;
        copy->n_references = 0;
    }
    carehub__v1__event__free_unpacked(copy, NULL);
}

bool adt_same_content(const Carehub__V1__Event *a, const Carehub__V1__Event *b)
{
    Carehub__V1__Event bare[2] = {CAREHUB__V1__EVENT__INIT, CAREHUB__V1__EVENT__INIT};
    const Carehub__V1__Event *pair[] = {a, b};
    for (size_t i = 0; i < 2; i++) {
        bare[i].patient = pair[i]->patient;
        bare[i].occurred_at = pair[i]->occurred_at;
        bare[i].references = pair[i]->references;
        bare[i].n_references = pair[i]->n_references;
        bare[i].body_case = pair[i]->body_case;
        bare[i].hospital_discharge = pair[i]->hospital_discharge;
    }
    return adt_message_same(&bare[0].base, &bare[1].base);
}

bool adt_set_patient(struct adt_job *job, Carehub__V1__Event *event)
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
        adt_start_from(job, event, original, trigger->correction == AMENDS);
    if (!adt_set_patient(job, event))
        return ADT_UNIDENTIFIED;
    if (trigger->correction != CORRECTS_NOTHING && original == NULL)
        return ADT_NOTHING_TO_CORRECT;
    job->amending = trigger->correction == AMENDS;
    if (trigger->correction == RETRACTS)
        adt_fill_bare_body(job, event);
    else
        adt_fill_body(job, event);
    if (job->amending && adt_same_content(event, original))
        return ADT_UNCHANGED;
    if (original != NULL)
        adt_set_bytes(job, job->amending ? &event->amends : &event->retracts, original->id.data, original->id.len);
    return ADT_EVENT;
}

struct adt_result adt_result_of(const struct adt_job *job, enum adt_outcome outcome, Carehub__V1__Event *event)
{
    struct adt_result result = {.outcome = job->no_memory ? ADT_NO_MEMORY : outcome};
    result.why = adt_outcome_name(result.outcome);
    result.notable = result.outcome == ADT_NOTHING_TO_CORRECT;
    if (result.outcome == ADT_EVENT)
        result.event = event;
    else if (event != NULL)
        carehub__v1__event__free_unpacked(event, NULL);
    return result;
}

struct adt_result adt_map(const struct adt_input *input)
{
    struct adt_job job = {.in = input, .message = input->message};
    const struct trigger *trigger = find_trigger(input->message);
    enum adt_outcome outcome = ADT_UNSUPPORTED;
    Carehub__V1__Event *event = NULL;
    if (trigger != NULL)
        event = adt_message_new(&job, &carehub__v1__event__descriptor);
    if (event != NULL)
        outcome = make(&job, event, trigger);
    if (outcome == ADT_EVENT)
        adt_set_envelope(&job, event);
    return adt_result_of(&job, outcome, event);
}
