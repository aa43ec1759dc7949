// Builds one HL7 v2 message: segments, and values in them by position. The opposite of hl7v2_parse: what is written is
// what hl7v2_unescape gives back, but for line ends and control characters (below).
//
// Delimiters are | ^ ~ \ &, segments end with CR. Values go in in ascending order of their position; separators before
// them, and none behind them, come by themselves. An empty text writes nothing: in HL7 that is "not said".
//
// Sources: HL7 v2.5.1 chapter 2, sections 2.5 (construction), 2.7 (escapes), 2.15.9 (MSH).
//
// Threads: any; a call touches its arguments only. Errors are sticky: without memory, or beyond max_bytes, nothing more
// is written, and hl7v2_writer_take gives NULL.
#ifndef CAREHUB_HL7V2_WRITE_H
#define CAREHUB_HL7V2_WRITE_H

#include <stdbool.h>
#include <stddef.h>

#include "hl7v2.h"

// A position in a segment; everything counts from 1, as when reading.
struct hl7v2_place {
    unsigned field, repetition, component, subcomponent;
};

static inline struct hl7v2_place hl7v2_at(unsigned field, unsigned repetition, unsigned component,
                                          unsigned subcomponent)
{
    return (struct hl7v2_place){field, repetition, component, subcomponent};
}

enum hl7v2_write_status { HL7V2_WRITE_OK, HL7V2_WRITE_TOO_LARGE, HL7V2_WRITE_NO_MEMORY };

struct hl7v2_writer {
    char *text; // malloc'd
    size_t len, size, max_bytes;
    enum hl7v2_write_status status;
    struct hl7v2_place last; // what was written last in the segment
    bool in_segment;
};

// max_bytes of the whole message; 0: HL7V2_MESSAGE_MAX_BYTES. Ended by hl7v2_writer_take or hl7v2_writer_clear.
void hl7v2_writer_init(struct hl7v2_writer *self, size_t max_bytes);
void hl7v2_writer_clear(struct hl7v2_writer *self);

// Begins a segment of that name, three characters; MSH with the delimiters in it, so that MSH-3 comes next.
void hl7v2_write_segment(struct hl7v2_writer *self, const char *name);

// Writes a text, UTF-8, escaped. Line ends and other control characters become spaces. A text that is "" itself, two
// quotation marks, which would mean "delete", is written as \X2222\.
void hl7v2_write(struct hl7v2_writer *self, struct hl7v2_place place, const char *text);

// The same for FT and TX: line ends become \.br\.
void hl7v2_write_formatted(struct hl7v2_writer *self, struct hl7v2_place place, const char *text);

void hl7v2_write_number(struct hl7v2_writer *self, struct hl7v2_place place, unsigned long number);

// Writes "": there is no value, and one that the receiver has is to go (2.5.3).
void hl7v2_write_null(struct hl7v2_writer *self, struct hl7v2_place place);

// Re-encodes all that was written in ISO 8859-1, for receivers that read nothing else. Typographic marks become plain
// ones, and a character that the set does not have becomes the local escape sequence \ZUnnnn\ (2.7.7) with its Unicode
// number in hexadecimal: it cannot be mistaken for another, and no number or comparison changes unseen. Nothing may be
// written afterwards. Returns how many became such a sequence.
size_t hl7v2_writer_to_latin1(struct hl7v2_writer *self);

// The message; the caller frees it, and the writer is empty. NULL: see status.
char *hl7v2_writer_take(struct hl7v2_writer *self, size_t *len);

#endif
