// Any event that has the form of one is written as a message that parses, in both character sets, or refused; and any
// answer to it is judged. The first byte says what the rest is: an answer, or an event and how it goes out.
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "carehub_adapter.h"
#include "hl7v2.h"
#include "pbcheck.h"

extern const struct carehub_format carehub_format;
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_event(const void *self, const Carehub__V1__Event *event, unsigned how)
{
    const struct carehub_setting charset = {.name = "charset", .value = "8859/1"};
    const struct carehub_setting others = {.name = "care-organisation", .value = "yes", .next = &charset};
    const struct carehub_setting receiver = {.name = "receiver", .value = "", .first = how & 1 ? &charset : &others};
    const struct carehub_departure departure = {.event = event,
                                                .notice = (how & 2) != 0,
                                                .original = how & 4 ? event : NULL,
                                                .receiver = how & 8 ? &receiver : NULL,
                                                .attempt = 1};
    struct carehub_parcel parcel = {0};
    if (carehub_format.write(self, &departure, &parcel) == CAREHUB_WRITTEN) {
        struct hl7v2_error error;
        struct hl7v2_message *message = hl7v2_parse(parcel.bytes, parcel.len, NULL, &error);
        assert(message != NULL && hl7v2_check_header(message, &error));
        hl7v2_message_destroy(&message);
    }
    free(parcel.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void *self;
    char error[CAREHUB_ERROR_BYTES];
    const struct carehub_setting section = {.name = "format", .value = ""};
    if (self == NULL)
        self = carehub_format.configure(&section, "/", error);
    if (size == 0)
        return 0;
    if (data[0] & 0x80) {
        const struct carehub_parcel parcel = {.native_id = "01HXDJMZ00R14D2PF2DB"};
        struct carehub_problem problem;
        carehub_format.judge(self, &parcel, data + 1, size - 1, &problem);
        return 0;
    }
    struct pbcheck_result checked;
    // What the hub delivers has been checked by it.
    Carehub__V1__Event *event =
        pbcheck(&carehub__v1__event__descriptor, data + 1, size - 1, &pbcheck_default_limits, &checked) == PBCHECK_OK
            ? carehub__v1__event__unpack(NULL, size - 1, data + 1)
            : NULL;
    if (event == NULL)
        return 0;
    write_event(self, event, data[0]);
    carehub__v1__event__free_unpacked(event, NULL);
    return 0;
}
