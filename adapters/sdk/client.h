/* client.h - a client and its parts. The way of things:
 *
 *     API threads ── lock ──> incoming publications, acknowledgements, questions ── wake_fd ──┐
 *                                                                                             v
 *     the client's own thread:  link (socket) <-> session <-> publish, subscribe, query ── callbacks
 *
 * Functions of the parts are called on the client's own thread only, unless they say otherwise. */
#ifndef SDK_CLIENT_H
#define SDK_CLIENT_H

#include <pthread.h>
#include <stdatomic.h>

#include "carehub.h"
#include "error.h"
#include "publish.h"
#include "query.h"
#include "session.h"
#include "spool.h"
#include "subscribe.h"

struct carehub_client {
    /* Constant once open. */
    struct carehub_options options; /* with strings of its own */
    pthread_t thread;
    void *context;       /* ZeroMQ's */
    int wake_fd;         /* eventfd: something was left for the thread */
    struct spool *spool; /* NULL: none. Has a lock of its own */

    atomic_bool woken; /* wake_fd is raised already */

    /* Under the lock: what API threads and the client's thread share. It is never held during a callback or I/O, and
     * no other lock is taken under it. */
    pthread_mutex_t lock;
    pthread_cond_t changed; /* state, closing, and the end of subscriptions */
    bool closing;
    enum carehub_state state;
    char state_error[ERROR_TEXT_BYTES];
    Carehub__V1__Welcome *welcome;
    struct publish_inbox publish_inbox;
    struct subscribe_inbox subscribe_inbox;
    struct query_inbox query_inbox;

    /* The thread's own. */
    struct session session;
    struct publisher publisher;
    struct subscriber subscriber;
    struct asker asker;
};

/* Any thread: has the client's thread look at what was left for it. */
void client_wake(struct carehub_client *c);
/* Any thread: is this the client's own? */
bool client_on_own_thread(const struct carehub_client *c);

/* Changes the state, and tells of it if it is another one. `error` may be NULL. */
void client_set_state(struct carehub_client *c, enum carehub_state state, const char *error);
/* Keeps a copy of the Welcome for carehub_welcome. */
void client_set_welcome(struct carehub_client *c, const Carehub__V1__Welcome *welcome);
void client_warn(const struct carehub_client *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
