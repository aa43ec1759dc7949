#include "pbjson_field.h"

#include <assert.h>
#include <ctype.h>
#include <stdint.h>
#include <string.h>

void pbjson_camel_name(const ProtobufCFieldDescriptor *field, char name[PBJSON_NAME_CHARS])
{
    bool capital = false;

    assert(strlen(field->name) < PBJSON_NAME_CHARS);
    for (const char *s = field->name; *s != '\0'; s++) {
        if (*s == '_') {
            capital = true;
            continue;
        }
        *name++ = (char)(capital ? toupper((unsigned char)*s) : *s);
        capital = false;
    }
    *name = '\0';
}

bool pbjson_holds_id(const ProtobufCFieldDescriptor *field)
{
    static const char suffix[] = "_id";
    const char *name = field->name;
    size_t len = strlen(name);

    if (field->type != PROTOBUF_C_TYPE_BYTES)
        return false;
    return strcmp(name, "id") == 0 || strcmp(name, "amends") == 0 || strcmp(name, "retracts") == 0 ||
           (len >= strlen(suffix) && strcmp(name + len - strlen(suffix), suffix) == 0);
}

size_t pbjson_value_bytes(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return sizeof(uint64_t);
    case PROTOBUF_C_TYPE_DOUBLE:
        return sizeof(double);
    case PROTOBUF_C_TYPE_FLOAT:
        return sizeof(float);
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_STRING:
        return sizeof(char *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(ProtobufCMessage *);
    default: // the 32-bit integers, and enums, which are an int
        return sizeof(uint32_t);
    }
}
