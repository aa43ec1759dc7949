/* The folder transport: files in the order of their names, put away only when their outcome is known. */
#include "transport_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char folder[64];

static const struct stub_setting plain[] = {
    {"transport", "folder"}, {"path", folder}, {"settle-ms", "100"}, {NULL, NULL}};

/* ---- Files ------------------------------------------------------------------------------------------------------ */

static const char *path_of(const char *name)
{
    static char paths[4][512];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void put(const char *name, const char *text)
{
    FILE *file = fopen(path_of(name), "we");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* As one that has been there for a while. */
static void put_old(const char *name, const char *text)
{
    const struct timespec long_ago[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    put(name, text);
    assert_int_equal(utimensat(AT_FDCWD, path_of(name), long_ago, 0), 0);
}

static bool is_there(const char *name)
{
    return access(path_of(name), F_OK) == 0;
}

static const char *text_of(const char *name)
{
    static char text[4096];
    FILE *file = fopen(path_of(name), "re");
    if (!file)
        return "";
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

static size_t count_in(const char *name)
{
    DIR *list = opendir(path_of(name));
    size_t count = 0;
    if (!list)
        return 0;
    for (const struct dirent *entry; (entry = readdir(list));)
        if (entry->d_name[0] != '.' && entry->d_type == DT_REG)
            count++;
    closedir(list);
    return count;
}

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/carehub-folder-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static void clear(const char *name)
{
    DIR *list = opendir(path_of(name));
    if (!list)
        return;
    for (const struct dirent *entry; (entry = readdir(list));)
        if (entry->d_type != DT_DIR)
            unlinkat(dirfd(list), entry->d_name, 0);
    closedir(list);
    rmdir(path_of(name));
}

static int remove_folder(void **state)
{
    (void)state;
    clear("done");
    clear("failed");
    clear("directory");
    clear(".");
    rmdir(folder);
    return 0;
}

/* ---- Promises --------------------------------------------------------------------------------------------------- */

static void files_are_taken_by_name_and_one_at_a_time(void **state)
{
    static const char *const names[] = {"10", "2", "a", "B", "1"}, *const order[] = {"1", "10", "2", "B", "a"};
    (void)state;
    for (size_t i = 0; i < 5; i++)
        put_old(names[i], i == 0 ? "hold" : names[i]);
    struct stub *stub = stub_start(&transport_in_folder, plain);
    assert_string_equal(stub->endpoint, folder);
    stub_wait(stub_held_count(stub) == 1);
    uv_sleep(100);
    assert_int_equal(stub_taken_count(stub), 2);
    assert_true(is_there("10"));
    stub_release(stub);
    stub_wait(count_in("done") == 5);
    for (size_t i = 0; i < 5; i++)
        assert_string_equal(stub->taken[i].name, order[i]);
    assert_int_equal(count_in("."), 0);
    assert_string_equal(text_of("done/a"), "a");
    stub_stop(&stub);
}

static void files_in_the_making_links_and_folders_are_left_alone(void **state)
{
    (void)state;
    put_old(".hidden", "x");
    put_old("x.tmp", "x");
    put_old("y.part", "x");
    assert_int_equal(symlink("/etc/hostname", path_of("link")), 0);
    assert_int_equal(mkdir(path_of("directory"), 0700), 0);
    assert_int_equal(mkfifo(path_of("pipe"), 0600), 0);
    put_old("z", "x");
    struct stub *stub = stub_start(&transport_in_folder, plain);
    stub_wait(is_there("done/z"));
    uv_sleep(200);
    assert_int_equal(stub_taken_count(stub), 1);
    assert_true(is_there(".hidden") && is_there("x.tmp") && is_there("y.part") && is_there("pipe"));
    /* Its making ends with the right name. */
    rename(path_of("x.tmp"), path_of("x"));
    stub_wait(is_there("done/x"));
    stub_stop(&stub);
}

static void a_file_is_taken_when_it_has_come_to_rest(void **state)
{
    struct stub *stub = stub_start(&transport_in_folder, plain);
    FILE *file = fopen(path_of("slow"), "we");
    (void)state;
    put("zlater", "x"); /* complete before, and yet not taken before */
    for (int i = 0; i < 20; i++) {
        fputs("0123456789", file);
        fflush(file);
        uv_sleep(20);
        assert_int_equal(stub_taken_count(stub), 0);
    }
    fclose(file);
    stub_wait(count_in("done") == 2);
    assert_int_equal(stub->taken[0].len, 200);
    stub_stop(&stub);
}

static void what_is_refused_goes_to_failed_with_the_reason_beside_it(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        put_old("1.hl7", "wrong");
        put_old("2.hl7", "duplicate");
        put_old("3.hl7", "ok");
        struct stub *stub = stub_start(&transport_in_folder, plain);
        stub_wait(count_in(".") == 0);
        stub_stop(&stub);
    }
    assert_int_equal(count_in("failed"), 8);
    assert_string_equal(text_of("failed/1.hl7"), "wrong");
    assert_string_equal(text_of("failed/1.hl7.problems.txt"), "where: PID-3\nwhat:  it is missing\nrule:  a rule\n");
    assert_string_equal(text_of("failed/2.hl7.2.problems.txt"), "what:  its id stands for something else\n");
    assert_string_equal(text_of("done/3.hl7.2"), "ok");
}

static mode_t mode_of(const char *name)
{
    struct stat status;
    assert_int_equal(stat(path_of(name), &status), 0);
    return status.st_mode & 0777;
}

static void the_folders_group_sees_what_becomes_of_its_files_and_nobody_else_does(void **state)
{
    static const mode_t folders[] = {0700, 0750, 0777};
    static const mode_t made[][2] = {{0700, 0600}, {0750, 0640}, {0770, 0660}};
    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(chmod(folder, folders[i]), 0);
        put_old("1.hl7", "wrong");
        struct stub *stub = stub_start(&transport_in_folder, plain);
        stub_wait(count_in(".") == 0);
        stub_stop(&stub);
        assert_int_equal(mode_of("failed"), made[i][0]);
        assert_int_equal(mode_of("done"), made[i][0]);
        /* In the folder of problems, which is its group's as the outer one is. */
        assert_int_equal(mode_of("failed/1.hl7.problems.txt"), made[i][1]);
        clear("done");
        clear("failed");
    }
}

static void a_folder_that_is_not_there_is_noticed_by_the_check(void **state)
{
    char error[CAREHUB_ERROR_BYTES];
    struct carehub_setting path = {.name = "path", .value = folder};
    const struct carehub_setting section = {.name = "in", .value = "", .first = &path};
    const struct transport_in_options options = {.section = &section, .folder = ""};
    (void)state;
    assert_true(transport_in_folder.check(&options, error));
    path.value = path_of("absent");
    assert_false(transport_in_folder.check(&options, error));
    assert_non_null(strstr(error, "it has to be a folder that this program may read and write"));
}

static void what_cannot_be_taken_now_stays_and_is_tried_again_before_all_others(void **state)
{
    (void)state;
    struct stub *stub = stub_start(&transport_in_folder, plain);
    stub->unavailable = 2;
    put_old("1", "unavailable");
    put_old("2", "x");
    stub_wait(stub_taken_count(stub) >= 1);
    assert_true(is_there("1"));
    stub_wait(count_in("done") == 2);
    assert_int_equal(stub_taken_count(stub), 4);
    assert_string_equal(stub->taken[2].name, "1");
    assert_string_equal(stub->taken[3].name, "2");
    stub_stop(&stub);
}

static void what_was_put_away_goes_after_its_days_and_not_before(void **state)
{
    static const struct stub_setting settings[] = {
        {"path", folder}, {"settle-ms", "0"}, {"keep-days", "2"}, {"failed-days", "0"}, {NULL, NULL}};
    const int64_t day_ms = INT64_C(86400000);
    (void)state;
    put_old("taken", "ok"); /* its own age does not count */
    put("refused", "wrong");
    stub_time_ms = wall_clock_ms();
    struct stub *stub = stub_start(&transport_in_folder, settings);
    stub_wait(is_there("done/taken") && is_there("failed/refused"));
    stub_stop(&stub);
    stub_time_ms += 2 * day_ms - 60000;
    stub = stub_start(&transport_in_folder, settings);
    put("another", "ok");
    stub_wait(is_there("done/another"));
    assert_true(is_there("done/taken"));
    stub_stop(&stub);
    stub_time_ms += 120000;
    stub = stub_start(&transport_in_folder, settings);
    stub_wait(!is_there("done/taken"));
    assert_true(is_there("failed/refused") && is_there("failed/refused.problems.txt")); /* 0: for ever */
    stub_stop(&stub);
    stub_time_ms = 0;
}

static void one_that_is_too_large_is_not_even_read(void **state)
{
    static const struct stub_setting settings[] = {
        {"path", folder}, {"settle-ms", "0"}, {"message-max-bytes", "1024"}, {"keep", "no"}, {NULL, NULL}};
    char large[1026];
    (void)state;
    memset(large, 'x', sizeof large);
    large[1025] = '\0';
    put("large", large);
    large[1024] = '\0';
    put("largest", large);
    struct stub *stub = stub_start(&transport_in_folder, settings);
    stub_wait(count_in(".") == 0);
    assert_int_equal(stub_taken_count(stub), 1);
    assert_int_equal(stub_broken_count(stub), 1);
    assert_non_null(strstr(text_of("failed/large.problems.txt"), "message-max-bytes allows (1024 bytes)"));
    assert_false(is_there("done")); /* what was taken is gone: keep = no */
    stub_stop(&stub);
}

static void a_file_that_was_replaced_while_its_outcome_was_awaited_is_taken_anew(void **state)
{
    (void)state;
    put_old("a", "hold");
    struct stub *stub = stub_start(&transport_in_folder, plain);
    stub_wait(stub_held_count(stub) == 1);
    put("new.tmp", "second");
    rename(path_of("new.tmp"), path_of("a"));
    stub_release(stub);
    stub_wait(is_there("done/a"));
    assert_string_equal(text_of("done/a"), "second");
    assert_int_equal(stub_taken_count(stub), 2);
    stub_stop(&stub);
}

static void killed_at_any_point_nothing_is_lost(void **state)
{
    enum { FILES = 60 };
    size_t kills = 0;
    (void)state;
    for (int i = 0; i < FILES; i++) {
        char name[16];
        snprintf(name, sizeof name, "%03d", i);
        put_old(name, i % 3 == 0 ? "wrong" : name);
    }
    srand(7);
    while (count_in(".") > 0 && kills < 500) {
        pid_t child = fork();
        if (child == 0) {
            stub_start(&transport_in_folder, plain);
            pause();
        }
        uv_sleep((unsigned)rand() % (unsigned)(8 + kills / 4)); /* long enough in the end, also on a busy machine */
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        kills++;
    }
    assert_int_equal(count_in("."), 0);
    assert_int_equal(count_in("done"), FILES - FILES / 3);
    assert_int_equal(count_in("failed"), 2 * FILES / 3);
    for (int i = 0; i < FILES; i++) {
        char name[32], text[16];
        snprintf(text, sizeof text, "%03d", i);
        snprintf(name, sizeof name, "%s/%03d", i % 3 == 0 ? "failed" : "done", i);
        assert_string_equal(text_of(name), i % 3 == 0 ? "wrong" : text);
    }
    print_message("%zu kills\n", kills);
}

static void what_is_wrong_with_the_settings_is_told(void **state)
{
    static const struct {
        struct stub_setting settings[3];
        const char *why;
    } cases[] = {
        {{{NULL, NULL}}, "needs 'path'"},
        {{{"path", "/nowhere/at/all"}, {NULL, NULL}}, "/nowhere/at/all: the folder cannot be used"},
        {{{"path", "/etc/hostname"}, {NULL, NULL}}, "the folder cannot be used"},
        {{{"path", folder}, {"keep", "perhaps"}, {NULL, NULL}}, "has to be no or yes"},
        {{{"path", folder}, {"settle-ms", "-1"}, {NULL, NULL}}, "settle-ms"},
        {{{"path", folder}, {"pass", "x"}, {NULL, NULL}}, "there is no setting 'pass'"},
    };
    char error[CAREHUB_ERROR_BYTES];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_null(stub_new(&transport_in_folder, cases[i].settings, error));
        if (!strstr(error, cases[i].why))
            fail_msg("%s", error);
    }
}

#define test(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(files_are_taken_by_name_and_one_at_a_time),
        test(files_in_the_making_links_and_folders_are_left_alone),
        test(a_file_is_taken_when_it_has_come_to_rest),
        test(what_is_refused_goes_to_failed_with_the_reason_beside_it),
        test(the_folders_group_sees_what_becomes_of_its_files_and_nobody_else_does),
        test(a_folder_that_is_not_there_is_noticed_by_the_check),
        test(what_cannot_be_taken_now_stays_and_is_tried_again_before_all_others),
        test(what_was_put_away_goes_after_its_days_and_not_before),
        test(one_that_is_too_large_is_not_even_read),
        test(a_file_that_was_replaced_while_its_outcome_was_awaited_is_taken_anew),
        test(killed_at_any_point_nothing_is_lost),
        test(what_is_wrong_with_the_settings_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
