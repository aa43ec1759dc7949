/* Receipts as files: what the command hands out holds, and what others make of one is read in one way or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "receipt_file.h"

enum { PLACE = 1 }; /* the one entry of a log */

static uint8_t salt[LEAF_SALT_BYTES], payload_salt[LEAF_SALT_BYTES], content[LEAF_CONTENT_BYTES], entry[64];
static const uint8_t payload[] = "what was submitted";
static size_t entry_size;
static char key[VKEY_BYTES], proof[TLOG_PROOF_MAX_BYTES];
static Carehub__V1__ProveAnswer proved;

static void make_proof(const struct merkle_hash *root)
{
    struct checkpoint checkpoint = {.origin = "log.example", .size = 1, .root = *root};
    uint8_t secret[crypto_sign_SECRETKEYBYTES], public_key[crypto_sign_PUBLICKEYBYTES], signature[NOTE_SIGNATURE_BYTES];
    char text[CHECKPOINT_BYTES], line[NOTE_LINE_BYTES], note[1024];
    struct tlog_proof made = {.index = PLACE - 1, .checkpoint = note};
    struct vkey vkey;
    crypto_sign_keypair(public_key, secret);
    assert_true(vkey_make(&vkey, "log.example", NOTE_ED25519, public_key));
    vkey_text(&vkey, key);
    size_t size = checkpoint_text(&checkpoint, text);
    crypto_sign_detached(signature, NULL, (const uint8_t *)text, size, secret);
    note_signature_line(&vkey, signature, line);
    made.checkpoint_size = (size_t)snprintf(note, sizeof note, "%s\n%s", text, line);
    proof[tlog_proof_text(&made, proof, sizeof proof)] = '\0';
}

static void make(uint64_t place)
{
    Carehub__V1__Entry one = CAREHUB__V1__ENTRY__INIT;
    uint8_t data[LEAF_DATA_BYTES];
    struct merkle_hash leaf;
    one.place = place;
    entry_size = carehub__v1__entry__pack(&one, entry);
    memset(salt, 0xfb, sizeof salt); /* "+" and "/" in base64 */
    memset(payload_salt, 0xff, sizeof payload_salt);
    leaf_content(payload_salt, payload, sizeof payload, content);
    leaf_commitment(salt, entry, entry_size, content, data);
    merkle_leaf(data, sizeof data, &leaf);
    make_proof(&leaf);
    carehub__v1__prove_answer__init(&proved);
    proved.entry = (ProtobufCBinaryData){entry_size, entry};
    proved.salt = (ProtobufCBinaryData){sizeof salt, salt};
    proved.content = (ProtobufCBinaryData){sizeof content, content};
    proved.has_payload = true;
    proved.payload = (ProtobufCBinaryData){sizeof payload, (uint8_t *)payload};
    proved.payload_salt = (ProtobufCBinaryData){sizeof payload_salt, payload_salt};
    proved.proof = proof;
    proved.key = key;
}

static int setup(void **state)
{
    (void)state;
    make(PLACE);
    return 0;
}

/* The caller frees it. */
static char *text_of_proved(void)
{
    struct json_object *json = receipt_file_json(&proved);
    char *text = strdup(json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(json);
    return text;
}

static bool holds(void)
{
    char *text = text_of_proved();
    bool good = receipt_file_holds(text, key);
    free(text);
    return good;
}

static void only_what_holds_is_handed_out(void **state)
{
    (void)state;
    assert_true(holds());
    entry[entry_size - 1] ^= 2;
    assert_false(holds());
    make(PLACE);
    salt[0] ^= 1;
    assert_false(holds());
    make(PLACE);
    content[0] ^= 1;
    assert_false(holds());
    make(PLACE + 1); /* in the log, and its checkpoint signed, but it says that it is elsewhere */
    assert_false(holds());
    make(PLACE);
    proved.has_payload = false;
    assert_true(holds());
    key[strlen(key) - 5] ^= 1;
    assert_false(holds());
}

/* What is in the text, replaced once. The caller frees it. */
static char *with(const char *text, const char *what, const char *by)
{
    const char *at = strstr(text, what);
    char *changed;
    assert_non_null(at);
    assert_true(asprintf(&changed, "%.*s%s%s", (int)(at - text), text, by, at + strlen(what)) > 0);
    return changed;
}

static void a_receipt_is_read_in_one_way_only(void **state)
{
    static const struct {
        const char *what, *by;
        bool good;
    } cases[] = {
        {"\"payload\"", "\"paylmad\"", false}, /* no name of a receipt's */
        {"\"payload\"", "\"payloae\"", false},
        {"\"payloadSalt\"", "\"readable\"", false}, /* … which is then there twice, and the salt is missing */
        {"\"payload\":", "\"payload\":\"AAAA\",\"payload\":", false},
        {"\"proof\":", "\"payload\":\"AAAA\",\"proof\":", false},
        {"\"payload\":", "\"payl\\u006fad\":", false},
        {"\"payload\":", "\"payl\\u006fad\":\"AAAA\",\"payload\":", false},
        {"\"readable\":{", "\"readable\":{\"payload\":\"x\",\"payload\":[\"{\",{\"a\\\"\":1}],", true},
        {"\"key\":", "\"more\":1,\"key\":", false},
        {"+/v7", "-_v7", false},
        {"/8=\"", "/8\"", false},
        {"\"receipt\":", " \n\t\"receipt\" : ", true},
        {"{\"receipt\"", "{'receipt'", false},
    };
    char *text = text_of_proved();
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *changed = with(text, cases[i].what, cases[i].by);
        if (receipt_file_holds(changed, key) != cases[i].good)
            fail_msg("%s for %s: %s", cases[i].by, cases[i].what, cases[i].good ? "refused" : "taken");
        free(changed);
    }
    free(text);
}

static void payload_and_its_salt_are_there_together_or_not_at_all(void **state)
{
    static const char *const names[] = {"payload", "payloadSalt"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct json_object *json = receipt_file_json(&proved);
        json_object_object_del(json, names[i]);
        assert_false(receipt_file_holds(json_object_to_json_string(json), key));
        json_object_object_del(json, names[1 - i]);
        assert_true(receipt_file_holds(json_object_to_json_string(json), key));
        json_object_put(json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(only_what_holds_is_handed_out, setup),
        cmocka_unit_test_setup(a_receipt_is_read_in_one_way_only, setup),
        cmocka_unit_test_setup(payload_and_its_salt_are_there_together_or_not_at_all, setup),
    };
    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
