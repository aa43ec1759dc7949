/* Messages as JSON on stdout. */
#include <stdlib.h>
#include <unistd.h>

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
