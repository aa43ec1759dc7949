// What a new version of a medication scheme changes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "medication_codes.h"
#include "scheme.h"
#include "scheme_build.h"

#define PANTOMED "2732808"
#define MARCOUMAR "0119065"
#define CRESTOR "2055218"

#define ADDED CAREHUB__V1__MEDICATION_CHANGE__KIND__ADDED
#define STOPPED CAREHUB__V1__MEDICATION_CHANGE__KIND__STOPPED
#define SUSPENDED CAREHUB__V1__MEDICATION_CHANGE__KIND__SUSPENDED
#define RESUMED CAREHUB__V1__MEDICATION_CHANGE__KIND__RESUMED
#define PRODUCT_CHANGED CAREHUB__V1__MEDICATION_CHANGE__KIND__PRODUCT_CHANGED
#define POSOLOGY_CHANGED CAREHUB__V1__MEDICATION_CHANGE__KIND__POSOLOGY_CHANGED

typedef Carehub__Pharmacy__V1__Scheme Scheme;
typedef Carehub__Pharmacy__V1__Line Line;
typedef Carehub__Pharmacy__V1__Suspension Suspension;
typedef Carehub__V1__MedicationChange Change;

static Scheme *new_scheme(const char *version, const char *recorded)
{
    Scheme *scheme = malloc(sizeof *scheme);
    bool usable;
    assert_non_null(scheme);
    carehub__pharmacy__v1__scheme__init(scheme);
    scheme->complete = true;
    assert_true(scheme_set(&scheme->id, "medication-scheme"));
    assert_true(scheme_set(&scheme->version, version));
    assert_true(scheme_set(&scheme->recorded, recorded));
    assert_true(scheme_add_patient(scheme, "ssin", "00000000097", &usable) && usable);
    return scheme;
}

static Line *add_line(Scheme *scheme, const char *id, const char *cnk, const char *begin)
{
    Line *line = scheme_line();
    assert_non_null(line);
    assert_true(scheme_append(&scheme->lines, &scheme->n_lines, line));
    assert_true(scheme_set(&line->id, id));
    assert_true(scheme_set(&line->begin, begin));
    assert_true(scheme_set(&line->medicine->name, cnk));
    assert_true(scheme_add_code(line->medicine, "cnk", cnk, ""));
    assert_true(scheme_set(&line->posology->text, "one a day"));
    return line;
}

static void add_intake(Line *line, const char *moment, const char *value)
{
    Carehub__V1__Intake *intake = scheme_add_intake(line->posology);
    intake->moment = scheme_coded(MEDICATION_SYSTEM_MOMENT, moment, "");
    intake->quantity = scheme_quantity(value, "{tablet}");
}

static Suspension *suspend(Line *line, bool definitive, const char *begin, const char *end)
{
    Suspension *suspension = scheme_add_suspension(line);
    suspension->definitive = definitive;
    assert_true(scheme_set(&suspension->begin, begin) && scheme_set(&suspension->end, end));
    assert_true(scheme_set(&suspension->reason, "surgery"));
    return suspension;
}

// Two versions, 4 and 5, a month apart, each with one line of the same id.
struct versions {
    Scheme *before, *now;
    Line *was, *is;
};

static struct versions versions(void)
{
    struct versions v = {.before = new_scheme("4", "2024-05-01T10:00:00"),
                         .now = new_scheme("5", "2024-06-01T10:00:00")};
    v.was = add_line(v.before, "7", PANTOMED, "2024-01-01");
    v.is = add_line(v.now, "7", PANTOMED, "2024-01-01");
    return v;
}

// Compares, and frees both.
static struct scheme_result finish(struct versions *v)
{
    struct scheme_result result = scheme_diff(v->before, v->now, NULL, NULL);
    if (v->before != NULL)
        carehub__pharmacy__v1__scheme__free_unpacked(v->before, NULL);
    carehub__pharmacy__v1__scheme__free_unpacked(v->now, NULL);
    return result;
}

static void expect_nothing(struct versions *v, enum scheme_outcome outcome)
{
    struct scheme_result result = finish(v);
    assert_string_equal(scheme_outcome_name(result.outcome), scheme_outcome_name(outcome));
    assert_null(result.body);
    assert_true(result.why[0] != '\0');
}

// The one change that is expected; its body goes to *body.
static Change *expect_change(struct versions *v, int kind, Carehub__V1__MedicationChanged **body)
{
    struct scheme_result result = finish(v);
    assert_int_equal(result.outcome, SCHEME_CHANGED);
    assert_int_equal(result.body->n_changes, 1);
    assert_int_equal(result.body->changes[0]->kind, kind);
    *body = result.body;
    return result.body->changes[0];
}

static void free_body(Carehub__V1__MedicationChanged *body)
{
    carehub__v1__medication_changed__free_unpacked(body, NULL);
}

static void expect_day(const Carehub__V1__Time *time, const char *iso)
{
    Carehub__V1__Time expected = CAREHUB__V1__TIME__INIT;
    assert_true(scheme_time(iso, NULL, NULL, &expected));
    assert_non_null(time);
    assert_int_equal(time->unix_ms, expected.unix_ms);
}

// ---- Versions

static void the_first_version_is_where_comparing_begins(void **state)
{
    (void)state;
    struct versions v = versions();
    carehub__pharmacy__v1__scheme__free_unpacked(v.before, NULL);
    v.before = NULL;
    expect_nothing(&v, SCHEME_FIRST);
}

static void the_same_version_yields_nothing(void **state)
{
    (void)state;
    struct versions v = versions();
    scheme_set(&v.now->version, "4");
    expect_nothing(&v, SCHEME_SAME_VERSION);
}

static void the_same_version_with_other_content_is_pointed_out(void **state)
{
    (void)state;
    struct versions v = versions();
    scheme_set(&v.now->version, "04");
    scheme_set(&v.is->posology->text, "two a day");
    struct scheme_result result = finish(&v);
    assert_int_equal(result.outcome, SCHEME_SAME_VERSION);
    assert_true(result.differs);
}

static void an_older_version_is_refused_with_a_reason(void **state)
{
    (void)state;
    struct versions v = versions();
    scheme_set(&v.before->version, "10");
    scheme_set(&v.now->version, "9");
    expect_nothing(&v, SCHEME_OLDER);
}

static void without_versions_the_time_of_recording_decides(void **state)
{
    (void)state;
    struct versions v = versions();
    scheme_set(&v.before->version, "");
    scheme_set(&v.now->version, "");
    scheme_set(&v.now->recorded, "2024-04-01T10:00:00");
    expect_nothing(&v, SCHEME_OLDER);
}

static void what_differs_at_the_same_time_is_newer(void **state)
{
    (void)state;
    struct versions v = versions();
    scheme_set(&v.before->version, "");
    scheme_set(&v.now->version, "");
    scheme_set(&v.now->recorded, v.before->recorded);
    scheme_set(&v.is->posology->text, "two a day");
    struct scheme_result result = finish(&v);
    assert_int_equal(result.outcome, SCHEME_CHANGED);
    assert_int_equal(result.body->n_changes, 1);
    carehub__v1__medication_changed__free_unpacked(result.body, NULL);
}

static void another_patients_scheme_is_not_compared(void **state)
{
    (void)state;
    struct versions v = versions();
    bool usable;
    carehub__v1__identifier__free_unpacked(v.now->patient[0], NULL);
    v.now->n_patient = 0;
    assert_true(scheme_add_patient(v.now, "ssin", "64110219106", &usable) && usable);
    expect_nothing(&v, SCHEME_OTHER);
}

// ---- What does not matter

static void a_new_version_of_the_same_yields_nothing(void **state)
{
    (void)state;
    struct versions v = versions();
    scheme_set(&v.is->version, "9");
    scheme_set(&v.is->medicine->name, "spelled otherwise");
    expect_nothing(&v, SCHEME_UNCHANGED);
}

static void order_and_spelling_do_not_matter(void **state)
{
    (void)state;
    struct versions v = versions();
    Line *second = add_line(v.before, "8", MARCOUMAR, "2024-02-01");
    Line *second_now = add_line(v.now, "8", MARCOUMAR, "2024-02-01");
    add_intake(second, "MORN", "1");
    add_intake(second, "HS", "0.5");
    add_intake(second_now, "HS", "0.50");
    add_intake(second_now, "MORN", "01.0");
    scheme_set(&v.is->posology->text, "  one   a\nday ");
    Line *swap = v.now->lines[0];
    v.now->lines[0] = v.now->lines[1];
    v.now->lines[1] = swap;
    expect_nothing(&v, SCHEME_UNCHANGED);
}

static void elements_that_share_an_id_are_matched_by_what_they_are(void **state)
{
    (void)state;
    struct versions v = versions();
    add_line(v.before, "7", MARCOUMAR, "2024-02-01");
    add_line(v.now, "7", MARCOUMAR, "2024-02-01");
    Line *swap = v.now->lines[0];
    v.now->lines[0] = v.now->lines[1];
    v.now->lines[1] = swap;
    expect_nothing(&v, SCHEME_UNCHANGED);
}

static void a_code_that_was_added_to_the_same_product_does_not_matter(void **state)
{
    (void)state;
    struct versions v = versions();
    scheme_add_code(v.is->medicine, MEDICATION_SYSTEM_ATC, "A02BC02", "");
    expect_nothing(&v, SCHEME_UNCHANGED);
}

static void without_ids_product_and_begin_say_which_element_it_is(void **state)
{
    (void)state;
    struct versions v = versions();
    Carehub__V1__MedicationChanged *body;
    scheme_set(&v.was->id, "");
    scheme_set(&v.is->id, "");
    scheme_set(&v.is->posology->text, "two a day");
    expect_change(&v, POSOLOGY_CHANGED, &body);
    free_body(body);
}

// ---- The six kinds

static void a_new_element_is_added(void **state)
{
    (void)state;
    struct versions v = versions();
    Carehub__V1__MedicationChanged *body;
    Line *line = add_line(v.now, "8", MARCOUMAR, "2024-06-02");
    scheme_set(&line->end, "2024-07-01");
    Change *change = expect_change(&v, ADDED, &body);
    assert_string_equal(change->line_id, "8");
    assert_string_equal(change->medicine->codes[0]->code, MARCOUMAR);
    assert_string_equal(change->posology->text, "one a day");
    expect_day(change->from, "2024-06-02");
    expect_day(change->until, "2024-07-01");
    assert_int_equal(change->from->precision, CAREHUB__V1__PRECISION__PRECISION_DAY);
    assert_string_equal(body->scheme_id, "medication-scheme");
    assert_string_equal(body->scheme_version, "5");
    assert_string_equal(body->previous_version, "4");
    expect_day(body->at, "2024-06-01T10:00:00");
    free_body(body);
}

static void an_absent_element_is_stopped(void **state)
{
    (void)state;
    struct versions v = versions();
    Carehub__V1__MedicationChanged *body;
    add_line(v.before, "8", MARCOUMAR, "2024-02-01");
    Change *change = expect_change(&v, STOPPED, &body);
    assert_string_equal(change->line_id, "8");
    expect_day(change->from, "2024-06-01T10:00:00");
    free_body(body);
}

static void of_single_lines_the_absent_ones_are_not_stopped(void **state)
{
    (void)state;
    struct versions v = versions();
    add_line(v.before, "8", MARCOUMAR, "2024-02-01");
    v.now->complete = false;
    expect_nothing(&v, SCHEME_UNCHANGED);
}

static void an_element_whose_last_day_passed_is_stopped(void **state)
{
    (void)state;
    struct versions v = versions();
    Carehub__V1__MedicationChanged *body;
    scheme_set(&v.was->end, "2024-05-15");
    scheme_set(&v.is->end, "2024-05-15");
    Change *change = expect_change(&v, STOPPED, &body);
    expect_day(change->from, "2024-05-16");
    free_body(body);
}

static void a_definitive_suspension_stops_with_its_reason(void **state)
{
    (void)state;
    struct versions v = versions();
    Carehub__V1__MedicationChanged *body;
    suspend(v.is, true, "2024-05-20", "");
    Change *change = expect_change(&v, STOPPED, &body);
    assert_string_equal(change->reason, "surgery");
    expect_day(change->from, "2024-05-20");
    assert_null(change->until);
    free_body(body);
}

static void what_was_stopped_for_good_is_not_stopped_again_when_it_goes(void **state)
{
    (void)state;
    struct versions v = versions();
    suspend(add_line(v.before, "8", MARCOUMAR, "2024-02-01"), true, "2024-03-01", "");
    expect_nothing(&v, SCHEME_UNCHANGED);
}

static void a_suspension_suspends_for_its_period(void **state)
{
    (void)state;
    struct versions v = versions();
    Carehub__V1__MedicationChanged *body;
    suspend(v.is, false, "2024-05-30", "2024-06-10");
    Change *change = expect_change(&v, SUSPENDED, &body);
    expect_day(change->from, "2024-05-30");
    expect_day(change->until, "2024-06-10");
    free_body(body);
}

static void a_planned_suspension_is_told_beforehand(void **state)
{
    (void)state;
    struct versions v = versions();
    Carehub__V1__MedicationChanged *body;
    suspend(v.is, false, "2024-06-20", "2024-06-25");
    Change *change = expect_change(&v, SUSPENDED, &body);
    expect_day(change->from, "2024-06-20");
    free_body(body);
}

static void a_suspension_that_was_told_is_not_told_again(void **state)
{
    (void)state;
    struct versions v = versions();
    suspend(v.was, false, "2024-04-20", "");
    suspend(v.is, false, "2024-04-20", "");
    expect_nothing(&v, SCHEME_UNCHANGED);
}

static void an_element_resumes_when_its_suspension_has_gone(void **state)
{
    (void)state;
    struct versions v = versions();
    Carehub__V1__MedicationChanged *body;
    suspend(v.was, false, "2024-04-20", "");
    Change *change = expect_change(&v, RESUMED, &body);
    expect_day(change->from, "2024-06-01T10:00:00");
    assert_non_null(change->posology);
    free_body(body);
}

static void an_element_resumes_when_its_suspension_has_passed(void **state)
{
    (void)state;
    struct versions v = versions();
    Carehub__V1__MedicationChanged *body;
    suspend(v.was, false, "2024-04-20", "2024-05-10");
    suspend(v.is, false, "2024-04-20", "2024-05-10");
    Change *change = expect_change(&v, RESUMED, &body);
    expect_day(change->from, "2024-05-11");
    free_body(body);
}

static void a_planned_stop_that_is_called_off_resumes(void **state)
{
    (void)state;
    struct versions v = versions();
    Carehub__V1__MedicationChanged *body;
    suspend(v.was, true, "2024-06-20", "");
    expect_change(&v, RESUMED, &body);
    free_body(body);
}

static void another_code_is_another_product(void **state)
{
    (void)state;
    struct versions v = versions();
    Carehub__V1__MedicationChanged *body;
    scheme_set(&v.is->medicine->codes[0]->code, CRESTOR);
    Change *change = expect_change(&v, PRODUCT_CHANGED, &body);
    assert_string_equal(change->medicine->codes[0]->code, CRESTOR);
    assert_string_equal(change->previous_medicine->codes[0]->code, PANTOMED);
    free_body(body);
}

static void a_preparation_is_known_by_its_name(void **state)
{
    (void)state;
    struct versions v = versions();
    Carehub__V1__MedicationChanged *body;
    Line *both[] = {v.was, v.is};
    for (size_t i = 0; i < 2; i++) {
        scheme_set(&both[i]->medicine->codes[0]->system, MEDICATION_SYSTEM_TYPE);
        scheme_set(&both[i]->medicine->codes[0]->code, MEDICATION_TYPE_MAGISTRAL);
    }
    scheme_set(&v.is->medicine->name, "another ointment");
    expect_change(&v, PRODUCT_CHANGED, &body);
    free_body(body);
}

static void another_posology_is_told_with_the_one_before(void **state)
{
    static const char *const what[] = {"text", "intake", "quantity", "frequency", "route", "begin", "end"};
    (void)state;
    for (size_t i = 0; i < sizeof what / sizeof what[0]; i++) {
        struct versions v = versions();
        Carehub__V1__MedicationChanged *body;
        add_intake(v.was, "MORN", "1");
        add_intake(v.is, "MORN", i == 2 ? "1.5" : "1");
        if (i == 0)
            scheme_set(&v.is->posology->text, "two a day");
        if (i == 1)
            add_intake(v.is, "HS", "1");
        if (i == 3)
            v.is->posology->frequency = scheme_coded(MEDICATION_SYSTEM_UCUM, "1/(2.d)", "");
        if (i == 4)
            v.is->posology->route = scheme_coded("CD-DRUG-ROUTE", "00060", "");
        if (i >= 5)
            scheme_set(i == 5 ? &v.is->begin : &v.is->end, "2024-09-09");
        print_message("%s\n", what[i]);
        Change *change = expect_change(&v, POSOLOGY_CHANGED, &body);
        assert_non_null(change->posology);
        assert_non_null(change->previous_posology);
        free_body(body);
    }
}

static void single_lines_tell_what_they_say_themselves(void **state)
{
    static const struct {
        Carehub__Pharmacy__V1__Line__State state;
        int kind;
    } cases[] = {
        {CAREHUB__PHARMACY__V1__LINE__STATE__ACTIVE, ADDED},
        {CAREHUB__PHARMACY__V1__LINE__STATE__STOPPED, STOPPED},
        {CAREHUB__PHARMACY__V1__LINE__STATE__SUSPENDED, SUSPENDED},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct versions v = versions();
        Carehub__V1__MedicationChanged *body;
        carehub__pharmacy__v1__scheme__free_unpacked(v.before, NULL);
        v.before = NULL;
        v.now->complete = false;
        v.is->state = cases[i].state;
        expect_change(&v, cases[i].kind, &body);
        free_body(body);
    }
}

static void a_body_that_would_be_too_large_leaves_out_regimens_and_says_so(void **state)
{
    (void)state;
    struct versions v = versions();
    for (int i = 0; i < 100; i++) {
        char id[16];
        snprintf(id, sizeof id, "n%d", i);
        Line *line = add_line(v.now, id, MARCOUMAR, "2024-05-05");
        for (int n = 0; n < 40; n++)
            add_intake(line, "MORN", "1.25");
    }
    struct scheme_result result = finish(&v);
    assert_int_equal(result.outcome, SCHEME_CHANGED);
    assert_int_equal(result.body->n_changes, 100);
    assert_true(carehub__v1__medication_changed__get_packed_size(result.body) <= SCHEME_BODY_MAX_BYTES);
    assert_true(result.body->note[0] != '\0');
    assert_int_equal(result.body->changes[99]->posology->n_regimen, 0);
    free_body(result.body);
}

// ---- Dates, vocabularies

static int32_t brussels(const void *arg, int64_t unix_s)
{
    (void)arg;
    return unix_s >= 1711846800 ? 120 : 60; // summer time since 2024-03-31T01:00Z
}

static void times_are_read_as_they_are_written(void **state)
{
    static const struct {
        const char *iso;
        bool good;
        int64_t unix_ms;
        int offset, precision;
    } cases[] = {
        {"2024", true, 1704067200000 - 3600000, 60, CAREHUB__V1__PRECISION__PRECISION_YEAR},
        {"2024-02", true, 1706745600000 - 3600000, 60, CAREHUB__V1__PRECISION__PRECISION_MONTH},
        {"2024-02-29", true, 1709164800000 - 3600000, 60, CAREHUB__V1__PRECISION__PRECISION_DAY},
        {"2024-07-01", true, 1719792000000 - 7200000, 120, CAREHUB__V1__PRECISION__PRECISION_DAY},
        {"2024-07-01Z", true, 1719792000000, 0, CAREHUB__V1__PRECISION__PRECISION_DAY},
        {"2024-07-01T12:30", true, 1719837000000 - 7200000, 120, CAREHUB__V1__PRECISION__PRECISION_MINUTE},
        {"2024-07-01T12:30:15.250-05:00", true, 1719837015000 + 18000000, -300,
         CAREHUB__V1__PRECISION__PRECISION_SECOND},
        {"1969-12-31T23:59:59Z", true, -1000, 0, CAREHUB__V1__PRECISION__PRECISION_SECOND},
        {"2023-02-29", false, 0, 0, 0},
        {"2024-13-01", false, 0, 0, 0},
        {"2024-07-01T25:00", false, 0, 0, 0},
        {"2024-07-01T12:30:15+15:00", false, 0, 0, 0},
        {"24-07-01", false, 0, 0, 0},
        {"2024-07-01 12:30", false, 0, 0, 0},
        {"", false, 0, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Carehub__V1__Time time = CAREHUB__V1__TIME__INIT;
        print_message("%s\n", cases[i].iso);
        assert_int_equal(scheme_time(cases[i].iso, brussels, NULL, &time), cases[i].good);
        assert_true(time.unix_ms == cases[i].unix_ms);
        assert_int_equal(time.offset_minutes, cases[i].offset);
        assert_int_equal(time.precision, cases[i].precision);
    }
}

static void a_duration_comes_to_its_last_day(void **state)
{
    static const struct {
        const char *begin, *duration, *unit, *last;
    } cases[] = {
        {"2024-02-27", "5", "d", "2024-03-02"},
        {"2024-02-27", "1", "d", "2024-02-27"},
        {"2024-02-27", "2.0", "wk", "2024-03-11"},
        {"2024-01-15", "1", "mo", "2024-02-14"},
        {"2023-12-31", "2", "mo", "2024-02-28"},
        {"2024-02-29", "1", "a", "2025-02-27"},
        {"2024-02-27", "0", "d", NULL},
        {"2024-02-27", "1.5", "d", NULL},
        {"2024-02-27", "3", "hr", NULL},
        {"2024-02-27", "-3", "d", NULL},
        {"", "3", "d", NULL},
        {"9999-12-31", "3660", "wk", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char last[11] = "";
        print_message("%s %s %s\n", cases[i].begin, cases[i].duration, cases[i].unit);
        assert_int_equal(scheme_last_day(cases[i].begin, cases[i].duration, cases[i].unit, last),
                         cases[i].last != NULL);
        if (cases[i].last != NULL)
            assert_string_equal(last, cases[i].last);
    }
}

static void frequencies_are_written_as_ucum(void **state)
{
    static const struct {
        const char *times, *period, *unit, *ucum;
    } cases[] = {
        {"1", "1", "d", "1/d"},   {"3", "1", "d", "3/d"}, {"1", "2", "wk", "1/(2.wk)"}, {"1", "0.5", "a", "2/a"},
        {"2", "1.0", "d", "2/d"}, {"1", "1", "x", NULL},  {"1", "1.5", "d", NULL},      {"0", "1", "d", NULL},
    };
    char out[MEDICATION_CODE_BYTES];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool done = medication_frequency(cases[i].times, cases[i].period, cases[i].unit, out);
        assert_int_equal(done, cases[i].ucum != NULL);
        if (done)
            assert_string_equal(out, cases[i].ucum);
    }
    assert_true(medication_periodicity("DT", out));
    assert_string_equal(out, "1/(2.d)");
    assert_true(medication_periodicity("UH", out));
    assert_string_equal(out, "2/h");
    assert_false(medication_periodicity("ondemand", out));
}

static void units_of_both_vocabularies_come_to_the_same(void **state)
{
    char a[MEDICATION_UNIT_BYTES], b[MEDICATION_UNIT_BYTES];
    (void)state;
    medication_unit_kmehr("00005", a);
    medication_unit_fhir(MEDICATION_SYSTEM_SNOMED, "336624003", "tablet", b);
    assert_string_equal(a, "{tablet}");
    assert_string_equal(a, b);
    medication_unit_kmehr("00024", a);
    medication_unit_fhir(MEDICATION_SYSTEM_SNOMED, "429671000", "", b);
    assert_string_equal(a, "http://snomed.info/sct|429671000");
    assert_string_equal(a, b);
    medication_unit_kmehr("bandage", a);
    assert_string_equal(a, "CD-ADMINISTRATIONUNIT|bandage");
    medication_unit_fhir("", "", "spoon", b);
    assert_string_equal(b, "spoon");
}

static void long_texts_are_cut_at_a_character(void **state)
{
    char long_text[3 * SCHEME_TEXT_MAX_BYTES], *field = (char *)protobuf_c_empty_string;
    (void)state;
    for (size_t i = 0; i + 2 < sizeof long_text; i += 2)
        memcpy(long_text + i, "\xC3\xA9", 3);
    assert_true(scheme_set(&field, long_text));
    size_t len = strlen(field);
    assert_true(len <= SCHEME_TEXT_MAX_BYTES && len > SCHEME_TEXT_MAX_BYTES - 8);
    assert_string_equal(field + len - 5, "\xC3\xA9\xE2\x80\xA6");
    assert_true(scheme_set(&field, "  a\x01z \n"));
    assert_string_equal(field, "a z");
    assert_true(scheme_add_text(&field, "b") && scheme_add_text(&field, "a z") && scheme_add_text(&field, ""));
    assert_string_equal(field, "a z\nb");
    free(field);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_version_is_where_comparing_begins),
        cmocka_unit_test(the_same_version_yields_nothing),
        cmocka_unit_test(the_same_version_with_other_content_is_pointed_out),
        cmocka_unit_test(an_older_version_is_refused_with_a_reason),
        cmocka_unit_test(without_versions_the_time_of_recording_decides),
        cmocka_unit_test(what_differs_at_the_same_time_is_newer),
        cmocka_unit_test(another_patients_scheme_is_not_compared),
        cmocka_unit_test(a_new_version_of_the_same_yields_nothing),
        cmocka_unit_test(order_and_spelling_do_not_matter),
        cmocka_unit_test(elements_that_share_an_id_are_matched_by_what_they_are),
        cmocka_unit_test(a_code_that_was_added_to_the_same_product_does_not_matter),
        cmocka_unit_test(without_ids_product_and_begin_say_which_element_it_is),
        cmocka_unit_test(a_new_element_is_added),
        cmocka_unit_test(an_absent_element_is_stopped),
        cmocka_unit_test(of_single_lines_the_absent_ones_are_not_stopped),
        cmocka_unit_test(an_element_whose_last_day_passed_is_stopped),
        cmocka_unit_test(a_definitive_suspension_stops_with_its_reason),
        cmocka_unit_test(what_was_stopped_for_good_is_not_stopped_again_when_it_goes),
        cmocka_unit_test(a_suspension_suspends_for_its_period),
        cmocka_unit_test(a_planned_suspension_is_told_beforehand),
        cmocka_unit_test(a_suspension_that_was_told_is_not_told_again),
        cmocka_unit_test(an_element_resumes_when_its_suspension_has_gone),
        cmocka_unit_test(an_element_resumes_when_its_suspension_has_passed),
        cmocka_unit_test(a_planned_stop_that_is_called_off_resumes),
        cmocka_unit_test(another_code_is_another_product),
        cmocka_unit_test(a_preparation_is_known_by_its_name),
        cmocka_unit_test(another_posology_is_told_with_the_one_before),
        cmocka_unit_test(single_lines_tell_what_they_say_themselves),
        cmocka_unit_test(a_body_that_would_be_too_large_leaves_out_regimens_and_says_so),
        cmocka_unit_test(times_are_read_as_they_are_written),
        cmocka_unit_test(a_duration_comes_to_its_last_day),
        cmocka_unit_test(frequencies_are_written_as_ucum),
        cmocka_unit_test(units_of_both_vocabularies_come_to_the_same),
        cmocka_unit_test(long_texts_are_cut_at_a_character),
    };
    return cmocka_run_group_tests_name("scheme", tests, NULL, NULL);
}
