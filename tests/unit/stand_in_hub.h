// A stand-in for libcarehub and the hub behind it, for tests of subscriptions: it takes the place of the functions that
// they call, at link time. What it is told to deliver it delivers again, in each attachment, until it is acknowledged.
// Main thread only, callbacks included.
#ifndef CAREHUB_STAND_IN_HUB_H
#define CAREHUB_STAND_IN_HUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "carehub.h"

enum { STAND_IN_DELIVERIES = 4096, STAND_IN_NAMES = 64 };

struct stand_in_delivery {
    char inbox[80];
    uint64_t number;
    uint8_t *bytes;
    size_t len;
    bool notice, verified;
    enum { STAND_IN_WAITS, STAND_IN_ACKED, STAND_IN_NACKED, STAND_IN_DEAD, STAND_IN_SKIPPED } is;
    char code[64];
    uint32_t attempts;
};

extern struct stand_in {
    struct stand_in_delivery deliveries[STAND_IN_DELIVERIES];
    size_t n_deliveries;
    // Facts that were submitted, in their order: "set NAME ACTOR TYPE…" and "close NAME".
    char facts[STAND_IN_NAMES][256];
    size_t n_facts;
    int refuse_facts; // an ErrorCode; 0: they are taken
    bool verified;    // what is put now has been
} stand_in;

void stand_in_clear(void);

// Puts an event of a type and id into an inbox, and delivers it if the inbox is attached. Its number.
uint64_t stand_in_put(const char *inbox, Carehub__V1__EventType type, const uint8_t id[CAREHUB_ID_BYTES]);
// Delivers again what was refused, or waits.
void stand_in_again(const char *inbox);
void stand_in_skip(const char *inbox, uint64_t from, uint64_t to);
// The attachment ends, and begins again: all that is not settled comes again.
void stand_in_reattach(const char *inbox);
bool stand_in_attached(const char *inbox);
size_t stand_in_count(const char *inbox, int is);
// The name of the inbox that was set last; "" if none was.
const char *stand_in_last_inbox(void);

#endif
