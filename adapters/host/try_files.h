/* try_files.h - runs a format on files, without hub, network or state: for --test. */
#ifndef CAREHUB_TRY_FILES_H
#define CAREHUB_TRY_FILES_H

#include "plugin.h"

/* Prints each event (and fact) as a line of JSON on stdout; what became of other messages, and a table of all, on
 * stderr; on a terminal also how far it is, if that takes long. Returns false if a message was refused, or a file could
 * not be read. */
bool try_files(const struct plugin *plugin, char *const *paths, int n);

#endif
