/* Messages as JSON on stdout. */
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <json-c/json.h>

#include "pbjson.h"
#include "session.h"

static void print_message(const ProtobufCMessage *message, unsigned flags)
{
    char *text = pbjson_from(message, flags | PBJSON_UUID | PBJSON_DEFAULTS);
    if (!text)
        abort();
    puts(text);
    free(text);
}

void print_json(const ProtobufCMessage *message)
{
    print_message(message, isatty(STDOUT_FILENO) ? PBJSON_PRETTY : 0);
}

void print_json_line(const ProtobufCMessage *message)
{
    print_message(message, 0);
    fflush(stdout);
}

void print_json_pairs(const char *key, ...)
{
    struct json_object *object = json_object_new_object();
    va_list list;
    va_start(list, key);
    for (; key; key = va_arg(list, const char *))
        json_object_object_add(object, key, json_object_new_string(va_arg(list, const char *)));
    va_end(list);
    puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(object);
}
