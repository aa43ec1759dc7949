/* Signed notes, checkpoints and cosignatures: the specifications' own examples, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/note.h"

#define DASH "\xe2\x80\x94 "

/* C2SP signed-note, "Example". */
static const char example_key[] = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
static const char example[] =
    "This is an example message.\n\n" DASH "example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

/* A signature line of some key, of 4 + 64 bytes of zeroes. */
#define ZEROES "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="

struct signer {
    struct vkey key;
    uint8_t secret[crypto_sign_SECRETKEYBYTES];
};

static struct signer signer_of(const char *name, enum note_key_type type)
{
    struct signer signer;
    uint8_t public_key[crypto_sign_PUBLICKEYBYTES];
    crypto_sign_keypair(public_key, signer.secret);
    assert_true(vkey_make(&signer.key, name, type, public_key));
    return signer;
}

static void sign(const struct signer *signer, const char *text, char line[NOTE_LINE_BYTES])
{
    uint8_t signature[NOTE_SIGNATURE_BYTES];
    crypto_sign_detached(signature, NULL, (const uint8_t *)text, strlen(text), signer->secret);
    note_signature_line(&signer->key, signature, line);
}

/* A cosignature as tlog-cosignature describes it, with nothing of the code under test but the base64. */
static void cosign(const struct signer *signer, const char *text, uint64_t time, char line[NOTE_LINE_BYTES])
{
    char message[1024], base64[112];
    uint8_t bytes[4 + 8 + 64];
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(signer->key.id >> (24 - 8 * i));
    for (int i = 0; i < 8; i++)
        bytes[4 + i] = (uint8_t)(time >> (56 - 8 * i));
    int size = snprintf(message, sizeof message, "cosignature/v1\ntime %llu\n%s", (unsigned long long)time, text);
    crypto_sign_detached(bytes + 12, NULL, (const uint8_t *)message, (unsigned long long)size, signer->secret);
    base64_write(bytes, sizeof bytes, base64);
    snprintf(line, NOTE_LINE_BYTES, DASH "%.200s %s\n", signer->key.name, base64);
}

static bool parses(const char *text)
{
    struct note note;
    char *exact = malloc(strlen(text)); /* so that a sanitizer sees what is read beyond it */
    memcpy(exact, text, strlen(text));
    bool good = note_parse(exact, strlen(text), &note);
    free(exact);
    return good;
}

/* ---- Notes ------------------------------------------------------------------------------------------------------ */

static void the_example_of_the_specification_verifies(void **state)
{
    struct vkey key;
    struct note note;
    char text[VKEY_BYTES], changed[sizeof example];
    (void)state;
    assert_true(vkey_parse(example_key, &key));
    assert_string_equal(vkey_text(&key, text), example_key);
    assert_true(note_parse(example, strlen(example), &note));
    assert_int_equal(note_verify(&note, &key, NULL), NOTE_GOOD);
    for (size_t i = 0; i < sizeof "This is an example message." - 1; i++) {
        memcpy(changed, example, sizeof example);
        changed[i] ^= 1;
        assert_true(!note_parse(changed, strlen(changed), &note) || note_verify(&note, &key, NULL) == NOTE_FORGED);
    }
    /* All that counts of the signature line: name, id and every bit of the signature. */
    for (size_t i = strlen("This is an example message.\n\n"); i + 1 < strlen(example); i++) {
        memcpy(changed, example, sizeof example);
        changed[i] ^= 1;
        assert_true(!note_parse(changed, strlen(changed), &note) || note_verify(&note, &key, NULL) != NOTE_GOOD);
    }
}

static void what_is_no_note_is_refused(void **state)
{
    static const struct {
        const char *what, *text;
    } cases[] = {
        {"nothing", ""},
        {"no signature", "text\n\n"},
        {"no blank line", "text\n" DASH "a " ZEROES "\n"},
        {"no newline at the end", "text\n\n" DASH "a " ZEROES},
        {"a control character", "te\txt\n\n" DASH "a " ZEROES "\n"},
        {"no UTF-8", "te\xc3\n\n" DASH "a " ZEROES "\n"},
        {"overlong UTF-8", "te\xc0\xaf\n\n" DASH "a " ZEROES "\n"},
        {"a surrogate in UTF-8", "te\xed\xa0\x80\n\n" DASH "a " ZEROES "\n"},
        {"a hyphen for a dash", "text\n\n- a " ZEROES "\n"},
        {"no name", "text\n\n" DASH " " ZEROES "\n"},
        {"a plus in the name", "text\n\n" DASH "a+b " ZEROES "\n"},
        {"a Unicode space in the name", "text\n\n" DASH "a\xc2\xa0"
                                        "b " ZEROES "\n"},
        {"no signature behind the name", "text\n\n" DASH "a \n"},
        {"a key id alone", "text\n\n" DASH "a AAAAAA==\n"},
        {"base64 without padding", "text\n\n" DASH "a AAAAAAA\n"},
        {"base64 with bits left over", "text\n\n" DASH "a AAAAAAB=\n"},
        {"base64 with a byte above 127", "text\n\n" DASH "a AAAA\xce\x9a"
                                         "AA\n"},
        {"text behind the signatures", "text\n\n" DASH "a " ZEROES "\nmore\n"},
    };
    (void)state;
    assert_true(parses("text\n\n" DASH "a " ZEROES "\n"));
    assert_true(parses("text\n\nmore text\n\n" DASH "a " ZEROES "\n"));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (parses(cases[i].text))
            fail_msg("taken for a note: %s", cases[i].what);
}

static void signatures_are_bounded_in_number(void **state)
{
    char text[NOTE_SIGNATURES_MAX * 128 + 256] = "text\n\n";
    (void)state;
    for (int i = 0; i < NOTE_SIGNATURES_MAX; i++)
        strcat(text, DASH "a " ZEROES "\n");
    assert_true(parses(text));
    strcat(text, DASH "a " ZEROES "\n");
    assert_false(parses(text));
}

static void what_is_no_key_is_refused(void **state)
{
    static const char *const cases[] = {
        "",
        "+",
        "example.com/foo",
        "example.com/foo+530d903a",
        "+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/bar+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2",
        "example.com/foo+530d903a+AukyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530d903a+Aeky",
    };
    struct vkey key;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (vkey_parse(cases[i], &key))
            fail_msg("taken for a key: %s", cases[i]);
}

/* ---- Checkpoints ------------------------------------------------------------------------------------------------ */

static void a_checkpoint_says_what_was_put_into_it(void **state)
{
    struct checkpoint written = {.origin = "log.example/region", .size = 20852163}, read;
    char text[CHECKPOINT_BYTES], line[NOTE_LINE_BYTES], whole[1024];
    struct signer signer = signer_of("log.example/region", NOTE_ED25519),
                  other = signer_of("log.example/region", NOTE_ED25519);
    struct note note;
    (void)state;
    randombytes_buf(written.root.bytes, sizeof written.root.bytes);
    checkpoint_text(&written, text);
    sign(&signer, text, line);
    snprintf(whole, sizeof whole, "%s\n%s", text, line);
    assert_true(checkpoint_note_parse(whole, strlen(whole), &note, &read));
    assert_string_equal(read.origin, written.origin);
    assert_int_equal(read.size, written.size);
    assert_true(merkle_equal(&read.root, &written.root));
    assert_int_equal(note_verify(&note, &signer.key, NULL), NOTE_GOOD);
    assert_int_equal(note_verify(&note, &other.key, NULL), NOTE_UNSIGNED);
}

static void what_is_no_checkpoint_is_refused(void **state)
{
#define ROOT "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
    static const char *const cases[] = {
        "",
        "origin\n",
        "origin\n5\n",
        "\n5\n" ROOT "\n",
        "origin\n05\n" ROOT "\n",
        "origin\n-5\n" ROOT "\n",
        "origin\n+5\n" ROOT "\n",
        "origin\n5 \n" ROOT "\n",
        "origin\n99999999999999999999\n" ROOT "\n",
        "origin\n9223372036854775807\n" ROOT "\n",
        "origin\n5\nCsUY\n",
        "origin\n5\n" ROOT "A\n",
        "origin\n5\n" ROOT,
        "origin\n5\n" ROOT "\n\nextension\n",
    };
    struct checkpoint checkpoint;
    (void)state;
    assert_true(
        checkpoint_parse("origin\n0\n" ROOT "\nextension\n", strlen("origin\n0\n" ROOT "\nextension\n"), &checkpoint));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (checkpoint_parse(cases[i], strlen(cases[i]), &checkpoint))
            fail_msg("taken for a checkpoint: %s", cases[i]);
}

/* ---- Cosignatures ----------------------------------------------------------------------------------------------- */

static void cosignatures_of_several_witnesses_stand_beside_the_logs(void **state)
{
    struct signer log = signer_of("log.example", NOTE_ED25519), one = signer_of("witness.example/1", NOTE_COSIGNATURE),
                  two = signer_of("witness.example/2", NOTE_COSIGNATURE), none = signer_of("w", NOTE_COSIGNATURE);
    static const char text[] = "log.example\n7\n" ROOT "\n";
    char lines[3][NOTE_LINE_BYTES], whole[2048];
    struct note note;
    int64_t at_s = 0;
    (void)state;
    sign(&log, text, lines[0]);
    cosign(&one, text, 1679315147, lines[1]);
    cosign(&two, text, 1679315148, lines[2]);
    snprintf(whole, sizeof whole, "%s\n%s%s%s", text, lines[0], lines[1], lines[2]);
    assert_true(note_parse(whole, strlen(whole), &note));
    assert_int_equal(note_verify(&note, &log.key, NULL), NOTE_GOOD);
    assert_int_equal(note_verify(&note, &one.key, &at_s), NOTE_GOOD);
    assert_int_equal(at_s, 1679315147);
    assert_int_equal(note_verify(&note, &two.key, NULL), NOTE_GOOD);
    assert_int_equal(note_verify(&note, &none.key, NULL), NOTE_UNSIGNED);
    assert_true(note_parse_signatures(lines[1], strlen(lines[1]), &note));
    assert_int_equal(note.n_signatures, 1);
    snprintf(whole, sizeof whole, "log.example\n8\n" ROOT "\n\n%s", lines[1]); /* of another text */
    assert_true(note_parse(whole, strlen(whole), &note));
    assert_int_equal(note_verify(&note, &one.key, NULL), NOTE_FORGED);
}

static void a_plain_signature_is_no_cosignature(void **state)
{
    struct signer log = signer_of("log.example", NOTE_ED25519);
    struct vkey witness;
    static const char text[] = "log.example\n7\n" ROOT "\n";
    char line[NOTE_LINE_BYTES], whole[1024];
    struct note note;
    (void)state;
    assert_true(vkey_make(&witness, "log.example", NOTE_COSIGNATURE, log.key.public_key));
    assert_int_not_equal(witness.id, log.key.id);
    sign(&log, text, line);
    snprintf(whole, sizeof whole, "%s\n%s", text, line);
    assert_true(note_parse(whole, strlen(whole), &note));
    assert_int_equal(note_verify(&note, &witness, NULL), NOTE_UNSIGNED);
}

static void a_cosignature_of_no_time_is_none(void **state)
{
    struct signer one = signer_of("witness.example/1", NOTE_COSIGNATURE);
    static const char text[] = "log.example\n7\n" ROOT "\n";
    static const uint64_t times[] = {0, (uint64_t)INT64_MAX + 1, UINT64_MAX};
    char line[NOTE_LINE_BYTES], whole[1024];
    struct note note;
    (void)state;
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        cosign(&one, text, times[i], line);
        snprintf(whole, sizeof whole, "%s\n%s", text, line);
        assert_true(note_parse(whole, strlen(whole), &note));
        assert_int_equal(note_verify(&note, &one.key, NULL), NOTE_FORGED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_the_specification_verifies),
        cmocka_unit_test(what_is_no_note_is_refused),
        cmocka_unit_test(signatures_are_bounded_in_number),
        cmocka_unit_test(what_is_no_key_is_refused),
        cmocka_unit_test(a_checkpoint_says_what_was_put_into_it),
        cmocka_unit_test(what_is_no_checkpoint_is_refused),
        cmocka_unit_test(cosignatures_of_several_witnesses_stand_beside_the_logs),
        cmocka_unit_test(a_plain_signature_is_no_cosignature),
        cmocka_unit_test(a_cosignature_of_no_time_is_none),
    };
    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
