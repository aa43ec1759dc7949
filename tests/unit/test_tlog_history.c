/* After any history the audit log's root is that of the definition over the leaves as they were when their entries came
 * in; and every receipt that was ever given stays good, whatever was erased, pruned, lost and begun anew since.
 *
 *     test_tlog_history [--seed N] [--seeds N] [--steps N] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/sha.h>

#include "audit/check.h"
#include "audit/proof.h"
#include "tlog_fixture.h"

enum { LEAVES_MAX = 20000, RECEIPTS_MAX = 200, PERSONS = 4, OLD_ENTRIES = 2300, AUDITOR = SESSIONS };
#define DAY (24 * 3600 * 1000LL)

struct kept_receipt {
    uint8_t *entry, *payload, salt[LEAF_SALT_BYTES], payload_salt[LEAF_SALT_BYTES], content[LEAF_CONTENT_BYTES];
    struct receipt receipt; /* points into these */
    char *proof;
    uint64_t place;
};

static struct history {
    struct hub *hub;
    uint64_t seed, random;
    uint8_t leaves[LEAVES_MAX][LEAF_DATA_BYTES]; /* by place - 1 */
    uint64_t n_leaves;
    struct kept_receipt receipts[RECEIPTS_MAX];
    size_t n_receipts;
    struct vkey key;
    int generation, persons[PERSONS]; /* how often each was registered */
    uint8_t event;
    uint64_t kept_place; /* the last one of the copy of the database; 0: there is none */
    uint64_t erased, pruned, resumed;
} h;

static uint64_t dice(uint64_t below)
{
    uint64_t x = h.random += 0x9e3779b97f4a7c15ULL; /* splitmix64 */
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
    return (x ^ x >> 31) % below;
}

static const char *directory(void)
{
    static char path[160];
    snprintf(path, sizeof path, h.generation == 1 ? "%s" : "%s/%d", h.hub->tlog, h.generation);
    return path;
}

/* ---- RFC 6962, section 2.1, as it is written there -------------------------------------------------------------- */

static void naive_root(size_t begin, size_t end, uint8_t root[32])
{
    uint8_t bytes[65] = {0x01};
    size_t k = 1, n = end - begin;
    if (n == 0) {
        SHA256(bytes, 0, root);
    } else if (n == 1) {
        bytes[0] = 0x00;
        memcpy(bytes + 1, h.leaves[begin], LEAF_DATA_BYTES);
        SHA256(bytes, 1 + LEAF_DATA_BYTES, root);
    } else {
        while (2 * k < n)
            k *= 2;
        naive_root(begin, begin + k, bytes + 1);
        naive_root(begin + k, end, bytes + 33);
        SHA256(bytes, sizeof bytes, root);
    }
}

/* ---- What happens ----------------------------------------------------------------------------------------------- */

/* Notes the leaves of the entries that are new. */
static void follow(void)
{
    uint64_t last = tlog_status(h.hub)->last_place;
    hub_clear(h.hub);
    while (h.n_leaves < last) {
        char question[80];
        snprintf(question, sizeof question, "{\"exportLog\": {\"fromPlace\": %llu, \"max\": 64}}",
                 (unsigned long long)h.n_leaves + 1);
        const Carehub__V1__ExportAnswer *page = hub_ask(h.hub, question)->export_log;
        assert_true(page->n_leaves > 0);
        for (size_t i = 0; i < page->n_leaves && h.n_leaves < last; i++) {
            assert_int_equal(page->entries[i]->place, h.n_leaves + 1);
            assert_true(h.n_leaves < LEAVES_MAX);
            memcpy(h.leaves[h.n_leaves++], page->leaves[i].data, LEAF_DATA_BYTES);
        }
        hub_clear(h.hub);
    }
}

static void read_person(int person)
{
    char json[160];
    snprintf(json, sizeof json,
             "{\"patient\": {\"patient\": {\"identifier\": {\"system\": \"test\", \"value\": \"p%d-%d\"}}}}", person,
             h.persons[person]);
    hub_ask(h.hub, json);
    hub_clear(h.hub);
}

static void register_person(int person)
{
    char json[160];
    h.persons[person]++;
    snprintf(json, sizeof json,
             "{\"patientRegistered\": {\"identifiers\": [{\"system\": \"test\", \"value\": \"p%d-%d\"}]}}", person,
             h.persons[person]);
    hub_fact_good(h.hub, json);
}

static void enter(void)
{
    for (uint64_t n = 1 + dice(90); n > 0; n--)
        read_person((int)dice(PERSONS));
    if (h.event < 250)
        hub_publish(h.hub, HOSPITAL, ++h.event, DISCHARGE);
    hub_clear(h.hub);
}

static void wait_a_little(void)
{
    tlog_pass(h.hub, 100 * (int64_t)(1 + dice(30)));
}

static void crash(void)
{
    hub_crash(h.hub);
    hub_hello(h.hub, AUDITOR);
    hub_clear(h.hub);
}

static void erase(void)
{
    char json[160];
    int person = (int)dice(PERSONS);
    snprintf(json, sizeof json,
             "{\"erasureRequested\": {\"patient\": {\"identifier\": {\"system\": \"test\", \"value\": \"p%d-%d\"}},"
             "\"reason\": \"test\"}}",
             person, h.persons[person]);
    uint64_t request = hub_fact(h.hub, json)->place;
    snprintf(json, sizeof json, "{\"erasureConfirmed\": {\"request\": %llu}}", (unsigned long long)request);
    assert_int_equal(hub_fact_as(h.hub, AUDITOR, json)->status, CAREHUB__V1__CONFIRMATION__STATUS__CONFIRMED);
    follow();
    for (int i = 0; i < 10; i++) {
        h.hub->now_ms += 1000;
        hub_commit(h.hub);
    }
    register_person(person);
    h.erased++;
}

/* Long enough for the first entries to be too old, and for what is behind the hot path to have its turn. */
static void age(void)
{
    follow();
    h.hub->now_ms += 61 * DAY;
    for (int i = 0; i < 12; i++) {
        h.hub->now_ms += 61000;
        tlog_pass(h.hub, 1200);
    }
    h.pruned = tlog_minimum(directory());
}

static void keep(void)
{
    follow();
    tlog_pass(h.hub, 3000);
    follow();
    h.kept_place = tlog_status(h.hub)->last_place;
    tlog_keep_database(h.hub, false);
    tlog_start(h.hub);
    hub_hello(h.hub, AUDITOR);
}

/* An older copy is put back; what came in since is lost, and a new log begins. */
static void lose(void)
{
    if (!h.kept_place)
        return;
    enter();
    tlog_pass(h.hub, 3000);
    tlog_keep_database(h.hub, true);
    tlog_start(h.hub);
    hub_hello(h.hub, AUDITOR);
    tlog_pass(h.hub, 3000);
    h.n_leaves = h.kept_place < h.n_leaves ? h.kept_place : h.n_leaves;
    hub_fact_good(h.hub, "{\"logResumed\": {\"reason\": \"an older copy was put back\"}}");
    h.generation++;
    h.resumed++;
    h.kept_place = 0; /* the persons of then may not be those of the copy: */
    for (int person = 0; person < PERSONS; person++)
        register_person(person);
}

static void take_receipt(void)
{
    char question[80];
    uint64_t place = 1 + dice(h.n_leaves);
    snprintf(question, sizeof question, "{\"prove\": {\"place\": %llu}}", (unsigned long long)place);
    const Carehub__V1__Answer *answer = hub_ask(h.hub, question);
    if (answer->error) { /* erased, or too old: that is said, and what is left */
        assert_non_null(strstr(answer->error->text, "its leaf is in the tree as before"));
    } else if (h.n_receipts < RECEIPTS_MAX) {
        const Carehub__V1__ProveAnswer *proved = answer->prove;
        struct kept_receipt *kept = &h.receipts[h.n_receipts++];
        kept->place = place;
        kept->entry = memcpy(malloc(proved->entry.len), proved->entry.data, proved->entry.len);
        kept->payload = memcpy(malloc(proved->payload.len + 1),
                               proved->has_payload ? proved->payload.data : kept->entry, proved->payload.len);
        kept->proof = strdup(proved->proof);
        memcpy(kept->salt, proved->salt.data, sizeof kept->salt);
        memcpy(kept->content, proved->content.data, sizeof kept->content);
        if (proved->has_payload)
            memcpy(kept->payload_salt, proved->payload_salt.data, sizeof kept->payload_salt);
        kept->receipt = (struct receipt){.entry_salt = kept->salt,
                                         .entry = kept->entry,
                                         .entry_size = proved->entry.len,
                                         .has_payload = proved->has_payload,
                                         .payload_salt = kept->payload_salt,
                                         .payload = kept->payload,
                                         .payload_size = proved->payload.len,
                                         .content = kept->content};
        assert_true(tlog_proof_parse(kept->proof, strlen(kept->proof), &kept->receipt.proof));
        assert_true(vkey_parse(proved->key, &h.key));
    }
    hub_clear(h.hub);
}

static void take_receipts(void)
{
    follow();
    tlog_pass(h.hub, 3000);
    for (int i = 0; i < 6; i++)
        take_receipt();
}

/* ---- What has to hold ------------------------------------------------------------------------------------------- */

/* Old proofs hold; and what they are about is in the tree of today, if the entry is still the one of its place. */
static void check_receipts(const struct checkpoint *now)
{
    struct tile_nodes *nodes = malloc(sizeof *nodes);
    tile_nodes_init(nodes, tile_source_directory(directory()), now->size);
    struct merkle_source source = tile_nodes_source(nodes);
    for (size_t i = 0; i < h.n_receipts; i++) {
        const struct kept_receipt *kept = &h.receipts[i];
        struct checkpoint then;
        struct merkle_proof proof;
        struct merkle_hash hash;
        uint8_t leaf[LEAF_DATA_BYTES];
        assert_int_equal(receipt_check(&kept->receipt, &h.key, &then), RECEIPT_GOOD);
        leaf_commitment(kept->salt, kept->entry, kept->receipt.entry_size, kept->content, leaf);
        if (kept->place > now->size || kept->place <= h.pruned ||
            memcmp(leaf, h.leaves[kept->place - 1], sizeof leaf) != 0)
            continue;
        merkle_leaf(leaf, sizeof leaf, &hash);
        assert_true(merkle_prove_inclusion(&source, kept->place - 1, now->size, &proof));
        assert_true(merkle_inclusion_holds(kept->place - 1, now->size, &hash, &proof, &now->root));
    }
    free(nodes);
}

static void check(void)
{
    struct checkpoint checkpoint;
    uint8_t root[32];
    follow();
    if (!tlog_checkpoint(directory(), &checkpoint))
        return; /* a new log, which is about to be signed */
    assert_true(checkpoint.size <= h.n_leaves);
    naive_root(0, (size_t)checkpoint.size, root);
    assert_memory_equal(checkpoint.root.bytes, root, sizeof root);
    tlog_assert_sound(directory());
    check_receipts(&checkpoint);
}

/* ---- The run ---------------------------------------------------------------------------------------------------- */

static const struct {
    void (*step)(void);
    unsigned often;
} steps[] = {{enter, 8}, {wait_a_little, 8}, {take_receipts, 6}, {crash, 3},
             {erase, 3}, {age, 2},           {keep, 1},          {lose, 1}};

static void begin(void)
{
    h.hub->prune_tiles = true;
    h.hub->payload_kept_ms = DAY;
    h.hub->entry_kept_ms = 60 * DAY;
    snprintf(h.hub->tlog, sizeof h.hub->tlog, "%s/log", h.hub->directory);
    h.generation = 1;
    hub_crash(h.hub);
    hub_region(h.hub);
    hub_fact_good(h.hub, "{\"clientSet\":{\"name\":\"auditor\",\"roles\":[\"AUDITOR\"]}}");
    hub_fact_good(h.hub, "{\"clientKeyAdded\":{\"client\":\"auditor\",\"publicKey\":"
                         "\"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\"}}");
    hub_hello(h.hub, AUDITOR);
    for (int person = 0; person < PERSONS; person++)
        register_person(person);
    for (int i = 0; i < OLD_ENTRIES; i++)
        read_person((int)dice(PERSONS));
    follow();
}

static void run(uint64_t seed, unsigned n)
{
    void *state;
    unsigned all = 0;
    h = (struct history){.seed = seed, .random = seed};
    hub_setup(&state);
    h.hub = state;
    begin();
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        all += steps[i].often;
    for (unsigned step = 0; step < n; step++) {
        uint64_t roll = dice(all);
        size_t which = 0;
        while (roll >= steps[which].often)
            roll -= steps[which++].often;
        steps[which].step();
        check();
    }
    tlog_pass(h.hub, 3000);
    check();
    assert_string_equal(tlog_status(h.hub)->not_signing, "");
    printf("seed %llu: %llu entries, %zu receipts; %llu erasures, pruned to %llu, begun anew %llu times\n",
           (unsigned long long)seed, (unsigned long long)h.n_leaves, h.n_receipts, (unsigned long long)h.erased,
           (unsigned long long)h.pruned, (unsigned long long)h.resumed);
    for (size_t i = 0; i < h.n_receipts; i++) {
        free(h.receipts[i].entry);
        free(h.receipts[i].payload);
        free(h.receipts[i].proof);
    }
    hub_teardown(&state);
}

static uint64_t first_seed = 1, n_seeds = 4, n_steps = 60;

static void the_root_is_that_of_the_definition_and_receipts_stay_good(void **state)
{
    (void)state;
    for (uint64_t seed = first_seed; seed < first_seed + n_seeds; seed++)
        run(seed, (unsigned)n_steps);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_root_is_that_of_the_definition_and_receipts_stay_good)};
    for (int i = 1; i + 1 < argc; i += 2) {
        uint64_t number = strtoull(argv[i + 1], NULL, 10);
        *(strcmp(argv[i], "--seed") == 0    ? &first_seed
          : strcmp(argv[i], "--seeds") == 0 ? &n_seeds
                                            : &n_steps) = number;
    }
    return cmocka_run_group_tests_name("tlog_history", tests, NULL, NULL);
}
