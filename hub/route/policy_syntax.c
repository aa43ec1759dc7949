#include "policy_syntax.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* One line, without its end; a cursor moves through it. */
struct line {
    size_t number; /* from 1 */
    const char *at;
    const char *end;
    char *error;
    size_t error_size;
};

__attribute__((format(printf, 2, 3))) static bool wrong(const struct line *line, const char *format, ...)
{
    char what[POLICY_LINE_MAX_BYTES + 100]; /* room for a whole line and what is wrong with it */
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    snprintf(line->error, line->error_size, "line %zu: %s", line->number, what);
    return false;
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
}

static void skip_spaces(struct line *line)
{
    while (line->at < line->end && *line->at == ' ')
        line->at++;
}

/* At the end, or before a comment, which may say anything. */
static bool at_rest(const struct line *line)
{
    return line->at == line->end || *line->at == '#';
}

/* Control characters are refused even in comments: an operator's terminal may show this file. */
static bool check_bytes(const struct line *line)
{
    if (line->end - line->at > POLICY_LINE_MAX_BYTES)
        return wrong(line, "longer than %d bytes: break it up, or move the comment to lines of its own",
                     POLICY_LINE_MAX_BYTES);
    bool comment = false;
    for (const char *at = line->at; at < line->end; at++) {
        unsigned char c = (unsigned char)*at;
        if (c == '\t')
            return wrong(line, "a tab: indent with %d spaces for each level", POLICY_INDENT);
        if (c < 0x20 || c == 0x7f)
            return wrong(line, "control character 0x%02x: only text is allowed", c);
        comment = comment || c == '#';
        if (c >= 0x80 && !comment)
            return wrong(line, "byte 0x%02x: outside comments only plain ASCII is allowed", c);
    }
    return true;
}

/* The level of the line's indentation, or -1. */
static int check_indent(struct line *line, int level_max)
{
    const char *start = line->at;
    skip_spaces(line);
    ptrdiff_t spaces = line->at - start;
    if (spaces % POLICY_INDENT != 0) {
        wrong(line, "indented by %td spaces: use %d for each level", spaces, POLICY_INDENT);
        return -1;
    }
    int level = (int)(spaces / POLICY_INDENT);
    if (!at_rest(line) && level > level_max) {
        wrong(line, "indented too far: here at most %d spaces", level_max * POLICY_INDENT);
        return -1;
    }
    return level;
}

static bool check_value(struct line *line)
{
    skip_spaces(line);
    if (at_rest(line))
        return wrong(line, "nothing behind '=': write the value, or leave '=' away");
    if (*line->at != '"' && *line->at != '\'')
        return true; /* runs to the end or the comment */
    char quote = *line->at++;
    const char *close = memchr(line->at, quote, (size_t)(line->end - line->at));
    if (!close)
        return wrong(line, "the closing %c is missing", quote);
    line->at = close + 1;
    skip_spaces(line);
    return at_rest(line) || wrong(line, "text behind the closing %c: put it inside, or behind a '#'", quote);
}

/* Checks one line; *level_max is how far it may be indented, and becomes that of the next. */
static bool check_line(struct line *line, int *level_max)
{
    if (!check_bytes(line))
        return false;
    int level = check_indent(line, *level_max);
    if (level < 0)
        return false;
    if (at_rest(line))
        return true;
    const char *name = line->at;
    while (line->at < line->end && is_name_char(*line->at))
        line->at++;
    if (line->at == name)
        return wrong(line, "'%c' cannot start a name: use letters, digits, '-', '_' and '.'", *name);
    int length = (int)(line->at - name);
    *level_max = level + 1 < POLICY_DEPTH_MAX ? level + 1 : POLICY_DEPTH_MAX - 1;
    skip_spaces(line);
    if (at_rest(line))
        return true;
    if (*line->at != '=')
        return wrong(line, "expected '=' behind '%.*s', found '%c'", length, name, *line->at);
    line->at++;
    return check_value(line);
}

bool policy_syntax(const char *text, size_t size, char *error, size_t error_size)
{
    struct line line = {.error = error, .error_size = error_size};
    int level_max = 0;
    for (size_t at = 0; at < size;) {
        const char *newline = memchr(text + at, '\n', size - at);
        size_t length = newline ? (size_t)(newline - (text + at)) : size - at;
        line.number++;
        line.at = text + at;
        line.end = line.at + length;
        while (line.end > line.at && (line.end[-1] == ' ' || line.end[-1] == '\r'))
            line.end--;
        if (!check_line(&line, &level_max))
            return false;
        at += length + (newline ? 1 : 0);
    }
    return true;
}
