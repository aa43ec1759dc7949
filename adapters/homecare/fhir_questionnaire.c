// QuestionnaireResponse: the answers to an instrument as coded scores. BelRAI and interRAI results that are not sent as
// Observations come so. Each answer is a score, whose item is the question's linkId in the code system that the
// questionnaire's own URL is. What the person filled in himself is PatientReported, anything else AssessmentCompleted.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json_object.h>

#include "fhir_job.h"

#define SYSTEM_URI "urn:ietf:rfc:3986"
#define ITEMS_MAX 512u    // of one list, and scores in all
#define ITEM_DEPTH_MAX 8u // groups within groups
#define ANSWER_CHARS 1024

struct answers {
    const char *questionnaire; // its URL without version
    Carehub__V1__Score ***scores;
    size_t *count;
    bool complained;
};

// An answer's value[x] as text. Those that Observations have too, and the others that are text.
static bool answer_text(struct fhir_job *job, const struct fhir_node *answer, char out[ANSWER_CHARS])
{
    static const char *const texts[] = {"valueDate", "valueDateTime", "valueTime", "valueUri"};
    struct fhir_node coding = fhir_choice(answer, "value", "valueCoding"),
                     decimal = fhir_choice(answer, "value", "valueDecimal");
    if (fhir_is_object(job->problems, &coding)) {
        const char *code = fhir_text_max(job->problems, &coding, "code", FHIR_CODE_MAX_BYTES),
                   *display = fhir_text_max(job->problems, &coding, "display", ANSWER_CHARS - 1);
        snprintf(out, ANSWER_CHARS, "%s", code[0] != '\0' ? code : display);
        return out[0] != '\0';
    }
    if (json_object_is_type(decimal.json, json_type_int) || json_object_is_type(decimal.json, json_type_double)) {
        const char *digits = json_object_to_json_string_ext(decimal.json, JSON_C_TO_STRING_PLAIN);
        return digits != NULL && snprintf(out, ANSWER_CHARS, "%s", digits) < ANSWER_CHARS;
    }
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const char *text = fhir_text_max(job->problems, answer, texts[i], ANSWER_CHARS - 1);
        if (text[0] != '\0')
            return snprintf(out, ANSWER_CHARS, "%s", text) > 0;
    }
    return fhir_value_text(job, answer, out, ANSWER_CHARS);
}

static void add_answer(struct fhir_job *job, struct answers *a, const struct fhir_node *item,
                       const struct fhir_node *answer)
{
    char value[ANSWER_CHARS];
    if (!answer_text(job, answer, value))
        return;
    if (*a->count == ITEMS_MAX) {
        if (!a->complained)
            FHIR_PROBLEM(job->problems, PROBLEM_ERROR, PROBLEM_TOO_COSTLY, job->resource,
                         "more than %u answers; send the scores, and refer to the document for the rest", ITEMS_MAX);
        a->complained = true;
        return;
    }
    fhir_add_score(job, a->scores, a->count,
                   fhir_coded_new(job, a->questionnaire,
                                  fhir_text_max(job->problems, item, "linkId", FHIR_CODE_MAX_BYTES),
                                  fhir_text(job->problems, item, "text")),
                   value);
}

// Items hold items, and so do answers.
static void take_items(struct fhir_job *job, struct answers *a, const struct fhir_node *of, unsigned depth)
{
    struct fhir_node items = fhir_get(of, "item");
    size_t count = fhir_count(job->problems, &items, ITEMS_MAX);
    if (count > 0 && depth == ITEM_DEPTH_MAX) {
        FHIR_PROBLEM(job->problems, PROBLEM_ERROR, PROBLEM_TOO_COSTLY, &items, "more than %u items within each other",
                     ITEM_DEPTH_MAX);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct fhir_node item = fhir_at(&items, i), answers = fhir_get(&item, "answer");
        size_t given = fhir_count(job->problems, &answers, FHIR_LIST_MAX);
        for (size_t k = 0; k < given; k++) {
            struct fhir_node answer = fhir_at(&answers, k);
            add_answer(job, a, &item, &answer);
            take_items(job, a, &answer, depth + 1);
        }
        take_items(job, a, &item, depth + 1);
    }
}

// Whether the patient answered, and nobody in between.
static bool is_own_hand(struct fhir_job *job)
{
    struct fhir_node source = fhir_get(job->resource, "source"), resolved = fhir_resolve(job, &source);
    const char *type = fhir_text(job->problems, &source, "type"),
               *text = fhir_text(job->problems, &source, "reference");
    return strcmp(fhir_type_of(&resolved), "Patient") == 0 || strcmp(type, "Patient") == 0 ||
           strncmp(text, "Patient/", 8) == 0;
}

static bool must_be_there(struct fhir_job *job, size_t n_scores, const char *canonical)
{
    struct fhir_node item = fhir_get(job->resource, "item"), of = fhir_get(job->resource, "questionnaire");
    if (canonical[0] == '\0')
        FHIR_PROBLEM(job->problems, PROBLEM_ERROR, PROBLEM_REQUIRED, &of,
                     "it must say which questionnaire was answered, by its URL");
    if (n_scores == 0)
        FHIR_PROBLEM(job->problems, PROBLEM_ERROR, PROBLEM_REQUIRED, &item, "there is no answer in it");
    return canonical[0] != '\0' && n_scores > 0;
}

static void fill(struct fhir_job *job, Carehub__V1__Event *event)
{
    const char *canonical = fhir_text_max(job->problems, job->resource, "questionnaire", FHIR_CODE_MAX_BYTES);
    char url[FHIR_CODE_MAX_BYTES + 1];
    size_t len = strcspn(canonical, "|");
    bool own = event->type == CAREHUB__V1__EVENT_TYPE__PATIENT_REPORTED;
    Carehub__V1__AssessmentCompleted *done = own ? NULL : event->assessment_completed;
    Carehub__V1__PatientReported *told = own ? event->patient_reported : NULL;
    struct answers a = {.questionnaire = url,
                        .scores = own ? &told->scores : &done->scores,
                        .count = own ? &told->n_scores : &done->n_scores};
    snprintf(url, sizeof url, "%.*s", (int)len, canonical);
    take_items(job, &a, job->resource, 0);
    if (!must_be_there(job, *a.count, canonical))
        return;
    *(own ? &told->instrument : &done->instrument) = fhir_coded_new(job, SYSTEM_URI, url, "");
    if (!own && canonical[len] == '|')
        fhir_set_text(job, &done->instrument_version, canonical + len + 1);
    fhir_take_time(job, own ? &told->at : &done->at, job->resource, "authored");
}

const char *fhir_questionnaire_response(struct fhir_job *job)
{
    static const struct fhir_status statuses[] = {
        {"in-progress", FHIR_REPORT, "not-completed"},
        {"stopped", FHIR_REPORT, "not-completed"},
        {"completed", FHIR_REPORT, NULL},
        {"amended", FHIR_CORRECT, NULL},
        {"entered-in-error", FHIR_RETRACT, NULL},
        {NULL, FHIR_REPORT, NULL},
    };
    const struct fhir_status *status = fhir_status_of(job, statuses);
    ProtobufCMessage *body;
    if (status == NULL || status->nothing != NULL)
        return status != NULL ? status->nothing : NULL;
    if (status->verb == FHIR_RETRACT)
        return fhir_withdraw(job);
    Carehub__V1__Event *event = fhir_event_new(job,
                                               is_own_hand(job) ? CAREHUB__V1__EVENT_TYPE__PATIENT_REPORTED
                                                                : CAREHUB__V1__EVENT_TYPE__ASSESSMENT_COMPLETED,
                                               &body);
    if (event == NULL)
        return NULL;
    fhir_take_time(job, &event->occurred_at, job->resource, "authored");
    fill(job, event);
    return fhir_settle(job, event, status->verb == FHIR_CORRECT);
}
