// Buffers that hold more than one message, or a header that cannot be trusted.
#include "hl7v2_internal.h"

#include <stdlib.h>
#include <string.h>

#define SALVAGE_MAX_BYTES 4096u // of a header line; a real one is shorter than 500
#define SALVAGE_FIELDS 18u
#define BATCH_CONTROL_ID 11u // BHS-11 and FHS-11, 2.15.2 and 2.15.6

enum hl7v2_kind hl7v2_kind_of(const void *buffer, size_t len)
{
    static const struct {
        char name[4];
        enum hl7v2_kind kind;
    } kinds[] = {{"MSH", HL7V2_KIND_MESSAGE}, {"BHS", HL7V2_KIND_BATCH}, {"FHS", HL7V2_KIND_FILE}};
    const uint8_t *bytes = buffer;
    size_t start = hl7v2_skip_leading(bytes, len);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0] && len - start >= 3; i++)
        if (memcmp(bytes + start, kinds[i].name, 3) == 0)
            return kinds[i].kind;
    return HL7V2_KIND_OTHER;
}

static size_t next_line(const uint8_t *bytes, size_t len, size_t at)
{
    while (at < len && !hl7v2_is_break(bytes[at]))
        at++;
    while (at < len && hl7v2_is_break(bytes[at]))
        at++;
    return at;
}

// The end of a message without the MLLP frame behind it, if there is one.
static size_t before_frame(const uint8_t *bytes, size_t at, size_t end)
{
    for (size_t i = end; i > at && hl7v2_is_break(bytes[i - 1]); i--)
        if (bytes[i - 1] == HL7V2_FRAME_BEGIN || bytes[i - 1] == HL7V2_FRAME_END)
            end = i - 1;
    return end;
}

static bool begins_with(const uint8_t *bytes, size_t len, size_t at, const char *name)
{
    return len - at >= 4 && memcmp(bytes + at, name, 3) == 0 && !(bytes[at + 3] >= 'A' && bytes[at + 3] <= 'Z') &&
           bytes[at + 3] > ' ';
}

static bool begins_batch_segment(const uint8_t *bytes, size_t len, size_t at)
{
    if (len - at >= 3 && (memcmp(bytes + at, "BTS", 3) == 0 || memcmp(bytes + at, "FTS", 3) == 0))
        return true; // trailers may stand without a field
    return begins_with(bytes, len, at, "BHS") || begins_with(bytes, len, at, "FHS");
}

bool hl7v2_split_next(const void *buffer, size_t len, size_t *position, const void **message, size_t *message_len)
{
    const uint8_t *bytes = buffer;
    size_t at = *position;
    if (at == 0)
        at = hl7v2_skip_leading(bytes, len);
    while (at < len && !begins_with(bytes, len, at, "MSH"))
        at = next_line(bytes, len, at);
    size_t end = at < len ? next_line(bytes, len, at) : at;
    while (end < len && !begins_with(bytes, len, end, "MSH") && !begins_batch_segment(bytes, len, end))
        end = next_line(bytes, len, end);
    *position = end;
    *message = bytes + at;
    *message_len = before_frame(bytes, at, end) - at;
    return at < len;
}

// The fields of a header line, by the separator after its name; the first is MSH-3 at index 3.
struct header_fields {
    const char *at[SALVAGE_FIELDS + 1];
    size_t len[SALVAGE_FIELDS + 1];
};

static void split_header(const char *line, size_t len, struct header_fields *fields)
{
    *fields = (struct header_fields){0};
    if (len < 5)
        return;
    const char *end = line + len, *at = memchr(line + 4, line[3], len - 4);
    for (unsigned field = 3; at != NULL && field <= SALVAGE_FIELDS; field++) {
        const char *stop = memchr(at + 1, line[3], (size_t)(end - at - 1));
        fields->at[field] = at + 1;
        fields->len[field] = (size_t)((stop != NULL ? stop : end) - at - 1);
        at = stop;
    }
}

// Writes the salvaged fields as an MSH with the usual delimiters; what would break it becomes a space.
static size_t rebuild_header(const struct header_fields *fields, bool batch, char *out)
{
    static const char start[] = "MSH|^~\\&";
    size_t used = sizeof start - 1;
    memcpy(out, start, used);
    for (unsigned field = 3; field <= SALVAGE_FIELDS; field++) {
        unsigned from = !batch || field <= 8 ? field : field == 10 ? BATCH_CONTROL_ID : 0;
        out[used++] = '|';
        for (size_t i = 0; i < fields->len[from]; i++)
            out[used++] = fields->at[from][i] == '|' ? ' ' : fields->at[from][i];
    }
    return used;
}

struct hl7v2_message *hl7v2_salvage_header(const void *buffer, size_t len)
{
    static const char empty[] = "MSH|^~\\&|";
    const char *bytes = buffer;
    size_t start = hl7v2_skip_leading(buffer, len), end = start;
    while (end < len && end - start < SALVAGE_MAX_BYTES && bytes[end] != '\r' && bytes[end] != '\n')
        end++;
    enum hl7v2_kind kind = hl7v2_kind_of(bytes, len);
    struct hl7v2_message *self = NULL;
    if (kind == HL7V2_KIND_MESSAGE)
        self = hl7v2_parse(bytes + start, end - start, NULL, NULL);
    if (self == NULL && kind != HL7V2_KIND_OTHER) {
        char header[sizeof empty + SALVAGE_FIELDS + SALVAGE_MAX_BYTES];
        struct header_fields fields;
        split_header(bytes + start, end - start, &fields);
        self = hl7v2_parse(header, rebuild_header(&fields, kind != HL7V2_KIND_MESSAGE, header), NULL, NULL);
    }
    return self != NULL ? self : hl7v2_parse(empty, sizeof empty - 1, NULL, NULL);
}
