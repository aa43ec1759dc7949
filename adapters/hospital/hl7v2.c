// Reading a parsed message: values by position and by path.
#include "hl7v2_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])
#define PATH_NUMBER_MAX 99999u

const struct hl7v2_delimiters *hl7v2_delimiters(const struct hl7v2_message *self)
{
    return &self->delimiters;
}

unsigned hl7v2_notes(const struct hl7v2_message *self)
{
    return self->notes;
}

size_t hl7v2_replaced_bytes(const struct hl7v2_message *self)
{
    return self->replaced_bytes;
}

const char *hl7v2_charset(const struct hl7v2_message *self)
{
    return self->charset->name;
}

size_t hl7v2_segment_count(const struct hl7v2_message *self)
{
    return self->segment_count;
}

const char *hl7v2_text_bytes(const struct hl7v2_message *self, size_t *len)
{
    *len = self->text_len;
    return self->text;
}

const char *hl7v2_segment_name(const struct hl7v2_message *self, size_t index)
{
    return index < self->segment_count ? self->segments[index].name : NULL;
}

ptrdiff_t hl7v2_segment_find(const struct hl7v2_message *self, const char *name, unsigned occurrence)
{
    for (size_t i = 0; i < self->segment_count; i++)
        if (strcmp(self->segments[i].name, name) == 0 && occurrence-- == 0)
            return (ptrdiff_t)i;
    return -1;
}

static bool is_header(const struct hl7v2_segment *segment)
{
    return memcmp(segment->name, "MSH", 3) == 0;
}

unsigned hl7v2_field_count(const struct hl7v2_message *self, size_t index)
{
    if (index >= self->segment_count)
        return 0;
    const struct hl7v2_segment *segment = &self->segments[index];
    return segment->fields + (is_header(segment) ? 1 : 0);
}

static struct hl7v2_value value_of(const char *at, size_t len)
{
    enum hl7v2_presence presence = len == 0                                   ? HL7V2_EMPTY
                                   : len == 2 && at[0] == '"' && at[1] == '"' ? HL7V2_NULL
                                                                              : HL7V2_VALUED;
    return (struct hl7v2_value){at, len, presence};
}

static struct hl7v2_value absent(void)
{
    return (struct hl7v2_value){"", 0, HL7V2_ABSENT};
}

// The n-th piece (from 1) of value between delimiters; all of it for 0. The pieces of "" are "" too.
static struct hl7v2_value piece(struct hl7v2_value value, char delimiter, unsigned n)
{
    if (n == 0 || value.presence == HL7V2_NULL || value.presence == HL7V2_ABSENT)
        return value;
    const char *at = value.at, *end = value.at + value.len;
    for (;;) {
        const char *stop = delimiter != '\0' ? memchr(at, delimiter, (size_t)(end - at)) : NULL;
        if (--n == 0)
            return value_of(at, (size_t)((stop != NULL ? stop : end) - at));
        if (stop == NULL)
            return absent();
        at = stop + 1;
    }
}

// MSH-1 and MSH-2 are the delimiters themselves and have no parts.
static struct hl7v2_value delimiter_field(const struct hl7v2_message *self, const struct hl7v2_segment *segment,
                                          unsigned field, bool first)
{
    if (!first)
        return absent();
    if (field == 1)
        return value_of(self->text + segment->start + 3, 1);
    uint32_t start = self->field_starts[segment->first];
    return value_of(self->text + start, self->field_starts[segment->first + 1] - 1 - start);
}

static struct hl7v2_value whole_field(const struct hl7v2_message *self, const struct hl7v2_segment *segment,
                                      unsigned field)
{
    if (field == 0 || field > segment->fields)
        return absent();
    const uint32_t *start = self->field_starts + segment->first + field - 1;
    return value_of(self->text + start[0], start[1] - 1 - start[0]);
}

struct hl7v2_value hl7v2_segment_get(const struct hl7v2_message *self, size_t index, unsigned field,
                                     unsigned repetition, unsigned component, unsigned subcomponent)
{
    if (index >= self->segment_count)
        return absent();
    const struct hl7v2_segment *segment = &self->segments[index];
    if (is_header(segment)) {
        if (field == 1 || field == 2)
            return delimiter_field(self, segment, field, repetition <= 1 && component <= 1 && subcomponent <= 1);
        field = field == 0 ? 0 : field - 1;
    }
    struct hl7v2_value value = whole_field(self, segment, field);
    value = piece(value, self->delimiters.repetition, repetition);
    value = piece(value, self->delimiters.component, component);
    return piece(value, self->delimiters.subcomponent, subcomponent);
}

struct hl7v2_value hl7v2_get(const struct hl7v2_message *self, const char *name, unsigned occurrence, unsigned field,
                             unsigned repetition, unsigned component, unsigned subcomponent)
{
    ptrdiff_t index = hl7v2_segment_find(self, name, occurrence);
    if (index < 0)
        return absent();
    return hl7v2_segment_get(self, (size_t)index, field, repetition, component, subcomponent);
}

unsigned hl7v2_repetition_count(const struct hl7v2_message *self, size_t index, unsigned field)
{
    struct hl7v2_value value = hl7v2_segment_get(self, index, field, 0, 0, 0);
    if (value.presence == HL7V2_ABSENT)
        return 0;
    bool no_parts = is_header(&self->segments[index]) && field <= 2;
    if (no_parts || self->delimiters.repetition == '\0')
        return 1;
    unsigned count = 1;
    for (size_t i = 0; i < value.len; i++)
        count += value.at[i] == self->delimiters.repetition;
    return count;
}

static bool read_number(const char **at, unsigned *number)
{
    if (**at < '0' || **at > '9')
        return false;
    *number = 0;
    while (**at >= '0' && **at <= '9' && *number <= PATH_NUMBER_MAX)
        *number = *number * 10 + (unsigned)(*(*at)++ - '0');
    return *number <= PATH_NUMBER_MAX;
}

// [n], if there is one; it must be at least 1.
static bool read_bracket(const char **at, unsigned *number)
{
    *number = 1;
    if (**at != '[')
        return true;
    (*at)++;
    if (!read_number(at, number) || *number == 0 || **at != ']')
        return false;
    (*at)++;
    return true;
}

// .n, if there is one.
static bool read_part(const char **at, unsigned *number)
{
    if (**at != '.')
        return true;
    (*at)++;
    return read_number(at, number);
}

struct hl7v2_value hl7v2_path(const struct hl7v2_message *self, const char *path)
{
    char name[4] = "";
    unsigned segment, field, repetition, component = 1, subcomponent = 1;
    if (strnlen(path, 3) < 3)
        return absent();
    memcpy(name, path, 3);
    const char *at = path + 3;
    if (!read_bracket(&at, &segment) || *at++ != '-' || !read_number(&at, &field) || !read_bracket(&at, &repetition))
        return absent();
    if (!read_part(&at, &component))
        return absent();
    if (component == 0)
        subcomponent = 0;
    if (!read_part(&at, &subcomponent) || *at != '\0')
        return absent();
    return hl7v2_get(self, name, segment - 1, field, repetition, component, subcomponent);
}

enum hl7v2_presence hl7v2_text(const struct hl7v2_message *self, const char *path, char *out, size_t size,
                               size_t *len_needed)
{
    struct hl7v2_value value = hl7v2_path(self, path);
    if (value.presence == HL7V2_NULL)
        value.len = 0;
    size_t needed = hl7v2_unescape(self, value, out, size);
    if (len_needed != NULL)
        *len_needed = needed;
    return value.presence;
}

static bool fail_header(struct hl7v2_error *error, const struct hl7v2_message *self, unsigned field,
                        enum hl7v2_status status, const char *text)
{
    if (error == NULL)
        return false;
    struct hl7v2_value value = hl7v2_segment_get(self, 0, field, 0, 0, 0);
    size_t offset = value.presence == HL7V2_ABSENT ? self->segments[0].end : (size_t)(value.at - self->text);
    hl7v2_fail(error, status,
               status == HL7V2_ERR_FIELD_MISSING ? HL7V2_CONDITION_REQUIRED_FIELD : HL7V2_CONDITION_TOO_LONG, offset,
               text);
    error->location = (struct hl7v2_location){.segment = "MSH", .sequence = 1, .field = field};
    error->segment_number = 1;
    return false;
}

bool hl7v2_check_header(const struct hl7v2_message *self, struct hl7v2_error *error)
{
    if (hl7v2_segment_get(self, 0, 9, 1, 1, 1).presence != HL7V2_VALUED)
        return fail_header(error, self, 9, HL7V2_ERR_FIELD_MISSING, "MSH-9, the message type, is missing");
    struct hl7v2_value id = hl7v2_segment_get(self, 0, 10, 0, 0, 0);
    if (id.presence != HL7V2_VALUED)
        return fail_header(error, self, 10, HL7V2_ERR_FIELD_MISSING, "MSH-10, the message control id, is missing");
    if (id.len > HL7V2_CONTROL_ID_MAX_BYTES)
        return fail_header(error, self, 10, HL7V2_ERR_FIELD_TOO_LONG,
                           "MSH-10, the message control id, is longer than 199 bytes");
    if (error != NULL)
        *error = (struct hl7v2_error){.status = HL7V2_OK};
    return true;
}

const char *hl7v2_status_name(enum hl7v2_status status)
{
    static const char *const names[] = {
        [HL7V2_OK] = "ok",
        [HL7V2_ERR_EMPTY] = "empty",
        [HL7V2_ERR_TOO_LARGE] = "too_large",
        [HL7V2_ERR_NOT_HL7] = "not_hl7",
        [HL7V2_ERR_BATCH] = "batch",
        [HL7V2_ERR_DELIMITERS] = "delimiters",
        [HL7V2_ERR_SEGMENT_NAME] = "segment_name",
        [HL7V2_ERR_BATCH_CONTENT] = "batch_content",
        [HL7V2_ERR_SECOND_HEADER] = "second_header",
        [HL7V2_ERR_SEGMENTS] = "too_many_segments",
        [HL7V2_ERR_FIELDS] = "too_many_fields",
        [HL7V2_ERR_FIELD_MISSING] = "field_missing",
        [HL7V2_ERR_FIELD_TOO_LONG] = "field_too_long",
        [HL7V2_ERR_NO_MEMORY] = "no_memory",
    };
    return (size_t)status < COUNT_OF(names) ? names[status] : "unknown";
}

const char *hl7v2_condition_text(enum hl7v2_condition condition)
{
    static const struct {
        enum hl7v2_condition condition;
        const char *text;
    } texts[] = {
        {HL7V2_CONDITION_ACCEPTED, "Message accepted"},
        {HL7V2_CONDITION_SEGMENT_SEQUENCE, "Segment sequence error"},
        {HL7V2_CONDITION_REQUIRED_FIELD, "Required field missing"},
        {HL7V2_CONDITION_DATA_TYPE, "Data type error"},
        {HL7V2_CONDITION_TABLE_VALUE, "Table value not found"},
        {HL7V2_CONDITION_TOO_LONG, "Value too long"},
        {HL7V2_CONDITION_MESSAGE_TYPE, "Unsupported message type"},
        {HL7V2_CONDITION_EVENT_CODE, "Unsupported event code"},
        {HL7V2_CONDITION_PROCESSING_ID, "Unsupported processing id"},
        {HL7V2_CONDITION_VERSION_ID, "Unsupported version id"},
        {HL7V2_CONDITION_UNKNOWN_KEY, "Unknown key identifier"},
        {HL7V2_CONDITION_DUPLICATE_KEY, "Duplicate key identifier"},
        {HL7V2_CONDITION_RECORD_LOCKED, "Application record locked"},
        {HL7V2_CONDITION_INTERNAL, "Application internal error"},
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        if (texts[i].condition == condition)
            return texts[i].text;
    return "";
}
