// Whether what a file or batch says of itself is so: the order of its segments, and its counts
// (2.10.3, 2.15.3, 2.15.7).
#include "hl7v2_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_DIGITS_MAX 9u

// Where a walk through the lines stands.
struct walk {
    const char *bytes;
    size_t len, at, end; // of the line
    unsigned lines;
    unsigned files, headers, trailers; // FHS, BHS, BTS so far
    unsigned messages, batches;        // of the batch, and of the file, so far
    bool in_message, counted;          // counted: the messages since the last BTS or BHS belong to a batch that was
    struct hl7v2_error *error;
};

static bool fail(struct walk *walk, const char *segment, unsigned sequence, unsigned field,
                 enum hl7v2_condition condition, const char *text)
{
    if (walk->error == NULL)
        return false;
    hl7v2_fail(walk->error, HL7V2_ERR_BATCH_CONTENT, condition, walk->at, text);
    walk->error->segment_number = walk->lines;
    walk->error->location.sequence = sequence;
    walk->error->location.field = field;
    snprintf(walk->error->location.segment, sizeof walk->error->location.segment, "%s", segment);
    return false;
}

static bool is_segment(const struct walk *walk, const char *name)
{
    size_t len = walk->end - walk->at;
    const char *line = walk->bytes + walk->at;
    return len >= 3 && memcmp(line, name, 3) == 0 &&
           (len == 3 || ((line[3] < 'A' || line[3] > 'Z') && (line[3] < '0' || line[3] > '9')));
}

// What looks like one; not blanks at the end of a file, or the end mark of an old system.
static bool is_any_segment(const struct walk *walk)
{
    size_t len = walk->end - walk->at;
    for (size_t i = 0; i < 3; i++) {
        char c = i < len ? walk->bytes[walk->at + i] : ' ';
        if ((c < 'A' || c > 'Z') && (c < '0' || c > '9'))
            return false;
    }
    return true;
}

// The first field of a trailer as a number; -1: it is empty, -2: it is none.
static long trailer_count(const struct walk *walk)
{
    size_t len = walk->end - walk->at;
    const char *line = walk->bytes + walk->at;
    long count = 0;
    size_t digits = 0;
    if (len < 5 || line[4] == line[3])
        return -1;
    for (size_t i = 4; i < len && line[i] != line[3] && line[i] != ' '; i++, digits++) {
        if (line[i] < '0' || line[i] > '9' || digits == COUNT_DIGITS_MAX)
            return -2;
        count = 10 * count + (line[i] - '0');
    }
    return digits > 0 ? count : -1;
}

static bool check_trailer(struct walk *walk, const char *segment, unsigned sequence, unsigned found, const char *what)
{
    char text[HL7V2_ERROR_TEXT_MAX_BYTES];
    long said = trailer_count(walk);
    if (said == -2)
        return fail(walk, segment, sequence, 1, HL7V2_CONDITION_DATA_TYPE, "the count is not a number");
    if (said == -1 || said == (long)found)
        return true;
    snprintf(text, sizeof text, "it counts %ld %s and there are %u; those were taken, see whether any are missing",
             said, what, found);
    return fail(walk, segment, sequence, 1, HL7V2_CONDITION_TABLE_VALUE, text);
}

static bool see_header(struct walk *walk, bool file)
{
    walk->in_message = walk->counted = false;
    walk->messages = 0;
    if (!file) {
        walk->headers++;
        walk->batches++;
        walk->counted = true;
        return true;
    }
    if (++walk->files > 1)
        return fail(walk, "FHS", walk->files, 0, HL7V2_CONDITION_SEGMENT_SEQUENCE, "a second FHS; one file has one");
    if (walk->batches > 0)
        return fail(walk, "FHS", 1, 0, HL7V2_CONDITION_SEGMENT_SEQUENCE, "an FHS after the beginning of the file");
    return true;
}

// Batch headers and trailers may be left out: messages without them are a batch as well.
static void see_message(struct walk *walk)
{
    walk->in_message = true;
    walk->messages++;
    if (!walk->counted)
        walk->batches++;
    walk->counted = true;
}

static bool see_line(struct walk *walk)
{
    if (is_segment(walk, "FHS") || is_segment(walk, "BHS"))
        return see_header(walk, walk->bytes[walk->at] == 'F');
    if (is_segment(walk, "MSH")) {
        see_message(walk);
        return true;
    }
    if (is_segment(walk, "BTS")) {
        unsigned found = walk->messages;
        walk->in_message = walk->counted = false;
        walk->messages = 0;
        return check_trailer(walk, "BTS", ++walk->trailers, found, "messages");
    }
    if (is_segment(walk, "FTS")) {
        walk->in_message = false;
        return check_trailer(walk, "FTS", 1, walk->batches, "batches");
    }
    if (walk->in_message || !is_any_segment(walk))
        return true;
    return fail(walk, "", 0, 0, HL7V2_CONDITION_SEGMENT_SEQUENCE,
                "a segment that belongs to no message: the MSH before it is missing");
}

bool hl7v2_batch_check(const void *bytes, size_t len, struct hl7v2_error *error)
{
    struct walk walk = {.bytes = bytes, .len = len, .error = error};
    if (error != NULL)
        *error = (struct hl7v2_error){.status = HL7V2_OK};
    for (walk.at = hl7v2_skip_leading(bytes, len); walk.at < len; walk.at = walk.end) {
        walk.end = walk.at;
        while (walk.end < len && !hl7v2_is_break(walk.bytes[walk.end]))
            walk.end++;
        walk.lines++;
        if (!see_line(&walk))
            return false;
        while (walk.end < len && hl7v2_is_break(walk.bytes[walk.end]))
            walk.end++;
    }
    return true;
}

bool hl7v2_split_checked(const void *bytes, size_t len, size_t *position, const void **message, size_t *message_len)
{
    if (*position > len)
        return false;
    if (hl7v2_split_next(bytes, len, position, message, message_len))
        return true;
    *position = len + 1;
    *message = bytes;
    *message_len = len;
    return hl7v2_skip_leading(bytes, len) < len && !hl7v2_batch_check(bytes, len, NULL);
}
