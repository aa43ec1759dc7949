#include "mllp.h"

#include <stdlib.h>
#include <string.h>

#define BUFFER_FIRST_BYTES 4096u
#define BUFFER_KEEP_BYTES (256u * 1024u) // a larger buffer is given back after its message

enum state { BETWEEN, INSIDE, AFTER_END_BLOCK, BROKEN };

struct mllp_decoder {
    struct mllp_options options;
    enum state state;
    uint64_t position; // of the next byte
    uint8_t *buffer;
    size_t len;
    size_t capacity;
    bool delivered;          // buffer holds a message that the caller has seen
    struct mllp_event event; // of the frame being read, or the fault
};

struct mllp_decoder *mllp_decoder_new(const struct mllp_options *options)
{
    struct mllp_decoder *self = calloc(1, sizeof *self);
    if (self != NULL)
        self->options = options != NULL ? *options : MLLP_OPTIONS_DEFAULT;
    return self;
}

void mllp_decoder_destroy(struct mllp_decoder **self)
{
    if (*self != NULL)
        free((*self)->buffer);
    free(*self);
    *self = NULL;
}

size_t mllp_pending_bytes(const struct mllp_decoder *self)
{
    if (self->state == INSIDE)
        return self->len + 1;
    return self->state == AFTER_END_BLOCK ? self->len + 2 : 0;
}

uint64_t mllp_position(const struct mllp_decoder *self)
{
    return self->position;
}

// at points to the offending byte, which self->position counts.
static enum mllp_result fail(struct mllp_decoder *self, enum mllp_fault fault, const uint8_t *at, const uint8_t *end)
{
    size_t left = (size_t)(end - at);
    self->state = BROKEN;
    self->event.data = self->buffer;
    self->event.len = self->len;
    self->event.fault = fault;
    self->event.fault_position = self->position;
    self->event.fault_bytes_len = left < MLLP_FAULT_BYTES_MAX ? left : MLLP_FAULT_BYTES_MAX;
    memcpy(self->event.fault_bytes, at, self->event.fault_bytes_len);
    return MLLP_BROKEN;
}

static void forget_delivered(struct mllp_decoder *self)
{
    if (!self->delivered)
        return;
    self->delivered = false;
    self->len = 0;
    if (self->capacity > BUFFER_KEEP_BYTES) {
        free(self->buffer);
        self->buffer = NULL;
        self->capacity = 0;
    }
}

static bool append(struct mllp_decoder *self, const uint8_t *bytes, size_t len)
{
    if (len > self->capacity - self->len) {
        size_t capacity = self->capacity > 0 ? self->capacity : BUFFER_FIRST_BYTES;
        while (capacity - self->len < len)
            capacity *= 2;
        uint8_t *buffer = realloc(self->buffer, capacity);
        if (buffer == NULL)
            return false;
        self->buffer = buffer;
        self->capacity = capacity;
    }
    if (len > 0)
        memcpy(self->buffer + self->len, bytes, len);
    self->len += len;
    return true;
}

static enum mllp_result begin_frame(struct mllp_decoder *self, const uint8_t **at, const uint8_t *end)
{
    uint8_t byte = **at;
    if (byte == MLLP_START_BLOCK) {
        self->event.frame_position = self->position;
        self->state = INSIDE;
    } else if (self->options.tolerate_line_ends && (byte == '\r' || byte == '\n' || byte == ' ')) {
        self->event.stray_bytes++;
    } else {
        return fail(self, MLLP_FAULT_BEFORE_START, *at, end);
    }
    (*at)++;
    self->position++;
    return MLLP_NEED_MORE;
}

// Counts or refuses the byte below 0x20 at *at that is neither VT, FS nor CR.
static bool accept_control(struct mllp_decoder *self, const uint8_t *at)
{
    if (self->options.strict_control_bytes)
        return false;
    if (*at != '\n' && *at != '\t' && self->event.control_bytes++ == 0)
        self->event.control_position = self->position;
    return true;
}

// Takes bytes of a message up to FS, a fault or the end of the chunk.
static enum mllp_result read_inside(struct mllp_decoder *self, const uint8_t **from, const uint8_t *end)
{
    const uint8_t *at = *from;
    size_t room = self->options.frame_max_bytes - self->len;
    const uint8_t *limit = (size_t)(end - at) > room ? at + room : end;
    uint64_t start = self->position;
    enum mllp_fault fault = MLLP_FAULT_NONE;
    for (; at < limit && *at != MLLP_END_BLOCK && fault == MLLP_FAULT_NONE; at++) {
        if (*at >= 0x20 || *at == MLLP_CARRIAGE_RETURN)
            continue;
        self->position = start + (uint64_t)(at - *from);
        if (*at == MLLP_START_BLOCK)
            fault = MLLP_FAULT_START_INSIDE;
        else if (!accept_control(self, at))
            fault = MLLP_FAULT_CONTROL_BYTE;
        if (fault != MLLP_FAULT_NONE)
            break;
    }
    if (fault == MLLP_FAULT_NONE && at == limit && limit < end && *at != MLLP_END_BLOCK)
        fault = MLLP_FAULT_TOO_LARGE;
    if (!append(self, *from, (size_t)(at - *from)))
        fault = MLLP_FAULT_NO_MEMORY;
    self->position = start + (uint64_t)(at - *from);
    *from = at;
    if (fault != MLLP_FAULT_NONE)
        return fail(self, fault, at, end);
    if (at < end) {
        self->state = AFTER_END_BLOCK;
        self->position++;
        (*from)++;
    }
    return MLLP_NEED_MORE;
}

static enum mllp_result end_frame(struct mllp_decoder *self, const uint8_t **at, const uint8_t *end)
{
    if (**at != MLLP_CARRIAGE_RETURN)
        return fail(self, MLLP_FAULT_NO_CR, *at, end);
    (*at)++;
    self->position++;
    self->event.data = self->len > 0 ? self->buffer : (const uint8_t *)"";
    self->event.len = self->len;
    self->delivered = true;
    self->state = BETWEEN;
    return MLLP_MESSAGE;
}

enum mllp_result mllp_decode(struct mllp_decoder *self, const void *bytes, size_t len, size_t *used,
                             struct mllp_event *event)
{
    const uint8_t *at = bytes, *end = at + len;
    enum mllp_result result = self->state == BROKEN ? MLLP_BROKEN : MLLP_NEED_MORE;
    forget_delivered(self);
    while (result == MLLP_NEED_MORE && at < end) {
        if (self->state == BETWEEN)
            result = begin_frame(self, &at, end);
        else if (self->state == INSIDE)
            result = read_inside(self, &at, end);
        else
            result = end_frame(self, &at, end);
    }
    *used = len > 0 ? (size_t)(at - (const uint8_t *)bytes) : 0;
    *event = self->event;
    if (result == MLLP_MESSAGE)
        self->event = (struct mllp_event){0};
    return result;
}

size_t mllp_encode(const void *message, size_t len, uint8_t *out, size_t size)
{
    if (len > 0 && (memchr(message, MLLP_START_BLOCK, len) != NULL || memchr(message, MLLP_END_BLOCK, len) != NULL))
        return 0;
    size_t needed = len + MLLP_OVERHEAD_BYTES;
    if (size < needed)
        return needed;
    out[0] = MLLP_START_BLOCK;
    if (len > 0)
        memcpy(out + 1, message, len);
    out[len + 1] = MLLP_END_BLOCK;
    out[len + 2] = MLLP_CARRIAGE_RETURN;
    return needed;
}

const char *mllp_fault_text(enum mllp_fault fault)
{
    switch (fault) {
    case MLLP_FAULT_NONE:
        return "no fault";
    case MLLP_FAULT_BEFORE_START:
        return "bytes outside a frame: a frame begins with VT (0x0B)";
    case MLLP_FAULT_NO_CR:
        return "the end block FS (0x1C) is not followed by CR (0x0D)";
    case MLLP_FAULT_START_INSIDE:
        return "VT (0x0B) inside a frame: the one before was not ended";
    case MLLP_FAULT_CONTROL_BYTE:
        return "a control byte inside a frame";
    case MLLP_FAULT_TOO_LARGE:
        return "the message is larger than frame_max_bytes";
    case MLLP_FAULT_NO_MEMORY:
        return "no memory for the message";
    }
    return "unknown fault";
}
