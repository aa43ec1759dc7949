#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "pbcheck.h"
#include "sample.pb-c.h"
#include "utf8.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define ALL (&sample__all__descriptor)
#define TREE (&sample__tree__descriptor)
// A string literal's bytes, without its NUL, and their number.
#define WIRE(bytes) (const uint8_t *)(bytes), sizeof(bytes) - 1

static void what_protobuf_c_packs_is_accepted(void **state)
{
    (void)state;
    int32_t ints[] = {0, 1, -1, INT32_MIN};
    double doubles[] = {0.5, -1};
    uint32_t loose[] = {1, 300, UINT32_MAX};
    char *strings[] = {"", "é", "twaalf tekens"};
    Sample__Colour palette[] = {SAMPLE__COLOUR__COLOUR_RED, SAMPLE__COLOUR__COLOUR_INFRARED};
    Sample__Leaf leaf = SAMPLE__LEAF__INIT, empty = SAMPLE__LEAF__INIT;
    Sample__Leaf *leaves[] = {&leaf, &empty, &leaf};
    Sample__Tree tree = SAMPLE__TREE__INIT, branch = SAMPLE__TREE__INIT;
    Sample__All m = SAMPLE__ALL__INIT;
    uint8_t packed[1024];
    struct pbcheck_result result;

    leaf.text = "blad";
    leaf.n_palette = COUNT(palette);
    leaf.palette = palette;
    branch.leaf = &leaf;
    tree.left = &branch;
    m.a_int32 = -7;
    m.a_uint64 = UINT64_MAX;
    m.a_fixed32 = 7;
    m.a_double = 1.25;
    m.a_bool = 1;
    m.a_string = "𝄞 ok";
    m.a_bytes = (ProtobufCBinaryData){.data = (uint8_t *)"\xff\x00", .len = 2};
    m.a_colour = SAMPLE__COLOUR__COLOUR_INFRARED;
    m.a_leaf = &leaf;
    m.n_r_int32 = COUNT(ints);
    m.r_int32 = ints;
    m.n_r_double = COUNT(doubles);
    m.r_double = doubles;
    m.n_r_loose = COUNT(loose);
    m.r_loose = loose;
    m.n_r_string = COUNT(strings);
    m.r_string = strings;
    m.n_r_leaf = COUNT(leaves);
    m.r_leaf = leaves;
    m.choice_case = SAMPLE__ALL__CHOICE_C_LEAF;
    m.c_leaf = &empty;
    m.second_choice_case = SAMPLE__ALL__SECOND_CHOICE_D_DOUBLE;
    m.tree = &tree;

    assert_true(sample__all__get_packed_size(&m) <= sizeof packed);
    size_t len = sample__all__pack(&m, packed);
    assert_int_equal(pbcheck(ALL, packed, len, NULL, &result), PBCHECK_OK);
    assert_int_equal(result.unknown_fields, 0);

    // Cut anywhere but between two fields it is refused: never read beyond its end, never taken for whole.
    size_t accepted = 0;
    for (size_t cut = 0; cut < len; cut++) {
        uint8_t *copy = malloc(cut ? cut : 1); // of its own size, so that a sanitizer sees an overrun
        assert_non_null(copy);
        memcpy(copy, packed, cut);
        if (pbcheck(ALL, copy, cut, NULL, &result) == PBCHECK_OK)
            accepted++;
        else
            assert_int_equal(result.status, PBCHECK_TRUNCATED);
        free(copy);
    }
    assert_in_range(accepted, 15, 30);
}

static void well_formed_bytes_are_accepted(void **state)
{
    (void)state;
    static const struct {
        const uint8_t *bytes;
        size_t len;
        uint32_t unknown;
    } cases[] = {
        {WIRE(""), 0},
        {WIRE("\x08\x05"), 0},
        {WIRE("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), 0},     // -1: all 64 bits
        {WIRE("\x08\x85\x80\x00"), 0},                                 // not the shortest form, but allowed
        {WIRE("\x7a\x00\x08\x01"), 0},                                 // out of order
        {WIRE("\xf2\x01\x02\x01\x02\xf0\x01\x03"), 0},                 // packed and not packed, mixed
        {WIRE("\xca\x02\x02\x01\x02"), 0},                             // packed, though declared otherwise
        {WIRE("\xf2\x01\x00"), 0},                                     // packed, and none
        {WIRE("\x80\x01\x02"), 0},                                     // COLOUR_GREEN
        {WIRE("\x80\x01\xfd\xff\xff\xff\xff\xff\xff\xff\xff\x01"), 0}, // COLOUR_INFRARED, -3
        {WIRE("\xa0\x06\x01"), 1},                                     // field 100 is unknown, of each wire type
        {WIRE("\xa2\x06\x03"
              "abc"
              "\xa5\x06"
              "1234"
              "\xa1\x06"
              "12345678"),
         3},
        {WIRE("\x8a\x01\x03\xa0\x06\x01"), 1}, // unknown within a leaf
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct pbcheck_result result;
        assert_int_equal(pbcheck(ALL, cases[i].bytes, cases[i].len, NULL, &result), PBCHECK_OK);
        assert_int_equal(result.unknown_fields, cases[i].unknown);
        ProtobufCMessage *m = protobuf_c_message_unpack(ALL, NULL, cases[i].len, cases[i].bytes);
        assert_non_null(m);
        protobuf_c_message_free_unpacked(m, NULL);
    }
}

static void malformed_bytes_are_refused_with_reason_path_and_place(void **state)
{
    (void)state;
    static const struct {
        const uint8_t *bytes;
        size_t len;
        const char *text;
    } cases[] = {
        {WIRE("\x08"), "field 1 at byte 1: value reaches beyond the end of its message"},
        {WIRE("\x08\x80"), "field 1 at byte 1: value reaches beyond the end of its message"},
        {WIRE("\x80"), "message at byte 0: value reaches beyond the end of its message"},
        {WIRE("\x72\x05"
              "abcd"),
         "field 14 at byte 1: value reaches beyond the end of its message"},
        {WIRE("\x3d\x01\x02\x03"), "field 7 at byte 1: value reaches beyond the end of its message"},
        {WIRE("\x8a\x01\x04\x0a\x05xy"), "field 17.1 at byte 4: value reaches beyond the end of its message"},
        {WIRE("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
         "field 1 at byte 1: variable-length integer that is too long"},
        {WIRE("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"),
         "field 1 at byte 1: variable-length integer that is too long"},
        {WIRE("\x88\x80\x80\x80\x80\x00\x01"), "message at byte 0: variable-length integer that is too long"},
        {WIRE("\x72\x80\x80\x80\x80\x80\x00"), "field 14 at byte 1: variable-length integer that is too long"},
        {WIRE("\x00\x01"), "message at byte 0: field number of 0 or above 536,870,911"},
        {WIRE("\x80\x80\x80\x80\x10\x01"), "message at byte 0: field number of 0 or above 536,870,911"},
        {WIRE("\x0d\x01\x02\x03\x04"), "field 1 at byte 0: wire type that does not fit the field"},
        {WIRE("\x0a\x01\x01"), "field 1 at byte 0: wire type that does not fit the field"},
        {WIRE("\xa3\x06\xa4\x06"), "field 100 at byte 0: wire type that does not fit the field"},
        {WIRE("\xa6\x06"), "field 100 at byte 0: wire type that does not fit the field"},
        {WIRE("\x08\x01\x10\x01\x08\x01"), "field 1 at byte 4: field that may occur once occurs again"},
        {WIRE("\x8a\x01\x00\x8a\x01\x00"), "field 17 at byte 3: field that may occur once occurs again"},
        {WIRE("\x98\x03\x01\x98\x03\x01"), "field 51 at byte 3: field that may occur once occurs again"},
        {WIRE("\x98\x03\x01\x92\x03\x01x"), "field 50 at byte 3: second member of a choice of one"},
        {WIRE("\x80\x01\x07"), "field 16 at byte 2: enum value that the schema does not name"},
        {WIRE("\x80\x01\xfd\xff\xff\xff\x0f"), // -3 in 32 bits only is another number
         "field 16 at byte 2: enum value that the schema does not name"},
        {WIRE("\xba\x02\x02\x01\x07"), "field 39 at byte 4: enum value that the schema does not name"},
        {WIRE("\x8a\x01\x02\x10\x07"), "field 17.2 at byte 4: enum value that the schema does not name"},
        {WIRE("\x72\x03"
              "a\xc0\x80"),
         "field 14 at byte 3: string that is not valid UTF-8, or holds NUL"},
        {WIRE("\x72\x02"
              "a\0"),
         "field 14 at byte 3: string that is not valid UTF-8, or holds NUL"},
        {WIRE("\xf2\x01\x02\x01\x80"), "field 30 at byte 4: value reaches beyond the end of its message"},
        {WIRE("\x8a\x02\x03\x01\x02\x03"), "field 33 at byte 3: value reaches beyond the end of its message"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct pbcheck_result result;
        char text[PBCHECK_TEXT_CHARS];
        assert_int_not_equal(pbcheck(ALL, cases[i].bytes, cases[i].len, NULL, &result), PBCHECK_OK);
        pbcheck_format(&result, text, sizeof text);
        assert_string_equal(text, cases[i].text);
    }
}

static void unknown_enum_values_pass_when_allowed(void **state)
{
    (void)state;
    struct pbcheck_limits limits = pbcheck_default_limits;
    struct pbcheck_result result;
    limits.allow_unknown_enum = true;
    assert_int_equal(pbcheck(ALL, WIRE("\x80\x01\x07"), &limits, &result), PBCHECK_OK);
}

// A Tree of `depth` messages within each other, the outermost included. Returns its length.
static size_t make_deep(uint8_t *bytes, unsigned depth)
{
    for (unsigned i = 1; i < depth; i++) {
        *bytes++ = 0x0A;
        *bytes++ = (uint8_t)(2 * (depth - 1 - i));
    }
    return 2 * (depth - 1);
}

static void nesting_is_bounded(void **state)
{
    (void)state;
    uint8_t bytes[64];
    struct pbcheck_result result;
    struct pbcheck_limits limits = pbcheck_default_limits;

    assert_int_equal(pbcheck(TREE, bytes, make_deep(bytes, 16), NULL, &result), PBCHECK_OK);
    assert_int_equal(pbcheck(TREE, bytes, make_deep(bytes, 17), NULL, &result), PBCHECK_TOO_DEEP);
    assert_int_equal(result.path_len, 16);
    limits.depth_max = 1;
    assert_int_equal(pbcheck(TREE, bytes, make_deep(bytes, 1), &limits, &result), PBCHECK_OK);
    assert_int_equal(pbcheck(TREE, bytes, make_deep(bytes, 2), &limits, &result), PBCHECK_TOO_DEEP);
}

static void counts_and_size_are_bounded(void **state)
{
    (void)state;
    struct pbcheck_limits limits = {.bytes_max = 16, .depth_max = 4, .repeat_max = 3, .elements_max = 5};
    static const struct {
        const uint8_t *bytes;
        size_t len;
        enum pbcheck_status status;
    } cases[] = {
        {WIRE("\xf2\x01\x03\x01\x02\x03"), PBCHECK_OK},
        {WIRE("\xf2\x01\x04\x01\x02\x03\x04"), PBCHECK_TOO_MANY_REPEATS},
        {WIRE("\xf2\x01\x02\x01\x02\xf0\x01\x03\xf0\x01\x04"), PBCHECK_TOO_MANY_REPEATS}, // together
        {WIRE("\x08\x01\x10\x01\x18\x01\x20\x01\x28\x01"), PBCHECK_OK},
        {WIRE("\x08\x01\x10\x01\x18\x01\x20\x01\x28\x01\x30\x01"), PBCHECK_TOO_MANY_ELEMENTS},
        {WIRE("\x8a\x01\x09\x0a\x00\x10\x00\x1a\x03\x01\x01\x01"), PBCHECK_TOO_MANY_ELEMENTS}, // nested ones count
        {WIRE("\xa0\x06\x01\xa0\x06\x01\xa0\x06\x01\xa0\x06\x01\xa0\x06\x01"), PBCHECK_OK},
        {WIRE("\x72\x0e"
              "12345678901234"),
         PBCHECK_OK},
        {WIRE("\x72\x0f"
              "123456789012345"),
         PBCHECK_TOO_LARGE},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct pbcheck_result result;
        assert_int_equal(pbcheck(ALL, cases[i].bytes, cases[i].len, &limits, &result), cases[i].status);
    }
    // A repeated field's count is of one message: two leaves may have three colours each.
    limits.elements_max = 100;
    struct pbcheck_result result;
    assert_int_equal(pbcheck(ALL, WIRE("\xc2\x02\x04\x1a\x02\x01\x01\xc2\x02\x04\x1a\x02\x01\x01"), &limits, &result),
                     PBCHECK_OK);
}

static void dropped_unknown_fields_are_not_packed_again(void **state)
{
    (void)state;
    // Field 100 at the top, in a leaf, in an element, in a oneof's member, and two trees deep.
    static const uint8_t bytes[] = "\xa0\x06\x01"
                                   "\x8a\x01\x06\x0a\x01x\xa0\x06\x01"
                                   "\xc2\x02\x00\xc2\x02\x04\xa2\x06\x01y"
                                   "\xa2\x03\x03\xa0\x06\x01"
                                   "\x82\x05\x07\x12\x05\x0a\x03\xa0\x06\x01";
    size_t len = sizeof bytes - 1;
    uint8_t packed[sizeof bytes];
    struct pbcheck_result result;

    assert_int_equal(pbcheck(ALL, bytes, len, NULL, &result), PBCHECK_OK);
    assert_int_equal(result.unknown_fields, 5);
    ProtobufCMessage *m = protobuf_c_message_unpack(ALL, NULL, len, bytes);
    assert_non_null(m);
    assert_int_equal(protobuf_c_message_get_packed_size(m), len); // they would all be written
    assert_true(pb_drop_unknown(m));
    size_t left = protobuf_c_message_pack(m, packed);
    assert_int_equal(pbcheck(ALL, packed, left, NULL, &result), PBCHECK_OK);
    assert_int_equal(result.unknown_fields, 0);
    assert_int_equal(left, len - 4 * 3 - 4);
    protobuf_c_message_free_unpacked(m, NULL);
}

static void oneof_of_another_kind_is_not_taken_for_a_message(void **state)
{
    (void)state;
    // c_bytes shares its place in memory with c_leaf.
    static const uint8_t bytes[] = "\xaa\x03\x04zzzz\xa0\x06\x01";
    ProtobufCMessage *m = protobuf_c_message_unpack(ALL, NULL, sizeof bytes - 1, bytes);
    assert_non_null(m);
    assert_true(pb_drop_unknown(m));
    assert_int_equal(protobuf_c_message_get_packed_size(m), 7);
    protobuf_c_message_free_unpacked(m, NULL);
}

static void drop_unknown_says_when_it_stops_at_its_depth(void **state)
{
    (void)state;
    uint8_t bytes[64];
    ProtobufCMessage *m = protobuf_c_message_unpack(TREE, NULL, make_deep(bytes, 16), bytes);
    assert_true(pb_drop_unknown(m));
    protobuf_c_message_free_unpacked(m, NULL);
    m = protobuf_c_message_unpack(TREE, NULL, make_deep(bytes, 17), bytes);
    assert_false(pb_drop_unknown(m));
    protobuf_c_message_free_unpacked(m, NULL);
}

static void utf8_is_what_rfc_3629_says(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len, valid;
    } cases[] = {
        {"", 0, 0},
        {"plain ascii, longer than a word", 31, 31},
        {"12345678é12345678€12345678𝄞", 33, 33},
        {"1234567\0", 8, 7},
        {"12345678901\0", 12, 11},
        {"\xc1\xbf", 2, 0},         // overlong
        {"\xe0\x9f\xbf", 3, 0},     // overlong
        {"\xf0\x8f\xbf\xbf", 4, 0}, // overlong
        {"\xed\x9f\xbf", 3, 3},     // U+D7FF
        {"\xed\xa0\x80", 3, 0},     // a surrogate
        {"\xee\x80\x80", 3, 3},     // U+E000
        {"\xf4\x8f\xbf\xbf", 4, 4}, // U+10FFFF
        {"\xf4\x90\x80\x80", 4, 0}, // beyond
        {"\xf5\x80\x80\x80", 4, 0},
        {"a\x80", 2, 1},      // a continuation on its own
        {"ab\xe2\x82", 4, 2}, // cut
        {"\xe2\x82\x41", 3, 0},
        {"12345678\xff", 9, 8},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(utf8_valid_prefix(cases[i].text, cases[i].len), cases[i].valid);
}

static void every_status_has_a_name(void **state)
{
    (void)state;
    for (int s = PBCHECK_OK; s <= PBCHECK_SCHEMA; s++)
        assert_string_not_equal(pbcheck_status_name((enum pbcheck_status)s), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_protobuf_c_packs_is_accepted),
        cmocka_unit_test(well_formed_bytes_are_accepted),
        cmocka_unit_test(malformed_bytes_are_refused_with_reason_path_and_place),
        cmocka_unit_test(unknown_enum_values_pass_when_allowed),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(counts_and_size_are_bounded),
        cmocka_unit_test(dropped_unknown_fields_are_not_packed_again),
        cmocka_unit_test(oneof_of_another_kind_is_not_taken_for_a_message),
        cmocka_unit_test(drop_unknown_says_when_it_stops_at_its_depth),
        cmocka_unit_test(utf8_is_what_rfc_3629_says),
        cmocka_unit_test(every_status_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
