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
    fprintf(out, "%s%s%s", tone_on(style, TONE_STRONG), type_text(line->type), tone_off(style, TONE_STRONG));
    if (line->patient)
        fprintf(out, " of P%llu", (unsigned long long)line->patient);
    if (line->place)
        fprintf(out, " (#%llu)", (unsigned long long)line->place);
}

static void print_conclusion(const Carehub__V1__TraceAnswer *trace, FILE *out, struct style style)
{
    struct counts c = count(trace);
    size_t waiting = c.told - c.acknowledged - c.ended;
    print_subject(subject(trace), out, style);
    if (has_step(trace, STEP(NOT_KEPT_STEP))) {
        fputs(": not kept, nobody was told\n", out);
        return;
    }
    fprintf(out, ": %zu told", c.told);
    if (c.told && c.acknowledged == c.told)
        fputs(", all acknowledged", out);
    else if (c.told)
        fprintf(out, ", %zu acknowledged", c.acknowledged);
    if (waiting)
        fprintf(out, ", %zu not yet", waiting);
    if (c.ended)
        fprintf(out, ", %zu ended otherwise", c.ended);
    if (c.held)
        fprintf(out, "; %zu held", c.held);
    fprintf(out, "; %zu not told\n", c.not_told);
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
    struct step_text step = step_text(line);
    char when[WHEN_CHARS], offset[COUNT_CHARS + 4] = "", count[COUNT_CHARS], text[DETAIL_BYTES];
    bool received = line->step == STEP(RECEIVED);
    if (!story_is_now(line) && line->at_ms >= start_ms)
        snprintf(offset, sizeof offset, "+%s ms", count_text((uint64_t)(line->at_ms - start_ms), count));
    table_cell(table, TONE_DIM, "%s", story_time(line, when));
    table_cell(table, TONE_DIM, "%12s", offset);
    table_cell(table, step.tone, "%s %s", mark_text(style, step.mark), step.text);
    table_cell(table, TONE_STRONG, "%s", received ? line->publisher : line->actor);
    table_cell(table, TONE_PLAIN, "%s", line->step == STEP(DECIDED) ? line->role : "");
    table_cell(table, step.tone == TONE_DIM ? TONE_DIM : TONE_PLAIN, "%s", story_detail(line, text));
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
