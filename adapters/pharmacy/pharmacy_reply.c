// Answers to FHIR clients: an OperationOutcome, and the CapabilityStatement. Whoever sends KMEHR is answered by the
// host.
#include <stdio.h>
#include <string.h>

#include <json-c/json_object.h>

#include "json_make.h"
#include "pharmacy_message.h"
#include "problems.h"

#define FHIR_MEDIA_TYPE "application/fhir+json"
#define JSON_FLAGS (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)
#define CAPABILITY_DATE "2026-11-22" // when what the CapabilityStatement says was last changed

static void send_json(struct json_object *json, int status, carehub_reply_fn *fn, void *arg)
{
    const char *text = json != NULL ? json_object_to_json_string_ext(json, JSON_FLAGS) : NULL;
    if (text != NULL) {
        const struct carehub_reply reply = {
            .status = status, .content_type = FHIR_MEDIA_TYPE, .bytes = text, .len = strlen(text)};
        fn(arg, &reply);
    }
    json_object_put(json);
}

// ---- OperationOutcome

static enum problem_code code_of(const struct medication_error *error)
{
    static const struct {
        const char *rule;
        enum problem_code code;
    } rules[] = {
        {"subject", PROBLEM_REQUIRED},
        {"medication", PROBLEM_REQUIRED},
        {"type", PROBLEM_STRUCTURE},
        {"date", PROBLEM_VALUE},
        {"time", PROBLEM_VALUE},
        {"status", PROBLEM_VALUE},
        {"day-of-week", PROBLEM_VALUE},
        {"days-of-cycle", PROBLEM_VALUE},
        {"dose", PROBLEM_VALUE},
        {"bundle-size", PROBLEM_TOO_COSTLY},
        {"scheme-size", PROBLEM_TOO_COSTLY},
        {"timing-size", PROBLEM_TOO_COSTLY},
        {"regimen-size", PROBLEM_TOO_COSTLY},
    };
    switch (error->fault) {
    case MEDICATION_FAULT_NONE:
        return PROBLEM_BUSINESS_RULE;
    case MEDICATION_FAULT_SIZE:
        return PROBLEM_TOO_COSTLY;
    case MEDICATION_FAULT_KIND:
        return PROBLEM_NOT_SUPPORTED;
    case MEDICATION_FAULT_MEMORY:
        return PROBLEM_NO_STORE;
    case MEDICATION_FAULT_CONTENT:
        for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
            if (strcmp(rules[i].rule, error->rule) == 0)
                return rules[i].code;
        return PROBLEM_BUSINESS_RULE;
    default:
        return PROBLEM_STRUCTURE;
    }
}

static void add_remarks(const struct pharmacy_message *own, struct problems *problems)
{
    for (size_t i = 0; i < own->remarks.count; i++) {
        const struct medication_error *remark = &own->remarks.at[i];
        char rule[CAREHUB_RULE_BYTES];
        pharmacy_rule(true, remark, rule);
        problems_add(problems, PROBLEM_WARNING, code_of(remark), remark->path, "%s [%s]", remark->text, rule);
    }
    if (own->remarks.beyond > 0)
        problems_add(problems, PROBLEM_WARNING, PROBLEM_NOTE, "", "%zu more remarks are not listed",
                     own->remarks.beyond);
}

static void add_refusal(const struct carehub_message *message, struct problems *problems)
{
    const struct pharmacy_message *own = message->own;
    const struct carehub_problem *problem = &message->problem;
    bool content = own->error.fault != MEDICATION_FAULT_NONE;
    enum problem_code code = own->status == 404 ? PROBLEM_NOT_FOUND : code_of(&own->error);
    const char *path = content ? own->error.path : "", *where = path[0] == '\0' ? problem->where : "";
    problems_add(problems, PROBLEM_ERROR, code, path, "%s%s%s%s%s%s", where, where[0] != '\0' ? ": " : "",
                 problem->what, problem->rule[0] != '\0' ? " [" : "", problem->rule,
                 problem->rule[0] != '\0' ? "]" : "");
}

static void add_success(const struct carehub_message *message, const struct carehub_outcome *outcome,
                        struct problems *problems)
{
    if (message->verdict == CAREHUB_MESSAGE_NOTHING)
        problems_add(problems, PROBLEM_INFORMATION, PROBLEM_NOTE, "", "taken; nothing comes of it: %s", message->why);
    else if (message->verdict == CAREHUB_MESSAGE_HOLD)
        problems_add(problems, PROBLEM_INFORMATION, PROBLEM_NOTE, "", "taken, and kept for an operator: %s",
                     message->why);
    else
        problems_add(problems, PROBLEM_INFORMATION, PROBLEM_NOTE, "", "%s",
                     outcome->repeat    ? "taken before; nothing new comes of it"
                     : outcome->spooled ? "taken; the hub will have it"
                                        : "taken; the hub has it");
}

void pharmacy_reply(const void *self, const struct carehub_message *message, const struct carehub_outcome *outcome,
                    carehub_reply_fn *fn, void *arg)
{
    const struct pharmacy_message *own = message->own;
    struct problems problems = {0};
    (void)self;
    if (own == NULL || strcmp(message->native->transport, "http") != 0 || (!own->fhir && own->status == 0))
        return;
    if (outcome->fault == CAREHUB_FAULT_NONE)
        add_success(message, outcome, &problems);
    else if (outcome->fault == CAREHUB_FAULT_NATIVE)
        add_refusal(message, &problems);
    else
        problems_add(&problems, PROBLEM_ERROR,
                     outcome->fault == CAREHUB_FAULT_UNAVAILABLE ? PROBLEM_NO_STORE : PROBLEM_BUSINESS_RULE, "", "%s",
                     outcome->text != NULL ? outcome->text : "it was not taken");
    add_remarks(own, &problems);
    send_json(problems_outcome(&problems), outcome->fault == CAREHUB_FAULT_NATIVE ? own->status : 0, fn, arg);
}

// ---- CapabilityStatement

static void put_one(struct maker *m, struct json_object *object, const char *name, struct json_object *value)
{
    struct json_object *array = make_array(m);
    make_push(m, array, value);
    make_put(m, object, name, array);
}

static struct json_object *interactions(struct maker *m, const char *const *codes)
{
    struct json_object *array = make_array(m);
    for (; *codes != NULL; codes++) {
        struct json_object *interaction = make_object(m);
        make_text(m, interaction, "code", *codes);
        make_push(m, array, interaction);
    }
    return array;
}

// Subscription is the host's, which adds it where it is served.
static struct json_object *resources(struct maker *m)
{
    static const char *const written[] = {"create", "update", NULL}, *const created[] = {"create", NULL};
    static const struct {
        const char *type;
        const char *const *codes;
    } table[] = {{"Bundle", created},
                 {"MedicationDispense", written},
                 {"MedicationRequest", written},
                 {"MedicationStatement", written}};
    struct json_object *array = make_array(m);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct json_object *resource = make_object(m);
        make_text(m, resource, "type", table[i].type);
        make_put(m, resource, "interaction", interactions(m, table[i].codes));
        make_push(m, array, resource);
    }
    return array;
}

static struct json_object *capability(const struct pharmacy *self)
{
    static const char *const whole[] = {"transaction", "batch", NULL};
    struct maker m = {0};
    struct json_object *made = make_object(&m), *software = make_object(&m), *implementation = make_object(&m),
                       *rest = make_object(&m);
    make_text(&m, made, "resourceType", "CapabilityStatement");
    make_text(&m, made, "status", "active");
    make_text(&m, made, "date", CAPABILITY_DATE);
    make_text(&m, made, "kind", "instance");
    make_text(&m, software, "name", "carehub-adapter, pharmacy");
    make_text(&m, software, "version", CAREHUB_VERSION);
    make_put(&m, made, "software", software);
    make_text(&m, implementation, "description",
              "Takes medication schemes and single lines of medication, and tells the hub what changed");
    if (strncmp(self->endpoint, "http", 4) == 0)
        make_text(&m, implementation, "url", self->endpoint);
    make_put(&m, made, "implementation", implementation);
    make_text(&m, made, "fhirVersion", "4.0.1");
    put_one(&m, made, "format", make_string(&m, FHIR_MEDIA_TYPE));
    make_text(&m, rest, "mode", "server");
    make_put(&m, rest, "resource", resources(&m));
    make_put(&m, rest, "interaction", interactions(&m, whole));
    put_one(&m, made, "rest", rest);
    return make_done(&m, made);
}

bool pharmacy_get(const void *self, const char *path, carehub_reply_fn *fn, void *arg)
{
    if (strcmp(path, "fhir/metadata") != 0)
        return false;
    send_json(capability(self), 200, fn, arg);
    return true;
}
