#include "person.h"

#include <ctype.h>
#include <string.h>

enum {
    DEPTH_MAX = 32,      /* of messages in messages; ours go less deep */
    PUNCTUATION_MAX = 4, /* between two digits, UTF-16's zero bytes included */
};

static bool is_ssin(const struct person_identifier *identifier)
{
    return strcmp(identifier->system, "ssin") == 0;
}

/* ---- Who is meant ----------------------------------------------------------------------------------------------- */

static enum identifier_status read_identifier(const char *system, const char *value, struct person_identifier *out)
{
    struct identifier checked;
    enum identifier_status status = identifier_check(system, value, &checked);
    if (identifier_usable(status) && !identifier_system_normalise(system, out->system))
        status = IDENTIFIER_NO_SYSTEM;
    memcpy(out->value, checked.value, sizeof out->value);
    return status;
}

const char *person_parse(const char *text, struct person *person)
{
    char system[IDENTIFIER_SYSTEM_CHARS];
    const char *end = strchr(text, '|');
    *person = (struct person){0};
    if (!end && strncmp(text, "ssin:", 5) == 0)
        end = text + 4;
    if (!end || (size_t)(end - text) >= sizeof system)
        return "write ssin:85073003328, or SYSTEM|VALUE for any other system";
    memcpy(system, text, (size_t)(end - text));
    system[end - text] = '\0';
    enum identifier_status status = read_identifier(system, end + 1, &person->list[0]);
    person->n_given = person->count = 1;
    return identifier_usable(status) ? NULL : identifier_status_text(status);
}

static bool knows(const struct person *person, size_t n, const struct person_identifier *identifier)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(person->list[i].system, identifier->system) == 0 &&
            strcmp(person->list[i].value, identifier->value) == 0)
            return true;
    return false;
}

void person_learn(struct person *person, const Carehub__V1__Event *event)
{
    const Carehub__V1__Patient *patient = event->patient;
    struct person_identifier found[PERSON_IDENTIFIERS_MAX];
    size_t count = 0;
    bool is_meant = false;
    for (size_t i = 0; patient && i < patient->n_identifiers && count < PERSON_IDENTIFIERS_MAX; i++) {
        const Carehub__V1__Identifier *identifier = patient->identifiers[i];
        if (!identifier_usable(read_identifier(identifier->system, identifier->value, &found[count])))
            continue;
        is_meant |= knows(person, person->n_given, &found[count++]);
    }
    for (size_t i = 0; is_meant && i < count && person->count < PERSON_IDENTIFIERS_MAX; i++)
        if (!knows(person, person->count, &found[i]))
            person->list[person->count++] = found[i];
}

/* ---- In bytes --------------------------------------------------------------------------------------------------- */

static bool is_punctuation(uint8_t byte)
{
    return byte == ' ' || byte == '.' || byte == '-' || byte == '/' || byte == '\0';
}

/* Whether the digits stand from `at` on, with any punctuation between them. */
static bool digits_at(const char *digits, const uint8_t *at, const uint8_t *end)
{
    while (at < end && *at == (uint8_t)*digits) {
        at++;
        if (*++digits == '\0')
            return true;
        for (int i = 0; i < PUNCTUATION_MAX && at < end && is_punctuation(*at); i++)
            at++;
    }
    return false;
}

static bool has_digits(const char *digits, const uint8_t *bytes, size_t len)
{
    const uint8_t *end = bytes + len;
    for (const uint8_t *at = bytes; at < end && (at = memchr(at, digits[0], (size_t)(end - at))); at++)
        if (digits_at(digits, at, end))
            return true;
    return false;
}

/* A text of a protobuf message has its length before it, and any byte behind it. */
static bool has_word(const char *word, const uint8_t *bytes, size_t len)
{
    size_t size = strlen(word);
    const uint8_t *end = bytes + len;
    for (const uint8_t *at = bytes; (at = memmem(at, (size_t)(end - at), word, size)); at++) {
        bool is_field = at > bytes && at[-1] == size;
        bool begins = at == bytes || !isalnum(at[-1]);
        bool ends = at + size == end || !isalnum(at[size]);
        if (is_field || (begins && ends))
            return true;
    }
    return false;
}

bool person_in_bytes(const struct person *person, bool learnt, const void *bytes, size_t len)
{
    size_t count = learnt ? person->count : person->n_given;
    for (size_t i = 0; bytes && i < count; i++) {
        const struct person_identifier *identifier = &person->list[i];
        if (is_ssin(identifier) ? has_digits(identifier->value, bytes, len) : has_word(identifier->value, bytes, len))
            return true;
    }
    return false;
}

/* ---- In messages ------------------------------------------------------------------------------------------------ */

static bool in_message(const struct person *person, const ProtobufCMessage *message, int depth);

/* An SSIN only: what is a number of one system is nothing in a text. */
static bool in_text(const struct person *person, const void *text, size_t len)
{
    for (size_t i = 0; text && i < person->count; i++)
        if (is_ssin(&person->list[i]) && has_digits(person->list[i].value, text, len))
            return true;
    return false;
}

static bool in_value(const struct person *person, const ProtobufCFieldDescriptor *field, const void *at, int depth)
{
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        const ProtobufCMessage *inner = *(ProtobufCMessage *const *)at;
        return inner && in_message(person, inner, depth + 1);
    }
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        const char *text = *(char *const *)at;
        return text && in_text(person, text, strlen(text));
    }
    if (field->type == PROTOBUF_C_TYPE_BYTES) {
        const ProtobufCBinaryData *data = at;
        return in_text(person, data->data, data->len);
    }
    return false;
}

static size_t value_size(const ProtobufCFieldDescriptor *field)
{
    return field->type == PROTOBUF_C_TYPE_BYTES ? sizeof(ProtobufCBinaryData) : sizeof(void *);
}

static bool in_field(const struct person *person, const ProtobufCMessage *message,
                     const ProtobufCFieldDescriptor *field, int depth)
{
    const char *base = (const char *)message, *value = base + field->offset;
    bool refers = field->type == PROTOBUF_C_TYPE_MESSAGE || field->type == PROTOBUF_C_TYPE_STRING ||
                  field->type == PROTOBUF_C_TYPE_BYTES;
    if (!refers)
        return false;
    if (field->label != PROTOBUF_C_LABEL_REPEATED) {
        bool is_other = (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0 &&
                        *(const uint32_t *)(const void *)(base + field->quantifier_offset) != field->id;
        return !is_other && in_value(person, field, value, depth);
    }
    size_t count = *(const size_t *)(const void *)(base + field->quantifier_offset);
    const char *list = count > 0 ? *(char *const *)(const void *)value : NULL;
    for (size_t i = 0; i < count; i++)
        if (in_value(person, field, list + i * value_size(field), depth))
            return true;
    return false;
}

static bool in_message(const struct person *person, const ProtobufCMessage *message, int depth)
{
    if (message->descriptor == &carehub__v1__identifier__descriptor) {
        const Carehub__V1__Identifier *identifier = (const Carehub__V1__Identifier *)message;
        struct person_identifier read;
        if (identifier_usable(read_identifier(identifier->system, identifier->value, &read)) &&
            knows(person, person->count, &read))
            return true;
    }
    for (unsigned i = 0; depth < DEPTH_MAX && i < message->descriptor->n_fields; i++)
        if (in_field(person, message, &message->descriptor->fields[i], depth))
            return true;
    return false;
}

bool person_in_message(const struct person *person, const ProtobufCMessage *message)
{
    return in_message(person, message, 0);
}
