/* audit_check.h - the check of a log's directory (audit/check_files.h), and what is said of it to people. */
#ifndef CAREHUB_CLI_AUDIT_CHECK_H
#define CAREHUB_CLI_AUDIT_CHECK_H

#include "audit/check_files.h"
#include "audit_files.h"

enum { FAULTS_TOLD_MAX = 20, FAULT_CHARS = 320 };

/* Fill in `path`, and of `check` checkpoint, minimum and since. */
struct directory_check {
    struct check check;
    const char *path;
    void (*each)(void *ctx, const struct check_fault *fault); /* is told each fault too; or NULL */
    void *ctx;
    struct check_files files; /* from here on: what was found */
    char told[FAULTS_TOLD_MAX][FAULT_CHARS];
    struct progress progress;
};

/* Checks it, with its progress on a terminal. True: it is sound. */
bool directory_check(struct directory_check *directory);
/* Says on stderr what is wrong, and what to do (NULL: what is right for who verifies a copy). Returns EXIT_NO. */
int directory_tell(const struct directory_check *directory, const char *advice);

/* Does the tree in a directory that is sound begin with that of a checkpoint? */
bool directory_begins_with(const char *path, uint64_t size, const struct checkpoint *checkpoint);

#endif
