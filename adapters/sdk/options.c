/* options.c - a client's configuration file. */
#include "options.h"

#include <czmq.h>
#include <libgen.h>
#include <limits.h>
#include <sodium.h>

#include "error.h"
#include "keyfile.h"

enum { CONFIG_MAX_BYTES = 64 << 10 };

/* Reads the file ourselves: bounded, and with an error of our own. NULL with the error set. */
static zconfig_t *load(const char *path)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        error_set(CAREHUB_CONFIG, "%s: cannot be opened: %s", path, strerror(errno));
        return NULL;
    }
    char *text = calloc(1, CONFIG_MAX_BYTES + 1);
    size_t size = text ? fread(text, 1, CONFIG_MAX_BYTES + 1, file) : 0;
    bool failed = ferror(file) != 0;
    fclose(file);
    zconfig_t *root = NULL;
    if (text && !failed && size <= CONFIG_MAX_BYTES)
        root = zconfig_str_load(text);
    if (!root)
        error_set(CAREHUB_CONFIG, "%s: is not a configuration file (lines of \"name = value\", at most 64 KiB)", path);
    free(text);
    return root;
}

/* A path of the file, seen from the file's own folder. */
static char *resolve(const char *config_path, const char *value)
{
    if (value[0] == '/')
        return strdup(value);
    char folder[PATH_MAX], joined[2 * PATH_MAX];
    snprintf(folder, sizeof folder, "%s", config_path);
    snprintf(joined, sizeof joined, "%s/%s", dirname(folder), value);
    return strdup(joined);
}

struct reading {
    struct carehub_options *options;
    const char *path;
    bool has_hub_key;
    char *key_file;
};

static int copy_text(const char **place, char *value)
{
    if (!value)
        return error_set(CAREHUB_OUT_OF_MEMORY, "out of memory");
    free((char *)*place);
    *place = value;
    return CAREHUB_OK;
}

static int take_max_bytes(struct reading *r, const char *value)
{
    char *end;
    errno = 0;
    unsigned long long n = strtoull(value, &end, 10);
    if (errno || end == value || *end || value[0] == '-' || n == 0)
        return error_set(CAREHUB_CONFIG, "%s: spool-max-bytes: expected a number of bytes, not \"%s\"", r->path, value);
    r->options->spool_max_bytes = n;
    return CAREHUB_OK;
}

static int take(struct reading *r, const char *name, const char *value)
{
    struct carehub_options *o = r->options;
    if (strcmp(name, "endpoint") == 0)
        return copy_text(&o->endpoint, strdup(value));
    if (strcmp(name, "software") == 0)
        return copy_text(&o->software, strdup(value));
    if (strcmp(name, "software-version") == 0)
        return copy_text(&o->software_version, strdup(value));
    if (strcmp(name, "spool-dir") == 0)
        return copy_text(&o->spool_dir, resolve(r->path, value));
    if (strcmp(name, "spool-key-file") == 0)
        return copy_text(&o->spool_key_file, resolve(r->path, value));
    if (strcmp(name, "key-file") == 0)
        return copy_text((const char **)&r->key_file, resolve(r->path, value));
    if (strcmp(name, "spool-max-bytes") == 0)
        return take_max_bytes(r, value);
    if (strcmp(name, "hub-key") == 0) {
        r->has_hub_key = strlen(value) == KEY_HEX_CHARS && key_from_hex(value, o->hub_key);
        return r->has_hub_key ? CAREHUB_OK
                              : error_set(CAREHUB_CONFIG, "%s: hub-key: expected 64 hexadecimal digits", r->path);
    }
    return error_set(CAREHUB_CONFIG, "%s: unknown name \"%s\"", r->path, name);
}

static int take_all(struct reading *r, zconfig_t *root)
{
    for (zconfig_t *item = zconfig_child(root); item; item = zconfig_next(item)) {
        const char *value = zconfig_value(item);
        if (!value || !*value) {
            if (zconfig_child(item))
                continue; /* a section of the program's own */
            return error_set(CAREHUB_CONFIG, "%s: \"%s\" has no value", r->path, zconfig_name(item));
        }
        int result = take(r, zconfig_name(item), value);
        if (result != CAREHUB_OK)
            return result;
    }
    if (!r->options->endpoint || !r->has_hub_key || !r->key_file)
        return error_set(CAREHUB_CONFIG, "%s: needs endpoint, hub-key and key-file", r->path);
    return carehub_key_load(&r->options->key, r->key_file);
}

int carehub_options_load(struct carehub_options *options, const char *path)
{
    if (!options || !path)
        return error_set(CAREHUB_INVALID_ARGUMENT, "carehub_options_load: options and path are needed");
    memset(options, 0, sizeof *options);
    zconfig_t *root = load(path);
    if (!root)
        return CAREHUB_CONFIG;
    struct reading r = {.options = options, .path = path};
    int result = take_all(&r, root);
    zconfig_destroy(&root);
    free(r.key_file);
    if (result != CAREHUB_OK)
        carehub_options_free(options);
    return result;
}

void carehub_options_free(struct carehub_options *options)
{
    if (!options)
        return;
    free((char *)options->endpoint);
    free((char *)options->software);
    free((char *)options->software_version);
    free((char *)options->spool_dir);
    free((char *)options->spool_key_file);
    sodium_memzero(options, sizeof *options);
}

static bool copy_one(const char **copy, const char *from)
{
    *copy = from ? strdup(from) : NULL;
    return !from || *copy;
}

int options_copy(struct carehub_options *copy, const struct carehub_options *from)
{
    *copy = *from;
    bool ok = copy_one(&copy->endpoint, from->endpoint);
    ok &= copy_one(&copy->software, from->software ? from->software : "libcarehub");
    ok &= copy_one(&copy->software_version, from->software_version ? from->software_version : CAREHUB_VERSION);
    ok &= copy_one(&copy->spool_dir, from->spool_dir);
    ok &= copy_one(&copy->spool_key_file, from->spool_key_file);
    if (copy->spool_max_bytes == 0)
        copy->spool_max_bytes = SPOOL_DEFAULT_MAX_BYTES;
    if (ok)
        return CAREHUB_OK;
    carehub_options_free(copy);
    return error_set(CAREHUB_OUT_OF_MEMORY, "out of memory");
}
