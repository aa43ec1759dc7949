/* outlet_peer.h - receivers for the tests of what sends: a thread that listens on loopback and serves one connection at
 * a time by a function of the test, in clear or over TLS; certificates for it; and a loop that runs until something is
 * so. */
#ifndef OUTLET_PEER_H
#define OUTLET_PEER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

#include "carehub_adapter.h"

struct peer;
struct peer_connection;

/* Serves a connection, which is closed afterwards. The peer's thread. */
typedef void peer_fn(void *arg, struct peer_connection *connection);

/* certificates NULL: in clear; else the folder of peer_certificates, and clients have to show theirs. */
struct peer *peer_new(peer_fn *serve, void *arg, const char *certificates);
void peer_destroy(struct peer **self);
int peer_port(const struct peer *self);
int peer_connections(const struct peer *self); /* so far */

/* -1 or 0 at the end. */
ssize_t peer_read(struct peer_connection *connection, void *bytes, size_t size);
/* Writes a text, or part of one. */
void peer_write(struct peer_connection *connection, const void *bytes, size_t len);
void peer_say(struct peer_connection *connection, const char *text);
/* Waits, but not longer than the peer lives. */
void peer_sleep(struct peer_connection *connection, int ms);

/* Writes ca.pem, server.pem, server.key, client.pem, client.key and another authority's other.pem. */
void peer_certificates(const char *folder);

/* Runs the loop until *done; false after five seconds. */
bool run_until(uv_loop_t *loop, const bool *done);
void run_for(uv_loop_t *loop, uint64_t ms);
/* Runs the loop until all handles have closed, and closes it. */
void run_out(uv_loop_t *loop);

/* A section of settings: "name", "value", …, NULL. Lasts as long as the program. */
struct carehub_setting *make_section(const char *const *pairs);

/* A folder under /tmp, made new. */
void make_folder(char *path, size_t size);
void remove_folder(const char *path);

#endif
