// What is kept of FHIR subscriptions on disk. Persons and numbers are invented.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "subscription_store.h"

#define NOW_MS INT64_C(1772400000000) // 1 March 2026, 21:20 UTC

// A subscription whose receiver wants a header.
static struct subscription_resource *read_resource(const char *secret)
{
    struct problems problems = {0};
    char text[1024];
    snprintf(text, sizeof text,
             "{\"resourceType\":\"Subscription\",\"status\":\"requested\",\"reason\":\"test\","
             "\"criteria\":\"urn:carehub:topic:all\",\"channel\":{\"type\":\"rest-hook\","
             "\"endpoint\":\"https://ehr.example/hook\",\"payload\":\"application/fhir+json\","
             "\"header\":[\"Authorization: %s\"],\"_payload\":{\"extension\":[{\"url\":\"" BACKPORT_DEFINITION
             "backport-payload-content\",\"valueCode\":\"id-only\"}]}}}",
             secret);
    struct subscription_resource *resource = subscription_read(text, strlen(text), &problems);
    assert_non_null(resource);
    return resource;
}

static char dir[64];

static int make_dir(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/test_subscription.XXXXXX");
    return mkdtemp(dir) == NULL;
}

static int remove_dir(void **state)
{
    static const char *const names[] = {"subscriptions.db", "subscriptions.db-wal", "subscriptions.db-shm",
                                        "subscriptions.key"};
    char path[128];
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    return rmdir(dir);
}

static struct subscription_store *open_store(void)
{
    char error[STORE_ERROR_BYTES];
    struct subscription_store *store = store_open(dir, error);
    if (!store)
        fail_msg("%s", error);
    return store;
}

static struct store_record make_record(const char *id, const char *inbox)
{
    struct store_record record = {.version = 1, .updated_ms = NOW_MS, .resource = read_resource("x")};
    snprintf(record.id, sizeof record.id, "%s", id);
    snprintf(record.inbox, sizeof record.inbox, "%s", inbox);
    snprintf(record.actor, sizeof record.actor, "thuiszorg-noord");
    return record;
}

static enum store_put put(struct subscription_store *store, struct store_record *record, uint8_t id, uint64_t delivery,
                          uint64_t *number)
{
    struct store_event event = {.id = {id}, .delivery = delivery, .made_ms = NOW_MS + id};
    snprintf(event.type, sizeof event.type, "Bundle");
    event.event = (uint8_t *)strdup("event-Voorbeeld-71");
    event.event_len = strlen("event-Voorbeeld-71");
    event.document = strdup("{\"resourceType\":\"Bundle\"}");
    event.document_len = strlen(event.document);
    assert_true(store_begin(store));
    enum store_put result = store_put_event(store, record, &event);
    assert_true(store_commit(store));
    *number = event.number;
    store_event_clear(&event);
    return result;
}

#define ID_A "0190d000-0000-7000-8000-00000000000a"
#define ID_B "0190d000-0000-7000-8000-00000000000b"

static void subscriptions_survive_with_all_they_say(void **state)
{
    struct subscription_store *store = open_store();
    struct store_record a = make_record(ID_A, "x.fhir-1"), b = make_record(ID_B, "x.fhir-2"), found;
    bool damaged;
    (void)state;
    assert_true(store_add(store, &a));
    assert_true(store_add(store, &b));
    b.status = SUBSCRIPTION_ERROR;
    b.shaken = true;
    b.inbox_is = STORE_INBOX_THERE;
    b.version = 7;
    snprintf(b.error, sizeof b.error, "http-503");
    assert_true(store_update(store, &b));
    store_close(&store);

    store = open_store();
    assert_true(store_next(store, 0, &found, &damaged));
    assert_string_equal(found.id, ID_A);
    assert_string_equal(found.resource->endpoint, "https://ehr.example/hook");
    subscription_destroy(&found.resource);
    assert_true(store_next(store, found.key, &found, &damaged));
    assert_string_equal(found.id, ID_B);
    assert_string_equal(found.inbox, "x.fhir-2");
    assert_string_equal(found.error, "http-503");
    assert_int_equal(found.status, SUBSCRIPTION_ERROR);
    assert_int_equal(found.inbox_is, STORE_INBOX_THERE);
    assert_true(found.shaken);
    assert_int_equal(found.version, 7);
    subscription_destroy(&found.resource);
    assert_true(store_remove(store, a.key));
    assert_true(store_next(store, 0, &found, &damaged));
    assert_string_equal(found.id, ID_B);
    subscription_destroy(&found.resource);
    assert_false(store_next(store, found.key, &found, &damaged));
    assert_false(damaged);
    subscription_destroy(&a.resource);
    subscription_destroy(&b.resource);
    store_close(&store);
}

static void numbers_have_no_gaps_and_stay_with_their_event(void **state)
{
    struct subscription_store *store = open_store();
    struct store_record a = make_record(ID_A, "x.fhir-1"), b = make_record(ID_B, "x.fhir-2");
    struct store_event event;
    uint64_t number;
    (void)state;
    assert_true(store_add(store, &a) && store_add(store, &b));
    for (uint8_t i = 1; i <= 20; i++) {
        assert_int_equal(put(store, &a, i, i, &number), STORE_NEW);
        assert_int_equal(number, i);
        assert_int_equal(a.events, i);
    }
    assert_int_equal(put(store, &b, 5, 1, &number), STORE_NEW);
    assert_int_equal(number, 1);
    assert_int_equal(put(store, &a, 5, 31, &number), STORE_AGAIN); // under a new delivery
    assert_int_equal(number, 5);
    assert_true(store_delivered(store, a.key, 5));
    assert_int_equal(put(store, &a, 5, 32, &number), STORE_DELIVERED);
    store_close(&store);

    store = open_store();
    assert_int_equal(put(store, &a, 21, 21, &number), STORE_NEW);
    assert_int_equal(number, 21);
    assert_true(store_event_from(store, a.key, 5, &event));
    assert_int_equal(event.number, 5);
    assert_int_equal(event.delivery, 31);
    assert_string_equal(event.document, "{\"resourceType\":\"Bundle\"}");
    store_event_clear(&event);
    assert_false(store_event_from(store, a.key, 22, &event));
    subscription_destroy(&a.resource);
    subscription_destroy(&b.resource);
    store_close(&store);
}

static void a_lost_transaction_leaves_no_number_behind(void **state)
{
    struct subscription_store *store = open_store();
    struct store_record a = make_record(ID_A, "x.fhir-1");
    struct store_event event = {.id = {1}, .delivery = 1};
    uint64_t number;
    (void)state;
    assert_true(store_add(store, &a));
    assert_true(store_begin(store));
    assert_int_equal(store_put_event(store, &a, &event), STORE_NEW);
    store_rollback(store);
    a.events = 0;
    assert_int_equal(put(store, &a, 2, 2, &number), STORE_NEW);
    assert_int_equal(number, 1);
    subscription_destroy(&a.resource);
    store_close(&store);
}

static void what_is_withdrawn_keeps_its_number_without_content(void **state)
{
    struct subscription_store *store = open_store();
    struct store_record a = make_record(ID_A, "x.fhir-1");
    struct store_event event;
    uint64_t number;
    (void)state;
    assert_true(store_add(store, &a));
    for (uint8_t i = 1; i <= 4; i++)
        put(store, &a, i, i, &number);
    assert_true(store_delivered(store, a.key, 2));
    assert_true(store_withdraw(store, a.key, 0, 2, 3));
    for (uint64_t i = 1; i <= 4; i++) {
        assert_true(store_event_from(store, a.key, i, &event));
        assert_int_equal(event.number, i);
        assert_int_equal(event.document == NULL, i == 3); // what was delivered is delivered
        assert_int_equal(event.event == NULL, i == 3);
        store_event_clear(&event);
    }
    assert_int_equal(put(store, &a, 3, 9, &number), STORE_AGAIN); // an operator has put it back
    assert_int_equal(number, 3);
    assert_true(store_event_from(store, a.key, 3, &event));
    assert_non_null(event.document);
    store_event_clear(&event);
    subscription_destroy(&a.resource);
    store_close(&store);
}

static void the_store_is_bounded_by_age_and_number(void **state)
{
    struct subscription_store *store = open_store();
    struct store_record a = make_record(ID_A, "x.fhir-1");
    struct store_event event;
    uint64_t number;
    (void)state;
    assert_true(store_add(store, &a));
    for (uint8_t i = 1; i <= 20; i++)
        put(store, &a, i, i, &number);
    for (uint64_t i = 1; i <= 20; i++)
        if (i != 7)
            assert_true(store_delivered(store, a.key, i));
    assert_int_equal(store_prune(store, NOW_MS + 4, 10), 3 + 6); // 1 to 3 are old; 4 to 10 but for 7, which waits
    assert_true(store_event_from(store, a.key, 1, &event));
    assert_int_equal(event.number, 7);
    store_event_clear(&event);
    assert_true(store_event_from(store, a.key, 8, &event));
    assert_int_equal(event.number, 11);
    store_event_clear(&event);
    subscription_destroy(&a.resource);
    store_close(&store);
}

static void nothing_is_readable_on_disk(void **state)
{
    static const char *const secrets[] = {"Voorbeeld-71", "Bearer abc", "ehr.example"};
    struct subscription_store *store = open_store();
    struct store_record a = make_record(ID_A, "x.fhir-1");
    static char content[1 << 20];
    char command[256];
    uint64_t number;
    (void)state;
    subscription_destroy(&a.resource);
    a.resource = read_resource("Bearer abc");
    assert_true(store_add(store, &a));
    put(store, &a, 1, 1, &number);
    static const char *const files[] = {"subscriptions.db", "subscriptions.db-wal"};
    for (size_t f = 0; f < 2; f++) {
        snprintf(command, sizeof command, "%s/%s", dir, files[f]);
        FILE *file = fopen(command, "r");
        size_t len = file ? fread(content, 1, sizeof content, file) : 0;
        for (size_t s = 0; s < sizeof secrets / sizeof secrets[0]; s++)
            assert_null(memmem(content, len, secrets[s], strlen(secrets[s])));
        if (file)
            fclose(file);
    }
    subscription_destroy(&a.resource);
    store_close(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(subscriptions_survive_with_all_they_say, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(numbers_have_no_gaps_and_stay_with_their_event, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(a_lost_transaction_leaves_no_number_behind, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(what_is_withdrawn_keeps_its_number_without_content, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(the_store_is_bounded_by_age_and_number, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(nothing_is_readable_on_disk, make_dir, remove_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
