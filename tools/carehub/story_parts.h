/* story_parts.h - what trace, explanation and feed say alike. For the story files only. */
#ifndef CAREHUB_CLI_STORY_PARTS_H
#define CAREHUB_CLI_STORY_PARTS_H

#include "story.h"

#define STEP(name) CAREHUB__V1__TRACE_LINE__STEP__##name

enum { CLAUSE_BYTES = 200, DETAIL_BYTES = 400 };

/* A reason's sentence as the end of another: "the person has excluded this actor". Returns `text`. */
const char *story_clause(Carehub__V1__Reason reason, char text[CLAUSE_BYTES]);

/* What there is to say of a step besides who and when. Returns `text`. */
const char *story_detail(const Carehub__V1__TraceLine *line, char text[DETAIL_BYTES]);

/* Steps that say how it is now, not what happened: they have no time of their own. */
bool story_is_now(const Carehub__V1__TraceLine *line);

/* The time of a step, or "now". Returns `text`. */
const char *story_time(const Carehub__V1__TraceLine *line, char text[WHEN_CHARS]);

#endif
