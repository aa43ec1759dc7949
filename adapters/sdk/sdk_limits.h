/* sdk_limits.h - the library's limits, in one place. Units are in the names. */
#ifndef SDK_LIMITS_H
#define SDK_LIMITS_H

enum {
    PROTOCOL_MIN = 1,
    PROTOCOL_MAX = 1,

    /* What version 1 of the protocol allows; the hub's Welcome may say less. */
    FRAME_MAX_BYTES = 1 << 20,
    CURVE_OVERHEAD_BYTES = 64, /* more than what encryption adds to a frame */
    EVENT_MAX_BYTES = 64 << 10,
    GROUP_MAX_ITEMS = 16,
    NACK_CODE_MAX_BYTES = 64,
    INBOX_NAME_MAX_BYTES = 64,
    CREDIT_EVENTS_MAX = 65536,
    CREDIT_BYTES_MAX = 64 << 20,

    /* Publishing. */
    QUEUE_MAX_ITEMS = 65536, /* in memory, of a client without a spool */
    QUEUE_MAX_BYTES = 64 << 20,
    PUBLISH_SPAN = 16384, /* from the oldest unconfirmed publication to the newest; a power of 2 */
    FRAME_PUBLICATIONS = 256,
    RETRY_FIRST_MS = 100,    /* what the hub could not take now: doubles each time … */
    RETRY_LONGEST_MS = 5000, /* … up to this */
    HOLDS_TO_WARN = 8,       /* put off so often in a row: someone should know */

    /* Receiving. */
    CREDIT_EVENTS_DEFAULT = 256,
    CREDIT_BYTES_DEFAULT = 4 << 20,
    ACKS_WAITING_MAX = 1 << 17, /* ranges of one subscription that are not yet told */
    ACK_FRAME_RANGES = 512,
    ATTACH_RETRY_FIRST_MS = 1000,
    ATTACH_RETRY_LONGEST_MS = 60000,

    /* Questions. */
    QUESTIONS_MAX = 4096, /* open at a time */

    /* The connection. */
    HEARTBEAT_DEFAULT_MS = 10000,
    HEARTBEAT_LEAST_MS = 100,
    HEARTBEATS_MISSED_MAX = 3,
    WELCOME_MS = 5000, /* from Hello to Welcome */
    HANDSHAKE_MS = 5000,
    RECONNECT_FIRST_MS = 100,
    RECONNECT_LONGEST_MS = 10000,
    REFUSED_FIRST_MS = 1000, /* of a client that the hub does not admit */
    REFUSED_LONGEST_MS = 60000,
    KEEPALIVE_IDLE_S = 15, /* of TCP */
    KEEPALIVE_EVERY_S = 5,
    KEEPALIVE_PROBES = 3,
    UNACKNOWLEDGED_MAX_MS = 30000,
    FRAMES_AT_A_TIME = 64, /* received before acknowledgements are told */
    LINGER_MS = 1000,      /* for what is still to be sent when a client is closed */
};

#endif
