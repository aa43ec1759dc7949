#include "hl7v2_charset.h"

#include <iconv.h>
#include <string.h>
#include <strings.h>
#include <threads.h>

#define REPLACEMENT 0xFFFDu
#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

// 8859/1 is read as Windows-1252: the same from 0xA0 on, and below that the standard's set has control
// characters that no sender means, while Windows senders do mean the euro sign and typographic quotes.
static const struct hl7v2_charset charsets[] = {
    {"ASCII", NULL, HL7V2_CHARSET_ASCII, true},
    {"UNICODE UTF-8", NULL, HL7V2_CHARSET_UTF8, true},
    {"8859/1", "CP1252", HL7V2_CHARSET_SINGLE_BYTE, true},
    {"8859/2", "ISO-8859-2", HL7V2_CHARSET_SINGLE_BYTE, true},
    {"8859/3", "ISO-8859-3", HL7V2_CHARSET_SINGLE_BYTE, true},
    {"8859/4", "ISO-8859-4", HL7V2_CHARSET_SINGLE_BYTE, true},
    {"8859/5", "ISO-8859-5", HL7V2_CHARSET_SINGLE_BYTE, false},
    {"8859/6", "ISO-8859-6", HL7V2_CHARSET_SINGLE_BYTE, false},
    {"8859/7", "ISO-8859-7", HL7V2_CHARSET_SINGLE_BYTE, false},
    {"8859/8", "ISO-8859-8", HL7V2_CHARSET_SINGLE_BYTE, false},
    {"8859/9", "ISO-8859-9", HL7V2_CHARSET_SINGLE_BYTE, true},
    {"8859/15", "ISO-8859-15", HL7V2_CHARSET_SINGLE_BYTE, true},
};

// Spellings outside table 0211, with what they mean. "UNICODE" is UCS-2 in the table, which MLLP cannot
// carry: whoever sends it over MLLP means UTF-8.
static const struct {
    const char *spelling;
    const char *name;
} spellings[] = {
    {"ISO IR6", "ASCII"},      {"US-ASCII", "ASCII"},        {"UTF-8", "UNICODE UTF-8"},
    {"UTF8", "UNICODE UTF-8"}, {"UNICODE", "UNICODE UTF-8"}, {"UNICODE UTF8", "UNICODE UTF-8"},
    {"ISO IR100", "8859/1"},   {"LATIN1", "8859/1"},         {"WINDOWS-1252", "8859/1"},
    {"CP1252", "8859/1"},
};

static const struct hl7v2_charset *find_exact(const char *name, size_t len)
{
    for (size_t i = 0; i < COUNT_OF(charsets); i++)
        if (strlen(charsets[i].name) == len && strncasecmp(charsets[i].name, name, len) == 0)
            return &charsets[i];
    return NULL;
}

// ISO-8859-15, ISO8859-15, ISO_8859-15, ISO 8859/15, 8859-15: all of them end in 8859, a mark, a number.
static const struct hl7v2_charset *find_iso_8859(const char *name, size_t len)
{
    if (len > 3 && strncasecmp(name, "ISO", 3) == 0) {
        name += 3;
        len -= 3;
        if (*name == '-' || *name == '_' || *name == ' ') {
            name++;
            len--;
        }
    }
    char canonical[8] = "8859/";
    if (len < 6 || len > 7 || memcmp(name, "8859", 4) != 0 || strchr("-/_", name[4]) == NULL)
        return NULL;
    memcpy(canonical + 5, name + 5, len - 5);
    return find_exact(canonical, len);
}

const struct hl7v2_charset *hl7v2_charset_find(const char *name, size_t len)
{
    while (len > 0 && name[0] == ' ') {
        name++;
        len--;
    }
    while (len > 0 && name[len - 1] == ' ')
        len--;
    const struct hl7v2_charset *found = find_exact(name, len);
    if (found == NULL)
        found = find_iso_8859(name, len);
    for (size_t i = 0; found == NULL && i < COUNT_OF(spellings); i++)
        if (strlen(spellings[i].spelling) == len && strncasecmp(spellings[i].spelling, name, len) == 0)
            found = find_exact(spellings[i].name, strlen(spellings[i].name));
    return found;
}

// RFC 3629 section 4: no overlong forms, no surrogates, nothing above U+10FFFF.
size_t hl7v2_utf8_sequence(const uint8_t *bytes, size_t len)
{
    uint8_t first = bytes[0];
    size_t need = first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
    if (need == 0 || len < need)
        return 0;
    uint8_t low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    uint8_t high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    if (bytes[1] < low || bytes[1] > high)
        return 0;
    for (size_t i = 2; i < need; i++)
        if ((bytes[i] & 0xC0) != 0x80)
            return 0;
    return need;
}

bool hl7v2_utf8_valid(const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t step = bytes[i] < 0x80 ? 1 : hl7v2_utf8_sequence(bytes + i, len - i);
        if (step == 0)
            return false;
        i += step;
    }
    return true;
}

size_t hl7v2_count_special(const uint8_t *bytes, size_t len)
{
    size_t count = 0;
    for (size_t i = 0; i < len; i++)
        count += (uint8_t)(bytes[i] - 1) >= 0x7F;
    return count;
}

// The code points of bytes 0x80 to 0xFF. Kept for the thread's last set: opening a conversion for each
// message would cost more than parsing it.
static const uint16_t *high_half(const struct hl7v2_charset *charset)
{
    static thread_local const struct hl7v2_charset *cached;
    static thread_local uint16_t table[128];
    if (cached == charset)
        return table;
    iconv_t conversion = iconv_open("UTF-16LE", charset->iconv_name);
    for (unsigned i = 0; i < 128; i++) {
        char byte = (char)(0x80 + i);
        uint8_t unit[2];
        char *in = &byte, *out = (char *)unit;
        size_t in_left = 1, out_left = sizeof unit;
        bool ok = conversion != (iconv_t)-1 && iconv(conversion, &in, &in_left, &out, &out_left) != (size_t)-1 &&
                  out_left == 0;
        table[i] = ok ? (uint16_t)(unit[0] | unit[1] << 8) : REPLACEMENT;
    }
    if (conversion != (iconv_t)-1)
        iconv_close(conversion);
    cached = charset;
    return table;
}

static size_t put_utf8(char *out, uint16_t code)
{
    if (code < 0x800) {
        out[0] = (char)(0xC0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    out[0] = (char)(0xE0 | code >> 12);
    out[1] = (char)(0x80 | (code >> 6 & 0x3F));
    out[2] = (char)(0x80 | (code & 0x3F));
    return 3;
}

struct hl7v2_decoded hl7v2_charset_decode(const struct hl7v2_charset *charset, const uint8_t *bytes, size_t len,
                                          char *out)
{
    const uint16_t *table = charset->kind == HL7V2_CHARSET_SINGLE_BYTE ? high_half(charset) : NULL;
    struct hl7v2_decoded done = {0};
    for (size_t i = 0; i < len;) {
        if (bytes[i] != 0 && bytes[i] < 0x80) {
            out[done.len++] = (char)bytes[i++];
            continue;
        }
        size_t sequence = 0;
        if (bytes[i] != 0 && charset->mixes_with_utf8)
            sequence = hl7v2_utf8_sequence(bytes + i, len - i);
        if (sequence > 0) {
            memcpy(out + done.len, bytes + i, sequence);
            done.len += sequence;
            done.as_utf8++;
            i += sequence;
            continue;
        }
        uint16_t code = bytes[i] != 0 && table != NULL ? table[bytes[i] - 0x80] : REPLACEMENT;
        done.replaced += code == REPLACEMENT;
        done.len += put_utf8(out + done.len, code);
        i++;
    }
    return done;
}
