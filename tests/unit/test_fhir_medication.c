// Reading medication in FHIR: what is taken over, and what is refused where.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fhir_medication.h"
#include "scheme.h"

// Fixtures are written with ' for ", which read() turns round.
#define CNK "https://www.ehealth.fgov.be/standards/fhir/medication/NamingSystem/cnk-codes"
#define SUBJECT                                                                                                        \
    "'subject':{'identifier':{'system':'https://www.ehealth.fgov.be/standards/fhir/core/NamingSystem/ssin',"           \
    "'value':'00000000097'}}"
#define PANTOMED "'medicationCodeableConcept':{'coding':[{'system':'" CNK "','code':'2732808','display':'Pantomed'}]}"
#define STATEMENT(more)                                                                                                \
    "{'resourceType':'MedicationStatement','identifier':[{'system':'urn:other','value':'o1'},{'system':"               \
    "'http://ehealth.fgov.be/standards/fhir/medication/NamingSystem/be-ns-medicationline','value':'L1'}],"             \
    "'extension':[{'url':'http://hl7.org/fhir/StructureDefinition/artifact-version','valueString':'3'}]," SUBJECT      \
    "," PANTOMED more "}"
#define ACTIVE ",'status':'active','effectivePeriod':{'start':'2024-01-01'}"
#define DOSAGE(content) STATEMENT(ACTIVE ",'dosage':[" content "]")

typedef Carehub__Pharmacy__V1__Scheme Scheme;
typedef Carehub__Pharmacy__V1__Line Line;

static struct medication_error error;
static struct medication_remarks remarks;

static Scheme *read_json(const char *quoted, bool strict)
{
    const struct fhir_medication_options options = {.strict = strict};
    size_t len = strlen(quoted);
    char *json = malloc(len + 1);
    assert_non_null(json);
    for (size_t i = 0; i <= len; i++)
        json[i] = quoted[i];
    for (char *at = json; (at = strchr(at, '\'')) != NULL;)
        *at = '"';
    Scheme *scheme = fhir_medication_read(json, len, &options, &error, &remarks);
    free(json);
    return scheme;
}

static Scheme *read_good(const char *quoted)
{
    Scheme *scheme = read_json(quoted, false);
    if (scheme == NULL)
        fail_msg("refused: %s, %s: %s", error.rule, error.path, error.text);
    return scheme;
}

static void release(Scheme *scheme)
{
    carehub__pharmacy__v1__scheme__free_unpacked(scheme, NULL);
}

static void a_medication_line_is_read(void **state)
{
    (void)state;
    Scheme *scheme =
        read_good(STATEMENT(",'status':'active','dateAsserted':'2024-01-02T10:00:00+01:00','effectivePeriod':"
                            "{'start':'2024-01-01','end':'2024-02-01'}"));
    const Line *line = scheme->lines[0];
    assert_false(scheme->complete);
    assert_string_equal(scheme->recorded, "2024-01-02T10:00:00+01:00");
    assert_string_equal(scheme->patient[0]->system, "ssin");
    assert_string_equal(line->id, "L1");
    assert_string_equal(line->version, "3");
    assert_string_equal(line->begin, "2024-01-01");
    assert_string_equal(line->end, "2024-02-01");
    assert_string_equal(line->medicine->name, "Pantomed");
    assert_string_equal(line->medicine->codes[0]->system, "cnk");
    assert_int_equal(remarks.count, 0);
    release(scheme);
}

static void every_system_of_the_cnk_is_known(void **state)
{
    static const char *const systems[] = {
        CNK,
        "https://www.ehealth.fgov.be/standards/fhir/NamingSystem/cnk-codes",
        "https://www.ehealth.fgov.be/standards/fhir/medication/NamingSystem/be-ns-cnk-codes",
        "https://cnk.apb.be/codings/cnk_product_codes",
    };
    (void)state;
    for (size_t i = 0; i < sizeof systems / sizeof systems[0]; i++) {
        char json[1024];
        snprintf(json, sizeof json,
                 "{'resourceType':'MedicationStatement','status':'active'," SUBJECT
                 ",'medicationCodeableConcept':{'coding':[{'system':'%s','code':'2732808'}]}}",
                 systems[i]);
        Scheme *scheme = read_good(json);
        assert_string_equal(scheme->lines[0]->medicine->codes[0]->system, "cnk");
        release(scheme);
    }
}

static void a_code_that_is_no_cnk_keeps_its_own_system(void **state)
{
    (void)state;
    Scheme *scheme = read_good("{'resourceType':'MedicationStatement','status':'active'," SUBJECT
                               ",'medicationCodeableConcept':{'coding':[{'system':'" CNK "','code':'30957'}]}}");
    assert_string_equal(scheme->lines[0]->medicine->codes[0]->system, CNK);
    assert_string_equal(remarks.at[0].rule, "cnk");
    assert_string_equal(remarks.at[0].path, "MedicationStatement.medicationCodeableConcept.coding[0].code");
    release(scheme);
}

static void decimals_keep_their_digits(void **state)
{
    static const char *const values[] = {"1.50", "0.10", "2", "1.0e1", "0.30000000000000000001"};
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char json[2048];
        snprintf(json, sizeof json, "%s%s%s",
                 "{'resourceType':'MedicationStatement','status':'active'," SUBJECT "," PANTOMED
                 ",'dosage':[{'doseAndRate':[{'doseQuantity':{'value':",
                 values[i], ",'system':'http://unitsofmeasure.org','code':'mg'}}]}]}");
        Scheme *scheme = read_good(json);
        assert_string_equal(scheme->lines[0]->posology->regimen[0]->quantity->value, values[i]);
        assert_string_equal(scheme->lines[0]->posology->regimen[0]->quantity->unit, "mg");
        release(scheme);
    }
}

#define DOSE(value)                                                                                                    \
    "'doseAndRate':[{'doseQuantity':{'value':" value ",'system':'http://snomed.info/sct','code':'336624003'}}]"

static void a_timing_comes_to_its_intakes(void **state)
{
    (void)state;
    Scheme *scheme = read_good(DOSAGE("{" DOSE(
        "1") ",'timing':{'repeat':{'when':['MORN','HS'],'dayOfWeek':['mon','fri'],'frequency':1,'period':1,"
             "'periodUnit':'wk'}}},"
             "{" DOSE("2") ",'timing':{'repeat':{'timeOfDay':['07:30:00'],'frequency':1,'period':1,'periodUnit':'wk'},"
                           "'event':['2024-03-01']},'additionalInstruction':[{'text':'Day 3 of treatment cycle'},"
                           "{'text':'with water'}]}"));
    const Carehub__V1__Posology *posology = scheme->lines[0]->posology;
    assert_int_equal(posology->n_regimen, 5);
    assert_string_equal(posology->regimen[0]->moment->code, "MORN");
    assert_string_equal(posology->regimen[1]->moment->code, "HS");
    assert_string_equal(posology->regimen[1]->weekday->code, "mon");
    assert_string_equal(posology->regimen[2]->weekday->code, "fri");
    assert_string_equal(posology->regimen[0]->quantity->unit, "{tablet}");
    assert_string_equal(posology->regimen[4]->time_of_day, "07:30");
    assert_string_equal(posology->regimen[4]->date, "2024-03-01");
    assert_int_equal(posology->regimen[4]->day_number, 3);
    assert_string_equal(posology->frequency->code, "1/wk");
    assert_string_equal(posology->text, "with water");
    release(scheme);
}

static void once_at_begin_needs_no_date(void **state)
{
    (void)state;
    Scheme *scheme = read_good(DOSAGE("{'text':'x','timing':{'event':['2024-01-01']}}"));
    assert_int_equal(scheme->lines[0]->posology->n_regimen, 0);
    release(scheme);
}

static void nothing_of_a_dosage_is_lost_that_has_no_field(void **state)
{
    static const struct {
        const char *dosage, *text, *frequency;
    } cases[] = {
        {"{'text':'a','patientInstruction':'b','asNeededBoolean':true}", "a\nb\nas needed", ""},
        {"{'text':'a','patientInstruction':'a','asNeededBoolean':false}", "a", ""},
        {"{'asNeededCodeableConcept':{'text':'pain'}}", "as needed: pain", ""},
        {"{'timing':{'repeat':{'frequency':3,'period':1,'periodUnit':'d'}}}", "", "3/d"},
        {"{'timing':{'code':{'coding':[{'system':'u','code':'BID'}]}}}", "", "BID"},
        {"{'timing':{'repeat':{'frequency':1,'period':1,'periodUnit':'d'}}},{" DOSE(
             "2") ",'timing':{'repeat':{'frequency':1,'period':2,'periodUnit':'wk'}}}",
         "1:   1/d\n2: 2 {tablet} 1/(2.wk)", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char json[4096];
        snprintf(json, sizeof json, "%s%s%s",
                 "{'resourceType':'MedicationStatement','status':'active'," SUBJECT "," PANTOMED ",'dosage':[",
                 cases[i].dosage, "]}");
        Scheme *scheme = read_good(json);
        const Carehub__V1__Posology *posology = scheme->lines[0]->posology;
        assert_string_equal(posology->text, cases[i].text);
        assert_string_equal(posology->frequency != NULL ? posology->frequency->code : "", cases[i].frequency);
        release(scheme);
    }
}

static void a_status_says_how_the_line_stands(void **state)
{
    static const struct {
        const char *type, *status;
        int lines, line_state;
    } cases[] = {
        {"MedicationStatement", "active", 1, CAREHUB__PHARMACY__V1__LINE__STATE__ACTIVE},
        {"MedicationStatement", "completed", 1, CAREHUB__PHARMACY__V1__LINE__STATE__STOPPED},
        {"MedicationStatement", "entered-in-error", 1, CAREHUB__PHARMACY__V1__LINE__STATE__STOPPED},
        {"MedicationStatement", "on-hold", 1, CAREHUB__PHARMACY__V1__LINE__STATE__SUSPENDED},
        {"MedicationRequest", "active", 1, CAREHUB__PHARMACY__V1__LINE__STATE__ACTIVE},
        {"MedicationRequest", "cancelled", 1, CAREHUB__PHARMACY__V1__LINE__STATE__STOPPED},
        {"MedicationRequest", "draft", 0, 0},
        {"MedicationDispense", "completed", 1, CAREHUB__PHARMACY__V1__LINE__STATE__ACTIVE},
        {"MedicationDispense", "declined", 0, 0},
        {"MedicationStatement", "declined", -1, 0},
        {"MedicationRequest", "", -1, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char json[1024];
        print_message("%s %s\n", cases[i].type, cases[i].status);
        snprintf(json, sizeof json, "{'resourceType':'%s','status':'%s'," SUBJECT "," PANTOMED "}", cases[i].type,
                 cases[i].status);
        Scheme *scheme = read_json(json, false);
        assert_int_equal(scheme != NULL ? (int)scheme->n_lines : -1, cases[i].lines);
        if (cases[i].lines < 0)
            assert_string_equal(error.rule, "status");
        if (cases[i].lines > 0)
            assert_int_equal(scheme->lines[0]->state, cases[i].line_state);
        if (scheme != NULL)
            release(scheme);
    }
}

static void suspensions_are_read_from_the_reasons_of_the_status(void **state)
{
    (void)state;
    Scheme *scheme = read_good(STATEMENT(
        ",'status':'stopped','statusReason':[{'text':'Temporary "
        "suspension','extension':[{'url':'urn:x/MedicationSuspension',"
        "'valuePeriod':{'start':'2024-02-01','end':'2024-02-05'},'extension':[{'url':'urn:x/"
        "MedicationSuspensionReason',"
        "'valueString':'surgery'}]}]},{'text':'Definitive suspension','extension':[{'url':'urn:x/MedicationSuspension',"
        "'valuePeriod':{'start':'2024-03-01'}}]}]"));
    const Line *line = scheme->lines[0];
    assert_int_equal(line->n_suspensions, 2);
    assert_int_equal(line->state, CAREHUB__PHARMACY__V1__LINE__STATE__ACTIVE);
    assert_false(line->suspensions[0]->definitive);
    assert_string_equal(line->suspensions[0]->reason, "surgery");
    assert_string_equal(line->suspensions[0]->end, "2024-02-05");
    assert_true(line->suspensions[1]->definitive);
    release(scheme);
}

static void a_dispense_stands_for_its_prescription(void **state)
{
    (void)state;
    Scheme *scheme =
        read_good("{'resourceType':'MedicationDispense','status':'completed','identifier':[{'value':'D1'}],"
                  "'authorizingPrescription':[{'identifier':{'value':'P1'}}],'whenHandedOver':'2024-01-05',"
                  "'dosageInstruction':[{'text':'x'}]," SUBJECT "," PANTOMED "}");
    assert_string_equal(scheme->lines[0]->id, "P1");
    assert_string_equal(scheme->lines[0]->begin, "2024-01-05");
    assert_string_equal(scheme->lines[0]->posology->text, "x");
    release(scheme);
}

static void a_request_takes_its_end_from_the_bounds_of_its_timing(void **state)
{
    (void)state;
    Scheme *scheme = read_good("{'resourceType':'MedicationRequest','status':'active','authoredOn':'2024-01-05',"
                               "'dosageInstruction':[{'timing':{'repeat':{'boundsPeriod':{'start':'2024-01-10','end':"
                               "'2024-01-20'}}}}]," SUBJECT "," PANTOMED "}");
    assert_string_equal(scheme->lines[0]->begin, "2024-01-10");
    assert_string_equal(scheme->lines[0]->end, "2024-01-20");
    release(scheme);
}

static void references_are_found_in_what_is_contained_and_in_the_bundle(void **state)
{
    static const char *const good[] = {
        "{'resourceType':'MedicationStatement','status':'active','contained':[{'resourceType':'Medication','id':'m','"
        "code':"
        "{'text':'Pantomed'}}],'medicationReference':{'reference':'#m'}," SUBJECT "}",
        "{'resourceType':'MedicationStatement','status':'active','medicationReference':{'display':'Pantomed'}," SUBJECT
        "}",
        "{'resourceType':'Bundle','type':'collection','entry':[{'fullUrl':'urn:p','resource':{'resourceType':'Patient',"
        "'identifier':[{'system':'https://www.ehealth.fgov.be/standards/fhir/NamingSystem/"
        "ssin','value':'00000000097'}]}},"
        "{'resource':{'resourceType':'Medication','id':'7','code':{'text':'Pantomed'}}},{'resource':{'resourceType':"
        "'MedicationStatement','status':'active','subject':{'reference':'urn:p'},'medicationReference':{'reference':"
        "'Medication/7'}}}]}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        Scheme *scheme = read_good(good[i]);
        assert_string_equal(scheme->lines[0]->medicine->name, "Pantomed");
        assert_int_equal(scheme->n_patient, 1);
        release(scheme);
    }
}

#define BUNDLE(type, more, resource)                                                                                   \
    "{'resourceType':'Bundle','type':'" type "','meta':{'versionId':'5'},'timestamp':'2024-05-01T10:00:00Z'" more      \
    ",'entry':[{'resource':" resource "}]}"
#define REQUEST "{'resourceType':'MedicationRequest','status':'active'," SUBJECT "," PANTOMED "}"

static void a_bundle_of_statements_is_a_complete_scheme(void **state)
{
    static const struct {
        const char *json;
        bool complete;
    } cases[] = {
        {BUNDLE("collection", "", STATEMENT(ACTIVE)), true},
        {BUNDLE("searchset", "", STATEMENT(ACTIVE)), true},
        {BUNDLE("searchset", ",'link':[{'relation':'next','url':'u'}]", STATEMENT(ACTIVE)), false},
        {BUNDLE("transaction", "", STATEMENT(ACTIVE)), false},
        {BUNDLE("collection", "", REQUEST), false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Scheme *scheme = read_good(cases[i].json);
        assert_int_equal(scheme->complete, cases[i].complete);
        assert_string_equal(scheme->version, "5");
        assert_string_equal(scheme->recorded, "2024-05-01T10:00:00Z");
        release(scheme);
    }
}

static void what_is_wrong_is_refused_with_its_place(void **state)
{
    static const struct {
        const char *json;
        enum medication_fault fault;
        const char *rule, *path;
    } cases[] = {
        {"", MEDICATION_FAULT_SYNTAX, "json", ""},
        {"[]", MEDICATION_FAULT_SYNTAX, "json", ""},
        {"{'a':1", MEDICATION_FAULT_SYNTAX, "json", ""},
        {"{'a':1} x", MEDICATION_FAULT_SYNTAX, "json", ""},
        {"{'a':01}", MEDICATION_FAULT_SYNTAX, "json", ""},
        {"{'a':'\xFF'}", MEDICATION_FAULT_SYNTAX, "utf-8", ""},
        {"{}", MEDICATION_FAULT_KIND, "resource-type", "resourceType"},
        {"{'resourceType':'Patient'}", MEDICATION_FAULT_KIND, "resource-type", "resourceType"},
        {"{'resourceType':'Bundle','type':'collection'}", MEDICATION_FAULT_KIND, "medication", "Bundle.entry"},
        {"{'resourceType':'Bundle','entry':{}}", MEDICATION_FAULT_CONTENT, "type", "Bundle.entry"},
        {"{'resourceType':'MedicationStatement','status':'active'," PANTOMED "}", MEDICATION_FAULT_CONTENT, "subject",
         "MedicationStatement.subject"},
        {"{'resourceType':'MedicationStatement','status':'active'," SUBJECT "}", MEDICATION_FAULT_CONTENT, "medication",
         "MedicationStatement.medication[x]"},
        {"{'resourceType':'MedicationStatement','status':7," SUBJECT "}", MEDICATION_FAULT_CONTENT, "type",
         "MedicationStatement.status"},
        {STATEMENT(",'status':'active','effectivePeriod':{'start':'1 May'}"), MEDICATION_FAULT_CONTENT, "date",
         "MedicationStatement.effectivePeriod.start"},
        {DOSAGE("{'timing':{'repeat':{'timeOfDay':['7 h']}}}"), MEDICATION_FAULT_CONTENT, "time",
         "MedicationStatement.dosage[0].timing.repeat.timeOfDay"},
        {DOSAGE("{'timing':{'repeat':{'dayOfWeek':['someday']}}}"), MEDICATION_FAULT_CONTENT, "day-of-week",
         "MedicationStatement.dosage[0].timing.repeat.dayOfWeek"},
        {DOSAGE("{'doseAndRate':[{'doseQuantity':{'value':'1'}}]}"), MEDICATION_FAULT_CONTENT, "type",
         "MedicationStatement.dosage[0].doseAndRate[0].doseQuantity.value"},
        {DOSAGE("7"), MEDICATION_FAULT_CONTENT, "type", "MedicationStatement.dosage[0]"},
        {"{'resourceType':'Bundle','type':'collection','entry':[{'resource':" STATEMENT(
             ACTIVE) "},{'resource':"
                     "{'resourceType':'MedicationStatement','status':'active'," PANTOMED
                     ",'subject':{'identifier':{'system':'ssin',"
                     "'value':'64110219106'}}}}]}",
         MEDICATION_FAULT_CONTENT, "one-patient", "Bundle.entry[1].resource.subject"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Scheme *scheme = read_json(cases[i].json, false);
        print_message("%-14s line %zu %s: %s\n", error.rule, error.line, error.path, error.text);
        assert_null(scheme);
        assert_int_equal(error.fault, cases[i].fault);
        assert_string_equal(error.rule, cases[i].rule);
        assert_string_equal(error.path, cases[i].path);
    }
}

static void depth_and_size_are_bounded(void **state)
{
    char *json = malloc(FHIR_MEDICATION_MAX_BYTES + 1);
    (void)state;
    assert_non_null(json);
    memset(json, '[', 100000);
    assert_null(fhir_medication_read(json, 100000, NULL, &error, NULL));
    assert_string_equal(error.rule, "depth");
    memset(json, ' ', FHIR_MEDICATION_MAX_BYTES + 1);
    assert_null(fhir_medication_read(json, FHIR_MEDICATION_MAX_BYTES + 1, NULL, &error, NULL));
    assert_string_equal(error.rule, "bytes");
    free(json);
}

static void a_message_says_what_it_is_even_when_it_is_refused(void **state)
{
    (void)state;
    release(read_good(STATEMENT(ACTIVE)));
    assert_string_equal(remarks.kind, "MedicationStatement");
    assert_string_equal(remarks.id, "o1");
    assert_null(read_json("{'resourceType':'Bundle','id':'b7','type':'collection','entry':[{'resource':"
                          "{'resourceType':'MedicationRequest','status':'active'}}]}",
                          false));
    assert_string_equal(remarks.kind, "Bundle");
    assert_string_equal(remarks.id, "b7");
    assert_string_equal(error.resource, "MedicationRequest");
}

// The identifier of a document is new each time; its Composition's is not.
static void a_documents_scheme_is_named_by_its_composition(void **state)
{
    (void)state;
    Scheme *scheme = read_good("{'resourceType':'Bundle','type':'document','identifier':{'value':'this one'},"
                               "'entry':[{'resource':{'resourceType':'Composition','identifier':{'value':'s1'}}},"
                               "{'resource':" STATEMENT(ACTIVE) "}]}");
    assert_string_equal(scheme->id, "s1");
    assert_true(scheme->complete);
    release(scheme);
}

static void a_line_says_when_it_was_recorded(void **state)
{
    static const struct {
        const char *json, *recorded;
    } cases[] = {
        {STATEMENT(ACTIVE ",'dateAsserted':'2024-05-01'"), "2024-05-01"},
        {STATEMENT(ACTIVE ",'dateAsserted':'2024-05-01','meta':{'lastUpdated':'2024-05-03T10:00:00Z'}"),
         "2024-05-03T10:00:00Z"},
        {"{'resourceType':'MedicationStatement','extension':[{'url':'https://www.ehealth.fgov.be/standards/fhir/"
         "medication/StructureDefinition/BeExtRecordedDate','valueDateTime':'2024-05-02T08:00:00Z'}]," SUBJECT
         "," PANTOMED ACTIVE ",'dateAsserted':'2024-05-01'}",
         "2024-05-02T08:00:00Z"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Scheme *scheme = read_good(cases[i].json);
        assert_string_equal(scheme->lines[0]->recorded, cases[i].recorded);
        assert_string_equal(scheme->recorded, cases[i].recorded);
        release(scheme);
    }
}

static void a_moment_of_kmehr_is_one(void **state)
{
    (void)state;
    Scheme *scheme = read_good(DOSAGE("{'additionalInstruction':[{'coding':[{'system':'CD-DAYPERIOD','code':"
                                      "'betweenmeals'}]}],'doseAndRate':[{'doseQuantity':{'value':1}}]}"));
    const Carehub__V1__Posology *posology = scheme->lines[0]->posology;
    assert_int_equal(posology->n_regimen, 1);
    assert_string_equal(posology->regimen[0]->moment->system, "CD-DAYPERIOD");
    assert_string_equal(posology->regimen[0]->moment->code, "betweenmeals");
    assert_string_equal(posology->text, "");
    release(scheme);
}

static void the_strict_refuse_what_is_remarked_upon(void **state)
{
    (void)state;
    assert_null(read_json("{'resourceType':'MedicationStatement','status':'active'," PANTOMED
                          ",'subject':{'identifier':{'system':'ssin','value':'00000000096'}}}",
                          true));
    assert_string_equal(error.rule, "patient-id");
}

static void a_preparation_is_known_by_what_is_in_it(void **state)
{
    (void)state;
    Scheme *scheme = read_good(
        "{'resourceType':'MedicationRequest','status':'active','subject':{'identifier':{'system':'ssin','value':"
        "'38041299949'}},'contained':[{'resourceType':'Medication','id':'m','ingredient':[{'itemCodeableConcept':"
        "{'text':'TINCTURA A'}},{'itemCodeableConcept':{'coding':[{'display':'TINCTURA B'}]},'strength':{'numerator':"
        "{'value':1.50,'unit':'ml'}}}]}],'medicationReference':{'reference':'#m'}}");
    assert_string_equal(scheme->lines[0]->medicine->name, "TINCTURA A + TINCTURA B 1.50 ml");
    assert_string_equal(scheme->lines[0]->medicine->codes[0]->code, "magistral");
    release(scheme);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_medication_line_is_read),
        cmocka_unit_test(a_message_says_what_it_is_even_when_it_is_refused),
        cmocka_unit_test(a_documents_scheme_is_named_by_its_composition),
        cmocka_unit_test(a_line_says_when_it_was_recorded),
        cmocka_unit_test(a_moment_of_kmehr_is_one),
        cmocka_unit_test(every_system_of_the_cnk_is_known),
        cmocka_unit_test(a_code_that_is_no_cnk_keeps_its_own_system),
        cmocka_unit_test(decimals_keep_their_digits),
        cmocka_unit_test(a_timing_comes_to_its_intakes),
        cmocka_unit_test(once_at_begin_needs_no_date),
        cmocka_unit_test(nothing_of_a_dosage_is_lost_that_has_no_field),
        cmocka_unit_test(a_status_says_how_the_line_stands),
        cmocka_unit_test(suspensions_are_read_from_the_reasons_of_the_status),
        cmocka_unit_test(a_dispense_stands_for_its_prescription),
        cmocka_unit_test(a_preparation_is_known_by_what_is_in_it),
        cmocka_unit_test(a_request_takes_its_end_from_the_bounds_of_its_timing),
        cmocka_unit_test(references_are_found_in_what_is_contained_and_in_the_bundle),
        cmocka_unit_test(a_bundle_of_statements_is_a_complete_scheme),
        cmocka_unit_test(what_is_wrong_is_refused_with_its_place),
        cmocka_unit_test(depth_and_size_are_bounded),
        cmocka_unit_test(the_strict_refuse_what_is_remarked_upon),
    };
    return cmocka_run_group_tests_name("fhir_medication", tests, NULL, NULL);
}
