#include "hl7v2_ack.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "hl7v2_time.h"

#define VERSION(major, minor, patch) ((major)*1000 + (minor)*10 + (patch))
#define VERSION_UNKNOWN VERSION(2, 5, 1) // answered as the version this receiver is written to
#define CHARSET_UTF8 "UNICODE UTF-8"

// Output in the sender's delimiters; overflow shows in full.
struct writer {
    char *out;
    size_t size;
    size_t len;
    bool full;
    struct hl7v2_delimiters delimiters;
};

// ---- Whether, and with which code

bool hl7v2_ack_is_enhanced(const struct hl7v2_message *message)
{
    return hl7v2_segment_get(message, 0, 15, 1, 1, 1).presence == HL7V2_VALUED ||
           hl7v2_segment_get(message, 0, 16, 1, 1, 1).presence == HL7V2_VALUED;
}

static bool is_wanted(const struct hl7v2_message *message, unsigned field, bool success)
{
    char condition[8];
    struct hl7v2_value value = hl7v2_segment_get(message, 0, field, 1, 1, 1);
    if (value.presence != HL7V2_VALUED)
        return false;
    hl7v2_unescape(message, value, condition, sizeof condition);
    if (strcasecmp(condition, "NE") == 0)
        return false;
    if (strcasecmp(condition, "SU") == 0)
        return success;
    if (strcasecmp(condition, "ER") == 0)
        return !success;
    return true;
}

enum hl7v2_ack_code hl7v2_ack_decide(const struct hl7v2_message *message, enum hl7v2_ack_stage stage,
                                     enum hl7v2_outcome outcome)
{
    static const enum hl7v2_ack_code codes[2][3] = {
        [HL7V2_ACK_STAGE_COMMIT] = {HL7V2_ACK_CA, HL7V2_ACK_CE, HL7V2_ACK_CR},
        [HL7V2_ACK_STAGE_APPLICATION] = {HL7V2_ACK_AA, HL7V2_ACK_AE, HL7V2_ACK_AR},
    };
    bool success = outcome == HL7V2_OUTCOME_ACCEPTED;
    bool wanted = stage == HL7V2_ACK_STAGE_APPLICATION;
    if (hl7v2_ack_is_enhanced(message))
        wanted = is_wanted(message, stage == HL7V2_ACK_STAGE_COMMIT ? 15 : 16, success);
    return wanted ? codes[stage][outcome] : HL7V2_ACK_NONE;
}

const char *hl7v2_ack_code_text(enum hl7v2_ack_code code)
{
    static const char *const texts[] = {"", "AA", "AE", "AR", "CA", "CE", "CR"};
    return (size_t)code < sizeof texts / sizeof texts[0] ? texts[code] : "";
}

struct hl7v2_ack_error hl7v2_ack_error_from(const struct hl7v2_error *error)
{
    return (struct hl7v2_ack_error){
        .location = error->location, .condition = error->condition, .severity = 'E', .diagnostic = error->text};
}

// ---- Writing

static void put(struct writer *writer, const char *text, size_t len)
{
    if (writer->full || writer->len + len >= writer->size) {
        writer->full = true;
        return;
    }
    memcpy(writer->out + writer->len, text, len);
    writer->len += len;
}

static void put_char(struct writer *writer, char c)
{
    put(writer, &c, 1);
}

static void put_string(struct writer *writer, const char *text)
{
    put(writer, text, strlen(text));
}

static void put_number(struct writer *writer, unsigned number)
{
    char text[16];
    put(writer, text, (size_t)snprintf(text, sizeof text, "%u", number));
}

static void put_fields(struct writer *writer, unsigned count)
{
    while (count-- > 0)
        put_char(writer, writer->delimiters.field);
}

static void put_escaped(struct writer *writer, const char *text, size_t max)
{
    char escaped[HL7V2_ACK_DIAGNOSTIC_MAX_BYTES + 1];
    assert(max < sizeof escaped);
    if (text == NULL)
        return;
    hl7v2_escape(&writer->delimiters, text, escaped, max + 1);
    put_string(writer, escaped);
}

// A field of the message's header, as it stands there: the delimiters are the same.
static void put_echo(struct writer *writer, const struct hl7v2_message *message, unsigned field)
{
    struct hl7v2_value value = hl7v2_segment_get(message, 0, field, 0, 0, 0);
    if (value.len <= HL7V2_ACK_ECHO_MAX_BYTES)
        put(writer, value.at, value.len);
}

// ---- What the sender's version knows

// As VERSION makes it, so that versions compare in order.
static int version_of(const struct hl7v2_message *message)
{
    char text[16];
    unsigned major = 0, minor = 0, patch = 0;
    hl7v2_unescape(message, hl7v2_segment_get(message, 0, 12, 1, 1, 1), text, sizeof text);
    if (sscanf(text, " %1u.%2u.%1u", &major, &minor, &patch) < 2)
        return VERSION_UNKNOWN;
    return (int)VERSION(major, minor, patch);
}

// MSH-9: ACK in v2.1; with the trigger event from v2.2 on; with the structure where the sender gave one,
// and always from v2.5 on.
static void put_message_type(struct writer *writer, const struct hl7v2_message *message, int version)
{
    struct hl7v2_value event = hl7v2_segment_get(message, 0, 9, 1, 2, 1);
    bool structure = version >= VERSION(2, 5, 0) || hl7v2_segment_get(message, 0, 9, 1, 3, 1).presence == HL7V2_VALUED;
    put_string(writer, "ACK");
    // An event is a second component, so there is a component delimiter when there is one.
    if (event.presence != HL7V2_VALUED || event.len > HL7V2_ACK_ECHO_MAX_BYTES || version < VERSION(2, 2, 0))
        return;
    put_char(writer, writer->delimiters.component);
    put(writer, event.at, event.len);
    if (structure) {
        put_char(writer, writer->delimiters.component);
        put_string(writer, "ACK");
    }
}

static void put_encoding_characters(struct writer *writer)
{
    const struct hl7v2_delimiters *d = &writer->delimiters;
    const char all[] = {d->component, d->repetition, d->escape, d->subcomponent, d->truncation, '\0'};
    put_string(writer, all); // what is not used is zero, and so is all after it
}

static void put_header(struct writer *writer, const struct hl7v2_ack *ack, int version, bool utf8)
{
    const struct hl7v2_message *message = ack->message;
    static const unsigned swapped[] = {5, 6, 3, 4};
    char now[HL7V2_TIME_TEXT_BYTES];
    hl7v2_time_format(ack->now_ms, ack->offset_minutes, now);
    put_string(writer, "MSH");
    put_fields(writer, 1);
    put_encoding_characters(writer);
    for (size_t i = 0; i < 4; i++) {
        put_fields(writer, 1);
        put_echo(writer, message, swapped[i]);
    }
    put_fields(writer, 1);
    put_string(writer, now);
    put_fields(writer, 2);
    put_message_type(writer, message, version);
    put_fields(writer, 1);
    put_escaped(writer, ack->control_id, HL7V2_CONTROL_ID_MAX_BYTES);
    put_fields(writer, 1);
    if (hl7v2_segment_get(message, 0, 11, 1, 1, 1).presence == HL7V2_VALUED)
        put_echo(writer, message, 11);
    else
        put_string(writer, "P");
    put_fields(writer, 1);
    if (hl7v2_segment_get(message, 0, 12, 1, 1, 1).presence == HL7V2_VALUED)
        put_echo(writer, message, 12);
    else
        put_string(writer, "2.5.1");
    if (utf8) {
        put_fields(writer, 6);
        put_string(writer, CHARSET_UTF8);
    }
    put_char(writer, '\r');
}

// CE or CWE of table 0357, its parts separated by delimiter.
static void put_condition(struct writer *writer, enum hl7v2_condition condition, char delimiter)
{
    put_number(writer, condition);
    if (delimiter == '\0')
        return;
    put_char(writer, delimiter);
    put_string(writer, hl7v2_condition_text(condition));
    put_char(writer, delimiter);
    put_string(writer, "HL70357");
}

static void put_acknowledgement(struct writer *writer, const struct hl7v2_ack *ack, int version)
{
    const struct hl7v2_ack_error *first = ack->error_count > 0 ? ack->errors : NULL;
    put_string(writer, "MSA");
    put_fields(writer, 1);
    put_string(writer, hl7v2_ack_code_text(ack->code));
    put_fields(writer, 1);
    put_echo(writer, ack->message, 10);
    if (first != NULL && version < VERSION(2, 7, 0)) {
        const char *text = first->user_message != NULL ? first->user_message : first->diagnostic;
        put_fields(writer, 1);
        put_escaped(writer, text != NULL ? text : hl7v2_condition_text(first->condition), HL7V2_ACK_MSA_TEXT_MAX_BYTES);
        if (version < VERSION(2, 5, 0)) {
            put_fields(writer, 3);
            put_condition(writer, first->condition, writer->delimiters.component);
        }
    }
    put_char(writer, '\r');
}

// Numbers from a location, separated by component delimiters, as far as the last that is said.
static void put_location(struct writer *writer, const struct hl7v2_location *location, size_t parts)
{
    const unsigned all[] = {location->sequence, location->field, location->repetition, location->component,
                            location->subcomponent};
    put_escaped(writer, location->segment, sizeof location->segment);
    while (parts > 0 && all[parts - 1] == 0)
        parts--;
    for (size_t i = 0; i < parts && writer->delimiters.component != '\0'; i++) {
        put_char(writer, writer->delimiters.component);
        if (all[i] > 0)
            put_number(writer, all[i]);
    }
}

// v2.5 and later: ERR-2 location, ERR-3 code, ERR-4 severity, ERR-7 and -8 texts.
static void put_error(struct writer *writer, const struct hl7v2_ack_error *error)
{
    put_string(writer, "ERR");
    put_fields(writer, 2);
    put_location(writer, &error->location, 5);
    put_fields(writer, 1);
    put_condition(writer, error->condition, writer->delimiters.component);
    put_fields(writer, 1);
    put_char(writer, error->severity != '\0' ? error->severity : 'E');
    if (error->diagnostic != NULL || error->user_message != NULL) {
        put_fields(writer, 3);
        put_escaped(writer, error->diagnostic, HL7V2_ACK_DIAGNOSTIC_MAX_BYTES);
    }
    if (error->user_message != NULL) {
        put_fields(writer, 1);
        put_escaped(writer, error->user_message, HL7V2_ACK_USER_MESSAGE_MAX_BYTES);
    }
    put_char(writer, '\r');
}

// Before v2.5: ERR-1 is an ELD, segment ^ sequence ^ field ^ code & text & table, repeated.
static void put_old_errors(struct writer *writer, const struct hl7v2_ack_error *errors, size_t count)
{
    char component = writer->delimiters.component;
    if (component == '\0')
        return; // MSA-6 has the code
    if (writer->delimiters.repetition == '\0')
        count = 1;
    put_string(writer, "ERR");
    put_fields(writer, 1);
    for (size_t i = 0; i < count; i++) {
        const struct hl7v2_location *location = &errors[i].location;
        if (i > 0)
            put_char(writer, writer->delimiters.repetition);
        put_escaped(writer, location->segment, sizeof location->segment);
        put_char(writer, component);
        if (location->sequence > 0)
            put_number(writer, location->sequence);
        put_char(writer, component);
        if (location->field > 0)
            put_number(writer, location->field);
        put_char(writer, component);
        put_condition(writer, errors[i].condition, writer->delimiters.subcomponent);
    }
    put_char(writer, '\r');
}

static void write_all(struct writer *writer, const struct hl7v2_ack *ack, bool utf8)
{
    int version = version_of(ack->message);
    size_t count = ack->error_count;
    if (count > HL7V2_ACK_ERRORS_MAX)
        count = HL7V2_ACK_ERRORS_MAX;
    writer->len = 0;
    put_header(writer, ack, version, utf8);
    put_acknowledgement(writer, ack, version);
    if (count > 0 && version < VERSION(2, 5, 0))
        put_old_errors(writer, ack->errors, count);
    for (size_t i = 0; i < count && version >= VERSION(2, 5, 0); i++)
        put_error(writer, &ack->errors[i]);
}

size_t hl7v2_ack_build(const struct hl7v2_ack *ack, char *out, size_t size)
{
    assert(ack->code != HL7V2_ACK_NONE && ack->control_id != NULL);
    struct writer writer = {.out = out, .size = size, .delimiters = *hl7v2_delimiters(ack->message)};
    write_all(&writer, ack, false);
    bool ascii = true;
    for (size_t i = 0; i < writer.len; i++)
        ascii = ascii && (unsigned char)out[i] < 0x80;
    if (!ascii)
        write_all(&writer, ack, true);
    if (writer.full)
        writer.len = 0;
    if (size > 0)
        out[writer.len] = '\0';
    return writer.len;
}
