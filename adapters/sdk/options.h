/* options.h - a copy of a client's options with strings of its own. */
#ifndef SDK_OPTIONS_H
#define SDK_OPTIONS_H

#include "carehub.h"

#define SPOOL_DEFAULT_MAX_BYTES (UINT64_C(1) << 30)

/* Copies, with defaults filled in. Free with carehub_options_free. */
int options_copy(struct carehub_options *copy, const struct carehub_options *from);

#endif
