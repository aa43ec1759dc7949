// The public samples of KMEHR and FHIR through the pharmacy plug-in, as a table: what is taken, what is refused by
// which rule, what is told; a scheme and its next version; and what is written of every line, read back. Exits with 77,
// which CTest reports as skipped, when the samples are not there: $CAREHUB_CORPORA, or ../shared/corpora beside the
// sources.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fhir_medication.h"
#include "kmehr.h"
#include "pharmacy_fixture.h"
#include "scheme_build.h"

#define EXIT_SKIPPED 77
#define NOW_MS 1785800000000
#define RULES_MAX 32u
#define CHUNK 16u // lines in one event, as a host would never send all at once

extern const struct carehub_format carehub_format;

typedef Carehub__Pharmacy__V1__Scheme Scheme;
typedef Carehub__Pharmacy__V1__Line Line;
typedef Carehub__V1__MedicationChange Change;

static const char *const settings[][2] = {
    {"default-sender", "teller"}, {"senders", NULL}, {"teller", NULL}, {"first", "tell"}, {NULL}, {NULL}, {NULL}};
static char corpora[4096];
static struct kmehr_schema *schema;

static char *load(const char *folder, const char *name, size_t *len)
{
    char path[8192];
    snprintf(path, sizeof path, "%s/%s/%s", corpora, folder, name);
    FILE *file = fopen(path, "re");
    *len = 0;
    if (file == NULL)
        return NULL;
    fseek(file, 0, SEEK_END);
    *len = (size_t)ftell(file);
    rewind(file);
    char *text = calloc(1, *len + 1);
    assert_int_equal(fread(text, 1, *len, file), *len);
    fclose(file);
    return text;
}

static struct fixture *begin(void)
{
    char error[CAREHUB_ERROR_BYTES];
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->format = fixture_configure(settings, error);
    assert_non_null(fixture->format);
    fixture->native.received_ms = NOW_MS;
    fixture->native.transport = "folder";
    return fixture;
}

static void end(struct fixture *fixture)
{
    fixture_finish(fixture);
    free(fixture);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static bool has_ending(const char *name, const char *ending)
{
    size_t len = strlen(name), of = strlen(ending);
    return len >= of && strcmp(name + len - of, ending) == 0;
}

// Each file that may hold medication, in the order of names.
static void each_file(const char *folder, void (*take)(void *arg, const char *name, const char *text, size_t len),
                      void *arg)
{
    char path[8192];
    struct dirent **entries;
    snprintf(path, sizeof path, "%s/%s", corpora, folder);
    int n = scandir(path, &entries, NULL, by_name);
    assert_true(n >= 0);
    for (int i = 0; i < n; i++) {
        const char *name = entries[i]->d_name;
        size_t len;
        if (has_ending(name, ".xml") || has_ending(name, ".kmehr") || has_ending(name, ".json")) {
            char *text = load(folder, name, &len);
            take(arg, name, text, len);
            free(text);
        }
        free(entries[i]);
    }
    free(entries);
}

// ---- The table

struct table {
    size_t files, told, changes, nothing, held, refused, n_rules;
    struct {
        char rule[CAREHUB_RULE_BYTES], example[80];
        size_t count;
    } rules[RULES_MAX];
};

static void note_refusal(struct table *table, const struct carehub_problem *problem, const char *name)
{
    size_t i = 0;
    table->refused++;
    assert_true(problem->what[0] != '\0' && problem->rule[0] != '\0');
    while (i < table->n_rules && strcmp(table->rules[i].rule, problem->rule) != 0)
        i++;
    assert_true(i < RULES_MAX);
    if (i == table->n_rules) {
        table->n_rules++;
        snprintf(table->rules[i].rule, sizeof table->rules[i].rule, "%s", problem->rule);
        snprintf(table->rules[i].example, sizeof table->rules[i].example, "%.76s", name);
    }
    table->rules[i].count++;
}

static void try_file(void *arg, const char *name, const char *text, size_t len)
{
    struct table *table = arg;
    struct fixture *fixture = begin();
    fixture_send(fixture, text, len);
    table->files++;
    switch (fixture->message.verdict) {
    case CAREHUB_MESSAGE_EVENTS:
        assert_int_equal(fixture->n_events, 1);
        table->told++;
        table->changes += fixture->events[0]->medication_changed->n_changes;
        break;
    case CAREHUB_MESSAGE_NOTHING:
        table->nothing++;
        break;
    case CAREHUB_MESSAGE_HOLD:
        table->held++;
        break;
    default:
        note_refusal(table, &fixture->message.problem, name);
    }
    end(fixture);
}

static void every_sample_is_told_or_refused_by_a_rule(void **state)
{
    static const char *const folders[] = {"kmehr/smals-jy+KMEHR-tests", "kmehr/dwagelaar+ttc2023-kmehr2fhir",
                                          "fhir/smals-jy+KMEHR-tests", "fhir/compiled-hl7-be+medication",
                                          "fhir/compiled-hl7-be+medication-record"};
    (void)state;
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        struct table table = {0};
        each_file(folders[i], try_file, &table);
        print_message("%-40s files %3zu: told %2zu (%3zu changes), nothing %2zu, refused %2zu\n", folders[i],
                      table.files, table.told, table.changes, table.nothing, table.refused);
        for (size_t j = 0; j < table.n_rules; j++)
            print_message("    %3zu  %-44s e.g. %s\n", table.rules[j].count, table.rules[j].rule,
                          table.rules[j].example);
        assert_int_equal(table.files, table.told + table.nothing + table.refused);
        assert_int_equal(table.held, 0);
    }
}

// ---- A scheme and its next version

// Replaces the first `from` behind `mark`. NULL when it is not there.
static char *replaced(const char *text, const char *mark, const char *from, const char *to)
{
    const char *at = strstr(text, mark);
    at = at != NULL ? strstr(at, from) : NULL;
    if (at == NULL)
        return NULL;
    char *made = malloc(strlen(text) + strlen(to) + 1);
    sprintf(made, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    return made;
}

struct versions {
    size_t pairs, changes;
};

static void check_versions(struct versions *versions, const char *name, const char *first, const char *same,
                           const char *next)
{
    struct fixture *fixture = begin();
    assert_true(same != NULL && next != NULL);
    fixture_send(fixture, first, strlen(first));
    assert_int_equal(fixture->n_events, 1); // all added
    fixture_send(fixture, same, strlen(same));
    assert_int_equal(fixture->message.verdict, CAREHUB_MESSAGE_NOTHING);
    assert_string_equal(fixture->message.why, "unchanged");
    fixture_send(fixture, next, strlen(next));
    if (fixture->message.verdict != CAREHUB_MESSAGE_EVENTS)
        fail_msg("%s: %s", name, fixture->message.why);
    assert_int_equal(fixture->message.verdict, CAREHUB_MESSAGE_EVENTS);
    assert_int_equal(fixture->n_events, 1);
    versions->changes += fixture->events[0]->medication_changed->n_changes;
    fixture_send(fixture, first, strlen(first));
    assert_int_equal(fixture->message.verdict, CAREHUB_MESSAGE_ERROR); // an older one
    end(fixture);
    versions->pairs++;
}

static void try_kmehr(void *arg, const char *name, const char *text, size_t len)
{
    (void)len;
    if (strncmp(name, "output__ms__", 12) != 0)
        return;
    char *same = replaced(text, "medicationscheme<", "<version>", "<version>9");
    char *begins = replaced(same, "<beginmoment>", "<date>2", "<date>1");
    char *next = replaced(begins != NULL ? begins : "", "medicationscheme<", "<version>", "<version>9");
    check_versions(arg, name, text, same, next);
    free(same);
    free(begins);
    free(next);
}

static void try_fhir(void *arg, const char *name, const char *text, size_t len)
{
    (void)len;
    if (strncmp(name, "output__fhir-ms__", 17) != 0)
        return;
    char *same = replaced(text, "\"timestamp\"", "T10:", "T11:");
    char *begins = replaced(text, "\"effectivePeriod\"", "\"start\": \"2", "\"start\": \"1");
    if (begins == NULL)
        begins = replaced(text, "\"MedicationStatement\"", "\"status\": \"unknown\"", "\"status\": \"stopped\"");
    char *next = replaced(begins != NULL ? begins : "", "\"timestamp\"", "T10:", "T12:");
    check_versions(arg, name, text, same, next);
    free(same);
    free(begins);
    free(next);
}

static void each_next_version_is_told_once(void **state)
{
    struct versions kmehr = {0}, fhir = {0};
    (void)state;
    each_file("kmehr/smals-jy+KMEHR-tests", try_kmehr, &kmehr);
    each_file("fhir/smals-jy+KMEHR-tests", try_fhir, &fhir);
    print_message("KMEHR: %zu schemes, %zu changes; FHIR: %zu schemes, %zu changes\n", kmehr.pairs, kmehr.changes,
                  fhir.pairs, fhir.changes);
    assert_true(kmehr.pairs >= 20 && fhir.pairs >= 20);
}

// ---- What is written of every line

struct written {
    size_t lines, same, in_words;
};

static void write_lines(const Scheme *scheme, size_t from, size_t n, bool kmehr, struct carehub_parcel *parcel)
{
    static const struct carehub_setting form = {.name = "form", .value = "kmehr"},
                                        receiver = {.name = "receiver", .value = "", .first = &form};
    Change changes[CHUNK], *list[CHUNK];
    Carehub__V1__MedicationChanged body = CAREHUB__V1__MEDICATION_CHANGED__INIT;
    Carehub__V1__Event event = CAREHUB__V1__EVENT__INIT;
    Carehub__V1__Patient patient = CAREHUB__V1__PATIENT__INIT;
    uint8_t id[16] = {1};
    for (size_t i = 0; i < n; i++) {
        carehub__v1__medication_change__init(&changes[i]);
        changes[i].kind = CAREHUB__V1__MEDICATION_CHANGE__KIND__ADDED;
        changes[i].medicine = scheme->lines[from + i]->medicine;
        changes[i].posology = scheme->lines[from + i]->posology;
        list[i] = &changes[i];
    }
    body.n_changes = n;
    body.changes = list;
    patient.n_identifiers = scheme->n_patient;
    patient.identifiers = scheme->patient;
    event.id = (ProtobufCBinaryData){sizeof id, id};
    event.type = CAREHUB__V1__EVENT_TYPE__MEDICATION_CHANGED;
    event.patient = &patient;
    event.body_case = CAREHUB__V1__EVENT__BODY_MEDICATION_CHANGED;
    event.medication_changed = &body;
    struct fixture *fixture = begin();
    const struct carehub_departure departure = {
        .event = &event, .receiver = kmehr ? &receiver : NULL, .number = 1, .attempt = 1, .now_ms = NOW_MS};
    *parcel = (struct carehub_parcel){0};
    assert_int_equal(carehub_format.write(fixture->format, &departure, parcel), CAREHUB_WRITTEN);
    end(fixture);
}

static void check_line(struct written *written, const Line *from, const Line *back)
{
    written->lines++;
    if (!scheme_same_medicine(from->medicine, back->medicine))
        fail_msg("'%s' came back as '%s'", from->medicine->name, back->medicine->name);
    if (scheme_same_posology(from->posology, back->posology))
        written->same++;
    else if (back->posology->n_regimen == 0 && back->posology->text[0] != '\0')
        written->in_words++;
    else
        fail_msg("'%s': another posology, '%s'", from->medicine->name, back->posology->text);
}

static void go_round(const Scheme *scheme, bool kmehr, struct written *written)
{
    for (size_t from = 0; from < scheme->n_lines; from += CHUNK) {
        size_t n = scheme->n_lines - from < CHUNK ? scheme->n_lines - from : CHUNK;
        struct carehub_parcel parcel;
        struct medication_error error;
        const struct kmehr_options options = {.schema = schema};
        write_lines(scheme, from, n, kmehr, &parcel);
        Scheme *back = kmehr ? kmehr_read(parcel.bytes, parcel.len, &options, &error, NULL)
                             : fhir_medication_read(parcel.bytes, parcel.len, NULL, &error, NULL);
        if (back == NULL)
            fail_msg("%s: %s\n%.*s", error.path, error.text, (int)parcel.len, (char *)parcel.bytes);
        assert_int_equal(back->n_lines, n);
        for (size_t i = 0; i < n; i++)
            check_line(written, scheme->lines[from + i], back->lines[i]);
        carehub__pharmacy__v1__scheme__free_unpacked(back, NULL);
        free(parcel.bytes);
    }
}

static struct written all[2][2]; // read from KMEHR, FHIR; written as FHIR, KMEHR

static void try_round(void *arg, const char *name, const char *text, size_t len)
{
    struct medication_error error;
    bool fhir = has_ending(name, ".json");
    (void)arg;
    if (strstr(name, "ms__") == NULL)
        return;
    Scheme *scheme =
        fhir ? fhir_medication_read(text, len, NULL, &error, NULL) : kmehr_read(text, len, NULL, &error, NULL);
    assert_non_null(scheme);
    for (int kmehr = 0; kmehr < 2; kmehr++)
        go_round(scheme, kmehr, &all[fhir][kmehr]);
    carehub__pharmacy__v1__scheme__free_unpacked(scheme, NULL);
}

static void every_line_is_read_back_as_it_was_or_in_words(void **state)
{
    (void)state;
    each_file("kmehr/smals-jy+KMEHR-tests", try_round, NULL);
    each_file("fhir/smals-jy+KMEHR-tests", try_round, NULL);
    for (int fhir = 0; fhir < 2; fhir++)
        for (int kmehr = 0; kmehr < 2; kmehr++)
            print_message("read as %-5s written as %-5s %3zu lines: %3zu the same, %2zu in words\n",
                          fhir ? "FHIR," : "KMEHR,", kmehr ? "KMEHR:" : "FHIR:", all[fhir][kmehr].lines,
                          all[fhir][kmehr].same, all[fhir][kmehr].in_words);
}

int main(void)
{
    const char *from = getenv("CAREHUB_CORPORA");
    char path[5000];
    struct medication_error error;
    snprintf(corpora, sizeof corpora, "%s", from != NULL ? from : CAREHUB_CORPORA_DEFAULT);
    snprintf(path, sizeof path, "%s/kmehr/xsd/xsd-kmehr/ehealth-kmehr/XSD/kmehr_elements-1_43.xsd", corpora);
    if (access(path, R_OK) != 0) {
        printf("skipped: no samples at %s (set CAREHUB_CORPORA)\n", corpora);
        return EXIT_SKIPPED;
    }
    schema = kmehr_schema_new(path, &error);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sample_is_told_or_refused_by_a_rule),
        cmocka_unit_test(each_next_version_is_told_once),
        cmocka_unit_test(every_line_is_read_back_as_it_was_or_in_words),
    };
    int failed = schema != NULL ? cmocka_run_group_tests_name("pharmacy_conformance", tests, NULL, NULL) : 1;
    kmehr_schema_destroy(&schema);
    return failed;
}
