// Escape sequences (HL7 v2.5.1 section 2.7): reading and writing them.
#include "hl7v2_internal.h"

#include <stdio.h>
#include <string.h>

#define SPACES_MAX 99u // what one \.sp\ or \.sk\ may ask for
#define HEX_MAX 512u   // bytes in one \X..\; longer ones are kept as they are

// Collects output as snprintf would: all of it is counted, what fits whole is kept.
struct sink {
    char *out;
    size_t size;
    size_t kept;
    size_t needed;
};

// Adds one unit that must not be cut: a character or an escape sequence.
static void put(struct sink *sink, const char *unit, size_t len)
{
    if (sink->kept == sink->needed && sink->needed + len < sink->size) {
        memcpy(sink->out + sink->kept, unit, len);
        sink->kept += len;
    }
    sink->needed += len;
}

static void put_repeated(struct sink *sink, char character, unsigned count)
{
    while (count-- > 0)
        put(sink, &character, 1);
}

static size_t finish(struct sink *sink)
{
    if (sink->size > 0)
        sink->out[sink->kept] = '\0';
    return sink->needed;
}

// Adds the first character of text, which is valid UTF-8 unless it comes from a caller's mistake.
static size_t put_character(struct sink *sink, const char *text, size_t len)
{
    const uint8_t *bytes = (const uint8_t *)text;
    size_t unit = *bytes < 0x80 ? 1 : hl7v2_utf8_sequence(bytes, len);
    if (unit > 0)
        put(sink, text, unit);
    else
        put(sink, "\xEF\xBF\xBD", 3);
    return unit > 0 ? unit : 1;
}

static void put_text(struct sink *sink, const char *text, size_t len)
{
    for (size_t i = 0; i < len;)
        i += put_character(sink, text + i, len - i);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// \X0D0A\: bytes of the message's own character set.
static bool put_hex(struct sink *sink, const struct hl7v2_message *self, const char *digits, size_t len)
{
    uint8_t bytes[HEX_MAX];
    char text[3 * HEX_MAX];
    if (len == 0 || len % 2 != 0 || len / 2 > HEX_MAX)
        return false;
    for (size_t i = 0; i < len; i += 2) {
        int high = hex_digit(digits[i]), low = hex_digit(digits[i + 1]);
        if (high < 0 || low < 0)
            return false;
        bytes[i / 2] = (uint8_t)(high << 4 | low);
    }
    const struct hl7v2_charset *charset = self->charset;
    if (charset->kind == HL7V2_CHARSET_ASCII)
        charset = hl7v2_charset_find("8859/1", 6);
    struct hl7v2_decoded decoded = hl7v2_charset_decode(charset, bytes, len / 2, text);
    put_text(sink, text, decoded.len);
    return true;
}

static unsigned count_in(const char *digits, size_t len, unsigned otherwise)
{
    unsigned count = 0;
    if (len > 0 && *digits == '+') {
        digits++;
        len--;
    }
    if (len == 0)
        return otherwise;
    for (size_t i = 0; i < len && digits[i] >= '0' && digits[i] <= '9' && count <= SPACES_MAX; i++)
        count = count * 10 + (unsigned)(digits[i] - '0');
    return count < SPACES_MAX ? count : SPACES_MAX;
}

// The formatting commands of FT (2.7.6). Plain text has no indents or word wrap: these are dropped.
static bool put_layout(struct sink *sink, const char *command, size_t len)
{
    static const char *const dropped[] = {"fi", "nf", "in", "ti"};
    if (len < 2)
        return false;
    if (memcmp(command, "br", 2) == 0 || memcmp(command, "ce", 2) == 0) {
        put_repeated(sink, '\n', 1);
        return true;
    }
    if (memcmp(command, "sp", 2) == 0) {
        put_repeated(sink, '\n', 1 + count_in(command + 2, len - 2, 1));
        return true;
    }
    if (memcmp(command, "sk", 2) == 0) {
        put_repeated(sink, ' ', count_in(command + 2, len - 2, 1));
        return true;
    }
    for (size_t i = 0; i < sizeof dropped / sizeof dropped[0]; i++)
        if (memcmp(command, dropped[i], 2) == 0)
            return true;
    return false;
}

static char delimiter_for(const struct hl7v2_delimiters *delimiters, char code)
{
    switch (code) {
    case 'F':
        return delimiters->field;
    case 'S':
        return delimiters->component;
    case 'T':
        return delimiters->subcomponent;
    case 'R':
        return delimiters->repetition;
    case 'E':
        return delimiters->escape;
    case 'P':
        return delimiters->truncation != '\0' ? delimiters->truncation : '#';
    default:
        return '\0';
    }
}

// Writes what the sequence between two escape characters stands for; false when it is not one.
static bool put_sequence(struct sink *sink, const struct hl7v2_message *self, const char *body, size_t len)
{
    if (len == 0)
        return false;
    if (len == 1) {
        char delimiter = delimiter_for(&self->delimiters, body[0]);
        if (delimiter != '\0')
            put(sink, &delimiter, 1);
        return delimiter != '\0' || body[0] == 'H' || body[0] == 'N';
    }
    switch (body[0]) {
    case 'X':
        return put_hex(sink, self, body + 1, len - 1);
    case '.':
        return put_layout(sink, body + 1, len - 1);
    case 'C':
    case 'M': // a change of character set: not supported, kept whole
        for (size_t i = 1; i < len; i++)
            if (hex_digit(body[i]) < 0)
                return false;
        // fall through
    case 'Z': // the sender's own, kept whole
        put_text(sink, body - 1, len + 2);
        return true;
    default:
        return false;
    }
}

size_t hl7v2_unescape(const struct hl7v2_message *self, struct hl7v2_value value, char *out, size_t size)
{
    struct sink sink = {.out = out, .size = size};
    const char *at = value.at, *end = value.at + value.len;
    char escape = self->delimiters.escape;
    const char *closing = at; // nothing before it is an escape character that could close a sequence
    while (at < end) {
        if (escape == '\0' || *at != escape) {
            at += put_character(&sink, at, (size_t)(end - at));
            continue;
        }
        closing = closing > at ? closing : memchr(at + 1, escape, (size_t)(end - at - 1));
        if (closing == NULL)
            closing = end;
        if (closing < end && put_sequence(&sink, self, at + 1, (size_t)(closing - at - 1)))
            at = closing + 1;
        else
            // A lone one (C:\TEMP): it stands for itself, and what seemed to close it may open another.
            put(&sink, at++, 1);
    }
    return finish(&sink);
}

// Adds an escape sequence, or a space when the delimiters have no escape character.
static void put_escape(struct sink *sink, const struct hl7v2_delimiters *delimiters, const char *body)
{
    char sequence[8];
    char escape = delimiters->escape;
    if (escape == '\0') {
        put(sink, " ", 1);
        return;
    }
    int len = snprintf(sequence, sizeof sequence, "%c%s%c", escape, body, escape);
    put(sink, sequence, (size_t)len);
}

size_t hl7v2_escape(const struct hl7v2_delimiters *delimiters, const char *text, char *out, size_t size)
{
    struct sink sink = {.out = out, .size = size};
    size_t len = strlen(text);
    for (size_t i = 0; i < len;) {
        char code = '\0';
        for (const char *c = "FSTREP"; *c != '\0' && code == '\0'; c++)
            // \P\ is for messages that have a truncation character; elsewhere # is an ordinary one.
            if ((*c != 'P' || delimiters->truncation != '\0') && delimiter_for(delimiters, *c) == text[i])
                code = *c;
        bool line_end = text[i] == '\n' || text[i] == '\r';
        if (code == '\0' && !line_end && (uint8_t)text[i] >= ' ') {
            i += put_character(&sink, text + i, len - i);
            continue;
        }
        if (code != '\0')
            put_escape(&sink, delimiters, (char[]){code, '\0'});
        else if (line_end)
            put_escape(&sink, delimiters, ".br");
        else
            put(&sink, " ", 1);
        i += text[i] == '\r' && text[i + 1] == '\n' ? 2 : 1;
    }
    return finish(&sink);
}
