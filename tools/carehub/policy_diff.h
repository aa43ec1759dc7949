/* policy_diff.h - carehub policy diff: what another policy would change. */
#ifndef CAREHUB_CLI_POLICY_DIFF_H
#define CAREHUB_CLI_POLICY_DIFF_H

#include "args.h"
#include "carehub/v1/wire.pb-c.h"
#include "term.h"

int run_policy_diff(const struct args *args);

/* The whole answer, for people. Pure: writes to `out` only. */
void policy_diff_print(const Carehub__V1__PolicyDiffAnswer *diff, FILE *out, struct style style);

/* Is anything different? */
bool policy_diff_differs(const Carehub__V1__PolicyDiffAnswer *diff);

#endif
