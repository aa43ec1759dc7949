// What was written, in ISO 8859-1.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hl7v2_charset.h"
#include "hl7v2_write.h"

#define SEQUENCE_BYTES 12u // \ZU10FFFF\ and a zero

// Marks that plain ones can stand in for without a change of meaning.
static const struct {
    uint32_t code;
    const char *plain;
} plain_marks[] = {
    {0x0152, "OE"},  {0x0153, "oe"},   {0x0160, "S"},   {0x0161, "s"},  {0x0178, "Y"},  {0x017D, "Z"},
    {0x017E, "z"},   {0x2010, "-"},    {0x2011, "-"},   {0x2012, "-"},  {0x2013, "-"},  {0x2014, "-"},
    {0x2018, "'"},   {0x2019, "'"},    {0x201C, "\""},  {0x201D, "\""}, {0x201E, "\""}, {0x2022, "-"},
    {0x2026, "..."}, {0x202F, "\xA0"}, {0x20AC, "EUR"}, {0x2212, "-"},
};

static uint32_t code_point(const uint8_t *bytes, size_t len)
{
    static const uint8_t first_bits[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    uint32_t code = bytes[0] & first_bits[len];
    for (size_t i = 1; i < len; i++)
        code = code << 6 | (bytes[i] & 0x3F);
    return code;
}

// Writes a character; returns how many bytes. *escaped counts those that the set does not have.
static size_t encode(uint32_t code, char out[SEQUENCE_BYTES], size_t *escaped)
{
    if (code < 0x80 || (code >= 0xA0 && code <= 0xFF)) {
        out[0] = (char)code;
        return 1;
    }
    for (size_t i = 0; i < sizeof plain_marks / sizeof plain_marks[0]; i++)
        if (plain_marks[i].code == code)
            return (size_t)snprintf(out, SEQUENCE_BYTES, "%s", plain_marks[i].plain);
    (*escaped)++;
    return (size_t)snprintf(out, SEQUENCE_BYTES, "\\ZU%04X\\", (unsigned)code);
}

size_t hl7v2_writer_to_latin1(struct hl7v2_writer *self)
{
    size_t escaped = 0, len = 0;
    if (self->status != HL7V2_WRITE_OK || self->text == NULL)
        return 0;
    // The longest becomes SEQUENCE_BYTES - 1 from two bytes or more.
    char *out = malloc(self->len / 2 * (SEQUENCE_BYTES - 1) + self->len + SEQUENCE_BYTES);
    if (out == NULL) {
        self->status = HL7V2_WRITE_NO_MEMORY;
        return 0;
    }
    const uint8_t *in = (const uint8_t *)self->text;
    for (size_t i = 0; i < self->len;) {
        char bytes[SEQUENCE_BYTES];
        size_t unit = in[i] < 0x80 ? 1 : hl7v2_utf8_sequence(in + i, self->len - i);
        size_t n = encode(code_point(in + i, unit), bytes, &escaped); // hl7v2_escape lets only valid UTF-8 through
        memcpy(out + len, bytes, n);
        len += n;
        i += unit;
    }
    free(self->text);
    self->text = out;
    self->size = self->len / 2 * (SEQUENCE_BYTES - 1) + self->len + SEQUENCE_BYTES;
    self->len = len;
    if (len > self->max_bytes)
        self->status = HL7V2_WRITE_TOO_LARGE;
    return escaped;
}
