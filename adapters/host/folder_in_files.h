/* folder_in_files.h - the files of a drop folder: which are there, reading one, and putting it away for good. All names
 * are taken within open directories, symbolic links are not followed, and only plain files are touched.
 *
 * A move or removal is on disk when it returns. Killed at any point, a file is either where it was or put away. */
#ifndef CAREHUB_FOLDER_IN_FILES_H
#define CAREHUB_FOLDER_IN_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "carehub_adapter.h"

enum { FOLDER_NAMES_MAX = 65536, FOLDER_EXPIRE_MAX = 1000 };

struct folder_files {
    int folder, done, failed; /* descriptors; -1 */
    char **names;             /* in order; of the last listing */
    size_t count;
};

/* A file as it was when it was looked at; another one under its name is told by it. */
struct folder_file {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified, changed;
};

enum folder_look {
    FOLDER_FILE,    /* a plain file */
    FOLDER_NOTHING, /* it has gone, or is not a plain file */
};

/* Lets the folder's group do with something just made in it (own: 0600 a file, 0700 a folder) what it may do with the
 * folder itself: software of another user shares it so. Never others. */
void folder_share(int folder, int fd, mode_t own);

/* Opens the folder, and makes "done" (with `keep`) and "failed" in it. False with errno, and *what: what cannot be
 * opened. */
bool folder_files_open(struct folder_files *self, const char *path, bool keep, const char **what);
void folder_files_close(struct folder_files *self);

/* Lists the names that are not of files in the making (".…", "….tmp", "….part"), sorted as bytes. False with errno. */
bool folder_files_list(struct folder_files *self);

enum folder_look folder_files_look(const struct folder_files *self, const char *name, struct folder_file *file);
/* How long ago it was changed last, of the wall clock; negative: it says it is of the future. */
int64_t folder_file_age_ms(const struct folder_file *file);

/* The content, malloc'd, if it is still the file that was looked at and did not change while it was read. NULL with
 * errno; EAGAIN: it changed. */
uint8_t *folder_files_read(const struct folder_files *self, const char *name, const struct folder_file *file);

/* Puts a file away, unless another has taken its place: into done/ or, without it, removes it. False with errno. */
bool folder_files_finish(const struct folder_files *self, const char *name, const struct folder_file *file);
/* The same into failed/, with a text beside it (NAME.problems.txt). */
bool folder_files_fail(const struct folder_files *self, const char *name, const struct folder_file *file,
                       const char *text);

/* Removes what has been in done/ and in failed/ since before these times (of the wall clock, ms; INT64_MIN: nothing),
 * of FOLDER_EXPIRE_MAX files at most. Returns how many, or -1 with errno. */
int folder_files_expire(struct folder_files *self, int64_t done_before_ms, int64_t failed_before_ms);

#endif
