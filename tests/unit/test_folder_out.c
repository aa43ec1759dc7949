/* The outgoing transport "folder". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <signal.h>
#include <unistd.h>

#include <cmocka.h>

#include "folder_out.h"
#include "outlet_peer.h"
#include "transport.h"

enum { FILES_MAX = 64 };

struct sender {
    uv_loop_t loop;
    char folder[64];
    void *transport;
    struct carehub_parcel parcel;
    bool done;
    enum sending_result result;
    char code[64];
};

static void on_done(void *arg, enum sending_result result, const char *code, const char *text)
{
    struct sender *self = arg;
    (void)text;
    self->done = true;
    self->result = result;
    snprintf(self->code, sizeof self->code, "%s", code);
}

static void open_again(struct sender *self)
{
    char error[CAREHUB_ERROR_BYTES] = "";
    self->transport = transport_out_folder.open(
        &self->loop, make_section((const char *[]){"transport", "folder", "inbox", "a", "path", self->folder, NULL}),
        "", error);
    assert_string_equal(error, "");
}

static void sender_open(struct sender *self)
{
    memset(self, 0, sizeof *self);
    uv_loop_init(&self->loop);
    make_folder(self->folder, sizeof self->folder);
    open_again(self);
}

static void sender_close(struct sender *self)
{
    transport_out_folder.close(self->transport);
    run_out(&self->loop);
    remove_folder(self->folder);
}

static void sender_send(struct sender *self, const char *id, const char *name, const char *text)
{
    snprintf(self->parcel.native_id, sizeof self->parcel.native_id, "%s", id);
    snprintf(self->parcel.file_name, sizeof self->parcel.file_name, "%s", name);
    self->parcel.bytes = strdup(text);
    self->parcel.len = strlen(text);
    self->done = false;
    transport_out_folder.send(self->transport, &self->parcel, NULL, on_done, self);
    assert_false(self->done);
    assert_true(run_until(&self->loop, &self->done));
    free(self->parcel.bytes);
}

/* ---- What is in the folder -------------------------------------------------------------------------------------- */

static struct listing {
    size_t count;
    char names[FILES_MAX][256];
} listing;

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void list(const struct sender *self)
{
    DIR *dir = opendir(self->folder);
    listing.count = 0;
    for (const struct dirent *entry; (entry = readdir(dir));)
        if (entry->d_name[0] != '.')
            snprintf(listing.names[listing.count++], 256, "%s", entry->d_name);
    closedir(dir);
    qsort(listing.names, listing.count, sizeof listing.names[0], by_name);
}

static const char *content(const struct sender *self, const char *name)
{
    static char text[256];
    char path[512];
    snprintf(path, sizeof path, "%s/%s", self->folder, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[n] = '\0';
    return text;
}

static void put(const struct sender *self, const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", self->folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static const char *proposal_of(const char *name)
{
    return name + FOLDER_TIME_DIGITS + 1 + FOLDER_ID_DIGITS + 1;
}

/* ---- Tests ------------------------------------------------------------------------------------------------------ */

static void files_sort_in_the_order_of_departure(void **state)
{
    struct sender sender;
    struct stat st;
    char path[512];
    (void)state;
    sender_open(&sender);
    for (int i = 0; i < 20; i++) {
        char id[16], text[16];
        snprintf(id, sizeof id, "id-%d", 100 - i);
        snprintf(text, sizeof text, "%d", i);
        sender_send(&sender, id, "fall.json", text);
        assert_int_equal(sender.result, SENDING_TAKEN);
    }
    list(&sender);
    assert_int_equal(listing.count, 20);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(atoi(content(&sender, listing.names[i])), i);
        assert_string_equal(proposal_of(listing.names[i]), "fall.json");
    }
    snprintf(path, sizeof path, "%s/%s", sender.folder, listing.names[0]);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07, 0);
    sender_close(&sender);
}

static void they_do_so_when_the_clock_has_gone_back(void **state)
{
    struct sender sender;
    (void)state;
    sender_open(&sender);
    put(&sender, "9000000000000_0123456789abcdef_future.json", "old");
    sender_send(&sender, "new", "n.json", "new");
    list(&sender);
    assert_int_equal(listing.count, 2);
    assert_string_equal(content(&sender, listing.names[1]), "new");
    assert_int_equal(strncmp(listing.names[1], "9000000000001_", 14), 0);
    sender_close(&sender);
}

static void one_sent_again_takes_the_place_of_its_own_file_only(void **state)
{
    struct sender sender;
    (void)state;
    sender_open(&sender);
    sender_send(&sender, "a", "x.json", "first");
    sender_send(&sender, "b", "x.json", "other");
    sender_send(&sender, "a", "x.json", "again");
    list(&sender);
    assert_int_equal(listing.count, 2);
    assert_string_equal(content(&sender, listing.names[0]), "again");
    assert_string_equal(content(&sender, listing.names[1]), "other");
    transport_out_folder.close(sender.transport); /* also by the next process */
    open_again(&sender);
    sender_send(&sender, "b", "y.json", "restarted");
    list(&sender);
    assert_int_equal(listing.count, 2);
    assert_string_equal(content(&sender, listing.names[1]), "restarted");
    sender_close(&sender);
}

static void what_is_without_an_id_goes_by_its_content(void **state)
{
    struct sender sender;
    (void)state;
    sender_open(&sender);
    sender_send(&sender, "", "", "one");
    sender_send(&sender, "", "", "two");
    sender_send(&sender, "", "", "one");
    list(&sender);
    assert_int_equal(listing.count, 2);
    assert_string_equal(proposal_of(listing.names[0]), "message");
    sender_close(&sender);
}

static void names_are_made_harmless(void **state)
{
    static const char *const names[][2] = {
        {"../../etc/passwd", ".._.._etc_passwd"}, {"a b\nc", "a_b_c"}, {"x.tmp", "x_tmp"}, {"\xc3\xa9.xml", "__.xml"}};
    struct sender sender;
    (void)state;
    sender_open(&sender);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        sender_send(&sender, names[i][0], names[i][0], "x");
    list(&sender);
    assert_int_equal(listing.count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(proposal_of(listing.names[i]), names[i][1]);
    sender_close(&sender);
}

static void what_a_crash_left_is_removed_and_nothing_else(void **state)
{
    struct sender sender;
    (void)state;
    sender_open(&sender);
    transport_out_folder.close(sender.transport);
    put(&sender, "1700000000000_0123456789abcdef_x.json.tmp", "ha");
    put(&sender, "1700000000000_0123456789abcdef_x.json", "whole");
    put(&sender, "somebody.tmp", "theirs");
    open_again(&sender);
    list(&sender);
    assert_int_equal(listing.count, 2);
    assert_string_equal(listing.names[0], "1700000000000_0123456789abcdef_x.json");
    assert_string_equal(listing.names[1], "somebody.tmp");
    sender_close(&sender);
}

/* A file may not grow over the limit: what a full disk does, at that moment. */
static void what_cannot_be_written_leaves_nothing_and_is_down(void **state)
{
    struct sender sender;
    struct rlimit old, small = {.rlim_cur = 2, .rlim_max = RLIM_INFINITY};
    (void)state;
    sender_open(&sender);
    sender_send(&sender, "a", "x.json", "first");
    getrlimit(RLIMIT_FSIZE, &old);
    small.rlim_max = old.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    sender_send(&sender, "a", "x.json", "second");
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_equal(sender.result, SENDING_DOWN);
    list(&sender);
    assert_int_equal(listing.count, 1);
    assert_string_equal(content(&sender, listing.names[0]), "first");
    sender_close(&sender);
}

static void a_full_disk_is_down_until_there_is_room(void **state)
{
    struct sender sender;
    static char large[40 << 10];
    enum sending_result results[3];
    char code[64], path[512];
    (void)state;
    sender_open(&sender);
    if (mount("none", sender.folder, "tmpfs", 0, "size=64k") != 0) { /* only root may */
        sender_close(&sender);
        skip();
    }
    memset(large, 'a', sizeof large - 1);
    sender_send(&sender, "a", "x.json", large);
    results[0] = sender.result;
    sender_send(&sender, "b", "x.json", large);
    results[1] = sender.result;
    snprintf(code, sizeof code, "%s", sender.code);
    list(&sender);
    snprintf(path, sizeof path, "%s/%s", sender.folder, listing.names[0]);
    unlink(path);
    sender_send(&sender, "b", "x.json", large);
    results[2] = sender.result;
    umount(sender.folder);
    sender_close(&sender);
    assert_int_equal(results[0], SENDING_TAKEN);
    assert_int_equal(results[1], SENDING_DOWN);
    assert_string_equal(code, "disk-full");
    assert_int_equal(listing.count, 1); /* nothing half written */
    assert_int_equal(results[2], SENDING_TAKEN);
}

static void a_folder_that_has_gone_is_down(void **state)
{
    struct sender sender;
    (void)state;
    sender_open(&sender);
    remove_folder(sender.folder);
    sender_send(&sender, "a", "x.json", "x");
    assert_int_equal(sender.result, SENDING_DOWN);
    assert_string_equal(sender.code, "folder");
    sender_close(&sender);
}

static void closing_while_it_writes_is_safe(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        struct sender sender;
        sender_open(&sender);
        sender.parcel.bytes = strdup("x");
        sender.parcel.len = 1;
        transport_out_folder.send(sender.transport, &sender.parcel, NULL, on_done, &sender);
        free(sender.parcel.bytes);
        sender_close(&sender);
        assert_false(sender.done);
    }
}

static void the_folder_has_to_be_there(void **state)
{
    static const char *const paths[] = {"/nowhere/at/all", "/dev/null"};
    char error[CAREHUB_ERROR_BYTES];
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_false(transport_out_folder.check(
            make_section((const char *[]){"transport", "folder", "inbox", "a", "path", paths[i], NULL}), "", error));
        assert_non_null(strstr(error, "has to be a folder"));
    }
    assert_false(transport_out_folder.check(make_section((const char *[]){"transport", "folder", "inbox", "a", NULL}),
                                            "", error));
    assert_non_null(strstr(error, "needs 'path'"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_sort_in_the_order_of_departure),
        cmocka_unit_test(they_do_so_when_the_clock_has_gone_back),
        cmocka_unit_test(one_sent_again_takes_the_place_of_its_own_file_only),
        cmocka_unit_test(what_is_without_an_id_goes_by_its_content),
        cmocka_unit_test(names_are_made_harmless),
        cmocka_unit_test(what_a_crash_left_is_removed_and_nothing_else),
        cmocka_unit_test(what_cannot_be_written_leaves_nothing_and_is_down),
        cmocka_unit_test(a_full_disk_is_down_until_there_is_room),
        cmocka_unit_test(a_folder_that_has_gone_is_down),
        cmocka_unit_test(closing_while_it_writes_is_safe),
        cmocka_unit_test(the_folder_has_to_be_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
