/* test_histogram.c - percentiles are right within a bucket's width, a 64th. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "histogram.h"

static int setup(void **state)
{
    *state = calloc(2, sizeof(struct histogram));
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static void an_empty_one_has_nothing_but_zeros(void **state)
{
    assert_int_equal(histogram_at(*state, 0.5), 0);
    assert_int_equal(histogram_at(*state, 1), 0);
}

static void small_values_are_exact(void **state)
{
    struct histogram *h = *state;
    for (uint64_t i = 1; i <= 50; i++)
        histogram_add(h, i);
    assert_int_equal(histogram_at(h, 0.02), 1);
    assert_int_equal(histogram_at(h, 0.50), 25);
    assert_int_equal(histogram_at(h, 1), 50);
}

static void percentiles_are_within_a_64th(void **state)
{
    struct histogram *h = *state;
    enum { N = 100000 };
    for (uint64_t i = 1; i <= N; i++)
        histogram_add(h, i * 1000);
    static const double fractions[] = {0.01, 0.25, 0.5, 0.95, 0.99, 0.999};
    for (size_t i = 0; i < sizeof fractions / sizeof *fractions; i++) {
        double exact = fractions[i] * N * 1000, found = (double)histogram_at(h, fractions[i]);
        assert_true(found >= exact * (1 - 1e-9) && found <= exact * (1 + 1.0 / 64));
    }
    assert_int_equal(h->max, N * 1000);
}

static void the_largest_value_is_exact_and_never_exceeded(void **state)
{
    struct histogram *h = *state;
    histogram_add(h, 1000003);
    assert_int_equal(histogram_at(h, 0.5), 1000003);
    histogram_add(h, UINT64_MAX / 2);
    assert_true(histogram_at(h, 1) <= h->max);
}

static void merging_is_as_adding_to_one(void **state)
{
    struct histogram *both = *state, *other = both + 1;
    for (uint64_t i = 1; i <= 1000; i++)
        histogram_add(i % 2 ? both : other, i * 12345);
    histogram_merge(both, other);
    assert_int_equal(both->n, 1000);
    assert_int_equal(both->max, 12345000);
    assert_true(histogram_at(both, 0.5) >= 500 * 12345 && histogram_at(both, 0.5) <= 500 * 12345 * 65 / 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_empty_one_has_nothing_but_zeros, setup, teardown),
        cmocka_unit_test_setup_teardown(small_values_are_exact, setup, teardown),
        cmocka_unit_test_setup_teardown(percentiles_are_within_a_64th, setup, teardown),
        cmocka_unit_test_setup_teardown(the_largest_value_is_exact_and_never_exceeded, setup, teardown),
        cmocka_unit_test_setup_teardown(merging_is_as_adding_to_one, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
