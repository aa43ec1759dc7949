#include "json_input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pbjson.h"
#include "term.h"

int json_input_open(struct json_input *in, const char *path)
{
    memset(in, 0, sizeof *in);
    bool standard = strcmp(path, "-") == 0;
    in->name = standard ? "standard input" : path;
    in->file = standard ? stdin : fopen(path, "re");
    if (!in->file)
        return fail(EXIT_NO, NULL, "cannot read %s: %s", path, strerror(errno));
    in->tokener = json_tokener_new_ex(PBJSON_DEPTH_MAX + 2);
    if (!in->tokener)
        abort();
    json_tokener_set_flags(in->tokener,
                           JSON_TOKENER_STRICT | JSON_TOKENER_ALLOW_TRAILING_CHARS | JSON_TOKENER_VALIDATE_UTF8);
    in->line = 1;
    return EXIT_OK;
}

void json_input_close(struct json_input *in)
{
    if (in->file && in->file != stdin)
        fclose(in->file);
    if (in->tokener)
        json_tokener_free(in->tokener);
    if (in->array)
        json_object_put(in->array);
    *in = (struct json_input){0};
}

static void count_lines(struct json_input *in, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        in->line += text[i] == '\n';
}

/* Leaves out white space between values. Returns false at the end of the file. */
static bool find_value(struct json_input *in)
{
    for (;;) {
        if (in->taken == in->size) {
            in->size = fread(in->chunk, 1, sizeof in->chunk, in->file);
            in->taken = 0;
            if (in->size == 0)
                return false;
        }
        char c = in->chunk[in->taken];
        if (c != ' ' && c != '\t' && c != '\r' && c != '\n')
            return true;
        in->line += c == '\n';
        in->taken++;
    }
}

static int bad_value(const struct json_input *in, const char *why)
{
    return fail(EXIT_NO, "What is expected: one JSON object, one on each line, or an array of them.",
                "%s, line %llu: %s", in->name, (unsigned long long)in->line, why);
}

/* Reads one value, over as many chunks as it takes. NULL without an error at the end of the file. */
static int next_value(struct json_input *in, struct json_object **value)
{
    *value = NULL;
    if (!find_value(in))
        return ferror(in->file) ? fail(EXIT_NO, NULL, "cannot read %s", in->name) : EXIT_OK;
    in->object_line = in->line;
    in->value_bytes = 0;
    json_tokener_reset(in->tokener);
    for (;;) {
        const char *text = in->chunk + in->taken;
        *value = json_tokener_parse_ex(in->tokener, text, (int)(in->size - in->taken));
        enum json_tokener_error error = json_tokener_get_error(in->tokener);
        size_t used = error == json_tokener_continue ? in->size - in->taken : json_tokener_get_parse_end(in->tokener);
        count_lines(in, text, used);
        in->taken += used;
        in->value_bytes += used;
        if (error == json_tokener_success)
            return *value ? EXIT_OK : bad_value(in, "not an object");
        if (error != json_tokener_continue)
            return bad_value(in, json_tokener_error_desc(error));
        if (in->value_bytes > JSON_INPUT_VALUE_MAX_BYTES)
            return bad_value(in, "more than 64 MiB in one value");
        in->size = fread(in->chunk, 1, sizeof in->chunk, in->file);
        in->taken = 0;
        if (in->size == 0)
            return bad_value(in, "the text ends in the middle of a value");
    }
}

static int checked(struct json_input *in, struct json_object **object)
{
    if (!*object || json_object_is_type(*object, json_type_object))
        return EXIT_OK;
    json_object_put(*object);
    *object = NULL;
    return bad_value(in, "not an object");
}

int json_input_next(struct json_input *in, struct json_object **object)
{
    *object = NULL;
    for (;;) {
        if (in->array && in->element < json_object_array_length(in->array)) {
            *object = json_object_get(json_object_array_get_idx(in->array, in->element++));
            return *object ? checked(in, object) : bad_value(in, "not an object");
        }
        if (in->array)
            json_object_put(in->array);
        in->array = NULL;
        int code = next_value(in, object);
        if (code || !*object || !json_object_is_type(*object, json_type_array))
            return code ? code : checked(in, object);
        in->array = *object;
        in->element = 0;
        *object = NULL;
    }
}
