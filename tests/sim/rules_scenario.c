/* What can happen: made at random from a seed alone, so that any part of it can be left out. */
#include <string.h>

#include "rules.h"

static uint64_t state;

static long long below(long long n)
{
    uint64_t x = state += 0x9e3779b97f4a7c15ULL; /* splitmix64 */
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
    return (long long)((x ^ x >> 31) % (uint64_t)n);
}

static bool chance(int percent)
{
    return below(100) < percent;
}

/* From moments to weeks. */
static long long some_ms(void)
{
    static const long long most[] = {2, 2000, 100000, 3600000, 25LL * 3600000, 16LL * 24 * 3600000};
    return 1 + below(most[below(6)]);
}

static long long some_actor(void)
{
    return 1 + below(ACTORS);
}

/* Mostly the roles that learn something. */
static long long some_role(void)
{
    return chance(60) ? 1 + below(COORDINATOR_R) : 1 + below(ROLES - 1);
}

static void some_event(struct op *op, const struct op *ops, size_t n)
{
    op->v[ACTOR] = chance(50) ? AZ_A : chance(45) ? GP_A : chance(50) ? CARER_A : some_actor();
    op->v[TYPE] = chance(92) ? 1 + below(DECEASED_T - 1) : DECEASED_T;
    op->v[URGENT] = chance(50);
    op->v[CONFIDENTIAL] = chance(12);
    if (chance(2))
        op->v[PERSON] = PERSONS;
    if (chance(8))
        op->v[TO_ROLE] = some_role();
    if (chance(6))
        op->v[TO_ACTOR] = some_actor();
    if (!chance(25))
        return;
    for (int tries = 0; tries < 30 && n; tries++) { /* of the same, mostly */
        const struct op *original = &ops[below((long long)n)];
        if (original->kind != EVENT)
            continue;
        op->v[ORIGINAL] = original->v[ID];
        op->v[RETRACTS] = chance(40);
        op->v[PERSON] = original->v[PERSON];
        op->v[TYPE] = original->v[TYPE];
        op->v[ACTOR] = chance(90) ? original->v[ACTOR] : some_actor();
        return;
    }
}

static void some_relation(struct op *op, bool grant)
{
    op->v[ACTOR] = some_actor();
    op->v[ROLE] = op->v[ACTOR] == CARER_A && chance(80) ? CARER_R : some_role();
    op->v[FROM] = chance(12) ? some_ms() : 0;
    op->v[UNTIL] = chance(35) ? op->v[FROM] + some_ms() : chance(3) ? -1 : 0;
    op->v[PROOF] = !grant && chance(10);
    if (!grant) {
        op->v[LEVEL] = chance(15) ? 1 + below(3) : 0;
        op->v[SCOPE] = chance(20) ? 2 * (1 + below((1 << (TYPES - 1)) - 1)) : 0;
        return;
    }
    op->v[KIND] = below(GRANTS);
    op->v[LEVEL] = chance(30) ? 1 + below(3) : 0;
    if (op->v[KIND] == CASE_MANAGEMENT && chance(70))
        op->v[ROLE] = CASE_MANAGER_R;
    if (op->v[KIND] != SECONDARY_USE)
        return;
    op->v[PURPOSES] = chance(60) ? RESEARCH_P : chance(80) ? QUALITY_P : CARE_P;
    if (chance(85))
        op->v[LEVEL] = 1 + below(3);
    if (chance(85))
        op->v[UNTIL] = op->v[FROM] + some_ms();
}

/* Is the same event known in a text so far? */
static long long some_known_event(const struct op *ops, size_t n)
{
    for (int tries = 0; tries < 30 && n; tries++) {
        const struct op *one = &ops[below((long long)n)];
        if (one->kind == EVENT)
            return one->v[ID];
    }
    return 1;
}

/* Mostly one of mia's, that there is something to verify. */
static long long some_of_mia(const struct op *ops, size_t n)
{
    long long id = some_known_event(ops, n);
    for (int tries = 0; tries < 12 && n; tries++) {
        const struct op *one = &ops[below((long long)n)];
        if (one->kind == EVENT && one->v[ACTOR] == CARER_A)
            id = one->v[ID];
    }
    return id;
}

/* What is about nobody in care. */
static void fill_other(struct op *op, const struct op *ops, size_t n)
{
    op->v[PERSON] = 0;
    switch (op->kind) {
    case SETTLE:
        op->v[YES] = chance(70);
        op->v[ACTOR] = chance(50) ? some_actor() : 0;
        op->v[ID] = chance(30) ? some_known_event(ops, n) : 0;
        op->v[ACTOR] = op->v[ID] ? some_actor() : op->v[ACTOR];
        break;
    case AGAIN:
    case CONFLICT:
        op->v[ID] = some_known_event(ops, n);
        break;
    case ATTACH:
    case DETACH:
    case ACK:
    case STANDING:
    case SUBSCRIBE:
        op->v[ACTOR] = some_actor();
        op->v[YES] = op->kind != ATTACH && op->kind != DETACH && chance(25);
        op->v[ROOM] = op->kind == SUBSCRIBE && chance(25) ? 1 + below(6) : 0;
        break;
    case END_ACTOR:
    case CLOSE:
        op->v[ACTOR] = KAS_A; /* that not everybody is gone in the end */
        break;
    case POLICY:
        op->v[YES] = chance(35);
        break;
    case VERIFY:
        op->v[ID] = chance(30) ? some_of_mia(ops, n) : 0;
        op->v[ACTOR] = op->v[ID] || chance(30) ? some_actor() : 0;
        break;
    case WAIT_MS:
        op->v[MS] = chance(4) ? 91LL * 24 * 3600000 : some_ms();
        break;
    default:
        break;
    }
}

static void fill(struct op *op, const struct op *ops, size_t n)
{
    op->v[PERSON] = chance(40) ? 0 : below(PERSONS); /* one of whom more happens */
    switch (op->kind) {
    case EVENT:
        op->v[ID] = (long long)n + 1;
        some_event(op, ops, n);
        break;
    case REPLAY:
        op->v[ACTOR] = chance(70) ? some_actor() : 0;
        break;
    case CONSENT:
        op->v[PURPOSES] = chance(75) ? CARE_P | (chance(35) ? RESEARCH_P : 0) : below(ALL_P + 1);
        op->v[LEVEL] = chance(25) ? 1 + below(3) : 0;
        op->v[FROM] = chance(10) ? some_ms() : 0;
        op->v[UNTIL] = chance(25) ? op->v[FROM] + some_ms() : 0;
        break;
    case WITHDRAW:
        op->v[PURPOSES] = chance(60) ? 0 : 1 + below(ALL_P);
        break;
    case MEMBER:
    case GRANT:
        some_relation(op, op->kind == GRANT);
        break;
    case LEAVE:
    case REVOKE:
        op->v[ROLE] = chance(50) ? some_role() : 0;
        op->v[ACTOR] = some_actor();
        break;
    case EXCLUDE:
    case READMIT:
        op->v[ACTOR] = some_actor();
        break;
    case SETTING:
    case LIFT:
        op->v[NAME] = below(2);
        if (op->kind == LIFT)
            break;
        op->v[ACTOR] = chance(50) ? some_actor() : 0;
        op->v[ROLE] = chance(40) ? some_role() : 0;
        op->v[TYPE] = chance(50) ? 1 + below(TYPES - 1) : 0;
        op->v[RELAXES] = chance(45);
        op->v[LEVEL] = below(4);
        op->v[FROM] = chance(10) ? some_ms() : 0;
        op->v[UNTIL] = chance(30) ? op->v[FROM] + some_ms() : 0;
        break;
    case DEATH:
        op->v[YES] = chance(80);
        break;
    case MERGE:
    case SEPARATE:
        op->v[OTHER] = below(PERSONS);
        break;
    default:
        fill_other(op, ops, n);
        break;
    }
}

size_t scenario_random(uint64_t seed, size_t n, struct op *ops)
{
    static const int weights[OP_KINDS] = {
        [EVENT] = 240,  [AGAIN] = 20, [CONFLICT] = 6, [CONSENT] = 34,  [WITHDRAW] = 12, [MEMBER] = 60,
        [LEAVE] = 14,   [GRANT] = 36, [REVOKE] = 8,   [EXCLUDE] = 7,   [READMIT] = 14,  [SETTING] = 34,
        [LIFT] = 30,    [DEATH] = 8,  [MERGE] = 6,    [SEPARATE] = 12, [STANDING] = 16, [SUBSCRIBE] = 16,
        [SETTLE] = 30,  [REPLAY] = 2, [ATTACH] = 34,  [DETACH] = 14,   [ACK] = 70,      [WAIT_MS] = 40,
        [COMMIT] = 100, [CRASH] = 6,  [VERIFY] = 24,  [POLICY] = 6,    [END_ACTOR] = 1, [CLOSE] = 1};
    int total = 0;
    state = seed * 1000003u;
    for (int kind = 0; kind < OP_KINDS; kind++)
        total += weights[kind];
    memset(ops, 0, n * sizeof *ops);
    for (size_t i = 0; i < n; i++) {
        long long pick = below(total);
        int kind = 0;
        while (pick >= weights[kind])
            pick -= weights[kind++];
        ops[i].kind = (enum op_kind)kind;
        if (i < 16) /* somebody who is likely to receive something, first */
            ops[i].kind = i < PERSONS ? CONSENT : MEMBER;
        fill(&ops[i], ops, i);
        if (i < 16)
            ops[i].v[PERSON] = (long long)i % PERSONS;
        if (i < PERSONS)
            ops[i].v[PURPOSES] |= CARE_P;
    }
    return n;
}
