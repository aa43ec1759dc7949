#include "merkle.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

enum { LEAF_PREFIX = 0x00, NODE_PREFIX = 0x01 };

/* ---- SHA-256 ---------------------------------------------------------------------------------------------------- */

/* Looked up once: OpenSSL's search for an algorithm costs more than hashing a node. */
static EVP_MD *sha256;
static pthread_once_t sha256_once = PTHREAD_ONCE_INIT;

static void sha256_free(void)
{
    EVP_MD_free(sha256);
}

static void sha256_fetch(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (!sha256 || atexit(sha256_free) != 0)
        abort();
}

void audit_sha256(const void *a, size_t a_size, const void *b, size_t b_size, const void *c, size_t c_size,
                  uint8_t hash[MERKLE_HASH_BYTES])
{
    pthread_once(&sha256_once, sha256_fetch);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (!context || !EVP_DigestInit_ex2(context, sha256, NULL) || (a && !EVP_DigestUpdate(context, a, a_size)) ||
        (b && !EVP_DigestUpdate(context, b, b_size)) || (c && !EVP_DigestUpdate(context, c, c_size)) ||
        !EVP_DigestFinal_ex(context, hash, NULL))
        abort(); /* out of memory */
    EVP_MD_CTX_free(context);
}

void merkle_leaf(const void *data, size_t size, struct merkle_hash *hash)
{
    audit_sha256(&(uint8_t){LEAF_PREFIX}, 1, data, size, NULL, 0, hash->bytes);
}

void merkle_node(const struct merkle_hash *left, const struct merkle_hash *right, struct merkle_hash *hash)
{
    uint8_t both[1 + 2 * MERKLE_HASH_BYTES] = {NODE_PREFIX};
    memcpy(both + 1, left->bytes, MERKLE_HASH_BYTES);
    memcpy(both + 1 + MERKLE_HASH_BYTES, right->bytes, MERKLE_HASH_BYTES);
    audit_sha256(both, sizeof both, NULL, 0, NULL, 0, hash->bytes);
}

bool merkle_equal(const struct merkle_hash *a, const struct merkle_hash *b)
{
    return memcmp(a->bytes, b->bytes, MERKLE_HASH_BYTES) == 0; /* all of it is public */
}

/* ---- Roots ------------------------------------------------------------------------------------------------------ */

/* The root over the leaves [begin, end), end > begin. `begin` is a multiple of a power of two that is not smaller than
 * their number; so the complete subtrees that they consist of, the largest first, are the powers of two in it. Folded
 * from the right, as the split at the largest power of two has it. */
static bool range_root(const struct merkle_source *source, uint64_t begin, uint64_t end, struct merkle_hash *root)
{
    for (uint64_t at = end; at > begin;) {
        unsigned level = (unsigned)__builtin_ctzll(at - begin);
        struct merkle_hash node;
        if (!source->node(source->ctx, level, (at >> level) - 1, &node))
            return false;
        if (at == end)
            *root = node;
        else
            merkle_node(&node, root, root);
        at -= 1ULL << level;
    }
    return true;
}

bool merkle_root(const struct merkle_source *source, uint64_t size, struct merkle_hash *root)
{
    if (size == 0) {
        audit_sha256(NULL, 0, NULL, 0, NULL, 0, root->bytes);
        return true;
    }
    return size <= MERKLE_SIZE_MAX && range_root(source, 0, size, root);
}

void merkle_append(struct merkle_frontier *frontier, const struct merkle_hash *leaf)
{
    struct merkle_hash node = *leaf;
    unsigned level = 0;
    assert(frontier->size < MERKLE_SIZE_MAX);
    for (; frontier->size >> level & 1; level++)
        merkle_node(&frontier->nodes[level], &node, &node);
    frontier->nodes[level] = node;
    frontier->size++;
}

bool merkle_frontier_read(struct merkle_frontier *frontier, const struct merkle_source *source, uint64_t size)
{
    frontier->size = 0;
    for (unsigned level = 0; level < MERKLE_LEVELS; level++)
        if (size >> level & 1 && !source->node(source->ctx, level, (size >> level) - 1, &frontier->nodes[level]))
            return false;
    frontier->size = size;
    return true;
}

static bool frontier_node(void *ctx, unsigned level, uint64_t index, struct merkle_hash *hash)
{
    const struct merkle_frontier *frontier = ctx;
    (void)index; /* of each level it holds the last complete one, and is asked for no other */
    *hash = frontier->nodes[level];
    return true;
}

void merkle_frontier_root(const struct merkle_frontier *frontier, struct merkle_hash *root)
{
    struct merkle_source source = {frontier_node, (void *)frontier};
    merkle_root(&source, frontier->size, root);
}

void merkle_fold(struct merkle_hash *hashes, size_t n, struct merkle_hash *root)
{
    assert(n > 0 && (n & (n - 1)) == 0);
    for (; n > 1; n /= 2)
        for (size_t i = 0; i < n / 2; i++)
            merkle_node(&hashes[2 * i], &hashes[2 * i + 1], &hashes[i]);
    *root = hashes[0];
}

/* ---- Proofs ----------------------------------------------------------------------------------------------------- */

/* The siblings on the way from a node up to the root. Only the last node of a level can be incomplete, and one without
 * a sibling is moved up as it is. */
static bool siblings(const struct merkle_source *source, unsigned level, uint64_t index, uint64_t size,
                     struct merkle_proof *proof)
{
    for (; (size - 1) >> level > 0; level++, index >>= 1) {
        uint64_t last = (size - 1) >> level, sibling = index ^ 1;
        if (sibling > last)
            continue;
        uint64_t begin = sibling << level, end = sibling < last ? (sibling + 1) << level : size;
        assert(proof->n < MERKLE_PROOF_MAX);
        if (!range_root(source, begin, end, &proof->hashes[proof->n++]))
            return false;
    }
    return true;
}

bool merkle_prove_inclusion(const struct merkle_source *source, uint64_t index, uint64_t size,
                            struct merkle_proof *proof)
{
    proof->n = 0;
    return index < size && size <= MERKLE_SIZE_MAX && siblings(source, 0, index, size, proof);
}

bool merkle_prove_consistency(const struct merkle_source *source, uint64_t old_size, uint64_t size,
                              struct merkle_proof *proof)
{
    proof->n = 0;
    if (old_size > size || size > MERKLE_SIZE_MAX)
        return false;
    if (old_size == 0 || old_size == size)
        return true;
    /* The largest complete subtree that the old tree ends with is in both; from it the way up shows the rest. If it is
     * the old tree itself, the verifier has its hash. */
    unsigned level = (unsigned)__builtin_ctzll(old_size);
    uint64_t index = (old_size >> level) - 1;
    if (index > 0 && !source->node(source->ctx, level, index, &proof->hashes[proof->n++]))
        return false;
    return siblings(source, level, index, size, proof);
}

/* ---- Verifying -------------------------------------------------------------------------------------------------- */

bool merkle_inclusion_holds(uint64_t index, uint64_t size, const struct merkle_hash *leaf,
                            const struct merkle_proof *proof, const struct merkle_hash *root)
{
    if (index >= size || size > MERKLE_SIZE_MAX)
        return false;
    struct merkle_hash hash = *leaf;
    uint64_t last = size - 1;
    for (size_t i = 0; i < proof->n; i++) {
        if (last == 0)
            return false; /* at the root already */
        for (; !(index & 1) && index == last; last >>= 1)
            index >>= 1; /* no sibling here */
        if (index & 1)
            merkle_node(&proof->hashes[i], &hash, &hash);
        else
            merkle_node(&hash, &proof->hashes[i], &hash);
        index >>= 1;
        last >>= 1;
    }
    return last == 0 && merkle_equal(&hash, root);
}

bool merkle_consistency_holds(uint64_t old_size, const struct merkle_hash *old_root, uint64_t size,
                              const struct merkle_hash *root, const struct merkle_proof *proof)
{
    struct merkle_hash none;
    if (old_size > size || size > MERKLE_SIZE_MAX)
        return false;
    if (old_size == size)
        return proof->n == 0 && merkle_equal(old_root, root);
    if (old_size == 0) {
        merkle_root(NULL, 0, &none);
        return proof->n == 0 && merkle_equal(old_root, &none);
    }
    unsigned level = (unsigned)__builtin_ctzll(old_size);
    uint64_t index = (old_size >> level) - 1, last = (size - 1) >> level;
    bool whole = index == 0; /* the old tree is that one subtree */
    if (!whole && proof->n == 0)
        return false;
    struct merkle_hash before = whole ? *old_root : proof->hashes[0], after = before;
    for (size_t i = whole ? 0 : 1; i < proof->n; i++) {
        if (last == 0)
            return false;
        for (; !(index & 1) && index == last; last >>= 1)
            index >>= 1;
        if (index & 1) { /* on the left: in the old tree too */
            merkle_node(&proof->hashes[i], &before, &before);
            merkle_node(&proof->hashes[i], &after, &after);
        } else {
            merkle_node(&after, &proof->hashes[i], &after);
        }
        index >>= 1;
        last >>= 1;
    }
    return last == 0 && merkle_equal(&before, old_root) && merkle_equal(&after, root);
}
