/* error.c - result codes and their texts. */
#include "error.h"

#include <stdarg.h>
#include <stdio.h>

#include "carehub.h"

static _Thread_local char last_error[ERROR_TEXT_BYTES];

int error_set(int result, const char *format, ...)
{
    char text[ERROR_TEXT_BYTES]; /* an argument may be the last error itself */
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    snprintf(last_error, sizeof last_error, "%s", text);
    return result;
}

const char *carehub_error(void)
{
    return last_error;
}

const char *carehub_strerror(int result)
{
    switch (result) {
    case CAREHUB_OK:
        return "ok";
    case CAREHUB_INVALID_ARGUMENT:
        return "invalid argument";
    case CAREHUB_OUT_OF_MEMORY:
        return "out of memory";
    case CAREHUB_IO:
        return "a file could not be read or written";
    case CAREHUB_CONFIG:
        return "a configuration or key file is wrong";
    case CAREHUB_CONNECT:
        return "the hub cannot be reached";
    case CAREHUB_REFUSED:
        return "the hub refused it";
    case CAREHUB_TIMEOUT:
        return "no answer in time; the outcome is unknown";
    case CAREHUB_SPOOL_FULL:
        return "no room to keep it until the hub takes it";
    case CAREHUB_CLOSED:
        return "the client was closed; the outcome is unknown";
    case CAREHUB_WOULD_DEADLOCK:
        return "a blocking function was called from a callback";
    case CAREHUB_STALE:
        return "a newer attachment has taken over, or it is long settled";
    }
    return "unknown result";
}

const char *carehub_version(void)
{
    return CAREHUB_VERSION;
}
