// What the parts of the HL7 v2 core share with each other, and with nobody else.
#ifndef CAREHUB_HL7V2_INTERNAL_H
#define CAREHUB_HL7V2_INTERNAL_H

#include "hl7v2.h"
#include "hl7v2_charset.h"

struct hl7v2_segment {
    uint32_t start;  // offset of its name in text
    uint32_t end;    // offset just after its last byte
    uint32_t first;  // index in field_starts of the byte after its first separator
    uint32_t fields; // number of separators; field_starts[first + fields] is end + 1
    char name[4];
};

// One allocation holds this, the segments, the field starts and the text, in that order.
struct hl7v2_message {
    struct hl7v2_delimiters delimiters;
    unsigned notes;
    size_t replaced_bytes;
    const struct hl7v2_charset *charset;
    size_t segment_count;
    struct hl7v2_segment *segments;
    uint32_t *field_starts;
    char *text; // UTF-8 without zero bytes
    size_t text_len;
};

enum { HL7V2_FRAME_BEGIN = 0x0b, HL7V2_FRAME_END = 0x1c };

// What stands between segments: CR, and in files LF; and where a file was cut out of an MLLP stream, its frames.
static inline bool hl7v2_is_break(uint8_t byte)
{
    return byte == '\r' || byte == '\n' || byte == HL7V2_FRAME_BEGIN || byte == HL7V2_FRAME_END;
}

// Skips a byte order mark, white space and the beginning of a frame; returns the offset of what follows.
size_t hl7v2_skip_leading(const uint8_t *bytes, size_t len);

// Whether a line at bytes begins with a segment name: three of A-Z 0-9, then the separator or the end.
bool hl7v2_looks_like_segment(const uint8_t *bytes, size_t len, char field_separator);

// Chooses the set of len bytes of message, of which special are zero or above 127 and which MSH begins,
// and decodes them into self->text.
void hl7v2_decode_text(struct hl7v2_message *self, const uint8_t *bytes, size_t len, size_t special,
                       const struct hl7v2_options *options);

// Fills an error whose location is not known yet.
void hl7v2_fail(struct hl7v2_error *error, enum hl7v2_status status, enum hl7v2_condition condition, size_t offset,
                const char *text);

#endif
