#include "hospital_in.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#define SENDER_BYTES 512
#define KEY_TEXT_BYTES 2048

_Static_assert((int)CAREHUB_DIGEST_BYTES == (int)crypto_hash_sha256_BYTES, "keys and digests are SHA-256");
_Static_assert((int)CAREHUB_NATIVE_ID_BYTES == (int)HL7V2_CONTROL_ID_MAX_BYTES + 1, "MSH-10 fits whole");

static void copy(const struct hl7v2_message *message, const char *path, char *out, size_t size)
{
    if (hl7v2_text(message, path, out, size, NULL) != HL7V2_VALUED)
        out[0] = '\0';
}

// ---- Problems

struct hl7v2_location hospital_at(const char *segment, unsigned field)
{
    struct hl7v2_location location = {.sequence = segment[0] != '\0', .field = field};
    snprintf(location.segment, sizeof location.segment, "%s", segment);
    return location;
}

// Where HL7 v2.5.1 defines a segment; its fields follow by number.
static const char *section_of(const char *segment)
{
    static const char *const sections[][2] = {
        {"BHS", "2.15.2"}, {"BTS", "2.15.3"}, {"FHS", "2.15.6"}, {"FTS", "2.15.7"}, {"MSH", "2.15.9"},
        {"EVN", "3.4.1"},  {"PID", "3.4.2"},  {"PV1", "3.4.3"},  {"PV2", "3.4.4"},  {"MRG", "3.4.9"},
        {"ORC", "4.5.1"},  {"OBR", "4.5.3"},  {"TQ1", "4.5.4"},  {"RXO", "4.14.1"}, {"RXR", "4.14.2"},
        {"RXE", "4.14.4"}, {"RXD", "4.14.5"}, {"DG1", "6.5.2"},  {"OBX", "7.4.2"},  {"TXA", "9.6.1"},
    };
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++)
        if (strcmp(sections[i][0], segment) == 0)
            return sections[i][1];
    return NULL;
}

static void set_rule(char rule[CAREHUB_RULE_BYTES], enum hl7v2_condition condition,
                     const struct hl7v2_location *location)
{
    const char *section = section_of(location->segment);
    if (section != NULL && location->field > 0)
        snprintf(rule, CAREHUB_RULE_BYTES, "HL7 v2.5.1, %s.%u", section, location->field);
    else if (condition == HL7V2_CONDITION_SEGMENT_SEQUENCE)
        snprintf(rule, CAREHUB_RULE_BYTES, "HL7 v2.5.1, 2.5.2"); // what a segment is
    else if (section != NULL)
        snprintf(rule, CAREHUB_RULE_BYTES, "HL7 v2.5.1, %s", section);
}

void hospital_fail(struct carehub_message *message, enum carehub_verdict verdict, enum hl7v2_condition condition,
                   struct hl7v2_location location, const char *what)
{
    struct hospital_message *own = message->own;
    struct carehub_problem *problem = &message->problem;
    char repetition[16] = "", field[16] = "";
    message->verdict = verdict;
    message->why = NULL;
    message->notable = false;
    own->condition = condition;
    own->location = location;
    *problem = (struct carehub_problem){0};
    if (location.sequence > 1)
        snprintf(repetition, sizeof repetition, "[%u]", location.sequence);
    if (location.field > 0)
        snprintf(field, sizeof field, "-%u", location.field);
    snprintf(problem->where, sizeof problem->where, "%s%s%s", location.segment, repetition, field);
    snprintf(problem->what, sizeof problem->what, "%s", what);
    set_rule(problem->rule, condition, &location);
}

// MSH-9, -11 and -12 decide whether a message is one for us at all (2.9.2): those are rejected, the rest is in error.
static void fail_from(struct carehub_message *message, const struct hl7v2_error *error)
{
    bool rejected = error->condition == HL7V2_CONDITION_MESSAGE_TYPE ||
                    error->condition == HL7V2_CONDITION_VERSION_ID || error->condition == HL7V2_CONDITION_PROCESSING_ID;
    hospital_fail(message, rejected ? CAREHUB_MESSAGE_REJECTED : CAREHUB_MESSAGE_ERROR, error->condition,
                  error->location, error->text);
    if (message->problem.where[0] == '\0' && error->segment_number > 0)
        snprintf(message->problem.where, sizeof message->problem.where, "segment %u", error->segment_number);
}

// ---- Whether it is for us

static bool names(const struct adt_list *list, const struct hl7v2_message *message, const char *path)
{
    char text[SENDER_BYTES];
    copy(message, path, text, sizeof text);
    return adt_list_has(list, text);
}

static void find_sender(const struct hospital *settings, struct carehub_message *message)
{
    struct hospital_message *own = message->own;
    for (size_t i = 0; i < settings->sender_count && own->sender == NULL; i++) {
        const struct hospital_sender *sender = &settings->senders[i];
        if (names(&sender->adt->application, own->message, "MSH-3") &&
            names(&sender->adt->facility, own->message, "MSH-4"))
            own->sender = sender;
    }
    if (own->sender == NULL) {
        hospital_fail(
            message, CAREHUB_MESSAGE_REJECTED, HL7V2_CONDITION_TABLE_VALUE, hospital_at("MSH", 3),
            "no sender is configured for MSH-3 and MSH-4 as they are; add one to the adapter's configuration, "
            "or correct them");
        return;
    }
    snprintf(message->sender, sizeof message->sender, "%s", own->sender->adt->name);
    message->confirm_by_spool = own->sender->confirm_by_spool;
}

static void check_header(const struct hospital *settings, struct carehub_message *message)
{
    const struct hospital_message *own = message->own;
    char version[16];
    copy(own->message, "MSH-12.1", version, sizeof version);
    if (!names(&settings->receiving_application, own->message, "MSH-5") ||
        !names(&settings->receiving_facility, own->message, "MSH-6"))
        hospital_fail(message, CAREHUB_MESSAGE_REJECTED, HL7V2_CONDITION_TABLE_VALUE, hospital_at("MSH", 5),
                      "MSH-5 and MSH-6 name another receiver than this one");
    else if (version[0] != '\0' && strncmp(version, "2.", 2) != 0)
        hospital_fail(message, CAREHUB_MESSAGE_REJECTED, HL7V2_CONDITION_VERSION_ID, hospital_at("MSH", 12),
                      "only versions 2.x of HL7 are understood");
    else if (!names(&own->sender->processing, own->message, "MSH-11.1"))
        hospital_fail(message, CAREHUB_MESSAGE_REJECTED, HL7V2_CONDITION_PROCESSING_ID, hospital_at("MSH", 11),
                      "messages with this processing id are not taken from this sender");
}

// ---- What a message is known by

// Who sent it, MSH-10 and MSH-7, each with its length so that no two triples are written alike.
static void set_key(struct carehub_message *message)
{
    static const char *const paths[] = {"MSH-3.0", "MSH-4.0", "MSH-10", "MSH-7"};
    const struct hospital_message *own = message->own;
    char text[KEY_TEXT_BYTES], part[SENDER_BYTES];
    size_t used = 0;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        copy(own->message, paths[i], part, sizeof part - 1);
        used += (size_t)snprintf(text + used, sizeof text - used, "%zu:%s", strlen(part), part);
        used = used < sizeof text ? used : sizeof text - 1;
    }
    crypto_hash_sha256(message->key, (const uint8_t *)text, used);
}

// Of what MSH-9 says it is and all that follows MSH, line ends aside. The rest of MSH a sender may change when it sends
// again.
static void set_digest(struct carehub_message *message)
{
    const struct hospital_message *own = message->own;
    char type[64];
    size_t len;
    const char *text = hl7v2_text_bytes(own->message, &len);
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    copy(own->message, "MSH-9.0", type, sizeof type);
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
    crypto_hash_sha256_final(&state, message->digest);
}

static void set_kind(struct carehub_message *message)
{
    const struct hospital_message *own = message->own;
    char type[8], trigger[8];
    copy(own->message, "MSH-9.1", type, sizeof type);
    adt_trigger(own->message, trigger, sizeof trigger);
    snprintf(message->kind, sizeof message->kind, "%s%s%s", type, trigger[0] != '\0' ? "^" : "", trigger);
}

// ---- Opening and closing

// The message, or at least a header to answer, in which case *error says what is wrong with the rest. False without
// memory.
static bool read_message(struct hospital_message *own, const struct carehub_native *native, struct hl7v2_error *error)
{
    crypto_hash_sha256(own->sha256, native->bytes, native->len);
    own->message = hl7v2_parse(native->bytes, native->len, NULL, error);
    if (own->message != NULL) {
        hl7v2_check_header(own->message, error);
        return true;
    }
    own->message = hl7v2_salvage_header(native->bytes, native->len);
    // Messages of a file come one by one; a batch as a whole comes only where its trailers do not agree with it.
    struct hl7v2_error batch;
    if (error->status == HL7V2_ERR_BATCH && !hl7v2_batch_check(native->bytes, native->len, &batch))
        *error = batch;
    return own->message != NULL;
}

bool hospital_open(const void *self, struct carehub_message *message)
{
    const struct hospital *settings = self;
    struct hl7v2_error error;
    struct hospital_message *own = calloc(1, sizeof *own);
    if (own == NULL)
        return false;
    if (!read_message(own, message->native, &error)) {
        free(own);
        return false;
    }
    message->own = own;
    copy(own->message, "MSH-10", message->native_id, sizeof message->native_id);
    set_kind(message);
    if (error.status != HL7V2_OK) {
        fail_from(message, &error);
        return true;
    }
    set_key(message);
    set_digest(message);
    find_sender(settings, message);
    if (own->sender != NULL)
        check_header(settings, message);
    return true;
}

// Once an answer is all that is still to come, the header is all that is needed.
void hospital_slim(struct carehub_message *message)
{
    struct hospital_message *own = message->own;
    size_t len;
    const char *text = hl7v2_text_bytes(own->message, &len);
    struct hl7v2_message *header = hl7v2_salvage_header(text, len);
    if (header == NULL)
        return;
    hl7v2_message_destroy(&own->message);
    own->message = header;
}

void hospital_close(struct carehub_message *message)
{
    struct hospital_message *own = message->own;
    if (own == NULL)
        return;
    hl7v2_message_destroy(&own->message);
    free(own);
    message->own = NULL;
}
