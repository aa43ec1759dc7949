// Which character set a message is in, and its text as UTF-8. MSH-18 says it (2.15.9.18), but feeds that
// declare 8859/1 or nothing and send UTF-8 are common, so what the bytes are counts for more.
#include "hl7v2_internal.h"

#include <string.h>

#define MSH_18_TOKEN 17u // MSH-18 follows the 17th separator: MSH-1 is one itself

static bool ends_line(uint8_t byte)
{
    return byte == '\r' || byte == '\n';
}

// MSH-18 as it stands in the bytes, all repetitions.
static struct hl7v2_value declared_charsets(const uint8_t *bytes, size_t len, char separator)
{
    unsigned token = 0;
    size_t at = 0;
    while (at < len && !ends_line(bytes[at]) && token < MSH_18_TOKEN)
        token += bytes[at++] == (uint8_t)separator;
    struct hl7v2_value value = {(const char *)bytes + at, 0, HL7V2_ABSENT};
    if (token < MSH_18_TOKEN)
        return value;
    while (at + value.len < len && !ends_line(bytes[at + value.len]) && bytes[at + value.len] != (uint8_t)separator)
        value.len++;
    return value;
}

// The declared set that can carry bytes above 127: the first repetition, unless that is ASCII, which
// cannot, and an alternate can. NULL when none is declared.
static const struct hl7v2_charset *choose_charset(struct hl7v2_value declared, char repetition, unsigned *notes)
{
    const char *at = declared.at, *end = declared.at + declared.len;
    while (at < end) {
        const char *stop = repetition != '\0' ? memchr(at, repetition, (size_t)(end - at)) : NULL;
        if (stop == NULL)
            stop = end;
        const struct hl7v2_charset *charset = hl7v2_charset_find(at, (size_t)(stop - at));
        bool null = stop - at == 2 && memcmp(at, "\"\"", 2) == 0;
        if (charset != NULL && charset->kind != HL7V2_CHARSET_ASCII)
            return charset;
        if (charset == NULL && stop > at && !null)
            *notes |= HL7V2_NOTE_CHARSET_UNKNOWN;
        at = stop + 1;
    }
    return NULL;
}

static const struct hl7v2_charset *ascii_charset(void)
{
    return hl7v2_charset_find("ASCII", 5);
}

static bool has_high_byte(const uint8_t *bytes, size_t len)
{
    uint8_t any = 0;
    for (size_t i = 0; i < len; i++)
        any |= bytes[i];
    return any >= 0x80;
}

void hl7v2_decode_text(struct hl7v2_message *self, const uint8_t *bytes, size_t len, size_t special,
                       const struct hl7v2_options *options)
{
    const struct hl7v2_charset *charset = choose_charset(declared_charsets(bytes, len, self->delimiters.field),
                                                         self->delimiters.repetition, &self->notes);
    self->charset = charset != NULL ? charset : ascii_charset();
    if (special == 0) {
        memcpy(self->text, bytes, len);
        self->text_len = len;
        return;
    }
    bool declared_utf8 = charset != NULL && charset->kind == HL7V2_CHARSET_UTF8;
    if (!declared_utf8 && has_high_byte(bytes, len) && hl7v2_utf8_valid(bytes, len)) {
        self->charset = hl7v2_charset_find("UNICODE UTF-8", 13);
        self->notes |= HL7V2_NOTE_UTF8_UNDECLARED;
    } else if (charset == NULL && !(self->notes & HL7V2_NOTE_CHARSET_UNKNOWN)) {
        const char *assumed = options->undeclared_charset;
        charset = assumed != NULL ? hl7v2_charset_find(assumed, strlen(assumed)) : NULL;
        self->charset = charset != NULL ? charset : ascii_charset();
        self->notes |= HL7V2_NOTE_CHARSET_ASSUMED;
    }
    struct hl7v2_decoded decoded = hl7v2_charset_decode(self->charset, bytes, len, self->text);
    self->text_len = decoded.len;
    self->replaced_bytes = decoded.replaced;
    if (decoded.replaced > 0)
        self->notes |= HL7V2_NOTE_BYTES_REPLACED;
    if (decoded.as_utf8 > 0 && self->charset->kind != HL7V2_CHARSET_UTF8)
        self->notes |= HL7V2_NOTE_UTF8_UNDECLARED;
}
