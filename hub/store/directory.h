/* directory.h - files that are to be there after a power cut: a name is on disk only when its directory is. */
#ifndef CAREHUB_DIRECTORY_H
#define CAREHUB_DIRECTORY_H

#include <stdbool.h>

/* Syncs the directory that `path`, a file's, is in. False with errno. Any thread. */
bool directory_sync(const char *path);

#endif
