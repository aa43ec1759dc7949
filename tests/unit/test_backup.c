/* Backups: made while events come in, and put back; nothing but a whole and sound one of this hub is. */
#include "core_fixture.h"
#include "core/core_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "keeping/backup_file.h"
#include "keeping/restore.h"

#define CONFIRMED CAREHUB__V1__CONFIRMATION__STATUS__CONFIRMED

/* ---- As an operator's client does it ---------------------------------------------------------------------------- */

static const Carehub__V1__Answer *ask_backup(struct hub *hub, const Carehub__V1__BackupQuery *asked)
{
    Carehub__V1__Query query = CAREHUB__V1__QUERY__INIT;
    Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
    query.ref = ++hub->ref;
    query.query_case = CAREHUB__V1__QUERY__QUERY_BACKUP;
    query.backup = (Carehub__V1__BackupQuery *)asked;
    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_QUERY;
    message.query = &query;
    hub_clear(hub);
    hub_handle(hub, OPERATOR, &message);
    hub_commit(hub);
    for (size_t i = hub->n_sent; i-- > 0;)
        if (hub->sent[i].message->message_case == CAREHUB__V1__TO_CLIENT__MESSAGE_ANSWER &&
            hub->sent[i].message->answer->ref == hub->ref)
            return hub->sent[i].message->answer;
    fail_msg("no answer");
    return NULL;
}

struct fetched {
    uint8_t id[16];
    uint8_t *bytes;
    size_t size;
    uint64_t place;
};

static void begin(struct hub *hub, struct fetched *fetched)
{
    Carehub__V1__BackupQuery asked = CAREHUB__V1__BACKUP_QUERY__INIT;
    const Carehub__V1__Answer *answer = ask_backup(hub, &asked);
    assert_null(answer->error);
    memcpy(fetched->id, answer->backup->id.data, sizeof fetched->id);
    fetched->bytes = malloc(64 << 20);
    fetched->size = 0;
}

static void fetch(struct hub *hub, struct fetched *fetched)
{
    Carehub__V1__BackupQuery asked = CAREHUB__V1__BACKUP_QUERY__INIT;
    asked.id = (ProtobufCBinaryData){sizeof fetched->id, fetched->id};
    uint64_t size = 0;
    for (int i = 0; i < 100000 && (size == 0 || fetched->size < size); i++) {
        asked.offset = fetched->size;
        const Carehub__V1__Answer *answer = ask_backup(hub, &asked);
        assert_null(answer->error);
        size = answer->backup->size;
        fetched->place = answer->backup->place;
        memcpy(fetched->bytes + fetched->size, answer->backup->piece.data, answer->backup->piece.len);
        fetched->size += answer->backup->piece.len;
        assert_true(size == 0 || answer->backup->next_offset == fetched->size);
    }
    assert_int_equal(fetched->size, size);
    asked.offset = fetched->size;
    asked.end = true;
    assert_null(ask_backup(hub, &asked)->error);
}

/* ---- Putting back ----------------------------------------------------------------------------------------------- */

static void write_file(const char *path, const uint8_t *bytes, size_t size)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    fclose(file);
}

static bool put_back(struct hub *hub, const uint8_t *bytes, size_t size, struct restore *restore)
{
    char path[128], error[CORE_ERROR_BYTES] = "";
    snprintf(path, sizeof path, "%s/x.backup", hub->directory);
    write_file(path, bytes, size);
    *restore = (struct restore){.backup_path = path, .database_path = hub->database, .master_key = hub->master_key};
    bool good = core_restore(restore, error);
    assert_true(good == (error[0] == '\0'));
    unlink(path);
    return good;
}

static uint64_t last_place(struct hub *hub)
{
    return hub_ask(hub, "{\"status\":{}}")->status->last_place;
}

static void restart(struct hub *hub)
{
    hub_open(hub);
    for (session_id session = OPERATOR; session < SESSIONS; session++)
        hub_hello(hub, session);
}

/* An event of some size, so that the database has several chunks. */
static void publish_long(struct hub *hub, uint8_t id)
{
    char json[6000];
    snprintf(json, sizeof json,
             "{\"type\":\"HOSPITAL_DISCHARGE\",\"patient\":{\"identifiers\":[{\"system\":\"ssin\",\"value\":"
             "\"38041299949\"}]},\"occurredAt\":{\"unixMs\":\"1795300000000\"},\"hospitalDischarge\":"
             "{\"encounterId\":\"E1\",\"note\":\"%04000d\"}}",
             7);
    assert_int_equal(hub_publish(hub, HOSPITAL, id, json)->status, CONFIRMED);
}

/* ---- The tests -------------------------------------------------------------------------------------------------- */

static void what_was_backed_up_while_events_came_in_comes_back(void **state)
{
    struct hub *hub = *state;
    struct fetched fetched;
    struct restore restore;
    hub_region(hub);
    for (uint8_t id = 1; id <= 40; id++)
        hub_publish(hub, HOSPITAL, id, DISCHARGE);
    begin(hub, &fetched);
    for (uint8_t id = 41; id <= 60; id++) /* between the steps of the copying */
        assert_int_equal(hub_publish(hub, HOSPITAL, id, DISCHARGE)->status, CONFIRMED);
    fetch(hub, &fetched);
    assert_true(hub_ask(hub, "{\"status\":{}}")->status->backed_up_ms > 0);
    uint64_t behind = hub_publish(hub, HOSPITAL, 61, DISCHARGE)->place;
    assert_true(fetched.place < behind);

    core_close(&hub->core);
    char keyring[128];
    struct stat before, after;
    snprintf(keyring, sizeof keyring, "%s.keyring", hub->database);
    assert_int_equal(stat(keyring, &before), 0);
    assert_true(put_back(hub, fetched.bytes, fetched.size, &restore));
    assert_int_equal(stat(keyring, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino); /* the hub's keyring was not touched, nor given another name */
    assert_memory_equal(&before.st_ctim, &after.st_ctim, sizeof before.st_ctim);
    snprintf(keyring, sizeof keyring, "%s.restoring.keyring", hub->database);
    assert_int_equal(access(keyring, F_OK), -1);
    assert_int_equal(restore.place, fetched.place);
    assert_int_equal(access(restore.replaced, R_OK), 0);
    restart(hub);
    assert_int_equal(last_place(hub), fetched.place);
    hub_attach(hub, GP, "gp", 1000);
    assert_true(hub_deliveries(hub, GP) >= 40);
    assert_int_equal(hub_publish(hub, HOSPITAL, 61, DISCHARGE)->status, CONFIRMED); /* it is not in it */
    unlink(restore.replaced);
    free(fetched.bytes);
}

static void a_backup_that_was_changed_anywhere_is_refused_and_changes_nothing(void **state)
{
    struct hub *hub = *state;
    struct fetched fetched;
    struct restore restore;
    hub_region(hub);
    for (uint8_t id = 1; id <= 200; id++)
        publish_long(hub, id);
    begin(hub, &fetched);
    fetch(hub, &fetched);
    uint64_t place = last_place(hub);
    core_close(&hub->core);
    for (size_t at = 0; at < fetched.size; at += at < 200 ? 1 : fetched.size / 37) {
        fetched.bytes[at] ^= 1;
        assert_false(put_back(hub, fetched.bytes, fetched.size, &restore));
        fetched.bytes[at] ^= 1;
    }
    size_t chunk = BACKUP_SEALED_CHUNK_BYTES;
    assert_true(fetched.size > 2 * chunk);
    for (size_t cut = 1; cut < 5; cut++)
        assert_false(put_back(hub, fetched.bytes, cut * fetched.size / 5, &restore));
    assert_false(put_back(hub, fetched.bytes, fetched.size - fetched.size % chunk, &restore));
    hub->master_key[0] ^= 1;
    assert_false(put_back(hub, fetched.bytes, fetched.size, &restore));
    hub->master_key[0] ^= 1;
    restart(hub);
    assert_int_equal(last_place(hub), place);
    free(fetched.bytes);
}

static void a_backup_of_a_hub_that_no_longer_keeps_all_entries_comes_back(void **state)
{
    struct hub *hub = *state;
    struct fetched fetched;
    struct restore restore;
    hub_region(hub);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    assert_int_equal(sqlite3_exec(store_database(hub->core->store),
                                  "DELETE FROM entry WHERE place <= 10;"
                                  "INSERT OR REPLACE INTO number VALUES ('pruned-place', 10)",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    begin(hub, &fetched);
    fetch(hub, &fetched);
    core_close(&hub->core);
    assert_true(put_back(hub, fetched.bytes, fetched.size, &restore));
    restart(hub);
    assert_int_equal(last_place(hub), fetched.place);
    unlink(restore.replaced);
    free(fetched.bytes);
}

static void a_sealed_backup_of_a_damaged_database_is_refused(void **state)
{
    struct hub *hub = *state;
    struct fetched fetched;
    struct restore restore;
    sqlite3 *db;
    hub->damaged = true;
    hub_region(hub);
    hub_publish(hub, HOSPITAL, 1, DISCHARGE);
    core_close(&hub->core);
    assert_int_equal(sqlite3_open(hub->database, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "UPDATE entry SET payload = zeroblob(length(payload)) WHERE place = 3", NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
    restart(hub);
    begin(hub, &fetched);
    fetch(hub, &fetched);
    core_close(&hub->core);
    assert_false(put_back(hub, fetched.bytes, fetched.size, &restore));
    restart(hub);
    free(fetched.bytes);
}

static void a_backup_ends_with_its_session_and_only_one_is_made_at_a_time(void **state)
{
    struct hub *hub = *state;
    struct fetched fetched;
    Carehub__V1__BackupQuery asked = CAREHUB__V1__BACKUP_QUERY__INIT;
    hub_region(hub);
    begin(hub, &fetched);
    assert_int_equal(ask_backup(hub, &asked)->error->code, CAREHUB__V1__ERROR_CODE__BUSY);
    core_session_gone(hub->core, OPERATOR, (struct core_time){hub->now_ms, hub->now_ms - 1000000});
    hub_commit(hub);
    hub_hello(hub, OPERATOR);
    asked.id = (ProtobufCBinaryData){sizeof fetched.id, fetched.id};
    assert_int_equal(ask_backup(hub, &asked)->error->code, CAREHUB__V1__ERROR_CODE__UNKNOWN_NAME);
    free(fetched.bytes);
    begin(hub, &fetched);
    fetch(hub, &fetched);
    free(fetched.bytes);
}

static void header_is_read_in_its_one_form_only(void **state)
{
    (void)state;
    struct backup_header header = {.hub = "my-region", .epoch = 3, .place = 123, .taken_ms = 1795300000000}, read;
    char text[BACKUP_HEADER_MAX_BYTES];
    size_t size = backup_header_write(&header, text);
    assert_int_equal(backup_header_read(text, size, &read), size);
    assert_memory_equal(&read, &header, sizeof read);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(backup_header_read(text, i, &read), 0);
    text[strlen("carehub backup ")] = '2';
    assert_int_equal(backup_header_read(text, size, &read), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, hub_setup, hub_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_backed_up_while_events_came_in_comes_back),
        TEST(a_backup_that_was_changed_anywhere_is_refused_and_changes_nothing),
        TEST(a_backup_of_a_hub_that_no_longer_keeps_all_entries_comes_back),
        TEST(a_sealed_backup_of_a_damaged_database_is_refused),
        TEST(a_backup_ends_with_its_session_and_only_one_is_made_at_a_time),
        cmocka_unit_test(header_is_read_in_its_one_form_only),
    };
    return cmocka_run_group_tests_name("backup", tests, NULL, NULL);
}
