#include "template.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "eventid.h"

enum { PLACE_BYTES = 128 };

const char *embedded(const char *name)
{
    for (const struct embedded_file *f = embedded_files; f->name; f++)
        if (strcmp(f->name, name) == 0)
            return (const char *)f->text;
    abort();
}

/* "+365d", "-20m" or "": seconds from now. */
static long long from_now_s(const char *argument)
{
    char *unit;
    long long count = strtoll(argument, &unit, 10);
    return count * (*unit == 'd' ? 86400 : *unit == 'h' ? 3600 : 60);
}

static void fill_id(const char *argument, char *value)
{
    (void)argument;
    uint8_t id[EVENTID_BYTES];
    if (eventid_new(id) != EVENTID_OK)
        abort();
    eventid_format(id, value);
}

static void fill_ms(const char *argument, char *value)
{
    snprintf(value, TEMPLATE_VALUE_BYTES, "%lld", ((long long)time(NULL) + from_now_s(argument)) * 1000);
}

static void fill_hl7(const char *argument, char *value)
{
    time_t at = time(NULL) + (time_t)from_now_s(argument);
    struct tm local;
    localtime_r(&at, &local);
    strftime(value, TEMPLATE_VALUE_BYTES, "%Y%m%d%H%M%S%z", &local);
}

static void fill_date(const char *argument, char *value)
{
    time_t at = time(NULL) + (time_t)from_now_s(argument);
    struct tm local;
    localtime_r(&at, &local);
    strftime(value, TEMPLATE_VALUE_BYTES, "%Y-%m-%d", &local);
}

static void fill_iso(const char *argument, char *value)
{
    time_t at = time(NULL) + (time_t)from_now_s(argument);
    struct tm utc;
    gmtime_r(&at, &utc);
    strftime(value, TEMPLATE_VALUE_BYTES, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

static void fill_offset(const char *argument, char *value)
{
    (void)argument;
    time_t now = time(NULL);
    struct tm local;
    localtime_r(&now, &local);
    snprintf(value, TEMPLATE_VALUE_BYTES, "%ld", local.tm_gmtoff / 60);
}

/* Check digits: 97 less the remainder of the nine digits before them (National Register). Men get 001 to 997
 * and women 002 to 998, so 999 is nobody. */
static void fill_ssin(const char *argument, char *value)
{
    long nine = strtol(argument, NULL, 10) * 1000 + 999;
    snprintf(value, TEMPLATE_VALUE_BYTES, "%09ld%02ld", nine, 97 - nine % 97);
}

static void fill_number(const char *argument, char *value)
{
    (void)argument;
    snprintf(value, TEMPLATE_VALUE_BYTES, "%lld", (long long)time(NULL));
}

static bool fill_known(const char *name, const char *argument, char *value)
{
    static const struct {
        const char *name;
        void (*fill)(const char *argument, char *value);
    } known[] = {{"ID", fill_id},   {"MS", fill_ms},         {"HL7", fill_hl7},   {"DATE", fill_date},
                 {"ISO", fill_iso}, {"OFFSET", fill_offset}, {"SSIN", fill_ssin}, {"NUMBER", fill_number}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(known[i].name, name) == 0) {
            known[i].fill(argument, value);
            return true;
        }
    return false;
}

/* Writes what stands for one place. */
static void fill_place(FILE *out, const char *place, size_t size, template_fn *fill, void *ctx)
{
    char name[PLACE_BYTES], value[TEMPLATE_VALUE_BYTES];
    if (size >= sizeof name)
        abort();
    memcpy(name, place, size);
    name[size] = '\0';
    char *argument = strchr(name, ' ');
    if (argument)
        *argument++ = '\0';
    else
        argument = name + size;
    if (!(fill && fill(ctx, name, argument, value)) && !fill_known(name, argument, value))
        abort();
    fputs(value, out);
}

char *template_fill(const char *text, template_fn *fill, void *ctx)
{
    char *result = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&result, &size);
    if (!out)
        abort();
    for (const char *at = text, *mark; *at; at = mark) {
        mark = at + strcspn(at, "@");
        fwrite(at, 1, (size_t)(mark - at), out);
        if (!*mark)
            break;
        const char *end = strchr(mark + 1, '@');
        if (!end)
            abort();
        fill_place(out, mark + 1, (size_t)(end - mark - 1), fill, ctx);
        mark = end + 1;
    }
    if (fclose(out) != 0)
        abort();
    return result;
}
