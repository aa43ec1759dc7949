// Checks protobuf bytes against a descriptor before protobuf-c unpacks them, and cleans a message after.
//
// protobuf-c allocates for whatever it reads, recurses as deep as the bytes tell it to, lets the last of a
// repeated singular field win, and keeps unknown fields. The hub refuses what it would not have written, so
// it looks first: one pass over the bytes, no allocation, no recursion. What pbcheck accepts, protobuf-c
// unpacks (unless memory runs out), into at most elements_max fields and elements.
//
// Wire format: protobuf.dev, "Encoding". For proto3 messages without groups, maps or extensions.
// Pure functions, safe from any thread.
#ifndef CAREHUB_PBCHECK_H
#define CAREHUB_PBCHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <protobuf-c/protobuf-c.h>

#define PBCHECK_DEPTH_MAX 16         // messages within each other, the outermost one included
#define PBCHECK_BYTES_MAX (1u << 20) // default for the whole message
#define PBCHECK_REPEAT_MAX 1000      // default for the elements of one repeated field in one message
#define PBCHECK_ELEMENTS_MAX 10000   // default for all fields and packed elements together
#define PBCHECK_ONEOFS_MAX 8         // oneofs of one message type
#define PBCHECK_FIELDS_MAX 256       // fields of one message type
#define PBCHECK_REPEATED_MAX 16      // repeated fields that occur in one message
#define PBCHECK_TEXT_CHARS 320       // room for any text of pbcheck_format, with its NUL

enum pbcheck_status {
    PBCHECK_OK = 0,
    PBCHECK_TOO_LARGE,         // more bytes than bytes_max
    PBCHECK_TRUNCATED,         // a field reaches beyond the end of its message
    PBCHECK_OVERLONG,          // a varint of more than 10 bytes (5 for a key or a length) or 64 bits
    PBCHECK_FIELD_NUMBER,      // a field number of 0 or above 2^29 - 1
    PBCHECK_WIRE_TYPE,         // a group, a reserved wire type, or not the one of the field's type
    PBCHECK_REPEATED_SINGULAR, // a singular field occurs twice
    PBCHECK_ONEOF_TWICE,       // two members of one oneof
    PBCHECK_UNKNOWN_ENUM,      // an enum value that the schema doesn't name
    PBCHECK_UTF8,              // a string that is not UTF-8, or holds NUL
    PBCHECK_TOO_DEEP,          // nested more than depth_max
    PBCHECK_TOO_MANY_REPEATS,  // a repeated field has more than repeat_max elements
    PBCHECK_TOO_MANY_ELEMENTS, // more than elements_max fields and elements in all
    PBCHECK_SCHEMA,            // a message type is too large for this checker (not the sender's fault)
};

struct pbcheck_limits {
    size_t bytes_max;        // of the whole message
    unsigned depth_max;      // 1 to PBCHECK_DEPTH_MAX; 1 allows no nested message
    uint32_t repeat_max;     // elements of one repeated field in one message
    uint32_t elements_max;   // occurrences of fields, unknown ones too, and packed elements, in all
    bool allow_unknown_enum; // accept enum values that the schema doesn't name
};

// The PBCHECK_*_MAX above; unknown enum values are refused.
extern const struct pbcheck_limits pbcheck_default_limits;

struct pbcheck_result {
    enum pbcheck_status status;
    size_t offset;                        // of the offending byte, or of the key of the offending field
    unsigned path_len;                    // how many of path are set; 0 for the message as a whole
    uint32_t path[PBCHECK_DEPTH_MAX + 1]; // field numbers from the outermost message to the offending field
    uint32_t unknown_fields;              // accepted occurrences of fields that the schema doesn't have
};

// Checks data[0..len) as a message of type d. NULL limits are the default ones. result is always filled in,
// and its status returned. Unknown fields are only counted: the caller refuses them, or unpacks and then
// calls pb_drop_unknown. data may be NULL when len is 0.
enum pbcheck_status pbcheck(const ProtobufCMessageDescriptor *d, const uint8_t *data, size_t len,
                            const struct pbcheck_limits *limits, struct pbcheck_result *result);

// A stable short name of a status, such as "unknown-enum". Static storage.
const char *pbcheck_status_name(enum pbcheck_status status);

// Writes a line such as "field 1002.3.7 at byte 214: enum value that the schema does not name" to text, cut
// to size with its NUL (PBCHECK_TEXT_CHARS is always enough). Holds none of the message's content.
void pbcheck_format(const struct pbcheck_result *result, char *text, size_t size);

// Frees the unknown fields of m and of all messages within it, which protobuf-c would write out again. m was
// unpacked by protobuf-c with the default allocator. False when m is nested deeper than PBCHECK_DEPTH_MAX;
// then what lies deeper is unchanged. A message that passed pbcheck never is.
bool pb_drop_unknown(ProtobufCMessage *m);

#endif
