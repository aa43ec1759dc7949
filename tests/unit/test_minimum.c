/* The note that says how far a log was pruned: there is one way to write it, and it is never taken for a checkpoint. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "audit/minimum.h"

#define SIGNATURE "\n\xe2\x80\x94 log.example AAAAAAECAwQFBgcICQoLDA0ODw==\n"
#define HEADER "carehub minimum index 1\n"

static bool parse(const char *text, struct minimum *minimum)
{
    struct note note;
    char whole[1024];
    snprintf(whole, sizeof whole, "%s" SIGNATURE, text);
    return minimum_note_parse(whole, strlen(whole), &note, minimum);
}

static void what_is_written_is_read_again(void **state)
{
    static const uint64_t indexes[] = {0, 1, 256, 70000, UINT64_MAX};
    (void)state;
    for (size_t i = 0; i < sizeof indexes / sizeof *indexes; i++) {
        struct minimum minimum = {.origin = "log.example/2", .index = indexes[i]}, again;
        char text[MINIMUM_BYTES];
        size_t size = minimum_text(&minimum, text);
        assert_int_equal(size, strlen(text));
        assert_true(parse(text, &again));
        assert_string_equal(again.origin, minimum.origin);
        assert_int_equal(again.index, minimum.index);
    }
}

static void nothing_else_is_taken_for_one(void **state)
{
    static const char *const texts[] = {"carehub minimum index 2\nlog.example\n256\n",
                                        HEADER "log.example\n0256\n",
                                        HEADER "log.example\n+256\n",
                                        HEADER "log.example\n256 \n",
                                        HEADER "log.example\n\n",
                                        HEADER "log.example\n256\nmore\n",
                                        HEADER "\n256\n",
                                        HEADER "log.example\n",
                                        HEADER "256\n",
                                        HEADER,
                                        "log.example\n256\n",
                                        HEADER "log.example\n18446744073709551616\n",
                                        " " HEADER "log.example\n256\n",
                                        "log.example\n256\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"};
    struct minimum minimum;
    (void)state;
    assert_true(parse(HEADER "log.example\n256\n", &minimum));
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (parse(texts[i], &minimum))
            fail_msg("%s", texts[i]);
}

static void it_is_no_checkpoint(void **state)
{
    static const char *const origins[] = {"log.example", "256", "0"};
    (void)state;
    for (size_t i = 0; i < sizeof origins / sizeof *origins; i++) {
        struct minimum minimum = {.index = 256};
        struct checkpoint checkpoint;
        char text[MINIMUM_BYTES];
        snprintf(minimum.origin, sizeof minimum.origin, "%s", origins[i]);
        size_t size = minimum_text(&minimum, text);
        assert_false(checkpoint_parse(text, size, &checkpoint));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(nothing_else_is_taken_for_one),
        cmocka_unit_test(it_is_no_checkpoint),
    };
    return cmocka_run_group_tests_name("minimum", tests, NULL, NULL);
}
