#include "utf8.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

// True when the eight bytes are all in 0x01..0x7F. Subtracting one from each byte borrows into bit 7 only
// where a byte was 0 (or where its neighbour was, which is refused just the same).
static bool eight_are_ascii(uint64_t word)
{
    return ((word | (word - 0x0101010101010101u)) & 0x8080808080808080u) == 0;
}

// The same of one to seven bytes, from which a word is made by reading some of them twice.
static bool few_are_ascii(const uint8_t *s, size_t len)
{
    uint64_t word;

    if (len >= 4) {
        uint32_t first, last;
        memcpy(&first, s, sizeof first);
        memcpy(&last, s + len - sizeof last, sizeof last);
        word = (uint64_t)first << 32 | last;
    } else {
        word = 0x0101010101000000u | (uint64_t)s[0] << 16 | (uint64_t)s[len / 2] << 8 | s[len - 1];
    }
    return eight_are_ascii(word);
}

// The bytes that the sequence at s takes, of at most len; 0 when it is not well-formed. s[0] is not ASCII.
// Only the second byte has a range that depends on the first: that is where overlong forms, surrogates and
// values beyond U+10FFFF are cut off.
static size_t sequence_length(const uint8_t *s, size_t len)
{
    uint8_t low = 0x80, high = 0xBF;
    size_t want;

    if (s[0] >= 0xC2 && s[0] <= 0xDF) {
        want = 2;
    } else if (s[0] >= 0xE0 && s[0] <= 0xEF) {
        want = 3;
        if (s[0] == 0xE0)
            low = 0xA0;
        else if (s[0] == 0xED)
            high = 0x9F;
    } else if (s[0] >= 0xF0 && s[0] <= 0xF4) {
        want = 4;
        if (s[0] == 0xF0)
            low = 0x90;
        else if (s[0] == 0xF4)
            high = 0x8F;
    } else {
        return 0;
    }
    if (len < want || s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < want; i++) {
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    }
    return want;
}

size_t utf8_valid_prefix(const void *text, size_t len)
{
    const uint8_t *s = text;
    size_t at = 0;

    while (at < len) {
        uint64_t word;
        while (len - at >= sizeof word) {
            memcpy(&word, s + at, sizeof word);
            if (!eight_are_ascii(word))
                break;
            at += sizeof word;
        }
        if (at == len || (len - at < sizeof word && few_are_ascii(s + at, len - at)))
            return len;
        if (s[at] == 0)
            break;
        if (s[at] < 0x80) {
            at++;
            continue;
        }
        size_t taken = sequence_length(s + at, len - at);
        if (taken == 0)
            break;
        at += taken;
    }
    return at;
}
