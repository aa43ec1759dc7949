#include "sdk_peer.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <zmq.h>

static void set_int(void *socket, int option, int value)
{
    assert_int_equal(zmq_setsockopt(socket, option, &value, sizeof value), 0);
}

void peer_start(struct peer *p)
{
    if (!p->context) {
        p->context = zmq_ctx_new();
        assert_int_equal(carehub_keygen(&p->key), CAREHUB_OK);
        strcpy(p->endpoint, "tcp://127.0.0.1:*");
        carehub__v1__limits__init(&p->limits);
    }
    p->socket = zmq_socket(p->context, ZMQ_ROUTER);
    set_int(p->socket, ZMQ_CURVE_SERVER, 1);
    set_int(p->socket, ZMQ_LINGER, 0);
    set_int(p->socket, ZMQ_ROUTER_MANDATORY, 1);
    zmq_setsockopt(p->socket, ZMQ_CURVE_SECRETKEY, p->key.secret_key, sizeof p->key.secret_key);
    int tries = 0; /* the port is let go a moment after zmq_close */
    while (zmq_bind(p->socket, p->endpoint) != 0 && ++tries < 100)
        zmq_poll(NULL, 0, 20);
    size_t size = sizeof p->endpoint;
    assert_int_equal(zmq_getsockopt(p->socket, ZMQ_LAST_ENDPOINT, p->endpoint, &size), 0);
}

void peer_kill(struct peer *p)
{
    zmq_close(p->socket);
    p->socket = NULL;
}

void peer_free(struct peer *p)
{
    if (p->socket)
        peer_kill(p);
    zmq_ctx_term(p->context);
    p->context = NULL;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Receives a message; NULL when nothing comes in time. */
static Carehub__V1__ToHub *receive(struct peer *p, long timeout_ms)
{
    static uint8_t data[1 << 20];
    int64_t deadline_ms = now_ms() + timeout_ms, left_ms;
    while ((left_ms = deadline_ms - now_ms()) > 0) {
        zmq_pollitem_t item = {.socket = p->socket, .events = ZMQ_POLLIN};
        if (zmq_poll(&item, 1, (long)left_ms) <= 0)
            return NULL;
        p->identity_size = (size_t)zmq_recv(p->socket, p->identity, sizeof p->identity, 0);
        int size = zmq_recv(p->socket, data, sizeof data, 0);
        assert_true(size >= 0);
        if (size > 0) {
            Carehub__V1__ToHub *m = carehub__v1__to_hub__unpack(NULL, (size_t)size, data);
            assert_non_null(m);
            return m;
        }
        if (p->mute)
            continue;
        zmq_send(p->socket, p->identity, p->identity_size, ZMQ_SNDMORE);
        zmq_send(p->socket, "", 0, 0);
    }
    return NULL;
}

Carehub__V1__ToHub *peer_hear(struct peer *p, Carehub__V1__ToHub__MessageCase kind)
{
    Carehub__V1__ToHub *m = receive(p, PATIENCE_MS);
    if (!m)
        fail_msg("nothing came; expected kind %d", kind);
    if (m->message_case != kind)
        fail_msg("kind %d came; expected %d", m->message_case, kind);
    return m;
}

void peer_hear_nothing(struct peer *p)
{
    Carehub__V1__ToHub *m = receive(p, QUIET_MS);
    if (m)
        fail_msg("kind %d came; expected nothing", m->message_case);
}

void peer_forget(Carehub__V1__ToHub *heard)
{
    carehub__v1__to_hub__free_unpacked(heard, NULL);
}

void peer_say(struct peer *p, Carehub__V1__ToClient__MessageCase kind, void *message)
{
    static uint8_t data[1 << 16];
    Carehub__V1__ToClient m = CAREHUB__V1__TO_CLIENT__INIT;
    m.message_case = kind;
    m.welcome = message; /* a union of pointers */
    size_t size = carehub__v1__to_client__get_packed_size(&m);
    assert_true(size <= sizeof data);
    carehub__v1__to_client__pack(&m, data);
    assert_true(zmq_send(p->socket, p->identity, p->identity_size, ZMQ_SNDMORE) >= 0);
    assert_true(zmq_send(p->socket, data, size, 0) >= 0);
}

void peer_say_error(struct peer *p, Carehub__V1__ErrorCode code, bool retry)
{
    Carehub__V1__Error error = CAREHUB__V1__ERROR__INIT;
    error.code = code;
    error.text = "the peer says so";
    error.retry = retry;
    peer_say(p, CAREHUB__V1__TO_CLIENT__MESSAGE_ERROR, &error);
}

void peer_welcome(struct peer *p)
{
    Carehub__V1__ToHub *hello = peer_hear(p, CAREHUB__V1__TO_HUB__MESSAGE_HELLO);
    assert_int_equal(hello->hello->min_version, 1);
    peer_forget(hello);
    Carehub__V1__Welcome welcome = CAREHUB__V1__WELCOME__INIT;
    welcome.version = 1;
    welcome.hub = "peer";
    welcome.client = "tester";
    welcome.limits = &p->limits;
    peer_say(p, CAREHUB__V1__TO_CLIENT__MESSAGE_WELCOME, &welcome);
}

static void say_confirmation(struct peer *p, Carehub__V1__Confirmation *confirmation)
{
    Carehub__V1__Confirm confirm = CAREHUB__V1__CONFIRM__INIT;
    confirm.n_confirmations = 1;
    confirm.confirmations = &confirmation;
    peer_say(p, CAREHUB__V1__TO_CLIENT__MESSAGE_CONFIRM, &confirm);
}

void peer_confirm(struct peer *p, uint64_t ref, Carehub__V1__Confirmation__Status status)
{
    Carehub__V1__Confirmation confirmation = CAREHUB__V1__CONFIRMATION__INIT;
    confirmation.ref = ref;
    confirmation.status = status;
    confirmation.place = 1000 + ref;
    say_confirmation(p, &confirmation);
}

void peer_reject(struct peer *p, uint64_t ref, Carehub__V1__ErrorCode code, bool retry)
{
    Carehub__V1__Confirmation confirmation = CAREHUB__V1__CONFIRMATION__INIT;
    Carehub__V1__Error error = CAREHUB__V1__ERROR__INIT;
    error.code = code;
    error.text = "the peer says so";
    error.retry = retry;
    confirmation.ref = ref;
    confirmation.status = CAREHUB__V1__CONFIRMATION__STATUS__REJECTED;
    confirmation.error = &error;
    say_confirmation(p, &confirmation);
}

void peer_attach(struct peer *p, uint32_t handle, uint64_t epoch, uint64_t settled)
{
    Carehub__V1__ToHub *heard = peer_hear(p, CAREHUB__V1__TO_HUB__MESSAGE_ATTACH);
    Carehub__V1__LanePosition lane = CAREHUB__V1__LANE_POSITION__INIT, *lanes[] = {&lane};
    Carehub__V1__Attached attached = CAREHUB__V1__ATTACHED__INIT;
    lane.lane = CAREHUB__V1__LANE__LANE_ORDINARY;
    lane.settled = settled;
    lane.next = settled + 100;
    attached.inbox = heard->attach->inbox;
    attached.handle = handle;
    attached.epoch = epoch;
    attached.n_lanes = 1;
    attached.lanes = lanes;
    peer_say(p, CAREHUB__V1__TO_CLIENT__MESSAGE_ATTACHED, &attached);
    peer_forget(heard);
}

void peer_deliver(struct peer *p, uint32_t handle, uint64_t epoch, uint64_t number)
{
    uint8_t id[CAREHUB_ID_BYTES], bytes[256];
    Carehub__V1__Event event = CAREHUB__V1__EVENT__INIT;
    carehub_new_id(id);
    event.id = (ProtobufCBinaryData){sizeof id, id};
    event.type = CAREHUB__V1__EVENT_TYPE__TEAM_MESSAGE;
    Carehub__V1__Delivery delivery = CAREHUB__V1__DELIVERY__INIT, *deliveries[] = {&delivery};
    delivery.number = number;
    delivery.attempt = 1;
    delivery.event = (ProtobufCBinaryData){carehub__v1__event__pack(&event, bytes), bytes};
    Carehub__V1__Deliver deliver = CAREHUB__V1__DELIVER__INIT;
    deliver.handle = handle;
    deliver.epoch = epoch;
    deliver.n_deliveries = 1;
    deliver.deliveries = deliveries;
    peer_say(p, CAREHUB__V1__TO_CLIENT__MESSAGE_DELIVER, &deliver);
}
