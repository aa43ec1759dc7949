/* intake_reply.c - what a sender is told: the format's replies, or over HTTP a plain one in JSON. */
#include <json-c/json.h>
#include <string.h>
#include <time.h>

#include "intake_internal.h"

int64_t intake_wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct carehub_outcome intake_outcome(const struct exchange *x, uint64_t number)
{
    return (struct carehub_outcome){
        .fault = x->fault,
        .text = x->text,
        .repeat = x->translation.repeat,
        .spooled = x->fault == CAREHUB_FAULT_NONE && x->n_ids > 0 && x->translation.message.confirm_by_spool,
        .now_ms = intake_wall_ms(),
        .number = number,
        .n_ids = x->fault == CAREHUB_FAULT_NONE ? x->n_ids : 0,
        .ids = x->ids,
    };
}

/* RFC 9110, 15. */
static int status_of(const struct exchange *x, const struct carehub_outcome *outcome)
{
    enum carehub_verdict verdict = x->translation.message.verdict;
    switch (outcome->fault) {
    case CAREHUB_FAULT_NONE:
        if (outcome->spooled || verdict == CAREHUB_MESSAGE_HOLD)
            return 202;
        return verdict == CAREHUB_MESSAGE_EVENTS && !outcome->repeat ? 201 : 200;
    case CAREHUB_FAULT_NATIVE:
        return x->translation.unread ? 400 : 422;
    case CAREHUB_FAULT_DUPLICATE:
        return 409;
    case CAREHUB_FAULT_NOT_ALLOWED:
        return 403;
    case CAREHUB_FAULT_UNAVAILABLE:
        return 503;
    default:
        return 422;
    }
}

/* ---- The plain reply -------------------------------------------------------------------------------------------- */

static void put(struct json_object *object, const char *name, const char *text)
{
    if (text && text[0] != '\0')
        json_object_object_add(object, name, json_object_new_string(text));
}

static struct json_object *problem_json(const struct exchange *x, const struct carehub_outcome *outcome)
{
    const struct carehub_problem *problem = &x->translation.message.problem;
    struct json_object *object = json_object_new_object();
    bool native = outcome->fault == CAREHUB_FAULT_NATIVE;
    put(object, "where", native ? problem->where : "");
    put(object, "what", native ? problem->what : outcome->text);
    put(object, "rule", native ? problem->rule : "");
    return object;
}

static struct json_object *ids_json(const struct carehub_outcome *outcome)
{
    struct json_object *list = json_object_new_array();
    for (size_t i = 0; i < outcome->n_ids; i++) {
        char text[EVENTID_TEXT_CHARS];
        eventid_format(outcome->ids[i], text);
        json_object_array_add(list, json_object_new_string(text));
    }
    return list;
}

/* {"status": "taken", "events": ["0192…"]} or {"status": "refused", "problem": {"where": …, "what": …, "rule": …}} */
static void reply_plainly(struct arrival *arrival, const struct exchange *x, const struct carehub_outcome *outcome)
{
    const struct carehub_message *m = &x->translation.message;
    struct json_object *object = json_object_new_object();
    if (outcome->fault != CAREHUB_FAULT_NONE) {
        put(object, "status", outcome->fault == CAREHUB_FAULT_UNAVAILABLE ? "not-now" : "refused");
        json_object_object_add(object, "problem", problem_json(x, outcome));
    } else if (m->verdict == CAREHUB_MESSAGE_EVENTS) {
        put(object, "status", outcome->spooled ? "spooled" : outcome->repeat ? "taken-before" : "taken");
        json_object_object_add(object, "events", ids_json(outcome));
    } else {
        put(object, "status", m->verdict == CAREHUB_MESSAGE_HOLD ? "held" : "no-event");
        put(object, "why", m->why);
    }
    const char *text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
    const struct carehub_reply reply = {
        .status = status_of(x, outcome), .content_type = "application/json", .bytes = text, .len = strlen(text)};
    arrival->transport->reply(arrival, &reply);
    json_object_put(object);
}

/* ---- The format's replies --------------------------------------------------------------------------------------- */

struct replying {
    const struct exchange *x;
    const struct carehub_outcome *outcome;
    bool replied;
};

static void on_reply(void *arg, const struct carehub_reply *given)
{
    struct replying *replying = arg;
    struct arrival *arrival = replying->x->reception->arrival;
    struct carehub_reply reply = *given;
    if (reply.status == 0)
        reply.status = status_of(replying->x, replying->outcome);
    replying->replied = true;
    arrival->transport->reply(arrival, &reply);
}

void intake_reply(const struct exchange *x, const struct carehub_outcome *outcome)
{
    const struct carehub_format *format = x->translation.format;
    struct replying replying = {.x = x, .outcome = outcome};
    struct arrival *arrival = x->reception->arrival;
    if (x->translation.is_open && format->reply)
        format->reply(x->translation.self, &x->translation.message, outcome, on_reply, &replying);
    if (!replying.replied && strcmp(arrival->transport->name, "http") == 0)
        reply_plainly(arrival, x, outcome);
}
