/* sessions.h - the table of sessions, found by their number and by the routing id that libzmq gave their
 * connection. On the gate's thread. */
#ifndef CAREHUB_SESSIONS_H
#define CAREHUB_SESSIONS_H

#include "core/core.h"
#include "gate/frame.h"
#include "gate/outbound.h"
#include "hub_limits.h"

enum { USER_ID_CHARS = 2 * KEY_BYTES };

enum session_state {
    SESSION_OPENING, /* has said Hello or Enrol; the core has not answered yet */
    SESSION_OPEN,    /* the core knows its client */
    SESSION_CLOSED,  /* the core has ended it; what it still says is sent, so that the client learns why */
    SESSION_MUTED,   /* breaks the protocol again and again: nothing that it sends is read any more */
};

struct session {
    session_id id;
    enum session_state state;
    uint32_t routing; /* libzmq's routing id without its first byte, which is 0 for all automatic ones */
    uint32_t client;  /* 0 before the core knows */
    uint8_t key[KEY_BYTES];
    char user_id[USER_ID_CHARS + 1]; /* the key in hex, as libzmq hands it out with each message */
    bool enrolled;                   /* its key was in standing at some time during the session */
    bool shortlisted;                /* is in the gate's list of sessions that have something waiting */
    unsigned faults;                 /* malformed frames */
    int64_t heard_ms;
    int64_t blocked_ms;    /* since when the socket takes nothing; counts while something waits */
    uint32_t window_items; /* published and not yet confirmed */
    uint64_t window_bytes;
    struct queue_node *waiting_first, *waiting_last; /* struct out, until the socket takes them */
    size_t waiting_answers_bytes;                    /* of these, what is not a delivery */
    struct frame *gone;                              /* kept ready, so that the core can always be told */
};

struct sessions {
    uint64_t opened; /* in this process */
    size_t n;
    struct session *slots[SESSIONS_MAX];
    uint16_t by_routing[2 * SESSIONS_MAX]; /* open addressing; slot + 1, or 0 */
};

/* Opens a session for a connection that has none. NULL if there are SESSIONS_MAX. */
struct session *sessions_open(struct sessions *sessions, uint32_t routing);

/* Takes it out and frees it, with whatever it still owns. */
void sessions_close(struct sessions *sessions, struct session *session);

/* NULL if there is none. */
struct session *sessions_by_id(const struct sessions *sessions, session_id id);
struct session *sessions_by_routing(const struct sessions *sessions, uint32_t routing);

/* How many sessions this key has. */
size_t sessions_of_key(const struct sessions *sessions, const uint8_t key[KEY_BYTES]);

/* What waits for the socket, oldest first. */
void session_wait(struct session *session, struct out *out);
void session_wait_first(struct session *session, struct out *out); /* was taken out, but not sent */
struct out *session_waiting(const struct session *session);
struct out *session_next(struct session *session); /* taken out */

#endif
