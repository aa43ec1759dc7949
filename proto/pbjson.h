// Protobuf messages as JSON and back: the proto3 JSON mapping, driven by protobuf-c descriptors, for any
// message.
//
// Source: protobuf.dev, "ProtoJSON Format". Names are written in lowerCamelCase and read in that or as in the
// .proto file; enums are written by name and read by name or known number; 64-bit integers are written as
// strings; bytes are base64; what has its default value is left out. null stands for "not set". Reading is
// strict: unknown fields, wrong types, values out of range and two members of a oneof are errors.
//
// Choices and limits:
//  - proto3 without maps, groups, Any and the other well-known types; json_name is not in the descriptors.
//  - With PBJSON_UUID, bytes fields that hold ids are written and read as UUID text: see there.
//  - Of a name that occurs twice in one object, json-c keeps the last; both spellings of one name are an
//  error.
//  - The process's numeric locale must be "C", which it is unless setlocale was called.
//
// All functions are safe from any thread, as long as no other changes the same message or json_object.
#ifndef CAREHUB_PBJSON_H
#define CAREHUB_PBJSON_H

#include <stddef.h>
#include <json-c/json_object.h>
#include <protobuf-c/protobuf-c.h>

#define PBJSON_DEPTH_MAX 32              // messages within each other, the outermost one included
#define PBJSON_TEXT_MAX_BYTES (4u << 20) // JSON text that is read
#define PBJSON_REPEAT_MAX 10000          // elements of one array that is read
#define PBJSON_ELEMENTS_MAX 100000       // fields and elements together that are read
#define PBJSON_ERROR_TEXT_CHARS 512      // room for any text of pbjson_error_format, with its NUL

enum pbjson_flag {
    PBJSON_PRETTY = 1 << 0,   // several lines, indented; else compact
    PBJSON_DEFAULTS = 1 << 1, // also write scalars with their default value, and empty arrays
    // Bytes fields named id, amends or retracts, or whose name ends in _id: written as UUID text when they
    // are 16 bytes, read as UUID text (either case) or base64. A deviation from the mapping, for people.
    // 36 characters in the form of a UUID always mean the UUID. Other fields are not affected.
    PBJSON_UUID = 1 << 2,
};

enum pbjson_status {
    PBJSON_OK = 0,
    PBJSON_SYNTAX,   // not JSON, or not UTF-8: line and column say where
    PBJSON_MISMATCH, // JSON that does not fit the message type: path says where
    PBJSON_LIMIT,    // a PBJSON_*_MAX is exceeded
    PBJSON_NO_MEMORY,
};

// What is wrong. Holds names and positions, never a value from the text.
struct pbjson_error {
    enum pbjson_status status;
    unsigned line;      // of a syntax error, from 1; else 0
    unsigned column;    // in characters, from 1; else 0
    char path[256];     // such as "medication.changes[2].kind"; "" is the whole; cut at the end when too long
    char expected[192]; // what should have been there, as the rest of a sentence
};

// The message as JSON text: malloc'd, the caller frees. flags are of enum pbjson_flag. NULL with errno
// ENOMEM, or ELOOP when it is nested deeper than PBJSON_DEPTH_MAX. An enum value without a name is written as
// a number. Strings are written as they are: a message from elsewhere has been through pbcheck.
char *pbjson_from(const ProtobufCMessage *m, unsigned flags);

// The same as a json-c object, to embed in a larger answer; the caller owns it (json_object_put).
// PBJSON_PRETTY has no effect.
struct json_object *pbjson_object(const ProtobufCMessage *m, unsigned flags);

// Reads text[0..len), which is one JSON object with nothing but white space around it, as a message of type
// d. flags: PBJSON_UUID or 0. The caller frees with protobuf_c_message_free_unpacked(m, NULL). NULL on error,
// and then *err (may be NULL) is filled in.
ProtobufCMessage *pbjson_parse(const ProtobufCMessageDescriptor *d, const char *text, size_t len, unsigned flags,
                               struct pbjson_error *err);

// The same from a json-c object, which stays the caller's and is not changed.
ProtobufCMessage *pbjson_parse_object(const ProtobufCMessageDescriptor *d, struct json_object *object, unsigned flags,
                                      struct pbjson_error *err);

// Reads text[0..len) as JSON, with the same strictness and limits, without a message type. The caller owns the
// tree (json_object_put); NULL is also the tree of the text "null", so err->status tells (err may be NULL).
struct json_object *pbjson_tree(const char *text, size_t len, struct pbjson_error *err);

// Writes a line such as "medication.changes[2].kind: expected a name or number of carehub.v1.ChangeKind" or
// "line 3, column 14: expected …" to text, cut to size with its NUL.
void pbjson_error_format(const struct pbjson_error *err, char *text, size_t size);

#endif
