// What both directions of pbjson need to know of a field. Private to pbjson.
#ifndef CAREHUB_PBJSON_FIELD_H
#define CAREHUB_PBJSON_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <protobuf-c/protobuf-c.h>

#define PBJSON_NAME_CHARS 128 // room for any field's name with its NUL; the schema is ours

// The field's lowerCamelCase name: an underscore goes, and the letter after it becomes a capital.
void pbjson_camel_name(const ProtobufCFieldDescriptor *field, char name[PBJSON_NAME_CHARS]);

// True for the fields that PBJSON_UUID concerns.
bool pbjson_holds_id(const ProtobufCFieldDescriptor *field);

// Size in memory of one value of that type.
size_t pbjson_value_bytes(ProtobufCType type);

#endif
