/* memory.h - what the host does for a format while it translates one message: struct carehub_memory, made real. What
 * came before is read from the journal; what the format emits and stores is gathered here, and written by whoever asked
 * for the translation, together or not at all. Loop thread only. */
#ifndef CAREHUB_MEMORY_H
#define CAREHUB_MEMORY_H

#include "carehub_adapter.h"
#include "items.h"
#include "journal.h"

enum { MEMORY_STATES_MAX = 256 }; /* loads and stores of one message: four for each of 64 orders */

struct memory_past;

struct memory_state {
    char *name;
    void *bytes; /* NULL: none */
    size_t len;
    bool is_new; /* stored by this message */
};

struct memory {
    struct carehub_memory base; /* first */
    const struct carehub_format *format;
    struct journal *journal;
    struct carehub_message *message;
    const uint8_t *sha256; /* of the message's bytes */
    struct items *items;
    struct memory_past *pasts; /* that were shown */
    struct memory_state states[MEMORY_STATES_MAX];
    size_t n_states;
    bool refused;        /* emit or store has said no; problem and verdict tell why */
    const char *failure; /* it cannot be done now: why; else NULL */
};

/* `sha256`, `items` and all else last until memory_clear. Fills in verdict and problem of the message where emit
 * refuses. */
void memory_init(struct memory *self, const struct carehub_format *format, struct journal *journal,
                 struct carehub_message *message, const uint8_t sha256[CAREHUB_DIGEST_BYTES], struct items *items);

/* Writes the states that were stored into the journal, and that the others were seen. */
bool memory_save_states(struct memory *self);
bool memory_has_new_states(const struct memory *self);

void memory_clear(struct memory *self);

#endif
