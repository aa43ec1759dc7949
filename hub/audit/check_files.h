/* check_files.h - whether a log's directory holds nothing but what its checkpoint says: check_tiles, and then every
 * other file below tile/. An older partial tile has to be the beginning of what took its place: that is what a client
 * with an older checkpoint is served. What a pruned log still holds of what was pruned is counted. Any thread. */
#ifndef CAREHUB_CHECK_FILES_H
#define CAREHUB_CHECK_FILES_H

#include "check.h"

struct check_files {
    uint64_t pruned; /* files that the log's minimum index allows to be missing: not looked at */
    uint64_t beyond; /* files of a larger tree than the checkpoint's … */
    uint64_t reach;  /* … which has so many entries at least */
};

/* check->source is the directory's. Returns the kind of the first fault. Without since: that is left to check_tiles. */
enum check_verdict check_directory(struct check *check, const char *directory, struct check_files *files);

#endif
