#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mllp.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define VT "\x0B"
#define FS "\x1C"

// Feeds text in chunks of step bytes; joins what comes out as <message>, and !N@P for fault N at P.
static void run(const char *text, size_t len, size_t step, const struct mllp_options *options, char *out)
{
    struct mllp_decoder *decoder = mllp_decoder_new(options);
    struct mllp_event event = {0};
    *out = '\0';
    for (size_t at = 0; at < len && event.fault == MLLP_FAULT_NONE;) {
        size_t used, chunk = len - at < step ? len - at : step;
        enum mllp_result result = mllp_decode(decoder, text + at, chunk, &used, &event);
        at += used;
        if (result == MLLP_MESSAGE)
            sprintf(out + strlen(out), "<%.*s>", (int)event.len, (const char *)event.data);
        if (result == MLLP_BROKEN)
            sprintf(out + strlen(out), "!%d@%d", event.fault, (int)event.fault_position);
    }
    if (mllp_pending_bytes(decoder) > 0)
        sprintf(out + strlen(out), "?%zu", mllp_pending_bytes(decoder));
    mllp_decoder_destroy(&decoder);
    assert_null(decoder);
}

static void frames_are_the_same_however_they_are_cut(void **state)
{
    (void)state;
    static const struct mllp_options lenient = {10, true, false}, strict = {10, false, true};
    static const struct {
        const char *text;
        const struct mllp_options *options;
        const char *expected;
    } cases[] = {
        {VT "one" FS "\r", &strict, "<one>"},
        {VT "one" FS "\r" VT "two" FS "\r", &strict, "<one><two>"},
        {VT FS "\r", &strict, "<>"},
        {VT "a\rb\r" FS "\r", &strict, "<a\rb\r>"},
        {VT "0123456789" FS "\r", &strict, "<0123456789>"},
        {VT "0123456789X" FS "\r", &strict, "!5@11"},
        {VT "part", &lenient, "?5"},
        {VT "part" FS, &lenient, "?6"},
        {"\r\n " VT "one" FS "\r\n\n" VT "two" FS "\r", &lenient, "<one><two>"},
        {VT "one" FS "\r\n" VT "two" FS "\r", &strict, "<one>!1@6"},
        {"x" VT "one" FS "\r", &lenient, "!1@0"},
        {VT "one" FS "\rMSH|", &lenient, "<one>!1@6"},
        {VT "one" FS FS "\r", &lenient, "!2@5"},
        {VT "one" FS "x", &lenient, "!2@5"},
        {VT "one" FS VT "two", &lenient, "!2@5"},
        {VT "on" VT "two" FS "\r", &lenient, "!3@3"},
        {VT "a\n\tb\x01" FS "\r", &lenient, "<a\n\tb\x01>"},
        {VT "a\nb" FS "\r", &strict, "!4@2"},
        {VT "ab\x7F\xC3\xA9" FS "\r", &strict, "<ab\x7F\xC3\xA9>"},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        for (size_t step = 1; step < 30; step++) {
            char out[200];
            run(cases[i].text, strlen(cases[i].text), step, cases[i].options, out);
            if (strcmp(out, cases[i].expected) != 0)
                fail_msg("case %zu in steps of %zu gives %s", i, step, out);
        }
}

static void fault_shows_the_offending_bytes_and_stays(void **state)
{
    (void)state;
    static const char text[] = VT "one" FS "\r" VT "two" FS "three and more";
    struct mllp_decoder *decoder = mllp_decoder_new(NULL);
    struct mllp_event event;
    size_t used;
    assert_int_equal(mllp_decode(decoder, text, strlen(text), &used, &event), MLLP_MESSAGE);
    assert_int_equal(used, 6);
    assert_int_equal(event.frame_position, 0);
    for (int i = 0; i < 2; i++) {
        enum mllp_result result = mllp_decode(decoder, text + 6, i == 0 ? strlen(text) - 6 : 1, &used, &event);
        assert_int_equal(result, MLLP_BROKEN);
        assert_int_equal(used, i == 0 ? 5 : 0);
        assert_int_equal(event.fault, MLLP_FAULT_NO_CR);
        assert_int_equal(event.frame_position, 6);
        assert_int_equal(event.fault_position, 11);
        assert_int_equal(event.fault_bytes_len, MLLP_FAULT_BYTES_MAX);
        assert_memory_equal(event.fault_bytes, "three an", MLLP_FAULT_BYTES_MAX);
        assert_int_equal(event.len, 3);
        assert_memory_equal(event.data, "two", 3);
        assert_int_equal(mllp_position(decoder), 11);
    }
    mllp_decoder_destroy(&decoder);
}

static void tolerated_bytes_are_counted(void **state)
{
    (void)state;
    static const char text[] = "\r\n" VT "a\x01\n\x02" FS "\r" VT "b" FS "\r";
    struct mllp_decoder *decoder = mllp_decoder_new(NULL);
    struct mllp_event event;
    size_t used, rest;
    assert_int_equal(mllp_decode(decoder, text, strlen(text), &used, &event), MLLP_MESSAGE);
    assert_int_equal(event.stray_bytes, 2);
    assert_int_equal(event.control_bytes, 2);
    assert_int_equal(event.control_position, 4);
    assert_int_equal(mllp_decode(decoder, text + used, strlen(text) - used, &rest, &event), MLLP_MESSAGE);
    assert_int_equal(event.stray_bytes, 0);
    assert_int_equal(event.control_bytes, 0);
    mllp_decoder_destroy(&decoder);
}

static void buffer_grows_to_the_limit_and_no_further(void **state)
{
    (void)state;
    const size_t size = MLLP_FRAME_MAX_BYTES + 1;
    uint8_t *message = malloc(size), *frame = malloc(size + MLLP_OVERHEAD_BYTES);
    memset(message, 'x', size);
    for (size_t len = size - 1; len <= size; len++) {
        struct mllp_decoder *decoder = mllp_decoder_new(NULL);
        struct mllp_event event;
        size_t used, total = mllp_encode(message, len, frame, size + MLLP_OVERHEAD_BYTES);
        assert_int_equal(total, len + MLLP_OVERHEAD_BYTES);
        enum mllp_result result = MLLP_NEED_MORE;
        for (size_t at = 0; at < total && result == MLLP_NEED_MORE; at += used)
            result = mllp_decode(decoder, frame + at, total - at < 65536 ? total - at : 65536, &used, &event);
        assert_int_equal(result, len < size ? MLLP_MESSAGE : MLLP_BROKEN);
        assert_int_equal(event.len, size - 1);
        assert_int_equal(event.fault, len < size ? MLLP_FAULT_NONE : MLLP_FAULT_TOO_LARGE);
        mllp_decoder_destroy(&decoder);
    }
    free(message);
    free(frame);
}

static void encoding_frames_what_a_frame_can_carry(void **state)
{
    (void)state;
    uint8_t out[8] = "zzzzzzz";
    assert_int_equal(mllp_encode("abc", 3, out, 5), 6);
    assert_int_equal(out[0], 'z');
    assert_int_equal(mllp_encode("abc", 3, out, 6), 6);
    assert_memory_equal(out, VT "abc" FS "\rz", 7);
    assert_int_equal(mllp_encode("", 0, out, 8), 3);
    assert_memory_equal(out, VT FS "\r", 3);
    assert_int_equal(mllp_encode("a" VT, 2, out, 8), 0);
    assert_int_equal(mllp_encode("a" FS, 2, out, 8), 0);
}

static void every_fault_has_its_text(void **state)
{
    (void)state;
    for (int fault = MLLP_FAULT_NONE; fault <= MLLP_FAULT_NO_MEMORY; fault++)
        assert_string_not_equal(mllp_fault_text(fault), "unknown fault");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_are_the_same_however_they_are_cut),
        cmocka_unit_test(fault_shows_the_offending_bytes_and_stays),
        cmocka_unit_test(tolerated_bytes_are_counted),
        cmocka_unit_test(buffer_grows_to_the_limit_and_no_further),
        cmocka_unit_test(encoding_frames_what_a_frame_can_carry),
        cmocka_unit_test(every_fault_has_its_text),
    };
    return cmocka_run_group_tests_name("mllp", tests, NULL, NULL);
}
