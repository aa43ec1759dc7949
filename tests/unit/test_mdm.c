// Documents to events.
#include "hospital_case.h"

#include "mdm.h"

#define PAST_MAX 8
#define PV1 "PV1|1|I|||||||||||||||||V1\r"
#define MDM(trigger, id) HOSPITAL_MSH("MDM^" trigger, id) "EVN|" trigger "|20260302\r" HOSPITAL_PID PV1
#define TXA(type, number, parent, status) "TXA|1|" type "||||20260302101500||||||" number "|" parent "||||" status "\r"
#define LETTER(number) TXA("DS", number, "", "AU")
// "Hello, letter" in Base64, and its SHA-256's first bytes.
#define CONTENT "OBX|1|ED|18842-5^Discharge letter^LN||^application^PDF^Base64^SGVsbG8sIGxldHRlcg==||||||F\r"
#define CONTENT_BYTES 13u
static const uint8_t content_digest[] = {0x79, 0x74, 0xca, 0x8e};

static Carehub__V1__Event *past[PAST_MAX];
static size_t past_count;

static int forget(void **state)
{
    while (past_count > 0)
        carehub__v1__event__free_unpacked(past[--past_count], NULL);
    return hospital_forget(state);
}

static struct adt_result map(const char *text)
{
    struct hl7v2_message *message = hospital_parse(text);
    struct adt_input input = hospital_input(message);
    input.past = (const Carehub__V1__Event *const *)past;
    input.past_count = past_count;
    struct adt_result result = mdm_takes(message) ? mdm_map(&input) : adt_map(&input);
    hl7v2_message_destroy(&message);
    assert_int_equal(result.outcome == ADT_EVENT, result.event != NULL);
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

// As the host keeps it: an amendment in its original's place, under its id; a retraction takes it away.
static void remember(Carehub__V1__Event *event)
{
    const ProtobufCBinaryData *original = event->amends.len > 0 ? &event->amends : &event->retracts;
    for (size_t i = 0; i < past_count && original->len > 0; i++) {
        if (memcmp(past[i]->id.data, original->data, original->len) != 0)
            continue;
        memcpy(event->id.data, original->data, original->len);
        drop(past[i]);
        past[i] = event;
        if (event->retracts.len > 0) {
            drop(event);
            past[i] = past[--past_count];
        }
        return;
    }
    assert_true(past_count < PAST_MAX);
    past[past_count++] = event;
}

static void discharge(void)
{
    remember(event_of(HOSPITAL_MSH("ADT^A03", "D1") HOSPITAL_PID PV1));
}

static const Carehub__V1__HospitalDischarge *discharge_in_force(void)
{
    for (size_t i = 0; i < past_count; i++)
        if (past[i]->body_case == CAREHUB__V1__EVENT__BODY_HOSPITAL_DISCHARGE)
            return past[i]->hospital_discharge;
    fail_msg("no discharge is in force");
    return NULL;
}

// ---- What is taken

static void only_signed_letters_are_told_of(void **state)
{
    static const struct {
        const char *text, *why; // NULL: an event
    } cases[] = {
        {MDM("T02", "1") LETTER("L1") CONTENT, NULL},
        {MDM("T01", "1") TXA("DS", "L1", "", "LA"), NULL},
        {MDM("T01", "1") TXA("DS", "L1", "", ""), NULL},
        {MDM("T02", "1") TXA("DS", "L1", "", "DI"), "document-unfinished"},
        {MDM("T02", "1") TXA("DS", "L1", "", "IP"), "document-unfinished"},
        {MDM("T02", "1") TXA("DS", "L1", "", "IN"), "document-unfinished"},
        {MDM("T02", "1") TXA("DI", "L1", "", "AU"), "document-type"},
        {MDM("T02", "1") TXA("DS", "", "", "AU"), "document-without-number"},
        {MDM("T02", "1"), "document-without-number"},
        {MDM("T11", "1") LETTER("L1"), "nothing-to-correct"},
        {HOSPITAL_MSH("MDM^T02", "1") LETTER("L1"), "unidentified"},
        {HOSPITAL_MSH("MDM^T99", "1") HOSPITAL_PID LETTER("L1"), "unsupported"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct adt_result result = map(cases[i].text);
        if ((cases[i].why == NULL) != (result.event != NULL) ||
            (cases[i].why != NULL && strcmp(result.why, cases[i].why) != 0))
            fail_msg("case %zu: %s", i, result.why);
        if (result.event != NULL)
            drop(result.event);
    }
}

static void which_types_are_letters_is_configured(void **state)
{
    (void)state;
    adt_list_add(&hospital_sender->letter_types, "18842-*");
    assert_string_equal(map(MDM("T02", "1") LETTER("L1")).why, "document-type");
    drop(event_of(MDM("T02", "1") TXA("18842-5", "L1", "", "AU")));
    free(hospital_sender->letter_types.items[0]);
    hospital_sender->letter_types.count = 0;
}

// ---- The reference

static void the_reference_has_the_digest_of_the_content_and_never_the_content(void **state)
{
    (void)state;
    Carehub__V1__Event *event = event_of(MDM("T02", "1") LETTER("L1") CONTENT);
    const Carehub__V1__Reference *reference = event->team_message->attachments[0];
    assert_string_equal(reference->system, "HIS/AZ-TEST");
    assert_string_equal(reference->id, "L1");
    assert_string_equal(reference->media_type, "application/pdf");
    assert_true(reference->size_bytes == CONTENT_BYTES);
    assert_int_equal(reference->sha256.len, 32);
    assert_memory_equal(reference->sha256.data, content_digest, sizeof content_digest);
    uint8_t bytes[4096];
    size_t size = carehub__v1__event__pack(event, bytes);
    assert_null(memmem(bytes, size, "Hello, letter", 13));
    assert_null(memmem(bytes, size, "SGVsbG8", 7));
    drop(event);
}

static void content_is_read_as_it_was_encoded(void **state)
{
    static const struct {
        const char *obx, *media_type;
        uint64_t size;
        bool unreadable;
    } cases[] = {
        {"OBX|1|ED|L||^AP^PDF^Base64^SGVs\\X0D0A\\bG8sIGxldHRlcg==\r", "application/pdf", CONTENT_BYTES, false},
        {"OBX|1|ED|L||^text^html^A^Hello, letter\r", "text/html", CONTENT_BYTES, false},
        {"OBX|1|ED|L||^TEXT^^Hex^48656c6c6f2c206c6574746572\r", "text/plain", CONTENT_BYTES, false},
        {"OBX|1|ED|L||^Application^application/pdf^Base64^SGVsbG8sIGxldHRlcg==\r", "application/pdf", CONTENT_BYTES,
         false},
        {"OBX|1|ED|L||^application^pdf^Base64^?not base64?\r", "application/pdf", 0, true},
        {"OBX|1|ED|L||^application^pdf^Base64^SGVsbG8\r", "application/pdf", 0, true}, // cut off
        {"OBX|1|ED|L||^application^pdf^Base64^\r", "application/pdf", 0, false},
        {"OBX|1|ED|L||^appl<ication^pdf^Base64^SGVsbG8sIGxldHRlcg==\r", "", CONTENT_BYTES, false},
        {"OBX|1|TX|L||Hello, letter\rOBX|2|TX|L||second line\r", "text/plain", 0, false},
        {"OBX|1|RP|L||https://archive/L1^HIS^application^PDF\r", "application/pdf", 0, false},
        {"OBX|1|TX|L||See below\r" CONTENT, "application/pdf", CONTENT_BYTES, false},
        {"", "", 0, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[1024];
        snprintf(text, sizeof text, "%s%s", MDM("T02", "1") LETTER("L1"), cases[i].obx);
        Carehub__V1__Event *event = event_of(text);
        const Carehub__V1__Reference *reference = event->team_message->attachments[0];
        if (strcmp(reference->media_type, cases[i].media_type) != 0 || reference->size_bytes != cases[i].size ||
            reference->sha256.len != (cases[i].size > 0 ? 32 : 0))
            fail_msg("case %zu: '%s', %u bytes", i, reference->media_type, (unsigned)reference->size_bytes);
        assert_int_equal(hospital_has_remark(event, "content-unreadable"), cases[i].unreadable);
        drop(event);
    }
}

static void the_reference_says_who_gave_out_the_number(void **state)
{
    static const struct {
        const char *configured, *number, *system;
    } cases[] = {
        {NULL, "L1^ARCHIVE", "ARCHIVE"},
        {NULL, "L1^A^1.2.3.4^ISO", "urn:oid:1.2.3.4"},
        {NULL, "L1^A^https://a.example^URI", "https://a.example"},
        {"https://documents.example", "L1^A^1.2.3.4^ISO", "https://documents.example"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[1024];
        hospital_sender->document_system = (char *)cases[i].configured;
        snprintf(text, sizeof text, MDM("T01", "1") "TXA|1|DS||||||||||%s|||||AU\r", cases[i].number);
        Carehub__V1__Event *event = event_of(text);
        hospital_sender->document_system = NULL;
        assert_string_equal(event->team_message->attachments[0]->system, cases[i].system);
        drop(event);
    }
}

// ---- With a discharge

static void a_letter_amends_the_discharge_in_force(void **state)
{
    (void)state;
    discharge();
    Carehub__V1__Event *event = event_of(MDM("T02", "1") LETTER("L1") CONTENT);
    assert_int_equal(event->type, CAREHUB__V1__EVENT_TYPE__HOSPITAL_DISCHARGE);
    assert_memory_equal(event->amends.data, past[0]->id.data, 16);
    assert_string_equal(event->hospital_discharge->encounter_id, "V1");
    assert_string_equal(event->hospital_discharge->letter->id, "L1");
    assert_int_equal(event->n_references, 0);
    assert_true(event->occurred_at->unix_ms == past[0]->occurred_at->unix_ms); // of the discharge, not of the letter
    drop(event);
}

static void letters_follow_each_other_in_the_discharge(void **state)
{
    static const struct {
        const char *text;
        const char *letter;        // NULL: none
        const char *references[3]; // oldest first
        const char *why;           // NULL: an amendment
    } steps[] = {
        {MDM("T02", "1") LETTER("L1") CONTENT, "L1", {NULL}, NULL},
        {MDM("T02", "2") LETTER("L1") CONTENT, "L1", {NULL}, "unchanged"},
        {MDM("T03", "3") LETTER("L1"), "L1", {NULL}, "unchanged"},               // a notification brings no content
        {MDM("T02", "4") LETTER("L2"), "L2", {"L1"}, NULL},                      // another letter
        {MDM("T10", "5") TXA("DS", "L3", "L2", "AU"), "L3", {"L1"}, NULL},       // replaces L2
        {MDM("T06", "6") TXA("DS", "L4", "L3", "AU"), "L3", {"L1", "L4"}, NULL}, // an addendum of L3
        {MDM("T08", "7") LETTER("L1"), "L3", {"L4", "L1"}, NULL}, // edited, where it was; content unknown
        {MDM("T11", "8") LETTER("L4"), "L3", {"L1"}, NULL},
        {MDM("T11", "9") LETTER("L4"), "L3", {"L1"}, "nothing-to-correct"},
        {HOSPITAL_MSH("ADT^A08", "10") HOSPITAL_PID "PV1|1|I|WARD^2||||||||||||||||V1\r", "L3", {"L1"}, NULL},
        {MDM("T11", "11") LETTER("L3"), NULL, {"L1"}, NULL},
    };
    (void)state;
    discharge();
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct adt_result result = map(steps[i].text);
        if ((result.event == NULL) != (steps[i].why != NULL) ||
            (result.event == NULL && strcmp(result.why, steps[i].why) != 0))
            fail_msg("step %zu: %s", i, result.why);
        if (result.event != NULL)
            remember(result.event);
        assert_int_equal(past_count, 1);
        const Carehub__V1__HospitalDischarge *body = discharge_in_force();
        const char *letter = body->letter != NULL ? body->letter->id : "";
        if (strcmp(letter, steps[i].letter != NULL ? steps[i].letter : "") != 0)
            fail_msg("step %zu: the letter is '%s'", i, letter);
        size_t count = 0;
        for (; steps[i].references[count] != NULL; count++)
            if (count >= past[0]->n_references ||
                strcmp(past[0]->references[count]->id, steps[i].references[count]) != 0)
                fail_msg("step %zu: reference %zu", i, count);
        assert_int_equal(past[0]->n_references, count);
    }
}

// ---- Without

static void without_a_discharge_the_team_is_told_of_the_letter(void **state)
{
    (void)state;
    Carehub__V1__Event *event = event_of(MDM("T02", "1") LETTER("L1") CONTENT);
    assert_int_equal(event->type, CAREHUB__V1__EVENT_TYPE__TEAM_MESSAGE);
    assert_int_equal(event->team_message->kind, CAREHUB__V1__TEAM_MESSAGE__KIND__REPORT);
    assert_string_equal(event->team_message->thread_id, "az-test:V1");
    assert_string_equal(event->team_message->subject, "Discharge letter");
    assert_string_equal(event->team_message->text, "");
    assert_true(event->occurred_at->unix_ms == INT64_C(1772442900000)); // TXA-6
    remember(event);
    event = event_of(MDM("T10", "2") TXA("DS", "L2", "L1", "AU"));
    assert_int_equal(event->amends.len, 16);
    assert_string_equal(event->team_message->attachments[0]->id, "L2");
    remember(event);
    event = event_of(MDM("T11", "3") LETTER("L2"));
    assert_memory_equal(event->retracts.data, past[0]->id.data, 16);
    assert_int_equal(event->team_message->n_attachments, 0);
    drop(event);
}

static void a_discharge_takes_along_the_letter_that_came_before_it(void **state)
{
    (void)state;
    remember(event_of(MDM("T02", "1") LETTER("L1") CONTENT));
    discharge();
    assert_string_equal(discharge_in_force()->letter->id, "L1");
    struct adt_result result = map(MDM("T02", "2") LETTER("L1") CONTENT);
    assert_string_equal(result.why, "unchanged");
}

static void a_confidential_letter_stays_out_of_the_discharge(void **state)
{
    static const char text[] = MDM("T02", "1") "TXA|1|DS||||||||||L1|||||AU|V\r" CONTENT;
    (void)state;
    discharge();
    Carehub__V1__Event *event = event_of(text);
    assert_int_equal(event->type, CAREHUB__V1__EVENT_TYPE__TEAM_MESSAGE);
    assert_int_equal(event->confidentiality, CAREHUB__V1__CONFIDENTIALITY__RESTRICTED);
    drop(event);
    forget(NULL);
    remember(event_of(text));
    discharge();
    assert_null(discharge_in_force()->letter);
}

static void an_update_of_the_encounter_leaves_letters_to_the_team_alone(void **state)
{
    (void)state;
    remember(event_of(MDM("T02", "1") LETTER("L1")));
    assert_int_equal(map(HOSPITAL_MSH("ADT^A08", "2") HOSPITAL_PID PV1).outcome, ADT_NOTHING_TO_CORRECT);
    assert_int_equal(map(HOSPITAL_MSH("ADT^A13", "3") HOSPITAL_PID PV1).outcome, ADT_NOTHING_TO_CORRECT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, forget, forget)
    const struct CMUnitTest tests[] = {
        TEST(only_signed_letters_are_told_of),
        TEST(which_types_are_letters_is_configured),
        TEST(the_reference_has_the_digest_of_the_content_and_never_the_content),
        TEST(content_is_read_as_it_was_encoded),
        TEST(the_reference_says_who_gave_out_the_number),
        TEST(a_letter_amends_the_discharge_in_force),
        TEST(letters_follow_each_other_in_the_discharge),
        TEST(without_a_discharge_the_team_is_told_of_the_letter),
        TEST(a_discharge_takes_along_the_letter_that_came_before_it),
        TEST(a_confidential_letter_stays_out_of_the_discharge),
        TEST(an_update_of_the_encounter_leaves_letters_to_the_team_alone),
    };
    return cmocka_run_group_tests(tests, hospital_set_up, hospital_tear_down);
}
