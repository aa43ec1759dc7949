/* Golden output of trace, explain and tail, from answers made here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalogue.h"
#include "story.h"
#include "texts.h"

#include <cmocka.h> /* last: it has a macro fail() */

#define STEP(name) CAREHUB__V1__TRACE_LINE__STEP__##name
#define REASON(name) CAREHUB__V1__REASON__##name
#define OUTCOME(name) CAREHUB__V1__OUTCOME__##name
#define FOUND(name) CAREHUB__V1__FINDING__FOUND_##name

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
        text,
        "discharge from hospital of P7 (#1042): 2 told, 1 acknowledged, 1 not yet; 1 not told\n"
        "  01a20090-c721-7698-bd44-cbc3a72b8141, 2026-03-01\n"
        "\n"
        "21:00:00.123         +0 ms  - received   az-demo                                  from hospital-adapter\n"
        "21:00:00.124         +1 ms  + told       dr-janssens       GP                     medical data: member of the "
        "care team, and the patient has consented\n"
        "21:00:00.124         +1 ms  + told       wit-gele-zorg     home nurse             medical data: member of the "
        "care team, and the patient has consented\n"
        "21:00:00.124         +1 ms  x not told   ziekenfonds-demo  health insurance fund  the rules give this role "
        "nothing of this kind of event\n"
        "21:00:00.126         +3 ms  - confirmed                                           safe in the log at #1042\n"
        "21:00:00.127         +4 ms  - sent       dr-janssens                              immediate 12 in "
        "dr-janssens\n"
        "21:00:01.623     +1,500 ms  + stored     dr-janssens                              immediate 12 in "
        "dr-janssens\n"
        "now                         ~ queued     wit-gele-zorg                            immediate 12 in "
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

/* What was held and is settled does not go on counting as held; and the operator's reason is there. */
static void trace_of_what_an_operator_refused_says_why(void **state)
{
    (void)state;
    Carehub__V1__TraceLine held =
        decided("dr-janssens", "gp", OUTCOME(HOLD), REASON(ACTOR_SUSPENDED), CAREHUB__V1__LEVEL__LEVEL_NONE);
    Carehub__V1__TraceLine refused =
        decided("dr-janssens", "", OUTCOME(WITHHOLD), REASON(END_REFUSED_BY_OPERATOR), CAREHUB__V1__LEVEL__LEVEL_NONE);
    refused.settled_for = "told by telephone";
    const Carehub__V1__TraceLine *const lines[] = {&held, &refused};
    char *text = rendered_trace(lines, 2, plain);
    assert_non_null(strstr(text, "(#1042): 0 told; 1 not told\n"));
    assert_non_null(strstr(text, "an operator has refused it (told by telephone)\n"));
    free(text);
}

static void trace_of_what_a_carer_entered_says_who_verified_it(void **state)
{
    (void)state;
    Carehub__V1__TraceLine received = line(STEP(RECEIVED), 0, ""),
                           verified = line(STEP(VERIFIED_STEP), 60, "dr-janssens");
    Carehub__V1__TraceLine again = decided("wit-gele-zorg", "home-nurse", OUTCOME(DELIVER), REASON(MEMBER_WITH_CONSENT),
                                           CAREHUB__V1__LEVEL__LEVEL_CARE);
    received.client = "carer-app";
    received.unverified = true;
    again.cause = CAREHUB__V1__CAUSE__VERIFIED;
    verified.because = again.because = 1050;
    const Carehub__V1__TraceLine *const lines[] = {&received, &verified, &again};
    char *text = rendered_trace(lines, 3, plain);
    assert_non_null(strstr(text, "from carer-app; entered by the person or an informal carer, unverified\n"));
    assert_non_null(strstr(text, "+ verified  dr-janssens "));
    assert_non_null(strstr(text, " recorded at #1050\n"));
    assert_non_null(strstr(text, "again, since a professional has verified it (#1050): care data: "));
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

static char *rendered_explanation(const Carehub__V1__ExplainAnswer *answer, const char *language)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    struct style style = plain;
    style.texts = texts_of(language);
    story_explain(answer, out, style);
    fclose(out);
    return text;
}

static Carehub__V1__Rule rule(Carehub__V1__Reason code, bool passed, Carehub__V1__Finding found,
                              Carehub__V1__FindingParts *parts)
{
    Carehub__V1__Rule r = CAREHUB__V1__RULE__INIT;
    r.code = code;
    r.passed = passed;
    r.decided = !passed;
    r.finding = "in the hub's own words";
    r.found = found;
    r.parts = parts;
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
    e.event_ms = start_ms;
    return e;
}

/* A pharmacy that has been in the team since a week ago, recorded today, without consent. */
static char *explained_without_consent(const char *language)
{
    Carehub__V1__Decision decision = CAREHUB__V1__DECISION__INIT;
    decision.outcome = OUTCOME(WITHHOLD);
    decision.reason = REASON(NO_CONSENT);
    Carehub__V1__FindingParts none = CAREHUB__V1__FINDING_PARTS__INIT, parts = none;
    parts.place = 33;
    parts.role = "pharmacist";
    parts.type = CAREHUB__V1__EVENT_TYPE__HOSPITAL_DISCHARGE;
    parts.from_ms = start_ms - 7LL * 86400000;
    parts.recorded_ms = start_ms;
    Carehub__V1__Rule known = rule(REASON(UNKNOWN_ACTOR), true, FOUND(REGISTERED), &none);
    Carehub__V1__Rule member = rule(REASON(NO_RELATION), true, FOUND(MEMBER), &parts);
    Carehub__V1__Rule newer = rule(REASON(NO_RELATION), true, (Carehub__V1__Finding)999, &none);
    Carehub__V1__Rule consent = rule(REASON(NO_CONSENT), false, FOUND(NO_CONSENT), &none);
    Carehub__V1__Rule *rules[] = {&known, &member, &newer, &consent};
    Carehub__V1__ExplainAnswer e = explanation("apotheek-peeters", true);
    e.display = "Apotheek Peeters";
    e.recorded = &decision;
    e.recomputed = &decision;
    e.rules = rules;
    e.n_rules = 4;
    return rendered_explanation(&e, language);
}

static void explanation_begins_with_the_conclusion_and_marks_what_decided(void **state)
{
    (void)state;
    char *text = explained_without_consent("en");
    assert_string_equal(
        text, "Apotheek Peeters was not told of this event (\"discharge from hospital\"): the patient has given no "
              "consent for continuity of care that covers this.\n"
              "  Event #1042 of 1 March 2026, 21:00, about patient P7.\n"
              "\n"
              "What was looked at, in this order:\n"
              "  +  Registration   Apotheek Peeters is registered.\n"
              "  +  Care relation  Member of the care team (pharmacist) since 22 February 2026, 21:00. Recorded on 1 "
              "March 2026, 21:00; it did not count before that.\n"
              "  +  Care relation  in the hub's own words\n"
              "  x  Consent        There is no consent for continuity of care in force. <- this decided (NO_CONSENT)\n"
              "\n"
              "What can be done:\n"
              "  If the patient agrees that this is shared, the consent can be recorded. It counts from then on; it "
              "does not bring this event back.\n");
    free(text);
}

static void explanation_is_in_the_readers_language(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"nl", "Apotheek Peeters kreeg deze melding (\"ontslag uit het ziekenhuis\") niet: de patiënt heeft geen "
               "toestemming voor de continuïteit van de zorg gegeven die dit dekt.\n"
               "  Melding #1042 van 1 maart 2026 om 21.00 uur, over patiënt P7.\n"
               "\n"
               "Wat er bekeken is, in deze volgorde:\n"
               "  +  Registratie  Apotheek Peeters is geregistreerd.\n"
               "  +  Zorgrelatie  Lid van het zorgteam (apotheker) sinds 22 februari 2026 om 21.00 uur. Vastgelegd op "
               "1 maart 2026 om 21.00 uur; voordien telde het niet.\n"
               "  +  Zorgrelatie  in the hub's own words\n"
               "  x  Toestemming  Er is geen geldige toestemming voor de continuïteit van de zorg. <- dit besliste "
               "(NO_CONSENT)\n"
               "\n"
               "Wat er kan gebeuren:\n"
               "  Als de patiënt ermee akkoord gaat dat dit gedeeld wordt, kan de toestemming vastgelegd worden. Ze "
               "telt vanaf dan, en brengt deze melding niet terug.\n"},
        {"fr", "Apotheek Peeters n'a pas reçu cette information (« sortie de l'hôpital ») : la personne n'a pas donné, "
               "pour la continuité des soins, de consentement qui couvre ceci.\n"
               "  Information #1042 du 1er mars 2026 à 21 h 00, concernant le patient P7.\n"
               "\n"
               "Ce qui a été examiné, dans cet ordre :\n"
               "  +  Enregistrement        Apotheek Peeters est enregistré.\n"
               "  +  Relation de soins     Membre de l'équipe de soins (pharmacien) depuis le 22 février 2026 à 21 h "
               "00. Enregistré le 1er mars 2026 à 21 h 00 ; cela ne comptait pas avant.\n"
               "  +  Relation de soins     in the hub's own words\n"
               "  x  Consentement éclairé  Il n'y a pas de consentement en vigueur pour la continuité des soins. <- "
               "c'est ce qui a décidé (NO_CONSENT)\n"
               "\n"
               "Ce que l'on peut faire :\n"
               "  Si la personne accepte ce partage, son consentement peut être enregistré. Il vaut à partir de ce "
               "moment et ne fait pas revenir cette information.\n"},
        {"de", "Apotheek Peeters hat diese Meldung („Entlassung aus dem Krankenhaus“) nicht erhalten: die Person hat "
               "keine Einwilligung für die Kontinuität der Versorgung gegeben, die dies abdeckt.\n"
               "  Meldung #1042 vom 1. März 2026, 21:00 Uhr, über Patient P7.\n"
               "\n"
               "Was geprüft wurde, in dieser Reihenfolge:\n"
               "  +  Registrierung         Apotheek Peeters ist registriert.\n"
               "  +  Behandlungsbeziehung  Mitglied des Betreuungsteams (Apotheke) seit dem 22. Februar 2026, 21:00 "
               "Uhr. Eingetragen am 1. März 2026, 21:00 Uhr; davor galt es nicht.\n"
               "  +  Behandlungsbeziehung  in the hub's own words\n"
               "  x  Einwilligung          Es gibt keine gültige Einwilligung für die Kontinuität der Versorgung. <- "
               "das hat entschieden (NO_CONSENT)\n"
               "\n"
               "Was man tun kann:\n"
               "  Wenn die Person dem Teilen zustimmt, kann die Einwilligung eingetragen werden. Sie gilt ab dann und "
               "bringt diese Meldung nicht zurück.\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = explained_without_consent(cases[i][0]);
        assert_string_equal(text, cases[i][1]);
        free(text);
    }
}

static Carehub__V1__ExplainAnswer delivered(Carehub__V1__Decision *decision, Carehub__V1__TraceLine **line)
{
    *decision = (Carehub__V1__Decision)CAREHUB__V1__DECISION__INIT;
    decision->outcome = OUTCOME(DELIVER);
    decision->reason = REASON(MEMBER_WITH_CONSENT);
    decision->role = "gp";
    decision->level = CAREHUB__V1__LEVEL__LEVEL_CLINICAL;
    Carehub__V1__ExplainAnswer e = explanation("dr-janssens", true);
    e.recorded = decision;
    e.lines = line;
    e.n_lines = 1;
    return e;
}

static void explanation_of_a_delivery_says_as_what_and_what_became_of_it(void **state)
{
    (void)state;
    Carehub__V1__TraceLine stored = delivery(STEP(ACKNOWLEDGED_STORED), 5, "dr-janssens"), *lines = &stored;
    Carehub__V1__Decision decision;
    Carehub__V1__ExplainAnswer e = delivered(&decision, &lines);
    char *text = rendered_explanation(&e, "en");
    assert_string_equal(
        text, "dr-janssens was told of this event (\"discharge from hospital\"): member of the care team, and "
              "the patient has consented.\n"
              "  Event #1042 of 1 March 2026, 21:00, about patient P7. Role: GP. What is shared: medical data (also "
              "diagnoses, "
              "medicines and measurements).\n"
              "\n"
              "What became of it:\n"
              "  1 March 2026, 21:00  + stored  immediate 12 in dr-janssens\n");
    free(text);
}

static void explanation_says_whether_a_professional_stands_for_it(void **state)
{
    (void)state;
    Carehub__V1__TraceLine stored = delivery(STEP(ACKNOWLEDGED_STORED), 5, "dr-janssens"), *lines = &stored;
    Carehub__V1__Decision decision;
    Carehub__V1__ExplainAnswer e = delivered(&decision, &lines);
    e.unverified = true;
    static const char *const cases[][3] = {
        {"en", "no professional has verified it yet.\n", "verified by wit-gele-zorg on 1 March 2026, 21:00.\n"},
        {"nl", "nog door geen professional bevestigd.\n", "bevestigd door wit-gele-zorg op 1 maart 2026"},
        {"fr", "aucun professionnel ne l'a encore vérifiée.\n", "vérifiée par wit-gele-zorg le 1er mars 2026"},
        {"de", "noch von keiner Fachperson bestätigt.\n", "bestätigt von wit-gele-zorg am 1. März 2026"},
    };
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        e.verified_by = i % 2 ? "wit-gele-zorg" : "";
        e.verified_ms = start_ms;
        char *text = rendered_explanation(&e, cases[i / 2][0]);
        if (!strstr(text, cases[i / 2][1 + i % 2]))
            fail_msg("%s", text);
        free(text);
    }
}

/* Decided is not delivered: the first sentence says how far it has come. */
static void explanation_says_how_far_a_delivery_has_come(void **state)
{
    (void)state;
    static const struct {
        Carehub__V1__TraceLine__Step step;
        Carehub__V1__Reason reason, why;
        const char *text;
    } cases[] = {
        {STEP(SENT), 0, 0, "was told of this event"},
        {STEP(QUEUED), 0, 0, "has not fetched it yet"},
        {STEP(WAITING_RETRY), 0, 0, "has not fetched it yet"},
        {STEP(QUEUED), 0, REASON(EXCLUDED_BY_PERSON), "was not handed over: the patient has decided"},
        {STEP(END), REASON(END_WITHDRAWN), REASON(NO_CONSENT), "was not handed over: withdrawn before"},
        {STEP(END), REASON(END_DEAD_RETRIES), 0, "What can be done:\n  Have the cause mended"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Carehub__V1__TraceLine step = delivery(cases[i].step, 5, "dr-janssens"), *lines = &step;
        Carehub__V1__Decision decision;
        step.reason = cases[i].reason;
        step.why = cases[i].why;
        Carehub__V1__ExplainAnswer e = delivered(&decision, &lines);
        char *text = rendered_explanation(&e, "en");
        if (!strstr(text, cases[i].text))
            fail_msg("case %zu: %s", i, text);
        free(text);
    }
}

static void explanation_of_what_was_released_goes_by_the_release(void **state)
{
    (void)state;
    Carehub__V1__Decision held = CAREHUB__V1__DECISION__INIT;
    held.outcome = OUTCOME(HOLD);
    held.reason = REASON(ACTOR_SUSPENDED);
    Carehub__V1__TraceLine first = decided("dr-janssens", "gp", OUTCOME(HOLD), REASON(ACTOR_SUSPENDED), 0);
    Carehub__V1__TraceLine then =
        decided("dr-janssens", "gp", OUTCOME(DELIVER), REASON(MEMBER_WITH_CONSENT), CAREHUB__V1__LEVEL__LEVEL_CARE);
    Carehub__V1__TraceLine *lines[] = {&first, &then};
    Carehub__V1__ExplainAnswer e = explanation("dr-janssens", true);
    e.recorded = &held;
    e.lines = lines;
    e.n_lines = 1;
    char *text = rendered_explanation(&e, "en");
    assert_non_null(strstr(text, "it is held back: is suspended"));
    assert_non_null(strstr(text, "Once the suspension of dr-janssens has ended"));
    free(text);
    e.n_lines = 2;
    text = rendered_explanation(&e, "en");
    assert_non_null(strstr(text, "dr-janssens was told of this event"));
    assert_non_null(strstr(text, "+ told  care data: member of the care team"));
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
    e.at_place = 2000;
    e.at_ms = start_ms;
    char *text = rendered_explanation(&e, "en");
    assert_string_equal(text, "As of #2000 (1 March 2026, 21:00) apotheek-claes would not be told of this event "
                              "(\"discharge from hospital\"): not in the patient's care team, and without access from "
                              "outside it.\n"
                              "  Event #1042 of 1 March 2026, 21:00, about patient P7.\n"
                              "\n"
                              "What can be done:\n"
                              "  If apotheek-claes cares for the patient, the patient or the care coordinator can add "
                              "apotheek-claes to the care team.\n");
    free(text);
}

static void explanation_of_what_was_not_kept_says_that_nothing_is_left(void **state)
{
    (void)state;
    Carehub__V1__ExplainAnswer e = explanation("dr-janssens", false);
    e.not_kept = true;
    char *text = rendered_explanation(&e, "en");
    assert_string_equal(text,
                        "dr-janssens was not told of this event: the patient had not consented, so the hub kept "
                        "nothing of it.\n"
                        "  Of #1042 there is no more than a number. A later consent does not bring it back: the "
                        "source has to send a new event.\n"
                        "\n"
                        "What can be done:\n"
                        "  If the patient agrees that this is shared, the consent can be recorded. It counts from "
                        "then on; it does not bring this event back.\n");
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
    assert_non_null(
        strstr(text, "x ended  dr-janssens    withdrawn before it was handed over, because the right to it had gone "
                     "(the patient has given no consent for continuity of care that covers this)\n"));
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
    char *text = rendered_explanation(&e, "en");
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
                        "21:00:00.124  #1042      HospitalDischarge       P7      + told        dr-janssens          "
                        " medical data: member of the care team, and the patient has consented\n"
                        "21:00:00.124  #1042      FallReported            P7      ~ held        wit-gele-zorg        "
                        " is suspended; the event waits until that is over, or until its deadline\n");
    free(text);
}

/* In characters, where a word begins in a line; -1: it is not there. */
static int place_of(const char *line, const char *word)
{
    const char *found = strstr(line, word);
    int n = 0;
    for (; found && line < found; line++)
        n += ((unsigned char)*line & 0xC0) != 0x80;
    return found ? n : -1;
}

static void tail_is_aligned_in_each_language_whatever_happens(void **state)
{
    (void)state;
    static const char *const languages[] = {"en", "nl", "fr", "de"};
    for (int l = 0; l < 4; l++) {
        int place = -1;
        for (int i = 1; i <= EVENT_TYPE_MAX * 2; i++) {
            Carehub__V1__TraceLine step = i % 3 ? delivery((Carehub__V1__TraceLine__Step)(1 + i % 12), 1, "dr-janssens")
                                                : decided("dr-janssens", "gp", (Carehub__V1__Outcome)(1 + i / 3 % 3),
                                                          REASON(NO_CONSENT), CAREHUB__V1__LEVEL__LEVEL_NONE);
            step.outcome = step.outcome ? step.outcome : OUTCOME(DELIVER);
            step.type = (Carehub__V1__EventType)(1 + i % EVENT_TYPE_MAX);
            char *text = NULL;
            size_t size;
            FILE *out = open_memstream(&text, &size);
            story_line(&step, out, (struct style){.utf8 = true, .texts = texts_of(languages[l])});
            fclose(out);
            place = place < 0 ? place_of(text, "dr-janssens") : place;
            if (place_of(text, "dr-janssens") != place)
                fail_msg("not aligned (%s): %s", languages[l], text);
            free(text);
        }
    }
}

int main(void)
{
    setenv("TZ", "UTC", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tail_is_aligned_in_each_language_whatever_happens),
        cmocka_unit_test(trace_shows_the_whole_way_in_the_order_of_time),
        cmocka_unit_test(trace_of_what_was_not_kept_names_nobody),
        cmocka_unit_test(trace_of_what_an_operator_refused_says_why),
        cmocka_unit_test(trace_of_what_a_carer_entered_says_who_verified_it),
        cmocka_unit_test(explanation_says_whether_a_professional_stands_for_it),
        cmocka_unit_test(trace_of_nothing_says_so),
        cmocka_unit_test(marks_and_colours_only_where_the_terminal_has_them),
        cmocka_unit_test(explanation_begins_with_the_conclusion_and_marks_what_decided),
        cmocka_unit_test(explanation_is_in_the_readers_language),
        cmocka_unit_test(explanation_says_how_far_a_delivery_has_come),
        cmocka_unit_test(explanation_of_what_was_released_goes_by_the_release),
        cmocka_unit_test(explanation_of_a_delivery_says_as_what_and_what_became_of_it),
        cmocka_unit_test(explanation_of_another_place_is_conditional),
        cmocka_unit_test(explanation_of_what_was_not_kept_says_that_nothing_is_left),
        cmocka_unit_test(withdrawn_delivery_says_which_rule_denies_now),
        cmocka_unit_test(explanation_that_disagrees_with_the_log_is_loud),
        cmocka_unit_test(tail_is_one_aligned_line_for_each_decision),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
