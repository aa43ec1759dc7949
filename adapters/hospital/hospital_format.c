#include "hospital_format.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "adt.h"
#include "hl7v2_ack.h"
#include "hl7v2_time.h"
#include "hospital_config.h"

#ifndef CAREHUB_VERSION
#define CAREHUB_VERSION "0.1.0"
#endif

#define SENDER_BYTES 512
#define KEY_TEXT_BYTES 2048
#define REPLY_ID_BYTES 20

struct hospital_message {
    struct format_message head; // first
    const struct hospital *settings;
    const struct hospital_sender *sender; // NULL: unknown
    struct hl7v2_message *message;        // whole; only its header once slimmed, or when it could not be read
    uint8_t sha256[crypto_hash_sha256_BYTES];
    int64_t received_ms;
    struct hl7v2_location location; // of the problem
    enum hl7v2_condition condition;
};

static void copy(const struct hl7v2_message *message, const char *path, char *out, size_t size)
{
    if (hl7v2_text(message, path, out, size, NULL) != HL7V2_VALUED)
        out[0] = '\0';
}

static struct hl7v2_location at(const char *segment, unsigned field)
{
    struct hl7v2_location location = {.sequence = segment[0] != '\0', .field = field};
    snprintf(location.segment, sizeof location.segment, "%s", segment);
    return location;
}

// ---- Judging a message

static void fail(struct hospital_message *self, enum format_verdict verdict, enum hl7v2_condition condition,
                 struct hl7v2_location location, const char *text)
{
    self->head.verdict = verdict;
    self->condition = condition;
    self->location = location;
    snprintf(self->head.problem, sizeof self->head.problem, "%s", text);
}

// MSH-9, -11 and -12 decide whether a message is one for us at all (2.9.2): those are rejected, the rest is in error.
static void fail_from(struct hospital_message *self, const struct hl7v2_error *error)
{
    bool rejected = error->condition == HL7V2_CONDITION_MESSAGE_TYPE ||
                    error->condition == HL7V2_CONDITION_VERSION_ID || error->condition == HL7V2_CONDITION_PROCESSING_ID;
    fail(self, rejected ? FORMAT_REJECTED : FORMAT_ERROR, error->condition, error->location, error->text);
}

static bool names(const struct adt_list *list, const struct hl7v2_message *message, const char *path)
{
    char text[SENDER_BYTES];
    copy(message, path, text, sizeof text);
    return adt_list_has(list, text);
}

static void find_sender(struct hospital_message *self)
{
    for (size_t i = 0; i < self->settings->sender_count && self->sender == NULL; i++) {
        const struct hospital_sender *sender = &self->settings->senders[i];
        if (names(&sender->adt->application, self->message, "MSH-3") &&
            names(&sender->adt->facility, self->message, "MSH-4"))
            self->sender = sender;
    }
    if (self->sender == NULL) {
        fail(self, FORMAT_REJECTED, HL7V2_CONDITION_TABLE_VALUE, at("MSH", 3),
             "no sender is configured for MSH-3 and MSH-4 as they are; add one to the adapter's configuration, or "
             "correct them");
        return;
    }
    self->head.sender = self->sender->adt->name;
    self->head.confirm_by_spool = self->sender->confirm_by_spool;
}

static void check_header(struct hospital_message *self)
{
    char version[16];
    copy(self->message, "MSH-12.1", version, sizeof version);
    if (!names(&self->settings->receiving_application, self->message, "MSH-5") ||
        !names(&self->settings->receiving_facility, self->message, "MSH-6"))
        fail(self, FORMAT_REJECTED, HL7V2_CONDITION_TABLE_VALUE, at("MSH", 5),
             "MSH-5 and MSH-6 name another receiver than this one");
    else if (version[0] != '\0' && strncmp(version, "2.", 2) != 0)
        fail(self, FORMAT_REJECTED, HL7V2_CONDITION_VERSION_ID, at("MSH", 12),
             "only versions 2.x of HL7 are understood");
    else if (!names(&self->sender->processing, self->message, "MSH-11.1"))
        fail(self, FORMAT_REJECTED, HL7V2_CONDITION_PROCESSING_ID, at("MSH", 11),
             "messages with this processing id are not taken from this sender");
}

// ---- What a message is known by

// Who sent it, MSH-10 and MSH-7, each with its length so that no two triples are written alike.
static void set_key(struct hospital_message *self)
{
    static const char *const paths[] = {"MSH-3.0", "MSH-4.0", "MSH-10", "MSH-7"};
    char text[KEY_TEXT_BYTES], part[SENDER_BYTES];
    size_t used = 0;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        copy(self->message, paths[i], part, sizeof part - 1);
        used += (size_t)snprintf(text + used, sizeof text - used, "%zu:%s", strlen(part), part);
        used = used < sizeof text ? used : sizeof text - 1;
    }
    crypto_hash_sha256(self->head.key, (const uint8_t *)text, used);
}

// Of what MSH-9 says it is and all that follows MSH, line ends aside. The rest of MSH a sender may change when it sends
// again.
static void set_digest(struct hospital_message *self)
{
    char type[64];
    size_t len;
    const char *text = hl7v2_text_bytes(self->message, &len);
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    copy(self->message, "MSH-9.0", type, sizeof type);
    crypto_hash_sha256_update(&state, (const uint8_t *)type, strlen(type));
    const char *end = text + len;
    while (text < end && *text != '\r' && *text != '\n')
        text++;
    while (text < end) {
        while (text < end && (*text == '\r' || *text == '\n'))
            text++;
        const char *line = text;
        while (text < end && *text != '\r' && *text != '\n')
            text++;
        crypto_hash_sha256_update(&state, (const uint8_t *)"\r", 1);
        crypto_hash_sha256_update(&state, (const uint8_t *)line, (size_t)(text - line));
    }
    crypto_hash_sha256_final(&state, self->head.digest);
}

static void set_kind(struct hospital_message *self)
{
    char type[8], trigger[8];
    copy(self->message, "MSH-9.1", type, sizeof type);
    adt_trigger(self->message, trigger, sizeof trigger);
    snprintf(self->head.kind, sizeof self->head.kind, "%s%s%s", type, trigger[0] != '\0' ? "^" : "", trigger);
}

// ---- The format's functions

static void *configure(zconfig_t *root, char error[FORMAT_ERROR_BYTES])
{
    return hospital_config_read(root, error);
}

static void destroy(void **self)
{
    struct hospital *hospital = *self;
    hospital_config_destroy(&hospital);
    *self = NULL;
}

static bool needs_spool(const void *settings)
{
    const struct hospital *hospital = settings;
    for (size_t i = 0; i < hospital->sender_count; i++)
        if (hospital->senders[i].confirm_by_spool)
            return true;
    return false;
}

static void close_message(struct format_message **message)
{
    struct hospital_message *self = (struct hospital_message *)*message;
    if (self == NULL)
        return;
    for (size_t i = 0; i < self->head.n_events; i++)
        carehub__v1__event__free_unpacked(self->head.events[i], NULL);
    if (self->message != NULL)
        hl7v2_message_destroy(&self->message);
    free(self);
    *message = NULL;
}

static struct format_message *open_message(const void *settings, const void *bytes, size_t len, int64_t received_ms)
{
    struct hospital_message *self = calloc(1, sizeof *self);
    struct hl7v2_error error;
    if (self == NULL)
        return NULL;
    self->settings = settings;
    self->received_ms = received_ms;
    self->head.sender = "";
    crypto_hash_sha256(self->sha256, bytes, len);
    self->message = hl7v2_parse(bytes, len, NULL, &error);
    bool whole = self->message != NULL;
    if (!whole)
        self->message = hl7v2_salvage_header(bytes, len);
    if (self->message == NULL) {
        free(self);
        return NULL;
    }
    copy(self->message, "MSH-10", self->head.native_id, sizeof self->head.native_id);
    set_kind(self);
    if (!whole || !hl7v2_check_header(self->message, &error)) {
        fail_from(self, &error);
        return &self->head;
    }
    set_key(self);
    set_digest(self);
    find_sender(self);
    if (self->sender != NULL)
        check_header(self);
    if (self->head.verdict == FORMAT_OPENED)
        adt_episode(self->message, self->sender->adt, self->head.episode);
    return &self->head;
}

static void nothing(struct hospital_message *self, enum adt_outcome outcome, bool notable)
{
    self->head.verdict = FORMAT_NOTHING;
    self->head.why = adt_outcome_name(outcome);
    self->head.notable = notable;
}

static void unidentified(struct hospital_message *self)
{
    nothing(self, ADT_UNIDENTIFIED, true);
    if (self->sender->unidentified == UNIDENTIFIED_HOLD)
        self->head.verdict = FORMAT_HOLD;
    if (self->sender->unidentified == UNIDENTIFIED_REFUSE)
        fail(self, FORMAT_ERROR, HL7V2_CONDITION_UNKNOWN_KEY, at("PID", 3),
             "the patient has no identifier that may be used: no valid national number, and none of the hospital's own "
             "as configured");
}

// Hospitals send receivers everything they have, and many stop their feed at the first AR. So what is no event of ours
// is accepted by default; a sender that wants to hear it gets what the standard has for it (table 0357, 200 and 201).
static void unsupported(struct hospital_message *self)
{
    bool is_adt = strncmp(self->head.kind, "ADT", 3) == 0;
    nothing(self, ADT_UNSUPPORTED, false);
    if (self->sender->reject_unsupported)
        fail(self, FORMAT_REJECTED, is_adt ? HL7V2_CONDITION_EVENT_CODE : HL7V2_CONDITION_MESSAGE_TYPE, at("MSH", 9),
             "no event is made of this message type and trigger event; send ADT A01, A02, A03, A04, A08, A11, A12 or "
             "A13");
}

static void translate(struct format_message *message, const struct format_past *past)
{
    struct hospital_message *self = (struct hospital_message *)message;
    struct adt_input input = {
        .message = self->message,
        .sender = self->sender->adt,
        .adapter_version = CAREHUB_VERSION,
        .received_ms = self->received_ms,
        .control_id_reused = message->key_reused,
        .past = (const Carehub__V1__Event *const *)past->events,
        .past_count = past->count,
    };
    memcpy(input.sha256, self->sha256, sizeof input.sha256);
    struct adt_result result = adt_map(&input);
    switch (result.outcome) {
    case ADT_EVENT:
        message->verdict = FORMAT_EVENTS;
        message->events[message->n_events++] = result.event;
        break;
    case ADT_UNIDENTIFIED:
        unidentified(self);
        break;
    case ADT_UNSUPPORTED:
        unsupported(self);
        break;
    case ADT_NO_MEMORY:
        fail(self, FORMAT_REJECTED, HL7V2_CONDITION_INTERNAL, at("", 0), "the adapter is out of memory; send it again");
        break;
    case ADT_NOT_AN_EVENT:
    case ADT_UNCHANGED:
    case ADT_NOTHING_TO_CORRECT:
        nothing(self, result.outcome, result.outcome == ADT_NOTHING_TO_CORRECT);
        break;
    }
}

// Once an answer is all that is still to come, the header is all that is needed.
static void slim(struct format_message *message)
{
    struct hospital_message *self = (struct hospital_message *)message;
    size_t len;
    const char *text = hl7v2_text_bytes(self->message, &len);
    struct hl7v2_message *header = hl7v2_salvage_header(text, len);
    for (size_t i = 0; i < message->n_events; i++)
        carehub__v1__event__free_unpacked(message->events[i], NULL);
    message->n_events = 0;
    if (header == NULL)
        return;
    hl7v2_message_destroy(&self->message);
    self->message = header;
}

// ---- Answers

static struct hl7v2_ack_error ack_error(const struct hospital_message *self, const struct format_outcome *outcome)
{
    static const struct {
        const char *segment;
        unsigned field;
        enum hl7v2_condition condition;
    } faults[] = {
        [FORMAT_FAULT_IDENTITY] = {"PID", 3, HL7V2_CONDITION_UNKNOWN_KEY},
        [FORMAT_FAULT_ORIGINAL] = {"PV1", 19, HL7V2_CONDITION_UNKNOWN_KEY},
        [FORMAT_FAULT_DUPLICATE] = {"MSH", 10, HL7V2_CONDITION_DUPLICATE_KEY},
        [FORMAT_FAULT_CONTENT] = {"", 0, HL7V2_CONDITION_INTERNAL},
        [FORMAT_FAULT_NOT_ALLOWED] = {"", 0, HL7V2_CONDITION_INTERNAL},
        [FORMAT_FAULT_UNAVAILABLE] = {"", 0, HL7V2_CONDITION_INTERNAL},
    };
    if (outcome->fault == FORMAT_FAULT_NATIVE)
        return (struct hl7v2_ack_error){self->location, self->condition, 'E', self->head.problem, NULL};
    return (struct hl7v2_ack_error){at(faults[outcome->fault].segment, faults[outcome->fault].field),
                                    faults[outcome->fault].condition, 'E', outcome->text, NULL};
}

static enum hl7v2_outcome ack_outcome(const struct hospital_message *self, const struct format_outcome *outcome)
{
    if (outcome->fault == FORMAT_FAULT_NONE)
        return HL7V2_OUTCOME_ACCEPTED;
    bool rejected = outcome->fault == FORMAT_FAULT_NATIVE ? self->head.verdict == FORMAT_REJECTED
                                                          : outcome->fault == FORMAT_FAULT_NOT_ALLOWED;
    return rejected ? HL7V2_OUTCOME_REJECTED : HL7V2_OUTCOME_ERROR;
}

// In enhanced mode a sender may want a commit and an application reply, each its own message; both are known at once.
// After a refusal at the commit stage no other follows.
static void reply(const struct format_message *message, const struct format_outcome *outcome, format_reply_fn *fn,
                  void *arg)
{
    static const char *const id_suffixes[] = {[HL7V2_ACK_STAGE_COMMIT] = "C", [HL7V2_ACK_STAGE_APPLICATION] = "A"};
    const struct hospital_message *self = (const struct hospital_message *)message;
    enum hl7v2_outcome ended = ack_outcome(self, outcome);
    struct hl7v2_ack_error error = {0};
    const struct hl7v2_zone *zone = self->sender != NULL ? self->sender->adt->zone : NULL;
    int32_t offset = zone != NULL ? hl7v2_zone_offset(zone, outcome->now_ms / 1000) : 0;
    if (ended != HL7V2_OUTCOME_ACCEPTED)
        error = ack_error(self, outcome);
    for (int stage = HL7V2_ACK_STAGE_COMMIT; stage <= HL7V2_ACK_STAGE_APPLICATION; stage++) {
        char text[HL7V2_ACK_MAX_BYTES], id[REPLY_ID_BYTES + 2];
        enum hl7v2_ack_code code = hl7v2_ack_decide(self->message, (enum hl7v2_ack_stage)stage, ended);
        if (code == HL7V2_ACK_NONE)
            continue;
        snprintf(id, sizeof id, "%llX%s", (unsigned long long)outcome->number, id_suffixes[stage]);
        const struct hl7v2_ack ack = {.message = self->message,
                                      .code = code,
                                      .control_id = id,
                                      .now_ms = outcome->now_ms,
                                      .offset_minutes = offset / 60,
                                      .errors = &error,
                                      .error_count = ended != HL7V2_OUTCOME_ACCEPTED};
        size_t len = hl7v2_ack_build(&ack, text, sizeof text);
        if (len > 0)
            fn(arg, text, len);
        if (code == HL7V2_ACK_CE || code == HL7V2_ACK_CR)
            return;
    }
}

const struct format hospital_format = {
    .name = "hl7v2-adt",
    .configure = configure,
    .destroy = destroy,
    .needs_spool = needs_spool,
    .next = hl7v2_split_next,
    .open = open_message,
    .translate = translate,
    .reply = reply,
    .slim = slim,
    .close = close_message,
};
