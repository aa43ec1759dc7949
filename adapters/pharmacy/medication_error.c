#include "medication_error.h"

#include <string.h>

#include "utf8.h"

void medication_name(struct medication_remarks *remarks, const char *id)
{
    size_t len = strnlen(id, sizeof remarks->id - 1);
    len = utf8_valid_prefix(id, len);
    memcpy(remarks->id, id, len);
    remarks->id[len] = '\0';
}

const char *medication_fault_name(enum medication_fault fault)
{
    static const char *const names[] = {
        [MEDICATION_FAULT_NONE] = "none",       [MEDICATION_FAULT_SIZE] = "size",
        [MEDICATION_FAULT_SYNTAX] = "syntax",   [MEDICATION_FAULT_FORBIDDEN] = "forbidden",
        [MEDICATION_FAULT_SCHEMA] = "schema",   [MEDICATION_FAULT_KIND] = "kind",
        [MEDICATION_FAULT_CONTENT] = "content", [MEDICATION_FAULT_CONFIGURATION] = "configuration",
        [MEDICATION_FAULT_MEMORY] = "memory",
    };
    return (size_t)fault < sizeof names / sizeof names[0] ? names[fault] : "unknown";
}
