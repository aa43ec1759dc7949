#include "jsonlex.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

// What is being read. A fault leaves `at` where it is.
struct lex {
    const char *text;
    size_t at, len;
    const char *expected; // NULL as long as there is no fault
};

static bool fault(struct lex *l, const char *expected)
{
    l->expected = expected;
    return false;
}

static bool next_is(const struct lex *l, const char *any_of)
{
    return l->at < l->len && strchr(any_of, l->text[l->at]) != NULL;
}

static bool next_is_digit(const struct lex *l)
{
    return l->at < l->len && l->text[l->at] >= '0' && l->text[l->at] <= '9';
}

// The value of the four hexadecimal digits of \uXXXX at `at`, or -1 when it isn't one.
static int unicode_escape(const struct lex *l, size_t at)
{
    int value = 0;

    if (l->len - at < 6 || l->text[at] != '\\' || l->text[at + 1] != 'u')
        return -1;
    for (size_t i = at + 2; i < at + 6; i++) {
        static const char digits[] = "0123456789abcdef";
        const char *digit = memchr(digits, tolower((unsigned char)l->text[i]), sizeof digits - 1);
        if (!digit)
            return -1;
        value = value << 4 | (int)(digit - digits);
    }
    return value;
}

static bool lex_escape(struct lex *l)
{
    if (l->len - l->at >= 2 && strchr("\"\\/bfnrt", l->text[l->at + 1])) {
        l->at += 2;
        return true;
    }
    int unit = unicode_escape(l, l->at);
    if (unit < 0)
        return fault(l, "an escape that exists, such as \\n or \\u00e9");
    if (unit == 0)
        return fault(l, "no NUL in a string");
    if (unit >= 0xD800 && unit <= 0xDBFF) {
        int low = l->len - l->at >= 12 ? unicode_escape(l, l->at + 6) : -1;
        if (low < 0xDC00 || low > 0xDFFF)
            return fault(l, "both halves of a surrogate pair");
        l->at += 6;
    } else if (unit >= 0xDC00 && unit <= 0xDFFF) {
        return fault(l, "both halves of a surrogate pair");
    }
    l->at += 6;
    return true;
}

// From after the opening quote to after the closing one. A string that doesn't end is left to json-c.
static bool lex_string(struct lex *l)
{
    while (l->at < l->len && l->text[l->at] != '"') {
        if ((unsigned char)l->text[l->at] < 0x20)
            return fault(l, "control characters in a string as an escape, such as \\n or \\u001f");
        if (l->text[l->at] != '\\')
            l->at++;
        else if (!lex_escape(l))
            return false;
    }
    if (l->at < l->len)
        l->at++;
    return true;
}

static bool lex_digits(struct lex *l)
{
    if (!next_is_digit(l))
        return fault(l, "a digit");
    while (next_is_digit(l))
        l->at++;
    return true;
}

// Whether the digits from first to `at` are a magnitude that 64 bits hold, of either sign.
static bool fits(const struct lex *l, size_t first, bool negative)
{
    uint64_t magnitude = 0;
    for (size_t i = first; i < l->at; i++) {
        if (__builtin_mul_overflow(magnitude, 10u, &magnitude) ||
            __builtin_add_overflow(magnitude, (uint64_t)(l->text[i] - '0'), &magnitude))
            return false;
    }
    return !negative || magnitude <= UINT64_C(1) << 63;
}

static bool lex_number(struct lex *l)
{
    size_t start = l->at;
    bool negative = next_is(l, "-"), whole = true;
    size_t first = start + negative;

    l->at = first;
    if (!lex_digits(l))
        return false;
    size_t integer_end = l->at;
    if (next_is(l, ".")) {
        whole = false;
        l->at++;
        if (!lex_digits(l))
            return false;
    }
    if (next_is(l, "eE")) {
        whole = false;
        l->at++;
        l->at += next_is(l, "+-");
        if (!lex_digits(l))
            return false;
    }
    if (l->text[first] == '0' && integer_end - first > 1) {
        l->at = start;
        return fault(l, "a number without leading zeros");
    }
    if (whole && !fits(l, first, negative)) {
        l->at = start;
        return fault(l, "an integer that fits 64 bits; a larger number needs an exponent");
    }
    return true;
}

size_t jsonlex_valid_prefix(const char *text, size_t len, const char **expected)
{
    struct lex l = {.text = text, .len = len};
    bool going = true;

    while (going && l.at < len) {
        if (next_is(&l, "\"")) {
            l.at++;
            going = lex_string(&l);
        } else if (next_is(&l, "-") || next_is_digit(&l)) {
            going = lex_number(&l);
        } else if (next_is(&l, "'")) {
            going = fault(&l, "double quotes");
        } else {
            l.at++;
        }
    }
    if (!going)
        *expected = l.expected;
    return going ? len : l.at;
}
