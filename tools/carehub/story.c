#include "story.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/route.h"
#include "eventid.h"

#define STEP(name) CAREHUB__V1__TRACE_LINE__STEP__##name

struct step_text step_text(const Carehub__V1__TraceLine *line)
{
    static const struct step_text steps[] = {
        [STEP(RECEIVED)] = {"received", TONE_PLAIN, MARK_DASH},
        [STEP(CONFIRMED)] = {"confirmed", TONE_PLAIN, MARK_DASH},
        [STEP(DECIDED)] = {"not told", TONE_DIM, MARK_NO},
        [STEP(SENT)] = {"sent", TONE_PLAIN, MARK_DASH},
        [STEP(ACKNOWLEDGED_STORED)] = {"stored", TONE_GOOD, MARK_YES},
        [STEP(ACKNOWLEDGED_READ)] = {"read", TONE_GOOD, MARK_YES},
        [STEP(REFUSED)] = {"refused", TONE_BAD, MARK_NO},
        [STEP(END)] = {"ended", TONE_BAD, MARK_NO},
        [STEP(QUEUED)] = {"queued", TONE_WAIT, MARK_WAIT},
        [STEP(WAITING_RETRY)] = {"will retry", TONE_WAIT, MARK_WAIT},
        [STEP(HELD_BACK)] = {"held", TONE_WAIT, MARK_WAIT},
        [STEP(NOT_KEPT_STEP)] = {"not kept", TONE_DIM, MARK_NO},
    };
    size_t n = sizeof steps / sizeof steps[0], step = (size_t)line->step;
    if (line->step == STEP(DECIDED) && line->outcome == CAREHUB__V1__OUTCOME__DELIVER)
        return (struct step_text){"told", TONE_GOOD, MARK_YES};
    if (line->step == STEP(DECIDED) && line->outcome == CAREHUB__V1__OUTCOME__HOLD)
        return (struct step_text){"held", TONE_WAIT, MARK_WAIT};
    if (step < n && steps[step].text)
        return steps[step];
    return (struct step_text){"unknown step", TONE_WAIT, MARK_WAIT};
}

enum { CLAUSE_BYTES = 200 };

/* A reason's sentence as the end of another: "the person has excluded this actor". */
static const char *clause(Carehub__V1__Reason reason, char text[CLAUSE_BYTES])
{
    snprintf(text, CLAUSE_BYTES, "%s", reason_text(reason));
    size_t n = strlen(text);
    if (n > 0 && text[n - 1] == '.')
        text[n - 1] = '\0';
    text[0] = (char)tolower((unsigned char)text[0]);
    return text;
}

static const char *lane_text(Carehub__V1__Lane lane)
{
    return lane == CAREHUB__V1__LANE__LANE_IMMEDIATE ? "immediate" : "ordinary";
}

enum { DETAIL_BYTES = 400 };

/* What there is to say of a step besides who and when. */
static const char *detail(const Carehub__V1__TraceLine *line, char text[DETAIL_BYTES])
{
    unsigned long long number = line->number;
    char why[CLAUSE_BYTES];
    text[0] = '\0';
    switch (line->step) {
    case STEP(RECEIVED):
        snprintf(text, DETAIL_BYTES, "from %s", line->client);
        break;
    case STEP(CONFIRMED):
        snprintf(text, DETAIL_BYTES, "safe in the log at #%llu", (unsigned long long)line->place);
        break;
    case STEP(DECIDED):
    case STEP(HELD_BACK):
        if (line->outcome == CAREHUB__V1__OUTCOME__DELIVER)
            snprintf(text, DETAIL_BYTES, "%s: %s", line->notice ? "notice only" : level_text(line->level),
                     clause(line->reason, why));
        else
            snprintf(text, DETAIL_BYTES, "%s", clause(line->reason, why));
        break;
    case STEP(END):
        snprintf(text, DETAIL_BYTES, "%s", clause(line->reason, why));
        break;
    case STEP(REFUSED):
    case STEP(WAITING_RETRY):
        snprintf(text, DETAIL_BYTES, "%s%sattempt %u, %s %llu in %s", line->code, *line->code ? ", " : "",
                 line->attempts, lane_text(line->lane), number, line->inbox);
        break;
    default:
        if (*line->inbox)
            snprintf(text, DETAIL_BYTES, "%s %llu in %s%s", lane_text(line->lane), number, line->inbox,
                     line->approximate ? " (time of its batch)" : "");
    }
    return text;
}

/* ---- Trace ---- */

struct counts {
    size_t told, acknowledged, held, not_told;
};

static bool acknowledged(const Carehub__V1__TraceAnswer *trace, const char *actor)
{
    for (size_t i = 0; i < trace->n_lines; i++) {
        const Carehub__V1__TraceLine *l = trace->lines[i];
        bool ack = l->step == STEP(ACKNOWLEDGED_STORED) || l->step == STEP(ACKNOWLEDGED_READ);
        if (ack && strcmp(l->actor, actor) == 0)
            return true;
    }
    return false;
}

static struct counts count(const Carehub__V1__TraceAnswer *trace)
{
    struct counts c = {0};
    for (size_t i = 0; i < trace->n_lines; i++) {
        const Carehub__V1__TraceLine *l = trace->lines[i];
        if (l->step != STEP(DECIDED))
            continue;
        bool told = l->outcome == CAREHUB__V1__OUTCOME__DELIVER, held = l->outcome == CAREHUB__V1__OUTCOME__HOLD;
        c.told += told;
        c.held += held;
        c.not_told += !told && !held;
        c.acknowledged += told && acknowledged(trace, l->actor);
    }
    return c;
}

static bool has_step(const Carehub__V1__TraceAnswer *trace, Carehub__V1__TraceLine__Step step)
{
    for (size_t i = 0; i < trace->n_lines; i++)
        if (trace->lines[i]->step == step)
            return true;
    return false;
}

/* The line that knows most of the event itself. */
static const Carehub__V1__TraceLine *subject(const Carehub__V1__TraceAnswer *trace)
{
    const Carehub__V1__TraceLine *best = trace->lines[0];
    for (size_t i = 0; i < trace->n_lines; i++)
        if (trace->lines[i]->type && trace->lines[i]->patient)
            return trace->lines[i];
    return best;
}

static void print_subject(const Carehub__V1__TraceLine *line, FILE *out, struct style style)
{
    fprintf(out, "%s%s%s", tone_on(style, TONE_STRONG), type_text(line->type), tone_off(style, TONE_STRONG));
    if (line->patient)
        fprintf(out, " of P%llu", (unsigned long long)line->patient);
    if (line->place)
        fprintf(out, " (#%llu)", (unsigned long long)line->place);
}

static void print_conclusion(const Carehub__V1__TraceAnswer *trace, FILE *out, struct style style)
{
    struct counts c = count(trace);
    size_t waiting = c.told - c.acknowledged;
    print_subject(subject(trace), out, style);
    if (has_step(trace, STEP(NOT_KEPT_STEP))) {
        fputs(": not kept, nobody was told\n", out);
        return;
    }
    fprintf(out, ": %zu told", c.told);
    if (c.told && waiting == 0)
        fputs(", all acknowledged", out);
    else if (c.told)
        fprintf(out, ", %zu acknowledged, %zu not yet", c.acknowledged, waiting);
    if (c.held)
        fprintf(out, "; %zu held", c.held);
    fprintf(out, "; %zu not told\n", c.not_told);
}

static int by_time(const void *a, const void *b)
{
    const Carehub__V1__TraceLine *x = *(Carehub__V1__TraceLine *const *)a;
    const Carehub__V1__TraceLine *y = *(Carehub__V1__TraceLine *const *)b;
    int64_t x_ms = x->at_ms ? x->at_ms : INT64_MAX, y_ms = y->at_ms ? y->at_ms : INT64_MAX; /* not yet: last */
    return x_ms < y_ms ? -1 : x_ms > y_ms;
}

/* In order of time, and in the hub's order at the same time: glibc's qsort does not promise the latter. */
static const Carehub__V1__TraceLine **in_order(const Carehub__V1__TraceAnswer *trace)
{
    const Carehub__V1__TraceLine **lines = calloc(trace->n_lines, sizeof *lines);
    if (!lines)
        abort();
    for (size_t i = 0; i < trace->n_lines; i++) {
        size_t at = i;
        for (; at > 0 && by_time(&lines[at - 1], &trace->lines[i]) > 0; at--)
            lines[at] = lines[at - 1];
        lines[at] = trace->lines[i];
    }
    return lines;
}

static void add_step(struct table *table, const Carehub__V1__TraceLine *line, int64_t start_ms, struct style style)
{
    struct step_text step = step_text(line);
    char when[WHEN_CHARS], offset[COUNT_CHARS + 4] = "", count[COUNT_CHARS], text[DETAIL_BYTES];
    bool received = line->step == STEP(RECEIVED);
    if (line->at_ms && start_ms)
        snprintf(offset, sizeof offset, "+%s ms", count_text((uint64_t)(line->at_ms - start_ms), count));
    table_cell(table, TONE_DIM, "%s", clock_text(line->at_ms, when));
    table_cell(table, TONE_DIM, "%12s", offset);
    table_cell(table, step.tone, "%s %s", mark_text(style, step.mark), step.text);
    table_cell(table, TONE_STRONG, "%s", received ? line->publisher : line->actor);
    table_cell(table, TONE_PLAIN, "%s", line->step == STEP(DECIDED) ? line->role : "");
    table_cell(table, step.tone == TONE_DIM ? TONE_DIM : TONE_PLAIN, "%s", detail(line, text));
}

void story_trace(const Carehub__V1__TraceAnswer *trace, FILE *out, struct style style)
{
    static const char *const headings[] = {"", "", "", "", "", "", NULL};
    if (trace->n_lines == 0) {
        fputs("The log has nothing of this event.\n", out);
        return;
    }
    print_conclusion(trace, out, style);
    const Carehub__V1__TraceLine **lines = in_order(trace);
    const ProtobufCBinaryData *id = &subject(trace)->event_id;
    int64_t start_ms = lines[0]->at_ms;
    char text[EVENTID_TEXT_CHARS] = "-", when[WHEN_CHARS];
    if (id->len == EVENTID_BYTES)
        eventid_format(id->data, text);
    fprintf(out, "  %s, %.10s\n\n", text, when_text(start_ms, when));
    struct table *table = table_new(headings);
    for (size_t i = 0; i < trace->n_lines; i++)
        add_step(table, lines[i], start_ms, style);
    table_print(table, out, style);
    table_destroy(&table);
    free(lines);
}

/* ---- Explain ---- */

static void print_verdict(const Carehub__V1__ExplainAnswer *e, const Carehub__V1__Decision *decision,
                          uint64_t at_place, FILE *out, struct style style)
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
    fprintf(out, ": %s\n", clause(decision->reason, why));
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
        table_cell(table, r->passed ? TONE_GOOD : TONE_BAD, "  %s",
                   mark_text(style, r->passed ? MARK_YES : MARK_NO));
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
        table_cell(table, TONE_DIM, "  %s", clock_text(l->at_ms, when));
        table_cell(table, step.tone, "%s %s", mark_text(style, step.mark), step.text);
        table_cell(table, TONE_PLAIN, "%s", detail(l, text));
    }
    if (table_rows(table))
        fputs("\nWhat became of it:\n", out);
    table_print(table, out, style);
    table_destroy(&table);
}

void story_explain(const Carehub__V1__ExplainAnswer *explained, uint64_t at_place, FILE *out, struct style style)
{
    const Carehub__V1__ExplainAnswer *e = explained;
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

/* ---- Feed ---- */

/* Pads by characters: marks are of several bytes. */
static void column(FILE *out, const char *text, int width)
{
    int n = 0;
    for (const char *c = text; *c; c++)
        n += ((unsigned char)*c & 0xC0) != 0x80;
    put_safe(out, text);
    fprintf(out, "%*s  ", n < width ? width - n : 0, "");
}

void story_line(const Carehub__V1__TraceLine *line, FILE *out, struct style style)
{
    struct step_text step = step_text(line);
    char when[WHEN_CHARS], text[DETAIL_BYTES];
    const char *who = *line->actor ? line->actor : line->publisher;
    snprintf(text, sizeof text, "#%llu", (unsigned long long)line->place);
    column(out, clock_text(line->at_ms, when), 12);
    column(out, text, 9);
    column(out, type_text(line->type), 18);
    if (line->patient)
        snprintf(text, sizeof text, "P%llu", (unsigned long long)line->patient);
    column(out, line->patient ? text : "-", 6);
    fputs(tone_on(style, step.tone), out);
    snprintf(text, sizeof text, "%s %s", mark_text(style, step.mark), step.text);
    column(out, text, 12);
    fputs(tone_off(style, step.tone), out);
    column(out, who, 20);
    put_safe(out, detail(line, text));
    fputc('\n', out);
}
