// From bytes to an indexed message, in two walks over the lines: one over the bytes as they came, which
// finds every error (so that offsets are the sender's) and counts; one over the decoded text, which
// fills the index. Both are walk_lines.
#include "hl7v2_internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_LEN 3u // a segment name, 2.5.1
#define MSH2_MAX 5u // four encoding characters and the truncation character

struct walk {
    const uint8_t *bytes;
    size_t len;
    char separator;
    const struct hl7v2_options *options;
    bool cr_terminated;          // MSH ended with CR alone: a bare LF can then be text
    unsigned notes;              // out
    uint32_t segments;           // out
    uint32_t fields;             // out
    struct hl7v2_segment *index; // filled when not NULL
    uint32_t *field_starts;      // filled when index is not NULL
};

void hl7v2_fail(struct hl7v2_error *error, enum hl7v2_status status, enum hl7v2_condition condition, size_t offset,
                const char *text)
{
    *error = (struct hl7v2_error){.status = status, .condition = condition, .offset = offset};
    snprintf(error->text, sizeof error->text, "%s", text);
}

static void locate(struct hl7v2_error *error, const char *segment, unsigned sequence, unsigned field)
{
    snprintf(error->location.segment, sizeof error->location.segment, "%.3s", segment);
    error->location.sequence = sequence;
    error->location.field = field;
}

static bool is_line_end(uint8_t byte)
{
    return byte == '\r' || byte == '\n';
}

size_t hl7v2_skip_leading(const uint8_t *bytes, size_t len)
{
    size_t i = len >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    while (i < len && (hl7v2_is_break(bytes[i]) || bytes[i] == ' ' || bytes[i] == '\t'))
        i++;
    return i;
}

static bool is_name_char(uint8_t byte)
{
    return (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9');
}

bool hl7v2_looks_like_segment(const uint8_t *bytes, size_t len, char field_separator)
{
    if (len < NAME_LEN || !is_name_char(bytes[0]) || !is_name_char(bytes[1]) || !is_name_char(bytes[2]))
        return false;
    return len == NAME_LEN || bytes[NAME_LEN] == (uint8_t)field_separator || is_line_end(bytes[NAME_LEN]);
}

static bool is_blank_line(const uint8_t *bytes, size_t len)
{
    size_t i = 0;
    while (i < len && (bytes[i] == ' ' || bytes[i] == '\t'))
        i++;
    return i == len || is_line_end(bytes[i]);
}

// A bare LF is text when the sender ends segments with CR and no segment begins after it.
static bool is_text_line_feed(const struct walk *walk, size_t at)
{
    if (!walk->cr_terminated || walk->bytes[at] != '\n' || at + 1 == walk->len)
        return false;
    const uint8_t *next = walk->bytes + at + 1;
    size_t left = walk->len - at - 1;
    return !hl7v2_looks_like_segment(next, left, walk->separator) && !is_blank_line(next, left);
}

static unsigned sequence_of(const struct walk *walk, const uint8_t *name)
{
    // Only errors ask for this, so it counts afresh: a line is a segment of that name when it begins so.
    unsigned sequence = 0;
    for (const uint8_t *at = walk->bytes; at <= name; at++)
        if ((at == walk->bytes || is_line_end(at[-1])) && memcmp(at, name, NAME_LEN) == 0)
            sequence++;
    return sequence;
}

static bool fail_at_segment(const struct walk *walk, size_t start, enum hl7v2_status status, const char *text,
                            struct hl7v2_error *error)
{
    const uint8_t *line = walk->bytes + start;
    hl7v2_fail(error, status, HL7V2_CONDITION_SEGMENT_SEQUENCE, start, "");
    error->segment_number = walk->segments + 1;
    snprintf(error->text, sizeof error->text, "segment %u: %s", error->segment_number, text);
    if (status != HL7V2_ERR_SEGMENT_NAME)
        locate(error, (const char *)line, sequence_of(walk, line), 0);
    return false;
}

static bool check_segment(const struct walk *walk, size_t start, struct hl7v2_error *error)
{
    static const char inside_message[][4] = {"MSH", "BHS", "FHS", "BTS", "FTS"};
    const uint8_t *line = walk->bytes + start;
    if (!hl7v2_looks_like_segment(line, walk->len - start, walk->separator))
        return fail_at_segment(walk, start, HL7V2_ERR_SEGMENT_NAME,
                               "it does not begin with a segment name (three capitals or digits) and the "
                               "field separator",
                               error);
    for (size_t i = 0; start > 0 && i < sizeof inside_message / sizeof inside_message[0]; i++)
        if (memcmp(line, inside_message[i], NAME_LEN) == 0)
            return fail_at_segment(walk, start, HL7V2_ERR_SECOND_HEADER,
                                   "a second message header or a batch segment inside a message: send "
                                   "one message in each frame",
                                   error);
    if (walk->segments >= walk->options->segments_max)
        return fail_at_segment(walk, start, HL7V2_ERR_SEGMENTS, "there are more segments than segments_max allows",
                               error);
    return true;
}

// Walks from a segment's name to its end, noting where fields begin; returns the end.
static size_t walk_fields(struct walk *walk, size_t start)
{
    const uint8_t *bytes = walk->bytes;
    uint8_t separator = (uint8_t)walk->separator;
    uint32_t *starts = walk->field_starts;
    uint32_t fields = walk->fields;
    size_t at = start;
    for (; at < walk->len; at++) {
        if (bytes[at] == separator) {
            if (starts != NULL)
                starts[walk->segments + fields] = (uint32_t)at + 1;
            fields++;
        } else if (is_line_end(bytes[at])) {
            if (!is_text_line_feed(walk, at))
                break;
            walk->notes |= HL7V2_NOTE_LINE_FEED_IN_TEXT;
        }
    }
    walk->fields = fields;
    return at;
}

static bool check_field_counts(const struct walk *walk, size_t start, uint32_t fields, struct hl7v2_error *error)
{
    const char *text = NULL;
    if (fields > walk->options->segment_fields_max)
        text = "it has more fields than segment_fields_max allows";
    else if (walk->fields > walk->options->fields_max)
        text = "the message has more fields up to here than fields_max allows";
    if (text == NULL)
        return true;
    fail_at_segment(walk, start, HL7V2_ERR_FIELDS, text, error);
    error->condition = HL7V2_CONDITION_TOO_LONG;
    return false;
}

static void index_segment(struct walk *walk, size_t start, size_t end, uint32_t fields_before)
{
    struct hl7v2_segment *segment = &walk->index[walk->segments];
    uint32_t fields = walk->fields - fields_before;
    *segment = (struct hl7v2_segment){(uint32_t)start, (uint32_t)end, walk->segments + fields_before, fields, {0}};
    memcpy(segment->name, walk->bytes + start, NAME_LEN);
    // A sentinel, so that each field ends one byte before the next begins.
    walk->field_starts[segment->first + fields] = (uint32_t)end + 1;
}

static size_t skip_line_end(struct walk *walk, size_t at)
{
    bool alone = at + 1 == walk->len || !is_line_end(walk->bytes[at + 1]);
    if (walk->segments == 1)
        walk->cr_terminated = walk->bytes[at] == '\r' && alone;
    // Blank lines, too, are skipped; each byte is looked at twice at most.
    while (at < walk->len) {
        size_t line = at;
        while (at < walk->len && (walk->bytes[at] == ' ' || walk->bytes[at] == '\t'))
            at++;
        if (at < walk->len && !is_line_end(walk->bytes[at]))
            return line;
        if (at < walk->len && walk->bytes[at++] == '\n')
            walk->notes |= HL7V2_NOTE_LINE_ENDS;
    }
    return at;
}

// bytes[0] is the M of MSH.
static bool walk_lines(struct walk *walk, struct hl7v2_error *error)
{
    for (size_t at = 0; at < walk->len;) {
        if (!check_segment(walk, at, error))
            return false;
        uint32_t fields_before = walk->fields;
        size_t end = walk_fields(walk, at);
        if (!check_field_counts(walk, at, walk->fields - fields_before, error))
            return false;
        if (walk->index != NULL)
            index_segment(walk, at, end, fields_before);
        walk->segments++;
        at = end < walk->len ? skip_line_end(walk, end) : end;
    }
    return true;
}

static bool fail_delimiters(struct hl7v2_error *error, size_t offset, unsigned field, bool missing, const char *text)
{
    hl7v2_fail(error, missing ? HL7V2_ERR_FIELD_MISSING : HL7V2_ERR_DELIMITERS,
               missing ? HL7V2_CONDITION_REQUIRED_FIELD : HL7V2_CONDITION_DATA_TYPE, offset, text);
    locate(error, "MSH", 1, field);
    error->segment_number = 1;
    return false;
}

static bool usable_delimiter(uint8_t byte)
{
    bool letter_or_digit = is_name_char(byte) || (byte >= 'a' && byte <= 'z');
    return byte > ' ' && byte < 0x7F && byte != '"' && !letter_or_digit;
}

// MSH-2 by position: component, repetition, escape, subcomponent, truncation (2.15.9.2). The standard
// lets a sender that uses no escapes or subcomponents leave these off its end.
static bool read_delimiters(const uint8_t *bytes, size_t len, struct hl7v2_delimiters *out, unsigned *notes,
                            struct hl7v2_error *error)
{
    if (len <= NAME_LEN || !usable_delimiter(bytes[NAME_LEN]))
        return fail_delimiters(error, NAME_LEN, 1, len <= NAME_LEN,
                               "MSH-1, the field separator, must be a printable ASCII mark");
    const uint8_t *msh2 = bytes + NAME_LEN + 1;
    size_t room = len - NAME_LEN - 1, n = 0;
    while (n < room && msh2[n] != bytes[NAME_LEN] && !is_line_end(msh2[n]))
        n++;
    if (n == 0)
        return fail_delimiters(error, NAME_LEN + 1, 2, true, "MSH-2, the encoding characters, is empty");
    if (n > MSH2_MAX)
        return fail_delimiters(error, NAME_LEN + 1, 2, false, "MSH-2 has more than five characters");
    char set[1 + MSH2_MAX + 1] = {(char)bytes[NAME_LEN]};
    memcpy(set + 1, msh2, n);
    if (n > 3 && msh2[2] == msh2[3]) {
        // ^~\\& is ^~\& that went through a string literal once too often.
        memmove(set + 4, set + 5, 2);
        n--;
        *notes |= HL7V2_NOTE_DOUBLED_ESCAPE;
    } else if (n > 4) {
        *notes |= HL7V2_NOTE_MSH2_TRUNCATION;
    }
    for (size_t i = 1; i <= n; i++)
        if (!usable_delimiter((uint8_t)set[i]) || memchr(set, set[i], i) != NULL)
            return fail_delimiters(error, NAME_LEN + i, 2, false,
                                   "MSH-2 has a character that is no printable mark or occurs twice");
    if (n < 4)
        *notes |= HL7V2_NOTE_SHORT_MSH2;
    *out = (struct hl7v2_delimiters){set[0], set[1], set[2], set[3], set[4], set[5]};
    return true;
}

static struct hl7v2_message *allocate(uint32_t segments, uint32_t fields, size_t text_max)
{
    size_t index_bytes = segments * sizeof(struct hl7v2_segment);
    size_t starts_bytes = ((size_t)fields + segments) * sizeof(uint32_t);
    struct hl7v2_message *self = malloc(sizeof *self + index_bytes + starts_bytes + text_max);
    if (self == NULL)
        return NULL;
    *self = (struct hl7v2_message){.segment_count = segments};
    self->segments = (struct hl7v2_segment *)(self + 1);
    self->field_starts = (uint32_t *)(self->segments + segments);
    self->text = (char *)(self->field_starts + fields + segments);
    return self;
}

static bool check_start(const uint8_t *bytes, size_t len, const struct hl7v2_options *options,
                        struct hl7v2_error *error)
{
    if (len > options->message_max_bytes || len > UINT32_MAX / 4) {
        hl7v2_fail(error, HL7V2_ERR_TOO_LARGE, HL7V2_CONDITION_TOO_LONG, options->message_max_bytes,
                   "the message is larger than message_max_bytes allows");
        return false;
    }
    size_t start = hl7v2_skip_leading(bytes, len);
    if (start == len) {
        hl7v2_fail(error, HL7V2_ERR_EMPTY, HL7V2_CONDITION_SEGMENT_SEQUENCE, start, "the message is empty");
        return false;
    }
    switch (hl7v2_kind_of(bytes, len)) {
    case HL7V2_KIND_MESSAGE:
        return true;
    case HL7V2_KIND_BATCH:
    case HL7V2_KIND_FILE:
        hl7v2_fail(error, HL7V2_ERR_BATCH, HL7V2_CONDITION_MESSAGE_TYPE, start,
                   "this is a batch (it begins with BHS or FHS), not a message");
        locate(error, (const char *)bytes + start, 1, 0);
        error->segment_number = 1;
        return false;
    default:
        hl7v2_fail(error, HL7V2_ERR_NOT_HL7, HL7V2_CONDITION_SEGMENT_SEQUENCE, start,
                   "the message does not begin with MSH");
        locate(error, "MSH", 1, 0);
        return false;
    }
}

// bytes[0] is the M of MSH here; offsets in error are relative to it.
static struct hl7v2_message *parse_from_header(const uint8_t *bytes, size_t len, const struct hl7v2_options *options,
                                               struct hl7v2_error *error)
{
    unsigned notes = 0;
    struct hl7v2_delimiters delimiters;
    if (!read_delimiters(bytes, len, &delimiters, &notes, error))
        return NULL;
    struct walk count = {.bytes = bytes, .len = len, .separator = delimiters.field, .options = options};
    if (!walk_lines(&count, error))
        return NULL;
    size_t special = hl7v2_count_special(bytes, len);
    struct hl7v2_message *self = allocate(count.segments, count.fields, len + 2 * special);
    if (self == NULL) {
        hl7v2_fail(error, HL7V2_ERR_NO_MEMORY, HL7V2_CONDITION_INTERNAL, 0, "no memory for the message");
        return NULL;
    }
    self->delimiters = delimiters;
    self->notes = notes | count.notes;
    hl7v2_decode_text(self, bytes, len, special, options);
    struct walk fill = {.bytes = (const uint8_t *)self->text,
                        .len = self->text_len,
                        .separator = delimiters.field,
                        .options = options,
                        .index = self->segments,
                        .field_starts = self->field_starts};
    bool filled = walk_lines(&fill, error);
    // Bytes below 128 stand for themselves in every supported set, so both walks see the same lines.
    assert(filled && fill.segments == count.segments && fill.fields == count.fields);
    (void)filled;
    return self;
}

struct hl7v2_message *hl7v2_parse(const void *bytes, size_t len, const struct hl7v2_options *options,
                                  struct hl7v2_error *error)
{
    struct hl7v2_error ignored;
    struct hl7v2_options defaults = HL7V2_OPTIONS_DEFAULT;
    if (options == NULL)
        options = &defaults;
    if (error == NULL)
        error = &ignored;
    if (!check_start(bytes, len, options, error))
        return NULL;
    size_t start = hl7v2_skip_leading(bytes, len);
    const uint8_t *header = (const uint8_t *)bytes + start;
    // Some senders count a C string's zero as part of the message.
    while (len > start && header[len - start - 1] == 0)
        len--;
    struct hl7v2_message *self = parse_from_header(header, len - start, options, error);
    if (self == NULL) {
        error->offset += start;
        return NULL;
    }
    if (start > 0)
        self->notes |= HL7V2_NOTE_LEADING_BYTES;
    *error = (struct hl7v2_error){.status = HL7V2_OK};
    return self;
}

void hl7v2_message_destroy(struct hl7v2_message **self)
{
    free(*self);
    *self = NULL;
}
