/* Why an actor was told, or not: for the patient, too. */
#include "story_parts.h"

#include <string.h>

#include "route/route.h"

enum { RECORDED_LATE_MS = 60000 }; /* what was recorded this long after it began, says so */

/* What became of it in the end: the decision, or that of a release or refusal later; and how its delivery stands. */
struct verdict {
    const char *code; /* of the first sentence */
    enum tone tone;
    Carehub__V1__Reason reason;
    char why[TEXT_BYTES];
};

/* Who it is about, as people say it. */
static const char *who(const Carehub__V1__ExplainAnswer *e)
{
    return *e->display ? e->display : e->actor;
}

static bool has_step(const Carehub__V1__ExplainAnswer *e, Carehub__V1__TraceLine__Step step)
{
    for (size_t i = 0; i < e->n_lines; i++)
        if (e->lines[i]->step == step)
            return true;
    return false;
}

static const Carehub__V1__TraceLine *last_step(const Carehub__V1__ExplainAnswer *e, Carehub__V1__TraceLine__Step step)
{
    for (size_t i = e->n_lines; i > 0; i--)
        if (e->lines[i - 1]->step == step)
            return e->lines[i - 1];
    return NULL;
}

static void told(const Carehub__V1__ExplainAnswer *e, struct style style, struct verdict *verdict)
{
    const Carehub__V1__TraceLine *end = last_step(e, STEP(END)), *queued = last_step(e, STEP(QUEUED));
    verdict->code = "explain.told";
    verdict->tone = TONE_GOOD;
    if (has_step(e, STEP(SENT)) || has_step(e, STEP(ACKNOWLEDGED_STORED)) || has_step(e, STEP(ACKNOWLEDGED_READ)))
        return;
    if (end) {
        verdict->code = "explain.told-ended";
        verdict->tone = TONE_BAD;
        verdict->reason = end->reason;
        story_end(end, style, verdict->why);
    } else if (queued && queued->why) { /* it will be withdrawn when its turn comes */
        verdict->code = "explain.told-ended";
        verdict->tone = TONE_BAD;
        verdict->reason = queued->why;
        snprintf(verdict->why, sizeof verdict->why, "%s", story_reason(queued->why, style));
    } else if (queued || has_step(e, STEP(WAITING_RETRY))) {
        verdict->code = "explain.told-waiting";
        verdict->tone = TONE_WAIT;
    }
}

static void conclude(const Carehub__V1__ExplainAnswer *e, const Carehub__V1__Decision *decision, struct style style,
                     struct verdict *verdict)
{
    const Carehub__V1__TraceLine *later = e->at_place ? NULL : last_step(e, STEP(DECIDED));
    Carehub__V1__Outcome outcome = later ? later->outcome : decision->outcome;
    verdict->reason = later ? later->reason : decision->reason;
    snprintf(verdict->why, sizeof verdict->why, "%s", story_reason(verdict->reason, style));
    if (outcome == CAREHUB__V1__OUTCOME__HOLD) {
        verdict->code = e->at_place ? "explain.would-be-held" : "explain.held";
        verdict->tone = TONE_WAIT;
    } else if (outcome != CAREHUB__V1__OUTCOME__DELIVER) {
        verdict->code = e->at_place ? "explain.would-not-be-told" : "explain.not-told";
        verdict->tone = TONE_BAD;
    } else if (e->at_place) {
        verdict->code = "explain.would-be-told";
        verdict->tone = TONE_GOOD;
    } else {
        told(e, style, verdict);
    }
}

static void print_verdict(const Carehub__V1__ExplainAnswer *e, const struct verdict *verdict, FILE *out,
                          struct style style)
{
    char text[TEXT_BYTES], place[24], date[DATE_CHARS];
    snprintf(place, sizeof place, "%llu", (unsigned long long)e->at_place);
    fputs(tone_on(style, verdict->tone), out);
    put_safe(out, text_fill(style, text, verdict->code, "actor", who(e), "type", story_type(e->type, style), "reason",
                            verdict->why, "place", place, "date", date_text(style, e->at_ms, date), NULL));
    fprintf(out, "%s\n", tone_off(style, verdict->tone));
}

static void print_verified(const Carehub__V1__ExplainAnswer *e, FILE *out, struct style style)
{
    char text[TEXT_BYTES], date[DATE_CHARS];
    if (!e->unverified)
        return;
    fputs("  ", out);
    put_safe(out, text_fill(style, text, *e->verified_by ? "explain.verified" : "explain.unverified", "actor",
                            e->verified_by, "date", date_text(style, e->verified_ms, date), NULL));
    fputc('\n', out);
}

static void print_about(const Carehub__V1__ExplainAnswer *e, const Carehub__V1__Decision *decision, FILE *out,
                        struct style style)
{
    char text[TEXT_BYTES], place[24], patient[24], date[DATE_CHARS];
    snprintf(place, sizeof place, "%llu", (unsigned long long)e->place);
    snprintf(patient, sizeof patient, "P%llu", (unsigned long long)e->patient);
    fprintf(out, "  %s",
            text_fill(style, text, "explain.about", "place", place, "patient", patient, "date",
                      date_text(style, e->event_ms, date), NULL));
    if (decision->outcome == CAREHUB__V1__OUTCOME__DELIVER) {
        const char *view = decision->notice
                               ? text_find(style, "view.notice")
                               : text_enum(style, "view", &carehub__v1__level__descriptor, (int)decision->level);
        text_fill(style, text, "explain.view", "role", story_role(decision->role, style), "view", view, NULL);
        fputc(' ', out);
        put_safe(out, text);
    }
    if (!e->candidate && !e->at_place) {
        fputc(' ', out);
        put_safe(out, text_fill(style, text, "explain.never-candidate", "actor", who(e), NULL));
    }
    fputc('\n', out);
    print_verified(e, out, style);
}

/* ---- The rules -------------------------------------------------------------------------------------------------- */

/* A rule is called by its usual denial. */
static const char *rule_text(const Carehub__V1__Rule *r, struct style style)
{
    Carehub__V1__Reason usual = r->code;
    switch (r->code) {
    case CAREHUB__V1__REASON__RELATION_NOT_STARTED:
    case CAREHUB__V1__REASON__RELATION_ENDED:
        usual = CAREHUB__V1__REASON__NO_RELATION;
        break;
    case CAREHUB__V1__REASON__OUTSIDE_SCOPE:
        usual = CAREHUB__V1__REASON__CELL_NONE;
        break;
    case CAREHUB__V1__REASON__NO_CONSENT_FOR_PURPOSE:
        usual = CAREHUB__V1__REASON__NO_CONSENT;
        break;
    case CAREHUB__V1__REASON__INBOX_FULL:
    case CAREHUB__V1__REASON__PERSONAL_WITHOUT_INBOX:
        usual = CAREHUB__V1__REASON__NOT_SUBSCRIBED;
        break;
    case CAREHUB__V1__REASON__DECISION_FAILED:
        usual = r->found == CAREHUB__V1__FINDING__FOUND_STANDING_UNKNOWN ? CAREHUB__V1__REASON__ACTOR_ENDED
                                                                         : CAREHUB__V1__REASON__NO_RELATION;
        break;
    default:
        break;
    }
    char code[TEXT_CODE_BYTES];
    snprintf(code, sizeof code, "rule.%s", reason_name(usual));
    bool decision = r->found == CAREHUB__V1__FINDING__FOUND_DELIVERED ||
                    r->found == CAREHUB__V1__FINDING__FOUND_NOTICE ||
                    r->found == CAREHUB__V1__FINDING__FOUND_NOT_DELIVERED || !text_find(style, code);
    return text_find(style, decision ? "rule.DECIDED" : code);
}

/* With an end, a membership, grant or consent says so. */
static void finding_code(const Carehub__V1__Rule *r, struct style style, char code[TEXT_CODE_BYTES])
{
    const ProtobufCEnumValue *found =
        protobuf_c_enum_descriptor_get_value(&carehub__v1__finding__descriptor, (int)r->found);
    const char *name = found ? found->name : "?";
    snprintf(code, TEXT_CODE_BYTES, "finding.%s.until", name);
    if (!r->parts->until_ms || !text_find(style, code))
        snprintf(code, TEXT_CODE_BYTES, "finding.%s", name);
}

/* The sentence for what was found; the hub's own words where this tool has none. */
static const char *finding_text(const Carehub__V1__ExplainAnswer *e, const Carehub__V1__Rule *r, struct style style,
                                char out[TEXT_BYTES])
{
    const Carehub__V1__FindingParts *p = r->parts;
    char code[TEXT_CODE_BYTES] = "", from[DATE_CHARS], until[DATE_CHARS], recorded[DATE_CHARS], more[TEXT_BYTES];
    if (p)
        finding_code(r, style, code);
    if (!p || !text_find(style, code)) {
        snprintf(out, TEXT_BYTES, "%s", r->finding);
        return out;
    }
    date_text(style, p->recorded_ms, recorded);
    text_fill(style, out, code, "actor", who(e), "role", story_role(p->role, style), "type", story_type(p->type, style),
              "level", story_level(p->level, style), "cell", story_level(p->cell, style), "grant",
              text_enum(style, "grant", &carehub__v1__grant_kind__descriptor, (int)p->grant), "policy", p->policy,
              "purpose", text_named(style, "purpose", p->purpose), "from", date_text(style, p->from_ms, from), "until",
              date_text(style, p->until_ms, until), "recorded", recorded, NULL);
    size_t n = strlen(out);
    if (p->place && p->recorded_ms > p->from_ms + RECORDED_LATE_MS)
        snprintf(out + n, TEXT_BYTES - n, " %s",
                 text_fill(style, more, "explain.recorded", "recorded", recorded, NULL));
    return out;
}

static void print_rules(const Carehub__V1__ExplainAnswer *e, FILE *out, struct style style)
{
    static const char *const headings[] = {"", "", "", NULL};
    struct table *table = table_new(headings);
    for (size_t i = 0; i < e->n_rules; i++) {
        const Carehub__V1__Rule *r = e->rules[i];
        char text[TEXT_BYTES], decided[TEXT_BYTES];
        enum tone tone = r->decided ? TONE_STRONG : TONE_PLAIN;
        finding_text(e, r, style, text);
        text_fill(style, decided, "explain.decided", "code", reason_name(r->code), NULL);
        table_cell(table, r->passed ? TONE_GOOD : TONE_BAD, "  %s", mark_text(style, r->passed ? MARK_YES : MARK_NO));
        table_cell(table, tone, "%s", rule_text(r, style));
        table_cell(table, tone, "%s%s%s%s%s", text, r->decided ? " " : "",
                   r->decided ? mark_text(style, MARK_ARROW) : "", r->decided ? " " : "", r->decided ? decided : "");
    }
    if (e->n_rules)
        fprintf(out, "\n%s\n", text_find(style, "explain.rules"));
    table_print(table, out, style);
    table_destroy(&table);
}

/* ---- The rest --------------------------------------------------------------------------------------------------- */

static void print_advice(const Carehub__V1__ExplainAnswer *e, Carehub__V1__Reason reason, FILE *out, struct style style)
{
    char code[TEXT_CODE_BYTES], text[TEXT_BYTES];
    snprintf(code, sizeof code, "advice.%s", reason_name(reason));
    if (!text_find(style, code))
        return;
    fprintf(out, "\n%s\n  ", text_find(style, "explain.advice"));
    put_safe(out, text_fill(style, text, code, "actor", who(e), NULL));
    fputc('\n', out);
}

static bool same_decision(const Carehub__V1__Decision *a, const Carehub__V1__Decision *b)
{
    return a->outcome == b->outcome && a->reason == b->reason && a->level == b->level && a->notice == b->notice;
}

static void print_disagreement(const Carehub__V1__ExplainAnswer *e, FILE *out, struct style style)
{
    char text[TEXT_BYTES];
    text_fill(style, text, "explain.disagree", "recorded", reason_name(e->recorded->reason), "recomputed",
              reason_name(e->recomputed->reason), NULL);
    fprintf(out, "\n%s%s%s\n  %s\n", tone_on(style, TONE_BAD), text, tone_off(style, TONE_BAD),
            text_find(style, "explain.disagree-more"));
}

static void print_came_of_it(const Carehub__V1__ExplainAnswer *e, FILE *out, struct style style)
{
    static const char *const headings[] = {"", "", "", NULL};
    struct table *table = table_new(headings);
    for (size_t i = 0; i < e->n_lines; i++) {
        const Carehub__V1__TraceLine *l = e->lines[i];
        struct step_text step = step_text(l, style);
        char date[DATE_CHARS], text[TEXT_BYTES];
        if (i == 0 && l->step == STEP(DECIDED))
            continue; /* said above */
        table_cell(table, TONE_DIM, "  %s",
                   story_is_now(l) ? text_find(style, "step.now") : date_text(style, l->at_ms, date));
        table_cell(table, step.tone, "%s %s", mark_text(style, step.mark), step.text);
        table_cell(table, TONE_PLAIN, "%s", story_detail(l, style, text));
    }
    if (table_rows(table))
        fprintf(out, "\n%s\n", text_find(style, "explain.became"));
    table_print(table, out, style);
    table_destroy(&table);
}

static void print_not_kept(const Carehub__V1__ExplainAnswer *e, FILE *out, struct style style)
{
    char text[TEXT_BYTES], place[24];
    snprintf(place, sizeof place, "%llu", (unsigned long long)e->place);
    fputs(tone_on(style, TONE_BAD), out);
    put_safe(out, text_fill(style, text, e->unverified ? "explain.not-kept-unverified" : "explain.not-kept", "actor",
                            who(e), NULL));
    fprintf(out, "%s\n  %s\n", tone_off(style, TONE_BAD),
            text_fill(style, text, "explain.not-kept-more", "place", place, NULL));
    print_advice(e, CAREHUB__V1__REASON__NO_CONSENT, out, style);
}

void story_explain(const Carehub__V1__ExplainAnswer *explained, FILE *out, struct style style)
{
    const Carehub__V1__ExplainAnswer *e = explained;
    static const Carehub__V1__Decision nothing = CAREHUB__V1__DECISION__INIT;
    const Carehub__V1__Decision *decision = e->recorded && !e->at_place ? e->recorded : e->recomputed;
    struct verdict verdict;
    if (e->not_kept) {
        print_not_kept(e, out, style);
        return;
    }
    if (!decision)
        decision = &nothing;
    conclude(e, decision, style, &verdict);
    print_verdict(e, &verdict, out, style);
    print_about(e, decision, out, style);
    print_rules(e, out, style);
    if (!e->at_place && e->recorded && e->recomputed && !same_decision(e->recorded, e->recomputed))
        print_disagreement(e, out, style);
    print_advice(e, verdict.reason, out, style);
    if (!e->at_place)
        print_came_of_it(e, out, style);
}
