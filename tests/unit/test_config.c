/* The daemon's configuration and key files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "secrets.h"

#define MINIMUM "name = demo\ndatabase = hub.db\nkey-file = hub.key\npolicy-file = policy.conf\n"
#define HEX64 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static char directory[] = "/tmp/carehub-config-XXXXXX";

static const char *path_of(const char *name)
{
    static char path[128];

    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

static void write_file(const char *name, const char *text, mode_t mode)
{
    FILE *file = fopen(path_of(name), "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(path_of(name), mode), 0);
}

static void defaults_and_relative_paths(void **state)
{
    (void)state;
    struct config config;
    char error[CONFIG_ERROR_BYTES], expected[128];

    write_file("hub.conf", "# a comment\n" MINIMUM "first-operator = " HEX64 "\n", 0644);
    snprintf(expected, sizeof expected, "%s/hub.db", directory);
    assert_true(config_load(&config, path_of("hub.conf"), error));
    assert_string_equal(config.name, "demo");
    assert_string_equal(config.database, expected);
    assert_int_equal(config.n_listen, 1);
    assert_string_equal(config.listen[0], "tcp://127.0.0.1:7460");
    assert_true(config.has_first_operator);
    assert_int_equal(config.first_operator[1], 0x11);
    assert_false(config.has_next_key);
    assert_null(config.user);
    assert_int_equal(config.io_threads, 1);
    assert_false(config.prune_tiles);
    config_free(&config);
    write_file("hub.conf", MINIMUM "prune-tiles = yes\n", 0644);
    assert_true(config_load(&config, path_of("hub.conf"), error));
    assert_true(config.prune_tiles);
    config_free(&config);
}

static void several_endpoints(void **state)
{
    (void)state;
    struct config config;
    char error[CONFIG_ERROR_BYTES];

    write_file("hub.conf", MINIMUM "listen = tcp://127.0.0.1:*\nlisten = \"tcp://[::1]:7460\"\n", 0644);
    assert_true(config_load(&config, path_of("hub.conf"), error));
    assert_int_equal(config.n_listen, 2);
    assert_string_equal(config.listen[1], "tcp://[::1]:7460");
    config_free(&config);
}

static void what_is_wrong_is_named_with_file_and_setting(void **state)
{
    (void)state;
    static const struct {
        const char *text, *named;
    } cases[] = {
        {MINIMUM "databse = x\n", "'databse'"},
        {MINIMUM "name = again\n", "'name'"},
        {MINIMUM "user =\n", "'user'"},
        {MINIMUM "user = a\n    sub = b\n", "'user'"},
        {MINIMUM "listen = ipc:///tmp/x\n", "'listen'"},
        {MINIMUM "listen = tcp://nowhere\n", "'listen'"},
        {MINIMUM "first-operator = abc\n", "'first-operator'"},
        {MINIMUM "next-key = " HEX64 "00\n", "'next-key'"},
        {MINIMUM "io-threads = 0\n", "'io-threads'"},
        {MINIMUM "io-threads = 2x\n", "'io-threads'"},
        {MINIMUM "prune-tiles = maybe\n", "'prune-tiles'"},
        {MINIMUM "log-level = loud\n", "'log-level'"},
        {MINIMUM "next-master-key-file = a\nnext-master-key-passphrase-file = b\n", "not both"},
        {MINIMUM "commit-delay-us = -1\n", "'commit-delay-us'"},
        {"name = a b\n", "'name'"},
        {"name = \"\"\ndatabase = hub.db\nkey-file = hub.key\npolicy-file = policy.conf\n", "'name'"},
        {MINIMUM "log-origin = https://log.example/x\n", "'log-origin'"},
        {MINIMUM "log-origin = log.example/x/\n", "'log-origin'"},
        {MINIMUM "log-origin = log.example/x/2\n", "'log-origin'"},
        {MINIMUM "log-origin = log.example+x\n", "'log-origin'"},
        {MINIMUM "witness = \"w.example+0a1b2c3d+AeA https://w.example/\"\n", "type 0x04"},
        {"name = demo\n", "'database'"},
        {MINIMUM "no sign of a setting\n", "setting = value"},
        {"", "'name'"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct config config;
        char error[CONFIG_ERROR_BYTES] = "";
        write_file("hub.conf", cases[i].text, 0644);
        assert_false(config_load(&config, path_of("hub.conf"), error));
        assert_non_null(strstr(error, cases[i].named));
        assert_non_null(strstr(error, path_of("hub.conf")));
    }
}

static void binary_and_oversize_files_are_refused(void **state)
{
    (void)state;
    char error[CONFIG_ERROR_BYTES];
    FILE *file = fopen(path_of("binary"), "w");

    fwrite("a\0b", 1, 3, file);
    fclose(file);
    assert_null(config_read_file(path_of("binary"), 100, error));
    assert_null(config_read_file(path_of("binary"), 2, error));
    assert_null(config_read_file(path_of("missing"), 2, error));
}

/* ---- Keys ------------------------------------------------------------------------------------------------------- */

static void write_pair(const char *format, mode_t mode)
{
    uint8_t public_key[32], secret_key[32];
    char public_hex[65], secret_hex[65], text[512];

    crypto_box_keypair(public_key, secret_key);
    sodium_bin2hex(public_hex, sizeof public_hex, public_key, 32);
    sodium_bin2hex(secret_hex, sizeof secret_hex, secret_key, 32);
    snprintf(text, sizeof text, format, public_hex, secret_hex);
    write_file("hub.key", text, mode);
}

static bool loads(char error[CONFIG_ERROR_BYTES])
{
    char key_file[128], master[128];
    struct config config = {.key_file = key_file, .master_key_file = master};

    strcpy(key_file, path_of("hub.key"));
    strcpy(master, path_of("master.key"));
    struct secrets *secrets = secrets_load(&config, error);
    bool ok = secrets && secrets->master_key[1] == 0x11;
    secrets_free(&secrets);
    return ok;
}

static void keys_are_read_from_files_that_only_their_owner_reads(void **state)
{
    (void)state;
    static const struct {
        const char *pair, *master, *complaint; /* NULL: fine */
        mode_t pair_mode, master_mode;
    } cases[] = {
        {"public-key = %s\nsecret-key = %s\n", HEX64 "\n", NULL, 0600, 0600},
        {"# hub\n  public-key=\"%s\"\nsecret-key =  \"%s\" # keep\n", HEX64, NULL, 0400, 0400},
        {"public-key = %s\nsecret-key = %s\n", HEX64, "chmod 0600", 0640, 0600},
        {"public-key = %s\nsecret-key = %s\n", HEX64, "chmod 0600", 0600, 0604},
        {"public-key = %s\n# secret-key = %s\n", HEX64, "secret-key", 0600, 0600},
        {"public-key = %s0\nsecret-key = %s\n", HEX64, "public-key", 0600, 0600},
        {"secret-key = %s\npublic-key = %s\n", HEX64, "does not belong", 0600, 0600},
        {"public-key = %s\nsecret-key = %s\n", HEX64 "00", "64 hexadecimal", 0600, 0600},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char error[CONFIG_ERROR_BYTES] = "";
        write_pair(cases[i].pair, cases[i].pair_mode);
        write_file("master.key", cases[i].master, cases[i].master_mode);
        if (!cases[i].complaint) {
            assert_true(loads(error));
            continue;
        }
        assert_false(loads(error));
        assert_non_null(strstr(error, cases[i].complaint));
        assert_null(strstr(error, "00112233"));
    }
}

static void master_key_comes_from_credentials_when_no_file_is_named(void **state)
{
    (void)state;
    char key_file[128], error[CONFIG_ERROR_BYTES];
    struct config config = {.key_file = key_file};

    strcpy(key_file, path_of("hub.key"));
    write_pair("public-key = %s\nsecret-key = %s\n", 0600);
    unsetenv("CREDENTIALS_DIRECTORY");
    assert_null(secrets_load(&config, error));
    assert_non_null(strstr(error, "master-key-file"));
    write_file("master-key", HEX64 "\n", 0440);
    setenv("CREDENTIALS_DIRECTORY", directory, 1);
    struct secrets *secrets = secrets_load(&config, error);
    assert_non_null(secrets);
    assert_int_equal(secrets->master_key[15], 0xff);
    secrets_free(&secrets);
}

static int set_up(void **state)
{
    (void)state;
    return sodium_init() < 0 || !mkdtemp(directory);
}

static int tear_down(void **state)
{
    static const char *const names[] = {"hub.conf", "binary", "hub.key", "master.key", "master-key"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unlink(path_of(names[i]));
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_and_relative_paths),
        cmocka_unit_test(several_endpoints),
        cmocka_unit_test(what_is_wrong_is_named_with_file_and_setting),
        cmocka_unit_test(binary_and_oversize_files_are_refused),
        cmocka_unit_test(keys_are_read_from_files_that_only_their_owner_reads),
        cmocka_unit_test(master_key_comes_from_credentials_when_no_file_is_named),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
