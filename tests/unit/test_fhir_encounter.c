// Encounters: a stay from its admission to its discharge and all its corrections, as states, and as messages that say
// outright what happened. Each case is a story: what is sent, step by step, and what comes of each step.
#include "fhir_case.h"

#include <stdio.h>

#include "fhir_time.h"

#define STEPS_MAX 6

// What is expected of a step: "+" a new event, "~" an amendment, "-" a retraction, then its type's initials; several
// are separated by blanks; or why nothing comes of it.
struct step {
    const char *status, *class, *ward, *end, *trigger, *expect;
};

static const char *initials(Carehub__V1__EventType type)
{
    switch (type) {
    case CAREHUB__V1__EVENT_TYPE__HOSPITAL_ADMISSION:
        return "admission";
    case CAREHUB__V1__EVENT_TYPE__HOSPITAL_DISCHARGE:
        return "discharge";
    case CAREHUB__V1__EVENT_TYPE__CARE_TRANSITION:
        return "transition";
    case CAREHUB__V1__EVENT_TYPE__EMERGENCY_VISIT:
        return "emergency";
    default:
        return "?";
    }
}

static void describe(char *out, size_t size)
{
    out[0] = '\0';
    if (result.n_items > 0 && result.items[0].why != NULL)
        snprintf(out, size, "%s", result.items[0].why);
    for (size_t i = 0; i < result.n_events; i++) {
        const Carehub__V1__Event *event = result.events[i];
        size_t used = strlen(out);
        snprintf(out + used, size - used, "%s%c%s", used > 0 ? " " : "",
                 event->amends.len > 0     ? '~'
                 : event->retracts.len > 0 ? '-'
                                           : '+',
                 initials(event->type));
    }
}

// A message of the minute'th minute after noon, 1 March 2026.
static void send_step(const struct step *step, int minute)
{
    char text[4096], end[64] = "", ward[160] = "", trigger[160] = "";
    if (step->end != NULL)
        snprintf(end, sizeof end, ",\"end\":\"%s\"", step->end);
    if (step->ward != NULL)
        snprintf(ward, sizeof ward, ",\"location\":[{\"location\":{\"display\":\"%s\"},\"status\":\"active\"}]",
                 step->ward);
    snprintf(trigger, sizeof trigger, "\"eventCoding\":{\"code\":\"%s\"}",
             step->trigger != NULL ? step->trigger : "hospital-notification-message");
    snprintf(
        text, sizeof text,
        "{\"resourceType\":\"Bundle\",\"type\":\"message\",\"timestamp\":\"2026-03-01T12:%02d:00Z\",\"entry\":["
        "{\"fullUrl\":\"http://x/MessageHeader/1\",\"resource\":{\"resourceType\":\"MessageHeader\",%s,"
        "\"focus\":[{\"reference\":\"Encounter/%d\"}]}},"
        "{\"resource\":{\"resourceType\":\"Encounter\",\"id\":\"%d\",\"status\":\"%s\",\"class\":{\"code\":\"%s\"},"
        "\"episodeOfCare\":[{\"identifier\":{\"system\":\"urn:az\",\"value\":\"E7\"}}]," SUBJECT
        ",\"period\":{\"start\":\"2026-03-01T10:00:00Z\"%s}%s}}]}",
        minute, trigger, minute, minute, step->status, step->class, end, ward);
    if (!send_text(text))
        fail_msg("%s: %s", problems.list[0].expression, problems.list[0].diagnostics);
}

static void each_story_yields_its_events(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct step steps[STEPS_MAX];
    } stories[] = {
        {"a stay",
         {{"in-progress", "IMP", "W1", NULL, NULL, "+admission"},
          {"in-progress", "IMP", "W1", NULL, NULL, "unchanged"},
          {"in-progress", "IMP", "W2", NULL, NULL, "+transition"},
          {"in-progress", "IMP", "W2", NULL, NULL, "unchanged"},
          {"finished", "IMP", "W2", "2026-03-01T12:04:00Z", NULL, "+discharge"},
          {"finished", "IMP", "W2", "2026-03-01T12:05:00Z", NULL, "~discharge"}}},
        {"a discharge that never was",
         {{"in-progress", "IMP", NULL, NULL, NULL, "+admission"},
          {"finished", "IMP", NULL, "2026-03-01T12:01:00Z", NULL, "+discharge"},
          {"in-progress", "IMP", NULL, NULL, NULL, "-discharge"},
          {"in-progress", "IMP", NULL, NULL, NULL, "unchanged"},
          {"finished", "IMP", NULL, "2026-03-01T12:04:00Z", NULL, "+discharge"}}},
        {"a stay of somebody else",
         {{"in-progress", "IMP", NULL, NULL, NULL, "+admission"},
          {"finished", "IMP", NULL, "2026-03-01T12:01:00Z", NULL, "+discharge"},
          {"entered-in-error", "IMP", NULL, NULL, NULL, "-discharge -admission"},
          {"entered-in-error", "IMP", NULL, NULL, NULL, "nothing-to-correct"}}},
        {"leave",
         {{"in-progress", "IMP", "W1", NULL, NULL, "+admission"},
          {"onleave", "IMP", "W1", NULL, NULL, "+transition"},
          {"in-progress", "IMP", "W1", NULL, NULL, "+transition"},
          {"finished", "IMP", "W1", "2026-03-01T12:03:00Z", NULL, "+discharge"}}},
        {"by way of emergency",
         {{"in-progress", "EMER", NULL, NULL, NULL, "+emergency"},
          {"finished", "EMER", NULL, "2026-03-01T12:01:00Z", NULL, "+emergency"},
          {"in-progress", "IMP", NULL, NULL, NULL, "+admission"},
          {"cancelled", "IMP", NULL, NULL, NULL, "-admission"}}},
        {"messages that say it outright",
         {{"in-progress", "IMP", "W1", NULL, "notification-admit", "+admission"},
          {"in-progress", "IMP", "W2", NULL, "notification-transfer", "+transition"},
          {"in-progress", "IMP", "W2", NULL, "notification-discharge", "+discharge"},
          {"in-progress", "IMP", "W2", NULL, "A13", "-discharge"},
          {"in-progress", "IMP", "W2", NULL, "A12", "-transition"},
          {"in-progress", "IMP", "W2", NULL, "A11", "-admission"}}},
        {"a transfer and a discharge of a stay that is not known",
         {{"in-progress", "IMP", "W2", NULL, "notification-transfer", "+transition"},
          {"finished", "IMP", "W2", "2026-03-01T12:01:00Z", NULL, "+discharge"}}},
        {"what is no stay, or not yet",
         {{"planned", "IMP", NULL, NULL, NULL, "planned"},
          {"in-progress", "PRENC", NULL, NULL, NULL, "planned"},
          {"finished", "AMB", NULL, NULL, NULL, "not-a-stay"},
          {"in-progress", "HH", NULL, NULL, NULL, "not-a-stay"},
          {"in-progress", "IMP", NULL, NULL, "cancel-admit-inpatient", "nothing-to-correct"}}},
    };
    for (size_t i = 0; i < sizeof stories / sizeof stories[0]; i++) {
        for (int k = 0; k < STEPS_MAX && stories[i].steps[k].status != NULL; k++) {
            char came[160];
            send_step(&stories[i].steps[k], k);
            describe(came, sizeof came);
            if (strcmp(came, stories[i].steps[k].expect) != 0)
                fail_msg("%s, step %d: expected %s, came %s", stories[i].name, k + 1, stories[i].steps[k].expect, came);
            confirm();
        }
        forget(NULL);
    }
}

static void an_old_message_that_comes_late_undoes_nothing(void **state)
{
    (void)state;
    send_step(&(struct step){"in-progress", "IMP", NULL, NULL, NULL, NULL}, 1);
    confirm();
    send_step(&(struct step){"finished", "IMP", NULL, "2026-03-01T12:05:00Z", NULL, NULL}, 5);
    confirm();
    send_step(&(struct step){"in-progress", "IMP", NULL, NULL, NULL, NULL}, 2);
    assert_string_equal(result.items[0].why, "outdated");
}

static void the_bodies_hold_what_the_encounter_says(void **state)
{
    (void)state;
    const Carehub__V1__HospitalDischarge *b =
        one("{\"resourceType\":\"Encounter\",\"identifier\":[{\"system\":\"urn:az\",\"value\":\"V9\"}],\"status\":"
            "\"finished\",\"class\":{\"code\":\"IMP\"}," SUBJECT
            ",\"period\":{\"start\":\"2026-02-20\",\"end\":\"2026-03-01T11:00:00+01:00\"},"
            "\"contained\":[{\"resourceType\":\"Organization\",\"id\":\"o\",\"name\":\"AZ Test\"},"
            "{\"resourceType\":\"Condition\",\"id\":\"c\",\"code\":{\"coding\":[{\"code\":\"S72.0\"}]}}],"
            "\"serviceProvider\":{\"reference\":\"#o\"},\"diagnosis\":[{\"condition\":{\"reference\":\"#c\"}}],"
            "\"location\":[{\"location\":{\"display\":\"Geriatrie\"},\"physicalType\":{\"coding\":[{\"code\":\"wa\"}]}}"
            ","
            "{\"location\":{\"display\":\"12\"},\"physicalType\":{\"coding\":[{\"code\":\"ro\"}]}}],"
            "\"participant\":[{\"individual\":{\"display\":\"dr. A\"}},{\"type\":[{\"coding\":[{\"system\":"
            "\"http://terminology.hl7.org/CodeSystem/v3-ParticipationType\",\"code\":\"ATND\"}]}],\"individual\":"
            "{\"display\":\"dr. B\"}}],\"hospitalization\":{\"dischargeDisposition\":{\"coding\":[{\"system\":"
            "\"http://terminology.hl7.org/CodeSystem/discharge-disposition\",\"code\":\"home\"}]},"
            "\"destination\":{\"display\":\"thuis\"}}}")
            ->hospital_discharge;
    assert_string_equal(b->encounter_id, "V9");
    assert_string_equal(b->hospital->name, "AZ Test");
    assert_int_equal(b->admitted_at->precision, CAREHUB__V1__PRECISION__PRECISION_DAY);
    assert_int_equal(b->discharged_at->offset_minutes, 60);
    assert_int_equal(b->discharged_at_origin, CAREHUB__V1__TIME_ORIGIN__STATED);
    assert_string_equal(b->location->ward, "Geriatrie");
    assert_string_equal(b->location->room, "12");
    assert_string_equal(b->attending->name, "dr. B");
    assert_string_equal(b->diagnoses[0]->code, "S72.0");
    assert_string_equal(b->disposition->code, "home");
    assert_string_equal(b->destination->display, "thuis");
    assert_string_equal(result.events[0]->correlation_id, "zorg:Encounter|urn:az|V9");
}

static void times_are_read_and_written_as_precise_as_they_are(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
        const char *again;
    } good[] = {
        {"2026", INT64_C(1767225600000), "2026"},
        {"2026-03", INT64_C(1772323200000), "2026-03"},
        {"2024-02-29", INT64_C(1709164800000), "2024-02-29"},
        {"1969-12-31T23:59:59.250Z", -750, "1969-12-31T23:59:59.250+00:00"},
        {"2026-03-01T00:30:00+01:00", INT64_C(1772321400000), "2026-03-01T00:30:00+01:00"},
        {"2026-02-28T21:30:00.1234-02:00", INT64_C(1772321400123), "2026-02-28T21:30:00.123-02:00"},
        {"2016-12-31T23:59:60Z", INT64_C(1483228799000), "2016-12-31T23:59:59+00:00"},
    };
    static const char *const bad[] = {"",
                                      "26",
                                      "2026-13",
                                      "2026-02-30",
                                      "2026-03-01T10:00Z",
                                      "2026-03-01T10:00:00",
                                      "2026-03-01T25:00:00Z",
                                      "2026-3-1",
                                      "2026-03-01T10:00:00+15:00",
                                      "2026-03-01T10:00:00.Z",
                                      "0000",
                                      "2026-03-01T10:00:00Zx"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct fhir_time time;
        char text[FHIR_TIME_CHARS];
        assert_true(fhir_time_parse(good[i].text, &time));
        assert_int_equal(time.unix_ms, good[i].ms);
        Carehub__V1__Time event = CAREHUB__V1__TIME__INIT;
        event.unix_ms = time.unix_ms;
        event.offset_minutes = time.offset_minutes;
        event.precision = time.precision;
        fhir_time_format(&event, text);
        assert_string_equal(text, good[i].again);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (fhir_time_parse(bad[i], &(struct fhir_time){0}))
            fail_msg("%s is read as a time", bad[i]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, reset, forget)
    const struct CMUnitTest tests[] = {
        TEST(each_story_yields_its_events),
        TEST(an_old_message_that_comes_late_undoes_nothing),
        TEST(the_bodies_hold_what_the_encounter_says),
        TEST(times_are_read_and_written_as_precise_as_they_are),
    };
    return cmocka_run_group_tests_name("fhir_encounter", tests, NULL, NULL);
}
