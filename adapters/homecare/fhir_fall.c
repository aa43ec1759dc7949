// What is told about a fall besides that it happened. FHIR has no agreed codes for most of it; components of the code
// system urn:carehub:fall say it plainly:
//
//     injury           CodeableConcept none, minor or major; or a boolean: false is none, true is minor
//     witnessed        boolean
//     help-needed      boolean
//     place            CodeableConcept or string
//     person-is-now    CodeableConcept or string
//     falls-past-year  integer; LOINC 75856-5 is understood too
//
// Any other component with a quantity is a measurement; a valueString tells of the injury. Of an AdverseEvent:
// severity, seriousness, location and resultingCondition.
#include <stdlib.h>
#include <string.h>

#include <json-c/json_object.h>

#include "fhir_job.h"

#define FALLS_MAX 1000

static void wrong(struct fhir_job *job, const struct fhir_node *component, const char *expected)
{
    struct fhir_node value = fhir_get(component, "value");
    FHIR_PROBLEM(job->problems, PROBLEM_ERROR, PROBLEM_VALUE, &value, "this component must have %s", expected);
}

static bool take_yes(struct fhir_job *job, const struct fhir_node *component)
{
    struct fhir_node yes = fhir_choice(component, "value", "valueBoolean");
    if (!json_object_is_type(yes.json, json_type_boolean))
        wrong(job, component, "a valueBoolean");
    return json_object_get_boolean(yes.json);
}

static void take_coded(struct fhir_job *job, const struct fhir_node *component, Carehub__V1__Coded **place)
{
    struct fhir_node concept = fhir_choice(component, "value", "valueCodeableConcept");
    Carehub__V1__Coded *taken = fhir_concept(job, &concept);
    if (taken == NULL)
        taken = fhir_coded_new(job, "", "", fhir_text(job->problems, component, "valueString"));
    if (taken == NULL) {
        wrong(job, component, "a valueCodeableConcept or valueString");
        return;
    }
    if (*place != NULL)
        carehub__v1__coded__free_unpacked(*place, NULL);
    *place = taken;
}

static void take_injury(struct fhir_job *job, const struct fhir_node *component, Carehub__V1__FallReported *fall)
{
    static const struct {
        const char *code;
        Carehub__V1__FallReported__Injury is;
    } injuries[] = {{"none", CAREHUB__V1__FALL_REPORTED__INJURY__NO_INJURY},
                    {"minor", CAREHUB__V1__FALL_REPORTED__INJURY__MINOR_INJURY},
                    {"major", CAREHUB__V1__FALL_REPORTED__INJURY__MAJOR_INJURY},
                    {"false", CAREHUB__V1__FALL_REPORTED__INJURY__NO_INJURY},
                    {"true", CAREHUB__V1__FALL_REPORTED__INJURY__MINOR_INJURY}};
    char code[16];
    fhir_value_text(job, component, code, sizeof code);
    for (size_t i = 0; i < sizeof injuries / sizeof injuries[0]; i++)
        if (strcmp(injuries[i].code, code) == 0) {
            fall->injury = injuries[i].is;
            return;
        }
    wrong(job, component, "the code none, minor or major, or a boolean");
}

static void take_count(struct fhir_job *job, const struct fhir_node *component, Carehub__V1__FallReported *fall)
{
    char text[16], *end;
    fhir_value_text(job, component, text, sizeof text);
    long count = strtol(text, &end, 10);
    if (end == text || *end != '\0' || count < 0 || count > FALLS_MAX)
        wrong(job, component, "a number of falls");
    else
        fall->falls_past_year = (uint32_t)count;
}

static void add_measurement(struct fhir_job *job, Carehub__V1__FallReported *fall, const struct fhir_node *component)
{
    struct fhir_node value = fhir_choice(component, "value", "valueQuantity");
    Carehub__V1__Quantity *quantity = fhir_quantity(job, &value);
    if (quantity == NULL)
        return;
    Carehub__V1__Measurement *made = fhir_new(job, &carehub__v1__measurement__descriptor);
    if (made == NULL) {
        carehub__v1__quantity__free_unpacked(quantity, NULL);
        return;
    }
    made->what = fhir_take_concept(job, component, "code");
    made->value = quantity;
    fhir_append(job, &fall->measurements, &fall->n_measurements, made);
}

static void take_component(struct fhir_job *job, void *arg, const struct fhir_node *component)
{
    Carehub__V1__FallReported *fall = arg;
    struct fhir_node code = fhir_get(component, "code");
    if (fhir_concept_has(job, &code, SYSTEM_FALL_DETAIL, "injury"))
        take_injury(job, component, fall);
    else if (fhir_concept_has(job, &code, SYSTEM_FALL_DETAIL, "witnessed"))
        fall->witnessed = take_yes(job, component);
    else if (fhir_concept_has(job, &code, SYSTEM_FALL_DETAIL, "help-needed"))
        fall->help_needed = take_yes(job, component);
    else if (fhir_concept_has(job, &code, SYSTEM_FALL_DETAIL, "place"))
        take_coded(job, component, &fall->place);
    else if (fhir_concept_has(job, &code, SYSTEM_FALL_DETAIL, "person-is-now"))
        take_coded(job, component, &fall->person_is_now);
    else if (fhir_concept_has(job, &code, SYSTEM_FALL_DETAIL, "falls-past-year") ||
             fhir_concept_has(job, &code, SYSTEM_LOINC, "75856-5"))
        take_count(job, component, fall);
    else
        add_measurement(job, fall, component);
}

// An adverse event that is serious, or severe, did the person much harm; a mild one some. No word of either: not known.
static void take_severity(struct fhir_job *job, Carehub__V1__FallReported *fall)
{
    struct fhir_node severity = fhir_get(job->resource, "severity"), serious = fhir_get(job->resource, "seriousness");
    const char *system = "http://terminology.hl7.org/CodeSystem/adverse-event-severity";
    if (fhir_concept_has(job, &severity, system, "severe") ||
        fhir_concept_has(job, &serious, "http://terminology.hl7.org/CodeSystem/adverse-event-seriousness", "serious"))
        fall->injury = CAREHUB__V1__FALL_REPORTED__INJURY__MAJOR_INJURY;
    else if (fhir_concept_has(job, &severity, system, "mild") || fhir_concept_has(job, &severity, system, "moderate"))
        fall->injury = CAREHUB__V1__FALL_REPORTED__INJURY__MINOR_INJURY;
}

// The texts of references to conditions.
static void take_conditions(struct fhir_job *job, Carehub__V1__FallReported *fall)
{
    struct fhir_node conditions = fhir_get(job->resource, "resultingCondition");
    if (fhir_count(job->problems, &conditions, FHIR_LIST_MAX) == 0)
        return;
    struct fhir_node first = fhir_at(&conditions, 0), resolved = fhir_resolve(job, &first);
    Carehub__V1__Coded *code = fhir_take_concept(job, &resolved, "code");
    const char *display = fhir_text(job->problems, &first, "display");
    fhir_set_text(job, &fall->injury_detail, display[0] != '\0' ? display : code != NULL ? code->display : "");
    if (code != NULL)
        carehub__v1__coded__free_unpacked(code, NULL);
}

void fhir_fall_components(struct fhir_job *job, Carehub__V1__FallReported *fall)
{
    struct fhir_node place = fhir_get(job->resource, "location");
    take_severity(job, fall);
    take_conditions(job, fall);
    if (fhir_is_object(job->problems, &place))
        fall->place = fhir_coded_new(job, "", "", fhir_text(job->problems, &place, "display"));
    fhir_each_part(job, take_component, fall);
    fhir_take_notes(job, &fall->note, job->resource, "note");
    if (fall->injury_detail[0] == '\0')
        fhir_set_text(job, &fall->injury_detail, fhir_text(job->problems, job->resource, "valueString"));
}
