#include "hl7v2_time.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define FRACTION_DIGITS_MAX 9u
#define OFFSET_HOURS_MAX 14u // Kiribati

struct cursor {
    const char *at;
    const char *end;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool at_digit(const struct cursor *cursor)
{
    return cursor->at < cursor->end && is_digit(*cursor->at);
}

// Exactly count digits.
static bool read_digits(struct cursor *cursor, unsigned count, unsigned *number)
{
    *number = 0;
    for (unsigned i = 0; i < count; i++) {
        if (!at_digit(cursor))
            return false;
        *number = *number * 10 + (unsigned)(*cursor->at++ - '0');
    }
    return true;
}

static unsigned days_in_month(unsigned year, unsigned month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

static const char *read_date(struct cursor *cursor, struct hl7v2_time *out)
{
    unsigned year, month, day;
    if (!read_digits(cursor, 4, &year))
        return "a time begins with a year of four digits";
    if (year == 0)
        return "the year is 0000";
    out->year = (int16_t)year;
    if (!at_digit(cursor))
        return NULL;
    if (!read_digits(cursor, 2, &month))
        return "the month needs two digits";
    if (month < 1 || month > 12)
        return "the month is not 01 to 12";
    out->month = (uint8_t)month;
    out->precision = HL7V2_PRECISION_MONTH;
    if (!at_digit(cursor))
        return NULL;
    if (!read_digits(cursor, 2, &day))
        return "the day needs two digits";
    if (day < 1 || day > days_in_month(year, month))
        return "the month has no such day";
    out->day = (uint8_t)day;
    out->precision = HL7V2_PRECISION_DAY;
    return NULL;
}

static const char *read_fraction(struct cursor *cursor, struct hl7v2_time *out)
{
    unsigned digits = 0, weight = 100;
    cursor->at++;
    for (; at_digit(cursor); cursor->at++, weight /= 10, digits++)
        out->millisecond = (uint16_t)(out->millisecond + weight * (unsigned)(*cursor->at - '0'));
    if (digits == 0 || digits > FRACTION_DIGITS_MAX)
        return "the fraction of a second has no digits, or more than nine";
    return NULL;
}

static const char *read_clock(struct cursor *cursor, struct hl7v2_time *out)
{
    unsigned hour, minute, second;
    if (!read_digits(cursor, 2, &hour))
        return "the hour needs two digits";
    if (hour > 23)
        return "the hour is not 00 to 23";
    out->hour = (uint8_t)hour;
    out->precision = HL7V2_PRECISION_MINUTE;
    out->hour_only = !at_digit(cursor);
    if (out->hour_only)
        return NULL;
    if (!read_digits(cursor, 2, &minute))
        return "the minute needs two digits";
    if (minute > 59)
        return "the minute is not 00 to 59";
    out->minute = (uint8_t)minute;
    if (!at_digit(cursor))
        return NULL;
    if (!read_digits(cursor, 2, &second))
        return "the second needs two digits";
    if (second > 59)
        return "the second is not 00 to 59";
    out->second = (uint8_t)second;
    out->precision = HL7V2_PRECISION_SECOND;
    return cursor->at < cursor->end && *cursor->at == '.' ? read_fraction(cursor, out) : NULL;
}

static const char *read_offset(struct cursor *cursor, struct hl7v2_time *out)
{
    unsigned hours, minutes;
    bool west = *cursor->at++ == '-';
    if (!read_digits(cursor, 2, &hours) || !read_digits(cursor, 2, &minutes))
        return "the offset from UTC needs four digits after its sign";
    if (hours > OFFSET_HOURS_MAX || minutes > 59)
        return "the offset from UTC is out of range";
    int offset = (int)(hours * 60 + minutes);
    out->offset_minutes = (int16_t)(west ? -offset : offset);
    return NULL;
}

static int64_t local_seconds(const struct hl7v2_time *time)
{
    unsigned month = time->month != 0 ? time->month : 1, day = time->day != 0 ? time->day : 1;
    return hl7v2_days_from_date(time->year, month, day) * 86400 + time->hour * 3600 + time->minute * 60 + time->second;
}

// Returns the offset in seconds: zones of old were not whole minutes from UTC.
static int32_t assume_zone(const struct hl7v2_zone *zone, struct hl7v2_time *out)
{
    int32_t offset = 0;
    out->zone_assumed = true;
    if (zone != NULL) {
        enum hl7v2_zone_fit fit = hl7v2_zone_local(zone, local_seconds(out), &offset);
        out->ambiguous = fit == HL7V2_ZONE_TWICE;
        out->skipped = fit == HL7V2_ZONE_SKIPPED;
    }
    out->offset_minutes = (int16_t)(offset / 60);
    return offset;
}

const char *hl7v2_time_parse(const char *text, size_t len, const struct hl7v2_zone *zone, struct hl7v2_time *out)
{
    struct cursor cursor = {text, text + len};
    while (cursor.at < cursor.end && *cursor.at == ' ')
        cursor.at++;
    while (cursor.end > cursor.at && cursor.end[-1] == ' ')
        cursor.end--;
    *out = (struct hl7v2_time){.precision = HL7V2_PRECISION_YEAR};
    if (cursor.at == cursor.end)
        return "the time is empty";
    const char *reason = read_date(&cursor, out);
    if (reason == NULL && at_digit(&cursor))
        reason = read_clock(&cursor, out);
    bool has_offset = cursor.at < cursor.end && (*cursor.at == '+' || *cursor.at == '-');
    if (reason == NULL && has_offset)
        reason = read_offset(&cursor, out);
    if (reason == NULL && cursor.at < cursor.end)
        reason = "something other than digits, a fraction or an offset is in the time";
    if (reason != NULL)
        return reason;
    int32_t offset = has_offset ? out->offset_minutes * 60 : assume_zone(zone, out);
    out->utc_ms = (local_seconds(out) - offset) * 1000 + out->millisecond;
    return NULL;
}

void hl7v2_time_format(int64_t utc_ms, int offset_minutes, char out[HL7V2_TIME_TEXT_BYTES])
{
    int64_t seconds = utc_ms / 1000 - (utc_ms % 1000 < 0);
    time_t local = (time_t)(seconds + offset_minutes * 60);
    struct tm tm;
    char text[64] = "";
    unsigned size = offset_minutes < 0 ? (unsigned)-offset_minutes : (unsigned)offset_minutes;
    if (gmtime_r(&local, &tm) != NULL)
        snprintf(text, sizeof text, "%04d%02d%02d%02d%02d%02d%c%02u%02u", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                 tm.tm_hour, tm.tm_min, tm.tm_sec, offset_minutes < 0 ? '-' : '+', size / 60, size % 60);
    snprintf(out, HL7V2_TIME_TEXT_BYTES, "%.19s", text);
}
