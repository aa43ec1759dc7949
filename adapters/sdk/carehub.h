/* carehub.h - libcarehub, the client library of the care data hub.
 *
 * A client is a piece of software that speaks to one hub for one or more actors: it publishes care events, and
 * receives what is in its actors' inboxes. The library keeps one connection by itself: it reconnects, attaches again,
 * and sends again whatever the hub has not confirmed. Events that are published while the hub is away wait in a spool
 * on disk, encrypted and in order.
 *
 * THREADS. A client owns one thread, which does all its network work and calls all callbacks, one at a time. Every
 * function here may be called from any thread, callbacks included, except where it says "blocks": those must not be
 * called from a callback (they return CAREHUB_WOULD_DEADLOCK). carehub_close must not be called from a callback.
 * While a callback runs nothing else happens: keep it well under the hub's heartbeat (10 s), or hand the work to a
 * thread of your own and acknowledge from there.
 *
 * OWNERSHIP. What is passed in is only borrowed for the call. What a callback is given is only valid until it returns.
 *
 * ERRORS. Functions return CAREHUB_OK (0) or a negative code; carehub_strerror gives its text, and carehub_error the
 * details of the last failure in this thread (what is wrong and what to do). */
#ifndef CAREHUB_H
#define CAREHUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <carehub/v1/event.pb-c.h>
#include <carehub/v1/wire.pb-c.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CAREHUB_API __attribute__((visibility("default")))

enum carehub_result {
    CAREHUB_OK = 0,
    CAREHUB_INVALID_ARGUMENT = -1,
    CAREHUB_OUT_OF_MEMORY = -2,
    CAREHUB_IO = -3,      /* a file could not be read or written; the spool included */
    CAREHUB_CONFIG = -4,  /* a configuration or key file is wrong */
    CAREHUB_CONNECT = -5, /* the hub cannot be reached */
    CAREHUB_REFUSED = -6, /* the hub refused it; carehub_error says why */
    CAREHUB_TIMEOUT = -7,
    CAREHUB_SPOOL_FULL = -8, /* nothing was taken; try again when the spool has drained */
    CAREHUB_CLOSED = -9,
    CAREHUB_WOULD_DEADLOCK = -10,
    CAREHUB_STALE = -11, /* a newer attachment has taken over, or the delivery is long settled */
};

CAREHUB_API const char *carehub_strerror(int result);
CAREHUB_API const char *carehub_error(void);
CAREHUB_API const char *carehub_version(void);

/* ---- Keys and enrolment ----------------------------------------------------------------------------------------- */

enum { CAREHUB_KEY_BYTES = 32, CAREHUB_ID_BYTES = 16 };

struct carehub_keypair {
    uint8_t public_key[CAREHUB_KEY_BYTES];
    uint8_t secret_key[CAREHUB_KEY_BYTES];
};

CAREHUB_API int carehub_keygen(struct carehub_keypair *pair);
/* Key files: text, mode 0600, "public-key = <64 hex digits>", "secret-key = …". Refuses to overwrite. */
CAREHUB_API int carehub_key_save(const struct carehub_keypair *pair, const char *path);
CAREHUB_API int carehub_key_load(struct carehub_keypair *pair, const char *path);

/* A ticket is what a registrar hands to a new client: endpoint, the hub's public key and a one-time token, in one line
 * of text. Enrols `pair` with it; then fills in `endpoint` and `hub_key`. Blocks up to timeout_ms. */
CAREHUB_API int carehub_enrol(const char *ticket, const struct carehub_keypair *pair, int timeout_ms, char *endpoint,
                              size_t endpoint_size, uint8_t hub_key[CAREHUB_KEY_BYTES], char *client_name,
                              size_t client_name_size);
CAREHUB_API int carehub_ticket(char *ticket, size_t size, const char *endpoint,
                               const uint8_t hub_key[CAREHUB_KEY_BYTES], const uint8_t token[CAREHUB_KEY_BYTES]);

/* ---- The connection --------------------------------------------------------------------------------------------- */

typedef struct carehub_client carehub_client;

enum carehub_state {
    CAREHUB_CONNECTING,
    CAREHUB_CONNECTED,    /* Welcome received */
    CAREHUB_DISCONNECTED, /* trying again by itself */
    CAREHUB_NOT_ADMITTED, /* the hub refuses this client (revoked, not enrolled, version); tries again, slowly */
};

/* Told of each change of state; `error` is set for DISCONNECTED and NOT_ADMITTED. */
typedef void carehub_state_fn(void *arg, enum carehub_state state, const char *error);

/* Told of what went wrong and was dealt with, for the log: an interrupted write that was cut off the spool, a damaged
 * record, a frame that the hub refused. Holds no payload. */
typedef void carehub_warning_fn(void *arg, const char *text);

struct carehub_options {
    const char *endpoint; /* "tcp://hub.example:7460" */
    uint8_t hub_key[CAREHUB_KEY_BYTES];
    struct carehub_keypair key;
    const char *software; /* who is calling, for the hub's operators: "pharmis"; NULL: "libcarehub" */
    const char *software_version;
    const char *spool_dir;          /* NULL: no spool; then what is published while the hub is away waits in memory,
                                       bounded, and is lost with the process */
    uint64_t spool_max_bytes;       /* 0: 1 GiB */
    carehub_state_fn *on_state;     /* may be NULL */
    void *arg;                      /* for on_state and on_warning */
    const char *spool_key_file;     /* NULL: "key" in spool_dir. Made at first use; see "The spool" */
    carehub_warning_fn *on_warning; /* may be NULL */
};

/* Reads a client's configuration file, in ZPL (RFC 4 of the ZeroMQ project). Its names: endpoint, hub-key (64 hex
 * digits), key-file, spool-dir, spool-max-bytes, spool-key-file, software, software-version; the first three are
 * needed. Relative paths start at the file's own folder. Sections (names without a value) are left to the program; any
 * other name is an error. Free with carehub_options_free. */
CAREHUB_API int carehub_options_load(struct carehub_options *options, const char *path);
CAREHUB_API void carehub_options_free(struct carehub_options *options);

/* Starts a client; it connects in the background. `options` may be freed afterwards. Fails with
 * CAREHUB_INVALID_ARGUMENT, CAREHUB_CONFIG (the spool's key is missing or another one), CAREHUB_IO (the spool cannot be
 * opened, or another process has it) or CAREHUB_OUT_OF_MEMORY. */
CAREHUB_API int carehub_open(carehub_client **client, const struct carehub_options *options);
/* Blocks until it is connected, at most timeout_ms. CAREHUB_CONNECT: the hub was not reached in that time;
 * CAREHUB_REFUSED: it does not admit this client (known at once). */
CAREHUB_API int carehub_wait_connected(carehub_client *client, int timeout_ms);
/* Ends it, subscriptions included. Acknowledgements that were given before are still sent (up to a second). What was
 * published but not confirmed is reported to its callbacks as CAREHUB_CLOSED; what is in the spool stays there, and is
 * sent by the next client that opens it. Sets *client to NULL. Blocks. */
CAREHUB_API void carehub_close(carehub_client **client);

/* What the hub said of this client in its Welcome; NULL before. Valid until the next call in this thread. */
CAREHUB_API const Carehub__V1__Welcome *carehub_welcome(carehub_client *client);

/* ---- Publishing ------------------------------------------------------------------------------------------------- */

/* The outcome of one publication. Confirmed and repeated both mean: the hub has it on stable storage.
 * status is CAREHUB_OK, CAREHUB_REFUSED (then `confirmation->error` says why and whether a retry helps) or
 * CAREHUB_CLOSED (outcome unknown; sending it again is always right). `confirmation` may be NULL then. */
typedef void carehub_confirm_fn(void *arg, int status, const Carehub__V1__Confirmation *confirmation);

/* Publishes an event. An empty id (id.len 0) is filled in (UUIDv7); if id.data is not NULL the 16 bytes are also
 * written there, so that the caller knows them. Returns CAREHUB_OK once it is taken: into the spool and on disk, if
 * there is one (callers at the same time share one fdatasync). The callback (may be NULL) comes later, and once; after
 * a restart of the process what was in the spool is confirmed without one (see carehub_spool_on_settled).
 * Events go out in the order of these calls. What the hub cannot take now (busy, disk full) is sent again by itself.
 * CAREHUB_SPOOL_FULL: the spool, or without one the queue in memory (65,536 publications, 64 MiB), has no room. */
CAREHUB_API int carehub_publish(carehub_client *client, const Carehub__V1__Event *event, carehub_confirm_fn *fn,
                                void *arg);
/* The same for an event that is already serialised. */
CAREHUB_API int carehub_publish_bytes(carehub_client *client, const uint8_t *event, size_t size, carehub_confirm_fn *fn,
                                      void *arg);
/* Publishes events and registry facts as one: all are taken or none. Never spooled, but in order with what is. */
CAREHUB_API int carehub_publish_group(carehub_client *client, const Carehub__V1__Item *const *items, size_t n,
                                      carehub_confirm_fn *fn, void *arg);
/* Publishes and blocks until the hub has confirmed or refused it, at most timeout_ms (CAREHUB_TIMEOUT: the outcome is
 * unknown; it is still being sent). `place` (may be NULL) is its place in the log. */
CAREHUB_API int carehub_publish_wait(carehub_client *client, const Carehub__V1__Event *event, int timeout_ms,
                                     uint64_t *place);
/* Submits one registry fact and blocks. An empty id is filled in, as for carehub_publish. `confirmation` (may be NULL)
 * receives a copy that the caller frees with protobuf_c_message_free_unpacked. */
CAREHUB_API int carehub_submit_fact(carehub_client *client, Carehub__V1__Fact *fact, int timeout_ms,
                                    Carehub__V1__Confirmation **confirmation);

/* A new time-ordered id (UUIDv7). */
CAREHUB_API void carehub_new_id(uint8_t id[CAREHUB_ID_BYTES]);

/* The spool: entries that are not yet confirmed, in segment files, each record sealed with XChaCha20-Poly1305 under a
 * random key of the spool's own. That key is in a file (mode 0600), not derived from the client's key: so changing the
 * client's key loses nothing. Whoever has both files can read the spool; put spool_key_file on another volume where
 * that matters. One process at a time (a lock). An event that the hub refuses for good moves to the spool's "refused"
 * file and is reported here; it never blocks those behind it, but counts for spool_max_bytes until the file is removed
 * (with the client closed). */
struct carehub_spool_status {
    uint64_t waiting;       /* records not yet settled */
    uint64_t waiting_bytes; /* on disk, of these */
    uint64_t refused;       /* events in the refused file */
};
CAREHUB_API int carehub_spool_status(carehub_client *client, struct carehub_spool_status *status);
typedef void carehub_settled_fn(void *arg, const uint8_t event_id[CAREHUB_ID_BYTES], int status,
                                const Carehub__V1__Confirmation *confirmation);
/* Called for every spooled event that is settled, those of an earlier process included. Set before publishing. */
CAREHUB_API void carehub_spool_on_settled(carehub_client *client, carehub_settled_fn *fn, void *arg);

/* Reads the refused events of a spool that no client has open: each with the hub's reason, oldest first. key_file as
 * in the options (NULL: "key" in spool_dir). Stops early when fn returns false. */
typedef bool carehub_refused_fn(void *arg, const Carehub__V1__Error *error, const uint8_t *event, size_t size);
CAREHUB_API int carehub_spool_refused(const char *spool_dir, const char *key_file, carehub_refused_fn *fn, void *arg);

/* Takes the events for which fn says true out of a spool that no client has open, for good: those that wait, those that
 * are settled but still in a file, those that the hub refused, and those in damaged files (of which nothing is kept
 * then but what can be read). Returns how many in *count; with only_count nothing is changed, and fn is called once for
 * each event, otherwise it may be called twice. */
typedef bool carehub_choose_fn(void *arg, const uint8_t *event, size_t size);
CAREHUB_API int carehub_spool_forget(const char *spool_dir, const char *key_file, carehub_choose_fn *fn, void *arg,
                                     bool only_count, uint64_t *count);

/* ---- Receiving -------------------------------------------------------------------------------------------------- */

typedef struct carehub_subscription carehub_subscription;

struct carehub_delivery {
    Carehub__V1__Lane lane;
    uint64_t number; /* in its lane, without gaps */
    uint64_t place;
    uint32_t attempt;         /* over 1: it was sent before */
    Carehub__V1__Level level; /* of the view */
    bool notice;              /* a correction's notice, without content */
    int64_t received_ms;      /* when the hub received it */
    Carehub__V1__Cause cause; /* why it comes after the event's own decision: a replay…; unspecified: it does not */
    const char *instead_of;   /* of an escalation: the actor that has not read it in time; or "" */
    const char *verified_by;  /* the actor that stood for what its author entered unverified; or "" */
    uint64_t epoch;
    const Carehub__V1__Event *event;
    const uint8_t *bytes; /* the same, serialised */
    size_t size;
};

/* A delivery has come. Acknowledge it (now or later, from any thread) when it is safe on your side: until then it
 * counts against the credit, and comes again after a reconnect. */
typedef void carehub_delivery_fn(void *arg, carehub_subscription *subscription,
                                 const struct carehub_delivery *delivery);
/* Numbers `from` to `to` of a lane will not come (withdrawn, expired…): not an error, there is nothing to wait for.
 * May be NULL. */
typedef void carehub_skip_fn(void *arg, carehub_subscription *subscription, Carehub__V1__Lane lane, uint64_t from,
                             uint64_t to);
/* Attached (error NULL) or detached (why). The library attaches again by itself, except after CAREHUB_STALE: another
 * attachment has taken over. May be NULL. */
typedef void carehub_attached_fn(void *arg, carehub_subscription *subscription, int status, const char *error);

struct carehub_subscribe_options {
    const char *inbox;
    uint32_t credit_events; /* deliveries on their way at a time; 0: 256 */
    uint32_t credit_bytes;  /* 0: 4 MiB */
    carehub_delivery_fn *on_delivery;
    carehub_skip_fn *on_skip;
    carehub_attached_fn *on_attached;
    void *arg;
};

/* Subscribes to an inbox; it attaches in the background, and again after each reconnect. */
CAREHUB_API int carehub_subscribe(carehub_client *client, const struct carehub_subscribe_options *options,
                                  carehub_subscription **subscription);
/* Ends it; frees it. Not acknowledged deliveries stay in the inbox. No callback of it runs after this has returned: it
 * waits for one that is running, so don't hold a lock that the callback wants. From a callback it does not wait. */
CAREHUB_API void carehub_unsubscribe(carehub_subscription **subscription);

/* Acknowledges one delivery: STORED (the software has it) or READ (a human saw it; includes stored, and may follow it
 * at any later time). An acknowledgement belongs to the attachment in which the delivery came: CAREHUB_STALE: that
 * attachment is over (the connection was lost, or another client has taken the inbox), or it was settled before:
 * nothing to do, what is not settled comes again with its number. A READ can be said again once attached.
 * CAREHUB_INVALID_ARGUMENT: no such number has come. */
CAREHUB_API int carehub_ack(carehub_subscription *subscription, Carehub__V1__Lane lane, uint64_t number,
                            Carehub__V1__AckKind kind);
/* Acknowledges everything of the lane up to and including `number`. */
CAREHUB_API int carehub_ack_through(carehub_subscription *subscription, Carehub__V1__Lane lane, uint64_t number,
                                    Carehub__V1__AckKind kind);
/* Refuses one: it comes again later, or (final) becomes a dead letter. `code` is your own, short, without payload. */
CAREHUB_API int carehub_nack(carehub_subscription *subscription, Carehub__V1__Lane lane, uint64_t number,
                             const char *code, bool final);

/* ---- Questions (for operators) ---------------------------------------------------------------------------------- */

/* An answer; `answer->more` says whether others follow. status as for confirms. Return false to stop a feed. */
typedef bool carehub_answer_fn(void *arg, int status, const Carehub__V1__Answer *answer);

/* Asks; query->ref is filled in. One that is on its way when the connection is lost ends with CAREHUB_CONNECT. */
CAREHUB_API int carehub_query(carehub_client *client, Carehub__V1__Query *query, carehub_answer_fn *fn, void *arg);
/* Asks and blocks for one answer; the caller frees it with protobuf_c_message_free_unpacked. */
CAREHUB_API int carehub_ask(carehub_client *client, Carehub__V1__Query *query, int timeout_ms,
                            Carehub__V1__Answer **answer);

#ifdef __cplusplus
}
#endif
#endif
