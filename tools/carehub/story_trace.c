/* The whole way of an event. */
#include "story_parts.h"

#include <stdlib.h>
#include <string.h>

#include "eventid.h"

struct counts {
    size_t told, acknowledged, ended, held, not_told;
};

/* Has the actor a step of one of these two kinds? */
static bool came_to(const Carehub__V1__TraceAnswer *trace, const char *actor, Carehub__V1__TraceLine__Step one,
                    Carehub__V1__TraceLine__Step other)
{
    for (size_t i = 0; i < trace->n_lines; i++) {
        const Carehub__V1__TraceLine *l = trace->lines[i];
        if ((l->step == one || l->step == other) && strcmp(l->actor, actor) == 0)
            return true;
    }
    return false;
}

/* Was it held, and is that over? */
static bool was_settled(const Carehub__V1__TraceAnswer *trace, size_t at)
{
    const Carehub__V1__TraceLine *line = trace->lines[at];
    for (size_t i = at + 1; i < trace->n_lines && line->outcome == CAREHUB__V1__OUTCOME__HOLD; i++)
        if (trace->lines[i]->step == STEP(DECIDED) && strcmp(trace->lines[i]->actor, line->actor) == 0 &&
            trace->lines[i]->cause == CAREHUB__V1__CAUSE__CAUSE_UNSPECIFIED)
            return true;
    return false;
}

/* Of what was held it counts what it has become; of what was decided later, what tells somebody for the first time. */
static bool counts_once(const Carehub__V1__TraceAnswer *trace, size_t at)
{
    const Carehub__V1__TraceLine *line = trace->lines[at];
    if (was_settled(trace, at))
        return false;
    if (line->cause == CAREHUB__V1__CAUSE__CAUSE_UNSPECIFIED)
        return true;
    for (size_t i = 0; i < at; i++)
        if (trace->lines[i]->step == STEP(DECIDED) && strcmp(trace->lines[i]->actor, line->actor) == 0 &&
            trace->lines[i]->outcome == CAREHUB__V1__OUTCOME__DELIVER)
            return false;
    return line->outcome == CAREHUB__V1__OUTCOME__DELIVER;
}

static struct counts count(const Carehub__V1__TraceAnswer *trace)
{
    struct counts c = {0};
    for (size_t i = 0; i < trace->n_lines; i++) {
        const Carehub__V1__TraceLine *l = trace->lines[i];
        if (l->step != STEP(DECIDED) || !counts_once(trace, i))
            continue;
        bool told = l->outcome == CAREHUB__V1__OUTCOME__DELIVER, held = l->outcome == CAREHUB__V1__OUTCOME__HOLD;
        c.told += told;
        c.held += held;
        c.not_told += !told && !held;
        bool acknowledged = came_to(trace, l->actor, STEP(ACKNOWLEDGED_STORED), STEP(ACKNOWLEDGED_READ));
        c.acknowledged += told && acknowledged;
        c.ended += told && !acknowledged && came_to(trace, l->actor, STEP(END), STEP(END));
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
    char patient[24], place[24], text[TEXT_BYTES];
    snprintf(patient, sizeof patient, "P%llu", (unsigned long long)line->patient);
    snprintf(place, sizeof place, "%llu", (unsigned long long)line->place);
    fputs(tone_on(style, TONE_STRONG), out);
    put_safe(out, text_fill(style, text, line->patient ? "trace.subject" : "trace.subject-unknown", "type",
                            story_type(line->type, style), "patient", patient, "place", place, NULL));
    fputs(tone_off(style, TONE_STRONG), out);
}

static void print_count(const char *before, const char *code, size_t n, FILE *out, struct style style)
{
    char number[24], text[TEXT_BYTES];
    snprintf(number, sizeof number, "%zu", n);
    fprintf(out, "%s%s", before, text_fill(style, text, code, "n", number, NULL));
}

static void print_conclusion(const Carehub__V1__TraceAnswer *trace, FILE *out, struct style style)
{
    struct counts c = count(trace);
    size_t waiting = c.told - c.acknowledged - c.ended;
    print_subject(subject(trace), out, style);
    if (has_step(trace, STEP(NOT_KEPT_STEP))) {
        fprintf(out, ": %s\n", text_find(style, "trace.not-kept"));
        return;
    }
    print_count(": ", "trace.told", c.told, out, style);
    if (c.told && c.acknowledged == c.told)
        print_count(", ", "trace.all-acknowledged", c.told, out, style);
    else if (c.told)
        print_count(", ", "trace.acknowledged", c.acknowledged, out, style);
    if (waiting)
        print_count(", ", "trace.not-yet", waiting, out, style);
    if (c.ended)
        print_count(", ", "trace.ended", c.ended, out, style);
    if (c.held)
        print_count("; ", "trace.held", c.held, out, style);
    print_count("; ", "trace.not-told", c.not_told, out, style);
    fputc('\n', out);
}

static int by_time(const void *a, const void *b)
{
    const Carehub__V1__TraceLine *x = *(Carehub__V1__TraceLine *const *)a;
    const Carehub__V1__TraceLine *y = *(Carehub__V1__TraceLine *const *)b;
    int64_t x_ms = story_is_now(x) ? INT64_MAX : x->at_ms, y_ms = story_is_now(y) ? INT64_MAX : y->at_ms;
    return x_ms < y_ms ? -1 : x_ms > y_ms;
}

/* In order of time, and in the hub's order at the same time: glibc's qsort does not promise the latter. */
static const Carehub__V1__TraceLine **in_order(const Carehub__V1__TraceAnswer *trace)
{
    const Carehub__V1__TraceLine **lines = calloc(trace->n_lines, sizeof(void *));
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
    struct step_text step = step_text(line, style);
    char when[WHEN_CHARS], offset[COUNT_CHARS + 4] = "", count[COUNT_CHARS], text[TEXT_BYTES];
    bool received = line->step == STEP(RECEIVED);
    if (!story_is_now(line) && line->at_ms >= start_ms)
        snprintf(offset, sizeof offset, "+%s ms", count_text((uint64_t)(line->at_ms - start_ms), count));
    table_cell(table, TONE_DIM, "%s", story_time(line, style, when));
    table_cell(table, TONE_DIM, "%12s", offset);
    table_cell(table, step.tone, "%s %s", mark_text(style, step.mark), step.text);
    table_cell(table, TONE_STRONG, "%s", received ? line->publisher : line->actor);
    table_cell(table, TONE_PLAIN, "%s",
               line->step == STEP(DECIDED) && *line->role ? story_role(line->role, style) : "");
    table_cell(table, step.tone == TONE_DIM ? TONE_DIM : TONE_PLAIN, "%s", story_detail(line, style, text));
}

void story_trace(const Carehub__V1__TraceAnswer *trace, FILE *out, struct style style)
{
    static const char *const headings[] = {"", "", "", "", "", "", NULL};
    if (trace->n_lines == 0) {
        fprintf(out, "%s\n", text_find(style, "trace.nothing"));
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
