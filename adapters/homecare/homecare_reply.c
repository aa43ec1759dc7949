// Answers over HTTP. FHIR: an OperationOutcome; for a transaction or batch the Bundle of its responses. Plain JSON:
//
//     {"outcome": "confirmed", "events": ["019c…"]}
//     {"outcome": "refused", "events": [], "problems": [{"where": "patient.identifiers", "what": "…"}]}
//
// 201 the hub has it, 202 the adapter's spool has it, 200 nothing comes of it (or, of a transaction or batch, see in
// each entry); 400 it cannot be read, 403 the sender may not, 404, 405 and 415 of the request itself, 409 its name was
// used before, 413 it is too large, 422 what it says cannot be taken, 503 not now. A repeat is answered as the first
// time.
//
// Sources: FHIR R4 3.1.0 (http.html), of which 3.1.0.11.2 for the answers to batches and transactions; 2.37.
#include <stdio.h>
#include <string.h>

#include <json-c/json_object.h>

#include "eventid.h"
#include "homecare_exchange.h"
#include "json_make.h"

#define TYPE_FHIR "application/fhir+json"
#define TYPE_PLAIN "application/json"
#define LOCATION_CHARS 128

struct answering {
    const struct carehub_message *message;
    const struct carehub_outcome *outcome;
    struct exchange *x;
    struct maker m;
    int status;
};

// ---- The items of a repeat

void homecare_look(struct exchange *x)
{
    if (x->looked || x->document == NULL)
        return;
    x->looked = true;
    fhir_translate(x->document, NULL, NULL, &x->result, &x->problems);
    for (size_t k = 0; k < x->result.n_events; k++) {
        carehub__v1__event__free_unpacked(x->result.events[k], NULL);
        x->result.events[k] = NULL;
    }
}

// ---- The status

// What each fault of the hub is to HTTP and to FHIR.
static const struct {
    int status;
    enum problem_code code;
    const char *name; // in plain JSON
} faults[] = {
    [CAREHUB_FAULT_NONE] = {200, PROBLEM_NOTE, "nothing"},
    [CAREHUB_FAULT_NATIVE] = {422, PROBLEM_BUSINESS_RULE, "refused"},
    [CAREHUB_FAULT_IDENTITY] = {422, PROBLEM_BUSINESS_RULE, "refused"},
    [CAREHUB_FAULT_ORIGINAL] = {422, PROBLEM_NOT_FOUND, "refused"},
    [CAREHUB_FAULT_DUPLICATE] = {409, PROBLEM_DUPLICATE, "refused"},
    [CAREHUB_FAULT_CONTENT] = {422, PROBLEM_BUSINESS_RULE, "refused"},
    [CAREHUB_FAULT_NOT_ALLOWED] = {403, PROBLEM_FORBIDDEN, "refused"},
    [CAREHUB_FAULT_UNAVAILABLE] = {503, PROBLEM_TRANSIENT, "unavailable"},
};

static int status_of_problems(const struct problems *problems)
{
    int status = 422;
    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *one = &problems->list[i];
        if (one->code == PROBLEM_NO_STORE)
            return 503;
        if (one->severity == PROBLEM_FATAL && one->code == PROBLEM_TOO_LONG)
            return 413;
        if (one->severity == PROBLEM_FATAL || (one->severity == PROBLEM_ERROR && one->code == PROBLEM_STRUCTURE))
            status = 400;
    }
    return status;
}

static bool has_events(const struct answering *a)
{
    return a->outcome->n_ids > 0;
}

static bool is_bundle(const struct answering *a, const char *type)
{
    return strncmp(a->message->kind, "Bundle/", 7) == 0 && strcmp(a->message->kind + 7, type) == 0;
}

static int status_of(const struct answering *a)
{
    enum carehub_fault fault = a->outcome->fault;
    if (fault == CAREHUB_FAULT_NATIVE)
        return a->x->refused != 0 ? a->x->refused : status_of_problems(&a->x->problems);
    if (fault != CAREHUB_FAULT_NONE)
        return faults[fault].status;
    if (has_events(a) && a->outcome->spooled)
        return 202;
    return has_events(a) ? 201 : 200;
}

// ---- Problems

// What neither the format nor its problems know of: the host's and the hub's word.
static void add_fault(struct answering *a)
{
    struct problems *problems = &a->x->problems;
    const struct carehub_problem *native = &a->message->problem;
    enum carehub_fault fault = a->outcome->fault;
    if (fault == CAREHUB_FAULT_NATIVE && problems->errors == 0)
        problems_add(problems, PROBLEM_ERROR, PROBLEM_BUSINESS_RULE, native->where, "%s", native->what);
    else if (fault != CAREHUB_FAULT_NATIVE && fault != CAREHUB_FAULT_NONE)
        problems_add(problems, PROBLEM_ERROR, faults[fault].code, "", "%s", a->outcome->text);
}

static void add_note(struct answering *a)
{
    struct problems *problems = &a->x->problems;
    if (has_events(a))
        problems_add(problems, PROBLEM_INFORMATION, PROBLEM_NOTE, "", "%zu event%s %s%s", a->outcome->n_ids,
                     a->outcome->n_ids == 1 ? "" : "s",
                     a->outcome->spooled ? "stored here; the hub gets it as soon as it can be reached"
                                         : "confirmed by the hub",
                     a->outcome->repeat ? ", when it came for the first time" : "");
    else
        problems_add(problems, PROBLEM_INFORMATION, PROBLEM_NOTE, "", "accepted, and no event comes of it: %s",
                     a->message->why != NULL ? a->message->why : "nothing to tell");
}

// ---- A Bundle's answer

// The problems at a place, and below it.
static struct json_object *outcome_at(const struct problems *all, size_t entry, const char *note)
{
    char where[32];
    struct problems here = {0};
    int len = snprintf(where, sizeof where, "Bundle.entry[%zu]", entry);
    for (size_t i = 0; i < all->count; i++)
        if (strncmp(all->list[i].expression, where, (size_t)len) == 0)
            here.list[here.count++] = all->list[i];
    if (note != NULL)
        problems_add(&here, PROBLEM_INFORMATION, PROBLEM_NOTE, "", "%s", note);
    return problems_outcome(&here);
}

static const struct fhir_item *item_of(const struct answering *a, size_t entry)
{
    for (size_t i = 0; i < a->x->result.n_items; i++)
        if (a->x->result.items[i].entry == entry)
            return &a->x->result.items[i];
    return NULL;
}

// A relative reference: "Observation/" and the event's id.
static void locate(const struct answering *a, const struct fhir_item *item, char location[LOCATION_CHARS])
{
    char id[EVENTID_TEXT_CHARS];
    location[0] = '\0';
    if (item->first_event >= a->outcome->n_ids || a->x->result.n_events != a->outcome->n_ids)
        return;
    eventid_format(a->outcome->ids[item->first_event], id);
    snprintf(location, LOCATION_CHARS, "%s/%s", item->type, id);
}

static void put_response(struct answering *a, struct json_object *entries, size_t entry)
{
    const struct fhir_item *item = item_of(a, entry);
    struct json_object *made = make_object(&a->m), *response = make_object(&a->m);
    char location[LOCATION_CHARS] = "";
    const char *note = NULL, *status = "200 OK";
    if (item == NULL) {
        note = "looked into for those that refer to it; no event of its own";
    } else if (item->outcome == FHIR_REFUSED) {
        status = "422 Unprocessable Entity";
    } else if (item->outcome == FHIR_NOTHING) {
        note = item->why;
    } else {
        status = a->outcome->spooled ? "202 Accepted" : "201 Created";
        locate(a, item, location);
    }
    make_text(&a->m, response, "status", status);
    make_text(&a->m, response, "location", location);
    make_put(&a->m, response, "outcome", outcome_at(&a->x->problems, entry, note));
    make_put(&a->m, made, "response", response);
    make_push(&a->m, entries, made);
}

static struct json_object *response_bundle(struct answering *a, const char *type)
{
    struct json_object *bundle = make_object(&a->m), *entries = make_array(&a->m);
    homecare_look(a->x);
    make_text(&a->m, bundle, "resourceType", "Bundle");
    make_text(&a->m, bundle, "type", type);
    make_put(&a->m, bundle, "entry", entries);
    for (size_t i = 0; i < a->x->n_entries; i++)
        put_response(a, entries, i);
    return bundle;
}

// A batch is answered entry by entry, also when nothing of it was taken; a transaction only when all was.
static const char *bundle_answer(const struct answering *a)
{
    bool fine = a->outcome->fault == CAREHUB_FAULT_NONE;
    bool of_format =
        a->outcome->fault == CAREHUB_FAULT_NATIVE && a->x->refused == 0 && a->x->looked && a->x->result.n_events == 0;
    if (is_bundle(a, "transaction") && fine)
        return "transaction-response";
    return is_bundle(a, "batch") && (fine || of_format) ? "batch-response" : NULL;
}

// ---- Answers

static void fhir_reply(struct answering *a, struct carehub_reply *reply, struct json_object **tree,
                       char location[LOCATION_CHARS])
{
    const char *bundle = bundle_answer(a);
    char id[EVENTID_TEXT_CHARS];
    reply->content_type = TYPE_FHIR;
    if (bundle != NULL) {
        *tree = response_bundle(a, bundle);
        a->status = a->status == 202 ? 202 : 200;
        return;
    }
    add_fault(a);
    if (a->outcome->fault == CAREHUB_FAULT_NONE)
        add_note(a);
    *tree = problems_outcome(&a->x->problems);
    if (a->status != 201 && a->status != 202)
        return;
    eventid_format(a->outcome->ids[0], id);
    snprintf(location, LOCATION_CHARS, "fhir/%.*s/%s", (int)strcspn(a->message->kind, "/"), a->message->kind, id);
    reply->location = location;
}

static struct json_object *plain_problems(struct answering *a)
{
    struct json_object *list = make_array(&a->m);
    for (size_t i = 0; i < a->x->problems.count; i++) {
        struct json_object *one = make_object(&a->m);
        make_text(&a->m, one, "where", a->x->problems.list[i].expression);
        make_text(&a->m, one, "what", a->x->problems.list[i].diagnostics);
        make_push(&a->m, list, one);
    }
    return list;
}

static void plain_reply(struct answering *a, struct carehub_reply *reply, struct json_object **tree,
                        char location[LOCATION_CHARS])
{
    struct json_object *root = make_object(&a->m), *ids = make_array(&a->m);
    char id[EVENTID_TEXT_CHARS];
    bool fine = a->outcome->fault == CAREHUB_FAULT_NONE;
    add_fault(a);
    make_text(&a->m, root, "outcome",
              fine && has_events(a) ? (a->outcome->spooled ? "stored" : "confirmed") : faults[a->outcome->fault].name);
    for (size_t i = 0; fine && i < a->outcome->n_ids; i++) {
        eventid_format(a->outcome->ids[i], id);
        make_push(&a->m, ids, make_string(&a->m, id));
    }
    make_put(&a->m, root, "events", ids);
    if (a->x->problems.count > 0)
        make_put(&a->m, root, "problems", plain_problems(a));
    *tree = root;
    reply->content_type = TYPE_PLAIN;
    if (!fine || !has_events(a))
        return;
    eventid_format(a->outcome->ids[0], id);
    snprintf(location, LOCATION_CHARS, "events/%s", id);
    reply->location = location;
}

void homecare_reply(const void *self, const struct carehub_message *message, const struct carehub_outcome *outcome,
                    carehub_reply_fn *fn, void *arg)
{
    struct answering a = {.message = message, .outcome = outcome, .x = message->own};
    struct carehub_reply reply = {0};
    struct json_object *tree = NULL;
    char location[LOCATION_CHARS];
    (void)self;
    if (a.x == NULL || strcmp(message->native->transport, "http") != 0)
        return; // without memory the host answers by itself
    a.status = status_of(&a);
    (a.x->plain ? plain_reply : fhir_reply)(&a, &reply, &tree, location);
    tree = make_done(&a.m, tree);
    const char *text = tree != NULL ? json_object_to_json_string_ext(tree, JSON_TEXT) : NULL;
    reply.status = a.status;
    reply.bytes = text != NULL ? text : "";
    reply.len = text != NULL ? strlen(text) : 0;
    fn(arg, &reply);
    json_object_put(tree);
}
