#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "eventid.h"

static void new_ids_carry_the_present_time_and_version_7(void **state)
{
    (void)state;
    uint8_t id[EVENTID_BYTES];
    struct timespec before, after;

    clock_gettime(CLOCK_REALTIME, &before);
    assert_int_equal(eventid_new(id), EVENTID_OK);
    clock_gettime(CLOCK_REALTIME, &after);
    assert_true(eventid_valid(id));
    assert_int_equal(id[6] >> 4, 7);
    assert_int_equal(id[8] >> 6, 2);
    assert_in_range(eventid_time_ms(id), (uint64_t)before.tv_sec * 1000 + (uint64_t)before.tv_nsec / 1000000,
                    (uint64_t)after.tv_sec * 1000 + (uint64_t)after.tv_nsec / 1000000);
}

static void ids_increase_when_the_clock_stands_still_or_goes_back(void **state)
{
    (void)state;
    uint8_t last[EVENTID_BYTES], id[EVENTID_BYTES];
    const uint64_t start_ms = UINT64_C(5000000000000); // beyond the present: other tests don't reach it

    assert_int_equal(eventid_new_at(last, start_ms), EVENTID_OK);
    assert_int_equal(eventid_time_ms(last), start_ms);
    for (int i = 0; i < 10000; i++) { // more than the counter holds
        assert_int_equal(eventid_new_at(id, start_ms - (uint64_t)(i % 3)), EVENTID_OK);
        assert_true(memcmp(last, id, sizeof id) < 0);
        assert_true(eventid_valid(id));
        memcpy(last, id, sizeof id);
    }
    assert_in_range(eventid_time_ms(last), start_ms + 1, start_ms + 5);
}

#define THREADS 4
#define IDS_EACH 5000

static void *make_ids(void *ids)
{
    for (int i = 0; i < IDS_EACH; i++) {
        if (eventid_new((uint8_t *)ids + (size_t)i * EVENTID_BYTES) != EVENTID_OK)
            return ids;
    }
    return NULL;
}

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, EVENTID_BYTES);
}

static void threads_never_share_an_id(void **state)
{
    (void)state;
    static uint8_t ids[THREADS * IDS_EACH][EVENTID_BYTES];
    pthread_t threads[THREADS];

    for (int t = 0; t < THREADS; t++)
        assert_int_equal(pthread_create(&threads[t], NULL, make_ids, ids[t * IDS_EACH]), 0);
    for (int t = 0; t < THREADS; t++) {
        void *failed;
        assert_int_equal(pthread_join(threads[t], &failed), 0);
        assert_null(failed);
        for (int i = 1; i < IDS_EACH; i++) // each thread sees its own increase
            assert_true(compare_ids(ids[t * IDS_EACH + i - 1], ids[t * IDS_EACH + i]) < 0);
    }
    qsort(ids, THREADS * IDS_EACH, EVENTID_BYTES, compare_ids);
    for (int i = 1; i < THREADS * IDS_EACH; i++)
        assert_true(compare_ids(ids[i - 1], ids[i]) < 0);
}

// The expected digest was computed apart: sha256sum of the label with its NUL, and of the three framed parts.
static void derived_id_is_time_and_digest_prefix(void **state)
{
    (void)state;
    uint8_t id[EVENTID_BYTES];
    char text[EVENTID_TEXT_CHARS];
    struct eventid_native native = {.sender = "ADT|HOSP", .id = "MSG00001", .time = "20260105101530"};

    assert_int_equal(eventid_derive(id, 1767604530000, &native), EVENTID_OK);
    eventid_format(id, text);
    assert_string_equal(text, "019b8d70-ab50-8a3e-bab3-2517b45c16ae");
    assert_true(eventid_valid(id));
    assert_int_equal(eventid_time_ms(id), 1767604530000);
}

static void same_native_message_gives_same_id_and_any_other_another(void **state)
{
    (void)state;
    static const struct eventid_native natives[] = {
        {"AB", "C", "1"},   {"A", "BC", "1"}, {"", "ABC", "1"}, {"ABC", NULL, "1"},
        {"AB", "C1", NULL}, {"AB", "C", "2"}, {"AB", "", "C1"}, {"AB", "C", "1 "},
    };
    enum { COUNT = sizeof natives / sizeof natives[0] };
    uint8_t ids[COUNT][EVENTID_BYTES], again[EVENTID_BYTES];

    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(eventid_derive(ids[i], 1000, &natives[i]), EVENTID_OK);
        assert_int_equal(eventid_derive(again, 1000, &natives[i]), EVENTID_OK);
        assert_memory_equal(ids[i], again, EVENTID_BYTES);
        for (int j = 0; j < i; j++)
            assert_memory_not_equal(ids[i], ids[j], EVENTID_BYTES);
    }
}

static void derive_refuses_what_names_nothing_or_does_not_fit(void **state)
{
    (void)state;
    uint8_t id[EVENTID_BYTES];
    char longest[EVENTID_PART_MAX_BYTES + 2];

    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(eventid_derive(id, 1, &(struct eventid_native){.time = "2026"}), EVENTID_PART_SIZE);
    assert_int_equal(eventid_derive(id, 1, &(struct eventid_native){.id = longest}), EVENTID_PART_SIZE);
    assert_int_equal(eventid_derive(id, 1, &(struct eventid_native){longest + 1, longest + 1, longest + 1}),
                     EVENTID_OK);
    assert_int_equal(eventid_derive(id, EVENTID_TIME_MAX_MS + 1, &(struct eventid_native){.id = "x"}),
                     EVENTID_TIME_RANGE);
    assert_int_equal(eventid_new_at(id, EVENTID_TIME_MAX_MS + 1), EVENTID_TIME_RANGE);
}

static void text_form_is_read_as_it_is_written(void **state)
{
    (void)state;
    // The examples of RFC 9562, appendix A.6 (version 7) and B.2 (version 8).
    static const struct {
        const char *text;
        uint64_t time_ms;
        bool valid;
    } cases[] = {
        {"017f22e2-79b0-7cc3-98c4-dc0c0c07398f", 0x017F22E279B0, true},
        {"5c146b14-3c52-8afd-938a-375d0df1fbf6", 0x5C146B143C52, true},
        {"5c146b14-3c52-4afd-938a-375d0df1fbf6", 0x5C146B143C52, false}, // version 4
        {"5c146b14-3c52-8afd-d38a-375d0df1fbf6", 0x5C146B143C52, false}, // another variant
        {"00000000-0000-0000-0000-000000000000", 0, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t id[EVENTID_BYTES];
        char text[EVENTID_TEXT_CHARS];
        assert_true(eventid_parse(cases[i].text, strlen(cases[i].text), id));
        eventid_format(id, text);
        assert_string_equal(text, cases[i].text);
        assert_int_equal(eventid_time_ms(id), cases[i].time_ms);
        assert_int_equal(eventid_valid(id), cases[i].valid);
    }
}

static void text_of_another_form_is_refused_and_leaves_the_id(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398ff",
        "017f22e279b07cc398c4dc0c0c07398f",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398g",
        "017f22e2_79b0-7cc3-98c4-dc0c0c07398f",
        "017f22e27-9b0-7cc3-98c4-dc0c0c07398f",
        "{17f22e2-79b0-7cc3-98c4-dc0c0c07398}",
    };
    uint8_t id[EVENTID_BYTES] = {1, 2, 3}, before[EVENTID_BYTES];

    memcpy(before, id, sizeof id);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_false(eventid_parse(texts[i], strlen(texts[i]), id));
        assert_memory_equal(id, before, sizeof id);
    }
    assert_true(eventid_parse("017F22E2-79B0-7CC3-98C4-DC0C0C07398F", 36, id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_ids_carry_the_present_time_and_version_7),
        cmocka_unit_test(threads_never_share_an_id),
        cmocka_unit_test(ids_increase_when_the_clock_stands_still_or_goes_back),
        cmocka_unit_test(derived_id_is_time_and_digest_prefix),
        cmocka_unit_test(same_native_message_gives_same_id_and_any_other_another),
        cmocka_unit_test(derive_refuses_what_names_nothing_or_does_not_fit),
        cmocka_unit_test(text_form_is_read_as_it_is_written),
        cmocka_unit_test(text_of_another_form_is_refused_and_leaves_the_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
