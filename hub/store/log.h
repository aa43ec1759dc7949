/* log.h - the log: every entry has a place in one total order, and once committed it stays.
 *
 * An implementation is a struct of functions. The embedded one (log_sqlite.c) puts the entries into the same SQLite
 * file as the state, so that an entry and its effects are one transaction. A replicated one makes a batch durable
 * elsewhere first (the quorum), then commits the local transaction; no other part knows which it runs on.
 *
 *     begin    opens the local transaction in which entries are admitted and applied
 *     append   adds an entry at the next place
 *     commit   returns when the batch is on stable storage. If it cannot be, the process ends: neither confirmed nor
 *              denied; repeats are recognised by their ids after the restart. */
#ifndef CAREHUB_LOG_H
#define CAREHUB_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "store.h"

struct log_record {
    uint64_t place;       /* starts at 1, without gaps */
    int64_t at_ms;        /* never decreasing */
    const uint8_t *entry; /* a serialised carehub.v1.Entry: what is known without any person's key */
    size_t entry_size;
    uint64_t names; /* an actor who is a natural person (a subject): its key seals the entry too; 0: the log's */
    const uint8_t *payload; /* the event or fact as submitted */
    size_t payload_size;    /* 0: there is none */
    uint8_t leaf[LEAF_BYTES];
    /* What the leaf commits to, beside the entry (vault.h). */
    uint8_t salt[SALT_BYTES];
    uint8_t content[CONTENT_BYTES];
    uint8_t payload_salt[SALT_BYTES]; /* once the payload has been opened */
    bool payload_kept;                /* when it was read: there is a payload to open */
};

struct log {
    const struct log_functions *functions;
};

struct log_functions {
    void (*begin)(struct log *log);
    /* Fills in record->leaf, and what it commits to. subject_key seals the payload; if the entry names an actor
     * (record->names), it is that actor's, and seals the entry too. */
    void (*append)(struct log *log, struct log_record *record, const uint8_t subject_key[VAULT_KEY_BYTES]);
    void (*commit)(struct log *log);
    /* Reads an entry into the arena, and checks its leaf; its payload stays sealed. STORE_ERASED: only place, time and
     * leaf are there, or the actor that it names (record->names) has been erased. */
    enum store_result (*read)(struct log *log, uint64_t place, struct arena *arena, struct log_record *record);
    /* Opens the payload of the entry that was read last and checks it against what the leaf commits to. STORE_NONE:
     * there was none, or it is no longer kept. */
    enum store_result (*payload)(struct log *log, const uint8_t subject_key[VAULT_KEY_BYTES], struct arena *arena,
                                 struct log_record *record);
    /* The last place and its time; 0 if the log is empty. */
    uint64_t (*last)(struct log *log, int64_t *at_ms);
    /* The leaves of entries from a place on, erased ones too, without opening any: at most max; fewer where the log
     * ends, or an entry is no longer kept. Returns their count. */
    size_t (*leaves)(struct log *log, uint64_t first_place, size_t max, uint8_t (*leaves)[LEAF_BYTES]);
    /* The first place from this one on whose entry is kept; 0: there is none. */
    uint64_t (*next)(struct log *log, uint64_t place);
    /* The payload goes; the entry can still be proved. */
    void (*drop_payload)(struct log *log, uint64_t place);
    /* The entry goes with its leaf: there is no such place any more. */
    void (*prune)(struct log *log, uint64_t place);
    /* The entry as such goes, for good; its place, time and leaf stay. */
    void (*erase)(struct log *log, uint64_t place);
    /* Seals an entry that is there already, and names an actor, with that actor's key; its payload was sealed with
     * hub_key. Place, time and leaf stay what they are. */
    void (*name)(struct log *log, uint64_t place, uint64_t names, const uint8_t subject_key[VAULT_KEY_BYTES],
                 const uint8_t hub_key[VAULT_KEY_BYTES]);
    void (*close)(struct log **log);
};

/* The embedded log, over the store's own file and connection. */
struct log *log_sqlite_open(struct store *store);

#endif
