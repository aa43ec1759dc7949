#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hl7v2_time.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const char *parse(const char *text, const struct hl7v2_zone *zone, struct hl7v2_time *out)
{
    return hl7v2_time_parse(text, strlen(text), zone, out);
}

static void assert_valid(const char *text, const struct hl7v2_zone *zone, struct hl7v2_time *out)
{
    const char *reason = parse(text, zone, out);
    if (reason != NULL)
        fail_msg("%s: %s", text, reason);
}

static struct hl7v2_zone *load(const char *name)
{
    struct hl7v2_zone *zone = hl7v2_zone_load(name);
    if (zone == NULL) {
        print_message("no zone %s in %s: skipped\n", name, HL7V2_ZONE_DIRECTORY);
        skip();
    }
    return zone;
}

// Moments as `date -u -d ... +%s` has them.
static void time_with_offset_needs_no_zone(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t utc_ms;
        int offset;
        enum hl7v2_precision precision;
    } cases[] = {
        {"19700101000000+0000", 0, 0, HL7V2_PRECISION_SECOND},
        {"20240301101500+0100", 1709284500000, 60, HL7V2_PRECISION_SECOND},
        {"202403011015+0100", 1709284500000, 60, HL7V2_PRECISION_MINUTE},
        {"20240301101500.1+0100", 1709284500100, 60, HL7V2_PRECISION_SECOND},
        {"20240301101500.1234+0100", 1709284500123, 60, HL7V2_PRECISION_SECOND},
        {"20240301101500.123456789-0330", 1709300700123, -210, HL7V2_PRECISION_SECOND},
        {" 20240301101500+0100 ", 1709284500000, 60, HL7V2_PRECISION_SECOND},
        {"20240301+0100", 1709247600000, 60, HL7V2_PRECISION_DAY},
        {"20240229000000+0000", 1709164800000, 0, HL7V2_PRECISION_SECOND},
        {"19000301000000+0000", -2203891200000, 0, HL7V2_PRECISION_SECOND},
        {"19691231235959.999+0000", -1, 0, HL7V2_PRECISION_SECOND},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct hl7v2_time time;
        assert_valid(cases[i].text, NULL, &time);
        assert_int_equal(time.utc_ms, cases[i].utc_ms);
        assert_int_equal(time.offset_minutes, cases[i].offset);
        assert_int_equal(time.precision, cases[i].precision);
        assert_false(time.zone_assumed);
    }
}

static void precision_is_what_was_sent(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum hl7v2_precision precision;
        bool hour_only;
        int64_t utc_ms;
    } cases[] = {
        {"2024", HL7V2_PRECISION_YEAR, false, 1704067200000},
        {"202403", HL7V2_PRECISION_MONTH, false, 1709251200000},
        {"20240301", HL7V2_PRECISION_DAY, false, 1709251200000},
        {"2024030110", HL7V2_PRECISION_MINUTE, true, 1709287200000},
        {"202403011000", HL7V2_PRECISION_MINUTE, false, 1709287200000},
        {"20240301100000", HL7V2_PRECISION_SECOND, false, 1709287200000},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct hl7v2_time time;
        assert_valid(cases[i].text, NULL, &time);
        assert_int_equal(time.precision, cases[i].precision);
        assert_int_equal(time.hour_only, cases[i].hour_only);
        assert_int_equal(time.utc_ms, cases[i].utc_ms);
        assert_true(time.zone_assumed);
        assert_int_equal(time.year, 2024);
        assert_int_equal(time.month, cases[i].precision >= HL7V2_PRECISION_MONTH ? 3 : 0);
        assert_int_equal(time.day, cases[i].precision >= HL7V2_PRECISION_DAY ? 1 : 0);
    }
}

static void impossible_time_is_refused_with_its_reason(void **state)
{
    (void)state;
    static const struct {
        const char *text, *reason;
    } cases[] = {
        {"", "empty"},
        {"  ", "empty"},
        {"abc", "year"},
        {"202", "year"},
        {"00000000", "year is 0000"},
        {"20241", "month"},
        {"20241301", "month"},
        {"20240001", "month"},
        {"2024031", "day"},
        {"20240300", "no such day"},
        {"20230229", "no such day"},
        {"19000229", "no such day"},
        {"20240431", "no such day"},
        {"202403011", "hour"},
        {"2024030124", "hour"},
        {"20240301106", "minute"},
        {"202403011060", "minute"},
        {"2024030110005", "second"},
        {"20240301100060", "second"},
        {"20240301100000.", "fraction"},
        {"20240301100000.1234567890", "fraction"},
        {"20240301100000+1", "offset"},
        {"20240301100000+1500", "offset"},
        {"20240301100000+0160", "offset"},
        {"20240301100000+01:00", "offset"},
        {"20240301100000Z", "other than"},
        {"2024-03-01", "offset"},
        {"2024030110000012", "other than"},
        {"\"\"", "year"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct hl7v2_time time;
        const char *reason = parse(cases[i].text, NULL, &time);
        if (reason == NULL || strstr(reason, cases[i].reason) == NULL)
            fail_msg("%s: %s", cases[i].text, reason != NULL ? reason : "accepted");
    }
}

static void local_time_follows_summer_time(void **state)
{
    (void)state;
    static const struct {
        const char *zone, *text;
        int64_t utc_ms;
        int offset;
        bool ambiguous, skipped;
    } cases[] = {
        {"Europe/Brussels", "20240115120000", 1705316400000, 60, false, false},
        {"Europe/Brussels", "20240715120000", 1721037600000, 120, false, false},
        {"Europe/Brussels", "20240331015959", 1711846799000, 60, false, false},
        {"Europe/Brussels", "20240331023000", 1711848600000, 60, false, true},
        {"Europe/Brussels", "20240331030000", 1711846800000, 120, false, false},
        {"Europe/Brussels", "20241027015959", 1729987199000, 120, false, false},
        {"Europe/Brussels", "20241027023000", 1729989000000, 120, true, false},
        {"Europe/Brussels", "20241027030000", 1729994400000, 60, false, false},
        {"Europe/Brussels", "20500715120000", 2541492000000, 120, false, false}, // from the rule
        {"Europe/Brussels", "20501115120000", 2552122800000, 60, false, false},
        {"Europe/Brussels", "19850715", 490226400000, 120, false, false},
        {"America/New_York", "20240115120000", 1705338000000, -300, false, false},
        {"America/New_York", "20240715120000", 1721059200000, -240, false, false},
        {"Australia/Sydney", "20450115120000", 2368054800000, 660, false, false}, // summer spans the year's end
        {"Asia/Kolkata", "20240115120000", 1705300200000, 330, false, false},
        {"UTC", "20240115120000", 1705320000000, 0, false, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct hl7v2_zone *zone = load(cases[i].zone);
        struct hl7v2_time time;
        assert_valid(cases[i].text, zone, &time);
        if (time.utc_ms != cases[i].utc_ms)
            fail_msg("%s in %s is %lld", cases[i].text, cases[i].zone, (long long)time.utc_ms);
        assert_int_equal(time.offset_minutes, cases[i].offset);
        assert_int_equal(time.ambiguous, cases[i].ambiguous);
        assert_int_equal(time.skipped, cases[i].skipped);
        assert_true(time.zone_assumed);
        hl7v2_zone_destroy(&zone);
    }
}

static void sent_offset_overrules_the_zone(void **state)
{
    (void)state;
    struct hl7v2_zone *zone = load("Europe/Brussels");
    struct hl7v2_time time;
    assert_valid("20240715120000+0000", zone, &time);
    assert_int_equal(time.utc_ms, 1721044800000);
    assert_int_equal(time.offset_minutes, 0);
    assert_false(time.zone_assumed);
    hl7v2_zone_destroy(&zone);
}

// libc is the oracle: every 6 hours and 13 minutes of a century, in zones with rules of every kind.
static void zone_agrees_with_libc(void **state)
{
    (void)state;
    static const char *const names[] = {"Europe/Brussels",  "Europe/London",  "America/St_Johns",
                                        "Australia/Sydney", "Asia/Kathmandu", "America/Sao_Paulo"};
    for (size_t i = 0; i < COUNT(names); i++) {
        struct hl7v2_zone *zone = load(names[i]);
        setenv("TZ", names[i], 1);
        tzset();
        for (int64_t at = -1000000000; at < 4000000000; at += 6 * 3600 + 780) {
            time_t moment = (time_t)at;
            struct tm tm;
            localtime_r(&moment, &tm);
            if (hl7v2_zone_offset(zone, at) != tm.tm_gmtoff)
                fail_msg("%s at %lld: %d, not %ld", names[i], (long long)at, hl7v2_zone_offset(zone, at), tm.tm_gmtoff);
        }
        hl7v2_zone_destroy(&zone);
    }
    unsetenv("TZ");
    tzset();
}

static void zone_names_stay_inside_their_directory(void **state)
{
    (void)state;
    static const char *const names[] = {"",          "/etc/passwd",      "../../etc/passwd",
                                        "Europe",    "Europe/Brussel",   "Europe/./Brussels",
                                        "tzdata.zi", "Europe/Brussels\n"};
    for (size_t i = 0; i < COUNT(names); i++)
        assert_null(hl7v2_zone_load(names[i]));
}

static void damaged_zone_file_is_refused(void **state)
{
    (void)state;
    uint8_t bytes[8192];
    FILE *file = fopen(HL7V2_ZONE_DIRECTORY "/Europe/Brussels", "r");
    if (file == NULL)
        skip();
    size_t len = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    struct hl7v2_zone *zone = hl7v2_zone_parse(bytes, len);
    assert_non_null(zone);
    hl7v2_zone_destroy(&zone);
    // Without its footer a file is still good; cut anywhere before, it is not.
    for (size_t cut = 0; cut + 40 < len; cut++)
        assert_null(hl7v2_zone_parse(bytes, cut));
}

static void moments_are_written_in_local_time(void **state)
{
    (void)state;
    static const struct {
        int64_t utc_ms;
        int offset;
        const char *expected;
    } cases[] = {
        {0, 0, "19700101000000+0000"},
        {1709284500999, 60, "20240301101500+0100"},
        {1709300700000, -210, "20240301101500-0330"},
        {-1, 0, "19691231235959+0000"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[HL7V2_TIME_TEXT_BYTES];
        hl7v2_time_format(cases[i].utc_ms, cases[i].offset, text);
        assert_string_equal(text, cases[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_with_offset_needs_no_zone),
        cmocka_unit_test(precision_is_what_was_sent),
        cmocka_unit_test(impossible_time_is_refused_with_its_reason),
        cmocka_unit_test(local_time_follows_summer_time),
        cmocka_unit_test(sent_offset_overrules_the_zone),
        cmocka_unit_test(zone_agrees_with_libc),
        cmocka_unit_test(zone_names_stay_inside_their_directory),
        cmocka_unit_test(damaged_zone_file_is_refused),
        cmocka_unit_test(moments_are_written_in_local_time),
    };
    return cmocka_run_group_tests_name("hl7v2_time", tests, NULL, NULL);
}
