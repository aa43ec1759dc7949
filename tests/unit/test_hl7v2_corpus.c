// The public sample messages, if they are at hand: $CAREHUB_CORPORA, or ../shared/corpora beside the
// source tree. Exits with 77, which CTest reports as skipped, when they are not.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hl7v2.h"
#include "hl7v2_ack.h"
#include "mllp.h"

#define EXIT_SKIPPED 77
#define SAMPLES_MAX 20000u
#define FILES_MAX 5000u
#define OPEN_DIRECTORIES_MAX 8
#define REFUSED_MAX_PERCENT 2u // damaged samples are part of the corpora, but few

struct sample {
    const char *path;
    const uint8_t *bytes; // of one message; the file stays in memory
    size_t len;
};

static struct {
    char *path;
    uint8_t *bytes;
} files[FILES_MAX];
static struct sample samples[SAMPLES_MAX];
static size_t sample_count, file_count, batch_count, empty_count;

static void add_messages(const char *path, const uint8_t *bytes, size_t len)
{
    size_t position = 0, before = sample_count;
    const void *message;
    size_t message_len;
    enum hl7v2_kind kind = hl7v2_kind_of(bytes, len);
    batch_count += kind == HL7V2_KIND_BATCH || kind == HL7V2_KIND_FILE;
    while (sample_count < SAMPLES_MAX && hl7v2_split_next(bytes, len, &position, &message, &message_len))
        samples[sample_count++] = (struct sample){path, message, message_len};
    empty_count += sample_count == before;
}

static int add_file(const char *path, const struct stat *info, int type, struct FTW *ftw)
{
    (void)ftw;
    if (type != FTW_F || info->st_size == 0 || file_count == FILES_MAX)
        return 0;
    size_t size = (size_t)info->st_size;
    uint8_t *bytes = malloc(size);
    FILE *file = fopen(path, "re");
    if (bytes == NULL || file == NULL || fread(bytes, 1, size, file) != size)
        return -1;
    fclose(file);
    files[file_count].bytes = bytes;
    files[file_count].path = strdup(path);
    add_messages(files[file_count].path, bytes, size);
    file_count++;
    return 0;
}

static int free_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < file_count; i++) {
        free(files[i].bytes);
        free(files[i].path);
    }
    return 0;
}

// Messages that parse; the others are told of by the first test.
static struct hl7v2_message *parse(const struct sample *sample)
{
    return hl7v2_parse(sample->bytes, sample->len, NULL, NULL);
}

static void every_sample_parses_or_says_why(void **state)
{
    (void)state;
    size_t refused = 0, segments = 0, headless = 0, notes[16] = {0};
    for (size_t i = 0; i < sample_count; i++) {
        struct hl7v2_error error;
        struct hl7v2_message *message = hl7v2_parse(samples[i].bytes, samples[i].len, NULL, &error);
        if (message == NULL) {
            print_message("refused: %s, byte %zu: %s\n", samples[i].path, error.offset, error.text);
            assert_true(error.offset <= samples[i].len && error.text[0] != '\0');
            refused++;
            continue;
        }
        segments += hl7v2_segment_count(message);
        headless += !hl7v2_check_header(message, NULL);
        for (size_t bit = 0; bit < 16; bit++)
            notes[bit] += hl7v2_notes(message) >> bit & 1;
        hl7v2_message_destroy(&message);
    }
    print_message("%zu files (%zu batches, %zu without a message), %zu messages, %zu segments, %zu refused, "
                  "%zu without MSH-9 or -10\n",
                  file_count, batch_count, empty_count, sample_count, segments, refused, headless);
    print_message("tolerated: line ends %zu, line feed in text %zu, short MSH-2 %zu, doubled escape %zu, UTF-8 "
                  "undeclared %zu, character set assumed %zu, unknown %zu, bytes replaced %zu\n",
                  notes[1], notes[2], notes[3], notes[4], notes[5], notes[6], notes[7], notes[8]);
    assert_true(sample_count > 0);
    assert_true(refused * 100 <= sample_count * REFUSED_MAX_PERCENT);
}

static void every_value_can_be_read(void **state)
{
    (void)state;
    static char text[HL7V2_MESSAGE_MAX_BYTES];
    size_t values = 0;
    for (size_t i = 0; i < sample_count; i++) {
        struct hl7v2_message *message = parse(&samples[i]);
        for (size_t s = 0; message != NULL && s < hl7v2_segment_count(message); s++)
            for (unsigned field = 1; field <= hl7v2_field_count(message, s); field++) {
                struct hl7v2_value value = hl7v2_segment_get(message, s, field, 0, 0, 0);
                assert_int_not_equal(value.presence, HL7V2_ABSENT);
                assert_true(hl7v2_unescape(message, value, text, sizeof text) < sizeof text);
                values += value.presence == HL7V2_VALUED;
            }
        if (message != NULL)
            hl7v2_message_destroy(&message);
    }
    print_message("%zu fields are valued\n", values);
}

static void every_sample_is_acknowledged_by_its_control_id(void **state)
{
    (void)state;
    static char text[HL7V2_ACK_MAX_BYTES];
    for (size_t i = 0; i < sample_count; i++) {
        struct hl7v2_message *message = hl7v2_salvage_header(samples[i].bytes, samples[i].len);
        struct hl7v2_ack ack = {message, HL7V2_ACK_AA, "R1", 0, 0, NULL, 0};
        size_t len = hl7v2_ack_build(&ack, text, sizeof text);
        struct hl7v2_message *reply = hl7v2_parse(text, len, NULL, NULL);
        assert_non_null(reply);
        struct hl7v2_value asked = hl7v2_get(message, "MSH", 0, 10, 0, 0, 0);
        struct hl7v2_value answered = hl7v2_get(reply, "MSA", 0, 2, 0, 0, 0);
        assert_int_equal(asked.len, answered.len);
        assert_memory_equal(asked.at, answered.at, asked.len);
        hl7v2_message_destroy(&reply);
        hl7v2_message_destroy(&message);
    }
}

static void every_sample_survives_its_frame(void **state)
{
    (void)state;
    struct mllp_decoder *decoder = mllp_decoder_new(NULL);
    for (size_t i = 0; i < sample_count; i++) {
        size_t total = samples[i].len + MLLP_OVERHEAD_BYTES, used, step = 1 + i % 1460;
        uint8_t *frame = malloc(total);
        struct mllp_event event = {0};
        enum mllp_result result = MLLP_NEED_MORE;
        assert_int_equal(mllp_encode(samples[i].bytes, samples[i].len, frame, total), total);
        for (size_t at = 0; at < total; at += used) {
            assert_int_equal(result, MLLP_NEED_MORE);
            result = mllp_decode(decoder, frame + at, total - at < step ? total - at : step, &used, &event);
        }
        assert_int_equal(result, MLLP_MESSAGE);
        assert_int_equal(event.len, samples[i].len);
        assert_memory_equal(event.data, samples[i].bytes, event.len);
        free(frame);
    }
    mllp_decoder_destroy(&decoder);
}

// Writes text as ISO 8859-1, each letter e outside its first line (the header) accented so that there is
// something to decode, and the UTF-8 that is expected from it. False when it has other characters.
static bool make_latin1(const char *text, size_t len, char *latin1, size_t *latin1_len, char *utf8, size_t *utf8_len)
{
    bool header = true;
    *latin1_len = *utf8_len = 0;
    for (size_t i = 0; i < len; i++) {
        uint8_t byte = (uint8_t)text[i];
        header = header && byte != '\r' && byte != '\n';
        if (byte >= 0x80 && byte != 0xC3 && byte != 0xC2)
            return false;
        uint8_t code = byte == 'e' && !header ? 0xE9 : byte;
        if (byte >= 0x80)
            code = (uint8_t)((byte & 0x03) << 6 | ((uint8_t)text[++i] & 0x3F));
        if (code >= 0x80 && code < 0xA0)
            return false;
        latin1[(*latin1_len)++] = (char)code;
        if (code >= 0x80)
            utf8[(*utf8_len)++] = (char)(0xC0 | code >> 6);
        utf8[(*utf8_len)++] = (char)(code >= 0x80 ? 0x80 | (code & 0x3F) : code);
    }
    return *utf8_len > *latin1_len;
}

static void latin1_samples_read_the_same_as_utf8(void **state)
{
    (void)state;
    static char latin1[HL7V2_MESSAGE_MAX_BYTES], expected[2 * HL7V2_MESSAGE_MAX_BYTES];
    size_t tried = 0;
    for (size_t i = 0; i < sample_count; i++) {
        struct hl7v2_message *message = parse(&samples[i]);
        size_t len, latin1_len, expected_len;
        if (message == NULL)
            continue;
        const char *text = hl7v2_text_bytes(message, &len);
        bool made = make_latin1(text, len, latin1, &latin1_len, expected, &expected_len);
        bool says_utf8 = memmem(text, len, "UNICODE UTF-8", 13) != NULL;
        hl7v2_message_destroy(&message);
        if (!made || says_utf8)
            continue;
        message = hl7v2_parse(latin1, latin1_len, NULL, NULL);
        assert_non_null(message);
        text = hl7v2_text_bytes(message, &len);
        assert_int_equal(len, expected_len);
        assert_memory_equal(text, expected, len);
        assert_string_equal(hl7v2_charset(message), "8859/1");
        hl7v2_message_destroy(&message);
        tried++;
    }
    print_message("%zu messages read as Latin-1\n", tried);
    assert_true(tried > 0);
}

int main(void)
{
    const char *corpora = getenv("CAREHUB_CORPORA");
    char path[4096];
    snprintf(path, sizeof path, "%s/hl7v2", corpora != NULL ? corpora : CAREHUB_CORPORA_DEFAULT);
    if (access(path, R_OK) != 0) {
        printf("skipped: no sample messages at %s (set CAREHUB_CORPORA)\n", path);
        return EXIT_SKIPPED;
    }
    if (nftw(path, add_file, OPEN_DIRECTORIES_MAX, FTW_PHYS) != 0) {
        printf("cannot read %s\n", path);
        return EXIT_FAILURE;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sample_parses_or_says_why),
        cmocka_unit_test(every_value_can_be_read),
        cmocka_unit_test(every_sample_is_acknowledged_by_its_control_id),
        cmocka_unit_test(every_sample_survives_its_frame),
        cmocka_unit_test(latin1_samples_read_the_same_as_utf8),
    };
    return cmocka_run_group_tests_name("hl7v2_corpus", tests, NULL, free_files);
}
