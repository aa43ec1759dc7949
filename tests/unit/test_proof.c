/* Proofs and receipts: what is written is read again, what is altered is not believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/proof.h"

enum { SIZE = 11, INDEX = 6 };

static const uint8_t entry[] = "an entry", payload[] = "what was submitted";
static uint8_t salt[LEAF_SALT_BYTES] = {1}, payload_salt[LEAF_SALT_BYTES] = {2}, content[LEAF_CONTENT_BYTES];
static struct merkle_hash leaves[SIZE];
static struct vkey key;
static char note[1024], text[TLOG_PROOF_MAX_BYTES];
static size_t text_size;

static bool node(void *ctx, unsigned level, uint64_t index, struct merkle_hash *hash)
{
    struct merkle_hash below[SIZE];
    (void)ctx;
    memcpy(below, &leaves[index << level], sizeof *below << level);
    merkle_fold(below, (size_t)1 << level, hash);
    return true;
}

/* A log in which leaf INDEX is the entry, its checkpoint, and the proof. */
static int setup(void **state)
{
    struct merkle_source source = {node, NULL};
    struct checkpoint checkpoint = {.origin = "log.example/2", .size = SIZE};
    struct tlog_proof proof = {.index = INDEX, .checkpoint = note};
    uint8_t secret[crypto_sign_SECRETKEYBYTES], public_key[crypto_sign_PUBLICKEYBYTES], data[LEAF_DATA_BYTES],
        signature[NOTE_SIGNATURE_BYTES];
    char signed_text[CHECKPOINT_BYTES], line[NOTE_LINE_BYTES];
    (void)state;
    crypto_sign_keypair(public_key, secret);
    assert_true(vkey_make(&key, "log.example", NOTE_ED25519, public_key));
    for (uint8_t i = 0; i < SIZE; i++)
        merkle_leaf(&i, 1, &leaves[i]);
    leaf_content(payload_salt, payload, sizeof payload, content);
    leaf_commitment(salt, entry, sizeof entry, content, data);
    merkle_leaf(data, sizeof data, &leaves[INDEX]);
    assert_true(merkle_root(&source, SIZE, &checkpoint.root));
    assert_true(merkle_prove_inclusion(&source, INDEX, SIZE, &proof.inclusion));
    size_t size = checkpoint_text(&checkpoint, signed_text);
    crypto_sign_detached(signature, NULL, (const uint8_t *)signed_text, size, secret);
    note_signature_line(&key, signature, line);
    proof.checkpoint_size = (size_t)snprintf(note, sizeof note, "%s\n%s", signed_text, line);
    text_size = tlog_proof_text(&proof, text, sizeof text);
    assert_true(text_size > 0);
    assert_int_equal(tlog_proof_text(&proof, text, 300), 0); /* no room */
    text_size = tlog_proof_text(&proof, text, sizeof text);
    return 0;
}

static struct receipt whole(void)
{
    struct receipt receipt = {.entry_salt = salt,
                              .entry = entry,
                              .entry_size = sizeof entry,
                              .has_payload = true,
                              .payload_salt = payload_salt,
                              .payload = payload,
                              .payload_size = sizeof payload,
                              .content = content};
    assert_true(tlog_proof_parse(text, text_size, &receipt.proof));
    return receipt;
}

static enum receipt_verdict verdict(const struct receipt *receipt)
{
    struct checkpoint checkpoint;
    return receipt_check(receipt, &key, &checkpoint);
}

static void a_receipt_is_good_with_and_without_its_payload(void **state)
{
    struct receipt receipt = whole();
    (void)state;
    assert_int_equal(verdict(&receipt), RECEIPT_GOOD);
    receipt.has_payload = false;
    assert_int_equal(verdict(&receipt), RECEIPT_GOOD);
}

static void every_bit_of_a_receipt_counts(void **state)
{
    uint8_t bytes[64];
    struct receipt good = whole();
    const struct {
        const uint8_t **field;
        const uint8_t *from;
        size_t size;
    } parts[] = {{&good.entry_salt, salt, sizeof salt},
                 {&good.entry, entry, sizeof entry},
                 {&good.payload_salt, payload_salt, sizeof payload_salt},
                 {&good.payload, payload, sizeof payload},
                 {&good.content, content, sizeof content}};
    (void)state;
    for (size_t p = 0; p < sizeof parts / sizeof *parts; p++) {
        *parts[p].field = bytes;
        for (size_t bit = 0; bit < 8 * parts[p].size; bit++) {
            memcpy(bytes, parts[p].from, parts[p].size);
            bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_int_equal(verdict(&good), RECEIPT_NOT_INCLUDED);
        }
        *parts[p].field = parts[p].from;
    }
    good.entry_size--;
    assert_int_equal(verdict(&good), RECEIPT_NOT_INCLUDED);
}

static void every_character_of_a_proof_counts(void **state)
{
    static char altered[sizeof text];
    struct receipt receipt = whole();
    (void)state;
    for (size_t i = 0; i < text_size; i++) {
        memcpy(altered, text, text_size);
        altered[i] ^= 1;
        if (tlog_proof_parse(altered, text_size, &receipt.proof) && verdict(&receipt) == RECEIPT_GOOD)
            fail_msg("character %zu of the proof can be another one:\n%s", i, altered);
    }
    for (size_t size = 0; size < text_size; size++) { /* an exact copy: a sanitizer sees what is read beyond it */
        char *cut = malloc(size + 1);
        memcpy(cut, text, size);
        assert_false(tlog_proof_parse(cut, size, &receipt.proof) && verdict(&receipt) == RECEIPT_GOOD);
        free(cut);
    }
}

static void extra_data_means_nothing(void **state)
{
    static char more[sizeof text + 64];
    struct receipt receipt = whole();
    size_t head = strlen("c2sp.org/tlog-proof@v1\n");
    (void)state;
    int size =
        snprintf(more, sizeof more, "%.*sextra AAAA\n%.*s", (int)head, text, (int)(text_size - head), text + head);
    assert_true(tlog_proof_parse(more, (size_t)size, &receipt.proof));
    assert_int_equal(verdict(&receipt), RECEIPT_GOOD);
}

static void the_origin_is_the_keys_with_a_number_at_most(void **state)
{
    static const struct {
        const char *origin;
        bool good;
    } cases[] = {{"log.example", true},     {"log.example/2", true},   {"log.example/17", true},
                 {"log.example/1", false},  {"log.example/02", false}, {"log.example/", false},
                 {"log.example/x", false},  {"log.example2", false},   {"log.exampl", false},
                 {"log.example/2/2", false}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(origin_of_key(cases[i].origin, &key), cases[i].good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_receipt_is_good_with_and_without_its_payload),
        cmocka_unit_test(every_bit_of_a_receipt_counts),
        cmocka_unit_test(every_character_of_a_proof_counts),
        cmocka_unit_test(extra_data_means_nothing),
        cmocka_unit_test(the_origin_is_the_keys_with_a_number_at_most),
    };
    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, setup, NULL);
}
