// homecare.so: FHIR R4 and plain JSON as a format of the adapter host, both ways.
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json_object.h>
#include <sodium.h>

#include "event_json.h"
#include "eventid.h"
#include "homecare_exchange.h"
#include "pbjson.h"

// ---- Problems

static const struct problem *first_error(const struct problems *problems)
{
    for (size_t i = 0; i < problems->count; i++)
        if (problems->list[i].severity <= PROBLEM_ERROR)
            return &problems->list[i];
    return NULL;
}

// The answer lists all problems, logs the first.
static void refuse(struct carehub_message *m, enum carehub_verdict verdict)
{
    const struct exchange *x = m->own;
    const struct problem *first = first_error(&x->problems);
    m->verdict = verdict;
    if (first == NULL)
        return;
    snprintf(m->problem.where, sizeof m->problem.where, "%s", first->expression);
    snprintf(m->problem.what, sizeof m->problem.what, "%s", first->diagnostics);
    snprintf(m->problem.rule, sizeof m->problem.rule, "%s: %s", x->plain ? "carehub.v1.Event" : "FHIR R4",
             problem_code_name(first->code));
}

// ---- Opening

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

// The text without the byte order mark that some programs begin a file with.
static const char *text_of(const struct carehub_native *native, size_t *len)
{
    const char *text = native->bytes;
    bool marked = native->len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0;
    *len = native->len - (marked ? 3 : 0);
    return marked ? text + 3 : text;
}

// Whether the text is JSON and an object without resourceType. What is no JSON is FHIR's to complain about.
static bool looks_plain(const char *text, size_t len)
{
    struct pbjson_error error;
    struct json_object *tree = len <= EVENT_JSON_MAX_BYTES ? pbjson_tree(text, len, &error) : NULL;
    bool plain = json_object_is_type(tree, json_type_object) && !json_object_object_get_ex(tree, "resourceType", NULL);
    json_object_put(tree);
    return plain;
}

static bool find_sender(const struct homecare *self, const struct carehub_native *native, struct exchange *x)
{
    x->sender = homecare_sender_of(self, native->peer);
    if (x->sender != NULL)
        return true;
    x->refused = 403;
    problems_add(&x->problems, PROBLEM_ERROR, PROBLEM_BUSINESS_RULE, "sender", "%s",
                 native->peer[0] != '\0'
                     ? "no sender of the configuration has this peer: add it to one in format/senders"
                     : "who sent it is not known, and the configuration has no default-sender");
    return false;
}

static void set_intake(struct exchange *x, const struct carehub_native *native, bool update)
{
    x->intake = (struct fhir_intake){.sender = x->sender->name,
                                     .actor = x->sender->actor,
                                     .role = x->sender->role,
                                     .idempotency_key = native->idempotency_key,
                                     .update = update,
                                     .adapter_version = CAREHUB_VERSION,
                                     .received_ms = native->received_ms,
                                     .rules = x->sender->rules,
                                     .n_rules = x->sender->n_rules};
}

static bool mismatch(struct exchange *x, const char *where, const char *what)
{
    x->refused = 400;
    problems_add(&x->problems, PROBLEM_ERROR, PROBLEM_BUSINESS_RULE, where, "%s", what);
    return false;
}

// The path and the content say the same, or neither is believed.
static bool is_of_target(struct exchange *x, const struct homecare_target *target, const char *kind, const char *path)
{
    if (target->type == NULL)
        return true;
    if (strcspn(kind, "/") != target->type_len || strncmp(kind, target->type, target->type_len) != 0)
        return mismatch(x, "resourceType", "the path is one for resources of another type");
    if (target->id != NULL && strcmp(fhir_document_id(x->document), target->id) != 0)
        return mismatch(x, "id", "the resource's id is not the one in the path");
    if (strcmp(path, "fhir/$process-message") == 0 && strcmp(kind, "Bundle/message") != 0)
        return mismatch(x, "Bundle.type", "only a Bundle of type message is processed as one");
    return true;
}

static void open_fhir(struct exchange *x, struct carehub_message *m, const struct homecare_target *target)
{
    size_t len;
    const char *text = text_of(m->native, &len);
    snprintf(m->kind, sizeof m->kind, "FHIR");
    x->document = fhir_document_new(text, len, &x->intake, &x->problems);
    if (x->document == NULL) {
        refuse(m, CAREHUB_MESSAGE_ERROR);
        return;
    }
    const char *id = fhir_document_id(x->document), *kind = fhir_document_kind(x->document);
    snprintf(m->kind, sizeof m->kind, "%s", kind);
    if (id[0] != '\0')
        snprintf(m->native_id, sizeof m->native_id, "%.*s/%s", (int)strcspn(kind, "/"), kind, id);
    else
        snprintf(m->native_id, sizeof m->native_id, "%s", fhir_document_identity(x->document, 0));
    fhir_document_key(x->document, m->key);
    x->n_entries = fhir_document_entries(x->document);
    if (!is_of_target(x, target, kind, m->native->name))
        refuse(m, CAREHUB_MESSAGE_ERROR);
}

// By the request's own key, else by the event's id: sent again under either, it is the same.
static void event_key(const struct exchange *x, const struct carehub_message *m, uint8_t key[CAREHUB_DIGEST_BYTES])
{
    crypto_hash_sha256_state state;
    const char *given = m->native->idempotency_key;
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, (const uint8_t *)"event", sizeof "event");
    crypto_hash_sha256_update(&state, (const uint8_t *)x->sender->name, strlen(x->sender->name) + 1);
    crypto_hash_sha256_update(&state, (const uint8_t *)given, strlen(given) + 1);
    if (given[0] == '\0')
        crypto_hash_sha256_update(&state, x->event->id.data, x->event->id.len);
    crypto_hash_sha256_final(&state, key);
}

static void open_event(struct exchange *x, struct carehub_message *m)
{
    size_t len;
    const char *text = text_of(m->native, &len);
    snprintf(m->kind, sizeof m->kind, "event");
    x->event = event_json_read(text, len, &x->intake, &x->problems);
    if (x->event == NULL) {
        refuse(m, CAREHUB_MESSAGE_ERROR);
        return;
    }
    if (x->event->id.len == EVENTID_BYTES)
        eventid_format(x->event->id.data, m->native_id);
    event_key(x, m, m->key);
}

static bool open_message(const void *self, struct carehub_message *m)
{
    struct homecare_target target;
    struct exchange *x = m->own = calloc(1, sizeof *x);
    size_t len;
    if (x == NULL)
        return false;
    const char *text = text_of(m->native, &len);
    bool routed = homecare_route(m->native, &target, x);
    x->plain = target.plain || (target.by_content && looks_plain(text, len));
    if (!routed || !find_sender(self, m->native, x)) {
        refuse(m, CAREHUB_MESSAGE_REJECTED);
        return true;
    }
    set_intake(x, m->native, target.update);
    snprintf(m->sender, sizeof m->sender, "%s", x->sender->name);
    m->confirm_by_spool = x->sender->confirm_by_spool;
    m->verdict = CAREHUB_MESSAGE_OPENED;
    if (x->plain)
        open_event(x, m);
    else
        open_fhir(x, m, &target);
    return true;
}

// ---- Translating

static size_t find_past(void *arg, const char *episode, const Carehub__V1__Event *const **events)
{
    struct carehub_memory *memory = arg;
    Carehub__V1__Event *const *found = NULL;
    size_t count = memory->past(memory, episode, &found);
    *events = (const Carehub__V1__Event *const *)found;
    return count;
}

// Hands the events over; the result keeps its items, for the answer.
static bool emit_all(struct exchange *x, struct carehub_memory *memory)
{
    bool ok = true;
    for (size_t i = 0; i < x->result.n_items; i++) {
        const struct fhir_item *item = &x->result.items[i];
        for (size_t k = item->first_event; ok && k < item->first_event + item->n_events; k++)
            ok = memory->emit(memory, x->result.events[k], fhir_document_episode(x->document, i));
    }
    for (size_t k = 0; k < x->result.n_events; k++) {
        carehub__v1__event__free_unpacked(x->result.events[k], NULL);
        x->result.events[k] = NULL;
    }
    return ok;
}

static const char *why_nothing(const struct exchange *x)
{
    for (size_t i = 0; i < x->result.n_items; i++)
        if (x->result.items[i].outcome == FHIR_NOTHING)
            return x->result.items[i].why;
    return NULL;
}

static void translate_fhir(struct exchange *x, struct carehub_message *m, struct carehub_memory *memory)
{
    bool ok = fhir_translate(x->document, find_past, memory, &x->result, &x->problems);
    const char *why = why_nothing(x);
    x->looked = true;
    if (!ok || (x->result.n_events == 0 && why == NULL)) {
        refuse(m, CAREHUB_MESSAGE_ERROR);
    } else if (x->result.n_events == 0) {
        m->verdict = CAREHUB_MESSAGE_NOTHING;
        m->why = why;
        m->notable = strcmp(why, "nothing-to-correct") == 0;
    } else if (emit_all(x, memory)) {
        m->verdict = CAREHUB_MESSAGE_EVENTS;
    }
}

static void translate(const void *self, struct carehub_message *m, struct carehub_memory *memory)
{
    struct exchange *x = m->own;
    (void)self;
    if (m->key_reused) {
        x->refused = 409;
        problems_add(&x->problems, PROBLEM_ERROR, PROBLEM_DUPLICATE,
                     m->native->idempotency_key[0] != '\0' ? "Idempotency-Key" : "id",
                     "it came before with another content; give each new message a new one");
        refuse(m, CAREHUB_MESSAGE_ERROR);
    } else if (!x->plain) {
        translate_fhir(x, m, memory);
    } else if (memory->emit(memory, x->event, NULL)) {
        m->verdict = CAREHUB_MESSAGE_EVENTS;
    }
}

static void slim(struct carehub_message *m)
{
    struct exchange *x = m->own;
    homecare_look(x);
    fhir_document_destroy(&x->document);
    if (x->event != NULL)
        carehub__v1__event__free_unpacked(x->event, NULL);
    x->event = NULL;
}

static void close_message(struct carehub_message *m)
{
    struct exchange *x = m->own;
    if (x == NULL)
        return;
    x->looked = true; // nobody asks any more
    slim(m);
    fhir_result_clear(&x->result);
    free(x);
    m->own = NULL;
}

// ---- Files

static size_t line_end(const char *bytes, size_t len, size_t from)
{
    const char *end = memchr(bytes + from, '\n', len - from);
    return end != NULL ? (size_t)(end - bytes) : len;
}

// Whether a line has as many closing brackets as opening ones, outside of strings.
static bool is_complete(const char *line, size_t len)
{
    long depth = 0;
    bool text = false;
    for (size_t i = 0; i < len; i++) {
        if (text && line[i] == '\\')
            i++;
        else if (line[i] == '"')
            text = !text;
        else if (!text)
            depth += (line[i] == '{' || line[i] == '[') - (line[i] == '}' || line[i] == ']');
    }
    return depth == 0 && !text;
}

// A file whose first line is a whole document has one on each line; any other file is one document.
static bool split(const void *self, const void *bytes, size_t len, size_t *position, const void **message,
                  size_t *message_len)
{
    const char *text = bytes;
    size_t at = *position, end;
    (void)self;
    while (at < len && is_blank(text[at]))
        at++;
    if (at == len)
        return false;
    end = line_end(text, len, at);
    if (*position == 0 && !is_complete(text + at, end - at))
        end = len;
    *message = text + at;
    *message_len = end - at;
    *position = end;
    return true;
}

// ---- The format

static void *configure(const struct carehub_setting *section, const char *folder, char error[CAREHUB_ERROR_BYTES])
{
    return homecare_config_read(section, folder, error);
}

static void destroy(void *self)
{
    struct homecare *config = self;
    homecare_config_destroy(&config);
}

static bool needs_spool(const void *self)
{
    const struct homecare *config = self;
    for (size_t i = 0; i < config->n_senders; i++)
        if (config->senders[i]->confirm_by_spool)
            return true;
    return false;
}

CAREHUB_FORMAT_EXPORT extern const struct carehub_format carehub_format;
const struct carehub_format carehub_format = {
    .abi = CAREHUB_FORMAT_ABI,
    .name = "fhir-r4",
    .version = CAREHUB_VERSION,
    .summary = "FHIR R4 (JSON) and events in plain JSON in, FHIR R4 message Bundles out",
    .configure = configure,
    .destroy = destroy,
    .needs_spool = needs_spool,
    .split = split,
    .open = open_message,
    .translate = translate,
    .slim = slim,
    .reply = homecare_reply,
    .close = close_message,
    .get = homecare_get,
    .write = homecare_write,
    .judge = homecare_judge,
    .check_receiver = homecare_check_receiver,
};
