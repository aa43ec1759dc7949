/* The forms of an access report, from an answer made here. */
#include "report_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

#include "texts.h"

#include <cmocka.h> /* last: it has a macro fail() */

#define HOSTILE "=cmd|' /C calc'!A0 <script>alert(1)</script> & \\\" ]]> \\u001b[31m\\r\\n+1"

static const char *const languages[] = {"en", "nl", "fr", "de"};
enum { LANGUAGES = 4, ROWS = 11 /* of the report made here */ };

typedef void form_fn(const struct report *report, FILE *out, struct style style);

static char *rendered(form_fn *form, const char *name, const char *language)
{
    struct report report;
    char *text = NULL;
    size_t size;
    if (!report_case(&report, name))
        fail_msg("no JSON: %s", name);
    FILE *out = open_memstream(&text, &size);
    form(&report, out, (struct style){.utf8 = true, .texts = texts_of(language)});
    fclose(out);
    report_clear(&report);
    return text;
}

static void has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("“%s” is not in: %s", part, text);
}

static void has_not(const char *text, const char *part)
{
    if (strstr(text, part))
        fail_msg("“%s” is in: %s", part, text);
}

static size_t count(const char *text, const char *part)
{
    size_t n = 0;
    for (; (text = strstr(text, part)); text += strlen(part))
        n++;
    return n;
}

static void unescape(char *text, const char *escaped, char plain)
{
    size_t size = strlen(escaped);
    for (char *at; (at = strstr(text, escaped));) {
        *at = plain;
        memmove(at + 1, at + size, strlen(at + size) + 1);
    }
}

/* ---- What a patient reads ----------------------------------------------------------------------------------------- */

static void the_sentence_says_who_what_and_why_in_four_languages(void **state)
{
    (void)state;
    static const char *const sentences[LANGUAGES] = {
        "Apotheek Peeters was told of: discharge from hospital. What was shared: medical data (also diagnoses, "
        "medicines and measurements). This was allowed because they have been in your care team since 1 January 2026 "
        "(pharmacist) and you gave consent on 2 January 2026.",
        "Apotheek Peeters kreeg bericht van: ontslag uit het ziekenhuis. Wat gedeeld werd: medische gegevens (ook "
        "diagnoses, geneesmiddelen en metingen). Dit mocht omdat die ontvanger sinds 1 januari 2026 bij uw zorgteam "
        "hoort (apotheker) en u op 2 januari 2026 toestemming gaf.",
        "Apotheek Peeters a été informé de ceci : sortie de l'hôpital.",
        "Apotheek Peeters erhielt Nachricht von: Entlassung aus dem Krankenhaus."};
    for (int i = 0; i < LANGUAGES; i++) {
        char *text = rendered(report_html, "Apotheek Peeters", languages[i]);
        unescape(text, "&#39;", '\'');
        unescape(text, "&nbsp;", ' ');
        has(text, sentences[i]);
        free(text);
    }
}

static void everything_has_its_words(void **state)
{
    (void)state;
    static const char *const parts[] = {
        "Apotheek Peeters came into your care team (pharmacist; therapeutic relation).",
        "AZ Demo reported: discharge from hospital. Author: Apotheek Peeters (specialist).",
        "It was marked as confidential.",
        "No professional had confirmed it at that time.",
        "Received by their software on 1 March 2026, 21:02. Read on 1 March 2026, 22:00.",
        "MUG was told of",
        "GP was to be told of: discharge from hospital, but it was not handed over.",
        "Ended on 1 March 2026, 21:02: withdrawn before it was handed over, because the right to it had gone; you "
        "have decided that this care provider is told nothing.",
        "Dr. Janssens was not told of: discharge from hospital. Reason: the rules give this role nothing of this kind "
        "of event.",
        "Apotheek Peeters is to be told of: discharge from hospital. It has not been fetched yet.",
        "The reason for it: Dr. Janssens had not read it in time.",
        "opened the content of entry 42: discharge from hospital. Purpose: Apotheek Peeters.",
        "The membership of Apotheek Peeters in your care team (pharmacist) ended, as had been set.",
        "What the hub knew of you was erased: the content of 12 entries.",
        "What the hub knew of you was erased on 1 March 2026, 21:58. Who was told what before that cannot be said",
        "asked for a report like this one. Purpose: Apotheek Peeters.",
        "the records P9 are yours as well",
        "Messages about you that were handed to a care provider: 2.",
    };
    char *text = rendered(report_html, "Apotheek Peeters", "en");
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        has(text, parts[i]);
    assert_int_equal(count(text, "<strong class=\"mark\">Emergency access</strong>"), 1);
    assert_int_equal(count(text, "<caption><h2>"), 2);
    free(text);
}

static void every_place_of_every_text_is_filled_in(void **state)
{
    (void)state;
    for (int i = 0; i < LANGUAGES; i++) {
        char *text = rendered(report_text, "Apotheek Peeters", languages[i]);
        assert_null(strpbrk(text, "{}"));
        has_not(text, "report.");
        has_not(text, "(null)");
        free(text);
    }
}

/* A code that a newer hub sends has a sentence as soon as this tool knows the code. */
static void every_code_has_a_sentence(void **state)
{
    (void)state;
    const ProtobufCEnumDescriptor *const types[] = {&carehub__v1__cause__descriptor,
                                                    &carehub__v1__expiry_entry__ended__kind__descriptor};
    static const char *const tables[] = {"report.cause", "report.expiry"};
    for (int t = 0; t < 2; t++)
        for (unsigned i = 0; i < types[t]->n_values; i++) {
            char code[TEXT_CODE_BYTES];
            snprintf(code, sizeof code, "%s.%s", tables[t], types[t]->values[i].name);
            if (types[t]->values[i].value && !text_find((struct style){.texts = texts_of("en")}, code))
                fail_msg("texts/en.txt has no text for %s", code);
        }
}

static void text_has_a_block_for_each_day(void **state)
{
    (void)state;
    char *text = rendered(report_text, "Apotheek Peeters", "en");
    has(text, "\n1 January 2026\n  10:00 \u00b7 Apotheek Peeters came into");
    has(text, "\n1 March 2026\n  21:02 \u00b7 AZ Demo reported");
    has(text, "  21:02 \u2713 Apotheek Peeters was told of");
    has(text, "Emergency access: MUG was told");
    for (const char *line = text; *line; line += strcspn(line, "\n") + 1) {
        size_t width = 0;
        for (const char *c = line; *c && *c != '\n'; c++)
            width += ((unsigned char)*c & 0xC0) != 0x80;
        assert_true(width <= 100);
        if (!strchr(line, '\n'))
            break;
    }
    free(text);
}

static void an_empty_report_says_so(void **state)
{
    (void)state;
    Carehub__V1__Answer *answer = malloc(sizeof *answer);
    carehub__v1__answer__init(answer);
    answer->answer_case = CAREHUB__V1__ANSWER__ANSWER_ACCESS_REPORT;
    answer->access_report = malloc(sizeof *answer->access_report);
    carehub__v1__access_report_answer__init(answer->access_report);
    struct report report = {0};
    report_begin(&report);
    assert_true(report_add(&report, answer));
    carehub__v1__answer__free_unpacked(answer, NULL);
    report_end(&report);
    form_fn *const forms[] = {report_text, report_html, report_csv, report_fhir};
    static const char *const says[] = {"Nothing is recorded", "Nothing is recorded", "\"place\",", "\"collection\"}"};
    for (int i = 0; i < 4; i++) {
        char *text = NULL;
        size_t size;
        FILE *out = open_memstream(&text, &size);
        forms[i](&report, out, (struct style){.texts = texts_of("en")});
        fclose(out);
        has(text, says[i]);
        free(text);
    }
    report_clear(&report);
}

/* ---- Hostile names and texts -------------------------------------------------------------------------------------- */

static void html_shows_a_hostile_name_and_does_not_run_it(void **state)
{
    (void)state;
    char *text = rendered(report_html, HOSTILE, "en");
    has_not(text, "<script");
    has(text, "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;");
    assert_null(strchr(text, '\033'));
    free(text);
}

static void a_terminal_is_not_steered(void **state)
{
    (void)state;
    char *text = rendered(report_text, HOSTILE, "en");
    assert_null(strchr(text, '\033'));
    assert_null(strchr(text, '\r'));
    free(text);
}

/* Reads what RFC 4180 says; returns the number of records, each of which must have the same number of cells. */
static size_t csv_records(const char *text, size_t *cells)
{
    size_t records = 0;
    for (*cells = 0; *text; records++) {
        size_t n = 0;
        do {
            assert_int_equal(*text++, '"');
            assert_null(*text == '"' && text[1] != '"' ? NULL : strchr("=+-@", *text) ? text : NULL);
            for (; *text != '"' || text[1] == '"'; text += *text == '"' ? 2 : 1) {
                assert_true(*text != '\0');
                assert_true(*text != '\r');
            }
            text++;
            n++;
        } while (*text == ',' && text++);
        assert_int_equal(strncmp(text, "\r\n", 2), 0);
        text += 2;
        assert_true(*cells == 0 || *cells == n);
        *cells = n;
    }
    return records;
}

static void csv_is_a_table_without_formulas(void **state)
{
    (void)state;
    static const char *const names[] = {"Apotheek Peeters", HOSTILE, "+1", "-1", "@SUM(A1)", "\\t=1", "\\\"", ","};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t cells;
        char *text = rendered(report_csv, names[i], "nl");
        assert_int_equal(csv_records(text, &cells), 1 + ROWS);
        assert_int_equal(cells, 45);
        free(text);
    }
}

static void fhir_is_json_with_an_event_for_each_row(void **state)
{
    (void)state;
    for (int hostile = 0; hostile <= 1; hostile++) {
        char *text = rendered(report_fhir, hostile ? HOSTILE : "Apotheek Peeters", "en");
        struct json_object *bundle = json_tokener_parse(text), *entries, *entry, *part;
        assert_non_null(bundle);
        assert_true(json_object_object_get_ex(bundle, "entry", &entries));
        assert_int_equal(json_object_array_length(entries), ROWS);
        for (size_t i = 0; i < json_object_array_length(entries); i++) {
            entry = json_object_array_get_idx(entries, i);
            assert_true(json_object_object_get_ex(entry, "resource", &part));
            assert_true(json_object_object_get_ex(part, "recorded", &part));
        }
        has(text, "\"code\":\"ETREAT\"");
        has(text, "IHE.BasicAudit.PrivacyDisclosure.Source");
        has(text, "\"code\":\"110113\"");
        json_object_put(bundle);
        free(text);
    }
}

/* The made-up answer as it goes over the wire: for the fuzzer to begin with. */
static int write_seed(const char *path)
{
    struct report report;
    FILE *out = fopen(path, "w");
    if (!out || !report_case(&report, "Apotheek Peeters"))
        return 1;
    size_t size = carehub__v1__answer__get_packed_size(report.pages[0]);
    uint8_t *packed = malloc(size);
    carehub__v1__answer__pack(report.pages[0], packed);
    bool good = fwrite(packed, 1, size, out) == size;
    free(packed);
    report_clear(&report);
    return fclose(out) == 0 && good ? 0 : 1;
}

int main(int argc, char **argv)
{
    setenv("TZ", "UTC", 1);
    if (argc == 3 && strcmp(argv[1], "--seed") == 0)
        return write_seed(argv[2]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sentence_says_who_what_and_why_in_four_languages),
        cmocka_unit_test(everything_has_its_words),
        cmocka_unit_test(every_place_of_every_text_is_filled_in),
        cmocka_unit_test(every_code_has_a_sentence),
        cmocka_unit_test(text_has_a_block_for_each_day),
        cmocka_unit_test(an_empty_report_says_so),
        cmocka_unit_test(html_shows_a_hostile_name_and_does_not_run_it),
        cmocka_unit_test(a_terminal_is_not_steered),
        cmocka_unit_test(csv_is_a_table_without_formulas),
        cmocka_unit_test(fhir_is_json_with_an_event_for_each_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
