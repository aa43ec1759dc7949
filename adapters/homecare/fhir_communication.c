// Communication: a message of one member of a team to others.
//
// Recipients restrict who gets it. The hub knows members by their actor's name or their role, not by a sender's own
// references: identifiers of the systems urn:carehub:actor and urn:carehub:role name them. A recipient who cannot be
// told is an error, for to leave them out would send the message to the whole team. A CareTeam is the whole team.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json_object.h>

#include "fhir_job.h"

#define TEXT_MAX_BYTES 32768u
#define RECIPIENTS_MAX 32u // as many as the hub takes
#define NAME_MAX_BYTES 64u

static void take_payload(struct fhir_job *job, Carehub__V1__TeamMessage *b, const struct fhir_node *payload)
{
    struct fhir_node attachment = fhir_choice(payload, "content", "contentAttachment"),
                     reference = fhir_choice(payload, "content", "contentReference");
    const char *text = fhir_text_max(job->problems, payload, "contentString", TEXT_MAX_BYTES);
    Carehub__V1__Reference *document = fhir_attachment(job, &attachment);
    if (document == NULL && fhir_is_object(job->problems, &reference)) {
        document = fhir_new(job, &carehub__v1__reference__descriptor);
        if (document != NULL)
            fhir_set_text(job, &document->id, fhir_text(job->problems, &reference, "reference"));
    }
    fhir_append(job, &b->attachments, &b->n_attachments, document);
    if (text[0] == '\0')
        return;
    char *all = NULL;
    if (asprintf(&all, "%s%s%s", b->text, b->text[0] != '\0' ? "\n" : "", text) < 0) {
        job->no_memory = true;
        return;
    }
    if (strlen(all) > TEXT_MAX_BYTES)
        FHIR_PROBLEM(job->problems, PROBLEM_ERROR, PROBLEM_TOO_LONG, payload,
                     "the texts are longer than %u bytes in all, which is the most here", TEXT_MAX_BYTES);
    else
        fhir_set_text(job, &b->text, all);
    free(all);
}

// ---- Recipients

static bool is_whole_team(struct fhir_job *job, const struct fhir_node *recipient)
{
    struct fhir_node resolved = fhir_resolve(job, recipient);
    const char *text = fhir_text(job->problems, recipient, "reference");
    return strcmp(fhir_type_of(&resolved), "CareTeam") == 0 ||
           strcmp(fhir_text(job->problems, recipient, "type"), "CareTeam") == 0 || strstr(text, "CareTeam/") != NULL;
}

static bool add_addressee(struct fhir_job *job, Carehub__V1__Event *event, const struct fhir_node *identifier)
{
    const char *system = fhir_text(job->problems, identifier, "system"),
               *value = fhir_text_max(job->problems, identifier, "value", NAME_MAX_BYTES);
    bool actor = strcmp(system, SYSTEM_ACTOR) == 0;
    if (value[0] == '\0' || (!actor && strcmp(system, SYSTEM_ROLE) != 0))
        return false;
    Carehub__V1__Addressee *made = fhir_new(job, &carehub__v1__addressee__descriptor);
    if (made == NULL)
        return false;
    made->to_case = actor ? CAREHUB__V1__ADDRESSEE__TO_ACTOR : CAREHUB__V1__ADDRESSEE__TO_ROLE;
    made->actor = (char *)protobuf_c_empty_string; // one union with role
    fhir_set_text(job, &made->actor, value);
    fhir_append(job, &event->addressees, &event->n_addressees, made);
    return true;
}

static bool add_recipient(struct fhir_job *job, Carehub__V1__Event *event, const struct fhir_node *recipient)
{
    struct fhir_node own = fhir_get(recipient, "identifier"), resolved = fhir_resolve(job, recipient),
                     identifiers = fhir_get(&resolved, "identifier");
    if (add_addressee(job, event, &own))
        return true;
    size_t count = json_object_is_type(identifiers.json, json_type_array)
                       ? fhir_count(job->problems, &identifiers, FHIR_LIST_MAX)
                       : 0;
    for (size_t i = 0; i < count; i++) {
        struct fhir_node one = fhir_at(&identifiers, i);
        if (add_addressee(job, event, &one))
            return true;
    }
    return false;
}

static void take_recipients(struct fhir_job *job, Carehub__V1__Event *event)
{
    struct fhir_node recipients = fhir_get(job->resource, "recipient");
    size_t count = fhir_count(job->problems, &recipients, RECIPIENTS_MAX);
    for (size_t i = 0; i < count; i++) {
        struct fhir_node one = fhir_at(&recipients, i);
        if (!is_whole_team(job, &one) && !add_recipient(job, event, &one))
            FHIR_PROBLEM(job->problems, PROBLEM_ERROR, PROBLEM_NOT_FOUND, &one,
                         "the hub cannot tell who this is: give an identifier of system " SYSTEM_ACTOR
                         " or " SYSTEM_ROLE ", or no recipients for the whole team");
    }
}

// ---- The message

static Carehub__V1__Urgency urgency_of(struct fhir_job *job)
{
    static const struct {
        const char *priority;
        Carehub__V1__Urgency is;
    } priorities[] = {{"routine", CAREHUB__V1__URGENCY__ROUTINE},
                      {"urgent", CAREHUB__V1__URGENCY__SAME_DAY},
                      {"asap", CAREHUB__V1__URGENCY__SAME_DAY},
                      {"stat", CAREHUB__V1__URGENCY__IMMEDIATE}};
    struct fhir_node node = fhir_get(job->resource, "priority");
    const char *priority = fhir_text(job->problems, job->resource, "priority");
    for (size_t i = 0; i < sizeof priorities / sizeof priorities[0]; i++)
        if (strcmp(priorities[i].priority, priority) == 0)
            return priorities[i].is;
    if (node.json != NULL)
        FHIR_PROBLEM(job->problems, PROBLEM_ERROR, PROBLEM_VALUE, &node, "this must be routine, urgent, asap or stat");
    return CAREHUB__V1__URGENCY__URGENCY_UNSPECIFIED;
}

static Carehub__V1__TeamMessage__Kind kind_of(struct fhir_job *job)
{
    static const struct {
        const char *code;
        Carehub__V1__TeamMessage__Kind is;
    } kinds[] = {{"question", CAREHUB__V1__TEAM_MESSAGE__KIND__QUESTION},
                 {"report", CAREHUB__V1__TEAM_MESSAGE__KIND__REPORT}};
    struct fhir_node categories = fhir_get(job->resource, "category");
    size_t count = fhir_count(job->problems, &categories, FHIR_LIST_MAX);
    for (size_t i = 0; i < count; i++) {
        struct fhir_node one = fhir_at(&categories, i);
        for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
            if (fhir_concept_has(job, &one, SYSTEM_MESSAGE_KIND, kinds[k].code))
                return kinds[k].is;
    }
    return CAREHUB__V1__TEAM_MESSAGE__KIND__NOTE;
}

// What it answers names the thread; a message that answers nothing begins one.
static void take_thread(struct fhir_job *job, Carehub__V1__TeamMessage *b)
{
    struct fhir_node answers = fhir_get(job->resource, "inResponseTo");
    const char *thread = "";
    if (fhir_count(job->problems, &answers, FHIR_LIST_MAX) > 0) {
        struct fhir_node first = fhir_at(&answers, 0), identifier = fhir_get(&first, "identifier");
        thread = fhir_text(job->problems, &identifier, "value");
        if (thread[0] == '\0')
            thread = fhir_text(job->problems, &first, "reference");
    }
    fhir_set_text(job, &b->thread_id, thread[0] != '\0' ? thread : job->wanted->identity);
}

static void fill(struct fhir_job *job, Carehub__V1__Event *event, Carehub__V1__TeamMessage *b)
{
    struct fhir_node payload = fhir_get(job->resource, "payload");
    size_t count = fhir_count(job->problems, &payload, FHIR_LIST_MAX);
    Carehub__V1__Coded *topic = fhir_take_concept(job, job->resource, "topic");
    if (topic != NULL) {
        fhir_set_text(job, &b->subject, topic->display[0] != '\0' ? topic->display : topic->code);
        carehub__v1__coded__free_unpacked(topic, NULL);
    }
    b->kind = kind_of(job);
    take_thread(job, b);
    for (size_t i = 0; i < count; i++) {
        struct fhir_node one = fhir_at(&payload, i);
        take_payload(job, b, &one);
    }
    if (b->text[0] == '\0' && b->n_attachments == 0)
        FHIR_PROBLEM(job->problems, PROBLEM_ERROR, PROBLEM_REQUIRED, &payload,
                     "the message is empty: it needs a text or an attachment");
    event->urgency = urgency_of(job);
    take_recipients(job, event);
}

const char *fhir_communication(struct fhir_job *job)
{
    static const struct fhir_status statuses[] = {
        {"preparation", FHIR_REPORT, "not-sent"},
        {"in-progress", FHIR_REPORT, NULL},
        {"not-done", FHIR_REPORT, "not-sent"},
        {"on-hold", FHIR_REPORT, "not-sent"},
        {"stopped", FHIR_REPORT, "not-sent"},
        {"completed", FHIR_REPORT, NULL},
        {"entered-in-error", FHIR_RETRACT, NULL},
        {"unknown", FHIR_REPORT, NULL},
        {NULL, FHIR_REPORT, NULL},
    };
    const struct fhir_status *status = fhir_status_of(job, statuses);
    ProtobufCMessage *body;
    if (status == NULL || status->nothing != NULL)
        return status != NULL ? status->nothing : NULL;
    if (status->verb == FHIR_RETRACT)
        return fhir_withdraw(job);
    Carehub__V1__Event *event = fhir_event_new(job, CAREHUB__V1__EVENT_TYPE__TEAM_MESSAGE, &body);
    if (event == NULL)
        return NULL;
    fhir_take_time(job, &event->occurred_at, job->resource, "sent");
    fill(job, event, (Carehub__V1__TeamMessage *)body);
    return fhir_settle(job, event, false);
}
