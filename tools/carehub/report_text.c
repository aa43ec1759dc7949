/* A report for a terminal, or a plain file: one block for each day. */
#include <string.h>

#include "report.h"

enum { WIDTH = 100 };

/* Writes text in lines of at most WIDTH characters, each but the first indented. `column` is where the first begins. */
static void put_wrapped(FILE *out, const char *text, int column, int indent)
{
    char word[REPORT_WORDS_BYTES + TEXT_BYTES];
    bool first = true;
    while (*text) {
        size_t size = strcspn(text, " ");
        int width = 0;
        for (size_t i = 0; i < size; i++)
            width += ((unsigned char)text[i] & 0xC0) != 0x80;
        if (!first && column + 1 + width > WIDTH) {
            fprintf(out, "\n%*s", indent, "");
            column = indent;
        } else if (!first) {
            fputc(' ', out);
            column++;
        }
        snprintf(word, sizeof word, "%.*s", (int)size, text);
        put_safe(out, word);
        column += width;
        first = false;
        text += size + strspn(text + size, " ");
    }
    fputc('\n', out);
}

static enum mark mark_of(enum report_what what)
{
    return what == REPORT_TOLD       ? MARK_YES
           : what == REPORT_NOT_TOLD ? MARK_NO
           : what == REPORT_WAITING  ? MARK_WAIT
                                     : MARK_DASH;
}

static enum tone tone_of(enum report_what what)
{
    switch (what) {
    case REPORT_TOLD:
        return TONE_GOOD;
    case REPORT_NOT_TOLD:
        return TONE_DIM;
    case REPORT_EMERGENCY:
        return TONE_BAD;
    case REPORT_ASKED:
    case REPORT_WAITING:
        return TONE_WAIT;
    default:
        return TONE_PLAIN;
    }
}

static void put_row(const struct report *report, const struct report_row *row, FILE *out, struct style style)
{
    struct report_words words;
    char clock[DATE_CHARS], number[24], entry[TEXT_BYTES], happened[REPORT_WORDS_BYTES + 2 * TEXT_BYTES];
    enum { INDENT = 10 };
    report_words(report, row, style, &words);
    bool emergency = words.what == REPORT_EMERGENCY;
    snprintf(number, sizeof number, "%llu", (unsigned long long)row->item->place);
    fprintf(out, "  %s%s %s%s ", tone_on(style, tone_of(words.what)), report_clock(row->item->at_ms, clock),
            mark_text(style, mark_of(words.what)), tone_off(style, tone_of(words.what)));
    snprintf(happened, sizeof happened, "%s%s%s (%s)", emergency ? text_find(style, "report.emergency") : "",
             emergency ? ": " : "", words.happened, text_fill(style, entry, "report.entry", "place", number, NULL));
    put_wrapped(out, happened, INDENT, INDENT);
    if (!*words.after)
        return;
    fprintf(out, "%*s%s", INDENT, "", tone_on(style, TONE_DIM));
    put_wrapped(out, words.after, INDENT, INDENT);
    fputs(tone_off(style, TONE_DIM), out);
}

void report_text(const struct report *report, FILE *out, struct style style)
{
    struct report_line lines[REPORT_LINES_MAX];
    char text[TEXT_BYTES], day[DATE_CHARS] = "", next[DATE_CHARS];
    bool any = false;
    fprintf(out, "%s%s%s\n", tone_on(style, TONE_STRONG), text_find(style, "report.title"),
            tone_off(style, TONE_STRONG));
    put_wrapped(out, report_subject(report, style, text), 0, 0);
    put_wrapped(out, report_period(report, style, text), 0, 0);
    put_wrapped(out, report_extent(report, style, text), 0, 0);
    if (report_rules(report, style, text))
        put_wrapped(out, text, 0, 0);
    size_t n = report_summary(report, style, lines);
    for (size_t i = 0; i < n; i++) {
        fputs("  - ", out);
        put_wrapped(out, lines[i].text, 4, 4);
    }
    for (struct report_row row = {0}; report_next(report, &row); any = true) {
        report_day(style, row.item->at_ms, next);
        if (strcmp(day, next) != 0)
            fprintf(out, "\n%s%s%s\n", tone_on(style, TONE_STRONG), next, tone_off(style, TONE_STRONG));
        memcpy(day, next, sizeof day);
        put_row(report, &row, out, style);
    }
    if (!any)
        fprintf(out, "\n%s\n", text_find(style, "report.nothing"));
}
