/* Dates, and what a report says of itself. */
#include "report_parts.h"

#include <string.h>
#include <time.h>

typedef Carehub__V1__ReportAccess Access;

/* ---- Dates -------------------------------------------------------------------------------------------------------- */

const char *report_day(struct style style, int64_t unix_ms, char out[DATE_CHARS])
{
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm local;
    char day[16], month[24], year[16], text[TEXT_BYTES];
    if (unix_ms == 0 || !localtime_r(&seconds, &local))
        return date_text(style, 0, out);
    snprintf(day, sizeof day, "%d", local.tm_mday);
    snprintf(month, sizeof month, "month.%d", local.tm_mon + 1);
    snprintf(year, sizeof year, "%d", local.tm_year + 1900);
    text_fill(style, text, "report.day", "day", local.tm_mday == 1 ? text_find(style, "date.first-day") : day, "month",
              text_find(style, month), "year", year, NULL);
    snprintf(out, DATE_CHARS, "%.*s", DATE_CHARS - 1, text);
    return out;
}

const char *report_clock(int64_t unix_ms, char out[DATE_CHARS])
{
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm local;
    if (!localtime_r(&seconds, &local) || strftime(out, DATE_CHARS, "%H:%M", &local) == 0)
        snprintf(out, DATE_CHARS, "-");
    return out;
}

/* ---- About the whole report --------------------------------------------------------------------------------------- */

const char *report_subject(const struct report *report, struct style style, char out[TEXT_BYTES])
{
    const Carehub__V1__AccessReportAnswer *page = report_page(report, 0);
    char patient[24], others[16 * 24] = "";
    snprintf(patient, sizeof patient, "P%llu", (unsigned long long)page->person);
    for (size_t i = 1; i < page->n_records && strlen(others) + 24 < sizeof others; i++)
        snprintf(others + strlen(others), sizeof others - strlen(others), "%sP%llu", i > 1 ? ", " : "",
                 (unsigned long long)page->records[i]);
    return text_fill(style, out, *others ? "report.subject.merged" : "report.subject", "patient", patient, "others",
                     others, "hub", page->hub, NULL);
}

const char *report_period(const struct report *report, struct style style, char out[TEXT_BYTES])
{
    char from[DATE_CHARS], to[DATE_CHARS];
    snprintf(from, sizeof from, "%s", text_find(style, "report.from-the-beginning"));
    snprintf(to, sizeof to, "%s", text_find(style, "report.up-to-now"));
    if (report->from_ms)
        date_text(style, report->from_ms, from);
    if (report->to_ms)
        date_text(style, report->to_ms, to);
    return text_fill(style, out, "report.period", "from", from, "to", to, NULL);
}

const char *report_extent(const struct report *report, struct style style, char out[TEXT_BYTES])
{
    const Carehub__V1__AccessReportAnswer *last = report_last(report);
    char place[24], date[DATE_CHARS], made[DATE_CHARS];
    report_number(last->complete_place, place);
    return text_fill(style, out, last->waiting || last->next_place ? "report.incomplete" : "report.complete", "place",
                     place, "until", date_text(style, last->complete_ms, date), "made",
                     date_text(style, report->made_ms, made), NULL);
}

struct counts {
    size_t told, read, waiting, emergency, asked, not_told;
};

static struct counts count(const struct report *report)
{
    struct counts counts = {0};
    for (struct report_row row = {0}; report_next(report, &row);) {
        const Access *access = row.access;
        bool meant = access && access->outcome == CAREHUB__V1__OUTCOME__DELIVER;
        bool told = meant && report_handed_over(access), waiting = meant && !told && !access->ended_ms && !access->why;
        counts.told += told;
        counts.read += told && access->read_ms;
        counts.waiting += waiting;
        counts.not_told += access && !told && !waiting;
        counts.emergency += report_is_emergency(report, &row);
        counts.asked += row.item->kind == KIND(READING);
    }
    return counts;
}

const char *report_summary(const struct report *report, struct style style, size_t i, char out[TEXT_BYTES])
{
    struct counts c = count(report);
    const struct {
        const char *code;
        size_t n;
        bool always;
    } lines[] = {{"report.summary.told", c.told, true},
                 {"report.summary.read", c.read, true},
                 {"report.summary.waiting", c.waiting, c.waiting > 0},
                 {"report.summary.emergency", c.emergency, true},
                 {"report.summary.asked", c.asked, true},
                 {"report.summary.not-told", c.not_told, report->denials},
                 {"report.rules", 0, report->n_policies == 1},
                 {"report.denials-left-out", 0, !report->denials},
                 {"report.names-kept", 0, report->names_kept}};
    char n[24], place[24];
    report_number(report->n_policies == 1 ? report->policies[0]->place : 0, place);
    for (size_t at = 0; at < sizeof lines / sizeof *lines; at++) {
        if (!lines[at].always || i-- > 0)
            continue;
        report_number(lines[at].n, n);
        return text_fill(style, out, lines[at].code, "n", n, "policy",
                         report->n_policies ? report->policies[0]->name : "", "place", place, NULL);
    }
    return NULL;
}
