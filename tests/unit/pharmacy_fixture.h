// A host's memory in memory, and one message through the pharmacy plug-in: for its tests and its fuzzer.
#ifndef CAREHUB_PHARMACY_FIXTURE_H
#define CAREHUB_PHARMACY_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "carehub_adapter.h"

enum { FIXTURE_STATES_MAX = 64, FIXTURE_EVENTS_MAX = 16 };

struct fixture_state {
    char name[128];
    uint8_t *bytes;
    size_t len;
};

struct fixture {
    struct carehub_memory memory; // first
    struct fixture_state kept[FIXTURE_STATES_MAX], staged[FIXTURE_STATES_MAX];
    size_t n_kept, n_staged;
    Carehub__V1__Event *events[FIXTURE_EVENTS_MAX]; // of the last message
    size_t n_events;
    bool disk_full; // nothing can be stored
    void *format;
    struct carehub_native native;
    struct carehub_message message;
};

// A setting for `fixture_configure`: "name", "value"; a section has NULL as value and ends with a NULL name.
// NULL with error.
void *fixture_configure(const char *const settings[][2], char error[CAREHUB_ERROR_BYTES]);

// Opens and translates a message as the host does: what it stores is kept only when it is taken. The message stays open
// until the next one, or fixture_finish. `bytes` must stay until then.
void fixture_send(struct fixture *self, const void *bytes, size_t len);

// Closes the message and lets go of its events.
void fixture_close(struct fixture *self);

// The same, and forgets what was kept.
void fixture_forget(struct fixture *self);

// The same, and lets go of the format.
void fixture_finish(struct fixture *self);

#endif
