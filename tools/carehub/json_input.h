/* json_input.h - reads JSON objects one after the other from a file: a single one, one on each line, or an
 * array. */
#ifndef CAREHUB_CLI_JSON_INPUT_H
#define CAREHUB_CLI_JSON_INPUT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <json-c/json.h>

/* One JSON value may be this large: an array of many events is one. */
enum { JSON_INPUT_VALUE_MAX_BYTES = 64 << 20 };

struct json_input {
    const char *name; /* for errors: the file's */
    FILE *file;
    struct json_tokener *tokener;
    char chunk[65536];
    size_t size;  /* of the chunk */
    size_t taken; /* of the chunk */
    size_t value_bytes;
    uint64_t line;             /* that reading has come to, from 1 */
    uint64_t object_line;      /* where the last object began */
    struct json_object *array; /* the one that is being handed out, or NULL */
    size_t element;
};

/* Opens a file, "-" is standard input. Returns an exit code. json_input_close is right in any case. */
int json_input_open(struct json_input *in, const char *path);
void json_input_close(struct json_input *in);

/* The next object, which the caller puts (json_object_put); NULL at the end. Returns an exit code; it has
 * said what is wrong and where, without a value from the file. */
int json_input_next(struct json_input *in, struct json_object **object);

#endif
