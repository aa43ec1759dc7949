#include "settings.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool settings_complain(char error[CAREHUB_ERROR_BYTES], const char *where, const char *format, ...)
{
    int used = where[0] != '\0' ? snprintf(error, CAREHUB_ERROR_BYTES, "%s: ", where) : 0;
    size_t at = used < CAREHUB_ERROR_BYTES ? (size_t)used : CAREHUB_ERROR_BYTES - 1;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error + at, CAREHUB_ERROR_BYTES - at, format, arguments);
    va_end(arguments);
    return false;
}

const struct carehub_setting *setting_named(const struct carehub_setting *section, const char *name)
{
    const struct carehub_setting *item = section ? section->first : NULL;
    while (item && strcmp(item->name, name) != 0)
        item = item->next;
    return item;
}

/* ---- Single settings -------------------------------------------------------------------------------------------- */

/* What a reader of one setting needs to know of its surroundings. */
struct reading {
    const char *where, *folder;
    char *error;
};

static void *place_of(const struct setting_rule *rule, void *into)
{
    return (char *)into + rule->offset;
}

static bool read_text(const struct reading *r, const struct carehub_setting *item, char **text)
{
    char *copy = strdup(item->value);
    if (!copy)
        return settings_complain(r->error, r->where, "out of memory");
    free(*text);
    *text = copy;
    return true;
}

static bool read_path(const struct reading *r, const struct carehub_setting *item, char **path)
{
    char *whole;
    if (item->value[0] == '/' || r->folder[0] == '\0')
        return read_text(r, item, path);
    if (asprintf(&whole, "%s/%s", r->folder, item->value) < 0)
        return settings_complain(r->error, r->where, "out of memory");
    free(*path);
    *path = whole;
    return true;
}

static bool read_number(const struct reading *r, const struct setting_rule *rule, const struct carehub_setting *item,
                        int64_t *number)
{
    char *end;
    errno = 0;
    long long value = strtoll(item->value, &end, 10);
    if (errno != 0 || end == item->value || *end != '\0' || value < rule->min || value > rule->max)
        return settings_complain(r->error, r->where, "setting '%s' has to be a whole number from %lld to %lld",
                                 item->name, (long long)rule->min, (long long)rule->max);
    *number = value;
    return true;
}

/* "a", "a or b", "a, b or c"; cut off where it does not fit. */
static void join(char *out, size_t size, const char *last, size_t i, bool is_last, const char *name)
{
    size_t used = strlen(out);
    snprintf(out + used, size - used, "%s%s", i == 0 ? "" : is_last ? last : ", ", name);
}

static bool read_choice(const struct reading *r, const struct setting_rule *rule, const struct carehub_setting *item,
                        int *chosen)
{
    char all[CAREHUB_ERROR_BYTES / 2] = "";
    for (int i = 0; rule->choices[i]; i++) {
        if (strcmp(rule->choices[i], item->value) == 0) {
            *chosen = i;
            return true;
        }
        join(all, sizeof all, " or ", (size_t)i, !rule->choices[i + 1], rule->choices[i]);
    }
    return settings_complain(r->error, r->where, "setting '%s' has to be %s", item->name, all);
}

static bool read_list_item(const struct reading *r, const struct carehub_setting *item, struct setting_list *list)
{
    if (list->count == SETTING_LIST_MAX)
        return settings_complain(r->error, r->where, "setting '%s' can be given at most %d times", item->name,
                                 SETTING_LIST_MAX);
    list->items[list->count] = NULL;
    return read_text(r, item, &list->items[list->count]) && ++list->count > 0;
}

static bool read_item(const struct reading *r, const struct setting_rule *rule, const struct carehub_setting *item,
                      void *into)
{
    if (rule->kind == SETTING_SECTION)
        return item->value[0] == '\0' ||
               settings_complain(r->error, r->where,
                                 "'%s' is a section: its settings stand on lines of their own below it, indented by "
                                 "four spaces more",
                                 item->name);
    if (item->first)
        return settings_complain(r->error, r->where, "'%s' is a setting with a value, not a section", item->name);
    if (item->value[0] == '\0')
        return settings_complain(r->error, r->where, "setting '%s' has no value", item->name);
    switch (rule->kind) {
    case SETTING_TEXT:
        return read_text(r, item, place_of(rule, into));
    case SETTING_PATH:
        return read_path(r, item, place_of(rule, into));
    case SETTING_NUMBER:
        return read_number(r, rule, item, place_of(rule, into));
    case SETTING_CHOICE:
        return read_choice(r, rule, item, place_of(rule, into));
    default:
        return read_list_item(r, item, place_of(rule, into));
    }
}

/* ---- Sections --------------------------------------------------------------------------------------------------- */

static bool unknown(const struct reading *r, const struct setting_rule *rules, size_t n_rules, const char *name)
{
    char all[CAREHUB_ERROR_BYTES / 2] = "";
    for (size_t i = 0; i < n_rules; i++)
        join(all, sizeof all, " and ", i, i + 1 == n_rules, rules[i].name);
    return settings_complain(r->error, r->where, "there is no setting '%.64s'; there %s %s", name,
                             n_rules == 1 ? "is" : "are", n_rules > 0 ? all : "none here");
}

static bool is_missing(const struct setting_rule *rule, void *into)
{
    const void *place = place_of(rule, into);
    if (!rule->required)
        return false;
    if (rule->kind == SETTING_LIST)
        return ((const struct setting_list *)place)->count == 0;
    return (rule->kind == SETTING_TEXT || rule->kind == SETTING_PATH) && *(char *const *)place == NULL;
}

bool settings_read(const struct carehub_setting *section, const char *where, const char *folder,
                   const struct setting_rule *rules, size_t n_rules, void *into, char error[CAREHUB_ERROR_BYTES])
{
    const struct reading r = {.where = where, .folder = folder ? folder : "", .error = error};
    for (const struct carehub_setting *item = section ? section->first : NULL; item; item = item->next) {
        size_t i = 0;
        while (i < n_rules && strcmp(rules[i].name, item->name) != 0)
            i++;
        if (i == n_rules)
            return unknown(&r, rules, n_rules, item->name);
        if (!read_item(&r, &rules[i], item, into))
            return false;
    }
    for (size_t i = 0; i < n_rules; i++)
        if (is_missing(&rules[i], into))
            return settings_complain(error, where, "needs '%s'%s%s", rules[i].name,
                                     rules[i].example ? ", such as " : "", rules[i].example ? rules[i].example : "");
    return true;
}

void settings_clear(const struct setting_rule *rules, size_t n_rules, void *of)
{
    for (size_t i = 0; i < n_rules; i++) {
        void *place = place_of(&rules[i], of);
        if (rules[i].kind == SETTING_TEXT || rules[i].kind == SETTING_PATH) {
            free(*(char **)place);
            *(char **)place = NULL;
        } else if (rules[i].kind == SETTING_LIST) {
            struct setting_list *list = place;
            while (list->count > 0)
                free(list->items[--list->count]);
        }
    }
}
