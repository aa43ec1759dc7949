/* Golden output of trace, explain and tail, from answers made here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "story.h"

#include <cmocka.h> /* last: it has a macro fail() */

#define STEP(name) CAREHUB__V1__TRACE_LINE__STEP__##name
#define REASON(name) CAREHUB__V1__REASON__##name
#define OUTCOME(name) CAREHUB__V1__OUTCOME__##name

static const struct style plain = {.colour = false, .utf8 = false};

static const int64_t start_ms = 1772398800123; /* 2026-03-01 21:00:00.123 UTC */

static uint8_t event_id[16] = {0x01, 0xa2, 0x00, 0x90, 0xc7, 0x21, 0x76, 0x98,
                               0xbd, 0x44, 0xcb, 0xc3, 0xa7, 0x2b, 0x81, 0x41};

static Carehub__V1__TraceLine line(Carehub__V1__TraceLine__Step step, int64_t after_ms, char *actor)
{
    Carehub__V1__TraceLine l = CAREHUB__V1__TRACE_LINE__INIT;
    l.step = step;
    l.at_ms = start_ms + after_ms;
    l.place = 1042;
    l.event_id = (ProtobufCBinaryData){sizeof event_id, event_id};
    l.type = CAREHUB__V1__EVENT_TYPE__HOSPITAL_DISCHARGE;
    l.patient = 7;
    l.actor = actor;
    return l;
}

static Carehub__V1__TraceLine decided(char *actor, char *role, Carehub__V1__Outcome outcome, Carehub__V1__Reason reason,
                                      Carehub__V1__Level level)
{
    Carehub__V1__TraceLine l = line(STEP(DECIDED), 1, actor);
    l.role = role;
    l.outcome = outcome;
    l.reason = reason;
    l.level = level;
    return l;
}

static Carehub__V1__TraceLine delivery(Carehub__V1__TraceLine__Step step, int64_t after_ms, char *actor)
{
    Carehub__V1__TraceLine l = line(step, after_ms, actor);
    l.inbox = actor;
    l.lane = CAREHUB__V1__LANE__LANE_IMMEDIATE;
    l.number = 12;
    return l;
}

static char *rendered_trace(const Carehub__V1__TraceLine *const *lines, size_t n, struct style style)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    Carehub__V1__TraceAnswer trace = CAREHUB__V1__TRACE_ANSWER__INIT;
    trace.n_lines = n;
    trace.lines = (Carehub__V1__TraceLine **)lines;
    story_trace(&trace, out, style);
    fclose(out);
    return text;
}

static void trace_shows_the_whole_way_in_the_order_of_time(void **state)
{
    (void)state;
    Carehub__V1__TraceLine received = line(STEP(RECEIVED), 0, ""), confirmed = line(STEP(CONFIRMED), 3, "");
    received.client = "hospital-adapter";
    received.publisher = "az-demo";
    Carehub__V1__TraceLine gp =
        decided("dr-janssens", "gp", OUTCOME(DELIVER), REASON(MEMBER_WITH_CONSENT), CAREHUB__V1__LEVEL__LEVEL_CLINICAL);
    Carehub__V1__TraceLine nurse = decided("wit-gele-zorg", "home-nurse", OUTCOME(DELIVER), REASON(MEMBER_WITH_CONSENT),
                                           CAREHUB__V1__LEVEL__LEVEL_CLINICAL);
    Carehub__V1__TraceLine insurer =
        decided("ziekenfonds-demo", "insurer", OUTCOME(WITHHOLD), REASON(CELL_NONE), CAREHUB__V1__LEVEL__LEVEL_NONE);
    Carehub__V1__TraceLine sent = delivery(STEP(SENT), 4, "dr-janssens");
    Carehub__V1__TraceLine stored = delivery(STEP(ACKNOWLEDGED_STORED), 1500, "dr-janssens");
    Carehub__V1__TraceLine queued = delivery(STEP(QUEUED), 9000, "wit-gele-zorg");
    const Carehub__V1__TraceLine *const lines[] = {&queued,  &received,  &gp,     &nurse,
                                                   &insurer, &confirmed, &stored, &sent};
    char *text = rendered_trace(lines, 8, plain);
    assert_string_equal(
        text, "HospitalDischarge of P7 (#1042): 2 told, 1 acknowledged, 1 not yet; 1 not told\n"
              "  01a20090-c721-7698-bd44-cbc3a72b8141, 2026-03-01\n"
              "\n"
              "21:00:00.123         +0 ms  - received   az-demo                       from hospital-adapter\n"
              "21:00:00.124         +1 ms  + told       dr-janssens       gp          clinical: member of the care "
              "team, "
              "with the person's consent\n"
              "21:00:00.124         +1 ms  + told       wit-gele-zorg     home-nurse  clinical: member of the care "
              "team, "
              "with the person's consent\n"
              "21:00:00.124         +1 ms  x not told   ziekenfonds-demo  insurer     the access matrix gives this "
              "role "
              "nothing of this type\n"
              "21:00:00.126         +3 ms  - confirmed                                safe in the log at #1042\n"
              "21:00:00.127         +4 ms  - sent       dr-janssens                   immediate 12 in dr-janssens\n"
              "21:00:01.623     +1,500 ms  + stored     dr-janssens                   immediate 12 in dr-janssens\n"
              "now                         ~ queued     wit-gele-zorg                 immediate 12 in "
              "wit-gele-zorg\n");
    free(text);
}

static void trace_of_what_was_not_kept_names_nobody(void **state)
{
    (void)state;
    Carehub__V1__TraceLine not_kept = line(STEP(NOT_KEPT_STEP), 0, "");
    not_kept.patient = 0;
    not_kept.type = CAREHUB__V1__EVENT_TYPE__EVENT_TYPE_UNSPECIFIED;
    const Carehub__V1__TraceLine *const lines[] = {&not_kept};
    char *text = rendered_trace(lines, 1, plain);
    assert_string_equal(text, "event (#1042): not kept, nobody was told\n"
                              "  01a20090-c721-7698-bd44-cbc3a72b8141, 2026-03-01\n"
                              "\n"
                              "21:00:00.123         +0 ms  x not kept\n");
    free(text);
}

static void trace_of_nothing_says_so(void **state)
{
    (void)state;
    char *text = rendered_trace(NULL, 0, plain);
    assert_string_equal(text, "The log has nothing of this event.\n");
    free(text);
}

static void marks_and_colours_only_where_the_terminal_has_them(void **state)
{
    (void)state;
    Carehub__V1__TraceLine gp =
        decided("dr-janssens", "gp", OUTCOME(DELIVER), REASON(MEMBER_WITH_CONSENT), CAREHUB__V1__LEVEL__LEVEL_CARE);
    const Carehub__V1__TraceLine *const lines[] = {&gp};
    char *text = rendered_trace(lines, 1, (struct style){.colour = true, .utf8 = true});
    assert_non_null(strstr(text, "\033[32m\u2713 told\033[0m"));
    free(text);
    text = rendered_trace(lines, 1, plain);
    assert_null(strchr(text, '\033'));
    for (const char *c = text; *c; c++)
        assert_true((unsigned char)*c < 0x80);
    free(text);
}

static char *rendered_explanation(const Carehub__V1__ExplainAnswer *answer, uint64_t at_place)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    story_explain(answer, at_place, out, plain);
    fclose(out);
    return text;
}

static Carehub__V1__Rule rule(Carehub__V1__Reason code, bool passed, bool deciding, char *finding, char *role)
{
    Carehub__V1__Rule r = CAREHUB__V1__RULE__INIT;
    r.code = code;
    r.passed = passed;
    r.decided = deciding;
    r.finding = finding;
    r.role = role;
    return r;
}

static Carehub__V1__ExplainAnswer explanation(char *actor, bool candidate)
{
    Carehub__V1__ExplainAnswer e = CAREHUB__V1__EXPLAIN_ANSWER__INIT;
    e.place = 1042;
    e.type = CAREHUB__V1__EVENT_TYPE__HOSPITAL_DISCHARGE;
    e.patient = 7;
    e.actor = actor;
    e.candidate = candidate;
    return e;
}

static void explanation_begins_with_the_conclusion_and_marks_what_decided(void **state)
{
    (void)state;
    Carehub__V1__Decision decision = CAREHUB__V1__DECISION__INIT;
    decision.outcome = OUTCOME(WITHHOLD);
    decision.reason = REASON(NO_CONSENT);
    Carehub__V1__Rule known = rule(REASON(UNKNOWN_ACTOR), true, false, "registered and active", "");
    Carehub__V1__Rule member = rule(REASON(NO_RELATION), true, false, "member since #33", "pharmacist");
    Carehub__V1__Rule consent = rule(REASON(NO_CONSENT), false, true, "no consent in force", "pharmacist");
    Carehub__V1__Rule *rules[] = {&known, &member, &consent};
    Carehub__V1__ExplainAnswer e = explanation("apotheek-peeters", true);
    e.recorded = &decision;
    e.recomputed = &decision;
    e.rules = rules;
    e.n_rules = 3;
    char *text = rendered_explanation(&e, 0);
    assert_string_equal(text,
                        "apotheek-peeters was not told: the person has no consent for continuity of care in force "
                        "that covers this\n"
                        "  HospitalDischarge (#1042) of P7.\n"
                        "\n"
                        "Rules, in the order in which they were looked at:\n"
                        "  +  registered and active              UNKNOWN_ACTOR\n"
                        "  +  member since #33       pharmacist  NO_RELATION\n"
                        "  x  no consent in force    pharmacist  <- this decided: NO_CONSENT\n");
    free(text);
}

static void explanation_of_a_delivery_says_as_what_and_what_became_of_it(void **state)
{
    (void)state;
    Carehub__V1__Decision decision = CAREHUB__V1__DECISION__INIT;
    decision.outcome = OUTCOME(DELIVER);
    decision.reason = REASON(MEMBER_WITH_CONSENT);
    decision.role = "gp";
    decision.level = CAREHUB__V1__LEVEL__LEVEL_CLINICAL;
    Carehub__V1__TraceLine stored = delivery(STEP(ACKNOWLEDGED_STORED), 5, "dr-janssens");
    Carehub__V1__TraceLine *lines[] = {&stored};
    Carehub__V1__ExplainAnswer e = explanation("dr-janssens", true);
    e.recorded = &decision;
    e.lines = lines;
    e.n_lines = 1;
    char *text = rendered_explanation(&e, 0);
    assert_string_equal(text, "dr-janssens was told: member of the care team, with the person's consent\n"
                              "  HospitalDischarge (#1042) of P7, as gp, clinical.\n"
                              "\n"
                              "What became of it:\n"
                              "  21:00:00.128  + stored  immediate 12 in dr-janssens\n");
    free(text);
}

static void explanation_of_another_place_is_conditional(void **state)
{
    (void)state;
    Carehub__V1__Decision then = CAREHUB__V1__DECISION__INIT, now = CAREHUB__V1__DECISION__INIT;
    then.outcome = OUTCOME(DELIVER);
    then.reason = REASON(MEMBER_WITH_CONSENT);
    now.outcome = OUTCOME(WITHHOLD);
    now.reason = REASON(NO_RELATION);
    Carehub__V1__ExplainAnswer e = explanation("apotheek-claes", false);
    e.recorded = &then;
    e.recomputed = &now;
    char *text = rendered_explanation(&e, 2000);
    assert_string_equal(text, "apotheek-claes would not be told as of #2000: neither in the person's care team nor "
                              "holder of a grant\n"
                              "  HospitalDischarge (#1042) of P7; never a candidate: neither in the care team nor "
                              "with a grant.\n");
    free(text);
}

static void explanation_of_what_was_not_kept_says_that_nothing_is_left(void **state)
{
    (void)state;
    Carehub__V1__ExplainAnswer e = explanation("dr-janssens", false);
    e.not_kept = true;
    char *text = rendered_explanation(&e, 0);
    assert_string_equal(text, "dr-janssens was not told: the person had not consented, so the event was not kept\n"
                              "  #1042 holds no more than its id. A later consent does not bring it back: the source "
                              "sends a new event.\n");
    free(text);
}

static void withdrawn_delivery_says_which_rule_denies_now(void **state)
{
    (void)state;
    Carehub__V1__TraceLine end = delivery(STEP(END), 7, "dr-janssens");
    end.reason = REASON(END_WITHDRAWN);
    end.why = REASON(NO_CONSENT);
    const Carehub__V1__TraceLine *const lines[] = {&end};
    char *text = rendered_trace(lines, 1, plain);
    assert_non_null(strstr(text,
                           "x ended  dr-janssens    withdrawn before it was handed over: the entitlement had gone "
                           "(the person has no consent for continuity of care in force that covers this)\n"));
    free(text);
}

static void explanation_that_disagrees_with_the_log_is_loud(void **state)
{
    (void)state;
    Carehub__V1__Decision recorded = CAREHUB__V1__DECISION__INIT, recomputed = CAREHUB__V1__DECISION__INIT;
    recorded.outcome = OUTCOME(WITHHOLD);
    recorded.reason = REASON(NO_CONSENT);
    recomputed.outcome = OUTCOME(DELIVER);
    recomputed.reason = REASON(MEMBER_WITH_CONSENT);
    Carehub__V1__ExplainAnswer e = explanation("dr-janssens", true);
    e.recorded = &recorded;
    e.recomputed = &recomputed;
    char *text = rendered_explanation(&e, 0);
    assert_non_null(strstr(text, "dr-janssens was not told"));
    assert_non_null(strstr(text, "disagree: recorded NO_CONSENT, recomputed MEMBER_WITH_CONSENT"));
    free(text);
}

static void tail_is_one_aligned_line_for_each_decision(void **state)
{
    (void)state;
    Carehub__V1__TraceLine told =
        decided("dr-janssens", "gp", OUTCOME(DELIVER), REASON(MEMBER_WITH_CONSENT), CAREHUB__V1__LEVEL__LEVEL_CLINICAL);
    Carehub__V1__TraceLine held =
        decided("wit-gele-zorg", "home-nurse", OUTCOME(HOLD), REASON(ACTOR_SUSPENDED), CAREHUB__V1__LEVEL__LEVEL_NONE);
    held.type = CAREHUB__V1__EVENT_TYPE__FALL_REPORTED;
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    story_line(&told, out, plain);
    story_line(&held, out, plain);
    fclose(out);
    assert_string_equal(text,
                        "21:00:00.124  #1042      HospitalDischarge   P7      + told        dr-janssens           "
                        "clinical: member of the care team, with the person's consent\n"
                        "21:00:00.124  #1042      FallReported        P7      ~ held        wit-gele-zorg         "
                        "the actor is suspended; waits until that is over, or the deadline\n");
    free(text);
}

int main(void)
{
    setenv("TZ", "UTC", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trace_shows_the_whole_way_in_the_order_of_time),
        cmocka_unit_test(trace_of_what_was_not_kept_names_nobody),
        cmocka_unit_test(trace_of_nothing_says_so),
        cmocka_unit_test(marks_and_colours_only_where_the_terminal_has_them),
        cmocka_unit_test(explanation_begins_with_the_conclusion_and_marks_what_decided),
        cmocka_unit_test(explanation_of_a_delivery_says_as_what_and_what_became_of_it),
        cmocka_unit_test(explanation_of_another_place_is_conditional),
        cmocka_unit_test(explanation_of_what_was_not_kept_says_that_nothing_is_left),
        cmocka_unit_test(withdrawn_delivery_says_which_rule_denies_now),
        cmocka_unit_test(explanation_that_disagrees_with_the_log_is_loud),
        cmocka_unit_test(tail_is_one_aligned_line_for_each_decision),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
