/* Credentials files: what they have to be, and when a change counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "credentials.h"

static void make_path(char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "/tmp/carehub-credentials-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
}

static void write_file(const char *path, const char *text, mode_t mode)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(path, mode), 0);
}

static void a_credentials_file_that_is_not_in_order_is_refused_by_line(void **state)
{
#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    static const struct {
        const char *text;
        mode_t mode;
        const char *why;
    } cases[] = {
        {"# a comment\n\na " HASH "\nb\t" HASH " \r\n", 0600, NULL},
        {"", 0640, NULL},
        {"a " HASH, 0600, NULL},
        {"a " HASH "\nb " HASH "0\n", 0600, "line 2"},
        {"a\n", 0600, "line 1"},
        {"a 0123\n", 0600, "line 1"},
        {"a/b " HASH "\n", 0600, "line 1"},
        {" " HASH "\n", 0600, "line 1"},
        {"a " HASH "\n", 0644, "open to other users"},
        {"a " HASH "\n", 0660, "open to other users"},
    };
    char path[PATH_MAX], error[256];
    (void)state;
    make_path(path);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_file(path, cases[i].text, cases[i].mode);
        struct credentials *credentials = credentials_new(path, error, sizeof error);
        if ((credentials == NULL) != (cases[i].why != NULL) || (cases[i].why && !strstr(error, cases[i].why)))
            fail_msg("case %zu: %s", i, error);
        credentials_destroy(&credentials);
    }
    unlink(path);
}

static void a_credentials_file_that_breaks_leaves_those_of_before_in_force(void **state)
{
    char path[PATH_MAX], error[256], name[CREDENTIALS_NAME_BYTES], made[CREDENTIALS_TOKEN_BYTES], header[128];
    (void)state;
    make_path(path);
    write_file(path, "# no end of line", 0600);
    assert_true(credentials_add(path, "one", made, error, sizeof error));
    assert_false(credentials_add(path, "a name with blanks", header, error, sizeof error));
    struct credentials *credentials = credentials_new(path, error, sizeof error);
    snprintf(header, sizeof header, "bearer %s", made);
    assert_true(credentials_check(credentials, header, name));
    assert_string_equal(name, "one");
    write_file(path, "rubbish\n", 0600);
    assert_true(credentials_refresh(credentials, CREDENTIALS_RECHECK_MS - 1, error, sizeof error));
    assert_false(credentials_refresh(credentials, CREDENTIALS_RECHECK_MS, error, sizeof error));
    assert_true(credentials_refresh(credentials, 2 * CREDENTIALS_RECHECK_MS, error, sizeof error)); /* told once */
    assert_true(credentials_check(credentials, header, name));
    write_file(path, "# revoked\n", 0600);
    assert_true(credentials_refresh(credentials, 3 * CREDENTIALS_RECHECK_MS, error, sizeof error));
    assert_false(credentials_check(credentials, header, name));
    credentials_destroy(&credentials);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_credentials_file_that_is_not_in_order_is_refused_by_line),
        cmocka_unit_test(a_credentials_file_that_breaks_leaves_those_of_before_in_force),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
