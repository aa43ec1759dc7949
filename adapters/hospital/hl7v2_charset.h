// Character sets of MSH-18 (HL7 table 0211) and their decoding to UTF-8.
//
// Only sets in which every byte below 128 is ASCII are supported: the message can then be split before
// it is decoded. That covers European feeds; UTF-16 cannot travel over MLLP at all.
#ifndef CAREHUB_HL7V2_CHARSET_H
#define CAREHUB_HL7V2_CHARSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum hl7v2_charset_kind { HL7V2_CHARSET_ASCII, HL7V2_CHARSET_UTF8, HL7V2_CHARSET_SINGLE_BYTE };

struct hl7v2_charset {
    const char *name;       // as in table 0211
    const char *iconv_name; // for single-byte sets
    enum hl7v2_charset_kind kind;
    // Whether a UTF-8 sequence in the midst of it is taken as UTF-8: two letters of a Latin set hardly
    // ever make one, whereas in Cyrillic or Greek capitals do.
    bool mixes_with_utf8;
};

// Finds a set by its table 0211 name or a spelling seen in the field (ISO-8859-1, UTF8, ...); case does
// not matter. NULL when not supported.
const struct hl7v2_charset *hl7v2_charset_find(const char *name, size_t len);

// The length in bytes, 2 to 4, of the valid UTF-8 sequence that begins at bytes[0] >= 0x80; 0 if none.
size_t hl7v2_utf8_sequence(const uint8_t *bytes, size_t len);

bool hl7v2_utf8_valid(const uint8_t *bytes, size_t len);

// The number of bytes that are zero or above 127: each may become 3 bytes in decoding.
size_t hl7v2_count_special(const uint8_t *bytes, size_t len);

struct hl7v2_decoded {
    size_t len;      // bytes written
    size_t replaced; // bytes that became U+FFFD, zero bytes among them
    size_t as_utf8;  // UTF-8 sequences found although the set is a single-byte one
};

// Decodes into out, which has room for len + 2 * hl7v2_count_special(bytes, len) bytes.
struct hl7v2_decoded hl7v2_charset_decode(const struct hl7v2_charset *charset, const uint8_t *bytes, size_t len,
                                          char *out);

#endif
