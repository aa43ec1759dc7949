// Merges of patients to registry facts.
#include "hospital_case.h"

#include "eventid.h"
#include "merge.h"

#define A40 HOSPITAL_MSH("ADT^A40^ADT_A39", "1") "EVN|A40|20260301\r"
#define SSIN_2 "41092300238"

static struct adt_result map(const char *text, struct merge_facts *facts)
{
    struct hl7v2_message *message = hospital_parse(text);
    struct adt_input input = hospital_input(message);
    struct adt_result result = merge_map(&input, facts);
    hl7v2_message_destroy(&message);
    assert_int_equal(result.outcome == ADT_EVENT, facts->count > 0);
    assert_null(result.event);
    return result;
}

static void both_are_named_by_numbers_that_the_sender_s_rules_let_be_used(void **state)
{
    static const struct {
        const char *pid, *mrg;
        const char *why; // "event": a fact
        const char *survivor[2], *merged[2];
    } cases[] = {
        {"4711^^^AZT^PI", "4712^^^AZT^PI", "event", {"urn:az-test:patient", "4711"}, {"urn:az-test:patient", "4712"}},
        {"4711^^^AZT^PI~" HOSPITAL_SSIN "^^^NISS^NN",
         "4712^^^AZT^PI~" HOSPITAL_SSIN "^^^NISS^NN",
         "event",
         {"urn:az-test:patient", "4711"},
         {"urn:az-test:patient", "4712"}},
        {HOSPITAL_SSIN "^^^NISS^NN~4711^^^AZT",
         "4712^^^AZT",
         "event",
         {"urn:az-test:patient", "4711"},
         {"urn:az-test:patient", "4712"}},
        {HOSPITAL_SSIN "^^^NISS^NN", "4712^^^AZT", "event", {"ssin", HOSPITAL_SSIN}, {"urn:az-test:patient", "4712"}},
        {HOSPITAL_SSIN "^^^NISS^NN", SSIN_2 "^^^NISS^NN", "event", {"ssin", HOSPITAL_SSIN}, {"ssin", SSIN_2}},
        {"4711^^^AZT", "|4713^^^AZT", "event", {"urn:az-test:patient", "4711"}, {"urn:az-test:patient", "4713"}},
        {"4711^^^AZT", "|||4714^^^AZT", "event", {"urn:az-test:patient", "4711"}, {"urn:az-test:patient", "4714"}},
        {"4711^^^AZT^PI", "4711^^^AZT^PI", "merge-of-itself", {NULL}, {NULL}},
        {"4711^^^AZT^PI", "9^^^OTHER^PI", "unidentified", {NULL}, {NULL}},
        {"9^^^OTHER^PI", "4711^^^AZT^PI", "unidentified", {NULL}, {NULL}},
        {"4711^^^AZT^PI", "4712^^^AZT^AN", "unidentified", {NULL}, {NULL}}, // an account
        {"4711^^^AZT^PI", "", "unidentified", {NULL}, {NULL}},
        {"4711^^^AZT^PI", "38041200178^^^NISS^NN", "unidentified", {NULL}, {NULL}}, // wrong check digits
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[1024];
        struct merge_facts facts;
        snprintf(text, sizeof text, A40 "PID|1||%s\rMRG|%s\r", cases[i].pid, cases[i].mrg);
        struct adt_result result = map(text, &facts);
        if (strcmp(result.why, cases[i].why) != 0)
            fail_msg("case %zu: %s", i, result.why);
        if (facts.count > 0) {
            const Carehub__V1__PatientsMerged *merged = facts.facts[0]->patients_merged;
            assert_int_equal(facts.facts[0]->fact_case, CAREHUB__V1__FACT__FACT_PATIENTS_MERGED);
            assert_string_equal(merged->patient->identifier->system, cases[i].survivor[0]);
            assert_string_equal(merged->patient->identifier->value, cases[i].survivor[1]);
            assert_string_equal(merged->merged->identifier->system, cases[i].merged[0]);
            assert_string_equal(merged->merged->identifier->value, cases[i].merged[1]);
        }
        merge_facts_clear(&facts);
    }
}

static void each_pair_is_a_fact_of_its_own_and_a_repeat_is_the_same(void **state)
{
    static const char text[] = A40 "PID|1||1^^^AZT\rMRG|2^^^AZT\rPID|2||3^^^AZT\rPV1|1|I\rMRG|4^^^AZT\rMRG|5^^^AZT\r"
                                   "PID|3||6^^^OTHER\rMRG|7^^^AZT\r";
    struct merge_facts facts, again;
    (void)state;
    assert_int_equal(map(text, &facts).outcome, ADT_EVENT);
    assert_int_equal(map(text, &again).outcome, ADT_EVENT);
    assert_int_equal(facts.count, 3); // of the last pair one has no number that may be used
    assert_string_equal(facts.facts[2]->patients_merged->patient->identifier->value, "3");
    assert_string_equal(facts.facts[2]->patients_merged->merged->identifier->value, "5");
    for (size_t i = 0; i < facts.count; i++) {
        assert_int_equal(facts.facts[i]->id.len, EVENTID_BYTES);
        assert_true(eventid_valid(facts.facts[i]->id.data));
        assert_memory_equal(facts.facts[i]->id.data, again.facts[i]->id.data, EVENTID_BYTES);
        for (size_t k = 0; k < i; k++)
            assert_memory_not_equal(facts.facts[i]->id.data, facts.facts[k]->id.data, EVENTID_BYTES);
    }
    merge_facts_clear(&facts);
    merge_facts_clear(&again);
}

static void what_is_no_merge_says_so(void **state)
{
    struct merge_facts facts;
    char text[4096];
    (void)state;
    assert_string_equal(map(A40 HOSPITAL_PID, &facts).why, "merge-without-prior");
    assert_string_equal(map(A40 "MRG|1^^^AZT\r" HOSPITAL_PID, &facts).why, "unidentified");
    assert_int_equal(map(HOSPITAL_MSH("ADT^A08", "1") HOSPITAL_PID, &facts).outcome, ADT_UNSUPPORTED);
    int len = snprintf(text, sizeof text, A40 HOSPITAL_PID);
    for (unsigned i = 0; i <= MERGE_FACTS_MAX; i++)
        len += snprintf(text + len, sizeof text - (size_t)len, "MRG|%u^^^AZT\r", i);
    struct adt_result result = map(text, &facts);
    assert_string_equal(result.why, "merge-too-many");
    assert_true(result.notable);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_are_named_by_numbers_that_the_sender_s_rules_let_be_used),
        cmocka_unit_test(each_pair_is_a_fact_of_its_own_and_a_repeat_is_the_same),
        cmocka_unit_test(what_is_no_merge_says_so),
    };
    return cmocka_run_group_tests(tests, hospital_set_up, hospital_tear_down);
}
