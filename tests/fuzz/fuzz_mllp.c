// Any bytes cut anywhere: the frames and the fault must be the same as without cuts, and each message
// must survive being framed again.
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mllp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct tally {
    size_t messages;
    uint64_t bytes;
    uint32_t hash;
    enum mllp_fault fault;
    uint64_t fault_position;
};

static void add_message(struct tally *tally, const struct mllp_event *event)
{
    tally->messages++;
    tally->bytes += event->len;
    for (size_t i = 0; i < event->len; i++)
        tally->hash = tally->hash * 16777619u ^ event->data[i];
    size_t needed = mllp_encode(event->data, event->len, NULL, 0);
    assert(needed == event->len + MLLP_OVERHEAD_BYTES);
}

// Chunks of step bytes, or of lengths that the data itself gives when step is 0.
static struct tally run(const uint8_t *data, size_t size, const struct mllp_options *options, size_t step)
{
    struct tally tally = {0};
    struct mllp_decoder *decoder = mllp_decoder_new(options);
    assert(decoder != NULL);
    for (size_t at = 0; at < size && tally.fault == MLLP_FAULT_NONE;) {
        size_t len = step > 0 ? step : 1 + data[at] % 7;
        size_t used, end = size - at < len ? size : at + len;
        while (at < end && tally.fault == MLLP_FAULT_NONE) {
            struct mllp_event event;
            enum mllp_result result = mllp_decode(decoder, data + at, end - at, &used, &event);
            assert(used <= end - at && (result != MLLP_NEED_MORE || used == end - at));
            at += used;
            assert(mllp_position(decoder) == at);
            if (result == MLLP_MESSAGE)
                add_message(&tally, &event);
            tally.fault = result == MLLP_BROKEN ? event.fault : MLLP_FAULT_NONE;
            tally.fault_position = event.fault_position;
        }
    }
    mllp_decoder_destroy(&decoder);
    return tally;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct mllp_options options = {
        .frame_max_bytes = 200, .tolerate_line_ends = data[0] & 1, .strict_control_bytes = data[0] & 2};
    struct tally whole = run(data + 1, size - 1, &options, size);
    for (size_t step = 0; step < 4; step++) {
        struct tally cut = run(data + 1, size - 1, &options, step);
        assert(cut.messages == whole.messages && cut.bytes == whole.bytes && cut.hash == whole.hash);
        assert(cut.fault == whole.fault && cut.fault_position == whole.fault_position);
    }
    return 0;
}
