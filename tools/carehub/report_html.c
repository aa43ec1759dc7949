/* A report as one page of HTML that stands alone: no script, nothing from elsewhere, to be read, printed and kept. */
#include <string.h>
#include <time.h>

#include "report.h"
#include "utf8.h"

/* Large, in two columns that fit on a phone; the header of a day's table stands on each printed page, with the day.
 * Contrast of all pairs of colours is at least 7:1 (WCAG 2.2, 1.4.6); nothing is said by colour alone. */
static const char STYLE[] =
    "body{margin:0;background:#fff;color:#1a1a1a;font:1.125rem/1.5 system-ui,sans-serif;hyphens:auto}"
    "main{max-width:48rem;margin:0 auto;padding:1rem}"
    "h1{font-size:1.6rem;line-height:1.25}"
    "h2{font-size:1.3rem;line-height:1.25;margin:2rem 0 .5rem}"
    "li{margin:.3rem 0}"
    "a{color:#003a75}"
    "table{width:100%;border-collapse:collapse}"
    "caption{text-align:left}"
    "th,td{text-align:left;vertical-align:top;padding:.6rem .5rem;border-bottom:1px solid #767676}"
    "td{overflow-wrap:anywhere}"
    "thead th{background:#eee}"
    ".time{width:4.5rem;white-space:nowrap}"
    ".entry{display:block;font-size:.9rem;font-weight:normal}"
    ".mark,.after{display:block}"
    ".after{margin-top:.3rem}"
    ".emergency{background:#fff4e5;border-left:.4rem solid #7a3e00}"
    ".not-told{background:#f4f4f4}"
    ".on-paper{display:none}"
    "@media print{body{font-size:12pt}main{max-width:none;padding:0}.on-paper{display:inline}"
    "thead{display:table-header-group}tr{break-inside:avoid}caption,h2,thead{break-after:avoid}a{color:inherit}"
    "@page{margin:18mm}}";

enum { LINKS_MAX = 20 }; /* to emergency accesses, from the summary */

/* Is the blank at `at` one at which no line may end? In French there is one within quotes, and before ":" and ";". */
static bool is_bound(const char *text, const char *at)
{
    static const char opening[] = "\xC2\xAB", closing[] = "\xC2\xBB";
    bool opened = at - text >= 2 && memcmp(at - 2, opening, 2) == 0;
    return at[0] == ' ' && (opened || (at[1] && strchr(":;!?", at[1])) || strncmp(at + 1, closing, 2) == 0);
}

#define NO_CHARACTER "\xEF\xBF\xBD" /* U+FFFD */

/* What stands for a character in HTML; NULL: it stands for itself. */
static const char *escaped(const char *text, const char *at)
{
    switch (*at) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    case ' ':
        return is_bound(text, at) ? "&nbsp;" : NULL;
    case '\n':
    case '\t':
        return NULL;
    default:
        return (unsigned char)*at < 0x20 || *at == 0x7F ? NO_CHARACTER : NULL;
    }
}

/* Text as content or attribute. What is no text of XML or HTML becomes U+FFFD. */
static void put(FILE *out, const char *text)
{
    const char *written = text, *good_until = text + utf8_valid_prefix(text, strlen(text));
    for (const char *at = text;; at++) {
        const char *instead = *at && at < good_until ? escaped(text, at) : NO_CHARACTER;
        if (*at && !instead)
            continue;
        fwrite(written, 1, (size_t)(at - written), out);
        if (!*at)
            return;
        fputs(instead, out);
        written = at + 1;
        if (at >= good_until)
            good_until = written + utf8_valid_prefix(written, strlen(written));
    }
}

static void element(FILE *out, const char *name, const char *text)
{
    fprintf(out, "<%s>", name);
    put(out, text);
    fprintf(out, "</%s>\n", name);
}

/* "No. 42": under it an entry can be asked about. */
static void put_entry(FILE *out, uint64_t place, struct style style)
{
    char number[24], text[TEXT_BYTES];
    snprintf(number, sizeof number, "%llu", (unsigned long long)place);
    put(out, text_fill(style, text, "report.entry", "place", number, NULL));
}

/* Emergency accesses are what a reader looks for: links lead to them. */
static void put_links(const struct report *report, FILE *out, struct style style)
{
    unsigned n = 0;
    for (struct report_row row = {0}; report_next(report, &row) && n < LINKS_MAX;) {
        if (!report_is_emergency(report, &row))
            continue;
        fprintf(out, "%s<a href=\"#emergency-%u\">", n ? ", " : " ", n + 1);
        put_entry(out, row.item->place, style);
        fputs("</a>", out);
        n++;
    }
}

static void put_summary(const struct report *report, FILE *out, struct style style)
{
    struct report_line lines[REPORT_LINES_MAX];
    size_t n = report_summary(report, style, lines);
    element(out, "h2", text_find(style, "report.summary"));
    fputs("<ul>\n", out);
    for (size_t i = 0; i < n; i++) {
        fputs("<li>", out);
        put(out, lines[i].text);
        if (lines[i].emergencies)
            put_links(report, out, style);
        fputs("</li>\n", out);
    }
    fputs("</ul>\n", out);
}

static void put_head(const struct report *report, FILE *out, struct style style)
{
    char text[TEXT_BYTES];
    fputs("<!DOCTYPE html>\n<html lang=\"", out);
    put(out, text_find(style, "report.language"));
    fputs("\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n",
          out);
    element(out, "title", text_find(style, "report.title"));
    fprintf(out, "<style>%s</style>\n</head>\n<body>\n<main>\n", STYLE);
    element(out, "h1", text_find(style, "report.title"));
    element(out, "p", text_find(style, "report.introduction"));
    element(out, "p", report_subject(report, style, text));
    element(out, "p", report_period(report, style, text));
    put_summary(report, out, style);
}

/* A table for each day. What its header says on paper, where it is on each page, its caption says on the screen. */
static void begin_day(FILE *out, const char *day, struct style style)
{
    fputs("<table>\n<caption><h2>", out);
    put(out, day);
    fputs("</h2></caption>\n<thead><tr><th scope=\"col\" class=\"time\">", out);
    put(out, text_find(style, "report.column.time"));
    fputs("</th><th scope=\"col\">", out);
    put(out, text_find(style, "report.column.happened"));
    fputs("<span class=\"on-paper\">, ", out);
    put(out, day);
    fputs("</span></th></tr></thead>\n<tbody>\n", out);
}

static void end_day(FILE *out)
{
    fputs("</tbody>\n</table>\n", out);
}

static void put_row(const struct report *report, const struct report_row *row, unsigned *emergencies, FILE *out,
                    struct style style)
{
    struct report_words words;
    char clock[DATE_CHARS], iso[DATE_CHARS] = "";
    time_t seconds = (time_t)(row->item->at_ms / 1000);
    struct tm utc;
    report_words(report, row, style, &words);
    if (gmtime_r(&seconds, &utc))
        strftime(iso, sizeof iso, "%Y-%m-%dT%H:%M:%SZ", &utc);
    fputs("<tr", out);
    if (words.what == REPORT_EMERGENCY)
        fprintf(out, " class=\"emergency\" id=\"emergency-%u\"", ++*emergencies);
    else if (words.what == REPORT_NOT_TOLD)
        fputs(" class=\"not-told\"", out);
    fprintf(out, "><th scope=\"row\" class=\"time\"><time datetime=\"%s\">%s</time> <span class=\"entry\">", iso,
            report_clock(row->item->at_ms, clock));
    put_entry(out, row->item->place, style);
    fputs("</span></th><td>", out);
    if (words.what == REPORT_EMERGENCY) {
        fputs("<strong class=\"mark\">", out);
        put(out, text_find(style, "report.emergency"));
        fputs("</strong> ", out);
    }
    put(out, words.happened);
    if (*words.after) {
        fputs(" <span class=\"after\">", out);
        put(out, words.after);
        fputs("</span>", out);
    }
    fputs("</td></tr>\n", out);
}

void report_html(const struct report *report, FILE *out, struct style style)
{
    char text[TEXT_BYTES], day[DATE_CHARS] = "", next[DATE_CHARS];
    unsigned emergencies = 0;
    bool any = false;
    put_head(report, out, style);
    for (struct report_row row = {0}; report_next(report, &row); any = true) {
        report_day(style, row.item->at_ms, next);
        if (strcmp(day, next) != 0) {
            if (any)
                end_day(out);
            begin_day(out, next, style);
            memcpy(day, next, sizeof day);
        }
        put_row(report, &row, &emergencies, out, style);
    }
    if (any)
        end_day(out);
    else
        element(out, "p", text_find(style, "report.nothing"));
    element(out, "h2", text_find(style, "report.about"));
    element(out, "p", report_extent(report, style, text));
    if (report_rules(report, style, text))
        element(out, "p", text);
    element(out, "p", text_find(style, "report.explanation"));
    fputs("</main>\n</body>\n</html>\n", out);
}
