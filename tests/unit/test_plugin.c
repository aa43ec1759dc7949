// Loading formats: what is taken, and what is said of what is not.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "plugin.h"

static void refuse(const char *name, const char *folder, const char *complaint)
{
    struct plugin plugin;
    char error[CAREHUB_ERROR_BYTES] = "";
    assert_false(plugin_load(&plugin, name, folder, error));
    if (strstr(error, complaint) == NULL)
        fail_msg("%s: %s", name, error);
}

static void what_is_no_format_is_refused_with_the_reason(void **state)
{
    (void)state;
    refuse("./absent.so", TEST_PLUGINS, "there is no plug-in " TEST_PLUGINS "/./absent.so");
    refuse("absent", "", "looked for absent.so in ");
    refuse("absent", "", "/carehub/plugins; see carehub-adapter --list-plugins");
    refuse("tiny.so", TEST_PLUGINS, "is not the name of a plug-in"); // names have no dots: a file has a slash
    refuse("", "", "is not the name of a plug-in");
    refuse("./other_abi.so", TEST_PLUGINS, "rebuild it");
    refuse("./no_symbol.so", TEST_PLUGINS, "defines no `carehub_format`");
    refuse("./no_name.so", TEST_PLUGINS, "has no name");
    refuse("./does_nothing.so", TEST_PLUGINS, "neither `translate` nor `write`");
    refuse("./journal.so", TEST_PLUGINS, "there is no plug-in");
    refuse(__FILE__, "", "cannot be loaded");
}

static void a_format_is_found_by_name_beside_the_program(void **state)
{
    (void)state;
    struct plugin plugin;
    char error[CAREHUB_ERROR_BYTES];
    if (!plugin_load(&plugin, "tiny", "", error))
        fail_msg("%s", error);
    assert_string_equal(plugin.format->name, "tiny");
    plugin_unload(&plugin);
    assert_null(plugin.format);
}

static void a_format_is_given_its_section(void **state)
{
    (void)state;
    const struct carehub_setting greeting = {.name = "greeting", .value = "hello"};
    const struct carehub_setting section = {.name = "format", .value = "", .first = &greeting};
    struct plugin plugin;
    char error[CAREHUB_ERROR_BYTES];
    assert_true(plugin_load(&plugin, "./tiny.so", TEST_PLUGINS, error));
    assert_false(plugin_configure(&plugin, NULL, "", error));
    assert_string_equal(error, "needs 'greeting'");
    assert_true(plugin_configure(&plugin, &section, "", error));
    assert_string_equal(plugin.self, "hello");
    plugin_unload(&plugin);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_format_is_refused_with_the_reason),
        cmocka_unit_test(a_format_is_found_by_name_beside_the_program),
        cmocka_unit_test(a_format_is_given_its_section),
    };
    return cmocka_run_group_tests_name("plugin", tests, NULL, NULL);
}
