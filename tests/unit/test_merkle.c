/* The tree's hashes and proofs, against the definitions of RFC 6962, section 2.1, written down as they stand there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "audit/merkle.h"

enum { LEAVES = 2100, ALL_PAIRS = 130, PROOFS_OF_ALL = 70 };

static struct merkle_hash leaves[LEAVES];

/* MTH(D[begin:end]), by its definition. */
static struct merkle_hash naive_root(size_t begin, size_t end)
{
    struct merkle_hash hash;
    if (begin == end) {
        audit_sha256(NULL, 0, NULL, 0, NULL, 0, hash.bytes);
        return hash;
    }
    if (end - begin == 1)
        return leaves[begin];
    size_t k = 1;
    while (2 * k < end - begin)
        k *= 2;
    struct merkle_hash left = naive_root(begin, begin + k), right = naive_root(begin + k, end);
    merkle_node(&left, &right, &hash);
    return hash;
}

/* PATH(m, D[begin:end]), likewise. */
static void naive_path(size_t m, size_t begin, size_t end, struct merkle_proof *proof)
{
    if (end - begin == 1)
        return;
    size_t k = 1;
    while (2 * k < end - begin)
        k *= 2;
    bool left = m < k;
    naive_path(left ? m : m - k, left ? begin : begin + k, left ? begin + k : end, proof);
    proof->hashes[proof->n++] = left ? naive_root(begin + k, end) : naive_root(begin, begin + k);
}

/* SUBPROOF(m, D[begin:end], b), likewise. */
static void naive_subproof(size_t m, size_t begin, size_t end, bool b, struct merkle_proof *proof)
{
    if (m == end - begin) {
        if (!b)
            proof->hashes[proof->n++] = naive_root(begin, end);
        return;
    }
    size_t k = 1;
    while (2 * k < end - begin)
        k *= 2;
    if (m <= k) {
        naive_subproof(m, begin, begin + k, b, proof);
        proof->hashes[proof->n++] = naive_root(begin + k, end);
    } else {
        naive_subproof(m - k, begin + k, end, false, proof);
        proof->hashes[proof->n++] = naive_root(begin, begin + k);
    }
}

static bool complete_subtree(void *ctx, unsigned level, uint64_t index, struct merkle_hash *hash)
{
    const uint64_t *size = ctx;
    assert_true(level < 63 && (index + 1) << level <= *size); /* what is not complete is never asked for */
    *hash = naive_root((size_t)(index << level), (size_t)((index + 1) << level));
    return true;
}

static struct merkle_source source_of(uint64_t *size)
{
    return (struct merkle_source){complete_subtree, size};
}

static int make_leaves(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEAVES; i++)
        merkle_leaf(&i, sizeof i, &leaves[i]);
    return 0;
}

static void assert_same(const struct merkle_proof *a, const struct merkle_proof *b)
{
    assert_int_equal(a->n, b->n);
    assert_memory_equal(a->hashes, b->hashes, a->n * sizeof *a->hashes);
}

/* ---- Tests ------------------------------------------------------------------------------------------------------ */

/* Of the test vectors that Certificate Transparency's implementations share. */
static void roots_are_those_of_published_test_vectors(void **state)
{
    static const uint8_t data[][8] = {{0},
                                      {0x00},
                                      {0x10},
                                      {0x20, 0x21},
                                      {0x30, 0x31},
                                      {0x40, 0x41, 0x42, 0x43},
                                      {0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57}};
    static const size_t sizes[] = {0, 1, 1, 2, 2, 4, 8};
    static const struct {
        size_t n;
        uint8_t first[4];
    } roots[] = {{0, {0xe3, 0xb0, 0xc4, 0x42}}, {1, {0x6e, 0x34, 0x0b, 0x9c}}, {2, {0xfa, 0xc5, 0x42, 0x03}},
                 {3, {0xae, 0xb6, 0xbc, 0xfe}}, {4, {0xd3, 0x7e, 0xe4, 0x18}}, {5, {0x4e, 0x3b, 0xbb, 0x1f}},
                 {6, {0x76, 0xe6, 0x7d, 0xad}}, {7, {0xdd, 0xb8, 0x9b, 0xe4}}};
    (void)state;
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) {
        struct merkle_frontier frontier = {0};
        struct merkle_hash hash;
        for (size_t leaf = 0; leaf < roots[i].n; leaf++) {
            merkle_leaf(data[leaf], sizes[leaf], &hash);
            merkle_append(&frontier, &hash);
        }
        merkle_frontier_root(&frontier, &hash);
        assert_memory_equal(hash.bytes, roots[i].first, sizeof roots[i].first);
    }
}

static bool power_of_two(uint64_t n)
{
    return n && !(n & (n - 1));
}

static void a_growing_tree_has_the_root_of_the_definition_at_every_size(void **state)
{
    struct merkle_frontier frontier = {0};
    (void)state;
    for (uint64_t size = 0;; size++) {
        bool near_power = power_of_two(size - 1) || power_of_two(size) || power_of_two(size + 1);
        if (size < 300 || near_power || size % 97 == 0) {
            struct merkle_hash grown, read, naive = naive_root(0, (size_t)size);
            struct merkle_source source = source_of(&size);
            merkle_frontier_root(&frontier, &grown);
            assert_true(merkle_equal(&grown, &naive));
            assert_true(merkle_root(&source, size, &read) && merkle_equal(&read, &naive));
        }
        if (size == LEAVES)
            break;
        merkle_append(&frontier, &leaves[size]);
    }
}

static void inclusion_is_proved_for_every_leaf_of_every_tree(void **state)
{
    (void)state;
    for (uint64_t size = 1; size <= ALL_PAIRS; size++) {
        struct merkle_hash root = naive_root(0, (size_t)size);
        struct merkle_source source = source_of(&size);
        for (uint64_t index = 0; index < size; index++) {
            struct merkle_proof proof, naive = {0};
            naive_path((size_t)index, 0, (size_t)size, &naive);
            assert_true(merkle_prove_inclusion(&source, index, size, &proof));
            assert_same(&proof, &naive);
            assert_true(merkle_inclusion_holds(index, size, &leaves[index], &proof, &root));
        }
        struct merkle_proof none;
        assert_false(merkle_prove_inclusion(&source, size, size, &none));
    }
}

static void consistency_is_proved_between_every_two_sizes(void **state)
{
    (void)state;
    for (uint64_t size = 0; size <= ALL_PAIRS; size++) {
        struct merkle_hash root = naive_root(0, (size_t)size);
        struct merkle_source source = source_of(&size);
        for (uint64_t old = 0; old <= size; old++) {
            struct merkle_hash old_root = naive_root(0, (size_t)old);
            struct merkle_proof proof, naive = {0};
            if (old > 0)
                naive_subproof((size_t)old, 0, (size_t)size, true, &naive);
            assert_true(merkle_prove_consistency(&source, old, size, &proof));
            assert_same(&proof, &naive);
            assert_true(merkle_consistency_holds(old, &old_root, size, &root, &proof));
        }
        struct merkle_proof none;
        assert_false(merkle_prove_consistency(&source, size + 1, size, &none));
    }
}

static void nothing_else_is_taken_for_a_proof_of_inclusion(void **state)
{
    (void)state;
    for (uint64_t size = 1; size <= PROOFS_OF_ALL; size++) {
        struct merkle_hash root = naive_root(0, (size_t)size), other = root;
        struct merkle_source source = source_of(&size);
        other.bytes[31] ^= 1;
        for (uint64_t index = 0; index < size; index++) {
            struct merkle_proof proof;
            merkle_prove_inclusion(&source, index, size, &proof);
            for (uint64_t wrong = 0; wrong <= size + 1; wrong++)
                assert_true(wrong == index || !merkle_inclusion_holds(wrong, size, &leaves[index], &proof, &root));
            assert_false(merkle_inclusion_holds(index, size, &leaves[index], &proof, &other));
            assert_false(merkle_inclusion_holds(index, size, &leaves[index + 1], &proof, &root));
            for (size_t i = 0; i < proof.n; i++) {
                struct merkle_proof altered = proof;
                altered.hashes[i].bytes[i % 32] ^= 0x80;
                assert_false(merkle_inclusion_holds(index, size, &leaves[index], &altered, &root));
            }
            struct merkle_proof longer = proof;
            longer.hashes[longer.n++] = root;
            assert_false(merkle_inclusion_holds(index, size, &leaves[index], &longer, &root));
            if (proof.n > 0) {
                proof.n--;
                assert_false(merkle_inclusion_holds(index, size, &leaves[index], &proof, &root));
            }
        }
    }
}

static void nothing_else_is_taken_for_a_proof_of_consistency(void **state)
{
    (void)state;
    for (uint64_t size = 2; size <= PROOFS_OF_ALL; size++) {
        struct merkle_hash root = naive_root(0, (size_t)size);
        struct merkle_source source = source_of(&size);
        for (uint64_t old = 1; old < size; old++) {
            struct merkle_hash old_root = naive_root(0, (size_t)old), other = old_root;
            struct merkle_proof proof;
            merkle_prove_consistency(&source, old, size, &proof);
            other.bytes[0] ^= 1;
            assert_false(merkle_consistency_holds(old, &other, size, &root, &proof));
            other = root;
            other.bytes[0] ^= 1;
            assert_false(merkle_consistency_holds(old, &old_root, size, &other, &proof));
            assert_false(merkle_consistency_holds(size, &old_root, size, &root, &proof));
            assert_false(merkle_consistency_holds(size + 1, &old_root, size, &root, &proof));
            for (uint64_t wrong = 0; wrong < size; wrong++) /* of another size, even one with the same way up */
                assert_true(wrong == old || !merkle_consistency_holds(wrong, &old_root, size, &root, &proof));
            for (size_t i = 0; i < proof.n; i++) {
                struct merkle_proof altered = proof;
                altered.hashes[i].bytes[i % 32] ^= 0x80;
                assert_false(merkle_consistency_holds(old, &old_root, size, &root, &altered));
            }
            struct merkle_proof longer = proof;
            longer.hashes[longer.n++] = root;
            assert_false(merkle_consistency_holds(old, &old_root, size, &root, &longer));
            proof.n--;
            assert_false(merkle_consistency_holds(old, &old_root, size, &root, &proof));
        }
    }
}

static bool fails(void *ctx, unsigned level, uint64_t index, struct merkle_hash *hash)
{
    (void)level;
    (void)index;
    (void)hash;
    return (*(int *)ctx)-- > 0;
}

static void a_source_that_fails_gives_no_proof(void **state)
{
    (void)state;
    for (int good = 0; good < 3; good++) {
        int left = good;
        struct merkle_source source = {fails, &left};
        struct merkle_hash root;
        struct merkle_proof proof;
        assert_false(merkle_root(&source, 15, &root));
        left = good;
        assert_false(merkle_prove_inclusion(&source, 3, 15, &proof));
        left = good;
        assert_false(merkle_prove_consistency(&source, 3, 15, &proof));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roots_are_those_of_published_test_vectors),
        cmocka_unit_test(a_growing_tree_has_the_root_of_the_definition_at_every_size),
        cmocka_unit_test(inclusion_is_proved_for_every_leaf_of_every_tree),
        cmocka_unit_test(consistency_is_proved_between_every_two_sizes),
        cmocka_unit_test(nothing_else_is_taken_for_a_proof_of_inclusion),
        cmocka_unit_test(nothing_else_is_taken_for_a_proof_of_consistency),
        cmocka_unit_test(a_source_that_fails_gives_no_proof),
    };
    return cmocka_run_group_tests(tests, make_leaves, NULL);
}
