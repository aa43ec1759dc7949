#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "route/policy.h"
#include "hub_limits.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define TYPE(name) CAREHUB__V1__EVENT_TYPE__##name
#define LEVEL(name) CAREHUB__V1__LEVEL__##name

/* ---- Texts ------------------------------------------------------------------------------------------------------ */

/* A whole policy: `head` (all before the matrix), then the matrix with `row` for HospitalDischarge. */
static size_t policy_text(char *text, size_t size, const char *head, const char *row)
{
    size_t n = (size_t)snprintf(text, size, "%smatrix\n", head);
    for (int type = 1; type <= EVENT_TYPE_MAX; type++)
        n += (size_t)snprintf(text + n, size - n, "    %s\n%s", event_type_name((Carehub__V1__EventType)type),
                              type == TYPE(HOSPITAL_DISCHARGE) ? row : "");
    return n;
}

#define HEAD "policy\n    name = test\nroles\n    gp\n    insurer\nafter-death\n    PatientDeceased\n"

static struct policy *read_row(const char *row, char error[POLICY_ERROR_BYTES])
{
    char text[4096];
    return policy_read(text, policy_text(text, sizeof text, HEAD, row), error);
}

static void refused(struct policy *policy, const char *error, const char *expected)
{
    assert_null(policy);
    if (!strstr(error, expected))
        fail_msg("the error is \"%s\"; it should say \"%s\"", error, expected);
}

/* ---- What a file says ------------------------------------------------------------------------------------------- */

static void a_cell_says_what_the_file_says(void **state)
{
    (void)state;
    static const struct {
        const char *row;
        struct policy_cell cell;
    } cases[] = {
        {"", {.level = 0}},
        {"        gp = none\n", {.level = 0}},
        {"        gp = administrative\n", {.level = 1}},
        {"        gp = care # why\n", {.level = 2}},
        {"        gp = \"clinical\"\n", {.level = 3}},
        {"        gp = care, by relation\n", {.level = 2, .by_relation = true}},
        {"        gp = care,restricted ,  personal\n", {.level = 2, .restricted = true, .personal = true}},
        {"        gp = clinical, personal, restricted, by relation\r\n",
         {.level = 3, .by_relation = true, .restricted = true, .personal = true}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char error[POLICY_ERROR_BYTES];
        struct policy *policy = read_row(cases[i].row, error);
        if (!policy)
            fail_msg("%s: %s", cases[i].row, error);
        const struct policy_cell *cell = policy_cell(policy, policy_role(policy, "gp"), TYPE(HOSPITAL_DISCHARGE));
        assert_int_equal(cell->level, cases[i].cell.level);
        assert_int_equal(cell->by_relation, cases[i].cell.by_relation);
        assert_int_equal(cell->restricted, cases[i].cell.restricted);
        assert_int_equal(cell->personal, cases[i].cell.personal);
        assert_int_equal(policy_any_by_relation(policy, TYPE(HOSPITAL_DISCHARGE)), cases[i].cell.by_relation);
        assert_false(policy_any_by_relation(policy, TYPE(FALL_REPORTED)));
        policy_destroy(&policy);
        assert_null(policy);
    }
}

static void what_does_not_exist_has_nothing(void **state)
{
    (void)state;
    char error[POLICY_ERROR_BYTES];
    struct policy *policy = read_row("        gp = clinical\n", error);
    int gp = policy_role(policy, "gp");
    assert_int_equal(policy_role(policy, ""), POLICY_ROLE_UNKNOWN);
    assert_int_equal(policy_role(policy, "GP"), POLICY_ROLE_UNKNOWN);
    assert_int_equal(policy_role(policy, "g"), POLICY_ROLE_UNKNOWN);
    assert_null(policy_role_name(policy, -1));
    assert_null(policy_role_name(policy, 2));
    assert_string_equal(policy_role_name(policy, gp), "gp");
    const int types[] = {-1, 0, EVENT_TYPE_MAX + 1, 32, 64 + 2};
    for (size_t i = 0; i < COUNT(types); i++) {
        assert_int_equal(policy_cell(policy, gp, (Carehub__V1__EventType)types[i])->level, 0);
        assert_false(policy_after_death(policy, (Carehub__V1__EventType)types[i]));
        assert_false(policy_any_by_relation(policy, (Carehub__V1__EventType)types[i]));
    }
    assert_int_equal(policy_cell(policy, POLICY_ROLE_UNKNOWN, TYPE(HOSPITAL_DISCHARGE))->level, 0);
    assert_int_equal(policy_cell(policy, POLICY_ROLES_MAX, TYPE(HOSPITAL_DISCHARGE))->level, 0);
    policy_destroy(&policy);
}

static void header_and_after_death_are_read(void **state)
{
    (void)state;
    char error[POLICY_ERROR_BYTES], text[4096];
    struct policy *policy = read_row("", error);
    assert_string_equal(policy_name(policy), "test");
    assert_true(policy_hold_ms(policy) == HELD_DEADLINE_MS);
    assert_true(policy_after_death(policy, TYPE(PATIENT_DECEASED)));
    assert_false(policy_after_death(policy, TYPE(HOSPITAL_DISCHARGE)));
    policy_destroy(&policy);
    size_t n =
        policy_text(text, sizeof text, "policy\n    name = t\n    hold-days = 3\nroles\n    gp\nafter-death\n", "");
    policy = policy_read(text, n, error);
    assert_non_null(policy);
    assert_true(policy_hold_ms(policy) == 3 * DAY_MS);
    assert_false(policy_after_death(policy, TYPE(PATIENT_DECEASED)));
    policy_destroy(&policy);
}

static void sixty_four_roles_fit_and_are_told_apart(void **state)
{
    (void)state;
    char head[8192], text[16384], error[POLICY_ERROR_BYTES], role[NAME_MAX_BYTES + 1];
    for (int roles = POLICY_ROLES_MAX; roles <= POLICY_ROLES_MAX + 1; roles++) {
        size_t n = (size_t)snprintf(head, sizeof head, "policy\n    name = t\nafter-death\nroles\n");
        for (int i = 0; i < roles; i++)
            n += (size_t)snprintf(head + n, sizeof head - n, "    role-%d\n", i);
        struct policy *policy = policy_read(text, policy_text(text, sizeof text, head, ""), error);
        if (roles > POLICY_ROLES_MAX) {
            refused(policy, error, "roles/role-64: too many roles: at most 64");
            break;
        }
        for (int i = 0; i < roles; i++) {
            snprintf(role, sizeof role, "role-%d", i);
            assert_int_equal(policy_role(policy, role), i);
        }
        policy_destroy(&policy);
    }
}

/* ---- What is refused -------------------------------------------------------------------------------------------- */

static void a_bad_cell_or_row_is_refused_by_its_path(void **state)
{
    (void)state;
    static const struct {
        const char *row;
        const char *error;
    } cases[] = {
        {"        gp = clincal\n", "matrix/HospitalDischarge/gp: 'clincal' is not a cell: use none, "
                                   "administrative, care or clinical, with 'by "
                                   "relation', 'restricted', 'personal' behind it"},
        {"        gp\n", "matrix/HospitalDischarge/gp: '' is not a cell"},
        {"        gp = care,\n", "gp: 'care,' is not a cell"},
        {"        gp = care, care\n", "is not a cell"},
        {"        gp = care personal\n", "is not a cell"},
        {"        gp = personal\n", "is not a cell"},
        {"        gp = none, personal\n", "(behind none: nothing)"},
        {"        gp = care, personal, personal\n", "is not a cell"},
        {"        gp = Clinical\n", "is not a cell"},
        {"        nurse = care\n",
         "matrix/HospitalDischarge/nurse: role 'nurse' is not declared: add it under 'roles'"},
        {"        gp = care\n        gp = none\n", "matrix/HospitalDischarge/gp: there twice"},
        {"    HospitalDischarge\n", "matrix/HospitalDischarge: there twice"},
        {"    HOSPITAL_DISCHARGE\n", "matrix/HOSPITAL_DISCHARGE: there twice"},
        {"    HospitalDischrage\n", "matrix/HospitalDischrage: not an event type"},
        {"    EVENT_TYPE_UNSPECIFIED\n", "matrix/EVENT_TYPE_UNSPECIFIED: not an event type"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char error[POLICY_ERROR_BYTES];
        refused(read_row(cases[i].row, error), error, cases[i].error);
    }
}

static void a_bad_section_is_refused_by_its_path(void **state)
{
    (void)state;
    static const struct {
        const char *head;
        const char *error;
    } cases[] = {
        {"", "policy: this section is missing"},
        {"policy\n    name = t\nafter-death\n", "roles: this section is missing"},
        {"policy\n    name = t\nafter-death\nroles\n", "roles: empty"},
        {HEAD "roles\n    gp\n", "roles: this section is there twice"},
        {HEAD "colour = blue\n", "colour: unknown section: use policy, roles, after-death and matrix"},
        {"policy = t\nroles\n    gp\nafter-death\n", "policy: a section takes no value"},
        {"policy\nroles\n    gp\nafter-death\n", "policy/name: missing"},
        {"policy\n    name = \"A b\"\nroles\n    gp\nafter-death\n", "policy/name: 'A b' is not a name"},
        {"policy\n    name = a\n    name = b\nroles\n    gp\nafter-death\n", "policy/name: unknown, or there twice"},
        {"policy\n    name = a\n    owner = b\nroles\n    gp\nafter-death\n", "policy/owner: unknown"},
        {"policy\n    name = a\n    hold-days = 0\nroles\n    gp\nafter-death\n", "policy/hold-days: '0' is not"},
        {"policy\n    name = a\n    hold-days = 366\nroles\n    gp\nafter-death\n", "use 1 to 365"},
        {"policy\n    name = a\n    hold-days = 7d\nroles\n    gp\nafter-death\n", "'7d' is not a number of days"},
        {"policy\n    name = a\n    report-names = all\nroles\n    gp\nafter-death\n",
         "policy/report-names: 'all' is not known"},
        {"policy\n    name = a\n        b = c\nroles\n    gp\nafter-death\n",
         "policy/name: nothing may stand below it"},
        {"policy\n    name = a\nroles\n    gp = doctor\nafter-death\n", "roles/gp: takes no value"},
        {"policy\n    name = a\nroles\n    gp\n        x\nafter-death\n", "roles/gp: nothing may stand below it"},
        {"policy\n    name = a\nroles\n    GP\nafter-death\n", "roles/GP: not a role's name"},
        {"policy\n    name = a\nroles\n    gp\n    gp\nafter-death\n", "roles/gp: declared twice"},
        {"policy\n    name = a\nroles\n    gp\nafter-death\n    Death\n", "after-death/Death: not an event type"},
        {"policy\n    name = a\nroles\n    gp\nafter-death\n    FallReported\n    FallReported\n",
         "after-death/FallReported: there twice"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[4096], error[POLICY_ERROR_BYTES];
        size_t n = policy_text(text, sizeof text, cases[i].head, "");
        refused(policy_read(text, n, error), error, cases[i].error);
    }
}

enum { TYPES_OBLIGATORY = 25 };

static void policy_made_before_a_type_existed_gives_it_to_nobody(void **state)
{
    (void)state;
    static const char row[] = "    EmergencyAccessUsed\n";
    char text[4096], error[POLICY_ERROR_BYTES];
    size_t n = policy_text(text, sizeof text, HEAD, "");
    char *at = strstr(strstr(text, "matrix"), row);
    memmove(at, at + strlen(row), n - (size_t)(at - text) - strlen(row));
    struct policy *policy = policy_read(text, n - strlen(row), error);
    assert_non_null(policy);
    assert_int_equal(policy_cell(policy, 0, TYPE(EMERGENCY_ACCESS_USED))->level, 0);
    policy_destroy(&policy);
}

static void a_type_without_a_row_is_refused(void **state)
{
    (void)state;
    char text[4096], error[POLICY_ERROR_BYTES];
    for (int type = 1; type <= TYPES_OBLIGATORY; type++) {
        char row[80], expected[120];
        size_t n = policy_text(text, sizeof text, HEAD, "");
        const char *name = event_type_name((Carehub__V1__EventType)type);
        snprintf(row, sizeof row, "    %s\n", name);
        char *at = strstr(strstr(text, "matrix"), row);
        memmove(at, at + strlen(row), n - (size_t)(at - text) - strlen(row));
        snprintf(expected, sizeof expected, "matrix/%s: no row", name);
        refused(policy_read(text, n - strlen(row), error), error, expected);
    }
}

static void bad_syntax_is_refused_with_its_line(void **state)
{
    (void)state;
    static char long_line[300];
    memset(long_line, 'x', sizeof long_line - 1);
    const struct {
        const char *text;
        const char *error;
    } cases[] = {
        {"policy\n\tname = t\n", "line 2: a tab: indent with 4 spaces"},
        {"policy\n  name = t\n", "line 2: indented by 2 spaces: use 4"},
        {"    policy\n", "line 1: indented too far: here at most 0 spaces"},
        {"policy\n\n# comment\n        name = t\n", "line 4: indented too far: here at most 4 spaces"},
        {"a\n    b\n        c\n            d\n", "line 4: indented too far"},
        {"policy\n    name =\n", "line 2: nothing behind '='"},
        {"policy\n    name = # none\n", "line 2: nothing behind '='"},
        {"policy\n    name = \"t\n", "line 2: the closing \" is missing"},
        {"policy\n    name = 't' x\n", "line 2: text behind the closing '"},
        {"policy\n    name t\n", "line 2: expected '=' behind 'name', found 't'"},
        {"policy\n    name: t\n", "line 2: expected '=' behind 'name', found ':'"},
        {"policy\n    = t\n", "line 2: '=' cannot start a name"},
        {"policy\n    n\x01 = t\n", "line 2: control character 0x01"},
        {"# \x1b[2J\n", "line 1: control character 0x1b"},
        {"policy\n    name = caf\xc3\xa9\n", "line 2: byte 0xc3: outside comments only plain ASCII"},
        {long_line, "line 1: longer than 200 bytes"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char error[POLICY_ERROR_BYTES];
        refused(policy_read(cases[i].text, strlen(cases[i].text), error), error, cases[i].error);
    }
}

static void a_nul_byte_does_not_hide_what_follows(void **state)
{
    (void)state;
    char text[4096], error[POLICY_ERROR_BYTES];
    size_t n = policy_text(text, sizeof text - 1, HEAD, "");
    text[n] = '\0';
    refused(policy_read(text, n + 1, error), error, "control character 0x00");
}

static void an_oversized_policy_is_refused(void **state)
{
    (void)state;
    char error[POLICY_ERROR_BYTES];
    size_t size = POLICY_MAX_BYTES + 1;
    char *text = malloc(size);
    memset(text, '\n', size);
    refused(policy_read(text, size, error), error, "at most 262144 are allowed");
    refused(policy_read(text, size - 1, error), error, "policy: this section is missing");
    free(text);
}

/* ---- The policy that comes with the hub ------------------------------------------------------------------------- */

static struct policy *default_policy;

static int read_default(void **state)
{
    (void)state;
    static char text[POLICY_MAX_BYTES];
    char error[POLICY_ERROR_BYTES];
    FILE *file = fopen(CAREHUB_DEFAULT_POLICY, "r");
    if (!file)
        return -1;
    size_t n = fread(text, 1, sizeof text, file);
    fclose(file);
    default_policy = policy_read(text, n, error);
    if (!default_policy)
        print_error("%s: %s\n", CAREHUB_DEFAULT_POLICY, error);
    return default_policy ? 0 : -1;
}

static int drop_default(void **state)
{
    (void)state;
    policy_destroy(&default_policy);
    return 0;
}

static const struct policy_cell *cell(const char *role, int type)
{
    int number = policy_role(default_policy, role);
    if (number == POLICY_ROLE_UNKNOWN)
        fail_msg("the default policy does not know the role '%s'", role);
    return policy_cell(default_policy, number, (Carehub__V1__EventType)type);
}

static void default_every_type_reaches_someone(void **state)
{
    (void)state;
    for (int type = 1; type <= EVENT_TYPE_MAX; type++) {
        int reached = 0;
        for (int role = 0; policy_role_name(default_policy, role); role++)
            reached += policy_cell(default_policy, role, (Carehub__V1__EventType)type)->level > 0;
        if (reached < 2)
            fail_msg("%s reaches %d roles", event_type_name((Carehub__V1__EventType)type), reached);
    }
}

static void default_insurer_learns_of_inclusions_only(void **state)
{
    (void)state;
    for (int type = 1; type <= EVENT_TYPE_MAX; type++)
        assert_int_equal(cell("insurer", type)->level,
                         type == TYPE(INCLUSION_FLAGGED) ? LEVEL(LEVEL_ADMINISTRATIVE) : LEVEL(LEVEL_NONE));
}

static void default_welfare_carer_and_case_manager_get_care_at_most(void **state)
{
    (void)state;
    static const char *const roles[] = {"home-care", "social-worker", "carer-support", "informal-carer",
                                        "case-manager"};
    for (size_t i = 0; i < COUNT(roles); i++)
        for (int type = 1; type <= EVENT_TYPE_MAX; type++) {
            assert_true(cell(roles[i], type)->level <= LEVEL(LEVEL_CARE));
            assert_false(cell(roles[i], type)->restricted);
        }
}

static void default_gp_is_told_personally_of_an_inclusion_and_nothing_else_is_by_relation(void **state)
{
    (void)state;
    for (int type = 1; type <= EVENT_TYPE_MAX; type++)
        for (int role = 0; policy_role_name(default_policy, role); role++) {
            const struct policy_cell *found = policy_cell(default_policy, role, (Carehub__V1__EventType)type);
            bool signal = type == TYPE(INCLUSION_FLAGGED) && role == policy_role(default_policy, "gp");
            assert_int_equal(found->by_relation, signal);
            assert_int_equal(found->personal, signal);
        }
}

static void default_a_discharge_reaches_those_whom_the_catalogue_names(void **state)
{
    (void)state;
    static const char *const roles[] = {"gp",          "pharmacist",     "home-nurse", "home-care",
                                        "coordinator", "informal-carer", "person"};
    for (size_t i = 0; i < COUNT(roles); i++)
        assert_true(cell(roles[i], TYPE(HOSPITAL_DISCHARGE))->level > LEVEL(LEVEL_NONE));
    assert_int_equal(cell("person", TYPE(HOSPITAL_DISCHARGE))->level, LEVEL(LEVEL_CLINICAL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cell_says_what_the_file_says),
        cmocka_unit_test(what_does_not_exist_has_nothing),
        cmocka_unit_test(header_and_after_death_are_read),
        cmocka_unit_test(sixty_four_roles_fit_and_are_told_apart),
        cmocka_unit_test(a_bad_cell_or_row_is_refused_by_its_path),
        cmocka_unit_test(a_bad_section_is_refused_by_its_path),
        cmocka_unit_test(a_type_without_a_row_is_refused),
        cmocka_unit_test(policy_made_before_a_type_existed_gives_it_to_nobody),
        cmocka_unit_test(bad_syntax_is_refused_with_its_line),
        cmocka_unit_test(a_nul_byte_does_not_hide_what_follows),
        cmocka_unit_test(an_oversized_policy_is_refused),
        cmocka_unit_test(default_every_type_reaches_someone),
        cmocka_unit_test(default_insurer_learns_of_inclusions_only),
        cmocka_unit_test(default_welfare_carer_and_case_manager_get_care_at_most),
        cmocka_unit_test(default_gp_is_told_personally_of_an_inclusion_and_nothing_else_is_by_relation),
        cmocka_unit_test(default_a_discharge_reaches_those_whom_the_catalogue_names),
    };
    return cmocka_run_group_tests(tests, read_default, drop_default);
}
