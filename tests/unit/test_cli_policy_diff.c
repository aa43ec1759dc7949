/* Golden output of `carehub policy diff`, from answers made here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy_diff.h"
#include "texts.h"

#include <cmocka.h> /* last: it has a macro fail() */

#define GETS(name) CAREHUB__V1__GETS__GETS_##name

static char *rendered_in(const Carehub__V1__PolicyDiffAnswer *diff, const char *language)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    policy_diff_print(diff, out, (struct style){.texts = texts_of(language)});
    fclose(out);
    return text;
}

static char *rendered(const Carehub__V1__PolicyDiffAnswer *diff)
{
    return rendered_in(diff, "en");
}

static Carehub__V1__PolicyDiffAnswer answer(void)
{
    Carehub__V1__PolicyDiffAnswer a = CAREHUB__V1__POLICY_DIFF_ANSWER__INIT;
    a.policy = "region-2026";
    a.other_policy = "region-2027";
    a.since_ms = 1772323200000; /* 2026-03-01 */
    a.from_place = 1000;
    a.to_place = 52100;
    a.events = 1204;
    return a;
}

static Carehub__V1__PolicyChange change(char *actor, Carehub__V1__Gets before, Carehub__V1__Gets after,
                                        Carehub__V1__PatientRange *patients)
{
    Carehub__V1__PolicyChange c = CAREHUB__V1__POLICY_CHANGE__INIT;
    c.actor = actor;
    c.kind = *actor ? CAREHUB__V1__ACTOR_KIND__ORGANISATION : CAREHUB__V1__ACTOR_KIND__INFORMAL_CARER;
    c.type = CAREHUB__V1__EVENT_TYPE__FALL_REPORTED;
    c.before = before;
    c.after = after;
    c.patients = patients;
    return c;
}

static void gains_and_losses_are_listed_apart_with_their_totals(void **state)
{
    (void)state;
    Carehub__V1__PatientRange few = CAREHUB__V1__PATIENT_RANGE__INIT, many = CAREHUB__V1__PATIENT_RANGE__INIT;
    few.at_least = 1, few.at_most = 4;
    many.at_least = 1210, many.at_most = 1214;
    Carehub__V1__PolicyChange gains = change("dr-janssens", GETS(CARE), GETS(CLINICAL), &many);
    Carehub__V1__PolicyChange loses = change("", GETS(CARE), GETS(NOTHING), &few);
    Carehub__V1__PolicyChange held = change("apotheek-peeters", GETS(CLINICAL), GETS(HELD), &few);
    Carehub__V1__PolicyChange *changes[] = {&loses, &gains, &held};
    Carehub__V1__PolicyDiffAnswer a = answer();
    a.changes = changes;
    a.n_changes = 3;
    a.gaining = &many;
    a.not_kept = 12;
    char *text = rendered(&a);
    assert_string_equal(text, "Decisions would change: 'region-2027' instead of 'region-2026', which is in force\n"
                              "  1,204 events since 2026-03-01 (#1000 to #52100) were decided under both.\n"
                              "  12 events of persons without consent were not kept, and cannot be compared.\n"
                              "\n"
                              "Who would get more:\n"
                              "     who          type          now   new       patients\n"
                              "  +  dr-janssens  FallReported  care  clinical  1,210 to 1,214\n"
                              "  In all: 1,210 to 1,214 patients; what concerns fewer than 5 is not added up.\n"
                              "\n"
                              "Who would get less:\n"
                              "     who                type          now       new      patients\n"
                              "  -  (informal carers)  FallReported  care      nothing  fewer than 5\n"
                              "  -  apotheek-peeters   FallReported  clinical  held     fewer than 5\n");
    assert_true(policy_diff_differs(&a));
    free(text);
}

static void no_difference_says_so(void **state)
{
    (void)state;
    Carehub__V1__PolicyDiffAnswer a = answer();
    char *text = rendered(&a);
    assert_string_equal(text, "No decision would change: 'region-2027' instead of 'region-2026', which is in force\n"
                              "  1,204 events since 2026-03-01 (#1000 to #52100) were decided under both.\n");
    assert_false(policy_diff_differs(&a));
    free(text);
}

static void parts_that_decide_no_event_are_named_and_are_a_difference(void **state)
{
    (void)state;
    char *sections[] = {"hold-days", "unread"};
    Carehub__V1__PolicyDiffAnswer a = answer();
    a.sections = sections;
    a.n_sections = 2;
    char *text = rendered(&a);
    assert_non_null(strstr(text, "\nThese parts differ too; they decide about no event: hold-days, unread\n"));
    assert_true(policy_diff_differs(&a));
    free(text);
}

static void each_language_says_it_all(void **state)
{
    (void)state;
    static const struct {
        const char *language, *says[4];
    } cases[] = {
        {"nl",
         {"Beslissingen zouden veranderen: 'region-2027' in plaats van 'region-2026', dat nu geldt\n",
          "Wie minder zou krijgen:\n     wie              soort         nu    nieuw  patiënten\n",
          "  -  (mantelzorgers)  FallReported  zorg  niets  minder dan 5\n", "Ook deze delen verschillen"}},
        {"fr",
         {"Des décisions changeraient: « region-2027 » au lieu de « region-2026 », qui est en vigueur\n",
          "Qui recevrait moins :\n", "(aidants proches)", "Ces parties diffèrent aussi"}},
        {"de",
         {"Entscheidungen würden sich ändern: „region-2027“ statt „region-2026“, das jetzt gilt\n",
          "Wer weniger erhielte:\n", "(pflegende Angehörige)", "Auch diese Teile sind anders"}},
    };
    Carehub__V1__PatientRange few = CAREHUB__V1__PATIENT_RANGE__INIT;
    few.at_least = 1, few.at_most = 4;
    Carehub__V1__PolicyChange loses = change("", GETS(CARE), GETS(NOTHING), &few), *changes[] = {&loses};
    char *sections[] = {"hold-days"};
    Carehub__V1__PolicyDiffAnswer a = answer();
    a.changes = changes;
    a.n_changes = a.n_sections = 1;
    a.sections = sections;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = rendered_in(&a, cases[i].language);
        for (size_t n = 0; n < 4; n++)
            if (!strstr(text, cases[i].says[n]))
                fail_msg("“%s” is not in: %s", cases[i].says[n], text);
        assert_null(strpbrk(text, "{}"));
        free(text);
    }
}

int main(void)
{
    setenv("TZ", "UTC", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gains_and_losses_are_listed_apart_with_their_totals),
        cmocka_unit_test(no_difference_says_so),
        cmocka_unit_test(each_language_says_it_all),
        cmocka_unit_test(parts_that_decide_no_event_are_named_and_are_a_difference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
