/* gate_fixture.h - a gate on loopback, with the test as its core and its clients, all in one thread: whatever
 * waits runs the gate's loop meanwhile. */
#ifndef GATE_FIXTURE_H
#define GATE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <uv.h>

#include "gate/frame.h"
#include "gate/gate.h"

enum { PEERS_MAX = 8, PATIENCE_MS = 5000, QUIET_MS = 200 };

struct pair {
    uint8_t public_key[KEY_BYTES], secret_key[KEY_BYTES];
};

struct fixture {
    uv_loop_t loop;
    struct queue inbound;
    struct outbound outbound;
    struct gate *gate;
    const char *endpoint;
    struct pair hub;
    void *context; /* of the clients */
    void *peers[2 * PEERS_MAX];
    int n_peers;
};

struct fixture_options {
    int64_t silent_max_ms;
    size_t inbound_items_max;
};

struct fixture *fixture_new(const struct fixture_options *options);
void fixture_free(struct fixture *f);

struct pair pair_new(void);

/* The core says: these keys are in standing. */
void let_in(struct fixture *f, const struct pair *pairs, size_t n, bool enrolment_open);

/* A DEALER that connects with this key; `setup` (may be NULL) sets further options. */
void *connect_peer(struct fixture *f, const struct pair *pair, void (*setup)(void *socket));
void disconnect_peer(struct fixture *f, void *peer);
/* Its handshake and disconnection events. */
void *watch_peer(struct fixture *f, void *peer);
/* Waits for an event; false if it does not come. */
bool event_comes(struct fixture *f, void *monitor, int event);

void say(void *peer, const Carehub__V1__ToHub *message);
void say_bytes(void *peer, const void *data, size_t size);
void say_hello(void *peer);
void say_publish(void *peer, uint64_t ref, size_t publications, size_t event_bytes);

/* What the peer receives next; NULL if nothing comes in PATIENCE_MS. */
Carehub__V1__ToClient *hear(struct fixture *f, void *peer);
bool hears_nothing(struct fixture *f, void *peer);
void hears_error(struct fixture *f, void *peer, Carehub__V1__ErrorCode code);
void hears_empty(struct fixture *f, void *peer);

/* What reaches the core next, released from the queue; the caller frees it. NULL if nothing comes. */
struct frame *reaches_core(struct fixture *f);
bool nothing_reaches_core(struct fixture *f);
/* Hello of a peer: heard by the core and answered, so that the session is open. */
session_id open_session_of(struct fixture *f, void *peer);

/* Runs the gate's loop for a while. */
void run_for(struct fixture *f, int64_t ms);

#endif
