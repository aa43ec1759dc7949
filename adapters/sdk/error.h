/* error.h - the text of the last failure, per thread. */
#ifndef SDK_ERROR_H
#define SDK_ERROR_H

#include <stdint.h>

enum { ERROR_TEXT_BYTES = 512 };

/* Notes what went wrong in this thread (cut to ERROR_TEXT_BYTES) and returns `result`. */
int error_set(int result, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
