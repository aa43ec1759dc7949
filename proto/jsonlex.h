// The lexical rules of JSON that json-c leaves open. It takes single quotes and raw control characters, cuts
// names at NUL, replaces half a surrogate pair, and turns an integer beyond 64 bits into the largest that
// fits: the last would change a value without a word. Source: RFC 8259, sections 6 and 7. Pure, safe from any
// thread.
#ifndef CAREHUB_JSONLEX_H
#define CAREHUB_JSONLEX_H

#include <stddef.h>

// Looks at the strings and numbers in text[0..len), which is UTF-8 without NUL; how they fit together is
// json-c's matter. Returns len when all are in order; else the offset of the fault, and in *expected (static
// storage) what should have been there.
size_t jsonlex_valid_prefix(const char *text, size_t len, const char **expected);

#endif
