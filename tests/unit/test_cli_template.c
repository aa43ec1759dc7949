/* What `carehub init --demo` writes is right: facts and events parse, identifiers are valid, the discharge is
 * HL7. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "carehub/v1/event.pb-c.h"
#include "carehub/v1/registry.pb-c.h"
#include "route/policy.h"
#include "identifier.h"
#include "pbjson.h"
#include "template.h"

#include <cmocka.h> /* last: it has a macro fail() */

static const char KEY[] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

static bool fill(void *ctx, const char *name, const char *argument, char value[TEMPLATE_VALUE_BYTES])
{
    (void)ctx, (void)argument;
    if (strcmp(name, "KEY") != 0)
        return false;
    snprintf(value, TEMPLATE_VALUE_BYTES, "%s", KEY);
    return true;
}

static void assert_parses(const ProtobufCMessageDescriptor *type, const char *text, size_t size,
                          void (*check)(const ProtobufCMessage *message))
{
    struct pbjson_error error;
    ProtobufCMessage *message = pbjson_parse(type, text, size, PBJSON_UUID, &error);
    if (!message) {
        char why[PBJSON_ERROR_TEXT_CHARS];
        pbjson_error_format(&error, why, sizeof why);
        fail_msg("%s", why);
    }
    if (check)
        check(message);
    protobuf_c_message_free_unpacked(message, NULL);
}

static void check_identifier(const Carehub__V1__Identifier *identifier)
{
    struct identifier checked;
    assert_true(identifier_usable(identifier_check(identifier->system, identifier->value, &checked)));
    assert_string_equal(checked.value, identifier->value); /* already in normal form */
}

static void check_fact(const ProtobufCMessage *message)
{
    const Carehub__V1__Fact *fact = (const Carehub__V1__Fact *)message;
    assert_int_equal(fact->id.len, 16); /* so that loading it again is harmless */
    assert_int_not_equal(fact->fact_case, CAREHUB__V1__FACT__FACT__NOT_SET);
    if (fact->fact_case == CAREHUB__V1__FACT__FACT_CLIENT_KEY_ADDED)
        assert_int_equal(fact->client_key_added->public_key.len, 32);
    if (fact->fact_case == CAREHUB__V1__FACT__FACT_PATIENT_REGISTERED)
        for (size_t i = 0; i < fact->patient_registered->n_identifiers; i++)
            check_identifier(fact->patient_registered->identifiers[i]);
    if (fact->fact_case == CAREHUB__V1__FACT__FACT_CONSENT_GIVEN)
        check_identifier(fact->consent_given->patient->identifier);
}

static void demo_region_is_facts_the_schema_knows(void **state)
{
    (void)state;
    char *text = template_fill(embedded("demo/region.jsonl"), fill, NULL);
    size_t facts = 0;
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        size_t n = strcspn(line, "\n");
        if (n == 0)
            continue;
        assert_parses(&carehub__v1__fact__descriptor, line, n, check_fact);
        facts++;
    }
    assert_in_range(facts, 40, 100);
    free(text);
}

static void check_event(const ProtobufCMessage *message)
{
    const Carehub__V1__Event *event = (const Carehub__V1__Event *)message;
    assert_non_null(event->occurred_at);
    assert_true(event->occurred_at->unix_ms > 0);
    assert_int_not_equal(event->body_case, CAREHUB__V1__EVENT__BODY__NOT_SET);
    check_identifier(event->patient->identifiers[0]);
}

static void demo_events_are_events_the_schema_knows(void **state)
{
    (void)state;
    static const char *const names[] = {"demo/events/fall.json", "demo/events/inclusion.json",
                                        "demo/events/medication.json"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char *text = template_fill(embedded(names[i]), fill, NULL);
        assert_parses(&carehub__v1__event__descriptor, text, strlen(text), check_event);
        free(text);
    }
}

/* The text of a field, from 1; segments are in lines before `init` makes them end with a carriage return. */
static void hl7_field(const char *message, const char *segment, int field, char *value, size_t size)
{
    const char *at = strstr(message, segment);
    assert_non_null(at);
    for (; field > 0; field--) {
        at = strchr(at, '|');
        assert_non_null(at);
        at++;
    }
    snprintf(value, size, "%.*s", (int)strcspn(at, "|\n"), at);
}

static void demo_discharge_has_its_times_where_the_standard_wants_them(void **state)
{
    (void)state;
    char *text = template_fill(embedded("demo/messages/discharge.hl7"), fill, NULL), value[128];
    hl7_field(text, "MSH", 8, value, sizeof value); /* MSH-1 is the separator itself */
    assert_string_equal(value, "ADT^A03^ADT_A03");
    hl7_field(text, "\nPV1", 2, value, sizeof value);
    assert_string_equal(value, "I");
    hl7_field(text, "\nPV1", 36, value, sizeof value);
    assert_string_equal(value, "01");
    hl7_field(text, "\nPV1", 44, value, sizeof value);
    assert_int_equal(strlen(value), strlen("20260101120000+0100"));
    hl7_field(text, "\nPV1", 45, value, sizeof value);
    assert_int_equal(strlen(value), strlen("20260101120000+0100"));
    assert_null(strchr(text, '@'));
    free(text);
}

static void invented_numbers_are_valid_and_nobodys(void **state)
{
    (void)state;
    char *text = template_fill("@SSIN 380412@", NULL, NULL);
    struct identifier checked;
    assert_int_equal(identifier_check_ssin(text, &checked), IDENTIFIER_VALID);
    assert_int_equal(checked.ssin.birth_year, 1938);
    assert_memory_equal(text + 6, "999", 3);
    free(text);
}

static void built_in_policy_is_sound(void **state)
{
    (void)state;
    char error[POLICY_ERROR_BYTES];
    const char *text = embedded("default.policy");
    struct policy *policy = policy_read(text, strlen(text), error);
    assert_non_null(policy);
    policy_destroy(&policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(demo_region_is_facts_the_schema_knows),
        cmocka_unit_test(demo_events_are_events_the_schema_knows),
        cmocka_unit_test(demo_discharge_has_its_times_where_the_standard_wants_them),
        cmocka_unit_test(invented_numbers_are_valid_and_nobodys),
        cmocka_unit_test(built_in_policy_is_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
