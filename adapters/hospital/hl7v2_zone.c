#include "hl7v2_zone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TZIF_HEADER_BYTES 44u
#define DAY_SECONDS 86400
#define OFFSET_MAX_SECONDS (26 * 3600) // RFC 8536 3.2 recommends to stay within

struct transition {
    int64_t at; // seconds since 1970 UTC
    int32_t offset;
};

// One end of summer time: week 5 is the last one of the month.
struct rule_date {
    unsigned month, week, weekday;
    int32_t time; // seconds after local midnight
};

struct rule {
    int32_t standard, summer; // offsets; the same when there is no summer time
    struct rule_date begin, end;
};

struct hl7v2_zone {
    int32_t first_offset; // before the first transition
    bool has_rule;
    struct rule rule; // after the last transition
    size_t count;
    struct transition transitions[];
};

// Days before a date, counted from 0000-03-01 so that a leap day ends its year.
int64_t hl7v2_days_from_date(int year, unsigned month, unsigned day)
{
    int64_t y = (int64_t)year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int year_of(int64_t seconds)
{
    int64_t days = floor_div(seconds, DAY_SECONDS);
    int year = (int)(1970 + floor_div(days * 400, 146097));
    if (hl7v2_days_from_date(year + 1, 1, 1) <= days)
        year++;
    return hl7v2_days_from_date(year, 1, 1) > days ? year - 1 : year;
}

static int64_t rule_moment(const struct rule_date *date, int year, int32_t offset)
{
    int64_t first = hl7v2_days_from_date(year, date->month, 1);
    unsigned weekday_of_first = (unsigned)(((first + 4) % 7 + 7) % 7); // 1970-01-01 was a Thursday
    int64_t day = first + (date->weekday + 7 - weekday_of_first) % 7 + 7 * ((int64_t)date->week - 1);
    int64_t next_month =
        date->month == 12 ? hl7v2_days_from_date(year + 1, 1, 1) : hl7v2_days_from_date(year, date->month + 1, 1);
    if (day >= next_month)
        day -= 7;
    return day * DAY_SECONDS + date->time - offset;
}

static int32_t rule_offset(const struct rule *rule, int64_t utc)
{
    if (rule->standard == rule->summer)
        return rule->standard;
    int year = year_of(utc + rule->standard);
    int64_t begin = rule_moment(&rule->begin, year, rule->standard);
    int64_t end = rule_moment(&rule->end, year, rule->summer);
    bool summer = begin < end ? utc >= begin && utc < end : utc >= begin || utc < end;
    return summer ? rule->summer : rule->standard;
}

int32_t hl7v2_zone_offset(const struct hl7v2_zone *self, int64_t utc)
{
    if (self->count == 0 || utc < self->transitions[0].at)
        return self->count == 0 && self->has_rule ? rule_offset(&self->rule, utc) : self->first_offset;
    if (self->has_rule && utc >= self->transitions[self->count - 1].at)
        return rule_offset(&self->rule, utc);
    size_t low = 0, high = self->count; // the wanted one is in [low, high)
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (self->transitions[middle].at <= utc)
            low = middle;
        else
            high = middle;
    }
    return self->transitions[low].offset;
}

enum hl7v2_zone_fit hl7v2_zone_local(const struct hl7v2_zone *self, int64_t local, int32_t *offset)
{
    // The offsets of the days before and after are the only candidates: zones do not change twice in two
    // days.
    int32_t before = hl7v2_zone_offset(self, local - DAY_SECONDS);
    int32_t after = hl7v2_zone_offset(self, local + DAY_SECONDS);
    bool before_holds = hl7v2_zone_offset(self, local - before) == before;
    bool after_holds = hl7v2_zone_offset(self, local - after) == after;
    *offset = before_holds || !after_holds ? before : after;
    if (before != after && before_holds && after_holds)
        return HL7V2_ZONE_TWICE;
    return before_holds || after_holds ? HL7V2_ZONE_ONCE : HL7V2_ZONE_SKIPPED;
}

// ---- The footer: CET-1CEST,M3.5.0,M10.5.0/3

static bool skip_abbreviation(const char **at)
{
    const char *start = *at;
    if (**at == '<') {
        while (**at != '\0' && **at != '>')
            (*at)++;
        return *(*at)++ == '>';
    }
    while ((**at >= 'A' && **at <= 'Z') || (**at >= 'a' && **at <= 'z'))
        (*at)++;
    return *at - start >= 3;
}

static bool read_unsigned(const char **at, unsigned max, unsigned *number)
{
    if (**at < '0' || **at > '9')
        return false;
    for (*number = 0; **at >= '0' && **at <= '9' && *number <= max; (*at)++)
        *number = *number * 10 + (unsigned)(**at - '0');
    return *number <= max;
}

// [+-]hh[:mm[:ss]] in seconds.
static bool read_time(const char **at, int32_t *seconds)
{
    unsigned part[3] = {0};
    bool negative = **at == '-';
    if (**at == '-' || **at == '+')
        (*at)++;
    if (!read_unsigned(at, 167, &part[0]))
        return false;
    for (int i = 1; i < 3 && **at == ':'; i++) {
        (*at)++;
        if (!read_unsigned(at, 59, &part[i]))
            return false;
    }
    *seconds = (int32_t)(part[0] * 3600 + part[1] * 60 + part[2]) * (negative ? -1 : 1);
    return true;
}

static bool read_rule_date(const char **at, struct rule_date *date)
{
    date->time = 2 * 3600;
    if (strncmp(*at, ",M", 2) != 0)
        return false;
    *at += 2;
    if (!read_unsigned(at, 12, &date->month) || *(*at)++ != '.' || !read_unsigned(at, 5, &date->week) ||
        *(*at)++ != '.' || !read_unsigned(at, 6, &date->weekday) || date->month == 0 || date->week == 0)
        return false;
    if (**at != '/')
        return true;
    (*at)++;
    return read_time(at, &date->time);
}

static bool read_rule(const char *at, struct rule *rule)
{
    if (!skip_abbreviation(&at) || !read_time(&at, &rule->standard))
        return false;
    rule->standard = -rule->standard; // POSIX counts west of Greenwich
    rule->summer = rule->standard;
    if (*at == '\0')
        return true;
    if (!skip_abbreviation(&at))
        return false;
    rule->summer = rule->standard + 3600;
    if (*at != ',') {
        if (!read_time(&at, &rule->summer))
            return false;
        rule->summer = -rule->summer;
    }
    return read_rule_date(&at, &rule->begin) && read_rule_date(&at, &rule->end) && *at == '\0';
}

// ---- The file

static uint32_t read_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

struct tzif_counts {
    size_t isut, isstd, leap, transitions, types, chars;
};

static bool read_counts(const uint8_t *at, size_t len, struct tzif_counts *counts)
{
    if (len < TZIF_HEADER_BYTES || memcmp(at, "TZif", 4) != 0 || at[4] < '2')
        return false;
    *counts = (struct tzif_counts){read_u32(at + 20), read_u32(at + 24), read_u32(at + 28),
                                   read_u32(at + 32), read_u32(at + 36), read_u32(at + 40)};
    const size_t *all = &counts->isut;
    for (size_t i = 0; i < 6; i++)
        if (all[i] > HL7V2_ZONE_FILE_MAX_BYTES)
            return false;
    return counts->types > 0;
}

static size_t data_bytes(const struct tzif_counts *counts, size_t time_bytes)
{
    return counts->transitions * (time_bytes + 1) + counts->types * 6 + counts->chars +
           counts->leap * (time_bytes + 4) + counts->isstd + counts->isut;
}

static bool read_transitions(struct hl7v2_zone *self, const uint8_t *data, const struct tzif_counts *counts)
{
    const uint8_t *type_of = data + counts->transitions * 8;
    const uint8_t *types = type_of + counts->transitions;
    self->count = counts->transitions;
    self->first_offset = (int32_t)read_u32(types);
    for (size_t i = 0; i < counts->types; i++) {
        int32_t offset = (int32_t)read_u32(types + 6 * i);
        if (offset > OFFSET_MAX_SECONDS || offset < -OFFSET_MAX_SECONDS)
            return false;
    }
    for (size_t i = 0; i < self->count; i++) {
        if (type_of[i] >= counts->types)
            return false;
        uint64_t at = (uint64_t)read_u32(data + 8 * i) << 32 | read_u32(data + 8 * i + 4);
        self->transitions[i] = (struct transition){(int64_t)at, (int32_t)read_u32(types + (size_t)6 * type_of[i])};
        if (i > 0 && self->transitions[i].at <= self->transitions[i - 1].at)
            return false;
    }
    return true;
}

static void read_footer(struct hl7v2_zone *self, const uint8_t *at, size_t len)
{
    char text[64];
    const uint8_t *end = len > 1 && at[0] == '\n' ? memchr(at + 1, '\n', len - 1) : NULL;
    size_t text_len = end != NULL ? (size_t)(end - at - 1) : 0;
    if (text_len == 0 || text_len >= sizeof text)
        return;
    memcpy(text, at + 1, text_len);
    text[text_len] = '\0';
    self->has_rule = read_rule(text, &self->rule);
}

struct hl7v2_zone *hl7v2_zone_parse(const void *bytes, size_t len)
{
    struct tzif_counts counts;
    const uint8_t *at = bytes, *end = at + len;
    // The first block has 32-bit times, for readers of 1990; the second repeats it with 64 bits.
    if (!read_counts(at, len, &counts) || data_bytes(&counts, 4) > len - TZIF_HEADER_BYTES)
        return NULL;
    at += TZIF_HEADER_BYTES + data_bytes(&counts, 4);
    if (!read_counts(at, (size_t)(end - at), &counts) ||
        data_bytes(&counts, 8) > (size_t)(end - at) - TZIF_HEADER_BYTES)
        return NULL;
    at += TZIF_HEADER_BYTES;
    struct hl7v2_zone *self = calloc(1, sizeof *self + counts.transitions * sizeof self->transitions[0]);
    if (self == NULL)
        return NULL;
    if (!read_transitions(self, at, &counts)) {
        hl7v2_zone_destroy(&self);
        return NULL;
    }
    at += data_bytes(&counts, 8);
    read_footer(self, at, (size_t)(end - at));
    return self;
}

// Europe/Brussels, Etc/GMT+1: no way out of the directory.
static bool is_zone_name(const char *name)
{
    size_t len = strnlen(name, HL7V2_ZONE_NAME_MAX_BYTES + 1);
    if (len == 0 || len > HL7V2_ZONE_NAME_MAX_BYTES || name[0] == '/')
        return false;
    for (size_t i = 0; i < len; i++) {
        bool letter = (name[i] >= 'A' && name[i] <= 'Z') || (name[i] >= 'a' && name[i] <= 'z');
        bool digit = name[i] >= '0' && name[i] <= '9';
        if (!letter && !digit && strchr("/_+-", name[i]) == NULL)
            return false;
    }
    return true;
}

struct hl7v2_zone *hl7v2_zone_load(const char *name)
{
    char path[sizeof HL7V2_ZONE_DIRECTORY + HL7V2_ZONE_NAME_MAX_BYTES + 2];
    if (!is_zone_name(name))
        return NULL;
    snprintf(path, sizeof path, "%s/%s", HL7V2_ZONE_DIRECTORY, name);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return NULL;
    uint8_t *bytes = malloc(HL7V2_ZONE_FILE_MAX_BYTES);
    size_t len = bytes != NULL ? fread(bytes, 1, HL7V2_ZONE_FILE_MAX_BYTES, file) : 0;
    fclose(file);
    struct hl7v2_zone *self = hl7v2_zone_parse(bytes, len);
    free(bytes);
    return self;
}

void hl7v2_zone_destroy(struct hl7v2_zone **self)
{
    free(*self);
    *self = NULL;
}
