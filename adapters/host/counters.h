/* counters.h - what an adapter has done since it started, and what it did not keep. Loop thread only. */
#ifndef CAREHUB_COUNTERS_H
#define CAREHUB_COUNTERS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "carehub_adapter.h"

struct json_object;

enum {
    COUNTERS_KINDS_MAX = 64,   /* kinds of message told apart; the rest is counted as "other" */
    COUNTERS_REASONS_MAX = 16, /* reasons why nothing came of a message */
    COUNTERS_UNKEPT_MAX = 100, /* the last messages that were not kept, for an operator to look after */
};

enum counter {
    COUNT_RECEIVED,
    COUNT_EVENTS,  /* taken by hub or spool, repeats included */
    COUNT_FACTS,   /* taken by the hub */
    COUNT_REPEATS, /* messages that had come before */
    COUNT_HELD,
    COUNT_REFUSED,     /* by the format */
    COUNT_HUB_REFUSED, /* events that the hub refused for good */
    COUNT_UNCONFIRMED, /* the sender is to send again: hub or spool did not take it in time */
    COUNT_CONNECTIONS,
    COUNT_BROKEN_FRAMES,
    COUNTERS
};

struct counters {
    uint64_t values[COUNTERS];
    int64_t started_ms;
    bool changed; /* since the status file was written */
    struct {
        char name[CAREHUB_KIND_BYTES];
        uint64_t received, events;
    } kinds[COUNTERS_KINDS_MAX];
    struct {
        const char *name;
        uint64_t count;
    } reasons[COUNTERS_REASONS_MAX];
    struct {
        int64_t at_ms;
        char sender[CAREHUB_NAME_BYTES], native_id[CAREHUB_NATIVE_ID_BYTES], kind[CAREHUB_KIND_BYTES], why[64];
    } unkept[COUNTERS_UNKEPT_MAX];
    uint64_t n_unkept; /* ever; the ring is at this modulo its size */
};

void counters_add(struct counters *self, enum counter counter, uint64_t n);
/* A message of this kind came in, and n_events were made of it. */
void counters_add_kind(struct counters *self, const char *kind, uint64_t n_events);
/* Nothing came of a message; `why` is static. */
void counters_add_reason(struct counters *self, const char *why);
void counters_add_unkept(struct counters *self, const struct carehub_message *message, const char *why, int64_t now_ms);

/* One line a counter. */
void counters_print(const struct counters *self, FILE *out);
/* The last part of it: reasons why nothing came of messages, and kinds of messages. */
void counters_print_kinds(const struct counters *self, FILE *out);

/* Replaces the file, whole or not at all: JSON. What `more` (may be NULL, taken over) has in it is added. False with
 * errno. */
bool counters_save(struct counters *self, const char *path, int64_t now_ms, int64_t held, bool connected,
                   struct json_object *more);

#endif
