// UTF-8 validity, as RFC 3629 section 4 defines it. Pure functions, safe from any thread.
#ifndef CAREHUB_UTF8_H
#define CAREHUB_UTF8_H

#include <stddef.h>

// The number of leading bytes of text[0..len) that are well-formed UTF-8 without NUL: len when all of it is.
// Refused are overlong forms, surrogates (U+D800 to U+DFFF), anything over U+10FFFF, and NUL, which would
// cut the text short in C.
size_t utf8_valid_prefix(const void *text, size_t len);

#endif
