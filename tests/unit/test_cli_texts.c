/* The tables of texts: whatever the hub can say, each language can, with the same places to fill in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "carehub/v1/wire.pb-c.h"
#include "catalogue.h"
#include "route/policy.h"
#include "template.h"
#include "texts.h"

#include <cmocka.h> /* last: it has a macro fail() */

static const char *const languages[] = {"en", "nl", "fr", "de"};
enum { LANGUAGES = 4 };

static struct style style_in(const char *language)
{
    return (struct style){.texts = texts_of(language)};
}

/* In every language there is a text for it. */
static void must_say(const char *table, const char *name)
{
    char code[TEXT_CODE_BYTES];
    snprintf(code, sizeof code, "%s.%s", table, name);
    for (int i = 0; i < LANGUAGES; i++)
        if (!text_find(style_in(languages[i]), code))
            fail_msg("texts/%s.txt has no text for %s", languages[i], code);
}

static void must_say_enum(const char *table, const ProtobufCEnumDescriptor *type)
{
    for (unsigned i = 0; i < type->n_values; i++)
        must_say(table, type->values[i].name);
}

static void every_code_of_the_protocol_has_a_text(void **state)
{
    (void)state;
    must_say_enum("reason", &carehub__v1__reason__descriptor);
    must_say_enum("outcome", &carehub__v1__outcome__descriptor);
    must_say_enum("level", &carehub__v1__level__descriptor);
    must_say_enum("view", &carehub__v1__level__descriptor);
    must_say_enum("step", &carehub__v1__trace_line__step__descriptor);
    must_say_enum("cause", &carehub__v1__cause__descriptor);
    must_say_enum("lane", &carehub__v1__lane__descriptor);
    must_say_enum("gets", &carehub__v1__gets__descriptor);
    must_say_enum("grant", &carehub__v1__grant_kind__descriptor);
    must_say_enum("basis", &carehub__v1__relation_basis__descriptor);
    const ProtobufCEnumDescriptor *findings = &carehub__v1__finding__descriptor;
    for (unsigned i = 0; i < findings->n_values; i++)
        if (findings->values[i].value)
            must_say("finding", findings->values[i].name);
    for (int type = 1; type <= EVENT_TYPE_MAX; type++)
        must_say("type", event_type_name((Carehub__V1__EventType)type));
}

static void every_role_and_proof_of_the_default_policy_has_a_text(void **state)
{
    (void)state;
    char error[POLICY_ERROR_BYTES];
    const char *text = embedded("default.policy");
    struct policy *policy = policy_read(text, strlen(text), error);
    assert_non_null(policy);
    for (int role = 0; policy_role_name(policy, role); role++)
        must_say("role", policy_role_name(policy, role));
    policy_destroy(&policy);
    static const char *const proofs[] = {"eid-read",      "dispensing", "referral",
                                         "hospital-stay", "emergency",  "gp-record"};
    for (size_t i = 0; i < sizeof proofs / sizeof *proofs; i++)
        must_say("proof", proofs[i]);
}

/* "{actor}" and its like, in the order of the alphabet: languages have their own order. */
static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void places_of(const char *text, char out[256])
{
    char *places[16];
    size_t n = 0;
    for (const char *at = text; (at = strchr(at, '{')) && n < 16; at++)
        places[n++] = strndup(at, strcspn(at, "}") + 1);
    qsort(places, n, sizeof *places, by_name);
    out[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        strncat(out, places[i], 255 - strlen(out));
        free(places[i]);
    }
}

static void every_language_has_the_same_codes_and_places(void **state)
{
    (void)state;
    const struct texts *english = texts_of("en");
    assert_true(texts_count(english) > 250);
    for (int i = 1; i < LANGUAGES; i++) {
        const struct texts *other = texts_of(languages[i]);
        for (size_t t = 0; t < texts_count(english) && t < texts_count(other); t++) {
            char here[256], there[256];
            assert_string_equal(texts_code(english, t), texts_code(other, t));
            places_of(texts_text(english, t), here);
            places_of(texts_text(other, t), there);
            if (strcmp(here, there) != 0)
                fail_msg("texts/%s.txt: %s has the places %s, not %s", languages[i], texts_code(other, t), there, here);
        }
        assert_int_equal(texts_count(english), texts_count(other));
    }
}

static void no_text_is_empty_or_there_twice(void **state)
{
    (void)state;
    for (int i = 0; i < LANGUAGES; i++) {
        const struct texts *texts = texts_of(languages[i]);
        for (size_t t = 0; t < texts_count(texts); t++) {
            if (!*texts_text(texts, t))
                fail_msg("texts/%s.txt: %s is empty", languages[i], texts_code(texts, t));
            if (t > 0 && strcmp(texts_code(texts, t), texts_code(texts, t - 1)) == 0)
                fail_msg("texts/%s.txt: %s is there twice", languages[i], texts_code(texts, t));
        }
    }
}

/* A sentence ends as one; a reason goes on behind a colon. */
static void findings_and_advice_are_sentences_and_reasons_are_not(void **state)
{
    (void)state;
    for (int i = 0; i < LANGUAGES; i++) {
        const struct texts *texts = texts_of(languages[i]);
        for (size_t t = 0; t < texts_count(texts); t++) {
            const char *code = texts_code(texts, t), *text = texts_text(texts, t);
            bool ends = text[strlen(text) - 1] == '.';
            if (strncmp(code, "finding.", 8) == 0 || strncmp(code, "advice.", 7) == 0)
                assert_true(ends);
            if (strncmp(code, "reason.", 7) == 0)
                assert_false(ends);
        }
    }
}

static void places_are_filled_in_and_what_has_no_value_stays(void **state)
{
    (void)state;
    char text[TEXT_BYTES], long_name[2 * TEXT_BYTES];
    struct style nl = style_in("nl");
    assert_string_equal(text_fill(nl, text, "explain.view", "role", "huisarts", "view", "alles", NULL),
                        "Rol: huisarts. Wat gedeeld wordt: alles.");
    assert_string_equal(text_fill(nl, text, "explain.view", "view", "{role}", NULL),
                        "Rol: {role}. Wat gedeeld wordt: {role}.");
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    text_fill(nl, text, "explain.view", "role", long_name, "view", "alles", NULL);
    assert_int_equal(strlen(text), TEXT_BYTES - 1);
}

static void what_only_a_newer_hub_knows_is_shown_by_its_name(void **state)
{
    (void)state;
    assert_null(text_find(style_in("fr"), "reason.OF_TOMORROW"));
    assert_string_equal(text_named(style_in("fr"), "reason", "OF_TOMORROW"), "OF_TOMORROW");
    assert_string_equal(text_named((struct style){0}, "role", "gp"), "GP"); /* no language: English */
}

static void dates_are_in_the_readers_format(void **state)
{
    (void)state;
    static const struct {
        const char *language, *text;
    } cases[] = {
        {"en", "1 March 2026, 21:04"},
        {"nl", "1 maart 2026 om 21.04 uur"},
        {"fr", "1er mars 2026 à 21 h 04"},
        {"de", "1. März 2026, 21:04 Uhr"},
    };
    char date[DATE_CHARS];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(date_text(style_in(cases[i].language), 1772399040000, date), cases[i].text);
    assert_string_equal(date_text(style_in("nl"), 0, date), "geen einde");
}

static void the_environment_chooses_the_language(void **state)
{
    (void)state;
    static const struct {
        const char *all, *messages, *lang, *language;
    } cases[] = {
        {NULL, NULL, NULL, "en"},
        {NULL, NULL, "nl_BE.UTF-8", "nl"},
        {NULL, "fr_BE.UTF-8", "nl_BE", "fr"},
        {"de_BE", "fr_BE", "nl_BE", "de"},
        {"", NULL, "de", "de"},
        {NULL, NULL, "C.UTF-8", "en"},
        {NULL, NULL, "es_ES.UTF-8", "en"},
        {NULL, NULL, "nld", "en"},
        {"C", "fr_BE", "nl_BE", "en"},
        {NULL, NULL, "d", "en"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const names[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
        const char *const values[] = {cases[i].all, cases[i].messages, cases[i].lang};
        for (int v = 0; v < 3; v++)
            values[v] ? setenv(names[v], values[v], 1) : unsetenv(names[v]);
        assert_string_equal(texts_language(), cases[i].language);
    }
}

int main(void)
{
    setenv("TZ", "UTC", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_of_the_protocol_has_a_text),
        cmocka_unit_test(every_role_and_proof_of_the_default_policy_has_a_text),
        cmocka_unit_test(every_language_has_the_same_codes_and_places),
        cmocka_unit_test(no_text_is_empty_or_there_twice),
        cmocka_unit_test(findings_and_advice_are_sentences_and_reasons_are_not),
        cmocka_unit_test(places_are_filled_in_and_what_has_no_value_stays),
        cmocka_unit_test(what_only_a_newer_hub_knows_is_shown_by_its_name),
        cmocka_unit_test(dates_are_in_the_readers_format),
        cmocka_unit_test(the_environment_chooses_the_language),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
