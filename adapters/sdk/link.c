/* link.c - the socket of a connection, its options, and its monitor. */
#include "link.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "sdk_limits.h"

static bool set_int(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof value) == 0;
}

/* No high-water mark for sending: what we send is bounded already (by the publishing window, by credit, by the number
 * of open questions), and a frame that could not be queued would have to be kept by someone else. */
static bool set_options(void *socket, const uint8_t *hub_key, const struct carehub_keypair *key)
{
    int64_t frame_max = FRAME_MAX_BYTES + CURVE_OVERHEAD_BYTES;
    return zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, hub_key, CAREHUB_KEY_BYTES) == 0 &&
           zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, key->public_key, CAREHUB_KEY_BYTES) == 0 &&
           zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, key->secret_key, CAREHUB_KEY_BYTES) == 0 &&
           zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &frame_max, sizeof frame_max) == 0 &&
           set_int(socket, ZMQ_SNDHWM, 0) && set_int(socket, ZMQ_IPV6, 1) &&
           set_int(socket, ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS) && set_int(socket, ZMQ_TCP_KEEPALIVE, 1) &&
           set_int(socket, ZMQ_TCP_KEEPALIVE_IDLE, KEEPALIVE_IDLE_S) &&
           set_int(socket, ZMQ_TCP_KEEPALIVE_INTVL, KEEPALIVE_EVERY_S) &&
           set_int(socket, ZMQ_TCP_KEEPALIVE_CNT, KEEPALIVE_PROBES) &&
           set_int(socket, ZMQ_TCP_MAXRT, UNACKNOWLEDGED_MAX_MS) &&
           set_int(socket, ZMQ_RECONNECT_IVL, RECONNECT_FIRST_MS) &&
           set_int(socket, ZMQ_RECONNECT_IVL_MAX, RECONNECT_LONGEST_MS) && set_int(socket, ZMQ_LINGER, 0);
}

static bool watch(struct link *link, void *context)
{
    static atomic_uint counter;
    char address[64];
    snprintf(address, sizeof address, "inproc://carehub-link-%u", atomic_fetch_add(&counter, 1));
    int events = ZMQ_EVENT_CONNECT_RETRIED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED |
                 ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                 ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL;
    if (zmq_socket_monitor(link->socket, address, events) != 0)
        return false;
    link->monitor = zmq_socket(context, ZMQ_PAIR);
    return link->monitor && set_int(link->monitor, ZMQ_LINGER, 0) && zmq_connect(link->monitor, address) == 0;
}

int link_open(struct link *link, void *context, const char *endpoint, const uint8_t hub_key[CAREHUB_KEY_BYTES],
              const struct carehub_keypair *key)
{
    *link = (struct link){.socket = zmq_socket(context, ZMQ_DEALER)};
    if (!link->socket || !set_options(link->socket, hub_key, key) || !watch(link, context)) {
        int saved = errno;
        link_close(link, 0);
        return error_set(CAREHUB_IO, "a socket cannot be made: %s", zmq_strerror(saved));
    }
    if (zmq_connect(link->socket, endpoint) != 0) {
        int saved = errno;
        link_close(link, 0);
        return error_set(CAREHUB_INVALID_ARGUMENT, "endpoint \"%s\": %s; expected such as tcp://hub.example:7460",
                         endpoint, zmq_strerror(saved));
    }
    return CAREHUB_OK;
}

void link_close(struct link *link, int linger_ms)
{
    if (link->monitor) {
        zmq_socket_monitor(link->socket, NULL, 0);
        zmq_close(link->monitor);
    }
    if (link->socket) {
        set_int(link->socket, ZMQ_LINGER, linger_ms);
        zmq_close(link->socket);
    }
    *link = (struct link){0};
}

static enum link_event translate(unsigned event)
{
    switch (event) {
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        return LINK_READY;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        return LINK_SHUT_OUT;
    case ZMQ_EVENT_CONNECT_RETRIED:
        return LINK_UNREACHABLE;
    default:
        return LINK_LOST;
    }
}

/* zmq_socket_monitor(3): frame 1 is the event's number (16 bits, host order) and value, frame 2 the address. */
enum link_event link_event(struct link *link)
{
    if (!link->monitor)
        return LINK_NOTHING;
    uint8_t head[6], address[256];
    if (zmq_recv(link->monitor, head, sizeof head, ZMQ_DONTWAIT) != (int)sizeof head)
        return LINK_NOTHING;
    zmq_recv(link->monitor, address, sizeof address, ZMQ_DONTWAIT);
    uint16_t event;
    memcpy(&event, head, sizeof event);
    return translate(event);
}

int link_send(struct link *link, const Carehub__V1__ToHub *message)
{
    zmq_msg_t frame;
    if (!link->socket)
        return CAREHUB_CONNECT;
    if (zmq_msg_init_size(&frame, protobuf_c_message_get_packed_size(&message->base)) != 0)
        return CAREHUB_OUT_OF_MEMORY;
    protobuf_c_message_pack(&message->base, zmq_msg_data(&frame));
    if (zmq_msg_send(&frame, link->socket, ZMQ_DONTWAIT) >= 0)
        return CAREHUB_OK;
    zmq_msg_close(&frame);
    return CAREHUB_CONNECT;
}

bool link_receive(struct link *link, zmq_msg_t *frame)
{
    if (!link->socket || zmq_msg_recv(frame, link->socket, ZMQ_DONTWAIT) < 0)
        return false;
    if (!zmq_msg_more(frame))
        return true;
    while (zmq_msg_more(frame) && zmq_msg_recv(frame, link->socket, ZMQ_DONTWAIT) >= 0)
        ;
    zmq_msg_close(frame);
    zmq_msg_init(frame);
    return true;
}
