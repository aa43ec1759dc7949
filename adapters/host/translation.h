/* translation.h - one native message on its way through a format, up to the journal: opened, looked up, translated,
 * remembered. What then happens with its items is the caller's. Loop thread only. */
#ifndef CAREHUB_TRANSLATION_H
#define CAREHUB_TRANSLATION_H

#include "carehub_adapter.h"
#include "items.h"
#include "journal.h"

/* Zero it first; it must not move. */
struct translation {
    const struct carehub_format *format;
    const void *self;             /* the format's */
    struct carehub_native native; /* bytes and texts are the caller's; bytes is NULL once slimmed */
    struct carehub_message message;
    uint8_t sha256[CAREHUB_DIGEST_BYTES]; /* of the bytes */
    struct items items;
    bool repeat;  /* it came before; items are those of then */
    bool kept;    /* something of it is in the journal's transaction: it counts when that is committed */
    bool unread;  /* what is wrong with it showed when it was opened, so it was hardly read */
    bool is_open; /* the format has had it: reply and close are due */
    char failure[JOURNAL_ERROR_BYTES]; /* it cannot be handled now: why; else "" */
};

/* The next message of bytes that may hold several, as the format splits them; false at the end, for a format that does
 * not split, and when what the format gives is no part of the bytes, or does not move on (it is logged). */
bool translation_split(const struct carehub_format *format, const void *format_self, const void *bytes, size_t len,
                       size_t *position, const void **message, size_t *message_len);

/* Has the format open a copy of `native`, and names the message where the format did not. */
void translation_open(struct translation *self, const struct carehub_format *format, const void *format_self,
                      const struct carehub_native *native);

/* Recalls or translates an opened message, and remembers what comes of it, within the journal's transaction. `held`: it
 * was held before, and is tried again. False: the journal cannot be written, so the transaction is lost. */
bool translation_run(struct translation *self, struct journal *journal, bool held);

/* Lets go of the bytes, where the format can do without. True if it can. */
bool translation_slim(struct translation *self);
void translation_close(struct translation *self);

/* "PID-3: … (HL7 v2.5.1, 2.15.9.9)": a problem as one line. */
void problem_text(const struct carehub_problem *problem, char *out, size_t size);

#endif
