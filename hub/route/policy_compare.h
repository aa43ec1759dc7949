/* policy_compare.h - what of a policy differs from another without deciding who is told of an event. Pure. */
#ifndef CAREHUB_POLICY_COMPARE_H
#define CAREHUB_POLICY_COMPARE_H

#include "policy.h"

enum { POLICY_SECTIONS_MAX = 6 };

/* The names of the parts that differ: "hold-days", "report-names", "relations", "unread", "next-in-line",
 * "late-joiner". Static texts; returns their number. */
size_t policy_sections_differ(const struct policy *a, const struct policy *b,
                              const char *sections[POLICY_SECTIONS_MAX]);

#endif
