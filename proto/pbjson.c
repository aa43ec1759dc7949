// From message to JSON. The other way is in pbjson_parse.c.
#include "pbjson.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "eventid.h"
#include "pbjson_field.h"

static struct json_object *write_message(const ProtobufCMessage *m, unsigned flags, unsigned depth);

// A number in the fewest digits that read back as the same value: digits to digits + 3 always hold them.
static struct json_object *write_double(double value, bool is_float)
{
    char text[32];

    if (isnan(value))
        return json_object_new_string("NaN");
    if (isinf(value))
        return json_object_new_string(value > 0 ? "Infinity" : "-Infinity");
    if (value == 0 && signbit(value)) // without a point, json-c would read an integer, which has no -0
        return json_object_new_double_s(value, "-0.0");
    for (int digits = is_float ? 6 : 15;; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (is_float ? digits == 9 || strtof(text, NULL) == (float)value : digits == 17 || strtod(text, NULL) == value)
            return json_object_new_double_s(value, text);
    }
}

// 64-bit integers are strings: JSON numbers are doubles to many readers.
static struct json_object *write_int64(int64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, value);
    return json_object_new_string(text);
}

static struct json_object *write_uint64(uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, value);
    return json_object_new_string(text);
}

static struct json_object *write_enum(const ProtobufCEnumDescriptor *type, int value)
{
    const ProtobufCEnumValue *named = protobuf_c_enum_descriptor_get_value(type, value);
    return named ? json_object_new_string(named->name) : json_object_new_int(value);
}

static struct json_object *write_bytes(const ProtobufCFieldDescriptor *field, const ProtobufCBinaryData *bytes,
                                       unsigned flags)
{
    if ((flags & PBJSON_UUID) != 0 && bytes->len == EVENTID_BYTES && pbjson_holds_id(field)) {
        char uuid[EVENTID_TEXT_CHARS];
        eventid_format(bytes->data, uuid);
        return json_object_new_string(uuid);
    }
    size_t chars = BASE64_ENCODED_CHARS(bytes->len);
    if (bytes->len > INT32_MAX / 2) { // json-c counts in int
        errno = ENOMEM;
        return NULL;
    }
    char *text = malloc(chars + 1);
    if (!text)
        return NULL;
    base64_encode(bytes->data, bytes->len, text);
    struct json_object *j = json_object_new_string_len(text, (int)chars);
    free(text);
    return j;
}

// Writes the value at place. Never a JSON null, so that NULL is always an error.
static struct json_object *write_value(const ProtobufCFieldDescriptor *field, const void *place, unsigned flags,
                                       unsigned depth)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        return json_object_new_int(*(const int32_t *)place);
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return json_object_new_int64(*(const uint32_t *)place);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return write_int64(*(const int64_t *)place);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return write_uint64(*(const uint64_t *)place);
    case PROTOBUF_C_TYPE_FLOAT:
        return write_double(*(const float *)place, true);
    case PROTOBUF_C_TYPE_DOUBLE:
        return write_double(*(const double *)place, false);
    case PROTOBUF_C_TYPE_BOOL:
        return json_object_new_boolean(*(const protobuf_c_boolean *)place != 0);
    case PROTOBUF_C_TYPE_ENUM:
        return write_enum(field->descriptor, *(const int *)place);
    case PROTOBUF_C_TYPE_STRING: {
        const char *text = *(const char *const *)place;
        return json_object_new_string(text ? text : "");
    }
    case PROTOBUF_C_TYPE_BYTES:
        return write_bytes(field, place, flags);
    case PROTOBUF_C_TYPE_MESSAGE:
        return write_message(*(ProtobufCMessage *const *)place, flags, depth + 1);
    }
    errno = EINVAL;
    return NULL;
}

static struct json_object *write_array(const ProtobufCFieldDescriptor *field, const void *first, size_t n,
                                       unsigned flags, unsigned depth)
{
    struct json_object *array = json_object_new_array();
    if (!array)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        const char *place = (const char *)first + i * pbjson_value_bytes(field->type);
        struct json_object *j = write_value(field, place, flags, depth);
        if (j && json_object_array_add(array, j) == 0)
            continue;
        json_object_put(j);
        json_object_put(array);
        return NULL;
    }
    return array;
}

// Whether a singular field outside oneofs has a value other than its default. -0.0 counts as default, as it
// does for protobuf-c.
static bool has_value(const ProtobufCFieldDescriptor *field, const void *place)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_FLOAT:
        return *(const float *)place != 0;
    case PROTOBUF_C_TYPE_DOUBLE:
        return *(const double *)place != 0;
    case PROTOBUF_C_TYPE_STRING: {
        const char *text = *(const char *const *)place;
        return text && text[0] != '\0';
    }
    case PROTOBUF_C_TYPE_BYTES:
        return ((const ProtobufCBinaryData *)place)->len != 0;
    case PROTOBUF_C_TYPE_MESSAGE:
        return *(ProtobufCMessage *const *)place != NULL;
    default:
        if (pbjson_value_bytes(field->type) == sizeof(uint64_t))
            return *(const uint64_t *)place != 0;
        return *(const uint32_t *)place != 0;
    }
}

// Writes one field of m into object, or leaves it out. False on error.
static bool write_field(struct json_object *object, const ProtobufCMessage *m, const ProtobufCFieldDescriptor *field,
                        unsigned flags, unsigned depth)
{
    const char *base = (const char *)m;
    const void *place = base + field->offset;
    const void *quantifier = base + field->quantifier_offset;
    bool defaults = (flags & PBJSON_DEFAULTS) != 0;
    char name[PBJSON_NAME_CHARS];
    struct json_object *j;

    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        size_t n = *(const size_t *)quantifier;
        if (n == 0 && !defaults)
            return true;
        j = write_array(field, *(void *const *)place, n, flags, depth);
    } else {
        // A oneof's member is written whenever it is the one that is set; a message has no default.
        bool wanted = (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0
                          ? *(const uint32_t *)quantifier == field->id
                          : has_value(field, place) || (defaults && field->type != PROTOBUF_C_TYPE_MESSAGE);
        if (!wanted)
            return true;
        j = write_value(field, place, flags, depth);
    }
    pbjson_camel_name(field, name);
    if (j && json_object_object_add(object, name, j) == 0)
        return true;
    json_object_put(j);
    return false;
}

// Recursion is bounded by PBJSON_DEPTH_MAX.
static struct json_object *write_message(const ProtobufCMessage *m, unsigned flags, unsigned depth)
{
    if (depth > PBJSON_DEPTH_MAX) {
        errno = ELOOP;
        return NULL;
    }
    struct json_object *object = json_object_new_object();
    for (unsigned i = 0; object && i < m->descriptor->n_fields; i++) {
        if (!write_field(object, m, &m->descriptor->fields[i], flags, depth)) {
            json_object_put(object);
            return NULL;
        }
    }
    return object;
}

struct json_object *pbjson_object(const ProtobufCMessage *m, unsigned flags)
{
    return write_message(m, flags, 1);
}

char *pbjson_from(const ProtobufCMessage *m, unsigned flags)
{
    struct json_object *object = pbjson_object(m, flags);
    if (!object)
        return NULL;
    int style = JSON_C_TO_STRING_NOSLASHESCAPE;
    if ((flags & PBJSON_PRETTY) != 0)
        style |= JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED;
    const char *text = json_object_to_json_string_ext(object, style);
    char *copy = text ? strdup(text) : NULL;
    json_object_put(object);
    return copy;
}
