// One HL7 v2 message: parsed from bytes into a read-only index, without I/O.
//
// Sources: HL7 v2.5.1 chapter 2 (Control), sections 2.5 (construction), 2.7 (escapes), 2.15.9 (MSH);
// v2.7 chapter 2 for the truncation character. Section numbers below are those of v2.5.1.
//
// Numbering: fields, repetitions, components and subcomponents count from 1 as in the standard, and 0
// means "the whole of it". Occurrences of a segment and segment indexes count from 0. MSH-1 is the field
// separator itself, so MSH-9 here is the standard's MSH-9.
//
// Threads: a message is immutable after hl7v2_parse; any number of threads may read it. No function
// here keeps state that another call could see.
#ifndef CAREHUB_HL7V2_H
#define CAREHUB_HL7V2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Default limits. They bound memory: an index costs 4 bytes a field and 24 bytes a segment, and
// decoding at most triples the text.
#define HL7V2_MESSAGE_MAX_BYTES (4u * 1024u * 1024u)
#define HL7V2_SEGMENTS_MAX 20000u       // in one message
#define HL7V2_SEGMENT_FIELDS_MAX 1000u  // in one segment; the standard's longest has fewer than 100
#define HL7V2_FIELDS_MAX 500000u        // in one message
#define HL7V2_CONTROL_ID_MAX_BYTES 199u // MSH-10, v2.7 2.14.9.10
#define HL7V2_ERROR_TEXT_MAX_BYTES 160u // with its terminating zero

// What went wrong. hl7v2_status_name gives the stable name.
enum hl7v2_status {
    HL7V2_OK,
    HL7V2_ERR_EMPTY,          // nothing but white space
    HL7V2_ERR_TOO_LARGE,      // more than message_max_bytes
    HL7V2_ERR_NOT_HL7,        // does not begin with MSH, BHS or FHS
    HL7V2_ERR_BATCH,          // begins with BHS or FHS: see hl7v2_split_next
    HL7V2_ERR_DELIMITERS,     // MSH-1 or MSH-2 cannot be used
    HL7V2_ERR_SEGMENT_NAME,   // a line that does not begin with a segment name
    HL7V2_ERR_BATCH_CONTENT,  // a file or batch is not what it says of itself: see hl7v2_batch_check
    HL7V2_ERR_SECOND_HEADER,  // a second MSH, or a batch segment, inside the message
    HL7V2_ERR_SEGMENTS,       // more than segments_max
    HL7V2_ERR_FIELDS,         // more than segment_fields_max or fields_max
    HL7V2_ERR_FIELD_MISSING,  // a required field is empty
    HL7V2_ERR_FIELD_TOO_LONG, // a field is longer than the standard allows
    HL7V2_ERR_NO_MEMORY
};

// HL7 table 0357, message error condition codes (2.15.5.3), for ERR-3.
enum hl7v2_condition {
    HL7V2_CONDITION_ACCEPTED = 0,
    HL7V2_CONDITION_SEGMENT_SEQUENCE = 100,
    HL7V2_CONDITION_REQUIRED_FIELD = 101,
    HL7V2_CONDITION_DATA_TYPE = 102,
    HL7V2_CONDITION_TABLE_VALUE = 103,
    HL7V2_CONDITION_TOO_LONG = 104,
    HL7V2_CONDITION_MESSAGE_TYPE = 200,
    HL7V2_CONDITION_EVENT_CODE = 201,
    HL7V2_CONDITION_PROCESSING_ID = 202,
    HL7V2_CONDITION_VERSION_ID = 203,
    HL7V2_CONDITION_UNKNOWN_KEY = 204,
    HL7V2_CONDITION_DUPLICATE_KEY = 205,
    HL7V2_CONDITION_RECORD_LOCKED = 206,
    HL7V2_CONDITION_INTERNAL = 207
};

// A place in a message, in the terms of ERL (2.A.28): everything counts from 1, 0 is "not said".
struct hl7v2_location {
    char segment[4];   // its name, "" when unknown
    unsigned sequence; // which of the segments of that name
    unsigned field;
    unsigned repetition;
    unsigned component;
    unsigned subcomponent;
};

struct hl7v2_error {
    enum hl7v2_status status;
    enum hl7v2_condition condition;        // for ERR-3
    struct hl7v2_location location;        // for ERR-2
    unsigned segment_number;               // place among all segments, from 1; 0 when unknown
    size_t offset;                         // byte in the buffer given to hl7v2_parse
    char text[HL7V2_ERROR_TEXT_MAX_BYTES]; // a sentence for an operator; never quotes patient data
};

// Things that were tolerated in a message, or'ed together in hl7v2_notes.
enum hl7v2_note {
    HL7V2_NOTE_LEADING_BYTES = 1 << 0,     // byte order mark or white space before MSH
    HL7V2_NOTE_LINE_ENDS = 1 << 1,         // LF or CRLF where the standard has CR (2.5.1)
    HL7V2_NOTE_LINE_FEED_IN_TEXT = 1 << 2, // a bare LF inside a field of a CR-terminated message
    HL7V2_NOTE_SHORT_MSH2 = 1 << 3,        // MSH-2 has fewer than four characters
    HL7V2_NOTE_DOUBLED_ESCAPE = 1 << 4,    // MSH-2 is ^~\\&: somebody escaped it twice
    HL7V2_NOTE_UTF8_UNDECLARED = 1 << 5,   // UTF-8 found where MSH-18 says another set, or nothing
    HL7V2_NOTE_CHARSET_ASSUMED = 1 << 6,   // no set declared for the bytes found: undeclared_charset used
    HL7V2_NOTE_CHARSET_UNKNOWN = 1 << 7,   // MSH-18 names a set that is not supported
    HL7V2_NOTE_BYTES_REPLACED = 1 << 8,    // undecodable bytes became U+FFFD: hl7v2_replaced_bytes
    HL7V2_NOTE_MSH2_TRUNCATION = 1 << 9    // MSH-2 has the v2.7 truncation character; for information
};

struct hl7v2_options {
    size_t message_max_bytes;
    unsigned segments_max;
    unsigned segment_fields_max;
    unsigned fields_max;
    // Table 0211 name of the set to use when MSH-18 declares none (or only ASCII) and bytes above 127
    // are not UTF-8. The standard has no answer there, and senders that forget MSH-18 are common.
    const char *undeclared_charset;
};

#define HL7V2_OPTIONS_DEFAULT                                                                                          \
    ((struct hl7v2_options){.message_max_bytes = HL7V2_MESSAGE_MAX_BYTES,                                              \
                            .segments_max = HL7V2_SEGMENTS_MAX,                                                        \
                            .segment_fields_max = HL7V2_SEGMENT_FIELDS_MAX,                                            \
                            .fields_max = HL7V2_FIELDS_MAX,                                                            \
                            .undeclared_charset = "8859/1"})

// The characters of MSH-1 and MSH-2. One that the sender left out is 0: it does not occur.
struct hl7v2_delimiters {
    char field;
    char component;
    char repetition;
    char escape;
    char subcomponent;
    char truncation; // v2.7 and later
};

// 2.5.3: "no value" and "delete the value" differ, and matter in an update (A08).
enum hl7v2_presence {
    HL7V2_ABSENT, // the message ends before this position, or has no such segment
    HL7V2_EMPTY,  // the position is there, with nothing in it
    HL7V2_NULL,   // "" : the sender says to delete what is known
    HL7V2_VALUED
};

// A piece of the message's text, UTF-8, still escaped, not zero-terminated; owned by the message.
struct hl7v2_value {
    const char *at;
    size_t len; // bytes; 0 when absent or empty, 2 when null
    enum hl7v2_presence presence;
};

struct hl7v2_message;

// Parses one message of len bytes. The message keeps no reference to bytes.
// options may be NULL for the defaults. error may be NULL; on success its status is HL7V2_OK.
// Returns NULL on any error. The caller owns the message: hl7v2_message_destroy.
struct hl7v2_message *hl7v2_parse(const void *bytes, size_t len, const struct hl7v2_options *options,
                                  struct hl7v2_error *error);

// Frees a message and clears the caller's pointer. NULL is fine.
void hl7v2_message_destroy(struct hl7v2_message **self);

// Checks what no receiver can do without: MSH-9.1 (what it is) and MSH-10 (what to acknowledge), and
// that MSH-10 is not longer than HL7V2_CONTROL_ID_MAX_BYTES. MSH-11 and MSH-12 are required by the
// standard too (2.15.9), but so often left out that judging them is left to the caller. The offset of the
// error is one in hl7v2_text_bytes.
bool hl7v2_check_header(const struct hl7v2_message *self, struct hl7v2_error *error);

// What the message is made of.
const struct hl7v2_delimiters *hl7v2_delimiters(const struct hl7v2_message *self);
unsigned hl7v2_notes(const struct hl7v2_message *self);                      // enum hl7v2_note, or'ed
size_t hl7v2_replaced_bytes(const struct hl7v2_message *self);               // bytes that became U+FFFD
const char *hl7v2_charset(const struct hl7v2_message *self);                 // table 0211 name of the set that was used
size_t hl7v2_segment_count(const struct hl7v2_message *self);                // MSH included
const char *hl7v2_text_bytes(const struct hl7v2_message *self, size_t *len); // decoded text, from MSH on

// The name of segment index, three characters and a zero; NULL when there is no such segment.
const char *hl7v2_segment_name(const struct hl7v2_message *self, size_t index);

// The index of the occurrence-th segment (from 0) called name, or -1.
ptrdiff_t hl7v2_segment_find(const struct hl7v2_message *self, const char *name, unsigned occurrence);

// The number of the last field of a segment that the message has room for (MSH-1 and -2 counted).
unsigned hl7v2_field_count(const struct hl7v2_message *self, size_t index);

// The number of repetitions of a field: 0 when absent, else at least 1.
unsigned hl7v2_repetition_count(const struct hl7v2_message *self, size_t index, unsigned field);

// A value by position. A repetition, component or subcomponent of 0 gives the whole of the level above,
// separators included. Every component of a field that is "" is HL7V2_NULL too.
struct hl7v2_value hl7v2_segment_get(const struct hl7v2_message *self, size_t index, unsigned field,
                                     unsigned repetition, unsigned component, unsigned subcomponent);

// The same, for the occurrence-th segment (from 0) called name.
struct hl7v2_value hl7v2_get(const struct hl7v2_message *self, const char *name, unsigned occurrence, unsigned field,
                             unsigned repetition, unsigned component, unsigned subcomponent);

// A value by path: NAME[n]-FIELD[r].COMPONENT.SUBCOMPONENT, for example PV1-3.4, PID-3[2].1, OBX[3]-5.0.
// What is left out is 1 and 0 asks for the whole, so "PID-5" is the first subcomponent of the first
// component of the first repetition, and "PID-5.0" the whole first repetition. A path that does not
// follow the grammar yields HL7V2_ABSENT.
struct hl7v2_value hl7v2_path(const struct hl7v2_message *self, const char *path);

// Writes the unescaped text of a value as a zero-terminated string. Returns the length it needs in
// bytes without the zero, as snprintf does; when that is size or more, the text was cut at a character.
// Escapes (2.7): delimiters, \X..\ (bytes of the message's character set), \.br\ \.sp\ \.ce\ as line
// feeds, \.sk\ as spaces, layout and highlighting dropped; \C..\ \M..\ \Z..\ and unknown ones kept as is.
size_t hl7v2_unescape(const struct hl7v2_message *self, struct hl7v2_value value, char *out, size_t size);

// hl7v2_path and hl7v2_unescape in one: out is "" unless valued. len_needed may be NULL.
enum hl7v2_presence hl7v2_text(const struct hl7v2_message *self, const char *path, char *out, size_t size,
                               size_t *len_needed);

// Writes text escaped for use inside a field, component or subcomponent with these delimiters, cut at
// a character when it does not fit. Line ends become \.br\, other control characters spaces. Without an
// escape character delimiters become spaces. Returns the bytes needed without the zero, as snprintf does.
size_t hl7v2_escape(const struct hl7v2_delimiters *delimiters, const char *text, char *out, size_t size);

// What a buffer begins with, after white space and a byte order mark.
enum hl7v2_kind { HL7V2_KIND_OTHER, HL7V2_KIND_MESSAGE, HL7V2_KIND_BATCH, HL7V2_KIND_FILE };
enum hl7v2_kind hl7v2_kind_of(const void *bytes, size_t len);

// Walks the messages of a file or batch (2.10.3), or of several messages one after the other. Set
// *position to 0 before the first call. Each call gives the next message's bytes, from its MSH to just
// before the next MSH or batch segment. Returns false at the end. Whether headers, trailers and counts
// agree is hl7v2_batch_check's.
bool hl7v2_split_next(const void *bytes, size_t len, size_t *position, const void **message, size_t *message_len);

// Checks what a file or batch says of itself: its counts (BTS-1 messages, FTS-1 batches), which may be left out as
// headers and trailers may; one file in it; no segment outside a message. The first thing that is wrong is in error
// (may be NULL). Messages alone have nothing to check.
bool hl7v2_batch_check(const void *bytes, size_t len, struct hl7v2_error *error);

// hl7v2_split_next for receivers that tell the sender: where the check fails, the whole buffer comes last, after the
// messages, so that it is refused as what it is: hl7v2_parse does (HL7V2_ERR_BATCH), and hl7v2_batch_check says why.
bool hl7v2_split_checked(const void *bytes, size_t len, size_t *position, const void **message, size_t *message_len);

// Gives a header to answer when the message itself does not parse: its MSH line if that can be read
// alone, else what can be read of it with the usual delimiters, else an empty header. BHS and FHS lines
// yield sender, receiver and control id (field 11). Never a body. Returns NULL only without memory.
struct hl7v2_message *hl7v2_salvage_header(const void *bytes, size_t len);

const char *hl7v2_status_name(enum hl7v2_status status);
// The text of table 0357 for a condition; "" for a code not in it.
const char *hl7v2_condition_text(enum hl7v2_condition condition);

#endif
