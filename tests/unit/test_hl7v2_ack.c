#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "hl7v2_ack.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define NOW_MS 1709284500000 // 2024-03-01 10:15:00 +0100

static struct hl7v2_message *parse(const char *text)
{
    struct hl7v2_error error;
    struct hl7v2_message *message = hl7v2_parse(text, strlen(text), NULL, &error);
    if (message == NULL)
        fail_msg("%s", error.text);
    return message;
}

static void build(const char *text, enum hl7v2_ack_code code, const struct hl7v2_ack_error *errors, size_t count,
                  char *out)
{
    struct hl7v2_message *message = parse(text);
    struct hl7v2_ack ack = {message, code, "R1", NOW_MS, 60, errors, count};
    size_t len = hl7v2_ack_build(&ack, out, HL7V2_ACK_MAX_BYTES);
    assert_int_equal(len, strlen(out));
    hl7v2_message_destroy(&message);
}

static void sender_s_conditions_decide_what_is_sent(void **state)
{
    (void)state;
    // For each outcome (accepted, error, rejected), what the commit and the application stage send.
    static const struct {
        const char *conditions, *commit[3], *application[3];
    } cases[] = {
        {"|", {"", "", ""}, {"AA", "AE", "AR"}},           {"\"\"|\"\"", {"", "", ""}, {"AA", "AE", "AR"}},
        {"AL|NE", {"CA", "CE", "CR"}, {"", "", ""}},       {"AL|", {"CA", "CE", "CR"}, {"", "", ""}},
        {"NE|AL", {"", "", ""}, {"AA", "AE", "AR"}},       {"|AL", {"", "", ""}, {"AA", "AE", "AR"}},
        {"AL|AL", {"CA", "CE", "CR"}, {"AA", "AE", "AR"}}, {"NE|NE", {"", "", ""}, {"", "", ""}},
        {"ER|AL", {"", "CE", "CR"}, {"AA", "AE", "AR"}},   {"SU|ER", {"CA", "", ""}, {"", "AE", "AR"}},
        {"ER|SU", {"", "CE", "CR"}, {"AA", "", ""}},       {"al|ne", {"CA", "CE", "CR"}, {"", "", ""}},
        {"YES|NE", {"CA", "CE", "CR"}, {"", "", ""}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[100];
        snprintf(text, sizeof text, "MSH|^~\\&|||||||ADT^A01|1|P|2.5|||%s\r", cases[i].conditions);
        struct hl7v2_message *message = parse(text);
        assert_int_equal(hl7v2_ack_is_enhanced(message), i > 1);
        for (unsigned outcome = 0; outcome < 3; outcome++) {
            enum hl7v2_ack_code commit = hl7v2_ack_decide(message, HL7V2_ACK_STAGE_COMMIT, outcome);
            enum hl7v2_ack_code application = hl7v2_ack_decide(message, HL7V2_ACK_STAGE_APPLICATION, outcome);
            assert_string_equal(hl7v2_ack_code_text(commit), cases[i].commit[outcome]);
            assert_string_equal(hl7v2_ack_code_text(application), cases[i].application[outcome]);
        }
        hl7v2_message_destroy(&message);
    }
}

static void acceptance_swaps_sender_and_receiver(void **state)
{
    (void)state;
    char out[HL7V2_ACK_MAX_BYTES];
    build("MSH|^~\\&|ADT1|GHB^1.2^ISO|HUB|REGION|20240301||ADT^A03^ADT_A03|MSG7|T^A|2.5.1^BEL|||AL|NE\r", HL7V2_ACK_CA,
          NULL, 0, out);
    assert_string_equal(out, "MSH|^~\\&|HUB|REGION|ADT1|GHB^1.2^ISO|20240301101500+0100||ACK^A03^ACK|R1|T^A|"
                             "2.5.1^BEL\rMSA|CA|MSG7\r");
}

static void message_type_is_what_the_version_knows(void **state)
{
    (void)state;
    static const struct {
        const char *type, *version, *expected;
    } cases[] = {
        {"ADT^A01", "2.1", "ACK"},
        {"ADT^A01", "2.2", "ACK^A01"},
        {"ADT^A01", "2.3", "ACK^A01"},
        {"ADT^A01^ADT_A01", "2.3.1", "ACK^A01^ACK"},
        {"ADT^A01", "2.4", "ACK^A01"},
        {"ADT^A01^ADT_A01", "2.4", "ACK^A01^ACK"},
        {"ADT^A01", "2.5", "ACK^A01^ACK"},
        {"ADT^A01^ADT_A01", "2.8.2", "ACK^A01^ACK"},
        {"ADT", "2.5", "ACK"},
        {"ADT^A01", "", "ACK^A01^ACK"},
        {"ADT^A01", "two", "ACK^A01^ACK"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[100], out[HL7V2_ACK_MAX_BYTES], expected[100];
        snprintf(text, sizeof text, "MSH|^~\\&|||||||%s|1|P|%s\r", cases[i].type, cases[i].version);
        build(text, HL7V2_ACK_AA, NULL, 0, out);
        snprintf(expected, sizeof expected, "||%s|R1|P|%s\r", cases[i].expected,
                 cases[i].version[0] != '\0' ? cases[i].version : "2.5.1");
        assert_non_null(strstr(out, expected));
    }
}

static const struct hl7v2_ack_error errors[] = {
    {{"PID", 1, 3, 2, 4, 1}, HL7V2_CONDITION_UNKNOWN_KEY, 'E', "no such | patient", "Unknown patient"},
    {{"PV1", 1, 44, 0, 0, 0}, HL7V2_CONDITION_DATA_TYPE, 'W', NULL, NULL},
};

static void errors_say_what_is_wrong_where(void **state)
{
    (void)state;
    static const struct {
        const char *header, *body;
    } cases[] = {
        {"MSH|^~\\&|||||||ADT^A01|1|P|2.5.1\r",
         "MSA|AE|1|Unknown patient\r"
         "ERR||PID^1^3^2^4^1|204^Unknown key identifier^HL70357|E|||no such \\F\\ patient|Unknown patient\r"
         "ERR||PV1^1^44|102^Data type error^HL70357|W\r"},
        {"MSH|^~\\&#|||||||ADT^A01|1|P|2.8\r",
         "MSA|AE|1\r"
         "ERR||PID^1^3^2^4^1|204^Unknown key identifier^HL70357|E|||no such \\F\\ patient|Unknown patient\r"
         "ERR||PV1^1^44|102^Data type error^HL70357|W\r"},
        {"MSH|^~\\&|||||||ADT^A01|1|P|2.3\r",
         "MSA|AE|1|Unknown patient|||204^Unknown key identifier^HL70357\r"
         "ERR|PID^1^3^204&Unknown key identifier&HL70357~PV1^1^44^102&Data type error&HL70357\r"},
        {"MSH#!@%*#######ADT!A01#1#P#2.5\r",
         "MSA#AE#1#Unknown patient\r"
         "ERR##PID!1!3!2!4!1#204!Unknown key identifier!HL70357#E###no such | patient#Unknown patient\r"
         "ERR##PV1!1!44#102!Data type error!HL70357#W\r"},
        {"MSH|^|||||||ADT^A01|1|P|2.4\r",
         "MSA|AE|1|Unknown patient|||204^Unknown key identifier^HL70357\rERR|PID^1^3^204\r"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[HL7V2_ACK_MAX_BYTES];
        build(cases[i].header, HL7V2_ACK_AE, errors, COUNT(errors), out);
        const char *body = strchr(out, '\r') + 1;
        if (strcmp(body, cases[i].body) != 0)
            fail_msg("%s gives %s", cases[i].header, body);
    }
}

static void text_above_ascii_makes_the_reply_utf8(void **state)
{
    (void)state;
    struct hl7v2_ack_error error = {.condition = HL7V2_CONDITION_UNKNOWN_KEY, .diagnostic = "pati\xC3\xABnt"};
    char out[HL7V2_ACK_MAX_BYTES];
    build("MSH|^~\\&|||||||ADT^A01|1|P|2.5||||||8859/1\r", HL7V2_ACK_AE, &error, 1, out);
    assert_non_null(strstr(out, "|P|2.5||||||UNICODE UTF-8\rMSA|AE|1|pati\xC3\xABnt\r"));
    build("MSH|^~\\&||H\xF4pital|||||ADT^A01|1|P|2.5||||||8859/1\r", HL7V2_ACK_AA, NULL, 0, out);
    assert_non_null(strstr(out, "|||H\xC3\xB4pital|")); // MSH-6 is MSH-4, with MSH-5 empty before it
    assert_non_null(strstr(out, "||||||UNICODE UTF-8\r"));
}

static void unparsable_message_is_answered_all_the_same(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"MSH|^~\\&|S|F|R|G|20240301||ADT^A01|77|P|2.5\rPIDX|1\r",
         "MSH|^~\\&|R|G|S|F|20240301101500+0100||ACK^A01^ACK|R1|P|2.5\rMSA|AE|77|segment 2: it does not "
         "begin with a "
         "segment name (three capitals or digits) and \rERR|||100^Segment sequence "
         "error^HL70357|E|||segment 2: it "
         "does not begin with a segment name (three capitals or digits) and the field separator\r"},
        {"MSH||S|F|R|G|20240301||ADT^A01|77|P|2.5\r",
         "MSH|^~\\&|R|G|S|F|20240301101500+0100||ACK^A01^ACK|R1|P|2.5\rMSA|AE|77|MSH-2, the encoding "
         "characters, "
         "is empty\rERR||MSH^1^2|101^Required field missing^HL70357|E|||MSH-2, the encoding characters, is "
         "empty\r"},
        {"BHS|^~\\&|S|F|R|G|20240301||||B1\r", "MSH|^~\\&|R|G|S|F|20240301101500+0100||ACK|R1|P|2.5.1\rMSA|"
                                               "AE|B1|this is a batch (it begins with BHS or "
                                               "FHS), not a message\rERR||BHS^1|200^Unsupported message "
                                               "type^HL70357|E|||this is a batch (it begins with "
                                               "BHS or FHS), not a message\r"},
        {"rubbish", "MSH|^~\\&|||||20240301101500+0100||ACK|R1|P|2.5.1\rMSA|AE||the message does not begin with MSH\r"
                    "ERR||MSH^1|100^Segment sequence error^HL70357|E|||the message does not begin with MSH\r"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct hl7v2_error error;
        char out[HL7V2_ACK_MAX_BYTES];
        assert_null(hl7v2_parse(cases[i].text, strlen(cases[i].text), NULL, &error));
        struct hl7v2_message *header = hl7v2_salvage_header(cases[i].text, strlen(cases[i].text));
        struct hl7v2_ack_error detail = hl7v2_ack_error_from(&error);
        struct hl7v2_ack ack = {header, HL7V2_ACK_AE, "R1", NOW_MS, 60, &detail, 1};
        assert_true(hl7v2_ack_build(&ack, out, sizeof out) > 0);
        if (strcmp(out, cases[i].expected) != 0)
            fail_msg("%s gives %s", cases[i].text, out);
        hl7v2_message_destroy(&header);
    }
}

static void largest_acknowledgement_fits_its_limit(void **state)
{
    (void)state;
    static char text[4000], diagnostic[4000], out[HL7V2_ACK_MAX_BYTES];
    memset(diagnostic, '|', sizeof diagnostic - 1);
    strcpy(text, "MSH|^~\\&");
    for (int field = 3; field <= 6; field++) {
        strcat(text, "|");
        memset(text + strlen(text), 'x', HL7V2_ACK_ECHO_MAX_BYTES);
    }
    strcat(text, "|||ADT^A01|1|P|2.5\r");
    struct hl7v2_ack_error many[HL7V2_ACK_ERRORS_MAX + 5];
    for (size_t i = 0; i < COUNT(many); i++)
        many[i] =
            (struct hl7v2_ack_error){{"PID", 99999, 99999, 99999, 99999, 99999}, 204, 'E', diagnostic, diagnostic};
    build(text, HL7V2_ACK_AE, many, COUNT(many), out);
    size_t count = 0;
    for (const char *at = out; (at = strstr(at, "\rERR|")) != NULL; at++)
        count++;
    assert_int_equal(count, HL7V2_ACK_ERRORS_MAX);
    struct hl7v2_message *message = parse(out);
    hl7v2_message_destroy(&message);
}

static void too_small_a_buffer_yields_nothing(void **state)
{
    (void)state;
    char out[60] = "x";
    struct hl7v2_message *message = parse("MSH|^~\\&|||||||ADT^A01|1|P|2.5.1\r");
    struct hl7v2_ack ack = {message, HL7V2_ACK_AA, "R1", NOW_MS, 60, NULL, 0};
    for (size_t size = 0; size < sizeof out; size++)
        assert_int_equal(hl7v2_ack_build(&ack, out, size), 0);
    assert_string_equal(out, "");
    hl7v2_message_destroy(&message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sender_s_conditions_decide_what_is_sent),
        cmocka_unit_test(acceptance_swaps_sender_and_receiver),
        cmocka_unit_test(message_type_is_what_the_version_knows),
        cmocka_unit_test(errors_say_what_is_wrong_where),
        cmocka_unit_test(text_above_ascii_makes_the_reply_utf8),
        cmocka_unit_test(unparsable_message_is_answered_all_the_same),
        cmocka_unit_test(largest_acknowledgement_fits_its_limit),
        cmocka_unit_test(too_small_a_buffer_yields_nothing),
    };
    return cmocka_run_group_tests_name("hl7v2_ack", tests, NULL, NULL);
}
