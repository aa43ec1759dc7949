/* client.c - a client's life: opening, its thread, what it tells of itself, closing. */
#include "client.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sodium.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clock.h"
#include "options.h"

void client_wake(struct carehub_client *c)
{
    if (!client_on_own_thread(c) && !atomic_exchange(&c->woken, true))
        eventfd_write(c->wake_fd, 1);
}

static _Thread_local const struct carehub_client *own; /* the client whose thread this is */

bool client_on_own_thread(const struct carehub_client *c)
{
    return own == c;
}

void client_warn(const struct carehub_client *c, const char *format, ...)
{
    char text[ERROR_TEXT_BYTES];
    if (!c->options.on_warning)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    c->options.on_warning(c->options.arg, text);
}

void client_set_state(struct carehub_client *c, enum carehub_state state, const char *error)
{
    char text[ERROR_TEXT_BYTES];
    snprintf(text, sizeof text, "%s", error ? error : "");
    pthread_mutex_lock(&c->lock);
    bool changed = c->state != state;
    c->state = state;
    memcpy(c->state_error, text, sizeof text);
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    if (changed && c->options.on_state)
        c->options.on_state(c->options.arg, state, error ? text : NULL);
}

void client_set_welcome(struct carehub_client *c, const Carehub__V1__Welcome *welcome)
{
    Carehub__V1__Welcome *copy = message_copy(&welcome->base);
    if (!copy)
        return; /* the older one still serves */
    pthread_mutex_lock(&c->lock);
    Carehub__V1__Welcome *old = c->welcome;
    c->welcome = copy;
    pthread_mutex_unlock(&c->lock);
    if (old)
        carehub__v1__welcome__free_unpacked(old, NULL);
}

/* ---- The thread ------------------------------------------------------------------------------------------------- */

static bool closing(struct carehub_client *c)
{
    pthread_mutex_lock(&c->lock);
    bool is = c->closing;
    pthread_mutex_unlock(&c->lock);
    return is;
}

static int64_t earliest(int64_t a_ms, int64_t b_ms)
{
    return a_ms < b_ms ? a_ms : b_ms;
}

static void wait_for_work(struct carehub_client *c)
{
    int64_t due_ms = earliest(earliest(session_due_ms(c), publish_due_ms(c)), subscribe_due_ms(c));
    long timeout_ms = -1;
    if (due_ms != INT64_MAX) {
        int64_t left_ms = due_ms - clock_ms();
        timeout_ms = left_ms > 0 ? (long)left_ms : 0;
    }
    zmq_pollitem_t items[3] = {{.fd = c->wake_fd, .events = ZMQ_POLLIN}};
    int n = 1;
    if (c->session.link.socket) {
        items[n++] = (zmq_pollitem_t){.socket = c->session.link.socket, .events = ZMQ_POLLIN};
        items[n++] = (zmq_pollitem_t){.socket = c->session.link.monitor, .events = ZMQ_POLLIN};
    }
    zmq_poll(items, n, timeout_ms);
    if (items[0].revents) {
        eventfd_t count;
        eventfd_read(c->wake_fd, &count);
        atomic_store(&c->woken, false); /* before looking at what was left: what comes later raises it again */
    }
}

/* Each round: take what has come, then tell the hub all there is to tell (so a round's acknowledgements, credit and
 * publications go out together), then wait. */
static void *run(void *arg)
{
    struct carehub_client *c = arg;
    own = c;
    if (c->spool)
        for (const char *text; (text = spool_remark(c->spool));)
            client_warn(c, "%s", text);
    while (!closing(c)) {
        bool more = session_receive(c);
        session_step(c, clock_ms());
        publish_step(c);
        subscribe_step(c);
        query_step(c);
        if (!more)
            wait_for_work(c);
    }
    subscribe_step(c);
    session_fini(c);
    publish_closed(c);
    subscribe_closed(c);
    query_closed(c);
    return NULL;
}

/* ---- The API ---------------------------------------------------------------------------------------------------- */

static void release(struct carehub_client *c)
{
    if (c->spool)
        spool_close(&c->spool);
    if (c->wake_fd >= 0)
        close(c->wake_fd);
    if (c->context)
        zmq_ctx_term(c->context);
    if (c->welcome)
        carehub__v1__welcome__free_unpacked(c->welcome, NULL);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
    carehub_options_free(&c->options);
    free(c);
}

static int prepare(struct carehub_client *c)
{
    c->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    c->context = zmq_ctx_new();
    if (c->wake_fd < 0 || !c->context)
        return error_set(CAREHUB_OUT_OF_MEMORY, "a client cannot be started: %s", strerror(errno));
    if (c->options.spool_dir) {
        struct spool_config config = {
            .dir = c->options.spool_dir,
            .key_file = c->options.spool_key_file,
            .max_bytes = c->options.spool_max_bytes,
        };
        int result = spool_open(&c->spool, &config);
        if (result != CAREHUB_OK)
            return result;
    }
    session_init(c);
    int result = publish_init(c);
    if (result != CAREHUB_OK)
        return result;
    subscribe_init(c);
    query_init(c);
    return CAREHUB_OK;
}

int carehub_open(carehub_client **client, const struct carehub_options *options)
{
    if (!client || !options || !options->endpoint)
        return error_set(CAREHUB_INVALID_ARGUMENT, "carehub_open: client, options and options->endpoint are needed");
    *client = NULL;
    if (sodium_init() < 0)
        return error_set(CAREHUB_IO, "libsodium cannot be initialised: no random source");
    struct carehub_client *c = calloc(1, sizeof *c);
    if (!c)
        return error_set(CAREHUB_OUT_OF_MEMORY, "out of memory");
    c->wake_fd = -1;
    pthread_mutex_init(&c->lock, NULL);
    cond_init(&c->changed);
    int result = options_copy(&c->options, options);
    if (result == CAREHUB_OK)
        result = prepare(c);
    if (result == CAREHUB_OK && pthread_create(&c->thread, NULL, run, c) != 0) {
        publish_fini(c);
        result = error_set(CAREHUB_OUT_OF_MEMORY, "a thread cannot be started: %s", strerror(errno));
    }
    if (result != CAREHUB_OK) {
        release(c);
        return result;
    }
    *client = c;
    return CAREHUB_OK;
}

int carehub_wait_connected(carehub_client *c, int timeout_ms)
{
    if (!c)
        return error_set(CAREHUB_INVALID_ARGUMENT, "carehub_wait_connected: client is NULL");
    if (client_on_own_thread(c))
        return error_set(CAREHUB_WOULD_DEADLOCK, "carehub_wait_connected was called from a callback");
    int64_t deadline_ms = clock_ms() + timeout_ms;
    bool in_time = true;
    pthread_mutex_lock(&c->lock);
    while (in_time && c->state != CAREHUB_CONNECTED && c->state != CAREHUB_NOT_ADMITTED)
        in_time = cond_wait_until(&c->changed, &c->lock, deadline_ms);
    enum carehub_state state = c->state;
    char text[ERROR_TEXT_BYTES];
    memcpy(text, c->state_error, sizeof text);
    pthread_mutex_unlock(&c->lock);
    if (state == CAREHUB_CONNECTED)
        return CAREHUB_OK;
    if (state == CAREHUB_NOT_ADMITTED)
        return error_set(CAREHUB_REFUSED, "%s", text);
    if (text[0])
        return error_set(CAREHUB_CONNECT, "%s", text);
    return error_set(CAREHUB_CONNECT, "the hub at %s was not reached within %d ms", c->options.endpoint, timeout_ms);
}

void carehub_close(carehub_client **client)
{
    if (!client || !*client)
        return;
    struct carehub_client *c = *client;
    *client = NULL;
    pthread_mutex_lock(&c->lock);
    c->closing = true;
    pthread_mutex_unlock(&c->lock);
    client_wake(c);
    pthread_join(c->thread, NULL);
    publish_fini(c);
    release(c);
}

/* ---- Welcome: a copy for each thread that asks ------------------------------------------------------------------ */

static pthread_key_t welcome_key;
static pthread_once_t welcome_once = PTHREAD_ONCE_INIT;

static void free_welcome(void *welcome)
{
    carehub__v1__welcome__free_unpacked(welcome, NULL);
}

static void make_welcome_key(void)
{
    pthread_key_create(&welcome_key, free_welcome);
}

const Carehub__V1__Welcome *carehub_welcome(carehub_client *c)
{
    if (!c)
        return NULL;
    pthread_once(&welcome_once, make_welcome_key);
    pthread_mutex_lock(&c->lock);
    Carehub__V1__Welcome *copy = c->welcome ? message_copy(&c->welcome->base) : NULL;
    pthread_mutex_unlock(&c->lock);
    Carehub__V1__Welcome *old = pthread_getspecific(welcome_key);
    if (old)
        carehub__v1__welcome__free_unpacked(old, NULL);
    pthread_setspecific(welcome_key, copy);
    return copy;
}
