/* story_parts.h - what trace, explanation and feed say alike. For the story files only. */
#ifndef CAREHUB_CLI_STORY_PARTS_H
#define CAREHUB_CLI_STORY_PARTS_H

#include "story.h"
#include "texts.h"

#define STEP(name) CAREHUB__V1__TRACE_LINE__STEP__##name

/* A reason, as it stands behind a colon: "the patient has excluded this actor". */
const char *story_reason(Carehub__V1__Reason reason, struct style style);
/* How a delivery ended; of a withdrawal also the rule that denies now. Returns `out`. */
const char *story_end(const Carehub__V1__TraceLine *line, struct style style, char out[TEXT_BYTES]);
/* A role of the policy, and a kind of event, as people say them. */
const char *story_role(const char *role, struct style style);
const char *story_type(Carehub__V1__EventType type, struct style style);
const char *story_level(Carehub__V1__Level level, struct style style);

/* What there is to say of a step besides who and when. Returns `out`. */
const char *story_detail(const Carehub__V1__TraceLine *line, struct style style, char out[TEXT_BYTES]);

/* Steps that say how it is now, not what happened: they have no time of their own. */
bool story_is_now(const Carehub__V1__TraceLine *line);

/* The time of a step, or "now". Returns `text`. */
const char *story_time(const Carehub__V1__TraceLine *line, struct style style, char text[WHEN_CHARS]);

#endif
