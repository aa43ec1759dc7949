/* journal.h - what an adapter remembers: the events that it made of which messages, by episode, and messages that are
 * held. So a correction finds its original, and a resent message gives the same event, byte for byte, whatever has
 * become of the configuration since.
 *
 * A SQLite file in the state directory; every change is on disk when journal_commit has returned. Names of messages and
 * episodes are stored as keyed hashes, events and held messages sealed with XChaCha20-Poly1305, bound to their place.
 * The key is in "journal.key" beside it (0600), made at first use; where that is not enough, put the directory on an
 * encrypted volume. Loop thread only. */
#ifndef CAREHUB_JOURNAL_H
#define CAREHUB_JOURNAL_H

#include "format.h"

enum { JOURNAL_HELD_MAX = 10000, JOURNAL_ERROR_BYTES = 512 };

struct journal;

/* Opens it, making what is not there. `dir` NULL: in memory only, for tests of a format. With `exclusive` no other
 * process may have it open so: a second adapter on one state directory is an error. NULL with `error` set. */
struct journal *journal_open(const char *dir, bool exclusive, char error[JOURNAL_ERROR_BYTES]);
void journal_close(struct journal **self);

/* Changes between begin and commit are kept together or not at all. False: nothing was kept; journal_error says why. */
bool journal_begin(struct journal *self);
bool journal_commit(struct journal *self);
void journal_rollback(struct journal *self);
const char *journal_error(const struct journal *self);

enum journal_found { JOURNAL_NEW, JOURNAL_REPEAT, JOURNAL_REUSED, JOURNAL_FAILED };

/* Looks a message up. REPEAT: known, and message->events are those that were made of it then (the caller's, as
 * everything in there). REUSED: its key came before, with other content. */
enum journal_found journal_recall(struct journal *self, struct format_message *message);

/* The events in force of an episode; the caller frees them: journal_past_clear. False when it cannot be read. */
bool journal_past(struct journal *self, const char *episode, struct format_past *past);
void journal_past_clear(struct format_past *past);

/* Remembers a message and its events. */
bool journal_add(struct journal *self, const struct format_message *message, int64_t now_ms);

/* Forgets an event that the hub has refused for good, so that nothing is made to correct it. */
bool journal_forget(struct journal *self, const uint8_t *id, size_t len);

/* Forgets what is older. Returns how many events that were, or -1. */
int journal_prune(struct journal *self, int64_t before_ms);

/* Held messages. */
struct journal_held {
    int64_t number;
    int64_t received_ms;
    char sender[FORMAT_NATIVE_ID_BYTES];
    char native_id[FORMAT_NATIVE_ID_BYTES];
    char why[64];
    uint8_t *bytes; /* only from journal_held_due; free() it */
    size_t len;
};

/* False also when there are JOURNAL_HELD_MAX already. One that is held already is not held twice. */
bool journal_hold(struct journal *self, const struct format_message *message, const void *bytes, size_t len,
                  int64_t now_ms);
/* The first held message with a number above `after`. False when there is none. */
bool journal_held_next(struct journal *self, int64_t after, struct journal_held *held);
/* The same, of those that are to be tried again; the mark goes when the message does, or by journal_held_waits. */
bool journal_held_due(struct journal *self, struct journal_held *held);
bool journal_held_waits(struct journal *self, int64_t number);
bool journal_held_done(struct journal *self, int64_t number);
/* Marks all to be tried again. Returns how many, or -1. */
int journal_retry_held(struct journal *self);
int64_t journal_held_count(struct journal *self);

#endif
