/* What witnesses say of the audit log: their cosignatures are published before it is said that they are, and that one
 * refuses the log is shown, and lets it be begun anew. */
#include "tlog_fixture.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/note.h"

#define DASH "\xe2\x80\x94 "
#define NAME "w.example"

static struct {
    struct vkey key;
    char text[VKEY_BYTES];
    uint8_t secret[crypto_sign_SECRETKEYBYTES];
} witness;

static int setup(void **state)
{
    uint8_t public_key[crypto_sign_PUBLICKEYBYTES];
    crypto_sign_keypair(public_key, witness.secret);
    assert_true(vkey_make(&witness.key, NAME, NOTE_COSIGNATURE, public_key));
    int failed = hub_setup(state);
    struct hub *hub = *state;
    snprintf(hub->tlog, sizeof hub->tlog, "%s/log", hub->directory);
    hub->witness = (struct core_witness){vkey_text(&witness.key, witness.text), "http://" NAME};
    hub_crash(hub);
    hub_region(hub);
    tlog_pass(hub, 2000);
    return failed;
}

/* The hub's checkpoint with a line of the witness, as tlog-cosignature describes it. */
static char *cosigned(struct hub *hub, int64_t at_ms)
{
    static char whole[4096];
    const char *checkpoint = hub_ask(hub, "{\"checkpoint\": {}}")->checkpoint->checkpoint;
    char message[2048], base64[112];
    uint8_t bytes[4 + 8 + 64];
    uint64_t time = (uint64_t)(at_ms / 1000);
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(witness.key.id >> (24 - 8 * i));
    for (int i = 0; i < 8; i++)
        bytes[4 + i] = (uint8_t)(time >> (56 - 8 * i));
    int text = (int)(strstr(checkpoint, "\n\n") + 1 - checkpoint);
    int size = snprintf(message, sizeof message, "cosignature/v1\ntime %llu\n%.*s", (unsigned long long)time, text,
                        checkpoint);
    crypto_sign_detached(bytes + 12, NULL, (const uint8_t *)message, (unsigned long long)size, witness.secret);
    base64_write(bytes, sizeof bytes, base64);
    snprintf(whole, sizeof whole, "%s" DASH NAME " %s\n", checkpoint, base64);
    return whole;
}

/* Hands it to the hub, with a refusal if there is one; does not wait for the answer. */
static void bring(struct hub *hub, char *checkpoint, Carehub__V1__WitnessRefusal *refusal)
{
    Carehub__V1__CosignedQuery what = CAREHUB__V1__COSIGNED_QUERY__INIT;
    Carehub__V1__Query query = CAREHUB__V1__QUERY__INIT;
    Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
    what.checkpoint = checkpoint;
    what.n_refusals = refusal != NULL;
    what.refusals = &refusal;
    query.ref = ++hub->ref;
    query.query_case = CAREHUB__V1__QUERY__QUERY_COSIGNED;
    query.cosigned = &what;
    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_QUERY;
    message.query = &query;
    hub_clear(hub);
    hub_handle(hub, OPERATOR, &message);
}

/* The answer to the last question; NULL: it has not come yet. */
static const Carehub__V1__Answer *answered(const struct hub *hub)
{
    for (size_t i = 0; i < hub->n_sent; i++) {
        const Carehub__V1__ToClient *message = hub->sent[i].message;
        if (message->message_case == CAREHUB__V1__TO_CLIENT__MESSAGE_ANSWER && message->answer->ref == hub->ref)
            return message->answer;
    }
    return NULL;
}

static const Carehub__V1__Answer *answer(struct hub *hub)
{
    for (int i = 0; i < 20 && !answered(hub); i++, hub->now_ms += 100)
        hub_commit(hub);
    assert_non_null(answered(hub));
    return answered(hub);
}

static bool file_has(const struct hub *hub, const char *name, const char *what)
{
    char path[200], text[4096] = "";
    snprintf(path, sizeof path, "%s/%s", hub->tlog, name);
    FILE *file = fopen(path, "r");
    bool has = file && fread(text, 1, sizeof text - 1, file) > 0 && strstr(text, what);
    if (file)
        fclose(file);
    return has;
}

/* ---- Cosignatures ----------------------------------------------------------------------------------------------- */

static void a_cosignature_is_acknowledged_when_it_is_published(void **state)
{
    struct hub *hub = *state;
    int64_t at_ms = hub->now_ms;
    bring(hub, cosigned(hub, at_ms), NULL);
    for (; !answered(hub); hub->now_ms += 100) {
        assert_true(hub->now_ms < at_ms + 10000);
        hub_commit(hub);
    }
    assert_int_equal(answered(hub)->cosigned->witnesses, 1);
    assert_true(file_has(hub, "checkpoint.witnessed", NAME));
    assert_true(file_has(hub, "checkpoint", NAME));
    hub_crash(hub); /* and it is there after a crash */
    tlog_pass(hub, 1000);
    const Carehub__V1__StatusAnswer *status = tlog_status(hub);
    assert_int_equal(status->witnesses, 1);
    assert_int_equal(status->witnessed_ms, at_ms / 1000 * 1000);
    assert_true(status->witnessed_size > 0);
}

static void a_cosignature_that_cannot_be_published_is_not_acknowledged(void **state)
{
    struct hub *hub = *state;
    char path[200];
    snprintf(path, sizeof path, "%s/checkpoint.witnessed", hub->tlog);
    assert_int_equal(mkdir(path, 0700), 0); /* no file can be put there */
    bring(hub, cosigned(hub, hub->now_ms), NULL);
    assert_non_null(strstr(answer(hub)->error->text, "could not be published"));
    assert_int_equal(rmdir(path), 0);
}

static void of_two_at_once_one_is_told_to_come_again(void **state)
{
    struct hub *hub = *state;
    char *checkpoint = cosigned(hub, hub->now_ms);
    bring(hub, checkpoint, NULL);
    bring(hub, checkpoint, NULL);
    assert_int_equal(answer(hub)->error->code, CAREHUB__V1__ERROR_CODE__BUSY);
    tlog_pass(hub, 1000);
    bring(hub, checkpoint, NULL);
    assert_int_equal(answer(hub)->cosigned->witnesses, 1);
}

static void a_cosignature_of_another_time_is_refused(void **state)
{
    static const int64_t away_ms[] = {-3 * 365 * 86400000LL, -2 * 86400000LL, 2 * 86400000LL, 3 * 365 * 86400000LL};
    struct hub *hub = *state;
    for (size_t i = 0; i < sizeof away_ms / sizeof *away_ms; i++) {
        bring(hub, cosigned(hub, hub->now_ms + away_ms[i]), NULL);
        assert_int_equal(answer(hub)->error->code, CAREHUB__V1__ERROR_CODE__INVALID);
    }
    bring(hub, cosigned(hub, 0), NULL);
    assert_int_equal(answer(hub)->error->code, CAREHUB__V1__ERROR_CODE__INVALID);
    assert_false(file_has(hub, "checkpoint.witnessed", NAME));
}

/* ---- Refusals --------------------------------------------------------------------------------------------------- */

static void refuses(struct hub *hub, const char *name, uint64_t size, bool forked)
{
    Carehub__V1__WitnessRefusal refusal = CAREHUB__V1__WITNESS_REFUSAL__INIT;
    refusal.witness = (char *)name;
    refusal.size = size;
    refusal.forked = forked;
    bring(hub, (char *)"", &refusal);
    assert_int_equal(answer(hub)->cosigned->witnesses, 0);
    hub_clear(hub);
}

static const char *complaint(struct hub *hub)
{
    hub_clear(hub);
    return tlog_status(hub)->witness_refuses;
}

static void that_a_witness_refuses_is_shown_until_it_cosigns(void **state)
{
    struct hub *hub = *state;
    uint64_t size = tlog_status(hub)->checkpoint_size;
    refuses(hub, NAME, size, false); /* whoever asked it was late: nothing is missing here */
    refuses(hub, "another.example", size + 10, true);
    assert_string_equal(complaint(hub), "");
    refuses(hub, NAME, size + 10, false);
    assert_non_null(strstr(complaint(hub), NAME " has seen a checkpoint of"));
    bring(hub, cosigned(hub, hub->now_ms), NULL);
    assert_int_equal(answer(hub)->cosigned->witnesses, 1);
    assert_string_equal(complaint(hub), "");
    refuses(hub, NAME, size, true);
    assert_non_null(strstr(complaint(hub), "is not the beginning of this log"));
}

/* An older copy of hub and directory together: here nothing shows it, the witness does. */
static void what_a_witness_refuses_can_be_begun_anew(void **state)
{
    static const char RESUMED[] = "{\"logResumed\": {\"reason\": \"a snapshot was put back\"}}";
    struct hub *hub = *state;
    char second[128];
    snprintf(second, sizeof second, "%s/2", hub->tlog);
    assert_int_equal(hub_fact(hub, RESUMED)->status, CAREHUB__V1__CONFIRMATION__STATUS__REJECTED);
    uint64_t size = tlog_status(hub)->checkpoint_size;
    refuses(hub, NAME, size + 3, false);
    assert_int_equal(hub_fact(hub, RESUMED)->status, CAREHUB__V1__CONFIRMATION__STATUS__CONFIRMED);
    tlog_pass(hub, 3000);
    assert_string_equal(complaint(hub), "");
    tlog_assert_sound(second);
    tlog_assert_leaves(hub, second);
    tlog_assert_sound(hub->tlog); /* what was published stays as it is */
    hub_clear(hub);
    bring(hub, cosigned(hub, hub->now_ms), NULL);
    assert_int_equal(answer(hub)->cosigned->witnesses, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, hub_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_cosignature_is_acknowledged_when_it_is_published),
        TEST(a_cosignature_that_cannot_be_published_is_not_acknowledged),
        TEST(of_two_at_once_one_is_told_to_come_again),
        TEST(a_cosignature_of_another_time_is_refused),
        TEST(that_a_witness_refuses_is_shown_until_it_cosigns),
        TEST(what_a_witness_refuses_can_be_begun_anew),
    };
    return cmocka_run_group_tests_name("tlog_witness", tests, NULL, NULL);
}
