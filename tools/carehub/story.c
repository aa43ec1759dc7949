/* What one step is called and says, and the feed of steps. */
#include "story_parts.h"

#include <string.h>

#include "catalogue.h"
#include "route/route.h"

struct step_text step_text(const Carehub__V1__TraceLine *line, struct style style)
{
    static const struct {
        enum tone tone;
        enum mark mark;
    } steps[] = {
        [STEP(RECEIVED)] = {TONE_PLAIN, MARK_DASH},
        [STEP(CONFIRMED)] = {TONE_PLAIN, MARK_DASH},
        [STEP(SENT)] = {TONE_PLAIN, MARK_DASH},
        [STEP(ACKNOWLEDGED_STORED)] = {TONE_GOOD, MARK_YES},
        [STEP(ACKNOWLEDGED_READ)] = {TONE_GOOD, MARK_YES},
        [STEP(REFUSED)] = {TONE_BAD, MARK_NO},
        [STEP(END)] = {TONE_BAD, MARK_NO},
        [STEP(QUEUED)] = {TONE_WAIT, MARK_WAIT},
        [STEP(WAITING_RETRY)] = {TONE_WAIT, MARK_WAIT},
        [STEP(HELD_BACK)] = {TONE_WAIT, MARK_WAIT},
        [STEP(NOT_KEPT_STEP)] = {TONE_DIM, MARK_NO},
        [STEP(VERIFIED_STEP)] = {TONE_GOOD, MARK_YES},
    };
    size_t n = sizeof steps / sizeof steps[0], step = (size_t)line->step;
    struct step_text text = {text_enum(style, "step", &carehub__v1__trace_line__step__descriptor, (int)line->step),
                             step < n ? steps[step].tone : TONE_WAIT, step < n ? steps[step].mark : MARK_WAIT};
    if (line->step != STEP(DECIDED))
        return text;
    text.text = text_enum(style, "outcome", &carehub__v1__outcome__descriptor, (int)line->outcome);
    if (line->outcome == CAREHUB__V1__OUTCOME__DELIVER)
        text.tone = TONE_GOOD, text.mark = MARK_YES;
    else if (line->outcome == CAREHUB__V1__OUTCOME__HOLD)
        text.tone = TONE_WAIT, text.mark = MARK_WAIT;
    else
        text.tone = TONE_DIM, text.mark = MARK_NO;
    return text;
}

const char *story_reason(Carehub__V1__Reason reason, struct style style)
{
    return text_named(style, "reason", reason_name(reason));
}

const char *story_role(const char *role, struct style style)
{
    return *role ? text_named(style, "role", role) : "-";
}

const char *story_type(Carehub__V1__EventType type, struct style style)
{
    const char *name = event_type_name(type);
    return text_named(style, "type", name ? name : "unknown");
}

const char *story_level(Carehub__V1__Level level, struct style style)
{
    return text_enum(style, "level", &carehub__v1__level__descriptor, (int)level);
}

const char *story_end(const Carehub__V1__TraceLine *line, struct style style, char out[TEXT_BYTES])
{
    if (line->why)
        snprintf(out, TEXT_BYTES, "%s (%s)", story_reason(line->reason, style), story_reason(line->why, style));
    else
        snprintf(out, TEXT_BYTES, "%s", story_reason(line->reason, style));
    return out;
}

/* "immediate 12 in dr-janssens", by the text of that code. */
static const char *slot_text(const Carehub__V1__TraceLine *line, const char *code, struct style style,
                             char out[TEXT_BYTES])
{
    char number[24], attempts[16];
    snprintf(number, sizeof number, "%llu", (unsigned long long)line->number);
    snprintf(attempts, sizeof attempts, "%u", line->attempts);
    return text_fill(style, out, code, "lane",
                     text_enum(style, "lane", &carehub__v1__lane__descriptor, (int)line->lane), "number", number,
                     "inbox", line->inbox, "attempts", attempts, "reason", story_reason(line->why, style), NULL);
}

static const char *attempt_text(const Carehub__V1__TraceLine *line, struct style style, char out[TEXT_BYTES])
{
    char again[TEXT_BYTES] = "", attempt[TEXT_BYTES], when[WHEN_CHARS];
    if (line->deadline_ms) {
        when_text(line->deadline_ms, when);
        when[strlen("2026-03-01 21:04:05")] = '\0'; /* seconds will do */
        text_fill(style, again, "detail.again", "when", when, NULL);
    }
    snprintf(out, TEXT_BYTES, "%.64s%s%.600s%s%.200s", line->code, *line->code ? ", " : "",
             slot_text(line, "detail.attempt", style, attempt), *again ? ", " : "", again);
    return out;
}

/* Why it was decided after the event's own decision, in front of what was decided. */
static const char *later_text(const Carehub__V1__TraceLine *line, struct style style, char out[TEXT_BYTES])
{
    static const char *const causes[] = {
        [CAREHUB__V1__CAUSE__CAUSE_UNSPECIFIED] = "cause.CAUSE_UNSPECIFIED",
        [CAREHUB__V1__CAUSE__REPLAY] = "cause.REPLAY",
        [CAREHUB__V1__CAUSE__ESCALATION] = "cause.ESCALATION",
        [CAREHUB__V1__CAUSE__LATE_JOINER] = "cause.LATE_JOINER",
        [CAREHUB__V1__CAUSE__VERIFIED] = "cause.VERIFIED",
    };
    size_t known = sizeof causes / sizeof *causes, which = (size_t)line->cause < known ? (size_t)line->cause : 0;
    char cause[TEXT_BYTES], because[24], decided[TEXT_BYTES];
    memcpy(decided, out, sizeof decided);
    snprintf(because, sizeof because, "%llu", (unsigned long long)line->because);
    text_fill(style, cause, causes[which], "because", because, "actor", line->instead_of, NULL);
    return text_fill(style, out, "detail.later", "cause", cause, "decided", decided, NULL);
}

static const char *decision_text(const Carehub__V1__TraceLine *line, struct style style, char out[TEXT_BYTES])
{
    const char *code = line->notice ? "detail.notice" : "detail.told", *reason = story_reason(line->reason, style);
    if (line->outcome == CAREHUB__V1__OUTCOME__DELIVER)
        text_fill(style, out, code, "level", story_level(line->level, style), "reason", reason, NULL);
    else
        snprintf(out, TEXT_BYTES, "%s", reason);
    if (*line->settled_for) {
        size_t n = strlen(out);
        snprintf(out + n, TEXT_BYTES - n, " (%s)", line->settled_for);
    }
    return line->cause ? later_text(line, style, out) : out;
}

const char *story_detail(const Carehub__V1__TraceLine *line, struct style style, char out[TEXT_BYTES])
{
    char place[24], because[24];
    snprintf(place, sizeof place, "%llu", (unsigned long long)line->place);
    snprintf(because, sizeof because, "%llu", (unsigned long long)line->because);
    out[0] = '\0';
    switch (line->step) {
    case STEP(RECEIVED):
        if (!*line->client) /* the hub's own */
            return out;
        return text_fill(style, out, line->unverified ? "detail.from-client-unverified" : "detail.from-client",
                         "client", line->client, NULL);
    case STEP(VERIFIED_STEP):
        return text_fill(style, out, "detail.verified", "because", because, NULL);
    case STEP(CONFIRMED):
        return text_fill(style, out, "detail.safe", "place", place, NULL);
    case STEP(DECIDED):
    case STEP(HELD_BACK):
        return decision_text(line, style, out);
    case STEP(END):
        return story_end(line, style, out);
    case STEP(REFUSED):
    case STEP(WAITING_RETRY):
        return attempt_text(line, style, out);
    default:
        if (line->why)
            return slot_text(line, "detail.will-be-withdrawn", style, out);
        if (*line->inbox)
            return slot_text(line, line->approximate ? "detail.slot-approximate" : "detail.slot", style, out);
        return out;
    }
}

bool story_is_now(const Carehub__V1__TraceLine *line)
{
    return line->step == STEP(QUEUED) || line->step == STEP(WAITING_RETRY) || line->step == STEP(HELD_BACK);
}

const char *story_time(const Carehub__V1__TraceLine *line, struct style style, char text[WHEN_CHARS])
{
    if (!story_is_now(line))
        return clock_text(line->at_ms, text);
    snprintf(text, WHEN_CHARS, "%s", text_find(style, "step.now"));
    return text;
}

/* In characters: marks and accents are of several bytes. */
static int width_of(const char *text)
{
    int n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

static void column(FILE *out, const char *text, int width)
{
    int n = width_of(text);
    put_safe(out, text);
    fprintf(out, "%*s  ", n < width ? width - n : 0, "");
}

/* The widest of the words of a table, so that in each language what comes behind them is aligned. */
static int widest(const char *table, const ProtobufCEnumDescriptor *type, struct style style)
{
    int most = 0;
    for (unsigned i = 0; i < type->n_values; i++) {
        int width = type->values[i].value ? width_of(text_named(style, table, type->values[i].name)) : 0;
        most = width > most ? width : most;
    }
    return most;
}

static int step_width(struct style style)
{
    int steps = widest("step", &carehub__v1__trace_line__step__descriptor, style);
    int outcomes = widest("outcome", &carehub__v1__outcome__descriptor, style);
    return 2 + (steps > outcomes ? steps : outcomes);
}

/* Types are shown by the names by which they are asked for. */
static int type_width(void)
{
    int most = 0;
    for (int type = 1; type <= EVENT_TYPE_MAX; type++) {
        int width = width_of(event_type_name((Carehub__V1__EventType)type));
        most = width > most ? width : most;
    }
    return most;
}

void story_line(const Carehub__V1__TraceLine *line, FILE *out, struct style style)
{
    struct step_text step = step_text(line, style);
    char when[WHEN_CHARS], text[TEXT_BYTES];
    const char *who = *line->actor ? line->actor : line->publisher;
    snprintf(text, sizeof text, "#%llu", (unsigned long long)line->place);
    column(out, clock_text(line->at_ms, when), 12); /* in a feed each step has just happened */
    column(out, text, 9);
    column(out, type_text(line->type), type_width());
    if (line->patient)
        snprintf(text, sizeof text, "P%llu", (unsigned long long)line->patient);
    column(out, line->patient ? text : "-", 6);
    fputs(tone_on(style, step.tone), out);
    snprintf(text, sizeof text, "%s %s", mark_text(style, step.mark), step.text);
    column(out, text, step_width(style));
    fputs(tone_off(style, step.tone), out);
    column(out, who, 20);
    put_safe(out, story_detail(line, style, text));
    fputc('\n', out);
}
