// MLLP frames: <VT> message <FS> <CR>. A codec for bytes in memory: it neither reads nor writes.
//
// Source: HL7 Transport Specification MLLP, Release 1; HL7 v2.3.1 implementation guide, C.4.3.
#ifndef CAREHUB_MLLP_H
#define CAREHUB_MLLP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MLLP_START_BLOCK 0x0Bu // VT
#define MLLP_END_BLOCK 0x1Cu   // FS, and then
#define MLLP_CARRIAGE_RETURN 0x0Du

#define MLLP_FRAME_MAX_BYTES (4u * 1024u * 1024u) // default for a message, without its three frame bytes
#define MLLP_OVERHEAD_BYTES 3u
#define MLLP_FAULT_BYTES_MAX 8u

enum mllp_fault {
    MLLP_FAULT_NONE,
    MLLP_FAULT_BEFORE_START, // bytes where a frame should begin with VT
    MLLP_FAULT_NO_CR,        // FS that is not followed by CR
    MLLP_FAULT_START_INSIDE, // VT inside a frame
    MLLP_FAULT_CONTROL_BYTE, // a forbidden control byte inside a frame; only with strict_control_bytes
    MLLP_FAULT_TOO_LARGE,    // more than frame_max_bytes
    MLLP_FAULT_NO_MEMORY
};

enum mllp_result {
    MLLP_NEED_MORE, // all bytes were taken
    MLLP_MESSAGE,   // event has a message; call again with the bytes that are left
    MLLP_BROKEN     // event has a fault; the connection cannot be used any more: log it and close
};

struct mllp_options {
    size_t frame_max_bytes;
    // Let CR, LF and blanks between frames pass, counted: many senders add a line end after the frame.
    bool tolerate_line_ends;
    // Break on bytes below 0x20 other than CR inside a frame, as the specification has it. Otherwise
    // they are counted: LF and TAB are too common, and a sender whose connection is closed sends the
    // same message for ever.
    bool strict_control_bytes;
};

#define MLLP_OPTIONS_DEFAULT                                                                                           \
    ((struct mllp_options){.frame_max_bytes = MLLP_FRAME_MAX_BYTES, .tolerate_line_ends = true})

// Positions count bytes from the beginning of the connection, from 0.
struct mllp_event {
    // A message: owned by the decoder and valid until the next call on it. For a fault, what of the
    // message had come in, for a diagnosis.
    const uint8_t *data;
    size_t len;
    uint64_t frame_position;   // of the VT
    size_t stray_bytes;        // line ends and blanks that came before the frame
    size_t control_bytes;      // below 0x20 other than CR, LF and TAB in the message
    uint64_t control_position; // of the first of them, if any
    // A fault.
    enum mllp_fault fault;
    uint64_t fault_position;
    uint8_t fault_bytes[MLLP_FAULT_BYTES_MAX]; // the offending byte and those after it in the same chunk
    size_t fault_bytes_len;
};

struct mllp_decoder;

// options may be NULL for the defaults. Returns NULL without memory. The caller owns it. One thread at
// a time may use it.
struct mllp_decoder *mllp_decoder_new(const struct mllp_options *options);
void mllp_decoder_destroy(struct mllp_decoder **self);

// Takes bytes off a chunk up to the end of the first frame or fault in it, and says how many in *used.
// After a fault every further call returns MLLP_BROKEN with the same fault and takes nothing.
enum mllp_result mllp_decode(struct mllp_decoder *self, const void *bytes, size_t len, size_t *used,
                             struct mllp_event *event);

// Bytes of an unfinished frame that are held, its VT included; 0 between frames. When a connection ends
// and this is not 0, the sender was cut off.
size_t mllp_pending_bytes(const struct mllp_decoder *self);

// Bytes taken since the connection began.
uint64_t mllp_position(const struct mllp_decoder *self);

// Writes a frame around a message. Returns the bytes it takes, len + MLLP_OVERHEAD_BYTES, whether or not
// size sufficed; nothing is written when it did not. Returns 0 for a message with VT or FS in it, which
// no frame can carry.
size_t mllp_encode(const void *message, size_t len, uint8_t *out, size_t size);

// A sentence for a log line.
const char *mllp_fault_text(enum mllp_fault fault);

#endif
