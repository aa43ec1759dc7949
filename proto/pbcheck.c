#include "pbcheck.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "utf8.h"

#define FIELD_NUMBER_MAX ((1u << 29) - 1)
#define KEY_BYTES_MAX 5
#define LENGTH_BYTES_MAX 5 // protobuf-c reads no longer ones
#define VARINT_BYTES_MAX 10

const struct pbcheck_limits pbcheck_default_limits = {
    .bytes_max = PBCHECK_BYTES_MAX,
    .depth_max = PBCHECK_DEPTH_MAX,
    .repeat_max = PBCHECK_REPEAT_MAX,
    .elements_max = PBCHECK_ELEMENTS_MAX,
    .allow_unknown_enum = false,
};

// How often a repeated field occurred.
struct tally {
    unsigned field; // its index in the descriptor
    uint32_t count;
};

// One message that is being read.
struct frame {
    const ProtobufCMessageDescriptor *type;
    const uint8_t *end;
    uint64_t seen[PBCHECK_FIELDS_MAX / 64]; // a bit for each singular field that occurred
    unsigned expected;                      // index of the field that likely comes next
    uint32_t number;                        // of the field that is being read
    unsigned n_oneofs;                      // oneofs that are set
    unsigned n_tallies;                     // repeated fields that occurred
    unsigned oneofs[PBCHECK_ONEOFS_MAX];    // each by the place of its case enum, which no two share
    struct tally tallies[PBCHECK_REPEATED_MAX];
};

// The state of one check. Large, so it is never cleared as a whole: each part is set when it comes into use.
struct walk {
    const uint8_t *data;
    const uint8_t *at;    // next byte to read
    const uint8_t *fault; // where the error is, once there is one
    const struct pbcheck_limits *limits;
    unsigned depth; // frames in use
    uint32_t elements;
    uint32_t unknown_fields;
    struct frame frames[PBCHECK_DEPTH_MAX];
};

static enum pbcheck_status fail(struct walk *w, enum pbcheck_status status, const uint8_t *where)
{
    w->fault = where;
    return status;
}

static enum pbcheck_status long_varint(struct walk *w, const uint8_t *end, unsigned bytes_max, uint64_t *value)
{
    const uint8_t *start = w->at;
    uint64_t v = 0;

    for (unsigned i = 0; i < bytes_max; i++) {
        if (w->at == end)
            return fail(w, PBCHECK_TRUNCATED, start);
        uint8_t byte = *w->at++;
        if (i == VARINT_BYTES_MAX - 1 && byte > 1) // only one of its bits is left
            break;
        v |= (uint64_t)(byte & 0x7F) << (7 * i);
        if (byte < 0x80) {
            *value = v;
            return PBCHECK_OK;
        }
    }
    return fail(w, PBCHECK_OVERLONG, start);
}

// Reads a varint of at most bytes_max bytes before end. Most keys, lengths and enum values take one byte.
static inline enum pbcheck_status read_varint(struct walk *w, const uint8_t *end, unsigned bytes_max, uint64_t *value)
{
    if (w->at < end && *w->at < 0x80) {
        *value = *w->at++;
        return PBCHECK_OK;
    }
    return long_varint(w, end, bytes_max, value);
}

// Reads a length, which must fit before end.
static enum pbcheck_status read_length(struct walk *w, const uint8_t *end, size_t *len)
{
    const uint8_t *start = w->at;
    uint64_t v = 0;
    enum pbcheck_status status = read_varint(w, end, LENGTH_BYTES_MAX, &v);
    if (status != PBCHECK_OK)
        return status;
    if (v > (size_t)(end - w->at))
        return fail(w, PBCHECK_TRUNCATED, start);
    *len = (size_t)v;
    return PBCHECK_OK;
}

static enum pbcheck_status skip(struct walk *w, const uint8_t *end, size_t len)
{
    if ((size_t)(end - w->at) < len)
        return fail(w, PBCHECK_TRUNCATED, w->at);
    w->at += len;
    return PBCHECK_OK;
}

static ProtobufCWireType wire_type_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        return PROTOBUF_C_WIRE_TYPE_32BIT;
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return PROTOBUF_C_WIRE_TYPE_64BIT;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
    default:
        return PROTOBUF_C_WIRE_TYPE_VARINT;
    }
}

// Enum values travel as int32 that was widened to 64 bits, so a negative one takes ten bytes.
static bool enum_has(const ProtobufCEnumDescriptor *e, uint64_t wire)
{
    int64_t value = (int64_t)wire;
    unsigned low = 0, high = e->n_values;

    while (low < high) { // values are sorted by number
        unsigned middle = low + (high - low) / 2;
        if (e->values[middle].value == value)
            return true;
        if (e->values[middle].value < value)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

static enum pbcheck_status check_varint(struct walk *w, const ProtobufCFieldDescriptor *field, const uint8_t *end)
{
    const uint8_t *start = w->at;
    uint64_t value = 0;
    enum pbcheck_status status = read_varint(w, end, VARINT_BYTES_MAX, &value);
    if (status != PBCHECK_OK)
        return status;
    if (field->type == PROTOBUF_C_TYPE_ENUM && !w->limits->allow_unknown_enum && !enum_has(field->descriptor, value))
        return fail(w, PBCHECK_UNKNOWN_ENUM, start);
    return PBCHECK_OK;
}

// Opens the message that ends at end.
static enum pbcheck_status enter(struct walk *w, const ProtobufCMessageDescriptor *type, const uint8_t *end)
{
    if (w->depth == w->limits->depth_max)
        return fail(w, PBCHECK_TOO_DEEP, w->at);
    if (type->n_fields > PBCHECK_FIELDS_MAX)
        return fail(w, PBCHECK_SCHEMA, w->at);

    struct frame *f = &w->frames[w->depth++];
    f->type = type;
    f->end = end;
    memset(f->seen, 0, sizeof f->seen);
    f->expected = 0;
    f->number = 0;
    f->n_oneofs = 0;
    f->n_tallies = 0;
    return PBCHECK_OK;
}

// The tally of the repeated field with that index, begun if need be; NULL when the type has too many. A few
// at most are in use, and the last one is the likeliest.
static struct tally *tally_of(struct frame *f, unsigned field)
{
    for (unsigned i = f->n_tallies; i-- > 0;) {
        if (f->tallies[i].field == field)
            return &f->tallies[i];
    }
    if (f->n_tallies == PBCHECK_REPEATED_MAX)
        return NULL;
    struct tally *t = &f->tallies[f->n_tallies++];
    *t = (struct tally){.field = field};
    return t;
}

static enum pbcheck_status count(struct walk *w, struct tally *t, const uint8_t *where)
{
    if (t->count == w->limits->repeat_max)
        return fail(w, PBCHECK_TOO_MANY_REPEATS, where);
    if (w->elements == w->limits->elements_max)
        return fail(w, PBCHECK_TOO_MANY_ELEMENTS, where);
    t->count++;
    w->elements++;
    return PBCHECK_OK;
}

static enum pbcheck_status check_packed(struct walk *w, const ProtobufCFieldDescriptor *field,
                                        ProtobufCWireType element, struct tally *t)
{
    size_t len = 0;
    enum pbcheck_status status = read_length(w, w->frames[w->depth - 1].end, &len);
    const uint8_t *end = w->at + len;

    while (status == PBCHECK_OK && w->at < end) {
        status = count(w, t, w->at);
        if (status != PBCHECK_OK)
            break;
        if (element == PROTOBUF_C_WIRE_TYPE_VARINT)
            status = check_varint(w, field, end);
        else
            status = skip(w, end, element == PROTOBUF_C_WIRE_TYPE_32BIT ? 4 : 8);
    }
    return status;
}

static enum pbcheck_status check_delimited(struct walk *w, const ProtobufCFieldDescriptor *field, const uint8_t *end)
{
    size_t len = 0;
    enum pbcheck_status status = read_length(w, end, &len);
    if (status != PBCHECK_OK)
        return status;
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return enter(w, field->descriptor, w->at + len);
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        size_t valid = utf8_valid_prefix(w->at, len);
        if (valid < len)
            return fail(w, PBCHECK_UTF8, w->at + valid);
    }
    w->at += len;
    return PBCHECK_OK;
}

static enum pbcheck_status check_value(struct walk *w, const ProtobufCFieldDescriptor *field, ProtobufCWireType wire,
                                       const uint8_t *end)
{
    switch (wire) {
    case PROTOBUF_C_WIRE_TYPE_VARINT:
        return check_varint(w, field, end);
    case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED:
        return check_delimited(w, field, end);
    default:
        return skip(w, end, wire == PROTOBUF_C_WIRE_TYPE_32BIT ? 4 : 8);
    }
}

// Notes that a singular field occurred, and its oneof with it.
static enum pbcheck_status note_singular(struct walk *w, struct frame *f, const ProtobufCFieldDescriptor *field,
                                         unsigned index, const uint8_t *key)
{
    uint64_t bit = UINT64_C(1) << (index % 64);

    if ((f->seen[index / 64] & bit) != 0)
        return fail(w, PBCHECK_REPEATED_SINGULAR, key);
    if (w->elements == w->limits->elements_max)
        return fail(w, PBCHECK_TOO_MANY_ELEMENTS, key);
    f->seen[index / 64] |= bit;
    w->elements++;
    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0)
        return PBCHECK_OK;
    for (unsigned i = 0; i < f->n_oneofs; i++) {
        if (f->oneofs[i] == field->quantifier_offset)
            return fail(w, PBCHECK_ONEOF_TWICE, key);
    }
    if (f->n_oneofs == PBCHECK_ONEOFS_MAX)
        return fail(w, PBCHECK_SCHEMA, key);
    f->oneofs[f->n_oneofs++] = field->quantifier_offset;
    return PBCHECK_OK;
}

// The field with that number, or NULL. Fields mostly come in the order of their numbers.
static const ProtobufCFieldDescriptor *find_field(struct frame *f, uint32_t number)
{
    const ProtobufCFieldDescriptor *fields = f->type->fields;
    unsigned low = 0, high = f->type->n_fields;

    if (f->expected < high && fields[f->expected].id == number)
        return &fields[f->expected];
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        if (fields[middle].id == number)
            return &fields[middle];
        if (fields[middle].id < number)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static enum pbcheck_status check_unknown(struct walk *w, ProtobufCWireType wire, const uint8_t *end, const uint8_t *key)
{
    uint64_t ignored = 0;
    size_t len = 0;

    if (w->elements == w->limits->elements_max)
        return fail(w, PBCHECK_TOO_MANY_ELEMENTS, key);
    w->elements++;
    w->unknown_fields++;
    if (wire == PROTOBUF_C_WIRE_TYPE_VARINT)
        return read_varint(w, end, VARINT_BYTES_MAX, &ignored);
    if (wire == PROTOBUF_C_WIRE_TYPE_32BIT || wire == PROTOBUF_C_WIRE_TYPE_64BIT)
        return skip(w, end, wire == PROTOBUF_C_WIRE_TYPE_32BIT ? 4 : 8);
    if (wire != PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED)
        return fail(w, PBCHECK_WIRE_TYPE, key);
    enum pbcheck_status status = read_length(w, end, &len);
    if (status == PBCHECK_OK)
        w->at += len;
    return status;
}

static enum pbcheck_status check_repeated(struct walk *w, struct frame *f, const ProtobufCFieldDescriptor *field,
                                          ProtobufCWireType wire, const uint8_t *key)
{
    ProtobufCWireType own = wire_type_of(field->type);
    unsigned index = (unsigned)(field - f->type->fields);
    struct tally *t = tally_of(f, index);

    f->expected = index;
    if (!t)
        return fail(w, PBCHECK_SCHEMA, key);
    if (wire == own) {
        enum pbcheck_status status = count(w, t, key);
        return status == PBCHECK_OK ? check_value(w, field, wire, f->end) : status;
    }
    if (wire == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED)
        return check_packed(w, field, own, t);
    return fail(w, PBCHECK_WIRE_TYPE, key);
}

static enum pbcheck_status check_singular(struct walk *w, struct frame *f, const ProtobufCFieldDescriptor *field,
                                          ProtobufCWireType wire, const uint8_t *key)
{
    unsigned index = (unsigned)(field - f->type->fields);

    f->expected = index + 1;
    if (wire != wire_type_of(field->type))
        return fail(w, PBCHECK_WIRE_TYPE, key);
    enum pbcheck_status status = note_singular(w, f, field, index, key);
    return status == PBCHECK_OK ? check_value(w, field, wire, f->end) : status;
}

// Reads one field: the whole of it, or of a message only the head, which makes that message the innermost.
static enum pbcheck_status check_field(struct walk *w)
{
    struct frame *f = &w->frames[w->depth - 1];
    const uint8_t *key_at = w->at;
    uint64_t key = 0;

    f->number = 0;
    enum pbcheck_status status = read_varint(w, f->end, KEY_BYTES_MAX, &key);
    if (status != PBCHECK_OK)
        return status;
    if (key >> 3 == 0 || key >> 3 > FIELD_NUMBER_MAX)
        return fail(w, PBCHECK_FIELD_NUMBER, key_at);

    f->number = (uint32_t)(key >> 3);
    ProtobufCWireType wire = (ProtobufCWireType)(key & 7);
    const ProtobufCFieldDescriptor *field = find_field(f, f->number);
    if (!field)
        return check_unknown(w, wire, f->end, key_at);
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        return check_repeated(w, f, field, wire, key_at);
    return check_singular(w, f, field, wire, key_at);
}

static void report(const struct walk *w, enum pbcheck_status status, struct pbcheck_result *result)
{
    result->status = status;
    result->unknown_fields = w->unknown_fields;
    result->path_len = 0;
    result->offset = 0;
    if (status == PBCHECK_OK)
        return;
    result->offset = (size_t)(w->fault - w->data);
    for (unsigned i = 0; i < w->depth && w->frames[i].number != 0; i++)
        result->path[result->path_len++] = w->frames[i].number;
}

enum pbcheck_status pbcheck(const ProtobufCMessageDescriptor *d, const uint8_t *data, size_t len,
                            const struct pbcheck_limits *limits, struct pbcheck_result *result)
{
    static const uint8_t nothing[1];
    struct walk w;

    w.data = w.at = w.fault = data ? data : nothing;
    w.limits = limits ? limits : &pbcheck_default_limits;
    w.depth = 0;
    w.elements = 0;
    w.unknown_fields = 0;
    assert(w.limits->depth_max >= 1 && w.limits->depth_max <= PBCHECK_DEPTH_MAX);

    enum pbcheck_status status = PBCHECK_TOO_LARGE;
    if (len <= w.limits->bytes_max)
        status = enter(&w, d, w.data + len);
    while (status == PBCHECK_OK && w.depth > 0) {
        if (w.at == w.frames[w.depth - 1].end)
            w.depth--;
        else
            status = check_field(&w);
    }
    report(&w, status, result);
    return status;
}
