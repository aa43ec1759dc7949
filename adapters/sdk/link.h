/* link.h - one encrypted connection to a hub: a DEALER socket and what its monitor tells of it. One thread. */
#ifndef SDK_LINK_H
#define SDK_LINK_H

#include <zmq.h>

#include "carehub.h"

struct link {
    void *socket; /* NULL: closed */
    void *monitor;
};

enum link_event {
    LINK_NOTHING,
    LINK_READY,       /* the CURVE handshake is done */
    LINK_LOST,        /* the connection broke */
    LINK_UNREACHABLE, /* not connected; libzmq goes on trying */
    LINK_SHUT_OUT,    /* the hub knows our key not, or no longer */
};

/* Starts to connect. CAREHUB_OK, CAREHUB_INVALID_ARGUMENT (the endpoint) or CAREHUB_IO. */
int link_open(struct link *link, void *context, const char *endpoint, const uint8_t hub_key[CAREHUB_KEY_BYTES],
              const struct carehub_keypair *key);

/* Closes; what was sent but is not yet out has linger_ms for it. */
void link_close(struct link *link, int linger_ms);

/* The next thing that happened to the connection. */
enum link_event link_event(struct link *link);

/* Sends one frame; never blocks. CAREHUB_OK, CAREHUB_CONNECT or CAREHUB_OUT_OF_MEMORY. */
int link_send(struct link *link, const Carehub__V1__ToHub *message);

/* Receives one frame without blocking, into an initialised message. False: there is none. A message of several frames
 * is not of this protocol: it arrives empty. */
bool link_receive(struct link *link, zmq_msg_t *frame);

#endif
