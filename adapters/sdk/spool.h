/* spool.h - events on disk until the hub has confirmed them: in order, encrypted, once appended never lost.
 *
 * A folder of segment files. Each record is sealed with XChaCha20-Poly1305 under the spool's own random key; its number
 * is bound to it, so that records cannot be moved about. Appending returns after fdatasync; callers at the same time
 * share one. Segments whose records are all settled are deleted. How far that is, is also noted in the file `progress`,
 * without a sync: after a power cut some events go out again, which their ids make harmless.
 *
 * Files (all 0600):  lock  key  segment-<first number>  progress  refused  damaged-<first number> (kept for people)
 *
 * After an I/O error nothing more is appended (an fsync is never tried again); what is on disk is still sent. A full
 * disk is not an error of that kind: CAREHUB_SPOOL_FULL until there is room. */
#ifndef SDK_SPOOL_H
#define SDK_SPOOL_H

#include "carehub.h"

struct spool;

struct spool_config {
    const char *dir;      /* made if it is not there, 0700 */
    const char *key_file; /* NULL: "key" in dir */
    uint64_t max_bytes; /* of records that wait, and of the refused file; the segment files may be up to 32 MiB more */
};

/* Takes the spool, checks it, and finds what waits. CAREHUB_OK, CAREHUB_IO (the folder, or it is in use) or
 * CAREHUB_CONFIG (the key is missing, or another one than it was written with). */
int spool_open(struct spool **spool, const struct spool_config *config);
void spool_close(struct spool **spool);

/* Any thread: appends an event and returns once it is on disk. `fn` is handed back with it by spool_take. CAREHUB_OK,
 * CAREHUB_SPOOL_FULL, CAREHUB_IO or CAREHUB_OUT_OF_MEMORY; then fn is not kept. */
int spool_append(struct spool *spool, const uint8_t *event, size_t size, carehub_confirm_fn *fn, void *arg);
/* Any thread: the number of the last record that is on disk. */
uint64_t spool_last(struct spool *spool);
/* Any thread. */
void spool_status(struct spool *spool, struct carehub_spool_status *status);

/* The rest: one thread, the one that sends. */

struct spool_record {
    const uint8_t *event; /* the spool's, until the next spool_peek */
    size_t size;
    uint64_t ticket; /* for spool_settle, never 0 */
    carehub_confirm_fn *fn;
    void *arg;
};

/* The next record that was not yet taken: only event and size. False: there is none for now. */
bool spool_peek(struct spool *spool, struct spool_record *record);
/* Takes the record that was peeked at; fills in the rest. */
void spool_take(struct spool *spool, struct spool_record *record);
/* Number of the last record taken. */
uint64_t spool_read_through(const struct spool *spool);
/* After a spool_peek that found nothing: true if everything on disk is taken. */
bool spool_drained(const struct spool *spool);

/* The hub has it, or refused it for good. */
void spool_settle(struct spool *spool, uint64_t ticket);
/* Keeps a refused event, durably; false with the error set. `error` may be NULL. */
bool spool_refuse(struct spool *spool, const Carehub__V1__Error *error, const uint8_t *event, size_t size);
/* Tells the callbacks of what was never taken that the client was closed. */
void spool_abandon(struct spool *spool);

/* What was found wrong and dealt with, one line at a time; NULL: nothing more. Valid until the next call. */
const char *spool_remark(struct spool *spool);

#endif
