// The public samples of KMEHR and FHIR, if they are at hand: $CAREHUB_CORPORA, or ../shared/corpora beside the source
// tree. Prints what came of each kind of file, and compares the schemes that are there in both forms. Exits with 77,
// which CTest reports as skipped, when they are not there.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fhir_medication.h"
#include "kmehr.h"
#include "medication_codes.h"
#include "scheme.h"

#define EXIT_SKIPPED 77
#define OPEN_DIRECTORIES_MAX 8
#define REFUSALS_MAX 64u
#define SEEN_MS 1785800000000 // 2026-08-04, when the samples were made

typedef Carehub__Pharmacy__V1__Scheme Scheme;
typedef Carehub__Pharmacy__V1__Line Line;

static char corpora[4096];

// ---- The table

static struct {
    char rule[48];
    size_t count;
    char example[200];
} refusals[REFUSALS_MAX];
static size_t refusal_count, files, accepted, lines, suspensions, remarks_made;

static void note_refusal(const char *path, const struct medication_error *error)
{
    size_t i = 0;
    while (i < refusal_count && strcmp(refusals[i].rule, error->rule) != 0)
        i++;
    if (i == REFUSALS_MAX)
        return;
    if (i == refusal_count) {
        refusal_count++;
        snprintf(refusals[i].rule, sizeof refusals[i].rule, "%s", error->rule);
        snprintf(refusals[i].example, sizeof refusals[i].example, "%.60s line %zu %.90s", strrchr(path, '/') + 1,
                 error->line, error->path);
    }
    refusals[i].count++;
}

static uint8_t *load(const char *path, size_t *len)
{
    FILE *file = fopen(path, "re");
    uint8_t *bytes = NULL;
    long size = -1;
    if (file != NULL && fseek(file, 0, SEEK_END) == 0 && (size = ftell(file)) >= 0 && fseek(file, 0, SEEK_SET) == 0)
        bytes = malloc((size_t)size + 1);
    *len = bytes != NULL ? fread(bytes, 1, (size_t)size, file) : 0;
    if (file != NULL)
        fclose(file);
    return bytes;
}

static Scheme *read_file(const char *path, bool xml, struct medication_error *error, struct medication_remarks *remarks)
{
    struct kmehr_options kmehr = {.seen_ms = SEEN_MS};
    struct fhir_medication_options fhir = {.seen_ms = SEEN_MS};
    size_t len;
    uint8_t *bytes = load(path, &len);
    assert_non_null(bytes);
    Scheme *scheme =
        xml ? kmehr_read(bytes, len, &kmehr, error, remarks) : fhir_medication_read(bytes, len, &fhir, error, remarks);
    free(bytes);
    return scheme;
}

// What was read survives being kept, and is the same as itself.
static void check_kept(const Scheme *scheme)
{
    size_t len = carehub__pharmacy__v1__scheme__get_packed_size(scheme);
    uint8_t *bytes = malloc(len + 1);
    carehub__pharmacy__v1__scheme__pack(scheme, bytes);
    Scheme *kept = carehub__pharmacy__v1__scheme__unpack(NULL, len, bytes);
    assert_non_null(kept);
    struct scheme_result result = scheme_diff(kept, scheme, NULL, NULL);
    assert_true(result.outcome == SCHEME_SAME_VERSION || result.outcome == SCHEME_UNCHANGED);
    assert_false(result.differs);
    carehub__pharmacy__v1__scheme__free_unpacked(kept, NULL);
    free(bytes);
}

static bool is_xml(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot != NULL && (strcmp(dot, ".xml") == 0 || strcmp(dot, ".kmehr") == 0);
}

static int try_file(const char *path, const struct stat *info, int type, struct FTW *ftw)
{
    struct medication_error error;
    struct medication_remarks remarks;
    const char *dot = strrchr(path, '.');
    (void)info;
    (void)ftw;
    if (type != FTW_F || dot == NULL || !(is_xml(path) || strcmp(dot, ".json") == 0))
        return 0;
    files++;
    Scheme *scheme = read_file(path, is_xml(path), &error, &remarks);
    if (scheme == NULL) {
        assert_true(error.fault != MEDICATION_FAULT_NONE && error.text[0] != '\0' && error.rule[0] != '\0');
        note_refusal(path, &error);
        return 0;
    }
    assert_int_equal(error.fault, MEDICATION_FAULT_NONE);
    accepted++;
    lines += scheme->n_lines;
    remarks_made += remarks.count + remarks.beyond;
    for (size_t i = 0; i < scheme->n_lines; i++)
        suspensions += scheme->lines[i]->n_suspensions;
    check_kept(scheme);
    carehub__pharmacy__v1__scheme__free_unpacked(scheme, NULL);
    return 0;
}

static void walk(const char *folder, const char *title)
{
    char path[5000];
    snprintf(path, sizeof path, "%s/%s", corpora, folder);
    refusal_count = files = accepted = lines = suspensions = remarks_made = 0;
    memset(refusals, 0, sizeof refusals);
    assert_int_equal(nftw(path, try_file, OPEN_DIRECTORIES_MAX, FTW_PHYS), 0);
    print_message("%-45s files %4zu, accepted %4zu, lines %4zu, suspensions %3zu, remarks %3zu\n", title, files,
                  accepted, lines, suspensions, remarks_made);
    for (size_t i = 0; i < refusal_count; i++)
        print_message("    refused %4zu: %-22s e.g. %s\n", refusals[i].count, refusals[i].rule, refusals[i].example);
}

static void every_sample_is_read_or_says_why(void **state)
{
    (void)state;
    walk("kmehr/smals-jy+KMEHR-tests", "KMEHR, smals-jy/KMEHR-tests");
    assert_true(accepted >= 20);
    walk("kmehr/dwagelaar+ttc2023-kmehr2fhir", "KMEHR, dwagelaar/ttc2023-kmehr2fhir");
    walk("fhir/smals-jy+KMEHR-tests", "FHIR, smals-jy/KMEHR-tests");
    assert_true(accepted >= 20);
    walk("fhir/compiled-hl7-be+medication", "FHIR, hl7-be/medication");
    walk("fhir/compiled-hl7-be+medication-record", "FHIR, hl7-be/medication-record");
    walk("fhir/compiled-medcomdk+dk-medcom-hospitalnotification", "FHIR, medcomdk/hospitalnotification");
}

static void the_schemas_verdict_is_found(void **state)
{
    struct medication_error error;
    char path[5000];
    (void)state;
    snprintf(path, sizeof path, "%s/kmehr/xsd/xsd-kmehr/ehealth-kmehr/XSD/kmehr_elements-1_43.xsd", corpora);
    struct kmehr_schema *schema = kmehr_schema_new(path, &error);
    assert_non_null(schema);
    struct kmehr_options options = {.schema = schema};
    snprintf(path, sizeof path, "%s/kmehr/smals-jy+KMEHR-tests", corpora);
    DIR *folder = opendir(path);
    size_t valid = 0;
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char file[6000];
        size_t len;
        if (strncmp(entry->d_name, "output__ms__", 12) != 0)
            continue;
        snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        uint8_t *bytes = load(file, &len);
        Scheme *scheme = kmehr_read(bytes, len, &options, &error, NULL);
        if (scheme == NULL)
            fail_msg("%s, line %zu, %s: %s", entry->d_name, error.line, error.path, error.text);
        valid++;
        carehub__pharmacy__v1__scheme__free_unpacked(scheme, NULL);
        free(bytes);
    }
    closedir(folder);
    kmehr_schema_destroy(&schema);
    print_message("%zu schemes are valid by the XSD\n", valid);
    assert_true(valid >= 20);
}

// ---- Pairs

// In what the two forms of a scheme may differ: what the translation does not carry, or says in another way.
enum difference {
    SAME,
    NO_ROUTE,      // left out
    NO_UNIT,       // left out or, for some, without a code
    COARSE_MOMENT, // "between breakfast and lunch" told as "with breakfast"
    CODE_SYSTEM,   // INN clusters and VMP groups told as CNK
    AS_NEEDED,     // made up from the temporality oneshot
    NO_DATE,       // a begin or end that is left out
    DIFFERENT,
    DIFFERENCES,
};

static const char *const difference_names[] = {"same",        "no route",  "no unit", "coarser moment",
                                               "code system", "as needed", "no date", "DIFFERENT"};
static size_t found[DIFFERENCES];

static void differ(enum difference difference)
{
    found[difference]++;
}

static void different(const char *pair, size_t line, const char *what, const char *a, const char *b)
{
    found[DIFFERENT]++;
    print_message("    %s, line %zu: %s: KMEHR '%.80s', FHIR '%.80s'\n", pair, line + 1, what, a, b);
}

static bool same_code(const char *a, const char *b)
{
    return strcmp(a + strspn(a, "0"), b + strspn(b, "0")) == 0;
}

static void compare_medicines(const char *pair, size_t at, const Line *a, const Line *b)
{
    if (strcmp(a->medicine->name, b->medicine->name) != 0)
        different(pair, at, "name", a->medicine->name, b->medicine->name);
    if (a->medicine->n_codes != b->medicine->n_codes) {
        different(pair, at, "codes", "other", "number");
        return;
    }
    for (size_t i = 0; i < a->medicine->n_codes; i++) {
        const Carehub__V1__Coded *x = a->medicine->codes[i], *y = b->medicine->codes[i];
        if (!same_code(x->code, y->code))
            different(pair, at, "code", x->code, y->code);
        else if (strcmp(x->system, y->system) != 0)
            differ(CODE_SYSTEM);
    }
}

static void compare_dates(const char *pair, size_t at, const char *what, const char *a, const char *b)
{
    if (strcmp(a, b) == 0)
        return;
    if (b[0] == '\0')
        differ(NO_DATE);
    else
        different(pair, at, what, a, b);
}

static const char *coarse(const char *moment)
{
    static const char *const table[][2] = {
        {"betweenbreakfastandlunch", "CM"}, {"betweenlunchanddinner", "CD"}, {"betweendinnerandsleep", "CV"}};
    for (size_t i = 0; i < 3; i++)
        if (strcmp(table[i][0], moment) == 0)
            return table[i][1];
    return moment;
}

static const char *code_of(const Carehub__V1__Coded *coded)
{
    return coded != NULL ? coded->code : "";
}

static void compare_intakes(const char *pair, size_t at, const Carehub__V1__Intake *a, const Carehub__V1__Intake *b)
{
    const char *x = code_of(a->moment), *y = code_of(b->moment);
    if (strcmp(x, y) != 0 && strcmp(coarse(x), y) == 0)
        differ(COARSE_MOMENT);
    else if (strcmp(x, y) != 0)
        different(pair, at, "moment", x, y);
    if (strcmp(code_of(a->weekday), code_of(b->weekday)) != 0)
        different(pair, at, "weekday", code_of(a->weekday), code_of(b->weekday));
    if (strcmp(a->time_of_day, b->time_of_day) != 0)
        different(pair, at, "time", a->time_of_day, b->time_of_day);
    if (strcmp(a->date, b->date) != 0)
        different(pair, at, "date", a->date, b->date);
    if (a->day_number != b->day_number)
        different(pair, at, "day number", "other", "");
    x = a->quantity != NULL ? a->quantity->unit : "";
    y = b->quantity != NULL ? b->quantity->unit : "";
    if (strcmp(x, y) != 0 && y[0] == '\0')
        differ(NO_UNIT);
    else if (strcmp(x, y) != 0)
        different(pair, at, "unit", x, y);
    x = a->quantity != NULL ? a->quantity->value : "";
    y = b->quantity != NULL ? b->quantity->value : "";
    if (strtod(x, NULL) != strtod(y, NULL))
        different(pair, at, "quantity", x, y);
}

static void compare_texts(const char *pair, size_t at, const char *a, const char *b)
{
    size_t len = strlen(a);
    if (strcmp(a, b) == 0)
        return;
    if (strncmp(a, b, len) == 0 && strcmp(b + len + (len > 0 && b[len] == '\n'), "as needed") == 0)
        differ(AS_NEEDED);
    else
        different(pair, at, "text", a, b);
}

static void compare_posologies(const char *pair, size_t at, const Line *a, const Line *b)
{
    const Carehub__V1__Posology *x = a->posology, *y = b->posology;
    compare_texts(pair, at, x->text, y->text);
    if (strcmp(code_of(x->frequency), code_of(y->frequency)) != 0)
        different(pair, at, "frequency", code_of(x->frequency), code_of(y->frequency));
    if (x->route != NULL && y->route == NULL)
        differ(NO_ROUTE);
    if (x->n_regimen != y->n_regimen)
        different(pair, at, "number of intakes", "other", "");
    for (size_t i = 0; i < x->n_regimen && i < y->n_regimen; i++)
        compare_intakes(pair, at, x->regimen[i], y->regimen[i]);
}

static void compare_suspensions(const char *pair, size_t at, const Line *a, const Line *b)
{
    if (a->n_suspensions != b->n_suspensions)
        different(pair, at, "number of suspensions", "other", "");
    for (size_t i = 0; i < a->n_suspensions && i < b->n_suspensions; i++) {
        const Carehub__Pharmacy__V1__Suspension *x = a->suspensions[i], *y = b->suspensions[i];
        if (x->definitive != y->definitive)
            different(pair, at, "definitive", x->definitive ? "yes" : "no", y->definitive ? "yes" : "no");
        compare_dates(pair, at, "begin of a suspension", x->begin, y->begin);
        compare_dates(pair, at, "end of a suspension", x->end, y->end);
        if (strcmp(x->reason, y->reason) != 0)
            different(pair, at, "reason", x->reason, y->reason);
    }
}

static void compare_pair(const char *name, const Scheme *a, const Scheme *b)
{
    assert_int_equal(a->n_patient, b->n_patient);
    for (size_t i = 0; i < a->n_patient; i++)
        assert_string_equal(a->patient[i]->value, b->patient[i]->value);
    if (a->n_lines != b->n_lines)
        different(name, 0, "number of lines", "other", "");
    for (size_t i = 0; i < a->n_lines && i < b->n_lines; i++) {
        compare_medicines(name, i, a->lines[i], b->lines[i]);
        compare_dates(name, i, "begin", a->lines[i]->begin, b->lines[i]->begin);
        compare_dates(name, i, "end", a->lines[i]->end, b->lines[i]->end);
        compare_posologies(name, i, a->lines[i], b->lines[i]);
        compare_suspensions(name, i, a->lines[i], b->lines[i]);
    }
}

static void both_forms_of_a_scheme_give_the_same_lines(void **state)
{
    char folder[5000];
    size_t pairs = 0, compared = 0, broken = 0;
    (void)state;
    snprintf(folder, sizeof folder, "%s/kmehr/smals-jy+KMEHR-tests", corpora);
    struct dirent **entries;
    int n = scandir(folder, &entries, NULL, alphasort);
    assert_true(n > 0);
    for (int e = 0; e < n; e++) {
        char kmehr[6000], fhir[6000], name[128];
        struct medication_error error;
        if (strncmp(entries[e]->d_name, "output__ms__", 12) == 0) {
            snprintf(name, sizeof name, "%.100s", entries[e]->d_name + 12);
            *strrchr(name, '.') = '\0';
            snprintf(kmehr, sizeof kmehr, "%s/%s", folder, entries[e]->d_name);
            snprintf(fhir, sizeof fhir, "%s/fhir/smals-jy+KMEHR-tests/output__fhir-ms__%s.json", corpora, name);
            Scheme *a = read_file(kmehr, true, &error, NULL), *b = NULL;
            assert_non_null(a);
            if (access(fhir, R_OK) == 0) {
                b = read_file(fhir, false, &error, NULL);
                assert_non_null(b);
                memset(found, 0, sizeof found);
                compare_pair(name, a, b);
                print_message("%-32s %3zu lines:", name, a->n_lines);
                for (size_t i = 1; i < DIFFERENCES; i++)
                    if (found[i] > 0)
                        print_message(" %zu %s;", found[i], difference_names[i]);
                print_message("\n");
                pairs++;
                compared += a->n_lines;
                broken += found[DIFFERENT] > 0;
                carehub__pharmacy__v1__scheme__free_unpacked(b, NULL);
            }
            carehub__pharmacy__v1__scheme__free_unpacked(a, NULL);
        }
        free(entries[e]);
    }
    free(entries);
    print_message("%zu pairs, %zu lines, %zu pairs differ in what they say\n", pairs, compared, broken);
    assert_true(pairs > 0);
    assert_int_equal(broken, 0);
}

int main(void)
{
    const char *from = getenv("CAREHUB_CORPORA");
    snprintf(corpora, sizeof corpora, "%s", from != NULL ? from : CAREHUB_CORPORA_DEFAULT);
    char path[5000];
    snprintf(path, sizeof path, "%s/kmehr", corpora);
    if (access(path, R_OK) != 0) {
        printf("skipped: no samples at %s (set CAREHUB_CORPORA)\n", path);
        return EXIT_SKIPPED;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sample_is_read_or_says_why),
        cmocka_unit_test(the_schemas_verdict_is_found),
        cmocka_unit_test(both_forms_of_a_scheme_give_the_same_lines),
    };
    return cmocka_run_group_tests_name("pharmacy_corpus", tests, NULL, NULL);
}
