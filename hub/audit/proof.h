/* proof.h - proofs that can be checked offline (C2SP tlog-proof), and the receipt of one entry of the hub's log. Any
 * thread. */
#ifndef CAREHUB_PROOF_H
#define CAREHUB_PROOF_H

#include "leaf.h"
#include "note.h"

enum { TLOG_PROOF_MAX_BYTES = NOTE_MAX_BYTES + 8192 };

/* "c2sp.org/tlog-proof@v1" without extra data; extra data is allowed in what is parsed, and means nothing here. */
struct tlog_proof {
    uint64_t index;
    struct merkle_proof inclusion;
    const char *checkpoint; /* the signed note; borrowed, or within what was parsed */
    size_t checkpoint_size;
};

/* Returns the size of the text, without a final 0; 0: it does not fit into `size`. */
size_t tlog_proof_text(const struct tlog_proof *proof, char *text, size_t size);
bool tlog_proof_parse(const char *text, size_t size, struct tlog_proof *proof);

/* ---- Receipts --------------------------------------------------------------------------------------------------- */

/* What is shown of an entry, and what opens its leaf (leaf.h). */
struct receipt {
    const uint8_t *entry_salt; /* LEAF_SALT_BYTES */
    const uint8_t *entry;      /* a serialised carehub.v1.Entry */
    size_t entry_size;
    bool has_payload;
    const uint8_t *payload_salt; /* with a payload: LEAF_SALT_BYTES */
    const uint8_t *payload;      /* with one: the event or fact as it was submitted */
    size_t payload_size;
    const uint8_t *content; /* LEAF_CONTENT_BYTES; with a payload it has to be that one's */
    struct tlog_proof proof;
};

enum receipt_verdict {
    RECEIPT_GOOD,
    RECEIPT_NO_CHECKPOINT, /* what should be a checkpoint is none */
    RECEIPT_UNSIGNED,      /* the checkpoint is not signed by the key */
    RECEIPT_FORGED,        /* the checkpoint's signature is wrong */
    RECEIPT_OTHER_LOG,     /* the checkpoint is of a log that the key is not the key of */
    RECEIPT_NOT_INCLUDED,  /* entry, payload or salt are not those of the leaf, or the proof is wrong */
};

/* Everything that can be wrong with a receipt. *checkpoint is filled in unless there is none. The origin of a log that
 * was begun anew after a loss is the key's name with "/2", "/3"… behind it. */
enum receipt_verdict receipt_check(const struct receipt *receipt, const struct vkey *vkey,
                                   struct checkpoint *checkpoint);
/* Is a checkpoint of that origin one that the key's owner signs? */
bool origin_of_key(const char *origin, const struct vkey *vkey);

#endif
