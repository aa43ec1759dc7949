// The message builder: what it writes, our parser reads back.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hl7v2_write.h"

static void assert_written(struct hl7v2_writer *writer, const char *expected)
{
    size_t len;
    char *text = hl7v2_writer_take(writer, &len);
    assert_non_null(text);
    assert_string_equal(text, expected);
    assert_int_equal(len, strlen(expected));
    free(text);
}

static void separators_come_before_values_and_never_behind(void **state)
{
    struct hl7v2_writer writer;
    (void)state;
    hl7v2_writer_init(&writer, 0);
    hl7v2_write_segment(&writer, "MSH");
    hl7v2_write(&writer, hl7v2_at(3, 1, 1, 1), "HUB");
    hl7v2_write(&writer, hl7v2_at(9, 1, 1, 1), "ADT");
    hl7v2_write(&writer, hl7v2_at(9, 1, 3, 1), "ADT_A01");
    hl7v2_write_segment(&writer, "PID");
    hl7v2_write(&writer, hl7v2_at(3, 1, 1, 1), "1");
    hl7v2_write(&writer, hl7v2_at(3, 1, 4, 2), "oid");
    hl7v2_write(&writer, hl7v2_at(3, 2, 1, 1), "2");
    hl7v2_write(&writer, hl7v2_at(3, 3, 5, 1), "PI");
    hl7v2_write(&writer, hl7v2_at(5, 1, 1, 1), "");
    hl7v2_write_null(&writer, hl7v2_at(29, 1, 1, 1));
    hl7v2_write_segment(&writer, "ZZZ");
    hl7v2_write_number(&writer, hl7v2_at(1, 1, 1, 1), 42);
    assert_written(&writer, "MSH|^~\\&|HUB||||||ADT^^ADT_A01\r"
                            "PID|||1^^^&oid~2~^^^^PI||||||||||||||||||||||||||\"\"\r"
                            "ZZZ|42\r");
}

static void delimiters_and_line_ends_are_escaped(void **state)
{
    static const struct {
        const char *text, *plain, *formatted;
    } cases[] = {
        {"a|b^c~d\\e&f", "a\\F\\b\\S\\c\\R\\d\\E\\e\\T\\f", "a\\F\\b\\S\\c\\R\\d\\E\\e\\T\\f"},
        {"one\r\ntwo\nthree", "one  two three", "one\\.br\\two\\.br\\three"},
        {"tab\tbell\a", "tab bell ", "tab bell "},
        {"\"\"", "\\X2222\\", "\\X2222\\"},
        {"\"quoted\"", "\"quoted\"", "\"quoted\""},
        {"caf\xC3\xA9 \xE2\x82\xAC #", "caf\xC3\xA9 \xE2\x82\xAC #", "caf\xC3\xA9 \xE2\x82\xAC #"},
        {"cut \xE2\x82", "cut \xEF\xBF\xBD\xEF\xBF\xBD", "cut \xEF\xBF\xBD\xEF\xBF\xBD"},
        {"MSH|^~\\&|", "MSH\\F\\\\S\\\\R\\\\E\\\\T\\\\F\\", "MSH\\F\\\\S\\\\R\\\\E\\\\T\\\\F\\"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct hl7v2_writer writer;
        char expected[256];
        snprintf(expected, sizeof expected, "NTE|%s|%s\r", cases[i].plain, cases[i].formatted);
        hl7v2_writer_init(&writer, 0);
        hl7v2_write_segment(&writer, "NTE");
        hl7v2_write(&writer, hl7v2_at(1, 1, 1, 1), cases[i].text);
        hl7v2_write_formatted(&writer, hl7v2_at(2, 1, 1, 1), cases[i].text);
        assert_written(&writer, expected);
    }
}

static void a_message_that_grows_too_large_is_no_message(void **state)
{
    struct hl7v2_writer writer;
    size_t len;
    (void)state;
    hl7v2_writer_init(&writer, 100);
    for (unsigned i = 0; i < 1000; i++) {
        hl7v2_write_segment(&writer, "NTE");
        hl7v2_write(&writer, hl7v2_at(3, 1, 1, 1), "twenty characters...");
        assert_true(writer.len <= 100);
    }
    assert_int_equal(writer.status, HL7V2_WRITE_TOO_LARGE);
    assert_null(hl7v2_writer_take(&writer, &len));
    hl7v2_writer_clear(&writer);
}

static void latin1_keeps_what_it_has_and_marks_what_it_lacks(void **state)
{
    struct hl7v2_writer writer;
    (void)state;
    hl7v2_writer_init(&writer, 0);
    hl7v2_write_segment(&writer, "NTE");
    hl7v2_write(&writer, hl7v2_at(3, 1, 1, 1),
                "Zo\xC3\xAB \xE2\x80\x93 \xE2\x80\x9C"
                "5 \xE2\x82\xAC\xE2\x80\x9D, RR \xE2\x89\xA5 140, \xF0\x9F\x98\x80, \xC5\x81");
    assert_int_equal(hl7v2_writer_to_latin1(&writer), 3);
    assert_written(&writer, "NTE|||Zo\xEB - \"5 EUR\", RR \\ZU2265\\ 140, \\ZU1F600\\, \\ZU0141\\\r");
}

// ---- Whatever is written at whatever place is read there

static uint64_t seed = 20260301;

static unsigned draw(unsigned below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % below;
}

#define VALUES_MAX 60

static struct written {
    unsigned segment;
    struct hl7v2_place place;
    char text[64], expected[64];
} written[VALUES_MAX];

static void draw_text(struct written *w)
{
    static const char *const pieces[] = {"|", "^",  "~",  "\\", "&",  "\"", " ",   "a",        "X0D",         ".br",
                                         "E", "\r", "\n", "#",  "\t", "F",  "MSH", "\xC3\xA9", "\xE2\x82\xAC"};
    size_t used = 0;
    for (unsigned n = 1 + draw(12); n > 0; n--)
        used += (size_t)snprintf(w->text + used, sizeof w->text - used, "%s",
                                 pieces[draw(sizeof pieces / sizeof pieces[0])]);
    for (size_t i = 0; i <= used; i++)
        w->expected[i] = w->text[i] != '\0' && strchr("\r\n\t", w->text[i]) != NULL ? ' ' : w->text[i];
}

static void step(struct hl7v2_place *place)
{
    switch (draw(4)) {
    case 0:
        *place = hl7v2_at(place->field + 1 + draw(5), 1 + draw(3), 1 + draw(3), 1 + draw(3));
        break;
    case 1:
        *place = hl7v2_at(place->field, place->repetition + 1 + draw(2), 1 + draw(3), 1 + draw(2));
        break;
    case 2:
        *place = hl7v2_at(place->field, place->repetition, place->component + 1 + draw(3), 1 + draw(3));
        break;
    default:
        place->subcomponent += 1 + draw(2);
    }
}

static void everything_written_is_read_back_at_its_place(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 3000; round++) {
        struct hl7v2_writer writer;
        unsigned segment = 0, count = 1 + draw(VALUES_MAX);
        struct hl7v2_place place = hl7v2_at(3, 1, 1, 1);
        hl7v2_writer_init(&writer, 0);
        hl7v2_write_segment(&writer, "MSH");
        for (unsigned i = 0; i < count; i++) {
            if (draw(10) == 0) {
                segment++;
                place = hl7v2_at(0, 1, 1, 1);
                hl7v2_write_segment(&writer, "ZZZ");
            }
            if (place.field == 0)
                place.field = 1 + draw(4);
            else
                step(&place);
            written[i].segment = segment;
            written[i].place = place;
            draw_text(&written[i]);
            hl7v2_write(&writer, place, written[i].text);
        }
        size_t len;
        struct hl7v2_error error;
        char *text = hl7v2_writer_take(&writer, &len);
        struct hl7v2_message *message = hl7v2_parse(text, len, NULL, &error);
        if (message == NULL)
            fail_msg("round %u: %s", round, error.text);
        for (unsigned i = 0; i < count; i++) {
            char read[128];
            struct hl7v2_place at = written[i].place;
            struct hl7v2_value value =
                hl7v2_segment_get(message, written[i].segment, at.field, at.repetition, at.component, at.subcomponent);
            assert_int_equal(value.presence, HL7V2_VALUED);
            hl7v2_unescape(message, value, read, sizeof read);
            assert_string_equal(read, written[i].expected);
        }
        hl7v2_message_destroy(&message);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(separators_come_before_values_and_never_behind),
        cmocka_unit_test(delimiters_and_line_ends_are_escaped),
        cmocka_unit_test(a_message_that_grows_too_large_is_no_message),
        cmocka_unit_test(latin1_keeps_what_it_has_and_marks_what_it_lacks),
        cmocka_unit_test(everything_written_is_read_back_at_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
