/* settings_tree.c - a configuration file as a tree of settings. The whole tree is one allocation: its settings in the
 * order of the file, their texts behind them. */
#include <czmq.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "settings.h"

enum { FILE_MAX_BYTES = 256 << 10 };

static zconfig_t *parse(const char *path, char *text, char error[CAREHUB_ERROR_BYTES])
{
    FILE *file = fopen(path, "re");
    if (!file) {
        settings_complain(error, path, "cannot be opened: %s", strerror(errno));
        return NULL;
    }
    size_t size = fread(text, 1, FILE_MAX_BYTES, file);
    bool whole = !ferror(file) && getc(file) == EOF && !ferror(file) && strlen(text) == size;
    fclose(file);
    zconfig_t *root = whole ? zconfig_str_load(text) : NULL; /* which prints the number of a line that is wrong */
    if (!whole)
        settings_complain(error, path, "is not a text of at most %d bytes", FILE_MAX_BYTES);
    else if (!root)
        settings_complain(
            error, path,
            "is not in the form of sections and 'setting = value', indented by four spaces a level, without "
            "tabs; the line 'E (zconfig)' tells in brackets which line is wrong");
    return root;
}

static const char *text_or_empty(const char *text)
{
    return text ? text : "";
}

static void measure(zconfig_t *item, size_t *n_settings, size_t *n_bytes)
{
    *n_settings += 1;
    *n_bytes += strlen(text_or_empty(zconfig_name(item))) + strlen(text_or_empty(zconfig_value(item))) + 2;
    for (zconfig_t *child = zconfig_child(item); child; child = zconfig_next(child))
        measure(child, n_settings, n_bytes);
}

/* What is left of the allocation. */
struct filling {
    struct carehub_setting *next;
    char *text;
};

static const char *put_text(struct filling *filling, const char *text)
{
    char *at = filling->text;
    filling->text = stpcpy(at, text_or_empty(text)) + 1;
    return at;
}

static struct carehub_setting *put(struct filling *filling, zconfig_t *item)
{
    struct carehub_setting *setting = filling->next++;
    const struct carehub_setting **end = &setting->first;
    setting->name = put_text(filling, zconfig_name(item));
    setting->value = put_text(filling, zconfig_value(item));
    for (zconfig_t *child = zconfig_child(item); child; child = zconfig_next(child)) {
        struct carehub_setting *own = put(filling, child);
        *end = own;
        end = &own->next;
    }
    return setting;
}

struct carehub_setting *settings_tree_load(const char *path, char error[CAREHUB_ERROR_BYTES])
{
    size_t n_settings = 0, n_bytes = 0;
    struct carehub_setting *tree = NULL;
    char *text = calloc(1, FILE_MAX_BYTES + 1);
    zconfig_t *root = text ? parse(path, text, error) : NULL;
    if (root) {
        measure(root, &n_settings, &n_bytes);
        tree = calloc(1, n_settings * sizeof *tree + n_bytes);
    }
    if (tree)
        put(&(struct filling){.next = tree, .text = (char *)(tree + n_settings)}, root);
    else if (!text || root)
        settings_complain(error, path, "out of memory");
    if (root)
        zconfig_destroy(&root);
    free(text);
    return tree;
}

void settings_tree_free(struct carehub_setting **tree)
{
    free(*tree);
    *tree = NULL;
}
