/* merkle.h - the Merkle tree of a transparency log: its hashes, its proofs, and what a verifier computes from them.
 *
 * The tree is that of RFC 6962, section 2.1: SHA-256, with 0x00 before the data of a leaf and 0x01 before the two
 * hashes of a node; an uneven tree is split at the largest power of two below its size. Verification follows RFC 9162,
 * sections 2.1.3.2 and 2.1.4.2.
 *
 * A complete subtree is named (level, index): it covers the leaves [index << level, (index + 1) << level), and level 0
 * are the leaf hashes. Once its leaves are there its hash never changes; that is all that has to be stored. Whoever
 * stores them hands in a merkle_source; every function here is otherwise pure, without recursion, and works in time
 * logarithmic in the tree's size. Any thread. */
#ifndef CAREHUB_MERKLE_H
#define CAREHUB_MERKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MERKLE_HASH_BYTES = 32,
    MERKLE_LEVELS = 62,    /* a tree has less than 2^62 leaves */
    MERKLE_PROOF_MAX = 63, /* hashes of one proof; also tlog-witness, "add-checkpoint" */
};

#define MERKLE_SIZE_MAX ((1ULL << MERKLE_LEVELS) - 1)

struct merkle_hash {
    uint8_t bytes[MERKLE_HASH_BYTES];
};

struct merkle_proof {
    size_t n;
    struct merkle_hash hashes[MERKLE_PROOF_MAX];
};

/* Reads the hash of a complete subtree; false: it cannot be read, and what was asked for fails. */
struct merkle_source {
    bool (*node)(void *ctx, unsigned level, uint64_t index, struct merkle_hash *hash);
    void *ctx;
};

void merkle_leaf(const void *data, size_t size, struct merkle_hash *hash);
/* `hash` may be `left` or `right`. */
void merkle_node(const struct merkle_hash *left, const struct merkle_hash *right, struct merkle_hash *hash);
bool merkle_equal(const struct merkle_hash *a, const struct merkle_hash *b);

/* The root of the first `size` leaves; that of none is the hash of nothing. */
bool merkle_root(const struct merkle_source *source, uint64_t size, struct merkle_hash *root);

/* That leaf `index` is in the tree of `size` leaves (RFC 6962, section 2.1.1). False: index >= size, or the source
 * failed. */
bool merkle_prove_inclusion(const struct merkle_source *source, uint64_t index, uint64_t size,
                            struct merkle_proof *proof);
/* That the tree of `size` begins with that of `old_size` (section 2.1.2); empty if either is trivial. */
bool merkle_prove_consistency(const struct merkle_source *source, uint64_t old_size, uint64_t size,
                              struct merkle_proof *proof);

/* Whether a proof holds, and nothing is left over of it. */
bool merkle_inclusion_holds(uint64_t index, uint64_t size, const struct merkle_hash *leaf,
                            const struct merkle_proof *proof, const struct merkle_hash *root);
bool merkle_consistency_holds(uint64_t old_size, const struct merkle_hash *old_root, uint64_t size,
                              const struct merkle_hash *root, const struct merkle_proof *proof);

/* A tree that only grows: of each power of two in its size, the hash of that complete subtree. Zeroed, it is empty. */
struct merkle_frontier {
    uint64_t size;
    struct merkle_hash nodes[MERKLE_LEVELS]; /* [level]: in use where `size` has that bit */
};

void merkle_append(struct merkle_frontier *frontier, const struct merkle_hash *leaf);
/* The tree of the first `size` leaves, from its complete subtrees. False: the source failed. */
bool merkle_frontier_read(struct merkle_frontier *frontier, const struct merkle_source *source, uint64_t size);
void merkle_frontier_root(const struct merkle_frontier *frontier, struct merkle_hash *root);

/* Hashes n hashes, a power of two, in place, up to the root of their subtree. */
void merkle_fold(struct merkle_hash *hashes, size_t n, struct merkle_hash *root);

/* SHA-256 of up to three parts in a row; a NULL part is left out. */
void audit_sha256(const void *a, size_t a_size, const void *b, size_t b_size, const void *c, size_t c_size,
                  uint8_t hash[MERKLE_HASH_BYTES]);

#endif
