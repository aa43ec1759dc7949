// What files and batches say of themselves.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "hl7v2.h"

#define FHS "FHS|^~\\&|A|B\r"
#define BHS "BHS|^~\\&|A|B\r"
#define MSG "MSH|^~\\&|A|B|||2026||ADT^A03|1\rPID|1\r"

static void counts_and_order_are_checked_and_all_messages_are_taken(void **state)
{
    static const struct {
        const char *text;
        size_t messages;
        const char *segment; // where it is wrong; NULL: nothing is
        unsigned sequence;
    } cases[] = {
        {"", 0, NULL, 0},
        {MSG, 1, NULL, 0},
        {MSG MSG, 2, NULL, 0},
        {BHS MSG MSG "BTS|2\r", 2, NULL, 0},
        {BHS MSG MSG "BTS|2|all there\r", 2, NULL, 0},
        {BHS MSG MSG "BTS|3\r", 2, "BTS", 1},
        {BHS MSG "BTS|\r", 1, NULL, 0},
        {BHS MSG "BTS\r", 1, NULL, 0},
        {BHS MSG "BTS|one\r", 1, "BTS", 1},
        {BHS MSG "BTS|9999999999\r", 1, "BTS", 1},
        {BHS MSG, 1, NULL, 0}, // trailers may be left out
        {MSG "BTS|1\r", 1, NULL, 0},
        {MSG "BTS|2\r", 1, "BTS", 1},
        {FHS BHS MSG "BTS|1\r" BHS MSG "BTS|1\rFTS|2\r", 2, NULL, 0},
        {FHS BHS MSG "BTS|1\r" BHS MSG "BTS|2\rFTS|2\r", 2, "BTS", 2},
        {FHS BHS MSG "BTS|1\rFTS|2\r", 1, "FTS", 1},
        {FHS MSG MSG "FTS|1\r", 2, NULL, 0}, // messages without a header are one batch
        {FHS "FTS|0\r", 0, NULL, 0},
        {BHS "BTS|0\r", 0, NULL, 0},
        {FHS MSG FHS MSG "FTS|1\r", 2, "FHS", 2},
        {BHS MSG FHS, 1, "FHS", 1},
        {BHS "PID|1\rBTS|1\r", 0, "", 0},
        {BHS MSG BHS "PID|1\rBTS|1\r", 1, "", 0},
        {BHS MSG "BTS|1\r\r\n \x1a", 1, NULL, 0},
        {"\x0b" MSG "\x1c\r", 1, NULL, 0}, // cut out of an MLLP stream
        {"\x0b" MSG "\x1c\r\x0b" MSG "\x1c\r\n", 2, NULL, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct hl7v2_error error;
        size_t len = strlen(cases[i].text), position = 0, piece_len, messages = 0, refused = 0;
        const void *piece;
        bool fine = hl7v2_batch_check(cases[i].text, len, &error);
        if (fine != (cases[i].segment == NULL))
            fail_msg("case %zu: %s", i, error.text);
        assert_int_equal(error.status, fine ? HL7V2_OK : HL7V2_ERR_BATCH_CONTENT);
        if (!fine) {
            assert_string_equal(error.location.segment, cases[i].segment);
            assert_int_equal(error.location.sequence, cases[i].sequence);
        }
        while (hl7v2_split_checked(cases[i].text, len, &position, &piece, &piece_len)) {
            struct hl7v2_message *message = hl7v2_parse(piece, piece_len, NULL, NULL);
            messages += message != NULL;
            refused += message == NULL;
            hl7v2_message_destroy(&message);
        }
        assert_int_equal(messages, cases[i].messages);
        assert_int_equal(refused, !fine);
        assert_false(hl7v2_split_checked(cases[i].text, len, &position, &piece, &piece_len));
    }
}

static void the_error_says_both_counts(void **state)
{
    static const char text[] = BHS MSG MSG "BTS|3\r";
    struct hl7v2_error error;
    (void)state;
    assert_false(hl7v2_batch_check(text, sizeof text - 1, &error));
    assert_non_null(strstr(error.text, "3 messages and there are 2"));
    assert_int_equal(error.segment_number, 6);
    assert_memory_equal(text + error.offset, "BTS", 3);
    assert_int_equal(error.condition, HL7V2_CONDITION_TABLE_VALUE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_and_order_are_checked_and_all_messages_are_taken),
        cmocka_unit_test(the_error_says_both_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
