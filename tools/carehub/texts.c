#include "texts.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "template.h"

struct texts {
    size_t n, capacity;
    struct entry {
        const char *code, *text;
    } * entries;
    char *copy; /* what they point into */
};

/* ---- Tables ----------------------------------------------------------------------------------------------------- */

static int by_code(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->code, ((const struct entry *)b)->code);
}

static void add(struct texts *texts, const char *code, const char *text)
{
    if (texts->n == texts->capacity) {
        texts->capacity = texts->capacity ? 2 * texts->capacity : 256;
        texts->entries = reallocarray(texts->entries, texts->capacity, sizeof *texts->entries);
        if (!texts->entries)
            abort();
    }
    texts->entries[texts->n++] = (struct entry){code, text};
}

/* Lines of "CODE = text"; others are comments, or empty. */
static struct texts *read_table(const char *file)
{
    struct texts *texts = calloc(1, sizeof *texts);
    if (!texts || !(texts->copy = strdup(file)))
        abort();
    char *rest = texts->copy;
    for (char *line; (line = strsep(&rest, "\n"));) {
        char *equals = strstr(line, " = ");
        if (*line == '#' || !equals)
            continue;
        *equals = '\0';
        add(texts, line, equals + 3);
    }
    qsort(texts->entries, texts->n, sizeof *texts->entries, by_code);
    return texts;
}

const struct texts *texts_of(const char *language)
{
    static const char *const languages[] = {"nl", "fr", "de", "en"};
    static struct texts *tables[sizeof languages / sizeof *languages];
    for (size_t i = 0; i < sizeof languages / sizeof *languages; i++) {
        char name[16];
        if (strcmp(language, languages[i]) != 0)
            continue;
        snprintf(name, sizeof name, "texts/%s.txt", language);
        if (!tables[i])
            tables[i] = read_table(embedded(name));
        return tables[i];
    }
    return NULL;
}

/* "nl_BE.UTF-8" begins with its language. */
const char *texts_language(void)
{
    static const char *const variables[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
    static char language[3];
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
        const char *value = getenv(variables[i]);
        if (!value || !*value)
            continue;
        snprintf(language, sizeof language, "%s", value);
        bool ends = value[0] && value[1] && !isalpha((unsigned char)value[2]);
        return ends && texts_of(language) ? language : "en";
    }
    return "en";
}

size_t texts_count(const struct texts *texts)
{
    return texts->n;
}

const char *texts_code(const struct texts *texts, size_t i)
{
    return texts->entries[i].code;
}

const char *texts_text(const struct texts *texts, size_t i)
{
    return texts->entries[i].text;
}

/* ---- Texts ------------------------------------------------------------------------------------------------------ */

const char *text_find(struct style style, const char *code)
{
    const struct texts *texts = style.texts ? style.texts : texts_of("en");
    const struct entry key = {code, NULL};
    const struct entry *found = bsearch(&key, texts->entries, texts->n, sizeof *texts->entries, by_code);
    return found ? found->text : NULL;
}

const char *text_named(struct style style, const char *table, const char *name)
{
    char code[TEXT_CODE_BYTES];
    snprintf(code, sizeof code, "%s.%s", table, name);
    const char *text = text_find(style, code);
    return text ? text : name;
}

const char *text_enum(struct style style, const char *table, const ProtobufCEnumDescriptor *type, int value)
{
    const ProtobufCEnumValue *found = protobuf_c_enum_descriptor_get_value(type, value);
    return found ? text_named(style, table, found->name) : "?";
}

/* The value for the place that begins at `at`, and the end of that place; NULL: no such name. */
static const char *value_at(const char *at, va_list values, const char **end)
{
    const char *value = NULL;
    *end = strchr(at, '}');
    for (const char *name; *end && !value && (name = va_arg(values, const char *));) {
        const char *given = va_arg(values, const char *);
        if (strlen(name) == (size_t)(*end - at - 1) && strncmp(name, at + 1, strlen(name)) == 0)
            value = given;
    }
    return value;
}

const char *text_fill(struct style style, char out[TEXT_BYTES], const char *code, ...)
{
    const char *text = text_find(style, code), *end;
    size_t n = 0;
    for (const char *at = text ? text : code; *at && n < TEXT_BYTES - 1; at++) {
        const char *value = NULL;
        if (*at == '{') {
            va_list values;
            va_start(values, code);
            value = value_at(at, values, &end);
            va_end(values);
        }
        if (value) {
            size_t room = TEXT_BYTES - 1 - n, size = strnlen(value, room);
            memcpy(out + n, value, size);
            n += size;
            at = end;
        } else {
            size_t plain = 1 + strcspn(at + 1, "{"), room = TEXT_BYTES - 1 - n;
            plain = plain < room ? plain : room;
            memcpy(out + n, at, plain);
            n += plain;
            at += plain - 1;
        }
    }
    out[n] = '\0';
    return out;
}

const char *date_text(struct style style, int64_t unix_ms, char out[DATE_CHARS])
{
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm local;
    char day[16], month[24], year[16], hour[16], minute[16], text[TEXT_BYTES];
    if (unix_ms == 0 || !localtime_r(&seconds, &local)) {
        snprintf(out, DATE_CHARS, "%s", text_find(style, "date.none"));
        return out;
    }
    snprintf(day, sizeof day, "%d", local.tm_mday);
    snprintf(month, sizeof month, "month.%d", local.tm_mon + 1);
    snprintf(year, sizeof year, "%d", local.tm_year + 1900);
    snprintf(hour, sizeof hour, "%02d", local.tm_hour);
    snprintf(minute, sizeof minute, "%02d", local.tm_min);
    text_fill(style, text, "date", "day", local.tm_mday == 1 ? text_find(style, "date.first-day") : day, "month",
              text_find(style, month), "year", year, "hour", hour, "minute", minute, NULL);
    snprintf(out, DATE_CHARS, "%.*s", DATE_CHARS - 1, text);
    return out;
}
