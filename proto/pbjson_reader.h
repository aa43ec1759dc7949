// The state of reading JSON, and the reader of single values. Private to pbjson.
#ifndef CAREHUB_PBJSON_READER_H
#define CAREHUB_PBJSON_READER_H

#include <stdbool.h>
#include "pbjson.h"

struct pbjson_reader {
    struct pbjson_error *err; // its path is kept up to date while reading
    unsigned flags;           // of enum pbjson_flag
    unsigned depth;           // messages that are open
    unsigned elements;        // fields and elements that were read
};

// Notes the error at the path where the reader is; always false.
bool pbjson_fail(struct pbjson_reader *r, enum pbjson_status status, const char *expected);

// Reads j (NULL is a JSON null) as a value of the field's type, which is not a message, into place. On error
// false, and place is untouched. Strings and bytes are malloc'd and belong to the message.
bool pbjson_read_scalar(struct pbjson_reader *r, const ProtobufCFieldDescriptor *field, struct json_object *j,
                        void *place);

#endif
