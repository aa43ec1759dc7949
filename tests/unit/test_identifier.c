#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "identifier.h"

#define FHIR_BE "https://www.ehealth.fgov.be/standards/fhir/"
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

// All numbers here are made up; their check digits were computed apart from the code.

static void ssin_tells_birth_date_century_and_sex(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        int year, month, day;
        enum identifier_sex sex;
        bool bis;
    } cases[] = {
        {"85073003328", 1985, 7, 30, IDENTIFIER_SEX_MALE, false},
        {"00022900244", 2000, 2, 29, IDENTIFIER_SEX_FEMALE, false}, // 2000 was a leap year
        {"04022900528", 2004, 2, 29, IDENTIFIER_SEX_MALE, false},
        {"00012556777", 2000, 1, 25, IDENTIFIER_SEX_MALE, false}, // the worked example of the source
        {"85473000446", 1985, 7, 30, IDENTIFIER_SEX_FEMALE, true},
        {"85273000403", 1985, 7, 30, IDENTIFIER_SEX_UNKNOWN, true},
        {"85000000138", 1985, 0, 0, IDENTIFIER_SEX_MALE, false}, // only the year is known
        {"85000100108", 1985, 0, 0, IDENTIFIER_SEX_MALE, false}, // the same; the day counts
        {"85070000286", 1985, 7, 0, IDENTIFIER_SEX_FEMALE, false},
        {"85400000325", 1985, 0, 0, IDENTIFIER_SEX_MALE, true},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct identifier id;
        assert_int_equal(identifier_check("ssin", cases[i].value, &id), IDENTIFIER_VALID);
        assert_string_equal(id.value, cases[i].value);
        assert_int_equal(id.ssin.birth_year, cases[i].year);
        assert_int_equal(id.ssin.birth_month, cases[i].month);
        assert_int_equal(id.ssin.birth_day, cases[i].day);
        assert_int_equal(id.ssin.sex, cases[i].sex);
        assert_int_equal(id.ssin.bis, cases[i].bis);
    }
}

static void ssin_is_refused_with_the_reason(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        enum identifier_status status;
    } cases[] = {
        {"", IDENTIFIER_NO_VALUE},
        {" . - ", IDENTIFIER_NO_VALUE},
        {"8507300332", IDENTIFIER_LENGTH},
        {"850730033280", IDENTIFIER_LENGTH},
        {"8507300x328", IDENTIFIER_NOT_DIGITS},
        {"90010100101", IDENTIFIER_CHECK_DIGITS}, // dummies that are seen in practice
        {"98765432101", IDENTIFIER_CHECK_DIGITS},
        {"99999999999", IDENTIFIER_CHECK_DIGITS},
        {"87990949113", IDENTIFIER_DATE}, // month 99, with check digits that fit
        {"85023100390", IDENTIFIER_DATE},
        {"85073200395", IDENTIFIER_DATE},
        {"00022900116", IDENTIFIER_DATE}, // 1900 was no leap year
        {"01022900533", IDENTIFIER_DATE},
        {"85133000105", IDENTIFIER_DATE},
        {"85333000148", IDENTIFIER_DATE}, // BIS, month 13
        {"85533000191", IDENTIFIER_DATE},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct identifier id;
        enum identifier_status status = identifier_check("ssin", cases[i].value, &id);
        assert_int_equal(status, cases[i].status);
        assert_false(identifier_usable(status));
        assert_int_equal(id.ssin.birth_year, 0);
    }
}

// Any one wrong digit is found, as 97 is prime and larger than the base.
static void ssin_with_any_one_digit_changed_is_refused(void **state)
{
    (void)state;
    static const char right[] = "85073003328";
    struct identifier id;

    for (size_t at = 0; at < strlen(right); at++) {
        for (char digit = '0'; digit <= '9'; digit++) {
            char value[sizeof right];
            strcpy(value, right);
            value[at] = digit;
            // The formula of the other century may hold by chance; then the birth year shows it.
            bool usable = identifier_usable(identifier_check_ssin(value, &id));
            assert_true(!usable || digit == right[at] || id.ssin.birth_year >= 2000);
        }
    }
}

static void nihdi_takes_three_moduli_and_only_warns_of_others(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        enum identifier_status status;
    } cases[] = {
        {"11234578004", IDENTIFIER_VALID},
        {"11234562004", IDENTIFIER_VALID},
        {"11234572004", IDENTIFIER_VALID},
        {"71234523", IDENTIFIER_VALID}, // an institution
        {"12345678901", IDENTIFIER_CHECK_DIGITS_WARNING},
        {"99999999999", IDENTIFIER_CHECK_DIGITS_WARNING},
        {"123456789", IDENTIFIER_LENGTH},
        {"1234567890A", IDENTIFIER_NOT_DIGITS},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct identifier id;
        enum identifier_status status = identifier_check("nihdi", cases[i].value, &id);
        assert_int_equal(status, cases[i].status);
        assert_int_equal(identifier_usable(status), status <= IDENTIFIER_CHECK_DIGITS_WARNING);
    }
}

static void cbe_and_cnk_check_digits_are_verified(void **state)
{
    (void)state;
    static const struct {
        const char *system, *value, *normal;
        enum identifier_status status;
    } cases[] = {
        {"cbe", "0566988259", "0566988259", IDENTIFIER_VALID},
        {"cbe", "0566.988.259", "0566988259", IDENTIFIER_VALID},
        {"cbe", "0566988258", NULL, IDENTIFIER_CHECK_DIGITS},
        {"cbe", "566988259", NULL, IDENTIFIER_LENGTH},
        {"cbe", "BE0566988259", NULL, IDENTIFIER_NOT_DIGITS},
        {"cnk", "2698769", "2698769", IDENTIFIER_VALID},
        {"cnk", "2698-769", "2698769", IDENTIFIER_VALID},
        {"cnk", "12344", "0012344", IDENTIFIER_VALID}, // leading zeros may be missing
        {"cnk", "2698761", NULL, IDENTIFIER_CHECK_DIGITS},
        {"cnk", "0000000", NULL, IDENTIFIER_CHECK_DIGITS},
        {"cnk", "12345678", NULL, IDENTIFIER_LENGTH},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct identifier id;
        assert_int_equal(identifier_check(cases[i].system, cases[i].value, &id), cases[i].status);
        if (cases[i].normal)
            assert_string_equal(id.value, cases[i].normal);
    }
}

static void separators_that_people_write_are_dropped(void **state)
{
    (void)state;
    struct identifier id;
    assert_int_equal(identifier_check("ssin", "85.07.30 - 033.28", &id), IDENTIFIER_VALID);
    assert_string_equal(id.value, "85073003328");
}

static void systems_are_known_by_name_url_and_oid(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum identifier_system system;
    } cases[] = {
        {"ssin", IDENTIFIER_SSIN},
        {"SSIN", IDENTIFIER_SSIN},
        {FHIR_BE "core/NamingSystem/ssin", IDENTIFIER_SSIN},
        {"2.16.840.1.113883.3.6777.5.1", IDENTIFIER_SSIN},
        {"urn:oid:2.16.840.1.113883.3.6777.5.1", IDENTIFIER_SSIN},
        {FHIR_BE "core/NamingSystem/nihdi-professional", IDENTIFIER_NIHDI},
        {FHIR_BE "core/NamingSystem/nihdi-organization", IDENTIFIER_NIHDI},
        {"urn:oid:2.16.840.1.113883.3.6777.5.5", IDENTIFIER_CBE},
        {FHIR_BE "medication/NamingSystem/cnk-codes", IDENTIFIER_CNK},
        {FHIR_BE "NamingSystem/cnk-codes", IDENTIFIER_CNK},
        {"ehp", IDENTIFIER_EHP},
        {"", IDENTIFIER_OTHER},
        {"urn:oid:", IDENTIFIER_OTHER},
        {"ssin ", IDENTIFIER_OTHER},
        {"urn:oid:2.16.840.1.113883.3.6777.5.9", IDENTIFIER_OTHER},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(identifier_system_find(cases[i].text), cases[i].system);
    for (int s = IDENTIFIER_OTHER + 1; s < IDENTIFIER_SYSTEM_COUNT; s++) {
        enum identifier_system system = (enum identifier_system)s;
        assert_int_equal(identifier_system_find(identifier_system_name(system)), system);
        assert_int_equal(identifier_system_find(identifier_system_url(system)), system);
        if (identifier_system_oid(system))
            assert_int_equal(identifier_system_find(identifier_system_oid(system)), system);
    }
    assert_null(identifier_system_name(IDENTIFIER_OTHER));
}

static void ours_are_kept_by_name_and_others_as_they_are(void **state)
{
    (void)state;
    char kept[IDENTIFIER_SYSTEM_CHARS];
    assert_true(identifier_system_normalise(FHIR_BE "core/NamingSystem/ssin", kept));
    assert_string_equal(kept, "ssin");
    assert_true(identifier_system_normalise("urn:oid:1.2.3.4", kept));
    assert_string_equal(kept, "urn:oid:1.2.3.4");
}

static void unknown_system_passes_within_bounds_only(void **state)
{
    (void)state;
    struct identifier id;
    char longest[IDENTIFIER_SYSTEM_CHARS + 1];

    assert_int_equal(identifier_check("urn:hospital:az", "PAT 00.12-é", &id), IDENTIFIER_UNCHECKED);
    assert_string_equal(id.value, "PAT 00.12-é");
    assert_int_equal(id.system, IDENTIFIER_OTHER);
    assert_int_equal(identifier_check("ehp", "1990001916", &id), IDENTIFIER_UNCHECKED);
    assert_int_equal(id.system, IDENTIFIER_EHP);

    assert_int_equal(identifier_check("", "1", &id), IDENTIFIER_NO_SYSTEM);
    assert_int_equal(identifier_check("a\nb", "1", &id), IDENTIFIER_NO_SYSTEM);
    assert_int_equal(identifier_check("urn:x", "", &id), IDENTIFIER_NO_VALUE);
    assert_int_equal(identifier_check("urn:x", "a\x7f", &id), IDENTIFIER_BAD_VALUE);
    assert_int_equal(identifier_check("urn:x", "\xff", &id), IDENTIFIER_BAD_VALUE);
    memset(longest, '1', sizeof longest);
    longest[IDENTIFIER_SYSTEM_CHARS] = '\0';
    assert_int_equal(identifier_check(longest, "1", &id), IDENTIFIER_NO_SYSTEM);
    assert_int_equal(identifier_check(longest + 1, "1", &id), IDENTIFIER_UNCHECKED);
    assert_int_equal(identifier_check("ssin", longest, &id), IDENTIFIER_BAD_VALUE);
    longest[IDENTIFIER_VALUE_CHARS] = '\0';
    assert_int_equal(identifier_check("urn:x", longest, &id), IDENTIFIER_BAD_VALUE);
    assert_int_equal(identifier_check("urn:x", longest + 1, &id), IDENTIFIER_UNCHECKED);
}

static void every_status_has_a_name_and_a_text(void **state)
{
    (void)state;
    for (int s = IDENTIFIER_VALID; s <= IDENTIFIER_DATE; s++) {
        assert_true(strlen(identifier_status_name((enum identifier_status)s)) > 0);
        assert_true(strlen(identifier_status_text((enum identifier_status)s)) > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ssin_tells_birth_date_century_and_sex),
        cmocka_unit_test(ssin_is_refused_with_the_reason),
        cmocka_unit_test(ssin_with_any_one_digit_changed_is_refused),
        cmocka_unit_test(nihdi_takes_three_moduli_and_only_warns_of_others),
        cmocka_unit_test(cbe_and_cnk_check_digits_are_verified),
        cmocka_unit_test(separators_that_people_write_are_dropped),
        cmocka_unit_test(systems_are_known_by_name_url_and_oid),
        cmocka_unit_test(ours_are_kept_by_name_and_others_as_they_are),
        cmocka_unit_test(unknown_system_passes_within_bounds_only),
        cmocka_unit_test(every_status_has_a_name_and_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
