/* policy_file.h - a policy from a file, read and checked. */
#ifndef CAREHUB_CLI_POLICY_FILE_H
#define CAREHUB_CLI_POLICY_FILE_H

#include "route/policy.h"

/* Reads and checks a policy file. *text is malloc'd and ends with NUL; *policy (may be NULL) is for
 * policy_destroy. Returns an exit code; it has said what is wrong and where. */
int policy_file_read(const char *path, char **text, struct policy **policy);

#endif
