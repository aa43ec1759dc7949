/* session.h - the session with the hub: Hello and Welcome, heartbeats, silence, and coming back. */
#ifndef SDK_SESSION_H
#define SDK_SESSION_H

#include "frame.h"
#include "link.h"

enum session_phase {
    SESSION_AWAY,     /* no connection; the next try is at due_ms */
    SESSION_KNOCKING, /* connecting, in libzmq's hands */
    SESSION_GREETING, /* Hello is said; Welcome is expected before due_ms */
    SESSION_OPEN,
};

struct session {
    enum session_phase phase;
    struct link link;
    struct arena arena; /* of the frame that is being handled */
    int64_t due_ms;
    int64_t heard_ms;
    int64_t sent_ms;
    int64_t beat_ms;   /* the last heartbeat that we sent */
    unsigned failures; /* tries in a row without a Welcome */
    unsigned refusals; /* times in a row that we were not admitted */
    /* From the Welcome. */
    uint32_t heartbeat_ms;
    uint32_t frame_max_bytes;
    uint32_t batch_max_items;
    uint32_t window_items;
    uint32_t window_bytes;
};

void session_init(struct carehub_client *c);
/* Says Bye and closes; what was sent has LINGER_MS to get out. */
void session_fini(struct carehub_client *c);

/* Does what is due: opens a connection, sends a heartbeat, gives up on a silent one. */
void session_step(struct carehub_client *c, int64_t now_ms);
/* When session_step is due next. */
int64_t session_due_ms(const struct carehub_client *c);
/* Takes what has come: events of the connection, then at most FRAMES_AT_A_TIME frames. True: there may be more. */
bool session_receive(struct carehub_client *c);

/* Sends; false if that was not possible (then the connection is given up soon). */
bool session_send(struct carehub_client *c, const Carehub__V1__ToHub *message);

#endif
