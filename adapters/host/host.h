/* host.h - one adapter: its format, its journal, its client of the hub, its ways in and out.
 *
 *     transports in → intake → publisher → hub → outlets → transports out
 *                       journal                   journal
 *
 * Loop thread only. */
#ifndef CAREHUB_HOST_H
#define CAREHUB_HOST_H

#include <stdbool.h>
#include <uv.h>

#include "host_config.h"

enum { HOST_TICK_MS = 250, HOST_STATUS_MS = 2000, HOST_PRUNE_MS = 3600 * 1000, HOST_STOP_MS = 5000 };

struct host;

/* Opens journal, client and transports. `config` outlives it. NULL with `error` set. */
struct host *host_new(uv_loop_t *loop, const struct host_config *config, char error[CAREHUB_ERROR_BYTES]);

/* Takes nothing more; calls `stopped` when everything is answered, after HOST_STOP_MS at the latest. */
void host_stop(struct host *self, void (*stopped)(void *arg), void *arg);

/* Reads certificates, keys and authorities anew, for connections that begin from now on: SIGHUP. Logs how that went;
 * where one cannot be used, what there was stays in force. */
void host_renew(struct host *self);

/* Prints the counters. */
void host_print_counters(struct host *self);

/* Closes everything; handles close in the loop's next turns. May block for about a second. */
void host_close(struct host **self);

#endif
