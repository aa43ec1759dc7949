/* waiter.h - a thread that waits for an answer which the client's thread will bring, perhaps after it has given up. */
#ifndef SDK_WAITER_H
#define SDK_WAITER_H

#include <protobuf-c/protobuf-c.h>

struct waiter;

/* One reference for the thread that waits, one for the one that answers. NULL: out of memory. */
struct waiter *waiter_new(void);
/* Gives up a reference that will not be used (nothing was asked after all). */
void waiter_drop(struct waiter *waiter);

/* Answers, with a copy of `message` (may be NULL) and of this thread's error text. Uses up the answerer's reference. */
void waiter_answer(struct waiter *waiter, int status, const ProtobufCMessage *message);

/* Waits; takes over the error text. *message (may be NULL) is the caller's, freed with
 * protobuf_c_message_free_unpacked. CAREHUB_TIMEOUT when timeout_ms have gone. Uses up the waiting thread's reference.
 */
int waiter_wait(struct waiter *waiter, int timeout_ms, ProtobufCMessage **message);

#endif
