// The names and texts of pbcheck's results: what an operator reads, kept apart from the hot path.
#include "pbcheck.h"

#include <stdio.h>

static const struct {
    const char *name;
    const char *text;
} statuses[] = {
    [PBCHECK_OK] = {"ok", "well-formed"},
    [PBCHECK_TOO_LARGE] = {"too-large", "message larger than the limit"},
    [PBCHECK_TRUNCATED] = {"truncated", "value reaches beyond the end of its message"},
    [PBCHECK_OVERLONG] = {"overlong", "variable-length integer that is too long"},
    [PBCHECK_FIELD_NUMBER] = {"field-number", "field number of 0 or above 536,870,911"},
    [PBCHECK_WIRE_TYPE] = {"wire-type", "wire type that does not fit the field"},
    [PBCHECK_REPEATED_SINGULAR] = {"repeated-singular", "field that may occur once occurs again"},
    [PBCHECK_ONEOF_TWICE] = {"oneof-twice", "second member of a choice of one"},
    [PBCHECK_UNKNOWN_ENUM] = {"unknown-enum", "enum value that the schema does not name"},
    [PBCHECK_UTF8] = {"utf8", "string that is not valid UTF-8, or holds NUL"},
    [PBCHECK_TOO_DEEP] = {"too-deep", "messages nested deeper than the limit"},
    [PBCHECK_TOO_MANY_REPEATS] = {"too-many-repeats", "repeated field with more elements than the limit"},
    [PBCHECK_TOO_MANY_ELEMENTS] = {"too-many-elements", "more fields and elements than the limit"},
    [PBCHECK_SCHEMA] = {"schema", "message type larger than the checker is made for: report this as a defect"},
};

#define STATUS_COUNT (sizeof statuses / sizeof statuses[0])

const char *pbcheck_status_name(enum pbcheck_status status)
{
    return (size_t)status < STATUS_COUNT ? statuses[status].name : "unknown";
}

void pbcheck_format(const struct pbcheck_result *result, char *text, size_t size)
{
    char path[16 + (PBCHECK_DEPTH_MAX + 1) * 11] = "message";
    size_t used = 0;

    for (unsigned i = 0; i < result->path_len; i++)
        used += (size_t)snprintf(path + used, sizeof path - used, "%s%u", i == 0 ? "field " : ".",
                                 (unsigned)result->path[i]);
    snprintf(text, size, "%s at byte %zu: %s", path, result->offset,
             (size_t)result->status < STATUS_COUNT ? statuses[result->status].text : "unknown status");
}
