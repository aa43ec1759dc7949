/* The audit log as the core keeps it: what is in the tree, when it is signed, and when it is not. */
#include "tlog_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "audit/check.h"
#include "audit/proof.h"
#include "audit/tiles.h"

/* ---- The file system, watched and made to fail: linked with --wrap ---------------------------------------------- */

static struct {
    bool tiles_since_sync; /* a tile was put in place after the last sync */
    bool sync_fails;
    int fails_after; /* renames from then on; -1: none */
    int renames, checkpoints, too_early;
} disk = {.fails_after = -1};

int __real_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __real_syncfs(int fd);
int __wrap_syncfs(int fd);

int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    if (disk.fails_after >= 0 && disk.renames >= disk.fails_after) {
        errno = EIO;
        return -1;
    }
    disk.renames++;
    if (strncmp(to, "checkpoint", 10) == 0) {
        disk.too_early += disk.tiles_since_sync; /* what it covers is not durable */
        disk.checkpoints++;
    } else {
        disk.tiles_since_sync = true;
    }
    return __real_renameat(from_fd, from, to_fd, to);
}

int __wrap_syncfs(int fd)
{
    if (disk.sync_fails) {
        errno = EIO;
        return -1;
    }
    disk.tiles_since_sync = false;
    return __real_syncfs(fd);
}

/* ---- Helpers ---------------------------------------------------------------------------------------------------- */

static int setup(void **state)
{
    memset(&disk, 0, sizeof disk);
    disk.fails_after = -1;
    int failed = hub_setup(state);
    struct hub *hub = *state;
    snprintf(hub->tlog, sizeof hub->tlog, "%s/log", hub->directory);
    hub_crash(hub);
    hub_region(hub);
    return failed;
}

static void pass(struct hub *hub, int64_t ms)
{
    tlog_pass(hub, ms);
    assert_int_equal(disk.too_early, 0);
}

static void enter(struct hub *hub, uint8_t id)
{
    assert_non_null(hub_publish(hub, HOSPITAL, id, DISCHARGE));
}

/* The directory of a generation. */
static const char *second(const struct hub *hub)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/2", hub->tlog);
    return path;
}

/* ---- The tree --------------------------------------------------------------------------------------------------- */

static void every_entry_is_in_the_tree_in_order(void **state)
{
    struct hub *hub = *state;
    struct checkpoint checkpoint;
    for (uint8_t id = 1; id < 250; id++) {
        enter(hub, id);
        if (id % 20 == 0)
            pass(hub, 1500);
    }
    pass(hub, 3000);
    tlog_assert_sound(hub->tlog);
    tlog_assert_leaves(hub, hub->tlog);
    assert_true(tlog_checkpoint(hub->tlog, &checkpoint));
    assert_string_equal(checkpoint.origin, "test.example/log");
    assert_int_equal(checkpoint.size, tlog_status(hub)->last_place);
    assert_true(checkpoint.size > TILE_WIDTH);
}

static void nothing_new_is_no_new_checkpoint(void **state)
{
    struct hub *hub = *state;
    pass(hub, 3000);
    int before = disk.checkpoints;
    pass(hub, 10000);
    assert_int_equal(disk.checkpoints, before);
    enter(hub, 1);
    pass(hub, 3000);
    assert_int_equal(disk.checkpoints, before + 1);
}

static void refused_group(struct hub *hub)
{
    Carehub__V1__ConsentWithdrawn withdrawn = CAREHUB__V1__CONSENT_WITHDRAWN__INIT;
    Carehub__V1__MemberEnded ended = CAREHUB__V1__MEMBER_ENDED__INIT;
    Carehub__V1__PatientRef patient = CAREHUB__V1__PATIENT_REF__INIT;
    Carehub__V1__Fact facts[2];
    Carehub__V1__Item parts[2], *items[] = {&parts[0], &parts[1]};
    Carehub__V1__Publication publication = CAREHUB__V1__PUBLICATION__INIT, *publications[] = {&publication};
    Carehub__V1__Publish publish = CAREHUB__V1__PUBLISH__INIT;
    Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
    uint8_t ids[2][16];
    patient.number = 1;
    withdrawn.patient = ended.patient = &patient;
    ended.actor = (char *)"az"; /* no member: refused */
    for (int i = 0; i < 2; i++) {
        carehub__v1__fact__init(&facts[i]);
        carehub__v1__item__init(&parts[i]);
        event_id(hub, (uint8_t)(100 + i), ids[i]);
        facts[i].id = (ProtobufCBinaryData){16, ids[i]};
        parts[i].item_case = CAREHUB__V1__ITEM__ITEM_FACT;
        parts[i].fact = &facts[i];
    }
    facts[0].fact_case = CAREHUB__V1__FACT__FACT_CONSENT_WITHDRAWN;
    facts[0].consent_withdrawn = &withdrawn;
    facts[1].fact_case = CAREHUB__V1__FACT__FACT_MEMBER_ENDED;
    facts[1].member_ended = &ended;
    publication.n_items = 2;
    publication.items = items;
    publish.n_publications = 1;
    publish.publications = publications;
    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_PUBLISH;
    message.publish = &publish;
    hub_handle(hub, OPERATOR, &message); /* no commit: the next item comes into the same batch */
}

/* Items that are taken as one: the entry of the first was appended when the second was refused, and another one takes
 * its place. */
static void what_was_rolled_back_is_not_in_the_tree(void **state)
{
    struct hub *hub = *state;
    refused_group(hub);
    enter(hub, 1);
    pass(hub, 3000);
    tlog_assert_sound(hub->tlog);
    tlog_assert_leaves(hub, hub->tlog);
}

/* What a hub logged before it had an audit log comes into the tree. */
static void entries_of_before_are_caught_up_with(void **state)
{
    struct hub *hub = *state;
    char kept[sizeof hub->tlog];
    memcpy(kept, hub->tlog, sizeof kept);
    hub->tlog[0] = '\0';
    hub_crash(hub);
    for (uint8_t id = 1; id < 250; id++)
        enter(hub, id);
    memcpy(hub->tlog, kept, sizeof kept);
    hub_crash(hub);
    pass(hub, 3000);
    tlog_assert_sound(hub->tlog);
    tlog_assert_leaves(hub, hub->tlog);
    assert_true(tlog_status(hub)->checkpoint_size > TILE_WIDTH);
}

/* ---- Failures --------------------------------------------------------------------------------------------------- */

static void nothing_is_signed_that_is_not_durable(void **state)
{
    struct hub *hub = *state;
    struct checkpoint before, after;
    pass(hub, 2000);
    assert_true(tlog_checkpoint(hub->tlog, &before));
    disk.sync_fails = true;
    enter(hub, 1);
    pass(hub, 3000);
    assert_true(tlog_checkpoint(hub->tlog, &after));
    assert_int_equal(after.size, before.size);
    assert_non_null(strstr(tlog_status(hub)->not_signing, "durable"));
    disk.sync_fails = false;
    pass(hub, 70000); /* it is tried again */
    assert_string_equal(tlog_status(hub)->not_signing, "");
    tlog_assert_sound(hub->tlog);
    tlog_assert_leaves(hub, hub->tlog);
}

/* The disk fails for good at any write, the hub dies, and is started on a sound disk. */
static void a_crash_at_any_write_leaves_a_log_that_goes_on(void **state)
{
    struct hub *hub = *state;
    uint8_t id = 0;
    for (int at = 0; at < 24; at++) {
        struct checkpoint before = {0}, after;
        tlog_checkpoint(hub->tlog, &before);
        disk.renames = 0;
        disk.fails_after = at % 8;
        for (int i = 0; i < 10; i++)
            enter(hub, ++id);
        pass(hub, 2000);
        disk.fails_after = -1;
        hub_crash(hub);
        pass(hub, 2000);
        tlog_assert_sound(hub->tlog);
        assert_true(tlog_checkpoint(hub->tlog, &after) && after.size > before.size);
    }
    tlog_assert_leaves(hub, hub->tlog);
}

/* ---- Losses ----------------------------------------------------------------------------------------------------- */

static void an_older_database_signs_nothing_until_told_why(void **state)
{
    struct hub *hub = *state;
    struct checkpoint lost, now;
    pass(hub, 2000);
    tlog_keep_database(hub, false);
    tlog_start(hub);
    for (uint8_t id = 1; id < 20; id++)
        enter(hub, id);
    pass(hub, 3000);
    assert_true(tlog_checkpoint(hub->tlog, &lost));

    tlog_keep_database(hub, true);
    tlog_start(hub);
    pass(hub, 2000);
    assert_non_null(strstr(tlog_status(hub)->not_signing, "the database has only"));
    for (uint8_t id = 50; id < 100; id++) /* also when it is longer by then */
        enter(hub, id);
    pass(hub, 65000);
    assert_non_null(strstr(tlog_status(hub)->not_signing, "is not the one that was published"));
    hub_crash(hub);
    pass(hub, 2000);
    assert_non_null(strstr(tlog_status(hub)->not_signing, "is not the one that was published"));
    assert_true(tlog_checkpoint(hub->tlog, &now));
    assert_memory_equal(&now.root, &lost.root, sizeof lost.root);

    hub_fact_good(hub, "{\"logResumed\": {\"reason\": \"backup of yesterday put back\"}}");
    pass(hub, 3000);
    assert_string_equal(tlog_status(hub)->not_signing, "");
    assert_true(tlog_checkpoint(second(hub), &now));
    assert_string_equal(now.origin, "test.example/log/2");
    tlog_assert_sound(second(hub));
    tlog_assert_leaves(hub, second(hub));
    tlog_assert_sound(hub->tlog); /* what was published stays as it is */
    hub_crash(hub);
    enter(hub, 150);
    pass(hub, 3000);
    tlog_assert_sound(second(hub));
    tlog_assert_leaves(hub, second(hub));
}

static void nothing_can_be_resumed_that_was_not_lost(void **state)
{
    struct hub *hub = *state;
    pass(hub, 2000);
    const Carehub__V1__Confirmation *refused = hub_fact(hub, "{\"logResumed\": {\"reason\": \"to be sure\"}}");
    assert_int_equal(refused->status, CAREHUB__V1__CONFIRMATION__STATUS__REJECTED);
    assert_non_null(strstr(refused->error->text, "nothing to resume"));
}

static void an_older_directory_or_none_signs_nothing(void **state)
{
    struct hub *hub = *state;
    char checkpoint[160], kept[160];
    snprintf(checkpoint, sizeof checkpoint, "%s/checkpoint", hub->tlog);
    snprintf(kept, sizeof kept, "%s/kept", hub->directory);
    pass(hub, 2000);
    tlog_copy_file(checkpoint, kept);
    enter(hub, 1);
    pass(hub, 3000);
    tlog_copy_file(kept, checkpoint);
    hub_crash(hub);
    pass(hub, 2000);
    assert_non_null(strstr(tlog_status(hub)->not_signing, "the database has noted a checkpoint"));
    unlink(checkpoint);
    hub_crash(hub);
    pass(hub, 2000);
    assert_non_null(strstr(tlog_status(hub)->not_signing, "the database has noted a checkpoint"));
}

static void another_hubs_checkpoint_signs_nothing(void **state)
{
    struct hub *hub = *state;
    char checkpoint[160], text[4096] = "";
    pass(hub, 2000);
    snprintf(checkpoint, sizeof checkpoint, "%s/checkpoint", hub->tlog);
    int fd = open(checkpoint, O_RDWR);
    assert_true(read(fd, text, sizeof text) > 0);
    char *size = strchr(text, '\n') + 1;
    *size ^= 1; /* another size: the signature is wrong */
    assert_true(pwrite(fd, text, strlen(text), 0) > 0);
    close(fd);
    hub_crash(hub);
    pass(hub, 2000);
    assert_non_null(strstr(tlog_status(hub)->not_signing, "is not a checkpoint that this hub has signed"));
}

static void a_changed_name_is_said_to_be_that(void **state)
{
    struct hub *hub = *state;
    pass(hub, 2000);
    hub->origin = "other.example/log";
    hub_crash(hub);
    pass(hub, 2000);
    const char *why = tlog_status(hub)->not_signing;
    assert_non_null(
        strstr(why, "is the log test.example/log, and by its configuration this hub's is other.example/log"));
    assert_non_null(strstr(why, "log-origin"));
    hub->origin = NULL;
    hub_crash(hub);
    pass(hub, 2000);
    assert_string_equal(tlog_status(hub)->not_signing, "");
}

/* ---- Questions -------------------------------------------------------------------------------------------------- */

static void a_receipt_is_checked_without_the_hub(void **state)
{
    struct hub *hub = *state;
    struct vkey key;
    struct checkpoint checkpoint;
    enter(hub, 1);
    pass(hub, 3000);
    uint64_t place = 0, last = tlog_status(hub)->last_place;
    for (uint64_t at = last; at > 0 && !place; at--) { /* the event's entry: the last one with content */
        char question[64];
        snprintf(question, sizeof question, "{\"prove\": {\"place\": %llu}}", (unsigned long long)at);
        const Carehub__V1__Answer *answer = hub_ask(hub, question);
        place = answer->prove->has_payload ? at : 0;
        if (place) {
            const Carehub__V1__ProveAnswer *proved = answer->prove;
            struct receipt receipt = {.entry_salt = proved->salt.data,
                                      .entry = proved->entry.data,
                                      .entry_size = proved->entry.len,
                                      .has_payload = true,
                                      .payload_salt = proved->payload_salt.data,
                                      .payload = proved->payload.data,
                                      .payload_size = proved->payload.len,
                                      .content = proved->content.data};
            assert_true(vkey_parse(proved->key, &key));
            assert_true(tlog_proof_parse(proved->proof, strlen(proved->proof), &receipt.proof));
            assert_int_equal(receipt.proof.index, place - 1);
            assert_int_equal(receipt_check(&receipt, &key, &checkpoint), RECEIPT_GOOD);
            receipt.has_payload = false;
            assert_int_equal(receipt_check(&receipt, &key, &checkpoint), RECEIPT_GOOD);
            ((uint8_t *)receipt.entry)[3] ^= 1;
            assert_int_equal(receipt_check(&receipt, &key, &checkpoint), RECEIPT_NOT_INCLUDED);
        }
        hub_clear(hub);
    }
    assert_true(place > 0);
    /* Each of these readings is an entry itself. */
    assert_true(tlog_status(hub)->last_place > last);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_entry_is_in_the_tree_in_order, setup, hub_teardown),
        cmocka_unit_test_setup_teardown(nothing_new_is_no_new_checkpoint, setup, hub_teardown),
        cmocka_unit_test_setup_teardown(what_was_rolled_back_is_not_in_the_tree, setup, hub_teardown),
        cmocka_unit_test_setup_teardown(entries_of_before_are_caught_up_with, setup, hub_teardown),
        cmocka_unit_test_setup_teardown(nothing_is_signed_that_is_not_durable, setup, hub_teardown),
        cmocka_unit_test_setup_teardown(a_crash_at_any_write_leaves_a_log_that_goes_on, setup, hub_teardown),
        cmocka_unit_test_setup_teardown(an_older_database_signs_nothing_until_told_why, setup, hub_teardown),
        cmocka_unit_test_setup_teardown(nothing_can_be_resumed_that_was_not_lost, setup, hub_teardown),
        cmocka_unit_test_setup_teardown(an_older_directory_or_none_signs_nothing, setup, hub_teardown),
        cmocka_unit_test_setup_teardown(another_hubs_checkpoint_signs_nothing, setup, hub_teardown),
        cmocka_unit_test_setup_teardown(a_changed_name_is_said_to_be_that, setup, hub_teardown),
        cmocka_unit_test_setup_teardown(a_receipt_is_checked_without_the_hub, setup, hub_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
