/* core.h - the hub's core: admits, routes, logs and applies, and owns state and inboxes.
 *
 * It has no sockets, no threads and no clock of its own: it is handed messages and the time, and hands out messages.
 * All its functions are called from one thread. It is the only one that opens the database.
 *
 *     core_handle × n   takes messages into the open batch: each is decided at its own place
 *     core_commit       makes the batch durable, then sends what it confirms, then pushes deliveries
 *
 * Nothing is said to anyone of an entry before core_commit has it on stable storage. */
#ifndef CAREHUB_CORE_H
#define CAREHUB_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "carehub/v1/wire.pb-c.h"
#include "store/keyring.h"

struct core;

/* A session's number; the gate assigns it and never uses it again in this process. 0 is none. */
typedef uint64_t session_id;

enum { KEY_BYTES = 32 };

/* The time, as the daemon reads it: CLOCK_REALTIME and CLOCK_BOOTTIME, both in ms. */
struct core_time {
    int64_t real_ms;
    int64_t boot_ms;
};

/* Which keys may come in: an immutable snapshot that the gate's ZAP handler looks things up in. Sorted by key. */
struct standings {
    bool enrolment_open; /* some enrolment token is outstanding: unknown keys may knock, to enrol only */
    size_t n;
    struct standing {
        uint8_t key[KEY_BYTES];
        uint32_t client;
    } keys[];
};

/* What the core calls. All are called on the core's thread, and must not call the core back. */
struct core_output {
    /* Sends `message` to a session. It is only borrowed. A session that has gone is ignored. */
    void (*send)(void *ctx, session_id to, const Carehub__V1__ToClient *message);
    /* The session's client is known from now on (after Hello), or is to be closed (client 0). */
    void (*session)(void *ctx, session_id session, uint32_t client);
    /* Confirms for this many items and bytes of this session have been sent: its publishing window opens again. */
    void (*settled)(void *ctx, session_id session, uint32_t items, uint32_t bytes);
    /* New standings; the receiver frees them with free(). */
    void (*standings)(void *ctx, struct standings *standings);
    /* Bytes that the gate is still willing to hold for its sockets. */
    size_t (*room)(void *ctx);
    /* Runs job(arg), which does not touch the core, on another thread; one at a time. NULL: the core does it itself. */
    void (*work)(void *work_ctx, void (*job)(void *arg), void *arg);
    void *work_ctx;
    /* The time when a commit has returned: what follows it is said then. NULL: no time has passed. */
    struct core_time (*clock)(void *ctx);
    void *ctx;
};

/* The audit log (tlog.h). Names and keys are those of signed notes, and have been checked (audit/note.h). */
struct core_tlog_config {
    const char *directory;  /* of tiles and checkpoints; NULL: none is kept */
    const char *origin;     /* its name */
    uint32_t every_s;       /* a checkpoint is signed this long after the last one, if there is something new, … */
    uint32_t every_entries; /* … or when so many entries are */
    bool prune;             /* files go with the entries that are no longer kept */
    const struct core_witness {
        const char *key, *url;
    } * witnesses;
    size_t n_witnesses;
};

enum { CORE_ERROR_BYTES = 512 };

/* LATER: it is being made from a passphrase, which takes a second; ask again. NONE: says why. */
enum core_next { CORE_NEXT_THERE, CORE_NEXT_LATER, CORE_NEXT_NONE };
/* Gives the key and how a passphrase became it (kdf->operations 0: it is a key). key NULL: says only whether there is
 * one. On the core's thread, which it must not keep waiting. */
typedef enum core_next core_next_key(void *ctx, uint8_t *key, struct keyring_kdf *kdf, char error[CORE_ERROR_BYTES]);

struct core_config {
    const char *hub_name;
    const char *database_path;
    const uint8_t *master_key;     /* KEY_BYTES; copied */
    const struct keyring_kdf *kdf; /* how a passphrase has become the master key, for a new keyring; NULL: it has not */
    const char *policy_text;       /* adopted by the first entry of an empty log */
    const uint8_t *first_operator; /* CURVE public key that an empty log starts with: all operator roles; or NULL */
    uint32_t ack_delay_ms;         /* acknowledgements alone, which nobody waits for, are committed this late at most */
    uint64_t disk_reserve_bytes;   /* with less free, events are refused and the rest goes on; 0: the default */
    int64_t payload_kept_ms;       /* payloads of events go this long after their last delivery ended; 0: never */
    int64_t entry_kept_ms;         /* entries go when they are this old; 0: never */
    uint32_t commit_delay_us;      /* 0 in service; tests stretch the window between commit and confirm */
    const uint8_t *next_hub_key;   /* announced in each Welcome, or NULL */
    /* What the master key is to be changed to, when an operator asks for that; NULL: nothing. */
    core_next_key *next_master_key;
    void *next_master_key_ctx;
    struct core_tlog_config tlog;
};

/* Opens the database, migrates it, verifies the tail of the log, loads the state. Returns NULL and says why. */
struct core *core_open(const struct core_config *config, const struct core_output *output, struct core_time now,
                       char error[CORE_ERROR_BYTES]);

/* Closes it; what was handled but not committed is gone, and was never confirmed. */
void core_close(struct core **core);

/* Takes one message of a session whose connection was authenticated with `key`. `message` is only borrowed; `bytes` is
 * its size on the wire. */
void core_handle(struct core *core, session_id session, const uint8_t key[KEY_BYTES], const Carehub__V1__ToHub *message,
                 size_t bytes, struct core_time now);

/* The session has gone: detaches its inboxes. */
void core_session_gone(struct core *core, session_id session, struct core_time now);

/* Commits the open batch, if there is anything in it, then confirms, then pushes deliveries while there is credit and
 * room. A batch of acknowledgements alone may wait for others (ack_delay_ms). Stops the process if the log cannot be
 * written (see log.h). */
void core_commit(struct core *core, struct core_time now);

/* Commits what could have waited, too: the last call before an orderly core_close. */
void core_finish(struct core *core, struct core_time now);

/* When core_commit has to be called next even if nothing arrives (expiries, retries), in real_ms; INT64_MAX: never.
 * 0: at once (there is more to push). */
int64_t core_next_due_ms(const struct core *core);

#endif
