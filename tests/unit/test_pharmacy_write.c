// Changes of medication, written as FHIR and as KMEHR, and read back by our own readers. With --samples DIR it writes
// what it makes as FHIR into DIR, for other programs to judge: tests/e2e/test_fhir_valid.py.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fhir_medication.h"
#include "kmehr.h"
#include "medication_codes.h"
#include "medication_words.h"
#include "pharmacy_fixture.h"
#include "scheme_build.h"

extern const struct carehub_format carehub_format;

#define NOW_MS 1785800000000
#define DAY_MS (24LL * 60 * 60 * 1000)

typedef Carehub__V1__Event Event;
typedef Carehub__V1__MedicationChange Change;
typedef Carehub__V1__MedicationChanged Changed;
typedef Carehub__V1__Posology Posology;
typedef Carehub__Pharmacy__V1__Scheme Scheme;

static const char *const settings[][2] = {
    {"name", "Noord"}, {"endpoint", "https://hub.example/fhir"}, {"nihdi", "71099912"}, {"cbe", "0566988259"}, {NULL}};
static const struct carehub_setting fhir_receiver = {.name = "receiver", .value = ""};
static const struct carehub_setting kmehr_nihdi = {.name = "nihdi", .value = "71099912"},
                                    kmehr_form = {.name = "form", .value = "kmehr", .next = &kmehr_nihdi},
                                    kmehr_receiver = {.name = "receiver", .value = "", .first = &kmehr_form};
static void *format;
static const char *samples; // where to write what is made; NULL: nowhere

// ---- Events

static Carehub__V1__Time day(int days)
{
    Carehub__V1__Time time = CAREHUB__V1__TIME__INIT;
    time.unix_ms = NOW_MS - NOW_MS % DAY_MS + days * DAY_MS - 2 * 60 * 60 * 1000;
    time.offset_minutes = 120;
    time.precision = CAREHUB__V1__PRECISION__PRECISION_DAY;
    return time;
}

static Carehub__V1__Time *new_day(int days)
{
    Carehub__V1__Time *time = malloc(sizeof *time);
    *time = day(days);
    return time;
}

static Carehub__V1__Medicine *new_medicine(const char *name, const char *system, const char *code)
{
    Carehub__V1__Medicine *medicine = malloc(sizeof *medicine);
    carehub__v1__medicine__init(medicine);
    assert_true(scheme_set(&medicine->name, name));
    if (code != NULL)
        assert_true(scheme_add_code(medicine, system, code, name));
    return medicine;
}

static Posology *new_posology(const char *text, const char *frequency)
{
    Posology *posology = malloc(sizeof *posology);
    carehub__v1__posology__init(posology);
    assert_true(scheme_set(&posology->text, text));
    if (frequency != NULL)
        posology->frequency = scheme_coded(MEDICATION_SYSTEM_UCUM, frequency, "");
    return posology;
}

static Carehub__V1__Intake *add_intake(Posology *posology, const char *moment, const char *value, const char *unit)
{
    Carehub__V1__Intake *intake = scheme_add_intake(posology);
    if (moment != NULL)
        intake->moment = scheme_coded(MEDICATION_SYSTEM_MOMENT, moment, "");
    if (value != NULL)
        intake->quantity = scheme_quantity(value, unit);
    return intake;
}

struct letter {
    Event event;
    Carehub__V1__Patient patient;
    Carehub__V1__Author author;
    Carehub__V1__Identifier ssin, *identifiers[1];
    Carehub__V1__Time at;
    uint8_t id[16], other[16];
};

static Changed *begin_letter(struct letter *letter)
{
    Changed *body = malloc(sizeof *body);
    carehub__v1__medication_changed__init(body);
    *letter = (struct letter){.event = CAREHUB__V1__EVENT__INIT,
                              .patient = CAREHUB__V1__PATIENT__INIT,
                              .author = CAREHUB__V1__AUTHOR__INIT,
                              .ssin = CAREHUB__V1__IDENTIFIER__INIT,
                              .at = day(0)};
    memset(letter->id, 0x17, sizeof letter->id);
    memset(letter->other, 0x71, sizeof letter->other);
    letter->ssin.system = (char *)"ssin";
    letter->ssin.value = (char *)"00000000097";
    letter->identifiers[0] = &letter->ssin;
    letter->patient.n_identifiers = 1;
    letter->patient.identifiers = letter->identifiers;
    letter->author.actor = (char *)"apotheek-noord";
    letter->author.role = (char *)"pharmacist";
    letter->event.id = (ProtobufCBinaryData){16, letter->id};
    letter->event.type = CAREHUB__V1__EVENT_TYPE__MEDICATION_CHANGED;
    letter->event.patient = &letter->patient;
    letter->event.author = &letter->author;
    letter->event.occurred_at = &letter->at;
    letter->event.body_case = CAREHUB__V1__EVENT__BODY_MEDICATION_CHANGED;
    letter->event.medication_changed = body;
    assert_true(scheme_set(&body->scheme_id, "medication-scheme") && scheme_set(&body->scheme_version, "12") &&
                scheme_set(&body->previous_version, "11"));
    return body;
}

static void end_letter(struct letter *letter)
{
    if (letter->event.medication_changed != NULL)
        carehub__v1__medication_changed__free_unpacked(letter->event.medication_changed, NULL);
}

static Change *add_change(Changed *body, Carehub__V1__MedicationChange__Kind kind, Carehub__V1__Medicine *medicine,
                          Posology *posology)
{
    Change *change = malloc(sizeof *change);
    carehub__v1__medication_change__init(change);
    change->kind = kind;
    change->medicine = medicine;
    change->posology = posology;
    char id[16];
    snprintf(id, sizeof id, "L%zu", body->n_changes + 1);
    assert_true(scheme_set(&change->line_id, id) && scheme_append(&body->changes, &body->n_changes, change));
    return change;
}

// One change of each kind, with every part of a posology that both forms have.
static void fill_all(Changed *body)
{
    Posology *thrice = new_posology("with water", "1/d");
    add_intake(thrice, "ACM", "1.50", "{tablet}");
    add_intake(thrice, "HS", "2", "{tablet}");
    scheme_set(&add_intake(thrice, NULL, "1", "{tablet}")->time_of_day, "12:30");
    thrice->route = scheme_coded("CD-DRUG-ROUTE", "00060", "");
    Change *change = add_change(body, CAREHUB__V1__MEDICATION_CHANGE__KIND__ADDED,
                                new_medicine("Pantomed", "cnk", "2732808"), thrice);
    change->from = new_day(0);
    change->until = new_day(9);
    Posology *weekly = new_posology("", "1/wk");
    add_intake(weekly, "MORN", "10", "mg")->weekday = scheme_coded(MEDICATION_SYSTEM_WEEKDAY, "fri", "");
    change = add_change(body, CAREHUB__V1__MEDICATION_CHANGE__KIND__POSOLOGY_CHANGED,
                        new_medicine("Ledertrexate", "CD-INNCLUSTER", "8038473"), weekly);
    change->previous_posology = new_posology("once a week", NULL);
    change = add_change(body, CAREHUB__V1__MEDICATION_CHANGE__KIND__PRODUCT_CHANGED,
                        new_medicine("Bisoprolol", MEDICATION_SYSTEM_ATC, "C07AB07"), new_posology("1 a day", NULL));
    change->previous_medicine = new_medicine("Emconcor", "cnk", "2732808");
    change = add_change(body, CAREHUB__V1__MEDICATION_CHANGE__KIND__STOPPED, new_medicine("Xanax", NULL, NULL), NULL);
    change->from = new_day(-1);
    scheme_set(&change->reason, "allergy \x01 <&>");
    change = add_change(body, CAREHUB__V1__MEDICATION_CHANGE__KIND__SUSPENDED,
                        new_medicine("Marcoumar", "cnk", "0073866"), NULL);
    change->from = new_day(1);
    change->until = new_day(5);
    scheme_set(&change->reason, "surgery");
    change = add_change(body, CAREHUB__V1__MEDICATION_CHANGE__KIND__RESUMED, new_medicine("Zalf", NULL, NULL),
                        new_posology("aanbrengen", "2/d"));
    change->from = new_day(0);
    scheme_set(&body->note, "a note");
}

// ---- Writing and reading back

static void keep_sample(const char *name, const void *bytes, size_t len)
{
    char path[4096];
    if (samples == NULL)
        return;
    snprintf(path, sizeof path, "%s/medication-%s.json", samples, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static char *write_event(const Event *event, const Event *original, bool kmehr, const char *name,
                         struct carehub_parcel *parcel)
{
    const struct carehub_departure departure = {.event = event,
                                                .original = original,
                                                .receiver = kmehr ? &kmehr_receiver : &fhir_receiver,
                                                .number = 1,
                                                .attempt = 1,
                                                .now_ms = NOW_MS};
    *parcel = (struct carehub_parcel){0};
    enum carehub_written written = carehub_format.write(format, &departure, parcel);
    if (written != CAREHUB_WRITTEN)
        fail_msg("%s: %s", parcel->problem.where, parcel->problem.what);
    if (!kmehr)
        keep_sample(name, parcel->bytes, parcel->len);
    char *text = strndup(parcel->bytes, parcel->len);
    free(parcel->bytes);
    return text;
}

static Scheme *read_back(const char *text, bool kmehr)
{
    struct medication_error error;
    struct medication_remarks remarks;
    Scheme *scheme = kmehr ? kmehr_read(text, strlen(text), NULL, &error, &remarks)
                           : fhir_medication_read(text, strlen(text), NULL, &error, &remarks);
    if (scheme == NULL)
        fail_msg("refused: %s, %s: %s\n%s", error.rule, error.path, error.text, text);
    assert_false(scheme->complete);
    assert_int_equal(scheme->n_patient, 1);
    assert_string_equal(scheme->patient[0]->value, "00000000097");
    return scheme;
}

// The XSD's word, when it is at hand.
static void check_xsd(const char *text)
{
    static struct kmehr_schema *schema;
    const char *from = getenv("CAREHUB_CORPORA");
    struct medication_error error;
    char path[4096];
    snprintf(path, sizeof path, "%s/kmehr/xsd/xsd-kmehr/ehealth-kmehr/XSD/kmehr_elements-1_43.xsd",
             from != NULL ? from : CAREHUB_CORPORA_DEFAULT);
    if (access(path, R_OK) != 0)
        return;
    if (schema == NULL)
        schema = kmehr_schema_new(path, &error);
    assert_non_null(schema);
    const struct kmehr_options options = {.schema = schema};
    Scheme *scheme = kmehr_read(text, strlen(text), &options, &error, NULL);
    if (error.fault == MEDICATION_FAULT_SCHEMA)
        fail_msg("%s: %s\n%s", error.path, error.text, text);
    if (scheme != NULL)
        carehub__pharmacy__v1__scheme__free_unpacked(scheme, NULL);
}

static void what_is_written_is_read_back_as_the_same(void **state)
{
    (void)state;
    for (int kmehr = 0; kmehr < 2; kmehr++) {
        struct letter letter;
        struct carehub_parcel parcel;
        Changed *body = begin_letter(&letter);
        fill_all(body);
        char *text = write_event(&letter.event, NULL, kmehr, "all", &parcel);
        assert_string_equal(parcel.kind, "MedicationChanged");
        assert_string_equal(parcel.content_type, kmehr ? "application/xml" : "application/fhir+json");
        assert_non_null(strstr(parcel.native_id, "17171717-1717-1717-1717-171717171717"));
        if (kmehr)
            check_xsd(text);
        Scheme *scheme = read_back(text, kmehr);
        assert_int_equal(scheme->n_lines, body->n_changes);
        for (size_t i = 0; i < scheme->n_lines; i++) {
            const Carehub__Pharmacy__V1__Line *line = scheme->lines[i];
            if (!scheme_same_medicine(line->medicine, body->changes[i]->medicine))
                fail_msg("%zu: medicine '%s'", i, line->medicine->name);
            // KMEHR cannot say "twice a day" but in words.
            if (kmehr && body->changes[i]->kind == CAREHUB__V1__MEDICATION_CHANGE__KIND__RESUMED)
                assert_string_equal(line->posology->text, "2 times a day; aanbrengen");
            else if (body->changes[i]->posology != NULL &&
                     !scheme_same_posology(line->posology, body->changes[i]->posology))
                fail_msg("%zu: posology '%s'\n%s", i, line->posology->text, text);
        }
        assert_string_equal(scheme->lines[0]->end, "2026-08-12");
        carehub__pharmacy__v1__scheme__free_unpacked(scheme, NULL);
        free(text);
        end_letter(&letter);
    }
}

// What a stop and a suspension say is told again by a hub that reads the message.
static void stops_and_suspensions_go_round(void **state)
{
    (void)state;
    for (int kmehr = 0; kmehr < 2; kmehr++) {
        struct letter letter;
        struct carehub_parcel parcel;
        fill_all(begin_letter(&letter));
        char *text = write_event(&letter.event, NULL, kmehr, "all", &parcel);
        Scheme *scheme = read_back(text, kmehr);
        scheme_set(&scheme->recorded, "2026-08-04");
        struct scheme_result result = scheme_diff(NULL, scheme, NULL, NULL);
        assert_int_equal(result.outcome, SCHEME_CHANGED);
        bool stop = false, suspension = false;
        for (size_t i = 0; i < result.body->n_changes; i++) {
            const Change *change = result.body->changes[i];
            if (change->kind == CAREHUB__V1__MEDICATION_CHANGE__KIND__STOPPED) {
                stop = true;
                assert_string_equal(change->medicine->name, "Xanax");
                assert_int_equal(change->from->unix_ms, day(-1).unix_ms + 2 * 60 * 60 * 1000);
                assert_string_equal(change->reason, "allergy   <&>");
            }
            if (change->kind == CAREHUB__V1__MEDICATION_CHANGE__KIND__SUSPENDED) {
                suspension = true;
                assert_string_equal(change->medicine->name, "Marcoumar");
                assert_int_equal(change->until->unix_ms, day(5).unix_ms + 2 * 60 * 60 * 1000);
                assert_string_equal(change->reason, "surgery");
            }
        }
        assert_true(stop && suspension);
        carehub__v1__medication_changed__free_unpacked(result.body, NULL);
        carehub__pharmacy__v1__scheme__free_unpacked(scheme, NULL);
        free(text);
        end_letter(&letter);
    }
}

// ---- Posologies

static Posology *case_posology(size_t i)
{
    Posology *p;
    switch (i) {
    case 0: // a date, and a day of a cycle
        p = new_posology("", NULL);
        scheme_set(&add_intake(p, "CM", "1", "{tablet}")->date, "2026-03-01");
        return p;
    case 1:
        p = new_posology("", "1/(28.d)");
        add_intake(p, "NIGHT", "0.5", "mL")->day_number = 3;
        return p;
    case 2: // a unit of SNOMED
        p = new_posology("x", "1/d");
        add_intake(p, "PCV", "3", MEDICATION_SYSTEM_SNOMED "|732996003");
        return p;
    case 3: // a unit in words, a range, a moment without a code, several days: words in KMEHR
        p = new_posology("x", "1/d");
        add_intake(p, "MORN", "1", "lepel");
        return p;
    case 4:
        p = new_posology("", "1/d");
        add_intake(p, "MORN", "1-2", "{tablet}");
        return p;
    case 5:
        p = new_posology("", "3/d");
        add_intake(p, NULL, "1", "{tablet}");
        return p;
    case 6:
        p = new_posology("alleen tekst\nop twee regels", NULL);
        return p;
    case 7:
        p = new_posology("", NULL);
        p->frequency = scheme_coded("", "", "1-2 per 1 d");
        return p;
    default:
        return NULL;
    }
}

static void every_posology_is_kept_or_told_in_words(void **state)
{
    static const char *const in_words[] = {NULL,
                                           "every 28 days: 0.5 mL at night on day 3",
                                           NULL,
                                           "every day: 1 lepel in the morning; x",
                                           "every day: 1-2 tablet in the morning",
                                           "3 times a day: 1 tablet",
                                           NULL,
                                           "1-2 per 1 d"};
    (void)state;
    Posology *posology;
    for (size_t i = 0; (posology = case_posology(i)) != NULL; i++)
        for (int kmehr = 0; kmehr < 2; kmehr++) {
            struct letter letter;
            struct carehub_parcel parcel;
            char name[32];
            if (kmehr)
                posology = case_posology(i);
            Changed *body = begin_letter(&letter);
            add_change(body, CAREHUB__V1__MEDICATION_CHANGE__KIND__ADDED, new_medicine("Zalf", NULL, NULL), posology)
                ->from = new_day(0);
            snprintf(name, sizeof name, "posology-%zu", i);
            char *text = write_event(&letter.event, NULL, kmehr, name, &parcel);
            if (kmehr)
                check_xsd(text);
            Scheme *scheme = read_back(text, kmehr);
            assert_int_equal(scheme->n_lines, 1);
            const Posology *read = scheme->lines[0]->posology;
            if (kmehr && in_words[i] != NULL && !scheme_same_posology(read, posology)) {
                assert_string_equal(read->text, in_words[i]);
                assert_int_equal(read->n_regimen, 0);
            } else if (!scheme_same_posology(read, posology)) {
                fail_msg("%zu: '%s'\n%s", i, read->text, text);
            }
            carehub__pharmacy__v1__scheme__free_unpacked(scheme, NULL);
            free(text);
            end_letter(&letter);
        }
}

// ---- Corrections and views

static void a_retraction_says_so(void **state)
{
    (void)state;
    for (int known = 0; known < 2; known++) {
        struct letter letter, original;
        struct carehub_parcel parcel;
        fill_all(begin_letter(&original));
        Changed *body = begin_letter(&letter);
        carehub__v1__medication_changed__free_unpacked(body, NULL);
        letter.event.medication_changed = NULL;
        letter.event.body_case = CAREHUB__V1__EVENT__BODY__NOT_SET;
        letter.event.retracts = (ProtobufCBinaryData){16, letter.other};
        const Event *of = known ? &original.event : NULL;
        char *text = write_event(&letter.event, of, false, known ? "retracted" : "retracted-unknown", &parcel);
        assert_non_null(strstr(text, "\"NULLIFY\""));
        assert_non_null(strstr(text, "\"entered-in-error\""));
        assert_null(strstr(text, "\"active\""));
        assert_int_equal(strstr(text, "Pantomed") != NULL, known);
        free(text);
        text = write_event(&letter.event, of, true, "", &parcel);
        check_xsd(text);
        assert_null(strstr(text, "medicationschemeelement"));
        assert_non_null(strstr(text, "71717171-7171-7171-7171-717171717171 said of changes of medication"));
        assert_int_equal(strstr(text, "It said of Pantomed: Added.") != NULL, known);
        free(text);
        end_letter(&letter);
        end_letter(&original);
    }
}

static void whoever_may_not_see_the_changes_is_told_that_there_are(void **state)
{
    (void)state;
    for (int bare = 0; bare < 2; bare++) { // a view without the changes; without the body
        struct letter letter;
        struct carehub_parcel parcel;
        Changed *body = begin_letter(&letter);
        if (bare) {
            carehub__v1__medication_changed__free_unpacked(body, NULL);
            letter.event.medication_changed = NULL;
            letter.event.body_case = CAREHUB__V1__EVENT__BODY__NOT_SET;
        }
        char *text = write_event(&letter.event, NULL, false, bare ? "bare" : "withheld", &parcel);
        assert_non_null(strstr(text, "\"withheld\""));
        assert_null(strstr(text, "MedicationStatement"));
        free(text);
        text = write_event(&letter.event, NULL, true, "", &parcel);
        check_xsd(text);
        assert_non_null(strstr(text, "not part of what this receiver may see"));
        assert_null(strstr(text, "medicationscheme<"));
        free(text);
        end_letter(&letter);
    }
}

static void an_amendment_names_what_it_corrects(void **state)
{
    struct letter letter;
    struct carehub_parcel parcel;
    Carehub__V1__Reference scheme = CAREHUB__V1__REFERENCE__INIT;
    (void)state;
    fill_all(begin_letter(&letter));
    letter.event.amends = (ProtobufCBinaryData){16, letter.other};
    scheme.system = (char *)"apo";
    scheme.id = (char *)"1990001916.77";
    scheme.media_type = (char *)"application/xml";
    letter.event.medication_changed->scheme = &scheme;
    char *text = write_event(&letter.event, NULL, false, "amended", &parcel);
    assert_non_null(strstr(text, "\"UPDATE\""));
    assert_non_null(strstr(text, "DocumentReference"));
    free(text);
    text = write_event(&letter.event, NULL, true, "", &parcel);
    check_xsd(text);
    assert_non_null(strstr(text, "This corrects"));
    free(text);
    letter.event.medication_changed->scheme = NULL;
    end_letter(&letter);
}

static void other_types_are_written_where_there_is_a_form_for_them(void **state)
{
    struct letter letter;
    struct carehub_parcel parcel;
    struct carehub_departure departure = {.event = &letter.event, .now_ms = NOW_MS};
    Carehub__V1__FallReported fall = CAREHUB__V1__FALL_REPORTED__INIT;
    (void)state;
    carehub__v1__medication_changed__free_unpacked(begin_letter(&letter), NULL);
    letter.event.type = CAREHUB__V1__EVENT_TYPE__FALL_REPORTED;
    letter.event.body_case = CAREHUB__V1__EVENT__BODY_FALL_REPORTED;
    letter.event.fall_reported = &fall;
    free(write_event(&letter.event, NULL, false, "fall", &parcel));
    assert_string_equal(parcel.kind, "FallReported");
    departure.receiver = &kmehr_receiver;
    parcel = (struct carehub_parcel){0};
    assert_int_equal(carehub_format.write(format, &departure, &parcel), CAREHUB_WRITTEN_NOTHING);
}

static void a_receiver_is_checked_beforehand(void **state)
{
    const struct carehub_setting bad_form = {.name = "form", .value = "fax"},
                                 bad = {.name = "receiver", .value = "", .first = &bad_form};
    char error[CAREHUB_ERROR_BYTES];
    (void)state;
    assert_true(carehub_format.check_receiver(&kmehr_receiver, error));
    assert_true(carehub_format.check_receiver(NULL, error));
    assert_false(carehub_format.check_receiver(&bad, error));
    assert_non_null(strstr(error, "fhir or kmehr"));
}

// ---- Words

static void words_are_cut_where_a_character_ends(void **state)
{
    char words[MEDICATION_WORDS_BYTES];
    (void)state;
    Posology *posology = new_posology("", "1/d");
    for (size_t i = 0; i < SCHEME_INTAKES_MAX; i++)
        add_intake(posology, "betweenmeals", "1", "\xC3\xA9\xC3\xA9\xC3\xA9");
    medication_words(posology, words);
    assert_true(strlen(words) < sizeof words);
    assert_string_equal(words + strlen(words) - 3, "\xE2\x80\xA6");
    assert_int_equal(strncmp(words, "every day: 1 \xC3\xA9", 15), 0);
    carehub__v1__posology__free_unpacked(posology, NULL);
}

static void note_reply(void *arg, const struct carehub_reply *reply)
{
    keep_sample(arg, reply->bytes, reply->len);
}

static void keep_documents(void)
{
    const struct carehub_native native = {.bytes = "{}",
                                          .len = 2,
                                          .transport = "http",
                                          .peer = "",
                                          .name = "fhir/X",
                                          .method = "POST",
                                          .content_type = "",
                                          .idempotency_key = ""};
    struct carehub_message message = {.native = &native};
    const struct carehub_outcome outcome = {.fault = CAREHUB_FAULT_NATIVE};
    assert_true(carehub_format.get(format, "fhir/metadata", note_reply, (void *)"capability"));
    assert_true(carehub_format.open(format, &message));
    carehub_format.reply(format, &message, &outcome, note_reply, (void *)"outcome");
    carehub_format.close(&message);
}

int main(int argc, char **argv)
{
    char error[CAREHUB_ERROR_BYTES];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back_as_the_same),
        cmocka_unit_test(stops_and_suspensions_go_round),
        cmocka_unit_test(every_posology_is_kept_or_told_in_words),
        cmocka_unit_test(a_retraction_says_so),
        cmocka_unit_test(whoever_may_not_see_the_changes_is_told_that_there_are),
        cmocka_unit_test(an_amendment_names_what_it_corrects),
        cmocka_unit_test(other_types_are_written_where_there_is_a_form_for_them),
        cmocka_unit_test(a_receiver_is_checked_beforehand),
        cmocka_unit_test(words_are_cut_where_a_character_ends),
    };
    if (argc == 3 && strcmp(argv[1], "--samples") == 0)
        samples = argv[2];
    format = fixture_configure(settings, error);
    if (format == NULL) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    int failed = cmocka_run_group_tests_name("pharmacy_write", tests, NULL, NULL);
    if (samples != NULL)
        keep_documents();
    carehub_format.destroy(format);
    return failed;
}
