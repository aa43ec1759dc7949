// Configuration files as trees, and tables that read them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "settings.h"

struct sample {
    char *name, *file;
    int64_t count;
    int colour;
    struct setting_list tags;
};

static const char *const colours[] = {"red", "green", "blue", NULL};
static const struct setting_rule rules[] = {
    {"name", SETTING_TEXT, offsetof(struct sample, name), 0, 0, NULL, true, "north"},
    {"file", SETTING_PATH, offsetof(struct sample, file), 0, 0, NULL, false, NULL},
    {"count", SETTING_NUMBER, offsetof(struct sample, count), -1, 10, NULL, false, NULL},
    {"colour", SETTING_CHOICE, offsetof(struct sample, colour), 0, 0, colours, false, NULL},
    {"tag", SETTING_LIST, offsetof(struct sample, tags), 0, 0, NULL, false, NULL},
    {"more", SETTING_SECTION, 0, 0, 0, NULL, false, NULL},
};
enum { RULES = sizeof rules / sizeof rules[0] };

static struct carehub_setting *load(const char *text)
{
    char path[] = "/tmp/test_settings.XXXXXX", error[CAREHUB_ERROR_BYTES] = "";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    struct carehub_setting *tree = settings_tree_load(path, error);
    unlink(path);
    if (tree == NULL)
        assert_non_null(strstr(error, path)); // says which file
    return tree;
}

static void a_file_becomes_a_tree_in_its_order(void **state)
{
    (void)state;
    struct carehub_setting *tree =
        load("a = 1\n# remark\nb\n    c = \"two words\"\n    d\n        e = 3\n    c = 4\nf = 5\n");
    const struct carehub_setting *b = setting_named(tree, "b");
    assert_string_equal(tree->first->name, "a");
    assert_string_equal(tree->first->value, "1");
    assert_ptr_equal(tree->first->next, b);
    assert_string_equal(b->value, "");
    assert_string_equal(b->first->value, "two words");
    assert_string_equal(setting_named(setting_named(b, "d"), "e")->value, "3");
    assert_string_equal(b->first->next->next->value, "4");
    assert_null(b->first->next->next->next);
    assert_string_equal(b->next->name, "f");
    assert_null(setting_named(tree, "e"));
    assert_null(setting_named(NULL, "e"));
    settings_tree_free(&tree);
    assert_null(tree);
}

static void what_is_no_configuration_is_refused(void **state)
{
    (void)state;
    char error[CAREHUB_ERROR_BYTES];
    assert_null(settings_tree_load("/nonexistent/file", error));
    assert_non_null(strstr(error, "cannot be opened"));
    assert_null(load("a = 1\n          too deep = 1\n"));
    char *large = malloc((300 << 10) + 1);
    memset(large, '\n', 300 << 10);
    large[300 << 10] = '\0';
    assert_null(load(large));
    free(large);
}

static void a_table_reads_a_section(void **state)
{
    (void)state;
    char error[CAREHUB_ERROR_BYTES];
    struct sample sample = {.count = 7};
    struct carehub_setting *tree =
        load("name = one\nname = two\nfile = keys/a.pem\ncolour = blue\ntag = x\ntag = y\nmore\n"
             "    other = 1\n");
    if (!settings_read(tree, "", "/etc/carehub", rules, RULES, &sample, error))
        fail_msg("%s", error);
    assert_string_equal(sample.name, "two");
    assert_string_equal(sample.file, "/etc/carehub/keys/a.pem");
    assert_int_equal(sample.count, 7);
    assert_int_equal(sample.colour, 2);
    assert_int_equal(sample.tags.count, 2);
    assert_string_equal(sample.tags.items[1], "y");
    settings_clear(rules, RULES, &sample);
    assert_null(sample.name);
    settings_tree_free(&tree);
}

static void mistakes_are_told_by_their_name(void **state)
{
    static const struct {
        const char *text, *complaint;
    } cases[] = {
        {"count = 1\n", "in/mllp: needs 'name', such as north"},
        {"name = a\nnmae = b\n",
         "in/mllp: there is no setting 'nmae'; there are name, file, count, colour, tag and more"},
        {"name = a\ncount = 11\n", "setting 'count' has to be a whole number from -1 to 10"},
        {"name = a\ncount = 1x\n", "setting 'count' has to be a whole number from -1 to 10"},
        {"name = a\ncount = 99999999999999999999\n", "setting 'count' has to be a whole number from -1 to 10"},
        {"name = a\ncolour = pink\n", "setting 'colour' has to be red, green or blue"},
        {"name\n    x = 1\n", "'name' is a setting with a value, not a section"},
        {"name = a\nmore = 1\n", "'more' is a section"},
        {"name =\n", "setting 'name' has no value"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char error[CAREHUB_ERROR_BYTES] = "";
        struct sample sample = {0};
        struct carehub_setting *tree = load(cases[i].text);
        assert_non_null(tree);
        assert_false(settings_read(tree, "in/mllp", "", rules, RULES, &sample, error));
        if (strstr(error, cases[i].complaint) == NULL)
            fail_msg("case %zu: %s", i, error);
        settings_clear(rules, RULES, &sample);
        settings_tree_free(&tree);
    }
}

static void lists_are_bounded(void **state)
{
    (void)state;
    char text[SETTING_LIST_MAX * 16 + 64] = "name = a\n", error[CAREHUB_ERROR_BYTES];
    struct sample sample = {0};
    for (int i = 0; i <= SETTING_LIST_MAX; i++)
        strcat(text, "tag = x\n");
    struct carehub_setting *tree = load(text);
    assert_false(settings_read(tree, "", "", rules, RULES, &sample, error));
    assert_string_equal(error, "setting 'tag' can be given at most 64 times");
    settings_clear(rules, RULES, &sample);
    settings_tree_free(&tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_becomes_a_tree_in_its_order),
        cmocka_unit_test(what_is_no_configuration_is_refused),
        cmocka_unit_test(a_table_reads_a_section),
        cmocka_unit_test(mistakes_are_told_by_their_name),
        cmocka_unit_test(lists_are_bounded),
    };
    return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
