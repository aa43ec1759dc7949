// Dates and times as XML Schema and FHIR write them (ISO 8601), by the civil calendar.
#include "scheme.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_S 86400
#define DURATION_MAX_DAYS 3660000L
#define OFFSET_MAX_MINUTES (14 * 60)

struct moment {
    int year, month, day, hour, minute, second;
    int offset_minutes;
    bool has_offset;
    Carehub__V1__Precision precision;
};

// Days since 1970-01-01 of a date of the proleptic Gregorian calendar. Years are counted from March, so that the leap
// day is a year's last.
static int64_t days_from_civil(int year, int month, int day)
{
    int64_t y = year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static void civil_from_days(int64_t days, int *year, int *month, int *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t of_era = days - era * 146097;
    int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * of_year + 2) / 153;
    *day = (int)(of_year - (153 * shifted + 2) / 5 + 1);
    *month = (int)(shifted + (shifted < 10 ? 3 : -9));
    *year = (int)(year_of_era + era * 400 + (*month <= 2));
}

static int month_length(int year, int month)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : lengths[month - 1];
}

// Reads `digits` digits; moves on behind them.
static bool number(const char **text, int digits, int least, int most, int *value)
{
    *value = 0;
    for (int i = 0; i < digits; i++, (*text)++) {
        if (**text < '0' || **text > '9')
            return false;
        *value = *value * 10 + (**text - '0');
    }
    return *value >= least && *value <= most;
}

static bool take(const char **text, char c)
{
    if (**text != c)
        return false;
    (*text)++;
    return true;
}

static bool read_offset(const char **text, struct moment *m)
{
    int hours, minutes, sign = **text == '-' ? -1 : 1;
    if (take(text, 'Z')) {
        m->has_offset = true;
        return true;
    }
    if (!take(text, '+') && !take(text, '-'))
        return true;
    if (!number(text, 2, 0, 14, &hours) || !take(text, ':') || !number(text, 2, 0, 59, &minutes))
        return false;
    m->offset_minutes = sign * (hours * 60 + minutes);
    m->has_offset = true;
    return hours * 60 + minutes <= OFFSET_MAX_MINUTES;
}

static bool read_clock(const char **text, struct moment *m)
{
    m->precision = CAREHUB__V1__PRECISION__PRECISION_MINUTE;
    if (!number(text, 2, 0, 24, &m->hour) || !take(text, ':') || !number(text, 2, 0, 59, &m->minute))
        return false;
    if (m->hour == 24 && m->minute != 0)
        return false;
    if (take(text, ':')) {
        if (!number(text, 2, 0, 60, &m->second))
            return false;
        m->precision = CAREHUB__V1__PRECISION__PRECISION_SECOND;
        if (take(text, '.'))
            *text += strspn(*text, "0123456789");
    }
    return true;
}

static bool read_moment(const char *text, struct moment *m)
{
    *m = (struct moment){.month = 1, .day = 1, .precision = CAREHUB__V1__PRECISION__PRECISION_YEAR};
    if (!number(&text, 4, 1, 9999, &m->year))
        return false;
    if (take(&text, '-')) {
        m->precision = CAREHUB__V1__PRECISION__PRECISION_MONTH;
        if (!number(&text, 2, 1, 12, &m->month))
            return false;
        if (take(&text, '-')) {
            m->precision = CAREHUB__V1__PRECISION__PRECISION_DAY;
            if (!number(&text, 2, 1, month_length(m->year, m->month), &m->day))
                return false;
            if (take(&text, 'T') && !read_clock(&text, m))
                return false;
        }
    }
    return read_offset(&text, m) && *text == '\0';
}

bool scheme_time(const char *iso, scheme_offset_fn *offset, const void *arg, Carehub__V1__Time *time)
{
    struct moment m;
    if (!read_moment(iso, &m))
        return false;
    int64_t local = days_from_civil(m.year, m.month, m.day) * DAY_S + m.hour * 3600 + m.minute * 60 + m.second;
    int32_t minutes = m.offset_minutes;
    // The offset depends on the instant, which depends on the offset: the second look settles it.
    if (!m.has_offset && offset != NULL)
        minutes = offset(arg, local - (int64_t)offset(arg, local) * 60);
    time->unix_ms = (local - (int64_t)minutes * 60) * 1000;
    time->offset_minutes = minutes;
    time->precision = m.precision;
    return true;
}

bool scheme_day(const char *iso, int64_t *day)
{
    struct moment m;
    if (!read_moment(iso, &m))
        return false;
    *day = days_from_civil(m.year, m.month, m.day);
    return true;
}

bool scheme_last_day(const char *begin, const char *duration, const char *unit, char out[11])
{
    struct moment m;
    char *end = "";
    long n = strlen(duration) < 9 ? strtol(duration, &end, 10) : 0;
    if (n < 1 || n > DURATION_MAX_DAYS || strspn(end, ".0") != strlen(end) || !read_moment(begin, &m))
        return false;
    int64_t last;
    if (strcmp(unit, "d") == 0 || strcmp(unit, "wk") == 0) {
        last = days_from_civil(m.year, m.month, m.day) + n * (unit[0] == 'w' ? 7 : 1) - 1;
    } else if (strcmp(unit, "mo") == 0 || strcmp(unit, "a") == 0) {
        long months = m.year * 12L + m.month - 1 + n * (unit[0] == 'a' ? 12 : 1);
        int year = (int)(months / 12), month = (int)(months % 12) + 1;
        if (year > 9999)
            return false;
        int length = month_length(year, month);
        last = days_from_civil(year, month, m.day <= length ? m.day : length) - 1;
    } else {
        return false;
    }
    int year, month, day;
    civil_from_days(last, &year, &month, &day);
    if (year > 9999)
        return false;
    snprintf(out, 11, "%04u-%02u-%02u", (unsigned)year % 10000, (unsigned)month % 100, (unsigned)day % 100);
    return true;
}
