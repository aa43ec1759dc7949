#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <json-c/json_tokener.h>

#include "base64.h"
#include "pbjson.h"
#include "sample.pb-c.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define ALL (&sample__all__descriptor)

static ProtobufCMessage *parse(const char *json, unsigned flags)
{
    struct pbjson_error err;
    ProtobufCMessage *m = pbjson_parse(ALL, json, strlen(json), flags, &err);
    if (!m) {
        char text[PBJSON_ERROR_TEXT_CHARS];
        pbjson_error_format(&err, text, sizeof text);
        fail_msg("%s\n%s", json, text);
    }
    return m;
}

// Reads `in` and expects `out` when it is written again, also after a way through the wire format.
static void assert_reads_as(const char *in, const char *out, unsigned flags)
{
    ProtobufCMessage *m = parse(in, flags);
    char *json = pbjson_from(m, flags);
    assert_non_null(json);
    assert_string_equal(json, out);
    free(json);

    size_t len = protobuf_c_message_get_packed_size(m);
    uint8_t *packed = malloc(len ? len : 1);
    assert_non_null(packed);
    protobuf_c_message_pack(m, packed);
    protobuf_c_message_free_unpacked(m, NULL);
    m = protobuf_c_message_unpack(ALL, NULL, len, packed);
    free(packed);
    assert_non_null(m);
    json = pbjson_from(m, flags);
    assert_non_null(json);
    assert_string_equal(json, out);
    free(json);
    protobuf_c_message_free_unpacked(m, NULL);
}

static void every_kind_of_field_is_read_as_it_is_written(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{}",
        "{\"aInt32\":-2147483648,\"aInt64\":\"-9223372036854775808\",\"aUint32\":4294967295,"
        "\"aUint64\":\"18446744073709551615\",\"aSint32\":2147483647,\"aSint64\":\"9223372036854775807\","
        "\"aFixed32\":4294967295,\"aFixed64\":\"1\",\"aSfixed32\":-1,\"aSfixed64\":\"-1\"}",
        "{\"aFloat\":0.1,\"aDouble\":0.1,\"aBool\":true}",
        "{\"aFloat\":3.4028235e+38,\"aDouble\":1.7976931348623157e+308}",
        "{\"aFloat\":\"NaN\",\"aDouble\":\"-Infinity\"}",
        "{\"aString\":\"h\u00e9 \\\"q\\\" \\n /\",\"aBytes\":\"AAEC/w==\",\"aColour\":\"COLOUR_INFRARED\"}",
        "{\"aLeaf\":{}}",
        "{\"aLeaf\":{\"text\":\"x\",\"colour\":\"COLOUR_RED\",\"palette\":[\"COLOUR_UNSPECIFIED\",\"COLOUR_"
        "GREEN\"]}}",
        "{\"rInt32\":[0,-1],\"rInt64\":[\"0\",\"-1\"],\"rSint32\":[-5],\"rFixed32\":[7],\"rFixed64\":[\"7\"],"
        "\"rDouble\":[0,-0.0,-0.5,\"Infinity\"],\"rBool\":[true,false],\"rString\":[\"\",\"a\"],\"rBytes\":["
        "\"\","
        "\"AA==\"],"
        "\"rColour\":[\"COLOUR_RED\"],\"rLeaf\":[{},{\"text\":\"b\"}],\"rLoose\":[1,2]}",
        "{\"cString\":\"\"}",
        "{\"cUint32\":0,\"dDouble\":0}",
        "{\"cLeaf\":{}}",
        "{\"cBytes\":\"\"}",
        "{\"cColour\":\"COLOUR_UNSPECIFIED\"}",
        "{\"cBool\":false,\"dString\":\"d\"}",
        "{\"tree\":{\"left\":{\"leaf\":{\"text\":\"deep\"}},\"branches\":[{},{\"left\":{}}]},\"field2X\":1."
        "5}",
    };
    for (size_t i = 0; i < COUNT(texts); i++) {
        assert_reads_as(texts[i], texts[i], 0);
        assert_reads_as(texts[i], texts[i], PBJSON_UUID);
    }
}

static void other_spellings_are_read_and_written_in_one_form(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"{\"a_int32\":5}", "{\"aInt32\":5}"},
        {"{\"field_2_x\":1}", "{\"field2X\":1}"},
        {"{\"aInt32\":\"5\"}", "{\"aInt32\":5}"},
        {"{\"aInt32\":5.0,\"aUint32\":1e3,\"aInt64\":-1E2}", "{\"aInt32\":5,\"aInt64\":\"-100\",\"aUint32\":1000}"},
        {"{\"aInt64\":-9223372036854775808,\"aUint64\":18446744073709551615}",
         "{\"aInt64\":\"-9223372036854775808\",\"aUint64\":\"18446744073709551615\"}"},
        {"{\"aDouble\":\"1.50\",\"aFloat\":2}", "{\"aFloat\":2,\"aDouble\":1.5}"},
        {"{\"aColour\":2}", "{\"aColour\":\"COLOUR_GREEN\"}"},
        {"{\"aColour\":-3}", "{\"aColour\":\"COLOUR_INFRARED\"}"},
        {"{\"aBytes\":\"-_8\"}", "{\"aBytes\":\"+/8=\"}"},
        {"{\"aBytes\":\"+/8=\"}", "{\"aBytes\":\"+/8=\"}"},
        {"{\"aInt32\":null,\"aLeaf\":null,\"rString\":null,\"cString\":null,\"cUint32\":1}", "{\"cUint32\":1}"},
        {"{\"aInt32\":0,\"aString\":\"\",\"aBytes\":\"\",\"rString\":[],\"aColour\":\"COLOUR_UNSPECIFIED\"}", "{}"},
        {" \r\n\t{ \"aString\" : \"\\u00e9\\ud834\\udd1e\" } \n", "{\"aString\":\"é𝄞\"}"},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_reads_as(cases[i].in, cases[i].out, 0);
}

static void ids_are_uuid_text_where_asked(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"{\"id\":\"017F22E2-79B0-7CC3-98C4-DC0C0C07398F\"}", "{\"id\":\"017f22e2-79b0-7cc3-98c4-dc0c0c07398f\"}"},
        {"{\"id\":\"AX8i4nmwfMOYxNwMDAc5jw==\"}", "{\"id\":\"017f22e2-79b0-7cc3-98c4-dc0c0c07398f\"}"},
        {"{\"correlationId\":\"AX8i4nmwfMOYxNwMDAc5jw\"}",
         "{\"correlationId\":\"017f22e2-79b0-7cc3-98c4-dc0c0c07398f\"}"},
        {"{\"id\":\"AX8i\"}", "{\"id\":\"AX8i\"}"}, // not 16 bytes
        {"{\"aLeaf\":{\"leafId\":\"AX8i4nmwfMOYxNwMDAc5jw\"}}",
         "{\"aLeaf\":{\"leafId\":\"017f22e2-79b0-7cc3-98c4-dc0c0c07398f\"}}"},
        {"{\"aBytes\":\"AX8i4nmwfMOYxNwMDAc5jw==\"}", "{\"aBytes\":\"AX8i4nmwfMOYxNwMDAc5jw==\"}"},
        {"{\"namedId\":\"AX8i4nmwfMOYxNwMDAc5jw==\"}", "{\"namedId\":\"AX8i4nmwfMOYxNwMDAc5jw==\"}"},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_reads_as(cases[i].in, cases[i].out, PBJSON_UUID);
    assert_reads_as("{\"id\":\"AX8i4nmwfMOYxNwMDAc5jw==\"}", "{\"id\":\"AX8i4nmwfMOYxNwMDAc5jw==\"}", 0);
}

static void errors_say_where_and_what_was_expected(void **state)
{
    (void)state;
    static const struct {
        const char *json, *error;
    } cases[] = {
        {"{\"aInt32\":2147483648}", "aInt32: expected an integer from -2147483648 to 2147483647"},
        {"{\"aInt32\":1.5}", "aInt32: expected an integer from -2147483648 to 2147483647"},
        {"{\"aInt32\":true}", "aInt32: expected an integer from -2147483648 to 2147483647"},
        {"{\"aUint32\":-1}", "aUint32: expected an integer from 0 to 4294967295"},
        {"{\"aUint32\":\" 1\"}", "aUint32: expected an integer from 0 to 4294967295"},
        {"{\"aUint32\":\"-\"}", "aUint32: expected an integer from 0 to 4294967295"},
        {"{\"aUint32\":\"\"}", "aUint32: expected an integer from 0 to 4294967295"},
        {"{\"aUint64\":\"18446744073709551616\"}",
         "aUint64: expected an integer from 0 to 18446744073709551615, best as a string"},
        {"{\"aInt64\":\"9223372036854775808\"}",
         "aInt64: expected an integer from -9223372036854775808 to 9223372036854775807, best as a string"},
        {"{\"aInt64\":1e17}",
         "aInt64: expected an integer from -9223372036854775808 to 9223372036854775807, best as a string"},
        {"{\"aFloat\":1e39}", "aFloat: expected a number of up to about 3.4e38, or \"NaN\" or \"Infinity\""},
        {"{\"aDouble\":1e999}", "aDouble: expected a number, or \"NaN\" or \"Infinity\""},
        {"{\"aDouble\":\"0x10\"}", "aDouble: expected a number, or \"NaN\" or \"Infinity\""},
        {"{\"aDouble\":\"nan\"}", "aDouble: expected a number, or \"NaN\" or \"Infinity\""},
        {"{\"aBool\":1}", "aBool: expected true or false"},
        {"{\"aBool\":\"true\"}", "aBool: expected true or false"},
        {"{\"aString\":1}", "aString: expected a string, in UTF-8 and without NUL"},
        {"{\"aBytes\":\"AA=\"}", "aBytes: expected a string: base64"},
        {"{\"id\":\"017f22e2-\"}", "id: expected a string: a UUID, or base64"},
        {"{\"aColour\":\"MAUVE\"}", "aColour: expected a name or number of sample.Colour"},
        {"{\"aColour\":7}", "aColour: expected a name or number of sample.Colour"},
        {"{\"rLeaf\":[{},{},{\"palette\":[1,\"x\"]}]}",
         "rLeaf[2].palette[1]: expected a name or number of sample.Colour"},
        {"{\"rLeaf\":{}}", "rLeaf: expected an array"},
        {"{\"rString\":[null]}", "rString[0]: expected a string, in UTF-8 and without NUL"},
        {"{\"rLeaf\":[null]}", "rLeaf[0]: expected an object"},
        {"{\"aLeaf\":[]}", "aLeaf: expected an object"},
        {"{\"aLeaf\":{\"colr\":1}}", "aLeaf.colr: expected a field of sample.Leaf: there is none of this name"},
        {"{\"A\\nB\":1}", "A?B: expected a field of sample.All: there is none of this name"},
        {"{\"aint32\":1}", "aint32: expected a field of sample.All: there is none of this name"},
        {"{\"aInt32\":1,\"a_int32\":2}", "a_int32: expected only one of the two spellings of this name"},
        {"{\"cString\":\"a\",\"cUint32\":1}", "cUint32: expected only one member of this choice, and another is set"},
        {"[]", "the whole: expected an object"},
        {"null", "the whole: expected an object"},
        {"12", "the whole: expected an object"},
        {"\"x\"", "the whole: expected an object"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct pbjson_error err;
        char text[PBJSON_ERROR_TEXT_CHARS];
        assert_null(pbjson_parse(ALL, cases[i].json, strlen(cases[i].json), PBJSON_UUID, &err));
        assert_int_equal(err.status, PBJSON_MISMATCH);
        pbjson_error_format(&err, text, sizeof text);
        assert_string_equal(text, cases[i].error);
    }
}

static void syntax_errors_have_line_and_column(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        unsigned line, column;
    } cases[] = {
        {"", 1, 1},
        {"{", 1, 2},
        {"{\n  \"aInt32\": 1,\n  \"aString\" \"x\"\n}", 3, 13},
        {"{\"aString\":\"é\" x}", 1, 16}, // counted in characters
        {"{\"aInt32\":1,}", 1, 13},
        {"{\"aInt32\":1} x", 1, 14},
        {"{\"aInt32\":1}{}", 1, 13},
        {"{'aInt32':1}", 1, 2},
        {"{\"aString\":\"a\nb\"}", 1, 14},
        {"{\"aString\":\"\\x\"}", 1, 13},
        {"{\"aString\":\"\\u12g4\"}", 1, 13},
        {"{\"aString\":\"a\\u0000b\"}", 1, 14},
        {"{\"a\\u0000b\":1}", 1, 4},
        {"{\"aString\":\"\\ud834x\"}", 1, 13},
        {"{\"aString\":\"\\ud834\\u0041\"}", 1, 13},
        {"{\"aString\":\"\\udd1e\"}", 1, 13},
        {"{\"aString\":\"abc", 1, 16},
        {"{\"aInt32\":01}", 1, 11},
        {"{\"aDouble\":1.}", 1, 14},
        {"{\"aDouble\":1e}", 1, 14},
        {"{\"aDouble\":-}", 1, 13},
        {"{\"aDouble\":.5}", 1, 12},
        {"{\"aDouble\":-Infinity}", 1, 13},
        {"{\"aUint64\":18446744073709551616}", 1, 12}, // never cut to the largest that fits
        {"{\"aInt64\":-9223372036854775809}", 1, 11},
        {"{\"aDouble\":99999999999999999999}", 1, 12},
        {"{\"rInt32\":[1,]}", 1, 14},
        {"// no\n{}", 1, 1},
        {"{\"aString\":\"\xff\"}", 1, 13},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct pbjson_error err;
        // Of its own size, without a NUL: a sanitizer sees an overrun.
        size_t len = strlen(cases[i].json);
        char *exact = malloc(len ? len : 1);
        assert_non_null(exact);
        memcpy(exact, cases[i].json, len);
        assert_null(pbjson_parse(ALL, exact, len, 0, &err));
        free(exact);
        assert_int_equal(err.status, PBJSON_SYNTAX);
        assert_int_equal(err.line, cases[i].line);
        assert_int_equal(err.column, cases[i].column);
    }
}

// count times `part`, between `before` and `after`; malloc'd.
static char *repeat(const char *before, const char *part, size_t count, const char *after)
{
    size_t len = strlen(part);
    char *text = malloc(strlen(before) + count * len + strlen(after) + 1);
    assert_non_null(text);
    char *at = stpcpy(text, before);
    for (size_t i = 0; i < count; i++)
        at = stpcpy(at, part);
    strcpy(at, after);
    return text;
}

static void expect_limit(char *json, bool fits)
{
    struct pbjson_error err;
    ProtobufCMessage *m = pbjson_parse(ALL, json, strlen(json), 0, &err);
    free(json);
    assert_int_equal(err.status, fits ? PBJSON_OK : PBJSON_LIMIT);
    assert_int_equal(m != NULL, fits);
    if (m)
        protobuf_c_message_free_unpacked(m, NULL);
}

static char *nested(size_t trees, const char *open, const char *close)
{
    char *left = repeat("{\"tree\":{", open, trees, "");
    char *whole = repeat(left, close, trees, "}}");
    free(left);
    return whole;
}

static void nesting_repeats_and_size_are_bounded(void **state)
{
    (void)state;
    expect_limit(nested(PBJSON_DEPTH_MAX - 2, "\"left\":{", "}"), true);
    expect_limit(nested(PBJSON_DEPTH_MAX - 1, "\"left\":{", "}"), false);
    expect_limit(nested(PBJSON_DEPTH_MAX - 2, "\"branches\":[{", "}]"), true);
    expect_limit(nested(1000, "\"branches\":[{", "}]"), false);
    expect_limit(repeat("", "[", 100000, ""), false);
    expect_limit(repeat("{\"rInt32\":[", "1,", PBJSON_REPEAT_MAX - 1, "1]}"), true);
    expect_limit(repeat("{\"rInt32\":[", "1,", PBJSON_REPEAT_MAX, "1]}"), false);
    expect_limit(repeat("{\"rLeaf\":[", "{\"palette\":[1,1,1,1,1,1,1,1,1,1,1]},", 9000, "{}]}"), false);
    expect_limit(repeat("{\"aString\":\"", "x", PBJSON_TEXT_MAX_BYTES - 14, "\"}"), true);
    expect_limit(repeat("{\"aString\":\"", "x", PBJSON_TEXT_MAX_BYTES - 13, "\"}"), false);
}

static void message_that_is_too_deep_is_not_written(void **state)
{
    (void)state;
    Sample__Tree trees[PBJSON_DEPTH_MAX];
    Sample__All m = SAMPLE__ALL__INIT;

    for (size_t i = 0; i < COUNT(trees); i++) {
        sample__tree__init(&trees[i]);
        trees[i].left = i > 0 ? &trees[i - 1] : NULL;
    }
    m.tree = &trees[COUNT(trees) - 2];
    struct json_object *object = pbjson_object(&m.base, 0);
    assert_non_null(object);
    json_object_put(object);
    m.tree = &trees[COUNT(trees) - 1];
    assert_null(pbjson_object(&m.base, 0));
    assert_int_equal(errno, ELOOP);
}

static void defaults_are_written_when_asked(void **state)
{
    (void)state;
    Sample__Leaf leaf = SAMPLE__LEAF__INIT;
    char *json = pbjson_from(&leaf.base, PBJSON_DEFAULTS);
    assert_string_equal(json, "{\"text\":\"\",\"colour\":\"COLOUR_UNSPECIFIED\",\"palette\":[],\"leafId\":\"\"}");
    free(json);

    Sample__All all = SAMPLE__ALL__INIT;
    json = pbjson_from(&all.base, PBJSON_DEFAULTS);
    assert_non_null(strstr(json, "\"aInt64\":\"0\""));
    assert_null(strstr(json, "aLeaf")); // a message that is absent has no default
    assert_null(strstr(json, "cString"));
    free(json);
}

static void unnamed_enum_value_is_written_as_number(void **state)
{
    (void)state;
    Sample__Leaf leaf = SAMPLE__LEAF__INIT;
    leaf.colour = (Sample__Colour)42;
    char *json = pbjson_from(&leaf.base, 0);
    assert_string_equal(json, "{\"colour\":42}");
    free(json);
}

static void objects_embed_in_larger_answers(void **state)
{
    (void)state;
    struct json_object *answer = json_object_new_object();
    Sample__Leaf leaf = SAMPLE__LEAF__INIT;
    leaf.text = "x";
    json_object_object_add(answer, "leaf", pbjson_object(&leaf.base, 0));
    assert_string_equal(json_object_to_json_string_ext(answer, JSON_C_TO_STRING_PLAIN), "{\"leaf\":{\"text\":\"x\"}}");

    struct pbjson_error err;
    ProtobufCMessage *m =
        pbjson_parse_object(&sample__leaf__descriptor, json_object_object_get(answer, "leaf"), 0, &err);
    assert_non_null(m);
    assert_string_equal(((Sample__Leaf *)m)->text, "x");
    protobuf_c_message_free_unpacked(m, NULL);
    assert_null(pbjson_parse_object(&sample__leaf__descriptor, answer, 0, NULL));

    // What no text can bring in, an object can.
    struct json_object *with_nul = json_object_new_object();
    json_object_object_add(with_nul, "text", json_object_new_string_len("a\0b", 3));
    assert_null(pbjson_parse_object(&sample__leaf__descriptor, with_nul, 0, &err));
    assert_string_equal(err.path, "text");
    json_object_put(with_nul);
    json_object_put(answer);
}

static void pretty_text_has_lines_and_reads_the_same(void **state)
{
    (void)state;
    ProtobufCMessage *m = parse("{\"aInt32\":1,\"aLeaf\":{\"text\":\"x\"}}", 0);
    char *json = pbjson_from(m, PBJSON_PRETTY);
    assert_non_null(strstr(json, "\n"));
    assert_reads_as(json, "{\"aInt32\":1,\"aLeaf\":{\"text\":\"x\"}}", 0);
    free(json);
    protobuf_c_message_free_unpacked(m, NULL);
}

static void doubles_survive_with_the_fewest_digits(void **state)
{
    (void)state;
    static const double values[] = {0.1, 1.0 / 3, 5e-324, 1e22, 123456789.123, 72.5, 4503599627370497.5, -1e-7};
    for (size_t i = 0; i < COUNT(values); i++) {
        Sample__All m = SAMPLE__ALL__INIT;
        m.a_double = values[i];
        m.a_float = (float)values[i];
        char *json = pbjson_from(&m.base, 0);
        Sample__All *again = (Sample__All *)parse(json, 0);
        assert_memory_equal(&again->a_double, &m.a_double, sizeof m.a_double);
        assert_memory_equal(&again->a_float, &m.a_float, sizeof m.a_float);
        free(json);
        sample__all__free_unpacked(again, NULL);
    }
}

static void base64_is_that_of_rfc_4648(void **state)
{
    (void)state;
    static const struct {
        const char *plain, *text; // the vectors of section 10
    } vectors[] = {
        {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"foobar", "Zm9vYmFy"},
    };
    for (size_t i = 0; i < COUNT(vectors); i++) {
        char text[16] = "";
        uint8_t bytes[16];
        size_t len = strlen(vectors[i].plain), got;
        base64_encode((const uint8_t *)vectors[i].plain, len, text);
        assert_string_equal(text, vectors[i].text);
        assert_true(base64_decode(text, strlen(text), bytes, &got));
        assert_int_equal(got, len);
        assert_memory_equal(bytes, vectors[i].plain, len);
    }
    static const char *const refused[] = {
        "Z", "Zg=", "Zg===", "=", "====", "Zh==", "Zm9=", "Zm 9v", "Zm9v\n", "Zg==Zg=="};
    for (size_t i = 0; i < COUNT(refused); i++) {
        uint8_t bytes[16];
        size_t got;
        assert_false(base64_decode(refused[i], strlen(refused[i]), bytes, &got));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_field_is_read_as_it_is_written),
        cmocka_unit_test(other_spellings_are_read_and_written_in_one_form),
        cmocka_unit_test(ids_are_uuid_text_where_asked),
        cmocka_unit_test(errors_say_where_and_what_was_expected),
        cmocka_unit_test(syntax_errors_have_line_and_column),
        cmocka_unit_test(nesting_repeats_and_size_are_bounded),
        cmocka_unit_test(message_that_is_too_deep_is_not_written),
        cmocka_unit_test(defaults_are_written_when_asked),
        cmocka_unit_test(unnamed_enum_value_is_written_as_number),
        cmocka_unit_test(objects_embed_in_larger_answers),
        cmocka_unit_test(pretty_text_has_lines_and_reads_the_same),
        cmocka_unit_test(doubles_survive_with_the_fewest_digits),
        cmocka_unit_test(base64_is_that_of_rfc_4648),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
