/* hub_limits.h - every limit of the hub, in one place. Units are in the names. */
#ifndef CAREHUB_LIMITS_H
#define CAREHUB_LIMITS_H

enum {
    PROTOCOL_VERSION_MIN = 1,
    PROTOCOL_VERSION_MAX = 1,

    /* Frames and what they hold. */
    FRAME_MAX_BYTES = 1 << 20,
    EVENT_MAX_BYTES = 64 << 10,
    BATCH_MAX_ITEMS = 256,
    FRAME_MAX_DELIVERIES = 64,
    DELIVER_FRAME_MAX_BYTES = 256 << 10,

    /* Sessions. */
    SESSIONS_MAX = 4096,
    SESSIONS_UNENROLLED_MAX = 64,
    HANDSHAKE_MS = 3000,
    HEARTBEAT_MS = 10000, /* a client that was silent for this long sends an empty frame */
    SESSION_SILENT_MAX_MS = 30000,
    PUBLISH_MAX_UNCONFIRMED = 4096, /* items of one session */
    PUBLISH_MAX_UNCONFIRMED_BYTES = 8 << 20,
    ATTACHMENTS_MAX = 64, /* of one session */
    CREDIT_EVENTS_MAX = 65536,
    CREDIT_BYTES_MAX = 64 << 20,

    /* Between gate and core. */
    INBOUND_MAX_ITEMS = 16384,
    INBOUND_MAX_BYTES = 64 << 20,
    OUTBOUND_MAX_BYTES = 128 << 20, /* no delivery is pushed while more than this waits for the sockets */
    UNHEARD_SHARE = 64,             /* a receiver that says nothing gets at most this part of the room that is left */
    ACK_DELAY_MS = 2,               /* acknowledgements alone are committed this late at most */
    COMMIT_MAX_ITEMS = 2048,        /* publications in one commit */

    /* Registry. */
    NAME_MAX_BYTES = 64,
    TEXT_MAX_BYTES = 1024,
    ACTORS_MAX = 100000,
    CLIENTS_MAX = 20000,
    INBOXES_MAX = 100000,
    CLIENT_KEYS_MAX = 2,
    CLIENT_ACTORS_MAX = 4096,
    CLIENT_OFFERS_MAX = 4,
    IDENTIFIERS_MAX = 16, /* of one person */
    MEMBERS_MAX = 128,    /* of one care team, and as many grants */
    CONSENTS_MAX = 32,
    EXCLUSIONS_MAX = 256,
    SETTINGS_MAX = 64, /* restrictions and relaxations of one person */
    MERGES_MAX = 16,   /* records merged into one */
    STOPS_MAX = 256,   /* the oldest goes first */
    ADDRESSEES_MAX = 32,
    GROUP_MAX_ITEMS = 16,
    POLICY_MAX_BYTES = 256 << 10,

    /* Deliveries. */
    INBOX_MAX_UNDELIVERED = 1000000,
    LANE_WINDOW = 8192,     /* deliveries of a lane that are in memory at a time; a power of two */
    EXCEPTIONS_MAX = 10000, /* refused, dead or out of order, of one inbox */
    NACK_CODE_MAX_BYTES = 64,
    RETRY_FIRST_MS = 5000,       /* doubles each time … */
    RETRY_LONGEST_MS = 3600000,  /* … up to this */
    RETRY_ATTEMPTS_MAX = 176,    /* then it is dead: about a week */
    REPORT_PAGES_MAX = 64,       /* of an access report, in answer to one question */
    REPLAYS_MAX = 16,            /* that wait to be done */
    JOINER_LOOK_BACK_MAX = 4096, /* entries of a person that are looked at for a new member */
    UNREAD_AT_ONCE = 64,
};

/* The audit log, unless the configuration says otherwise. */
enum { CHECKPOINT_EVERY_S = 10, CHECKPOINT_EVERY_ENTRIES = 100000 };

#define DAY_MS (24LL * 60 * 60 * 1000)
#define DISK_RESERVE_BYTES (256ULL << 20)  /* with less free, no more events are taken */
#define IDS_KEPT_MS (90 * DAY_MS)          /* a repeat is recognised for at least this long */
#define ID_AHEAD_MAX_MS (10LL * 60 * 1000) /* an id's time may be this far in the future */
#define DELIVERY_TIME_TO_LIVE_MS (90 * DAY_MS)
#define DELIVERY_TIME_TO_LIVE_MAX_MS (3650 * DAY_MS)
#define PAYLOAD_RETENTION_DAYS 90 /* unless the configuration says otherwise */
#define ENTRY_RETENTION_DAYS 3650
#define HELD_DEADLINE_MS (14 * DAY_MS)
#define SCRUB_EVERY_MS (7 * DAY_MS) /* from one pass over all that is stored to the next */
#define CLOCK_JUMP_MAX_MS (5LL * 60 * 1000)
#define EMERGENCY_ACCESS_MAX_MS DAY_MS

#endif
