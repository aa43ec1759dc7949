// From JSON to message: how a JSON tree becomes fields. pbjson_value.c reads single values, pbjson_text.c the
// text.
#include "pbjson.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <json-c/linkhash.h>

#include "pbjson_field.h"
#include "pbjson_reader.h"

static ProtobufCMessage *read_message(struct pbjson_reader *r, const ProtobufCMessageDescriptor *type,
                                      struct json_object *j);

bool pbjson_fail(struct pbjson_reader *r, enum pbjson_status status, const char *expected)
{
    r->err->status = status;
    snprintf(r->err->expected, sizeof r->err->expected, "%s", expected);
    return false;
}

// Adds a name to the path; returns the length that leave_path takes to undo it. A name that is unknown comes
// from outside: it is cut, and its control characters become '?', so that the path prints on one line.
static size_t enter_name(struct pbjson_reader *r, const char *name)
{
    char *path = r->err->path;
    size_t before = strlen(path);

    snprintf(path + before, sizeof r->err->path - before, "%s%.64s", before > 0 ? "." : "", name);
    for (char *c = path + before; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7F)
            *c = '?';
    }
    return before;
}

// The same for the index of an element.
static size_t enter_index(struct pbjson_reader *r, size_t index)
{
    size_t before = strlen(r->err->path);
    snprintf(r->err->path + before, sizeof r->err->path - before, "[%zu]", index);
    return before;
}

static void leave_path(struct pbjson_reader *r, size_t before)
{
    r->err->path[before] = '\0';
}

static bool read_value(struct pbjson_reader *r, const ProtobufCFieldDescriptor *field, struct json_object *j,
                       void *place)
{
    if (r->elements == PBJSON_ELEMENTS_MAX)
        return pbjson_fail(r, PBJSON_LIMIT, "no more than 100000 fields and elements in all");
    r->elements++;
    if (field->type != PROTOBUF_C_TYPE_MESSAGE)
        return pbjson_read_scalar(r, field, j, place);
    ProtobufCMessage *within = read_message(r, field->descriptor, j);
    *(ProtobufCMessage **)place = within;
    return within != NULL;
}

static bool read_array(struct pbjson_reader *r, const ProtobufCFieldDescriptor *field, struct json_object *j,
                       ProtobufCMessage *m)
{
    if (!json_object_is_type(j, json_type_array))
        return pbjson_fail(r, PBJSON_MISMATCH, "an array");
    size_t n = json_object_array_length(j);
    if (n > PBJSON_REPEAT_MAX)
        return pbjson_fail(r, PBJSON_LIMIT, "an array of no more than 10000 elements");
    if (n == 0)
        return true;

    size_t value_bytes = pbjson_value_bytes(field->type);
    char *values = calloc(n, value_bytes);
    if (!values)
        return pbjson_fail(r, PBJSON_NO_MEMORY, "more memory");
    *(void **)((char *)m + field->offset) = values;

    // The count grows with the elements, so that whatever is there is freed with the message after an error.
    size_t *count = (size_t *)((char *)m + field->quantifier_offset);
    for (size_t i = 0; i < n; i++) {
        size_t before = enter_index(r, i);
        if (!read_value(r, field, json_object_array_get_idx(j, i), values + i * value_bytes))
            return false;
        leave_path(r, before);
        ++*count;
    }
    return true;
}

static bool read_singular(struct pbjson_reader *r, const ProtobufCFieldDescriptor *field, struct json_object *j,
                          ProtobufCMessage *m)
{
    uint32_t *chosen = NULL;

    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
        chosen = (uint32_t *)((char *)m + field->quantifier_offset);
        if (*chosen != 0)
            return pbjson_fail(r, PBJSON_MISMATCH, "only one member of this choice, and another is set");
    }
    if (!read_value(r, field, j, (char *)m + field->offset))
        return false;
    if (chosen)
        *chosen = field->id;
    return true;
}

// The field that key names, in either spelling, or NULL. camel gets its lowerCamelCase name.
static const ProtobufCFieldDescriptor *find_field(const ProtobufCMessageDescriptor *type, const char *key,
                                                  char camel[PBJSON_NAME_CHARS])
{
    for (unsigned i = 0; i < type->n_fields; i++) {
        pbjson_camel_name(&type->fields[i], camel);
        if (strcmp(camel, key) == 0 || strcmp(type->fields[i].name, key) == 0)
            return &type->fields[i];
    }
    return NULL;
}

static bool read_field(struct pbjson_reader *r, ProtobufCMessage *m, struct json_object *object, const char *key,
                       struct json_object *j)
{
    char camel[PBJSON_NAME_CHARS];
    const ProtobufCFieldDescriptor *field = find_field(m->descriptor, key, camel);

    if (!field) {
        char text[sizeof r->err->expected];
        snprintf(text, sizeof text, "a field of %s: there is none of this name", m->descriptor->name);
        return pbjson_fail(r, PBJSON_MISMATCH, text);
    }
    if (strcmp(key, camel) != 0 && json_object_object_get_ex(object, camel, NULL))
        return pbjson_fail(r, PBJSON_MISMATCH, "only one of the two spellings of this name");
    if (!j) // null: not set
        return true;
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        return read_array(r, field, j, m);
    return read_singular(r, field, j, m);
}

// Recursion is bounded by PBJSON_DEPTH_MAX.
static ProtobufCMessage *read_message(struct pbjson_reader *r, const ProtobufCMessageDescriptor *type,
                                      struct json_object *j)
{
    if (!json_object_is_type(j, json_type_object)) {
        pbjson_fail(r, PBJSON_MISMATCH, "an object");
        return NULL;
    }
    if (r->depth == PBJSON_DEPTH_MAX) {
        pbjson_fail(r, PBJSON_LIMIT, "messages nested no deeper than 32");
        return NULL;
    }
    ProtobufCMessage *m = malloc(type->sizeof_message);
    if (!m) {
        pbjson_fail(r, PBJSON_NO_MEMORY, "more memory");
        return NULL;
    }
    protobuf_c_message_init(type, m);

    r->depth++;
    json_object_object_foreach(j, key, value)
    {
        size_t before = enter_name(r, key);
        if (!read_field(r, m, j, key, value)) {
            protobuf_c_message_free_unpacked(m, NULL);
            return NULL;
        }
        leave_path(r, before);
    }
    r->depth--;
    return m;
}

ProtobufCMessage *pbjson_parse_object(const ProtobufCMessageDescriptor *d, struct json_object *object, unsigned flags,
                                      struct pbjson_error *err)
{
    struct pbjson_error unwanted;
    struct pbjson_reader r = {.err = err ? err : &unwanted, .flags = flags};

    static_assert(PBJSON_ELEMENTS_MAX == 100000 && PBJSON_REPEAT_MAX == 10000 && PBJSON_DEPTH_MAX == 32,
                  "the texts above name these limits");
    memset(r.err, 0, sizeof *r.err);
    return read_message(&r, d, object);
}
