// What someone is asked to do, and what was done: Task, ServiceRequest, Immunization.
#include <string.h>

#include <json-c/json_object.h>

#include "catalogue.h"
#include "fhir_job.h"
#include "fhir_write_internal.h"

#define SYSTEM_TASK "urn:carehub:task"
#define SYSTEM_GOAL "urn:carehub:goal"
#define SYSTEM_REFERRAL_ID "urn:carehub:referral-id"

static void put_party(struct writer *w, struct json_object *object, const char *name, const Carehub__V1__Party *party)
{
    struct json_object *reference = write_party(w, "", party); // a person or an organisation: the event does not say
    if (reference != NULL)
        make_put(&w->m, object, name, reference);
}

static void put_requester(struct writer *w, struct json_object *object)
{
    const Carehub__V1__Author *author = w->event->author;
    if (author != NULL && author->professional != NULL)
        put_party(w, object, "requester", author->professional);
    else
        write_reference(w, object, "requester", w->organisation);
}

// ---- Task

static bool is_task_status(const char *code)
{
    static const char *const codes[] = {"draft",     "requested",   "received", "accepted", "rejected", "ready",
                                        "cancelled", "in-progress", "on-hold",  "failed",   "completed"};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (strcmp(codes[i], code) == 0)
            return true;
    return false;
}

static void put_task_status(struct writer *w, struct json_object *task, const Carehub__V1__Coded *status)
{
    bool known = status != NULL && is_task_status(status->code);
    make_text(&w->m, task, "status",
              w->correction == CORRECTION_RETRACTS ? "entered-in-error"
              : known                              ? status->code
                                                   : "requested");
    if (!known)
        write_put_concept(w, task, "businessStatus", status);
}

static void put_goal(struct writer *w, struct json_object *task, const char *goal_id)
{
    if (goal_id[0] == '\0')
        return;
    struct json_object *goal = make_object(&w->m), *identifier = make_object(&w->m);
    make_text(&w->m, identifier, "system", SYSTEM_GOAL);
    make_text(&w->m, identifier, "value", goal_id);
    make_text(&w->m, goal, "type", "Goal");
    make_put(&w->m, goal, "identifier", identifier);
    make_put(&w->m, task, "focus", goal);
}

void write_task(struct writer *w, struct json_object *task)
{
    const Carehub__V1__TaskAssigned *b = BODY(w, TASK_ASSIGNED, task_assigned);
    put_task_status(w, task, b != NULL ? b->status : NULL);
    make_text(&w->m, task, "intent", "order");
    write_priority(w, task);
    write_reference(w, task, "for", w->patient);
    write_time(w, task, "authoredOn", w->content->occurred_at);
    put_requester(w, task);
    if (b == NULL)
        return;
    write_own_identifier(w, task, SYSTEM_TASK, b->task_id);
    write_put_concept(w, task, "code", b->task);
    put_goal(w, task, b->goal_id);
    put_party(w, task, "owner", b->assignee);
    if (b->due_at != NULL) {
        struct json_object *restriction = make_object(&w->m), *period = make_object(&w->m);
        write_time(w, period, "end", b->due_at);
        make_put(&w->m, restriction, "period", period);
        make_put(&w->m, task, "restriction", restriction);
    }
    write_note(w, task, b->note);
}

// ---- ServiceRequest

static void begin_request(struct writer *w, struct json_object *request, const char *status)
{
    make_text(&w->m, request, "status", w->correction == CORRECTION_RETRACTS ? "entered-in-error" : status);
    make_text(&w->m, request, "intent", "order");
    write_priority(w, request);
    write_subject(w, request, "subject");
    write_time(w, request, "authoredOn", w->content->occurred_at);
    put_requester(w, request);
}

static void put_categories(struct writer *w, struct json_object *request, struct json_object *more)
{
    struct json_object *categories = make_array(&w->m);
    make_push(&w->m, categories, write_fixed(w, SYSTEM_EVENT_TYPE, event_type_name(w->event->type), ""));
    if (more != NULL)
        make_push(&w->m, categories, more);
    make_put(&w->m, request, "category", categories);
}

// FHIR's status says whether the request stands, not whether it was accepted: that is a category.
void write_referral(struct writer *w, struct json_object *request)
{
    static const char *const stages[] = {[CAREHUB__V1__REFERRAL_MADE__STATUS__MADE] = "made",
                                         [CAREHUB__V1__REFERRAL_MADE__STATUS__ACCEPTED] = "accepted",
                                         [CAREHUB__V1__REFERRAL_MADE__STATUS__REFUSED] = "refused"};
    const Carehub__V1__ReferralMade *b = BODY(w, REFERRAL_MADE, referral_made);
    bool refused = b != NULL && b->status == CAREHUB__V1__REFERRAL_MADE__STATUS__REFUSED;
    bool staged = b != NULL && b->status > 0 && b->status < sizeof stages / sizeof stages[0];
    begin_request(w, request, refused ? "revoked" : "active");
    put_categories(w, request, staged ? write_fixed(w, SYSTEM_REFERRAL, stages[b->status], "") : NULL);
    if (b == NULL)
        return;
    write_own_identifier(w, request, SYSTEM_REFERRAL_ID, b->referral_id);
    write_put_concept(w, request, "code", b->discipline);
    write_put_one(w, request, "performer", write_party(w, "", b->target));
    write_put_concepts(w, request, "reasonCode", b->reason);
    write_note(w, request, b->note);
}

void write_crisis(struct writer *w, struct json_object *request)
{
    const Carehub__V1__CrisisReferral *b = BODY(w, CRISIS_REFERRAL, crisis_referral);
    begin_request(w, request, "active");
    put_categories(w, request, b != NULL ? write_concept(w, b->triage) : NULL);
    if (b == NULL)
        return;
    write_time(w, request, "occurrenceDateTime", b->at);
    write_put_one(w, request, "performer", write_party(w, "", b->target));
    write_put_concepts(w, request, "reasonCode", b->crisis_type);
    write_note(w, request, b->note);
}

// ---- Immunization

static struct json_object *vaccine_code(struct writer *w, const Carehub__V1__Medicine *vaccine)
{
    struct json_object *concept = NULL;
    if (vaccine != NULL && vaccine->n_codes > 0)
    concept = write_concept(w, vaccine->codes[0]);
    if (concept != NULL && vaccine->name[0] != '\0')
        make_text(&w->m, concept, "text", vaccine->name);
    if (concept != NULL)
    return concept;
    return write_words(w, vaccine != NULL && vaccine->name[0] != '\0' ? vaccine->name : "not disclosed");
}

void write_vaccination(struct writer *w, struct json_object *immunization)
{
    const Carehub__V1__VaccinationStatus *b = BODY(w, VACCINATION_STATUS, vaccination_status);
    const Carehub__V1__Time *at = b != NULL && b->at != NULL ? b->at : w->content->occurred_at;
    make_text(&w->m, immunization, "status", w->correction == CORRECTION_RETRACTS ? "entered-in-error" : "completed");
    make_put(&w->m, immunization, "vaccineCode", vaccine_code(w, b != NULL ? b->vaccine : NULL));
    write_subject(w, immunization, "patient");
    if (at != NULL)
        write_time(w, immunization, "occurrenceDateTime", at);
    else
        make_text(&w->m, immunization, "occurrenceString", "not known");
    if (b != NULL && b->dose_number > 0) {
        struct json_object *protocol = make_object(&w->m);
        make_put(&w->m, protocol, "doseNumberPositiveInt", json_object_new_int64(b->dose_number));
        write_put_one(w, immunization, "protocolApplied", protocol);
    }
}
