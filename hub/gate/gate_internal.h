/* gate_internal.h - what the files of the gate share. On the loop's thread. */
#ifndef CAREHUB_GATE_INTERNAL_H
#define CAREHUB_GATE_INTERNAL_H

#include "gate/door.h"
#include "gate/gate.h"
#include "gate/sessions.h"
#include "gate/zap.h"

enum {
    ROUTING_BYTES = 5,       /* an automatic routing id: a 0, then a number, big-endian */
    READ_FRAMES_MAX = 256,   /* in one turn, so that sending and ZAP get theirs */
    RECEIVE_HWM_FRAMES = 64, /* of one connection, in libzmq: up to as many FRAME_MAX_BYTES */
    SEND_HWM_FRAMES = 256,
    LISTEN_BACKLOG = 512,
    /* A dead peer is found by TCP itself. ZMTP heartbeats would cost each connection two timers in libzmq, which looks
     * at all of them to cancel one: with 1,000 idle clients that alone was a tenth of a core. */
    KEEPALIVE_IDLE_S = 15,
    KEEPALIVE_EVERY_S = 5,
    KEEPALIVE_PROBES = 3,
    UNACKNOWLEDGED_MAX_MS = 30000,
    SWEEP_MS = 1000,
    FAREWELL_MS = 1000,
    FAULTS_MAX = 16,                  /* malformed frames of one session, then it is muted */
    ENROL_FRAME_MAX_BYTES = 256,      /* all that an unknown key may send */
    OTHER_FRAME_MAX_BYTES = 64 << 10, /* of anything that is neither a Publish nor an Enrol */
    SESSIONS_PER_KEY_MAX = SESSIONS_MAX / 4,
    WAITING_ANSWERS_MAX_BYTES = 8 << 20, /* answers that one session has not fetched */
};

struct gate {
    void *context, *router;
    struct zap *zap;
    struct door door;
    struct sessions sessions;
    struct queue *inbound;
    struct outbound *outbound;
    int64_t session_silent_max_ms;

    struct frame *stalled; /* there was no room for it; nothing else is read before it */
    bool reading;
    int64_t drained_ms; /* when the socket was last seen empty: silence counts up to then */
    size_t n_waiting;   /* sessions with something that the socket did not take */
    session_id waiting[SESSIONS_MAX + READ_FRAMES_MAX]; /* some have ended, and others opened, since the last retry */

    uv_loop_t *loop;
    uv_poll_t router_poll, zap_poll;
    uv_async_t async;
    uv_idle_t idle; /* runs while there is more to do: ZMQ_FD tells of changes only, not of what is left */
    uv_timer_t sweep;
    int open_handles;
    char bound[256];
};

/* Ends a session and tells the core. */
void gate_end_session(struct gate *gate, struct session *session);

/* Tells the core, once, that a session has gone. */
void gate_report_gone(struct gate *gate, struct session *session);

/* ---- incoming.c ------------------------------------------------------------------------------------------------- */

/* Reads up to READ_FRAMES_MAX frames. True if there may be more. */
bool incoming_read(struct gate *gate);

/* ---- outgoing.c ------------------------------------------------------------------------------------------------- */

/* Does everything that the core has queued. */
void outgoing_drain(struct gate *gate);

/* Tries again what the socket did not take. */
void outgoing_retry(struct gate *gate);

/* Sends to a session, after what already waits. May end the session. */
void outgoing_send(struct gate *gate, struct session *session, const Carehub__V1__ToClient *message);

/* Sends to a connection without a session; dropped if it takes nothing. */
void outgoing_send_stray(struct gate *gate, const uint8_t *routing, size_t routing_size,
                         const Carehub__V1__ToClient *message);

#endif
