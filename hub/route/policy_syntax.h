/* policy_syntax.h - checks the form of a policy file before CZMQ's zconfig reads it.
 *
 * zconfig prints a syntax error to the log and returns only NULL, so that its caller cannot say what is
 * wrong, and it stops at a NUL byte as if that were the end. What passes here it reads without complaint.
 * Pure, thread-safe. */
#ifndef CAREHUB_POLICY_SYNTAX_H
#define CAREHUB_POLICY_SYNTAX_H

#include <stdbool.h>
#include <stddef.h>

enum {
    POLICY_LINE_MAX_BYTES = 200,
    POLICY_DEPTH_MAX = 3, /* section, type, role */
    POLICY_INDENT = 4     /* spaces for each level; ZPL's own rule */
};

/* True if `text` is lines of "name", "name = value", blank, or "# comment", properly indented. Else says in
 * `error` (of `error_size` bytes) which line is wrong and what would be right. `text` need not end in a NUL.
 */
bool policy_syntax(const char *text, size_t size, char *error, size_t error_size);

#endif
