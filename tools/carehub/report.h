/* report.h - an access report as the hub answered it, and the ways to write it down. Pure: the writers write to `out`
 * what the pages say, and nothing else.
 *
 *     report.c          the pages, and the rows that they come to
 *     report_words.c    what a row says, for the person whom it is about; report_change.c: of the person's own data
 *     report_about.c    what the report says of itself
 *     report_text.c, report_html.c, report_csv.c, report_fhir.c   one form each */
#ifndef CAREHUB_CLI_REPORT_H
#define CAREHUB_CLI_REPORT_H

#include "carehub/v1/wire.pb-c.h"
#include "store/arena.h"
#include "term.h"
#include "texts.h"

enum { REPORT_ITEMS_MAX = 500000 }; /* of one report: for more, ask for a shorter period */

struct report {
    size_t n_pages, capacity, n_items;
    Carehub__V1__Answer **pages; /* in the arena */
    struct arena arena;
    /* What the pages name, in order of name or place; made by report_end. */
    size_t n_actors, n_grounds, n_policies;
    const Carehub__V1__ReportActor **actors;
    const Carehub__V1__ReportGround **grounds;
    const Carehub__V1__ReportPolicy **policies;
    /* What was asked for. */
    int64_t from_ms, to_ms, made_ms; /* 0: from the beginning; up to the end */
    bool denials;
    bool names_kept; /* some names are not in it, by the policy */
};

/* Begins one, zeroed or set to what was asked for; ends it, and frees what it holds. */
void report_begin(struct report *report);
void report_clear(struct report *report);
/* Adds a copy of a page; false: that would be too many items. */
bool report_add(struct report *report, const Carehub__V1__Answer *page);
/* After the last page: makes the tables. There must be a page. */
void report_end(struct report *report);

static inline const Carehub__V1__AccessReportAnswer *report_page(const struct report *report, size_t i)
{
    return report->pages[i]->access_report;
}
/* The last page: how far the report goes. */
const Carehub__V1__AccessReportAnswer *report_last(const struct report *report);

/* NULL: not named. */
const Carehub__V1__ReportActor *report_actor_of(const struct report *report, const char *name);
const Carehub__V1__ReportGround *report_ground_of(const struct report *report, uint64_t place);
const Carehub__V1__ReportPolicy *report_policy_of(const struct report *report, uint64_t place);

/* One row: an entry, one access of it, or one of the things that ended with it. */
struct report_row {
    const Carehub__V1__ReportItem *item;
    const Carehub__V1__ReportAccess *access; /* NULL: the entry itself */
    const Carehub__V1__ReportEnd *end;       /* of a REPORT_EXPIRY */
    size_t page, at, part;                   /* where it stands; for report_next */
    bool begun;
};

/* Goes to the next row; begins with a zeroed one. False: that was the last. */
bool report_next(const struct report *report, struct report_row *row);

/* ---- report_words.c ----------------------------------------------------------------------------------------------- */

enum report_what { /* how a row stands out */
                   REPORT_PLAIN,
                   REPORT_TOLD,
                   REPORT_WAITING,  /* in the receiver's inbox, not fetched yet */
                   REPORT_NOT_TOLD, /* or held, or ended before it was handed over */
                   REPORT_ASKED,    /* by an operator */
                   REPORT_CHANGED,  /* the person's own data */
                   REPORT_EMERGENCY,
};

enum { REPORT_WORDS_BYTES = 2 * TEXT_BYTES };

struct report_words {
    enum report_what what;
    char who[TEXT_BYTES];              /* "Apotheek Peeters" */
    char happened[REPORT_WORDS_BYTES]; /* "Apotheek Peeters was told of: …, because …." */
    char after[REPORT_WORDS_BYTES];    /* "Read on …."; may be empty */
};

/* What a row says, in the style's language. */
void report_words(const struct report *report, const struct report_row *row, struct style style,
                  struct report_words *words);

/* Was it handed to the receiver, as far as is known? */
bool report_handed_over(const Carehub__V1__ReportAccess *access);
/* The access that was given in an emergency; also the entry that gave it. */
bool report_is_emergency(const struct report *report, const struct report_row *row);
/* The membership or grant, and the consent, that an access rests on; NULL: none. */
const Carehub__V1__MemberAdded *report_membership(const struct report *report, const Carehub__V1__ReportAccess *access);
const Carehub__V1__GrantGiven *report_grant(const struct report *report, const Carehub__V1__ReportAccess *access);
const Carehub__V1__ConsentGiven *report_consent(const struct report *report, const Carehub__V1__ReportAccess *access);

/* "3 May 2026", "3 May 2026, 14:02", "14:02": local time. They return `out`. Main thread only. */
const char *report_day(struct style style, int64_t unix_ms, char out[DATE_CHARS]);
const char *report_moment(struct style style, int64_t unix_ms, char out[DATE_CHARS]);
const char *report_clock(int64_t unix_ms, char out[DATE_CHARS]);
/* Whose report it is, of which period, and how far it goes: sentences. They return `out`. */
const char *report_subject(const struct report *report, struct style style, char out[TEXT_BYTES]);
const char *report_period(const struct report *report, struct style style, char out[TEXT_BYTES]);
const char *report_extent(const struct report *report, struct style style, char out[TEXT_BYTES]);
/* The rules that decided everything in it; NULL: there were several, or none. Returns `out`. */
const char *report_rules(const struct report *report, struct style style, char out[TEXT_BYTES]);

/* The sentences of a summary; returns how many there are. */
enum { REPORT_LINES_MAX = 9 };
struct report_line {
    char text[TEXT_BYTES];
    bool emergencies; /* it counts the emergency accesses */
};
size_t report_summary(const struct report *report, struct style style, struct report_line lines[REPORT_LINES_MAX]);

/* ---- The forms ---------------------------------------------------------------------------------------------------- */

void report_text(const struct report *report, FILE *out, struct style style);
/* One page that stands alone, in UTF-8. */
void report_html(const struct report *report, FILE *out, struct style style);
/* RFC 4180; a cell that a spreadsheet would take for a formula begins with an apostrophe instead. */
void report_csv(const struct report *report, FILE *out, struct style style);
/* A FHIR R4 Bundle of AuditEvents, by the profiles of IHE BALP. */
void report_fhir(const struct report *report, FILE *out, struct style style);

#endif
