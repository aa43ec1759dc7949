/* What can happen: made at random from a seed alone, so that any part of it can be left out; written and read as text,
 * an operation to a line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules.h"

const char *const actor_names[ACTORS + 1] = {"", "az", "gp", "apo", "nurse", "kas"};
const char *const role_names[ROLES] = {"",
                                       "gp",
                                       "pharmacist",
                                       "home-nurse",
                                       "home-care",
                                       "coordinator",
                                       "case-manager",
                                       "insurer",
                                       "referral-target",
                                       "emergency-physician"};
const char *const type_names[TYPES] = {"",
                                       "InclusionFlagged",
                                       "HospitalDischarge",
                                       "MedicationChanged",
                                       "FallReported",
                                       "PatientDeceased",
                                       "EmergencyAccessUsed"};
static const char *const level_names[] = {"", "administrative", "care", "clinical"};
static const char *const grant_names[] = {"", "case-management", "insurance", "referral", "emergency-access"};

static const char *const kind_names[OP_KINDS] = {
    [EVENT] = "event",       [AGAIN] = "again",     [CONFLICT] = "conflict", [CONSENT] = "consent",
    [WITHDRAW] = "withdraw", [MEMBER] = "member",   [LEAVE] = "leave",       [GRANT] = "grant",
    [REVOKE] = "revoke",     [EXCLUDE] = "exclude", [READMIT] = "readmit",   [SETTING] = "setting",
    [LIFT] = "lift",         [DEATH] = "death",     [MERGE] = "merge",       [SEPARATE] = "separate",
    [STANDING] = "standing", [SUBSCRIBE] = "inbox", [SETTLE] = "settle",     [REPLAY] = "replay",
    [ATTACH] = "attach",     [DETACH] = "detach",   [ACK] = "ack",           [WAIT_MS] = "wait",
    [COMMIT] = "commit",     [CRASH] = "crash"};

#define NAMES(list) list, (int)(sizeof(list) / sizeof *(list))

static const struct {
    const char *name;
    const char *const *values;
    int n;
} fields[FIELDS] = {
    [ID] = {"id", NULL, 0},
    [ACTOR] = {"actor", NAMES(actor_names)},
    [PERSON] = {"person", NULL, 0},
    [OTHER] = {"other", NULL, 0},
    [ROLE] = {"role", NAMES(role_names)},
    [TYPE] = {"type", NAMES(type_names)},
    [LEVEL] = {"level", NAMES(level_names)},
    [KIND] = {"kind", NAMES(grant_names)},
    [FROM] = {"from-ms", NULL, 0},
    [UNTIL] = {"until-ms", NULL, 0},
    [ORIGINAL] = {"original", NULL, 0},
    [PURPOSES] = {"purposes", NULL, 0},
    [NAME] = {"name", NULL, 0},
    [TO_ROLE] = {"to-role", NAMES(role_names)},
    [TO_ACTOR] = {"to-actor", NAMES(actor_names)},
    [PROOF] = {"proof", NULL, 0},
    [URGENT] = {"urgent", NULL, 0},
    [CONFIDENTIAL] = {"confidential", NULL, 0},
    [RETRACTS] = {"retracts", NULL, 0},
    [RELAXES] = {"relaxes", NULL, 0},
    [YES] = {"yes", NULL, 0},
    [MS] = {"ms", NULL, 0},
};

/* ---- As text ---------------------------------------------------------------------------------------------------- */

void op_write(const struct op *op, char *line, size_t size)
{
    size_t n = (size_t)snprintf(line, size, "%s", kind_names[op->kind]);
    for (int field = 0; field < FIELDS && n < size; field++) {
        if (!op->v[field])
            continue;
        if (fields[field].values)
            n += (size_t)snprintf(line + n, size - n, " %s=%s", fields[field].name, fields[field].values[op->v[field]]);
        else
            n += (size_t)snprintf(line + n, size - n, " %s=%lld", fields[field].name, op->v[field]);
    }
}

static bool field_read(const char *word, struct op *op)
{
    size_t length = strcspn(word, "=");
    for (int field = 0; field < FIELDS; field++) {
        if (strlen(fields[field].name) != length || strncmp(word, fields[field].name, length) != 0)
            continue;
        if (!fields[field].values)
            return op->v[field] = strtoll(word + length + 1, NULL, 10), true;
        for (int i = 0; i < fields[field].n; i++)
            if (strcmp(fields[field].values[i], word + length + 1) == 0)
                return op->v[field] = i, true;
    }
    return false;
}

bool op_read(const char *line, struct op *op)
{
    char copy[512], *rest = NULL;
    snprintf(copy, sizeof copy, "%s", line);
    *op = (struct op){.kind = OP_KINDS};
    const char *word = strtok_r(copy, " \n", &rest);
    for (int kind = 0; word && kind < OP_KINDS; kind++)
        if (strcmp(word, kind_names[kind]) == 0)
            op->kind = (enum op_kind)kind;
    if (op->kind == OP_KINDS)
        return false;
    while ((word = strtok_r(NULL, " \n", &rest)))
        if (!strchr(word, '=') || !field_read(word, op))
            return false;
    return true;
}

/* ---- At random -------------------------------------------------------------------------------------------------- */

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
    op->v[ACTOR] = chance(60) ? AZ_A : chance(60) ? GP_A : some_actor();
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
    op->v[ROLE] = some_role();
    op->v[FROM] = chance(12) ? some_ms() : 0;
    op->v[UNTIL] = chance(35) ? op->v[FROM] + some_ms() : chance(3) ? -1 : 0;
    op->v[PROOF] = !grant && chance(10);
    if (!grant)
        return;
    op->v[KIND] = below(GRANTS);
    op->v[LEVEL] = chance(30) ? 1 + below(3) : 0;
    if (op->v[KIND] == CASE_MANAGEMENT && chance(70))
        op->v[ROLE] = CASE_MANAGER_R;
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

static void fill(struct op *op, const struct op *ops, size_t n)
{
    op->v[PERSON] = chance(40) ? 0 : below(PERSONS); /* one of whom more happens */
    switch (op->kind) {
    case EVENT:
        op->v[ID] = (long long)n + 1;
        some_event(op, ops, n);
        break;
    case SETTLE:
        op->v[YES] = chance(70);
        op->v[ACTOR] = some_actor();
        op->v[ID] = some_known_event(ops, n);
        op->v[PERSON] = 0;
        break;
    case REPLAY:
        op->v[ACTOR] = chance(70) ? some_actor() : 0;
        break;
    case AGAIN:
    case CONFLICT:
        op->v[ID] = some_known_event(ops, n);
        op->v[PERSON] = 0;
        break;
    case CONSENT:
        op->v[PURPOSES] = chance(85) ? CARE_P | (chance(30) ? RESEARCH_P : 0) : below(3);
        op->v[LEVEL] = chance(25) ? 1 + below(3) : 0;
        op->v[FROM] = chance(10) ? some_ms() : 0;
        op->v[UNTIL] = chance(25) ? op->v[FROM] + some_ms() : 0;
        break;
    case WITHDRAW:
        op->v[PURPOSES] = chance(60) ? 0 : 1 + below(2);
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
    case ATTACH:
    case DETACH:
    case ACK:
    case STANDING:
    case SUBSCRIBE:
        op->v[ACTOR] = some_actor();
        op->v[YES] = (op->kind == STANDING || op->kind == SUBSCRIBE) && chance(40);
        if (op->kind != EXCLUDE && op->kind != READMIT)
            op->v[PERSON] = 0;
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
        op->v[YES] = chance(70);
        break;
    case MERGE:
    case SEPARATE:
        op->v[OTHER] = below(PERSONS);
        break;
    case WAIT_MS:
        op->v[PERSON] = 0;
        op->v[MS] = chance(4) ? 91LL * 24 * 3600000 : some_ms();
        break;
    default:
        op->v[PERSON] = 0;
        break;
    }
}

size_t scenario_random(uint64_t seed, size_t n, struct op *ops)
{
    static const int weights[OP_KINDS] = {
        [EVENT] = 240,  [AGAIN] = 20, [CONFLICT] = 6, [CONSENT] = 34,  [WITHDRAW] = 14, [MEMBER] = 60,
        [LEAVE] = 16,   [GRANT] = 30, [REVOKE] = 8,   [EXCLUDE] = 10,  [READMIT] = 12,  [SETTING] = 34,
        [LIFT] = 24,    [DEATH] = 8,  [MERGE] = 8,    [SEPARATE] = 12, [STANDING] = 14, [SUBSCRIBE] = 12,
        [SETTLE] = 24,  [REPLAY] = 3, [ATTACH] = 26,  [DETACH] = 24,   [ACK] = 60,      [WAIT_MS] = 36,
        [COMMIT] = 100, [CRASH] = 6};
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
