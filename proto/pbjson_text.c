// From JSON text to a JSON tree, with the place of an error; and the texts of errors.
#include "pbjson.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <json-c/json_tokener.h>

#include "jsonlex.h"
#include "utf8.h"

// Messages and the arrays between them, a scalar in the innermost, and one more.
#define JSON_DEPTH_MAX (2 * PBJSON_DEPTH_MAX + 2)

// Notes a syntax error at text[offset].
static void syntax_error(struct pbjson_error *err, const char *text, size_t offset, const char *expected)
{
    err->status = PBJSON_SYNTAX;
    err->line = 1;
    err->column = 1;
    for (size_t i = 0; i < offset; i++) {
        if (text[i] == '\n') {
            err->line++;
            err->column = 1;
        } else if (((unsigned char)text[i] & 0xC0) != 0x80) { // not the rest of a character
            err->column++;
        }
    }
    snprintf(err->expected, sizeof err->expected, "%s", expected);
}

// What json-c missed. Its own texts name its states, not what a writer of JSON should do.
static const char *expectation(enum json_tokener_error error)
{
    switch (error) {
    case json_tokener_continue:
    case json_tokener_error_parse_eof:
        return "the rest of the text: it ends too early";
    case json_tokener_error_parse_null:
    case json_tokener_error_parse_boolean:
        return "true, false or null";
    case json_tokener_error_parse_array:
        return "',' or ']'";
    case json_tokener_error_parse_object_key_name:
        return "a name in double quotes, or '}'";
    case json_tokener_error_parse_object_key_sep:
        return "':'";
    case json_tokener_error_parse_object_value_sep:
        return "',' or '}'";
    case json_tokener_error_parse_string:
        return "a string that is well-formed";
    case json_tokener_error_parse_comment:
        return "a value: JSON has no comments";
    default:
        return "a JSON value";
    }
}

static size_t skip_space(const char *text, size_t at, size_t len)
{
    while (at < len && (text[at] == ' ' || text[at] == '\t' || text[at] == '\r' || text[at] == '\n'))
        at++;
    return at;
}

static struct json_object *parse_text(const char *text, size_t len, struct pbjson_error *err)
{
    struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH_MAX);
    if (!tokener) {
        err->status = PBJSON_NO_MEMORY;
        snprintf(err->expected, sizeof err->expected, "more memory");
        return NULL;
    }
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_ALLOW_TRAILING_CHARS);
    struct json_object *tree = json_tokener_parse_ex(tokener, text, (int)len);
    enum json_tokener_error error = json_tokener_get_error(tokener);
    size_t end = json_tokener_get_parse_end(tokener);
    if (error == json_tokener_continue) { // a number or word at the very end is only over with the next character
        tree = json_tokener_parse_ex(tokener, "\n", 1);
        if (json_tokener_get_error(tokener) == json_tokener_success)
            error = json_tokener_success;
    }
    json_tokener_free(tokener);

    if (error == json_tokener_error_depth) {
        syntax_error(err, text, end, "arrays and objects nested less deep");
        err->status = PBJSON_LIMIT;
    } else if (error != json_tokener_success) {
        syntax_error(err, text, end, expectation(error));
    } else if (skip_space(text, end, len) < len) {
        syntax_error(err, text, skip_space(text, end, len), "nothing more after the object");
    } else {
        return tree; // NULL for the text "null": no object, which is found out later
    }
    json_object_put(tree);
    return NULL;
}

struct json_object *pbjson_tree(const char *text, size_t len, struct pbjson_error *err)
{
    struct pbjson_error unwanted;
    err = err ? err : &unwanted;
    memset(err, 0, sizeof *err);

    if (len > PBJSON_TEXT_MAX_BYTES) {
        err->status = PBJSON_LIMIT;
        snprintf(err->expected, sizeof err->expected, "a text of no more than %u bytes", PBJSON_TEXT_MAX_BYTES);
        return NULL;
    }
    size_t valid = utf8_valid_prefix(text, len);
    if (valid < len) {
        syntax_error(err, text, valid, "UTF-8 without NUL");
        return NULL;
    }
    const char *expected = NULL;
    valid = jsonlex_valid_prefix(text, len, &expected);
    if (valid < len || expected) {
        syntax_error(err, text, valid, expected);
        return NULL;
    }
    return parse_text(text, len, err);
}

ProtobufCMessage *pbjson_parse(const ProtobufCMessageDescriptor *d, const char *text, size_t len, unsigned flags,
                               struct pbjson_error *err)
{
    struct pbjson_error unwanted;
    err = err ? err : &unwanted;
    struct json_object *tree = pbjson_tree(text, len, err);
    if (err->status != PBJSON_OK)
        return NULL;
    ProtobufCMessage *m = pbjson_parse_object(d, tree, flags, err);
    json_object_put(tree);
    return m;
}

void pbjson_error_format(const struct pbjson_error *err, char *text, size_t size)
{
    if (err->status == PBJSON_OK)
        snprintf(text, size, "no error");
    else if (err->line > 0)
        snprintf(text, size, "line %u, column %u: expected %s", err->line, err->column, err->expected);
    else
        snprintf(text, size, "%s: expected %s", err->path[0] != '\0' ? err->path : "the whole", err->expected);
}
