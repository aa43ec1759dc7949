// Observation, AdverseEvent and Flag: falls, assessments, the carer's strain, and any change in someone's condition.
#include <stdlib.h>
#include <string.h>

#include <json-c/json_object.h>

#include "catalogue.h"
#include "fhir_job.h"

#define SCORE_CHARS 256

// Falls as events. 161898004 (a history of falls) and 129839007 (at risk) are not among them: nobody fell just now.
// Nor are the counts of falls of LOINC, which are results of an assessment.
static const struct fhir_rule known[] = {
    {SYSTEM_SNOMED, "1912002", CAREHUB__V1__EVENT_TYPE__FALL_REPORTED},   // fall
    {SYSTEM_SNOMED, "217082002", CAREHUB__V1__EVENT_TYPE__FALL_REPORTED}, // accidental fall
    {SYSTEM_SNOMED, "20902002", CAREHUB__V1__EVENT_TYPE__FALL_REPORTED},  // from bed
    {SYSTEM_SNOMED, "17886000", CAREHUB__V1__EVENT_TYPE__FALL_REPORTED},  // from wheelchair
    {SYSTEM_SNOMED, "217083007", CAREHUB__V1__EVENT_TYPE__FALL_REPORTED}, // on or from stairs or steps
    {SYSTEM_SNOMED, "217155007", CAREHUB__V1__EVENT_TYPE__FALL_REPORTED}, // same level, slipping
    {SYSTEM_SNOMED, "217156008", CAREHUB__V1__EVENT_TYPE__FALL_REPORTED}, // same level, tripping
    {SYSTEM_LOINC, "75856-5", CAREHUB__V1__EVENT_TYPE__ASSESSMENT_COMPLETED},
    {SYSTEM_LOINC, "59453-1", CAREHUB__V1__EVENT_TYPE__ASSESSMENT_COMPLETED},
    {SYSTEM_LOINC, "59460-6", CAREHUB__V1__EVENT_TYPE__ASSESSMENT_COMPLETED},
    {SYSTEM_LOINC, "59461-4", CAREHUB__V1__EVENT_TYPE__ASSESSMENT_COMPLETED},
    {SYSTEM_LOINC, "54850-3", CAREHUB__V1__EVENT_TYPE__ASSESSMENT_COMPLETED},
    {SYSTEM_LOINC, "101440-6", CAREHUB__V1__EVENT_TYPE__ASSESSMENT_COMPLETED},
    {SYSTEM_LOINC, "74196-7", CAREHUB__V1__EVENT_TYPE__ASSESSMENT_COMPLETED},
};

static Carehub__V1__EventType match(const struct fhir_rule *rules, size_t count, const char *system, const char *code)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(rules[i].code, code) == 0 && strcmp(rules[i].system, system) == 0)
            return rules[i].type;
    return CAREHUB__V1__EVENT_TYPE__EVENT_TYPE_UNSPECIFIED;
}

// Code systems whose codes are items and scales of interRAI: every observation with one is a result.
static bool is_interrai(const char *system)
{
    return strcasestr(system, "belrai") != NULL || strcasestr(system, "interrai") != NULL;
}

Carehub__V1__EventType fhir_type_by_code(struct fhir_job *job, const struct fhir_node *concept,
                                         Carehub__V1__Coded **coded)
{
    const struct fhir_intake *in = job->document->in;
    struct fhir_node codings = fhir_get(concept, "coding");
    size_t count = fhir_count(job->problems, &codings, FHIR_LIST_MAX);
    *coded = NULL;
    for (size_t i = 0; i < count; i++) {
        struct fhir_node one = fhir_at(&codings, i);
        const char *system = fhir_text(job->problems, &one, "system"), *code = fhir_text(job->problems, &one, "code");
        Carehub__V1__EventType type = match(in->rules, in->n_rules, system, code);
        if (type == CAREHUB__V1__EVENT_TYPE__EVENT_TYPE_UNSPECIFIED)
            type = match(known, sizeof known / sizeof known[0], system, code);
        if (type == CAREHUB__V1__EVENT_TYPE__EVENT_TYPE_UNSPECIFIED && is_interrai(system))
            type = CAREHUB__V1__EVENT_TYPE__ASSESSMENT_COMPLETED;
        if (type == CAREHUB__V1__EVENT_TYPE__EVENT_TYPE_UNSPECIFIED)
            continue;
        *coded = fhir_coding(job, &one);
        if (*coded != NULL && (*coded)->display[0] == '\0')
            fhir_set_text(job, &(*coded)->display, fhir_text(job->problems, concept, "text"));
        return type;
    }
    return CAREHUB__V1__EVENT_TYPE__EVENT_TYPE_UNSPECIFIED;
}

static bool is_survey(struct fhir_job *job)
{
    struct fhir_node categories = fhir_get(job->resource, "category");
    size_t count = fhir_count(job->problems, &categories, FHIR_LIST_MAX);
    for (size_t i = 0; i < count; i++) {
        struct fhir_node one = fhir_at(&categories, i);
        if (fhir_concept_has(job, &one, "http://terminology.hl7.org/CodeSystem/observation-category", "survey"))
            return true;
    }
    return false;
}

// The type of event that a category names outright, 0 if none does.
static Carehub__V1__EventType type_by_category(struct fhir_job *job)
{
    static const Carehub__V1__EventType types[] = {
        CAREHUB__V1__EVENT_TYPE__FALL_REPORTED, CAREHUB__V1__EVENT_TYPE__CONDITION_CHANGED,
        CAREHUB__V1__EVENT_TYPE__ASSESSMENT_COMPLETED, CAREHUB__V1__EVENT_TYPE__CARER_STRAIN,
        CAREHUB__V1__EVENT_TYPE__PATIENT_REPORTED};
    struct fhir_node categories = fhir_get(job->resource, "category");
    size_t count = fhir_count(job->problems, &categories, FHIR_LIST_MAX);
    for (size_t i = 0; i < count; i++) {
        struct fhir_node one = fhir_at(&categories, i);
        for (size_t k = 0; k < sizeof types / sizeof types[0]; k++)
            if (fhir_concept_has(job, &one, SYSTEM_EVENT_TYPE, event_type_name(types[k])))
                return types[k];
    }
    return CAREHUB__V1__EVENT_TYPE__EVENT_TYPE_UNSPECIFIED;
}

// ---- Parts

static void each_component(struct fhir_job *job, const struct fhir_node *of, fhir_part_fn *fn, void *arg)
{
    struct fhir_node components = fhir_get(of, "component");
    size_t count = fhir_count(job->problems, &components, FHIR_LIST_MAX);
    for (size_t i = 0; i < count; i++) {
        struct fhir_node one = fhir_at(&components, i);
        fn(job, arg, &one);
    }
}

static bool is_void(struct fhir_job *job, const struct fhir_node *observation)
{
    const char *status = fhir_text(job->problems, observation, "status");
    return strcmp(status, "entered-in-error") == 0 || strcmp(status, "cancelled") == 0;
}

void fhir_each_part(struct fhir_job *job, fhir_part_fn *fn, void *arg)
{
    struct fhir_node members = fhir_get(job->resource, "hasMember");
    size_t count = fhir_count(job->problems, &members, FHIR_LIST_MAX);
    each_component(job, job->resource, fn, arg);
    for (size_t i = 0; i < count; i++) {
        struct fhir_node one = fhir_at(&members, i), member = fhir_resolve(job, &one);
        if (member.json == NULL || member.json == job->resource->json) {
            fhir_add_remark(job, "member-elsewhere");
        } else if (!is_void(job, &member)) {
            fn(job, arg, &member);
            each_component(job, &member, fn, arg);
        }
    }
}

// ---- Results

struct scores {
    Carehub__V1__Score ***list;
    size_t *count;
};

void fhir_add_score(struct fhir_job *job, Carehub__V1__Score ***scores, size_t *count, Carehub__V1__Coded *item,
                    const char *value)
{
    Carehub__V1__Score *score = value[0] != '\0' ? fhir_new(job, &carehub__v1__score__descriptor) : NULL;
    if (score == NULL) {
        if (item != NULL)
            carehub__v1__coded__free_unpacked(item, NULL);
        return;
    }
    score->item = item;
    fhir_set_text(job, &score->value, value);
    fhir_append(job, scores, count, score);
}

static void add_score(struct fhir_job *job, void *arg, const struct fhir_node *from)
{
    const struct scores *scores = arg;
    char value[SCORE_CHARS];
    if (fhir_value_text(job, from, value, sizeof value))
        fhir_add_score(job, scores->list, scores->count, fhir_take_concept(job, from, "code"), value);
}

static void add_scores(struct fhir_job *job, Carehub__V1__Score ***list, size_t *count)
{
    struct scores scores = {list, count};
    add_score(job, &scores, job->resource);
    fhir_each_part(job, add_score, &scores);
}

static void fill_assessment(struct fhir_job *job, Carehub__V1__AssessmentCompleted *b, Carehub__V1__Time **at)
{
    struct fhir_node derived = fhir_get(job->resource, "derivedFrom");
    b->instrument = fhir_take_concept(job, job->resource, "code");
    add_scores(job, &b->scores, &b->n_scores);
    if (fhir_count(job->problems, &derived, FHIR_LIST_MAX) > 0) {
        struct fhir_node first = fhir_at(&derived, 0);
        b->report = fhir_new(job, &carehub__v1__reference__descriptor);
        if (b->report != NULL)
            fhir_set_text(job, &b->report->id, fhir_text(job->problems, &first, "reference"));
    }
    if (*at != NULL)
        fhir_set_time(job, &b->at, &(struct fhir_time){(*at)->unix_ms, (*at)->offset_minutes, (*at)->precision});
    if (b->n_scores == 0)
        FHIR_PROBLEM(job->problems, PROBLEM_ERROR, PROBLEM_REQUIRED, job->resource,
                     "an assessment has a result: a value, or components or members with values");
}

static void fill_strain(struct fhir_job *job, Carehub__V1__CarerStrain *b)
{
    char score[SCORE_CHARS];
    b->instrument = fhir_take_concept(job, job->resource, "code");
    if (fhir_value_text(job, job->resource, score, sizeof score))
        fhir_set_text(job, &b->score, score);
    fhir_take_notes(job, &b->note, job->resource, "note");
}

static void fill_reported(struct fhir_job *job, Carehub__V1__PatientReported *b)
{
    b->instrument = fhir_take_concept(job, job->resource, "code");
    add_scores(job, &b->scores, &b->n_scores);
    fhir_take_notes(job, &b->text, job->resource, "note");
}

// ---- A change of condition

static void add_test(struct fhir_job *job, void *arg, const struct fhir_node *from)
{
    Carehub__V1__ConditionChanged *b = arg;
    struct fhir_node value = fhir_choice(from, "value", "valueQuantity");
    Carehub__V1__Quantity *quantity = fhir_quantity(job, &value);
    Carehub__V1__Measurement *test = quantity != NULL ? fhir_new(job, &carehub__v1__measurement__descriptor) : NULL;
    if (test == NULL) {
        if (quantity != NULL)
            carehub__v1__quantity__free_unpacked(quantity, NULL);
        return;
    }
    test->what = fhir_take_concept(job, from, "code");
    test->value = quantity;
    fhir_append(job, &b->point_of_care_tests, &b->n_point_of_care_tests, test);
}

static void fill_condition(struct fhir_job *job, Carehub__V1__ConditionChanged *b, const char *code)
{
    char words[SCORE_CHARS];
    struct fhir_node sign = fhir_get(job->resource, code),
                     value = fhir_choice(job->resource, "value", "valueCodeableConcept");
    b->sign = fhir_concept(job, &sign);
    b->severity = fhir_first_concept(job, job->resource, "interpretation");
    add_test(job, b, job->resource);
    fhir_each_part(job, add_test, b);
    fhir_take_notes(job, &b->observation, job->resource, "note");
    if (b->observation[0] == '\0' && value.json == NULL && b->n_point_of_care_tests == 0 &&
        fhir_value_text(job, job->resource, words, sizeof words))
        fhir_set_text(job, &b->observation, words);
    // A finding in the value says more than the question that it answers.
    Carehub__V1__Coded *finding = fhir_concept(job, &value);
    if (finding != NULL && b->sign != NULL)
        carehub__v1__coded__free_unpacked(b->sign, NULL);
    b->sign = finding != NULL ? finding : b->sign;
    if (b->sign == NULL)
        FHIR_PROBLEM(job->problems, PROBLEM_ERROR, PROBLEM_REQUIRED, &sign,
                     "it must say, in a code or text, what it is");
}

// ---- Putting together

// When it happened: a moment, or the start of a period.
static bool when(struct fhir_job *job, const char *const *names, Carehub__V1__Time **at)
{
    for (; *names != NULL; names++) {
        struct fhir_node node = fhir_get(job->resource, *names), start = fhir_get(&node, "start");
        struct fhir_time time;
        bool is_period = json_object_is_type(node.json, json_type_object);
        if (!fhir_time(job->problems, is_period ? &start : &node, &time))
            continue;
        fhir_set_time(job, at, &time);
        return true;
    }
    return false;
}

static void copy_time(struct fhir_job *job, Carehub__V1__Time **to, const Carehub__V1__Time *from)
{
    if (from != NULL)
        fhir_set_time(job, to, &(struct fhir_time){from->unix_ms, from->offset_minutes, from->precision});
}

// Fills the body of any of the types of this file. `kind` of a fall is taken over.
static void fill(struct fhir_job *job, Carehub__V1__Event *event, const char *code, Carehub__V1__Coded *kind)
{
    Carehub__V1__Time **at = NULL;
    switch (event->type) {
    case CAREHUB__V1__EVENT_TYPE__FALL_REPORTED:
        event->fall_reported->kind = kind;
        kind = NULL;
        fhir_fall_components(job, event->fall_reported);
        at = &event->fall_reported->fell_at;
        break;
    case CAREHUB__V1__EVENT_TYPE__ASSESSMENT_COMPLETED:
        fill_assessment(job, event->assessment_completed, &event->occurred_at);
        break;
    case CAREHUB__V1__EVENT_TYPE__CARER_STRAIN:
        fill_strain(job, event->carer_strain);
        at = &event->carer_strain->at;
        break;
    case CAREHUB__V1__EVENT_TYPE__PATIENT_REPORTED:
        fill_reported(job, event->patient_reported);
        at = &event->patient_reported->at;
        break;
    case CAREHUB__V1__EVENT_TYPE__CONDITION_CHANGED:
        fill_condition(job, event->condition_changed, code);
        at = &event->condition_changed->at;
        break;
    default:
        FHIR_PROBLEM(job->problems, PROBLEM_ERROR, PROBLEM_NOT_SUPPORTED, job->resource,
                     "a rule of this adapter makes a type of event of this code that it cannot; tell the operator");
    }
    if (at != NULL)
        copy_time(job, at, event->occurred_at);
    if (kind != NULL)
        carehub__v1__coded__free_unpacked(kind, NULL);
}

static const char *make(struct fhir_job *job, Carehub__V1__EventType type, const char *code, const char *const *times,
                        enum fhir_verb verb, Carehub__V1__Coded *kind)
{
    ProtobufCMessage *body;
    Carehub__V1__Event *event = fhir_event_new(job, type, &body);
    if (event == NULL) {
        if (kind != NULL)
            carehub__v1__coded__free_unpacked(kind, NULL);
        return NULL;
    }
    when(job, times, &event->occurred_at);
    fill(job, event, code, kind);
    return fhir_settle(job, event, verb == FHIR_CORRECT);
}

// ---- The three resources

const char *fhir_observation(struct fhir_job *job)
{
    static const struct fhir_status statuses[] = {
        {"registered", FHIR_REPORT, "no-result-yet"},
        {"preliminary", FHIR_REPORT, NULL},
        {"final", FHIR_REPORT, NULL},
        {"amended", FHIR_CORRECT, NULL},
        {"corrected", FHIR_CORRECT, NULL},
        {"cancelled", FHIR_RETRACT, NULL},
        {"entered-in-error", FHIR_RETRACT, NULL},
        {"unknown", FHIR_REPORT, NULL},
        {NULL, FHIR_REPORT, NULL},
    };
    static const char *const times[] = {"effectiveDateTime", "effectiveInstant", "effectivePeriod", NULL};
    const struct fhir_status *status = fhir_status_of(job, statuses);
    struct fhir_node code = fhir_get(job->resource, "code"),
                     value = fhir_choice(job->resource, "value", "valueCodeableConcept");
    Carehub__V1__Coded *kind = NULL;
    if (status == NULL || status->nothing != NULL)
        return status != NULL ? status->nothing : NULL;
    if (status->verb == FHIR_RETRACT) // what is in error may be incomplete: nothing more of it is read
        return fhir_withdraw(job);
    Carehub__V1__EventType said = type_by_category(job), type = fhir_type_by_code(job, &code, &kind);
    if (said != CAREHUB__V1__EVENT_TYPE__EVENT_TYPE_UNSPECIFIED)
        type = said;
    if (type == CAREHUB__V1__EVENT_TYPE__FALL_REPORTED && kind == NULL)
        kind = fhir_concept(job, &code);
    if (type == CAREHUB__V1__EVENT_TYPE__EVENT_TYPE_UNSPECIFIED)
        type = is_survey(job) ? CAREHUB__V1__EVENT_TYPE__ASSESSMENT_COMPLETED : fhir_type_by_code(job, &value, &kind);
    if (type == CAREHUB__V1__EVENT_TYPE__EVENT_TYPE_UNSPECIFIED)
        type = CAREHUB__V1__EVENT_TYPE__CONDITION_CHANGED;
    return make(job, type, "code", times, status->verb, kind);
}

static bool is_potential(struct fhir_job *job)
{
    struct fhir_node node = fhir_get(job->resource, "actuality");
    const char *actuality = fhir_text(job->problems, job->resource, "actuality");
    if (strcmp(actuality, "potential") != 0 && strcmp(actuality, "actual") != 0)
        FHIR_PROBLEM(job->problems, PROBLEM_ERROR, actuality[0] == '\0' ? PROBLEM_REQUIRED : PROBLEM_VALUE, &node,
                     "it must be actual, or potential for what nearly happened");
    return strcmp(actuality, "potential") == 0;
}

// AdverseEvent has no status in R4: it cannot be taken back.
const char *fhir_adverse_event(struct fhir_job *job)
{
    static const char *const times[] = {"date", "detected", NULL};
    struct fhir_node what = fhir_get(job->resource, "event");
    Carehub__V1__Coded *kind = NULL;
    if (is_potential(job))
        return "potential";
    Carehub__V1__EventType type = fhir_type_by_code(job, &what, &kind);
    if (type == CAREHUB__V1__EVENT_TYPE__EVENT_TYPE_UNSPECIFIED)
        type = CAREHUB__V1__EVENT_TYPE__CONDITION_CHANGED;
    return make(job, type, "event", times, FHIR_REPORT, kind);
}

const char *fhir_flag(struct fhir_job *job)
{
    static const struct fhir_status statuses[] = {
        {"active", FHIR_REPORT, NULL},
        {"inactive", FHIR_REPORT, "flag-is-over"},
        {"entered-in-error", FHIR_RETRACT, NULL},
        {NULL, FHIR_REPORT, NULL},
    };
    static const char *const times[] = {"period", NULL};
    const struct fhir_status *status = fhir_status_of(job, statuses);
    if (status == NULL || status->nothing != NULL)
        return status != NULL ? status->nothing : NULL;
    if (status->verb == FHIR_RETRACT)
        return fhir_withdraw(job);
    // A flag says what to look out for: one about falls is not a fall, whatever its code. Rules do apply.
    struct fhir_node code = fhir_get(job->resource, "code");
    Carehub__V1__Coded *kind;
    Carehub__V1__EventType type = fhir_type_by_code(job, &code, &kind);
    if (kind != NULL)
        carehub__v1__coded__free_unpacked(kind, NULL);
    if (type != CAREHUB__V1__EVENT_TYPE__CARER_STRAIN)
        type = CAREHUB__V1__EVENT_TYPE__CONDITION_CHANGED;
    return make(job, type, "code", times, status->verb, NULL);
}
