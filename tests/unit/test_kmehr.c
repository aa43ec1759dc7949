// Reading medication schemes in KMEHR: what is taken over, and what is refused where.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kmehr.h"
#include "scheme.h"

#define NAMESPACE "http://www.ehealth.fgov.be/standards/kmehr/schema/v1"
#define HEAD "<kmehrmessage xmlns='" NAMESPACE "'>"
#define PATIENT "<folder><patient><id S='ID-PATIENT'>00000000097</id></patient>"
#define SCHEME                                                                                                         \
    "<transaction><id S='ID-KMEHR'>1</id><id S='LOCAL' SL='vitalinkuri'>/subject/00000000097/medication-scheme</id>"   \
    "<cd S='CD-TRANSACTION'>medicationscheme</cd><date>2024-05-01</date><time>10:00:00</time><version>42</version>"    \
    "</transaction>"
#define ELEMENT(number, item)                                                                                          \
    "<transaction><id S='ID-KMEHR'>" number "</id><id S='LOCAL' SL='vitalinkuri'>/subject/00000000097/"                \
    "medication-scheme/7" number "/3</id><cd S='CD-TRANSACTION'>medicationschemeelement</cd><item>"                    \
    "<cd S='CD-ITEM'>medication</cd>" item "</item></transaction>"
#define PANTOMED                                                                                                       \
    "<content><medicinalproduct><intendedcd S='CD-DRUG-CNK'>2732808</intendedcd><intendedname>Pantomed</intendedname>" \
    "</medicinalproduct></content>"
#define BEGIN "<beginmoment><date>2024-01-01</date></beginmoment>"
#define TEXT "<posology><text L='nl'>één per dag</text></posology>"
#define GOOD ELEMENT("2", PANTOMED BEGIN TEXT)
#define SUSPENSION(link, lifecycle)                                                                                    \
    "<transaction><id S='ID-KMEHR'>9</id><cd S='CD-TRANSACTION'>treatmentsuspension</cd>"                              \
    "<item><cd S='CD-ITEM'>transactionreason</cd><content><text>surgery</text></content></item>"                       \
    "<item><cd S='CD-ITEM'>medication</cd>" PANTOMED "<beginmoment><date>2024-02-01</date></beginmoment>" lifecycle    \
    "<duration><decimal>5</decimal><unit><cd S='CD-TIMEUNIT'>d</cd></unit></duration>" TEXT link                       \
    "</item></transaction>"
#define LINK "<lnk TYPE='isplannedfor' URL=\"//transaction[id[@S='ID-KMEHR']='2']\"/>"
#define LIFECYCLE "<lifecycle><cd S='CD-LIFECYCLE'>suspended</cd></lifecycle>"
#define TAIL "</folder></kmehrmessage>"
#define MESSAGE(transactions) HEAD PATIENT SCHEME transactions TAIL

typedef Carehub__Pharmacy__V1__Scheme Scheme;

static struct medication_error error;
static struct medication_remarks remarks;

static Scheme *read_bytes(const char *xml, size_t len, const struct kmehr_options *options)
{
    return kmehr_read(xml, len, options, &error, &remarks);
}

// The scheme of a good message.
static Scheme *read_good(const char *xml)
{
    Scheme *scheme = read_bytes(xml, strlen(xml), NULL);
    if (scheme == NULL)
        fail_msg("refused: %s, line %zu, %s: %s", error.rule, error.line, error.path, error.text);
    return scheme;
}

static void release(Scheme *scheme)
{
    carehub__pharmacy__v1__scheme__free_unpacked(scheme, NULL);
}

// ---- What is taken over

static void a_scheme_is_read_with_its_identity(void **state)
{
    (void)state;
    Scheme *scheme = read_good(MESSAGE(GOOD));
    assert_string_equal(scheme->id, "medication-scheme");
    assert_string_equal(scheme->version, "42");
    assert_string_equal(scheme->recorded, "2024-05-01T10:00:00");
    assert_true(scheme->complete);
    assert_int_equal(scheme->n_patient, 1);
    assert_string_equal(scheme->patient[0]->system, "ssin");
    assert_int_equal(scheme->n_lines, 1);
    assert_string_equal(scheme->lines[0]->id, "72");
    assert_string_equal(scheme->lines[0]->version, "3");
    assert_string_equal(scheme->lines[0]->medicine->name, "Pantomed");
    assert_string_equal(scheme->lines[0]->medicine->codes[0]->system, "cnk");
    assert_string_equal(scheme->lines[0]->begin, "2024-01-01");
    assert_string_equal(scheme->lines[0]->posology->text, "één per dag");
    assert_int_equal(remarks.count, 0);
    release(scheme);
}

static void the_patients_number_is_in_no_id(void **state)
{
    (void)state;
    Scheme *scheme = read_good(MESSAGE(GOOD));
    assert_null(strstr(scheme->id, "00000000097"));
    assert_null(strstr(scheme->lines[0]->id, "00000000097"));
    release(scheme);
}

// One message, with its elements prefixed.
static char *prefixed(const char *xml, const char *prefix, const char *root_attributes)
{
    size_t room = strlen(xml) * 3 + 512, used = 0;
    char *out = malloc(room);
    assert_non_null(out);
    for (const char *at = xml; *at != '\0'; at++) {
        if (*at == '<') {
            bool end = at[1] == '/';
            used += (size_t)snprintf(out + used, room - used, end ? "</%s:" : "<%s:", prefix);
            at += end;
        } else if (strncmp(at, " xmlns='", 8) == 0) {
            used += (size_t)snprintf(out + used, room - used, " %s xmlns:%s='%s'", root_attributes, prefix, NAMESPACE);
            at = strchr(at + 8, '\'');
        } else {
            out[used++] = *at;
        }
    }
    out[used] = '\0';
    return out;
}

static void any_prefix_and_another_default_namespace_read_the_same(void **state)
{
    static const char *const attributes[] = {"", "xmlns='http://www.ehealth.fgov.be/hubservices/core/v3'"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        char *xml = prefixed(MESSAGE(GOOD), i == 0 ? "k" : "ns2", attributes[i]), envelope[8192];
        Scheme *scheme = read_good(xml);
        assert_string_equal(scheme->lines[0]->medicine->codes[0]->code, "2732808");
        release(scheme);
        snprintf(envelope, sizeof envelope, "<e:Response xmlns:e='urn:e'><e:status/><e:body>%s</e:body></e:Response>",
                 xml);
        scheme = read_good(envelope);
        assert_int_equal(scheme->n_lines, 1);
        release(scheme);
        free(xml);
    }
}

static void latin1_reads_as_utf8(void **state)
{
    const char *utf8 = "<?xml version='1.0' encoding='ISO-8859-1'?>" MESSAGE(GOOD);
    char latin1[8192];
    size_t len = 0;
    (void)state;
    for (const char *at = utf8; *at != '\0'; at++) {
        if ((unsigned char)*at == 0xC3) {
            at++;
            latin1[len++] = (char)((unsigned char)*at | 0x40);
        } else {
            latin1[len++] = *at;
        }
    }
    Scheme *scheme = read_bytes(latin1, len, NULL);
    assert_non_null(scheme);
    assert_string_equal(scheme->lines[0]->posology->text, "één per dag");
    release(scheme);
}

static void products_are_read_in_all_their_forms(void **state)
{
    static const struct {
        const char *content, *name, *system, *code;
        size_t codes;
    } cases[] = {
        {"<content><substanceproduct><intendedcd S='CD-INNCLUSTER'>30957</intendedcd><intendedname>simvastatine"
         "</intendedname></substanceproduct></content>",
         "simvastatine", "CD-INNCLUSTER", "30957", 1},
        {"<content><medicinalproduct><intendedcd S='CD-DRUG-CNK'>3356102</intendedcd><deliveredcd "
         "S='CD-DRUG-CNK'>3319522"
         "</deliveredcd><intendedname>A</intendedname><deliveredname>B</deliveredname></medicinalproduct></content>",
         "B", "cnk", "3356102", 2},
        {"<content><compoundprescription>ointment</compoundprescription></content><text>ointment</text>", "ointment",
         "https://www.ehealth.fgov.be/standards/fhir/medication/CodeSystem/medication-type", "magistral", 1},
        {"<content><cd S='CD-EAN'>5400951</cd></content><text>bandage</text>", "bandage", "CD-EAN", "5400951", 1},
        {"<content><medicinalproduct><intendedcd S='CD-ATC'>A02BC02</intendedcd><intendedname>A</intendedname>"
         "</medicinalproduct></content>",
         "A", "http://www.whocc.no/atc", "A02BC02", 1},
        {"<content><medicinalproduct><intendedcd S='CD-DRUG-CNK'>2732809</intendedcd><intendedname>A</intendedname>"
         "</medicinalproduct></content>",
         "A", "CD-DRUG-CNK", "2732809", 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char xml[4096];
        snprintf(
            xml, sizeof xml, HEAD PATIENT SCHEME "%s%s%s" TAIL,
            "<transaction><cd S='CD-TRANSACTION'>medicationschemeelement</cd><item><cd S='CD-ITEM'>medication</cd>",
            cases[i].content, BEGIN TEXT "</item></transaction>");
        Scheme *scheme = read_good(xml);
        const Carehub__V1__Medicine *medicine = scheme->lines[0]->medicine;
        assert_string_equal(medicine->name, cases[i].name);
        assert_int_equal(medicine->n_codes, cases[i].codes);
        assert_string_equal(medicine->codes[0]->system, cases[i].system);
        assert_string_equal(medicine->codes[0]->code, cases[i].code);
        assert_string_equal(scheme->lines[0]->id, "");
        release(scheme);
    }
}

#define QUANTITY(value)                                                                                                \
    "<quantity><decimal>" value "</decimal><unit><cd S='CD-ADMINISTRATIONUNIT'>00005</cd></unit></quantity>"
#define DAYPERIOD(name) "<dayperiod><cd S='CD-DAYPERIOD'>" name "</cd></dayperiod>"

#define TIME(time) "<daytime><time>" time "</time></daytime>"
#define PERIODS(names) "<daytime>" names "</daytime>"
#define EVERY_TWO_DAYS "<frequency><periodicity><cd S='CD-PERIODICITY'>DT</cd></periodicity></frequency>"
#define ON_DAY_3 "<daynumber>3</daynumber>" PERIODS(DAYPERIOD("morning")) QUANTITY("1.50")
#define AT_HALF_PAST_7 TIME("07:30:00") QUANTITY("2")
#define TWICE DAYPERIOD("betweenmeals") DAYPERIOD("thehourofsleep")
#define ON_FRIDAY "<weekday><cd S='CD-WEEKDAY'>friday</cd></weekday>" PERIODS(TWICE) QUANTITY("1")
#define ON_A_DATE "<date>2024-03-01</date>" TIME("22:15:30") QUANTITY("1")
#define REGIMEN EVERY_TWO_DAYS "<regimen>" ON_DAY_3 AT_HALF_PAST_7 ON_FRIDAY ON_A_DATE "</regimen>"
#define BY_MOUTH "<route><cd S='CD-DRUG-ROUTE'>00060</cd></route>"
#define WITH_WATER "<instructionforpatient>with water</instructionforpatient>"

static void a_flat_regimen_comes_to_its_intakes(void **state)
{
    (void)state;
    Scheme *scheme = read_good(MESSAGE(ELEMENT("2", PANTOMED BEGIN REGIMEN BY_MOUTH WITH_WATER)));
    const Carehub__V1__Posology *posology = scheme->lines[0]->posology;
    Carehub__V1__Intake **intakes = posology->regimen;
    assert_int_equal(posology->n_regimen, 5);
    assert_int_equal(intakes[0]->day_number, 3);
    assert_string_equal(intakes[0]->moment->code, "MORN");
    assert_string_equal(intakes[0]->moment->display, "morning");
    assert_string_equal(intakes[0]->quantity->value, "1.50");
    assert_string_equal(intakes[0]->quantity->unit, "{tablet}");
    assert_int_equal(intakes[1]->day_number, 0);
    assert_string_equal(intakes[1]->time_of_day, "07:30");
    assert_string_equal(intakes[2]->weekday->code, "fri");
    assert_string_equal(intakes[2]->moment->system, "CD-DAYPERIOD");
    assert_string_equal(intakes[2]->moment->code, "betweenmeals");
    assert_string_equal(intakes[3]->weekday->code, "fri");
    assert_string_equal(intakes[3]->moment->code, "HS");
    assert_string_equal(intakes[4]->date, "2024-03-01");
    assert_string_equal(intakes[4]->time_of_day, "22:15:30");
    assert_string_equal(posology->frequency->code, "1/(2.d)");
    assert_string_equal(posology->frequency->display, "DT");
    assert_string_equal(posology->route->code, "00060");
    assert_string_equal(posology->text, "with water");
    release(scheme);
}

static void a_suspension_is_linked_to_its_element_wherever_it_stands(void **state)
{
    static const char *const messages[] = {
        MESSAGE(GOOD SUSPENSION(LINK, LIFECYCLE)),
        MESSAGE(SUSPENSION(LINK, LIFECYCLE) GOOD),
        MESSAGE(GOOD SUSPENSION(
            "<lnk TYPE='isplannedfor' URL='//transaction[id[@S=&quot;ID-KMEHR&quot;]=&quot;2&quot;]'/>", LIFECYCLE)),
        MESSAGE(GOOD SUSPENSION(
            "<lnk TYPE='isplannedfor' URL='//transaction[id[@S=&apos;ID-KMEHR&apos;]=&apos;2&apos;]'/>", LIFECYCLE)),
    };
    (void)state;
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
        Scheme *scheme = read_good(messages[i]);
        assert_int_equal(scheme->n_lines, 1);
        assert_int_equal(scheme->lines[0]->n_suspensions, 1);
        const Carehub__Pharmacy__V1__Suspension *suspension = scheme->lines[0]->suspensions[0];
        assert_false(suspension->definitive);
        assert_string_equal(suspension->begin, "2024-02-01");
        assert_string_equal(suspension->end, "2024-02-05");
        assert_string_equal(suspension->reason, "surgery");
        release(scheme);
    }
}

// ---- What is refused

struct refusal {
    const char *xml;
    enum medication_fault fault;
    const char *rule, *path;
};

static void check_refusals(const struct refusal *cases, size_t count, const struct kmehr_options *options)
{
    for (size_t i = 0; i < count; i++) {
        Scheme *scheme = read_bytes(cases[i].xml, strlen(cases[i].xml), options);
        print_message("%-22s line %zu %s: %s\n", error.rule, error.line, error.path, error.text);
        assert_null(scheme);
        assert_int_equal(error.fault, cases[i].fault);
        assert_string_equal(error.rule, cases[i].rule);
        assert_string_equal(error.path, cases[i].path);
        assert_null(strstr(error.text, "00000000097"));
    }
}

#define ITEM "/kmehrmessage/folder/transaction[2]/item"

static void what_breaks_a_rule_is_refused_with_its_place(void **state)
{
    static const struct refusal cases[] = {
        {"", MEDICATION_FAULT_SYNTAX, "well-formed", ""},
        {"<a><b></a>", MEDICATION_FAULT_SYNTAX, "well-formed", ""},
        {HEAD, MEDICATION_FAULT_SYNTAX, "well-formed", ""},
        {"<x:a/>", MEDICATION_FAULT_SYNTAX, "well-formed", ""},
        {"<a/>", MEDICATION_FAULT_KIND, "kmehrmessage", "/a"},
        {"<kmehrmessage/>", MEDICATION_FAULT_KIND, "namespace", "/kmehrmessage"},
        {HEAD "</kmehrmessage>", MEDICATION_FAULT_CONTENT, "one-folder", "/kmehrmessage"},
        {HEAD PATIENT TAIL, MEDICATION_FAULT_KIND, "one-scheme", "/kmehrmessage/folder"},
        {MESSAGE(SCHEME), MEDICATION_FAULT_CONTENT, "one-scheme", "/kmehrmessage/folder/transaction[2]"},
        {HEAD PATIENT "<transaction><cd S='CD-TRANSACTION'>medicationscheme</cd></transaction>" TAIL,
         MEDICATION_FAULT_CONTENT, "scheme-version", "/kmehrmessage/folder/transaction"},
        {HEAD PATIENT
         "<transaction><cd S='CD-TRANSACTION'>medicationscheme</cd><version>x</version></transaction>" TAIL,
         MEDICATION_FAULT_CONTENT, "scheme-version", "/kmehrmessage/folder/transaction/version"},
        {MESSAGE("<transaction><cd S='CD-TRANSACTION'>medicationschemeelement</cd></transaction>"),
         MEDICATION_FAULT_CONTENT, "one-medication", "/kmehrmessage/folder/transaction[2]"},
        {MESSAGE(ELEMENT("2", BEGIN TEXT)), MEDICATION_FAULT_CONTENT, "one-product", ITEM},
        {MESSAGE(ELEMENT("2", PANTOMED PANTOMED BEGIN TEXT)), MEDICATION_FAULT_CONTENT, "one-product",
         ITEM "/content[2]/medicinalproduct"},
        {MESSAGE(ELEMENT("2", "<content><medicinalproduct/></content>" BEGIN TEXT)), MEDICATION_FAULT_CONTENT,
         "product-name", ITEM},
        {MESSAGE(ELEMENT("2", PANTOMED "<beginmoment><date>2024-02-30</date></beginmoment>" TEXT)),
         MEDICATION_FAULT_CONTENT, "moment-date", ITEM "/beginmoment/date"},
        {MESSAGE(
             ELEMENT("2", PANTOMED BEGIN "<regimen><daytime/><quantity><decimal>1,5</decimal></quantity></regimen>")),
         MEDICATION_FAULT_CONTENT, "regimen-quantity", ITEM "/regimen/quantity/decimal"},
        {MESSAGE(
             ELEMENT("2", PANTOMED BEGIN "<regimen><daytime><time>7 h</time></daytime>" QUANTITY("1") "</regimen>")),
         MEDICATION_FAULT_CONTENT, "regimen-time", ITEM "/regimen/daytime/time"},
        {MESSAGE(ELEMENT("2", PANTOMED BEGIN "<regimen><daynumber>0</daynumber><daytime/>" QUANTITY("1") "</regimen>")),
         MEDICATION_FAULT_CONTENT, "regimen-day", ITEM "/regimen/daynumber"},
        {MESSAGE(GOOD SUSPENSION("", LIFECYCLE)), MEDICATION_FAULT_CONTENT, "suspension-link",
         "/kmehrmessage/folder/transaction[3]/item[2]"},
        {MESSAGE(GOOD SUSPENSION("<lnk TYPE='isplannedfor' URL=\"//transaction[id[@S='ID-KMEHR']='8']\"/>", LIFECYCLE)),
         MEDICATION_FAULT_CONTENT, "suspension-link", "/kmehrmessage/folder/transaction[3]/item[2]/lnk"},
        {MESSAGE(GOOD GOOD SUSPENSION(LINK, LIFECYCLE)), MEDICATION_FAULT_CONTENT, "suspension-link",
         "/kmehrmessage/folder/transaction[4]/item[2]/lnk"},
        {MESSAGE(GOOD SUSPENSION(LINK, "")), MEDICATION_FAULT_CONTENT, "suspension-lifecycle",
         "/kmehrmessage/folder/transaction[3]/item[2]"},
    };
    (void)state;
    check_refusals(cases, sizeof cases / sizeof cases[0], NULL);
}

static void dtds_and_entities_are_refused(void **state)
{
    static const struct refusal cases[] = {
        {"<!DOCTYPE kmehrmessage>" MESSAGE(GOOD), MEDICATION_FAULT_FORBIDDEN, "no-dtd", ""},
        {"<!DOCTYPE a [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><a>&e;</a>", MEDICATION_FAULT_FORBIDDEN, "no-dtd", ""},
        {"<!DOCTYPE a SYSTEM 'http://127.0.0.1:1/a.dtd'><a/>", MEDICATION_FAULT_FORBIDDEN, "no-dtd", ""},
        {"<!DOCTYPE a [<!ENTITY x 'xx'><!ENTITY y '&x;&x;&x;'>]><a>&y;</a>", MEDICATION_FAULT_FORBIDDEN, "no-dtd", ""},
        {"<a>&e;</a>", MEDICATION_FAULT_SYNTAX, "well-formed", ""},
        {"<?xml version='1.0' encoding='EBCDIC-US'?><a/>", MEDICATION_FAULT_SYNTAX, "well-formed", ""},
        {"<?xml version='1.0' encoding='ISO-8859-5'?><a/>", MEDICATION_FAULT_FORBIDDEN, "encoding", ""},
    };
    (void)state;
    check_refusals(cases, sizeof cases / sizeof cases[0], NULL);
}

static void bytes_that_are_not_of_the_encoding_are_refused(void **state)
{
    static const struct refusal cases[] = {{"<a>\xE9t\xE9</a>", MEDICATION_FAULT_SYNTAX, "well-formed", ""}};
    (void)state;
    check_refusals(cases, 1, NULL);
}

static void depth_and_size_are_bounded(void **state)
{
    enum { DEEP = 100000 };
    char *xml = malloc(KMEHR_MESSAGE_MAX_BYTES + 2);
    (void)state;
    assert_non_null(xml);
    for (size_t i = 0; i < DEEP; i++)
        memcpy(xml + 3 * i, "<a>", 3);
    assert_null(read_bytes(xml, 3 * DEEP, NULL));
    assert_int_equal(error.fault, MEDICATION_FAULT_SIZE);
    assert_string_equal(error.rule, "depth");
    size_t len = 3;
    for (size_t i = 0; i < KMEHR_ELEMENTS_MAX + 1; i++, len += 4)
        memcpy(xml + len, "<b/>", 4);
    assert_null(read_bytes(xml, len, NULL));
    assert_string_equal(error.rule, "elements");
    memset(xml, ' ', KMEHR_MESSAGE_MAX_BYTES + 1);
    assert_null(read_bytes(xml, KMEHR_MESSAGE_MAX_BYTES + 1, NULL));
    assert_string_equal(error.rule, "bytes");
    free(xml);
}

static void what_leaves_no_doubt_is_remarked_upon_and_refused_by_the_strict(void **state)
{
    static const struct {
        const char *xml, *rule;
    } cases[] = {
        {MESSAGE(ELEMENT("2", PANTOMED TEXT)), "beginmoment"},
        {MESSAGE(ELEMENT("2", PANTOMED BEGIN)), "one-posology"},
        {MESSAGE(ELEMENT("2",
                         PANTOMED BEGIN "<endmoment><date>2024-02-01</date></endmoment><duration><decimal>5</decimal>"
                                        "<unit><cd S='CD-TIMEUNIT'>d</cd></unit></duration>" TEXT)),
         "one-end"},
        {MESSAGE(ELEMENT("2", PANTOMED BEGIN "<endmoment><date>2023-02-01</date></endmoment>" TEXT)), "period"},
        {MESSAGE(ELEMENT("2", PANTOMED BEGIN "<regimen><daytime/>" QUANTITY("-1") "</regimen>")), "regimen-quantity"},
        {MESSAGE(GOOD GOOD), "element-id"},
        {MESSAGE(GOOD "<transaction><cd S='CD-TRANSACTION'>sumehr</cd></transaction>"), "transaction-kind"},
        {HEAD "<folder><patient><id S='ID-PATIENT'>00000000096</id></patient>" SCHEME GOOD TAIL, "patient-id"},
    };
    const struct kmehr_options strict = {.strict = true};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Scheme *scheme = read_good(cases[i].xml);
        print_message("%s %s\n", remarks.at[0].rule, remarks.at[0].path);
        assert_int_equal(remarks.count, 1);
        assert_string_equal(remarks.at[0].rule, cases[i].rule);
        release(scheme);
        assert_null(read_bytes(cases[i].xml, strlen(cases[i].xml), &strict));
        assert_string_equal(error.rule, cases[i].rule);
    }
}

// ---- The XSD of a deployment

static struct kmehr_schema *load_schema(const char *xsd)
{
    char path[] = "/tmp/test_kmehr.XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, xsd, strlen(xsd)), strlen(xsd));
    close(file);
    struct kmehr_schema *schema = kmehr_schema_new(path, &error);
    unlink(path);
    return schema;
}

#define XSD(content)                                                                                                   \
    "<x:schema xmlns:x='http://www.w3.org/2001/XMLSchema' targetNamespace='" NAMESPACE                                 \
    "' elementFormDefault='qualified'>" content "</x:schema>"

static void the_schema_of_a_deployment_is_applied(void **state)
{
    (void)state;
    struct kmehr_schema *schema = load_schema(
        XSD("<x:element name='kmehrmessage'><x:complexType><x:sequence><x:element name='header'/><x:any minOccurs='0' "
            "maxOccurs='unbounded' processContents='lax'/></x:sequence></x:complexType></x:element>"));
    assert_non_null(schema);
    const struct kmehr_options options = {.schema = schema};
    const struct refusal cases[] = {{MESSAGE(GOOD), MEDICATION_FAULT_SCHEMA, "xsd", "/kmehrmessage/folder"}};
    check_refusals(cases, 1, &options);
    const char *good = HEAD "<header/>" PATIENT SCHEME GOOD TAIL;
    Scheme *scheme = read_bytes(good, strlen(good), &options);
    assert_non_null(scheme);
    release(scheme);
    kmehr_schema_destroy(&schema);
    assert_null(schema);
}

static void a_schema_that_cannot_serve_is_refused(void **state)
{
    (void)state;
    assert_null(kmehr_schema_new("/nonexistent/kmehr.xsd", &error));
    assert_int_equal(error.fault, MEDICATION_FAULT_CONFIGURATION);
    assert_null(load_schema(XSD("<x:complexType name='t'/>")));
    assert_string_equal(error.rule, "schema-file");
    assert_non_null(strstr(error.text, "kmehr_elements"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_scheme_is_read_with_its_identity),
        cmocka_unit_test(the_patients_number_is_in_no_id),
        cmocka_unit_test(any_prefix_and_another_default_namespace_read_the_same),
        cmocka_unit_test(latin1_reads_as_utf8),
        cmocka_unit_test(products_are_read_in_all_their_forms),
        cmocka_unit_test(a_flat_regimen_comes_to_its_intakes),
        cmocka_unit_test(a_suspension_is_linked_to_its_element_wherever_it_stands),
        cmocka_unit_test(what_breaks_a_rule_is_refused_with_its_place),
        cmocka_unit_test(dtds_and_entities_are_refused),
        cmocka_unit_test(bytes_that_are_not_of_the_encoding_are_refused),
        cmocka_unit_test(depth_and_size_are_bounded),
        cmocka_unit_test(what_leaves_no_doubt_is_remarked_upon_and_refused_by_the_strict),
        cmocka_unit_test(the_schema_of_a_deployment_is_applied),
        cmocka_unit_test(a_schema_that_cannot_serve_is_refused),
    };
    return cmocka_run_group_tests_name("kmehr", tests, NULL, NULL);
}
