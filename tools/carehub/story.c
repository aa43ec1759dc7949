/* What one step is called and says, and the feed of steps. */
#include "story_parts.h"

#include <ctype.h>
#include <string.h>

#include "core/route.h"

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

const char *story_clause(Carehub__V1__Reason reason, char text[CLAUSE_BYTES])
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

/* Of a withdrawal also the rule that denies now. */
static void end_detail(const Carehub__V1__TraceLine *line, char text[DETAIL_BYTES])
{
    char end[CLAUSE_BYTES], why[CLAUSE_BYTES];
    story_clause(line->reason, end);
    if (line->why)
        snprintf(text, DETAIL_BYTES, "%s (%s)", end, story_clause(line->why, why));
    else
        snprintf(text, DETAIL_BYTES, "%s", end);
}

const char *story_detail(const Carehub__V1__TraceLine *line, char text[DETAIL_BYTES])
{
    unsigned long long number = line->number;
    char why[CLAUSE_BYTES], when[WHEN_CHARS];
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
                     story_clause(line->reason, why));
        else
            snprintf(text, DETAIL_BYTES, "%s", story_clause(line->reason, why));
        break;
    case STEP(END):
        end_detail(line, text);
        break;
    case STEP(REFUSED):
    case STEP(WAITING_RETRY):
        snprintf(text, DETAIL_BYTES, "%s%sattempt %u, %s %llu in %s%s%.19s", line->code, *line->code ? ", " : "",
                 line->attempts, lane_text(line->lane), number, line->inbox, line->deadline_ms ? ", again at " : "",
                 line->deadline_ms ? when_text(line->deadline_ms, when) : "");
        break;
    default:
        if (line->why)
            snprintf(text, DETAIL_BYTES, "%s %llu in %s; will be withdrawn when its turn comes: %s",
                     lane_text(line->lane), number, line->inbox, story_clause(line->why, why));
        else if (*line->inbox)
            snprintf(text, DETAIL_BYTES, "%s %llu in %s%s", lane_text(line->lane), number, line->inbox,
                     line->approximate ? " (time of its batch)" : "");
    }
    return text;
}

bool story_is_now(const Carehub__V1__TraceLine *line)
{
    return line->step == STEP(QUEUED) || line->step == STEP(WAITING_RETRY) || line->step == STEP(HELD_BACK);
}

const char *story_time(const Carehub__V1__TraceLine *line, char text[WHEN_CHARS])
{
    if (!story_is_now(line))
        return clock_text(line->at_ms, text);
    snprintf(text, WHEN_CHARS, "now");
    return text;
}

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
    column(out, clock_text(line->at_ms, when), 12); /* in a feed each step has just happened */
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
    put_safe(out, story_detail(line, text));
    fputc('\n', out);
}
