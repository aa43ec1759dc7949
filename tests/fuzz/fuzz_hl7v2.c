// Any bytes: parse, read every position, acknowledge, and parse the acknowledgement, which must be well
// formed and answer with what it was asked to.
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hl7v2.h"
#include "hl7v2_ack.h"
#include "hl7v2_charset.h"
#include "hl7v2_time.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_value(const struct hl7v2_message *message, struct hl7v2_value value)
{
    char text[64], small[3], escaped[256];
    struct hl7v2_time time;
    size_t needed = hl7v2_unescape(message, value, text, sizeof text);
    assert(needed >= sizeof text || strlen(text) == needed);
    assert(hl7v2_utf8_valid((const uint8_t *)text, strlen(text)));
    assert(hl7v2_unescape(message, value, small, sizeof small) == needed);
    hl7v2_escape(hl7v2_delimiters(message), text, escaped, sizeof escaped);
    hl7v2_time_parse(value.at, value.len, NULL, &time);
}

static void read_all(const struct hl7v2_message *message)
{
    size_t segments = hl7v2_segment_count(message);
    for (size_t i = 0; i < segments && i < 12; i++)
        for (unsigned field = 0; field <= hl7v2_field_count(message, i) + 1 && field < 30; field++) {
            unsigned repetitions = hl7v2_repetition_count(message, i, field);
            for (unsigned r = 0; r <= repetitions && r < 4; r++)
                for (unsigned c = 0; c < 4; c++)
                    for (unsigned s = 0; s < 3; s++)
                        read_value(message, hl7v2_segment_get(message, i, field, r, c, s));
        }
}

static void acknowledge(const struct hl7v2_message *message, const struct hl7v2_error *error)
{
    static char text[HL7V2_ACK_MAX_BYTES];
    struct hl7v2_ack_error detail = hl7v2_ack_error_from(error);
    struct hl7v2_ack ack = {.message = message,
                            .code = HL7V2_ACK_AE,
                            .control_id = "1",
                            .errors = &detail,
                            .error_count = error->status != HL7V2_OK};
    size_t len = hl7v2_ack_build(&ack, text, sizeof text);
    assert(len > 0);
    struct hl7v2_message *reply = hl7v2_parse(text, len, NULL, NULL);
    assert(reply != NULL);
    struct hl7v2_value code = hl7v2_get(reply, "MSA", 0, 1, 1, 1, 1);
    assert(code.len == 2 && memcmp(code.at, "AE", 2) == 0);
    hl7v2_message_destroy(&reply);
    hl7v2_ack_decide(message, HL7V2_ACK_STAGE_COMMIT, HL7V2_OUTCOME_ACCEPTED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hl7v2_error error;
    struct hl7v2_message *message = hl7v2_parse(data, size, NULL, &error);
    assert((message == NULL) == (error.status != HL7V2_OK));
    assert(error.offset <= size);
    if (message != NULL) {
        size_t len;
        const char *text = hl7v2_text_bytes(message, &len);
        assert(hl7v2_utf8_valid((const uint8_t *)text, len) && memchr(text, 0, len) == NULL);
        read_all(message);
        hl7v2_check_header(message, &error);
    } else {
        message = hl7v2_salvage_header(data, size);
    }
    acknowledge(message, &error);
    hl7v2_message_destroy(&message);

    size_t position = 0, piece_len, pieces = 0;
    const void *piece;
    while (hl7v2_split_next(data, size, &position, &piece, &piece_len))
        assert(piece_len > 0 && position <= size && ++pieces <= size);
    struct hl7v2_zone *zone = hl7v2_zone_parse(data, size);
    if (zone != NULL)
        hl7v2_zone_offset(zone, 1700000000);
    hl7v2_zone_destroy(&zone);
    return 0;
}
