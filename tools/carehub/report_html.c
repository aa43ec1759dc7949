/* A report as one page of HTML that stands alone: no script, nothing from elsewhere, to be read, printed and kept. */
#include <string.h>
#include <time.h>

#include "report.h"
#include "utf8.h"

/* Contrast of all pairs of colours is at least 7:1 (WCAG 2.2, 1.4.6); nothing is said by colour alone. */
static const char STYLE[] =
    "body{margin:0;background:#fff;color:#1a1a1a;font:1rem/1.5 system-ui,sans-serif}"
    "main{max-width:60rem;margin:0 auto;padding:1rem}"
    "h1{font-size:1.6rem;line-height:1.25}"
    "h2{font-size:1.2rem;margin:2rem 0 .5rem}"
    "table{width:100%;border-collapse:collapse}"
    "th,td{text-align:left;vertical-align:top;padding:.5rem;border-bottom:1px solid #949494;overflow-wrap:anywhere}"
    "thead th{background:#eee}"
    ".time{width:4.5rem;white-space:nowrap}"
    ".entry{width:4.5rem}"
    ".after{width:35%}"
    ".mark{display:block;font-weight:bold}"
    ".emergency{background:#fff4e5;border-left:.4rem solid #7a3e00}"
    ".not-told{background:#f6f6f6}"
    "@media(max-width:40rem){.entry{display:none}.after{width:auto}}"
    "@media print{main{max-width:none;padding:0}thead{display:table-header-group}tr{break-inside:avoid}"
    "h2{break-after:avoid}body{font-size:10pt}@page{margin:18mm}}";

/* Text as content or attribute. What is no text of XML or HTML becomes U+FFFD. */
static void put(FILE *out, const char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        size_t good = utf8_valid_prefix(text, left);
        for (size_t i = 0; i < good; i++) {
            unsigned char c = (unsigned char)text[i];
            if (c == '&')
                fputs("&amp;", out);
            else if (c == '<')
                fputs("&lt;", out);
            else if (c == '>')
                fputs("&gt;", out);
            else if (c == '"')
                fputs("&quot;", out);
            else if (c == '\'')
                fputs("&#39;", out);
            else if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7F)
                fputs("\xEF\xBF\xBD", out);
            else
                fputc(c, out);
        }
        text += good;
        left -= good;
        if (left > 0) {
            fputs("\xEF\xBF\xBD", out);
            text++;
            left--;
        }
    }
}

static void element(FILE *out, const char *name, const char *text)
{
    fprintf(out, "<%s>", name);
    put(out, text);
    fprintf(out, "</%s>\n", name);
}

static void put_head(const struct report *report, FILE *out, struct style style)
{
    char text[TEXT_BYTES];
    fputs("<!DOCTYPE html>\n<html lang=\"", out);
    put(out, text_find(style, "report.language"));
    fputs("\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n",
          out);
    element(out, "title", text_find(style, "report.title"));
    fprintf(out, "<style>%s</style>\n</head>\n<body>\n<main>\n", STYLE);
    element(out, "h1", text_find(style, "report.title"));
    element(out, "p", text_find(style, "report.introduction"));
    element(out, "p", report_subject(report, style, text));
    element(out, "p", report_period(report, style, text));
    element(out, "h2", text_find(style, "report.summary"));
    fputs("<ul>\n", out);
    for (size_t i = 0; report_summary(report, style, i, text); i++)
        element(out, "li", text);
    fputs("</ul>\n", out);
}

static void put_column(FILE *out, const char *class, const char *text)
{
    fprintf(out, "<th scope=\"col\" class=\"%s\">", class);
    put(out, text);
    fputs("</th>", out);
}

/* A heading and a table for each day. */
static void begin_day(FILE *out, const char *day, unsigned n, struct style style)
{
    fprintf(out, "<h2 id=\"day-%u\">", n);
    put(out, day);
    fprintf(out, "</h2>\n<table aria-labelledby=\"day-%u\">\n<thead><tr>", n);
    put_column(out, "time", text_find(style, "report.column.time"));
    put_column(out, "happened", text_find(style, "report.column.happened"));
    put_column(out, "after", text_find(style, "report.column.after"));
    put_column(out, "entry", text_find(style, "report.column.entry"));
    fputs("</tr></thead>\n<tbody>\n", out);
}

static void end_day(FILE *out)
{
    fputs("</tbody>\n</table>\n", out);
}

static void put_row(const struct report *report, const struct report_row *row, FILE *out, struct style style)
{
    struct report_words words;
    char clock[DATE_CHARS], iso[DATE_CHARS] = "";
    time_t seconds = (time_t)(row->item->at_ms / 1000);
    struct tm utc;
    report_words(report, row, style, &words);
    if (gmtime_r(&seconds, &utc))
        strftime(iso, sizeof iso, "%Y-%m-%dT%H:%M:%SZ", &utc);
    fprintf(out, "<tr%s><th scope=\"row\" class=\"time\"><time datetime=\"%s\">%s</time></th><td>",
            words.what == REPORT_EMERGENCY  ? " class=\"emergency\""
            : words.what == REPORT_NOT_TOLD ? " class=\"not-told\""
                                            : "",
            iso, report_clock(row->item->at_ms, clock));
    if (words.what == REPORT_EMERGENCY) {
        fputs("<strong class=\"mark\">", out);
        put(out, text_find(style, "report.emergency"));
        fputs("</strong>", out);
    }
    put(out, words.happened);
    fputs("</td><td>", out);
    put(out, words.after);
    fprintf(out, "</td><td class=\"entry\">%llu</td></tr>\n", (unsigned long long)row->item->place);
}

void report_html(const struct report *report, FILE *out, struct style style)
{
    char text[TEXT_BYTES], day[DATE_CHARS] = "", next[DATE_CHARS];
    unsigned days = 0;
    put_head(report, out, style);
    for (struct report_row row = {0}; report_next(report, &row);) {
        report_day(style, row.item->at_ms, next);
        if (strcmp(day, next) != 0) {
            if (days)
                end_day(out);
            begin_day(out, next, ++days, style);
            memcpy(day, next, sizeof day);
        }
        put_row(report, &row, out, style);
    }
    if (days)
        end_day(out);
    else
        element(out, "p", text_find(style, "report.nothing"));
    element(out, "h2", text_find(style, "report.about"));
    element(out, "p", report_extent(report, style, text));
    element(out, "p", text_find(style, "report.explanation"));
    fputs("</main>\n</body>\n</html>\n", out);
}
