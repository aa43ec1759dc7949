/* Why an actor was told, or not. */
#include "story_parts.h"

#include "core/route.h"

static void print_verdict(const Carehub__V1__ExplainAnswer *e, const Carehub__V1__Decision *decision, uint64_t at_place,
                          FILE *out, struct style style)
{
    const char *verb;
    enum tone tone = TONE_BAD;
    switch (decision->outcome) {
    case CAREHUB__V1__OUTCOME__DELIVER:
        verb = at_place ? "would be told" : "was told";
        tone = TONE_GOOD;
        break;
    case CAREHUB__V1__OUTCOME__HOLD:
        verb = at_place ? "would be held back" : "is held back";
        tone = TONE_WAIT;
        break;
    default:
        verb = at_place ? "would not be told" : "was not told";
    }
    fputs(tone_on(style, TONE_STRONG), out);
    put_safe(out, e->actor);
    fprintf(out, "%s %s%s%s", tone_off(style, TONE_STRONG), tone_on(style, tone), verb, tone_off(style, tone));
    if (at_place)
        fprintf(out, " as of #%llu", (unsigned long long)at_place);
    char why[CLAUSE_BYTES];
    fprintf(out, ": %s\n", story_clause(decision->reason, why));
}

static const Carehub__V1__Rule *deciding(const Carehub__V1__ExplainAnswer *e)
{
    for (size_t i = e->n_rules; i > 0; i--)
        if (e->rules[i - 1]->decided)
            return e->rules[i - 1];
    return NULL;
}

static void print_rules(const Carehub__V1__ExplainAnswer *e, FILE *out, struct style style)
{
    static const char *const headings[] = {"", "", "", "", NULL};
    const Carehub__V1__Rule *decided = deciding(e);
    struct table *table = table_new(headings);
    for (size_t i = 0; i < e->n_rules; i++) {
        const Carehub__V1__Rule *r = e->rules[i];
        table_cell(table, r->passed ? TONE_GOOD : TONE_BAD, "  %s", mark_text(style, r->passed ? MARK_YES : MARK_NO));
        table_cell(table, r == decided ? TONE_STRONG : TONE_PLAIN, "%s", r->finding);
        table_cell(table, TONE_DIM, "%s", r->role);
        table_cell(table, r == decided ? TONE_STRONG : TONE_DIM, "%s%s%s",
                   r == decided ? mark_text(style, MARK_ARROW) : "", r == decided ? " this decided: " : "",
                   reason_name(r->code));
    }
    table_print(table, out, style);
    table_destroy(&table);
}

static bool same_decision(const Carehub__V1__Decision *a, const Carehub__V1__Decision *b)
{
    return a->outcome == b->outcome && a->reason == b->reason && a->level == b->level && a->notice == b->notice;
}

static void print_came_of_it(const Carehub__V1__ExplainAnswer *e, FILE *out, struct style style)
{
    static const char *const headings[] = {"", "", "", NULL};
    struct table *table = table_new(headings);
    for (size_t i = 0; i < e->n_lines; i++) {
        const Carehub__V1__TraceLine *l = e->lines[i];
        struct step_text step = step_text(l);
        char when[WHEN_CHARS], text[DETAIL_BYTES];
        if (l->step == STEP(DECIDED))
            continue; /* said above */
        table_cell(table, TONE_DIM, "  %s", story_time(l, when));
        table_cell(table, step.tone, "%s %s", mark_text(style, step.mark), step.text);
        table_cell(table, TONE_PLAIN, "%s", story_detail(l, text));
    }
    if (table_rows(table))
        fputs("\nWhat became of it:\n", out);
    table_print(table, out, style);
    table_destroy(&table);
}

static void print_not_kept(const Carehub__V1__ExplainAnswer *e, FILE *out, struct style style)
{
    fputs(tone_on(style, TONE_STRONG), out);
    put_safe(out, e->actor);
    fprintf(out, "%s %swas not told%s: the person had not consented, so the event was not kept\n",
            tone_off(style, TONE_STRONG), tone_on(style, TONE_BAD), tone_off(style, TONE_BAD));
    fprintf(out,
            "  #%llu holds no more than its id. A later consent does not bring it back: the source sends a "
            "new event.\n",
            (unsigned long long)e->place);
}

void story_explain(const Carehub__V1__ExplainAnswer *explained, uint64_t at_place, FILE *out, struct style style)
{
    const Carehub__V1__ExplainAnswer *e = explained;
    if (e->not_kept) {
        print_not_kept(e, out, style);
        return;
    }
    static const Carehub__V1__Decision nothing = CAREHUB__V1__DECISION__INIT;
    const Carehub__V1__Decision *decision = e->recorded && !at_place ? e->recorded : e->recomputed;
    if (!decision)
        decision = &nothing;
    print_verdict(e, decision, at_place, out, style);
    fprintf(out, "  %s (#%llu)", type_text(e->type), (unsigned long long)e->place);
    if (e->patient)
        fprintf(out, " of P%llu", (unsigned long long)e->patient);
    if (decision->outcome == CAREHUB__V1__OUTCOME__DELIVER)
        fprintf(out, ", as %s, %s", *decision->role ? decision->role : "-",
                decision->notice ? "a notice without content" : level_text(decision->level));
    fputs(e->candidate ? ".\n" : "; never a candidate: neither in the care team nor with a grant.\n", out);
    if (e->n_rules)
        fputs("\nRules, in the order in which they were looked at:\n", out);
    print_rules(e, out, style);
    if (!at_place && e->recorded && e->recomputed && !same_decision(e->recorded, e->recomputed))
        fprintf(out,
                "\n%sThe log and today's rules disagree%s: recorded %s, recomputed %s.\n"
                "  The recorded decision is what happened. Report this: it should not be.\n",
                tone_on(style, TONE_BAD), tone_off(style, TONE_BAD), reason_name(e->recorded->reason),
                reason_name(e->recomputed->reason));
    print_came_of_it(e, out, style);
}
