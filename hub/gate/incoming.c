/* From the sockets to the core. Each frame passes, in this order: is it ours to read at all, may its key say
 * anything, is it well-formed, is there a session, is there room. What fails is answered; the rest goes to
 * the core. */
#include "gate/gate_internal.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <zmq.h>

#include "gate/memory.h"
#include "log_line.h"

/* A frame on its way in. */
struct arrival {
    uint8_t routing[256]; /* libzmq's longest */
    size_t routing_size;
    bool whole; /* routing id and one frame, as it should be */
    bool own_routing_id;
    const char *user_id;
    uint8_t key[KEY_BYTES];
    const uint8_t *data;
    size_t size;
    struct session *session; /* or NULL */
};

/* ---- Answers of the gate itself --------------------------------------------------------------------------------- */

static void answer(struct gate *gate, const struct arrival *in, const Carehub__V1__ToClient *message)
{
    if (in->session)
        outgoing_send(gate, in->session, message);
    else
        outgoing_send_stray(gate, in->routing, in->routing_size, message);
}

static void answer_error(struct gate *gate, const struct arrival *in, Carehub__V1__ErrorCode code, bool retry,
                         const char *text)
{
    Carehub__V1__Error error = CAREHUB__V1__ERROR__INIT;
    Carehub__V1__ToClient message = CAREHUB__V1__TO_CLIENT__INIT;

    error.code = code;
    error.retry = retry;
    error.text = (char *)text;
    message.message_case = CAREHUB__V1__TO_CLIENT__MESSAGE_ERROR;
    message.error = &error;
    answer(gate, in, &message);
}

/* Every publication gets its one confirmation, so a refused frame is answered for each of them. */
static void reject_publications(struct gate *gate, struct session *session, const Carehub__V1__Publish *publish,
                                Carehub__V1__ErrorCode code, bool retry, const char *text)
{
    size_t n = publish->n_publications;
    Carehub__V1__Error error = CAREHUB__V1__ERROR__INIT;
    Carehub__V1__Confirm confirm = CAREHUB__V1__CONFIRM__INIT;
    Carehub__V1__ToClient message = CAREHUB__V1__TO_CLIENT__INIT;
    Carehub__V1__Confirmation *each = memory_get_zeroed(n + 1, sizeof *each);
    Carehub__V1__Confirmation **list = memory_get_zeroed(n + 1, sizeof(Carehub__V1__Confirmation *));

    error.code = code;
    error.retry = retry;
    error.text = (char *)text;
    for (size_t i = 0; i < n; i++) {
        carehub__v1__confirmation__init(&each[i]);
        each[i].ref = publish->publications[i]->ref;
        each[i].status = CAREHUB__V1__CONFIRMATION__STATUS__REJECTED;
        each[i].error = &error;
        list[i] = &each[i];
    }
    confirm.n_confirmations = n;
    confirm.confirmations = list;
    message.message_case = CAREHUB__V1__TO_CLIENT__MESSAGE_CONFIRM;
    message.confirm = &confirm;
    outgoing_send(gate, session, &message);
    free(list);
    free(each);
}

/* ---- The core's queue ------------------------------------------------------------------------------------------- */

/* Hands a frame to the core. What cannot be refused waits, and everything behind it. */
static void pass_on(struct gate *gate, struct frame *frame)
{
    if (queue_push(gate->inbound, &frame->node, frame->memory_bytes, QUEUE_ALL) == QUEUE_FULL)
        gate->stalled = frame;
}

static void pass_on_publish(struct gate *gate, struct session *session, struct frame *frame)
{
    const Carehub__V1__Publish *publish = frame->message->publish;
    uint32_t items = frame->items;
    size_t bytes = frame->bytes;

    if (frame->items > BATCH_MAX_ITEMS || frame->publications > BATCH_MAX_ITEMS) {
        reject_publications(gate, session, publish, CAREHUB__V1__ERROR_CODE__TOO_MANY, false,
                            "too many items in one frame; put at most limits.batch_max_items into each");
    } else if (session->window_items + items > PUBLISH_MAX_UNCONFIRMED ||
               session->window_bytes + bytes > PUBLISH_MAX_UNCONFIRMED_BYTES) {
        reject_publications(gate, session, publish, CAREHUB__V1__ERROR_CODE__BUSY, true,
                            "too much is published and not yet confirmed; wait for confirmations, then send it again");
    } else if (queue_push(gate->inbound, &frame->node, frame->memory_bytes, QUEUE_MOST) == QUEUE_FULL) {
        reject_publications(gate, session, publish, CAREHUB__V1__ERROR_CODE__BUSY, true,
                            "the hub has more to do than it can take in; send it again after a short while");
    } else {
        session->window_items += items;
        session->window_bytes += bytes;
        return;
    }
    frame_free(frame);
}

/* ---- Sessions --------------------------------------------------------------------------------------------------- */

static struct session *open_session(struct gate *gate, struct arrival *in)
{
    if (sessions_of_key(&gate->sessions, in->key) >= SESSIONS_PER_KEY_MAX) {
        answer_error(gate, in, CAREHUB__V1__ERROR_CODE__TOO_MANY, true,
                     "this key has too many sessions; close some, or wait until those that are silent are dropped");
        return NULL;
    }
    struct session *session =
        sessions_open(&gate->sessions, (uint32_t)in->routing[1] << 24 | (uint32_t)in->routing[2] << 16 |
                                           (uint32_t)in->routing[3] << 8 | in->routing[4]);
    if (!session) {
        answer_error(gate, in, CAREHUB__V1__ERROR_CODE__BUSY, true,
                     "the hub has as many sessions as it can hold; try again later");
        return NULL;
    }
    memcpy(session->key, in->key, KEY_BYTES);
    memcpy(session->user_id, in->user_id, sizeof session->user_id);
    session->enrolled = door_knows(&gate->door, in->key);
    session->heard_ms = (int64_t)uv_now(gate->loop);
    return session;
}

static void mute(struct gate *gate, struct session *session)
{
    LOG_LINE(LOG_LEVEL_WARNING,
             "client %u sends malformed frames again and again; it is no longer listened to until it "
             "connects again",
             session->client);
    session->state = SESSION_MUTED;
    gate_report_gone(gate, session);
}

static void malformed(struct gate *gate, struct arrival *in, const char *what)
{
    char text[FRAME_ERROR_CHARS + 64];
    session_id id = in->session ? in->session->id : 0;

    snprintf(text, sizeof text, "not a well-formed message of this protocol: %s", what);
    answer_error(gate, in, CAREHUB__V1__ERROR_CODE__MALFORMED, false, text);
    struct session *session = sessions_by_id(&gate->sessions, id); /* the answer may have ended it */
    if (session && ++session->faults > FAULTS_MAX)
        mute(gate, session);
}

/* ---- The way of a frame ----------------------------------------------------------------------------------------- */

/* Is this a connection that may speak here at all? */
static bool is_acceptable(struct gate *gate, struct arrival *in)
{
    size_t key_size;

    if (in->own_routing_id || in->routing_size != ROUTING_BYTES || in->routing[0] != 0) {
        in->session = NULL;
        answer_error(gate, in, CAREHUB__V1__ERROR_CODE__NOT_ALLOWED, false,
                     "a routing id of one's own is not accepted; connect without setting one");
        return false;
    }
    /* Without ZAP there is no User-Id; gate_new makes sure that there is, and this that nothing passes if
     * not. */
    if (!in->user_id || strlen(in->user_id) != USER_ID_CHARS ||
        sodium_hex2bin(in->key, KEY_BYTES, in->user_id, USER_ID_CHARS, NULL, &key_size, NULL) != 0 ||
        key_size != KEY_BYTES) {
        LOG_LINE(LOG_LEVEL_ERROR, "dropped a frame of a connection that was not authenticated");
        return false;
    }
    if (in->session && strcmp(in->session->user_id, in->user_id) != 0) {
        LOG_LINE(LOG_LEVEL_WARNING, "dropped a frame: another key uses the connection name of a session");
        return false;
    }
    return true;
}

/* May this key say something? An unknown one may only enrol; `enrols_only` says so. Answers if it may not. */
static bool is_in_standing(struct gate *gate, struct arrival *in, bool *enrols_only)
{
    *enrols_only = false;
    if (door_knows(&gate->door, in->key)) {
        if (in->session)
            in->session->enrolled = true;
        return true;
    }
    if (in->session && in->session->enrolled) {
        answer_error(gate, in, CAREHUB__V1__ERROR_CODE__REVOKED, false,
                     "this key or its client was revoked; ask the hub's registrar for a new enrolment");
        return false;
    }
    *enrols_only = true;
    if (in->size <= ENROL_FRAME_MAX_BYTES && door_may_enrol(&gate->door, in->key, (int64_t)uv_now(gate->loop)))
        return true;
    answer_error(gate, in, CAREHUB__V1__ERROR_CODE__NOT_ENROLLED, false,
                 "this key belongs to no client; enrol it with a ticket from the hub's registrar");
    return false;
}

static void heartbeat(struct gate *gate, const struct arrival *in)
{
    const Carehub__V1__ToClient empty = CAREHUB__V1__TO_CLIENT__INIT;

    if (in->session)
        outgoing_send(gate, in->session, &empty);
    else
        answer_error(gate, in, CAREHUB__V1__ERROR_CODE__NO_HELLO, true, "this connection has no session; say Hello");
}

/* A well-formed frame: is there a session for it, and where does it go? */
static void admit(struct gate *gate, struct arrival *in, struct frame *frame, bool enrols_only)
{
    Carehub__V1__ToHub__MessageCase what = frame->message->message_case;
    bool opens = what == CAREHUB__V1__TO_HUB__MESSAGE_HELLO || what == CAREHUB__V1__TO_HUB__MESSAGE_ENROL;

    if (enrols_only && what != CAREHUB__V1__TO_HUB__MESSAGE_ENROL) {
        answer_error(gate, in, CAREHUB__V1__ERROR_CODE__NOT_ENROLLED, false,
                     "this key belongs to no client; enrol it with a ticket from the hub's registrar");
    } else if (!in->session && !opens) {
        answer_error(gate, in, CAREHUB__V1__ERROR_CODE__NO_HELLO, true,
                     "this connection has no session; say Hello, attach again and send again what is not confirmed");
    } else if (what != CAREHUB__V1__TO_HUB__MESSAGE_PUBLISH && in->size > OTHER_FRAME_MAX_BYTES) {
        answer_error(gate, in, CAREHUB__V1__ERROR_CODE__TOO_LARGE, false,
                     "only a Publish may be larger than 65536 bytes; split it");
    } else if (in->session && what == CAREHUB__V1__TO_HUB__MESSAGE_BYE) {
        gate_end_session(gate, in->session);
    } else if (in->session || (in->session = open_session(gate, in)) != NULL) {
        frame->session = in->session->id;
        memcpy(frame->key, in->key, KEY_BYTES);
        if (what == CAREHUB__V1__TO_HUB__MESSAGE_PUBLISH)
            pass_on_publish(gate, in->session, frame);
        else
            pass_on(gate, frame);
        return;
    }
    frame_free(frame);
}

static void arrive(struct gate *gate, struct arrival *in)
{
    char error[FRAME_ERROR_CHARS];
    bool enrols_only;

    if (!is_acceptable(gate, in))
        return;
    if (in->session) {
        in->session->heard_ms = (int64_t)uv_now(gate->loop);
        if (in->session->state == SESSION_MUTED)
            return;
    }
    if (!is_in_standing(gate, in, &enrols_only))
        return;
    if (in->session && in->session->state == SESSION_CLOSED) {
        gate_end_session(gate, in->session);
        in->session = NULL;
    }
    if (!in->whole) {
        malformed(gate, in, "a message is one frame");
        return;
    }
    if (in->size == 0) {
        heartbeat(gate, in);
        return;
    }
    struct frame *frame = frame_parse(in->data, in->size, error);
    if (frame)
        admit(gate, in, frame, enrols_only);
    else
        malformed(gate, in, error);
}

/* ---- Reading ---------------------------------------------------------------------------------------------------- */

/* Reads the parts after the routing id into `msg`: the first one; others are only counted. */
static void read_rest(void *router, zmq_msg_t *msg, struct arrival *in)
{
    size_t parts = 0;
    int more = 1;

    zmq_msg_init(msg);
    while (more) {
        zmq_msg_t surplus, *part = parts++ == 0 ? msg : &surplus;
        if (part == &surplus)
            zmq_msg_init(part);
        if (zmq_msg_recv(part, router, ZMQ_DONTWAIT) < 0) /* parts of a message come together */
            more = 0;
        else
            more = zmq_msg_more(part);
        if (part == &surplus)
            zmq_msg_close(part);
    }
    in->whole = parts == 1;
}

/* False if nothing was waiting. */
static bool read_one(struct gate *gate)
{
    struct arrival in = {0};
    zmq_msg_t msg;
    int size;

    do
        size = zmq_recv(gate->router, in.routing, sizeof in.routing, ZMQ_DONTWAIT);
    while (size < 0 && errno == EINTR);
    if (size < 0)
        return false;
    in.routing_size = (size_t)size;
    read_rest(gate->router, &msg, &in);
    const char *own = zmq_msg_gets(&msg, "Identity");
    in.own_routing_id = own && *own;
    in.user_id = zmq_msg_gets(&msg, "User-Id");
    in.data = zmq_msg_data(&msg);
    in.size = zmq_msg_size(&msg);
    if (in.routing_size == ROUTING_BYTES)
        in.session =
            sessions_by_routing(&gate->sessions, (uint32_t)in.routing[1] << 24 | (uint32_t)in.routing[2] << 16 |
                                                     (uint32_t)in.routing[3] << 8 | in.routing[4]);
    arrive(gate, &in);
    zmq_msg_close(&msg);
    return true;
}

bool incoming_read(struct gate *gate)
{
    if (gate->stalled) {
        struct frame *frame = gate->stalled;
        gate->stalled = NULL;
        pass_on(gate, frame);
    }
    for (int n = 0; n < READ_FRAMES_MAX && gate->reading && !gate->stalled; n++) {
        if (!read_one(gate)) {
            gate->drained_ms = (int64_t)uv_now(gate->loop);
            return false;
        }
    }
    return gate->reading && !gate->stalled;
}
