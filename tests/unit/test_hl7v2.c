#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hl7v2.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define MSH "MSH|^~\\&|ADT1|GHB|CAREHUB|REGION|20240301101500+0100||ADT^A01^ADT_A01|MSG00001|P|2.5.1\r"

static struct hl7v2_message *parse_bytes(const char *bytes, size_t len)
{
    struct hl7v2_error error;
    struct hl7v2_message *message = hl7v2_parse(bytes, len, NULL, &error);
    if (message == NULL)
        fail_msg("%s at %zu", error.text, error.offset);
    return message;
}

static struct hl7v2_message *parse(const char *text)
{
    return parse_bytes(text, strlen(text));
}

static void assert_path(const struct hl7v2_message *message, const char *path, const char *expected)
{
    char text[400];
    hl7v2_text(message, path, text, sizeof text, NULL);
    if (strcmp(text, expected) != 0)
        fail_msg("%s is \"%s\", not \"%s\"", path, text, expected);
}

static void every_position_has_its_path(void **state)
{
    (void)state;
    static const struct {
        const char *path, *expected;
    } cases[] = {
        {"MSH-1", "|"},         {"MSH-2", "^~\\&"},     {"MSH-3", "ADT1"},      {"MSH-9.1", "ADT"},
        {"MSH-9.3", "ADT_A01"}, {"MSH-10", "MSG00001"}, {"MSH-12", "2.5.1"},    {"MSH-13", ""},
        {"PID-3", "111"},       {"PID-3.4", "GHB"},     {"PID-3.4.2", "1.2.3"}, {"PID-3.4.0", "GHB&1.2.3&ISO"},
        {"PID-3[2]", "222"},    {"PID-3[2].5", "NI"},   {"PID-3[3]", ""},       {"PID-3.0", "111^^^GHB&1.2.3&ISO"},
        {"PID-5.2", "An"},      {"PID-99", ""},         {"OBX-1", "1"},         {"OBX[2]-1", "2"},
        {"OBX[2]-5", "B"},      {"OBX[3]-1", ""},       {"ZZZ-1", ""},
    };
    struct hl7v2_message *message = parse(MSH "PID|||111^^^GHB&1.2.3&ISO~222^^^BE^NI||Peeters^An\r"
                                              "OBX|1|ST|||A\rOBX|2|ST|||B\r");
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_path(message, cases[i].path, cases[i].expected);
    assert_int_equal(hl7v2_segment_count(message), 4);
    assert_string_equal(hl7v2_segment_name(message, 3), "OBX");
    assert_null(hl7v2_segment_name(message, 4));
    assert_int_equal(hl7v2_field_count(message, 0), 12);
    assert_int_equal(hl7v2_field_count(message, 1), 5);
    assert_int_equal(hl7v2_repetition_count(message, 1, 3), 2);
    assert_int_equal(hl7v2_repetition_count(message, 1, 4), 1);
    assert_int_equal(hl7v2_repetition_count(message, 1, 40), 0);
    assert_int_equal(hl7v2_repetition_count(message, 0, 2), 1);
    assert_int_equal(hl7v2_notes(message), 0);
    hl7v2_message_destroy(&message);
    assert_null(message);
}

static void malformed_path_is_absent(void **state)
{
    (void)state;
    static const char *const paths[] = {"",        "PI",       "PID",         "PID3",       "PID-",
                                        "PID-x",   "PID-3.",   "PID-3[0]",    "PID[0]-3",   "PID-3[",
                                        "PID-3[1", "PID-3.1.", "PID-3.1.1.1", "PID-999999", "PID-3 "};
    struct hl7v2_message *message = parse(MSH "PID|||111\r");
    for (size_t i = 0; i < COUNT(paths); i++)
        assert_int_equal(hl7v2_path(message, paths[i]).presence, HL7V2_ABSENT);
    hl7v2_message_destroy(&message);
}

static void null_is_not_empty(void **state)
{
    (void)state;
    struct hl7v2_message *message = parse(MSH "PID|||\"\"|A^\"\"^C||\"\"\"\r");
    assert_int_equal(hl7v2_path(message, "PID-1").presence, HL7V2_EMPTY);
    assert_int_equal(hl7v2_path(message, "PID-3").presence, HL7V2_NULL);
    assert_int_equal(hl7v2_path(message, "PID-3.7.2").presence, HL7V2_NULL);
    assert_int_equal(hl7v2_path(message, "PID-4.1").presence, HL7V2_VALUED);
    assert_int_equal(hl7v2_path(message, "PID-4.2").presence, HL7V2_NULL);
    assert_int_equal(hl7v2_path(message, "PID-4.4").presence, HL7V2_ABSENT);
    assert_int_equal(hl7v2_path(message, "PID-6").presence, HL7V2_VALUED);
    assert_int_equal(hl7v2_path(message, "PID-7").presence, HL7V2_ABSENT);
    char text[8] = "x";
    assert_int_equal(hl7v2_text(message, "PID-3", text, sizeof text, NULL), HL7V2_NULL);
    assert_string_equal(text, "");
    hl7v2_message_destroy(&message);
}

static void delimiters_are_read_from_each_message(void **state)
{
    (void)state;
    static const struct {
        const char *text, *component, *subcomponent;
        unsigned notes;
    } cases[] = {
        {"MSH#!@%*#S\rPID###1!a*b", "1", "b", 0},
        {"MSH|^~\\&#|S\rPID|||1^a&b", "1", "b", HL7V2_NOTE_MSH2_TRUNCATION},
        {"MSH|^~\\\\&|S\rPID|||1^a&b", "1", "b", HL7V2_NOTE_DOUBLED_ESCAPE},
        {"MSH|^~|S\rPID|||1^a&b", "1", "", HL7V2_NOTE_SHORT_MSH2},
        {"MSH|^|S\rPID|||1^a", "1", "", HL7V2_NOTE_SHORT_MSH2},
        {"MSH$:+\\*$S\rPID$$$1:a*b", "1", "b", 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct hl7v2_message *message = parse(cases[i].text);
        assert_path(message, "MSH-3", "S");
        assert_path(message, "PID-3.1", cases[i].component);
        assert_path(message, "PID-3.2.2", cases[i].subcomponent);
        assert_int_equal(hl7v2_notes(message), cases[i].notes);
        hl7v2_message_destroy(&message);
    }
}

static void all_line_ends_split_segments(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t segments;
        unsigned notes;
    } cases[] = {
        {"MSH|^~\\&|S\rPID|1\rPV1|1", 3, 0},
        {"MSH|^~\\&|S\nPID|1\nPV1|1\n", 3, HL7V2_NOTE_LINE_ENDS},
        {"MSH|^~\\&|S\r\nPID|1\r\nPV1|1\r\n", 3, HL7V2_NOTE_LINE_ENDS},
        {"MSH|^~\\&|S\rPID|1\nPV1|1\r\n", 3, HL7V2_NOTE_LINE_ENDS},
        {"MSH|^~\\&|S\r\r\n\n  \nPID|1\r \t\rPV1|1\r\r", 3, HL7V2_NOTE_LINE_ENDS},
        {"\xEF\xBB\xBF\r\n MSH|^~\\&|S\rPID|1\rPV1", 3, HL7V2_NOTE_LEADING_BYTES},
        {"MSH|^~\\&|S\rNTE|1||first\nsecond line\n\rPV1|1\r", 3, HL7V2_NOTE_LINE_FEED_IN_TEXT | HL7V2_NOTE_LINE_ENDS},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct hl7v2_message *message = parse(cases[i].text);
        assert_int_equal(hl7v2_segment_count(message), cases[i].segments);
        assert_int_equal(hl7v2_segment_find(message, "PV1", 0), 2);
        assert_int_equal(hl7v2_notes(message), cases[i].notes);
        if (i == COUNT(cases) - 1)
            assert_path(message, "NTE-3", "first\nsecond line");
        hl7v2_message_destroy(&message);
    }
}

static void trailing_zero_bytes_are_not_part_of_the_message(void **state)
{
    (void)state;
    static const char text[] = "MSH|^~\\&|S\rPID|1\r\0\0";
    struct hl7v2_message *message = parse_bytes(text, sizeof text);
    assert_int_equal(hl7v2_segment_count(message), 2);
    assert_int_equal(hl7v2_notes(message), 0);
    hl7v2_message_destroy(&message);
}

static void escapes_become_plain_text(void **state)
{
    (void)state;
    static const struct {
        const char *escaped, *expected;
    } cases[] = {
        {"a\\F\\b\\S\\c\\T\\d\\R\\e\\E\\f", "a|b^c&d~e\\f"},
        {"\\P\\", "#"},
        {"line\\.br\\next", "line\nnext"},
        {"a\\.sp\\b", "a\n\nb"},
        {"a\\.sp2\\b", "a\n\n\nb"},
        {"a\\.sp+0\\b", "a\nb"},
        {"a\\.sk3\\b", "a   b"},
        {"a\\.ce\\b", "a\nb"},
        {"a\\.in+5\\\\.ti-2\\\\.fi\\\\.nf\\b", "ab"},
        {"a\\H\\b\\N\\c", "abc"},
        {"a\\X41\\b", "aAb"},
        {"a\\X0d0A\\b", "a\r\nb"},
        {"\\XC3A9\\", "\xC3\xA9"},
        {"\\XE9\\", "\xC3\xA9"},
        {"\\X00\\", "\xEF\xBF\xBD"},
        {"\\X4\\", "\\X4\\"},
        {"\\XZZ\\", "\\XZZ\\"},
        {"\\X\\", "\\X\\"},
        {"\\Zlocal\\x", "\\Zlocal\\x"},
        {"\\C2842\\x", "\\C2842\\x"},
        {"\\M2442\\x", "\\M2442\\x"},
        {"\\f\\", "\\f\\"},
        {"\\.xy\\", "\\.xy\\"},
        {"\\\\", "\\\\"},
        {"C:\\TEMP", "C:\\TEMP"},
        {"DOMAIN\\user a\\T\\b", "DOMAIN\\user a&b"},
        {"end\\", "end\\"},
        {"\\", "\\"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[200];
        snprintf(text, sizeof text, "%sNTE|1||%s\r", MSH, cases[i].escaped);
        struct hl7v2_message *message = parse(text);
        assert_path(message, "NTE-3", cases[i].expected);
        hl7v2_message_destroy(&message);
    }
}

static void escapes_use_the_message_s_own_delimiters(void **state)
{
    (void)state;
    struct hl7v2_message *message = parse("MSH#!@%*#S\rNTE#1##a%F%b%S%c%T%d%R%e%E%f\\F\\\r");
    assert_path(message, "NTE-3", "a#b!c*d@e%f\\F\\");
    hl7v2_message_destroy(&message);
}

static void text_is_cut_between_characters(void **state)
{
    (void)state;
    struct hl7v2_message *message = parse(MSH "NTE|1||ab\xC3\xA9z\r");
    char text[4];
    size_t needed;
    assert_int_equal(hl7v2_text(message, "NTE-3", text, sizeof text, &needed), HL7V2_VALUED);
    assert_string_equal(text, "ab");
    assert_int_equal(needed, 5);
    assert_int_equal(hl7v2_text(message, "NTE-3", text, 0, &needed), HL7V2_VALUED);
    assert_int_equal(needed, 5);
    hl7v2_message_destroy(&message);
}

static void escaped_text_reads_back_the_same(void **state)
{
    (void)state;
    static const char text[] = "a|b^c&d~e\\f#g\xC3\xA9\nh\ti";
    static const char expected[] = "a|b^c&d~e\\f#g\xC3\xA9\nh i"; // a tab has no escape
    static const char *const headers[] = {"MSH|^~\\&|S\r", "MSH|^~\\&#|S\r", "MSH#!@%*|#S\r"};
    for (size_t i = 0; i < COUNT(headers); i++) {
        char escaped[200], whole[300];
        struct hl7v2_message *message = parse(headers[i]);
        size_t needed = hl7v2_escape(hl7v2_delimiters(message), text, escaped, sizeof escaped);
        assert_int_equal(needed, strlen(escaped));
        char separator = hl7v2_delimiters(message)->field;
        snprintf(whole, sizeof whole, "%sNTE%c%s%cend\r", headers[i], separator, escaped, separator);
        hl7v2_message_destroy(&message);
        message = parse(whole);
        assert_path(message, "NTE-1", expected);
        assert_path(message, "NTE-2", "end");
        hl7v2_message_destroy(&message);
    }
}

static void without_an_escape_character_delimiters_become_spaces(void **state)
{
    (void)state;
    struct hl7v2_delimiters delimiters = {.field = '|', .component = '^'};
    char out[20];
    hl7v2_escape(&delimiters, "a|b^c\r\nd&e", out, sizeof out);
    assert_string_equal(out, "a b c d&e");
}

static void character_sets_become_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *declared, *bytes, *expected, *used;
        unsigned notes;
        size_t replaced;
    } cases[] = {
        {"", "Jose", "Jose", "ASCII", 0, 0},
        {"8859/1", "Jos\xE9", "Jos\xC3\xA9", "8859/1", 0, 0},
        {"ISO-8859-1", "Jos\xE9", "Jos\xC3\xA9", "8859/1", 0, 0},
        {"8859/1", "\x80", "\xE2\x82\xAC", "8859/1", 0, 0}, // the euro sign of Windows
        {"8859/15", "\xA4", "\xE2\x82\xAC", "8859/15", 0, 0},
        {"8859/2", "\xB3", "\xC5\x82", "8859/2", 0, 0},
        {"8859/5", "\xD0", "\xD0\xB0", "8859/5", 0, 0},
        {"8859/7", "\xE1", "\xCE\xB1", "8859/7", 0, 0},
        {"8859/9", "\xF0", "\xC4\x9F", "8859/9", 0, 0},
        {"UNICODE UTF-8", "Jos\xC3\xA9", "Jos\xC3\xA9", "UNICODE UTF-8", 0, 0},
        {"utf8", "Jos\xC3\xA9", "Jos\xC3\xA9", "UNICODE UTF-8", 0, 0},
        {"UNICODE UTF-8", "Jos\xE9", "Jos\xEF\xBF\xBD", "UNICODE UTF-8", HL7V2_NOTE_BYTES_REPLACED, 1},
        {"UNICODE UTF-8", "\xC0\xAF\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD",
         "UNICODE UTF-8", HL7V2_NOTE_BYTES_REPLACED, 5},
        {"8859/1", "Jos\xC3\xA9", "Jos\xC3\xA9", "UNICODE UTF-8", HL7V2_NOTE_UTF8_UNDECLARED, 0},
        {"8859/1", "Jos\xC3\xA9 Ren\xE9", "Jos\xC3\xA9 Ren\xC3\xA9", "8859/1", HL7V2_NOTE_UTF8_UNDECLARED, 0},
        {"", "Jos\xC3\xA9", "Jos\xC3\xA9", "UNICODE UTF-8", HL7V2_NOTE_UTF8_UNDECLARED, 0},
        {"\"\"", "Jos\xC3\xA9", "Jos\xC3\xA9", "UNICODE UTF-8", HL7V2_NOTE_UTF8_UNDECLARED, 0},
        {"", "Jos\xE9", "Jos\xC3\xA9", "8859/1", HL7V2_NOTE_CHARSET_ASSUMED, 0},
        {"ASCII", "Jos\xE9", "Jos\xC3\xA9", "8859/1", HL7V2_NOTE_CHARSET_ASSUMED, 0},
        {"ASCII~8859/2", "\xB3", "\xC5\x82", "8859/2", 0, 0},
        {"8859/1~UNICODE UTF-8", "Jos\xE9", "Jos\xC3\xA9", "8859/1", 0, 0},
        {"~8859/15", "\xA4", "\xE2\x82\xAC", "8859/15", 0, 0},
        {"BIG-5", "\xE9", "\xEF\xBF\xBD", "ASCII", HL7V2_NOTE_CHARSET_UNKNOWN | HL7V2_NOTE_BYTES_REPLACED, 1},
        {"8859/77", "plain", "plain", "ASCII", HL7V2_NOTE_CHARSET_UNKNOWN, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[200];
        snprintf(text, sizeof text, "MSH|^~\\&|||||||ADT^A01|1|P|2.5||||||%s\rPID|||1||%s\r", cases[i].declared,
                 cases[i].bytes);
        struct hl7v2_message *message = parse(text);
        assert_path(message, "PID-5", cases[i].expected);
        assert_string_equal(hl7v2_charset(message), cases[i].used);
        assert_int_equal(hl7v2_notes(message), cases[i].notes);
        assert_int_equal(hl7v2_replaced_bytes(message), cases[i].replaced);
        hl7v2_message_destroy(&message);
    }
}

static void undeclared_set_is_the_sender_s_configuration(void **state)
{
    (void)state;
    struct hl7v2_options options = HL7V2_OPTIONS_DEFAULT;
    static const char text[] = "MSH|^~\\&|S\rPID|\xB3";
    static const struct {
        const char *set, *expected;
    } cases[] = {{"8859/2", "\xC5\x82"}, {"ASCII", "\xEF\xBF\xBD"}, {NULL, "\xEF\xBF\xBD"}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        options.undeclared_charset = cases[i].set;
        struct hl7v2_message *message = hl7v2_parse(text, strlen(text), &options, NULL);
        assert_path(message, "PID-1", cases[i].expected);
        hl7v2_message_destroy(&message);
    }
}

static void zero_bytes_never_reach_the_text(void **state)
{
    (void)state;
    static const char text[] = "MSH|^~\\&|S\rPID|a\0b\r";
    struct hl7v2_message *message = parse_bytes(text, sizeof text - 1);
    assert_path(message, "PID-1",
                "a\xEF\xBF\xBD"
                "b");
    assert_int_equal(hl7v2_replaced_bytes(message), 1);
    hl7v2_message_destroy(&message);
}

static void errors_say_what_and_where(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum hl7v2_status status;
        enum hl7v2_condition condition;
        size_t offset;
        const char *segment;
        unsigned sequence, field, number;
    } cases[] = {
        {"", HL7V2_ERR_EMPTY, 100, 0, "", 0, 0, 0},
        {" \r\n", HL7V2_ERR_EMPTY, 100, 3, "", 0, 0, 0},
        {"GET / HTTP/1.1\r\n", HL7V2_ERR_NOT_HL7, 100, 0, "MSH", 1, 0, 0},
        {"PID|1\r", HL7V2_ERR_NOT_HL7, 100, 0, "MSH", 1, 0, 0},
        {"MS", HL7V2_ERR_NOT_HL7, 100, 0, "MSH", 1, 0, 0},
        {"BHS|^~\\&|S\r", HL7V2_ERR_BATCH, 200, 0, "BHS", 1, 0, 1},
        {"\nFHS|^~\\&|S\r", HL7V2_ERR_BATCH, 200, 1, "FHS", 1, 0, 1},
        {"MSH", HL7V2_ERR_FIELD_MISSING, 101, 3, "MSH", 1, 1, 1},
        {"MSHA^~\\&", HL7V2_ERR_DELIMITERS, 102, 3, "MSH", 1, 1, 1},
        {"MSH\r", HL7V2_ERR_DELIMITERS, 102, 3, "MSH", 1, 1, 1},
        {"MSH\xA7^~\\&", HL7V2_ERR_DELIMITERS, 102, 3, "MSH", 1, 1, 1},
        {"MSH|", HL7V2_ERR_FIELD_MISSING, 101, 4, "MSH", 1, 2, 1},
        {"MSH||S\r", HL7V2_ERR_FIELD_MISSING, 101, 4, "MSH", 1, 2, 1},
        {" MSH||S\r", HL7V2_ERR_FIELD_MISSING, 101, 5, "MSH", 1, 2, 1},
        {"MSH|^^\\&|S\r", HL7V2_ERR_DELIMITERS, 102, 5, "MSH", 1, 2, 1},
        {"MSH|^~\\&#!|S\r", HL7V2_ERR_DELIMITERS, 102, 4, "MSH", 1, 2, 1},
        {"MSH|^~ &|S\r", HL7V2_ERR_DELIMITERS, 102, 6, "MSH", 1, 2, 1},
        {"MSH|^~A&|S\r", HL7V2_ERR_DELIMITERS, 102, 6, "MSH", 1, 2, 1},
        {"MSH|^~\\&|S\rPIDX|1\r", HL7V2_ERR_SEGMENT_NAME, 100, 11, "", 0, 0, 2},
        {"MSH|^~\\&|S\r\npid|1\r", HL7V2_ERR_SEGMENT_NAME, 100, 12, "", 0, 0, 2},
        {"MSH|^~\\&|S\nfree text\n", HL7V2_ERR_SEGMENT_NAME, 100, 11, "", 0, 0, 2},
        {"MSH|^~\\&|S\rPID|1\rMSH|^~\\&|S\r", HL7V2_ERR_SECOND_HEADER, 100, 17, "MSH", 2, 0, 3},
        {"MSH|^~\\&|S\rBTS|1\r", HL7V2_ERR_SECOND_HEADER, 100, 11, "BTS", 1, 0, 2},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct hl7v2_error error;
        assert_null(hl7v2_parse(cases[i].text, strlen(cases[i].text), NULL, &error));
        assert_int_equal(error.status, cases[i].status);
        assert_int_equal(error.condition, cases[i].condition);
        assert_int_equal(error.offset, cases[i].offset);
        assert_string_equal(error.location.segment, cases[i].segment);
        assert_int_equal(error.location.sequence, cases[i].sequence);
        assert_int_equal(error.location.field, cases[i].field);
        assert_int_equal(error.segment_number, cases[i].number);
        assert_true(strlen(error.text) > 10);
        assert_string_not_equal(hl7v2_status_name(error.status), "unknown");
    }
}

static void limits_refuse_with_their_name(void **state)
{
    (void)state;
    static const char text[] = "MSH|^~\\&|S\rPID|1|2|3\rPV1|1|2|3\r";
    static const struct {
        struct hl7v2_options options;
        enum hl7v2_status status;
        size_t offset;
        const char *name;
    } cases[] = {
        {{30, 9, 9, 99, NULL}, HL7V2_ERR_TOO_LARGE, 30, "message_max_bytes"},
        {{99, 2, 9, 99, NULL}, HL7V2_ERR_SEGMENTS, 21, "segments_max"},
        {{99, 9, 2, 99, NULL}, HL7V2_ERR_FIELDS, 11, "segment_fields_max"},
        {{99, 9, 9, 7, NULL}, HL7V2_ERR_FIELDS, 21, "fields_max"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct hl7v2_error error;
        assert_null(hl7v2_parse(text, strlen(text), &cases[i].options, &error));
        assert_int_equal(error.status, cases[i].status);
        assert_int_equal(error.offset, cases[i].offset);
        assert_non_null(strstr(error.text, cases[i].name));
    }
    struct hl7v2_options exact = {31, 3, 3, 8, NULL};
    struct hl7v2_message *message = hl7v2_parse(text, strlen(text), &exact, NULL);
    assert_non_null(message);
    hl7v2_message_destroy(&message);
}

static void header_without_type_or_control_id_is_refused(void **state)
{
    (void)state;
    char long_id[300] = "MSH|^~\\&|||||||ADT^A01|";
    memset(long_id + strlen(long_id), 'x', 200);
    const struct {
        const char *text;
        enum hl7v2_status status;
        unsigned field;
    } cases[] = {
        {"MSH|^~\\&|||||||ADT^A01|1", HL7V2_OK, 0},
        {"MSH|^~\\&|S", HL7V2_ERR_FIELD_MISSING, 9},
        {"MSH|^~\\&|||||||^A01|1", HL7V2_ERR_FIELD_MISSING, 9},
        {"MSH|^~\\&|||||||ADT^A01", HL7V2_ERR_FIELD_MISSING, 10},
        {"MSH|^~\\&|||||||ADT^A01|\"\"", HL7V2_ERR_FIELD_MISSING, 10},
        {long_id, HL7V2_ERR_FIELD_TOO_LONG, 10},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct hl7v2_error error;
        struct hl7v2_message *message = parse(cases[i].text);
        assert_int_equal(hl7v2_check_header(message, &error), cases[i].status == HL7V2_OK);
        assert_int_equal(error.status, cases[i].status);
        assert_int_equal(error.location.field, cases[i].field);
        hl7v2_message_destroy(&message);
    }
}

static void batches_are_recognised_and_split(void **state)
{
    (void)state;
    static const char file[] = "\xEF\xBB\xBF"
                               "FHS|^~\\&|S\rBHS|^~\\&|S\rMSH|^~\\&|A\rPID|1\r"
                               "MSH|^~\\&|B\r\nBTS|2\rFTS\rMSH|^~\\&|C\n\nMSH|^~\\&|D";
    static const char *const expected[] = {"A", "B", "C", "D"};
    assert_int_equal(hl7v2_kind_of(file, strlen(file)), HL7V2_KIND_FILE);
    assert_int_equal(hl7v2_kind_of("BHS|", 4), HL7V2_KIND_BATCH);
    assert_int_equal(hl7v2_kind_of("MSH|", 4), HL7V2_KIND_MESSAGE);
    assert_int_equal(hl7v2_kind_of("", 0), HL7V2_KIND_OTHER);
    size_t position = 0, len, count = 0;
    const void *piece;
    while (hl7v2_split_next(file, strlen(file), &position, &piece, &len)) {
        struct hl7v2_message *message = parse_bytes(piece, len);
        assert_true(count < COUNT(expected));
        assert_path(message, "MSH-3", expected[count++]);
        hl7v2_message_destroy(&message);
    }
    assert_int_equal(count, COUNT(expected));
}

static void broken_header_is_salvaged(void **state)
{
    (void)state;
    static const struct {
        const char *text, *application, *event, *control_id;
    } cases[] = {
        {"MSH|^~\\&|S|F|R|G|20240301||ADT^A01|77|P|2.5\rPIDX|1\r", "S", "A01", "77"},
        {"MSH||S|F|R|G|20240301||ADT^A01|77|P|2.5\r", "S", "A01", "77"},
        {"MSH#^~\\&^#S#F#R#G#20240301##ADT^A01#77#P#2.5\r", "S", "A01", "77"},
        {"BHS|^~\\&|S|F|R|G|20240301||name|comment|B77\r", "S", "", "B77"},
        {"MSH", "", "", ""},
        {"MSH|", "", "", ""},
        {"rubbish", "", "", ""},
        {"", "", "", ""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct hl7v2_message *message = hl7v2_salvage_header(cases[i].text, strlen(cases[i].text));
        assert_non_null(message);
        assert_int_equal(hl7v2_segment_count(message), 1);
        assert_path(message, "MSH-3", cases[i].application);
        if (cases[i].text[0] == 'M')
            assert_path(message, "MSH-9.2", cases[i].event);
        assert_path(message, "MSH-10", cases[i].control_id);
        hl7v2_message_destroy(&message);
    }
}

static void large_runs_of_blanks_take_no_time(void **state)
{
    (void)state;
    enum { SIZE = 4 * 1024 * 1024 };
    static const char header[] = "MSH|^~\\&|S\r";
    static const char *const fillers[] = {" ", "\n", "\\", "\\X", "\r \n", "~", "^"};
    char *text = malloc(SIZE), *out = malloc(SIZE);
    for (size_t i = 0; i < COUNT(fillers); i++) {
        memcpy(text, header, sizeof header);
        strcpy(text + strlen(header), "NTE|");
        for (size_t at = strlen(text); at < SIZE; at++)
            text[at] = fillers[i][at % strlen(fillers[i])];
        struct hl7v2_message *message = hl7v2_parse(text, SIZE, NULL, NULL);
        assert_non_null(message);
        hl7v2_unescape(message, hl7v2_get(message, "NTE", 0, 1, 0, 0, 0), out, SIZE);
        hl7v2_message_destroy(&message);
    }
    free(text);
    free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_position_has_its_path),
        cmocka_unit_test(malformed_path_is_absent),
        cmocka_unit_test(null_is_not_empty),
        cmocka_unit_test(delimiters_are_read_from_each_message),
        cmocka_unit_test(all_line_ends_split_segments),
        cmocka_unit_test(trailing_zero_bytes_are_not_part_of_the_message),
        cmocka_unit_test(escapes_become_plain_text),
        cmocka_unit_test(escapes_use_the_message_s_own_delimiters),
        cmocka_unit_test(text_is_cut_between_characters),
        cmocka_unit_test(escaped_text_reads_back_the_same),
        cmocka_unit_test(without_an_escape_character_delimiters_become_spaces),
        cmocka_unit_test(character_sets_become_utf8),
        cmocka_unit_test(undeclared_set_is_the_sender_s_configuration),
        cmocka_unit_test(zero_bytes_never_reach_the_text),
        cmocka_unit_test(errors_say_what_and_where),
        cmocka_unit_test(limits_refuse_with_their_name),
        cmocka_unit_test(header_without_type_or_control_id_is_refused),
        cmocka_unit_test(batches_are_recognised_and_split),
        cmocka_unit_test(broken_header_is_salvaged),
        cmocka_unit_test(large_runs_of_blanks_take_no_time),
    };
    return cmocka_run_group_tests_name("hl7v2", tests, NULL, NULL);
}
