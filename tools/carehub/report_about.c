/* Dates, and what a report says of itself. */
#include "report_parts.h"

#include <string.h>
#include <time.h>

typedef Carehub__V1__ReportAccess Access;

/* ---- Dates -------------------------------------------------------------------------------------------------------- */

/* The same few dates come again and again: of memberships, consents, acknowledgements of many at once. */
struct dated {
    int64_t unix_ms;
    const struct texts *texts;
    const char *(*format)(struct style, int64_t, char[DATE_CHARS]); /* NULL: none yet */
    char text[DATE_CHARS];
};

static const char *dated(const char *(*format)(struct style, int64_t, char[DATE_CHARS]), struct style style,
                         int64_t unix_ms, char out[DATE_CHARS])
{
    enum { KEPT = 251 };
    static struct dated kept[2][KEPT];
    struct dated *found = &kept[format == date_text][(uint64_t)unix_ms % KEPT];
    if (found->format != format || found->unix_ms != unix_ms || found->texts != style.texts) {
        *found = (struct dated){.unix_ms = unix_ms, .texts = style.texts, .format = format};
        format(style, unix_ms, found->text);
    }
    memcpy(out, found->text, DATE_CHARS);
    return out;
}

static const char *day_text(struct style style, int64_t unix_ms, char out[DATE_CHARS])
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

const char *report_day(struct style style, int64_t unix_ms, char out[DATE_CHARS])
{
    return dated(day_text, style, unix_ms, out);
}

const char *report_moment(struct style style, int64_t unix_ms, char out[DATE_CHARS])
{
    return dated(date_text, style, unix_ms, out);
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
    int64_t erased_ms; /* 0: nothing was */
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
        if (row.item->kind == KIND(ERASED))
            counts.erased_ms = row.item->at_ms;
    }
    return counts;
}

size_t report_summary(const struct report *report, struct style style, struct report_line lines[REPORT_LINES_MAX])
{
    struct counts c = count(report);
    const struct {
        const char *code;
        size_t n;
        bool said, emergencies;
    } all[REPORT_LINES_MAX] = {{"report.summary.erased", 0, c.erased_ms != 0, false},
                               {"report.summary.told", c.told, true, false},
                               {"report.summary.read", c.read, true, false},
                               {"report.summary.waiting", c.waiting, c.waiting > 0, false},
                               {"report.summary.emergency", c.emergency, true, true},
                               {"report.summary.asked", c.asked, true, false},
                               {"report.summary.not-told", c.not_told, report->denials, false},
                               {"report.denials-left-out", 0, !report->denials, false},
                               {"report.names-kept", 0, report->names_kept, false}};
    char n[24], date[DATE_CHARS];
    size_t said = 0;
    date_text(style, c.erased_ms, date);
    for (size_t i = 0; i < REPORT_LINES_MAX; i++) {
        if (!all[i].said)
            continue;
        report_number(all[i].n, n);
        text_fill(style, lines[said].text, all[i].code, "n", n, "date", date, NULL);
        lines[said++].emergencies = all[i].emergencies;
    }
    return said;
}

const char *report_rules(const struct report *report, struct style style, char out[TEXT_BYTES])
{
    char place[24];
    if (report->n_policies != 1)
        return NULL;
    report_number(report->policies[0]->place, place);
    return text_fill(style, out, "report.rules.all", "policy", report->policies[0]->name, "place", place, NULL);
}
