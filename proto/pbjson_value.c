// How single JSON values are read. See pbjson_reader.h.
#include "pbjson_reader.h"

#include <ctype.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "eventid.h"
#include "pbjson_field.h"
#include "utf8.h"

// From here on a double rounds to no finite float: half a step above FLT_MAX.
#define FLOAT_OVERFLOW 0x1.ffffffp127
#define DOUBLE_EXACT_MAX 9007199254740992.0 // 2^53: beyond it, a double no longer tells integers apart

// An integer of either sign of up to 64 bits.
struct integer {
    bool negative;
    uint64_t magnitude;
};

// A JSON string's characters: not NUL-terminated text but a length, as it may hold NUL.
struct text {
    const char *chars;
    size_t len;
};

static bool get_text(struct json_object *j, struct text *text)
{
    if (!json_object_is_type(j, json_type_string))
        return false;
    text->chars = json_object_get_string(j);
    text->len = (size_t)json_object_get_string_len(j);
    return true;
}

// Decimal digits with an optional minus sign, and nothing else.
static bool integer_of_text(struct text text, struct integer *out)
{
    struct integer v = {.negative = text.len > 0 && text.chars[0] == '-'};
    size_t i = v.negative ? 1 : 0;

    if (i == text.len)
        return false;
    for (; i < text.len; i++) {
        if (!isdigit((unsigned char)text.chars[i]))
            return false;
        if (__builtin_mul_overflow(v.magnitude, 10u, &v.magnitude) ||
            __builtin_add_overflow(v.magnitude, (uint64_t)(text.chars[i] - '0'), &v.magnitude))
            return false;
    }
    *out = v;
    return true;
}

// The mapping takes 1.0 and 1e3 as integers.
static bool integer_of_double(double value, struct integer *out)
{
    if (value != trunc(value) || fabs(value) > DOUBLE_EXACT_MAX)
        return false;
    *out = (struct integer){.negative = value < 0, .magnitude = (uint64_t)fabs(value)};
    return true;
}

static bool get_integer(struct json_object *j, struct integer *out)
{
    struct text text;

    if (get_text(j, &text))
        return integer_of_text(text, out);
    if (json_object_is_type(j, json_type_double))
        return integer_of_double(json_object_get_double(j), out);
    if (!json_object_is_type(j, json_type_int))
        return false;
    int64_t value = json_object_get_int64(j);
    out->negative = value < 0;
    out->magnitude = value < 0 ? -(uint64_t)value : json_object_get_uint64(j);
    return true;
}

// Reads an integer of the given bits (32 or 64) into place.
static bool read_integer(struct pbjson_reader *r, struct json_object *j, bool is_signed, unsigned bits, void *place)
{
    static const char *const expected[2][2] = {
        {"an integer from 0 to 4294967295", "an integer from 0 to 18446744073709551615, best as a string"},
        {"an integer from -2147483648 to 2147483647",
         "an integer from -9223372036854775808 to 9223372036854775807, best as a string"},
    };
    uint64_t half = UINT64_C(1) << (bits - 1); // the magnitude of the most negative one
    uint64_t positive_max = is_signed ? half - 1 : half | (half - 1);
    struct integer v;

    if (!get_integer(j, &v) || (v.negative && v.magnitude > (is_signed ? half : 0)) ||
        (!v.negative && v.magnitude > positive_max))
        return pbjson_fail(r, PBJSON_MISMATCH, expected[is_signed][bits == 64]);
    uint64_t value = v.negative ? -v.magnitude : v.magnitude;
    if (bits == 64)
        *(uint64_t *)place = value;
    else
        *(uint32_t *)place = (uint32_t)value;
    return true;
}

// A JSON number, the same in a string, or the three names of what JSON numbers can't say.
static bool get_double(struct json_object *j, double *out)
{
    struct text text;

    if (!get_text(j, &text)) {
        *out = json_object_get_double(j); // an overflow makes it infinite
        return (json_object_is_type(j, json_type_double) || json_object_is_type(j, json_type_int)) && isfinite(*out);
    }
    static const struct {
        const char *name;
        double value;
    } names[] = {{"NaN", NAN}, {"Infinity", INFINITY}, {"-Infinity", -INFINITY}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (text.len == strlen(names[i].name) && memcmp(text.chars, names[i].name, text.len) == 0) {
            *out = names[i].value;
            return true;
        }
    }
    // strtod also takes hexadecimal, white space and other names.
    if (text.len == 0 || text.chars[0] == '+' || strspn(text.chars, "+-.0123456789eE") != text.len)
        return false;
    char *end;
    *out = strtod(text.chars, &end);
    return end == text.chars + text.len && isfinite(*out);
}

static bool read_float(struct pbjson_reader *r, struct json_object *j, float *place)
{
    double value;
    if (!get_double(j, &value) || (isfinite(value) && fabs(value) >= FLOAT_OVERFLOW))
        return pbjson_fail(r, PBJSON_MISMATCH, "a number of up to about 3.4e38, or \"NaN\" or \"Infinity\"");
    *place = (float)value;
    return true;
}

static bool read_double(struct pbjson_reader *r, struct json_object *j, double *place)
{
    double value;
    if (!get_double(j, &value))
        return pbjson_fail(r, PBJSON_MISMATCH, "a number, or \"NaN\" or \"Infinity\"");
    *place = value;
    return true;
}

static bool read_bool(struct pbjson_reader *r, struct json_object *j, protobuf_c_boolean *place)
{
    if (!json_object_is_type(j, json_type_boolean))
        return pbjson_fail(r, PBJSON_MISMATCH, "true or false");
    *place = json_object_get_boolean(j);
    return true;
}

static const ProtobufCEnumValue *find_enum(const ProtobufCEnumDescriptor *type, struct json_object *j)
{
    struct text text;
    struct integer number;

    if (get_text(j, &text)) // a name with NUL in it is none
        return strlen(text.chars) == text.len ? protobuf_c_enum_descriptor_get_value_by_name(type, text.chars) : NULL;
    if (!get_integer(j, &number) || number.magnitude > INT32_MAX)
        return NULL;
    int value = (int)number.magnitude;
    return protobuf_c_enum_descriptor_get_value(type, number.negative ? -value : value);
}

static bool read_enum(struct pbjson_reader *r, const ProtobufCEnumDescriptor *type, struct json_object *j, int *place)
{
    const ProtobufCEnumValue *value = find_enum(type, j);
    if (!value) {
        char expected[sizeof r->err->expected];
        snprintf(expected, sizeof expected, "a name or number of %s", type->name);
        return pbjson_fail(r, PBJSON_MISMATCH, expected);
    }
    *place = value->value;
    return true;
}

static bool read_string(struct pbjson_reader *r, struct json_object *j, char **place)
{
    struct text text;

    if (!get_text(j, &text) || utf8_valid_prefix(text.chars, text.len) != text.len)
        return pbjson_fail(r, PBJSON_MISMATCH, "a string, in UTF-8 and without NUL");
    char *copy = strndup(text.chars, text.len);
    if (!copy)
        return pbjson_fail(r, PBJSON_NO_MEMORY, "more memory");
    *place = copy;
    return true;
}

static bool read_bytes(struct pbjson_reader *r, const ProtobufCFieldDescriptor *field, struct json_object *j,
                       ProtobufCBinaryData *place)
{
    bool uuid = (r->flags & PBJSON_UUID) != 0 && pbjson_holds_id(field);
    const char *expected = uuid ? "a string: a UUID, or base64" : "a string: base64";
    struct text text;

    if (!get_text(j, &text))
        return pbjson_fail(r, PBJSON_MISMATCH, expected);
    if (text.len == 0) {
        *place = (ProtobufCBinaryData){0};
        return true;
    }
    uint8_t *data = malloc(BASE64_DECODED_BYTES_MAX(text.len));
    if (!data)
        return pbjson_fail(r, PBJSON_NO_MEMORY, "more memory");
    size_t len = EVENTID_BYTES; // less than 36 characters decode to
    if (!(uuid && eventid_parse(text.chars, text.len, data)) && !base64_decode(text.chars, text.len, data, &len)) {
        free(data);
        return pbjson_fail(r, PBJSON_MISMATCH, expected);
    }
    *place = (ProtobufCBinaryData){.data = data, .len = len};
    return true;
}

bool pbjson_read_scalar(struct pbjson_reader *r, const ProtobufCFieldDescriptor *field, struct json_object *j,
                        void *place)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        return read_integer(r, j, true, 32, place);
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return read_integer(r, j, false, 32, place);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return read_integer(r, j, true, 64, place);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return read_integer(r, j, false, 64, place);
    case PROTOBUF_C_TYPE_FLOAT:
        return read_float(r, j, place);
    case PROTOBUF_C_TYPE_DOUBLE:
        return read_double(r, j, place);
    case PROTOBUF_C_TYPE_BOOL:
        return read_bool(r, j, place);
    case PROTOBUF_C_TYPE_ENUM:
        return read_enum(r, field->descriptor, j, place);
    case PROTOBUF_C_TYPE_STRING:
        return read_string(r, j, place);
    case PROTOBUF_C_TYPE_BYTES:
        return read_bytes(r, field, j, place);
    case PROTOBUF_C_TYPE_MESSAGE:
        break;
    }
    return pbjson_fail(r, PBJSON_MISMATCH, "a value of a type that this mapping knows");
}
