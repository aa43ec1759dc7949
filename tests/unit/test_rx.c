// Orders of medication to events.
#include "hospital_case.h"

#include "rx.h"
#include "rx_pattern.h"

#define RDE HOSPITAL_MSH("RDE^O11^RDE_O11", "1") HOSPITAL_PID
#define KIND(name) CAREHUB__V1__MEDICATION_CHANGE__KIND__##name

static struct adt_result map(const char *text)
{
    struct hl7v2_message *message = hospital_parse(text);
    struct adt_input input = hospital_input(message);
    struct adt_result result = rx_map(&input, &hospital_states.memory);
    hl7v2_message_destroy(&message);
    assert_int_equal(result.outcome == ADT_EVENT, result.event != NULL);
    assert_non_null(result.why);
    return result;
}

static Carehub__V1__Event *event_of(const char *text)
{
    struct adt_result result = map(text);
    if (result.event == NULL)
        fail_msg("no event: %s", result.why);
    return result.event;
}

static void drop(Carehub__V1__Event *event)
{
    carehub__v1__event__free_unpacked(event, NULL);
}

// One order, in the words of ORC-1, a medicine and a dose; "" for nothing.
static const char *order(const char *control, const char *number, const char *medicine, const char *dose)
{
    static char text[4][1024];
    static unsigned turn;
    char *out = text[turn++ % 4];
    int len = snprintf(out, sizeof text[0], "%sORC|%s|%s^CPOE|||||||20260301113000\r", RDE, control, number);
    if (medicine[0] != '\0')
        snprintf(out + len, sizeof text[0] - (size_t)len, "RXE||%s|%s||mg\r", medicine, dose);
    return out;
}

static Carehub__V1__MedicationChange__Kind kind_after(const char *text, const char *expected_why)
{
    struct adt_result result = map(text);
    Carehub__V1__MedicationChange__Kind kind = KIND(KIND_UNSPECIFIED);
    if (result.event != NULL) {
        assert_int_equal(result.event->medication_changed->n_changes, 1);
        kind = result.event->medication_changed->changes[0]->kind;
        drop(result.event);
    } else if (expected_why == NULL || strcmp(result.why, expected_why) != 0)
        fail_msg("no event, because of %s", result.why);
    return kind;
}

// ---- What ORC-1 does

static void the_control_code_decides_what_happened(void **state)
{
    static const struct {
        const char *control, *status, *why;
        Carehub__V1__MedicationChange__Kind kind;
    } cases[] = {
        {"NW", "", NULL, KIND(ADDED)},
        {"OP", "", NULL, KIND(ADDED)},
        {"RO", "", NULL, KIND(ADDED)},
        {"CA", "", NULL, KIND(STOPPED)},
        {"OC", "", NULL, KIND(STOPPED)},
        {"DC", "", NULL, KIND(STOPPED)},
        {"OD", "", NULL, KIND(STOPPED)},
        {"DR", "", NULL, KIND(STOPPED)},
        {"RP", "", NULL, KIND(STOPPED)},
        {"HD", "", NULL, KIND(SUSPENDED)},
        {"OH", "", NULL, KIND(SUSPENDED)},
        {"RL", "", NULL, KIND(RESUMED)},
        {"OE", "", NULL, KIND(RESUMED)},
        {"XO", "", NULL, KIND(POSOLOGY_CHANGED)},
        {"XX", "", NULL, KIND(POSOLOGY_CHANGED)},
        {"SC", "DC", NULL, KIND(STOPPED)},
        {"SC", "HD", NULL, KIND(SUSPENDED)},
        {"SC", "IP", "order-control", 0},
        {"RE", "DC", "order-control", 0},
        {"RF", "", "order-control", 0},
        {"OK", "", "order-control", 0},
        {"UA", "", "order-control", 0},
        {"", "", "order-control", 0},
        {"nw", "", "order-control", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        hospital_forget(NULL);
        char text[512]; // ORC-5 counts where ORC-1 says that the status changed
        snprintf(text, sizeof text, RDE "ORC|%s|O1|||%s\rRXE||0000001^Example^L|1||mg\r", cases[i].control,
                 cases[i].status);
        if (kind_after(text, cases[i].why) != cases[i].kind)
            fail_msg("control code %s", cases[i].control);
    }
}

static void an_order_goes_through_its_life_one_event_a_step(void **state)
{
    static const struct {
        const char *control, *medicine, *dose, *why;
        Carehub__V1__MedicationChange__Kind kind;
    } steps[] = {
        {"NW", "0001^Amoxi^L", "500", NULL, KIND(ADDED)},
        {"NW", "0001^Amoxi^L", "500", "order-unchanged", 0},
        {"XO", "0001^Amoxi^L", "500", "order-unchanged", 0},
        {"XO", "0001^Amoxi^L", "250", NULL, KIND(POSOLOGY_CHANGED)},
        {"XX", "0001^Amoxi^L", "250", "order-unchanged", 0},
        {"XO", "0002^Other^L", "250", NULL, KIND(PRODUCT_CHANGED)},
        {"HD", "", "", NULL, KIND(SUSPENDED)},
        {"HR", "", "", "order-unchanged", 0},
        {"XO", "0002^Other^L", "250", "order-unchanged", 0},
        {"RL", "0003^Written otherwise^L", "1", NULL, KIND(RESUMED)}, // changes nothing about what was ordered
        {"RL", "", "", "order-unchanged", 0},
        {"XO", "0002^Other^L", "250", "order-unchanged", 0},
        {"DC", "", "", NULL, KIND(STOPPED)},
        {"DR", "", "", "order-unchanged", 0},
        {"HD", "", "", "order-unchanged", 0},
        {"RL", "", "", "order-unchanged", 0},
        {"NW", "0002^Other^L", "250", NULL, KIND(ADDED)},
    };
    (void)state;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        if (kind_after(order(steps[i].control, "O1", steps[i].medicine, steps[i].dose), steps[i].why) != steps[i].kind)
            fail_msg("step %zu: %s", i, steps[i].control);
}

static void a_change_says_what_it_replaces(void **state)
{
    (void)state;
    drop(event_of(order("NW", "O1", "0001^Amoxi^L", "500")));
    Carehub__V1__Event *event = event_of(order("XO", "O1", "0002^Other^L", "250"));
    const Carehub__V1__MedicationChange *change = event->medication_changed->changes[0];
    assert_string_equal(change->previous_medicine->name, "Amoxi");
    assert_string_equal(change->previous_posology->regimen[0]->quantity->value, "500");
    assert_string_equal(change->medicine->name, "Other");
    assert_string_equal(change->line_id, "CPOE:O1");
    assert_int_equal(event->amends.len, 0);
    drop(event);
}

static void a_stop_names_the_medicine_of_its_order(void **state)
{
    (void)state;
    drop(event_of(order("NW", "O1", "0001^Amoxi^L", "500")));
    Carehub__V1__Event *event = event_of(RDE "ORC|DC|O1^CPOE|||||||20260302080000||||||20260303|A^Allergy^L\r");
    const Carehub__V1__MedicationChange *change = event->medication_changed->changes[0];
    assert_string_equal(change->medicine->name, "Amoxi");
    assert_string_equal(change->reason, "Allergy");
    assert_int_equal(change->from->precision, CAREHUB__V1__PRECISION__PRECISION_DAY);
    assert_null(change->until);
    assert_true(event->occurred_at->unix_ms == INT64_C(1772434800000)); // ORC-9
    drop(event);
}

static void what_is_not_known_and_not_named_comes_to_nothing(void **state)
{
    static const struct {
        const char *control, *why;
        bool notable;
    } cases[] = {{"DC", "order-unknown", true},
                 {"HD", "order-unknown", true},
                 {"XO", "order-unknown", true},
                 {"NW", "no-medicine", true},
                 {"RE", "order-control", false}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct adt_result result = map(order(cases[i].control, "O9", "", ""));
        assert_int_equal(result.outcome, ADT_NOTHING);
        assert_string_equal(result.why, cases[i].why);
        assert_int_equal(result.notable, cases[i].notable);
    }
    assert_string_equal(map(RDE "RXE||1^X^L|1||mg\r").why, "no-order");
}

static void a_change_of_timing_alone_keeps_the_dose(void **state)
{
    (void)state;
    drop(event_of(RDE "ORC|NW|O1\rTQ1|1||BID\rRXE||1^X|2||tab||^With water\rRXR|PO\r"));
    Carehub__V1__Event *event = event_of(RDE "ORC|XO|O1\rTQ1|1||TID\r");
    const Carehub__V1__Posology *posology = event->medication_changed->changes[0]->posology;
    assert_int_equal(event->medication_changed->changes[0]->kind, KIND(POSOLOGY_CHANGED));
    assert_string_equal(posology->frequency->code, "3/d");
    assert_string_equal(posology->regimen[0]->quantity->value, "2");
    assert_string_equal(posology->route->code, "PO");
    assert_string_equal(posology->text, "With water");
    drop(event);
}

static void a_number_given_out_again_never_brings_another_person_s_medicine(void **state)
{
    (void)state;
    drop(event_of(order("NW", "O1", "0001^Amoxi^L", "500")));
    struct adt_result result = map(HOSPITAL_MSH("RDE^O11", "2") "PID|1||4799^^^AZT^PI\rORC|DC|O1^CPOE\r");
    assert_string_equal(result.why, "order-unknown");
}

static void the_pharmacy_s_number_finds_the_order_too(void **state)
{
    (void)state;
    drop(event_of(RDE "ORC|NW|O1^CPOE|F7^RX\rRXE||1^Amoxi^L|500||mg\r"));
    Carehub__V1__Event *event = event_of(RDE "ORC|OD||F7^RX\r");
    assert_string_equal(event->medication_changed->changes[0]->line_id, "CPOE:O1");
    drop(event);
    assert_string_equal(map(RDE "ORC|DC|O1^CPOE\r").why, "order-unchanged");
}

static void a_dispensing_adds_only_what_nobody_ordered(void **state)
{
    static const char rds[] = HOSPITAL_MSH("RDS^O13^RDS_O13", "2") HOSPITAL_PID
        "ORC|NW|O1^CPOE\rRXD|1|1^Amoxi^L|20260301|10|tab||RX1\rRXR|PO^Oral^HL70162\r";
    (void)state;
    drop(event_of(order("NW", "O1", "0001^Amoxi^L", "500")));
    assert_string_equal(map(rds).why, "order-dispensed");
    hospital_forget(NULL);
    Carehub__V1__Event *event = event_of(rds);
    const Carehub__V1__MedicationChange *change = event->medication_changed->changes[0];
    assert_int_equal(change->kind, KIND(ADDED));
    assert_null(change->posology->regimen); // ten were dispensed; that is no dose
    drop(event);
}

static void orders_within_the_hospital_are_left_out_where_so_agreed(void **state)
{
    static const struct {
        const char *pv1, *control, *type;
        bool taken;
    } cases[] = {
        {"PV1|1|I\r", "NW", "", false}, {"PV1|1|O\r", "NW", "", true},   {"", "NW", "", true},
        {"PV1|1|I\r", "NW", "O", true}, {"PV1|1|O\r", "NW", "I", false}, {"PV1|1|I\r", "OP", "", true},
    };
    (void)state;
    hospital_sender->skip_inpatient_orders = true;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[1024];
        snprintf(text, sizeof text, RDE "%sORC|%s|N%zu|||||||||||||||||||||||||||%s\rRXE||1^X^L|1||mg\r", cases[i].pv1,
                 cases[i].control, i, cases[i].type);
        struct adt_result result = map(text);
        if (result.event != NULL)
            drop(result.event);
        else
            assert_string_equal(result.why, "order-inpatient");
        assert_int_equal(result.outcome == ADT_EVENT, cases[i].taken);
    }
    hospital_sender->skip_inpatient_orders = false;
}

// ---- Which messages

static void only_orders_of_medication_are_taken(void **state)
{
    static const struct {
        const char *text;
        bool taken;
    } cases[] = {
        {HOSPITAL_MSH("RDE^O11^RDE_O11", "1"), true},
        {HOSPITAL_MSH("RDE^O01", "1"), true},
        {HOSPITAL_MSH("RDS^O13", "1"), true},
        {HOSPITAL_MSH("OMP^O09", "1"), true},
        {HOSPITAL_MSH("ORM^O01", "1") "ORC|NW\rRXO|1\r", true},
        {HOSPITAL_MSH("ORM^O01", "1") "ORC|NW\rOBR|1\r", false},
        {HOSPITAL_MSH("RAS^O17", "1"), false},
        {HOSPITAL_MSH("RDE^O25", "1"), false},
        {HOSPITAL_MSH("ADT^A01", "1"), false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct hl7v2_message *message = hospital_parse(cases[i].text);
        assert_int_equal(rx_takes(message), cases[i].taken);
        hl7v2_message_destroy(&message);
    }
    assert_int_equal(map(HOSPITAL_MSH("ADT^A01", "1")).outcome, ADT_UNSUPPORTED);
    assert_int_equal(map(HOSPITAL_MSH("RDE^O11", "1") "ORC|NW|1\rRXE||1^X|1||mg\r").outcome, ADT_UNIDENTIFIED);
}

static void one_message_gives_one_event_with_a_change_for_each_order(void **state)
{
    (void)state;
    Carehub__V1__Event *event =
        event_of(HOSPITAL_MSH("OMP^O09", "1") HOSPITAL_PID "PV1|1|O|||||||||||||||||V7\r"
                                                           "ORC|NW|A1||||||||||10000196^Maes^Ilse^^^Dr.^^^RIZIV\rTQ1|1|"
                                                           "|BID\rRXO|1^One^L|1||tab\rNTE|1||With food\rRXR|PO\r"
                                                           "ORC|OK|A2\rRXO|2^Two^L|1||tab\r"
                                                           "ORC|NW|A3\rRXO|3^Three^L|2||tab\r");
    assert_int_equal(event->type, CAREHUB__V1__EVENT_TYPE__MEDICATION_CHANGED);
    assert_int_equal(event->medication_changed->n_changes, 2);
    assert_string_equal(event->medication_changed->changes[0]->posology->text, "With food");
    assert_string_equal(event->medication_changed->changes[1]->medicine->name, "Three");
    assert_string_equal(event->author->professional->name, "Dr. Ilse Maes");
    assert_string_equal(event->correlation_id, "az-test:V7");
    assert_int_equal(event->id.len, 16);
    drop(event);
}

// ---- What is ordered

static void codings_keep_their_systems(void **state)
{
    static const struct {
        const char *rxe2;
        const char *codes[3][2];
        const char *name, *remark;
    } cases[] = {
        {"1234567^Dafalgan^CNK", {{"CNK", "1234567"}}, "Dafalgan", "cnk-invalid"},
        {"0318-717^Dafalgan 1 g^CNK^N02BE01^paracetamol^ATC",
         {{"cnk", "0318717"}, {"http://www.whocc.no/atc", "N02BE01"}},
         "Dafalgan 1 g",
         NULL},
        {"77^Local^ZIS", {{"urn:az-test:formulary", "77"}}, "Local", NULL},
        {"77^Local^XYZ", {{"XYZ", "77"}}, "Local", NULL},
        {"^Only a name", {{NULL, NULL}}, "Only a name", NULL},
        {"5^^L^6^^ATC^^^As it was written", {{"L", "5"}, {"http://www.whocc.no/atc", "6"}}, "As it was written", NULL},
    };
    (void)state;
    hospital_sender->code_systems[0] = (struct adt_code){strdup("ZIS"), strdup("urn:az-test:formulary"), NULL};
    hospital_sender->code_system_count = 1;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        hospital_forget(NULL);
        Carehub__V1__Event *event = event_of(order("NW", "O1", cases[i].rxe2, "1"));
        const Carehub__V1__Medicine *medicine = event->medication_changed->changes[0]->medicine;
        size_t count = 0;
        for (; count < 3 && cases[i].codes[count][0] != NULL; count++) {
            assert_true(count < medicine->n_codes);
            assert_string_equal(medicine->codes[count]->system, cases[i].codes[count][0]);
            assert_string_equal(medicine->codes[count]->code, cases[i].codes[count][1]);
        }
        assert_int_equal(medicine->n_codes, count);
        assert_string_equal(medicine->name, cases[i].name);
        assert_int_equal(cases[i].remark != NULL, hospital_has_remark(event, "cnk-invalid"));
        drop(event);
    }
}

static void posology_is_told_as_it_was_ordered(void **state)
{
    static const struct {
        const char *order; // ORC to RXR, after "ORC|NW|O1"
        const char *frequency, *text, *first_time, *moment, *amount, *unit;
        size_t intakes;
    } cases[] = {
        {"\rTQ1|1||BID\rRXE||1^X|2||tab^tablet||^With water\r", "2/d", "With water", "", NULL, "2", "tab", 1},
        {"\rTQ1|1||Q8H\rRXE||1^X|2|4|43^mg\r", "1/(8.h)", "2 - 4 mg", "", NULL, "2", "mg", 1},
        {"\rTQ1|1|||0800~2000\rRXE||1^X|1||tab\r", NULL, "", "08:00", NULL, "1", "tab", 2},
        {"\rTQ1|1||QAM\rRXE||1^X|1||tab\r", "1/d", "", "", "MORN", "1", "tab", 1},
        {"\rTQ1|1||BID~PRN|||||||\rRXE||1^X|1||tab\r", "2/d", "PRN", "", NULL, "1", "tab", 1},
        {"\rTQ1|1||^^^^180^min\rRXE||1^X|1||tab\r", "1/(180.min)", "", "", NULL, "1", "tab", 1},
        {"\rTQ1|1||TIDAC&Before meals&HL70335\rRXE||1^X|1||tab\r", "TIDAC", "", "", NULL, "1", "tab", 1},
        {"\rTQ1|1|2^&caps|QD|||||||In the morning|Not with milk\rRXO|1^X\r", "1/d", "Not with milk; In the morning", "",
         NULL, "2", "caps", 1},
        {"|||||10^BID&0800,2000^D4\rRXE||1^X|100||mg\r", "2/d", "", "08:00", NULL, "100", "mg", 2},
        {"|||||^3 times daily^^20260401\rRXO|1^X\r", NULL, "3 times daily", NULL, NULL, NULL, NULL, 0},
        {"|||||10^BID^D4\rRXE|^^^20260301|1^X|100||mg\r", "2/d", "", "", NULL, "100", "mg", 1},
        {"\rRXE|1^Q6H^^20260301|1^X|1||tab\r", "1/(6.h)", "", "", NULL, "1", "tab", 1},
        {"\rTQ1|1||TID\rRXO|1^X|1||tab\rRXE||1^X|1||tab\rTQ1|1||BID\r", "2/d", "", "", NULL, "1", "tab", 1},
        {"\rTQ1|1|2^&mg|BID||||20260301|20260307\rTQ1|2|1^&mg|QD||||20260308|20260314\rRXE||1^X|||mg\r", NULL,
         "2 mg BID [2026-03-01 - 2026-03-07]; 1 mg QD [2026-03-08 - 2026-03-14]", NULL, NULL, NULL, NULL, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[1024];
        hospital_forget(NULL);
        snprintf(text, sizeof text, RDE "ORC|NW|O1%s", cases[i].order);
        Carehub__V1__Event *event = event_of(text);
        const Carehub__V1__Posology *p = event->medication_changed->changes[0]->posology;
        if ((cases[i].frequency == NULL) != (p->frequency == NULL) || strcmp(p->text, cases[i].text) != 0 ||
            p->n_regimen != cases[i].intakes)
            fail_msg("case %zu: %s, '%s', %zu intakes", i, p->frequency != NULL ? p->frequency->code : "none", p->text,
                     p->n_regimen);
        if (cases[i].frequency != NULL)
            assert_string_equal(p->frequency->code, cases[i].frequency);
        if (cases[i].first_time != NULL)
            assert_string_equal(p->regimen[0]->time_of_day, cases[i].first_time);
        if (cases[i].intakes > 0) {
            assert_int_equal(p->regimen[0]->moment != NULL, cases[i].moment != NULL);
            assert_string_equal(p->regimen[0]->quantity->value, cases[i].amount);
            assert_string_equal(p->regimen[0]->quantity->unit, cases[i].unit);
        }
        drop(event);
    }
}

static void an_order_s_period_is_taken_where_it_is_said(void **state)
{
    static const struct {
        const char *order;
        int64_t from, until; // 0: none
    } cases[] = {
        {"\rTQ1|1||BID||||20260301|20260308\rRXE||1^X|1||tab\r", INT64_C(1772319600000), INT64_C(1772924400000)},
        {"\rTQ1|1||BID|||3^D&day|20260301\rRXE||1^X|1||tab\r", INT64_C(1772319600000), INT64_C(1772578800000)},
        {"|||||1^BID^D3^20260301\rRXE||1^X|1||tab\r", INT64_C(1772319600000), INT64_C(1772578800000)},
        {"|||||||||||||20260301\rRXE||1^X|1||tab\r", INT64_C(1772319600000), 0},       // ORC-15
        {"\rTQ1|1||BID|||3^L|20260301\rRXE||1^X|1||tab\r", INT64_C(1772319600000), 0}, // months have no length
        {"\rRXE||1^X|1||tab\r", 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[1024];
        hospital_forget(NULL);
        snprintf(text, sizeof text, RDE "ORC|NW|O1%s", cases[i].order);
        Carehub__V1__Event *event = event_of(text);
        const Carehub__V1__MedicationChange *change = event->medication_changed->changes[0];
        int64_t from = change->from != NULL ? change->from->unix_ms : 0;
        int64_t until = change->until != NULL ? change->until->unix_ms : 0;
        if (from != cases[i].from || until != cases[i].until)
            fail_msg("case %zu: %lld to %lld", i, (long long)from, (long long)until);
        drop(event);
    }
}

static void repeat_patterns_are_read_or_left_alone(void **state)
{
    static const struct {
        const char *code, *frequency, *moment;
        bool known, as_needed;
    } cases[] = {
        {"QD", "1/d", "", true, false},
        {"bid", "2/d", "", true, false},
        {"5ID", "5/d", "", true, false},
        {"Q30M", "1/(30.min)", "", true, false},
        {"Q1H", "1/h", "", true, false},
        {"Q2D", "1/(2.d)", "", true, false},
        {"Q3W", "1/(3.wk)", "", true, false},
        {"Q2L", "1/(2.mo)", "", true, false},
        {"Q2J3", "1/(2.wk)", "", true, false},
        {"PRN", "", "", true, true},
        {"PRNQ6H", "1/(6.h)", "", true, true},
        {"QHS", "1/d", "HS", true, false},
        {"PCM", "1/d", "PCM", true, false},
        {"Q", "", "", false, false},
        {"Q8", "", "", false, false},
        {"Q0H", "", "", false, false},
        {"Q8HX", "", "", false, false},
        {"Once", "", "", false, false},
        {"99999999999999999999ID", "", "", false, false},
        {"", "", "", false, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rx_pattern pattern;
        if (rx_pattern_read(cases[i].code, &pattern) != cases[i].known ||
            strcmp(pattern.frequency, cases[i].frequency) != 0 || strcmp(pattern.moment, cases[i].moment) != 0 ||
            pattern.as_needed != cases[i].as_needed)
            fail_msg("'%s': %s %s", cases[i].code, pattern.frequency, pattern.moment);
    }
}

static void many_orders_and_long_texts_stay_within_bounds(void **state)
{
    size_t size = 800000, used;
    char *text = malloc(size), *nte = malloc(5001);
    (void)state;
    memset(nte, 'n', 5000);
    nte[5000] = '\0';
    used = (size_t)snprintf(text, size, "%s", RDE);
    for (unsigned i = 0; i < 70; i++)
        used += (size_t)snprintf(text + used, size - used, "ORC|NW|\rRXE||%u^X|1||mg\rNTE|1||%.480s\rNTE|2||x%.480s\r",
                                 i, nte, nte);
    Carehub__V1__Event *event = event_of(text);
    assert_int_equal(event->medication_changed->n_changes, RX_ORDERS_MAX);
    assert_true(hospital_has_remark(event, "orders-cut") && hospital_has_remark(event, "posologies-cut"));
    assert_true(carehub__v1__event__get_packed_size(event) < 65536);
    drop(event);
    free(text);
    free(nte);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, hospital_forget)
    const struct CMUnitTest tests[] = {
        TEST(the_control_code_decides_what_happened),
        TEST(an_order_goes_through_its_life_one_event_a_step),
        TEST(a_change_says_what_it_replaces),
        TEST(a_stop_names_the_medicine_of_its_order),
        TEST(what_is_not_known_and_not_named_comes_to_nothing),
        TEST(a_change_of_timing_alone_keeps_the_dose),
        TEST(a_number_given_out_again_never_brings_another_person_s_medicine),
        TEST(the_pharmacy_s_number_finds_the_order_too),
        TEST(a_dispensing_adds_only_what_nobody_ordered),
        TEST(orders_within_the_hospital_are_left_out_where_so_agreed),
        TEST(only_orders_of_medication_are_taken),
        TEST(one_message_gives_one_event_with_a_change_for_each_order),
        TEST(codings_keep_their_systems),
        TEST(posology_is_told_as_it_was_ordered),
        TEST(an_order_s_period_is_taken_where_it_is_said),
        TEST(repeat_patterns_are_read_or_left_alone),
        TEST(many_orders_and_long_texts_stay_within_bounds),
    };
    return cmocka_run_group_tests(tests, hospital_set_up, hospital_tear_down);
}
