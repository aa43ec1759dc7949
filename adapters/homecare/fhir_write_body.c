// What a message is about: Observation or Communication (Encounter: fhir_write_encounter.c). w->content is the event
// whose body is written; its body may be missing (a notice), or hold less than there is (a view).
#include <string.h>

#include <json-c/json_object.h>

#include "catalogue.h"
#include "fhir_job.h"
#include "fhir_write_internal.h"

#define SYSTEM_CATEGORY "http://terminology.hl7.org/CodeSystem/observation-category"
#define SYSTEM_THREAD "urn:carehub:thread"

// ---- Observations

static struct json_object *begin_observation(struct writer *w, struct json_object *observation,
                                             const Carehub__V1__Coded *code, const char *snomed, const char *display)
{
    const char *const statuses[] = {[CORRECTION_NONE] = write_is_unverified(w) ? "preliminary" : "final",
                                    [CORRECTION_AMENDS] = "amended",
                                    [CORRECTION_RETRACTS] = "entered-in-error"};
    struct json_object *concept = write_concept(w, code);
    make_text(&w->m, observation, "status", statuses[w->correction]);
    make_put(&w->m, observation, "code", concept != NULL ? concept : write_fixed(w, SYSTEM_SNOMED, snomed, display));
    write_reference(w, observation, "subject", w->patient);
    write_time(w, observation, "effectiveDateTime", w->content->occurred_at);
    if (w->organisation[0] != '\0') {
        struct json_object *performer = make_object(&w->m);
        make_text(&w->m, performer, "reference", w->organisation);
        write_put_one(w, observation, "performer", performer);
    }
    return make_array(&w->m);
}

static void end_observation(struct writer *w, struct json_object *observation, struct json_object *components)
{
    if (components != NULL && json_object_array_length(components) > 0)
        make_put(&w->m, observation, "component", components);
    else
        json_object_put(components);
}

// A component; its value is put by the caller. Owned by the array.
static struct json_object *add_component(struct writer *w, struct json_object *components, struct json_object *code)
{
    struct json_object *component = make_object(&w->m);
    make_put(&w->m, component, "code", code);
    make_push(&w->m, components, component);
    return w->m.no_memory ? NULL : component;
}

static struct json_object *add_detail(struct writer *w, struct json_object *components, const char *code)
{
    return add_component(w, components, write_fixed(w, SYSTEM_FALL_DETAIL, code, ""));
}

static void add_measurements(struct writer *w, struct json_object *components, size_t count,
                             Carehub__V1__Measurement **from)
{
    for (size_t i = 0; i < count; i++) {
        if (from[i]->value == NULL)
            continue;
        struct json_object *code = write_concept(w, from[i]->what);
        struct json_object *component = add_component(
            w, components, code != NULL ? code : write_fixed(w, SYSTEM_SNOMED, "404684003", "Clinical finding"));
        if (write_is_number(from[i]->value->value))
            write_quantity(w, component, "valueQuantity", from[i]->value);
        else
            make_text(&w->m, component, "valueString", from[i]->value->value);
    }
}

static void add_yes(struct writer *w, struct json_object *components, const char *code, bool yes)
{
    if (yes) // false is what a view without the field says too
        make_put(&w->m, add_detail(w, components, code), "valueBoolean", json_object_new_boolean(true));
}

static void add_coded_detail(struct writer *w, struct json_object *components, const char *code,
                             const Carehub__V1__Coded *coded)
{
    struct json_object *concept = write_concept(w, coded);
    if (concept != NULL)
        make_put(&w->m, add_detail(w, components, code), "valueCodeableConcept", concept);
}

static void write_fall(struct writer *w, struct json_object *observation)
{
    static const char *const injuries[] = {[CAREHUB__V1__FALL_REPORTED__INJURY__NO_INJURY] = "none",
                                           [CAREHUB__V1__FALL_REPORTED__INJURY__MINOR_INJURY] = "minor",
                                           [CAREHUB__V1__FALL_REPORTED__INJURY__MAJOR_INJURY] = "major"};
    const Carehub__V1__FallReported *b = BODY(w, FALL_REPORTED, fall_reported);
    struct json_object *parts = begin_observation(w, observation, b != NULL ? b->kind : NULL, "1912002", "Fall");
    if (b != NULL) {
        add_coded_detail(w, parts, "place", b->place);
        add_yes(w, parts, "witnessed", b->witnessed);
        if (b->injury > 0 && b->injury < sizeof injuries / sizeof injuries[0])
            make_put(&w->m, add_detail(w, parts, "injury"), "valueCodeableConcept",
                     write_fixed(w, SYSTEM_FALL_DETAIL, injuries[b->injury], ""));
        if (b->falls_past_year > 0)
            make_put(&w->m, add_detail(w, parts, "falls-past-year"), "valueInteger",
                     json_object_new_int64(b->falls_past_year));
        add_yes(w, parts, "help-needed", b->help_needed);
        add_coded_detail(w, parts, "person-is-now", b->person_is_now);
        make_text(&w->m, observation, "valueString", b->injury_detail);
        add_measurements(w, parts, b->n_measurements, b->measurements);
        write_note(w, observation, b->note);
    }
    end_observation(w, observation, parts);
}

static void write_condition(struct writer *w, struct json_object *observation)
{
    const Carehub__V1__ConditionChanged *b = BODY(w, CONDITION_CHANGED, condition_changed);
    struct json_object *parts =
        begin_observation(w, observation, b != NULL ? b->sign : NULL, "404684003", "Clinical finding");
    if (b != NULL) {
        write_put_concepts(w, observation, "interpretation", b->severity);
        add_measurements(w, parts, b->n_point_of_care_tests, b->point_of_care_tests);
        write_note(w, observation, b->observation);
    }
    end_observation(w, observation, parts);
}

static bool same_code(const Carehub__V1__Coded *a, const Carehub__V1__Coded *b)
{
    return a != NULL && b != NULL && strcmp(a->code, b->code) == 0 && strcmp(a->system, b->system) == 0;
}

// The category survey; and where a code alone would not tell, the event's own type.
static void put_survey(struct writer *w, struct json_object *observation, bool type_too)
{
    struct json_object *categories = make_array(&w->m);
    make_push(&w->m, categories, write_fixed(w, SYSTEM_CATEGORY, "survey", "Survey"));
    if (type_too)
        make_push(&w->m, categories, write_fixed(w, SYSTEM_EVENT_TYPE, event_type_name(w->event->type), ""));
    make_put(&w->m, observation, "category", categories);
}

// A score of the instrument itself is the Observation's value; the others are components.
static void put_scores(struct writer *w, struct json_object *observation, struct json_object *parts,
                       const Carehub__V1__Coded *instrument, size_t count, Carehub__V1__Score **scores)
{
    bool valued = false;
    for (size_t i = 0; i < count; i++) {
        if (!valued && same_code(scores[i]->item, instrument)) {
            write_value(w, observation, scores[i]->value);
            valued = true;
            continue;
        }
        struct json_object *code = write_concept(w, scores[i]->item);
        write_value(w, add_component(w, parts, code != NULL ? code : write_words(w, "Score")), scores[i]->value);
    }
}

static void write_assessment(struct writer *w, struct json_object *observation)
{
    const Carehub__V1__AssessmentCompleted *b = BODY(w, ASSESSMENT_COMPLETED, assessment_completed);
    struct json_object *parts =
        begin_observation(w, observation, b != NULL ? b->instrument : NULL, "404684003", "Clinical finding");
    put_survey(w, observation, false);
    if (b != NULL && b->requested && w->correction == CORRECTION_NONE)
        make_text(&w->m, observation, "status", "registered");
    if (b != NULL) {
        put_scores(w, observation, parts, b->instrument, b->n_scores, b->scores);
        write_document(w, "Assessment report", b->report);
    }
    end_observation(w, observation, parts);
}

static void write_reported(struct writer *w, struct json_object *observation)
{
    const Carehub__V1__PatientReported *b = BODY(w, PATIENT_REPORTED, patient_reported);
    struct json_object *parts =
        begin_observation(w, observation, b != NULL ? b->instrument : NULL, "404684003", "Clinical finding");
    put_survey(w, observation, true);
    if (b != NULL) {
        put_scores(w, observation, parts, b->instrument, b->n_scores, b->scores);
        write_note(w, observation, b->text);
    }
    end_observation(w, observation, parts);
}

static void write_strain(struct writer *w, struct json_object *observation)
{
    const Carehub__V1__CarerStrain *b = BODY(w, CARER_STRAIN, carer_strain);
    struct json_object *parts =
        begin_observation(w, observation, b != NULL ? b->instrument : NULL, "404684003", "Clinical finding");
    put_survey(w, observation, true);
    if (b != NULL) {
        write_value(w, observation, b->score);
        write_put_concepts(w, observation, "interpretation", b->respite_need);
        write_note(w, observation, b->note);
    }
    end_observation(w, observation, parts);
}

// ---- Communication

static void put_kind(struct writer *w, struct json_object *communication, Carehub__V1__TeamMessage__Kind kind)
{
    static const char *const kinds[] = {[CAREHUB__V1__TEAM_MESSAGE__KIND__NOTE] = "note",
                                        [CAREHUB__V1__TEAM_MESSAGE__KIND__QUESTION] = "question",
                                        [CAREHUB__V1__TEAM_MESSAGE__KIND__REPORT] = "report"};
    if (kind > 0 && kind < sizeof kinds / sizeof kinds[0])
        write_put_one(w, communication, "category", write_fixed(w, SYSTEM_MESSAGE_KIND, kinds[kind], ""));
}

static void put_payload(struct writer *w, struct json_object *communication, const Carehub__V1__TeamMessage *b)
{
    struct json_object *list = make_array(&w->m), *payload;
    if (b->text[0] != '\0') {
        payload = make_object(&w->m);
        make_text(&w->m, payload, "contentString", b->text);
        make_push(&w->m, list, payload);
    }
    for (size_t i = 0; i < b->n_attachments; i++) {
        payload = make_object(&w->m);
        make_put(&w->m, payload, "contentAttachment", write_attachment(w, b->attachments[i]));
        make_push(&w->m, list, payload);
    }
    if (list != NULL && json_object_array_length(list) > 0)
        make_put(&w->m, communication, "payload", list);
    else
        json_object_put(list);
}

void write_begin_communication(struct writer *w, struct json_object *communication)
{
    const Carehub__V1__Author *author = w->event->author;
    make_text(&w->m, communication, "status", w->correction == CORRECTION_RETRACTS ? "entered-in-error" : "completed");
    write_priority(w, communication);
    write_reference(w, communication, "subject", w->patient);
    write_time(w, communication, "sent", w->content->occurred_at);
    struct json_object *sender = author != NULL ? write_party(w, "Practitioner", author->professional) : NULL;
    if (sender != NULL)
        make_put(&w->m, communication, "sender", sender);
}

static void write_team_message(struct writer *w, struct json_object *communication)
{
    const Carehub__V1__TeamMessage *b = BODY(w, TEAM_MESSAGE, team_message);
    write_begin_communication(w, communication);
    if (b == NULL)
        return;
    put_kind(w, communication, b->kind);
    if (b->thread_id[0] != '\0') {
        struct json_object *thread = make_object(&w->m), *identifier = make_object(&w->m);
        make_text(&w->m, identifier, "system", SYSTEM_THREAD);
        make_text(&w->m, identifier, "value", b->thread_id);
        make_put(&w->m, thread, "identifier", identifier);
        write_put_one(w, communication, "inResponseTo", thread);
    }
    if (b->subject[0] != '\0') {
        struct json_object *topic = make_object(&w->m);
        make_text(&w->m, topic, "text", b->subject);
        make_put(&w->m, communication, "topic", topic);
    }
    put_payload(w, communication, b);
}

// ---- The kinds

static const char *code_admit(const Carehub__V1__Event *event)
{
    (void)event;
    return "notification-admit";
}

static const char *code_transfer(const Carehub__V1__Event *event)
{
    (void)event;
    return "notification-transfer";
}

static const char *code_discharge(const Carehub__V1__Event *event)
{
    (void)event;
    return "notification-discharge";
}

static const char *code_emergency(const Carehub__V1__Event *event)
{
    bool left = event->body_case == CAREHUB__V1__EVENT__BODY_EMERGENCY_VISIT && event->emergency_visit->left_at != NULL;
    return left ? "notification-discharge" : "notification-admit";
}

const struct write_kind *write_kind_of(Carehub__V1__EventType type)
{
#define GENERAL(TYPE)                                                                                                  \
    {                                                                                                                  \
        CAREHUB__V1__EVENT_TYPE__##TYPE, "Communication", NULL, write_general, NULL                                    \
    }
    static const struct write_kind kinds[] = {
        {CAREHUB__V1__EVENT_TYPE__HOSPITAL_ADMISSION, "Encounter", code_admit, write_admission, write_hospital},
        {CAREHUB__V1__EVENT_TYPE__HOSPITAL_DISCHARGE, "Encounter", code_discharge, write_discharge, write_hospital},
        {CAREHUB__V1__EVENT_TYPE__EMERGENCY_VISIT, "Encounter", code_emergency, write_emergency, write_hospital},
        {CAREHUB__V1__EVENT_TYPE__CARE_TRANSITION, "Encounter", code_transfer, write_transition, write_hospital},
        {CAREHUB__V1__EVENT_TYPE__FALL_REPORTED, "Observation", NULL, write_fall, NULL},
        {CAREHUB__V1__EVENT_TYPE__CONDITION_CHANGED, "Observation", NULL, write_condition, NULL},
        {CAREHUB__V1__EVENT_TYPE__ASSESSMENT_COMPLETED, "Observation", NULL, write_assessment, NULL},
        {CAREHUB__V1__EVENT_TYPE__CARER_STRAIN, "Observation", NULL, write_strain, NULL},
        {CAREHUB__V1__EVENT_TYPE__PATIENT_REPORTED, "Observation", NULL, write_reported, NULL},
        {CAREHUB__V1__EVENT_TYPE__TEAM_MESSAGE, "Communication", NULL, write_team_message, NULL},
        {CAREHUB__V1__EVENT_TYPE__TASK_ASSIGNED, "Task", NULL, write_task, NULL},
        {CAREHUB__V1__EVENT_TYPE__REFERRAL_MADE, "ServiceRequest", NULL, write_referral, NULL},
        {CAREHUB__V1__EVENT_TYPE__CRISIS_REFERRAL, "ServiceRequest", NULL, write_crisis, NULL},
        {CAREHUB__V1__EVENT_TYPE__VACCINATION_STATUS, "Immunization", NULL, write_vaccination, NULL},
        GENERAL(INCLUSION_FLAGGED),
        GENERAL(MEDICATION_CHANGED),
        GENERAL(MEDICATION_REVIEWED),
        GENERAL(ADHERENCE_CONCERN),
        GENERAL(FALL_ADVICE_ISSUED),
        GENERAL(CARE_PLAN_UPDATED),
        GENERAL(GOAL_UPDATED),
        GENERAL(CASE_CONFERENCE),
        GENERAL(COORDINATION_CHANGED),
        GENERAL(ADVANCE_CARE_PLAN_UPDATED),
        GENERAL(PATIENT_DECEASED),
        GENERAL(EMERGENCY_ACCESS_USED),
    };
#undef GENERAL
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (kinds[i].type == type)
            return &kinds[i];
    return NULL;
}
