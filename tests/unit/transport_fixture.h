/* transport_fixture.h - an incoming transport on a loop and thread of its own, with a host that does as messages say:
 * one with "unavailable" in it gets that outcome, one with "hold" waits until stub_release. */
#ifndef CAREHUB_TEST_TRANSPORT_FIXTURE_H
#define CAREHUB_TEST_TRANSPORT_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "http_server.h"
#include "transport.h"

enum { STUB_SETTINGS_MAX = 16, STUB_TAKEN_MAX = 4096, STUB_TEXT_BYTES = 128 };

struct stub_setting {
    const char *name, *value;
};

/* What a message was, as far as it fits. */
struct stub_taken {
    char text[STUB_TEXT_BYTES], name[STUB_TEXT_BYTES], method[16], content_type[STUB_TEXT_BYTES],
        idempotency_key[STUB_TEXT_BYTES], peer[STUB_TEXT_BYTES];
    size_t len;
    uint64_t connection;
};

struct stub {
    const struct transport_in *transport;
    void *server;
    uv_loop_t loop;
    uv_thread_t thread;
    uv_async_t wake;
    uv_mutex_t lock; /* of what follows */
    struct carehub_setting settings[STUB_SETTINGS_MAX + 1];
    char endpoint[256];
    struct arrival *fresh[STUB_TAKEN_MAX], *held[STUB_TAKEN_MAX];
    size_t n_fresh, n_held;
    struct stub_taken taken[STUB_TAKEN_MAX];
    size_t n_taken, n_broken, n_connections;
    int unavailable; /* how many of those that say "unavailable" still are */
    bool releasing, stopping, released_once;
    struct http_request *routed; /* one that waits */
    bool answer_routed;
};

/* What time a transport is told it is when it asks what is old; 0: it cannot ask. */
extern int64_t stub_time_ms;

/* NULL with `error` if the transport refuses. Ends with { NULL, NULL }. */
struct stub *stub_new(const struct transport_in *transport, const struct stub_setting *settings,
                      char error[CAREHUB_ERROR_BYTES]);
/* The same, and fails the test if it refuses. */
struct stub *stub_start(const struct transport_in *transport, const struct stub_setting *settings);
void stub_stop(struct stub **self);

/* Has all that are held answered. */
void stub_release(struct stub *self);
void stub_answer_routed(struct stub *self);
size_t stub_taken_count(struct stub *self);
size_t stub_held_count(struct stub *self);
size_t stub_broken_count(struct stub *self);
bool stub_has_routed(struct stub *self);
/* Waits until the condition, for 10 s at most; fails the test after that. */
#define stub_wait(condition)                                                                                           \
    do {                                                                                                               \
        int tries_ = 0;                                                                                                \
        while (!(condition) && tries_++ < 2000)                                                                        \
            uv_sleep(5);                                                                                               \
        assert_true(condition);                                                                                        \
    } while (0)

/* A loopback connection, blocking, with a time limit of 10 s on reads. */
int stub_connect(const struct stub *self);
unsigned stub_port(const struct stub *self);

#endif
