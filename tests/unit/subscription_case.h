// What the tests of subscriptions' lives share: an HTTP endpoint with subscriptions on it, a stand-in for the hub, and
// a client that asks over HTTP. Persons and numbers are invented.
#ifndef CAREHUB_SUBSCRIPTION_CASE_H
#define CAREHUB_SUBSCRIPTION_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <json-c/json_object.h>

#include "stand_in_hub.h"
#include "subscription_internal.h"
#include "subscription_receiver.h"

enum { ASKED_BYTES = 1 << 20, TOKEN_BYTES = 64 };

// The adapter's side, in this process.
struct adapter {
    uv_loop_t loop;
    struct carehub_setting *tree;
    void *http;
    struct subscriptions *subscriptions;
    char endpoint[128]; // "http://127.0.0.1:4711/"
};

// Writes a configuration and credentials of ehr, lab and stranger into a directory. `more` are further settings.
void adapter_prepare(const char *dir, unsigned receiver_port, const char *more);
void adapter_start(struct adapter *self, const char *dir);
void adapter_stop(struct adapter *self);
void adapter_remove(const char *dir);

// The token of a credential.
const char *adapter_token(const char *name);

struct asked {
    long status;
    char location[512], etag[64], body[ASKED_BYTES];
};

// Asks over HTTP as `who` (NULL: nobody). While the adapter is NULL it is another process's endpoint.
const struct asked *ask(struct adapter *adapter, const char *endpoint, const char *who, const char *method,
                        const char *path, const char *body);

// Runs the loop until the condition holds, 10 s at most; fails the test after that.
#define RUN_UNTIL(adapter, condition)                                                                                  \
    do {                                                                                                               \
        uint64_t end_ = uv_hrtime() + UINT64_C(10000000000);                                                           \
        while (!(condition) && uv_hrtime() < end_) {                                                                   \
            uv_run(&(adapter)->loop, UV_RUN_NOWAIT);                                                                   \
            uv_sleep(1);                                                                                               \
        }                                                                                                              \
        assert_true(condition);                                                                                        \
    } while (0)
void run_for(struct adapter *adapter, int ms);

// A Subscription to the receiver. `more` goes into the channel: "" or ",\"header\":…".
const char *subscription_text(const char *id, const char *status, unsigned port, const char *content, const char *more);

// The event id of a number.
const uint8_t *event_id(unsigned number);

extern const struct carehub_format test_format;
extern unsigned test_originals; // how often the format was shown what is corrected

#endif
