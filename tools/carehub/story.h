/* story.h - what became of an event, for people: traces, explanations, and the feed of decisions. Pure: they
 * write to `out` what an answer says, in the style's language, and nothing else. */
#ifndef CAREHUB_CLI_STORY_H
#define CAREHUB_CLI_STORY_H

#include "carehub/v1/wire.pb-c.h"
#include "term.h"

/* The whole way of an event: what happened in one line, then each step in the order of time. */
void story_trace(const Carehub__V1__TraceAnswer *trace, FILE *out, struct style style);

/* Why an actor was told, or not: the conclusion in one sentence, then each rule that was looked at, and what can be
 * done about it. */
void story_explain(const Carehub__V1__ExplainAnswer *explained, FILE *out, struct style style);

/* One decision or later step as one line, in aligned columns. */
void story_line(const Carehub__V1__TraceLine *line, FILE *out, struct style style);

/* "told", "not told", "held"… of a step, its tone and mark. */
struct step_text {
    const char *text;
    enum tone tone;
    enum mark mark;
};
struct step_text step_text(const Carehub__V1__TraceLine *line, struct style style);

#endif
