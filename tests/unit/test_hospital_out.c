// Care events as HL7 v2 messages, and what their acknowledgements say.
#include "hl7v2_plugin_case.h"

#include "catalogue.h"
#include "hl7v2.h"
#include "hl7v2_time.h"

#define ID "018f5b2a-7c00-7abc-8def-0123456789ab"
#define ORIGINAL "018f5b2a-0000-7abc-8def-0123456789ab"
#define CONTROL_ID "01HXDJMZ00R14D2PF2DB" // of ID: ten characters of its time, and ten of the rest
#define DAY "\"unixMs\":\"1772319600000\",\"offsetMinutes\":60,\"precision\":\"PRECISION_DAY\""
#define AT "\"unixMs\":\"1772361900000\",\"offsetMinutes\":0,\"precision\":\"PRECISION_MINUTE\"" // 11:45 in Brussels
#define PATIENT                                                                                                        \
    "\"patient\":{\"identifiers\":[{\"system\":\"ssin\",\"value\":\"" SSIN "\"},"                                      \
    "{\"system\":\"urn:az:patient\",\"value\":\"4711\"},{\"system\":\"urn:oid:1.2.3\",\"value\":\"9\"}]}"
#define ENVELOPE "\"id\":\"" ID "\"," PATIENT ",\"occurredAt\":{" AT "},\"recordedAt\":{" AT "},"
#define AUTHOR                                                                                                         \
    "\"author\":{\"actor\":\"nurse\",\"professional\":{\"name\":\"An Peeters\","                                       \
    "\"identifiers\":[{\"system\":\"nihdi\",\"value\":\"41012345001\"}]},\"organisation\":{\"name\":\"Wit\"}},"
#define AN "41012345001^An Peeters^^^^^^^NIHDI&2.16.840.1.113883.3.6777.5.2&ISO"
#define HOSPITAL "\"hospital\":{\"name\":\"AZ Test\"},\"encounterId\":\"V1\","

static const char format_section[] = "format\n    plugin = hospital\n    zone = Europe/Brussels\n";
static const char receiver_section[] = "receiver\n    application = EPD\n    facility = GP\n"
                                       "    sending-facility = REGION\n    disposition\n        home = 01\n"
                                       "    identifiers\n        local\n            system = urn:az:patient\n"
                                       "            authority = AZ\n            type = MR\n";

static void *format;
static struct carehub_setting *receivers; // the sections "receiver" of what was read last

static int start(void **state)
{
    char error[CAREHUB_ERROR_BYTES];
    (void)state;
    format = configured(format_section, error);
    receivers = settings_of(receiver_section);
    return format == NULL;
}

static int stop(void **state)
{
    (void)state;
    carehub_format.destroy(format);
    settings_tree_free(&receivers);
    return 0;
}

static void receive_as(const char *text)
{
    settings_tree_free(&receivers);
    receivers = settings_of(text);
}

static const char *verified_by; // of all that is written

// What is written of an event, as its level's view of it.
static enum carehub_written written_as(const char *json, const char *original_json, Carehub__V1__Level level,
                                       bool notice, struct carehub_parcel *parcel)
{
    Carehub__V1__Event *event = event_of(json);
    Carehub__V1__Event *original = original_json != NULL ? event_of(original_json) : NULL;
    if (event->type == 0) // of the body
        event->type = (Carehub__V1__EventType)(event->body_case - EVENT_BODY_FIELD_BASE);
    size_t size = carehub__v1__event__get_packed_size(event);
    uint8_t *packed = malloc(size + 1), *cut = malloc(size + 1);
    carehub__v1__event__pack(event, packed);
    ptrdiff_t len = event_view(packed, size, level, cut);
    assert_true(len >= 0);
    Carehub__V1__Event *view = carehub__v1__event__unpack(NULL, (size_t)len, cut);
    assert_non_null(view);
    const struct carehub_departure departure = {.event = view,
                                                .notice = notice,
                                                .original = original,
                                                .receiver = setting_named(receivers, "receiver"),
                                                .number = 7,
                                                .attempt = 1,
                                                .now_ms = NOW_MS,
                                                .verified_by = verified_by};
    *parcel = (struct carehub_parcel){0};
    enum carehub_written written = carehub_format.write(format, &departure, parcel);
    assert_int_equal(written == CAREHUB_WRITTEN, parcel->bytes != NULL);
    carehub__v1__event__free_unpacked(event, NULL);
    carehub__v1__event__free_unpacked(view, NULL);
    if (original != NULL)
        carehub__v1__event__free_unpacked(original, NULL);
    free(packed);
    free(cut);
    return written;
}

// The message itself, which parses. The caller frees it.
static char *message_as(const char *json, const char *original, Carehub__V1__Level level)
{
    struct carehub_parcel parcel;
    struct hl7v2_error error;
    if (written_as(json, original, level, false, &parcel) != CAREHUB_WRITTEN)
        fail_msg("%s: %s", parcel.problem.where, parcel.problem.what);
    struct hl7v2_message *message = hl7v2_parse(parcel.bytes, parcel.len, NULL, &error);
    if (message == NULL || !hl7v2_check_header(message, &error))
        fail_msg("%s", error.text);
    assert_int_equal(hl7v2_notes(message), 0);
    char id[64];
    hl7v2_text(message, "MSH-10", id, sizeof id, NULL);
    assert_string_equal(id, parcel.native_id);
    assert_int_equal(strlen(id), 20);
    hl7v2_message_destroy(&message);
    return parcel.bytes;
}

static char *message_of(const char *json)
{
    return message_as(json, NULL, CAREHUB__V1__LEVEL__LEVEL_CLINICAL);
}

// Compares all segments after MSH, with "\n" for "\r".
static void assert_segments(const char *message, const char *expected)
{
    char *shown = strdup(strchr(message, '\r') + 1);
    for (char *c = shown; (c = strchr(c, '\r')) != NULL;)
        *c = '\n';
    assert_string_equal(shown, expected);
    free(shown);
}

static void assert_gives(const char *json, const char *expected)
{
    char *message = message_of(json);
    assert_segments(message, expected);
    free(message);
}

#define PID "PID|1||" SSIN "^^^SSIN&2.16.840.1.113883.3.6777.5.1&ISO^NNBEL~4711^^^AZ^MR~9^^^&1.2.3&ISO^PI||~^^^^^^U\n"

// ---- Stays and visits

#define ADMISSION                                                                                                      \
    "\"hospitalAdmission\":{" HOSPITAL "\"admittedAt\":{" AT "},\"patientClass\":\"INPATIENT\","                       \
    "\"planned\":true,\"expectedDischargeAt\":{" DAY                                                                   \
    "},\"location\":{\"ward\":\"GER\",\"room\":\"201\",\"bed\":\"1\"},"                                                \
    "\"service\":{\"code\":\"GER\"},\"attending\":{\"name\":\"Dr Peeters\",\"identifiers\":[{\"system\":\"nihdi\","    \
    "\"value\":\"10012345\"}]},\"reason\":\"val\",\"diagnoses\":[{\"system\":\"http://hl7.org/fhir/sid/icd-10\","      \
    "\"code\":\"S72.0\",\"display\":\"Heup\"}]}"

static void an_admission_is_an_a01(void **state)
{
    char *message = message_of("{" ENVELOPE ADMISSION "}");
    (void)state;
    static const char header[] = "MSH|^~\\&|CAREHUB|REGION|EPD|GP|202603011145+0100||ADT^A01^ADT_A01|" CONTROL_ID
                                 "|P|2.5.1||||||UNICODE UTF-8\r";
    assert_memory_equal(message, header, sizeof header - 1);
    assert_segments(message,
                    "EVN|A01|202603011145+0100||||202603011145+0100|AZ Test\n" PID
                    "PV1|1|I|GER^201^1|C|||10012345^Dr Peeters^^^^^^^NIHDI&2.16.840.1.113883.3.6777.5.2&ISO|||GER"
                    "|||||||||V1^^^AZ Test^VN|||||||||||||||||||||||||202603011145+0100\n"
                    "PV2|||^val||||||20260301\n"
                    "DG1|1||S72.0^Heup^I10|||A\n");
    free(message);
}

static void a_view_leaves_out_what_the_receiver_may_not_see(void **state)
{
    static const struct {
        Carehub__V1__Level level;
        const char *pv1;
    } cases[] = {
        {CAREHUB__V1__LEVEL__LEVEL_ADMINISTRATIVE, "PV1|1|I||C|||||||||||||||V1^^^AZ Test^VN|||||||||||||||||||||||||"
                                                   "202603011145+0100\nPV2|||||||||20260301\n"},
        {CAREHUB__V1__LEVEL__LEVEL_CARE,
         "PV1|1|I|GER^201^1|C|||10012345^Dr Peeters^^^^^^^NIHDI&2.16.840.1.113883.3.6777.5.2&ISO|||GER|||||||||"
         "V1^^^AZ Test^VN|||||||||||||||||||||||||202603011145+0100\nPV2|||||||||20260301\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *message = message_as("{" ENVELOPE ADMISSION "}", NULL, cases[i].level), expected[1024];
        snprintf(expected, sizeof expected, "EVN|A01|202603011145+0100||||202603011145+0100|AZ Test\n" PID "%s",
                 cases[i].pv1);
        assert_segments(message, expected);
        free(message);
    }
}

static void a_transfer_is_an_a02(void **state)
{
    (void)state;
    assert_gives("{" ENVELOPE
                 "\"careTransition\":{\"encounterId\":\"V1\",\"organisation\":{\"name\":\"AZ Test\"},\"at\":{" AT
                 "},\"from\":\"HOSPITAL_WARD\",\"to\":\"TRANSITIONAL_STAY\",\"fromLocation\":{\"ward\":\"GER\"},"
                 "\"toLocation\":{\"facility\":\"Herstel\"}}}",
                 "EVN|A02|202603011145+0100||||202603011145+0100|AZ Test\n" PID
                 "PV1|1|I|^^^Herstel|||GER|||||||||||||V1^^^AZ Test^VN\n"
                 "OBX|1|CE|from^From^99CAREHUB||HOSPITAL_WARD^Hospital ward^99CAREHUB||||||F\n"
                 "OBX|2|CE|to^To^99CAREHUB||TRANSITIONAL_STAY^Transitional stay^99CAREHUB||||||F\n");
}

#define DISCHARGE                                                                                                      \
    "\"hospitalDischarge\":{" HOSPITAL "\"dischargedAt\":{" AT "},"                                                    \
    "\"disposition\":{\"system\":\"http://terminology.hl7.org/CodeSystem/discharge-disposition\",\"code\":\"home\"},"  \
    "\"followUp\":[{\"at\":{" DAY "},\"discipline\":\"wondzorg\"},{\"discipline\":\"kine\"}],"                         \
    "\"letter\":{\"system\":\"urn:az\",\"id\":\"D1\",\"mediaType\":\"application/pdf\"},"                              \
    "\"diagnoses\":[{\"display\":\"Heup\"}],\"note\":\"een\\ntwee\"}"

static void a_discharge_is_an_a03_and_loses_nothing(void **state)
{
    (void)state;
    assert_gives("{" ENVELOPE DISCHARGE "}",
                 "EVN|A03|202603011145+0100||||202603011145+0100|AZ Test\n" PID
                 "PV1|1|I|||||||||||||||||V1^^^AZ Test^VN|||||||||||||||||01|||||||||202603011145+0100\n"
                 "DG1|1||^Heup|||F\n"
                 "OBX|1|DT|follow_up.at^At^99CAREHUB|1|20260301||||||F\n"
                 "OBX|2|ST|follow_up.discipline^Discipline^99CAREHUB|1|wondzorg||||||F\n"
                 "OBX|3|ST|follow_up.discipline^Discipline^99CAREHUB|2|kine||||||F\n"
                 "OBX|4|RP|letter^Letter^99CAREHUB||D1^&urn:az&L^application^pdf||||||F\n"
                 "OBX|5|FT|note^Note^99CAREHUB||een\\.br\\twee||||||F\n");
}

static void an_emergency_visit_is_an_a04_and_then_an_a03(void **state)
{
    (void)state;
    assert_gives("{" ENVELOPE "\"emergencyVisit\":{" HOSPITAL "\"arrivedAt\":{" AT
                 "},\"arrivalMode\":{\"system\":\"http://terminology.hl7.org/CodeSystem/v2-0430\",\"code\":\"A\"},"
                 "\"frailProfile\":{\"code\":\"ISAR3\"}}}",
                 "EVN|A04|202603011145+0100||||202603011145+0100|AZ Test\n" PID
                 "PV1|1|E|||||||||||||||||V1^^^AZ Test^VN|||||||||||||||||||||||||202603011145+0100\n"
                 "PV2||||||||||||||||||||||||||||||||||||||A^^HL70430\n"
                 "OBX|1|CE|frail_profile^Frail profile^99CAREHUB||ISAR3||||||F\n");
    assert_gives("{" ENVELOPE "\"emergencyVisit\":{" HOSPITAL "\"leftAt\":{" AT "}}}",
                 "EVN|A03|202603011145+0100||||202603011145+0100|AZ Test\n" PID
                 "PV1|1|E|||||||||||||||||V1^^^AZ Test^VN||||||||||||||||||||||||||202603011145+0100\n");
}

static void a_death_is_about_the_person(void **state)
{
    (void)state;
    assert_gives("{" ENVELOPE "\"patientDeceased\":{\"at\":{" DAY "},\"place\":{\"display\":\"thuis\"}}}",
                 "EVN|A31|202603011145+0100||||202603011145+0100\n"
                 "PID|1||" SSIN
                 "^^^SSIN&2.16.840.1.113883.3.6777.5.1&ISO^NNBEL~4711^^^AZ^MR~9^^^&1.2.3&ISO^PI||~^^^^^^U"
                 "||||||||||||||||||||||||20260301|Y\nPV1|1|N\n"
                 "OBX|1|CE|place^Place^99CAREHUB||^thuis||||||F\n");
    assert_gives("{" ENVELOPE "\"retracts\":\"" ORIGINAL "\",\"type\":\"PATIENT_DECEASED\"}",
                 "EVN|A31|202603011145+0100||||202603011145+0100\n"
                 "PID|1||" SSIN
                 "^^^SSIN&2.16.840.1.113883.3.6777.5.1&ISO^NNBEL~4711^^^AZ^MR~9^^^&1.2.3&ISO^PI||~^^^^^^U"
                 "||||||||||||||||||||||||\"\"|N\nPV1|1|N\n");
}

// ---- Corrections

static void corrections_have_their_trigger_events(void **state)
{
    static const struct {
        const char *body, *original, *type;
    } cases[] = {
        {"\"amends\":\"" ORIGINAL "\"," ADMISSION, NULL, "ADT^A08^ADT_A01"},
        {"\"amends\":\"" ORIGINAL "\"," DISCHARGE, NULL, "ADT^A08^ADT_A01"},
        {"\"retracts\":\"" ORIGINAL "\",\"hospitalAdmission\":{\"encounterId\":\"V1\"}", NULL, "ADT^A11^ADT_A09"},
        {"\"retracts\":\"" ORIGINAL "\",\"careTransition\":{\"encounterId\":\"V1\"}", NULL, "ADT^A12^ADT_A12"},
        {"\"retracts\":\"" ORIGINAL "\",\"hospitalDischarge\":{\"encounterId\":\"V1\"}", NULL, "ADT^A13^ADT_A01"},
        {"\"retracts\":\"" ORIGINAL "\",\"emergencyVisit\":{\"encounterId\":\"V1\"}",
         "{\"type\":\"EMERGENCY_VISIT\",\"emergencyVisit\":{\"encounterId\":\"V1\"}}", "ADT^A11^ADT_A09"},
        {"\"retracts\":\"" ORIGINAL "\",\"emergencyVisit\":{\"encounterId\":\"V1\"}",
         "{\"type\":\"EMERGENCY_VISIT\",\"emergencyVisit\":{\"leftAt\":{" AT "}}}", "ADT^A13^ADT_A01"},
        {"\"amends\":\"" ORIGINAL "\",\"fallReported\":{\"witnessed\":true}", NULL, "ORU^R01^ORU_R01"},
        {"\"retracts\":\"" ORIGINAL "\",\"medicationChanged\":{\"schemeId\":\"S\"}", NULL, "ORU^R01^ORU_R01"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char json[4096];
        snprintf(json, sizeof json, "{" ENVELOPE "%s}", cases[i].body);
        char *message = message_as(json, cases[i].original, CAREHUB__V1__LEVEL__LEVEL_CLINICAL);
        if (strstr(message, cases[i].type) == NULL)
            fail_msg("%zu: no %s in %s", i, cases[i].type, message);
        free(message);
    }
}

static void a_retraction_repeats_nothing_but_the_visit(void **state)
{
    char *message =
        message_as("{" ENVELOPE "\"retracts\":\"" ORIGINAL "\",\"hospitalAdmission\":{\"encounterId\":\"V1\"}}",
                   "{\"type\":\"HOSPITAL_ADMISSION\"," ADMISSION "}", CAREHUB__V1__LEVEL__LEVEL_CLINICAL);
    (void)state;
    assert_segments(message, "EVN|A11|202603011145+0100||||202603011145+0100|AZ Test\n" PID
                             "PV1|1|I|||||||||||||||||V1^^^AZ Test^VN|||||||||||||||||||||||||202603011145+0100\n");
    free(message);
}

static void reports_are_corrected_under_their_own_number(void **state)
{
    (void)state;
    assert_gives("{" ENVELOPE "\"amends\":\"" ORIGINAL "\",\"fallReported\":{\"witnessed\":true}}", PID
                 "OBR|1||" ORIGINAL "^CAREHUB|FallReported^Fall reported^99CAREHUB|||202603011145+0100|||||||||||||||"
                 "202603011145+0100|||C\nTQ1|1||||||||A\n"
                 "OBX|1|CE|witnessed^Witnessed^99CAREHUB||Y^Yes^HL70136||||||C\n");
    assert_gives("{" ENVELOPE "\"retracts\":\"" ORIGINAL "\",\"fallReported\":{\"witnessed\":true}}", PID
                 "OBR|1||" ORIGINAL "^CAREHUB|FallReported^Fall reported^99CAREHUB|||202603011145+0100|||||||||||||||"
                 "202603011145+0100|||X\nTQ1|1||||||||A\nOBX|1||FallReported^^99CAREHUB||||||||W\n");
}

static void a_notice_goes_out_only_if_the_original_is_known(void **state)
{
    static const char notice[] = "{\"id\":\"" ID "\",\"type\":\"HOSPITAL_DISCHARGE\",\"retracts\":\"" ORIGINAL "\"}";
    struct carehub_parcel parcel;
    (void)state;
    assert_int_equal(written_as(notice, NULL, CAREHUB__V1__LEVEL__LEVEL_CLINICAL, true, &parcel),
                     CAREHUB_WRITTEN_ERROR);
    assert_string_equal(parcel.problem.where, "Event.patient");
    assert_int_equal(written_as(notice, "{" ENVELOPE "\"type\":\"HOSPITAL_DISCHARGE\"," DISCHARGE "}",
                                CAREHUB__V1__LEVEL__LEVEL_CLINICAL, true, &parcel),
                     CAREHUB_WRITTEN);
    assert_non_null(strstr(parcel.bytes, "||ADT^A13^ADT_A01|"));
    assert_non_null(strstr(parcel.bytes, "\rPID|1||" SSIN));
    assert_non_null(strstr(parcel.bytes, "\rPV1|1|I|||||||||||||||||V1^^^AZ Test^VN|"));
    free(parcel.bytes);
}

// ---- Medication

#define CHANGES                                                                                                        \
    "\"medicationChanged\":{\"schemeId\":\"S1\",\"schemeVersion\":\"4\",\"at\":{" AT "},\"note\":\"let op\","          \
    "\"changes\":[{\"kind\":\"ADDED\",\"lineId\":\"L1\",\"from\":{" DAY "},\"reason\":\"pijn\",\"medicine\":{"         \
    "\"codes\":[{\"system\":\"cnk\",\"code\":\"0123456\"},{\"system\":\"http://www.whocc.no/"                          \
    "atc\",\"code\":\"N02BE01\"}],"                                                                                    \
    "\"name\":\"Paracetamol 500 mg\"},\"posology\":{\"text\":\"2x daags\",\"route\":{\"code\":\"PO\"},\"regimen\":["   \
    "{\"moment\":{\"system\":\"urn:dp\",\"code\":\"morning\"},\"quantity\":{\"value\":\"1\",\"unit\":\"tab\"}},"       \
    "{\"timeOfDay\":\"20:00\",\"weekday\":{\"display\":\"maandag\"},\"quantity\":{\"value\":\"1\",\"unit\":\"tab\"}}]" \
    "}},"                                                                                                              \
    "{\"kind\":\"STOPPED\",\"medicine\":{\"name\":\"Bisoprolol\"},\"previousPosology\":{\"text\":\"1 per dag\"}},"     \
    "{\"kind\":\"SUSPENDED\",\"medicine\":{\"name\":\"A\"}},{\"kind\":\"RESUMED\",\"medicine\":{\"name\":\"B\"}},"     \
    "{\"kind\":\"PRODUCT_CHANGED\",\"medicine\":{\"name\":\"C\"},\"previousMedicine\":{\"name\":\"D\"}},"              \
    "{\"kind\":\"POSOLOGY_CHANGED\",\"medicine\":{\"name\":\"E\"},\"posology\":{\"text\":\"bij pijn\"}}]}"

static void a_change_of_medication_is_one_order_message(void **state)
{
    static const char expected[] =
        "NTE|1||let op\n" PID
        "ORC|NW||L1|S1|IP||||202603011145+0100|||41012345001^An Peeters^^^^^^^NIHDI&2.16.840.1.113883.3.6777.5.2&ISO|||"
        "20260301|^pijn\n"
        "RXE||0123456^Paracetamol 500 mg^99CNK^N02BE01^Paracetamol 500 mg^WC|1||tab||^2x daags\n"
        "TQ1|1|1^tab|morning&&urn:dp||||20260301\n"
        "TQ1|2|1^tab||2000|||20260301||||maandag\n"
        "RXR|PO\n"
        "OBX|1|CE|kind^Kind^99CAREHUB||ADDED^Added^99CAREHUB||||||F\n"
        "OBX|2|ST|scheme_version^Scheme version^99CAREHUB||4||||||F\n"
        "ORC|DC||" CONTROL_ID "-2|S1|DC||||202603011145+0100|||41012345001^An Peeters^^^^^^^NIHDI&"
        "2.16.840.1.113883.3.6777.5.2&ISO\n"
        "RXE||^Bisoprolol|\"\"||\"\"\nTQ1|1\nRXR|\"\"\n"
        "OBX|1|CE|kind^Kind^99CAREHUB||STOPPED^Stopped^99CAREHUB||||||F\n"
        "OBX|2|ST|previous_posology.text^Text^99CAREHUB||1 per dag||||||F\n";
    char *message = message_of("{" ENVELOPE AUTHOR CHANGES "}"), *end = strstr(message, "ORC|HD|");
    (void)state;
    assert_non_null(end);
    *end = '\0'; // the others are alike
    assert_segments(message, expected);
    free(message);
}

static void every_kind_of_change_has_its_order_control(void **state)
{
    static const char *const controls[] = {"\rORC|NW|", "\rORC|DC|", "\rORC|HD|",
                                           "\rORC|RL|", "\rORC|XO|", "\rORC|XO|"};
    char *message = message_of("{" ENVELOPE CHANGES "}"), *at = message;
    (void)state;
    for (size_t i = 0; i < sizeof controls / sizeof controls[0]; i++) {
        at = strstr(at, controls[i]);
        assert_non_null(at);
        at++;
    }
    assert_null(strstr(at, "\rORC|"));
    assert_non_null(strstr(at, "TQ1|1||||||||||bij pijn\r"));
    free(message);
}

static void a_view_without_the_changes_is_a_report(void **state)
{
    char *message = message_as("{" ENVELOPE CHANGES "}", NULL, CAREHUB__V1__LEVEL__LEVEL_CARE);
    (void)state;
    assert_non_null(strstr(message, "||ORU^R01^ORU_R01|"));
    assert_non_null(strstr(message, "OBX|1|ST|scheme_id^Scheme id^99CAREHUB||S1|"));
    assert_null(strstr(message, "Paracetamol"));
    free(message);
}

// ---- Reports

static void what_was_observed_is_an_oru_with_proper_value_types(void **state)
{
    (void)state;
    assert_gives(
        "{" ENVELOPE AUTHOR
        "\"urgency\":\"IMMEDIATE\",\"labels\":{\"language\":\"nl\"},\"references\":[{\"id\":\"D2\"}],"
        "\"fallReported\":{\"fellAt\":{" AT "},\"place\":{\"system\":\"http://snomed.info/sct\",\"code\":\"1\","
        "\"display\":\"keuken\"},\"witnessed\":true,\"injury\":\"MINOR_INJURY\",\"fallsPastYear\":3,"
        "\"injuryDetail\":\"pols\",\"measurements\":[{\"what\":{\"system\":\"http://loinc.org\",\"code\":\"8480-6\"},"
        "\"value\":{\"value\":\"142.50\",\"unit\":\"mm[Hg]\"},\"at\":{" AT "}},{\"what\":{\"display\":\"pijn\"},"
        "\"value\":{\"value\":\"veel\"}}]}}",
        PID "OBR|1||" ID "^CAREHUB|FallReported^Fall reported^99CAREHUB|||202603011145+0100|||||||||||||||"
            "202603011145+0100|||F\nTQ1|1||||||||S\n"
            "OBX|1|TS|fell_at^Fell at^99CAREHUB||202603011145+0100||||||F||||^Wit|" AN "\n"
            "OBX|2|CE|place^Place^99CAREHUB||1^keuken^SCT||||||F||||^Wit|" AN "\n"
            "OBX|3|CE|witnessed^Witnessed^99CAREHUB||Y^Yes^HL70136||||||F||||^Wit|" AN "\n"
            "OBX|4|CE|injury^Injury^99CAREHUB||MINOR_INJURY^Minor injury^99CAREHUB||||||F||||^Wit|" AN "\n"
            "OBX|5|NM|falls_past_year^Falls past year^99CAREHUB||3||||||F||||^Wit|" AN "\n"
            "OBX|6|ST|injury_detail^Injury detail^99CAREHUB||pols||||||F||||^Wit|" AN "\n"
            "OBX|7|NM|8480-6^^LN^measurements^Measurements^99CAREHUB|1|142.50|mm[Hg]^^UCUM|||||F|||"
            "202603011145+0100|^Wit|" AN "\n"
            "OBX|8|ST|^pijn^^measurements^Measurements^99CAREHUB|2|veel||||||F||||^Wit|" AN "\n"
            "OBX|9|RP|references^References^99CAREHUB|1|D2||||||F||||^Wit|" AN "\n");
}

static void what_nobody_verified_is_a_preliminary_result(void **state)
{
    char *message = message_of("{" ENVELOPE "\"author\":{\"unverified\":true},\"carerStrain\":{\"score\":\"12\"}}");
    (void)state;
    assert_non_null(strstr(message, "|||R\r"));
    assert_non_null(strstr(message, "OBX|1|NM|score^Score^99CAREHUB||12||||||R\r"));
    free(message);
}

// The same report, by its number, in another message: final now.
static void what_was_verified_since_is_a_final_result(void **state)
{
    static const char event[] = "{" ENVELOPE "\"author\":{\"unverified\":true},\"carerStrain\":{\"score\":\"12\"}}";
    (void)state;
    char *before = message_of(event);
    verified_by = "dr-janssens";
    char *after = message_of(event);
    verified_by = NULL;
    assert_non_null(strstr(after, "|||F\rNTE|1||Verified by dr-janssens\r"));
    assert_non_null(strstr(after, "OBX|1|NM|score^Score^99CAREHUB||12||||||F\r"));
    const char *number = strstr(before, "OBR|"), *again = strstr(after, "OBR|");
    assert_memory_equal(number, again, 40);
    assert_string_not_equal(before, after);
    assert_int_not_equal(strncmp(strstr(before, "ORU^R01"), strstr(after, "ORU^R01"), 40), 0); /* MSH-10 */
    free(before);
    free(after);
}

static void each_type_has_its_message_or_none(void **state)
{
    static const char *const nothing[] = {"InclusionFlagged", "CoordinationChanged", "TaskAssigned",
                                          "CaseConference",   "ReferralMade",        "EmergencyAccessUsed"};
    (void)state;
    for (int type = 1; type <= EVENT_TYPE_MAX; type++) {
        const char *name = event_type_name((Carehub__V1__EventType)type);
        bool organisation = false;
        for (size_t i = 0; i < sizeof nothing / sizeof nothing[0]; i++)
            organisation = organisation || strcmp(nothing[i], name) == 0;
        for (int all = 0; all < 2; all++) {
            receive_as(all ? "receiver\n    care-organisation = yes\n" : receiver_section);
            for (int level = CAREHUB__V1__LEVEL__LEVEL_ADMINISTRATIVE; level <= CAREHUB__V1__LEVEL__LEVEL_CLINICAL;
                 level++) {
                char json[2048], body[64];
                struct carehub_parcel parcel;
                snprintf(body, sizeof body, "%s", name);
                body[0] = (char)(body[0] + 'a' - 'A');
                snprintf(json, sizeof json, "{" ENVELOPE "\"%s\":{}}", body);
                enum carehub_written written = written_as(json, NULL, (Carehub__V1__Level)level, false, &parcel);
                if (written != (organisation && !all ? CAREHUB_WRITTEN_NOTHING : CAREHUB_WRITTEN))
                    fail_msg("%s: %d", name, written);
                free(parcel.bytes);
            }
        }
    }
    receive_as(receiver_section);
}

static void awkward_characters_come_through(void **state)
{
    static const char awkward[] = "|^~\\&\r\n\"\"\t\xC3\xAB\xE2\x89\xA5 \\.br\\ MSH|";
    struct hl7v2_error error;
    char json[2048], read[256];
    (void)state;
    snprintf(json, sizeof json,
             "{" ENVELOPE "\"teamMessage\":{\"subject\":\"|^~\\\\&\\r\\n\\\"\\\"\\t\xC3\xAB\xE2\x89\xA5 "
             "\\\\.br\\\\ MSH|\",\"text\":\"\\\"\\\"\"}}");
    char *message = message_of(json);
    struct hl7v2_message *parsed = hl7v2_parse(message, strlen(message), NULL, &error);
    hl7v2_text(parsed, "OBX-5", read, sizeof read, NULL);
    assert_string_equal(read, "|^~\\&\n\"\" \xC3\xAB\xE2\x89\xA5 \\.br\\ MSH|");
    assert_int_equal(strlen(read), sizeof awkward - 2); // CR LF is one line end
    assert_int_equal(hl7v2_text(parsed, "OBX[2]-5", read, sizeof read, NULL), HL7V2_VALUED);
    assert_string_equal(read, "\"\"");
    hl7v2_message_destroy(&parsed);
    free(message);
    receive_as("receiver\n    charset = 8859/1\n");
    message = message_of(json);
    assert_non_null(strstr(message, "||||||8859/1\r"));
    assert_non_null(strstr(message, "\xEB\\ZU2265\\"));
    free(message);
    receive_as(receiver_section);
}

static void the_same_event_is_the_same_message(void **state)
{
    char *first = message_of("{" ENVELOPE ADMISSION "}"), *second = message_of("{" ENVELOPE ADMISSION "}");
    (void)state;
    assert_string_equal(first, second);
    free(first);
    free(second);
}

static void what_is_larger_than_the_limit_is_an_error(void **state)
{
    size_t size = 5 << 20;
    char *json = malloc(size);
    struct carehub_parcel parcel;
    (void)state;
    int used = snprintf(json, size, "{" ENVELOPE "\"teamMessage\":{\"text\":\"");
    memset(json + used, '|', 2 << 20); // three characters each when escaped
    snprintf(json + used + (2 << 20), 16, "\"}}");
    assert_int_equal(written_as(json, NULL, CAREHUB__V1__LEVEL__LEVEL_CLINICAL, false, &parcel), CAREHUB_WRITTEN_ERROR);
    assert_non_null(strstr(parcel.problem.what, "4 MB"));
    free(json);
}

static void a_wrong_receiver_section_is_refused_by_name(void **state)
{
    static const char *const cases[][2] = {
        {"receiver\n    charset = utf-16\n", "utf-8 or 8859/1"},
        {"receiver\n    aplication = X\n", "there is no setting 'aplication'"},
        {"receiver\n    identifiers\n        x\n            authority = A\n", "needs 'system'"},
        {"receiver\n    version = 3\n", "2.5.1"},
    };
    char error[CAREHUB_ERROR_BYTES];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct carehub_setting *tree = settings_of(cases[i][0]);
        assert_false(carehub_format.check_receiver(setting_named(tree, "receiver"), error));
        if (strstr(error, cases[i][1]) == NULL)
            fail_msg("%s is not in: %s", cases[i][1], error);
        settings_tree_free(&tree);
    }
    assert_true(carehub_format.check_receiver(NULL, error));
}

// ---- The way back

static Carehub__V1__Event *read_back;

static size_t no_past(struct carehub_memory *memory, const char *episode, Carehub__V1__Event *const **events)
{
    (void)memory;
    (void)episode;
    *events = NULL;
    return 0;
}

static bool keep(struct carehub_memory *memory, const Carehub__V1__Event *event, const char *episode)
{
    (void)memory;
    (void)episode;
    size_t size = carehub__v1__event__get_packed_size(event);
    uint8_t *packed = malloc(size + 1);
    carehub__v1__event__pack(event, packed);
    read_back = carehub__v1__event__unpack(NULL, size, packed);
    free(packed);
    return true;
}

// What another hub's adapter would make of a message: the same event, but for the id.
static void read_message(const char *text)
{
    char error[CAREHUB_ERROR_BYTES];
    struct carehub_memory memory = {.past = no_past, .emit = keep};
    const struct carehub_native native = {
        .bytes = text, .len = strlen(text), .received_ms = NOW_MS, .transport = "mllp"};
    struct carehub_message message = {.native = &native};
    void *reader =
        configured("format\n    senders\n        hub\n            application = CAREHUB\n"
                   "            identifiers\n                az\n                    system = urn:az:patient\n"
                   "                    authority = AZ\n",
                   error);
    assert_non_null(reader);
    assert_true(carehub_format.open(reader, &message));
    assert_int_equal(message.verdict, CAREHUB_MESSAGE_OPENED);
    carehub_format.translate(reader, &message, &memory);
    carehub_format.close(&message);
    carehub_format.destroy(reader);
    assert_non_null(read_back);
}

static void what_is_written_reads_as_the_same_event(void **state)
{
    (void)state;
    char *message = message_of("{" ENVELOPE ADMISSION "}");
    Carehub__V1__Event *written = event_of("{" ENVELOPE ADMISSION "}");
    read_message(message);
    const Carehub__V1__HospitalAdmission *was = written->hospital_admission, *is = read_back->hospital_admission;
    assert_int_equal(read_back->body_case, written->body_case);
    assert_string_equal(read_back->patient->identifiers[0]->value, SSIN);
    assert_string_equal(read_back->patient->identifiers[1]->system, "urn:az:patient");
    assert_string_equal(is->encounter_id, was->encounter_id);
    assert_int_equal(is->admitted_at->unix_ms, was->admitted_at->unix_ms);
    assert_int_equal(is->admitted_at->precision, was->admitted_at->precision);
    assert_int_equal(is->expected_discharge_at->unix_ms, was->expected_discharge_at->unix_ms);
    assert_int_equal(is->planned, was->planned);
    assert_int_equal(is->patient_class, was->patient_class);
    assert_string_equal(is->location->bed, was->location->bed);
    assert_string_equal(is->service->code, was->service->code);
    assert_string_equal(is->attending->name, was->attending->name);
    assert_string_equal(is->attending->identifiers[0]->system, "nihdi");
    assert_string_equal(is->reason, was->reason);
    assert_int_equal(is->n_diagnoses, was->n_diagnoses);
    assert_string_equal(is->diagnoses[0]->system, was->diagnoses[0]->system);
    assert_string_equal(is->diagnoses[0]->display, was->diagnoses[0]->display);
    carehub__v1__event__free_unpacked(written, NULL);
    carehub__v1__event__free_unpacked(read_back, NULL);
    read_back = NULL;
    free(message);
}

// ---- Acknowledgements

#define ACK(rest) "MSH|^~\\&|EPD|GP|CAREHUB||20260301||ACK|1|P|2.5.1\r" rest

static void acknowledgements_are_judged_by_the_table(void **state)
{
    static const struct {
        const char *answer;
        enum carehub_judgement judgement;
        const char *where, *rule;
    } cases[] = {
        {ACK("MSA|AA|ID1\r"), CAREHUB_JUDGED_TAKEN, "", ""},
        {ACK("MSA|CA|ID1\r"), CAREHUB_JUDGED_TAKEN, "", ""},
        {ACK("MSA|AA|ID2\r"), CAREHUB_JUDGED_OTHER, "MSA-2", "HL7 v2.5.1, 2.15.8.2"},
        {ACK("MSA|AA\r"), CAREHUB_JUDGED_OTHER, "MSA-2", "HL7 v2.5.1, 2.15.8.2"},
        {ACK("MSA|XX|ID1\r"), CAREHUB_JUDGED_OTHER, "MSA-1", "HL7 v2.5.1, 2.15.8.1"},
        {ACK("MSA||ID1\r"), CAREHUB_JUDGED_OTHER, "MSA-1", "HL7 v2.5.1, 2.15.8.1"},
        {ACK("ZZZ|AA|ID1\r"), CAREHUB_JUDGED_OTHER, "MSA", "HL7 v2.5.1, 2.15.8"},
        {"nonsense", CAREHUB_JUDGED_OTHER, "MSH", "HL7 v2.5.1, 2.5"},
        {ACK("MSA|AE|ID1\r"), CAREHUB_JUDGED_REFUSED, "MSH", "HL7 table 0008, AE"},
        {ACK("MSA|AE|ID1\rERR||PID^1^3|204^Unknown key^HL70357|E\r"), CAREHUB_JUDGED_REFUSED, "PID-3",
         "HL7 table 0357, 204"},
        {ACK("MSA|AE|ID1\rERR||PID^1^5|101\r"), CAREHUB_JUDGED_REFUSED, "PID-5", "HL7 table 0357, 101"},
        {ACK("MSA|CE|ID1\rERR|||206\r"), CAREHUB_JUDGED_AGAIN, "MSH", "HL7 table 0357, 206"},
        {ACK("MSA|AE|ID1\rERR|||207\r"), CAREHUB_JUDGED_AGAIN, "MSH", "HL7 table 0357, 207"},
        {ACK("MSA|AR|ID1\rERR|||207\r"), CAREHUB_JUDGED_AGAIN, "MSH", "HL7 table 0357, 207"},
        {ACK("MSA|AR|ID1\r"), CAREHUB_JUDGED_REFUSED, "MSH", "HL7 table 0008, AR"},
        {ACK("MSA|CR|ID1\rERR|||200\r"), CAREHUB_JUDGED_REFUSED, "MSH", "HL7 table 0357, 200"},
        {ACK("MSA|AE|ID1\rERR|||207\rERR||PV1^1|103\r"), CAREHUB_JUDGED_REFUSED, "PV1", "HL7 table 0357, 103"},
        {ACK("MSA|AE|ID1\rERR|PID^1^3^205&Duplicate&HL70357\r"), CAREHUB_JUDGED_REFUSED, "MSH", "HL7 table 0357, 205"},
        {ACK("MSA|AE|ID1|later|||207^Internal\r"), CAREHUB_JUDGED_AGAIN, "MSH", "HL7 table 0357, 207"},
        {ACK("MSA|AE|ID1|" SSIN "\rERR||" SSIN "^1^x|204^" SSIN "|E||||" SSIN "\r"), CAREHUB_JUDGED_REFUSED, "MSH",
         "HL7 table 0357, 204"},
    };
    const struct carehub_parcel parcel = {.native_id = "ID1"};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct carehub_problem problem;
        enum carehub_judgement judgement =
            carehub_format.judge(format, &parcel, cases[i].answer, strlen(cases[i].answer), &problem);
        if (judgement != cases[i].judgement || strcmp(problem.where, cases[i].where) != 0 ||
            strcmp(problem.rule, cases[i].rule) != 0)
            fail_msg("%zu: %d, %s, %s, %s", i, judgement, problem.where, problem.what, problem.rule);
        assert_true((judgement == CAREHUB_JUDGED_TAKEN) == (problem.what[0] == '\0'));
        assert_null(strstr(problem.what, SSIN));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_admission_is_an_a01),
        cmocka_unit_test(a_view_leaves_out_what_the_receiver_may_not_see),
        cmocka_unit_test(a_transfer_is_an_a02),
        cmocka_unit_test(a_discharge_is_an_a03_and_loses_nothing),
        cmocka_unit_test(an_emergency_visit_is_an_a04_and_then_an_a03),
        cmocka_unit_test(a_death_is_about_the_person),
        cmocka_unit_test(corrections_have_their_trigger_events),
        cmocka_unit_test(a_retraction_repeats_nothing_but_the_visit),
        cmocka_unit_test(reports_are_corrected_under_their_own_number),
        cmocka_unit_test(a_notice_goes_out_only_if_the_original_is_known),
        cmocka_unit_test(a_change_of_medication_is_one_order_message),
        cmocka_unit_test(every_kind_of_change_has_its_order_control),
        cmocka_unit_test(a_view_without_the_changes_is_a_report),
        cmocka_unit_test(what_was_observed_is_an_oru_with_proper_value_types),
        cmocka_unit_test(what_nobody_verified_is_a_preliminary_result),
        cmocka_unit_test(what_was_verified_since_is_a_final_result),
        cmocka_unit_test(each_type_has_its_message_or_none),
        cmocka_unit_test(awkward_characters_come_through),
        cmocka_unit_test(the_same_event_is_the_same_message),
        cmocka_unit_test(what_is_larger_than_the_limit_is_an_error),
        cmocka_unit_test(a_wrong_receiver_section_is_refused_by_name),
        cmocka_unit_test(what_is_written_reads_as_the_same_event),
        cmocka_unit_test(acknowledgements_are_judged_by_the_table),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
