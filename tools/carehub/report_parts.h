/* report_parts.h - what sentences of a report are made of. For report_words.c, report_change.c and report_about.c only.
 */
#ifndef CAREHUB_CLI_REPORT_PARTS_H
#define CAREHUB_CLI_REPORT_PARTS_H

#include "report.h"
#include "story_parts.h"

#define KIND(name) CAREHUB__V1__REPORT_KIND__REPORT_##name
#define FACT_IS(fact, NAME) ((fact)->fact_case == CAREHUB__V1__FACT__FACT_##NAME)

/* Adds a sentence behind what is there. What was cut ends with a whole character. */
void report_sentence(char *to, size_t size, const char *text);

/* Adds a text of the table, with its places filled in: code, name, value, name, value… */
#define SAY(to, ...)                                                                                                   \
    do {                                                                                                               \
        char said_[TEXT_BYTES];                                                                                        \
        report_sentence(to, sizeof(to), text_fill(style, said_, __VA_ARGS__, NULL));                                   \
    } while (0)

/* An actor by its name; without a name, what is known of it. */
const char *report_actor_text(const struct report *report, const char *name, const char *role, struct style style);
/* A reason, a role ("a care provider" if it is empty), what a membership rests on: said to the patient. */
const char *report_reason(Carehub__V1__Reason reason, struct style style);
const char *report_role(const char *role, struct style style);
const char *report_basis(int basis, struct style style);
void report_number(uint64_t value, char text[24]);

/* What a row says: one function for each kind that is in report_change.c. */
void report_say_change(const struct report *report, const struct report_row *row, struct style style,
                       struct report_words *words);
void report_say_expiry(const struct report *report, const struct report_row *row, struct style style,
                       struct report_words *words);
void report_say_erased(const Carehub__V1__ReportItem *item, struct style style, struct report_words *words);

#endif
