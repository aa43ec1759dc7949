/* From the core to the sockets. A session that takes nothing at the moment keeps what is meant for it in its
 * own list, so that it holds up nobody else. */
#include "gate/gate_internal.h"

#include <errno.h>
#include <zmq.h>

#include "log_line.h"

enum handed { HANDED_OVER, HANDED_LATER, HANDED_TO_NOBODY };

/* libzmq has sent it, or given up on it. On any thread. */
static void sent(void *data, void *out)
{
    (void)data;
    out_free(out);
}

static int send_routing(struct gate *gate, const uint8_t *routing, size_t size)
{
    int rc;

    do
        rc = zmq_send(gate->router, routing, size, ZMQ_SNDMORE | ZMQ_DONTWAIT);
    while (rc < 0 && errno == EINTR);
    return rc;
}

/* Hands `out` to libzmq, which then owns it; with any other result than HANDED_OVER it is still the caller's.
 */
static enum handed hand_over(struct gate *gate, const uint8_t *routing, size_t size, struct out *out)
{
    zmq_msg_t msg;

    if (send_routing(gate, routing, size) < 0)
        return errno == EAGAIN ? HANDED_LATER : HANDED_TO_NOBODY;
    if (zmq_msg_init_data(&msg, out->data, out->size, sent, out) != 0) {
        LOG_LINE(LOG_LEVEL_ERROR, "libzmq has no memory for a message; the session will have to connect again");
        zmq_send(gate->router, "", 0, ZMQ_DONTWAIT); /* the routing id that was sent wants a second part */
        return HANDED_TO_NOBODY;
    }
    if (zmq_msg_send(&msg, gate->router, ZMQ_DONTWAIT) < 0)
        zmq_msg_close(&msg); /* frees out */
    return HANDED_OVER;
}

static enum handed hand_over_to(struct gate *gate, const struct session *session, struct out *out)
{
    uint32_t n = session->routing;
    const uint8_t routing[ROUTING_BYTES] = {0, (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};

    return hand_over(gate, routing, sizeof routing, out);
}

static void wait_for_socket(struct gate *gate, struct session *session, struct out *out)
{
    session_wait(session, out);
    if (!session->shortlisted) {
        session->shortlisted = true;
        session->blocked_ms = (int64_t)uv_now(gate->loop);
        gate->waiting[gate->n_waiting++] = session->id;
    }
    if (session->waiting_answers_bytes > WAITING_ANSWERS_MAX_BYTES) {
        LOG_LINE(LOG_LEVEL_WARNING, "client %u does not fetch its answers; its session is ended", session->client);
        gate_end_session(gate, session);
    }
}

static void send_out(struct gate *gate, struct session *session, struct out *out)
{
    if (session_waiting(session)) {
        wait_for_socket(gate, session, out);
        return;
    }
    switch (hand_over_to(gate, session, out)) {
    case HANDED_OVER:
        break;
    case HANDED_LATER:
        wait_for_socket(gate, session, out);
        break;
    case HANDED_TO_NOBODY:
        out_free(out);
        gate_end_session(gate, session);
        break;
    }
}

void outgoing_send(struct gate *gate, struct session *session, const Carehub__V1__ToClient *message)
{
    send_out(gate, session, out_pack(gate->outbound, session->id, message));
}

void outgoing_send_stray(struct gate *gate, const uint8_t *routing, size_t routing_size,
                         const Carehub__V1__ToClient *message)
{
    struct out *out = out_pack(gate->outbound, 0, message);

    if (hand_over(gate, routing, routing_size, out) != HANDED_OVER)
        out_free(out);
}

/* ---- What the core says ----------------------------------------------------------------------------------------- */

static void do_message(struct gate *gate, struct session *session, struct out *out)
{
    /* The core ends the attachments of a revoked key at the revocation's place; this holds even if it did
     * not. */
    if (!session || (out->delivery && !door_knows(&gate->door, session->key)))
        out_free(out);
    else
        send_out(gate, session, out);
}

static void do_session(struct gate *gate, struct session *session, const struct out *out)
{
    if (!session)
        return;
    session->client = out->client;
    if (out->client == 0) {
        gate_report_gone(gate, session);
        session->state = SESSION_CLOSED;
    } else if (session->state == SESSION_OPENING) {
        session->state = SESSION_OPEN;
    }
}

static void do_settled(struct session *session, const struct out *out)
{
    uint32_t items = out->settled[0], bytes = out->settled[1];

    if (!session)
        return;
    session->window_items -= items < session->window_items ? items : session->window_items;
    session->window_bytes -= bytes < session->window_bytes ? bytes : session->window_bytes;
}

/* A revoked key gets nothing more of what still waits for its socket. */
static void do_standings(struct gate *gate, struct standings *standings)
{
    door_update(&gate->door, standings);
    for (size_t i = 0; i < gate->n_waiting; i++) {
        struct session *session = sessions_by_id(&gate->sessions, gate->waiting[i]);
        if (!session || !session->enrolled || door_knows(&gate->door, session->key))
            continue;
        for (struct out *out = session_next(session); out; out = session_next(session))
            out_free(out);
    }
}

static void do_out(struct gate *gate, struct out *out)
{
    struct session *session = sessions_by_id(&gate->sessions, out->session);

    if (out->kind == OUT_MESSAGE) { /* goes on to the socket */
        do_message(gate, session, out);
        return;
    }
    if (out->kind == OUT_SESSION)
        do_session(gate, session, out);
    else if (out->kind == OUT_SETTLED)
        do_settled(session, out);
    else
        do_standings(gate, out->standings);
    out_free(out);
}

void outgoing_drain(struct gate *gate)
{
    size_t items = 0, bytes = 0;

    for (struct queue_node *node = queue_take(&gate->outbound->queue), *next; node; node = next) {
        next = node->next;
        items++;
        bytes += node->bytes;
        do_out(gate, (struct out *)node);
    }
    if (items > 0)
        queue_release(&gate->outbound->queue, items, bytes);
}

/* ---- What waits ------------------------------------------------------------------------------------------------- */

/* False if the session has ended. */
static bool retry_session(struct gate *gate, struct session *session)
{
    struct out *out;

    while ((out = session_next(session)) != NULL) {
        switch (hand_over_to(gate, session, out)) {
        case HANDED_OVER:
            session->blocked_ms = (int64_t)uv_now(gate->loop);
            break;
        case HANDED_LATER:
            session_wait_first(session, out);
            return true;
        case HANDED_TO_NOBODY:
            out_free(out);
            gate_end_session(gate, session);
            return false;
        }
    }
    return true;
}

void outgoing_retry(struct gate *gate)
{
    size_t n = gate->n_waiting, left = 0;

    for (size_t i = 0; i < n; i++) {
        struct session *session = sessions_by_id(&gate->sessions, gate->waiting[i]);
        if (!session || !retry_session(gate, session))
            continue;
        if (session_waiting(session))
            gate->waiting[left++] = session->id;
        else
            session->shortlisted = false;
    }
    gate->n_waiting = left;
}
