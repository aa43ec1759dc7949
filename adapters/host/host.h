/* host.h - pairs a transport with a format: the way of a message from its connection to the hub, and of its answer
 * back.
 *
 *     request (transport) → open (format) → seen before? (journal) → translate (format) → remember (journal, on disk)
 *        → publish (publisher) → confirmed → reply (format) → answer (transport)
 *
 * Messages that are there at the same time share one commit of the journal. An event is remembered before it is
 * published, so that after a crash at any point the sender's resend gives the same event. Loop thread only. */
#ifndef CAREHUB_HOST_H
#define CAREHUB_HOST_H

#include <stdbool.h>
#include <uv.h>

#include "format.h"
#include "host_config.h"

enum { HOST_TICK_MS = 250, HOST_STATUS_MS = 2000, HOST_PRUNE_MS = 3600 * 1000, HOST_STOP_MS = 5000 };

struct host;

/* Opens journal, client and listeners. NULL with `error` set. */
struct host *host_new(uv_loop_t *loop, const struct host_config *config, const struct format *format,
                      char error[FORMAT_ERROR_BYTES]);

/* Takes nothing more; calls `stopped` when everything is answered, after HOST_STOP_MS at the latest. */
void host_stop(struct host *self, void (*stopped)(void *arg), void *arg);

/* Prints the counters. */
void host_print_counters(struct host *self);

/* Closes everything; handles close in the loop's next turns. May block for about a second. */
void host_close(struct host **self);

#endif
