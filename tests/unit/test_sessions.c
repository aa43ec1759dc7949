/* The gate's table of sessions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "gate/sessions.h"

static void a_number_is_never_used_again(void **state)
{
    (void)state;
    struct sessions *table = calloc(1, sizeof *table);
    session_id last = 0;

    for (uint32_t i = 0; i < 3 * SESSIONS_MAX; i++) {
        struct session *session = sessions_open(table, 7);
        session_id id = session->id;
        assert_true(id / SESSIONS_MAX > last / SESSIONS_MAX);
        assert_ptr_equal(sessions_by_id(table, id), session);
        sessions_close(table, session);
        assert_null(sessions_by_id(table, id));
        assert_null(sessions_by_routing(table, 7));
        last = id;
    }
    assert_null(sessions_by_id(table, 0));
    free(table);
}

static void a_full_table_opens_no_more(void **state)
{
    (void)state;
    struct sessions *table = calloc(1, sizeof *table);

    for (uint32_t i = 0; i < SESSIONS_MAX; i++)
        assert_non_null(sessions_open(table, UINT32_MAX - 100 + i)); /* libzmq's counter wraps */
    assert_null(sessions_open(table, 5 * SESSIONS_MAX));
    for (size_t slot = 0; slot < SESSIONS_MAX; slot++)
        sessions_close(table, table->slots[slot]);
    assert_int_equal(table->n, 0);
    free(table);
}

/* Opens and closes at random, with routing ids that collide, against a plain list. */
static void those_that_are_open_are_found_and_no_others(void **state)
{
    (void)state;
    enum { NAMES = 200, STEPS = 20000 };
    struct sessions *table = calloc(1, sizeof *table);
    struct session *open[NAMES] = {0};
    unsigned seed = 1;

    for (int step = 0; step < STEPS; step++) {
        unsigned name = (unsigned)rand_r(&seed) % NAMES;
        uint32_t routing = name % 10 + name / 10 * (2 * SESSIONS_MAX); /* ten places for all */
        assert_ptr_equal(sessions_by_routing(table, routing), open[name]);
        if (open[name]) {
            sessions_close(table, open[name]);
            open[name] = NULL;
        } else {
            open[name] = sessions_open(table, routing);
        }
    }
    for (unsigned name = 0; name < NAMES; name++) {
        assert_ptr_equal(sessions_by_routing(table, name % 10 + name / 10 * (2 * SESSIONS_MAX)), open[name]);
        if (open[name])
            sessions_close(table, open[name]);
    }
    assert_int_equal(table->n, 0);
    free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_is_never_used_again),
        cmocka_unit_test(a_full_table_opens_no_more),
        cmocka_unit_test(those_that_are_open_are_found_and_no_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
