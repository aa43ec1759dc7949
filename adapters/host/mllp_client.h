/* mllp_client.h - the outgoing transport "mllp": sends each message as a frame, and waits for its acknowledgement on
 * the same connection, which it keeps. Settings of its section "out":
 *
 *     endpoint            host:port; an IPv6 address in brackets
 *     timeout-ms          for the acknowledgement, from when the message has gone out: 30000
 *     connect-timeout-ms  for name, TCP and TLS: 10000
 *     tls                 yes or no
 *     tls-ca              PEM; instead of the system's authorities
 *     tls-certificate, tls-key   PEM; shown to the receiver
 *     beyond-loopback     "yes, in clear": without TLS, for a receiver that is not on this machine
 *
 * The format says of each frame that comes back whether it answers the message; one that answers another (late, after
 * a timeout; or a second acknowledgement of the one before) is logged, and the wait goes on. After a timeout the
 * connection is closed, so that nothing of it can be taken for an answer to the next message. A message whose kept
 * connection turns out to be closed is sent once more, on a new one.
 *
 * HL7 Transport Specification MLLP, Release 1; acknowledgements as the format has it. */
#ifndef CAREHUB_MLLP_CLIENT_H
#define CAREHUB_MLLP_CLIENT_H

enum {
    MLLP_CLIENT_TIMEOUT_MS = 30000,
    MLLP_CLIENT_CONNECT_MS = 10000,
    MLLP_CLIENT_OTHERS_MAX = 16, /* answers to other messages, before the connection is given up */
};

#endif
