#include "plugin.h"

#include <dirent.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "settings.h"

#ifndef CAREHUB_PLUGIN_DIR
#define CAREHUB_PLUGIN_DIR                                                                                             \
    "../lib/carehub/plugins" /* from the program's directory, so that an installation can move                         \
                              */
#endif

enum { PLACES = 2 };

/* ---- Where they are --------------------------------------------------------------------------------------------- */

/* The directories that names are looked for in: beside the program, as in its build tree, and where it is installed
 * with it. */
static void places(char dirs[PLACES][PATH_MAX])
{
    static const char *const below[PLACES] = {"plugins", CAREHUB_PLUGIN_DIR};
    char program[PATH_MAX];
    size_t size = sizeof program;
    char *slash = uv_exepath(program, &size) == 0 ? strrchr(program, '/') : NULL;
    int len = slash ? (int)(slash - program) : 0;
    for (int i = 0; i < PLACES; i++) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%.*s/%s", len, program, below[i]);
        if (!realpath(path, dirs[i])) /* without the dots, for people */
            memcpy(dirs[i], path, sizeof path);
    }
}

static bool is_name(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");
    return len > 0 && len < CAREHUB_NAME_BYTES && name[len] == '\0';
}

/* malloc'd. NULL with `error` set. */
static char *find(const char *name, const char *folder, char error[CAREHUB_ERROR_BYTES])
{
    char dirs[PLACES][PATH_MAX], *path = NULL;
    if (strchr(name, '/')) {
        bool is_whole = name[0] == '/' || folder[0] == '\0';
        if (asprintf(&path, "%s%s%s", is_whole ? "" : folder, is_whole ? "" : "/", name) < 0)
            path = NULL;
        if (path && access(path, R_OK) == 0)
            return path;
        settings_complain(error, "", "there is no plug-in %s", path ? path : name);
        free(path);
        return NULL;
    }
    if (!is_name(name)) {
        settings_complain(error, "",
                          "'%.64s' is not the name of a plug-in, such as hospital; a file has a slash in it, such as "
                          "./mine.so",
                          name);
        return NULL;
    }
    places(dirs);
    for (int i = 0; i < PLACES; i++) {
        if (asprintf(&path, "%s/%s.so", dirs[i], name) > 0) {
            if (access(path, R_OK) == 0)
                return path;
            free(path);
        }
    }
    settings_complain(error, "",
                      "there is no plug-in '%s': looked for %s.so in %.400s and in %.400s; see carehub-adapter "
                      "--list-plugins",
                      name, name, dirs[0], dirs[1]);
    return NULL;
}

/* ---- Loading ---------------------------------------------------------------------------------------------------- */

static bool check(const struct plugin *self, char error[CAREHUB_ERROR_BYTES])
{
    const struct carehub_format *format = self->format;
    if (format->abi != CAREHUB_FORMAT_ABI)
        return settings_complain(error, self->path,
                                 "it was built for version %u of the interface of plug-ins, and this program has "
                                 "version %u: rebuild it with the carehub_adapter.h of this version",
                                 (unsigned)format->abi, CAREHUB_FORMAT_ABI);
    if (!format->name || format->name[0] == '\0' || strlen(format->name) >= CAREHUB_NAME_BYTES)
        return settings_complain(error, self->path, "its carehub_format has no name of at most %d bytes",
                                 CAREHUB_NAME_BYTES - 1);
    if (!format->translate && !format->write)
        return settings_complain(error, self->path,
                                 "its carehub_format has neither `translate` nor `write`, so it can do nothing");
    return true;
}

bool plugin_load(struct plugin *self, const char *name, const char *folder, char error[CAREHUB_ERROR_BYTES])
{
    void *symbol = NULL;
    *self = (struct plugin){.path = find(name, folder, error)};
    if (!self->path)
        return false;
    /* Even a library that could not be loaded has to be closed: its error is kept in there. */
    self->is_loaded = true;
    bool ok = uv_dlopen(self->path, &self->library) == 0;
    if (!ok) {
        settings_complain(error, self->path, "it cannot be loaded: %s", uv_dlerror(&self->library));
    } else if (uv_dlsym(&self->library, "carehub_format", &symbol) != 0 || !symbol) {
        ok = settings_complain(error, self->path,
                               "it is not a format: it defines no `carehub_format`; see carehub-formats(7)");
    } else {
        self->format = symbol;
        ok = check(self, error);
    }
    if (!ok) {
        self->format = NULL;
        plugin_unload(self);
    }
    return ok;
}

bool plugin_configure(struct plugin *self, const struct carehub_setting *section, const char *folder,
                      char error[CAREHUB_ERROR_BYTES])
{
    static const struct carehub_setting empty = {.name = "format", .value = ""};
    const struct carehub_format *format = self->format;
    if (!section)
        section = &empty;
    if (!format->configure) {
        for (const struct carehub_setting *item = section->first; item; item = item->next)
            if (strcmp(item->name, "plugin") != 0)
                return settings_complain(error, "format", "there is no setting '%.64s': the format %s has none",
                                         item->name, format->name);
        return true;
    }
    snprintf(error, CAREHUB_ERROR_BYTES, "the format %s did not take its settings, and did not say why", format->name);
    self->self = format->configure(section, folder, error);
    return self->self != NULL;
}

void plugin_unload(struct plugin *self)
{
    if (self->format && self->self && self->format->destroy)
        self->format->destroy(self->self);
    if (self->is_loaded)
        uv_dlclose(&self->library);
    free(self->path);
    *self = (struct plugin){0};
}

/* ---- Listing ---------------------------------------------------------------------------------------------------- */

static int is_library(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    return len > 3 && entry->d_name[0] != '.' && strcmp(entry->d_name + len - 3, ".so") == 0;
}

static void add_text(struct json_object *object, const char *name, const char *text)
{
    if (text)
        json_object_object_add(object, name, json_object_new_string(text));
}

static void print_json(const struct plugin *plugin, const char *name, const char *error)
{
    const struct carehub_format *format = plugin->format;
    struct json_object *line = json_object_new_object();
    add_text(line, "name", name);
    add_text(line, "path", plugin->path);
    add_text(line, "summary", format ? format->summary : NULL);
    add_text(line, "version", format ? format->version : NULL);
    add_text(line, "error", format ? NULL : error);
    puts(json_object_to_json_string_ext(line, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(line);
}

static void list_one(const char *dir, const char *file, bool as_json)
{
    struct plugin plugin;
    char error[CAREHUB_ERROR_BYTES], name[NAME_MAX + 1];
    bool usable = plugin_load(&plugin, file, dir, error);
    const struct carehub_format *format = plugin.format;
    snprintf(name, sizeof name, "%.*s", (int)strlen(file) - 5, file + 2);
    if (as_json)
        print_json(&plugin, name, error);
    else if (!usable)
        printf("%-16s cannot be used: %s\n", name, error);
    else
        printf("%-16s %s%s%s\n", name, format->summary ? format->summary : format->name,
               format->version ? ", version " : "", format->version ? format->version : "");
    plugin_unload(&plugin);
}

void plugin_list(bool as_json)
{
    char dirs[PLACES][PATH_MAX];
    int found = 0;
    places(dirs);
    for (int i = 0; i < PLACES; i++) {
        struct dirent **entries = NULL;
        int n = scandir(dirs[i], &entries, is_library, alphasort);
        if (n > 0 && !as_json)
            printf("in %s:\n", dirs[i]);
        for (int k = 0; k < n; k++) {
            char file[NAME_MAX + 3];
            snprintf(file, sizeof file, "./%s", entries[k]->d_name);
            list_one(dirs[i], file, as_json);
            free(entries[k]);
            found++;
        }
        free(entries);
    }
    if (found == 0 && !as_json)
        printf("no plug-ins in %s or %s\n", dirs[0], dirs[1]);
}
