#include "fhir_time.h"

#include <stdio.h>
#include <string.h>

#define MINUTE_MS INT64_C(60000)
#define DAY_MS INT64_C(86400000)
#define YEAR_MIN 1800
#define YEAR_MAX 9999
#define OFFSET_MAX_MINUTES (14 * 60)

struct civil {
    int64_t year;
    int month, day;
};

// Days since 1970-01-01 of a day of the Gregorian calendar; years are counted from March, so that a leap day is a
// year's last.
static int64_t days_of(struct civil c)
{
    int64_t year = c.year - (c.month <= 2);
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (c.month + (c.month > 2 ? -3 : 9)) + 2) / 5 + c.day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static struct civil civil_of(int64_t days)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t of_era = days - era * 146097;
    int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int month = (int)((5 * of_year + 2) / 153);
    struct civil c = {.year = year_of_era + era * 400,
                      .month = month + (month < 10 ? 3 : -9),
                      .day = (int)(of_year - (153 * month + 2) / 5 + 1)};
    c.year += c.month <= 2;
    return c;
}

static int days_in_month(int64_t year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month == 2 && leap ? 29 : days[month - 1];
}

// Reads exactly `digits` digits in [min, max] at *at, and moves on.
static bool take(const char **at, int digits, int min, int max, int *value)
{
    *value = 0;
    for (int i = 0; i < digits; i++) {
        if ((*at)[i] < '0' || (*at)[i] > '9')
            return false;
        *value = *value * 10 + ((*at)[i] - '0');
    }
    *at += digits;
    return *value >= min && *value <= max;
}

static bool take_char(const char **at, char c)
{
    if (**at != c)
        return false;
    (*at)++;
    return true;
}

// [.fraction], at least one digit of which there must be.
static bool take_fraction(const char **at, int *ms)
{
    *ms = 0;
    if (!take_char(at, '.'))
        return true;
    if (**at < '0' || **at > '9')
        return false;
    for (int weight = 100; **at >= '0' && **at <= '9'; (*at)++, weight /= 10)
        *ms += weight * (**at - '0');
    return true;
}

static bool take_offset(const char **at, int *offset)
{
    int hours, minutes;
    *offset = 0;
    if (take_char(at, 'Z'))
        return true;
    bool west = **at == '-';
    if (!west && **at != '+')
        return false;
    (*at)++;
    if (!take(at, 2, 0, 14, &hours) || !take_char(at, ':') || !take(at, 2, 0, 59, &minutes))
        return false;
    *offset = (west ? -1 : 1) * (hours * 60 + minutes);
    return *offset >= -OFFSET_MAX_MINUTES && *offset <= OFFSET_MAX_MINUTES;
}

// A leap second is counted as the one before it: Unix time has no other place for it.
static bool take_clock(const char *at, struct fhir_time *time)
{
    int hour, minute, second, ms, offset;
    if (!take(&at, 2, 0, 23, &hour) || !take_char(&at, ':') || !take(&at, 2, 0, 59, &minute) || !take_char(&at, ':') ||
        !take(&at, 2, 0, 60, &second) || !take_fraction(&at, &ms) || !take_offset(&at, &offset) || *at != '\0')
        return false;
    time->unix_ms += ((hour * 60 + minute) * 60 + (second == 60 ? 59 : second)) * INT64_C(1000) + ms;
    time->unix_ms -= offset * MINUTE_MS;
    time->offset_minutes = offset;
    time->precision = CAREHUB__V1__PRECISION__PRECISION_SECOND;
    return true;
}

bool fhir_time_parse(const char *text, struct fhir_time *time)
{
    int year, month = 1, day = 1;
    *time = (struct fhir_time){.precision = CAREHUB__V1__PRECISION__PRECISION_YEAR};
    if (!take(&text, 4, YEAR_MIN, YEAR_MAX, &year))
        return false;
    if (take_char(&text, '-')) {
        time->precision = CAREHUB__V1__PRECISION__PRECISION_MONTH;
        if (!take(&text, 2, 1, 12, &month))
            return false;
        if (take_char(&text, '-')) {
            time->precision = CAREHUB__V1__PRECISION__PRECISION_DAY;
            if (!take(&text, 2, 1, days_in_month(year, month), &day))
                return false;
        }
    }
    time->unix_ms = days_of((struct civil){year, month, day}) * DAY_MS;
    if (time->precision == CAREHUB__V1__PRECISION__PRECISION_DAY && take_char(&text, 'T'))
        return take_clock(text, time);
    return *text == '\0';
}

static bool split(int64_t ms, int64_t *days, int64_t *rest)
{
    *days = (ms >= 0 ? ms : ms - (DAY_MS - 1)) / DAY_MS;
    *rest = ms - *days * DAY_MS;
    return *days >= days_of((struct civil){YEAR_MIN, 1, 1}) && *days <= days_of((struct civil){YEAR_MAX, 12, 31});
}

void fhir_time_format(const Carehub__V1__Time *time, char text[FHIR_TIME_CHARS])
{
    int64_t days, rest;
    int offset = time->offset_minutes;
    text[0] = '\0';
    if (offset < -OFFSET_MAX_MINUTES || offset > OFFSET_MAX_MINUTES || time->unix_ms > INT64_MAX / 2 ||
        time->unix_ms < INT64_MIN / 2 || !split(time->unix_ms + offset * MINUTE_MS, &days, &rest))
        return;
    struct civil c = civil_of(days);
    int second = (int)(rest / 1000), ms = (int)(rest % 1000);
    int len = snprintf(text, FHIR_TIME_CHARS, "%04d-%02d-%02d", (int)c.year, c.month, c.day);
    if (time->precision == CAREHUB__V1__PRECISION__PRECISION_YEAR)
        text[4] = '\0';
    else if (time->precision == CAREHUB__V1__PRECISION__PRECISION_MONTH)
        text[7] = '\0';
    if (time->precision >= CAREHUB__V1__PRECISION__PRECISION_YEAR &&
        time->precision <= CAREHUB__V1__PRECISION__PRECISION_DAY)
        return;
    if (time->precision == CAREHUB__V1__PRECISION__PRECISION_MINUTE)
        second -= second % 60, ms = 0;
    len += snprintf(text + len, FHIR_TIME_CHARS - (size_t)len, "T%02d:%02d:%02d", second / 3600, second / 60 % 60,
                    second % 60);
    if (ms != 0)
        len += snprintf(text + len, FHIR_TIME_CHARS - (size_t)len, ".%03d", ms);
    int abs = offset < 0 ? -offset : offset;
    snprintf(text + len, FHIR_TIME_CHARS - (size_t)len, "%c%02d:%02d", offset < 0 ? '-' : '+', abs / 60, abs % 60);
}

void fhir_instant_format(int64_t unix_ms, char text[FHIR_TIME_CHARS])
{
    Carehub__V1__Time time = CAREHUB__V1__TIME__INIT;
    time.unix_ms = unix_ms;
    time.precision = CAREHUB__V1__PRECISION__PRECISION_SECOND;
    fhir_time_format(&time, text);
}
