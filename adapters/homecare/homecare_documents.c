// What the endpoint says of itself: its CapabilityStatement, and the code systems of our own that our messages use.
//
//     fhir/metadata             the CapabilityStatement (FHIR R4, 5.2 and 3.1.0.6)
//     fhir/CodeSystem/ID        carehub-event-type, carehub-fall, carehub-message, carehub-referral
//
// Identifiers of our own, whose systems are no code systems: urn:carehub:actor and urn:carehub:role name recipients
// that the hub knows (read); urn:carehub:thread, :task, :goal and :referral-id are the events' own numbers (written).
#include <string.h>

#include <json-c/json_object.h>

#include "catalogue.h"
#include "fhir_job.h"
#include "homecare_exchange.h"
#include "json_make.h"

#define DOCUMENTS_DATE "2026-11-22" // of the last change to what is said here
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
#define PROCESS_MESSAGE "http://hl7.org/fhir/OperationDefinition/MessageHeader-process-message"

// ---- Code systems

struct concept {
    const char *code, *display;
};

static const struct concept fall_codes[] = {
    {"place", "Where the person fell"},
    {"witnessed", "Whether someone saw it"},
    {"injury", "Injury: none, minor or major"},
    {"falls-past-year", "Falls in the past year, this one not counted"},
    {"help-needed", "Whether help is needed now"},
    {"person-is-now", "Where the person is now"},
    {"none", "No injury"},
    {"minor", "Minor injury"},
    {"major", "Major injury"},
};
static const struct concept message_codes[] = {
    {"note", "A note for the team"}, {"question", "A question, which wants an answer"}, {"report", "A report"}};
static const struct concept referral_codes[] = {
    {"made", "The referral was made"}, {"accepted", "It was accepted"}, {"refused", "It was refused"}};

static const struct code_system {
    const char *id, *url, *name, *title;
    const struct concept *concepts; // NULL: the event catalogue
    size_t n_concepts;
} code_systems[] = {
    {"carehub-event-type", SYSTEM_EVENT_TYPE, "CarehubEventType", "Types of care events", NULL, EVENT_TYPE_MAX},
    {"carehub-fall", SYSTEM_FALL_DETAIL, "CarehubFall", "Details of a fall", fall_codes, COUNT(fall_codes)},
    {"carehub-message", SYSTEM_MESSAGE_KIND, "CarehubMessage", "Kinds of messages in a care team", message_codes,
     COUNT(message_codes)},
    {"carehub-referral", SYSTEM_REFERRAL, "CarehubReferral", "How far a referral is", referral_codes,
     COUNT(referral_codes)},
};

static void push_concept(struct maker *m, struct json_object *list, const char *code, const char *display)
{
    struct json_object *concept = make_object(m);
    make_text(m, concept, "code", code);
    make_text(m, concept, "display", display);
    make_push(m, list, concept);
}

static struct json_object *begin(struct maker *m, const char *type, const char *id)
{
    struct json_object *resource = make_object(m);
    make_text(m, resource, "resourceType", type);
    make_text(m, resource, "id", id);
    make_text(m, resource, "status", "active");
    make_text(m, resource, "date", DOCUMENTS_DATE);
    return resource;
}

static struct json_object *code_system(struct maker *m, const struct code_system *of)
{
    struct json_object *resource = begin(m, "CodeSystem", of->id), *concepts = make_array(m);
    make_text(m, resource, "url", of->url);
    make_text(m, resource, "version", CAREHUB_VERSION);
    make_text(m, resource, "name", of->name);
    make_text(m, resource, "title", of->title);
    make_put(m, resource, "caseSensitive", json_object_new_boolean(true));
    make_text(m, resource, "content", "complete");
    make_put(m, resource, "count", json_object_new_int64((int64_t)of->n_concepts));
    for (size_t i = 0; i < of->n_concepts; i++)
        if (of->concepts != NULL)
            push_concept(m, concepts, of->concepts[i].code, of->concepts[i].display);
        else
            push_concept(m, concepts, event_type_name((Carehub__V1__EventType)(i + 1)), NULL);
    make_put(m, resource, "concept", concepts);
    return resource;
}

// ---- The CapabilityStatement

static void push_code(struct maker *m, struct json_object *list, const char *code, const char *documentation)
{
    struct json_object *one = make_object(m);
    make_text(m, one, "code", code);
    make_text(m, one, "documentation", documentation);
    make_push(m, list, one);
}

static struct json_object *taken_resource(struct maker *m, const char *type, const char *documentation)
{
    struct json_object *resource = make_object(m), *interactions = make_array(m);
    make_text(m, resource, "type", type);
    make_text(m, resource, "documentation", documentation);
    push_code(m, interactions, "create", NULL);
    push_code(m, interactions, "update", "Changed content is a correction; status entered-in-error takes back");
    make_put(m, resource, "interaction", interactions);
    make_text(m, resource, "versioning", "no-version");
    make_put(m, resource, "readHistory", json_object_new_boolean(false));
    make_put(m, resource, "updateCreate", json_object_new_boolean(true));
    return resource;
}

static struct json_object *resources(struct maker *m)
{
    static const struct {
        const char *type, *documentation;
    } taken[] = {
        {"Observation", "Falls, assessments, the carer's strain, what the patient reports, and changes of condition"},
        {"QuestionnaireResponse", "Assessments, and what the patient reports"},
        {"AdverseEvent", "Falls, and changes of condition"},
        {"Communication", "Messages to the care team"},
        {"Encounter", "Admission, emergency visit, transition and discharge"},
        {"Flag", "Changes of condition"},
    };
    struct json_object *list = make_array(m), *read = make_object(m), *interactions = make_array(m);
    for (size_t i = 0; i < COUNT(taken); i++)
        make_push(m, list, taken_resource(m, taken[i].type, taken[i].documentation));
    make_text(m, read, "type", "CodeSystem");
    push_code(m, interactions, "read", NULL);
    make_put(m, read, "interaction", interactions);
    make_push(m, list, read);
    return list;
}

static struct json_object *rest(struct maker *m)
{
    struct json_object *made = make_object(m), *interactions = make_array(m), *operations = make_array(m),
                       *operation = make_object(m), *list = make_array(m);
    make_text(m, made, "mode", "server");
    make_text(m, made, "documentation",
              "Answered when the hub has the event on disk (201) or the adapter's spool has it (202). Give requests an "
              "Idempotency-Key, or resources an identifier: then sending again does no harm. Nothing is read back.");
    make_put(m, made, "resource", resources(m));
    push_code(m, interactions, "transaction", "Taken whole or not at all; at most 16 events");
    push_code(m, interactions, "batch", "What is wrong in it is left out");
    make_put(m, made, "interaction", interactions);
    make_text(m, operation, "name", "process-message");
    make_text(m, operation, "definition", PROCESS_MESSAGE);
    make_push(m, operations, operation);
    make_put(m, made, "operation", operations);
    make_push(m, list, made);
    return list;
}

static struct json_object *capability_statement(struct maker *m)
{
    struct json_object *statement = begin(m, "CapabilityStatement", "carehub-homecare"), *software = make_object(m),
                       *implementation = make_object(m), *formats = make_array(m);
    make_text(m, statement, "kind", "instance");
    make_text(m, software, "name", "carehub-adapter, home care");
    make_text(m, software, "version", CAREHUB_VERSION);
    make_put(m, statement, "software", software);
    make_text(m, implementation, "description", "Care events from home care to the care hub");
    make_put(m, statement, "implementation", implementation);
    make_text(m, statement, "fhirVersion", "4.0.1");
    make_push(m, formats, make_string(m, "application/fhir+json"));
    make_push(m, formats, make_string(m, "json"));
    make_put(m, statement, "format", formats);
    make_put(m, statement, "rest", rest(m));
    return statement;
}

// ---- By path

static struct json_object *document(struct maker *m, const char *path)
{
    static const char prefix[] = "fhir/CodeSystem/";
    if (strcmp(path, "fhir/metadata") == 0)
        return capability_statement(m);
    for (size_t i = 0; strncmp(path, prefix, strlen(prefix)) == 0 && i < COUNT(code_systems); i++)
        if (strcmp(path + strlen(prefix), code_systems[i].id) == 0)
            return code_system(m, &code_systems[i]);
    return NULL;
}

bool homecare_get(const void *self, const char *path, carehub_reply_fn *fn, void *arg)
{
    struct maker m = {0};
    struct json_object *tree = document(&m, path);
    (void)self;
    if (tree == NULL && !m.no_memory)
        return false;
    tree = make_done(&m, tree);
    const char *text = tree != NULL ? json_object_to_json_string_ext(tree, JSON_TEXT) : NULL;
    struct carehub_reply reply = {.status = text != NULL ? 200 : 503, .content_type = "application/fhir+json"};
    reply.bytes = text != NULL ? text : "";
    reply.len = text != NULL ? strlen(text) : 0;
    fn(arg, &reply);
    json_object_put(tree);
    return true;
}
