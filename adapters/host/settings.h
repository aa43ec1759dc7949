/* settings.h - reads sections of settings (struct carehub_setting) into structs, by tables. Used by the host, its
 * transports and the formats in this tree. */
#ifndef CAREHUB_SETTINGS_H
#define CAREHUB_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "carehub_adapter.h"

enum setting_kind {
    SETTING_TEXT,    /* char *, malloc'd; a later one replaces it */
    SETTING_PATH,    /* the same; a relative one starts at the folder */
    SETTING_NUMBER,  /* int64_t, from min to max */
    SETTING_CHOICE,  /* int, the index in choices */
    SETTING_LIST,    /* struct setting_list; may be repeated */
    SETTING_SECTION, /* allowed here; the caller reads it itself */
};

enum { SETTING_LIST_MAX = 64 };

struct setting_list {
    size_t count;
    char *items[SETTING_LIST_MAX];
};

struct setting_rule {
    const char *name;
    enum setting_kind kind;
    size_t offset; /* in the struct that is filled in */
    int64_t min, max;
    const char *const *choices; /* NULL at the end */
    bool required;              /* of texts, paths and lists */
    const char *example;        /* in the error for one that is required and missing */
};

/* Reads a section; what is not set keeps its value. `where` names the section in errors ("in/mllp"). False with the
 * reason: an unknown setting, a bad value, one that is missing. Texts read before stay: settings_clear. */
bool settings_read(const struct carehub_setting *section, const char *where, const char *folder,
                   const struct setting_rule *rules, size_t n_rules, void *into, char error[CAREHUB_ERROR_BYTES]);
/* Frees what the rules' texts, paths and lists hold. */
void settings_clear(const struct setting_rule *rules, size_t n_rules, void *of);

/* The first setting or section of a name, or NULL. */
const struct carehub_setting *setting_named(const struct carehub_setting *section, const char *name);

/* Writes "WHERE: " and the text into error; always false. */
bool settings_complain(char error[CAREHUB_ERROR_BYTES], const char *where, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Reads a configuration file (ZPL) as a tree; one allocation tree, freed with settings_tree_free. NULL with error. */
struct carehub_setting *settings_tree_load(const char *path, char error[CAREHUB_ERROR_BYTES]);
void settings_tree_free(struct carehub_setting **tree);

#endif
