/* journal.h - what an adapter remembers: the events and facts that it made of which messages, the events by episode;
 * formats' states; messages that are held; and what it has sent out. So a correction finds its original, a resent
 * message gives the same events, byte for byte, whatever has become of the configuration since, and a receiver of
 * corrections can be told what it was sent before.
 *
 * A SQLite file in the state directory; every change is on disk when journal_commit has returned. Names (of messages,
 * episodes, states) are stored as keyed hashes, contents are sealed with XChaCha20-Poly1305, bound to their place. The
 * key is in "journal.key" beside it (0600), made at first use; where that is not enough, put the directory on an
 * encrypted volume. Loop thread only. */
#ifndef CAREHUB_JOURNAL_H
#define CAREHUB_JOURNAL_H

#include "carehub_adapter.h"
#include "items.h"

enum { JOURNAL_HELD_MAX = 10000, JOURNAL_HELD_MAX_BYTES = 512 << 20, JOURNAL_ERROR_BYTES = 512 };

struct journal;

/* Opens it, and brings what an earlier version wrote up to date. `dir` NULL: in memory only, for tests of a format.
 * With `exclusive` what is not there is made, and no other process may have it open so: a second adapter on one state
 * directory is an error. NULL with `error` set. */
struct journal *journal_open(const char *dir, bool exclusive, char error[JOURNAL_ERROR_BYTES]);
void journal_close(struct journal **self);

/* Changes between begin and commit are kept together or not at all; others are each a transaction of their own.
 * False: nothing was kept; journal_error says why. */
bool journal_begin(struct journal *self);
bool journal_commit(struct journal *self);
void journal_rollback(struct journal *self);
/* Whether what was begun still goes on. SQLite ends it by itself when the disk is full or fails. */
bool journal_goes_on(const struct journal *self);
const char *journal_error(const struct journal *self);

/* ---- Messages and what was made of them ------------------------------------------------------------------------- */

enum journal_found { JOURNAL_NEW, JOURNAL_REPEAT, JOURNAL_REUSED, JOURNAL_FAILED };

/* Looks a message up, by its key and digest. REPEAT: known, and `items` (empty before, the caller's to clear) are those
 * that were made of it then. REUSED: its key came before, with other content. */
enum journal_found journal_recall(struct journal *self, const struct carehub_message *message, struct items *items);

/* Remembers a message and its items. An item whose id is there already stays with the message that it came with first.
 */
bool journal_add(struct journal *self, const struct carehub_message *message, const struct items *items,
                 int64_t now_ms);

/* The events in force of an episode, oldest first, each as last amended, under its original's id, the newest
 * CAREHUB_PAST_MAX. Zero it first; the caller clears it. False when it cannot be read. */
struct journal_past {
    size_t count;
    Carehub__V1__Event *events[CAREHUB_PAST_MAX];
};
bool journal_past(struct journal *self, const char *episode, struct journal_past *past);
void journal_past_clear(struct journal_past *past);

/* Forgets an item that the hub has refused for good, so that nothing is made to correct it. With the last one of its
 * message, the states that the message stored become what they were before it. */
bool journal_forget(struct journal *self, const uint8_t id[EVENTID_BYTES]);

/* What time it is, as far as that is believed: the wall clock's, but it never passes more than 24 times as fast as this
 * process has seen it pass (`boot_ms`: CLOCK_BOOTTIME, never 0), also over restarts. So a clock that jumps ahead by
 * years makes nothing look old, and is put right before anything is lost. */
int64_t journal_time(struct journal *self, int64_t wall_ms, int64_t boot_ms);
/* Forgets items, states, what was sent, and held messages, where older. Returns how many, or -1; *held: how many of
 * them were held. */
int journal_prune(struct journal *self, int64_t before_ms, int *held);

/* ---- What is not settled yet ------------------------------------------------------------------------------------- */

/* What a message is known by here. */
struct journal_name {
    uint8_t message[32], digest[32]; /* keyed hashes */
};
void journal_name_of(const struct journal *self, const struct carehub_message *message, struct journal_name *name);

/* What a message gave is unsettled from journal_add on, until this. Names of nothing do no harm. */
bool journal_settle(struct journal *self, const struct journal_name *names, size_t n);
/* Whether something was made of a message, and all of it is settled. False also when it cannot be read. */
bool journal_is_settled(struct journal *self, const struct journal_name *name);
/* The number of the newest item; 0 when there is none. */
int64_t journal_last(struct journal *self);
/* The first message with an unsettled item whose number is above *last and at most `until`: sets *last to the number of
 * its last one, and name and `items` (empty before, the caller's to clear). Left out is what is so old that the hub
 * might no longer recognise it. False when there is none. No items: they cannot be read; journal_error says why. */
bool journal_unsettled_next(struct journal *self, int64_t now_ms, int64_t *last, int64_t until,
                            struct journal_name *name, struct items *items);

/* ---- States of formats ------------------------------------------------------------------------------------------ */

/* The state of that name: *bytes is malloc'd, NULL when there is none. False when it cannot be read. */
bool journal_state_load(struct journal *self, const char *name, void **bytes, size_t *len);
/* A message has looked at it: it is not old, though it stays as it is. */
bool journal_state_seen(struct journal *self, const char *name, int64_t now_ms);
/* Stores it as part of what the message brought. */
bool journal_state_store(struct journal *self, const struct carehub_message *message, const char *name,
                         const void *bytes, size_t len, int64_t now_ms);

/* ---- What was sent out ------------------------------------------------------------------------------------------ */

/* A number that no other reply or departure of this adapter has or had; they grow, also over restarts. */
uint64_t journal_number(struct journal *self, int64_t now_ms);

/* Remembers an event (serialised) as an outlet has sent it, in place of what was there. */
bool journal_sent_put(struct journal *self, const char *outlet, const uint8_t id[EVENTID_BYTES], const void *packed,
                      size_t len, int64_t now_ms);
/* That event: *packed is malloc'd, NULL when it is not known. False when it cannot be read. */
bool journal_sent_get(struct journal *self, const char *outlet, const uint8_t id[EVENTID_BYTES], void **packed,
                      size_t *len);

/* ---- Held messages ---------------------------------------------------------------------------------------------- */

struct journal_held {
    int64_t number;
    char sender[CAREHUB_NAME_BYTES];
    char native_id[CAREHUB_NATIVE_ID_BYTES];
    char why[64];
    int64_t received_ms;
    /* Only from journal_held_due: as it came. bytes and the texts are in `own`; free() that. bytes NULL: damaged. */
    struct carehub_native native;
    uint8_t *own;
};

/* False also when there are JOURNAL_HELD_MAX already, or JOURNAL_HELD_MAX_BYTES of them. One that is held already is
 * not held twice. */
bool journal_hold(struct journal *self, const struct carehub_message *message, const struct carehub_native *native);
/* The first held message with a number above `after`. False when there is none. */
bool journal_held_next(struct journal *self, int64_t after, struct journal_held *held);
/* The same, of those that are to be tried again; the mark goes when the message does, or by journal_held_waits. */
bool journal_held_due(struct journal *self, struct journal_held *held);
bool journal_held_waits(struct journal *self, int64_t number);
bool journal_held_done(struct journal *self, int64_t number);
/* Marks all to be tried again. Returns how many, or -1. */
int journal_retry_held(struct journal *self);
int64_t journal_held_count(struct journal *self);

/* ---- Forgetting a person ---------------------------------------------------------------------------------------- */

struct person;

struct journal_person_count {
    uint64_t items, states, sent, held;
};

/* Adds to the person the identifiers that stand beside the given ones in events (person_learn). */
bool journal_person_learn(struct journal *self, struct person *person);

/* Forgets all that is about a person: what was made of messages (so that what comes later is not recognised as its
 * repeat or correction), states, what was sent, and held messages. Then the file is written anew, so that nothing of it
 * is left in it. Reads everything, and writes it: 8 s for 200,000 entries of 2 kB. `only_count`: nothing is changed.
 * False: not all of it was done; doing it again is right. */
bool journal_person_forget(struct journal *self, struct person *person, bool only_count,
                           struct journal_person_count *count);

#endif
