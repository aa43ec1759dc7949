#include "rx_pattern.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define COUNT_MAX 1000

static const struct {
    const char *name, *ucum;
    long long ms;
} units[] = {
    {"S", "s", 1000},       {"SEC", "s", 1000},      {"M", "min", 60000},       {"MIN", "min", 60000},
    {"H", "h", 3600000},    {"HR", "h", 3600000},    {"HOUR", "h", 3600000},    {"HOURS", "h", 3600000},
    {"D", "d", 86400000},   {"DAY", "d", 86400000},  {"DAYS", "d", 86400000},   {"J", "wk", 604800000},
    {"W", "wk", 604800000}, {"WK", "wk", 604800000}, {"WEEK", "wk", 604800000}, {"WEEKS", "wk", 604800000},
    {"L", "mo", 0},         {"MO", "mo", 0},         {"MON", "mo", 0},          {"MONTH", "mo", 0},
    {"A", "a", 0},          {"Y", "a", 0},           {"YEAR", "a", 0},
};

static size_t find_unit(const char *name)
{
    size_t i = 0;
    while (i < sizeof units / sizeof units[0] && strcasecmp(units[i].name, name) != 0)
        i++;
    return i;
}

static const size_t unit_count = sizeof units / sizeof units[0];

long long rx_unit_ms(const char *unit)
{
    size_t i = find_unit(unit);
    return i < unit_count ? units[i].ms : 0;
}

static bool per(long count, const char *unit, char frequency[32])
{
    if (count < 1 || count > COUNT_MAX)
        return false;
    if (count == 1)
        snprintf(frequency, 32, "1/%s", unit);
    else
        snprintf(frequency, 32, "1/(%ld.%s)", count, unit);
    return true;
}

bool rx_period_read(const char *count, const char *unit, char frequency[32])
{
    char *end;
    long number = strtol(count, &end, 10);
    size_t i = find_unit(unit);
    return end != count && *end == '\0' && i < unit_count && per(number, units[i].ucum, frequency);
}

// QnS, QnM, QnH, QnD, QnW, QnL (months), and QnJm, every n weeks on day m, of which the day stays in the text.
static bool read_every(const char *code, struct rx_pattern *pattern)
{
    char *end, unit[2] = "";
    long count = strtol(code + 1, &end, 10);
    if (end == code + 1 || strchr("SMHDWLJsmhdwlj", *end) == NULL || *end == '\0')
        return false;
    unit[0] = *end;
    if (end[1] != '\0' && *end != 'J' && *end != 'j')
        return false;
    return per(count, units[find_unit(unit)].ucum, pattern->frequency);
}

static bool read_fixed(const char *code, struct rx_pattern *pattern)
{
    static const struct {
        const char *code, *frequency, *moment;
    } fixed[] = {
        {"QD", "1/d", ""},     {"DAILY", "1/d", ""},  {"ONCE A DAY", "1/d", ""}, {"BID", "2/d", ""},
        {"TID", "3/d", ""},    {"QID", "4/d", ""},    {"QOD", "1/(2.d)", ""},    {"QAM", "1/d", "MORN"},
        {"QPM", "1/d", "EVE"}, {"QHS", "1/d", "HS"},  {"HS", "1/d", "HS"},       {"QH", "1/h", ""},
        {"QW", "1/wk", ""},    {"AC", "", "AC"},      {"PC", "", "PC"},          {"ACM", "1/d", "ACM"},
        {"ACD", "1/d", "ACD"}, {"ACV", "1/d", "ACV"}, {"PCM", "1/d", "PCM"},     {"PCD", "1/d", "PCD"},
        {"PCV", "1/d", "PCV"},
    };
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
        if (strcasecmp(fixed[i].code, code) == 0) {
            snprintf(pattern->frequency, sizeof pattern->frequency, "%s", fixed[i].frequency);
            snprintf(pattern->moment, sizeof pattern->moment, "%s", fixed[i].moment);
            return true;
        }
    return false;
}

// xID: x times a day.
static bool read_times_a_day(const char *code, struct rx_pattern *pattern)
{
    char *end;
    long times = strtol(code, &end, 10);
    if (end == code || times < 1 || times > 24 || strcasecmp(end, "ID") != 0)
        return false;
    snprintf(pattern->frequency, sizeof pattern->frequency, "%ld/d", times);
    return true;
}

bool rx_pattern_read(const char *code, struct rx_pattern *pattern)
{
    *pattern = (struct rx_pattern){0};
    if (strncasecmp(code, "PRN", 3) == 0) { // alone, or before another one: "PRNQ6H"
        pattern->as_needed = true;
        code += 3 + strspn(code + 3, " ");
    }
    bool known = read_fixed(code, pattern) || ((*code == 'Q' || *code == 'q') && read_every(code, pattern)) ||
                 read_times_a_day(code, pattern);
    return known || (pattern->as_needed && *code == '\0');
}
