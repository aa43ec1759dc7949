#include "gate/gate_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#include "gate/memory.h"
#include "log_line.h"

/* ZMQ_ZAP_ENFORCE_DOMAIN: zmq.h hides it behind its draft macro, the library has it. Without it a socket with
 * an empty domain lets everybody in. */
enum { OPTION_ZAP_ENFORCE_DOMAIN = 93 };

/* What CURVE adds to a frame: command name, nonce, authenticator, flags; rounded up. */
enum { CURVE_OVERHEAD_BYTES = 64 };

enum { HANDLES = 5 };

/* ---- Turns of the loop ------------------------------------------------------------------------------------------ */

static bool readable(void *socket)
{
    int events = 0;
    size_t size = sizeof events;

    return zmq_getsockopt(socket, ZMQ_EVENTS, &events, &size) == 0 && (events & ZMQ_POLLIN);
}

static void on_idle(uv_idle_t *handle);

/* Everything there is to do at the moment. ZMQ_FD says only once that something has changed, and sending and
 * receiving swallow that sign, so each turn ends with a look at what is left. The core's words come first: a
 * revocation is in force before anything else is read. */
static void turn(struct gate *gate)
{
    outgoing_drain(gate);
    zap_answer(gate->zap, (int64_t)uv_now(gate->loop));
    bool more = incoming_read(gate);
    outgoing_retry(gate);

    bool reads = gate->reading && !gate->stalled;
    if (more || readable(zap_socket(gate->zap)) || (readable(gate->router) && reads))
        uv_idle_start(&gate->idle, on_idle);
    else
        uv_idle_stop(&gate->idle);
}

static void on_idle(uv_idle_t *handle)
{
    turn(handle->data);
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
    (void)status, (void)events;
    turn(handle->data);
}

static void on_async(uv_async_t *handle)
{
    turn(handle->data);
}

void gate_wake(void *gate)
{
    uv_async_send(&((struct gate *)gate)->async);
}

/* ---- Sessions that end by themselves ---------------------------------------------------------------------------- */

void gate_report_gone(struct gate *gate, struct session *session)
{
    struct frame *gone = session->gone;

    if (gate->stalled && gate->stalled->session == session->id) { /* the core hears of the end, and of nothing after */
        frame_free(gate->stalled);
        gate->stalled = NULL;
    }
    session->gone = NULL;
    if (gone)
        queue_push(gate->inbound, &gone->node, gone->memory_bytes, QUEUE_ALWAYS);
}

void gate_end_session(struct gate *gate, struct session *session)
{
    gate_report_gone(gate, session);
    sessions_close(&gate->sessions, session);
}

static void on_sweep(uv_timer_t *handle)
{
    struct gate *gate = handle->data;
    int64_t now_ms = (int64_t)uv_now(gate->loop);

    turn(gate);
    for (size_t slot = 0; slot < SESSIONS_MAX && gate->sessions.n > 0; slot++) {
        struct session *session = gate->sessions.slots[slot];
        if (!session)
            continue;
        bool silent = gate->drained_ms - session->heard_ms > gate->session_silent_max_ms;
        bool blocked = session_waiting(session) && now_ms - session->blocked_ms > gate->session_silent_max_ms;
        if (silent || blocked) {
            LOG_LINE(LOG_LEVEL_INFO, "session of client %u ended: it %s", session->client,
                     silent ? "was silent for too long" : "does not read what is sent to it");
            gate_end_session(gate, session);
        }
    }
}

/* ---- Making it -------------------------------------------------------------------------------------------------- */

static bool set_int(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof value) == 0;
}

static bool set_options(struct gate *gate, const struct gate_options *options)
{
    const int64_t frame_max = FRAME_MAX_BYTES + CURVE_OVERHEAD_BYTES;
    const struct {
        int option, value;
    } settings[] = {
        {ZMQ_CURVE_SERVER, 1},
        {OPTION_ZAP_ENFORCE_DOMAIN, 1},
        {ZMQ_IPV6, options->ipv6},
        {ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS},
        {ZMQ_RCVHWM, RECEIVE_HWM_FRAMES},
        {ZMQ_SNDHWM, SEND_HWM_FRAMES},
        {ZMQ_BACKLOG, LISTEN_BACKLOG},
        {ZMQ_TCP_KEEPALIVE, 1},
        {ZMQ_TCP_KEEPALIVE_IDLE, KEEPALIVE_IDLE_S},
        {ZMQ_TCP_KEEPALIVE_INTVL, KEEPALIVE_EVERY_S},
        {ZMQ_TCP_KEEPALIVE_CNT, KEEPALIVE_PROBES},
        {ZMQ_TCP_MAXRT, UNACKNOWLEDGED_MAX_MS},
        {ZMQ_ROUTER_MANDATORY, 1},
        {ZMQ_ROUTER_HANDOVER, 0}, /* else a key that takes another's routing id gets its messages */
        {ZMQ_LINGER, 0},
    };

    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        if (!set_int(gate->router, settings[i].option, settings[i].value))
            return false;
    }
    return zmq_setsockopt(gate->router, ZMQ_MAXMSGSIZE, &frame_max, sizeof frame_max) == 0 &&
           zmq_setsockopt(gate->router, ZMQ_ZAP_DOMAIN, ZAP_DOMAIN, strlen(ZAP_DOMAIN)) == 0 &&
           zmq_setsockopt(gate->router, ZMQ_CURVE_SECRETKEY, options->secret_key, KEY_BYTES) == 0 &&
           zmq_setsockopt(gate->router, ZMQ_CURVE_PUBLICKEY, options->public_key, KEY_BYTES) == 0;
}

/* What a step failed at, or NULL. */
static const char *open_sockets(struct gate *gate, const struct gate_options *options)
{
    gate->context = zmq_ctx_new();
    if (!gate->context ||
        zmq_ctx_set(gate->context, ZMQ_IO_THREADS, options->io_threads ? options->io_threads : 1) != 0)
        return "libzmq cannot be started";
    gate->zap = zap_open(gate->context, &gate->door); /* before any socket is bound */
    if (!gate->zap)
        return "the authentication handler cannot be started";
    gate->router = zmq_socket(gate->context, ZMQ_ROUTER);
    if (!gate->router)
        return "the socket cannot be made";
    return set_options(gate, options) ? NULL : "libzmq does not have an option of the socket that is needed";
}

static int socket_fd(void *socket)
{
    int fd = -1;
    size_t size = sizeof fd;

    return zmq_getsockopt(socket, ZMQ_FD, &fd, &size) == 0 ? fd : -1;
}

/* The handles, in the order in which they are made. */
static void list_handles(struct gate *gate, uv_handle_t *handles[HANDLES])
{
    handles[0] = (uv_handle_t *)&gate->router_poll;
    handles[1] = (uv_handle_t *)&gate->zap_poll;
    handles[2] = (uv_handle_t *)&gate->async;
    handles[3] = (uv_handle_t *)&gate->idle;
    handles[4] = (uv_handle_t *)&gate->sweep;
}

/* The first open_handles are to be closed by the loop, also if this fails. */
static bool make_handles(struct gate *gate)
{
    if (uv_poll_init(gate->loop, &gate->router_poll, socket_fd(gate->router)) != 0)
        return false;
    gate->open_handles++;
    if (uv_poll_init(gate->loop, &gate->zap_poll, socket_fd(zap_socket(gate->zap))) != 0)
        return false;
    gate->open_handles++;
    if (uv_async_init(gate->loop, &gate->async, on_async) != 0)
        return false;
    uv_idle_init(gate->loop, &gate->idle);
    uv_timer_init(gate->loop, &gate->sweep);
    gate->open_handles = HANDLES;
    return true;
}

static bool start_handles(struct gate *gate)
{
    uv_handle_t *handles[HANDLES];
    bool made = make_handles(gate);

    list_handles(gate, handles);
    for (int i = 0; i < gate->open_handles; i++)
        handles[i]->data = gate;
    return made && uv_poll_start(&gate->router_poll, UV_READABLE, on_poll) == 0 &&
           uv_poll_start(&gate->zap_poll, UV_READABLE, on_poll) == 0 &&
           uv_timer_start(&gate->sweep, on_sweep, SWEEP_MS, SWEEP_MS) == 0;
}

struct gate *gate_new(uv_loop_t *loop, const struct gate_options *options, char error[GATE_ERROR_BYTES])
{
    struct gate *gate = memory_get_zeroed(1, sizeof *gate);

    gate->loop = loop;
    gate->inbound = options->inbound;
    gate->outbound = options->outbound;
    gate->session_silent_max_ms =
        options->session_silent_max_ms ? options->session_silent_max_ms : SESSION_SILENT_MAX_MS;
    gate->reading = true;
    gate->drained_ms = (int64_t)uv_now(loop);

    const char *failed = open_sockets(gate, options);
    if (failed) {
        snprintf(error, GATE_ERROR_BYTES, "%s: %s", failed, zmq_strerror(errno));
    } else if (!start_handles(gate)) {
        snprintf(error, GATE_ERROR_BYTES, "the event loop cannot be started; are there too many open files?");
    } else {
        gate->outbound->wake = gate_wake;
        gate->outbound->wake_arg = gate;
        return gate;
    }
    gate_free(&gate);
    return NULL;
}

const char *gate_listen(struct gate *gate, const char *endpoint, char error[GATE_ERROR_BYTES])
{
    size_t size = sizeof gate->bound;

    outgoing_drain(gate); /* the first standings, so that nobody is refused for want of them */
    if (zmq_bind(gate->router, endpoint) != 0) {
        snprintf(error, GATE_ERROR_BYTES, "cannot listen on %s: %s", endpoint, zmq_strerror(errno));
        return NULL;
    }
    if (zmq_getsockopt(gate->router, ZMQ_LAST_ENDPOINT, gate->bound, &size) != 0)
        snprintf(gate->bound, sizeof gate->bound, "%s", endpoint);
    return gate->bound;
}

/* ---- Ending it
 * ----------------------------------------------------------------------------------------------------------
 */

void gate_stop_reading(struct gate *gate)
{
    gate->reading = false;
}

void gate_farewell(struct gate *gate, const char *reason)
{
    Carehub__V1__Bye bye = CAREHUB__V1__BYE__INIT;
    Carehub__V1__ToClient message = CAREHUB__V1__TO_CLIENT__INIT;

    bye.reason = (char *)reason;
    message.message_case = CAREHUB__V1__TO_CLIENT__MESSAGE_BYE;
    message.bye = &bye;
    outgoing_drain(gate);
    outgoing_retry(gate);
    for (size_t slot = 0; slot < SESSIONS_MAX; slot++) {
        if (gate->sessions.slots[slot])
            outgoing_send(gate, gate->sessions.slots[slot], &message);
    }
    set_int(gate->router, ZMQ_LINGER, FAREWELL_MS);
}

static void on_closed(uv_handle_t *handle)
{
    ((struct gate *)handle->data)->open_handles--;
}

static void close_handles(struct gate *gate)
{
    uv_handle_t *handles[HANDLES];

    list_handles(gate, handles);
    for (int i = 0, n = gate->open_handles; i < n; i++)
        uv_close(handles[i], on_closed);
    while (gate->open_handles > 0)
        uv_run(gate->loop, UV_RUN_ONCE);
}

void gate_free(struct gate **gate_)
{
    struct gate *gate = *gate_;

    if (!gate)
        return;
    *gate_ = NULL;
    gate->outbound->wake = NULL;
    close_handles(gate); /* before the sockets whose descriptors they watch */
    for (size_t slot = 0; slot < SESSIONS_MAX; slot++) {
        if (gate->sessions.slots[slot])
            sessions_close(&gate->sessions, gate->sessions.slots[slot]);
    }
    frame_free(gate->stalled);
    if (gate->router)
        zmq_close(gate->router);
    zap_close(&gate->zap);
    if (gate->context)
        zmq_ctx_term(gate->context); /* sends what lingers; frees the rest */
    door_fini(&gate->door);
    free(gate);
}
