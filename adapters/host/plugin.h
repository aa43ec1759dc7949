/* plugin.h - finds and loads formats: shared objects that define `carehub_format` (see carehub_adapter.h). */
#ifndef CAREHUB_PLUGIN_H
#define CAREHUB_PLUGIN_H

#include <stdbool.h>
#include <uv.h>

#include "carehub_adapter.h"

/* Zero it first. */
struct plugin {
    uv_lib_t library;
    bool is_loaded;
    char *path;
    const struct carehub_format *format;
    void *self; /* the format's, once configured */
};

/* Loads a format by its name ("hospital": hospital.so in "plugins" beside the program, then in the directory that
 * programs are installed with), or, if there is a slash in it, from a file; a relative one starts at `folder`, "" being
 * the working directory. False with `error` set: what was looked for and where, or why it cannot be used. */
bool plugin_load(struct plugin *self, const char *name, const char *folder, char error[CAREHUB_ERROR_BYTES]);

/* Has the format read its section (NULL: an empty one). False with `error` set. */
bool plugin_configure(struct plugin *self, const struct carehub_setting *section, const char *folder,
                      char error[CAREHUB_ERROR_BYTES]);

void plugin_unload(struct plugin *self);

/* Prints the formats that can be found by name, with their summaries; and those that cannot be used, with the reason.
 * As JSON: one object a line, with name, path, and summary and version, or error. */
void plugin_list(bool as_json);

#endif
