/* Between the files of the memory; no part of its interface. */
#ifndef CAREHUB_MEMORY_INTERNAL_H
#define CAREHUB_MEMORY_INTERNAL_H

#include <stdarg.h>

#include "memory.h"

/* The adapter cannot go on with this message now; `why` lasts as long as the journal. Returns false. */
bool memory_fail(struct memory *self, const char *why);
/* The message is in error: says so in its problem. Returns false. */
bool memory_refuse(struct memory *self, const char *where, const char *rule, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

bool memory_emit(struct carehub_memory *base, const Carehub__V1__Event *event, const char *episode);
bool memory_emit_fact(struct carehub_memory *base, const Carehub__V1__Fact *fact);

#endif
