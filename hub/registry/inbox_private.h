/* inbox_private.h - what the three files of an inbox share: inbox.c (counting, settling, acknowledging), inbox_lane.c
 * (what waits in order) and inbox_exceptions.c (what has left that order). */
#ifndef CAREHUB_INBOX_PRIVATE_H
#define CAREHUB_INBOX_PRIVATE_H

#include "inbox.h"

/* One of those in the window: number settled + 1 + index. */
struct item *window_at(struct lane *lane, size_t index);
/* Drops the first n, or all. */
void window_drop(struct lane *lane, size_t n);

/* Where the exception of a number is, or would be, among the inbox's. */
size_t exception_at(const struct inbox *inbox, int lane, uint64_t number);
/* Adds or replaces one, and returns it; exception_store writes it. */
struct exception *exception_insert(struct inbox *inbox, const struct exception *exception);
void exception_store(struct inbox *inbox, struct store *store, const struct exception *exception);
/* Takes the acknowledgements out of the exceptions of a lane from `from` to `to`. */
void exceptions_drop_acked(struct inbox *inbox, struct store *store, int lane, uint64_t from, uint64_t to);
/* For store_exception_each. */
void exception_load(void *inbox, int lane, const struct card *row);

#endif
